r"""Technology that a city gains through trade with research-intensive countries.

Five steps, each returned so that it can be looked at. For partner countries :math:`j`, cities :math:`c`, years
:math:`t`:

1. R&D stock by perpetual inventory, :func:`rd_stock`;
2. spillover through each partner, :func:`by_partner`:
   :math:`\frac{\text{Import}_{jt}}{\text{GDP}_{jt}} \text{RD}_{jt}`, likewise for exports;
3. national pools, :func:`national`: the sums over partners, :math:`S^{im}_t` and :math:`S^{ex}_t`;
4. city weights, :func:`shares`: the city's share in national imports and in national exports;
5. the index, :func:`spillover`:
   :math:`\ln\big(w^{im}_{ct} S^{im}_t + w^{ex}_{ct} S^{ex}_t\big)`.

A partner's R&D counts in proportion to how much of its product it sells to (or buys from) the country.

References
----------
.. [1] Coe, D. T. and Helpman, E. (1995). International R&D spillovers. European Economic Review 39(5), 859-887.
.. [2] Lichtenberg, F. R. and van Pottelsberghe de la Potterie, B. (1998). International R&D spillovers: a comment.
   European Economic Review 42(8), 1483-1491. Source of the weighting by trade over GDP.
.. [3] Li, P. and Shi, Y. (2019), as cited by Shi and Yu (2023). Source of the city weights.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures.checks import place, require


def rd_stock(spending: pd.DataFrame, depreciation: float) -> pd.Series:
    r"""Build R&D stocks from yearly spending by perpetual inventory.

    .. math:: K_{jt} = (1 - \delta) K_{j,t-1} + E_{j,t-1}, \qquad K_{j1} = \frac{E_{j1}}{g_j + \delta}

    The stock is that at the beginning of the year. The first one is what would have built up had spending always grown
    at :math:`g_j`, its mean yearly growth over the years observed (Coe and Helpman 1995).

    Parameters
    ----------
    spending : one row per ``country`` and ``year`` with ``rd_spending`` (constant prices); no gaps, two years or more.
    depreciation : :math:`\delta`, per year, between 0 and 1. Studies use 0.05 to 0.15.

    Returns
    -------
    ``rd_stock`` by country and year, in the unit of the spending.

    Raises
    ------
    ParameterError
        If the depreciation is no share.
    DataError
        If a row is doubled, a year is missing, spending is negative or starts at zero, or it shrinks faster than
        the stock depreciates, so that no first stock exists.
    """
    if not 0 <= depreciation < 1:
        raise ParameterError(f"depreciation = {depreciation!r}: expected at least 0 and less than 1")
    require(spending, "R&D spending", ["country", "year"], ["rd_spending"])
    stocks = {}
    for country, rows in spending.sort_values("year").groupby("country"):
        years, spent = rows["year"].to_numpy(), rows["rd_spending"].to_numpy(float)
        if len(years) < 2 or (np.diff(years) != 1).any():
            raise DataError(
                f"R&D spending, country {country}: expected two or more years without a gap, got {[*years]}"
            )
        if not (spent[0] > 0 and spent[-1] > 0):
            raise DataError(f"R&D spending, country {country}: zero in its first or last year, expected more")
        growth = (spent[-1] / spent[0]) ** (1 / (len(years) - 1)) - 1
        if growth + depreciation <= 0:
            raise DataError(
                f"R&D spending, country {country}: changes by {growth:.3f} a year, which depreciation of "
                f"{depreciation} cannot offset; expected growth above {-depreciation}"
            )
        stock = spent[0] / (growth + depreciation)
        stocks[country, years[0]] = stock
        for year, amount in zip(years[1:], spent[:-1], strict=True):
            stock = stocks[country, year] = (1 - depreciation) * stock + amount
    index = pd.MultiIndex.from_tuples(list(stocks), names=["country", "year"])
    return pd.Series(list(stocks.values()), index, name="rd_stock")


def by_partner(partners: pd.DataFrame) -> pd.DataFrame:
    """Weigh each partner's R&D stock by its trade relative to its product.

    Parameters
    ----------
    partners : one row per ``country`` and ``year`` with ``imports`` from it, ``exports`` to it, its ``gdp`` and its
        ``rd_stock``, all in one currency unit.

    Returns
    -------
    ``spill_im`` and ``spill_ex`` by country and year, in that unit.

    Raises
    ------
    DataError
        If a row is doubled, an amount is negative or missing, or a GDP is zero.
    """
    require(partners, "trade partners", ["country", "year"], ["imports", "exports", "gdp", "rd_stock"])
    if (partners["gdp"] == 0).any():
        row = partners[partners["gdp"] == 0].astype(object).iloc[0]
        raise DataError(f"trade partners, {place(row, ['country', 'year'])}: gdp = 0, expected more")
    rows = partners.set_index(["country", "year"])
    intensity = rows["rd_stock"] / rows["gdp"]
    return pd.DataFrame({"spill_im": rows["imports"] * intensity, "spill_ex": rows["exports"] * intensity})


def national(partner_spillovers: pd.DataFrame) -> pd.DataFrame:
    """Return the national pools ``spill_im`` and ``spill_ex`` by year: the sums over partners."""
    return partner_spillovers.groupby("year").sum()


def shares(trade: pd.DataFrame) -> pd.DataFrame:
    """Return each city's share in the national imports and exports of a year.

    Parameters
    ----------
    trade : one row per ``city`` and ``year`` with ``imports`` and ``exports``. All cities of the country, for the
        total is their sum; those of no interest may be one row under a code of their own.

    Returns
    -------
    ``import_share`` and ``export_share`` by city and year; each sums to one over the cities of a year.

    Raises
    ------
    DataError
        If a row is doubled, an amount is negative or missing, or nobody imports or exports in a year.
    """
    require(trade, "trade of cities", ["city", "year"], ["imports", "exports"])
    rows = trade.set_index(["city", "year"])[["imports", "exports"]]
    total = rows.groupby("year").sum()
    for column in total:
        if (total[column] == 0).any():
            raise DataError(f"trade of cities, year {(total[column] == 0).idxmax()}: no city has {column}")
    return (rows / total.reindex(rows.index, level="year")).set_axis(["import_share", "export_share"], axis=1)


def spillover(city_shares: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Share the national pools among cities.

    Parameters
    ----------
    city_shares : as :func:`shares` returns them.
    pools : as :func:`national` returns them.

    Returns
    -------
    By city and year: ``spill_im`` and ``spill_ex`` (currency unit of the pools), ``spill`` (the log of their sum).

    Raises
    ------
    DataError
        If a year has no pool, or a city neither imports nor exports, so that the log does not exist.
    """
    years = city_shares.index.get_level_values("year")
    missing = sorted(set(years) - set(pools.index))
    if missing:
        raise DataError(f"national spillovers: no row for year {missing[0]}, which the cities have")
    pool = pools.reindex(city_shares.index, level="year")
    out = pd.DataFrame(
        {
            "spill_im": city_shares["import_share"] * pool["spill_im"],
            "spill_ex": city_shares["export_share"] * pool["spill_ex"],
        }
    )
    gained = out.sum(axis=1)
    if (gained <= 0).any():
        city, year = gained.index[gained <= 0][0]
        raise DataError(f"trade of cities, city {city}, year {year}: neither imports nor exports; ln(0) does not exist")
    return out.assign(spill=np.log(gained))
