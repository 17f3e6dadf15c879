"""The roll-out on a map: batch by batch in small panels, and one batch after the other in a picture that moves.

No border is drawn. China's law on maps asks for an official review of every map that is made public, and free files of
borders differ where borders are disputed. The 337 prefectures, each a dot at its seat of government, show the shape of
the country without any.
"""

from __future__ import annotations

from html import escape

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from pilotzones.report import theme
from pilotzones.report.figures import as_map

LON, LAT = (73.0, 136.0), (17.0, 54.5)  # degrees shown
_SCALE = 12.0  # pixels per degree of longitude
_STRETCH = 1 / 0.8192  # of a degree of latitude, as at 35 degrees north


def small_multiples(cities: pd.DataFrame, batches: pd.DataFrame) -> Figure:
    """Draw the map once for every batch: its new prefectures, those of earlier batches, and all others.

    Parameters
    ----------
    cities : ``lon``, ``lat`` (degrees) and ``batch`` (0: none) of every prefecture.
    batches : as :func:`pilotzones.policy.batches` returns them.
    """
    theme.apply()
    figure, panels = plt.subplots(-(-len(batches) // 2), 2, figsize=(9, 3.3 * -(-len(batches) // 2)), sharex=True,
                                  sharey=True)  # fmt: skip
    for axes, (batch, row) in zip(panels.flat, batches.iterrows(), strict=True):
        earlier, new = cities["batch"].between(1, int(batch) - 1), cities["batch"] == batch
        rest = ~earlier & ~new
        for rows, size, colour, marker, label in (
            (rest, 4, theme.PALE, "o", "no zone yet"),
            (earlier, 12, theme.BLUE, "o", "zone from an earlier batch"),
            (new, 26, theme.RED, "D", "first zone in this batch"),
        ):
            axes.scatter(cities.loc[rows, "lon"], cities.loc[rows, "lat"], s=size, color=colour, marker=marker,
                         linewidths=0, label=label)  # fmt: skip
        axes.set(title=_words(int(batch), row), xlim=LON, ylim=LAT)
        as_map(axes, labels=False)
    for axes in panels[-1]:
        axes.set(xlabel="longitude (degrees east)")
    for axes in panels[:, 0]:
        axes.set(ylabel="latitude (degrees north)")
    panels[0, 0].legend(fontsize=7, loc="lower left")
    return figure


def _words(batch: int, row: pd.Series) -> str:
    zones = "1 zone" if row["zones"] == 1 else f"{row['zones']} zones"
    return f"Batch {batch}, {row['date'].day} {row['date']:%B %Y}: {zones}"


def animation(cities: pd.DataFrame, batches: pd.DataFrame, alt: str, caption: str) -> HTML:
    """Return the map with a slider over the batches and a button that plays them, which needs no server.

    It never plays by itself. Without the script ``book/_static/rollout.js``, as in a notebook or on paper, it is a
    still picture of all batches.

    Parameters
    ----------
    cities : ``city_en``, ``city_zh``, ``lon``, ``lat`` (degrees) and ``batch`` (0: none) of every prefecture.
    batches : as :func:`pilotzones.policy.batches` returns them.
    """
    steps = [f"Before the first zone: 0 of {len(cities)} prefectures"] + [
        f"{_words(int(batch), row)}; {row['prefectures so far']} of {len(cities)} prefectures have one so far"
        for batch, row in batches.iterrows()
    ]
    last = len(batches)
    words = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return HTML(
        f'<figure class="rollout" id="rollout">{_svg(cities, alt)}'
        '<p class="rollout-controls" hidden><button type="button">Play</button> '
        '<label>Batch <input type="range" min="0" step="1" '
        f'max="{last}" value="{last}" aria-valuetext="{escape(steps[-1])}"></label></p>'
        f'<p class="rollout-now" aria-live="polite">{escape(steps[-1])}</p><ol hidden>{words}</ol>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _svg(cities: pd.DataFrame, alt: str) -> str:
    width, height = _place(LON[1], LAT[0])
    lines = [(x, 0.0, x, height, f"{lon}°E") for lon in range(80, 140, 10) for x in [_place(lon, LAT[0])[0]]]
    lines += [(0.0, y, width, y, f"{lat}°N") for lat in range(20, 60, 10) for y in [_place(LON[0], lat)[1]]]
    grid = "".join(
        f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/><text x="{x1 + 3:g}" y="{y2 - 4:g}">{label}</text>'
        for x1, y1, x2, y2, label in lines
    )
    dots = []
    # the dots with a zone above those without
    for row in cities.sort_values("batch", kind="stable").itertuples():
        x, y = _place(row.lon, row.lat)
        title = f"{row.city_en} {row.city_zh}: " + (f"batch {row.batch}" if row.batch else "no zone")
        state = "earlier" if row.batch else "none"
        dots.append(
            f'<circle class="{state}" data-batch="{row.batch}" cx="{x:.1f}" cy="{y:.1f}">'
            f"<title>{escape(title)}</title></circle>"
        )
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(alt)}">'
        f'<g class="grid" aria-hidden="true">{grid}</g>{"".join(dots)}</svg>'
    )


def _place(lon: float, lat: float) -> tuple[float, float]:
    """Return a point of the map in pixels from its upper left corner."""
    return round((lon - LON[0]) * _SCALE, 1), round((LAT[1] - lat) * _SCALE * _STRETCH, 1)
