r"""Sophistication of exports: the income of those who export the same goods (Hausmann, Hwang and Rodrik 2007).

A product is sophisticated if rich provinces are specialised in it. With :math:`t_{ikt}` the exports of product
:math:`k` by province :math:`i` in year :math:`t`, :math:`T_{it}` all its exports and :math:`ec_{it}` its real GDP per
head:

.. math::

    \text{PRODY}_{kt} = \sum_i \frac{t_{ikt} / T_{it}}{\sum_i t_{ikt} / T_{it}} \, ec_{it}, \qquad
    \text{EXPY}_{ft} = \sum_k \frac{x_{fkt}}{X_{ft}} \, \text{PRODY}_{kt}.

Shares instead of amounts keep large provinces from deciding alone. It measures what is exported, not how well it is
made: two firms with the same goods are equally sophisticated, whatever their quality.

References
----------
.. [1] Hausmann, R., Hwang, J. and Rodrik, D. (2007). What you export matters. Journal of Economic Growth 12(1), 1-25.
"""

from __future__ import annotations

import pandas as pd

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures.checks import require


def product_sophistication(trade: pd.DataFrame, income: pd.Series) -> pd.Series:
    """Return PRODY, the income level of a product's exporters, see the module.

    Parameters
    ----------
    trade : one row per ``province``, ``product`` and ``year`` with ``value`` (yuan, at least 0). All products of a
        province, for its total is their sum.
    income : real GDP per head (yuan) by province and year.

    Returns
    -------
    ``prody`` (yuan) by product and year. A province without exports in a year has no shares and is left out; a product
    that nobody exports in a year is absent.

    Raises
    ------
    DataError
        If a row is doubled, a value is negative or missing, or a province with exports has no positive income; the
        message names province and year.
    """
    require(trade, "trade of provinces", ["province", "product", "year"], ["value"])
    if not income.index.is_unique:
        province, year = income.index[income.index.duplicated()][0]
        raise DataError(f"income, province {province}, year {year}: a second row; expected one")
    sold = trade.loc[trade["value"] > 0, ["province", "product", "year", "value"]]
    share = sold["value"] / sold.groupby(["province", "year"])["value"].transform("sum")
    exporters = pd.MultiIndex.from_frame(sold[["province", "year"]])
    earned = income.reindex(exporters).to_numpy(float)
    if (wrong := ~((earned > 0) & (earned < float("inf")))).any():
        province, year = exporters[wrong][0]
        raise DataError(f"income, province {province}, year {year}: {earned[wrong][0]}, expected a number above 0")
    parts = sold[["product", "year"]].assign(share=share, weighted=share * earned)
    sums = parts.groupby(["product", "year"])[["share", "weighted"]].sum()
    return (sums["weighted"] / sums["share"]).rename("prody")


def firm_sophistication(records: pd.DataFrame, income: pd.Series) -> pd.Series:
    """Return the sophistication of every exporter's goods, both steps in one.

    Parameters
    ----------
    records : customs records that are usable, see :func:`pilotzones.measures.export_quality.clean`, of all exporters,
        with ``province``; the trade of a province is that of its exporters.
    income : as :func:`product_sophistication` takes it.

    Returns
    -------
    ``expy`` (yuan) by firm and year.

    Raises
    ------
    DataError
        As :func:`product_sophistication`.
    """
    records = records.assign(value=records["quantity"] * records["price"])
    trade = records.groupby(["province", "product", "year"], as_index=False)["value"].sum()
    sold = records.groupby(["firm", "product", "year"], as_index=False)["value"].sum()
    return export_sophistication(sold, product_sophistication(trade, income))


def export_sophistication(trade: pd.DataFrame, prody: pd.Series, of: tuple[str, ...] = ("firm", "year")) -> pd.Series:
    """Return EXPY, the mean PRODY of what an exporter sells, weighted by value, see the module.

    Parameters
    ----------
    trade : one row per key of ``of`` and ``product`` with ``value`` (yuan, at least 0).
    prody : by product and year, as :func:`product_sophistication` returns it.
    of : columns that make an exporter, one of them ``year``; e.g. ``("province", "year")``.

    Returns
    -------
    ``expy`` (yuan) by ``of``; an exporter without exports is absent.

    Raises
    ------
    ParameterError
        If ``of`` has no year.
    DataError
        If a row is doubled, a value is negative or missing, or a product that is sold has no PRODY in that year.
    """
    if "year" not in of:
        raise ParameterError(f"of = {of!r}: expected 'year' among the columns, as PRODY is by year")
    require(trade, "trade of exporters", [*of, "product"], ["value"])
    sold = trade.loc[trade["value"] > 0, [*of, "product", "value"]]
    goods = pd.MultiIndex.from_frame(sold[["product", "year"]])
    level = prody.reindex(goods).to_numpy(float)
    if (missing := pd.isna(level)).any():
        product, year = goods[missing][0]
        raise DataError(f"PRODY, product {product}, year {year}: missing, although it is sold")
    sums = sold[[*of, "value"]].assign(weighted=sold["value"] * level).groupby([*of])[["value", "weighted"]].sum()
    return (sums["weighted"] / sums["value"]).rename("expy")
