"""The tables that a study of pairs of cities adds to the section pages: identities, printed counts and known truths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pilotzones import (
    describe,
    discrepancy,
    heterogeneity,
    indices,
    ledger,
    measured,
    notebooks,
    pairs,
    panel,
    parameters,
    replicate,
    report,
    robustness,
    studies,
    truth,
)
from pilotzones.declare import Column, Study
from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators.regression import regress


@pytest.fixture(scope="module")
def study() -> Study:
    return studies.load("coordination")


@pytest.fixture(scope="module")
def data(study: Study) -> pd.DataFrame:
    return panel.load(study)


@pytest.fixture(scope="module")
def few(study: Study, data: pd.DataFrame) -> pd.DataFrame:
    """All pairs of 40 cities with many partners, of which 12 have a zone."""
    cities = pairs.partners(study, data)
    chosen = [*cities.index[cities["zone"] > 0][:12], *cities.index[cities["zone"] == 0][:28]]
    return data[data["city_i"].isin(chosen) & data["city_j"].isin(chosen)]


@pytest.fixture(scope="module")
def small(study: Study, few: pd.DataFrame) -> pd.DataFrame:
    return replicate.benchmark_sample(study, few)


@pytest.fixture(scope="module")
def cities(study: Study, data: pd.DataFrame) -> pd.DataFrame:
    return pairs.holder(study, data, "synthetic", study.seed)


@pytest.fixture(scope="module")
def by_city(study: Study, cities: pd.DataFrame) -> pd.DataFrame:
    return pairs.series(cities, cities[study.indices[0].name])


def benchmark(study: Study, data: pd.DataFrame) -> pd.Series:
    return replicate.benchmark(study, data).coefficients.loc[study.treatment]


# --------------------------------------------------------------------------------------------------- cities and pairs


def test_a_study_is_one_of_pairs_or_of_cities(study: Study) -> None:
    for key in ("innovation", "resilience"):
        other = studies.load(key)
        assert "cities" in other.features and not {"pairs", "tools"} & other.features
        assert pairs.holder(other, frame := pd.DataFrame({"city": [1]}), "synthetic", 1) is frame
    assert {"pairs", "tools", "indices"} <= study.features
    assert not {"cities", "outcome_index", "exchanged_weights", "factors"} & study.features
    assert {"outcome_index", "exchanged_weights", "factors"} <= studies.load("resilience").features


def test_pairs_are_counted_as_the_paper_counts_them(data: pd.DataFrame) -> None:
    table = pairs.construction(data)
    assert table["pairs"].tolist() == [32131, 30646, 15323]
    assert table["with one zone"].tolist()[:2] == [10945, 10945] and table["with two zones"].tolist() == [1485, 0, 0]
    assert table["rows"].iloc[-1] == 153230 and table["cities"].eq(254).all()
    assert table["share"].iloc[-1] == pytest.approx(table["with one zone"].iloc[-1] / 15323)


def test_the_zones_of_cities_explain_the_cohorts_of_pairs(study: Study, data: pd.DataFrame) -> None:
    starts = describe.cohorts(study, data)
    assert starts.value_counts().to_dict() == {2015: 1, 2016: 12, 2018: 21, 2019: 21} and len(starts) == 254
    first = data.drop_duplicates("pair")
    both = np.column_stack([first["city_i"].map(starts), first["city_j"].map(starts)])
    one = np.isfinite(both).sum(axis=1) == 1
    assert np.array_equal(np.nansum(both[one], axis=1), first.loc[one, "cohort"])
    assert first.loc[~one, "cohort"].isna().all()
    # those of a study of cities are its panel's own
    own = pd.DataFrame({"city": [1, 1, 2], "cohort": [2016.0, 2016.0, np.nan]})
    assert describe.cohorts(studies.load("innovation"), own).dropna().to_dict() == {1: 2016.0}


def test_a_column_knows_what_cuts_its_sample_beside_the_sample_of_all() -> None:
    kept = "tie == 'strong' and pair_type != 'both'"
    assert Column("1", "y ~ x", sample=f"{kept} and location == 'both coastal'").group == "location"
    assert Column("1", "y ~ x", sample=kept).group == ""
    assert Column("1", "y ~ x", sample="tie == 'strong' and pair_type != 'one'").group == ""
    assert Column("1", "y ~ x", sample="size == 'small'").group == "size"
    assert Column("1", "y ~ x", sample="batch == 1").group == "batch"


# ---------------------------------------------------------------------------------------------------- synchronisation


def test_the_outcome_is_the_synchronisation_of_the_cities_index(
    study: Study, data: pd.DataFrame, by_city: pd.DataFrame
) -> None:
    sample = replicate.benchmark_sample(study, data)
    assert np.allclose(pairs.synchronised(sample, by_city), sample["Ec_Syn"], atol=1e-9)
    shuffled = sample.sample(frac=0.1, random_state=1)
    assert np.allclose(pairs.synchronised(shuffled, by_city), shuffled["Ec_Syn"], atol=1e-9)


def test_one_pair_step_by_step_ends_at_its_outcome(data: pd.DataFrame, by_city: pd.DataFrame) -> None:
    for pair in pairs.examples(data):
        steps = pairs.example(data, by_city, pair)
        first, second = (steps.iloc[row].to_numpy(float) for row in (0, 2))
        assert steps.loc["synchronisation (rho)"].mean() == pytest.approx(np.corrcoef(first, second)[0, 1])
        own = data.loc[data["pair"] == pair, "Ec_Syn"].to_numpy()
        assert np.allclose(steps.loc["transformed (rho')"].to_numpy(float), own)


def test_examples_are_strongest_of_their_kind_and_weakest_retained(data: pd.DataFrame) -> None:
    first = data.drop_duplicates("pair").set_index("pair")
    *strongest, weakest = pairs.examples(data)
    assert set(first.loc[strongest, "pair_type"]) == {"none", "one", "both"}
    assert first["tie_strength"].max() in set(first.loc[strongest, "tie_strength"])
    assert first.at[weakest, "tie"] == "strong"
    assert " and " in pairs.names(first.loc[[weakest]]).iloc[0]


def test_levels_give_the_benchmark_and_filters_take_the_trend_out(
    study: Study, data: pd.DataFrame, by_city: pd.DataFrame
) -> None:
    table = pairs.effects(study, data, pairs.cycles(by_city), "dyadic")
    own = replicate.benchmark(study, data, "dyadic").coefficients.loc[study.treatment]
    assert table.iloc[0][["estimate", "se"]].tolist() == pytest.approx(own[["estimate", "se"]].tolist())
    assert table["years"].tolist() == [10, 10, 10, 8, 9]
    assert table["mean correlation"].iloc[0] > 0.9
    assert table["mean correlation"].iloc[1:].abs().max() < 0.2


def test_without_printed_weights_the_table_has_none(study: Study, cities: pd.DataFrame) -> None:
    table = measured.weight_table(study, study.indices[0], cities, "synthetic")
    assert "printed" not in table and table["weight"].sum() == pytest.approx(1)
    assert set(indices.weightings(study.indices[0], cities)) >= {"entropy weights, sum", "equal weights, sum"}


# ----------------------------------------------------------------------------------------------------- heterogeneity


def test_the_declared_reading_of_classes_is_the_papers_columns(study: Study, data: pd.DataFrame) -> None:
    table = pairs.classes(study, data, "published")
    book = next(iter(pairs.READINGS))
    assert (table["printed", "pairs"] == table[book, "pairs"]).all()
    for label, number in (("both high", "4"), ("different", "5"), ("both low", "6")):
        own = replicate.column(study, study.table("T2").column(number), data).coefficients.loc[study.treatment]
        row = table.loc[f"human capital, {label}"]
        assert row[book, "estimate"] == pytest.approx(own["estimate"]) and row[book, "se"] == pytest.approx(own["se"])
    for reading in pairs.READINGS:
        assert table[reading, "pairs"].groupby(table.index.map(lambda label: label.split(",")[0])).sum().eq(15323).all()


def test_classes_of_pairs_are_not_permuted_and_differ_by_what_their_columns_differ(
    study: Study, data: pd.DataFrame
) -> None:
    tables = [replace(study.table("T2"), columns=study.table("T2").columns[:3])]
    found = heterogeneity.differences(study, tables, data, "dyadic", draws=50, seed=1)
    assert set(found["test"]) == {"independent", "interacted"} and set(found.index) == {"location"}
    groups = heterogeneity.estimates(study, tables, data, "published")["estimate"].astype(float)
    row = found.query("test == 'interacted' and comparison == 'both inland - mixed'").iloc[0]
    assert row["difference"] == pytest.approx(groups["location: both inland"] - groups["location: mixed"])
    by_pair = heterogeneity.differences(study, tables, data, "published", draws=0, seed=1)
    plain = by_pair.query("test == 'interacted' and comparison == 'both inland - mixed'").iloc[0]
    assert row["se"] > 1.5 * plain["se"]


def test_splits_by_the_outcome_stay_in_the_benchmarks_sample(study: Study, data: pd.DataFrame) -> None:
    found = heterogeneity.split_by_outcome(study, data, "published")
    assert found["observations"].iloc[:2].sum() == 153230


# -------------------------------------------------------------------------------------------------------- mechanisms


def test_the_product_is_the_fall_of_the_coefficient(study: Study, small: pd.DataFrame) -> None:
    table = pairs.products(study, small, draws=100, seed=1)
    total = benchmark(study, small)["estimate"]
    right = study.expand("{controls}")
    for mediator, _ in study.mediators:
        direct = regress(f"Ec_Syn ~ treat_post + {mediator} + {right} | pair + year", small).coefficients
        assert table.at["product ab", mediator] == pytest.approx(total - direct.at["treat_post", "estimate"], abs=1e-10)
        assert table.at["share of the effect", mediator] == pytest.approx(table.at["product ab", mediator] / total)


def test_a_sample_of_cities_is_the_regression_with_copies_of_pairs(study: Study, small: pd.DataFrame) -> None:
    drawn = pairs.resampled(study, small, draws=3, seed=5)
    assert drawn.equals(pairs.resampled(study, small.sample(frac=1, random_state=1), draws=3, seed=5))
    ends = pairs.ends(small.sort_values(["pair", "year"])).to_numpy()
    codes = pd.factorize(ends.T.ravel())[1]
    times = np.random.default_rng(5).multinomial(len(codes), np.full(len(codes), 1 / len(codes)), 3)[1]
    count = pd.Series(times, codes)
    copies = small[["city_i", "city_j"]].apply(lambda side: side.map(count)).prod(axis=1)
    repeated = small.loc[small.index.repeat(copies)]
    repeated = repeated.assign(pair=repeated.groupby(["pair", "year"]).cumcount() * 10**6 + repeated["pair"])
    right = study.expand("{controls} | pair + year")
    a = regress(f"institution ~ treat_post + {right}", repeated).coefficients.at["treat_post", "estimate"]
    b = regress(f"Ec_Syn ~ treat_post + institution + {right}", repeated).coefficients.at["institution", "estimate"]
    assert drawn.at[1, "institution"] == pytest.approx(a * b, rel=1e-6)


def test_tools_stand_alone_and_beside_policy(study: Study, small: pd.DataFrame) -> None:
    table = pairs.tools(study, small, "published")
    assert table.index.tolist() == ["sup_ind", "env_ind", "dem_ind"]
    mean = small.loc[small["treat_post"] == 1, "env_ind"].mean()
    own = benchmark(study, small)["estimate"]
    assert table.at["env_ind", ("policy alone", "over the mean")] == pytest.approx(own / mean)
    both = regress(f"Ec_Syn ~ treat_post + env_ind + {study.expand('{controls}')} | pair + year", small).coefficients
    assert table.at["env_ind", ("both: policy", "estimate")] == pytest.approx(both.at["treat_post", "estimate"])


# ------------------------------------------------------------------------------------------------------- the network


def test_every_pair_gives_two_cities_a_partner(study: Study, data: pd.DataFrame) -> None:
    table = pairs.partners(study, data)
    assert table["partners"].sum() == 2 * 15323 and table["partners"].is_monotonic_decreasing
    assert (table["zone"] > 0).sum() == 55
    assert table.loc[table["zone"] > 0, "partners"].max() <= 199


def test_distances_cover_all_pairs_and_one_class_is_the_benchmark(
    study: Study, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pairs.by_distance(study, data, "published")
    assert table[["possible", "retained"]].sum().tolist() == [30646, 15323]
    assert (table["retained"] / table["possible"]).is_monotonic_decreasing
    monkeypatch.setattr(pairs, "KM", (0, np.inf))
    alone = pairs.by_distance(study, data, "published")
    assert alone["estimate"].tolist() == pytest.approx([benchmark(study, data)["estimate"]])


def test_control_pairs_are_divided_by_the_zones_they_know(study: Study, data: pd.DataFrame) -> None:
    table = pairs.control_pairs(study, data, "published")
    assert table["control pairs"].iloc[0] == table["control pairs"].iloc[1:].sum()
    assert table["estimate"].iloc[0] == pytest.approx(benchmark(study, data)["estimate"])
    assert table["estimate"].isna().equals(table["control pairs"] == 0)


# -------------------------------------------------------------------------------------- robustness, errors, the ledger


def test_instruments_of_pairs_are_judged_under_errors_that_know_cities(study: Study, small: pd.DataFrame) -> None:
    tables = study.section_tables("04_robustness")
    column = next(iter(robustness.instrumented(tables).values()))
    table = robustness.strength(study, column, small)
    first = next(c for c in tables[0].columns if c.formula.startswith("treat_post ~"))
    t = replicate.column(study, first, small, "dyadic").coefficients.at["ivp", "t"]
    assert table.at["dyadic", "first-stage F (Kleibergen-Paap)"] == pytest.approx(t**2, rel=1e-6)
    assert table["2SLS"].astype(float).nunique() == 1
    assert pd.isna(table.at["dyadic", "Anderson-Rubin 95% set"])


def test_matched_samples_are_drawn_from_the_columns_own_rows(study: Study, data: pd.DataFrame) -> None:
    table = study.section_tables("04_robustness")[0]
    column = robustness.matching_column([table])
    rows = data[data["pair"] % 7 == 0]
    declared = replicate.column(study, column, rows)
    found = dict((choices["sample"], fit) for choices, fit in discrepancy.fits(study, table, column, rows))
    own = found["nearest control, with replacement; once"].coefficients
    assert own.at["treat_post", "estimate"] == declared.coefficients.at["treat_post", "estimate"]
    assert not any(label.startswith("ever-treated") for label in found)  # the same rows are treated


def test_what_is_reported_in_words_stands_on_the_page_of_its_columns(study: Study, few: pd.DataFrame) -> None:
    rows = ledger.build(study, few, "synthetic", study.seed, section="04_robustness")
    assert rows["term"].tolist() == [f"Z{number}" for number in range(10, 21)]
    assert set(rows["verdict"]) <= {"holds", "fails"}
    assert ledger.build(study, few, "synthetic", study.seed, section="01_data").empty
    assert (
        ledger.build(study, few, "synthetic", study.seed, section="02_index_measurement")["verdict"] == "shown"
    ).all()


def test_a_coefficient_that_prints_as_zero_still_has_a_standard_error(study: Study, few: pd.DataFrame) -> None:
    rows = ledger.build(study, few, "synthetic", study.seed, section="03_baseline")
    edu = rows.query("term == 'edu' and column == '4'").iloc[0]
    assert edu["published"] == 0 and edu["z_published"] == pytest.approx(edu["replicated"] / (0.0005 / 0.02))
    assert np.isfinite(rows["z_published"].dropna()).all()


def test_a_table_without_printed_columns_says_so(study: Study, small: pd.DataFrame) -> None:
    table = study.section_tables("04_robustness")[0]
    table = replace(table, columns=table.columns[1:4])
    fits = {column.id: replicate.column(study, column, small) for column in table.columns}
    shown = report.regression_table(study, table, fits, "published", "synthetic")
    assert "prints no numbers" in shown.caption and "printed" not in shown.note
    assert shown.frame.columns.nlevels == 1 and shown.frame.index[0] in ("treat_post_lead3", "treat_post")
    assert "edu" not in shown.frame.index


def test_rejections_are_shown_where_they_are_committed(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "CALIBRATION", tmp_path)
    assert truth.inference(study).empty
    header = "reform,errors,mc_sd,mean_se,rejects,large,coverage,undefined,runs\n"
    path = tmp_path / "coordination_inference.csv"
    path.write_text(f"{header}0,unit,0.05,0.01,0.7,0.2,0.3,0,200\n0,dyadic,0.05,0.05,0.06,0,0.94,0.01,200\n")
    table = truth.inference(study)
    assert table.index.tolist() == ["no reform, by pair", "no reform, dyadic"]
    assert table["p < 0.05"].tolist() == [0.7, 0.06]
    path.write_text(f"{header}0,unit,many,0.01,0.7,0.2,0.3,0,200\n")
    with pytest.raises(DataError, match="line 2"):
        truth.inference(study)


# --------------------------------------------------------------------------------------------------------- the pages


def test_a_folder_of_texts_must_exist() -> None:
    assert parameters.validate("02_index_measurement", {"study": "coordination"}).texts == "data/policy_texts"
    with pytest.raises(ParameterError, match="texts = 'data/nowhere': expected a folder"):
        parameters.validate("02_index_measurement", {"study": "coordination", "texts": "data/nowhere"})


@pytest.mark.parametrize("section", notebooks.sections())
def test_pages_of_pairs_have_no_cell_that_asks_for_a_city(section: str) -> None:
    for key, other in (("coordination", "needs-cities"), ("innovation", "needs-pairs"), ("resilience", "needs-pairs")):
        notebook = notebooks.read(section)
        notebooks.fit_to(notebook, key)
        assert not any(other in cell.metadata.get("tags", []) for cell in notebook.cells)


def test_pages_ask_for_no_feature_that_no_study_can_have() -> None:
    known = {"records", "truth"}
    for study in map(studies.load, studies.keys()):
        records = measured.module(study)
        known |= study.features | (set(records.TABLES) if records else set())
    for section in notebooks.sections():
        for cell in notebooks.read(section).cells:
            needs = {tag.removeprefix("needs-") for tag in cell.metadata.get("tags", []) if tag.startswith("needs-")}
            assert needs <= known, (section, needs)


@pytest.mark.parametrize("section", notebooks.sections())
def test_a_figure_is_alone_in_its_cell(section: str) -> None:
    """The book gives a cell's caption and label to all of its outputs."""
    for cell in notebooks.read(section).cells:
        assert "report.show(" not in cell.source or "display(" not in cell.source, cell.source
