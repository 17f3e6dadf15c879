"""From a declared column to its estimate: the one place where declarations meet estimators."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd

from pilotzones.declare import Column, EventStudy, Study, SystemGMM
from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.dynamic_panel import DynamicPanel, gmm
from pilotzones.estimators.event_study import event_study as estimate_event_study
from pilotzones.estimators.hausman import hausman
from pilotzones.estimators.instruments import Identification
from pilotzones.estimators.instruments import identification as estimate_identification
from pilotzones.estimators.matching import Matching, match
from pilotzones.estimators.placebo import Placebo
from pilotzones.estimators.placebo import placebo as estimate_placebo
from pilotzones.estimators.regression import CONSTANT, Regression, regress


def lacking(study: Study, data: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Tell what the declared columns and figures lack in a panel: variables without a single value, or all rows.

    Returns
    -------
    Table and column, or figure and nothing -> what is lacking, in words; those that lack nothing are left out.
    """
    empty = {name for name in data if data[name].isna().all()}
    entries = {(t.id, c.id): (f"{c.formula} {c.matching}", c.sample) for t in study.tables for c in t.columns}
    entries |= {(f.id, ""): (f.formula, f.sample) for f in study.figures}
    found = {}
    for place, (formula, sample) in entries.items():
        words = re.findall(r"\w+", study.expand(formula, event=""))
        if names := [name for name in dict.fromkeys(words) if name in empty]:
            found[place] = f"no value of {', '.join(names)}"
        elif sample and select(data, sample).empty:
            found[place] = f"no row with {sample}"
    return found


def estimable(study: Study, data: pd.DataFrame) -> Study:
    """Return the study as far as a panel allows, without what lacks its data: exports may be incomplete.

    Raises
    ------
    DataError
        If the paper's main column is among it.
    """
    gone = lacking(study, data)
    if study.benchmark in gone:
        table, number = study.benchmark
        raise DataError(f"study {study.key}: the main column, {table} ({number}), cannot be had: {gone[table, number]}")
    empty = {name for name in data if data[name].isna().all()}
    tables = (replace(t, columns=tuple(c for c in t.columns if (t.id, c.id) not in gone)) for t in study.tables)
    return replace(
        study,
        tables=tuple(table for table in tables if table.columns),
        figures=tuple(figure for figure in study.figures if (figure.id, "") not in gone),
        dynamics=tuple(d for d in study.dynamics if not empty & {d.outcome, *d.regressors, *d.instruments}),
        mediators=tuple(pair for pair in study.mediators if not empty & {*pair}),
        factors={name: factor for name, factor in study.factors.items() if not empty & {name, factor}},
        inconsistencies=tuple(p for p in study.inconsistencies if (p.table, p.column) not in gone),
    )


def errors(study: Study, vcov: str) -> str:
    """Translate a ``vcov`` parameter into the estimator's word for it.

    Parameters
    ----------
    vcov : ``"published"`` (the paper's convention), ``"iid"``, ``"hetero"`` or a key of ``study.clusters``.

    Raises
    ------
    ParameterError
        If the study has no such standard errors.
    """
    name = study.published_vcov if vcov == "published" else vcov
    if name in ("iid", "hetero"):
        return name
    if name in study.clusters:
        return f"{'dyadic' if name == 'dyadic' else 'cluster'}:{study.clusters[name]}"
    allowed = ", ".join(["published", "iid", "hetero", *study.clusters])
    raise ParameterError(f"vcov = {vcov!r}: study {study.key} has {allowed}")


def column(
    study: Study, declared: Column, data: pd.DataFrame, vcov: str = "published", outcome: str = ""
) -> Regression:
    """Estimate one declared column on the study's panel.

    Parameters
    ----------
    data : the panel, as :func:`pilotzones.panel.load` returns it.
    vcov : see :func:`errors`; ``"published"`` means the column's own convention where it has one.
    outcome : replaces the column's dependent variable, e.g. by the true effect.
    """
    formula = study.expand(declared.formula)
    if outcome:
        formula = f"{outcome} ~ {formula.split('~', 1)[1].strip()}"
    rows = select(data, declared.sample)
    if declared.matching:
        rows = matched(study, declared, rows).sample(rows)
    if declared.winsorise:
        rows = winsorised(study, formula, rows, declared.winsorise)
    effects = f" | {study.unit} + {study.time}"
    dummies = study.constant == "first_year" and formula.endswith(effects)
    fit = regress(
        formula.replace(effects, f" + i({study.time}) | {study.unit}") if dummies else formula,
        rows,
        errors(study, declared.vcov if declared.vcov and vcov == "published" else vcov),
        unit=study.unit,
        singletons=declared.singletons or study.singletons,
        constant=bool(study.constant),
    )
    if not (dummies or (study.constant and "Intercept" in fit.coefficients.index)):
        return fit
    # the dummies of the years go, and the constant has one name, with fixed effects and without
    names = [str(term) for term in fit.coefficients.index if not str(term).startswith(f"{study.time}::")]
    return fit.showing({CONSTANT if name == "Intercept" else name: name for name in names})


def winsorised(study: Study, formula: str, data: pd.DataFrame, share: float) -> pd.DataFrame:
    """Draw in the continuous variables of a formula to their quantiles ``share`` and ``1 - share``.

    Quantiles are those of the rows the regression can use.
    """
    words = set(re.findall(r"\w+", formula))
    used = data.dropna(subset=[name for name in data if name in words])
    continuous = [v.name for v in study.variables if v.name in words and v.kind == "number" and v.unit]
    low, high = used[continuous].quantile(share), used[continuous].quantile(1 - share)
    return data.assign(**data[continuous].clip(low, high, axis=1))


