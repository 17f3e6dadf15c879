"""Who is in the synthetic panel: firms, years, cities, what is missing. The same in every panel, whatever its seed.

Prefectures, their batches and places are real. Everything else is drawn once, and solved so that every printed number
of observations comes out exactly; its settings are ``[frame]``, ``[margins]`` and ``[listed_firms]`` in
``parameters.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import optimize, stats

from pilotzones import policy
from pilotzones.studies.innovation.study import BATCHES

PARAMETERS = Path(__file__).with_name("parameters.toml")
SEED = 1984  # of the frame only
YEARS = np.arange(2011, 2021)
NEVER = -99  # event time of firms without a reform
MUNICIPALITIES = (110000, 120000, 310000, 500000)  # province x year effects absorb their treatment
BEIJING, SHANGHAI, CHENGDU, JINHUA = 110000, 310000, 510100, 330700


@cache
def settings() -> dict[str, Any]:
    """Return ``parameters.toml``."""
    return tomllib.loads(PARAMETERS.read_text(encoding="utf-8"))


@cache
def frame() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the fixed part of every panel.

    Returns
    -------
    rows : one row per firm and year, in order: ``firm``, ``year``, ``city``, ``province``, ``batch``, ``event_time``,
        ``age``, ``cgdp``, ``ind``, ``tech``, ``third`` of revenue (0 small, 1 medium, 2 large), ``complete`` (has all
        controls) and ``no_<variable>``, true where the variable is missing.
    cities : one row per prefecture with firms, indexed by ``adcode``: ``province``, ``batch``, ``phones`` and ``posts``
        of 1984 (in sds), ``records_1984``, ``developed``, ``digital``, ``fiscal``, ``digital_high``, ``fiscal_high``.
    """
    rows = _spells(_stream("spells"))
    cities = _cities(rows, _stream("cities"))
    rows = rows.merge(_locations(rows, cities, _stream("locations")), on="firm", validate="many_to_one")
    rows = rows.join(cities[["province", "batch"]], on="city")
    start = policy.approval_dates().dt.year.reindex(BATCHES)
    rows["event_time"] = (rows["year"] - rows["batch"].map(start)).fillna(NEVER).astype(int)
    rows["age"] = (rows["year"] - _founded(rows, _stream("age"))).astype(float)
    _remove_controls(rows, cities, _stream("controls"))
    _remove_mediators(rows, cities, _stream("mediators"))
    _cut_by_revenue(rows, _stream(f"revenue {settings()['frame']['revenue_draw']}"))
    _describe_cities(rows, cities, _stream("traits"))
    return rows, cities


def _stream(name: str) -> np.random.Generator:
    """Return the random numbers of one step, so that a change in one leaves the others as they are."""
    return np.random.default_rng([SEED, crc32(name.encode())])


def _spells(rng: np.random.Generator) -> pd.DataFrame:
    """Return ``firm`` and ``year`` of every row: firms enter, stay without gaps, and few leave."""
    sizes = settings()["frame"]
    listed = np.array(sizes["listed"])
    observed = listed * sizes["rows"] // listed.sum()
    observed[-1] += sizes["rows"] - observed.sum()
    alive, born, found = np.array([], dtype=int), 0, []
    for year, size in zip(YEARS, observed, strict=True):
        leaving = max(rng.binomial(len(alive), sizes["exit_rate"]), len(alive) - size)
        alive = np.setdiff1d(alive, rng.permutation(alive)[:leaving])
        entering = np.arange(born + 1, born + 1 + size - len(alive))
        born += len(entering)
        alive = np.concatenate([alive, entering])
        found.append(pd.DataFrame({"firm": alive, "year": year}))
    return pd.concat(found).sort_values(["firm", "year"], ignore_index=True)


