"""Time regressions on pairs of cities beside pyfixest and linearmodels, and see how time and memory grow with cities.

``make bench`` prints both and writes ``_build/bench_pairs.json``. Each size runs in a process of its own, so that its
peak of memory is its own. Pairs grow with the square of cities.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyfixest
from linearmodels.panel import PanelOLS
from pyfixest.demeaners import MapDemeaner

from pilotzones import panel, replicate, studies
from pilotzones.estimators.dyadic import dyadic
from pilotzones.estimators.regression import regress
from pilotzones.io import write_atomically
from pilotzones.measures import synchronisation
from pilotzones.paths import BUILD

SIZES = (254, 500, 1000, 2000)
YEARS = 10
REPEATS = 5


def pair_panel(cities: int) -> pd.DataFrame:
    """Return synchronisation and a policy for every second pair of some cities, ten years."""
    rng = np.random.default_rng(cities)
    path = np.arange(YEARS) + rng.normal(size=(cities, YEARS))
    series = pd.DataFrame(path, index=pd.RangeIndex(cities), columns=range(2010, 2010 + YEARS))
    pairs = synchronisation.pairs(series.index).iloc[::2]
    start = np.where(np.arange(cities) % 5 == 0, rng.integers(3, 9, cities), 99)
    first, second = (start[pairs[side].to_numpy()] for side in ("city_i", "city_j"))
    policy = (first[:, None] <= np.arange(YEARS)) ^ (second[:, None] <= np.arange(YEARS))
    rows = {name: np.repeat(pairs[name].to_numpy(), YEARS) for name in ("city_i", "city_j")}
    return pd.DataFrame({
        "pair": np.repeat(np.arange(len(pairs)), YEARS), "year": np.tile(series.columns, len(pairs)), **rows,
        "y": synchronisation.fisher(series, pairs).to_numpy().ravel(), "policy": policy.ravel().astype(float),
    })  # fmt: skip


def one_size(cities: int) -> dict[str, float]:
    """Return seconds to build the pairs, to estimate and for dyadic errors, and the peak of memory in GB."""
    clock = [time.perf_counter()]
    data = pair_panel(cities)
    clock.append(time.perf_counter())
    fit = regress("y ~ policy | pair + year", data, "cluster:pair")
    clock.append(time.perf_counter())
    dyadic(fit)
    clock.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    build, estimate, errors = np.diff(clock)
    return {"cities": cities, "rows": len(data), "build": build, "estimate": estimate, "dyadic": errors, "GB": peak}


def table_one() -> dict[str, float]:
    """Return seconds for the six columns of Table 1 on the loaded panel of the study, and the peak of memory in GB."""
    study = studies.load("coordination")
    data = replicate.benchmark_sample(study, panel.load(study))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for column in study.table("T1").columns:
            replicate.column(study, column, data)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"rows": len(data), "seconds": median(seconds), "GB": peak}


def race() -> dict[str, float]:
    """Return the median seconds of one column with six regressors on 153,230 rows, by engine, all taking turns."""
    study = studies.load("coordination")
    data = replicate.benchmark_sample(study, panel.load(study)).reset_index(drop=True)
    names = ["treat_post", *study.regressors("controls")]
    formula = f"Ec_Syn ~ {' + '.join(names)} | pair + year"
    indexed = data.set_index(["pair", "year"])
    runners: dict[str, Callable[[], Any]] = {
        "regress": lambda: regress(formula, data, "cluster:pair").coefficients["estimate"],
        "pyfixest": lambda: pyfixest.feols(
            formula, data, vcov={"CRV1": "pair"}, fixef_rm="none", demeaner=MapDemeaner(fixef_tol=1e-10)
        ).coef(),
        "linearmodels PanelOLS": lambda: PanelOLS(
            indexed["Ec_Syn"], indexed[names], entity_effects=True, time_effects=True
        ).fit(cov_type="clustered", cluster_entity=True).params,
    }  # fmt: skip
    ours = runners["regress"]()
    for name, run in runners.items():
        apart = float(np.abs(np.asarray(run()) - ours).max())
        assert apart < 1e-7, f"{name} differs by {apart:.1e}"
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(REPEATS):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def alone(*task: str) -> Any:
    """Run a task of this file in a process of its own and return what it prints."""
    done = subprocess.run([sys.executable, __file__, *task], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"code {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(task: list[str]) -> None:
    """Run everything, or one task in this process."""
    if task:
        found = {"size": lambda: one_size(int(task[1])), "table": table_one, "race": race}[task[0]]()
        print(json.dumps(found))
        return
    engines, table = alone("race"), alone("table")
    print("one column, 153,230 rows, six regressors, errors by pair")
    for name, seconds in engines.items():
        print(f"  {name:<26} {1000 * seconds:8.1f} ms  {seconds / engines['regress']:6.2f} x")
    print(f"six columns of Table 1: {table['seconds']:.2f} s, peak {table['GB']:.2f} GB")
    sizes = [alone("size", str(cities)) for cities in SIZES]
    for found in sizes:
        print("  " + ", ".join(f"{k} {v:,.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items()))
    done = pd.DataFrame([found for found in sizes if "failed" not in found])
    logs = np.log(done)
    exponents = {name: float(np.polyfit(logs["cities"], logs[name], 1)[0]) for name in ("build", "estimate", "dyadic")}
    exponents["GB"] = float(np.polyfit(logs["cities"].iloc[1:], logs["GB"].iloc[1:], 1)[0])
    print("growth with cities, exponent: " + ", ".join(f"{name} {value:.2f}" for name, value in exponents.items()))
    report = {"race": engines, "table_one": table, "sizes": sizes, "exponents": exponents}
    write_atomically(BUILD / "bench_pairs.json", lambda path: path.write_text(json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main(sys.argv[1:])
