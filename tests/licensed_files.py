"""A folder of raw files for each study, in the forms of its real sources, made from a synthetic panel.

``write(key, folder, raw, seed)`` returns the items and records that the files keep. The values are synthetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import inverse
import pandas as pd
import raw_files
from raw_files import NO_UNIT

from pilotzones import licensed, policy, studies

OLD_NAMES = {
    420600: ("襄樊市", 2010),
    520500: ("毕节地区", 2011),
    520600: ("铜仁地区", 2011),
    630200: ("海东地区", 2013),
}


@dataclass(frozen=True)
class Written:
    """What a folder of files holds.

    Parameters
    ----------
    items : as :mod:`inverse` gives them, as far as the files keep their digits.
    records : tables of records.
    """

    items: Mapping[str, pd.Series]
    records: Mapping[str, pd.DataFrame]


def write(key: str, folder: Path, raw: pd.DataFrame, seed: int) -> Written:
    """Write the files of a study into a folder and return what they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    written = _WRITERS[key](folder, raw, seed)
    declared = licensed.exports(studies.load(key))
    # where a source prints zeros for gaps, a true zero cannot be told from one
    zero = {declared.name(item) for item in declared.items if item.zero_missing}
    items = {name: values[values != 0] if name in zero else values for name, values in written.items.items()}
    return Written(items, written.records)


def _cities(items: Mapping[str, pd.Series], names: Iterable[str], prefix: str = "") -> pd.DataFrame:
    """Return items of cities side by side, with the names that the cities had in each year."""
    frame = pd.DataFrame({name: items[prefix + name] for name in names})
    frame = frame.rename_axis(["city", "year"]).reset_index()
    facts = policy.cities().set_index("adcode")
    frame["city_name"] = frame["city"].map(facts["city_zh"])
    for code, (old, until) in OLD_NAMES.items():
        frame.loc[(frame["city"] == code) & (frame["year"] <= until - 1), "city_name"] = old
    return frame.assign(province_name=frame["city"].map(facts["province_zh"]))


def _firms(items: Mapping[str, pd.Series], names: Iterable[str]) -> pd.DataFrame:
    """Return items of firms side by side."""
    frame = pd.DataFrame({name: items[name] for name in names})
    return frame.rename_axis(["firm", "year"]).reset_index()


class _Kept:
    """The items as files keep them."""

    def __init__(self) -> None:
        self.items: dict[str, pd.Series] = {}

    def add(self, kept: pd.DataFrame, key: str, factors: Mapping[str, float] | None = None, prefix: str = "") -> None:
        """Take the columns of what a writer kept; ``factors`` lead back to the unit of the item."""
        for name in kept.columns.difference([key, "year"]):
            values = kept.set_index([key, "year"])[name].astype(float) * (factors or {}).get(name, 1.0)
            self.items[prefix + name] = values.dropna().rename_axis(["unit", "year"])


def _yearbook(
    kept: _Kept,
    path: Path,
    items: Mapping[str, pd.Series],
    columns: raw_files.Triples,
    prefix: str = "",
    **form: object,
) -> None:
    frame = _cities(items, columns, prefix)
    kept.add(raw_files.yearbook(path, frame, columns, **form), "city", prefix=prefix)  # type: ignore[arg-type]


def _compiled(
    kept: _Kept,
    path: Path,
    items: Mapping[str, pd.Series],
    headers: Mapping[str, str],
    units: Mapping[str, float] | None = None,
    prefix: str = "",
) -> None:
    """Write a compiled panel; ``units`` is item -> what its unit is worth in the file's, e.g. 1e-4."""
    frame = _cities(items, headers, prefix)
    for name, worth in (units or {}).items():
        frame[name] = frame[name] * worth
    back = {name: 1 / worth for name, worth in (units or {}).items()}
    kept.add(raw_files.compiled_csv(path, frame, headers), "city", back, prefix)


