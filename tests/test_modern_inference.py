"""Tests of what surrounds a staggered estimate: decomposition, pre-trend power, wild bootstrap."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.bacon import TYPES, decompose
from pilotzones.estimators.modern import Estimate, estimate
from pilotzones.estimators.pretrends import detectable, power
from pilotzones.estimators.regression import regress
from pilotzones.estimators.wild_bootstrap import wild_bootstrap

PANEL = pd.read_csv(Path(__file__).parent / "reference" / "reference_panel.csv")
PANEL["cohort"] = PANEL["cohort"].replace(0, np.nan)
NAMES = {"outcome": "y", "unit": "firm", "time": "year", "cohort": "cohort"}


def made(effects: dict[int, float], vcov: np.ndarray, n: int = 10) -> Estimate:
    """Return an estimate with given effects by event time (without -1) and their covariance."""
    table = pd.DataFrame({"estimate": effects}).rename_axis("event_time").assign(se=np.sqrt(np.diag(vcov)), n=n)
    table.loc[-1] = [0.0, 0.0, n]
    table = table.assign(low=np.nan, high=np.nan).sort_index()
    after = table.loc[0:, "estimate"].mean()
    return Estimate(
        att=pd.Series({"estimate": after, "se": np.nan, "low": np.nan, "high": np.nan}),
        by_event_time=table,
        vcov=pd.DataFrame(vcov, list(effects), list(effects)),
        by_cohort_time=None,
        estimator="made",
        library="",
        n_obs=0,
        n_treated=0,
        n_clusters=50,
        note="",
    )


# --- Goodman-Bacon ---------------------------------------------------------------------------------------------------


def test_comparisons_add_up_to_the_regression_on_the_balanced_rows() -> None:
    """An unbalanced panel is balanced first: without that the parts do not add up to anything."""
    found = decompose(PANEL, **NAMES)
    balanced = PANEL[PANEL.groupby("firm")["year"].transform("size") == 11]
    fit = regress("y ~ D | firm + year", balanced)
    assert "units with gaps dropped" in found.note
    assert found.n_obs == len(balanced) == 880
    assert found.estimate == pytest.approx(fit.coefficients.loc["D", "estimate"], abs=1e-10)
    assert found.comparisons["weight"].sum() == pytest.approx(1.0)
    assert found.by_type["weight"].sum() == pytest.approx(1.0)
    assert found.by_type["weight"] @ found.by_type["estimate"] == pytest.approx(found.estimate, abs=1e-12)
    assert len(found.comparisons) == 3 + 6  # cohorts against never, ordered pairs of cohorts
    forbidden = found.comparisons[found.comparisons["type"] == "later_vs_earlier"]
    assert (forbidden["treated"] > forbidden["control"]).all()
    assert list(found.by_type.index) == list(TYPES)


def test_growing_effects_make_the_forbidden_comparisons_negative() -> None:
    """Effects that grow by one a year, nothing else: every true effect is positive."""
    rows = pd.MultiIndex.from_product([range(30), range(2010, 2020)], names=["firm", "year"]).to_frame(index=False)
    rows["cohort"] = np.asarray([2013.0, 2016.0, np.nan])[rows["firm"] % 3]
    rows["y"] = (rows["year"] - rows["cohort"] + 1).clip(lower=0).fillna(0.0)
    found = decompose(rows, **NAMES).by_type["estimate"]
    assert found["later_vs_earlier"] < 0 < found["earlier_vs_later"] < found["treated_vs_never"]


def test_no_decomposition_without_complete_units() -> None:
    with pytest.raises(DataError, match=r"balanced panel: 0 of \d+ units have a row in each of 11 years"):
        decompose(PANEL[PANEL["year"] % 11 != PANEL["firm"] % 11], **NAMES)


# --- pre-trend power -------------------------------------------------------------------------------------------------


def test_power_with_independent_leads_has_a_formula() -> None:
    se = np.array([0.5, 0.2, 0.3])
    given = made({-3: 0.0, -2: 0.0, 0: 1.0}, np.diag(se**2))
    for slope in (0.0, 0.1, -0.3):
        t = slope * np.array([-2, -1]) / se[:2]
        seen = stats.norm.cdf(1.96 - t) - stats.norm.cdf(-1.96 - t)
        assert power(given, slope) == pytest.approx(1 - seen.prod(), abs=0.005)


def test_detectable_slope_has_the_power_asked_for_and_biases_by_years() -> None:
    given = made({-3: 0.0, -2: 0.0, 0: 1.0, 1: 1.0}, np.diag([0.25, 0.04, 0.09, 0.09]))
    found = detectable(given, [0.3, 0.9])
    for wanted, row in found.iterrows():
        assert power(given, row["slope"]) == pytest.approx(wanted, abs=0.001)
        assert row["bias"] == pytest.approx(1.5 * row["slope"])  # one and two years since the base
        assert row["bias_share"] == pytest.approx(row["bias"] / 1.0)
    with pytest.raises(ParameterError, match=r"power = 0.05: expected more than 0.09"):
        detectable(given, [0.05])


def test_pretrends_need_leads_that_are_not_too_many() -> None:
    without = estimate("wooldridge", PANEL, **NAMES, cluster="city")
    with pytest.raises(DataError, match="pre-trends: wooldridge has no leads"):
        power(without, 0.1)
    given = made({-4: 0.0, -3: 0.0, -2: 0.0, 0: 1.0}, np.ones((4, 4)))
    with pytest.raises(DataError, match="covariance of 3 leads is singular"):
        power(given, 0.1)


# --- wild cluster bootstrap ------------------------------------------------------------------------------------------


def few_clusters(seed: int = 0, effect: float = 0.0) -> pd.DataFrame:
    """42 units in 6 clusters of unequal size, 5 years; three clusters are treated from different years on."""
    rng = np.random.default_rng(seed)
    sizes = [2, 3, 5, 8, 10, 14]
    rows = pd.MultiIndex.from_product([range(42), range(5)], names=["unit", "year"]).to_frame(index=False)
    rows["city"] = np.repeat(np.arange(6), sizes)[rows["unit"]]
    rows["D"] = (rows["year"] >= rows["city"].map({0: 2, 3: 1, 4: 3, 1: 9, 2: 9, 5: 9})).astype(float)
    rows["w"] = rng.normal(size=len(rows))
    shock = rng.normal(size=(6, 5))
    rows["y"] = effect * rows["D"] + 0.4 * rows["w"] + shock[rows["city"], rows["year"]] + rng.normal(size=len(rows))
    return rows


def test_equals_brute_force_over_all_signs() -> None:
    """Every sign pattern re-estimated with all dummies, among them year effects that are not nested in clusters."""
    data = few_clusters(effect=1.0)
    dummies = pd.get_dummies(data[["unit", "year"]].astype(str), drop_first=True).to_numpy(float)
    others = np.column_stack([np.ones(len(data)), data["w"], dummies])
    x = np.column_stack([data["D"], others])
    groups = data["city"].to_numpy()

    def t(y: np.ndarray) -> float:
        fit = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": groups})
        return abs(float(fit.tvalues[0]))

    y = data["y"].to_numpy()
    fitted = others @ np.linalg.lstsq(others, y)[0]
    draws = [t(fitted + np.asarray(signs)[groups] * (y - fitted)) for signs in product([-1.0, 1.0], repeat=6)]
    expected = np.mean(np.asarray(draws) >= t(y) - 1e-9)
    fit = regress("y ~ D + w | unit + year", data, "cluster:city")
    ours = wild_bootstrap(fit, "D", cluster="city", weights="rademacher")
    assert ours.draws == 64
    assert ours.p == pytest.approx(expected, abs=1e-12)


def test_interval_is_where_the_test_stops_rejecting() -> None:
    data = few_clusters(3, effect=1.0).assign(city=lambda d: d["unit"])
    fit = regress("y ~ D + w | unit + year", data, "cluster:city")
    ours = wild_bootstrap(fit, "D", cluster="city", draws=999)
    assert ours.low < fit.coefficients.loc["D", "estimate"] < ours.high
    for bound, inside in ((ours.low, 1), (ours.high, -1)):
        for step, reject in ((-0.02 * inside, True), (0.02 * inside, False)):
            moved = data.assign(y=data["y"] - (bound + step) * data["D"])
            p = wild_bootstrap(regress("y ~ D + w | unit + year", moved), "D", cluster="city", draws=999).p
            assert (p < 0.05) == reject
    # many alike clusters: close to the t interval
    assert ours.low == pytest.approx(fit.coefficients.loc["D", "low"], abs=0.15)


def test_too_few_clusters_to_reject_anything() -> None:
    data = few_clusters(effect=50.0)
    data = data[data["city"].isin([0, 3, 5])]
    ours = wild_bootstrap(regress("y ~ D | unit + year", data), "D", cluster="city", weights="rademacher")
    assert (ours.draws, ours.low, ours.high) == (8, -np.inf, np.inf)
    assert ours.p >= 0.25


def test_size_with_few_unequal_clusters() -> None:
    """No effect, 6 clusters: the clustered t with 5 degrees of freedom rejects too often, the bootstrap less."""
    wild, plain = [], []
    for seed in range(150):
        fit = regress("y ~ D | unit + year", few_clusters(seed), "cluster:city")
        plain.append(fit.coefficients.loc["D", "p"] < 0.1)
        wild.append(wild_bootstrap(fit, "D", cluster="city", draws=399, seed=seed).p < 0.1)
    assert np.mean(wild) < np.mean(plain)
    assert np.mean(wild) < 0.1 + 3 * np.sqrt(0.09 / 150)


def test_units_draws_and_order_do_not_matter() -> None:
    data = few_clusters(2, effect=0.7)
    first = wild_bootstrap(regress("y ~ D + w | unit + year", data), "D", cluster="city", draws=999)
    scaled = data.assign(y=1000 * data["y"], D=data["D"] / 8)
    second = wild_bootstrap(regress("y ~ D + w | unit + year", scaled), "D", cluster="city", draws=999)
    assert second.p == first.p
    assert second.low == pytest.approx(8000 * first.low, rel=1e-3)


def test_wild_bootstrap_refuses() -> None:
    data = few_clusters()
    fit = regress("y ~ D | unit + year", data)
    with pytest.raises(DeclarationError, match="expected a regressor"):
        wild_bootstrap(fit, "nothing", cluster="city")
    with pytest.raises(DeclarationError, match="no column 'town'"):
        wild_bootstrap(fit, "D", cluster="town")
    with pytest.raises(ParameterError, match="weights = 'normal', draws = 9999"):
        wild_bootstrap(fit, "D", cluster="city", weights="normal")
    with pytest.raises(ParameterError, match="'one' has 1 clusters"):
        wild_bootstrap(regress("y ~ D | unit + year", data.assign(one=1)), "D", cluster="one")
