"""The controls that look up specifications: what the page holds for them."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from pilotzones.errors import DataError
from pilotzones.report import figures
from pilotzones.report.explorer import explorer

ROWS = pd.DataFrame(
    {
        "age": ["with", "with", "without", "without"],
        "rows": ["all", "all", "</script><b>", "</script><b>"],
        "vcov": ["iid", "city", "iid", "city"],
        "estimate": [0.5, 0.5, -0.25, -0.25],
        "low": [0.4, float("nan"), -0.3, -0.4],
        "high": [0.6, float("nan"), -0.2, -0.1],
        "p": [0.01, float("nan"), 0.2, 0.04],
        "n_obs": [100, 100, 90, 90],
        "published": ["", "T2/3, T5/1", "", ""],
    }
)


def shown(rows: pd.DataFrame = ROWS, start: str = "T2/3") -> str:
    names = {"age": "firm age", "rows": "rows"}
    return str(
        explorer(rows, names, "vcov", published="published", start=start, label="a & b", unit="log", digits=3).data
    )


def held(html: str) -> dict:
    return json.loads(re.search(r"<script[^>]*>(.*)</script>", html)[1])


def test_every_specification_is_there_once_in_the_order_of_its_estimate() -> None:
    data = held(shown(ROWS.assign(low=ROWS["low"].fillna(0), high=ROWS["high"].fillna(1))))
    assert data["estimate"] == [-0.25, 0.5] and data["n"] == [90, 100]
    values = [
        [c["values"][int(place, 36)] for c, place in zip(data["choices"], code, strict=True)] for code in data["codes"]
    ]
    assert values == [["without", "</script><b>"], ["with", "all"]]
    assert data["errors"] == ["iid", "city"]
    assert data["low"] == [[-0.3, 0.4], [-0.4, 0.0]] and data["published"] == ["", "T2/3, T5/1"]


def test_an_interval_that_there_is_not_stays_empty() -> None:
    data = held(shown())
    assert data["low"] == [[-0.3, 0.4], [-0.4, None]] and data["p"][1] == [0.04, None]


@pytest.mark.parametrize(("start", "row", "errors"), [("T2/3", 1, 1), ("T5/1", 1, 1), ("T9/9", 1, 0)])
def test_the_paper_s_column_is_shown_first(start: str, row: int, errors: int) -> None:
    rows = ROWS.assign(low=ROWS["low"].fillna(0), high=ROWS["high"].fillna(1))
    assert held(shown(rows, start))["start"] == {"row": row, "errors": errors}


def test_text_cannot_leave_the_script_or_the_label() -> None:
    html = shown()
    assert html.count("</script>") == 1 and "<b>" not in html and 'aria-label="a &amp; b"' in html


def test_what_cannot_be_looked_up_is_one_error() -> None:
    with pytest.raises(DataError, match="column 'p' is missing"):
        shown(ROWS.drop(columns="p"))
    with pytest.raises(DataError, match="two rows are the same specification"):
        shown(pd.concat([ROWS, ROWS.head(1)]))
    with pytest.raises(DataError, match="no row has an estimate"):
        shown(ROWS.assign(estimate=float("nan")))


def test_pages_of_licensed_data_carry_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_pixels", True)
    assert "<script" not in shown() and "licensed" in shown()
