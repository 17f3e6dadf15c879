"""Files into grids of cells, as they stand there: text, workbooks and Stata files."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from io import BytesIO, StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.io.stata import StataReader

from pilotzones.errors import DataError
from pilotzones.readers.archives import File, check_workbook
from pilotzones.readers.tables import Finding, Grid

DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
CHUNK = 10_000
COLUMNS = 16_384  # as many as a sheet of Excel
SECONDS = 60  # for a workbook, and so much more for each
BYTES_PER_SECOND = 50_000  # the usual pace is some 2 million
SAVE_ANEW = "open it in the program that made it and save it anew as .xlsx, or as CSV UTF-8"
WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
OLE = bytes.fromhex("D0CF11E0A1B11AE1")
WEB_PAGE = re.compile(r"\s*<(!doctype|html|head|meta|body|table|div|\?xml)\b", re.IGNORECASE)
SIDECAR_LINE = re.compile(r"^\s*(\S+?)\s*\[(.*?)\]\s*(?:[-－–—]|$)", re.MULTILINE)


def grids(file: File) -> tuple[list[Grid], list[Finding]]:
    """Return the grids of a file: one of a text or Stata file, one per sheet of a workbook.

    Text stays as it is in the file, leading zeros and blanks included; nothing is taken for a number that is not one
    in the file. Formulas, macros and links are never evaluated: the values are those last saved.

    Parameters
    ----------
    file : of a type that :func:`~pilotzones.readers.archives.files` returns; a sidecar gives no grid.

    Returns
    -------
    Grids without empty rows and columns at their ends, and findings. Never raises for what is in the file: an error
    says what is wrong with it.
    """
    try:
        return _grids(file, file.read())
    except DataError as error:
        message, _, advice = str(error).removeprefix(f"{file.name}: ").partition("; ")
        return [], [Finding("error", message, advice, file.name)]
    except Exception as error:  # parsers of other people's formats fail in their own ways
        return [], [Finding("error", f"cannot be read ({type(error).__name__}: {error})", SAVE_ANEW, file.name)]


def is_sidecar(name: str) -> bool:
    """Whether a file describes the columns of another one, as ``FS_Combas[DES][xlsx].txt`` does."""
    return "[des]" in name.lower()


def sidecar(file: File) -> dict[str, str]:
    """Return code -> label of a CSMAR sidecar, whose lines are ``CODE [label] - explanation``.

    Parameters
    ----------
    file : one for which :func:`is_sidecar` holds.

    Returns
    -------
    Empty if the file cannot be read or no line has that form; :func:`grids` says so.
    """
    try:
        text, _ = _decoded(file.name, file.read())
    except DataError:
        return {}
    return {code: label.strip() for code, label in SIDECAR_LINE.findall(text or "")}


def _grids(file: File, content: bytes) -> tuple[list[Grid], list[Finding]]:
    name = file.name
    if is_sidecar(name):
        advice = "download it again with its table, or name the columns in mapping.toml"
        empty = Finding("warning", "no line of the form 'CODE [label] - explanation'", advice, name)
        return [], [] if sidecar(file) else [empty]
    if not content:
        return [], [Finding("error", "an empty file", "download it again", name)]
    packed = content.startswith((b"PK\x03\x04", OLE))
    if file.suffix == ".dta":
        return _stata(name, content)
    if file.suffix in WORKBOOKS and packed:
        return _workbook(name, content)
    if packed:
        return [], [
            Finding("error", f"not what its name says: a workbook or archive named {file.suffix}", SAVE_ANEW, name)
        ]
    text, notes = _decoded(name, content)
    if text is None:
        return [], notes
    if WEB_PAGE.match(text):
        message = "a web page or XML, not a table"
        return [], [Finding("error", message, "open it in Excel and save it as .xlsx; or download it again", name)]
    if file.suffix in WORKBOOKS:
        notes.append(Finding("note", f"text named {file.suffix}: read as text", file=name))
    found, findings = _delimited(name, text)
    return found, notes + findings


def _decoded(name: str, content: bytes) -> tuple[str | None, list[Finding]]:
    """Return the text of a file, with a note if its encoding had to be found out; or None with the reason."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif content.startswith(b"\xef\xbb\xbf"):
        encodings = ["utf-8-sig"]
    else:
        encodings = ["utf-8", "gb18030"]
    broken, line = -1, 1
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start > broken:  # the encoding that holds longer is the likelier one
                broken, line = error.start, error.object.count(b"\n", 0, error.start) + 1
            continue
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            message = "a NUL character: this is no text, or the file is damaged"
            return None, [Finding("error", message, SAVE_ANEW, name, row=line)]
        known = encoding.startswith("utf-8")
        return text, [] if known else [Finding("note", f"read as {encoding.upper()}", file=name)]
    tried = " nor ".join(encoding.removesuffix("-sig").upper() for encoding in encodings)
    return None, [Finding("error", f"a byte that is no text in {tried}", "save it as CSV UTF-8", name, row=line)]