def _resilience(folder: Path, raw: pd.DataFrame, seed: int) -> Written:
    items, kept = inverse.items_resilience(raw), _Kept()
    _yearbook(kept, folder / "城市统计年鉴.xlsx", items, {
        "gdp": ("地区生产总值", "Gross Regional Product", "万元"),
        "tertiary": ("第三产业占地区生产总值的比重", "Tertiary Industry as Percentage to GRP", "%"),
        "revenue": ("地方一般公共预算收入", "General Public Budget Revenue", "万元"),
        "expenditure": ("地方一般公共预算支出", "General Public Budget Expenditure", "万元"),
        "unemployed": ("年末城镇登记失业人员数", "Registered Unemployed Persons", "人"),
        "ict_employees": ("信息传输、计算机服务和软件业从业人员数", "", "万人"),
        "fdi": ("当年实际使用外资金额", "Foreign Capital Actually Utilized", "万美元"),
    }, zero_for=["fdi"])  # fmt: skip
    _compiled(kept, folder / "城市面板.csv", items, {
        "savings": "城乡居民储蓄年末余额(亿元)", "deposits": "年末金融机构存款余额(万元)",
        "lending": "年末金融机构各项贷款余额(亿元人民币)", "investment": "固定资产投资总额(万元)",
        "retail": "社会消费品零售总额(亿元)", "urbanisation": "城镇化率(%)", "income": "城镇居民人均可支配收入(元)",
        "light": "夜间灯光",
    }, {"savings": 1e-4, "lending": 1e-4, "retail": 1e-4})  # fmt: skip
    frame = _cities(items, ["gdp_pc"])
    english = frame.assign(**_english(frame))
    regional = {"gdp_pc": ("GDP_PerCapita", "GDP per capita", "yuan")}
    kept.add(raw_files.csmar_csv(folder / "CRE_Gdpct.csv", english, regional), "city")
    frame = _cities(items, ["patents_granted", "students", "population"])
    indicators = {"patents_granted": ("专利授权数", "项"), "students": ("普通高等学校在校学生数", "人"),
                  "population": ("年末户籍人口", "万人")}  # fmt: skip
    kept.add(raw_files.cnrds_long(folder / "CNRDS.xlsx", frame, indicators), "city")
    labels = {"imports": "货物进口额万元", "exports": "货物出口额万元", "employment": "城镇单位从业人员期末人数万人"}
    kept.add(raw_files.stata(folder / "trade.dta", _cities(items, labels), labels), "city")
    spending = folder / "财政.csv"
    _compiled(kept, spending, items, {"science": "科学技术支出(万元)", "education": "教育支出(万元)"})
    raw_files.zipped(folder / "财政支出013103362.zip", {"财政.csv": spending}, folder="财政支出")
    spending.unlink()
    return Written(kept.items, {})


def _english(frame: pd.DataFrame) -> dict[str, pd.Series]:
    facts = policy.cities().set_index("adcode")
    return {"city_name": frame["city"].map(facts["city_en"]), "province_name": frame["city"].map(facts["province_en"])}


def _innovation(folder: Path, raw: pd.DataFrame, seed: int) -> Written:
    items, records = inverse.items_innovation(raw), inverse.records_innovation(raw, seed)
    kept = _Kept()
    basics = _firms(items, ["city", "founded"]).dropna(subset="city").astype({"city": int})
    basics = basics.assign(city=basics["city"].astype(str))
    basics["founded"] = [f"{int(year)}-05-18" if year == year else None for year in basics["founded"]]
    raw_files.csmar_xlsx(
        folder / "STK_LISTEDCOINFOANL.xlsx", basics,
        {"city": ("CityCode", "所属城市代码", NO_UNIT), "founded": ("EstablishDate", "公司成立日期", NO_UNIT)},
        accper="EndDate", typrep=False, opening=False, interim=False,
    )  # fmt: skip
    kept.items |= {name: items[name].astype(float) for name in ("city", "founded")}
    balance = folder / "FS_Combas.xlsx"
    kept.add(raw_files.csmar_xlsx(balance, _firms(items, ["assets", "liabilities", "fixed_assets", "pay"]), {
        "assets": ("A001000000", "资产总计", "元"), "liabilities": ("A002000000", "负债合计", "元"),
        "fixed_assets": ("A001212000", "固定资产净额", "元"), "pay": ("A002112000", "应付职工薪酬", "元"),
    }), "firm")  # fmt: skip
    raw_files.zipped(folder / "资产负债表172234437.zip", {"FS_Combas.xlsx": balance})
    for path in (balance, folder / "FS_Combas[DES][xlsx].txt"):
        path.unlink()
    income = {"revenue": ("B001101000", "营业收入", "元"), "operating_profit": ("B001300000", "营业利润", "元"),
              "net_profit": ("B002000000", "净利润", "元")}  # fmt: skip
    kept.add(raw_files.csmar_txt(folder / "FS_Comins.txt", _firms(items, income), income), "firm")
    cash = {"cash_flow": ("C001000000", "经营活动产生的现金流量净额", "元")}
    kept.add(raw_files.csmar_xlsx(folder / "FS_Comscfd.xlsx", _firms(items, cash), cash, header_rows=1), "firm")
    labels = {"book_to_market": "账面市值比", "employees": "员工人数(人)", "rd": "研发投入金额(元)"}
    kept.add(raw_files.stata(folder / "firms.dta", _firms(items, labels), labels), "firm")
    applied = {"patents": "专利申请总数(件)", "patents_invention": "发明专利申请数(件)"}
    frame = _firms(items, applied)
    counts = frame.rename(columns={"firm": "证券代码", "year": "年份", **applied})
    counts.to_csv(folder / "专利.csv", index=False, encoding="utf-8-sig")
    kept.add(frame, "firm")
    _yearbook(kept, folder / "城市统计年鉴.xlsx", items, {
        "gdp_pc": ("人均地区生产总值", "Per Capita GRP", "元"),
        "tertiary": ("第三产业占地区生产总值的比重", "", "%"),
        "science": ("科学技术支出", "Science and Technology", "万元"),
        "population": ("年末户籍人口", "Household Registered Population", "万人"),
        "gdp": ("地区生产总值", "Gross Regional Product", "万元"),
        "expenditure": ("地方一般公共预算支出", "", "万元"),
        "broadband": ("互联网宽带接入用户数", "Subscribers of Internet", "万户"),
    }, "city_")  # fmt: skip
    jobs = {"employment": "城镇单位从业人员期末人数(万人)",
            "transport_employees": "交通运输、仓储和邮政业从业人员数(万人)",
            "ict_employees": "信息传输、软件和信息技术服务业从业人员数(万人)",
            "finance_employees": "金融业从业人员数(万人)", "leasing_employees": "租赁和商务服务业从业人员数(万人)",
            "research_employees": "科学研究、技术服务和地质勘查业从业人员数(万人)"}  # fmt: skip
    _compiled(kept, folder / "从业人员.csv", items, jobs, prefix="city_")
    lines = pd.DataFrame(
        {"1984年每百人固定电话数": items["city_phones_1984"], "1984年每万人邮局数": items["city_posts_1984"]}
    )
    lines.rename_axis("城市代码").to_csv(folder / "1984.csv")
    kept.items |= {name: items[name] for name in ("city_phones_1984", "city_posts_1984")}
    _records(folder, records)
    return Written(kept.items, records)


