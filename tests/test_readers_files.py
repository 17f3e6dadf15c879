"""Files and archives below a folder, and their cells."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import fuzz_readers
import openpyxl
import pandas as pd
import pytest
from fuzz_readers import members, packed
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell import WriteOnlyCell

from pilotzones.errors import DataError
from pilotzones.readers import archives
from pilotzones.readers.archives import File, check_workbook, files
from pilotzones.readers.grids import grids, is_sidecar, sidecar
from pilotzones.readers.tables import Finding, Grid


def written(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(name: str, content: bytes | str) -> tuple[list[Grid], list[Finding]]:
    data = content.encode() if isinstance(content, str) else content
    return grids(File(name, len(data), lambda: data))


def cells(name: str, content: bytes | str) -> list[list[object]]:
    """Cells of the only grid of a file without findings, None for missing."""
    (grid,), findings = read(name, content)
    assert not findings, list(map(str, findings))
    return grid.cells.astype(object).where(grid.cells.notna(), None).to_numpy().tolist()


def refused(name: str, content: bytes | str) -> Finding:
    """The only error of a file that gives no grid."""
    found, findings = read(name, content)
    assert not found
    (error,) = [finding for finding in findings if finding.severity == "error"]
    assert error.file == name and error.advice
    return error


def workbook(rows: list[list[object]], **sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "sheet1"
    for sheet, content in {"sheet1": rows, **sheets}.items():
        target = book[sheet] if sheet in book.sheetnames else book.create_sheet(sheet)
        for row in content:
            target.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def stata(frame: pd.DataFrame, **options: object) -> bytes:
    out = BytesIO()
    frame.to_stata(out, write_index=False, **options)
    return out.getvalue()


# folders


def test_files_are_sorted_and_the_rest_passed_over_or_named(tmp_path: Path) -> None:
    names = ["b.xlsx", "A/z.CSV", "README.md", "mapping.toml", ".hidden.csv", ".git/x.csv", "~$b.xlsx", "desktop.ini"]
    written(tmp_path, dict.fromkeys([*names, "x.pdf", "A/y.pdf", "note.docx", "big.rar"], b"x"))
    found, findings = files(tmp_path)
    assert [file.name for file in found] == ["A/z.CSV", "b.xlsx"]
    assert found[0].suffix == ".csv" and found[0].size == 1 and found[0].read() == b"x"
    told = {(finding.file, finding.severity) for finding in findings}
    assert told == {("A/y.pdf", "note"), ("note.docx", "note"), ("big.rar", "error")}


def test_a_missing_folder_is_one_error(tmp_path: Path) -> None:
    found, (finding,) = files(tmp_path / "none")
    assert not found and finding.severity == "error" and "none" in str(finding)


def test_links_may_not_leave_the_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    written(outside, {"secret.csv": b"x"})
    written(folder, {"a.csv": b"x", "sub/b.csv": b"x"})
    for name, target in {
        "link.csv": outside / "secret.csv",
        "far": outside,
        "gone.csv": folder / "gone",
        "near": folder / "sub",
        "same.csv": folder / "a.csv",
        "loop.csv": folder / "loop.csv",
    }.items():
        (folder / name).symlink_to(target)
    found, findings = files(folder)
    assert [file.name for file in found] == ["a.csv", "same.csv", "sub/b.csv"]
    told = {finding.file: finding.severity for finding in findings}
    assert told == {"link.csv": "error", "far": "error", "gone.csv": "error", "loop.csv": "error", "near": "note"}


def test_names_on_disk_that_are_no_utf8(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + "资产负债表.csv".encode("gb18030"))).write_bytes(b"a,b")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert [file.name for file in files(tmp_path)[0]] == ["资产负债表.csv"]


def test_a_file_that_vanishes_is_an_error_of_its_own(tmp_path: Path) -> None:
    written(tmp_path, {"a.csv": b"x"})
    (file,), _ = files(tmp_path)
    (tmp_path / "a.csv").unlink()
    found, (finding,) = grids(file)
    assert not found and finding.severity == "error" and finding.file == "a.csv" and finding.advice


# archives


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_chinese_names_in_archives_without_the_flag(tmp_path: Path, encoding: str) -> None:
    name = "资产负债表172234437(仅供北京交通大学使用)/FS_Combas.csv"
    code = "".join(chr(0x61 + i % 26) for i in range(len(name.encode(encoding))))
    content = packed({code: b"a,b", "版权声明.pdf": b"x", "__MACOSX/._a.csv": b"x"})
    written(tmp_path, {"a.zip": content.replace(code.encode(), name.encode(encoding))})
    (file,), (note,) = files(tmp_path)
    assert file.name == f"a.zip/{name}" and file.read() == b"a,b"
    assert note.severity == "note" and note.file.endswith(".pdf")


def test_short_names_that_are_utf8_by_chance(tmp_path: Path) -> None:
    raw = "帧.csv".encode("gb18030")
    assert raw.decode("utf-8") != "帧.csv"
    written(tmp_path, {"a.zip": packed({"ab.csv": b"a,b"}).replace(b"ab.csv", raw)})
    assert [file.name for file in files(tmp_path)[0]] == ["a.zip/帧.csv"]


@pytest.mark.parametrize("name", ["../x.csv", "a/../../x.csv", "/x.csv", "C:/x.csv", "..\\x.csv", "\\x.csv", "D:x.csv"])
def test_names_that_point_outside_are_refused_and_the_others_read(tmp_path: Path, name: str) -> None:
    written(tmp_path, {"a.zip": packed({name: b"a,b", "good.csv": b"a,b"})})
    found, (finding,) = files(tmp_path)
    assert [file.name for file in found] == ["a.zip/good.csv"]
    assert finding.severity == "error" and "outside" in finding.message and finding.advice


def test_backslashes_of_windows_are_folders(tmp_path: Path) -> None:
    written(tmp_path, {"a.zip": packed({"folder\\x.csv": b"a,b"})})
    assert [file.name for file in files(tmp_path)[0]] == ["a.zip/folder/x.csv"]


def changed(content: bytes, offset: int, number: int, size: int) -> bytes:
    """Change a number in the directory of an archive with one member."""
    start = content.rindex(b"PK\1\2") + offset
    return content[:start] + number.to_bytes(size, "little") + content[start + size :]


def test_refused_by_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = packed({"a.csv": b"a,b"})
    twice = BytesIO(one)
    with zipfile.ZipFile(twice, "a") as archive:
        archive.filelist.append(zipfile.ZipInfo("b.csv"))
        for key in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
            setattr(archive.filelist[-1], key, getattr(archive.filelist[0], key))
        archive._didModify = True
    written(
        tmp_path,
        {
            "encrypted.zip": changed(one, 8, 1, 2),
            "huge.zip": changed(one, 24, 2**31 + 1, 4),
            "bzip2.zip": changed(one, 10, zipfile.ZIP_BZIP2, 2),
            "bomb.zip": packed({"a.csv": b"0" * 11 * 2**20}),
            "many.zip": packed({f"{i}.csv": b"" for i in range(1_001)}),
            "overlap.zip": twice.getvalue(),
            "cut.zip": one[:-5],
        },
    )
    found, findings = files(tmp_path)
    assert not found and all(finding.severity == "error" and finding.advice for finding in findings)
    told = {finding.file.partition("/")[0]: finding.message for finding in findings}
    words = {"encrypted": "encrypted", "huge": "2.0 GB", "bzip2": "method", "bomb": "200 to 1", "many": "1,001"}
    words |= {"overlap": "overlap", "cut": "damaged"}
    assert {name: word in told[f"{name}.zip"] for name, word in words.items()} == dict.fromkeys(words, True)

    monkeypatch.setattr(archives, "ARCHIVE_BYTES", 4)
    written(tmp_path, {"sum.zip": packed({"a.csv": b"a,b", "b.csv": b"a,b"})})
    assert "when unpacked" in {finding.file: finding.message for finding in files(tmp_path)[1]}["sum.zip"]


def test_a_directory_that_lies_about_sizes_is_not_believed(tmp_path: Path) -> None:
    written(tmp_path, {"a.zip": changed(packed({"a.csv": b"0" * 30 * 2**20}), 24, 1_000, 4)})
    (file,), _ = files(tmp_path)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"^a\.zip/a\.csv: damaged"):
        file.read()
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    tracemalloc.stop()


def test_a_damaged_member_is_an_error_and_spares_the_others(tmp_path: Path) -> None:
    content = packed({"a.csv": b"a,b\n1,2", "b.csv": b"a,b\n3,4"})
    start = content.index(b"a.csv") + 5
    written(tmp_path, {"a.zip": content[:start] + b"\xff" + content[start + 1 :]})
    bad, good = (grids(file) for file in files(tmp_path)[0])
    assert not bad[0] and bad[1][0].severity == "error" and bad[1][0].file == "a.zip/a.csv"
    assert len(good[0]) == 1 and not good[1]


def test_an_archive_in_an_archive_is_read_a_third_is_not(tmp_path: Path) -> None:
    third = packed({"c.csv": b"a,b"})
    written(tmp_path, {"a.zip": packed({"b.zip": packed({"x.csv": b"a,b\n1,2", "c.zip": third}), "bad.zip": b"PK"})})
    (file,), findings = files(tmp_path)
    assert file.name == "a.zip/b.zip/x.csv" and file.read() == b"a,b\n1,2"
    assert {(f.severity, f.file) for f in findings} == {("error", "a.zip/b.zip/c.zip"), ("error", "a.zip/bad.zip")}


def test_archives_inside_count_towards_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MEMBERS", 3)
    inner = packed({f"{i}.csv": b"" for i in range(3)})
    written(tmp_path, {"a.zip": packed({"b.zip": inner, "c.zip": inner})})
    found, (finding,) = files(tmp_path)
    assert not found and finding.severity == "error" and "archives inside" in finding.message


def test_a_bomb_named_workbook_is_refused_before_it_is_parsed() -> None:
    good = workbook([["a"], [1]])
    bomb = packed(members(good) | {"xl/worksheets/sheet1.xml": b" " * 11 * 2**20})
    assert check_workbook("a.xlsx", good) is None and check_workbook("a.xls", b"not a zip") is None
    finding = check_workbook("a.xlsx", bomb)
    assert finding and finding.severity == "error" and "200 to 1" in finding.message
    assert "200 to 1" in refused("a.xlsx", bomb).message


# text


def test_cells_of_text_are_as_in_the_file() -> None:
    text = 'Stkcd,name,x\n000001, a ,1e3\n"000002","<b>ST</b>&""x""",\n\n3,=1+1,NA\n'
    expected = [
        ["Stkcd", "name", "x"],
        ["000001", " a ", "1e3"],
        ["000002", '<b>ST</b>&"x"', None],
        [None] * 3,
        ["3", "=1+1", "NA"],
    ]
    assert cells("a.csv", text) == expected
    assert cells("a.csv", text.replace("\n", "\r\n")) == expected
    assert cells("a.csv", text.replace("\n", "\r")) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings(encoding: str) -> None:
    (grid,), findings = read("a.csv", "证券代码,数值\n000001,元\n".encode(encoding))
    assert grid.cells.to_numpy().tolist() == [["证券代码", "数值"], ["000001", "元"]]
    assert [str(f) for f in findings] == ([] if "utf-8" in encoding else [f"a.csv: read as {encoding.upper()}"])


