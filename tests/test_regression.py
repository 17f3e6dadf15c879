"""Regressions against R, against linearmodels, against known truths, and under bad input."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from linearmodels.iv import IV2SLS
from linearmodels.iv.absorbing import AbsorbingLS
from linearmodels.panel import PanelOLS
from pyfixest.demeaners import MapDemeaner

from pilotzones.errors import DataError, DeclarationError, PilotZonesError
from pilotzones.estimators.regression import Regression, regress

HERE = Path(__file__).parent
REFERENCE = pd.read_csv(HERE / "reference" / "r_reference.csv")
PANEL = pd.read_csv(HERE / "reference" / "reference_panel.csv")
# options that regress() does not have, and rows that belong to other tests
NOT_HERE = "Conley|event time|K.fixef full|no small-sample"
FEOLS = [name for name in REFERENCE["reference"].unique() if name.startswith("feols") and not re.search(NOT_HERE, name)]

BOTH_R2 = {"r2": "r2", "wr2": "r2_within", "n_obs": "n_obs"}
TERMS = {"(Intercept)": "Intercept", "fit_endo": "endo"}


def simulated(seed: int = 0, firms: int = 60, years: int = 8, noise: float = 1.0) -> pd.DataFrame:
    """y = 0.5 x - 0.2 w + firm and province-year effects + noise, on an unbalanced panel; effects move x and w."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {"firm": np.repeat(np.arange(firms), years), "year": np.tile(np.arange(2011, 2011 + years), firms)}
    )
    data["city"] = data["firm"] % 20
    data["province"] = data["firm"] % 5
    firm = rng.normal(size=firms)[data["firm"]]
    shock = rng.normal(size=(5, years))[data["province"], data["year"] - 2011]
    data["x"] = firm + shock + rng.normal(size=len(data))
    data["w"] = rng.normal(size=len(data)) + 0.5 * firm
    data["y"] = 0.5 * data["x"] - 0.2 * data["w"] + 2 * firm + shock + noise * rng.normal(size=len(data))
    return data[rng.random(len(data)) < 0.85].reset_index(drop=True)


def dummies(*columns: pd.Series) -> np.ndarray:
    return np.hstack([pd.get_dummies(c, dtype=float).to_numpy() for c in columns])


def close(a: Regression, b: Regression, rtol: float = 1e-8) -> None:
    pd.testing.assert_frame_equal(a.coefficients, b.coefficients, rtol=rtol, atol=1e-12)
    assert a.n_obs == b.n_obs
    np.testing.assert_allclose([a.r2, a.r2_within], [b.r2, b.r2_within], rtol=rtol)


# --- agreement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FEOLS)
def test_equals_fixest_in_r(name: str) -> None:
    formula, _, rest = re.sub("^feols (2sls )?", "", name).partition(", ")
    errors, _, kept = rest.partition(", ")
    result = regress(formula, PANEL, errors.replace("cluster ", "cluster:"), singletons="keep" if kept else "drop")

    compared = 0
    for row in REFERENCE[REFERENCE["reference"] == name].itertuples():
        if row.quantity in ("estimate", "se"):
            ours = result.coefficients.loc[TERMS.get(row.term, row.term), row.quantity]
        elif row.quantity in BOTH_R2 and not np.isnan(row.value):
            ours = getattr(result, BOTH_R2[row.quantity])
        else:
            continue
        assert ours == pytest.approx(row.value, abs=1e-8), (row.term, row.quantity)
        compared += 1
    assert compared >= 7


def test_all_references_of_this_kind_are_compared() -> None:
    assert len(FEOLS) == 14


