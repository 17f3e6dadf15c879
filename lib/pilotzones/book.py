"""Building the book: execute the pages that changed, collect their ledger rows, render the HTML.

A page is a section's notebook executed with ``study`` set. It is executed again exactly when something it used has
changed since: the notebook, a library or data file it read, or the version of a package it imported
(:mod:`pilotzones.trace` records these inside the kernel). A page that fails leaves its earlier version in place.

A book of licensed data has pages of the user's own exports in the place of the synthetic ones. They show no values of
single units, have a cache of their own, and :mod:`pilotzones.disclosure` reads them before they enter the book.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pilotzones.errors import DataError, PilotZonesError
from pilotzones.paths import BUILD, NOTEBOOKS, PAGES, ROOT
from pilotzones.repository import repository_url

CACHE, LOGS, LEDGERS = BUILD / "cache", BUILD / "logs", BUILD / "ledger"
LEDGER = BUILD / "ledger.csv"
HTML = BUILD / "html"
LEDGER_MIME = "application/vnd.pilotzones.ledger+json"

# the packages that turn pages into HTML
_RENDERERS = ("jupyter-book", "myst-nb", "pydata-sphinx-theme", "sphinx", "sphinx-book-theme", "sphinx-mathjax-offline")
# source maps, and MathJax in flavours that no page loads: half of the size of the HTML
_NOT_SHIPPED = ("*.map", "tex-svg*.js", "tex-mml-*.js", "tex-chtml-full*.js", "mml-*.js")


@dataclass(frozen=True)
class Page:
    """One section of one study, or a page without, whose ``study`` is empty, on data of a source.

    Pages without a study are about all of them (``place`` is ``"across"``), about methods (``"primer"``) or exercises.
    """

    study: str
    section: str
    source: str = "synthetic"
    place: str = "across"

    @property
    def folder(self) -> str:
        """The study's key, or where the pages without a study are."""
        return self.study or self.place

    @property
    def notebook(self) -> str:
        """The notebook that makes the page, by its name under ``notebooks``."""
        return f"exercises/{self.section}" if self.place == "exercises" else self.section

    @property
    def name(self) -> str:
        """What the command calls it, whatever its source."""
        return f"{self.folder}/{self.section}"

    def __str__(self) -> str:
        return self.name if self.source == "synthetic" else f"{self.name} ({self.source})"

    def file(self, folder: Path, ending: str) -> Path:
        """Return this page's file in one of the folders under ``_build``."""
        source = "" if self.source == "synthetic" else f"-{self.source}"
        return folder / f"{self.folder}-{self.section}{source}{ending}"

    @property
    def target(self) -> Path:
        """Where Jupyter Book finds the executed page."""
        return (PAGES / self.study if self.study else PAGES.parent / self.place) / f"{self.section}.ipynb"

    @property
    def data(self) -> Path:
        """The folder with the data behind the page's tables and figures, beside the page."""
        return self.target.with_suffix("")


def pages(source: str = "synthetic") -> list[Page]:
    """Return the pages that ``_toc.yml`` lists and a section notebook makes, in its order.

    Parameters
    ----------
    source : ``"licensed"`` for pages of licensed data where the user has exports of the study, or of any for a page
        about all studies.

    Raises
    ------
    DataError
        If ``_toc.yml`` is missing or is not valid YAML.
    ParameterError
        If the source is licensed and there are no exports at all.
    """
    import yaml

    try:
        contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"_toc.yml: cannot be read ({error})") from None
    place = r"book/(?:studies/([^/]+)|(across|exercises|primer))/([^/]+)"
    found = (re.fullmatch(place, file) for file in _files(contents))
    listed = [Page(file[1] or "", file[3], place=file[2] or "across") for file in found if file]
    listed = [page for page in listed if (NOTEBOOKS / f"{page.notebook}.py").exists()]
    if source == "synthetic":
        return listed
    from pilotzones import parameters

    keys = _studies_with_exports()
    with_source = {name for name, model in parameters.SECTIONS.items() if "source" in model.model_fields}
    without = parameters.SECTIONS.keys() - with_source  # such as the audit of printed numbers
    return [
        replace(page, source=source)
        if (page.study in keys and page.notebook not in without) or (not page.study and page.notebook in with_source)
        else page
        for page in listed
    ]


