"""What readers return: grids of cells as they stand in a file, tables with named columns, and findings on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd


@dataclass(frozen=True)
class Finding:
    """One thing that a reader of the report should know, or has to put right.

    Parameters
    ----------
    severity : ``"error"`` stops the licensed panel; ``"warning"`` may be a mistake in the file; ``"note"`` says what
        was done.
    message : what is there.
    advice : what to do about it; empty for notes.
    file : name below ``data/raw/<study>``, members of archives as ``archive.zip/member.xlsx``.
    sheet : of a workbook; empty for text files.
    row : line of the file or row of the sheet, from 1; None when it is about more than one.
    column : header, or spreadsheet letter where there is none.
    """

    severity: Literal["error", "warning", "note"]
    message: str
    advice: str = ""
    file: str = ""
    sheet: str = ""
    row: int | None = None
    column: str = ""

    def __str__(self) -> str:
        place = [self.file]
        place += [f"sheet '{self.sheet}'"] if self.sheet else []
        place += [] if self.row is None else [f"row {self.row}"]
        place += [f"column '{self.column}'"] if self.column else []
        where = ", ".join(filter(None, place))
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}; {self.advice}" if self.advice else text


@dataclass(frozen=True)
class Grid:
    """The cells of one sheet or text file, as they stand there.

    Parameters
    ----------
    file, sheet : see :class:`Finding`.
    cells : columns 0, 1, ... from the left; labels of the rows are those of the file, from 1. Text, floats, or missing
        for an empty cell. A date is text ``YYYY-MM-DD``, a truth value 0.0 or 1.0.
    labels : for a file that carries labels of its columns besides their names (Stata): name -> label; empty otherwise.
    """

    file: str
    sheet: str
    cells: pd.DataFrame
    labels: dict[str, str]


@dataclass(frozen=True)
class Field:
    """The header of one column, taken apart.

    Parameters
    ----------
    name : its code or name as printed, without unit, e.g. ``A001000000``, ``地区生产总值``.
    label : a second name where the file has one, e.g. ``资产总计``.
    unit : as printed, without brackets, e.g. ``亿元``; empty where the file names none.
    scope : ``"whole"`` (全市), ``"district"`` (市辖区) or empty where the file does not say.
    letter : the column of the spreadsheet, e.g. ``C``.
    """

    name: str
    label: str = ""
    unit: str = ""
    scope: Literal["", "whole", "district"] = ""
    letter: str = ""


@dataclass(frozen=True)
class Table:
    """A block of rows under one header.

    Parameters
    ----------
    file, sheet : see :class:`Finding`.
    layout : ``"csmar"``, ``"long"``, ``"yearbook"``, ``"matrix"`` (years side by side) or ``"panel"``.
    fields : the columns, in order.
    rows : columns 0, 1, ... as ``fields``; labels are rows of the file, from 1; cells as in :class:`Grid`.
    findings : what was done on the way, e.g. which rows were left out.
    """

    file: str
    sheet: str
    layout: Literal["csmar", "long", "yearbook", "matrix", "panel"]
    fields: tuple[Field, ...]
    rows: pd.DataFrame
    findings: tuple[Finding, ...] = ()
