"""Joint inference over specifications: against single regressions, under the null, under change of units, bad input."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pyfixest
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyfixest.demeaners import MapDemeaner
from scipy import stats

from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators import batch, multiverse
from pilotzones.estimators.batch import Equation
from pilotzones.estimators.multiverse import Draws, adjusted, bands, joint, permuted, reestimate, stacked

VCOVS = ("iid", "hetero", "cluster:city", "cluster:firm", "cluster:province+year")


def panel(seed: int = 0, cities: int = 36, firms: int = 3, years: int = 7) -> pd.DataFrame:
    """Unbalanced firms in cities in provinces; ten cities are treated in two batches, effect 0.4."""
    rng = np.random.default_rng(seed)
    n = cities * firms
    data = pd.DataFrame({"firm": np.repeat(np.arange(n), years), "year": np.tile(np.arange(2011, 2011 + years), n)})
    data["city"] = data["firm"] % cities
    data["province"] = data["city"] % 4
    start = np.where(data["city"] < 4, 2013, np.where(data["city"] < 10, 2015, 9999))
    data["treat_post"] = (data["year"] >= start).astype(int)
    firm, shock = rng.normal(size=n)[data["firm"]], rng.normal(size=(4, years))[data["province"], data["year"] - 2011]
    data["x"] = firm + shock + rng.normal(size=len(data))
    data["w"] = 1000 * rng.normal(size=len(data))
    data["v"] = data["x"] + 0.2 * rng.normal(size=len(data))
    local = rng.normal(size=(cities, years))[data["city"], data["year"] - 2011]
    data["y"] = 0.4 * data["treat_post"] + 0.3 * data["x"] + firm + local + rng.normal(size=len(data))
    data["z"] = 50 * data["y"] + 20 * rng.normal(size=len(data))
    data.loc[rng.random(len(data)) < 0.1, "w"] = np.nan
    return data[rng.random(len(data)) < 0.9].reset_index(drop=True)


def equations(vcovs: tuple[str, ...] = ("cluster:city",), outcomes: tuple[str, ...] = ("y", "z")) -> list[Equation]:
    sets = [found for size in range(4) for found in combinations(["x", "w", "v"], size)]
    return [Equation(outcome, ("treat_post", *names), vcov) for outcome in outcomes for names in sets for vcov in vcovs]


PANEL = panel()
X = permuted(PANEL, "treat_post", "city", "year", draws=12, seed=5)


def dealt(data: pd.DataFrame, draws: int, seed: int = 1) -> np.ndarray:
    return permuted(data, "treat_post", "city", "year", draws, seed)


def each(data: pd.DataFrame, found: list[Equation], effects: list[str], singletons: str = "keep") -> pd.DataFrame:
    """Return batch's estimates, which are made for equations on the same rows."""
    table = pd.DataFrame(index=range(len(found)), columns=list(batch.STATISTICS), dtype=float)
    for mask, positions in batch.by_rows(data, found, effects):
        part = batch.estimate(data[mask], [found[i] for i in positions], effects, singletons)  # type: ignore[arg-type]
        table.loc[positions] = part.to_numpy()
    return table


# --- agreement --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", [["firm", "year"], ["firm", "province^year"], ["city"], []])
@pytest.mark.parametrize("singletons", ["keep", "drop"])
def test_the_actual_regressor_gives_the_numbers_of_batch(effects: list[str], singletons: str) -> None:
    found = equations(VCOVS)
    actual = PANEL[["treat_post"]].to_numpy()
    draws = reestimate(PANEL, found, effects, np.hstack([actual, X[:, :2]]), singletons)  # type: ignore[arg-type]
    expected = each(PANEL, found, effects, singletons)
    assert expected["n_obs"].nunique() == 2  # with w and without
    for name in ("estimate", "t", "p"):
        np.testing.assert_allclose(getattr(draws, name)[:, 0], expected[name], rtol=1e-10, err_msg=name)


