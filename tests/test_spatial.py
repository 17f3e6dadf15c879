"""Conley errors and joint tests against R, against double sums, under the null, and under bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.event_study import event_study
from pilotzones.estimators.inference import covariance, wald
from pilotzones.estimators.regression import regress
from pilotzones.estimators.spatial import conley, conley_covariance
from pilotzones.geography import EARTH_RADIUS_KM, great_circle_km

HERE = Path(__file__).parent
REFERENCE = pd.read_csv(HERE / "reference" / "r_reference.csv")
PANEL = pd.read_csv(HERE / "reference" / "reference_panel.csv")
FORMULA = "y ~ D + x1 + x2 + x3 | firm + year"
FIT = regress(FORMULA, PANEL, singletons="drop")
PLACES = {"lat": "lat", "lon": "lon"}


def double_sum(kernel: str, cutoff: float, time: str | None, lags: int) -> np.ndarray:
    """Standard errors from the definition, row by row, on dummy-variable residuals."""
    data = PANEL[PANEL["firm"] < 120].reset_index(drop=True)
    fit = regress(FORMULA, data)
    dummies = np.hstack([pd.get_dummies(data[c], dtype=float).to_numpy() for c in ("firm", "year")])
    values = data[["D", "x1", "x2", "x3", "y"]].to_numpy()
    left = values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]
    x, y = left[:, :-1], left[:, -1]
    u = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    lat, lon = data["lat"].to_numpy(), data["lon"].to_numpy()
    km = great_circle_km(lat[:, None], lon[:, None], lat, lon)
    weight = (km <= cutoff) * (1.0 if kernel == "uniform" else 1 - km / cutoff)
    if time:
        gap = np.abs(np.subtract.outer(data["year"].to_numpy(), data["year"].to_numpy()))
        same = np.equal.outer(data["firm"].to_numpy(), data["firm"].to_numpy())
        weight = weight * (gap == 0) + same * (gap > 0) * (gap <= lags) * (1 - gap / (lags + 1))
    bread = np.linalg.inv(x.T @ x)
    score = x * u[:, None]
    k = 4 + data["firm"].nunique() + data["year"].nunique() - 1
    variance = bread @ score.T @ weight @ score @ bread * len(data) / (len(data) - k)
    ours = conley(fit, **PLACES, cutoff_km=cutoff, kernel=kernel, time=time, unit="firm" if lags else None, lags=lags)
    return np.vstack([np.sqrt(np.diag(variance)), ours.coefficients["se"]])


# --- agreement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cutoff", [200, 500])
def test_equals_fixest_in_r(cutoff: int) -> None:
    """fixest's sphere has a radius of 6376 km; one pair of cities lies between its 200 km and ours."""
    ours = conley(FIT, **PLACES, cutoff_km=cutoff * EARTH_RADIUS_KM / 6376)
    rows = REFERENCE[REFERENCE["reference"] == f"feols {FORMULA.replace(' ', '')}, Conley uniform {cutoff} km"]
    compared = 0
    for row in rows.itertuples():
        if row.quantity in ("estimate", "se"):
            assert ours.coefficients.loc[row.term, row.quantity] == pytest.approx(row.value, abs=1e-11)
            compared += 1
    assert compared == 4


@pytest.mark.parametrize(
    ("kernel", "cutoff", "time", "lags"),
    [("uniform", 300, None, 0), ("bartlett", 300, None, 0), ("uniform", 150, "year", 0), ("bartlett", 400, "year", 3)],
)
def test_equals_the_double_sum(kernel: str, cutoff: float, time: str | None, lags: int) -> None:
    theirs, ours = double_sum(kernel, cutoff, time, lags)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_within_places_only_equals_clustering_by_place() -> None:
    """Cut-off below the smallest distance: clusters of the same place, up to the small-sample factor."""
    ours = conley(FIT, **PLACES, cutoff_km=0.001).coefficients["se"]
    clustered = FIT.under("cluster:city").coefficients["se"]
    ratio = ours / clustered
    np.testing.assert_allclose(ratio, ratio.iloc[0], rtol=1e-9)


def test_every_row_its_own_place_equals_heteroskedasticity_robust() -> None:
    data = PANEL[PANEL["firm"] < 100]
    fit = regress(FORMULA, data.assign(lat=np.linspace(-80, 80, len(data)), lon=0.0))
    ours = conley(fit, **PLACES, cutoff_km=0.001).coefficients["se"]
    np.testing.assert_allclose(ours, fit.under("hetero").coefficients["se"], rtol=1e-9)


