"""The words in which a study is declared: variables, columns, tables, event studies.

A declaration holds no result. Formulas are Wilkinson formulas in the fixest dialect::

    outcome ~ regressors                      ordinary least squares
    outcome ~ regressors | firm + year        fixed effects absorbed
    outcome ~ exogenous | firm | x ~ z1 + z2  two-stage least squares

and may contain ``{controls}`` or any other named block of the study.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from pilotzones.errors import DeclarationError

# of a ledger row, best first; pilotzones.ledger defines them
VERDICTS = ("exact", "close", "near", "differs", "holds", "fails", "shown", "not_replicated")


@dataclass(frozen=True)
class Variable:
    """A column of a study's panel.

    Parameters
    ----------
    name : column name, the one used in formulas and in the published tables.
    label : what a reader calls it, with its Chinese name where that helps.
    unit : unit of measurement, e.g. ``"ln(1 + count)"``; ``""`` for codes.
    kind : ``"number"``, ``"count"``, ``"binary"``, ``"code"`` (integer identifier) or ``"group"`` (text).
    low, high : inclusive bounds a valid value must respect.
    missing : whether missing values are allowed; in licensed data they are, in all but keys and codes.
    values : the allowed values of a ``"group"``.
    symbol : its name in the paper's table of descriptive statistics, where that is another one.
    truth : whether only synthetic data can have it.
    """

    name: str
    label: str
    unit: str = ""
    kind: Literal["number", "count", "binary", "code", "group"] = "number"
    low: float | None = None
    high: float | None = None
    missing: bool = False
    values: tuple[str, ...] = ()
    symbol: str = ""
    truth: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a published regression table.

    Parameters
    ----------
    id : the column's number as printed.
    formula : the regression, in the fixest dialect.
    label : column header.
    sample : rows kept, as a pandas query; empty for all rows.
    singletons : what happens to fixed-effect groups with one row; None for the study's rule.
    matching : propensity-score formula when the regression runs on a matched sample.
    winsorise : share of rows at either end of each continuous variable that is drawn in to the quantile; 0 for none.
    printed_prefix : regressors whose name starts with the first text are printed with the second instead.
    vcov : the column's own standard errors, where they are not those of the study's other columns.
    """

    id: str
    formula: str
    label: str = ""
    sample: str = ""
    singletons: Literal["keep", "drop"] | None = None
    matching: str = ""
    winsorise: float = 0.0
    printed_prefix: tuple[str, str] = ("", "")
    vcov: str = ""

    @property
    def group(self) -> str:
        """The variable that cuts the sample, if its condition is or ends in ``variable == 'value'``; else empty."""
        cut = re.fullmatch(r"(?:.* and )?(\w+) == (?:'[^']*'|\S+)", self.sample)
        return cut[1] if cut else ""

    @property
    def term(self) -> str:
        """The first regressor, the one that the column is about; of 2SLS the endogenous one."""
        left = self.formula.rpartition("|")[2] if self.instrumented else self.formula.partition("~")[2]
        found = re.search(r"\w+", left)
        return found[0] if found else ""

    @property
    def first_stage(self) -> str:
        """The formula of the first stage of a two-stage least squares column."""
        second, *effects, first = (part.strip() for part in self.formula.split("|"))
        endogenous, instruments = (side.strip() for side in first.split("~"))
        exogenous = second.partition("~")[2].strip()
        return " | ".join([f"{endogenous} ~ {instruments} + {exogenous}", *effects])

    @property
    def instrumented(self) -> bool:
        """Whether the column is estimated by two-stage least squares."""
        return "~" in self.formula.rpartition("|")[2] and "|" in self.formula


@dataclass(frozen=True)
class Table:
    """A published regression table: a list of columns."""

    id: str
    section: str
    title: str
    columns: tuple[Column, ...]
    note: str = ""

    def column(self, column_id: str) -> Column:
        """Return the column printed under ``column_id``.

        Raises
        ------
        DeclarationError
            If there is none, as when licensed data lack what it needs.
        """
        for column in self.columns:
            if column.id == column_id:
                return column
        raise DeclarationError(f"table {self.id}: there is no column {column_id}")


@dataclass(frozen=True)
class EventStudy:
    """A published event-study figure.

    Parameters
    ----------
    formula : regression with ``{event}`` where the event-time dummies stand.
    leads, lags : first and last event year with a dummy of its own, e.g. -4 and 5.
    base : event years without a dummy inside that window.
    beyond : rows outside the window and never-treated rows: ``"base"`` joins them to the base,
        ``"bin"`` adds them to the first and last dummy (never-treated rows stay in the base).
    sample : rows kept, as a pandas query; empty for all rows.
    """

    id: str
    section: str
    title: str
    formula: str
    leads: int
    lags: int
    base: tuple[int, ...]
    beyond: Literal["base", "bin"] = "base"
    sample: str = ""


