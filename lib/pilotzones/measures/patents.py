r"""Innovation from patent applications: how many, how broad, and on which scale.

A patent carries symbols of the International Patent Classification (IPC), such as ``G06F 17/30``: section ``G``, class
``G06``, subclass ``G06F``, main group ``G06F 17``, subgroup ``17/30``. Two patents in one main group solve related
problems; a patent in many main groups is harder to imitate. With :math:`G_p` the set of main groups of patent
:math:`p`, :math:`\alpha_{pg}` the share of its symbols in group :math:`g`, and :math:`P_{it}` the applications of firm
:math:`i` in year :math:`t`:

.. math::

    \text{count}_{it} = |P_{it}|, \qquad \text{breadth}_{it} = \sum_{p \in P_{it}} |G_p|, \qquad
    \text{width}_{it} = \frac{1}{|P_{it}|} \sum_{p \in P_{it}} \Big(1 - \sum_{g \in G_p} \alpha_{pg}^2\Big).

Records are a frame with one row per firm and application: ``firm``, ``year``, ``application`` (its number) and ``ipc``
(symbols, separated by ``;``). A symbol that stands twice on a patent counts once, and order does not matter.

References
----------
.. [1] Zhang, J. and Zheng, W. (2018). Does the catch-up strategy in innovation lower the quality of China's patents?
   Economic Research Journal 53(5) (in Chinese).
.. [2] World Intellectual Property Organization. Guide to the International Patent Classification.
.. [3] Chen, J. and Roth, J. (2024). Logs with zeros? Some problems and solutions. Quarterly Journal of Economics
   139(2), 891-936.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import pandas as pd

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures.checks import place, require

KEYS = ["firm", "year", "application"]
# exports often add the edition and the level of the symbol: G06F 17/30 (2006.01) I
_SYMBOL = re.compile(r"([A-H]\d\d[A-Z])\s*0*([1-9]\d{0,3})/(\d{2,6})\s*(?:\(\d{4}\.\d{2}\))?\s*[A-Z]?")

Transformation = Literal["log1p", "asinh", "log of positives"]
TRANSFORMATIONS: tuple[Transformation, ...] = ("log1p", "asinh", "log of positives")


def main_group(code: str) -> str:
    """Return the main group of an IPC symbol.

    Parameters
    ----------
    code : such as ``"G06F 17/30"``; blanks, leading zeros of the group and a trailing ``(2006.01) I`` are ignored.

    Returns
    -------
    Subclass and group number without a blank, such as ``"G06F17"``.

    Raises
    ------
    DataError
        If it is no IPC symbol down to the subgroup.
    """
    found = _SYMBOL.fullmatch(code.strip())
    if found is None:
        raise DataError(f"'{code}' is no IPC symbol; expected section to subgroup, such as 'G06F 17/30'")
    return f"{found[1]}{found[2]}"


def symbols(records: pd.DataFrame) -> pd.DataFrame:
    """Split patents into their symbols.

    Parameters
    ----------
    records : patents, see the module.

    Returns
    -------
    One row per patent and distinct symbol: ``firm``, ``year``, ``application``, ``symbol`` (subclass, group and
    subgroup without blanks, edition and level), ``main_group``.

    Raises
    ------
    DataError
        If a column is missing, an application of a firm stands twice, or a patent has no symbol or one that cannot be
        read; the message names firm and application.
    """
    require(records, "patents", KEYS, [])
    require(records[["firm", "application"]], "patents", ["firm", "application"], [])
    if "ipc" not in records:
        raise DataError(f"patents: column 'ipc' is missing; expected {', '.join([*KEYS, 'ipc'])}")
    text = records["ipc"].fillna("").astype(str)
    empty = text.str.strip(" ;") == ""
    if empty.any():
        raise DataError(f"patents, {place(records[empty].iloc[0], KEYS)}: no IPC symbol")
    long = records[KEYS].assign(symbol=text.str.strip("; ").str.split(";")).explode("symbol", ignore_index=True)
    written = long["symbol"].unique()
    groups = {}
    for code in written:
        try:
            groups[code] = main_group(code)
        except DataError as problem:
            row = long[long["symbol"] == code].iloc[0]
            raise DataError(f"patents, {place(row, KEYS)}: {problem}") from None
    long["main_group"] = long["symbol"].map(groups)
    clean = {code: f"{groups[code]}/{_SYMBOL.fullmatch(code.strip())[3]}" for code in written}  # type: ignore[index]
    long["symbol"] = long["symbol"].map(clean)
    return long.drop_duplicates([*KEYS, "symbol"], ignore_index=True)


def groups_per_patent(records: pd.DataFrame) -> pd.Series:
    """Return the number of distinct main groups of each patent, by firm, year and application.

    Raises
    ------
    DataError
        As :func:`symbols`.
    """
    return symbols(records).groupby(KEYS)["main_group"].nunique().rename("groups")


def count(records: pd.DataFrame) -> pd.Series:
    """Return the number of applications by firm and year; firms and years without any are absent.

    Raises
    ------
    DataError
        If a column is missing or an application of a firm stands twice.
    """
    require(records, "patents", KEYS, [])
    return records.groupby(["firm", "year"]).size().rename("count")


def breadth(records: pd.DataFrame) -> pd.Series:
    """Return the knowledge breadth by firm and year: main groups per patent, summed over the year's patents.

    Two patents in the same main group count twice, so breadth is at least the number of patents.

    Returns
    -------
    Whole numbers (groups); firms and years without patents are absent.

    Raises
    ------
    DataError
        As :func:`symbols`.
    """
    return groups_per_patent(records).groupby(["firm", "year"]).sum().rename("breadth")


def width(records: pd.DataFrame) -> pd.Series:
    r"""Return the mean knowledge width of a firm's patents by firm and year.

    A patent's width is :math:`1 - \sum_g \alpha_g^2`, one minus the Herfindahl index of its symbols over main groups:
    0 when all lie in one group, towards 1 when they are spread over many. Unlike breadth it does not grow with the
    number of patents.

    Returns
    -------
    Values in [0, 1); firms and years without patents are absent.

    Raises
    ------
    DataError
        As :func:`symbols`.
    """
    by_group = symbols(records).groupby([*KEYS, "main_group"]).size()
    share = by_group / by_group.groupby(KEYS).transform("sum")
    return (1 - (share**2).groupby(KEYS).sum()).groupby(["firm", "year"]).mean().rename("width")


def transform(counts: pd.Series, kind: Transformation, unit: float = 1.0) -> pd.Series:
    r"""Put counts :math:`n` on a scale whose differences read roughly as percentages.

    .. math:: \ln(1 + a n), \qquad \operatorname{arcsinh}(a n), \qquad \ln(a n) \text{ where } n > 0

    Only the last is free of the unit of measurement: for the first two, an effect on whether :math:`n` is zero is
    weighed by :math:`\ln a`, so a coefficient can be given any size by the choice of unit (Chen and Roth 2024).

    Parameters
    ----------
    counts : at least 0.
    kind : one of :data:`TRANSFORMATIONS`.
    unit : :math:`a`, e.g. 100 when one patent is written as 100 hundredths.

    Returns
    -------
    Aligned with ``counts``; missing where ``kind`` leaves a zero undefined.

    Raises
    ------
    ParameterError
        If the transformation is unknown or the unit is not positive.
    DataError
        If a count is negative; the message names its row.
    """
    if kind not in TRANSFORMATIONS:
        raise ParameterError(f"transformation {kind!r}: expected one of {', '.join(TRANSFORMATIONS)}")
    if not unit > 0:
        raise ParameterError(f"unit = {unit!r}: expected a positive number")
    if (counts < 0).any():
        row = (counts < 0).idxmax()
        raise DataError(f"counts, row {row}: {counts[row]}, expected at least 0")
    scaled = counts * float(unit)
    if kind == "log1p":
        return np.log1p(scaled)
    if kind == "asinh":
        return np.arcsinh(scaled)
    return np.log(scaled.where(scaled > 0))
