"""Which cities are in the synthetic panel, and what lasts: places, ties, levels, classes. The same whatever the seed.

Prefectures, zones, coordinates and ranks are real. Sizes are drawn once; which 199 untreated cities are in, and which
cities count as well endowed, is then searched so that every printed number of observations comes out exactly. Settings
are ``[frame]`` and ``[levels]`` in ``parameters.toml``.
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

from pilotzones import geography, policy
from pilotzones.studies.coordination.study import BATCHES, EXCLUDED, TOOLS

PARAMETERS = Path(__file__).with_name("parameters.toml")
SEED = 1989  # of the frame only
YEARS = np.arange(2010, 2020)
TRAITS = ("human_capital", "finance", "broadband")


@cache
def settings() -> dict[str, Any]:
    """Return ``parameters.toml``."""
    return tomllib.loads(PARAMETERS.read_text(encoding="utf-8"))


@cache
def frame() -> tuple[pd.DataFrame, np.ndarray]:
    """Return the fixed part of every panel.

    Returns
    -------
    cities : one row per city, indexed by prefecture code, ascending: ``coastal``, ``start`` (year of the zone, 0 for
        none), ``population`` (10,000 persons, 2010), ``gdp`` (100 million yuan, 2010), ``area`` (km2), ``size``;
        the lasting levels of controls and indicators in standard deviations, under their names; ``<trait>_order`` (0
        for the least endowed city) and ``<trait>_low`` for each of ``TRAITS``; ``zeal_<group>``, how much use a zone
        makes of each group of policy tools, in standard deviations.
    ties : the strong pairs that are not both treated, shape (15323, 2), positions in ``cities``.
    """
    pool = _pool()
    cities, ties = _chosen(pool)
    for trait in TRAITS:
        order = _classified(_score(cities, trait), ties, settings()["frame"][trait])
        cities[f"{trait}_order"] = order
        cities[f"{trait}_low"] = order < len(cities) - settings()["frame"]["well_endowed"]
    for name, weight in settings()["levels"].items():
        own = scores(_stream(f"level of {name}"), len(cities))
        of = cities["second" if name == "services" else "size"]
        cities[name] = weight * standardised(of) + np.sqrt(1 - weight**2) * own
    # evenly spread: a normal ratio with the printed differences would often be negative
    cities["fd"] = np.sqrt(12) * (cities["fd"].rank() / (len(cities) + 1) - 0.5)
    zone = cities["start"] > 0
    for group in TOOLS:
        cities[f"zeal_{group}"] = 0.0
        cities.loc[zone, f"zeal_{group}"] = scores(_stream(f"zeal, {group}"), int(zone.sum()))
    return cities, ties


def scores(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return normal quantiles at evenly spaced ranks in random order: their distribution does not depend on luck."""
    return np.asarray(stats.norm.ppf((rng.permutation(n) + 0.5) / n))


def standardised(x: pd.Series) -> pd.Series:
    """Return ``x`` with mean 0 and standard deviation 1."""
    return (x - x.mean()) / x.std(ddof=0)


def _stream(name: str) -> np.random.Generator:
    """Return the random numbers of one step, so that a change in one leaves the others as they are."""
    return np.random.default_rng([SEED, crc32(name.encode())])


def _pool() -> pd.DataFrame:
    """Return the treated cities and every untreated one with continuous yearbook data, with their sizes."""
    cities = policy.cities().set_index("adcode").sort_index()
    batch = policy.first_batch(partial=False).reindex(cities.index)
    treated = batch.isin(BATCHES) & ~cities.index.isin(EXCLUDED)
    cities = cities[treated | (cities["yearbook_continuous_2010_2022"] == 1)].copy()
    years = policy.approval_dates().dt.year
    cities["start"] = batch.map(years).where(treated, 0).reindex(cities.index).astype(int)
    cities["coastal"] = cities["coastal_city"] == 1

    rng, zone, rank = _stream("sizes"), cities["start"] > 0, cities["admin_rank"] - 1
    east, west = cities["region"] == "east", cities["region"] == "west"
    common = rng.normal(size=len(cities))
    # orders of magnitude of the yearbooks, zones bigger and richer; choices
    people = 5.75 + 0.35 * rank + 0.15 * zone + 0.50 * common + 0.25 * rng.normal(size=len(cities))
    income = 0.85 + 0.25 * rank + 0.30 * zone + 0.35 * east - 0.10 * west + 0.35 * rng.normal(size=len(cities))
    area = 9.2 + 0.50 * west + 0.35 * common + 0.50 * rng.normal(size=len(cities))
    cities["population"], cities["gdp"] = np.exp(people).round(1), np.exp(people + income).round(1)
    cities["area"], cities["size"] = np.exp(area).round(0), people + income
    return cities