def test_the_first_line_that_is_no_text_is_named() -> None:
    good = "证券代码,数值\n000001,元\n".encode()
    assert refused("a.csv", good + b"x,\xff\xff\n" + good).row == 3
    assert refused("a.csv", b"\xef\xbb\xbf" + good + "资产".encode("gb18030") + b"\n").row == 3
    assert refused("a.csv", b"a,b\n1,\0\n").row == 2
    assert refused("a.csv", b"\xff\xfea").row == 1


@pytest.mark.parametrize(("delimiter", "word"), [("\t", "tabs"), (";", "semicolons"), ("|", "bars")])
def test_delimiters(delimiter: str, word: str) -> None:
    rows = [["城市", "a,b", "GDP"], ["北京", "1,234", "2"], ["上海", "", "3"]]
    (grid,), (note,) = read("a.txt", "\n".join(delimiter.join(row) for row in rows))
    assert grid.cells.fillna("").to_numpy().tolist() == rows and word in note.message


def test_the_line_of_excel_that_names_the_delimiter_is_no_row() -> None:
    (grid,), _ = read("a.csv", "sep=;\na;b,c\n1;2,5\n")
    assert grid.cells.index.tolist() == [2, 3] and grid.cells.loc[3].tolist() == ["1", "2,5"]


