"""Tests of difference and system GMM against Stata, R and Python, known truths, invariances, and under bad input."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.dynamic_panel import DynamicPanel, gmm
from pilotzones.paths import ROOT

REFERENCE = Path(__file__).parent / "reference"
BENCH = ROOT.parent / "shared" / "bench"
ALL = (2, 99)
AB = ["w", "wL1", "k", "kL1", "kL2", "ys", "ysL1", "ysL2"]  # Arellano and Bond's regressors
AB_B = ["w", "wL1", "k", "ys", "ysL1"]
BB = {"regressors": ["w", "wL1", "k", "kL1"], "instruments": {"n": ALL, "w": ALL, "k": ALL}}
TEST = {
    "regressors": ["w", "k"],
    "lags": 2,
    "instruments": {"n": (2, 4), "w": (1, 3)},
    "exogenous": ["k"],
    "time_effects": False,
}
YEARS = [f"yr{year}" for year in range(1978, 1985)]
DIFFERENCE = {"system": False, "collapse": False}
CALLS: dict[str, dict[str, Any]] = {
    "xtabond2 test 1": TEST | DIFFERENCE,
    "xtabond2 a1": {"regressors": AB, "lags": 2, "instruments": {"n": ALL}, "exogenous": AB, "steps": 1} | DIFFERENCE,
    "xtabond2 c": {
        "regressors": AB,
        "lags": 2,
        "instruments": {"n": ALL, "w": ALL, "k": ALL},
        "exogenous": AB[5:],
        "steps": 1,
    }
    | DIFFERENCE,
    "xtabond2 system": BB | {"steps": 1, "collapse": False},
    "pydynpd system": TEST | {"collapse": False},
    "pydynpd system collapsed": TEST,
    "pydynpd system collapsed, years": TEST | {"lags": 1, "regressors": ["w", "k", *YEARS], "exogenous": ["k", *YEARS]},
    "pgmm a2": {"regressors": AB_B, "lags": 2, "instruments": {"n": ALL}, "exogenous": AB_B} | DIFFERENCE,
    "pgmm a2 collapsed": {
        "regressors": AB_B,
        "lags": 2,
        "instruments": {"n": ALL},
        "exogenous": AB_B,
        "system": False,
    },
    "pgmm system one-step": BB | {"steps": 1, "collapse": False},
    "pgmm system collapsed": BB,
}


@cache
def employment() -> pd.DataFrame:
    if not BENCH.is_dir():
        pytest.skip("needs Arellano and Bond's firms in ../shared/bench beside the project")
    return pd.read_csv(BENCH / "abdata.csv")


def as_in_r() -> pd.DataFrame:
    """Return the firms with the digits of R's EmplUK; the other file has single-precision logarithms."""
    data = employment().copy()
    for name, column, digits in [("n", "emp", 3), ("w", "wage", 4), ("k", "cap", 4), ("ys", "indoutpt", 4)]:
        data[name] = np.log(data[column].round(digits))
        data[f"{name}L1"] = data.groupby("id")[name].shift()  # no firm has a gap
    return data


def found(result: DynamicPanel, term: str, quantity: str) -> float:
    if quantity.startswith("n_"):
        return float(getattr(result, quantity))
    table = result.tests if term in result.tests.index else result.coefficients
    return float(table.loc[term, quantity])


def simulated(seed: int, n: int = 200, periods: int = 8, effect: float = 0.0) -> pd.DataFrame:
    """y = 0.5 y(-1) + x + effect treat + mu + e from its stationary state; x answers to the previous e and to mu.

    Firms with a high mu are more likely to be treated, from a random year on.
    """
    rng = np.random.default_rng(seed)
    mu = rng.normal(size=n)
    start = np.where(mu + rng.normal(size=n) > 0, rng.integers(3, periods + 1, n), periods)
    x, y, e, rows = rng.normal(size=n), 3 * mu, np.zeros(n), []
    for t in range(-20, periods):
        x = 0.5 * x + 0.25 * mu + 0.3 * e + rng.normal(size=n)
        e, treat = rng.normal(size=n), (t >= start).astype(float)
        y = 0.5 * y + x + effect * treat + mu + e + 0.2 * np.sin(t)
        rows.append(pd.DataFrame({"firm": np.arange(n), "year": 2010 + t, "y": y, "x": x, "treat": treat}))
    return pd.concat(rows[20:], ignore_index=True)


