"""How often do the rules err? False alarms on tables that are right, and errors that they notice.

A rule that cries wolf is worth nothing. Here the rules are run on tables in which nothing is wrong: those of our own
regressions on synthetic panels, with the declared labels, rounded to the paper's decimals. Every inconsistency found
there is a false alarm. Then one digit is changed at a time, and what the rules notice is their power.

``python -m pilotzones.audit.trials`` writes ``data/calibration/audit_false_alarms.csv`` and ``audit_power.csv`` anew.
Claims are left out: the text of a paper is not about our numbers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pilotzones import describe, indices, ledger, panel, replicate, studies
from pilotzones.audit.finding import CANNOT, CONSISTENT, INCONSISTENT
from pilotzones.audit.intervals import decimals
from pilotzones.audit.run import RULES, audit
from pilotzones.audit.summary import KINDS
from pilotzones.audit.tables import Tables, load
from pilotzones.declare import Study
from pilotzones.io import write_atomically
from pilotzones.paths import CALIBRATION

SEEDS = {"coordination": (2023,), "innovation": (1, 2, 3), "resilience": (1, 2, 3, 4, 5, 6),
         "productivity": (1, 2, 3, 4, 5, 6), "quality": (1, 2)}  # fmt: skip
"""Panels per study; the first one also has its digits changed."""
DRAWS = 80
"""Changed digits per study and kind of number."""


def produced(study: Study, data: pd.DataFrame) -> Tables:
    """Print our own tables as the paper prints its own: the same cells, rounded to the same decimals.

    Parameters
    ----------
    data : panel of the study.

    Returns
    -------
    The paper's cells with our numbers; cells that we do not produce are left out. Effects are labelled as declared.
    """
    paper = load(study).text
    fits = ledger.fit_all(study, data, "published")
    formulas = {(table.id, column.id): column for table in study.tables for column in table.columns}

    estimates = []
    for row in paper["estimates"].to_dict("records"):
        fit = fits.get((row["table"], row["column"]))
        if fit is None or row["term"] not in fit.coefficients.index:
            continue
        found = fit.coefficients.loc[row["term"]]
        row |= {"estimate": _as(row["estimate"], found["estimate"])}
        if row["spread"]:
            row |= {"spread": _as(row["spread"], found["t" if row["spread_kind"] == "t" else "se"])}
        if row["stars"]:
            row |= {"stars": str(sum(found["p"] < level for level in (0.10, 0.05, 0.01)))}
        estimates.append(row)

    columns = []
    for row in paper["columns"].to_dict("records"):
        place = (row["table"], row["column"])
        if place in fits and place in formulas:
            r2 = replicate.printed_r2(study, formulas[place], fits[place])
            effects = formulas[place].formula.split("|")[1:2]
            row |= {"fixed_effects": "; ".join(effects[0].split(" + ")).strip() if effects else "none"}
            row |= {"n_obs": str(fits[place].n_obs) if row["n_obs"] else "", "r2": _as(row["r2"], r2)}
            columns.append(row)

    moments = describe.printed(study, data)
    descriptives = [
        row | {"n": str(moments.at[row["symbol"], "n_obs"])}
        | {name: _as(row[name], moments.at[row["symbol"], name]) for name in ("mean", "sd", "min", "max")}
        for row in paper["descriptives"].to_dict("records") if row["symbol"] in moments.index
    ]  # fmt: skip

    tests = {
        (table.id, column.id): replicate.identification(study, column, data, "hetero").tests
        for table in study.tables for column in table.columns if column.instrumented and len(paper["stats"])
    }  # fmt: skip
    stats = []
    for row in paper["stats"].to_dict("records"):
        name = row["statistic"].partition(" (")[0].replace(" Wald", "")
        found_tests = tests.get((row["table"], row["column"]))
        if row["value"] and found_tests is not None and name in found_tests.index:
            row |= {"value": _as(row["value"], found_tests.at[name, "statistic"])}
            if row["bracket_kind"] == "p-value":
                row |= {"bracket_value": _as(row["bracket_value"], found_tests.at[name, "p"])}
            stats.append(row)

    weights = []
    if any(paper["index_weights"]["weight"]):
        own = indices.printed_weights(study, data)
        for row in paper["index_weights"].to_dict("records"):
            if row["weight"] and (row["table"], row["indicator"]) in own:
                weights.append(row | {"weight": _as(row["weight"], own[row["table"], row["indicator"]])})

    rows = {"estimates": estimates, "columns": columns, "descriptives": descriptives, "stats": stats,
            "index_weights": weights, "claims": []}  # fmt: skip
    return Tables(study, {name: pd.DataFrame(part, columns=paper[name].columns) for name, part in rows.items()})


def _as(printed: str, value: float) -> str:
    """Return a value with as many decimals as a printed one; nothing where nothing is printed."""
    return f"{value:.{decimals(printed)}f}" if printed else ""


def false_alarms(study: Study, seed: int, tables: Tables) -> pd.DataFrame:
    """Count verdicts by rule on tables without a contradiction.

    Returns
    -------
    ``study``, ``seed``, ``rule``, and the number of findings with each verdict.
    """
    found = pd.crosstab((rows := audit(tables))["rule"], rows["verdict"])
    found = found.reindex([rule.__name__ for rule in RULES if rule.__module__.rpartition(".")[2] != "words"
                           or rule.__name__.startswith("weights")], fill_value=0)  # fmt: skip
    found = found.reindex(columns=[CONSISTENT, INCONSISTENT, CANNOT], fill_value=0).reset_index()
    found.insert(0, "study", study.key)
    found.insert(1, "seed", seed)
    return found.rename_axis(columns=None)


def power(study: Study, tables: Tables, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Change one digit (or one number of stars) at a time and see which rules notice.

    Any digit from the first significant one on is replaced by another, so that a change can be large (0.35 to 0.95) or
    within what rounding leaves open; of stars, any other number from 0 to 3. Noticed means a place that was not
    inconsistent before.

    Returns
    -------
    One row per change: ``study``, ``kind``, and ``noticed``, the rules that notice it, separated by spaces.
    """
    before = _alarms(tables)
    rows = []
    for (file, column), kind in KINDS.items():
        filled = [i for i, text in enumerate(tables.text[file][column]) if text]
        for _ in range(draws if filled else 0):
            row = int(rng.choice(filled))
            old = str(tables.text[file][column].iloc[row])
            new = _changed_stars(old, rng) if column == "stars" else _changed(old, rng)
            frame = tables.text[file].copy()
            frame.iloc[row, frame.columns.get_loc(column)] = new
            noticed = _alarms(replace(tables, text={**tables.text, file: frame})) - before
            rules = [rule.__name__ for rule in RULES if rule.__name__ in {name for name, *_ in noticed}]
            rows.append({"study": study.key, "kind": kind, "old": old, "new": new, "noticed": " ".join(rules)})
    return pd.DataFrame(rows)


