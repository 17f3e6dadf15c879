"""Time the estimators for staggered roll-outs beside others, on 30,685 firm-years and 153,230 pair-years.

``make bench`` prints the table and writes ``_build/bench_modern.json``. Each run has a process of its own, so that its
peak of memory is its own, and limits of time and memory: what fails is shown with its reason. Ours is all of
``modern.estimate``: checks of the rows, effects by event time and their covariance. The others get checked rows and
are asked for the mean effect only; ``apart`` is how far their estimate is from ours.
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

import diff_diff
import numpy as np
import pandas as pd
import pyfixest

from pilotzones import modern_did, panel, studies
from pilotzones.estimators import modern
from pilotzones.estimators.staggered import sample
from pilotzones.io import write_atomically
from pilotzones.paths import BUILD

PANELS = {"innovation": "firm-years", "coordination": "pair-years"}
REPEATS, ENOUGH = 5, 20.0  # runs at most, and seconds after which there is no further one
SECONDS, GIGABYTES = 300, 12  # limits of a run


def two_way(rows: pd.DataFrame) -> float:
    """pyfixest, two-way fixed effects."""
    fit: Any = pyfixest.feols("outcome ~ post | unit + time", rows, vcov={"CRV1": "cluster"})
    return float(fit.coef()["post"])


def att_gt(rows: pd.DataFrame) -> float:
    """moderndid, Callaway-Sant'Anna."""
    import moderndid  # takes two seconds

    balanced = bool((rows.groupby("unit").size() == rows["time"].nunique()).all())
    fit = moderndid.att_gt(
        rows.astype({"cohort": float}), yname="outcome", tname="time", idname="unit", gname="cohort", est_method="reg",
        clustervars=["cluster"] if rows["cluster"].nunique() < rows["unit"].nunique() else None,
        allow_unbalanced_panel=not balanced, base_period="universal", boot=False, cband=False,
    )  # fmt: skip
    return float(moderndid.aggte(fit, type="simple", boot=False, cband=False).overall_att)


def saturated(rows: pd.DataFrame) -> float:
    """pyfixest, Sun-Abraham."""
    fit: Any = pyfixest.event_study(rows, "outcome", "unit", "time", "cohort", cluster="cluster", estimator="saturated")
    found = fit.aggregate(weighting="shares")
    return _mean(rows, found["Estimate"].set_axis(found.index.astype(float).astype(int)))


def did2s(rows: pd.DataFrame) -> float:
    """pyfixest, Gardner."""
    fit: Any = pyfixest.did2s(
        rows.astype({"post": bool}), "outcome", first_stage="~ 0 | unit + time", second_stage="~ i(post, ref=False)",
        treatment="post", cluster="cluster",
    )  # fmt: skip
    return float(fit.coef().iloc[-1])


def cells(rows: pd.DataFrame) -> float:
    """pyfixest, Wooldridge: the regression on dummies of each cohort's treated years."""
    treated = rows["post"] == 1
    codes = rows[treated].groupby(["cohort", "time"]).ngroup().reindex(rows.index, fill_value=-1)
    names = {f"cell_{code}": (codes == code).astype(float) for code in range(int(codes.max()) + 1)}
    fit: Any = pyfixest.feols(
        f"outcome ~ {' + '.join(names)} | unit + time", rows.assign(**names), vcov={"CRV1": "cluster"}
    )
    n = codes[treated].value_counts().rename("cell_{}".format)
    return float(np.average(fit.coef()[n.index], weights=n))


def projections(rows: pd.DataFrame) -> float:
    """diff-diff, local projections."""
    last = int((rows["time"] - rows["cohort"])[rows["cohort"] > 0].max())
    method = diff_diff.LPDiD(pre_window=2, post_window=last, cluster="cluster", reweight=True)
    fit: Any = method.fit(rows, "outcome", "unit", "time", "post", only_event=True)
    return _mean(rows, fit.event_study.set_index("horizon")["coefficient"])


