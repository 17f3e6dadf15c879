r"""Many least-squares regressions on the same rows, with what they share computed once.

By the theorem of Frisch and Waugh (1933) a coefficient beside absorbed effects is that of a regression among variables
from which the effects have been removed. Equations on the same rows with the same effects therefore share these
variables, :math:`\tilde Z`, and their cross-products :math:`\tilde Z'\tilde Z`: what is left of each equation is a
system as large as its list of regressors. With :math:`B = (\tilde X'\tilde X)^{-1}`, :math:`u` the residuals and
:math:`w = \tilde X B e_1`, the first coefficient has the variance

.. math:: f \sum_g \Big(\sum_{i \in g} w_i u_i\Big)^2

with the factors :math:`f` and the clusters :math:`g` of :mod:`pilotzones.estimators.regression`, whose conventions hold
throughout: the same removal of effects and test for collinear regressors, and the same numbers up to rounding. What has
no clean answer here (the regressor of interest is collinear, others nearly so, an outcome is constant, a cluster is
missing) is left to :func:`pilotzones.estimators.regression.regress`, which has words for it. The assumptions that
identify a coefficient are those given there.

References
----------
.. [1] Frisch, R., Waugh, F. V. (1933). Partial time regressions as compared with individual trends. Econometrica 1,
   387-401.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pyfixest.core.collinear import find_collinear_variables
from pyfixest.core.demean import demean
from pyfixest.core.detect_singletons import detect_singletons
from scipy import sparse, stats

from pilotzones.estimators.regression import COLLINEAR, TOLERANCE, scales

STATISTICS = ("estimate", "se", "t", "p", "low", "high", "n_obs", "n_clusters", "r2_within")
_CELLS = 4_000_000  # of a matrix of rows by equations: 32 MB
_ILL = 1e6  # condition number from which the rounding of cross-products shows in the tenth digit
_ONES = "Intercept"


@dataclass(frozen=True)
class Equation:
    """A regression whose first regressor is of interest.

    Attributes
    ----------
    outcome, regressors : columns of the data, numbers.
    vcov : ``"iid"``, ``"hetero"``, ``"cluster:city"`` or ``"cluster:city+year"``.
    """

    outcome: str
    regressors: tuple[str, ...]
    vcov: str

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, without effects and clusters."""
        return (self.outcome, *self.regressors)


def shareable(data: pd.DataFrame, equations: Sequence[Equation]) -> list[int]:
    """Return the positions of the equations that can share: finite numeric columns, at most two cluster variables."""
    names = {name for equation in equations for name in equation.names if name in data}
    numeric = [name for name in names if pd.api.types.is_numeric_dtype(data[name])]
    usable = {name for name in numeric if not np.isinf(data[name].to_numpy(float, na_value=np.nan)).any()}

    def able(equation: Equation) -> bool:
        kind, _, columns = equation.vcov.partition(":")
        clusters = [name.strip() for name in columns.split("+")] if kind == "cluster" else []
        known = equation.vcov in ("iid", "hetero") or (1 <= len(clusters) <= 2 and set(clusters) <= set(data.columns))
        return known and set(equation.names) <= usable and len(set(equation.names)) == len(equation.names)

    return [position for position, equation in enumerate(equations) if able(equation)]


def by_rows(
    data: pd.DataFrame, equations: Sequence[Equation], effects: Sequence[str]
) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Yield the rows that are complete in some equations, shape (n,), true or false, and these equations' positions."""
    parts = sorted({part for effect in effects for part in effect.split("^")})
    names = sorted({name for equation in equations for name in equation.names})
    present = {name: data[name].notna().to_numpy() for name in names}
    whole = data[parts].notna().all(axis=1).to_numpy()
    alike: dict[tuple[str, ...], list[int]] = {}
    for position, equation in enumerate(equations):
        alike.setdefault(equation.names, []).append(position)
    found: dict[bytes, tuple[np.ndarray, list[int]]] = {}
    for variables, positions in alike.items():
        rows = np.logical_and.reduce([whole, *(present[name] for name in variables)])
        found.setdefault(np.packbits(rows).tobytes(), (rows, []))[1].extend(positions)
    yield from found.values()


