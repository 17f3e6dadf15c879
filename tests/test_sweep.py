"""Sweeps: grids, estimates equal to those of the single columns, resumption, and what goes wrong in one process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pilotzones import panel, replicate, specifications, studies, sweep
from pilotzones.errors import DataError, ParameterError, PilotZonesError
from pilotzones.estimators import batch
from pilotzones.paths import ROOT
from pilotzones.specifications import Specification

NUMBERS = ["estimate", "se", "t", "p", "low", "high"]


def grid(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grid.yml"
    path.write_text(text, encoding="utf-8")
    return path


def expand(tmp_path: Path, text: str, limit: int = specifications.MOST) -> list[Specification]:
    return specifications.expand(specifications.read(grid(tmp_path, text)), limit)


SMALL = """
study: productivity
controls: [all, none, each left out]
effects: [own, city + province^year]
vcov: [cluster_city, hetero]
"""


# --------------------------------------------------------------------------------------------------------------- grids


def test_the_default_is_the_benchmark(tmp_path: Path) -> None:
    (one,) = expand(tmp_path, "study: innovation")
    assert one.formula.startswith("inno_total ~ treat_post + age + ")
    assert one.effects == "firm + province^year"  # year is in province^year
    assert specifications.published(one) == "T2/3"
    assert (one.seed, one.vcov, one.singletons, one.sample) == (2023, "iid", "keep", "")


@pytest.mark.parametrize("key", studies.keys())
def test_every_published_column_is_found_again(key: str, tmp_path: Path) -> None:
    found = expand(tmp_path, f"study: {key}\ncolumn: all\nseed: 7")
    names = {name for one in found for name in specifications.published(one).split(", ")}
    assert names == set(specifications.columns(studies.load(key)))


def test_the_examples_of_the_book_are_as_large_as_it_says(tmp_path: Path) -> None:
    text = (ROOT / "book" / "sweep.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert [len(expand(tmp_path, example)) for example in examples] == [48, 443]
    assert all(f"{count} specifications" in example for count, example in zip((48, 443), examples, strict=True))
    assert set(re.findall(r"^\| `(\w+)` \| (?!of|its|why|rows|with|the)", text, flags=re.MULTILINE)) >= set(
        specifications.Choices.model_fields
    )


def test_lists_multiply_and_doubles_go(tmp_path: Path) -> None:
    found = expand(tmp_path, SMALL)
    assert len(found) == 9 * 2 * 2  # seven controls
    again = expand(tmp_path, SMALL.replace("own, city", "city + year, year + city, city"))
    assert {one.id for one in again} == {one.id for one in found}


def test_ids_are_those_of_the_content(tmp_path: Path) -> None:
    (one,) = expand(tmp_path, "study: productivity")
    (other,) = expand(tmp_path, "study: productivity\nvcov: hetero")
    assert len(one.id) == 16 and one.id != other.id
    assert specifications.declared(studies.load("productivity"), "T3", "4").id == one.id


def test_ids_are_those_of_before_there_were_sizes(tmp_path: Path) -> None:
    """Results of earlier versions keep their names."""
    none, own = expand(tmp_path, "study: productivity\nsize: [0, 1]")
    assert (none.size, own.size) == (0, 1) and specifications.published(own) == "T3/4"
    assert own.id == "33203681db1b91e7" and none.id != own.id and specifications.published(none) == ""


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("[urban, open]", [("open", "urban")]),
        ("[all, [open, fin]]", [("open", "fin", "tec", "urban", "market", "fdi", "gdp"), ("open", "fin")]),
        ("none", [()]),
        ("[[]]", [()]),
    ],
)
def test_controls_are_sets_of_names(text: str, sets: list[tuple[str, ...]], tmp_path: Path) -> None:
    assert [one.controls for one in expand(tmp_path, f"study: productivity\ncontrols: {text}")] == sets


def test_all_subsets_and_what_else_a_column_has(tmp_path: Path) -> None:
    found = expand(tmp_path, "study: innovation\ncolumn: T7/2\ncontrols: all subsets")
    assert len(found) == 2**8
    assert all(one.controls[0] == "profit" for one in found)


def test_sets_share_what_stands_beside_them(tmp_path: Path) -> None:
    text = "vcov: iid\nspecifications:\n- study: productivity\n- {study: resilience, seed: [5, 7-9], vcov: hetero}"
    found = [(one.study, one.seed, one.vcov) for one in expand(tmp_path, text)]
    assert found == [("productivity", 2023, "iid"), *(("resilience", seed, "hetero") for seed in (5, 7, 8, 9))]


def test_a_condition_narrows_the_columns_own_sample(tmp_path: Path) -> None:
    (one,) = expand(tmp_path, "study: resilience\ncolumn: T3/1\nsample: year >= 2012")
    assert one.sample == "(capital == 0) and (year >= 2012)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is empty", "study: innovation"]),
        ("- study", ["holds no keys"]),
        ("study: [", ["cannot be read as YAML"]),
        ("outcome: Npp", ["study: is missing; expected a study"]),
        ("study: inovation", ["study = 'inovation': expected one of coordination"]),
        ("study: innovation\ncontrol: all", ["control: no such key; expected study, source, seed"]),
        ("study: innovation\ncontrols: []", ["controls = []: expected own", "all subsets"]),
        ("study: innovation\nvcov: [1]", ["vcov = [1]: expected published, iid"]),
        ("study: innovation\nvcov: cluster_firm", ["vcov = 'cluster_firm'", "cluster_unit"]),
        ("study: innovation\ncontrols: every", ["controls = 'every': expected own", "each left out"]),
        ("study: innovation\ncontrols: [all, [debtt]]", ["controls = 'debtt'", "did you mean debt"]),
        ("study: innovation\noutcome: inno_totl", ["outcome = 'inno_totl'", "inno_total"]),
        ("study: innovation\ncolumn: T9/1", ["column = 'T9/1': study innovation has T2/1"]),
        ("study: innovation\neffects: firm + yaer", ["effects = 'firm + yaer'", "'yaer'", "year"]),
        ("study: innovation\nseed: 9-7", ["seed = '9-7'", "1001-1200"]),
        ("study: innovation\nseed: -1", ["seed = -1"]),
        ("study: innovation\nwinsorise: 0.5", ["winsorise = 0.5", "below 0.5"]),
        ("study: innovation\nsize: -1", ["size = -1", "greater than or equal to 0"]),
        ("study: innovation\nsize: big", ["size = 'big': expected true effect as a multiple"]),
        ("study: innovation\nsize: [0, 1]\nscenario: dynamic", ["size = 0", "scenario = 'paper'"]),
        (
            "study: innovation\nsize: 0\noutcome: inno_invent",
            ["size = [0.0] with outcome = 'inno_invent'", "inno_total"],
        ),
        ("study: innovation\nsize: 0\ncolumn: all", ["is not known", "outcome = 'inno_total'"]),
        ("study: innovation\nvcov: iid\nstudy: quality", ["grid.yml, line 3: study: is there already, in line 1"]),
        ("specifications:\n- study: quality\n  vcov: iid\n  vcov: hetero", ["line 4: vcov", "in line 3"]),
        ("study: innovation\nscenario: rosy", ["scenario = 'rosy'", "homogeneous"]),
        ("study: innovation\nsource: licensed", ["no files in data/raw/innovation"]),
        ("study: innovation\nsource: licensed", ["data/raw/innovation"]),
        ("specifications: []", ["specifications: expected a list of sets"]),
        ("specifications: [{study: innovation}, {study: 3}]", ["specifications 2: study = 3"]),
        ("study: innovation\ncontrols: all subsets\nseed: 1-1000", ["256,000 specifications", "100,000", "--yes"]),
    ],
)
def test_what_is_refused_and_with_which_words(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as error:
        expand(tmp_path, text)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


# ----------------------------------------------------------------------------------------------------------- estimates


@pytest.mark.parametrize(
    "text",
    [
        "study: resilience\ncolumn: all",
        "study: productivity\ncolumn: all\nvcov: [iid, hetero, cluster_province]",
        "study: quality\ncolumn: [T3/1, T3/2, T5/2]\nvcov: [iid, cluster_unit]\nsingletons: [keep, drop]",
        "study: resilience\ncontrols: [all, none, each left out]\neffects: [city, none, city + province^year]\n"
        "winsorise: [0, 0.02]\nvcov: [iid, cluster_city]",
    ],
)
def test_estimates_are_those_of_the_single_columns(text: str, tmp_path: Path) -> None:
    found = expand(tmp_path, text)
    rows = sweep.run(found, tmp_path / "out.parquet").set_index("id")
    study = studies.load(found[0].study)
    data = panel.load(study)
    for one in found:
        row, fit = rows.loc[one.id], replicate.column(study, one.column, data, one.vcov)
        expected = fit.coefficients.loc[one.term, NUMBERS].to_numpy(float)
        assert row["error"] == ""
        np.testing.assert_allclose(row[NUMBERS].to_numpy(float), expected, rtol=1e-9, err_msg=one.formula)
        np.testing.assert_allclose(row[NUMBERS[:3]].to_numpy(float), expected[:3], rtol=1e-10, err_msg=one.formula)
        assert row["n_obs"] == fit.n_obs
        assert (row["n_clusters"] == fit.n_clusters) or (fit.n_clusters is None and pd.isna(row["n_clusters"]))
        if one.effects:
            assert row["r2_within"] == pytest.approx(fit.r2_within, abs=1e-12)


def test_published_columns_are_those_of_the_declarations(tmp_path: Path) -> None:
    """Through the declared column itself, not through the specification's own formula."""
    found = expand(tmp_path, "study: resilience\ncolumn: all")
    rows = sweep.run(found, tmp_path / "out.parquet").set_index("published")
    study = studies.load("resilience")
    data = panel.load(study)
    for table in study.tables:
        for column in table.columns:
            name = next(label for label in rows.index if specifications._name(table.id, column.id) in label.split(", "))
            fit = replicate.column(study, column, data)
            assert rows.at[name, "t"] == pytest.approx(fit.coefficients.at[column.term, "t"], rel=1e-9)


