"""From the cells of a sheet to tables with one header, for the layouts in which Chinese sources come.

``csmar``
    Field codes, then labels and units in two more rows or in a description file; half-years, opening balances and
    parent companies' statements beside the rows wanted.
``long``
    CNRDS: one row per indicator, place and year, below a junk row; turned into one column per indicator.
``yearbook``
    Title rows, a unit in the corner, bilingual headers over several merged rows, blocks side by side, sub-totals.
``matrix``
    One column per year; turned into one row per place and year.
``panel``
    One header row, one row per unit and year.

Nothing raises on odd content: what is no table gives a note, and what is doubtful a warning or an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd

from pilotzones.readers import units
from pilotzones.readers.tables import Field, Finding, Grid, Table

TOP = 14  # headers end within so many rows that are not empty
HEADER_ROWS = 4  # of a yearbook's sheet, at most

CITY = frozenset([
    "城市", "城市名称", "城市名", "地市", "地级市", "地级市名称", "市名称", "市", "地区", "地区名称", "所属城市",
    "city", "cities", "cityname",
])  # fmt: skip
OCR = {"城巾": "城市", "程市": "城市"}  # scans of 城市
YEAR = frozenset([
    "年份", "年度", "年", "会计年度", "统计年度", "年度标识", "year", "years", "sgnyea",
])  # fmt: skip
PROVINCE = frozenset([
    "省份", "省", "省份名称", "所属省份", "省市", "省区", "省级", "province", "provincename",
])  # fmt: skip
INDICATOR, VALUE, UNIT = {"指标", "指标名称"}, {"数值", "指标值", "指标数值"}, {"单位", "计量单位", "unit"}

WHOLE = {"全市", "地区", "全地区", "包括市辖县", "全市口径", "totalcity", "wholecity"}
DISTRICT = {
    "市辖区",
    "市区",
    "辖区",
    "不包括市辖县",
    "市辖区口径",
    "districtsundercity",
    "districtundercity",
    "urbandistricts",
}

MUNICIPALITIES = frozenset(["北京", "天津", "上海", "重庆"])
PROVINCES = frozenset([
    "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "江苏", "浙江", "安徽", "福建", "江西", "山东", "河南",
    "湖北", "湖南", "广东", "广西", "海南", "四川", "贵州", "云南", "西藏", "陕西", "甘肃", "青海", "宁夏", "新疆",
])  # fmt: skip
# names of a province and of a prefecture -> the province's capital, the prefecture's province
SHARED = {"吉林": ("长春", "吉林"), "海南": ("海口", "青海")}
TOTAL = re.compile(
    r"(全国|总计|合计|总和|小计|平均).*|.*(合计|总计|小计)|(东部|中部|西部|东北部?|沿海|内陆)(地区|城市)?"
)
REMARK = re.compile(
    r"\s*(注|附注|备注|说明|资料来源|数据来源|来源|单位|续表|notes?|sources?)\s*[:：\d]|\s*[*①#]", re.IGNORECASE
)

_CHINESE = "\u4e00-\u9fff"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DATE = re.compile(r"\s*((?:19|20)\d\d)(?:[-/.年]\s*(\d{1,2})[-/.月]\s*(\d{1,2})|(\d\d)(\d\d))(?!\d)")
_A_YEAR = r"(?<!\d)((?:19[4-9]|20[0-4])\d)"
_YEAR_ONLY = re.compile(rf"{_A_YEAR}年?")


def tables(grid: Grid, sidecar: Mapping[str, str] | None = None) -> tuple[list[Table], list[Finding]]:
    """Return the tables in a sheet or text file.

    Parameters
    ----------
    grid : its cells.
    sidecar : code -> label of a CSMAR description file, for a table that has no label row.

    Returns
    -------
    The tables, each with the findings about it, and the findings where there is no table. Labels of rows are those of
    the file; they repeat where one row of the file holds several observations (years or blocks side by side).
    """
    cells = grid.cells.dropna(how="all")
    head = [[_text(cell) for cell in row] for row in cells.head(TOP).to_numpy(dtype=object)]
    if cells.shape[1] < 2 or len(cells) < 2:
        return [], [_finding(grid, "note", "no table: fewer than two columns or rows")]
    sheet = _Sheet(grid, cells, head)
    if headers := _csmar_headers(head):
        found = [_csmar(sheet, headers, sidecar or {})]
    elif (at := _long_header(head)) is not None:
        found = [_long(sheet, at)]
    elif (at := _matrix_header(head)) is not None:
        found = [_matrix(sheet, at)]
    else:
        found = _sheet(sheet)
    kept = [table for table in found if isinstance(table, Table)]
    return kept, [finding for finding in found if isinstance(finding, Finding)]


@dataclass(frozen=True)
class _Sheet:
    """A grid, its rows that are not empty, and the text of the first of them."""

    grid: Grid
    cells: pd.DataFrame
    head: list[list[str]]

    def below(self, header: int) -> pd.DataFrame:
        return self.cells.iloc[header:]


def _finding(
    grid: Grid,
    severity: Literal["error", "warning", "note"],
    message: str,
    advice: str = "",
    row: Any = None,
    column: str = "",
) -> Finding:
    return Finding(severity, message, advice, grid.file, grid.sheet, None if row is None else int(row), column)


def _text(cell: object) -> str:
    """Return a cell as half-width text without needless blanks; whole numbers without a point."""
    if cell is None or (not isinstance(cell, str) and pd.isna(cell)):
        return ""
    if isinstance(cell, float | np.floating) and np.isfinite(cell) and cell == int(cell):
        cell = int(cell)
    text = re.sub(r"\s+", " ", units.half_width(str(cell))).strip()
    return re.sub(rf"(?<=[{_CHINESE}]) (?=[{_CHINESE}])", "", text)


def _key(text: str) -> str:
    """Return the word that a header of keys is recognised by: its Chinese part, or English without blanks."""
    chinese = re.sub(f"[^{_CHINESE}]", "", text)
    return OCR.get(chinese, chinese) or re.sub(r"\W|_", "", text).lower()


def _is_key(name: str) -> bool:
    """Return whether a column says where, when or who, and so has no unit."""
    return _key(name) in CITY | YEAR | PROVINCE or bool(re.search(r"代码|编码|编号|序号|code|(?:^|_)id$", name.lower()))


def _is_number(text: str) -> bool:
    value = units.number(text)
    return value is not None and not np.isnan(value)


def _letter(position: int) -> str:
    letters, rest = "", position + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


def _numbers_in(rows: pd.DataFrame) -> bool:
    return any(_is_number(_text(cell)) for cell in rows.head(200).to_numpy(dtype=object).ravel())


def _made(
    sheet: _Sheet,
    layout: Literal["csmar", "long", "yearbook", "matrix", "panel"],
    fields: Sequence[Field],
    rows: pd.DataFrame,
    findings: Sequence[Finding],
) -> Table | Finding:
    """Return a table with columns 0, 1, ..., or a note that there is none."""
    if len(fields) < 2 or not len(rows) or not _numbers_in(rows):
        return _finding(sheet.grid, "note", "no table: no rows with numbers below a header")
    rows = rows.set_axis(range(len(fields)), axis=1)
    return Table(
        sheet.grid.file, sheet.grid.sheet, layout, tuple(fields), rows, (*findings, *_repeated(sheet.grid, fields))
    )


def _repeated(grid: Grid, fields: Sequence[Field]) -> list[Finding]:
    first: dict[tuple[str, str], Field] = {}
    found = []
    for field in fields:
        same = first.setdefault((field.name, field.scope), field)
        if same is not field:
            message = f"columns {same.letter} and {field.letter} have the same header"
            found.append(_finding(grid, "warning", message, "rename one if they differ", column=field.name))
    return found


def _unnamed(sheet: _Sheet, rows: pd.DataFrame, positions: Sequence[int]) -> list[Finding]:
    """Return a warning for every column that has values but no header."""
    filled = [position for position in positions if rows.iloc[:, position].notna().any()]
    return [
        _finding(sheet.grid, "warning", "values without a header: left out", "write a header", column=_letter(position))
        for position in filled
    ]


# --- headers of one column -----------------------------------------------------------------------------------------


def _languages(part: str) -> tuple[str, str]:
    """Return the Chinese and the English part of a header; ``人均GDP`` is Chinese."""
    if not re.search(f"[{_CHINESE}]", part):
        return "", part
    both = re.fullmatch(rf"(.*[{_CHINESE}].*?)[\s/]*([A-Z][a-z]{{2,}}[^{_CHINESE}]*)", part)
    return (both[1].strip(), both[2].strip()) if both else (part, "")


def _scope(text: str, region: bool) -> tuple[str, Literal["", "whole", "district"]]:
    """Return a header without the words that say which part of a city it covers, and what they say.

    ``地区`` alone means the whole city only where the sheet has city districts beside it (``region``).
    """
    word = re.sub(r"[\s()]", "", text).lower()
    if word in DISTRICT:
        return "", "district"
    if word in WHOLE and (word != "地区" or region):
        return "", "whole"
    found = re.search(r"[\s_(-]*(不包括市辖县|包括市辖县|市辖区|全市|(?<=[\s_(-])市区(?=[\s_)-]|$))[)]?", text)
    if found is None:
        return text, ""
    before, after = text[: found.start()], text[found.end() :]
    # 市辖区个数 counts districts
    if re.match("_?个?数", after) or not (before + after).strip(" _-"):
        return text, ""
    joined, parted = (before + after).strip(" _-"), f"{before}_{after}".strip(" _-")
    # GDP全市万元: the stroke is what tells the unit from the name
    rest = parted if units.split(parted)[1] and not units.split(joined)[1] else joined
    return rest, "whole" if found[1] in WHOLE else "district"


def _field(parts: Sequence[str], letter: str, region: bool = False) -> Field:
    """Return a header that is spread over several cells, from the top down, as name, label, unit and scope."""
    names: list[str] = []
    labels: list[str] = []
    unit, scope = "", ""
    for part in dict.fromkeys(filter(None, parts)):
        if len(parts) > 1 and units.is_unit(part):
            unit = unit or part.strip("()[] ")
            continue
        for text, kept in zip(_languages(part), (names, labels), strict=True):
            text, word = _scope(text, region)
            text, found = units.split(text)
            unit, scope = unit or found, scope or word
            if text:
                kept.append(text)
    # a heading over columns that repeat it adds nothing: 人口 over 年末总人口
    names = [name for i, name in enumerate(names) if not any(name in lower for lower in names[i + 1 :])]
    if not names:
        names, labels = [" ".join(labels) or parts[0]], []
    return Field("".join(names), " ".join(labels), unit, scope, letter)  # type: ignore[arg-type]


# --- CSMAR ---------------------------------------------------------------------------------------------------------


def _csmar_headers(head: list[list[str]]) -> int:
    """Return how many header rows a CSMAR table has, 0 for anything else."""
    codes = [code for code in head[0] if code]
    if len(codes) < 2 or not all(_CODE.fullmatch(code) for code in codes):
        return 0
    second, third = (head[i] if len(head) > i else [] for i in (1, 2))
    filled = [cell for cell in second if cell]
    labelled = 2 * len(filled) >= len(codes) and not any(_is_number(cell) or _DATE.match(cell) for cell in filled)
    if labelled and any(third) and all(units.is_unit(cell) for cell in third if cell):
        return 3
    firm = {"Stkcd", "Symbol", "Scode"} & set(codes) and {"Accper", "EndDate", "Enddate", "Reptdt"} & set(codes)
    return (2 if labelled else 1) if firm or "Sgnyea" in codes else 0


def _csmar(sheet: _Sheet, headers: int, sidecar: Mapping[str, str]) -> Table | Finding:
    codes = sheet.head[0]
    rows = sheet.below(headers)
    fields, positions = [], [i for i, code in enumerate(codes) if code]
    for i in positions:
        label, unit = units.split(sheet.head[1][i] if headers > 1 else _text(sidecar.get(codes[i], "")))
        printed = sheet.head[2][i] if headers == 3 else ""
        fields.append(Field(codes[i], label, unit if printed in ("", "没有单位") and unit else printed, "", _letter(i)))
    findings = _unnamed(sheet, rows, [i for i, code in enumerate(codes) if not code])
    rows, more = _annual(sheet.grid, rows.iloc[:, positions], fields)
    return _made(sheet, "csmar", fields, rows, [*findings, *more])


def _annual(grid: Grid, rows: pd.DataFrame, fields: Sequence[Field]) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the rows of consolidated accounts at a year's end, and what was left out."""
    findings = []
    for position, field in enumerate(fields):
        if field.name.lower() == "typrep" or "报表类型" in (field.name, field.label):
            parent = rows.iloc[:, position].isin(["B", "b", "母公司报表"])
            if parent.any():
                message = f"rows left out as statements of parent companies (B): {int(parent.sum())}"
                findings.append(_finding(grid, "note", message, column=field.name))
                rows = rows[~parent]
        elif field.name.lower() in ("accper", "enddate") or {"统计截止日期", "截止日期"} & {field.name, field.label}:
            codes, dates = pd.factorize(rows.iloc[:, position])
            days = [_month_and_day(_text(date)) for date in dates]
            if (12, 31) not in days:
                continue
            # -1 is a row without a date
            kinds = np.array([_kind_of_day(day) for day in days] + [""])[codes]
            for kind in ("opening balances (1 January)", "interim reports", "other days"):
                if count := int((kinds == kind).sum()):
                    message = f"rows left out as {kind}, not the year's end: {count}"
                    findings.append(_finding(grid, "note", message, column=field.name))
            rows = rows[kinds == ""]
    return rows, findings