def estimate(
    data: pd.DataFrame,
    equations: Sequence[Equation],
    effects: Sequence[str],
    singletons: Literal["keep", "drop"] = "keep",
) -> pd.DataFrame:
    """Estimate the first coefficient of several equations on the same rows with the same absorbed effects.

    Parameters
    ----------
    data : the rows, complete in all variables of the equations and in the effects, see :func:`by_rows`.
    equations : those that :func:`shareable` names.
    effects : e.g. ``["firm", "province^year"]``, none contained in another; empty for a regression with an intercept.
    singletons : as in :func:`pilotzones.estimators.regression.regress`.

    Returns
    -------
    One row per equation with ``STATISTICS``: estimate and interval in units of the outcome per unit of the regressor,
    ``n_clusters`` nan without clusters, ``r2_within`` with all effects removed, nan without effects. A row without
    ``n_obs`` is one that :func:`pilotzones.estimators.regression.regress` has to estimate.
    """
    table = pd.DataFrame(np.nan, index=range(len(equations)), columns=list(STATISTICS))
    codes = _codes(data, effects)
    if singletons == "drop" and effects and len(data):
        data = data[~detect_singletons(codes.astype(np.int64))]
        codes = _codes(data, effects)
    names = sorted({name for equation in equations for name in equation.names})
    values = data[names].astype(float)
    if not len(values):
        return table
    scale = scales(values)
    left, converged = (values / scale).to_numpy(), True
    if effects:
        left, converged = demean(left, codes, np.ones(len(left)), TOLERANCE, 10_000)
    else:
        left, names, scale[_ONES] = np.column_stack([left, np.ones(len(left))]), [*names, _ONES], 1.0
    if not converged:
        return table
    left = np.asfortranarray(left)
    gram, place = left.T @ left, {name: i for i, name in enumerate(names)}
    shared = _Rows(data, codes)

    # equations that differ only in their errors are one fit
    fits: dict[tuple[str, ...], list[int]] = {}
    for position, equation in enumerate(equations):
        fits.setdefault(equation.names, []).append(position)
    solved = {}
    for variables in fits:
        outcome, *regressors = (place[name] for name in variables)
        constant = np.ptp(values[variables[0]].to_numpy()) == 0 or gram[outcome, outcome] < 1e-18 * len(left)
        own = regressors if effects else [place[_ONES], *regressors]
        solution = None if constant else _solve(gram, outcome, own, regressors[0])
        if solution is not None:
            solved[variables] = solution

    lines: dict[int, tuple[float, ...]] = {}
    keys, width = list(solved), max(1, _CELLS // len(left))
    for start in range(0, len(keys), width):
        some = keys[start : start + width]
        residuals = left @ np.column_stack([solved[key].residual for key in some])
        squares = np.einsum("ij,ij->j", residuals, residuals)
        scores = residuals * (left @ np.column_stack([solved[key].weight for key in some]))
        for vcov in sorted({equations[i].vcov for key in some for i in fits[key]}):
            wanted = [(j, i) for j, key in enumerate(some) for i in fits[key] if equations[i].vcov == vcov]
            at, ranks = [j for j, _ in wanted], np.array([solved[some[j]].rank for j, _ in wanted])
            breads = np.array([solved[some[j]].bread for j in at])
            own_scores = scores if at == list(range(len(some))) else np.ascontiguousarray(scores[:, at])
            found = shared.variance(vcov, own_scores, squares[at] * breads, ranks)
            if found is None:
                continue
            for (j, i), variance, degrees in zip(wanted, found.variance, found.degrees, strict=True):
                key, solution = some[j], solved[some[j]]
                unit = float(scale[key[0]] / scale[key[1]])
                total = gram[place[key[0]], place[key[0]]]
                within = 1 - squares[j] / total if effects else np.nan
                if degrees > 0:
                    lines[i] = (solution.estimate * unit, variance * unit**2, degrees, found.n_clusters, within)

    rows = sorted(lines)
    estimates, variances, df, clusters, within = np.array([lines[i] for i in rows]).reshape(-1, 5).T
    with np.errstate(invalid="ignore", divide="ignore"):  # the root of a negative two-way variance: se is nan
        se = np.sqrt(variances)
        t = estimates / se
    reach = stats.t.ppf(0.975, df) * se
    p = 2 * stats.t.sf(np.abs(t), df)
    counts = np.full(len(rows), float(len(left)))
    table.loc[rows] = np.column_stack(
        [estimates, se, t, p, estimates - reach, estimates + reach, counts, clusters, within]
    )
    return table


@dataclass(frozen=True, eq=False)
class _Solution:
    """Of one equation, in the units of the shared variables.

    Attributes
    ----------
    estimate, bread : coefficient of interest and its diagonal element of the inverse cross-products.
    residual, weight : what makes residuals and weights of the shared variables, shape (variables,).
    rank : number of coefficients, an intercept included.
    """

    estimate: float
    bread: float
    residual: np.ndarray
    weight: np.ndarray
    rank: int


@dataclass(frozen=True, eq=False)
class _Variance:
    """Variances and degrees of freedom, both of shape (equations,), and the number of clusters."""

    variance: np.ndarray
    degrees: np.ndarray
    n_clusters: float


def _solve(gram: np.ndarray, outcome: int, regressors: Sequence[int], interest: int) -> _Solution | None:
    """Solve one equation without its collinear regressors; None when this has no clean answer."""
    collinear, _, all_of_them = find_collinear_variables(gram[np.ix_(regressors, regressors)], COLLINEAR)
    kept = [] if all_of_them else [x for x, out in zip(regressors, collinear, strict=True) if not out]
    if interest not in kept:
        return None
    size = np.sqrt(np.diag(gram)[kept])
    if np.linalg.cond(gram[np.ix_(kept, kept)] / np.outer(size, size)) > _ILL:
        return None
    inverse = np.linalg.inv(gram[np.ix_(kept, kept)])
    first = kept.index(interest)
    beta = np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, outcome])
    residual, weight = np.zeros(len(gram)), np.zeros(len(gram))
    residual[kept] = -beta
    residual[outcome] += 1
    weight[kept] = inverse[first]
    return _Solution(float(beta[first]), float(inverse[first, first]), residual, weight, len(kept))