@pytest.mark.parametrize("effects", [[], ["a"], ["a", "b"], ["a^b", "c"]])
@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster:a", "cluster:g", "cluster:g+b", "cluster:a+b"])
def test_shared_work_gives_the_same_numbers(effects: list[str], vcov: str) -> None:
    from pilotzones.estimators.regression import regress

    rng = np.random.default_rng(8)
    n = 600
    data = pd.DataFrame({name: rng.integers(0, size, n) for name, size in {"a": 90, "b": 7, "c": 12}.items()})
    data["g"] = data["a"] % 20
    data[["x", "z", "w"]] = rng.normal(size=(n, 3)) * [1, 1e6, 1e-4]
    data["same"] = 2 * data["z"] + data["a"]  # collinear with z given effects of a, nearly so without
    data["y"] = data["x"] + data["z"] / 1e6 + data["g"] / 10 + rng.normal(size=n)
    data.loc[[3, 90, 411], "w"] = np.nan
    sets: list[tuple[str, ...]] = [("x",), ("x", "z"), ("x", "z", "same", "w"), ("w",)]
    equations = [batch.Equation("y", names, vcov) for names in sets]
    assert batch.shareable(data, equations) == [0, 1, 2, 3]
    formula = f" | {' + '.join(effects)}" if effects else ""
    for mask, positions in batch.by_rows(data, equations, effects):
        table = batch.estimate(data[mask], [equations[i] for i in positions], effects, "drop")
        for i, row in zip(positions, table.to_dict("records"), strict=True):
            if "same" in sets[i] and not effects:
                assert np.isnan(row["n_obs"])  # nearly collinear: left to the single regression
                continue
            fit = regress(f"y ~ {' + '.join(sets[i])}{formula}", data, vcov, singletons="drop")
            expected = fit.coefficients.loc[sets[i][0]]
            np.testing.assert_allclose([row[name] for name in NUMBERS], expected[NUMBERS], rtol=1e-9)
            assert row["n_obs"] == fit.n_obs