@pytest.mark.parametrize(
    ("options", "vcov"),
    [
        ({}, "iid"),
        ({"cov_type": "robust"}, "hetero"),
        ({"cov_type": "clustered", "group_debias": True}, "cluster:city"),
        ({"cov_type": "clustered", "cluster_entity": True, "group_debias": True}, "cluster:firm"),
    ],
)
def test_equals_panel_ols_after_conversion(options: dict, vcov: str) -> None:
    ours = regress("y ~ D + x1 + x2 + x3 | firm + year", PANEL, vcov, singletons="drop")
    many = PANEL[PANEL.groupby("firm")["firm"].transform("size") > 1].set_index(["firm", "year"])
    if vcov == "cluster:city":
        options = options | {"clusters": many[["city"]]}
    model = PanelOLS(many["y"], many[["D", "x1", "x2", "x3"]], entity_effects=True, time_effects=True)
    theirs = model.fit(**options)

    n, firms, years = len(many), PANEL.loc[PANEL["firm"].duplicated(), "firm"].nunique(), PANEL["year"].nunique()
    full, not_nested = 4 + firms + years - 1, 4 + 1 + years - 1
    factor = np.sqrt((n - full) / (n - not_nested)) if "cluster" in vcov else 1.0
    np.testing.assert_allclose(ours.coefficients["estimate"], theirs.params, atol=1e-9)
    np.testing.assert_allclose(ours.coefficients["se"], theirs.std_errors * factor, rtol=1e-9)
    assert ours.n_obs == n


def test_equals_absorbing_ls_after_conversion_with_singletons_kept() -> None:
    ours = regress("y ~ D + x1 + x2 + x3 | firm + prov^year", PANEL, "cluster:city")
    cells = PANEL["prov"] * 10_000 + PANEL["year"]
    absorbed = pd.DataFrame({"firm": PANEL["firm"].astype("category"), "cell": cells.astype("category")})
    model = AbsorbingLS(PANEL["y"], PANEL[["D", "x1", "x2", "x3"]], absorb=absorbed)
    iid = model.fit(cov_type="unadjusted", debiased=True)
    clustered = model.fit(cov_type="clustered", clusters=PANEL["city"], debiased=True)

    n, firms, levels = len(PANEL), PANEL["firm"].nunique(), cells.nunique()
    factor = np.sqrt((n - (4 + firms + levels - 1)) / (n - (4 + 1 + levels - 1)))
    np.testing.assert_allclose(ours.coefficients["estimate"], iid.params, atol=1e-9)
    np.testing.assert_allclose(ours.under("iid").coefficients["se"], iid.std_errors, rtol=1e-9)
    np.testing.assert_allclose(ours.coefficients["se"], clustered.std_errors * factor, rtol=1e-9)


def test_two_stage_least_squares_equals_linearmodels_on_partialled_out_data() -> None:
    ours = regress("yiv ~ x1 + x2 | firm + year | endo ~ z1 + z2", PANEL, "cluster:city")
    columns = ["yiv", "x1", "x2", "endo", "z1", "z2"]
    effects = dummies(PANEL["firm"], PANEL["year"])
    values = PANEL[columns].to_numpy()
    left = pd.DataFrame(values - effects @ np.linalg.lstsq(effects, values, rcond=None)[0], columns=columns)
    theirs = IV2SLS(left["yiv"], left[["x1", "x2"]], left["endo"], left[["z1", "z2"]]).fit(
        cov_type="clustered", clusters=PANEL["city"], debiased=False
    )
    n, clusters, k = len(PANEL), PANEL["city"].nunique(), 3 + 1 + PANEL["year"].nunique() - 1
    factor = np.sqrt(clusters / (clusters - 1) * (n - 1) / (n - k))
    np.testing.assert_allclose(ours.coefficients["estimate"], theirs.params, atol=1e-9)
    np.testing.assert_allclose(ours.coefficients["se"], theirs.std_errors * factor, rtol=1e-9)


