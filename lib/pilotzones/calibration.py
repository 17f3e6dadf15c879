"""Calibrate a study's synthetic panel to the printed tables, and see what it gives over many seeds.

Used through ``python -m pilotzones.calibration STUDY --fit`` and ``python -m pilotzones.calibration STUDY --runs 200``.
A study's ``synthetic`` module provides ``generate(seed, overrides)``, ``parameters()``, the file ``PARAMETERS`` and

- ``TARGETS``: (parameter, cell, step), as many printed cells as parameters; ``"a at b"`` for a cell a that shall have
  the value printed for b. They are solved by damped Newton steps on
  the mean over several seeds, with a numerical Jacobian. All panels of a seed share their random numbers, and draws are
  smooth in the parameters, so that differences between parameters are not noise.
- ``EFFECTS`` and ``EFFECT_CELLS``: the parameters of the true effect and the cells that identify them. They are solved
  without noise, by running each column on the true effects instead of the outcome; otherwise the sampling error of the
  calibration seeds would end up in the truth.
- ``RIDGE``, optional: how much small effects are preferred.
- ``OTHER_CAUSES``, optional: whether the columns also pick up what is not the reform, such as other policies that they
  omit. The effects are then solved for the printed number less what the panels show beyond their true effects.
- ``NO_ESTIMAND``: columns whose expectation is no mean of true effects.

A cell is written ``table/column/term/statistic``, e.g. ``T2/3/treat_post/se`` or ``T2/3//r2``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from tqdm import tqdm

from pilotzones import describe, indices, ledger, panel, published, replicate, studies
from pilotzones.declare import Study
from pilotzones.errors import DataError
from pilotzones.io import write_atomically
from pilotzones.paths import BUILD, CALIBRATION, ROOT

CALIBRATION_SEEDS = range(101, 125)
FRESH_SEEDS = 1001  # the Monte Carlo runs on this seed and the following ones
TRUTH = panel.TRUTH
KEYS = ["table", "column", "term", "statistic"]
Parameters = dict[str, Any]
Cells = dict[str, float]


# -------------------------------------------------------------------------------------------------- printed cells


def printed(study: Study) -> Cells:
    """Return every printed number that a Monte Carlo can be set against, by cell."""
    cells: Cells = {}
    for row in published.estimates(study.key).itertuples():
        place = f"{row.table}/{row.column}/{row.term}"
        cells[f"{place}/estimate"] = row.estimate
        cells[f"{place}/se"] = abs(row.estimate / row.spread) if row.spread_kind == "t" else row.spread
    for row in published.columns(study.key).itertuples():
        cells |= {f"{row.table}/{row.column}//n_obs": row.n_obs, f"{row.table}/{row.column}//r2": row.r2}
    for row in published.descriptives(study.key).to_dict("records"):
        values = {"n_obs": row["n"], **{name: row[name] for name in ("mean", "sd", "min", "max")}}
        cells |= {f"{study.descriptives_table}//{row['symbol']}/{name}": value for name, value in values.items()}
    for row in published.weights(study.key).itertuples():
        cells[f"{row.table}//{row.indicator}/weight"] = row.weight
    return cells


def value(cells: Cells, expression: str) -> float:
    """Return a cell, or the difference of two: ``"T2/4/x/estimate - T2/3/x/estimate"``."""
    first, *rest = expression.split(" - ")
    return cells[first] - sum(cells[name] for name in rest)


# ------------------------------------------------------------------------------------- fast cells for the inner loop


class Projection:
    """Residuals after the effects of ``unit`` and one more fixed effect, exact for unbalanced panels.

    Unit means are swept out; what is left of the other effect's dummies solves one dense system. Prepared once for a
    sample, it costs 2 ms per variable.
    """

    def __init__(self, unit: pd.Series, other: pd.Series) -> None:
        self.unit, units = pd.factorize(unit)
        self.other, others = pd.factorize(other)
        self.lost = len(units) + len(others) - 1
        rows = np.arange(len(unit))
        self._size = np.bincount(self.unit)
        self._dummies = sp.csr_matrix((np.ones(len(rows)), (self.other, rows)))
        cross = self._dummies @ sp.csr_matrix((np.ones(len(rows)), (rows, self.unit)))
        gram = np.diag(np.bincount(self.other).astype(float)) - (cross @ sp.diags(1 / self._size) @ cross.T).toarray()
        self._inverse = np.linalg.pinv(gram, rcond=1e-10, hermitian=True)

    def within_unit(self, x: np.ndarray) -> np.ndarray:
        """Return ``x`` less its unit means."""
        return x - (np.bincount(self.unit, x) / self._size)[self.unit]

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Return ``x`` less all effects."""
        x = self.within_unit(x)
        return x - self.within_unit((self._inverse @ (self._dummies @ x))[self.other])