def _alarms(tables: Tables) -> set[tuple[str, ...]]:
    rows = audit(tables)
    places = rows[rows["verdict"] == INCONSISTENT][["rule", "table", "column", "term"]]
    return set(places.itertuples(index=False, name=None))


def _changed(text: str, rng: np.random.Generator) -> str:
    first = next((i for i, sign in enumerate(text) if sign in "123456789"), len(text) - 1)
    place = int(rng.choice([i for i in range(first, len(text)) if text[i] != "."]))
    digit = rng.choice([d for d in "0123456789" if d != text[place]])
    return f"{text[:place]}{digit}{text[place + 1 :]}"


def _changed_stars(text: str, rng: np.random.Generator) -> str:
    return str(rng.choice([number for number in "0123" if number != text]))


def main() -> None:
    """Run all trials and write their two tables."""
    alarms, changes = [], []
    for key, seeds in SEEDS.items():
        study = studies.load(key)
        for seed in seeds:
            data = panel.generate(study, seed)
            tables = produced(study, data)
            alarms.append(false_alarms(study, seed, tables))
            if seed == seeds[0]:
                changes.append(power(study, tables, DRAWS, np.random.default_rng(DRAWS)))
            print(f"{key} {seed}: {alarms[-1][INCONSISTENT].sum()} false alarms", flush=True)
    for name, parts in (("audit_false_alarms", alarms), ("audit_power", changes)):
        text = pd.concat(parts, ignore_index=True).to_csv(index=False, lineterminator="\n")
        write_atomically(CALIBRATION / f"{name}.csv", partial(Path.write_text, data=text, encoding="utf-8"))


if __name__ == "__main__":
    main()
