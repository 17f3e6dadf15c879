r"""Monte Carlo of the estimators for staggered roll-outs: bias, precision, coverage and power where truth is known.

``python -m pilotzones.monte_carlo resilience`` writes ``data/calibration/resilience_modern.csv``.

Every run draws untreated outcomes for the units and years of a study (:func:`pilotzones.scenarios.untreated`), adds the
effects of each scenario and lets every estimator of :mod:`pilotzones.estimators.modern` answer, without controls.

What makes it quick
-------------------
On given rows every one of these estimators is linear in the outcome, and so are the sums by cluster that its standard
error is made of: with weights :math:`w` and a matrix :math:`S`, clusters by rows,

.. math:: \hat\tau(y) = w'y, \qquad se(y) = \lVert S y \rVert.

Both are computed once per estimator and serve for all runs and scenarios. :math:`Sy` sums by cluster :math:`w_i` times
what some regression leaves of :math:`y_i`; the estimators differ in :math:`w` and in that regression. Small-sample
factor and width of the interval depend on the rows only and are taken from one run of the library. The libraries stay
the reference: every start of the command compares all estimators with them, in all scenarios.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import diff_diff
import numpy as np
import pandas as pd
import scipy.sparse as sp
from tqdm import tqdm

from pilotzones import modern_did, panel, scenarios, studies
from pilotzones.calibration import FRESH_SEEDS
from pilotzones.declare import Study
from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators import modern
from pilotzones.estimators.staggered import Estimate, Sample, sample
from pilotzones.io import write_atomically
from pilotzones.paths import CALIBRATION

NONE = "none"  # a seventh world, without any effect: its "power" is the size of the test
MOST_UNITS = 1000  # dummies of units are held in memory
TOLERANCE = 1e-9  # of the comparison with the libraries, in units of the effect


@dataclass(frozen=True, eq=False)
class World:
    """The rows of a study's benchmark that the estimators use, and what is added to their untreated outcomes.

    Attributes
    ----------
    frame : the rows, sorted by unit and year.
    rows : the same as the estimators see them; ``outcome`` is the position of the row, from 0.
    unit : column of ``frame``.
    rho, sd : of the untreated outcomes, see :func:`pilotzones.scenarios.noise`.
    size : mean true effect over treated rows of the study's panel.
    added : effect plus violation of the assumptions, rows by scenarios, ``none`` first.
    truth : mean effect over treated rows by scenario.
    """

    frame: pd.DataFrame
    rows: Sample
    unit: str
    rho: float
    sd: pd.Series
    size: float
    added: pd.DataFrame
    truth: pd.Series

    def untreated(self, seed: int) -> np.ndarray:
        """Draw untreated outcomes, shape (rows,)."""
        return scenarios.untreated(self.frame, self.unit, self.rho, self.sd, seed).to_numpy()


def world(study: Study, data: pd.DataFrame) -> World:
    """Return the roll-out of a study's panel with the noise and the mean effect that it has.

    Raises
    ------
    ParameterError
        The panel's true effect is not known, or it has too many units.
    """
    design = modern_did.design(study, data)
    size = modern_did.truth(design)
    if size is None:
        raise ParameterError(f"study '{study.key}': a Monte Carlo needs a panel whose true effect is known")
    frame = design.rows.dropna(subset=[design.outcome])
    names = {"unit": design.unit, "time": design.time, "cohort": "cohort", "cluster": design.cluster}
    rows = sample(frame.assign(position=np.arange(len(frame))), outcome="position", **names)
    frame = frame.iloc[rows.rows["outcome"]].reset_index(drop=True)
    rows = Sample(rows.rows.assign(outcome=np.arange(len(frame))), [], rows.notes)
    if (units := rows.rows["unit"].nunique()) > MOST_UNITS:
        raise ParameterError(f"study '{study.key}': {units:,} units; expected a panel of at most {MOST_UNITS:,}")
    rho, sd = scenarios.noise(design.rows, design.outcome, design.unit)
    effects = {name: scenarios.effects(frame, name, size) for name in scenarios.SCENARIOS}
    treated = rows.rows["post"].to_numpy() == 1
    return World(
        frame, rows, design.unit, rho, sd, size,
        added=pd.DataFrame({NONE: 0.0} | {name: table.sum(axis=1) for name, table in effects.items()}),
        truth=pd.Series({NONE: 0.0} | {name: table["effect"][treated].mean() for name, table in effects.items()}),
    )  # fmt: skip


# ------------------------------------------------------------------------------------- estimators as linear functions


@dataclass(frozen=True, eq=False)
class Linear:
    """An estimator on given rows.

    Attributes
    ----------
    weights : of each row's outcome in the estimate, shape (rows,).
    scores : the standard error is the length of ``scores @ y``, shape (clusters, rows).
    reach : half of the 95% interval in standard errors.
    """

    weights: np.ndarray
    scores: np.ndarray
    reach: float


@dataclass(frozen=True, eq=False)
class _Form:
    """Weights and scores of an estimator on ``m`` rows that are made from the panel's.

    Attributes
    ----------
    select : makes these rows, shape (m, rows).
    weights : of their outcomes in the estimate, shape (m,).
    fits : regressions whose residuals, one after the other, enter the scores: regressors and the matrix that gives
        their coefficients, shapes (m, k) and (k, m).
    inflate : factor of each residual, for estimators that correct the variance of each group mean.
    """

    select: sp.csr_matrix
    weights: np.ndarray
    fits: Sequence[tuple[np.ndarray, np.ndarray]]
    inflate: np.ndarray | float = 1.0


def library(name: str, rows: Sample, y: np.ndarray) -> Estimate:
    """Let the library estimate, without controls and with the estimator's own control group."""
    frame = rows.rows.assign(outcome=y, cohort=rows.rows["cohort"].where(rows.rows["cohort"] > 0))
    return modern.estimate(name, frame, **{c: c for c in ("outcome", "unit", "time", "cohort", "cluster")})