def estimated(data: pd.DataFrame, **options: Any) -> DynamicPanel:
    defaults = {"regressors": ["x"], "instruments": {"y": (2, 4), "x": (2, 3)}}
    return gmm(data, "y", unit="firm", time="year", **(defaults | options))


# --- agreement -------------------------------------------------------------------------------------------------------


def test_equals_stata_two_step_difference() -> None:
    result = gmm(employment(), "n", unit="id", time="year", **CALLS["xtabond2 test 1"])
    expected = pd.read_csv(BENCH / "expected.csv").query("dataset == 'abdata'").set_index(["term", "quantity"])
    names = {
        "Hansen chi2(32)": ("Hansen", "statistic", 2),
        "Hansen p": ("Hansen", "p", 3),
        "Sargan chi2(32)": ("Sargan", "statistic", 2),
        "n instruments": ("", "n_instruments", 0),
        "N obs": ("", "n_obs", 0),
        "groups": ("", "n_units", 0),
    } | {f"AR({m}) {a}": (f"AR({m})", b, k) for m in (1, 2) for a, b, k in (("z", "statistic", 2), ("p", "p", 3))}
    assert len(expected) == 18
    for (term, quantity), value in expected["value"].items():
        term, quantity, digits = (term, quantity, 7) if quantity in ("estimate", "se") else names[term]
        assert round(found(result, term, quantity), digits) == value, (term, quantity)
    assert result.tests.loc["Hansen", "df"] == 32


@pytest.mark.parametrize("call", CALLS)
def test_equals_the_printed_reference(call: str) -> None:
    data = as_in_r() if call.startswith("pgmm") else employment()
    result = gmm(data, "n", unit="id", time="year", **CALLS[call])
    printed = pd.read_csv(REFERENCE / "gmm_reference.csv", dtype=str, keep_default_na=False).query("reference == @call")
    assert len(printed)
    ratios = []
    for _, term, quantity, text in printed.itertuples(index=False):
        value, half = float(text), 0.51 * 10.0 ** -len(text.partition(".")[2])
        if quantity == "se_small":
            ratios.append((value / found(result, term, "se"), half / value))
        elif call.startswith("pgmm"):  # single precision in the data moves these estimates by 4e-6
            assert found(result, term, quantity) == pytest.approx(value, rel=3e-6), (term, quantity)
        else:
            assert abs(found(result, term, quantity) - value) <= half, (term, quantity)
    if ratios:
        assert max(r - tolerance for r, tolerance in ratios) <= min(r + tolerance for r, tolerance in ratios)


# --- known truth -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "sd"), [({}, 0.08), ({"system": False}, 0.1)])
def test_recovers_the_truth_with_honest_errors(options: dict[str, Any], sd: float) -> None:
    draws = 100
    results = [estimated(simulated(seed), **options) for seed in range(draws)]
    lag, x = (pd.DataFrame([r.coefficients.loc[t] for r in results]) for t in ("L1.y", "x"))
    p = pd.DataFrame([r.tests["p"] for r in results])
    assert abs(lag["estimate"].mean() - 0.5) < 0.02 and abs(x["estimate"].mean() - 1.0) < 0.02
    assert lag["estimate"].std() < sd  # the instruments are of some use
    assert 0.85 < lag["se"].mean() / lag["estimate"].std() < 1.15
    for table, truth in ((lag, 0.5), (x, 1.0)):
        assert 0.88 < ((table["low"] < truth) & (truth < table["high"])).mean() < 0.99
    assert (p["AR(1)"] < 0.05).all()
    assert (p["AR(2)"] < 0.05).mean() < 0.12 and (p["Hansen"] < 0.05).mean() < 0.12


def test_corrected_errors_match_the_spread_of_estimates_even_with_many_instruments() -> None:
    options = {"system": False, "collapse": False, "instruments": {"y": (2, 7), "x": (2, 7)}}
    tables = [estimated(simulated(seed, n=60), **options).coefficients.loc["L1.y"] for seed in range(60)]
    spread = np.std([t["estimate"] for t in tables], ddof=1)
    assert 0.75 < np.mean([t["se"] for t in tables]) / spread < 1.25


