"""The multiverse of a study: what its main estimate would be under every choice that somebody could defend.

The choices stand in ``data/multiverse/<study>.yml``, a grid as ``pilotzones sweep`` reads it, each with its reason. See
:mod:`pilotzones.specifications` for the grid, :mod:`pilotzones.sweep` for the estimation and
:mod:`pilotzones.estimators.multiverse` for the permutation test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import statsmodels.formula.api as smf
from IPython.display import Markdown
from scipy import stats
from statsmodels.stats.anova import anova_lm

from pilotzones import describe, modern_did, panel, replicate, specifications, sweep
from pilotzones.declare import Study
from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators import batch, modern
from pilotzones.estimators import multiverse as permutations
from pilotzones.panel import TRUTH
from pilotzones.paths import ROOT
from pilotzones.specifications import Specification

GRIDS = ROOT / "data" / "multiverse"
MANY = 100_000  # rows from which the permutation test leaves out choices that would take minutes
ROLLOUT = {"batch", "cohort", "event_time", "treat", "pair_type"}  # columns that say who got a zone, and when
_SAME = 1e-9  # relative difference below which two estimates are one


# -------------------------------------------------------------------------------------------------------------- choices


def grid(study: Study) -> Path:
    """Return the file with the choices of a study."""
    return GRIDS / f"{study.key}.yml"


def listed(study: Study) -> Markdown:
    """Return the choices with their reasons, as they stand in the file."""
    return Markdown(f"```yaml\n{grid(study).read_text(encoding='utf-8').strip()}\n```")


def chosen(study: Study, source: str, seed: int, *vcov: str) -> list[Specification]:
    """Return the specifications of a study's multiverse, in the order of its grid.

    Parameters
    ----------
    seed : of the synthetic panel; ignored with licensed data.
    vcov : standard errors, see :func:`pilotzones.replicate.errors`.

    Raises
    ------
    ParameterError
        The file is missing or no grid, or its outcomes have several units or its columns several regressors of
        interest, so that estimates do not compare.
    """
    fixed = {"study": [study.key], "source": [source], "seed": [seed], "vcov": [*vcov]}
    sets = [choices.model_copy(update=fixed) for choices in specifications.read(grid(study))]
    found = specifications.expand(sets)
    units = sorted({study.variable(one.outcome).unit for one in found})
    if len(units) > 1:
        raise ParameterError(f"{grid(study).name}: outcome: expected outcomes in one unit, found {', '.join(units)}")
    if others := {one.term for one in found} - {study.treatment}:
        raise ParameterError(
            f"{grid(study).name}: column: expected columns about {study.treatment}, found {', '.join(sorted(others))}"
        )
    return found


def errors(study: Study) -> list[str]:
    """Return the standard errors that thousands of regressions can share: all but those of dyads."""
    return [name for name in replicate.error_names(study) if name != "dyadic"]


def curve(study: Study, source: str, seed: int, *vcov: str) -> pd.DataFrame:
    """Estimate every specification of a study's multiverse.

    Parameters
    ----------
    seed : of the synthetic panel; ignored with licensed data.
    vcov : standard errors, one row per specification and each of them, e.g. ``"published"``.

    Returns
    -------
    One row per specification, in the order of the grid, as :data:`pilotzones.sweep.SCHEMA` has them, and the choices by
    name, see :func:`options`. ``published`` names the paper's columns whatever the errors; ``error`` says why there is
    no estimate, as when exports lack a variable; ``aim`` is the same regression run on the true effect, see
    :func:`pilotzones.replicate.estimand`, where the truth about the outcome is known.

    Raises
    ------
    ParameterError, DataError
        As :func:`chosen` and :func:`pilotzones.panel.load`.
    """
    found = chosen(study, source, seed, *vcov)
    data = panel.load(study, source, seed)
    reasons = impossible(data, found)
    able = [one for one in found if one.id not in reasons]
    known = [one for one in able if TRUTH in data and one.outcome == study.outcome]
    aims = {one.id: replace(one, outcome=TRUTH, vcov="iid") for one in known}
    groups = sweep.groups([*able, *dict.fromkeys(aims.values())])
    tables = [sweep.estimate(group) for group in groups]
    estimated = pa.concat_tables(tables or [sweep.SCHEMA.empty_table()]).to_pandas().set_index("id")
    rows = estimated.reindex([one.id for one in found])
    for name in found[0].values:  # also of those without an estimate
        rows[name] = [getattr(one, name) for one in found]
    for name in ("controls", "instruments"):
        rows[name] = rows[name].map(" + ".join)
    rows["error"] = rows["error"].fillna(pd.Series(reasons, dtype=object))
    own = specifications.errors(study, "published")
    rows["published"] = [specifications.published(replace(one, vcov=own)) for one in found]
    by_id = estimated["estimate"].to_dict()
    rows["aim"] = [by_id[aims[one.id].id] if one.id in aims else np.nan for one in found]
    return pd.concat([rows.reset_index(names="id"), options(study, found)], axis=1)


def impossible(data: pd.DataFrame, found: Sequence[Specification]) -> dict[str, str]:
    """Tell which specifications a panel does not allow, by id, and why: a variable or a sample is empty."""
    empty = {name for name in data if data[name].isna().all()}
    samples = {one.sample for one in found}
    without = {sample for sample in samples if replicate.select(data, sample).empty}
    reasons = {}
    for one in found:
        words = [one.outcome, one.term, *one.controls, *re.findall(r"\w+", one.effects)]
        if lacking := [name for name in dict.fromkeys(words) if name in empty]:
            reasons[one.id] = f"no value of {', '.join(lacking)}"
        elif one.sample in without:
            reasons[one.id] = f"no row with {one.sample}"
    return reasons


def options(study: Study, found: Sequence[Specification]) -> pd.DataFrame:
    """Return what each specification chose (columns are the choices, words their options), in the order given.

    A control is ``"in"`` or ``"out"``; further regressors of a column, such as other policies, are one choice. Rows of
    the paper's columns and conditions besides are two. What all specifications share is no choice.
    """
    block = study.regressors("controls")
    names = {name for choices in specifications.read(grid(study)) for name in choices.column}
    own = {_declared(study, name).sample: f"of {name}" for name in sorted(names - {"benchmark"})}
    own[_declared(study, "benchmark").sample] = "the paper's"
    rows = []
    for one in found:
        base, condition = _split(one.sample, own)
        others = [name for name in one.controls if name not in block]
        rows.append(
            {
                "measure of the outcome": one.outcome, "fixed effects": one.effects, "rows": own[base],
                "only rows with": condition or "all", "winsorised": f"{one.winsorise:.0%}" if one.winsorise else "no",
                "other regressors": " + ".join(others) or "nothing",
                **{f"control {name}": "in" if name in one.controls else "out" for name in block},
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table.loc[:, table.nunique() > 1]


def _declared(study: Study, name: str) -> Specification:
    """Return the specification of a published column, e.g. ``T2/3`` or ``benchmark``."""
    table, _, column = ("/".join(study.benchmark) if name == "benchmark" else name).partition("/")
    return specifications.declared(study, table, column)


def _split(sample: str, own: Mapping[str, str]) -> tuple[str, str]:
    """Return the sample of a paper's column and the condition besides, which together are ``sample``."""
    for base in filter(None, own):
        if sample.startswith(start := f"({base}) and ("):
            return base, sample.removeprefix(start).removesuffix(")")
    return (sample, "") if sample in own else ("", sample)