def _month_and_day(text: str) -> tuple[int, int] | None:
    found = _DATE.match(text)
    return (int(found[2] or found[4]), int(found[3] or found[5])) if found else None


def _kind_of_day(day: tuple[int, int] | None) -> str:
    if day in (None, (12, 31)):
        return ""
    if day == (1, 1):
        return "opening balances (1 January)"
    return "interim reports" if day in {(3, 31), (6, 30), (9, 30)} else "other days"


# --- CNRDS: one row per indicator ----------------------------------------------------------------------------------


def _long_header(head: list[list[str]]) -> int | None:
    for at, row in enumerate(head[:5]):
        words = {_key(cell) for cell in row}
        if words & INDICATOR and words & VALUE and words & YEAR:
            return at
    return None


def _long(sheet: _Sheet, at: int) -> Table | Finding:
    header, rows = sheet.head[at], sheet.below(at + 1)
    words = [_key(cell) for cell in header]
    indicator = next(i for i, word in enumerate(words) if word in INDICATOR)
    value = next(i for i, word in enumerate(words) if word in VALUE)
    unit = next((i for i, word in enumerate(words) if word in UNIT), None)
    keys = [i for i, cell in enumerate(header) if _is_key(cell)]
    findings = [_finding(sheet.grid, "note", f"rows above the header left out: {at}")] if at else []
    if left_out := [cell for i, cell in enumerate(header) if cell and i not in (indicator, value, unit, *keys)]:
        findings.append(_finding(sheet.grid, "note", f"columns left out: {', '.join(left_out)}"))
    rows = rows[rows.iloc[:, indicator].notna() & rows.iloc[:, keys].notna().any(axis=1)]
    if not len(rows):
        return _finding(sheet.grid, "note", "no table: no rows below the header")

    by = [pd.factorize(rows.iloc[:, i])[0] for i in keys]
    group = rows.groupby(by, sort=False).ngroup().to_numpy()
    printed, headers = pd.factorize(rows.iloc[:, indicator])
    same, names = pd.factorize(np.array([_text(header) for header in headers], dtype=object))
    which = same[printed]
    first = rows.iloc[np.unique(group, return_index=True)[1], keys]
    shape = (len(first), len(names))
    if shape[0] * shape[1] > 50 * len(rows) + 100_000:
        message = f"{shape[1]} different indicators for {shape[0]} places and years in {len(rows)} rows"
        return _finding(sheet.grid, "error", message, "is this the column of indicators?", column=header[indicator])
    filled = rows.iloc[:, value].notna().to_numpy()
    found = rows.iloc[:, value].to_numpy(dtype=object)
    cell = group * shape[1] + which
    # where a number stands twice, the first one counts
    places = pd.Series(np.flatnonzero(filled), cell[filled])
    kept = places[~places.index.duplicated()]
    wide = np.full(shape[0] * shape[1], np.nan, dtype=object)
    wide[kept.index] = found[kept.to_numpy()]
    findings += _contradictions(sheet.grid, rows, names, found, places, kept)

    fields = [Field(_field([header[i]], "").name, "", "", "", _letter(i)) for i in keys]
    for number, name in enumerate(names):
        field = _field([name], _letter(value))
        if unit is not None and not field.unit:
            said = rows.iloc[which == number, unit].dropna()
            field, more = _with_unit(sheet.grid, field, said)
            findings += more
        fields.append(field)
    wide_rows = pd.DataFrame(wide.reshape(shape), index=first.index)
    together = pd.concat([first, wide_rows], axis=1)
    return _made(sheet, "long", fields, together, findings)