def test_what_cannot_be_shared_is_left_out() -> None:
    data = pd.DataFrame({"y": [1.0, 2, 3, 5], "x": [1.0, 0, 1, 0], "k": 2.0, "i": [np.inf, 1, 2, 3], "s": list("aabb")})
    sets = [("y", "x"), ("y", "i"), ("y", "s"), ("y", "absent"), ("y", "y"), ("k", "x")]
    equations = [batch.Equation(outcome, (x,), "iid") for outcome, x in sets]
    assert batch.shareable(data, equations) == [0, 5]
    assert batch.shareable(data, [batch.Equation("y", ("x",), "dyadic:s+x")]) == []
    table = batch.estimate(data, [equations[0], equations[5], batch.Equation("y", ("k",), "iid")], [])
    assert table["n_obs"].notna().tolist() == [True, False, False]  # a constant outcome, a constant regressor


def test_a_specification_that_cannot_be_estimated_is_a_row(tmp_path: Path) -> None:
    text = """
    specifications:
    - {study: resilience}
    - {study: resilience, sample: nowhere > 3}
    - {study: resilience, sample: year > 2100}
    - {study: resilience, controls: [capital], column: T3/1, outcome: capital}
    - {study: quality, scenario: homogeneous}
    """
    rows = sweep.run(expand(tmp_path, text), tmp_path / "out.parquet")
    errors = sorted(rows["error"])
    assert len(errors) == 5 and errors[0] == ""
    assert any("sample 'nowhere > 3'" in error and "nowhere" in error for error in errors)
    assert any("year > 2100" in error and "no row" in error for error in errors)
    assert any("capital" in error for error in errors)
    assert rows.loc[rows["error"] != "", "estimate"].isna().all()
    assert rows.loc[rows["error"] == "", "estimate"].notna().all()