def _quality(folder: Path, raw: pd.DataFrame, seed: int) -> Written:
    items, records = inverse.items_quality(raw), inverse.records_quality(raw, seed)
    kept = _Kept()
    basics = _firms(items, ["province", "founded"]).astype({"province": int})
    basics = basics.assign(
        province=basics["province"].astype(str), founded=basics["founded"].map("{:.0f}-01-31".format)
    )
    raw_files.csmar_xlsx(
        folder / "STK_LISTEDCOINFOANL.xlsx", basics,
        {"province": ("ProvinceCode", "所属省份代码", NO_UNIT), "founded": ("EstablishDate", "公司成立日期", NO_UNIT)},
        accper="EndDate", typrep=False, opening=False, interim=False,
    )  # fmt: skip
    kept.items |= {name: items[name] for name in ("province", "founded")}
    current = {"current_assets": ("A001100000", "流动资产合计", "元"),
               "current_liabilities": ("A002100000", "流动负债合计", "元")}  # fmt: skip
    kept.add(raw_files.csmar_xlsx(folder / "FS_Combas.xlsx", _firms(items, current), current), "firm")
    labels = {"employees": "员工人数(人)", "state_share": "国有股比例(%)", "largest_share": "第一大股东持股比例(%)",
              "state": "是否国有"}  # fmt: skip
    kept.add(raw_files.stata(folder / "firms.dta", _firms(items, labels), labels), "firm")
    headers = {"cbec_firms": "跨境电商企业数量(个)", "cbec_employees": "跨境电商从业人员(人)",
               "cbec_retail": "跨境电子商务零售额(亿元)", "cbec_exports": "跨境出口网上零售额(亿元)",
               "domains": "域名数(万个)", "ports": "互联网宽带接入端口(万个)", "cable": "长途光缆线路长度(公里)",
               "trains": "中欧班列开行列数(列)", "bonded": "综合保税区数量(个)"}  # fmt: skip
    frame = pd.DataFrame({name: items[f"province_{name}"] for name in headers}).rename_axis(["province", "year"])
    frame = frame.reset_index()
    names = policy.provinces()["province_zh"]
    wide = frame.assign(省份=frame["province"].map(names)).rename(columns={"year": "年份", **headers})
    wide[["省份", "年份", *headers.values()]].to_csv(folder / "省级数据.csv", index=False, encoding="gb18030")
    kept.add(frame, "province", prefix="province_")
    _records(folder, records)
    return Written(kept.items, records)


