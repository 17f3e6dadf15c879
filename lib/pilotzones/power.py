r"""Design analysis: could a study's design have seen the effect that it reports?

``python -m pilotzones.power resilience`` writes ``data/calibration/resilience_design.parquet``.

The benchmark column is estimated in many fresh synthetic panels whose true effect is a multiple of the study's own,
under every standard error that the study knows. All of it is one grid of :mod:`pilotzones.sweep`: seeds by sizes of the
effect by standard errors.

What "the true effect" is
-------------------------
A regression of staggered adoption estimates a weighted mean of effects, not their plain mean. Here the true effect of
a panel is the *estimand*: the same regression run on the true effects of the rows
(:func:`pilotzones.replicate.estimand`), which is the expectation of the estimate when nothing but the reform moves the
outcome. The mean effect over treated rows may differ from it; the page shows both. Least squares is linear in the
outcome, so that the estimand of ``size`` times the effects is ``size`` times the estimand, and what else moves the
outcome of treated units (other policies, unequal trends) is a bias that is the same at every size. The differences of
effects between units are multiplied, too: clustered errors grow with ``size``, and power need not rise with it.

Definitions
-----------
With :math:`\tau` the true effect, :math:`\hat\tau` the estimate and *significant* meaning :math:`p <` ``level``:

- power: the share of significant estimates; without an effect, the size of the test;
- minimum detectable effect: the smallest :math:`\tau` with a power of 80%;
- type S error: the share of significant estimates with the wrong sign;
- type M error or exaggeration: the mean of :math:`|\hat\tau|` over significant estimates, divided by :math:`|\tau|`.

If :math:`\hat\tau` is normal with a known standard error, the first is
:math:`\Phi(\lambda - z) + \Phi(-\lambda - z)` with :math:`\lambda = \tau / se` and :math:`z = \Phi^{-1}(1 -` level
:math:`/ 2)`, and the second is 2.8 standard errors at a level of 5% (Bloom 1995): see :func:`retrodesign`.

References
----------
Bloom, H. S. (1995). Minimum detectable effects. *Evaluation Review* 19(5), 547-556.
Gelman, A. and J. Carlin (2014). Beyond power calculations: assessing type S (sign) and type M (magnitude) errors.
*Perspectives on Psychological Science* 9(6), 641-651.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones import published, replicate, specifications, studies, sweep
from pilotzones.calibration import FRESH_SEEDS
from pilotzones.declare import Study
from pilotzones.errors import DataError, PilotZonesError
from pilotzones.estimators.regression import Regression
from pilotzones.io import shown, write_atomically
from pilotzones.panel import TRUTH
from pilotzones.paths import BUILD, CALIBRATION
from pilotzones.specifications import Specification

SIZES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
RUNS = 200
ENOUGH = 0.8  # power that one usually asks for
COLUMNS = ("seed", "size", "vcov", "estimate", "se", "reach", "p", "estimand")


# ---------------------------------------------------------------------------------------------------------- simulation


def grid(study: Study, seeds: Sequence[int], sizes: Sequence[float]) -> list[Specification]:
    """Return the benchmark by seed, size of the effect and standard error, and once per seed on the true effects."""
    own = specifications.declared(study, *study.benchmark)
    found = []
    for seed in seeds:
        found.append(replace(own, seed=seed, outcome=TRUTH, vcov="iid"))
        for size in sizes:
            found += [replace(own, seed=seed, size=size, vcov=vcov) for vcov in replicate.error_names(study)]
    return found


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the draws of a finished sweep over :func:`grid`.

    Returns
    -------
    One row per ``seed``, ``size`` (multiple of the study's own effect) and ``vcov``: ``estimate``, ``se`` (missing
    where a variance was negative), ``reach`` (half of the 95% interval in standard errors), ``p``; and ``estimand``,
    the panel's true effect at size 1. Effects are in units of the outcome.

    Raises
    ------
    DataError
        A specification could not be estimated.
    """
    failed = rows[rows["error"] != ""]
    if len(failed):
        first = failed.iloc[0]
        raise DataError(
            f"{len(failed):,} of {len(rows):,} specifications cannot be estimated, first seed {first['seed']}, size "
            f"{first['size']:g}, {first['vcov']}: {first['error']}"
        )
    truth = rows["outcome"] == TRUTH
    estimand = rows[truth].set_index("seed")["estimate"]
    found = rows[~truth].sort_values(["vcov", "size", "seed"], ignore_index=True)
    reach = (found["high"] - found["low"]) / (2 * found["se"])
    # rounded, these two take little space; neither decides on more than a level or an interval
    rounded = {"reach": reach.round(6), "p": found["p"].round(8)}
    return found.assign(**rounded, estimand=found["seed"].map(estimand))[[*COLUMNS]]


