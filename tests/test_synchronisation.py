"""Synchronisation and gravity against hand-computed values, identities, high precision, and bad input."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.filters.hp_filter import hpfilter

from pilotzones import geography
from pilotzones.errors import DataError, ParameterError
from pilotzones.measures import synchronisation as sync

YEARS = [*range(2010, 2020)]


def drawn(n_cities: int, seed: int, years: list[int] = YEARS) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(n_cities, len(years)))
    return pd.DataFrame(values, index=pd.Index(100 * np.arange(1, n_cities + 1), name="city"), columns=years)


SERIES = drawn(6, seed=1) + 10
PAIRS = sync.pairs(SERIES.index)


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_all_pairs_once_in_order() -> None:
    ours = sync.pairs([30, 10, 20])
    assert ours.to_numpy().tolist() == [[10, 20], [10, 30], [20, 30]]
    assert ours.index.tolist() == [0, 1, 2] and ours.index.name == "pair"
    assert len(sync.pairs(range(254))) == 32_131
    with pytest.raises(DataError, match="city 20 stands twice"):
        sync.pairs([20, 10, 20])


# --- the index -------------------------------------------------------------------------------------------------------


def test_by_hand() -> None:
    """1, 2, 3 and 3, 3, 0: z = (-a, 0, a) with a = sqrt(3/2), and (b, b, -2b) with b = 1/sqrt(2)."""
    series = pd.DataFrame([[1, 2, 3], [3, 3, 0]], [7, 8], YEARS[:3])
    a, b = 1.5**0.5, 0.5**0.5
    pairs = sync.pairs([7, 8])
    expected = [1 - (a + b) ** 2 / 2, 1 - b**2 / 2, 1 - (a + 2 * b) ** 2 / 2]
    np.testing.assert_allclose(sync.standardised(series), [[-a, 0, a], [b, b, -2 * b]], atol=1e-15)
    np.testing.assert_allclose(sync.cerqueira_martins(series, pairs), [expected], rtol=1e-14)
    transformed = [0.5 * np.log((1 + r / 3) / (1 - r)) for r in expected]  # 2T - 3 = 3
    np.testing.assert_allclose(sync.fisher(series, pairs), [transformed], rtol=1e-13)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000), n_years=st.integers(3, 15), trend=st.floats(-3, 3))
def test_the_mean_over_years_is_the_correlation_and_the_bounds_hold(seed: int, n_years: int, trend: float) -> None:
    series = drawn(5, seed, [*range(2000, 2000 + n_years)]) + trend * np.arange(n_years)
    pairs = sync.pairs(series.index)
    rho = sync.cerqueira_martins(series, pairs)
    pearson = np.corrcoef(series)[np.triu_indices(5, 1)]
    np.testing.assert_allclose(rho.mean(axis=1), pearson, atol=1e-12)
    assert rho.to_numpy().max() <= 1 and rho.to_numpy().min() >= 3 - 2 * n_years - 1e-9
    assert rho.index.equals(pairs.index) and rho.columns.equals(series.columns)


def test_both_bounds_are_reached() -> None:
    """One city's only peak in the year of the other's only trough: 3 - 2T; the same series in other units: 1."""
    peak = pd.Series(0.0, YEARS).where(pd.Series(YEARS, YEARS) != 2014, 5.0)
    series = pd.DataFrame([peak, -2 * peak, 3 * peak + 1], [1, 2, 3])
    rho = sync.cerqueira_martins(series, sync.pairs(series.index))
    assert rho.loc[0, 2014] == pytest.approx(-17, abs=1e-12)
    np.testing.assert_allclose(rho.loc[1], 1, atol=1e-15)
    with pytest.raises(DataError, match=r"cities 1 and 2, 2014: synchronisation -17 is at its bound"):
        sync.fisher(series, pd.DataFrame({"city_i": [1], "city_j": [2]}))
    with pytest.raises(DataError, match=r"cities 1 and 3, 2010: synchronisation 1 is at its bound"):
        sync.fisher(series, pd.DataFrame({"city_i": [1], "city_j": [3]}))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100_000), scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_units_and_the_order_of_pairs_do_not_matter(seed: int, scale: float, shift: float) -> None:
    """A negative scale does: the city then moves against the others."""
    rng = np.random.default_rng(seed)
    other = SERIES.copy()
    other.loc[200] = scale * other.loc[200] + shift
    expected = sync.fisher(SERIES, PAIRS)
    np.testing.assert_allclose(sync.fisher(other, PAIRS), expected, rtol=1e-6, atol=1e-8)
    shuffled = PAIRS.sample(frac=1, random_state=seed)
    ends = rng.permuted(shuffled.to_numpy(), axis=1)  # some pairs the other way round
    turned = pd.DataFrame(ends, shuffled.index, shuffled.columns)
    pd.testing.assert_frame_equal(sync.fisher(SERIES.sample(frac=1, random_state=seed), turned).sort_index(), expected)
    other.loc[200] *= -1
    against, along = (sync.cerqueira_martins(data, PAIRS.loc[[0]]).mean(axis=1) for data in (other, SERIES))
    np.testing.assert_allclose(against, -along, atol=1e-9)  # pair 0 is 100 and 200


def test_the_transform_keeps_its_digits_where_rho_is_one() -> None:
    """Against 60-digit arithmetic; through rho it would be infinite."""
    base = np.array([1.0, 4, 2, 8, 5, 7, 3, 9, 6, 0])
    for nudge in (1e-1, 1e-4, 1e-7, 1e-9):
        series = pd.DataFrame([base, base + nudge * np.roll(base, 3)], [1, 2], YEARS)
        ours = sync.fisher(series, sync.pairs([1, 2])).iloc[0]
        with localcontext() as context:
            context.prec = 60
            z = []
            for row in series.to_numpy().tolist():
                exact = [Decimal(x) for x in row]  # the doubles as they are
                centred = [x - sum(exact) / 10 for x in exact]
                sd = (sum(x * x for x in centred) / 10).sqrt()
                z.append([x / sd for x in centred])
            gaps = [(a - b) ** 2 / 2 for a, b in zip(*z, strict=True)]
            direct = [float(((1 + (1 - g) / 17) / g).ln() / 2) for g in gaps]
        # what the doubles z can know: an error of 1e-15 in their difference
        difference = np.sqrt(2 * np.array([float(g) for g in gaps]))
        assert (np.abs(ours - direct) < 2e-15 / difference + 1e-14).all()
        if nudge == 1e-9:
            rho = sync.cerqueira_martins(series, sync.pairs([1, 2]))
            assert (rho == 1).all(axis=None) and np.isfinite(ours).all()


def test_a_common_trend_is_all_that_levels_need() -> None:
    """Cycles that have nothing to do with each other: 0.97 in levels, below 0.02 in all versions of the cycle."""
    series = 0.1 * drawn(40, seed=3, years=[*range(1990, 2020)]) + 10 + 0.06 * np.arange(30)
    pairs = sync.pairs(series.index)
    assert sync.cerqueira_martins(series, pairs).mean(axis=None) > 0.96
    for kind in ("hp", "hamilton", "growth", "linear"):
        assert abs(sync.cerqueira_martins(sync.cycle(series, kind), pairs).mean(axis=None)) < 0.02


# --- cycles ----------------------------------------------------------------------------------------------------------


def test_hodrick_prescott_equals_statsmodels_and_the_definition() -> None:
    ours = sync.cycle(SERIES, "hp")
    for city, row in SERIES.iterrows():
        np.testing.assert_allclose(ours.loc[city], hpfilter(row, lamb=6.25)[0], atol=1e-12)
    second = np.diff(np.eye(10), 2, axis=0)
    trend = np.linalg.solve(np.eye(10) + 6.25 * second.T @ second, SERIES.T)
    np.testing.assert_allclose(ours, SERIES - trend.T, atol=1e-12)


def test_hamilton_equals_a_regression_on_the_value_two_years_before() -> None:
    ours = sync.cycle(SERIES, "hamilton")
    assert list(ours.columns) == YEARS[2:]
    for city, row in SERIES.iterrows():
        slope, constant = np.polyfit(row[:-2].to_numpy(), row[2:].to_numpy(), 1)
        np.testing.assert_allclose(ours.loc[city], row[2:] - constant - slope * row[:-2].to_numpy(), atol=1e-10)
    with pytest.raises(DataError, match="5 years; expected at least 6"):
        sync.cycle(SERIES[YEARS[:5]], "hamilton")


def test_growth_and_straight_line() -> None:
    growth = sync.cycle(SERIES, "growth")
    assert list(growth.columns) == YEARS[1:]
    assert growth.loc[300, 2013] == pytest.approx(SERIES.loc[300, 2013] / SERIES.loc[300, 2012] - 1)
    line = np.polyfit(YEARS, SERIES.loc[300], 1)
    np.testing.assert_allclose(sync.cycle(SERIES, "linear").loc[300], SERIES.loc[300] - np.polyval(line, YEARS))
    with pytest.raises(ParameterError, match="kind = 'bk': expected hp, hamilton, growth or linear"):
        sync.cycle(SERIES, "bk")  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(["hp", "hamilton", "linear"]), slope=st.floats(-5, 5), scale=st.floats(0.1, 100))
def test_a_straight_line_added_changes_no_cycle(kind: str, slope: float, scale: float) -> None:
    """Hamilton's regression takes out a constant only, and any series with a trend needs that trend to predict."""
    other = scale * SERIES + (7 if kind == "hamilton" else slope * np.arange(10))
    np.testing.assert_allclose(sync.cycle(other, kind), scale * sync.cycle(SERIES, kind), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["hp", "hamilton", "growth", "linear"])
