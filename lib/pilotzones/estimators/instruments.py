r"""Can the instruments carry the estimate? Tests of a two-stage least squares regression with one endogenous variable.

All statistics are computed after the absorbed effects and the exogenous regressors are partialled out of the outcome
``y``, the endogenous variable ``x`` and the ``L`` instruments ``Z`` (Frisch and Waugh 1933), with ``n`` rows, ``K``
parameters of the first stage (effects included, counted as in :mod:`pilotzones.estimators.regression`) and ``G``
clusters. ``r2`` is the squared partial correlation of ``x`` with ``Z``.

====================  ===================================================  ===================  ========
statistic             formula                                              distribution         errors
====================  ===================================================  ===================  ========
First-stage F         ``x'Z S^-1 Z'x / L``, small-sample factor below      F(L, df)             vcov
Anderson LM           ``n r2``                                             chi2(L)              iid
Cragg-Donald F        ``(n - K) / L  r2 / (1 - r2)``                       F(L, n - K)          iid
Kleibergen-Paap LM    rank test, scores of ``x``                           chi2(L)              vcov
Kleibergen-Paap F     rank test, scores of the first stage's residuals     F(L, df)             vcov
Sargan                ``n u'P_Z u / u'u``, 2SLS residuals ``u``            chi2(L - 1)          iid
Hansen J              ``n g' W g``, two-step GMM                           chi2(L - 1)          vcov
Anderson-Rubin F      the first-stage F with ``y`` in the place of ``x``   F(L, df)             vcov
====================  ===================================================  ===================  ========

- ``S`` is the variance of the scores ``Z'v``, ``v`` the residuals on ``Z``; ``df`` is ``n - K``, or ``G - 1`` with
  clusters. Small-sample factor of the F statistics: ``(n - K) / n`` (iid, hetero), ``(n - K) / (n - 1) (G - 1) / G``
  (cluster). Stata's ivreg2 uses the same ones; its p-values with clusters rest on the same ``G - 1``.
- With one endogenous variable the Kleibergen-Paap F is the first-stage F under ``vcov``, and the Cragg-Donald F is the
  one under iid errors. All are shown because papers print any of them.
- Anderson LM, Cragg-Donald F and Sargan are valid under iid errors only, whatever ``vcov``: their ``K`` counts every
  level of the effects. fixest and ivreghdfe print a Cragg-Donald F with the ``K`` of the clusters asked for, which is
  larger by the ratio of the two ``n - K``.
- Stock and Yogo's critical values are for the Cragg-Donald F under iid errors; holding a Kleibergen-Paap F against them
  is a habit, not a theorem.

References
----------
.. [1] Anderson, T. W., Rubin, H. (1949). Estimation of the parameters of a single equation in a complete system of
   stochastic equations. Annals of Mathematical Statistics 20, 46-63.
.. [2] Baum, C. F., Schaffer, M. E., Stillman, S. (2007). Enhanced routines for instrumental variables/generalized
   method of moments estimation and testing. Stata Journal 7, 465-506.
.. [3] Kleibergen, F., Paap, R. (2006). Generalized reduced rank tests using the singular value decomposition. Journal
   of Econometrics 133, 97-126.
.. [4] Stock, J. H., Yogo, M. (2005). Testing for weak instruments in linear IV regression. In Identification and
   Inference for Econometric Models, 80-108. Cambridge University Press.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from linearmodels.iv import IV2SLS, IVGMM, IVLIML
from linearmodels.iv.common import kleibergen_paap, kleibergen_paap_f
from scipy import linalg, sparse, stats

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.placebo import absorb
from pilotzones.estimators.regression import Regression, regress

# Stock and Yogo (2005), tables 5.1 (2SLS bias relative to that of OLS) and 5.2 (true size of a 5% Wald test), for one
# endogenous variable and 1 to 30 instruments; the bias of 2SLS with fewer than three instruments is not tabulated
_LIMITS = (("bias", 0.05), ("bias", 0.10), ("bias", 0.20), ("bias", 0.30),
           ("size", 0.10), ("size", 0.15), ("size", 0.20), ("size", 0.25))  # fmt: skip
_CRITICAL = """
-      -      -     -     16.38  8.96  6.66  5.53
-      -      -     -     19.93 11.59  8.75  7.25
13.91  9.08  6.46  5.39  22.30 12.83  9.54  7.80
16.85 10.27  6.71  5.34  24.58 13.96 10.26  8.31
18.37 10.83  6.77  5.25  26.87 15.09 10.98  8.84
19.28 11.12  6.76  5.15  29.18 16.23 11.72  9.38
19.86 11.29  6.73  5.07  31.50 17.38 12.48  9.93
20.25 11.39  6.69  4.99  33.84 18.54 13.24 10.50
20.53 11.46  6.65  4.92  36.19 19.71 14.01 11.07
20.74 11.49  6.61  4.86  38.54 20.88 14.78 11.65
20.90 11.51  6.56  4.80  40.90 22.06 15.56 12.23
21.01 11.52  6.53  4.75  43.27 23.24 16.35 12.82
21.10 11.52  6.49  4.71  45.64 24.42 17.14 13.41
21.18 11.52  6.45  4.67  48.01 25.61 17.93 14.00
21.23 11.51  6.42  4.63  50.39 26.80 18.72 14.60
21.28 11.50  6.39  4.59  52.77 27.99 19.51 15.19
21.31 11.49  6.36  4.56  55.15 29.19 20.31 15.79
21.34 11.48  6.33  4.53  57.53 30.38 21.10 16.39
21.36 11.46  6.31  4.51  59.92 31.58 21.90 16.99
21.38 11.45  6.28  4.48  62.30 32.77 22.70 17.60
21.39 11.44  6.26  4.46  64.69 33.97 23.50 18.20
21.40 11.42  6.24  4.43  67.07 35.17 24.30 18.80
21.41 11.41  6.22  4.41  69.46 36.37 25.10 19.41
21.41 11.40  6.20  4.39  71.85 37.57 25.90 20.01
21.42 11.38  6.18  4.37  74.24 38.77 26.71 20.61
21.42 11.37  6.16  4.35  76.62 39.97 27.51 21.22
21.42 11.36  6.14  4.34  79.01 41.17 28.31 21.83
21.42 11.34  6.13  4.32  81.40 42.37 29.12 22.43
21.42 11.33  6.11  4.31  83.79 43.57 29.92 23.04
21.42 11.32  6.09  4.29  86.17 44.78 30.72 23.65
"""

IRRELEVANT = "the instruments do not move the endogenous variable"
VALID = "all instruments are uncorrelated with the error, given that one of them is"
NO_EFFECT = "the coefficient is zero and all instruments are uncorrelated with the error"
_BATCH = 64  # sets of instruments partialled out at a time
_LINEARMODELS = {"iid": "unadjusted", "hetero": "robust"}


@dataclass(frozen=True)
class ConfidenceSet:
    """All values of a coefficient that a test does not reject.

    Attributes
    ----------
    intervals : pairs of bounds in ascending order, in units of the coefficient; infinite where the set has no bound.
    level : confidence level, e.g. 0.95.
    """

    intervals: tuple[tuple[float, float], ...]
    level: float

    @property
    def shape(self) -> Literal["empty", "interval", "half line", "whole line", "disjoint"]:
        """Return what the set looks like; a disjoint one can be bounded or not."""
        if len(self.intervals) != 1:
            return "disjoint" if self.intervals else "empty"
        open_ends = int(np.isinf(self.intervals[0]).sum())
        return ("interval", "half line", "whole line")[open_ends]

    @property
    def bounded(self) -> bool:
        """Return whether the set excludes arbitrarily large values."""
        return not np.isinf(self.intervals).any()

    def __contains__(self, value: float) -> bool:
        return any(low <= value <= high for low, high in self.intervals)

    def __str__(self) -> str:
        if self.shape == "empty":
            return "empty: every value is rejected, so the instruments are not valid together"
        if self.shape == "whole line":
            return "the whole line: the data exclude no value"
        text = " and ".join(f"[{low:.4g}, {high:.4g}]" for low, high in self.intervals)
        text = text.replace("[-inf", "(-inf").replace("inf]", "inf)")
        return text if self.bounded else f"{text}: unbounded, the instruments are weak"


@dataclass(frozen=True, eq=False)
class Identification:
    """Both stages of a 2SLS regression and what speaks for and against its instruments.

    Attributes
    ----------
    first_stage : the endogenous variable on the instruments, the exogenous regressors and the effects, same rows.
    second_stage : the 2SLS estimates.
    tests : one row per statistic of the module's table; columns ``statistic``, ``distribution`` (under the null),
        ``p``, ``errors`` (the ``vcov`` it is valid under) and ``null``, the hypothesis in words. With one instrument
        Sargan and Hansen J are zero by construction, have no degrees of freedom and p = nan: nothing can be tested.
    stock_yogo : critical values of the Cragg-Donald F; columns ``criterion`` (``"size"``: rejection rate of a 5% test
        of the coefficient; ``"bias"``: bias of 2SLS relative to OLS), ``limit`` (its tolerated maximum) and
        ``critical_value``: a larger F rejects that the limit is exceeded, at 5%. No rows beyond 30 instruments.
    anderson_rubin : confidence set of the coefficient that is valid however weak the instruments are.
    liml : limited-information maximum likelihood estimate of the coefficient, less biased than 2SLS when the
        instruments are weak; equal to it with one instrument.
    endogenous, instruments : names.
    """

    first_stage: Regression
    second_stage: Regression
    tests: pd.DataFrame
    stock_yogo: pd.DataFrame
    anderson_rubin: ConfidenceSet
    liml: float
    endogenous: str
    instruments: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Partialled:
    """What effects and exogenous regressors leave of the variables; ``z`` (n, L) is orthonormal."""

    y: np.ndarray
    x: np.ndarray
    z: np.ndarray
    groups: np.ndarray | None  # cluster codes
    iid: bool
    df_first: int  # n - K under vcov
    df_iid: int  # n - K with every level counted

    @property
    def factor(self) -> float:
        """Return the small-sample factor of the F statistics."""
        n = len(self.y)
        if self.groups is None:
            return self.df_first / n
        return self.df_first / (n - 1) * (self.df_denominator / (self.df_denominator + 1))

    @property
    def df_denominator(self) -> int:
        """Return the denominator's degrees of freedom of the F statistics."""
        return self.df_first if self.groups is None else int(self.groups.max())

    def scores(self, v: np.ndarray) -> np.ndarray:
        """Return the score rows z_i v_i, summed within clusters, shape (n or G, L)."""
        rows = self.z * v[:, None]
        if self.groups is None:
            return rows
        return np.column_stack([np.bincount(self.groups, column) for column in rows.T])

    def covariance(self, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return the covariance of the scores of two residual series, shape (L, L)."""
        if self.iid:
            return np.eye(self.z.shape[1]) * (v @ w / len(v))
        return self.scores(v).T @ self.scores(w)

    def residual(self, v: np.ndarray) -> np.ndarray:
        """Return what the instruments leave of a variable."""
        return v - self.z @ (self.z.T @ v)

    def f_statistic(self, v: np.ndarray) -> float:
        """Return the F statistic of the instruments in a regression of ``v`` on them."""
        moments, left = self.z.T @ v, self.residual(v)
        wald = moments @ np.linalg.solve(self.covariance(left, left), moments)
        return float(self.factor * wald / len(moments))


def identification(
    formula: str,
    data: pd.DataFrame,
    vcov: str = "iid",
    *,
    level: float = 0.95,
    singletons: Literal["keep", "drop"] = "keep",
) -> Identification:
    """Estimate both stages of a 2SLS regression with one endogenous variable and test its instruments.

    ``x_it = z_it p + w_it d + a_i + v_it`` and ``y_it = b x_it + w_it g + a_i + u_it``: ``b`` is identified if the
    instruments ``z`` move ``x`` (relevance, ``p`` not zero) and are uncorrelated with ``u`` given the exogenous
    regressors ``w`` and the effects (validity). Relevance is tested by the first-stage statistics; validity only as far
    as the instruments contradict each other, and not at all if there is just one.

    Parameters
    ----------
    formula : ``"y ~ w1 + w2 | firm + year | x ~ z1 + z2"`` or, without effects, ``"y ~ w1 + w2 | x ~ z1 + z2"``.
    data, singletons : as in :func:`pilotzones.estimators.regression.regress`.
    vcov : ``"iid"``, ``"hetero"`` or ``"cluster:city"``.
    level : confidence level of the Anderson-Rubin set.

    Raises
    ------
    DeclarationError
        No instrument, collinear instruments, an endogenous variable that is the outcome or an exact function of the
        instruments, two-way clusters; else as in :func:`pilotzones.estimators.regression.regress`.
    DataError
        No more clusters than instruments; else as in :func:`pilotzones.estimators.regression.regress`.
    """
    where = f"formula '{formula}'"
    parts = [part.strip() for part in formula.split("|")]
    if len(parts) not in (2, 3) or "~" not in parts[0] or "~" not in parts[-1]:
        raise DeclarationError(f"{where}: expected 'outcome ~ exogenous | effects | endogenous ~ instruments'")
    if not 0 < level < 1:
        raise DeclarationError(f"level = {level}: expected a confidence level between 0 and 1")
    if vcov.startswith("cluster:") and "+" in vcov:
        raise DeclarationError(f"vcov = '{vcov}': tests of instruments are defined for one cluster variable")
    exogenous = parts[0].split("~", 1)[1].strip()
    endogenous, excluded = (side.strip() for side in parts[-1].split("~", 1))

    second = regress(formula, data, vcov, singletons=singletons)
    model = second._fit.model
    instruments = tuple(str(c) for c in model._coefnames_z if c not in model._coefnames)
    if lost := [str(c) for c in model._collin_vars_z if c not in model._collin_vars]:
        raise DeclarationError(f"{where}: instrument {', '.join(lost)} collinear with the others, given the regressors")

    used = second._fit.data.iloc[second._fit.rows]
    partialled = _partial_out(second, endogenous, used, vcov)
    if partialled.groups is not None and partialled.df_denominator < len(instruments):
        raise DataError(
            f"{where}: {partialled.df_denominator + 1} clusters for {len(instruments)} instruments; "
            "more clusters than instruments are needed"
        )
    if np.sum(partialled.residual(partialled.x) ** 2) < 1e-14 * np.sum(partialled.x**2):
        raise DeclarationError(f"{where}: the instruments determine '{endogenous}' exactly")

    effects = f" | {parts[1]}" if len(parts) == 3 else ""
    first = regress(f"{endogenous} ~ {exogenous} + {excluded}{effects}", used, vcov)
    units = second._fit.scale[endogenous]
    return Identification(
        first_stage=first,
        second_stage=second,
        tests=_tests(partialled, vcov),
        stock_yogo=stock_yogo(len(instruments)),
        anderson_rubin=_anderson_rubin(partialled, units, level),
        liml=float(IVLIML(partialled.y, None, partialled.x, partialled.z).fit().params.iloc[0] * units),
        endogenous=endogenous,
        instruments=instruments,
    )


def stock_yogo(instruments: int) -> pd.DataFrame:
    """Return Stock and Yogo's critical values for one endogenous variable [4]_; see :class:`Identification`.

    Parameters
    ----------
    instruments : number of excluded instruments; beyond 30 nothing is tabulated and the table is empty.
    """
    lines = _CRITICAL.split("\n")[1:-1]
    printed = lines[instruments - 1].split() if 1 <= instruments <= len(lines) else []
    rows = [(*limit, float(value)) for limit, value in zip(_LIMITS, printed, strict=False) if value != "-"]
    return pd.DataFrame(rows, columns=["criterion", "limit", "critical_value"])


def with_other_instruments(
    formula: str,
    data: pd.DataFrame,
    cells: pd.Series,
    others: Sequence[pd.DataFrame],
    vcovs: Sequence[str],
    *,
    singletons: Literal["keep", "drop"] = "keep",
) -> dict[str, pd.DataFrame]:
    """Estimate a 2SLS regression anew with other instruments in the place of its own, on the same rows.

    Effects and exogenous regressors are partialled out once, so that hundreds of instruments take seconds. With the
    regression's own instruments the result is that of :func:`identification`.

    Parameters
    ----------
    formula, data, singletons : as in :func:`identification`.
    cells : where the instruments vary, e.g. city and year; a label for each row of ``data``.
    others : sets of instruments; rows = all cells, indexed by their labels.
    vcovs : the errors wanted, each as in :func:`identification`.

    Returns
    -------
    By ``vcov``, one row per set: first-stage ``F``, the 2SLS ``estimate``, its ``se`` and ``t``. Missing where a set
    has no variation left or is collinear.

    Raises
    ------
    DataError
        If an instrument is missing in a row used; else as in :func:`identification`.
    """
    endogenous = formula.rpartition("|")[2].partition("~")[0].strip()
    second = regress(formula, data, singletons=singletons)
    model, rows = second._fit.model, second._fit.rows
    partialled = {vcov: _partial_out(second, endogenous, data.iloc[rows], vcov) for vcov in vcovs}
    exogenous = np.delete(model._X, [str(c) for c in model._coefnames].index(endogenous), axis=1)
    effects = [] if model._fe is None else [pd.factorize(model._fe[e])[0] for e in model._fe]
    code, labels = pd.factorize(cells.iloc[rows])
    selector = sparse.csr_array((np.ones(len(code)), (np.arange(len(code)), code)))
    absorbed, share = absorb(selector, effects, exogenous)

    values = [other.reindex(labels).to_numpy(float) for other in others]
    for number, value in enumerate(values):
        if (gaps := np.isnan(value).any(axis=1)).any():
            raise DataError(f"other instruments {number}: no value in cell {labels[gaps][0]} ({gaps.sum()} such cells)")
    found: dict[str, list[tuple[float, float, float]]] = {vcov: [] for vcov in vcovs}
    for begin in range(0, len(values), _BATCH):
        batch = values[begin : begin + _BATCH]
        shares = np.split(share @ np.hstack(batch), np.cumsum([v.shape[1] for v in batch])[:-1], axis=1)
        for value, own in zip(batch, shares, strict=True):
            z = selector @ value
            q, r = np.linalg.qr(z - absorbed @ own)
            empty = (np.abs(np.diag(r)) < 1e-7 * np.linalg.norm(z, axis=0)).any()
            for vcov, p in partialled.items():
                found[vcov].append((np.nan, np.nan, np.nan) if empty else _two_stages(replace(p, z=q)))
    tables = {}
    for vcov, rows_found in found.items():
        table = pd.DataFrame(rows_found, columns=["F", "estimate", "se"])
        table[["estimate", "se"]] *= second._fit.scale[endogenous]
        tables[vcov] = table.assign(t=table["estimate"] / table["se"])
    return tables


def _two_stages(p: _Partialled) -> tuple[float, float, float]:
    """Return first-stage F, the 2SLS estimate and its standard error, in units of the partialled-out variables."""
    n, k = p.z.shape
    fitted = p.z @ (p.z.T @ p.x)
    strength = fitted @ fitted
    estimate = float(fitted @ p.y / strength)
    u = p.y - p.x * estimate
    left = p.df_first + k - 1  # the second stage has one parameter in the place of the k instruments
    if p.iid:
        variance = (u @ u) / left / strength
    elif p.groups is None:
        variance = n / left * np.sum((fitted * u) ** 2) / strength**2
    else:
        groups = p.df_denominator + 1
        factor = groups / (groups - 1) * (n - 1) / left
        variance = factor * np.sum(np.bincount(p.groups, fitted * u) ** 2) / strength**2
    return p.f_statistic(p.x), estimate, float(np.sqrt(variance))


def _partial_out(second: Regression, endogenous: str, used: pd.DataFrame, vcov: str) -> _Partialled:
    """Return outcome, endogenous variable and instruments, in the model's units, without what else is in the model."""
    model = second._fit.model
    n = second.n_obs
    names = [str(c) for c in model._coefnames]
    x = model._X[:, names.index(endogenous)]
    exogenous = np.delete(model._X, names.index(endogenous), axis=1)
    z = model._Z[:, [c not in names for c in model._coefnames_z]]
    base = np.linalg.qr(exogenous)[0]
    y, x, z = (v - base @ (base.T @ v) for v in (model._Y.ravel(), x, z))

    groups = None
    if vcov.startswith("cluster:"):
        groups = pd.factorize(used[vcov.removeprefix("cluster:").strip()])[0]
    left = n - exogenous.shape[1] - z.shape[1]
    effects = [model._fe[name].to_numpy() for name in model._fe] if model._fe is not None else []
    return _Partialled(
        y=y,
        x=x,
        z=np.linalg.qr(z)[0],
        groups=groups,
        iid=vcov == "iid",
        df_first=left - _absorbed(effects, groups),
        df_iid=left - _absorbed(effects, None),
    )


def _absorbed(effects: list[np.ndarray], groups: np.ndarray | None) -> int:
    """Return how many parameters the effects cost, by the rule of :mod:`pilotzones.estimators.regression`."""
    counts = []
    nested = False
    for codes in effects:
        if groups is not None and pd.Series(groups).groupby(codes).nunique().max() == 1:
            nested = True
        else:
            counts.append(len(np.unique(codes)))
    counts += [1] * nested
    return sum(counts) - max(len(counts) - 1, 0)


def _tests(p: _Partialled, vcov: str) -> pd.DataFrame:
    n, k = p.z.shape
    covariance = _LINEARMODELS.get(vcov, "clustered")
    clusters = {} if p.groups is None else {"clusters": p.groups}
    x, none = p.x[:, None], np.empty((n, 0))

    def f(raw: float, df: int, denominator: int) -> tuple[float, str, float]:
        value = raw * df / (n - k)  # linearmodels does not know of what was partialled out
        return value, f"F({k}, {denominator})", float(stats.f.sf(value, k, denominator))

    def chi2(value: float, df: int) -> tuple[float, str, float]:
        return value, f"chi2({df})", float(stats.chi2.sf(value, df)) if df else np.nan

    def own_f(v: np.ndarray) -> tuple[float, str, float]:
        value = p.f_statistic(v)
        return value, f"F({k}, {p.df_denominator})", float(stats.f.sf(value, k, p.df_denominator))

    sargan = hansen = 0.0
    if k > 1:
        two_stage: Any = IV2SLS(p.y, None, p.x, p.z).fit(cov_type="unadjusted")
        two_step: Any = IVGMM(p.y, None, p.x, p.z, weight_type=covariance, **clusters).fit()
        sargan, hansen = two_stage.sargan.stat, two_step.j_stat.stat
    raw_cd = kleibergen_paap_f(x, p.z, none, "unadjusted")
    raw_kp = kleibergen_paap_f(x, p.z, none, covariance, clusters)
    lm = kleibergen_paap(x, p.z, none, "unadjusted").stat
    rk = kleibergen_paap(x, p.z, none, covariance, clusters).stat
    rows = {
        "First-stage F": (*own_f(p.x), vcov, IRRELEVANT),
        "Anderson LM": (*chi2(lm, k), "iid", IRRELEVANT),
        "Cragg-Donald F": (*f(raw_cd, p.df_iid, p.df_iid), "iid", IRRELEVANT),
        "Kleibergen-Paap LM": (*chi2(rk, k), vcov, IRRELEVANT),
        "Kleibergen-Paap F": (*f(raw_kp, p.df_first, p.df_denominator), vcov, IRRELEVANT),
        "Sargan": (*chi2(sargan, k - 1), "iid", VALID if k > 1 else "not testable with one instrument"),
        "Hansen J": (*chi2(hansen, k - 1), vcov, VALID if k > 1 else "not testable with one instrument"),
        "Anderson-Rubin F": (*own_f(p.y), vcov, NO_EFFECT),
    }
    columns = ["statistic", "distribution", "p", "errors", "null"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("test")


def _anderson_rubin(p: _Partialled, units: float, level: float) -> ConfidenceSet:
    r"""Return the values b at which the instruments explain nothing of y - x b.

    The test accepts b if :math:`g' S^{-1} g \le c` with :math:`g(b) = Z'(y - xb)` linear and its variance S(b)
    quadratic in b. As :math:`\det(cS - gg') = c^{L-1} \det(S) (c - g' S^{-1} g)`, the bounds are roots of the
    determinant of a matrix that is quadratic in b: eigenvalues, exact without a grid. Any real number may safely be
    added to them, since acceptance is checked between each two.
    """
    scale = np.linalg.norm(p.y) / np.linalg.norm(p.x)
    y, x = p.y, p.x * scale  # one unit for both keeps the eigenvalue problem well conditioned
    k = p.z.shape[1]
    limit = stats.f.ppf(level, k, p.df_denominator)
    c = limit * k / p.factor
    my, mx, ry, rx = p.z.T @ y, p.z.T @ x, p.residual(y), p.residual(x)
    cross = c * p.covariance(ry, rx) - np.outer(my, mx)
    constant = c * p.covariance(ry, ry) - np.outer(my, my)
    square = c * p.covariance(rx, rx) - np.outer(mx, mx)
    zero, one = np.zeros((k, k)), np.eye(k)
    size = max(np.abs(m).max() for m in (constant, cross, square))
    roots = linalg.eigvals(
        np.block([[zero, one], [-constant / size, (cross + cross.T) / size]]),
        np.block([[one, zero], [zero, square / size]]),
    )
    breaks = np.unique(roots.real[np.isfinite(roots)])
    if not breaks.size:
        breaks = np.zeros(1)
    reach = 1 + np.ptp(breaks)
    between = np.concatenate([[breaks[0] - reach], (breaks[1:] + breaks[:-1]) / 2, [breaks[-1] + reach]])
    accepted = [p.f_statistic(y - x * b) <= limit for b in between]

    bounds = np.concatenate([[-np.inf], breaks, [np.inf]]) * scale * units
    intervals: list[tuple[float, float]] = []
    for low, high, inside in zip(bounds[:-1], bounds[1:], accepted, strict=True):
        if inside and intervals and intervals[-1][1] == low:
            intervals[-1] = (intervals[-1][0], float(high))
        elif inside:
            intervals.append((float(low), float(high)))
    return ConfidenceSet(tuple(intervals), level)