def stored(study: Study) -> pd.DataFrame:
    """Return the committed draws of a study, see :func:`tidy`.

    Raises
    ------
    DataError
        The file is missing, damaged, or another table.
    """
    path = _file(study)
    try:
        with path.open("rb") as file:  # Python's open, so that the page's record of files it read includes it
            found = pd.read_parquet(file)
    except FileNotFoundError:
        how = f"python -m pilotzones.power {study.key}"
        raise DataError(f"{shown(path)}: the file is missing; `{how}` makes it") from None
    except (OSError, ValueError) as problem:
        raise DataError(f"{shown(path)}: cannot be read ({' '.join(str(problem).split())})") from None
    if list(found) != list(COLUMNS) or found.empty:
        raise DataError(f"{shown(path)}: has columns {', '.join(found)}; expected rows with {', '.join(COLUMNS)}")
    return found


def command(study: Study, draws: pd.DataFrame) -> str:
    """Return the command that makes some draws."""
    sizes = sorted(draws["size"].unique())
    words = ["python -m pilotzones.power", study.key, f"--seeds {draws['seed'].nunique()}"]
    words += ["--sizes", *(f"{size:g}" for size in sizes)] if tuple(sizes) != SIZES else []
    return " ".join(words)


def _file(study: Study) -> Path:
    return CALIBRATION / f"{study.key}_design.parquet"


# ------------------------------------------------------------------------------------------------------------- results


def summarise(draws: pd.DataFrame, level: float = 0.05) -> pd.DataFrame:
    """Return what the draws say, one row per standard error and size of the effect.

    Parameters
    ----------
    draws : as :func:`tidy` returns them.
    level : p below which an estimate counts as significant.

    Returns
    -------
    ``effect``, the mean estimand; ``power`` and its Monte-Carlo standard error ``power_error``; ``significant``, the
    number of such estimates; ``type_s`` and ``type_m``, missing without an effect or without a significant estimate;
    ``coverage``, the share of 95% intervals that hold the panel's estimand; ``bias``, the mean of estimate less
    estimand; ``sd`` of the estimates and mean ``se``; ``undefined``, the share without a standard error, which counts
    as not significant and not covered; ``runs``.
    """
    truth = draws["size"] * draws["estimand"]
    significant = draws["p"] < level
    marked = draws.assign(
        effect=truth,
        significant=significant,
        type_s=(np.sign(draws["estimate"]) != np.sign(truth)).where(significant).astype(float),
        magnitude=draws["estimate"].abs().where(significant),
        coverage=(draws["estimate"] - truth).abs() <= draws["reach"] * draws["se"],
        bias=draws["estimate"] - truth,
        undefined=draws["se"].isna(),
    )
    found = marked.groupby(["vcov", "size"]).agg(
        effect=("effect", "mean"), power=("significant", "mean"), significant=("significant", "sum"),
        type_s=("type_s", "mean"), type_m=("magnitude", "mean"), coverage=("coverage", "mean"), bias=("bias", "mean"),
        sd=("estimate", "std"), se=("se", "mean"), undefined=("undefined", "mean"), runs=("seed", "size"),
    )  # fmt: skip
    nothing = found["effect"] == 0
    found["type_s"] = found["type_s"].mask(nothing)
    found["type_m"] = (found["type_m"] / found["effect"].abs()).mask(nothing)
    found.insert(2, "power_error", np.sqrt(found["power"] * (1 - found["power"]) / found["runs"]))
    return found.reset_index()


