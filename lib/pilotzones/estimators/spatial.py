"""Standard errors that allow for correlation between neighbouring places (Conley 1999)."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse, stats

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.regression import Regression, require
from pilotzones.geography import great_circle_km


def conley(
    fit: Regression,
    *,
    lat: str,
    lon: str,
    cutoff_km: float,
    kernel: Literal["uniform", "bartlett"] = "uniform",
    time: str | None = None,
    unit: str | None = None,
    lags: int = 0,
    terms: Iterable[str] | None = None,
) -> Regression:
    """Return the same estimates with Conley standard errors; p and intervals come from the normal distribution.

    Parameters and exceptions are those of :func:`conley_covariance`. The result's ``vcov`` says which errors these are.
    """
    covariance = conley_covariance(
        fit, lat=lat, lon=lon, cutoff_km=cutoff_km, kernel=kernel, time=time, unit=unit, lags=lags, terms=terms
    )
    estimate = fit._fit.inference("iid")[0]["estimate"].loc[covariance.index]
    se = pd.Series(np.sqrt(np.diag(covariance)), estimate.index)
    t = estimate / se
    reach = stats.norm.ppf(0.975) * se
    p = 2 * stats.norm.sf(t.abs())
    table = pd.DataFrame(
        {"estimate": estimate, "se": se, "t": t, "p": p, "low": estimate - reach, "high": estimate + reach}
    )
    name = f"conley:{cutoff_km:g} km, {kernel}" + (f", by {time}" if time else "") + (f", {lags} lags" if lags else "")
    plain = replace(fit, coefficients=table, vcov=name, n_clusters=None)
    return plain if fit._shown is None else plain.showing(fit._shown)


def conley_covariance(
    fit: Regression,
    *,
    lat: str,
    lon: str,
    cutoff_km: float,
    kernel: Literal["uniform", "bartlett"] = "uniform",
    time: str | None = None,
    unit: str | None = None,
    lags: int = 0,
    terms: Iterable[str] | None = None,
) -> pd.DataFrame:
    r"""Return the covariance matrix of the coefficients, robust to correlation in space and, if asked, in time.

    .. math:: V = \frac{n}{n - K} B \Big(\sum_i \sum_j k_{ij} x_i u_i u_j x_j'\Big) B, \qquad B = (X'X)^{-1}

    with :math:`X` after absorbing the effects, residuals :math:`u`, ``n`` rows and ``K`` parameters, all effects
    counted. The kernel of two rows :math:`d_{ij}` km apart (great circle) is 1 up to the cut-off (``"uniform"``) or
    falls linearly to 0 there (``"bartlett"``). Consistent if errors further apart are uncorrelated and many areas of
    that size are observed.

    - Without ``time`` all pairs of rows within the cut-off count, whatever their years: fixest's ``vcov_conley``
      (which has the uniform kernel only). Its ``"spherical"`` distance uses a radius of 6376 km in place of 6371.0088,
      so its cut-off of 200 km is 199.843 km here.
    - With ``time`` only pairs of the same period count in space. ``lags`` then adds pairs of the same ``unit`` up to
      that many periods apart, weighted ``1 - l / (lags + 1)`` (Newey and West 1987, as in [2]_).

    Parameters
    ----------
    fit : an OLS regression.
    lat, lon : columns of the data with degrees, one place per row.
    cutoff_km : distance in km beyond which errors are uncorrelated.
    time : column of whole-numbered periods.
    unit : column of units; needed for ``lags`` only.
    terms : the coefficients wanted, by their names in the formula; None: all.

    Returns
    -------
    The terms wanted, by the same terms.

    Raises
    ------
    ParameterError
        A cut-off that is not positive, negative lags, lags without time and unit, an unknown kernel.
    DataError
        Coordinates missing or impossible in a row used, a missing period or unit, or a wanted variance that is not
        positive: the kernels do not rule that out, and a cut-off beyond all distances makes it zero.
    DeclarationError
        A column or a term does not exist, or the regression is not OLS.

    References
    ----------
    .. [1] Conley, T. G. (1999). GMM estimation with cross sectional dependence. Journal of Econometrics 92, 1-45.
    .. [2] Hsiang, S. M. (2010). Temperatures and cyclones strongly associated with economic production in the
       Caribbean and Central America. PNAS 107, 15367-15372.
    """
    if not (np.isfinite(cutoff_km) and cutoff_km > 0):
        raise ParameterError(f"cutoff_km = {cutoff_km}: expected a positive distance")
    if kernel not in ("uniform", "bartlett"):
        raise ParameterError(f"kernel = '{kernel}': expected 'uniform' or 'bartlett'")
    if lags < 0 or (lags and (time is None or unit is None)):
        raise ParameterError(f"lags = {lags}: expected 0 or more, and the columns 'time' and 'unit' for more than 0")
    model = copy.copy(fit._fit.model)
    if model._is_iv:
        raise DeclarationError(f"Conley errors of '{fit.formula}': expected an OLS regression")
    columns = [c for c in (lat, lon, time, unit) if c is not None]
    require(columns, fit._fit.data, "Conley errors")
    rows = fit._fit.data[list(dict.fromkeys(columns))].iloc[fit._fit.rows]
    for column, count in rows.isna().sum().items():
        if count:
            raise DataError(f"Conley errors: '{column}' is missing in {count} of the {len(rows)} rows used")
    for column, bound in ((lat, 90), (lon, 180)):
        if (bad := rows[column].abs() > bound).any():
            raise DataError(
                f"Conley errors: '{column}' = {rows[column][bad].iloc[0]:g}, expected degrees up to {bound}"
            )

    wanted = list(model._coefnames if terms is None else terms)
    if strange := [t for t in wanted if t not in model._coefnames]:
        raise DeclarationError(f"Conley errors: no coefficient '{strange[0]}' in '{fit.formula}'")

    scores = model._X * model._u_hat.reshape(-1, 1)
    place = rows.groupby([lat, lon], sort=True).ngroup().to_numpy()
    points = rows[[lat, lon]].drop_duplicates().sort_values([lat, lon]).to_numpy(float)
    km = great_circle_km(points[:, :1], points[:, 1:], points[:, 0], points[:, 1])
    near = (km <= cutoff_km) * (1.0 if kernel == "uniform" else 1 - km / cutoff_km)

    # sums of scores by period and place: all that the double sum needs
    periods = rows[time].to_numpy() if time else np.zeros(len(rows), dtype=int)
    if (periods % 1 != 0).any():
        raise DataError(f"Conley errors: '{time}' has values that are not whole periods")
    period = (periods - periods.min()).astype(int)
    by_place = _sums(scores, period, place)
    meat = np.einsum("tpk,tpl->kl", by_place, near @ by_place)
    if lags:
        by_unit = _sums(scores, period, pd.factorize(rows[unit])[0])
        for lag in range(1, min(lags, len(by_unit) - 1) + 1):
            cross = np.einsum("tuk,tul->kl", by_unit[lag:], by_unit[:-lag])
            meat += (1 - lag / (lags + 1)) * (cross + cross.T)

    model.vcov("hetero")  # for its small-sample factor n / (n - K), and as a yardstick
    bread = np.linalg.inv(model._X.T @ model._X)
    scale = fit._fit.scale.to_numpy()
    matrix = float(model._ssc[0]) * bread @ meat @ bread * np.outer(scale, scale)
    covariance = pd.DataFrame(matrix, model._coefnames, model._coefnames).loc[wanted, wanted]
    yardstick = pd.Series(np.diag(model._vcov) * scale**2, model._coefnames)[wanted]
    # with every pair inside the cut-off the sum is that of the normal equations: zero up to rounding
    if (void := np.diag(covariance) <= 1e-9 * yardstick).any():
        raise DataError(
            f"Conley errors, {kernel} kernel, {cutoff_km:g} km: the variance of '{void.index[void][0]}' "
            f"is not positive; expected a cut-off well below the largest distance, {km.max():.0f} km, or another kernel"
        )
    return covariance


def _sums(scores: np.ndarray, period: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the sums of ``scores``, shape (n, k), by period and group, shape (periods, groups, k)."""
    periods, groups = period.max() + 1, group.max() + 1
    cell = sparse.csr_array((np.ones(len(group)), (period * groups + group, np.arange(len(group)))))
    sums = np.zeros((periods * groups, scores.shape[1]))
    sums[: cell.shape[0]] = cell @ scores
    return sums.reshape(periods, groups, -1)
