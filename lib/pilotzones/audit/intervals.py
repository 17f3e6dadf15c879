"""Arithmetic with numbers that are known up to rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """All values from ``low`` to ``high``. Results of the operations hold every value the operands allow, and may hold
    more where an operand occurs twice."""

    low: float
    high: float

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Interval) -> Interval:
        corners = [_product(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(corners), max(corners))

    def __truediv__(self, other: Interval) -> Interval:
        if other.low <= 0 <= other.high:
            return Interval(-math.inf, math.inf) if self.low < 0 or other.low < 0 else _above(self.low, other.high)
        return self * Interval(1 / other.high, 1 / other.low)

    def __abs__(self) -> Interval:
        ends = sorted((abs(self.low), abs(self.high)))
        return Interval(0.0 if self.low <= 0 <= self.high else ends[0], ends[1])

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:,.10g}"
        low, high = (f"{end:,.0f}" if abs(end) >= 1000 else f"{end:.4g}" for end in (self.low, self.high))
        if self.high == math.inf:
            return f"at least {low}"
        return f"at most {high}" if self.low == -math.inf else f"{low} to {high}"

    def squared(self) -> Interval:
        """Return the squares of the values."""
        ends = abs(self)
        return Interval(ends.low**2, ends.high**2)

    def root(self) -> Interval:
        """Return the square roots of the values that have one."""
        return Interval(math.sqrt(max(self.low, 0.0)), math.sqrt(max(self.high, 0.0)))

    def meets(self, other: Interval) -> bool:
        """Tell whether there is a value in both."""
        slack = 1e-9 * max(abs(end) for end in (self.low, self.high, 1.0) if math.isfinite(end))
        return self.low <= other.high + slack and other.low <= self.high + slack

    def beyond(self, other: Interval) -> float:
        """Return how far the nearest value lies from ``other``; 0 if they meet."""
        return 0.0 if self.meets(other) else max(self.low - other.high, other.low - self.high)


def _product(a: float, b: float) -> float:
    return 0.0 if 0.0 in (a, b) else a * b  # not nan for zero times infinity


def _above(low: float, divisor: float) -> Interval:
    return Interval(low / divisor if divisor else math.inf, math.inf)


def exactly(value: float) -> Interval:
    """Return the interval of one value."""
    return Interval(float(value), float(value))


def decimals(text: str) -> int:
    """Return the number of printed decimals."""
    return len(text.partition(".")[2])


def rounded(text: str) -> Interval:
    """Return the values that print as ``text``: half a unit of the last printed digit to either side.

    Ties belong to both neighbours, as programs differ in how they round them.
    """
    value, half = float(text), 0.5 * 10.0 ** -decimals(text)
    return Interval(value - half, value + half)


def total(parts: Iterable[Interval]) -> Interval:
    """Return the sum of independent intervals."""
    found = exactly(0)
    for part in parts:
        found = found + part
    return found
