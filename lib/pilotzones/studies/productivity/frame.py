"""Who is in the synthetic panel: 275 real cities, 2009-2022, their lasting traits and their GDP per head.

The same in every panel, whatever its seed, so that every printed number of observations comes out exactly: also that of
the halves by GDP per head. Settings are ``[frame]`` in ``parameters.toml``.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones import policy
from pilotzones.studies.productivity.study import BATCHES

PARAMETERS = Path(__file__).with_name("parameters.toml")
SEED = 2009  # of the frame only
YEARS = np.arange(2009, 2023)


@cache
def settings() -> dict[str, Any]:
    """Return ``parameters.toml``."""
    return tomllib.loads(PARAMETERS.read_text(encoding="utf-8"))


@cache
def frame() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the fixed part of every panel.

    Returns
    -------
    rows : one row per city and year, in order: ``city``, ``year``, ``province``, ``gdp_pc`` (yuan).
    cities : one row per city in the same order, indexed by ``adcode``: ``start`` (year of the reform, missing for
        controls), ``residents`` (10,000), ``data_platform`` (0 or 1), and standard normal by rank: ``size``, ``wealth``
        and for every indicator, control and other trait ``own_<trait>``, what the city has beyond its size.
    """
    sizes, rng = settings()["frame"], _stream("cities")
    cities = policy.cities().query("is_city == 1").rename(columns={"province_adcode": "province"})
    cities = cities[(cities["unit_type"] != "municipality") & ~cities["adcode"].isin(sizes["left_out"])]
    cities = cities.set_index("adcode").sort_index()
    batch = policy.first_batch(partial=False).reindex(cities.index)
    batch = batch.where(batch.isin(BATCHES), 0)
    n = len(cities)

    place = sizes["rank"] * (cities["admin_rank"] - 1) + sizes["coast"] * cities["coastal_city"]
    place += cities["region"].map(sizes["region"]) + batch.map(dict(enumerate(sizes["of_batch"])))
    place += pd.Series({int(city): lift for city, lift in sizes["ahead"].items()}).reindex(cities.index, fill_value=0.0)
    cities["size"] = normal_scores(place + rng.normal(0, sizes["chance"], n))
    cities["wealth"] = normal_scores(sizes["wealth_of_size"] * cities["size"] + rng.normal(0, 1, n))
    traits = [*settings()["indicators"], *settings()["controls"], *sizes["other_traits"]]
    for trait in traits:
        cities[f"own_{trait}"] = normal_scores(pd.Series(_stream(trait).normal(size=n), cities.index))
    cities["start"] = batch.map(policy.approval_dates().dt.year)
    cities["residents"] = np.exp(5.75 + 0.45 * cities["size"] + rng.normal(0, 0.4, n)).round(2)
    platform = (cities["size"] + 0.6 * cities["own_data_platform"]).rank(ascending=False)
    cities["data_platform"] = (platform <= sizes["platforms"]).astype("int64")

    rows = pd.MultiIndex.from_product([cities.index, YEARS], names=["city", "year"]).to_frame(index=False)
    rows["province"] = rows["city"].map(cities["province"])
    rows["gdp_pc"] = np.exp(_log_gdp(cities["wealth"].to_numpy(), _stream("gdp"))).ravel()
    scores = [name for name in cities if name.startswith("own_")]
    return rows, cities[["start", "residents", "data_platform", "size", "wealth", *scores]]


def _stream(name: str) -> np.random.Generator:
    """Return the random numbers of one step, so that a change in one leaves the others as they are."""
    return np.random.default_rng([SEED, crc32(name.encode())])


def normal_scores(values: pd.Series) -> pd.Series:
    """Return standard normal quantiles by rank: the same spread in every sample."""
    return pd.Series(stats.norm.ppf((values.rank(method="first") - 0.5) / len(values)), values.index)


def _log_gdp(wealth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ln GDP per head, shape (cities, years), with a given upper half of cities in every year.

    Neighbours around the median change places for the years that the settings list. Two pairs do so for a single year:
    they are the two single rows a half that the printed numbers of rows lack.
    """
    sizes = settings()["frame"]
    n, half = len(wealth), len(wealth) // 2
    shocks = rng.normal(size=(n, len(YEARS)))
    for t in range(1, len(YEARS)):
        shocks[:, t] = sizes["gdp_rho"] * shocks[:, t - 1] + np.sqrt(1 - sizes["gdp_rho"] ** 2) * shocks[:, t]
    drawn = sizes["gdp_mean"] + sizes["gdp_growth"] * (YEARS - YEARS.mean()) + sizes["gdp_spread"] * wealth[:, None]
    drawn = drawn + sizes["gdp_noise"] * shocks

    order = np.argsort(-wealth)
    high = np.zeros(drawn.shape, bool)
    high[order[:half]] = True
    for k, (first, last) in enumerate(sizes["change_places"]):
        years = (first <= YEARS) & (last >= YEARS)
        high[order[half - 1 - k], years], high[order[half + k], years] = False, True
    for t in range(len(YEARS)):
        ranked = np.sort(drawn[:, t])[::-1].copy()
        for side, values in ((high[:, t], ranked[:half]), (~high[:, t], ranked[half:])):
            drawn[side, t] = values[stats.rankdata(-drawn[side, t]).astype(int) - 1]
    low_end, top_end = sizes["gdp_range"]
    return np.clip(drawn, low_end, top_end)