@pytest.mark.parametrize(("vcov", "theirs"), [("iid", "nonrobust"), ("hetero", "HC1")])
def test_equals_dummy_variables(vcov: str, theirs: str) -> None:
    data = simulated()
    ours = regress("y ~ x + w | firm + year", data, vcov)
    dense = smf.ols("y ~ x + w + C(firm) + C(year)", data).fit(cov_type=theirs, use_t=True)
    low, high = dense.conf_int().loc[["x", "w"]].to_numpy().T
    for column, value in {"estimate": dense.params, "se": dense.bse, "t": dense.tvalues, "p": dense.pvalues}.items():
        np.testing.assert_allclose(ours.coefficients.loc[["x", "w"], column], value[["x", "w"]], rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(ours.coefficients.loc[["x", "w"], "low"], low, rtol=1e-8)
    np.testing.assert_allclose(ours.coefficients.loc[["x", "w"], "high"], high, rtol=1e-8)
    assert ours.r2 == pytest.approx(dense.rsquared, abs=1e-10)


@pytest.mark.parametrize(
    ("vcov", "theirs"),
    [("iid", {}), ("hetero", {"cov_type": "HC1"}), ("cluster:city", {"cov_type": "cluster", "groups": "city"})],
)
def test_the_constant_is_the_mean_of_the_effects(vcov: str, theirs: dict) -> None:
    """In a regression with dummies for all effects it is their mean over rows, with that combination's error."""
    data = simulated()
    ours = regress("y ~ x + w | firm + year", data, vcov, constant=True).coefficients
    effects = np.column_stack([dummies(data["firm"]), dummies(data["year"])[:, 1:]])
    design = np.column_stack([data[["x", "w"]], effects])
    options = {"cov_kwds": {"groups": data[theirs["groups"]]}} if "groups" in theirs else {}
    dummy = sm.OLS(data["y"].to_numpy(), design).fit(cov_type=theirs.get("cov_type", "nonrobust"), **options)
    mean = dummy.t_test(np.concatenate([[0.0, 0.0], effects.mean(axis=0)]))
    assert ours.at["_cons", "estimate"] == pytest.approx(mean.effect[0], rel=1e-9)
    # nested firm effects are not counted under clustering: compare relative to a slope
    assert ours.at["_cons", "se"] / ours.at["x", "se"] == pytest.approx(mean.sd[0, 0] / dummy.bse[0], rel=1e-8)
    if "groups" not in theirs:
        assert ours.at["_cons", "se"] == pytest.approx(mean.sd[0, 0], rel=1e-8)
    slopes = regress("y ~ x + w | firm + year", data, vcov).coefficients
    pd.testing.assert_frame_equal(ours.loc[["x", "w"]], slopes)


def test_the_two_way_variance_of_the_constant_adds_up() -> None:
    data = simulated().assign(half=lambda d: d["firm"] % 7)
    data["both"] = data["city"].astype(str) + "," + data["half"].astype(str)
    fit = regress("y ~ x | year", data, constant=True)
    one_way = {by: fit.under(f"cluster:{by}").coefficients["se"] ** 2 for by in ("city", "half", "both")}
    raw = {by: variance * (1 - 1 / data[by].nunique()) for by, variance in one_way.items()}  # without G / (G - 1)
    expected = (raw["city"] + raw["half"] - raw["both"]) * 7 / 6  # the smaller number of clusters
    two_way = fit.under("cluster:city+half").coefficients["se"] ** 2
    pd.testing.assert_series_equal(two_way, expected, rtol=1e-8)


def test_intervals_under_clustering_use_the_number_of_clusters() -> None:
    result = regress("y ~ x | firm + year", simulated(), "cluster:province")
    row = result.coefficients.loc["x"]
    assert result.n_clusters == 5
    assert (row["high"] - row["estimate"]) / row["se"] == pytest.approx(2.7764451, abs=1e-6)  # t, 4 degrees, 97.5%


def test_r2_within_unit_is_that_of_xtreg() -> None:
    data = simulated()
    result = regress("y ~ x + w | firm + year", data, unit="firm")
    spread = data["y"] - data.groupby("firm")["y"].transform("mean")
    # xtreg, fe with year dummies: its within R2 is that of the regression on unit-demeaned data
    frame = data[["y", "x", "w"]].join(pd.get_dummies(data["year"], prefix="t", dtype=float))
    demeaned = frame - frame.groupby(data["firm"]).transform("mean")
    x = demeaned.drop(columns="y").to_numpy()
    residual = spread - x @ np.linalg.lstsq(x, spread, rcond=None)[0]
    assert result.r2_within_unit == pytest.approx(1 - residual @ residual / (spread @ spread), abs=1e-9)
    assert result.r2_within < result.r2_within_unit < result.r2
    assert np.isnan(regress("y ~ x", data).r2_within)


# --- conventions -----------------------------------------------------------------------------------------------------


def test_under_equals_a_new_estimation_and_leaves_the_old_one() -> None:
    data = simulated()
    first = regress("y ~ x + w | firm + year", data, "iid", unit="firm")
    before = first.coefficients.copy()
    for vcov in ("hetero", "cluster:city", "cluster:city+year", "iid"):
        again = first.under(vcov)
        anew = regress("y ~ x + w | firm + year", data, vcov, unit="firm")
        pd.testing.assert_frame_equal(again.coefficients, anew.coefficients, check_exact=True)
        assert (again.vcov, again.n_clusters) == (vcov, anew.n_clusters)
    pd.testing.assert_frame_equal(first.coefficients, before, check_exact=True)


def test_under_uses_the_data_as_they_were() -> None:
    data = simulated()
    expected = regress("y ~ x | firm", data, "cluster:city").coefficients
    result = regress("y ~ x | firm", data)
    data["city"] = 1
    pd.testing.assert_frame_equal(result.under("cluster:city").coefficients, expected, check_exact=True)


def test_an_effect_inside_an_interaction_is_redundant() -> None:
    data = simulated()
    short = regress("y ~ x + w | firm + province^year", data, "cluster:city")
    long = regress("y ~ x + w | firm + year + year^province + province", data, "cluster:city")
    pd.testing.assert_frame_equal(short.coefficients, long.coefficients, check_exact=True)
    whole = pyfixest.feols(
        "y ~ x + w | firm + year + province^year", data, fixef_rm="none", demeaner=MapDemeaner(fixef_tol=1e-10)
    )
    np.testing.assert_allclose(short.coefficients["estimate"], whole.coef(), atol=1e-9)


def test_collinear_regressors_are_dropped_and_named_without_a_warning() -> None:
    data = simulated()
    data["age"] = data["year"] - 1990 + data["firm"] % 7
    data["w2"] = 2 * data["w"] + data["x"]
    data["output"] = 1e9 * (data["province"] + data["year"] % 3)  # collinear with the effects, in large units
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = regress("y ~ x + w + age + w2 + output | firm + province^year", data, "cluster:city")
    assert result.dropped == ("age", "w2", "output")
    assert list(result.coefficients.index) == ["x", "w"]
    close(result, regress("y ~ x + w | firm + province^year", data, "cluster:city"))


@pytest.mark.parametrize("unit_of_measurement", [1e-7, 1e-3, 1e4, 1e11])
def test_units_of_measurement_do_not_decide_what_is_collinear(unit_of_measurement: float) -> None:
    data = simulated()
    expected = regress("y ~ x + w | firm + year", data)
    data["x"] *= unit_of_measurement
    data["y"] *= unit_of_measurement**2
    result = regress("y ~ x + w | firm + year", data)
    assert result.dropped == ()
    np.testing.assert_allclose(result.coefficients["t"], expected.coefficients["t"], rtol=1e-9)


def test_singletons() -> None:
    data = simulated()
    alone = data.iloc[[0, 1]].assign(firm=[900, 901])
    chained = pd.concat([data, alone, alone.assign(firm=[902, 902], year=[2050, 2011])], ignore_index=True)
    kept = regress("y ~ x | firm + year", chained)
    dropped = regress("y ~ x | firm + year", chained, singletons="drop")
    # year 2050 has one row; without it firm 902 has one row as well
    assert (kept.n_singletons, dropped.n_singletons) == (0, 4)
    assert (kept.n_obs, dropped.n_obs) == (len(chained), len(data))
    assert kept.coefficients.loc["x", "estimate"] == pytest.approx(dropped.coefficients.loc["x", "estimate"], abs=1e-9)
    close(dropped, regress("y ~ x | firm + year", data, singletons="drop"))


def test_missing_values_drop_the_row_and_nothing_else() -> None:
    data = simulated()
    gaps = data.copy()
    gaps.loc[3, "x"] = gaps.loc[10, "y"] = np.nan
    gaps["province"] = gaps["province"].astype("float").mask(gaps.index == 20)
    gaps["unused"] = np.nan
    close(
        regress("y ~ x | firm + province^year", gaps, "cluster:city"),
        regress("y ~ x | firm + province^year", data.drop([3, 10, 20]), "cluster:city"),
        rtol=1e-12,
    )


def test_types_of_columns_do_not_matter() -> None:
    data = simulated()
    data["d"] = (data["w"] > 0).astype(int)
    expected = regress("y ~ x + d | firm + province^year", data, "cluster:city+year")
    typed = data.assign(
        y=data["y"].astype("Float64"),
        d=data["d"].astype("boolean"),
        firm=data["firm"].map("firm {}".format),
        province=pd.Categorical(data["province"], categories=[9, 4, 3, 2, 1, 0]),
        year=data["year"].astype("Int16"),
        city=data["city"].map("市{}".format).astype("string"),
    )
    close(regress("y ~ x + d | firm + province^year", typed, "cluster:city+year"), expected, rtol=1e-10)
    close(regress("y ~ x + d | firm + province^year", typed.assign(d=data["d"] == 1), "cluster:city+year"), expected)


def test_data_are_left_as_they_are() -> None:
    data = simulated().set_index(pd.Index([f"row {i}" for i in range(len(simulated()))]))
    data.loc["row 5", "x"] = np.nan
    before = data.copy(deep=True)
    regress("y ~ x | firm + province^year", data, "cluster:city", singletons="drop", unit="firm").under("iid")
    pd.testing.assert_frame_equal(data, before)


def test_residuals_carry_the_labels_of_their_rows() -> None:
    data = simulated()
    data.loc[4, "x"] = np.nan
    data.index = data.index + 1000
    residuals = regress("y ~ x + w | firm + province^year", data).residuals()
    assert list(residuals.index) == list(data.index.drop(1004))
    for group in (data["firm"], [data["province"], data["year"]]):
        assert np.abs(data.assign(u=residuals).groupby(group)["u"].sum()).max() < 1e-7
    used = data.loc[residuals.index]
    assert abs(residuals @ used["x"]) < 1e-7 and abs(residuals @ used["w"]) < 1e-7
    assert residuals.std() == pytest.approx(1.0, abs=0.2)


def test_instruments_collinear_with_the_regressors_are_dropped() -> None:
    data = PANEL.assign(z3=PANEL["x1"] - PANEL["x2"])
    result = regress("yiv ~ x1 + x2 | firm + year | endo ~ z3 + z1 + z2", data, "cluster:city")
    assert result.dropped == ("z3",)
    close(result, regress("yiv ~ x1 + x2 | firm + year | endo ~ z1 + z2", data, "cluster:city"))


def test_same_bits_under_any_hash_seed_and_order_of_effects() -> None:
    script = """
import sys
import pandas as pd
from pilotzones.estimators.regression import regress
data = pd.read_csv(sys.argv[1])
for effects in ("firm + year + prov^year", "prov^year + firm + year", "firm + year", "year + firm"):
    result = regress(f"y ~ D + x1 + x2 + x3 | {effects}", data, "cluster:firm", singletons="drop")
    for vcov in ("cluster:firm", "cluster:year", "cluster:firm+year", "iid"):
        table = result.under(vcov).coefficients
        print(vcov, result.n_obs, *(value.hex() for value in table.to_numpy().ravel()))
"""
    outputs = set()
    for seed in ("0", "1", "42"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(HERE / "reference" / "reference_panel.csv")],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(HERE.parent / "lib")},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    lines = outputs.pop().splitlines()
    assert lines[:4] == lines[4:8] and lines[8:12] == lines[12:]


