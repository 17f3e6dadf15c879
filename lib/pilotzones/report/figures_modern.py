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


def estimates_plot(found: Mapping[str, Estimate | str], truth: float | None, xlabel: str) -> Figure:
    """Draw the mean effect with its interval by estimator, and the true one."""
    theme.apply()
    known = {ESTIMATORS[name].title: e.att for name, e in found.items() if not isinstance(e, str)}
    table = pd.DataFrame(known).T[::-1]
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


def event_plot(found: Mapping[str, Estimate | str], truth: pd.Series | None, ylabel: str) -> Figure:
    """Draw effects by event time with 95% intervals, one colour per estimator."""
    theme.apply()
    drawn = {name: e for name in DRAWN if not isinstance(e := found[name], str)}
    colours = (theme.GREY, theme.BLUE, theme.ORANGE, theme.GREEN)
    figure, axes = plt.subplots(figsize=(9, 4.2))
    for i, ((name, estimate), colour) in enumerate(zip(drawn.items(), colours, strict=False)):
        rows = estimate.by_event_time
        place = rows.index + 0.14 * (i - (len(drawn) - 1) / 2)
        axes.vlines(place, rows["low"], rows["high"], color=colour, linewidth=0.9)
        axes.plot(place, rows["estimate"], "o", markersize=3.5, color=colour, label=ESTIMATORS[name].title)
    if truth is not None:
        axes.plot(truth.index, truth, "_", markersize=18, color="black", label="true mean effect")
    axes.axhline(0, color=theme.GREY, linewidth=0.6)
    axes.axvline(-0.5, color=theme.GREY, linewidth=0.6, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="years since the zone", ylabel=ylabel)
    axes.legend(fontsize=8)
    return figure
