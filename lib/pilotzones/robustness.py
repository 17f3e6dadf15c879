"""The checks of a robustness section, put into tables a reader can compare."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pilotzones import discrepancy, published, replicate
from pilotzones.declare import Column, Study, Table
from pilotzones.errors import ParameterError
from pilotzones.estimators import matching
from pilotzones.estimators.matching import Matching
from pilotzones.estimators.placebo import Placebo
from pilotzones.estimators.regression import Regression


def placebos(study: Study, panel: pd.DataFrame, draws: int, seed: int, vcov: str) -> dict[str, Placebo]:
    """Run the placebo on all units, as the papers do, and on never-treated ones alone."""
    untreated = panel[panel["cohort"].isna()]
    sizes = replicate.cohort_sizes(panel)
    return {
        "all units": replicate.placebo(study, panel, draws, seed, vcov, sizes),
        "without the truly treated": replicate.placebo(study, untreated, draws, seed, vcov, sizes),
    }


def placebo_summary(fake: dict[str, Placebo], benchmark: Regression, treatment: str) -> pd.DataFrame:
    """Return mean, standard deviation and tails of the fake t values, and the randomisation p value (one row each)."""
    t = benchmark.coefficients.at[treatment, "t"]
    rows = {}
    for label, placebo in fake.items():
        values = placebo.draws["t"]
        rows[label] = {
            "draws": len(values),
            "mean t": values.mean(),
            "sd of t": values.std(),
            "share |t| > 1.96": (values.abs() > 1.96).mean(),
            "randomisation p": placebo.p_value(t),
            "p from the t table": benchmark.coefficients.at[treatment, "p"],
        }
    return pd.DataFrame(rows).T.astype({"draws": int})


def instrumented(tables: Sequence[Table]) -> Column | None:
    """Return the first two-stage least squares column of some tables, None without one."""
    return next((column for table in tables for column in table.columns if column.instrumented), None)


def matching_column(tables: Sequence[Table]) -> Column | None:
    """Return the first column of some tables that runs on a matched sample, None without one."""
    return next((column for table in tables for column in table.columns if column.matching), None)


def strength(study: Study, column: Column, panel: pd.DataFrame) -> pd.DataFrame:
    """Return what instruments can say under each kind of standard error (rows).

    Returns
    -------
    The 2SLS estimate with its error, the Kleibergen-Paap F, and the Anderson-Rubin 95% set, which is valid however weak
    the instruments are.
    """
    rows = {}
    for name in ("iid", "hetero", *study.clusters):
        found = replicate.identification(study, column, panel, name)
        second = found.second_stage.coefficients.loc[found.endogenous]
        rows[name] = {
            "2SLS": second["estimate"],
            "standard error": second["se"],
            "first-stage F (Kleibergen-Paap)": found.tests.at["Kleibergen-Paap F", "statistic"],
            "LIML": found.liml,
            "Anderson-Rubin 95% set": str(found.anderson_rubin),
        }
    return pd.DataFrame(rows).T


def balance(column: Column, panel: pd.DataFrame, pairs: Matching) -> pd.DataFrame:
    """Return means, standardised differences and tests of the matching variables, before and after (rows)."""
    names = column.matching.partition("~")[2].replace("+", " ").split()
    table = matching.balance(panel, names, pairs)
    return table.set_axis([f"{variable}, {sample}" for variable, sample in table.index], axis=0)


def matching_choices(study: Study, table: Table, column: Column, panel: pd.DataFrame) -> pd.DataFrame:
    """Return a matched column's estimate, its iid error and its rows under each choice the paper leaves open."""
    rows = {}
    for choices, fit in discrepancy.fits(study, table, column, panel):
        found = fit.coefficients.loc[study.treatment, ["estimate", "se"]]
        rows[choices["sample"]] = {**found, "observations": fit.n_obs}
    return pd.DataFrame(rows).T.astype({"observations": int})


def closest_readings(study: Study, tables: Sequence[Table], panel: pd.DataFrame, n: int = 3) -> pd.DataFrame:
    """Return the ``n`` readings closest to each printed number of some tables that contradicts the paper."""
    found = []
    ids = {table.id: table for table in tables}
    for problem in study.inconsistencies:
        if problem.table not in ids or problem.statistic == "stat":
            continue
        estimates = published.estimates(study.key).query("table == @problem.table and column == @problem.column")
        if ids[problem.table].column(problem.column).matching:
            continue  # its choices are listed beside the matching
        for term in [problem.term] if problem.term else list(estimates["term"]):
            for statistic in _statistics(problem.statistic):
                try:
                    readings = discrepancy.readings(study, problem.table, problem.column, panel, statistic, term)
                except ParameterError:
                    continue
                cell = (
                    f"{problem.table} ({problem.column}) {term if statistic in ('estimate', 'se') else ''} {statistic}"
                )
                found.append(readings.head(n).assign(cell=" ".join(cell.split())))
            if problem.statistic in ("n_obs", "r2"):
                break  # the same for every regressor
    if not found:
        return pd.DataFrame(columns=["printed", "value"])
    return pd.concat(found).set_index("cell").drop(columns="distance").fillna("")


def _statistics(statistic: str) -> Sequence[str]:
    if statistic == "estimate":
        return ("se",)  # a printed estimate contradicts others by its t value
    return (statistic,) if statistic else discrepancy.STATISTICS
