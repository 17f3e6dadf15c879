"""Which reading of a paper comes closest to a number it prints?

A paper leaves choices open: which errors, which rows, which effects, which R2, which matched sample. Each combination
of defensible answers is a *reading*. Trying them all does not reveal what the authors did; it shows which readings the
printed number rules out.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pandas as pd

from pilotzones import published, replicate
from pilotzones.declare import Column, EventStudy, Study, Table
from pilotzones.errors import ParameterError, PilotZonesError
from pilotzones.estimators import matching
from pilotzones.estimators.regression import Regression

STATISTICS = ("estimate", "se", "n_obs", "r2")
# what papers leave open when they write "1:1 nearest-neighbour matching"
MATCHING: dict[str, dict[str, Any]] = {
    "nearest control, with replacement": {},
    "nearest control, without replacement": {"replacement": False},
    "two nearest controls": {"neighbours": 2},
    "nearest within a caliper of 0.01": {"caliper": 0.01},
    "nearest, common support only": {"common_support": True},
}


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
    One row per reading that gives a different number: what was chosen for regressors, effects, sample (or matched
    sample), singletons and, where they matter, errors or kind of R2; ``value``; ``printed``; ``distance``, their
    absolute difference. Readings that cannot be estimated are left out.

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
    for choices, fit in fits(study, table, table.column(column_id), panel):
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


def fits(study: Study, table: Table, column: Column, panel: pd.DataFrame) -> list[tuple[dict[str, str], Regression]]:
    """Return every reading of rows and effects that can be estimated, with its regression."""
    found = []
    samples = _matched_samples(study, column, panel) if column.matching else _samples(study, table, panel)
    for regressors, declared in _regressors(study, column).items():
        # a matched sample has readings enough of its own
        effects_read = {"as declared": declared} if column.matching else _effects(declared)
        singletons_read = (study.singletons,) if column.matching else ("keep", "drop")
        for (effects, formula), (sample, data), singletons in product(
            effects_read.items(), samples.items(), singletons_read
        ):
            reading = replace(column, formula=formula, singletons=singletons, matching="")
            try:
                fit = replicate.column(study, reading, data, "iid")
            except PilotZonesError:
                continue  # e.g. a treatment that the effects absorb
            choices = {"regressors": regressors, "effects": effects, "sample": sample, "singletons": singletons}
            found.append((choices, fit))
    return found


def _regressors(study: Study, column: Column) -> dict[str, str]:
    """Return the formula as declared and, if it replaces the treatment, also with the treatment beside it."""
    outcome, _, right = column.formula.partition("~")
    readings = {"as declared": column.formula}
    if study.treatment not in column.formula.replace("+", " ").split():
        readings["beside the treatment"] = f"{outcome}~ {study.treatment} +{right}"
    return readings


def _matched_samples(study: Study, column: Column, panel: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the matched sample of a column under every choice of ``MATCHING`` and both ideas of who is treated."""
    treatment, _, covariates = column.matching.partition("~")
    panel = replicate.select(panel, column.sample)
    ever = panel.assign(ever_treated=panel["cohort"].notna().astype(int))
    treated = {"": column.matching}
    if (ever[treatment.strip()] != ever["ever_treated"]).any():
        treated["ever-treated, "] = f"ever_treated ~{covariates}"
    samples = {}
    for (who, formula), (how, choices) in product(treated.items(), MATCHING.items()):
        pairs = matching.match(formula, ever, identity=[study.unit, study.time], **choices)
        samples[f"{who}{how}; once"] = pairs.sample(panel)
        samples[f"{who}{how}; as often as used"] = pairs.sample(panel, repeated=True)
    return samples


def bases(study: Study, figure: EventStudy, panel: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Re-estimate an event study with every defensible base.

    Returns
    -------
    Coefficients by event time (rows) and base (columns): as declared, and each year before the reform with the ends of
    the window binned.
    """
    readings = {"as declared": figure}
    for year in range(figure.leads, 0):
        readings[f"base {year}, ends binned"] = replace(figure, base=(year,), beyond="bin")
    fits = {label: replicate.event_study(study, reading, panel, vcov) for label, reading in readings.items()}
    return pd.DataFrame({label: fit.coefficients["estimate"] for label, fit in fits.items()})


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
    names = replicate.error_names(study)
    return [({"errors": n}, float(fit.under(replicate.errors(study, n)).coefficients.at[term, "se"])) for n in names]
