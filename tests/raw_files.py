"""Write export files as CSMAR, CNRDS, yearbooks, compiled panels and CEADs make them, with their quirks planted.

Every writer takes a frame with one row per unit and year and returns ``kept``: the same keys and values as the file
keeps them, sorted by key, so that what a reader finds can be compared to the last digit. Keys are named ``firm``
(number), ``city`` and ``province`` (six-digit codes), ``city_name``, ``province_name`` and ``year``; values are numbers
(missing: NaN) or, in tables of firms, text. Planted rows and columns (parent company, half-years, opening balances,
city districts, sub-totals) carry other numbers than the true ones: a reader that takes one of them is found out. The
same frame gives the same bytes.

``python tests/raw_files.py <folder>`` writes one small file of each kind.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter

Triples = Mapping[str, tuple[str, str, str]]

MARKUP = '<b>ST</b>&"x"'  # a name that must be escaped on a page
FORMULA_LIKE = "=1+1"  # a name that is text although it begins like a formula
NO_UNIT = "没有单位"
LABELS = {
    "Stkcd": "证券代码",
    "Symbol": "股票代码",
    "ShortName": "证券简称",
    "Accper": "统计截止日期",
    "EndDate": "统计截止日期",
    "Typrep": "报表类型",
}


def csmar_xlsx(
    path: Path,
    frame: pd.DataFrame,
    fields: Triples,
    *,
    header_rows: int = 3,
    accper: str = "Accper",
    typrep: bool = True,
    opening: bool = True,
    interim: bool = True,
    short_name: bool = True,
) -> pd.DataFrame:
    """Write a CSMAR table of firms, Chinese interface; ``fields`` is column -> (code, label, unit).

    With three header rows the sidecar is written beside it; with one the headers are in lower case, as users leave them
    who have been through Stata (pass English names as codes for tables edited further). The first value of the third
    true row is a formula whose saved value is the true one and whose result is not. ``accper="EndDate"`` gives a table
    whose key is Symbol and EndDate.
    """
    header, rows, kept = _firm_rows(frame, fields, accper, typrep, opening, interim, short_name, "-")
    top = _three_headers(header, fields)
    if header_rows == 1:
        top = [[code.lower() for code in header]]
    else:
        _sidecar(path, "xlsx", [(code, label, "") for code, label, _ in zip(*top, strict=True)])
    true = [i for i, (annual, _) in enumerate(rows) if annual][:3][-1]
    number = next((i for i, cell in enumerate(rows[true][1]) if isinstance(cell, float) and cell == cell), None)
    formula = "" if number is None else f"{get_column_letter(number + 1)}{len(top) + true + 1}"
    _workbook(path, {"sheet1": [*top, *(row for _, row in rows)]}, formula=formula)
    return kept


def csmar_txt(path: Path, frame: pd.DataFrame, fields: Triples, *, delimiter: str = "\t") -> pd.DataFrame:
    """Write a CSMAR table of firms as text with label and unit rows; dates as in older exports (``2007/12/31``)."""
    header, rows, kept = _firm_rows(frame, fields, "Accper", True, True, True, True, "/")
    _text(path, [*_three_headers(header, fields), *(row for _, row in rows)], "utf-8", delimiter=delimiter)
    return kept


def csmar_csv(path: Path, frame: pd.DataFrame, fields: Triples) -> pd.DataFrame:
    """Write a CSMAR regional table, English interface, and its sidecar; of provinces when there is no ``city``.

    Numbers keep four decimals. Units stand only in the sidecar, ``%`` in the label and others in the explanation, and
    names are those of ``city_name`` and ``province_name`` with "(city)" added in the three ways that were seen.
    """
    of_city = "city" in frame
    keys = [("Sgnyea", "Year Sign", "")]
    if of_city:
        keys += [("Ctnm_en", "Name Of City", ""), ("Ctnm_id", "City Code", "")]
        keys += [("Cttyp_en", "City Classification", "")]
    keys += [("Prvcnm_id", "Province Sign", ""), ("Prvcnm_en", "Name Of Province", "")]
    key = ["city" if of_city else "province", "year"]
    frame = frame.sort_values(key)
    kept = frame[[*key, *fields]].reset_index(drop=True)
    texts = {column: [_decimals(value) for value in frame[column]] for column in fields}
    rows: list[list[str]] = []
    for i, record in enumerate(frame.to_dict("records")):
        unit = record["city"] if of_city else record["province"]
        row = [str(record["year"])]
        if of_city:
            row += [record["city_name"] + (" (city)", "(city)", "(city) ")[i % 3], str(unit)]
            row += [("City (Sub-provincial level)", "Prefectural level")[i % 2]]
        rows.append([*row, str(unit // 10_000 * 10_000), record["province_name"], *(texts[c][i] for c in fields)])
    header = [code for code, _, _ in [*keys, *fields.values()]]
    _text(path, [header, *rows], "utf-8-sig", quoting=csv.QUOTE_ALL)
    _sidecar(path, "csv", [*keys, *(_explained(*field) for field in fields.values())])
    return kept.assign(**{column: [float(text or "nan") for text in texts[column]] for column in fields})


def zipped(
    path: Path,
    members: Mapping[str, bytes | Path],
    *,
    folder: str = "资产负债表172234437(仅供北京交通大学使用)",
    with_copyright: bool = True,
) -> None:
    """Pack files as CSMAR's downloads are: Chinese names in GB18030 not marked so; sidecars of files come along."""
    packed = {
        name: content if isinstance(content, bytes) else content.read_bytes() for name, content in members.items()
    }
    for content in members.values():
        if isinstance(content, Path):
            beside = [file for file in content.parent.iterdir() if file.name.startswith(f"{content.stem}[DES]")]
            packed |= {file.name: file.read_bytes() for file in sorted(beside)}
    if with_copyright:
        packed["版权声明.pdf"] = b"%PDF-1.4\n%%EOF\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in packed.items():
            archive.writestr(_ChineseName(f"{folder}/{name}" if folder else name), content, zipfile.ZIP_DEFLATED)