def test_a_collinear_control_is_left_out_as_in_batch() -> None:
    data = PANEL.assign(u=2 * PANEL["x"] - PANEL["v"])
    found = [Equation("y", ("treat_post", "x", "v", "u"), vcov) for vcov in VCOVS]
    draws = reestimate(data, found, ["firm", "year"], data[["treat_post"]].to_numpy())
    np.testing.assert_allclose(draws.t[:, 0], batch.estimate(data, found, ["firm", "year"])["t"], rtol=1e-8)


@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster:city"])
def test_draws_equal_a_loop_of_pyfixest(vcov: str) -> None:
    found = equations((vcov,), ("y",))[::3]
    draws = reestimate(PANEL, found, ["firm", "province^year"], X[:, :3])
    asked = {"CRV1": "cluster_copy"} if ":" in vcov else vcov
    for i, equation in enumerate(found):
        for j in range(3):
            data = PANEL.assign(fake=X[:, j], cluster_copy=PANEL["city"])
            formula = f"y ~ {' + '.join(['fake', *equation.regressors[1:]])} | firm + province^year"
            fit = pyfixest.feols(formula, data, asked, fixef_rm="none", demeaner=MapDemeaner(fixef_tol=1e-10))
            assert draws.estimate[i, j] == pytest.approx(fit.coef()["fake"], rel=1e-8)
            assert draws.t[i, j] == pytest.approx(fit.tstat()["fake"], rel=1e-8)
            assert draws.p[i, j] == pytest.approx(fit.pvalue()["fake"], rel=1e-7)


def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reestimate(PANEL, equations(), ["firm", "year"], X)
    monkeypatch.setattr(multiverse, "CELLS", 2 * len(PANEL))
    small = reestimate(PANEL, equations(), ["firm", "year"], X)
    for name in ("estimate", "t", "p"):
        np.testing.assert_allclose(getattr(small, name), getattr(whole, name), rtol=1e-12)


def test_a_draw_that_the_effects_absorb_has_no_t() -> None:
    x = np.column_stack([X[:, 0], PANEL["province"] == 1, np.ones(len(PANEL))])
    draws = reestimate(PANEL, equations(VCOVS), ["firm", "year"], x)
    assert np.isfinite(draws.t[:, 0]).all()
    assert np.isnan(draws.t[:, 1:]).all() and np.isnan(draws.p[:, 1:]).all() and np.isnan(draws.estimate[:, 1:]).all()


