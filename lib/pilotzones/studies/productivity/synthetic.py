r"""A synthetic panel of cities with a known truth, calibrated to the printed tables of the productivity study.

Three layers, from what is fixed to what is random:

1. **Frame** (:mod:`~pilotzones.studies.productivity.frame`): cities, years, lasting size and traits, GDP per head.
2. **Indicators**: an indicator is :math:`x_{it} = a_i (1 + g t + \nu u_{it}) + s m_{it}`, between 0 and its cap:
   the city's lasting level with persistent yearly shocks, of which a part is common to all its indicators, and with
   what moves it, :math:`m_{it}`: a common trend, the controls, innovation and the reform. :math:`m` is measured in
   units of the index; :math:`s`, the indicator's share of it, is converted at the yardstick of the lasting levels.
3. **Reform**: it moves the indicators of digital business by :math:`\tau h_i e^{\zeta z_i} (1 + r k)`, :math:`k` years
   after the start, in a city of size and wealth :math:`z_i` with its own factor :math:`h_i`, and patents likewise;
   patents move the two indicators of green patents. It never touches the index directly.

:math:`g`, the growth of large cities over small ones, is zero here: parallel trends. The printed numbers do not
identify it, see ``parameters.toml``. Everything that the paper derives is derived from these raw numbers by the study.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from pilotzones.measures import composite
from pilotzones.studies.productivity.frame import PARAMETERS, YEARS, frame, settings
from pilotzones.studies.productivity.study import CONTROLS, PRODUCTIVITY

__all__ = ["EFFECTS", "EFFECT_CELLS", "NO_ESTIMAND", "PARAMETERS", "SET_DIRECTLY", "TARGETS", "generate", "parameters"]

STRUCTURAL = ("levels", "outcome", "effect", "slopes", "innovation", "size")
COUNTS = ("employees", "colleges", "ai_firms", "green_inventions", "green_utility")

# parameter, the printed cell that settles it (table/column/term/statistic), step of the numerical derivative
TARGETS = (
    ("cap", "T2//Npp/mean", 0.05),
    ("noise", "T3/4//r2", 0.03),
    *((f"slope_{name}", f"T3/4/{name}/estimate", step) for name, step in
      (("open", 0.01), ("fin", 0.001), ("tec", 0.2), ("urban", 0.01), ("market", 0.002), ("gdp", 0.003))),
    ("innovation_mean", "T2//Innovate/mean", 0.01),
    ("innovation_spread", "T2//Innovate/sd", 0.05),
    ("innovation_noise", "T5/1//r2", 0.03),
    ("innovation_slope", "T5/2/innovate/estimate", 0.01),
    ("innovation_effect", "T5/1/treat_post/estimate", 0.005),
    ("innovation_gdp", "T5/1/_cons/estimate", 0.02),
    ("effect_wealth", "T6/2/treat_post/estimate - T6/1/treat_post/estimate", 0.1),
)  # fmt: skip
# the true effect, solved without noise by running the column on it
EFFECTS = ("effect",)
EFFECT_CELLS = ("T3/4/treat_post/estimate",)
SET_DIRECTLY: tuple[str, ...] = ()
# columns whose expectation is no mean of true effects: without effects, or given a mediator that the reform moves
NO_ESTIMAND = {("T3", "1"), ("T3", "2"), ("T5", "2")}


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


def lognormal(score: np.ndarray | float, spread: float) -> np.ndarray:
    """Return values of mean 1 with the given sd of logs."""
    return np.exp(spread * np.asarray(score) - spread**2 / 2)


def _score(cities: pd.DataFrame, trait: str, of_size: float) -> np.ndarray:
    """Return a standard normal score per city, shape (cities, 1), with the given correlation with its size."""
    r = float(np.clip(of_size, -0.98, 0.98))
    return (r * cities["size"] + np.sqrt(1 - r**2) * cities[f"own_{trait}"]).to_numpy()[:, None]


def _within(x: np.ndarray) -> np.ndarray:
    """Return deviations from the means of cities and years, shape (cities, years)."""
    return x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean()


def controls(p: Mapping[str, Any], cities: pd.DataFrame, draws: Draws) -> dict[str, np.ndarray]:
    """Return the ratios that the regressions control for, by name, each of shape (cities, years)."""
    found, time = {}, YEARS - YEARS.mean()
    for name, (low, high, mean, spread, trend, noise, power, rho, of_excess) in settings()["controls"].items():
        score = _score(cities, name, p[f"size_{name}"])
        excess = cities["own_excess"].to_numpy()[:, None]
        score = of_excess * excess + np.sqrt(1 - of_excess**2) * score
        level = lognormal(score, spread)
        moved = level**power * noise * draws.yearly(name, rho)
        found[name] = np.clip(low + mean * (level + trend * time) + moved, low, high)
    return found


def lasting(p: Mapping[str, Any], cities: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Return the indicators' levels by city, their caps, and how much of each is worth one unit of the index."""
    levels, caps = {}, {}
    for name, (mean, spread, of_size, _) in settings()["indicators"].items():
        score = _score(cities, name, p["common"] * of_size).ravel()
        levels[name] = mean * (p["floor"] + lognormal(score, p["inequality"] * spread))
        caps[name] = mean * (p["floor"] + lognormal(p["cap"], p["inequality"] * spread))
    cap = pd.Series(caps, dtype=float)
    level = pd.DataFrame(levels, index=cities.index).clip(upper=cap, axis=1)
    treated = waste_treated(cities, np.zeros((1, 1)))
    whole = level.assign(data_platform=cities["data_platform"], waste_treated=treated.ravel())
    limits, weight = composite.bounds(whole), composite.entropy(composite.standardise(whole))["weight"]
    return level, cap, (limits["max"] - limits["min"]) / weight


