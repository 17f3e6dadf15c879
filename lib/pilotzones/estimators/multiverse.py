r"""Joint inference over many specifications: the whole curve of estimates under permuted treatments.

A specification curve holds the estimates :math:`\hat\beta_1, ..., \hat\beta_S` of one effect on the same data. They are
anything but independent, so no formula turns their t values into one test. Simonsohn, Simmons and Nelson [1]_ let the
data say how the curve behaves when there is nothing to find: the regressor of interest is dealt out anew among the
places, every specification is estimated with it, and the curve of that draw is one curve under the null.

*What identifies it.* The sharp null hypothesis: the regressor changes nobody's outcome. Then outcomes and controls are
the same whoever gets which path, and the p values are exact if all ways of dealing the paths among the places were
equally likely (Fisher's lottery). Zones were not given by lot: for places chosen for their prospects the draws describe
how unusual the curve is, no more. Rejecting says that not all specifications can be nothing; which are right it does
not say.

*Method.* A regressor :math:`d` enters a specification through :math:`w = \tilde d - \tilde X \gamma`, what effects and
controls leave of it (Frisch and Waugh 1933), an outcome through :math:`u = \tilde y - \tilde X \gamma_y - b w`, and
:math:`b = w'\tilde y / w'w`. The variance is :math:`f \sum_g s_g^2 / (w'w)^2` with :math:`s_g = \sum_{i \in g} w_i u_i`
and the factors of :mod:`pilotzones.estimators.regression`. Both :math:`w` and :math:`u` are sums of columns of
:math:`Z = (\tilde d, \tilde X, \tilde y)`, so :math:`s_g = c'v_g` with :math:`v_g` the sums over the cluster of the
products of two columns, and

.. math:: \sum_g s_g^2 = c' \Big(\sum_g v_g v_g'\Big) c.

The matrix in brackets is formed once per draw; a specification then costs its size squared, however many rows and
clusters there are.

References
----------
.. [1] Simonsohn, U., Simmons, J. P., Nelson, L. D. (2020). Specification curve analysis. Nature Human Behaviour 4,
   1208-1214.
.. [2] Phipson, B., Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in Genetics
   and Molecular Biology 9(1), 39.
.. [3] Westfall, P. H., Young, S. S. (1993). Resampling-based multiple testing. Wiley.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pyfixest.core.collinear import find_collinear_variables
from pyfixest.core.demean import demean
from pyfixest.core.detect_singletons import detect_singletons
from scipy import sparse, stats

from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators import batch
from pilotzones.estimators.batch import Equation
from pilotzones.estimators.regression import COLLINEAR, TOLERANCE, require, scales

CELLS = 4_000_000  # of a matrix of rows by draws: 32 MB; bounds the memory, changes no result


@dataclass(frozen=True, eq=False)
class Draws:
    """Every specification under every permuted regressor, all of shape (specifications, draws).

    Attributes
    ----------
    estimate : in units of the outcome per unit of the regressor.
    t, p : of the specification's own error, two-sided.

    A value is nan where effects and controls leave nothing of a draw.
    """

    estimate: np.ndarray
    t: np.ndarray
    p: np.ndarray


# -------------------------------------------------------------------------------------------------------- permutations


def permuted(
    data: pd.DataFrame,
    regressor: str,
    place: str | tuple[str, str],
    time: str,
    draws: int,
    seed: int,
) -> np.ndarray:
    """Deal the places' paths of a regressor out anew among the places, many times over.

    In every draw each place has the whole path over time of exactly one place, perhaps its own: how many places are
    treated, when and how strongly stays as it is. Permute before samples are selected, and select rows of the result as
    of the data, so that all specifications see the same draw.

    *Pairs.* With two columns of places the regressor is 1 where exactly one of the two has its own path at 1. The
    places' paths are recovered from the pairs and have to give the regressor of every row. Pairs of two treated places
    are not in such data, but a draw makes some, which count as untreated while both are in force: the draws are close
    to the lottery of the actual assignment, not exactly it.

    *Gaps.* Where a place has no row in a period, its path goes on with its last value, before its first row with its
    first one: only another place can need it, and for a reform that stays in force this is wrong only if the place
    was treated unseen.

    Parameters
    ----------
    data : one row per unit and period, shape (n, columns).
    regressor : the same number in all rows of a place and period, or missing.
    place : column of the place, or of the two places of a pair.
    time : column of the period, sortable.
    draws : how many.
    seed : the first draws are the same however many follow, whatever the order of the rows.

    Returns
    -------
    Shape (n, draws), nan in rows without the regressor; whole numbers of one byte if it is 0 or 1 in all rows.

    Raises
    ------
    ParameterError
        No draws.
    DataError
        A column is missing or not a number, a place or period is missing in some rows, the regressor varies within a
        place and period or is not made of the paths of two places.
    """
    sides = [place] if isinstance(place, str) else list(place)
    where = f"permutation of '{regressor}'"
    require([regressor, *sides, time], data, where)
    if draws < 1:
        raise ParameterError(f"{where}: draws = {draws}, expected at least 1")
    if not pd.api.types.is_numeric_dtype(data[regressor]):
        raise DataError(f"{where}: column '{regressor}' holds no numbers")
    known = data[regressor].notna()
    if not known.any():
        raise DataError(f"{where}: column '{regressor}' is missing in all {len(data)} rows")
    for column in (*sides, time):
        if missing := int(data.loc[known, column].isna().sum()):
            raise DataError(f"{where}: column '{column}' is missing in {missing} of {int(known.sum())} rows")
    values = data.loc[known, regressor].astype(float)
    ends = pd.concat([data.loc[known, [side, time]].set_axis(["place", "time"], axis=1) for side in sides])
    ends["value"] = np.tile(values, len(sides))
    spread = ends.groupby(["place", "time"], observed=True)["value"].agg(["min", "max"])
    uneven = spread.index[spread["min"] != spread["max"]]
    if len(sides) == 1 and len(uneven):
        raise DataError(
            f"{where}: '{regressor}' differs between rows of {place} {uneven[0][0]} in {time} {uneven[0][1]} "
            f"({len(uneven)} such cases); expected one value per place and period"
        )
    # a treated place has an untreated partner somewhere, and with it 1; an untreated one has one with 0
    paths = spread["min"].unstack().sort_index(axis=1).ffill(axis=1).bfill(axis=1)
    table = paths.to_numpy(float)
    if binary := bool(np.isin(table, (0.0, 1.0)).all()):
        table = table.astype("int8")  # draws of many rows take an eighth of the memory
    at = [paths.index.get_indexer(data[side]) for side in sides]
    period = paths.columns.get_indexer(data[time])

    def dealt(order: np.ndarray) -> np.ndarray:
        first, *second = (table[order[code], period] for code in at)
        return np.abs(first - second[0]) if second else first

    whole = np.logical_and.reduce([known, period >= 0, *(code >= 0 for code in at)])
    actual = dealt(np.arange(len(paths)))[known]
    if len(sides) > 1 and (wrong := np.flatnonzero(known)[actual != values]).size:
        row = data.iloc[wrong[0]]
        raise DataError(
            f"{where}: {regressor} = {row[regressor]} of the pair {row[sides[0]]}, {row[sides[1]]} in {time} "
            f"{row[time]} is not that of a pair with exactly one treated place ({len(wrong)} of {len(data)} rows); "
            "expected data without pairs of two treated places"
        )
    result = np.empty((len(data), draws), "int8" if binary and whole.all() else float, order="F")
    for draw in range(draws):
        result[:, draw] = dealt(np.random.default_rng([seed, draw]).permutation(len(paths)))
    if not whole.all():
        result[~whole] = np.nan
    return result


# ---------------------------------------------------------------------------------------------------------- estimation


def reestimate(
    data: pd.DataFrame,
    equations: Sequence[Equation],
    effects: Sequence[str],
    regressors: np.ndarray,
    singletons: Literal["keep", "drop"] = "keep",
) -> Draws:
    """Estimate several equations with every one of many regressors in the place of the one of interest.

    Conventions are those of :func:`pilotzones.estimators.batch.estimate`: a draw that is the actual regressor has its
    numbers. Equations are estimated on the rows that are complete in their own variables; those with the same rows
    share all the work on rows, those that differ in their errors alone share everything else too.

    Parameters
    ----------
    data : shape (n, columns).
    equations : all with the same first regressor, which the draws replace. Errors as in
        :class:`pilotzones.estimators.batch.Equation`; dyadic ones are refused.
    effects : e.g. ``["city", "year"]``, none contained in another; empty for an intercept.
    regressors : the draws, shape (n, draws), row by row those of ``data``.
    singletons : as in :func:`pilotzones.estimators.regression.regress`.

    Raises
    ------
    ParameterError
        No equation, different first regressors, draws of another length, an equation that cannot share.
    DataError
        No rows, a draw that is missing in a row used, an outcome of which the effects leave nothing, no degrees of
        freedom, clusters that are missing in some rows or number one.
    """
    interest = {equation.regressors[0] for equation in equations}
    if len(interest) != 1:
        found = ", ".join(sorted(interest)) or "no equation"
        raise ParameterError(f"equations: expected one first regressor in all, which the draws replace; found {found}")
    if regressors.ndim != 2 or len(regressors) != len(data):
        raise ParameterError(f"regressors: expected shape ({len(data)}, draws), found {regressors.shape}")
    able = set(batch.shareable(data, equations))
    if unable := [equation for i, equation in enumerate(equations) if i not in able]:
        raise ParameterError(
            f"equation {unable[0].outcome} ~ {' + '.join(unable[0].regressors)}, vcov = '{unable[0].vcov}': expected "
            "finite numeric columns of the data, each once, and 'iid', 'hetero', 'cluster:COLUMN' or "
            "'cluster:COLUMN+COLUMN'"
        )
    shape = len(equations), regressors.shape[1]
    estimate, t, p = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    for mask, positions in batch.by_rows(data, equations, effects):
        part, draws, codes = data[mask], regressors[mask], batch._codes(data[mask], effects)
        if singletons == "drop" and effects and len(part):
            kept = ~detect_singletons(codes.astype(np.int64))
            part, draws = part[kept], draws[kept]
            codes = batch._codes(part, effects)
        some = [equations[i] for i in positions]
        if not len(part):
            raise DataError(f"outcome '{some[0].outcome}': no row is complete in all variables of the equation")
        if np.isnan(draws).any():
            raise DataError(f"regressors: missing in {int(np.isnan(draws).any(axis=1).sum())} of {len(part)} rows used")
        shared = _Shared(part, some, codes)
        for j, (unit, column) in enumerate(shared.absorbed(draws)):
            beta, t[positions, j] = shared.solve(column)
            estimate[positions, j] = beta / unit
        p[positions] = 2 * stats.t.sf(np.abs(t[positions]), shared.degrees[:, None])
    return Draws(estimate, t, p)


def stacked(parts: Iterable[tuple[Sequence[int], Draws]]) -> Draws:
    """Put parts of a curve together.

    Parameters
    ----------
    parts : positions in the whole curve, together 0, 1, ..., each once, and the draws of the specifications there.

    Raises
    ------
    ParameterError
        Positions or numbers of draws do not fit together.
    """
    found = list(parts)
    positions = np.concatenate([np.asarray(where, int) for where, _ in found]) if found else np.empty(0, int)
    lengths = all(len(where) == len(draws.t) for where, draws in found)
    if not found or not lengths or not np.array_equal(np.sort(positions), np.arange(len(positions))):
        raise ParameterError("parts: expected every position from 0 on exactly once, and one row of draws for each")
    if len({draws.t.shape[1] for _, draws in found}) > 1:
        raise ParameterError("parts: expected the same number of draws in all")
    order = np.argsort(positions)
    estimate, t, p = (np.concatenate([getattr(d, name) for _, d in found])[order] for name in ("estimate", "t", "p"))
    return Draws(estimate, t, p)


class _Shared:
    """What equations on the same rows share, with all that does not depend on the draw computed.

    Variables other than the one of interest are the ``q`` columns of ``left``, effects removed.
    """

    def __init__(self, data: pd.DataFrame, equations: Sequence[Equation], codes: np.ndarray) -> None:
        self.codes = codes
        own = [(equation.outcome, equation.regressors[1:]) for equation in equations]
        names = sorted({name for outcome, controls in own for name in (outcome, *controls)})
        place = {name: i for i, name in enumerate(names)}
        values = data[names].astype(float)
        self.scale = scales(values)
        self.left = self._remove((values / self.scale).to_numpy())
        gram = self.left.T @ self.left

        # one inverse for each set of controls, padded with zeros, collinear ones left out
        sets = list(dict.fromkeys(controls for _, controls in own))
        solved = [_inverse(gram, [place[name] for name in controls]) for controls in sets]
        self.inverses = np.array([inverse for inverse, _ in solved])
        # equations that differ only in their errors are one fit
        fits = list(dict.fromkeys(own))
        self.set_of = np.array([sets.index(controls) for _, controls in fits])
        self.outcome = np.array([place[outcome] for outcome, _ in fits])
        self.slopes = np.einsum("fij,fj->fi", self.inverses[self.set_of], gram[:, self.outcome].T)
        size = gram[self.outcome, self.outcome]
        self.residual = size - np.einsum("fi,fi->f", self.slopes, gram[:, self.outcome].T)
        for name in dict.fromkeys(name for name, _ in fits):
            if np.ptp(values[name]) == 0 or gram[place[name], place[name]] < 1e-18 * len(data):
                raise DataError(f"outcome '{name}': the effects leave no variation in the {len(data)} rows used")
        self.fit_of = np.array([fits.index(key) for key in own])
        self.outcome_unit = np.array([self.scale[outcome] for outcome, _ in own])

        # products of two of the variables, one of them a control: what scores are made of beside products with a draw
        controls = {place[name] for _, listed in own for name in listed}
        pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names)) if {i, j} & controls]
        self.pairs = np.array(pairs, int).reshape(-1, 2).T
        products = self.left[:, self.pairs[0]] * self.left[:, self.pairs[1]]

        # the number of coefficients has one more for the regressor of interest, and for an intercept
        ranks = np.array([rank for _, rank in solved])[self.set_of][self.fit_of] + 1 + (codes.shape[1] == 0)
        rows = batch._Rows(data, codes)
        self.factor, self.degrees = np.empty(len(equations)), np.empty(len(equations))
        self.errors: dict[str, tuple[np.ndarray, list[_Sums]]] = {}
        for vcov in sorted({equation.vcov for equation in equations}):
            mine = np.array([i for i, equation in enumerate(equations) if equation.vcov == vcov])
            # the variance of a single score of one is the small-sample factor
            counts, which = np.unique(ranks[mine], return_inverse=True)
            single = np.zeros((len(data), len(counts)))
            single[0] = 1.0
            found = rows.variance(vcov, single, np.ones(len(counts)), counts)
            if found is None:
                raise DataError(f"vcov = '{vcov}': a cluster is missing in some of the rows used, or there is only one")
            if (found.degrees <= 0).any():
                raise DataError(f"vcov = '{vcov}': {len(data)} rows leave no degrees of freedom")
            self.factor[mine], self.degrees[mine] = found.variance[which], found.degrees[which]
            self.errors[vcov] = mine, [_Sums(products, *signed) for signed in _clusters(rows, vcov)]

    def absorbed(self, draws: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Yield the unit of each draw and the draw in this unit with the effects removed."""
        width = max(1, CELLS // len(draws))
        for start in range(0, draws.shape[1], width):
            block = pd.DataFrame(draws[:, start : start + width].astype(float))
            unit = scales(block)
            yield from zip(unit, self._remove((block / unit).to_numpy()).T, strict=True)

    def _remove(self, values: np.ndarray) -> np.ndarray:
        """Return columns without the effects, or without their means if there are none."""
        if not self.codes.shape[1]:
            return np.asfortranarray(values - values.mean(axis=0))
        left, converged = demean(values, self.codes, np.ones(len(values)), TOLERANCE, 10_000)
        if not converged:
            raise DataError(f"effects: cannot be removed from {len(values)} rows to within {TOLERANCE:g}")
        return np.asfortranarray(left)

    def solve(self, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimate and t of every equation for an absorbed draw, shape (n,)."""
        cross, square = self.left.T @ d, float(d @ d)
        gamma = (self.inverses @ cross)[self.set_of]
        own = square - gamma @ cross
        own[own < COLLINEAR * len(d)] = np.nan
        shared = cross[self.outcome] - self.slopes @ cross
        beta = shared / own
        # w = d - left @ gamma, u = left @ delta - beta d
        delta = beta[:, None] * gamma - self.slopes
        delta[np.arange(len(delta)), self.outcome] += 1
        first, second = self.pairs
        fixed = -(gamma[:, first] * delta[:, second] + gamma[:, second] * delta[:, first])
        fixed[:, first == second] /= 2
        drawn = np.column_stack([delta + beta[:, None] * gamma, -beta])
        products = np.column_stack([self.left * d[:, None], d * d])
        estimate, t = beta[self.fit_of] * self.outcome_unit, np.empty(len(self.fit_of))
        for vcov, (mine, sums) in self.errors.items():
            if vcov == "iid":
                squares = (self.residual - beta * shared) * own
            else:
                squares = np.sum([each.squares(fixed, drawn, products) for each in sums], axis=0)
            at = self.fit_of[mine]
            with np.errstate(invalid="ignore", divide="ignore"):  # a negative two-way variance: t is nan
                t[mine] = shared[at] / np.sqrt(self.factor[mine] * squares[at])
        return estimate, t


class _Sums:
    """Sums of squared cluster sums of scores, by one kind of cluster."""

    def __init__(self, products: np.ndarray, sign: int, groups: np.ndarray | None) -> None:
        self.sign, self.adding = sign, None
        if groups is not None:
            rows = np.arange(len(groups))
            self.adding = sparse.csr_array((np.ones(len(rows)), (groups, rows)))
        self.fixed = self._by_cluster(products)
        self.gram = self.fixed.T @ self.fixed

    def _by_cluster(self, products: np.ndarray) -> np.ndarray:
        return products if self.adding is None else self.adding @ products

    def squares(self, fixed: np.ndarray, drawn: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Return the signed sums of squares, shape (fits,).

        Parameters
        ----------
        fixed, drawn : what scores have of the products without and with the draw, shapes (fits, m) and (fits, q + 1).
        products : those with the draw, shape (n, q + 1).
        """
        sums = self._by_cluster(products)
        mixed = fixed @ self.gram + 2 * drawn @ (sums.T @ self.fixed)
        return self.sign * (np.einsum("fi,fi->f", mixed, fixed) + np.einsum("fi,fi->f", drawn @ (sums.T @ sums), drawn))


def _clusters(rows: batch._Rows, vcov: str) -> Iterator[tuple[int, np.ndarray | None]]:
    """Yield the kinds of clusters whose sums of squares a variance adds and subtracts; None for one row each."""
    if vcov == "hetero":
        yield 1, None
    if vcov.startswith("cluster:"):
        known = [rows._groups(name.strip()) for name in vcov.removeprefix("cluster:").split("+")]
        groups = [group for group in known if group is not None]
        yield from ((1, code) for code, _ in groups)
        if len(groups) == 2:
            yield -1, pd.factorize(groups[0][0] * groups[1][1] + groups[1][0])[0]


def _inverse(gram: np.ndarray, controls: list[int]) -> tuple[np.ndarray, int]:
    """Return the inverse cross-products of some variables, zero for the others and collinear ones, and the rank."""
    inverse = np.zeros_like(gram)
    if controls:
        collinear, _, all_of_them = find_collinear_variables(gram[np.ix_(controls, controls)], COLLINEAR)
        kept = [] if all_of_them else [x for x, out in zip(controls, collinear, strict=True) if not out]
        inverse[np.ix_(kept, kept)] = np.linalg.inv(gram[np.ix_(kept, kept)])
        return inverse, len(kept)
    return inverse, 0


# ----------------------------------------------------------------------------------------------------- joint inference


def joint(actual: pd.DataFrame, draws: Draws, one_unit: bool = True) -> pd.DataFrame:
    r"""Test whether a whole curve could come from a regressor without effect.

    ==================  ==============================================================================================
    median estimate     median over specifications; only if all outcomes are in the same unit
    median t            median over specifications of estimate / standard error
    share significant   the larger of two shares: estimates above zero with p < 0.05, and below zero with p < 0.05.
                        Every draw may choose its sign, as the actual curve did: the test is two-sided
    mean t              mean over specifications: Stouffer's sum, whose distribution the draws give without independence
    largest t           the t value that is largest in absolute value: is there any effect at all
    ==================  ==============================================================================================

    The p value is :math:`(1 + \#\{b: |T_b| \ge |T|\}) / (1 + B)` [2]_. A draw in which any specification has no t value
    (the draw is collinear there) counts as extreme: p is too large rather than too small.

    Parameters
    ----------
    actual : one row per specification; columns ``estimate``, ``t`` and ``p``.
    draws : the same specifications in the same order.
    one_unit : whether the outcomes are in the same unit.

    Returns
    -------
    One row per statistic: ``value`` of the actual curve; ``expected`` under the null, the median over draws, with
    ``low`` and ``high`` (2.5% and 97.5% of draws); ``p``; ``undefined``, how many draws lack a t value somewhere.

    Raises
    ------
    ParameterError
        The specifications of the two are not as many.
    DataError
        An actual t value is missing, or every draw lacks one.
    """
    whole = _whole(actual, draws)
    columns = [actual[name].to_numpy(float)[:, None] for name in ("estimate", "t", "p")]
    own = _statistics(*columns)
    null = _statistics(draws.estimate[:, whole], draws.t[:, whole], draws.p[:, whole])
    undefined = int((~whole).sum())
    lines = {}
    for name, (value,) in own.items():
        extreme = undefined + int(_at_least(np.abs(null[name]), abs(value)).sum())
        low, expected, high = np.quantile(null[name], [0.025, 0.5, 0.975])
        lines[name] = (value, expected, low, high, (1 + extreme) / (1 + len(whole)), undefined)
    table = pd.DataFrame.from_dict(
        lines, orient="index", columns=["value", "expected", "low", "high", "p", "undefined"]
    ).rename_axis("statistic")
    return table if one_unit else table.drop(index="median estimate")


def adjusted(actual: pd.DataFrame, draws: Draws) -> pd.Series:
    """Return p values of the single specifications, adjusted for all of them being tested.

    Step-down largest t of Westfall and Young [3]_: the actual ``|t|`` are compared, from the largest down, with the
    draws' largest ``|t|`` among the specifications not yet passed. If the regressor has no effect on anyone, the chance
    that any specification has an adjusted p of 0.05 or less is at most 5%, however alike the specifications are.

    Parameters and exceptions are those of :func:`joint`; a draw without some t value counts as extreme.

    Returns
    -------
    One p value per row of ``actual``.
    """
    whole = _whole(actual, draws)
    size = actual["t"].abs().to_numpy(float)
    order = np.argsort(size, kind="stable")
    largest = np.maximum.accumulate(np.abs(draws.t[order][:, whole]), axis=0)
    extreme = _at_least(largest, size[order][:, None]).sum(axis=1) + (~whole).sum()
    p = (1 + extreme) / (1 + len(whole))
    stepped = np.maximum.accumulate(p[::-1])[::-1]  # no specification may pass before one with a larger t
    return pd.Series(stepped[np.argsort(order)], actual.index, name="p_adjusted")


def bands(values: np.ndarray) -> pd.DataFrame:
    """Return where sorted curves lie under the null.

    Parameters
    ----------
    values : estimates or t values, shape (specifications, draws); draws with a nan are left out.

    Returns
    -------
    One row per rank, 0 for the smallest value of each draw: ``low``, ``middle``, ``high``, the 2.5%, 50% and 97.5% of
    draws, at each rank by itself.
    """
    curves = np.sort(values[:, ~np.isnan(values).any(axis=0)], axis=0)
    if not curves.shape[1]:
        raise DataError(f"draws: all {values.shape[1]} lack an estimate in some specification")
    low, middle, high = np.quantile(curves, [0.025, 0.5, 0.975], axis=1)
    return pd.DataFrame({"low": low, "middle": middle, "high": high}).rename_axis("rank")


def _statistics(estimate: np.ndarray, t: np.ndarray, p: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of curves, each of shape (curves,), from arrays of shape (specifications, curves)."""
    significant = p < 0.05
    shares = [(significant & side).mean(axis=0) for side in (estimate > 0, estimate < 0)]
    furthest = np.abs(t).argmax(axis=0)
    return {
        "median estimate": np.median(estimate, axis=0),
        "median t": np.median(t, axis=0),
        "share significant": np.maximum(*shares),
        "mean t": t.mean(axis=0),
        "largest t": np.take_along_axis(t, furthest[None], axis=0)[0],
    }


def _whole(actual: pd.DataFrame, draws: Draws) -> np.ndarray:
    """Tell for each draw whether all its t values are there, and check that both are the same specifications."""
    if len(actual) != len(draws.t) or not len(actual):
        raise ParameterError(
            f"actual: {len(actual)} specifications, draws: {len(draws.t)}; expected the same, at least one"
        )
    missing = actual.index[~np.isfinite(actual[["estimate", "t", "p"]].to_numpy(float)).all(axis=1)]
    if len(missing):
        raise DataError(
            f"actual, row {missing[0]}: no estimate, t or p ({len(missing)} of {len(actual)} rows); leave out what "
            "cannot be estimated, there and in the draws"
        )
    whole = np.isfinite(draws.t).all(axis=0)
    if not whole.any():
        raise DataError(f"draws: all {len(whole)} lack a t value in some specification")
    return np.asarray(whole)


def _at_least(values: np.ndarray, bound: np.ndarray | float) -> np.ndarray:
    """Tell which values reach a bound; a tie must not hang on rounding."""
    return np.asarray(values >= bound * (1 - 1e-12))
