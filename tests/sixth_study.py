"""A sixth study for the test of the design: one folder, its published rows, its notes, its lines in the contents."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from projects import write

STUDY = '''
"""A dozen towns."""

import numpy as np

from pilotzones import policy
from pilotzones.declare import Column, EventStudy, Study, Table, Variable


def derive(raw):
    panel = policy.attach(raw, batches=(1, 2), partial=True)
    return panel.assign(ln_trade=np.log(panel["trade"]))


STUDY = Study(
    key="towns",
    title="Pilot zones and trade in a dozen towns",
    title_zh="十二城",
    authors="Nobody",
    outlet="Nowhere",
    unit="city",
    time="year",
    years=(2011, 2019),
    batches=(1, 2),
    variables=(
        Variable("city", "prefecture code", kind="code"),
        Variable("year", "year", kind="code", low=2011, high=2019),
        Variable("trade", "trade", "yuan", low=0),
        Variable("ln_trade", "trade", "ln(yuan)"),
        Variable("batch", "batch of the first pilot zone", kind="code", low=0, high=7),
        Variable("cohort", "year of the reform", "year", missing=True),
        Variable("event_time", "years since the reform", "years", missing=True),
        Variable("treat_post", "zone in force", kind="binary"),
    ),
    tables=(
        Table("T2", "03_baseline", "Trade", (
            Column("1", "ln_trade ~ treat_post", "pooled"),
            Column("2", "ln_trade ~ treat_post | city + year", "fixed effects"),
        )),
    ),
    benchmark=("T2", "2"),
    outcome="ln_trade",
    figures=(EventStudy("F1", "03_baseline", "Dynamics", "ln_trade ~ {event} | city + year", -3, 3, (-1,), "bin"),),
    clusters={"cluster_city": "city"},
    derive=derive,
)
'''

SYNTHETIC = '''
"""Trade grows with the year, differs by city and gains 0.3 log points from the reform."""

import numpy as np
import pandas as pd

from pilotzones import policy

CITIES = (330100, 440100, 440300, 320500, 370200, 340100, 130200, 210600, 220200, 360700, 420500, 450300)


def generate(seed):
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([CITIES, range(2011, 2020)], names=["city", "year"])
    frame = index.to_frame(index=False)
    effect = 0.3 * policy.attach(frame, batches=(1, 2), partial=True)["treat_post"]
    level = frame["city"].map(dict(zip(CITIES, rng.normal(3, 1, len(CITIES)), strict=True)))
    noise = rng.normal(0, 0.1, len(frame))
    return frame.assign(trade=np.exp(level + 0.05 * (frame["year"] - 2011) + effect + noise), true_effect=effect)
'''

COLUMN = {"study": "towns", "table": "T2", "section": "baseline", "dependent_variable": "ln_trade", "spread_kind": "se"}
PUBLISHED = {
    "studies": [{"study": "towns", "file": "none", "authors": "Nobody", "journal": "Nowhere", "year": "2026"}],
    "estimates": [
        {**COLUMN, "column": "1", "term": "treat_post", "estimate": "0.9", "spread": "0.3", "stars": "3"},
        {**COLUMN, "column": "2", "term": "treat_post", "estimate": "0.31", "spread": "0.05", "stars": "3"},
    ],
    "columns": [
        {**COLUMN, "column": "1", "estimator": "OLS", "n_obs": "108"},
        {**COLUMN, "column": "2", "estimator": "OLS", "n_obs": "108"},
    ],
    "descriptives": [
        {"study": "towns", "variable": "trade", "symbol": "ln_trade", "n": "108", "mean": "3.3", "sd": "1", "min": "1",
         "max": "6"},
    ],
    "claims": [
        {"study": "towns", "claim_id": "S01", "claim": "Trade grows", "kind": "significance", "table": "T2",
         "column": "2", "term": "treat_post", "sign": "+", "level": "0.01"},
    ],
}  # fmt: skip
SECTIONS = ("01_data", "03_baseline", "09_scorecard")


def add_towns(project: Path) -> None:
    """Do what a newcomer does to add a study."""
    folder = project / "lib/pilotzones/studies/towns"
    write(folder / "__init__.py", "")
    write(folder / "study.py", STUDY)
    write(folder / "synthetic.py", SYNTHETIC)
    for name, rows in PUBLISHED.items():
        path = project / f"data/published/{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, header, restval="", lineterminator="\n").writerows(rows)
    pages = project / "book/studies/towns"
    write(pages / "index.md", "# Towns\n\nA dozen of them.\n")
    write(pages / "notes/01_data.md", "## sample\n\nTwelve towns, nine years.\n")
    write(pages / "notes/03_baseline.md", "## reading\n\nTrade rises.\n")
    contents = project / "_toc.yml"
    lines = ["      - file: book/studies/towns/index\n", "        sections:\n"]
    lines += [f"          - file: book/studies/towns/{section}\n" for section in SECTIONS]
    before, mark, after = contents.read_text(encoding="utf-8").partition("  - caption: Results\n")
    contents.write_text(before + "".join(lines) + mark + after, encoding="utf-8")


def library(project: Path) -> dict[str, str]:
    """Return the hash of every library file that is not the new study's."""
    files = [path for path in (project / "lib").rglob("*.py") if "towns" not in path.parts]
    return {str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
