"""What a study's licensed files hold, how it was read, what is missing, what looks wrong: for the terminal and a page.

The report names single values of the files, because the user has to find them there: it is for the user's own eyes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import describe, licensed, panel, paths, policy, published, replicate, suspicious
from pilotzones.catalogue import Item
from pilotzones.declare import Column, Study, Table
from pilotzones.errors import DataError
from pilotzones.io import shown, write_atomically
from pilotzones.licensed import Exports, Found
from pilotzones.readers.archives import File
from pilotzones.readers.grids import is_sidecar
from pilotzones.report.tables import TableView, number

WIDTH = 100  # columns of the terminal
LINES = 40  # of one list or table on the terminal; the page has all
FAR = 0.5  # printed standard deviations between the means
SAMPLE_UNITS = 20  # of the synthetic panel that tells which columns need which variable


@dataclass(frozen=True)
class Part:
    """One part of the report: a heading, sentences, a list, a table.

    Parameters
    ----------
    table : cells as text; the first column names the rows.
    folded : closed on the page, and counted only on the terminal.
    """

    title: str
    text: str = ""
    items: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    folded: bool = False


@dataclass(frozen=True)
class Report:
    """What :func:`check` found.

    Parameters
    ----------
    ready : whether a panel can be made.
    verdict : the same in words, with numbers.
    """

    study: Study
    ready: bool
    verdict: str
    parts: tuple[Part, ...]

    @property
    def title(self) -> str:
        """Heading of the report."""
        return f"Licensed data of {self.study.key}: {self.study.title}"


def check(study: Study, draft: bool = True, progress: Callable[[list[File]], Iterable[File]] = iter) -> Report:
    """Read a study's licensed files and report on them.

    Parameters
    ----------
    draft : whether columns that wait for the user's word are added to ``mapping.toml``.
    progress : see :func:`pilotzones.licensed.find`.

    Raises
    ------
    DataError
        If there are no files, the study declares no licensed sources, or the mapping cannot be written.
    """
    found = licensed.find(study, progress)
    added = licensed.draft(study, found) if draft else 0
    return report(study, found, added)


def report(study: Study, found: Found, added: int = 0) -> Report:
    """Report on what was found.

    Parameters
    ----------
    added : columns that were just added to ``mapping.toml``.
    """
    declared = licensed.exports(study)
    raw, whole, data, problem = _panel(study, found)
    errors = [*map(str, found.errors), *problem]
    warnings = [str(finding) for finding in found.findings if finding.severity == "warning"]
    notes = [str(finding) for finding in found.findings if finding.severity == "note"]
    missing = [item for item in declared.items if declared.name(item) not in found.values]
    waiting = len({(c.file, c.column) for c in found.candidates})

    nothing = not found.values and not found.records
    counted = [_count(len(warnings), "warning"), f"{_count(len(missing), 'item')} missing",
               f"{_count(waiting, 'column')} to be confirmed"]  # fmt: skip
    amiss = ", ".join(words for words in counted if not words.startswith("0 "))
    if nothing and not found.errors:
        verdict = "nothing found: no column of these files is known"
    elif errors:
        verdict = f"{_count(len(errors), 'problem')} to be put right first"
    else:
        verdict = f"ready with warnings: {amiss}" if amiss else "ready"

    parts = [
        Part("Problems", "" if errors else "None.", tuple(errors)),
        Part("Warnings", "" if warnings else "None.", tuple(warnings)),
        _files(found),
        _readings(declared, found),
        *_missing(study, declared, found, missing, raw),
        *_waiting(study, found, waiting, added),
        _rows(study, declared, found, raw),
        _pilot_cities(study, whole),
        _suspicious(declared, found),
        _observations(study, data),
        _descriptives(study, data),
        Part(_count(len(notes), "note"), "What was done on the way.", tuple(notes), folded=True),
    ]
    return Report(study, not errors and not nothing, verdict, tuple(parts))


def _panel(study: Study, found: Found) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[str]]:
    """Return raw variables of all units, of those that the panel takes, and the panel; empty from a problem on."""
    raw = whole = data = pd.DataFrame()
    if found.errors:
        return raw, whole, data, []  # what contradicts itself makes no panel
    try:
        raw = licensed.variables(study, found)
        whole = licensed.assemble(study, found)
        derived = study.derive(whole) if study.derive else whole
        panel.validate(derived, study, "licensed", f"the licensed panel of {study.key}")
        data = derived
    except DataError as error:
        return raw, whole, data, [str(error)]
    return raw, whole, data, []


# --- files and columns ---------------------------------------------------------------------------------------------


def _files(found: Found) -> Part:
    rows = []
    for name, digest in found.files.items():
        inside = found.tables[found.tables["file"].map(lambda file, name=name: _outer(file) == name)]
        used = {(r.file, r.sheet, r.column) for r in found.readings if _outer(r.file) == name}
        sheets = inside.drop_duplicates(["file", "sheet"])
        about = is_sidecar(name) or name == licensed.MAPPING
        layouts = ["about columns"] if about else sorted(set(inside["layout"]))
        rows.append({
            "file": name, "SHA-256": digest[:12], "sheets": number(len(sheets)), "tables": number(len(inside)),
            "layout": ", ".join(layouts), "rows": number(int(inside["rows"].sum())),
            "columns": number(int(inside["columns"].sum())), "used": number(len(used)),
        })  # fmt: skip
    text = "Sheets, tables, rows and columns are those that were read; used are the columns that hold an item."
    return Part("Files", text, table=pd.DataFrame(rows))


def _outer(name: str) -> str:
    """Return the file of the folder that holds a member of an archive."""
    before, zipped, _ = name.partition(".zip/")
    return before + ".zip" if zipped else name


def _readings(declared: Exports, found: Found) -> Part:
    labels = {declared.name(item): item.names[0] for item in declared.items}
    read = pd.DataFrame([vars(reading) for reading in found.readings])
    rows = []
    # the sheets of a yearbook, one a year, are one line
    same = ["item", "column", "how", "found", "unit", "factor"]
    for (item, column, how, unit, wanted, factor), part in read.groupby(same, sort=False) if len(read) else ():
        years = part[part["first"] > 0]
        change = f"{unit or 'none'} -> {wanted}, x {factor:,g}" if factor != 1 or not unit else f"{unit} = {wanted}"
        rows.append({
            "item": f"{item} {labels.get(item, '')}".strip(),
            "from": ", ".join(filter(None, (_one_or_many(part[kind], kind) for kind in ("file", "sheet")))),
            "column": column, "by": how, "unit": change if wanted else "", "numbers": number(int(part["rows"].sum())),
            "years": f"{years['first'].min()}-{years['last'].max()}" if len(years) else "",
        })  # fmt: skip
    text = "By code, by name, or by a line of mapping.toml; the unit in the file, the one wanted, and the factor."
    return Part("How each column was read", text if rows else "No column was read.", table=_frame(rows))


def _one_or_many(names: pd.Series, what: str) -> str:
    different = names.unique()
    return str(different[0]) if len(different) == 1 else f"{len(different)} {what}s"


# --- what is missing -----------------------------------------------------------------------------------------------


def _missing(
    study: Study, declared: Exports, found: Found, missing: Sequence[Item], raw: pd.DataFrame
) -> Iterator[Part]:
    """Say what is missing, where to get it, and what cannot be estimated without it."""
    tables = [wanted for wanted in declared.records if wanted.name not in found.records]
    if not missing and not tables:
        yield Part("Missing", "Nothing: every item was found.")
        return
    trial = _Trial(study)
    rows = []
    for item in missing:
        needing = [name for name in declared.formulas if item in declared.used(name)]
        rows.append({
            "item": declared.name(item), "header": " or ".join([*item.names, *item.codes]), "unit": item.unit,
            "source": item.source, "variables": ", ".join(needing), "estimates": trial.needing(needing),
        })  # fmt: skip
    counted = [name for name in declared.measured if name not in declared.formulas and name in raw]
    empty = [name for name in counted if raw[name].isna().all()]
    for wanted in tables:
        headers = [names[0] for _, names in wanted.columns.values()]
        rows.append({
            "item": f"{wanted.name} (records)", "header": " and ".join(headers), "unit": "", "source": wanted.source,
            "variables": ", ".join(empty), "estimates": trial.needing(empty) if empty else "",
        })  # fmt: skip
    text = (
        "Download these, or do without the estimates that need them: tables of the paper, with columns in brackets "
        "where not all do. Beside a table of records stand the variables that no row has for want of records."
    )
    yield Part("Missing", text, table=_frame(rows))


class _Trial:
    """Which estimates need which raw variables: tried out on a part of the synthetic panel."""

    def __init__(self, study: Study) -> None:
        self._study = study
        raw = panel.raw(study, "synthetic", study.seed)
        units = raw[licensed.exports(study).of].unique()
        some = units[:: max(1, len(units) // SAMPLE_UNITS)]
        self._raw = raw[raw[licensed.exports(study).of].isin(some)].reset_index(drop=True)
        self._complete = set(self._derived(self._raw).dropna(axis=1, how="all"))

    def _derived(self, raw: pd.DataFrame) -> pd.DataFrame:
        return self._study.derive(raw) if self._study.derive else raw

    def needing(self, variables: Sequence[str]) -> str:
        """Return the tables and columns of the paper that cannot be estimated without some raw variables."""
        try:
            left = self._derived(self._raw.assign(**dict.fromkeys(variables, np.nan)))
        except DataError:
            return "all: there is no panel without it"
        lost = self._complete - set(left.dropna(axis=1, how="all"))
        said = []
        for table in self._study.tables:
            columns = [column.id for column in table.columns if lost & _words(self._study, column)]
            if len(columns) == len(table.columns):
                said.append(table.id)
            elif columns:
                said.append(f"{table.id} ({', '.join(columns)})")
        return "; ".join(said) or "none"


def _words(study: Study, column: Column) -> set[str]:
    return set(re.findall(r"\w+", " ".join([study.expand(column.formula), column.sample, column.matching])))


def _waiting(study: Study, found: Found, waiting: int, added: int) -> Iterator[Part]:
    if not waiting:
        return
    path = shown(paths.RAW / study.key / licensed.MAPPING)
    new = f", {added} of them new" if added else ""
    text = (
        f"{_count(waiting, 'column')}{new}: what they hold, only you can say. Open {path}, correct item and unit where "
        'they are wrong (item = "" leaves a column out), set confirmed = true, and check again.'
    )
    rows = [{"column": c.column, "item": c.item, "unit": c.unit, "file": c.file, "sheet": c.sheet, "why": c.why}
            for c in found.candidates]  # fmt: skip
    yield Part("To be confirmed", text, table=_frame(rows).drop_duplicates(["file", "column"]))


# --- the panel -----------------------------------------------------------------------------------------------------


def _rows(study: Study, declared: Exports, found: Found, raw: pd.DataFrame) -> Part:
    title = "The panel"
    if raw.empty:
        return Part(title, "Not made: the problems above come first.")
    years = raw["year"]
    text = (
        f"{len(raw):,} rows of {_count(raw[declared.of].nunique(), declared.of)}, {years.min()}-"
        f"{years.max()}; the paper's years are {study.years[0]}-{study.years[1]}. Second rows with the same value were "
        "counted once; with another value they would be a problem above."
    )
    if declared.balanced:
        gaps = licensed.incomplete(study, raw)
        text += f" The panel has to be balanced; left out because of a gap: {_count(len(gaps), declared.of)}"
        first = gaps.head(5).itertuples()
        cases = [f"{_name(declared.of, g.unit)} ({g.variable or 'all values'} {g.year})" for g in first]
        text += f", e.g. {'; '.join(cases)}." if cases else "."
    labels = {variable.name: variable.label for variable in study.variables}
    rows = []
    for name in raw.columns.difference([declared.of, "year"], sort=False):
        has = raw.loc[raw[name].notna(), "year"]
        rows.append({
            "variable": name, "label": labels.get(name, ""), "missing": f"{raw[name].isna().mean():.1%}",
            "years": f"{has.min()}-{has.max()}" if len(has) else "none",
        })  # fmt: skip
    return Part(title, text, table=_frame(rows))


def _pilot_cities(study: Study, raw: pd.DataFrame) -> Part:
    title = "Pilot cities"
    if "rollout" not in study.features or (len(raw) and "city" not in raw):
        return Part(title, "This study does not compare cities with and without a zone.")
    if raw.empty:
        return Part(title, "There is no panel to look for them in.")
    first = policy.first_batch(partial=False)
    treated = first[first.isin(study.batches)]
    n_years = raw.groupby("city")["year"].nunique().reindex(treated.index, fill_value=0)
    whole = study.years[1] - study.years[0] + 1
    rows = []
    for batch in study.batches:
        counts = n_years[treated == batch]
        some = counts[(counts > 0) & (counts < whole)]
        lacking = [f"{_name('city', city)} ({n} of {whole} years)" for city, n in some.items()]
        lacking += [_name("city", city) for city in counts.index[counts == 0]]
        rows.append({
            "batch": str(batch), "cities": number(len(counts)), "all years": number(int((counts == whole).sum())),
            "some years": number(len(some)), "none": number(int((counts == 0).sum())), "which": "; ".join(lacking),
        })  # fmt: skip
    covered = int((n_years == whole).sum())
    text = (
        f"{covered} of {len(treated)} cities with a zone of the study's batches have a row in every year "
        f"{study.years[0]}-{study.years[1]}, {int(((n_years > 0) & (n_years < whole)).sum())} in some, "
        f"{int((n_years == 0).sum())} in none. Cities with a zone in a part of them only are not counted."
    )
    return Part(title, text, table=_frame(rows))


def _name(kind: str, code: int) -> str:
    """Return what readers call a unit: a place by its names, a firm by its stock code."""
    return f"{code:06d}" if kind == "firm" else _places(kind).get(code, str(code))


@cache
def _places(kind: str) -> dict[int, str]:
    if kind == "city":
        known, names = policy.cities().set_index("adcode"), ["city_zh", "city_en"]
    else:
        known, names = policy.provinces(), ["province_zh", "province_en"]
    return {int(code): f"{chinese} {english}" for code, chinese, english in known[names].itertuples()}


# --- values that look wrong ----------------------------------------------------------------------------------------


def _suspicious(declared: Exports, found: Found) -> Part:
    title = "Values that look wrong"
    rows = []
    for of, frame in _side_by_side(declared, found):
        for place in suspicious.all_of(frame).itertuples():
            rows.append({
                "item": place.item or "several",
                "of": "" if pd.isna(place.unit) else _name(of, int(place.unit)),
                "year": "" if pd.isna(place.year) else str(place.year), "kind": place.kind, "what": place.words,
            })  # fmt: skip
    if not rows:
        return Part(title, "None.")
    text = (
        "Nothing was changed: economies jump, too. Look each up in the file and decide. The worst three of each item "
        "and kind, as the file has them, in its unit; a line without a place counts the rest or is about all."
    )
    return Part(title, text, table=_frame(rows))


def _side_by_side(declared: Exports, found: Found) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return numbers of the files, items in the order of the columns, of one file and one kind of unit at a time.

    An item in several files counts where it was read first. Columns between that are no items are not there, so a row
    that is shifted by one column is seen where at least five items stand side by side.
    """
    first = {reading.item: reading for reading in reversed(found.readings)}
    kinds = {declared.name(item): item for item in declared.items if item.kind == "number" and item.yearly}
    groups: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys([*(reading.item for reading in found.readings), *found.values]):
        if name in kinds and name in found.values:
            file = first[name].file if name in first else ""
            groups.setdefault((file, kinds[name].of), []).append(name)
    low, high = suspicious.YEARS
    for (_, of), names in groups.items():
        columns = {name: found.values[name] / (first[name].factor if name in first else 1.0) for name in names}
        frame = pd.concat(columns, axis=1)
        yield of, frame[frame.index.get_level_values(1).to_series().between(low, high).to_numpy()]


