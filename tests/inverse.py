"""From a synthetic panel back to what licensed files would hold: items and records that assemble to it again.

``items_<study>`` returns items, as formulas call them, by unit and year (or by unit); ``records_<study>`` the tables of
records as readers return them. What formulas divide by and numbers that no variable uses are made up.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pilotzones import policy
from pilotzones.studies.innovation import records as innovation
from pilotzones.studies.quality import records as quality
from pilotzones.studies.quality.exports import PROVINCE
from pilotzones.studies.quality.study import STUDY as QUALITY

# --- innovation ------------------------------------------------------------------------------------------------------

_OF_CITIES = ("cgdp", "ind", "tech", "conv", "spill")


def city_wise(raw: pd.DataFrame) -> pd.DataFrame:
    """Return a raw panel of firms in which a city's variables are missing for all its firms or for none."""
    whole = raw.copy()
    for name in _OF_CITIES:
        whole[name] = raw.groupby(["city", "year"])[name].transform("first")
    for name in ("phone84", "post84"):
        whole[name] = raw.groupby("city")[name].transform("first")
    # jobs by sector of 2020 are those of 2019
    recorded = _jobs(raw)
    carried = recorded.reindex(pd.MultiIndex.from_arrays([raw["city"], raw["year"].replace(2020, 2019)]))
    return whole.assign(conv=carried.to_numpy())


def _jobs(raw: pd.DataFrame) -> pd.Series:
    """Return the share of producer services by city and year in which it is recorded, never 2020."""
    rows = raw[["city", "year", "conv"]].dropna().sort_values("year")
    return rows.assign(year=rows["year"].replace(2020, 2019)).groupby(["city", "year"])["conv"].first()


