"""Where the variables of the quality study come from: CSMAR, provincial yearbooks, customs records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pilotzones import policy
from pilotzones.catalogue import item
from pilotzones.licensed import KEYS, Exports, Records
from pilotzones.measures import export_quality, sophistication

FIRM = (
    "province", "founded", "employees", "current_assets", "current_liabilities", "state", "state_share",
    "largest_share",
)  # fmt: skip
PROVINCE = (
    "cbec_firms", "cbec_employees", "cbec_retail", "cbec_exports", "domains", "ports", "cable", "trains", "bonded",
)  # fmt: skip

FORMULAS = {
    "age": "year - founded",
    "employees": "employees",
    "state": "state",
    "share": "state_share / 100",
    "con": "largest_share / 100",
    "debt": "current_assets / current_liabilities",
    **{name: f"province_{name}" for name in PROVINCE},
}

RECORDS = (
    Records(
        "customs",
        {
            "firm": ("", KEYS["firm"]),
            "province": ("", KEYS["province"]),
            "product": ("", ("product", "HS编码", "商品编码", "商品编号")),
            "destination": ("", ("destination", "目的国", "目的地", "出口目的国", "最终目的国")),
            "year": ("", KEYS["year"]),
            "quantity": ("", ("quantity", "数量", "出口数量")),
            "price": ("", ("price", "单价", "出口单价")),
        },
        ("product", "destination"),
        "China Customs 中国海关数据库, added up by firm, product, destination and year",
    ),
    Records(
        "products",
        {
            "product": ("", ("product", "HS编码", "商品编码", "商品编号")),
            "sigma": ("", ("sigma", "替代弹性", "替代弹性系数")),
        },
        ("product",),
        "your own table: elasticities of substitution, e.g. of Broda and Weinstein (2006)",
    ),
    Records(
        "income",
        {
            "province": ("", KEYS["province"]),
            "year": ("", KEYS["year"]),
            "income": ("yuan", ("income", "实际人均地区生产总值", "实际人均GDP")),
        },
        (),
        "your own table, from GDP per head and consumer prices of provinces (China Statistical Yearbook 中国统计年鉴)",
    ),
)


def ftz(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return the free trade zones of the province, from the book's own facts: one from the year it opens."""
    opened = policy.concurrent("free_trade_zone")
    of_province = opened.groupby(opened.index // 10000 * 10000).min()
    return (rows["province"].map(of_province) <= rows["year"]).astype(float)


def quality_by_value(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return the mean quality of the firm's customs records, between 0 and 1, weighted by value."""
    return _quality(records, rows, "value")


def quality_by_records(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return the mean quality of the firm's customs records, between 0 and 1, every record alike."""
    return _quality(records, rows, "records")


def _quality(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame, weights: export_quality.Weights) -> pd.Series:
    if not {"customs", "products"} <= records.keys():
        return pd.Series(np.nan, rows.index)
    customs = records["customs"]
    values = export_quality.measure(customs, _sigma(records))["standard"]
    return _of_firms(export_quality.firm_quality(values, customs.loc[values.index], weights), rows)


def soph(records: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """Return the log of the income level of what the firm exports, from customs records and income of provinces."""
    if not {"customs", "products", "income"} <= records.keys():
        return pd.Series(np.nan, rows.index)
    usable, _ = export_quality.clean(records["customs"], _sigma(records))
    income = records["income"].set_index(["province", "year"])["income"]
    return _of_firms(np.log(sophistication.firm_sophistication(usable, income)), rows)


def _sigma(records: Mapping[str, pd.DataFrame]) -> pd.Series:
    return records["products"].set_index("product")["sigma"]


def _of_firms(values: pd.Series, rows: pd.DataFrame) -> pd.Series:
    return pd.Series(values.reindex(pd.MultiIndex.from_frame(rows[["firm", "year"]])).to_numpy(), rows.index)


EXPORTS = Exports(
    of="firm",
    items=(*(item("firm", name) for name in FIRM), *(item("province", name) for name in PROVINCE)),
    formulas=FORMULAS,
    records=RECORDS,
    measured={"ftz": ftz, "SEX": quality_by_value, "SEX_records": quality_by_records, "soph": soph},
    gone=(
        "**Customs records by firm** 海关数据: known to researchers up to 2016, while the paper says 2021. Later years "
        "have no export quality, and the sample ends with the records.",
        "**Stock codes in customs records**: customs knows firms by a ten-digit code and a name. Match the names "
        "yourself and write the stock code into the column of the firm; every other exporter keeps its ten digits. All "
        "exporters are needed: demand is estimated on them.",
        "**Price**: yuan per unit, value over quantity. Quantities in more than one unit of a product cannot be "
        "compared: keep the commonest. Products 商品编码 are written alike in both tables, e.g. HS codes of six "
        "digits.",
        "**Elasticities of substitution** 替代弹性: the paper names no source. One for every product of the records; "
        "where only groups of products have one, repeat it.",
        "**Income of provinces**: GDP per head divided by consumer prices (2011 = 1), as the paper does, for every "
        "province and year with exporters in the records, Tibet among them.",
        "**E-commerce of provinces** 跨境电商企业数量、从业人员、零售额、出口网上零售额: the paper cites provincial "
        "yearbooks, which hold no such series for all provinces. Substitute: a table of your own with 省份, 年份 and "
        "these four, e.g. counts in a register of firms; without it the study's indices cannot be computed.",
        "**China-Europe trains** 中欧班列 and **comprehensive bonded zones** 综合保税区: provincial governments and "
        "China Customs; a table of your own. Free trade zones are counted from the book's own facts, one a province.",
        "**Province of a firm** 注册所在省域: each firm has one, the last that the file gives within the sample years.",
        "**Sample**: the paper drops ST firms, firms with many gaps, and all but manufacturing and services, without "
        "giving its rules: leave such firms out of the table of provinces and they are gone. Tibet is left out here.",
        "**Nature of ownership** 企业性质: a column of 1 (controlled by the state) and 0; recode text first.",
    ),
)  # fmt: skip
