"""Linear mediation: how much of an effect runs through a mediator, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.regression import Regression, regress, require

RHO = tuple(np.round(np.linspace(-0.9, 0.9, 37), 2).tolist())


@dataclass(frozen=True, eq=False)
class Mediation:
    """An estimated linear mediation model.

    Attributes
    ----------
    mediator : regression of the mediator on the treatment (gives ``a``).
    outcome : regression of the outcome on treatment and mediator (gives ``direct`` and ``b``).
    total : regression of the outcome on the treatment. All three use the same rows.
    effects : rows ``indirect`` (a b), ``direct``, ``total``, ``proportion`` (indirect / total); columns ``estimate``,
        ``bootstrap_low``, ``bootstrap_high`` and, for the indirect effect, ``monte_carlo_low``, ``monte_carlo_high``,
        ``sobel_low``, ``sobel_high``: 95% intervals.
    sobel : delta-method test of the indirect effect: ``se``, ``z``, ``p``.
    sensitivity : ``indirect``, ``low``, ``high`` (cluster bootstrap) by ``rho``, the correlation of the two equations'
        errors.
    rho_zero : the correlation at which the indirect effect vanishes.
    draws : bootstrap samples, and Monte-Carlo draws.
    """

    mediator: Regression
    outcome: Regression
    total: Regression
    effects: pd.DataFrame
    sobel: pd.Series
    sensitivity: pd.DataFrame
    rho_zero: float
    draws: int

    @property
    def n_obs(self) -> int:
        """Rows used by every equation."""
        return self.outcome.n_obs


def mediation(
    formula: str,
    data: pd.DataFrame,
    *,
    treatment: str,
    mediator: str,
    cluster: str,
    draws: int = 1000,
    seed: int = 0,
    rho: Sequence[float] = RHO,
    singletons: Literal["keep", "drop"] = "keep",
) -> Mediation:
    r"""Estimate the effect of a treatment through a mediator and beside it.

    .. math::
        M_{it} = a D_{it} + x_{it}'d_1 + \text{effects} + e_{it}, \qquad
        Y_{it} = c D_{it} + b M_{it} + x_{it}'d_2 + \text{effects} + v_{it}

    Indirect effect :math:`ab`, direct :math:`c`, total :math:`ab + c` (exactly the treatment's coefficient when the
    mediator is left out, on the same rows).

    *Assumptions.* :math:`ab` is a causal effect under sequential ignorability [1]_: given controls and effects, (1) the
    treatment is as good as random for outcome and mediator (for a DID: parallel trends of both), and (2) the
    *mediator* is as good as random given the treatment, so that nothing unobserved moves both :math:`M` and
    :math:`Y`, and no cause of both is itself moved by the treatment. Further, :math:`b` is the same for treated and
    untreated, linear, and with no interaction. Assumption (2) holds by design in no observational study; estimating
    the two equations does not test it. ``sensitivity`` shows what is left of :math:`ab` if it fails by a correlation
    :math:`\rho = \mathrm{corr}(e, v)`:

    .. math::
        ab(\rho) = a \frac{\sigma_1}{\sigma_2} \Big(\tilde\rho - \rho \sqrt{\frac{1 - \tilde\rho^2}{1 - \rho^2}}\Big)

    where :math:`\sigma_1, \sigma_2` are the standard deviations of the residuals of the total and of the mediator
    equation and :math:`\tilde\rho` their correlation, which is also the :math:`\rho` at which it vanishes.

    *Intervals.* ``bootstrap``: percentiles over samples of clusters drawn with replacement; controls and mediator are
    re-estimated in each sample, the fixed effects stay absorbed as in the full sample (exact for effects inside a
    cluster, such as firms in cities; for others their own small error is left out). ``monte_carlo``: percentiles of
    the product of two independent normals with the estimated means and clustered errors [2]_. ``sobel``: normal
    interval from the delta method, for comparison; it is too symmetric in small samples.

    Parameters
    ----------
    formula : the equation of the total effect, ``"y ~ treatment + controls | effects"``, without the mediator.
    data : one row per observation. Rows with a missing value in any variable of either equation are left out of both.
    treatment : regressor whose effect is divided.
    mediator : column.
    cluster : column of the clusters that are resampled and that the regressions' errors are clustered by.
    seed : the same seed gives the same intervals.
    rho : correlations at which the sensitivity is evaluated, each between -1 and 1.
    singletons : as in :func:`pilotzones.estimators.regression.regress`.

    Raises
    ------
    ParameterError
        No draws, or a correlation outside (-1, 1).
    DeclarationError
        The mediator is the outcome or already in the formula, the treatment is no regressor of it, not OLS.
    DataError
        The mediator is missing in all rows or collinear with controls and effects; so few treated clusters that some
        bootstrap samples have none.

    References
    ----------
    .. [1] Imai, K., Keele, L., Yamamoto, T. (2010). Identification, inference and sensitivity analysis for causal
       mediation effects. Statistical Science 25, 51-71.
    .. [2] MacKinnon, D. P., Lockwood, C. M., Williams, J. (2004). Confidence limits for the indirect effect.
       Multivariate Behavioral Research 39, 99-128.
    .. [3] Sobel, M. E. (1982). Asymptotic confidence intervals for indirect effects in structural equation models.
       Sociological Methodology 13, 290-312.
    """
    where = f"mediation by '{mediator}'"
    if draws < 1:
        raise ParameterError(f"{where}: draws = {draws}, expected at least 1")
    if bad := [r for r in rho if not -1 < r < 1]:
        raise ParameterError(f"{where}: rho = {bad[0]:g}, expected a correlation between -1 and 1")
    left, tilde, right = formula.partition("~")
    if not tilde:
        raise DeclarationError(f"{where}: formula '{formula}' has no '~'")
    require([treatment, mediator, cluster], data, where)
    if left.strip() == mediator:
        raise DeclarationError(f"{where}: the mediator is the outcome of the formula '{formula}'")
    vcov = f"cluster:{cluster}"
    outcome = regress(f"{left}~ {mediator} +{right}", data, vcov, singletons=singletons)
    design = outcome._fit.model._coefnames
    if outcome._fit.model._is_iv:
        raise DeclarationError(f"{where}: expected an OLS formula: '{formula}'")
    if mediator in outcome.dropped:
        raise DataError(f"{where}: the mediator is collinear with the controls and effects")
    if treatment not in design:
        raise DeclarationError(f"{where}: '{treatment}' has no coefficient in '{outcome.formula}'")
    # the rows of the outcome equation: its singletons are gone already
    rows = data.iloc[outcome._fit.rows]
    total = regress(formula, rows, vcov)
    if mediator in total._fit.model._coefnames:
        raise DeclarationError(f"{where}: the mediator must not be in the formula '{formula}'")
    first = regress(f"{mediator} ~{right}", rows, vcov)

    a, b = first.coefficients.loc[treatment], outcome.coefficients.loc[mediator]
    indirect = a["estimate"] * b["estimate"]
    se = float(np.hypot(a["estimate"] * b["se"], b["estimate"] * a["se"]))
    z = indirect / se
    sobel = pd.Series({"se": se, "z": z, "p": 2 * stats.norm.sf(abs(z))})

    at = np.asarray(rho, dtype=float)
    rng = np.random.default_rng(seed)
    moments = _moments(outcome, treatment, mediator, pd.factorize(rows[cluster], sort=True)[0])
    clusters = len(moments)
    counts = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws)
    dose = rows[treatment].groupby(rows[cluster], sort=True).agg(["min", "max"])
    low = np.where(counts > 0, dose["min"].to_numpy(), np.inf).min(axis=1)
    high = np.where(counts > 0, dose["max"].to_numpy(), -np.inf).max(axis=1)
    if lost := int((low == high).sum()):
        raise DataError(
            f"{where}: '{treatment}' is constant in {lost} of {draws} bootstrap samples of '{cluster}'; expected more "
            "treated clusters"
        )
    sampled = _leftover(np.tensordot(counts, moments, axes=1))
    point = _paths(_leftover(moments.sum(axis=0)), at)
    boot = _paths(sampled, at)
    simulated = rng.normal(a["estimate"], a["se"], draws) * rng.normal(b["estimate"], b["se"], draws)

    direct = outcome.coefficients.loc[treatment, "estimate"]
    whole = total.coefficients.loc[treatment, "estimate"]
    effects = pd.DataFrame(
        {"estimate": {"indirect": indirect, "direct": direct, "total": whole, "proportion": indirect / whole}}
    ).rename_axis("effect")
    for side, q in (("low", 0.025), ("high", 0.975)):
        effects[f"bootstrap_{side}"] = [float(np.quantile(boot[name], q)) for name in effects.index]
    for side, q in (("low", 0.025), ("high", 0.975)):
        effects.loc["indirect", f"monte_carlo_{side}"] = np.quantile(simulated, q)
    for side, q in (("low", 0.025), ("high", 0.975)):
        effects.loc["indirect", f"sobel_{side}"] = indirect + stats.norm.ppf(q) * se
    sensitivity = pd.DataFrame(
        {
            "indirect": point["by_rho"],
            "low": np.quantile(boot["by_rho"], 0.025, axis=0),
            "high": np.quantile(boot["by_rho"], 0.975, axis=0),
        },
        index=pd.Index(rho, name="rho"),
    )
    return Mediation(first, outcome, total, effects, sobel, sensitivity, float(point["rho_zero"]), draws)


def _moments(outcome: Regression, treatment: str, mediator: str, cluster: np.ndarray) -> np.ndarray:
    """Return each cluster's cross-products of (controls, treatment, mediator, outcome) after absorbing the effects.

    Shape (clusters, q, q); treatment, mediator and outcome are in the units of the data.
    """
    model, scale = outcome._fit.model, outcome._fit.scale
    own = [model._coefnames.index(treatment), model._coefnames.index(mediator)]
    unit = np.linalg.norm(outcome._fit.residuals) / np.linalg.norm(model._u_hat)  # of the outcome, in the model's units
    measured = model._X[:, own] * unit / scale.iloc[own].to_numpy()
    columns = np.column_stack([np.delete(model._X, own, axis=1), measured, model._Y.ravel() * unit])
    order = np.argsort(cluster, kind="stable")
    parts = np.split(columns[order], np.flatnonzero(np.diff(cluster[order])) + 1)
    return np.stack([part.T @ part for part in parts])


def _leftover(moments: np.ndarray) -> np.ndarray:
    """Return the cross-products of treatment, mediator and outcome given the controls, shape (..., 3, 3)."""
    controls, mixed, own = moments[..., :-3, :-3], moments[..., :-3, -3:], moments[..., -3:, -3:]
    if not controls.shape[-1]:
        return own
    return own - np.swapaxes(mixed, -1, -2) @ np.linalg.pinv(controls, rcond=1e-12, hermitian=True) @ mixed


def _paths(products: np.ndarray, rho: np.ndarray) -> dict[str, np.ndarray]:
    """Return the effects, shape (...), and the indirect effect by ``rho``, shape (..., len(rho)).

    ``products`` : cross-products of treatment, mediator and outcome, shape (..., 3, 3).
    """
    d_d, d_m, d_y = products[..., 0, 0], products[..., 0, 1], products[..., 0, 2]
    a, total = d_m / d_d, d_y / d_d
    m_m = products[..., 1, 1] - a * d_m  # residual cross-products given the treatment
    m_y = products[..., 1, 2] - a * d_y
    y_y = products[..., 2, 2] - total * d_y
    indirect = a * m_y / m_m
    rho_zero = m_y / np.sqrt(m_m * y_y)
    left = rho_zero[..., None] - rho * np.sqrt((1 - rho_zero[..., None] ** 2) / (1 - rho**2))
    return {
        "indirect": indirect,
        "direct": total - indirect,
        "total": total,
        "proportion": indirect / total,
        "rho_zero": rho_zero,
        "by_rho": (a * np.sqrt(y_y / m_m))[..., None] * left,
    }