def _contradictions(
    grid: Grid, rows: pd.DataFrame, names: Any, found: np.ndarray, places: pd.Series, kept: pd.Series
) -> list[Finding]:
    """Return a warning for every indicator that has two values for one place and year."""
    again = places[places.index.duplicated()]
    if again.empty:
        return []
    before = kept.reindex(again.index).to_numpy()
    apart = np.array([_differ(found[i], found[j]) for i, j in zip(before, again, strict=True)])
    pairs = pd.DataFrame({"before": before, "after": again.to_numpy(), "indicator": again.index % len(names)})[apart]
    findings = []
    for number, cases in pairs.groupby("indicator"):
        one, two = (rows.index[cases.iloc[0][which]] for which in ("before", "after"))
        message = f"rows {one} and {two} have different values for one place and year ({len(cases)} such cases)"
        advice = "the first was kept; delete the wrong one"
        findings.append(_finding(grid, "warning", message, advice, two, str(names[number])))
    return findings


def _differ(one: object, two: object) -> bool:
    return _text(one) != _text(two) and units.number(_text(one)) != units.number(_text(two))


def _with_unit(grid: Grid, field: Field, said: pd.Series) -> tuple[Field, list[Finding]]:
    """Return a field with the unit that a column of units names for it."""
    words = said.map(_text)
    distinct = words.unique()
    if len(distinct) == 1:
        return replace(field, unit=str(distinct[0])), []
    if len(distinct) == 0:
        return field, []
    other = words.index[words != distinct[0]][0]
    message = f"rows {words.index[0]} and {other} are in different units ('{distinct[0]}', '{distinct[1]}')"
    return field, [_finding(grid, "error", message, "bring the column to one unit", other, field.name)]


