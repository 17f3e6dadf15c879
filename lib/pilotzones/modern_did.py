"""The modern estimators on a study's own roll-out, put into tables a reader can compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import describe, panel, published, replicate, studies
from pilotzones.declare import Study
from pilotzones.errors import DataError
from pilotzones.estimators import modern, pretrends
from pilotzones.estimators.bacon import TYPES, Bacon, decompose
from pilotzones.estimators.honest import honest
from pilotzones.estimators.regression import Regression
from pilotzones.estimators.staggered import Estimate
from pilotzones.estimators.wild_bootstrap import wild_bootstrap
from pilotzones.io import read_csv
from pilotzones.panel import TRUTH
from pilotzones.paths import CALIBRATION

# with leads relative to the year before the reform, and a covariance: what bounds and power need
LEADS = ("callaway_santanna", "sun_abraham", "lp_did")
# of the matrix over all studies: without controls, as every method can be had
MATRIX = ("twfe", "callaway_santanna", "sun_abraham", "borusyak_jaravel_spiess", "wooldridge", "lp_did")
ERRORS = ("cluster_unit", "cluster_city", "cluster_province", "dyadic")
OWN, WILD, TRENDS = "as the paper computes it", "wild cluster bootstrap", "trends fail as much as they did before"
MANY = 100_000  # rows from which Gardner's errors take 20 seconds and more
MAGNITUDES = (0.5, 1.0, 2.0)  # of the largest change between leads


@dataclass(frozen=True, eq=False)
class Design:
    """The rows of a study's benchmark, and what its roll-out is called.

    Attributes
    ----------
    rows : the benchmark's sample.
    outcome, unit, time, cluster : columns.
    controls : of the benchmark.
    """

    rows: pd.DataFrame
    outcome: str
    unit: str
    time: str
    cluster: str
    controls: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str]:
        """Return the arguments that every estimator takes."""
        return {"outcome": self.outcome, "unit": self.unit, "time": self.time, "cohort": "cohort"}


def design(study: Study, data: pd.DataFrame) -> Design:
    """Return the design of a study's benchmark: its rows, clustered by the place that gets a zone."""
    cluster = study.unit if "pairs" in study.features else describe.place(data)
    return Design(
        replicate.benchmark_sample(study, data), study.outcome, study.unit, study.time, cluster,
        tuple(study.regressors("controls")),
    )  # fmt: skip


def bacon(design: Design) -> Bacon:
    """Take the two-way fixed effects estimate without controls apart."""
    return decompose(design.rows, **design.columns)


def bacon_types(found: Bacon) -> pd.DataFrame:
    """Return number, weight and mean estimate of the comparisons by kind, and of all together (rows)."""
    table = found.by_type.assign(comparisons=found.comparisons["type"].value_counts().reindex(TYPES, fill_value=0))
    table.loc["all"] = {"weight": table["weight"].sum(), "estimate": found.estimate, "comparisons": 0}
    table.loc["all", "comparisons"] = len(found.comparisons)
    return table.rename(TYPES).astype({"comparisons": int})[["comparisons", "weight", "estimate"]]


def estimates(design: Design) -> dict[str, Estimate | str]:
    """Estimate the effect by every estimator; in the place of one that cannot be had, the reason."""
    found = {name: _try(name, design) for name in modern.ESTIMATORS if name != "gardner" or len(design.rows) <= MANY}
    left_out = f"left out with more than {MANY:,} rows: the estimate of Borusyak, Jaravel and Spiess, 40 times slower"
    return {name: found.get(name, left_out) for name in modern.ESTIMATORS}


def _try(name: str, design: Design, **choices: Any) -> Estimate | str:
    try:
        return modern.estimate(name, design.rows, **design.columns, cluster=design.cluster, **choices)
    except DataError as problem:
        return str(problem)


def table(found: Mapping[str, Estimate | str]) -> pd.DataFrame:
    """Return estimate, error, interval, t and treated rows of each estimator (rows); empty for one that failed."""
    rows: dict[str, dict[str, Any]] = {}
    for name, estimate in found.items():
        row: dict[str, Any] = {}
        rows[modern.ESTIMATORS[name].title] = row
        if not isinstance(estimate, str):
            row |= {**estimate.att, "t": estimate.att["estimate"] / estimate.att["se"]}
            row["treated rows"] = estimate.n_treated
    columns = ["estimate", "se", "low", "high", "t", "treated rows"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).astype({"treated rows": "Int64"})


def notes(found: Mapping[str, Estimate | str]) -> pd.DataFrame:
    """Return whose code each estimator is (rows) and what is special about it, or why there is no estimate.

    What is said of every estimator, such as dropped rows, has the first row to itself.
    """
    said = {name: [] if isinstance(e, str) else e.note.split("; ") for name, e in found.items()}
    spoken = [words for words in said.values() if words]
    common = [part for part in spoken[0] if all(part in words for words in spoken)] if spoken else []
    rows = {"all": {"library": "", "note": "; ".join(common)}} if common else {}
    for name, estimate in found.items():
        own = estimate if isinstance(estimate, str) else "; ".join(p for p in said[name] if p not in common)
        library = "" if isinstance(estimate, str) else estimate.library
        rows[modern.ESTIMATORS[name].title] = {"library": library, "note": own}
    return pd.DataFrame.from_dict(rows, orient="index")


