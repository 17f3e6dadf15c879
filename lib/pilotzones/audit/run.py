"""All rules on one paper, or on all."""

from __future__ import annotations

import pandas as pd

from pilotzones import studies
from pilotzones.audit import cells, regressions, samples, words
from pilotzones.audit.finding import CANNOT
from pilotzones.audit.tables import Tables, load
from pilotzones.declare import Study

COLUMNS = ["study", "rule", "table", "column", "term", "printed", "implied", "verdict", "explanation"]
RULES = (
    cells.stars, cells.spread_kind, cells.sign_of_t, cells.moments, cells.dummies, cells.whole_counts,
    samples.panel_rows, samples.described_rows, samples.same_rows, samples.subgroup_rows, samples.matched_rows,
    samples.treated_rows, regressions.r2_rises, regressions.simple_regression, regressions.implied_rows,
    regressions.constant_at_means, regressions.t_and_r2, regressions.one_scale, samples.whole_between_groups,
    regressions.mediation_identity, regressions.first_stage_f, cells.test_statistics, regressions.one_regression_twice,
    cells.last_digits, words.weights_sum, words.weights_by_kind, words.claims, words.claimed_numbers,
)  # fmt: skip
"""Every rule: a function of what a paper prints that yields findings."""


def audit(printed: Tables) -> pd.DataFrame:
    """Apply every rule to what one paper prints.

    Returns
    -------
    One row per application, with the columns ``COLUMNS``. A rule that finds nothing to work on has one row that says
    so, with the verdict ``"cannot be checked"``.
    """
    rows = []
    for rule in RULES:
        found = [vars(finding) for finding in rule(printed)]
        nothing = {"verdict": CANNOT, "explanation": "the paper prints nothing that the rule needs"}
        rows += [{"rule": rule.__name__, **row} for row in found or [nothing]]
    table = pd.DataFrame(rows).assign(study=printed.study.key).fillna("")
    return table.reindex(columns=COLUMNS)


def of_study(study: Study) -> pd.DataFrame:
    """Apply every rule to a study's own paper."""
    return audit(load(study))


def audit_all() -> pd.DataFrame:
    """Apply every rule to every paper."""
    return pd.concat(map(of_study, map(studies.load, studies.keys())), ignore_index=True)
