"""Figures of studies of pairs of cities. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from pilotzones.declare import Study
from pilotzones.report import theme
from pilotzones.report.figures import as_map


def by_year(paths: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the standardised series of a pair, and the synchronisation of several pairs, by year.

    Parameters
    ----------
    paths : as :func:`pilotzones.pairs.paths` returns them.
    """
    theme.apply()
    scaled, rho = paths["standardised"], paths["synchronisation"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
    for (city, values), marker in zip(scaled.iterrows(), theme.MARKERS, strict=False):
        left.plot(scaled.columns, values, marker=marker, markersize=4, label=city)
    left.set(xlabel="year", ylabel="standardised index (own sd)")
    left.legend(fontsize=7)
    right.axhline(1, color=theme.GREY, linewidth=0.8, linestyle=":")
    for (pair, values), marker in zip(rho.iterrows(), theme.MARKERS, strict=False):
        right.plot(rho.columns, values, marker=marker, markersize=4, label=pair)
    lowest = 3 - 2 * rho.shape[1]
    right.set(xlabel="year", ylabel=f"synchronisation (rho, from {lowest} to 1)")
    right.legend(fontsize=7)
    return figure


def outcome(study: Study, density: pd.DataFrame, years: int) -> Figure:
    """Draw the distribution of the outcome in the main column, by years with and without a zone in force.

    Above, the values of the index before the transform.

    Parameters
    ----------
    density : as :func:`pilotzones.pairs.density` returns it.
    years : number of years of the panel, on which the range of the index depends.
    """
    theme.apply()
    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    edges = [*density["low"], density["high"].iloc[-1]]
    for label, colour in zip(density.columns[2:], (theme.BLUE, theme.RED), strict=True):
        axes.stairs(density[label], edges, color=colour, label=str(label))
    axes.set(xlabel=f"{study.outcome} ({study.variable(study.outcome).unit})", ylabel="density")
    axes.legend(fontsize=8)
    above = axes.secondary_xaxis("top")
    marks = np.array([-2, 0, 0.9, 0.99, 0.999, 0.9999])
    above.set_xticks(np.log((1 + marks / (2 * years - 3)) / (1 - marks)) / 2, [f"{mark:g}" for mark in marks])
    above.set_xlabel("before the transform (rho)")
    return figure


def network(drawn: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw cities by the number of their partners, and the strongest ties between them.

    Parameters
    ----------
    drawn : as :func:`pilotzones.pairs.network` returns it.
    """
    theme.apply()
    cities, ties = drawn["cities"], drawn["ties"]
    figure, axes = plt.subplots(figsize=(8, 6))
    for kind, words, colour in (("none", "no zone", theme.GREY), ("one", "one zone", theme.BLUE)):
        rows = ties[ties["pair_type"] == kind]
        lines = np.stack([cities.loc[rows[side], ["lon", "lat"]].to_numpy() for side in ("city_i", "city_j")], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=0.6, alpha=0.6))
        axes.plot([], [], color=colour, label=f"{words} ({len(rows)} of the {len(ties):,} strongest ties)")
    size = 2 + cities["partners"] / 6
    axes.scatter(cities["lon"], cities["lat"], s=size, color=theme.ORANGE, linewidths=0, zorder=2,
                 label="city of the sample, larger: more partners")  # fmt: skip
    treated = cities[cities["zone"] > 0]
    axes.scatter(treated["lon"], treated["lat"], s=size[treated.index] + 20, facecolors="none", edgecolors="black",
                 linewidths=0.8, zorder=3, label=f"city with a zone ({len(treated)})")  # fmt: skip
    as_map(axes)
    axes.legend(loc="lower left", fontsize=7)
    return figure


def strength(ties: pd.DataFrame) -> Figure:
    """Draw the strength of all ties against distance, darker where there are more pairs, and the cut at the median.

    Parameters
    ----------
    ties : as :func:`pilotzones.pairs.strengths` returns them.
    """
    theme.apply()
    cut = ties.loc[ties["retained"], "strength"].min()
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    axes.hexbin(ties["km"], ties["strength"], xscale="log", yscale="log", gridsize=45, cmap="Blues", mincnt=1,
                bins="log", linewidths=0.1)  # fmt: skip
    axes.axhline(cut, color=theme.RED, linestyle="--", label="cut: pairs above are retained")
    axes.set(xlabel="distance between the cities (km)", ylabel="strength of the tie (index)")
    axes.legend(fontsize=8)
    return figure
