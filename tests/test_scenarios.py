"""Tests of the worlds with a known truth: what each adds to untreated outcomes, and the noise they are drawn with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones import panel, scenarios, studies
from pilotzones.errors import DataError, ParameterError
from pilotzones.panel import TRUTH
from pilotzones.scenarios import SCENARIOS

STUDY = studies.load("resilience")
HANGZHOU, JIAXING = 330100, 330400  # 80 km apart


@pytest.fixture(scope="module")
def book() -> pd.DataFrame:
    return panel.generate(STUDY, STUDY.seed)


def grid(units: int, years: int) -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([range(units), range(2010, 2010 + years)], names=["city", "year"])
    return rows.to_frame(index=False).assign(**{TRUTH: 0.0})


# ------------------------------------------------------------------------------------------------------------ effects


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_mean_effect_is_the_size_and_nothing_without_a_zone(book: pd.DataFrame, scenario: str) -> None:
    added = scenarios.effects(book, scenario, 0.03)
    treated = book["event_time"] >= 0
    assert added.loc[treated, "effect"].mean() == pytest.approx(0.03, abs=1e-12)
    assert (added.loc[treated, "effect"] > 0).all()
    assert (added.loc[~treated, "effect"] == 0).all()
    assert not added.isna().any(axis=None)
    assert added.index.equals(book.index)


@settings(max_examples=10, deadline=None)
@given(scenario=st.sampled_from(SCENARIOS), size=st.floats(-2, 2), seed=st.integers(0, 99))
def test_what_is_added_is_proportional_to_size_and_indifferent_to_the_order_of_rows(
    book: pd.DataFrame, scenario: str, size: float, seed: int
) -> None:
    one = scenarios.effects(book, scenario, 1.0)
    shuffled = scenarios.effects(book.sample(frac=1, random_state=seed), scenario, size)
    np.testing.assert_allclose(shuffled.loc[book.index], size * one, atol=1e-12)


def test_effects_have_the_shape_that_is_told(book: pd.DataFrame) -> None:
    treated = book["event_time"] >= 0
    rows = book[treated]
    of = {name: scenarios.effects(book, name, 1.0).loc[treated, "effect"] for name in SCENARIOS}
    by_cohort = of["cohorts"].groupby(rows["cohort"]).agg(["min", "max"])
    assert (by_cohort["min"] == by_cohort["max"]).all()
    steps = by_cohort["min"].diff().dropna()
    assert (steps < 0).all()
    np.testing.assert_allclose(steps, steps.iloc[0])
    assert by_cohort["min"].iloc[0] == pytest.approx(7 * by_cohort["min"].iloc[-1])
    np.testing.assert_allclose(
        of["dynamic"] / (rows["event_time"] + 1), of["dynamic"].sum() / (rows["event_time"] + 1).sum()
    )
    for name in ("homogeneous", "anticipated", "trending", "spilling"):
        assert (of[name] == 1).all()


def test_assumptions_fail_only_where_they_are_told_to(book: pd.DataFrame) -> None:
    violation = {name: scenarios.effects(book, name, 1.0)["violation"] for name in SCENARIOS}
    for name in ("homogeneous", "cohorts", "dynamic"):
        assert (violation[name] == 0).all()
    years_left = book["event_time"]
    expected = np.where(years_left.isin([-2, -1]), 0.5, 0.0)
    np.testing.assert_array_equal(violation["anticipated"], expected)
    never = book["cohort"].isna()
    assert (violation["trending"][never] == 0).all()
    np.testing.assert_allclose(violation["trending"][~never], (book["year"] - 2010)[~never] / 10)
    spilling = violation["spilling"]
    assert set(spilling.round(12)) == {0.0, round(1 / 3, 12)}
    assert (spilling[book["event_time"] >= 0] == 0).all()


def test_a_zone_spills_over_within_reach_from_its_first_year(book: pd.DataFrame) -> None:
    two = book[book["city"].isin([HANGZHOU, JIAXING]) & book["year"].between(2012, 2017)].copy()
    two["cohort"] = two["cohort"].where(two["city"] == HANGZHOU)
    two["event_time"] = (two["year"] - two["cohort"]).astype("Int64")
    spilling = scenarios.effects(two, "spilling", 3.0)["violation"]
    assert spilling[two["city"] == HANGZHOU].eq(0).all()
    assert spilling[two["city"] == JIAXING].tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]


def test_errors_name_what_is_wrong(book: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match=r"scenario = 'random': expected one of homogeneous, cohorts, dynamic"):
        scenarios.effects(book, "random", 1.0)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"scenario 'dynamic', column 'event_time': no row is treated"):
        scenarios.effects(book[book["cohort"].isna()], "dynamic", 1.0)
    with pytest.raises(DataError, match=r"column 'city' is missing"):
        scenarios.effects(book.drop(columns="city"), "spilling", 1.0)


# ---------------------------------------------------------------------------------------------------------- laid over


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_untreated_outcomes_and_mean_effect_stay(book: pd.DataFrame, scenario: str) -> None:
    other = scenarios.laid_over(STUDY, book, scenario)
    violation = scenarios.effects(book, scenario, float(book.loc[book["event_time"] >= 0, TRUTH].mean()))["violation"]
    before, after = (d[STUDY.outcome] - d[TRUTH] for d in (book, other))
    pd.testing.assert_series_equal(after - violation, before, check_names=False)
    treated = book["event_time"] >= 0
    assert other.loc[treated, TRUTH].mean() == pytest.approx(book.loc[treated, TRUTH].mean(), rel=1e-9)
    same = [c for c in book if c not in (STUDY.outcome, TRUTH)]
    pd.testing.assert_frame_equal(other[same], book[same])


def test_a_panel_without_known_truth_cannot_move(book: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match=r"scenario = 'dynamic': needs a panel whose true effect is known"):
        scenarios.laid_over(STUDY, book.drop(columns=TRUTH), "dynamic")


# -------------------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.5, 0.8])
def test_noise_is_recovered_from_what_was_drawn(rho: float) -> None:
    rows = grid(units=2000, years=12)
    sd = pd.Series(np.where(np.arange(2000) < 500, 3.0, 1.0))
    effects = pd.Series(np.arange(2000) * 7.0)  # of units, and of years: noise() must not see them
    rows["y"] = scenarios.untreated(rows, "city", rho, sd, 3) + effects[rows["city"]].to_numpy() + rows["year"] ** 2
    found, spread = scenarios.noise(rows, "y", "city")
    assert found == pytest.approx(rho, abs=0.04)
    mean_square = (spread**2).groupby(sd.to_numpy()).mean()
    assert mean_square[1.0] == pytest.approx(1.0, rel=0.08)
    assert mean_square[3.0] == pytest.approx(9.0, rel=0.08)


def test_noise_leaves_the_true_effect_out() -> None:
    rows = grid(units=300, years=8)
    rows["y"] = scenarios.untreated(rows, "city", 0.5, pd.Series(1.0, range(300)), 4)
    rho, sd = scenarios.noise(rows, "y", "city")
    rows[TRUTH] = np.where((rows["city"] < 100) & (rows["year"] >= 2014), 50.0, 0.0)
    rows["y"] += rows[TRUTH]
    again, spread = scenarios.noise(rows, "y", "city")
    assert again == pytest.approx(rho, abs=1e-9)
    pd.testing.assert_series_equal(spread, sd)


def test_units_with_gaps_get_the_spread_of_the_others() -> None:
    rows = grid(units=200, years=8)
    rows["y"] = scenarios.untreated(rows, "city", 0.5, pd.Series(2.0, range(200)), 5)
    kept = rows[(rows["city"] != 7) | (rows["year"] != 2012)]
    _, sd = scenarios.noise(kept, "y", "city")
    assert sd[7] == pytest.approx(np.sqrt((sd.drop(7) ** 2).mean()))
    with pytest.raises(DataError, match=r"noise of 'y': 0 city with a row in every year; expected at least two"):
        scenarios.noise(rows[rows["year"] % 2 == rows["city"] % 2], "y", "city")


def test_draws_follow_the_seed_and_the_unit_not_the_rows() -> None:
    rows, sd = grid(units=30, years=6), pd.Series(1.0, range(30))
    drawn = scenarios.untreated(rows, "city", 0.5, sd, 1)
    shuffled = scenarios.untreated(rows.sample(frac=1, random_state=2), "city", 0.5, sd, 1)
    pd.testing.assert_series_equal(shuffled.loc[rows.index], drawn)
    gap = rows.drop(index=[3, 50])
    pd.testing.assert_series_equal(scenarios.untreated(gap, "city", 0.5, sd, 1), drawn.drop(index=[3, 50]))
    assert np.abs(scenarios.untreated(rows, "city", 0.5, sd, 2) - drawn).min() > 0
