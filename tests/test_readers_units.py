"""Units and numbers as files print them."""

from __future__ import annotations

from time import process_time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.readers import units


@pytest.mark.parametrize(
    ("found", "wanted", "times"),
    [
        ("元", "yuan", 1),
        ("千元", "10,000 yuan", 0.1),
        ("万元", "yuan", 1e4),
        ("百万元", "10,000 yuan", 100),
        ("亿元", "10,000 yuan", 1e4),
        ("亿元人民币", "10,000 yuan", 1e4),
        ("人民币亿元", "100 million yuan", 1),
        ("亿元(人民币)", "100 million yuan", 1),
        ("RMB 10,000", "yuan", 1e4),
        ("100 million", "10,000 yuan", 1e4),
        ("10000", "10,000 persons", 1),
        ("unit: 100 million yuan", "100 million yuan", 1),
        ("单位：万元", "10,000 yuan", 1),
        ("（万元）", "10,000 yuan", 1),
        (" 万 元 ", "10,000 yuan", 1),
        ("美元", "10,000 US dollars", 1e-4),
        ("万美元", "10,000 US dollars", 1),
        ("百万美元", "10,000 US dollars", 100),
        ("亿美元", "million US dollars", 100),
        ("USD 10,000", "US dollars", 1e4),
        ("人", "10,000 persons", 1e-4),
        ("万人", "persons", 1e4),
        ("10 thousand persons", "10,000 persons", 1),
        ("户", "10,000 households", 1e-4),
        ("万户", "10,000 households", 1),
        ("个", "items", 1),
        ("所", "items", 1),
        ("万件", "10,000 items", 1),
        ("平方千米", "km2", 1),
        ("km²", "km2", 1),
        ("公顷", "km2", 0.01),
        ("㎡", "km2", 1e-6),
        ("人/平方公里", "persons per km2", 1),
        ("人／平方公里", "persons per km2", 1),
        ("万人/平方公里", "persons per km2", 1e4),
        ("人平方公里", "persons per km2", 1),
        ("册/百人", "per 100 persons", 1),
        ("人/万人", "per 10,000 persons", 1),
        ("每万人", "per 10,000 persons", 1),
        ("元/人", "yuan per person", 1),
        ("％", "percent", 1),
        ("%", "share", 0.01),
        ("百分比", "percent", 1),
        ("‰", "percent", 0.1),
        ("吨", "tonnes", 1),
        ("百万吨", "million tonnes", 1),
        ("Mt", "tonnes", 1e6),
        ("万公里", "km", 1e4),
        ("没有单位", "items", 1),
        ("没有单位", "share", 1),
    ],
)
def test_units_convert(found: str, wanted: str, times: float) -> None:
    assert units.factor(found, wanted) == pytest.approx(times, rel=1e-12)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("万美元", "10,000 yuan"),
        ("亿元", "100 million US dollars"),
        ("10000", "US dollars"),  # a bare number is never taken for dollars
        ("10000", "percent"),
        ("万人", "10,000 yuan"),
        ("万户", "10,000 persons"),
        ("人/平方公里", "persons"),
        ("没有单位", "yuan"),
        ("没有单位", "10,000 items"),
        ("", "yuan"),
        ("2010", "yuan"),
        ("万%", "percent"),
        ("大元", "yuan"),
        ("元、人", "yuan"),
        ("yuan", ""),
        ("/", "items"),
    ],
)
def test_what_does_not_convert_gives_nothing(found: str, wanted: str) -> None:
    assert units.factor(found, wanted) is None


