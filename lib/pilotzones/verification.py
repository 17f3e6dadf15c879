"""The estimators as used here against published results on public data: ``data/benchmarks/expected.csv``.

Each row of the file names, under ``key``, how its number is computed here; a function below does it for all rows with
that key.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diff_diff
import numpy as np
import pandas as pd
from linearmodels.datasets import card
from linearmodels.iv import IV2SLS
from scipy import stats

from pilotzones import paths
from pilotzones.errors import DataError
from pilotzones.estimators import modern
from pilotzones.estimators.bacon import decompose
from pilotzones.estimators.instruments import identification
from pilotzones.estimators.modern import influence
from pilotzones.estimators.staggered import Sample, first_treated
from pilotzones.io import read_csv, shown

EXPECTED = paths.ROOT / "data" / "benchmarks" / "expected.csv"
PANEL = paths.ROOT / "tests" / "reference" / "reference_panel.csv"  # the project's own simulated panel
COLUMNS = {
    **dict.fromkeys(("dataset", "estimator", "key", "term", "quantity"), str),
    "published": float,
    "printed_decimals": int,
    "tolerance": float,
    "source": str,
    "note": str,
}
# the columns' names in each data set: outcome, unit, time, cohort
_NAMES = {
    "mpdta": ("lemp", "countyreal", "year", "first.treat"),
    "reference_panel": ("y", "firm", "year", "cohort"),
    "castle_bacon": ("l_homicide", "state", "year", "post"),
    "math_reform": ("incearn_ln", "state", "class", "reform_math"),
}
_TYPES = {
    "earlier_vs_later": "Earlier vs Later Treated",
    "later_vs_earlier": "Later vs Earlier Treated",
    "treated_vs_never": "Treated vs Untreated",
}
Values = dict[tuple[str, str], float]  # term and quantity -> our value


def verify(folder: Path | None = None) -> pd.DataFrame:
    """Compute our value of every published number whose data are at hand.

    Parameters
    ----------
    folder : with ``mpdta.csv``, ``castle_bacon.csv`` and ``math_reform.csv``, teaching data that are public but not
        ours to redistribute; None: only what is bundled with linearmodels and with this project.

    Returns
    -------
    The rows of ``data/benchmarks/expected.csv`` with ``ours``, ``difference`` (ours - published; both missing if not
    computed) and ``agrees`` (absolute difference at most ``tolerance``; missing if not computed).

    Raises
    ------
    DataError
        The file is not as its columns say, has an unknown key, or a row whose term or quantity its key does not give.
    """
    expected = read_csv(EXPECTED, COLUMNS)
    expected["ours"] = np.nan
    for (name, key), rows in expected.groupby(["dataset", "key"], sort=False):
        method, _, option = str(key).partition(" ")
        if method not in _METHODS:
            raise DataError(f"{shown(EXPECTED)}: key '{key}', expected one of {', '.join(_METHODS)}")
        data = _data(str(name), folder)
        if data is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = _METHODS[method](str(name), data, option)
        for row, term, quantity in rows[["term", "quantity"]].itertuples():
            if (term, quantity) not in values:
                raise DataError(f"{shown(EXPECTED)}, line {row + 2}: '{key}' gives no {quantity} of '{term}'")
            expected.loc[row, "ours"] = values[term, quantity]
    expected["difference"] = expected["ours"] - expected["published"]
    computed = expected["ours"].notna()
    expected["agrees"] = (expected["difference"].abs() <= expected["tolerance"]).astype("boolean").where(computed)
    return expected


def _data(name: str, folder: Path | None) -> pd.DataFrame | None:
    if name == "card":
        return card.load()
    path = PANEL if name == "reference_panel" else folder / f"{name}.csv" if folder else None
    return pd.read_csv(path) if path and path.exists() else None


def _balanced(name: str, data: pd.DataFrame) -> pd.DataFrame:
    _, unit, time, _ = _NAMES[name]
    return data[data.groupby(unit)[time].transform("size") == data[time].nunique()]


def _group_time(name: str, data: pd.DataFrame, option: str) -> tuple[Any, pd.DataFrame]:
    group = "not_yet_treated" if option == "not_yet" else "never_treated"
    data = _balanced(name, data)
    method = diff_diff.CallawaySantAnna(control_group=group, estimation_method="reg")
    return method.fit(data, *_NAMES[name]), data


def _att_gt(name: str, data: pd.DataFrame, option: str) -> Values:
    fit, used = _group_time(name, data, option)
    values: Values = {}
    for (g, t), cell in fit.group_time_effects.items():
        values |= {(f"ATT({g:g},{t:g})", q): cell[c] for q, c in (("estimate", "effect"), ("se", "se"))}
    # joint test of the cells before the reform, as R's did prints it
    before = [gt for gt in fit.group_time_effects if gt[1] < gt[0]]
    psi = influence(fit, before, used[_NAMES[name][1]].nunique())
    effects = np.array([fit.group_time_effects[gt]["effect"] for gt in before])
    wald = effects @ np.linalg.solve(psi.T @ psi, effects)
    return values | {("pre-test", "p"): float(stats.chi2.sf(wald, len(before)))}


def _aggte(name: str, data: pd.DataFrame, option: str) -> Values:
    fit, used = _group_time(name, data, option)
    event, by_cohort = fit.aggregate("event_study"), fit.aggregate("group").to_dataframe()
    values = {("simple", "estimate"): fit.overall_att, ("simple", "se"): fit.overall_se}
    for e, estimate, se in zip(event.event_time, event.att, event.se, strict=True):
        values |= {(f"e={e:g}", "estimate"): estimate, (f"e={e:g}", "se"): se}
    after = np.asarray(event.event_time) >= 0
    values["overall dynamic", "estimate"] = float(event.att[after].mean())
    values["overall dynamic", "se"] = float(np.sqrt(event.vcov[np.ix_(after, after)].mean()))
    for g, estimate, se in by_cohort[["label", "att", "se"]].itertuples(index=False):
        values |= {(f"group {float(g):g}", "estimate"): estimate, (f"group {float(g):g}", "se"): se}
    _, unit, _, cohort = _NAMES[name]
    sizes = used.drop_duplicates(unit)[cohort].value_counts()
    weights = sizes.reindex(by_cohort["label"].astype(float)).to_numpy()
    values["overall group", "estimate"] = float(np.average(by_cohort["att"], weights=weights))
    cells = [gt for gt in fit.group_time_effects if gt[1] >= gt[0]]
    of = pd.Series([g for g, _ in cells])
    share = of.map(sizes) / of.map(of.value_counts()) / weights.sum()  # each cohort by its size, its years alike
    values["overall group", "se"] = float(np.linalg.norm(influence(fit, cells, int(used[unit].nunique())) @ share))
    return values


def _by_city(name: str, data: pd.DataFrame) -> Sample:
    """Return the panel without the module's sample rules, which R's packages do not share."""
    data = data[data.groupby("firm")["firm"].transform("size") > 1]
    rows = data.rename(columns={"y": "outcome", "firm": "unit", "year": "time", "D": "post"}).assign(
        cluster=data["city"]
    )
    rows = rows[["outcome", "unit", "time", "cohort", "post", "cluster"]].sort_values(["unit", "time"])
    return Sample(rows.reset_index(drop=True), [], [])


def _sun_abraham(name: str, data: pd.DataFrame, option: str) -> Values:
    return _values(modern.ESTIMATORS["sun_abraham"].fit(_by_city(name, data), "never"))


def _gardner(name: str, data: pd.DataFrame, option: str) -> Values:
    return _values(modern.ESTIMATORS["gardner"].fit(_by_city(name, data), "not_yet"))


def _borusyak_jaravel_spiess(name: str, data: pd.DataFrame, option: str) -> Values:
    rows = _by_city(name, data).rows
    untreated = (rows["post"] == 0).groupby(rows["unit"]).transform("sum")
    used = rows[(rows["cohort"] == 0) | (untreated > 1)].reset_index(drop=True)
    return _values(modern.ESTIMATORS["borusyak_jaravel_spiess"].fit(Sample(used, [], []), "not_yet"))


def _values(estimate: modern.Estimate) -> Values:
    values = {("ATT", q): float(estimate.att[q]) for q in ("estimate", "se")}
    for e, row in estimate.by_event_time.iterrows():
        values |= {(f"e={e}", q): float(row[q]) for q in ("estimate", "se")}
    return values | {("", "n_obs"): float(estimate.n_obs)}


def _bacon(name: str, data: pd.DataFrame, option: str) -> Values:
    outcome, unit, time, cohort = _NAMES[name]
    data = _balanced(name, data)
    if cohort == "cohort":
        start = data[cohort].where(data[cohort] > 0)
    else:
        start = first_treated(data, treatment=cohort, unit=unit, time=time)
    units = pd.factorize(data[unit])[0]
    found = decompose(data.assign(unit=units, start=start), outcome=outcome, unit="unit", time=time, cohort="start")
    values = {("sum", "estimate"): found.estimate}
    for kind, title in _TYPES.items():
        values |= {(title, q): float(found.by_type.loc[kind, q]) for q in ("weight", "estimate")}
    return values


def _ivreg2(name: str, data: pd.DataFrame, option: str) -> Values:
    """``option``: instruments joined by +, and the kind of error: iid or hc1, with ``_small`` or without."""
    instruments, kind = option.split(" ")
    exogenous = ["exper", "expersq", "black", "south"]
    small, robust = kind.endswith("_small"), kind.startswith("hc1")
    names = instruments.split("+")
    data = data.assign(_cons=1.0)
    fit = IV2SLS(data["lwage"], data[[*exogenous, "_cons"]], data[["educ"]], data[names]).fit(
        cov_type="robust" if robust else "unadjusted", debiased=small
    )
    values = {(t, "estimate"): float(fit.params[t]) for t in fit.params.index}
    values |= {(t, "se"): float(fit.std_errors[t]) for t in fit.params.index}
    formula = f"lwage ~ {' + '.join(exogenous)} | educ ~ {' + '.join(names)}"
    tests = identification(formula, data, "hetero" if robust else "iid").tests
    n, k = int(fit.nobs), len(fit.params)
    score = "Kleibergen-Paap LM" if robust else "Anderson LM"
    over = "Hansen J" if robust else "Sargan"
    read = {
        "idstat": tests.loc[score, "statistic"],
        "idp": tests.loc[score, "p"],
        "iddf": float(len(names)),
        "cdf": tests.loc["Cragg-Donald F", "statistic"],
        "widstat": tests.loc["Kleibergen-Paap F" if robust else "Cragg-Donald F", "statistic"],
        "arf": tests.loc["Anderson-Rubin F", "statistic"],
        "archi2": tests.loc["Anderson-Rubin F", "statistic"] * len(names) * n / (n - len(names) - len(exogenous) - 1),
        "j": tests.loc[over, "statistic"],
        "jp": tests.loc[over, "p"],
        "jdf": float(len(names) - 1),
        "sargan": tests.loc["Sargan", "statistic"],
        "sarganp": tests.loc["Sargan", "p"],
        "r2": fit.rsquared,
        "rmse": np.sqrt(float(fit.resids @ fit.resids) / (n - k if small else n)),
        "N": float(n),
    }
    return values | {("", quantity): float(value) for quantity, value in read.items()}


_METHODS: dict[str, Callable[[str, pd.DataFrame, str], Values]] = {
    "att_gt": _att_gt,
    "aggte": _aggte,
    "sun_abraham": _sun_abraham,
    "gardner": _gardner,
    "borusyak_jaravel_spiess": _borusyak_jaravel_spiess,
    "bacon": _bacon,
    "ivreg2": _ivreg2,
}