def cnrds_long(path: Path, frame: pd.DataFrame, indicators: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Write CNRDS's long layout: a junk row, then one row per indicator, city and year; all cells are text.

    ``indicators`` is column -> (name, unit); the unit follows the name in brackets. A missing value is an empty cell or
    an absent row.
    """
    frame = frame.sort_values(["city", "year"])
    rows: list[list[str | None]] = [
        ["CNRDS 中国研究数据服务平台"],
        ["指标", "数值", "年份", "省份", "地区", "地区编码"],
    ]
    for column, (name, unit) in indicators.items():
        for i, record in enumerate(frame.to_dict("records")):
            value = record[column]
            if value == value or i % 2:
                text = repr(float(value)) if value == value else None
                place = [record["province_name"], record["city_name"], str(record["city"])]
                rows.append([f"{name}({unit})" if unit else name, text, str(record["year"]), *place])
    _workbook(path, {"sheet1": rows})
    return frame[["city", "year", *indicators]].reset_index(drop=True)


def yearbook(
    path: Path,
    frame: pd.DataFrame,
    columns: Triples,
    *,
    year_sheets: bool = True,
    zero_for: Iterable[str] = (),
) -> pd.DataFrame:
    """Write sheets of the City Statistical Yearbook; ``columns`` is column -> (Chinese header, English header, unit).

    Sheets differ. The first, third, ... have two blocks side by side (a province may go on in the second); the second,
    fourth, ... have provinces without 省 (吉林 is one). The second spells the key header 城巾; the third spells it 程市
    and is named after the edition, a year after its data. The unit of most columns stands in the corner, right or left;
    the two scopes have three pairs of names; gaps are empty or "—". All have title rows, merged bilingual headers,
    other numbers for the city districts, a grand total, provincial sub-totals (not for municipalities), blanks inside
    names, names without 市, and notes at the end. Without ``year_sheets`` all years stand in one sheet with a column
    年份. Missing values of ``zero_for`` are printed as zeros, and zeros of theirs are kept as missing.
    """
    zeros = set(zero_for)
    frame = frame.sort_values(["year", "city"])
    sheets: dict[str, list[list[Any]]] = {}
    merged: dict[str, list[str]] = {}
    parts = [(str(year), part) for year, part in frame.groupby("year")]
    if not year_sheets:
        parts = [(f"{frame['year'].min()}—{frame['year'].max()}", frame)]
    for n, (years, part) in enumerate(parts):
        keys = [("城市", "城巾", "程市", "地市")[n % 4]] if year_sheets else ["年份", "城市"]
        blocks = 2 if year_sheets and n % 2 == 0 else 1
        head, areas = _yearbook_header(n, keys, columns, blocks, years)
        suffix = "省" if n % 2 else ""
        body = [
            row
            for _, year in part.groupby("year")
            for row in _yearbook_rows(year, columns, zeros, suffix, len(keys) == 2)
        ]
        half = -(-len(body) // blocks)
        blank: list[Any] = [None] * len(body[0])
        side_by_side = zip_longest(*(body[k * half : (k + 1) * half] for k in range(blocks)), fillvalue=blank)
        notes = [["注：本表数据不含港澳台。"], ["资料来源：合成数据，并非真实统计。"]]
        name = f"年鉴{int(years) + 1}" if year_sheets and n % 3 == 2 else f"{years}年"
        sheets[name] = [*head, *([cell for row in rows for cell in row] for rows in side_by_side), *notes]
        merged[name] = areas
    _workbook(path, sheets, merged)
    kept = frame[["city", "year", *columns]].sort_values(["city", "year"]).reset_index(drop=True)
    return kept.assign(**{column: kept[column].replace(0.0, np.nan) for column in columns if column in zeros})


def compiled_csv(
    path: Path,
    frame: pd.DataFrame,
    headers: Mapping[str, str],
    *,
    encoding: str = "gb18030",
    empty_columns: int = 11,
) -> pd.DataFrame:
    """Write a compiled panel of cities as users pass it on; brackets in headers are half-width, full-width or mixed."""
    frame = frame.sort_values(["city", "year"])
    mixed = [
        header.replace("(", "（" if i % 3 else "(").replace(")", "）" if i % 3 == 1 else ")")
        for i, header in enumerate(headers.values(), 1)
    ]
    rows: list[list[Any]] = [["年份", "省份", "城市", "省份代码", "城市代码", *mixed, *[""] * empty_columns]]
    for record in frame.to_dict("records"):
        code = record["city"]
        key = [record["year"], record["province_name"], record["city_name"], code // 10_000 * 10_000, code]
        rows.append([*key, *(record[column] for column in headers), *[""] * empty_columns])
    _text(path, rows, encoding)
    return frame[["city", "year", *headers]].reset_index(drop=True)


def unit_column_csv(path: Path, frame: pd.DataFrame, column: str, header: str, unit: str) -> pd.DataFrame:
    """Write a panel of one variable whose unit stands in a column of its own; names without 市 and no codes."""
    frame = frame.sort_values(["city", "year"])
    rows: list[list[Any]] = [["year", "地级市", header, "单位", "数据来源"]]
    for year, name, value in zip(frame["year"], frame["city_name"], frame[column], strict=True):
        rows.append([year, name.removesuffix("市"), value, unit, "合成数据"])
    _text(path, rows, "utf-8-sig")
    return frame[["city", "year", column]].reset_index(drop=True)


def stata(path: Path, frame: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Write a Stata file: names are the labels without brackets and blanks, cut at 32; labels as given.

    Firms have a numeric ``Stkcd``, ``Year`` and, with a column ``city``, a text ``Citycd``; cities names and codes.
    """
    if "firm" in frame:
        key = ["firm", "year"]
        frame = frame.sort_values(key)
        data = {"Stkcd": frame["firm"].astype(float), "Year": frame["year"]}
        data |= {"Citycd": frame["city"].astype(str)} if "city" in frame else {}
    else:
        key = ["city", "year"]
        frame = frame.sort_values(key)
        data = {"年份": frame["year"], "省份": frame["province_name"], "城市": frame["city_name"]}
        data |= {"城市代码": frame["city"]}
    names = {column: re.sub(r"\W", "", label)[:32] for column, label in labels.items()}
    data |= {name: frame[column].astype(float) for column, name in names.items()}
    pd.DataFrame(data).to_stata(
        path,
        write_index=False,
        version=118,
        time_stamp=datetime(2024, 1, 1),
        variable_labels={names[column]: label for column, label in labels.items()},
    )
    return frame[[*key, *labels]].reset_index(drop=True)


def ceads(path: Path, frame: pd.DataFrame, column: str = "emission") -> pd.DataFrame:
    """Write CEADs' workbook of city emissions: a note, the values as a vector and the same values as a matrix."""
    frame = frame.sort_values(["city", "year"])
    suffix = r"(省|市|(壮族|回族|维吾尔)?自治区)$"
    names = [
        re.sub(suffix, "", province) + ("" if code % 10_000 == 0 else city.removesuffix("市"))
        for code, province, city in zip(frame["city"], frame["province_name"], frame["city_name"], strict=True)
    ]
    vector = frame.assign(name=names)[["name", "year", column]]
    wide = vector.pivot(index="name", columns="year", values=column).reindex(list(dict.fromkeys(names)))
    sheets: dict[str, list[list[Any]]] = {
        "NOTE": [["Synthetic data in the form of CEADs' city inventories"], ["Unit: million tonnes (百万吨)"]],
        "emission vector": [["ID", "city", "year", "emission"]],
        "emission matrix": [["city", *wide.columns.tolist()]],
    }
    sheets["emission vector"] += [[f"{name}{year}", name, year, value] for name, year, value in vector.to_numpy(object)]
    sheets["emission matrix"] += [[name, *row] for name, row in zip(wide.index, wide.to_numpy().tolist(), strict=True)]
    _workbook(path, sheets)
    return frame[["city", "year", column]].reset_index(drop=True)


def _firm_rows(
    frame: pd.DataFrame,
    fields: Triples,
    accper: str,
    typrep: bool,
    opening: bool,
    interim: bool,
    short_name: bool,
    dash: str,
) -> tuple[list[str], list[tuple[bool, list[Any]]], pd.DataFrame]:
    """Return the codes, the rows (each with whether it is a true one, and its cells), and what is kept."""
    frame = frame.sort_values(["firm", "year"])
    kept = frame[["firm", "year", *fields]].reset_index(drop=True)
    header = ["Symbol" if accper == "EndDate" else "Stkcd"]
    header += ["ShortName"] * short_name + [accper] + ["Typrep"] * typrep + [code for code, _, _ in fields.values()]
    odd_names = dict(zip(frame["firm"].drop_duplicates(), (MARKUP, FORMULA_LIKE), strict=False))
    first_day, half_year = ("/1/1", "/6/30") if dash == "/" else ("-01-01", "-06-30")
    rows = []
    for i, (firm, year, *values) in enumerate(kept.astype(object).to_numpy().tolist()):
        dated = [(f"{year}{first_day}", "A", 0.9)] * (opening and i % 4 == 0)
        dated += [(f"{year}{half_year}", "A", 0.5)] * (interim and i % 6 == 1)
        dated += [(f"{year}{dash}12{dash}31", "A", 1.0)]
        dated += [(f"{year}{dash}12{dash}31", "B", 0.6)] * (typrep and i % 5 == 2)
        for date, report, times in dated:
            row = [f"{firm:06d}"] + [odd_names.get(firm, f"公司{firm}")] * short_name + [date] + [report] * typrep
            rows.append((times == 1.0, row + [v if isinstance(v, str) else v * times for v in values]))
    return header, rows, kept


def _three_headers(header: list[str], fields: Triples) -> list[list[str]]:
    """Return the codes, their labels and their units; a key has none, nor has a field that says so."""
    named = {code: (label, unit or NO_UNIT) for code, label, unit in fields.values()}
    named |= {code: (label, NO_UNIT) for code, label in LABELS.items()}
    return [header, [named[code][0] for code in header], [named[code][1] for code in header]]


def _explained(code: str, label: str, unit: str) -> tuple[str, str, str]:
    """Return code, label and explanation of a field of the English interface."""
    if unit == "%":
        return code, f"{label} (%)", ""
    return code, label, f"(unit: {unit})" if unit else ""


def _sidecar(path: Path, kind: str, fields: Iterable[tuple[str, str, str]]) -> None:
    """Write ``TABLE[DES][kind].txt`` beside a table; its last line has no end, as those that were seen."""
    lines = "\r\n".join(f"{code} [{label}] - {explanation}" for code, label, explanation in fields)
    path.with_name(f"{path.stem}[DES][{kind}].txt").write_bytes(lines.encode("utf-8-sig"))


def _yearbook_header(
    n: int, keys: list[str], columns: Triples, blocks: int, years: str
) -> tuple[list[list[str | None]], list[str]]:
    """Return title and header rows of the ``n``-th sheet, and the areas to merge."""
    scopes = [("全市", "市辖区"), ("地区", "市区"), ("包括市辖县", "不包括市辖县")][n % 3]
    units = [unit for _, _, unit in columns.values()]
    corner = units[0] if all(units) else ""  # a unit in the corner would be that of a column without any
    width = blocks * (len(keys) + 2 * len(columns))
    rows: list[list[str | None]] = [[f"2-13 主要经济指标（{years}年）"], [f"Main Economic Indicators ({years})"]]
    if corner:
        rows.append([*[None] * (width - 1 if n % 2 == 0 else 0), f"单位：{corner}"])
    top = len(rows) + 1
    chinese: list[str | None] = []
    english: list[str | None] = []
    scope: list[str | None] = []
    areas = []
    for _ in range(blocks):
        for key in keys:
            # a key header is either bilingual or merged over all header rows
            if n % 2:
                letter = get_column_letter(len(chinese) + 1)
                areas.append(f"{letter}{top}:{letter}{top + 2}")
            chinese.append(key)
            english.append(None if n % 2 else "Year" if key == "年份" else "City")
            scope.append(None)
        for i, (zh, en, unit) in enumerate(columns.values()):
            left, right = get_column_letter(len(chinese) + 1), get_column_letter(len(chinese) + 2)
            areas += [f"{left}{top}:{right}{top}", f"{left}{top + 1}:{right}{top + 1}"]
            bracketed = "" if unit in ("", corner) else f"（{unit}）" if i % 2 else f"({unit})"
            chinese += [zh + bracketed, None]
            english += [en or None, None]
            scope += [f"{scopes[0]}\nTotal City", f"{scopes[1]}\nDistricts under City"]
    return [*rows, chinese, english, scope], areas


def _yearbook_rows(
    frame: pd.DataFrame, columns: Triples, zeros: set[str], suffix: str, with_year: bool
) -> list[list[Any]]:
    """Return the rows of one year: the grand total, then each province (without ``suffix``) and its cities."""
    year = [int(frame["year"].iloc[0])] if with_year else []

    def row(name: str, values: Mapping[str, float], gap: str | None) -> list[Any]:
        cells: list[Any] = [*year, name]
        for column in columns:
            value = values[column]
            if value == value:
                cells += [value, value * 0.4]
            else:
                cells += [0, 0] if column in zeros else [gap, gap]
        return cells

    rows = [row("合 计", frame[list(columns)].sum().to_dict(), None)]
    i = 0
    for code, cities in frame.groupby(frame["city"] // 10_000 * 10_000):
        if (cities["city"] != code).any():  # a municipality is its own province
            province = cities["province_name"].iloc[0].removesuffix(suffix)
            rows.append(row(province, cities[list(columns)].sum().to_dict(), None))
        for record in cities.to_dict("records"):
            name = record["city_name"]
            name = name.removesuffix("市") if i % 3 == 1 else name
            blank = " " if i % 8 == 2 else "\u3000"
            name = blank.join(name) if i % 4 == 2 else name
            rows.append(row(name, record, "—" if i % 2 else None))
            i += 1
    return rows


def _decimals(value: float) -> str:
    return f"{value:.4f}" if value == value else ""


def _text(path: Path, rows: Iterable[Sequence[Any]], encoding: str, **form: Any) -> None:
    """Write separated text with Windows line ends; floats with all digits, missing values as nothing."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, **form)
        writer.writerows([["" if cell != cell else cell for cell in row] for row in rows])


def _workbook(
    path: Path,
    sheets: Mapping[str, Iterable[Sequence[Any]]],
    merged: Mapping[str, Iterable[str]] | None = None,
    formula: str = "",
) -> None:
    """Write a workbook without sheet dimensions, default style or varying dates.

    The cell ``formula`` of the first sheet becomes a formula whose saved value is the number that was there.
    """
    book = Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for area in (merged or {}).get(name, ()):
            sheet.merged_cells.add(area)
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    buffer = io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as made, zipfile.ZipFile(path, "w") as out:
        for name in made.namelist():
            text = made.read(name).decode("utf-8")
            if name == "docProps/core.xml":
                text = re.sub(r">[0-9T:-]+Z<", ">2024-01-01T00:00:00Z<", text)
            if name == "xl/styles.xml":
                text = re.sub(r"<cellStyles.*</cellStyles>", "", text)
            if name == "xl/worksheets/sheet1.xml" and formula:
                text = re.sub(rf'(<c r="{formula}"[^>]*>)<v>', r"\1<f>SUM(1,1)</f><v>", text, count=1)
            out.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)


def _cell(sheet: Any, value: Any) -> WriteOnlyCell | str | None:
    """Return a cell of text or of a number with all its digits (openpyxl itself writes 16, a double may need 17)."""
    if value is None or value != value:
        return None
    text = isinstance(value, str)
    if text and not value.startswith("="):
        return value
    cell = WriteOnlyCell(sheet, value if text else repr(value))
    cell.data_type = "s" if text else "n"
    return cell


class _ChineseName(zipfile.ZipInfo):
    """An archive member whose name is in GB18030 without a mark, as Chinese versions of Windows write it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # zipfile has no public way to leave the mark out
        return self.filename.encode("gb18030"), self.flag_bits & ~0x800


def demonstrate(folder: Path) -> dict[str, pd.DataFrame]:
    """Write one small file of each kind; return what each keeps, by name of the file. The values are synthetic."""
    places = [
        (110000, "北京市", "北京市", "Beijing"),
        (220100, "长春市", "吉林省", "Changchun"),
        (220200, "吉林市", "吉林省", "Jilin"),
        (330100, "杭州市", "浙江省", "Hangzhou"),
        (330200, "宁波市", "浙江省", "Ningbo"),
        (330300, "温州市", "浙江省", "Wenzhou"),
        (420600, "襄樊市", "湖北省", "Xiangyang"),
        (650200, "克拉玛依市", "新疆维吾尔自治区", "Karamay"),
    ]
    rng = np.random.default_rng(8)
    years = range(2009, 2014)
    renamed = {(420600, year): "襄阳市" for year in years if year > 2010}
    cities = pd.DataFrame(
        [
            {"city": code, "city_name": renamed.get((code, year), name), "province_name": province, "year": year}
            for code, name, province, _ in places
            for year in years
        ]
    )
    cities["gdp"] = np.exp(rng.normal(16, 1, len(cities)))
    cities["fdi"] = np.exp(rng.normal(10, 1, len(cities)))
    cities["emission"] = np.exp(rng.normal(3, 1, len(cities)))
    cities.loc[rng.choice(len(cities), 4, replace=False), "fdi"] = np.nan
    english = cities.assign(city_name=cities["city"].map({code: en for code, _, _, en in places}))
    firms = pd.DataFrame([{"firm": firm, "year": year} for firm in (1, 2, 63, 300750, 600000) for year in years])
    firms["assets"] = np.exp(rng.normal(22, 1, len(firms)))
    firms["debts"] = firms["assets"] * rng.uniform(0.2, 0.8, len(firms))
    firms.loc[7, "debts"] = np.nan
    firms["city"] = firms["firm"].map(dict(zip(firms["firm"].unique(), cities["city"].unique(), strict=False)))
    firms["city_text"] = firms["city"].astype(str)
    prices = pd.DataFrame({"province": 330000, "province_name": "Zhejiang", "year": years, "cpi": 102.123456})
    balance = {"assets": ("A001000000", "资产总计", "元"), "debts": ("A002000000", "负债合计", "元")}
    basic = {"city_text": ("CityCode", "所属城市代码", NO_UNIT)}
    gdp_fdi = {"gdp": ("地区生产总值", "Gross Regional Product", "万元")}
    gdp_fdi |= {"fdi": ("当年实际使用外资金额", "Amount of Foreign Capital Actually Utilized", "万美元")}

    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        "FS_Combas.xlsx": csmar_xlsx(folder / "FS_Combas.xlsx", firms, balance),
        "edited.xlsx": csmar_xlsx(
            folder / "edited.xlsx",
            firms,
            {"assets": ("total_assets", "", ""), "debts": ("total_debts", "", "")},
            header_rows=1,
        ),
        "STK_LISTEDCOINFOANL.xlsx": csmar_xlsx(
            folder / "STK_LISTEDCOINFOANL.xlsx",
            firms,
            basic,
            accper="EndDate",
            typrep=False,
            opening=False,
            interim=False,
        ),
        "FS_Combas.txt": csmar_txt(folder / "FS_Combas.txt", firms, balance),
        "CRE_Gdpct.csv": csmar_csv(folder / "CRE_Gdpct.csv", english, {"gdp": ("Gdpct01", "Gdp", "100 million")}),
        "CRE_Pi01.csv": csmar_csv(
            folder / "CRE_Pi01.csv", prices, {"cpi": ("Pi0101", "Consumer Price Index (Last Year = 100)", "")}
        ),
        "cnrds.xlsx": cnrds_long(
            folder / "cnrds.xlsx", cities, {"gdp": ("地区生产总值", "万元"), "fdi": ("外资", "万美元")}
        ),
        "yearbook.xlsx": yearbook(folder / "yearbook.xlsx", cities, gdp_fdi, zero_for=["fdi"]),
        "yearbook_years.xlsx": yearbook(folder / "yearbook_years.xlsx", cities, gdp_fdi, year_sheets=False),
        "compiled.csv": compiled_csv(
            folder / "compiled.csv",
            cities,
            {"gdp": "地区生产总值(万元)", "fdi": "实际使用外资(万美元)", "emission": "碳排放量(百万吨)"},
        ),
        "fdi.csv": unit_column_csv(folder / "fdi.csv", cities, "fdi", "外商直接投资", "万美元"),
        "cities.dta": stata(
            folder / "cities.dta", cities, {"gdp": "地区生产总值(万元) Gross Regional Product (10000 yuan)"}
        ),
        "firms.dta": stata(folder / "firms.dta", firms, {"assets": "资产总计(元)", "debts": "负债合计(元)"}),
        "ceads.xlsx": ceads(folder / "ceads.xlsx", cities),
    }
    zipped(folder / "资产负债表172234437.zip", {"FS_Combas.xlsx": folder / "FS_Combas.xlsx"})
    return kept


if __name__ == "__main__":
    for name, values in demonstrate(Path(sys.argv[1])).items():
        print(f"{name}: {len(values)} rows")