def _files(node: Any) -> Iterator[str]:
    """Yield every ``file:`` of a table of contents."""
    if isinstance(node, dict):
        yield from (str(node["file"]) for _ in (1,) if "file" in node)
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _files(child)


# --- what changed ----------------------------------------------------------------------------------------------------


@cache
def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file as it was when first asked for in this build; None when it is missing."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def installed(distribution: str) -> str | None:
    """Return the version of an installed package, None when it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def exports(page: Page) -> dict[str, str]:
    """Return the fingerprints of the exports a page is made from, by study; none for a page of synthetic data."""
    if page.source == "synthetic":
        return {}
    keys = [page.study] if page.study else _studies_with_exports()
    return {key: _fingerprint_of_exports(key) for key in keys}


def _studies_with_exports() -> list[str]:
    from pilotzones import parameters

    return list(parameters.validate("11_across_studies", {"source": "licensed"}).keys)


@cache
def _fingerprint_of_exports(key: str) -> str:
    from pilotzones import panel, studies

    return panel.fingerprint(studies.load(key))


def changed(page: Page) -> str:
    """Return why a page has to be executed, in words; empty when nothing it used has changed."""
    record = _record(page)
    if record is None:
        return "not executed before"
    for name, was in record["files"].items():
        if digest(ROOT / name) != was:
            return f"{name} changed"
    for name, was in record["distributions"].items():
        if installed(name) != was:
            return f"{name} {was} became {installed(name) or 'uninstalled'}"
    if record.get("exports", {}) != exports(page):
        return "files in data/raw changed"
    now = platform.python_version()
    return "" if record["python"] == now else f"Python {record['python']} became {now}"


def _record(page: Page) -> dict[str, Any] | None:
    """Return what a page's last execution used; None, with a warning, when its cache is damaged."""
    path, copy = page.file(CACHE, ".json"), page.file(CACHE, ".ipynb")
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        expected = {"page": str, "files": dict, "distributions": dict, "python": str}
        damaged = path if not all(isinstance(record[key], kind) for key, kind in expected.items()) else None
        if damaged is None and digest(copy) != record["page"]:
            damaged = copy
    except (OSError, ValueError, KeyError, TypeError):
        damaged = path
    if damaged is not None:
        print(f"warning: {damaged.relative_to(ROOT)} is damaged; {page} is executed again", file=sys.stderr)
        return None
    return dict(record)


# --- executing -------------------------------------------------------------------------------------------------------


def run(page: Page, why: str) -> dict[str, Any]:
    """Execute a page; called in a process of its own.

    Returns
    -------
    ``text`` : the finished page, a notebook in JSON.
    ``files``, ``distributions`` : what it used.
    ``ledger`` : its ledger rows, or None.
    ``data`` : the data behind its tables and figures, CSV text by file name; none of licensed data.
    ``seconds`` : wall time.

    Raises
    ------
    PilotZonesError
        If the page fails; its log and the notebook up to the failing cell are in ``_build/logs``.
    """
    import nbformat

    from pilotzones import finishing, notebooks, teaching, trace

    started = time.perf_counter()
    unfinished = page.file(LOGS, ".ipynb")
    LOGS.mkdir(parents=True, exist_ok=True)
    log = logging.FileHandler(page.file(LOGS, ".log"), mode="w", encoding="utf-8")
    log.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("papermill")
    logger.handlers, logger.propagate = [log], False
    logger.setLevel(logging.INFO)
    logger.info("%s: %s", page, why)
    try:
        notebook = notebooks.read(page.notebook)
        if page.place == "exercises":
            teaching.page(notebook, page.section)
        notebooks.fit_to(notebook, page.study, page.source)
        first, last = (
            nbformat.v4.new_code_cell(f"from pilotzones import trace as _trace\n_trace.{call}()", id=f"trace-{call}")
            for call in ("start", "emit")
        )
        values = {"study": page.study} if page.study else {}
        if page.source != "synthetic":
            values["source"] = page.source
            notebooks.leave_out_units(notebook)
            first.source += "\nfrom pilotzones.report import figures as _figures\n_figures.as_pixels()"
        notebook.cells = [first, *notebook.cells, last]
        executed = notebooks.execute(notebook, values, unfinished)
    except Exception as error:
        logger.error("".join(traceback.format_exception(error)))
        raise
    finally:
        log.close()
    used = next(data for data in finishing.take(executed.cells[-1:], trace.MIME))
    executed.cells = executed.cells[1:-1]
    rows = [row for part in finishing.take(executed.cells, LEDGER_MIME) for row in part]
    of_what = f"{page.study}-{page.source}" if page.study else page.folder
    data = finishing.take_data(executed.cells, page.section, f"{of_what}-{page.section}")
    if page.source != "synthetic":
        data = {}
    finishing.finish(executed, page.folder)
    unfinished.unlink(missing_ok=True)
    seconds = time.perf_counter() - started
    return {"text": nbformat.writes(executed) + "\n", "ledger": rows or None, "data": data, "seconds": seconds, **used}