def linear(name: str, rows: Sample) -> Linear:
    """Return an estimator of :data:`pilotzones.estimators.modern.ESTIMATORS` as a function of the outcome.

    Parameters
    ----------
    rows : with positions as ``outcome``, see :class:`World`.
    """
    y = np.random.default_rng(0).normal(size=len(rows.rows))
    reference = library(name, rows, y)
    form = _form(name, rows, reference)
    cluster = rows.rows["cluster"].to_numpy()
    by_cluster = sp.csr_matrix((np.ones(len(cluster)), (cluster, np.arange(len(cluster)))))
    # a made row belongs to the cluster of any panel row that it is made from
    belongs = (by_cluster @ abs(form.select).T).sign().toarray()
    scores = belongs * form.weights * form.inflate
    for regressors, solve in reversed(form.fits):
        scores = scores - (scores @ regressors) @ solve
    scores = scores @ form.select
    estimate, se, high = reference.att[["estimate", "se", "high"]]
    factor = se / np.linalg.norm(scores @ y)
    return Linear(form.select.T @ form.weights, factor * scores, (high - estimate) / se)


def _form(name: str, rows: Sample, reference: Estimate) -> _Form:
    if name in ("twfe", "sun_abraham", "wooldridge"):
        return _two_way(name, rows)
    if name in ("borusyak_jaravel_spiess", "gardner"):
        return _imputation(name, rows)
    if name == "stacked":
        return _stacked(rows, reference)
    return _differences(name, rows)


def _two_way(name: str, rows: Sample) -> _Form:
    """Regress on effects of units and years and on the treatment, or on dummies of cohorts' years, and average these.

    The extended two-way regression has dummies of treated years only, Sun and Abraham's of all but the year before.
    """
    data = rows.rows
    treated, event = data["post"].to_numpy() == 1, data["time"] - data["cohort"]
    if name == "twfe":
        own, mean = treated[:, None].astype(float), np.ones(1)
    else:
        own = _cells(data, (data["cohort"] > 0) & (event != -1) if name == "sun_abraham" else treated)
        mean = treated @ own / treated.sum()
    regressors = np.hstack([own, _dummies(data["unit"]), _dummies(data["time"])])
    solve = _least_squares(regressors)
    return _Form(sp.identity(len(data), format="csr"), mean @ solve[: len(mean)], [(regressors, solve)])


def _imputation(name: str, rows: Sample) -> _Form:
    """Average what the untreated rows' effects of units and years leave of the treated rows.

    In the scores the treated rows enter as deviations: Gardner's from the mean of all of them, Borusyak, Jaravel and
    Spiess's from the mean of their cohort in their year.
    """
    data = rows.rows
    treated = data["post"].to_numpy(float)
    effects = np.hstack([_dummies(data["unit"]), _dummies(data["time"])])
    solve = _least_squares(effects, 1 - treated)
    share = treated / treated.sum()
    means = treated[:, None] if name == "gardner" else _cells(data, treated == 1)
    return _Form(
        sp.identity(len(data), format="csr"),
        share - (share @ effects) @ solve,
        [(effects, solve), (means, _least_squares(means))],
    )