def test_a_series_that_is_its_own_trend_has_no_cycle(kind: str) -> None:
    """What is left is rounding, which would have correlations."""
    t = np.arange(10)
    series = SERIES.copy()
    series.loc[400] = 0.3 * 1.07**t if kind == "growth" else 0.1 + 0.3 * t
    with pytest.raises(DataError, match=f"city 400: nothing is left of its series \\({kind}\\)"):
        sync.cycle(series, kind)


# --- differences -----------------------------------------------------------------------------------------------------


def test_absolute_difference() -> None:
    series = pd.DataFrame([[1.0, 5, 2], [4, 4, 4]], [1, 2], YEARS[:3])
    assert sync.absolute_difference(series, sync.pairs([1, 2])).to_numpy().tolist() == [[-3, -1, -2]]


def test_weighted_variation_by_hand_and_by_its_definition() -> None:
    """Incomes 1 and 3, a quarter of the people poor: mean 2.5, variance 0.25 * 2.25 + 0.75 * 0.25 = 0.75."""
    series = pd.DataFrame([[1.0, 2, 4], [3.0, 6, 12]], [1, 2], YEARS[:3])
    people = pd.DataFrame([[5.0] * 3, [15.0] * 3], [1, 2], YEARS[:3])
    ours = sync.weighted_variation(series, people, sync.pairs([1, 2]))
    np.testing.assert_allclose(ours, np.full((1, 3), 0.75**0.5 / 2.5), rtol=1e-14)  # no unit
    people = np.exp(drawn(6, seed=2))
    ours = sync.weighted_variation(SERIES, people, PAIRS)
    for pair, (i, j) in PAIRS.iterrows():
        x, p = SERIES.loc[[i, j], 2015], people.loc[[i, j], 2015]
        mean = np.average(x, weights=p)
        assert ours.loc[pair, 2015] == pytest.approx(np.sqrt(np.average((x - mean) ** 2, weights=p)) / mean)
    alike = SERIES * 0 + SERIES.loc[100].to_numpy()
    assert (sync.weighted_variation(alike, people, PAIRS) < 1e-15).all(axis=None)


