"""From the cells of a sheet to tables: one test per quirk of real files, with their headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.readers.layouts import tables
from pilotzones.readers.tables import Finding, Grid, Table


def grid(*rows: Sequence[Any], sheet: str = "", labels: dict[str, str] | None = None, file: str = "file.xlsx") -> Grid:
    """A grid of these rows, the first one being row 1 of the file."""
    width = max(len(row) for row in rows)
    cells = pd.DataFrame([[*row, *[None] * (width - len(row))] for row in rows], dtype=object)
    return Grid(file, sheet, cells.set_axis(range(1, len(rows) + 1)), labels or {})


def only(*rows: Sequence[Any], **options: Any) -> Table:
    """The single table of a grid about which there is nothing else to say."""
    sidecar = options.pop("sidecar", None)
    found, findings = tables(grid(*rows, **options), sidecar)
    assert findings == []
    assert len(found) == 1
    return found[0]


def column(table: Table, name: str, scope: str = "") -> list[Any]:
    """The cells under a header, missing ones as None."""
    position = next(i for i, field in enumerate(table.fields) if field.name == name and field.scope in (scope, ""))
    return [None if pd.isna(cell) else cell for cell in table.rows[position]]


def header(table: Table) -> list[tuple[str, str]]:
    return [(field.name, field.unit) for field in table.fields]


def said(findings: Sequence[Finding], severity: str) -> list[str]:
    return [str(finding) for finding in findings if finding.severity == severity]


# --- CSMAR ---------------------------------------------------------------------------------------------------------

CODES = ["Stkcd", "ShortName", "Accper", "Typrep", "A001212000", "A001000000"]
LABELS = ["证券代码", "证券简称", "统计截止日期", "报表类型", "固定资产净额", "资产总计"]
UNITS = ["没有单位", "没有单位", "没有单位", "没有单位", "元", "元"]
FIRST = ["000001", "深发展A", "2007-12-31", "A", 1554278000.0, 352539361000.0]
SECOND = ["000002", "万科A", "2007-12-31", "A", 1.0, 2.0]


def test_csmar_with_three_header_rows() -> None:
    table = only(CODES, LABELS, UNITS, FIRST, SECOND, sheet="sheet1")
    assert table.layout == "csmar"
    assert [(f.name, f.label, f.unit, f.letter) for f in table.fields[-2:]] == [
        ("A001212000", "固定资产净额", "元", "E"),
        ("A001000000", "资产总计", "元", "F"),
    ]
    assert table.rows.index.tolist() == [4, 5]
    assert column(table, "Stkcd") == ["000001", "000002"]  # leading zeros
    assert column(table, "A001000000") == [352539361000.0, 2.0]


def test_csmar_with_two_header_rows() -> None:
    table = only(CODES, LABELS, FIRST, SECOND)
    assert (table.layout, table.fields[5].label, table.fields[5].unit) == ("csmar", "资产总计", "")
    assert table.rows.index.tolist() == [3, 4]


def test_csmar_with_one_header_row_takes_labels_from_the_description_file() -> None:
    table = only(CODES, FIRST, SECOND, sidecar={"A001000000": "资产总计", "A001212000": "固定资产净额(元)"})
    assert table.layout == "csmar"
    assert [(f.label, f.unit) for f in table.fields[4:]] == [("固定资产净额", "元"), ("资产总计", "")]
    assert table.rows.index.tolist() == [2, 3]


def test_csmar_text_cells_only_as_txt_files_have() -> None:
    table = only(CODES, LABELS, UNITS, [str(cell) for cell in FIRST])
    assert table.fields[5].unit == "元"
    assert column(table, "A001000000") == ["352539361000.0"]


def test_csmar_table_of_firms_by_symbol_and_end_date() -> None:
    codes = ["Symbol", "ShortName", "EndDate", "CITYCODE"]
    table = only(codes, ["000001", "平安银行", "2012-12-31", "440300"])
    assert (table.layout, column(table, "CITYCODE")) == ("csmar", ["440300"])


def test_csmar_regional_table_in_english() -> None:
    codes = ["Sgnyea", "Ctnm_en", "Ctnm_id", "Cttyp_en", "Prvcnm_id", "Prvcnm_en", "Gdpct01"]
    row = ["2011", "Hangzhou(city)", "330100", "Prefectural level", "330000", "Zhejiang", "7011.8000"]
    table = only(codes, row, sidecar={"Gdpct01": "Gdp (unit: 100 million)"})
    assert table.layout == "csmar"
    assert (table.fields[6].label, table.fields[6].unit) == ("Gdp", "unit: 100 million")


def test_csmar_county_table_is_known_by_its_three_header_rows() -> None:
    table = only(["YEAR", "CountyCode", "GDP"], ["统计年度", "县域代码", "地区生产总值"],
                 ["没有单位", "没有单位", "万元"], ["2011", "330106", "12.5"])  # fmt: skip
    assert (table.layout, table.fields[2].unit) == ("csmar", "万元")


def test_csmar_edited_by_users_in_lower_case_is_a_panel_with_the_same_rows_left_out() -> None:
    table = only([code.lower() for code in CODES], FIRST, [*FIRST[:2], "2007-01-01", "A", 7.0, 8.0],
                 [*FIRST[:3], "B", 9.0, 10.0])  # fmt: skip
    assert table.layout == "panel"
    assert table.rows.index.tolist() == [2]


def test_statements_of_parent_companies_are_left_out() -> None:
    table = only(CODES, LABELS, UNITS, FIRST, [*FIRST[:3], "B", 5.0, 6.0])
    assert column(table, "Typrep") == ["A"]
    assert any("parent companies (B): 1" in text for text in said(table.findings, "note"))


@pytest.mark.parametrize("form", ["{}-{:02}-{:02}", "{}/{}/{}", "{}{:02}{:02}", "{}-{:02}-{:02} 00:00:00"])
def test_opening_balances_and_interim_reports_are_left_out(form: str) -> None:
    days = [(1, 1), (3, 31), (6, 30), (9, 30), (12, 31), (5, 4)]
    rows = [["000001", "x", form.format(2011, month, day), "A", 1.0, float(month)] for month, day in days]
    table = only(CODES, LABELS, UNITS, *rows)
    assert column(table, "A001000000") == [12.0]
    notes = " ".join(said(table.findings, "note"))
    assert "opening balances (1 January), not the year's end: 1" in notes
    assert "interim reports, not the year's end: 3" in notes
    assert "other days, not the year's end: 1" in notes


def test_dates_without_any_year_end_are_all_kept() -> None:
    rows = [["000001", "x", date, "A", 1.0, 2.0] for date in ("2011-01-01", "2012-01-01", "2013-06-30")]
    assert len(only(CODES, LABELS, UNITS, *rows).rows) == 3


# --- CNRDS ---------------------------------------------------------------------------------------------------------

LONG = ["指标", "数值", "年份", "省份", "地区", "地区编码"]


def test_long_layout_becomes_one_column_per_indicator() -> None:
    table = only(
        ["CNRDS 中国研究数据服务平台"],
        LONG,
        ["地区生产总值(万元)", "7.5", "2011", "浙江省", "杭州市", "330100"],
        ["地区生产总值(万元)", "8.5", "2012", "浙江省", "杭州市", "330100"],
        ["专利授权数", "3", "2011", "浙江省", "杭州市", "330100"],
        ["专利授权数", "4", "2011", "浙江省", "宁波市", "330200"],
    )
    assert table.layout == "long"
    names = [("年份", ""), ("省份", ""), ("地区", ""), ("地区编码", ""), ("地区生产总值", "万元"), ("专利授权数", "")]
    assert header(table) == names
    assert table.rows.index.tolist() == [3, 4, 6]  # the first row of each place and year
    assert column(table, "地区生产总值") == ["7.5", "8.5", None]
    assert column(table, "专利授权数") == ["3", None, "4"]
    assert any("above the header left out: 1" in text for text in said(table.findings, "note"))


def test_long_layout_with_two_values_for_one_place_keeps_the_first_and_warns() -> None:
    rows = [["外资", value, "2011", "浙江", "杭州", "330100"] for value in ("1", "1.0", "2")]
    table = only(LONG, *rows)
    assert column(table, "外资") == ["1"]
    (warning,) = said(table.findings, "warning")
    assert "row 4" in warning and "rows 2 and 4" in warning and "(1 such cases)" in warning


def test_long_layout_with_a_column_of_units() -> None:
    units = [*LONG, "单位"]
    table = only(units, ["外资", "1", "2011", "浙江", "杭州", "330100", "万美元"],
                 ["外资", "2", "2012", "浙江", "杭州", "330100", "万美元"])  # fmt: skip
    assert header(table)[-1] == ("外资", "万美元")
    mixed = only(units, ["外资", "1", "2011", "浙江", "杭州", "330100", "万美元"],
                 ["外资", "2", "2012", "浙江", "杭州", "330100", "亿美元"])  # fmt: skip
    (error,) = said(mixed.findings, "error")
    assert "rows 2 and 3" in error and "万美元" in error and "亿美元" in error
    assert header(mixed)[-1] == ("外资", "")


def test_an_indicator_per_row_does_not_fill_the_memory() -> None:
    rows = [[f"x{i}", "1", "2011", "浙江", f"y{i}", str(i)] for i in range(3000)]
    found, findings = tables(grid(LONG, *rows))
    assert found == []
    assert "3000 different indicators" in said(findings, "error")[0]


# --- yearbooks -----------------------------------------------------------------------------------------------------

TITLE = ["2-13 主要经济指标（2011年）"]
TOP = ["城市", "地区生产总值(万元)", None, "年末总人口（万人）", None]
MIDDLE = ["City", "Gross Regional Product (10000 yuan)", None, "Total Population", None]
BOTTOM = [None, "全市\nTotal City", "市辖区\nDistricts under City", "全市\nTotal City", "市辖区\nDistricts under City"]
HANGZHOU = ["杭州市", 7011.8, 5500.0, 695.7, 440.0]


def yearbook(*rows: Sequence[Any], **options: Any) -> Table:
    return only(TITLE, ["Main Economic Indicators"], TOP, MIDDLE, BOTTOM, *rows, **options)


def test_yearbook_with_titles_and_merged_bilingual_headers() -> None:
    table = yearbook(HANGZHOU)
    assert table.layout == "yearbook"
    assert [(f.name, f.label, f.unit, f.scope, f.letter) for f in table.fields] == [
        ("城市", "", "", "", "A"),
        ("地区生产总值", "Gross Regional Product", "万元", "whole", "B"),
        ("地区生产总值", "Gross Regional Product", "万元", "district", "C"),
        ("年末总人口", "Total Population", "万人", "whole", "D"),
        ("年末总人口", "Total Population", "万人", "district", "E"),
        ("年份", "", "", "", ""),
    ]
    assert table.rows.index.tolist() == [6]
    assert table.rows.iloc[0].tolist() == [*HANGZHOU, 2011.0]
    assert said(table.findings, "warning") == []


@pytest.mark.parametrize(
    ("whole", "district"), [("全市", "市辖区"), ("地区", "市区"), ("包括市辖县", "不包括市辖县"), ("全 市", "市 辖 区")]
)
def test_scopes_have_several_names(whole: str, district: str) -> None:
    table = only(TITLE, ["城市", "地区生产总值(万元)", None], [None, whole, district], ["杭州市", 2.0, 1.0])
    assert [(f.name, f.scope) for f in table.fields[1:3]] == [("地区生产总值", "whole"), ("地区生产总值", "district")]


def test_region_is_the_key_where_there_is_no_city() -> None:
    table = only(TITLE, ["地区", "地区生产总值(万元)", None], [None, "全市", "市辖区"], ["杭州市", 2.0, 1.0])
    assert header(table)[0] == ("地区", "")
    assert column(table, "地区") == ["杭州市"]


@pytest.mark.parametrize("place", [0, 2])
def test_a_unit_in_the_corner_is_that_of_columns_without_their_own(place: int) -> None:
    corner = [None, None, None]
    corner[place] = "单位：万元"
    table = only(TITLE, corner, ["城市", "地区生产总值", "年末总人口(万人)"], ["杭州市", 2.0, 1.0])
    assert header(table)[:3] == [("城市", ""), ("地区生产总值", "万元"), ("年末总人口", "万人")]
    assert any("'万元' of the sheet taken for 地区生产总值" in text for text in said(table.findings, "note"))


def test_several_units_in_the_corner_are_not_guessed_apart() -> None:
    table = only(TITLE, ["单位：万元、人"], ["城市", "地区生产总值", "学生"], ["杭州市", 2.0, 1.0])
    assert header(table)[1:3] == [("地区生产总值", ""), ("学生", "")]
    assert "万元、人" in said(table.findings, "warning")[0]


def test_a_row_of_units_below_the_names() -> None:
    table = only(TITLE, ["城市", "地区生产总值", "年末总人口"], [None, "(万元)", "万人"], ["杭州市", 2.0, 1.0])
    assert header(table)[1:3] == [("地区生产总值", "万元"), ("年末总人口", "万人")]


@pytest.mark.parametrize("word", ["城巾", "程市", "城 市", "城市 City"])
def test_key_headers_misread_by_scanners(word: str) -> None:
    table = only(TITLE, [word, "地区生产总值(万元)"], ["杭州市", 2.0])
    assert table.fields[0].name == "城市"
    assert any("read as '城市'" in text for text in said(table.findings, "note")) == (word in ("城巾", "程市"))


def test_blocks_side_by_side_are_read_one_below_the_other() -> None:
    table = only(
        TITLE,
        ["城市", "地区生产总值(万元)", "城市", "地区生产总值(万元)"],
        ["浙江省", 9.0, "宁波市", 2.0],
        ["杭州市", 1.0, "江苏省", 9.0],
        [None, None, "南京市", 3.0],
    )
    assert column(table, "城市") == ["杭州市", "宁波市", "南京市"]
    assert column(table, "地区生产总值") == [1.0, 2.0, 3.0]
    assert column(table, "省份") == ["浙江", "浙江", "江苏"]  # a province goes on in the next block
    assert table.rows.index.tolist() == [4, 3, 5]
    assert any("A-B, C-D" in text for text in said(table.findings, "note"))


def test_an_empty_column_beside_a_merged_header_is_no_column() -> None:
    top = ["城市", "地区生产总值(万元)", None, None, "土地面积(平方公里)"]
    table = only(TITLE, top, [None, "全市", "市辖区", None, "全市"], ["杭州市", 2.0, 1.0, None, 5.0])
    assert [field.letter for field in table.fields] == ["A", "B", "C", "E", ""]
    assert said(table.findings, "warning") == []


def test_blocks_with_other_headers_are_tables_of_their_own() -> None:
    found, findings = tables(
        grid(TITLE, ["城市", "地区生产总值(万元)", "城市", "土地面积(平方公里)"], ["杭州市", 1.0, "杭州市", 2.0])
    )
    assert findings == []
    assert [header(table)[1] for table in found] == [("地区生产总值", "万元"), ("土地面积", "平方公里")]
    assert [column(table, "年份") for table in found] == [[2011.0], [2011.0]]


def test_totals_and_remarks_are_left_out() -> None:
    rows = [["合 计", 9.0], ["全国", 9.0], ["东部地区", 9.0], ["杭州市", 1.0], ["城市", "地区生产总值(万元)"],
            ["注：不含港澳台。"], ["资料来源：略"]]  # fmt: skip
    table = only(TITLE, ["城市", "地区生产总值(万元)"], *rows)
    assert column(table, "城市") == ["杭州市"]
    notes = " ".join(said(table.findings, "note"))
    assert "totals: 3" in notes and "repeated headers: 1" in notes and "remarks: 2" in notes


def test_provincial_sub_totals_are_left_out_and_name_the_province() -> None:
    names = ["北京市", "天津", "河北", "石家庄", "内蒙古自治区", "包头市", "广西壮族自治区合计", "南宁市", "重庆市"]
    table = only(TITLE, ["城市", "地区生产总值(万元)"], *([name, float(i)] for i, name in enumerate(names)))
    assert column(table, "城市") == ["北京市", "天津", "石家庄", "包头市", "南宁市", "重庆市"]
    assert column(table, "省份") == ["北京", "天津", "河北", "内蒙古", "广西", "重庆"]
    assert any(
        "sub-totals: 3 (河北, 内蒙古自治区, 广西壮族自治区合计)" in text for text in said(table.findings, "note")
    )


def test_a_municipality_printed_as_province_and_as_city_counts_once() -> None:
    rows = [["北京", 3.0], ["北京市", 3.0], ["河北省", 9.0], ["保定市", 1.0]]
    table = only(TITLE, ["城市", "地区生产总值(万元)"], *rows)
    assert column(table, "城市") == ["北京市", "保定市"]


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["吉林", "长春", "吉林", "四平"], ["长春", "吉林", "四平"]),
        (["吉林省", "长春市", "吉林市"], ["长春市", "吉林市"]),
        (["长春", "吉林", "四平"], ["长春", "吉林", "四平"]),  # no sub-total here
        (["海南", "海口", "三亚"], ["海口", "三亚"]),
        (["青海", "西宁", "海南"], ["西宁", "海南"]),  # the prefecture of Qinghai
    ],
)
def test_names_of_a_province_and_a_prefecture(names: list[str], kept: list[str]) -> None:
    table = only(TITLE, ["城市", "地区生产总值(万元)"], *([name, 1.0] for name in names))
    assert column(table, "城市") == kept


def test_a_bare_name_is_the_province_where_the_prefecture_cannot_be() -> None:
    names = ["辽宁", "大连", "吉林", "吉林", "四平", "海南", "三亚", "青海", "海南", "西宁"]
    table = only(TITLE, ["城市", "地区生产总值(万元)"], *([name, 1.0] for name in names))
    assert column(table, "城市") == ["大连", "吉林", "四平", "三亚", "海南", "西宁"]
    assert column(table, "省份") == ["辽宁", "吉林", "吉林", "海南", "青海", "青海"]


def test_a_table_of_provinces_keeps_them() -> None:
    table = only(TITLE, ["地区", "地区生产总值(万元)"], ["浙江省", 1.0], ["江苏省", 2.0], ["北京市", 3.0])
    assert column(table, "地区") == ["浙江省", "江苏省", "北京市"]


def test_blanks_inside_names_are_removed_and_zeros_stay() -> None:
    table = only(TITLE, ["城市", "地区生产总值(万元)"], ["北 京 市", 0.0], ["杭\u3000州", "  "], [" ", None])
    assert column(table, "城市") == ["北京市", "杭州"]
    assert column(table, "地区生产总值") == [0.0, None]


@pytest.mark.parametrize(
    ("title", "sheet", "file", "year"),
    [
        ("主要指标（2011年）", "", "x.xlsx", 2011.0),
        ("主要指标", "2011", "x.xlsx", 2011.0),
        ("主要指标", "2011年", "x.xlsx", 2011.0),
        ("主要指标(2011)", "2-13", "x.xlsx", 2011.0),
        ("主要指标", "", "数据/2011年城市.xlsx", 2011.0),
        ("中国城市统计年鉴2012 主要指标（2011年）", "", "x.xlsx", 2011.0),
        ("主要指标（2011年）", "年鉴2012", "中国城市统计年鉴2012.xlsx", 2011.0),
        ("中国城市统计年鉴2012", "", "x.xlsx", None),
        ("2012年中国城市统计年鉴", "年鉴2012", "年鉴-2012.xlsx", None),
        ("主要指标", "Sheet1", "中国城市统计年鉴2012.xlsx", None),
        ("主要指标 2010年 2011年", "Sheet1", "x.xlsx", None),
    ],
)
def test_the_year_is_that_of_the_data_not_of_the_edition(title: str, sheet: str, file: str, year: float | None) -> None:
    table = only([title], ["城市", "地区生产总值(万元)"], ["杭州市", 1.0], sheet=sheet, file=file)
    if year is None:
        assert "年份" not in [field.name for field in table.fields]
        assert "of which year" in said(table.findings, "error")[0] and "年份" in said(table.findings, "error")[0]
    else:
        assert column(table, "年份") == [year]
        assert said(table.findings, "error") == []


def test_a_title_and_a_sheet_that_disagree_about_the_year() -> None:
    table = only(TITLE, ["城市", "地区生产总值(万元)"], ["杭州市", 1.0], sheet="2012")
    assert column(table, "年份") == [2011.0]
    assert "the title says 2011, the name of the sheet 2012" in said(table.findings, "warning")[0]


def test_a_yearbook_with_a_column_of_years() -> None:
    table = only(["主要指标（2009—2013年）"], ["年份", "城市", "地区生产总值(万元)"], ["Year", "City", "GRP"],
                 [2009.0, "浙江省", 9.0], [2009.0, "杭州市", 1.0], [2010.0, "杭州市", 2.0])  # fmt: skip
    assert header(table) == [("年份", ""), ("城市", ""), ("地区生产总值", "万元"), ("省份", "")]
    assert column(table, "年份") == [2009.0, 2010.0]


# --- matrices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("years", [[1995.0, 1997.0, 1998.0], ["1995", "1997", "1998"], ["1995年", "1997年", "1998年"]])
def test_years_side_by_side_become_rows(years: list[Any]) -> None:
    table = only(["city", *years], ["安徽安庆", 1.0, None, 3.0], ["北京", 4.0, 5.0, 6.0], sheet="emission matrix")
    assert table.layout == "matrix"
    assert [field.name for field in table.fields] == ["city", "年份", "emission"]
    assert table.fields[2].letter == "B:D"
    assert column(table, "city") == ["安徽安庆"] * 3 + ["北京"] * 3
    assert column(table, "年份") == [1995.0, 1997.0, 1998.0] * 2
    assert column(table, "emission") == [1.0, None, 3.0, 4.0, 5.0, 6.0]
    assert table.rows.index.tolist() == [2, 2, 2, 3, 3, 3]


def test_the_title_of_a_matrix_names_its_values() -> None:
    table = only(["地区生产总值（亿元）"], ["城市", 2009.0, 2010.0, 2011.0], ["杭州市", 1.0, 2.0, 3.0], sheet="Sheet1")
    assert header(table)[-1] == ("地区生产总值", "亿元")


# --- panels --------------------------------------------------------------------------------------------------------


def test_compiled_panel_with_mixed_brackets_and_empty_columns() -> None:
    head = ["年份", "省份", "城市", "城市代码", "地区生产总值（亿元)", "常住人口(万人）", *[None] * 11]
    table = only(head, ["2011", "浙江省", "杭州市", "330100", "7011.8", "870"], ["2012", "浙江省", "杭州市", "330100"])
    assert table.layout == "panel"
    assert header(table)[4:] == [("地区生产总值", "亿元"), ("常住人口", "万人")]
    assert table.findings == ()


def test_panel_names_scopes_in_its_headers() -> None:
    head = ["year", "城市", "地区生产总值_全市_万元", "市辖区年末总人口(万人)", "土地面积(市辖区)(平方公里)",
            "GDP全市万元", "市辖区个数(个)", "人均地区生产总值(元)"]  # fmt: skip
    table = only(head, ["2011", "杭州", *"123456"])
    assert [(f.name, f.unit, f.scope) for f in table.fields[2:]] == [
        ("地区生产总值", "万元", "whole"),
        ("年末总人口", "万人", "district"),
        ("土地面积", "平方公里", "district"),
        ("GDP", "万元", "whole"),
        ("市辖区个数", "个", ""),
        ("人均地区生产总值", "元", ""),
    ]


def test_panel_of_cities_and_regions_keeps_both_columns() -> None:
    table = only(
        ["年份", "城市代码", "所属省份", "城市", "地区", "碳排放量_吨"], [2011.0, 330100.0, "浙江", "杭州", "东部", 5.0]
    )
    assert [f.name for f in table.fields] == ["年份", "城市代码", "所属省份", "城市", "地区", "碳排放量"]
    assert column(table, "地区") == ["东部"]


def test_a_column_of_units_gives_the_unit_of_the_column_before_it() -> None:
    head = ["year", "地级市", "外商直接投资", "单位", "数据来源"]
    table = only(head, ["2011", "杭州", "1", "百万美元", "年鉴"], ["2012", "杭州", "2", "百万美元", "年鉴"])
    assert header(table)[2] == ("外商直接投资", "百万美元")


def test_a_column_of_several_units_is_an_error_that_names_the_rows() -> None:
    head = ["year", "地级市", "外商直接投资", "单位"]
    table = only(head, ["2011", "杭州", "1", "百万美元"], ["2012", "杭州", "2", "万美元"])
    (error,) = said(table.findings, "error")
    assert "row 3" in error and "rows 2 and 3" in error and "column '外商直接投资'" in error
    assert header(table)[2] == ("外商直接投资", "")


def test_stata_names_without_brackets_and_labels() -> None:
    names = ["年份", "城市", "地区生产总值万元", "行政区域土地面积平方公里TotalLandAreaof", "v5"]
    labels = {"v5": "年末总人口(万人)", "地区生产总值万元": "地区生产总值(万元)"}
    table = only(names, [2011.0, "杭州市", 1.0, 2.0, 3.0], labels=labels)
    assert [(f.name, f.label, f.unit) for f in table.fields[2:]] == [
        ("地区生产总值", "地区生产总值", "万元"),
        ("行政区域土地面积", "TotalLandAreaof", "平方公里"),
        ("v5", "年末总人口", "万人"),
    ]


def test_equal_headers_are_both_kept_with_a_warning() -> None:
    table = only(["year", "city", "x", "x"], ["2011", "杭州", "1", "2"])
    assert [(f.name, f.letter) for f in table.fields[2:]] == [("x", "C"), ("x", "D")]
    assert "columns C and D have the same header" in said(table.findings, "warning")[0]


def test_values_without_a_header_are_left_out_with_a_warning() -> None:
    table = only(["year", "city", None, "x"], ["2011", "杭州", "7", "1"])
    assert [f.letter for f in table.fields] == ["A", "B", "D"]
    assert "column 'C'" in said(table.findings, "warning")[0]


def test_letters_go_on_after_z() -> None:
    table = only(["year", "city", *[f"x{i}" for i in range(30)]], ["2011", "杭州", *["1"] * 30])
    assert [f.letter for f in table.fields][25:28] == ["Z", "AA", "AB"]


def test_remarks_below_a_panel_are_left_out() -> None:
    table = only(["年份", "城市", "地区生产总值(万元)"], ["2011", "杭州", "1"], ["数据来源：某某"])
    assert table.rows.index.tolist() == [2]


@pytest.mark.parametrize(
    "rows",
    [
        [["Notes to the reader"], ["Unit: million tonnes"]],  # a sheet NOTE
        [["版权声明", "©"], ["本数据", "仅供研究"]],
        [["year", "city", "x"]],
        [["x"], ["1"], ["2"]],
    ],
)
def test_what_is_no_table_gives_a_note(rows: list[list[Any]]) -> None:
    found, findings = tables(grid(*rows))
    assert found == []
    assert [finding.severity for finding in findings] == ["note"]


def test_a_sheet_without_headers_asks_for_them() -> None:
    found, findings = tables(grid(["2011", "330100", "1.5", "2"], ["2012", "330100", "1.6", "3"]))
    assert found == []
    assert "no names of columns" in said(findings, "warning")[0]


# --- whatever comes ------------------------------------------------------------------------------------------------

WORDS = [
    *("城市", "年份", "指标", "数值", "单位", "市辖区", "全市", "地区", "2011", "2012年", "万元", "（万元）", "Stkcd"),
    *(
        "Accper",
        "Sgnyea",
        "Typrep",
        "B",
        "吉林",
        "合计",
        "注：",
        "北京",
        "省份",
        "单位：万元",
        "2007-12-31",
        "\n",
        "(",
        "2013",
    ),
]
CELL = st.one_of(
    st.none(), st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), min_size=2, max_size=3).map("".join),
    st.text(max_size=6), st.floats(), st.sampled_from([2009.0, 2010.0, 1.5]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(CELL, min_size=1, max_size=6), min_size=1, max_size=9), st.sampled_from(["", "2011", "年鉴2012"])
)
def test_any_grid_gives_tables_or_findings(rows: list[list[Any]], sheet: str) -> None:
    sheet_of = grid(*rows, sheet=sheet)
    found, findings = tables(sheet_of)
    assert found or findings
    for table in found:
        assert list(table.rows.columns) == list(range(len(table.fields)))
        assert set(table.rows.index) <= set(sheet_of.cells.index)
    for finding in (*findings, *(finding for table in found for finding in table.findings)):
        assert str(finding)


LAYOUTS = {
    "csmar": [CODES, LABELS, UNITS, FIRST, SECOND],
    "long": [LONG, ["外资", "1", "2011", "浙江", "杭州", "330100"], ["GDP", "2", "2011", "浙江", "杭州", "330100"]],
    "yearbook": [TITLE, TOP, MIDDLE, BOTTOM, ["浙江省", 9.0, 9.0, 9.0, 9.0], HANGZHOU],
    "matrix": [["city", 2009.0, 2010.0, 2011.0], ["北京", 1.0, 2.0, 3.0]],
    "panel": [["年份", "城市", "地区生产总值(万元)"], ["2011", "杭州", "1"], ["2011", "宁波", "2"]],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_empty_rows_anywhere_change_nothing_but_the_numbers_of_rows(layout: str, data: st.DataObject) -> None:
    rows = LAYOUTS[layout]
    table = only(*rows, sheet="emission")
    assert table.layout == layout
    gaps = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    spaced = [line for row, gap in zip(rows, gaps, strict=True) for line in [[None]] * gap + [row]]
    other = only(*spaced, sheet="emission")
    assert other.fields == table.fields
    pd.testing.assert_frame_equal(other.rows.reset_index(drop=True), table.rows.reset_index(drop=True))
    moved = dict(zip(range(1, len(rows) + 1), np.cumsum(np.array(gaps) + 1), strict=True))
    assert other.rows.index.tolist() == [moved[row] for row in table.rows.index]


@pytest.mark.parametrize("layout", ["csmar", "long", "panel"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_order_of_columns_does_not_matter(layout: str, data: st.DataObject) -> None:
    rows = LAYOUTS[layout]
    order = data.draw(st.permutations(range(len(rows[0]))))
    table, other = only(*rows), only(*[[row[i] for i in order] for row in rows])
    assert other.layout == layout

    def by_name(one: Table) -> dict[tuple[str, str, str], list[Any]]:
        return {(f.name, f.label, f.unit): one.rows[i].tolist() for i, f in enumerate(one.fields)}

    assert by_name(other) == by_name(table)
