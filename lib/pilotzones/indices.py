"""From a declared composite index to its weights and values: where declarations meet :mod:`measures.composite`."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pilotzones import published
from pilotzones.declare import Index, Study
from pilotzones.measures import composite


def own_rows(index: Index, panel: pd.DataFrame) -> pd.DataFrame:
    """Return one row of the panel for each value of the index, e.g. the first firm's of every province and year."""
    return panel.drop_duplicates([*index.rows]) if index.rows else panel


def standardised(index: Index, panel: pd.DataFrame) -> pd.DataFrame:
    """Return the indicators of an index between 0 and 1, more being better, under the labels of :func:`own_rows`."""
    return composite.standardise(own_rows(index, panel)[[*index.indicators]], negative=index.negative)


def weights(index: Index, panel: pd.DataFrame) -> pd.Series:
    """Return the entropy weight of every indicator, by column of the panel."""
    return composite.entropy(standardised(index, panel))["weight"]


def values(index: Index, panel: pd.DataFrame) -> pd.Series:
    """Return the index for every row of the panel; missing where an indicator is."""
    scaled = standardised(index, panel)
    weight = composite.entropy(scaled)["weight"]
    return for_rows(index, aggregate(index, scaled, weight), panel)


def for_rows(index: Index, values: pd.Series, panel: pd.DataFrame) -> pd.Series:
    """Give every row of the panel the value of its own, e.g. of its province and year.

    Parameters
    ----------
    values : under labels of :func:`own_rows`.
    """
    if not index.rows:
        return values
    keys = [*index.rows]
    known = pd.Series(values.to_numpy(), pd.MultiIndex.from_frame(panel.loc[values.index, keys]))
    return pd.Series(known.reindex(pd.MultiIndex.from_frame(panel[keys])).to_numpy(), panel.index)


def nested(whole: Index, layers: Sequence[Index], panel: pd.DataFrame) -> pd.Series:
    """Return an index made of layers instead of indicators: each layer by its own entropy weights, then all of them.

    Returns
    -------
    Under the labels of :func:`own_rows` of ``whole``.
    """
    parts = {}
    for layer in layers:
        scaled = standardised(layer, panel)
        parts[layer.name] = aggregate(layer, scaled, composite.entropy(scaled)["weight"])
    scaled = composite.standardise(pd.DataFrame(parts))
    return aggregate(whole, scaled, composite.entropy(scaled)["weight"])


def aggregate(index: Index, scaled: pd.DataFrame, weight: pd.Series) -> pd.Series:
    """Bring standardised indicators together with given weights, as the paper does."""
    return composite.topsis(scaled, weight)["closeness"] if index.closeness else composite.weighted_sum(scaled, weight)


def printed_weights(study: Study, panel: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the entropy weights of a study's indices by table and by the name the paper prints."""
    found: dict[tuple[str, str], float] = {}
    for index in study.indices:
        own = weights(index, panel)
        found |= {(index.table, name): float(own[column]) for column, name in index.indicators.items()}
    return found


def printed(study: Study, index: Index, exchange: bool = False) -> pd.Series:
    """Return the weights the paper prints, by column of the panel, divided by their sum (they are rounded).

    Parameters
    ----------
    exchange : give two rows each other's weight: those that the study declares inconsistent.
    """
    rows = published.weights(study.key).query("table == @index.table").set_index("indicator")["weight"]
    if exchange:
        first, second = (p.term for p in study.inconsistencies if p.table == index.table)
        rows = rows.rename({first: second, second: first})
    weight = pd.Series({column: rows[name] for column, name in index.indicators.items()})
    return weight / weight.sum()


def examples(index: Index, panel: pd.DataFrame, year: int, n: int = 5) -> pd.Index:
    """Return the labels of ``n`` rows of one year, evenly spaced from the highest index to the lowest."""
    ranked = panel[(panel["year"] == year) & panel[index.name].notna()].sort_values(index.name, ascending=False)
    return ranked.index[[round(i * (len(ranked) - 1) / (n - 1)) for i in range(n)]]


def weightings(index: Index, panel: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the index under other weights and other ways to bring the indicators together, the paper's first."""
    scaled = standardised(index, panel)
    entropy, equal = composite.entropy(scaled)["weight"], composite.equal_weights(scaled)
    closeness = {
        "entropy weights, TOPSIS": composite.topsis(scaled, entropy)["closeness"],
        "equal weights, TOPSIS": composite.topsis(scaled, equal)["closeness"],
    }
    sums = {
        "entropy weights, sum": composite.weighted_sum(scaled, entropy),
        "equal weights, sum": composite.weighted_sum(scaled, equal),
        # its loadings may be negative, so there is no TOPSIS of it
        "first principal component": composite.weighted_sum(scaled, composite.first_component(scaled)),
    }
    return closeness | sums if index.closeness else sums | closeness


def pooling(index: Index, panel: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the index with the paper's pooled weights and scale, with weights by year, and with both by year."""
    scaled = standardised(index, panel)
    weight = composite.entropy_by(scaled, panel["year"])
    years = panel.groupby("year", sort=True)
    return {
        "pooled": values(index, panel),
        "weights by year": pd.concat([aggregate(index, scaled.loc[rows.index], weight.loc[y]) for y, rows in years]),
        "weights, minimum and maximum by year": pd.concat([values(index, rows) for _, rows in years]),
    }


def shifted(index: Index, panel: pd.DataFrame, shifts: tuple[float, ...]) -> dict[float, pd.Series]:
    """Return the entropy weights when a small number is added to every standardised value so that no ln 0 occurs."""
    columns = panel[[*index.indicators]]
    return {
        shift: composite.entropy(composite.standardise(columns, index.negative, shift=shift))["weight"]
        for shift in shifts
    }


def without_each(index: Index, panel: pd.DataFrame) -> pd.DataFrame:
    """Return the index computed from all other indicators, by the indicator (columns) that is left out."""
    return composite.without_each(
        standardised(index, panel), lambda scaled: aggregate(index, scaled, composite.entropy(scaled)["weight"])
    )


def fixed(index: Index, panel: pd.DataFrame, reference: pd.Series) -> dict[str, pd.Series]:
    """Return the index on its own sample's yardstick, and on that of a reference sample.

    Minimum, maximum, weights and ideal points are functions of all rows: when the reform raises a maximum, the index of
    cities without a reform falls. Taken from ``reference`` rows, e.g. those without a zone, they are the same with and
    without the reform.

    Parameters
    ----------
    reference : True for the rows that set the yardstick, aligned with ``panel``.
    """
    columns = panel[[*index.indicators]]
    limits = composite.bounds(columns[reference])
    scaled = composite.standardise(columns, index.negative, bounds=limits)
    weight = composite.entropy(scaled[reference])["weight"]
    found = {
        "all rows (the paper's)": values(index, panel),
        "minimum, maximum and weights fixed": aggregate(index, scaled, weight),
    }
    if index.closeness:
        weighted = scaled[reference] * weight
        ideal = (weighted.max(), weighted.min())
        found["... and the ideal points"] = composite.topsis(scaled, weight, ideal)["closeness"]
    return found