# --- invariances -----------------------------------------------------------------------------------------------------

FE = "y ~ x + w | firm + province^year"
quick = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)


@quick
@given(seed=seeds, factor=st.floats(1e-6, 1e6), sign=st.sampled_from([-1, 1]))
def test_scaling_the_outcome_scales_the_estimates(seed: int, factor: float, sign: int) -> None:
    data = simulated(seed, firms=25, years=5)
    before = regress(FE, data, "cluster:city")
    after = regress(FE, data.assign(y=sign * factor * data["y"]), "cluster:city")
    np.testing.assert_allclose(
        after.coefficients["estimate"], sign * factor * before.coefficients["estimate"], rtol=1e-7, atol=1e-9 * factor
    )
    np.testing.assert_allclose(after.coefficients["se"], factor * before.coefficients["se"], rtol=1e-7)
    assert after.r2_within == pytest.approx(before.r2_within, abs=1e-8)


@quick
@given(seed=seeds, constant=st.floats(-1e4, 1e4), formula=st.sampled_from(["y ~ x + w", FE]))
def test_a_constant_added_to_a_regressor_changes_no_slope(seed: int, constant: float, formula: str) -> None:
    data = simulated(seed, firms=25, years=5)
    before = regress(formula, data, "hetero").coefficients.loc[["x", "w"]]
    after = regress(formula, data.assign(x=data["x"] + constant), "hetero").coefficients.loc[["x", "w"]]
    pd.testing.assert_frame_equal(after, before, rtol=1e-6, atol=1e-8)


