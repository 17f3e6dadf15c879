"""The tables that city studies and composite indices add to the section pages: identities and known truths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from IPython.display import Markdown

from pilotzones import (
    describe,
    heterogeneity,
    indices,
    ledger,
    measured,
    mechanisms,
    notebooks,
    panel,
    replicate,
    report,
    robustness,
    space,
    studies,
)
from pilotzones.declare import Column, Index, Study
from pilotzones.errors import DataError
from pilotzones.estimators.instruments import with_other_instruments
from pilotzones.estimators.regression import regress
from pilotzones.measures import composite


@pytest.fixture(scope="module")
def study() -> Study:
    return studies.load("resilience")


@pytest.fixture(scope="module")
def data(study: Study) -> pd.DataFrame:
    return panel.load(study)


@pytest.fixture(scope="module")
def index(study: Study) -> Index:
    return study.indices[0]


@pytest.fixture(scope="module")
def instrumented(study: Study) -> Column:
    column = next(iter(robustness.instrumented(study.tables).values()))
    return column


def benchmark(study: Study, data: pd.DataFrame) -> pd.Series:
    return replicate.benchmark(study, data).coefficients.loc[study.treatment]


# ------------------------------------------------------------------------------------------------------------ indices


def test_every_way_to_build_the_index_starts_from_the_one_of_the_panel(
    study: Study, data: pd.DataFrame, index: Index
) -> None:
    reference = data["treat_post"] == 0
    for variants in (
        indices.weightings(index, data), indices.pooling(index, data), indices.fixed(index, data, reference)
    ):  # fmt: skip
        first = next(iter(variants.values()))
        assert np.allclose(first, data[index.name], atol=1e-12, equal_nan=True)
        table = measured.compare_indices(study, index, data, variants, "published")
        assert table["rank correlation"].iloc[0] == 1
        own = benchmark(study, data)
        assert table["estimate"].iloc[0] == pytest.approx(own["estimate"] / data[index.name].std())
        assert table["t"].iloc[0] == pytest.approx(own["t"])


def test_an_index_without_an_indicator_is_that_of_an_index_declared_without_it(
    data: pd.DataFrame, index: Index
) -> None:
    left_out = indices.without_each(index, data)
    assert list(left_out) == list(index.indicators)
    for name in ("patents", "trade"):
        rest = {column: label for column, label in index.indicators.items() if column != name}
        smaller = replace(index, indicators=rest, negative=tuple(n for n in index.negative if n != name))
        complete = data[left_out[name].notna()]  # the same rows: the indicator left out has no gap of its own
        assert np.allclose(indices.values(smaller, complete), left_out.loc[complete.index, name], atol=1e-12)


def test_weights_by_year_use_the_year_alone(data: pd.DataFrame, index: Index) -> None:
    by_year = indices.pooling(index, data)["weights, minimum and maximum by year"]
    one = data[data["year"] == 2015]
    assert np.allclose(by_year[one.index], indices.values(index, one), equal_nan=True)


def test_a_shift_changes_the_weights_and_no_shift_does_not(data: pd.DataFrame, index: Index) -> None:
    weights = indices.shifted(index, data, (0.0, 0.1))
    assert np.allclose(weights[0.0], indices.weights(index, data))
    assert abs(weights[0.1] - weights[0.0]).max() > 0.01
    assert weights[0.1].max() < weights[0.0].max()  # what is added to all makes them more alike


def test_printed_weights_sum_to_one_and_two_can_be_exchanged(study: Study, index: Index) -> None:
    printed, exchanged = indices.printed(study, index), indices.printed(study, index, exchange=True)
    assert printed.sum() == pytest.approx(1) and exchanged.sum() == pytest.approx(1)
    moved = printed.index[printed != exchanged]
    assert set(moved) == {"savings", "unemployed"}
    assert printed["savings"] == exchanged["unemployed"]


def test_the_yardstick_of_rows_without_a_zone_does_not_hear_of_the_reform(data: pd.DataFrame, index: Index) -> None:
    reference = data["treat_post"] == 0
    raised = data.assign(patents=data["patents"].where(reference, data["patents"] * 10))
    raised[index.name] = indices.values(index, raised)
    before, after = (indices.fixed(index, frame, reference) for frame in (data, raised))
    label = "... and the ideal points"
    assert np.allclose(before[label][reference], after[label][reference], equal_nan=True)
    own = "all rows (the paper's)"
    assert after[own][reference].mean() < before[own][reference].mean()


def test_weight_table_and_extremes_have_a_row_per_indicator(study: Study, data: pd.DataFrame, index: Index) -> None:
    table = measured.weight_table(study, index, data, "synthetic")
    assert table["weight"].sum() == pytest.approx(1)
    assert table.index[table["sign"] == "-"].tolist() == ["unemployed", "trade"]
    assert np.allclose(table["difference"], table["weight"] - table["printed"])
    extremes = measured.extremes(index, data)
    assert extremes.index.tolist() == [*index.indicators]
    assert extremes["row"].str.fullmatch(r".+ 20\d\d").all()


def test_examples_run_from_the_highest_index_to_the_lowest(data: pd.DataFrame, index: Index) -> None:
    chosen = data.loc[indices.examples(index, data, 2014)]
    year = data.loc[data["year"] == 2014, index.name]
    assert chosen[index.name].is_monotonic_decreasing
    assert (chosen[index.name].iloc[0], chosen[index.name].iloc[-1]) == (year.max(), year.min())


# --------------------------------------------------------------------------------------------------------- robustness


@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster_city"])
@pytest.mark.parametrize("key", ["resilience", "innovation"])
def test_the_real_instruments_give_the_real_result(key: str, vcov: str) -> None:
    study = studies.load(key)
    data = panel.load(study)
    data = data[data[study.unit] % 5 == 0] if study.unit == "firm" else data
    column = next(iter(robustness.instrumented(study.tables).values()))
    known = replicate.identification(study, column, data, vcov)
    cells = pd.Series(data.index, data.index)
    kind = replicate.errors(study, vcov)
    found = with_other_instruments(
        study.expand(column.formula), data, cells, [data[[*known.instruments]]], [kind],
        singletons=column.singletons or study.singletons,
    )[kind].loc[0]  # fmt: skip
    second = known.second_stage.coefficients.loc[study.treatment]
    assert found["F"] == pytest.approx(known.tests.at["First-stage F", "statistic"], rel=1e-8)
    assert found["estimate"] == pytest.approx(second["estimate"], rel=1e-8)
    assert found["se"] == pytest.approx(second["se"], rel=1e-8)


def test_a_factor_that_all_cities_share_cannot_be_exchanged(
    study: Study, data: pd.DataFrame, instrumented: Column
) -> None:
    other_factor = data["treat_post"] + 0.1 * ((data["city"] * data["year"]) % 7)
    same = data.assign(light=2.0, light_post=2.0 * other_factor)
    known = replicate.identification(study, instrumented, same, "cluster_city")
    fake = robustness.placebo_instruments(study, instrumented, same, draws=3, seed=1, vcov="cluster_city")
    drawn = fake["the paper's factor", "cluster:city"]
    assert np.allclose(drawn["F"], known.tests.at["First-stage F", "statistic"], rtol=1e-8)
    # one light for all leaves nothing of light x a national series beside year effects
    assert fake["a national series", "cluster:city"]["F"].isna().all()


def test_noise_times_treatment_is_strong_and_noise_times_a_national_series_is_not(
    study: Study, data: pd.DataFrame, instrumented: Column
) -> None:
    fake = robustness.placebo_instruments(study, instrumented, data, draws=60, seed=1, vcov="published")
    summary = robustness.placebo_instruments_summary(fake)
    share = summary["share F > 10"]
    assert share["the paper's factor, cluster:city"] > 0.75
    assert share["a national series, cluster:city"] < 0.15
    # 2SLS with such an instrument gives least squares back
    estimates = fake["the paper's factor", "cluster:city"]["estimate"]
    own = benchmark(study, data)
    assert abs(estimates.median() - own["estimate"]) < 3 * own["se"]


def test_permuted_instruments_are_deterministic_and_refuse_zeros(
    study: Study, data: pd.DataFrame, instrumented: Column
) -> None:
    one, two = (
        robustness.placebo_instruments(study, instrumented, frame, 2, 1, "published")
        for frame in (data, data.sample(frac=1, random_state=0))
    )
    label = ("the paper's factor", "cluster:city")
    assert np.allclose(one[label]["F"], two[label]["F"])
    dark = data.assign(light=data["light"].where(data["city"] != 110000, 0.0))
    with pytest.raises(DataError, match="'light' is 0 in row"):
        robustness.placebo_instruments(study, instrumented, dark, 2, 1, "published")


def test_policies_are_counted_from_the_panel(study: Study, data: pd.DataFrame) -> None:
    table = robustness.policy_overlap(study, data)
    assert table.index.tolist() == study.regressors("policies")
    when = table[["before the zone", "same year", "after"]].sum(axis=1)
    assert (when == table["treated cities"]).all()
    has = data.loc[data["bci"] == 1, "city"].nunique()
    assert table.at["bci", "treated cities"] + table.at["bci", "other cities"] == has
    # the treatment beside itself: perfect overlap
    twin = robustness.policy_overlap(study, data.assign(bci=data["treat_post"])).loc["bci"]
    assert (
        twin["within"] == pytest.approx(1) and twin["same year"] == data["cohort"].groupby(data["city"]).first().count()
    )


def test_no_policy_is_the_benchmark_and_all_are_the_column_of_the_paper(study: Study, data: pd.DataFrame) -> None:
    table = robustness.policy_estimates(study, data, "published")
    assert table.at["none", "estimate"] == pytest.approx(benchmark(study, data)["estimate"])
    paper = replicate.column(study, study.table("T3").column("3"), data).coefficients
    assert table.at["all", "estimate"] == pytest.approx(paper.at["treat_post", "estimate"])
    assert table.at["all", "cftzs itself"] == pytest.approx(paper.at["cftzs", "estimate"])


def test_winsorising_nothing_changes_nothing_and_one_percent_of_all_is_the_column_of_the_paper(
    study: Study, data: pd.DataFrame, index: Index
) -> None:
    table = robustness.winsorising(study, index, data, "published", (0.0, 0.01))
    assert np.allclose(table.loc["0.0%"].xs("estimate", level=1), benchmark(study, data)["estimate"])
    paper = replicate.column(study, study.table("T3").column("2"), data).coefficients.at["treat_post", "estimate"]
    assert table.at["1.0%", ("all variables of the regression", "estimate")] == pytest.approx(paper)


# ------------------------------------------------------------------------------------------- heterogeneity, mechanisms


def test_all_subsamples_have_an_estimate(study: Study, data: pd.DataFrame) -> None:
    tables = study.section_tables("05_heterogeneity")
    table = heterogeneity.estimates(study, tables, data, "published")
    assert table.index.tolist() == [column.label for column in study.table("T5").columns]
    own = replicate.column(study, study.table("T5").column("4"), data).coefficients.at["treat_post", "estimate"]
    assert table.at["batches 1-2", "estimate"] == own


def test_groups_with_shared_controls_equal_one_regression_by_hand(study: Study, data: pd.DataFrame) -> None:
    tables = study.section_tables("05_heterogeneity")
    found = heterogeneity.differences(study, tables, data, "published", draws=0, seed=1)
    batches = found[found.index.str.startswith("T5")].set_index("test")
    estimates = heterogeneity.estimates(study, tables, data, "published")["estimate"].astype(float)
    apart = estimates["batches 1-2"] - estimates["batches 3-4"]
    assert batches.at["independent", "difference"] == pytest.approx(apart)
    assert batches.at["interacted", "difference"] == pytest.approx(apart)

    union = data[data["batch"] != 5]
    by_hand = regress(
        f"Resil ~ treat_post + late + {study.blocks['controls']} | city + year",
        union.assign(late=union["treat_post"] * union["batch"].isin([3, 4])), "cluster:city",
    )  # fmt: skip
    row = by_hand.coefficients.loc["late"]
    assert batches.at["one regression", "difference"] == pytest.approx(-row["estimate"], rel=1e-8)
    assert batches.at["one regression", "se"] == pytest.approx(row["se"], rel=1e-8)
    assert batches.at["one regression", "p"] == pytest.approx(row["p"], rel=1e-6)
    assert "one regression, event years up to 4" in batches.index


def test_a_mediator_that_is_the_whole_index_carries_all_of_the_effect(
    study: Study, data: pd.DataFrame, index: Index
) -> None:
    without = indices.without_each(index, data)["patents"]
    declared = replace(study, mediators=(("rest", index.name),))
    table = mechanisms.without_indicators(declared, index, data.assign(rest=without))
    assert table.index.tolist() == ["none", *index.indicators]
    assert table.at["patents", "rest"] == pytest.approx(1)


def test_the_indirect_share_is_that_of_the_mediation_model(study: Study, data: pd.DataFrame, index: Index) -> None:
    shares = mechanisms.without_indicators(study, index, data).loc["none"]
    models = mechanisms.models(study, data, draws=100, seed=1)
    for mediator, outcome in study.mediators:
        share = models[f"{mediator} to {outcome}"].effects.at["proportion", "estimate"]
        assert shares[mediator] == pytest.approx(share)


# -------------------------------------------------------------------------------------------------- tables of a page


def test_a_page_without_printed_numbers_says_so(study: Study, data: pd.DataFrame) -> None:
    for section in ("01_data", "07_spatial"):
        rows = ledger.build(study, data, "synthetic", 2023, section=section)
        assert rows.empty and list(rows) == ledger.COLUMNS
        assert isinstance(report.ledger_table(rows, "rows"), Markdown)
    assert isinstance(report.view(pd.DataFrame(), "caption", empty="Nothing."), Markdown)


def test_claims_that_need_a_check_are_judged_on_the_page_of_their_figure(study: Study, data: pd.DataFrame) -> None:
    rows = ledger.build(study, data, "synthetic", 2023, section="03_baseline").set_index("term")
    assert set(rows.loc[["H03", "H04"], "verdict"]) <= {"holds", "fails"}


def test_tables_show_the_decimals_of_the_paper_and_its_constant(study: Study, data: pd.DataFrame) -> None:
    assert report.digits(study) == 4 and report.digits(studies.load("innovation")) == 3
    table = study.table("T2")
    fits = {column.id: replicate.column(study, column, data) for column in table.columns}
    shown = report.regression_table(study, table, fits, "published", "synthetic").frame
    first = shown["(1) resilience"]
    assert first.loc["Constant", "printed"] == "0.0786***"
    own = fits["1"].coefficients.at["_cons", "estimate"]
    assert first.loc["Constant", "here"].startswith(f"{own:.4f}")
    assert shown.index.get_loc("Constant") > shown.index.get_loc("fdi")


def test_descriptives_stand_in_where_the_paper_prints_none(study: Study, data: pd.DataFrame) -> None:
    table = describe.described(study, data)
    assert table.index[0] == "Resil" and {"fdi", "light_post", "employment"} <= set(table.index)
    assert not any(name.startswith("zone_") for name in table.index)
    assert table.at["Resil", "n_obs"] == 3677
    assert list(describe.steps(study, data, ["fdi"]))[:2] == ["rows", "cities"]


def test_cities_as_units_are_one_kind_of_cluster(study: Study, data: pd.DataFrame) -> None:
    errors = space.conley_errors(study, data)
    assert errors.index[:3].tolist() == ["iid", "cluster_city", "cluster_province"]


def test_the_index_of_the_paper_is_a_closeness(data: pd.DataFrame, index: Index) -> None:
    scaled = indices.standardised(index, data)
    weight = composite.entropy(scaled)["weight"]
    assert np.allclose(data[index.name], composite.topsis(scaled, weight)["closeness"], equal_nan=True)


@pytest.mark.parametrize("section", notebooks.sections())
def test_cells_for_some_studies_are_harmless_for_the_others(section: str) -> None:
    """papermill runs all cells of a notebook, also those that the book drops for a study."""
    for cell in notebooks.read(section).cells:
        tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith("needs-")]
        if cell.cell_type == "code" and tags and not cell.source.startswith("report.note("):
            assert cell.source.startswith("if "), cell.source.split("\n")[0]
