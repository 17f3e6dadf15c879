r"""A synthetic panel of 254 cities with a known truth, calibrated to the tables of Zhang et al. (2023).

Nothing is drawn for pairs: pairs, ties and synchronisation are computed from the cities (``study.derive``), so that
pairs which share a city share its shocks. A city's development follows the national path :math:`f_t` but for a
deviation, and the reform moves how far it deviates:

.. math:: d_{it} = a_i + b_i \{f_t + \sigma_{it} u_{it}\}, \qquad
          \ln \sigma_{it} = \ln s_i + \nu \tilde t + \sum_k \gamma_k o_{kit} - \eta_i r(t - g_i)

with :math:`u` a first-order autoregression, :math:`s_i` the city's usual deviation, :math:`\nu \tilde t` its national
decline, :math:`o_{kit}` how far a control is from its place among cities in an odd year, and :math:`\eta_i r` the
reform's effect: 0 before the zone's first year :math:`g_i`, building up afterwards. Synchronisation of two cities is
about :math:`-\ln` of the distance between their deviations, so that all of this is additive in it: parallel trends
hold in the paper's own unit. Nine indicators share the path and a part of the deviation; the mediators are series of
the same kind, whose shocks go along with those of development.

Two layers: what lasts (:mod:`~pilotzones.studies.coordination.frame`, the same for all seeds) and yearly shocks. Only
the parameters in ``parameters.toml`` are calibrated; no draw is changed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones.measures import composite
from pilotzones.studies.coordination.frame import PARAMETERS, TRAITS, YEARS, frame, settings
from pilotzones.studies.coordination.study import CONTROLS, DEVELOPMENT, TOOLS

__all__ = ["EFFECTS", "EFFECT_CELLS", "PARAMETERS", "SET_DIRECTLY", "TARGETS", "generate", "parameters"]

STRUCTURAL = ("development", "effect", "controls", "mediators", "tools")
MEDIATORS = ("institution", "capital_labour", "skill", "data_factor")

# parameter, the printed cell that settles it (table/column/term/statistic; "a - b": their difference), and the step of
# the numerical derivative
TARGETS = (
    ("calming", "T1/1//r2", 0.05),
    ("deviation_inland", "T1/1/_cons/estimate", 0.05),
    ("deviation_coast", "T2/2/_cons/estimate - T2/3/_cons/estimate", 0.1),
    ("deviation_human_capital", "T2/6/_cons/estimate - T2/4/_cons/estimate", 0.1),
    ("deviation_finance", "T3/3/_cons/estimate - T3/1/_cons/estimate", 0.1),
    ("deviation_broadband", "T3/6/_cons/estimate - T3/4/_cons/estimate", 0.1),
    ("edu_oddness", "T1/3/edu/estimate", 0.1),
    ("tech_oddness", "T1/6/tech/estimate", 0.03),
    ("second_oddness", "T1/6/second/estimate", 0.01),
    ("fd_oddness", "T1/6/fd/estimate", 0.2),
    ("innov_oddness", "T1/6/innov/estimate", 0.1),
    ("edu_tech_link", "T1/2/edu/estimate - T1/3/edu/estimate", 0.1),
    ("innov_tech_link", "T1/5/tech/estimate - T1/6/tech/estimate", 0.1),
    ("edu_sd", "T1/2/edu/se", 0.01),
    ("tech_sd", "T1/3/tech/se", 0.03),
    ("second_sd", "T1/4/second/se", 0.2),
    ("fd_sd", "T1/5/fd/se", 0.004),
    ("innov_sd", "T1/6/innov/se", 0.02),
    ("supply_zeal", "T5/1/sup_ind/se", 0.05),
    ("environment_zeal", "T5/2/env_ind/se", 0.05),
    ("demand_zeal", "T5/3/dem_ind/se", 0.05),
    *(
        (f"{name}_{part}", f"T4/{column}/{cell}", step)
        for column, name in ((1, "institution"), (3, "capital_labour"), (5, "skill"), (7, "data_factor"))
        for part, cell, step in (
            ("deviation", "_cons/estimate", 0.1), ("calming", "/r2", 0.05), ("effect", "treat_post/estimate", 0.1),
        )
    ),
    ("institution_link", "T4/2/institution/estimate", 0.03),
    ("capital_labour_link", "T4/4/factor_capital_labour/estimate", 0.03),
    ("skill_link", "T4/6/factor_skill/estimate", 0.03),
    ("data_factor_link", "T4/8/factor_data/estimate", 0.03),
)  # fmt: skip
# the effects, solved together by running each column on the true effects
EFFECTS = (
    "effect_inland", "effect_coast", "effect_human_capital", "effect_finance", "effect_broadband", "supply_strength",
    "environment_strength", "demand_strength",
)  # fmt: skip
EFFECT_CELLS = (
    "T1/6/treat_post/estimate", *(f"{table}/{n}/treat_post/estimate" for table in ("T2", "T3") for n in range(1, 7)),
    "T5/1/sup_ind/estimate", "T5/2/env_ind/estimate", "T5/3/dem_ind/estimate",
)  # fmt: skip

# constants that follow from the spread of the controls
SET_DIRECTLY = tuple(f"T1/{n}/_cons/estimate" for n in range(2, 7))


def parameters() -> dict[str, Any]:
    """Return the structural parameters by name, as committed."""
    return {name: value for part in STRUCTURAL for name, value in settings()[part].items()}


class Draws:
    """Shocks of one seed by city and year, each stream with its own name."""

    def __init__(self, seed: int, cities: int) -> None:
        self._seed, self._cities = seed, cities

    def stream(self, name: str) -> np.random.Generator:
        """Return the generator of one named stream."""
        return np.random.default_rng([self._seed, crc32(name.encode())])

    def persistent(self, name: str, rho: float) -> np.ndarray:
        """Return a stationary first-order autoregression with variance 1 per city, shape (cities, years)."""
        shock = self.stream(name).normal(size=(self._cities, len(YEARS)))
        for t in range(1, len(YEARS)):
            shock[:, t] = rho * shock[:, t - 1] + np.sqrt(1 - rho**2) * shock[:, t]
        return shock


def generate(seed: int, overrides: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Draw one panel.

    Parameters
    ----------
    seed : of everything random; the frame is the same for all seeds.
    overrides : structural parameters that differ from ``parameters.toml``, by name.

    Returns
    -------
    One row per city and year, in order, with the raw variables that ``study.derive`` takes, and
    ``development_untreated``: the development index had there been no reform, at the scales and weights of the index
    with it, so that one city's reform does not move another's index.
    """
    p = {**parameters(), **(overrides or {})}
    cities, _ = frame()
    draws = Draws(seed, len(cities))
    path = stats.zscore(YEARS.astype(float))
    late = path / path.max()  # -1 in the first year, 1 in the last
    since = YEARS - cities["start"].to_numpy()[:, None]
    in_force = (cities["start"].to_numpy()[:, None] > 0) & (since >= 0)
    ramp = np.where(in_force, np.minimum(p["ramp_first"] + p["ramp_yearly"] * since, 1.0), 0.0)
    low = cities[[f"{trait}_low" for trait in TRAITS]].to_numpy(float)

    people = cities["population"].to_numpy()[:, None] * 1.005 ** (YEARS - YEARS[0])
    values = {"population": people, "area": cities["area"].to_numpy()[:, None]}
    controls, odd = _controls(p, cities, draws)
    counts, strength = _tools(p, cities, draws, since, in_force)
    values |= controls | counts
    for name, level in settings()["traits"].items():
        # lasting differences and a common growth only: no city changes its class
        score = stats.norm.ppf((cities[f"{name}_order"].to_numpy() + 0.5) / len(cities))[:, None]
        values[name] = level[0] * np.exp(level[1] * score + level[2] * (YEARS - YEARS[0]))

    # development with and without the reform
    usual = np.where(cities["coastal"], p["deviation_coast"], p["deviation_inland"])
    usual = usual + low @ [p[f"deviation_{trait}"] for trait in TRAITS]
    effect = p["effect_inland"] + (p["effect_coast"] - p["effect_inland"]) * cities["coastal"].to_numpy()
    effect = effect + low @ [p[f"effect_{trait}"] for trait in TRAITS] + strength
    spread = usual[:, None] + p["calming"] * late + odd
    common = draws.persistent("development", p["persistence"])
    shocks = {
        name: np.sqrt(p["common"]) * common + np.sqrt(1 - p["common"]) * draws.persistent(name, p["persistence"])
        for name in DEVELOPMENT.indicators
    }
    with_reform, without = (
        _indicators(cities, path, np.exp(spread - reform * effect[:, None] * ramp), shocks) for reform in (1, 0)
    )
    values |= with_reform
    values["gdp"] = with_reform["gdp_pc"] * people / 1e4
    values["development_untreated"] = _untreated(with_reform, without)

    for name in MEDIATORS:
        link, own = p[f"{name}_link"], draws.persistent(name, p["persistence"])
        spread = np.exp(p[f"{name}_deviation"] + p[f"{name}_calming"] * late - p[f"{name}_effect"] * ramp)
        level = np.exp(0.3 * cities["size"].to_numpy()[:, None])
        values[name] = level * (1 + 0.02 * (path + spread * (link * common + np.sqrt(1 - link**2) * own)))

    columns = {name: np.broadcast_to(value, since.shape).ravel() for name, value in values.items()}
    return pd.DataFrame({"city": cities.index.repeat(len(YEARS)), "year": np.tile(YEARS, len(cities)), **columns})


