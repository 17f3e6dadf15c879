"""Time a sweep beside loops of pyfixest and linearmodels, with one worker and two, and on Dask.

``make bench`` prints the numbers and writes ``_build/bench_sweep.json``. The engines take turns on the same
specifications in the same run, so that a busy machine slows all of them; what to read is the ratio. The loops run a
part of the specifications, spread evenly over all, and their time is scaled up. Before timing, all must give the same
numbers.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # as the command has it

import pyfixest
from linearmodels.panel import PanelOLS
from pyfixest.demeaners import MapDemeaner

from pilotzones import panel, replicate, specifications, studies, sweep
from pilotzones.io import write_atomically
from pilotzones.paths import BUILD
from pilotzones.specifications import Choices, Specification

REPEATS = 3
LOOPED = 16
TASKS = 200
CONDITIONS = [f"year >= {first} and year <= {last}" for first in (2010, 2011, 2012) for last in (2020, 2021, 2022)]
GRIDS = {
    "resilience, 3,700 rows": Choices(
        study=["resilience"], controls=["all subsets"], effects=["city + year"], vcov=["cluster_city", "hetero"],
        sample=["own", *CONDITIONS],
    ),
    "innovation, 30,700 rows": Choices(
        study=["innovation"], controls=["all subsets"], effects=["firm + year"], outcome=["inno_total", "inno_invent"],
        vcov=["cluster_city", "hetero"],
    ),
}  # fmt: skip
LONG = Choices(
    study=["innovation"], controls=["all subsets"], effects=["firm + year", "firm + province^year"],
    outcome=["inno_total", "inno_invent"], vcov=["cluster_city", "cluster_unit", "iid", "hetero"],
    sample=["own", "year >= 2012", "year <= 2019", "year >= 2013"],
)  # fmt: skip


def seconds(run: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def swept(found: Sequence[Specification]) -> dict[str, tuple[float, float]]:
    """Return estimate and error by id, from shared work in this process."""
    tables = [table for _, table in sweep.here(sweep.groups(found))]
    rows = [row for table in tables for row in table.select(["id", "estimate", "se"]).to_pylist()]
    return {row["id"]: (row["estimate"], row["se"]) for row in rows}


def looped(found: Sequence[Specification], engine: str) -> dict[str, tuple[float, float]]:
    """Return estimate and error by id, one regression after the other."""
    study = studies.load(found[0].study)
    data, results = panel.load(study), {}
    for one in found:
        rows = replicate.select(data, one.sample)
        cluster = replicate.errors(study, one.vcov).removeprefix("cluster:")
        if engine == "pyfixest":
            own: Any = "hetero" if one.vcov == "hetero" else {"CRV1": "cluster_copy"}
            rows = rows.assign(cluster_copy=rows[cluster]) if one.vcov != "hetero" else rows
            demeaner = MapDemeaner(fixef_tol=1e-10)
            fit = pyfixest.feols(one.formula, rows, vcov=own, fixef_rm="none", demeaner=demeaner)
            results[one.id] = float(fit.coef()[one.term]), float(fit.se()[one.term])
            continue
        indexed = rows.dropna(subset=[one.outcome, one.term, *one.controls]).set_index([study.unit, study.time])
        regressors = indexed[[one.term, *one.controls]]
        model = PanelOLS(
            indexed[one.outcome], regressors, entity_effects=True, time_effects=True, drop_absorbed=True,
            singletons=True,
        )  # fmt: skip
        if one.vcov == "hetero":
            result = model.fit(cov_type="robust")
        else:
            result = model.fit(cov_type="clustered", clusters=indexed.reset_index()[[cluster]].set_index(indexed.index))
        results[one.id] = float(result.params[one.term]), float(result.std_errors[one.term])
    return results


def race(found: Sequence[Specification]) -> dict[str, float]:
    """Return the median specifications per second by engine, all taking turns."""
    some = [found[i * len(found) // LOOPED] for i in range(LOOPED)]
    ours = swept(found)
    runs: dict[str, tuple[Callable[[], Any], int]] = {
        "sweep": (lambda: swept(found), len(found)),
        "pyfixest": (lambda: looped(some, "pyfixest"), LOOPED),
        "linearmodels PanelOLS": (lambda: looped(some, "linearmodels"), LOOPED),
    }
    for name in ("pyfixest", "linearmodels"):
        for one_id, (estimate, se) in looped(some, name).items():
            assert abs(estimate / ours[one_id][0] - 1) < 1e-6, f"{name} differs in {one_id}"
            # the nested effects that PanelOLS counts make its errors larger; see the trap in regression.py
            assert name == "linearmodels" or abs(se / ours[one_id][1] - 1) < 1e-6, f"{name}'s error differs in {one_id}"
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, (run, count) in runs.items():
            rates[name].append(count / seconds(run))
    return {name: median(values) for name, values in rates.items()}


def workers(found: Sequence[Specification]) -> dict[str, float]:
    """Return the seconds of a sweep with one worker process and with two, start-up included and by itself."""
    every = sweep.groups(found)
    idle = [sweep.Group((found[0],)), sweep.Group((found[-1],))]
    timed: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        for count in (1, 2):
            for name, groups in ((f"{count} idle", idle[:count]), (f"{count}", every)):
                timed.setdefault(name, []).append(seconds(lambda: list(sweep.processes(count, groups))))  # noqa: B023
    return {name: median(values) for name, values in timed.items()}


def between(results: Iterator[Any]) -> float:
    """Return the milliseconds per result from the first to the last."""
    times = [time.perf_counter() for _ in results]
    return 1000 * (times[-1] - times[0]) / (len(times) - 1)


def on_dask(found: Sequence[Specification]) -> dict[str, float]:
    """Return milliseconds per task of one specification: here, on one worker of Dask, and the difference."""
    from distributed import LocalCluster

    # a key that Dask knows is not run again, so every repetition has tasks of its own
    chunks = [[sweep.Group((one,)) for one in found[start::REPEATS][:TASKS]] for start in range(REPEATS)]
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        list(sweep.dask(cluster.scheduler_address, 1, [sweep.Group((found[0], found[1]))]))  # imports and loads
        pairs = [(between(sweep.here(c)), between(sweep.dask(cluster.scheduler_address, 1, c))) for c in chunks]
    here, there = (median(values) for values in zip(*pairs, strict=True))
    return {"here": here, "dask": there, "overhead": there - here}


def all_tables() -> dict[str, float]:
    """Return the seconds for all columns of innovation in this process: swept, and one declared column at a time."""
    study = studies.load("innovation")
    data = panel.load(study)
    found = specifications.expand([Choices(study=["innovation"], column=["all"])])
    single = [column for table in study.tables for column in table.columns]

    def one_by_one() -> None:
        for column in single:
            replicate.column(study, column, data)

    timed = [(seconds(lambda: swept(found)), seconds(one_by_one)) for _ in range(REPEATS)]
    together, apart = (median(values) for values in zip(*timed, strict=True))
    return {"columns": len(found), "sweep": together, "one by one": apart}


def main() -> None:
    """Run everything."""
    warnings.simplefilter("ignore")
    report: dict[str, Any] = {}
    for name, grid in GRIDS.items():
        found = specifications.expand([grid])
        rates = report[name] = race(found)
        print(f"{len(found):,} specifications of {name}")
        for engine, rate in rates.items():
            print(f"  {engine:<26} {rate:10,.1f} a second  {rates['sweep'] / rate:8.1f} x")
    found = specifications.expand([LONG])
    report["workers"] = timed = workers(found)
    working = {count: timed[count] - timed[f"{count} idle"] for count in ("1", "2")}
    print(f"{len(found):,} specifications: " + ", ".join(f"{name} {value:.1f} s" for name, value in timed.items()))
    print(f"  from one worker to two, start-up apart: {working['1'] / working['2']:.2f} x")
    report["dask, ms per task"] = cost = on_dask(specifications.expand([GRIDS["resilience, 3,700 rows"]]))
    print("one specification per task: " + ", ".join(f"{name} {value:.1f} ms" for name, value in cost.items()))
    report["innovation"] = tables = all_tables()
    print("all columns of innovation: " + ", ".join(f"{name} {value:.2f}" for name, value in tables.items()))
    write_atomically(BUILD / "bench_sweep.json", lambda path: path.write_text(json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main()
