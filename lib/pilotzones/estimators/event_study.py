"""Event study: one coefficient per year before and after the reform."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import pandas as pd

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.regression import Regression, regress, require


def event_study(
    formula: str,
    data: pd.DataFrame,
    *,
    time: str = "event_time",
    leads: int,
    lags: int,
    base: Iterable[int],
    beyond: Literal["base", "bin"] = "base",
    vcov: str = "iid",
    unit: str | None = None,
    singletons: Literal["keep", "drop"] = "keep",
) -> Regression:
    """Estimate the effect of the reform by years since it came.

    ``y_it = sum_k b_k 1{t - c_i = k} + x_it d + a_i + a_t + u_it`` over the event years ``k`` from ``leads`` to
    ``lags`` except ``base``; ``c_i`` is the year in which the reform reached unit ``i``.

    ``b_k`` is the average effect ``k`` years on (for ``k < 0``: zero) if

    - *no anticipation*: before the reform, outcomes are those of a world without it;
    - *parallel trends*: without the reform, treated and untreated outcomes would have moved alike, given ``x``;
    - *homogeneous effects*: every cohort has the same effect ``k`` years on. Otherwise ``b_k`` mixes the effects of
      other years, and leads can be non-zero without any pre-trend [1]_.

    The first two also carry the choice of ``base``, since each ``b_k`` is relative to the mean of the base rows.

    Parameters
    ----------
    formula : as in :func:`pilotzones.estimators.regression.regress`, with ``{event}`` where the dummies stand.
    data : one row per unit and period.
    time : column of years since the reform, missing for units that never had it.
    leads, lags : first and last event year with a dummy, e.g. -4 and 5.
    base : event years without a dummy; at least one.
    beyond : rows outside ``leads ... lags``: ``"base"`` joins them to the base, as if the reform had no effect there;
        ``"bin"`` adds them to the first and the last dummy. Rows without event time are in the base either way.
    vcov, unit, singletons : as in :func:`pilotzones.estimators.regression.regress`.

    Returns
    -------
    Regression
        ``coefficients`` is indexed by event year, an integer, from ``leads`` to ``lags``. Base years have a row with
        estimate, se and interval 0 (t and p are nan), so that a figure shows them. An event year without any row in
        the sample, or collinear with the others and the effects (without never-treated units and with a single base
        year, one is), has none; it is listed in ``dropped``. Regressors other than the dummies are not shown.

    Raises
    ------
    DeclarationError
        No ``{event}`` in the formula, an empty window, base years missing or outside the window, a window that is all
        base, an unknown ``beyond`` or column; else as in :func:`pilotzones.estimators.regression.regress`.
    DataError
        Event times that are not whole numbers; else as in :func:`pilotzones.estimators.regression.regress`.

    References
    ----------
    .. [1] Sun, L., Abraham, S. (2021). Estimating dynamic treatment effects in event studies with heterogeneous
       treatment effects. Journal of Econometrics 225, 175-199.
    """
    where = f"event study '{formula}'"
    base = set(base)
    window = range(leads, lags + 1)
    years = [k for k in window if k not in base]
    if "{event}" not in formula:
        raise DeclarationError(f"{where}: the formula has no {{event}}")
    if not base or not base.issubset(window) or not years:
        raise DeclarationError(
            f"{where}: base = {sorted(base)}: expected at least one event year, but not all, of {leads} ... {lags}"
        )
    if beyond not in ("base", "bin"):
        raise DeclarationError(f"{where}: beyond = '{beyond}': expected 'base' or 'bin'")
    require([time], data, where)
    try:
        event = data[time].astype(float)
    except (TypeError, ValueError):
        raise DataError(f"{where}: column '{time}' is not numeric") from None
    if not (event.dropna() % 1 == 0).all():
        raise DataError(f"{where}: column '{time}' has values that are not whole years")
    if beyond == "bin":
        event = event.clip(leads, lags)

    names = {k: f"event_{'m' if k < 0 else 'p'}{abs(k)}" for k in years}
    panel = data.assign(**{name: (event == k).astype(float) for k, name in names.items()})
    expanded = formula.replace("{event}", " + ".join(names.values()))
    fit = regress(expanded, panel, vcov, unit=unit, singletons=singletons)
    years_of = {name: f"{time} = {k}" for k, name in names.items()}
    return replace(
        fit.showing({k: names.get(k) for k in window}),
        formula=formula,
        dropped=tuple(years_of.get(term, term) for term in fit.dropped),
    )
