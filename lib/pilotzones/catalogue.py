"""The quantities that licensed files hold: under which codes and names, in which unit, from which database.

Only names that mean one thing are listed; a header that merely resembles one is a matter for ``mapping.toml``
(:mod:`pilotzones.licensed`). Codes are CSMAR's, as its own description files give them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

YEARBOOK = "China City Statistical Yearbook 中国城市统计年鉴 (or EPS China city database)"
OLD_YEARBOOK = "China City Statistical Yearbook 1985 中国城市统计年鉴1985"
STATEMENTS = "CSMAR, financial statements 财务报表"
BASICS = "CSMAR, listed firms' basic information by year 上市公司基本信息年度表 (STK_LISTEDCOINFOANL)"
PATENTS = "CSMAR or CNRDS, patents of listed firms 上市公司专利"
PROVINCIAL = "China Statistical Yearbook and provincial yearbooks 中国统计年鉴、各省统计年鉴"
PRICES = "CSMAR, regional economy: consumer prices by province (CRE_Pi01), or China Statistical Yearbook 中国统计年鉴"
GREEN = "CNRDS, green patents 绿色专利 (GPRD), summed by city"
OWN = "own table"


@dataclass(frozen=True)
class Item:
    """One quantity, by what it describes and by year.

    Parameters
    ----------
    name : what formulas call it; a column with exactly this header is always it.
    of : what has one value of it (a year).
    unit : unit of its values in formulas; empty for text, dates, codes and indices without one.
    names : headers that mean it, without unit, the usual one first.
    codes : CSMAR's field code -> the unit that its description states, empty for none.
    kind : ``"city"`` and ``"province"`` are names or codes of places, ``"date"`` counts by its year.
    yearly : whether it has a value a year; else one for good.
    zero_missing : whether the source prints 0 where it has no number.
    source : database and table.
    """

    name: str
    of: Literal["firm", "city", "province"]
    unit: str
    names: tuple[str, ...]
    source: str
    codes: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["number", "date", "city", "province"] = "number"
    yearly: bool = True
    zero_missing: bool = False


def _city(name: str, unit: str, *names: str, source: str = YEARBOOK, codes: Mapping[str, str] | None = None,
          zero_missing: bool = True, yearly: bool = True) -> Item:  # fmt: skip
    return Item(name, "city", unit, names, source, codes or {}, yearly=yearly, zero_missing=zero_missing)


def _own(name: str, unit: str, *names: str) -> Item:
    return _city(name, unit, *names, source=OWN, zero_missing=False)


def _firm(name: str, unit: str, *names: str, source: str = STATEMENTS, codes: tuple[str, ...] = ()) -> Item:
    return Item(name, "firm", unit, names, source, dict.fromkeys(codes, unit))


_CITY = (
    _city("gdp", "10,000 yuan", "地区生产总值", "国内生产总值", "地区生产总值(GDP)",
          codes={"Gdpct01": "100 million yuan"}),
    _city("gdp_pc", "yuan", "人均地区生产总值", "人均GDP", "人均国内生产总值", codes={"GDP_PerCapita": "yuan"}),
    _city("growth", "percent", "地区生产总值增长率", "GDP增长率", codes={"GDPYoY": "percent"}, zero_missing=False),
    _city("secondary", "percent", "第二产业占地区生产总值的比重", "第二产业占GDP比重", "第二产业增加值占GDP比重",
          codes={"Gdpct03": "percent"}),
    _city("tertiary", "percent", "第三产业占地区生产总值的比重", "第三产业占GDP比重", "第三产业增加值占GDP比重",
          codes={"Gdpct04": "percent"}),
    _city("population", "10,000 persons", "年末户籍人口", "户籍人口", "年末总人口", codes={"Eect01": "10,000 persons"}),
    _city("residents", "10,000 persons", "常住人口", "年末常住人口"),
    _city("urbanisation", "percent", "城镇化率", "常住人口城镇化率"),
    _city("area", "km2", "行政区域土地面积", "土地面积"),
    _city("income", "yuan", "城镇居民人均可支配收入", "城镇常住居民人均可支配收入"),
    _city("savings", "10,000 yuan", "城乡居民储蓄年末余额", "城乡居民储蓄存款余额", "居民人民币储蓄存款余额",
          "住户存款余额"),
    _city("deposits", "10,000 yuan", "年末金融机构存款余额", "年末金融机构各项存款余额",
          "年末金融机构人民币各项存款余额"),
    _city("lending", "10,000 yuan", "年末金融机构各项贷款余额", "年末金融机构人民币各项贷款余额"),
    _city("unemployed", "persons", "年末城镇登记失业人员数", "城镇登记失业人员数", "城镇登记失业人数"),
    _city("imports", "10,000 yuan", "货物进口额"),
    _city("exports", "10,000 yuan", "货物出口额"),
    _city("fdi", "10,000 US dollars", "当年实际使用外资金额", "当年实际利用外资金额", "实际使用外资金额",
          "外商直接投资"),
    _city("revenue", "10,000 yuan", "地方财政一般预算内收入", "地方一般公共预算收入", "公共财政收入"),
    _city("expenditure", "10,000 yuan", "地方财政一般预算内支出", "地方一般公共预算支出", "公共财政支出"),
    _city("science", "10,000 yuan", "科学支出", "科学技术支出"),
    _city("education", "10,000 yuan", "教育支出"),
    _city("retail", "10,000 yuan", "社会消费品零售总额"),
    _city("investment", "10,000 yuan", "固定资产投资总额", "全社会固定资产投资", "固定资产投资(不含农户)"),
    _city("industry", "10,000 yuan", "规模以上工业总产值", "工业总产值"),
    _city("wage", "yuan", "在岗职工平均工资", "职工平均工资", codes={"Eect13": "yuan"}),
    _city("students", "persons", "普通高等学校在校学生数", "普通本专科在校学生数"),
    _city("colleges", "items", "普通高等学校学校数", "普通高等学校数", zero_missing=False),
    _city("employment", "10,000 persons", "城镇单位从业人员期末人数", "年末单位从业人员数", "城镇单位就业人员"),
    _city("ict_employees", "10,000 persons", "信息传输、计算机服务和软件业从业人员数",
          "信息传输、软件和信息技术服务业从业人员数"),
    _city("transport_employees", "10,000 persons", "交通运输、仓储和邮政业从业人员数"),
    _city("leasing_employees", "10,000 persons", "租赁和商务服务业从业人员数"),
    _city("finance_employees", "10,000 persons", "金融业从业人员数"),
    _city("research_employees", "10,000 persons", "科学研究、技术服务和地质勘查业从业人员数"),
    _city("broadband", "10,000 households", "互联网宽带接入用户数", "国际互联网用户数"),
    _city("mobile", "10,000 households", "移动电话年末用户数"),
    _city("telecom", "10,000 yuan", "电信业务总量", "电信业务收入"),
    _city("waste_treated", "percent", "生活垃圾无害化处理率"),
    _city("patents_granted", "items", "专利授权数", "专利授权量", source="CNRDS or EPS, patents by city 城市专利",
          zero_missing=False),
    _city("patents_applied", "items", "专利申请数", "专利申请量", source="CNRDS or EPS, patents by city 城市专利",
          zero_missing=False),
    _city("light", "", "夜间灯光", "夜间灯光均值", source="night lights (DMSP, VIIRS), mean over the city 夜间灯光",
          zero_missing=False),
    _city("phones_1984", "", "1984年每百人固定电话数", source=OLD_YEARBOOK, yearly=False),
    _city("posts_1984", "", "1984年每万人邮局数", source=OLD_YEARBOOK, yearly=False),
    _city("green_inventions", "items", "绿色发明专利申请数", "当年申请的绿色发明数量", source=GREEN,
          zero_missing=False),
    _city("green_utility", "items", "绿色实用新型专利申请数", "当年申请的绿色实用新型数量", source=GREEN,
          zero_missing=False),
    # no public file holds these by city
    _own("institution", "", "制度创新指数"),
    _own("capital_labour", "", "资本劳动比"),
    _own("skill", "", "高低技能劳动比"),
    _own("data_factor", "", "数据要素配置指数"),
    _own("emerging_employees", "persons", "新兴产业上市公司员工数"),
    _own("pollution_control", "10,000 yuan", "环境污染治理投资", "环境污染治理投资总额"),
    _own("permit_trading", "10,000 yuan", "碳交易、用能权交易、排污权交易额"),
    _own("ai_firms", "items", "人工智能企业数量"),
    _own("data_words", "", "数据资产词频对数均值"),
    _own("data_platform", "", "有无数据交易平台"),
)  # fmt: skip

_FIRM = (
    Item("city", "firm", "", ("所属城市代码", "城市代码", "所属城市"), BASICS, {"CITYCODE": ""}, kind="city"),
    Item("province", "firm", "", ("所属省份代码", "省份代码", "所属省份"), BASICS, {"PROVINCECODE": ""},
         kind="province"),
    Item("founded", "firm", "", ("公司成立日期", "成立日期"), BASICS, {"EstablishDate": ""}, kind="date"),
    _firm("assets", "yuan", "资产总计", codes=("A001000000",)),
    _firm("liabilities", "yuan", "负债合计", codes=("A002000000",)),
    _firm("current_assets", "yuan", "流动资产合计", codes=("A001100000",)),
    _firm("current_liabilities", "yuan", "流动负债合计", codes=("A002100000",)),
    _firm("fixed_assets", "yuan", "固定资产净额", codes=("A001212000",)),
    _firm("pay", "yuan", "应付职工薪酬"),
    _firm("revenue", "yuan", "营业收入", codes=("B001101000",)),
    _firm("operating_profit", "yuan", "营业利润", codes=("B001300000",)),
    _firm("net_profit", "yuan", "净利润", codes=("B002000000",)),
    _firm("rd", "yuan", "研发投入金额", source="CSMAR, R&D of listed firms 研发投入"),
    _firm("cash_flow", "yuan", "经营活动产生的现金流量净额", codes=("C001000000",)),
    _firm("book_to_market", "", "账面市值比", source="CSMAR, financial indicators: relative value 相对价值指标"),
    _firm("employees", "persons", "员工人数", "在职员工人数", source="CSMAR, staff of listed firms 员工情况"),
    _firm("patents", "items", "专利申请总数", "专利申请数", source=PATENTS),
    _firm("patents_invention", "items", "发明专利申请数", source=PATENTS),
    _firm("state_share", "percent", "国有股比例", "国有股占比", source="CSMAR, equity structure 股本结构"),
    _firm("largest_share", "percent", "第一大股东持股比例", "股权集中度1", source="CSMAR, shareholders 股东"),
    _firm("state", "", "是否国有", "国有企业", source="CSMAR, nature of ownership 股权性质"),
)  # fmt: skip

_PROVINCE = (
    Item("domains", "province", "10,000 items", ("域名数", "域名数量"), PROVINCIAL),
    Item("ports", "province", "10,000 items", ("互联网宽带接入端口", "互联网宽带接入端口数"), PROVINCIAL),
    Item("cable", "province", "km", ("长途光缆线路长度", "长途光缆长度"), PROVINCIAL),
    Item("cbec_firms", "province", "items", ("跨境电商企业数量",), OWN),
    Item("cbec_employees", "province", "persons", ("跨境电商从业人员",), OWN),
    Item("cbec_retail", "province", "100 million yuan", ("跨境电子商务零售额",), OWN),
    Item("cbec_exports", "province", "100 million yuan", ("跨境出口网上零售额",), OWN),
    Item("trains", "province", "items", ("中欧班列次数", "中欧班列开行列数"), OWN),
    Item("bonded", "province", "items", ("综合保税区数量",), OWN),
    Item("cpi", "province", "last year=100", ("居民消费价格指数", "居民消费价格总指数"), PRICES,
         {"Pi0101": "last year=100"}),
)  # fmt: skip


def item(of: str, name: str) -> Item:
    """Return a quantity by what it describes and its name.

    Raises
    ------
    KeyError
        If the catalogue has none.
    """
    return _ITEMS[of, name]


_ITEMS: dict[tuple[str, str], Item] = {(known.of, known.name): known for known in (*_CITY, *_FIRM, *_PROVINCE)}
