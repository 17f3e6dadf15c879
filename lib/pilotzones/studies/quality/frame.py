"""Who is in the synthetic panel: 1,053 listed firms in 30 provinces, 2010-2021, and their lasting traits.

The same in every panel, whatever its seed. Settings are ``[frame]`` and ``[provinces]`` in ``parameters.toml``.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones import policy

PARAMETERS = Path(__file__).with_name("parameters.toml")
STRUCTURAL = ("outcome", "effect", "noise", "sophistication")
SEED = 2010  # of the frame only
YEARS = np.arange(2010, 2022)
PROVINCE_COLUMNS = [
    "listed", "ecom", "domains", "ports", "cable", "trains", "first_train", "bonded_2010", "bonded_2021", "gdp",
    "growth",
]  # fmt: skip


@cache
def settings() -> dict[str, Any]:
    """Return ``parameters.toml``."""
    return tomllib.loads(PARAMETERS.read_text(encoding="utf-8"))


def parameters() -> dict[str, Any]:
    """Return the structural parameters by name, as committed."""
    return {name: value for part in STRUCTURAL for name, value in settings()[part].items()}


@cache
def provinces() -> pd.DataFrame:
    """Return what is lasting of 30 provinces, by code: ``PROVINCE_COLUMNS`` (see the file) and ``east`` (0 or 1)."""
    table = pd.DataFrame.from_dict(settings()["provinces"], orient="index", columns=PROVINCE_COLUMNS)
    table.index = table.index.astype(int)
    east = policy.provinces()["region"].reindex(table.index) == "east"
    return table.assign(east=east.astype(int)).rename_axis("province").sort_index()


@cache
def frame() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the fixed part of every panel.

    Returns
    -------
    rows : one row per firm and year, in order: ``firm``, ``year``, ``province``, ``age`` (years), ``state`` (0 or 1).
        The first firm of every province is there in all years, so that every province is.
    firms : one row per firm, indexed by ``firm``: ``province``, ``first``, ``last`` (year), ``founded`` (year),
        ``state``, ``size`` (ln employees) and ``east``.
    """
    sizes, places = settings()["frame"], provinces()
    count = _apportion(places["listed"], sizes["firms"])
    firms = pd.DataFrame({"province": np.repeat(count.index, count)}, pd.RangeIndex(1, sizes["firms"] + 1, name="firm"))
    stays = ~firms.duplicated("province").to_numpy()
    n = len(firms)

    entry = _ranks("entry", n)
    entered = sizes["last_entry"] - YEARS[0]
    first = YEARS[0] + np.ceil(np.maximum(0.0, entry - 1 + sizes["entrants"]) / sizes["entrants"] * entered)
    firms["first"] = np.where(stays, YEARS[0], first).astype(int)
    leaves = (_ranks("exit", n) < sizes["exits"]) & (firms["first"] < YEARS[-4]) & ~stays
    firms["last"] = np.where(leaves, YEARS[-1] - 1 - np.arange(n) % 3, YEARS[-1])
    mean, sd = sizes["founded"]
    founded = np.rint(mean + sd * stats.norm.ppf(_ranks("founded", n)))
    firms["founded"] = np.clip(np.minimum(founded, firms["first"] - 3), 1950, None).astype(int)
    firms["state"] = (_ranks("state", n) < sizes["state"]).astype(int)
    mean, sd = sizes["employees"]
    firms["size"] = mean + sd * stats.norm.ppf(_ranks("size", n)) + sizes["state_employees"] * firms["state"]
    firms["east"] = firms["province"].map(places["east"])

    rows = firms.reset_index().merge(pd.DataFrame({"year": YEARS}), how="cross")
    rows = rows[rows["year"].between(rows["first"], rows["last"])].reset_index(drop=True)
    rows["age"] = rows["year"] - rows["founded"]
    return rows[["firm", "year", "province", "age", "state"]], firms


def _stream(name: str) -> np.random.Generator:
    """Return the random numbers of one step, so that a change in one leaves the others as they are."""
    return np.random.default_rng([SEED, crc32(name.encode())])


def _ranks(name: str, n: int) -> np.ndarray:
    """Return evenly spaced numbers between 0 and 1 in random order."""
    return (_stream(name).permutation(n) + 0.5) / n


def _apportion(share: pd.Series, total: int) -> pd.Series:
    """Return whole numbers with the given sum in proportion to ``share``: largest remainders."""
    exact = share / share.sum() * total
    whole = exact.astype(int)
    more = (exact - whole).sort_values(ascending=False, kind="stable").index[: total - whole.sum()]
    whole[more] += 1
    return whole
