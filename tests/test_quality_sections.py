"""The pages of the quality study: an intensity as treatment, claims in words, records behind the outcome."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from pilotzones import (
    claims,
    describe,
    exports,
    heterogeneity,
    indices,
    ledger,
    measured,
    panel,
    parameters,
    replicate,
    robustness,
    studies,
    truth,
)
from pilotzones.declare import Study
from pilotzones.errors import DataError, ParameterError
from pilotzones.measures import composite, export_quality


@pytest.fixture(scope="module")
def study() -> Study:
    return studies.load("quality")


@pytest.fixture(scope="module")
def data(study: Study) -> pd.DataFrame:
    return panel.load(study)


@pytest.fixture(scope="module")
def raw(study: Study, data: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return measured.draw(study, data, "synthetic", study.seed, firms=1)


# ---------------------------------------------------------------------------------------------------- what is printed


def test_every_printed_number_and_claim_is_judged(study: Study, data: pd.DataFrame) -> None:
    rows = ledger.build(study, data, "synthetic", study.seed)
    counts = rows["statistic"].value_counts()
    assert counts.to_dict() == {"claim": 24, "weight": 10, "r2": 4, "estimate": 2, "stat": 2}
    assert not (rows["verdict"] == "not_replicated").any()
    assert (rows.loc[rows["statistic"] == "weight", "verdict"] == "shown").all()


def test_each_instrument_is_judged_by_its_weakest_use(study: Study, data: pd.DataFrame) -> None:
    rows = ledger.build(study, data, "synthetic", study.seed, section="04_robustness")
    wald = rows[rows["term"].str.startswith("Wald F") & (rows["statistic"] == "stat")].iloc[0]
    uses = [replicate.identification(study, c, data).tests for c in study.table("T5").columns]
    assert wald["replicated"] == min(tests.at["Kleibergen-Paap F", "statistic"] for tests in uses)
    lm = rows[rows["term"].str.startswith("LM test")].iloc[0]
    assert lm["replicated"] == max(tests.at["Kleibergen-Paap LM", "p"] for tests in uses)


def test_every_claim_has_a_check_that_can_fail(study: Study, data: pd.DataFrame) -> None:
    """Outcomes without any relation to the index, in which no claim about significance can hold."""
    noise = np.random.default_rng(1).normal(size=(2, len(data)))
    nothing = data.assign(SEX=noise[0], soph=noise[1])
    for claim in ("E01", "E04", "E07", "E11", "E12", "E17", "E18", "E21", "E23"):
        assert not study.checks[claim](study, nothing)[0], claim
    walk = nothing.groupby("firm")["SEX"].cumsum()
    echo = walk.groupby(data["firm"]).shift(2).fillna(0)
    assert not study.checks["E15"](study, data.assign(SEX=walk + echo))[0]


def test_claims_about_signs_and_orders(study: Study, data: pd.DataFrame) -> None:
    small = replace(study, tables=(study.table("T3"),))
    ret = replicate.column(small, small.table("T3").column("2"), data).coefficients.at["ret", "estimate"]
    sign = "+" if ret > 0 else "-"
    assert claims.coefficient("T3", "2", "ret", sign, 1)(small, data)[0]
    assert not claims.coefficient("T3", "2", "ret", "-" if sign == "+" else "+", 1)(small, data)[0]
    cells = [("T3", "2", "ret"), ("T3", "6", "basic")]
    assert claims.descending(*cells)(small, data)[0] != claims.descending(*cells[::-1])(small, data)[0]
    holds, fails = claims.descending(*cells), claims.descending(*cells[::-1])
    both, numbers = claims.together(holds, fails)(small, data)
    assert not both and numbers.count("claimed") == 2


# ------------------------------------------------------------------------------------- an index of provinces, by firms


def test_an_index_of_provinces_does_not_depend_on_how_many_firms_they_have(study: Study, data: pd.DataFrame) -> None:
    index = study.indices[0]
    crowded = pd.concat([data, data[data["province"] == 330000]], ignore_index=True)
    assert np.allclose(indices.values(index, crowded)[: len(data)], indices.values(index, data))
    provinces = data.drop_duplicates(["province", "year"]).set_index(["province", "year"])
    scaled = composite.standardise(provinces[[*index.indicators]])
    by_hand = composite.weighted_sum(scaled, composite.entropy(scaled)["weight"])
    assert len(by_hand) == 360
    assert np.allclose(by_hand.loc[pd.MultiIndex.from_frame(data[["province", "year"]])], data["ret"])


def test_two_layers_can_be_brought_together_in_two_ways(study: Study, data: pd.DataFrame) -> None:
    whole, *layers = study.indices
    nested = indices.nested(whole, layers, data)
    own = indices.own_rows(whole, data)
    parts = composite.standardise(own[["ecom", "basic"]])
    weights = composite.entropy(parts)["weight"]
    assert np.allclose(nested, parts @ weights)
    assert not np.allclose(nested, own["ret"])


def test_a_firm_that_moves_is_named(study: Study, data: pd.DataFrame) -> None:
    firm = data["firm"].iloc[0]
    other = 110000 if data["province"].iloc[0] != 110000 else 310000
    moved = data.assign(province=data["province"].mask(data.index == 0, other))
    assert study.derive is not None
    with pytest.raises(DataError, match=rf"firm {firm} is in .*; expected one for each firm"):
        study.derive(moved)


def test_variation_is_what_dummies_leave(study: Study, data: pd.DataFrame) -> None:
    few = data[data["firm"] % 35 == 0]
    table = describe.variation(study, few, ["ret"])
    one = smf.ols("ret ~ C(firm)", few).fit().resid
    two = smf.ols("ret ~ C(firm) + C(year)", few).fit().resid
    assert table.at["ret", "within firms"] == pytest.approx(one.std(), rel=1e-6)
    assert table.at["ret", "within firms and years"] == pytest.approx(two.std(), rel=1e-6)


def test_labels_are_permuted_among_what_they_belong_to(
    study: Study, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def compare(formula: str, rows: pd.DataFrame, **options: object) -> pd.DataFrame:
        asked[options["group"]] = options["unit"]
        return pd.DataFrame({"p": [1.0]})

    monkeypatch.setattr(heterogeneity, "compare_groups", compare)
    heterogeneity.differences(study, study.section_tables("05_heterogeneity"), data, "iid", 10, 1)
    assert asked["region_group"] == "province" and asked["size_group"] == "spell"


def test_the_estimand_of_an_intensity_is_set_beside_its_estimate(study: Study, data: pd.DataFrame) -> None:
    table = study.table("T3")
    fits = {c.id: replicate.column(study, c, data) for c in table.columns}
    shown = truth.against_estimates(study, table, fits, data)
    assert list(shown.columns) == [f"({c.id}) {c.label}" for c in table.columns]
    # an effect that is twice the index has an estimand of two, whatever else is in the regression
    twice = data.assign(true_effect=2 * data["ret"])
    linear = truth.against_estimates(study, table, fits, twice)["(2) ret"]
    assert linear["estimand of the regression"] == pytest.approx(2)
    assert linear["mean effect over mean regressor"] == pytest.approx(2)


@pytest.mark.parametrize("section", ["06_mechanisms", "07_spatial"])
def test_a_page_that_the_paper_has_nothing_for_is_refused(section: str) -> None:
    with pytest.raises(ParameterError, match=f"study = 'quality': the paper has nothing for {section}"):
        parameters.check(section, {"study": "quality"})


# ------------------------------------------------------------------------------------------- from records to quality


def test_readings_start_with_that_of_the_panel(
    study: Study, data: pd.DataFrame, raw: dict[str, pd.DataFrame]
) -> None:
    found = exports.readings(raw["customs"], raw["products"].set_index("product")["sigma"], data)
    assert np.allclose(found["as in the panel"], data["SEX"])
    assert np.allclose(found["every record alike"], data["SEX_records"])
    compared = exports.compare(study, data, found, data["SEX_true"], "published")
    own = replicate.benchmark(study, data).coefficients.loc["ret"]
    assert compared.at["as in the panel", "(2) in sd"] == pytest.approx(own["estimate"] / data["SEX"].std())
    assert compared.at["as in the panel", "t of (2)"] == pytest.approx(own["t"])


def test_the_effect_of_destinations_and_years_takes_the_common_trend(
    study: Study, data: pd.DataFrame, raw: dict[str, pd.DataFrame]
) -> None:
    """Listed firms can rise only against other exporters: among themselves the mean record stays where it is."""
    customs, sigma = raw["customs"], raw["products"].set_index("product")["sigma"]
    listed = customs[customs["firm"].isin(data["firm"])]

    def by_year(records: pd.DataFrame) -> pd.Series:
        usable, _ = export_quality.clean(records, sigma)
        residual = export_quality.demand_residual(usable, sigma)["residual"]
        return residual[residual.index.isin(listed.index)].groupby(usable["year"]).mean()

    true = listed.groupby("year")["quality_true"].mean()
    assert true.loc[2021] - true.loc[2010] > 0.1
    assert by_year(listed).abs().max() < 1e-8
    assert by_year(customs).loc[2021] - by_year(customs).loc[2010] > 0.1


# --------------------------------------------------------------------------------------------------------- system GMM


def test_the_lag_lies_between_fixed_effects_and_least_squares_when_the_truth_does(study: Study) -> None:
    rng = np.random.default_rng(3)
    firms, years = 400, 9
    unit, x = rng.normal(size=(firms, 1)), rng.normal(size=(firms, years + 20))
    y = np.zeros((firms, years + 20))
    for t in range(1, y.shape[1]):
        y[:, t] = 0.5 * y[:, t - 1] + 0.3 * x[:, t] + unit[:, 0] + rng.normal(size=firms)
    keys = {"firm": np.repeat(np.arange(firms), years), "year": np.tile(np.arange(2010, 2010 + years), firms)}
    simulated = pd.DataFrame({**keys, "y": y[:, 20:].ravel(), "x": x[:, 20:].ravel()})
    declared = replace(
        study.dynamics[0], outcome="y", regressors=("x",), instruments={"y": (2, 4)}, exogenous=("x",)
    )
    table = robustness.instrument_counts(study, declared, simulated)
    lag = table["lag"]
    assert lag["fixed effects"] < 0.45 < 0.6 < lag["least squares"]
    assert abs(lag["system GMM, as declared"] - 0.5) < 3 * table.at["system GMM, as declared", "its se"]
    counts = table["instruments"].dropna()
    assert counts["system GMM, second lag only"] < counts["system GMM, as declared"] < counts["system GMM, all lags"]
    assert counts["system GMM, all lags, not collapsed"] == counts.max()
