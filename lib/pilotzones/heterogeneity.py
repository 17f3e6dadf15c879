"""Subsample estimates in one frame, tests of their differences, and what splitting by the outcome does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pilotzones import published, replicate
from pilotzones.declare import Column, Study, Table
from pilotzones.estimators.groups import compare_groups


def by_group(tables: Sequence[Table]) -> dict[str, list[tuple[str, Column]]]:
    """Return table and column of every subsample, by the variable that cuts the sample."""
    found: dict[str, list[tuple[str, Column]]] = {}
    for table in tables:
        for column in table.columns:
            if column.group:
                found.setdefault(column.group, []).append((table.id, column))
    return found


def estimates(study: Study, tables: Sequence[Table], panel: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Return the treatment coefficient of every subsample (rows), the printed one and, where known, the estimand."""
    printed = published.estimates(study.key).set_index(["table", "column", "term"])["estimate"]
    rows = {}
    for subsamples in by_group(tables).values():
        for table, column in subsamples:
            fit = replicate.column(study, column, panel, vcov)
            rows[column.label] = {
                "printed": printed.get((table, column.id, study.treatment), np.nan),
                **fit.coefficients.loc[study.treatment, ["estimate", "se", "low", "high"]],
                "observations": fit.n_obs,
            }
            if "true_effect" in panel:
                rows[column.label]["estimand"] = replicate.estimand(study, column, panel)[study.treatment]
    return pd.DataFrame(rows).T.astype({"observations": int})


def differences(
    study: Study, tables: Sequence[Table], panel: pd.DataFrame, vcov: str, draws: int, seed: int
) -> pd.DataFrame:
    """Test whether the coefficient differs between the groups of each split (see :mod:`pilotzones.estimators.groups`).

    Labels are permuted among cities where a split is one of cities, else among the spells of a unit in a group.
    """
    found = []
    for group, subsamples in by_group(tables).items():
        rows = panel[panel[group].notna()]
        of_cities = rows.groupby("city")[group].nunique().max() == 1
        spell = rows[study.unit].astype(str) + " " + rows[group].astype(str)
        table = compare_groups(
            study.expand(subsamples[0][1].formula),
            rows.assign(spell=spell),
            term=study.treatment,
            group=group,
            vcov=replicate.errors(study, vcov),
            unit="city" if of_cities else "spell",
            draws=draws,
            seed=seed,
            singletons=study.singletons,
        )
        found.append(table.assign(split=group))
    return pd.concat(found).set_index("split")


def split_by_outcome(study: Study, panel: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Estimate the benchmark in halves of the sample, cut in three ways, one of them harmless.

    A median split of the *outcome* keeps a row in the low half only if its shock, or its effect, was small: the sample
    is selected by what is to be explained. A split by the outcome of the unit's first year cannot be moved by a reform
    that comes later.

    Returns
    -------
    One row per split and half: estimate, standard error, and the standard deviation of the outcome within the half.
    """
    table, column = study.benchmark
    formula = study.table(table).column(column).formula
    outcome = panel[study.outcome]
    first = panel.sort_values(study.time).groupby(study.unit)[study.outcome].transform("first")
    entered = panel.groupby(study.unit)[study.time].transform("min")
    before = entered < panel.groupby(study.unit)["cohort"].transform("min").fillna(np.inf)
    splits = {
        "outcome of the row (as in the paper)": outcome,
        "mean outcome of the unit": panel.groupby(study.unit)[study.outcome].transform("mean"),
        "first outcome of the unit, before any reform": first.reindex(panel.index).where(before),
    }
    rows = {}
    for label, by in splits.items():
        for half, sample in (("high", panel[by >= by.median()]), ("low", panel[by < by.median()])):
            fit = replicate.column(study, Column("", formula), sample, vcov)
            found = fit.coefficients.loc[study.treatment, ["estimate", "se"]]
            rows[f"{label}: {half}"] = {
                **found, "sd of the outcome": sample[study.outcome].std(), "observations": fit.n_obs,
            }  # fmt: skip
    return pd.DataFrame(rows).T.astype({"observations": int})
