"""Launch and repository buttons of the book, only where they lead somewhere.

Without a public address (see :mod:`pilotzones.repository`) there are none. The executed pages are made from the
notebooks under ``notebooks``: only these are in the repository, so that is where their buttons lead; those of exercises
lead to the student's notebook.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from pilotzones.paths import NOTEBOOKS
from pilotzones.repository import repository_url

_PAGE = re.compile(r"book/(?:studies/[^/]+|across|primer)/([^/]+)")


def add_repository(app: Sphinx, config: Config) -> None:
    """Switch the buttons on when the book has a public address."""
    url = repository_url()
    if url:
        config.html_theme_options |= {
            "repository_url": url,
            "repository_branch": "main",
            "use_repository_button": True,
            "use_issues_button": True,
            "launch_buttons": {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"},
        }


def redirect(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """Point the buttons of an executed page at its notebook."""
    place = _PAGE.fullmatch(pagename)
    if place and (NOTEBOOKS / f"{place[1]}.py").exists():
        _replace(context.get("header_buttons", []), pagename, f"notebooks/{place[1]}")
    if pagename.startswith("book/exercises/"):
        _replace(context.get("header_buttons", []), pagename, pagename.replace("book/exercises", "notebooks/student"))


def drop_live_code(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Leave out the scripts of Thebe: no button starts it, and it would come from another site."""
    scripts = context.get("script_files", [])
    context["script_files"] = [s for s in scripts if "thebe" not in f"{s.filename} {s.attributes}".lower()]


def _replace(buttons: list[dict[str, Any]], old: str, new: str) -> None:
    for button in buttons:
        url = str(button.get("url", ""))
        # an issue is about the page, and the download is the executed page itself
        if url.startswith("https://") and "/issues/" not in url:
            button["url"] = url.replace(old, new)
        _replace(button.get("buttons", []), old, new)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the hooks."""
    app.connect("config-inited", add_repository)
    # after the theme has added its buttons
    app.connect("html-page-context", redirect, priority=900)
    app.connect("html-page-context", drop_live_code, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
