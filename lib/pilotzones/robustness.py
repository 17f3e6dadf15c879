"""The checks of a robustness section, put into tables a reader can compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import discrepancy, indices, published, replicate
from pilotzones.declare import Column, Index, Study, SystemGMM, Table
from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators import matching
from pilotzones.estimators.dynamic_panel import DynamicPanel
from pilotzones.estimators.instruments import with_other_instruments
from pilotzones.estimators.matching import Matching
from pilotzones.estimators.placebo import Placebo
from pilotzones.estimators.regression import Regression, regress


def placebos(study: Study, panel: pd.DataFrame, draws: int, seed: int, vcov: str) -> dict[str, Placebo]:
    """Run the placebo in three ways, for papers seldom say which cities may be drawn and who is in the sample.

    Fake zones in never-treated cities, with the truly treated units among the controls and without them; and in any
    city, as if it were not known who was treated.
    """
    untreated = panel[panel["cohort"].isna()]
    sizes = replicate.cohort_sizes(panel)
    return {
        "all units": replicate.placebo(study, panel, draws, seed, vcov, sizes),
        "without the truly treated": replicate.placebo(study, untreated, draws, seed, vcov, sizes),
        "any city drawn": replicate.placebo(study, panel, draws, seed, vcov, sizes, anywhere=True),
    }


def placebo_summary(fake: dict[str, Placebo], benchmark: Regression, treatment: str) -> pd.DataFrame:
    """Return mean, standard deviation and tails of the fake t values, and the randomisation p value (one row each)."""
    t = benchmark.coefficients.at[treatment, "t"]
    rows = {}
    for label, placebo in fake.items():
        values = placebo.draws["t"]
        rows[label] = {
            "draws": len(values),
            "mean t": values.mean(),
            "sd of t": values.std(),
            "share |t| > 1.96": (values.abs() > 1.96).mean(),
            "randomisation p": placebo.p_value(t),
            "p from the t table": benchmark.coefficients.at[treatment, "p"],
        }
    return pd.DataFrame(rows).T.astype({"draws": int})


def instrumented(tables: Sequence[Table]) -> dict[str, Column]:
    """Return the two-stage least squares columns of some tables under their names, e.g. ``"T4 (2)"``."""
    return {f"{table.id} ({c.id})": c for table in tables for c in table.columns if c.instrumented}


def matching_column(tables: Sequence[Table]) -> Column | None:
    """Return the first column of some tables that runs on a matched sample, None without one."""
    return next((column for table in tables for column in table.columns if column.matching), None)


def strength(study: Study, column: Column, panel: pd.DataFrame) -> pd.DataFrame:
    """Return what instruments can say under each kind of standard error (rows).

    Returns
    -------
    The 2SLS estimate with its error, the Kleibergen-Paap F, and the Anderson-Rubin 95% set, which is valid however weak
    the instruments are. Where rows belong to two cities, F is the squared t of the one instrument in the first stage.
    """
    rows: dict[str, dict[str, object]] = {}
    plain = replicate.identification(study, column, panel, "iid")
    for name in replicate.error_names(study):
        errors = replicate.errors(study, name)
        if "+" in errors:
            second = plain.second_stage.under(errors).coefficients.loc[plain.endogenous]
            first = plain.first_stage.under(errors).coefficients.loc[[*plain.instruments], "t"]
            only = first.iloc[0] ** 2 if len(first) == 1 else np.nan
            rows[name] = {"2SLS": second["estimate"], "standard error": second["se"],
                          "first-stage F (Kleibergen-Paap)": only, "LIML": plain.liml}  # fmt: skip
            continue
        found = plain if name == "iid" else replicate.identification(study, column, panel, name)
        second = found.second_stage.coefficients.loc[found.endogenous]
        rows[name] = {
            "2SLS": second["estimate"],
            "standard error": second["se"],
            "first-stage F (Kleibergen-Paap)": found.tests.at["Kleibergen-Paap F", "statistic"],
            "LIML": found.liml,
            "Anderson-Rubin 95% set": str(found.anderson_rubin),
        }
    return pd.DataFrame(rows).T


def placebo_instruments(
    study: Study, column: Column, panel: pd.DataFrame, draws: int, seed: int, vcov: str
) -> dict[tuple[str, str], pd.DataFrame]:
    """Instruments that are noise: every city gets the factor of another city, drawn by lot.

    An instrument such as night lights x post is a product. Here one factor is exchanged among cities, all instruments
    of a draw alike, and multiplied with the other factor as before. What such an instrument finds, the other factor has
    found: if that is the treatment itself, the first stage is strong whatever the cities' values are, and 2SLS gives
    back least squares. For comparison the product with a series that is the same for all cities in a year, or, where
    the paper's other factor already is one, with the treatment.

    Parameters
    ----------
    column : a two-stage least squares column whose instruments are all among ``study.factors``.

    Returns
    -------
    By other factor and ``vcov`` (iid, the one asked for, and clustered by city), one row per draw: ``F``, ``estimate``,
    ``se``, ``t``.

    Raises
    ------
    DataError
        If a factor is zero in a row, so that the other one cannot be told.
    """
    formula = study.expand(column.formula)
    names = [name.strip() for name in formula.rpartition("~")[2].split("+")]
    factors = [study.factors[name] for name in names]
    rows = replicate.select(panel, column.sample)
    for factor in factors:
        if (rows[factor] == 0).any():
            row = (rows[factor] == 0).idxmax()
            raise DataError(f"placebo instruments: '{factor}' is 0 in row {row}; expected no zeros to divide by")
    place = ["city", study.time]
    by_place = rows.dropna(subset=names).groupby(place)[[*names, *factors, study.treatment]].first()
    treated, year = by_place[study.treatment].astype(float), by_place.index.get_level_values(study.time)
    own = by_place[names[0]] / by_place[factors[0]]
    rests = {"the paper's factor": own}
    if own.groupby(level=study.time).std().max() > 1e-9:
        rests["a national series"] = treated.groupby(level=study.time).transform("mean")
    if not np.allclose(own, treated):
        rests["the treatment itself"] = treated

    # by city and year; a city takes over its own value for years in which it has no row
    table = {factor: by_place[factor].unstack().ffill(axis=1).bfill(axis=1) for factor in factors}
    cities = table[factors[0]].index
    of_city = cities.get_indexer(by_place.index.get_level_values("city"))
    of_year = table[factors[0]].columns.get_indexer(year)
    cells = pd.Series(by_place.index.get_indexer(pd.MultiIndex.from_frame(rows[place])), rows.index)
    rng = np.random.default_rng(seed)
    lots = [rng.permutation(len(cities)) for _ in range(draws)]
    kinds = list(dict.fromkeys(["iid", replicate.errors(study, vcov), "cluster:city"]))
    found: dict[tuple[str, str], pd.DataFrame] = {}
    for label, rest in rests.items():
        others = [
            pd.DataFrame({factor: rest.to_numpy() * values.to_numpy()[lot[of_city], of_year]
                          for factor, values in table.items()})
            for lot in lots
        ]  # fmt: skip
        tables = with_other_instruments(
            formula, rows, cells, others, kinds, singletons=column.singletons or study.singletons
        )
        found |= {(label, kind): drawn for kind, drawn in tables.items()}
    return found


def placebo_instruments_summary(fake: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Summarise the draws of :func:`placebo_instruments`: one row per other factor and kind of error."""
    rows = {
        label: {
            "draws": len(table),
            "median F": table["F"].median(),
            "share F > 10": (table["F"] > 10).mean(),
            "median 2SLS estimate": table["estimate"].median(),
            "share |t| > 1.96": (table["t"].abs() > 1.96).mean(),
        }
        for label, table in fake.items()
    }
    index = pd.Index([f"{rest}, {kind}" for rest, kind in rows], name="other factor, errors")
    return pd.DataFrame(rows.values(), index=index).astype({"draws": int})


