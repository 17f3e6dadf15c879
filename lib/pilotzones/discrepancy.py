"""Which reading of a paper comes closest to a number it prints?

A paper leaves choices open: which errors, which rows, which effects, which R2, which matched sample. Each combination
of defensible answers is a *reading*. Trying them all does not reveal what the authors did; it shows which readings the
printed number rules out.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pandas as pd

from pilotzones import published, replicate
from pilotzones.declare import Column, Study, Table
from pilotzones.errors import ParameterError, PilotZonesError
from pilotzones.estimators.regression import Regression

STATISTICS = ("estimate", "se", "n_obs", "r2")


def readings(
    study: Study, table_id: str, column_id: str, panel: pd.DataFrame, statistic: str = "estimate", term: str = ""
) -> pd.DataFrame:
    """Re-estimate one printed cell under every defensible reading, closest first.

    Parameters
    ----------
    statistic : ``"estimate"``, ``"se"``, ``"n_obs"`` or ``"r2"`` of the column.
    term : regressor of an estimate or standard error; by default the study's treatment.

    Returns
    -------
    One row per reading that gives a different number: what was chosen for effects, sample, singletons and, where they
    matter, errors or kind of R2; ``value``; ``printed``; ``distance``, their absolute difference. Readings that cannot
    be estimated are left out.

    Raises
    ------
    ParameterError
        If there is no such statistic, or the paper prints none for this cell.
    """
    if statistic not in STATISTICS:
        raise ParameterError(f"statistic = {statistic!r}: expected one of {', '.join(STATISTICS)}")
    table = study.table(table_id)
    term = term or study.treatment
    target = _printed(study, table_id, column_id, statistic, term)
    rows = []
    for choices, fit in _fits(study, table, table.column(column_id), panel):
        rows += [{**choices, **more, "value": value} for more, value in _values(study, fit, statistic, term)]
    found = pd.DataFrame(rows).assign(printed=target)
    found["distance"] = (found["value"] - target).abs()
    return found.sort_values("distance", kind="stable").drop_duplicates("value").reset_index(drop=True)


def _printed(study: Study, table: str, column: str, statistic: str, term: str) -> float:
    if statistic in ("n_obs", "r2"):
        cells = published.columns(study.key).query("table == @table and column == @column")[statistic]
    else:
        cell = published.estimates(study.key).query("table == @table and column == @column and term == @term")
        error = cell["spread"].where(cell["spread_kind"] != "t", (cell["estimate"] / cell["spread"]).abs())
        cells = cell["estimate"] if statistic == "estimate" else error
    if cells.dropna().empty:
        raise ParameterError(f"{study.key} prints no {statistic} of {term} in {table} ({column})")
    return float(cells.iloc[0])


def _fits(study: Study, table: Table, column: Column, panel: pd.DataFrame) -> list[tuple[dict[str, str], Regression]]:
    """Return every reading of rows and effects that can be estimated, with its regression."""
    found = []
    for (effects, formula), (sample, data), singletons in product(
        _effects(column.formula).items(), _samples(study, table, panel).items(), ("keep", "drop")
    ):
        reading = replace(column, formula=formula, singletons=singletons)
        try:
            fit = replicate.column(study, reading, data, "iid")
        except PilotZonesError:
            continue  # e.g. a treatment that the effects absorb
        found.append(({"effects": effects, "sample": sample, "singletons": singletons}, fit))
    return found


def _effects(formula: str) -> dict[str, str]:
    """Return the formula as declared and with each fixed effect, or all of them, left out."""
    parts = [part.strip() for part in formula.split("|")]
    readings = {"as declared": formula}
    if len(parts) < 2:
        return readings
    effects = [effect.strip() for effect in parts[1].split("+")]
    for left_out in effects:
        kept = [effect for effect in effects if effect != left_out]
        if kept:
            readings[f"without {left_out}"] = " | ".join([parts[0], " + ".join(kept), *parts[2:]])
    return readings


def _samples(study: Study, table: Table, panel: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the panel, and its rows that are complete in all regressions of the table."""
    names = {
        word
        for column in table.columns
        for word in _words(study.expand(column.formula))
        if word in panel and not column.matching
    }
    complete = panel[panel[sorted(names)].notna().all(axis=1)]
    samples = {"each column's own rows": panel}
    if 0 < len(complete) < len(panel):
        samples["rows complete in the whole table"] = complete
    return samples


def _words(formula: str) -> list[str]:
    for sign in "~|+^":
        formula = formula.replace(sign, " ")
    return formula.split()


def _values(study: Study, fit: Regression, statistic: str, term: str) -> list[tuple[dict[str, str], float]]:
    if statistic == "n_obs":
        return [({}, float(fit.n_obs))]
    if statistic == "r2":
        kinds = {"overall": fit.r2, "within": fit.r2_within, f"within {study.unit}": fit.r2_within_unit}
        return [({"R2": kind}, value) for kind, value in kinds.items() if pd.notna(value)]
    if term not in fit.coefficients.index:
        return []
    if statistic == "estimate":
        return [({}, float(fit.coefficients.at[term, "estimate"]))]
    names = ("iid", "hetero", *study.clusters)
    return [({"errors": n}, float(fit.under(replicate.errors(study, n)).coefficients.at[term, "se"])) for n in names]