def items_innovation(raw: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the items behind the innovation study; firms without R&D or patents have no number, as in real files."""
    firms = raw.set_index(["firm", "year"])
    firm, year = (firms.index.get_level_values(name) for name in firms.index.names)
    employees = pd.Series(200.0 + firm % 3000 + 10 * (year - 2011), firms.index)
    assets, revenue = np.exp(firms["asset"]), np.exp(firms["income"])
    # a first year has assets of the year before in the file, too
    entered = [(f, y - 1) for f, y in firms.index if (f, y - 1) not in firms.index]
    before = pd.Series(
        0.9 * assets.loc[[(f, y + 1) for f, y in entered]].to_numpy(), pd.MultiIndex.from_tuples(entered)
    )
    all_assets = pd.concat([assets, before]).sort_index()
    of_before = all_assets.reindex(pd.MultiIndex.from_arrays([firm, year - 1])).to_numpy()
    found = {
        "city": firms["city"],
        "founded": year - firms["age"],
        "employees": employees,
        "fixed_assets": np.exp(firms["kn"]) * employees,
        "pay": np.exp(firms["wage"]) * employees,
        "assets": all_assets,
        "liabilities": firms["debt"] * assets,
        "net_profit": firms["roa"] * (assets + of_before) / 2,
        "revenue": revenue,
        "operating_profit": firms["profit"] * revenue,
        "cash_flow": firms["CA"] * assets,
        "book_to_market": firms["BM"],
        "rd": np.expm1(firms["RD"]).replace(0, np.nan),
        "patents": firms["patents"].replace(0, np.nan).astype(float),
        # reported where there is any patent
        "patents_invention": firms["patents_invention"].where(firms["patents"] > 0).astype(float),
        **_innovation_cities(raw),
    }
    return {name: values.dropna().rename_axis(_axis(values)) for name, values in found.items()}


def _innovation_cities(raw: pd.DataFrame) -> dict[str, pd.Series]:
    cities = city_wise(raw).groupby(["city", "year"])[["cgdp", "ind", "tech"]].first()
    lasting = raw.groupby("city")[["phone84", "post84", "digital", "fiscal"]].first()
    every = pd.MultiIndex.from_product([lasting.index, sorted(raw["year"].unique())])
    city, year = (every.get_level_values(level) for level in (0, 1))
    population = pd.Series(100.0 + city % 900 + (year - 2011), every)
    gdp = pd.Series(1e6 * (1 + city % 97) * 1.08 ** (year - 2011), every)
    # only the first year counts: the others are other numbers
    other = 1 + 0.05 * (year - 2011)
    jobs = _jobs(raw)
    employment = pd.Series(10.0 + jobs.index.get_level_values("city") % 300, jobs.index)
    weights = {"transport": 0.28, "ict": 0.16, "finance": 0.22, "leasing": 0.19, "research": 0.15}
    return {
        "city_gdp_pc": np.exp(cities["cgdp"]),
        "city_tertiary": 100 * cities["ind"],
        "city_science": 1000 * cities["tech"] * population.reindex(cities.index),
        "city_population": population,
        "city_gdp": gdp,
        "city_expenditure": pd.Series(lasting["fiscal"].loc[city].to_numpy() * other, every) * gdp,
        "city_broadband": pd.Series(lasting["digital"].loc[city].to_numpy() * other, every) * population / 100,
        "city_phones_1984": lasting["phone84"],
        "city_posts_1984": lasting["post84"],
        "city_employment": employment,
        **{f"city_{name}_employees": weight * jobs * employment for name, weight in weights.items()},
    }


def records_innovation(raw: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Return patents of all firms, trade of partners and of cities behind a raw panel."""
    partners, trade = innovation.trade(raw, seed)
    # in a file, all other trade needs a city to stand under
    free = policy.cities().query("is_city == 1 and adcode not in @raw.city")["adcode"].max()
    return {
        "patents": innovation.patents(raw, seed, raw["firm"].nunique()),
        "partners": partners,
        "city_trade": trade.replace({"city": {innovation.ELSEWHERE: free}}),
    }


# --- quality ---------------------------------------------------------------------------------------------------------


def items_quality(raw: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the items behind the quality study, without free trade zones, which are facts of the book."""
    firms = raw.set_index(["firm", "year"])
    firm, year = (firms.index.get_level_values(name) for name in firms.index.names)
    liabilities = pd.Series(1e6 * (1 + firm % 977), firms.index)
    provinces = raw.drop_duplicates(["province", "year"]).set_index(["province", "year"])
    found = {
        "province": firms["province"],
        "founded": year - firms["age"],
        "employees": firms["employees"],
        "current_liabilities": liabilities,
        "current_assets": firms["debt"] * liabilities,
        "state": firms["state"],
        "state_share": 100 * firms["share"],
        "largest_share": 100 * firms["con"],
        **{f"province_{name}": provinces[name] for name in PROVINCE},
    }
    return {name: values.astype(float).rename_axis(_axis(values)) for name, values in found.items()}


def records_quality(raw: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Return the customs records of all exporters, elasticities and income; products and destinations are text."""
    drawn = quality.generate(QUALITY.derive(raw), seed, 0)
    text = {"product": str, "destination": str}
    columns = ["firm", "province", "product", "destination", "year", "quantity", "price"]
    return {
        "customs": drawn["customs"][columns].astype(text),
        "products": drawn["products"][["product", "sigma"]].astype({"product": str}),
        "income": drawn["income"],
    }


def _axis(values: pd.Series) -> list[str]:
    return ["unit", "year"][: values.index.nlevels]


# --- panels of cities ------------------------------------------------------------------------------------------------


def _of_cities(raw: pd.DataFrame, columns: dict[str, pd.Series]) -> dict[str, pd.Series]:
    """Return columns of a panel as items by city and year, without missing values."""
    index = pd.MultiIndex.from_frame(raw[["city", "year"]])
    return {name: pd.Series(values.to_numpy(float), index).dropna() for name, values in columns.items()}


def _cny_per_usd(raw: pd.DataFrame) -> pd.Series:
    return raw["year"].map(policy.national_series("cny_per_usd_avg_nbs"))


def items_resilience(raw: pd.DataFrame) -> dict[str, pd.Series]:
    """Return items of yearbooks behind a raw panel; the population, deposits and the parts of trade are made up."""
    gdp, deposits, trade = raw["gdp"], 1.4 * raw["gdp"], raw["trade"] * raw["gdp"] / 100
    people = (0.95 * gdp / raw["gdp_pc"]).round(2)
    same = ("gdp_pc", "income", "unemployed", "retail", "tertiary", "investment", "science", "education", "gdp",
            "expenditure", "ict_employees", "light")  # fmt: skip
    return _of_cities(raw, {
        **{name: raw[name] for name in same},
        "savings": raw["savings"] / 1e4,
        "imports": 0.4 * trade,
        "exports": 0.6 * trade,
        "revenue": raw["fiscal_ratio"] * raw["expenditure"] / 100,
        "deposits": deposits,
        "lending": raw["loans"] * deposits / 100,
        "patents_granted": raw["patents"],
        "population": people,
        "students": raw["students"] * people,
        "urbanisation": 100 * raw["population"],
        "fdi": raw["fdi"] * gdp / _cny_per_usd(raw),
        "employment": 10 * raw["employment"],
    })  # fmt: skip


def items_coordination(raw: pd.DataFrame) -> dict[str, pd.Series]:
    """Return items of yearbooks at current prices behind a raw panel; prices, deposits and the budget are made up."""
    province = raw["city"] // 10000 * 10000
    by_province = raw.assign(province=province).drop_duplicates(["province", "year"]).set_index(["province", "year"])
    code, year = (by_province.index.get_level_values(name).to_numpy() for name in ("province", "year"))
    cpi = pd.Series(101.5 + code // 10000 % 7 / 10 + year % 3 / 10, by_province.index).sort_index()
    level = (cpi.where(cpi.index.get_level_values("year") > 2010, 100.0) / 100).groupby("province").cumprod()
    price = pd.Series(level.loc[pd.MultiIndex.from_arrays([province, raw["year"]])].to_numpy(), raw.index)

    people, gdp = raw["population"], raw["gdp"] * 1e4 * price
    budget = 0.18 * gdp
    same = ("growth", "population", "area", "secondary", "institution", "capital_labour", "skill", "data_factor")
    cities = _of_cities(raw, {
        **{name: raw[name] for name in same},
        "gdp": gdp,
        "gdp_pc": raw["gdp_pc"] * price,
        "investment": raw["investment_pc"] * people * price,
        "tertiary": raw["services"],
        "fdi": raw["fdi_pc"] * people * price / _cny_per_usd(raw),
        "industry": raw["industry"] * 1e4 * price,
        "retail": raw["retail_pc"] * people * price,
        "savings": raw["savings_pc"] * people * price,
        "wage": raw["wage"] * price,
        "education": raw["education"] * price,
        "science": raw["science"] * price,
        "revenue": raw["fiscal_ratio"] * budget,
        "expenditure": budget,
        "patents_granted": raw["patents_pc"] * people,
        "students": raw["human_capital"] * people,
        "deposits": 0.6 * raw["finance"] * gdp,
        "lending": 0.4 * raw["finance"] * gdp,
        "broadband": raw["broadband"] * people / 100,
    })  # fmt: skip
    return {**cities, "province_cpi": cpi}


def records_coordination(raw: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the sentences of new documents by city and year behind those in force; years without any have no row."""
    tools = [name for name in raw if name.startswith("tool_")]
    wide = raw.sort_values(["city", "year"]).set_index(["city", "year"])[tools]
    new = wide.groupby("city").diff().fillna(wide)
    new = new[(new != 0).any(axis=1)].rename(columns=lambda name: name.removeprefix("tool_"))
    return {"tools": new.reset_index()}


def items_productivity(raw: pd.DataFrame) -> dict[str, pd.Series]:
    """Return items of yearbooks and own tables behind a raw panel; the budget and the parts of sums are made up."""
    gdp = raw["gdp_pc"] * raw["residents"]
    budget, granted = 0.2 * gdp, (0.4 * raw["patents"]).round()
    same = ("wage", "colleges", "broadband", "waste_treated", "ai_firms", "green_inventions", "green_utility",
            "data_words", "data_platform", "gdp_pc", "residents")  # fmt: skip
    return _of_cities(raw, {
        **{name: raw[name] for name in same},
        "emerging_employees": raw["employees"],
        "telecom": 1e4 * raw["telecom"],
        "pollution_control": 1e4 * raw["pollution_control"],
        "permit_trading": 100 * raw["permit_trading"],
        "gdp": gdp,
        "imports": 0.4 * raw["open"] * gdp,
        "exports": 0.6 * raw["open"] * gdp,
        "deposits": raw["fin"] * gdp,
        "expenditure": budget,
        "science": raw["tec"] * budget,
        "urbanisation": 100 * raw["urban"],
        "retail": raw["market"] * gdp,
        "fdi": raw["fdi"] * gdp / _cny_per_usd(raw) / 100,
        "patents_applied": raw["patents"] - granted,
        "patents_granted": granted,
    })  # fmt: skip
