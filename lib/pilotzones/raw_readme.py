"""Write ``data/raw/<study>/README.md``: what to download, and what becomes of it, from a study's ``exports.py``.

``python -m pilotzones.raw_readme`` writes all of them; a test keeps them in step with the declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pilotzones import licensed, paths, studies
from pilotzones.catalogue import OWN, Item
from pilotzones.declare import Study
from pilotzones.io import shown, write_atomically
from pilotzones.licensed import Exports, Records

KINDS = {"city": "name or code", "province": "name or code", "date": "date; its year counts"}
HEAD = ("item", "of", "header", "unit", "years")
KEYS = {"city": "a city and year", "province": "a province and year", "firm": "a firm and year"}


def text(study: Study) -> str:
    """Return the README of a study's folder, Markdown.

    Raises
    ------
    DataError
        If the study declares no licensed sources.
    """
    declared = licensed.exports(study)
    parts = [
        f"# {study.title}: licensed data",
        "*Written by `python -m pilotzones.raw_readme` from "
        f"`lib/pilotzones/studies/{study.key}/exports.py`; change that file, not this one.*",
        f"{study.title_zh}, {study.years[0]}-{study.years[1]}. What is read becomes one row per {declared.of} and "
        "year. Put files into this folder as they are downloaded: `.xlsx`, `.xls`, `.csv`, `.txt`, `.dta`, or `.zip` "
        "with such files in it; names and subfolders do not matter. Git ignores all of them.",
        "## What to download",
        "A column is found by its code or by one of the names below, in any file; the unit is read from its header. "
        "Where the header has no unit, or the name only resembles one, the column is drafted into `mapping.toml` and "
        "waits for your word. Tables of yearbooks say their year in a column 年份, in the title or in the sheet's "
        "name; of columns for the whole city 全市 and for its districts 市辖区 the first count. *Years* are those that "
        "the formulas use.",
        *(_downloads(study, declared, source) for source in _sources(declared) if source != OWN),
    ]
    own = [item for item in declared.items if item.source == OWN]
    if own:
        parts += [
            "## Tables of your own",
            "No database holds these for this study. Make a table with a column for the year, one for the place, and "
            "one for each variable with its unit in brackets behind the name, e.g. `环境污染治理投资(万元)`. A section "
            "below says how each is made.",
            _table(HEAD, (_item(study, declared, item, code=False) for item in own)),
        ]
    if declared.records:
        parts += [
            "## Records",
            "These have many rows per unit and year. A table is taken for one of them when it has all its columns; a "
            "row that lacks a value is left out.",
            *(_records(table) for table in declared.records),
        ]
    parts += [
        "## Where each variable comes from",
        "Words in formulas are the items above, or variables computed before. `x_before` is the value of the year "
        "before, `x_first` that of the first sample year; `x_level` is a price level, 1 in the first sample year, "
        "chained from an index that is 100 in the year before; `cny_per_usd` is the year's average exchange rate "
        "(`data/facts/national_series.csv`). What lacks an item is missing.",
        _table(("variable", "what it is", "unit", "how"), _variables(study, declared)),
        "## What cannot be had any more, and what stands in for it",
        "\n".join(f"- {entry}" for entry in declared.gone),
        "## How to check",
        "\n".join([
            f"1. `pilotzones check-data {study.key}` says what was found, how each column was read, and what is "
            "missing or suspicious.",
            f"2. If it drafted `data/raw/{study.key}/{licensed.MAPPING}`, open that file, say what each column is, set "
            "`confirmed = true`, and check again.",
            f"3. `pilotzones run 03_baseline out.ipynb -p study {study.key} -p source licensed` runs one page on your "
            "data.",
        ]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _sources(declared: Exports) -> list[str]:
    return list(dict.fromkeys(item.source for item in declared.items))


def _downloads(study: Study, declared: Exports, source: str) -> str:
    items = [item for item in declared.items if item.source == source]
    codes = any(item.codes for item in items)
    head = (*HEAD[:3], "code", *HEAD[3:]) if codes else HEAD
    return f"### {source}\n\n" + _table(head, (_item(study, declared, item, codes) for item in items))


def _item(study: Study, declared: Exports, item: Item, code: bool) -> tuple[str, ...]:
    unit = item.unit or KINDS.get(item.kind, "as it is")
    codes = (", ".join(f"`{known}`" for known in item.codes),) if code else ()
    of = KEYS[item.of] if item.yearly else KEYS[item.of].removesuffix(" and year")
    return f"`{declared.name(item)}`", of, " or ".join(item.names), *codes, unit, _years(study, declared, item)


def _years(study: Study, declared: Exports, item: Item) -> str:
    """Return the years of an item that formulas use."""
    if not item.yearly:
        return "any"
    first, last = study.years
    name = declared.name(item)
    words = {word for formula in declared.formulas.values() for word in re.findall(r"\w+", formula)}
    if f"{name}_before" in words:
        return f"{first - 1}-{last}"
    if f"{name}_first" in words and name not in words:
        return str(first)
    return f"{first}-{last}"


def _records(table: Records) -> str:
    rows = (
        (f"`{name}`", " or ".join(headers), "text" if name in table.text else unit or "as it is")
        for name, (unit, headers) in table.columns.items()
    )
    return f"### {table.name}: {table.source}\n\n" + _table(("column", "header", "unit"), rows)


def _variables(study: Study, declared: Exports) -> Iterable[tuple[str, ...]]:
    labels = {name: (label, "") for index in study.indices for name, label in index.indicators.items()}
    if study.unit == declared.of:  # else the study's variables are of pairs of cities
        labels |= {variable.name: (variable.label, variable.unit) for variable in study.variables}
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys([*declared.formulas, *declared.measured]):
        how = [f"`{declared.formulas[name]}`"] if name in declared.formulas else []
        if name in declared.measured:
            measure = declared.measured[name]
            says = getattr(measure, "func", measure).__doc__ or ""  # a partial has its function's
            how.append(says.partition("\n")[0].removeprefix("Return ").rstrip("."))
        of = ", ".join(item.names[0] for item in declared.used(name))
        rows.setdefault((*labels.get(name, (of, "")), "; ".join(how)), []).append(f"`{name}`")
    return ((", ".join(names), *row) for row, names in rows.items())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def write() -> list[Path]:
    """Write the README of every study and return where."""
    written = []
    for key in studies.keys():  # noqa: SIM118, a function
        target = paths.RAW / key / "README.md"
        write_atomically(target, partial(Path.write_text, data=text(studies.load(key)), encoding="utf-8"))
        written.append(target)
    return written


if __name__ == "__main__":
    print("\n".join(map(shown, write())))