# --- one column per year -------------------------------------------------------------------------------------------


def _matrix_header(head: list[list[str]]) -> int | None:
    """Return the first row with several cells, if at least three of them are years and the others names."""
    at = next((at for at, row in enumerate(head) if not _is_title(row)), None)
    if at is None:
        return None
    years = [cell for cell in head[at] if _YEAR_ONLY.fullmatch(cell)]
    others = [cell for cell in head[at] if cell and not _YEAR_ONLY.fullmatch(cell)]
    named = others and not any(_is_number(cell) for cell in others)
    return at if named and len(set(years)) == len(years) >= 3 else None


def _matrix(sheet: _Sheet, at: int) -> Table | Finding:
    header, rows = sheet.head[at], sheet.below(at + 1)
    years = [i for i, cell in enumerate(header) if _YEAR_ONLY.fullmatch(cell)]
    keys = [i for i, cell in enumerate(header) if cell and i not in years]
    findings = _unnamed(sheet, rows, [i for i, cell in enumerate(header) if not cell])
    rows = rows[~rows.iloc[:, keys[0]].map(_text).str.match(REMARK)]
    titles = [cell for row in sheet.head[:at] for cell in row if cell and not _is_aside(cell)]
    name = titles[0] if titles else sheet.grid.sheet or PurePosixPath(sheet.grid.file).stem
    value = _field(
        [re.sub(r"\W*(matrix|矩阵)$", "", name, flags=re.IGNORECASE)], f"{_letter(years[0])}:{_letter(years[-1])}"
    )
    unit = _corner_unit(sheet.head[:at])
    fields = [replace(_field([header[i]], _letter(i)), unit="") for i in keys]
    fields += [Field("年份", letter=value.letter), replace(value, unit=value.unit or unit)]
    times = len(years)
    data = {n: np.repeat(rows.iloc[:, i].to_numpy(dtype=object), times) for n, i in enumerate(keys)}
    data[len(keys)] = np.tile([float(header[i][:4]) for i in years], len(rows))
    data[len(keys) + 1] = rows.iloc[:, years].to_numpy(dtype=object).ravel()
    findings.append(_finding(sheet.grid, "note", f"{times} columns of years turned into rows"))
    return _made(sheet, "matrix", fields, pd.DataFrame(data, index=np.repeat(rows.index, times)), findings)


