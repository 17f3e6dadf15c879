"""Tests of instruments against Stata and R, against their own definitions, known truths, and under bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.instruments import ConfidenceSet, Identification, identification, stock_yogo
from pilotzones.paths import ROOT

REFERENCE = Path(__file__).parent / "reference"
PANEL = pd.read_csv(REFERENCE / "reference_panel.csv")
BENCH = ROOT.parent / "shared" / "bench"
VCOVS = ["iid", "hetero", "cluster:city"]


def simulated(
    seed: int, strength: float = 0.5, instruments: int = 2, n: int = 300, invalid: float = 0.0, effect: float = 1.0
) -> pd.DataFrame:
    """y = effect x + 0.3 w + invalid z1 + u, x = strength sum(z) + 0.5 w + v, u and v correlated, 30 cities."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, instruments))
    w, v = rng.normal(size=(2, n))
    data = pd.DataFrame({f"z{i + 1}": column for i, column in enumerate(z.T)})
    data["w"], data["city"] = w, np.arange(n) % 30
    data["x"] = strength * z.sum(axis=1) + 0.5 * w + v
    data["y"] = effect * data["x"] + 0.3 * w + invalid * z[:, 0] + 0.8 * v + 0.6 * rng.normal(size=n)
    return data


def estimated(data: pd.DataFrame, vcov: str = "iid", **options: float) -> Identification:
    names = " + ".join(c for c in data if c.startswith("z"))
    return identification(f"y ~ w | x ~ {names}", data, vcov, **options)


def independent_f(data: pd.DataFrame, vcov: str, outcome: pd.Series) -> float:
    """Return the F statistic of the instruments in statsmodels' regression of an outcome on them and w."""
    names = [c for c in data if c.startswith("z")]
    kind: dict = {"iid": {}, "hetero": {"cov_type": "HC1"}}.get(
        vcov, {"cov_type": "cluster", "cov_kwds": {"groups": data["city"]}}
    )
    fit = sm.OLS(outcome, sm.add_constant(data[["w", *names]])).fit(use_t=True, **kind)
    return float(np.squeeze(fit.f_test(np.eye(len(names), len(names) + 2, 2)).fvalue))


# --- agreement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instruments", ["nearc4", "nearc2 nearc4"])
@pytest.mark.parametrize(("vcov", "theirs"), [("iid", "iid"), ("hetero", "hc1")])
def test_equals_ivreg2_in_stata(instruments: str, vcov: str, theirs: str) -> None:
    if not BENCH.is_dir():
        pytest.skip("needs Card's schooling data in ../shared/bench beside the project")
    expected = pd.read_csv(BENCH / "expected.csv")
    spec = f"ivreg2 lwage exper expersq black south (educ = {instruments}) "
    statistics = expected[expected["spec"] == f"{spec}[{theirs}]"].set_index("quantity")["value"]
    small = expected[expected["spec"] == f"{spec}[{theirs}_small]"].set_index(["term", "quantity"])["value"]
    ours = identification(
        f"lwage ~ exper + expersq + black + south | educ ~ {instruments.replace(' ', ' + ')}",
        pd.read_csv(BENCH / "card.csv"),
        vcov,
    )
    tests = ours.tests
    pairs = [
        ("Cragg-Donald F", "statistic", "cdf"),
        ("Kleibergen-Paap LM", "statistic", "idstat"),
        ("Kleibergen-Paap LM", "p", "idp"),
        ("Kleibergen-Paap F", "statistic", "widstat"),
        ("Hansen J", "statistic", "j"),
        ("Anderson-Rubin F", "statistic", "arf"),
    ]
    if vcov == "iid":
        pairs += [("Anderson LM", "statistic", "idstat"), ("Sargan", "statistic", "sargan")]
    if instruments == "nearc2 nearc4":
        pairs += [("Hansen J", "p", "jp")]
    for test, column, quantity in pairs:
        assert tests.loc[test, column] == pytest.approx(statistics[quantity], rel=2e-7), (test, column)
    assert tests.loc["Hansen J", "distribution"] == f"chi2({statistics['jdf']:.0f})"
    assert tests.loc["Anderson LM", "distribution"] == f"chi2({statistics['iddf']:.0f})"
    for term, quantity in [(t, q) for t in ("educ", "exper", "black") for q in ("estimate", "se")]:
        estimate = ours.second_stage.coefficients.loc[term, quantity]
        assert estimate == pytest.approx(small[(term, quantity)], rel=1e-6), (term, quantity)
    if instruments == "nearc2 nearc4":  # ivreg2, liml
        assert ours.liml == pytest.approx(0.2482702406090916, rel=1e-7)


