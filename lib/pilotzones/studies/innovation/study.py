"""Shi Yaru and Yu Jinping (2023): cross-border e-commerce reform and firm innovation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pilotzones import claims, geography, policy, replicate
from pilotzones.declare import Column, EventStudy, Inconsistency, Placebo, Study, Table, Variable
from pilotzones.estimators.matching import balance

BATCHES = (1, 2, 3)
BANDS_KM = tuple(range(50, 501, 50))
CONTROLS = ["age", "kn", "wage", "debt", "roa", "cgdp", "ind", "tech"]
FIXED_EFFECTS = "firm + year + province^year"

VARIABLES = (
    Variable("firm", "firm (stock code) 证券代码", kind="code"),
    Variable("year", "year", kind="code", low=2011, high=2020),
    Variable("city", "prefecture code 城市代码", kind="code", low=110000, high=659999),
    Variable("province", "province code 省份代码", kind="code", low=110000, high=650000),
    # raw
    Variable("patents", "patent applications 专利申请数", "patents a year", "count", low=0),
    Variable("patents_invention", "invention patent applications 发明专利申请数", "patents a year", "count", low=0),
    Variable("age", "firm age 企业年龄", "years", low=0, missing=True),
    Variable("kn", "capital intensity 资本密集度", "ln(yuan per employee)", missing=True),
    Variable("wage", "wage level 工资水平", "ln(yuan per employee)", missing=True),
    Variable("debt", "debt ratio 资产负债率", "share", low=0, missing=True),
    Variable("roa", "return on assets 资产收益率", "share", missing=True),
    Variable("cgdp", "GDP per head of the city 人均GDP", "ln(yuan)", missing=True),
    Variable("ind", "tertiary share of the city 产业结构", "share", low=0, high=1, missing=True),
    Variable("tech", "science spending per head of the city 科技支出", "thousand yuan", low=0, missing=True),
    Variable("asset", "firm assets 资产规模", "ln(yuan)"),
    Variable("income", "operating revenue 营业收入", "ln(yuan)"),
    Variable("CA", "net operating cash flow 经营现金流", "share of assets"),
    Variable("BM", "book-to-market ratio 账面市值比", "ratio"),
    Variable("phone84", "fixed telephones 1984 固定电话", "per 100 people", low=0, missing=True),
    Variable("post84", "post offices 1984 邮局", "per 10,000 people", low=0, missing=True),
    Variable("digital", "internet penetration of the city, first sample year 互联网普及率", "per 100 people", low=0),
    Variable("fiscal", "fiscal expenditure / GDP of the city 财政支出占比", "share", low=0),
    Variable("RD", "R&D spending 研发支出", "ln(1 + yuan)", low=0),
    Variable("ipc_groups", "IPC main groups covered by the year's patents 专利宽度", "groups", "count", low=0),
    Variable("profit", "profit rate 利润率", "share of sales", missing=True),
    Variable("conv", "manufacturing-services integration 制造业服务业融合", "share of employment", low=0, high=1,
             missing=True),
    Variable("spill", "trade technology spillover 技术溢出", "ln(million yuan)", missing=True),
    # derived
    Variable("batch", "batch of the city's first pilot zone (0: none by 2022) 批次", kind="code", low=0, high=7),
    Variable("cohort", "year the reform reached the city (missing: never, in this study)", "year", missing=True),
    Variable("event_time", "years since the reform", "years", missing=True),
    Variable("treat_post", "zone in force in the city", kind="binary"),
    Variable("treat_post_lead1", "zone in force, dated one year early", kind="binary"),
    Variable("treat_post_frac", "share of the year with a zone in force", "share of the year", low=0, high=1),
    Variable("treat_post2016", "batches 1-2, from 2016 on", kind="binary"),
    Variable("inno_total", "patent applications 专利申请", "ln(1 + count)", low=0),
    Variable("inno_invent", "invention patent applications 发明专利申请", "ln(1 + count)", low=0),
    Variable("inno_total_F1", "patent applications one year ahead", "ln(1 + count)", low=0, missing=True),
    Variable("inno_total_F2", "patent applications two years ahead", "ln(1 + count)", low=0, missing=True),
    Variable("quality", "patent breadth 专利质量", "ln(1 + groups)", low=0),
    Variable("iv1_phone84_x_internet", "telephones 1984 x national internet penetration, lagged", "index", low=0,
             missing=True),
    Variable("iv2_postoffice84_x_internet", "post offices 1984 x national internet penetration, lagged", "index",
             low=0, missing=True),
    Variable("size_group", "tercile of revenue", kind="group", values=("small", "medium", "large")),
    Variable("innovation_group", "patents above or below the sample median", kind="group", values=("low", "high")),
    Variable("digital_group", "digital infrastructure of the city", kind="group", values=("low", "high")),
    Variable("fiscal_group", "fiscal expenditure / GDP of the city", kind="group", values=("low", "high")),
    *(Variable(f"zone_{s}", f"a zone in force {s - 50}-{s} km away", kind="binary") for s in BANDS_KM),
)  # fmt: skip


def fe(outcome: str, regressors: str = "treat_post") -> str:
    """Equation (1) of the paper with another outcome or other regressors."""
    return f"{outcome} ~ {regressors} + {{controls}} | {FIXED_EFFECTS}"


TABLES = (
    Table("T2", "03_baseline", "Baseline regressions", (
        Column("1", "inno_total ~ treat_post", "patents"),
        Column("2", "inno_total ~ treat_post + {controls}", "patents"),
        Column("3", fe("inno_total"), "patents"),
        Column("4", fe("inno_invent"), "invention patents"),
    )),
    Table("T3", "04_robustness", "Robustness checks", (
        Column("1", fe("inno_total", "treat_post_lead1"), "dates one year early"),
        Column("2", fe("RD"), "R&D spending"),
        Column("3", fe("quality"), "patent quality"),
        Column("4", fe("inno_total", "treat_post_frac"), "fractional first year"),
        Column("5", fe("inno_total", "treat_post2016"), "single period", sample="batch not in [3, 4, 5]"),
    )),
    Table("T4", "04_robustness", "Instruments and matching", (
        Column("1", fe("treat_post", "iv1_phone84_x_internet + iv2_postoffice84_x_internet"), "first stage"),
        Column("2", f"inno_total ~ {{controls}} | {FIXED_EFFECTS} | "
               "treat_post ~ iv1_phone84_x_internet + iv2_postoffice84_x_internet", "2SLS", singletons="drop"),
        Column("3", fe("inno_total"), "PSM-DID", matching="treat_post ~ asset + income + roa + kn + CA + BM"),
    )),
    Table("T5", "05_heterogeneity", "Heterogeneity by firm", (
        Column("1", fe("inno_total"), "large", sample="size_group == 'large'"),
        Column("2", fe("inno_total"), "medium", sample="size_group == 'medium'"),
        Column("3", fe("inno_total"), "small", sample="size_group == 'small'"),
        Column("4", fe("inno_total"), "high innovation", sample="innovation_group == 'high'"),
        Column("5", fe("inno_total"), "low innovation", sample="innovation_group == 'low'"),
    )),
    Table("T6", "05_heterogeneity", "Heterogeneity by city", (
        Column("1", fe("inno_total"), "high digital", sample="digital_group == 'high'"),
        Column("2", fe("inno_total"), "low digital", sample="digital_group == 'low'"),
        Column("3", fe("inno_total"), "high fiscal", sample="fiscal_group == 'high'"),
        Column("4", fe("inno_total"), "low fiscal", sample="fiscal_group == 'low'"),
    )),
    Table("T7", "06_mechanisms", "Mechanisms: profit and integration", (
        Column("1", fe("profit"), "profit rate"),
        Column("2", fe("inno_total", "treat_post + profit"), "patents"),
        Column("3", fe("conv"), "integration"),
        Column("4", fe("inno_total", "treat_post + conv"), "patents"),
    )),
    Table("T8", "06_mechanisms", "Mechanisms: technology spillover", (
        Column("1", fe("spill"), "spillover"),
        Column("2", fe("inno_total", "treat_post + spill"), "patents"),
        Column("3", fe("inno_total_F1"), "patents, t+1"),
        Column("4", fe("inno_total_F2"), "patents, t+2"),
        Column("5", fe("inno_total_F1", "treat_post + spill"), "patents, t+1"),
        Column("6", fe("inno_total_F2", "treat_post + spill"), "patents, t+2"),
    )),
    Table("F3", "07_spatial", "Zones at a distance", (
        Column("", fe("inno_total", "treat_post + {bands}"), "patents", printed_prefix=("zone_", "delta_")),
    )),
)  # fmt: skip

FIGURES = (
    EventStudy("F1", "03_baseline", "Dynamic effect of the reform",
               fe("inno_total", "{event}"), leads=-4, lags=5, base=(0,)),
)  # fmt: skip

PLACEBOS = (Placebo("F2", "04_robustness", "Random cities as fake pilot zones", draws=500),)

INCONSISTENCIES = (
    Inconsistency("T4", "1", "the printed t values of 55.8 and 59.3 imply a joint first-stage F of at least 1,690, "
                  "but the Cragg-Donald F is 1,499.7: not one sample and one variance estimator", statistic="estimate"),
    Inconsistency("T4", "2", "the Cragg-Donald F and the Anderson LM assume iid errors, the Hansen J does not, and the "
                  "F contradicts the printed first-stage t values", statistic="stat"),
    Inconsistency("T4", "3", "1:1 matching keeps at most twice the treated rows: 2 x 0.303 x 30,685 = 18,600 even if "
                  "no treated row had a gap; 21,384 are printed", statistic="n_obs"),
    Inconsistency("T7", "2", "28,283 rows have the profit rate and patents are never missing, yet 27,737 are printed",
                  statistic="n_obs"),
)  # fmt: skip


def derive(raw: pd.DataFrame) -> pd.DataFrame:
    """Build the variables of the paper's tables from the raw ones.

    Parameters
    ----------
    raw : one row per firm and year with the raw variables of ``VARIABLES``.

    Returns
    -------
    The same rows with the derived variables added.
    """
    panel = raw.sort_values(["firm", "year"], ignore_index=True)
    panel = policy.attach(panel, batches=BATCHES, partial=True)
    panel["treat_post_lead1"] = policy.treat_post(panel, lead=1)
    panel["treat_post_frac"] = policy.treat_post(panel, first_year={2015: 5 / 6, 2016: 1.0, 2018: 1 / 2})
    panel["treat_post2016"] = policy.treat_post(
        panel.assign(cohort=np.where(panel["batch"].isin([1, 2]), 2016, np.nan))
    )

    panel["inno_total"] = np.log1p(panel["patents"])
    panel["inno_invent"] = np.log1p(panel["patents_invention"])
    panel["quality"] = np.log1p(panel["ipc_groups"])
    ahead = panel.set_index(["firm", "year"])["inno_total"]
    for lead in (1, 2):
        keys = pd.MultiIndex.from_arrays([panel["firm"], panel["year"] + lead])
        panel[f"inno_total_F{lead}"] = ahead.reindex(keys).to_numpy()

    penetration = policy.national_series("internet_penetration_pct").reindex(panel["year"] - 1).to_numpy() / 100
    panel["iv1_phone84_x_internet"] = panel["phone84"] * penetration
    panel["iv2_postoffice84_x_internet"] = panel["post84"] * penetration

    third = np.searchsorted(panel["income"].quantile([1 / 3, 2 / 3]), panel["income"])
    sizes = np.where(panel["income"].notna(), third, -1)
    panel["size_group"] = pd.Categorical.from_codes(sizes, ["small", "medium", "large"], ordered=True)
    # the paper prints no cut-off: the median of the rows with all controls
    median = panel.loc[panel[CONTROLS].notna().all(axis=1), "patents"].median()
    panel["innovation_group"] = _halves(panel["patents"], median)
    for trait in ("digital", "fiscal"):
        panel[f"{trait}_group"] = _halves(panel[trait], panel[trait].median())
    bands = geography.zones_in_bands(panel, BANDS_KM)
    return pd.concat([panel, bands], axis=1)


def _halves(values: pd.Series, cut: float) -> pd.Series:
    """Return "high" from a cut-off on, else "low"; missing where the value is."""
    return pd.Series(np.where(values >= cut, "high", "low"), values.index).where(values.notna())


def instruments_pass(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """Claim S18: the instruments move the treatment (Anderson p = 0.000, F > 19.93) and are valid (Hansen p > 0.1)."""
    tests = replicate.identification(study, study.table("T4").column("2"), panel, "hetero").tests
    anderson, hansen = tests.at["Anderson LM", "p"], tests.at["Hansen J", "p"]
    strength = tests.at["Cragg-Donald F", "statistic"]
    numbers = f"Anderson p = {anderson:.3f}, Cragg-Donald F = {strength:.0f}, Hansen p = {hansen:.3f}"
    return bool(anderson < 0.001 and strength > 19.93 and hansen > 0.1), numbers


def matching_balances(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """Claim S21: after matching, no firm characteristic differs significantly (10%) between the groups."""
    column = study.table("T4").column("3")
    names = column.matching.partition("~")[2].replace("+", " ").split()
    after = balance(panel, names, replicate.matched(study, column, panel)).xs("after", level="sample")
    worst = after["p"].idxmin()
    numbers = f"smallest p = {after.at[worst, 'p']:.3f} ({worst}, {after.at[worst, 'standardised']:.3f} sd)"
    return bool(after.at[worst, "p"] > 0.10), f"{numbers}; none below 0.10 claimed"


STUDY = Study(
    key="innovation",
    title="Cross-border e-commerce reform and firm innovation",
    title_zh="跨境电商改革与企业创新",
    authors="Shi Yaru 史亚茹 and Yu Jinping 于津平",
    outlet="Journal of International Trade 国际贸易问题 2023 (4)",
    unit="firm",
    time="year",
    years=(2011, 2020),
    batches=BATCHES,
    variables=VARIABLES,
    tables=TABLES,
    benchmark=("T2", "3"),
    outcome="inno_total",
    figures=FIGURES,
    placebos=PLACEBOS,
    mediators=(
        ("profit", "inno_total"), ("conv", "inno_total"), ("spill", "inno_total_F1"), ("spill", "inno_total_F2"),
    ),
    checks={"S10": claims.placebo_is_centred, "S18": instruments_pass, "S21": matching_balances},
    blocks={"controls": " + ".join(CONTROLS), "bands": " + ".join(f"zone_{s}" for s in BANDS_KM)},
    clusters={"cluster_unit": "firm", "cluster_city": "city", "cluster_province": "province"},
    published_vcov="iid",
    r2="within_unit",
    singletons="keep",
    inconsistencies=INCONSISTENCIES,
    factors={"iv1_phone84_x_internet": "phone84", "iv2_postoffice84_x_internet": "post84"},
    derive=derive,
)
