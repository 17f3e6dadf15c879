"""What the synthetic panel of pairs gives over many seeds, and the calibration of its parameters.

Used through ``python -m pilotzones.studies.coordination.monte_carlo --fit`` and ``... --runs 200``. The samples of all
printed columns are balanced and made of whole pairs, so that pair and year effects are removed by taking means twice:
a panel takes a second, where :mod:`pilotzones.calibration` would take minutes. A test compares the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import cached_property, partial

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from pilotzones import calibration, replicate
from pilotzones.calibration import Cells, Parameters
from pilotzones.declare import Study
from pilotzones.io import write_atomically
from pilotzones.paths import CALIBRATION
from pilotzones.studies.coordination import synthetic
from pilotzones.studies.coordination.study import STUDY, derive

ERRORS = ("iid", "unit", "city", "dyadic")  # unit: by pair; city: two-way


class Sample:
    """A balanced sample of pairs, and regressions on it with pair and year effects.

    Parameters
    ----------
    panel : one row per pair and year, in order.
    kept : which pairs are in the sample.
    """

    def __init__(self, panel: pd.DataFrame, kept: np.ndarray) -> None:
        self._panel, self._kept = panel, kept
        self.pairs, self.years = int(kept.sum()), panel["year"].nunique()
        self._within: dict[str, np.ndarray] = {}

    @cached_property
    def ends(self) -> np.ndarray:
        """Codes of the cities of each pair, shape (2, pairs)."""
        first = self._panel.iloc[:: self.years].loc[self._kept, ["city_i", "city_j"]]
        return pd.factorize(first.to_numpy().T.ravel())[0].reshape(2, -1)

    def values(self, name: str) -> np.ndarray:
        """Return a variable, shape (pairs, years)."""
        return self._panel[name].to_numpy(float).reshape(-1, self.years)[self._kept]

    def within(self, name: str) -> np.ndarray:
        """Return a variable less its pair and year means, by row."""
        if name not in self._within:
            x = self.values(name)
            self._within[name] = (x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean()).ravel()
        return self._within[name]

    def regress(self, outcome: str, names: list[str], errors: tuple[str, ...] = ERRORS) -> pd.DataFrame:
        """Return ``value``, ``se_*`` and ``reach_*`` (half of the 95% interval) by term.

        The errors are those of :mod:`pilotzones.estimators.regression` and :mod:`pilotzones.estimators.dyadic`. The
        constant, last, is that of a regression with year dummies: the mean of the first year at regressors of zero.
        """
        y, x = self.within(outcome), np.column_stack([self.within(name) for name in names])
        n, k = x.shape
        bread = np.linalg.inv(x.T @ x)
        beta = bread @ (x.T @ y)
        left = y - x @ beta
        means = np.array([self.values(name)[:, 0].mean() for name in names])
        found = pd.DataFrame({"value": [*beta, self.values(outcome)[:, 0].mean() - means @ beta]}, [*names, "_cons"])
        spare, clusters = n - self.pairs - self.years + 1 - k, n - k - self.years
        if "iid" in errors:
            size = np.append(np.diag(bread), 1 / self.pairs + means @ bread @ means)
            self._errors(found, "iid", left @ left / spare * size, spare)
        if len(errors) > 1:
            score = (x * left[:, None]).reshape(self.pairs, self.years, k).sum(axis=1) @ bread
            score = np.column_stack([score, left.reshape(self.pairs, -1)[:, 0] / self.pairs - score @ means])
            sums = [np.column_stack([np.bincount(end, s, self.ends.max() + 1) for s in score.T]) for end in self.ends]
            own, (i, j) = (score**2).sum(axis=0), ((s**2).sum(axis=0) for s in sums)
            both = ((sums[0] + sums[1]) ** 2).sum(axis=0)
            fewest = min(len(np.unique(end)) for end in self.ends)  # fixest: the smaller number of clusters
            for name, meat, groups in (
                ("unit", own, self.pairs),
                ("city", i + j - own, fewest),
                ("dyadic", both - own, self.ends.max() + 1),
            ):
                factor = groups / (groups - 1) * (n - 1) / clusters
                self._errors(found, name, factor * np.where(meat > 0, meat, np.nan), groups - 1)
        return found

    def r2(self, outcome: str, names: list[str]) -> float:
        """Return the share explained by regressors and year effects once pair means are removed."""
        y, x = self.within(outcome), np.column_stack([self.within(name) for name in names])
        left = y - x @ np.linalg.solve(x.T @ x, x.T @ y)
        raw = self.values(outcome)
        return float(1 - left @ left / ((raw - raw.mean(axis=1, keepdims=True)) ** 2).sum())

    @staticmethod
    def _errors(found: pd.DataFrame, name: str, variance: np.ndarray, degrees: int) -> None:
        found[f"se_{name}"] = np.sqrt(variance)
        found[f"reach_{name}"] = stats.t.ppf(0.975, degrees) * np.sqrt(variance)


def run(study: Study, panel: pd.DataFrame, errors: tuple[str, ...] = ERRORS) -> pd.DataFrame:
    """Return every printed cell of one panel, and the dummies of the figure, with errors and estimands.

    Returns
    -------
    As :func:`pilotzones.calibration.run`; the errors are ``ERRORS``.
    """
    figure, columns = study.figures[0], {}
    event = panel["event_time"].clip(figure.leads, figure.lags)
    dummies = {f"Year{k}": event == k for k in range(figure.leads, figure.lags + 1) if k not in figure.base}
    panel = panel.assign(**dummies)
    for table in study.tables:
        for column in table.columns if table.id != "text" else ():
            outcome, right = study.expand(column.formula).split("|")[0].split("~")
            columns[table.id, column.id] = column.sample, outcome.strip(), [x.strip() for x in right.split("+")]
    columns[figure.id, ""] = figure.sample, study.outcome, [*dummies, *study.regressors("controls")]

    samples, rows = {}, []
    for (place, number), (rule, outcome, names) in columns.items():
        if rule not in samples:
            samples[rule] = Sample(panel, _whole(panel, rule))
        sample = samples[rule]
        found = sample.regress(outcome, names, errors)
        if outcome == study.outcome and not set(names) & {name for name, _ in study.mediators}:
            found["estimand"] = sample.regress("true_effect", names, ())["value"].drop("_cons")
        rows.append(found.rename_axis("term").reset_index().assign(statistic="estimate", table=place, column=number))
        numbers = {"n_obs": sample.pairs * sample.years, "r2": sample.r2(outcome, names)}
        rows.append(pd.DataFrame({"statistic": [*numbers], "value": [*numbers.values()]}).assign(
            term="", table=place, column=number))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def _whole(panel: pd.DataFrame, rule: str) -> np.ndarray:
    """Tell which pairs a rule keeps that speaks of nothing that changes over the years."""
    pairs = panel.iloc[:: panel["year"].nunique()]
    return np.asarray(pairs.index.isin(replicate.select(pairs, rule).index))


def one_panel(seed: int, errors: tuple[str, ...] = ERRORS, parameters: Parameters | None = None) -> pd.DataFrame:
    """Draw a panel and return its cells, see :func:`run`."""
    return run(STUDY, derive(synthetic.generate(seed, parameters)), errors).assign(seed=seed)


def simulate(parameters: Parameters, true_effects: bool, seed: int) -> Cells:
    """Return the cells of one panel by name; with ``true_effects`` those of the columns run on the true effects."""
    found = one_panel(seed, ("iid",), parameters)
    place = found["table"] + "/" + found["column"] + "/" + found["term"] + "/"
    estimates = found["statistic"] == "estimate"
    if true_effects:
        return dict(zip(place[estimates] + "estimate", found.loc[estimates, "estimand"], strict=True))
    errors = dict(zip(place[estimates] + "se", found.loc[estimates, "se_iid"], strict=True))
    return dict(zip(place + found["statistic"], found["value"], strict=True)) | errors


def fit(workers: int, rounds: int = 2) -> Parameters:
    """Solve the calibrated parameters from the printed cells, effects and the rest in turn."""
    p, target = synthetic.parameters(), calibration.printed(STUDY)
    with calibration._pool(workers) as pool:

        def mean(parameters: Parameters, true_effects: bool, seeds: Iterable[int]) -> Cells:
            # few cities make many pairs: a mean needs more panels than elsewhere, the slopes do not
            more = [*seeds] if len([*seeds]) < 24 else range(101, 197)
            cells = list(pool.map(partial(simulate, parameters, true_effects), more))
            return {name: float(np.mean([c[name] for c in cells])) for name in cells[0]}

        goals = {cell: target[cell] for cell in synthetic.EFFECT_CELLS}
        for _ in range(rounds):
            p = calibration._solve_effects(p, synthetic.EFFECTS, goals, target, mean, ridge=2.0)
            p = calibration._newton(p, synthetic.TARGETS, target, mean)
        return calibration._solve_effects(p, synthetic.EFFECTS, goals, target, mean, ridge=2.0)


NO_REFORM = {name: 0.0 for name in synthetic.EFFECTS}
LARGE = 6.0  # the t value that the paper's benchmark has


def benchmark(parameters: Parameters, seed: int) -> pd.DataFrame:
    """Return the policy's coefficient in the benchmark of one panel, with its errors and its estimand."""
    panel = derive(synthetic.generate(seed, parameters))
    table, number = STUDY.benchmark
    declared = STUDY.table(table).column(number)
    sample = Sample(panel, _whole(panel, declared.sample))
    names = [STUDY.treatment, *STUDY.regressors("controls")]
    found = sample.regress(STUDY.outcome, names).loc[[STUDY.treatment]]
    truth = sample.regress("true_effect", names, ()).at[STUDY.treatment, "value"]
    return found.assign(estimand=truth, seed=seed)