# --- how far from the paper ----------------------------------------------------------------------------------------


def _observations(study: Study, data: pd.DataFrame) -> Part:
    """Set the paper's number of observations beside the rows that have every variable of a column."""
    title = "Rows, beside the paper's"
    if data.empty:
        return Part(title, "There is no panel to count.")
    printed = published.columns(study.key).set_index(["table", "column"])["n_obs"]
    rows = [_observed(study, table, column, data, printed.get((table.id, column.id))) for table in study.tables
            for column in table.columns]  # fmt: skip
    text = (
        "Rows with every variable of a column, before singletons are dropped and before matching. A column without "
        "rows cannot be estimated; the last cell names the variables that no row has."
    )
    return Part(title, text, table=_frame(rows))


def _observed(study: Study, table: Table, column: Column, data: pd.DataFrame, printed: Any) -> dict[str, str]:
    names = [name for name in data if name in _words(study, column)]
    rows = replicate.select(data, column.sample)
    count = len(rows[names].dropna())
    known = printed is not None and pd.notna(printed)
    empty = [name for name in names if data[name].isna().all()]
    return {
        "column": f"{table.id} ({column.id})" if column.id else table.id, "about": column.label,
        "paper": f"{int(printed):,}" if known else "", "here": f"{count:,}",
        "difference": f"{count / printed - 1:+.1%}" if known else "", "no values": ", ".join(empty),
    }  # fmt: skip


