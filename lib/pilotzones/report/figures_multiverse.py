"""Figures of the page on the multiverse. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pilotzones.report import theme

SLICES = 240  # of a sorted curve, as fine as a page can show


def curve_plot(
    rows: pd.DataFrame, options: Mapping[str, Sequence[str]], benchmark: float, truth: float | None, ylabel: str
) -> Figure:
    """Draw sorted estimates with 95% intervals, and below them which options they have.

    Parameters
    ----------
    rows : sorted by ``estimate``, with ``low`` and ``high``, and one column per choice.
    options : choice -> its options, in the order of the rows below the curve; of a control only ``"in"`` has a row.
    benchmark : the estimate of the paper's main column, marked.
    truth : the true effect, in units of the estimates; None when it is not known.
    """
    theme.apply()
    lines: list[tuple[str, pd.Series | None]] = []  # label, and who has it; a heading nobody
    for choice, known in options.items():
        if set(known) == {"in", "out"}:
            lines.append((choice, rows[choice] == "in"))
        else:
            lines += [(choice, None), *((f"   {option}", rows[choice] == option) for option in known)]
    height = 0.19 * len(lines)
    figure, (top, below) = plt.subplots(2, 1, figsize=(9, 4.5 + height), sharex=True, height_ratios=[4, height])
    place = np.arange(len(rows))
    top.fill_between(place, rows["low"], rows["high"], color=theme.BLUE, alpha=0.25, linewidth=0, label="95% intervals",
                     rasterized=True)  # fmt: skip
    top.plot(place, rows["estimate"], color=theme.BLUE, linewidth=1.4, label="estimates", rasterized=True)
    top.axhline(0, color=theme.GREY, linewidth=0.8)
    if truth is not None:
        top.axhline(truth, color="black", linestyle="--", linewidth=1, label=f"true effect, {truth:.3g}")
    others = rows.loc[(rows["published"] != "") & (rows["estimate"] != benchmark), "estimate"]
    if len(others):
        top.plot(others.index, others, "o", color=theme.ORANGE, markersize=5, label="other columns of the paper")
    at = float((rows["estimate"] < benchmark).sum())
    top.plot(at, benchmark, "D", color=theme.RED, markersize=8, label=f"the paper's main column, {benchmark:.3g}")
    top.set(ylabel=ylabel)
    top.legend(fontsize=8)

    # the share of each option in each slice of the curve: thousands of ticks would be a blur, and a large file
    slices = place * min(SLICES, len(rows)) // len(rows)
    shades = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#222222"])
    for y, (_, has) in enumerate(lines):
        if has is not None:
            share = has.groupby(slices).mean().to_numpy()
            below.imshow(share[None, :], aspect="auto", interpolation="nearest", cmap=shades, vmin=0, vmax=1,
                         extent=(-0.5, len(rows) - 0.5, y + 0.42, y - 0.42))  # fmt: skip
    below.set_ylim(len(lines) - 0.4, -0.6)
    below.set_yticks(range(len(lines)), [_short(label) for label, _ in lines], fontsize=7)
    below.grid(visible=False)
    below.set(xlabel="specifications, from the smallest estimate to the largest (number)")
    return figure


def _short(text: str) -> str:
    return text if len(text) <= 42 else f"{text[:40]}..."


def null_plot(bands: pd.DataFrame, actual: pd.Series) -> Figure:
    """Draw the sorted t values of the curve beside those of permuted treatments.

    Parameters
    ----------
    bands : ``low``, ``middle``, ``high`` by rank: quantiles over draws of each draw's own sorted t values.
    actual : t values of the real treatment.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(8, 4))
    place = np.arange(len(bands))
    axes.fill_between(place, bands["low"], bands["high"], color=theme.GREY, alpha=0.3, linewidth=0,
                      label="treatment dealt out anew, middle 95% of draws", rasterized=True)  # fmt: skip
    axes.plot(place, bands["middle"], color=theme.GREY, linewidth=1.2, label="their median", rasterized=True)
    axes.plot(place, np.sort(actual.to_numpy()), color=theme.RED, linewidth=1.8, label="the real treatment",
              rasterized=True)  # fmt: skip
    axes.axhline(0, color=theme.GREY, linewidth=0.6)
    axes.set(xlabel="specifications tested, from the smallest t value to the largest (number)", ylabel="t value")
    axes.legend(fontsize=8)
    return figure