@quick
@given(seed=seeds)
def test_the_order_of_rows_and_the_names_of_units_do_not_matter(seed: int) -> None:
    data = simulated(seed, firms=25, years=5)
    rng = np.random.default_rng(seed)
    other = data.sample(frac=1, random_state=seed)
    names = rng.permutation(10_000)[:25]
    other["firm"] = [f"{names[i]:04d}" for i in other["firm"]]
    other["city"] = -other["city"]
    close(regress(FE, other, "cluster:city+year"), regress(FE, data, "cluster:city+year"), rtol=1e-7)


@quick
@given(seed=seeds, size=st.floats(0.1, 100))
def test_a_unit_effect_added_to_the_outcome_changes_nothing(seed: int, size: float) -> None:
    data = simulated(seed, firms=25, years=5)
    effect = size * np.random.default_rng(seed).normal(size=25)[data["firm"]]
    before = regress(FE, data, "cluster:city").coefficients
    after = regress(FE, data.assign(y=data["y"] + effect), "cluster:city").coefficients
    pd.testing.assert_frame_equal(after, before, rtol=1e-6, atol=1e-8)


# --- known truth -----------------------------------------------------------------------------------------------------


def test_recovers_the_truth_exactly_without_noise() -> None:
    result = regress(FE, simulated(noise=0.0))
    np.testing.assert_allclose(result.coefficients["estimate"], [0.5, -0.2], atol=1e-9)
    assert result.r2 == pytest.approx(1.0, abs=1e-12)
    # without the effects the estimate is biased: the test panel would notice if they were not absorbed
    assert regress("y ~ x + w", simulated(noise=0.0)).coefficients.loc["x", "estimate"] > 1


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    inside = [
        row["low"] <= 0.5 <= row["high"]
        for row in (regress(FE, simulated(seed)).coefficients.loc["x"] for seed in range(200))
    ]
    assert 0.90 <= np.mean(inside) <= 0.99  # 95% +- 3 standard errors of 200 draws