def waste_treated(cities: pd.DataFrame, moved: np.ndarray) -> np.ndarray:
    """Return the share of waste treated in percent: near its bound, and lower where a city lags behind."""
    mean, spread, low = settings()["waste_treated"]
    return np.clip(100 * (1 - np.exp(-mean - spread * cities[["own_waste_treated"]].to_numpy() - moved)), low, 100.0)


def generate(seed: int, overrides: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Draw one panel.

    Parameters
    ----------
    seed : of everything random; the frame is the same for all seeds.
    overrides : structural parameters that differ from ``parameters.toml``, by name.

    Returns
    -------
    The raw variables of the study, 3,850 rows, and ``true_effect``: the index of the row less what it would be without
    the reform, see :func:`true_effect`.
    """
    p = {**parameters(), **(overrides or {})}
    rows, cities = frame()
    draws, time = Draws(seed, len(cities)), YEARS - YEARS.mean()
    size = cities["size"].to_numpy()[:, None]
    residents = cities["residents"].to_numpy()[:, None]

    # how far the reform has come in a city
    since = YEARS - cities["start"].to_numpy()[:, None]
    path = np.where(since >= 0, 1 + p["effect_growth"] * np.where(since >= 0, since, 0), 0.0)
    wealth = cities["wealth"].to_numpy()[:, None]
    path = path * np.exp(p["effect_size"] * size + p["effect_wealth"] * wealth)
    reform = 0.01 * p["effect"] * path * lognormal(draws.city("effect"), p["effect_spread"])
    invented = p["innovation_effect"] * path * lognormal(draws.city("innovation effect"), p["effect_spread"])

    # what moves the indicators without the reform, in units of the index
    ratios = controls(p, cities, draws)
    moves = {**ratios, "gdp": np.log(rows["gdp_pc"].to_numpy()).reshape(since.shape)}
    slopes = sum(p[f"slope_{name}"] * _within(moves[name]) for name in CONTROLS)
    drift = p["drift"] * time + lognormal(size, p["slope_size"]) * slopes
    score = _score(cities, "innovation", p["size_innovation"])
    base = p["innovation_mean"] * lognormal(score, p["innovation_spread"])
    patents = base * (1 + p["innovation_gdp"] / p["innovation_mean"] * _within(moves["gdp"]))
    patents = patents + p["innovation_drift"] * (YEARS - YEARS[0])
    patents = patents + p["innovation_noise"] * base ** p["innovation_power"] * draws.yearly(
        "innovation", p["noise_rho"]
    )

    # indicators with and without the reform
    level, cap, unit = lasting(p, cities)
    city_shock = draws.yearly("city", p["noise_rho"])
    shocks = {name: draws.yearly(name, p["noise_rho"]) for name in PRODUCTIVITY.indicators}
    share = settings()["channels"]
    worlds = {}
    for world, direct, gained in (("without", drift, 0.0), ("with", drift + reform, invented)):
        rate = np.clip(patents + gained, *settings()["innovation_range"])
        moved = {"business": direct, "green": p["innovation_slope"] * (rate - base)}
        x = {}
        for name in level:
            a = level[name].to_numpy()[:, None]
            noise = p["noise"] * settings()["indicators"][name][3]
            noise = noise * (p["noise_city"] * city_shock + np.sqrt(1 - p["noise_city"] ** 2) * shocks[name])
            pushed = sum(part.get(name, 0.0) * moved[kind] for kind, part in share.items())
            x[name] = np.clip(a * (1 + p["growth"] * time + noise) + unit[name] * pushed, 0.0, cap[name]).ravel()
        moved_waste = 0.1 * time + 0.2 * shocks["waste_treated"]
        x["waste_treated"] = waste_treated(cities, moved_waste).ravel()
        x["data_platform"] = np.repeat(cities["data_platform"].to_numpy(), len(YEARS))
        x["patents"] = np.round(rate * residents * 100).ravel()
        worlds[world] = pd.DataFrame(x).round(dict.fromkeys(COUNTS, 0))

    out = rows.assign(**worlds["with"], **{name: values.ravel() for name, values in ratios.items()})
    out["residents"] = np.repeat(cities["residents"].to_numpy(), len(YEARS))
    out["true_effect"] = true_effect(out, worlds["without"])
    return out


def true_effect(panel: pd.DataFrame, without: pd.DataFrame) -> pd.Series:
    """Return the index less what it would be without the reform.

    Both worlds are measured with one yardstick: minimum, maximum and weights of the observed panel. Measured each with
    its own, the reform of one city would move the index of all others, by stretching the scale.
    """
    observed = panel[[*PRODUCTIVITY.indicators]]
    weight = composite.entropy(composite.standardise(observed))["weight"]
    limits = composite.bounds(observed)
    worlds = [composite.weighted_sum(composite.standardise(x[[*weight.index]], bounds=limits), weight)
              for x in (observed, without)]  # fmt: skip
    return worlds[0] - worlds[1]