def test_equals_fixest_in_r() -> None:
    values = pd.read_csv(REFERENCE / "r_reference.csv")
    values = values[values["reference"].str.startswith("feols 2sls")].set_index(["term", "quantity"])["value"]
    whole = values[values.index.get_level_values("term").isna()].droplevel("term")
    ours = identification("yiv ~ x1 + x2 | firm + year | endo ~ z1 + z2", PANEL, "cluster:city", singletons="drop")
    assert ours.second_stage.n_obs == ours.first_stage.n_obs == whole["n_obs"]
    assert ours.second_stage.coefficients.loc["endo", "se"] == pytest.approx(values[("fit_endo", "se")], abs=1e-8)
    for test in ("First-stage F", "Kleibergen-Paap F"):
        assert ours.tests.loc[test, "statistic"] == pytest.approx(whole["first_stage_wald_F"], rel=1e-8)
    assert ours.tests.loc["Sargan", "statistic"] == pytest.approx(whole["sargan"], rel=1e-8)
    # fixest does not count the firms, nested in the clusters, in this F either
    many = PANEL[PANEL.groupby("firm")["firm"].transform("size") > 1]
    left = len(many) - 4 - (many["year"].nunique() - 1)
    ratio = (left - 1) / (left - many["firm"].nunique())
    assert ours.tests.loc["Cragg-Donald F", "statistic"] * ratio == pytest.approx(whole["first_stage_F_iid"], rel=1e-8)


@pytest.mark.parametrize("vcov", VCOVS)
@pytest.mark.parametrize("instruments", [1, 2, 4])
def test_f_statistics_are_those_of_the_first_stage_and_of_the_reduced_form(vcov: str, instruments: int) -> None:
    data = simulated(1, instruments=instruments)
    tests = estimated(data, vcov).tests["statistic"]
    assert tests["First-stage F"] == pytest.approx(independent_f(data, vcov, data["x"]), rel=1e-9)
    assert tests["Kleibergen-Paap F"] == pytest.approx(tests["First-stage F"], rel=1e-9)
    assert tests["Cragg-Donald F"] == pytest.approx(independent_f(data, "iid", data["x"]), rel=1e-9)
    assert tests["Anderson-Rubin F"] == pytest.approx(independent_f(data, vcov, data["y"]), rel=1e-9)


@pytest.mark.parametrize("vcov", VCOVS)
def test_overidentification_tests_are_those_of_two_step_gmm(vcov: str) -> None:
    data = simulated(11, instruments=3, invalid=0.1)
    x = sm.add_constant(data[["w", "x"]]).to_numpy()
    z = sm.add_constant(data[["w", "z1", "z2", "z3"]]).to_numpy()
    y = data["y"].to_numpy()

    def j(weight: np.ndarray) -> tuple[float, np.ndarray]:
        u = y - x @ np.linalg.solve(x.T @ z @ weight @ z.T @ x, x.T @ z @ weight @ z.T @ y)
        return float(u @ z @ weight @ z.T @ u), u

    scaled, u = j(np.linalg.inv(z.T @ z))
    scores = z * u[:, None]
    if "cluster" in vcov:
        scores = pd.DataFrame(scores).groupby(data["city"]).sum().to_numpy()
    variance = z.T @ z * np.mean(u**2) if vcov == "iid" else scores.T @ scores
    tests = estimated(data, vcov).tests
    assert tests.loc["Sargan", "statistic"] == pytest.approx(scaled / np.mean(u**2), rel=1e-8)
    hansen = j(np.linalg.inv(variance))[0]
    assert tests.loc["Hansen J", "statistic"] == pytest.approx(hansen, rel=1e-8)
    assert tests.loc["Hansen J", "p"] == pytest.approx(stats.chi2.sf(hansen, 2), rel=1e-6)


