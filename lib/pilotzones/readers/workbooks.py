"""Read one workbook from standard input and write its cells as lines of JSON: run by ``grids`` as its own process.

A workbook of a few kilobytes can claim cells at both corners of a sheet; the parser then asks for half a terabyte and
takes its process down with it. Nothing here imports the library, so that a start costs a twentieth of a second.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from io import BytesIO
from itertools import islice
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

MEMORY = 4 * 2**30  # a million rows of 8 columns need 0.7
CELLS = 40_000_000  # a full sheet of 38 columns
CHUNK = 50_000
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
ERROR_CELL = re.compile(rb'<c (?:[^>]* )?t="e"[^>]*>')
NO_VALUE = re.compile(rb"<c [^>]*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)(?:<v/>|<v></v>)?</c>")
PLACE = re.compile(rb'r="([A-Z]+)(\d+)"')


def lines(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield what is in a workbook: findings, and blocks of cells.

    Parameters
    ----------
    content : .xlsx, .xlsm, .xlsb, .xls or .ods.

    Yields
    ------
    Arguments of a ``Finding``, or ``sheet``, ``row`` and ``column`` (from 0) of the first cell, and ``cells``: lists
    of equal length, one per column, of text and floats, with ``""`` for an empty cell.
    """
    yield from _parts(content)
    workbook = CalamineWorkbook.from_filelike(BytesIO(content))
    if not workbook.sheets_metadata:
        yield _finding("error", "no sheet in it", "open it and save it anew as .xlsx")
    for index, sheet in enumerate(workbook.sheets_metadata):
        if sheet.typ != SheetTypeEnum.WorkSheet:
            yield _finding("note", "not read: a chart, dialog or macro sheet", sheet=sheet.name)
            continue
        if sheet.visible != SheetVisibleEnum.Visible:
            yield _finding("note", "hidden in the workbook, read like the others", sheet=sheet.name)
        try:
            yield from _cells(workbook, index, sheet.name)
        except Exception as error:
            yield _finding("error", f"damaged ({error})", "open the workbook and save it anew as .xlsx", sheet.name)


def _finding(severity: str, message: str, advice: str = "", sheet: str = "", row: int | None = None, column: str = ""):
    return {"severity": severity, "message": message, "advice": advice, "sheet": sheet, "row": row, "column": column}


def _cells(workbook: CalamineWorkbook, index: int, name: str) -> Iterator[dict[str, Any]]:
    sheet = workbook.get_sheet_by_index(index)
    if sheet.start is None:
        yield _finding("note", "empty", sheet=name)
        return
    if sheet.height * sheet.width > CELLS:
        message = f"cells spread over {sheet.height:,} rows and {sheet.width:,} columns, more than {CELLS:,} cells"
        yield _finding("error", message, "copy the data alone into a new workbook", name)
        return
    row, column = sheet.start
    rows = islice(sheet.iter_rows(), row, None)  # it starts at the first row of the sheet, but the first filled column
    while block := list(islice(rows, CHUNK)):
        columns = [
            values if {str, float}.issuperset(map(type, values)) else [_cell(value) for value in values]
            for values in zip(*block, strict=True)
        ]
        yield {"sheet": name, "row": row, "column": column, "cells": columns}
        row += len(block)


def _cell(value: Any) -> str | float:
    """Return a cell as text or float: whole numbers that a float cannot hold, and dates, are text."""
    if isinstance(value, (str, float)):
        return value
    if isinstance(value, int):  # bool too
        return float(value) if abs(value) <= 2**53 else str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _parts(content: bytes) -> Iterator[dict[str, Any]]:
    """Say what the parser passes over in silence: macros, links, error cells, formulas that were never computed."""
    if not content.startswith(b"PK"):
        if "_VBA_PROJECT".encode("utf-16-le") in content:
            yield _finding("note", "holds macros: not evaluated")
        return
    with zipfile.ZipFile(BytesIO(content)) as archive:
        names = archive.namelist()
        if any(name.lower().endswith("vbaproject.bin") for name in names):
            yield _finding("note", "holds macros: not evaluated")
        if any(name.lower().startswith("xl/externallinks/") for name in names):
            yield _finding("note", "holds links to other workbooks: not followed, values are those last saved")
        if "content.xml" in names:  # .ods; the parser never returns from one that is cut off
            with archive.open("content.xml") as member:
                expat.ParserCreate().ParseFile(member)
        if "xl/workbook.xml" not in names:  # .xlsb keeps its cells in another form
            return
        for part, sheet in _sheets(archive).items():
            if part in names:
                yield from _silent(archive, part, sheet)


def _sheets(archive: zipfile.ZipFile) -> dict[str, str]:
    """Member of the archive -> name of the sheet."""
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    sheets = ElementTree.fromstring(archive.read("xl/workbook.xml")).iterfind("{*}sheets/{*}sheet")
    named = {targets.get(sheet.get(RELATION), ""): sheet.get("name", "") for sheet in sheets}
    return {part.lstrip("/") if part.startswith("/") else f"xl/{part}": name for part, name in named.items()}


def _silent(archive: zipfile.ZipFile, part: str, sheet: str) -> Iterator[dict[str, Any]]:
    """Find the first error cell and the first formula without a value, which both come out as empty cells."""
    wanted = {
        ERROR_CELL: (
            b't="e"',
            "an error value such as #N/A or #REF!, read as missing, and perhaps others in the sheet",
        ),
        NO_VALUE: (b"<f", "a formula that was never computed, read as missing, and perhaps others in the sheet"),
    }
    with archive.open(part) as member:
        before = b""
        while wanted and (piece := member.read(2**20)):
            text = before + piece
            for pattern, (mark, message) in list(wanted.items()):
                if mark in text and (found := pattern.search(text)):
                    del wanted[pattern]
                    place = PLACE.search(found[0])
                    column, row = (place[1].decode(), int(place[2])) if place else ("", None)
                    yield _finding("warning", message, "open it, compute it, and save it", sheet, row, column)
            before = text[-2_000:]  # a cell cut in two


def main() -> None:
    """Answer one request."""
    try:
        import resource  # not on Windows; there only the parser's own limits hold
    except ImportError:
        pass
    else:
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most), most))
    out = sys.stdout.buffer

    def write(line: dict[str, Any]) -> None:
        out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    try:
        for line in lines(sys.stdin.buffer.read()):
            write(line)
    except PasswordError:
        write(_finding("error", "protected by a password", "open it, remove the password and save it anew"))
    except BaseException as error:  # a panic of the parser is no Exception
        write(_finding("error", f"damaged ({error})", "open it and save it anew as .xlsx, or as CSV UTF-8"))


if __name__ == "__main__":
    main()
