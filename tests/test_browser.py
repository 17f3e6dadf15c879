"""The book in a real browser: quiet, self-contained, light, usable by keyboard, on a phone and with a screen reader."""

from __future__ import annotations

import functools
import http.server
import io
import json
import posixpath
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from test_pages import Tags

from pilotzones import paper
from pilotzones.errors import PilotZonesError

pytest.importorskip("playwright", reason="playwright is not installed (extra: browser)")
axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed (extra: browser)")
try:
    paper.chromium()
except PilotZonesError as missing:
    pytest.skip(str(missing), allow_module_level=True)

from playwright.sync_api import Browser, Page, Route  # noqa: E402 (after the check that it is there)

pytestmark = pytest.mark.slow
DESKTOP, PHONE = (1280, 900), (375, 812)
OWN_BYTES = 1_500_000  # a page and what only it loads: its figures, data and scripts
SHARED_BYTES = 4_500_000  # what every page loads, and a browser keeps: theme, formulas, search index

Watched = tuple[Page, list[str]]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server that does not report."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The book's address on a web server of its own."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running browser."""
    with paper.browser() as started:
        yield started


def opened(browser: Browser, address: str, size: tuple[int, int] = DESKTOP, mode: str = "light") -> Watched:
    """Return an empty tab and the list of what will go wrong in it; nothing outside the book is fetched."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_init_script(f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')")
    wrong: list[str] = []

    def guard(route: Route) -> None:
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            wrong.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.set_default_timeout(8000)
    page.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("response", lambda got: wrong.append(f"{got.status}: {got.url}") if got.status >= 400 else None)
    return page, wrong


def go(page: Page, url: str) -> None:
    """Open a page and wait for its formulas and their fonts, which leaving the page would break off."""
    page.goto(url)
    page.evaluate("() => window.MathJax?.startup?.promise?.then(() => true)")
    page.evaluate("() => document.fonts.ready.then(() => true)")


