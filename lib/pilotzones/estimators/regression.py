"""Least squares with absorbed fixed effects and instruments, in the conventions of the R package fixest.

The algebra is pyfixest's; this module checks what goes in, makes the result independent of the order of the effects
and of the units of measurement, and says plainly what was dropped.

Standard errors
---------------
``n`` rows, ``k`` coefficients, ``E`` absorbed effects with ``L_1 ... L_E`` levels, ``G`` clusters, ``u`` residuals,
``X`` regressors after absorbing (2SLS: their projection on the instruments), ``B = (X'X)^-1``.

================  ==============================================  ===================  =====================
vcov              variance                                        K                    degrees of freedom, t
================  ==============================================  ===================  =====================
iid               ``u'u / (n - K) B``                             all levels           ``n - K``
hetero            ``n / (n - K) B (sum u_i^2 x_i x_i') B``        all levels           ``n - K``
cluster:g         ``G/(G-1) (n-1)/(n-K) B (sum_g s_g s_g') B``    levels not nested    ``G - 1``
cluster:g+h       ``V_g + V_h - V_gh``, with the smaller ``G``    nested in neither    smaller ``G - 1``
                  in all three factors
================  ==============================================  ===================  =====================

- *All levels*: ``K = k + sum(L_e) - (E - 1)``, one level lost per further effect. Where groups of units never share
  an effect (firms that never change province beside ``province^year``) the rank is lower still: fixest's count is
  kept here, Stata's reghdfe takes such groups into account and its errors are slightly smaller.
- *Nested*: an effect whose every level lies in one cluster (firm effects, errors clustered by city) counts as one
  parameter altogether, as in Stata's reghdfe and xtreg. linearmodels' PanelOLS counts them in full: its errors are
  larger by ``sqrt((n - K) / (n - K_full))``.
- ``s_g`` is the sum of ``x_i u_i`` over cluster ``g`` (CRV1, Liang and Zeger 1986); two-way: Cameron, Gelbach and
  Miller (2011). A two-way variance that comes out negative gives ``se = nan``.
- ``low`` and ``high`` bound the 95% interval from the t distribution with the degrees of freedom of the table.

References
----------
.. [1] Berge, L. (2018). Efficient estimation of maximum likelihood models with multiple fixed-effects: the R package
   FENmlm. CREA Discussion Paper 13.
.. [2] Correia, S. (2015). Singletons, cluster-robust standard errors and fixed effects: a bad mix. Duke University.
.. [3] Cameron, A. C., Gelbach, J. B., Miller, D. L. (2011). Robust inference with multiway clustering. Journal of
   Business & Economic Statistics 29, 238-249.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

import formulaic
import numpy as np
import pandas as pd
import pyfixest
from pyfixest.core.detect_singletons import detect_singletons
from pyfixest.demeaners import MapDemeaner
from pyfixest.estimation.formula.parse import Formula
from pyfixest.estimation.models.feiv_ import Feiv
from pyfixest.estimation.models.feols_ import Feols
from scipy import stats

from pilotzones.errors import DataError, DeclarationError

# in units of each variable's standard deviation, see scales(); pyfixest's 1e-6 moves standard errors by 1e-9
TOLERANCE = 1e-10
COLLINEAR = 1e-9  # smallest pivot of the cross-products, in the same units
CONSTANT = "_cons"  # Stata's name, and the one of the published tables


@dataclass(frozen=True, eq=False)
class Regression:
    """An estimated regression.

    Attributes
    ----------
    coefficients : one row per term; columns ``estimate``, ``se``, ``t``, ``p``, ``low``, ``high`` (95% interval).
    n_obs : rows used.
    r2 : 1 - residual sum of squares / total sum of squares of the outcome around its mean.
    r2_within : the same with all absorbed effects removed from the outcome first; nan without effects.
    r2_within_unit : the same with only the means of ``unit`` removed first (Stata's ``xtreg, fe``); nan without unit.
    vcov : how the errors were computed.
    n_clusters : number of clusters, the smaller one under two-way clustering; None without clusters.
    dropped : regressors and instruments left out because they are collinear with the others or with the effects.
    n_singletons : rows dropped because they were alone in a level of an absorbed effect.
    formula : as it was asked for.
    """

    coefficients: pd.DataFrame
    n_obs: int
    r2: float
    r2_within: float
    r2_within_unit: float
    vcov: str
    n_clusters: int | None
    dropped: tuple[str, ...]
    n_singletons: int
    formula: str
    _fit: _Fit = field(repr=False)
    # label -> term of the formula (None: a base category, zero by definition); None: all terms under their own names
    _shown: Mapping[Hashable, str | None] | None = field(default=None, repr=False)

    def under(self, vcov: str) -> Regression:
        """Return the same estimates with the standard errors of another ``vcov``; nothing is estimated again.

        Raises
        ------
        DeclarationError, DataError
            As in :func:`regress`.
        """
        if vcov.startswith("dyadic:"):
            from pilotzones.estimators.dyadic import dyadic

            i, _, j = vcov.removeprefix("dyadic:").partition("+")
            return dyadic(self, i=i.strip(), j=j.strip())
        table, n_clusters = self._fit.inference(vcov)
        return replace(self, coefficients=_show(table, self._shown), vcov=vcov, n_clusters=n_clusters)

    def residuals(self) -> pd.Series:
        """Return the residuals of the rows used, in units of the outcome, under these rows' labels in the data."""
        return pd.Series(self._fit.residuals, index=self._fit.data.index[self._fit.rows], name="residual")

    def weights(self, term: str) -> pd.Series:
        r"""Return the weight of each row's outcome in one least-squares coefficient.

        With :math:`\tilde x_i` what the other regressors and the effects leave of ``term``, the coefficient is
        :math:`\sum_i w_i y_i` with :math:`w_i = \tilde x_i / \sum_j \tilde x_j x_j` (Frisch and Waugh 1933). For a 0/1
        treatment the weights of the treated rows sum to one, and some can be negative (de Chaisemartin and
        D'Haultfoeuille 2020).

        Returns
        -------
        One weight per row used, under these rows' labels in the data.
        """
        absorbed = self._absorbed()
        own, others = absorbed.pop(term), absorbed.to_numpy()
        left = own - others @ np.linalg.lstsq(others, own)[0] if others.size else own
        values = self._fit.data[term].iloc[self._fit.rows].to_numpy(float)
        return (left / np.sum(left * values)).rename("weight")

    def identifies(self, term: str) -> pd.Series:
        """Tell for each row used whether the effects leave any variation of ``term`` in it.

        A row whose effects absorb the regressor, e.g. a city that is a province of its own under province-by-year
        effects, is compared with nothing.
        """
        left = self._absorbed()[term].abs()
        return left > 1e-6 * left.max()

    def _absorbed(self) -> pd.DataFrame:
        """Return the regressors with the effects removed, in the model's own units."""
        model = self._fit.model
        return pd.DataFrame(model._X, columns=model._coefnames, index=self._fit.data.index[self._fit.rows])

    def showing(self, shown: Mapping[Hashable, str | None]) -> Regression:
        """Return the regression with a table of some of its terms under other labels.

        Parameters
        ----------
        shown : label of the row -> term of the formula, or None for a base category, which is zero by definition and
            has no t and p. A term that was dropped has no row.
        """
        return replace(self, coefficients=_show(self.coefficients, shown), _shown=shown)


@dataclass(frozen=True, eq=False)
class _Fit:
    """What is needed to compute further standard errors."""

    model: Any
    scale: pd.Series  # units of the outcome per unit of each regressor, in the model's own units
    data: pd.DataFrame  # the data as passed in
    rows: np.ndarray  # positions of the rows used
    residuals: np.ndarray  # of these rows, units of the outcome
    formula: str
    outcome_unit: float  # in which the model measures the outcome
    means: pd.Series | None  # of the regressors, in the model's own units, when a constant is to be reported

    def under(self, vcov: str) -> tuple[Any, int | None]:
        """Return a copy of the model with the covariance of ``vcov``, and the number of clusters."""
        kind, _, names = vcov.partition(":")
        asked: str | dict[str, str]
        n_clusters = None
        if vcov in ("iid", "hetero"):
            asked, clusters = vcov, None
        elif kind == "cluster" and 1 <= len(columns := [name.strip() for name in names.split("+")]) <= 2:
            clusters = self._clusters(columns)
            n_clusters = int(clusters.nunique().min())
            asked = {"CRV1": "+".join(clusters)}
        else:
            raise DeclarationError(
                f"vcov = '{vcov}': expected 'iid', 'hetero', 'cluster:COLUMN', 'cluster:COLUMN+COLUMN' or "
                "'dyadic:COLUMN+COLUMN'"
            )
        model = copy.copy(self.model)  # vcov() overwrites attributes of the model it is called on
        with np.errstate(invalid="ignore", divide="ignore"):
            try:
                model.vcov(asked, data=clusters)
                short = model._df_k >= model._N
            except ZeroDivisionError:
                short = True
        if short:
            raise DataError(f"formula '{self.formula}': {model._N} rows leave no degrees of freedom")
        return model, n_clusters

    def inference(self, vcov: str) -> tuple[pd.DataFrame, int | None]:
        """Return the table of coefficients under ``vcov`` and the number of clusters."""
        model, n_clusters = self.under(vcov)
        with np.errstate(invalid="ignore", divide="ignore"):  # the root of a negative two-way variance: se is nan
            estimate = pd.Series(model._beta_hat.ravel(), index=model._coefnames) * self.scale
            se = pd.Series(np.sqrt(np.diag(model._vcov)), index=model._coefnames) * self.scale
            if self.means is not None:
                estimate[CONSTANT], se[CONSTANT] = self._constant(model, self.means)
            t = estimate / se
        reach = stats.t.ppf(0.975, model._df_t) * se
        p = 2 * stats.t.sf(t.abs(), model._df_t)  # pyfixest's 1 - cdf loses small p-values
        table = {"estimate": estimate, "se": se, "t": t, "p": p, "low": estimate - reach, "high": estimate + reach}
        return pd.DataFrame(table).rename_axis("term"), n_clusters

    def _constant(self, model: Any, means: pd.Series) -> tuple[float, float]:
        """Return the constant beside absorbed effects and its standard error.

        With their means added back to the absorbed variables, a regression with an intercept has the same slopes and
        residuals. Its intercept is a weighted mean of the rows, and its variance has the small-sample factor of the
        slopes' variance.
        """
        absorbed, residuals = np.asarray(model._X, float), np.asarray(model._u_hat, float).ravel()
        n, mean, bread = len(absorbed), means[model._coefnames].to_numpy(float), np.linalg.inv(absorbed.T @ absorbed)
        if model._vcov_type == "iid":
            ratio = (1 / n + mean @ bread @ mean) / bread[0, 0]
        else:
            groups = model._cluster_df if model._is_clustered else None
            influence = (1 / n - absorbed @ bread @ mean, absorbed @ bread[:, 0])  # of a residual on constant, slope
            own, of_slope = (_meat(weight * residuals, groups) for weight in influence)
            ratio = own / of_slope
        average = float(model._Y_untransformed.to_numpy().mean())
        constant = average - self.outcome_unit * float(mean @ model._beta_hat.ravel())
        return constant, self.outcome_unit * float(np.sqrt(model._vcov[0, 0] * ratio))

    def _clusters(self, columns: list[str]) -> pd.DataFrame:
        """Return the cluster codes of the rows used, under names that no fixed effect has.

        pyfixest 0.50 to 0.60 mistakes which effects are nested when a cluster variable is itself an absorbed effect:
        the error then depends on PYTHONHASHSEED.
        """
        require(columns, self.data, f"vcov clustered by {' and '.join(columns)}")
        codes = {}
        for i, column in enumerate(columns):
            code, levels = pd.factorize(self.data[column].iloc[self.rows])
            if missing := int((code == -1).sum()):
                raise DataError(f"cluster variable '{column}': missing in {missing} of the {len(code)} rows used")
            if len(levels) < 2:
                raise DataError(f"cluster variable '{column}': at least two clusters are needed, found {len(levels)}")
            codes[f"cluster_{i}"] = code
        return pd.DataFrame(codes)


def _meat(score: np.ndarray, groups: pd.DataFrame | None) -> float:
    """Return the sum of squared scores, shape (n,), summed by cluster first; two-way by inclusion and exclusion."""
    if groups is None:
        return float(np.sum(score**2))
    ways = [groups[[name]] for name in groups][:2]
    ways += [groups] if len(ways) == 2 else []
    squares = [float((pd.Series(score).groupby([way[c].to_numpy() for c in way]).sum() ** 2).sum()) for way in ways]
    return sum(squares[:2]) - sum(squares[2:])


def regress(
    formula: str,
    data: pd.DataFrame,
    vcov: str = "iid",
    *,
    unit: str | None = None,
    singletons: Literal["keep", "drop"] = "keep",
    constant: bool = False,
) -> Regression:
    """Estimate a linear regression by ordinary or two-stage least squares, absorbing fixed effects.

    ``y_it = x_it b + sum_e a_e(it) + u_it``. OLS identifies ``b`` if ``E[u | x, a] = 0`` (strict exogeneity given the
    effects); 2SLS if the instruments are uncorrelated with ``u`` and move the endogenous variable, given the exogenous
    regressors and the effects.

    Parameters
    ----------
    formula : ``"y ~ x1 + x2"``, ``"y ~ x1 + x2 | firm + province^year"``, or, with one endogenous variable,
        ``"y ~ x1 + x2 | firm + year | endogenous ~ z1 + z2"``. An effect contained in an interaction (``year`` beside
        ``province^year``) is redundant and left out before estimation: no coefficient changes, its levels are not
        counted twice, and it takes half the time. The order of the effects is immaterial.
    data : one row per observation, shape (n, columns); not modified. Rows with a missing value in any variable of
        the formula are dropped. Effects and clusters may be of any type.
    vcov : ``"iid"``, ``"hetero"``, ``"cluster:city"`` or two-way ``"cluster:city+year"``, see the module's table; or
        ``"dyadic:city_i+city_j"`` for rows that are pairs, see :mod:`pilotzones.estimators.dyadic`.
    unit : column whose means ``r2_within_unit`` removes.
    singletons : what happens to rows alone in a level of an effect, repeatedly until none is left: ``"drop"``
        (reghdfe, fixest) or ``"keep"`` (Stata's xtreg). They carry no information on the coefficients and leave
        iid errors as they are, but shrink clustered ones a little [2]_.
    constant : report a constant beside absorbed effects as a last row, ``_cons``, as Stata's reghdfe does: the mean
        outcome at regressors of zero. Least squares only.

    Returns
    -------
    Regression
        Collinear regressors have no row in ``coefficients``; they are listed in ``dropped``.

    Raises
    ------
    DeclarationError
        The formula cannot be read or estimated: a typo, a column that does not exist, regressors that are all
        collinear, no instrument left, an unknown ``vcov`` or ``singletons``.
    DataError
        The rows cannot answer: none left, a constant outcome, infinite values, no degrees of freedom, a cluster
        variable that is missing in some rows or has one group.
    """
    if singletons not in ("keep", "drop"):
        raise DeclarationError(f"singletons = '{singletons}': expected 'keep' or 'drop'")
    parsed, columns, effects = _parse(formula, data)
    if unit is not None:
        require([unit], data, "unit")

    frame = data[columns].reset_index(drop=True)
    flags = frame.select_dtypes("bool").columns  # formulaic would make two-level factors of them
    nullable = [c for c in columns if pd.api.types.is_extension_array_dtype(frame[c]) and _is_number(frame[c])]
    frame = frame.astype({c: float for c in [*flags, *nullable]})
    for name, parts in effects.items():
        frame[name] = data.groupby(parts, sort=False, observed=True, dropna=True).ngroup().to_numpy()
        frame[name] = frame[name].where(frame[name] >= 0)

    positions = np.arange(len(frame))
    model = _prepare(parsed, frame, effects, formula)
    n_singletons = 0
    if singletons == "drop" and effects:
        alone = detect_singletons(model._fe.to_numpy())
        n_singletons = int(alone.sum())
        if n_singletons:
            positions = positions[model._data.index.to_numpy()[~alone]]
            model = _prepare(parsed, frame.iloc[positions], effects, formula)
    rows = positions[model._data.index.to_numpy()]
    outcome = model._Y.columns[0]
    means = model._X.mean()  # before the effects are absorbed
    scale = _estimate(model, effects, formula)

    y = model._Y_untransformed.to_numpy().ravel()
    residual = model._u_hat * scale[outcome]
    left = float(np.sum(residual**2))
    total_within = float(np.sum((model._Y * scale[outcome]) ** 2))

    constant = constant and bool(effects) and not parsed.first_stage
    fit = _Fit(
        model,
        scale[outcome] / scale[model._coefnames],
        data.copy(deep=False),
        rows,
        residual,
        formula,
        float(scale[outcome]),
        means / scale[means.index] if constant else None,
    )
    plain = "iid" if vcov.startswith("dyadic:") else vcov
    table, n_clusters = fit.inference(plain)
    estimated = Regression(
        coefficients=table,
        n_obs=int(model._N),
        r2=1 - left / _squares(y, np.zeros_like(rows)),
        r2_within=1 - left / total_within if effects else np.nan,
        r2_within_unit=1 - left / _squares(y, pd.factorize(data[unit].iloc[rows])[0]) if unit else np.nan,
        vcov=plain,
        n_clusters=n_clusters,
        dropped=tuple(dict.fromkeys([*model._collin_vars, *getattr(model, "_collin_vars_z", [])])),
        n_singletons=n_singletons,
        formula=formula,
        _fit=fit,
    )
    return estimated if plain == vcov else estimated.under(vcov)


def require(names: Iterable[str], data: pd.DataFrame, where: str) -> None:
    """Raise a DeclarationError naming the columns that ``where`` needs and ``data`` lacks."""
    missing = sorted(set(names) - set(data.columns))
    if not missing:
        return
    known = [str(c) for c in data.columns]
    close = sorted({match for name in missing for match in get_close_matches(name, known, n=3)})
    raise DeclarationError(
        f"{where}: no column {', '.join(repr(name) for name in missing)} in the data"
        + (f"; did you mean {' or '.join(close)}?" if close else "")
        + f" Available: {', '.join(known) or 'none'}"
    )


def _parse(formula: str, data: pd.DataFrame) -> tuple[Formula, list[str], dict[str, list[str]]]:
    """Return the formula with its effects renamed, the numeric columns it needs, and column names by effect."""
    try:
        parts = Formula.parse(formula)
        stages = [formulaic.Formula(stage) for stage in (parts[0].second_stage, parts[0].first_stage) if stage]
        complete = all(getattr(stage, "lhs", None) for stage in stages)
    except Exception as problem:  # three libraries' worth of exceptions, one meaning
        reason = " ".join(str(problem).split("\n\n")[0].split())
        raise DeclarationError(f"formula '{formula}' cannot be read: {reason or 'syntax error'}") from None
    if len(parts) > 1 or not complete:
        raise DeclarationError(f"formula '{formula}': exactly one outcome and one set of regressors are expected")
    if len(stages) == 2:
        outcome, endogenous = ({str(v) for v in stage.lhs.required_variables} for stage in stages)
        name = ", ".join(sorted(endogenous))
        if endogenous & outcome:
            raise DeclarationError(f"formula '{formula}': '{name}' is both the outcome and the endogenous variable")
        if endogenous & {str(v) for v in stages[1].rhs.required_variables}:
            raise DeclarationError(f"formula '{formula}': the endogenous '{name}' is among its own instruments")
    names = {str(v) for stage in stages for v in stage.required_variables}
    names -= {"i"} - set(data.columns)  # fixest's factor operator

    effects = []
    if parts[0].fixed_effects is not None:
        effects = [sorted({p.strip() for p in e.split("^")}) for e in parts[0].fixed_effects.split("+")]
    require([*names, *(p for e in effects for p in e)], data, f"formula '{formula}'")
    # the larger of two nested effects absorbs the smaller; sorting makes their order in the formula immaterial
    kept = sorted({tuple(e) for e in effects if not any(set(e) < set(other) for other in effects)})
    absorbed = {f"__effect_{i}": list(e) for i, e in enumerate(kept)}
    parsed = Formula(
        _second_stage=parts[0]._second_stage,
        _fixed_effects=" + ".join(absorbed) or None,
        _first_stage=parts[0]._first_stage,
    )
    return parsed, sorted(names), absorbed


def _prepare(parsed: Formula, frame: pd.DataFrame, effects: Mapping[str, list[str]], formula: str) -> Any:
    """Return pyfixest's model with its matrices built, before anything is absorbed."""
    model: Any = (Feiv if parsed.first_stage else Feols)(  # its attributes change type as it goes
        FixestFormula=parsed,
        data=frame,
        ssc_dict=pyfixest.ssc(k_adj=True, k_fixef="nonnested", G_adj=True, G_df="min"),
        drop_singletons=False,
        drop_intercept=False,
        weights=None,
        weights_type="aweights",
        collin_tol=COLLINEAR,
        lookup_demeaned_data={},
        demeaner=MapDemeaner(fixef_tol=TOLERANCE),
        context={},
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*rows with infinite values dropped")
            model.prepare_model_matrix()
    except UserWarning:
        infinite = [c for c in frame.select_dtypes("number") if np.isinf(frame[c]).any()]
        raise DataError(
            f"formula '{formula}': infinite values in {', '.join(infinite) or 'a transformed variable'}"
        ) from None
    except (TypeError, ValueError, KeyError, formulaic.errors.FormulaicError) as problem:
        if frame.dropna().empty:
            raise _empty(frame, effects, formula) from None
        raise DeclarationError(f"formula '{formula}' cannot be evaluated: {' '.join(str(problem).split())}") from None
    if model._N == 0:
        raise _empty(frame, effects, formula)
    if model._X.shape[1] == 0:
        raise DeclarationError(f"formula '{formula}': no regressor")
    return model


def _empty(frame: pd.DataFrame, effects: Mapping[str, list[str]], formula: str) -> DataError:
    missing = frame.isna().sum().rename({name: "^".join(parts) for name, parts in effects.items()})
    listed = "; ".join(f"'{column}' is missing in {n}" for column, n in missing[missing > 0].items())
    return DataError(f"formula '{formula}': no complete row among {len(frame)}" + (f": {listed}" if listed else ""))


def _estimate(model: Any, effects: Mapping[str, list[str]], formula: str) -> pd.Series:
    """Absorb the effects and solve; return the unit in which each variable was measured meanwhile."""
    y = model._Y.to_numpy()
    if np.ptp(y) == 0:
        raise DataError(f"formula '{formula}': the outcome '{model._Y.columns[0]}' is {y[0, 0]:g} in all {len(y)} rows")
    instrumented = isinstance(model, Feiv)
    variables = pd.concat([model._Y, model._X, *([model._Z] if instrumented else [])], axis=1)
    scale = scales(variables.loc[:, ~variables.columns.duplicated()])
    for matrix in ("_Y", "_X", *(("_Z", "_endogvar") if instrumented else ())):
        values = getattr(model, matrix)
        setattr(model, matrix, values / scale[values.columns])
    if instrumented:
        # exogenous regressors first: of collinear columns the last goes, and that should be an instrument
        own = [c for c in model._Z if c in model._X]
        model._coefnames_z = own + [c for c in model._Z if c not in own]
        model._Z = model._Z[model._coefnames_z]
    if effects:
        # pyfixest takes them from a set: their order, and with it the last digits, would follow PYTHONHASHSEED
        model._fe = model._fe[sorted(model._fe)]
        model._k_fe = model._k_fe[model._fe.columns]

    absorbed = f" given {' + '.join('^'.join(e) for e in effects.values())}" if effects else ""
    singular = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # collinear columns are reported in Regression.dropped
            model.get_fit()
    except ValueError as problem:  # numpy's LinAlgError is one
        if "Demeaning failed" in str(problem):
            raise DataError(f"formula '{formula}': absorbing the effects did not converge") from None
        singular = True
    collinear = "all regressors"
    if instrumented and hasattr(model, "_collin_vars"):  # the regressors passed, the instruments need not have
        lost = model._endogvard.columns[0] in model._collin_vars
        collinear = f"the endogenous '{model._endogvard.columns[0]}'" if lost else "all instruments"
        singular = singular or lost or not set(model._coefnames_z) - set(own)
    if singular:
        raise DeclarationError(f"formula '{formula}': {collinear} collinear{absorbed}")
    if float(np.sum(model._Y**2)) < 1e-18 * len(y):
        raise DataError(f"formula '{formula}': the outcome '{model._Y_untransformed.columns[0]}' is constant{absorbed}")
    return scale


def scales(variables: pd.DataFrame) -> pd.Series:
    """Return the power of two nearest to each column's standard deviation (1 for a constant).

    The tolerances of demeaning and of collinearity are absolute numbers: in these units they mean the same for yuan
    and for shares, and dividing by a power of two rounds nothing.
    """
    spread = variables.std(ddof=0)
    return 2.0 ** np.log2(spread.where(spread > 0, 1.0)).round()


def _squares(y: np.ndarray, groups: np.ndarray) -> float:
    """Return the sum of squared deviations of ``y``, shape (n,), from the means of ``groups``, codes 0, 1, ..."""
    means = np.bincount(groups, y) / np.bincount(groups)
    return float(np.sum((y - means[groups]) ** 2))


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)


def _show(table: pd.DataFrame, shown: Mapping[Hashable, str | None] | None) -> pd.DataFrame:
    """Return the rows of ``table`` under the labels of ``shown``; see :meth:`Regression.showing`."""
    if shown is None:
        return table
    present = {label: term for label, term in shown.items() if term is None or term in table.index}
    rows = table.reindex(list(present.values())).set_axis(list(present), axis=0)
    rows.loc[[label for label, term in present.items() if term is None], ["estimate", "se", "low", "high"]] = 0.0
    return rows