# ------------------------------------------------------------------------------------------------------------- results


def distinct(study: Study, rows: pd.DataFrame, vcov: str = "published") -> pd.DataFrame:
    """Return the rows with one kind of errors and an estimate of their own, sorted by estimate.

    Choices that make no difference, such as a control that the effects absorb, would count twice. Of equal estimates
    from as many rows the paper's stays, else the first in the grid; ``position`` is the place there.
    """
    own = rows[(rows["vcov"] == specifications.errors(study, vcov)) & (rows["error"] == "")]
    if own.empty:
        raise DataError(f"study {study.key}: no specification of {grid(study).name} can be estimated")
    own = own.assign(position=np.arange(len(own)), other=own["published"] == "")
    own = own.sort_values(["estimate", "position"])
    own["run"] = (own["estimate"].diff() > _SAME * own["estimate"].abs().max()).cumsum()
    own = own.sort_values(["other", "position"]).drop_duplicates(["run", "n_obs"])
    own = own.sort_values(["estimate", "position"], ignore_index=True)
    return own.drop(columns=["other", "run"])


def benchmark(study: Study, rows: pd.DataFrame) -> pd.Series:
    """Return the row of the paper's main column.

    Raises
    ------
    DataError
        It is not among them.
    """
    name = "/".join(part for part in study.benchmark if part)
    known = rows[[name in published.split(", ") for published in rows["published"]]]
    if known.empty:
        raise DataError(f"study {study.key}: the main column, {name}, is not in {grid(study).name} or has no estimate")
    return known.iloc[0]