# --- yearbooks and panels ------------------------------------------------------------------------------------------


def _is_aside(cell: str) -> bool:
    """Return whether a cell of a title row is a unit, a year or "continued"."""
    word = cell.strip("()[] ")
    unit = re.search(f"[{_CHINESE}%]", word) and units.is_unit(word)
    return bool(re.match("(计量)?单位|续表|unit", word, re.IGNORECASE) or unit or _YEAR_ONLY.fullmatch(word))


def _is_title(row: list[str]) -> bool:
    filled = [cell for cell in row if cell]
    return len(filled) <= 3 and sum(not _is_aside(cell) for cell in filled) <= 1


def _corner_unit(titles: list[list[str]]) -> str:
    """Return the unit of a whole sheet that its title rows name, e.g. in ``单位：万元``; empty for none or several."""
    cells = [cell.strip("()[] ") for row in titles for cell in row]
    found = [
        match[1].strip() for cell in cells if (match := re.search(r"(?:计量)?(?:单位|[Uu]nits?) ?: ?([^)\]]+)", cell))
    ]
    chinese = [unit for unit in found if re.search(f"[{_CHINESE}%]", unit)] or found
    return chinese[0] if len(set(chinese)) == 1 else "、".join(dict.fromkeys(chinese))


def _sheet(sheet: _Sheet) -> list[Table | Finding]:
    """Return the tables of a sheet with its own kind of header."""
    head = sheet.head
    start = next((at for at, row in enumerate(head) if not _is_title(row)), None)
    if start is None or len(head) < start + 2:
        return [_finding(sheet.grid, "note", "no table: no row with several headers")]
    # keys are looked for as far down as a header may go, which ends where their columns have values
    cities, others, _ = _keys(head[start : start + HEADER_ROWS])
    depth = _depth(head, start, [*cities, *others])
    cities, _, districts = _keys(head[start : start + depth])
    with_year = any(_key(row[i]) in YEAR for row in head[start : start + depth] for i in range(len(row)))
    plain = start == 0 and depth == 1 and len(cities) < 2
    if not cities or sheet.grid.labels or (plain and with_year):
        return [_panel(sheet, start)]
    return _yearbook(sheet, start, depth, cities, with_year, districts, plain)