def _chosen(pool: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Choose the untreated cities: as few coastal and inland ones swapped as give the printed pairs by location."""
    coastal, untreated = pool["coastal"].to_numpy(), np.flatnonzero(pool["start"] == 0)
    target = np.array(settings()["frame"]["location"])[::-1]  # pairs with 0, 1 and 2 coastal cities
    reach = _log_reach(pool)
    rng, inside = _stream("untreated"), np.ones(len(pool), dtype=bool)
    inside[rng.permutation(untreated)[settings()["frame"]["untreated"] :]] = False

    def gap(cities: np.ndarray) -> int:
        ties = _strong(pool, reach, cities)
        return int(np.abs(np.bincount(coastal[ties].sum(axis=1), minlength=3) - target).sum())

    best = gap(inside)
    for _ in range(20_000):
        if not best:
            break
        swap = inside.copy()
        swap[rng.choice(np.flatnonzero(inside & (pool["start"] == 0)))] = False
        swap[rng.choice(np.flatnonzero(~inside))] = True
        if (now := gap(swap)) <= best:
            inside, best = swap, now
    else:
        raise ValueError(f"frame: no untreated cities give {target[::-1]} pairs by location")
    ties = _strong(pool, reach, inside)
    position = np.cumsum(inside) - 1
    return pool[inside].copy(), position[ties]


def _log_reach(pool: pd.DataFrame) -> np.ndarray:
    """Return the log of the maximum possible tie, equation (1) of the paper, of every two cities."""
    mass = np.log(pool[["population", "gdp", "area", "admin_rank"]].to_numpy(float)).sum(axis=1) / 4
    km = geography.distances().loc[pool.index, pool.index].to_numpy(copy=True)
    np.fill_diagonal(km, 1.0)
    return np.asarray(mass[:, None] + mass - 2 * np.log(km))


def _strong(pool: pd.DataFrame, reach: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the pairs of cities above the median tie among pairs that are not both treated, shape (pairs, 2)."""
    places, zone = np.flatnonzero(inside), pool["start"].to_numpy() > 0
    i, j = (places[side] for side in np.triu_indices(len(places), 1))
    kept = ~(zone[i] & zone[j])
    i, j = i[kept], j[kept]
    tie = reach[i, j]
    above = tie > np.median(tie)
    return np.column_stack([i[above], j[above]])


def _score(cities: pd.DataFrame, trait: str) -> np.ndarray:
    """Return how well endowed a city is."""
    size, seat, zone = settings()["frame"]["weights"][trait]
    luck = _stream(trait).normal(size=len(cities))
    score = size * standardised(cities["size"]) + seat * (cities["admin_rank"] > 1) + zone * (cities["start"] > 0)
    return (score + luck).to_numpy()


def _classified(score: np.ndarray, ties: np.ndarray, target: list[int]) -> np.ndarray:
    """Return the cities' order by ``score``, changed as little as gives the printed pairs by class.

    Cities on either side of the cut change places, each time the two that bring the number of pairs of two well
    endowed cities and of two others nearest to ``target`` (the first and the last of its three numbers).
    """
    n = len(score)
    high = np.zeros(n, dtype=bool)
    high[np.argsort(score)[n - settings()["frame"]["well_endowed"] :]] = True
    tied = np.zeros((n, n))
    tied[ties[:, 0], ties[:, 1]] = tied[ties[:, 1], ties[:, 0]] = 1
    by_score = standardised(pd.Series(score)).to_numpy()
    for _ in range(n):
        to_high, to_low = tied @ high, tied @ ~high
        missing = target[0] - to_high[high].sum() / 2, target[2] - to_low[~high].sum() / 2
        if not any(missing):
            break
        up, down = np.flatnonzero(~high), np.flatnonzero(high)
        between = tied[np.ix_(up, down)]
        gain = to_high[up, None] - to_high[down] - between, to_low[down] - to_low[up, None] - between
        gap = np.abs(missing[0] - gain[0]) + np.abs(missing[1] - gain[1])
        # of nearly as good swaps the one between cities nearest in score
        cost = gap + settings()["frame"]["rank_weight"] * np.abs(by_score[up, None] - by_score[down])
        i, j = np.unravel_index(cost.argmin(), cost.shape)
        high[up[i]], high[down[j]] = True, False
    else:
        raise ValueError(f"frame: no classes of cities give {target} pairs")
    order = np.empty(n, dtype=int)
    order[np.lexsort([score, high])] = np.arange(n)
    return order
