"""Difference-in-differences for staggered roll-outs: the estimators, each from a library that was checked against R.

Rows, estimand, assumptions and intervals are those of :mod:`pilotzones.estimators.staggered`, for all of them.

References
----------
.. [1] Callaway, B., Sant'Anna, P. H. C. (2021). Difference-in-differences with multiple time periods. Journal of
   Econometrics 225, 200-230.
.. [2] Sun, L., Abraham, S. (2021). Estimating dynamic treatment effects in event studies with heterogeneous treatment
   effects. Journal of Econometrics 225, 175-199.
.. [3] Borusyak, K., Jaravel, X., Spiess, J. (2024). Revisiting event-study designs: robust and efficient estimation.
   Review of Economic Studies 91, 3253-3285.
.. [4] Gardner, J. (2022). Two-stage differences in differences. arXiv:2207.05943.
.. [5] Wooldridge, J. M. (2025). Two-way fixed effects, the two-way Mundlak regression, and difference-in-differences
   estimators. Empirical Economics 69, 2545-2587.
.. [6] Wing, C., Freedman, S. M., Hollingsworth, A. (2024). Stacked difference-in-differences. NBER Working Paper 32054.
.. [7] Dube, A., Girardi, D., Jorda, O., Taylor, A. M. (2025). A local projections approach to difference-in-
   differences. Journal of Applied Econometrics 40, 741-758.
.. [8] de Chaisemartin, C., D'Haultfoeuille, X. (2024). Difference-in-differences estimators of intertemporal treatment
   effects. Review of Economics and Statistics, forthcoming.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import diff_diff
import numpy as np
import pandas as pd
import pyfixest

from pilotzones.errors import DataError, ParameterError, PilotZonesError
from pilotzones.estimators.event_study import event_study
from pilotzones.estimators.inference import covariance
from pilotzones.estimators.regression import regress
from pilotzones.estimators.staggered import Effects, Estimate, Sample, averaged, clustered, result, sample

_GROUPS = {"never": "never_treated", "not_yet": "not_yet_treated"}  # as diff-diff calls them
_CONTROLS = {"never": "controls: never treated", "not_yet": "controls: never or not yet treated"}


def _twfe(rows: Sample, group: str) -> Estimate:
    """``y_it = b D_it + x_it d + a_i + a_t + u_it``."""
    regressors = "".join(f" + {c}" for c in rows.controls)
    frame = rows.rows.assign(event_time=(rows.rows["time"] - rows.rows["cohort"]).where(rows.rows["cohort"] > 0))
    fit = regress(f"outcome ~ post{regressors} | unit + time", frame, "cluster:cluster")
    event = frame["event_time"].dropna().astype(int)
    dynamic = event_study(
        f"outcome ~ {{event}}{regressors} | unit + time",
        frame,
        leads=int(event.min()),
        lags=int(event.max()),
        base=[-1],
        vcov="cluster:cluster",
    )
    shown = dynamic.coefficients
    names = {k: name for k, name in (dynamic._shown or {}).items() if name is not None and k in shown.index}
    matrix = covariance(dynamic)[0].loc[list(names.values()), list(names.values())]
    return result(
        rows,
        "twfe",
        "pyfixest",
        att=(fit.coefficients.loc["post", "estimate"], fit.coefficients.loc["post", "se"]),
        table=shown[["estimate", "se"]].assign(n=event.value_counts().reindex(shown.index)),
        n_treated=int(frame["post"].sum()),
        vcov=matrix.set_axis(list(names), axis=0).set_axis(list(names), axis=1),
        note="not the mean over treated rows but a variance-weighted one, in which treated rows also serve as controls",
    )


def _callaway_santanna(rows: Sample, group: str) -> Estimate:
    """``ATT(g,t) = E[y_t - y_{g-1} | g] - E[y_t - y_{g-1} | control]``, base year ``g-1`` in all years.

    Controls enter by outcome regression: a propensity score does not exist for a cohort of one city.
    """
    method = diff_diff.CallawaySantAnna(
        control_group=_GROUPS[group],
        base_period="universal",
        estimation_method="reg",
    )
    fit: Any = method.fit(rows.rows, "outcome", "unit", "time", "cohort", covariates=rows.controls or None)
    found = {gt: cell for gt, cell in fit.group_time_effects.items() if np.isfinite(cell["effect"])}
    clusters = rows.clusters
    index = pd.MultiIndex.from_tuples([(int(g), int(t)) for g, t in found], names=["cohort", "time"])
    effects = Effects(
        estimate=pd.Series([cell["effect"] for cell in found.values()], index),
        n=pd.Series([cell["n_treated"] for cell in found.values()], index),
        vcov=clustered(influence(fit, found, len(clusters)), clusters),
    )
    return averaged(rows, "callaway_santanna", "diff-diff", effects, _CONTROLS[group])


def influence(fit: Any, cells: Iterable[tuple[int, int]], units: int) -> np.ndarray:
    """Return the influence functions of diff-diff's ATT(g,t) for some ``(g, t)``, shape (units, cells)."""
    columns = []
    for cell in cells:
        part, column = fit._aggregation_kit.influence[cell], np.zeros(units)
        column[part["treated_idx"]] += part["treated_inf"]
        column[part["control_idx"]] += part["control_inf"]
        columns.append(column)
    return np.column_stack(columns)


