"""The printed numbers: counts, types, keys, and consistency with each other."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

from pilotzones import paths, published
from pilotzones.errors import DataError, ParameterError

STUDIES = ["innovation", "resilience", "coordination", "productivity", "quality"]
LOADERS = {
    "estimates": published.estimates,
    "columns": published.columns,
    "descriptives": published.descriptives,
    "stats": published.stats,
    "claims": published.claims,
    "figures": published.figures,
    "index_weights": published.weights,
}
# rows per file, in the order of STUDIES
COUNTS = {
    "estimates": [37, 111, 73, 42, 2],
    "columns": [31, 16, 29, 10, 14],
    "descriptives": [11, 0, 0, 10, 0],
    "stats": [3, 1, 0, 0, 2],
    "claims": [45, 25, 47, 16, 24],
    "figures": [3, 2, 1, 1, 1],
    "index_weights": [0, 14, 9, 13, 10],
}


def printed(name: str) -> list[dict[str, str]]:
    """The rows of a file as text, digits as printed."""
    with (paths.PUBLISHED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def half_digit(text: str) -> float:
    """Largest rounding error of a printed number."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


@pytest.mark.parametrize("name", COUNTS)
def test_counts_per_study(name: str) -> None:
    assert [len(LOADERS[name](study)) for study in STUDIES] == COUNTS[name]
    assert len(LOADERS[name]()) == sum(COUNTS[name])


def test_the_five_papers() -> None:
    assert published.studies()["study"].tolist() == STUDIES


def test_types() -> None:
    numbers = {
        "estimates": ["estimate", "spread", "stars"],
        "columns": ["n_obs", "r2"],
        "descriptives": ["mean", "sd", "min", "max"],
        "stats": ["value", "bracket_value"],
        "index_weights": ["weight"],
    }
    for name, load in LOADERS.items():
        for column, dtype in load().dtypes.items():
            if column == "n":
                assert dtype == "int64"
            else:
                assert dtype == ("float64" if column in numbers.get(name, []) else "str"), (name, column)


def test_the_files_have_exactly_the_documented_columns() -> None:
    readme = (paths.PUBLISHED / "README.md").read_text(encoding="utf-8")
    assert sorted(path.stem for path in paths.PUBLISHED.glob("*.csv")) == sorted(published.COLUMNS)
    for name, columns in published.COLUMNS.items():
        assert list(printed(name)[0]) == list(columns)
        section = readme.split(f"## `{name}.csv`")[1].split("\n## ")[0]
        for column in columns:
            assert f"`{column}`" in section, (name, column)
        for (file, column), allowed in published.ALLOWED.items():
            if file == name:
                for value in filter(None, map(str, allowed)):
                    assert f"`{value}`" in section, (name, column, value)


def test_every_estimate_and_statistic_belongs_to_a_printed_column() -> None:
    columns = set(published.columns()[["study", "table", "column"]].itertuples(index=False, name=None))
    rows = published.estimates()
    assert set(rows[["study", "table", "column"]].itertuples(index=False, name=None)) <= columns
    stats = published.stats().query("column != ''")
    assert set(stats[["study", "table", "column"]].itertuples(index=False, name=None)) <= columns


def test_estimates_agree_with_their_column_on_outcome_section_and_spread() -> None:
    key = ["study", "table", "column"]
    both = published.estimates().merge(published.columns(), on=key, suffixes=("", "_column"), validate="many_to_one")
    assert len(both) == 265
    for name in ("dependent_variable", "section", "spread_kind"):
        assert (both[name] == both[f"{name}_column"]).all(), name


def test_spreads() -> None:
    rows = published.estimates()
    missing = rows["spread"].isna()
    assert (missing == (rows["spread_kind"] == "")).all() and set(rows.loc[missing, "study"]) == {"quality"}
    errors, t = rows[rows["spread_kind"] == "se"], rows[rows["spread_kind"] == "t"]
    assert (errors["spread"] > 0).all()
    assert (t["estimate"] * t["spread"] >= 0).all()


def test_stars_agree_with_spreads_up_to_rounding() -> None:
    limits = [0, 1.645, 1.960, 2.576, float("inf")]
    contradictions = []
    for row in printed("estimates"):
        if not row["spread"]:
            continue
        estimate, spread = abs(float(row["estimate"])), abs(float(row["spread"]))
        around, about = half_digit(row["estimate"]), half_digit(row["spread"])
        if row["spread_kind"] == "t":
            low, high = spread - about, spread + about
        else:
            low = max(estimate - around, 0) / (spread + about)
            high = (estimate + around) / (spread - about) if spread > about else float("inf")
        stars = int(row["stars"])
        if high < limits[stars] or low > limits[stars + 1]:
            contradictions.append((row["study"], row["table"], row["column"], row["term"]))
    # printed so in the paper: 0.0170 (0.0102), t between 1.65 and 1.68, without a star
    assert contradictions == [("resilience", "T5", "3", "consumption")]


