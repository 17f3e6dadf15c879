"""What lies one level below a panel, records or raw indicators, and what the measures make of it.

A study whose indices are computed from records has a module ``records.py`` in its folder, with

- ``TABLES`` : the names of its tables of records;
- ``INDICES`` : measure -> the panel's column that it gives;
- ``OUTCOMES`` : measure -> the variable of the study's tables made from that column;
- ``generate(panel, seed, firms)`` : the tables by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pandas as pd

from pilotzones import describe, indices, ledger, policy, published, replicate
from pilotzones.declare import Index, Study
from pilotzones.errors import DataError
from pilotzones.measures import composite, patents


def module(study: Study) -> ModuleType | None:
    """Return the study's ``records.py``; None when its panel is not computed from records."""
    name = f"pilotzones.studies.{study.key}.records"
    return import_module(name) if find_spec(name) else None


def draw(study: Study, panel: pd.DataFrame, source: str, seed: int, firms: int) -> dict[str, pd.DataFrame]:
    """Return the study's tables of records by name: drawn, or those among the user's exports.

    Parameters
    ----------
    seed, firms : of records that are drawn; of no use to those that are there.

    Returns
    -------
    No table when the study has no such records; of licensed data, only the tables that the user has.

    Raises
    ------
    ParameterError
        If a synthetic panel has fewer firms.
    DataError
        If no records can be behind the panel, or the exports cannot be read.
    """
    records = module(study)
    if records is None:
        return {}
    if source == "licensed":
        return exported(study)
    tables: dict[str, pd.DataFrame] = records.generate(panel, seed, firms)
    return tables


