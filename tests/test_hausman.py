"""Tests of fixed against random effects: against R, known truths, Mundlak's algebra, and under bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.hausman import hausman
from pilotzones.estimators.regression import regress


def grunfeld() -> pd.DataFrame:
    """Return the ten firms that R's plm has; statsmodels has an eleventh."""
    return sm.datasets.grunfeld.load_pandas().data.query("firm != 'American Steel'")


def simulated(seed: int, related: float = 0.0, n: int = 150, periods: int = 6, missing: float = 0.0) -> pd.DataFrame:
    """y = x + 0.5 w + mu + shock of the year + e; x contains ``related`` times the unit effect mu."""
    rng = np.random.default_rng(seed)
    firm, year = np.repeat(np.arange(n), periods), np.tile(np.arange(2010, 2010 + periods), n)
    mu, (x, w, e) = rng.normal(size=n)[firm], rng.normal(size=(3, n * periods))
    x += rng.normal(size=n)[firm] + related * mu
    data = pd.DataFrame({"firm": firm, "year": year, "x": x, "w": w, "size": np.abs(mu), "city": firm % 30})
    data["y"] = x + 0.5 * w + mu + rng.normal(size=periods)[year - 2010] + e
    return data[rng.uniform(size=len(data)) >= missing].reset_index(drop=True)


def answers(data: pd.DataFrame, formula: str = "y ~ x + w | firm + year", **options: str) -> pd.DataFrame:
    return hausman(formula, data, unit="firm", time="year", **options)


def test_equals_plm_on_grunfelds_firms() -> None:
    """plm's phtest(inv ~ value + capital) prints chisq = 2.3304, df = 2, p-value = 0.3119."""
    row = answers(grunfeld(), "invest ~ value + capital | firm").loc["Hausman"]
    assert (round(row["statistic"], 4), row["df"], round(row["p"], 4)) == (2.3304, 2, 0.3119)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_rejects_at_the_nominal_rate_when_random_effects_are_right(missing: float) -> None:
    p = pd.DataFrame([answers(simulated(seed, missing=missing, n=80))["p"] for seed in range(50)])
    assert (p < 0.05).mean().between(0.0, 0.142).all()  # three standard errors above 5%
    assert p.mean().between(0.38, 0.62).all()  # uniform: 0.5


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_rejects_when_the_unit_effects_are_related_to_a_regressor(missing: float) -> None:
    p = pd.DataFrame([answers(simulated(seed, related=0.5, n=400, missing=missing))["p"] for seed in range(10)])
    assert (p < 0.001).all().all()


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_mundlaks_slopes_are_the_within_estimates(missing: float) -> None:
    """Both tests ask about the same contrast: an F of the means of a regression whose slopes are within estimates."""
    data = simulated(3, related=0.5, missing=missing)
    periods = {f"p{year}": (data["year"] == year).astype(float) for year in range(2011, 2016)}
    data = data.assign(**periods)
    means = data.groupby("firm")[["x", "w", *periods]].transform("mean").add_prefix("m_")
    # periods and their means as given by hand; a balanced panel's are constants, and dropped
    wide = regress(f"y ~ {' + '.join([*periods, 'x', 'w', *means])}", data.join(means), "cluster:city")
    within = regress("y ~ x + w | firm + year", data)
    np.testing.assert_allclose(
        wide.coefficients.loc[["x", "w"], "estimate"], within.coefficients["estimate"], rtol=1e-8
    )
    row = answers(data, cluster="city").loc["Mundlak"]
    cov = sm.OLS(
        data["y"], sm.add_constant(data.join(means)[[*periods, "x", "w", *means]].loc[:, lambda d: d.std() > 0])
    )
    fit = cov.fit(cov_type="cluster", cov_kwds={"groups": data["city"]}, use_t=True)
    f = fit.f_test("m_x = 0, m_w = 0")
    assert (row["df"], row["df2"]) == (2, 29)
    assert row["statistic"] == pytest.approx(float(np.squeeze(f.fvalue)), rel=1e-6)
    assert row["p"] == pytest.approx(float(f.pvalue), rel=1e-5)