def inference(draws: pd.DataFrame, reform: bool) -> pd.DataFrame:
    """Summarise what each kind of errors makes of the benchmark over many panels, one row per kind.

    Returns
    -------
    ``reform`` (0 for a world without), ``errors``, ``mc_sd`` (of the coefficient), ``mean_se``, ``rejects`` (share of
    panels with p below 0.05), ``large`` (share with a t beyond ``LARGE``, either sign), ``coverage`` (share whose 95%
    interval holds the estimand), ``undefined`` (share without errors, the variance being negative), ``runs``.
    """
    rows = []
    for name in ERRORS:
        se, reach = draws[f"se_{name}"], draws[f"reach_{name}"]
        rows.append({
            "reform": int(reform), "errors": name, "mc_sd": draws["value"].std(), "mean_se": se.mean(),
            "rejects": (draws["value"].abs() > reach).mean(), "large": (draws["value"].abs() > LARGE * se).mean(),
            "coverage": ((draws["value"] - draws["estimand"]).abs() <= reach).mean(),
            "undefined": se.isna().mean(), "runs": len(draws),
        })  # fmt: skip
    return pd.DataFrame(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the Monte Carlo of the coordination study and write its summaries, or calibrate its parameters."""
    parser = argparse.ArgumentParser(prog="python -m pilotzones.studies.coordination.monte_carlo")
    parser.add_argument("--fit", action="store_true", help="calibrate parameters.toml to the printed tables")
    parser.add_argument("--runs", type=int, default=200, help="panels, seeds 1001 onwards")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    if options.fit:
        calibration.write_parameters(synthetic.PARAMETERS, synthetic.parameters(), fit(options.workers))
        return
    seeds = range(calibration.FRESH_SEEDS, calibration.FRESH_SEEDS + options.runs)
    with calibration._pool(options.workers) as pool:
        draws = pd.concat(tqdm(pool.map(one_panel, seeds), "panels", len(seeds)))
        null = pd.concat(tqdm(pool.map(partial(benchmark, NO_REFORM), seeds), "without reform", len(seeds)))
    table, number = STUDY.benchmark
    real = draws[(draws["table"] == table) & (draws["column"] == number) & (draws["term"] == STUDY.treatment)]
    tables = {
        STUDY.key: calibration.summarise(STUDY, draws),
        f"{STUDY.key}_agreement": calibration.agreement_bands(STUDY, draws),
        f"{STUDY.key}_inference": pd.concat([inference(null, False), inference(real, True)]),
    }
    for name, frame in tables.items():
        write_atomically(CALIBRATION / f"{name}.csv", partial(frame.to_csv, index=False, float_format="%.6g"))
        print(f"data/calibration/{name}.csv: {len(frame)} rows over {options.runs} panels")


if __name__ == "__main__":
    main()