def _delimited(name: str, text: str) -> tuple[list[Grid], list[Finding]]:
    first = 1
    if mark := re.match(r"sep=(.)\r?\n", text, re.IGNORECASE):  # a first line that Excel writes and reads
        text, first = text[mark.end() :], 2
    head = [line.rstrip("\r\n")[: 2**20] for line in islice(StringIO(text, newline=""), 100)]
    delimiter = mark[1] if mark and mark[1] in DELIMITERS else max(DELIMITERS, key=lambda d: _fit(head, d))
    findings = []
    if delimiter != ",":
        findings.append(Finding("note", f"cells are separated by {DELIMITERS[delimiter]}", file=name))
    width = _width(_records(head, delimiter))
    if width > COLUMNS:
        message = f"{width:,} cells in a line, more than {COLUMNS:,}"
        return [], [*findings, Finding("error", message, "check the separators", name)]
    if width * (text.count("\n") + text.count("\r")) > 2 * len(text) + 10_000_000:
        message = f"most lines are far shorter than the header with its {width:,} cells"
        return [], [*findings, Finding("error", message, SAVE_ANEW, name)]

    records = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[list[pd.Series]] = [[] for _ in range(width)]
    labels: list[Iterable[int]] = []
    done = 0
    try:
        while rows := list(islice(records, CHUNK)):
            block = range(done + first, done + first + len(rows))
            lines = block if records.line_num - done == len(rows) else _lines(rows, done + first)
            if {width} != set(map(len, rows)):
                for line, row in zip(lines, rows, strict=True):
                    if any(row[width:]):
                        message = f"a line of {len(row)} cells where the others have {width}"
                        advice = "put quotation marks round cells that hold separators"
                        return [], [*findings, Finding("error", message, advice, name, row=line)]
                rows = [row[:width] + [""] * (width - len(row)) for row in rows]
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.append(_series(values))
            labels.append(lines)
            done = records.line_num
    except csv.Error as error:
        line, advice = (
            _broken(text, delimiter) + first,
            "double the quotation marks inside cells, close those round them",
        )
        message = f"a line that cannot be taken apart into cells ({error})"
        return [], [*findings, Finding("error", message, advice, name, row=line)]
    return _grid(name, "", columns, [label for block in labels for label in block], findings)


def _records(head: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(head, delimiter=delimiter))
    except csv.Error:
        return []