def exported(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables of records among the user's exports; of those that are of use together only, all or none."""
    from pilotzones import licensed  # reading exports takes libraries that synthetic pages do without

    records = module(study)
    found = licensed.records(study)
    for group in records.TOGETHER if records else ():
        if not set(group) <= found.keys():
            found = {name: table for name, table in found.items() if name not in group}
    return found


def against_panel(panel: pd.DataFrame, measures: Mapping[str, tuple[pd.Series, str]]) -> pd.DataFrame:
    """Compare measured values with the columns of the panel.

    Parameters
    ----------
    measures : label -> measured values, indexed by columns of the panel (e.g. city and year), and the panel's column.

    Returns
    -------
    One row per measure: the panel's rows that have both, the rows whose value was not measured, the greatest
    difference in absolute value (unit of the column), and the column's standard deviation to judge it by.

    Raises
    ------
    DataError
        If no row has both.
    """
    rows = {}
    for label, (values, column) in measures.items():
        keys = pd.MultiIndex.from_frame(panel[[*values.index.names]])
        known = panel[column].notna().to_numpy()
        found = values.reindex(keys).to_numpy(float)
        both = known & ~np.isnan(found)
        if not both.any():
            raise DataError(f"{label}: no row of the panel has both '{column}' and a measured value")
        apart = np.abs(found - panel[column].to_numpy(float))[both]
        rows[label] = {
            "column": column,
            "rows compared": int(both.sum()),
            "without record": int((known & ~both).sum()),
            "greatest difference": f"{apart.max():.1e}" if apart.max() else "0",
            "sd": panel.loc[both, column].std(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def effects(
    study: Study, panel: pd.DataFrame, outcomes: Mapping[str, pd.Series], vcov: str, sample: str = ""
) -> pd.DataFrame:
    """Estimate the study's benchmark column with other outcomes.

    Parameters
    ----------
    outcomes : label -> outcome, aligned with the panel; rows where it is missing are left out.
    sample : rows kept, as a pandas query; by default those of the benchmark.

    Returns
    -------
    One row per outcome: ``estimate``, ``se``, ``low``, ``high`` of the treatment, and ``rows``.
    """
    table, number = study.benchmark
    column = study.table(table).column(number)
    if sample:
        column = replace(column, sample=sample)
    rows = {}
    for label, values in outcomes.items():
        fit = replicate.column(study, column, panel.assign(_outcome=values), vcov, outcome="_outcome")
        found = fit.coefficients.loc[study.treatment, ["estimate", "se", "low", "high"]]
        rows[label] = {**found, "rows": fit.n_obs}
    return pd.DataFrame.from_dict(rows, orient="index")


def transformations(
    study: Study, panel: pd.DataFrame, counts: pd.Series, units: Sequence[float], vcov: str
) -> pd.DataFrame:
    r"""Estimate the benchmark on one count under each transformation and unit of measurement.

    Parameters
    ----------
    counts : aligned with the panel, at least 0.
    units : by which the count is multiplied, 1 first.

    Returns
    -------
    Indexed by transformation and unit: as :func:`effects`, and ``predicted``: the estimate in the first unit plus
    :math:`\ln a` times the effect on whether the count is positive, which is what Chen and Roth (2024) show a change
    of the unit by the factor :math:`a` to do when counts are large.
    """
    tried = [(kind, unit) for kind in patents.TRANSFORMATIONS for unit in units]
    outcomes = {f"{kind}|{unit:g}": patents.transform(counts, kind, unit) for kind, unit in tried}
    table = effects(study, panel, outcomes, vcov)
    table.index = pd.MultiIndex.from_tuples(tried, names=["transformation", "unit"])
    margin = effects(study, panel, {"any": (counts > 0).astype(float)}, vcov).at["any", "estimate"]
    first = table["estimate"].groupby(level="transformation").transform("first")
    unit = table.index.get_level_values("unit").to_numpy(float)
    moves = table.index.get_level_values("transformation") != "log of positives"
    table["predicted"] = first + np.where(moves, np.log(unit / unit[0]) * margin, 0.0)
    return table


def used_in(study: Study, panel: pd.DataFrame, names: Sequence[str], vcov: str) -> pd.DataFrame:
    """Estimate the columns whose outcome is one of ``names``, beside what the paper prints.

    Of the columns with the study's main outcome only the benchmark.

    Returns
    -------
    One row per column, ``T3 (3): quality``: printed estimate, spread and rows, and the same here.
    """
    rows = {}
    printed = published.estimates(study.key).query("term == @study.treatment").set_index(["table", "column"])
    sizes = published.columns(study.key).set_index(["table", "column"])["n_obs"]
    for table in study.tables:
        for column in table.columns:
            name = column.formula.split("~")[0].strip()
            cell = (table.id, column.id)
            if name not in names or cell not in printed.index or (name == study.outcome and cell != study.benchmark):
                continue
            fit = replicate.column(study, column, panel, vcov)
            paper, here = printed.loc[cell], fit.coefficients.loc[study.treatment]
            rows[f"{table.id} ({column.id}): {name}"] = {
                "printed": paper["estimate"],
                **({f"printed {paper['spread_kind']}": paper["spread"]} if pd.notna(paper["spread"]) else {}),
                **({"printed rows": int(sizes[cell])} if pd.notna(sizes[cell]) else {}),
                "here": here["estimate"],
                "standard error": here["se"],
                "rows": fit.n_obs,
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def weight_table(study: Study, index: Index, panel: pd.DataFrame, source: str) -> pd.DataFrame:
    """Set the entropy weights of an index beside the printed ones.

    Returns
    -------
    One row per indicator, by column of the panel: its ``indicator`` name as printed and its ``sign``, ``entropy``,
    ``divergence``, ``weight``, and if any is printed ``printed`` and ``difference``; where a synthetic panel is
    calibrated also ``MC low`` and ``MC high``, which hold 95% of the weights of fresh samples (mean and 1.96 standard
    deviations).
    """
    steps = composite.entropy(indices.standardised(index, panel))
    rows = published.weights(study.key).query("table == @index.table").set_index("indicator")["weight"]
    table = pd.DataFrame({"indicator": index.indicators, "sign": "+"})
    table.loc[[*index.negative], "sign"] = "-"
    table = table.join(steps).assign(printed=table["indicator"].map(rows))
    table["difference"] = table["weight"] - table["printed"]
    if rows.isna().all():
        table = table.drop(columns=["printed", "difference"])
    summary = ledger.calibration(study).query("statistic == 'weight' and table == @index.table").set_index("term")
    if len(summary) and source == "synthetic":
        centre, reach = (table["indicator"].map(summary[name].astype(float)) for name in ("mc_mean", "mc_sd"))
        table["MC low"], table["MC high"] = centre - 1.96 * reach, centre + 1.96 * reach
    return table.rename_axis("column")


def compare_indices(
    study: Study, index: Index, panel: pd.DataFrame, variants: Mapping[str, pd.Series], vcov: str
) -> pd.DataFrame:
    """Estimate the benchmark with variants of an index, each in its own standard deviations, so that they compare.

    Parameters
    ----------
    variants : label -> index, aligned with the panel.

    Returns
    -------
    One row per variant: Spearman's ``rank correlation`` with the panel's index, the effect ``in sd`` of the variant
    with its ``low`` and ``high`` (95%), ``t``, and the ``sd`` in units of the variant.
    """
    in_sd = effects(study, panel, {label: values / values.std() for label, values in variants.items()}, vcov)
    found = pd.DataFrame(
        {
            "rank correlation": {k: v.corr(panel[index.name], method="spearman") for k, v in variants.items()},
            "sd": {label: values.std() for label, values in variants.items()},
        }
    )
    found[["estimate", "low", "high"]] = in_sd[["estimate", "low", "high"]]
    return found.assign(t=in_sd["estimate"] / in_sd["se"])


def compare_treatments(
    study: Study, index: Index, panel: pd.DataFrame, variants: Mapping[str, pd.Series], vcov: str
) -> pd.DataFrame:
    """Estimate the columns about an index with variants of it, each in its own standard deviations.

    Parameters
    ----------
    variants : label -> index, under the labels of :func:`pilotzones.indices.own_rows`.

    Returns
    -------
    One row per variant: Spearman's ``rank correlation`` with the panel's index over its own rows, and for every column
    of the benchmark's table that has the index as its regressor the estimate ``in sd`` and its t value.
    """
    own = indices.own_rows(index, panel)
    columns = [c for c in study.table(study.benchmark[0]).columns if c.term == index.name]
    rows = {}
    for label, values in variants.items():
        data = panel.assign(**{index.name: indices.for_rows(index, values / values.std(), panel)})
        rows[label] = {"rank correlation": values.corr(own[index.name], method="spearman")}
        for column in columns:
            found = replicate.column(study, column, data, vcov).coefficients.loc[index.name]
            rows[label] |= {f"({column.id}) in sd": found["estimate"], f"t of ({column.id})": found["t"]}
    return pd.DataFrame(rows).T


def yardstick(study: Study, index: Index, panel: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Show what the reform does to the index of cities without one, because it moves the yardstick of all.

    Returns
    -------
    One row per yardstick of :func:`pilotzones.indices.fixed`, set by rows without a zone in force: the mean index of
    never-treated cities in the first and the last year, and the benchmark's ``estimate`` and ``se`` in units of that
    index, and ``in sd`` of it.
    """
    never, year = panel["cohort"].isna(), panel["year"]
    variants = indices.fixed(index, panel, panel[study.treatment] == 0)
    table = pd.DataFrame(
        {
            label: {f"never treated, {y}": values[never & (year == y)].mean() for y in (year.min(), year.max())}
            for label, values in variants.items()
        }
    ).T
    found = effects(study, panel, variants, vcov)
    sd = pd.Series({label: values.std() for label, values in variants.items()})
    return table.assign(estimate=found["estimate"], se=found["se"], **{"in sd": found["estimate"] / sd})


def extremes(index: Index, panel: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`pilotzones.measures.composite.dominance` in words, the extreme row named by city and year."""
    found = composite.dominance(panel[[*index.indicators]], index.negative)
    found = found.assign(row=place_names(panel.loc[found["row"]])).drop(columns=["value", "quantile"])
    return found.rename(columns={"divergence_share": "share of divergence", "weight_without": "weight without it"})


def place_names(rows: pd.DataFrame) -> list[str]:
    """Return city, or province, and year of each row of a panel in words, e.g. ``"Hangzhou 2014"``."""
    of_city = describe.place(rows) == "city"
    names = policy.cities().set_index("adcode")["city_en"] if of_city else policy.provinces()["province_en"]
    codes = rows[describe.place(rows)]
    return [f"{names.get(code, code)} {year}" for code, year in zip(codes, rows["year"], strict=True)]
