"""What becomes of columns that are certain, uncertain, contradictory or about nobody: the mapping and its messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotzones import licensed, measured, paths, studies
from pilotzones.errors import DataError

STUDY = studies.load("resilience")
LINE = """
[[column]]
file = "a.csv"
sheet = "*"
column = "{column}"
item = "{item}"
unit = "{unit}"
confirmed = {confirmed}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "RAW", tmp_path)
    (tmp_path / "resilience").mkdir()
    return tmp_path / "resilience"


def put(folder: Path, text: str, name: str = "a.csv") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def line(column: str, item: str, unit: str = "", confirmed: bool = True) -> str:
    return LINE.format(column=column, item=item, unit=unit, confirmed=str(confirmed).lower())


def found(folder: Path) -> licensed.Found:
    return licensed.find(STUDY)


def messages(folder: Path, severity: str = "error") -> list[str]:
    return [str(finding) for finding in found(folder).findings if finding.severity == severity]


def test_a_header_without_unit_waits_for_the_user(folder: Path) -> None:
    put(folder, "年份,城市,地区生产总值\n2012,杭州市,7802.01\n")
    first = found(folder)
    assert "gdp" not in first.values
    assert licensed.draft(STUDY, first) == 1
    drafted = (folder / "mapping.toml").read_text(encoding="utf-8")
    assert 'item = "gdp"' in drafted and "confirmed = false" in drafted
    assert "gdp" not in found(folder).values  # a draft is no word
    said = drafted.replace('unit = ""', 'unit = "亿元"').replace("confirmed = false", "confirmed = true")
    put(folder, said, "mapping.toml")
    assert found(folder).values["gdp"].to_dict() == {(330100, 2012): 78_020_100.0}
    assert licensed.draft(STUDY, found(folder)) == 0


def test_a_header_that_resembles_one_waits_for_the_user(folder: Path) -> None:
    put(folder, "年份,城市,插值_城镇化率(%)\n2012,杭州市,74.3\n")
    assert [(c.item, c.unit, c.why) for c in found(folder).candidates] == [("urbanisation", "%", "resembles 城镇化率")]
    put(folder, line("插值_城镇化率(%)", "urbanisation", "percent"), "mapping.toml")
    assert found(folder).values["urbanisation"].to_dict() == {(330100, 2012): 74.3}


def test_columns_that_are_not_used_are_named(folder: Path) -> None:
    put(folder, "年份,城市,城镇化率(%),亮度\n2012,杭州市,74.3,9\n")
    assert "a.csv: columns not used: 亮度; if one holds an item that is missing, say so" in messages(folder, "note")[-1]
    put(folder, line("亮度", "light"), "mapping.toml")
    assert found(folder).values["light"].to_list() == [9.0]


def test_a_column_can_be_left_out(folder: Path) -> None:
    put(folder, "年份,城市,城镇化率(%)\n2012,杭州市,74.3\n")
    put(folder, line("城镇化率(%)", ""), "mapping.toml")
    assert "urbanisation" not in found(folder).values


def test_keys_with_unusual_headers_are_named_by_the_user(folder: Path) -> None:
    put(folder, "期间,地方,城镇化率(%)\n2012,杭州市,74.3\n")
    assert "no column says which firm, city, province or year" in messages(folder, "warning")[0]
    put(folder, line("期间", "year") + line("地方", "city"), "mapping.toml")
    assert found(folder).values["urbanisation"].to_dict() == {(330100, 2012): 74.3}
    put(folder, line("地方", "city") + line("城镇化率(%)", "urbanisation", "percent"), "mapping.toml")
    assert "no column says which year a row is about" in messages(folder)[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[column", "mapping.toml: cannot be read"),
        ('column = "x"\n', "'column' is no list"),
        (line("x", "gdpp", "yuan"), r"no item 'gdpp', perhaps 'gdp'"),
        (line("x", "gdp", "persons"), "unit 'persons' cannot become '10,000 yuan'"),
        (line("x", "gdp"), "unit '' cannot become '10,000 yuan'"),
        (line("x", "gdp", "yuan") + 'note = "?"\n', "unknown key 'note'"),
        (line("x", "gdp", "yuan").replace("true", '"yes"'), "'confirmed' is missing or of the wrong type"),
    ],
)
def test_mistakes_in_the_mapping_are_named(folder: Path, text: str, said: str) -> None:
    put(folder, "年份,城市,城镇化率(%)\n2012,杭州市,74.3\n")
    put(folder, text, "mapping.toml")
    assert said in messages(folder)[0]
    with pytest.raises(DataError, match="1 problems"):
        licensed.raw(STUDY)