@settings(max_examples=8, deadline=None)
@given(shift=st.floats(-100, 60), seed=st.integers(0, 1000))
def test_rotation_of_the_globe_and_row_order_do_not_matter(shift: float, seed: int) -> None:
    data = PANEL.sample(frac=1, random_state=seed)
    turned = regress(FORMULA, data.assign(lon=data["lon"] + shift), singletons="drop")
    options = {**PLACES, "cutoff_km": 333.0, "kernel": "bartlett", "time": "year", "unit": "firm", "lags": 2}
    np.testing.assert_allclose(
        conley(turned, **options).coefficients["se"], conley(FIT, **options).coefficients["se"], rtol=1e-7
    )


def test_estimates_stay_and_the_name_says_what_the_errors_are() -> None:
    ours = conley(FIT, **PLACES, cutoff_km=250, time="year")
    pd.testing.assert_series_equal(ours.coefficients["estimate"], FIT.coefficients["estimate"])
    assert ours.vcov == "conley:250 km, uniform, by year"
    pd.testing.assert_frame_equal(ours.under("iid").coefficients, FIT.coefficients)


def test_only_the_terms_wanted() -> None:
    everything = conley(FIT, **PLACES, cutoff_km=200).coefficients
    some = conley(FIT, **PLACES, cutoff_km=200, terms=["x2", "D"]).coefficients
    pd.testing.assert_frame_equal(some, everything.loc[["x2", "D"]])


def test_event_years_keep_their_labels() -> None:
    data = PANEL.assign(event_time=PANEL["rel"].where(PANEL["cohort"] > 0))
    fit = event_study("y ~ {event} | firm + year", data, leads=-2, lags=2, base=[-1])
    ours = conley(fit, **PLACES, cutoff_km=200, kernel="bartlett").coefficients
    assert list(ours.index) == [-2, -1, 0, 1, 2]
    pd.testing.assert_series_equal(ours["estimate"], fit.coefficients["estimate"], check_names=False)
    assert ours.loc[-1, "se"] == 0


def test_size_with_spatially_correlated_errors() -> None:
    """Regressor and error are smooth over space: usual t tests reject a true null far too often."""
    rng = np.random.default_rng(5)
    n, years = 60, 12
    lat, lon = rng.uniform(20, 45, n), rng.uniform(85, 125, n)
    km = great_circle_km(lat[:, None], lon[:, None], lat, lon)
    root = np.linalg.cholesky(np.exp(-((km / 400) ** 2)) + 1e-8 * np.eye(n))
    rows = {"lat": np.repeat(lat, years), "lon": np.repeat(lon, years), "year": np.tile(np.arange(years), n)}
    usual, robust = [], []
    for _ in range(120):
        fields = {name: (root @ rng.normal(size=(n, years))).ravel() for name in ("x", "y")}
        fit = regress("y ~ x", pd.DataFrame(rows | fields))
        ours = conley(fit, **PLACES, cutoff_km=800, kernel="bartlett", time="year")
        usual.append(fit.coefficients.loc["x", "p"] < 0.05)
        robust.append(ours.coefficients.loc["x", "p"] < 0.05)
    assert np.mean(usual) > 0.15
    assert np.mean(robust) < 0.12


# --- joint tests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster:city", "cluster:city+year"])
def test_covariance_has_the_standard_errors_and_one_term_gives_t_squared(vcov: str) -> None:
    fit = FIT.under(vcov)
    matrix, df = covariance(fit)
    np.testing.assert_allclose(np.sqrt(np.diag(matrix)), fit.coefficients["se"], rtol=1e-12)
    single = wald(fit, ["x1"])
    assert single["statistic"] == pytest.approx(fit.coefficients.loc["x1", "t"] ** 2)
    assert single["p"] == pytest.approx(fit.coefficients.loc["x1", "p"], rel=1e-9)
    assert single["df2"] == df


@pytest.mark.parametrize(
    ("vcov", "options"),
    [("iid", {}), ("hetero", {"cov_type": "HC1"}), ("cluster:city", {"cov_type": "cluster"})],
)
def test_joint_test_equals_statsmodels(vcov: str, options: dict) -> None:
    if vcov == "cluster:city":
        options = options | {"cov_kwds": {"groups": PANEL["city"]}, "use_t": True}
    theirs = smf.ols("y ~ D + x1 + x2 + x3 + x4", PANEL).fit(**options).f_test("x2 = 0, x3 = 0, x4 = 0")
    ours = wald(regress("y ~ D + x1 + x2 + x3 + x4", PANEL, vcov), ["x2", "x3", "x4"])
    assert ours["statistic"] == pytest.approx(float(theirs.fvalue), rel=1e-8)
    assert ours["df1"] == 3