@dataclass(frozen=True)
class Placebo:
    """A published figure of a placebo test: the benchmark with fake treatments.

    Each draw takes as many fake cities per start year as the study has truly treated ones.

    Parameters
    ----------
    anywhere : whether truly treated cities may be drawn as well, as if nobody knew them.
    """

    id: str
    section: str
    title: str
    draws: int
    anywhere: bool = False


@dataclass(frozen=True)
class Index:
    """A composite index: raw indicators, standardised, weighted by entropy, and brought together.

    Parameters
    ----------
    name : column of the panel that holds the index.
    label : what a reader calls it.
    table : where the paper prints its weights.
    indicators : column of the panel -> the indicator's name in ``data/published/index_weights.csv``.
    negative : the columns of which more is worse.
    closeness : True for TOPSIS (distance from the worst over the sum of both distances), False for the weighted sum.
    rows : columns that identify what has one value of the index, e.g. province and year in a panel of firms; empty when
        that is a row of the panel.
    """

    name: str
    label: str
    table: str
    indicators: Mapping[str, str]
    negative: tuple[str, ...] = ()
    closeness: bool = False
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class SystemGMM:
    """One column of a published table of dynamic panel regressions, estimated by two-step system GMM.

    Parameters
    ----------
    table, id : where it is printed.
    label : column header.
    outcome : dependent variable; its first lag is among the regressors.
    regressors : further regressors.
    instruments : variable -> first and last lag of it that instruments the differenced equation.
    exogenous : regressors that are their own instruments.
    """

    table: str
    id: str
    label: str
    outcome: str
    regressors: tuple[str, ...]
    instruments: Mapping[str, tuple[int, int]]
    exogenous: tuple[str, ...]


@dataclass(frozen=True)
class Inconsistency:
    """A published number that contradicts the paper itself.

    ``column``, ``term`` and ``statistic`` narrow it down; an empty one means all.
    """

    table: str
    column: str
    reason: str
    term: str = ""
    statistic: str = ""


