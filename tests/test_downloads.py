"""What an executed page offers for download: the data behind its tables and figures, its source, its exercises."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_output

from pilotzones import finishing, report, sphinx_downloads
from pilotzones.report.tables import TableView
from pilotzones.trace import DATA_MIME


def cell(data: dict[str, str], about: dict[str, object] | None = None) -> object:
    """Return an executed cell with one output that carries data along."""
    output = new_output("display_data", {"text/html": "<p>", DATA_MIME: data}, metadata=about or {})
    return new_code_cell("x", outputs=[output])


def test_the_data_of_tables_are_numbered_those_of_figures_named_and_all_are_listed() -> None:
    figure = {"image/svg+xml": {"alt": "a line", "caption": "A figure.", "name": "fig-line"}}
    cells = [
        cell({"caption": 'T1, "first"', "csv": "a\n1\n"}),
        cell({"name": "fig-line", "csv": "b\n2\n"}, figure),
        cell({"caption": "Second", "csv": "c\n3\n"}),
    ]
    files = finishing.take_data(cells, "03_baseline", "toy-03_baseline")
    stem = "toy-03_baseline"
    assert list(files) == [f"{stem}-{end}.csv" for end in ("table-01", "line", "table-02", "contents")]
    listed = dict(csv.reader(io.StringIO(files[f"{stem}-contents.csv"])))
    assert listed == {"file": "caption", f"{stem}-table-01.csv": 'T1, "first"', f"{stem}-line.csv": "A figure.",
                      f"{stem}-table-02.csv": "Second"}  # fmt: skip
    assert all(DATA_MIME not in output.data for one in cells for output in one.outputs)
    assert f"03_baseline/{stem}-line.csv" in cells[1].outputs[0].metadata["image/svg+xml"]["caption"]


def test_a_page_without_data_has_no_list() -> None:
    assert finishing.take_data([new_code_cell("x")], "a", "b") == {}


def test_a_table_carries_its_numbers_not_their_text() -> None:
    frame = pd.DataFrame({"share": [0.123456789], "rows": [28305]}, index=pd.Index(["x"], name="group"))
    shown = report.view(frame, "A table", digits=2)._repr_mimebundle_()
    assert "0.12" in shown["text/html"] and "28,305" in shown["text/html"]
    assert shown[DATA_MIME] == {"caption": "A table", "csv": "group,share,rows\nx,0.123456789,28305\n"}


def test_a_row_without_a_label_belongs_to_the_header_above_it() -> None:
    html = TableView(pd.DataFrame({"a": ["1", "(2)", "3"]}, index=["x", "", "y"]), "caption").html()
    assert '<tr><th scope="row" rowspan="2">x</th><td>1</td></tr>\n<tr><td>(2)</td></tr>' in html
    assert '<th scope="row"></th>' not in html
    assert "<tr><td></td><td>1</td></tr>" in TableView(pd.DataFrame({"a": ["1"]}, index=[""]), "caption").html()


def test_archives_of_equal_files_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        source = tmp_path / name / "a.csv"
        source.write_text("a\n1\n")
        source.touch()
        sphinx_downloads.pack([source], tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.read("a.csv") == b"a\n1\n"


def test_a_page_offers_only_files_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sphinx_downloads, "ROOT", tmp_path)
    monkeypatch.setattr(sphinx_downloads, "NOTEBOOKS", tmp_path / "notebooks")
    page = "book/studies/toy/03_baseline"
    assert sphinx_downloads.files(page) == {}
    (tmp_path / "notebooks/student").mkdir(parents=True)
    (tmp_path / "notebooks/03_baseline.py").touch()
    assert list(sphinx_downloads.files(page)) == ["Source (.py)"]
    (tmp_path / "notebooks/student/03_baseline.ipynb").touch()
    (tmp_path / page).mkdir(parents=True)
    (tmp_path / page / "b.csv").touch()
    (tmp_path / page / "a.csv").touch()
    offered = sphinx_downloads.files(page)
    assert list(offered) == ["Source (.py)", "Exercises (.ipynb)", "Data (.zip)"]
    name, sources = offered["Data (.zip)"]
    assert (name, [path.name for path in sources]) == ("toy-03_baseline-data.zip", ["a.csv", "b.csv"])
    assert sphinx_downloads.files("book/glossary") == sphinx_downloads.files("index") == {}
