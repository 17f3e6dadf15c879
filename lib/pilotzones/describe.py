"""What a panel looks like before anything is estimated."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from pyfixest.estimation import demean

from pilotzones import policy, published
from pilotzones.declare import Study


def moments(panel: pd.DataFrame, variables: list[str]) -> pd.DataFrame:
    """Return n, mean, sd, min and max of each variable (rows), in the variable's own unit."""
    table = panel[variables].agg(["count", "mean", "std", "min", "max"]).T
    return table.set_axis(["n_obs", "mean", "sd", "min", "max"], axis=1).astype({"n_obs": int})


def printed(study: Study, panel: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`moments` of the variables that the paper describes, by the paper's symbol."""
    names = {v.symbol or v.name: v.name for v in study.variables}
    symbols = [s for s in published.descriptives(study.key)["symbol"] if names.get(s) in panel]
    return moments(panel, [names[s] for s in symbols]).set_axis(symbols) if symbols else pd.DataFrame()


def described(study: Study, panel: pd.DataFrame) -> pd.DataFrame:
    """Return label, unit and :func:`moments` of the variables that the study's regressions use, distance bands aside.

    They stand in for a table of descriptive statistics where the paper prints none.
    """
    formulas = [study.expand(c.formula) for t in study.tables if t.section != "07_spatial" for c in t.columns]
    words = list(dict.fromkeys(word for formula in formulas for word in re.findall(r"\w+", formula)))
    used = [v for name in words for v in study.variables if v.name == name and v.kind != "code"]
    table = moments(panel, [v.name for v in used])
    table.insert(0, "variable", [v.label for v in used])
    table.insert(1, "unit", [v.unit or "0 or 1" for v in used])
    return table


def missing(panel: pd.DataFrame, variables: list[str], by: str = "year") -> pd.DataFrame:
    """Return the number of missing values of each variable (rows) by year (columns), without complete variables."""
    gaps = panel[variables].isna().groupby(panel[by]).sum().T
    return gaps[gaps.sum(axis=1) > 0]


def steps(study: Study, panel: pd.DataFrame, controls: list[str]) -> pd.DataFrame:
    """Count the panel step by step: all rows, rows with every control, and where there is a roll-out the treated ones.

    Returns
    -------
    One row per step; columns ``rows``, the study's units (e.g. firms), ``cities`` or ``provinces``, ``treated rows``.
    """
    complete = panel[controls].notna().all(axis=1)
    single = complete & ~panel[complete].duplicated(study.unit, keep=False).reindex(panel.index, fill_value=True)
    samples = {"all rows": panel, "all controls observed": panel[complete]}
    if "rollout" in study.features:
        samples["of which in a city that is ever treated"] = panel[complete & panel["cohort"].notna()]
    samples["of which a single row of its unit"] = panel[single]
    counted = dict.fromkeys([study.unit, place(panel)])
    table = pd.DataFrame(
        {step: {"rows": len(rows), **{plural(name): rows[name].nunique() for name in counted}}
         for step, rows in samples.items()}
    ).T  # fmt: skip
    if "rollout" in study.features:
        table["treated rows"] = [int(rows["treat_post"].sum()) for rows in samples.values()]
    return table


def place(panel: pd.DataFrame) -> str:
    """Return the column that says where a row is: its city, or its province where that is all one knows."""
    return "city" if "city" in panel else "province"


def variation(study: Study, panel: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return where the variation of some variables lies (rows), as standard deviations in the variable's unit.

    Returns
    -------
    Columns: over all rows; of what is left when the means of units are removed; when units and years are; and the share
    of the first variance that is left then. That share is all that a regression with both effects can use.
    """
    values = panel[names].dropna()
    effects = (
        panel.loc[values.index, [study.unit, study.time]].apply(lambda key: pd.factorize(key)[0]).to_numpy("uint64")
    )
    weights = np.ones(len(values))
    within, both = (demean(values.to_numpy(float), effects[:, :n], weights, tol=1e-10)[0] for n in (1, 2))
    table = pd.DataFrame(
        {
            "all rows": values.std(),
            f"within {plural(study.unit)}": within.std(axis=0, ddof=1),
            f"within {plural(study.unit)} and years": both.std(axis=0, ddof=1),
        }
    )
    return table.assign(**{"variance left": table.iloc[:, 2] ** 2 / table["all rows"] ** 2})


def cohorts(study: Study, panel: pd.DataFrame) -> pd.Series:
    """Return the first year of the zone of every city of a panel, by city code; missing for never-treated cities."""
    if "cities" in study.features:
        return panel.groupby("city")["cohort"].first()
    # a pair does not say which of its cities has the zone
    codes = np.unique(panel[["city_i", "city_j"]])
    cities = pd.DataFrame({"city": codes, "year": study.years[0]})
    return policy.attach(cities, study.batches, partial=False).set_index("city")["cohort"]


def rollout(study: Study, panel: pd.DataFrame) -> pd.DataFrame:
    """Return every prefecture with the batch of its first zone and its part in a study.

    Returns
    -------
    ``city_zh``, ``city_en``, ``lon``, ``lat`` (degrees), ``batch`` (0: no zone by batch 7, November 2022; zones smaller
    than a prefecture count) and ``treated`` (True for the cities that this study counts as treated), by ``adcode``.
    """
    cities = policy.cities().set_index("adcode")[["city_zh", "city_en", "lon", "lat"]]
    treated = cohorts(study, panel).dropna().index
    return cities.assign(batch=policy.first_batch(partial=True), treated=cities.index.isin(treated))


def coverage(study: Study, panel: pd.DataFrame) -> pd.DataFrame:
    """Return the number of cities with a zone in force and the share of treated rows (percent), by year."""
    starts = cohorts(study, panel)
    share = panel.groupby("year")["treat_post"].mean() * 100
    cities = [int((starts <= year).sum()) for year in share.index]
    return pd.DataFrame({"cities with a zone": cities, "treated rows (%)": share})


def intensity(study: Study, panel: pd.DataFrame) -> pd.DataFrame:
    """Return a treatment of which all provinces have more or less, by province and year, the highest last year first.

    It has the unit of the treatment.
    """
    table = panel.pivot_table(index="province", columns="year", values=study.treatment, aggfunc="first")
    return table.sort_values(table.columns[-1], ascending=False).rename(index=policy.provinces()["province_en"])


def balance(panel: pd.DataFrame, variables: list[str], year: int) -> pd.DataFrame:
    r"""Compare units in ever-treated and other cities in one year before the reform.

    Returns
    -------
    Means of both groups and the normalised difference
    :math:`(\bar x_1 - \bar x_0) / \sqrt{(s_1^2 + s_0^2) / 2}`, which unlike a t value does not grow with the sample;
    beyond 0.25 in absolute value, regression adjustment becomes sensitive to its functional form
    (Imbens and Rubin 2015).
    """
    rows = panel[panel["year"] == year]
    treated = rows["cohort"].notna()
    one, zero = rows.loc[treated, variables], rows.loc[~treated, variables]
    pooled = ((one.var() + zero.var()) / 2) ** 0.5
    return pd.DataFrame(
        {
            "ever treated": one.mean(),
            "never treated": zero.mean(),
            "normalised difference": (one.mean() - zero.mean()) / pooled,
        }
    )


def plural(unit: str) -> str:
    """Return the plural of a unit of observation."""
    return f"{unit.removesuffix('y')}ies" if unit.endswith("y") else f"{unit}s"
