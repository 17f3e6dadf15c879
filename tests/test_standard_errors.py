"""Each program's factor against the program itself, and against R."""

from __future__ import annotations

import warnings
from typing import Any

import moderndid
import numpy as np
import pandas as pd
import pyfixest
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from linearmodels.iv.absorbing import AbsorbingLS
from linearmodels.panel import PanelOLS, RandomEffects
from scipy import linalg, stats

from pilotzones import standard_errors, verification
from pilotzones.estimators import modern
from pilotzones.estimators.regression import regress
from pilotzones.standard_errors import CLUSTERS, NONE, ONLY_CLUSTERS, ROWS, factor, parameters

PANEL = pd.read_csv(standard_errors.PANEL)
NAMES: dict[str, Any] = {"outcome": "y", "unit": "firm", "time": "year", "cohort": "cohort", "cluster": "city"}


def small(seed: int = 0, years: int = 4) -> pd.DataFrame:
    """Forty firms in ten cities and two provinces, which no firm leaves."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"firm": np.repeat(np.arange(40), years), "year": np.tile(np.arange(years), 40)})
    data = data.assign(city=data["firm"] % 10, prov=data["firm"] % 2, x=rng.normal(size=len(data)))
    data["cell"] = data["prov"] * years + data["year"]
    return data.assign(y=data["x"] + rng.normal(size=40)[data["firm"]] + rng.normal(size=len(data)))


def dummies(data: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return pd.get_dummies(data[list(columns)].astype("category"), drop_first=True, dtype=float)


@pytest.fixture(scope="module")
def programs() -> pd.DataFrame:
    return standard_errors.conventions()


@pytest.fixture(scope="module")
def two_years() -> pd.DataFrame:
    return standard_errors.two_by_two()


@pytest.fixture(scope="module")
def doubled() -> pd.DataFrame:
    return standard_errors.doubled()


# --- one regression, many programs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "run", "in_r"), [("programs", 8, 4), ("two_years", 7, 1)])
def test_formula_library_and_r_agree(table: str, run: int, in_r: int, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(table)
    libraries, r = found.dropna(subset="by_library"), found.dropna(subset="in_r")
    np.testing.assert_allclose(libraries["by_library"], libraries["by_factor"], rtol=1e-8)
    np.testing.assert_allclose(r["in_r"], r["by_factor"], rtol=1e-8)
    assert (len(libraries), len(r)) == (run, in_r)
    assert found["relative"].iloc[0] == 1


def test_the_sizes_that_the_page_names(programs: pd.DataFrame, two_years: pd.DataFrame) -> None:
    assert programs["relative"].agg(["min", "max"]).round(2).tolist() == [0.95, 1.07]
    assert round(two_years["relative"].max(), 2) == 1.42
    assert (programs["G"] == 60).all()
    assert PANEL["prov"].nunique() == 28


def test_critical_values_are_the_libraries_own(programs: pd.DataFrame, two_years: pd.DataFrame) -> None:
    data = small()
    indexed = data.set_index(["firm", "year"])
    absorb = data[["firm", "year"]].astype("category")
    n, g, k = len(data), data["city"].nunique(), parameters(1, data[["firm", "year"]])
    panel_ols = PanelOLS(indexed["y"], indexed[["x"]], entity_effects=True, time_effects=True)
    absorbing = AbsorbingLS(data["y"], data[["x"]], absorb=absorb)
    fits = {
        "linearmodels PanelOLS": panel_ols.fit(cov_type="clustered", clusters=indexed[["city"]]),
        "linearmodels AbsorbingLS, debiased=True": absorbing.fit(
            cov_type="clustered", clusters=data["city"], debiased=True
        ),
        "no factor, as in Stata csdid and R did": absorbing.fit(
            cov_type="clustered", clusters=data["city"], debiased=False
        ),
    }
    law = {"t(G-1)": g - 1, "t(n-K)": n - k, "normal": np.inf}
    for program, fit in fits.items():
        own = (fit.conf_int().at["x", "upper"] - fit.params["x"]) / fit.std_errors["x"]
        assert own == pytest.approx(stats.t.ppf(0.975, law[programs.at[program, "distribution"]]), rel=1e-9)
    ols = sm.OLS(data["y"], data[["x"]]).fit(cov_type="cluster", cov_kwds={"groups": data["city"].to_numpy()})
    own = (ols.conf_int().at["x", 1] - ols.params["x"]) / ols.bse["x"]
    assert programs.at["statsmodels OLS with dummies", "distribution"] == "normal"
    assert own == pytest.approx(stats.norm.ppf(0.975), rel=1e-9)
    ours = regress("y ~ x | firm + year", data, "cluster:city").coefficients.loc["x"]
    assert (ours["high"] - ours["estimate"]) / ours["se"] == pytest.approx(stats.t.ppf(0.975, g - 1), rel=1e-9)


def test_stata_counts_independent_columns_and_statsmodels_all() -> None:
    data = small()
    design = sm.add_constant(data[["x"]].join(dummies(data, "firm", "cell")))
    rank = np.linalg.matrix_rank(design.to_numpy())
    beyond = standard_errors._beyond(data["firm"], data["cell"])
    assert rank == 1 + data["firm"].nunique() + len(beyond)  # what the line of areg counts
    assert design.shape[1] == parameters(1, data[["firm", "cell"]]) == rank + 1  # two provinces: one column too many
    groups = {"cov_type": "cluster", "cov_kwds": {"groups": data["city"].to_numpy()}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the design is singular is the point
        every = sm.OLS(data["y"], design).fit(**groups).bse["x"]
    independent = design.drop(columns=f"cell_{data['cell'].max()}")
    assert np.linalg.matrix_rank(independent.to_numpy()) == rank
    fewer = sm.OLS(data["y"], independent).fit(**groups).bse["x"]
    n, g = len(data), data["city"].nunique()
    factors = [factor(CLUSTERS, n, columns, g) for columns in (rank + 1, rank)]
    assert (every / fewer) ** 2 == pytest.approx(factors[0] / factors[1], rel=1e-8)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), share=st.floats(0.5, 1.0), by=st.sampled_from(["city", "prov", "year", "city+year"])
)
def test_parameters_are_counted_as_in_the_regressions(seed: int, share: float, by: str) -> None:
    data = small(seed)
    data = data[np.random.default_rng(seed).random(len(data)) < share]
    fit = regress("y ~ x | firm + cell", data, f"cluster:{by}")
    effects, ways = data[["firm", "cell"]], data[by.split("+")]
    assert parameters(1, effects, ways) == fit._fit.under(f"cluster:{by}")[0]._df_k
    assert parameters(1, effects) == fit._fit.under("iid")[0]._df_k


@pytest.mark.parametrize(("nested_counted", "expected"), [(False, 1.0), (True, 2.0)])
def test_counting_nested_effects_doubles_the_variance_with_two_years(nested_counted: bool, expected: float) -> None:
    """Mean estimated variance over the variance of the estimates, 4,000 samples of 200 firms, half of them treated."""
    firms, rng = 200, np.random.default_rng(1)
    treated = np.arange(firms) < firms / 2
    change = rng.normal(size=(4000, firms)) * np.sqrt(2)
    estimates = change[:, treated].mean(axis=1) - change[:, ~treated].mean(axis=1)
    plain = sum(change[:, group].var(axis=1) / group.sum() for group in (treated, ~treated))
    k = firms + 2 if nested_counted else 3
    ratio = factor(CLUSTERS, 2 * firms, k, firms) * plain.mean() / estimates.var()
    assert ratio == pytest.approx(expected, rel=0.06)


def test_a_factor_is_one_in_large_samples_and_orders_the_conventions() -> None:
    for form in (NONE, ROWS, CLUSTERS, ONLY_CLUSTERS):
        assert factor(form, 10**9, 5, 10**8) == pytest.approx(1, abs=1e-7)
    assert factor(CLUSTERS, 100, 5, 10) > factor(ONLY_CLUSTERS, 100, 5, 10) > factor(NONE, 100, 5, 10) == 1


# --- the dictionary --------------------------------------------------------------------------------------------------


def test_the_dictionary_has_every_estimator_once() -> None:
    table = standard_errors.dictionary()
    assert table.index.is_unique
    assert {method.title for method in modern.ESTIMATORS.values()} <= set(table.index)
    assert (table[["library", "variance", "factor"]] != "").all(axis=None)
    used = {name for names in table["library"] for name in names.replace("variance own", "own").split("; ")}
    assert used == {"pyfixest", "linearmodels", "statsmodels", "diff-diff", "moderndid", "own"}


def test_doubling_the_sample_reveals_the_factor(doubled: pd.DataFrame) -> None:
    known = doubled.dropna(subset="by_formula")
    np.testing.assert_allclose(known["found"], known["by_formula"], rtol=1e-9)
    assert set(doubled.index) - set(known.index) == {"Stacked", "Local projections", "de Chaisemartin-D'Haultfoeuille"}
    # no two of these factors could be taken for each other
    assert known["by_formula"].groupby(known["factor"]).agg(["min", "max"]).loc[NONE].tolist() == [0.5, 0.5]
    assert (known.loc[known["factor"] != NONE, "by_formula"] < 0.4999).all()


@pytest.mark.parametrize("key", ["stacked", "lp_did"])
def test_the_factor_of_regressions_on_other_rows(
    key: str, doubled: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows are not the panel's: read off the regression that is run."""
    title = modern.ESTIMATORS[key].title
    form = standard_errors.dictionary().at[title, "factor"]
    calls: list[tuple[str, pd.DataFrame]] = []

    def listening(formula: str, data: pd.DataFrame, **options: Any) -> Any:
        calls.append((formula, data))
        return pyfixest.feols(formula, data, **options)

    monkeypatch.setattr(modern, "pyfixest", type("spy", (), {"feols": staticmethod(listening)}))
    twins = {name: PANEL[name] + 10_000 for name in ("firm", "city")}
    expected = []
    for panel in (PANEL, pd.concat([PANEL, PANEL.assign(**twins)])):
        modern.estimate(key, panel.assign(cohort=panel["cohort"].where(panel["cohort"] > 0)), **NAMES)
        formula, data = calls[-1]
        regressors, effect = formula.split("~")[1].split("|")
        k = parameters(regressors.count("+") + 1, data[[effect.strip()]], data[["cluster"]])
        expected.append(factor(form, len(data), k, data["cluster"].nunique()))
    assert doubled.at[title, "found"] == pytest.approx(expected[1] / expected[0] / 2, rel=1e-9)