@dataclass(frozen=True)
class Study:
    """One published paper.

    Parameters
    ----------
    key : value of the ``study`` parameter.
    unit, time : columns that identify a row of the panel.
    years : first and last sample year, inclusive.
    batches : pilot-zone batches the paper counts as treated.
    variables : every column of the panel.
    blocks : named groups of regressors for use in formulas, e.g. ``{"controls": "age + size"}``.
    clusters : what each ``cluster_*`` value of the ``vcov`` parameter clusters on; for ``dyadic``, the two columns
        that hold the cities of a pair.
    published_vcov : the paper's own standard errors, as far as its numbers tell.
    r2 : which R2 the paper prints in columns with fixed effects: ``"within"`` (all effects removed
        first), ``"within_unit"`` (only unit means removed first, as Stata's ``xtreg, fe`` does) or ``"overall"``
        (effects count as explained, as in Stata's ``reghdfe``; of two-stage least squares ``"within"`` all the same).
    constant : which constant the paper prints beside fixed effects: ``"mean"``, at the mean of all effects, as Stata's
        ``reghdfe``; ``"first_year"``, at the mean of the units' effects in the first year, as ``xtreg, fe`` with year
        dummies; empty for none.
    indices : the composite indices that the panel's columns hold.
    factors : instrument -> the column that it multiplies with something else, e.g. ``light`` in light x post.
    benchmark : table and column of the paper's main estimate.
    outcome, treatment : its dependent variable and its treatment variable.
    dynamics : the columns with a lagged outcome among the regressors.
    mediators : mediator and the outcome it is said to move, one pair per mechanism.
    checks : claims whose verdict is no sign, level or order of printed coefficients: claim id -> function of study and
        panel that tells whether it holds, and the numbers behind.
    descriptives_table : where the paper prints its descriptive statistics.
    derive : turns the raw variables of a source into the variables of the tables.
    """

    key: str
    title: str
    title_zh: str
    authors: str
    outlet: str
    unit: str
    time: str
    years: tuple[int, int]
    batches: tuple[int, ...]
    variables: tuple[Variable, ...]
    tables: tuple[Table, ...]
    benchmark: tuple[str, str]
    outcome: str
    treatment: str = "treat_post"
    figures: tuple[EventStudy, ...] = ()
    placebos: tuple[Placebo, ...] = ()
    dynamics: tuple[SystemGMM, ...] = ()
    mediators: tuple[tuple[str, str], ...] = ()
    checks: Mapping[str, Callable[[Study, pd.DataFrame], tuple[bool, str]]] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    published_vcov: str = "iid"
    r2: Literal["within", "within_unit", "overall"] = "within"
    constant: Literal["", "mean", "first_year"] = ""
    indices: tuple[Index, ...] = ()
    factors: Mapping[str, str] = field(default_factory=dict)
    singletons: Literal["keep", "drop"] = "keep"
    descriptives_table: str = "T1"
    seed: int = 2023
    inconsistencies: tuple[Inconsistency, ...] = ()
    derive: Callable[[pd.DataFrame], pd.DataFrame] | None = None

    @property
    def features(self) -> set[str]:
        """What a section's notebook can show for this study; its cells tagged ``needs-<feature>`` are left out else."""
        columns = [column for table in self.tables for column in table.columns]
        names = {variable.name for variable in self.variables}
        found = {
            "pairs": {"city_i", "city_j"} <= names,  # of cities; else a row belongs to one city, or to a province only
            "cities": "city" in names,
            "rollout": "cohort"
            in names,  # of zones, so that some are treated and others not; else an index that all have
            "intensity": "cohort" not in names,
            "dynamics": bool(self.dynamics),
            "steps": "pair" not in names,  # of building the sample; those of pairs are other ones
            "instruments": any(column.instrumented for column in columns),
            "factors": bool(self.factors),
            "matching": any(column.matching for column in columns),
            "placebo": bool(self.placebos),
            "mediators": bool(self.mediators),
            "indices": bool(self.indices),
            "outcome_index": any(index.name == self.outcome for index in self.indices),
            "exchanged_weights": any(p.table == index.table for p in self.inconsistencies for index in self.indices),
            "tools": {"sup_ind", "env_ind", "dem_ind"} <= names,  # of policy, found in texts
            "policies": "policies" in self.blocks,
        }
        return {name for name, has in found.items() if has}

    def table(self, table_id: str) -> Table:
        """Return the table printed as ``table_id``.

        Raises
        ------
        DeclarationError
            If there is none, as when licensed data lack what it needs.
        """
        for table in self.tables:
            if table.id == table_id:
                return table
        raise DeclarationError(f"study {self.key}: there is no table {table_id}")

    @property
    def effect_label(self) -> str:
        """Label of an axis that shows an effect: the main outcome with its unit."""
        return f"effect on {self.outcome} ({self.variable(self.outcome).unit})"

    def variable(self, name: str) -> Variable:
        """Return the declared variable ``name``."""
        return next(v for v in self.variables if v.name == name)

    def regressors(self, block: str) -> list[str]:
        """Return the names in a block of regressors; an undeclared block is empty."""
        return [name.strip() for name in self.blocks.get(block, "").split("+") if name.strip()]

    def has_section(self, section: str) -> bool:
        """Tell whether the study has a page for a section: some always, others with a table."""
        if section == "08_modern_did":
            return "rollout" in self.features
        if section == "07_spatial" and "pairs" in self.features:
            return True  # pairs are lines on the map, whatever the paper has
        return section[:2] in ("01", "02", "09", "12", "13", "14", "15") or bool(self.section_tables(section))

    def section_tables(self, section: str) -> list[Table]:
        """Return the tables that belong to one section of the paper."""
        return [table for table in self.tables if table.section == section]

    def section_figures(self, section: str) -> list[EventStudy]:
        """Return the event studies that belong to one section of the paper."""
        return [figure for figure in self.figures if figure.section == section]

    def section_of(self, item: str) -> str:
        """Return the section of a table or figure; what is neither holds descriptive statistics."""
        listed: list[Table | EventStudy | Placebo] = [*self.tables, *self.figures, *self.placebos]
        sections = {index.table: "02_index_measurement" for index in self.indices}
        return {**sections, **{entry.id: entry.section for entry in listed}}.get(item, "01_data")

    def expand(self, formula: str, **blocks: str) -> str:
        """Fill the named blocks of a formula."""
        known: dict[str, Any] = {**self.blocks, **blocks}
        try:
            return formula.format_map(known)
        except KeyError as missing:
            raise DeclarationError(
                f"study {self.key}: formula '{formula}' uses the unknown block {missing}; "
                f"known blocks: {', '.join(known) or 'none'}"
            ) from None
