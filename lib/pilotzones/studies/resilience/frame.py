"""Who is in the synthetic panel: 283 real cities, 2010-2022, what is missing, and how large a city lastingly is.

The same in every panel, whatever its seed, so that every printed number of observations comes out exactly. Settings
are ``[frame]``, ``[traits]`` and ``[large_cities]`` in ``parameters.toml``.
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
from pilotzones.studies.resilience.study import BATCHES

PARAMETERS = Path(__file__).with_name("parameters.toml")
SEED = 2010  # of the frame only
YEARS = np.arange(2010, 2023)
GROUPS = {0: "controls", 1: "early", 2: "early", 3: "middle", 4: "middle", 5: "late"}  # of batches


@cache
def settings() -> dict[str, Any]:
    """Return ``parameters.toml``."""
    return tomllib.loads(PARAMETERS.read_text(encoding="utf-8"))


@cache
def frame() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the fixed part of every panel.

    Returns
    -------
    rows : one row per city and year, in order: ``city``, ``year``, ``province``, ``region``, ``capital``, and
        ``no_<variable>``, true where the variable is missing.
    cities : one row per city in the same order, indexed by ``adcode``: ``province``, ``region``, ``capital``,
        ``group`` (of batches), ``start`` (year of the reform, missing for controls), ``residents`` (10,000), and for
        each indicator, and for jobs and lights, its ``score_<name>``: standard normal by rank.
    """
    cities = policy.cities().query("is_city == 1").rename(columns={"province_adcode": "province"})
    cities = cities[~cities["adcode"].isin(settings()["frame"]["left_out"])].set_index("adcode").sort_index()
    batch = policy.first_batch(partial=False).reindex(cities.index)
    batch = batch.where(batch.isin(BATCHES), 0)
    cities["group"], cities["start"] = batch.map(GROUPS), batch.map(policy.approval_dates().dt.year)
    _describe(cities, _stream("cities"))
    rows = pd.MultiIndex.from_product([cities.index, YEARS], names=["city", "year"]).to_frame(index=False)
    rows = rows.join(cities[["province", "region", "capital", "group"]], on="city")
    _remove(rows, _stream("missing"))
    scores = [name for name in cities if name.startswith("score_")]
    return (
        rows.drop(columns="group"),
        cities[["province", "region", "capital", "group", "start", "residents", *scores]],
    )


def _stream(name: str) -> np.random.Generator:
    """Return the random numbers of one step, so that a change in one leaves the others as they are."""
    return np.random.default_rng([SEED, crc32(name.encode())])


def _describe(cities: pd.DataFrame, rng: np.random.Generator) -> None:
    """Give cities residents and scores. GDP and residents of large cities are real; others are drawn by their place."""
    n, known = len(cities), {int(c): v for c, v in settings()["large_cities"].items()}
    wealth = 10.95 + 0.25 * (cities["region"] == "east") - 0.1 * (cities["region"] == "west") + rng.normal(0, 0.28, n)
    residents = 5.75 - 0.3 * (cities["region"] == "west") + 0.25 * (cities["group"] != "controls")
    residents = np.exp(residents + rng.normal(0, 0.45, n))
    gdp_pc = np.exp(wealth)
    for city, (gdp, people) in known.items():
        residents[city], gdp_pc[city] = people, gdp / people * 1e4
    cities["residents"] = residents
    size, wealth = _normal_scores(residents * gdp_pc), _normal_scores(gdp_pc)
    for name, (of_size, of_wealth, of_capital, of_coast, of_chance) in settings()["traits"].items():
        score = of_size * size + of_wealth * wealth + of_capital * cities["capital"] + of_coast * cities["coastal_city"]
        cities[f"score_{name}"] = _normal_scores(score + of_chance * rng.normal(size=n))


def _normal_scores(values: pd.Series) -> pd.Series:
    """Return standard normal quantiles by rank: the same spread in every sample."""
    return pd.Series(stats.norm.ppf((values.rank(method="first") - 0.5) / len(values)), values.index)


def _remove(rows: pd.DataFrame, rng: np.random.Generator) -> None:
    """Decide which city-years lack a control, and which lack an indicator of the index.

    Four of the six controls are inputs of the index, so only foreign investment and urbanisation can be missing where
    the index is not. Many cities stop publishing the first from 2019 on: they lack a tail of one to four years. The
    second is missing here and there before 2014.
    """
    sizes = settings()["frame"]
    city, *years = sizes["no_income"]
    rows["no_income"] = (rows["city"] == city) & rows["year"].isin(years)
    rows["no_fdi"] = rows["no_population"] = False
    for (region, group, capital), cell in rows.groupby(["region", "group", "capital"]):
        wanted = sizes["incomplete"][region][group][capital]
        late = round(sizes["late_share"] * wanted)
        order = rng.permutation(cell["city"].unique())
        tails = rng.integers(1, 5, len(order))
        tails = np.minimum(tails, np.maximum(late - (tails.cumsum() - tails), 0))
        tail = cell["city"].map(dict(zip(order, tails, strict=True)))
        stopped = cell["year"] > YEARS[-1] - tail
        early = rng.permutation(cell.index[(cell["year"] < 2014) & ~rows.loc[cell.index, "no_income"]])
        rows.loc[cell.index[stopped], "no_fdi"] = True
        rows.loc[early[: wanted - stopped.sum()], "no_population"] = True
