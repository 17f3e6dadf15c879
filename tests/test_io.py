"""The strict CSV reader and the atomic writer."""

from __future__ import annotations

import errno
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError
from pilotzones.io import read_csv, recording, require_columns, write_atomically

COLUMNS = {"name": str, "n": int, "x": float | None, "day": date | None}
GOOD = 'name,n,x,day,rest\n北京,1,0.5,2015-03-07,a\n"a, b",-2,,,b\n'


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_types_blanks_and_column_order(tmp_path: Path) -> None:
    frame = read_csv(table(tmp_path, GOOD), {"n": int, **COLUMNS})
    assert list(frame) == ["n", "name", "x", "day"]
    assert list(frame["name"]) == ["北京", "a, b"]
    assert list(frame["n"]) == [1, -2] and frame["n"].dtype == "int64"
    assert frame["x"].dtype == "float64" and frame["x"].isna().tolist() == [False, True]
    assert frame["day"].iloc[0] == pd.Timestamp(2015, 3, 7) and pd.isna(frame["day"].iloc[1])


def test_a_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path: Path) -> None:
    windows = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    pd.testing.assert_frame_equal(read_csv(table(tmp_path, windows), COLUMNS), read_csv(table(tmp_path, GOOD), COLUMNS))


def test_text_that_looks_like_a_missing_value_stays_text(tmp_path: Path) -> None:
    assert read_csv(table(tmp_path, "name\nNA\nnull\n"), {"name": str})["name"].tolist() == ["NA", "null"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("name,n", "name,m"), ["table.csv", "line 1", "'n'", "missing"]),
        (GOOD.replace("rest", "n"), ["table.csv", "line 1", "'n'", "twice"]),
        ("", ["table.csv", "line 1", "'name'"]),
        (GOOD.replace(",-2,", ",two,"), ["table.csv", "line 3", "'n'", "'two'", "whole number"]),
        (GOOD.replace(",-2,", ",2.0,"), ["line 3", "'n'", "'2.0'"]),
        (GOOD.replace(",-2,", ",,"), ["line 3", "'n'", "''"]),
        (GOOD.replace("0.5", "nan"), ["line 2", "'x'", "'nan'", "a number"]),
        (GOOD.replace("2015-03-07", "7/3/2015"), ["line 2", "'day'", "YYYY-MM-DD"]),
        (GOOD + "c,1\n", ["table.csv", "line 4", "2 cells", "5"]),
        (GOOD + '"open', ["table.csv", "not valid CSV"]),
        (GOOD.encode("gbk"), ["table.csv", "UTF-8"]),
    ],
)
def test_a_malformed_file_is_named_with_line_and_column(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        read_csv(table(tmp_path, text), COLUMNS)
    for word in words:
        assert word in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.csv: the file is missing"):
        read_csv(tmp_path / "nothing.csv", COLUMNS)


def test_a_folder_in_place_of_the_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path, COLUMNS)


@settings(deadline=None)
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_a_round_trip(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    path = table(tmp_path_factory.getbasetemp(), "x\n" + "\n".join(map(repr, numbers)) + "\n")
    assert read_csv(path, {"x": float})["x"].tolist() == numbers


def test_reads_are_recorded_only_inside_the_block(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD)
    with recording() as reads:
        read_csv(path, COLUMNS)
    assert reads == {path}
    read_csv(path, COLUMNS)
    assert reads == {path}


def test_a_missing_panel_column_is_named() -> None:
    with pytest.raises(DataError, match="'year' is missing"):
        require_columns(pd.DataFrame({"city": [1]}), "city", "year")


def test_writing_makes_the_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.txt"
    write_atomically(target, lambda path: path.write_text("done"))
    assert target.read_text() == "done"
    assert list(target.parent.iterdir()) == [target]


def test_the_temporary_name_keeps_the_ending_and_the_folder(tmp_path: Path) -> None:
    seen = []

    def write(path: Path) -> None:
        seen.append(path)
        path.touch()

    write_atomically(tmp_path / "figure.svg", write)
    assert seen[0].suffix == ".svg" and seen[0].parent == tmp_path and seen[0].name != "figure.svg"


def full_disk(path: Path) -> None:
    path.write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("earlier")
    with pytest.raises(DataError, match=r"out\.txt: cannot be written \(No space left on device\)"):
        write_atomically(target, full_disk)
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]


def test_a_read_only_folder_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.txt"
    target.write_text("earlier")

    def refuse(self: Path, other: Path) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match=r"out\.txt: cannot be written \(Permission denied\)"):
        write_atomically(target, lambda path: path.write_text("new"))
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_in_the_content_is_passed_on_and_cleans_up(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(tmp_path / "out.txt", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "out.txt", Path.touch)
