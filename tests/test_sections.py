"""The tables behind the section pages: identities that hold whatever the data, and truths that they must recover."""

from __future__ import annotations

import nbformat
import numpy as np
import pandas as pd
import pytest

from pilotzones import (
    discrepancy,
    heterogeneity,
    mechanisms,
    notebooks,
    panel,
    replicate,
    robustness,
    space,
    studies,
    truth,
)
from pilotzones.declare import Column, Study
from pilotzones.errors import ParameterError


@pytest.fixture(scope="module")
def study() -> Study:
    return studies.load("innovation")


@pytest.fixture(scope="module")
def data(study: Study) -> pd.DataFrame:
    return panel.load(study)


def homogeneous(data: pd.DataFrame, size: float) -> pd.DataFrame:
    """Return the panel with every true effect replaced by one constant."""
    return data.assign(inno_total=data["inno_total"] - data["true_effect"] + size * data["treat_post"])


def test_the_declared_reading_is_among_the_readings(study: Study, data: pd.DataFrame) -> None:
    found = discrepancy.readings(study, "T2", "3", data, "estimate")
    own = replicate.benchmark(study, data).coefficients.at["treat_post", "estimate"]
    assert (found["value"] - own).abs().min() < 1e-12
    assert found["distance"].is_monotonic_increasing
    assert (found["printed"] == 0.068).all()


def test_the_finder_explains_the_rows_lost_between_the_iv_stages(study: Study, data: pd.DataFrame) -> None:
    best = discrepancy.readings(study, "T4", "2", data, "n_obs").iloc[0]
    assert (best["value"], best["singletons"]) == (26540, "drop")


@pytest.mark.parametrize(("statistic", "term"), [("median", "treat_post"), ("estimate", "kn")])
def test_the_finder_refuses_what_is_not_printed(study: Study, data: pd.DataFrame, statistic: str, term: str) -> None:
    with pytest.raises(ParameterError, match=f"{statistic}"):
        discrepancy.readings(study, "T2", "3", data, statistic, term)


def test_a_lead_beside_the_treatment_is_a_reading_of_the_placebo_date(study: Study, data: pd.DataFrame) -> None:
    found = discrepancy.readings(study, "T3", "1", data, "se", "treat_post_lead1")
    assert set(found["regressors"]) == {"as declared", "beside the treatment"}


def test_matching_variants_are_readings_of_a_matched_column(study: Study, data: pd.DataFrame) -> None:
    found = discrepancy.readings(study, "T4", "3", data, "n_obs")
    assert found["sample"].str.contains("without replacement").any()
    assert found["sample"].str.startswith("ever-treated").any()


def test_a_base_year_is_zero_in_its_own_reading(study: Study, data: pd.DataFrame) -> None:
    table = discrepancy.bases(study, study.figures[0], data, "iid")
    assert all(table.at[year, f"base {year}, ends binned"] == 0 for year in range(-4, 0))
    shift = table["base -1, ends binned"] - table["base -2, ends binned"]
    assert np.ptp(shift) < 1e-8


def test_splitting_by_the_outcome_hides_a_known_effect_and_a_predetermined_split_does_not(
    study: Study, data: pd.DataFrame
) -> None:
    halves = heterogeneity.split_by_outcome(study, homogeneous(data, 0.5), "cluster_unit")
    by_outcome = halves.filter(like="outcome of the row", axis=0)
    predetermined = halves.filter(like="first outcome", axis=0)
    assert (by_outcome["estimate"] + 2 * by_outcome["se"] < 0.5).all()
    assert ((predetermined["estimate"] - 0.5).abs() < 3 * predetermined["se"]).all()


def test_differences_cover_every_split_and_agree_with_the_estimates(study: Study, data: pd.DataFrame) -> None:
    tables = study.section_tables("05_heterogeneity")
    found = heterogeneity.differences(study, tables, data, "cluster_unit", draws=0, seed=1)
    assert set(found.index) == {"size_group", "innovation_group", "digital_group", "fiscal_group"}
    groups = heterogeneity.estimates(study, tables, data, "cluster_unit")["estimate"].astype(float)
    digital = found.loc["digital_group"].query("test == 'independent'").iloc[0]
    assert digital["difference"] == pytest.approx(groups["high digital"] - groups["low digital"])


def test_the_fall_of_the_coefficient_on_the_same_rows_is_the_indirect_effect(study: Study, data: pd.DataFrame) -> None:
    found = mechanisms.models(study, data, draws=100, seed=1)
    assert len(found) == len(study.mediators)
    fall = mechanisms.fall_of_the_coefficient(study, found, data)["fall on the same rows"]
    indirect = [model.effects.at["indirect", "estimate"] for model in found.values()]
    assert np.allclose(fall.astype(float), indirect, atol=1e-10)


