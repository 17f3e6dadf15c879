"""Rules that hold the paper's words against its tables, and about the weights of indices."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pilotzones.audit.finding import CANNOT, Finding, judged
from pilotzones.audit.intervals import Interval, decimals, exactly, rounded, total
from pilotzones.audit.tables import Cell, Tables

NEEDED = {"0.01": 3, "0.05": 2, "0.10": 1}


def claims(tables: Tables) -> Iterator[Finding]:
    """Do the tables say what the text says of them?

    A claim names a coefficient with its sign and level, or inequalities of coefficients; both are read off the printed
    numbers. An inequality fails only if no values that round to the printed ones fulfil it.
    """
    for claim in tables.text["claims"].to_dict("records"):
        place = (claim["table"], claim["column"], claim["claim_id"])
        parts = [part.strip() for part in claim["compare"].split(";")] if claim["compare"] else []
        verdicts = [_inequality(tables, part) for part in parts]
        cell = _cell(tables, claim["table"], claim["column"], claim["term"])
        if cell is not None:
            verdicts.append(_significance(cell, claim["sign"], claim["level"]))
        known = [verdict for verdict in verdicts if verdict is not None]
        if not known or len(known) < len(verdicts):
            yield Finding(*place, "", "", CANNOT, f"{claim['claim']}: no printed number decides it")
            continue
        words = f"{claim['claim']}: {'; '.join(numbers for _, numbers in known)}"
        yield Finding(
            *place, "; ".join(numbers for _, numbers in known), "", judged(all(fits for fits, _ in known)), words
        )


def _cell(tables: Tables, table: str, column: str, term: str) -> Cell | None:
    return next((c for c in tables.cells if (c.table, c.column, c.term) == (table, column, term)), None)


def _significance(cell: Cell, sign: str, level: str) -> tuple[bool, str] | None:
    if level and cell.stars is None:
        return None
    fits = True
    if sign in ("+", "-"):
        fits = (float(cell.estimate) < 0) == (sign == "-")
    if level:
        assert cell.stars is not None
        fits &= cell.stars == 0 if level == "ns" else cell.stars >= NEEDED[level]
    return fits, f"{cell.shown} in {cell.table} ({cell.column})"


def _inequality(tables: Tables, words: str) -> tuple[bool, str] | None:
    place, stars, number = words.partition(" stars ")
    if stars:
        cell = _cell(tables, *place.split(".", 2))
        return None if cell is None else (cell.stars == int(number), f"{cell.shown}, {number} stars claimed")
    left, sign, right = re.split(r"([<>])", words)
    values = []
    for side in (left, right):
        factor, _, place = side.rpartition("*")
        cell = _cell(tables, *place.split(".", 2))
        if cell is None:
            return None
        values.append((exactly(float(factor or 1)) * cell.value, f"{factor + ' x ' if factor else ''}{cell.estimate}"))
    (a, first), (b, second) = values
    return (a.low < b.high if sign == "<" else a.high > b.low), f"{first} {sign} {second} claimed"


def claimed_numbers(tables: Tables) -> Iterator[Finding]:
    """Does every decimal number that a claim mentions stand in a table of the paper?

    Compared with coefficients, spreads, R2 and test statistics, rounded to the claim's decimals. Levels of significance
    and what follows an inequality sign after ``p`` or ``F`` are no such numbers.
    """
    printed = [cell.estimate for cell in tables.cells] + [cell.spread for cell in tables.cells]
    printed += list(tables.text["columns"]["r2"])
    printed += [*tables.text["stats"]["value"], *tables.text["stats"]["bracket_value"]]
    values = [rounded(text) for text in printed if text]
    for claim in tables.text["claims"].to_dict("records"):
        for number in re.findall(r"(?<![\w.])-?\d+\.\d+(?![\w.]*\d)", claim["claim"]):
            fits = any(rounded(number).meets(value) for value in values)
            words = f"{claim['claim_id']} mentions {number}, which {'a table prints' if fits else 'no table prints'}"
            yield Finding(claim["table"], claim["column"], claim["claim_id"], number, "", judged(fits), words)


def weights_sum(tables: Tables) -> Iterator[Finding]:
    """Do the weights of an index sum to one, up to half a unit of the last digit for each?"""
    for table, rows in tables.text["index_weights"].groupby("table"):
        texts = [text for text in rows["weight"] if text]
        if len(texts) < len(rows):
            yield Finding(str(table), "", "weights", "", "", CANNOT, f"{len(texts)} of {len(rows)} weights printed")
            continue
        found = total(rounded(text) for text in texts)
        shown = f"{sum(map(float, texts)):.{max(map(decimals, texts))}f}"
        words = f"{len(texts)} weights sum to {shown}, by rounding {found}"
        yield Finding(str(table), "", "weights", shown, "1", judged(found.meets(exactly(1))), words)


def weights_by_kind(tables: Tables) -> Iterator[Finding]:
    """Do entropy weights follow the skewness of the indicators?

    Min-max scaling and entropy give weight to indicators that are large in few places: totals of cities (yuan, persons,
    items), which differ between cities as their sizes do. Percentages differ little and weigh little. A total of which
    more is worse is scaled backwards, so that nearly all cities are near one, and weighs next to nothing. So a total
    with a plus should weigh at least as much as the median percentage, and one with a minus no more than the largest.
    This rule is about the usual shape of such data, not about arithmetic.
    """
    printed = False
    for table, rows in tables.text["index_weights"].groupby("table"):
        weighted = rows[rows["weight"] != ""]
        total_of = ~weighted["indicator"].str.contains(" per ") & ~weighted["unit"].isin(["%", ""])
        shares = sorted(weighted.loc[weighted["unit"] == "%", "weight"], key=float)
        if not shares or not total_of.any():
            continue
        printed = True
        for row in weighted[total_of].to_dict("records"):
            weight = rounded(row["weight"])
            middle, most = rounded(shares[(len(shares) - 1) // 2]), rounded(shares[-1])
            minus = row["sign"] == "-"
            fits = weight.low <= most.high if minus else weight.high >= middle.low
            implied = Interval(0, most.high) if minus else Interval(middle.low, 1)
            words = f"{row['indicator']} ({row['unit']}, {row['sign']}) weighs {row['weight']}; percentages weigh "
            words += f"{shares[0]} to {shares[-1]}"
            yield Finding(str(table), "", row["indicator"], row["weight"], str(implied), judged(fits), words)
    if not printed:
        yield Finding("", "", "weights", "", "", CANNOT, "no weights of totals and percentages printed")