class _Rows:
    """Rows with their effects; clusters are coded once for all equations."""

    def __init__(self, data: pd.DataFrame, codes: np.ndarray) -> None:
        self.data, self.codes = data, codes
        self.levels = codes.max(axis=0) + 1
        self.clusters: dict[str, tuple[np.ndarray, int] | None] = {}

    def variance(self, vcov: str, scores: np.ndarray, iid: np.ndarray, ranks: np.ndarray) -> _Variance | None:
        """Return the variances of the coefficients of interest; None when the clusters cannot answer.

        Parameters
        ----------
        scores : each row's ``w_i u_i``, shape (n, equations).
        iid : sum of squared residuals times the diagonal element of the inverse cross-products, shape (equations,).
        ranks : coefficients, shape (equations,).
        """
        n, effects = len(scores), len(self.levels)
        if not vcov.startswith("cluster:"):
            degrees = n - (ranks + self.levels.sum() - max(effects - 1, 0))
            meat = iid if vcov == "iid" else n * np.einsum("ij,ij->j", scores, scores)
            with np.errstate(divide="ignore"):  # without degrees of freedom there is no row
                return _Variance(meat / degrees, degrees, np.nan)
        columns = [name.strip() for name in vcov.removeprefix("cluster:").split("+")]
        groups = [self._groups(name) for name in columns]
        known = [group for group in groups if group is not None]
        if len(known) < len(groups):
            return None
        smallest = min(levels for _, levels in known)
        nested = np.array([any(self._nested(e, code, levels) for code, levels in known) for e in range(effects)], bool)
        absorbed = self.levels[~nested].sum() + nested.sum() - max(effects - 1, 0)
        meat = sum(_squared_sums(code, levels, scores) for code, levels in known)
        if len(known) == 2:
            both, found = pd.factorize(known[0][0] * known[1][1] + known[1][0])
            meat = meat - _squared_sums(both, len(found), scores)
        left = n - (ranks + absorbed)
        with np.errstate(divide="ignore"):
            variance = smallest / (smallest - 1) * (n - 1) / left * meat
        return _Variance(variance, np.where(left > 0, smallest - 1, 0), smallest)

    def _groups(self, column: str) -> tuple[np.ndarray, int] | None:
        """Return cluster codes and their number; None when some are missing or there is one cluster only."""
        if column not in self.clusters:
            code, levels = pd.factorize(self.data[column])
            self.clusters[column] = None if (code == -1).any() or len(levels) < 2 else (code, len(levels))
        return self.clusters[column]

    def _nested(self, effect: int, code: np.ndarray, levels: int) -> bool:
        """Tell whether every level of an effect lies in one cluster."""
        pairs = self.codes[:, effect].astype(np.int64) * levels + code
        return bool(len(pd.unique(pairs)) == self.levels[effect])


def _codes(data: pd.DataFrame, effects: Sequence[str]) -> np.ndarray:
    """Return the level of each row in each effect, 0, 1, ..., shape (n, effects)."""
    codes = [data.groupby(effect.split("^"), sort=False, observed=True).ngroup().to_numpy() for effect in effects]
    return np.column_stack(codes).astype(np.uint64) if codes else np.empty((len(data), 0), np.uint64)


def _squared_sums(code: np.ndarray, levels: int, scores: np.ndarray) -> np.ndarray:
    """Return the sum over clusters of the squared sums of ``scores`` within, shape (equations,)."""
    rows = np.arange(len(code))
    sums = sparse.csr_array((np.ones(len(code)), (code, rows)), shape=(levels, len(code))) @ scores
    return np.einsum("ij,ij->j", sums, sums)
