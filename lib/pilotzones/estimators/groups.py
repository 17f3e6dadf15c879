"""Is a coefficient the same in several subsamples?"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from pyfixest.estimation.internals.demean_ import dispatch_demean
from scipy import stats

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators import inference
from pilotzones.estimators.regression import Regression, regress, require


def compare_groups(
    formula: str,
    data: pd.DataFrame,
    *,
    term: str,
    group: str,
    vcov: str,
    unit: str | None = None,
    draws: int = 0,
    seed: int = 0,
    singletons: Literal["keep", "drop"] = "keep",
) -> pd.DataFrame:
    r"""Test whether a coefficient estimated in each group separately is the same in all.

    The hypothesis is :math:`b_1 = \dots = b_G`. That one group's coefficient is significant and another's is not says
    nothing about it. Three tests:

    ``independent`` : z test of two separate regressions, :math:`z = (b_1 - b_2) / \sqrt{s_1^2 + s_2^2}`, with the
        errors ``vcov``; jointly Cochran's :math:`Q = \sum_g (b_g - \bar b)^2 / s_g^2 \sim \chi^2_{G-1}`. Right when the
        groups' estimates are independent: no cluster has rows in two groups.
    ``interacted`` : one regression with every regressor and every effect interacted with the group, which gives the
        same coefficients, and a Wald test of equality with the covariance ``vcov``. Clusters may span groups.
    ``permutation`` : group labels are shuffled among units, everything is estimated again in each shuffled group;
        :math:`p = (1 + \#\{|d_b| \ge |d|\}) / (1 + \text{draws})` for a difference :math:`d` [1]_, and the same with
        the variance of the coefficients across groups jointly. Exact if units are exchangeable between groups, which
        is more than equal coefficients; assumes no standard error. Use the level at which the groups were formed
        (cities, if cities were split; spells of a firm in a group, if firms change group). Shuffles in which a group
        has no coefficient are drawn again.

    Parameters
    ----------
    formula : OLS, as in :func:`pilotzones.estimators.regression.regress`.
    data : one row per observation; rows without a group are left out.
    term : the coefficient compared.
    group : column of labels, text or numbers.
    vcov : as in :func:`pilotzones.estimators.regression.regress`.
    unit : column of the units whose labels are shuffled; each has one label in all its rows.
    draws : shuffles, about 20 ms each on 28,000 rows; 0 leaves the permutation test out.
    seed : the same seed gives the same shuffles, whatever the order of the rows.
    singletons : as in :func:`pilotzones.estimators.regression.regress`; for ``interacted`` within groups.

    Returns
    -------
    One row per test and comparison: ``test``, ``comparison`` (``"a - b"``, or ``"all equal"`` for more than two
    groups), ``difference`` and ``se`` (nan for joint tests, ``se`` nan for permutations), ``statistic`` (z or t, for
    joint tests chi2 or F; nan for permutations), ``p``.

    Raises
    ------
    ParameterError
        Negative draws, or draws without ``unit``.
    DataError
        Fewer than two groups, a group in which the term has no coefficient (e.g. without treated units), a difference
        without a positive variance, a unit with several labels, so few treated units that most shuffles leave a group
        without any.
    DeclarationError
        A column that does not exist, a term that is no regressor, not OLS.

    References
    ----------
    .. [1] Phipson, B., Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in
       Genetics and Molecular Biology 9(1), 39.
    """
    where = f"comparison of '{term}' by '{group}'"
    if draws < 0 or (draws and unit is None):
        raise ParameterError(f"{where}: draws = {draws}, expected 0 or more, and 'unit' for more than 0")
    require([group, *([unit] if unit else [])], data, where)
    data = data[data[group].notna()]
    labels = sorted(data[group].unique())
    if len(labels) < 2:
        raise DataError(f"{where}: expected at least two groups, found {len(labels)}")
    pooled = regress(formula, data, vcov, singletons=singletons)
    if pooled._fit.model._is_iv or term not in pooled.coefficients.index:
        raise DeclarationError(f"{where}: '{term}' has no coefficient in the OLS formula '{formula}'")
    rows = [
        _own(formula, data[data[group] == label], term, vcov, singletons, f"{where}: {label!r}") for label in labels
    ]
    estimates, errors = np.array(rows).T
    pairs = list(combinations(range(len(labels)), 2))
    names = [f"{labels[i]} - {labels[j]}" for i, j in pairs]
    differences = np.array([estimates[i] - estimates[j] for i, j in pairs])

    tests = {
        "independent": (np.diag(errors**2), np.inf),
        "interacted": _interacted(formula, data, term, group, vcov, singletons, labels),
    }
    table = []
    for test, (covariance, df) in tests.items():
        for name, (i, j), difference in zip(names, pairs, differences, strict=True):
            variance = float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
            if not variance > 0:
                raise DataError(f"{where}: the variance of {name} under '{vcov}' is not positive; choose other errors")
            se = variance**0.5
            p = 2 * float(stats.t.sf(abs(difference / se), df))
            table.append((test, name, difference, se, difference / se, p))
        if len(labels) > 2:
            contrast = np.eye(len(labels))[:-1] - np.eye(len(labels))[-1]
            chi2 = inference.quadratic(contrast @ estimates, contrast @ covariance @ contrast.T)
            row = inference.f_test(chi2, len(contrast), df)
            statistic = chi2 if np.isinf(df) else row["statistic"]
            table.append((test, "all equal", np.nan, np.nan, statistic, row["p"]))
    if unit is not None and draws:
        shuffled = _permute(pooled, data, term, group, unit, draws, seed, where)
        for name, (i, j), difference in zip(names, pairs, differences, strict=True):
            p = _add_one(np.abs(shuffled[:, i] - shuffled[:, j]), abs(difference))
            table.append(("permutation", name, difference, np.nan, np.nan, p))
        if len(labels) > 2:
            table.append(
                ("permutation", "all equal", np.nan, np.nan, np.nan, _add_one(shuffled.var(axis=1), estimates.var()))
            )
    return pd.DataFrame(table, columns=["test", "comparison", "difference", "se", "statistic", "p"])


def _add_one(drawn: np.ndarray, actual: float) -> float:
    return float((1 + np.sum(drawn >= actual * (1 - 1e-9))) / (1 + len(drawn)))


def _own(
    formula: str, data: pd.DataFrame, term: str, vcov: str, singletons: Literal["keep", "drop"], where: str
) -> tuple[float, float]:
    """Return the coefficient and its standard error in one group's own regression."""
    try:
        table = regress(formula, data, vcov, singletons=singletons).coefficients
    except DeclarationError:  # all collinear: the pooled regression worked, so it is not the formula
        table = pd.DataFrame()
    if term not in table.index:
        raise DataError(
            f"{where} ({len(data)} rows): the term does not vary or is collinear with the controls and effects there; "
            "expected treated and untreated units in every group"
        )
    return table.loc[term, "estimate"], table.loc[term, "se"]