def test_serially_correlated_errors_are_found() -> None:
    data = simulated(0, n=500)
    rng = np.random.default_rng(1)
    shock = pd.Series(rng.normal(size=len(data)), data.index)
    data["y"] += shock + 0.9 * shock.groupby(data["firm"]).shift(fill_value=0.0)
    tests = estimated(data).tests
    assert tests.loc["AR(2)", "p"] < 0.01 and tests.loc["Hansen", "p"] < 0.01


def test_invalid_level_instruments_are_found() -> None:
    """Firms that start far below their long-run level, the further the higher it is: changes tell the unit effect."""
    rng = np.random.default_rng(0)
    mu = rng.normal(size=600)
    y = rng.normal(size=600)
    rows = []
    for year in range(2010, 2017):
        rows.append(pd.DataFrame({"firm": np.arange(600), "year": year, "y": y}))
        y = 0.8 * y + mu + rng.normal(size=600)
    data = pd.concat(rows)
    options: dict[str, Any] = {"regressors": [], "instruments": {"y": (2, 4)}}
    system, difference = estimated(data, **options), estimated(data, system=False, **options)
    assert system.tests.loc["Difference-in-Hansen: level equation", "p"] < 0.001
    assert system.tests.loc["Difference-in-Hansen: level equation", "df"] == 1
    assert abs(system.coefficients.loc["L1.y", "estimate"] - 0.8) > 0.1
    row = difference.coefficients.loc["L1.y"]
    assert row["low"] < 0.8 < row["high"] and "Difference-in-Hansen: level equation" not in difference.tests.index


def test_a_treatment_given_to_better_firms_must_not_instrument_levels() -> None:
    options: dict[str, Any] = {"regressors": ["x", "treat"], "exogenous": ["treat"]}
    data = [simulated(seed, n=500, periods=10, effect=0.5) for seed in range(8)]
    naive = [estimated(d, **options).coefficients.loc["treat"] for d in data]
    right = [estimated(d, exogenous_in_levels=False, **options).coefficients.loc["treat"] for d in data]
    assert np.mean([row["estimate"] for row in naive]) > 0.8
    assert abs(np.mean([row["estimate"] for row in right]) - 0.5) < 0.1
    assert sum(row["low"] < 0.5 < row["high"] for row in right) >= 6


# --- structure -------------------------------------------------------------------------------------------------------


def test_instruments_are_counted_by_formula() -> None:
    data = simulated(3, periods=8)
    periods, lags = 8, 3
    common = periods - 2 + 1  # effects of the years 3-8, constant
    collapsed, full = estimated(data), estimated(data, collapse=False)
    assert collapsed.n_instruments == (lags + 1) + (2 + 1) + common
    # lag l exists in the years l + 1, ..., 8, differences at lag 1 in the years 3, ..., 8
    of = lambda first, last: sum(periods - lag for lag in range(first, last + 1))  # noqa: E731
    assert full.n_instruments == of(2, 4) + of(2, 3) + 2 * (periods - 2) + common
    assert full.tests.loc["Hansen", "df"] == full.n_instruments - len(full.coefficients)
    assert estimated(data, system=False).n_instruments == lags + 2 + periods - 2
    assert list(collapsed.coefficients.index) == ["L1.y", "x", *(f"year_{y}" for y in range(2012, 2018)), "_cons"]
    assert collapsed.n_obs == 200 * 7 and estimated(data, system=False).n_obs == 200 * 6


def test_lags_are_by_calendar_not_by_row() -> None:
    data = simulated(5, periods=10)
    gap = (data["firm"] % 2 == 0) & (data["year"] == 2014)
    deleted, blanked = data[~gap], data.assign(y=data["y"].mask(gap))
    result = estimated(deleted, instruments={"y": (2, 4)}, exogenous=["x"])
    pd.testing.assert_frame_equal(
        result.coefficients, estimated(blanked, instruments={"y": (2, 4)}, exogenous=["x"]).coefficients
    )
    assert result.n_obs == 100 * 9 + 100 * 7  # 2014 and, without its lag, 2015
    assert estimated(deleted, system=False).n_obs == 100 * 8 + 100 * 5  # 2016 needs the row of 2015, too