def dynamics(fits: Mapping[str, DynamicPanel]) -> pd.DataFrame:
    """Return estimate, standard error and p of every regressor (rows) but the effects of periods, by column."""
    shown = {name: fit.coefficients.filter(regex=r"^(?!\w+_\d{4}$)", axis=0) for name, fit in fits.items()}
    return pd.concat({name: table[["estimate", "se", "p"]] for name, table in shown.items()}, axis=1, sort=False)


def dynamics_tests(fits: Mapping[str, DynamicPanel]) -> pd.DataFrame:
    """Return p of every test, and the number of instruments, units and observations (rows), by column."""
    columns = {}
    for name, fit in fits.items():
        counts = {"instruments": fit.n_instruments, "units": fit.n_units, "observations": fit.n_obs}
        columns[name] = pd.concat([fit.tests["p"].add_suffix(", p"), pd.Series(counts)])
    return pd.DataFrame(columns).rename_axis("test")


def instrument_counts(study: Study, declared: SystemGMM, panel: pd.DataFrame) -> pd.DataFrame:
    """Estimate a dynamic column by least squares, fixed effects, and GMM with few and with many instruments (rows).

    Returns
    -------
    Estimate and error of the lagged outcome and of the first regressor, instruments, and p of Hansen's test.
    """
    own = declared.regressors[0]
    key = panel.set_index([study.unit, study.time])[declared.outcome]
    before = pd.MultiIndex.from_arrays([panel[study.unit], panel[study.time] - 1])
    lagged = panel.assign(lagged=key.reindex(before).to_numpy())
    right = f"{declared.outcome} ~ lagged + {' + '.join(declared.regressors)}"
    errors = f"cluster:{study.unit}"
    rows = {}
    for label, effects in (("least squares", study.time), ("fixed effects", f"{study.unit} + {study.time}")):
        fit = regress(f"{right} | {effects}", lagged, errors)
        rows[label] = {"lag": fit.coefficients.loc["lagged"], own: fit.coefficients.loc[own]}
    lost = fit.dropped  # straight lines of a unit, such as its age, have no differences beside those of the years
    last = int(panel[study.time].max() - panel[study.time].min())
    choices: dict[str, dict[str, Any]] = {
        "difference GMM, lags as declared": {
            "system": False,
            "regressors": [name for name in declared.regressors if name not in lost],
            "exogenous": [name for name in declared.exogenous if name not in lost],
        },
        "system GMM, second lag only": {"instruments": dict.fromkeys(declared.instruments, (2, 2))},
        "system GMM, as declared": {},
        "system GMM, all lags": {"instruments": dict.fromkeys(declared.instruments, (2, last))},
        "system GMM, all lags, not collapsed": {
            "instruments": dict.fromkeys(declared.instruments, (2, last)), "collapse": False,
        },
    }  # fmt: skip
    for label, chosen in choices.items():
        moments = replicate.dynamic(study, declared, panel, **chosen)
        found, hansen = moments.coefficients, moments.tests.at["Hansen", "p"]
        lag = found.loc[f"L1.{declared.outcome}"]
        rows[label] = {"lag": lag, own: found.loc[own], "n": moments.n_instruments, "hansen": hansen}
    return pd.DataFrame(
        {
            label: {
                "lag": row["lag"]["estimate"],
                "its se": row["lag"]["se"],
                own: row[own]["estimate"],
                "its se ": row[own]["se"],
                "instruments": row.get("n", np.nan),
                "Hansen, p": row.get("hansen", np.nan),
            }
            for label, row in rows.items()
        }
    ).T.astype({"instruments": "Int64"})