def test_a_dummy_for_neighbours_gives_a_switched_on_spillover_back(study: Study, data: pd.DataFrame) -> None:
    table = space.spillover_bias(study, data, (0.0, 0.1, 0.2), radius=150)
    assert table["benchmark"].is_monotonic_decreasing
    assert np.ptp(table["with a dummy for neighbours"]) < 1e-10
    assert np.allclose(np.diff(table["the dummy"]), 0.1)


def test_joint_tests_and_conley_errors_exist_for_every_kind_of_error(study: Study, data: pd.DataFrame) -> None:
    fit = replicate.column(study, study.table("F3").columns[0], data)
    assert list(space.bands(fit).index) == list(range(50, 501, 50))
    tests = space.joint_tests(study, fit)
    assert tests["df1"].eq(10).all() and tests["p"].between(0, 1).all()
    errors = space.conley_errors(study, data)
    assert errors["estimate"].nunique() == 1 and errors["se"].gt(0).all()


def test_placebo_of_a_true_null_is_centred_and_its_summary_says_so(study: Study, data: pd.DataFrame) -> None:
    fake = robustness.placebos(study, homogeneous(data, 0.0), draws=200, seed=1, vcov="published")
    summary = robustness.placebo_summary(fake, replicate.benchmark(study, data), "treat_post").astype(float)
    assert summary["mean t"].abs().lt(0.35).all()
    assert summary["randomisation p"].between(1 / 201, 1).all()


def test_the_declared_matching_is_among_the_choices(study: Study, data: pd.DataFrame) -> None:
    column = robustness.matching_column(study.section_tables("04_robustness"))
    declared = replicate.column(study, column, data)
    choices = robustness.matching_choices(study, study.table("T4"), column, data)
    own = choices.loc["nearest control, with replacement; once"]
    assert own["estimate"] == declared.coefficients.at["treat_post", "estimate"]
    assert own["observations"] == declared.n_obs


def test_instruments_look_weaker_when_cities_are_clusters(study: Study, data: pd.DataFrame) -> None:
    column = next(iter(robustness.instrumented(study.section_tables("04_robustness")).values()))
    strength = robustness.strength(study, column, data)["first-stage F (Kleibergen-Paap)"].astype(float)
    assert strength["cluster_city"] < strength["iid"] / 10


def test_closest_readings_cover_the_inconsistent_cells_of_the_section(study: Study, data: pd.DataFrame) -> None:
    found = robustness.closest_readings(study, study.section_tables("06_mechanisms"), data)
    assert found.index.unique().tolist() == ["T7 (2) n_obs"]


def test_estimands_and_weights_of_a_homogeneous_effect(study: Study, data: pd.DataFrame) -> None:
    constant = data.assign(true_effect=0.25 * data["treat_post"])
    table = study.table("T2")
    fits = {column.id: replicate.column(study, column, constant) for column in table.columns}
    shown = truth.against_estimates(study, table, fits, constant)
    for row in ("estimand of the regression", "ATT, all treated rows", "ATT, identified rows"):
        assert np.allclose(shown.loc[row].astype(float), 0.25)
    assert truth.weights(study, fits["3"], constant)["total weight"].sum() == pytest.approx(1)


def test_municipalities_do_not_identify_the_benchmark(study: Study, data: pd.DataFrame) -> None:
    identified = replicate.benchmark(study, data).identifies("treat_post")
    municipal = data.loc[identified.index, "province"].isin([110000, 120000, 310000, 500000])
    assert not identified[municipal].any()
    assert identified[~municipal].any()


def test_columns_know_what_cuts_their_sample() -> None:
    assert Column("1", "y ~ x", sample="size == 'small'").group == "size"
    assert Column("1", "y ~ x", sample="batch not in [3, 4]").group == ""
    assert Column("1", "y ~ x | firm | d ~ z").instrumented
    assert not Column("1", "y ~ x | firm").instrumented


def test_cells_that_a_study_has_no_use_for_are_dropped() -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("1", metadata={"tags": tags})
            for tags in ([], ["needs-matching"], ["hide-input", "needs-light"], ["needs-patents"])
        ]
    )
    notebooks.fit_to(notebook, "innovation")
    assert [cell.metadata.get("tags", []) for cell in notebook.cells] == [[], ["needs-matching"], ["needs-patents"]]


def test_cells_that_stay_do_not_ask_what_is_known() -> None:
    guarded = 'if "matching" in declared.features:\n    pairs = 1\n    display(pairs)'
    asking = 'if "placebo" in declared.features:\n    draws = 1'
    tags = {"tags": ["needs-matching"]}
    cells = [nbformat.v4.new_code_cell(source, metadata=tags) for source in (guarded, asking)]
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell(guarded)])
    notebooks.fit_to(notebook, "innovation")
    assert [cell.source for cell in notebook.cells] == ["pairs = 1\ndisplay(pairs)", asking, guarded]
