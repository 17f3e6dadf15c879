"""Time one regression on files of growing size, and the pairs of up to 2,000 cities; see how much memory each takes.

``make bench`` prints both and writes ``_build/bench_size.json``. Every engine starts from the same Parquet file, in a
process of its own, so that its peak of memory is its own, its libraries included. With ``large`` as argument the files
of 100 million rows (2 GB of disk) and the pairs of 2,000 cities are run as well.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyfixest
from linearmodels.panel import PanelOLS
from pyfixest.demeaners import MapDemeaner

from pilotzones.estimators.out_of_core import regress_parquet
from pilotzones.io import write_atomically
from pilotzones.measures import large_pairs, synchronisation
from pilotzones.paths import BUILD

YEARS = 10
ROWS = (1_000_000, 10_000_000)
REPEATS = 5  # of the smallest file; larger ones run once
LARGE_ROWS = 100_000_000
CITIES = (250, 500, 1000)
LARGE_CITIES = 2000
ENGINES = ("regress_parquet", "pyfixest", "PanelOLS")
FORMULA = "y ~ treat_post + x | firm + year"
CHUNK = 100_000  # firms


def write_firms(path: Path, rows: int) -> None:
    """Write a panel of firms in cities, one row in ten missing, in row groups of a million rows."""
    with pq.ParquetWriter(path, _firms(0, 10).schema) as writer:
        for first in range(0, rows // YEARS, CHUNK):
            writer.write_table(_firms(first, min(CHUNK, rows // YEARS - first)))


def _firms(first: int, firms: int) -> pa.Table:
    rng = np.random.default_rng(first)
    firm, year = np.repeat(np.arange(firms), YEARS), np.tile(np.arange(YEARS), firms)
    start, level = rng.choice([4, 5, 8, 99], firms), 3 * rng.normal(size=firms)
    x = rng.normal(size=len(firm)) + level[firm]
    treated = (year >= start[firm]).astype(float)
    y = 0.1 * treated + 0.5 * x + level[firm] + 0.05 * year + rng.normal(size=len(firm))
    y[rng.random(len(y)) < 0.1] = np.nan
    return pa.table({
        "firm": firm + first, "year": year + 2011, "y": pa.array(y, from_pandas=True), "treat_post": treated, "x": x,
    })  # fmt: skip


def out_of_core(path: Path) -> pd.DataFrame:
    """Run the out-of-core engine."""
    return regress_parquet(FORMULA, path, "cluster:firm").coefficients[["estimate", "se"]]


def in_memory(path: Path) -> pd.DataFrame:
    """Run pyfixest on the file read into memory; clustered on a copy, see ``regression._Fit._clusters``."""
    data = pd.read_parquet(path).assign(cluster=lambda rows: rows["firm"])
    fit = pyfixest.feols(
        FORMULA, data, vcov={"CRV1": "cluster"}, fixef_rm="none", demeaner=MapDemeaner(fixef_tol=1e-10),
        store_data=False, copy_data=False, lean=True,
    )  # fmt: skip
    return pd.DataFrame({"estimate": fit.coef(), "se": fit.se()})


def panel_ols(path: Path) -> pd.DataFrame:
    """Run linearmodels on the file read into memory."""
    data = pd.read_parquet(path).dropna().set_index(["firm", "year"])
    model = PanelOLS(data["y"], data[["treat_post", "x"]], entity_effects=True, time_effects=True)
    fit = model.fit(cov_type="clustered", cluster_entity=True, group_debias=True)
    # it counts nested effects; to the other engines' convention
    n, firms = len(data), data.index.get_level_values("firm").nunique()
    k = 2 + YEARS
    factor = np.sqrt((n - k - firms + 1) / (n - k))
    return pd.DataFrame({"estimate": fit.params, "se": fit.std_errors * factor})


def pairs(path: Path, cities: int) -> dict[str, float]:
    """Return seconds to build and write the pairs of some cities and to estimate with errors by pair and dyadic."""
    rng = np.random.default_rng(cities)
    shape, years = (cities, YEARS), range(2010, 2010 + YEARS)
    development, controls = (
        pd.DataFrame(np.arange(YEARS) + rng.normal(size=shape), index=pd.RangeIndex(cities), columns=years)
        for _ in range(2)
    )
    start = pd.Series(np.where(np.arange(cities) % 20 == 0, rng.integers(2013, 2019, cities), np.nan))
    clock = [time.perf_counter()]
    every = synchronisation.pairs(start.index)
    two_zones = start.loc[every["city_i"]].notna().to_numpy() & start.loc[every["city_j"]].notna().to_numpy()
    rows = large_pairs.write(path, every[~two_zones], start, {"Ec_Syn": development}, {"edu": controls})
    clock.append(time.perf_counter())
    for vcov in ("cluster:pair", "dyadic:city_i+city_j"):
        regress_parquet("Ec_Syn ~ treat_post + edu | pair + year", path, vcov)
        clock.append(time.perf_counter())
    build, by_pair, dyadic = np.diff(clock)
    return {"cities": cities, "rows": rows, "build": build, "by pair": by_pair, "dyadic": dyadic}


def one(task: str, path: Path, size: int) -> dict[str, Any]:
    """Run one task in this process."""
    if task == "pairs":
        found: dict[str, Any] = pairs(path, size)
    else:
        runner = {"regress_parquet": out_of_core, "pyfixest": in_memory, "PanelOLS": panel_ols}[task]
        seconds = []
        for _ in range(REPEATS if size == ROWS[0] else 1):
            start = time.perf_counter()
            table = runner(path)
            seconds.append(time.perf_counter() - start)
        found = {"engine": task, "rows": size, "seconds": median(seconds), "table": table.to_numpy().tolist()}
    return found | {"GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def alone(task: str, path: Path, size: int) -> dict[str, Any]:
    """Run one task in a process of its own and return what it prints."""
    command = [sys.executable, __file__, task, str(path), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"code {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(large: bool) -> None:
    """Run everything."""
    races, growth = [], []
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        path = Path(folder) / "panel.parquet"
        for rows in (*ROWS, *([LARGE_ROWS] if large else [])):
            write_firms(path, rows)
            print(f"{rows:,} rows, {path.stat().st_size / 1e9:.2f} GB on disk", flush=True)
            ours: np.ndarray | None = None
            for engine in ENGINES if rows < LARGE_ROWS else ENGINES[:1]:
                found = alone(engine, path, rows)
                if "failed" in found:
                    print(f"  {engine:<16} failed: {found['failed']}", flush=True)
                    continue
                table = np.array(found.pop("table"))
                ours = table if ours is None else ours
                assert (apart := float(np.abs(table / ours - 1).max())) < 1e-9, f"{engine} differs by {apart:.1e}"
                print(
                    f"  {engine:<16} {found['seconds']:7.1f} s {rows / found['seconds'] / 1e6:6.2f} million rows/s "
                    f"{found['GB']:5.2f} GB", flush=True,
                )  # fmt: skip
                races.append(found)
        for cities in (*CITIES, *([LARGE_CITIES] if large else [])):
            growth.append(alone("pairs", path, cities))
            shown = (f"{k} {v:,.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in growth[-1].items())
            print("  " + ", ".join(shown), flush=True)
    report = {"engines": races, "pairs": growth}
    write_atomically(BUILD / "bench_size.json", lambda path: path.write_text(json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(one(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main(sys.argv[1:] == ["large"])
