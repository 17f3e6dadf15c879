"""The landing page quotes main findings; they are those of the printed tables and of the panels."""

from __future__ import annotations

import re

import pytest

from pilotzones import panel, published, replicate, studies
from pilotzones.paths import ROOT

LANDING = (ROOT / "book" / "index.md").read_text(encoding="utf-8")


def row(key: str) -> list[str]:
    """Return the cells of a study's row in the table of findings."""
    line = next(line for line in LANDING.splitlines() if line.startswith("|") and f"studies/{key}/index" in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("key", studies.keys())
def test_findings_are_those_of_the_panel(key: str) -> None:
    study = studies.load(key)
    table, column = study.benchmark
    fit = replicate.benchmark(study, panel.load(study, "synthetic"))
    line = fit.coefficients.loc[study.table(table).column(column).term]
    assert row(key)[2] == f"{line['estimate']:.3f} [{line['low']:.3f}, {line['high']:.3f}]"


@pytest.mark.parametrize("key", studies.keys())
def test_findings_are_those_that_are_printed(key: str) -> None:
    study = studies.load(key)
    table, column = study.benchmark
    rows = published.estimates(key)
    main = rows[(rows["table"] == table) & (rows["column"] == column)]
    printed = main[main["term"] == study.table(table).column(column).term].iloc[0]
    number, spread = re.fullmatch(r"([\d.]+) \((?:s\.e\. |t = )?([\d.]+|no error left)\)", row(key)[1]).groups()
    assert float(number) == float(printed["estimate"])
    if spread != "no error left":
        assert float(spread) == pytest.approx(float(printed["spread"]), abs=0.005 if "t =" in row(key)[1] else 0)


def test_the_landing_page_fits_on_a_screen() -> None:
    words = re.sub(r"\{doc\}`([^<`]*)<[^>]*>`|\[([^\]]*)\]\([^)]*\)", r"\1\2", LANDING).split()
    assert len(words) < 450
    assert "synthetic data" in LANDING[: LANDING.index("## What was found")].lower()
