"""The words of a page that depend on the study: its banner, its notes, its declared specification."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from IPython.display import HTML, Markdown

from pilotzones import studies
from pilotzones.declare import Study, Table
from pilotzones.errors import DataError
from pilotzones.paths import PAGES

SYNTHETIC = (
    "Synthetic data: simulated from a model with a known truth, calibrated to the printed tables. "
    "Agreement shows that the code recovers the parameter built in; it is not evidence for the effect."
)
PRIMER = (
    "Synthetic data: the roll-out is real, the outcome is simulated, and the truth is known. Agreement shows that an "
    "estimator recovers the parameter built in; it is not evidence for the effect."
)
LICENSED = "Licensed data: the numbers below come from the user's own exports."


def banner(study: Study, source: str, seed: int, vcov: str) -> HTML:
    """Return the coloured line at the top of a study's page that says what the numbers are made of."""
    settings = f"study = {study.key}, source = {source}, seed = {seed}, vcov = {vcov}"
    who = f"({study.title_zh}), {study.authors}, {study.outlet}."
    return _banner(study.title, who, source, settings, [study] if source == "licensed" else [])


def banner_of_primer(title: str, settings: Mapping[str, object]) -> HTML:
    """Return the same line for a page about methods, which simulates its own outcome, with the page's parameters."""
    words = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return _banner(title, "", "synthetic", words, [], PRIMER)


def banner_of_all(source: str, keys: Sequence[str]) -> HTML:
    """Return the same line for a page about several studies."""
    licensed = [studies.load(key) for key in keys] if source == "licensed" else []
    return _banner("All studies.", "", source, f"source = {source}", licensed)


def _banner(title: str, who: str, source: str, settings: str, licensed: Sequence[Study], text: str = "") -> HTML:
    text = text or (SYNTHETIC if source == "synthetic" else LICENSED)
    return HTML(
        f'<div class="source-banner {escape(source)}" role="note"><strong>{escape(title)}</strong> '
        f"{escape(who)} {escape(text)} <code>{escape(settings)}</code>{''.join(map(_files, licensed))}</div>"
    )


def _files(study: Study) -> str:
    """Return the exports of a study, folded away: number and fingerprint of all, name and first digits of each."""
    from pilotzones import licensed, panel  # reading exports takes libraries that synthetic pages do without

    files = licensed.fingerprints(study)
    items = "".join(f"<li>{escape(name)} <code>{digest[:8]}</code></li>" for name, digest in files.items())
    number = "1 file" if len(files) == 1 else f"{len(files)} files"
    words = f"{study.key}: licensed data, {number}, fingerprint {panel.fingerprint(study)}"
    return f"<details><summary>{escape(words)}</summary><ul>{items}</ul></details>"


def note(study: Study, section: str, key: str, source: str = "synthetic") -> Markdown | None:
    """Return the study's own commentary on one point of a section.

    The notes of a study live in ``book/studies/<study>/notes/<section>.md``; each level-2 heading there is a key. What
    stands below ``## key (synthetic)`` is about this book's synthetic numbers and left out on pages of licensed data; a
    key may have several headings, in the order in which they are to be read. None where the study has nothing to say on
    the point.

    Raises
    ------
    DataError
        If the study has no notes file for the section.
    """
    path = PAGES / study.key / "notes" / f"{section}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise DataError(f"{path.name}: study {study.key} needs its notes at book/studies/{study.key}/notes/") from None
    parts = re.split(r"^## +(\S+)(?: +\((synthetic)\))? *$", text, flags=re.MULTILINE)
    named = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    found = [part.strip() for name, about, part in named if name == key and about in (None, source)]
    return Markdown("\n\n".join(found)) if any(found) else None


def specification(study: Study, table: Table) -> Markdown:
    """Return a table's regressions as declared, one line per column."""
    lines = [f"**{table.id}. {table.title}**, as declared:", "", "```"]
    for column in table.columns:
        sample = f"   [{column.sample}]" if column.sample else ""
        sample += f"   [matched: {column.matching}]" if column.matching else ""
        sample += f"   [variables winsorised at {column.winsorise:.0%}]" if column.winsorise else ""
        number = f"({column.id}) " if column.id else ""
        lines.append(f"{number}{column.formula}{sample}")
    lines += ["```", "", *(f"with {name} = `{terms}`  " for name, terms in study.blocks.items() if _used(name, table))]
    return Markdown("\n".join(lines))


def _used(block: str, table: Table) -> bool:
    return any(f"{{{block}}}" in column.formula for column in table.columns)
