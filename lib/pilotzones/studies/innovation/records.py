"""Synthetic records behind the panel: measuring them gives the panel's own columns back.

The panel is drawn first; these records are one of many sets that agree with it. They exist to show every step of the
measurement, and carry no information of their own. Main groups, trading partners and sectors are real in name; which
firm patents in which field, all amounts and all subgroups are made up.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pandas as pd

from pilotzones import paths
from pilotzones.errors import DataError, ParameterError
from pilotzones.io import read_csv, require_columns
from pilotzones.measures import spillovers

TABLES = ("patents", "partners", "city_trade", "employment")
TOGETHER = (("partners", "city_trade"),)  # one is of no use without the other
# the panel's column that each measure gives
INDICES = {"count": "patents", "breadth": "ipc_groups", "spillover": "spill", "integration": "conv"}
# the variable of the tables made from it, ln(1 + x) of the first two
OUTCOMES = {"count": "inno_total", "breadth": "quality", "spillover": "spill", "integration": "conv"}
SERVICES = (
    "transport, storage and post",
    "information transmission, computer services and software",
    "finance",
    "leasing and business services",
    "scientific research, technical services and geological prospecting",
)
CARRY = {2020: 2019}  # the paper's rule: 2020 takes the value of 2019
DEPRECIATION = 0.05  # of R&D stocks, per year; the paper states none
ELSEWHERE = 0  # the code of all cities without listed firms together
GREATEST_SHARE = 0.95  # of national trade, in the cities of the panel

# the other sectors of the yearbooks, with rounded weights in employment; and those of the producer services
_OTHER_SECTORS = {
    "agriculture, forestry, animal husbandry and fishery": 1, "mining": 3, "manufacturing": 30,
    "electricity, gas and water": 3, "construction": 16, "wholesale and retail trade": 6, "hotels and catering": 2,
    "real estate": 3, "water conservancy, environment and public facilities": 2, "services to households": 1,
    "education": 14, "health, social security and welfare": 7, "culture, sports and entertainment": 1,
    "public administration and social organisations": 13,
}  # fmt: skip
_SERVICE_WEIGHTS = (0.28, 0.16, 0.22, 0.19, 0.15)

# rounded orders of magnitude in 2011, thousand million US dollars: imports from, exports to, GDP; R&D in % of GDP
_PARTNERS = {
    "United States": (120, 325, 15500, 2.8), "Japan": (195, 148, 6150, 3.1), "South Korea": (163, 83, 1250, 3.7),
    "Germany": (93, 76, 3750, 2.8), "Australia": (83, 34, 1400, 2.1), "Malaysia": (62, 28, 298, 1.0),
    "Brazil": (52, 32, 2610, 1.1), "Russia": (40, 39, 2050, 1.0), "Thailand": (39, 26, 371, 0.4),
    "Indonesia": (31, 29, 893, 0.1), "Singapore": (28, 36, 280, 2.1), "Switzerland": (27, 4, 700, 2.9),
    "India": (23, 51, 1820, 0.8), "Canada": (22, 25, 1790, 1.8), "France": (22, 30, 2860, 2.2),
    "Italy": (18, 34, 2290, 1.2), "United Kingdom": (15, 44, 2660, 1.7), "Vietnam": (11, 29, 173, 0.2),
    "Netherlands": (9, 60, 905, 1.9), "Sweden": (7, 7, 575, 3.2),
}  # fmt: skip
_GROWTH = {"imports": 0.02, "exports": 0.03, "gdp": 0.025, "rd_spending": 0.025}  # a year, about
_YUAN = 6460  # million yuan per thousand million dollars, 2011


def generate(panel: pd.DataFrame, seed: int, firms: int) -> dict[str, pd.DataFrame]:
    """Draw the records behind a panel.

    Parameters
    ----------
    panel : the study's panel, or the columns ``firm``, ``year``, ``city``, ``patents``, ``ipc_groups``, ``conv``,
        ``spill`` of it.
    seed : of the panel.
    firms : number of firms whose patents are drawn. A firm's patents do not depend on it.

    Returns
    -------
    ``patents`` : ``firm``, ``year``, ``application``, ``ipc``.
    ``partners`` : by ``country`` and ``year``: ``imports``, ``exports``, ``gdp``, ``rd_spending``, in million yuan.
    ``city_trade`` : by ``city`` and ``year``: ``imports``, ``exports`` in million yuan; city 0 stands for all
    cities without listed firms.
    ``employment`` : ``city``, ``year``, ``sector``, ``persons``; no row for 2020.

    Raises
    ------
    ParameterError
        If there are not that many firms.
    DataError
        If no records can be behind the panel, e.g. because a firm's patents cover fewer groups than there are patents.
    """
    require_columns(panel, "firm", "year", "city", *INDICES.values())
    partners, city_trade = trade(panel, seed)
    return {
        "patents": patents(panel, seed, firms),
        "partners": partners,
        "city_trade": city_trade,
        "employment": employment(panel, seed),
    }


def _stream(seed: int, name: str, *more: int) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(f"records, {name}".encode()), *more])


# --- patents ---------------------------------------------------------------------------------------------------------


def patents(panel: pd.DataFrame, seed: int, firms: int) -> pd.DataFrame:
    """Draw patents that number ``patents`` and cover ``ipc_groups`` main groups in every year of a firm.

    A firm has a home field: groups of its subclass, class and section are likelier. Raises as :func:`generate`.
    """
    codes = np.sort(panel["firm"].unique())
    if not 1 <= firms <= len(codes):
        raise ParameterError(f"firms = {firms}: expected 1 to {len(codes)}, the number of firms in the panel")
    chosen = np.sort(_stream(seed, "firms").permutation(codes)[:firms])
    fields = read_csv(
        paths.FACTS / "ipc_main_groups.csv", {"section": str, "class": str, "subclass": str, "main_group": str}
    )
    rows = panel.loc[panel["firm"].isin(chosen), ["firm", "year", "patents", "ipc_groups"]].sort_values(
        ["firm", "year"]
    )
    few = rows["ipc_groups"] < rows["patents"]
    many = rows["ipc_groups"] > rows["patents"] * len(fields)
    if (few | many).any():
        row = rows[few | many].iloc[0]
        raise DataError(
            f"panel, firm {row['firm']}, year {row['year']}: {row['patents']} patents and {row['ipc_groups']} main "
            f"groups; expected between 1 and {len(fields)} groups for each patent"
        )
    popularity = np.log(_stream(seed, "fields").pareto(1.5, len(fields)) + 1)
    parts = [_firm(history, fields, popularity, seed) for _, history in rows.groupby("firm")]
    return pd.concat(parts, ignore_index=True)


def _firm(history: pd.DataFrame, fields: pd.DataFrame, popularity: np.ndarray, seed: int) -> pd.DataFrame:
    """Draw the patents of one firm."""
    firm = int(history["firm"].iloc[0])
    rng = _stream(seed, "patents", firm)
    home = fields.iloc[rng.integers(len(fields))]
    near = popularity + sum(
        1.5 * (fields[level] == home[level]).to_numpy() for level in ("section", "class", "subclass")
    )
    # every patent has one group; the others go to random patents of the year
    sizes, of_year = [], []
    for year, number, covered in history[["year", "patents", "ipc_groups"]].itertuples(index=False):
        if number:
            sizes.append(1 + _spread(rng, covered - number, number, len(fields) - 1))
            of_year.append(np.full(number, year))
    if not sizes:
        return pd.DataFrame({"firm": [], "year": [], "application": [], "ipc": []}).astype(
            {"firm": int, "year": int, "application": str, "ipc": str}
        )
    size, year = np.concatenate(sizes), np.concatenate(of_year)
    # the largest of weight + Gumbel noise: draws without replacement, in proportion to exp(weight)
    order = np.argsort(-(near + rng.gumbel(size=(len(size), len(fields)))), axis=1)[:, : size.max()]
    patent, rank = np.nonzero(np.arange(size.max()) < size[:, None])
    group = order[patent, rank]
    # one to three subgroups in each group, with even numbers below 100 as in the scheme
    subgroups = 1 + rng.binomial(2, 0.2, len(group))
    first = rng.integers(50, size=len(group))
    named = (fields["subclass"] + " " + fields["main_group"].str[4:]).to_numpy()[group]
    texts: list[list[str]] = [[] for _ in size]
    for p, name, start, extra in zip(patent, named, first, subgroups, strict=True):
        texts[p] += [f"{name}/{2 * ((start + 7 * j) % 50):02d}" for j in range(extra)]
    serial = np.concatenate([np.arange(1, len(part) + 1) for part in of_year])
    return pd.DataFrame(
        {
            "firm": firm,
            "year": year,
            "application": [f"S{y}-{firm:05d}-{n:04d}" for y, n in zip(year, serial, strict=True)],
            "ipc": ["; ".join(text) for text in texts],
        }
    )


def _spread(rng: np.random.Generator, total: int, places: int, room: int) -> np.ndarray:
    """Put ``total`` items in ``places`` at random, at most ``room`` in each."""
    held = np.minimum(rng.multinomial(total, np.full(places, 1 / places)), room)
    while left := total - held.sum():
        free = np.flatnonzero(held < room)
        held[free] = np.minimum(held[free] + rng.multinomial(left, np.full(len(free), 1 / len(free))), room)
    return held


# --- trade -----------------------------------------------------------------------------------------------------------


def trade(panel: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw the trade of partners and of cities that give ``spill``. Raises as :func:`generate`.

    Foreign R&D is scaled so that the panel's cities hold at most ``GREATEST_SHARE`` of national imports and exports in
    every year.
    """
    partners = _partners(np.arange(panel["year"].min(), panel["year"].max() + 1), _stream(seed, "partners"))
    gained = np.exp(_by_city(panel, "spill"))
    # cities differ in how much they import for what they export
    city, year = gained.index.get_level_values("city"), gained.index.get_level_values("year")
    rng = _stream(seed, "openness")
    of_city = pd.Series(rng.normal(0, 0.4, city.nunique()), np.sort(city.unique()))
    ratio = np.exp(of_city.loc[city].to_numpy() + rng.normal(0, 0.1, len(city)))  # import share / export share

    pool = pools(partners).loc[year].set_axis(gained.index)
    weights = pd.DataFrame({"exports": gained / (ratio * pool["spill_im"] + pool["spill_ex"])})
    weights["imports"] = ratio * weights["exports"]
    scale = weights.groupby("year").sum().to_numpy().max() / GREATEST_SHARE
    weights /= scale
    partners["rd_spending"] *= scale

    # 1.4: trade with all countries, relative to that with the twenty partners
    nation = 1.4 * partners.groupby("year")[["imports", "exports"]].sum()
    cities = weights[["imports", "exports"]] * nation.reindex(weights.index, level="year")
    rest = nation.loc[year.unique()] - cities.groupby("year").sum()
    rest.index = pd.MultiIndex.from_product([[ELSEWHERE], rest.index], names=["city", "year"])
    return partners, pd.concat([cities, rest]).sort_index().reset_index()