def _fit(head: list[str], delimiter: str) -> tuple[int, int]:
    """How many of the first lines have the most common number of cells, if that is not one; and that number."""
    counts = Counter(map(len, filter(None, _records(head, delimiter))))
    cells, lines = max(counts.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
    return (lines, cells) if cells > 1 else (0, 1)


def _width(head: list[list[str]]) -> int:
    """Return the number of cells of a line: of the header or of most of the first lines; empty cells at ends aside."""
    counts = [len("\t".join(map(str.strip, row)).rstrip("\t").split("\t")) for row in head if any(row)]
    header = next((count for count in counts if count > 1), 1)
    return max([header, *(count for count, _ in Counter(counts).most_common(1))])


def _lines(rows: list[list[str]], line: int) -> list[int]:
    """Return the line of the file on which each record starts, for records that run over several."""
    found = []
    for row in rows:
        found.append(line)
        line += 1 + sum(len(re.findall("\r\n|\r|\n", cell)) for cell in row)
    return found


def _broken(text: str, delimiter: str) -> int:
    """Return the number of lines before the record that cannot be taken apart."""
    records = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 0
    try:
        for _ in records:
            line = records.line_num
    except csv.Error:
        pass
    return line


def _workbook(name: str, content: bytes) -> tuple[list[Grid], list[Finding]]:
    if refused := check_workbook(name, content):
        return [], [refused]
    if content.startswith(OLE) and "EncryptedPackage".encode("utf-16-le") in content:
        return [], [Finding("error", "protected by a password", "open it, remove the password and save it anew", name)]
    command = [sys.executable, "-P", str(Path(__file__).with_name("workbooks.py"))]
    try:
        seconds = SECONDS + len(content) // BYTES_PER_SECOND
        done = subprocess.run(command, input=content, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return [], [Finding("error", f"not read within {seconds} seconds", "split it into several workbooks", name)]
    if done.returncode:
        message = "damaged, or its cells spread so far over a sheet that they do not fit in memory"
        return [], [Finding("error", message, "copy the data alone into a new workbook", name)]
    findings: list[Finding] = []
    blocks: dict[str, list[dict[str, Any]]] = {}
    for line in BytesIO(done.stdout):
        answer = json.loads(line)
        if "cells" in answer:
            answer["cells"] = [_series(values) for values in answer["cells"]]
            blocks.setdefault(answer["sheet"], []).append(answer)
        else:
            findings.append(Finding(**answer, file=name))
    found: list[Grid] = []
    for sheet, parts in blocks.items():
        first = parts[0]
        empty = pd.Series(np.nan, index=range(sum(len(part["cells"][0]) for part in parts)), dtype="str")
        columns = [[empty]] * first["column"] + [
            list(column) for column in zip(*(p["cells"] for p in parts), strict=True)
        ]
        one, findings = _grid(name, sheet, columns, range(first["row"] + 1, first["row"] + 1 + len(empty)), findings)
        found += one
    return found, findings


def _series(values: Sequence[str | float]) -> pd.Series:
    """Return one column of cells; an empty text is a missing cell."""
    try:
        text = pa.array(values, pa.large_string())
    except pa.ArrowTypeError:  # numbers among them
        mixed = np.array(values, dtype=object)
    else:
        return pd.Series(pd.array(pc.if_else(pc.equal(text, ""), None, text), dtype="str"))
    mixed[mixed == ""] = np.nan
    return pd.Series(mixed)


def _grid(
    name: str, sheet: str, columns: list[list[pd.Series]], rows: Sequence[int], findings: list[Finding]
) -> tuple[list[Grid], list[Finding]]:
    """Put columns together from their blocks and cut off what is empty at the ends."""
    joined = {place: pd.concat(blocks, ignore_index=True) for place, blocks in enumerate(columns) if blocks}
    filled = {place: column.notna().to_numpy() for place, column in joined.items()}
    width = max((place + 1 for place, there in filled.items() if there.any()), default=0)
    if not width:
        return [], [*findings, Finding("note", "empty", file=name, sheet=sheet)]
    height = max(int(there.nonzero()[0][-1]) + 1 for there in filled.values() if there.any())
    cells = pd.DataFrame({place: joined[place].iloc[:height] for place in range(width)})
    cells.index = pd.Index(rows[:height])
    return [Grid(name, sheet, cells, {})], findings


def _stata(name: str, content: bytes) -> tuple[list[Grid], list[Finding]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about encodings and old formats, meant for programmers
        with StataReader(BytesIO(content), convert_categoricals=False) as reader:
            data = reader.read()
            labels, coded = reader.variable_labels(), reader.value_labels()
        dates = data.select_dtypes("datetime").columns
        if len(dates):
            raw = pd.read_stata(BytesIO(content), convert_categoricals=False, convert_dates=False)
    findings = []
    if coded:
        message = f"holds words for numbers (value labels {', '.join(sorted(coded)[:5])}): the numbers are read"
        findings.append(Finding("note", message, file=name))
    for column in dates:
        day = data[column]
        years = raw[column].astype("float64").where(day.notna())
        # a date stored as its year is a number in our sense; days and months are dates
        data[column] = years if (years == day.dt.year)[day.notna()].all() else day.dt.strftime("%Y-%m-%d")

    # Stata 13 and before keep no encoding, and pandas takes every byte for a Latin letter
    old = not content.startswith(b"<stata_dta>") or content[28:31] == b"117"
    if old:
        findings.append(Finding("note", "of Stata 13 or before: its text is taken for UTF-8, else GB18030", file=name))
        data = data.rename(columns=_chinese)
        labels = {_chinese(column): _chinese(label) for column, label in labels.items()}
    columns = []
    for column, values in data.items():
        if pd.api.types.is_numeric_dtype(values):
            body = values.astype("float64").astype(object)
        else:
            text = values.astype("str")
            body = text.map(_chinese, na_action="ignore") if old else text
            body = body.mask(body == "")
        columns.append([_series([str(column)]), body])
    found, findings = _grid(name, "", columns, range(1, len(data) + 2), findings)
    return [Grid(grid.file, "", grid.cells, {k: v for k, v in labels.items() if v}) for grid in found], findings


def _chinese(text: str) -> str:
    """Return text whose bytes were taken for Latin letters; what is neither UTF-8 nor GB18030 stays as it is."""
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        return text
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text
