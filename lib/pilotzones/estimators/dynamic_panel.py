r"""Dynamic panel models by the generalised method of moments, in the conventions of Stata's xtabond2.

.. math:: y_{it} = \sum_{l=1}^{L} a_l y_{i,t-l} + x_{it}'b + \lambda_t + \mu_i + e_{it}

Least squares is inconsistent here: the lagged outcome contains the unit effect :math:`\mu_i`, and removing unit means
leaves it correlated with the mean of :math:`e_i` when there are few periods (Nickell 1981). *Difference* GMM [1]_
instruments the equation in first differences with earlier levels; *system* GMM [2]_ [3]_ adds the equation in levels,
instrumented with earlier differences.

*Identifying assumptions.* A variable with first lag ``f`` in ``instruments`` (2: endogenous, like the outcome; 1:
predetermined) satisfies

==============================  ==================================================================================
differenced equation            ``E[z_{i,t-l} (e_it - e_{i,t-1})] = 0`` for ``l >= f``: no serial correlation in
                                ``e``, and ``z`` answers no sooner than ``f`` says. A test for AR(2) in the
                                differenced residuals speaks to it; AR(1) is there by construction.
equation in levels (system)     ``E[dz_{i,t-f+1} (mu_i + e_it)] = 0``: *changes* of ``z`` are uncorrelated with the
                                unit effect. For the outcome this needs initial deviations from each unit's long-run
                                level that are unrelated to that level (stationary deviations).
``exogenous`` regressors        strictly exogenous; in system GMM with ``exogenous_in_levels`` also uncorrelated with
                                the unit effect. A treatment given to better units fails this, and its changes, being
                                theirs alone, do as well: neither it nor its differences may instrument levels.
==============================  ==================================================================================

*Too many instruments* [5]_. Their number grows with the square of the periods unless collapsed; they then overfit the
endogenous regressors, bias the estimates towards least squares, and weaken the Hansen test, whose p rises towards 1.
Keep them well below the number of units.

Conventions, each as in xtabond2
--------------------------------

==========================  ======================================================================================
lags and differences        by calendar: a year that is missing is a gap, not a step to the previous row
missing instruments         zero
``instruments``             one column per lag and period, or with ``collapse`` one per lag; in levels the difference
                            at lag ``f - 1`` alone (further ones add nothing to uncollapsed lags)
``exogenous``               one column: ``dx`` in the differenced and ``x`` (or zero, ``exogenous_in_levels``) in the
                            level equation: ``iv(x)`` and ``iv(x, eq(diff))``
periods, constant           instrument themselves, in the level equation only; difference GMM: their differences
one-step weights            ``(sum Z_i' H Z_i)^-1``, ``H`` the covariance of ``(de, e)`` if ``e`` is white noise and
                            there is no unit effect, ``h(3)``: also between the two equations
two-step weights            ``S^-1``, ``S = sum m_i m_i'``, ``m_i = Z_i' u_i`` with one-step residuals ``u_i``
standard errors             one step: clustered by unit; two steps: with Windmeijer's correction [4]_, without which
                            they are far too small. No small-sample factor; z statistics
Sargan                      one-step ``m' (sum Z_i' H Z_i)^-1 m / s2``, ``s2 = sum (du)^2 / 2 n_obs``; valid under
                            homoskedasticity only. In system GMM ``n_obs`` exceeds the number of differences ``du``,
                            so that ``s2`` is too small and the test rejects too often
Hansen                      two-step ``m' S^-1 m``, also after one step
difference-in-Hansen        Hansen less that of the model without the instruments in question, ``S`` unchanged
AR(m)                       Arellano and Bond's: differenced residuals against those m years earlier
``n_obs``                   rows of the level equation in system GMM, differenced rows otherwise
singular matrices           Moore-Penrose inverse, after scaling each instrument to a mean square of one
==========================  ======================================================================================

References
----------
.. [1] Arellano, M., Bond, S. (1991). Some tests of specification for panel data: Monte Carlo evidence and an
   application to employment equations. Review of Economic Studies 58, 277-297.
.. [2] Arellano, M., Bover, O. (1995). Another look at the instrumental variable estimation of error-components models.
   Journal of Econometrics 68, 29-51.
.. [3] Blundell, R., Bond, S. (1998). Initial conditions and moment restrictions in dynamic panel data models. Journal
   of Econometrics 87, 115-143.
.. [4] Windmeijer, F. (2005). A finite sample correction for the variance of linear efficient two-step GMM estimators.
   Journal of Econometrics 126, 25-51.
.. [5] Roodman, D. (2009). A note on the theme of too many instruments. Oxford Bulletin of Economics and Statistics 71,
   135-158.
.. [6] Roodman, D. (2009). How to do xtabond2: an introduction to difference and system GMM in Stata. Stata Journal 9,
   86-136.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.regression import CONSTANT, require

# of singular values, relative to the largest
TOLERANCE = 1e-11


@dataclass(frozen=True, eq=False)
class DynamicPanel:
    """An estimated dynamic panel model.

    Attributes
    ----------
    coefficients : one row per term, lagged outcomes first (``L1.y``); columns ``estimate``, ``se``, ``t``, ``p``,
        ``low``, ``high`` (95% interval), from the normal distribution. A period is named ``year_2012``; its
        coefficient is the difference from the first period.
    n_obs : rows used, of the level equation in system GMM, of the differenced one otherwise.
    n_units : units with such a row.
    n_instruments : linearly independent instruments, the constant and the periods included.
    tests : one row per specification test; columns ``statistic`` (z of AR, else chi2), ``df`` (nan for z), ``p`` and
        ``null``, the hypothesis in words. ``Difference-in-Hansen: ...`` for the level equation's instruments and for
        each variable of ``instruments`` and ``exogenous``; no row for those that the rest could not replace.
    notes : what to know before trusting the result: more instruments than units, a test that cannot be computed.
    """

    coefficients: pd.DataFrame
    n_obs: int
    n_units: int
    n_instruments: int
    tests: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Design:
    """The equations of N units: T differenced rows each, then, in system GMM, T in levels; unused rows are zero."""

    y: np.ndarray  # (N, R), R = T or 2 T
    x: np.ndarray  # (N, R, K)
    z: np.ndarray  # (N, R, q)
    terms: list[str]  # K
    groups: np.ndarray  # (q,) what each instrument is made of
    for_levels: np.ndarray  # (q,) whether it is a difference instrumenting the level equation
    differenced: np.ndarray  # (N, T) whether the differenced row is used


def gmm(
    data: pd.DataFrame,
    outcome: str,
    regressors: Iterable[str],
    *,
    unit: str,
    time: str,
    instruments: Mapping[str, tuple[int, int]],
    exogenous: Iterable[str] = (),
    lags: int = 1,
    system: bool = True,
    collapse: bool = True,
    steps: Literal[1, 2] = 2,
    time_effects: bool = True,
    exogenous_in_levels: bool = True,
) -> DynamicPanel:
    """Estimate a dynamic panel model by difference or system GMM; see the module for assumptions and conventions.

    Parameters
    ----------
    data : one row per unit and period, shape (n, columns); not modified. A row with a missing outcome or regressor is
        a gap; what it does hold still serves as an instrument.
    outcome, regressors : columns of the same period. The lags of the outcome are added.
    unit, time : columns; periods are whole numbers.
    instruments : variable -> first and last lag of its levels in the differenced equation, ``{"y": (2, 4)}``; in
        system GMM its difference at lag ``first - 1`` instruments the level equation.
    exogenous : columns that are their own instruments.
    lags : lags of the outcome among the regressors, at least 1.
    system : add the equation in levels, with a constant.
    collapse : one instrument per lag in place of one per lag and period.
    steps : 1, or 2 for the efficient weights.
    time_effects : add an effect of each period.
    exogenous_in_levels : whether ``exogenous`` columns instrument the level equation of system GMM, too. False if the
        units that have more of them differ to begin with, as treated and untreated places usually do.

    Raises
    ------
    ParameterError
        ``lags`` or ``steps`` out of range, or an instrument's lags that are not 1 <= first <= last.
    DeclarationError
        A column that does not exist; a regressor without variation or collinear with others; fewer instruments than
        coefficients.
    DataError
        A unit or period that is missing, a period that is not a whole number, a unit with two rows in one period,
        text or infinite values, no rows, or no unit observed in ``lags + 2`` consecutive periods.
    """
    where = f"GMM for '{outcome}'"
    regressors, exogenous = list(dict.fromkeys(regressors)), list(dict.fromkeys(exogenous))
    if lags < 1 or steps not in (1, 2):
        raise ParameterError(f"{where}: lags = {lags}, steps = {steps}: expected at least one lag, and 1 or 2 steps")
    for variable, (first, last) in instruments.items():
        if not 1 <= first <= last:
            raise ParameterError(f"{where}: lags {first} to {last} of '{variable}': expected 1 <= first <= last")
    if outcome in regressors:
        raise DeclarationError(f"{where}: the outcome is among the regressors; its lags are added by `lags`")
    columns = list(dict.fromkeys([outcome, *regressors, *instruments, *exogenous]))
    require([*columns, unit, time], data, where)
    cubes, periods = _cubes(data, columns, unit, time, where)

    y = cubes[outcome]
    x = {f"L{lag}.{outcome}": _lag(y, lag) for lag in range(1, lags + 1)} | {name: cubes[name] for name in regressors}
    complete = ~np.isnan(np.stack([y, *x.values(), *(cubes[name] for name in exogenous)])).any(axis=0)
    differenced = complete & (_lag(complete, 1) == 1)
    if not differenced.any():
        raise DataError(
            f"{where}: no '{unit}' has complete rows in {lags + 2} consecutive periods of '{time}', as {lags} lag(s) "
            "and a difference need"
        )
    rows = np.hstack([differenced, complete]) if system else differenced
    zero, one = np.zeros_like(y), np.ones_like(y)

    def stack(in_differences: np.ndarray, in_levels: np.ndarray) -> np.ndarray:
        both = np.hstack([in_differences, in_levels]) if system else in_differences
        return np.where(rows, np.nan_to_num(both), 0.0)

    # of the level equation the first period is the base; the differenced one has none: its first rows look back to it
    covered = np.flatnonzero(complete.any(axis=0))[1:] if system else np.flatnonzero(differenced.any(axis=0))
    own = {f"{time}_{periods[t]}": one * (periods == periods[t]) for t in covered if time_effects}
    if system:
        own[CONSTANT] = one

    z = [(name, False, stack(zero if system else _difference(dummy), dummy)) for name, dummy in own.items()]
    in_levels = 1.0 if exogenous_in_levels else 0.0
    z += [(f"iv({name})", False, stack(_difference(cubes[name]), in_levels * cubes[name])) for name in exogenous]
    for name, (first, last) in instruments.items():
        reach = range(first, min(last, len(periods) - 1) + 1)
        made = [(f"gmm({name})", False, stack(_lag(cubes[name], lag), zero)) for lag in reach]
        if system:
            made += [(f"gmm({name})", True, stack(zero, _lag(_difference(cubes[name]), first - 1)))]
        if not collapse:
            made = [(group, levels, column * at) for group, levels, column in made for at in np.eye(rows.shape[1])]
        z += [each for each in made if each[2].any()]
    terms = x | own
    if not z:
        raise DeclarationError(f"{where}: no instruments for {len(terms)} coefficients")
    design = _Design(
        y=stack(_difference(y), y),
        x=np.stack([stack(_difference(level), level) for level in terms.values()], axis=2),
        z=np.stack([column for _, _, column in z], axis=2),
        terms=list(terms),
        groups=np.array([group for group, _, _ in z]),
        for_levels=np.array([levels for _, levels, _ in z]),
        differenced=differenced,
    )
    return _estimate(
        design,
        steps,
        where,
        n_obs=int((complete if system else differenced).sum()),
        n_units=int(rows.any(axis=1).sum()),
        ar2_years=lags + 4,
    )


def _estimate(d: _Design, steps: int, where: str, n_obs: int, n_units: int, ar2_years: int) -> DynamicPanel:
    """Solve the one-step and the two-step problem and test the specification."""
    n_periods, k = d.differenced.shape[1], len(d.terms)
    unit_x, unit_z = (np.sqrt(np.mean(each**2, axis=(0, 1))) for each in (d.x, d.z))
    if flat := [term for term, size in zip(d.terms, unit_x, strict=True) if size == 0]:
        raise DeclarationError(f"{where}: '{flat[0]}' is zero, or constant in each unit, in the rows used")
    y, x, z = d.y, d.x / unit_x, d.z / np.where(unit_z, unit_z, 1.0)
    across = z.transpose(0, 2, 1)
    zx_i, zy_i = across @ x, (across @ y[:, :, None])[:, :, 0]
    zx, zy = zx_i.sum(axis=0), zy_i.sum(axis=0)
    gram = np.tensordot(z, z, ((0, 1), (0, 1)))
    n_instruments = _rank(gram)
    if n_instruments < k:
        raise DeclarationError(f"{where}: {n_instruments} independent instruments for {k} coefficients")
    # backwards, so that of collinear terms a regressor is named, not a period
    diagonal = np.abs(np.diag(np.linalg.qr(zx[:, ::-1], mode="r")))[::-1]
    if (lost := diagonal < 1e-9 * diagonal.max()).any():
        raise DeclarationError(
            f"{where}: '{d.terms[int(lost.argmax())]}' is collinear with other regressors, or unrelated to all "
            "instruments"
        )

    def solve(weights: np.ndarray, kept: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        projected = zx[kept].T @ weights
        bread = np.linalg.inv(projected @ zx[kept])
        return bread @ projected @ zy[kept], bread

    step = np.eye(n_periods) - np.eye(n_periods, k=-1)  # from errors to their differences
    system = x.shape[1] > n_periods
    h = np.block([[step @ step.T, step], [step.T, np.eye(n_periods)]]) if system else step @ step.T
    one_step = _inverse(np.tensordot(z, h @ z, ((0, 1), (0, 1))))
    b1, bread1 = solve(one_step)
    m1 = zy_i - zx_i @ b1
    s = m1.T @ m1
    v1 = bread1 @ zx.T @ one_step @ s @ one_step @ zx @ bread1
    two_step = _inverse(s)
    b2, bread2 = solve(two_step)
    pull = two_step @ (zy - zx @ b2)
    # Windmeijer: how the two-step estimate moves with the one-step estimate in its weights
    moved = np.tensordot(m1 @ pull, zx_i, 1) + m1.T @ (zx_i.transpose(0, 2, 1) @ pull)
    shift = bread2 @ zx.T @ two_step @ moved
    v2 = bread2 + shift @ bread2 + bread2 @ shift.T + shift @ v1 @ shift.T
    b, v, bread, weights = (b2, v2, bread2, two_step) if steps == 2 else (b1, v1, bread1, one_step)

    notes = []
    if n_instruments > n_units:
        notes.append(f"more instruments ({n_instruments}) than units ({n_units}): estimates and Hansen test overfit")
    if (rank := _rank(s)) < n_instruments:
        notes.append(f"covariance of the moments has rank {rank} of {n_instruments}: generalised inverse")
    tests: dict[str, tuple[float, float, float, str]] = {}

    residual, m = y - x @ b, zy_i - zx_i @ b
    e = residual[:, :n_periods]
    for order in (1, 2):
        before = np.where(d.differenced, np.nan_to_num(_lag(np.where(d.differenced, e, np.nan), order)), 0.0)
        products = np.sum(before * e, axis=1)
        lean = np.tensordot(before, x[:, :n_periods], 2)
        variance = products @ products - 2 * lean @ bread @ zx.T @ weights @ (m.T @ products) + lean @ v @ lean
        statistic = products.sum() / np.sqrt(variance) if variance > 0 else np.nan
        if not before.any():
            notes.append(f"no AR({order}) test: it needs a unit with {ar2_years - 2 + order} consecutive periods")
        null = f"no correlation of order {order} in the differenced errors"
        tests[f"AR({order})"] = (statistic, np.nan, 2 * stats.norm.sf(abs(statistic)), null)

    def chi2(name: str, statistic: float, df: int, null: str) -> None:
        tests[name] = (statistic, df, stats.chi2.sf(statistic, df) if df else np.nan, null)

    e1 = (y - x @ b1)[:, :n_periods]
    s2 = np.sum(e1**2) / (2 * n_obs)
    g1, hansen = zy - zx @ b1, float((zy - zx @ b2) @ pull)
    chi2("Sargan", float(g1 @ one_step @ g1 / s2), n_instruments - k, "all instruments are valid, homoskedastic errors")
    chi2("Hansen", hansen, n_instruments - k, "all instruments are valid")
    subsets = {"level equation": d.for_levels} | {g: d.groups == g for g in dict.fromkeys(d.groups) if "(" in g}
    for name, subset in subsets.items():
        kept = np.flatnonzero(~subset)
        left = _rank(gram[np.ix_(kept, kept)])
        if not subset.any() or left < k or np.linalg.matrix_rank(zx[kept]) < k:
            continue
        inverse = _inverse(s[np.ix_(kept, kept)])
        without, _ = solve(inverse, kept)
        g = zy[kept] - zx[kept] @ without
        null = f"the instruments {name} are valid, given that the others are"
        chi2(f"Difference-in-Hansen: {name}", hansen - float(g @ inverse @ g), n_instruments - left, null)

    estimate, se = pd.Series(b / unit_x, d.terms), pd.Series(np.sqrt(np.diag(v)) / unit_x, d.terms)
    table = {"estimate": estimate, "se": se, "t": estimate / se, "p": 2 * stats.norm.sf((estimate / se).abs())}
    reach = stats.norm.ppf(0.975) * se
    return DynamicPanel(
        coefficients=pd.DataFrame(table | {"low": estimate - reach, "high": estimate + reach}).rename_axis("term"),
        n_obs=n_obs,
        n_units=n_units,
        n_instruments=n_instruments,
        tests=pd.DataFrame(tests, ["statistic", "df", "p", "null"]).T.rename_axis("test").infer_objects(),
        notes=tuple(notes),
    )


def _cubes(
    data: pd.DataFrame, columns: list[str], unit: str, time: str, where: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return each column as an array (units, periods), nan where there is no row, and the periods without gaps."""
    if data.empty:
        raise DataError(f"{where}: no rows")
    for column in (unit, time):
        if missing := int(data[column].isna().sum()):
            raise DataError(f"{where}: '{column}' is missing in {missing} rows")
    if not pd.api.types.is_numeric_dtype(data[time]) or (data[time] % 1 != 0).any():
        raise DataError(f"{where}: '{time}' has values that are not whole periods")
    if (twice := data.duplicated([unit, time])).any():
        first = data.loc[twice, [unit, time]].iloc[0]
        raise DataError(
            f"{where}: {int(twice.sum())} repeated rows of the same '{unit}' and '{time}', first {first[unit]}, "
            f"{first[time]}"
        )
    code = pd.factorize(data[unit], sort=True)[0]
    year = data[time].to_numpy().astype(int)
    periods = np.arange(year.min(), year.max() + 1)
    cubes = {}
    for column in columns:
        if not pd.api.types.is_numeric_dtype(data[column]):
            raise DataError(f"{where}: '{column}' is not a column of numbers")
        values = data[column].to_numpy(float, na_value=np.nan)
        if np.isinf(values).any():
            raise DataError(f"{where}: infinite values in '{column}'")
        cubes[column] = np.full((code.max() + 1, len(periods)), np.nan)
        cubes[column][code, year - periods[0]] = values
    return cubes, periods


def _lag(values: np.ndarray, lag: int) -> np.ndarray:
    """Return what ``values``, shape (units, periods), were ``lag`` periods earlier; nan before the first."""
    lagged = np.full(values.shape, np.nan)
    lagged[:, lag:] = values[:, : max(values.shape[1] - lag, 0)]
    return lagged


def _difference(values: np.ndarray) -> np.ndarray:
    return values - _lag(values, 1)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.pinv(matrix, rcond=TOLERANCE, hermitian=True)


def _rank(matrix: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(matrix, hermitian=True, rtol=TOLERANCE))
