"""What a rule says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CONSISTENT, INCONSISTENT, CANNOT = "consistent", "inconsistent", "cannot be checked"


@dataclass(frozen=True)
class Finding:
    """One application of a rule to one place.

    Parameters
    ----------
    table, column, term : the place; an empty column or term stands for all.
    printed : the number as printed.
    implied : what other printed numbers imply for it, in words or as an interval.
    verdict : ``"consistent"``, ``"inconsistent"`` or ``"cannot be checked"``.
    explanation : the reason, in words.
    """

    table: str
    column: str
    term: str
    printed: str
    implied: str
    verdict: str
    explanation: str


def judged(fits: bool) -> str:
    """Return the verdict of a comparison."""
    return CONSISTENT if fits else INCONSISTENT


def listed(parts: Sequence[object]) -> str:
    """Join parts with commas."""
    return ", ".join(map(str, parts))
