"""Bounds on the effect when parallel trends fail by no more than so much (Rambachan and Roth 2023)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators.staggered import Estimate

GRID = 300  # values of the effect that are tested, over about 40 standard errors and the size of the violation


@dataclass(frozen=True, eq=False)
class Honest:
    """Robust intervals.

    Attributes
    ----------
    original : ``low``, ``high`` with parallel trends taken for granted.
    bounds : ``low``, ``high`` of the 95% interval, one row per size of the violation.
    breakdown : size from which on the interval contains zero, interpolated between those asked for; 0 if ``original``
        does; infinite if none of them does.
    """

    original: pd.Series
    bounds: pd.DataFrame
    breakdown: float


def honest(
    estimate: Estimate,
    restriction: Literal["relative_magnitudes", "smoothness"],
    sizes: Iterable[float],
    *,
    leads: int = 5,
) -> Honest:
    r"""Bound ``att``, the mean effect over treated unit-years, under violations of parallel trends.

    The estimated effects are :math:`\tau_e + \delta_e`, with :math:`\delta_e` the difference in untreated trends since
    the base year -1, seen alone in the leads. What it may be after the reform:

    - ``relative_magnitudes``: :math:`|\delta_{e+1} - \delta_e| \le M \max_{k<-1} |\delta_{k+1} - \delta_k|`: from one
      year to the next it moves at most :math:`M` times as much as it ever did before;
    - ``smoothness``: :math:`|(\delta_{e+1} - \delta_e) - (\delta_e - \delta_{e-1})| \le M` in all years: its slope
      changes by at most :math:`M` outcome units per year; 0 is a straight line.

    Parameters
    ----------
    estimate : with leads, relative to the year -1, and a covariance matrix; ``callaway_santanna``, ``sun_abraham``,
        ``lp_did``, ``dechaisemartin_dhaultfoeuille``, ``stacked`` or ``twfe``.
    sizes : values of :math:`M`, at least one, 0 or more.
    leads : how many years before -1 count; each costs about two seconds for each size of
        ``relative_magnitudes``.

    Returns
    -------
    Honest
        Conditional least-favourable intervals for relative magnitudes, fixed-length ones for smoothness.

    Raises
    ------
    DataError
        The estimate has no leads or no covariance, or event times with a hole.
    ParameterError
        An unknown restriction, no size or a negative one.

    References
    ----------
    .. [1] Rambachan, A., Roth, J. (2023). A more credible approach to parallel trends. Review of Economic Studies 90,
       2555-2591.
    """
    import moderndid  # takes seconds, and needs cvxpy

    values = sorted(set(sizes))
    if restriction not in ("relative_magnitudes", "smoothness"):
        raise ParameterError(f"restriction = '{restriction}': expected 'relative_magnitudes' or 'smoothness'")
    if not values or values[0] < 0:
        raise ParameterError(f"sizes = {values}: expected numbers of 0 or more")
    if estimate.vcov is None:
        raise DataError(f"honest bounds: {estimate.estimator} has no covariance of its event-time effects")
    used = [int(k) for k in estimate.vcov.index if k >= -1 - leads]
    before, after = [k for k in used if k < 0], [k for k in used if k >= 0]
    if not before or used != [k for k in range(before[0], after[-1] + 1) if k != -1]:
        raise DataError(f"honest bounds: event times {used}; expected leads, and none missing but the base year -1")
    shown = estimate.by_event_time.loc[used]
    weights = shown.loc[after, "n"].to_numpy(float)
    passed: dict[str, Any] = {
        "betahat": shown["estimate"].to_numpy(),
        "sigma": estimate.vcov.loc[used, used].to_numpy(),
        "num_pre_periods": len(before),
        "num_post_periods": len(after),
        "l_vec": (weights / weights.sum())[:, None],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if restriction == "smoothness":
            found = moderndid.create_sensitivity_results_sm(**passed, m_vec=values, method="FLCI")
            bounds = pd.DataFrame({"low": found["lb"].to_numpy(), "high": found["ub"].to_numpy()}, index=values)
        else:
            rows = {size: _relative_magnitudes(size, **passed) for size in values}
            bounds = pd.DataFrame.from_dict(rows, orient="index", columns=["low", "high"])
        plain = moderndid.construct_original_cs(**passed)
    original = pd.Series({"low": float(np.ravel(plain.lb)[0]), "high": float(np.ravel(plain.ub)[0])})
    return Honest(original, bounds.rename_axis("size"), _breakdown(original, bounds))


def _relative_magnitudes(
    size: float,
    betahat: np.ndarray,
    sigma: np.ndarray,
    num_pre_periods: int,
    num_post_periods: int,
    l_vec: np.ndarray,
) -> tuple[float, float]:
    """Return the union of the intervals under "the step ``s`` before the reform is the largest, and up (or down)".

    moderndid's tests on polyhedra of our own: those of its version 0.2.0 leave out the earliest step.
    """
    import moderndid

    pre, post = num_pre_periods, num_post_periods
    steps = np.eye(pre + post, pre + post + 1, 1) - np.eye(pre + post, pre + post + 1)  # over all years, base included
    allowed = np.where(np.arange(pre + post) < pre, 1.0, size)[:, None]
    weights = l_vec.ravel()
    se = float(np.sqrt(weights @ sigma[pre:, pre:] @ weights))
    largest = np.abs(np.diff([*betahat[:pre], 0.0])).max()
    reach = size * largest * float(weights @ np.arange(1, post + 1)) + 20 * se
    centre = float(weights @ betahat[pre:])
    search: dict[str, Any] = {"grid_lb": centre - reach, "grid_ub": centre + reach, "grid_points": GRID}
    ends = []
    for step in range(pre):
        for sign in (1.0, -1.0):
            bound = allowed * sign * steps[step]
            matrix = np.vstack([steps - bound, -steps - bound])
            matrix = np.delete(matrix[np.abs(matrix).max(axis=1) > 1e-10], pre, axis=1)
            passed = (betahat, sigma, l_vec, matrix, np.zeros(len(matrix)), pre, post)
            if post > 1:
                several = moderndid.compute_arp_nuisance_ci(
                    *passed,
                    hybrid_flag="LF",
                    hybrid_list={"hybrid_kappa": 0.005},
                    rows_for_arp=np.flatnonzero(np.abs(matrix[:, pre:]).max(axis=1) > 0),
                    **search,
                )
                ends.append((several.ci_lb, several.ci_ub))  # nan: the polyhedron is rejected altogether
            else:
                one = moderndid.compute_arp_ci(
                    *passed[:2],
                    *passed[3:],
                    hybrid_flag="LF",
                    hybrid_kappa=0.005,
                    lf_cv=moderndid.compute_least_favorable_cv(None, matrix @ sigma @ matrix.T, 0.005, seed=0),
                    **search,
                )
                ends.append((one.ci_lower, one.ci_upper))
    low, high = np.array(ends).T
    return float(np.nanmin(low)), float(np.nanmax(high))


def _breakdown(original: pd.Series, bounds: pd.DataFrame) -> float:
    """Return where the bound next to zero crosses it, linear between sizes."""
    if original["low"] <= 0 <= original["high"]:
        return 0.0
    near = bounds["low"] if original["low"] > 0 else -bounds["high"]
    size = 0.0, float(abs(original["low"] if original["low"] > 0 else original["high"]))
    for at, value in near.items():
        if value <= 0:
            return size[0] + (float(str(at)) - size[0]) * size[1] / (size[1] - value)
        size = float(str(at)), float(value)
    return float("inf")
