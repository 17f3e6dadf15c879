"""Page parameters: what is refused, with which words, and that notebooks and models agree."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import papermill
import pytest

from pilotzones import notebooks, parameters, paths, studies
from pilotzones.errors import ParameterError


def test_defaults_are_accepted_and_typed() -> None:
    values = parameters.validate("03_baseline", {})
    assert (values.study, values.source, values.seed, values.vcov) == ("innovation", "synthetic", 2023, "published")
    assert (values.leads, values.lags, values.base) == (-4, 5, -1)


@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster_unit", "cluster_city", "cluster_province"])
def test_every_declared_standard_error_is_accepted(vcov: str) -> None:
    assert parameters.validate("01_data", {"vcov": vcov}).vcov == vcov


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"study": "inovation"}, ["study = 'inovation'", "innovation"]),
        ({"study": 3}, ["study = 3", "string"]),
        ({"source": "real"}, ["source = 'real'", "'synthetic' or 'licensed'"]),
        ({"source": "licensed"}, ["source = 'licensed'", "data/raw/innovation/"]),
        ({"seed": -1}, ["seed = -1", "greater than or equal to 0"]),
        ({"seed": True}, ["seed = True", "integer"]),
        ({"seed": 2023.0}, ["seed = 2023.0", "integer"]),
        ({"seed": "2023"}, ["seed = '2023'", "integer"]),
        ({"vcov": "cluster_firm"}, ["vcov = 'cluster_firm'", "published, iid, hetero, cluster_unit"]),
        ({"vcov": None}, ["vcov = None", "string"]),
        ({"lag": 5}, ["lag:", "03_baseline has no such parameter", "leads, lags, base"]),
        ({"leads": 0}, ["leads = 0", "less than 0"]),
        ({"base": 6}, ["base = 6", "from -4 to 5"]),
        ({"base": -5}, ["base = -5", "from -4 to 5"]),
        ({"seed": -1, "vcof": "iid"}, ["seed = -1", "vcof: 03_baseline has no such parameter"]),
    ],
)
def test_what_is_refused_and_with_which_words(
    values: dict[str, Any], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "RAW", tmp_path)
    with pytest.raises(ParameterError) as error:
        parameters.validate("03_baseline", values)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


def test_licensed_is_accepted_once_there_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "RAW", tmp_path)
    (tmp_path / "innovation").mkdir()
    (tmp_path / "innovation" / "export.csv").touch()
    assert parameters.validate("01_data", {"source": "licensed"}).source == "licensed"


def test_licensed_data_have_no_scenario_and_the_page_about_all_studies_needs_exports_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "RAW", tmp_path)
    with pytest.raises(ParameterError, match="no files in data/raw/ for any study"):
        parameters.validate("11_across_studies", {"source": "licensed"})
    (tmp_path / "innovation").mkdir()
    (tmp_path / "innovation" / "README.md").touch()
    with pytest.raises(ParameterError, match="there are no files in data/raw/innovation/"):
        parameters.validate("08_modern_did", {"source": "licensed"})
    (tmp_path / "innovation" / "export.csv").touch()
    assert parameters.validate("08_modern_did", {"source": "licensed"}).scenario == "paper"
    with pytest.raises(ParameterError, match=r"scenario = 'dynamic' with source = 'licensed'"):
        parameters.validate("08_modern_did", {"source": "licensed", "scenario": "dynamic"})
    assert parameters.validate("11_across_studies", {"source": "licensed"}).keys == ["innovation"]


def test_a_mistyped_global_is_found_and_what_a_notebook_brings_itself_is_not() -> None:
    own = {"In": [], "Out": {}, "_": 1, "__name__": "__main__", "module": ModuleType("m"), "function": len}
    assert parameters.check("01_data", {**own, "study": "innovation"}).study == "innovation"
    with pytest.raises(ParameterError, match="vcof: 01_data has no such parameter; expected study, source, seed, vcov"):
        parameters.check("01_data", {**own, "vcof": "iid"})
    with pytest.raises(ParameterError, match="leads: 01_data has no such parameter"):
        parameters.check("01_data", {**own, "leads": -3})


def test_a_cell_run_again_checks_values_and_leaves_the_notebooks_own_names_alone() -> None:
    namespace: dict[str, Any] = {"seed": 1}
    parameters.check("01_data", namespace)
    namespace |= {"rows": [1, 2], "seed": 2}
    assert parameters.check("01_data", namespace).seed == 2
    namespace["seed"] = -2
    with pytest.raises(ParameterError, match="seed = -2"):
        parameters.check("01_data", namespace)


@pytest.mark.parametrize("section", notebooks.sections())
def test_notebook_and_model_agree(section: str) -> None:
    found = papermill.inspect_notebook(str(paths.NOTEBOOKS / f"{section}.ipynb"))
    fields = parameters.SECTIONS.get(section, parameters.Common).model_fields
    assert list(found) == list(fields)
    for name, field in fields.items():
        assert ast.literal_eval(found[name]["default"]) == field.default
        assert found[name]["inferred_type_name"] == type(field.default).__name__
        assert found[name]["help"], f"{section}: parameter {name} needs a comment"


@pytest.mark.parametrize("section", notebooks.sections())
def test_the_parameters_are_checked_in_the_next_code_cell(section: str) -> None:
    cells = [cell for cell in notebooks.read(section).cells if cell.cell_type == "code"]
    place = next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    assert f'parameters.check("{section}", globals())' in cells[place + 1].source
    assert all(isinstance(ast.literal_eval(node.value), str | int | float | bool)
               for node in ast.walk(ast.parse(cells[place].source)) if isinstance(node, ast.AnnAssign))  # fmt: skip


@pytest.mark.parametrize("key", studies.keys())
def test_every_study_accepts_the_defaults(key: str) -> None:
    assert parameters.validate("03_baseline", {"study": key}).study == key


def test_papermill_stops_before_any_computation(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "papermill", paths.NOTEBOOKS / "03_baseline.ipynb", tmp_path / "out.ipynb"]
    done = subprocess.run([*command, "-p", "vcof", "iid"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "ParameterError: vcof: 03_baseline has no such parameter; expected study, source, seed" in done.stderr
    assert not (tmp_path / "data").exists()
