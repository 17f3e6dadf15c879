"""The book itself, built by its own command: strict, complete, offline, and the same wherever it is built."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from projects import command, copy_project
from sixth_study import SECTIONS, add_towns, library

from pilotzones import book, exercises
from pilotzones.paths import ROOT

pytestmark = pytest.mark.slow
Built = tuple[Path, subprocess.CompletedProcess[str]]


class Tags(HTMLParser):
    """Collects the start tags of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def pages(project: Path) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Return the tags of every page of the book."""
    html = project / "_build/html"
    found = (html / "book").rglob("*.html")
    return {path.relative_to(html).as_posix(): Tags(path.read_text(encoding="utf-8")).found for path in found}


def rendered(project: Path, page: book.Page) -> Path:
    """Return where the book has a page."""
    return project / "_build/html" / page.target.relative_to(ROOT).with_suffix(".html")


def test_the_strict_build_succeeds(built_book: Built) -> None:
    project, said = built_book
    assert said.returncode == 0, said.stderr
    assert (project / "_build/html/index.html").exists()
    for page in book.pages():
        assert rendered(project, page).exists()


def test_nothing_changed_means_nothing_done(built_book: Built) -> None:
    project, _ = built_book
    said = command(project, "book", PYTHONHASHSEED="2")
    assert f"{len(book.pages())} pages: 0 executed" in said.stdout
    assert "_build/html/index.html unchanged" in said.stdout


# every section once, every study once: executing all pages a second time would take as long as all other tests
SAMPLE = (
    "quality/01_data", "innovation/02_index_measurement", "productivity/03_baseline", "quality/04_robustness",
    "resilience/05_heterogeneity", "innovation/06_mechanisms", "coordination/07_spatial", "productivity/08_modern_did",
    "resilience/09_scorecard", "across/10_verification", "quality/13_multiverse", "productivity/14_design",
    "productivity/15_audit", "across/16_audit_summary",
    "across/17_rollout",
    "primer/primer_1_two_by_two", "primer/primer_2_two_way_fixed_effects", "primer/primer_3_staggered_adoption",
    "primer/primer_4_parallel_trends", "primer/primer_5_event_studies", "primer/primer_6_inference", "primer/lab",
)  # fmt: skip


def test_another_folder_seed_and_worker_count_give_the_same_bytes(built_book: Built, tmp_path: Path) -> None:
    first, _ = built_book
    second = copy_project(tmp_path / "elsewhere" / "book")
    only = [word for page in SAMPLE for word in ("--only", page)]
    said = command(second, "book", "--no-html", "-j", "1", *only, cwd=tmp_path, PYTHONHASHSEED="2")
    assert said.returncode == 0, said.stderr
    places = {str(page): page.target.relative_to(ROOT) for page in book.pages()}
    sections = {page.section for page in book.pages()} - {"11_across_studies"}
    assert {page.rpartition("/")[2] for page in SAMPLE} == sections
    files = [(first / places[page], second / places[page]) for page in SAMPLE]
    assert [one.name for one, other in files if one.read_bytes() != other.read_bytes()] == []


def test_the_ledger_has_every_published_number_once(built_book: Built) -> None:
    project, _ = built_book
    with (project / "_build/ledger.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [tuple(row[name] for name in ("study", "table", "column", "term", "statistic")) for row in rows]
    assert len(set(keys)) == len(keys)
    with (project / "data/published/estimates.csv").open(encoding="utf-8", newline="") as file:
        for cell in csv.DictReader(file):
            assert (cell["study"], cell["table"], cell["column"], cell["term"], "estimate") in keys
    assert all(row["reason"] for row in rows if row["verdict"] == "not_replicated")
    html = project / "_build/html"
    built = {page.study for page in book.pages() if page.study}
    assert all((html / row["page"]).exists() for row in rows if row["study"] in built)


def test_no_page_asks_for_anything_outside_the_book(built_book: Built) -> None:
    project, _ = built_book
    for name, tags in pages(project).items():
        for tag, attributes in tags:
            if tag in {"script", "img", "iframe", "source"} or (tag == "link" and attributes.get("rel") != "canonical"):
                address = attributes.get("src") or attributes.get("href") or ""
                assert not re.match(r"(https?:)?//", address), f"{name}: {tag} {address}"
                if address and not address.startswith("data:"):
                    target = (project / "_build/html" / name).parent / unquote(urlsplit(address).path)
                    assert target.exists(), f"{name}: {tag} {address}"


def test_no_script_knows_a_content_delivery_network(built_book: Built) -> None:
    project, _ = built_book
    for path in (project / "_build/html/book").rglob("*.html"):
        assert not re.search(r"unpkg\.com|jsdelivr|cdnjs|googleapis", path.read_text(encoding="utf-8")), path.name


def test_links_inside_the_book_lead_somewhere(built_book: Built) -> None:
    project, _ = built_book
    for name, tags in pages(project).items():
        for tag, attributes in tags:
            place = urlsplit(attributes.get("href", ""))
            if tag == "a" and not place.scheme and place.path:
                target = (project / "_build/html" / name).parent / unquote(place.path)
                assert target.exists(), f"{name}: {attributes['href']}"


def test_every_image_has_an_alternative_text(built_book: Built) -> None:
    project, _ = built_book
    for name, tags in pages(project).items():
        for tag, attributes in tags:
            alt = attributes.get("alt", "")
            assert tag != "img" or (len(alt) > 10 and not alt.startswith("../")), f"{name}: {attributes}"


def test_every_solution_of_the_exercises_is_right(built_book: Built) -> None:
    project, _ = built_book
    found = sorted((project / "_build/html/book/exercises").glob("*.html"))
    assert [path.stem for path in found] == [page.section for page in book.pages() if page.place == "exercises"]
    text = "".join(path.read_text(encoding="utf-8") for path in found)
    verdicts = re.findall(r'class="verdict (\w+)" role="status">(\d\d-\d)', text)
    assert verdicts == [("right", number) for number in exercises.KEYS]


def test_slides_have_one_per_heading_are_light_and_load_nothing_from_elsewhere(built_book: Built) -> None:
    html = built_book[0] / "_build/html"
    for page in book.pages():
        if not page.study:
            continue
        path = html / f"slides/{page.study}/{page.section}.html"
        assert path.stat().st_size < 1.5 * 1024**2
        tags = Tags(path.read_text(encoding="utf-8")).found
        text = rendered(built_book[0], page).read_text(encoding="utf-8")
        headings = re.findall(r'<h[123]>(?:(?!</h[123]>).)*class="headerlink"', text, flags=re.DOTALL)
        assert sum(tag == "section" for tag, _ in tags) == len(headings) > 1, path
        for _, attributes in tags:
            address = attributes.get("src") or attributes.get("href") or ""
            assert not re.match(r"(https?:)?//", address), address
            if address and not address.startswith("data:"):
                assert (path.parent / address).exists(), f"{path}: {address}"


def test_search_finds_chinese_words(built_book: Built) -> None:
    project, _ = built_book
    text = (project / "_build/html/searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    words = set(index["terms"]) | set(index["titleterms"])
    assert {"电商", "跨境"} <= words
    assert any(word.startswith("cluster") for word in words)


def test_synthetic_pages_say_so(built_book: Built) -> None:
    project, _ = built_book
    for page in book.pages():
        if page.section in ("10_verification", "15_audit", "16_audit_summary", "17_rollout"):
            continue  # about software, printed numbers or facts, not about panels
        text = rendered(project, page).read_text(encoding="utf-8")
        assert 'class="source-banner synthetic"' in text


def test_buttons_lead_to_the_committed_notebook_or_are_not_there(built_book: Built) -> None:
    project, _ = built_book
    page = rendered(project, book.pages()[0])
    assert "mybinder.org" not in page.read_text(encoding="utf-8")
    said = command(project, "book", BOOK_REPOSITORY="https://github.com/someone/book")
    assert said.returncode == 0, said.stderr
    html = page.read_text(encoding="utf-8")
    assert f"someone/book/main?urlpath=lab/tree/notebooks/{book.pages()[0].section}.ipynb" in html
    assert f"/{book.pages()[0].target.relative_to(ROOT).as_posix()}" not in re.sub(r'href="[^"]*_sources/', "", html)


def test_a_build_with_a_warning_fails_and_leaves_the_book(built_book: Built) -> None:
    project, _ = built_book
    before = (project / "_build/html/book/rerun.html").read_bytes()
    page = project / "book/rerun.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(f"{text}\n\nSee {{ref}}`no-such-label`.\n", encoding="utf-8")
    try:
        for _ in range(2):  # a second run must not take the half-built state for a good one
            said = command(project, "book")
            assert said.returncode == 2
            assert "no-such-label" in said.stderr
            assert (project / "_build/html/book/rerun.html").read_bytes() == before
    finally:
        page.write_text(text, encoding="utf-8")


def test_a_sixth_study_needs_one_folder_and_no_library_file(built_book: Built, tmp_path: Path) -> None:
    project = shutil.copytree(built_book[0], tmp_path / "project")
    before = library(project)
    add_towns(project)
    # its rows of the published numbers make every page stale; only what shows them has to be executed again
    new = [f"towns/{section}" for section in SECTIONS] + ["across/11_across_studies", "across/16_audit_summary"]
    said = command(project, "book", *(word for page in new for word in ("--only", page)))
    assert said.returncode == 0, said.stderr
    assert library(project) == before
    assert "towns/03_baseline: " in said.stdout
    for section in SECTIONS:
        html = (project / f"_build/html/book/studies/towns/{section}.html").read_text(encoding="utf-8")
        assert "Pilot zones and trade in a dozen towns" in html
    with (project / "_build/ledger.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["column"], row["statistic"]): row for row in csv.DictReader(file) if row["study"] == "towns"}
    assert float(rows["2", "estimate"]["replicated"]) == pytest.approx(0.3, abs=0.15)
    assert rows["2", "n_obs"]["verdict"] == "exact"
    assert rows["2", "claim"]["verdict"] == "holds"
    assert "towns" in (project / "_build/html/book/scorecard.html").read_text(encoding="utf-8")
