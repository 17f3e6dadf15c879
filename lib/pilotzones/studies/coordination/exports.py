"""Where the variables of the coordination study come from in yearbooks and compiled city panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from pilotzones.catalogue import OWN, item
from pilotzones.licensed import Exports, Records
from pilotzones.studies.coordination.study import TOOLS

CITY = (
    "gdp", "gdp_pc", "growth", "investment", "tertiary", "secondary", "fdi", "industry", "retail", "savings", "wage",
    "population", "area", "education", "science", "revenue", "expenditure", "patents_granted", "students", "deposits",
    "lending", "broadband", "institution", "capital_labour", "skill", "data_factor",
)  # fmt: skip

# money at prices of 2010
FORMULAS = {
    "gdp_pc": "gdp_pc / province_cpi_level",
    "growth": "growth",
    "investment_pc": "investment / population / province_cpi_level",
    "services": "tertiary",
    "fdi_pc": "fdi * cny_per_usd / population / province_cpi_level",
    "industry": "industry / 1e4 / province_cpi_level",
    "retail_pc": "retail / population / province_cpi_level",
    "savings_pc": "savings / population / province_cpi_level",
    "wage": "wage / province_cpi_level",
    "area": "area",
    "education": "education / province_cpi_level",
    "science": "science / province_cpi_level",
    "secondary": "secondary",
    "fiscal_ratio": "revenue / expenditure",
    # in logs: a year without a patent is a gap
    "patents_pc": "patents_granted.where(patents_granted > 0) / population",
    "human_capital": "students / population",
    "finance": "(deposits + lending) / gdp",
    "broadband": "100 * broadband / population",
    "institution": "institution",
    "capital_labour": "capital_labour",
    "skill": "skill",
    "data_factor": "data_factor",
    "population": "population",
    "gdp": "gdp / 1e4 / province_cpi_level",
}

CHINESE = {
    "talent": "人才培养", "infrastructure": "基础设施", "digital_technology": "数字技术", "funding": "资金投入",
    "finance": "金融服务", "tax": "税收征管", "supervision": "市场监管", "logistics": "智慧物流",
    "supply_chain": "供应链", "clusters": "产业集群", "parks": "示范园区", "customs": "通关便利化",
    "credit": "信用评价", "risk": "风险防控", "statistics": "统计监测",
}  # fmt: skip
NAMES = tuple(name for names in TOOLS.values() for name in names)
SENTENCES = Records(
    "tools",
    columns={
        "city": ("", ("city", "城市代码", "城市")),
        "year": ("", ("year", "年份")),
        **{name: ("", (f"tool_{name}", CHINESE[name])) for name in NAMES},
    },
    text=(),
    source=OWN,
)


def in_force(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame, tool: str) -> pd.Series:
    """Return the sentences that use a policy tool in the documents up to the year: 0 in cities without any."""
    if "tools" not in records:
        return pd.Series(np.nan, rows.index)
    yearly = records["tools"].pivot_table(index="city", columns="year", values=tool, aggfunc="sum", fill_value=0)
    sums = yearly.reindex(columns=range(yearly.columns.min(), rows["year"].max() + 1), fill_value=0).cumsum(axis=1)
    at = pd.MultiIndex.from_frame(rows[["city", "year"]])
    return pd.Series(sums.stack().reindex(at, fill_value=0).to_numpy(float), rows.index)


MEASURED: dict[str, Callable[[Mapping[str, pd.DataFrame], pd.DataFrame], pd.Series]] = {
    f"tool_{name}": partial(in_force, tool=name) for name in NAMES
}

EXPORTS = Exports(
    of="city",
    items=(*(item("city", name) for name in CITY), item("province", "cpi")),
    formulas=FORMULAS,
    records=(SENTENCES,),
    measured=MEASURED,
    gone=(
        "**Prices of 2010**: the paper deflates all money and does not say by which index. Here it is the consumer "
        "price index of the province 居民消费价格指数 (last year = 100), chained from 2010, which is 1; GDP too, "
        "for no price index of GDP is published by city. Without it nothing in money can be computed.",
        "**Balanced panel**: the paper has every city in every year and drops those with serious gaps "
        "(数据严重缺失). So a city that lacks one value of a variable in one year is left out; a variable that no "
        "city has is left empty instead. A sparse table of your own (see below) can therefore cost most of the "
        "sample: complete it, or leave it out.",
        "**Output of industry above designated size** (规模以上工业总产值): look whether the yearbooks of the last "
        "sample years still print it; some do not. Substitute: the level carried on with the growth of industrial "
        "value added, from provincial yearbooks.",
        "**Fixed asset investment** (固定资产投资): since 2018 most provinces print growth rates only. Substitute: "
        "the level of 2017 carried on with the printed growth rates.",
        "**Savings per head** (城镇居民人均家庭储蓄存款): the yearbooks have deposits of urban and rural residents "
        "together; these, per head of the registered population 户籍人口. Heads are registered persons in all "
        "variables, which ties (equation 1) ask for as year-end population.",
        "**Foreign capital** is in dollars in the yearbooks, and becomes yuan at the year's average rate.",
        "**Institutional innovation** (`institution`, 制度创新指数), one number per city and year, of your own "
        "making: the paper takes a composite of the marketisation index of Fan Gang 樊纲 and others (by province, "
        "to be bought as a book), revenue / GDP, trade / GDP, and a weighted sum of ICT employees, mobile phones, "
        "telecom business, broadband and the index of inclusive finance of Peking University "
        "北京大学数字普惠金融指数 (free on request). It prints no weights.",
        "**Capital per worker** (`capital_labour`, 资本劳动比): capital stock by perpetual inventory from fixed "
        "asset investment, over year-end employees 年末单位从业人员数. The paper states neither depreciation nor "
        "first stock.",
        "**High- to low-skilled workers** (`skill`, 高低技能劳动比): no source is named. The population census "
        "(2010, 2020) and the mini-census of 2015 have schooling by city; other years have to be filled in.",
        "**Data factor allocation** (`data_factor`, 数据要素配置指数): an entropy index after Li Zhiguo 李治国 and "
        "Wang Jie 王杰 (2021); its indicators are in their paper.",
        "**Policy tools** (`tool_...`): the documents were coded by hand and are not published. Collect them, count "
        "sentences with `pilotzones.measures.policy_text.counts` (data/policy_texts/README.md says how), and save "
        "one row per city and year with one column per tool. Each row counts new documents; the book adds up what "
        "is in force. Cities and years without a row have none.",
    ),
    balanced=True,
)