@given(st.sampled_from(sorted(word for words in units.WORDS.values() for word in words)), st.sampled_from("千万亿"))
def test_factors_there_and_back_cancel(word: str, times: str) -> None:
    assert units.factor(word, word) == 1
    if (there := units.factor(times + word, word)) is not None:
        back = units.factor(word, times + word)
        assert back is not None and there * back == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("gdp（亿元人民币）", "gdp", "亿元人民币"),
        ("地区生产总值(万元)", "地区生产总值", "万元"),
        ("地区生产总值（万元)", "地区生产总值", "万元"),  # mixed brackets
        ("地区生产总值(万元）", "地区生产总值", "万元"),
        ("地区生产总值 （ 万元 ）", "地区生产总值", "万元"),
        ("地区生产总值(万元", "地区生产总值", "万元"),
        ("地区生产总值[万元]", "地区生产总值", "万元"),
        ("人口密度（人/平方公里）", "人口密度", "人/平方公里"),
        ("图书馆藏书(千册(件))", "图书馆藏书", "千册(件)"),
        ("教育(财政)支出(万元)", "教育(财政)支出", "万元"),
        ("Gdp (unit: 100 million)", "Gdp", "unit: 100 million"),
        ("CPI(last year=100)", "CPI", "last year=100"),
        ("碳排放量_吨", "碳排放量", "吨"),
        ("GDP_亿元", "GDP", "亿元"),
        ("GDP 亿元", "GDP", "亿元"),
        # brackets removed by Stata
        ("地区生产总值万元", "地区生产总值", "万元"),
        ("平均工资元", "平均工资", "元"),
        ("城镇常住人口万人", "城镇常住人口", "万人"),
        ("年末单位从业人员数万人", "年末单位从业人员数", "万人"),
        ("规模以上工业企业数个", "规模以上工业企业数", "个"),
        ("普通高等学校学校数所", "普通高等学校学校数", "所"),
        ("发明专利授权数件", "发明专利授权数", "件"),
        ("电信业务总量万元", "电信业务总量", "万元"),
        ("移动电话年末用户数万户", "移动电话年末用户数", "万户"),
        ("当年实际使用外资金额万美元", "当年实际使用外资金额", "万美元"),
        ("行政区域土地面积平方公里", "行政区域土地面积", "平方公里"),
        ("人口密度人平方公里", "人口密度", "人平方公里"),
        # nothing of these is a unit
        ("户籍人口", "户籍人口", ""),
        ("年末总人口", "年末总人口", ""),
        ("移动电话用户", "移动电话用户", ""),
        ("科学研究所", "科学研究所", ""),
        ("获奖条件", "获奖条件", ""),
        ("产业多元", "产业多元", ""),
        ("企业法人", "企业法人", ""),
        ("第二产业增加值占GDP比重", "第二产业增加值占GDP比重", ""),
        ("教育(财政)支出", "教育(财政)支出", ""),
        ("专利授权（发明）", "专利授权(发明)", ""),
        ("GDP(2010)", "GDP(2010)", ""),
        ("总人口(万人)增长率", "总人口(万人)增长率", ""),
        ("Number of persons", "Number of persons", ""),
        ("employee_share", "employee_share", ""),
        ("A001000000", "A001000000", ""),
        ("万元", "万元", ""),
        ("", "", ""),
    ],
)
def test_headers_are_split(header: str, name: str, unit: str) -> None:
    assert units.split(header) == (name, unit)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="地区总值人口万亿元户数个件()（）_ /%2013abc美", max_size=12))
def test_a_unit_split_off_is_a_known_unit_and_no_text_is_lost(header: str) -> None:
    name, unit = units.split(header)
    assert not unit or units.is_unit(unit)
    half = units.half_width(header)
    assert not set(name + unit) - set(half)
    assert not set(half) - set(name + unit) - set("()_ /")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234.5", 1234.5),
        ("1，234，567", 1234567.0),
        ("１２．５", 12.5),
        (" 12 ", 12.0),
        ("\u300012\u00a0", 12.0),
        ("1 234", 1234.0),
        ("12.3%", 12.3),
        ("12.3％", 12.3),
        ("(123)", -123.0),
        ("（1,234.5）", -1234.5),
        ("1.2e5", 1.2e5),
        ("2.9E+07", 2.9e7),
        ("'7", 7.0),
        ("-3", -3.0),
        ("−3", -3.0),
        ("+5", 5.0),
        (".5", 0.5),
        ("0", 0.0),
        (3.5, 3.5),
    ],
)
def test_numbers_are_read(cell: object, value: float) -> None:
    values, odd = units.numbers(pd.Series([cell], dtype=object))
    assert values.tolist() == [value]
    assert odd.empty


@pytest.mark.parametrize(
    "mark",
    [
        "",
        " ",
        "—",
        "－",
        "-",
        "--",
        "…",
        "...",
        "..",
        "NA",
        "N/A",
        "nan",
        "NULL",
        "无",
        "缺失",
        "*",
        None,
        np.nan,
        pd.NA,
    ],
)
def test_marks_of_missing_values_are_missing(mark: object) -> None:
    values, odd = units.numbers(pd.Series([mark, 1], dtype=object))
    assert np.isnan(values.iloc[0])
    assert odd.empty


@pytest.mark.parametrize(
    "cell",
    [
        "abc",
        "inf",
        "-Infinity",
        np.inf,
        "1e999",
        "123①",
        "12²",
        "1,23",
        "1 2",
        "--5",
        "0x10",
        "1_000",
        "5%%",
        "e5",
        "=1+1",
    ],
)
def test_what_is_no_number_is_handed_back(cell: object) -> None:
    values, odd = units.numbers(pd.Series([1, cell], index=[7, 9], dtype=object))
    assert values.tolist()[0] == 1 and np.isnan(values[9])
    assert odd.index.tolist() == [9] and odd[9] == cell


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    st.sampled_from(["str", object]),
)
def test_every_number_survives_as_text(values: list[float], dtype: str | type) -> None:
    cells = pd.Series([repr(value) for value in values], dtype=dtype)
    read, odd = units.numbers(cells)
    assert odd.empty
    np.testing.assert_array_equal(read, values)


def test_plain_cells_are_quick() -> None:
    cells = pd.Series(np.random.default_rng(1).lognormal(size=200_000)).astype(str)
    started = process_time()
    values, _ = units.numbers(cells)
    assert process_time() - started < 0.5  # a million in 0.25 s on a machine that does nothing else
    assert values.notna().all()
