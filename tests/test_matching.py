"""Propensity scores, matches and balance: independent computations, made-up cases, a known truth, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.matching import Matching, balance, match
from pilotzones.estimators.regression import regress

ID = ["firm", "year"]


def simulated(seed: int = 0, n: int = 600, levels: int = 0) -> pd.DataFrame:
    """Treatment more likely with x and z; y = 0.5 for the treated + x + z + noise; ``levels`` > 0: few distinct x."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"firm": np.arange(n) // 3, "year": 2011 + np.arange(n) % 3})
    data["x"], data["z"] = rng.normal(size=(2, n))
    if levels:
        data["x"], data["z"] = rng.integers(0, levels, n), 0.0
    index = 0.8 * data["x"] + 0.5 * data["z"] - 1
    data["d"] = (rng.random(n) < 1 / (1 + np.exp(-index))).astype(int)
    data["y"] = 0.5 * data["d"] + data["x"] + data["z"] + rng.normal(size=n)
    return data


def line(treated: list[float], controls: list[float]) -> pd.DataFrame:
    """Rows named t0, t1, ... and c0, c1, ... with one covariate."""
    names = [f"t{i}" for i in range(len(treated))] + [f"c{i}" for i in range(len(controls))]
    return pd.DataFrame(
        {"id": names, "x": [*treated, *controls], "d": [1] * len(treated) + [0] * len(controls)}, index=names
    )


def pairs(result: Matching) -> list[tuple[str, str]]:
    return list(result.pairs[["treated", "control"]].itertuples(index=False, name=None))


def naive(result: Matching, data: pd.DataFrame, neighbours: int, replacement: bool, reach: float) -> list[tuple]:
    """Return the pairs by comparing every treated row with every control."""
    key = data.loc[result.score.index, ID].apply(tuple, axis=1)
    treated = sorted(result.score.index[result.treated], key=lambda i: key[i])
    if not replacement:
        treated.sort(key=lambda i: -result.score[i])
    free = sorted(result.score.index[~result.treated], key=lambda i: key[i])
    found = {}
    for i in treated:
        order = sorted(free, key=lambda j: abs(result.score[j] - result.score[i]))[:neighbours]  # sorted() is stable
        if len(order) == neighbours and abs(result.score[order[-1]] - result.score[i]) <= reach:
            found[i] = order
            free = free if replacement else [j for j in free if j not in order]
    return [(i, j) for i in sorted(found, key=lambda i: key[i]) for j in found[i]]


# --- propensity score ------------------------------------------------------------------------------------------------


def test_logit_maximises_the_likelihood() -> None:
    data = simulated()
    ours = match("d ~ x + z", data, identity=ID)
    covariates = np.column_stack([np.ones(len(data)), data["x"], data["z"]])
    sign = np.where(data["d"] == 1, 1, -1)

    def loss(b: np.ndarray) -> float:
        return float(np.logaddexp(0, -sign * (covariates @ b)).sum())

    def slope(b: np.ndarray) -> np.ndarray:
        return -(covariates * (sign / (1 + np.exp(sign * (covariates @ b))))[:, None]).sum(axis=0)

    best = optimize.minimize(loss, np.zeros(3), jac=slope, method="BFGS", options={"gtol": 1e-9})
    score = 1 / (1 + np.exp(-covariates @ best.x))
    information = covariates.T @ (covariates * (score * (1 - score))[:, None])
    share = data["d"].mean()
    constant = -len(data) * (share * np.log(share) + (1 - share) * np.log(1 - share))
    np.testing.assert_allclose(ours.model["estimate"], best.x, rtol=1e-6)
    np.testing.assert_allclose(ours.model["se"], np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-6)
    np.testing.assert_allclose(ours.score.loc[data.index], score, rtol=1e-6)
    assert ours.pseudo_r2 == pytest.approx(1 - best.fun / constant, rel=1e-8)
    assert list(ours.model.index) == ["Intercept", "x", "z"]


