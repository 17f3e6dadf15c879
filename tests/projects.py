"""Copies of the project in temporary folders, and builds inside them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pilotzones.paths import ROOT

_GENERATED = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "*.egg-info", "_build", "panels", "raw")


def copy_project(target: Path) -> Path:
    """Copy the project to ``target`` as a fresh clone would have it."""
    shutil.copytree(ROOT, target, ignore=_GENERATED)
    for pages in ("studies/*", "across", "exercises", "primer"):
        for page in target.glob(f"book/{pages}/*.ipynb"):
            page.unlink()
    return target


def environment(project: Path, **more: str) -> dict[str, str]:
    """Return environment variables under which Python uses the library of ``project``."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(project / "lib"), more.pop("extra", "")]), **more}


def command(project: Path, *arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``pilotzones`` with the library of ``project`` and return what it said."""
    return subprocess.run(
        [sys.executable, "-m", "pilotzones.cli", *arguments],
        cwd=cwd or project, env=environment(project, **env), capture_output=True, text=True, timeout=1500,
    )  # fmt: skip


def write(path: Path, text: str) -> Path:
    """Write a small file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