def test_rows_are_lines_of_the_file_even_when_cells_hold_line_breaks() -> None:
    (grid,), _ = read("a.csv", 'a,b\n1,"x\ny\r\nz"\n\n2,w\n')
    assert grid.cells.index.tolist() == [1, 2, 5, 6]
    assert grid.cells.loc[2, 1] == "x\ny\r\nz" and grid.cells.loc[6].tolist() == ["2", "w"]


def test_ragged_lines() -> None:
    assert cells("a.csv", "title\na,b,c\n1\n2,3\n4,5,6,,,\n") == [
        ["title", None, None],
        ["a", "b", "c"],
        ["1", None, None],
        ["2", "3", None],
        ["4", "5", "6"],
    ]
    error = refused("a.csv", "a,b,c\n1,2,3\n1,2,3\n1,234,5,6\n1,2,3,4,5\n")
    assert error.row == 4 and "4 cells where the others have 3" in error.message


def test_empty_columns_and_rows_at_the_ends_are_cut() -> None:
    assert cells("a.csv", "年份,省份" + "," * 11 + "\n2011,北京" + "," * 11 + "\n" + "," * 12 + "\n\n") == [
        ["年份", "省份"],
        ["2011", "北京"],
    ]


def test_wide_headers_and_long_cells() -> None:
    wide = ",".join(f"{i:0100d}" for i in range(1_000))
    assert cells("a.csv", f"{wide}\n{wide}\n") == [wide.split(",")] * 2
    assert "cannot be taken apart" in refused("a.csv", "a,b\n1," + "x" * 200_000).message


