r"""How much two cities move together, year by year, and which pairs of cities have to do with each other.

From series :math:`x_{it}` of cities over :math:`T` years, each less its own mean and divided by its own standard
deviation over the :math:`T` years, :math:`z_{it}`:

.. math:: \rho_{ijt} = 1 - g_{ijt}, \qquad g_{ijt} = \tfrac12 (z_{it} - z_{jt})^2, \qquad
          \rho'_{ijt} = \frac12 \ln\frac{1 + \rho_{ijt} / (2T - 3)}{1 - \rho_{ijt}}
                      = \frac12 \ln\frac{2T - 2 - g_{ijt}}{(2T - 3)\, g_{ijt}}

Cerqueira and Martins' index :math:`\rho` splits a correlation into years: its mean over the years is the Pearson
correlation of the two series, exactly. It lies in :math:`[3 - 2T, 1]`; the lower bound is reached when one city has its
only peak in the year of the other's only trough, and is the reason for :math:`2T - 3` in Cerqueira's transform
:math:`\rho'`, which has no bounds.

Series that share a trend are synchronised whatever their cycles do: a straight line with independent noise around it
gives a mean of 0.97 (``tests/test_synchronisation.py``), and below 0.02 once :func:`cycle` has removed the trend.

Throughout, a *series* is a table with cities in rows, consecutive years in columns and no gap, and *pairs* is a table
with ``city_i`` and ``city_j``. Results have the rows of the pairs and the columns of the series. No city, pair or year
is ever dropped: what has no answer is an error that names it.

References
----------
.. [1] Cerqueira, P. A. and Martins, R. (2009). Measuring the determinants of business cycle synchronization using a
   panel approach. Economics Letters 102, 106-108.
.. [2] Cerqueira, P. A. (2013). A closer look at the world business cycle synchronization. International Economics and
   Economic Policy 10, 349-363.
.. [3] Ravn, M. O. and Uhlig, H. (2002). On adjusting the Hodrick-Prescott filter for the frequency of observations.
   Review of Economics and Statistics 84, 371-376.
.. [4] Hamilton, J. D. (2018). Why you should never use the Hodrick-Prescott filter. Review of Economics and Statistics
   100, 831-843.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
from scipy.signal import detrend
from statsmodels.tsa.filters.api import hamilton_filter, hpfilter

from pilotzones.errors import DataError, ParameterError

ENDS = ["city_i", "city_j"]
MASS = ["people", "gdp", "area", "rank"]


def pairs(cities: Iterable[int]) -> pd.DataFrame:
    """Return all unordered pairs of cities, ``city_i`` < ``city_j``, indexed by ``pair`` = 0, 1, ... in their order.

    Raises
    ------
    DataError
        If a city stands twice.
    """
    codes = pd.Index([*cities]).sort_values()
    if codes.has_duplicates:
        raise DataError(f"pairs of cities: city {codes[codes.duplicated()][0]} stands twice; expected once")
    i, j = np.triu_indices(len(codes), 1)
    return pd.DataFrame({"city_i": codes[i], "city_j": codes[j]}).rename_axis("pair")


def standardised(series: pd.DataFrame) -> pd.DataFrame:
    """Return each city's series less its mean, divided by its standard deviation over the T years (not T - 1).

    Raises
    ------
    DataError
        If a value is missing or no number, a city stands twice, years are not consecutive or fewer than three, or a
        series is constant, so that it has no correlation with any other.
    """
    values = _by_year(series, "series")
    centred = values - values.mean(axis=1, keepdims=True)
    sd = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    _refuse(series.index, sd.ravel() <= 1e-12 * np.abs(values).max(axis=1), "its series is constant: no correlation")
    return pd.DataFrame(centred / sd, series.index, series.columns)


def cerqueira_martins(series: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the synchronisation of each pair in each year, rho, between 3 - 2T and 1.

    Raises
    ------
    DataError
        As :func:`standardised`; if a pair stands twice (also the other way round), is one city twice, or has a city
        without a series.
    """
    return 1 - _gap(series, pairs)