_PROJECTIONS: dict[bytes, Projection] = {}  # by sample: most samples are the same for every seed


def quick_cells(study: Study, data: pd.DataFrame, outcome: str = "") -> Cells:
    """Return estimate, se (iid), r2 and n_obs of every declared column: :mod:`pilotzones.replicate`, but faster.

    Columns without fixed effects, or with the unit and one further finest effect; OLS and 2SLS.

    Parameters
    ----------
    outcome : replaces the dependent variable of columns with fixed effects, whose outcome is the study's main one; the
        others are left out.
    """
    cells: Cells = {}
    done: dict[tuple[bytes, str], np.ndarray] = {}
    main = study.outcome
    for table in study.tables:
        for column in table.columns:
            parts = [part.strip() for part in study.expand(column.formula).split("|")]
            y, x = (side.strip() for side in parts[0].split("~"))
            if column.matching or (outcome and (len(parts) == 1 or y != main)):
                continue
            regressors = [name.strip() for name in x.split("+")]
            endogenous, instruments = [], []
            if len(parts) == 3:
                left, right = parts[2].split("~")
                endogenous, instruments = [left.strip()], [name.strip() for name in right.split("+")]
            names = [outcome or y, *endogenous, *regressors, *instruments]
            kept = replicate.select(data, column.sample).index if column.sample else data.index
            rows = data.loc[kept, [*names, y]].dropna().index
            matrix = data.loc[rows, names].to_numpy(float)
            place = f"{table.id}/{column.id}"
            if len(parts) == 1:
                within = matrix - matrix.mean(axis=0)
                total, lost = within[:, 0] @ within[:, 0], 1
            else:
                key = parts[1].encode() + rows.to_numpy().tobytes()
                if key not in _PROJECTIONS:
                    others = [e for e in map(str.strip, parts[1].split("+")) if e != study.unit]
                    finest = max(others, key=lambda e: e.count("^"), default=study.unit).split("^")
                    group = data.loc[rows].groupby(finest).ngroup() if others else pd.Series(0, rows)
                    if len(_PROJECTIONS) > 40:
                        _PROJECTIONS.clear()
                    _PROJECTIONS[key] = Projection(data.loc[rows, study.unit], group)
                effects = _PROJECTIONS[key]
                for i, name in enumerate(names):
                    if (key, name) not in done:
                        done[key, name] = effects.residual(matrix[:, i])
                within = np.column_stack([done[key, name] for name in names])
                total, lost = float((effects.within_unit(matrix[:, 0]) ** 2).sum()), effects.lost
            cells |= _solve(place, names, within, total, lost, bool(endogenous), len(regressors), matrix.std(axis=0))
    return cells


def _solve(
    place: str, names: list[str], within: np.ndarray, total: float, lost: int, iv: bool, exogenous: int, sd: np.ndarray
) -> Cells:
    """Return the cells of one regression on what is left of the outcome, (endogenous,) regressors, (instruments)."""
    kept = (within**2).mean(axis=0) > 1e-10 * sd**2  # collinear with the effects otherwise
    y, x = within[:, 0], within[:, 1 : 1 + iv + exogenous]
    kept_x = kept[1 : 1 + iv + exogenous]
    x, terms = x[:, kept_x], [n for n, k in zip(names[1 : 1 + iv + exogenous], kept_x, strict=True) if k]
    fitted = x
    if iv:
        z = within[:, 2:][:, kept[2:]]
        fitted = z @ np.linalg.lstsq(z, x, rcond=None)[0]
    inverse = np.linalg.inv(fitted.T @ fitted)
    b = inverse @ (fitted.T @ y)
    left = float(((y - x @ b) ** 2).sum())
    se = np.sqrt(np.diag(inverse) * left / (len(y) - lost - len(b)))
    cells = {f"{place}/{term}/estimate": float(x) for term, x in zip(terms, b, strict=True)}
    cells |= {f"{place}/{term}/se": float(x) for term, x in zip(terms, se, strict=True)}
    return {**cells, f"{place}//r2": 1 - left / total, f"{place}//n_obs": float(len(y))}