def test_quotation_marks_that_do_not_match_name_the_line() -> None:
    assert refused("a.csv", 'a,b\n1,2\n3,"4\n5,6\n').row == 3
    assert refused("a.csv", 'a,b\n1,"公司"简称"\n').row == 2


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.csv", b"", "empty"),
        ("a.xls", b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        ("a.csv", b"\n<!DOCTYPE html><body>login", "web page"),
        ("a.csv", packed({"a": b"b"}), "not what its name says"),
        ("a.xlsx", b"PK\3\4 and no more", "damaged"),
        ("a.dta", b"stkcd,year\n1,2011", "cannot be read"),
        ("a.csv", b"a," * 20_000 + b"b\n1", "20,001 cells"),
        ("a.csv", b"a," * 9_000 + b"b\n" + b"1\n" * 90_000, "far shorter"),
    ],
)
def test_what_is_no_table_is_refused(name: str, content: bytes, word: str) -> None:
    assert word in refused(name, content).message


def test_blank_text_is_a_note() -> None:
    found, (note,) = read("a.csv", "\n , \n,\n".replace(" ", ""))
    assert not found and note.severity == "note" and note.message == "empty"


def test_text_named_xls_is_read_as_text() -> None:
    (grid,), findings = read("a.xls", "证券代码\t资产\n000001\t5\n".encode("gb18030"))
    assert grid.cells.loc[2].tolist() == ["000001", "5"]
    assert {f.severity for f in findings} == {"note"} and any("text named .xls" in f.message for f in findings)


def test_sidecars_name_columns_and_are_no_grids() -> None:
    text = "Stkcd [证券代码] - 以交易所公布的为准。\r\nA001000000 [资产总计] - 总计。\r\n再一行\r\nX [增长率[%]]"
    name = "资产.zip/FS_Combas[DES][xlsx].txt"
    file = File(name, 1, lambda: text.encode("utf-8-sig"))
    assert is_sidecar(name) and not is_sidecar("FS_Combas.txt")
    assert sidecar(file) == {"Stkcd": "证券代码", "A001000000": "资产总计", "X": "增长率[%]"}
    assert grids(file) == ([], [])
    assert sidecar(File(name, 1, lambda: b"\xff")) == {}
    assert read(name, "nothing of the kind")[1][0].severity == "warning"


# workbooks


def test_cells_of_workbooks() -> None:
    big = 2**53
    content = workbook(
        [
            [],
            [None, "Stkcd", "n", "day", "time", "flag", "text", None],
            [None, "000001", 7, pd.Timestamp("2007-12-31"), pd.Timestamp("2007-12-31 05:06"), True, " a&b<i> "],
            [None, "12345678901234567890", big + 3.0, None, None, False, ""],
            [None, None],
        ]
    )
    assert cells("a.xlsx", content) == [
        [None, "Stkcd", "n", "day", "time", "flag", "text"],
        [None, "000001", 7.0, "2007-12-31", "2007-12-31 05:06:00", 1.0, " a&b<i> "],
        [None, "12345678901234567890", float(big + 3), None, None, 0.0, None],
    ]
    assert read("a.xlsx", content)[0][0].cells.index.tolist() == [2, 3, 4]


