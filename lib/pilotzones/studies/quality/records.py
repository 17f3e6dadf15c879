r"""Synthetic customs records with a known quality term, of listed firms and of the other exporters beside them.

A record is what a firm sells of a product in a destination and year. With log quality :math:`\lambda`:

.. math::

    \ln p &= c_k + c_{fk} + \phi\lambda + \text{cost shock} \\
    \ln q &= \delta_k + \delta_{jt} - \sigma_k \ln p + (\sigma_k - 1)\lambda + \text{demand noise}

and quantities are recorded with an error that goes into the unit value with the opposite sign, as values are known.
Quality is the firm's (:func:`firm_quality`), with a part for each of its products and records.

The effect of destination and year absorbs what all exporters have in common. A trend of the listed firms is visible
only against the other exporters, which is why these are here. Without them it turns round: the effect absorbs the mean
of :math:`(\sigma_k - 1)` times the trend, which divided by :math:`\sigma_k - 1` is more than the trend on average.

Products, destinations and elasticities are made up; all numbers are in ``[customs]`` of ``parameters.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones.io import require_columns
from pilotzones.studies.quality.frame import YEARS, frame, parameters, provinces, settings
from pilotzones.studies.quality.indicators import Draws, indicators

TABLES = ("customs", "products", "income")
TOGETHER = (TABLES,)  # one is of no use without the others
# the panel's column that each measure gives, which is the variable of the tables
INDICES = {"quality, by value": "SEX", "quality, by records": "SEX_records", "sophistication": "soph"}
OUTCOMES = {"quality": "SEX", "sophistication": "soph"}
LAYERS = ("ecom", "basic")
OTHERS = 900000  # firms with a higher number are exporters that are not listed


def generate(panel: pd.DataFrame, seed: int, firms: int) -> dict[str, pd.DataFrame]:
    """Draw the records behind a panel again: measured, they give its columns.

    Parameters
    ----------
    panel : the study's panel.
    seed : of the panel.
    firms : not used: the demand equation needs all exporters.

    Returns
    -------
    ``customs`` : ``firm``, ``province``, ``product``, ``destination``, ``year``, ``quantity`` (units), ``price`` (yuan
    per unit), ``quality_true`` (log points), ``listed`` (0 or 1).
    ``products`` : ``product``, ``sigma``, ``trait`` (standard normal: how sophisticated it is).
    ``income`` : ``province``, ``year``, ``income`` (real GDP per head, yuan of 2011).

    Raises
    ------
    DataError
        If the panel lacks a column.
    """
    income = indicators(Draws(seed))[["province", "year", "gdp"]].rename(columns={"gdp": "income"})
    return {**draw(panel, parameters(), seed), "income": income}


def draw(listed: pd.DataFrame, p: Mapping[str, Any], seed: int) -> dict[str, pd.DataFrame]:
    """Draw the records of the listed firms of a panel and of the other exporters, see :func:`generate`."""
    draws, s = Draws(seed), settings()["customs"]
    rows = _exporters(listed, p, draws)
    products = _products(draws)

    # which products a firm sells in a year: the first few by popularity, lasting taste and sophistication
    shift = rows["shift"].to_numpy()[:, None] * products["trait"].to_numpy()[: s["products"]]
    taste = s["home"] * draws.stream("products of firms").gumbel(size=(rows["code"].max() + 1, s["products"]))
    liking = products["popularity"].to_numpy()[: s["products"]] + taste[rows["code"]] + shift
    sold = _first(liking + s["yearly"] * draws.stream("products by year").normal(size=shift.shape), s["lines"][1])
    # and where: the same destinations for all its products, less and less of them
    popular = np.sort(draws.stream("destinations").normal(size=s["destinations"]))[::-1]
    taste = popular + draws.stream("destinations of firms").gumbel(size=(rows["code"].max() + 1, s["destinations"]))
    yearly = s["yearly"] * draws.stream("destinations by year").normal(size=(len(rows), s["destinations"]))
    reached = _first(taste[rows["code"]] + yearly, s["markets"][1])

    line, market = (np.arange(s[name][1]) for name in ("lines", "markets"))
    sells = line < rows["lines"].to_numpy()[:, None]
    goes = market < np.maximum(1, rows["markets"].to_numpy()[:, None] - line)[:, :, None]
    row, a, b = np.nonzero(sells[:, :, None] & goes)
    product, destination, code = sold[row, a], reached[row, b], rows["code"].to_numpy()[row]

    rng, n = draws.stream("records"), len(row)
    of_product = draws.stream("quality by product").normal(size=(rows["code"].max() + 1, s["products"]))
    own_cost = draws.stream("cost by product").normal(size=of_product.shape)
    quality = rows["quality"].to_numpy()[row] + s["of_product"] * of_product[code, product]
    quality = quality + s["of_record"] * rng.normal(size=n)
    sigma = products["sigma"].to_numpy()[product]
    cost = s["cost"][0] * own_cost[code, product] + s["cost"][1] * rng.normal(size=n)
    price = cost + s["passed_on"] * quality
    demand = 9 + popular[:, None] + 0.1 * np.cumsum(draws.yearly("demand of destinations", len(popular), 0.0), axis=1)
    quantity = demand[destination, rows["year"].to_numpy()[row] - YEARS[0]]
    quantity = quantity + (sigma - 1) * quality - sigma * price + s["demand"] * rng.normal(size=n)
    error = s["unit_value"] * rng.normal(size=n)
    unit = products["price"].to_numpy()[product]
    customs = pd.DataFrame({
        "firm": rows["firm"].to_numpy()[row],
        "province": rows["province"].to_numpy()[row],
        "product": products.index.to_numpy()[product],
        "destination": destination + 101,
        "year": rows["year"].to_numpy()[row],
        "quantity": np.exp(quantity - unit + error),
        "price": np.exp(price + unit - error),
        "quality_true": quality,
        "listed": (rows["firm"].to_numpy()[row] < OTHERS).astype(int),
    })  # fmt: skip
    _spoil(customs, (a > 0) | (b > 0), products.index[s["products"] :].to_numpy(), draws)
    return {"customs": customs, "products": products[["sigma", "trait"]].reset_index()}


def firm_quality(listed: pd.DataFrame, p: Mapping[str, Any], seed: int) -> pd.DataFrame:
    r"""Return the log quality of listed firms and what e-commerce adds to it.

    All firms gain alike from the mean of the listed firms' provinces in a year, :math:`\bar x_t` with :math:`x = b_e\,
    ecom + b_b\,basic`; from being ahead of it :math:`h_f` times as much, :math:`\bar x_t + h_f (x_{pt} - \bar x_t)`,
    with :math:`h` larger for some kinds of firms, and one on average. If the kinds differed also in what they gain from
    the mean, the residual would be larger than the printed R2 allow.

    Parameters
    ----------
    listed : one row per firm and year with ``firm``, ``year``, ``province``, ``state``, ``ecom``, ``basic`` and the
        controls ``employees``, ``share``, ``con``, ``debt``.
    p : structural parameters.
    seed : of everything random.

    Returns
    -------
    Under the labels of ``listed``: ``quality`` and ``effect``, log points.

    Raises
    ------
    DataError
        If a column is missing.
    """
    require_columns(listed, "firm", "year", "province", "state", "employees", "share", "con", "debt", *LAYERS)
    draws, s, (_, firms) = Draws(seed), settings()["customs"], frame()
    code, place = listed["firm"].to_numpy() - 1, np.searchsorted(provinces().index, listed["province"])
    t, traits = listed["year"].to_numpy() - YEARS[0], firms.loc[listed["firm"]]

    kinds = {
        "small": traits["size"].to_numpy() < np.log(np.exp(firms["size"]).mean()),
        "growing": traits["founded"].to_numpy() > settings()["frame"]["young"],
        "state": listed["state"].to_numpy() == 1,
        "east": traits["east"].to_numpy() == 1,
    }
    more = 1 + sum(p[f"more_{name}"] * (kind - kind.mean()) for name, kind in kinds.items())
    x = sum(p[f"effect_{name}"] * listed[name] for name in LAYERS)
    mean = x.groupby(listed["year"]).transform("mean")
    effect = (mean + more * (x - mean)).to_numpy()

    bends = {name: _bend(listed.groupby("year")[name].mean().to_numpy()) for name in LAYERS}
    trend = p["trend"] * (YEARS - YEARS.mean()) + sum(p[f"trend_{name}"] * bend for name, bend in bends.items())
    lasting = s["lasting"] * _bounded(draws.stream("quality of firms").uniform(size=len(firms)))
    size = (firms["size"] - firms["size"].mean()) / firms["size"].std()
    lasting = (lasting + s["lasting_east"] * firms["east"] + s["lasting_size"] * size).to_numpy()
    slopes = sum(p[f"slope_{name}"] * listed[name] for name in ("share", "con", "debt"))
    slopes = slopes + p["slope_size"] * np.log(listed["employees"])
    shocks = p["noise"] * draws.yearly("quality of firms", len(firms), s["rho"])[code, t]
    shocks = shocks + p["noise_province"] * draws.yearly("quality of provinces", len(provinces()), s["rho"])[place, t]
    quality = lasting[code] + trend[t] + slopes.to_numpy() + shocks + effect
    return pd.DataFrame({"quality": quality, "effect": effect}, listed.index)


def _bounded(rank: np.ndarray) -> np.ndarray:
    """Return normal quantiles without the outer 2% on either side, so that no firm's prices all look like errors."""
    return stats.norm.ppf(0.02 + 0.96 * rank)


def _bend(path: np.ndarray) -> np.ndarray:
    """Return a path over the years less its straight line."""
    time = YEARS - YEARS.mean()
    return path - path.mean() - time * (time @ path) / (time @ time)


def _exporters(listed: pd.DataFrame, p: Mapping[str, Any], draws: Draws) -> pd.DataFrame:
    """Return one row per exporter and year.

    Returns
    -------
    ``firm``, ``code`` (from 0), ``year``, ``province``, ``quality`` (log points), ``shift`` (how much it prefers
    sophisticated products), ``lines`` (number of products) and ``markets`` (destinations of the first of them).
    """
    s, (_, firms), places = settings()["customs"], frame(), provinces()
    mine = listed[["firm", "year", "province"]].assign(
        code=listed["firm"] - 1,
        quality=firm_quality(listed, p, draws.seed)["quality"],
        shift=sum(p[f"shift_{name}"] * listed[name] for name in LAYERS),
    )
    share = places["listed"] / places["listed"].sum()
    home = draws.stream("other exporters").choice(places.index, s["others"], p=share)
    quality = s["lasting"] * _bounded(draws.stream("quality of others").uniform(size=(s["others"], 1)))
    quality = quality + p["noise"] * draws.yearly("quality of others by year", s["others"], s["rho"])
    code = np.repeat(np.arange(s["others"]), len(YEARS))
    others = pd.DataFrame({
        "firm": OTHERS + 1 + code, "year": np.tile(YEARS, s["others"]), "province": home[code],
        "code": len(firms) + code, "quality": quality.ravel(), "shift": 0.0,
    })  # fmt: skip
    rows = pd.concat([mine, others], ignore_index=True)
    income = np.log(places["gdp"]) - np.log(places["gdp"]).mean()
    rows["shift"] += s["trait_income"] * rows["province"].map(income)
    for name in ("lines", "markets"):
        few, many = s[name]
        rows[name] = draws.stream(name).integers(few, many + 1, len(firms) + s["others"])[rows["code"]]
    return rows


def _products(draws: Draws) -> pd.DataFrame:
    """Return the products by code: ``sigma``, ``trait``, ``price`` (ln of its level), ``popularity``; at the end those
    that are sold once."""
    s = settings()["customs"]
    n = s["products"] + s["sold_once"]
    names = ("sigma", "trait", "price", "popularity")
    found = {name: draws.stream(f"products, {name}").normal(size=n) for name in names}
    mean, sd = s["elasticity"]
    found["sigma"] = np.clip(1 + np.exp(mean + sd * found["sigma"]), *s["elasticity_range"])
    found["price"] = 3 + 1.5 * found["price"]
    return pd.DataFrame(found, index=pd.Index(840001 + 10 * np.arange(n), name="product"))


def _first(liking: np.ndarray, n: int) -> np.ndarray:
    """Return the columns with the ``n`` highest values of each row, highest first, shape (rows, n)."""
    top = np.argpartition(-liking, n, axis=1)[:, :n]
    return np.take_along_axis(top, np.argsort(-np.take_along_axis(liking, top, axis=1), axis=1), axis=1)


def _spoil(customs: pd.DataFrame, further: np.ndarray, rare: np.ndarray, draws: Draws) -> None:
    """Make a few records as bad as real ones are, never the first of a firm in a year, so that every firm keeps one."""
    rng, share = draws.stream("dirt"), settings()["customs"]["dirty"]
    chosen = rng.permutation(np.flatnonzero(further))[: int(share * len(customs)) + len(rare)]
    once, zero, unit = np.split(chosen, [len(rare), len(rare) + (len(chosen) - len(rare)) // 2])
    customs.loc[once, "product"] = rare
    customs.loc[zero, "quantity"] = 0.0
    customs.loc[unit, "price"] *= 1000  # tonnes for kilograms
    customs.loc[unit, "quantity"] /= 1000