def prepare(study: str, source: str) -> None:
    """Make a study's panel once, so that its pages, which run side by side, find it."""
    from pilotzones import panel, studies

    panel.load(studies.load(study), source)


def execute(todo: dict[Page, str], jobs: int) -> dict[Page, str]:
    """Execute pages in parallel and keep each as soon as it is done.

    Parameters
    ----------
    todo : page to the reason why it is executed.
    jobs : number of pages executed at a time.

    Returns
    -------
    The pages that failed, with the message of each.
    """
    from tqdm import tqdm

    # what the pages are about to read, as it is now: a file edited meanwhile counts as changed in the next build
    for folder in ("lib", "notebooks", "book", "data/facts", "data/published", "data/calibration", "data/multiverse"):
        for path in (ROOT / folder).rglob("*.*"):
            digest(path)
    for page in todo:
        exports(page)
    failed: dict[Page, str] = {}
    panels = [(page.study, page.source) for page in todo if page.study]
    shared = sorted({panel for panel in panels if panels.count(panel) > 1})
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        with tqdm(total=len(todo), unit="page", desc="pages", disable=None) as bar:
            # a panel that cannot be made is reported by the pages that need it
            for panel in [pool.submit(prepare, *panel) for panel in shared]:
                panel.exception()
            futures: dict[Future[dict[str, Any]], Page] = {pool.submit(run, *item): item[0] for item in todo.items()}
            for future in as_completed(futures):
                page = futures[future]
                try:
                    result = future.result()
                    keep(page, result)
                    tqdm.write(f"{page}: {result['seconds']:.1f} s ({todo[page]})")
                except Exception as error:
                    failed[page] = str(error).strip() or type(error).__name__
                    tqdm.write(f"{page}: FAILED")
                bar.update()
    except KeyboardInterrupt:
        for worker in multiprocessing.active_children():
            worker.kill()  # to a softer signal nbclient answers by waiting for its kernel, which ends without it
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


def keep(page: Page, result: dict[str, Any]) -> None:
    """Store a page that succeeded, with the record of what it used."""
    content = result["text"].encode()
    own = (*_OWN, *_OF_EXERCISES) if page.place == "exercises" else _OWN
    record = {
        "page": hashlib.sha256(content).hexdigest(),
        "python": platform.python_version(),
        "files": {name: digest(ROOT / name) for name in [f"notebooks/{page.notebook}.py", *own, *result["files"]]},
        "exports": exports(page),
        "distributions": result["distributions"],
        "ledger": result["ledger"],
        "data": result["data"],
    }
    write(page.file(CACHE, ".ipynb"), content)
    write(page.file(CACHE, ".json"), (json.dumps(record, indent=1) + "\n").encode())


# what executes a page and finishes it, outside the page's kernel
_OWN = ("lib/pilotzones/book.py", "lib/pilotzones/finishing.py", "lib/pilotzones/notebooks.py")
_OF_EXERCISES = ("lib/pilotzones/teaching.py",)


