"""Time our regression beside pyfixest and linearmodels, and the batched placebo beside a loop of single regressions.

``make bench`` prints the table and writes ``_build/bench.json``. The engines take turns on the same data in the same
run, so that a busy machine slows all of them; what to read is the ratio. Before timing, all must give the same numbers.
"""

from __future__ import annotations

import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyfixest
from linearmodels.iv.absorbing import AbsorbingLS
from linearmodels.panel import PanelOLS
from pyfixest.demeaners import MapDemeaner

from pilotzones.estimators.placebo import placebo
from pilotzones.estimators.regression import regress
from pilotzones.io import write_atomically
from pilotzones.paths import BUILD

REPEATS = 15
DRAWS = 500
LOOPED = 25  # of these draws are estimated one by one, and their time is scaled up: all would take half a minute
X = [f"x{i}" for i in range(9)]  # treatment and eight controls, as in the studies


def firm_panel(seed: int = 1) -> pd.DataFrame:
    """About 28,000 rows: 3,400 firms in 31 provinces, 10 years, a sixth of the rows missing."""
    rng = np.random.default_rng(seed)
    firms, years = 3_400, 10
    data = pd.DataFrame({"firm": np.repeat(np.arange(firms), years), "year": np.tile(np.arange(years) + 2011, firms)})
    data["province"] = rng.integers(0, 31, firms)[data["firm"]]
    firm = rng.normal(size=firms)[data["firm"]]
    shock = rng.normal(size=(31, years))[data["province"], data["year"] - 2011]
    for name in X:
        data[name] = rng.normal(size=len(data)) + 0.5 * firm + 0.5 * shock
    data["y"] = data[X].sum(axis=1) + firm + shock + rng.normal(size=len(data))
    return data[rng.random(len(data)) < 0.83].reset_index(drop=True)


def engines(data: pd.DataFrame, effects: list[str]) -> dict[str, Callable[[], Any]]:
    """Return the same regression, errors clustered by province, as each engine runs it from a data frame."""
    formula = f"y ~ {' + '.join(X)} | {' + '.join(effects)}"
    second = data[effects[1].split("^")].astype("str").agg("^".join, axis=1).astype("category")

    def panel_ols() -> Any:
        panel = data.set_index(["firm", "year"])
        options: dict[str, Any] = {"other_effects": pd.DataFrame(second.cat.codes.to_numpy(), index=panel.index)}
        if effects[1] == "year":
            options = {"time_effects": True}
        model = PanelOLS(panel["y"], panel[X], entity_effects=True, **options)
        return model.fit(cov_type="clustered", clusters=panel[["province"]]).params

    def absorbing_ls() -> Any:
        absorb = pd.DataFrame({"firm": data["firm"].astype("category"), "second": second})
        model = AbsorbingLS(data["y"], data[X], absorb=absorb)
        return model.fit(cov_type="clustered", clusters=data["province"]).params

    def plain_pyfixest() -> Any:
        return pyfixest.feols(
            formula, data, vcov={"CRV1": "province"}, fixef_rm="none", demeaner=MapDemeaner(fixef_tol=1e-10)
        ).coef()

    return {
        "regress": lambda: regress(formula, data, "cluster:province").coefficients["estimate"],
        "pyfixest": plain_pyfixest,
        "linearmodels AbsorbingLS": absorbing_ls,
        "linearmodels PanelOLS": panel_ols,
    }


def placebo_runners(data: pd.DataFrame) -> dict[str, Callable[[], Any]]:
    """Return the random-city placebo (1, 12 and 22 of 310 cities) batched and as a loop.

    Both return estimates and standard errors of the first draws.
    """
    panel = data.assign(city=data["province"] + 31 * (data["firm"] % 10), treated=0.0)
    formula = f"y ~ treated + {' + '.join(X)} | firm + province^year"
    options: dict[str, Any] = {"treatment": "treated", "city": "city", "time": "year"}
    options["sizes"] = {2015: 1, 2016: 12, 2018: 22}
    cities = placebo(formula, panel, draws=LOOPED, **options).cities

    def batched() -> Any:
        return placebo(formula, panel, draws=DRAWS, **options).draws[["estimate", "se"]].head(LOOPED).to_numpy()

    def looped() -> Any:
        found = []
        for _, drawn in cities.iterrows():
            starts = panel["city"].map(pd.Series(drawn.index, drawn.to_numpy()))
            fake = (panel["year"] >= starts).astype(float)
            fit = pyfixest.feols(
                formula,
                panel.assign(treated=fake),
                vcov="iid",
                fixef_rm="none",
                demeaner=MapDemeaner(fixef_tol=1e-10),
            )
            found.append((fit.coef()["treated"], fit.se()["treated"]))
        return np.array(found)

    return {"batched": batched, "loop of pyfixest": looped}


def race_placebo(data: pd.DataFrame) -> dict[str, float]:
    """Return the seconds of all draws, batched and as a loop (scaled up), after checking that they agree to 1e-8."""
    runners = placebo_runners(data)
    apart = float(np.abs(runners["batched"]() - runners["loop of pyfixest"]()).max())
    assert apart < 1e-8, f"batched placebo differs from single regressions by {apart:.1e}"
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(5):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {
        "batched": median(seconds["batched"]),
        "loop of pyfixest": median(seconds["loop of pyfixest"]) * DRAWS / LOOPED,
    }


def race(runners: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median seconds of each runner, all taking turns, after one warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for run in runners.values():
        run()
    for _ in range(REPEATS):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def main() -> None:
    """Run all races, print them, write them."""
    warnings.simplefilter("ignore")
    data = firm_panel()
    races: dict[str, dict[str, Callable[[], Any]]] = {}
    for effects in (["firm", "year"], ["firm", "province^year"]):
        runners = engines(data, effects)
        ours = runners["regress"]()
        for name, run in runners.items():
            apart = float(np.abs(np.asarray(run()) - ours).max())
            assert apart < 1e-7, f"{name} differs by {apart:.1e} in {' + '.join(effects)}"
        races[" + ".join(effects)] = runners
    formula = f"y ~ {' + '.join(X)} | firm + province^year"
    fitted = regress(formula, data)
    races["other errors for a fitted regression"] = {
        "regress": lambda: fitted.under("cluster:province"),
        "estimated anew": lambda: regress(formula, data, "cluster:province"),
    }

    results = []
    print(f"{len(data):,} rows, {len(X)} regressors, median of {REPEATS} runs\n")
    for title, runners in races.items():
        seconds = race(runners)
        print(title)
        for name, value in seconds.items():
            ratio = value / seconds["regress"]
            print(f"  {name:<26} {1000 * value:8.1f} ms  {ratio:6.2f} x")
            results.append({"task": title, "engine": name, "seconds": round(value, 6), "ratio": round(ratio, 3)})
    seconds = race_placebo(data)
    title = f"random-city placebo, {DRAWS} draws"
    print(f"{title} (loop: {LOOPED} draws measured, scaled up)")
    for name, value in seconds.items():
        ratio = value / seconds["batched"]
        print(f"  {name:<26} {1000 * value:8.1f} ms  {ratio:6.2f} x")
        results.append({"task": title, "engine": name, "seconds": round(value, 6), "ratio": round(ratio, 3)})
    report = {
        "rows": len(data),
        "repeats": REPEATS,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in ("numpy", "pandas", "pyfixest", "linearmodels")},
        "results": results,
    }
    write_atomically(BUILD / "bench.json", lambda path: path.write_text(json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main()