def test_formulas_may_transform_and_treatments_may_be_true_or_false() -> None:
    data = simulated()
    ours = match("d ~ x + I(z ** 2) + C(year)", data.assign(d=data["d"] == 1), identity=ID)
    plain = match("d ~ x + square + y12 + y13", data.assign(
        square=data["z"] ** 2, y12=data["year"] == 2012, y13=data["year"] == 2013
    ), identity=ID)  # fmt: skip
    np.testing.assert_allclose(ours.score, plain.score, rtol=1e-8)


# --- matches ---------------------------------------------------------------------------------------------------------


def test_nearest_neighbours_on_a_line() -> None:
    data = line(treated=[1.0, 2.0, 2.1], controls=[-3.0, 0.0, 0.9, 2.05, 2.5])
    once = match("d ~ x", data, identity=["id"])
    assert pairs(once) == [("t0", "c2"), ("t1", "c3"), ("t2", "c3")]
    assert once.weights.to_dict() == {"t0": 1, "t1": 1, "t2": 1, "c2": 1, "c3": 2}
    assert list(once.sample(data).index) == ["t0", "t1", "t2", "c2", "c3"]
    assert list(once.sample(data, repeated=True).index) == ["t0", "t1", "t2", "c2", "c3", "c3"]

    twice = match("d ~ x", data, identity=["id"], neighbours=2)
    assert pairs(twice) == [("t0", "c2"), ("t0", "c1"), ("t1", "c3"), ("t1", "c4"), ("t2", "c3"), ("t2", "c4")]
    assert twice.weights.to_dict() == {"t0": 1, "t1": 1, "t2": 1, "c2": 0.5, "c1": 0.5, "c3": 1, "c4": 1}
    assert len(twice.sample(data, repeated=True)) == 12

    # the highest score chooses first: t2 takes c3, t1 is left with c4
    used_up = match("d ~ x", data, identity=["id"], replacement=False)
    assert pairs(used_up) == [("t0", "c2"), ("t1", "c4"), ("t2", "c3")]
    assert set(used_up.weights) == {1}
    assert pairs(match("d ~ x", data, identity=["id"], neighbours=2, replacement=False)) == [
        ("t1", "c2"), ("t1", "c1"), ("t2", "c3"), ("t2", "c4")
    ]  # fmt: skip


def test_caliper_and_common_support_leave_treated_rows_out() -> None:
    data = line(treated=[1.0, 2.0, 9.0], controls=[-3.0, 0.0, 1.1, 2.0, 2.5, 4.0])
    everyone = match("d ~ x", data, identity=["id"])
    assert [t for t, _ in pairs(everyone)] == ["t0", "t1", "t2"]
    assert everyone.overlap.loc["treated", "outside"] == 1
    assert everyone.overlap.loc["control", ["n", "matched"]].tolist() == [6, 3]
    supported = match("d ~ x", data, identity=["id"], common_support=True)
    assert pairs(supported) == pairs(everyone)[:2]
    assert supported.overlap.loc["treated", ["n", "matched"]].tolist() == [3, 2]
    distance = everyone.pairs["distance"]
    assert distance[1] == 0
    assert pairs(match("d ~ x", data, identity=["id"], caliper=distance[0] * 1.01)) == pairs(everyone)[:2]
    assert pairs(match("d ~ x", data, identity=["id"], caliper=distance[0] * 0.99)) == pairs(everyone)[1:2]
    # the second neighbour must be within reach, too
    second = match("d ~ x", data, identity=["id"], neighbours=2).pairs["distance"]
    for replacement in (True, False):
        options: dict[str, Any] = {"identity": ["id"], "neighbours": 2, "replacement": replacement}
        near = match("d ~ x", data, caliper=second[3] * 1.01, **options)
        assert pairs(near) == [("t1", "c3"), ("t1", "c4")]
        assert near.weights.to_dict() == {"t1": 1, "c3": 0.5, "c4": 0.5}


