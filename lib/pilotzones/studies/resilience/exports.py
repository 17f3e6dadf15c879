"""Where the variables of the resilience study come from in yearbooks and compiled city panels."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pilotzones import policy
from pilotzones.catalogue import item
from pilotzones.licensed import Exports

CITY = (
    "gdp", "gdp_pc", "income", "savings", "unemployed", "imports", "exports", "revenue", "expenditure", "retail",
    "tertiary", "lending", "deposits", "investment", "patents_granted", "students", "population", "science",
    "education", "urbanisation", "fdi", "ict_employees", "employment", "light",
)  # fmt: skip

FORMULAS = {
    "gdp_pc": "gdp_pc",
    "income": "income",
    "savings": "1e4 * savings",
    "unemployed": "unemployed",
    "trade": "100 * (imports + exports) / gdp",
    "fiscal_ratio": "100 * revenue / expenditure",
    "retail": "retail",
    "tertiary": "tertiary",
    "loans": "100 * lending / deposits",
    "investment": "investment",
    "patents": "patents_granted",
    "students": "students / population",
    "science": "science",
    "education": "education",
    "gdp": "gdp",
    "population": "urbanisation / 100",
    "fdi": "fdi * cny_per_usd / gdp",
    "expenditure": "expenditure",
    "ict_employees": "ict_employees",
    "employment": "employment / 10",
    "light": "light",
}


def region(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return east, central or west."""
    return rows["city"].map(policy.cities().set_index("adcode")["region"])


def capital(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return 1 for provincial capitals and municipalities."""
    return rows["city"].map(policy.cities().set_index("adcode")["capital"])


EXPORTS = Exports(
    of="city",
    items=tuple(item("city", name) for name in CITY),
    formulas=FORMULAS,
    measured={"region": region, "capital": capital},
    gone=(
        "**Registered unemployed** (城镇登记失业人员数): the yearbooks stop after 2020. Nothing else is the same: "
        "leave the years empty, and the index ends with them, or carry the last value on and say so.",
        "**Fixed asset investment** (固定资产投资): since 2018 most provinces print growth rates only. Substitute: "
        "the level of 2017, carried on with them.",
        "**Savings deposits** (城乡居民储蓄年末余额): household deposits (住户存款) since 2015; read as the same.",
        "**Imports and exports** by city: yearbooks before about 2017 do not have them for all cities, and other "
        "sources give dollars, which are not read as yuan. Convert with the year's average rate "
        "(data/facts/national_series.csv) before you save the file.",
        "**Night lights**: the paper names no product. DMSP ends in 2013, VIIRS starts in 2012: use a harmonised "
        "series.",
        "**Laiwu 莱芜** became part of Jinan 济南 in 2019: add it to Jinan in all years, or Jinan's totals jump in "
        "the year of its zone.",
    ),
)
