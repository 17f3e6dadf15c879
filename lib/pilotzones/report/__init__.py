"""Tables, figures and notes as the pages show them."""

from pilotzones.report import figures
from pilotzones.report.explorer import explorer
from pilotzones.report.figures import show
from pilotzones.report.tables import descriptive_table, digits, ledger_table, regression_table, verdict_counts, view
from pilotzones.report.text import banner, banner_of_all, banner_of_primer, note, specification

__all__ = [
    "banner",
    "banner_of_all",
    "banner_of_primer",
    "descriptive_table",
    "digits",
    "explorer",
    "figures",
    "ledger_table",
    "note",
    "regression_table",
    "show",
    "specification",
    "verdict_counts",
    "view",
]
