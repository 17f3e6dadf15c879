r"""Six worlds with a known truth, each laid over the real roll-out of a study: which estimator finds the effect?

Every world has the same untreated outcomes and the same mean effect over treated rows, ``size``; they differ in how the
effect is spread, and in whether the assumptions hold. With :math:`k` the years since the zone:

=============  =====================================================================================================
homogeneous    every treated row gains ``size``
cohorts        early cohorts gain more than late ones: the first seven times as much as the last, in equal steps
dynamic        the effect grows with :math:`k + 1`, alike in all cohorts
anticipated    homogeneous; besides, a half of it two and one years before the zone: *no anticipation* fails
trending       homogeneous; besides, treated places gain a tenth of ``size`` a year all along: *parallel trends* fails
spilling       homogeneous; besides, places without a zone gain a third of it while a zone is in force within 150 km
=============  =====================================================================================================

In the first three, all assumptions but equal effects hold. In the last three no estimator of the book is consistent for
the effect, and the question is how far each is off.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import optimize

from pilotzones import geography
from pilotzones.declare import Study
from pilotzones.errors import DataError, ParameterError
from pilotzones.panel import TRUTH

Scenario = Literal["homogeneous", "cohorts", "dynamic", "anticipated", "trending", "spilling"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
REACH_KM = 150


def effects(panel: pd.DataFrame, scenario: Scenario, size: float) -> pd.DataFrame:
    """Return what a scenario adds to the untreated outcome of each row.

    Parameters
    ----------
    panel : one row per unit and year with ``cohort`` (missing: never), ``event_time``, ``year`` and ``city``.
    size : mean effect over treated rows, outcome units.

    Returns
    -------
    ``effect``, the effect of a unit's own zone, zero before it and without one; and ``violation``, what else is added.

    Raises
    ------
    ParameterError
        If there is no such scenario.
    DataError
        If no row is treated, or, for ``spilling``, rows do not say in which city they are.
    """
    if scenario not in SCENARIOS:
        raise ParameterError(f"scenario = {scenario!r}: expected one of {', '.join(SCENARIOS)}")
    years = panel["event_time"].astype(float)
    treated = years >= 0
    if not treated.any():
        raise DataError(f"scenario '{scenario}', column 'event_time': no row is treated; expected years since the zone")
    shape = treated.astype(float)
    if scenario == "cohorts":
        starts = np.sort(panel.loc[treated, "cohort"].unique())
        steps = dict(zip(starts, np.linspace(1.75, 0.25, len(starts)), strict=True))
        shape = panel["cohort"].map(steps).where(treated, 0.0)
    elif scenario == "dynamic":
        shape = (years + 1).where(treated, 0.0)
    effect = size * shape / shape[treated].mean()

    violation = pd.Series(0.0, panel.index)
    if scenario == "anticipated":
        violation = size / 2 * years.between(-2, -1)
    elif scenario == "trending":
        violation = size / 10 * (panel["year"] - panel["year"].min()) * panel["cohort"].notna()
    elif scenario == "spilling":
        violation = size / 3 * (near_a_zone(panel) & ~treated)
    return pd.DataFrame({"effect": effect, "violation": violation.astype(float)})


def near_a_zone(panel: pd.DataFrame) -> pd.Series:
    """Tell for each row whether a zone of another city was in force within ``REACH_KM``."""
    bands = geography.zones_in_bands(panel, tuple(range(50, REACH_KM + 1, 50)))
    return bands.any(axis=1)


def laid_over(study: Study, panel: pd.DataFrame, scenario: Scenario, strength: float = 1.0) -> pd.DataFrame:
    """Return a synthetic panel in which the outcome is what it would have been in another world.

    The untreated outcome stays, controls and all; the effect is replaced, its mean over treated rows kept.

    Parameters
    ----------
    strength : how far the world is from ``homogeneous``: 0 is that world, 1 the scenario, 2 twice as far away.

    Raises
    ------
    ParameterError
        If there is no such scenario, or the panel's true effect is not known.
    """
    if TRUTH not in panel:
        raise ParameterError(f"scenario = {scenario!r}: needs a panel whose true effect is known; expected 'paper'")
    size = float(panel.loc[panel["event_time"] >= 0, TRUTH].mean())
    added = effects(panel, scenario, size)
    alike = effects(panel, "homogeneous", size)
    added = alike + strength * (added - alike)
    outcome = panel[study.outcome] - panel[TRUTH] + added["effect"] + added["violation"]
    return panel.assign(**{study.outcome: outcome, TRUTH: added["effect"]})


def resized(study: Study, panel: pd.DataFrame, size: float) -> pd.DataFrame:
    """Return a synthetic panel in which the effect is a multiple of its own: 1 as it is, 0 for none.

    The main outcome loses ``1 - size`` times the true effect of the row; all other variables stay. Where the outcome is
    an imperfect measure of what the effect is on, a size of 0 is not quite a world without one.

    Raises
    ------
    ParameterError
        If the panel's true effect is not known.
    """
    if size == 1:
        return panel
    if TRUTH not in panel:
        raise ParameterError(f"size = {size:g}: needs a panel whose true effect is known; expected 1")
    outcome = panel[study.outcome] - (1 - size) * panel[TRUTH]
    return panel.assign(**{study.outcome: outcome, TRUTH: size * panel[TRUTH]})


def noise(panel: pd.DataFrame, outcome: str, unit: str) -> tuple[float, pd.Series]:
    r"""Return autocorrelation and standard deviations of untreated outcomes, net of unit and year effects.

    Removing unit means makes neighbouring years look less alike than they are. With :math:`\Sigma(\rho)` the covariance
    of a stationary first-order autoregression over the panel's :math:`T` years and :math:`M` the matrix that removes
    means, :math:`\rho` is such that :math:`M \Sigma(\rho) M` has the autocorrelation that is observed.

    Parameters
    ----------
    panel : with ``true_effect``, ``year`` and the two columns named.

    Returns
    -------
    The autocorrelation, one for all; and standard deviations by unit, outcome units: cities with a zone vary more than
    the others, and an error that ignores it is too small. Units without a row in every year get the root mean square.

    Raises
    ------
    DataError
        Fewer than two units have a row in every year, or no autoregression is like them.
    """
    table = panel.assign(y=panel[outcome] - panel[TRUTH]).pivot(index=unit, columns="year", values="y")
    whole = table.dropna()
    if len(whole) < 2:
        raise DataError(f"noise of '{outcome}': {len(whole)} {unit} with a row in every year; expected at least two")
    left = whole.sub(whole.mean(axis=1), axis=0)
    left = left - left.mean()
    years = np.arange(left.shape[1])

    def after_demeaning(rho: float) -> np.ndarray:
        sigma = rho ** np.abs(years[:, None] - years)
        sigma = sigma - sigma.mean(axis=0)
        return np.asarray(sigma - sigma.mean(axis=1, keepdims=True))

    def autocorrelation(matrix: np.ndarray) -> float:
        return float(np.trace(matrix, 1) / np.trace(matrix))

    observed = autocorrelation(left.to_numpy().T @ left.to_numpy())
    try:
        rho = float(optimize.brentq(lambda r: autocorrelation(after_demeaning(r)) - observed, -0.99, 0.99))
    except ValueError:
        raise DataError(f"noise of '{outcome}': no first-order autoregression has its autocorrelation") from None
    variance = (left**2).sum(axis=1) / np.trace(after_demeaning(rho))
    return rho, np.sqrt(variance.reindex(table.index).fillna(variance.mean())).rename("sd")


def untreated(panel: pd.DataFrame, unit: str, rho: float, sd: pd.Series, seed: int) -> pd.Series:
    """Draw untreated outcomes: a first-order autoregression per unit, without effects of units and years.

    Every estimator of the book removes these effects, so that its estimates do not depend on them.

    Parameters
    ----------
    panel : with ``year`` and the column ``unit``; all rows of a unit are drawn from one path, gaps or not.
    rho, sd : as :func:`noise` returns them.
    """
    code, units = pd.factorize(panel[unit], sort=True)
    year = (panel["year"] - panel["year"].min()).to_numpy()
    shocks = np.random.default_rng(seed).normal(size=(len(units), year.max() + 1))
    for t in range(1, shocks.shape[1]):
        shocks[:, t] = rho * shocks[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
    return pd.Series(sd.loc[units].to_numpy()[code] * shocks[code, year], panel.index)