def fisher(series: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return Cerqueira's transform rho' of the synchronisation of each pair in each year; it has no bounds.

    It is computed from 1 - rho, because rho near 1 has no digits left to say how near: two cities whose standardised
    values differ by 1e-8 would be infinitely synchronised.

    Raises
    ------
    DataError
        As :func:`cerqueira_martins`; if a pair is at a bound, 1 or 3 - 2T, up to rounding, where rho' is infinite.
    """
    gap = _gap(series, pairs)
    widest = 2 * series.shape[1] - 2
    at_bound = ((gap < 1e-28) | (gap > widest * (1 - 1e-12))).to_numpy()
    if at_bound.any():
        row, year = map(int, np.argwhere(at_bound)[0])
        raise DataError(
            f"cities {_name(pairs, row)}, {gap.columns[year]}: synchronisation {1 - gap.iloc[row, year]:g} is at its "
            f"bound, where the transform is infinite; expected more than {1 - widest} and less than 1"
        )
    return np.log((widest - gap) / ((widest - 1) * gap)) / 2


def cycle(series: pd.DataFrame, kind: Literal["hp", "hamilton", "growth", "linear"]) -> pd.DataFrame:
    r"""Return what is left of each city's series without its trend.

    Parameters
    ----------
    kind : ``"hp"``: filter of Hodrick and Prescott with :math:`\lambda = 6.25`, the value of [3]_ for annual data. Both
        ends lean on few years, and it finds cycles even in a random walk [4]_.
        ``"hamilton"``: what a regression of :math:`x_t` on a constant and :math:`x_{t-2}` leaves: the horizon of two
        years and the lags of one year of [4]_. Two years are lost: of ten, eight residuals of two coefficients.
        ``"growth"``: :math:`x_t / x_{t-1} - 1`; one year is lost.
        ``"linear"``: what a straight line leaves.

    Returns
    -------
    In units of the series (growth: a share), without the columns of the years lost. The bounds of rho change with T.

    Raises
    ------
    ParameterError
        If there is no such kind.
    DataError
        If the series are not as :func:`standardised` expects or shorter than six years (``"hamilton"``), a level is not
        positive (``"growth"``), or a series is its own trend up to rounding, so that no cycle is left.
    """
    values = _by_year(series, "series", above=0 if kind == "growth" else -np.inf)
    if kind == "hp":
        left = np.vstack([hpfilter(city, 6.25).cycle for city in values])
    elif kind == "hamilton":
        if values.shape[1] < 6:
            raise DataError(f"series: {values.shape[1]} years; expected at least 6 for Hamilton's regression")
        left = hamilton_filter(values.T, h=2, p=1).cycle.T[:, 2:]
    elif kind == "growth":
        left = values[:, 1:] / values[:, :-1] - 1
    elif kind == "linear":
        left = detrend(values, axis=1)
    else:
        raise ParameterError(f"kind = {kind!r}: expected hp, hamilton, growth or linear")
    size = 1.0 if kind == "growth" else np.abs(values).max(axis=1)
    _refuse(series.index, np.ptp(left, axis=1) <= 1e-12 * size, f"nothing is left of its series ({kind}): no cycle")
    return pd.DataFrame(left, series.index, series.columns[-left.shape[1] :])


def absolute_difference(series: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return minus the absolute difference between the two cities of each pair: the higher, the more alike.

    Raises
    ------
    DataError
        As :func:`cerqueira_martins`, but a series may be constant.
    """
    first, second = _both(_by_year(series, "series"), series.index, pairs)
    return pd.DataFrame(-np.abs(first - second), pairs.index, series.columns)


def weighted_variation(series: pd.DataFrame, people: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    r"""Return the population-weighted coefficient of variation between the two cities of each pair.

    .. math:: \frac{1}{\bar x} \sqrt{p_i (x_i - \bar x)^2 + p_j (x_j - \bar x)^2}
              = \frac{\sqrt{p_i p_j}\, |x_i - x_j|}{\bar x}, \qquad \bar x = p_i x_i + p_j x_j

    with the shares :math:`p_i + p_j = 1` of the pair's population: the part between groups when each city is a group.
    The paper on regional coordination that uses it, after Qin Chenglin (覃成林) and others (2011), prints no formula;
    this is our reading.

    Parameters
    ----------
    series : positive, e.g. GDP per head.
    people : population of the same cities and years, any unit.

    Returns
    -------
    0 for two cities alike, the larger the further apart; no unit.

    Raises
    ------
    DataError
        As :func:`absolute_difference`; if a value or a population is missing or not positive.
    """
    _by_year(people, "people", above=0)
    same = people.reindex(index=series.index, columns=series.columns)
    x_i, x_j = _both(_by_year(series, "series", above=0), series.index, pairs)
    p_i, p_j = _both(_by_year(same, "people", above=0), series.index, pairs)
    share = p_i / (p_i + p_j)
    mean = share * x_i + (1 - share) * x_j
    return pd.DataFrame(np.sqrt(share * (1 - share)) * np.abs(x_i - x_j) / mean, pairs.index, series.columns)


def gravity(cities: pd.DataFrame, distance_km: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    r"""Return the largest possible economic tie of each pair by a gravity model.

    .. math:: F_{ij} = \frac{\sqrt[4]{P_i G_i S_i A_i}\ \sqrt[4]{P_j G_j S_j A_j}}{D_{ij}^2}

    Parameters
    ----------
    cities : by city, ``people`` P, ``gdp`` G, ``area`` S and administrative ``rank`` A (4 municipality, 3
        sub-provincial, 2 provincial capital, 1 other), all positive. Units scale every tie alike.
    distance_km : city by city, as :func:`pilotzones.geography.distances` returns it.

    Raises
    ------
    DataError
        If a number is missing or not positive, a city has no row or no distance (no coordinates), two cities are 0 km
        apart, or the pairs are not as :func:`cerqueira_martins` expects.
    """
    if lost := [column for column in MASS if column not in cities]:
        raise DataError(f"gravity: column '{lost[0]}' is missing; expected {', '.join(MASS)}")
    mass = _numbers(cities[MASS], "gravity", above=0).prod(axis=1) ** 0.25
    first, second = _both(mass, cities.index, pairs)
    km = distance_km.reindex(index=cities.index, columns=cities.index).to_numpy(float)
    _refuse(cities.index, ~np.isfinite(km).any(axis=1), "no distance to any city; has it coordinates?")
    between = km[tuple(cities.index.get_indexer(pairs[column]) for column in ENDS)]
    if (wrong := ~((between > 0) & np.isfinite(between))).any():
        row = int(wrong.argmax())
        raise DataError(f"gravity: cities {_name(pairs, row)} are {between[row]:g} km apart, expected more than 0")
    return pd.Series(first * second / between**2, pairs.index, name="tie")


def strong(ties: pd.Series) -> pd.Series:
    """Tell for each pair whether its tie is above the median of all.

    Of an even number of different ties exactly half are; of an odd number the median itself is not. Equal ties are
    treated alike: where several are at the median none of them is above it, and fewer than half remain.

    Raises
    ------
    DataError
        If a tie is missing.
    """
    if ties.isna().any():
        raise DataError(f"ties, pair {ties.index[ties.isna()][0]}: missing, expected a number")
    return ties > ties.median()


def _gap(series: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return 1 - rho."""
    first, second = _both(standardised(series).to_numpy(), series.index, pairs)
    return pd.DataFrame((first - second) ** 2 / 2, pairs.index, series.columns)


def _both(values: np.ndarray, cities: pd.Index, pairs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of ``values``, one per city, of the first and of the second city of each pair."""
    if lost := [column for column in ENDS if column not in pairs]:
        raise DataError(f"pairs: column '{lost[0]}' is missing; expected {' and '.join(ENDS)}")
    first, second = (cities.get_indexer(pairs[column]) for column in ENDS)
    either = np.sort(np.column_stack([first, second]))
    for wrong, problem in (
        (either[:, 0] < 0, f"expected two of the {len(cities)} cities of the table"),
        (first == second, "expected two different cities"),
        (pd.DataFrame(either).duplicated().to_numpy(), "a second row; expected one, in either order"),
    ):
        if wrong.any():
            raise DataError(f"pair of cities {_name(pairs, int(wrong.argmax()))}: {problem}")
    return values[first], values[second]


def _by_year(series: pd.DataFrame, what: str, above: float = -np.inf) -> np.ndarray:
    """Return the values, shape (cities, years), unless something is wrong with them."""
    years = series.columns
    if not pd.api.types.is_integer_dtype(years) or len(years) < 3 or (np.diff(years) != 1).any():
        raise DataError(f"{what}: years {', '.join(map(str, years))}; expected three or more without a gap")
    return _numbers(series, what, above)


def _numbers(table: pd.DataFrame, what: str, above: float) -> np.ndarray:
    """Return the values, shape (cities, columns), if all are finite and above a bound and each city has one row."""
    _refuse(table.index, table.index.duplicated(), f"a second row in {what}; expected one")
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    wrong = ~(np.isfinite(values) & (values > above))
    if wrong.any():
        row, column = map(int, np.argwhere(wrong)[0])
        raise DataError(
            f"{what}, city {table.index[row]}, {table.columns[column]}: {table.iat[row, column]}, expected a number"
            + (f" above {above:g}" if above > -np.inf else "")
        )
    return values


def _refuse(cities: pd.Index, wrong: np.ndarray, problem: str) -> None:
    if wrong.any():
        raise DataError(f"city {cities[wrong.argmax()]}: {problem}")


def _name(pairs: pd.DataFrame, row: int) -> str:
    return " and ".join(str(pairs[column].iloc[row]) for column in ENDS)