def _sun_abraham(rows: Sample, group: str) -> Estimate:
    """``y_it = sum_g sum_{k != -1} b_gk 1{c_i = g, t - g = k} + x_it d + a_i + a_t + u_it``, averaged over cohorts."""
    method = diff_diff.SunAbraham(control_group="never_treated", cluster="cluster")
    fit: Any = method.fit(rows.rows, "outcome", "unit", "time", "cohort", covariates=rows.controls or None)
    event = pd.Index([int(k) for k in fit.event_study_vcov_index])
    after = rows.rows["cohort"] > 0
    n = (rows.rows["time"] - rows.rows["cohort"])[after].value_counts()
    effects = Effects(
        estimate=pd.Series([fit.event_study_effects[k]["effect"] for k in event], event),
        n=n.reindex(event),
        vcov=fit.event_study_vcov,
    )
    return averaged(rows, "sun_abraham", "diff-diff", effects, _CONTROLS["never"])


def _imputation(rows: Sample, name: str, method: Any, leads: str) -> Estimate:
    """Unit and year effects from the untreated rows; the mean of what they leave of the treated rows."""
    fit: Any = method.fit(rows.rows, "outcome", "unit", "time", "cohort", covariates=rows.controls or None)
    shown = fit.aggregate("event_study").to_dataframe().set_index("event_time")
    n = (rows.rows["time"] - rows.rows["cohort"])[rows.rows["cohort"] > 0].value_counts()
    table = pd.DataFrame({"estimate": shown["att"], "se": shown["se"].where(~shown["is_reference"], 0.0)})
    used = fit.treatment_effects["tau_hat"].notna()
    return result(
        rows,
        name,
        "diff-diff",
        att=(float(fit.overall_att), float(fit.overall_se)),
        table=table.assign(n=n.reindex(table.index).fillna(0)),
        n_treated=int(used.sum()),
        note=f"before the reform: {leads}",
    )


def _borusyak_jaravel_spiess(rows: Sample, group: str) -> Estimate:
    return _imputation(
        rows,
        "borusyak_jaravel_spiess",
        diff_diff.ImputationDiD(cluster="cluster", pretrends=True),
        "a regression on the untreated rows",
    )


def _gardner(rows: Sample, group: str) -> Estimate:
    return _imputation(
        rows,
        "gardner",
        diff_diff.TwoStageDiD(cluster="cluster", pretrends=True),
        "mean residuals of the first stage, not relative to -1",
    )


def _wooldridge(rows: Sample, group: str) -> Estimate:
    """``y_it = sum_{g, t >= g} b_gt 1{c_i = g} 1{t} + x_it d + a_i + a_t + u_it``."""
    method = diff_diff.WooldridgeDiD(control_group=_GROUPS[group], cluster="cluster")
    fit: Any = method.fit(rows.rows, "outcome", "unit", "time", "cohort", exovar=rows.controls or None)
    index = pd.MultiIndex.from_tuples([(int(g), int(t)) for g, t in fit._gt_keys], names=["cohort", "time"])
    n = rows.rows.groupby(["cohort", "time"]).size()
    effects = Effects(
        estimate=pd.Series([fit.group_time_effects[gt]["att"] for gt in fit._gt_keys], index),
        n=n.reindex(index),
        vcov=fit._gt_vcov,
    )
    return averaged(rows, "wooldridge", "diff-diff", effects, _CONTROLS[group])


