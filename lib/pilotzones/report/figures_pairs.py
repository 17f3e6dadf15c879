"""Figures of studies of pairs of cities. Each function draws; :func:`pilotzones.report.show` adds the words."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from pilotzones import pairs, policy, replicate
from pilotzones.declare import Study
from pilotzones.measures import synchronisation
from pilotzones.report import theme

ZONES = {"none": "no zone", "one": "one zone", "both": "two zones"}


def by_year(data: pd.DataFrame, by_city: pd.DataFrame, chosen: list[int]) -> Figure:
    """Draw the standardised series of the first pair chosen, and the synchronisation of all of them, by year.

    Parameters
    ----------
    by_city : cities in rows, years in columns.
    chosen : pairs of ``data``.
    """
    theme.apply()
    both, first = pairs.ends(data).loc[chosen], data.drop_duplicates("pair").set_index("pair").loc[chosen]
    labels = pairs.names(first) + " (" + first["pair_type"].astype(str).map(ZONES) + ")"
    known = policy.cities().set_index("adcode")["city_en"]
    scaled = synchronisation.standardised(by_city)
    rho = synchronisation.cerqueira_martins(by_city, both)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
    for code in both.iloc[0]:
        left.plot(scaled.columns, scaled.loc[code], marker="o", markersize=3, label=known[code])
    left.set(xlabel="year", ylabel="standardised index (own sd)")
    left.legend(fontsize=7)
    right.axhline(1, color=theme.GREY, linewidth=0.8, linestyle=":")
    for pair, label in labels.items():
        right.plot(rho.columns, rho.loc[pair], marker="o", markersize=3, label=label)
    lowest = 3 - 2 * rho.shape[1]
    right.set(xlabel="year", ylabel=f"synchronisation (rho, from {lowest} to 1)")
    right.legend(fontsize=7)
    return figure


def outcome(study: Study, data: pd.DataFrame) -> Figure:
    """Draw the distribution of the outcome in the main column, by years with and without a zone in force.

    Above, the values of the index before the transform.
    """
    theme.apply()
    sample = replicate.benchmark_sample(study, data)
    years = sample["year"].nunique()
    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    groups = {"no zone in force": (0, theme.BLUE), "one zone in force": (1, theme.RED)}
    low, high = sample[study.outcome].quantile([0.001, 0.999])
    bins = np.linspace(float(low), float(high), 81).tolist()
    for label, (value, colour) in groups.items():
        rows = sample.loc[sample[study.treatment] == value, study.outcome]
        axes.hist(rows, bins=bins, density=True, histtype="step", color=colour, label=f"{label} ({len(rows):,} rows)")
    axes.set(xlabel=f"{study.outcome} ({study.variable(study.outcome).unit})", ylabel="density")
    axes.legend(fontsize=8)
    above = axes.secondary_xaxis("top")
    marks = np.array([-2, 0, 0.9, 0.99, 0.999, 0.9999])
    above.set_xticks(np.log((1 + marks / (2 * years - 3)) / (1 - marks)) / 2, [f"{mark:g}" for mark in marks])
    above.set_xlabel("before the transform (rho)")
    return figure


def network(study: Study, data: pd.DataFrame, strongest: int = 1000) -> Figure:
    """Draw the cities of the main column by the number of their partners, and the strongest ties between them."""
    theme.apply()
    sample = replicate.benchmark_sample(study, data).drop_duplicates("pair").nlargest(strongest, "tie_strength")
    places = policy.cities().set_index("adcode")[["lon", "lat"]]
    cities = pairs.partners(study, data).join(places)
    figure, axes = plt.subplots(figsize=(8, 6))
    for kind, colour in (("none", theme.GREY), ("one", theme.BLUE)):
        rows = sample[sample["pair_type"] == kind]
        lines = np.stack([places.loc[rows[side]].to_numpy() for side in ("city_i", "city_j")], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=0.6, alpha=0.6))
        axes.plot([], [], color=colour, label=f"{ZONES[kind]} ({len(rows)} of the {strongest:,} strongest ties)")
    size = 2 + cities["partners"] / 6
    axes.scatter(cities["lon"], cities["lat"], s=size, color=theme.ORANGE, linewidths=0, zorder=2,
                 label="city of the sample, larger: more partners")  # fmt: skip
    treated = cities[cities["zone"] > 0]
    axes.scatter(treated["lon"], treated["lat"], s=size[treated.index] + 20, facecolors="none", edgecolors="black",
                 linewidths=0.8, zorder=3, label=f"city with a zone ({len(treated)})")  # fmt: skip
    axes.set(xlabel="longitude (degrees east)", ylabel="latitude (degrees north)")
    axes.set_aspect(1 / np.cos(np.radians(35)))
    axes.legend(loc="lower left", fontsize=7)
    return figure


def strength(data: pd.DataFrame) -> Figure:
    """Draw the strength of all ties against distance, darker where there are more pairs, and the cut at the median."""
    theme.apply()
    every = data[data["pair_type"] != "both"].drop_duplicates("pair")
    km = pairs.distances(every)
    cut = every.loc[every["tie"] == "strong", "tie_strength"].min()
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    axes.hexbin(km, every["tie_strength"], xscale="log", yscale="log", gridsize=45, cmap="Blues", mincnt=1, bins="log",
                linewidths=0.1)  # fmt: skip
    axes.axhline(cut, color=theme.RED, linestyle="--", label="cut: pairs above are retained")
    axes.set(xlabel="distance between the cities (km)", ylabel="strength of the tie (index)")
    axes.legend(fontsize=8)
    return figure