def _descriptives(study: Study, data: pd.DataFrame) -> Part:
    """Set the paper's descriptive statistics beside those of the panel."""
    title = "Descriptive statistics, beside the paper's"
    paper = published.descriptives(study.key).set_index("symbol")
    if paper.empty:
        return Part(title, "The paper prints none.")
    if data.empty:
        return Part(title, "There is no panel to describe.")
    here = describe.printed(study, data)
    rows, far = [], []
    for symbol in here.index:
        one, two = paper.loc[symbol], here.loc[symbol]
        apart = (two["mean"] - one["mean"]) / one["sd"]
        far += [symbol] if abs(apart) > FAR else []
        rows.append({
            "variable": symbol, "n": f"{int(one['n']):,}", "n here": f"{int(two['n_obs']):,}",
            **{f"{name}{where}": number(float(row[name])) for name in ("mean", "sd")
               for where, row in (("", one), (" here", two))},
            "range": f"{one['min']:.3g} to {one['max']:.3g}",
            "range here": f"{two['min']:.3g} to {two['max']:.3g}" if two["n_obs"] else "",
            "in sd": number(float(apart), 2), "": "far" if abs(apart) > FAR else "",
        })  # fmt: skip
    text = (
        "In sd: difference of the means in printed standard deviations; beyond 0.5 it is far, and a unit or a "
        f"definition may be another one. Far: {', '.join(far) or 'none'}."
    )
    return Part(title, text, table=_frame(rows))


