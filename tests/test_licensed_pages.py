"""Pages and ledger of licensed data: what they show, what they leave out, and that the synthetic book comes back.

The exports are stand-ins: the readers are replaced by the synthetic panel without its truth, so that every number on a
licensed page has to be that of the synthetic one.
"""

from __future__ import annotations

import ast
import builtins
import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from projects import command, copy_project, environment, write

from pilotzones import licensed, measured, notebooks, paths, studies

STAND_IN = """

def raw(study):
    generator = import_module(f"pilotzones.studies.{study.key}.synthetic")
    return generator.generate(study.seed).drop(columns=["true_effect", "SEX_true"], errors="ignore")


def records(study):
    return {}
"""
LICENSED = (
    "resilience/01_data", "resilience/09_scorecard", "quality/02_index_measurement", "resilience/13_multiverse",
    "quality/14_design",
)  # fmt: skip
SYNTHETIC = "innovation/01_data"
PAGES = (*LICENSED, SYNTHETIC)
AWKWARD = "<b>accounts<b>.csv"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of a few pages and two studies with exports, its synthetic book executed."""
    project = copy_project(tmp_path_factory.mktemp("licensed") / "project")
    with (project / "lib/pilotzones/licensed.py").open("a") as file:
        file.write(STAND_IN)
    listed = "".join(f"- file: book/studies/{page}\n" for page in PAGES)
    write(project / "_toc.yml", f"format: jb-book\nroot: book/index\nchapters:\n{listed}")
    for study in ("resilience", "quality"):
        write(project / "data/raw" / study / AWKWARD, "a,b\n1,2\n")
        write(project / "data/raw" / study / "README.md", "what to download\n")
    said = command(project, "book", "--no-html", "-j", "2")
    assert said.returncode == 0, said.stderr
    return project


@pytest.fixture(scope="module")
def built(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same project with its licensed book executed."""
    licensed = shutil.copytree(project, tmp_path_factory.mktemp("licensed") / "project")
    said = command(licensed, "book", "--no-html", "-j", "2", "--source", "licensed")
    assert said.returncode == 0, said.stderr
    assert "innovation/01_data: " not in said.stdout
    return licensed


def page(project: Path, name: str) -> NotebookNode:
    return nbformat.read(project / f"book/studies/{name}.ipynb", 4)


def outputs(notebook: NotebookNode) -> dict[str, list[str]]:
    """Return the data of all outputs by MIME type."""
    found: dict[str, list[str]] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind, data in output.get("data", {}).items():
                found.setdefault(kind, []).append(data)
    return found


def words(notebook: NotebookNode) -> str:
    """Return what the page says: its text, and the notes of its study."""
    text = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return "\n".join([*text, *outputs(notebook).get("text/markdown", [])])


