"""Wild cluster restricted bootstrap: a p value that few or unequal clusters do not spoil."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, sparse

from pilotzones.errors import DeclarationError, ParameterError
from pilotzones.estimators.placebo import absorb
from pilotzones.estimators.regression import Regression, require

WEIGHTS = {
    "rademacher": np.array([-1.0, 1.0]),
    "webb": np.sqrt([0.5, 1.0, 1.5])[[2, 1, 0, 0, 1, 2]] * np.array([-1, -1, -1, 1, 1, 1]),
}
MOST = 2000  # clusters: the method needs a matrix of clusters by clusters


@dataclass(frozen=True)
class WildBootstrap:
    """Bootstrap inference on one coefficient.

    Attributes
    ----------
    p : two-sided p value of "the coefficient is zero".
    low, high : the 95% interval, all values that are not rejected at 5%; infinite where none is.
    draws : bootstrap samples; all ``2^clusters`` sign patterns if these are fewer than asked for.
    n_clusters : number of clusters.
    """

    p: float
    low: float
    high: float
    draws: int
    n_clusters: int


def wild_bootstrap(
    fit: Regression, term: str, *, cluster: str, weights: str = "webb", draws: int = 9999, seed: int = 0
) -> WildBootstrap:
    r"""Test a coefficient of a least-squares regression by the wild cluster bootstrap with the null imposed.

    With :math:`\tilde u` the residuals under the null :math:`b = r`, a draw gives cluster :math:`g` the outcomes
    :math:`\hat y_g + w_g \tilde u_g` with random :math:`w_g` of mean 0 and variance 1, and re-estimates t; p is the
    share of draws (one added to both counts) with a \|t\| as large as the actual one [1]_. The interval inverts the
    test. All effects of the regression are re-estimated in every draw, also those not nested in clusters.

    Valid if errors are independent between clusters; unlike the t distribution it does not need many of them, or of
    equal size, though it needs more than a handful to be treated [2]_. The small-sample factor cancels.

    *Method.* All draws are linear in :math:`w`: the clusters' scores after re-estimation are :math:`H w` with one
    matrix :math:`H` of clusters by clusters, for which every cluster's part of the residuals is partialled out once.

    Parameters
    ----------
    fit : the regression, least squares, with or without absorbed effects.
    term : the coefficient.
    cluster : column of the data the regression was estimated on.
    weights : ``"rademacher"`` (-1, 1) or ``"webb"`` (six values, for fewer than about 12 clusters).
    draws, seed : how many, from which random numbers.

    Raises
    ------
    DeclarationError
        No such term or column, or a two-stage regression.
    ParameterError
        Unknown weights, no draws, one cluster or more than :data:`MOST`.

    References
    ----------
    .. [1] Cameron, A. C., Gelbach, J. B., Miller, D. L. (2008). Bootstrap-based improvements for inference with
       clustered errors. Review of Economics and Statistics 90, 414-427.
    .. [2] MacKinnon, J. G., Webb, M. D. (2017). Wild bootstrap inference for wildly different cluster sizes. Journal
       of Applied Econometrics 32, 233-254.
    """
    where = f"wild bootstrap of '{term}'"
    model = fit._fit.model
    if model._is_iv or term not in model._coefnames:
        raise DeclarationError(f"{where}: expected a regressor of a least-squares regression: '{fit.formula}'")
    require([cluster], fit._fit.data, where)
    if weights not in WEIGHTS or draws < 1:
        raise ParameterError(f"{where}: weights = '{weights}', draws = {draws}; expected {' or '.join(WEIGHTS)}, >= 1")
    groups, levels = pd.factorize(fit._fit.data[cluster].iloc[fit._fit.rows])
    if groups.min() < 0 or not 2 <= len(levels) <= MOST:
        raise ParameterError(f"{where}: '{cluster}' has {len(levels)} clusters; expected 2 to {MOST} and none missing")

    own = model._coefnames.index(term)
    controls = np.delete(model._X, own, axis=1)
    left = np.column_stack([model._X[:, own], np.ravel(model._Y)])
    left -= controls @ np.linalg.solve(controls.T @ controls, controls.T @ left)
    x, y = left.T
    n, g = len(x), len(levels)
    effects = [] if model._fe is None else [pd.factorize(model._fe[e])[0] for e in model._fe]

    def by_cluster(values: np.ndarray) -> sparse.csr_array:
        return sparse.csr_array((values, (np.arange(n), groups)), shape=(n, g))

    x_by = by_cluster(x)
    square = np.bincount(groups, x * x)

    def scores(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what each cluster's part of ``values`` adds to the coefficient, and the matrix ``H``."""
        part = by_cluster(values)
        columns, shares = absorb(part, effects, controls)
        numerator = np.bincount(groups, x * values)
        h = (x_by.T @ part).toarray() - (x_by.T @ columns) @ shares - np.outer(square, numerator) / square.sum()
        return numerator, h

    if weights == "rademacher" and 2**g <= draws:
        w = WEIGHTS[weights][(np.arange(2**g) >> np.arange(g)[:, None]) & 1]
        extra = 0
    else:
        w = np.random.default_rng(seed).choice(WEIGHTS[weights], (draws, g)).T
        extra = 1
    (up_y, h_y), (up_x, h_x) = scores(y), scores(x)
    drawn = [(up @ w, h @ w) for up, h in ((up_y, h_y), (up_x, h_x))]
    estimate = up_y.sum() / square.sum()

    def p_value(null: float) -> float:
        numerator, score = (a - null * b for a, b in zip(*drawn, strict=True))
        actual = abs(up_y.sum() - null * up_x.sum()) / np.linalg.norm(h_y.sum(axis=1) - null * h_x.sum(axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(numerator) / np.sqrt(np.einsum("gb,gb->b", score, score))
        return float(
            (extra + (t >= actual * (1 - 1e-10)).sum()) / (extra + w.shape[1])
        )  # ties must not hang on rounding

    width = np.linalg.norm(h_y.sum(axis=1)) / square.sum()  # about one standard error

    def bound(side: int) -> float:
        for reach in (5.0, 20.0, 100.0):
            far = estimate + side * reach * width
            if p_value(far) < 0.05:
                return float(optimize.bisect(lambda r: p_value(r) - 0.05, estimate, far, xtol=1e-4 * width))
        return side * np.inf

    unit = float(fit._fit.scale[term])
    return WildBootstrap(p_value(0.0), unit * bound(-1), unit * bound(1), w.shape[1], g)
