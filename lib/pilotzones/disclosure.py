"""A public book holds aggregate results only: refuse pages that show licensed values of single units.

A page is refused if an output

- is of a kind that carries data along (SVG, JSON, HTML with ``data-`` attributes or scripts);
- names a unit beside two or more numbers that are licensed values of that unit, at the precision shown (at least four
  significant digits): a firm by its code, a city or province by its name or code;
- lists more than :data:`RUN` values of one column in the panel's order.

It cannot see what a figure shows: figures of single units are left out by their tag (``shows-units``). A unit without
its name, e.g. the minimum of a variable, is no finding. Facts that are public anyway, such as dates of zones, places
and distances, are no licensed values.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
from nbformat import NotebookNode

from pilotzones import measured, panel, places, policy
from pilotzones.declare import Study
from pilotzones.errors import PilotZonesError
from pilotzones.paths import ROOT

RUN = 200  # values of one column in a row
DIGITS = 4  # significant digits from which a number counts as a value
TOGETHER = 2  # values of a unit that make a finding
KINDS = {"text/plain", "text/html", "text/markdown", "text/latex", "image/png"}
_PLACES = ("city", "province")
_TIMING = {"cohort", "event_time", "batch", "treat_post"}

_NUMBER = re.compile(r"(?<![\w.,])[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?:%|(?!\w|\.\d))")
_YEAR = re.compile(r"(19[89]|20[0-2])\d")
_WORD = re.compile(r"\w+")


def check(pages: Mapping[str, NotebookNode], studies: Sequence[Study]) -> None:
    """Refuse executed pages that show licensed values of single units.

    Parameters
    ----------
    pages : name to executed notebook, all made from licensed data.
    studies : the studies whose licensed data they are made from.

    Raises
    ------
    PilotZonesError
        The message names the first finding of every page: page, cell, line and unit.
    """
    values = [Values.of(study) for study in studies]
    found = [f"{name}, {problem}" for name, page in pages.items() if (problem := _first(_problems(page, values)))]
    if found:
        advice = "such values must not be published: leave the cell out of the book (tag shows-units) or show less"
        raise PilotZonesError("\n".join(["the book is not built, pages show licensed values:", *found, advice]))


def check_repository() -> None:
    """Refuse to go on when Git tracks licensed data or executed pages.

    Raises
    ------
    PilotZonesError
        The message names the first file.
    """
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return
    command = [git, "-C", str(ROOT), "ls-files", "-z", "--", "data/raw", "data/panels", "book/*.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tracked = [name for name in done.stdout.split("\0") if name and not name.endswith("README.md")]
    if tracked:
        raise PilotZonesError(
            f"{tracked[0]}: Git tracks this file, and {len(tracked) - 1} more of exports, panels or executed pages; "
            "they must not leave this machine: `git rm --cached` them"
        )


# --- what is licensed ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Values:
    """The licensed values of a study.

    Attributes
    ----------
    frames : panel, raw data and records, without keys, codes, treatment and what else is public.
    units : ``"firm"``, ``"city"``, ``"province"`` or ``"pair"`` -> values that belong to one, by code.
    """

    study: Study
    frames: tuple[pd.DataFrame, ...]
    units: Mapping[str, tuple[pd.DataFrame, ...]]

    @classmethod
    def of(cls, study: Study) -> Values:
        """Load a study's licensed values."""
        wide = [panel.load(study, "licensed"), panel.raw(study, "licensed", study.seed)]
        records = measured.draw(study, wide[0], "licensed", study.seed, firms=0).values()
        public = {v.name for v in study.variables if v.kind in ("code", "binary", "group")} | _TIMING
        public |= {study.unit, study.time, "firm", "city", "province"}
        frames, units = [], defaultdict(list)
        for frame in [*wide, *records]:
            known = frame.drop(columns=[name for name in frame if name in public]).select_dtypes("number")
            numbers = [name for name in known if not known[name].dropna().isin([0, 1]).all()]
            frames.append(frame[numbers].astype(float))
            for key in dict.fromkeys([study.unit, "firm", *_PLACES]):
                if key in frame:
                    # of many rows of a place, what they have in common is the place's; records of no firm are its own
                    own = key in ("firm", study.unit) or (len(frames) > len(wide) and "firm" not in frame)
                    kept = numbers if own else _constant(frame, key, study.time, numbers)
                    units[key].append(frame[kept].astype(float).set_axis(frame[key]))
            if {"city_i", "city_j"} <= {*frame}:
                units["pair"] = [frames[-1].set_axis(_pair(frame["city_i"], frame["city_j"]))]
        return cls(study, tuple(frames), {key: tuple(found) for key, found in units.items()})

    def of_unit(self, key: str, unit: int) -> np.ndarray:
        """Return all values of a firm, city, province or pair, sorted."""
        parts = [frame.loc[frame.index == unit].to_numpy().ravel() for frame in self.units[key]]
        values = np.unique(np.concatenate(parts))
        return values[np.isfinite(values)]