def simulate(key: str, parameters: Parameters, true_effects: bool, seed: int) -> Cells:
    """Return the cells of one panel; with ``true_effects`` those of the columns run on the true effects."""
    study, generator = studies.load(key), _generator(key)
    data = generator.generate(seed, parameters)
    data = study.derive(data) if study.derive else data
    if study.published_vcov != "iid":  # a panel of cities is small enough for the estimator itself
        declared = _on_truth(study, generator.NO_ESTIMAND) if true_effects else study
        cells = _fitted_cells(declared, data)
    else:
        cells = quick_cells(study, data, TRUTH if true_effects else "")
    if true_effects:
        return cells
    about = _about_variables(study, data)
    return cells | dict(zip(about[KEYS].agg("/".join, axis=1), about["value"], strict=True))


def _about_variables(study: Study, data: pd.DataFrame) -> pd.DataFrame:
    """Return moments of the variables that the paper describes and weights of its indices: ``KEYS`` and ``value``."""
    cells = [(table, name, "weight", v) for (table, name), v in indices.printed_weights(study, data).items()]
    if not (moments := describe.printed(study, data)).empty:
        place = study.descriptives_table
        cells += [(place, symbol, statistic, float(v)) for (symbol, statistic), v in moments.stack().items()]
    return pd.DataFrame(cells, columns=["table", "term", "statistic", "value"]).assign(column="")


def _fitted_cells(study: Study, data: pd.DataFrame) -> Cells:
    """Return estimate, se (of the paper's kind), r2 and n_obs of every declared column."""
    cells: Cells = {}
    for table in study.tables:
        for column in table.columns:
            place = f"{table.id}/{column.id}"
            fit = ledger.renamed(replicate.column(study, column, data), column.printed_prefix)
            for term, found in fit.coefficients.iterrows():
                cells |= {f"{place}/{term}/estimate": found["estimate"], f"{place}/{term}/se": found["se"]}
            cells |= {f"{place}//r2": replicate.printed_r2(study, column, fit), f"{place}//n_obs": float(fit.n_obs)}
    return cells


# ------------------------------------------------------------------------------------------------------ calibration

Mean = Callable[[Parameters, bool, Iterable[int]], Cells]


def fit(study: Study, workers: int, rounds: int = 2) -> Parameters:
    """Solve the calibrated parameters from the printed cells, effects and the rest in turn."""
    generator, target = _generator(study.key), printed(study)
    p: Parameters = generator.parameters()
    ridge: float = getattr(generator, "RIDGE", 2.0)
    with _pool(workers) as pool:

        def mean(parameters: Parameters, true_effects: bool, seeds: Iterable[int]) -> Cells:
            cells = list(pool.map(partial(simulate, study.key, parameters, true_effects), seeds))
            return {name: float(np.mean([c[name] for c in cells])) for name in cells[0]}

        def effects(parameters: Parameters) -> Parameters:
            if not generator.EFFECTS:
                return parameters
            goal = {cell: target[cell] for cell in generator.EFFECT_CELLS}
            if getattr(generator, "OTHER_CAUSES", False):
                found, true = (mean(parameters, truth, CALIBRATION_SEEDS) for truth in (False, True))
                goal = {cell: number - (found[cell] - true[cell]) for cell, number in goal.items()}
            return _solve_effects(parameters, generator.EFFECTS, goal, target, mean, ridge)

        for _ in range(rounds):
            p = _newton(effects(p), generator.TARGETS, target, mean)
        p = effects(p)
    return p


def _solve_effects(
    p: Parameters, names: Sequence[str], goals: Cells, target: Cells, mean: Mean, ridge: float, steps: int = 2
) -> Parameters:
    """Fit the effect parameters to the effect cells: Gauss-Newton, with a ridge that prefers small heterogeneity.

    Minimises ``sum ((cell - goal) / printed se)^2 + ridge sum parameter^2`` over columns run on the true effects.
    """
    seeds, cells = CALIBRATION_SEEDS[:4], list(goals)
    weight = np.array([1 / target[cell.removesuffix("estimate") + "se"] for cell in cells])
    goal = np.array(list(goals.values()))

    def read(parameters: Parameters) -> np.ndarray:
        found = mean(parameters, True, seeds)
        return np.array([found[cell] for cell in cells])

    for _ in range(steps):
        now, h = read(p), np.array([p[name] for name in names])
        slope = np.column_stack([(read({**p, name: p[name] + 0.05}) - now) / 0.05 for name in names])
        a, gap = slope * weight[:, None], (goal - now + slope @ h) * weight
        h = np.linalg.solve(a.T @ a + ridge * np.eye(len(h)), a.T @ gap)
        p = {**p, **dict(zip(names, map(float, h), strict=True))}
    gap = (read(p) - goal) * weight
    print("effects:", ", ".join(f"{n} {p[n]:.3f}" for n in names))
    print("  gaps in printed standard errors:", ", ".join(f"{c[:4]} {g:+.2f}" for c, g in zip(cells, gap, strict=True)))
    return p


