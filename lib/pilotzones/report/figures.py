"""Figures of the pages. Each function draws; :func:`show` adds the words."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from pilotzones import describe
from pilotzones.declare import Study
from pilotzones.estimators.mediation import Mediation
from pilotzones.estimators.placebo import Placebo
from pilotzones.report import theme
from pilotzones.report.data import Data, as_csv
from pilotzones.trace import DATA_MIME


def show(figure: Figure, name: str, alt: str, caption: str, data: Data) -> None:
    """Display a figure with its alternative text, a caption that can stand alone, and the data it was drawn from.

    It is SVG, or after :func:`as_pixels` PNG. The book offers the data as a CSV file below the figure.

    Parameters
    ----------
    name : label for cross-references, unique within the page.
    alt : what a reader who cannot see the figure needs to know.
    data : the numbers drawn, in the units of the axes; a frame, or several by name.
    """
    buffer = io.BytesIO()
    # no creation date, no version: the same figure must give the same bytes
    if _pixels:
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None, "Title": alt})
        mime, drawn = "image/png", b64encode(buffer.getvalue()).decode()
    else:
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": alt})
        mime, drawn = "image/svg+xml", buffer.getvalue().decode()
    plt.close(figure)
    words = {"alt": alt, "caption": caption, "name": name}
    behind = {} if _pixels else {DATA_MIME: {"name": name, "csv": as_csv(data)}}
    display({mime: drawn, "text/plain": alt, **behind}, raw=True, metadata={mime: words})


_pixels = False


def as_pixels() -> None:
    """From now on show figures as PNG without data: an SVG holds the coordinates of every dot, and licensed values."""
    global _pixels
    _pixels = True


def carry_data() -> bool:
    """Tell whether outputs may hold the numbers behind them, as they may until :func:`as_pixels`."""
    return not _pixels


def rollout_map(cities: pd.DataFrame) -> Figure:
    """Draw every prefecture by the batch of its first zone; rings mark the cities treated in this study.

    Parameters
    ----------
    cities : as :func:`pilotzones.describe.rollout` returns them.
    """
    theme.apply()
    treated = cities[cities["treated"]]
    figure, axes = plt.subplots(figsize=(8, 6))
    for number, group in cities.groupby("batch"):
        label = "no zone by 2022" if number == 0 else f"batch {number}"
        size = 36 if number == 0 else 26
        axes.scatter(group["lon"], group["lat"], s=size, color=theme.BATCH_COLOURS[int(number)],
                     marker=theme.BATCH_SHAPES[int(number)], linewidths=0, label=label)  # fmt: skip
    axes.scatter(treated["lon"], treated["lat"], s=70, facecolors="none", edgecolors="black", linewidths=0.8,
                 label=f"treated in this study ({len(treated)})")  # fmt: skip
    for code, offset in {330100: (5, -3), 110000: (-4, 7), 440300: (6, -9), 510100: (-12, 8)}.items():
        axes.annotate(cities.at[code, "city_zh"], (cities.at[code, "lon"], cities.at[code, "lat"]),
                      xytext=offset, textcoords="offset points", fontsize=8)  # fmt: skip
    as_map(axes)
    axes.legend(loc="lower left", fontsize=7, ncols=2)
    return figure


def as_map(axes: Axes, labels: bool = True) -> None:
    """Let a degree of longitude and one of latitude look as they do at 35 degrees north, and label the axes."""
    axes.set_aspect(1 / np.cos(np.radians(35)))
    axes.grid(linewidth=0.4)
    if labels:
        axes.set(xlabel="longitude (degrees east)", ylabel="latitude (degrees north)")


def timeline(study: Study, table: pd.DataFrame) -> Figure:
    """Draw the number of treated cities and the share of treated rows by year.

    Parameters
    ----------
    table : as :func:`pilotzones.describe.coverage` returns it.
    """
    theme.apply()
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    left.step(table.index, table["cities with a zone"], where="mid", color=theme.BLUE)
    left.set(xlabel="year", ylabel="cities with a zone in force", ylim=(0, None))
    right.bar(table.index, table["treated rows (%)"], color=theme.ORANGE)
    units = describe.plural(study.unit)
    label = "cities with a" if study.unit == "city" else f"{units} in cities with a"
    label = f"{units} with one" if "pairs" in study.features else label
    right.set(xlabel="year", ylabel=f"{label} zone in force (%)")
    return figure


def intensity_map(study: Study, table: pd.DataFrame) -> Figure:
    """Draw a treatment that all provinces have more or less of, by province (rows) and year.

    Parameters
    ----------
    table : as :func:`pilotzones.describe.intensity` returns it.
    """
    import seaborn as sns

    theme.apply()
    figure, axes = plt.subplots(figsize=(8, 0.24 * len(table) + 1.2))
    variable = study.variable(study.treatment)
    sns.heatmap(table, cmap="cividis", cbar_kws={"label": f"{variable.name} ({variable.unit})"}, ax=axes)
    axes.set(xlabel="year", ylabel="")
    axes.tick_params(axis="y", labelsize=7, rotation=0)
    return figure


def missing_heatmap(share: pd.DataFrame) -> Figure:
    """Draw the share of missing values (percent of rows) by variable and year."""
    import seaborn as sns

    theme.apply()
    figure, axes = plt.subplots(figsize=(8, 0.35 * len(share) + 1.4))
    sns.heatmap(share, cmap="cividis", annot=True, fmt=".1f", annot_kws={"size": 7},
                cbar_kws={"label": "missing (% of rows)"}, ax=axes)  # fmt: skip
    axes.set(xlabel="year", ylabel="")
    return figure


def balance_plot(table: pd.DataFrame) -> Figure:
    """Draw the normalised differences of :func:`pilotzones.describe.balance`, with the 0.25 rule of thumb."""
    theme.apply()
    figure, axes = plt.subplots(figsize=(7, 0.3 * len(table) + 1.2))
    axes.axvspan(-0.25, 0.25, color="#EEEEEE", zorder=0)
    axes.axvline(0, color=theme.GREY, linewidth=0.8)
    axes.scatter(table["normalised difference"], table.index, color=theme.BLUE)
    axes.invert_yaxis()
    axes.set(xlabel="normalised difference (standard deviations), ever minus never treated")
    return figure


TRUTH = "truth (mean effect)"


def with_truth(paths: Mapping[str, pd.DataFrame], truth: pd.Series | None) -> dict[str, pd.DataFrame]:
    """Return effects by event time, by label, with the true mean effect (when it is known) as the last of them."""
    return {**paths, TRUTH: truth.to_frame("estimate")} if truth is not None else dict(paths)


def event_plot(paths: Mapping[str, pd.DataFrame], ylabel: str) -> Figure:
    """Draw event-study coefficients with 95% intervals, one colour and shape per specification.

    Parameters
    ----------
    paths : by label, effects in outcome units: columns ``estimate``, ``low``, ``high``, indexed by event time (years);
        as :func:`with_truth` returns them, that is of the truth only ``estimate``.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(8, 4))
    axes.axhline(0, color=theme.GREY, linewidth=0.8)
    axes.axvline(-0.5, color=theme.GREY, linewidth=0.8, linestyle=":")
    fitted = {label: rows for label, rows in paths.items() if label != TRUTH}
    for position, (label, rows) in enumerate(fitted.items()):
        shift = 0.22 * (position - (len(fitted) - 1) / 2)
        spread = np.vstack([rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]])
        axes.errorbar(rows.index.to_numpy(float) + shift, rows["estimate"], yerr=spread, fmt=theme.MARKERS[position],
                      capsize=3, markersize=5, label=label)  # fmt: skip
    if TRUTH in paths:
        axes.plot(paths[TRUTH].index, paths[TRUTH]["estimate"], "kD", markersize=5, zorder=5, label=TRUTH)
    axes.set(xlabel="years since the city's zone was approved", ylabel=ylabel)
    axes.legend(fontsize=8)
    return figure


