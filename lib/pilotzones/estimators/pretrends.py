"""How much a test of pre-trends could have seen (Roth 2022)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import optimize, stats

from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators.staggered import Estimate


def power(estimate: Estimate, slope: float) -> float:
    r"""Return the probability that some lead is significant at 5% when parallel trends fail by a straight line.

    With leads :math:`\hat b \sim N(\delta, V)`, :math:`\delta_k = slope \cdot (k + 1)` (zero in the base year -1) and
    their estimated covariance :math:`V`, it is one minus the probability that all :math:`|\hat b_k| \le 1.96 se_k`
    [1]_. At ``slope = 0`` it is the size of this test, more than 5% with several leads.

    Parameters
    ----------
    estimate : with leads and their covariance.
    slope : difference between the groups' untreated trends, outcome units per year.

    Raises
    ------
    DataError
        The estimator has no leads, or no covariance of them, or it is singular.

    References
    ----------
    .. [1] Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel trends. American
       Economic Review: Insights 4, 305-322.
    """
    leads, matrix = _leads(estimate)
    se = np.sqrt(np.diag(matrix))
    # the same draws for every slope, so that power rises with it; their error is at most 0.002
    noise = np.random.default_rng(0).multivariate_normal(np.zeros(len(se)), matrix / np.outer(se, se), size=100_000)
    t = noise + slope * (leads + 1) / se
    return float((np.abs(t).max(axis=1) > stats.norm.ppf(0.975)).mean())


def detectable(estimate: Estimate, powers: Iterable[float] = (0.5, 0.8)) -> pd.DataFrame:
    """Return the straight line that the leads would have revealed with given probabilities, and the harm it does.

    Parameters
    ----------
    estimate : as in :func:`power`.
    powers : probabilities of a significant lead, above the size of the test and below 1.

    Returns
    -------
    One row per power: ``slope`` (outcome units per year, positive; the other sign is the same), ``bias``, which this
    slope adds to ``att``: the mean of ``slope * (event time + 1)`` over the treated rows; ``bias_share`` of ``att``.

    Raises
    ------
    ParameterError
        A power that no slope has.
    DataError
        As :func:`power`.
    """
    leads, matrix = _leads(estimate)
    after = estimate.by_event_time.loc[0:]
    years = float(np.average(after.index + 1, weights=after["n"]))
    rows = {}
    for wanted in powers:
        if not power(estimate, 0.0) < wanted < 1:
            raise ParameterError(
                f"power = {wanted}: expected more than {power(estimate, 0.0):.3f}, the size, and less than 1"
            )
        # one lead alone would show a line this steep almost surely
        steep = float((8 * np.sqrt(np.diag(matrix)) / -(leads + 1)).min())
        slope = optimize.brentq(lambda s, w=wanted: power(estimate, s) - w, 0.0, steep, xtol=1e-5 * steep)
        rows[wanted] = {"slope": slope, "bias": slope * years, "bias_share": slope * years / estimate.att["estimate"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("power")


def _leads(estimate: Estimate) -> tuple[np.ndarray, np.ndarray]:
    """Return the event times before -1 and the covariance of their estimates."""
    leads = [] if estimate.vcov is None else [k for k in estimate.vcov.index if k < -1]
    if estimate.vcov is None or not leads:
        raise DataError(f"pre-trends: {estimate.estimator} has no leads with a covariance")
    matrix = estimate.vcov.loc[leads, leads].to_numpy()
    if np.linalg.cond(matrix) > 1e12:
        raise DataError(
            f"pre-trends: the covariance of {len(leads)} leads is singular; expected more clusters than leads"
        )
    return np.asarray(leads), matrix