def _coordination(folder: Path, raw: pd.DataFrame, seed: int) -> Written:
    items, records = inverse.items_coordination(raw), inverse.records_coordination(raw)
    kept = _Kept()
    _yearbook(kept, folder / "城市统计年鉴.xlsx", items, {
        "gdp": ("地区生产总值", "Gross Regional Product", "万元"),
        "growth": ("地区生产总值增长率", "GRP Growth Rate", "%"),
        "tertiary": ("第三产业占地区生产总值的比重", "", "%"),
        "secondary": ("第二产业占地区生产总值的比重", "", "%"),
        "fdi": ("当年实际使用外资金额", "", "万美元"),
        "area": ("行政区域土地面积", "Total Land Area", "平方公里"),
        "wage": ("在岗职工平均工资", "Average Wage", "元"),
    })  # fmt: skip
    _compiled(kept, folder / "城市面板.csv", items, {
        "gdp_pc": "人均地区生产总值(元)", "investment": "固定资产投资总额(亿元)",
        "industry": "规模以上工业总产值(万元)",
        "retail": "社会消费品零售总额(万元)", "savings": "城乡居民储蓄年末余额(万元)", "population": "年末户籍人口(人)",
        "education": "教育支出(万元)", "science": "科学支出(万元)", "revenue": "地方财政一般预算内收入(万元)",
        "expenditure": "地方财政一般预算内支出(万元)", "deposits": "年末金融机构存款余额(万元)",
        "lending": "年末金融机构各项贷款余额(亿元)", "broadband": "互联网宽带接入用户数(户)",
        "institution": "institution",
        "capital_labour": "capital_labour", "skill": "skill", "data_factor": "data_factor",
    }, {"investment": 1e-4, "lending": 1e-4, "population": 1e4, "broadband": 1e4})  # fmt: skip
    frame = _cities(items, ["patents_granted", "students"])
    indicators = {"patents_granted": ("专利授权数", "件"), "students": ("普通高等学校在校学生数", "人")}
    kept.add(raw_files.cnrds_long(folder / "CNRDS.xlsx", frame, indicators), "city")
    prices = items["province_cpi"].rename("cpi").rename_axis(["province", "year"]).reset_index()
    prices["province_name"] = prices["province"].map(policy.provinces()["province_en"])
    spec = {"cpi": ("Pi0101", "Consumer Price Index (Last Year = 100)", "")}
    kept.add(raw_files.csmar_csv(folder / "CRE_Pi01.csv", prices, spec), "province", prefix="province_")
    tools = records["tools"].rename(columns=lambda name: name if name in ("city", "year") else f"tool_{name}")
    _records(folder, {"tools": tools})
    return Written(kept.items, records)


def _productivity(folder: Path, raw: pd.DataFrame, seed: int) -> Written:
    items, kept = inverse.items_productivity(raw), _Kept()
    _yearbook(kept, folder / "城市统计年鉴.xlsx", items, {
        "wage": ("在岗职工平均工资", "", "元"),
        "colleges": ("普通高等学校学校数", "Regular Higher Education Institutions", "个"),
        "broadband": ("互联网宽带接入用户数", "", "万户"),
        "telecom": ("电信业务总量", "", "万元"),
        "waste_treated": ("生活垃圾无害化处理率", "", "%"),
        "gdp": ("地区生产总值", "", "万元"),
        "deposits": ("年末金融机构存款余额", "", "万元"),
        "expenditure": ("地方一般公共预算支出", "", "万元"),
        "science": ("科学技术支出", "", "万元"),
        "retail": ("社会消费品零售总额", "", "万元"),
        "fdi": ("当年实际使用外资金额", "", "万美元"),
    }, year_sheets=False)  # fmt: skip
    listed = set(items) - set(kept.items)
    declared = {i.name: i for i in licensed.exports(studies.load("productivity")).items}
    units = {"10,000 yuan": "(万元)", "yuan": "(元)", "percent": "(%)", "10,000 persons": "(万人)", "items": "(个)",
             "persons": "(人)"}  # fmt: skip
    headers = {name: declared[name].names[0] + units.get(declared[name].unit, "") for name in sorted(listed)}
    _compiled(kept, folder / "城市面板.csv", items, headers)
    return Written(kept.items, {})


def _records(folder: Path, records: Mapping[str, pd.DataFrame]) -> None:
    for name, rows in records.items():
        rows.to_csv(folder / f"{name}.csv", index=False)


_WRITERS: dict[str, Callable[[Path, pd.DataFrame, int], Written]] = {
    "innovation": _innovation,
    "resilience": _resilience,
    "coordination": _coordination,
    "productivity": _productivity,
    "quality": _quality,
}
