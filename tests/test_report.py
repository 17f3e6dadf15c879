"""What a page shows: escaped text, header cells that screen readers understand, figures that are byte-identical."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest

from pilotzones import report
from pilotzones.errors import DataError
from pilotzones.report import theme
from pilotzones.report.tables import TableView, number, stars
from pilotzones.studies import load


class Tags(HTMLParser):
    """Collect the tags of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_text_from_data_is_escaped() -> None:
    table = TableView(pd.DataFrame({"<b>": ["<script>alert(1)</script>"]}, index=["<i>"]), "<caption>", "<note>")
    html = table.html()
    assert "<script>" not in html
    assert all(f"<{tag}>" not in html for tag in ("b", "i", "note"))
    assert html.count("&lt;caption&gt;") == 2


def test_headers_have_scope_and_span_their_columns() -> None:
    columns = pd.MultiIndex.from_product([["(1)", "(2)"], ["printed", "here"]])
    parser = Tags()
    parser.feed(TableView(pd.DataFrame([[1, 2, 3, 4]], index=["x"], columns=columns), "caption").html())
    heads = [attrs for tag, attrs in parser.seen if tag == "th"]
    assert [h.get("scope") for h in heads] == ["colgroup"] * 2 + ["col"] * 4 + ["row"]
    assert sum(int(h.get("colspan") or 0) for h in heads) == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [(28305, "28,305"), (0.0684, "0.068"), (None, ""), (float("nan"), ""), (True, "yes"), ("a", "a"), (2.0, "2.000")],
)
def test_numbers_are_written_for_reading(value: object, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.009, "***"), (0.01, "**"), (0.049, "**"), (0.09, "*"), (0.10, "")])
def test_stars(p: float, text: str) -> None:
    assert stars(p) == text


def test_figures_are_byte_identical_and_carry_their_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pd.DataFrame({"estimate": [1.0], "low": [0.5], "high": [1.5]}, index=["杭州市"])
    shown: list[tuple[dict, dict]] = []
    monkeypatch.setattr(report.figures, "display", lambda data, raw, metadata: shown.append((data, metadata)))
    for _ in range(2):
        drawn = report.figures.interval_plot(rows, "effect")
        report.show(drawn, name="fig-x", alt="an interval", caption="One.", data=rows)
    (first, words), (second, _) = shown
    assert first["image/svg+xml"] == second["image/svg+xml"]
    assert first["image/svg+xml"].startswith("<?xml")
    assert words["image/svg+xml"] == {"alt": "an interval", "caption": "One.", "name": "fig-x"}


def test_chinese_labels_have_glyphs() -> None:
    from matplotlib import ft2font

    font = ft2font.FT2Font(str(theme.FONT))
    study = load("innovation")
    text = {character for variable in study.variables for character in variable.label if ord(character) > 0x3000}
    assert text <= {chr(code) for code in font.get_charmap()}


def test_a_missing_notes_file_is_named() -> None:
    with pytest.raises(DataError, match=r"99_nothing\.md"):
        report.note(load("innovation"), "99_nothing", "key")