def _stacked(rows: Sample, reference: Estimate) -> _Form:
    """Regress on the stack of the library, in the window that the estimate on the same rows chose."""
    window = reference.by_event_time.index
    method = diff_diff.StackedDiD(kappa_pre=-window.min(), kappa_post=window.max(), control_group="not_yet_treated")
    stack = method.fit(rows.rows, "outcome", "unit", "time", "cohort").stacked_data
    event, treated = stack["_event_time"].to_numpy(), stack["_D_sa"].to_numpy(float)
    own = treated[:, None] * (event[:, None] == window[window != -1].to_numpy())
    mean = (treated * (event >= 0)) @ own
    regressors = np.column_stack([own, treated, _dummies(event)])
    solve = _least_squares(regressors, stack["_Q_weight"].to_numpy())
    weights = mean / mean.sum() @ solve[: len(mean)]
    return _Form(_select(stack["outcome"], len(rows.rows)), weights, [(regressors, solve)])


def _differences(name: str, rows: Sample) -> _Form:
    """Compare a cohort's change since the year before its start with that of units without a zone, year by year.

    Each treated row counts once, and in each comparison the controls as much as the treated. The scores hold deviations
    from the group's mean in the comparison (Callaway and Sant'Anna), the same with each mean's variance corrected for
    its size (de Chaisemartin and D'Haultfoeuille), or from a fit with one effect per event time (local projections).
    """
    used = rows.balanced().rows if name == "dechaisemartin_dhaultfoeuille" else rows.rows
    position = used.pivot(index="unit", columns="time", values="outcome")
    cohort = used.groupby("unit")["cohort"].first()
    parts: list[pd.DataFrame] = []
    for start, time in _cohort_years(used[used["post"] == 1]):
        clean = (cohort == 0) | ((cohort > time) if name != "callaway_santanna" else False)
        part = pd.DataFrame({"after": position[time], "before": position[start - 1], "new": cohort == start})
        part = part[clean | part["new"]].dropna()
        parts.append(part.assign(cell=len(parts), horizon=time - start))
    long = pd.concat(parts, ignore_index=True)
    select = _select(long["after"], len(rows.rows)) - _select(long["before"], len(rows.rows))

    new = long["new"].to_numpy(float)
    treated = long.groupby("cell")["new"].transform("sum").to_numpy(float)
    controls = long.groupby("cell")["new"].transform("size").to_numpy() - treated
    weights = np.where(new == 1, 1.0, -treated / controls) / new.sum()
    if name == "lp_did":
        effects = new[:, None] * _dummies(long["horizon"])
        regressors = np.hstack([effects, _dummies(long["cell"])])
        return _Form(select, weights, [(regressors, _least_squares(regressors, 1 + treated / controls))])
    groups = _dummies(2 * long["cell"] + long["new"])
    members = groups.T.copy()
    if name == "callaway_santanna":
        return _Form(select, weights, [(groups, members / members.sum(axis=1, keepdims=True))])
    # a group of one has no variance of its own: deviation from the mean of the whole comparison
    alone = members.sum(axis=1) == 1
    members[alone] = (members[alone] @ _dummies(long["cell"])) @ _dummies(long["cell"]).T
    sizes = members.sum(axis=1)
    inflate = groups @ np.sqrt(sizes / (sizes - 1))
    return _Form(select, weights, [(groups, members / sizes[:, None])], inflate)


def _select(positions: pd.Series, rows: int) -> sp.csr_matrix:
    """Return the matrix that picks the rows at some positions."""
    ones, line = np.ones(len(positions)), np.arange(len(positions))
    return sp.csr_matrix((ones, (line, positions.to_numpy(int))), (len(positions), rows))


def _dummies(values: pd.Series | np.ndarray) -> np.ndarray:
    """Return 0/1 columns of the values in ascending order, shape (rows, values)."""
    codes, levels = pd.factorize(np.asarray(values), sort=True)
    return np.eye(len(levels))[codes]


def _cells(data: pd.DataFrame, where: pd.Series | np.ndarray) -> np.ndarray:
    """Return dummies of cohort by year for the rows ``where``, zero in the others."""
    inside = data[where]
    found = np.zeros((len(data), len(_cohort_years(inside))))
    found[np.asarray(where)] = _dummies(inside.groupby(["cohort", "time"]).ngroup())
    return found


def _cohort_years(rows: pd.DataFrame) -> list[tuple[int, int]]:
    return sorted(rows[["cohort", "time"]].drop_duplicates().itertuples(index=False, name=None))