def test_columns_hold_possible_values() -> None:
    columns = published.columns()
    assert columns["r2"].dropna().between(0, 1).all()
    n_obs = columns["n_obs"].dropna()
    assert (n_obs > 0).all() and (n_obs % 1 == 0).all()
    assert set(columns.loc[columns["n_obs"].isna(), "study"]) == {"quality"}


def test_descriptives_are_possible() -> None:
    rows = published.descriptives()
    assert ((rows["min"] <= rows["mean"]) & (rows["mean"] <= rows["max"])).all()
    # no distribution on [min, max] with this mean has a larger standard deviation, rounding of three digits apart
    bound = ((rows["max"] - rows["mean"]) * (rows["mean"] - rows["min"])) ** 0.5
    assert (rows["sd"] <= bound + 0.001).all()
    assert (rows["n"] > 0).all()


def test_the_first_column_of_the_innovation_paper_follows_from_its_moments() -> None:
    # simple regression on a dummy: se = sd_y / (sd_x sqrt(n)) sqrt(1 - r2)
    moments = published.descriptives("innovation").set_index("symbol")
    column = published.columns("innovation").query("table == 'T2' and column == '1'").iloc[0]
    cell = published.estimates("innovation").query("table == 'T2' and column == '1'").iloc[0]
    ratio = moments.at["inno_total", "sd"] / moments.at["treat_post", "sd"]
    assert round((cell["estimate"] / ratio) ** 2, 3) == column["r2"]
    assert round(ratio * ((1 - column["r2"]) / column["n_obs"]) ** 0.5, 3) == cell["spread"]


def test_printed_index_weights_sum_to_one() -> None:
    sums = published.weights().dropna(subset="weight").groupby("study")["weight"].sum()
    assert sums.to_dict() == {"resilience": pytest.approx(1, abs=0.0014 / 2)}


def test_claims_name_cells_that_exist() -> None:
    cells = {(r.study, f"{r.table}.{r.column}.{r.term}") for r in published.estimates().itertuples()}
    places = set(published.columns()[["study", "table", "column"]].itertuples(index=False, name=None))
    for claim in published.claims().itertuples():
        for cell in re.findall(r"T\d+\.\d+\.\w+", claim.compare):
            assert (claim.study, cell) in cells, (claim.study, claim.claim_id, cell)
        if claim.table.startswith("T") and claim.column.isdigit():
            assert (claim.study, claim.table, claim.column) in places, (claim.study, claim.claim_id)


def test_an_unknown_study_is_refused_by_every_loader() -> None:
    for load in LOADERS.values():
        with pytest.raises(ParameterError, match=r"study = 'inovation': expected one of innovation, resilience"):
            load("inovation")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in paths.PUBLISHED.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",0.350,0.022,se,3,", ",0.350,0.022,sd,3,", "line 2, column 'spread_kind': 'sd', expected one of"),
        (",0.350,0.022,se,3,", ",0.350,0.022,se,4,", "line 2, column 'stars': 4, expected one of 0, 1, 2, 3"),
        (",0.350,0.022,se,3,", ",0.35O,0.022,se,3,", "line 2, column 'estimate': '0.35O', expected a number"),
        ("innovation,T2,2,", "innovation,T2,1,", "line 3: a second row for innovation, T2, 1, treat_post"),
        ("study,table,column,", "study,table,col,", "line 1: column 'column' is missing"),
    ],
)
def test_a_bad_row_is_named(copy: Path, old: str, new: str, words: str) -> None:
    file = copy / "estimates.csv"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(f"estimates.csv, {words}")):
        published.estimates()


def test_a_sixth_study_needs_only_its_rows(copy: Path) -> None:
    with (copy / "studies.csv").open("a", encoding="utf-8") as file:
        file.write("toy,toy.txt,A,B,2030,1,text\n")
    with (copy / "estimates.csv").open("a", encoding="utf-8") as file:
        file.write("toy,T1,1,only,y,treat_post,1.5,0.5,se,3,baseline,,Treat\n")
    assert published.estimates("toy")["estimate"].tolist() == [1.5]
    assert len(published.claims("toy")) == 0
    assert isinstance(published.estimates("innovation"), pd.DataFrame)