def test_a_line_about_no_column_is_a_warning(folder: Path) -> None:
    put(folder, "年份,城市,城镇化率(%)\n2012,杭州市,74.3\n")
    put(folder, line("没有", "gdp", "yuan"), "mapping.toml")
    assert "column '没有' of a.csv: there is no such column" in messages(folder, "warning")[0]


def test_two_files_may_agree_but_not_differ(folder: Path) -> None:
    put(folder, "年份,城市,城镇化率(%)\n2012,杭州市,74.3\n")
    put(folder, "年份,城市代码,城镇化率(%)\n2012,330100,74.3\n2013,330100,75\n", "b.csv")
    assert not found(folder).errors
    assert len(found(folder).values["urbanisation"]) == 2
    put(folder, "年份,城市代码,城镇化率(%)\n2012,330100,64.3\n", "b.csv")
    assert "urbanisation of 330100 in 2012 is 74.3 here, but 64.3 in b.csv" in messages(folder)[0]
    put(folder, line("城镇化率(%)", ""), "mapping.toml")
    assert found(folder).values["urbanisation"].to_list() == [64.3]


def test_a_row_may_stand_twice_but_not_differ(folder: Path) -> None:
    put(folder, "年份,城市,城镇化率(%)\n2012,杭州市,74.3\n2012,杭州,74.3\n")
    assert not found(folder).errors
    put(folder, "年份,城市,城镇化率(%)\n2012,杭州市,74.3\n2012,杭州,74.4\n")
    assert "row 3, column '城镇化率(%)': rows 2 and 3 have different values for 330100 in 2012" in messages(folder)[0]


def test_what_is_no_number_or_no_city_is_named_with_its_row(folder: Path) -> None:
    put(folder, f"年份,城市,城镇化率(%)\n2012,杭州市,七十\n2012,宁波市,{'9' * 40}x\n")
    assert "row 2, column '城镇化率(%)': '七十' is no number (2 such cells)" in messages(folder)[0]
    put(folder, "年份,城市,城镇化率(%)\n2012,杭州市,74.3\n2012,<b>某市</b>,1\n")
    assert "row 3: 1 rows are about no known city (<b>某市</b>" in messages(folder, "warning")[0]


def test_a_unit_of_another_kind_is_an_error(folder: Path) -> None:
    put(folder, "年份,城市,地区生产总值(万美元)\n2012,杭州市,74.3\n")
    assert "unit '万美元' cannot become '10,000 yuan'" in messages(folder)[0]


def test_zeros_of_yearbooks_are_gaps_and_counts_need_no_unit(folder: Path) -> None:
    put(folder, "年份,城市,城镇化率(%),专利授权数\n2012,杭州市,0,0\n")
    values = found(folder).values
    assert len(values["urbanisation"]) == 0 and values["patents_granted"].to_list() == [0.0]


def test_a_folder_without_files_says_where_to_look(folder: Path) -> None:
    with pytest.raises(DataError, match="resilience: no files; put the exports there"):
        licensed.find(STUDY)


def test_tables_of_records_that_belong_together_are_all_there_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "RAW", tmp_path)
    folder = tmp_path / "innovation"
    folder.mkdir()
    put(folder, "country,year,imports,exports,gdp,rd_spending\nJapan,2012,1,2,3,4\n", "partners.csv")
    put(folder, "firm,year,application,ipc\n1,2012,A1,G06F 3/00\n", "patents.csv")
    assert set(licensed.records(studies.load("innovation"))) == {"partners", "patents"}
    assert set(measured.exported(studies.load("innovation"))) == {"patents"}
    put(folder, "城市,年份,进口额,出口额\n杭州市,2012,1,2\n", "trade.csv")
    assert set(measured.exported(studies.load("innovation"))) == {"partners", "city_trade", "patents"}
