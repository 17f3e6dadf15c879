"""Estimates against the truth: only a panel with a known effect can show how far an estimator is off."""

from __future__ import annotations

import pandas as pd

from pilotzones import ledger, replicate
from pilotzones.declare import Study, Table
from pilotzones.estimators.regression import Regression
from pilotzones.io import read_csv
from pilotzones.paths import CALIBRATION


def under_each_error(study: Study, fit: Regression) -> pd.DataFrame:
    """Return the treatment coefficient under every standard error the study knows (rows)."""
    rows = {}
    for name in replicate.error_names(study):
        result = fit.under(replicate.errors(study, name))
        rows[name] = result.coefficients.loc[study.treatment]
    return pd.DataFrame(rows).T[["estimate", "se", "t", "p", "low", "high"]]


def coverage(study: Study, table_id: str) -> pd.DataFrame:
    """Return the committed Monte-Carlo coverage of nominal 95% intervals, by column of a table (rows)."""
    summary = ledger.calibration(study)
    cells = summary[(summary["table"] == table_id) & (summary["term"] == study.treatment)]
    by_city = "by both cities, two-way" if "pairs" in study.features else "by city"
    names = {
        "coverage_iid": "iid", "coverage_hetero": "robust", "coverage_unit": f"by {study.unit}",
        "coverage_city": by_city, "coverage_dyadic": "dyadic", "coverage_province": "by province", "runs": "samples",
    }  # fmt: skip
    if study.unit == "city":
        del names["coverage_unit"]
    return cells.set_index("column")[[name for name in names if name in cells]].rename(columns=names)


def inference(study: Study) -> pd.DataFrame:
    """Return what each kind of errors made of the benchmark in many fresh samples without and with the reform.

    Returns
    -------
    One row per world and kind: ``sd`` of the estimate over samples, mean ``se``, shares of samples with p below 0.05,
    with a t beyond 6, and without errors because a variance was negative; ``samples``. Empty without the file
    ``data/calibration/<study>_inference.csv``.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    path = CALIBRATION / f"{study.key}_inference.csv"
    try:
        path.open().close()  # opened rather than looked for: a page depends on the file also when it is missing
    except FileNotFoundError:
        return pd.DataFrame()
    numbers = ("mc_sd", "mean_se", "rejects", "large", "undefined")
    rows = read_csv(path, {"reform": int, "errors": str, **dict.fromkeys(numbers, float), "runs": int})
    worlds = {0: "no reform", 1: "the reform"}
    kinds = {"unit": f"by {study.unit}", "city": "two-way"}
    labels = [f"{worlds[row.reform]}, {kinds.get(row.errors, row.errors)}" for row in rows.itertuples()]
    names = {"mc_sd": "sd of the estimate", "mean_se": "mean standard error", "rejects": "p < 0.05",
             "large": "|t| > 6", "undefined": "undefined", "runs": "samples"}  # fmt: skip
    return rows[[*names]].rename(columns=names).set_axis(labels)


def against_estimates(study: Study, table: Table, fits: dict[str, Regression], panel: pd.DataFrame) -> pd.DataFrame:
    """Set each column's treatment estimate beside what it targets, in outcome units.

    Returns
    -------
    One column per column whose outcome is the study's main one; rows: estimate, standard error, the column's estimand
    (:func:`pilotzones.replicate.estimand`), the mean effect over the treated rows of its sample, and the mean over the
    treated rows that its fixed effects leave a comparison for; where all rows have more or less of the treatment,
    instead of both the mean effect over the mean of the regressor. Empty when the truth is not known.
    """
    rows = {}
    for column in table.columns:
        if "true_effect" not in panel or not column.formula.startswith(f"{study.outcome} ~"):
            continue
        term = column.term
        compared = fits[column.id].identifies(term)
        sample = panel.loc[compared.index]
        found = fits[column.id].coefficients.loc[term]
        rows[f"({column.id}) {column.label}"] = {
            "estimate": found["estimate"],
            "standard error": found["se"],
            "estimand of the regression": replicate.estimand(study, column, panel)[term],
        }
        if "rollout" in study.features:
            treated = sample.loc[sample[study.treatment] == 1, "true_effect"]
            means = {
                "ATT, all treated rows": treated.mean(),
                "ATT, identified rows": treated[compared[treated.index]].mean(),
            }
        else:
            means = {"mean effect over mean regressor": sample["true_effect"].mean() / sample[term].mean()}
        rows[f"({column.id}) {column.label}"] |= means
    return pd.DataFrame(rows)


def weights(study: Study, fit: Regression, panel: pd.DataFrame) -> pd.DataFrame:
    """Summarise the weights that a regression gives to the outcomes of treated rows, by cohort (rows of the result).

    Returns
    -------
    Treated rows, the cohort's total weight (sums to one over cohorts), its number of rows with negative weight and
    their total weight.
    """
    weight = fit.weights(study.treatment)
    sample = panel.loc[weight.index]
    treated = sample[study.treatment] == 1
    cohort = sample.loc[treated, "cohort"].astype(int)
    weight = weight[treated]
    return pd.DataFrame(
        {
            "treated rows": cohort.value_counts(),
            "total weight": weight.groupby(cohort).sum(),
            "rows with negative weight": (weight < 0).groupby(cohort).sum(),
            "their total weight": weight.clip(upper=0).groupby(cohort).sum(),
        }
    ).sort_index()


def by_event_time(panel: pd.DataFrame) -> pd.Series | None:
    """Return the mean true effect by event time (years), in outcome units; None when it is not known."""
    if "true_effect" not in panel:
        return None
    treated = panel[panel["event_time"] >= 0]
    return treated.groupby("event_time")["true_effect"].mean()