def _newton(
    p: Parameters, targets: Sequence[tuple[str, str, float]], target: Cells, mean: Mean, steps: int = 4
) -> Parameters:
    """Solve the targets for their parameters: damped Newton, one Jacobian, moves of at most five steps."""
    names, expressions = [t[0] for t in targets], [t[1] for t in targets]
    size = np.array([t[2] for t in targets])
    goal = np.array([value(target, e.split(" at ")[-1]) for e in expressions])

    def read(parameters: Parameters, seeds: Iterable[int]) -> np.ndarray:
        found = mean(parameters, False, seeds)
        return np.array([value(found, e.split(" at ")[0]) for e in expressions])

    few = CALIBRATION_SEEDS[:4]
    start = read(p, few)
    columns = tqdm(zip(names, size, strict=True), "Jacobian", len(names), leave=False)
    jacobian = np.column_stack([(read({**p, name: p[name] + h}, few) - start) / h for name, h in columns])
    for step in tqdm(range(steps), "Newton", leave=False):
        gap = goal - read(p, CALIBRATION_SEEDS)
        move = np.clip((0.9 if step < 2 else 0.6) * np.linalg.solve(jacobian, gap), -5 * size, 5 * size)
        p = {**p, **{name: p[name] + float(m) for name, m in zip(names, move, strict=True)}}
    gap = read(p, CALIBRATION_SEEDS) - goal
    for name, expression, g in zip(names, expressions, gap, strict=True):
        print(f"{name} = {p[name]:.4g}: {expression} misses by {g:+.4f}")
    return p


def write_parameters(path: Path, old: Parameters, new: Parameters) -> None:
    """Replace the changed values in a parameter file, line by line, so that its comments stay."""
    text = path.read_text(encoding="utf-8")
    for name, number in new.items():
        if number != old[name]:
            line = re.search(rf"(?m)^{name} = \S+ +", text)
            if line is None:
                raise DataError(f"{path.name}: no line '{name} = ...' with a comment")
            text = text[: line.start()] + f"{name} = {round(number, 4)} ".ljust(len(line[0])) + text[line.end() :]
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------ Monte Carlo


def monte_carlo(study: Study, seeds: Sequence[int], workers: int) -> pd.DataFrame:
    """Estimate every printed cell on many panels.

    Finished seeds are kept under ``_build/calibration``: an interrupted run resumes. They are named after a hash of the
    library, so that a changed generator starts afresh.

    Returns
    -------
    One row per cell and seed: ``table``, ``column``, ``term``, ``statistic``, ``value``, and for estimates ``se_*``,
    ``reach_*`` (half of the 95% interval; ``iid``, ``unit``, ``city`` or, without cities, ``province``) and
    ``estimand``.
    """
    folder = BUILD / "calibration" / study.key / _fingerprint(study)
    todo = [seed for seed in seeds if not (folder / f"{seed}.parquet").exists()]
    with _pool(workers) as pool:
        for _ in tqdm(pool.map(partial(_run, study.key, folder), todo), f"{study.key}: panels", len(todo)):
            pass
    return pd.concat([pd.read_parquet(folder / f"{seed}.parquet").assign(seed=seed) for seed in seeds])


def _run(key: str, folder: Path, seed: int) -> None:
    study = studies.load(key)
    cells = run(study, panel.generate(study, seed), _generator(key).NO_ESTIMAND)
    write_atomically(folder / f"{seed}.parquet", lambda temporary: cells.to_parquet(temporary))


