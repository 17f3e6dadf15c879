"""Standard errors for pairs of cities: two rows may be correlated whenever their pairs share a city."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse, stats

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.regression import CONSTANT, Regression, require


def dyadic(fit: Regression, *, i: str = "city_i", j: str = "city_j", terms: Iterable[str] | None = None) -> Regression:
    """Return the same estimates with dyadic-robust standard errors; p and intervals from t with ``G - 1`` degrees.

    Parameters and exceptions are those of :func:`dyadic_covariance`. In the result ``vcov`` says which errors these
    are and ``n_clusters`` is the number of cities ``G``. A coefficient whose variance is not positive has ``se = nan``.
    """
    covariance, df = dyadic_covariance(fit, i=i, j=j, terms=terms)
    estimate = fit._fit.inference("iid")[0]["estimate"].loc[covariance.index]
    se = pd.Series(np.sqrt(np.diag(covariance)), estimate.index)
    t = estimate / se
    reach = stats.t.ppf(0.975, df) * se
    p = 2 * stats.t.sf(t.abs(), df)
    table = pd.DataFrame(
        {"estimate": estimate, "se": se, "t": t, "p": p, "low": estimate - reach, "high": estimate + reach}
    ).rename_axis("term")
    plain = replace(fit, coefficients=table, vcov=f"dyadic:{i}+{j}", n_clusters=int(df) + 1)
    return plain if fit._shown is None else plain.showing(fit._shown)


def dyadic_covariance(
    fit: Regression, *, i: str = "city_i", j: str = "city_j", terms: Iterable[str] | None = None
) -> tuple[pd.DataFrame, float]:
    r"""Return the dyadic-robust covariance matrix of the coefficients and the degrees of freedom of t.

    Rows of the pair {Hangzhou, Ningbo} and of the pair {Hangzhou, Xi'an} share whatever happens to Hangzhou. The errors
    :math:`u` of two rows may be correlated if their pairs share a city, in the same year or in different ones:

    .. math:: V = \frac{G}{G - 1} \frac{n - 1}{n - K} B \Big(\sum_{r, s:\ \text{a city in common}} x_r u_r u_s x_s'
              \Big) B, \qquad B = (X'X)^{-1}

    with :math:`X` after absorbing the effects (2SLS: its projection on the instruments), ``n`` rows, ``G`` cities and
    ``K`` parameters; effects nested in pairs count as one, as under clustering by pair. The double sum is short once
    the scores :math:`x_r u_r` are summed: by city, :math:`s_c`, and by pair, :math:`s_p`,

    .. math:: \sum_c s_c s_c' - \sum_p s_p s_p'

    because two rows of one pair meet in both of its cities and would count twice. Consistent if

    - rows without a common city are uncorrelated. Year effects take out what moves all pairs alike, not a shock to
      neighbours or to a province;
    - there are many cities and none dominates. Few treated cities are few, however many pairs they form;
    - the coefficients themselves are identified, see :func:`pilotzones.estimators.regression.regress`.

    Two-way clustering, ``cluster:city_i+city_j``, leaves out rows that meet across columns, such as (A, B) and (B, C),
    and therefore changes when i and j of a row change places. This does not.

    The factor and the t distribution with :math:`G - 1` degrees of freedom are those of clusters with cities in their
    place, a convention; R's dyadRobust and Graham's netrics have no factor. They do not make up for few cities: where
    cities have shocks, 5% tests of a true null reject in 17% of samples with 15 cities, 12% with 30, 8.5% with 50 and
    5.3% with 100, while clustering by pair rejects in 31%, 47%, 56% and 67% (design of ``tests/test_dyadic.py``).

    Nothing forces V to be positive semi-definite. A variance that is negative, or zero up to rounding (as when all
    pairs have a city in common: the normal equations make the sum zero), is nan, with its row and column, and so is the
    standard error; the rest stays as it is, and a joint test of such a term refuses. To set negative eigenvalues to
    zero instead, as [4]_ suggests for two-way clusters and netrics does, would change the other standard errors too, by
    amounts that depend on the units of the regressors.

    Parameters
    ----------
    fit : a regression, OLS or 2SLS.
    i, j : columns of the data with the two cities of the row's pair, in either order, under the same codes.
    terms : the coefficients wanted, by their names in the formula, ``_cons`` included; None: all.

    Returns
    -------
    The terms wanted, by the same terms, and :math:`G - 1`.

    Raises
    ------
    DataError
        A city is missing in a row used, a row has the same city twice, one column has numbers and the other text, or
        there is one pair only.
    DeclarationError
        A column or a term does not exist.

    References
    ----------
    .. [1] Fafchamps, M. and Gubert, F. (2007). The formation of risk sharing networks. Journal of Development Economics
       83, 326-350.
    .. [2] Aronow, P. M., Samii, C. and Assenova, V. A. (2015). Cluster-robust variance estimation for dyadic data.
       Political Analysis 23, 564-577.
    .. [3] Tabord-Meehan, M. (2019). Inference with dyadic data: asymptotic behavior of the dyadic-robust t-statistic.
       Journal of Business & Economic Statistics 37, 671-680.
    .. [4] Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2011). Robust inference with multiway clustering. Journal
       of Business & Economic Statistics 29, 238-249.
    """
    inner, model = fit._fit, copy.copy(fit._fit.model)  # vcov() overwrites attributes of the model
    names, scale = list(model._coefnames), inner.scale.to_numpy()
    pair, ends, n_cities = _pairs(fit, i, j)

    # what each row's residual adds to each coefficient
    regressors = model._Z @ model._tZZinv @ model._tZX if model._is_iv else model._X
    influence = (regressors * model._u_hat.reshape(-1, 1)) @ np.linalg.inv(regressors.T @ regressors)
    if inner.means is not None:
        of_constant = model._u_hat.ravel() / len(influence) - influence @ inner.means[names].to_numpy(float)
        influence = np.column_stack([influence, of_constant])
        names, scale = [*names, CONSTANT], np.append(scale, inner.outcome_unit)
    wanted = list(names if terms is None else terms)
    if strange := [t for t in wanted if t not in names]:
        raise DeclarationError(f"dyadic errors: no coefficient '{strange[0]}' in '{fit.formula}'")

    by_pair = _sums(influence, pair, len(ends))
    by_city = _sums(by_pair, ends[:, 0], n_cities) + _sums(by_pair, ends[:, 1], n_cities)
    meat, yardstick = by_city.T @ by_city, by_pair.T @ by_pair
    model.vcov({"CRV1": "cluster_0"}, data=pd.DataFrame({"cluster_0": pair}))  # for its count of the parameters
    rows = len(influence)
    factor = n_cities / (n_cities - 1) * (rows - 1) / (rows - model._df_k)
    matrix = factor * (meat - yardstick) * np.outer(scale, scale)
    void = np.diag(meat) <= (1 + 1e-9) * np.diag(yardstick)
    matrix[void, :] = matrix[:, void] = np.nan
    return pd.DataFrame(matrix, names, names).loc[wanted, wanted], float(n_cities - 1)


def _pairs(fit: Regression, i: str, j: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the pair of each row used, shape (n,), the two cities of each pair, shape (pairs, 2), and G, all coded."""
    require([i, j], fit._fit.data, "dyadic errors")
    first, second = (fit._fit.data[column].iloc[fit._fit.rows] for column in (i, j))
    for column in (first, second):
        if missing := int(column.isna().sum()):
            raise DataError(f"dyadic errors: '{column.name}' is missing in {missing} of the {len(column)} rows used")
    if pd.api.types.is_numeric_dtype(first) != pd.api.types.is_numeric_dtype(second):
        raise DataError(f"dyadic errors: '{i}' is {first.dtype}, '{j}' is {second.dtype}; expected the same city codes")
    codes, cities = pd.factorize(np.concatenate([first, second]))
    low, high = np.sort(codes.reshape(2, -1), axis=0)
    if (same := low == high).any():
        raise DataError(
            f"dyadic errors: '{i}' and '{j}' are both {cities[low[same][0]]} in {int(same.sum())} of the {len(low)} "
            "rows used; expected two cities"
        )
    numbers, pair = np.unique(low * len(cities) + high, return_inverse=True)
    if len(numbers) < 2:
        raise DataError("dyadic errors: all rows are of one pair; expected many pairs and cities")
    return pair, np.column_stack(np.divmod(numbers, len(cities))), len(cities)


def _sums(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return the sums of ``values``, shape (n, k), by group, codes 0, 1, ..., shape (groups, k)."""
    rows = np.arange(len(group))
    return sparse.csr_array((np.ones(len(group)), (group, rows)), shape=(groups, len(group))) @ values