@pytest.mark.parametrize("effects", ["firm + year", "firm + prov^year", "prov + year", "city"])
@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster:city", "cluster:prov"])
def test_absorbed_degrees_of_freedom_are_those_of_the_regression(effects: str, vcov: str) -> None:
    formula = f"yiv ~ x1 + x2 | {effects} | endo ~ z1"
    ours = identification(formula, PANEL, vcov, singletons="drop")
    t = ours.first_stage.coefficients.loc["z1", "t"]
    assert ours.tests.loc["Kleibergen-Paap F", "statistic"] == pytest.approx(t**2, rel=1e-9)
    assert ours.tests.loc["First-stage F", "p"] == pytest.approx(ours.first_stage.coefficients.loc["z1", "p"], rel=1e-6)
    t = ours.first_stage.under("iid").coefficients.loc["z1", "t"]
    assert ours.tests.loc["Cragg-Donald F", "statistic"] == pytest.approx(t**2, rel=1e-9)


def test_effects_can_be_dummies() -> None:
    data = simulated(2)
    absorbed = identification("y ~ w | city | x ~ z1 + z2", data, "hetero")
    dummies = identification("y ~ w + C(city) | x ~ z1 + z2", data, "hetero")
    np.testing.assert_allclose(absorbed.tests["statistic"], dummies.tests["statistic"], rtol=1e-8)
    np.testing.assert_allclose(absorbed.anderson_rubin.intervals, dummies.anderson_rubin.intervals, rtol=1e-8)
    assert absorbed.liml == pytest.approx(dummies.liml, rel=1e-8)


# --- identities ------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), strength=st.floats(0.0, 1.0), instruments=st.integers(1, 4))
def test_identities_under_iid_errors(seed: int, strength: float, instruments: int) -> None:
    ours = estimated(simulated(seed, strength, instruments, n=80))
    tests = ours.tests["statistic"]
    assert tests["Kleibergen-Paap F"] == pytest.approx(tests["Cragg-Donald F"], rel=1e-8)
    assert tests["First-stage F"] == pytest.approx(tests["Cragg-Donald F"], rel=1e-8)
    assert tests["Kleibergen-Paap LM"] == pytest.approx(tests["Anderson LM"], rel=1e-8)
    assert tests["Hansen J"] == pytest.approx(tests["Sargan"], rel=1e-7, abs=1e-9)
    # LIML is the value that the Anderson-Rubin test objects to least
    assert ours.anderson_rubin.shape == "empty" or ours.liml in ours.anderson_rubin


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    strength=st.floats(0.0, 0.3),
    instruments=st.integers(1, 4),
    vcov=st.sampled_from(VCOVS),
    effect=st.floats(-0.5, 0.5),
)
def test_confidence_set_and_test_agree_on_zero(
    seed: int, strength: float, instruments: int, vcov: str, effect: float
) -> None:
    ours = estimated(simulated(seed, strength, instruments, n=90, effect=effect), vcov)
    assert (0.0 in ours.anderson_rubin) == (ours.tests.loc["Anderson-Rubin F", "p"] >= 0.05)


@pytest.mark.parametrize("vcov", VCOVS)
def test_one_instrument_cannot_be_contradicted(vcov: str) -> None:
    ours = estimated(simulated(3, instruments=1), vcov)
    for test in ("Sargan", "Hansen J"):
        assert ours.tests.loc[test, "statistic"] == 0
        assert ours.tests.loc[test, "distribution"] == "chi2(0)"
        assert np.isnan(ours.tests.loc[test, "p"])
        assert "not testable" in ours.tests.loc[test, "null"]
    estimate = ours.second_stage.coefficients.loc["x", "estimate"]
    assert ours.liml == pytest.approx(estimate, rel=1e-6)
    assert estimate in ours.anderson_rubin


@pytest.mark.parametrize("vcov", VCOVS)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ("interval", {"seed": 0}),
        ("whole line", {"seed": 2, "strength": 0.0, "instruments": 1}),
        ("disjoint", {"seed": 3, "strength": 0.05}),
        ("empty", {"seed": 0, "invalid": 1.0}),
        ("interval", {"seed": 5, "strength": 0.15, "instruments": 4}),
    ],
)
def test_confidence_set_is_where_the_test_does_not_reject(vcov: str, shape: str, options: dict) -> None:
    data = simulated(**options)
    instruments = options.get("instruments", 2)
    ours = estimated(data, vcov)
    assert ours.anderson_rubin.shape == shape
    assert ours.anderson_rubin.bounded == (shape in ("interval", "empty"))
    left = 29 if "cluster" in vcov else len(data) - 2 - instruments
    limit = stats.f.ppf(0.95, instruments, left)
    for b in np.concatenate([[-1e6], np.linspace(-15, 15, 61), [1e6]]):
        accepted = independent_f(data, vcov, data["y"] - b * data["x"]) <= limit
        assert (b in ours.anderson_rubin) == accepted, b
    for bound in np.ravel(ours.anderson_rubin.intervals):
        if np.isfinite(bound):
            assert independent_f(data, vcov, data["y"] - bound * data["x"]) == pytest.approx(limit, rel=1e-6)