def interval_plot(rows: pd.DataFrame, xlabel: str, marks: dict[str, float] | None = None) -> Figure:
    """Draw one estimate under several standard errors.

    Parameters
    ----------
    rows : columns ``estimate``, ``low``, ``high``; the index labels the rows.
    marks : further values to mark by vertical lines, e.g. the truth.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.5, 0.4 * len(rows) + 1.4))
    axes.axvline(0, color=theme.GREY, linewidth=0.8)
    for (label, value), colour in zip((marks or {}).items(), [theme.GREEN, theme.RED], strict=False):
        axes.axvline(value, color=colour, linestyle="--", label=f"{label}: {value:.3f}")
    spread = np.vstack([rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]])
    axes.errorbar(rows["estimate"], rows.index, xerr=spread, fmt="o", color=theme.BLUE, capsize=3)
    axes.invert_yaxis()
    axes.set(xlabel=xlabel)
    if marks:
        axes.legend(fontsize=8)
    return figure


def scorecard_plot(rows: pd.DataFrame) -> Figure:
    """Draw the two distances of every estimate in the ledger: in printed and in Monte-Carlo standard deviations."""
    theme.apply()
    figure, axes = plt.subplots(figsize=(6.5, 5))
    axes.add_patch(plt.Rectangle((-2, -2), 4, 4, color="#EEEEEE", zorder=0))
    for (tag, group), marker in zip(rows.groupby("tag"), theme.MARKERS, strict=False):
        axes.scatter(group["z_published"], group["z_mc"], label=str(tag), s=28, marker=marker)
    axes.axhline(0, color=theme.GREY, linewidth=0.8)
    axes.axvline(0, color=theme.GREY, linewidth=0.8)
    axes.set(xlabel="(re-estimated - printed) / printed standard error",
             ylabel="(re-estimated - printed) / Monte-Carlo sd")  # fmt: skip
    axes.legend(fontsize=8)
    return figure


def placebo_plot(fake: dict[str, Placebo], actual: float) -> Figure:
    """Draw the t values of fake treatments, one panel per sample, beside the standard normal and the real t value."""
    theme.apply()
    figure, panels = plt.subplots(1, len(fake), figsize=(9, 3.4), sharex=True, sharey=True, squeeze=False)
    grid = np.linspace(-5, 5, 201)
    for axes, (label, placebo) in zip(panels[0], fake.items(), strict=True):
        axes.hist(
            placebo.draws["t"], bins=30, density=True, color=theme.BLUE, alpha=0.6, linewidth=0, label="fake zones"
        )
        axes.plot(grid, stats.norm.pdf(grid), color=theme.GREY, label="standard normal")
        axes.axvline(actual, color=theme.RED, linestyle="--", label=f"real t = {actual:.2f}")
        axes.set(title=label, xlabel="t value")
    panels[0, 0].set(ylabel="density")
    panels[0, 0].legend(fontsize=7)
    return figure


def placebo_instruments_plot(
    fake: dict[tuple[str, str], pd.DataFrame], actual: tuple[float, float], least_squares: float, xlabel: str
) -> Figure:
    """Draw first-stage F and 2SLS estimates of instruments made of noise, one row of panels per other factor.

    Parameters
    ----------
    fake : as :func:`pilotzones.robustness.placebo_instruments` returns it; errors clustered by city are shown.
    actual : first-stage F (by city) and 2SLS estimate of the real instruments.
    least_squares : the estimate without instruments.
    xlabel : label of the axis of estimates.
    """
    theme.apply()
    shown = {rest: table for (rest, errors), table in fake.items() if errors == "cluster:city"}
    figure, panels = plt.subplots(len(shown), 2, figsize=(9, 2.6 * len(shown) + 0.4), squeeze=False, sharex="col")
    strongest = max(actual[0], *(table["F"].max() for table in shown.values()))
    bins = np.geomspace(0.1, strongest * 1.1, 40)
    # instruments that move nothing give estimates of any size: the middle 90%
    middle = {rest: table.loc[table["estimate"].rank(pct=True).between(0.05, 0.95), "estimate"]
              for rest, table in shown.items()}  # fmt: skip
    values = np.concatenate([*middle.values(), [least_squares, actual[1]]])
    grid = np.linspace(values.min(), values.max(), 61).tolist()
    for (left, right), (rest, table) in zip(panels, shown.items(), strict=True):
        left.hist(table["F"].clip(lower=0.1), bins=bins.tolist(), color=theme.BLUE, alpha=0.6, linewidth=0)
        left.axvline(10, color=theme.GREY, linestyle=":", label="F = 10")
        left.axvline(actual[0], color=theme.RED, linestyle="--", label=f"real instrument, F = {actual[0]:.0f}")
        left.set(xscale="log", ylabel="draws", title=f"noise x {rest}")
        right.hist(middle[rest], bins=grid, color=theme.BLUE, alpha=0.6, linewidth=0)
        right.axvline(least_squares, color=theme.GREEN, label=f"least squares {least_squares:.3f}")
        right.axvline(actual[1], color=theme.RED, linestyle="--", label=f"real instrument {actual[1]:.3f}")
        right.set(title="2SLS estimates")
    panels[-1, 0].set(xlabel="first-stage F, by city (first bar: up to 0.1)")
    panels[-1, 1].set(xlabel=xlabel)
    panels[0, 0].legend(fontsize=7)
    panels[0, 1].legend(fontsize=7)
    return figure


def overlap_plot(rows: pd.DataFrame) -> Figure:
    """Draw the propensity scores of treated rows, of all controls and of matched controls.

    Parameters
    ----------
    rows : as :meth:`pilotzones.estimators.matching.Matching.rows` returns them.
    """
    theme.apply()
    treated = rows["treated"]
    groups = {
        "treated": (rows.loc[treated, "score"], theme.RED),
        "controls": (rows.loc[~treated, "score"], theme.GREY),
        "matched controls": (rows.loc[~treated & rows["matched"], "score"], theme.BLUE),
    }
    figure, axes = plt.subplots(figsize=(7.5, 3.4))
    for label, (score, colour) in groups.items():
        label = f"{label} ({len(score):,} rows)"
        bins = np.linspace(0, 1, 51).tolist()
        axes.hist(score, bins=bins, density=True, histtype="step", color=colour, linewidth=1.5, label=label)
    axes.set(xlabel="propensity score", ylabel="density", xlim=(0, float(rows["score"].max()) * 1.05))
    axes.legend(fontsize=8)
    return figure


def sensitivity_plot(models: dict[str, Mediation]) -> Figure:
    """Draw the indirect effect against the assumed correlation of the two equations' errors, one panel per mediator."""
    theme.apply()
    figure, panels = plt.subplots(-(-len(models) // 2), 2, figsize=(8, 3 * -(-len(models) // 2)), squeeze=False)
    for axes in panels.flat[len(models) :]:
        axes.set_visible(False)
    for axes, (label, model) in zip(panels.flat, models.items(), strict=False):
        band = model.sensitivity
        axes.fill_between(band.index, band["low"], band["high"], color=theme.BLUE, alpha=0.25)
        axes.plot(band.index, band["indirect"], color=theme.BLUE)
        axes.axhline(0, color=theme.GREY, linewidth=0.8)
        axes.axvline(model.rho_zero, color=theme.RED, linestyle="--", label=f"zero at {model.rho_zero:.3f}")
        axes.set(title=label, xlabel="correlation of the errors")
        axes.legend(fontsize=7)
    for axes in panels[:, 0]:
        axes.set(ylabel="indirect effect (outcome units)")
    return figure


def band_plot(rows: pd.DataFrame, ylabel: str) -> Figure:
    """Draw coefficients of distance bands with 95% intervals.

    Parameters
    ----------
    rows : columns ``estimate``, ``low``, ``high``; the index gives each band's outer distance in km.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    spread = np.vstack([rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]])
    axes.axhline(0, color=theme.GREY, linewidth=0.8)
    axes.errorbar(rows.index, rows["estimate"], yerr=spread, fmt="o", color=theme.BLUE, capsize=3)
    axes.set(xlabel="distance to a zone in force, outer end of the band (km)", ylabel=ylabel)
    return figure