def put(page: Page) -> None:
    """Put an executed page, and the data behind its tables and figures, where Jupyter Book finds them."""
    files = json.loads(page.file(CACHE, ".json").read_text(encoding="utf-8")).get("data", {})
    for old in page.data.glob("*.csv"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        write(page.data / name, text.encode())
    write(page.target, page.file(CACHE, ".ipynb").read_bytes())


def write(path: Path, content: bytes) -> bool:
    """Write a file whole, unless it holds that content already; return whether it was written.

    Raises
    ------
    DataError
        If it cannot be written; an earlier file is left intact.
    """
    from pilotzones.io import write_atomically

    if path.is_file() and path.read_bytes() == content:
        return False
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
    return True


# --- ledger and HTML -------------------------------------------------------------------------------------------------


def fingerprint(paths: list[Path], *more: str | None) -> str:
    """Return one hash of the names and contents of files, and of some words."""
    lines = [f"{path.relative_to(ROOT).as_posix()} {_now(path)}" for path in sorted(paths)]
    return hashlib.sha256("\n".join([*lines, *map(str, more)]).encode()).hexdigest()


def _now(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def collect_ledger(listed: list[Page]) -> None:
    """Write ``_build/ledger.csv`` from the ledger rows of the pages, when one of its sources has changed."""
    for page in listed:
        try:
            rows = json.loads(page.file(CACHE, ".json").read_text(encoding="utf-8"))["ledger"]
        except (OSError, ValueError, KeyError):
            continue  # a page that failed: the rows of its last good version, if any, stay
        if rows:
            write(_ledger_rows(page), (json.dumps(rows, indent=1, ensure_ascii=False) + "\n").encode())
    parts = [path for path in dict.fromkeys(_ledger_rows(page) for page in listed if page.study) if path.exists()]
    if not parts:
        return
    sources = [*parts, *(ROOT / "data/published").glob("*.csv"), *(ROOT / "lib").rglob("*.py"), LEDGER]
    stamp = CACHE / "ledger.sha256"
    if LEDGER.exists() and stamp.exists() and stamp.read_text() == fingerprint(sources):
        return
    from pilotzones import ledger

    ledger.collect(parts, LEDGER)
    write(stamp, fingerprint(sources).encode())


def _ledger_rows(page: Page) -> Path:
    """Return where the ledger rows of a page's study and source are."""
    return LEDGERS / f"{page.study}{'' if page.source == 'synthetic' else f'-{page.source}'}.json"


def check_disclosure(pages: list[Page]) -> None:
    """Refuse pages of licensed data that show values of single units, as they are in the cache.

    Raises
    ------
    PilotZonesError
        As :func:`pilotzones.disclosure.check`.
    """
    licensed = [page for page in pages if page.source != "synthetic"]
    if not licensed:
        return
    import nbformat

    from pilotzones import disclosure, studies

    disclosure.check_repository()
    for study in dict.fromkeys(page.study for page in licensed):
        own = {str(page): nbformat.read(page.file(CACHE, ".ipynb"), 4) for page in licensed if page.study == study}
        disclosure.check(own, [studies.load(key) for key in ([study] if study else _studies_with_exports())])


def render() -> bool:
    """Render the book with Jupyter Book, strictly, when one of its sources has changed; return whether it did.

    Raises
    ------
    PilotZonesError
        If Sphinx warns or fails; the HTML of the last good build stays.
    """
    library = ROOT / "lib/pilotzones"
    extensions = [*library.glob("sphinx_*.py"), library / "slides.py", library / "teaching.py"]
    setup = [ROOT / "_config.yml", ROOT / "_toc.yml", *extensions]
    setup_now = fingerprint(setup, repository_url(), *map(installed, _RENDERERS))
    sources = [path for path in (ROOT / "book").rglob("*") if path.is_file() and ".ipynb_checkpoints" not in path.parts]
    now = fingerprint([*sources, *([LEDGER] if LEDGER.exists() else [])], setup_now)
    stamp = HTML / ".built"
    if stamp.exists() and stamp.read_text() == now:
        return False
    from pilotzones import teaching

    teaching.write(BUILD / "teaching")  # what download menus offer
    work = BUILD / "sphinx"
    setup_stamp = work / "setup"
    if not setup_stamp.exists() or setup_stamp.read_text() != setup_now:
        # Sphinx does not notice a changed extension, nor remove the page of a deleted source
        shutil.rmtree(work, ignore_errors=True)
    log = LOGS / "html.log"
    LOGS.mkdir(parents=True, exist_ok=True)
    code = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", code, "build", str(ROOT), "--path-output", str(work), "-W", "-n", "--keep-going"]
    path = os.pathsep.join(filter(None, [str(ROOT / "lib"), os.environ.get("PYTHONPATH")]))
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": path}
        )
    if done.returncode != 0:
        # a page that Sphinx has read once does not warn again
        shutil.rmtree(work, ignore_errors=True)
        lines = re.sub(r"\x1b\[[\d;]*m", "", log.read_text(encoding="utf-8")).splitlines()
        found = [line for line in lines if re.search(r"WARNING|ERROR|[Ee]xception", line)] or lines[-5:]
        raise PilotZonesError("\n".join(["the book was not rendered:", *found[:20], f"log: {log.relative_to(ROOT)}"]))
    setup_stamp.write_text(setup_now)

    fresh, old = BUILD / "html.new", BUILD / "html.old"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(work / "_build" / "html", fresh, ignore=shutil.ignore_patterns(*_NOT_SHIPPED))
    (fresh / ".built").write_text(now)
    if HTML.exists():
        HTML.rename(old)
    fresh.rename(HTML)
    shutil.rmtree(old, ignore_errors=True)
    return True


def _is_replaced_scorecard(page: Page) -> bool:
    return page.section == "09_scorecard" and page.source != "synthetic"


# --- all of it -------------------------------------------------------------------------------------------------------


def build(only: list[str] | None = None, jobs: int | None = None, html: bool = True, source: str = "synthetic") -> int:
    """Build the book.

    Parameters
    ----------
    only : pages to execute, as ``study/section``; None for all.
    jobs : pages executed at a time; None for one per processor.
    html : whether to render the HTML.
    source : ``"licensed"`` for pages of the user's own exports, where there are any. The ledger then has rows of both
        sources; for the synthetic ones the scorecards are kept up, which are not shown.

    Returns
    -------
    The number of pages that failed.

    Raises
    ------
    PilotZonesError
        If ``only`` names no page, a page of licensed data shows values of single units, or the book cannot be rendered.
    """
    started = time.perf_counter()
    listed = pages(source)
    names = [page.name for page in listed]
    unknown = set(only or ()) - set(names)
    if unknown:
        raise PilotZonesError(f"page {sorted(unknown)[0]!r}: expected one of {', '.join(names)}")
    asked = [page for page in listed if not only or page.name in only]
    # a scorecard makes the ledger rows of its study
    hidden = [] if only else [replace(page, source="synthetic") for page in listed if _is_replaced_scorecard(page)]
    todo = {page: why for page in [*asked, *hidden] if (why := changed(page))}
    failed = execute(todo, jobs or os.cpu_count() or 1) if todo else {}
    ready = [page for page in asked if page not in failed]
    check_disclosure(ready)
    for page in ready:
        put(page)
    collect_ledger([*listed, *hidden])

    done, same = len(todo) - len(failed), len(asked) + len(hidden) - len(todo)
    print(f"{len(asked) + len(hidden)} pages: {done} executed, {same} unchanged, {len(failed)} failed")
    for page, message in failed.items():
        print(f"{page} failed: {message}\n  log: {page.file(LOGS, '.log').relative_to(ROOT)}", file=sys.stderr)
    missing = [str(page) for page in listed if not page.target.exists()]
    if html and missing:
        print(f"the book is not rendered, pages are missing: {', '.join(missing)}", file=sys.stderr)
    elif html:
        state = "rendered" if render() else "unchanged"
        print(f"{(HTML / 'index.html').relative_to(ROOT)} {state} ({time.perf_counter() - started:.1f} s)")
    return len(failed)