def policy_overlap(study: Study, panel: pd.DataFrame) -> pd.DataFrame:
    """Show how far the concurrent policies (block ``policies``) reach the same cities at the same time.

    Returns
    -------
    One row per policy: the treated and the other cities that it reached, the treated ones that it reached before, in
    the same year as, or after their zone, and its correlation with the treatment over rows: plain, and ``within``, when
    controls and effects of the benchmark are removed from both. The latter is what moves an estimate.
    """
    table, number = study.benchmark
    right = study.expand(study.table(table).column(number).formula).partition("~")[2]
    right = right.replace(f" {study.treatment} +", "", 1)
    starts = panel.groupby("city")["cohort"].first()
    used = panel.loc[replicate.benchmark(study, panel, "iid").residuals().index]
    own = regress(f"{study.treatment} ~{right}", used).residuals()
    rows = {}
    for name in study.regressors("policies"):
        begins = panel[panel[name] == 1].groupby("city")[study.time].min().reindex(starts.index)
        both = begins.notna() & starts.notna()
        rows[name] = {
            "policy": study.variable(name).label,
            "treated cities": int(both.sum()),
            "other cities": int((begins.notna() & starts.isna()).sum()),
            "before the zone": int((begins < starts)[both].sum()),
            "same year": int((begins == starts)[both].sum()),
            "after": int((begins > starts)[both].sum()),
            "correlation": used[name].corr(used[study.treatment]),
            "within": regress(f"{name} ~{right}", used).residuals().corr(own),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def policy_estimates(study: Study, panel: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Estimate the benchmark with no other policy, with each alone and with all (rows).

    Returns
    -------
    ``estimate`` and ``se`` of the treatment, its ``t``, and the estimate of each policy that is in the regression.
    """
    names = study.regressors("policies")
    table, number = study.benchmark
    column = study.table(table).column(number)
    choices = {"none": [], **{name: [name] for name in names}, "all": names}
    rows = {}
    for label, chosen in choices.items():
        formula = column.formula.replace("~ ", "~ " + "".join(f"{name} + " for name in chosen), 1)
        found = replicate.column(study, replace(column, formula=formula), panel, vcov).coefficients
        policies = {f"{name} itself": found.at[name, "estimate"] if name in chosen else np.nan for name in names}
        rows[label] = {**found.loc[study.treatment, ["estimate", "se", "t"]], **policies}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("other policies")


def winsorising(study: Study, index: Index, panel: pd.DataFrame, vcov: str, shares: Sequence[float]) -> pd.DataFrame:
    """Estimate the benchmark after winsorising in three places: the index, all variables, the index's raw indicators.

    Winsorised indicators have other extremes and other weights, so the whole index is built anew. Its scale is another
    one: compare the estimates in standard deviations.

    Parameters
    ----------
    shares : of the rows that are drawn in to the quantile, at either end; 0 for none.

    Returns
    -------
    By what was winsorised, first level of the columns, and by share (rows): ``estimate``, ``in sd`` of the outcome, and
    ``t``.
    """
    table, number = study.benchmark
    column = study.table(table).column(number)
    columns = [*index.indicators]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for share in shares:
        raw = panel[columns].clip(panel[columns].quantile(share), panel[columns].quantile(1 - share), axis=1)
        used = panel.loc[replicate.benchmark(study, panel, "iid").residuals().index, index.name]
        bounds = used.quantile(share), used.quantile(1 - share)
        panels = {
            "the index": (panel.assign(**{index.name: panel[index.name].clip(*bounds)}), 0.0),
            "all variables of the regression": (panel, share),
            "the raw indicators": (panel.assign(**{index.name: indices.values(index, panel.assign(**raw))}), 0.0),
        }
        for label, (data, winsorise) in panels.items():
            fit = replicate.column(study, replace(column, winsorise=winsorise), data, vcov)
            own = fit.coefficients.loc[study.treatment]
            outcome = data[index.name].clip(*bounds) if winsorise else data[index.name]
            values = {"estimate": own["estimate"], "in sd": own["estimate"] / outcome.std(), "t": own["t"]}
            for name, value in values.items():
                found.setdefault((label, name), {})[f"{share:.1%}"] = value
    return pd.DataFrame(found)


def balance(column: Column, panel: pd.DataFrame, pairs: Matching) -> pd.DataFrame:
    """Return means, standardised differences and tests of the matching variables, before and after (rows)."""
    names = column.matching.partition("~")[2].replace("+", " ").split()
    table = matching.balance(panel, names, pairs)
    return table.set_axis([f"{variable}, {sample}" for variable, sample in table.index], axis=0)


def matching_choices(study: Study, table: Table, column: Column, panel: pd.DataFrame) -> pd.DataFrame:
    """Return a matched column's estimate, its iid error and its rows under each choice the paper leaves open."""
    rows = {}
    for choices, fit in discrepancy.fits(study, table, column, panel):
        found = fit.coefficients.loc[study.treatment, ["estimate", "se"]]
        rows[choices["sample"]] = {**found, "observations": fit.n_obs}
    return pd.DataFrame(rows).T.astype({"observations": int})


def closest_readings(study: Study, tables: Sequence[Table], panel: pd.DataFrame, n: int = 3) -> pd.DataFrame:
    """Return the ``n`` readings closest to each printed number of some tables that contradicts the paper."""
    found = []
    ids = {table.id: table for table in tables}
    for problem in study.inconsistencies:
        if problem.table not in ids or problem.statistic == "stat" or not problem.column:
            continue
        estimates = published.estimates(study.key).query("table == @problem.table and column == @problem.column")
        if ids[problem.table].column(problem.column).matching:
            continue  # its choices are listed beside the matching
        for term in [problem.term] if problem.term else list(estimates["term"]):
            for statistic in _statistics(problem.statistic):
                try:
                    readings = discrepancy.readings(study, problem.table, problem.column, panel, statistic, term)
                except ParameterError:
                    continue
                cell = (
                    f"{problem.table} ({problem.column}) {term if statistic in ('estimate', 'se') else ''} {statistic}"
                )
                found.append(readings.head(n).assign(cell=" ".join(cell.split())))
            if problem.statistic in ("n_obs", "r2"):
                break  # the same for every regressor
    if not found:
        return pd.DataFrame(columns=["printed", "value"])
    return pd.concat(found).set_index("cell").drop(columns="distance").fillna("")


def _statistics(statistic: str) -> Sequence[str]:
    if statistic == "estimate":
        return ("se",)  # a printed estimate contradicts others by its t value
    return (statistic,) if statistic else discrepancy.STATISTICS