def _pair(first: Any, second: Any) -> Any:
    """Return one number for two cities, the smaller code first."""
    return first * 1_000_000 + second


def _constant(frame: pd.DataFrame, key: str, time: str, numbers: list[str]) -> list[str]:
    """Return the columns that have one value for all units of a place and year: the place's own."""
    groups = frame.groupby([name for name in (key, time) if name in frame])[numbers]
    same = (groups.max() - groups.min()).fillna(0).eq(0).all()
    return [name for name in numbers if same[name]]


# --- what a page shows -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """Cells that stand together: a row or a column of a table, or a line of text."""

    where: str
    cells: tuple[str, ...]


class _Tables(HTMLParser):
    """Collects rows of tables, lines of text around them, and what may carry data along."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.text: list[str] = []
        self.carries = ""
        self._cell: list[str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "svg", "canvas", "iframe", "object", "embed"):
            self.carries = self.carries or f"<{tag}>"
        for name, value in attrs:
            if name.startswith("data-") or (value or "").startswith("data:"):
                self.carries = self.carries or f"attribute {name}"
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            if self.tables and self.tables[-1]:
                self.tables[-1][-1].append(" ".join(self._cell))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data.strip())
        else:
            self.text.append(data)


def _problems(page: NotebookNode, values: Sequence[Values]) -> Iterator[str]:
    """Yield what is wrong with a page, in words."""
    names = _Names(values)
    for number, cell in enumerate(page.cells, 1):
        for output in cell.get("outputs", []):
            for kind, content in _contents(output).items():
                where = f"cell {number}, {kind}"
                if kind not in KINDS:
                    yield f"{where}: an output of this kind carries data along"
                    continue
                if kind == "image/png":
                    continue
                tables, text, carrier = _read(kind, content)
                if carrier:
                    yield f"{where}: {carrier} carries data along"
                    continue
                for line in _lines(tables, text):
                    yield from (f"{where}, {line.where}: {said}" for said in names.problems(line))
                for column in [*_columns(tables), [word for line in text for word in _NUMBER.findall(line)]]:
                    if said := _run(column, values):
                        yield f"{where}: {said}"


def _contents(output: NotebookNode) -> dict[str, str]:
    if output.output_type == "stream":
        return {"text/plain": output.text}
    if output.output_type == "error":
        return {"text/plain": "\n".join(output.traceback)}
    return {kind: data if isinstance(data, str) else str(data) for kind, data in output.get("data", {}).items()}


def _read(kind: str, content: str) -> tuple[list[list[list[str]]], list[str], str]:
    """Return tables, as rows of cells, lines of text, and what carries data along, if anything."""
    if kind == "text/html":
        parsed = _Tables(content)
        return parsed.tables, "".join(parsed.text).splitlines(), parsed.carries
    lines = content.splitlines()
    rows = [re.split(r"\s{2,}|\s*[|&]\s*", line.strip(" |\\")) for line in lines]
    return [rows], lines, _Tables(content).carries if kind == "text/markdown" else ""


def _lines(tables: Iterable[list[list[str]]], text: Iterable[str]) -> Iterator[Line]:
    """Yield every row and column of tables, and every line of text."""
    for table in tables:
        for number, row in enumerate(table, 1):
            yield Line(f"row {number}", tuple(row))
        # counted from the right: a header may lack the cell above the names of rows
        for back in range(1, max(map(len, table), default=0) + 1):
            yield Line(f"column {back} from the right", tuple(row[-back] for row in table if len(row) >= back))
    for number, line in enumerate(text, 1):
        yield Line(f"line {number}", (line,))


def _columns(tables: Iterable[list[list[str]]]) -> Iterator[list[str]]:
    for table in tables:
        for back in range(1, max(map(len, table), default=0) + 1):
            cells = [row[-back].strip() for row in table if len(row) >= back]
            yield [cell for cell in cells if _NUMBER.fullmatch(cell)]


@dataclass(frozen=True)
class Number:
    """A number as it is shown: all values from ``low`` to ``high`` print like this, with so many digits."""

    low: float
    high: float
    digits: int


def _number(text: str) -> Number:
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace(",", "").rstrip("%")
    mantissa, _, exponent = plain.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    half, value = 0.5 * 10.0**-decimals, float(plain)
    slack = half + 1e-9 * abs(value)
    digits = len(re.sub(r"\D", "", mantissa).lstrip("0"))
    scale = 100 if text.endswith("%") else 1
    return Number((value - slack) / scale, (value + slack) / scale, digits)


class _Names:
    """Finds units that a line names, and numbers beside the name that are theirs."""

    def __init__(self, values: Sequence[Values]) -> None:
        self._values = values
        self._places = {"city": _place_names("city"), "province": _place_names("province")}
        self._sorted: dict[tuple[str, str, int], np.ndarray] = {}

    def problems(self, line: Line) -> Iterator[str]:
        """Yield a sentence for every unit that the line gives away."""
        texts = [unicodedata.normalize("NFKC", cell) for cell in line.cells]
        words = [word for cell in texts for word in _NUMBER.findall(cell) if not _YEAR.fullmatch(word)]
        shown = [number for number in map(_number, words) if number.digits >= DIGITS]
        if len(shown) < TOGETHER:
            return
        for study in self._values:
            for key, unit, name in self._named(study, texts):
                known = self._of(study, key, unit)
                hits = sum(bool(np.searchsorted(known, n.high, "right") > np.searchsorted(known, n.low)) for n in shown)
                if hits >= TOGETHER:
                    yield f"{hits} numbers beside {key} {name} are its values in the licensed data of {study.study.key}"

    def _of(self, values: Values, key: str, unit: int) -> np.ndarray:
        place = (values.study.key, key, unit)
        if place not in self._sorted:
            self._sorted[place] = values.of_unit(key, unit)
        return self._sorted[place]

    def _named(self, values: Values, texts: Sequence[str]) -> Iterator[tuple[str, int, str]]:
        """Yield kind, code and name of every unit that some text names."""
        joined = " ".join(texts)
        words = {*_WORD.findall(joined)}
        if "firm" in values.units:
            firms = {*values.units["firm"][0].index}
            codes = {text.strip() for text in texts} | {word for word in words if len(word) == 6}
            yield from (("firm", int(c), c) for c in codes if re.fullmatch(r"\d{1,6}", c) and int(c) in firms)
        cities: dict[int, str] = {}
        for key, known in self._places.items():
            # Chinese has no blanks between words, English names may have some inside
            inside = (name for name in known if name in words or (name in joined and not name.isalnum()))
            chinese = (name for name in known if not name.isascii() and name in joined)
            for name in {*inside, *chinese}:
                for code in known[name]:
                    if key in values.units:
                        yield key, code, name
                    if key == "city":
                        cities[code] = name
        if "pair" in values.units:
            yield from (("pair", _pair(i, j), f"{cities[i]} and {cities[j]}") for i in cities for j in cities if i < j)


@cache
def _place_names(kind: str) -> dict[str, list[int]]:
    """Return the names and the code of all places of a kind, with every code that bears the name."""
    cities = policy.cities()[["adcode", "city_en", "city_zh"]].set_axis(["code", "english", "chinese"], axis=1)
    provinces = policy.provinces()[["province_en", "province_zh"]].set_axis(["english", "chinese"], axis=1)
    table = cities if kind == "city" else provinces.rename_axis("code").reset_index()
    other = places.place_names()
    other = other[other["adcode"].isin(table["code"])]
    pairs = [*zip(other["name"], other["adcode"], strict=True)]
    for column in ("english", "chinese", "code"):
        pairs += zip(table[column].astype(str), table["code"], strict=True)
    # the table has the short names that are more than the long one without its ending
    pairs += [(re.sub(r"(市|地区|盟|省|自治区)$", "", str(name)), code) for name, code in pairs]
    found: dict[str, list[int]] = {}
    for name, code in dict.fromkeys(pairs):
        found.setdefault(name, []).append(int(code))
    return found


def _run(cells: Sequence[str], values: Sequence[Values]) -> str:
    """Say which column of a panel more than :data:`RUN` numbers in a row are from; empty if they are from none."""
    if len(cells) <= RUN:
        return ""
    shown = [_number(cell) for cell in cells]
    low, high = np.array([n.low for n in shown]), np.array([n.high for n in shown])
    step = RUN // 2  # every longer run holds a whole block
    for of_study in values:
        for frame in of_study.frames:
            for name in frame:
                column = frame[name].to_numpy()
                column = column[np.isfinite(column)]
                for start in range(0, len(cells) - step + 1, step):
                    places = np.arange(len(column) - step + 1)
                    for i in range(start, start + step):
                        here = column[places + i - start]
                        places = places[(here >= low[i]) & (here <= high[i])]
                        if not len(places):
                            break
                    if len(places) and _length(column, places[0], low, high, start) > RUN:
                        return f"more than {RUN} values of '{name}' in the order of the licensed panel"
    return ""


def _length(column: np.ndarray, place: int, low: np.ndarray, high: np.ndarray, start: int) -> int:
    """Return how many numbers around a match agree with the column without a break, 0 if they hardly vary."""
    before, after = min(place, start), min(len(column) - place, len(low) - start)
    here = column[place - before : place + after]
    bounds = slice(start - before, start + after)
    apart = np.flatnonzero((here < low[bounds]) | (here > high[bounds])) - before
    first = max(apart[apart < 0], default=-before - 1)
    last = min(apart[apart >= 0], default=after)
    varied = len(np.unique(here[first + 1 + before : last + before])) > RUN // 10
    return last - first - 1 if varied else 0


def _first(problems: Iterator[str]) -> str:
    return next(problems, "")
