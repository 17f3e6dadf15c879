"""Subsample estimates in one frame, tests of their differences, and what splitting by the outcome does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones import describe, published, replicate
from pilotzones.declare import Column, Study, Table
from pilotzones.estimators import inference
from pilotzones.estimators.groups import compare_groups


def by_group(tables: Sequence[Table]) -> dict[str, list[tuple[str, Column]]]:
    """Return table and column of every subsample, by the variable that cuts the sample."""
    found: dict[str, list[tuple[str, Column]]] = {}
    for table in tables:
        for column in table.columns:
            if column.group:
                found.setdefault(column.group, []).append((table.id, column))
    return found


def with_shared_controls(tables: Sequence[Table]) -> dict[str, list[Column]]:
    """Return by table two or more subsamples that no variable cuts, such as batches with the same control cities."""
    found = {table.id: [c for c in table.columns if c.sample and not c.group] for table in tables}
    return {table: columns for table, columns in found.items() if len(columns) > 1}


def estimates(study: Study, tables: Sequence[Table], panel: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Return the treatment coefficient of every subsample (rows), the printed one and, where known, the estimand."""
    printed = published.estimates(study.key).set_index(["table", "column", "term"])["estimate"]
    rows = {}
    for where, column in ((table.id, column) for table in tables for column in table.columns if column.sample):
        fit = replicate.column(study, column, panel, vcov)
        rows[column.label] = {
            "printed": printed.get((where, column.id, study.treatment), np.nan),
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

    Labels are permuted among cities (provinces, where the treatment is theirs) if a split is one of cities, else among
    the spells of a unit in a group; not among pairs, of which those that share a city cannot be exchanged one by one.
    Groups that share their controls are tested as in :func:`shared_differences`.
    """
    found = []
    cut = replicate.benchmark_sample(study, panel)
    if "pairs" in study.features:
        draws = 0
    for group, subsamples in by_group(tables).items():
        rows = cut[cut[group].notna()]
        place = describe.place(rows)
        of_places = "pairs" not in study.features and rows.groupby(place)[group].nunique().max() == 1
        spell = rows[study.unit].astype(str) + " " + rows[group].astype(str)
        table = compare_groups(
            study.expand(subsamples[0][1].formula),
            rows.assign(spell=spell),
            term=study.treatment,
            group=group,
            vcov=replicate.errors(study, vcov),
            unit=place if of_places else "spell",
            draws=draws,
            seed=seed,
            singletons=study.singletons,
        )
        found.append(table.assign(split=group))
    for name, columns in with_shared_controls(tables).items():
        found.append(shared_differences(study, name, columns, panel, vcov))
    return pd.concat(found).set_index("split")


def shared_differences(
    study: Study, table: str, columns: Sequence[Column], panel: pd.DataFrame, vcov: str
) -> pd.DataFrame:
    """Test whether the coefficient differs between subsamples that have the same controls and different treated units.

    Two estimates that are compared with the same controls are not independent: what is peculiar about the controls
    enters both, and cancels in their difference.

    Returns
    -------
    One row per test and pair, as :func:`pilotzones.estimators.groups.compare_groups`: ``independent``, which ignores
    the sharing; ``interacted``, one regression on the subsamples stacked, so that a cluster's copies count as one (only
    clustered errors see the copies); ``one regression`` on the union of the rows, with one treatment dummy per
    subsample and everything else in common; and the same within the event years that all of them reach, for early
    batches had more time.
    """
    samples = {column.label: replicate.select(panel, column.sample) for column in columns}
    formula = study.expand(columns[0].formula)
    stacked = pd.concat([rows.assign(subsample=label) for label, rows in samples.items()], ignore_index=True)
    found = [
        compare_groups(formula, stacked, term=study.treatment, group="subsample",
                       vcov=replicate.errors(study, vcov), singletons=study.singletons)
    ]  # fmt: skip
    labels = sorted(samples)
    union = panel[np.logical_or.reduce([panel.index.isin(rows.index) for rows in samples.values()])]
    dummies = {f"treated_{i}_": union[study.treatment].where(union.index.isin(samples[label].index), 0)
               for i, label in enumerate(labels)}  # fmt: skip
    common = min(int(rows["event_time"].max()) for rows in samples.values())
    together = Column("", formula.replace(study.treatment, " + ".join(dummies), 1))
    years = {
        "one regression": union.assign(**dummies),
        f"one regression, event years up to {common}": union.assign(**dummies)[~(union["event_time"] > common)],
    }
    for test, rows in years.items():
        fit = replicate.column(study, together, rows, vcov)
        matrix, df = inference.covariance(fit)
        for (i, first), (j, second) in combinations(enumerate(labels), 2):
            one, other = f"treated_{i}_", f"treated_{j}_"
            difference = fit.coefficients.at[one, "estimate"] - fit.coefficients.at[other, "estimate"]
            se = float(matrix.at[one, one] + matrix.at[other, other] - 2 * matrix.at[one, other]) ** 0.5
            found.append(pd.DataFrame([{
                "test": test, "comparison": f"{first} - {second}", "difference": difference, "se": se,
                "statistic": difference / se, "p": 2 * float(stats.t.sf(abs(difference / se), df)),
            }]))  # fmt: skip
    return pd.concat(found).assign(split=f"{table}: {', '.join(labels)}")


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
    panel = replicate.benchmark_sample(study, panel)
    outcome = panel[study.outcome]
    first = panel.sort_values(study.time).groupby(study.unit)[study.outcome].transform("first")
    entered = panel.groupby(study.unit)[study.time].transform("min")
    before = panel[study.unit].notna()
    if "rollout" in study.features:
        before = entered < panel.groupby(study.unit)["cohort"].transform("min").fillna(np.inf)
    splits = {
        "outcome of the row": outcome,
        "mean outcome of the unit": panel.groupby(study.unit)[study.outcome].transform("mean"),
        "first outcome of the unit, before any reform": first.reindex(panel.index).where(before),
    }
    rows = {}
    for label, by in splits.items():
        for half, sample in (("high", panel[by >= by.median()]), ("low", panel[by < by.median()])):
            fit = replicate.column(study, Column("", formula), sample, vcov)
            # a half may have no treated row, and then no estimate
            found = fit.coefficients.reindex([study.treatment]).loc[study.treatment, ["estimate", "se"]]
            rows[f"{label}: {half}"] = {
                **found, "sd of the outcome": sample[study.outcome].std(), "observations": fit.n_obs,
            }  # fmt: skip
    return pd.DataFrame(rows).T.astype({"observations": int})
