"""One kind of error for everything a user can put right."""

from __future__ import annotations


class PilotZonesError(ValueError):
    """A problem in the input; its message names the place and what was expected there.

    In a notebook only the message is shown: a traceback through the library would bury it.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class ParameterError(PilotZonesError):
    """A page parameter is unknown, of the wrong type, or impossible."""


class DataError(PilotZonesError):
    """A data file or panel is missing, unreadable, or not what its schema says."""


class DeclarationError(PilotZonesError):
    """A study declares something that its panel or its formulas cannot deliver."""
