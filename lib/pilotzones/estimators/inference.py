"""Joint inference on several coefficients of one regression."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.dyadic import dyadic_covariance
from pilotzones.estimators.regression import Regression


def covariance(fit: Regression) -> tuple[pd.DataFrame, float]:
    """Return the covariance under ``fit.vcov``, terms of the formula by terms, and the degrees of freedom of t.

    Raises
    ------
    DeclarationError
        The errors are not among those of :func:`pilotzones.estimators.regression.regress`.
    """
    if fit.vcov.startswith("dyadic:"):
        i, _, j = fit.vcov.removeprefix("dyadic:").partition("+")
        return dyadic_covariance(fit, i=i, j=j)
    if fit.vcov not in ("iid", "hetero") and not fit.vcov.startswith("cluster:"):
        raise DeclarationError(f"joint test under '{fit.vcov}': pass the covariance matrix of these errors")
    inner = fit._fit
    model, _ = inner.under(fit.vcov)
    scale = inner.scale.to_numpy()
    matrix = pd.DataFrame(model._vcov * np.outer(scale, scale), model._coefnames, model._coefnames)
    return matrix, float(model._df_t)


def wald(fit: Regression, terms: Iterable[Hashable], matrix: pd.DataFrame | None = None) -> pd.Series:
    r"""Test that several coefficients are all zero.

    .. math:: F = b' V^{-1} b / q \sim F(q, \nu)

    with :math:`q` coefficients :math:`b`, their covariance :math:`V` and the degrees of freedom :math:`\nu` of the t
    statistics in ``fit.coefficients``: rows minus parameters, or clusters minus one. The same as fixest's ``wald``
    up to its choice of :math:`\nu`.

    Parameters
    ----------
    terms : rows of ``fit.coefficients``; base categories, zero by definition, do not count.
    matrix : covariance to use in place of that of ``fit.vcov``, as
        :func:`pilotzones.estimators.spatial.conley_covariance` returns it; :math:`\nu` is infinite then.

    Returns
    -------
    ``statistic`` (F), ``df1`` (q), ``df2`` (nu), ``p``.

    Raises
    ------
    DeclarationError
        A term has no coefficient, or there is none.
    DataError
        The covariance matrix of the terms is singular, e.g. more terms than clusters.
    """
    labels = list(dict.fromkeys(terms))
    missing = [label for label in labels if label not in fit.coefficients.index]
    if missing:
        known = ", ".join(map(str, fit.coefficients.index))
        raise DeclarationError(f"joint test: no coefficient {missing[0]!r}; the regression has {known}")
    shown = fit._shown or {label: str(label) for label in labels}
    names = {label: name for label in labels if (name := shown[label]) is not None}
    if not names:
        raise DeclarationError("joint test: no term to test")
    df = np.inf
    if matrix is None:
        matrix, df = covariance(fit)
    estimate = fit.coefficients.loc[list(names), "estimate"].to_numpy()
    statistic = quadratic(estimate, matrix.loc[list(names.values()), list(names.values())].to_numpy())
    return f_test(statistic, len(names), df)


def f_test(chi2: float, restrictions: int, df: float) -> pd.Series:
    """Return the F statistic of a Wald statistic with its degrees of freedom and p value."""
    statistic = chi2 / restrictions
    p = stats.chi2.sf(chi2, restrictions) if np.isinf(df) else stats.f.sf(statistic, restrictions, df)
    return pd.Series({"statistic": statistic, "df1": restrictions, "df2": df, "p": float(p)})


def quadratic(estimate: np.ndarray, covariance: np.ndarray) -> float:
    """Return ``b' V^-1 b``; the rank of ``V`` is judged on correlations, so units do not matter.

    Raises
    ------
    DataError
        If ``V`` is singular or has a negative variance.
    """
    variance = np.diag(covariance)
    if (variance > 0).all():
        sd = np.sqrt(variance)
        values, vectors = np.linalg.eigh(covariance / np.outer(sd, sd))
        if values[0] > 1e-10:
            return float(np.sum((vectors.T @ (estimate / sd)) ** 2 / values))
    raise DataError(
        f"joint test of {len(estimate)} coefficients: their covariance matrix is singular; expected more clusters than "
        "coefficients, and standard errors that are positive"
    )
