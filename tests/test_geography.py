"""Distances, bands and ports."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones import geography, policy
from pilotzones.errors import DataError, ParameterError

HANGZHOU, SHANGHAI, BEIJING, NINGBO, URUMQI = 330100, 310000, 110000, 330200, 650100
PLACE = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def by_vectors(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Angle between two unit vectors by atan2: accurate everywhere, and not the haversine formula."""

    def unit(lat: float, lon: float) -> np.ndarray:
        phi, lam = np.radians([lat, lon])
        return np.array([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])

    a, b = unit(lat1, lon1), unit(lat2, lon2)
    return 6371.0088 * float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


@settings(deadline=None)
@given(PLACE, PLACE)
def test_agrees_with_an_independent_formula(a: tuple[float, float], b: tuple[float, float]) -> None:
    # near antipodes haversine loses digits, at most about 1e-4 km
    assert float(geography.great_circle_km(*a, *b)) == pytest.approx(by_vectors(*a, *b), rel=1e-9, abs=1e-3)


@settings(deadline=None)
@given(PLACE, PLACE, PLACE)
def test_is_a_metric(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> None:
    def d(p: tuple[float, float], q: tuple[float, float]) -> float:
        return float(geography.great_circle_km(*p, *q))

    assert d(a, b) == pytest.approx(d(b, a), abs=1e-6)
    assert d(a, a) == 0
    assert d(a, c) <= d(a, b) + d(b, c) + 1e-3
    assert d(a, b) <= np.pi * 6371.0088 + 1e-6


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((0, 0), (0, 90), np.pi / 2 * 6371.0088),  # a quarter of the equator
        ((0, 0), (90, 50), np.pi / 2 * 6371.0088),  # to the pole
        ((10, 20), (-10, -160), np.pi * 6371.0088),  # antipodes
        ((50.0663889, -5.7147222), (58.6438889, -3.07), 968.9),  # Land's End to John o' Groats
        ((36.12, -86.67), (33.94, -118.40), 2886.4),  # Nashville to Los Angeles
    ],
)
def test_known_distances(a: tuple[float, float], b: tuple[float, float], km: float) -> None:
    assert float(geography.great_circle_km(*a, *b)) == pytest.approx(km, abs=0.1)


@pytest.mark.parametrize(
    ("a", "b", "km"), [(BEIJING, SHANGHAI, 1067), (HANGZHOU, SHANGHAI, 164), (BEIJING, URUMQI, 2420)]
)
def test_distances_between_cities(a: int, b: int, km: float) -> None:
    assert geography.distances().loc[a, b] == pytest.approx(km, rel=0.02)


def test_distance_matrix() -> None:
    km = geography.distances()
    assert km.shape == (337, 337) and (km.index == km.columns).all()
    assert np.array_equal(np.diag(km), np.zeros(337))
    np.testing.assert_allclose(km, km.T, atol=1e-9)
    off = km.to_numpy()[~np.eye(337, dtype=bool)]
    assert off.min() > 5 and off.max() < 5300  # China is about 5,200 km across


def test_nearest_port() -> None:
    every, hubs = geography.nearest_port(), geography.nearest_port(tier=1)
    assert len(every) == len(hubs) == 337
    assert (every["km"] <= hubs["km"]).all() and (every["km"] < hubs["km"]).any()
    assert every.at[BEIJING, "port"].startswith("Tianjin") and every.at[NINGBO, "port"].startswith("Ningbo")
    table = geography.ports()
    assert set(hubs["port"]) <= set(table.index[table["tier"] == 1])
    place, port = policy.cities().set_index("adcode").loc[URUMQI], table.loc[every.at[URUMQI, "port"]]
    assert every.at[URUMQI, "km"] == pytest.approx(by_vectors(place["lat"], place["lon"], port["lat"], port["lon"]))
    coastal = policy.cities().set_index("adcode")["coastal_city"] == 1
    assert every.loc[coastal, "km"].median() < 50 < every.loc[~coastal, "km"].median()


@pytest.mark.parametrize("tier", [0, 3, "hub"])
def test_an_unknown_tier_is_refused(tier: int) -> None:
    with pytest.raises(ParameterError, match="expected one of 1, 2"):
        geography.nearest_port(tier)