def test_one_step_difference_of_a_just_identified_model_is_two_stage_least_squares() -> None:
    """Anderson and Hsiao: the difference of y on that of its lag, instrumented with the second lag."""
    data = simulated(7).sort_values(["firm", "year"])
    lagged = data.groupby("firm")["y"]
    dy, dlag, z = lagged.diff(), lagged.shift().groupby(data["firm"]).diff(), lagged.shift(2)
    ok = dlag.notna()
    result = estimated(data, regressors=[], instruments={"y": (2, 2)}, system=False, time_effects=False)
    assert result.coefficients.loc["L1.y", "estimate"] == pytest.approx((z * dy)[ok].sum() / (z * dlag)[ok].sum())
    assert result.tests.loc["Hansen", "df"] == 0 and np.isnan(result.tests.loc["Hansen", "p"])


def test_data_are_not_changed() -> None:
    data = simulated(2)
    copy = data.copy(deep=True)
    estimated(data)
    pd.testing.assert_frame_equal(data, copy)


# --- invariance ------------------------------------------------------------------------------------------------------


def same(left: DynamicPanel, right: DynamicPanel, columns: list[str], rel: float = 1e-6) -> None:
    np.testing.assert_allclose(right.coefficients[columns], left.coefficients[columns], rtol=rel, atol=1e-9)
    table = ["statistic", "df", "p"]
    np.testing.assert_allclose(right.tests[table].astype(float), left.tests[table].astype(float), rtol=1e-5, atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16), prefix=st.sampled_from(["firm ", "企业"]), collapse=st.booleans())
def test_order_of_rows_and_names_of_units_do_not_matter(seed: int, prefix: str, collapse: bool) -> None:
    data = simulated(11, n=60).sample(frac=0.9, random_state=0)
    names = np.random.default_rng(seed).permutation(60)
    other = data.assign(firm=[f"{prefix}{names[i]}" for i in data["firm"]]).sample(frac=1.0, random_state=seed)
    left, right = estimated(data, collapse=collapse), estimated(other, collapse=collapse)
    same(left, right, ["estimate", "se"])
    assert (left.n_obs, left.n_units, left.n_instruments) == (right.n_obs, right.n_units, right.n_instruments)


@settings(max_examples=8, deadline=None)
@given(a=st.sampled_from([-3.0, 1e-6, 0.01, 1e4, 1e9]), b=st.sampled_from([-2.0, 1e-5, 100.0, 1e8]))
def test_units_of_measurement_scale_the_coefficients(a: float, b: float) -> None:
    data = simulated(12, n=80)
    left, right = estimated(data), estimated(data.assign(y=a * data["y"], x=b * data["x"]))
    factor = pd.Series(a, left.coefficients.index)
    factor[["L1.y", "x"]] = [1.0, a / b]
    for column in ("estimate", "se"):
        scaled = left.coefficients[column] * (factor if column == "estimate" else factor.abs())
        np.testing.assert_allclose(right.coefficients[column], scaled, rtol=1e-6)
    same(left, right, [])


@settings(max_examples=8, deadline=None)
@given(shift=st.floats(-50, 50), collapse=st.booleans(), system=st.booleans())
def test_a_constant_added_to_the_outcome_moves_only_the_constant(shift: float, collapse: bool, system: bool) -> None:
    """In a balanced panel with effects of the periods, whose moments contain what the shifted levels add."""
    data = simulated(13, n=150)
    left, right = (estimated(d, collapse=collapse, system=system) for d in (data, data.assign(y=data["y"] + shift)))
    terms = [t for t in left.coefficients.index if t != "_cons"]
    np.testing.assert_allclose(right.coefficients.loc[terms, "estimate"], left.coefficients.loc[terms, "estimate"],
                               rtol=1e-5, atol=1e-7)  # fmt: skip
    assert right.tests.loc["Hansen", "statistic"] == pytest.approx(left.tests.loc["Hansen", "statistic"], rel=1e-5)
    if system:
        moved = shift * (1 - left.coefficients.loc["L1.y", "estimate"])
        assert right.coefficients.loc["_cons", "estimate"] == pytest.approx(
            left.coefficients.loc["_cons", "estimate"] + moved, rel=1e-5, abs=1e-6
        )


# --- limits and bad input --------------------------------------------------------------------------------------------


