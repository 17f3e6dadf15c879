r"""Composite indices: many indicators of a city and year as one number.

For indicator :math:`j` of row :math:`i` (a city in a year), :math:`n` rows:

1. one scale, :func:`standardise`: :math:`x'_{ij} = \frac{x_{ij} - \min_j}{\max_j - \min_j}`, or
   :math:`\frac{\max_j - x_{ij}}{\max_j - \min_j}` where less is better;
2. proportions :math:`p_{ij} = x'_{ij} / \sum_i x'_{ij}`;
3. entropy weights, :func:`entropy`: :math:`e_j = -\frac{1}{\ln n} \sum_i p_{ij} \ln p_{ij}`, divergence
   :math:`g_j = 1 - e_j`, weight :math:`w_j = g_j / \sum_j g_j`;
4. the index: :func:`weighted_sum`, :math:`\sum_j w_j x'_{ij}`, or the closeness of :func:`topsis`.

An indicator weighs the more, the more unevenly it is spread: :math:`g_j` is Theil's inequality index of :math:`x'_j`
divided by :math:`\ln n`. A weight therefore says nothing about importance, and it depends on the sample.

So does the scale. Where a reform raises a maximum, the index of untreated cities falls, against the assumption (SUTVA)
that one unit's treatment leaves the others alone. An effect is only defined with minimum, maximum, weights and ideal
points held fixed: parameters ``bounds``, ``weights`` and ``ideal``.

A row that lacks an indicator has no index: it is missing in every result and counts for no minimum, maximum, weight or
ideal point. The rows left over are called complete. Every function refuses what :func:`check_indicators` does.

References
----------
.. [1] Theil, H. (1967). Economics and Information Theory. North-Holland.
.. [2] Hwang, C. L. and Yoon, K. (1981). Multiple Attribute Decision Making. Springer. Entropy weights and TOPSIS.
.. [3] OECD and JRC (2008). Handbook on Constructing Composite Indicators. OECD Publishing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
from scipy.special import entr

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures.checks import place, require


def check_indicators(indicators: pd.DataFrame, shares: Collection[str] = ()) -> None:
    """Stop unless an index can be made of the indicators.

    Parameters
    ----------
    indicators : one column per indicator, any unit; one row per city and year, named by the index.
    shares : indicators that cannot be negative. They may exceed 1 (or 100%), as trade over GDP does.

    Raises
    ------
    ParameterError
        If a share is no indicator.
    DataError
        If a column stands twice, is no number, infinite, all missing, constant over the complete rows or negative where
        a share is expected; if a city-year (an index of several levels) stands twice; if fewer than two rows are
        complete. The message names column and row.
    """
    _known("shares", shares, indicators)
    _complete(indicators)
    _not_negative(_numbers(indicators)[[*shares]])


def bounds(indicators: pd.DataFrame) -> pd.DataFrame:
    """Return ``min`` and ``max`` by indicator, over the complete rows, in its unit."""
    return _complete(indicators).agg(["min", "max"]).T.rename_axis("indicator")


def standardise(
    indicators: pd.DataFrame,
    negative: Collection[str] = (),
    bounds: pd.DataFrame | None = None,
    shift: float = 0.0,
) -> pd.DataFrame:
    """Put every indicator on a scale from 0, the worst of all rows, to 1, the best.

    Parameters
    ----------
    indicators : as :func:`check_indicators`; with given ``bounds``, one row is enough and a column may be constant.
    negative : indicators of which less is better.
    bounds : ``min`` and ``max`` by indicator, e.g. :func:`bounds` of another panel; values beyond them leave [0, 1].
        By default those of ``indicators``, and then one city's maximum moves every city's index (see the module).
    shift : added to every value, 0 to 1. Some papers add a little so that ln 0 does not occur; no need, for
        0 ln 0 counts as 0 in :func:`entropy`. The weights depend on it.

    Returns
    -------
    Aligned with ``indicators``; incomplete rows are missing altogether.

    Raises
    ------
    ParameterError
        If a negative indicator does not exist, the shift is outside [0, 1], or an indicator has no bounds, min < max.
    """
    _known("negative", negative, indicators)
    if not 0 <= shift <= 1:
        raise ParameterError(f"shift = {shift!r}: expected 0 to 1")
    values = _numbers(indicators)
    source = _complete(indicators).agg(["min", "max"]).T if bounds is None else bounds
    limits = source.reindex(index=values.columns, columns=["min", "max"])
    for column, low, high in limits.itertuples():
        if not -np.inf < low < high < np.inf:
            raise ParameterError(f"bounds of '{column}': min {low}, max {high}; expected numbers, min < max")
    flipped = limits.index.isin([*negative])
    worst, best = limits["min"].mask(flipped, limits["max"]), limits["max"].mask(flipped, limits["min"])
    return ((values - worst) / (best - worst)).mask(values.isna().any(axis=1)) + shift


def entropy(standardised: pd.DataFrame) -> pd.DataFrame:
    """Return entropy, divergence and weight of each indicator, from the complete rows.

    Returns
    -------
    By indicator: ``entropy`` from 0 (one row has everything) to 1 (all rows alike), ``divergence``, one minus it, and
    ``weight``; the weights sum to one.

    Raises
    ------
    DataError
        If a value is negative.
    """
    complete = _complete(standardised)
    _not_negative(complete)
    disorder = entr(complete / complete.sum()).sum() / np.log(len(complete))
    divergence = (1 - disorder).clip(lower=0)  # below 0 by rounding only
    out = pd.DataFrame({"entropy": disorder, "divergence": divergence, "weight": divergence / divergence.sum()})
    return out.rename_axis("indicator")


def entropy_by(standardised: pd.DataFrame, by: pd.Series) -> pd.DataFrame:
    """Return entropy weights computed within each group, e.g. each year.

    An index with weights by year is not comparable over years: a city may rise because a weight did.

    Parameters
    ----------
    standardised : for scales by group as well, standardise each group by itself.
    by : the group of each row, same index.

    Returns
    -------
    Rows = groups, columns = indicators; every row sums to one.

    Raises
    ------
    DataError
        If a row has no group, or as :func:`entropy` in a group, which is named: an indicator that does not vary within
        a year has no weight in it.
    """
    if not by.index.equals(standardised.index) or by.isna().any():
        raise DataError(f"groups '{by.name}': expected one for each row of the indicators, in their order")
    weights = {}
    for group, rows in standardised.groupby(by.to_numpy()):
        try:
            weights[group] = entropy(rows)["weight"]
        except DataError as problem:
            raise DataError(f"{by.name or 'group'} {group}: {problem}") from None
    return pd.DataFrame(weights).T.rename_axis(by.name)


def equal_weights(standardised: pd.DataFrame) -> pd.Series:
    """Return the same weight for every indicator; they sum to one."""
    return _weights(np.ones(standardised.shape[1]), standardised)


def first_component(standardised: pd.DataFrame) -> pd.Series:
    """Return the loadings of the first principal component, divided by their sum.

    Of all weights of a given length these give the index with the largest variance: they follow what varies together,
    where entropy weights look at each indicator alone. The component is that of the covariance matrix, for the columns
    share a scale. A loading is negative where an indicator falls while most rise.

    Raises
    ------
    DataError
        If the loadings cancel out, so that neither sign nor scale exists.
    """
    complete = _complete(standardised)
    loadings = np.linalg.svd(complete - complete.mean(), full_matrices=False)[2][0]
    if abs(loadings.sum()) < 1e-8:
        raise DataError("first principal component: its loadings sum to zero, so no direction of it is 'better'")
    return _weights(loadings, complete)


def weighted_sum(standardised: pd.DataFrame, weights: pd.Series) -> pd.Series:
    """Return the weighted mean of the standardised indicators.

    Parameters
    ----------
    weights : one per indicator, summing to one. Negative ones are allowed, for :func:`first_component` may have them.

    Raises
    ------
    ParameterError
        If the weights are not those of the indicators or do not sum to one.
    """
    weighted = _numbers(standardised) * _checked(weights, standardised)
    return weighted.sum(axis=1, skipna=False).rename("weighted_sum")


def topsis(
    standardised: pd.DataFrame, weights: pd.Series, ideal: tuple[pd.Series, pd.Series] | None = None
) -> pd.DataFrame:
    r"""Return the closeness to an ideal row (technique for order preference by similarity to ideal solution).

    .. math:: D^\pm_i = \sqrt{\textstyle\sum_j (w_j x'_{ij} - z^\pm_j)^2}, \qquad C_i = \frac{D^-_i}{D^+_i + D^-_i}

    Parameters
    ----------
    weights : one per indicator, at least 0, summing to one. The squares let a large one dominate more than in
        :func:`weighted_sum`.
    ideal : best and worst point :math:`z^+, z^-`, values :math:`w_j x'_j` by indicator. By default maximum and minimum
        over the complete rows, so that a row which becomes the best moves every city's closeness.

    Returns
    -------
    ``to_best`` :math:`D^+`, ``to_worst`` :math:`D^-` (units of the standardised scale), and ``closeness`` from 0 at the
    worst point to 1 at the best.

    Raises
    ------
    ParameterError
        As :func:`weighted_sum`, if a weight is negative, or if the ideal points lack an indicator or best < worst.
    DataError
        If the two points coincide, as they do for a single row.
    """
    fractions = _checked(weights, standardised)
    if (fractions < 0).any():
        raise ParameterError(f"weights: '{fractions.idxmin()}' has {fractions.min()}, expected at least 0")
    weighted = _numbers(standardised) * fractions
    complete = weighted.dropna()
    best, worst = (point.reindex(weighted.columns) for point in ideal or (complete.max(), complete.min()))
    for column, top, bottom in zip(weighted, best, worst, strict=True):
        if not top >= bottom:
            raise ParameterError(f"ideal points of '{column}': best {top}, worst {bottom}; expected best >= worst")
    if (best == worst).all():
        raise DataError("ideal points: best and worst are the same; expected rows that differ in a weighted indicator")
    to_best = np.sqrt(((weighted - best) ** 2).sum(axis=1, skipna=False))
    to_worst = np.sqrt(((weighted - worst) ** 2).sum(axis=1, skipna=False))
    return pd.DataFrame({"to_best": to_best, "to_worst": to_worst, "closeness": to_worst / (to_best + to_worst)})


def without_each(standardised: pd.DataFrame, index: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    """Return the ``index`` of the other indicators, with each left out in turn: columns = indicator left out."""
    return pd.DataFrame({column: index(standardised.drop(columns=column)) for column in standardised})


def dominance(indicators: pd.DataFrame, negative: Collection[str] = ()) -> pd.DataFrame:
    """Show for each indicator how much hangs on its most extreme row.

    One outlier is no error, but it can make an indicator's weight: on the scale that it stretches, all other rows look
    alike. Of the rows with maximum and minimum the one further beyond the rest is shown.

    Returns
    -------
    By indicator: ``row`` (its label in the index); ``value`` and ``quantile`` (observed 99.9% or 0.1% quantile; below
    1,000 rows the next value), in the indicator's unit; ``beyond``, the distance between the two as a share of the
    range; ``divergence_share``, the share of the divergence that goes with the row, negative if the divergence rises
    without it; ``weight`` and ``weight_without`` the row.
    """
    full = entropy(standardise(indicators, negative))
    complete = _complete(indicators)
    found = {}
    for column, values in complete.items():
        above, below = np.quantile(values, 0.999, method="lower"), np.quantile(values, 0.001, method="higher")
        at_top = values.max() - above >= below - values.min()
        row, quantile = (values.argmax(), above) if at_top else (values.argmin(), below)
        rest = complete.iloc[np.arange(len(complete)) != row]
        rest = rest.loc[:, rest.min() < rest.max()]  # an indicator may be constant without the row: no weight
        divergence, weight = 0.0, 0.0
        if column in rest:
            other = entropy(standardise(rest, [name for name in negative if name in rest]))
            divergence, weight = other.loc[column, ["divergence", "weight"]]
        found[column] = {
            "row": complete.index[row],
            "value": values.iloc[row],
            "quantile": quantile,
            "beyond": abs(values.iloc[row] - quantile) / (values.max() - values.min()),
            "divergence_share": 1 - divergence / full.at[column, "divergence"],
            "weight": full.at[column, "weight"],
            "weight_without": weight,
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("indicator")


def _known(parameter: str, names: Collection[str], indicators: pd.DataFrame) -> None:
    for name in names:
        if name not in indicators:
            raise ParameterError(f"{parameter}: '{name}' is no indicator; expected some of {', '.join(indicators)}")


def _numbers(indicators: pd.DataFrame) -> pd.DataFrame:
    if indicators.columns.empty or not indicators.columns.is_unique:
        raise DataError(f"indicators: columns {[*indicators.columns]}; expected one or more, each once")
    if indicators.index.nlevels > 1:
        keys = indicators.index.to_frame(index=False)
        require(keys, "indicators", [*keys], [])
    for column, values in indicators.items():
        if values.isna().all():
            raise DataError(f"indicator '{column}': all {len(values)} values are missing")
        if not pd.api.types.is_numeric_dtype(values):
            raise DataError(f"indicator '{column}': type {values.dtype}, expected numbers")
        _refuse(np.isinf(values.astype(float)), values, "a finite number")
    return indicators.astype(float)


def _complete(indicators: pd.DataFrame) -> pd.DataFrame:
    complete = _numbers(indicators).dropna()
    if len(complete) < 2:
        raise DataError(f"indicators: {len(complete)} of {len(indicators)} rows are complete; expected at least 2")
    low, high = complete.min(), complete.max()
    constant = high - low <= 4 * np.spacing(np.maximum(abs(low), abs(high)))  # alike but for rounding
    if constant.any():
        column = constant.idxmax()
        raise DataError(f"indicator '{column}': {low[column]} in every complete row; a constant has no scale or weight")
    return complete


def _not_negative(indicators: pd.DataFrame) -> None:
    for _, values in indicators.items():
        _refuse(values < 0, values, "at least 0")


def _refuse(wrong: pd.Series, values: pd.Series, expected: str) -> None:
    if wrong.any():
        keys = values.index.to_frame(index=False)
        keys.columns = [name or "row" for name in values.index.names]
        row = wrong.argmax()
        where = place(keys.astype(object).iloc[row], [*keys])
        raise DataError(f"indicator '{values.name}', {where}: {values.iloc[row]}, expected {expected}")


def _weights(values: np.ndarray, standardised: pd.DataFrame) -> pd.Series:
    return pd.Series(values / values.sum(), standardised.columns, name="weight").rename_axis("indicator")


def _checked(weights: pd.Series, standardised: pd.DataFrame) -> pd.Series:
    given, expected = (", ".join(map(str, names)) for names in (weights.index, standardised.columns))
    if not weights.index.is_unique or set(weights.index) != set(standardised.columns):
        raise ParameterError(f"weights of {given}: expected one for each of {expected}")
    total = weights.sum(skipna=False)
    if not abs(total - 1) <= 1e-9:
        raise ParameterError(f"weights: their sum is {total}, expected 1; divide them by their sum")
    return weights.reindex(standardised.columns).astype(float)