def _keys(header: list[list[str]]) -> tuple[list[int], list[int], bool]:
    """Return the columns of cities, of which blocks side by side have one each, those of years and provinces, and
    whether there are columns about city districts.
    """
    districts = any(_scope(_languages(cell)[0], False)[1] == "district" for row in header for cell in row)
    columns = range(len(header[0]))
    words = [next((_key(row[i]) for row in header if _key(row[i]) in CITY), "") for i in columns]
    # beside 城市, a 地区 is the whole city (or a part of the country)
    chosen = next((word for word in words if word not in ("", "地区")), "地区")
    cities = [i for i in columns if words[i] == chosen]
    if (chosen == "地区" and districts) or any(b - a < 2 for a, b in pairwise(cities)):
        cities = cities[:1]
    others = [i for i in columns if _key(header[0][i]) in YEAR | PROVINCE]
    return cities, others, districts


def _depth(head: list[list[str]], start: int, keys: list[int]) -> int:
    """Return how many rows the header has: below the first, a key's cell is empty or repeats the key in English."""
    depth = 1
    while keys and depth < HEADER_ROWS and start + depth < len(head):
        row = head[start + depth]
        beside = [row[i] for i in keys]
        header_like = all(not cell or _key(cell) in CITY | YEAR | PROVINCE for cell in beside)
        figures = [cell for cell in row if _is_number(cell) and (any(beside) or not _YEAR_ONLY.fullmatch(cell))]
        if not header_like or figures:
            break
        depth += 1
    return depth


def _spread(rows: list[list[str]], keys: list[int]) -> list[list[str]]:
    """Return header rows with the text of merged cells in every column they cover."""
    filled = [list(row) for row in rows]
    for r, row in enumerate(filled[:-1]):
        for c in range(1, len(row)):
            starts_above = any(rows[above][c] for above in range(r))
            goes_on_below = any(rows[below][c] for below in range(r + 1, len(rows)))
            if not row[c] and not {c - 1, c} & set(keys) and not starts_above and goes_on_below:
                row[c] = row[c - 1]
    return filled


def _panel(sheet: _Sheet, start: int) -> Table | Finding:
    header, rows = sheet.head[start], sheet.below(start + 1)
    named = [i for i, cell in enumerate(header) if cell]
    if 2 * sum(_is_number(header[i]) for i in named) > len(named):
        row = sheet.cells.index[start]
        return _finding(sheet.grid, "warning", "no names of columns", "write them into the first row", row)
    fields = []
    for i in named:
        field = _field([header[i]], _letter(i))
        if label := sheet.grid.labels.get(str(sheet.cells.iloc[start, i])):
            meant = _field([_text(label)], "")
            field = replace(field, label=meant.name, unit=field.unit or meant.unit, scope=field.scope or meant.scope)
        fields.append(field)
    findings = _unnamed(sheet, rows, [i for i, cell in enumerate(header) if not cell])
    rows = rows.iloc[:, named]
    if start:
        findings.append(_finding(sheet.grid, "note", f"rows above the header left out: {start}"))
    # remarks stand alone in their rows, at the end
    tail = rows.tail(20)
    remarks = tail.index[(tail.notna().sum(axis=1) == 1) & tail.bfill(axis=1).iloc[:, 0].map(_text).str.match(REMARK)]
    if len(remarks):
        findings.append(_finding(sheet.grid, "note", f"rows left out as remarks: {len(remarks)}"))
        rows = rows.drop(remarks)
    rows, more = _annual(sheet.grid, rows, fields)
    findings += more
    for position, field in enumerate(fields):
        beside = [i for i in range(position) if not _is_key(fields[i].name)]
        said = rows.iloc[:, position].dropna() if _key(field.name) in UNIT and beside else pd.Series(dtype=object)
        if any(units.is_unit(_text(word)) for word in said.unique()):
            fields[beside[-1]], more = _with_unit(sheet.grid, fields[beside[-1]], said)
            findings += more
    return _made(sheet, "panel", fields, rows, findings)