def test_a_short_panel_has_no_ar2_test_and_says_how_long_it_should_be() -> None:
    result = estimated(simulated(1, periods=4))
    assert np.isnan(result.tests.loc["AR(2)", "p"]) and result.tests.loc["AR(1)", "p"] < 0.1
    assert result.notes == ("no AR(2) test: it needs a unit with 5 consecutive periods",)
    assert estimated(simulated(1, periods=5)).notes == ()


def test_more_instruments_than_units_are_reported() -> None:
    result = estimated(simulated(1, n=30), collapse=False, instruments={"y": (2, 7), "x": (1, 7)})
    assert result.n_instruments > 30 == result.n_units
    assert "more instruments" in result.notes[0] and "rank 30" in result.notes[1]
    assert np.isfinite(result.coefficients[["estimate", "se"]].to_numpy()).all()


def test_repeated_instruments_count_once() -> None:
    data = simulated(1).assign(copy=lambda d: 3 * d["x"])
    once, twice = estimated(data), estimated(data, instruments={"y": (2, 4), "x": (2, 3), "copy": (2, 3)})
    assert once.n_instruments == twice.n_instruments
    np.testing.assert_allclose(once.coefficients, twice.coefficients, rtol=1e-6)
    assert twice.tests.loc["Hansen", "statistic"] == pytest.approx(once.tests.loc["Hansen", "statistic"])
    assert "generalised inverse" not in " ".join(twice.notes)


DATA = simulated(0, n=40)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lags": 0}, ParameterError, "lags = 0"),
        ({"steps": 3}, ParameterError, "steps = 3"),
        ({"instruments": {"y": (0, 2)}}, ParameterError, "lags 0 to 2 of 'y'"),
        ({"instruments": {"y": (3, 2)}}, ParameterError, "lags 3 to 2 of 'y'"),
        ({"regressors": ["size"]}, DeclarationError, "no column 'size'"),
        ({"exogenous": ["treats"]}, DeclarationError, "no column 'treats' in the data; did you mean treat"),
        ({"regressors": ["y"]}, DeclarationError, "outcome is among the regressors"),
        ({"instruments": {"y": (7, 7)}, "system": False}, DeclarationError, "7 independent instruments for 8 coeffici"),
        (
            {"regressors": [], "instruments": {"y": (12, 14)}, "system": False, "time_effects": False},
            DeclarationError,
            "no instruments for 1 coefficients",
        ),
        ({"regressors": ["x", "born"], "system": False, "exogenous": ["born"]}, DeclarationError, "'born' is zero, or"),
        ({"regressors": ["x", "twice"], "exogenous": ["twice"]}, DeclarationError, "'x' is collinear"),
        ({"regressors": ["trend"], "exogenous": ["trend"]}, DeclarationError, "'trend' is collinear"),
    ],
)
def test_bad_declarations_are_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    data = DATA.assign(born=DATA["firm"] % 7, twice=2 * DATA["x"], trend=DATA["year"] - 2010)
    with pytest.raises(error, match=f"^GMM for 'y': .*{message}"):
        estimated(data, **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pd.concat([DATA, DATA.iloc[[3]]]), "1 repeated rows of the same 'firm' and 'year', first 3, 2010"),
        (DATA.assign(year=DATA["year"].mask(DATA["firm"] == 1)), "'year' is missing in 8 rows"),
        (DATA.assign(firm=DATA["firm"].mask(DATA["firm"] == 1)), "'firm' is missing in 8 rows"),
        (DATA.assign(year=DATA["year"] + 0.5), "'year' has values that are not whole"),
        (DATA.assign(year=DATA["year"].astype(str)), "'year' has values that are not whole"),
        (DATA.assign(x=DATA["x"].mask(DATA["firm"] == 1, np.inf)), "infinite values in 'x'"),
        (DATA[DATA["year"] == 2012], "no 'firm' has complete rows in 3 consecutive periods of 'year'"),
        (DATA[DATA["year"] % 2 == 0], "no 'firm' has complete rows in 3 consecutive periods of 'year'"),
        (DATA.assign(x="many"), "'x' is not a column of numbers"),
        (DATA.head(0), "no rows"),
    ],
)
def test_bad_data_are_named(data: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=f"^GMM for 'y': .*{message}"):
        estimated(data)
