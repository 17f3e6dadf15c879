r"""Integration of manufacturing and services: the weight of producer services in employment.

.. math:: \text{conv}_{ct} = \frac{\sum_{s \in \text{producer services}} L_{sct}}{\sum_s L_{sct}}

References
----------
.. [1] Zhou, M. and Zhang, Y. (2022), as cited by Shi and Yu (2023).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from pilotzones.errors import DataError
from pilotzones.measures.checks import require


def integration(
    employment: pd.DataFrame, services: Collection[str], carry: Mapping[int, int] | None = None
) -> pd.DataFrame:
    """Return employment in producer services, in all sectors, and its share.

    Parameters
    ----------
    employment : one row per ``city``, ``year`` and ``sector`` with ``persons``; every sector of the economy, no totals.
    services : the sectors that are producer services.
    carry : years that take over the value of another year, e.g. ``{2020: 2019}``; a value recorded for such a year is
        not used.

    Returns
    -------
    By city and year: ``services``, ``total`` (persons), ``share``, and ``carried`` (whether it is another year's).

    Raises
    ------
    DataError
        If a row is doubled, a number is negative or missing, a city and year lacks a producer-service sector or has
        nobody at work, or a year to carry over is not recorded.
    """
    require(employment, "employment", ["city", "year", "sector"], ["persons"])
    table = employment.pivot(index=["city", "year"], columns="sector", values="persons")
    for sector in services:
        if sector not in table or table[sector].isna().any():
            city, year = table.index[0] if sector not in table else table.index[table[sector].isna()][0]
            raise DataError(f"employment, city {city}, year {year}: no row for sector '{sector}'")
    out = pd.DataFrame({"services": table[[*services]].sum(axis=1), "total": table.sum(axis=1)})
    if (out["total"] == 0).any():
        city, year = out.index[out["total"] == 0][0]
        raise DataError(f"employment, city {city}, year {year}: nobody is employed")
    out["share"] = out["services"] / out["total"]
    out["carried"] = False
    recorded = out.reset_index()
    parts = [recorded[~recorded["year"].isin(carry or {})]]
    for year, source in (carry or {}).items():
        rows = recorded[recorded["year"] == source]
        if rows.empty:
            raise DataError(f"employment: no row for year {source}, which year {year} takes over")
        parts.append(rows.assign(year=year, carried=True))
    return pd.concat(parts).set_index(["city", "year"]).sort_index()