# --- invariance -------------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_rows_equations_and_units_do_not_matter(seed: int, unit: float) -> None:
    found = equations(("iid", "cluster:city"))
    actual, draws = each(PANEL, found, ["firm", "year"]), reestimate(PANEL, found, ["firm", "year"], X)
    rng = np.random.default_rng(seed)
    rows, order = rng.permutation(len(PANEL)), rng.permutation(len(found))
    other = PANEL.iloc[rows].assign(y=unit * PANEL["y"], z=unit * PANEL["z"])
    shuffled = [found[i] for i in order]
    x = dealt(other, X.shape[1], seed=5)
    np.testing.assert_array_equal(x, X[rows])
    again = reestimate(other, shuffled, ["firm", "year"], x)
    np.testing.assert_allclose(again.t, draws.t[order], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(again.estimate, unit * draws.estimate[order], rtol=1e-7, atol=1e-9 * unit)
    own = each(other, shuffled, ["firm", "year"])
    expected, table = joint(actual, draws), joint(own, again)
    np.testing.assert_array_equal(table["p"], expected["p"])
    np.testing.assert_array_equal(adjusted(own, again), adjusted(actual, draws).iloc[order])


# --- permutations -----------------------------------------------------------------------------------------------------


def paths(data: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    return data.assign(value=values).groupby(["city", "year"])["value"].agg(["min", "max"])


def test_every_place_has_exactly_one_path() -> None:
    data = PANEL.groupby(["city", "year"], as_index=False)["treat_post"].first()
    assert len(data) == 36 * 7
    x = dealt(data, 20)
    actual = sorted(map(tuple, data.pivot(index="city", columns="year", values="treat_post").to_numpy()))
    for column in x.T:
        found = data.assign(value=column).pivot(index="city", columns="year", values="value")
        assert sorted(map(tuple, found.to_numpy())) == actual
    assert len({column.tobytes() for column in x.T}) == 20
    np.testing.assert_array_equal(dealt(data, 5), x[:, :5])
    assert (dealt(data, 5, seed=2) != x[:, :5]).any()


def test_a_firm_that_moves_has_the_path_of_where_it_is() -> None:
    data = PANEL.assign(city=np.where(PANEL["year"] > 2014, (PANEL["city"] + 1) % 36, PANEL["city"]))
    data["treat_post"] = ((data["city"] < 10) & (data["year"] >= 2013)).astype(int)
    for column in dealt(data, 3).T:
        found = paths(data, column)
        assert (found["min"] == found["max"]).all()


def test_a_gap_is_filled_with_what_was_before_and_a_continuous_path_stays_whole() -> None:
    data = pd.DataFrame({"city": np.repeat([1, 2], 4), "year": [2010, 2011, 2012, 2013] * 2})
    data["index"] = [0.1, 0.2, 0.3, 0.4, 5.0, 6.0, 7.0, 8.0]
    kept = data.drop(index=[2, 4])  # city 1 in 2012, city 2 in 2010
    x = permuted(kept, "index", "city", "year", 10, 0)
    swapped = x[:, np.argmax(x[0] != 0.1)]
    np.testing.assert_array_equal(swapped, [6.0, 6.0, 8.0, 0.2, 0.2, 0.4])
    data.loc[5, "index"] = np.nan  # the row stays missing whichever path comes
    x = permuted(data, "index", "city", "year", 10, 0)
    assert np.isnan(x[5]).all() and np.isfinite(np.delete(x, 5, axis=0)).all()


def pairs(cities: int = 12, years: int = 5) -> pd.DataFrame:
    """Pairs with at most one zone among them; cities 0 to 2 have zones from 2012, 2013 and 2014 on."""
    data = pd.DataFrame([(i, j) for i, j in combinations(range(cities), 2) if j > 2], columns=["city_i", "city_j"])
    data = data.assign(pair=range(len(data))).merge(pd.DataFrame({"year": range(2010, 2010 + years)}), how="cross")
    data["treat_post"] = ((data["city_i"] < 3) & (data["year"] >= 2012 + data["city_i"])).astype(int)
    return data


def test_pairs_are_treated_where_exactly_one_city_is() -> None:
    data = pairs()
    x = permuted(data, "treat_post", ("city_i", "city_j"), "year", 40, 3)
    starts = {0: 2012, 1: 2013, 2: 2014}
    both = 0
    for column in x.T:
        own = data.assign(value=column)
        # the places' new paths, read off the pairs: a city is a zone if most of its pairs are treated
        lot = pd.concat(
            [own.rename(columns={side: "city"})[["city", "year", "value"]] for side in ("city_i", "city_j")]
        )
        zone = lot.groupby(["city", "year"])["value"].mean().unstack() > 0.5
        assert sorted(zone.sum(axis=1)) == [0] * 9 + sorted(2015 - start for start in starts.values())
        ends = [zone.stack().reindex(pd.MultiIndex.from_frame(data[[side, "year"]])) for side in ("city_i", "city_j")]
        np.testing.assert_array_equal(column, ends[0].to_numpy() ^ ends[1].to_numpy())
        both += int((ends[0].to_numpy() & ends[1].to_numpy()).sum())
    assert both > 0


# --- joint inference --------------------------------------------------------------------------------------------------


def world(seed: int, effect: float) -> tuple[pd.DataFrame, Draws]:
    """Return a small curve and its draws: 24 cities that differ in size of shock, 8 treated by lot."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"city": np.repeat(np.arange(24), 6), "year": np.tile(np.arange(6), 24)})
    treated = rng.permutation(24) < 8
    data["treat_post"] = (treated[data["city"]] & (data["year"] >= 3)).astype(int)
    names = ["a", "b", "c"]
    local = rng.normal(size=(24, 4)).repeat(6, axis=0) * (data["year"].to_numpy()[:, None] >= 3)
    data[["y", *names]] = rng.normal(size=(len(data), 4)) + local
    data["y"] += effect * data["treat_post"] + 0.5 * data["a"]
    sets = [found for size in range(4) for found in combinations(names, size)]
    found = [Equation("y", ("treat_post", *controls), "cluster:city") for controls in sets]
    draws = reestimate(data, found, ["city", "year"], dealt(data, 39, seed))
    return batch.estimate(data, found, ["city", "year"]), draws


def test_under_the_null_the_joint_tests_reject_as_often_as_they_say() -> None:
    runs = 200
    tables = [(joint(*curve), adjusted(*curve).min()) for curve in (world(seed, 0.0) for seed in range(runs))]
    low, high = stats.binom.interval(0.999, runs, 0.05)
    rejected = pd.DataFrame([table["p"] <= 0.05 for table, _ in tables]).sum()
    for name in ("median estimate", "median t", "mean t", "largest t"):
        assert low <= rejected[name] <= high, f"{name}: {rejected[name]} of {runs}"
    assert rejected["share significant"] <= high  # many ties at a share of zero
    assert low <= sum(smallest <= 0.05 for _, smallest in tables) <= high


def test_a_clear_effect_is_found() -> None:
    for table in (joint(*world(seed, 3.0)) for seed in range(10)):
        # a draw can be much like the actual assignment, and of the shares many tie at one
        assert (table["p"].drop("share significant") <= 0.05).all()
        assert (table["value"] > table["high"]).drop("share significant").all()
        assert table.at["share significant", "p"] <= 0.1


def small() -> tuple[pd.DataFrame, Draws]:
    t = np.array([[0.5, -3.0, 1.0, 0.0], [1.0, -1.0, 2.0, -1.5], [0.2, -2.5, -1.0, 0.3]])
    p = 2 * stats.norm.sf(np.abs(t))
    own = np.array([2.2, 2.4, -0.1])
    actual = pd.DataFrame({"estimate": own / 10, "t": own, "p": 2 * stats.norm.sf(np.abs(own))}, index=["a", "b", "c"])
    return actual, Draws(t / 10, t, p)


def test_the_statistics_are_what_they_are_called() -> None:
    table = joint(*small())
    assert table["value"].tolist() == pytest.approx([0.22, 2.2, 2 / 3, 1.5, 2.4])
    # medians 0.5, -2.5, 1, 0; shares 0, 2/3, 1/3, 0; means 0.57, -2.17, 0.67, -0.4; largest 1, -3, 2, -1.5
    assert table["p"].tolist() == pytest.approx([2 / 5] * 5)
    assert table.loc["median t", "expected"] == pytest.approx(0.25)
    assert "median estimate" not in joint(*small(), one_unit=False).index


def test_adjusted_p_steps_down() -> None:
    # b: the largest in all of 1, 3, 2, 1.5; then a and c: 0.5, 3, 1, 0.3; then c alone: 0.2, 2.5, 1, 0.3
    assert adjusted(*small()).to_dict() == pytest.approx({"a": 2 / 5, "b": 2 / 5, "c": 1.0})


def test_an_undefined_draw_counts_as_extreme() -> None:
    actual, draws = small()
    before, alone = joint(actual, draws), adjusted(actual, draws)
    for values in (draws.estimate, draws.t, draws.p):
        values[2, 3] = np.nan
    table = joint(actual, draws)
    assert (table["undefined"] == 1).all()
    assert table["p"].to_numpy() == pytest.approx(before["p"] + 1 / 5)
    assert adjusted(actual, draws)[["a", "b"]].to_numpy() == pytest.approx(alone[["a", "b"]] + 1 / 5)
    assert np.isfinite(bands(draws.t)).all(axis=None)


def test_bands_are_of_sorted_curves() -> None:
    _, draws = small()
    curves = np.sort(draws.t, axis=0)
    table = bands(draws.t)
    assert (table.diff().iloc[1:] >= 0).all(axis=None)
    np.testing.assert_allclose(table["middle"], np.median(curves, axis=1))


def test_parts_go_where_they_belong() -> None:
    found = equations(("iid",))
    whole = reestimate(PANEL, found, ["firm", "year"], X)
    parts = [range(0, len(found), 2), range(1, len(found), 2)]
    some = [(list(part), reestimate(PANEL, [found[i] for i in part], ["firm", "year"], X)) for part in parts]
    np.testing.assert_allclose(stacked(some).t, whole.t, rtol=1e-10)
    with pytest.raises(ParameterError, match="every position from 0 on exactly once"):
        stacked(some[1:])


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 0}, "draws = 0, expected at least 1"),
        ({"regressor": "y"}, r"'y' differs between rows of city 0 in year 2011 \(\d+ such cases\)"),
        ({"place": "town"}, "'town'"),
        ({"place": ("city", "province")}, "is not that of a pair with exactly one treated place"),
    ],
)
def test_a_permutation_that_cannot_be_says_why(change: dict[str, object], message: str) -> None:
    asked = {"regressor": "treat_post", "place": "city", "time": "year", "draws": 2, "seed": 0, **change}
    with pytest.raises(ValueError, match=message):
        permuted(PANEL, **asked)  # type: ignore[arg-type]


def test_a_place_that_is_missing_is_named() -> None:
    data = PANEL.assign(city=PANEL["city"].where(PANEL.index != 3))
    with pytest.raises(DataError, match="column 'city' is missing in 1 of"):
        dealt(data, 2)
    data.loc[3, "treat_post"] = np.nan
    assert np.isnan(dealt(data, 2)[3]).all()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "expected one first regressor in all, which the draws replace; found no equation"),
        ([Equation("y", ("treat_post",), "iid"), Equation("y", ("x",), "iid")], "found treat_post, x"),
        ([Equation("y", ("treat_post",), "dyadic:city+province")], "vcov = 'dyadic:city\\+province'"),
        ([Equation("y", ("treat_post", "town"), "iid")], "equation y ~ treat_post \\+ town"),
        ([Equation("firm", ("treat_post",), "iid")], "outcome 'firm': the effects leave no variation"),
        ([Equation("y", ("treat_post",), "cluster:nowhere")], "vcov = 'cluster:nowhere': a cluster is missing"),
    ],
)
def test_an_equation_that_cannot_be_says_why(found: list[Equation], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reestimate(PANEL.assign(nowhere=np.nan), found, ["firm", "year"], X)


def test_draws_of_other_rows_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"expected shape \(\d+, draws\), found"):
        reestimate(PANEL, equations(), ["firm", "year"], X[1:])
    x = X.astype(float)
    x[0] = np.nan
    with pytest.raises(DataError, match="regressors: missing in 1 of"):
        reestimate(PANEL, equations(outcomes=("y",))[:1], ["firm", "year"], x)


def test_curves_that_do_not_belong_together_are_refused() -> None:
    actual, draws = small()
    with pytest.raises(ParameterError, match="actual: 2 specifications, draws: 3"):
        joint(actual.iloc[:2], draws)
    with pytest.raises(DataError, match=r"actual, row b: no estimate, t or p \(1 of 3 rows\)"):
        adjusted(actual.assign(t=[1.0, np.nan, 1.0]), draws)
    with pytest.raises(DataError, match="draws: all 4 lack a t value"):
        joint(actual, Draws(draws.estimate, draws.t * np.nan, draws.p))