def error_names(study: Study) -> list[str]:
    """Return the ``vcov`` values that differ: a study of cities clusters by unit and by city alike."""
    return ["iid", "hetero", *{errors(study, name): name for name in study.clusters}.values()]


def benchmark(study: Study, data: pd.DataFrame, vcov: str = "published") -> Regression:
    """Estimate the paper's main column."""
    table, declared = study.benchmark
    return column(study, study.table(table).column(declared), data, vcov)


def benchmark_sample(study: Study, data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the paper's main column is about."""
    table, declared = study.benchmark
    return select(data, study.table(table).column(declared).sample)


def event_study(study: Study, figure: EventStudy, data: pd.DataFrame, vcov: str = "published") -> Regression:
    """Estimate a declared event-study figure; the coefficients are indexed by event time in years."""
    return estimate_event_study(
        study.expand(figure.formula, event="{event}"),
        select(data, figure.sample),
        leads=figure.leads,
        lags=figure.lags,
        base=figure.base,
        beyond=figure.beyond,
        vcov=errors(study, vcov),
        unit=study.unit,
        singletons=study.singletons,
    )


def matched(study: Study, declared: Column, data: pd.DataFrame, **choices: Any) -> Matching:
    """Draw the matched sample of a column: by default the nearest control, with replacement, as Stata's psmatch2 does.

    Parameters
    ----------
    choices : what the paper leaves open, see :func:`pilotzones.estimators.matching.match`.
    """
    return match(declared.matching, data, identity=[study.unit, study.time], **choices)


def identification(study: Study, declared: Column, data: pd.DataFrame, vcov: str = "published") -> Identification:
    """Estimate both stages of an instrumented column and test its instruments."""
    return estimate_identification(
        study.expand(declared.formula),
        select(data, declared.sample),
        errors(study, vcov),
        singletons=declared.singletons or study.singletons,
    )


def dynamic(study: Study, declared: SystemGMM, data: pd.DataFrame, **choices: Any) -> DynamicPanel:
    """Estimate a declared column with a lagged outcome by two-step system GMM, with collapsed instruments.

    Parameters
    ----------
    choices : what the paper leaves open, see :func:`pilotzones.estimators.dynamic_panel.gmm`.
    """
    own = {"regressors": declared.regressors, "instruments": declared.instruments, "exogenous": declared.exogenous}
    return gmm(data, declared.outcome, unit=study.unit, time=study.time, **{**own, **choices})


def fixed_or_random(study: Study, data: pd.DataFrame) -> pd.DataFrame:
    """Test fixed against random effects in the benchmark column, by Hausman's test and in Mundlak's form (rows).

    Mundlak's regression is clustered by province, where the treatment is decided, if the study knows it.
    """
    table, declared = study.benchmark
    column = study.table(table).column(declared)
    return hausman(
        study.expand(column.formula),
        select(data, column.sample),
        unit=study.unit,
        time=study.time,
        cluster=study.clusters.get("cluster_province"),
    )


def cohort_sizes(panel: pd.DataFrame) -> dict[int, int]:
    """Return the number of treated cities by the year in which they start."""
    starts = panel.loc[panel["cohort"].notna()].drop_duplicates("city")["cohort"].astype(int)
    return dict(sorted(starts.value_counts().items()))


def placebo(
    study: Study,
    data: pd.DataFrame,
    draws: int,
    seed: int,
    vcov: str = "published",
    sizes: dict[int, int] | None = None,
    anywhere: bool = False,
) -> Placebo:
    """Re-estimate the benchmark with fake zones in never-treated cities.

    Parameters
    ----------
    sizes : fake cities by start year; by default as many as the data have real ones.
    anywhere : draw truly treated cities, too, as if nobody knew them.
    """
    sizes = sizes or cohort_sizes(data)
    if anywhere:
        data = data.assign(**{study.treatment: 0})
    table, column = study.benchmark
    return estimate_placebo(
        study.expand(study.table(table).column(column).formula),
        data,
        treatment=study.treatment,
        city="city",
        time=study.time,
        sizes=sizes,
        draws=draws,
        seed=seed,
        vcov=errors(study, vcov),
    )


def select(data: pd.DataFrame, sample: str) -> pd.DataFrame:
    """Return the rows of a declared sample.

    Raises
    ------
    DeclarationError
        If the sample's condition names a column that the panel lacks or cannot be read.
    """
    if not sample:
        return data
    try:
        return data.query(sample)
    except Exception as problem:
        raise DeclarationError(f"sample '{sample}' cannot be applied to the panel: {problem}") from None


def printed_r2(study: Study, declared: Column, fit: Regression) -> float:
    """Return the R2 that the paper prints: overall without fixed effects, else the study's convention."""
    if "|" not in declared.formula or (study.r2 == "overall" and not declared.instrumented):
        return fit.r2
    return fit.r2_within_unit if study.r2 == "within_unit" else fit.r2_within


def estimand(study: Study, declared: Column, data: pd.DataFrame) -> pd.Series:
    r"""Return what a column estimates when only the reform moves the outcome.

    The same regression is run on the true effect :math:`\tau_{it} = E[y_{it}(1) - y_{it}(0)]` (zero for untreated
    rows) in place of the outcome. Least squares is linear in the outcome, so under parallel trends this is the
    expectation of the column's estimate: a weighted mean of the :math:`\tau_{it}`, with weights that can be negative.

    Parameters
    ----------
    data : synthetic panel with the column ``true_effect`` (units of the study's main outcome).

    Returns
    -------
    One value per regressor.
    """
    return column(study, declared, data, "iid", outcome="true_effect").coefficients["estimate"]
