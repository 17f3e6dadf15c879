"""Studies of pairs of cities: the cities behind a panel of pairs, how its outcome is made, and what its rows share.

A study of pairs has variables ``city_i``, ``city_j``, ``pair_type`` (``none``, ``one`` or ``both`` cities ever have a
zone), ``tie_strength`` and ``tie`` (``strong``, ``weak``). Its outcome is the synchronisation of an index of the cities
(:mod:`pilotzones.measures.synchronisation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from pilotzones import describe, geography, indices, panel, policy, published, replicate
from pilotzones.declare import Study
from pilotzones.measures import policy_text, synchronisation

CYCLES = {
    "linear": "what a straight line leaves", "hp": "Hodrick and Prescott, 6.25",
    "hamilton": "Hamilton, two years ahead", "growth": "growth rates",
}  # fmt: skip
CLASSES = ("both high", "different", "both low")
# reading of "high" and "low" -> share of cities below which a city is low, and from which on it is high
READINGS = {"bottom third low (the book's)": (1 / 3, 1 / 3), "halves": (1 / 2, 1 / 2), "three thirds": (1 / 3, 2 / 3)}
KM = (0, 200, 400, 600, 800, 1000, np.inf)  # classes of distance


# ------------------------------------------------------------------------------------------------ cities and pairs


def holder(study: Study, data: pd.DataFrame, source: str, seed: int) -> pd.DataFrame:
    """Return the panel that holds the indicators of the study's indices: its own, or that of its cities.

    Returns
    -------
    ``data`` itself; its first row of every province and year, if the index is one of provinces; or one row per city and
    year: the raw variables, the indices under their names, ``cohort``,
    ``event_time``, ``batch`` and ``treat_post``.
    """
    if "pairs" not in study.features:
        return indices.own_rows(study.indices[0], data) if study.indices else data
    raw = panel.raw(study, source, seed)
    raw = raw[raw["city"].isin(np.unique(data[["city_i", "city_j"]]))].reset_index(drop=True)
    cities = policy.attach(raw, study.batches, partial=False)
    return cities.assign(**{index.name: indices.values(index, raw) for index in study.indices})


def ends(data: pd.DataFrame) -> pd.DataFrame:
    """Return ``city_i`` and ``city_j`` of each pair, indexed by ``pair``."""
    return data.drop_duplicates("pair").set_index("pair")[["city_i", "city_j"]]


def names(data: pd.DataFrame) -> pd.Series:
    """Return the names of both cities of each row, e.g. ``"Suzhou and Wuxi"``."""
    known = policy.cities().set_index("adcode")["city_en"]
    return data["city_i"].map(known) + " and " + data["city_j"].map(known)


def construction(data: pd.DataFrame) -> pd.DataFrame:
    """Count the pairs step by step, from all that the cities form to those of the main column.

    Returns
    -------
    One row per step: ``pairs``, ``with one zone`` (cities of the pair that ever have one), their ``share``,
    ``with two zones``, ``cities`` and ``rows``.
    """
    years = data["year"].nunique()
    every = data.drop_duplicates("pair")
    kept = every[every["pair_type"] != "both"]
    steps = {
        "all pairs of cities": every,
        "without pairs of two zones": kept,
        "of these, tie above the median": kept[kept["tie"] == "strong"],
    }
    return pd.DataFrame.from_dict(
        {
            step: {
                "pairs": len(rows),
                "with one zone": int((rows["pair_type"] == "one").sum()),
                "share": float((rows["pair_type"] == "one").mean()),
                "with two zones": int((rows["pair_type"] == "both").sum()),
                "cities": len(np.unique(rows[["city_i", "city_j"]])),
                "rows": len(rows) * years,
            }
            for step, rows in steps.items()
        },
        orient="index",
    )


# ------------------------------------------------------------------------------------------------ synchronisation


def series(cities: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """Return values of a panel of cities with cities in rows and years in columns."""
    return cities.assign(_value=values).pivot(index="city", columns="year", values="_value")


def example(data: pd.DataFrame, by_city: pd.DataFrame, pair: int) -> pd.DataFrame:
    """Show how the synchronisation of one pair is made: each city's series, standardised, then rho and rho', by year.

    Parameters
    ----------
    by_city : as :func:`series` returns it.
    """
    both = ends(data).loc[[pair]]
    known = policy.cities().set_index("adcode")["city_en"]
    scaled = synchronisation.standardised(by_city)
    rows = {}
    for code in both.iloc[0]:
        rows[f"{known[code]}: index"] = by_city.loc[code]
        rows[f"{known[code]}: standardised"] = scaled.loc[code]
    rows["synchronisation (rho)"] = synchronisation.cerqueira_martins(by_city, both).loc[pair]
    rows["transformed (rho')"] = synchronisation.fisher(by_city, both).loc[pair]
    return pd.DataFrame(rows).T


def examples(data: pd.DataFrame) -> list[int]:
    """Return the pairs with the strongest tie without a zone, with one and with two, and the weakest retained one."""
    first = data.drop_duplicates("pair")
    strongest = first.loc[first.groupby("pair_type", observed=True)["tie_strength"].idxmax(), "pair"]
    retained = first[(first["tie"] == "strong") & (first["pair_type"] == "one")]
    return [*map(int, strongest), int(retained.loc[retained["tie_strength"].idxmin(), "pair"])]


def paths(data: pd.DataFrame, by_city: pd.DataFrame, chosen: list[int]) -> dict[str, pd.DataFrame]:
    """Return what the synchronisation of some pairs looks like over the years (columns).

    Parameters
    ----------
    by_city : as :func:`series` returns it.
    chosen : pairs of ``data``.

    Returns
    -------
    ``standardised`` : the index of both cities of the first pair, in standard deviations.
    ``synchronisation`` : rho of every pair chosen.
    """
    both, first = ends(data).loc[chosen], data.drop_duplicates("pair").set_index("pair").loc[chosen]
    known = policy.cities().set_index("adcode")["city_en"]
    zones = {"none": "no zone", "one": "one zone", "both": "two zones"}
    labels = names(first) + " (" + first["pair_type"].astype(str).map(zones) + ")"
    scaled = synchronisation.standardised(by_city).loc[both.iloc[0].to_list()].rename(index=known)
    rho = synchronisation.cerqueira_martins(by_city, both).loc[chosen]
    return {
        "standardised": scaled.rename_axis("series"),
        "synchronisation": rho.set_axis(labels.to_list()).rename_axis("series"),
    }


def density(study: Study, data: pd.DataFrame, bins: int = 80) -> pd.DataFrame:
    """Return the distribution of the outcome in the main column, in bins from its 0.1% to its 99.9% quantile.

    Returns
    -------
    ``low`` and ``high``, the ends of each bin (unit of the outcome), and the density in rows without and with a zone in
    force.
    """
    sample = replicate.benchmark_sample(study, data)
    low, high = sample[study.outcome].quantile([0.001, 0.999])
    edges = np.linspace(float(low), float(high), bins + 1)
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:]})
    for label, value in {"no zone in force": 0, "one zone in force": 1}.items():
        rows = sample.loc[sample[study.treatment] == value, study.outcome]
        table[f"{label} ({len(rows):,} rows)"] = np.histogram(rows, edges, density=True)[0]
    return table


def synchronised(data: pd.DataFrame, by_city: pd.DataFrame) -> pd.Series:
    """Return the transformed synchronisation of a series for every row of a panel; missing in years it does not have.

    Parameters
    ----------
    by_city : as :func:`series` returns it.
    """
    found = synchronisation.fisher(by_city, ends(data)).stack()
    rows = pd.MultiIndex.from_frame(data[["pair", "year"]])
    return pd.Series(found.reindex(rows).to_numpy(), data.index)


def effects(study: Study, data: pd.DataFrame, by_city: Mapping[str, pd.DataFrame], vcov: str) -> pd.DataFrame:
    """Estimate the benchmark on the synchronisation of other series than the paper's.

    Parameters
    ----------
    data : the panel of pairs; only the rows of the main column are used.
    by_city : label -> series of every city, as :func:`series` returns it.

    Returns
    -------
    One row per series: its ``years``, the mean correlation of two cities (the mean of rho), the mean of rho', and
    ``estimate``, ``se``, ``low``, ``high`` of the treatment.
    """
    sample = replicate.benchmark_sample(study, data)
    table, number = study.benchmark
    column = replace(study.table(table).column(number), sample="")
    rows = {}
    for label, values in by_city.items():
        outcome = synchronised(sample, values)
        fit = replicate.column(study, column, sample.assign(_outcome=outcome), vcov, outcome="_outcome")
        rows[label] = {
            "years": values.shape[1],
            "mean correlation": synchronisation.cerqueira_martins(values, ends(sample)).to_numpy().mean(),
            "mean of rho'": outcome.mean(),
            **fit.coefficients.loc[study.treatment, ["estimate", "se", "low", "high"]],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def cycles(by_city: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a series in levels, as the paper takes it, and what is left of it without a trend, in four ways."""
    found = {label: synchronisation.cycle(by_city, kind) for kind, label in CYCLES.items()}  # type: ignore[arg-type]
    return {"levels (the paper's)": by_city} | found