def test_confidence_sets_in_words() -> None:
    inf = np.inf
    assert "empty" in str(ConfidenceSet((), 0.95))
    assert str(ConfidenceSet(((0.1, 0.25),), 0.95)) == "[0.1, 0.25]"
    assert "whole line" in str(ConfidenceSet(((-inf, inf),), 0.95))
    two = ConfidenceSet(((-inf, -1.0), (2.0, inf)), 0.95)
    assert (two.shape, two.bounded, -3 in two, 0 in two) == ("disjoint", False, True, False)
    assert str(two).startswith("(-inf, -1] and [2, inf): unbounded")
    assert ConfidenceSet(((2.0, inf),), 0.95).shape == "half line"


@pytest.mark.parametrize("vcov", VCOVS)
def test_units_and_row_order_do_not_matter(vcov: str) -> None:
    data = simulated(4)
    ours = estimated(data, vcov)
    other = data.assign(x=data["x"] * 1e6, y=data["y"] * 1e3, z1=data["z1"] * 1e-5).sample(frac=1, random_state=1)
    theirs = estimated(other, vcov)
    np.testing.assert_allclose(theirs.tests["statistic"], ours.tests["statistic"], rtol=1e-8)
    np.testing.assert_allclose(
        np.array(theirs.anderson_rubin.intervals) * 1e3, ours.anderson_rubin.intervals, rtol=1e-8
    )
    assert theirs.liml * 1e3 == pytest.approx(ours.liml, rel=1e-8)


