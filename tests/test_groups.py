"""Tests of equal coefficients across groups: other routes to the same numbers, size, power, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.groups import compare_groups
from pilotzones.estimators.inference import wald
from pilotzones.estimators.regression import regress

FORMULA = "y ~ treated + x | firm + year"


def panel(seed: int = 0, effects: tuple[float, ...] = (0.2, 0.2), cities: int = 48, firms: int = 3) -> pd.DataFrame:
    """Firms in cities, half of them treated; each firm belongs to a group with its own effect."""
    rng = np.random.default_rng(seed)
    n, years = cities * firms, 6
    data = pd.DataFrame({"firm": np.repeat(np.arange(n), years), "year": np.tile(np.arange(2011, 2011 + years), n)})
    data["city"] = data["firm"] % cities
    data["code"] = (data["firm"] // cities + data["city"] // 2) % len(effects)
    data["group"] = data["code"].map(dict(enumerate("abcd")))
    data["treated"] = ((data["city"] % 2 == 0) & (data["year"] >= 2014)).astype(int)
    firm = rng.normal(size=n)[data["firm"]]
    data["x"] = rng.normal(size=len(data)) + firm
    data["y"] = np.asarray(effects)[data["code"]] * data["treated"] + (0.3 + data["code"]) * data["x"] + firm
    data["y"] += 0.5 * rng.normal(size=(cities, years))[data["city"], data["year"] - 2011] + rng.normal(size=len(data))
    return data[rng.random(len(data)) < 0.9].reset_index(drop=True)


TWO = panel(1, (0.2, 0.6))
THREE = panel(2, (0.2, 0.6, 0.4))


def rows(table: pd.DataFrame, test: str) -> pd.DataFrame:
    return table[table["test"] == test].set_index("comparison")


# --- agreement -------------------------------------------------------------------------------------------------------


def test_independent_test_is_the_z_test_of_separate_regressions() -> None:
    found = rows(compare_groups(FORMULA, TWO, term="treated", group="group", vcov="cluster:firm"), "independent")
    a, b = (regress(FORMULA, TWO[TWO["group"] == g], "cluster:firm").coefficients.loc["treated"] for g in ("a", "b"))
    assert found.loc["a - b", "difference"] == pytest.approx(a["estimate"] - b["estimate"])
    assert found.loc["a - b", "statistic"] == pytest.approx(
        (a["estimate"] - b["estimate"]) / np.hypot(a["se"], b["se"])
    )


@pytest.mark.parametrize("vcov", ["iid", "hetero", "cluster:firm", "cluster:city"])
@pytest.mark.parametrize(
    ("formula", "crossed"),
    [
        (FORMULA, "y ~ treated + treated:second + x + x:second | firm^group + year^group"),
        ("y ~ treated + x", "y ~ second + treated + treated:second + x + x:second"),
    ],
)
def test_interacted_test_is_the_t_test_of_an_interaction(formula: str, crossed: str, vcov: str) -> None:
    found = rows(compare_groups(formula, TWO, term="treated", group="group", vcov=vcov), "interacted").loc["a - b"]
    data = TWO.assign(second=(TWO["group"] == "b").astype(float))
    difference = regress(crossed, data, vcov).coefficients.loc["treated:second"]
    assert found["difference"] == pytest.approx(-difference["estimate"], abs=1e-9)
    assert found["se"] == pytest.approx(difference["se"], rel=1e-8)
    assert found["p"] == pytest.approx(difference["p"], rel=1e-6)


def test_joint_test_of_three_groups_is_the_wald_test_of_the_interactions() -> None:
    found = compare_groups(FORMULA, THREE, term="treated", group="group", vcov="cluster:city")
    data = THREE.assign(**{g: (THREE["group"] == g).astype(float) for g in ("b", "c")})
    crossed = "y ~ treated + treated:b + treated:c + x + x:b + x:c | firm^group + year^group"
    expected = wald(regress(crossed, data, "cluster:city"), ["treated:b", "treated:c"])
    joint = rows(found, "interacted").loc["all equal"]
    assert joint["statistic"] == pytest.approx(expected["statistic"], rel=1e-8)
    assert joint["p"] == pytest.approx(expected["p"], rel=1e-8)

    own = pd.DataFrame(
        {
            g: regress(FORMULA, THREE[THREE["group"] == g], "cluster:city").coefficients.loc["treated"]
            for g in ("a", "b", "c")
        }
    ).T
    precision = 1 / own["se"] ** 2
    mean = np.average(own["estimate"], weights=precision)
    q = float((precision * (own["estimate"] - mean) ** 2).sum())
    assert rows(found, "independent").loc["all equal", "statistic"] == pytest.approx(q)


@pytest.mark.parametrize("formula", [FORMULA, "y ~ treated + x"])
def test_permutation_equals_shuffling_labels_and_estimating_again(formula: str) -> None:
    draws = 19
    found = rows(
        compare_groups(formula, THREE, term="treated", group="group", vcov="iid", unit="firm", draws=draws, seed=5),
        "permutation",
    )
    label = THREE.groupby("firm")["group"].first()

    def estimates(data: pd.DataFrame) -> np.ndarray:
        return np.array(
            [regress(formula, data[data["group"] == g]).coefficients.loc["treated", "estimate"] for g in "abc"]
        )

    rng = np.random.default_rng(5)
    shuffled = []
    for _ in range(draws):
        drawn = pd.Series(rng.permutation(label.to_numpy()), label.index)
        shuffled.append(estimates(THREE.assign(group=THREE["firm"].map(drawn))))
    actual, shuffles = estimates(THREE), np.array(shuffled)
    for name, (i, j) in {"a - b": (0, 1), "a - c": (0, 2), "b - c": (1, 2)}.items():
        as_large = np.sum(np.abs(shuffles[:, i] - shuffles[:, j]) >= abs(actual[i] - actual[j]))
        assert found.loc[name, "p"] == (1 + as_large) / (1 + draws)
    as_large = np.sum(shuffles.var(axis=1) >= actual.var())
    assert found.loc["all equal", "p"] == (1 + as_large) / (1 + draws)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([1e-3, 1.0, 1e5]))
def test_row_order_and_units_do_not_matter(seed: int, factor: float) -> None:
    options = {"term": "treated", "group": "group", "vcov": "cluster:city", "unit": "firm", "draws": 9, "seed": seed}
    base = compare_groups(FORMULA, TWO, **options)
    data = TWO.sample(frac=1, random_state=seed % 99).assign(y=lambda d: factor * d["y"], x=lambda d: 7 * d["x"])
    other = compare_groups(FORMULA, data, **options)
    pd.testing.assert_frame_equal(other[["test", "comparison"]], base[["test", "comparison"]])
    np.testing.assert_allclose(other["difference"], factor * base["difference"], rtol=1e-7)
    np.testing.assert_allclose(other[["statistic", "p"]], base[["statistic", "p"]], rtol=1e-6)


def test_rows_without_a_group_are_left_out() -> None:
    data = TWO.assign(group=TWO["group"].where(TWO["firm"] > 20))
    options = {"term": "treated", "group": "group", "vcov": "cluster:city"}
    pd.testing.assert_frame_equal(
        compare_groups(FORMULA, data, **options), compare_groups(FORMULA, data.dropna(), **options)
    )


# --- known truth -----------------------------------------------------------------------------------------------------


def test_size_when_the_effects_are_equal() -> None:
    """Groups differ in the slope of x and in nothing else; cities have firms of both groups."""
    p = {"independent": [], "interacted": [], "permutation": []}
    for seed in range(100, 150):
        data = panel(seed)
        found = compare_groups(
            FORMULA, data, term="treated", group="group", vcov="cluster:city", unit="firm", draws=19, seed=seed
        )
        for test, value in zip(found["test"], found["p"], strict=True):
            p[test].append(value)
    for test in ("interacted", "permutation"):
        assert np.mean(np.array(p[test]) <= 0.1) < 0.21, test
        assert 0.3 < np.mean(p[test]) < 0.7, test
    # city-year shocks are common to both groups: treating the estimates as independent is too careful
    assert np.mean(p["independent"]) > np.mean(p["interacted"])


def test_power_when_they_are_not() -> None:
    found = compare_groups(
        FORMULA, panel(4, (0.0, 1.0)), term="treated", group="group", vcov="cluster:city", unit="firm", draws=199
    )
    assert (found["p"] < 0.02).all()
    assert (found["difference"] < -0.6).all()


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"draws": -1}, ParameterError, "draws = -1"),
        ({"draws": 10}, ParameterError, "'unit'"),
        ({"term": "z"}, DeclarationError, "'z' has no coefficient"),
        ({"group": "tercile"}, DeclarationError, "tercile"),
        ({"unit": "plant", "draws": 3}, DeclarationError, "plant"),
        ({"vcov": "robust"}, DeclarationError, "robust"),
        ({"unit": "year", "draws": 3}, DataError, "several labels"),
    ],
)
def test_bad_arguments(changes: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        compare_groups(FORMULA, TWO, **({"term": "treated", "group": "group", "vcov": "iid"} | changes))


@pytest.mark.parametrize("formula", [FORMULA, "y ~ treated | firm + year"])
def test_a_group_without_treated_units(formula: str) -> None:
    data = TWO.assign(treated=TWO["treated"].where(TWO["group"] == "a", 0))
    with pytest.raises(DataError, match="does not vary"):
        compare_groups(formula, data, term="treated", group="group", vcov="iid")


def test_one_group_only() -> None:
    with pytest.raises(DataError, match="at least two groups, found 1"):
        compare_groups(FORMULA, TWO[TWO["group"] == "a"], term="treated", group="group", vcov="iid")


def test_shuffles_that_leave_a_group_without_treated_units() -> None:
    data = TWO.assign(
        treated=TWO["treated"].where(TWO["firm"].isin([0, 48, 2]), 0),
        group=np.where(TWO["firm"].isin([0, 48, 1, 49]), "rare", "rest"),
    )
    with pytest.raises(DataError, match="shuffles of 'firm' a group has no coefficient"):
        compare_groups(FORMULA, data, term="treated", group="group", vcov="iid", unit="firm", draws=30)
