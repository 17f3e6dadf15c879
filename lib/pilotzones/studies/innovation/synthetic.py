r"""A synthetic panel of listed firms with a known truth, calibrated to the tables of Shi and Yu (2023).

Three layers, from what is fixed to what is random:

1. **Frame** (:mod:`~pilotzones.studies.innovation.frame`): which firm is observed where and when, what is missing, and
   the traits of cities. Drawn once, so that every printed number of observations comes out exactly.
2. **Controls, mediators and instruments**: random around the means and spreads of Table 1.
3. **Outcomes**: the index :math:`\mu_{it} = E[\ln(1 + \text{patents}_{it})]` is linear in firm, time, mediators and the
   reform, so that parallel trends hold in the units of the regressions. It is inverted to the rate of a Poisson
   distribution, from which patents are drawn.

The reform's effect differs by revenue, ability and city, and builds up over the years. Only the structural parameters
in ``parameters.toml`` are calibrated; no draw is changed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import special, stats

from pilotzones.studies.innovation.frame import MUNICIPALITIES, PARAMETERS, YEARS, frame, settings, with_moments
from pilotzones.studies.innovation.study import BATCHES

__all__ = ["EFFECTS", "EFFECT_CELLS", "NO_ESTIMAND", "PARAMETERS", "SET_DIRECTLY", "TARGETS", "generate", "parameters"]

STRUCTURAL = ("outcome", "effect", "mediators", "other_outcomes", "instruments")
LARGEST, LARGEST_INVENTION = 899, 747  # patents a year, the maxima of Table 1: the paper's counts look winsorised
FLOOR, CEILING = 0.004, 6.78  # of mu, where its inversion ends: a firm at the floor never innovates

# parameter, the printed cell that settles it (table/column/term/statistic; "a - b": their difference), and the step of
# the numerical derivative
TARGETS = (
    ("base", "T1//inno_total/mean", 0.1),
    ("ability_sd", "T1//inno_total/sd", 0.1),
    ("noise_sd", "T2/3/treat_post/se", 0.08),
    ("noise_fading", "T5/4/treat_post/se", 0.06),
    ("trend", "T2/3//r2", 0.02),
    ("newcomers", "T2/1/treat_post/estimate", 0.03),
    ("rich_city", "T2/2/treat_post/estimate", 0.1),
    ("skill", "T2/2//r2", 0.1),
    ("trend_size", "T5/3//r2 - T5/1//r2", 0.02),
    ("invention", "T1//inno_invent/mean", 0.2),
    ("invention_growth", "T2/4//r2", 0.03),
    ("invention_reform", "T2/4/treat_post/estimate - T2/3/treat_post/estimate", 0.2),
    ("groups_growth", "T3/3//r2", 0.01),
    ("groups_reform", "T3/3/treat_post/estimate - T2/3/treat_post/estimate", 0.1),
    ("rd_reporting", "T3/2/treat_post/se", 0.4),
    ("rd_growth", "T3/2//r2", 0.05),
    ("effect_ability", "T5/5/treat_post/estimate - T5/4/treat_post/estimate", 0.05),
    ("profit_roa", "T7/1//r2", 0.3),
    ("profit_sd", "T7/2/profit/se", 0.02),
    ("conv_province_sd", "T7/3//r2", 0.003),
    ("conv_sd", "T7/4/conv/se", 0.003),
    ("spill_province_sd", "T8/1//r2", 0.03),
    ("spill_sd", "T8/2/spill/se", 0.03),
    ("relevance", "T4/2/treat_post/se", 0.05),
    ("phone_unit", "T4/1/iv1_phone84_x_internet/estimate", 0.1),
    ("post_unit", "T4/1/iv2_postoffice84_x_internet/estimate", 0.1),
)
# the direct effects, solved together and without noise by running each column on the true effects
EFFECTS = ("effect_base", "effect_small", "effect_medium", "effect_digital", "effect_fiscal", "effect_1984")
EFFECT_CELLS = (
    "T2/3/treat_post/estimate", "T3/4/treat_post_frac/estimate", "T3/5/treat_post2016/estimate",
    "T4/2/treat_post/estimate", "T5/1/treat_post/estimate", "T5/2/treat_post/estimate", "T5/3/treat_post/estimate",
    "T6/1/treat_post/estimate", "T6/2/treat_post/estimate", "T6/3/treat_post/estimate", "T6/4/treat_post/estimate",
)  # fmt: skip
# linear equations and margins: the parameter is the printed number, or follows from it in closed form
SET_DIRECTLY = (
    "T3/2/treat_post/estimate",
    "T7/1/treat_post/estimate", "T7/3/treat_post/estimate", "T8/1/treat_post/estimate", "T7/2/profit/estimate",
    "T7/4/conv/estimate", "T8/6/spill/estimate", "T1//treat_post/mean", "T1//treat_post/sd",
    *(f"T1//{name}/{moment}" for name in ("kn", "wage", "debt", "roa") for moment in ("mean", "sd")),
)  # fmt: skip
# columns whose expectation is no mean of true effects: no fixed effects, split by the outcome, with a mediator
NO_ESTIMAND = {("T2", "1"), ("T2", "2"), ("T5", "4"), ("T5", "5"), ("T7", "2"), ("T7", "4"), ("T8", "2")}


def parameters() -> dict[str, Any]:
    """Return the structural parameters by name, as committed."""
    return {name: value for part in STRUCTURAL for name, value in settings()[part].items()}


class Draws:
    """Independent standard normal shocks of one seed at every level of the panel, each stream with its own name."""

    def __init__(self, rows: pd.DataFrame, seed: int) -> None:
        self._seed = seed
        self._firm, self._city, self._province = (pd.factorize(rows[c])[0] for c in ("firm", "city", "province"))
        self._year = rows["year"].to_numpy() - YEARS[0]
        self._age = rows.groupby("firm").cumcount().to_numpy()

    def stream(self, name: str) -> np.random.Generator:
        """Return the generator of one named stream."""
        return np.random.default_rng([self._seed, crc32(name.encode())])

    def uniform(self, name: str) -> np.ndarray:
        """Return one uniform number per row."""
        return self.stream(name).uniform(size=len(self._firm))

    def row(self, name: str) -> np.ndarray:
        """Return one shock per row."""
        return self.stream(name).normal(size=len(self._firm))

    def firm(self, name: str) -> np.ndarray:
        """Return one shock per firm, by row."""
        return self.stream(name).normal(size=self._firm.max() + 1)[self._firm]

    def city(self, name: str) -> np.ndarray:
        """Return one shock per city, by row."""
        return self.stream(name).normal(size=self._city.max() + 1)[self._city]

    def city_year(self, name: str, ago: int = 0, until: int = YEARS[-1]) -> np.ndarray:
        """Return one shock per city and year, by row, of ``ago`` years earlier; 0 before the first sample year.

        The shock of the year ``until`` is repeated afterwards.
        """
        shocks = self.stream(name).normal(size=(self._city.max() + 1, len(YEARS)))
        year = np.minimum(self._year - ago, until - YEARS[0])
        return np.where(year >= 0, shocks[self._city, year], 0.0)

    def province_year(self, name: str, until: int = YEARS[-1]) -> np.ndarray:
        """Return one shock per province and year, by row; that of the year ``until`` is repeated afterwards."""
        shocks = self.stream(name).normal(size=(self._province.max() + 1, len(YEARS)))
        return shocks[self._province, np.minimum(self._year, until - YEARS[0])]

    def persistent(self, name: str, rho: float) -> np.ndarray:
        """Return a stationary first-order autoregression along the years of each firm."""
        shock = self.row(name)
        for t in range(1, len(YEARS)):
            now = np.flatnonzero(self._age == t)
            shock[now] = rho * shock[now - 1] + np.sqrt(1 - rho**2) * shock[now]
        return shock


@cache
def _quantiles(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return normal scores and a control's values there: long tails cut at the bounds of Table 1, or a bounded beta."""
    mean, sd, low, high = settings()["margins"][name]
    scores = np.linspace(-5, 5, 2001)
    if name in ("kn", "roa"):
        tails = stats.t.ppf(stats.norm.cdf(scores), 5)
        return scores, with_moments(name, lambda a, b: a + b * tails, stats.norm.pdf(scores))
    m, v = (mean - low) / (high - low), (sd / (high - low)) ** 2
    n = m * (1 - m) / v - 1
    return scores, low + (high - low) * stats.beta.ppf(stats.norm.cdf(scores), n * m, n * (1 - m))