def _least_squares(regressors: np.ndarray, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the matrix that makes coefficients of outcomes, shape (k, m); collinear regressors share a coefficient."""
    weighted = regressors.T * weights
    return np.asarray(np.linalg.pinv(weighted @ regressors, rcond=1e-11, hermitian=True) @ weighted)


# ------------------------------------------------------------------------------------------------------- Monte Carlo


def monte_carlo(here: World, forms: Mapping[str, Linear], seeds: Sequence[int]) -> pd.DataFrame:
    """Estimate in every scenario on many draws.

    Parameters
    ----------
    forms : the estimators by name, each as :func:`linear` returns it for ``here.rows``.
    seeds : one draw of untreated outcomes each.

    Returns
    -------
    One row per scenario, estimator and seed: ``estimate``, ``se``, ``low``, ``high``, ``truth``, in outcome units.
    """
    noise = np.column_stack([here.untreated(seed) for seed in seeds])
    noisy = {name: (form.weights @ noise, form.scores @ noise) for name, form in forms.items()}
    parts: list[pd.DataFrame] = []
    for (scenario, added), (name, form) in product(here.added.items(), forms.items()):
        estimates, scores = noisy[name]
        estimate = estimates + form.weights @ added.to_numpy()
        se = np.linalg.norm(scores + (form.scores @ added.to_numpy())[:, None], axis=0)
        parts.append(pd.DataFrame({
            "scenario": scenario, "estimator": name, "seed": seeds, "estimate": estimate, "se": se,
            "low": estimate - form.reach * se, "high": estimate + form.reach * se, "truth": here.truth[scenario],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def summarise(draws: pd.DataFrame, size: float) -> pd.DataFrame:
    """Return one row per scenario and estimator.

    Returns
    -------
    ``bias``, ``sd``, ``rmse`` (root mean squared error), as shares of ``size``; ``coverage``, the share of 95%
    intervals that hold the true mean effect over treated rows; ``power``, the share that excludes zero; ``runs``.
    """
    error = (draws["estimate"] - draws["truth"]) / size
    marked = draws.assign(
        error=error,
        squared=error**2,
        coverage=draws["truth"].between(draws["low"], draws["high"]).astype(float),
        power=((draws["low"] > 0) | (draws["high"] < 0)).astype(float),
    )
    found = marked.groupby(["scenario", "estimator"], sort=False).agg(
        bias=("error", "mean"), sd=("error", "std"), rmse=("squared", "mean"),
        coverage=("coverage", "mean"), power=("power", "mean"), runs=("seed", "size"),
    )  # fmt: skip
    return found.assign(rmse=np.sqrt(found["rmse"])).reset_index()


def compare(here: World, draws: pd.DataFrame, seed: int) -> float:
    """Return the largest difference of estimates and errors from the libraries' on one draw, in units of the effect.

    Raises
    ------
    DataError
        It is not negligible.
    """
    largest = 0.0
    ours = draws[draws["seed"] == seed].set_index(["scenario", "estimator"])[["estimate", "se"]]
    for (scenario, name), values in tqdm(ours.iterrows(), "libraries", len(ours), leave=False):
        theirs = library(name, here.rows, here.untreated(seed) + here.added[scenario].to_numpy())
        apart = float((values - theirs.att[values.index]).abs().max()) / here.size
        if not apart < TOLERANCE:
            raise DataError(f"{name}, scenario '{scenario}', seed {seed}: {apart:.1e} effects apart from the library")
        largest = max(largest, apart)
    return largest


def main(argv: Sequence[str] | None = None) -> None:
    """Run the Monte Carlo of the estimators on a study's roll-out and write its summary."""
    parser = argparse.ArgumentParser(prog="python -m pilotzones.monte_carlo", description=main.__doc__)
    parser.add_argument("study", choices=studies.keys())
    parser.add_argument("--runs", type=int, default=5000, help="draws per scenario, seeds 1001 onwards")
    options = parser.parse_args(argv)
    study = studies.load(options.study)
    here = world(study, panel.generate(study, study.seed))
    seeds = range(FRESH_SEEDS, FRESH_SEEDS + options.runs)
    forms = {name: linear(name, here.rows) for name in tqdm(modern.ESTIMATORS, "estimators", leave=False)}
    draws = monte_carlo(here, forms, seeds)
    apart = compare(here, draws, FRESH_SEEDS)
    path = CALIBRATION / f"{study.key}_modern.csv"
    summary = summarise(draws, here.size)
    write_atomically(path, partial(summary.to_csv, index=False, float_format="%.6g"))
    print(f"data/calibration/{path.name}: {options.runs} runs; libraries differ by at most {apart:.1e} of the effect")


if __name__ == "__main__":
    main()
