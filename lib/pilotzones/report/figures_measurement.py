"""Figures of the page on measurement. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from pilotzones import describe
from pilotzones.report import theme


def breadth_and_width(patents: pd.DataFrame) -> Figure:
    """Draw breadth and width of firm-years against their number of patents, darker where there are more.

    Parameters
    ----------
    patents : ``count``, ``breadth`` and ``width`` by firm and year, as :mod:`pilotzones.measures.patents` returns them.
    """
    import matplotlib.pyplot as plt

    theme.apply()
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharex=True)
    number = np.log1p(patents["count"])
    for panel, values, label in (
        (axes[0], np.log1p(patents["breadth"]), "ln(1 + main groups, summed)"),
        (axes[1], patents["width"], "mean width, 1 - Herfindahl index"),
    ):
        both = pd.concat([number, values], axis=1, keys=["x", "y"]).dropna()
        panel.hexbin(both["x"], both["y"], gridsize=24, cmap="Blues", mincnt=1, bins="log", linewidths=0.1)
        panel.set(xlabel="ln(1 + patents)", ylabel=label)
        panel.set_title(f"correlation {both['x'].corr(both['y']):.2f}")
    return figure


def pools(national: pd.DataFrame, by_partner: pd.DataFrame, largest: int = 8) -> Figure:
    """Draw the national spillover pools by year, and the partners behind them in the last year.

    Parameters
    ----------
    national, by_partner : ``spill_im`` and ``spill_ex`` in million yuan, as
        :mod:`pilotzones.measures.spillovers` returns them.
    largest : number of partners shown.
    """
    import matplotlib.pyplot as plt

    theme.apply()
    names = {"spill_im": "through imports", "spill_ex": "through exports"}
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
    for (column, label), colour in zip(names.items(), (theme.BLUE, theme.ORANGE), strict=True):
        left.plot(national.index, national[column] / 1e6, marker="o", markersize=4, color=colour, label=label)
    left.set(xlabel="year", ylabel="pool (trillion yuan)", ylim=(0, None))
    left.legend(fontsize=8)
    year = national.index.max()
    last = by_partner.xs(year, level="year")
    last = last.loc[last.sum(axis=1).nlargest(largest).index[::-1]] / 1e6
    place = np.arange(len(last))
    right.barh(place + 0.2, last["spill_im"], height=0.4, color=theme.BLUE)
    right.barh(place - 0.2, last["spill_ex"], height=0.4, color=theme.ORANGE)
    right.set_yticks(place, last.index)
    right.set(xlabel=f"{year}, trillion yuan")
    return figure


def carried(shares: pd.DataFrame) -> Figure:
    """Draw the mean share over cities by year; years that take over another year's value as open marks.

    Parameters
    ----------
    shares : as :func:`pilotzones.measures.integration.integration` returns them.
    """
    import matplotlib.pyplot as plt

    theme.apply()
    mean = shares.groupby("year")["share"].mean() * 100
    taken = shares.groupby("year")["carried"].any()
    figure, axes = plt.subplots(figsize=(7, 3.2))
    axes.plot(mean.index, mean, color=theme.BLUE)
    axes.plot(mean.index[~taken], mean[~taken], "o", color=theme.BLUE, label="recorded")
    axes.plot(mean.index[taken], mean[taken], "o", color=theme.BLUE, markerfacecolor="white", label="taken over")
    axes.set(xlabel="year", ylabel="producer services (% of jobs)")
    axes.legend(fontsize=8)
    return figure


def by_unit(table: pd.DataFrame, xlabel: str) -> Figure:
    """Draw an estimate against the unit of measurement, one line per transformation.

    Parameters
    ----------
    table : as :func:`pilotzones.measured.transformations` returns it.
    xlabel : what the unit multiplies.
    """
    import matplotlib.pyplot as plt

    theme.apply()
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    axes.axhline(0, color=theme.GREY, linewidth=0.8)
    for position, (kind, rows) in enumerate(table.groupby(level="transformation", sort=False)):
        marker = theme.MARKERS[position]
        unit = rows.index.get_level_values("unit").to_numpy(float)
        spread = np.vstack([rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]])
        axes.errorbar(
            unit * 1.06 ** (position - 1), rows["estimate"], yerr=spread, fmt=f"{marker}-", capsize=3, label=str(kind)
        )
    axes.set_xscale("log")
    axes.set_xticks(sorted(set(table.index.get_level_values("unit"))))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel="estimated effect")
    axes.legend(fontsize=8)
    return figure


def weights_plot(table: pd.DataFrame) -> Figure:
    """Draw computed and printed weights by indicator.

    Parameters
    ----------
    table : as :func:`pilotzones.measured.weight_table` returns it.
    """
    import matplotlib.pyplot as plt

    theme.apply()
    rows = table.sort_values("weight")
    place = np.arange(len(rows))
    figure, axes = plt.subplots(figsize=(7.5, 0.3 * len(rows) + 1.4))
    if "MC low" in rows:
        axes.hlines(place, rows["MC low"].clip(lower=0), rows["MC high"], color=theme.BLUE, alpha=0.3, linewidth=7,
                    label="95% of fresh samples")  # fmt: skip
    axes.plot(rows["weight"], place, "o", color=theme.BLUE, label="computed here")
    if "printed" in rows:
        axes.hlines(place, rows["weight"], rows["printed"], color=theme.GREY, linewidth=0.8, zorder=1)
        axes.plot(rows["printed"], place, "D", color=theme.RED, markerfacecolor="white", label="printed")
    axes.set_yticks(place, rows["indicator"].astype(str) + " (" + rows["sign"] + ")", fontsize=8)
    axes.set(xlabel="weight (share)", xlim=(-0.005, None))
    axes.legend(fontsize=8, loc="lower right")
    return figure


def paths(index: pd.Series, panel: pd.DataFrame, labels: dict[int, str], ylabel: str) -> Figure:
    """Draw an index by year for some cities or provinces, and its mean over treated and never-treated ones.

    Where no zone is in the panel, the mean and the quartiles of all are drawn instead.

    Parameters
    ----------
    index : aligned with ``panel``.
    labels : code of the city or province -> name.
    """
    import matplotlib.pyplot as plt

    theme.apply()
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
    for (code, name), marker in zip(labels.items(), theme.MARKERS, strict=False):
        own = panel[describe.place(panel)] == code
        left.plot(panel.loc[own, "year"], index[own], marker=marker, markersize=4, label=name)
    left.set(xlabel="year", ylabel=ylabel, ylim=(0, None))
    left.legend(fontsize=7)
    if "cohort" in panel:
        groups = {"ever treated": panel["cohort"].notna(), "never treated": panel["cohort"].isna()}
        for (label, rows), colour in zip(groups.items(), (theme.RED, theme.BLUE), strict=True):
            mean = index[rows].groupby(panel.loc[rows, "year"]).mean()
            right.plot(mean.index, mean, marker="o", markersize=3, color=colour, label=label)
    else:
        by_year = index.groupby(panel["year"])
        quartiles = by_year.quantile(0.25), by_year.quantile(0.75)
        right.fill_between(quartiles[0].index, *quartiles, alpha=0.25, color=theme.BLUE, label="middle half")
        right.plot(by_year.mean(), marker="o", markersize=3, color=theme.BLUE, label="mean")
    right.set(xlabel="year", ylabel=f"mean {ylabel}", ylim=(0, None))
    right.legend(fontsize=8)
    return figure


def recovered(measured: pd.Series, true: pd.Series) -> Figure:
    """Draw measured against true values, darker where there are more, with the line of equality."""
    import matplotlib.pyplot as plt

    theme.apply()
    figure, axes = plt.subplots(figsize=(4.8, 4.2))
    drawn = axes.hexbin(true, measured, gridsize=40, cmap="cividis_r", mincnt=1, bins="log")
    ends = [min(true.min(), measured.min()), max(true.max(), measured.max())]
    axes.plot(ends, ends, color=theme.RED, linewidth=0.9, label="equal")
    axes.set(xlabel="true quality (scale of measured quality)", ylabel="measured quality (0 to 1)")
    axes.legend(fontsize=8)
    figure.colorbar(drawn, ax=axes, label="firm-years (log scale)")
    return figure