def truth(design: Design) -> float | None:
    """Return the true mean effect over treated rows, in outcome units; None when it is not known."""
    if TRUTH not in design.rows:
        return None
    return float(design.rows.loc[design.rows["event_time"] >= 0, TRUTH].mean())


def true_path(design: Design) -> pd.Series | None:
    """Return the true mean effect by event time; None when it is not known."""
    if TRUTH not in design.rows:
        return None
    treated = design.rows[design.rows["event_time"] >= 0]
    return treated.groupby("event_time")[TRUTH].mean()


def control_groups(design: Design) -> pd.DataFrame:
    """Return estimate and error with never-treated and with not-yet-treated controls, of estimators that have both."""
    rows = {}
    for name, method in modern.ESTIMATORS.items():
        if len(method.control_groups) < 2:
            continue
        row: dict[str, float] = {}
        for group in ("never", "not_yet"):
            estimate = _try(name, design, control_group=group)
            if not isinstance(estimate, str):
                words = group.replace("_", " ") + " treated"
                row |= {words: estimate.att["estimate"], f"{words}, se": estimate.att["se"]}
        rows[method.title] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def with_controls(study: Study, design: Design) -> pd.DataFrame:
    """Return estimate and error without and with the paper's controls, of estimators that take them (rows)."""
    rows: dict[str, dict[str, Any]] = {}
    for name, method in modern.ESTIMATORS.items():
        if not method.takes_controls or not design.controls or name == "gardner":
            continue  # Gardner's estimate is that of Borusyak, Jaravel and Spiess, at forty times the time
        row: dict[str, Any] = {}
        for label, controls in (("no controls", ()), ("controls", design.controls)):
            estimate = _try(name, design, controls=controls)
            if not isinstance(estimate, str):
                row |= {label: estimate.att["estimate"], f"{label}, se": estimate.att["se"]}
        rows[method.title] = row
    table, number = study.benchmark
    printed = published.estimates(study.key).set_index(["table", "column", "term"])["estimate"]
    rows["as printed (benchmark column)"] = {"controls": printed[table, number, study.treatment]}
    return pd.DataFrame.from_dict(rows, orient="index")


def honest_bounds(found: Mapping[str, Estimate | str]) -> pd.DataFrame:
    """Return robust intervals of the first estimator that allows them, by restriction and size of the violation.

    Returns
    -------
    One row per restriction and size with ``low``, ``high`` and the ``breakdown`` value of the restriction; the size is
    in units of the largest change between leads (relative magnitudes) or outcome units per year (smoothness: 0, a
    tenth, a quarter and half of the estimate's error).
    """
    estimate = next(e for name in LEADS if not isinstance(e := found[name], str))
    error = float(estimate.att["se"])
    sizes = {"relative_magnitudes": MAGNITUDES, "smoothness": tuple(error * share for share in (0.0, 0.1, 0.25, 0.5))}
    parts = []
    for restriction, values in sizes.items():
        bounds = honest(estimate, restriction, values, leads=3)  # type: ignore[arg-type]
        rows = pd.concat([bounds.original.to_frame("parallel trends").T, bounds.bounds.rename(index="{:.4g}".format)])
        words = restriction.replace("_", " ")
        rows.index = pd.Index([f"{words}, {label if 'trends' in label else f'M = {label}'}" for label in rows.index])
        parts.append(rows.assign(breakdown=bounds.breakdown))
    return pd.concat(parts)


def pretrend_power(found: Mapping[str, Estimate | str]) -> pd.DataFrame:
    """Return for each estimator with leads (rows) the line that they would have revealed, and the harm it does."""
    parts = []
    for name in LEADS:
        estimate = found[name]
        if isinstance(estimate, str):
            continue
        try:
            lines = pretrends.detectable(estimate)
        except DataError:
            continue
        parts.append(lines.set_axis([f"{modern.ESTIMATORS[name].title}, {power:.0%}" for power in lines.index]))
    return pd.concat(parts)


