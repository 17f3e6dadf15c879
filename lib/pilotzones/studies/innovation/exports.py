"""Where the variables of the innovation study come from: CSMAR, patents, yearbooks, trade of cities and partners."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pilotzones.catalogue import PATENTS, item
from pilotzones.licensed import KEYS, Exports, Records
from pilotzones.measures import spillovers
from pilotzones.measures.patents import breadth
from pilotzones.studies.innovation.records import pools

FIRM = (
    "city", "founded", "patents", "patents_invention", "fixed_assets", "employees", "pay", "assets", "liabilities",
    "net_profit", "revenue", "operating_profit", "cash_flow", "book_to_market", "rd",
)  # fmt: skip
CITY = (
    "gdp_pc", "tertiary", "science", "population", "gdp", "expenditure", "broadband", "phones_1984", "posts_1984",
    "employment", "transport_employees", "ict_employees", "finance_employees", "leasing_employees",
    "research_employees",
)  # fmt: skip
_SERVICES = " + ".join(f"city_{name}" for name in CITY if name.endswith("_employees"))
_SERVICES_BEFORE = " + ".join(f"city_{name}_before" for name in CITY if name.endswith("_employees"))

FORMULAS = {
    "patents": "patents",
    "patents_invention": "patents_invention",
    "age": "year - founded",
    "kn": "log(fixed_assets / employees)",
    "wage": "log(pay / employees)",
    "debt": "liabilities / assets",
    "roa": "2 * net_profit / (assets + assets_before)",
    "cgdp": "log(city_gdp_pc)",
    "ind": "city_tertiary / 100",
    "tech": "city_science / city_population / 1000",
    "asset": "log(assets)",
    "income": "log(revenue)",
    "CA": "cash_flow / assets",
    "BM": "book_to_market",
    "phone84": "city_phones_1984",
    "post84": "city_posts_1984",
    "digital": "100 * city_broadband_first / city_population_first",
    "fiscal": "city_expenditure_first / city_gdp_first",
    "RD": "log1p(rd)",
    "profit": "operating_profit / revenue",
    # the yearbook of 2020 has no jobs by sector: the paper takes 2019
    "conv": f"(({_SERVICES}) / city_employment).where(year != 2020, ({_SERVICES_BEFORE}) / city_employment_before)",
}

RECORDS = (
    Records(
        "patents",
        {
            "firm": ("", KEYS["firm"]),
            "year": ("", ("year", "申请年份", "申请年度", "申请日", "申请日期", "年份", "会计年度")),
            "application": ("", ("application", "申请号", "专利申请号")),
            "ipc": ("", ("ipc", "IPC分类号", "IPC号", "国际专利分类号", "分类号")),
        },
        ("application", "ipc"),
        f"{PATENTS}: one row per application 专利明细",
    ),
    Records(
        "partners",
        {
            "country": ("", ("country", "国家", "国家名称", "贸易伙伴", "贸易伙伴国")),
            "year": ("", KEYS["year"]),
            "imports": ("million yuan", ("imports", "进口额", "进口总额")),
            "exports": ("million yuan", ("exports", "出口额", "出口总额")),
            "gdp": ("million yuan", ("gdp", "国内生产总值")),
            "rd_spending": ("million yuan", ("rd_spending", "研发支出", "R&D支出", "研发经费支出")),
        },
        ("country",),
        "your own table: China's trade by country (China Statistical Yearbook 中国统计年鉴 or UN Comtrade), their GDP "
        "and R&D (World Bank, UNESCO)",
    ),
    Records(
        "city_trade",
        {
            "city": ("", KEYS["city"]),
            "year": ("", KEYS["year"]),
            # shares only: any unit, the same for all cities of a year
            "imports": ("", ("imports", "货物进口额", "进口额", "进口总额")),
            "exports": ("", ("exports", "货物出口额", "出口额", "出口总额")),
        },
        (),
        "China City Statistical Yearbook 中国城市统计年鉴 (goods trade), before 2017 provincial yearbooks 各省统计年鉴",
    ),
)


def patents(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return the applications: none for a firm that is not in a year that the file covers."""
    return _none_is_zero(rows, "patents", "patents")