def test_level_nests_confidence_sets() -> None:
    data = simulated(6)
    (narrow,), (wide,) = (estimated(data, level=level).anderson_rubin.intervals for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_both_stages_use_the_same_rows() -> None:
    data = simulated(7)
    data.loc[:9, "y"] = np.nan
    data.loc[10:14, "z2"] = np.nan
    data["firm"] = data["city"] + 100 * (np.arange(len(data)) == 200)  # one firm with one row
    ours = identification("y ~ 1 | firm | x ~ z1 + z2", data, "cluster:firm", singletons="drop")
    assert ours.first_stage.n_obs == ours.second_stage.n_obs == 284
    assert list(ours.first_stage.coefficients.index) == ["z1", "z2"]
    assert ours.instruments == ("z1", "z2")
    assert ours.endogenous == "x"


# --- Stock and Yogo --------------------------------------------------------------------------------------------------


def concentration(critical_value: float, instruments: int) -> float:
    """Return the concentration parameter at which the first-stage F exceeds the critical value in 5% of samples."""

    def miss(m: float) -> float:
        return stats.ncx2.ppf(0.95, instruments, m) / instruments - critical_value

    return float(optimize.brentq(miss, 1e-6, 50 * critical_value * instruments))


def test_tabulated_bias_is_the_bias() -> None:
    for instruments in range(3, 31):
        table = stock_yogo(instruments).query("criterion == 'bias'")
        assert list(table["limit"]) == [0.05, 0.1, 0.2, 0.3]
        for row in table.itertuples():
            half = concentration(row.critical_value, instruments) / 2
            # Skeels and Windmeijer (2018): relative bias of 2SLS under weak instruments; the table was simulated
            bias = np.exp(-half) * special.hyp1f1(instruments / 2 - 1, instruments / 2, half)
            assert bias == pytest.approx(row.limit, rel=0.02 if instruments > 3 else 0.05), (instruments, row)


def test_tabulated_size_is_the_size() -> None:
    u = (np.arange(400) + 0.5) / 400
    along = stats.norm.ppf(u)[:, None]
    for instruments in range(1, 31):
        across = stats.chi2.ppf(u, instruments - 1)[None, :] if instruments > 1 else np.zeros((1, 1))
        table = stock_yogo(instruments).query("criterion == 'size'")
        assert list(table["limit"]) == [0.1, 0.15, 0.2, 0.25]
        for row in table.itertuples():
            m = np.sqrt(concentration(row.critical_value, instruments))
            # Wald statistic under weak instruments when the errors of both stages are perfectly correlated
            n1, n2 = (m + along) ** 2 + across, (m + along) * along + across
            size = np.mean(n2**2 * n1 / (n1 - n2) ** 2 > stats.chi2.ppf(0.95, 1))
            assert size == pytest.approx(row.limit, rel=0.03), (instruments, row)


def test_nothing_is_tabulated_beyond_the_table() -> None:
    assert set(stock_yogo(1)["criterion"]) == {"size"}
    assert stock_yogo(31).empty


def test_table_has_no_misprint() -> None:
    assert stock_yogo(1)["critical_value"].tolist() == [16.38, 8.96, 6.66, 5.53]
    assert stock_yogo(2)["critical_value"].tolist() == [19.93, 11.59, 8.75, 7.25]
    table = np.array([stock_yogo(k)["critical_value"] for k in range(3, 31)])
    assert np.abs(np.diff(table[5:], n=2, axis=0)).max() < 0.08  # smooth in the number of instruments


# --- known truths ----------------------------------------------------------------------------------------------------


def test_strong_valid_instruments_recover_the_effect_and_pass_the_tests() -> None:
    ours = estimated(simulated(8, n=5000), "cluster:city")
    assert ours.second_stage.coefficients.loc["x", "estimate"] == pytest.approx(1.0, abs=0.05)
    assert 1.0 in ours.anderson_rubin
    assert ours.tests.loc["Kleibergen-Paap F", "statistic"] > 100
    assert ours.tests.loc["Hansen J", "p"] > 0.01
    assert estimated(simulated(8, n=5000, invalid=0.3), "cluster:city").tests.loc["Hansen J", "p"] < 1e-6


def test_confidence_set_covers_the_truth_even_with_irrelevant_instruments() -> None:
    covered = t_covered = unbounded = 0
    for seed in range(30):
        ours = estimated(simulated(seed, strength=0.02, n=120))
        low, high = ours.second_stage.coefficients.loc["x", ["low", "high"]]
        covered += 1.0 in ours.anderson_rubin
        t_covered += low <= 1.0 <= high
        unbounded += not ours.anderson_rubin.bounded
    assert covered >= 25  # 95% of 30 is 28.5, with a standard error of 1.2
    assert t_covered < covered - 3  # what the set is for
    assert unbounded >= 20


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("y ~ w", {}, "endogenous ~ instruments"),
        ("y ~ w | city", {}, "endogenous ~ instruments"),
        ("y ~ w | city | x ~ 1", {}, "underdetermined"),
        ("y ~ w | city | x ~ ", {}, "underdetermined"),
        ("y ~ w | city | x ~ w", {}, "Instruments specified as covariates"),
        ("y ~ w | city | x + w ~ z1 + z2", {}, "Multiple endogenous"),
        ("y ~ w | city | x ~ z1 + nowhere", {}, "no column 'nowhere'"),
        ("y ~ w | city | x ~ z1 + double", {}, "instrument double collinear"),
        ("y ~ w | city | x ~ z1 + fixed", {}, "instrument fixed collinear"),
        ("y ~ w | city | x ~ fixed", {}, "all instruments collinear"),
        ("y ~ w | x ~ x + z1", {}, "among its own instruments"),
        ("y ~ w | x ~ z1 + rest", {}, "determine 'x' exactly"),
        ("y ~ w | y ~ z1", {}, "both the outcome and the endogenous"),
        ("y ~ w | x ~ z1", {"vcov": "cluster:city+year"}, "one cluster variable"),
        ("y ~ w | x ~ z1", {"vcov": "robust"}, "expected 'iid'"),
        ("y ~ w | x ~ z1", {"level": 95}, "confidence level between 0 and 1"),
    ],
)
def test_impossible_declarations_are_named(formula: str, options: dict, message: str) -> None:
    data = simulated(9).assign(year=1)
    data["double"], data["fixed"] = 2 * data["z1"] - 1, data["city"] ** 2.0
    data["rest"] = data["x"] - data["z1"]
    with pytest.raises(DeclarationError, match=message):
        identification(formula, data, **options)


def test_too_few_clusters_are_named() -> None:
    data = simulated(10, instruments=4)
    data["half"] = data["city"] % 4
    with pytest.raises(DataError, match="4 clusters for 4 instruments"):
        identification("y ~ w | x ~ z1 + z2 + z3 + z4", data, "cluster:half")
