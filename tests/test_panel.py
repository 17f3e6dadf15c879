"""Generating, validating and caching panels, on a toy study."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import pilotzones.studies
from pilotzones import licensed, paths, policy
from pilotzones import panel as panels
from pilotzones.declare import Study, Variable
from pilotzones.errors import DataError, DeclarationError, ParameterError

GENERATOR = """
import numpy as np
import pandas as pd
from pilotzones import policy

CALLS = []

def generate(seed):
    CALLS.append(seed)
    random = np.random.default_rng(seed)
    cities = policy.cities()["adcode"].iloc[:12]
    raw = pd.DataFrame([(c, y) for c in cities for y in range(2012, 2020)], columns=["city", "year"])
    raw["sales"] = random.poisson(5, len(raw))
    raw["share"] = random.random(len(raw))
    raw.loc[3, "share"] = np.nan
    raw["true_effect"] = 0.0
    return raw
"""

VARIABLES = (
    Variable("city", "city", kind="code", low=110000, high=659999),
    Variable("year", "year", kind="code"),
    Variable("sales", "sales", "items", "count", low=0),
    Variable("share", "share", "share", low=0, high=1, missing=True),
    Variable("batch", "batch", kind="code", low=0, high=7),
    Variable("cohort", "approval year", "year", missing=True),
    Variable("event_time", "years since", "years", missing=True),
    Variable("treat_post", "zone in force", kind="binary"),
    Variable("size", "size", kind="group", values=("small", "large")),
)


def derive(raw: pd.DataFrame) -> pd.DataFrame:
    data = policy.attach(raw, batches=(1, 2, 3), partial=True)
    data["size"] = np.where(data["sales"] > 5, "large", "small")
    return data


def toy_study(variables: tuple[Variable, ...] = VARIABLES, **fields: object) -> Study:
    return Study(
        **{
            "key": "toy", "title": "", "title_zh": "", "authors": "", "outlet": "", "unit": "city",
            "time": "year", "years": (2012, 2019), "batches": (1, 2, 3), "tables": (), "derive": derive, "seed": 7,
            "benchmark": ("T1", "1"), "outcome": "sales", "variables": variables, **fields,
        }
    )  # fmt: skip


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """A study that exists only in a temporary folder, with its own cache."""
    folder = tmp_path / "studies" / "toy"
    folder.mkdir(parents=True)
    (folder / "synthetic.py").write_text(GENERATOR)
    monkeypatch.setattr(pilotzones.studies, "__path__", [*pilotzones.studies.__path__, str(tmp_path / "studies")])
    monkeypatch.setattr(paths, "PANELS", tmp_path / "panels")
    monkeypatch.setattr(paths, "RAW", tmp_path / "raw")
    facts = tmp_path / "facts"
    facts.mkdir()
    for path in paths.FACTS.glob("*.csv"):
        (facts / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(paths, "FACTS", facts)
    yield toy_study()
    for name in [name for name in sys.modules if name.startswith("pilotzones.studies.toy")]:
        del sys.modules[name]


def calls() -> list[int]:
    module = sys.modules.get("pilotzones.studies.toy.synthetic")
    return module.CALLS if module else []


def cached() -> Path:
    return paths.PANELS / "toy-synthetic-7.parquet"


def test_generate_is_deterministic_and_depends_on_the_seed(toy: Study) -> None:
    first = panels.generate(toy, 1)
    pd.testing.assert_frame_equal(first, panels.generate(toy, 1))
    assert not first.equals(panels.generate(toy, 2))
    assert list(first) == ["city", "year", "sales", "share", "true_effect", "batch", "cohort", "event_time",
                           "treat_post", "size"]  # fmt: skip
    assert not paths.PANELS.exists()


def test_load_writes_once_and_returns_the_same_frame_again(toy: Study) -> None:
    first = panels.load(toy)
    second = panels.load(toy)
    assert calls() == [7] and cached().exists()
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(first, panels.generate(toy, 7))
    panels.load(toy, seed=8)
    assert sorted(path.name for path in paths.PANELS.iterdir()) == [
        "toy-synthetic-7.parquet", "toy-synthetic-8.parquet",
    ]  # fmt: skip


def test_the_file_is_the_same_byte_for_byte(toy: Study) -> None:
    panels.load(toy)
    before = cached().read_bytes()
    cached().unlink()
    panels.load(toy)
    assert cached().read_bytes() == before


def test_a_changed_generator_or_used_fact_makes_the_panel_anew(toy: Study, tmp_path: Path) -> None:
    panels.load(toy)
    for path in (
        tmp_path / "studies" / "toy" / "synthetic.py",
        paths.FACTS / "cities.csv",
        paths.FACTS / "pilot_zones.csv",
    ):
        before = len(calls())
        path.write_bytes(path.read_bytes() + b"\n")
        panels.load(toy)
        panels.load(toy)
        assert len(calls()) == before + 1, path.name
    (tmp_path / "studies" / "toy" / "parameters.toml").write_text("x = 1\n")
    before = len(calls())
    panels.load(toy)
    assert len(calls()) == before + 1


def test_a_fact_that_the_panel_does_not_use_leaves_it(toy: Study) -> None:
    panels.load(toy)
    for name in ("ports", "concurrent_policies", "national_series"):
        file = paths.FACTS / f"{name}.csv"
        file.write_bytes(file.read_bytes() + b"\n")
    panels.load(toy)
    assert calls() == [7]


def test_other_library_versions_make_the_panel_anew(toy: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    panels.load(toy)
    monkeypatch.setattr(panels, "version", lambda name: "0.0")
    panels.load(toy)
    assert calls() == [7, 7]


def test_the_library_modules_behind_the_panel_are_part_of_its_fingerprint(toy: Study) -> None:
    panels.load(toy)
    names = pq.read_schema(cached()).metadata[b"pilotzones"].decode()
    assert "lib/pilotzones/policy.py" in names and "synthetic.py" in names and "numpy" in names
    assert "lib/pilotzones/geography.py" not in names


def test_a_cached_read_opens_what_the_panel_was_made_from(toy: Study, tmp_path: Path) -> None:
    panels.load(toy)
    opened: set[str] = set()
    recording = [True]
    sys.addaudithook(lambda event, args: opened.add(str(args[0])) if recording and event == "open" else None)
    panels.load(toy)
    recording.clear()
    assert calls() == [7]
    assert {str(tmp_path / "studies" / "toy" / "synthetic.py"), str(paths.FACTS / "pilot_zones.csv")} <= opened
    assert str(paths.FACTS / "ports.csv") not in opened


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "foreign", "body"])
def test_a_corrupt_cache_file_is_named_and_left(toy: Study, damage: str) -> None:
    panels.load(toy)
    whole = cached().read_bytes()
    if damage == "foreign":
        pd.DataFrame({"a": [1]}).to_parquet(cached())
    else:
        content = {
            "truncated": whole[: len(whole) // 2],
            "text": b"not a panel",
            "empty": b"",
            "body": whole[:4] + b"\xff" * 400 + whole[404:],
        }[damage]
        cached().write_bytes(content)
    before = cached().read_bytes()
    with pytest.raises(DataError, match=r"toy-synthetic-7\.parquet: is not a readable panel; delete this file"):
        panels.load(toy)
    assert cached().read_bytes() == before
    cached().unlink()
    assert len(panels.load(toy)) == 96


def test_a_tampered_panel_does_not_pass(toy: Study) -> None:
    panels.load(toy)
    table = pq.read_table(cached())
    position = table.schema.get_field_index("treat_post")
    pq.write_table(table.set_column(position, "treat_post", [[2] * len(table)]).replace_schema_metadata(
        table.schema.metadata), cached())  # fmt: skip
    with pytest.raises(DataError, match=r"toy-synthetic-7\.parquet, column 'treat_post', row 0 .*: 2, expected 0 or 1"):
        panels.load(toy)


def test_a_full_disk_is_one_error_and_leaves_the_earlier_panel(toy: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    panels.load(toy)
    before = cached().read_bytes()
    (paths.FACTS / "cities.csv").write_bytes((paths.FACTS / "cities.csv").read_bytes() + b"\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(DataError, match=r"toy-synthetic-7\.parquet: cannot be written \(No space left"):
        panels.load(toy)
    assert cached().read_bytes() == before and len(list(paths.PANELS.iterdir())) == 1


def test_a_read_only_folder_is_one_error(toy: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match=r"cannot be written \(Read-only file system\)"):
        panels.load(toy)


def spoil(toy: Study, **changes: object) -> pd.DataFrame:
    """A valid panel with single values changed in row 5 (city 110000, year 2017)."""
    data = panels.generate(toy, 7)
    for column, value in changes.items():
        data[column] = data[column].astype(object)
        data.at[5, column] = value
        data[column] = data[column].infer_objects()
    return data


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"share": 1.5}, ["'share'", "1.5", "at most 1"]),
        ({"share": -0.5}, ["'share'", "-0.5", "at least 0"]),
        ({"share": np.inf}, ["'share'", "inf", "a finite number"]),
        ({"sales": 2.5}, ["'sales'", "2.5", "a whole number"]),
        ({"sales": np.nan}, ["'sales'", "nan", "a value"]),
        ({"treat_post": 3}, ["'treat_post'", "3", "0 or 1"]),
        ({"size": "huge"}, ["'size'", "huge", "one of small, large"]),
        ({"size": None}, ["'size'", "a value"]),
        ({"batch": 8}, ["'batch'", "8", "at most 7"]),
    ],
)
def test_a_bad_value_is_named_with_column_row_and_value(toy: Study, changes: dict, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        panels.validate(spoil(toy, **changes), toy, "synthetic", "the panel")
    for word in ["the panel", "row 5 (city 110000, year 2017)", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"share": "much"}, "column 'share': type .*, expected numbers"),
        ({"city": 110000.5}, "column 'city': type float64.*, expected whole numbers"),
        ({"size": 1}, "column 'size': type .*, expected text"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(toy: Study, changes: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        panels.validate(spoil(toy, **changes), toy, "synthetic", "the panel")


def test_the_first_of_several_violations_is_shown_with_their_number(toy: Study) -> None:
    data = panels.generate(toy, 7)
    data.loc[[5, 8, 9], "share"] = 2.0
    with pytest.raises(DataError, match=r"row 5 .*\(2 more violations\)"):
        panels.validate(data, toy, "synthetic", "the panel")


def test_years_outside_the_sample_and_doubled_rows_are_refused(toy: Study) -> None:
    data = panels.generate(toy, 7)
    with pytest.raises(DataError, match=r"'year', row 7 .*: 2019, expected a year from 2012 to 2018"):
        panels.validate(data, replace(toy, years=(2012, 2018)), "synthetic", "the panel")
    double = pd.concat([data, data.iloc[[10]]], ignore_index=True)
    with pytest.raises(DataError, match=r"row 96 \(city 120000, year 2014\): a second row for this city and year"):
        panels.validate(double, toy, "synthetic", "the panel")


def test_a_declared_variable_that_the_panel_lacks_is_named_with_the_study(toy: Study) -> None:
    more = replace(toy, variables=(*VARIABLES, Variable("exports", "exports")))
    with pytest.raises(DeclarationError, match="study toy: variable 'exports' is declared but missing"):
        panels.load(more)
    assert not cached().exists()


def test_an_undeclared_column_is_refused_and_the_truth_is_for_synthetic_data_only(toy: Study) -> None:
    data = panels.generate(toy, 7)
    panels.validate(data, toy, "synthetic", "the panel")
    with pytest.raises(DeclarationError, match="column 'true_effect' of the panel is not declared"):
        panels.validate(data, toy, "licensed", "the panel")
    panels.validate(data.drop(columns="true_effect"), toy, "licensed", "the panel")
    with pytest.raises(DeclarationError, match="column 'profit'"):
        panels.validate(data.assign(profit=1.0), toy, "synthetic", "the panel")
    with pytest.raises(DataError, match="'true_effect'"):
        panels.validate(data.assign(true_effect=np.nan), toy, "synthetic", "the panel")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": "real"}, "source = 'real': expected one of synthetic, licensed"),
        ({"source": "licensed"}, "source = 'licensed': no files in .*toy"),
        ({"seed": -1}, "seed = -1: expected a whole number"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"seed": True}, "seed = True"),
    ],
)
def test_impossible_sources_and_seeds_are_refused(toy: Study, arguments: dict, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        panels.load(toy, **arguments)


def test_licensed_files_of_a_study_without_licensed_sources_are_refused(toy: Study) -> None:
    (paths.RAW / "toy").mkdir(parents=True)
    (paths.RAW / "toy" / "export.csv").touch()
    with pytest.raises(DataError, match=r"study toy: .* expected studies/toy/exports\.py"):
        panels.load(toy, "licensed")


@pytest.fixture
def exported(toy: Study, monkeypatch: pytest.MonkeyPatch) -> tuple[Study, list[int]]:
    """The toy study with an export, and a count of how often it was read."""
    (paths.RAW / "toy").mkdir(parents=True)
    (paths.RAW / "toy" / "export.csv").write_text("first")
    reads = []

    def raw(study: Study) -> pd.DataFrame:
        reads.append(1)
        return panels.raw(study, "synthetic", 7).drop(columns="true_effect")

    monkeypatch.setattr(licensed, "raw", raw)
    return toy, reads


def test_a_licensed_panel_is_named_by_its_exports_and_made_anew_when_one_changes(
    exported: tuple[Study, list[int]],
) -> None:
    study, reads = exported
    first = panels.load(study, "licensed")
    pd.testing.assert_frame_equal(first, panels.load(study).drop(columns="true_effect"))
    pd.testing.assert_frame_equal(first, panels.load(study, "licensed", seed=99))
    fingerprint = panels.fingerprint(study)
    files = {path.name for path in paths.PANELS.glob("*licensed*")}
    assert files == {f"toy-licensed-{fingerprint}.parquet", f"toy-licensed-{fingerprint}-raw.parquet"}
    assert panels.raw(study, "licensed", 1).columns.tolist() == ["city", "year", "sales", "share"]
    assert reads == [1]
    (paths.RAW / "toy" / "another.csv").write_text("second")
    assert panels.fingerprint(study) != fingerprint
    panels.load(study, "licensed")
    assert reads == [1, 1]


def test_a_licensed_panel_is_made_anew_when_the_code_changes(exported: tuple[Study, list[int]]) -> None:
    study, reads = exported
    panels.load(study, "licensed")
    folder = Path(sys.modules["pilotzones.studies.toy"].__path__[0])
    (folder / "exports.py").write_text("# another formula\n")
    panels.load(study, "licensed")
    assert reads == [1, 1]


def test_licensed_data_may_have_gaps_but_in_keys_and_codes_and_no_variable_of_the_truth(toy: Study) -> None:
    data = panels.generate(toy, 7).drop(columns="true_effect")
    gaps = data.assign(sales=data["sales"].where(data.index != 3))
    panels.validate(gaps, toy, "licensed", "the panel")
    with pytest.raises(DataError, match=r"'sales', row 3 .*: nan, expected a value"):
        panels.validate(gaps, toy, "synthetic", "the panel")
    with pytest.raises(DataError, match="'city'"):
        panels.validate(data.assign(city=data["city"].where(data.index != 3)), toy, "licensed", "the panel")
    hidden = replace(toy, variables=(*VARIABLES, Variable("quality", "true quality", truth=True)))
    panels.validate(data, hidden, "licensed", "the panel")
    with pytest.raises(DeclarationError, match="variable 'quality' is declared but missing"):
        panels.validate(data, hidden, "synthetic", "the panel")
    with pytest.raises(DeclarationError, match="column 'quality' of the panel is not declared"):
        panels.validate(data.assign(quality=1.0), hidden, "licensed", "the panel")


def test_a_study_without_a_generator_is_refused(toy: Study) -> None:
    with pytest.raises(DeclarationError, match=r"study ghost: no generator; expected studies/ghost/synthetic\.py"):
        panels.load(replace(toy, key="ghost"))


def test_validation_of_a_large_panel_is_quick() -> None:
    random = np.random.default_rng(1)
    rows, columns = 30_000, 50
    data = pd.DataFrame(random.random((rows, columns - 2)), columns=[f"x{i}" for i in range(columns - 2)])
    data["firm"], data["year"] = np.repeat(np.arange(rows // 10), 10), np.tile(np.arange(2011, 2021), rows // 10)
    variables = (
        Variable("firm", "firm", kind="code"),
        Variable("year", "year", kind="code"),
        *(Variable(f"x{i}", "x", low=0, high=1, missing=True) for i in range(columns - 2)),
    )
    study = toy_study(variables, key="big", unit="firm", years=(2011, 2020), derive=None)
    panels.validate(data, study, "synthetic", "the panel")
    start = time.perf_counter()
    panels.validate(data, study, "synthetic", "the panel")
    assert time.perf_counter() - start < 1.5  # measured 0.1 to 0.3 s; room for a busy machine


def test_the_same_bytes_whatever_the_hash_seed_and_folder(toy: Study, tmp_path: Path) -> None:
    panels.load(toy)
    here = {"studies": tmp_path / "studies", "facts": paths.FACTS, "tests": Path(__file__).parent}
    code = f"""
import pathlib, sys
import pilotzones.studies
from dataclasses import replace
from pilotzones import panel, paths
pilotzones.studies.__path__.append({str(here["studies"])!r})
sys.path.append({str(here["tests"])!r})
paths.FACTS, paths.PANELS = pathlib.Path({str(here["facts"])!r}), pathlib.Path("panels")
import test_panel
panel.load(test_panel.toy_study())
"""
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": str(paths.ROOT / "lib")}
        subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, check=True)
        table, other = (pq.read_table(path) for path in (cached(), folder / "panels" / cached().name))
        assert (folder / "panels" / cached().name).stat().st_size and table.equals(other)
    first, second = ((tmp_path / number / "panels" / cached().name).read_bytes() for number in ("1", "2"))
    assert first == second
