"""Published against replicated: one row per printed number.

Verdicts
--------
``exact``           equal to the printed value at its printed precision
``close``           within one printed standard error; where no spread is printed, within 1%; an R2 within 0.01, an
                    index weight within 0.005
``near``            within two printed standard errors; 5%; 0.03; 0.015
``differs``         further away
``holds``/``fails`` for a claim that the paper makes in words
``shown``           a figure without readable numbers, drawn on the page
``not_replicated``  not produced; the reason says why
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import describe, indices, pairs, published, replicate, studies
from pilotzones.declare import VERDICTS, Study
from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.regression import Regression
from pilotzones.io import write_atomically
from pilotzones.paths import CALIBRATION, ROOT

COLUMNS = [
    "study", "table", "column", "term", "statistic", "published", "published_spread", "spread_kind",
    "published_stars", "replicated", "replicated_spread", "source", "seed", "vcov", "tag", "mc_mean", "mc_sd",
    "z_published", "z_mc", "verdict", "reason", "page",
]  # fmt: skip
KEY = ["table", "column", "term", "statistic"]
SCORECARD = "09_scorecard"
Fits = Mapping[tuple[str, str], Regression]
Tests = Mapping[tuple[str, str, str], float]


def build(
    study: Study, panel: pd.DataFrame, source: str, seed: int, vcov: str = "published", section: str = ""
) -> pd.DataFrame:
    """Estimate everything a study declares and set it against what the paper prints.

    Parameters
    ----------
    panel : the study's panel from :func:`pilotzones.panel.load`.
    vcov : standard errors of the replicated spread; claims about significance use them too.
    section : only the tables and figures of this section; empty for all.

    Returns
    -------
    One row per published number, with the columns ``COLUMNS``.
    """
    whole = studies.load(study.key) if source == "licensed" else study  # what the exports allow may be a part of it
    fits = fit_all(study, panel, vcov, section)
    r2 = {
        (table.id, column.id): replicate.printed_r2(study, column, fits[table.id, column.id])
        for table in study.tables
        for column in table.columns
        if (table.id, column.id) in fits
    }
    moments = describe.printed(study, panel)
    about = published.claims(study.key).set_index("claim_id")["table"]
    checks = {}
    for claim, check in study.checks.items():
        if section in ("", _section(whole, about[claim])):
            with suppress(*((DataError, DeclarationError) if source == "licensed" else ())):
                checks[claim] = check(study, panel)
    drawn = {figure for figure, column in fits if not column} | {placebo.id for placebo in study.placebos}
    tests = instrument_tests(study, panel, vcov, section)
    wanted = section in ("", "02_index_measurement") and study.indices
    weights = indices.printed_weights(study, pairs.holder(study, panel, source, seed)) if wanted else {}
    rows = _printed(study.key, fits, r2, moments, tests, weights, checks, drawn, study.descriptives_table)
    if section:
        rows = rows[[_section(whole, table) == section for table in rows["table"]]].reset_index(drop=True)
        if rows.empty:  # an extension of the book: the paper prints nothing there
            return rows.reindex(columns=COLUMNS)
    if source == "licensed":
        lacking = replicate.lacking(whole, panel)
        wanting = pd.Series([*zip(rows["table"], rows["column"], strict=True)], rows.index).map(lacking)
        hit = wanting.notna() & rows["replicated"].isna() & (rows["statistic"] != "claim")
        rows["reason"] = rows["reason"].mask(hit, wanting)
    rows = _judge(_with_calibration(whole, rows.assign(study=study.key, source=source, seed=seed, vcov=vcov)))
    rows["page"] = [f"book/studies/{study.key}/{_section(whole, table)}.html" for table in rows["table"]]
    return rows.reindex(columns=COLUMNS)


def fit_all(study: Study, panel: pd.DataFrame, vcov: str, section: str = "") -> Fits:
    """Estimate every declared column and event study, or those of one section, under the names the paper prints.

    Columns of which the paper prints nothing, such as checks that it reports in words, are left out.
    """
    key = study.key
    lists = published.estimates(key), published.columns(key), published.claims(key)
    named = {(table, column) for rows in lists for table, column in zip(rows["table"], rows["column"], strict=True)}
    tables = study.section_tables(section) if section else study.tables
    figures = study.section_figures(section) if section else study.figures
    fits = {
        (table.id, column.id): renamed(replicate.column(study, column, panel, vcov), column.printed_prefix)
        for table in tables
        for column in table.columns
        if (table.id, column.id) in named
    }
    events = {(f.id, ""): renamed(replicate.event_study(study, f, panel, vcov), ("", "Year")) for f in figures}
    return fits | events


def renamed(fit: Regression, prefix: tuple[str, str]) -> Regression:
    """Give the regressors whose name starts with ``prefix[0]`` the name that the paper prints."""
    own, printed = prefix
    names = [f"{printed}{str(name).removeprefix(own)}" if str(name).startswith(own) else name
             for name in fit.coefficients.index]  # fmt: skip
    return replace(fit, coefficients=fit.coefficients.set_axis(names)) if printed else fit


def instrument_tests(study: Study, panel: pd.DataFrame, vcov: str, section: str = "") -> Tests:
    """Return the instrument tests of every two-stage least squares column, by table, column and name of the test.

    Anderson's and Cragg and Donald's tests assume iid errors whatever the column does; Hansen's J is robust. What
    papers report of a first stage, filed under that stage's own column, has the errors of ``vcov`` (Kleibergen and
    Paap's): the F, and the p value of the LM test.
    """
    tests: dict[tuple[str, str, str], float] = {}
    if published.stats(study.key).empty:
        return tests
    tables = study.section_tables(section) if section else study.tables
    for table, column in ((t, c) for t in tables for c in t.columns if c.instrumented):
        found = replicate.identification(study, column, panel, "hetero").tests["statistic"]
        tests |= {(table.id, column.id, str(name)): value for name, value in found.items()}
        own = replicate.identification(study, column, panel, vcov).tests
        strength = own.at["Kleibergen-Paap F", "statistic"]
        reported = {"first-stage F": strength, "Wald F": strength, "LM test of the instruments":
                    own.at["Kleibergen-Paap LM", "p"]}  # fmt: skip
        for place in ((t.id, c.id) for t in tables for c in t.columns if c.formula == column.first_stage):
            tests |= {(*place, name): value for name, value in reported.items()}
    return tests


def _section(study: Study, table: str) -> str:
    return study.section_of(table) if table else SCORECARD  # what is said of several tables


def _printed(
    key: str,
    fits: Fits,
    r2: Mapping[tuple[str, str], float],
    moments: pd.DataFrame,
    tests: Tests,
    weights: Mapping[tuple[str, str], float],
    checks: Mapping[str, tuple[bool, str]],
    drawn: Collection[str],
    described: str = "T1",
) -> pd.DataFrame:
    """Return a row per published number of a study, filled in where there is an estimate."""
    rows = [*_estimates(key, fits), *_columns(key, fits, r2), *_descriptives(key, moments, described)]
    rows += [*_stats(key, tests)]
    return pd.DataFrame([*rows, *_weights(key, weights), *_claims(key, fits, checks), *_figures(key, drawn)])


def _row(table: str, column: str, term: str, statistic: str, published: float, **more: Any) -> dict[str, Any]:
    empty = {"published_spread": np.nan, "spread_kind": "", "published_stars": np.nan, "replicated": np.nan,
             "replicated_spread": np.nan, "verdict": "", "reason": ""}  # fmt: skip
    return {"table": table, "column": column, "term": term, "statistic": statistic, "published": published,
            **empty, **more}  # fmt: skip


def _estimates(key: str, fits: Fits) -> list[dict[str, Any]]:
    rows = []
    for cell in published.estimates(key).itertuples():
        row = _row(cell.table, cell.column, cell.term, "estimate", cell.estimate, published_spread=cell.spread,
                   spread_kind=cell.spread_kind, published_stars=cell.stars)  # fmt: skip
        fit = fits.get((cell.table, cell.column))
        if fit is not None and cell.term in fit.coefficients.index:
            found = fit.coefficients.loc[cell.term]
            row["replicated"] = found["estimate"]
            row["replicated_spread"] = found["t"] if cell.spread_kind == "t" else found["se"]
        rows.append(row)
    return rows


def _columns(key: str, fits: Fits, r2: Mapping[tuple[str, str], float]) -> list[dict[str, Any]]:
    rows = []
    for cell in published.columns(key).itertuples():
        place = (cell.table, cell.column)
        n_obs = fits[place].n_obs if place in fits else np.nan
        for statistic, printed, value in (("n_obs", cell.n_obs, n_obs), ("r2", cell.r2, r2.get(place, np.nan))):
            if pd.notna(printed):
                rows.append(_row(*place, "", statistic, printed, replicated=value))
    return rows


def _descriptives(key: str, moments: pd.DataFrame, table: str) -> list[dict[str, Any]]:
    rows = []
    for cell in published.descriptives(key).to_dict("records"):
        for statistic, name in (("n_obs", "n"), ("mean", "mean"), ("sd", "sd"), ("min", "min"), ("max", "max")):
            value = moments.at[cell["symbol"], statistic] if cell["symbol"] in moments.index else np.nan
            rows.append(_row(table, "", cell["symbol"], statistic, cell[name], replicated=value))
    return rows


def _stats(key: str, tests: Tests) -> list[dict[str, Any]]:
    rows = []
    for cell in published.stats(key).itertuples():
        name, _, each = re.sub(r" \(.*\)| Wald", "", cell.statistic).partition(", each of")
        found = [value for place, value in tests.items() if place[0] == cell.table and place[2] == name]
        value = tests.get((cell.table, cell.column, name), np.nan)
        above, bound = "above" in str(cell.bracket_kind), "bound" in str(cell.bracket_kind)
        if each and found:  # said of several columns at once: the one furthest from what is said
            value = min(found) if above else max(found)
        verdict, reason = "", "" if pd.notna(value) else "the test statistic is not part of this version of the book"
        if pd.isna(cell.value) and (above or bound) and pd.notna(value):
            verdict = "holds" if (value > cell.bracket_value) == above else "fails"
            reason = f"{value:.{1 if above else 2}{'f' if above else 'g'}}; {'above' if above else 'below'} "
            reason += f"{cell.bracket_value:g} claimed, the value itself is not printed"
        rows.append(_row(cell.table, cell.column, cell.statistic, "stat", cell.value, replicated=value,
                         verdict=verdict, reason=reason))  # fmt: skip
    return rows


def _weights(key: str, weights: Mapping[tuple[str, str], float]) -> list[dict[str, Any]]:
    rows = []
    for cell in published.weights(key).itertuples():
        value = weights.get((cell.table, cell.indicator), np.nan)
        reason = "" if pd.notna(value) else "the index is not part of this version of the book"
        only_here = pd.notna(value) and pd.isna(cell.weight)
        rows.append(_row(cell.table, "", cell.indicator, "weight", cell.weight, replicated=value,
                         verdict="shown" if only_here else "",
                         reason="the paper prints no weight" if only_here else reason))  # fmt: skip
    return rows


def _figures(key: str, drawn: Collection[str]) -> list[dict[str, Any]]:
    rows = []
    for cell in published.figures(key).itertuples():
        if cell.figure == "none":
            continue  # the row says that the paper has none
        shown = cell.figure in drawn
        reason = "no readable numbers; its message is judged by the claims" if shown else "the figure is not drawn yet"
        rows.append(_row(cell.figure, "", "", "figure", np.nan, verdict="shown" if shown else "", reason=reason))
    return rows


def _claims(key: str, fits: Fits, checks: Mapping[str, tuple[bool, str]]) -> list[dict[str, Any]]:
    rows = []
    for claim in published.claims(key).itertuples():
        if claim.claim_id in checks:
            holds, reason = checks[claim.claim_id]
            verdict = "holds" if holds else "fails"
        else:
            verdict, reason = judge_claim(claim, fits)
        rows.append(_row(claim.table, claim.column, claim.claim_id, "claim", np.nan, verdict=verdict, reason=reason))
    return rows


def judge_claim(claim: Any, fits: Fits) -> tuple[str, str]:
    """Check a sentence of the paper against the re-estimated numbers.

    Parameters
    ----------
    claim : a row of ``claims.csv``: either ``compare`` holds inequalities between estimates
        (``T2.1.treat_post>T2.3.treat_post``) and numbers of stars (``T3.3.bci stars 3``); or ``term``
        (or a range ``Year2..Year5``) must have the sign ``sign`` at the level ``level``, ``ns`` meaning not significant
        (10% in tables; in figures, whose text speaks of confidence intervals, 5%).

    Returns
    -------
    The verdict (``holds``, ``fails`` or empty when it cannot be judged) and the numbers behind it.
    """
    if claim.compare:
        return _judge_ordering(claim.compare, fits)
    fit = fits.get((claim.table, claim.column))
    terms = _terms(claim.term, fit) if fit is not None and claim.term else []
    if fit is None or not terms or not claim.level:
        return "", "needs an estimate that is not part of this version of the book"
    rows = fit.coefficients.loc[terms]
    if claim.level == "ns":
        limit = 0.05 if claim.table.startswith("F") else 0.10
        holds = bool((rows["p"] > limit).all())
    else:
        sign = {"+": 1, "-": -1}[claim.sign]
        limit = float(claim.level)
        holds = bool(((rows["p"] <= limit) & (np.sign(rows["estimate"]) == sign)).all())
    numbers = "; ".join(f"{row.estimate:.3f} (p = {row.p:.3f})" for row in rows.itertuples())
    return (
        "holds" if holds else "fails",
        f"{numbers}; {'p above' if claim.level == 'ns' else 'p up to'} {limit:g} claimed",
    )


def _terms(term: str, fit: Regression) -> list[str]:
    """Return the regressors a claim speaks of; ``first..last`` is a range in the order of the regression."""
    index = [str(name) for name in fit.coefficients.index]
    ends = term.split("..")
    if not set(ends) <= set(index):
        return []
    return index[index.index(ends[0]) : index.index(ends[-1]) + 1]


def _judge_ordering(compare: str, fits: Fits) -> tuple[str, str]:
    verdicts, numbers = [], []
    for inequality in compare.split(";"):
        cell, stars, claimed = inequality.strip().partition(" stars ")
        if stars:
            p = _cell(cell, "p", fits)
            if p is None:
                return "", f"needs {cell}, which is not part of this version of the book"
            found = sum(p <= level for level in (0.10, 0.05, 0.01))
            verdicts.append(found == int(claimed))
            numbers.append(f"{cell} p = {p:.3f}, {claimed} stars")
            continue
        parts = re.split(r"([<>])", inequality.strip())
        if len(parts) != 3:
            return "", f"'{inequality.strip()}' is not an inequality of two estimates"
        left, sign, right = parts
        values = [_value(side, fits) for side in (left, right)]
        if None in values:
            return "", f"needs {inequality.strip()}, which is not part of this version of the book"
        low, high = values if sign == "<" else values[::-1]
        verdicts.append(low < high)  # type: ignore[operator]
        numbers.append(f"{values[0]:.3f} {sign} {values[1]:.3f}")
    return "holds" if all(verdicts) else "fails", "; ".join(numbers) + " claimed"


def _value(side: str, fits: Fits) -> float | None:
    factor, _, cell = side.rpartition("*")
    found = _cell(cell, "estimate", fits)
    return None if found is None else float(factor or 1) * found


def _cell(cell: str, name: str, fits: Fits) -> float | None:
    """Return estimate or p value of ``table.column.term``; None without that estimate."""
    table, column, term = cell.split(".", 2)
    fit = fits.get((table, column))
    return float(fit.coefficients.at[term, name]) if fit is not None and term in fit.coefficients.index else None


def calibration(study: Study) -> pd.DataFrame:
    """Return the committed Monte-Carlo summary of a study's synthetic panel; empty when there is none."""
    text = {name: "string" for name in (*KEY, "tag")}
    try:
        # opened rather than looked for: a page depends on the file also when it is missing
        with (CALIBRATION / f"{study.key}.csv").open(encoding="utf-8") as file:
            return pd.read_csv(file, dtype=text).fillna({name: "" for name in text})
    except FileNotFoundError:
        return pd.DataFrame(columns=[*KEY, "tag", "mc_mean", "mc_sd"])


