"""Slides of a page: one per heading, with its first sentences, its first equation, and its first figure or table.

A deck is one HTML file with figures inside. Style, keys and MathJax come from the book's own ``_static`` folder, so
that it opens from disk without any network. It has no numbers of its own: all come from the executed page.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

_HEADING = re.compile(r"^(#{1,3}) +(.*?) *$", flags=re.MULTILINE)
_EQUATION = re.compile(r"\$\$.+?\$\$", flags=re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z\d`$*(])")


@dataclass
class Slide:
    """A heading and what is first below it: prose and equation in Markdown, a figure or a table in HTML."""

    title: str
    lead: str = ""
    equation: str = ""
    picture: str = ""
    table: str = ""
    reading: str = ""
    banner: str = ""

    def fill(self, text: str) -> None:
        """Take the first equation and the first paragraph, or list, of some Markdown."""
        found = _EQUATION.search(text)
        self.equation = self.equation or (found[0] if found else "")
        blocks = [block.strip() for block in re.split(r"\n\s*\n", _EQUATION.sub("\n\n", text))]
        blocks = [block for block in blocks if block and not block.startswith(("```", "("))]
        blocks.sort(key=lambda block: block.startswith("|"))  # a table only where there are no words
        self.lead = self.lead or (blocks[0] if blocks else "")
        if not self.equation:  # "... as follows:", and what follows is not on the slide
            self.lead = re.sub(r"(?<=[.!?])\s[^.!?]*:$", "", self.lead)


def slides(notebook: NotebookNode) -> list[Slide]:
    """Return the slides of an executed page, one per heading of level 1 to 3."""
    found: list[Slide] = []
    for cell in notebook.cells:
        if "remove-cell" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "markdown":
            head, *parts = _HEADING.split(_without_code(cell.source))
            if found:
                found[-1].fill(head)
            for title, text in zip(parts[1::3], parts[2::3], strict=True):
                found.append(Slide(title))
                found[-1].fill(text)
        for output in cell.get("outputs", []) if found else []:
            _take(found[-1], output.get("data", {}), cell.metadata.get("mystnb", {}))
    return found


def _without_code(text: str) -> str:
    """Leave out blocks of code: a comment in one looks like a heading."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def _take(slide: Slide, data: Any, about: Any) -> None:
    """Take the first figure and table of a slide's outputs, and the first sentence of its notes."""
    html = data.get("text/html", "")
    if "source-banner" in html:
        slide.banner = slide.banner or html
    elif "<table" in html and "<script" not in html:
        slide.table = slide.table or html
    if "text/markdown" in data:
        note = data["text/markdown"].strip()
        if ", as declared:" in note:
            slide.table = slide.table or _block(note)
        elif not slide.lead:
            slide.fill(_without_code(note))
        else:
            slide.reading = slide.reading or _first_sentence(note)
    for mime in ("image/svg+xml", "image/png"):
        if mime in data and not slide.picture:
            content = data[mime] if mime == "image/png" else b64encode(data[mime].encode()).decode()
            alt = about.get("image", {}).get("alt", data.get("text/plain", ""))
            caption = about.get("figure", {}).get("caption", "")
            slide.picture = (
                f'<figure><img src="data:{mime};base64,{content}" alt="{escape(alt)}">'
                f"<figcaption>{_inline(caption)}</figcaption></figure>"
            )


def _first_sentence(text: str) -> str:
    paragraph = re.split(r"\n\s*\n|\n(?=[-*] )", text)[0].removeprefix("- ")
    return "" if paragraph.startswith("|") else _SENTENCE.split(paragraph)[0]


@cache
def _markdown() -> MarkdownIt:
    maths = {"allow_space": True, "renderer": lambda text, options: _maths(text, options["display_mode"])}
    return MarkdownIt("commonmark", {"html": False}).enable("table").use(dollarmath_plugin, **maths)


def _maths(text: str, display: bool) -> str:
    return escape(rf"\[{text}\]" if display else rf"\({text}\)")


def _plain(text: str) -> str:
    """Turn what only the book understands into words: roles into their text, links into what they say."""
    text = re.sub(r"\{cite\S*?\}`[^`]*`", "", text)
    text = re.sub(r"\{(?:eq|numref|ref)\}`[^`<]*`", "the equation", text)
    text = re.sub(r"\{\w+\}`([^`<]*?)\s*(?:<[^>]*>)?`", r"\1", text)
    text = re.sub(r"\(?\[([^]]*)\]\([^)]*\)\)?", r"\1", text)
    return re.sub(r"^(?:\([\w-]+\)=|:::.*)$", "", text, flags=re.MULTILINE)


def _block(text: str) -> str:
    return str(_markdown().render(_plain(text)))


def _inline(text: str) -> str:
    return str(_markdown().renderInline(_plain(text)))


def deck(notebook: NotebookNode, page: str, where: str) -> str:
    """Return the slides of an executed page as one HTML document.

    Parameters
    ----------
    page : address of the page, seen from the deck.
    where : address of the book's root, seen from the deck, e.g. ``"../.."``.
    """
    found = slides(notebook)
    sections = "\n".join(_sections(found, page))
    maths = (
        f'<script defer src="{where}/_static/mathjax/tex-chtml.js"></script>\n' if 'class="math ' in sections else ""
    )
    title = escape(re.sub(r"<[^>]+>", "", _inline(found[0].title)))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}: slides</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="stylesheet" href="{where}/_static/slides.css">\n'
        f'<script defer src="{where}/_static/slides.js"></script>\n{maths}</head>\n'
        f'<body>\n<main tabindex="0" aria-label="Slides">\n{sections}\n</main>\n</body>\n</html>\n'
    )


def _sections(found: list[Slide], page: str) -> Iterator[str]:
    for number, slide in enumerate(found, start=1):
        level = "h1" if number == 1 else "h2"
        body = [f"<{level}>{_inline(slide.title)}</{level}>", slide.banner]
        body += [_block(text) for text in (slide.lead, slide.equation) if text]
        body += [slide.picture or slide.table]
        body += [f'<p class="reading">{_inline(slide.reading)}</p>' if slide.reading else ""]
        foot = f'<footer><a href="{escape(page)}">the page</a> <span>{number} / {len(found)}</span></footer>'
        yield f'<section id="slide-{number}">\n{"".join(body)}\n{foot}\n</section>'