def panel(cities: list[int] | pd.Series, batches: tuple[int, ...] = (1, 2, 3)) -> pd.DataFrame:
    rows = pd.DataFrame([(city, year) for city in cities for year in range(2013, 2021)], columns=["city", "year"])
    return policy.attach(rows, batches, partial=True)


def by_hand(rows: pd.DataFrame, lower: float, upper: float) -> list[int]:
    """The definition, one row at a time."""
    km, first = geography.distances(), policy.first_batch(partial=True)
    start = {city: {1: 2015, 2: 2016, 3: 2018}[batch] for city, batch in first.items() if batch in (1, 2, 3)}
    return [
        int(any(lower < km.at[row.city, z] <= upper and row.year >= start[z] for z in start if z != row.city))
        for row in rows.itertuples()
    ]


def test_bands_follow_the_definition() -> None:
    rows = panel(policy.cities()["adcode"]).sample(300, random_state=3)
    whole = panel(policy.cities()["adcode"])
    flags = geography.zones_in_bands(whole, range(50, 501, 50)).loc[rows.index]
    assert list(flags) == [f"zone_{s}" for s in range(50, 501, 50)] and set(flags.dtypes) == {np.dtype("int8")}
    for upper in range(50, 501, 50):
        assert flags[f"zone_{upper}"].tolist() == by_hand(rows, upper - 50, upper)


def test_bands_of_chosen_cities() -> None:
    rows = panel([HANGZHOU, SHANGHAI, BEIJING])
    flags = geography.zones_in_bands(rows, [50, 200]).assign(city=rows["city"], year=rows["year"])
    flags = flags.set_index(["city", "year"])
    # before 2015 no zone exists; Hangzhou's own zone does not count for Hangzhou, but does for Shanghai
    assert (flags.loc[(slice(None), [2013, 2014]), :] == 0).all(axis=None)
    assert flags.loc[(HANGZHOU, 2015)].tolist() == [0, 0]
    assert flags.loc[(SHANGHAI, 2015)].tolist() == [0, 1]
    assert flags.loc[(HANGZHOU, 2016)].tolist() == [0, 1]


def test_bands_do_not_depend_on_which_cities_have_rows_or_their_order() -> None:
    whole = panel(policy.cities()["adcode"])
    expected = geography.zones_in_bands(whole, [100, 300])
    some = whole[whole["city"].isin([HANGZHOU, BEIJING, URUMQI, NINGBO, SHANGHAI, 370100])]
    some = some.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(geography.zones_in_bands(some, [100, 300]), expected.loc[some.index])


def test_bands_follow_other_cohorts() -> None:
    rows = panel([HANGZHOU, SHANGHAI])
    moved = rows.assign(cohort=rows["city"].map({SHANGHAI: 2014.0}))
    flags = geography.zones_in_bands(moved[moved["city"] == HANGZHOU].assign(cohort=np.nan), [200])
    assert not flags.any(axis=None)
    flags = geography.zones_in_bands(moved, [200])
    assert flags.loc[(moved["city"] == HANGZHOU) & (moved["year"] == 2014), "zone_200"].all()


@pytest.mark.parametrize("bands", [[], [100, 50], [0, 50], [50, 50]])
def test_impossible_bands_are_refused(bands: list[int]) -> None:
    with pytest.raises(ParameterError, match="ascending"):
        geography.zones_in_bands(panel([HANGZHOU]), bands)


def test_bands_need_one_cohort_per_city_and_known_cities() -> None:
    rows = panel([HANGZHOU, BEIJING])
    with pytest.raises(DataError, match=f"city {HANGZHOU} has two values"):
        geography.zones_in_bands(rows.assign(cohort=rows["cohort"].mask(rows["year"] == 2013, 2000)), [50])
    with pytest.raises(DataError, match="1 has no coordinates"):
        geography.zones_in_bands(rows.assign(city=1, cohort=2015.0, batch=1), [50])
    with pytest.raises(DataError, match="'cohort' is missing"):
        geography.zones_in_bands(rows.drop(columns="cohort"), [50])