def inference(study: Study, data: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """Return intervals and p values of the paper's own estimate: as it computes them, and as one should (rows).

    Of cities and firms: clustered by city, two wild cluster bootstraps, and randomisation. Of pairs, which share
    cities: clustered by both cities, and dyadic; their bootstrap is not defined for two ways of clustering.
    """
    fit = replicate.benchmark(study, data)
    rows: dict[str, dict[str, float]] = {"as the paper computes it": _interval(fit, study.treatment)}
    if "pairs" in study.features:
        for name in ("cluster_city", "dyadic"):
            rows[name.replace("_", " ")] = _interval(fit.under(replicate.errors(study, name)), study.treatment)
        return pd.DataFrame.from_dict(rows, orient="index")
    cluster = study.clusters["cluster_city"]
    clustered = fit.under(f"cluster:{cluster}")
    rows[f"clustered by {cluster}"] = _interval(clustered, study.treatment)
    for weights in ("rademacher", "webb"):
        boot = wild_bootstrap(fit, study.treatment, cluster=cluster, weights=weights, draws=draws, seed=seed)
        rows[f"wild cluster bootstrap, {weights} weights"] = {"low": boot.low, "high": boot.high, "p": boot.p}
    fake = replicate.placebo(study, data, draws, seed, "cluster_city")
    t = float(clustered.coefficients.at[study.treatment, "t"])
    rows["randomisation: fake zones"] = {"p": fake.p_value(t)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _interval(fit: Regression, term: str) -> dict[str, float]:
    return {name: float(fit.coefficients.at[term, name]) for name in ("low", "high", "p")}


def monte_carlo(study: Study) -> dict[str, pd.DataFrame]:
    """Return the committed Monte Carlo of estimators and scenarios on a study's roll-out; empty without one.

    Returns
    -------
    By statistic (``bias``, ``sd``, ``rmse``, in percent of the effect; ``coverage`` of 95% intervals; ``power``, the
    share of them without zero): one row per estimator, one column per scenario; ``none`` has no effect, and its bias is
    in percent of the effect of the others.
    """
    path = CALIBRATION / f"{study.key}_modern.csv"
    try:
        path.open().close()  # opened rather than looked for: a page depends on the file also when it is missing
    except FileNotFoundError:
        return {}
    numbers = ("bias", "sd", "rmse", "coverage", "power")
    rows = read_csv(path, {"scenario": str, "estimator": str, **dict.fromkeys(numbers, float), "runs": int})
    order = list(dict.fromkeys(rows["scenario"]))
    titles = {name: method.title for name, method in modern.ESTIMATORS.items()}
    rows[["bias", "sd", "rmse"]] *= 100
    tables = {name: rows.pivot(index="estimator", columns="scenario", values=name) for name in numbers}
    return {name: table.loc[[*titles], order].rename(index=titles) for name, table in tables.items()}


def verdict(benchmark: float, low: float, high: float) -> str:
    """Say what another interval leaves of a published effect.

    It ``survives`` if the interval excludes zero on the side of ``benchmark``, is ``weakened`` if the interval holds
    zero, and ``reversed`` if it excludes zero on the other side.
    """
    if low <= 0 <= high:
        return "weakened"
    return "survives" if np.sign(low) == np.sign(benchmark) else "reversed"


def matrix(keys: Sequence[str], source: str, draws: int) -> pd.DataFrame:
    """Judge the main finding of some studies by other errors and other estimators.

    Parameters
    ----------
    keys : of the studies.
    source : of their panels.
    draws : bootstrap samples.

    Returns
    -------
    One row per way to estimate or infer, one column per study; in each cell the verdict (see :func:`verdict`) against
    the sign of the paper's own benchmark, the estimate and its 95% interval. Empty where a way does not exist for a
    study; the paper's own errors are judged by the same rule.
    """
    columns: dict[str, dict[str, str]] = {}
    for study in map(studies.load, keys):
        data = panel.load(study, source)
        fit = replicate.benchmark(study, data)
        own = float(fit.coefficients.at[study.treatment, "estimate"])
        cells = {OWN: _cell(own, fit.coefficients.loc[study.treatment])}
        for name in ERRORS:
            if name in study.clusters:
                other = fit.under(replicate.errors(study, name)).coefficients.loc[study.treatment]
                cells[f"errors: {name.replace('_', ' ')}"] = _cell(own, other)
        if "rollout" in study.features:
            cells |= _by_estimator(study, data, own, draws)
        columns[study.key] = cells
    errors = [f"errors: {name.replace('_', ' ')}" for name in ERRORS]
    rows = [OWN, *errors, WILD, *(modern.ESTIMATORS[name].title for name in MATRIX), TRENDS]
    return pd.DataFrame(columns).reindex(rows).fillna("")


def _by_estimator(study: Study, data: pd.DataFrame, own: float, draws: int) -> dict[str, str]:
    of_study = design(study, data)
    cells = {}
    if "cities" in study.features:
        boot = wild_bootstrap(
            replicate.benchmark(study, data), study.treatment, cluster=study.clusters["cluster_city"], draws=draws
        )
        cells[WILD] = _cell(own, pd.Series({"estimate": own, "low": boot.low, "high": boot.high}))
    found = {name: _try(name, of_study) for name in MATRIX}
    for name, estimate in found.items():
        if not isinstance(estimate, str):
            cells[modern.ESTIMATORS[name].title] = _cell(own, estimate.att)
    base = next((e for name in LEADS if name in found and not isinstance(e := found[name], str)), None)
    if base is not None:
        bounds = honest(base, "relative_magnitudes", (1.0,), leads=3).bounds.iloc[0]
        cells[TRENDS] = _cell(own, pd.Series({**base.att, **bounds}))
    return cells


def _cell(own: float, row: pd.Series) -> str:
    """Return the text of one cell of :func:`matrix`."""
    word = verdict(own, row["low"], row["high"])
    return f"{word}: {row['estimate']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