def patents_invention(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return the invention applications: none for a firm that is not in a year that the file covers."""
    return _none_is_zero(rows, "patents_invention", "patents_invention")


def rd(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return ln(1 + R&D spending): none for a firm that reports none in a year that the file covers."""
    return _none_is_zero(rows, "RD", "rd")


def _none_is_zero(rows: pd.DataFrame, variable: str, item: str) -> pd.Series:
    reported = rows[item].notna()
    covered = rows["year"].isin(rows.loc[reported, "year"])
    return rows[variable].mask(covered & ~reported, 0.0)


def ipc_groups(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return the main groups that the patents of a year cover: none for a firm without patents in a year with some."""
    if "patents" not in records:
        return pd.Series(np.nan, rows.index)
    found = breadth(records["patents"]).reindex(pd.MultiIndex.from_frame(rows[["firm", "year"]]))
    covered = rows["year"].isin(records["patents"]["year"])
    return pd.Series(found.fillna(0.0).to_numpy(), rows.index).where(covered)


def spill(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return what the city gains from foreign R&D through trade; missing for cities without trade."""
    if not {"partners", "city_trade"} <= records.keys():
        return pd.Series(np.nan, rows.index)
    partners, trade = records["partners"], records["city_trade"]
    trade = trade[trade["year"].isin(partners["year"]) & (trade["imports"] + trade["exports"] > 0)]
    gained = spillovers.spillover(spillovers.shares(trade), pools(partners))["spill"]
    return pd.Series(gained.reindex(pd.MultiIndex.from_frame(rows[["city", "year"]])).to_numpy(), rows.index)


EXPORTS = Exports(
    of="firm",
    items=(*(item("firm", name) for name in FIRM), *(item("city", name) for name in CITY)),
    formulas=FORMULAS,
    records=RECORDS,
    measured={
        "patents": patents, "patents_invention": patents_invention, "RD": rd, "ipc_groups": ipc_groups, "spill": spill,
    },
    gone=(
        "**City of a firm** 所在城市: the paper does not say whether it is that of registration or of the office. The "
        "file's is taken, year by year; without one the firm-year is left out.",
        "**R&D spending** 研发投入: few firms report it in the first years, yet the paper has it for all 28,305 rows "
        "of its benchmark. Substitute: nothing reported in a year that the file covers counts as no spending.",
        "**Jobs by sector in 2020**: not in the yearbook of cities. Substitute, as in the paper: 2019. All jobs are "
        "those in urban units 城镇单位, without private firms and the self-employed: only these are printed by sector.",
        "**Internet penetration of cities** 互联网普及率: no series. Substitute: broadband subscribers "
        "互联网宽带接入用户数 (in older yearbooks 国际互联网用户数) of 2011 per 100 registered persons.",
        "**Fiscal expenditure / GDP** 财政支出占比: the paper does not say of which year. Taken: 2011, as for internet "
        "penetration.",
        "**Science spending per head** 人均财政科技支出: per registered person 户籍人口; the paper does not say whose "
        "heads.",
        "**Telephones and post offices of 1984**: on paper only, in the yearbook of 1985. Substitute: type them into a "
        "table with the columns 城市, 1984年每百人固定电话数, 1984年每万人邮局数. The paper says telephones per head "
        "and the number of post offices; per head is taken for both. Cities founded later have none.",
        "**Patents by application**: designs 外观设计 have Locarno classes and no IPC symbol; leave them out of the "
        "table of applications (not out of the counts). Several symbols of one patent are separated by `;`.",
        "**Trade of all cities**: the total is the sum over cities, so the table must hold every city, also those "
        "without listed firms, in one unit a year.",
        "**R&D of trading partners**: in million yuan at constant prices, without gaps, from as many years before 2011 "
        "as there are: the first stock follows from the growth of spending. The paper names no source and no "
        "depreciation; 5% a year is taken.",
        "**Extreme values**: the largest counts in the paper's Table 1 look winsorised; no rule is given, none is cut.",
    ),
)  # fmt: skip