def test_two_stage_least_squares_recovers_what_least_squares_misses() -> None:
    rng = np.random.default_rng(5)
    data = simulated(5, firms=300)
    hidden = rng.normal(size=len(data))
    data["z"] = rng.normal(size=len(data)) + data["firm"] / 100
    data["x"] = data["z"] + hidden + 0.5 * rng.normal(size=len(data))
    data["y"] = 0.5 * data["x"] - 2 * hidden + data["firm"] / 50 + 0.1 * rng.normal(size=len(data))
    ols = regress("y ~ x | firm + year", data).coefficients.loc["x"]
    tsls = regress("y ~ 1 | firm + year | x ~ z", data, "cluster:firm").coefficients.loc["x"]
    assert abs(tsls["estimate"] - 0.5) < 3 * tsls["se"] < 0.3
    assert abs(ols["estimate"] - 0.5) > 10 * ols["se"]


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ treat_pots | firm", {}, ["treat_pots", "did you mean treat_post?", "Available: firm, year"]),
        ("y ~ x | frm + year", {}, ["'frm'", "firm"]),
        ("y ~ x | firm + provnce^year", {}, ["'provnce'", "province"]),
        ("y ~ x | firm year", {}, ["'firm year'"]),
        ("y ~ x + {controls} | firm", {}, ["'controls'"]),
        ("y ~ x | firm | w ~ zz", {}, ["'zz'"]),
        ("y ~ x + | firm", {}, ["cannot be read"]),
        ("y ~ (x | firm", {}, ["cannot be read"]),
        ("y x | firm", {}, ["cannot be read"]),
        ("y ~ x | firm | year", {}, ["cannot be read"]),
        ("~ x", {}, ["exactly one outcome"]),
        ("y + x ~ w", {}, ["exactly one outcome"]),
        ("y ~ sw(x, w)", {}, ["exactly one outcome"]),
        ("y ~ logg(x)", {}, ["'logg'"]),
        ("y ~ x | firm | w + treat_post ~ z1 + z2", {}, ["endogenous"]),
        ("y ~ x", {"vcov": "cluster:cty"}, ["cty", "city"]),
        ("y ~ x", {"vcov": "robust"}, ["'robust'", "'hetero'"]),
        ("y ~ x", {"vcov": "cluster:"}, ["column"]),
        ("y ~ x", {"vcov": "cluster:firm+city+year"}, ["cluster:COLUMN+COLUMN"]),
        ("y ~ x", {"unit": "frim"}, ["unit", "frim", "firm"]),
        ("y ~ x | firm", {"singletons": "maybe"}, ["'keep' or 'drop'"]),
        ("y ~ 1 | firm", {}, ["no regressor"]),
        ("y ~ fixed | firm", {}, ["collinear", "given firm"]),
        ("y ~ x | firm | fixed ~ w", {}, ["the endogenous 'fixed'"]),
        ("y ~ x | firm | w ~ fixed", {}, ["all instruments"]),
        ("y ~ x | firm | w ~ x2", {}, ["all instruments"]),
        ("y ~ x | firm | y ~ w", {}, ["'y' is both the outcome"]),
        ("y ~ x | firm | w ~ w + x2", {}, ["the endogenous 'w'", "own instruments"]),
        ("text ~ x", {}, ["numeric"]),
    ],
)
def test_impossible_declarations(formula: str, options: dict, words: list[str]) -> None:
    data = simulated().assign(treat_post=0, z1=1.0, z2=2.0, text="a")
    data["text"] = np.where(data["x"] > 0, "a", "b")
    data["fixed"] = data["firm"] ** 0.5
    data["x2"] = 2 * data["x"]
    with pytest.raises(DeclarationError) as raised:
        regress(formula, data, **options)
    message = str(raised.value)
    assert "\n" not in message and "\x1b" not in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("change", "formula", "vcov", "words"),
    [
        ({"x": np.nan}, "y ~ x | firm", "iid", ["no complete row", "'x' is missing in"]),
        (
            {"province": np.nan},
            "y ~ x | firm + province^year",
            "iid",
            ["no complete row", "'province^year' is missing"],
        ),
        ({"y": 3.0}, "y ~ x | firm", "iid", ["outcome 'y' is 3 in all"]),
        ({"y": 3.0}, "y ~ x", "iid", ["outcome 'y' is 3 in all"]),
        ({"province": 1}, "y ~ x", "cluster:province", ["'province'", "at least two clusters"]),
        ({"province": [1.0, np.nan] * 100}, "y ~ x", "cluster:province", ["'province'", "missing in 100 of the 200"]),
        ({"x": [np.inf] + [1.0, 2.0] * 99 + [0.0]}, "y ~ x", "iid", ["infinite", "x"]),
        ({"row": range(200)}, "y ~ x | row", "iid", ["collinear"]),
        ({"y": lambda d: d["firm"] / 3}, "y ~ x | firm", "iid", ["outcome 'y' is constant given firm"]),
    ],
)
def test_rows_that_cannot_answer(change: dict, formula: str, vcov: str, words: list[str]) -> None:
    data = simulated().iloc[:200].assign(**change)
    with pytest.raises(PilotZonesError) as raised:
        regress(formula, data, vcov)
    for word in words:
        assert word in str(raised.value)


def test_no_rows_and_no_degrees_of_freedom() -> None:
    data = simulated()
    with pytest.raises(DataError, match="no complete row among 0"):
        regress("y ~ x | firm + year", data.iloc[:0])
    with pytest.raises(DataError, match="no degrees of freedom"):
        regress("y ~ x + w", data.iloc[:3])


def test_weights_reproduce_the_coefficient_and_sum_to_one_over_the_treated() -> None:
    panel = simulated().assign(d=lambda rows: (rows["year"] > 2012 + rows["city"] % 7).astype(int))
    for formula in ("y ~ d + x | firm + year", "y ~ d | firm + year", "y ~ d + x"):
        fit = regress(formula, panel)
        weight = fit.weights("d")
        total = (weight * panel.loc[weight.index, "y"]).sum()
        assert total == pytest.approx(fit.coefficients.at["d", "estimate"], abs=1e-10)
        assert weight[panel.loc[weight.index, "d"] == 1].sum() == pytest.approx(1, abs=1e-10)
