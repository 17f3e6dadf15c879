"""From licensed files to a study's raw variables: which column is what, in which unit, and how that was decided.

A column is taken when its header is a code or a name of :mod:`pilotzones.catalogue` and its unit is known. A column
that only resembles one, or has no unit, is written to ``data/raw/<study>/mapping.toml`` for the user to confirm; until
then it is not used. Every decision is a :class:`Reading` or a :class:`Finding`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import paths, places, policy
from pilotzones.catalogue import Item
from pilotzones.declare import Study
from pilotzones.errors import DataError
from pilotzones.io import shown, write_atomically
from pilotzones.readers import archives, grids, layouts, units
from pilotzones.readers.tables import Field, Finding, Table

MAPPING = "mapping.toml"
TABLE = ["file", "sheet", "layout", "rows", "columns"]
SAME = 1e-6  # relative: two sources of one number may print different digits

# what formulas may use besides items: national series of the facts
NATIONAL = {"cny_per_usd": "cny_per_usd_avg_nbs"}

# headers that say which row it is, in lower case
KEYS = {
    "firm": ("stkcd", "symbol", "scode", "证券代码", "股票代码", "上市公司代码", "firm"),
    "year": ("accper", "enddate", "sgnyea", "year", "年份", "年度", "会计年度", "统计年度", "年度标识", "统计截止日期",
             "截止日期"),
    "city": ("ctnm_id", "citycd", "citycode", "城市代码", "所属城市代码", "地区编码", "行政区划代码", "city", "城市",
             "城市名称", "地级市", "所属城市", "地市", "市", "地区", "ctnm_en"),
    "province": ("prvcnm_id", "provincecode", "省份代码", "所属省份代码", "province", "省份", "省份名称", "所属省份",
                 "省", "prvcnm_en"),
}  # fmt: skip


@dataclass(frozen=True)
class Records:
    """A table with several rows per unit and year, such as patents or customs declarations.

    Parameters
    ----------
    name : what the study's measures call it.
    columns : column -> (unit, headers that mean it); places and firms become codes, years numbers.
    text : the columns that stay text.
    source : database and table.
    """

    name: str
    columns: Mapping[str, tuple[str, tuple[str, ...]]]
    text: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Exports:
    """What a study needs from licensed files, and how its raw variables follow.

    Parameters
    ----------
    of : ``"firm"`` or ``"city"``: what has one row a year. Formulas call items of other things with their name before,
        e.g. ``city_gdp`` in a study of firms.
    items : the quantities to find.
    formulas : raw variable -> expression in items, ``year`` and earlier variables; ``<item>_before`` is the value of
        the year before, ``<item>_first`` that of the first sample year, ``<item>_level`` a price level, 1 in the first
        sample year, chained from an index that is 100 in the year before; ``cny_per_usd`` is yuan per dollar.
    records : tables of records.
    measured : raw variables that a function computes from the records and the rows: name -> function of both.
    gone : what cannot be had any more, or never could, and what stands in for it; Markdown, one entry each.
    balanced : whether units with a gap are left out; a variable that no unit has is no gap.
    """

    of: str
    items: tuple[Item, ...]
    formulas: Mapping[str, str]
    records: tuple[Records, ...] = ()
    measured: Mapping[str, Callable[[Mapping[str, pd.DataFrame], pd.DataFrame], pd.Series]] = field(
        default_factory=dict
    )
    gone: tuple[str, ...] = ()
    balanced: bool = False

    def name(self, item: Item) -> str:
        """Return what formulas call an item."""
        return item.name if item.of == self.of else f"{item.of}_{item.name}"

    def used(self, variable: str) -> list[Item]:
        """Return the items in a raw variable's formula, through earlier variables too."""
        words = {re.sub("_(before|first|level)$", "", word)
                 for word in re.findall(r"\w+", self.formulas.get(variable, ""))}  # fmt: skip
        earlier = [*self.formulas][: [*self.formulas, variable].index(variable)]
        through = [item for name in earlier if name in words for item in self.used(name)]
        return [item for item in self.items if item in through or self.name(item) in words - {*earlier}]


@dataclass(frozen=True)
class Reading:
    """How one column was read.

    Parameters
    ----------
    item : name of the item, as formulas call it; of a table of records ``table.column``.
    how : ``"code"``, ``"name"`` or ``"mapping"``.
    found, unit, factor : unit in the file, unit wanted, and what values are multiplied by.
    rows : numbers read. first, last : their years, 0 for what has no year.
    """

    item: str
    file: str
    sheet: str
    column: str
    layout: str
    how: str
    found: str
    unit: str
    factor: float
    rows: int
    first: int
    last: int