def test_joint_test_of_event_years_leaves_the_base_out() -> None:
    data = PANEL.assign(event_time=PANEL["rel"].where(PANEL["cohort"] > 0))
    fit = event_study("y ~ {event} + x1 | firm + year", data, leads=-3, lags=3, base=[-1], vcov="cluster:city")
    leads = wald(fit, [-3, -2, -1])
    assert leads["df1"] == 2
    pd.testing.assert_series_equal(leads, wald(fit, [-3, -2]))


def test_joint_test_does_not_depend_on_units_and_takes_conley_errors() -> None:
    data = PANEL.assign(x1=1e6 * PANEL["x1"], y=1e-3 * PANEL["y"])
    other = regress(FORMULA, data, singletons="drop")
    matrices = [conley_covariance(fit, **PLACES, cutoff_km=200) for fit in (FIT, other)]
    ours, scaled = (wald(fit, ["x1", "x2"], matrix) for fit, matrix in zip((FIT, other), matrices, strict=True))
    np.testing.assert_allclose(ours, scaled, rtol=1e-6)
    by_hand = FIT.coefficients.loc[["x1", "x2"], "estimate"].to_numpy()
    block = matrices[0].loc[["x1", "x2"], ["x1", "x2"]].to_numpy()
    assert ours["statistic"] == pytest.approx(by_hand @ np.linalg.solve(block, by_hand) / 2)


def test_joint_test_holds_its_size() -> None:
    rng = np.random.default_rng(3)
    rejected = []
    for _ in range(150):
        data = pd.DataFrame(rng.normal(size=(200, 4)), columns=["y", "a", "b", "c"])
        data["city"] = np.arange(200) % 40
        data["y"] += rng.normal(size=40)[data["city"]]
        data["a"] += rng.normal(size=40)[data["city"]]
        rejected.append(wald(regress("y ~ a + b + c", data, "cluster:city"), ["a", "b", "c"])["p"] < 0.1)
    assert 0.04 < np.mean(rejected) < 0.19


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"cutoff_km": 0}, ParameterError, "positive distance"),
        ({"cutoff_km": np.nan}, ParameterError, "positive distance"),
        ({"kernel": "gauss"}, ParameterError, "uniform"),
        ({"lags": 2}, ParameterError, "'time' and 'unit'"),
        ({"lags": -1}, ParameterError, "lags = -1"),
        ({"lat": "latitude"}, DeclarationError, "latitude"),
        ({"terms": ["x9"]}, DeclarationError, "x9"),
        ({"cutoff_km": 30_000}, DataError, "largest distance"),
    ],
)
def test_bad_arguments(changes: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        conley(FIT, **({**PLACES, "cutoff_km": 200} | changes))


def test_missing_and_impossible_coordinates() -> None:
    lost = regress(FORMULA, PANEL.assign(lat=PANEL["lat"].where(PANEL["city"] != 67)), singletons="drop")
    with pytest.raises(DataError, match="'lat' is missing in"):
        conley(lost, **PLACES, cutoff_km=200)
    swapped = regress(FORMULA, PANEL, singletons="drop")
    with pytest.raises(DataError, match="degrees up to 90"):
        conley(swapped, lat="lon", lon="lat", cutoff_km=200)


def test_two_stage_least_squares_is_refused() -> None:
    fit = regress("yiv ~ x1 | firm + year | endo ~ z1", PANEL)
    with pytest.raises(DeclarationError, match="OLS"):
        conley(fit, **PLACES, cutoff_km=200)


def test_joint_tests_that_cannot_be_made() -> None:
    with pytest.raises(DeclarationError, match="'zone_900'"):
        wald(FIT, ["x1", "zone_900"])
    beyond = regress("y ~ D + x1 + far | firm + year", PANEL.assign(far=0))
    with pytest.raises(DeclarationError, match="'far'"):  # a band without any zone is dropped, not tested
        wald(beyond, ["far"])
    with pytest.raises(DeclarationError, match="no term"):
        wald(FIT, [])
    few = regress("y ~ D + x1 + x2 + x3 + x4", PANEL.assign(half=PANEL["city"] % 2), "cluster:half")
    with pytest.raises(DataError, match="singular"):
        wald(few, ["x1", "x2", "x3"])
    with pytest.raises(DeclarationError, match="pass the covariance"):
        wald(conley(FIT, **PLACES, cutoff_km=200), ["x1"])