def test_the_effect_has_the_size_that_is_asked_for(tmp_path: Path) -> None:
    found = expand(tmp_path, "study: resilience\nsize: [0, 1, 2.5]\nvcov: [iid, hetero]")
    assert len(sweep.groups(found)) == 1
    rows = sweep.run(found, tmp_path / "out.parquet").set_index(["size", "vcov"])
    study = studies.load("resilience")
    data, column = panel.load(study), study.table(study.benchmark[0]).column(study.benchmark[1])
    for (size, vcov), row in rows.iterrows():
        world = data.assign(**{study.outcome: data[study.outcome] + (size - 1) * data[panel.TRUTH]})
        expected = replicate.column(study, column, world, vcov).coefficients.loc[study.treatment, NUMBERS]
        np.testing.assert_allclose(row[NUMBERS].to_numpy(float), expected.to_numpy(float), rtol=1e-9)
    assert (rows["published"] != "").groupby("size").all().to_dict() == {0.0: False, 1.0: False, 2.5: False}


def test_the_file_tells_versions_and_panel(tmp_path: Path) -> None:
    sweep.run(expand(tmp_path, "study: productivity"), tmp_path / "out.parquet")
    words = pq.read_schema(tmp_path / "out.parquet").metadata[b"pilotzones"].decode()
    assert all(word in words for word in ("numpy", "pyfixest", "library", "productivity-synthetic-2023-paper"))


# ----------------------------------------------------------------------------------------------------- runs and resumes


class Killed(Exception):
    """Stands for a kill between two groups."""


def cut_short(after: int, todo: Sequence[sweep.Group]) -> Iterator[tuple[sweep.Group, pa.Table]]:
    for count, found in enumerate(sweep.here(todo)):
        if count == after:
            raise Killed
        yield found


def counted(seen: list[str], todo: Sequence[sweep.Group]) -> Iterator[tuple[sweep.Group, pa.Table]]:
    for group, table in sweep.here(reversed(todo)):  # type: ignore[arg-type]
        seen += [one.id for one in group.specifications]
        yield group, table


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "GROUP", 4)


