"""Placebo test: the reform is given to cities that never had it, many times over."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg, sparse

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.regression import Regression, regress, require

CHUNK = 64  # draws per pass: bounds the memory, changes no result


@dataclass(frozen=True, eq=False)
class Placebo:
    """Estimates for fake treatments.

    Attributes
    ----------
    draws : one row per draw (index ``draw``); ``estimate``, ``se``, ``t``.
    cities : the fake cities, one row per draw; the columns are the years from which they count as treated.
    pool : how many cities were drawn from.
    n_obs : rows of every regression.
    vcov : how the errors were computed.
    """

    draws: pd.DataFrame
    cities: pd.DataFrame
    pool: int
    n_obs: int
    vcov: str

    def p_value(self, t: float) -> float:
        """Return the two-sided randomisation p value of the actual ``t``: (1 + draws with |t| as large) / (1 + draws).

        The one added stands for the actual assignment; without it the test would reject too often [2]_. The actual
        ``t`` must come from the same formula, rows and kind of error.
        """
        if not np.isfinite(t):
            raise ParameterError(f"t = {t}: expected the t value of the actual treatment")
        extreme = int((self.draws["t"].abs() >= abs(t) * (1 - 1e-12)).sum())  # a tie must not hang on rounding
        return (1 + extreme) / (1 + len(self.draws))


def placebo(
    formula: str,
    data: pd.DataFrame,
    *,
    treatment: str,
    city: str,
    time: str,
    sizes: Mapping[int, int],
    draws: int = 500,
    seed: int = 0,
    vcov: str = "iid",
    pool: Collection[Hashable] | None = None,
) -> Placebo:
    r"""Re-estimate a regression with fake treatments of never-treated cities.

    In draw :math:`b`, disjoint sets :math:`C_s` of ``sizes[s]`` cities are drawn without replacement from the pool;
    the fake treatment :math:`D_{it} = \sum_s 1\{c(i) \in C_s\} 1\{t \ge s\}` takes the place of ``treatment``, on the
    same rows with the same controls and effects.

    If the regression is right, the fake estimates centre on zero and their t values show how the statistic behaves
    when there is nothing to find. The randomisation p value is valid if the treated cities were as good as drawn by the
    same lottery and the reform has no effect on anyone (sharp null) [1]_; for cities chosen for their prospects it
    describes, no more. It would be exact with the treated cities in the pool too; leaving them out keeps a real effect
    out of the fake estimates.

    *Which rows.* Those of ``data``. If the truly treated units are among them, their real effect is not modelled: it
    stays in their outcome, adds to the residual variance and, through the time effects, to the fake estimates. Pass
    ``data`` without the treated units for a placebo among the untreated alone.

    *Method.* Every fake treatment is a sum of blocks (city x start year). Controls and effects are partialled out of
    the blocks once (Frisch and Waugh 1933); a draw is then arithmetic on the blocks' cross-products.

    Parameters
    ----------
    formula : OLS, as in :func:`pilotzones.estimators.regression.regress`; ``treatment`` is one of its regressors.
    data : one row per unit and period.
    treatment : column that the fake treatment replaces; 0 in all rows of a never-treated city.
    city, time : columns that say where and when a row is; the city of a unit may change.
    sizes : first treated period -> number of fake cities, e.g. ``{2015: 1, 2016: 12, 2018: 22}``.
    seed : the first draws are the same however many follow, whatever the order of the rows.
    vcov : ``"iid"``, ``"hetero"`` or one-way ``"cluster:COLUMN"``.
    pool : the cities to draw from, those without a complete row being left out; None: all without a treated row.

    Returns
    -------
    Placebo

    Raises
    ------
    ParameterError
        No draws, sizes that are not positive, more fake cities than the pool has, a start outside the periods.
    DataError
        A city of the pool is treated, ``city`` or ``time`` is missing in a row used, or a fake treatment is collinear
        with the controls and effects.
    DeclarationError
        The formula is not OLS, or uses ``treatment`` not at all or in other terms too; two-way clusters.

    References
    ----------
    .. [1] Fisher, R. A. (1935). The Design of Experiments. Oliver and Boyd.
    .. [2] Phipson, B., Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in
       Genetics and Molecular Biology 9(1), 39.
    """
    where = f"placebo of '{treatment}'"
    require([treatment, city, time], data, where)
    if draws < 1:
        raise ParameterError(f"{where}: draws = {draws}, expected at least 1")
    if "+" in vcov:
        raise DeclarationError(f"{where}: vcov = '{vcov}', expected 'iid', 'hetero' or 'cluster:COLUMN'")
    if not sizes or min(sizes.values()) < 1:
        raise ParameterError(f"{where}: sizes = {dict(sizes)}, expected positive numbers of cities")

    # random numbers in the place of the treatment lend every draw its rows, controls, effects and degrees of freedom
    stand_in = pd.Series(np.random.default_rng(0).normal(size=len(data)), index=data.index)
    fit = regress(formula, data.assign(**{treatment: stand_in.where(data[treatment].notna())}), vcov)
    _check_terms(fit, treatment, where)
    rows = fit._fit.rows
    cities, periods = data[city].iloc[rows], data[time].iloc[rows]
    if lost := int((cities.isna() | periods.isna()).sum()):
        raise DataError(f"{where}: '{city}' or '{time}' is missing in {lost} of the {len(rows)} rows used")
    starts = sorted(sizes)
    if late := [s for s in starts if not periods.min() < s <= periods.max()]:
        raise ParameterError(
            f"{where}: start {late[0]} leaves no rows before or after it; '{time}' runs from {periods.min()} to "
            f"{periods.max()}"
        )
    treated = set(data.loc[data[treatment].fillna(0) != 0, city])
    if both := sorted(treated & set(pool or ())):
        raise DataError(f"{where}: '{city}' {both[0]} of the pool is treated")
    names = sorted(set(cities) - treated if pool is None else set(cities) & set(pool))
    wanted = sum(sizes.values())
    if wanted > len(names):
        raise ParameterError(f"{where}: {wanted} fake cities asked for, but only {len(names)} are never treated")

    drawn = _draw(len(names), wanted, draws, seed)
    of_city = pd.Index(names).get_indexer(pd.Index(cities))
    slot = np.repeat(np.arange(len(starts)), [sizes[s] for s in starts])
    post = periods.to_numpy()[:, None] >= np.asarray(starts)
    inside, k = np.nonzero(post & (of_city >= 0)[:, None])
    shape = len(rows), len(names) * len(starts)
    blocks = sparse.csr_array((np.ones(len(inside)), (inside, of_city[inside] * len(starts) + k)), shape=shape)
    draw = _estimate(fit, treatment, blocks, drawn * len(starts) + slot)
    if (bad := np.flatnonzero(np.isnan(draw["estimate"]))).size:
        listed = ", ".join(str(names[i]) for i in drawn[bad[0]][:5])
        raise DataError(
            f"{where}: the fake treatment of draw {bad[0]} ('{city}' {listed}{', ...' if wanted > 5 else ''}) is "
            f"collinear with the controls and effects ({len(bad)} of {draws} draws); expected a pool of cities that "
            "have a comparison"
        )
    return Placebo(
        draws=draw,
        cities=pd.DataFrame(
            np.asarray(names)[drawn],
            columns=pd.Index(np.asarray(starts)[slot], name="start"),
            index=draw.index,
        ),
        pool=len(names),
        n_obs=len(rows),
        vcov=vcov,
    )


def _draw(size: int, wanted: int, draws: int, seed: int) -> np.ndarray:
    """Return positions drawn without replacement, shape (draws, wanted); each row uses up ``size`` random numbers."""
    rng = np.random.default_rng(seed)
    parts = [
        rng.random((min(1024, draws - done), size)).argsort(axis=1, kind="stable")[:, :wanted]
        for done in range(0, draws, 1024)
    ]
    return np.concatenate(parts)


def _check_terms(fit: Regression, treatment: str, where: str) -> None:
    terms = list(fit.coefficients.index)
    if fit._fit.model._is_iv or treatment not in terms:
        raise DeclarationError(f"{where}: expected an OLS formula with the regressor '{treatment}': '{fit.formula}'")
    if other := [t for t in terms if t != treatment and re.search(rf"\b{re.escape(treatment)}\b", t)]:
        raise DeclarationError(f"{where}: '{other[0]}' contains '{treatment}' too; only one term can be replaced")


def _estimate(fit: Regression, treatment: str, blocks: sparse.csr_array, members: np.ndarray) -> pd.DataFrame:
    """Return estimate, standard error and t of every draw.

    Parameters
    ----------
    fit : the regression with a stand-in for the treatment.
    blocks : 0/1, shape (n, m).
    members : the blocks that make up each draw, shape (draws, cities).
    """
    model = fit._fit.model
    own = model._coefnames.index(treatment)
    controls = np.delete(model._X, own, axis=1)
    # what controls and effects leave of the stand-in and of the outcome
    left = np.column_stack([model._X[:, own], model._Y])
    left -= controls @ np.linalg.solve(controls.T @ controls, controls.T @ left)
    stand_in, y = left.T
    effects = [] if model._fe is None else [pd.factorize(model._fe[e])[0] for e in model._fe]
    absorbed, share = absorb(blocks, effects, controls)
    gram = (blocks.T @ blocks).toarray() - (absorbed.T @ blocks).T @ share

    x_y = (blocks.T @ y)[members].sum(axis=1)
    x_x = np.concatenate(
        [
            gram[part[:, :, None], part[:, None, :]].sum(axis=(1, 2))
            for part in np.array_split(members, -(-len(members) // 1024))
        ]
    )
    raw = blocks.sum(axis=0)[members].sum(axis=1)  # sum of squares of the 0/1 treatment before partialling out
    x_x[x_x < 1e-9 * raw] = np.nan
    estimate = x_y / x_x

    if fit.vcov == "iid":
        se = np.sqrt((y @ y - estimate * x_y) / x_x)
        known = np.linalg.norm(model._u_hat) / np.linalg.norm(stand_in)
    else:
        groups = np.arange(len(y))
        if fit.vcov != "hetero":
            groups = pd.factorize(fit._fit.data[fit.vcov.partition(":")[2].strip()].iloc[fit._fit.rows])[0]
        sums = sparse.csr_array((np.ones(len(y)), (groups, np.arange(len(y)))))
        meat = []
        for begin in range(0, len(members), CHUNK):
            part = members[begin : begin + CHUNK]
            chosen = np.zeros((blocks.shape[1], len(part)))
            chosen[part, np.arange(len(part))[:, None]] = 1.0
            x = blocks @ chosen - absorbed @ (share @ chosen)
            score = sums @ (x * (y[:, None] - x * estimate[begin : begin + CHUNK]))
            meat.append(np.einsum("gb,gb->b", score, score))
        se = np.sqrt(np.concatenate(meat)) / x_x
        known = np.linalg.norm(sums @ (stand_in * model._u_hat.ravel())) / (stand_in @ stand_in)
    # the small-sample factor is the same in every draw: read it off the stand-in
    se *= fit.coefficients.loc[treatment, "se"] / fit._fit.scale[treatment] / known
    unit = np.linalg.norm(fit._fit.residuals) / np.linalg.norm(model._u_hat)  # of the outcome, in the model's units
    table = {"estimate": unit * estimate, "se": unit * se, "t": estimate / se}
    return pd.DataFrame(table).rename_axis("draw")


def absorb(
    blocks: sparse.csr_array, effects: list[np.ndarray], controls: np.ndarray
) -> tuple[sparse.csr_array, np.ndarray]:
    """Return columns ``A`` and coefficients ``B`` such that ``blocks - A B`` is orthogonal to effects and controls.

    The effect with the most levels is eliminated exactly, the others solve a small system.

    Parameters
    ----------
    blocks : shape (n, m).
    effects : integer codes 0, 1, ..., shape (n,) each.
    controls : shape (n, k), already orthogonal to the effects.
    """
    n = blocks.shape[0]
    dummies = [sparse.csr_array((np.ones(n), (np.arange(n), codes))) for codes in effects]
    dummies.sort(key=lambda d: -d.shape[1])
    parts: list[sparse.csr_array] = []
    shares: list[np.ndarray] = []
    if dummies:
        largest, rest = dummies[0], dummies[1:]
        count = largest.sum(axis=0)[:, None]
        means = (largest.T @ blocks).toarray() / count
        if rest:
            small = sparse.csr_array(sparse.hstack(rest))
            shared = sparse.csr_array(largest.T @ small)
            system = (small.T @ small - shared.T @ shared.multiply(1 / count)).toarray()
            right = (small.T @ blocks).toarray() - shared.T @ means
            solved = _solve(system, right)
            means -= (shared @ solved) / count
            parts, shares = [small], [solved]
        parts, shares = [largest, *parts], [means, *shares]
    if controls.shape[1]:
        parts.append(sparse.csr_array(controls))
        shares.append(np.linalg.solve(controls.T @ controls, (blocks.T @ controls).T))
    if not parts:
        return sparse.csr_array((n, 1)), np.zeros((1, blocks.shape[1]))
    return sparse.csr_array(sparse.hstack(parts)), np.vstack(shares)


def _solve(system: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return a solution of ``system x = right``; levels that are redundant beside the others get zero.

    ``system`` is positive semi-definite, shape (l, l).
    """
    factor, pivots, rank, _ = linalg.lapack.dpstrf(system, tol=1e-10 * system.diagonal().max())
    kept = pivots[:rank] - 1
    solution = np.zeros_like(right)
    solution[kept] = linalg.cho_solve((factor[:rank, :rank], False), right[kept])
    return solution