def _partners(years: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return made-up paths of trade, GDP and R&D of real countries, million yuan."""
    parts = []
    for country, (imports, exports, gdp, share) in _PARTNERS.items():
        start = {"imports": imports, "exports": exports, "gdp": gdp, "rd_spending": gdp * share / 100}
        part = pd.DataFrame({"country": country, "year": years})
        for name, level in start.items():
            noise = 0.06 if name in ("imports", "exports") else 0.01
            steps = rng.normal(_GROWTH[name], noise, len(years))
            part[name] = _YUAN * level * np.exp(np.cumsum(steps))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def pools(partners: pd.DataFrame) -> pd.DataFrame:
    """Return the national pools ``spill_im`` and ``spill_ex`` by year, in million yuan, from a table of partners."""
    stock = spillovers.rd_stock(partners, DEPRECIATION).rename("rd_stock").reset_index()
    return spillovers.national(spillovers.by_partner(partners.merge(stock, on=["country", "year"])))


# --- employment ------------------------------------------------------------------------------------------------------


def employment(panel: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw employment by sector, in persons, that gives ``conv``. Raises as :func:`generate`."""
    share = _by_city(panel, "conv")
    outside = ~share.between(0, 1)
    if outside.any():
        city, year = share.index[outside][0]
        raise DataError(f"panel, city {city}, year {year}: conv = {share[outside].iloc[0]:.3f}, expected a share")
    recorded = _recorded(share)
    city, year = (recorded.index.get_level_values(name) for name in ("city", "year"))
    rng = _stream(seed, "employment")
    # many listed firms, many jobs
    size = 2e4 * panel.groupby("city")["firm"].nunique() * rng.lognormal(0, 0.3, panel["city"].nunique())
    growth = 1.02 ** (year - year.min()).to_numpy()
    total = np.rint((1e5 + size.loc[city].to_numpy()) * growth * rng.lognormal(0, 0.02, len(city))).astype(int)
    services = np.rint(total * recorded.to_numpy()).astype(int)
    other = np.array(list(_OTHER_SECTORS.values())) / sum(_OTHER_SECTORS.values())
    persons = np.hstack([rng.multinomial(services, _SERVICE_WEIGHTS), rng.multinomial(total - services, other)])
    sectors = pd.Index([*SERVICES, *_OTHER_SECTORS], name="sector")
    return pd.DataFrame(persons, recorded.index, sectors).stack().rename("persons").reset_index()


def _recorded(share: pd.Series) -> pd.Series:
    """Return the shares of the years with records; a year that takes over another's must agree with it."""
    parts = [share]
    for year, source in CARRY.items():
        later = share[share.index.get_level_values("year") == year].rename({year: source}, level="year")
        known = share.reindex(later.index)
        apart = known.notna() & ((known - later).abs() > 1e-12)
        if apart.any():
            city = later.index[apart][0][0]
            raise DataError(f"panel, city {city}: conv differs between {source} and {year}, expected the same value")
        parts = [p[p.index.get_level_values("year") != year] for p in parts]
        parts.append(later[known.isna()])
    return pd.concat(parts).sort_index()


def _by_city(panel: pd.DataFrame, column: str) -> pd.Series:
    """Return a city variable by city and year, where any firm has it."""
    rows = panel.loc[panel[column].notna(), ["city", "year", column]]
    groups = rows.groupby(["city", "year"])[column]
    spread = groups.max() - groups.min()
    if (spread > 1e-12).any():
        city, year = spread.idxmax()
        raise DataError(f"panel, city {city}, year {year}: {column} differs between firms, expected one value")
    return groups.first()