def test_equally_near_controls_come_in_the_order_of_their_identity() -> None:
    data = line(treated=[1.0, 1.0], controls=[5.0, 1.0, 1.0, 1.0, -2.0])
    assert pairs(match("d ~ x", data, identity=["id"])) == [("t0", "c1"), ("t1", "c1")]
    assert pairs(match("d ~ x", data, identity=["id"], replacement=False)) == [("t0", "c1"), ("t1", "c2")]
    renamed = data.assign(id=["t0", "t1", "c0", "c9", "c8", "c7", "c4"])
    assert pairs(match("d ~ x", renamed, identity=["id"])) == [("t0", "c3"), ("t1", "c3")]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    levels=st.integers(0, 6).filter(lambda k: k != 1),
    neighbours=st.integers(1, 3),
    replacement=st.booleans(),
    caliper=st.sampled_from([None, 0.02, 0.2]),
)
def test_equals_a_search_of_all_pairs_in_any_order_of_the_rows(
    seed: int, levels: int, neighbours: int, replacement: bool, caliper: float | None
) -> None:
    data = simulated(seed, n=60, levels=levels)
    options: dict[str, Any] = {"neighbours": neighbours, "replacement": replacement, "caliper": caliper}
    formula = "d ~ x" if levels else "d ~ x + z"
    try:
        ours = match(formula, data, identity=ID, **options)
    except DataError as problem:
        assert "overlap" in str(problem)
        return
    assert pairs(ours) == naive(ours, data, neighbours, replacement, np.inf if caliper is None else caliper)
    assert ours.weights[~ours.treated].sum() == pytest.approx(ours.weights[ours.treated].sum())
    assert set(ours.weights[ours.treated]) == {1}
    if not replacement:
        assert ours.weights[~ours.treated].max() <= 1 / neighbours

    shuffled = data.sample(frac=1, random_state=seed)
    theirs = match(formula, shuffled, identity=ID, **options)
    pd.testing.assert_frame_equal(theirs.pairs, ours.pairs, check_exact=True)
    pd.testing.assert_series_equal(theirs.weights, ours.weights, check_exact=True)


def test_incomplete_rows_are_left_out_and_counted() -> None:
    data = simulated()
    data.loc[[3, 50], "x"] = np.nan
    data.loc[7, "d"] = np.nan
    ours = match("d ~ x + z", data, identity=ID)
    assert ours.n_incomplete == 3
    assert len(ours.score) == len(data) - 3
    complete = match("d ~ x + z", data.dropna(), identity=ID)
    pd.testing.assert_frame_equal(ours.pairs, complete.pairs)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_repeated_rows_reproduce_weighted_estimates(neighbours: int) -> None:
    data = simulated()
    ours = match("d ~ x + z", data, identity=ID, neighbours=neighbours)
    repeated = regress("y ~ d + x", ours.sample(data, repeated=True)).coefficients["estimate"]
    root = np.sqrt(ours.weights)
    rows = data.loc[root.index]
    design = np.column_stack([np.ones(len(rows)), rows["d"], rows["x"]]) * root.to_numpy()[:, None]
    np.testing.assert_allclose(repeated, np.linalg.lstsq(design, rows["y"] * root)[0], rtol=1e-9)


def test_matching_recovers_a_known_effect() -> None:
    data = simulated(1, n=6000)
    difference = data.groupby("d")["y"].mean().diff().iloc[-1]
    matched = match("d ~ x + z", data, identity=ID).sample(data, repeated=True)
    after = matched.groupby("d")["y"].mean().diff().iloc[-1]
    assert abs(difference - 0.5) > 0.5
    assert after == pytest.approx(0.5, abs=0.1)


# --- balance ---------------------------------------------------------------------------------------------------------


def test_balance_before_and_after() -> None:
    data = simulated()
    ours = match("d ~ x + z", data, identity=ID)
    table = balance(data, ["x", "y"], ours)
    one, zero = (data.loc[data["d"] == k, "x"] for k in (1, 0))
    spread = np.sqrt((one.var() + zero.var()) / 2)
    before = table.loc[("x", "before")]
    t, p = stats.ttest_ind(one, zero)
    expected = [one.mean(), zero.mean(), (one.mean() - zero.mean()) / spread, one.var() / zero.var(), t, p]
    np.testing.assert_allclose(before, expected, rtol=1e-9)

    for weighted in (True, False):
        matched = ours.sample(data, repeated=weighted)
        one, zero = (matched.loc[matched["d"] == k, "x"] for k in (1, 0))
        t, p = stats.ttest_ind(one, zero)
        expected = [one.mean(), zero.mean(), (one.mean() - zero.mean()) / spread, one.var() / zero.var(), t, p]
        np.testing.assert_allclose(balance(data, ["x"], ours, weighted=weighted).loc[("x", "after")], expected)
    assert abs(table.loc[("x", "after"), "standardised"]) < 0.1 < abs(before["standardised"])