def _interacted(
    formula: str,
    data: pd.DataFrame,
    term: str,
    group: str,
    vcov: str,
    singletons: Literal["keep", "drop"],
    labels: list[Any],
) -> tuple[np.ndarray, float]:
    """Return the covariance of the groups' coefficients in one interacted regression, and its degrees of freedom."""
    outcome, _, right = formula.partition("~")
    regressors, _, effects = right.partition("|")
    flags = {f"group_{i}_": (data[group] == label).astype(float) for i, label in enumerate(labels)}
    parts = [f"({regressors.strip()}):{flag}" for flag in flags]
    if effects.strip():
        absorbed = " + ".join(f"{effect.strip()}^group_code_" for effect in effects.split("+"))
    else:
        parts = ["0", *flags, *parts]
        absorbed = ""
    together = f"{outcome.strip()} ~ {' + '.join(parts)}" + (f" | {absorbed}" if absorbed else "")
    coded = data.assign(**flags, group_code_=pd.factorize(data[group])[0])
    fit = regress(together, coded, vcov, singletons=singletons)
    matrix, df = inference.covariance(fit)
    own = [f"{term}:{flag}" for flag in flags]
    return matrix.loc[own, own].to_numpy(), df


def _permute(
    pooled: Regression,
    data: pd.DataFrame,
    term: str,
    group: str,
    unit: str,
    draws: int,
    seed: int,
    where: str,
) -> np.ndarray:
    """Return the groups' coefficients under shuffled labels, shape (draws, groups), groups in order of their labels."""
    model, rows = pooled._fit.model, pooled._fit.rows
    units, members = np.unique(data[unit].iloc[rows], return_inverse=True)
    kinds, codes = np.unique(data[group].iloc[rows], return_inverse=True)
    label = np.zeros(len(units), dtype=int)
    label[members] = codes
    if (several := label[members] != codes).any():
        raise DataError(
            f"{where}: '{unit}' {units[members[several][0]]} has several labels; expected one per unit to shuffle"
        )
    # what the pooled effects leave: the same after absorbing them group by group; the term and the outcome last
    own = model._coefnames.index(term)
    variables = np.column_stack([np.delete(model._X, own, axis=1), model._X[:, own], model._Y])
    variation = variables[:, -2] ** 2
    effects = [] if model._fe is None else [pd.factorize(model._fe[e])[0] for e in model._fe]
    rng = np.random.default_rng(seed)
    result: list[list[float]] = []
    unusable = 0
    while len(result) < draws:
        shuffled = rng.permutation(label)[members]
        left = variables
        if effects:
            flist = np.column_stack([pd.factorize(code * len(kinds) + shuffled)[0] for code in effects])
            left, converged, _ = dispatch_demean(
                x=variables,
                flist=flist.astype(np.uintp),
                weights=np.ones(len(rows)),
                demeaner=model._demeaner,
                cached_preconditioner=None,
            )
            if not converged:
                raise DataError(f"{where}: absorbing the effects did not converge in shuffle {len(result)}")
        before = np.bincount(shuffled, variation)
        coefficients = []
        for k in range(len(kinds)):
            part = left[shuffled == k]
            products = part.T @ part
            controls, mixed = products[:-2, :-2], products[:-2, -2:]
            given = products[-2:, -2:] - mixed.T @ np.linalg.pinv(controls, rcond=1e-12, hermitian=True) @ mixed
            # without treated units only rounding is left of the term
            if given[0, 0] > 1e-9 * before[k]:
                coefficients.append(given[1, 0] / given[0, 0])
        if len(coefficients) == len(kinds):
            result.append(coefficients)
            continue
        unusable += 1
        if unusable > draws:
            raise DataError(
                f"{where}: in {unusable} of {unusable + len(result)} shuffles of '{unit}' a group has no coefficient; "
                "expected more treated and untreated units per group"
            )
    return np.array(result) * pooled._fit.scale[term]
