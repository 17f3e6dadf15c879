"""Values that may be mistakes in a file: jumps, typing errors, re-based series, shifted rows, copied years.

Every function takes one item as a series indexed by ``unit`` and ``year`` (whole numbers, in any order, one row each;
missing values allowed) and returns one row per place to look at, in the order of units and years. ``shifted`` and
``all_of`` take several items side by side. Nothing is corrected: real economies jump as well, and the user decides.

The rules, with x the values of a unit, compare *consecutive* years; a missing year is no neighbour. A pair of years
says nothing about a ratio, and is left out of jumps and typing errors, where

- a value is zero, or the signs differ;
- both values are below a tenth of the unit's median magnitude: what starts from almost nothing grows by any factor;
- the item passes through zero (more than 1% of its values are negative, such as profits) and one value is that small;
- the item counts (all its values are whole) and the pair differs by at most three times the square root of its sum:
  patents of 1 and 5 differ by chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pilotzones.errors import DataError, ParameterError

SMALL = 0.1  # of a unit's median magnitude
PASSES_ZERO = 0.01  # share of negative values
YEARS = (1900, 2100)  # a year outside is a misread column, and would blow up every table below

TYPO_SLACK, NEIGHBOURS_AGREE = 0.15, np.log10(2)
REBASED, MOST_UNITS, FEWEST_UNITS = np.log10(1.5), 0.6, 10
REPEATED_YEARS, LINE_YEARS = 4, 5
COUNT_REPEATED, COUNT_STEP = 100, 10  # of a count that stays, or moves on a line, by itself
FAR, CLOSER, SHIFTED_COLUMNS, EXPLAINED = np.log10(3), 1 / 3, 4, 2 / 3


def jumps(values: pd.Series, factor: float = 3.0) -> pd.DataFrame:
    """Return consecutive years of a unit whose ratio is above ``factor`` or below its inverse.

    What :func:`typos` reports is no jump, and a jump that the unit shares with most others (:func:`rebased`) counts
    only as far as it goes beyond theirs.

    Returns
    -------
    unit, year, ``before`` (the value of the year before), ``value`` and their ``ratio``.

    Raises
    ------
    ParameterError
        If the factor is not above 1.
    DataError
        If the values are no numbers or not indexed by unit and year, or a unit has a year twice.
    """
    if not factor > 1:
        raise ParameterError(f"factor = {factor!r}: expected a number above 1")
    wide = _wide(values)
    growth = _own_growth(wide)
    wrong = np.abs(growth) > np.log10(factor)
    typed = _digits(growth) != 0
    wrong[:, :-1] &= ~typed
    wrong[:, 1:] &= ~typed
    table = wide.to_numpy()
    row, step = np.nonzero(wrong)
    before, value = table[row, step], table[row, step + 1]
    return _places(wide, row, step + 1, before=before, value=value, ratio=value / before)


def typos(values: pd.Series) -> pd.DataFrame:
    r"""Return values about ten or a hundred times, or a tenth or a hundredth of, both the year before and after.

    A digit too many or too few, or a decimal point in the wrong place: the mean of :math:`\log_{10} x_t / x_{t-1}` and
    :math:`\log_{10} x_t / x_{t+1}` is within 0.15 of 1, 2, -1 or -2, and the neighbours agree within a factor of 2; the
    mean, because what grows has one neighbour nearer than the other. The first and last year of a unit have one
    neighbour only; there :func:`jumps` tells.

    Returns
    -------
    unit, year, ``value``, the neighbours ``before`` and ``after``, and the ``likely`` value: the decimal point moved.

    Raises
    ------
    DataError
        As :func:`jumps`.
    """
    wide = _wide(values)
    table, digits = wide.to_numpy(), _digits(_own_growth(wide))
    row, first = np.nonzero(digits)
    before, value, after = (table[row, first + k] for k in range(3))
    likely = value / 10 ** digits[row, first]
    return _places(wide, row, first + 1, value=value, before=before, after=after, likely=likely)


def rebased(values: pd.Series) -> pd.DataFrame:
    """Return the years in which most units change by about the same factor at once.

    Another unit in one sheet (yuan, 10,000 yuan) or another definition from a year on (telecom business at prices of
    2010, then of 2020). The median ratio of a year to the previous year with data is more than 1.5 times the *usual*
    one, the median of the other years' medians, or less than 1/1.5 of it, and at least half of this (in logs) is its
    own. Of at least 10 units with both years, 60% or more are off the usual ratio by between the square root of this
    factor and its power of 1.5. A series that doubles every year is usual; a common shock, such as travel in 2020, is
    not.

    Returns
    -------
    ``year``, ``share`` of the units, the median ``factor`` and the ``usual`` one.

    Raises
    ------
    DataError
        As :func:`jumps`.
    """
    return _rebased(_wide(values))


@np.errstate(all="ignore")  # a file may hold 1e308
def stuck(values: pd.Series) -> pd.DataFrame:
    """Return years that were copied forward or interpolated instead of measured.

    The same value, not zero, in 4 or more consecutive years, or 5 or more consecutive years on a straight line: second
    differences are zero up to 1e-9 of the values. Items of whole numbers do this by themselves as long as they are
    small: there a repeated value is at least 100, and the step of a line at least 10. An area that never changes is
    reported for every unit, rightly so.

    Returns
    -------
    unit, ``first`` and ``last`` year, ``kind`` (``"repeated"`` or ``"straight line"``), ``start`` and ``end`` value.

    Raises
    ------
    DataError
        As :func:`jumps`.
    """
    wide = _wide(values)
    table = wide.to_numpy()
    step = np.diff(table, axis=1)
    counts = _whole(table)
    same = (step == 0) & (np.abs(table[:, 1:]) >= (COUNT_REPEATED if counts else np.finfo(float).tiny))
    level = np.maximum(np.abs(table[:, 2:]), np.abs(table[:, :-2]))
    straight = np.abs(np.diff(step, axis=1)) <= 1e-9 * level
    # the smallest step that a line of this precision can have; less is the same value over and over
    straight &= np.abs(step[:, 1:]) >= (COUNT_STEP if counts else np.maximum(1e-6 * level, np.finfo(float).tiny))
    parts = []
    for kind, flags, more, least in (
        ("repeated", same, 1, REPEATED_YEARS),
        ("straight line", straight, 2, LINE_YEARS),
    ):
        row, first, length = _runs(flags)
        long = length + more >= least
        row, first, last = row[long], first[long], (first + length + more - 1)[long]
        years = wide.columns.to_numpy()
        found = _places(wide, row, first, last=years[last], kind=kind, start=table[row, first], end=table[row, last])
        parts.append(found.rename(columns={"year": "first"}))
    return pd.concat(parts, ignore_index=True).sort_values(["unit", "first"], kind="stable", ignore_index=True)


def shifted(frame: pd.DataFrame) -> pd.DataFrame:
    r"""Return rows whose values look moved by one column.

    A row is compared with the median of the same unit's two years before and two years after (at least two of them
    present), in logs of magnitudes. A column speaks for a move when its value is further than a factor of 3 from its
    own item, within a factor of 3 of the item next to it, and less than a third as far from that one as from its own. A
    row is reported when at least 4 columns speak for the same move, and they are more than two thirds of the columns
    that are so far from their own item.

    Parameters
    ----------
    frame : items in the order in which they stand *in the file*, all of them: a move is seen between neighbours only.

    Returns
    -------
    unit, year, ``direction`` (``"right"``: values stand one column too far right) and ``columns``, how many speak for
    it.

    Raises
    ------
    DataError
        As :func:`jumps`; if two columns have the same name.
    """
    if frame.columns.has_duplicates:
        raise DataError(f"column '{frame.columns[frame.columns.duplicated()][0]}' stands twice; expected once")
    if frame.shape[1] <= SHIFTED_COLUMNS:
        return pd.DataFrame({"unit": [], "year": [], "direction": [], "columns": []}, dtype=int)
    wides = [_wide(values) for _, values in frame.items()]
    size = np.abs(np.stack([wide.to_numpy() for wide in wides]))
    logs = np.log10(np.where(size > 0, size, np.nan))
    usual = _median_of_neighbours(logs)
    own = np.abs(logs - usual)
    best, direction = np.zeros(logs.shape[1:], dtype=int), np.zeros(logs.shape[1:], dtype=int)
    for move, here, there in ((1, slice(1, None), slice(None, -1)), (-1, slice(None, -1), slice(1, None))):
        moved = np.abs(logs[here] - usual[there])
        off = own[here] > FAR
        speaks = (off & (moved < FAR) & (moved < CLOSER * own[here])).sum(axis=0)
        asked = (off & np.isfinite(moved)).sum(axis=0)
        better = (speaks >= SHIFTED_COLUMNS) & (speaks > EXPLAINED * asked) & (speaks > best)
        best[better], direction[better] = speaks[better], move
    row, year = np.nonzero(best)
    words = np.where(direction[row, year] > 0, "right", "left")
    return _places(wides[0], row, year, direction=words, columns=best[row, year])


def all_of(frame: pd.DataFrame, worst: int = 3) -> pd.DataFrame:
    """Return everything suspicious about several items, in words, each mistake under one name.

    The years around a shifted row are no jumps, and its values no typing errors; see :func:`jumps` for the rest.

    Parameters
    ----------
    frame : as for :func:`shifted`.
    worst : places shown per item and kind; the others are counted in a line without unit and year.

    Returns
    -------
    ``item`` (empty for a shifted row), ``unit``, ``year``, ``kind`` (``"shifted row"``, ``"re-based"``, ``"typing
    error"``, ``"jump"``, ``"repeated"``, ``"straight line"``) and ``words``: by item in their order, the worst first.
    A line about all units has no unit. The words hold values of single units: they are for the user's eyes only.

    Raises
    ------
    DataError
        As :func:`shifted`.
    """
    moved = shifted(frame)
    lines = _lines("", "shifted row", moved, moved["columns"], worst)
    rows = pd.MultiIndex.from_frame(moved[["unit", "year"]])
    for item, values in frame.items():
        changes = rebased(values)
        lines += _lines(item, "re-based", changes, np.log10(changes["factor"] / changes["usual"]).abs(), worst)
        typed = typos(values)
        typed = typed[~_within(typed, rows)]
        lines += _lines(item, "typing error", typed, np.log10(typed["value"] / typed["likely"]).abs(), worst)
        jumped = jumps(values)
        jumped = jumped[~(_within(jumped, rows) | _within(jumped.assign(year=jumped["year"] - 1), rows))]
        lines += _lines(item, "jump", jumped, np.log10(jumped["ratio"]).abs(), worst)
        still = stuck(values)
        for kind, some in still.rename(columns={"first": "year"}).groupby("kind"):
            lines += _lines(item, str(kind), some, some["last"] - some["year"], worst)
    found = pd.DataFrame(lines, columns=["item", "unit", "year", "kind", "words"])
    return found.astype({"unit": "Int64", "year": "Int64"})


def _lines(item: Any, kind: str, found: pd.DataFrame, size: pd.Series, worst: int) -> list[tuple]:
    """Return the largest findings of a kind in words, and how many more there are."""
    order = size.sort_values(ascending=False, kind="stable").index[:worst]
    shown = [
        (item, getattr(place, "unit", None), place.year, kind, _words(kind, place))
        for place in found.loc[order].itertuples()
    ]
    rest = len(found) - len(shown)
    return [*shown, (item, None, None, kind, f"and {rest} more")] if rest else shown


def _words(kind: str, place: Any) -> str:
    if kind == "shifted row":
        return f"{place.columns} values look as if they stood one column too far {place.direction}"
    if kind == "re-based":
        return (
            f"{place.share:.0%} of the units change by about the same factor, in the median {place.factor:.3g} times "
            f"the previous year ({place.usual:.3g} in other years): another unit or definition?"
        )
    if kind == "typing error":
        between = f"{_number(place.before)} the year before and {_number(place.after)} the year after"
        return f"{_number(place.value)}, between {between}: {_number(place.likely)}?"
    if kind == "jump":
        return f"{_number(place.value)} after {_number(place.before)} the year before: {place.ratio:.3g} times"
    if kind == "repeated":
        return f"{_number(place.start)} in every year from {place.year} to {place.last}: copied forward?"
    ends = f"{_number(place.start)} to {_number(place.end)}"
    return f"{ends} on a straight line from {place.year} to {place.last}: interpolated?"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.6g}"


def _within(found: pd.DataFrame, rows: pd.MultiIndex) -> np.ndarray:
    return pd.MultiIndex.from_frame(found[["unit", "year"]]).isin(rows)


# ------------------------------------------------------------------------------------------------- units by years


def _wide(values: pd.Series) -> pd.DataFrame:
    """Return units in rows and all years from the first to the last in columns."""
    index, what = values.index, f"column '{values.name}'"
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    if len(levels) != 2 or not all(pd.api.types.is_integer_dtype(level) and not level.hasnans for level in levels):
        raise DataError(f"{what}: index {', '.join(map(str, index.names))}; expected unit and year, whole numbers")
    if not pd.api.types.is_numeric_dtype(values):
        raise DataError(f"{what}: type {values.dtype}, expected numbers")
    if index.has_duplicates:
        unit, year = index[index.duplicated()][0]
        raise DataError(f"{what}, unit {unit}, year {year}: a second row; expected one")
    years = levels[1].to_numpy(int)
    if len(years) == 0:
        return pd.DataFrame(np.empty((0, 0)))
    first, last = int(years.min()), int(years.max())
    if first < YEARS[0] or last > YEARS[1]:
        wrong = first if first < YEARS[0] else last
        raise DataError(f"{what}: year {wrong}, expected {YEARS[0]} to {YEARS[1]}")
    row, units = pd.factorize(levels[0], sort=True)
    numbers = values.to_numpy(float, na_value=np.nan)
    table = np.full((len(units), last - first + 1), np.nan)
    table[row, years - first] = np.where(np.isfinite(numbers), numbers, np.nan)
    return pd.DataFrame(table, units, range(first, last + 1))


def _places(wide: pd.DataFrame, row: np.ndarray, column: np.ndarray, **about: Any) -> pd.DataFrame:
    return pd.DataFrame({"unit": wide.index.to_numpy()[row], "year": wide.columns.to_numpy()[column], **about})


@np.errstate(all="ignore")  # zeros and other signs have no growth
def _growth(wide: pd.DataFrame) -> np.ndarray:
    """Return log10 of the ratio of each column to the one before, missing where there is none."""
    table = wide.to_numpy()
    growth = np.log10(table[:, 1:] / table[:, :-1])
    return np.where(np.isfinite(growth), growth, np.nan)


def _rebased(wide: pd.DataFrame) -> pd.DataFrame:
    """See :func:`rebased`."""
    wide = wide.dropna(axis=1, how="all")
    growth = _growth(wide)
    enough = np.isfinite(growth).sum(axis=0) >= FEWEST_UNITS
    middle = np.where(enough, pd.DataFrame(growth).median().to_numpy(float), np.nan)
    rows = []
    for step in np.flatnonzero(np.isfinite(middle)):
        others = np.delete(middle, step)
        usual = np.median(others[np.isfinite(others)]) if np.isfinite(others).any() else 0.0
        beyond = middle[step] - usual
        # next to a re-based year the usual growth is what stands out; it is no change by itself
        if abs(beyond) <= REBASED or middle[step] / beyond < 0.5:
            continue
        own = growth[:, step][np.isfinite(growth[:, step])]
        share = float(_shared(own - usual, beyond).mean())
        if share >= MOST_UNITS:
            rows.append((int(wide.columns[step + 1]), share, 10 ** middle[step], 10**usual))
    return pd.DataFrame(rows, columns=["year", "share", "factor", "usual"])


@np.errstate(all="ignore")  # a file may hold 1e308
def _own_growth(wide: pd.DataFrame) -> np.ndarray:
    """Return growth without what all units share, missing where the ratio says nothing (see the module's docstring)."""
    table, growth = wide.to_numpy(), _growth(wide)
    shift = np.zeros(table.shape)
    for change in _rebased(wide).itertuples():
        year, common = wide.columns.get_loc(change.year), np.log10(change.factor / change.usual)
        own = growth[:, year - 1]
        spared = np.isfinite(own) & ~_shared(own - np.log10(change.usual), common)
        shift[:, year] = np.where(spared, 0, common)
    level = wide / 10 ** np.cumsum(shift, axis=1)
    growth, size = _growth(level), level.abs().to_numpy()
    before, after = size[:, :-1], size[:, 1:]
    passes_zero = (table < 0).sum() > PASSES_ZERO * np.isfinite(table).sum()
    decisive = np.minimum(before, after) if passes_zero else np.maximum(before, after)
    growth[decisive < SMALL * level.abs().median(axis=1).to_numpy()[:, None]] = np.nan
    if _whole(table):
        growth[np.abs(after - before) <= 3 * np.sqrt(after + before)] = np.nan
    return growth


def _shared(beyond: np.ndarray, size: float) -> np.ndarray:
    """Tell which units' growth beyond the usual is about ``size``, both in logs."""
    return (beyond / size >= 0.5) & (beyond / size <= 1.5)


def _digits(growth: np.ndarray) -> np.ndarray:
    """Return how many digits too many (negative: too few) each year between two others has; 0 for no :func:`typos`."""
    before, after = growth[:, :-1], -growth[:, 1:]
    mean = (before + after) / 2
    digits = np.round(mean)
    typed = (np.abs(mean - digits) <= TYPO_SLACK) & np.isin(np.abs(digits), (1, 2))
    typed &= np.abs(before - after) <= NEIGHBOURS_AGREE
    return np.where(typed, digits, 0)


def _whole(table: np.ndarray) -> bool:
    return bool((table[np.isfinite(table)] % 1 == 0).all())


def _runs(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, first column and length of every unbroken run of true flags."""
    edges = np.diff(np.pad(flags.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, first = np.nonzero(edges == 1)
    return row, first, np.nonzero(edges == -1)[1] - first


def _median_of_neighbours(logs: np.ndarray) -> np.ndarray:
    """Return the median of two years before and two after (last axis), missing where fewer than two are there."""
    n_years = logs.shape[-1]
    padded = np.pad(logs, ((0, 0), (0, 0), (2, 2)), constant_values=np.nan)
    around = np.sort([padded[..., k : k + n_years] for k in (0, 1, 3, 4)], axis=0)  # missing ones last
    known = np.isfinite(around).sum(axis=0)
    halves = [np.take_along_axis(around, middle[None], axis=0)[0] for middle in ((known - 1) // 2, known // 2 % 4)]
    return np.where(known >= 2, np.mean(halves, axis=0), np.nan)
