"""Cross-border e-commerce pilot zones and the new-quality productivity of cities (authors and outlet not in the text).

The paper contradicts itself in Tables 3, 4 and 6; the columns below are what the printed numbers say was estimated.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pilotzones import claims, geography, indices, policy, replicate
from pilotzones.declare import Column, EventStudy, Inconsistency, Index, Study, Table, Variable

BATCHES = (1, 2, 3, 4, 5)
BANDS_KM = tuple(range(50, 501, 50))
CONTROLS = ["open", "fin", "tec", "urban", "market", "fdi", "gdp"]

PRODUCTIVITY = Index(
    "Npp",
    "new-quality productivity 新质生产力",
    table="T1",
    indicators={
        "employees": "total employees of listed firms in strategic emerging and future industries",
        "wage": "average wage of on-post employees",
        "colleges": "number of regular higher education institutions",
        "broadband": "internet broadband access",
        "telecom": "telecommunications business volume",
        "pollution_control": "investment in environmental pollution control",
        "permit_trading": "value of carbon, energy-use-right and emission-right trading",
        "waste_treated": "harmless treatment rate of household waste",
        "ai_firms": "number of artificial intelligence firms",
        "green_inventions": "green invention patents applied for in the year",
        "green_utility": "green utility model patents applied for in the year",
        "data_words": "level of data factor use: data-asset word frequency in listed firms' reports",
        "data_platform": "whether a data trading platform exists",
    },
)

VARIABLES = (
    Variable("city", "prefecture code 城市代码", kind="code", low=110000, high=659999),
    Variable("year", "year", kind="code", low=2009, high=2022),
    Variable("province", "province code 省份代码", kind="code", low=110000, high=650000),
    # the raw indicators of the index; the paper gives no units, these are the yearbooks' usual ones
    Variable("employees", "staff of listed firms in emerging industries 新兴产业员工", "persons", kind="count", low=0),
    Variable("wage", "average wage 在岗职工平均工资", "yuan", low=0),
    Variable("colleges", "universities and colleges 普通高等学校数", "institutions", kind="count", low=0),
    Variable("broadband", "broadband subscribers 互联网宽带接入", "10,000 households", low=0),
    Variable("telecom", "telecommunications business 电信业务总量", "100 million yuan", low=0),
    Variable("pollution_control", "investment in pollution control 环境污染治理投资", "100 million yuan", low=0),
    Variable("permit_trading", "carbon, energy, emission permits traded 碳交易、用能权、排污权交易额", "million yuan",
             low=0),
    Variable("waste_treated", "household waste treated 生活垃圾无害化处理率", "percent", low=0, high=100),
    Variable("ai_firms", "artificial intelligence firms 人工智能企业", "firms", kind="count", low=0),
    Variable("green_inventions", "green inventions applied for 绿色发明", "patents", kind="count", low=0),
    Variable("green_utility", "green utility models applied for 绿色实用新型", "patents", kind="count", low=0),
    Variable("data_words", "words on data assets per listed firm 数据资产词频", "ln(1 + words), mean of firms", low=0),
    Variable("data_platform", "data trading platform 数据交易平台", kind="binary"),
    # other raw variables
    Variable("open", "trade / GDP 进出口", "share", low=0, symbol="Open"),
    Variable("fin", "deposits / GDP 金融发展", "share", low=0, symbol="Fin"),
    Variable("tec", "science / budget expenditure 科学支出", "share", low=0, high=1, symbol="Tec"),
    Variable("urban", "urbanisation rate 城镇化率", "share", low=0, high=1, symbol="Urban"),
    Variable("market", "retail sales / GDP 市场化", "share", low=0, symbol="Market"),
    Variable("fdi", "foreign direct investment / GDP 外商直接投资", "percent (assumed)", symbol="Fdi"),
    Variable("gdp_pc", "GDP per head 人均地区生产总值", "yuan", low=0),
    Variable("patents", "patents applied for and granted 专利申请和授权", "patents", kind="count", low=0),
    Variable("residents", "residents 常住人口", "10,000 persons", low=0),
    # derived
    Variable("batch", "batch of the city's first pilot zone (0: none by 2022) 批次", kind="code", low=0, high=7),
    Variable("cohort", "year the reform reached the city (missing: never, in this study)", "year", missing=True),
    Variable("event_time", "years since the reform", "years", missing=True),
    Variable("treat_post", "zone in force in the city", kind="binary", symbol="Policy"),
    Variable("Npp", "new-quality productivity 新质生产力", "weighted sum, 0 to 1", low=0, high=1),
    Variable("gdp", "GDP per head", "ln(yuan)", symbol="Gdp"),
    Variable("innovate", "patents applied for and granted per 100 residents 技术创新", "patents (unit assumed)", low=0,
             symbol="Innovate"),
    Variable("development", "GDP per head, year's upper or lower half 经济发展水平", kind="group",
             values=("high", "low")),
    *(Variable(f"zone_{s}", f"a zone in force {s - 50}-{s} km away", kind="binary") for s in BANDS_KM),
)  # fmt: skip


def fe(outcome: str, regressors: str = "treat_post", effects: str = "city + year") -> str:
    """Equation (3.1) of the paper with another outcome, other regressors or other effects."""
    return f"{outcome} ~ {regressors} + {{controls}} | {effects}"


TABLES = (
    Table("T3", "03_baseline", "Benchmark regressions", (
        Column("1", "Npp ~ treat_post", "policy only"),
        Column("2", "Npp ~ treat_post + {controls}", "controls"),
        Column("3", fe("Npp"), "effects, conventional t", vcov="iid"),
        Column("4", fe("Npp"), "effects, clustered t"),
    ), note="Effects and errors as the numbers say; the rows of the printed table say No, Yes, No, Yes."),
    Table("T4", "04_robustness", "Other robustness checks", (
        Column("1", fe("Npp", effects="city + province^year"), "province x year effects"),
        Column("2", fe("Npp"), "2012-2022", sample="year >= 2012"),
    )),
    Table("T5", "06_mechanisms", "Mechanism: innovation", (
        Column("1", fe("innovate"), "innovation"),
        Column("2", fe("Npp", "treat_post + innovate"), "productivity, given innovation"),
    )),
    Table("T6", "05_heterogeneity", "Heterogeneity by economic development", (
        Column("1", fe("Npp"), "low", sample="development == 'low'"),
        Column("2", fe("Npp"), "high", sample="development == 'high'"),
    ), note="Halves of each year's cities, single rows of a city dropped: this gives the printed numbers of rows."),
    Table("X1", "07_spatial", "Zones at a distance", (
        Column("", fe("Npp", "treat_post + {bands}"), "productivity"),
    ), note="An extension: the paper has no spatial analysis."),
)  # fmt: skip

FIGURES = (
    # the text's base, the year 2015, is no event year; the window is that of the paper's sum, k = -11 to 7
    EventStudy("F1", "03_baseline", "Parallel trend test", fe("Npp", "{event}"), leads=-11, lags=7, base=(-1,)),
)

_EFFECTS = "the printed rows of effects contradict the numbers: column 2 (effects 'Yes') has an R2 of 0.485, column 3 "
_EFFECTS += "('No') one of 0.967 and the coefficients of column 4, 'Yes'; "
_NO_EFFECTS = _EFFECTS + "read as controls without effects, clustered t"
_IID = _EFFECTS + "read as column 4 with conventional t (23.573 against 8.239)"
_OTHER = "no regression on this outcome (mean 0.051, maximum 0.618): 0.086 and 0.074 against 0.025 in Table 3, "
_OTHER += "constants 3.394 and 4.014 against 0.138; the rows are not of this sample either"
_GROUPS = "both halves (0.004 and 0.020) lie below the whole (0.025), no mean of them; year effects and slopes "
_GROUPS += "of their own would have to make up for 0.005"
INCONSISTENCIES = (
    Inconsistency("T3", "2", _NO_EFFECTS),
    Inconsistency("T3", "3", _IID),
    *(Inconsistency("T4", column, _OTHER, term=term) for column in "12" for term in ("treat_post", "_cons")),
    Inconsistency("T4", "1", "3,878 rows are more than 275 cities x 14 years = 3,850", statistic="n_obs"),
    Inconsistency("T4", "2", "3,775 rows are more than 275 cities x 11 years = 3,025", statistic="n_obs"),
    *(Inconsistency("T6", column, _GROUPS, term="treat_post") for column in "12"),
)  # fmt: skip


def derive(raw: pd.DataFrame) -> pd.DataFrame:
    """Build the variables of the paper's tables from the raw ones.

    Parameters
    ----------
    raw : one row per city and year with the raw variables of ``VARIABLES``.

    Returns
    -------
    The same rows with the derived variables added.
    """
    panel = raw.sort_values(["city", "year"], ignore_index=True)
    # zones of a single county (Yiwu, Hunchun) do not make their prefecture a zone
    panel = policy.attach(panel, batches=BATCHES, partial=False)
    panel["Npp"] = indices.values(PRODUCTIVITY, panel)
    panel["gdp"] = np.log(panel["gdp_pc"])
    panel["innovate"] = panel["patents"] / panel["residents"] / 100
    high = panel["gdp"] > panel.groupby("year")["gdp"].transform("median")
    panel["development"] = pd.Series(np.where(high, "high", "low")).where(panel["gdp"].notna())
    return pd.concat([panel, geography.zones_in_bands(panel, BANDS_KM)], axis=1)


def weaker_in_the_middle(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """The effect is smaller in the middle third of each year's cities by GDP per head than in the outer ones."""
    third = np.ceil(3 * panel.groupby("year")["gdp"].rank(pct=True))
    column = study.table("T3").column("4")
    low, middle, high = (
        replicate.column(study, column, panel[third == i]).coefficients.at["treat_post", "estimate"] for i in (1, 2, 3)
    )
    numbers = f"{low:.3f}, {middle:.3f}, {high:.3f} in thirds by GDP per head, low to high"
    return bool(middle < min(low, high)), f"{numbers}; the middle lowest claimed"


STUDY = Study(
    key="productivity",
    title="Cross-border e-commerce pilot zones and the new-quality productivity of cities",
    title_zh="跨境电商综试区与城市新质生产力",
    authors="unknown (not in the text)",
    outlet="unknown (not in the text)",
    unit="city",
    time="year",
    years=(2009, 2022),
    batches=BATCHES,
    variables=VARIABLES,
    tables=TABLES,
    figures=FIGURES,
    benchmark=("T3", "4"),
    outcome="Npp",
    mediators=(("innovate", "Npp"),),
    checks={"N05": claims.no_pre_trend, "N06": claims.positive_after, "N16": weaker_in_the_middle},
    blocks={"controls": " + ".join(CONTROLS), "bands": " + ".join(f"zone_{s}" for s in BANDS_KM)},
    clusters={"cluster_unit": "city", "cluster_city": "city", "cluster_province": "province"},
    # t values of 8.2 and 23.6 for one coefficient: clustered and conventional, by their ratio
    published_vcov="cluster_city",
    r2="overall",
    constant="mean",
    singletons="drop",
    indices=(PRODUCTIVITY,),
    descriptives_table="T2",
    inconsistencies=INCONSISTENCIES,
    derive=derive,
)
