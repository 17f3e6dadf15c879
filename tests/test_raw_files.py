"""The files that tests write are what they claim to be, seen with other libraries than our readers."""

from __future__ import annotations

import csv
import io
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook
from raw_files import FORMULA_LIKE, MARKUP, csmar_xlsx, demonstrate

MISSING = -1.0  # stands for a missing value where sets are compared


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, pd.DataFrame]]:
    folder = tmp_path_factory.mktemp("raw")
    return folder, demonstrate(folder)


def sheets(path: Path, formulas: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no default style", as CSMAR's own files
        book = openpyxl.load_workbook(path, data_only=not formulas)
    return {sheet.title: [tuple(cell.value for cell in row) for row in sheet.iter_rows()] for sheet in book}


def text_rows(path: Path, encoding: str, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def numbers(frame: pd.DataFrame) -> set[tuple[float, ...]]:
    return set(map(tuple, frame.astype(float).fillna(MISSING).to_numpy().tolist()))


def test_csmar_workbook_has_three_header_rows_and_planted_rows(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    rows = sheets(folder / "FS_Combas.xlsx")["sheet1"]
    assert rows[0] == ("Stkcd", "ShortName", "Accper", "Typrep", "A001000000", "A002000000")
    assert rows[1] == ("证券代码", "证券简称", "统计截止日期", "报表类型", "资产总计", "负债合计")
    assert rows[2] == (*["没有单位"] * 4, "元", "元")
    data = rows[3:]
    assert data[0][0] == "000001"
    assert {row[1] for row in data} >= {MARKUP, FORMULA_LIKE}
    assert {row[2][4:] for row in data} == {"-01-01", "-06-30", "-12-31"}
    true = [row for row in data if row[2].endswith("12-31") and row[3] == "A"]
    found = {(float(row[0]), float(row[2][:4]), row[4], MISSING if row[5] is None else row[5]) for row in true}
    assert found == numbers(kept["FS_Combas.xlsx"])
    planted = {row[4] for row in data if row not in true}
    assert len(data) - len(true) > 10 and not planted & {row[4] for row in true}
    parents = [row for row in data if row[3] == "B"]
    assert parents and all(row[:3] in {other[:3] for other in true} for row in parents)


def test_csmar_workbook_holds_one_formula_with_another_saved_value(
    written: tuple[Path, dict[str, pd.DataFrame]],
) -> None:
    folder, _ = written
    with zipfile.ZipFile(folder / "FS_Combas.xlsx") as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"<f>SUM(1,1)</f><v>") == 1
        assert b"<dimension" not in archive.read("xl/worksheets/sheet1.xml")
        assert b"cellStyles" not in archive.read("xl/styles.xml")
    formulas = sheets(folder / "FS_Combas.xlsx", formulas=True)["sheet1"]
    assert [row[4] for row in formulas].count("=SUM(1,1)") == 1
    at = next(i for i, row in enumerate(formulas) if row[4] == "=SUM(1,1)")
    assert sheets(folder / "FS_Combas.xlsx")["sheet1"][at][4] > 1e6
    calamine = CalamineWorkbook.from_path(folder / "FS_Combas.xlsx").get_sheet_by_index(0).to_python()
    assert calamine[at][4] == sheets(folder / "FS_Combas.xlsx")["sheet1"][at][4]


def test_variants_of_csmar_tables(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    edited = sheets(folder / "edited.xlsx")["sheet1"]
    assert edited[0] == ("stkcd", "shortname", "accper", "typrep", "total_assets", "total_debts")
    assert edited[1][0] == "000001"
    assert not list(folder.glob("edited[[]DES*"))
    basic = sheets(folder / "STK_LISTEDCOINFOANL.xlsx")["sheet1"]
    assert basic[0] == ("Symbol", "ShortName", "EndDate", "CityCode")
    assert len(basic) == 3 + len(kept["STK_LISTEDCOINFOANL.xlsx"])
    assert {type(row[3]) for row in basic} == {str}
    text = text_rows(folder / "FS_Combas.txt", "utf-8", "\t")
    assert text[2] == [*["没有单位"] * 4, "元", "元"]
    true = [row for row in text[3:] if row[2].endswith("/12/31") and row[3] == "A"]
    found = {(float(row[0]), float(row[2][:4]), float(row[4]), float(row[5] or MISSING)) for row in true}
    assert found == numbers(kept["FS_Combas.txt"])
    assert any(row[2].endswith("/1/1") for row in text)


def test_csmar_csv_is_quoted_with_four_decimals_and_a_sidecar(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    raw = (folder / "CRE_Gdpct.csv").read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf"Sgnyea","Ctnm_en","Ctnm_id","Cttyp_en","Prvcnm_id","Prvcnm_en","Gdpct01"\r\n')
    rows = text_rows(folder / "CRE_Gdpct.csv", "utf-8-sig")[1:]
    assert all(f'"{cell}"'.encode() in raw for row in rows for cell in row)
    assert {row[1][len(row[1].split("(")[0].rstrip()) :] for row in rows} == {" (city)", "(city)", "(city) "}
    assert all(len(row[6].split(".")[1]) == 4 for row in rows)
    assert {(float(row[2]), float(row[0]), float(row[6])) for row in rows} == numbers(kept["CRE_Gdpct.csv"])
    sidecar = (folder / "CRE_Gdpct[DES][csv].txt").read_bytes()
    assert sidecar.startswith(b"\xef\xbb\xbfSgnyea [Year Sign] - \r\n")
    assert sidecar.endswith(b"\r\nGdpct01 [Gdp] - (unit: 100 million)")
    provinces = text_rows(folder / "CRE_Pi01.csv", "utf-8-sig")
    assert provinces[0] == ["Sgnyea", "Prvcnm_id", "Prvcnm_en", "Pi0101"]
    assert kept["CRE_Pi01.csv"]["cpi"].unique().tolist() == [102.1235]


def test_archive_names_are_gb18030_without_the_mark(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, _ = written
    with zipfile.ZipFile(folder / "资产负债表172234437.zip") as archive:
        members = archive.infolist()
        names = [member.filename.encode("cp437").decode("gb18030") for member in members]
        assert not any(member.flag_bits & 0x800 for member in members)
        assert archive.testzip() is None
        book = openpyxl.load_workbook(io.BytesIO(archive.read(members[0])))
    inside = "资产负债表172234437(仅供北京交通大学使用)/"
    assert names == [inside + name for name in ("FS_Combas.xlsx", "FS_Combas[DES][xlsx].txt", "版权声明.pdf")]
    assert book.sheetnames == ["sheet1"]


def test_cnrds_is_long_and_text(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    rows = sheets(folder / "cnrds.xlsx")["sheet1"]
    assert [cell for cell in rows[0] if cell] == ["CNRDS 中国研究数据服务平台"]
    assert rows[1] == ("指标", "数值", "年份", "省份", "地区", "地区编码")
    assert {type(cell) for row in rows[2:] for cell in row} <= {str, type(None)}
    gdp = {(float(r[5]), float(r[2]), float(r[1])) for r in rows[2:] if r[0] == "地区生产总值(万元)"}
    assert gdp == numbers(kept["cnrds.xlsx"].drop(columns="fdi"))
    fdi = [row for row in rows[2:] if row[0] == "外资(万美元)"]
    missing = int(kept["cnrds.xlsx"]["fdi"].isna().sum())
    absent = len(kept["cnrds.xlsx"]) - len(fdi)
    assert absent > 0 and sum(row[1] is None for row in fdi) == missing - absent > 0


def test_yearbook_sheets_have_their_quirks(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    pages = sheets(folder / "yearbook.xlsx")
    assert list(pages) == ["2009年", "2010年", "年鉴2012", "2012年", "2013年"]
    assert all(f"（{year}年）" in rows[0][0] for year, rows in zip(range(2009, 2014), pages.values(), strict=True))
    keys = [[cell for cell in rows[3] if cell and "(" not in cell and "地区" not in cell] for rows in pages.values()]
    assert [row[: 2 if n % 2 == 0 else 1] for n, row in enumerate(keys)] == [
        ["城市", "当年实际使用外资金额（万美元）"],
        ["城巾"],
        ["程市", "当年实际使用外资金额（万美元）"],
        ["地市"],
        ["城市", "当年实际使用外资金额（万美元）"],
    ]
    first, second = pages["2009年"], pages["2010年"]
    assert [row[-1] for row in first[:3]] == [None, None, "单位：万元"] and second[2][0] == "单位：万元"
    assert [cell.split("\n")[0] for cell in first[5] if cell] == ["全市", "市辖区"] * 4
    assert [cell for cell in first[4] if cell].count("Gross Regional Product") == 2
    names = {row[0] for rows in pages.values() for row in rows}
    assert {"合 计", "吉林省", "吉林", "浙江", "注：本表数据不含港澳台。"} <= names
    assert {"长春", "吉 林 市"} <= names and "北京市" in names
    renamed = [{str(cell).replace("\u3000", "") for row in rows for cell in row} for rows in pages.values()]
    assert ["襄樊市" in cells for cells in renamed] == [True, True, False, False, False]
    merged = openpyxl.load_workbook(folder / "yearbook.xlsx")["2010年"].merged_cells.ranges
    assert {str(area) for area in merged} == {"A4:A6", "B4:C4", "B5:C5", "D4:E4", "D5:E5"}
    assert {row[3] for row in second[6:]} & {0} and not kept["yearbook.xlsx"]["fdi"].eq(0).any()


def test_yearbook_values_are_those_kept(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    """The whole-city values of each year are all there, once, and none of them stands in a district column."""
    folder, kept = written
    for year, rows in zip(range(2009, 2014), sheets(folder / "yearbook.xlsx").values(), strict=True):
        true = kept["yearbook.xlsx"].set_index("year").loc[year]
        cells = [row[at : at + 5] for row in rows[6:] for at in range(0, len(row), 5)]
        assert set(true["gdp"]) <= {cell[1] for cell in cells}
        assert set(true["fdi"].dropna()) <= {cell[3] for cell in cells}
        assert not set(true["gdp"]) & {cell[2] for cell in cells}
    by_year = sheets(folder / "yearbook_years.xlsx")["2009—2013年"]
    assert by_year[3][:2] == ("年份", "城市")
    assert set(kept["yearbook_years.xlsx"]["gdp"]) <= {row[2] for row in by_year[6:]}
    assert "—" in {row[4] for row in by_year[6:]}


def test_compiled_panels(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    rows = text_rows(folder / "compiled.csv", "gb18030")
    with pytest.raises(UnicodeDecodeError):
        text_rows(folder / "compiled.csv", "utf-8")
    assert rows[0][:5] == ["年份", "省份", "城市", "省份代码", "城市代码"]
    assert rows[0][5:8] == ["地区生产总值（万元）", "实际使用外资（万美元)", "碳排放量(百万吨)"]
    assert all(row[8:] == [""] * 11 for row in rows)
    found = {(float(r[4]), float(r[0]), *(float(cell or MISSING) for cell in r[5:8])) for r in rows[1:]}
    assert found == numbers(kept["compiled.csv"])
    fdi = text_rows(folder / "fdi.csv", "utf-8-sig")
    assert fdi[0] == ["year", "地级市", "外商直接投资", "单位", "数据来源"]
    assert {row[3] for row in fdi[1:]} == {"万美元"} and not any(row[1].endswith("市") for row in fdi[1:])


def test_stata_files(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    with pd.read_stata(folder / "cities.dta", iterator=True) as reader:
        cities, labels = reader.read(), reader.variable_labels()
    name = "地区生产总值万元GrossRegionalProduct10000yuan"[:32]
    assert labels[name] == "地区生产总值(万元) Gross Regional Product (10000 yuan)"
    assert numbers(cities[["城市代码", "年份", name]]) == numbers(kept["cities.dta"])
    firms = pd.read_stata(folder / "firms.dta")
    assert firms["Stkcd"].dtype == np.float64 and firms["Citycd"].iloc[0] == "110000"
    assert numbers(firms[["Stkcd", "Year", "资产总计元", "负债合计元"]]) == numbers(kept["firms.dta"])


def test_ceads_gives_the_same_values_twice(written: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    folder, kept = written
    pages = sheets(folder / "ceads.xlsx")
    assert list(pages) == ["NOTE", "emission vector", "emission matrix"]
    vector = pages["emission vector"]
    assert vector[0] == ("ID", "city", "year", "emission")
    assert vector[1][:3] == ("北京2009", "北京", 2009)
    assert {row[1] for row in vector[1:]} >= {"吉林吉林", "新疆克拉玛依", "湖北襄阳", "湖北襄樊"}
    assert [row[3] for row in vector[1:]] == kept["ceads.xlsx"]["emission"].tolist()
    matrix = pages["emission matrix"]
    assert matrix[0] == ("city", *range(2009, 2014))
    wide = [cell for row in matrix[1:] for cell in row[1:] if cell is not None]
    assert sorted(wide) == sorted(kept["ceads.xlsx"]["emission"])


def test_same_bytes_again(written: tuple[Path, dict[str, pd.DataFrame]], tmp_path: Path) -> None:
    folder, _ = written
    time.sleep(1.1)  # a time stamp in seconds would differ
    demonstrate(tmp_path)
    again = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert again == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_all_digits_survive(tmp_path: Path) -> None:
    values = np.random.default_rng(1).lognormal(10, 5, 200)
    frame = pd.DataFrame({"firm": range(200), "year": 2015, "x": values})
    kept = csmar_xlsx(
        tmp_path / "t.xlsx", frame, {"x": ("B001", "收入", "元")}, typrep=False, opening=False, interim=False
    )
    assert [row[3] for row in sheets(tmp_path / "t.xlsx")["sheet1"][3:]] == kept["x"].tolist() == values.tolist()