def run(study: Study, data: pd.DataFrame, no_estimand: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Return every cell of one panel with its standard errors and, where there is one, its estimand.

    The estimand of a cell is the same regression run on the true effects (:func:`pilotzones.replicate.estimand`): what
    the column would give in this panel if nothing but the reform moved the outcome.
    """
    fits = ledger.fit_all(study, data, "iid")
    truths = ledger.fit_all(_on_truth(study, set(no_estimand)), data, "iid")
    clusters = {name: study.clusters.get(f"cluster_{name}") for name in ("unit", _place(study))}
    rows = []
    for (table, column), fitted in fits.items():
        errors = {"iid": fitted.coefficients}
        errors |= {name: fitted.under(f"cluster:{by}").coefficients for name, by in clusters.items() if by}
        found = pd.DataFrame({"statistic": "estimate", "value": fitted.coefficients["estimate"]})
        for name, error in errors.items():
            found[f"se_{name}"] = error["se"].to_numpy()
            found[f"reach_{name}"] = ((error["high"] - error["low"]) / 2).to_numpy()
        if (table, column) in truths:
            # what else moves the outcome has a slope of its own, which the true effects do not hold
            others = [*study.regressors("controls"), *study.regressors("policies"), "_cons"]
            found["estimand"] = truths[table, column].coefficients["estimate"].drop(others, errors="ignore")
        rows.append(found.rename_axis("term").reset_index().assign(table=table, column=column))
    for place, declared in ((t.id, c) for t in study.tables for c in t.columns if (t.id, c.id) in fits):
        fitted = fits[place, declared.id]
        numbers = {"n_obs": fitted.n_obs, "r2": replicate.printed_r2(study, declared, fitted)}
        found = pd.DataFrame({"statistic": list(numbers), "value": [float(v) for v in numbers.values()]})
        rows.append(found.assign(table=place, column=declared.id, term=""))
    return pd.concat([*rows, _about_variables(study, data)], ignore_index=True).astype({"value": float})


def _place(study: Study) -> str:
    return "city" if "cluster_city" in study.clusters or "pairs" in study.features else "province"


def _on_truth(study: Study, no_estimand: set[tuple[str, str]]) -> Study:
    """Return the study with the true effect as the outcome, reduced to columns that estimate a mean of true effects."""
    main = study.outcome

    def on_truth(formula: str) -> str:
        return re.sub(rf"^{main}\s*~", f"{TRUTH} ~", formula)

    tables = tuple(
        replace(table, columns=tuple(
            replace(column, formula=on_truth(column.formula)) for column in table.columns
            if (table.id, column.id) not in no_estimand and on_truth(column.formula) != column.formula
        ))
        for table in study.tables
    )  # fmt: skip
    figures = tuple(replace(figure, formula=on_truth(figure.formula)) for figure in study.figures)
    return replace(study, tables=tables, figures=figures)


def summarise(study: Study, draws: pd.DataFrame) -> pd.DataFrame:
    """Set the Monte Carlo against the printed numbers: one row per cell.

    Coverage is the share of panels whose nominal 95% interval holds the estimand of the cell in that panel (see
    :func:`run`). Cells without one (other outcomes, mediators, no fixed effects, samples split by the outcome) are
    measured against the Monte-Carlo mean instead, so that their coverage judges the standard error and not the centre.
    """
    target = printed(study)
    centre = draws["estimand"].fillna(draws.groupby(KEYS)["value"].transform("mean"))
    kinds = ("iid", "unit", _place(study))
    for name in kinds:
        if f"se_{name}" not in draws:
            draws[f"se_{name}"] = draws[f"reach_{name}"] = np.nan
        covers = ((draws["value"] - centre).abs() <= draws[f"reach_{name}"]).astype(float)
        draws[f"coverage_{name}"] = covers.where(draws[f"reach_{name}"].notna())
    groups = draws.groupby(KEYS, sort=False)
    summary = groups["value"].agg(mc_mean="mean", mc_sd="std", runs="size")
    for name in kinds:
        summary[f"mean_se_{name}"] = groups[f"se_{name}"].mean()
        summary[f"coverage_{name}"] = groups[f"coverage_{name}"].mean()
    summary = summary.reset_index()
    cell = summary[KEYS].agg("/".join, axis=1)
    summary["target"] = cell.map(target)
    # figures print no number; their dummies are kept all the same
    drawn = summary["term"].str.match(r"Year-?\d|delta_") & (summary["statistic"] == "estimate")
    drawn &= summary["mc_sd"] != 0  # not the base year
    summary = summary[summary["target"].notna() | drawn]
    tags = [_tag(study, *row) for row in summary[KEYS].itertuples(index=False, name=None)]
    # what is the same in every panel is a property of its frame
    summary["tag"] = np.where((summary["mc_sd"] < 1e-9) & (np.array(tags) != "inconsistent"), "by_construction", tags)
    order = [*KEYS, "tag", "target", "mc_mean", "mc_sd", *(f"mean_se_{n}" for n in kinds)]
    return summary[[*order, *(f"coverage_{n}" for n in kinds), "runs"]].reset_index(drop=True)


def agreement(study: Study, cells: Cells) -> dict[int, float]:
    """Return the share of printed estimates that one panel meets within 1 and within 2 printed standard errors.

    An estimate printed as 0.000 with a t value has no standard error and is left out.
    """
    target = printed(study)
    errors = {name: target[f"{name}/se"] for name in (n.removesuffix("/estimate") for n in target if "/estimate" in n)}
    used = [name for name, se in errors.items() if se > 0 and f"{name}/estimate" in cells]
    z = [(cells[f"{name}/estimate"] - target[f"{name}/estimate"]) / errors[name] for name in used]
    return {within: float(np.mean(np.abs(z) <= within)) for within in (1, 2)}


def agreement_bands(study: Study, draws: pd.DataFrame) -> pd.DataFrame:
    """Return mean, 5th and 95th percentile over panels of :func:`agreement`: what one honest panel looks like."""
    values = draws.assign(cell=draws[KEYS].agg("/".join, axis=1)).groupby(["seed", "cell"])["value"].first()
    shares = pd.DataFrame([agreement(study, cells.droplevel("seed").to_dict()) for _, cells in values.groupby("seed")])
    bands = pd.DataFrame({"mean": shares.mean(), "p05": shares.quantile(0.05), "p95": shares.quantile(0.95)})
    return bands.assign(runs=len(shares)).rename_axis("within").reset_index()


def _tag(study: Study, table: str, column: str, term: str, statistic: str) -> str:
    """Return where a cell's agreement comes from."""
    for problem in study.inconsistencies:
        here = (problem.table, problem.column) == (table, column) and problem.term in ("", term)
        if here and problem.statistic in ("", statistic):
            return "inconsistent"
    generator = _generator(study.key)
    cell = f"{table}/{column}/{term}/{statistic}"
    if cell in generator.EFFECT_CELLS or any(cell in re.split(" - | at ", e) for _, e, _ in generator.TARGETS):
        return "targeted"
    return "targeted" if cell in generator.SET_DIRECTLY else "untargeted"


def _fingerprint(study: Study) -> str:
    """Return a hash of the library's estimators and of everything in the study's folder."""
    library = ROOT / "lib" / "pilotzones"
    names = ("calibration", "replicate", "policy", "geography", "describe", "indices")
    globs = ("estimators/*.py", "measures/*.py", f"studies/{study.key}/*.*")
    files = [*(library / f"{name}.py" for name in names), *(path for glob in globs for path in library.glob(glob))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()[:12]


def _pool(workers: int) -> ProcessPoolExecutor:
    # a forked child of a process that has used numba's threads can hang
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _generator(key: str) -> Any:
    return import_module(f"pilotzones.studies.{key}.synthetic")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the Monte Carlo of a study and write its summary, or calibrate its parameters."""
    parser = argparse.ArgumentParser(prog="python -m pilotzones.calibration", description=main.__doc__)
    parser.add_argument("study", choices=studies.keys())
    parser.add_argument("--fit", action="store_true", help="calibrate parameters.toml to the printed tables")
    parser.add_argument("--runs", type=int, default=200, help="panels of the Monte Carlo, seeds 1001 onwards")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    study = studies.load(options.study)
    if options.fit:
        generator = _generator(study.key)
        write_parameters(generator.PARAMETERS, generator.parameters(), fit(study, options.workers))
        return
    draws = monte_carlo(study, range(FRESH_SEEDS, FRESH_SEEDS + options.runs), options.workers)
    summary = summarise(study, draws)
    bands = agreement_bands(study, draws)
    for name, frame in ((study.key, summary), (f"{study.key}_agreement", bands)):
        if frame["mean" if frame is bands else "runs"].isna().all():
            continue  # the paper prints no standard error to agree within
        write_atomically(CALIBRATION / f"{name}.csv", partial(frame.to_csv, index=False, float_format="%.6g"))
    print(f"data/calibration/{study.key}.csv: {len(summary)} cells over {options.runs} panels")


if __name__ == "__main__":
    main()
