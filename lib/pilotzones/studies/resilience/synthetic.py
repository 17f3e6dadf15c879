r"""A synthetic panel of cities with a known truth, calibrated to the tables of Huang, Liu, Sun and Wang (2025).

Three layers, from what is fixed to what is random:

1. **Frame** (:mod:`~pilotzones.studies.resilience.frame`): cities, years, lasting size, and what is missing.
2. **Indicators**: :math:`x_{it} = a_i e^{\nu u_{it}} + b t`: a city's lasting level, yearly shocks that fade slowly,
   and growth by the same amount everywhere (GDP per head and education: in part by the same share). Entropy weights
   follow from how unequal the levels :math:`a_i` are.
3. **Reform**: it adds :math:`c_j a_i^{\kappa} \tau_{g} h_i (1 + 0.3 k)` to indicator :math:`j`, :math:`k` years after
   the start, by group of batches :math:`g` and region, :math:`h_i` being the city's own factor. It never touches the
   index directly.

Everything that the paper derives (the index, shares, logs) is derived from these raw numbers by the study. Only the
structural parameters in ``parameters.toml`` are calibrated; no draw is changed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from pilotzones import policy
from pilotzones.measures import composite
from pilotzones.studies.resilience.frame import PARAMETERS, YEARS, frame, settings
from pilotzones.studies.resilience.study import CONTROLS, RESILIENCE

__all__ = ["EFFECTS", "EFFECT_CELLS", "NO_ESTIMAND", "PARAMETERS", "SET_DIRECTLY", "TARGETS", "generate", "parameters"]

STRUCTURAL = ("spread", "outcome", "effect", "controls", "mediators", "light")
EXCHANGED = {"spread_savings": "spread_unemployed", "spread_unemployed": "spread_savings"}  # see the study
UNWEIGHTED = ("spread_income", "spread_education")  # not settled by their weights, see parameters.toml
POLICIES = {"bdcpz": "big_data_pilot_zone", "bci": "broadband_china", "cftzs": "free_trade_zone"}
OWN_NOISE = {"gdp_pc": "gdp", "income": "income", "fiscal_ratio": "fiscal", "retail": "retail"}  # controls too
# mediator -> name of its parameters, trait that gives its level, mean level in the study's unit
MEDIATORS = {
    "sci_tech_level": ("sci_tech", "sci_tech", 0.014),
    "ict_employees": ("ict", "ict_employees", 1.3),
    "employment": ("employment", "employment", 4.0),
}

# parameter, the printed cell that settles it (table/column/term/statistic; "a at b": cell a has the value printed for
# b), and the step of the numerical derivative
_WEIGHTS = {f"spread_{column}": f"T1//{name}/weight" for column, name in RESILIENCE.indicators.items()}
TARGETS = (
    *((name, cell, 0.03) for name, cell in _WEIGHTS.items() if name not in (*EXCHANGED, *UNWEIGHTED)),
    *((name, f"{_WEIGHTS[name]} at {_WEIGHTS[other]}", 0.03) for name, other in EXCHANGED.items()),
    ("spread_education", "T2/1/_cons/estimate", 0.03),  # weights sum to one: the last settles the level of the index
    ("noise", "T2/2//r2", 0.05),
    ("patents_noise", "T6/1//r2", 0.05),
    ("patents_unit", "T6/1/treat_post/estimate", 500.0),
    ("bdcpz", "T3/3/bdcpz/estimate", 0.05),
    ("bci", "T3/3/bci/estimate", 0.05),
    ("income_noise", "T2/2/lnincome/se", 0.01),
    ("population_noise", "T2/2/population/se", 0.002),
    ("fiscal_noise", "T2/2/fiscal/se", 0.01),
    ("retail_noise", "T2/2/consumption/se", 0.02),
    ("fdi_noise", "T2/2/fdi/se", 0.001),
    ("sci_tech_reform", "T6/2/treat_post/estimate", 0.001),
    ("sci_tech_noise", "T6/2/treat_post/se", 0.03),
    ("ict_reform", "T6/3/treat_post/estimate", 0.05),
    ("ict_noise", "T6/3/treat_post/se", 0.03),
    ("ict_spread", "T6/3//r2", 0.05),
    ("employment_reform", "T6/4/treat_post/estimate", 0.05),
    ("employment_noise", "T6/4/treat_post/se", 0.03),
    ("employment_spread", "T6/4//r2", 0.05),
    ("light_mean", "T4/1/light_post/estimate", 0.5),
    ("light_spread", "T4/2/treat_post/estimate", 0.05),
)
# the true effects, solved together and without noise by running each column on them
EFFECTS = ("effect_early", "effect_middle", "effect_late", "effect_central", "effect_west", "effect_size")
EFFECT_CELLS = tuple(
    f"T{place}/treat_post/estimate" for place in ("2/1", "2/2", "3/1", "5/1", "5/2", "5/3", "5/4", "5/5")
)
RIDGE = 0.02  # on the effects, which are of order one here
OTHER_CAUSES = True  # of the gap between zones and other cities: big data zones and Broadband China
# slopes of a linear equation: the parameter is the printed number
SET_DIRECTLY = tuple(f"T6/{column}/{control}/estimate" for column in (1, 2, 3, 4) for control in CONTROLS)
# columns whose expectation is no mean of true effects: other outcomes, and the index winsorised
NO_ESTIMAND = {("T3", "2")}


def parameters() -> dict[str, Any]:
    """Return the structural parameters by name, as committed."""
    return {name: value for part in STRUCTURAL for name, value in settings()[part].items()}


class Draws:
    """Independent standard normal shocks of one seed, each stream with its own name."""

    def __init__(self, seed: int, cities: int) -> None:
        self._seed, self._cities = seed, cities

    def city(self, name: str) -> np.ndarray:
        """Return one shock per city, shape (cities, 1)."""
        return self._stream(name).normal(size=(self._cities, 1))

    def yearly(self, name: str, rho: float) -> np.ndarray:
        """Return a stationary first-order autoregression along the years of each city, shape (cities, years)."""
        shocks = self._stream(name).normal(size=(self._cities, len(YEARS)))
        for t in range(1, len(YEARS)):
            shocks[:, t] = rho * shocks[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
        return shocks

    def _stream(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, crc32(name.encode())])


def lognormal(score: np.ndarray, spread: float) -> np.ndarray:
    """Return values of mean 1 with the given sd of logs, from standard normal scores."""
    return np.exp(spread * score - spread**2 / 2)


def generate(seed: int, overrides: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Draw one panel.

    Parameters
    ----------
    seed : of everything random; the frame is the same for all seeds.
    overrides : structural parameters that differ from ``parameters.toml``, by name.

    Returns
    -------
    The raw variables of the study, 3,679 rows, and ``true_effect``: the index of the row less what it would be without
    the reform, see :func:`true_effect`.
    """
    p = {**parameters(), **(overrides or {})}
    rows, cities = frame()
    draws, time = Draws(seed, len(cities)), (YEARS - YEARS[0]).astype(float)
    score = {name: cities[f"score_{name}"].to_numpy()[:, None] for name in settings()["traits"]}
    level = {name: lognormal(score[name], p[f"spread_{name}"]) for name in RESILIENCE.indicators}
    level["tertiary"] = 3.5 - np.exp(-p["spread_tertiary"] * score["tertiary"])  # a long tail on the left

    # how far the reform has come in a city, and other policies
    since = YEARS - cities["start"].to_numpy()[:, None]
    treated = since >= 0
    full = cities["group"].map({name: p[f"effect_{name}"] for name in ("early", "middle", "late")}).fillna(0.0)
    full += cities["region"].map({"east": 0.0, "central": p["effect_central"], "west": p["effect_west"]})
    own = lognormal(draws.city("effect"), p["effect_spread"])
    reform = np.where(
        treated, full.to_numpy()[:, None] * own * (1 + p["effect_growth"] * np.where(treated, since, 0)), 0.0
    )
    others = sum(p[name] * _in_force(cities, title) for name, title in POLICIES.items())

    # controls without the reform, and how they differ from their city's and year's means
    noise = {name: p["noise"] * relative for name, relative in settings()["noise"].items()}
    noise |= {"patents": p["patents_noise"]} | {name: p[f"{short}_noise"] for name, short in OWN_NOISE.items()}
    shock = {
        name: draws.yearly(name, p["control_rho"] if name in OWN_NOISE else p["noise_rho"])
        for name in RESILIENCE.indicators
    }
    urban = 0.54 + 0.12 * score["gdp_pc"] + 0.011 * (time - 6)
    urban = np.clip(urban + p["population_noise"] * draws.yearly("population", p["control_rho"]), 0.05, 1.0)
    fdi = 0.022 * lognormal(score["trade"], 0.6) - 0.0005 * time
    fdi = np.maximum(fdi + p["fdi_noise"] * draws.yearly("fdi", p["control_rho"]), 0.0)
    residents = cities["residents"].to_numpy()[:, None]

    def indicator(name: str, lift: np.ndarray | float) -> np.ndarray:
        floor, unit, growth, trend = settings()["indicators"][name]
        unit, trend = (p["patents_unit"] * u if name == "patents" else u for u in (unit, trend))
        x = floor + unit * (level[name] * lognormal(shock[name], noise[name]) + lift)
        return np.maximum(x * (1 + growth * time) + trend * time, 0.0)

    before = {name: indicator(name, 0.0) for name in OWN_NOISE}
    controls = [np.log(before["gdp_pc"]), np.log(before["income"]), urban, before["fiscal_ratio"] / 100]
    controls += [before["retail"] / (before["gdp_pc"] * residents), fdi]
    moves = [c - c.mean(axis=0) - c.mean(axis=1, keepdims=True) + c.mean() for c in controls]
    pull = {
        name: sum(b * m for b, m in zip(slopes, moves, strict=True)) for name, slopes in settings()["slopes"].items()
    }

    # indicators with and without the reform
    lift = {"patents": level["patents"] * pull["patents_granted"] * 1e4 / p["patents_unit"]}
    lift["savings"] = -p["unsaved"] * level["savings"] * noise["retail"] * shock["retail"]  # what is spent is not saved
    worlds = {}
    for world, reached in (("without", others), ("with", others + reform)):
        x = {}
        for name in RESILIENCE.indicators:
            by_policy = 0.0
            if share := settings()["channels"].get(name):
                by_policy = share * level[name] ** p["effect_size"] * reached
            x[name] = indicator(name, lift.get(name, 0.0) + by_policy).ravel()
        x["tertiary"] = np.minimum(x["tertiary"], 95.0)
        worlds[world] = pd.DataFrame(x).round({"patents": 0, "unemployed": 0})

    out = pd.concat([rows[["city", "year", "province", "region", "capital"]], worlds["with"]], axis=1)
    out["gdp"] = out["gdp_pc"] * np.repeat(residents, len(YEARS))
    out["population"], out["fdi"] = urban.ravel(), fdi.ravel()
    mediator = {}
    for name, (short, trait, mean) in MEDIATORS.items():
        base = lognormal(score[trait], p[f"{short}_spread"])
        moved = p[f"{short}_reform"] * base ** p["effect_size"] * reform + base**0.75 * pull[name]
        yearly = draws.yearly(name, p["control_rho"])
        if name == "sci_tech_level":  # in logs: a share near zero would make expenditure, its denominator, explode
            moved += mean * base * (lognormal(yearly, p["sci_tech_noise"]) - 1)
        else:
            moved += mean * p[f"{short}_noise"] * base**0.75 * yearly
        mediator[name] = (mean * base + moved).ravel()
    out["expenditure"] = out["science"] / np.clip(mediator.pop("sci_tech_level"), 0.002, 0.3)
    for name, values in mediator.items():
        out[name] = np.maximum(values, 0.0)
    light = p["light_mean"] * lognormal(score["light"], p["light_spread"]) * (1 + 0.03 * time)
    out["light"] = np.minimum(light * (1 + 0.05 * draws.yearly("light", p["control_rho"])), 63.0).ravel()
    for name in [c.removeprefix("no_") for c in rows if c.startswith("no_")]:
        out[name] = out[name].where(~rows[f"no_{name}"])
    out["true_effect"] = true_effect(out, worlds["without"])
    return out


def _in_force(cities: pd.DataFrame, name: str) -> np.ndarray:
    return (policy.concurrent(name).reindex(cities.index).to_numpy()[:, None] <= YEARS).astype(float)


def true_effect(panel: pd.DataFrame, without: pd.DataFrame) -> pd.Series:
    """Return the index less what it would be without the reform; 0 where the index is missing.

    Both worlds are measured with one yardstick: minimum, maximum, weights and ideal points of the observed panel.
    Measured each with its own, the reform of one city would move the index of all others, by stretching the scale.
    """
    observed = panel[[*RESILIENCE.indicators]]
    limits = composite.bounds(observed)
    scaled = composite.standardise(observed, RESILIENCE.negative)
    weight = composite.entropy(scaled)["weight"]
    ideal = ((scaled * weight).max(), (scaled * weight).min())
    both = (composite.standardise(world, RESILIENCE.negative, limits) for world in (observed, without))
    worlds = [composite.topsis(values, weight, ideal)["closeness"] for values in both]
    return (worlds[0] - worlds[1]).fillna(0.0).round(12)  # equal worlds differ by 1e-17
