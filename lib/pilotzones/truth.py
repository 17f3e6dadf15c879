"""Estimates against the truth: only a panel with a known effect can show how far an estimator is off."""

from __future__ import annotations

import pandas as pd

from pilotzones import ledger, replicate
from pilotzones.declare import Column, Study, Table
from pilotzones.estimators.regression import Regression


def under_each_error(study: Study, fit: Regression) -> pd.DataFrame:
    """Return the treatment coefficient under every standard error the study knows (rows)."""
    rows = {}
    for name in ("iid", "hetero", *study.clusters):
        result = fit.under(replicate.errors(study, name))
        rows[name] = result.coefficients.loc[study.treatment]
    return pd.DataFrame(rows).T[["estimate", "se", "t", "p", "low", "high"]]


def coverage(study: Study, table_id: str) -> pd.DataFrame:
    """Return the committed Monte-Carlo coverage of nominal 95% intervals, by column of a table (rows)."""
    summary = ledger.calibration(study)
    cells = summary[(summary["table"] == table_id) & (summary["term"] == study.treatment)]
    names = {"coverage_iid": "iid", "coverage_unit": f"by {study.unit}", "coverage_city": "by city", "runs": "samples"}
    return cells.set_index("column")[[name for name in names if name in cells]].rename(columns=names)


def against_estimates(study: Study, table: Table, fits: dict[str, Regression], panel: pd.DataFrame) -> pd.DataFrame:
    """Set each column's treatment estimate beside what it targets, in outcome units.

    Returns
    -------
    One row per column whose outcome is the study's main one: estimate, standard error, the column's estimand
    (:func:`pilotzones.replicate.estimand`), the mean effect over the treated rows of its sample, and the mean over the
    treated rows that its fixed effects leave a comparison for. Empty when the truth is not known.
    """
    rows = {}
    for column in table.columns:
        if "true_effect" not in panel or not column.formula.startswith(f"{study.outcome} ~"):
            continue
        leftover = residual_treatment(study, column, panel)
        treated = panel.loc[leftover.index[panel.loc[leftover.index, study.treatment] == 1], "true_effect"]
        found = fits[column.id].coefficients.loc[study.treatment]
        rows[f"({column.id}) {column.label}"] = {
            "estimate": found["estimate"],
            "standard error": found["se"],
            "estimand of the regression": replicate.estimand(study, column, panel)[study.treatment],
            "ATT, all treated rows": treated.mean(),
            "ATT, identified rows": treated[leftover[treated.index].abs() > 1e-8].mean(),
        }
    return pd.DataFrame(rows).T


def residual_treatment(study: Study, column: Column, panel: pd.DataFrame) -> pd.Series:
    """Return what is left of the treatment after the column's controls and fixed effects, by row of its sample.

    Divided by its sum over treated rows this is each treated row's weight in the treatment coefficient
    (Frisch-Waugh-Lovell; de Chaisemartin and D'Haultfoeuille 2020).
    """
    right = study.expand(column.formula).split("~", 1)[1]
    others, _, absorbed = right.partition("|")
    terms = [term.strip() for term in others.split("+") if term.strip() != study.treatment]
    formula = f"{study.treatment} ~ {' + '.join(terms) or '1'}{' | ' + absorbed.strip() if absorbed else ''}"
    return replicate.regress(formula, replicate.select(panel, column.sample)).residuals()


def weights(study: Study, column: Column, panel: pd.DataFrame) -> pd.DataFrame:
    """Summarise the regression weights of the treated rows by cohort (rows of the result).

    Returns
    -------
    Treated rows, the cohort's total weight (sums to one over cohorts), its number of rows with negative weight and
    their total weight.
    """
    leftover = residual_treatment(study, column, panel)
    sample = panel.loc[leftover.index]
    treated = sample[study.treatment] == 1
    weight = leftover[treated] / leftover[treated].sum()
    by = weight.groupby(sample.loc[treated, "cohort"].astype(int))
    negative = weight.clip(upper=0)
    return pd.DataFrame(
        {
            "treated rows": by.size(),
            "total weight": by.sum(),
            "rows with negative weight": (weight < -1e-12).groupby(by.grouper).sum(),
            "their total weight": negative.groupby(by.grouper).sum(),
        }
    )


def by_event_time(panel: pd.DataFrame) -> pd.Series | None:
    """Return the mean true effect by event time (years), in outcome units; None when it is not known."""
    if "true_effect" not in panel:
        return None
    treated = panel[panel["event_time"] >= 0]
    return treated.groupby("event_time")["true_effect"].mean()