def minimum_detectable(summary: pd.DataFrame, level: float = 0.05) -> pd.DataFrame:
    """Return the effect that is found with a power of 80%, one row per standard error, in units of the outcome.

    Parameters
    ----------
    summary : as :func:`summarise` returns it, with a row for size 0, at the same ``level``.

    Returns
    -------
    ``simulated``, interpolated between sizes, missing if no size reaches 80%, or already none does; ``rule``, 2.8 mean
    standard errors at a level of 5%; ``honest``, as many standard deviations of the estimates; ``test_size``, the share
    of significant estimates. The last three are of the panels without an effect.
    """
    rows = {}
    for name, table in summary.groupby("vcov"):
        none = table[table["size"] == 0].iloc[0]
        # power need not rise from one size to the next; what counts is the first that reaches it
        power = table["power"].cummax()
        inside = power.iloc[0] < ENOUGH <= power.iloc[-1]
        simulated = np.interp(ENOUGH, power, table["effect"]) if inside else np.nan
        rows[name] = {
            "simulated": simulated, "rule": multiple(level) * none["se"], "honest": multiple(level) * none["sd"],
            "test_size": none["power"],
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def multiple(level: float = 0.05) -> float:
    """Return how many standard errors an effect must have for a power of 80%: 2.80 at a level of 5%."""
    return float(stats.norm.ppf(1 - level / 2) + stats.norm.ppf(ENOUGH))


def retrodesign(effect: float, se: float, level: float = 0.05) -> pd.Series:
    r"""Return power, type S and type M error of a normal estimate with a known standard error.

    With :math:`\lambda = |\tau| / se` and :math:`z` the critical value,

    .. math:: E[|\hat\tau|;\ |\hat\tau| > z\,se] / se =
        \phi(z - \lambda) + \phi(z + \lambda) + \lambda\,[\Phi(\lambda - z) - \Phi(-\lambda - z)].

    Parameters
    ----------
    effect : the true effect, not zero.
    se : standard error, in the same units.
    """
    scale, z = abs(effect) / se, stats.norm.ppf(1 - level / 2)
    right, wrong = stats.norm.cdf(scale - z), stats.norm.cdf(-scale - z)
    magnitude = stats.norm.pdf(z - scale) + stats.norm.pdf(z + scale) + scale * (right - wrong)
    power = right + wrong
    return pd.Series({"power": power, "type_s": wrong / power, "type_m": magnitude / power / scale})


def printed(study: Study) -> pd.Series:
    """Return the published ``estimate`` of the benchmark and its ``se``, missing where the paper's is lost."""
    table, column = study.benchmark
    rows = published.estimates(study.key)
    where = (rows["table"] == table) & (rows["column"] == column) & (rows["term"] == study.treatment)
    row = rows[where].iloc[0]
    se = row["spread"] if row["spread_kind"] == "se" else abs(row["estimate"] / row["spread"])
    return pd.Series({"estimate": row["estimate"], "se": se}, dtype=float)


def one_sample(study: Study, fit: Regression, share: float, level: float = 0.05) -> pd.DataFrame:
    """Judge the design by one sample, under each standard error, and by what the paper printed (rows).

    Parameters
    ----------
    fit : the benchmark on some panel, synthetic or licensed.
    share : the true effect that is assumed, as a share of the published one.

    Returns
    -------
    ``estimate``, ``se``, ``detectable`` (the minimum detectable effect by the rule), and power, type S and type M error
    if ``share`` times the published effect were true.
    """
    paper = printed(study)
    found = {"printed": paper}
    for name in replicate.error_names(study):
        found[name] = fit.under(replicate.errors(study, name)).coefficients.loc[study.treatment, ["estimate", "se"]]
    rows = {
        name: {
            **row,
            "detectable": multiple(level) * row["se"],
            **retrodesign(share * paper["estimate"], row["se"], level),
        }
        for name, row in found.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


# ------------------------------------------------------------------------------------------------------------- command


def _size(text: str) -> float:
    size = float(text)
    if not 0 <= size < np.inf:
        raise argparse.ArgumentTypeError(f"{text}: expected a multiple of the study's own effect, 0 or more")
    return size


def main(argv: Sequence[str] | None = None) -> None:
    """Estimate a study's benchmark in many panels with smaller and larger effects, and write the draws.

    A second run resumes where the first was cut short.
    """
    parser = argparse.ArgumentParser(prog="python -m pilotzones.power", description=main.__doc__)
    parser.add_argument("study", choices=studies.keys())
    parser.add_argument("--seeds", type=int, default=RUNS, help=f"panels, seeds {FRESH_SEEDS} onwards")
    parser.add_argument("--sizes", type=_size, nargs="+", default=SIZES, help="multiples of the study's own effect")
    parser.add_argument("--workers", type=int, default=1, help="panels at a time (default: 1)")
    options = parser.parse_args(argv)
    if options.seeds < 2 or options.workers < 1:
        parser.error("expected --seeds of 2 or more and --workers of 1 or more")
    os.environ["OMP_NUM_THREADS"] = "1"  # for the workers: sums in another order have other last digits
    study = studies.load(options.study)
    sizes = sorted({0.0, 1.0, *options.sizes})  # no effect is the size of the test, 1 the study itself
    every = grid(study, range(FRESH_SEEDS, FRESH_SEEDS + options.seeds), sizes)
    finished = BUILD / "power" / f"{study.key}.parquet"
    finished.unlink(missing_ok=True)
    draws = tidy(sweep.run(every, finished, partial(sweep.processes, options.workers)))
    path = _file(study)
    write_atomically(path, partial(draws.to_parquet, index=False, compression="zstd"))
    finished.unlink()
    print(f"data/calibration/{path.name}: {len(draws):,} rows, {options.seeds} seeds by {len(sizes)} sizes")


if __name__ == "__main__":
    try:
        main()
    except PilotZonesError as error:
        raise SystemExit(f"pilotzones: {error}") from None