def _yearbook(
    sheet: _Sheet, start: int, depth: int, cities: list[int], with_year: bool, districts: bool, plain: bool
) -> list[Table | Finding]:
    """Return the tables of a sheet with a column of cities: one, unless blocks side by side have other headers."""
    grid, titles = sheet.grid, sheet.head[:start]
    header = _spread(sheet.head[start : start + depth], cities)
    rows = sheet.below(start + depth)
    rows = rows.mask(rows.map(lambda cell: isinstance(cell, str) and not cell.strip()))
    findings: list[Finding] = []
    unit = _corner_unit(titles)
    if unit and not units.is_unit(unit):
        advice = "write the units into the headers of the columns"
        findings.append(_finding(grid, "warning", f"unit '{unit}' of the sheet is not understood", advice))
        unit = ""

    # a block begins as many columns before its cities as the first one does
    borders = [0, *(max(city - cities[0], before + 1) for before, city in pairwise(cities)), len(header[0])]
    blocks: list[tuple[list[Field], pd.DataFrame, int]] = []
    without: list[str] = []
    for (begin, end), city in zip(pairwise(borders), cities, strict=True):
        fields, positions = [], []
        for i in range(begin, end):
            parts = [row[i] for row in header if row[i]]
            if not parts:
                continue
            field = _field(parts, _letter(i), districts)
            if i == city:
                printed = next(part for part in parts if _key(part) in CITY)
                field = Field(_key(printed), letter=field.letter)
                if re.sub(f"[^{_CHINESE}]", "", printed) in OCR:
                    findings.append(_finding(grid, "note", f"header '{printed}' read as '{field.name}'"))
            elif unit and not field.unit and not _is_key(field.name):
                field = replace(field, unit=unit)
                without.append(field.name)
            fields.append(field)
            positions.append(i)
        findings += _unnamed(sheet, rows, [i for i in range(begin, end) if i not in positions])
        blocks.append((fields, rows.iloc[:, positions], positions.index(city)))
    if without:
        message = f"unit '{unit}' of the sheet taken for {', '.join(dict.fromkeys(without))}"
        findings.append(_finding(grid, "note", message))
    year = None
    if not with_year:
        year, more = _year(grid, titles, plain)
        findings += more

    headers = {tuple(replace(field, letter="") for field in fields) for fields, _, _ in blocks}
    if len(blocks) > 1 and len(headers) == 1:
        places = ", ".join(f"{fields[0].letter}-{fields[-1].letter}" for fields, _, _ in blocks)
        findings.append(_finding(grid, "note", f"blocks side by side ({places}) read one below the other"))
        fields, _, at = blocks[0]
        stacked = pd.concat([part.set_axis(range(len(fields)), axis=1) for _, part, _ in blocks])
        blocks = [(fields, stacked, at)]
    found: list[Table | Finding] = []
    for fields, part, at in blocks:
        fields, part, more = _cities(grid, fields, part.dropna(how="all"), at)
        if year is not None:
            fields, part = [*fields, Field("年份")], part.assign(**{"年份": float(year)})
        said = dict.fromkeys([*findings, *more])
        found.append(_made(sheet, "panel" if plain else "yearbook", fields, part, list(said)))
        findings = []  # said once
    return found


