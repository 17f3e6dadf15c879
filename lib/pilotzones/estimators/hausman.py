"""Fixed against random unit effects: Hausman's test, and Mundlak's form of it with clustered errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from linearmodels.panel import RandomEffects
from scipy import stats

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.inference import covariance, wald
from pilotzones.estimators.regression import CONSTANT, regress, require


def hausman(formula: str, data: pd.DataFrame, *, unit: str, time: str, cluster: str | None = None) -> pd.DataFrame:
    r"""Test whether the unit effects are uncorrelated with the regressors, so that random effects are consistent.

    In :math:`y_{it} = x_{it}'b + \lambda_t + \mu_i + e_{it}` both estimators are consistent if
    :math:`E[\mu_i | x_i] = 0`; otherwise only the within estimator is, given strict exogeneity of :math:`e`.

    *Hausman* [1]_:

    .. math::
        H = (\hat b_{FE} - \hat b_{RE})' (V_{FE} - V_{RE})^{-1} (\hat b_{FE} - \hat b_{RE}) \sim \chi^2(q)

    Valid only if random effects are efficient: :math:`e` independent with one variance, the same for :math:`\mu`. The
    random effects are those of Swamy and Arora, for unbalanced panels as in R's plm. In a sample the difference of the
    variances need not be positive definite, and :math:`H` can be negative; there is no p value then.

    *Mundlak* [2]_: least squares of :math:`y` on :math:`x` and the unit means :math:`\bar x_i`. The slopes of
    :math:`x` are the within estimates, and the coefficients of the means are zero if the unit effects are unrelated to
    them: an F test with errors clustered by ``cluster``, valid with correlated and unequal errors. The unit means of
    the periods, which differ between units if the panel is unbalanced, are in the regression [3]_ and not in the test.

    Parameters
    ----------
    formula : ``"y ~ x1 + x2 | unit"`` or ``"y ~ x1 + x2 | unit + time"``, of plain columns; with ``time`` both
        estimators have effects of the periods, which are not compared.
    data : one row per unit and period, shape (n, columns); not modified. Incomplete rows are left out.
    unit, time : columns that identify a row.
    cluster : of Mundlak's regression; None for ``unit``.

    Returns
    -------
    Rows ``Hausman`` and ``Mundlak``; columns ``statistic`` (chi2, F), ``df`` (regressors compared), ``df2`` (of F:
    clusters - 1), ``p`` and ``note``, which names regressors that are not compared because they do not vary both within
    and between units (given the periods), and says why p is missing.

    Raises
    ------
    DeclarationError
        Effects other than those of unit and time, a column that does not exist, or a regressor that is not a column.
    DataError
        A unit with two rows in one period, no regressor that varies within and between units, or what
        :func:`pilotzones.estimators.regression.regress` and :func:`pilotzones.estimators.inference.wald` find.

    References
    ----------
    .. [1] Hausman, J. A. (1978). Specification tests in econometrics. Econometrica 46, 1251-1271.
    .. [2] Mundlak, Y. (1978). On the pooling of time series and cross section data. Econometrica 46, 69-85.
    .. [3] Wooldridge, J. M. (2019). Correlated random effects models with unbalanced panels. Journal of Econometrics
       211, 137-150.
    """
    where = f"Hausman test of '{formula}'"
    equation, _, effects = formula.partition("|")
    left, tilde, right = (part.strip() for part in equation.partition("~"))
    absorbed = {effect.strip() for effect in effects.split("+")}
    if not tilde or absorbed not in ({unit}, {unit, time}):
        raise DeclarationError(f"{where}: expected 'y ~ x1 + x2 | {unit}' or 'y ~ x1 + x2 | {unit} + {time}'")
    names = list(dict.fromkeys(name.strip() for name in right.split("+")))
    cluster = unit if cluster is None else cluster
    columns = list(dict.fromkeys([left, *names, unit, time, cluster]))
    require(columns, data, where)
    used = data[columns].dropna().reset_index(drop=True)
    if (twice := used.duplicated([unit, time])).any():
        first = used.loc[twice, [unit, time]].iloc[0]
        raise DataError(f"{where}: '{unit}' {first[unit]} has two rows in '{time}' {first[time]}")

    periods = np.unique(used[time])[1:] if time in absorbed else np.array([])
    dummies = {f"_period_{i}": (used[time] == period).astype(float) for i, period in enumerate(periods)}
    used = used.assign(**dummies)
    fixed = regress(f"{left} ~ {right} | {' + '.join(sorted(absorbed))}", used)
    means = used.groupby(unit)[[*fixed.coefficients.index, *dummies]].transform("mean").add_prefix("_mean_")
    extended = regress(f"{left} ~ {' + '.join([*dummies, *names, *means])}", used.join(means), f"cluster:{cluster}")
    compared = [name for name in fixed.coefficients.index if f"_mean_{name}" in extended.coefficients.index]
    others = [name for name in names if name not in compared]
    note = f"not compared: {', '.join(others)}" if others else ""
    if not compared:
        raise DataError(f"{where}: no regressor varies both within and between units")
    mundlak = wald(extended, [f"_mean_{name}" for name in compared])

    # the periods first: of collinear columns the last is dropped
    pooled = regress(f"{left} ~ {' + '.join([*dummies, *names])}", used)
    kept = [name for name in [*dummies, *names] if name not in pooled.dropped]
    panel = used.assign(**{CONSTANT: 1.0}).set_index([used[unit], pd.factorize(used[time], sort=True)[0]])
    exogenous = panel[[CONSTANT, *kept]].astype(float)
    random = RandomEffects(panel[left].astype(float), exogenous).fit(small_sample=True)
    own = covariance(fixed)[0].loc[compared, compared].to_numpy()
    scale = np.sqrt(np.diag(own))
    contrast = (fixed.coefficients["estimate"] - random.params)[compared].to_numpy() / scale
    spread = (own - random.cov.loc[compared, compared].to_numpy()) / np.outer(scale, scale)
    statistic = float(contrast @ np.linalg.pinv(spread, hermitian=True) @ contrast)
    definite = np.linalg.eigvalsh(spread)[0] > 1e-12
    p = float(stats.chi2.sf(statistic, len(compared))) if definite else np.nan
    why = "" if definite else "no p: the difference of the variances is not positive definite"

    return pd.DataFrame(
        {
            "statistic": {"Hausman": statistic, "Mundlak": mundlak["statistic"]},
            "df": {"Hausman": len(compared), "Mundlak": int(mundlak["df1"])},
            "df2": {"Hausman": np.nan, "Mundlak": mundlak["df2"]},
            "p": {"Hausman": p, "Mundlak": mundlak["p"]},
            "note": {"Hausman": "; ".join(filter(None, [note, why])), "Mundlak": note},
        }
    ).rename_axis("test")
