"""Tests of the estimators against published numbers, and of the table that lists them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pilotzones import verification
from pilotzones.errors import DataError
from pilotzones.paths import ROOT

BENCH = ROOT.parent / "shared" / "bench"
OFFLINE = {"card", "reference_panel"}
# the bootstrap standard error of one quantity, printed twice with different values; the analytic one is 0.0364
KNOWN = {("mpdta", "ATT(2004,2006)", "se"), ("mpdta", "e=2", "se")}


@pytest.fixture(scope="module")
def offline() -> pd.DataFrame:
    return verification.verify()


def test_agrees_with_what_can_be_computed_offline(offline: pd.DataFrame) -> None:
    computed = offline[offline["ours"].notna()]
    assert set(computed["dataset"]) == OFFLINE
    assert len(computed) >= 300
    missed = computed[~computed["agrees"].astype(bool)]
    assert missed.empty, missed[["key", "term", "quantity", "published", "ours"]].to_string()


def test_rows_without_data_are_left_open(offline: pd.DataFrame) -> None:
    left = offline[offline["ours"].isna()]
    assert set(left["dataset"]) == set(offline["dataset"]) - OFFLINE
    assert left["agrees"].isna().all()


def test_agrees_with_the_other_teaching_data() -> None:
    if not BENCH.is_dir():
        pytest.skip("needs mpdta, castle and reform data in ../shared/bench beside the project")
    found = verification.verify(BENCH)
    assert found["ours"].notna().all()
    missed = found[~found["agrees"].astype(bool)]
    assert {tuple(row) for row in missed[["dataset", "term", "quantity"]].to_numpy()} == KNOWN


def test_every_number_has_a_source_and_is_listed_once() -> None:
    rows = verification.read_csv(verification.EXPECTED, verification.COLUMNS)
    assert len(rows) >= 150
    assert (rows["source"] != "").all()
    assert (rows["tolerance"] > 0).all()
    assert not rows.duplicated(["dataset", "key", "term", "quantity"]).any()
    # half a unit of the last digit, or a millionth where more digits are printed than anyone needs
    bootstrap = rows["note"].str.contains("bootstrap")
    allowed = np.maximum(0.5 * 10.0 ** -rows["printed_decimals"], 2e-6 * rows["published"].abs().clip(lower=0.05))
    assert (rows["tolerance"] <= allowed * (1 + 1e-9))[~bootstrap].all()
    assert (rows.loc[bootstrap, "quantity"] == "se").all()


def test_numbers_are_those_of_the_sources() -> None:
    if not BENCH.is_dir():
        pytest.skip("needs the list of published numbers in ../shared/bench beside the project")
    ours = verification.read_csv(verification.EXPECTED, verification.COLUMNS)["published"]
    theirs = pd.concat([pd.read_csv(BENCH / name)["value"] for name in ("expected.csv", "r_reference/r_reference.csv")])
    assert ours.isin(set(theirs)).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",att_gt,", ",att_xy,", r"key 'att_xy', expected one of att_gt, aggte"),
        (',"ATT(2011,2009)",', ',"ATT(1999,2009)",', r"'att_gt not_yet' gives no estimate of 'ATT\(1999,2009\)'"),
    ],
)
def test_says_which_row_cannot_be_computed(
    old: str, new: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = verification.EXPECTED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "expected.csv"
    path.write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(verification, "EXPECTED", path)
    with pytest.raises(DataError, match=message):
        verification.verify()