# --- gravity ---------------------------------------------------------------------------------------------------------

MASSES = pd.DataFrame(
    {"people": [16.0, 1, 2], "gdp": [81.0, 1, 3], "area": [1.0, 16, 5], "rank": [1, 1, 4]}, index=[10, 20, 30]
)
KM = pd.DataFrame([[0.0, 2, 3], [2, 0, 4], [3, 4, 0]], MASSES.index, MASSES.index)
THREE = sync.pairs(MASSES.index)


def test_ties_by_hand() -> None:
    """Masses 6, 2 and 120^(1/4); distances 2, 3 and 4."""
    ties = sync.gravity(MASSES, KM, THREE)
    np.testing.assert_allclose(ties, [6 * 2 / 4, 6 * 120**0.25 / 9, 2 * 120**0.25 / 16], rtol=1e-14)
    assert ties.index.equals(THREE.index)
    order = [30, 10, 20]
    pd.testing.assert_series_equal(sync.gravity(MASSES.loc[order], KM.loc[order], THREE), ties)


def test_half_of_the_real_pairs_have_strong_ties() -> None:
    """254 cities, 55 of them zones: 32,131 pairs, 30,646 without those of two zones, 15,323 above the median."""
    km = geography.distances()
    rng = np.random.default_rng(4)
    codes = km.index[np.sort(rng.permutation(len(km))[:254])]
    masses = pd.DataFrame(np.exp(rng.normal(size=(254, 3))), codes, ["people", "gdp", "area"]).assign(rank=1)
    pairs = sync.pairs(codes)
    zones = rng.permutation(codes)[:55]
    kept = pairs[~(pairs["city_i"].isin(zones) & pairs["city_j"].isin(zones))]
    ties = sync.gravity(masses, km, kept)
    strong = sync.strong(ties)
    assert (len(pairs), len(kept), int(strong.sum())) == (32_131, 30_646, 15_323)
    assert ties[strong].min() > ties[~strong].max()
    pd.testing.assert_series_equal(sync.strong(1e6 * ties), strong)  # units do not matter


