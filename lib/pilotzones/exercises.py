"""The exercises of the book: what is right, which mistakes are typical, and a check that says which one was made.

The questions are in ``notebooks/exercises``, one file per section. The right answers are computed here, from the panel
that the student has, and mostly in another way than the notebook's own solution: they check each other. An answer is a
number (right within 1%, a count exactly), a name, or a series with a number per name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from html import escape
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import describe, geography, modern_did, panel, policy, published, replicate, space, studies
from pilotzones.declare import Column, Study
from pilotzones.errors import ParameterError
from pilotzones.estimators.instruments import identification
from pilotzones.estimators.mediation import mediation
from pilotzones.estimators.modern import estimate
from pilotzones.measures import composite, patents
from pilotzones.parameters import Exercises

PER_CENT = 0.01  # tolerance, relative
SYMBOLS = ["G06F 17/30", "G06F 17/50", "G06F 3/01", "H04L 9/00", "H04L 9/32"]
"""The symbols of the patent in exercise 02-1."""
CITIES = {"roads": [10, 12, 15, 40], "jobs": [5.0, 5.5, 6.0, 7.0], "waste": [30, 20, 10, 25]}
"""The four made-up cities of exercise 02-2."""
DRAWS = 199  # fake roll-outs of exercise 04-1
RADIUS = 150  # km, of the exercises on spillovers


@dataclass(frozen=True)
class Key:
    """What an exercise expects.

    Attributes
    ----------
    right : the answer: a number, a name, or a series of numbers by name.
    why : why it is right, a sentence or two.
    mistakes : diagnosis -> the answer that the mistake leads to.
    tolerance : relative; 0 for counts.
    """

    right: Any
    why: str
    mistakes: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = PER_CENT


@dataclass(frozen=True)
class Verdict:
    """What a check says: ``state`` is ``"right"``, ``"wrong"`` or ``"open"`` (not answered yet)."""

    number: str
    state: str
    text: str

    def __str__(self) -> str:
        words = {"right": "Right.", "wrong": "Wrong.", "open": "Not answered yet."}[self.state]
        return f"{self.number}: {words} {self.text}".rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'<p class="verdict {self.state}" role="status">{escape(str(self))}</p>'


def check(given: Exercises, number: str, answer: Any) -> Verdict:
    """Say whether an answer is right, and why.

    Parameters
    ----------
    given : the notebook's parameters; the right answer depends on study and seed.
    number : of the exercise, e.g. ``"03-1"``.
    answer : the student's; ``...`` means that there is none yet.

    Raises
    ------
    ParameterError
        If there is no such exercise.
    """
    if number not in KEYS:
        raise ParameterError(f"exercise {number!r}: expected one of {', '.join(KEYS)}")
    if answer is ...:
        return Verdict(number, "open", "Replace the three dots by your answer.")
    found = key(number, given.study, given.seed)
    values = {"": found.right, **found.mistakes}
    fitting = [said for said, value in values.items() if not _differs(answer, value, found.tolerance)]
    if fitting and isinstance(answer, Real):  # a mistake may lead close to the right number: the nearest is meant
        fitting.sort(key=lambda said: round(abs(float(answer - values[said])), 12))
    if not fitting:
        return Verdict(number, "wrong", _differs(answer, found.right, found.tolerance))
    return Verdict(number, "wrong", fitting[0]) if fitting[0] else Verdict(number, "right", found.why)


@cache
def key(number: str, study: str, seed: int) -> Key:
    """Return what an exercise expects on the synthetic panel of a study and a seed."""
    declared = studies.load(study)
    return KEYS[number](declared, panel.load(declared, seed=seed), seed)


def _differs(answer: Any, right: Any, tolerance: float) -> str:
    """Return how an answer differs from a value, in words; empty when it does not."""
    if isinstance(right, str):
        if not isinstance(answer, str):
            return f"A name is expected, in quotes; this is {_kind(answer)}."
        return "" if answer.strip().lower() == right.lower() else f"It is not {answer.strip()!r}."
    if isinstance(right, pd.Series):
        names = ", ".join(map(str, right.index))
        if not isinstance(answer, pd.Series):
            return f"A pandas Series is expected, indexed by {names}; this is {_kind(answer)}."
        if set(answer.index) != set(right.index):
            return f"The index should be {names}; it is {', '.join(map(str, answer.index))}."
        wrong = [str(name) for name in right.index if _differs(answer[name], right[name], tolerance)]
        return f"{len(wrong)} of {len(right)} values are not right: {', '.join(wrong)}." if wrong else ""
    if isinstance(answer, bool | np.bool_) or not isinstance(answer, Real):
        return f"A number is expected; this is {_kind(answer)}."
    number, value = float(answer), float(right)
    if not np.isfinite(number):
        return f"This is {number}: a missing or infinite value has gone into it."
    near = tolerance * abs(value) + 1e-9
    if abs(number - value) <= near:
        return ""
    if abs(number + value) <= near:
        return "The size is right and the sign is not: which group or year comes first in the difference?"
    if abs(number - 100 * value) <= 100 * near:
        return "This is in percent; the question asks for the plain number."
    return f"{number:.6g} is too {'large' if number > value else 'small'}."


def _kind(answer: Any) -> str:
    return f"of type {type(answer).__name__}"


# --- 01: data --------------------------------------------------------------------------------------------------------


def _treated_cities(study: Study, data: pd.DataFrame, seed: int) -> Key:
    starts = describe.cohorts(study, data)
    of_any_batch = data.loc[data["batch"] > 0, "city"].nunique()
    return Key(
        int(starts.notna().sum()),
        f"The study counts batches {', '.join(map(str, study.batches))}; their cities have a year in cohort.",
        {
            f"You counted rows, or {describe.plural(study.unit)}: many rows belong to one city.": int(
                data["cohort"].notna().sum()
            ),
            f"You counted {describe.plural(study.unit)}; many of them are in one city.": data.loc[
                data["cohort"].notna(), study.unit
            ].nunique(),
            "batch also names zones that this study does not count; their cities are controls here. Use "
            "cohort.": of_any_batch,
            "These are the cities that are never treated.": int(starts.isna().sum()),
        },
        0,
    )


def _rows_lost(study: Study, data: pd.DataFrame, seed: int) -> Key:
    rows = replicate.benchmark_sample(study, data)
    gaps = rows[study.regressors("controls")].isna()
    lost = int(gaps.any(axis=1).sum())
    return Key(
        lost,
        f"A row goes when one control or more is missing: {lost:,} of {len(rows):,}.",
        {
            "You added up the gaps of all controls: a row with two gaps goes only once.": int(gaps.sum().sum()),
            "This is the control with most gaps alone; rows with gaps elsewhere go too.": int(gaps.sum().max()),
            "These are the rows that stay.": len(rows) - lost,
            "These are the rows in which all controls are missing; one is enough.": int(gaps.all(axis=1).sum()),
        },
        0,
    )


def _normalised_difference(study: Study, data: pd.DataFrame, seed: int) -> Key:
    name, year = study.regressors("controls")[0], int(data["cohort"].min()) - 1
    table = describe.balance(data, [name], year).loc[name]
    every = describe.balance(data.assign(year=year), [name], year).loc[name]
    rows = data[data["year"] == year].dropna(subset=[name])
    one, zero = (rows.loc[rows["cohort"].notna() == ever, name] for ever in (True, False))
    gap = table["ever treated"] - table["never treated"]
    return Key(
        table["normalised difference"],
        f"The means of {name} in {year} differ by {gap:.3f}, and that is divided by the root of the mean variance.",
        {
            f"You used all years; the question is about {year}, before any zone.": every["normalised difference"],
            "This is the difference of the means, in the unit of the variable: divide by the standard deviation.": gap,
            "This is the t value, which grows with the sample: divide by the standard deviation, not by the "
            "standard error.": gap / np.sqrt(one.var() / len(one) + zero.var() / len(zero)),
            "You added the two variances; take their mean.": gap / np.sqrt(one.var() + zero.var()),
        },
    )


# --- 02: measurement -------------------------------------------------------------------------------------------------


def _width(study: Study, data: pd.DataFrame, seed: int) -> Key:
    groups = pd.Series([patents.main_group(symbol) for symbol in SYMBOLS])
    shares = groups.value_counts(normalize=True)
    subclasses = pd.Series([symbol[:4] for symbol in SYMBOLS]).value_counts(normalize=True)
    record = pd.DataFrame({"firm": [1], "year": [2020], "application": ["A"], "ipc": [";".join(SYMBOLS)]})
    return Key(
        float(patents.width(record).iloc[0]),
        f"Three main groups with shares {', '.join(f'{share:.1f}' for share in shares)}: one minus their squares.",
        {
            "This is the Herfindahl index, a concentration; width is one minus it.": float((shares**2).sum()),
            "You went down to the subclass only, the first four characters; the main group follows it.": 1
            - float((subclasses**2).sum()),
            "You took every symbol for a group of its own; some share a main group.": 1 - 1 / len(SYMBOLS),
            "This is breadth, the number of main groups.": groups.nunique(),
        },
    )


def _entropy_weights(study: Study, data: pd.DataFrame, seed: int) -> Key:
    indicators = pd.DataFrame(CITIES, dtype=float)
    scaled = composite.standardise(indicators, negative=["waste"])
    found = composite.entropy(scaled)
    flipped = composite.entropy(composite.standardise(indicators))
    return Key(
        found["weight"],
        f"The weight is largest for {found['weight'].idxmax()}, in which the cities are most unequal.",
        {
            "More waste is worse: scale it the other way round, (max - x) / (max - min).": flipped["weight"],
            "These are proportional to the entropy; a weight is proportional to one minus it.": found["entropy"]
            / found["entropy"].sum(),
            "This is one minus the entropy; divide by the sum, so that the weights sum to one.": found["divergence"],
            "You left out the scaling to 0 and 1 before taking shares.": composite.entropy(indicators)["weight"],
        },
    )


def _scale(study: Study, data: pd.DataFrame, seed: int) -> Key:
    t = replicate.benchmark(study, data).coefficients.at[study.treatment, "t"]
    return Key(
        t,
        f"Estimate and standard error both grow by 100; t = {t:.2f} stays, and so do p and R2.",
        {
            "The standard error grows by 100 as well.": 100 * t,
            "Only if the outcome stayed and the error grew.": t / 100,
        },
    )


# --- 03: baseline ----------------------------------------------------------------------------------------------------


def _two_by_two(study: Study, data: pd.DataFrame, seed: int) -> Key:
    def table(rows: pd.DataFrame, last: int = 2017) -> pd.DataFrame:
        wide = rows.pivot(index=study.unit, columns="year", values=study.outcome)[[2015, last]].dropna()
        group = np.where(rows.groupby(study.unit)["cohort"].first().reindex(wide.index) == 2016, "zone", "never")
        return wide.groupby(group).mean()

    kept = data[(data["cohort"] == 2016) | data["cohort"].isna()]
    means = table(kept)
    change = means[2017] - means[2015]
    everyone, late = table(data), table(kept, 2016)
    return Key(
        change["zone"] - change["never"],
        f"Zone cities changed by {change['zone']:.4f}, never-treated ones by {change['never']:.4f}.",
        {
            "This is the change in the treated group alone: what would have happened anyway is still in it.": change[
                "zone"
            ],
            "This is the gap in 2017 alone: the gap that was there before is still in it.": means.at["zone", 2017]
            - means.at["never", 2017],
            "Your controls include cities of other cohorts, some of which are treated in these years.": (
                everyone.at["zone", 2017]
                - everyone.at["zone", 2015]
                - everyone.at["never", 2017]
                + everyone.at["never", 2015]
            ),
            "You compared with 2016; the question asks for 2017.": late.at["zone", 2016]
            - late.at["zone", 2015]
            - late.at["never", 2016]
            + late.at["never", 2015],
        },
    )


def _benchmark_column(study: Study) -> Column:
    table, number = study.benchmark
    return study.table(table).column(number)


def _residual_slope(study: Study, data: pd.DataFrame, seed: int) -> Key:
    fit = replicate.benchmark(study, data)
    beta = fit.coefficients.at[study.treatment, "estimate"]
    used = data.loc[fit.residuals().index]
    raw = np.cov(used[study.treatment], used[study.outcome])
    return Key(
        beta,
        f"Frisch, Waugh and Lovell: the slope between the two residuals is the benchmark's coefficient, {beta:.4f}.",
        {
            "This is the slope between the raw variables: nothing has been removed.": raw[0, 1] / raw[0, 0],
            "You regressed the treatment on the outcome: divide by the variance of the treatment's residual.": _reverse(
                fit, study, data
            ),
        },
    )


def _reverse(fit: Any, study: Study, data: pd.DataFrame) -> float:
    column = _benchmark_column(study)
    formula = f"{study.treatment} ~ {study.outcome} + {column.formula.partition('+')[2].strip()}"
    found = replicate.column(study, replace(column, formula=formula), data.loc[fit.residuals().index])
    return float(found.coefficients.at[study.outcome, "estimate"])


def _clustered(study: Study, data: pd.DataFrame, seed: int) -> Key:
    words = {
        "iid": "That is the iid error, as if every row were a draw of its own.",
        "hetero": "That is the robust error: it lets variances differ, but not errors be correlated.",
        "cluster_unit": f"That is clustered by {study.unit}; treatment is decided by the city, so cluster there.",
        "cluster_province": "That is clustered by province, more than the assignment asks for, with few clusters.",
    }
    fit = replicate.benchmark(study, data)
    ses = {
        name: fit.under(replicate.errors(study, name)).coefficients.at[study.treatment, "se"]
        for name in [*words, "cluster_city"]
        if name in ["iid", "hetero", *study.clusters]
    }
    return Key(
        ses["cluster_city"],
        f"The city gets the zone, so all rows of a city share its luck; iid would say {ses['iid']:.4f}.",
        {text: ses[name] for name, text in words.items() if name in ses},
    )


def _another_base(study: Study, data: pd.DataFrame, seed: int) -> Key:
    figure = replace(study.section_figures("03_baseline")[0], leads=-4, lags=5, beyond="bin")
    given, asked = (
        replicate.event_study(study, replace(figure, base=(base,)), data, "iid").coefficients["estimate"]
        for base in (-2, -1)
    )
    return Key(
        asked[2],
        f"A new base shifts all coefficients by the same number, that of the new base year: {given[-1]:.4f}.",
        {
            "This is the coefficient with base -2: subtract the one of year -1.": given[2],
            "You added the coefficient of year -1; it has to go.": given[2] + given[-1],
            "This is the next year's coefficient.": asked[3],
        },
    )


# --- 04: robustness --------------------------------------------------------------------------------------------------


def _placebo_p(study: Study, data: pd.DataFrame, seed: int) -> Key:
    fake = replicate.placebo(study, data, DRAWS, seed)
    t = replicate.benchmark(study, data).coefficients.at[study.treatment, "t"]
    values = fake.draws["t"]
    large = int((values.abs() >= abs(t)).sum())
    return Key(
        fake.p_value(t),
        f"{large} of {DRAWS} fake zones have a |t| as large; the real one counts as one more draw.",
        {
            "Without the one that stands for the real roll-out: (1 + count) / (1 + draws).": large / DRAWS,
            "That is the number of draws; divide.": large,
            "One-sided: count the draws with a large |t|, of either sign.": (1 + int((values >= t).sum()))
            / (1 + DRAWS),
            "This is p from the t table, which trusts the standard error.": replicate.benchmark(
                study, data
            ).coefficients.at[study.treatment, "p"],
        },
        1e-6,
    )


def _wald(study: Study, data: pd.DataFrame, seed: int) -> Key:
    column = _benchmark_column(study)
    instrument = next(iter(study.factors))
    outcome, _, right = study.expand(column.formula).partition("~")
    controls, _, effects = right.partition("|")
    others = " + ".join(term.strip() for term in controls.split("+") if term.strip() != study.treatment)
    found = identification(
        f"{outcome}~ {others} |{effects} | {study.treatment} ~ {instrument}", data, "iid", singletons=study.singletons
    )
    first = found.first_stage.coefficients.at[instrument, "estimate"]
    value = found.second_stage.coefficients.at[study.treatment, "estimate"]
    return Key(
        value,
        f"With one instrument, 2SLS is the reduced form ({value * first:.4g}) over the first stage ({first:.4g}).",
        {
            "Upside down: divide the effect on the outcome by the effect on the treatment.": 1 / value,
            "This is the reduced form alone: the effect of the instrument, not of the treatment.": value * first,
            "This is the first stage alone.": first,
            "This is least squares, the benchmark.": replicate.benchmark(study, data).coefficients.at[
                study.treatment, "estimate"
            ],
        },
    )


def _most_matched(study: Study, data: pd.DataFrame, seed: int) -> Key:
    used = data.loc[replicate.benchmark(study, data).residuals().index]
    treated = int(used[study.treatment].sum())
    ever = int(used["cohort"].notna().sum())
    matched = [(table.id, c.id) for table in study.tables for c in table.columns if c.matching]
    rows = published.columns(study.key).set_index(["table", "column"])["n_obs"]
    printed = "".join(f" The paper prints {rows[place]:,.0f} for {place[0]} ({place[1]})." for place in matched)
    return Key(
        2 * treated,
        f"{treated:,} treated rows, each with at most one control row of its own.{printed}",
        {
            "These are the treated rows; each brings one control along.": treated,
            f"You took all rows of cities that ever have a zone; {study.treatment} is matched.": 2 * ever,
            "You took all rows; those with a missing control cannot be matched on it.": 2
            * int(data[study.treatment].sum()),
            "That is the number of rows of the benchmark; most control rows are not matched.": len(used),
        },
        0,
    )


def _without_cohorts(study: Study, data: pd.DataFrame, seed: int) -> Key:
    full = replicate.benchmark(study, data).coefficients.at[study.treatment, "estimate"]
    moves = {
        year: replicate.benchmark(study, data[data["cohort"] != year]).coefficients.at[study.treatment, "estimate"]
        - full
        for year in replicate.cohort_sizes(data)
    }
    most, least = (pick(moves, key=lambda year: abs(moves[year])) for pick in (max, min))
    return Key(
        most,
        f"Without the cohort of {most} the estimate moves by {moves[most]:+.4f}.",
        {
            f"Without the cohort of {least} it moves least, by {moves[least]:+.4f}.": least,
            **{
                f"Without the cohort of {year} it moves by {move:+.4f}; there is a larger move.": year
                for year, move in moves.items()
                if year not in (most, least)
            },
        },
        0,
    )


# --- 05: heterogeneity -----------------------------------------------------------------------------------------------


def _difference_z(study: Study, data: pd.DataFrame, seed: int) -> Key:
    columns = study.section_tables("05_heterogeneity")[0].columns
    one, two = (replicate.column(study, columns[i], data).coefficients.loc[study.treatment] for i in (0, 2))
    gap = one["estimate"] - two["estimate"]
    z = gap / np.hypot(one["se"], two["se"])
    return Key(
        z,
        f"A difference of {gap:.4f} with standard error {np.hypot(one['se'], two['se']):.4f}: "
        f"{'significant' if abs(z) > 1.96 else 'not significant'} at 5%.",
        {
            "Standard errors do not add up, their squares do: take the root of the sum of squares.": gap
            / (one["se"] + two["se"]),
            "That is the difference of the t values; the question is about the difference of the effects.": one["t"]
            - two["t"],
            "That is the difference alone: divide by its standard error.": gap,
            "The variance of a difference of independent estimates is the sum of the variances, not their "
            "difference.": gap / np.sqrt(abs(one["se"] ** 2 - two["se"] ** 2)),
        },
    )


def _some_luck(study: Study, data: pd.DataFrame, seed: int) -> Key:
    m = sum(len(table.columns) for table in study.section_tables("05_heterogeneity"))
    chance = 1 - 0.95**m
    return Key(
        chance,
        f"All {m} stay insignificant with probability 0.95^{m} = {0.95**m:.3f}; else at least one is significant.",
        {
            "Adding probabilities counts the cases with two significant results twice.": 0.05 * m,
            "This is the chance that none is significant.": 0.95**m,
            "This is the chance that all are significant.": 0.05**m,
            "This is for exactly one; the question says at least one.": m * 0.05 * 0.95 ** (m - 1),
        },
    )


def _split_by_outcome(study: Study, data: pd.DataFrame, seed: int) -> Key:
    column = _benchmark_column(study)
    outcome = data[study.outcome]
    by_unit = data.groupby(study.unit)[study.outcome].transform("mean")
    pooled = replicate.benchmark(study, data).coefficients.at[study.treatment, "estimate"]

    def halves(by: pd.Series) -> list[float]:
        cut = by.median()
        return [
            replicate.column(study, column, data[kept]).coefficients.at[study.treatment, "estimate"]
            for kept in (by >= cut, by < cut)
        ]

    own, unit = halves(outcome), halves(by_unit)
    return Key(
        np.mean(own) / pooled,
        f"{own[0]:.4f} in the high half and {own[1]:.4f} in the low one, against {pooled:.4f} in all rows: the cut by "
        "the outcome removes the rows that the reform moved across it.",
        {
            "You cut by the unit's mean outcome; the question cuts row by row.": np.mean(unit) / pooled,
            "This is the high half alone.": own[0] / pooled,
            "This is the low half alone.": own[1] / pooled,
            "This is the mean of the halves; divide it by the estimate in all rows.": np.mean(own),
        },
    )


# --- 06: mechanisms --------------------------------------------------------------------------------------------------


def _steps(study: Study, data: pd.DataFrame, mediator: str, outcome: str) -> dict[str, pd.Series]:
    """Return the rows a, b, total and direct of two regressions on the same rows, clustered by city."""
    model = mediation(
        f"{outcome} ~{study.expand(_benchmark_column(study).formula).partition('~')[2]}",
        data,
        treatment=study.treatment,
        mediator=mediator,
        cluster="city",
        draws=100,
        seed=0,
        singletons=study.singletons,
    )
    return {
        "a": model.mediator.coefficients.loc[study.treatment],
        "b": model.outcome.coefficients.loc[mediator],
        "total": model.total.coefficients.loc[study.treatment],
        "direct": model.outcome.coefficients.loc[study.treatment],
    }


def _indirect(study: Study, data: pd.DataFrame, seed: int) -> Key:
    mediator, outcome = study.mediators[0]
    found = {name: row["estimate"] for name, row in _steps(study, data, mediator, outcome).items()}
    column = _benchmark_column(study)
    alone = replace(column, formula=column.formula.replace(study.treatment, mediator, 1))
    without = replicate.column(study, alone, data).coefficients.at[mediator, "estimate"]
    return Key(
        found["a"] * found["b"],
        f"a = {found['a']:.4g} times b = {found['b']:.4g}; the coefficient of the treatment falls by just that, from "
        f"{found['total']:.4f} to {found['direct']:.4f}, on the same rows.",
        {
            "You added a and b: they have different units, and only their product is in the outcome's.": found["a"]
            + found["b"],
            "b has to come from a regression with the treatment in it.": found["a"] * without,
            "This is the direct effect, what is left beside the mediator.": found["direct"],
            "This is a, the effect on the mediator.": found["a"],
            "This is b, the mediator's coefficient.": found["b"],
        },
    )


def _sobel(study: Study, data: pd.DataFrame, seed: int) -> Key:
    rows = _steps(study, data, *study.mediators[0])
    a, b = rows["a"], rows["b"]
    right = np.hypot(b["estimate"] * a["se"], a["estimate"] * b["se"])
    return Key(
        right,
        f"ab = {a['estimate'] * b['estimate']:.4g}, so its t is {a['estimate'] * b['estimate'] / right:.2f}.",
        {
            "This is the product of the two standard errors.": a["se"] * b["se"],
            "You crossed them: each standard error goes with the other step's coefficient.": np.hypot(
                a["estimate"] * a["se"], b["estimate"] * b["se"]
            ),
            "Squares add up, not the terms themselves.": abs(b["estimate"]) * a["se"] + abs(a["estimate"]) * b["se"],
            "This is the variance; take the root.": right**2,
        },
    )


def _largest_share(study: Study, data: pd.DataFrame, seed: int) -> Key:
    shares, ts = {}, {}
    for mediator in dict(study.mediators):
        outcome = next(outcome for name, outcome in study.mediators if name == mediator)
        rows = _steps(study, data, mediator, outcome)
        shares[mediator] = 1 - rows["direct"]["estimate"] / rows["total"]["estimate"]
        ts[mediator] = abs(rows["a"]["t"])
    largest, loudest = max(shares, key=lambda name: shares[name]), max(ts, key=lambda name: ts[name])
    return Key(
        largest,
        f"It carries {shares[largest]:.1%} of the total; a large share still needs b to be causal.",
        {
            f"The treatment moves {loudest} most clearly (t = {ts[loudest]:.1f}), but the share also needs b: it is "
            f"{shares[loudest]:.1%}.": loudest,
        }
        if loudest != largest
        else {},
    )


# --- 07: space -------------------------------------------------------------------------------------------------------


def _distance(study: Study, data: pd.DataFrame, seed: int) -> Key:
    places = policy.cities().set_index("adcode")[["lat", "lon"]]
    (lat1, lon1), (lat2, lon2) = places.loc[330100], places.loc[410100]
    right = float(geography.great_circle_km(lat1, lon1, lat2, lon2))
    a = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return Key(
        right,
        f"{right:.0f} km on the great circle; roads are longer.",
        {
            "A degree of longitude is shorter than one of latitude away from the equator: Pythagoras in degrees "
            "overstates the distance.": 111.195 * np.hypot(lat2 - lat1, lon2 - lon1),
            "sin and cos want radians: convert the degrees first.": 2 * 6371.0088 * np.arcsin(np.sqrt(a)),
            "You took the diameter of the earth for its radius.": 2 * right,
            "The 2 before the arcsine is missing.": right / 2,
        },
    )


def _near(data: pd.DataFrame, radius: int = RADIUS) -> pd.Series:
    return data[[f"zone_{s}" for s in range(50, radius + 1, 50)]].max(axis=1) == 1


def _clean_controls(study: Study, data: pd.DataFrame, seed: int) -> Key:
    treated = data[study.treatment] == 1
    samples = {
        "right": data[treated | ~_near(data)],
        "You dropped treated rows with a neighbour, too; only controls have to be clean.": data[~_near(data)],
        f"You went 50 km only; the question says {RADIUS}.": data[treated | ~_near(data, 50)],
        "This is the benchmark: nothing has been dropped.": data,
    }
    found = {
        label: replicate.benchmark(study, rows).coefficients.at[study.treatment, "estimate"]
        for label, rows in samples.items()
    }
    right = found.pop("right")
    dropped = len(data) - len(samples["right"])
    return Key(right, f"{dropped:,} control rows with a zone within {RADIUS} km are gone.", found)


def _spillover_to_zero(study: Study, data: pd.DataFrame, seed: int) -> Key:
    two = space.spillover_bias(study, data, (0.0, 0.02), RADIUS)["benchmark"].to_numpy()
    right = 0.02 * two[0] / (two[0] - two[1])
    return Key(
        right,
        f"Each 0.01 of spillover takes {(two[0] - two[1]) / 2:.4f} off the benchmark of {two[0]:.4f}; least squares is "
        "linear in the outcome.",
        {
            "This is the benchmark itself; not all controls are neighbours, so it takes more than that.": two[0],
            "This is what 0.02 takes off; how often does that go into the benchmark?": two[0] - two[1],
            "That many times 0.02: multiply.": right / 0.02,
            "You divided by the estimate with a spillover; divide by the change.": 0.02 * two[0] / two[1],
        },
    )


# --- 08: modern difference-in-differences ----------------------------------------------------------------------------


def _bacon_ratio(study: Study, data: pd.DataFrame, seed: int) -> Key:
    found = modern_did.bacon(modern_did.design(study, data)).comparisons
    weights = found[found["control"].isna()].set_index("treated")["weight"]
    starts = data.dropna(subset=[study.outcome]).groupby(study.unit)["cohort"].agg(["first", "size"])
    last = study.years[1]
    years = last - study.years[0] + 1
    n = starts.loc[starts["size"] == years, "first"].value_counts()
    share = {year: (last - year + 1) / years for year in (2016, 2018)}
    return Key(
        weights[2016] / weights[2018],
        f"Size times variance: {share[2016]:.2f} and {share[2018]:.2f} of the years are treated, and the variance "
        "D(1 - D) is largest at one half.",
        {
            "This is the ratio of the sizes; the variance of treatment is missing.": n[2016] / n[2018],
            "You took the share of treated years for its variance: D(1 - D), not D.": n[2016]
            * share[2016]
            / (n[2018] * share[2018]),
            "This is the other way round: 2018 over 2016.": weights[2018] / weights[2016],
        },
    )


def _without_forbidden(study: Study, data: pd.DataFrame, seed: int) -> Key:
    found = modern_did.bacon(modern_did.design(study, data))
    kept = found.comparisons[found.comparisons["type"] != "later_vs_earlier"]
    part = float((kept["estimate"] * kept["weight"]).sum())
    return Key(
        part / kept["weight"].sum(),
        f"{1 - kept['weight'].sum():.1%} of the weight was forbidden; with it the estimate is {found.estimate:.4f}.",
        {
            "The remaining weights have to sum to one again: divide by their sum.": part,
            "This is the estimate with the forbidden comparisons.": found.estimate,
            "This is the mean without weights.": float(kept["estimate"].mean()),
            "These are the comparisons with never-treated units alone; earlier against later treated is allowed, "
            "too.": found.by_type.at["treated_vs_never", "estimate"],
        },
    )


def _cohort_effect(study: Study, data: pd.DataFrame, seed: int) -> Key:
    design = modern_did.design(study, data)
    found = estimate("callaway_santanna", design.rows, **design.columns, cluster=design.cluster)
    effects = found.by_cohort_time
    assert effects is not None  # this method has them
    wide = data.pivot(index=study.unit, columns="year", values=study.outcome)
    cohort = data.groupby(study.unit)["cohort"].first()
    change = (wide[2019] - wide[2017]).groupby(cohort.fillna(0)).mean()
    early = (wide[2019] - wide[2016]).groupby(cohort.fillna(0)).mean()
    return Key(
        effects.at[(2018, 2019), "estimate"],
        "The long difference from the last year before the zone, against never-treated units in the same years: the "
        "cell that Callaway and Sant'Anna average.",
        {
            "This is the change of the treated alone.": change[2018],
            "The base is the last year before the zone, 2017.": early[2018] - early[0],
            "This is the effect in the first year, 2018.": effects.at[(2018, 2018), "estimate"],
            "Your controls include cohorts that are treated by then.": change[2018]
            - (wide[2019] - wide[2017])[cohort != 2018].mean(),
        },
    )


def _detectable(study: Study, data: pd.DataFrame, seed: int) -> Key:
    fit = replicate.benchmark(study, data)
    se, iid = (
        fit.under(replicate.errors(study, name)).coefficients.at[study.treatment, "se"]
        for name in ("cluster_city", "iid")
    )
    return Key(
        (1.96 + 0.84) * se,
        f"2.8 standard errors of {se:.4f}; the estimate is {fit.coefficients.at[study.treatment, 'estimate']:.4f}.",
        {
            "With 1.96 errors the power is one half: add the 0.84 that stand for 80%.": 1.96 * se,
            "This is with iid errors; cluster by city.": 2.8 * iid,
            "This is for a power of 90% (1.28).": (1.96 + 1.28) * se,
            "This is for a one-sided test; the question is two-sided.": (1.645 + 0.84) * se,
        },
    )


KEYS: dict[str, Callable[[Study, pd.DataFrame, int], Key]] = {
    "01-1": _treated_cities,
    "01-2": _rows_lost,
    "01-3": _normalised_difference,
    "02-1": _width,
    "02-2": _entropy_weights,
    "02-3": _scale,
    "03-1": _two_by_two,
    "03-2": _residual_slope,
    "03-3": _clustered,
    "03-4": _another_base,
    "04-1": _placebo_p,
    "04-2": _wald,
    "04-3": _most_matched,
    "04-4": _without_cohorts,
    "05-1": _difference_z,
    "05-2": _some_luck,
    "05-3": _split_by_outcome,
    "06-1": _indirect,
    "06-2": _sobel,
    "06-3": _largest_share,
    "07-1": _distance,
    "07-2": _clean_controls,
    "07-3": _spillover_to_zero,
    "08-1": _bacon_ratio,
    "08-2": _without_forbidden,
    "08-3": _cohort_effect,
    "08-4": _detectable,
}
"""All exercises: section and number -> what they expect."""