@dataclass(frozen=True)
class Candidate:
    """A column that may be an item; the user has to say so."""

    file: str
    sheet: str
    column: str
    item: str
    unit: str
    why: str


@dataclass(frozen=True)
class Found:
    """All that was found in a study's folder.

    Parameters
    ----------
    files : file -> SHA-256.
    values : item, as formulas call it -> numbers by unit and year (or by unit), in the item's unit.
    tables : what was read, used or not: ``file``, ``sheet``, ``layout``, number of ``rows`` and ``columns``.
    """

    files: Mapping[str, str]
    readings: tuple[Reading, ...]
    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]
    values: Mapping[str, pd.Series]
    records: Mapping[str, pd.DataFrame]
    tables: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=TABLE))

    @property
    def errors(self) -> list[Finding]:
        """What has to be put right first."""
        return [finding for finding in self.findings if finding.severity == "error"]


def exports(study: Study) -> Exports:
    """Return what a study declares in its ``exports.py``.

    Raises
    ------
    DataError
        If it has none: the study runs on synthetic data only.
    """
    try:
        declared: Exports = import_module(f"pilotzones.studies.{study.key}.exports").EXPORTS
    except ModuleNotFoundError:
        raise DataError(
            f"study {study.key}: it declares no licensed sources; expected studies/{study.key}/exports.py"
        ) from None
    return declared


def present(key: str) -> bool:
    """Tell whether the user has put files of a study into ``data/raw``."""
    folder = paths.RAW / key
    return folder.is_dir() and bool(archives.files(folder)[0])


def fingerprints(study: Study) -> dict[str, str]:
    """Return the SHA-256 of every file below ``data/raw/<study>`` that is read, the mapping included."""
    folder = paths.RAW / study.key
    names = sorted({file.name.partition(".zip/")[0] + (".zip" if ".zip/" in file.name else "")
                    for file in archives.files(folder)[0]})  # fmt: skip
    names += [MAPPING] if (folder / MAPPING).exists() else []
    return {name: _sha256(folder / name) for name in names}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def raw(study: Study) -> pd.DataFrame:
    """Return the raw variables of a study from the user's files.

    Returns
    -------
    One row per unit and sample year, as ``study.derive`` takes them; missing where the files have nothing.

    Raises
    ------
    DataError
        If a file, a column or a unit has to be put right first; the message lists the first ten problems.
    """
    found = _as_they_are(study)
    if found.errors:
        lines = [str(finding) for finding in found.errors]
        more = [f"... and {len(lines) - 10} more; see `pilotzones check-data {study.key}`"] if len(lines) > 10 else []
        raise DataError("\n".join([f"data/raw/{study.key}: {len(lines)} problems", *lines[:10], *more]))
    return assemble(study, found)


