"""Distances between cities, zones at a distance, and the nearest sea port."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pilotzones import paths, policy
from pilotzones.errors import DataError, ParameterError
from pilotzones.io import read_csv, require_columns

EARTH_RADIUS_KM = 6371.0088  # mean radius of the WGS84 ellipsoid


def great_circle_km(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> np.ndarray:
    r"""Return great-circle distances in kilometres by the haversine formula.

    .. math:: d = 2R \arcsin\sqrt{\sin^2\frac{\Delta\phi}{2} + \cos\phi_1\cos\phi_2\sin^2\frac{\Delta\lambda}{2}}

    On the sphere; the ellipsoid differs by at most 0.6%.

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : degrees, shapes that broadcast together.

    References
    ----------
    Sinnott, R. W. (1984). Virtues of the haversine. Sky and Telescope 68(2), 159.
    """
    phi1, lambda1, phi2, lambda2 = (np.radians(np.asarray(x, dtype=float)) for x in (lat1, lon1, lat2, lon2))
    h = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin((lambda2 - lambda1) / 2) ** 2
    # rounding can push h beyond 1 at antipodes
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(h, 1)))


def distances() -> pd.DataFrame:
    """Return the distance between the seats of all 337 prefectures, city by city, in kilometres."""
    cities = policy.cities()
    lat, lon = cities["lat"].to_numpy(), cities["lon"].to_numpy()
    km = great_circle_km(lat[:, None], lon[:, None], lat, lon)
    codes = pd.Index(cities["adcode"], name="city")
    return pd.DataFrame(km, index=codes, columns=codes)


def ports() -> pd.DataFrame:
    """Return the sea ports, indexed by English name: ``port_zh``, ``lat``, ``lon`` (degrees), ``tier`` (1 = hub, 2)."""
    columns = {"port_en": str, "port_zh": str, "lat": float, "lon": float, "tier": int}
    return read_csv(paths.FACTS / "ports.csv", columns).rename(columns={"port_en": "port"}).set_index("port")


def nearest_port(tier: int = 2) -> pd.DataFrame:
    """Return every city's nearest sea port.

    Parameters
    ----------
    tier : 2 for all ports, 1 for the hubs only.

    Returns
    -------
    Index ``city`` (all 337 prefectures); ``port`` (its English name) and ``km`` (great-circle distance).

    Raises
    ------
    ParameterError
        If there is no such tier.
    """
    harbours = ports()
    tiers = sorted(harbours["tier"].unique())
    if tier not in tiers:
        raise ParameterError(f"tier = {tier!r}: expected one of {', '.join(map(str, tiers))}")
    harbours = harbours[harbours["tier"] <= tier]
    cities = policy.cities()
    km = great_circle_km(
        cities["lat"].to_numpy()[:, None],
        cities["lon"].to_numpy()[:, None],
        harbours["lat"].to_numpy(),
        harbours["lon"].to_numpy(),
    )
    nearest = {"port": harbours.index[km.argmin(axis=1)], "km": km.min(axis=1)}
    return pd.DataFrame(nearest, index=pd.Index(cities["adcode"], name="city"))


def zones_in_bands(panel: pd.DataFrame, bands_km: Sequence[float]) -> pd.DataFrame:
    """Return whether a zone stands at each distance from the row's city in the row's year.

    Parameters
    ----------
    panel : rows with ``city``, ``year``, ``batch`` and ``cohort``, as :func:`pilotzones.policy.attach` returns them.
    bands_km : upper limits of the bands, ascending; each band begins where the one before ends, the first at 0.

    Returns
    -------
    Columns ``zone_<limit>`` of 0 and 1 (int8), aligned with ``panel``: 1 when the distance to the seat of a city whose
    zone is in force lies in (lower, upper]. The city's own zone does not count. Zones are those of the panel's
    cohorts; a city without rows in the panel counts through its batch, when that batch is treated in the panel.

    Raises
    ------
    ParameterError
        If the bands are not positive and ascending.
    DataError
        If a column is missing, a city has two cohorts, or a code is no prefecture.
    """
    limits = np.asarray(bands_km, dtype=float)
    if not len(limits) or (np.diff(limits, prepend=0) <= 0).any():
        raise ParameterError(f"bands_km = {list(bands_km)}: expected positive limits in ascending order")
    require_columns(panel, "city", "year", "batch", "cohort")
    by_city = panel[["city", "batch", "cohort"]].drop_duplicates()
    if by_city["city"].duplicated().any():
        city = by_city.loc[by_city["city"].duplicated(), "city"].iloc[0]
        raise DataError(f"panel, column 'cohort': city {city} has two values; expected one per city")
    km = distances()
    lost = sorted(set(by_city["city"]) - set(km.index))
    if lost:
        raise DataError(f"panel, column 'city': {lost[0]} has no coordinates in data/facts/cities.csv")

    # a treated city without rows is still a neighbour
    treated = by_city.dropna(subset=["cohort"])
    years = dict(zip(treated["batch"], treated["cohort"], strict=True))
    absent = policy.first_batch(partial=True).map(years).dropna()
    absent = absent[~absent.index.isin(by_city["city"])]
    cohort = pd.concat([treated.set_index("city")["cohort"], absent]).sort_index()

    keys = panel[["city", "year"]].drop_duplicates()
    gap = km.loc[keys["city"], cohort.index].to_numpy()
    # index of the band of each zone, len(limits) when farther than all
    band = np.searchsorted(limits, gap, side="left")
    others = keys["city"].to_numpy()[:, None] != cohort.index.to_numpy()
    in_force = others & (keys["year"].to_numpy()[:, None] >= cohort.to_numpy())
    flags = {
        f"zone_{limit:g}": (in_force & (band == place)).any(axis=1).astype("int8") for place, limit in enumerate(limits)
    }
    table = pd.DataFrame(flags, index=pd.MultiIndex.from_frame(keys))
    rows = table.loc[pd.MultiIndex.from_frame(panel[["city", "year"]])]
    return rows.set_axis(panel.index)
