"""Tables of the audit pages."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from pilotzones import paths
from pilotzones.audit.finding import CANNOT, CONSISTENT, INCONSISTENT
from pilotzones.audit.run import RULES
from pilotzones.io import read_csv

NAMES = {rule.__name__: rule.__name__.replace("_", " ") for rule in RULES}
KINDS = {
    ("estimates", "estimate"): "coefficient", ("estimates", "spread"): "spread", ("estimates", "stars"): "stars",
    ("columns", "n_obs"): "rows", ("columns", "r2"): "R2", ("descriptives", "n"): "observations",
    ("descriptives", "mean"): "mean", ("descriptives", "sd"): "standard deviation",
    ("stats", "value"): "test statistic", ("index_weights", "weight"): "index weight",
}  # fmt: skip
"""File and column of ``data/published`` in which a digit is changed: what a reader calls it."""


def rules() -> pd.DataFrame:
    """Return what each rule asks, in the first sentence of its documentation."""
    asked = {NAMES[rule.__name__]: str(rule.__doc__).split("?")[0].replace("\n   ", "") + "?" for rule in RULES}
    return pd.Series(asked, name="question").to_frame()


def counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts (columns) by rule (rows)."""
    table = pd.crosstab(rows["rule"], rows["verdict"]).reindex(index=[*NAMES], fill_value=0).rename(NAMES)
    return table.reindex(columns=[CONSISTENT, INCONSISTENT, CANNOT], fill_value=0).rename_axis(index=None, columns=None)


def totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts by study, and the rules that have an answer at all."""
    table = pd.crosstab(rows["study"], rows["verdict"])
    table = table.reindex(columns=[CONSISTENT, INCONSISTENT, CANNOT], fill_value=0).rename_axis(
        index=None, columns=None
    )
    answered = rows[rows["verdict"] != CANNOT].groupby("study")["rule"].nunique()
    return table.assign(**{f"rules of {len(RULES)} with an answer": answered.reindex(table.index, fill_value=0)})


def false_alarms(level: float = 0.95) -> pd.DataFrame:
    """Return the measured false alarms by rule, and in all, from ``data/calibration/audit_false_alarms.csv``.

    Parameters
    ----------
    level : confidence of the one-sided upper bound of the share of false alarms (Clopper and Pearson 1934).

    Returns
    -------
    ``tables``, the synthetic panels with an answer; ``checks``; ``false alarms``; ``share``; ``upper bound``; and
    ``in``, the studies that have them.
    """
    types = {"study": str, "seed": int, "rule": str, CONSISTENT: int, INCONSISTENT: int, CANNOT: int}
    trials = read_csv(paths.CALIBRATION / "audit_false_alarms.csv", types)
    trials["checks"] = trials[CONSISTENT] + trials[INCONSISTENT]
    whole = trials.assign(rule="all rules")
    by_rule = pd.concat(
        [trials, whole.groupby(["study", "seed", "rule"], as_index=False)[[INCONSISTENT, "checks"]].sum()]
    )
    by_rule = by_rule[by_rule["checks"] > 0].groupby("rule")
    table = by_rule[["checks", INCONSISTENT]].sum().rename(columns={INCONSISTENT: "false alarms"})
    table.insert(0, "tables", by_rule.size())
    table["share"] = table["false alarms"] / table["checks"]
    table["upper bound"] = stats.beta.ppf(level, table["false alarms"] + 1, table["checks"] - table["false alarms"])
    found = pd.concat([trials, whole]).query(f"{INCONSISTENT} > 0").groupby("rule")["study"].unique()
    table["in"] = found.map(", ".join).reindex(table.index, fill_value="")
    order = [name for name in [*NAMES, "all rules"] if name in table.index]
    return table.loc[order].rename(NAMES).rename_axis(index=None)


def _changes() -> pd.DataFrame:
    types = dict.fromkeys(("study", "kind", "old", "new", "noticed"), str)
    return read_csv(paths.CALIBRATION / "audit_power.csv", types)


def power(level: float = 0.95) -> pd.DataFrame:
    """Return the share of changed digits that any rule notices, from ``data/calibration/audit_power.csv``.

    Returns
    -------
    By kind of number: ``changes``, ``noticed``, ``share`` and the ends of its interval ``low``, ``high`` (Clopper and
    Pearson 1934, ``level``).
    """
    trials = _changes()
    seen = (trials["noticed"] != "").groupby(trials["kind"])
    table = pd.DataFrame({"changes": seen.size(), "noticed": seen.sum()})
    table["share"] = table["noticed"] / table["changes"]
    missed, tail = table["changes"] - table["noticed"], (1 - level) / 2
    table["low"] = stats.beta.ppf(tail, table["noticed"], missed + 1)
    table["high"] = stats.beta.ppf(1 - tail, table["noticed"] + 1, missed)
    table = table.fillna({"low": 0.0, "high": 1.0})
    return table.reindex([kind for kind in KINDS.values() if kind in table.index]).rename_axis(index=None)


def power_by_rule() -> pd.DataFrame:
    """Return the percentage of changes that each rule (rows) notices, by kind of number; missing where none."""
    trials = _changes()
    size = trials.groupby("kind").size()
    seen = trials.assign(rule=trials["noticed"].str.split()).explode("rule").dropna(subset="rule")
    table = pd.crosstab(seen["rule"], seen["kind"]).replace(0, float("nan")) / size * 100
    kinds = [kind for kind in KINDS.values() if kind in size.index]
    table = table.reindex(index=[name for name in NAMES if name in table.index], columns=kinds)
    return table.rename(NAMES).rename_axis(index=None, columns=None)
