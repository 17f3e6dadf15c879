"""Ten indicators of 30 provinces and their income, drawn with persistent shocks around lasting levels and trends."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pandas as pd

from pilotzones import policy
from pilotzones.studies.quality.frame import YEARS, provinces, settings


class Draws:
    """Independent standard normal shocks of one seed, each stream with its own name."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> np.random.Generator:
        """Return the random numbers of one step."""
        return np.random.default_rng([self.seed, crc32(name.encode())])

    def yearly(self, name: str, units: int, rho: float) -> np.ndarray:
        """Return a stationary first-order autoregression along the years of each unit, shape (units, years)."""
        shocks = self.stream(name).normal(size=(units, len(YEARS)))
        for t in range(1, len(YEARS)):
            shocks[:, t] = rho * shocks[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
        return shocks


def indicators(draws: Draws) -> pd.DataFrame:
    """Return the ten indicators, in the units of the declaration, and ``gdp`` (real, per head, yuan of 2011).

    Returns
    -------
    One row per ``province`` and ``year``.
    """
    places, s = provinces(), settings()["indicators"]

    def shocks(name: str, sd: float) -> np.ndarray:
        own = s["own"] * draws.stream(f"{name}, own").normal(size=(len(places), 1))
        return np.exp(own + sd * draws.yearly(name, len(places), s["rho"]))

    def level(name: str) -> np.ndarray:
        return places[name].to_numpy(float)[:, None]

    def rising(half: float, pace: float) -> np.ndarray:
        path = 1 / (1 + np.exp(-pace * (YEARS - half)))
        return path / path[-1]

    x = {}
    for name in ("cbec_firms", "cbec_employees", "cbec_retail", "cbec_exports"):
        scale, power, growth, sd = s[name]
        x[name] = scale * (level("ecom") / 100) ** power * np.exp(growth * (YEARS - YEARS[-1])) * shocks(name, sd)
    for name in ("domains", "ports"):
        scale, power, half, pace, sd = s[name]
        x[name] = scale * (level(name) / 100) ** power * rising(half, pace) * shocks(name, sd)
    growth, sd = s["cable"]
    x["cable"] = 1000 * level("cable") * np.exp(growth * (YEARS - YEARS[0])) * shocks("cable", sd)
    half, pace, sd = s["trains"]
    x["trains"] = level("trains") * rising(half, pace) * (level("first_train") <= YEARS) * shocks("trains", sd)
    zones = policy.concurrent("free_trade_zone")
    opened = zones.groupby(zones.index // 10000 * 10000).min().reindex(places.index).to_numpy()
    x["ftz"] = (opened[:, None] <= YEARS).astype(float)
    gained = (level("bonded_2021") - level("bonded_2010")) * (YEARS - YEARS[0]) / (YEARS[-1] - YEARS[0])
    x["bonded"] = np.rint(level("bonded_2010") + gained)
    x["gdp"] = 1000 * level("gdp") * np.exp(level("growth") * (YEARS - 2011)) * shocks("gdp", s["gdp"])
    index = pd.MultiIndex.from_product([places.index, YEARS], names=["province", "year"])
    found = pd.DataFrame({name: values.ravel() for name, values in x.items()}, index)
    return found.round(dict.fromkeys(("cbec_firms", "cbec_employees", "trains"), 0)).reset_index()