def _cities(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the prefectures that have firms, with the number of ``firms`` over all years."""
    sizes, listed = settings()["frame"], dict(settings()["listed_firms"])
    elsewhere = {int(province): firms for province, firms in listed.pop("elsewhere").items()}
    cities = policy.cities().set_index("adcode").rename(columns={"province_adcode": "province"})
    cities["batch"] = policy.first_batch(partial=True)
    weight = pd.Series({int(city): float(firms) for city, firms in listed.items()}).reindex(cities.index)
    # the rest of a province: prefectures with an early zone are bigger, those that are no cities the smallest
    order = cities.assign(rank=cities["batch"].replace(0, 9)).sort_values(["is_city", "rank"], ascending=[False, True])
    for province, group in order[weight[order.index].isna()].groupby("province"):
        share = 1 / np.arange(1, len(group) + 1)
        weight[group.index] = elsewhere[province] * share / share.sum()

    # scaled to the printed share of treated rows and to the share outside the single-period sample
    start = policy.approval_dates().dt.year
    treated, late = cities["batch"].isin(BATCHES), cities["batch"].isin([4, 5])
    in_force = sum(weight[cities["batch"] == b].sum() * (rows["year"] >= start[b]).mean() for b in BATCHES)
    weight[treated] *= sizes["treated_share"] / in_force
    weight[late] *= sizes["late_share"] / weight[late].sum()
    weight[~treated & ~late] *= (1 - weight[treated | late].sum()) / weight[~treated & ~late].sum()

    # whole firms, largest remainders first
    quota = weight * rows["firm"].nunique()
    cities["firms"] = np.floor(quota).astype(int)
    cities.loc[(quota % 1).nlargest(rows["firm"].nunique() - cities["firms"].sum()).index, "firms"] += 1
    cities["no_yearbook"] = cities["yearbook_continuous_2010_2022"] == 0
    cities = cities.loc[cities["firms"] > 0, ["province", "batch", "firms", "no_yearbook", "capital"]].copy()
    # standardised over the firms of pilot cities and of others: how they differ is the parameter "relevance"
    for trait in ("phones", "posts"):
        for _, group in cities.groupby(cities["batch"].isin(BATCHES)):
            x = rng.normal(size=len(group))
            x -= np.average(x, weights=group["firms"])
            cities.loc[group.index, trait] = x / np.sqrt(np.average(x**2, weights=group["firms"]))
    return cities


def _locations(rows: pd.DataFrame, cities: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the ``city`` of each firm; old and new firms are spread evenly over cities."""
    span = rows.groupby("firm")["year"].agg(["min", "max"])
    firms = span.assign(luck=rng.uniform(size=len(span))).sort_values(["min", "max", "luck"]).index
    places = np.concatenate([(np.arange(n) + rng.uniform()) / n for n in cities["firms"]])
    return pd.DataFrame({"firm": firms, "city": np.repeat(cities.index, cities["firms"])[np.argsort(places)]})


def _founded(rows: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return the founding year of each row's firm; the oldest and youngest of Table 1 are 62 and 1."""
    entry = rows.groupby("firm")["year"].min()
    founded = entry - np.minimum(1 + np.floor(rng.gamma(6.69, 1.956, len(entry))).astype(int), 50)
    founded[rows.loc[rows["year"] == YEARS[-1], "firm"].iloc[0]] = 1958
    founded.iloc[-1] = entry.iloc[-1] - 1
    return rows["firm"].map(founded).to_numpy()


def subset(sizes: np.ndarray, total: int) -> np.ndarray:
    """Return positions in ``sizes`` that add up to ``total`` exactly, early ones preferred (dynamic programming).

    Raises
    ------
    ValueError
        If no subset does.
    """
    last = np.full(total + 1, -1)  # the item that first reached each sum
    last[0] = 0
    for i, size in enumerate(sizes):
        if 0 < size <= total:
            last[np.flatnonzero((last[:-size] >= 0) & (last[size:] < 0)) + size] = i
    if last[total] < 0:
        raise ValueError(f"no subset of the {len(sizes)} sizes adds up to {total}")
    chosen = []
    while total:
        chosen.append(last[total])
        total -= sizes[last[total]]
    return np.array(chosen, dtype=int)


def _remove_controls(rows: pd.DataFrame, cities: pd.DataFrame, rng: np.random.Generator) -> None:
    """Decide which cities lack records of 1984 and which rows lack which control.

    Some cities have no yearbook at all. Other rows lack a control here and there, at most three per firm, never in
    short histories or in cities with an early zone. How many there are, by batch and by the years a firm still has
    ahead, follows from the printed sizes of the samples.
    """
    sizes = settings()["frame"]
    left = rows.groupby("firm")["year"].transform("max") - rows["year"]
    length = rows.groupby("firm")["year"].transform("size")
    # years ahead: 0 (firms observed once apart), 1, more
    stage = rows["stage"] = np.select([(left == 0) & (length == 1), left == 0, left == 1], [0, 1, 2], default=3)
    late, early = rows["batch"].isin([4, 5]), rows["batch"].isin(BATCHES)

    size = rows.groupby("city").size()
    small = cities[~cities["batch"].isin([*BATCHES, 4, 5])].assign(luck=lambda c: rng.uniform(size=len(c)))
    small["remote"] = ~small["province"].isin(cities.loc[cities["batch"].isin([1, 2]), "province"])
    small = small.sort_values(["no_yearbook", "remote", "luck"], ascending=[False, False, True]).index
    whole = rows["city"].isin(small[size[small].cumsum() <= sizes["no_yearbook"]])
    other = rng.permutation(np.setdiff1d(rows.loc[~early & ~whole, "city"], cities.index[cities["capital"] == 1]))
    lost = other[subset(size[other].to_numpy(), sizes["complete"] - sizes["records_1984"])]
    cities["records_1984"] = ~cities.index.isin(lost)
    lost_rows = rows["city"].isin(lost)

    once = sizes["records_1984"] - sizes["records_1984_repeated"] + int((lost_rows & (stage == 0)).sum())
    complete = [once, sizes["complete"] - sizes["next_year"] - once, sizes["next_year"] - sizes["next_two_years"]]
    needed = np.bincount(stage[~whole]) - [*complete, sizes["next_two_years"]]
    needed_elsewhere = int((~whole & ~late & (rows["batch"] != 3)).sum()) - sizes["single_period"]
    needed_late = np.round(needed * (1 - needed_elsewhere / needed.sum())).astype(int)
    needed_late[3] += needed.sum() - needed_elsewhere - needed_late.sum()

    candidates = rows[~early & ~whole & ~lost_rows & ((stage == 0) | (length > 4))]
    candidates = candidates.loc[rng.permutation(candidates.index)].drop_duplicates(["firm", "stage"])
    scattered: list[int] = []
    for s in range(4):
        for is_late, n in ((False, needed[s] - needed_late[s]), (True, needed_late[s])):
            pool = candidates[(candidates["stage"] == s) & (late[candidates.index] == is_late)]
            if not 0 <= n <= len(pool):
                raise ValueError(f"frame: stage {s} has {len(pool)} rows to choose {n} from")
            scattered.extend(pool.index[:n])

    missing = sizes["missing"]
    scattered_index = rng.permutation(scattered)
    of_city, of_firm = np.split(scattered_index, [missing["cgdp"] - whole.sum()])
    of_firm = np.concatenate([of_firm, of_city[: missing["wage"] - len(of_firm)]])
    for name in ("cgdp", "ind", "tech"):
        rows[f"no_{name}"] = whole | rows.index.isin(of_city[: missing[name] - whole.sum()])
    for name in ("wage", "kn", "age", "debt", "roa"):
        rows[f"no_{name}"] = rows.index.isin(of_firm[: missing[name]])
    rows["complete"] = ~rows[[f"no_{name}" for name in missing]].any(axis=1)


def _remove_mediators(rows: pd.DataFrame, cities: pd.DataFrame, rng: np.random.Generator) -> None:
    """Decide which rows lack the profit rate, the integration index (whole cities) and the spillover."""
    n = settings()["frame"]
    complete = rows[rows["complete"]]
    rows["no_profit"] = rows.index.isin(rng.permutation(complete.index)[: n["complete"] - n["profit"]])

    size = complete[~complete["batch"].isin(BATCHES)].groupby("city").size()
    order = rng.permutation(size.index)
    rows["no_conv"] = rows["city"].isin(order[subset(size[order].to_numpy(), n["complete"] - n["conv"])])

    two_years = n["next_two_years"] - n["next_two_years_spill"]
    one_year = n["next_year"] - n["next_year_spill"] - two_years
    rows["no_spill"] = False
    for s, gaps in ((3, two_years), (2, one_year), (1, n["complete"] - n["spill"] - one_year - two_years)):
        rows.loc[rng.permutation(complete.index[complete["stage"] == s])[:gaps], "no_spill"] = True


def _cut_by_revenue(rows: pd.DataFrame, rng: np.random.Generator) -> None:
    """Cut rows in thirds by revenue, so that each third has the printed number of complete rows."""
    n = settings()["frame"]
    lasting = rng.normal(size=rows["firm"].max() + 1)[rows["firm"]]
    revenue = 0.92 * lasting + 0.39 * rng.normal(size=len(rows)) + 0.04 * (rows["year"] - YEARS[0]).to_numpy()
    thirds = np.diff([0, *(np.arange(1, 3) * (n["rows"] - 1) // 3 + 1)])  # pandas counts the quantile as below
    complete = np.array([n["complete"] - n["medium"] - n["large"], n["medium"]])
    for group, sizes in ((rows["complete"], complete), (~rows["complete"], thirds - complete)):
        order = np.flatnonzero(group)[np.argsort(revenue[group])]
        rows.loc[order, "third"] = np.repeat([0, 1, 2], [*sizes, group.sum() - sizes.sum()])


def _describe_cities(rows: pd.DataFrame, cities: pd.DataFrame, rng: np.random.Generator) -> None:
    """Give cities their traits: development, yearbook variables by year, digital infrastructure, public spending."""
    sizes, n, size = settings()["frame"], len(cities), np.log(cities["firms"])
    developed = 0.75 * (size - size.mean()) / size.std() + 0.35 * cities["batch"].isin(BATCHES)
    developed = cities["developed"] = developed + 0.65 * rng.normal(size=n)
    city, year = cities.index.get_indexer(rows["city"]), rows["year"].to_numpy() - YEARS[0]

    def by_year(level: float, own: float, trend: float, rho: float, sd: float) -> np.ndarray:
        shock = rng.normal(size=(len(YEARS), n))
        for t in range(1, len(YEARS)):
            shock[t] = rho * shock[t - 1] + np.sqrt(1 - rho**2) * shock[t]
        path = level * developed.to_numpy() + rng.normal(0, own, n) + sd * shock
        path = (path + trend * np.arange(len(YEARS))[:, None])[year, city]
        return (path - path.mean()) / path.std()

    cgdp, ind = by_year(0.30, 0.200, 0.075, 0.8, 0.060), by_year(0.07, 0.055, 0.014, 0.8, 0.013)
    log_tech = by_year(0.85, 0.500, 0.130, 0.7, 0.200)
    # six million yuan a head, the printed maximum, can only be a typing error in a yearbook
    error = ((rows["city"] == JINHUA) & (rows["year"] == 2017)).to_numpy()
    rows["cgdp"] = with_moments("cgdp", lambda a, b: a + b * np.where(error, 99.0, cgdp), ~rows["no_cgdp"])
    rows["ind"] = with_moments("ind", lambda a, b: a + b * ind, ~rows["no_ind"])
    rows["tech"] = with_moments("tech", lambda a, b: np.exp(a + b * log_tech), ~rows["no_tech"])

    luck = _stream(f"digital {sizes['digital_draw']}").normal(0, 1.2, n)
    order = developed + luck + 9 * cities.index.isin([BEIJING, SHANGHAI])
    cities["digital"] = 28 * np.exp(0.4 * _halved(rows, order, CHENGDU, sizes["digital_low"]))
    luck = _stream(f"fiscal {sizes['fiscal_draw']}").normal(0, 1.2, n)
    unrecorded = 1 - rows.groupby("city")["complete"].mean()[cities.index]  # poor cities depend on public spending
    order = -0.6 * developed + luck + 2 * unrecorded + 9 * cities.index.isin(MUNICIPALITIES)
    cities["fiscal"] = 0.16 * np.exp(0.4 * _halved(rows, order, SHANGHAI, sizes["fiscal_low"]))
    cities["digital_high"] = cities["digital"] >= cities.loc[CHENGDU, "digital"]
    cities["fiscal_high"] = cities["fiscal"] >= cities.loc[SHANGHAI, "fiscal"]


def _halved(rows: pd.DataFrame, order: pd.Series, middle: int, low: int) -> pd.Series:
    """Return normal scores of the cities, in about the given order, with ``low`` complete rows below city ``middle``.

    ``middle`` holds the median row, so that a split at the median row puts it and all above in the high half.
    """
    ascending = order.drop(middle).sort_values().index
    complete = rows.groupby("city")["complete"].sum()[ascending].to_numpy()
    sure = int((complete.cumsum() <= low - 400).sum())
    is_low = np.arange(len(ascending)) < sure
    is_low[sure + subset(complete[sure:], low - complete[:sure].sum())] = True
    ranked = [*ascending[is_low], middle, *ascending[~is_low]]
    below = rows.groupby("city").size()[ranked].to_numpy().cumsum()
    position = is_low.sum()
    if not below[position - 1] <= len(rows) // 2 < below[position]:
        raise ValueError(f"frame: city {middle} does not hold the median row: {below[position - 1 :][:2]}")
    scores = stats.norm.ppf((np.arange(len(ranked)) + 0.5) / len(ranked))
    return pd.Series(scores - scores[position], ranked)[order.index]


def with_moments(name: str, curve: Callable[..., np.ndarray], used: Any) -> np.ndarray:
    """Return ``curve(a, b)`` cut at the bounds of Table 1, where a and b give its mean and standard deviation."""
    mean, sd, low, high = settings()["margins"][name]

    def gap(ab: np.ndarray) -> list[float]:
        x = np.clip(curve(*ab), low, high)
        m = np.average(x, weights=used)
        return [m - mean, np.sqrt(np.average((x - m) ** 2, weights=used)) - sd]

    start = [np.log(mean) - 0.5, 1.0] if name == "tech" else [mean, sd]
    return np.clip(curve(*optimize.root(gap, start).x), low, high)
