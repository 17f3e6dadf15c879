"""The book on paper: contents with page numbers, bookmarks, links that stay inside; a clear word when it cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotzones import paper
from pilotzones.errors import DataError, PilotZonesError

LINES = [(0, "book/index", ""), (0, "", "Reference"), (1, "book/glossary", ""), (1, "book/data_statement", "")]
SLUGS = [page.replace("/", "-") for _, page, _ in LINES if page]


@pytest.fixture
def build(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for what is printed, with the rendered book in it."""
    (tmp_path / "html").symlink_to(site, target_is_directory=True)
    monkeypatch.setattr(paper, "BUILD", tmp_path)
    monkeypatch.setattr(paper, "HTML", tmp_path / "html")
    return tmp_path


@pytest.mark.slow
def test_a_few_pages_are_printed_with_contents_bookmarks_and_inner_links(build: Path) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed (extra: browser)")
    pytest.importorskip("playwright", reason="playwright is not installed (extra: browser)")
    try:
        paper.chromium()
    except PilotZonesError as missing:
        pytest.skip(str(missing))
    sheets = paper.print_book(build / "book.pdf", LINES)
    reader = pypdf.PdfReader(build / "book.pdf")
    assert len(reader.pages) == sheets
    contents = reader.pages[0].extract_text()
    numbers = paper.sheets_of((build / "book.pdf").read_bytes())
    starts = [numbers[slug] for slug in SLUGS]
    assert starts == sorted(set(starts))
    for number in starts:
        assert re.search(rf"\b{number}\b", contents)
        # a page begins on a new sheet, which bears its number
        assert str(number) in reader.pages[number - 1].extract_text().split()
    assert {"Glossary", "Data statement"} <= {str(entry["/Title"]) for entry in flat(reader.outline)}
    notes = [note.get_object().get("/A", {}) for sheet in reader.pages for note in sheet.get("/Annots", [])]
    addresses = [str(action["/URI"]) for action in notes if "/URI" in action]
    assert [link for link in addresses if not link.startswith(("http", "mailto:"))] == []


def flat(entries: list) -> Iterator[dict]:
    """Yield the bookmarks of all levels."""
    for entry in entries:
        if isinstance(entry, list):
            yield from flat(entry)
        else:
            yield entry


def test_the_contents_follow_the_table_of_contents() -> None:
    lines = paper.contents()
    assert lines[0] == (0, "book/index", "")
    assert (0, "", "Studies") in lines
    assert (2, "book/studies/innovation/03_baseline", "") in lines
    assert all(bool(page) != bool(caption) for _, page, caption in lines)


def test_links_to_printed_pages_stay_inside_and_other_files_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper, "BUILD", tmp_path)
    monkeypatch.setattr(paper, "HTML", tmp_path / "html")
    (tmp_path / "html/book").mkdir(parents=True)
    links = ("b.html#x", "#own", "c.html", "../_downloads/d.csv", "https://example.org/e")
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    for name, rest in (("a", f'<p id="own">{anchors}</p><img src="../_images/f.svg">'), ("b", '<p id="x"></p>')):
        text = f'<article class="bd-article"><h1>Page {name}</h1>{rest}</article>'
        (tmp_path / f"html/book/{name}.html").write_text(text, encoding="utf-8")
    joined = paper.join([(0, "book/a", ""), (1, "book/b", "")])
    kept = re.findall(r'<a href="([^"]*)">(?!<span)', joined)
    assert kept == ["#book-b--x", "#book-a--own", "https://example.org/e"]
    assert 'id="book-b--x"' in joined
    assert 'src="html/_images/f.svg"' in joined
    assert all(link in joined for link in links)  # their words are still there


def test_a_page_that_is_not_rendered_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "ROOT", tmp_path)
    monkeypatch.setattr(paper, "HTML", tmp_path / "_build" / "html")
    with pytest.raises(DataError, match=r"_build/html/book/index\.html: this page is not rendered yet"):
        paper.join(LINES)


def test_without_a_browser_printing_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    with pytest.raises(PilotZonesError, match="CHROMIUM = '/no/such/browser'"):
        paper.print_book()
