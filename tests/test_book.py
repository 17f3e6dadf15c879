"""The page cache is exact, and a build that goes wrong leaves earlier pages in place (toy notebooks)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from projects import command, copy_project, environment, write

from pilotzones import book, finishing

HEAD = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
study: str = "toy"  # which paper

"""
# two pages with different sources: a library module and a data file; a package and a study
DATA = """
# %%
from pilotzones import paths, used
print(used.VALUE, (paths.PUBLISHED / "toy.csv").read_text())
"""
BASELINE = """
# %%
import importlib
import fakedep
print(importlib.import_module(f"pilotzones.studies.{study}.study").EFFECT, fakedep.VALUE)
"""
BOTH = {"toy/01_data", "toy/03_baseline"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two toy pages, built once."""
    project = copy_project(tmp_path_factory.mktemp("built") / "project")
    shutil.rmtree(project / "notebooks")
    write(project / "notebooks/01_data.py", HEAD + DATA)
    write(project / "notebooks/03_baseline.py", HEAD + BASELINE)
    write(project / "lib/pilotzones/used.py", "VALUE = 1\n")
    write(project / "lib/pilotzones/unused.py", "VALUE = 1\n")
    write(project / "lib/pilotzones/studies/toy/__init__.py", "")
    write(project / "lib/pilotzones/studies/toy/study.py", "EFFECT = 0.5\n")
    write(project / "data/published/toy.csv", "a\n1\n")
    write(project / "extra/fakedep/__init__.py", "VALUE = 1\n")
    write(project / "extra/fakedep-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: fakedep\nVersion: 1.0\n")
    write(project / "extra/fakedep-1.0.dist-info/top_level.txt", "fakedep\n")
    files = "".join(f"- file: book/studies/{page}\n" for page in sorted(BOTH))
    write(project / "_toc.yml", f"format: jb-book\nroot: book/index\nchapters:\n{files}")
    result = build(project)
    assert result.returncode == 0, result.stderr
    return project


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    """A fresh copy of the built toy project."""
    return shutil.copytree(built, tmp_path / "project")


def build(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Execute the toy pages that changed."""
    return command(project, "book", "--no-html", *arguments, extra=str(project / "extra"))


def pages(project: Path) -> dict[str, str]:
    """Return the text of the executed pages."""
    return {f"toy/{path.stem}": path.read_text() for path in (project / "book/studies/toy").glob("*.ipynb")}


def stale(project: Path) -> set[str]:
    """Return the pages that a build would execute, as the book's own check sees them."""
    code = "from pilotzones import book; print(*(p for p in book.pages() if book.changed(p)))"
    env = environment(project, extra=str(project / "extra"))
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_pages_hold_their_results_and_no_trace_of_the_execution(built: Path) -> None:
    text = pages(built)
    assert set(text) == BOTH
    assert '"1 a\\n"' in text["toy/01_data"]
    assert "papermill" not in json.loads(text["toy/03_baseline"])["metadata"]
    assert not any(word in text["toy/03_baseline"] for word in ("start_time", "_trace", "injected_at"))


def test_nothing_changed_executes_nothing_and_is_quick(built: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (built / "book/studies/toy").glob("*.ipynb")}
    started = time.perf_counter()
    assert "0 executed, 2 unchanged" in build(built).stdout
    assert time.perf_counter() - started < 5
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize(
    ("path", "text", "affected"),
    [
        ("notebooks/01_data.py", HEAD + DATA + "\n# more\n", {"toy/01_data"}),
        ("lib/pilotzones/used.py", "VALUE = 2\n", {"toy/01_data"}),
        ("data/published/toy.csv", "a\n2\n", {"toy/01_data"}),
        ("lib/pilotzones/studies/toy/study.py", "EFFECT = 0.6\n", {"toy/03_baseline"}),
        ("lib/pilotzones/__init__.py", "# changed\n", BOTH),
        ("lib/pilotzones/unused.py", "VALUE = 2\n", set()),
        ("data/published/estimates.csv", "changed\n", set()),
        ("lib/pilotzones/cli.py", "# changed\n", set()),
    ],
)
def test_a_change_affects_exactly_the_pages_that_used_the_file(
    project: Path, path: str, text: str, affected: set[str]
) -> None:
    write(project / path, text)
    assert stale(project) == affected


def test_a_missing_source_counts_as_a_change(project: Path) -> None:
    (project / "data/published/toy.csv").unlink()
    assert stale(project) == {"toy/01_data"}


def test_a_new_version_of_a_package_affects_the_pages_that_import_it(project: Path) -> None:
    metadata = project / "extra/fakedep-1.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("1.0", "2.0"))
    assert stale(project) == {"toy/03_baseline"}
    assert "fakedep 1.0 became 2.0" in build(project).stdout
    assert stale(project) == set()


def test_a_failed_page_keeps_the_good_one_and_the_others_go_on(project: Path) -> None:
    good = pages(project)
    write(project / "notebooks/01_data.py", HEAD + "\n# %%\n1 / 0\n")
    write(project / "lib/pilotzones/studies/toy/study.py", "EFFECT = 0.75\n")
    result = build(project)
    assert result.returncode == 1
    assert "1 executed, 0 unchanged, 1 failed" in result.stdout
    assert "toy/01_data failed: ZeroDivisionError" in result.stderr
    assert "ZeroDivisionError" in (project / "_build/logs/toy-01_data.log").read_text()
    assert pages(project)["toy/01_data"] == good["toy/01_data"]
    assert "0.75" in pages(project)["toy/03_baseline"]
    # a second run takes up only what failed
    write(project / "notebooks/01_data.py", HEAD + DATA)
    assert "0 executed, 2 unchanged" in build(project).stdout


@pytest.mark.parametrize("name", ["toy-01_data.json", "toy-01_data.ipynb"])
def test_a_damaged_cache_file_is_named_and_the_page_executed_again(project: Path, name: str) -> None:
    good = pages(project)
    damaged = project / "_build/cache" / name
    damaged.write_text(damaged.read_text()[:100])
    result = build(project)
    assert result.returncode == 0
    assert result.stderr.count(f"_build/cache/{name} is damaged") == 1
    assert "1 executed, 1 unchanged" in result.stdout
    assert pages(project) == good


def test_a_deleted_page_comes_back_from_the_cache(project: Path) -> None:
    good = pages(project)
    (project / "book/studies/toy/01_data.ipynb").unlink()
    assert "0 executed, 2 unchanged" in build(project).stdout
    assert pages(project) == good


def test_an_interrupted_build_keeps_what_is_finished_and_resumes(project: Path) -> None:
    write(project / "lib/pilotzones/studies/toy/study.py", "EFFECT = 0.9\n")
    write(project / "notebooks/01_data.py", HEAD + "\n# %%\nimport time\ntime.sleep(600)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "pilotzones.cli", "book", "--no-html", "-j", "2"],
        env=environment(project, extra=str(project / "extra")), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    record = project / "_build/cache/toy-03_baseline.json"
    before, deadline = record.read_text(), time.monotonic() + 60
    while record.read_text() == before and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in said
    assert stale(project) == {"toy/01_data"}
    write(project / "notebooks/01_data.py", HEAD + DATA)
    assert "0 executed, 2 unchanged" in build(project).stdout
    assert "0.9" in pages(project)["toy/03_baseline"]


def test_a_target_that_cannot_be_written_is_one_message(project: Path) -> None:
    # a folder stands where the page should go: fails for every user, the superuser too
    page = project / "book/studies/toy/01_data.ipynb"
    page.unlink()
    write(page / "in_the_way", "")
    result = build(project)
    assert result.returncode == 2
    assert "book/studies/toy/01_data.ipynb" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_page_is_refused_with_the_known_ones(built: Path) -> None:
    result = build(built, "--only", "toy/02")
    assert result.returncode == 2
    assert "expected one of toy/01_data, toy/03_baseline" in result.stderr


def test_ledger_rows_leave_the_page() -> None:
    output = new_output("display_data", {"text/html": "<p>", book.LEDGER_MIME: [{"study": "toy"}]})
    cell = new_code_cell("rows", outputs=[output])
    assert list(finishing.take([cell], book.LEDGER_MIME)) == [[{"study": "toy"}]]
    assert list(cell.outputs[0].data) == ["text/html"]


def test_labels_get_the_studys_name_where_they_are_defined_and_where_they_are_used() -> None:
    source = (
        "(sec-one)=\n# One\n\n$$ x $$ (eq-one)\n\n:name: fig-one\n\n{eq}`eq-one`, {ref}`here <sec-one>`, "
        "{numref}`fig-two`, [there](#sec-one), {ref}`elsewhere`, sec-one"
    )
    figure = new_code_cell("plot()", metadata={"mystnb": {"figure": {"name": "fig-two"}}})
    notebook = new_notebook(cells=[new_markdown_cell(source), figure])
    finishing.prefix_labels(notebook, "toy")
    assert notebook.cells[0].source == (
        "(toy-sec-one)=\n# One\n\n$$ x $$ (toy-eq-one)\n\n:name: toy-fig-one\n\n{eq}`toy-eq-one`, "
        "{ref}`here <toy-sec-one>`, {numref}`toy-fig-two`, [there](#toy-sec-one), {ref}`elsewhere`, sec-one"
    )
    assert notebook.cells[1].metadata.mystnb.figure.name == "toy-fig-two"


def test_alternative_texts_and_captions_move_to_the_cell() -> None:
    about = {"image/svg+xml": {"alt": "A line.", "caption": "Figure.", "name": "fig-a"}}
    cell = new_code_cell("plot()", outputs=[new_output("display_data", {"image/svg+xml": "<svg/>"}, metadata=about)])
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": {"name": "python"}}
    notebook = new_notebook(cells=[cell], metadata={**kernel, "papermill": {"duration": 1}})
    finishing.finish(notebook, "toy")
    assert cell.metadata["mystnb"]["image"] == {"alt": "A line."}
    assert cell.metadata["mystnb"]["figure"] == {"caption": "Figure.", "name": "toy-fig-a"}
    assert "papermill" not in notebook.metadata