def test_all_sheets_are_read_and_hidden_ones_named() -> None:
    book = openpyxl.load_workbook(BytesIO(workbook([["a"]], 全市=[["b", 1]], leer=[])))
    book["全市"].sheet_state = "veryHidden"
    book.create_chartsheet("chart")
    out = BytesIO()
    book.save(out)
    found, findings = read("a.xlsx", out.getvalue())
    assert [(grid.sheet, grid.cells.shape) for grid in found] == [("sheet1", (1, 1)), ("全市", (1, 2))]
    assert {(f.sheet, f.severity) for f in findings} == {("全市", "note"), ("leer", "note"), ("chart", "note")}


def sheet_xml(rows: str) -> bytes:
    content = members(workbook([["x"]]))
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'
    return packed(content | {"xl/worksheets/sheet1.xml": sheet.encode()})


def test_error_cells_and_formulas_without_values_are_missing_with_a_warning() -> None:
    saved = '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1" t="str"><f>"a"</f><v>a</v></c></row>'
    assert cells("a.xlsx", sheet_xml(saved)) == [[2.0, "a"]]
    errors = '<row r="2"><c r="A2" s="1" t="e"><f>NA()</f><v>#N/A</v></c><c r="B2"><f>A1</f><v></v></c>'
    errors += '<c r="C2" t="e"><v>#REF!</v></c><c r="D2"><v>1</v></c></row>'
    (grid,), findings = read("a.xlsx", sheet_xml(saved + errors))
    assert grid.cells.loc[2].isna().tolist() == [True, True, True, False]
    places = {(f.severity, f.sheet, f.row, f.column, "never computed" in f.message) for f in findings}
    assert places == {("warning", "sheet1", 2, "A", False), ("warning", "sheet1", 2, "B", True)}


def test_cells_cut_in_two_while_scanning_are_found() -> None:
    rows = "".join(
        f'<row r="{i}"><c r="A{i}" t="inlineStr"><is><t>{i:0200d}</t></is></c></row>' for i in range(1, 9_000)
    )
    (_,), findings = read("a.xlsx", sheet_xml(f'{rows}<row r="9000"><c r="A9000" t="e"><v>#N/A</v></c></row>'))
    assert [(f.severity, f.row, f.column) for f in findings] == [("warning", 9_000, "A")]


def test_formulas_in_text_stay_text_and_are_not_evaluated() -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("s")
    cell = WriteOnlyCell(sheet, "=1+1")
    cell.data_type = "s"
    sheet.append([cell, "=HYPERLINK"[1:]])
    out = BytesIO()
    book.save(out)
    assert cells("a.xlsx", out.getvalue()) == [["=1+1", "HYPERLINK"]]


def test_macros_and_external_links_are_named() -> None:
    extra = {"xl/vbaProject.bin": b"x", "xl/externalLinks/externalLink1.xml": b"<x/>"}
    found, findings = read("a.xlsm", packed(members(workbook([["x"]])) | extra))
    assert len(found) == 1 and {f.severity for f in findings} == {"note"}
    assert {word for f in findings for word in ("macros", "links to other") if word in f.message} == {
        "macros",
        "links to other",
    }


def test_passwords_are_named() -> None:
    ole = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(504) + "EncryptedPackage".encode("utf-16-le")
    assert "password" in refused("a.xlsx", ole).message


def test_a_workbook_of_excel_97() -> None:
    found = cells("a.xls", VALID["a.xls"])
    assert found[0][:2] == ["Model", "SeriesID"] and found[1][:2] == [1.0, "GDPC1"]


def test_a_sheet_that_claims_both_of_its_corners_does_not_take_the_reader_down() -> None:
    corner = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="{}1048576"><v>1</v></c></row>'
    assert "spread" in refused("a.xlsx", sheet_xml(corner.format("XFD"))).message