def test_clusters_are_units_unless_said_otherwise() -> None:
    data = simulated(1)
    assert answers(data).loc["Mundlak", "df2"] == 149
    pd.testing.assert_frame_equal(answers(data), answers(data, cluster="firm"))
    assert answers(data).loc["Hausman", "p"] == answers(data, cluster="city").loc["Hausman", "p"]


def test_regressors_without_variation_in_units_are_not_compared() -> None:
    data = simulated(1).assign(trend=lambda d: d["year"] - 2010.0)
    plain, more = answers(data), answers(data, "y ~ x + size + w + trend | firm + year")
    assert (more["df"] == 2).all() and (more["note"] == "not compared: size, trend").all()
    # the unit-constant one takes part of the unit effect in both random effects and Mundlak's regression
    assert (more["statistic"] != plain["statistic"]).all()
    only = answers(data, "y ~ x + w + trend | firm + year")
    np.testing.assert_allclose(only["statistic"], plain["statistic"], rtol=1e-6)
    # the same in all units of a balanced panel
    assert (answers(data, "y ~ x + w + trend | firm")["note"] == "not compared: trend").all()


def test_a_difference_of_variances_that_is_not_positive_definite_has_no_p() -> None:
    """The unit effects are so much related to the regressors that random effects fit worse than they should."""
    panel = pd.read_csv(Path(__file__).parent / "reference" / "reference_panel.csv")
    result = answers(panel, "y ~ D + x1 + x2 | firm", cluster="city")
    assert result.loc["Hausman", "statistic"] < 0
    assert np.isnan(result.loc["Hausman", "p"]) and "not positive definite" in result.loc["Hausman", "note"]
    assert result.loc["Mundlak", "p"] < 0.001 and result.loc["Mundlak", "note"] == ""


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**16), a=st.sampled_from([-2.0, 1e-4, 1e6]), b=st.sampled_from([1e-6, -3.0, 1e5]),
    shift=st.floats(-100, 100),
)  # fmt: skip
def test_order_names_units_and_origin_do_not_matter(seed: int, a: float, b: float, shift: float) -> None:
    data = simulated(5, related=0.2, n=40, missing=0.2)
    names = np.random.default_rng(seed).permutation(40)
    other = data.assign(
        firm=[f"企业 {names[i]}" for i in data["firm"]], y=a * (data["y"] + shift), x=b * data["x"] + b
    ).sample(frac=1.0, random_state=seed)
    np.testing.assert_allclose(
        answers(other)[["statistic", "df", "p"]], answers(data)[["statistic", "df", "p"]], rtol=1e-5
    )


def test_incomplete_rows_are_left_out_and_data_are_not_changed() -> None:
    data = simulated(2)
    holes = data.assign(x=data["x"].mask(data.index % 7 == 0))
    copy = holes.copy(deep=True)
    pd.testing.assert_frame_equal(answers(holes), answers(data[data.index % 7 != 0]))
    pd.testing.assert_frame_equal(holes, copy)


DATA = simulated(0, n=20)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x", r"expected 'y ~ x1 \+ x2 \| firm'"),
        ("y ~ x | year", r"expected 'y ~ x1 \+ x2 \| firm'"),
        ("y ~ x | firm + city", r"expected 'y ~ x1 \+ x2 \| firm'"),
        ("y ~ x | firm | w ~ size", r"expected 'y ~ x1 \+ x2 \| firm'"),
        ("y + x | firm", r"expected 'y ~ x1 \+ x2 \| firm'"),
        ("y ~ x + wage | firm", "no column 'wage'"),
        ("y ~ log(x) | firm", r"no column 'log\(x\)'"),
    ],
)
def test_bad_formulas_are_named(formula: str, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        answers(DATA, formula)


def test_bad_data_are_named() -> None:
    with pytest.raises(DataError, match="'firm' 3 has two rows in 'year' 2012"):
        answers(pd.concat([DATA, DATA.query("firm == 3 and year == 2012")]))
    with pytest.raises(DeclarationError, match="collinear"):
        answers(DATA, "y ~ size | firm")
    with pytest.raises(DataError, match="no complete row"):
        answers(DATA.assign(x=np.nan))