def _cities(
    grid: Grid, fields: list[Field], rows: pd.DataFrame, at: int
) -> tuple[list[Field], pd.DataFrame, list[Finding]]:
    """Return the rows of cities, with their province where sub-totals name it, and what was left out."""
    rows = rows.set_axis(range(len(fields)), axis=1)
    if not len(rows):
        return fields, rows, []
    names = rows[at].map(_text).str.replace(" ", "")
    first = rows.bfill(axis=1)[0].map(_text)
    positions = np.arange(len(rows))
    remark = first.str.match(REMARK).to_numpy(dtype=bool)
    header = names.map(lambda name: bool(name) and _key(name) in CITY and _key(name) == fields[at].name).to_numpy(
        dtype=bool
    )
    total = names.map(lambda name: TOTAL.fullmatch(name) is not None).to_numpy(dtype=bool)
    # a sub-total is read with the city that comes next
    stem = names.str.replace(r"(省|市|(壮族|回族|维吾尔)?自治区)?(合计|小计|总计)?$", "", regex=True)
    suffixed = names.str.contains(r"(?:省|自治区)(?:合计|小计|总计)?$|(?:合计|小计|总计)$").to_numpy(dtype=bool)
    following = np.append(stem.to_numpy(dtype=object)[1:], "")
    municipality = stem.isin(MUNICIPALITIES).to_numpy(dtype=bool)
    city_named_so = names.str.endswith("市").to_numpy(dtype=bool)
    province = stem.isin(PROVINCES).to_numpy(dtype=bool) & ~city_named_so
    shared = stem.isin(SHARED.keys()).to_numpy(dtype=bool) & province & ~suffixed
    # one that is clear has to be there, or the sheet may have no sub-totals at all
    clear = (province & ~shared).any()
    for i in np.flatnonzero(shared):
        capital, home = SHARED[stem.iloc[i]]
        above = np.flatnonzero((province | municipality)[:i])
        at_home = len(above) > 0 and stem.iloc[above[-1]] == home
        # the province, when its capital comes next, or where the prefecture cannot be
        province[i] = following[i] == capital or (clear and not at_home)
    twice = municipality & (following == stem.to_numpy(dtype=object))
    shown = names.where(names != "", first)
    city = ~(remark | header | total | province | municipality) & (names != "").to_numpy(dtype=bool)
    if not city.any():  # a table of provinces
        province, twice = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    total = total & ~province
    findings = [
        _finding(grid, "note", f"rows left out as {what}: {int(mask.sum())} ({', '.join(shown[mask].unique()[:3])})")
        for what, mask in (
            ("totals", total),
            ("provincial sub-totals", province | twice),
            ("repeated headers", header),
            ("remarks", remark & ~total & ~header),
        )
        if mask.any()
    ]
    rows = rows.astype({at: object})
    rows[at] = names.where(names != "", np.nan).astype(object)
    if province.any() and not any(_key(field.name) in PROVINCE for field in fields):
        # the last sub-total or municipality above a row; a municipality covers its own row only
        marks = np.maximum.accumulate(np.where(province | municipality, positions, -1))
        above = stem.to_numpy(dtype=object)[marks]
        known = (marks >= 0) & (~municipality[marks] | (marks == positions))
        fields = [*fields, Field("省份")]
        rows = rows.assign(**{"省份": np.where(known, above, np.nan)}).set_axis(range(len(fields)), axis=1)
    return fields, rows[~(total | province | twice | header | remark)], findings


def _year(grid: Grid, titles: list[list[str]], plain: bool) -> tuple[int | None, list[Finding]]:
    """Return the year that the numbers of a sheet are about, from its title or name.

    A yearbook's edition is no year of its data: ``年鉴2012`` mostly holds 2011.
    """
    edition = rf"{_A_YEAR}年?[{_CHINESE}]*年鉴|年鉴\W{{0,3}}\d{{4}}年?|{_A_YEAR}年?版"
    title = re.sub(edition, "", " ".join(cell for row in titles for cell in row))
    name = re.sub(edition, "", units.half_width(grid.sheet))
    stem = re.sub(edition, "", units.half_width(PurePosixPath(grid.file).stem))
    explicit = rf"{_A_YEAR} ?年"
    sources = [
        ("the title", explicit, title),
        ("the name of the sheet", rf"{_A_YEAR}(?!\d)", name),
        ("the title", rf"{_A_YEAR}(?!\d)", title),
        ("the name of the file", explicit, stem),
    ]
    found = [(where, years.pop()) for where, form, text in sources if len(years := set(re.findall(form, text))) == 1]
    if not found:
        advice = "name the sheet after the year of its data (not of the yearbook's edition), or add a column 年份"
        message = "neither a column nor the title nor the sheet's name says of which year the data are"
        return None, [_finding(grid, "warning" if plain else "error", message, advice)]
    where, year = found[0]
    findings = [_finding(grid, "note", f"data of {year}, from {where}")]
    if found[0][0] == "the title" and (other := dict(found[1:]).get("the name of the sheet", year)) != year:
        message = f"the title says {year}, the name of the sheet {other}: {year} was taken"
        findings.append(_finding(grid, "warning", message, "rename the sheet if the title is right"))
    return int(year), findings
