"""What a paper prints, as text, so that the number of printed digits is known."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from pilotzones import paths, published
from pilotzones.audit.intervals import Interval, exactly, rounded
from pilotzones.declare import Column, Study, Variable
from pilotzones.io import read_csv

CONSTANT = "_cons"
FILES = ("estimates", "columns", "descriptives", "stats", "claims", "index_weights")


@dataclass(frozen=True)
class Cell:
    """A printed coefficient with what stands in brackets below it.

    Parameters
    ----------
    estimate, spread : as printed; ``spread`` is empty where there is none.
    kind : of the spread, ``"se"`` or ``"t"``.
    stars : 0 to 3; None where the paper does not say.
    """

    table: str
    column: str
    term: str
    estimate: str
    spread: str
    kind: str
    stars: int | None

    @property
    def value(self) -> Interval:
        """The values of the coefficient that print as they do."""
        return rounded(self.estimate)

    def t(self, kind: str = "") -> Interval:
        """Return the absolute t values that fit what is printed, with the spread read as ``kind``."""
        spread = abs(rounded(self.spread))
        return spread if (kind or self.kind) == "t" else abs(self.value) / Interval(max(spread.low, 0.0), spread.high)

    @property
    def error(self) -> Interval:
        """The standard errors that fit what is printed."""
        return abs(self.value) / self.t() if self.kind == "t" else rounded(self.spread)

    @property
    def shown(self) -> str:
        """The cell as a table shows it."""
        return f"{self.estimate} ({self.spread}){'*' * (self.stars or 0)}"


@dataclass(frozen=True)
class Printed:
    """One printed regression: its declaration, and the numbers below it.

    Parameters
    ----------
    declared : regressors, sample, instruments and matching of the column.
    effects : fixed effects as the printed table labels them, which need not be those of the declaration.
    n : rows; None where not printed.
    r2 : as printed; empty where it is not.
    described_sample : the sample in the paper's words, with its number of units and years where it names them.
    """

    table: str
    column: str
    declared: Column
    outcome: str
    regressors: frozenset[str]
    effects: frozenset[str]
    n: int | None
    r2: str
    described_sample: str
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Table and column, for sentences."""
        return f"{self.table} ({self.column})"

    @property
    def plain(self) -> bool:
        """Whether it is least squares on rows as they are: no instruments, no matching, no winsorising."""
        return not (self.declared.instrumented or self.declared.matching or self.declared.winsorise)

    @property
    def variables(self) -> frozenset[str]:
        """Every variable a row needs, fixed effects aside."""
        words = re.findall(r"\w+", self.declared.formula.rpartition("|")[2]) if self.declared.instrumented else []
        return frozenset({self.outcome, *self.regressors, *words})

    @property
    def whole(self) -> str:
        """The sample without the condition that cuts it into groups."""
        cut = self.declared.group
        return re.sub(r"(?:^| and )\w+ == (?:'[^']*'|\S+)$", "", self.declared.sample) if cut else self.declared.sample


