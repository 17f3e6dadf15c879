"""Figures of the primer and of the scenario lab. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pilotzones.report import theme

_STYLES = ((theme.RED, "o", "-"), (theme.BLUE, "s", "-"), (theme.GREY, "^", "--"), (theme.GREEN, "D", ":"))


def lines_plot(table: pd.DataFrame, xlabel: str, ylabel: str, start: float | None = None) -> Figure:
    """Draw one line per column, each with its own colour, marker and dash.

    Parameters
    ----------
    table : at most four columns; the index is the horizontal axis, missing values leave a gap.
    start : where a dotted vertical line marks the reform; None for no line.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    for (name, values), (colour, marker, dash) in zip(table.items(), _STYLES, strict=False):
        axes.plot(values.index, values, color=colour, marker=marker, markersize=5, linestyle=dash, label=str(name))
    if start is not None:
        axes.axvline(start, color=theme.GREY, linewidth=0.8, linestyle=":")
    if pd.api.types.is_integer_dtype(table.index):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(fontsize=8)
    return figure


def weights_map(weights: pd.DataFrame, label: str) -> Figure:
    """Draw the weight of each cohort (rows) in each year (columns), zero in the middle of the colours."""
    import seaborn as sns

    theme.apply()
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(weights) + 1.4))
    reach = float(np.nanmax(np.abs(weights.to_numpy())))
    sns.heatmap(weights, cmap="PuOr", vmin=-reach, vmax=reach, annot=True, fmt=".2f", annot_kws={"size": 8},
                cbar_kws={"label": label}, ax=axes)  # fmt: skip
    axes.set(xlabel="year", ylabel="first year of the zone")
    axes.tick_params(axis="y", labelrotation=0)
    return figure
