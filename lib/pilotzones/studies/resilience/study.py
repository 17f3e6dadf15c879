"""Huang, Liu, Sun and Wang (2025): cross-border e-commerce pilot zones and the economic resilience of cities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pilotzones import claims, geography, indices, policy
from pilotzones.declare import Column, EventStudy, Inconsistency, Index, Placebo, Study, Table, Variable

BATCHES = (1, 2, 3, 4, 5)
BANDS_KM = tuple(range(50, 501, 50))
CONTROLS = ["lngdp", "lnincome", "population", "fiscal", "consumption", "fdi"]

RESILIENCE = Index(
    "Resil",
    "economic resilience 经济韧性",
    table="T1",
    indicators={
        "gdp_pc": "GDP per head",
        "income": "urban disposable income per head",
        "savings": "savings deposits of urban and rural residents",
        "unemployed": "registered urban unemployed",
        "trade": "imports plus exports / GDP",
        "fiscal_ratio": "local fiscal revenue / expenditure",
        "retail": "retail sales of consumer goods",
        "tertiary": "tertiary industry / GDP",
        "loans": "year-end loans / deposits of financial institutions",
        "investment": "fixed asset investment",
        "patents": "patents granted",
        "students": "students in regular higher education per 10,000 people",
        "science": "fiscal science expenditure",
        "education": "fiscal education expenditure",
    },
    negative=("unemployed", "trade"),
    closeness=True,
)

VARIABLES = (
    Variable("city", "prefecture code 城市代码", kind="code", low=110000, high=659999),
    Variable("year", "year", kind="code", low=2010, high=2022),
    Variable("province", "province code 省份代码", kind="code", low=110000, high=650000),
    Variable("region", "region 东中西部", kind="group", values=("east", "central", "west")),
    Variable("capital", "provincial capital or municipality 省会与直辖市", kind="binary"),
    # the raw indicators of the index
    Variable("gdp_pc", "GDP per head 人均地区生产总值", "yuan", low=0, missing=True),
    Variable("income", "urban disposable income per head 城镇居民可支配收入", "yuan", low=0, missing=True),
    Variable("savings", "savings deposits of residents 城乡居民储蓄余额", "yuan", low=0, missing=True),
    Variable("unemployed", "registered urban unemployed 城镇登记失业人数", "persons", low=0, missing=True),
    Variable("trade", "imports plus exports / GDP 进出口总额占GDP比重", "percent", low=0, missing=True),
    Variable("fiscal_ratio", "fiscal revenue / expenditure 地方财政收支比", "percent", low=0, missing=True),
    Variable("retail", "retail sales 社会消费品零售总额", "10,000 yuan", low=0, missing=True),
    Variable("tertiary", "tertiary industry / GDP 第三产业占比", "percent", low=0, high=100, missing=True),
    Variable("loans", "loans / deposits 年末金融机构存贷比", "percent", low=0, missing=True),
    Variable("investment", "fixed asset investment 固定资产投资额", "10,000 yuan", low=0, missing=True),
    Variable("patents", "patents granted 专利授权数", "items", low=0, missing=True),
    Variable("students", "students in higher education 万人普通高等学校在校学生数", "per 10,000 people", low=0,
             missing=True),
    Variable("science", "fiscal science expenditure 财政科学支出", "10,000 yuan", low=0, missing=True),
    Variable("education", "fiscal education expenditure 财政教育支出", "10,000 yuan", low=0, missing=True),
    # other raw variables
    Variable("gdp", "GDP 地区生产总值", "10,000 yuan", low=0, missing=True),
    Variable("population", "urbanisation rate 城镇化率", "share", low=0, high=1, missing=True),
    Variable("fdi", "foreign direct investment / GDP 外商直接投资", "share", low=0, missing=True),
    Variable("expenditure", "fiscal expenditure 财政支出", "10,000 yuan", low=0, missing=True),
    Variable("ict_employees", "employees in information transmission, computer services and software 信息业从业人员",
             "10,000 persons (unit assumed)", low=0, missing=True),
    Variable("employment", "urban unit employment 城镇单位就业人员", "100,000 persons (unit assumed)", low=0,
             missing=True),
    Variable("light", "night lights, mean over the city 夜间灯光", "digital number", low=0, high=63),
    # derived
    Variable("batch", "batch of the city's first pilot zone (0: none by 2022) 批次", kind="code", low=0, high=7),
    Variable("cohort", "year the reform reached the city (missing: never, in this study)", "year", missing=True),
    Variable("event_time", "years since the reform", "years", missing=True),
    Variable("treat_post", "zone in force in the city", kind="binary"),
    Variable("Resil", "economic resilience 经济韧性", "closeness, 0 to 1", low=0, high=1, missing=True),
    Variable("lngdp", "GDP per head", "ln(yuan)", missing=True),
    Variable("lnincome", "urban disposable income per head", "ln(yuan)", missing=True),
    Variable("fiscal", "fiscal self-sufficiency 财政自给", "share", low=0, missing=True),
    Variable("consumption", "retail sales / GDP 社会消费水平", "share", low=0, missing=True),
    Variable("patents_granted", "patents granted", "10,000 items (unit assumed)", low=0, missing=True),
    Variable("sci_tech_level", "science expenditure / fiscal expenditure 科学技术水平", "share (assumed)", low=0,
             missing=True),
    Variable("bdcpz", "big data pilot zone in force 大数据综合试验区", kind="binary"),
    Variable("bci", "Broadband China in force 宽带中国", kind="binary"),
    Variable("cftzs", "free trade zone in force 自由贸易试验区", kind="binary"),
    Variable("light_post", "night lights x zone in force", "digital number", low=0, high=63),
    *(Variable(f"zone_{s}", f"a zone in force {s - 50}-{s} km away", kind="binary") for s in BANDS_KM),
)  # fmt: skip


def fe(outcome: str, regressors: str = "treat_post") -> str:
    """Equation (11) of the paper with another outcome or other regressors."""
    return f"{outcome} ~ {regressors} + {{controls}} | city + year"


TABLES = (
    Table("T2", "03_baseline", "Baseline regressions", (
        Column("1", "Resil ~ treat_post | city + year", "resilience"),
        Column("2", fe("Resil"), "resilience"),
    )),
    Table("T3", "04_robustness", "Other robustness checks", (
        Column("1", fe("Resil"), "no capitals", sample="capital == 0"),
        Column("2", fe("Resil"), "winsorised at 1%", winsorise=0.01),
        Column("3", fe("Resil", "treat_post + {policies}"), "other policies"),
    )),
    Table("T4", "04_robustness", "Instrument", (
        Column("1", "treat_post ~ light_post + {controls} | city + year", "first stage"),
        Column("2", "Resil ~ {controls} | city + year | treat_post ~ light_post", "2SLS"),
    )),
    Table("T5", "05_heterogeneity", "Heterogeneity by region and by batch", (
        Column("1", fe("Resil"), "east", sample="region == 'east'"),
        Column("2", fe("Resil"), "centre", sample="region == 'central'"),
        Column("3", fe("Resil"), "west", sample="region == 'west'"),
        Column("4", fe("Resil"), "batches 1-2", sample="batch not in [3, 4, 5]"),
        Column("5", fe("Resil"), "batches 3-4", sample="batch not in [1, 2, 5]"),
    )),
    Table("T6", "06_mechanisms", "Mechanisms", (
        Column("1", fe("patents_granted"), "patents"),
        Column("2", fe("sci_tech_level"), "science and technology"),
        Column("3", fe("ict_employees"), "ICT employees"),
        Column("4", fe("employment"), "employment"),
    )),
    Table("X1", "07_spatial", "Zones at a distance", (
        Column("", fe("Resil", "treat_post + {bands}"), "resilience"),
    ), note="An extension: the paper has no spatial analysis."),
)  # fmt: skip

FIGURES = (
    # the paper states neither the base nor what becomes of years outside the window
    EventStudy("F1", "03_baseline", "Parallel trend test", fe("Resil", "{event}"), leads=-5, lags=5, base=(-1,),
               beyond="bin"),
)  # fmt: skip

# who may be drawn is not stated; the single peak at zero that the paper reports fits draws from all cities
PLACEBOS = (Placebo("F2", "04_robustness", "Random cities as fake pilot zones", draws=500, anywhere=True),)

_SWAPPED = "the weights of savings and unemployment look exchanged: savings are the more skewed indicator, and min-max "
_SWAPPED += "scaling leaves a count of which more is worse next to no entropy weight; the panel has them the other way"
INCONSISTENCIES = (
    Inconsistency("T1", "", _SWAPPED, term="savings deposits of urban and rural residents"),
    Inconsistency("T1", "", _SWAPPED, term="registered urban unemployed"),
    Inconsistency("T5", "3", "|t| = 1.67 carries no star: it has one under the normal distribution, none with the "
                  "about 80 clusters of western cities", term="consumption"),
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
    # 99 cities, as in the paper: zones of a single county (Yiwu, Hunchun) do not make their prefecture a zone
    panel = policy.attach(panel, batches=BATCHES, partial=False)
    panel["Resil"] = indices.values(RESILIENCE, panel)
    panel["lngdp"], panel["lnincome"] = np.log(panel["gdp_pc"]), np.log(panel["income"])
    panel["fiscal"] = panel["fiscal_ratio"] / 100
    panel["consumption"] = panel["retail"] / panel["gdp"]
    panel["patents_granted"] = panel["patents"] / 1e4
    panel["sci_tech_level"] = panel["science"] / panel["expenditure"]
    for dummy, name in (("bdcpz", "big_data_pilot_zone"), ("bci", "broadband_china"), ("cftzs", "free_trade_zone")):
        panel[dummy] = (panel["year"] >= panel["city"].map(policy.concurrent(name))).astype(int)
    panel["light_post"] = panel["light"] * panel["treat_post"]
    return pd.concat([panel, geography.zones_in_bands(panel, BANDS_KM)], axis=1)


STUDY = Study(
    key="resilience",
    title="Cross-border e-commerce pilot zones and economic resilience",
    title_zh="跨境电商综试区与经济韧性",
    authors="Huang Jia 黄佳, Liu Shaojie 刘少杰, Sun Jiadan 孙嘉聃 and Wang Hui 王卉",
    outlet="E-Commerce Letters 电子商务评论 2025, 14(10)",
    unit="city",
    time="year",
    years=(2010, 2022),
    batches=BATCHES,
    variables=VARIABLES,
    tables=TABLES,
    benchmark=("T2", "2"),
    outcome="Resil",
    figures=FIGURES,
    placebos=PLACEBOS,
    mediators=tuple((name, "Resil") for name in ("patents_granted", "sci_tech_level", "ict_employees", "employment")),
    checks={
        "H03": claims.no_pre_trend, "H04": claims.effect_from_the_start, "H05": claims.effect_grows,
        "H06": claims.placebo_is_centred,
    },
    blocks={
        "controls": " + ".join(CONTROLS), "policies": "bdcpz + bci + cftzs",
        "bands": " + ".join(f"zone_{s}" for s in BANDS_KM),
    },
    clusters={"cluster_unit": "city", "cluster_city": "city", "cluster_province": "province"},
    # "robust", says the paper; only errors clustered by city come near the printed ones
    published_vcov="cluster_city",
    r2="overall",
    constant="mean",
    indices=(RESILIENCE,),
    factors={"light_post": "light"},
    inconsistencies=INCONSISTENCIES,
    derive=derive,
)  # fmt: skip
