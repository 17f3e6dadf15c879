"""The report on licensed files, on the terminal and as a page: what it says, and that nothing in a file can harm it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import inverse
import licensed_files
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotzones import check_data, cli, licensed, panel, paths, replicate, studies
from pilotzones.licensed import Found, Reading
from pilotzones.readers.tables import Finding

RESILIENCE, INNOVATION = studies.load("resilience"), studies.load("innovation")
EVIL = '<script>alert("1")</script>&<b>'


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """The resilience study in three provinces; synthetic."""
    whole = panel.raw(RESILIENCE, "synthetic", RESILIENCE.seed).drop(columns=["true_effect"], errors="ignore")
    return whole[(whole["city"] // 10000).isin([11, 13, 33])].reset_index(drop=True)


@pytest.fixture(scope="module")
def items(raw: pd.DataFrame) -> dict[str, pd.Series]:
    return inverse.items_resilience(raw)


@pytest.fixture(scope="module")
def files(raw: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files in the forms of real sources."""
    folder = tmp_path_factory.mktemp("files")
    licensed_files.write("resilience", folder, raw, RESILIENCE.seed)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder with these files."""
    monkeypatch.setattr(paths, "RAW", tmp_path / "raw")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    into = tmp_path / "raw" / "resilience"
    into.mkdir(parents=True)
    for name, content in files.items():
        (into / name).write_bytes(content)
    return into


@pytest.fixture(scope="module")
def firms() -> dict[str, pd.Series]:
    """Items of every thirtieth firm of the innovation study."""
    whole = panel.raw(INNOVATION, "synthetic", INNOVATION.seed)
    return inverse.items_innovation(whole[whole["firm"].isin(whole["firm"].unique()[::30])])


def keep(folder: Path, *names: str) -> None:
    """Remove all other files: quicker."""
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()


def found(values: dict[str, pd.Series], *findings: Finding, readings: tuple[Reading, ...] = ()) -> Found:
    return Found({}, readings, (), findings, values, {})


def part(report: check_data.Report, title: str) -> check_data.Part:
    return next(one for one in report.parts if one.title == title)


def cells(report: check_data.Report, title: str) -> pd.DataFrame:
    table = part(report, title).table
    assert table is not None
    return table.set_index(table.columns[0])


class Page(HTMLParser):
    """A parsed page: every tag closed in order, its text by tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


# --- the command -----------------------------------------------------------------------------------------------------


def test_good_files_are_ready_and_the_page_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-data", "resilience"]) == 0
    said = capsys.readouterr().out
    assert "Verdict: ready\n" in said and not (folder / "mapping.toml").exists()
    digest = licensed.fingerprints(RESILIENCE)["CRE_Gdpct.csv"][:12]
    assert re.search(rf"CRE_Gdpct.csv +{digest} +1 +1 +csmar ", said)
    assert re.search(r"城市统计年鉴.xlsx +\w{12} +13 +13 +yearbook ", said)
    assert "13 sheets" in said and "亿元 -> 10,000" in said and "人 = persons" in said
    assert all(check_data._columns(line) <= check_data.WIDTH for line in said.splitlines()[:-1])

    html = (paths.BUILD / "check-data" / "resilience.html").read_text(encoding="utf-8")
    page = Page(html)
    assert not re.search(r"https?:|url\(|@import|src=|href=", html)
    assert page.tags[0] == ("html", {"lang": "en"})
    assert page.count("table") == page.count("caption") > 4
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in page.tags if tag == "th")
    assert [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)] == ["h1"] + ["h2"] * 10
    assert page.count("details") == 1 and re.search(r"^\d+ notes$", page.text["summary"][0])
    assert " ready" in "".join(page.text["p"]) and "prefers-color-scheme: dark" in html
    for title in page.text["h2"]:
        assert f"\n{title}\n-----" in said or title == "Warnings"