def _indicators(
    cities: pd.DataFrame, path: np.ndarray, spread: np.ndarray, shocks: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the nine indicators, linear in the national path plus the city's deviation, shape (cities, years)."""
    found = {}
    for name, (centre, sd, slope) in settings()["indicators"].items():
        score, deviation = cities[name].to_numpy()[:, None], spread * shocks[name]
        if name == "growth":  # percent: falls over the years, is higher in years ahead of the path
            found[name] = centre + sd * score + slope * (path - deviation)
        elif name == "services":  # percent
            found[name] = centre + sd * score + slope * (path + deviation)
        else:
            found[name] = np.exp(centre + sd * score) * (1 + slope * (path + deviation))
    # with the population it gives the frame's GDP of the first year, on which ties rest
    first = 1e4 * (cities["gdp"] / cities["population"]).to_numpy()
    found["gdp_pc"] *= (first / found["gdp_pc"][:, 0])[:, None]
    return found


def _untreated(with_reform: dict[str, np.ndarray], without: dict[str, np.ndarray]) -> np.ndarray:
    """Return the development index without the reform, at scales and weights of the world with it."""
    actual, other = (
        pd.DataFrame({name: world[name].ravel() for name in DEVELOPMENT.indicators}) for world in (with_reform, without)
    )
    weight = composite.entropy(composite.standardise(actual))["weight"]
    index = composite.weighted_sum(composite.standardise(other, bounds=composite.bounds(actual)), weight)
    return index.to_numpy().reshape(-1, len(YEARS))


def _controls(p: dict[str, Any], cities: pd.DataFrame, draws: Draws) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the cities' controls, and by how much odd years in them widen development's deviation (log)."""
    shocks = {name: draws.persistent(name, p["control_persistence"]) for name in CONTROLS}
    for name, link in (("edu", p["edu_tech_link"]), ("innov", p["innov_tech_link"])):
        shocks[name] = link * shocks["tech"] + np.sqrt(1 - link**2) * shocks[name]
    found, odd = {}, np.zeros(shocks["tech"].shape)
    for name, shock in shocks.items():
        score, noise = cities[name].to_numpy()[:, None], p[f"{name}_sd"] * shock
        # a year further out than usual, on the city's own side of the middle
        odd = odd + p[f"{name}_oddness"] * np.sign(score) * noise
        found[name] = p[f"{name}_spread"] * score + noise
    year = YEARS - YEARS[0]
    raw = {
        "education": np.exp(12.3 + 0.08 * year + found["edu"]),
        "science": np.exp(9.6 + 0.12 * year + found["tech"]),
        "secondary": 46.0 - 0.8 * year + found["second"],
        "fiscal_ratio": 0.70 - 0.01 * year + found["fd"],
        "patents_pc": np.exp(0.6 + 0.15 * year + found["innov"]),
    }
    return raw, odd


def _tools(
    p: dict[str, Any], cities: pd.DataFrame, draws: Draws, since: np.ndarray, in_force: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the sentences in force that use each policy tool, and what their number adds to the zone's effect."""
    counts, strength = {}, np.zeros(len(cities))
    for group, tools in TOOLS.items():
        zeal = cities[f"zeal_{group}"].to_numpy()
        strength = strength + p[f"{group}_strength"] * zeal
        rate = p["sentences"] * np.exp(p[f"{group}_zeal"] * zeal)[:, None] * np.where(since == 0, 1.0, p["further"])
        for tool in tools:
            uniform = draws.stream(f"tool {tool}").uniform(size=since.shape)
            new = np.where(in_force, stats.poisson.ppf(uniform, rate), 0.0)
            counts[f"tool_{tool}"] = new.cumsum(axis=1)
    return counts, strength