def _stacked(rows: Sample, group: str) -> Estimate:
    """One data set per cohort with its clean controls, stacked; group means by event year, controls weighted to the
    shares of the treated.

    A cohort takes part if the panel has the whole window around its start. The window is the one that covers most
    treated rows, with up to five years before.
    """
    treated = rows.rows[rows.rows["post"] == 1]
    years = rows.rows["time"]
    starts = np.sort(treated["cohort"].unique())
    last, first = int(years.max()), int(years.min())

    def covered(post: int) -> int:
        inside = (treated["cohort"] + post <= last) & (treated["time"] - treated["cohort"] <= post)
        return int(inside.sum())

    post = max(range(last - starts[0] + 1), key=covered)
    pre = min(5, int(starts[starts + post <= last][0]) - first)
    method = diff_diff.StackedDiD(kappa_pre=pre, kappa_post=post, control_group=_GROUPS[group])
    fit: Any = method.fit(rows.rows, "outcome", "unit", "time", "cohort")
    stack = fit.stacked_data.rename(columns=lambda name: name.lstrip("_"))
    terms = {k: f"effect_{k + pre}" for k in range(-pre, post + 1) if k != -1}
    dummies = {name: (stack["event_time"] == k) * stack["D_sa"].astype(float) for k, name in terms.items()}
    # the library's regression, with errors by any cluster
    model: Any = pyfixest.feols(
        f"outcome ~ {' + '.join(terms.values())} + D_sa | event_time",
        stack.assign(**dummies),
        weights="Q_weight",
        vcov={"CRV1": "cluster"},
    )
    n = stack.loc[stack["D_sa"] == 1, "event_time"].value_counts()
    effects = _effects(model, terms, n)
    note = f"{_CONTROLS[group]}; window {-pre} ... {post}; group means, not differences within units"
    return averaged(rows, "stacked", "diff-diff, pyfixest", effects, note)


def _lp_did(rows: Sample, group: str) -> Estimate:
    """``y_{i,t+h} - y_{i,t-1} = b_h 1{c_i = t} + a_ht + u``, on units treated in ``t`` and those not by ``t + h``.

    Weighted so that each treated row counts once (without weights: more in years with many controls).
    """
    panel = rows.rows.set_index(["unit", "time"])
    y, cohort = panel["outcome"], rows.rows.groupby("unit")["cohort"].first()
    cluster, years = pd.Series(rows.clusters, cohort.index), set(rows.rows["time"])
    parts = []
    for start in np.sort(cohort[cohort > 0].unique()):
        if not {start - 1, start} <= years:
            continue
        base = y.xs(start - 1, level="time")
        base = base[base.index.isin(y.xs(start, level="time").index)]  # the projection is from rows of year t
        for time in sorted(years):
            clean = (cohort == 0) | ((cohort > max(start, time)) if group == "not_yet" else False)
            change = (y.xs(time, level="time") - base).dropna()
            change = change[(clean | (cohort == start)).loc[change.index]]
            part = pd.DataFrame({"change": change, "new": (cohort.loc[change.index] == start).astype(float)})
            parts.append(part.assign(horizon=int(time - start), cell=f"{start} {time}"))
    long = pd.concat(parts).rename_axis("unit").reset_index()
    share = long.groupby("cell")["new"].transform("mean")
    long = long.assign(weight=1 / (1 - share.where(share < 1)), cluster=long["unit"].map(cluster))
    long = long[(share > 0) & (share < 1) & (long["horizon"] != -1)]
    horizons = sorted(int(h) for h in long["horizon"].unique())
    terms = {h: f"effect_{k}" for k, h in enumerate(horizons)}
    dummies = {name: (long["horizon"] == h) * long["new"] for h, name in terms.items()}
    model: Any = pyfixest.feols(
        f"change ~ {' + '.join(terms.values())} | cell",
        long.assign(**dummies),
        weights="weight",
        vcov={"CRV1": "cluster"},
    )
    effects = _effects(model, terms, long.loc[long["new"] == 1, "horizon"].value_counts())
    return averaged(rows, "lp_did", "pyfixest", effects, _CONTROLS[group])


def _effects(model: Any, terms: dict[int, str], n: pd.Series) -> Effects:
    """Return a regression's coefficients by event time; ``terms``: event time -> coefficient."""
    position = [model._coefnames.index(name) for name in terms.values()]
    return Effects(
        estimate=pd.Series(model._beta_hat.ravel()[position], list(terms)),
        n=n.reindex(list(terms)),
        vcov=model._vcov[np.ix_(position, position)],
    )


