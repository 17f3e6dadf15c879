"""Figures of the page on the design. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pilotzones.power import ENOUGH
from pilotzones.report import theme

LOOKS = list(zip((theme.GREY, theme.ORANGE, theme.BLUE, theme.GREEN, theme.RED), "xs^oD", strict=True))
FEW = 10  # significant estimates: a mean over fewer is not drawn


def power_plot(summary: pd.DataFrame, published: float, level: float, xlabel: str) -> Figure:
    """Draw the share of significant estimates by true effect, one line per standard error, with Monte-Carlo errors.

    Parameters
    ----------
    summary : as :func:`pilotzones.power.summarise` returns it.
    published : the effect that the paper reports, in units of the outcome.
    level : of the test.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.6, 4.2))
    for (name, table), (colour, marker) in zip(summary.groupby("vcov", sort=False), LOOKS, strict=False):
        reach = 1.96 * table["power_error"]
        axes.errorbar(table["effect"], table["power"], reach, color=colour, marker=marker, markersize=5, label=name)
    for height, words in ((ENOUGH, f"{ENOUGH:.0%}"), (level, f"level, {level:g}")):
        axes.axhline(height, color=theme.GREY, linewidth=0.6, linestyle=":")
        axes.annotate(words, (0, height), (2, 2), fontsize=8, color=theme.GREY,
                      xycoords=axes.get_yaxis_transform(), textcoords="offset points")  # fmt: skip
    everywhere = summary.groupby("size").agg(effect=("effect", "mean"), power=("power", "min"))
    seen = everywhere.loc[everywhere["power"] >= 0.995, "effect"]
    axes.set_xlim(right=1.05 * max(published, seen.iloc[0] if len(seen) else everywhere["effect"].max()))
    axes.set(xlabel=xlabel, ylabel="significant estimates (share of panels)", ylim=(0, 1.04))
    return _finished(figure, axes, published)


def exaggeration_plot(summary: pd.DataFrame, published: float, xlabel: str) -> Figure:
    """Draw the type M error by true effect, one line per standard error; arguments as :func:`power_plot`."""
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.6, 4.0))
    drawn = summary[(summary["significant"] >= FEW) & summary["type_m"].notna()]
    for (name, table), (colour, marker) in zip(drawn.groupby("vcov", sort=False), LOOKS, strict=False):
        axes.plot(table["effect"], table["type_m"], color=colour, marker=marker, markersize=5, label=name)
    axes.axhline(1, color=theme.GREY, linewidth=0.6)
    axes.set_yscale("log", base=2)
    ticks = 2.0 ** np.arange(0, np.ceil(np.log2(max(drawn["type_m"].max(), 2))) + 1)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set(xlabel=xlabel, ylabel="mean |significant estimate|\nover the true effect (ratio)")
    return _finished(figure, axes, published)


def _finished(figure: Figure, axes: Axes, published: float) -> Figure:
    axes.axvline(published, color="black", linestyle="--", linewidth=0.9, label=f"published effect, {published:g}")
    axes.legend(fontsize=8)
    return figure
