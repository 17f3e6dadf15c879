"""Cross-border e-commerce development and the quality of exports by listed firms (authors not in the text).

The paper's tables are lost: two coefficients, four R2 and 24 sentences are left. The tables below are reconstructed
from the text, in its numbering; what it does not say is a choice, named where it is made.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pilotzones import indices, policy
from pilotzones.declare import Column, Index, Study, SystemGMM, Table, Variable
from pilotzones.errors import DataError
from pilotzones.studies.quality import checks

CONTROLS = ["size", "age", "share", "con", "debt"]
PROVINCE = ("province", "year")
TIBET = 540000

_ECOM = {
    "cbec_firms": "number of cross-border e-commerce firms",
    "cbec_employees": "cross-border e-commerce employees",
    "cbec_retail": "cross-border e-commerce retail sales",
    "cbec_exports": "cross-border online export retail sales",
}
_BASIC = {
    "domains": "number of domain names",
    "ports": "internet broadband access ports",
    "cable": "length of long-distance optical cable",
    "trains": "number of China-Europe freight trains",
    "ftz": "number of free trade zones",
    "bonded": "number of comprehensive bonded zones",
}
# the whole index and its two layers, each with the entropy weights of its own indicators
RET = Index("ret", "cross-border e-commerce development 跨境电商发展水平", "T1", _ECOM | _BASIC, rows=PROVINCE)
ECOM = Index("ecom", "e-commerce level 电商发展水平", "", _ECOM, rows=PROVINCE)
BASIC = Index("basic", "basic services 基础服务水平", "", _BASIC, rows=PROVINCE)

VARIABLES = (
    Variable("firm", "firm (stock code) 证券代码", kind="code"),
    Variable("year", "year", kind="code", low=2010, high=2021),
    Variable("province", "province of registration 注册所在省域", kind="code", low=110000, high=650000),
    # raw: the ten indicators of the province; the paper gives no units, these are the yearbooks' usual ones
    Variable("cbec_firms", "cross-border e-commerce firms 跨境电商企业数量", "firms", "count", low=0),
    Variable("cbec_employees", "cross-border e-commerce employees 跨境电商从业人员", "persons", "count", low=0),
    Variable("cbec_retail", "cross-border e-commerce retail sales 跨境电子商务零售额", "100 million yuan", low=0),
    Variable("cbec_exports", "cross-border online exports to consumers 跨境出口网上零售额", "100 million yuan", low=0),
    Variable("domains", "internet domain names 域名数量", "10,000 names", low=0),
    Variable("ports", "broadband access ports 互联网宽带接入端口数量", "10,000 ports", low=0),
    Variable("cable", "long-distance optical cable 长途光缆长度", "km", low=0),
    Variable("trains", "China-Europe freight trains 中欧班列次数", "trains a year", "count", low=0),
    Variable("ftz", "free trade zones 自由贸易区数量", "zones", "count", low=0),
    Variable("bonded", "comprehensive bonded zones 综合保税区数量", "zones", "count", low=0),
    # raw: firms
    Variable("employees", "employees 企业员工总数", "persons", "count", low=1),
    Variable("age", "years since founding 企业年龄", "years", low=0, high=70),
    Variable("state", "controlled by the state 企业性质", kind="binary"),
    Variable("share", "state-owned share 国有股占比", "share", low=0, high=1),
    Variable("con", "share of the largest owner 股权集中度", "share", low=0, high=1),
    Variable("debt", "current assets / current liabilities 偿债能力", "ratio", low=0),
    # raw: measured from customs records
    Variable("SEX", "export quality, records weighted by value 出口产品质量", "0 (worst record) to 1 (best)", low=0,
             high=1),
    Variable("SEX_records", "export quality, every record alike", "0 (worst record) to 1 (best)", low=0, high=1),
    Variable("SEX_true", "true export quality, records weighted by value", "as export quality", truth=True),
    Variable("soph", "export sophistication 出口技术复杂度", "ln(yuan of 2011)"),
    # derived
    Variable("ret", "cross-border e-commerce development 跨境电商发展水平", "weighted sum, 0 to 1", low=0, high=1),
    Variable("ecom", "e-commerce level 电商发展水平", "weighted sum, 0 to 1", low=0, high=1),
    Variable("basic", "basic services 基础服务水平", "weighted sum, 0 to 1", low=0, high=1),
    Variable("ret_lag", "ret of the year before", "weighted sum, 0 to 1", low=0, high=1, missing=True),
    Variable("ret_cubed", "cube of ret less its mean over provinces in the year", "cube of the index"),
    Variable("size", "employees 企业规模", "ln(persons)", low=0),
    Variable("size_group", "employees above or below the mean", kind="group", values=("large", "small and medium")),
    Variable("age_group", "age above or below the mean", kind="group", values=("growing", "mature")),
    Variable("owner_group", "largest owner", kind="group", values=("state", "private")),
    Variable("region_group", "region of the province", kind="group", values=("east", "centre and west")),
)  # fmt: skip


def fe(regressor: str, effects: str = "firm + year", outcome: str = "SEX") -> str:
    """Equation (1) of the paper with another regressor, other effects or another outcome."""
    return f"{outcome} ~ {regressor} + {{controls}} | {effects}"


def iv(instrument: str, effects: str) -> str:
    """Equation (1) by two-stage least squares."""
    return f"SEX ~ {{controls}} | {effects} | ret ~ {instrument}"


def six(outcome: str) -> tuple[Column, ...]:
    """Return the index and its two layers (columns 1-2, 3-4, 5-6), each with firm and with two-way effects."""
    pairs = [(name, effects) for name in ("ret", "ecom", "basic") for effects in ("firm", "firm + year")]
    return tuple(Column(str(i), fe(name, effects, outcome), name) for i, (name, effects) in enumerate(pairs, 1))


_IV = [(z, effects) for z in ("ret_lag", "ret_cubed") for effects in ("firm", "firm + year")]
_LABELS = {"ret_lag": "IV1: lag", "ret_cubed": "IV2: cubed deviation"}
TABLES = (
    Table("T3", "03_baseline", "Benchmark regressions", six("SEX"),
          note="Reconstructed. Odd columns have firm effects, even ones firm and year effects, as the text says."),
    Table("T4", "04_robustness", "Instruments: first stages", tuple(
        Column(str(i), fe(z, effects, "ret"), _LABELS[z]) for i, (z, effects) in enumerate(_IV, 1)
    ), note="Reconstructed. The text names both instruments and a critical value for one, so each is used alone."),
    Table("T5", "04_robustness", "Instruments: second stages", tuple(
        Column(str(i), iv(z, effects), _LABELS[z]) for i, (z, effects) in enumerate(_IV, 1)
    ), note="Reconstructed; the columns of T4."),
    Table("T6", "04_robustness", "Export sophistication as outcome", six("soph"), note="Reconstructed like T3."),
    Table("T8", "05_heterogeneity", "Heterogeneity by firm", (
        Column("2", fe("ret"), "large", sample="size_group == 'large'"),
        Column("3", fe("ret"), "small and medium", sample="size_group == 'small and medium'"),
        Column("4", fe("ret"), "growing", sample="age_group == 'growing'"),
        Column("5", fe("ret"), "mature", sample="age_group == 'mature'"),
        Column("6", fe("ret"), "state", sample="owner_group == 'state'"),
        Column("7", fe("ret"), "private", sample="owner_group == 'private'"),
        Column("8", fe("ret"), "east", sample="region_group == 'east'"),
        Column("9", fe("ret"), "centre and west", sample="region_group == 'centre and west'"),
    ), note="Reconstructed with two-way effects; the text does not say what column 1 is."),
)  # fmt: skip

# lags 2 to 4 in levels, collapsed: the paper says nothing about its instruments
DYNAMICS = tuple(
    SystemGMM("T7", str(i), name, "SEX", (name, *CONTROLS), {"SEX": (2, 4), name: (2, 4)}, tuple(CONTROLS))
    for i, name in enumerate(("ret", "ecom", "basic"), 1)
)


def derive(raw: pd.DataFrame) -> pd.DataFrame:
    """Build the variables of the paper's tables from the raw ones.

    Parameters
    ----------
    raw : one row per firm and year with the raw variables of ``VARIABLES``.

    Returns
    -------
    The same rows, without those in Tibet as in the paper, with the derived variables added.

    Raises
    ------
    DataError
        If a firm is in two provinces: the paper assigns it to the province where it is registered.
    """
    provinces = raw.groupby("firm")["province"].unique()
    if (moved := provinces[provinces.str.len() > 1]).size:
        raise DataError(
            f"panel, column 'province': firm {moved.index[0]} is in {' and '.join(map(str, sorted(moved.iloc[0])))}"
            f"{f', as are {len(moved) - 1} other firms in two' if len(moved) > 1 else ''}; expected one for each firm"
        )
    panel = raw[raw["province"] != TIBET].sort_values(["firm", "year"], ignore_index=True)
    for index in (RET, ECOM, BASIC):
        panel[index.name] = indices.values(index, panel)
    ret = panel.drop_duplicates(PROVINCE).set_index([*PROVINCE])["ret"]
    before = pd.MultiIndex.from_arrays([panel["province"], panel["year"] - 1])
    panel["ret_lag"] = ret.reindex(before).to_numpy()
    panel["ret_cubed"] = (panel["ret"] - panel["year"].map(ret.groupby(level="year").mean())) ** 3
    panel["size"] = np.log(panel["employees"])
    # "the mean" of what is not said: of all rows of exporters
    mean = panel.loc[panel["SEX"].notna(), ["employees", "age"]].mean()
    panel["size_group"] = _split(panel["employees"], mean["employees"], "large", "small and medium")
    panel["age_group"] = _split(panel["age"], mean["age"], "mature", "growing")
    panel["owner_group"] = _split(panel["state"], 0, "state", "private")
    region = panel["province"].map(policy.provinces()["region"])
    panel["region_group"] = np.where(region == "east", "east", "centre and west")
    return panel


def _split(values: pd.Series, cut: float, above: str, below: str) -> pd.Series:
    """Return which side of a cut-off a value is on; missing where the value is."""
    return pd.Series(np.where(values > cut, above, below), values.index).where(values.notna())


STUDY = Study(
    key="quality",
    title="Cross-border e-commerce and the quality of exports",
    title_zh="跨境电商发展对出口产品质量的影响分析",
    authors="unknown (not in the text)",
    outlet="Journal of Commercial Economics 商业经济研究 2023 (23)",
    unit="firm",
    time="year",
    years=(2010, 2021),
    batches=(),
    variables=VARIABLES,
    tables=TABLES,
    dynamics=DYNAMICS,
    benchmark=("T3", "2"),
    outcome="SEX",
    treatment="ret",
    checks=checks.CHECKS,
    blocks={"controls": " + ".join(CONTROLS)},
    clusters={"cluster_unit": "firm", "cluster_province": "province"},
    # the text says nothing about errors
    published_vcov="iid",
    # R2 of 0.31 and 0.38 beside firm effects: not those of a regression in which the firms count as explained
    r2="within_unit",
    indices=(RET, ECOM, BASIC),
    derive=derive,
)