def _with_calibration(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    summary = calibration(study)[[*KEY, "tag", "mc_mean", "mc_sd"]].astype({name: "object" for name in KEY})
    rows = rows.merge(summary, on=KEY, how="left", validate="one_to_one")
    synthetic = rows["source"] == "synthetic"
    rows.loc[~synthetic, ["mc_mean", "mc_sd"]] = np.nan
    rows["tag"] = rows["tag"].astype(object).where(rows["tag"].notna() & synthetic, "untargeted")
    rows.loc[rows["statistic"] == "figure", "tag"] = "not_comparable"
    for problem in study.inconsistencies:
        hit = (rows["table"] == problem.table) & (rows["column"] == problem.column)
        hit &= (rows["term"] == problem.term) | (problem.term == "")
        hit &= (rows["statistic"] == problem.statistic) | (problem.statistic == "")
        rows.loc[hit, "tag"] = "inconsistent"
        rows.loc[hit, "reason"] = [f"{problem.reason}. {old}".strip(". ") for old in rows.loc[hit, "reason"]]
    return rows


def _judge(rows: pd.DataFrame) -> pd.DataFrame:
    difference = rows["replicated"] - rows["published"]
    spread = rows["published_spread"].astype(float)
    # of a coefficient that prints as zero, no more than half its last digit
    last = 10.0 ** -rows.loc[rows["statistic"] == "estimate", "published"].map(decimals).max()
    from_t = (rows["published"].where(rows["published"] != 0, last / 2) / spread).abs()
    standard_error = spread.where(rows["spread_kind"] != "t", from_t)
    rows["z_published"] = difference / standard_error
    rows["z_mc"] = (difference / rows["mc_sd"].astype(float)).where(rows["mc_sd"].astype(float) > 0)
    # where no spread is printed, these differences stand in for one and for two standard errors
    one, two = rows["published"].abs().mul(0.01), rows["published"].abs().mul(0.05)
    for statistic, (of_one, of_two) in {"r2": (0.01, 0.03), "weight": (0.005, 0.015)}.items():
        share = rows["statistic"] == statistic
        one, two = one.where(~share, of_one), two.where(~share, of_two)
    allowed = [standard_error.fillna(one), (2 * standard_error).fillna(two)]
    rounded = [
        round(a, decimals(b)) == b if pd.notna(a) and pd.notna(b) else False
        for a, b in zip(rows["replicated"], rows["published"], strict=True)
    ]
    numeric = np.select(
        [rows["replicated"].isna(), rounded, *(difference.abs() <= limit for limit in allowed)],
        ["not_replicated", "exact", "close", "near"],
        "differs",
    )
    worded = rows["statistic"].isin(["claim", "figure"]) | (rows["verdict"] != "")
    rows["verdict"] = np.where(worded, rows["verdict"].replace("", "not_replicated"), numeric)
    missing = (rows["verdict"] == "not_replicated") & (rows["reason"] == "")
    rows.loc[missing, "reason"] = "the declared table has no such estimate"
    return rows


def verdicts(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the rows of a study by table of the paper (rows) and verdict (columns, in words, the best first)."""
    counts = pd.crosstab(rows["table"].replace("", "several tables"), rows["verdict"])
    return counts[[name for name in VERDICTS if name in counts]].rename(columns=lambda name: name.replace("_", " "))


def decimals(value: float) -> int:
    """Return the decimals of a printed number, at least three unless it is a whole number."""
    text = f"{value:.10f}".rstrip("0")
    digits = len(text.partition(".")[2])
    return 0 if digits == 0 and abs(value) >= 100 else max(digits, 3)


def collect(parts: list[Path], target: Path) -> None:
    """Merge the studies' ledger rows and add the published numbers of studies that are not in the book.

    Rows of a section that has no page link to the study's scorecard, which made them.

    Parameters
    ----------
    parts : JSON files, each a list of ledger rows of one study.
    target : the CSV file to write.
    """
    frames = []
    for part in parts:
        try:
            frames.append(pd.DataFrame(json.loads(part.read_text(encoding="utf-8"))))
        except ValueError as problem:
            raise DataError(f"{part.name}: not a list of ledger rows ({problem}); delete it and build again") from None
    done = {key for frame in frames for key in frame["study"]}
    for key in published.studies()["study"]:
        if key not in done:
            frames.append(_unbuilt(key))
    ledger = pd.concat(frames, ignore_index=True).reindex(columns=COLUMNS)
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    ledger["page"] = [
        page if pd.isna(page) or page.removesuffix(".html") in contents else f"book/studies/{key}/{SCORECARD}.html"
        for key, page in zip(ledger["study"], ledger["page"], strict=True)
    ]
    write_atomically(target, lambda path: ledger.to_csv(path, index=False, lineterminator="\n"))


def _unbuilt(key: str) -> pd.DataFrame:
    """Return the published rows of a study whose pages are not in the book."""
    rows = _printed(key, {}, {}, pd.DataFrame(), {}, {}, {}, ())
    built = studies.keys()
    reason = "the study's pages were not built" if key in built else "the study is not in this version of the book"
    rows = rows.assign(study=key, verdict="not_replicated", reason=reason, tag="untargeted")
    return rows.reindex(columns=COLUMNS)
