"""The multiverse of each study: its choices, its curve, what moves it, and the permutation test of the whole."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pilotzones import licensed, multiverse, panel, parameters, replicate, specifications, studies, sweep
from pilotzones.declare import Study
from pilotzones.errors import DataError, ParameterError
from pilotzones.report import figures_multiverse

SEED = 2023


@pytest.fixture(scope="module")
def study() -> Study:
    return studies.load("productivity")


@pytest.fixture(scope="module")
def data(study: Study) -> pd.DataFrame:
    return panel.load(study)


@pytest.fixture(scope="module")
def every(study: Study) -> pd.DataFrame:
    return multiverse.curve(study, "synthetic", SEED, "published", "iid")


@pytest.fixture(scope="module")
def rows(study: Study, every: pd.DataFrame) -> pd.DataFrame:
    return multiverse.distinct(study, every)


@pytest.mark.parametrize("key", studies.keys())
def test_a_grid_is_what_it_says(key: str) -> None:
    study = studies.load(key)
    found = multiverse.chosen(study, "synthetic", SEED, "published")
    text = multiverse.grid(study).read_text(encoding="utf-8")
    said = re.search(r"= ([\d,]+)[.,]", text)
    assert said and int(said[1].replace(",", "")) == len(found)
    assert 1_000 <= len(found) <= 5_000
    assert specifications.declared(study, *study.benchmark).id in {one.id for one in found}
    lines = text.splitlines()
    options = [i for i, line in enumerate(lines) if line.startswith("  - ")]
    assert all(re.search(r"# \S", lines[i]) or re.match(r"  # \S", lines[i - 1]) for i in options), "a reason for each"


@pytest.mark.parametrize("key", studies.keys())
def test_no_mechanism_is_a_control_and_nothing_is_instrumented(key: str) -> None:
    study = studies.load(key)
    mediators = {mediator for mediator, _ in study.mediators}
    for one in multiverse.chosen(study, "synthetic", SEED, "published"):
        assert not mediators & set(one.controls) and not one.instruments and one.term == study.treatment


def test_estimates_are_those_of_single_regressions(study: Study, data: pd.DataFrame, rows: pd.DataFrame) -> None:
    specs = {one.id: one for one in multiverse.chosen(study, "synthetic", SEED, "published")}
    for line in rows.iloc[:: len(rows) // 6].itertuples():
        fit = replicate.column(study, specs[line.id].column, data, line.vcov)
        expected = fit.coefficients.loc[study.treatment]
        assert [line.estimate, line.se, line.low] == pytest.approx(expected[["estimate", "se", "low"]].tolist())


def test_the_main_column_and_its_aim_are_on_the_curve(study: Study, data: pd.DataFrame, rows: pd.DataFrame) -> None:
    main = multiverse.benchmark(study, rows)
    fit = replicate.benchmark(study, data)
    assert main["estimate"] == pytest.approx(fit.coefficients.at[study.treatment, "estimate"])
    column = study.table(study.benchmark[0]).column(study.benchmark[1])
    assert main["aim"] == pytest.approx(replicate.estimand(study, column, data)[study.treatment])
    assert multiverse.choices(rows)["winsorised"] == ["no", "1%"]


def test_equal_estimates_count_once_and_the_paper_stays() -> None:
    study = studies.load("quality")  # effects of firms and years absorb the age of firms
    every = multiverse.curve(study, "synthetic", SEED, "published")
    rows = multiverse.distinct(study, every)
    gaps = rows.groupby("n_obs")["estimate"].diff().dropna()
    assert len(rows) < len(every) and (gaps > 0).all() and rows["estimate"].is_monotonic_increasing
    assert "age" in multiverse.benchmark(study, rows)["controls"]
    counts = multiverse.counts(study, every, "published")["specifications"]
    assert counts.drop("on this page").sum() == counts["on this page"] == len(rows)


def test_conditions_are_told_from_the_samples_of_columns() -> None:
    study = studies.load("coordination")
    table = multiverse.options(study, multiverse.chosen(study, "synthetic", SEED, "published"))
    assert set(table["rows"]) == {"the paper's", "of text/4", "of text/5", "of text/8"}
    assert {"all", "year <= 2018"} <= set(table["only rows with"]) and table["only rows with"].nunique() == 4
    assert not table.duplicated().any()


def test_a_choice_that_does_everything_explains_everything(rows: pd.DataFrame) -> None:
    made = rows.assign(estimate=(rows["winsorised"] == "no").astype(float))
    shares = multiverse.importance(made)["share of variance"]
    assert shares["winsorised"] == pytest.approx(1) and shares.drop("winsorised").abs().max() < 1e-9
    real = multiverse.importance(rows)["share of variance"]
    assert real.sum() == pytest.approx(1) and (real > -1e-9).all()
    one = multiverse.by_option(rows).loc[("winsorised", "no")]
    own = rows[rows["winsorised"] == "no"]
    assert one["specifications"] == len(own) and one["mean estimate"] == pytest.approx(own["estimate"].mean())


def test_shares_of_signs_add_up(study: Study, every: pd.DataFrame) -> None:
    table = multiverse.significance(study, every)
    assert list(table.index) == ["cluster_city", "iid"]
    assert table.drop(columns="median |t|").sum(axis=1).tolist() == pytest.approx([1, 1])


def test_the_truth_of_each_kind_of_treatment(study: Study, data: pd.DataFrame, rows: pd.DataFrame) -> None:
    treated = data["treat_post"] == 1
    assert multiverse.truth(study, data) == pytest.approx(data.loc[treated, "true_effect"].mean())
    table = multiverse.against_truth(study, data, rows)["value"]
    assert table["standard deviation of the estimates"] == pytest.approx(rows["estimate"].std())
    assert multiverse.against_truth(study, data.drop(columns="true_effect"), rows).empty


def test_permutations_are_about_the_same_estimates(study: Study, data: pd.DataFrame, rows: pd.DataFrame) -> None:
    few = rows.iloc[::40]
    test = multiverse.permuted(study, data, few, "synthetic", SEED, "published", 19)
    assert len(test.actual) + sum(test.left_out.values()) == len(few)
    told = few["sample"].str.contains("batch")  # no value is missing, so that all others have their rows
    assert test.left_out == {"its sample says who got a zone": int(told.sum())}
    assert test.actual["estimate"].to_numpy() == pytest.approx(few.loc[~told, "estimate"].to_numpy())
    assert test.draws.t.shape == (len(test.actual), 19) and np.isfinite(test.draws.t).all()
    again = multiverse.permuted(study, data, few, "synthetic", SEED, "published", 19)
    assert (test.draws.t == again.draws.t).all()
    assert multiverse.tested(test).at["specifications with adjusted p < 0.05", "number"] == 0  # 19 draws: p >= 0.05


def test_the_figure_is_small_and_the_same_twice(rows: pd.DataFrame) -> None:
    found = []
    for _ in range(2):
        buffer = io.BytesIO()
        figure = figures_multiverse.curve_plot(rows, multiverse.choices(rows), 0.02, 0.025, "effect")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        found.append(buffer.getvalue())
    assert found[0] == found[1] and len(found[0]) < 500_000


def test_incomplete_exports_leave_choices_out(
    study: Study, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = data.drop(columns="true_effect").assign(fdi=np.nan)
    exported = exported[exported["year"] < 2020]
    monkeypatch.setattr(licensed, "present", lambda key: True)
    monkeypatch.setattr(panel, "load", lambda *_: exported)
    sweep._panel.cache_clear()
    try:
        every = multiverse.curve(study, "licensed", SEED, "published")
    finally:
        sweep._panel.cache_clear()
    failed = every[every["error"] != ""]
    assert set(failed["error"]) == {"no value of fdi"} and len(failed) == len(every) / 2
    assert failed["controls"].str.contains("fdi").all() and every["aim"].isna().all()
    rows = multiverse.distinct(study, every)
    assert "control fdi" not in multiverse.choices(rows)
    with pytest.raises(DataError, match="main column, T3/4"):
        multiverse.benchmark(study, rows)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("study: productivity\noutcome: [Npp, innovate]", "expected outcomes in one unit"),
        ("study: quality\ncolumn: [T3/2, T3/4]", "expected columns about ret, found ecom"),
    ],
)
def test_estimates_that_do_not_compare_are_refused(
    grid: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = re.search(r"study: (\w+)", grid)[1]  # type: ignore[index]
    (tmp_path / f"{key}.yml").write_text(grid)
    monkeypatch.setattr(multiverse, "GRIDS", tmp_path)
    with pytest.raises(ParameterError, match=message):
        multiverse.chosen(studies.load(key), "synthetic", SEED, "published")


def test_parameters() -> None:
    assert parameters.validate("13_multiverse", {"study": "quality"}).draws == 199
    with pytest.raises(ParameterError, match="draws = 5"):
        parameters.validate("13_multiverse", {"draws": 5})
    with pytest.raises(ParameterError, match="vcov = 'dyadic'"):
        parameters.validate("13_multiverse", {"study": "coordination", "vcov": "dyadic"})