def _frame(rows: Sequence[dict[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, dtype="object")


def _count(n: int, what: str) -> str:
    return f"{n:,} {what if n == 1 else describe.plural(what)}"


# --- on the terminal -----------------------------------------------------------------------------------------------


def text(what: Report) -> str:
    """Return a report as plain text, at most 100 columns wide, Chinese characters counted twice."""
    lines = [*_wrapped(what.title, WIDTH), *_wrapped(f"Verdict: {what.verdict}", WIDTH)]
    for part in what.parts:
        if part.folded:
            lines += ["", f"{part.title}: on the page." if part.items else f"{part.title}."]
            continue
        lines += ["", part.title, "-" * _columns(part.title), *_wrapped(part.text, WIDTH)]
        for entry in part.items[:LINES]:
            lines += [f"{'  ' if n else '- '}{line}" for n, line in enumerate(_wrapped(entry, WIDTH - 2))]
        rows = len(part.items) if part.table is None else len(part.table)
        if part.table is not None and len(part.table):
            lines += _table(part.table.head(LINES))
        lines += [f"... and {rows - LINES} more on the page"] if rows > LINES else []
    return "\n".join(lines)


def _columns(line: str) -> int:
    """Return the columns of a terminal that a line takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def _wrapped(line: str, width: int) -> list[str]:
    """Break a line at blanks and between Chinese characters; what does not fit is cut."""
    plain = "".join(character if character.isprintable() else " " for character in line)
    lines = [""]
    for piece in re.findall(r"[⺀-\uffef]|[^\s⺀-\uffef]+|\s+", plain):
        for cut in _cut(piece, width):
            if _columns(lines[-1] + cut) <= width:
                lines[-1] += cut
            else:
                lines.append(cut.lstrip())
    return [entry.rstrip() for entry in lines if entry.strip()]


def _cut(piece: str, width: int) -> list[str]:
    cuts = [""]
    for character in piece:
        if _columns(cuts[-1] + character) > width:
            cuts.append("")
        cuts[-1] += character
    return cuts


def _table(frame: pd.DataFrame) -> list[str]:
    """Set a table in columns that fit the terminal; long cells go on below."""
    kept = [name for name in frame if name == frame.columns[0] or (frame[name] != "").any()]
    rows = [list(map(str, kept)), *frame[kept].astype(str).to_numpy().tolist()]
    widths = [max(map(_columns, cells)) for cells in zip(*rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for line in zip_longest(*cells, fillvalue=""):
            lines.append("  ".join(_set(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if len(lines) and row is rows[0]:
            lines.append("  ".join("-" * width for width in widths))
    return lines


def _set(cell: str, width: int) -> str:
    blank = " " * (width - _columns(cell))
    return blank + cell if re.fullmatch(r"[-+]?[\d,.]+%?", cell) else cell + blank


# --- as a page -----------------------------------------------------------------------------------------------------


def write(what: Report, path: Path) -> None:
    """Write a report as a page.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    write_atomically(path, lambda temporary: temporary.write_text(html(what), encoding="utf-8"))


def html(what: Report) -> str:
    """Return a report as one page of HTML that asks for nothing else; all text is escaped."""
    kind = "ready" if what.ready else "not-ready"
    parts = "\n".join(_section(part, place) for place, part in enumerate(what.parts, 1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(what.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(what.title)}</h1>
<p class="private"><strong>For your eyes only.</strong> This page names single values of your licensed files. Below
<code>_build</code> git ignores it, and the book does not take it in; do not pass it on.</p>
<p class="verdict {kind}" role="status"><strong>Verdict:</strong> {escape(what.verdict)}</p>
{parts}
</main>
</body>
</html>
"""


def _section(part: Part, place: int) -> str:
    said = f"<p>{escape(part.text)}</p>" if part.text else ""
    said += f"<ul>{''.join(f'<li>{escape(entry)}</li>' for entry in part.items)}</ul>" if part.items else ""
    if part.table is not None and len(part.table):
        head = part.table.columns[0]
        said += TableView(part.table.set_index(head), part.title).html()
    if part.folded:
        return f"<details><summary>{escape(part.title)}</summary>{said}</details>"
    return f'<section aria-labelledby="part-{place}"><h2 id="part-{place}">{escape(part.title)}</h2>{said}</section>'


_STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --back: #fff; --soft: #f1f3f5; --line: #8a8f94; --bad: #a40000;
  --good: #1a5c2e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --back: #16181a; --soft: #24282c; --line: #7c838a; --bad: #ff9d94; --good: #8fd6a3; }
}
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: 1rem; }
.private, .verdict { background: var(--soft); padding: .6rem 1rem; border-left: .3rem solid var(--line); }
.verdict { font-size: 1.15rem; }
.verdict.ready { border-color: var(--good); }
.verdict.not-ready { border-color: var(--bad); }
li { overflow-wrap: anywhere; }
.table-scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem; border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { white-space: normal; min-width: 10rem; }
tbody th { min-width: 9rem; overflow-wrap: anywhere; }
summary { cursor: pointer; font-size: 1.2rem; font-weight: 600; margin-top: 1rem; }
"""
