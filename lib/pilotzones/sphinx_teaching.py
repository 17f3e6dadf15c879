"""What the finished book holds for teaching beside its pages: slides of every page, and the notebooks of exercises."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx

from pilotzones import slides, teaching

_PAGE = re.compile(r"book/studies/([^/]+)/(\d\d_[^/]+)")


def write(app: Sphinx, error: Exception | None) -> None:
    """Write ``slides/<study>/<section>.html``, a list of them, and ``teaching/``, into the finished book."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    teaching.write(out / "teaching")
    listed: dict[str, list[str]] = {}
    for name in sorted(app.env.found_docs):
        source = Path(app.srcdir) / f"{name}.ipynb"
        place = _PAGE.fullmatch(name)
        if place is None or not source.is_file():
            continue
        study, section = place.groups()
        target = out / "slides" / study / f"{section}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        deck = slides.deck(nbformat.read(source, 4), f"../../{name}.html", "../..")
        target.write_text(deck, encoding="utf-8")
        listed.setdefault(study, []).append(section)
    if listed:
        (out / "slides/index.html").write_text(_index(listed), encoding="utf-8")


def _index(listed: dict[str, list[str]]) -> str:
    """Return the page that lists the decks by study."""
    parts = []
    for study, names in listed.items():
        items = (f'<li><a href="{escape(study)}/{escape(name)}.html">{escape(name)}</a></li>' for name in names)
        parts.append(f"<h2>{escape(study)}</h2>\n<ul>{''.join(items)}</ul>")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Slides</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="stylesheet" href="../_static/slides.css">\n</head>\n<body>\n<main>\n<section>\n<h1>Slides</h1>\n'
        f'<p><a href="../book/teaching.html">the teaching kit</a></p>\n{"".join(parts)}\n</section>\n</main>\n</body>\n'
        "</html>\n"
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the hook."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
