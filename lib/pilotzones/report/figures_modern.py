"""Figures of the page on modern estimators. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pilotzones.estimators.bacon import TYPES, Bacon
from pilotzones.estimators.modern import ESTIMATORS
from pilotzones.estimators.staggered import Estimate
from pilotzones.report import theme
from pilotzones.report.figures import TRUTH

# one per way of thinking; the others lie on top of them
DRAWN = ("twfe", "callaway_santanna", "borusyak_jaravel_spiess", "lp_did")


def bacon_plot(found: Bacon, xlabel: str, ylabel: str) -> Figure:
    """Draw weight and estimate of every two-by-two comparison, and the estimate that they add up to."""
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.2, 4.0))
    kinds = zip(TYPES, (theme.BLUE, theme.GREEN, theme.RED), ("o", "^", "x"), strict=True)
    for kind, colour, marker in kinds:
        rows = found.comparisons[found.comparisons["type"] == kind]
        axes.scatter(rows["weight"], rows["estimate"], s=32, color=colour, marker=marker, label=TYPES[kind])
    axes.axhline(0, color=theme.GREY, linewidth=0.6)
    axes.axhline(found.estimate, color="black", linewidth=0.9, linestyle="--", label="two-way fixed effects")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(fontsize=8)
    return figure


def estimates_plot(table: pd.DataFrame, truth: float | None, xlabel: str) -> Figure:
    """Draw the mean effect with its interval by estimator, and the true one.

    Parameters
    ----------
    table : as :func:`pilotzones.modern_did.table` returns it.
    """
    theme.apply()
    table = table.dropna(subset=["estimate"])[::-1]
    figure, axes = plt.subplots(figsize=(7, 0.36 * len(table) + 1.1))
    place = np.arange(len(table))
    axes.hlines(place, table["low"], table["high"], color=theme.BLUE)
    axes.plot(table["estimate"], place, "o", color=theme.BLUE)
    axes.axvline(0, color=theme.GREY, linewidth=0.6)
    if truth is not None:
        axes.axvline(truth, color="black", linestyle="--", linewidth=0.9, label=f"true mean effect, {truth:.3g}")
        axes.legend(fontsize=8)
    axes.set_yticks(place, [str(name) for name in table.index])
    axes.set(xlabel=xlabel)
    return figure


def by_event_time(found: Mapping[str, Estimate | str]) -> dict[str, pd.DataFrame]:
    """Return effects by event time of the estimators that are drawn, by title."""
    drawn = {name: e for name in DRAWN if not isinstance(e := found[name], str)}
    return {ESTIMATORS[name].title: estimate.by_event_time for name, estimate in drawn.items()}


def event_plot(paths: Mapping[str, pd.DataFrame], ylabel: str) -> Figure:
    """Draw effects by event time with 95% intervals, one colour and shape per estimator.

    Parameters
    ----------
    paths : as :func:`by_event_time` and :func:`pilotzones.report.figures.with_truth` return them.
    """
    theme.apply()
    drawn = {label: rows for label, rows in paths.items() if label != TRUTH}
    looks = zip((theme.GREY, theme.BLUE, theme.ORANGE, theme.GREEN), theme.MARKERS, strict=False)
    figure, axes = plt.subplots(figsize=(9, 4.2))
    for i, ((label, rows), (colour, marker)) in enumerate(zip(drawn.items(), looks, strict=False)):
        place = rows.index + 0.14 * (i - (len(drawn) - 1) / 2)
        axes.vlines(place, rows["low"], rows["high"], color=colour, linewidth=0.9)
        axes.plot(place, rows["estimate"], marker, markersize=4, color=colour, label=label)
    if TRUTH in paths:
        axes.plot(paths[TRUTH].index, paths[TRUTH]["estimate"], "_", markersize=18, color="black", label=TRUTH)
    axes.axhline(0, color=theme.GREY, linewidth=0.6)
    axes.axvline(-0.5, color=theme.GREY, linewidth=0.6, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="years since the zone", ylabel=ylabel)
    axes.legend(fontsize=8)
    return figure
