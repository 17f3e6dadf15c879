"""Can the numbers that a paper prints stand side by side? Rules that need nothing but the printed numbers.

No data are used and nothing is estimated. A printed number stands for all values that round to it, so every rule works
with intervals (:mod:`~pilotzones.audit.intervals`) and speaks only where no value inside them fits. What is printed is
gathered in :mod:`~pilotzones.audit.tables`, the rules are in three modules by what they look at (one cell, rows and
samples, several regressions, words and weights), and :mod:`~pilotzones.audit.trials` measures how often they err.

A finding says that numbers do not agree, not why: a typing error, another sample, a label in the wrong row, rounding
before a product is taken and a misreading of the paper all look alike from outside.
"""

from pilotzones.audit.finding import CANNOT, CONSISTENT, INCONSISTENT
from pilotzones.audit.run import audit_all, of_study
from pilotzones.audit.summary import counts, false_alarms, power, power_by_rule, rules, totals

__all__ = [
    "CANNOT", "CONSISTENT", "INCONSISTENT", "audit_all", "counts", "false_alarms", "of_study", "power", "power_by_rule",
    "rules", "totals",
]  # fmt: skip