@pytest.mark.usefixtures("small_groups")
def test_a_run_resumes_and_gives_the_same_bytes(tmp_path: Path) -> None:
    found = expand(tmp_path, SMALL)
    sweep.run(found, tmp_path / "whole.parquet")
    with pytest.raises(Killed):
        sweep.run(found, tmp_path / "out.parquet", partial(cut_short, 3))
    assert not (tmp_path / "out.parquet").exists()
    parts = list((tmp_path / "out.parts").glob("*.parquet"))
    kept = {one for part in parts for one in pq.read_table(part)["id"].to_pylist()}
    assert len(parts) == 3 and len(kept) == 12
    seen: list[str] = []
    sweep.run(list(reversed(found)), tmp_path / "out.parquet", partial(counted, seen))
    assert not kept & set(seen)
    assert kept | set(seen) == {one.id for one in found} and len(seen) == len(found) - len(kept)
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert not (tmp_path / "out.parts").exists()


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_a_damaged_part_is_done_again_with_a_warning(damage: str, tmp_path: Path) -> None:
    found = expand(tmp_path, SMALL)
    sweep.run(found, tmp_path / "whole.parquet")
    with pytest.raises(Killed):
        sweep.run(found, tmp_path / "out.parquet", partial(cut_short, 3))
    first, second, _ = sorted((tmp_path / "out.parts").glob("*.parquet"))
    content = bytearray(first.read_bytes())
    if damage == "flipped":
        content[len(content) // 4] ^= 255
    first.write_bytes({"cut": content[:-100], "flipped": content, "other": second.read_bytes()}[damage])
    seen: list[str] = []
    with pytest.warns(UserWarning, match=f"{first.name}: is damaged; its 4 specifications are done again"):
        sweep.run(found, tmp_path / "out.parquet", partial(counted, seen))
    assert len(seen) == len(found) - 8
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.usefixtures("small_groups")
def test_parts_of_another_version_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = expand(tmp_path, SMALL)
    with pytest.raises(Killed):
        sweep.run(found, tmp_path / "out.parquet", partial(cut_short, 3))
    monkeypatch.setattr(sweep, "fingerprint", lambda: "1" * 64)
    seen: list[str] = []
    with pytest.warns(UserWarning, match=r"out\.parts: 3 finished parts are of another version"):
        sweep.run(found, tmp_path / "out.parquet", partial(counted, seen))
    assert len(seen) == len(found) and not (tmp_path / "out.parts").exists()


@pytest.mark.usefixtures("small_groups")
def test_a_full_disk_stops_the_run_and_keeps_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = expand(tmp_path, SMALL)
    written: list[Path] = []

    def full(table: pa.Table, path: Path) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        pq.write_table(table, path)

    with monkeypatch.context() as patch, pytest.raises(DataError) as error:
        patch.setattr(sweep, "_write", full)
        sweep.run(found, tmp_path / "out.parquet")
    assert "No space left on device" in str(error.value)
    assert "8 of 36 specifications are kept" in str(error.value)
    seen: list[str] = []
    sweep.run(found, tmp_path / "out.parquet", partial(counted, seen))
    assert len(seen) == 28


def test_results_are_not_overwritten(tmp_path: Path) -> None:
    found = expand(tmp_path, "study: productivity\nvcov: [iid, hetero]")
    output = tmp_path / "out.parquet"
    rows = sweep.run(found, output)
    before = output.stat().st_mtime_ns
    pd.testing.assert_frame_equal(sweep.run(found, output), rows)
    assert output.stat().st_mtime_ns == before
    with pytest.raises(ParameterError, match=r"out\.parquet': is there already and holds something else"):
        sweep.run(found[:1], output)
    output.write_text("my notes")
    with pytest.raises(ParameterError, match="is there already"):
        sweep.run(found, output)
    assert output.read_text() == "my notes"
    with pytest.raises(ParameterError, match="no specification"):
        sweep.run([], tmp_path / "none.parquet")


def test_pages_are_chosen_by_number_or_id() -> None:
    rows = pd.DataFrame({"id": list("abcde"), "estimate": [5.0, 1, 4, 2, np.nan], "error": ["", "", "", "", "no row"]})
    assert sweep.chosen(rows, ["all"]) == ["b", "d", "c", "a"]
    assert sweep.chosen(rows, ["2"]) == ["b", "a"]
    assert sweep.chosen(rows, ["c", "a"]) == ["c", "a"]
    with pytest.raises(ParameterError, match="pages = 'e'"):
        sweep.chosen(rows, ["e"])


def test_a_worker_with_another_version_is_refused(tmp_path: Path) -> None:
    (group,) = sweep.groups(expand(tmp_path, "study: productivity"))
    with pytest.raises(PilotZonesError, match="another version"):
        sweep.estimate(group, "0" * 64)
