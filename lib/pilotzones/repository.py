"""The public address of this repository, for the buttons that lead back to it."""

from __future__ import annotations

import os
import re
import subprocess

from pilotzones.paths import ROOT


def repository_url() -> str | None:
    """Return ``https://github.com/owner/name``, or None when the book has no public address.

    The environment variable ``BOOK_REPOSITORY`` comes first, then the git remote ``origin``.
    """
    address = os.environ.get("BOOK_REPOSITORY")
    if not address:
        try:
            command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
            address = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None
    github = r"(?:https://github\.com/|(?:ssh://)?git@github\.com[:/])([\w.-]+/[\w.-]+?)(?:\.git)?/?"
    place = re.fullmatch(github, address)
    return f"https://github.com/{place[1]}" if place else None