def test_balance_of_a_group_that_became_constant() -> None:
    data = line(treated=[0.0, 1.0, 0.0], controls=[0.0, 1.0, 2.0, -1.0]).assign(flag=[1, 1, 1, 1, 1, 0, 0])
    table = balance(data, ["flag"], match("d ~ x", data, identity=["id"]))
    assert table.loc[("flag", "after"), "standardised"] == 0
    assert np.isnan(table.loc[("flag", "after"), "variance_ratio"])


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("d ~ x + nowhere", {}, "no column 'nowhere'"),
        ("nobody ~ x", {}, "no column 'nobody'"),
        ("d ~ x +", {}, "cannot be read"),
        ("x + z", {}, "cannot be read"),
        ("d ~ x + double", {}, "collinear covariates"),
        ("d ~ x + one", {}, "collinear covariates"),
        ("d ~ log(firm, x, 3)", {}, "cannot be evaluated"),
        ("d ~ x", {"identity": ["firm"]}, "must each identify a row"),
        ("d ~ x", {"identity": ["company"]}, "no column 'company'"),
        ("d ~ x", {"neighbours": 0}, "at least 1"),
        ("d ~ x", {"neighbours": 1.5}, "at least 1"),
        ("d ~ x", {"caliper": 0}, "positive distance"),
        ("d ~ x", {"caliper": float("nan")}, "positive distance"),
    ],
)
def test_impossible_declarations_are_named(formula: str, options: dict, message: str) -> None:
    data = simulated().assign(one=1.0)
    data["double"] = 2 * data["x"] + 3
    with pytest.raises(DeclarationError, match=message):
        match(formula, data, **{"identity": ID, **options})


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"d": 1}, {}, "'d' is 1 in all 600 complete rows"),
        ({"d": np.nan}, {}, "'d' has no complete row"),
        ({"d": lambda data: data["d"] + 1}, {}, "must be 0 or 1, found 1, 2"),
        ({"d": lambda data: data["d"].map({0: "no", 1: "yes"})}, {}, "must be 0 or 1"),
        ({"x": lambda data: data["d"] + 0.1 * data["z"].clip(-1, 1)}, {}, "no overlap: the covariates separate"),
        ({"x": lambda data: (data["d"] == 1) & (data["z"] > 1)}, {}, "no overlap: the covariates separate"),
        ({"x": lambda data: data["x"].where(data.index > 0, np.inf)}, {}, "infinite"),
        ({"d": lambda data: (data.index > 2).astype(int)}, {"neighbours": 4}, "3 controls for 4 neighbours"),
        ({}, {"caliper": 1e-12}, "no overlap: no treated row has 1 control.* caliper of 1e-12"),
    ],
)
def test_impossible_data_are_named(change: dict, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        match("d ~ x + z", simulated().assign(**change), identity=ID, **options)


def test_balance_names_unusable_variables() -> None:
    data = simulated().assign(gap=lambda d: d["x"].where(d.index != 5), word="a", one=1)
    ours = match("d ~ x + z", data, identity=ID)
    with pytest.raises(DeclarationError, match="no column 'assets'"):
        balance(data, ["assets"], ours)
    with pytest.raises(DataError, match="'gap' is not a finite number in 1 of the 600"):
        balance(data, ["gap"], ours)
    with pytest.raises(DataError, match="'word' is not a finite number in 600"):
        balance(data, ["word"], ours)
    with pytest.raises(DataError, match="'one' is 1 in all rows"):
        balance(data, ["one"], ours)