def test_ties_at_the_median_are_treated_alike() -> None:
    assert sync.strong(pd.Series([1.0, 2, 2, 3])).tolist() == [False, False, False, True]
    assert sync.strong(pd.Series([1.0, 2, 3])).tolist() == [False, False, True]
    with pytest.raises(DataError, match="pair 1: missing"):
        sync.strong(pd.Series([1.0, np.nan]))


# --- bad input -------------------------------------------------------------------------------------------------------


def changed(city: int, year: int, value: object) -> pd.DataFrame:
    series = SERIES.astype(object)
    series.loc[city, year] = value
    return series


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (changed(300, 2013, np.nan), "series, city 300, 2013: nan, expected a number"),
        (changed(300, 2013, np.inf), "series, city 300, 2013: inf"),
        (changed(300, 2013, "n.a."), "series, city 300, 2013: n.a., expected a number"),
        (SERIES.drop(columns=2013), "years 2010, 2011, 2012, 2014, .*without a gap"),
        (SERIES[[2010, 2011]], "three or more"),
        (SERIES.rename(columns=str), "expected three or more without a gap"),
        (pd.concat([SERIES, SERIES.loc[[500]]]), "city 500: a second row in series"),
        (SERIES.mul(SERIES.index != 200, axis=0) + 0.1, "city 200: its series is constant"),
        (SERIES.drop(index=600), "pair of cities 100 and 600: expected two of the 5 cities"),
    ],
)
def test_series_that_cannot_be_synchronised(series: pd.DataFrame, message: str) -> None:
    for measure in (sync.cerqueira_martins, sync.fisher):
        with pytest.raises(DataError, match=message):
            measure(series, PAIRS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(100, 200), (100, 300), (100, 200)], "pair of cities 100 and 200: a second row"),
        ([(100, 200), (100, 300), (200, 100)], "200 and 100: a second row; expected one, in either order"),
        ([(100, 200), (300, 300)], "300 and 300: expected two different cities"),
        ([(100, 999)], "100 and 999: expected two of the 6 cities"),
    ],
)
def test_pairs_that_are_none(rows: list[tuple[int, int]], message: str) -> None:
    wrong = pd.DataFrame(rows, columns=["city_i", "city_j"])
    for measure in (sync.cerqueira_martins, sync.absolute_difference):
        with pytest.raises(DataError, match=message):
            measure(SERIES, wrong)
    with pytest.raises(DataError, match="column 'city_j' is missing"):
        sync.fisher(SERIES, wrong.rename(columns={"city_j": "to"}))


def test_levels_and_populations_that_are_not_positive() -> None:
    with pytest.raises(DataError, match=r"series, city 300, 2013: 0, expected a number above 0"):
        sync.cycle(changed(300, 2013, 0), "growth")
    people = SERIES.copy()
    people.loc[400, 2016] = -1.5
    with pytest.raises(DataError, match=r"people, city 400, 2016: -1.5, expected a number above 0"):
        sync.weighted_variation(SERIES, people, PAIRS)
    with pytest.raises(DataError, match="people, city 600, 2010: nan"):
        sync.weighted_variation(SERIES, SERIES.drop(index=600), PAIRS)


def test_gravity_that_cannot_be() -> None:
    for column in ("people", "gdp", "area", "rank"):
        with pytest.raises(DataError, match=f"gravity, city 20, {column}: 0.*, expected a number above 0"):
            sync.gravity(MASSES.assign(**{column: MASSES[column].where(MASSES.index != 20, 0)}), KM, THREE)
    with pytest.raises(DataError, match="column 'area' is missing"):
        sync.gravity(MASSES.drop(columns="area"), KM, THREE)
    with pytest.raises(DataError, match="cities 10 and 20 are 0 km apart"):
        sync.gravity(MASSES, KM.replace(2, 0), THREE)
    with pytest.raises(DataError, match="city 30: no distance to any city; has it coordinates"):
        sync.gravity(MASSES, KM.drop(index=30), THREE)
    with pytest.raises(DataError, match="city 10: a second row in gravity"):
        sync.gravity(MASSES.set_axis([10, 10, 30]), KM, THREE)
    with pytest.raises(DataError, match="cities 10 and 30 are nan km apart"):
        sync.gravity(MASSES, KM.mask(KM == 3), THREE)