def test_dechaisemartin_has_its_factor_on_top_of_the_librarys() -> None:
    complete = PANEL.groupby("firm")["year"].transform("size") == PANEL["year"].nunique()
    panel = PANEL[complete & PANEL["cohort"].isin([0, 2014])]
    columns = NAMES | {"cluster": "firm"}
    ours = modern.estimate(
        "dechaisemartin_dhaultfoeuille", panel.assign(cohort=panel["cohort"].where(panel["cohort"] > 0)), **columns
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs: Any = moderndid.did_multiplegt(panel, yname="y", tname="year", idname="firm", dname="D", effects=1)
    firms = panel["firm"].nunique()
    assert ours.by_event_time.at[0, "se"] ** 2 == pytest.approx(
        factor(ONLY_CLUSTERS, 0, 1, firms) * float(theirs.effects.std_errors[0]) ** 2, rel=1e-9
    )
    # the library's own: m/(m-1) for a cohort of m units, as in the comparison of two means
    change = panel.pivot(index="firm", columns="year", values="y")[[2013, 2014]].diff(axis=1)[2014]
    cohorts = change.groupby(panel.groupby("firm")["cohort"].first())
    assert float(theirs.effects.std_errors[0]) ** 2 == pytest.approx((cohorts.var() / cohorts.size()).sum(), rel=1e-9)


def test_random_effects_divide_by_rows_less_coefficients() -> None:
    data = sm.add_constant(small()).set_index(["firm", "year"])
    with_factor, without = (RandomEffects(data["y"], data[["const", "x"]]).fit(debiased=d) for d in (True, False))
    ratio = with_factor.cov.at["x", "x"] / without.cov.at["x", "x"]
    form = standard_errors.dictionary().at["Hausman: random effects", "factor"]
    assert ratio == pytest.approx(factor(form, len(data), 2, 2), rel=1e-9)


def test_imputation_equals_dummy_variables_more_closely_than_r() -> None:
    """What the page says of the rows that agree in eight digits only."""
    rows = verification._by_city("reference_panel", PANEL).rows
    untreated = (rows["post"] == 0).groupby(rows["unit"]).transform("sum")
    published = verification.read_csv(verification.EXPECTED, verification.COLUMNS)
    published = published[published["quantity"] == "estimate"].set_index("estimator")["published"]
    for program, key, used in (
        ("R did2s", "gardner", rows),
        ("R didimputation", "borusyak_jaravel_spiess", rows[(rows["cohort"] == 0) | (untreated > 1)]),
    ):
        design = dummies(used, "unit", "time").assign(const=1.0).to_numpy()
        control, y = (used["post"] == 0).to_numpy(), used["outcome"].to_numpy()
        gap = y - design @ linalg.lstsq(design[control], y[control], cond=1e-12, lapack_driver="gelsy")[0]
        exact = gap[~control & used["unit"].isin(used.loc[control, "unit"]).to_numpy()].mean()
        sample = modern.Sample(used.reset_index(drop=True), [], [])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the units that have no untreated row
            ours = modern.ESTIMATORS[key].fit(sample, "not_yet").att["estimate"]
        assert ours == pytest.approx(exact, abs=1e-10)
        assert 1e-9 < abs(published[program] - exact) < 3e-8


def test_bootstrap_errors_of_one_effect_differ() -> None:
    rows = verification.read_csv(verification.EXPECTED, verification.COLUMNS)
    same = rows[(rows["dataset"] == "mpdta") & rows["term"].isin(["ATT(2004,2006)", "e=2"])]
    assert same.groupby("quantity")["published"].nunique().to_dict() == {"estimate": 1, "se": 2}


def test_single_precision_brings_card_to_stata() -> None:
    """What the page says of the rows that agree in six digits only: all of them, not just the one that it shows."""
    load = verification.card.load
    with pytest.MonkeyPatch.context() as patch:
        single = load().assign(lwage=lambda data: data["lwage"].astype("float32").astype(float))
        patch.setattr(verification.card, "load", lambda: single)
        found = verification.verify()
    rows = found[found["dataset"] == "card"]
    assert len(rows) == 202
    assert (rows["difference"].abs() <= 1e-10 * rows["published"].abs().clip(lower=1)).all()