def counts(study: Study, rows: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Return how many specifications the grid has, how many have no estimate, by reason, and how many are different."""
    own = rows[rows["vcov"] == specifications.errors(study, vcov)]
    failed = own.loc[own["error"] != "", "error"].value_counts()
    different = len(distinct(study, rows, vcov))
    found = {"in the grid": len(own)}
    found |= {f"without an estimate: {reason}": -int(number) for reason, number in failed.items()}
    found["equal to another"] = different - (len(own) - int(failed.sum()))
    found["on this page"] = different
    return pd.DataFrame({"specifications": found})


def summary(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise a curve, as :func:`distinct` returns it: quantiles, signs, and where the paper's main column lies."""
    paper = benchmark(study, rows)["estimate"]
    quantiles = rows["estimate"].quantile([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    words = ("smallest", "5% quantile", "25% quantile", "median", "75% quantile", "95% quantile", "largest")
    values = dict(zip(words, quantiles, strict=True))
    values["the paper's main column"] = paper
    values["share below the paper's main column"] = float((rows["estimate"] < paper).mean())
    values["share positive"] = float((rows["estimate"] > 0).mean())
    return pd.DataFrame({"estimate": values})


def significance(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of specifications with a small p value under each standard error (rows), by sign.

    ``undefined`` is the share without an error, as a two-way variance can be negative.
    """
    found = {}
    for name in dict.fromkeys(rows["vcov"]):
        own = distinct(study, rows, name)
        small = own["p"] < 0.05
        found[name] = {
            "positive, p < 0.05": (small & (own["estimate"] > 0)).mean(),
            "p >= 0.05": (own["p"] >= 0.05).mean(),
            "negative, p < 0.05": (small & (own["estimate"] < 0)).mean(),
            "undefined": own["p"].isna().mean(),
            "median |t|": own["t"].abs().median(),
        }
    return pd.DataFrame(found).T


def importance(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the variance of the estimates that each choice explains, largest first.

    The estimates are regressed on dummies of all options (main effects, least squares); a choice's share is its sum of
    squares given all other choices (type II) over the total. What main effects leave is in the last row.
    """
    names = list(choices(rows))
    data = rows[["estimate", *names]].set_axis(["y", *(f"x{i}" for i in range(len(names)))], axis=1)
    data["y"] = data["y"] / data["y"].std()
    fit = smf.ols("y ~ " + " + ".join(f"C(x{i})" for i in range(len(names))), data).fit()
    squares = anova_lm(fit, typ=2)["sum_sq"].to_numpy()[: len(names)] / fit.centered_tss
    table = pd.DataFrame({"share of variance": squares}, index=pd.Index(names, name="choice"))
    table = table.sort_values("share of variance", ascending=False, kind="stable")
    table.loc["interactions and overlap of choices"] = 1 - squares.sum()
    return table


def by_option(rows: pd.DataFrame) -> pd.DataFrame:
    """Return number, mean estimate and share with p < 0.05 of the specifications with each option (rows)."""
    parts = {}
    for name, known in choices(rows).items():
        for option in known:
            own = rows[rows[name] == option]
            parts[name, option] = {
                "specifications": len(own),
                "mean estimate": own["estimate"].mean(),
                "smallest": own["estimate"].min(),
                "largest": own["estimate"].max(),
                "share with p < 0.05": (own["p"] < 0.05).mean(),
            }
    return pd.DataFrame(parts).T.astype({"specifications": int})


def choices(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Return the choices that a curve still has, with their options, both in the order of the grid."""
    first = rows.sort_values("position")
    known = {"aim", "position", *sweep.SCHEMA.names}
    found = {name: list(first[name].unique()) for name in rows if name not in known}
    return {name: options for name, options in found.items() if len(options) > 1}


def with_estimators(study: Study, data: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """Return a curve with the choice of an estimator, and the estimators for staggered roll-outs below it.

    These have the rows of the paper's main column, no controls, effects of unit and period, and errors by place.

    Parameters
    ----------
    every : as :func:`curve` returns it.

    Returns
    -------
    The rows with an estimate, with the further choice ``"estimator"``; without others where there is no roll-out.
    """
    rows = every[every["error"] == ""].assign(estimator="two-way fixed effects")
    rows["published"] = rows["published"].where(rows["vcov"] == specifications.errors(study, "published"), "")
    if "rollout" not in study.features:
        return rows
    design = modern_did.design(study, data)
    found = modern_did.estimates(design)
    own = f"cluster:{design.cluster}"
    vcov = next(name for name in replicate.error_names(study) if replicate.errors(study, name) == own)
    base = benchmark(study, every).to_dict()
    base |= {name: "out" for name in rows if str(name).startswith("control ")}
    effects = specifications.canonical(f"{study.unit} + {study.time}")
    base |= {"vcov": vcov, "published": "", **({"fixed effects": effects} if "fixed effects" in base else {})}
    others = [
        {
            **base, **one.att, "estimator": modern.ESTIMATORS[name].title, "n_obs": one.n_obs,
            "p": 2 * stats.norm.sf(abs(one.att["estimate"] / one.att["se"])),
        }
        for name, one in found.items() if not isinstance(one, str) and name != "twfe"
    ]  # fmt: skip
    return pd.concat([rows, pd.DataFrame(others)[list(rows)]], ignore_index=True)


# --------------------------------------------------------------------------------------------------------------- truth


def truth(study: Study, data: pd.DataFrame) -> float | None:
    """Return the true effect, in units of the main outcome; None when it is not known.

    It is the mean over the treated rows of the paper's main sample, or, where all rows have more or less of the
    treatment, the mean effect over the mean treatment.
    """
    if TRUTH not in data:
        return None
    rows = replicate.benchmark_sample(study, data)
    if "rollout" in study.features:
        return float(rows.loc[rows[study.treatment] == 1, TRUTH].mean())
    return float(rows[TRUTH].mean() / rows[study.treatment].mean())


def against_truth(study: Study, data: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Set the estimates for the main outcome beside the true effect and beside what each specification aims at.

    Empty when the truth is not known.
    """
    true = truth(study, data)
    if true is None:
        return pd.DataFrame()
    own = rows[rows["outcome"] == study.outcome]

    def held(value: pd.Series | float) -> float:
        return float(((own["low"] <= value) & (own["high"] >= value)).mean())

    return pd.DataFrame(
        {
            "value": {
                "the true effect": true,
                "median estimate": own["estimate"].median(),
                "median of what the specifications aim at": own["aim"].median(),
                "standard deviation of the estimates": own["estimate"].std(),
                "standard deviation of the aims": own["aim"].std(),
                "standard deviation of estimate minus aim": (own["estimate"] - own["aim"]).std(),
                "share of intervals with the true effect": held(true),
                "share of intervals with their own aim": held(own["aim"]),
            }
        }
    )


# --------------------------------------------------------------------------------------------------------- permutation


@dataclass(frozen=True, eq=False)
class Permutation:
    """The curve beside those of zones that were dealt out anew.

    Attributes
    ----------
    actual : the specifications tested, with ``estimate``, ``t``, ``p``.
    draws : the same with permuted treatments.
    left_out : specifications of the curve that are not tested, by reason.
    n_obs : rows that have all controls.
    """

    actual: pd.DataFrame
    draws: permutations.Draws
    left_out: dict[str, int]
    n_obs: int


def permuted(
    study: Study, data: pd.DataFrame, rows: pd.DataFrame, source: str, seed: int, vcov: str, draws: int
) -> Permutation:
    """Re-estimate a curve with the paths of the treatment dealt out anew among the places, ``draws`` times.

    All specifications see the same draw. Two things differ from the curve: rows are those with all controls and
    outcomes, so that all sets of controls share them; and samples that say who got a zone are left out, since they
    would have to be drawn anew with the zones. In panels of more than ``MANY`` rows, so are winsorised variables, and
    effects and main samples other than the paper's.

    Parameters
    ----------
    rows : the curve, see :func:`distinct`.
    seed : of the synthetic panel and of the permutations.
    """
    specs = {one.id: one for one in chosen(study, source, seed, vcov)}
    curve = [specs[name] for name in rows["id"]]
    main = specifications.declared(study, *study.benchmark)
    left_out: dict[str, int] = {}
    tested = []
    for one in curve:
        reason = _untested(one, main, len(data))
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            tested.append(one)
    if not tested:
        raise DataError(f"study {study.key}: no specification of {grid(study).name} can be permuted")
    names = sorted({name for one in tested for name in (one.outcome, *one.controls)})
    used = pd.concat([replicate.select(data, sample)[[study.unit]] for sample in {one.sample for one in tested}])
    data = data.loc[data.index.isin(used.index)].dropna(subset=names).reset_index(drop=True)
    place: str | tuple[str, str] = ("city_i", "city_j") if "pairs" in study.features else describe.place(data)
    x = permutations.permuted(data, study.treatment, place, study.time, draws, seed)

    position = {one.id: i for i, one in enumerate(tested)}
    actual = pd.DataFrame(np.nan, index=range(len(tested)), columns=list(batch.STATISTICS))
    parts = []
    for group in sweep.groups(tested):
        found = list(group.specifications)
        first = found[0]
        part = replicate.select(data, first.sample)
        own = x[part.index.to_numpy()]
        if first.winsorise:
            words = {*re.findall(r"\w+", first.effects), *(n for s in found for n in (s.outcome, s.term, *s.controls))}
            part = replicate.winsorised(study, " ".join(sorted(words)), part, first.winsorise)
            if study.variable(first.term).kind == "number":
                own = own.clip(*np.quantile(own, [first.winsorise, 1 - first.winsorise], axis=0))
        equations = [batch.Equation(s.outcome, (s.term, *s.controls), replicate.errors(study, s.vcov)) for s in found]
        effects = first.effects.split(" + ") if first.effects else []
        at = [position[s.id] for s in found]
        actual.loc[at] = batch.estimate(part, equations, effects, first.singletons).to_numpy()
        parts.append((at, permutations.reestimate(part, equations, effects, own, first.singletons)))
    return Permutation(actual, permutations.stacked(parts), left_out, len(data))


def tested(test: Permutation) -> pd.DataFrame:
    """Return how many specifications the permutation test has, which it leaves out, and how many stand up to it."""
    found = {"specifications tested": len(test.actual)}
    found |= {f"left out: {reason}": number for reason, number in test.left_out.items()}
    found["rows at most"] = test.n_obs
    found["specifications with p < 0.05"] = int((test.actual["p"] < 0.05).sum())
    found["specifications with adjusted p < 0.05"] = int((permutations.adjusted(test.actual, test.draws) < 0.05).sum())
    return pd.DataFrame({"number": found})


def _untested(one: Specification, main: Specification, n_rows: int) -> str:
    """Return why the permutation test leaves a specification out; empty if it does not."""
    used, own = set(re.findall(r"\w+", one.sample)), set(re.findall(r"\w+", main.sample))
    if used & ROLLOUT - own:
        return "its sample says who got a zone"
    if n_rows > MANY and one.winsorise:
        return "winsorised, in a large panel"
    if n_rows > MANY and (one.effects != main.effects or main.sample not in one.sample):
        return "effects or pairs are not the paper's, in a large panel"
    return ""