def ledger(project: Path) -> list[dict[str, str]]:
    with (project / "_build/ledger.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stale(project: Path, source: str) -> set[str]:
    """Return the pages that a build would execute."""
    code = f"from pilotzones import book; print(*(p.name for p in book.pages('{source}') if book.changed(p)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(project), capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_banner_names_the_files_and_their_fingerprint(built: Path) -> None:
    for name in LICENSED:
        banner = next(html for html in outputs(page(built, name))["text/html"] if "source-banner" in html)
        assert 'class="source-banner licensed"' in banner
        assert re.search(r"<summary>\w+: licensed data, 1 file, fingerprint [0-9a-f]{12}</summary>", banner)
        assert re.search(r"<li>&lt;b&gt;accounts&lt;b&gt;\.csv <code>[0-9a-f]{8}</code></li>", banner)
    banner = next(html for html in outputs(page(built, SYNTHETIC))["text/html"] if "source-banner" in html)
    assert 'class="source-banner synthetic"' in banner


def test_licensed_pages_have_no_truth_no_units_and_no_coordinates(built: Path) -> None:
    for name in LICENSED:
        notebook = page(built, name)
        tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
        assert not tags & {"needs-truth", "shows-units"}
        assert "image/svg+xml" not in outputs(notebook)
        assert "synthetic" not in words(notebook)
        assert "true_effect" not in json.dumps(notebook)
        figures = [cell for cell in notebook.cells if "image/png" in outputs(nbformat.v4.new_notebook(cells=[cell]))]
        assert all(len(cell.metadata["mystnb"]["image"]["alt"]) > 10 for cell in figures)
    assert "image/png" in outputs(page(built, LICENSED[0]))
    assert re.search(r"\d+ tables and figures that show values of single units", words(page(built, LICENSED[2])))
    assert "values of single units" not in words(page(built, LICENSED[1]))


def test_the_ledger_has_both_sets_of_rows_with_the_same_numbers(project: Path, built: Path) -> None:
    key = ("table", "column", "term", "statistic")
    found: dict[str, dict[tuple[str, ...], dict[str, str]]] = {}
    for row in ledger(built):
        if row["study"] == "resilience":
            rows = found.setdefault(row["source"], {})
            place = tuple(row[name] for name in key)
            assert place not in rows
            rows[place] = row
    assert set(found) == {"synthetic", "licensed"}
    assert found["synthetic"].keys() == found["licensed"].keys()
    for place, row in found["licensed"].items():
        one, other = row["replicated"], found["synthetic"][place]["replicated"]
        assert one == other or float(one) == pytest.approx(float(other), rel=1e-9), place
        assert row["mc_mean"] == row["z_mc"] == ""
    assert {row["source"] for row in ledger(project)} <= {"synthetic", ""}
    said = command(built, "ledger").stdout
    assert said.index("synthetic data") < said.index("licensed data")
    published = len(found["synthetic"])
    assert len(re.findall(rf"^resilience .* {published}$", said, flags=re.MULTILINE)) == 2


def test_the_synthetic_book_comes_back_without_being_executed(project: Path, built: Path, tmp_path: Path) -> None:
    back = shutil.copytree(built, tmp_path / "project")
    said = command(back, "book", "--no-html")
    assert f"{len(PAGES)} pages: 0 executed, {len(PAGES)} unchanged" in said.stdout
    for name in PAGES:
        path = f"book/studies/{name}.ipynb"
        assert (back / path).read_bytes() == (project / path).read_bytes()
    assert ledger(back) == ledger(project)
    said = command(back, "book", "--no-html", "--source", "licensed")
    # one more: the scorecard of synthetic data is kept up for its ledger rows
    assert f"{len(PAGES) + 1} pages: 0 executed" in said.stdout
    assert ledger(back) == ledger(built)


def test_another_file_makes_the_licensed_pages_of_its_study_stale(built: Path, tmp_path: Path) -> None:
    project = shutil.copytree(built, tmp_path / "project")
    assert stale(project, "licensed") == stale(project, "synthetic") == set()
    write(project / "data/raw/quality/more.csv", "a,b\n3,4\n")
    assert stale(project, "licensed") == {"quality/02_index_measurement", "quality/14_design"}
    assert stale(project, "synthetic") == set()
    shutil.rmtree(project / "data/raw")
    said = command(project, "book", "--no-html", "--source", "licensed")
    assert said.returncode == 2
    assert "there are no files in data/raw/ for any study" in said.stderr


def test_a_page_that_names_units_beside_their_values_never_enters_the_book(built: Path, tmp_path: Path) -> None:
    project = shutil.copytree(built, tmp_path / "project")
    source = project / "notebooks/01_data.py"
    leak = "\n# %%\nfrom pilotzones import measured\n\nlast = data.tail(3)[['gdp_pc', 'income']]\n"
    leak += "report.view(last.set_axis(measured.place_names(data.tail(3)), axis=0), 'Three rows')\n"
    source.write_text(source.read_text(encoding="utf-8") + leak, encoding="utf-8")
    before = (project / "book/studies/resilience/01_data.ipynb").read_bytes()
    said = command(project, "book", "--no-html", "--source", "licensed", "--only", "resilience/01_data")
    assert said.returncode == 2
    assert re.search(
        r"resilience/01_data \(licensed\), cell \d+, text/html, row \d: 2 numbers beside city", said.stderr
    )
    assert (project / "book/studies/resilience/01_data.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("03_baseline", {}),
        ("05_heterogeneity", {"draws": "5"}),
        ("06_mechanisms", {"draws": "100"}),
        ("07_spatial", {}),
    ],
)
def test_a_section_that_the_user_runs(built: Path, tmp_path: Path, section: str, values: dict[str, str]) -> None:
    chosen = {"study": "resilience", "source": "licensed", **values}
    arguments = [word for item in chosen.items() for word in ("-p", *item)]
    said = command(built, "run", section, str(tmp_path / "out.ipynb"), *arguments)
    assert said.returncode == 0, said.stderr
    notebook = nbformat.read(tmp_path / "out.ipynb", 4)
    assert "synthetic" not in words(notebook).replace("source = 'synthetic'", "")
    assert "image/svg+xml" in outputs(notebook)


@pytest.mark.parametrize("with_records", [True, False])
@pytest.mark.parametrize("key", studies.keys())
def test_no_page_asks_for_what_a_left_out_cell_would_have_made(
    key: str, with_records: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every section of every study, without running it: a name is defined in an earlier cell that stays."""
    study = studies.load(key)
    tables = getattr(measured.module(study), "TABLES", ()) if with_records else ()
    monkeypatch.setattr(licensed, "records", lambda study: dict.fromkeys(tables))
    monkeypatch.setattr(notebooks, "_estimable", lambda study: study)
    for section in notebooks.sections():
        if section[:2] in ("10", "11") or not study.has_section(section):
            continue
        notebook = notebooks.read(section)
        notebooks.fit_to(notebook, key, "licensed")
        notebooks.leave_out_units(notebook)
        known = set(dir(builtins))
        for cell in notebook.cells:
            nodes = [*ast.walk(ast.parse(cell.source))] if cell.cell_type == "code" else []
            known |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            known |= {(alias.asname or alias.name).partition(".")[0] for node in nodes
                      if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}  # fmt: skip
            used = {node.id for node in nodes if isinstance(node, ast.Name)}
            known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
            assert used <= known, f"{key}/{section}: {used - known} in {cell.source[:80]}"


def test_notes_that_licensed_pages_show_say_nothing_of_synthetic_numbers() -> None:
    telling = re.compile(r"synthetic|\bseeds?\b|generator|calibrated|fresh panels|Monte|made up", re.IGNORECASE)
    for path in paths.PAGES.glob("*/notes/*.md"):
        text = path.read_text(encoding="utf-8")
        heads = re.findall(r"^## .*$", text, flags=re.MULTILINE)
        assert all(re.fullmatch(r"## \w+( \(synthetic\))?", head) for head in heads), path
        for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
            assert "(synthetic)" in part.split("\n")[0] or not telling.search(part), f"{path}: {part[:60]}"


def test_cells_that_show_units_can_be_left_out_of_every_notebook() -> None:
    for section in notebooks.sections():
        notebook = notebooks.read(section)
        kept = [cell.source for cell in notebook.cells if "shows-units" not in cell.metadata.get("tags", [])]
        dropped = len(notebook.cells) - len(kept)
        notebooks.leave_out_units(notebook)
        said = [cell.source for cell in notebook.cells if "values of single units" in cell.source]
        assert len(said) == bool(dropped)
        assert [cell.source for cell in notebook.cells if cell.source not in said] == kept