def shifted(rows: pd.DataFrame) -> float:
    """pyfixest, local projections, in which years with many controls weigh more."""
    frame = rows.astype({"cohort": float})
    fit: Any = pyfixest.lpdid(frame, "outcome", "unit", "time", "cohort", vcov={"CRV1": "cluster"}, att=False)
    found = fit.tidy()["Estimate"]
    return _mean(rows, found.set_axis(found.index.str.rpartition(":").get_level_values(2).astype(int)))


def _mean(rows: pd.DataFrame, by_event_time: pd.Series) -> float:
    """Return the mean over treated rows."""
    n = (rows["time"] - rows["cohort"])[rows["post"] == 1].value_counts()
    return float(np.average(by_event_time[n.index], weights=n))


def switchers(rows: pd.DataFrame) -> float:
    """diff-diff, de Chaisemartin-D'Haultfoeuille."""
    horizons = int(rows["time"].max() - rows.loc[rows["cohort"] > 0, "cohort"].min()) + 1
    fit: Any = diff_diff.ChaisemartinDHaultfoeuille().fit(rows, "outcome", "unit", "time", "post", L_max=horizons)
    found = {k: cell for k, cell in fit.event_study_effects.items() if k > 0}
    return float(np.average([c["effect"] for c in found.values()], weights=[c["n_obs"] for c in found.values()]))


OTHERS: dict[str, list[Callable[[pd.DataFrame], float]]] = {
    "twfe": [two_way],
    "callaway_santanna": [att_gt],
    "sun_abraham": [saturated],
    "gardner": [did2s],
    "wooldridge": [cells],
    "lp_did": [projections, shifted],
    "dechaisemartin_dhaultfoeuille": [switchers],
}


def one(study: str, name: str, other: str) -> dict[str, Any]:
    """Return estimate, median seconds and peak of memory in GB of one implementation; ``other`` is empty for ours."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES * 2**30,) * 2)
    declared = studies.load(study)
    design = modern_did.design(declared, panel.load(declared))
    arguments: dict[str, Any] = {**design.columns, "cluster": design.cluster}
    rows = sample(design.rows, **arguments).rows

    def run() -> float:
        if other:
            return next(f for f in OTHERS[name] if f.__name__ == other)(rows.copy())
        return float(modern.estimate(name, design.rows, **arguments).att["estimate"])

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH:
        start = time.perf_counter()
        estimate = run()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"rows": len(design.rows), "estimate": estimate, "seconds": median(seconds), "GB": peak, "GB before": before}


def alone(*task: str) -> dict[str, Any]:
    """Run a task of this file in a process of its own and return what it prints."""
    try:
        done = subprocess.run(
            [sys.executable, __file__, *task], capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {SECONDS} seconds"}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"code {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(task: list[str]) -> None:
    """Run everything, or one task in this process."""
    if task:
        print(json.dumps(one(*task)))
        return
    results = []
    for study, words in PANELS.items():
        print(f"{study}, {words}")
        for name, method in modern.ESTIMATORS.items():
            ours = alone(study, name, "")
            results.append({"study": study, "estimator": name, "implementation": "ours", **ours})
            print(f"  {method.title:<34} {_numbers(ours)}", flush=True)
            for other in OTHERS.get(name, []):
                found = alone(study, name, other.__name__)
                if not {"failed"} & (ours.keys() | found.keys()):
                    found |= {
                        "ratio": found["seconds"] / ours["seconds"],
                        "apart": found["estimate"] - ours["estimate"],
                    }
                title = (other.__doc__ or "").partition(",")[0]
                results.append({"study": study, "estimator": name, "implementation": title, **found})
                print(f"    {title:<32} {_numbers(found)}", flush=True)
    write_atomically(BUILD / "bench_modern.json", lambda path: path.write_text(json.dumps(results, indent=1) + "\n"))


def _numbers(found: dict[str, Any]) -> str:
    if "failed" in found:
        return f"fails: {found['failed'][:120]}"
    beside = f"  {found['ratio']:6.2f} x  {found['apart']:+.1e} apart" if "ratio" in found else ""
    return f"{found['seconds']:8.2f} s  {found['GB']:5.2f} GB{beside}"


if __name__ == "__main__":
    main(sys.argv[1:])
