"""The directive ``{scorecard}``: how many published numbers have which verdict, by study and source of the data."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pilotzones.book import LEDGER
from pilotzones.declare import VERDICTS


class Scorecard(SphinxDirective):
    """Counts of ``_build/ledger.csv``, each study linked to its own scorecard; of each source a table of its own."""

    def run(self) -> list[nodes.Node]:
        """Return the table, or a sentence when the ledger does not exist."""
        self.env.note_dependency(str(LEDGER))
        try:
            with LEDGER.open(encoding="utf-8", newline="") as file:
                ledger = list(csv.DictReader(file))
        except FileNotFoundError:
            text = "There is no ledger yet: it is written when the studies' scorecard pages have been executed."
            return [nodes.paragraph(text, text)]
        # a published number has a row for each source, and counts once in each table; without a page it has no source
        licensed = [row for row in ledger if row["source"] == "licensed"]
        tables = [self._counted([row for row in ledger if row["source"] != "licensed"], "")]
        return tables + ([self._counted(licensed, ", licensed data")] if licensed else [])

    def _counted(self, ledger: list[dict[str, str]], words: str) -> nodes.Node:
        """Return the table of one source."""
        counts = Counter((row["study"], row["verdict"]) for row in ledger)
        studies = sorted({study for study, _ in counts})
        found = {verdict for _, verdict in counts}
        verdicts = [v for v in VERDICTS if v in found]
        rows = [[_cell(self._link(study)), *_counted(counts[study, verdict] for verdict in verdicts)]
                for study in studies]  # fmt: skip
        totals = _counted(sum(counts[study, verdict] for study in studies) for verdict in verdicts)
        rows.append([_cell(_text("all")), *totals])
        head = [_cell(_text(word.replace("_", " "))) for word in ["study", *verdicts, "all"]]
        return _table(f"Published numbers by study and verdict{words}", head, rows)

    def _link(self, study: str) -> nodes.Node:
        page = f"book/studies/{study}/09_scorecard"
        if page not in self.env.found_docs:
            return _text(study)
        link = addnodes.pending_xref(
            "", nodes.inline(study, study), refdomain="std", reftype="doc", reftarget=f"/{page}", refexplicit=True,
            refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        return nodes.paragraph("", "", link)


def _text(text: str) -> nodes.Node:
    return nodes.paragraph(text, text)


def _counted(numbers: Iterable[int]) -> list[nodes.entry]:
    """Return the cells of numbers and their sum, each marked with its tenth of the sum, which book.css shades."""
    numbers = list(numbers)
    total = sum(numbers)
    cells = [_cell(_text(f"{n:,}"), f"share-{-(-10 * n // total)}") if n else _cell(_text("–")) for n in numbers]
    return [*cells, _cell(_text(f"{total:,}"))]


def _cell(content: nodes.Node, *classes: str) -> nodes.entry:
    return nodes.entry("", content, classes=[*classes])


def _table(title: str, head: list[nodes.entry], rows: list[list[nodes.entry]]) -> nodes.table:
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", nodes.title(title, title), group, classes=["scorecard"])


def _row(cells: list[nodes.entry]) -> nodes.row:
    return nodes.row("", *cells)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("scorecard", Scorecard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