# ------------------------------------------------------------------------------------------------ classes of pairs


def classes(study: Study, data: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Estimate the benchmark in classes of pairs under each reading of what high and low cities are.

    A class is made from the rank of each city: ``<trait>_lower`` and ``<trait>_upper`` are the shares of cities ranked
    below the lower and the upper city of the pair.

    Returns
    -------
    One row per trait and class: the ``printed`` pairs and estimate, and by reading (first level of the columns)
    ``pairs``, ``estimate`` and ``se``.
    """
    sample = replicate.benchmark_sample(study, data)
    table, number = study.benchmark
    column = replace(study.table(table).column(number), sample="")
    years = sample["year"].nunique()
    paper = _printed_classes(study)
    found: dict[str, dict[tuple[str, str], float]] = {}
    for trait in [v.name.removesuffix("_lower") for v in study.variables if v.name.endswith("_lower")]:
        lower, upper = sample[f"{trait}_lower"], sample[f"{trait}_upper"]
        for reading, (low, high) in READINGS.items():
            members = {"both high": lower >= high, "both low": upper < low}
            members["different"] = ~(members["both high"] | members["both low"])
            for name in CLASSES:
                fit = replicate.column(study, column, sample[members[name]], vcov)
                own = fit.coefficients.loc[study.treatment]
                row = found.setdefault(f"{trait.replace('_', ' ')}, {name}", {})
                if (trait, name) in paper.index:
                    row["printed", "pairs"] = int(paper.at[(trait, name), "n_obs"]) // years
                    row["printed", "estimate"] = paper.at[(trait, name), "estimate"]
                row[reading, "pairs"] = int(members[name].sum()) // years
                row[reading, "estimate"], row[reading, "se"] = own["estimate"], own["se"]
    counts = [(label, "pairs") for label in ("printed", *READINGS)]
    table_found = pd.DataFrame.from_dict(found, orient="index")
    return table_found.astype({label: int for label in counts if label in table_found})


def _printed_classes(study: Study) -> pd.DataFrame:
    """Return printed rows and estimate of the columns that are cut by a class, by variable and class."""
    estimates = published.estimates(study.key).query("term == @study.treatment").set_index(["table", "column"])
    sizes = published.columns(study.key).set_index(["table", "column"])["n_obs"]
    rows = {
        (column.group, column.sample.rpartition(" == ")[2].strip("'")): {
            "n_obs": sizes[table.id, column.id],
            "estimate": estimates.at[(table.id, column.id), "estimate"],
        }
        for table in study.tables
        for column in table.columns
        if column.group and (table.id, column.id) in estimates.index
    }
    return pd.DataFrame.from_dict(rows, orient="index")


# ------------------------------------------------------------------------------------------------ mechanisms


def products(study: Study, data: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """Multiply the two steps of each mechanism, which the paper does not, with intervals.

    Returns
    -------
    One column per mediator: the treatment's effect ``a`` on it, its own slope without the treatment (the paper's) and
    beside it, ``b``, the product ``ab``, its share of the benchmark, and three 95% intervals of it: Sobel's with
    the paper's errors and with dyadic ones, and percentiles over ``draws`` samples of cities.
    """
    sample = replicate.benchmark_sample(study, data)
    table, number = study.benchmark
    column = replace(study.table(table).column(number), sample="")
    total = replicate.column(study, column, sample).coefficients.at[study.treatment, "estimate"]
    drawn = resampled(study, sample, draws, seed)
    found = {}
    for mediator, _ in study.mediators:
        first = replicate.column(study, column, sample, outcome=mediator)
        alone, beside = (
            replicate.column(study, replace(column, formula=column.formula.replace(study.treatment, words, 1)), sample)
            for words in (mediator, f"{study.treatment} + {mediator}")
        )
        a, b = first.coefficients.at[study.treatment, "estimate"], beside.coefficients.at[mediator, "estimate"]
        rows = {
            "policy on mediator (a)": a,
            "mediator on outcome, policy left out": alone.coefficients.at[mediator, "estimate"],
            "mediator on outcome, beside policy (b)": b,
            "product ab": a * b,
            "share of the effect": a * b / total,
        }
        for label, name in (("errors by pair", "published"), ("dyadic errors", "dyadic")):
            errors = replicate.errors(study, name)
            se_a, se_b = (
                fit.under(errors).coefficients.at[term, "se"]
                for fit, term in ((first, study.treatment), (beside, mediator))
            )
            reach = 1.96 * float(np.hypot(a * se_b, b * se_a))
            rows[f"Sobel 95%, {label}"] = f"[{a * b - reach:.4f}, {a * b + reach:.4f}]"
        low, high = np.percentile(drawn[mediator], [2.5, 97.5])
        rows["cities drawn anew, 95%"] = f"[{low:.4f}, {high:.4f}]"
        found[mediator] = rows
    return pd.DataFrame(found)


def resampled(study: Study, sample: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    r"""Return the product of both steps of each mechanism (columns) in samples of cities drawn with replacement (rows).

    A city drawn :math:`n_i` times brings :math:`n_i n_j` copies of its pair with city j; copies of a city form no pair.
    This keeps what pairs share [1]_. Pair effects are removed by pair, which no weight changes; year effects are
    estimated anew in each sample.

    Parameters
    ----------
    sample : balanced, without missing values.

    References
    ----------
    .. [1] Davezies, L., D'Haultfoeuille, X. and Guyonvarch, Y. (2021). Empirical process results for exchangeable
       arrays. Annals of Statistics 49, 845-862.
    """
    mediators = [mediator for mediator, _ in study.mediators]
    right = [study.treatment, *study.regressors("controls")]
    sample = sample.sort_values(["pair", "year"])
    years = pd.get_dummies(sample["year"], dtype=float).iloc[:, 1:].to_numpy()
    values = np.column_stack([years, sample[[*right, *mediators, study.outcome]].to_numpy(float)])
    values = values.reshape(-1, sample["year"].nunique(), values.shape[1])
    values = values - values.mean(axis=1, keepdims=True)
    size = values.shape[2]
    products = (values.transpose(0, 2, 1) @ values).reshape(len(values), size * size)
    codes, pairs = pd.factorize(ends(sample).to_numpy().T.ravel())
    first, second = codes.reshape(2, -1)
    cities = len(pairs)

    base = np.arange(years.shape[1] + len(right))
    rng = np.random.default_rng(seed)
    times = rng.multinomial(cities, np.full(cities, 1 / cities), draws).astype(float)
    # a hundred samples at a time: one product of matrices
    parts = [(some[:, first] * some[:, second]) @ products for some in np.array_split(times, -(-draws // 100))]
    moments = np.concatenate(parts).reshape(draws, size, size)
    found = {}
    for k, mediator in enumerate(mediators, len(base)):
        both = np.append(base, k)
        a = np.linalg.solve(moments[:, base[:, None], base], moments[:, base, k, None])[:, years.shape[1], 0]
        b = np.linalg.solve(moments[:, both[:, None], both], moments[:, both, -1, None])[:, -1, 0]
        found[mediator] = a * b
    return pd.DataFrame(found)


def tools(study: Study, data: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Estimate each index of policy tools alone, as the paper does, and beside the policy itself.

    Returns
    -------
    One row per index, columns in two levels: its mean and sd over rows with a zone in force; the benchmark over that
    mean, which is what an index that is the same in all zones would have; the index alone; and index and policy in one
    regression, each with its error.
    """
    sample = replicate.benchmark_sample(study, data)
    table, number = study.benchmark
    column = replace(study.table(table).column(number), sample="")
    own = replicate.benchmark(study, data).coefficients.at[study.treatment, "estimate"]
    rows = {}
    for name in policy_text.GROUPS.values():
        alone, beside = (
            replicate.column(study, replace(column, formula=column.formula.replace(study.treatment, words, 1)), sample,
                             vcov).coefficients
            for words in (name, f"{name} + {study.treatment}")
        )  # fmt: skip
        treated = sample.loc[sample[study.treatment] == 1, name]
        rows[name] = {
            ("with a zone", "mean"): treated.mean(), ("with a zone", "sd"): treated.std(),
            ("policy alone", "over the mean"): own / treated.mean(),
            ("index alone", "estimate"): alone.at[name, "estimate"], ("index alone", "se"): alone.at[name, "se"],
            ("both: index", "estimate"): beside.at[name, "estimate"], ("both: index", "se"): beside.at[name, "se"],
            ("both: policy", "estimate"): beside.at[study.treatment, "estimate"],
            ("both: policy", "se"): beside.at[study.treatment, "se"],
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


# ------------------------------------------------------------------------------------------------ the network


def partners(study: Study, data: pd.DataFrame) -> pd.DataFrame:
    """Return the cities of the main column, those with most partners first, indexed by city code.

    Returns
    -------
    ``city``, its name; ``partners``, cities with which it forms a pair; ``share of the pairs``; ``zone``, the year of
    its zone (0: none).
    """
    pairs = ends(replicate.benchmark_sample(study, data))
    count = pairs.stack().value_counts()
    zone = describe.cohorts(study, data).reindex(count.index)
    table = pd.DataFrame({
        "city": policy.cities().set_index("adcode")["city_en"].reindex(count.index), "partners": count,
        "share of the pairs": count / len(pairs), "zone": zone.fillna(0).astype(int),
    })  # fmt: skip
    return table.rename_axis("code").sort_values(["partners", "code"], ascending=[False, True])


def network(study: Study, data: pd.DataFrame, strongest: int = 1000) -> dict[str, pd.DataFrame]:
    """Return the cities of the main column and the strongest ties between them.

    Returns
    -------
    ``cities`` : :func:`partners` with ``lon`` and ``lat`` (degrees), by city code.
    ``ties`` : ``city_i``, ``city_j`` (codes), ``pair_type`` and ``tie_strength`` (index), the strongest first.
    """
    places = policy.cities().set_index("adcode")[["lon", "lat"]]
    sample = replicate.benchmark_sample(study, data).drop_duplicates("pair").nlargest(strongest, "tie_strength")
    ties = sample[["city_i", "city_j", "pair_type", "tie_strength"]].reset_index(drop=True)
    return {"cities": partners(study, data).join(places), "ties": ties}


def strengths(data: pd.DataFrame) -> pd.DataFrame:
    """Return ``km`` and ``strength`` (index) of the tie of every pair without two zones, and whether it is retained."""
    every = data[data["pair_type"] != "both"].drop_duplicates("pair")
    table = {"km": distances(every), "strength": every["tie_strength"], "retained": every["tie"] == "strong"}
    return pd.DataFrame(table).reset_index(drop=True)


def distances(data: pd.DataFrame) -> pd.Series:
    """Return the distance between the two cities of each row in km, great circle between seats of government."""
    km = geography.distances()
    pairs = ends(data)
    found = km.to_numpy()[km.index.get_indexer(pairs["city_i"]), km.columns.get_indexer(pairs["city_j"])]
    return data["pair"].map(pd.Series(found, pairs.index))


def by_distance(study: Study, data: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Count pairs by the distance between their cities, and estimate an effect for each distance in one regression.

    Returns
    -------
    One row per class of distance: ``possible`` pairs (without those of two zones), how many are ``retained``, how many
    of these have a zone, and ``estimate``, ``se``, ``low``, ``high`` of the treatment there.
    """
    labels = [f"{low} to {high:.0f} km" if np.isfinite(high) else f"above {low} km"
              for low, high in pairwise(KM)]  # fmt: skip
    every = data[data["pair_type"] != "both"].drop_duplicates("pair")
    cut = pd.cut(distances(every), KM, labels=labels)
    sample = replicate.benchmark_sample(study, data)
    own = every["pair"].isin(sample["pair"].unique())
    table = pd.DataFrame({
        "possible": cut.value_counts(sort=False), "retained": cut[own].value_counts(sort=False),
        "with one zone": cut[own & (every["pair_type"] == "one")].value_counts(sort=False),
    })  # fmt: skip
    near = pd.cut(distances(sample), KM, labels=labels)
    flags = {f"near_{i}_": sample[study.treatment] * (near == label) for i, label in enumerate(labels)}
    flags = {name: flag.astype(int) for name, flag in flags.items() if flag.any()}
    where, number = study.benchmark
    column = study.table(where).column(number)
    together = replace(column, formula=column.formula.replace(study.treatment, " + ".join(flags), 1))
    found = replicate.column(study, together, data.assign(**pd.DataFrame(flags)), vcov).coefficients
    found = found.loc[[*flags], ["estimate", "se", "low", "high"]]
    return table.rename_axis("distance").join(found.set_axis([labels[int(name.split("_")[1])] for name in found.index]))


def control_pairs(study: Study, data: pd.DataFrame, vcov: str) -> pd.DataFrame:
    """Estimate the benchmark with some of the control pairs only, by whether their cities have a zone city as partner.

    If zones act on their partners, a control pair of two partners is treated as well.

    Returns
    -------
    One row per choice: ``control pairs``, ``estimate``, ``se``; not estimated without control pairs.
    """
    sample = replicate.benchmark_sample(study, data)
    treated = sample["pair_type"] == "one"
    partners = np.unique(ends(sample[treated]))
    near = sample["city_i"].isin(partners).astype(int) + sample["city_j"].isin(partners)
    choices = {
        "all control pairs": treated | True,
        "neither city has a zone city as partner": treated | (near == 0),
        "one has": treated | (near == 1),
        "both have": treated | (near == 2),
    }
    table, number = study.benchmark
    column = replace(study.table(table).column(number), sample="")
    rows = {}
    for label, kept in choices.items():
        count = int((kept & ~treated).sum()) // sample["year"].nunique()
        rows[label] = {"control pairs": count, "estimate": np.nan, "se": np.nan}
        if count:
            found = replicate.column(study, column, sample[kept], vcov).coefficients.loc[study.treatment]
            rows[label] |= {"estimate": found["estimate"], "se": found["se"]}
    return pd.DataFrame.from_dict(rows, orient="index")
