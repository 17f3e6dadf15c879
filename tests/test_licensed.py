"""From files in the forms of real sources to the same panel and the same ledger as without them."""

from __future__ import annotations

from pathlib import Path

import licensed_files
import numpy as np
import pandas as pd
import pytest

from pilotzones import ledger, licensed, panel, paths, studies
from pilotzones.licensed import Found

SEED = 2023
KEYS = ("innovation", "resilience", "coordination", "productivity", "quality")


def synthetic(key: str) -> pd.DataFrame:
    """Raw variables of a study as real files can hold them; every twelfth firm, or third city of pairs, to be quick."""
    raw = panel.raw(studies.load(key), "synthetic", SEED)
    raw = raw.drop(columns=[name for name in ("true_effect", "SEX_true", "development_untreated") if name in raw])
    some = {"innovation": ("firm", 12), "coordination": ("city", 3)}
    if key in some:
        unit, step = some[key]
        raw = raw[raw[unit].isin(raw[unit].unique()[::step])].reset_index(drop=True)
    return raw


@pytest.fixture(scope="module", params=KEYS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Found]:
    """A study, the folder of its files, and what they hold."""
    folder = tmp_path_factory.mktemp("raw")
    written = licensed_files.write(request.param, folder / request.param, synthetic(request.param), SEED)
    return request.param, folder, Found({}, (), (), (), written.items, written.records)


def test_the_files_give_the_same_panel_and_the_same_ledger(
    case: tuple[str, Path, Found], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, folder, written = case
    study = studies.load(key)
    monkeypatch.setattr(paths, "RAW", folder)
    monkeypatch.setattr(paths, "PANELS", tmp_path)

    found = licensed.find(study)
    assert [str(finding) for finding in found.errors] == []
    assert set(found.values) == set(written.values)
    direct, read = licensed.assemble(study, written), licensed.raw(study)
    pd.testing.assert_frame_equal(read, direct, check_dtype=False, rtol=1e-13, atol=0)

    from_files = panel.load(study, "licensed")
    expected = study.derive(direct)
    numbers = [name for name in from_files if pd.api.types.is_numeric_dtype(from_files[name])]
    pd.testing.assert_frame_equal(from_files[numbers], expected[numbers], check_dtype=False, rtol=1e-10, atol=1e-12)
    rows = ledger.build(study, from_files, "licensed", SEED)
    same = ledger.build(study, expected, "licensed", SEED)
    assert list(rows["verdict"]) == list(same["verdict"])
    np.testing.assert_allclose(rows["replicated"].astype(float), same["replicated"].astype(float), rtol=1e-7)


def test_the_files_hold_what_the_synthetic_panel_has(case: tuple[str, Path, Found]) -> None:
    """The files lose no more than the digits that a format does not keep."""
    key, _, written = case
    study, raw = studies.load(key), synthetic(key)
    if key == "innovation":
        import inverse

        raw = inverse.city_wise(raw)
    back = licensed.assemble(study, written)
    unit = "city" if licensed.exports(study).of == "city" else "firm"
    expected = raw.sort_values([unit, "year"], ignore_index=True)
    numbers = [name for name in expected if pd.api.types.is_numeric_dtype(expected[name])]
    back, expected = back[numbers], expected[numbers]
    expected = expected.mask((expected == 0) & back.isna())  # zeros that stand for gaps
    pd.testing.assert_frame_equal(back, expected, check_dtype=False, rtol=1e-6, atol=1e-9)
