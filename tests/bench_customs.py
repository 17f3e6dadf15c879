"""Time the measurement of export quality on up to 5 million customs records, and its equation beside two libraries.

``make bench`` prints both and writes ``_build/bench_customs.json``. Each size runs in a process of its own, so that its
peak of memory is its own. The libraries get fewer records; before timing, all must leave the same residuals.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyfixest
from linearmodels.iv.absorbing import AbsorbingLS
from pyfixest.demeaners import MapDemeaner

from pilotzones.io import write_atomically
from pilotzones.measures import export_quality
from pilotzones.paths import BUILD

SIZES = (500_000, 1_000_000, 2_000_000, 5_000_000)
RACED = 500_000
REPEATS = 5
FIRMS, PRODUCTS, DESTINATIONS, YEARS = 20_000, 5_000, 200, 12


def customs(n: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return records and elasticities; as in real trade, few products and destinations have most of the records."""
    rng = np.random.default_rng(n)
    more = n + n // 50  # some are drawn twice
    records = pd.DataFrame(
        {"firm": rng.integers(0, FIRMS, more), "product": rng.choice(PRODUCTS, more, p=_zipf(PRODUCTS))}
    )
    names = pd.Index([f"{code:03d}" for code in range(DESTINATIONS)])
    records["destination"] = names[rng.choice(DESTINATIONS, more, p=_zipf(DESTINATIONS))]
    records["year"] = rng.integers(2010, 2010 + YEARS, more)
    records = records.drop_duplicates(ignore_index=True).head(n)
    records["quantity"] = rng.lognormal(4, 2, len(records))
    records["price"] = rng.lognormal(2, 1, len(records))
    return records, pd.Series(rng.uniform(1.5, 10, PRODUCTS), index=range(PRODUCTS))


def _zipf(levels: int) -> np.ndarray:
    weights = 1 / np.arange(1, levels + 1)
    return weights / weights.sum()


def one_size(n: int) -> dict[str, float]:
    """Return the seconds of each step, and the peak of memory in GB, before and in all."""
    records, sigma = customs(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    clock = [time.perf_counter()]
    usable, _ = export_quality.clean(records, sigma)
    clock.append(time.perf_counter())
    found = export_quality.demand_residual(usable, sigma)
    clock.append(time.perf_counter())
    scaled = export_quality.standardise(found["quality"], usable["product"])
    clock.append(time.perf_counter())
    export_quality.firm_quality(scaled, usable)
    clock.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    steps = dict(zip(("clean", "residual", "standardise", "firms"), np.diff(clock).tolist(), strict=True))
    return {"records": len(records), **steps, "all": clock[-1] - clock[0], "GB of records": before, "GB": peak}


def race() -> dict[str, float]:
    """Return the median seconds of the demand equation on the same records, by engine, all taking turns."""
    warnings.simplefilter("ignore")
    records, sigma = customs(RACED)
    residual = export_quality.demand_residual(records, sigma)["residual"]
    records, residual = records[residual.notna()], residual.dropna()  # the others drop no record that is alone

    def prepared() -> pd.DataFrame:
        demand = np.log(records["quantity"]) + sigma.loc[records["product"]].to_numpy() * np.log(records["price"])
        market = records.groupby(["destination", "year"]).ngroup()
        return pd.DataFrame({"demand": demand, "product": records["product"], "market": market})

    def absorbing_ls() -> Any:
        data = prepared()
        effects = data[["product", "market"]].astype("category")
        options: dict[str, Any] = {"atol": 1e-12, "btol": 1e-12}
        return AbsorbingLS(data["demand"], absorb=effects).fit(method="lsmr", absorb_options=options).resids

    def feols() -> Any:
        demeaner = MapDemeaner(fixef_tol=1e-10)
        return pyfixest.feols("demand ~ 1 | product + market", prepared(), fixef_rm="none", demeaner=demeaner).resid()

    runners: dict[str, Callable[[], Any]] = {
        "demand_residual": lambda: export_quality.demand_residual(records, sigma)["residual"],
        "pyfixest": feols,
        "linearmodels AbsorbingLS": absorbing_ls,
    }
    for name, run in runners.items():
        apart = float(np.abs(np.asarray(run()) - residual.to_numpy()).max())
        assert apart < 1e-8, f"{name} differs by {apart:.1e}"
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
        print(json.dumps(one_size(int(task[1])) if task[0] == "size" else race()))
        return
    engines = alone("race")
    print(f"demand equation, {RACED:,} records, {PRODUCTS:,} products, {DESTINATIONS * YEARS:,} destination-years")
    for name, seconds in engines.items():
        print(f"  {name:<26} {1000 * seconds:8.1f} ms  {seconds / engines['demand_residual']:6.2f} x")
    sizes = [alone("size", str(n)) for n in SIZES]
    for found in sizes:
        print("  " + ", ".join(f"{k} {v:,.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items()))
    report = {"race": engines, "sizes": sizes}
    write_atomically(BUILD / "bench_customs.json", lambda path: path.write_text(json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main(sys.argv[1:])
