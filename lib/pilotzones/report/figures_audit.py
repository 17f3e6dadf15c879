"""Figures of the audit pages."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pilotzones.audit.finding import CANNOT, INCONSISTENT
from pilotzones.audit.summary import NAMES
from pilotzones.report import theme


def heat_map(rows: pd.DataFrame) -> Figure:
    """Draw the share of inconsistent findings by rule and study, with the counts in the cells.

    Parameters
    ----------
    rows : findings of several studies, from :func:`pilotzones.audit.audit_all`.
    """
    theme.apply()
    answered = rows[rows["verdict"] != CANNOT]
    size = pd.crosstab(answered["rule"], answered["study"]).reindex(list(NAMES), fill_value=0)
    size = size.reindex(columns=list(dict.fromkeys(rows["study"])), fill_value=0)
    wrong = answered[answered["verdict"] == INCONSISTENT]
    bad = pd.crosstab(wrong["rule"], wrong["study"]).reindex_like(size).fillna(0).astype(int)
    words = (bad.astype(str) + "/" + size.astype(str)).where(size > 0, "")
    share = (bad / size.where(size > 0) * 100).rename(NAMES)
    figure, axes = plt.subplots(figsize=(8, 8.5))
    sns.heatmap(share, cmap="Blues", vmin=0, vmax=100, annot=words.to_numpy(), fmt="", annot_kws={"size": 8},
                linewidths=0.5, cbar_kws={"label": "inconsistent (% of findings with an answer)"}, ax=axes)  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.grid(False)
    axes.tick_params(axis="y", labelsize=8, rotation=0)
    return figure


def power_plot(table: pd.DataFrame) -> Figure:
    """Draw the share of changed digits that are noticed, by kind of number, with intervals.

    Parameters
    ----------
    table : from :func:`pilotzones.audit.power`.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.5, 0.4 * len(table) + 1.2))
    percent = table[["share", "low", "high"]] * 100
    ends = [percent["share"] - percent["low"], percent["high"] - percent["share"]]
    axes.errorbar(percent["share"], table.index, xerr=ends, fmt="o", color=theme.BLUE, capsize=3)
    axes.invert_yaxis()
    axes.set(xlabel="changes that a rule notices (%)", ylabel="", xlim=(-2, 102))
    return figure