@dataclass(frozen=True)
class Tables:
    """All that one paper prints.

    Parameters
    ----------
    study : the declaration; of it, only what defines the tables is used, no panel and no estimate.
    text : the files of ``data/published`` by name, the rows of the study, every cell as text.
    """

    study: Study
    text: dict[str, pd.DataFrame]

    @cached_property
    def cells(self) -> list[Cell]:
        """Every printed coefficient, in the order of the file."""
        return [
            Cell(row["table"], row["column"], row["term"], row["estimate"], row["spread"], row["spread_kind"],
                 int(row["stars"]) if row["stars"] else None)
            for row in self.text["estimates"].to_dict("records")
        ]  # fmt: skip

    @cached_property
    def columns(self) -> list[Printed]:
        """Every printed regression that the study declares, in the order of the file."""
        formulas = {(table.id, column.id): column for table in self.study.tables for column in table.columns}
        cells: dict[tuple[str, str], dict[str, Cell]] = {}
        for cell in self.cells:
            cells.setdefault((cell.table, cell.column), {})[cell.term] = cell
        found = []
        for row in self.text["columns"].to_dict("records"):
            declared = formulas.get((row["table"], row["column"]))
            if declared is None:
                continue
            left, *_ = (part.strip() for part in self.study.expand(declared.formula).split("|"))
            outcome, _, right = left.partition("~")
            regressors = {word for word in re.findall(r"\w+", right) if not word.isdigit()}
            if declared.instrumented:
                regressors.add(declared.term)
            found.append(
                Printed(
                    row["table"], row["column"], declared, outcome.strip(), frozenset(regressors),
                    printed_effects(row["fixed_effects"]), int(row["n_obs"]) if row["n_obs"] else None, row["r2"],
                    row["sample"], cells.get((row["table"], row["column"]), {}),
                )
            )  # fmt: skip
        return found

    @cached_property
    def moments(self) -> dict[str, dict[str, str]]:
        """Printed descriptive statistics by the variable's name: ``n``, ``mean``, ``sd``, ``min``, ``max``."""
        names = {v.symbol or v.name: v.name for v in self.study.variables}
        rows = self.text["descriptives"].to_dict("records")
        return {names.get(row["symbol"], row["symbol"]): row for row in rows}

    @property
    def rows(self) -> int:
        """The largest number of observations of a described variable; 0 where none is described."""
        return max((int(row["n"]) for row in self.moments.values()), default=0)

    def variable(self, name: str) -> Variable | None:
        """Return the declared variable; None for a name that the study does not declare."""
        return next((v for v in self.study.variables if v.name == name), None)

    def complete(self, name: str) -> bool:
        """Tell whether a variable has no missing value: by its printed n, or else by its declaration."""
        if name in self.moments:
            return int(self.moments[name]["n"]) == self.rows
        variable = self.variable(name)
        return variable is not None and not variable.missing

    def moment(self, name: str, statistic: str) -> Interval:
        """Return a described moment; minimum and maximum of counts and dummies are whole numbers and exact."""
        text, variable = self.moments[name][statistic], self.variable(name)
        whole = variable is not None and variable.kind in ("binary", "count") and statistic in ("min", "max")
        return exactly(float(text)) if whole else rounded(text)

    @cached_property
    def units(self) -> int | None:
        """Units (firms, cities, pairs) as the words about the benchmark sample count them; None where they do not.

        Pairs are those of which at most one city is ever treated: ``C(n + m, 2) - C(n, 2)`` of n treated and m others.
        """
        words = " ".join(self.text["columns"]["sample"])
        if self.study.unit == "pair":
            found = re.search(r"(\d+) treated and (\d+) untreated", words)
            return math.comb(int(found[1]) + int(found[2]), 2) - math.comb(int(found[1]), 2) if found else None
        found = re.search(r"(?<![\d,-])(\d[\d,]*)(?: [\w-]+)? (?:cities|firms)", words)
        return int(found[1].replace(",", "")) if found else None


def printed_effects(words: str) -> frozenset[str]:
    """Return the fixed effects that the words of a table name.

    ``"city; year; province x year"`` lists them; ``"printed: city Yes, year No (...)"`` repeats a table's own rows.
    Effects of every year in every province contain those of years.
    """
    labelled = re.match(r"printed: (.*?)(?: \(|$)", words)
    if labelled:
        names = [name for name, answer in re.findall(r"(\w+) (Yes|No)", labelled[1]) if answer == "Yes"]
    else:
        names = [re.sub(r" *\(.*?\)", "", name).strip() for name in words.split(";")]
    names = [name.replace("^", " x ") for name in names if name and not name.startswith(("none", "not stated"))]
    return frozenset({*names, *(name.rpartition(" x ")[2] for name in names)})


def load(study: Study) -> Tables:
    """Return what a paper prints, from ``data/published``.

    Raises
    ------
    DataError
        If a file is missing or malformed, as :mod:`pilotzones.published` says.
    """
    checks = (published.estimates, published.columns, published.descriptives, published.stats, published.claims,
              published.weights)  # fmt: skip
    for check in checks:
        check(study.key)  # types and keys; what follows only keeps the digits as they are printed
    text = {}
    for name in FILES:
        rows = read_csv(paths.PUBLISHED / f"{name}.csv", dict.fromkeys(published.COLUMNS[name], str))
        text[name] = rows[rows["study"] == study.key].reset_index(drop=True)
    return Tables(study, text)
