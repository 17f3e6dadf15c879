"""Reading tables strictly and writing files whole."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd

from pilotzones.errors import DataError
from pilotzones.paths import ROOT

_READS: ContextVar[set[Path] | None] = ContextVar("reads", default=None)


def shown(path: Path) -> str:
    """Return ``path`` as messages show it: relative to the project where it lies inside."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


@contextmanager
def recording() -> Iterator[set[Path]]:
    """Collect the paths that :func:`read_csv` opens inside the ``with`` block."""
    reads: set[Path] = set()
    token = _READS.set(reads)
    try:
        yield reads
    finally:
        _READS.reset(token)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


# type asked for: parser of one cell, what a reader is told, pandas dtype
_CELLS: dict[Any, tuple[Callable[[str], Any], str, str]] = {
    str: (str, "text", "str"),
    int: (int, "a whole number", "int64"),
    float: (_number, "a number", "float64"),
    date: (date.fromisoformat, "a date YYYY-MM-DD", "datetime64[s]"),
    int | None: (int, "a whole number or nothing", "Int64"),
    float | None: (_number, "a number or nothing", "float64"),
    date | None: (date.fromisoformat, "a date YYYY-MM-DD or nothing", "datetime64[s]"),
}
_BLANK_ALLOWED = {int | None, float | None, date | None}


def read_csv(path: Path, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Read the named columns of a UTF-8 CSV file, each with its type.

    Parameters
    ----------
    path : the file; its first line is the header.
    columns : column name to type: ``str`` (blank allowed), ``int``, ``float``, ``datetime.date``, or one of the
        last three ``| None`` where blank means missing. Other columns of the file are left out.

    Returns
    -------
    One row per line, in file order; columns in the order of ``columns``. Row ``i`` (from 0) is line ``i + 2`` of a
    file without line breaks inside cells.

    Raises
    ------
    DataError
        If the file is missing or is not UTF-8, a column is missing or doubled, a line has too many or too few
        cells, or a cell is not of its type. The message names file, line and column.
    """
    reads = _READS.get()
    if reads is not None:
        reads.add(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except FileNotFoundError:
        raise DataError(
            f"{shown(path)}: the file is missing; expected a CSV file with columns {', '.join(columns)}"
        ) from None
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise DataError(f"{shown(path)}: is not UTF-8 text") from None
    except csv.Error as error:
        raise DataError(f"{shown(path)}, line {reader.line_num}: is not valid CSV ({error})") from None

    for name in columns:
        if header.count(name) != 1:
            problem = "is missing from" if name not in header else "appears twice in"
            raise DataError(f"{shown(path)}, line 1: column '{name}' {problem} the header '{','.join(header)}'")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"{shown(path)}, line {line}: {len(row)} cells, but the header has {len(header)}")

    frame = {}
    for name, kind in columns.items():
        parse, expected, dtype = _CELLS[kind]
        position = header.index(name)
        cells: list[Any] = []
        for line, row in rows:
            text = row[position]
            if not text and kind in _BLANK_ALLOWED:
                cells.append(None)
                continue
            try:
                cells.append(parse(text))
            except ValueError:
                raise DataError(f"{shown(path)}, line {line}, column '{name}': {text!r}, expected {expected}") from None
        frame[name] = pd.Series(cells, dtype=dtype)
    return pd.DataFrame(frame)


def require_columns(panel: pd.DataFrame, *columns: str) -> None:
    """Check that ``panel`` has the named columns.

    Raises
    ------
    DataError
        If one is missing.
    """
    for column in columns:
        if column not in panel:
            raise DataError(f"panel: column '{column}' is missing; expected {', '.join(columns)}")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : the file to make or replace; its folder is made when missing.
    write : writes the content to the path it is given, a temporary name with the same ending in the same folder.

    Raises
    ------
    DataError
        If the folder cannot be written to or the disk is full. An earlier file at ``path`` is left intact.
    """
    temporary = path.with_name(f".{uuid4().hex}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise DataError(
            f"{shown(path)}: cannot be written ({error.strerror or error}); an earlier file there is unchanged"
        ) from error
    finally:
        # after success it is gone already; on a full disk it must not stay
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
