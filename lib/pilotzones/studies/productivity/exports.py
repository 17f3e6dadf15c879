"""Where the variables of the productivity study come from in yearbooks and compiled city panels."""

from __future__ import annotations

from pilotzones.catalogue import item
from pilotzones.licensed import Exports

CITY = (
    "emerging_employees", "wage", "colleges", "broadband", "telecom", "pollution_control", "permit_trading",
    "waste_treated", "ai_firms", "green_inventions", "green_utility", "data_words", "data_platform", "imports",
    "exports", "gdp", "deposits", "science", "expenditure", "urbanisation", "retail", "fdi", "gdp_pc",
    "patents_applied", "patents_granted", "residents",
)  # fmt: skip

FORMULAS = {
    "employees": "emerging_employees",
    "wage": "wage",
    "colleges": "colleges",
    "broadband": "broadband",
    "telecom": "telecom / 1e4",
    "pollution_control": "pollution_control / 1e4",
    "permit_trading": "permit_trading / 100",
    "waste_treated": "waste_treated",
    "ai_firms": "ai_firms",
    "green_inventions": "green_inventions",
    "green_utility": "green_utility",
    "data_words": "data_words",
    "data_platform": "data_platform",
    "open": "(imports + exports) / gdp",
    "fin": "deposits / gdp",
    "tec": "science / expenditure",
    "urban": "urbanisation / 100",
    "market": "retail / gdp",
    "fdi": "100 * fdi * cny_per_usd / gdp",
    "gdp_pc": "gdp_pc",
    "patents": "patents_applied + patents_granted",
    "residents": "residents",
}

EXPORTS = Exports(
    of="city",
    items=tuple(item("city", name) for name in CITY),
    formulas=FORMULAS,
    gone=(
        "**All thirteen indicators** of new-quality productivity are needed at once: a city's year that lacks one "
        "has no index, and the paper says neither which gaps it had nor how they were filled. A variable of your "
        "own that is 0 in most cities (firms, staff, trading) has to say so: write the zeros.",
        "**Staff in emerging industries** (新兴产业上市公司员工数): sum CSMAR's staff of listed firms over those in "
        "strategic emerging and future industries by city of registration 注册地. The paper names no list of "
        "industries: the classification of 2018 战略性新兴产业分类 of the statistics bureau is the usual one.",
        "**Words on data assets** (数据资产词频对数均值): count the words in listed firms' annual reports, ln(1 + "
        "words) of each firm, mean over the firms registered in the city. The paper prints no list of words; 1 is "
        "added because many reports have none.",
        "**Artificial intelligence firms** (人工智能企业数量): no source is named. Business registers (Tianyancha "
        "天眼查, Qichacha 企查查) by key word and year of founding are usual; they forget firms that closed.",
        "**Green patents**: CNRDS has them by applicant's address; the paper does not say whether applications of "
        "later cancelled patents count.",
        "**Pollution control investment** (环境污染治理投资): published by province, not by city, and the series "
        "changes about 2017. Usual substitute: the province's total split by the cities' shares in industrial "
        "output; say so.",
        "**Trading of carbon, energy and emission permits** (碳交易、用能权交易、排污权交易额): the exchanges "
        "publish it by exchange, not by city; no source is named. 0 for cities without an exchange, before it "
        "opened, is one reading.",
        "**Data trading platform** (有无数据交易平台): 1 from the year an exchange opened in the city; from news "
        "and the exchanges' own pages.",
        "**Imports and exports** by city: yearbooks before about 2017 do not have them for all cities, and other "
        "sources give dollars, which are not read as yuan. Convert with the year's average rate "
        "(data/facts/national_series.csv) before you save the file.",
        "**Telecommunications business** (电信业务总量) is counted at constant prices that change every few years "
        "(in 2021 to those of 2020): the series is re-based, and year effects take that up only if it jumps alike "
        "everywhere. Newer yearbooks print revenue (电信业务收入) instead, which is read as the same item.",
        "**Urbanisation** (城镇化率) and **residents** (常住人口) are in the cities' statistical communiqués "
        "统计公报, not in the City Yearbook of all years.",
    ),
)
