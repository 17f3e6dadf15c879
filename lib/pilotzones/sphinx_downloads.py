"""The download menu of an executed page: the notebook with its results, its source, its exercises, and its data.

The data are the numbers behind the page's tables and figures, as CSV files in one archive. Pages of licensed data have
none (see :mod:`pilotzones.book`). Nothing of this makes a page heavier: the files lie beside the pages, linked.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from pilotzones.paths import NOTEBOOKS, ROOT

_PAGE = re.compile(r"book/(?:studies/)?([^/]+)/([^/]+)")
_FOLDER = "_downloads"


def files(pagename: str) -> dict[str, tuple[str, list[Path]]]:
    """Return what an executed page offers besides itself, only files that exist.

    Returns
    -------
    Words of the menu to the file's name among the downloads and its sources; several sources go into an archive. Empty
    for a page that no notebook makes.
    """
    place = _PAGE.fullmatch(pagename)
    if place is None:
        return {}
    folder, section = place.groups()
    # a page of exercises has a notebook of its own, in a folder of the page's name
    sources = [path for path in (NOTEBOOKS / folder / f"{section}.py", NOTEBOOKS / f"{section}.py") if path.is_file()]
    if not sources:
        return {}
    name = sources[0].relative_to(NOTEBOOKS).as_posix()
    student = NOTEBOOKS / "student" / f"{section}.ipynb"
    offered = {
        "Source (.py)": (f"source/{name}", sources[:1]),
        "Exercises (.ipynb)": (f"exercises/{student.name}", [student] if student.is_file() else []),
        "Data (.zip)": (f"{folder}-{section}-data.zip", sorted((ROOT / pagename).glob("*.csv"))),
    }
    return {words: found for words, found in offered.items() if found[1]}


def add_buttons(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Fill the theme's download menu, and say what its own entries are."""
    offered = files(pagename)
    for menu in context.get("header_buttons", []) if offered else []:
        if menu.get("label") != "download-buttons":
            continue
        own = {button["label"]: button for button in menu["buttons"]}
        page = own["download-source-button"] | {"text": "With results (.ipynb)", "tooltip": "The executed notebook"}
        more = [
            {"type": "link", "url": context["pathto"](f"{_FOLDER}/{name}", 1), "text": words, "icon": "fas fa-file",
             "tooltip": words, "label": "download-more-button"}
            for words, (name, _) in offered.items()
        ]  # fmt: skip
        menu["buttons"] = [page, *more, own["download-pdf-button"]]


def find_outdated(app: Sphinx, env: BuildEnvironment, *_: object) -> list[str]:
    """Have pages written again whose menu has changed, though they have not."""
    before: dict[str, list[str]] = getattr(env, "pilotzones_downloads", {})
    now = {name: list(files(name)) for name in env.found_docs}
    env.pilotzones_downloads = now  # type: ignore[attr-defined]
    return [name for name, words in now.items() if words != before.get(name, [])]


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put the files where the menus lead."""
    if error is not None or app.builder.format != "html":
        return
    for pagename in sorted(app.env.found_docs):
        for name, sources in files(pagename).values():
            target = Path(app.outdir) / _FOLDER / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.suffix == ".zip":
                pack(sources, target)
            else:
                shutil.copyfile(sources[0], target)


def pack(sources: Iterable[Path], target: Path) -> None:
    """Write an archive of some files, without dates: equal files give equal bytes."""
    with ZipFile(target, "w") as archive:
        for source in sources:
            entry = ZipInfo(source.name)  # dated 1980-01-01
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, source.read_bytes())


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the hooks."""
    # after the theme has made its menu
    app.connect("html-page-context", add_buttons, priority=900)
    app.connect("env-get-outdated", find_outdated)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
