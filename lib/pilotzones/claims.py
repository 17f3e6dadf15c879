"""Claims that are neither the sign and level nor the order of printed coefficients, checked on the study's own pages.

Each check takes study and panel and returns whether the claim holds, and the numbers behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from pilotzones import replicate
from pilotzones.declare import Study

SIGNS, WORDS = {"+": 1, "-": -1}, {"+": "positive", "-": "negative"}
Check = Callable[[Study, pd.DataFrame], tuple[bool, str]]


def placebo_is_centred(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """The t values of fake zones scatter around zero, and few exceed the true one."""
    declared = study.placebos[0]
    draws = replicate.placebo(study, panel, declared.draws, study.seed, anywhere=declared.anywhere)
    actual = replicate.benchmark(study, panel).coefficients.at[study.treatment, "t"]
    mean, sd, p = draws.draws["t"].mean(), draws.draws["t"].std(), draws.p_value(actual)
    numbers = f"mean t {mean:.2f}, sd {sd:.2f} over {len(draws.draws)} draws; {p:.1%} as large as {actual:.2f}"
    return bool(abs(mean) < 0.2 and p < 0.05), f"{numbers}; mean near 0 and few as large claimed"


def no_pre_trend(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """No coefficient before the reform differs from zero at 5%."""
    p = _path(study, panel).loc[lambda path: path.index < 0, "p"].dropna()
    return bool((p > 0.05).all()), f"p values before the reform {_listed(p)}; all above 0.05 claimed"


def effect_from_the_start(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """The coefficient of the year of the reform is positive at 5%."""
    first = _path(study, panel).loc[0]
    numbers = f"{first['estimate']:.3f} (p = {first['p']:.3f}) in the year of the reform"
    return bool(first["p"] <= 0.05 and first["estimate"] > 0), f"{numbers}; positive at 0.05 claimed"


def effect_grows(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """The coefficients rise from every year after the reform to the next."""
    path = _path(study, panel).loc[lambda path: path.index >= 0, "estimate"]
    return bool((np.diff(path) > 0).all()), f"{_listed(path)} from the year of the reform on; rising claimed"


def positive_after(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """Every coefficient from the year of the reform on is positive at 5%."""
    path = _path(study, panel).loc[lambda path: path.index >= 0]
    numbers = "; ".join(f"{row.estimate:.3f} (p = {row.p:.3f})" for row in path.itertuples())
    holds = bool(((path["p"] <= 0.05) & (path["estimate"] > 0)).all())
    return holds, f"{numbers} from the year of the reform on; all positive at 0.05 claimed"


def coefficient(table: str, column: str, term: str, sign: Literal["+", "-", "0"], level: float) -> Check:
    """Return the check of a result that the paper reports in words only, in a column that the study declares itself.

    Parameters
    ----------
    sign : of the coefficient, significant at ``level`` (1: whether significant or not); ``"0"`` for not significant
        there.
    """

    def check(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
        found = replicate.column(study, study.table(table).column(column), panel).coefficients.loc[term]
        numbers = f"{found['estimate']:.3f} (p = {found['p']:.3f})"
        if sign == "0":
            return bool(found["p"] > level), f"{numbers}; p above {level:g} claimed"
        if level == 1:
            return bool(np.sign(found["estimate"]) == SIGNS[sign]), f"{numbers}; {WORDS[sign]} claimed"
        holds = found["p"] <= level and np.sign(found["estimate"]) == SIGNS[sign]
        return bool(holds), f"{numbers}; {WORDS[sign]} at {level:g} claimed"

    return check


def together(*checks: Check) -> Check:
    """Return the check of a claim that says several things at once: all of them have to hold."""

    def check(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
        found = [each(study, panel) for each in checks]
        return all(holds for holds, _ in found), ". ".join(numbers for _, numbers in found)

    return check


def descending(*cells: tuple[str, str, str]) -> Check:
    """Return the check that the coefficients of some cells (table, column, term) fall from each to the next."""

    def check(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
        values = [
            replicate.column(study, study.table(table).column(column), panel).coefficients.at[term, "estimate"]
            for table, column, term in cells
        ]
        numbers = " > ".join(f"{term} {value:.3f}" for (_, _, term), value in zip(cells, values, strict=True))
        return bool((np.diff(values) < 0).all()), f"{numbers} claimed"

    return check


def _path(study: Study, panel: pd.DataFrame) -> pd.DataFrame:
    return replicate.event_study(study, study.figures[0], panel).coefficients


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
