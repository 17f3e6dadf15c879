"""The rendered book on paper: one PDF with a table of contents, page numbers, bookmarks and links that stay inside.

Chromium prints it, so formulas and figures are those of the pages. The pages' articles go into one HTML file first,
``_build/book.html``, each on a new sheet; then it is printed twice, for only a printed book has page numbers.
"""

from __future__ import annotations

import io
import os
import posixpath
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import yaml

from pilotzones.book import HTML, write
from pilotzones.errors import DataError, PilotZonesError
from pilotzones.paths import BUILD, ROOT

if TYPE_CHECKING:
    from bs4 import Tag
    from playwright.sync_api import Browser

PDF = BUILD / "book.pdf"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_STYLES = ("styles/pydata-sphinx-theme.css", "styles/sphinx-book-theme.css", "pygments.css", "mystnb.*.css",
           "sphinx-design.min.css", "book.css")  # fmt: skip
_TIMEOUT = 15 * 60 * 1000  # milliseconds
# the headers of a page's sections are bookmarks too
_PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="light" class="paper">
<head><meta charset="utf-8"><title>{title}</title>
{styles}
<script>MathJax = {{"options": {{"processHtmlClass": "tex2jax_process|mathjax_process|math|output_area"}}}}</script>
<script defer src="html/_static/mathjax/tex-chtml.js"></script>
</head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<nav class="paper-contents" aria-labelledby="contents"><h1 id="contents">{title}</h1>
{contents}
</nav>
{articles}
</div></div></main></body></html>
"""
_FILL = """pages => {
  for (const place of document.querySelectorAll(".paper-contents [data-of]")) {
    place.textContent = pages[place.dataset.of];
  }
}"""


def chromium() -> str:
    """Return the path of Chromium or Chrome: that of the environment variable ``CHROMIUM``, or the first installed.

    Raises
    ------
    PilotZonesError
        If there is none.
    """
    named = os.environ.get("CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        tried = f"CHROMIUM = {named!r} is none" if named else f"none of {', '.join(_NAMES)} is installed"
        raise PilotZonesError(f"printing and browser tests need Chromium or Chrome: {tried}")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the installed Chromium, and stop it at the end.

    Raises
    ------
    PilotZonesError
        If Chromium or the Python package that drives it is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise PilotZonesError("playwright is not installed: `pip install pilotzones[browser]`") from None
    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        try:
            yield started
        finally:
            started.close()


def contents() -> list[tuple[int, str, str]]:
    """Return the lines of ``_toc.yml``: depth (0 for a part and the first page), page, and a part's caption.

    Of page and caption one is empty.
    """
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    lines = [(0, str(toc["root"]), "")]
    for part in toc.get("parts", [toc]):
        if part.get("caption"):
            lines.append((0, "", str(part["caption"])))
        lines += _files(part.get("chapters", []), 1)
    return lines


def _files(entries: list[dict[str, Any]], depth: int) -> Iterator[tuple[int, str, str]]:
    for entry in entries:
        yield depth, str(entry["file"]), ""
        yield from _files(entry.get("sections", []), depth + 1)


def join(lines: list[tuple[int, str, str]]) -> str:
    """Return one HTML document of rendered pages, to be stored beside the folder ``html``.

    Parameters
    ----------
    lines : as :func:`contents` returns them.

    Raises
    ------
    DataError
        If a page has not been rendered.
    """
    names = {page for _, page, _ in lines if page}
    listed, articles, title = [], [], ""
    for depth, page, caption in lines:
        if caption:
            listed.append(f'<p class="part">{escape(caption)}</p>')
            continue
        article = _article(page, names)
        heading = article.find("h1")
        words = heading.get_text(" ", strip=True) if heading else page
        title = title or words
        slug = _slug(page)
        listed.append(
            f'<p style="margin-left: {depth}em"><a href="#{slug}"><span>{escape(words)}</span>'
            f'<span data-of="{slug}">000</span></a></p>'
        )
        articles.append(str(article))
    static = HTML / "_static"
    found = [path.relative_to(BUILD).as_posix() for name in _STYLES for path in sorted(static.glob(name))]
    styles = "\n".join(f'<link rel="stylesheet" href="{path}">' for path in found)
    return _PAGE.format(title=escape(title), styles=styles, contents="\n".join(listed), articles="\n".join(articles))


def _slug(page: str) -> str:
    return page.replace("/", "-")


def _article(page: str, names: set[str]) -> Tag:
    """Return the article of a page, with its anchors, links and pictures as they are in the joined document."""
    from bs4 import BeautifulSoup

    path = HTML / f"{page}.html"
    if not path.exists():
        raise DataError(f"{path.relative_to(ROOT)}: this page is not rendered yet; `pilotzones book` does that")
    article = BeautifulSoup(path.read_text(encoding="utf-8"), "lxml").find("article", class_="bd-article")
    if article is None:
        raise DataError(f"{path.relative_to(ROOT)}: no page of this book; `pilotzones book` renders it again")
    for tag in article.select("script, .headerlink, a.download"):
        tag.decompose()
    for tag in article.find_all("details"):
        tag["open"] = ""  # nothing is hidden on paper
    slug, folder = _slug(page), posixpath.dirname(page)
    for tag in article.find_all(id=True):
        tag["id"] = f"{slug}--{tag['id']}"
    for tag in article.find_all(src=True):
        if not str(tag["src"]).startswith("data:"):
            tag["src"] = "html/" + posixpath.normpath(posixpath.join(folder, str(tag["src"])))
    for tag in article.find_all("a", href=True):
        place = urlsplit(str(tag["href"]))
        if place.scheme:
            continue
        inside = posixpath.normpath(posixpath.join(folder, unquote(place.path))) if place.path else f"{page}.html"
        if inside.removesuffix(".html") in names:
            target = _slug(inside.removesuffix(".html"))
            tag["href"] = f"#{target}--{unquote(place.fragment)}" if place.fragment else f"#{target}"
        else:
            del tag["href"]  # a file on this machine
    article["id"] = slug
    return article


def print_book(target: Path = PDF, lines: list[tuple[int, str, str]] | None = None) -> int:
    """Print rendered pages and return the number of sheets.

    Parameters
    ----------
    target : the PDF.
    lines : what :func:`contents` returns, or some of it; None for all.

    Raises
    ------
    PilotZonesError
        If Chromium is missing, a page is not rendered, or Chromium fails; an earlier PDF stays.
    """
    lines = lines or contents()
    chromium()  # missing, it is reported at once
    joined = BUILD / "book.html"
    write(joined, join(lines).encode())
    with browser() as started:
        from playwright.sync_api import Error

        try:
            sheet = started.new_page()
            sheet.set_default_timeout(_TIMEOUT)
            sheet.emulate_media(media="print", color_scheme="light")
            sheet.goto(joined.as_uri())
            sheet.evaluate("() => MathJax.startup.promise")
            options: Mapping[str, Any] = {"prefer_css_page_size": True, "outline": True, "tagged": True}
            numbers = sheets_of(sheet.pdf(**options))
            sheet.evaluate(_FILL, {_slug(page): str(numbers.get(_slug(page), "")) for _, page, _ in lines if page})
            final = sheet.pdf(**options)
        except Error as error:
            raise PilotZonesError(f"the book was not printed: {str(error).splitlines()[0]}") from None
    write(target, final)
    return count(final)


def sheets_of(pdf: bytes) -> dict[str, int]:
    """Return the number of the sheet on which each target of a link is."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(pdf))
    found = reader.named_destinations.items()
    numbers = {name.removeprefix("/"): reader.get_destination_page_number(place) for name, place in found}
    return {name: number + 1 for name, number in numbers.items() if number is not None}


def count(pdf: bytes) -> int:
    """Return the number of sheets."""
    from pypdf import PdfReader

    return len(PdfReader(io.BytesIO(pdf)).pages)
