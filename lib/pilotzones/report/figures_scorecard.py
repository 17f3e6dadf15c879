"""Figures of the scorecard. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pilotzones.report import theme

_LOOKS = dict(
    zip(
        ("03_baseline", "04_robustness", "05_heterogeneity", "06_mechanisms", "07_spatial"),
        ((theme.BLUE, "o"), (theme.ORANGE, "s"), (theme.GREEN, "^"), (theme.RED, "D"), (theme.PURPLE, "v")),
        strict=True,
    )
)
_LINEAR = {"estimate": 0.01, "t value": 2.0}  # up to this, the scale is linear; beyond, logarithmic


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """Return every estimate that has been re-estimated, with its error and its t value, as printed and as here.

    Parameters
    ----------
    rows : of the ledger, :func:`pilotzones.ledger.build`.

    Returns
    -------
    ``section``, ``table``, ``column``, ``term``, ``published``, ``replicated``, ``published se``, ``replicated se``
    (units of the outcome), ``published t``, ``replicated t``; errors and t values are missing where none is printed.
    """
    both = rows[(rows["statistic"] == "estimate") & rows["replicated"].notna()]
    table = both[["table", "column", "term", "published", "replicated"]].reset_index(drop=True)
    table.insert(0, "section", both["page"].str.extract(r"/(\d\d_\w+)\.html", expand=False).to_numpy())
    is_t = (both["spread_kind"] == "t").to_numpy()
    for which, spread in (("published", "published_spread"), ("replicated", "replicated_spread")):
        value, beside = both[which].to_numpy(float), both[spread].to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            other = value / beside
        table[f"{which} se"] = np.abs(np.where(is_t, other, beside))
        table[f"{which} t"] = np.where(is_t, beside, other)
    return table.replace([np.inf, -np.inf], np.nan)


def agreement_plot(table: pd.DataFrame) -> Figure:
    """Draw re-estimated against printed estimates with one standard error to each side, and t against t.

    Parameters
    ----------
    table : as :func:`compared` returns it.
    """
    theme.apply()
    kinds = {"estimate": ("published", "replicated"), "t value": ("published t", "replicated t")}
    if table["published t"].isna().all():
        del kinds["t value"]
    figure, panels = plt.subplots(1, len(kinds), figsize=(4.75 * len(kinds), 4.8), squeeze=False)
    for axes, (kind, (x, y)) in zip(panels[0], kinds.items(), strict=True):
        shown = table.dropna(subset=[x, y])
        ends = np.array([shown[[x, y]].min(axis=None), shown[[x, y]].max(axis=None)]) * 1.3
        ends = np.array([min(ends[0], 0), max(ends[1], 0)])
        axes.plot(ends, ends, color=theme.GREY, linewidth=0.9, label="equal")
        for section, rows in shown.groupby("section"):
            colour, marker = _LOOKS[str(section)]
            if kind == "estimate":
                errors = {"xerr": rows["published se"], "yerr": rows["replicated se"]}
                axes.errorbar(rows[x], rows[y], **errors, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.6)
            axes.plot(rows[x], rows[y], marker, color=colour, markersize=4.5, label=f"{section[3:]} ({len(rows)})")
        axes.set_xscale("symlog", linthresh=_LINEAR[kind])
        axes.set_yscale("symlog", linthresh=_LINEAR[kind])
        axes.axhline(0, color=theme.GREY, linewidth=0.5)
        axes.axvline(0, color=theme.GREY, linewidth=0.5)
        axes.set(xlabel=f"printed {kind}", ylabel=f"re-estimated {kind}")
        axes.tick_params(labelsize=8)
    panels[0, 0].set(xlabel="printed estimate (units of each outcome)", ylabel="re-estimated estimate (same units)")
    panels[0, 0].legend(fontsize=7, loc="upper left")
    return figure


def verdict_heatmap(counts: pd.DataFrame) -> Figure:
    """Draw which share of each table's numbers has which verdict, with the number of them in the cell.

    Parameters
    ----------
    counts : printed numbers by table of the paper (rows) and verdict, as :func:`pilotzones.ledger.verdicts` counts
        them.
    """
    theme.apply()
    share = counts.div(counts.sum(axis=1), axis=0) * 100
    figure, axes = plt.subplots(figsize=(7.5, 0.32 * len(counts) + 1.3))
    # light enough for black text in every cell
    sns.heatmap(share, annot=counts.astype(str).replace("0", ""), fmt="", vmin=0, vmax=100, linewidths=0.5,
                cmap=sns.light_palette("#6aaed6", as_cmap=True), annot_kws={"size": 8, "color": "black"},
                linecolor=theme.PALE, cbar_kws={"label": "share of the table's numbers (%)"}, ax=axes)  # fmt: skip
    axes.set(xlabel="verdict", ylabel="table or figure of the paper")
    axes.tick_params(axis="y", rotation=0, labelsize=8)
    return figure
