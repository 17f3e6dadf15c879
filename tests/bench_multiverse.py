"""Time joint inference over a grid of specifications beside loops of pyfixest and of single batches.

``make bench`` prints the numbers and writes ``_build/bench_multiverse.json``. Every study's benchmark is estimated with
all subsets of its controls under 199 permutations of the treatment, on the rows that are complete in all of them. The
loops run a few of the regressions, spread evenly over specifications and draws, and their time is scaled up; all take
turns in the same run, and all must give the same numbers. What to read is the ratio.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable
from itertools import combinations
from statistics import median
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"  # one core

import numpy as np
import pandas as pd
import pyfixest
from pyfixest.demeaners import MapDemeaner

from pilotzones import panel, replicate, specifications, studies
from pilotzones.estimators import batch, multiverse
from pilotzones.io import write_atomically
from pilotzones.paths import BUILD

DRAWS = 199
REPEATS = 3
LOOPED = 12
# place whose paths are dealt out, and errors
CASES = {
    "resilience": ("city", ("cluster:city",)),
    "productivity": ("city", ("cluster:city",)),
    "quality": ("province", ("cluster:province",)),
    "innovation": ("city", ("cluster:city",)),
    "innovation, four errors": ("city", ("iid", "hetero", "cluster:city", "cluster:firm")),
    "coordination": (("city_i", "city_j"), ("cluster:pair",)),
    "coordination, hetero": (("city_i", "city_j"), ("hetero",)),
}


def seconds(run: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def case(name: str) -> tuple[pd.DataFrame, list[batch.Equation], list[str], Callable[[], np.ndarray]]:
    """Return rows, equations, effects, and what makes the draws."""
    study = studies.load(name.split(",")[0])
    place, vcovs = CASES[name]
    own = specifications.declared(study, *study.benchmark)
    data = replicate.select(panel.load(study), own.sample).dropna(subset=[own.outcome, own.term, *own.controls])
    sets = [found for size in range(len(own.controls) + 1) for found in combinations(own.controls, size)]
    equations = [batch.Equation(own.outcome, (own.term, *names), vcov) for names in sets for vcov in vcovs]
    return (
        data,
        equations,
        own.effects.split(" + "),
        lambda: multiverse.permuted(data, own.term, place, study.time, DRAWS, study.seed),
    )


def race(name: str) -> dict[str, float]:
    """Return the seconds of every engine for all specifications and draws."""
    data, equations, effects, deal = case(name)
    x = deal()
    term = equations[0].regressors[0]
    ours = multiverse.reestimate(data, equations, effects, x)
    some = [(i * len(equations) // LOOPED, i * DRAWS // LOOPED) for i in range(LOOPED)]

    def by_pyfixest() -> list[float]:
        found = []
        for i, j in some:
            kind, _, cluster = equations[i].vcov.partition(":")
            rows = data.assign(**{term: x[:, j]})
            rows = rows.assign(cluster_copy=rows[cluster]) if cluster else rows
            formula = f"{equations[i].outcome} ~ {' + '.join(equations[i].regressors)} | {' + '.join(effects)}"
            own: Any = {"CRV1": "cluster_copy"} if cluster else kind
            fit = pyfixest.feols(formula, rows, own, fixef_rm="none", demeaner=MapDemeaner(fixef_tol=1e-10))
            found.append(float(fit.tstat()[term]))
        return found

    def by_batch() -> list[float]:
        """One call per draw: specifications share, draws do not."""
        tables = [batch.estimate(data.assign(**{term: x[:, j]}), equations, effects) for _, j in some]
        return [table.at[i, "t"] for (i, _), table in zip(some, tables, strict=True)]

    for t in (by_pyfixest(), by_batch()):
        np.testing.assert_allclose(t, [ours.t[i, j] for i, j in some], rtol=1e-6)
    runs: dict[str, tuple[Callable[[], Any], float]] = {
        "permuted": (deal, 1.0),
        "reestimate": (lambda: multiverse.reestimate(data, equations, effects, x), 1.0),
        "batch, one draw after the other": (by_batch, DRAWS / LOOPED),
        "pyfixest, one after the other": (by_pyfixest, len(equations) * DRAWS / LOOPED),
    }
    timed: dict[str, list[float]] = {engine: [] for engine in runs}
    for _ in range(REPEATS):
        for engine, (run, times) in runs.items():
            timed[engine].append(seconds(run) * times)
    actual = batch.estimate(data, equations, effects)
    timed["joint and adjusted"] = [
        seconds(lambda: (multiverse.joint(actual, ours), multiverse.adjusted(actual, ours))) for _ in range(REPEATS)
    ]
    found = {engine: median(values) for engine, values in timed.items()}
    return {"rows": len(data), "specifications": len(equations), **found}


def main() -> None:
    """Run everything."""
    warnings.simplefilter("ignore")
    report: dict[str, Any] = {}
    for name in CASES:
        report[name] = found = race(name)
        print(f"{name}: {found['rows']:,.0f} rows, {found['specifications']:,.0f} specifications x {DRAWS} draws")
        for engine, value in list(found.items())[2:]:
            print(f"  {engine:<34} {value:12,.2f} s  {value / found['reestimate']:10,.1f} x")
    write_atomically(BUILD / "bench_multiverse.json", lambda path: path.write_text(json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main()