def _dechaisemartin_dhaultfoeuille(rows: Sample, group: str) -> Estimate:
    """``DID_l``: change since the last untreated year of switchers, minus that of units that have not switched yet."""
    import moderndid  # takes two seconds

    rows = rows.balanced()
    frame = rows.rows
    first, last = int(frame["time"].min()), int(frame["time"].max())
    starts = frame.loc[frame["cohort"] > 0, "cohort"]
    horizons = last - int(starts.min()) + 1
    placebos = min(int(starts.max()) - first - 1, horizons)
    fit: Any = moderndid.did_multiplegt(
        frame,
        yname="outcome",
        tname="time",
        idname="unit",
        dname="post",
        effects=horizons,
        placebo=placebos,
        only_never_switchers=group == "never",
    )
    estimates = [fit.effects, *([fit.placebos] if fit.placebos is not None else [])]
    psis = [psi for psi in (fit.influence_effects, fit.influence_placebos) if psi is not None]
    # event time is horizon - 1: effect 1 is the first treated year, placebo -1 the year -2 against -1
    table = pd.concat(
        pd.DataFrame({"estimate": part.estimates, "n": part.n_switchers}, (part.horizons - 1).astype(int))
        for part in estimates
    )
    table = table[table["n"] > 0]  # the others have no influence functions
    effects = Effects(
        estimate=table["estimate"],
        n=table["n"],
        vcov=clustered(np.column_stack(psis) / fit.n_units, rows.clusters),
    )
    return averaged(rows, "dechaisemartin_dhaultfoeuille", "moderndid", effects, _CONTROLS[group])


@dataclass(frozen=True)
class Method:
    """An estimator: its name in words, its code, the control groups it can have (its own first)."""

    title: str
    fit: Callable[[Sample, str], Estimate]
    control_groups: tuple[str, ...]
    takes_controls: bool


ESTIMATORS = {
    "twfe": Method("Two-way fixed effects", _twfe, ("not_yet",), True),
    "callaway_santanna": Method("Callaway-Sant'Anna", _callaway_santanna, ("never", "not_yet"), True),
    "sun_abraham": Method("Sun-Abraham", _sun_abraham, ("never",), True),
    "borusyak_jaravel_spiess": Method("Borusyak-Jaravel-Spiess", _borusyak_jaravel_spiess, ("not_yet",), True),
    "gardner": Method("Gardner, two-stage", _gardner, ("not_yet",), True),
    "wooldridge": Method("Wooldridge, extended TWFE", _wooldridge, ("not_yet", "never"), True),
    "stacked": Method("Stacked", _stacked, ("not_yet", "never"), False),
    "lp_did": Method("Local projections", _lp_did, ("not_yet", "never"), False),
    "dechaisemartin_dhaultfoeuille": Method(
        "de Chaisemartin-D'Haultfoeuille", _dechaisemartin_dhaultfoeuille, ("not_yet", "never"), False
    ),
}


def estimate(
    estimator: str,
    data: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    time: str,
    cohort: str,
    cluster: str,
    controls: Iterable[str] = (),
    control_group: str | None = None,
) -> Estimate:
    """Estimate the effect of a staggered roll-out.

    Parameters
    ----------
    estimator : a key of :data:`ESTIMATORS`.
    data : one row per unit and year, shape (n, columns); not modified.
    outcome, unit, time : columns.
    cohort : column with the first treated year of the unit, missing if it is never treated.
    cluster : column that groups dependent units, constant within a unit; the unit itself is allowed.
    controls : columns. ``callaway_santanna`` regresses the untreated outcome's change on their values in the base
        year; the other methods that take them add them to the regression with one coefficient each.
    control_group : ``"never"`` (never-treated units) or ``"not_yet"`` (also units that are treated later, until then);
        None for the method's own.

    Returns
    -------
    Estimate

    Raises
    ------
    ParameterError
        An unknown estimator, a control group or controls that the method has not.
    DeclarationError
        A column does not exist.
    DataError
        Rows that cannot answer, see :func:`pilotzones.estimators.staggered.sample`; or the method fails on them.
    """
    if estimator not in ESTIMATORS:
        raise ParameterError(f"estimator = '{estimator}': expected one of {', '.join(ESTIMATORS)}")
    method = ESTIMATORS[estimator]
    controls = list(controls)
    group = control_group or method.control_groups[0]
    if group not in method.control_groups:
        raise ParameterError(
            f"{estimator}: control_group = '{group}', expected {' or '.join(map(repr, method.control_groups))}"
        )
    if controls and not method.takes_controls:
        able = ", ".join(key for key, other in ESTIMATORS.items() if other.takes_controls)
        raise ParameterError(f"{estimator}: takes no controls; those that do: {able}")
    rows = sample(data, outcome=outcome, unit=unit, time=time, cohort=cohort, cluster=cluster, controls=controls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries warn of is said by sample(), in one place
        try:
            return method.fit(rows, group)
        except (ValueError, np.linalg.LinAlgError) as problem:
            if isinstance(problem, PilotZonesError):
                raise
            raise DataError(f"{estimator}: {' '.join(str(problem).split())}") from None
