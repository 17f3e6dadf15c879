r"""The scenario lab: which diagnostics raise a flag in a world of known truth?

``python -m pilotzones.lab resilience`` writes ``data/calibration/resilience_flags.csv``: how often each does.

Six questions to the data, each a number with a 95% interval, or a share with a fixed limit. None of them uses the
truth. Errors are clustered as in the study's design.

================  ==================================================================================================
trend before      slope of the gap between treated and other cities in the years before the last two before the zone
jump before       rise of that gap in the last two years before the zone, beyond its slope earlier
age               gain of the effect per year since the zone
cohort            gain of the effect per year by which the zone came later, at equal age
forbidden pull    what comparisons with already treated cities take off the two-way fixed effects estimate
rings             outcome of cities without any zone while one is in force within 150 km
================  ==================================================================================================

*Trend*, *jump*, *age* and *cohort* are contrasts in one regression on dummies of all event times and, for treated
rows, the start year :math:`g`,

.. math:: y_{it} = \sum_{k \ne -1} b_k 1\{t - g_i = k\} + c\, (g_i - \bar g) D_{it} + a_i + a_t + u_{it},

*rings* is a regression of never-treated rows on a dummy for a zone nearby, and the *pull* comes from the Goodman-Bacon
decomposition [1]_. Identified under no more than the regression says; each answers for one assumption only, and a flag
is right in 95 of 100 draws, not in all.

References
----------
.. [1] Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. Journal of Econometrics
   225, 254-277.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones import modern_did, monte_carlo, panel, scenarios, studies
from pilotzones.calibration import FRESH_SEEDS
from pilotzones.declare import Study
from pilotzones.errors import DataError
from pilotzones.estimators.inference import covariance
from pilotzones.estimators.regression import Regression, regress
from pilotzones.io import read_csv, write_atomically
from pilotzones.panel import TRUTH
from pilotzones.paths import CALIBRATION
from pilotzones.scenarios import SCENARIOS

PULL = 0.02  # of the clean comparisons' mean: seldom exceeded by chance alone (data/calibration/*_flags.csv)
FLAGS = ("trend before", "jump before", "age", "cohort", "forbidden pull", "rings")
_EARLY = range(-6, -2)  # event times of the trend before; the last two years are those of the jump


def diagnostics(design: modern_did.Design) -> pd.DataFrame:
    """Ask the six questions of the module.

    Parameters
    ----------
    design : of a study of cities, with ``city``, ``batch``, ``cohort`` and ``event_time`` in its rows.

    Returns
    -------
    One row per question of :data:`FLAGS`: ``estimate``, ``low``, ``high`` (outcome units, for trend, age and cohort per
    year; the pull as a share of the clean comparisons' mean, without interval) and ``flag``.

    Raises
    ------
    DataError
        If the roll-out has no city observed six years before its zone, or only one cohort.
    """
    rows: dict[str, dict[str, float | bool]] = {}
    fit, names = _profile(design)
    for name, weights in _contrasts(names, design.rows).items():
        rows[name] = _interval(fit, weights)
    apart = modern_did.bacon(design)
    clean = apart.by_type.drop("later_vs_earlier")
    mean = float((clean["weight"] * clean["estimate"]).sum() / clean["weight"].sum())
    pull = 1 - apart.estimate / mean
    rows["forbidden pull"] = {"estimate": pull, "flag": bool(abs(pull) > PULL)}
    rows["rings"] = _rings(design)
    found = pd.DataFrame.from_dict(rows, orient="index").loc[[*FLAGS]]
    return found.astype({"estimate": float, "low": float, "high": float, "flag": bool})


def _profile(design: modern_did.Design) -> tuple[Regression, dict[int, str]]:
    """Regress on dummies of event times and the start year of treated rows; return the dummies by event time too."""
    data = design.rows
    event = data["event_time"]
    times = sorted(int(k) for k in event.dropna().unique() if k != -1)
    if not set(_EARLY) <= set(times) or data["cohort"].nunique() < 2:
        raise DataError(
            f"diagnostics: event times from {min(times, default=0)} and {data['cohort'].nunique()} cohorts; expected "
            f"years from {min(_EARLY)} on and at least two cohorts"
        )
    names = {k: f"event_{'m' if k < 0 else 'p'}{abs(k)}" for k in times}
    dummies = {name: (event == k).astype(float) for k, name in names.items()}
    treated = event >= 0
    later = (data["cohort"] - data.loc[treated, "cohort"].mean()).where(treated, 0.0)
    frame = data.assign(**dummies, later=later, cluster=data[design.cluster])
    effects = f"{design.unit} + {design.time}"
    formula = f"{design.outcome} ~ {' + '.join(names.values())} + later | {effects}"
    return regress(formula, frame, "cluster:cluster"), names


def _contrasts(names: Mapping[int, str], data: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the weights of the coefficients in each contrast."""
    early = np.array([*_EARLY])
    slope = pd.Series((early - early.mean()) / ((early - early.mean()) ** 2).sum(), early)
    # the last two years, of which -1 is the base, less the early years' line drawn on to them
    line = pd.Series(1 / len(early), early) + slope * (-1.5 - early.mean())
    jump = pd.Series({-2: 0.5}).sub(line, fill_value=0)
    n = data.loc[data["event_time"] >= 0, "event_time"].value_counts()
    years = n.index.to_numpy(float) - np.average(n.index, weights=n)
    age = pd.Series(n * years / (n * years**2).sum(), n.index)
    by_name = {"trend before": slope, "jump before": jump, "age": age}
    found = {key: weights.rename(index=lambda k: names[int(k)]) for key, weights in by_name.items()}
    return found | {"cohort": pd.Series({"later": 1.0})}


def _interval(fit: Regression, weights: pd.Series) -> dict[str, float | bool]:
    matrix, df = covariance(fit)
    terms = [str(term) for term in weights.index]
    estimate = float(weights @ fit.coefficients["estimate"].rename(str).loc[terms].to_numpy())
    reach = float(stats.t.ppf(0.975, df) * np.sqrt(weights.to_numpy() @ matrix.loc[terms, terms] @ weights.to_numpy()))
    low, high = estimate - reach, estimate + reach
    return {"estimate": estimate, "low": low, "high": high, "flag": bool(low > 0 or high < 0)}


def _rings(design: modern_did.Design) -> dict[str, float | bool]:
    near = scenarios.near_a_zone(design.rows).astype(float)
    never = design.rows.assign(near=near, cluster=design.rows[design.cluster])[design.rows["cohort"].isna()]
    fit = regress(f"{design.outcome} ~ near | {design.unit} + {design.time}", never, "cluster:cluster")
    return _interval(fit, pd.Series({"near": 1.0}))


def flags(study: Study, data: pd.DataFrame, strength: float) -> pd.DataFrame:
    """Return the flags (columns) that each world of :data:`pilotzones.scenarios.SCENARIOS` (rows) raises."""
    worlds = {name: scenarios.laid_over(study, data, name, strength) for name in SCENARIOS}
    rows = {name: diagnostics(modern_did.design(study, world))["flag"] for name, world in worlds.items()}
    return pd.DataFrame(rows).T[[*FLAGS]].astype(bool)


def group_means(design: modern_did.Design) -> pd.DataFrame:
    """Return the mean outcome by year (rows) of cities that get a zone, the same less its effect, and of the others."""
    ever = design.rows["cohort"].notna()
    rows = design.rows.assign(without=design.rows[design.outcome] - design.rows[TRUTH]).dropna(subset=[design.outcome])
    treated, others = rows[ever.loc[rows.index]], rows[~ever.loc[rows.index]]
    return pd.DataFrame({
        "cities that get a zone": treated.groupby(design.time)[design.outcome].mean(),
        "cities without": others.groupby(design.time)[design.outcome].mean(),
        "cities that get a zone, less the effect": treated.groupby(design.time)["without"].mean(),
    })  # fmt: skip


def against_truth(design: modern_did.Design, found: Mapping[str, object]) -> pd.DataFrame:
    """Return estimates with intervals beside the true mean effect; ``error`` is in percent of it."""
    table = modern_did.table(found)[["estimate", "low", "high"]].astype(float)  # type: ignore[arg-type]
    true = modern_did.truth(design)
    table["truth"] = true
    table["error, %"] = (table["estimate"] / true - 1) * 100 if true else np.nan
    table["interval holds the truth"] = np.where(table["truth"].between(table["low"], table["high"]), "yes", "no")
    return table


def rates(study: Study) -> tuple[pd.DataFrame, int]:
    """Return the committed share of samples in which each flag (columns) goes up in each world (rows); and how many.

    Raises
    ------
    DataError
        If there is no such file for the study.
    """
    columns = {"scenario": str, "flag": str, "share": float, "runs": int}
    rows = read_csv(CALIBRATION / f"{study.key}_flags.csv", columns)
    shares = rows.pivot(index="scenario", columns="flag", values="share").loc[[*SCENARIOS], [*FLAGS]]
    return shares, int(rows["runs"].min())


def monte_carlo_of_flags(study: Study, seeds: Sequence[int]) -> pd.DataFrame:
    """Return the share of fresh samples (``seeds``) in which each flag (``flag``) goes up in each ``scenario``.

    Everything that :func:`diagnostics` computes on given rows is linear in the outcome, half of an interval's width
    being the length of a linear function of it; see :mod:`pilotzones.monte_carlo`. The first sample of each scenario is
    computed in both ways.

    Raises
    ------
    DataError
        If the two ways differ in a flag.
    """
    data = panel.generate(study, study.seed)
    here = monte_carlo.world(study, data)
    design = replace(modern_did.design(study, data), rows=here.frame)
    forms, (every, clean) = _linear(design), _pull(design)
    draws = monte_carlo.monte_carlo(here, forms, seeds)
    draws["flag"] = (draws["low"] > 0) | (draws["high"] < 0)
    noise = np.column_stack([here.untreated(seed) for seed in seeds])
    parts = [draws[["scenario", "estimator", "seed", "flag"]]]
    for name in SCENARIOS:
        sample = noise + here.added[name].to_numpy()[:, None]
        high = np.abs(1 - (every @ sample) / (clean @ sample)) > PULL
        parts.append(pd.DataFrame({"scenario": name, "estimator": "forbidden pull", "seed": seeds, "flag": high}))
    raised = pd.concat(parts).set_index(["scenario", "estimator", "seed"])["flag"]
    for name in SCENARIOS:
        outcome = noise[:, 0] + here.added[name].to_numpy()
        directly = diagnostics(replace(design, rows=here.frame.assign(**{design.outcome: outcome})))["flag"]
        if not directly.eq(raised[name].xs(seeds[0], level="seed")).all():
            raise DataError(f"scenario '{name}', seed {seeds[0]}: the flags differ from those of the regressions")
    share = raised[list(SCENARIOS)].groupby(level=["scenario", "estimator"], sort=False).mean().rename("share")
    return share.rename_axis(["scenario", "flag"]).reset_index().assign(runs=len(seeds))


def _linear(design: modern_did.Design) -> dict[str, monte_carlo.Linear]:
    """Return the diagnostics that have an interval as linear functions; half of the interval's width is the error."""
    y = np.random.default_rng(0).normal(size=len(design.rows))
    frame = design.rows.assign(**{design.outcome: y})
    noisy = replace(design, rows=frame)
    fit, names = _profile(noisy)
    treated = frame["event_time"] >= 0
    own = {name: frame["event_time"] == k for k, name in names.items()}
    own["later"] = (frame["cohort"] - frame.loc[treated, "cohort"].mean()).where(treated, 0.0)
    columns, everyone = pd.DataFrame(own).astype(float), np.ones(len(frame), dtype=bool)
    found = {}
    for name, weights in _contrasts(names, frame).items():
        found[name] = _form(noisy, columns, weights, everyone, _interval(fit, weights))
    near = scenarios.near_a_zone(frame).astype(float).to_frame("near")
    never = frame["cohort"].isna().to_numpy()
    return found | {"rings": _form(noisy, near, pd.Series({"near": 1.0}), never, _rings(noisy))}


def _form(
    design: modern_did.Design,
    own: pd.DataFrame,
    contrast: pd.Series,
    where: np.ndarray,
    known: Mapping[str, float | bool],
) -> monte_carlo.Linear:
    """Return a contrast in a regression on ``own``, units and years, on some rows; its error matches a known one."""
    rows = design.rows[where]
    effects = [pd.get_dummies(rows[column], dtype=float) for column in (design.unit, design.time)]
    regressors = np.hstack([own[where], *effects])
    solve = np.linalg.pinv(regressors, rcond=1e-11)
    weights = contrast.reindex(own.columns, fill_value=0.0).to_numpy() @ solve[: own.shape[1]]
    by_cluster = pd.get_dummies(rows[design.cluster], dtype=float).to_numpy().T * weights
    scores = np.zeros((len(by_cluster), len(where)))
    scores[:, where] = by_cluster - (by_cluster @ regressors) @ solve
    width = (float(known["high"]) - float(known["low"])) / 2
    full = np.zeros(len(where))
    full[where] = weights
    return monte_carlo.Linear(full, scores * (width / np.linalg.norm(scores @ design.rows[design.outcome])), 1.0)


def _pull(design: modern_did.Design) -> tuple[np.ndarray, np.ndarray]:
    """Return row weights of two-way fixed effects and of its clean comparisons' mean, on units without gaps."""
    rows = design.rows
    whole = rows.groupby(design.unit)[design.time].transform("size") == rows[design.time].nunique()
    weights = np.zeros((2, len(rows)))
    cohort = rows["cohort"].fillna(0)
    for _, cell in rows[whole].groupby([cohort, design.time]):
        # what the decomposition makes of an outcome that is 1 in one cohort and year
        apart = modern_did.bacon(
            replace(design, rows=rows.assign(**{design.outcome: rows.index.isin(cell.index) * 1.0}))
        )
        clean = apart.by_type.drop("later_vs_earlier")
        mean = float((clean["weight"] * clean["estimate"]).sum() / clean["weight"].sum())
        weights[:, rows.index.isin(cell.index)] = np.array([[apart.estimate], [mean]]) / len(cell)
    return weights[0], weights[1]


def main(argv: Sequence[str] | None = None) -> None:
    """Count the flags of the scenario lab on fresh samples of a study's roll-out and write their shares."""
    parser = argparse.ArgumentParser(prog="python -m pilotzones.lab", description=main.__doc__)
    parser.add_argument("study", choices=studies.keys())
    parser.add_argument("--runs", type=int, default=5000, help="samples per scenario, seeds 1001 onwards")
    options = parser.parse_args(argv)
    study = studies.load(options.study)
    found = monte_carlo_of_flags(study, range(FRESH_SEEDS, FRESH_SEEDS + options.runs))
    path = CALIBRATION / f"{study.key}_flags.csv"
    write_atomically(path, partial(found.to_csv, index=False, float_format="%.6g"))
    print(f"data/calibration/{path.name}: {options.runs} samples of each of {len(SCENARIOS)} scenarios")


if __name__ == "__main__":
    main()