def test_an_open_document_that_is_cut_off_does_not_keep_the_reader_for_ever() -> None:
    content = members(VALID["a.ods"])
    whole = content["content.xml"]
    for cut in (whole[:-150], whole.replace(b"</table:table>", b"</table:tabl>"), whole[: len(whole) // 2]):
        assert "damaged" in refused("a.ods", packed(content | {"content.xml": cut})).message


def test_a_damaged_sheet_spares_the_others() -> None:
    content = members(workbook([["x"]], second=[["y"]]))
    broken = packed(content | {"xl/worksheets/sheet1.xml": content["xl/worksheets/sheet1.xml"][:-150]})
    found, findings = read("a.xlsx", broken)
    assert [grid.sheet for grid in found] == ["second"]
    assert [(f.severity, f.sheet) for f in findings] == [("error", "sheet1")]


# Stata


def test_stata_names_labels_and_missing_codes() -> None:
    frame = pd.DataFrame({"stkcd": [2.0, None], "年份": [2011, 2012], "name": ["甲", ""]})
    (grid,), findings = read("a.dta", stata(frame, version=118, variable_labels={"stkcd": "证券代码"}))
    assert not findings and grid.labels == {"stkcd": "证券代码"}
    assert grid.cells.index.tolist() == [1, 2, 3]
    assert grid.cells.loc[1].tolist() == ["stkcd", "年份", "name"] and grid.cells.loc[2].tolist() == [2.0, 2011.0, "甲"]
    assert grid.cells.loc[3].isna().tolist() == [True, False, True]


def test_stata_dates_are_text_and_years_numbers() -> None:
    days = pd.to_datetime(["2011-12-31", None, "2013-01-01"])
    years = pd.to_datetime(["2011-01-01", "2012-01-01", None])
    (grid,), _ = read(
        "a.dta", stata(pd.DataFrame({"day": days, "year": years}), convert_dates={"day": "td", "year": "ty"})
    )
    assert grid.cells.loc[2].tolist() == ["2011-12-31", 2011.0] and grid.cells.loc[4, 0] == "2013-01-01"
    assert grid.cells.loc[3].isna().tolist() == [True, False] and pd.isna(grid.cells.loc[4, 1])


def test_stata_words_for_numbers_are_left_aside_with_a_note() -> None:
    frame = pd.DataFrame({"type": pd.Categorical(["国企", "民企"]), "x": [1, 2]})
    (grid,), (note,) = read("a.dta", stata(frame, version=118))
    assert grid.cells[0].tolist() == ["type", 0.0, 1.0] and note.severity == "note" and "type" in note.message


def test_chinese_text_of_old_stata_files() -> None:
    frame = pd.DataFrame({"city": ["北京市".encode("gb18030").decode("latin-1"), "b"]})
    content = stata(frame, version=114, variable_labels={"city": "城市".encode("gb18030").decode("latin-1")})
    (grid,), (note,) = read("a.dta", content)
    assert grid.cells[0].tolist() == ["city", "北京市", "b"] and grid.labels == {"city": "城市"}
    assert note.severity == "note" and "GB18030" in note.message


# anything


VALID = fuzz_readers.samples()


def test_undamaged_samples_are_read(tmp_path: Path) -> None:
    for name, content in VALID.items():
        assert not any(f.severity == "error" for f in fuzz_readers.run(name, content, tmp_path)), name


@pytest.mark.parametrize("number", [1221, 2498, 28389, 43815])
def test_cases_that_failed_once(number: int, tmp_path: Path) -> None:
    fuzz_readers.run(*fuzz_readers.case(number, VALID), tmp_path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=200, derandomize=True, deadline=None)
@given(number=st.integers(0, 2**32))
def test_damaged_files_are_findings_never_exceptions(number: int, scratch: Path) -> None:
    fuzz_readers.run(*fuzz_readers.case(number, VALID), scratch)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(rows=st.lists(st.lists(TEXTS, min_size=2, max_size=4), min_size=1, max_size=6), mark=st.sampled_from(",\t;|"))
def test_quoted_text_comes_back_as_it_was_written(rows: list[list[str]], mark: str) -> None:
    rows = [["city", "year", "a", "b"], *(row + [""] * (4 - len(row)) for row in rows)]
    text = "\n".join(mark.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    (grid,), _ = read("a.csv", text)
    found = grid.cells.fillna("").to_numpy().tolist()
    while not any(rows[-1]):
        rows.pop()
    assert found == rows