def names(site: Path) -> list[str]:
    """Return the addresses of all pages, relative to the book's; the first, ``index.html``, only leads to another."""
    found = (path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return sorted(name for name in found if not name.startswith("_") and name != "index.html")


def kinds(site: Path) -> list[str]:
    """Return one page of every kind: of those that several studies have, the smallest, for the time it takes."""
    of_kind: dict[str, list[str]] = {}
    for name in names(site):
        kind = re.sub(r"^book/studies/[^/]+/|^(slides)/[^/]+/.*", r"\1", name)
        of_kind.setdefault(kind, []).append(name)
    return [min(pages, key=lambda name: (site / name).stat().st_size) for pages in of_kind.values()]


CUT_OFF = """() => [...document.querySelectorAll("span.math, div.math mjx-container")].filter(place => {
  const right = place.querySelector("mjx-math")?.getBoundingClientRect().right;
  return right > place.getBoundingClientRect().right + 2 && getComputedStyle(place).overflowX === "hidden";
}).map(place => place.innerText)"""


def test_pages_load_without_a_complaint_and_fit_on_a_phone(site: Path, address: str, chromium: Browser) -> None:
    page, wrong = opened(chromium, address, PHONE)
    found = {}
    for name in names(site):
        go(page, address + name)
        if excess := page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"):
            wrong.append(f"{excess} pixels too wide")
        if clipped := page.evaluate(CUT_OFF):
            wrong.append(f"formulas cut off: {clipped}")
        if wrong:
            found[name] = wrong.copy()
            wrong.clear()
    assert found == {}


@pytest.mark.parametrize(("size", "mode"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop-light", "phone-dark"])
def test_no_kind_of_page_violates_a_rule_of_accessibility(
    site: Path, address: str, chromium: Browser, size: tuple[int, int], mode: str
) -> None:
    page, _ = opened(chromium, address, size, mode)
    found = {}
    for name in kinds(site):
        go(page, address + name)
        assert page.evaluate("document.documentElement.dataset.theme") in {mode, None}  # slides follow the system
        page.evaluate(axe.AXE_SCRIPT)
        violations = page.evaluate("axe.run({resultTypes: ['violations']}).then(result => result.violations)")
        if violations:
            found[name] = [(rule["id"], [node["target"] for node in rule["nodes"]][:3]) for rule in violations]
    assert found == {}


def test_every_header_of_a_table_says_something(site: Path) -> None:
    empty = re.compile(r"<th\b[^>]*>(?:\s|<[^>]*>)*</th>")
    found = {name: empty.findall((site / name).read_text(encoding="utf-8")) for name in names(site)}
    assert {name: cells[:3] for name, cells in found.items() if cells} == {}


def test_pages_are_light(site: Path, address: str, chromium: Browser) -> None:
    tags = {name: Tags((site / name).read_text(encoding="utf-8")).found for name in names(site)}
    loaded = {name: {target(name, link) for tag, link in links(tags[name]) if tag != "a"} for name in tags}
    executed = [name for name in loaded if re.match(r"book/.*/\d\d_", name)]
    shared = set.intersection(*(loaded[name] for name in executed))
    for name, files in loaded.items():
        own = [site / name, *(site / file for file in files - shared)]
        assert sum(path.stat().st_size for path in own if path.is_file()) <= OWN_BYTES, name
    page, _ = opened(chromium, address)
    sizes: dict[str, int] = {}
    page.on("response", lambda got: sizes.update({got.url: len(got.body())}))
    go(page, address + executed[0])
    page.wait_for_load_state("networkidle")
    own_urls = {address + file for file in [executed[0], *(loaded[executed[0]] - shared)]}
    shared_sizes = {url: size for url, size in sizes.items() if url.split("?")[0] not in own_urls}
    assert sum(shared_sizes.values()) <= SHARED_BYTES, shared_sizes


def links(tags: list[tuple[str, dict[str, str]]]) -> Iterator[tuple[str, str]]:
    """Yield the addresses in a page that are inside the book, with their tags."""
    for tag, attributes in tags:
        for key in ("href", "src"):
            place = urlsplit(attributes.get(key, ""))
            if (place.path or place.fragment) and not place.scheme and attributes.get("rel") != "canonical":
                yield tag, attributes[key]


def target(name: str, link: str) -> str:
    """Return the file of the book to which a link on a page leads."""
    path = unquote(urlsplit(link).path)
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name


def test_links_lead_to_files_and_places_that_exist(site: Path) -> None:
    tags = {name: Tags((site / name).read_text(encoding="utf-8")).found for name in names(site)}
    places = {name: {a[key] for _, a in found for key in ("id", "name") if key in a} for name, found in tags.items()}
    broken = []
    for name, found in tags.items():
        for _, link in links(found):
            file, fragment = target(name, link), unquote(urlsplit(link).fragment)
            if not (site / file).is_file() or (fragment and file in places and fragment not in places[file]):
                broken.append(f"{name}: {link}")
    assert broken == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [("entropy weights", "02_index_measurement"), ("cluster-robust", "03_baseline"), ("跨境电商", "references"),
     ("试验区", "glossary")],
)  # fmt: skip
def test_search_finds_english_and_chinese(address: str, chromium: Browser, words: str, expected: str) -> None:
    page, wrong = opened(chromium, address)
    go(page, address + "book/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/search\.html\?q="))
    page.locator(f"#search-results a[href*='{expected}']").first.wait_for(timeout=10_000)
    assert wrong == []


FOCUSED = """() => {
  const now = document.activeElement;
  if (now === document.body) return null;
  const seen = [now, ...now.querySelectorAll("*")].map(e => getComputedStyle(e));
  const ring = seen.some(s => (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0)
    || / [1-9]\\d*px/.test(s.boxShadow));
  return [now.outerHTML.slice(0, 120), ring, now.className, now.tagName];
}"""


def test_the_keyboard_reaches_everything_and_the_focus_is_seen(address: str, chromium: Browser) -> None:
    page, wrong = opened(chromium, address)
    go(page, address + "book/studies/quality/03_baseline.html")
    stops = []
    while len(stops) < 400:
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None or (stops and stop == stops[0]):
            break
        stops.append(stop)
    assert "Skip to main content" in stops[0][0]
    assert [html for html, ring, *_ in stops if not ring] == []
    reached = " ".join(f"{names} {tag}" for _, _, names, tag in stops)
    for part in ("search-button", "SUMMARY", "dropdown-toggle", "theme-switch-button", "table-scroll", "right-next"):
        assert part in reached, part
    assert wrong == []


def test_enter_opens_what_the_keyboard_reaches(address: str, chromium: Browser) -> None:
    page, _ = opened(chromium, address)
    go(page, address + "book/studies/quality/03_baseline.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("#main-content$"))

    search = page.locator("button.search-button__button:visible").first
    search.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.press("Escape")
    assert not page.locator("#pst-search-dialog").is_visible()

    for place in ("nav details > summary", ".bd-article details > summary"):
        summary = page.locator(place).first
        before = summary.evaluate("e => e.parentElement.open")
        summary.focus()
        page.keyboard.press("Enter")
        assert summary.evaluate("e => e.parentElement.open") != before, place

    page.locator(".dropdown-download-buttons > button").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('.dropdown-download-buttons .dropdown-menu') !== null")

    switch = page.locator(".theme-switch-button:visible").first
    switch.focus()
    modes = set()
    for _ in range(3):
        page.keyboard.press("Enter")
        modes.add(page.evaluate("document.documentElement.dataset.mode"))
    assert modes == {"light", "dark", "auto"}


def test_the_contents_open_on_a_phone(address: str, chromium: Browser) -> None:
    page, wrong = opened(chromium, address, PHONE)
    go(page, address + "book/glossary.html")
    page.locator("button.primary-toggle").focus()
    page.keyboard.press("Enter")
    page.locator("#pst-primary-sidebar-modal a.reference:visible").first.wait_for(timeout=5_000)
    page.keyboard.press("Escape")
    assert not page.locator("#pst-primary-sidebar-modal").is_visible()
    assert wrong == []


def test_the_book_opens_from_a_folder(site: Path, chromium: Browser) -> None:
    page, wrong = opened(chromium, site.as_uri())
    for name in ("book/index.html", "book/studies/quality/03_baseline.html"):
        go(page, f"{site.as_uri()}/{name}")
        assert page.locator(".bd-article h1").first.is_visible()
    assert wrong == []
    page.goto(f"{site.as_uri()}/search.html?q=entropy")
    # no excerpts: a browser does not let a file read another one, and says so
    page.locator("#search-results a[href*='02_index_measurement']").first.wait_for(timeout=10_000)


def test_an_executed_page_offers_its_notebook_source_and_data(address: str, chromium: Browser) -> None:
    page, _ = opened(chromium, address)
    go(page, address + "book/studies/quality/03_baseline.html")
    offered = page.locator(".dropdown-download-buttons a").evaluate_all(
        "links => links.map(e => [e.innerText, e.href])"
    )
    got = {words.strip(): page.request.get(href).body() for words, href in offered}
    code = [cell for cell in json.loads(got["With results (.ipynb)"])["cells"] if cell["cell_type"] == "code"]
    assert any(cell["outputs"] for cell in code)
    assert b"# %%" in got["Source (.py)"]
    with zipfile.ZipFile(io.BytesIO(got["Data (.zip)"])) as archive:
        listed = archive.read(next(name for name in archive.namelist() if name.endswith("-contents.csv"))).decode()
        others = [name for name in archive.namelist() if not name.endswith("-contents.csv")]
    tables = page.locator(".bd-article table.regtable").count()
    figures = page.locator(".bd-article figure img").count()
    assert len(others) == tables + figures
    assert all(name in listed for name in others)