@cache
def _poisson_table() -> tuple[np.ndarray, np.ndarray]:
    """Return E[ln(1 + n)], n Poisson and cut at ``LARGEST``, and the log rate it belongs to."""
    log_rate, counts = np.linspace(-12, 8, 401), np.arange(LARGEST)
    pmf = np.exp(counts * log_rate[:, None] - np.exp(log_rate)[:, None] - special.gammaln(counts + 1))
    return pmf @ np.log1p(counts) + (1 - pmf.sum(axis=1)) * np.log1p(LARGEST), log_rate


def generate(seed: int, overrides: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Draw one panel.

    Parameters
    ----------
    seed : of everything random; the frame is the same for all seeds.
    overrides : structural parameters that differ from ``parameters.toml``, by name.

    Returns
    -------
    The raw variables of the study, 30,685 rows, and ``true_effect``: E[y(1)] - E[y(0)] of the reform on
    y = ln(1 + patents) in that row, through the direct effect and the mediators; 0 in untreated rows.
    """
    p = {**parameters(), **(overrides or {})}
    rows, cities = frame()
    draws = Draws(rows, seed)
    city = cities.loc[rows["city"]].reset_index(drop=True)
    pilot = city["batch"].isin(BATCHES).to_numpy()
    since, time = rows["event_time"].to_numpy(), rows["year"].to_numpy() - 2016.0
    out = rows[["firm", "year", "city", "province", "age", "cgdp", "ind", "tech"]].copy()

    # firms: controls vary around lasting levels and share a trend; wages reflect skill; revenue keeps its third
    skill = draws.firm("skill")
    for name, (lasting, trend, rho) in settings()["controls"].items():
        moving = trend * (time - time.mean())
        score = np.sqrt(lasting) * (skill if name == "wage" else draws.firm(name)) + moving
        score += np.sqrt(1 - lasting) * draws.persistent(f"{name}, yearly", rho)
        out[name] = np.interp(score / np.sqrt(1 + moving.var()), *_quantiles(name))
    rank = stats.norm.cdf(0.9 * draws.firm("revenue") + 0.436 * draws.persistent("revenue, yearly", 0.7))
    revenue = stats.norm.ppf((rows["third"] + rank) / 3)
    out["income"] = 21.4 + 1.45 * revenue
    out["asset"] = 22.1 + 1.1 * revenue + 0.6 * draws.persistent("asset", 0.8)
    out["CA"] = 0.045 + 0.5 * (out["roa"] - 0.038) + 0.06 * draws.row("cash flow")
    out["BM"] = np.exp(-0.5 + 0.35 * draws.firm("book to market") + 0.45 * draws.row("book to market, yearly"))

    # cities: telephones and post offices of 1984 foretell later pilot zones
    for name, trait, unit in (("phone84", "phones", "phone_unit"), ("post84", "posts", "post_unit")):
        units = 2 + p["relevance"] * pilot + 0.5 * city[trait]
        out[name] = (p[unit] * units).where(city["records_1984"])
    out[["digital", "fiscal"]] = city[["digital", "fiscal"]]

    # the direct effect; the municipalities' is not identified and has no city part
    a, b = p["ability_shape"]
    ability = stats.beta.ppf(stats.norm.cdf(draws.firm("ability")), a, b)
    ability = (ability - a / (a + b)) / stats.beta.std(a, b)
    of_city = p["effect_digital"] * city["digital_high"] + p["effect_fiscal"] * city["fiscal_high"]
    of_city += p["effect_1984"] * city[["phones", "posts"]].mean(axis=1)
    full = p["effect_base"] + p["effect_ability"] * ability
    full += of_city.where(~rows["city"].isin(MUNICIPALITIES), 0.0)
    full += p["effect_small"] * (rows["third"] == 0) + p["effect_medium"] * (rows["third"] == 1)
    treated = (since >= 0).astype(float)
    profile = treated * np.array(p["profile"])[np.clip(since, 0, 5)]

    # mediators: the reform's effect on each, and what of it moves patents
    own = p["profit_firm_sd"] * draws.firm("profit") + p["profit_sd"] * draws.row("profit, yearly")
    out["profit"] = p["profit_roa"] * out["roa"] + p["profit_reform"] * treated + own
    # the paper takes the integration of 2019 for 2020
    region = p["conv_city_sd"] * draws.city("conv")
    region += p["conv_province_sd"] * draws.province_year("conv, province", until=2019)
    conv = region + p["conv_sd"] * draws.city_year("conv, yearly", until=2019) + p["conv_reform"] * treated
    out["conv"] = p["conv_mean"] + conv
    region = p["spill_mean"] + p["spill_developed"] * city["developed"]
    region += p["spill_province_sd"] * draws.province_year("spill, province")
    out["spill"] = region + p["spill_sd"] * draws.city_year("spill, yearly") + p["spill_reform"] * treated
    spill_before = p["spill_sd"] * draws.city_year("spill, yearly", ago=2) + p["spill_reform"] * (since >= 2)

    # the index, the true effect, patents
    entry = rows.groupby("firm")["year"].transform("min").to_numpy() - 2013
    mean, sd = settings()["margins"]["cgdp"][:2]
    level = p["base"] + p["ability_sd"] * ability + p["skill"] * skill + p["newcomers"] * entry
    level += p["rich_city"] * (rows["cgdp"] - mean) / sd + (p["trend"] + p["trend_size"] * revenue) * time
    level += p["kn"] * (out["kn"] - 12.5) + p["roa"] * out["roa"]
    level += p["province_year_sd"] * draws.province_year("patents, province")
    level += p["city_year_sd"] * draws.city_year("patents, city")
    level += p["noise_sd"] * np.exp(-p["noise_fading"] * ability) * draws.persistent("patents", p["noise_rho"])
    level -= 9.0 * (stats.norm.cdf(draws.firm("never")) < p["never"])  # to the floor
    index = level + profile * full + p["spill_patents"] * spill_before
    index += p["profit_patents"] * (p["profit_reform"] * treated + own) + p["conv_patents"] * conv
    effect = profile * full + p["spill_patents"] * p["spill_reform"] * (since >= 2)
    effect += (p["profit_patents"] * p["profit_reform"] + p["conv_patents"] * p["conv_reform"]) * treated
    mu = np.clip(index, FLOOR, CEILING)
    out["true_effect"] = mu - np.clip(index - effect, FLOOR, CEILING)
    rate = np.exp(np.interp(mu, *_poisson_table()))
    patents = np.minimum(stats.poisson.ppf(draws.uniform("patents"), rate), LARGEST)
    out["patents"] = patents.astype(int)

    # inventions among them, the technical fields they cover, reported R&D
    odds = p["invention"] + p["invention_growth"] * time + p["invention_reform"] * profile
    share = special.expit(odds + p["invention_sd"] * draws.firm("invention"))
    inventions = stats.binom.ppf(draws.uniform("inventions"), patents, share)
    out["patents_invention"] = np.minimum(inventions, LARGEST_INVENTION).astype(int)
    breadth = p["groups"] + p["groups_growth"] * time + p["groups_reform"] * profile
    breadth += p["groups_sd"] * draws.firm("groups")
    further = stats.poisson.ppf(draws.uniform("groups"), patents * np.exp(breadth))
    out["ipc_groups"] = (patents + further).astype(int)  # every patent is in one group at least
    reports = p["rd_reporting"] + p["rd_reporting_growth"] * time + p["rd_reporting_sd"] * draws.firm("R&D reported")
    reports += special.logit(draws.uniform("R&D reported"))
    amount = p["rd_mean"] + p["rd_growth"] * time + p["rd_reform"] * profile
    amount += p["rd_firm_sd"] * draws.firm("R&D") + p["rd_sd"] * draws.row("R&D, yearly")
    out["RD"] = np.where(reports > 0, amount, 0.0)

    for name in [c.removeprefix("no_") for c in rows if c.startswith("no_")]:
        out[name] = out[name].where(~rows[f"no_{name}"])
    return out