def records(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables of records in the user's files, by name; those that are not there are left out."""
    return dict(_as_they_are(study).records)


_last: list[tuple[Study, dict[str, str], Found]] = []


def _as_they_are(study: Study) -> Found:
    """Return what is found, read once for several questions as long as the files are the same."""
    files = fingerprints(study)
    if not (_last and _last[0][0] is study and _last[0][1] == files):
        _last[:] = [(study, files, find(study))]
    return _last[0][2]


# --- finding -------------------------------------------------------------------------------------------------------


def find(study: Study, progress: Callable[[list[archives.File]], Iterable[archives.File]] = iter) -> Found:
    """Read every file of a study's folder.

    Parameters
    ----------
    progress : goes through the list of files, e.g. a progress bar.

    Raises
    ------
    DataError
        If there are no files, or the study declares no licensed sources.
    """
    declared, folder = exports(study), paths.RAW / study.key
    listed, findings = archives.files(folder) if folder.is_dir() else ([], [])
    if not listed:
        raise DataError(
            f"{shown(folder)}: no files; put the exports there that {shown(folder / 'README.md')} lists, "
            "or use source = 'synthetic'"
        )
    mapping, more = _mapping(folder / MAPPING, declared)
    state = _State(declared, mapping, [*findings, *more])
    sidecars = {_table_name(file.name): grids.sidecar(file) for file in listed if grids.is_sidecar(file.name)}
    read: list[tuple[str, str, str, int, int]] = []
    for file in progress([file for file in listed if not grids.is_sidecar(file.name)]):
        cells, more = grids.grids(file)
        state.findings += more
        for grid in cells:
            tables, more = layouts.tables(grid, sidecars.get(_table_name(file.name)))
            state.findings += more
            for table in tables:
                state.findings += table.findings
                read.append((table.file, table.sheet, table.layout, len(table.rows), len(table.fields)))
                state.read(table)
    state.unmatched()
    values = state.combined()  # first, for it may find something
    return Found(
        fingerprints(study),
        tuple(state.readings),
        tuple(state.candidates),
        tuple(state.findings),
        values,
        {name: pd.concat(parts, ignore_index=True) for name, parts in state.records.items()},
        pd.DataFrame(read, columns=TABLE),
    )


def _table_name(name: str) -> str:
    """Return the part that a table and its description file share, e.g. ``FS_Combas``."""
    return re.sub(r"\[.*", "", name.rpartition("/")[2]).partition(".")[0].lower()


def _normal(header: str) -> str:
    """Return a header without blanks, wide characters and capitals."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", header)).lower()


@dataclass
class _State:
    """What has been read so far."""

    declared: Exports
    mapping: Sequence[Mapping[str, Any]]
    findings: list[Finding]
    readings: list[Reading] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    parts: dict[str, list[tuple[Reading, pd.DataFrame]]] = field(default_factory=dict)
    records: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    spare: list[tuple[Table, Field]] = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    @property
    def _known(self) -> dict[str, Item]:
        return {self.declared.name(item): item for item in self.declared.items}

    def say(
        self, severity: Any, table: Table, message: str, advice: str = "", row: Any = None, column: str = ""
    ) -> None:
        """Add a finding about a table."""
        self.findings.append(Finding(severity, message, advice, table.file, table.sheet, row, column))

    def read(self, table: Table) -> None:
        """Take what a table has: records, if it is one of the tables of records, and items in its other columns."""
        for wanted in self.declared.records:
            columns = {column: _position(table, names) for column, (_, names) in wanted.columns.items()}
            if all(position is not None for position in columns.values()):
                taken = {name: int(at) for name, at in columns.items() if at is not None}
                self._read_records(table, wanted, taken)
                break
        else:
            taken = {}
        keys = _Keys(table, self)
        if not keys.positions and not taken:
            self.say("warning", table, "no column says which firm, city, province or year a row is about",
                     f"name one in {MAPPING}: file, column, item = \"firm\" (or city, province, year)")  # fmt: skip
        for position, header in enumerate(table.fields):
            if position not in taken.values():
                self._read_column(table, keys, position, header)

    def _read_column(self, table: Table, keys: _Keys, position: int, header: Field) -> None:
        entry = self.entry(table, header)
        if entry is not None and not entry["item"]:
            self.say("note", table, "left out, as mapping.toml says", column=_shown(header))
            return
        match = self._match(keys, position, header, entry)
        if match is None:
            if entry is not None and entry["item"] not in KEYS:
                self.say("error", table, f"is {entry['item']} as {MAPPING} says, but no column says which "
                         f"{keys.lacking(self._known[entry['item']])} a row is about",
                         f"name that column in {MAPPING}, e.g. item = \"year\"", column=_shown(header))  # fmt: skip
            elif position not in keys.positions:
                self.spare.append((table, header))
            return
        item, how, unit = match
        if header.scope == "district" and item.of == "city":
            self.say("note", table, "covers the city proper only (市辖区), not the whole city: left out",
                     column=_shown(header))  # fmt: skip
            return
        factor = 1.0 if item.unit in ("", unit) else units.factor(unit, item.unit) if unit else None
        if factor is None and not unit and item.unit == "items":
            factor = 1.0  # a count of things is printed without a unit
        if factor is None and unit:
            self.say("error", table, f"unit '{unit}' cannot become '{item.unit}'",
                     f"say in {MAPPING} which unit or item it is", column=_shown(header))  # fmt: skip
            return
        if factor is None:
            self._candidate(table, header, item, "the header names no unit")
            return
        self._observe(table, keys, position, item, Reading(
            self.declared.name(item), table.file, table.sheet, _shown(header), table.layout, how, unit, item.unit,
            factor, 0, 0, 0,
        ))  # fmt: skip

    def _match(
        self, keys: _Keys, position: int, header: Field, entry: Mapping[str, Any] | None
    ) -> tuple[Item, str, str] | None:
        """Return the item that a column holds, how that is known, and the unit of its values."""
        can = [item for item in self.declared.items if keys.has(item)]
        if entry is not None:
            said = next((item for item in can if self.declared.name(item) == entry["item"]), None)
            return (said, "mapping", str(entry.get("unit", ""))) if said else None
        printed = {_normal(header.name), _normal(header.label)} - {""}
        for item in can:
            codes = {_normal(code): unit for code, unit in item.codes.items()}
            if hit := printed & codes.keys():
                return item, "code", _unit(header) or codes[min(hit)]
        for item in can:
            if printed & {_normal(name) for name in (item.name, *item.names)}:
                if item.kind == "number" and position in keys.positions:
                    continue
                return item, "name", _unit(header)
        return None

    def entry(self, table: Table, header: Field) -> Mapping[str, Any] | None:
        """Return the confirmed line of the mapping about a column."""
        for number, entry in enumerate(self.mapping):
            same = entry["file"] == table.file and entry.get("sheet", "*") in ("*", table.sheet)
            if same and _normal(entry["column"]) in (_normal(_shown(header)), _normal(header.name)):
                self.used.add(number)
                return entry if entry["confirmed"] else None
        return None

    def _candidate(self, table: Table, header: Field, item: Item, why: str) -> None:
        unit = _unit(header) if units.factor(_unit(header), item.unit) else ""
        self.candidates.append(Candidate(table.file, table.sheet, _shown(header), self.declared.name(item), unit, why))

    def _observe(self, table: Table, keys: _Keys, position: int, item: Item, reading: Reading) -> None:
        cells = table.rows[position]
        if item.kind in ("city", "province"):
            known = keys.places(item.kind, cells)
            values = known["code"].astype("float64")
        elif item.kind == "date":
            values = _years(cells)
        else:
            values, bad = units.numbers(cells)
            if len(bad):
                self.say("error", table, f"{_brief(bad.iloc[0])} is no number ({len(bad)} such cells)",
                         "correct the file, or empty the cell", int(bad.index[0]), reading.column)  # fmt: skip
        values = values * reading.factor
        if item.zero_missing and (zero := values == 0).any():
            self.say("note", table, f"{int(zero.sum())} zeros read as missing, as the yearbooks mean them",
                     column=reading.column)  # fmt: skip
            values = values.mask(zero)
        rows = pd.DataFrame({"unit": keys.of(item), "year": keys.year if item.yearly else 0, "value": values})
        rows = rows.dropna()
        rows = rows.astype({"unit": "int64", "year": "int64"})
        years = rows["year"]
        reading = replace(reading, rows=len(rows), first=int(years.min()) if len(rows) else 0,
                          last=int(years.max()) if len(rows) else 0)  # fmt: skip
        self.readings.append(reading)
        double = rows.duplicated(["unit", "year"], keep=False)
        if double.any():
            rows = self._collapse(table, rows, double, reading)
        self.parts.setdefault(reading.item, []).append((reading, rows))

    def _collapse(self, table: Table, rows: pd.DataFrame, double: pd.Series, reading: Reading) -> pd.DataFrame:
        """Return one row per unit and year; several that differ are an error."""
        groups = rows[double].groupby(["unit", "year"])["value"]
        apart = (groups.max() - groups.min()) > SAME * groups.max().abs()
        if apart.any():
            unit, year = apart.idxmax()
            lines = rows.index[(rows["unit"] == unit) & (rows["year"] == year)]
            when = f" in {year}" if year else ""
            self.say("error", table,
                     f"rows {lines[0]} and {lines[1]} have different values for {unit}{when} "
                     f"({int(apart.sum())} such cases)",
                     "keep one of them", int(lines[1]), reading.column)  # fmt: skip
        return rows.drop_duplicates(["unit", "year"])

    def _read_records(self, table: Table, wanted: Records, columns: Mapping[str, int]) -> None:
        keys, out = _Keys(table, self), {}
        for name, position in columns.items():
            cells, unit = table.rows[position], wanted.columns[name][0]
            if name == "year":
                values = _years(cells)
            elif name == "firm":
                # exporters that are not listed have ten digits with the customs
                values = _firms(cells, digits=10)
            elif name in ("city", "province"):
                values = keys.places(name, cells)["code"].astype("float64")
            elif name in wanted.text:
                values = _text(cells)
            else:
                header = table.fields[position]
                values, bad = units.numbers(cells)
                if len(bad):
                    self.say("error", table, f"{_brief(bad.iloc[0])} is no number ({len(bad)} such cells)",
                             "correct the file, or empty the cell", int(bad.index[0]), _shown(header))  # fmt: skip
                factor = units.factor(_unit(header), unit) if unit and _unit(header) else 1.0
                if factor is None:
                    self.say("error", table, f"unit '{_unit(header)}' cannot become '{unit}'",
                             "convert the column", column=_shown(header))  # fmt: skip
                    factor = 1.0
                values = values * factor
            out[name] = values
        rows = pd.DataFrame(out)
        whole = rows.dropna()
        if len(whole) < len(rows):
            self.say("warning", table, f"{len(rows) - len(whole)} of {len(rows)} records lack a value",
                     "they are left out", int(rows.index.difference(whole.index)[0]))  # fmt: skip
        numbers = [name for name in ("year", "firm", "city", "province") if name in whole]
        self.records.setdefault(wanted.name, []).append(whole.astype(dict.fromkeys(numbers, "int64")))
        shown_columns = ", ".join(_shown(table.fields[position]) for position in columns.values())
        years = whole["year"] if "year" in whole and len(whole) else pd.Series([0])
        self.readings.append(Reading(
            f"{wanted.name} (records)", table.file, table.sheet, shown_columns, table.layout, "name", "", "", 1.0,
            len(whole), int(years.min()), int(years.max()),
        ))  # fmt: skip

    def unmatched(self) -> None:
        """Look among the columns left over for items not found yet, and for lines of the mapping about no column."""
        missing = [item for item in self.declared.items if self.declared.name(item) not in self.parts]
        drafted = {(c.file, c.column) for c in self.candidates}
        for table, header in self.spare:
            if (table.file, _shown(header)) in drafted:
                continue
            likely = [item for item in missing if _resembles(header, item)]
            for item in likely[:1]:
                drafted.add((table.file, _shown(header)))
                self._candidate(table, header, item, f"resembles {item.names[0]}")
        unused: dict[tuple[str, str], list[str]] = {}
        for table, header in self.spare:
            if (table.file, _shown(header)) not in drafted:
                unused.setdefault((table.file, table.sheet), []).append(_shown(header))
        for (file, sheet), columns in unused.items():
            more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
            advice = f"if one holds an item that is missing, say so in {MAPPING}" if missing else ""
            self.findings.append(
                Finding("note", f"columns not used: {', '.join(columns[:20])}{more}", advice, file, sheet)
            )
        for number, entry in enumerate(self.mapping):
            if number not in self.used:
                self.findings.append(Finding(
                    "warning", f"line about column '{entry['column']}' of {entry['file']}: there is no such column",
                    "remove it, or correct it", MAPPING,
                ))  # fmt: skip

    def combined(self) -> dict[str, pd.Series]:
        """Return each item's values from all its sources; two that differ are an error."""
        found = {}
        for name, parts in self.parts.items():
            rows = pd.concat([rows.assign(part=i) for i, (_, rows) in enumerate(parts)], ignore_index=True)
            if len(parts) > 1:
                groups = rows.groupby(["unit", "year"])["value"]
                low, high = groups.transform("min"), groups.transform("max")
                apart = (high - low) > SAME * high.abs()
                if apart.any():
                    case = rows[apart].sort_values(["unit", "year", "part"]).iloc[:2]
                    one, two = (parts[i][0] for i in case["part"])
                    year = int(case["year"].iloc[0])
                    when = f" in {year}" if year else ""
                    cases = len(rows[apart].drop_duplicates(["unit", "year"]))
                    self.findings.append(Finding(
                        "error",
                        f"{name} of {int(case['unit'].iloc[0])}{when} is {case['value'].iloc[0]:g} here, but "
                        f"{case['value'].iloc[1]:g} in {two.file} {two.sheet} ({cases} such cases)",
                        f"leave one of the two columns out in {MAPPING} (item = \"\")", one.file, one.sheet, None,
                        one.column,
                    ))  # fmt: skip
            values = rows.drop_duplicates(["unit", "year"]).set_index(["unit", "year"])["value"].sort_index()
            constant = bool((values.index.get_level_values("year") == 0).all()) if len(values) else False
            found[name] = values.droplevel("year") if constant else values
        return found


class _Keys:
    """Which firm, city, province and year each row of a table is about."""

    def __init__(self, table: Table, state: _State) -> None:
        self._table, self._state = table, state
        self._at = {
            role: [position for position, header in enumerate(table.fields)
                   if {_normal(header.name), _normal(header.label)} & set(names)]
            for role, names in KEYS.items()
        }  # fmt: skip
        for position, header in enumerate(table.fields):
            entry = state.entry(table, header)
            if entry is not None and entry["item"] in KEYS:
                self._at[entry["item"]] = [position]
        self.positions = {position for found in self._at.values() for position in found}
        self._codes: dict[str, pd.Series] = {}
        empty = pd.Series(np.nan, table.rows.index)
        self.year = _years(table.rows[self._at["year"][0]]) if self._at["year"] else empty

    def has(self, item: Item) -> bool:
        """Tell whether the rows say of whom and when an item would be."""
        return bool(self._at[item.of]) and (not item.yearly or bool(self._at["year"]))

    def lacking(self, item: Item) -> str:
        """Return which key of an item no column holds."""
        return item.of if not self._at[item.of] else "year"

    def of(self, item: Item) -> pd.Series:
        """Return the code of each row's firm, city or province."""
        if item.of not in self._codes:
            if item.of == "firm":
                self._codes["firm"] = self._firm()
            else:
                self._codes[item.of] = self._place(item.of)
        return self._codes[item.of]

    def _firm(self) -> pd.Series:
        position = self._at["firm"][0]
        cells = self._table.rows[position]
        codes = _firms(cells)
        bad = cells[codes.isna() & cells.notna()]
        if len(bad):
            self._state.say("warning", self._table, f"{_brief(bad.iloc[0])} is no stock code ({len(bad)} such rows)",
                            "the rows are left out", int(bad.index[0]),
                            _shown(self._table.fields[position]))  # fmt: skip
        foreign = (codes // 100000).isin([2, 9])
        if foreign.any():
            self._state.say("note", self._table, f"{int(foreign.sum())} rows of B shares (200..., 900...) left out")
        return codes.mask(foreign)

    def _place(self, kind: str) -> pd.Series:
        """Return the codes of a kind of place: from a column of codes, else from names."""
        found = pd.Series(np.nan, self._table.rows.index)
        reasons: pd.Series | None = None
        for position in self._at[kind]:
            known = self.places(kind, self._table.rows[position])
            found = found.fillna(known["code"].astype("float64"))
            reasons = known["reason"] if reasons is None else reasons.where(reasons != "", known["reason"])
        if reasons is not None and (lost := found.isna() & (reasons != "")).any():
            # labels of rows repeat where blocks stand side by side
            cells = self._table.rows[self._at[kind][-1]]
            said = pd.DataFrame({"cell": cells[lost], "reason": reasons[lost]}).drop_duplicates().head(4)
            examples = "; ".join(f"{cell}: {reason}" for cell, reason in said.to_numpy())
            self._state.say("warning", self._table, f"{int(lost.sum())} rows are about no known {kind} ({examples})",
                            "the rows are left out", int(found.index[lost][0]))  # fmt: skip
        return found

    def places(self, kind: str, cells: pd.Series) -> pd.DataFrame:
        """Return codes and reasons for a column of codes or names."""
        text = cells.astype("str").str.strip()
        digits = text.str.fullmatch(r"\d{2,6}(\.0)?").fillna(False)
        if kind == "province":
            return places.province_codes(cells)
        if digits.mean() > 0.5:
            return places.codes(cells)
        near = self._at["province"]
        provinces = self._table.rows[near[0]] if near else None
        return places.city_codes(cells, self.year if self._at["year"] else None, provinces)


def _position(table: Table, names: Iterable[str]) -> int | None:
    wanted = {_normal(name) for name in names}
    for position, header in enumerate(table.fields):
        if {_normal(header.name), _normal(header.label)} & wanted and header.scope != "district":
            return position
    return None


def _shown(header: Field) -> str:
    """Return a header as messages and the mapping show it."""
    return f"{header.name}({header.unit})" if header.unit else header.name or header.letter


def _brief(cell: object) -> str:
    """Return a cell as messages show it, however long it is."""
    text = str(cell)
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _unit(header: Field) -> str:
    return "" if header.unit in ("没有单位",) else header.unit


def _years(cells: pd.Series) -> pd.Series:
    """Return the year of dates and years written in any usual way; missing where there is none."""
    text = cells.astype("str").str.strip()
    year = text.str.extract(r"^((?:18|19|20)\d{2})(?!\d{3,})", expand=False)
    return pd.to_numeric(year).astype("float64")


def _text(cells: pd.Series) -> pd.Series:
    """Return cells as text; a code that a spreadsheet holds as a number is written without a decimal point."""
    whole = cells.map(lambda cell: isinstance(cell, float) and cell.is_integer())
    text = cells.astype("str").str.strip()
    return text.where(~whole, text.str.removesuffix(".0")).where(cells.notna())


def _firms(cells: pd.Series, digits: int = 6) -> pd.Series:
    """Return stock codes as numbers: ``000001``, ``000001.SZ``, ``1.0``; missing where it is none."""
    text = cells.astype("str").str.strip().str.replace(r"\.(?:0+|[A-Za-z]{2})$", "", regex=True)
    return pd.to_numeric(text.where(text.str.fullmatch(rf"\d{{1,{digits}}}").fillna(False))).astype("float64")


def _resembles(header: Field, item: Item) -> bool:
    """Tell whether a header may mean an item: one contains the other, or they share most characters."""
    for printed in {_normal(header.name), _normal(header.label)} - {""}:
        for name in map(_normal, item.names):
            shorter = min(len(printed), len(name))
            if shorter >= 3 and (printed in name or name in printed):
                return True
            if difflib.SequenceMatcher(None, printed, name).ratio() >= 0.75:
                return True
    return False


# --- the mapping ---------------------------------------------------------------------------------------------------

_ENTRY = {"file": str, "sheet": str, "column": str, "item": str, "unit": str, "confirmed": bool, "why": str}


def _mapping(path: Path, declared: Exports) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Return the lines of a mapping and what is wrong with them."""
    if not path.exists():
        return [], []
    problem = Finding("error", "", "correct the line, or delete the file to have it drafted again", MAPPING)
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("column", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [], [replace(problem, message=f"cannot be read ({error})")]
    known, findings = {declared.name(item): item for item in declared.items}, []
    if not isinstance(entries, list):
        return [], [replace(problem, message="'column' is no list; expected [[column]]")]
    good = []
    for number, entry in enumerate(entries, 1):
        said = f"[[column]] number {number}: "
        wrong = [key for key in entry if key not in _ENTRY] if isinstance(entry, dict) else ["?"]
        missing = [key for key in ("file", "column", "item", "confirmed") if key not in entry]
        types = [key for key, kind in _ENTRY.items() if key in entry and not isinstance(entry[key], kind)]
        if wrong or missing or types:
            what = f"unknown key '{wrong[0]}'" if wrong else f"'{(missing + types)[0]}' is missing or of the wrong type"
            findings.append(replace(problem, message=f"{said}{what}; expected {', '.join(_ENTRY)}"))
        elif entry["item"] and entry["item"] not in {*known, *KEYS}:
            near = difflib.get_close_matches(entry["item"], known, 1)
            hint = f", perhaps '{near[0]}'" if near else ""
            findings.append(replace(problem, message=f"{said}no item '{entry['item']}'{hint}"))
        elif entry["confirmed"] and not _unit_fits(entry.get("unit", ""), known.get(entry["item"])):
            want = known[entry["item"]].unit
            findings.append(replace(
                problem, message=f"{said}unit '{entry.get('unit', '')}' cannot become '{want}', the unit of "
                f"{entry['item']}"
            ))  # fmt: skip
        else:
            good.append(entry)
    return good, findings


def _unit_fits(unit: str, item: Item | None) -> bool:
    return item is None or item.unit in ("", unit) or bool(unit and units.factor(unit, item.unit))


def draft(study: Study, found: Found) -> int:
    """Add the columns to be confirmed to ``mapping.toml``; return how many are new.

    Lines that are there stay as they are.
    """
    path = paths.RAW / study.key / MAPPING
    old = path.read_text(encoding="utf-8-sig") if path.exists() else _HEADER.format(study=study.key)
    try:
        listed = tomllib.loads(old).get("column", [])
    except tomllib.TOMLDecodeError:
        return 0  # a finding says so already
    known = {(entry.get("file"), entry.get("column")) for entry in listed}
    sheets = {key: {c.sheet for c in found.candidates if (c.file, c.column) == key}
              for key in {(c.file, c.column) for c in found.candidates}}  # fmt: skip
    lines = []
    for c in found.candidates:
        if (c.file, c.column) in known:
            continue
        known.add((c.file, c.column))
        sheet = "*" if len(sheets[c.file, c.column]) > 1 else c.sheet
        values = {"file": c.file, "sheet": sheet, "column": c.column, "item": c.item, "unit": c.unit, "why": c.why}
        lines += ["", "[[column]]", *(f"{key} = {_toml(value)}" for key, value in values.items()), "confirmed = false"]
    if lines:
        text = "\n".join([old.rstrip("\n"), *lines, ""])
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return lines.count("[[column]]")


_HEADER = """\
# Columns that `pilotzones check-data {study}` could not place for sure. A line counts once `confirmed = true`.
# item: what the column is, a name of the list in README.md, or "firm", "city", "province", "year"; "" leaves it out.
# unit: of the numbers in the file, e.g. "yuan", "10,000 yuan", "100 million yuan", "percent", "10,000 persons".
# sheet: "*" for every sheet of the file.
"""


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


# --- from items to raw variables -----------------------------------------------------------------------------------


def assemble(study: Study, found: Found) -> pd.DataFrame:
    """Return :func:`variables`, of a panel that has to be balanced the units without a gap.

    Raises
    ------
    DataError
        If there is nothing that says which units there are, or a panel has to be balanced and no unit is complete.
    """
    declared, work = exports(study), variables(study, found)
    if not declared.balanced:
        return work
    gaps = incomplete(study, work)
    whole = work[~work[declared.of].isin(gaps["unit"])].reset_index(drop=True)
    if whole.empty:
        unit, variable, year = gaps.iloc[0]
        raise DataError(
            f"data/raw/{study.key}: no {declared.of} has every variable in every year, e.g. {unit} lacks "
            f"{variable or 'all'} in {year}; expected some without a gap"
        )
    return whole


def variables(study: Study, found: Found) -> pd.DataFrame:
    """Compute a study's raw variables from the items found, for all units; missing where an item is.

    Raises
    ------
    DataError
        If there is nothing that says which units there are.
    """
    declared = exports(study)
    rows = _firm_rows(study, found) if declared.of == "firm" else _city_rows(study, declared, found)
    if rows.empty:
        raise DataError(f"data/raw/{study.key}: no row of a {declared.of} in {study.years[0]}-{study.years[1]} found")
    work = rows.copy()
    words = {word for formula in declared.formulas.values() for word in re.findall(r"\w+", formula)}
    for word, series in NATIONAL.items():
        if word in words:
            work[word] = policy.national_series(series).reindex(rows["year"]).to_numpy()
    for item in declared.items:
        name = declared.name(item)
        values = found.values.get(name, pd.Series(dtype="float64"))
        shifts = {name: 0, f"{name}_before": -1, f"{name}_first": None}
        for word, shift in shifts.items():
            if word not in words or word in work:
                continue
            if not item.yearly:
                work[word] = values.reindex(rows[item.of]).to_numpy()
                continue
            years = rows["year"] + shift if shift is not None else pd.Series(study.years[0], rows.index)
            if values.empty:
                work[word] = np.nan
            else:
                work[word] = values.reindex(pd.MultiIndex.from_arrays([rows[item.of], years])).to_numpy()
        if f"{name}_level" in words:
            level = _price_level(values, study.years)
            work[f"{name}_level"] = level.reindex(pd.MultiIndex.from_frame(rows[[item.of, "year"]])).to_numpy()
    for variable, formula in declared.formulas.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            work[variable] = work.eval(formula, engine="python")
        work[variable] = work[variable].replace([np.inf, -np.inf], np.nan)
    for variable, measure in declared.measured.items():
        work[variable] = measure(found.records, work)
    return work[[*dict.fromkeys((*rows.columns, *declared.formulas, *declared.measured))]]


def incomplete(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Return the units that lack a value in some sample year; a variable that no unit has does not count.

    Parameters
    ----------
    table : raw variables, see :func:`variables`.

    Returns
    -------
    One row per unit: ``unit``, ``variable``, ``year``, its first gap; the variable is empty where all values of the
    year are missing.
    """
    unit, (first, last) = exports(study).of, study.years
    given = table.dropna(axis=1, how="all")
    whole = pd.MultiIndex.from_product([sorted(table[unit].unique()), range(first, last + 1)], names=["unit", "year"])
    gaps = given.set_index([unit, "year"]).reindex(whole).isna()
    gaps = gaps[gaps.any(axis=1)].reset_index().drop_duplicates("unit").set_index(["unit", "year"])
    gaps["variable"] = gaps.idxmax(axis=1).mask(gaps.all(axis=1), "") if len(gaps) else ""
    return gaps.reset_index()[["unit", "variable", "year"]]


def _price_level(index: pd.Series, years: tuple[int, int]) -> pd.Series:
    """Return a price level, 1 in the first year, from an index by place and year that is 100 in the year before."""
    if index.empty:
        return pd.Series(dtype="float64", index=pd.MultiIndex.from_arrays([[], []]))
    steps = index.unstack().reindex(columns=range(years[0], years[1] + 1)) / 100
    steps[years[0]] = 1.0
    return steps.cumprod(axis=1, skipna=False).stack()


def _city_rows(study: Study, declared: Exports, found: Found) -> pd.DataFrame:
    """Return every sample year of the cities about which the files say anything in it."""
    own = [values.index for name, values in found.values.items()
           if values.index.nlevels == 2 and not name.startswith(("province_", "firm_"))]  # fmt: skip
    if not own:
        return pd.DataFrame(columns=["city", "year", "province"])
    index = pd.MultiIndex.from_tuples(sorted(set().union(*map(set, own))), names=["city", "year"])
    rows = index.to_frame(index=False)
    cities = policy.cities().set_index("adcode")
    rows = rows[rows["year"].between(*study.years) & rows["city"].isin(cities.index[cities["is_city"] == 1])]
    return rows.assign(province=rows["city"].map(cities["province_adcode"]).astype("int64")).reset_index(drop=True)


def _firm_rows(study: Study, found: Found) -> pd.DataFrame:
    """Return the firms and sample years whose city (or province) is known."""
    place = "city" if "city" in found.values else "province"
    known = found.values.get(place, pd.Series(dtype="float64")).dropna()
    if known.empty:
        return pd.DataFrame(columns=["firm", "year", place])
    rows = known.astype("int64").rename(place).rename_axis(["firm", "year"]).reset_index()
    rows = rows[rows["year"].between(*study.years)].reset_index(drop=True)
    if place == "city":
        rows["province"] = rows["city"] // 10000 * 10000
    else:
        # one province for all years of a firm, the latest: where it is registered now
        rows["province"] = rows.sort_values("year").groupby("firm")["province"].transform("last")
    return rows
