"""The random-city placebo against single regressions, under the null, and under bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyfixest
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyfixest.demeaners import MapDemeaner

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.placebo import Placebo, placebo
from pilotzones.estimators.regression import regress

SIZES = {2013: 1, 2014: 3, 2016: 4}
COLUMNS = {"treatment": "treated", "city": "city", "time": "year"}
FORMULA = "y ~ treated + x + w | firm + province^year"


def panel(seed: int = 0, cities: int = 36, firms: int = 4, years: int = 8) -> pd.DataFrame:
    """Unbalanced firms in cities in provinces; the first five cities are treated from 2014 on, effect 0.5."""
    rng = np.random.default_rng(seed)
    n = cities * firms
    data = pd.DataFrame({"firm": np.repeat(np.arange(n), years), "year": np.tile(np.arange(2011, 2011 + years), n)})
    data["city"] = data["firm"] % cities
    data["province"] = data["city"] % 4
    data["treated"] = ((data["city"] < 5) & (data["year"] >= 2014)).astype(int)
    firm, shock = rng.normal(size=n)[data["firm"]], rng.normal(size=(4, years))[data["province"], data["year"] - 2011]
    data["x"] = firm + shock + rng.normal(size=len(data))
    data["w"] = 1000 * rng.normal(size=len(data))
    local = rng.normal(size=(cities, years))[data["city"], data["year"] - 2011]
    data["y"] = 0.5 * data["treated"] + 0.3 * data["x"] + firm + shock + local + rng.normal(size=len(data))
    data.loc[rng.random(len(data)) < 0.1, "x"] = np.nan
    return data[rng.random(len(data)) < 0.85].reset_index(drop=True)


PANEL = panel()


def fake(result: Placebo, draw: int, data: pd.DataFrame) -> pd.Series:
    treated = pd.Series(0.0, index=data.index)
    for start, city in result.cities.loc[draw].items():
        treated[(data["city"] == city) & (data["year"] >= start)] = 1.0
    return treated


# --- agreement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster:city", "cluster:firm", "cluster:year"])
@pytest.mark.parametrize(
    "formula",
    [
        FORMULA,
        "y ~ treated | firm + year",
        "y ~ x + treated",
        "y ~ treated + x | firm",
        "y ~ treated + x | firm + city^year2 + province^year",
    ],
)
def test_equals_single_regressions(formula: str, vcov: str) -> None:
    data = PANEL.assign(year2=PANEL["year"] // 4)
    result = placebo(formula, data, sizes=SIZES, draws=6, vcov=vcov, **COLUMNS)
    for draw in result.draws.index:
        single = regress(formula, data.assign(treated=fake(result, draw, data)), vcov)
        np.testing.assert_allclose(
            result.draws.loc[draw], single.coefficients.loc["treated", ["estimate", "se", "t"]], rtol=1e-8, atol=1e-10
        )
        assert result.n_obs == single.n_obs


def test_equals_pyfixest() -> None:
    result = placebo(FORMULA, PANEL, sizes=SIZES, draws=5, vcov="cluster:city", **COLUMNS)
    for draw in result.draws.index:
        data = PANEL.assign(treated=fake(result, draw, PANEL), cluster=PANEL["city"])
        single = pyfixest.feols(
            FORMULA, data, vcov={"CRV1": "cluster"}, fixef_rm="none", demeaner=MapDemeaner(fixef_tol=1e-10)
        )
        assert result.draws.loc[draw, "estimate"] == pytest.approx(single.coef()["treated"], abs=1e-8)
        assert result.draws.loc[draw, "se"] == pytest.approx(single.se()["treated"], abs=1e-8)


def test_a_firm_may_move_to_another_city() -> None:
    data = PANEL.copy()
    moved = (data["firm"] % 9 == 0) & (data["year"] >= 2015) & (data["city"] > 10)
    data.loc[moved, "city"] += 1
    data = data[data["city"] < 36]
    result = placebo(FORMULA, data, sizes=SIZES, draws=3, **COLUMNS)
    single = regress(FORMULA, data.assign(treated=fake(result, 2, data)))
    assert result.draws.loc[2, "t"] == pytest.approx(single.coefficients.loc["treated", "t"], abs=1e-8)


# --- the lottery -----------------------------------------------------------------------------------------------------


def test_draws_never_treated_cities_without_replacement_and_evenly() -> None:
    result = placebo(FORMULA, PANEL, sizes=SIZES, draws=4000, **COLUMNS)
    assert result.pool == 31
    assert (result.cities >= 5).all().all()
    assert list(result.cities.columns) == [2013, *[2014] * 3, *[2016] * 4]
    assert (result.cities.nunique(axis=1) == 8).all()
    shares = pd.Series(result.cities[2014].to_numpy().ravel()).value_counts(normalize=True)
    assert len(shares) == 31
    assert np.abs(shares - 1 / 31).max() < 5 * np.sqrt(1 / 31 / 12000)


def test_cities_without_a_complete_row_are_not_drawn() -> None:
    data = PANEL.assign(x=PANEL["x"].where(PANEL["city"] < 30))
    result = placebo(FORMULA, data, sizes=SIZES, draws=50, pool=range(5, 36), **COLUMNS)
    assert result.pool == 25
    assert result.cities.to_numpy().max() < 30


def test_fewer_draws_are_the_first_of_more() -> None:
    few = placebo(FORMULA, PANEL, sizes=SIZES, draws=3, seed=4, vcov="cluster:city", **COLUMNS)
    many = placebo(FORMULA, PANEL, sizes=SIZES, draws=1500, seed=4, vcov="cluster:city", **COLUMNS)
    pd.testing.assert_frame_equal(few.draws, many.draws.iloc[:3], rtol=1e-9)
    other = placebo(FORMULA, PANEL, sizes=SIZES, draws=3, seed=5, **COLUMNS)
    assert not few.cities.equals(other.cities)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([-1000.0, 1e-4, 7.0]))
def test_row_order_and_units_do_not_matter(seed: int, factor: float) -> None:
    base = placebo(FORMULA, PANEL, sizes=SIZES, draws=4, seed=seed, vcov="cluster:city", **COLUMNS)
    data = PANEL.sample(frac=1, random_state=seed % 1000).assign(y=lambda d: factor * d["y"])
    other = placebo(FORMULA, data, sizes=SIZES, draws=4, seed=seed, vcov="cluster:city", **COLUMNS)
    pd.testing.assert_frame_equal(base.cities, other.cities)
    np.testing.assert_allclose(other.draws["estimate"], factor * base.draws["estimate"], rtol=1e-7)
    np.testing.assert_allclose(other.draws["t"], np.sign(factor) * base.draws["t"], rtol=1e-7)


def test_text_labels_are_drawn_in_their_order_like_numbers() -> None:
    numbers = placebo(FORMULA, PANEL, sizes=SIZES, draws=4, **COLUMNS)
    texts = placebo(
        FORMULA, PANEL.assign(city=PANEL["city"].map("city {:02d}".format)), sizes=SIZES, draws=4, **COLUMNS
    )
    pd.testing.assert_frame_equal(texts.cities, numbers.cities.map("city {:02d}".format))


def test_dropping_the_treated_is_the_callers_choice() -> None:
    untreated = PANEL[PANEL["city"] >= 5]
    kept = placebo(FORMULA, PANEL, sizes=SIZES, draws=5, **COLUMNS)
    dropped = placebo(FORMULA, untreated, sizes=SIZES, draws=5, **COLUMNS)
    pd.testing.assert_frame_equal(kept.cities, dropped.cities)
    assert dropped.n_obs < kept.n_obs
    single = regress(FORMULA, untreated.assign(treated=fake(dropped, 0, untreated)))
    assert dropped.draws.loc[0, "t"] == pytest.approx(single.coefficients.loc["treated", "t"], abs=1e-8)


# --- inference -------------------------------------------------------------------------------------------------------


def test_randomisation_p_value_adds_the_actual_draw() -> None:
    result = placebo(FORMULA, PANEL, sizes=SIZES, draws=99, **COLUMNS)
    t = result.draws["t"].abs()
    assert result.p_value(1e6) == pytest.approx(0.01)
    assert result.p_value(0.0) == 1.0
    assert result.p_value(-t.max()) == pytest.approx(0.02)
    assert result.p_value(t.nlargest(10).iloc[-1]) == pytest.approx(0.11)


def test_size_under_the_null_where_the_usual_t_test_over_rejects() -> None:
    """Treated cities drawn by the same lottery, no effect, errors correlated within cities."""
    sizes = {2013: 2, 2015: 3}
    p, naive = [], []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        data = pd.DataFrame({"city": np.repeat(np.arange(30), 7), "year": np.tile(np.arange(2011, 2018), 30)})
        data["y"] = rng.normal(size=(30, 7)).cumsum(axis=1).ravel()
        chosen = rng.permutation(30)[:5]
        begins = dict(zip(chosen, [2013, 2013, 2015, 2015, 2015], strict=True))
        data["treated"] = (data["year"] >= data["city"].map(begins)).astype(int)
        t = regress("y ~ treated | city + year", data).coefficients.loc["treated", "t"]
        untreated = placebo("y ~ treated | city + year", data, sizes=sizes, draws=39, seed=seed, **COLUMNS)
        p.append(untreated.p_value(t))
        naive.append(abs(t) > 1.96)
    assert 0.02 < np.mean(np.array(p) <= 0.1) < 0.21
    assert np.mean(naive) > 0.2


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"draws": 0}, ParameterError, "draws = 0"),
        ({"sizes": {2014: 32}}, ParameterError, "32 fake cities asked for, but only 31"),
        ({"sizes": {}}, ParameterError, "positive numbers"),
        ({"sizes": {2014: 0}}, ParameterError, "positive numbers"),
        ({"sizes": {2031: 2}}, ParameterError, "start 2031"),
        ({"sizes": {2011: 2}}, ParameterError, "start 2011"),
        ({"pool": [3, 7, 8]}, DataError, "'city' 3 of the pool is treated"),
        ({"vcov": "cluster:city+year"}, DeclarationError, "cluster:COLUMN"),
        ({"vcov": "robust"}, DeclarationError, "robust"),
        ({"city": "town"}, DeclarationError, "town"),
        ({"treatment": "province"}, DeclarationError, "province"),
    ],
)
def test_bad_arguments(changes: dict, error: type, message: str) -> None:
    arguments = {"sizes": SIZES, "draws": 5, **COLUMNS, **changes}
    with pytest.raises(error, match=message):
        placebo(FORMULA, PANEL, **arguments)


@pytest.mark.parametrize(
    "formula",
    ["y ~ treated + treated:x | firm", "y ~ x | firm + year", "y ~ x | firm + year | treated ~ w"],
)
def test_formulas_it_cannot_answer(formula: str) -> None:
    with pytest.raises(DeclarationError, match="treated"):
        placebo(formula, PANEL, sizes=SIZES, draws=5, **COLUMNS)


def test_missing_city() -> None:
    with pytest.raises(DataError, match="missing in"):
        placebo(FORMULA, PANEL.assign(city=PANEL["city"].where(PANEL["firm"] != 20)), sizes=SIZES, **COLUMNS)


def test_a_city_without_comparison_is_an_error_not_a_nan() -> None:
    """A city that is a province of its own is absorbed by province-year effects."""
    data = PANEL.assign(province=PANEL["province"].where(PANEL["city"] != 20, 99))
    with pytest.raises(DataError, match=r"collinear.*\(\d+ of 300 draws\)"):
        placebo(FORMULA, data, sizes={2014: 1}, draws=300, **COLUMNS)