def test_nothing_there_is_one_line_and_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setattr(paths, "RAW", tmp_path / "raw")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    for arguments, words in (
        (["resilience"], "resilience: no files; put the exports there"),
        (["resilence"], "study = 'resilence': expected one of"),
        (["resilience", "--page", "page.pdf"], "page = 'page.pdf': expected a name that ends in .html"),
    ):
        assert cli.main(["check-data", *arguments]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and words in said.err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit) as end:
        cli.main(["check-data", "--help"])
    assert end.value.code == 0 and "--no-draft" in capsys.readouterr().out


def test_files_without_a_known_column_are_not_ready(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(folder)
    (folder / "other.csv").write_text("城市,年份,面积\n杭州市,2015,1\n", encoding="utf-8")
    assert cli.main(["check-data", "resilience", "--no-draft"]) == 2
    said = capsys.readouterr().out
    assert "Verdict: nothing found: no column of these files is known" in said
    assert "No column was read." in said and "There is no panel to count." in said


def test_a_wrong_unit_comes_first_and_stops_the_panel(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(folder, "CRE_Gdpct.csv")
    (folder / "more.csv").write_text("城市,年份,教育支出(公斤)\n杭州市,2015,1\n", encoding="utf-8")
    assert cli.main(["check-data", "resilience"]) == 2
    said = capsys.readouterr().out
    assert "Verdict: 1 problem to be put right first" in said
    problem = said.partition("\nProblems\n--------\n")[2].splitlines()[0]
    assert problem.startswith("- more.csv, column '教育支出(公斤)': unit '公斤' cannot become '10,000 yuan'")
    assert "Not made: the problems above come first." in said


def test_columns_that_wait_for_the_user_are_drafted_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(folder, "CRE_Gdpct.csv")
    (folder / "more.csv").write_text("城市,年份,货物进口总额(万元)\n杭州市,2015,1\n", encoding="utf-8")
    cli.main(["check-data", "resilience", "--no-draft"])
    assert not (folder / "mapping.toml").exists()
    said = capsys.readouterr().out
    assert "To be confirmed\n" in said and "1 column: what they hold" in said
    cli.main(["check-data", "resilience"])
    assert "1 column, 1 of them new" in capsys.readouterr().out
    assert licensed.draft(RESILIENCE, licensed.find(RESILIENCE)) == 0
    assert (folder / "mapping.toml").read_text(encoding="utf-8").count("[[column]]") == 1


def test_text_of_files_is_escaped_on_the_page_and_harmless_on_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = 'x<img src="y" onerror="z">.csv'
    rows = f'城市,年份,"夜间灯光{EVIL.replace(chr(34), chr(34) * 2)}\x1b[2J",教育支出(万元)\n杭州市,2015,1,"{EVIL}"\n'
    (folder / name).write_text(rows.replace(f'"{EVIL}"', '"<b>1</b>"'), encoding="utf-8")
    keep(folder, name, "CRE_Gdpct.csv")
    assert cli.main(["check-data", "resilience"]) == 2
    said = capsys.readouterr().out
    assert "\x1b" not in said and "'<b>1</b>' is no number" in said
    html = (paths.BUILD / "check-data" / "resilience.html").read_text(encoding="utf-8")
    page = Page(html)
    assert not {"script", "b", "img"} & {tag for tag, _ in page.tags}
    assert any("<b>1</b>" in text for text in page.text["li"])
    assert any(text.startswith("x<img") for text in page.text["th"] + page.text["td"])


# --- what it says ----------------------------------------------------------------------------------------------------


def test_what_is_missing_names_the_estimates_that_need_it(items: dict[str, pd.Series]) -> None:
    without = {name: values for name, values in items.items() if name not in ("light", "employment")}
    report = check_data.report(RESILIENCE, found(without))
    assert report.ready and report.verdict == "ready with warnings: 2 items missing"
    table = cells(report, "Missing")
    assert table["estimates"].to_dict() == {"light": "T4", "employment": "T6 (4)"}
    assert table.at["light", "header"] == "夜间灯光 or 夜间灯光均值"
    assert table.at["employment", "variables"] == "employment"
    rows = cells(report, "Rows, beside the paper's")
    assert rows.loc["T6 (4)", ["here", "no values"]].tolist() == ["0", "employment"]
    assert rows.index[rows["no values"] != ""].tolist() == ["T4 (1)", "T4 (2)", "T6 (4)"]


def test_an_indicator_of_the_index_is_needed_by_everything(items: dict[str, pd.Series]) -> None:
    report = check_data.report(RESILIENCE, found({name: v for name, v in items.items() if name != "income"}))
    assert not report.ready and report.verdict == "1 problem to be put right first"
    assert "'income'" in part(report, "Problems").items[0]
    assert cells(report, "Missing").at["income", "estimates"] == "all: there is no panel without it"
    assert cells(report, "The panel").at["income", "missing"] == "100.0%"  # what there is, it shows
    assert part(report, "Rows, beside the paper's").text == "There is no panel to count."


def test_findings_are_told_by_how_bad_they_are(items: dict[str, pd.Series]) -> None:
    warning = Finding("warning", "a row too many", "look", "a.xlsx", "s", 7, "C")
    note = Finding("note", "left out")
    report = check_data.report(RESILIENCE, found(items, note, warning))
    assert report.ready and report.verdict == "ready with warnings: 1 warning"
    assert part(report, "Warnings").items == ("a.xlsx, sheet 's', row 7, column 'C': a row too many; look",)
    assert "1 note: on the page." in check_data.text(report) and "left out" not in check_data.text(report)
    assert "<details><summary>1 note</summary>" in check_data.html(report)
    many = check_data.report(RESILIENCE, found(items, *[warning] * 50, Finding("error", "no")))
    assert not many.ready
    assert check_data.text(many).count("a row too many") == check_data.LINES
    assert "... and 10 more on the page" in check_data.text(many) and check_data.html(many).count("too many") == 50


def test_rows_are_those_that_a_regression_has(items: dict[str, pd.Series]) -> None:
    gaps = items["fdi"].mask(np.arange(len(items["fdi"])) % 7 == 0).dropna()
    what = found({**items, "fdi": gaps})
    rows = cells(check_data.report(RESILIENCE, what), "Rows, beside the paper's")
    data = RESILIENCE.derive(licensed.assemble(RESILIENCE, what))  # type: ignore[misc]
    for name in ("1", "2"):
        fit = replicate.column(RESILIENCE, replace(RESILIENCE.table("T2").column(name), singletons="keep"), data)
        assert rows.at[f"T2 ({name})", "here"] == f"{fit.n_obs:,}"
    assert rows.at["T2 (1)", "paper"] == "3,677"
    assert rows.at["T2 (1)", "difference"] == f"{len(data) / 3677 - 1:+.1%}"


def test_descriptives_far_from_the_paper_are_flagged(firms: dict[str, pd.Series]) -> None:
    wrong = {**firms, "city_gdp_pc": firms["city_gdp_pc"] * 1e4}  # 10,000 yuan read as yuan
    report = check_data.report(INNOVATION, found(wrong))
    table = cells(report, "Descriptive statistics, beside the paper's")
    assert table.index[table[""] == "far"].tolist() == ["cgdp"]
    mean = licensed.variables(INNOVATION, found(firms))["cgdp"].mean()
    assert float(table.at["cgdp", "in sd"]) == pytest.approx((mean + np.log(1e4) - 11.427) / 0.527, abs=0.01)
    assert "Far: cgdp." in part(report, "Descriptive statistics, beside the paper's").text


def test_records_that_are_missing_name_the_variables_they_feed(firms: dict[str, pd.Series]) -> None:
    table = cells(check_data.report(INNOVATION, found(firms)), "Missing")
    assert table.index.tolist() == ["patents (records)", "partners (records)", "city_trade (records)"]
    assert set(table["variables"]) == {"ipc_groups, spill"}
    assert set(table["estimates"]) == {"T3 (3); T8 (1, 2, 5, 6)"}


def test_pilot_cities_are_counted_by_batch(items: dict[str, pd.Series]) -> None:
    def cut(values: pd.Series) -> pd.Series:
        city, year = (values.index.get_level_values(level) for level in (0, 1))
        return values[~((city == 330100) & (year > 2018)) & (city != 110000)]

    table = cells(check_data.report(RESILIENCE, found({name: cut(v) for name, v in items.items()})), "Pilot cities")
    assert table.loc["1"].tolist() == ["1", "0", "1", "0", "杭州市 Hangzhou (9 of 13 years)"]
    counts = table[["all years", "some years", "none"]].astype(int)
    assert (counts.sum(axis=1) == table["cities"].astype(int)).all()
    assert "北京市 Beijing" in table.at["3", "which"]
    assert table.loc["2", ["cities", "all years"]].tolist() == ["12", "1"]  # Ningbo; the others lie elsewhere


def test_units_with_a_gap_are_named_where_the_panel_has_to_be_balanced(
    items: dict[str, pd.Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    balanced = replace(licensed.exports(RESILIENCE), balanced=True)
    monkeypatch.setattr(licensed, "exports", lambda study: balanced)
    values = {name: values.reindex(items["gdp"].index, fill_value=values.median()) for name, values in items.items()}
    values["science"] = values["science"].drop((330100, 2013))
    said = part(check_data.report(RESILIENCE, found(values)), "The panel").text
    assert said.endswith("left out because of a gap: 1 city, e.g. 杭州市 Hangzhou (science 2013).")


def test_suspicious_values_are_in_the_unit_of_the_file_and_named_by_city() -> None:
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([licensed.policy.cities()["adcode"][:60], range(2010, 2023)])
    names = ["gdp", "income", "retail", "science", "education", "students", "savings", "deposits"]
    growth = rng.normal(0.08, 0.1, (len(names), 60, 13)).cumsum(axis=2).reshape(len(names), -1)
    levels = 10.0 ** np.arange(len(names))[:, None] * np.exp(growth)
    frame = pd.DataFrame(levels.T + 1.5, index, names)  # as the file has it, in the order of its columns
    frame.loc[(110000, 2014), "retail"] *= 10
    frame.loc[(130100, 2016), "gdp":] = frame.loc[(130100, 2016), "gdp":].shift(1).to_numpy()
    factors = {name: 1e4 if name in ("income", "savings") else 1.0 for name in names}
    readings = tuple(Reading(name, "a.csv", "", name, "panel", "name", "", "", factors[name], 780, 2010, 2022)
                     for name in names)  # fmt: skip
    values = {name: (frame[name] * factors[name]).dropna() for name in reversed(names)}
    table = cells(check_data.report(RESILIENCE, found(values, readings=readings)), "Values that look wrong")
    typed = table[table["kind"] == "typing error"]
    assert typed[["of", "year"]].to_numpy().tolist() == [["北京市 Beijing", "2014"]]
    assert f"{frame.at[(110000, 2014), 'retail']:.6g}, between" in typed.at["retail", "what"]
    moved = table[table["kind"] == "shifted row"]
    assert moved[["of", "year"]].to_numpy().tolist() == [["石家庄市 Shijiazhuang", "2016"]]
    assert "one column too far right" in moved.at["several", "what"]


@given(st.text(max_size=80), st.integers(4, 60))
def test_lines_are_never_too_wide_and_lose_nothing_but_blanks(line: str, width: int) -> None:
    lines = check_data._wrapped(line, width)
    assert all(check_data._columns(entry) <= width and entry.isprintable() for entry in lines)
    kept = "".join(character for character in line if character.isprintable() and not character.isspace())
    assert "".join("".join(lines).split()) == kept
