"""Policy texts: words, codes and counts by hand; encodings; agreement by the formula; bad folders."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pilotzones.errors import DataError
from pilotzones.measures import composite, policy_text
from pilotzones.paths import ROOT

FOLDER = ROOT / "data" / "policy_texts"
LABEL = "（本文为示例文本，专为本项目撰写，并非真实政策文件）"
DICTIONARY = policy_text.read_dictionary(FOLDER / "dictionary.csv")
KEYWORDS = DICTIONARY["keyword"]

FIRST = "建设方案\n一、人才培养\n支持人才培养，建立人才实训基地。对企业给予补贴；推动出口信用保险。\n"
SECOND = "本市位于内陆。\n推进通关便利化和信用评价！培训一万人次。\n"


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def words(text: str) -> list[str]:
    return policy_text.segment(pd.Series([text]), KEYWORDS).iloc[0]


def tools(text: str) -> set[str]:
    row = pd.DataFrame({"city": [330100], "year": [2015], "sentence": ["a:1"], "text": [text]})
    coded = policy_text.code(row, DICTIONARY).iloc[0]
    return {tool for (_, tool), used in coded.items() if used}


def counted(folder: Path) -> pd.DataFrame:
    return policy_text.counts(policy_text.code(policy_text.sentences(policy_text.read_documents(folder)), DICTIONARY))


# --- words and codes -------------------------------------------------------------------------------------------------


def test_a_known_sentence_is_cut_into_words() -> None:
    expected = ["建立", "跨境", "电商", "信用评价", "体系", ",", "完善", "风险防控", "机制", "。"]
    assert words("建立跨境电商信用评价体系，完善风险防控机制。") == expected


def test_no_word_is_guessed() -> None:
    assert words("他来到杭研大厦") == ["他", "来到", "杭", "研", "大厦"]


def test_every_keyword_is_one_word_also_inside_a_sentence() -> None:
    frames = policy_text.segment("我们将继续大力推进" + KEYWORDS + "等工作。", KEYWORDS)
    assert [keyword for keyword, cut in zip(KEYWORDS, frames, strict=True) if keyword not in cut] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("发展供应链金融。", {"finance"}),  # neither supply_chain nor twice finance
        ("扩大出口信用保险公司业务。", {"finance"}),  # not credit, though 保险公司 is a word
        ("推行信用监管。", {"credit"}),
        ("建设物流园区。", {"logistics"}),  # not parks
        ("落实税收政策。", {"tax"}),  # a longer word that holds a keyword
        ("加强人才培养和金融服务。", {"talent", "finance"}),
        ("体现商人才能。", set()),  # 人才 only across two words
        ("跨境电子商务综合试验区稳步发展。", set()),
        ("推动５Ｇ 建 设。", {"infrastructure"}),  # full-width letters, blanks
        ("加强\u2f08才队伍建设。", {"talent"}),  # the look-alike of 人 that PDF files have
        ("不提供财政补贴。", {"funding"}),  # negation is not understood, and the docstring says so
    ],
)
def test_the_longest_keyword_decides(text: str, expected: set[str]) -> None:
    assert tools(text) == expected


def test_headings_are_no_sentences() -> None:
    documents = pd.DataFrame({"document": ["a"], "city": [330100], "year": [2015], "text": [FIRST]})
    found = policy_text.sentences(documents)
    assert found["text"].tolist() == ["支持人才培养，建立人才实训基地。", "对企业给予补贴；", "推动出口信用保险。"]
    assert found["sentence"].tolist() == ["a:1", "a:2", "a:3"]


# --- counts and indices ----------------------------------------------------------------------------------------------


def test_counts_of_two_documents_by_hand(tmp_path: Path) -> None:
    write(tmp_path, "330100_2015.txt", FIRST)
    write(tmp_path, "310000_2016.txt", SECOND)
    found = counted(tmp_path)
    assert found.index.tolist() == [(310000, 2016), (330100, 2015)]
    flat = {(city, tool): n for city, row in found.droplevel("year").iterrows() for (_, tool), n in row.items() if n}
    assert flat == {
        (310000, "talent"): 1,
        (310000, "customs"): 1,
        (310000, "credit"): 1,
        (330100, "talent"): 1,  # three keywords, one sentence; the heading does not count
        (330100, "funding"): 1,
        (330100, "finance"): 1,
    }


def test_documents_of_one_city_and_year_add_up(tmp_path: Path) -> None:
    write(tmp_path, "330100_2015.txt", FIRST)
    write(tmp_path, "330100_2015_培训.txt", SECOND)
    found = counted(tmp_path)
    assert found.index.tolist() == [(330100, 2015)]
    assert found.loc[(330100, 2015), ("supply", "talent")] == 2
    assert found.to_numpy().sum() == 6


def test_order_of_files_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    before = counted(FOLDER)
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: reversed([*glob(self, pattern)]))
    pd.testing.assert_frame_equal(counted(FOLDER), before)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encoding_and_line_ends_do_not_matter(tmp_path: Path, encoding: str, end: str) -> None:
    for path in FOLDER.glob("*.txt"):
        write(tmp_path, path.name, path.read_text(encoding="utf-8").replace("\n", end).encode(encoding))
    pd.testing.assert_frame_equal(policy_text.read_documents(tmp_path), policy_text.read_documents(FOLDER))


def test_an_unrelated_sentence_changes_no_count(tmp_path: Path) -> None:
    for path in FOLDER.glob("*.txt"):
        write(tmp_path, path.name, path.read_text(encoding="utf-8") + "今天天气很好，大家都很高兴。\n")
    pd.testing.assert_frame_equal(counted(tmp_path), counted(FOLDER))


def table(**columns: list[int]) -> pd.DataFrame:
    groups = {"talent": "supply", "funding": "supply", "tax": "environment", "parks": "demand", "risk": "demand"}
    index = pd.MultiIndex.from_product([[110000, 120000], [2015, 2016]], names=["city", "year"])
    return pd.DataFrame(columns, index=index).set_axis(
        pd.MultiIndex.from_tuples([(groups[tool], tool) for tool in columns], names=["group", "tool"]), axis=1
    )


def test_indices_and_weights_by_hand() -> None:
    # divergence 1 + sum p ln p / ln 4 with p = (0, 1, 0, 0) and (0, 1/2, 1/2, 0): 1 and 1/2
    frame = table(talent=[1, 3, 1, 1], funding=[0, 2, 2, 0], tax=[0, 1, 2, 4], parks=[5, 5, 5, 5], risk=[0, 0, 0, 1])
    weights = policy_text.weights(frame)
    np.testing.assert_allclose(weights, [2 / 3, 1 / 3, 1, 0, 1])
    found = policy_text.indices(frame)
    assert found.columns.tolist() == ["city", "year", "sup_ind", "env_ind", "dem_ind"]
    assert found["city"].tolist() == [110000, 110000, 120000, 120000]
    np.testing.assert_allclose(found["sup_ind"], [0, 1, 1 / 3, 0])
    np.testing.assert_allclose(found["env_ind"], [0, 0.25, 0.5, 1])
    np.testing.assert_allclose(found["dem_ind"], [0, 0, 0, 1])


def test_city_years_without_a_document_can_be_the_zero() -> None:
    frame = table(talent=[1, 3, 1, 1], tax=[2, 1, 2, 4], risk=[1, 2, 3, 1])
    rows = pd.MultiIndex.from_tuples([*frame.index, (130100, 2015)], names=["city", "year"])
    found = policy_text.indices(frame.reindex(rows, fill_value=0)).set_index("city")
    np.testing.assert_allclose(found.loc[130100, ["sup_ind", "env_ind", "dem_ind"]].astype(float), 0)
    assert (found.drop(index=130100)[["sup_ind", "env_ind", "dem_ind"]] > 0).all(axis=None)


def test_the_shipped_indices_are_entropy_weighted_counts() -> None:
    frame = counted(FOLDER)
    found = policy_text.indices(frame)
    assert len(found) == 31
    scaled = composite.standardise(frame["demand"])
    expected = composite.weighted_sum(scaled, composite.entropy(scaled)["weight"])
    np.testing.assert_allclose(found["dem_ind"], expected)
    assert found[["sup_ind", "env_ind", "dem_ind"]].stack().between(0, 1).all()


def test_a_group_that_does_not_vary_is_named() -> None:
    with pytest.raises(DataError, match="environment tools: the same counts in all 4 city-years"):
        policy_text.indices(table(talent=[1, 3, 1, 1], tax=[0, 0, 0, 0], risk=[1, 2, 3, 1]))


# --- agreement -------------------------------------------------------------------------------------------------------


def codings() -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [("supply", "talent"), ("environment", "tax"), ("demand", "risk"), ("demand", "parks")]
    columns = pd.MultiIndex.from_tuples(names, names=["group", "tool"])
    rows = pd.MultiIndex.from_product([[330100], [2015], range(10)], names=["city", "year", "sentence"])

    def yes(*positions: int) -> list[bool]:
        return [position in positions for position in range(10)]

    first = pd.DataFrame([yes(0, 1, 2, 3), yes(5), yes(), yes(7, 8)], columns, rows).T
    second = pd.DataFrame([yes(0, 1, 2, 9), yes(6), yes(), yes(7, 8)], columns, rows).T
    return first, second


@pytest.mark.filterwarnings("error")
def test_agreement_by_hand() -> None:
    found = policy_text.agreement(*codings())
    # talent: both yes 3, both no 5, so observed 0.8; by chance 0.4 * 0.4 + 0.6 * 0.6 = 0.52
    talent = found.loc[("supply", "talent")]
    assert talent[["n", "dictionary", "hand", "both"]].tolist() == [10, 4, 4, 3]
    assert talent["agreement"] == pytest.approx(0.8)
    assert talent["kappa"] == pytest.approx((0.8 - 0.52) / 0.48)
    # tax: one yes each, never the same: worse than chance
    assert found.loc[("environment", "tax"), "kappa"] == pytest.approx((0.8 - 0.82) / 0.18)
    assert found.loc[("demand", "parks"), "kappa"] == 1
    assert found.loc[("demand", "any"), "both"] == 2
    # never used by either: equal, but kappa is not defined
    assert found.loc[("demand", "risk"), "agreement"] == 1
    assert math.isnan(found.loc[("demand", "risk"), "kappa"])
    # 40 codes, 7 yes each, 5 of them the same
    pooled = found.loc[("all", "pooled")]
    chance = (7 * 7 + 33 * 33) / 40**2
    assert pooled[["n", "dictionary", "hand", "both"]].tolist() == [40, 7, 7, 5]
    assert pooled["kappa"] == pytest.approx((36 / 40 - chance) / (1 - chance))


def test_agreement_does_not_depend_on_the_order_of_sentences() -> None:
    first, second = codings()
    pd.testing.assert_frame_equal(policy_text.agreement(first.iloc[::-1], second), policy_text.agreement(first, second))


def test_the_readme_states_the_agreement_and_the_size_of_the_folder() -> None:
    documents = policy_text.read_documents(FOLDER)
    sentences = policy_text.sentences(documents)
    hand = policy_text.read_coding_sheet(FOLDER / "coding_sheet.csv", sentences, DICTIONARY)
    coded = policy_text.code(sentences, DICTIONARY)
    found = policy_text.agreement(coded, hand)
    kappa, pooled = found["kappa"], found.loc[("all", "pooled")]
    short = DICTIONARY[DICTIONARY["tool"] != "funding"]
    without = policy_text.indices(policy_text.counts(policy_text.code(sentences, short)))["sup_ind"]
    correlation = policy_text.indices(policy_text.counts(coded))["sup_ind"].corr(without)
    text = re.sub(r"\s+", " ", (FOLDER / "README.md").read_text(encoding="utf-8"))
    for phrase in (
        f"All {len(documents)} were written",
        f"{len(DICTIONARY)} keywords",
        f"all {len(hand)} sentences of every second document",
        f"pooled kappa {pooled['kappa']:.2f} over {pooled['n']:,.0f} codes ({len(hand)} sentences, 15 tools)",
        f"equal codes {pooled['agreement']:.1%}",
        f"supply {kappa['supply', 'any']:.2f}, environment {kappa['environment', 'any']:.2f}, "
        f"demand {kappa['demand', 'any']:.2f}",
        f"infrastructure ({kappa['supply', 'infrastructure']:.2f})",
        f"customs ({kappa['demand', 'customs']:.2f})",
        f"correlate at {correlation:.2f}",
    ):
        assert phrase in text
    assert kappa.drop(("all", "pooled")).nsmallest(2).index.tolist() == [
        ("supply", "infrastructure"),
        ("demand", "customs"),
    ]
    coded_documents = {name.split(":")[0] for name in hand.index.get_level_values("sentence")}
    assert coded_documents == set(documents["document"][::2])


# --- the shipped files -----------------------------------------------------------------------------------------------


def test_every_shipped_text_says_that_it_is_no_policy_document() -> None:
    for path in FOLDER.glob("*.txt"):
        assert path.read_text(encoding="utf-8").splitlines()[0] == LABEL, path.name


def test_the_dictionary_groups_the_tools_as_the_paper_does() -> None:
    groups = DICTIONARY.groupby("group")["tool"].agg(set).to_dict()
    assert groups == {
        "supply": {"talent", "infrastructure", "digital_technology", "funding"},
        "environment": {"finance", "tax", "supervision", "logistics", "supply_chain", "clusters"},
        "demand": {"parks", "customs", "credit", "risk", "statistics"},
    }
    named = DICTIONARY["note"].str.contains("named in the paper")
    assert set(DICTIONARY["tool"]) == set(DICTIONARY.loc[named, "tool"])
    assert DICTIONARY.loc[DICTIONARY["keyword"] == "资金投入", "note"].str.startswith("not named in the paper").all()


def test_the_codes_are_the_same_in_another_process_and_nothing_is_written(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pilotzones.measures import policy_text as p; f = Path(sys.argv[1]);"
        "c = p.code(p.sentences(p.read_documents(f)), p.read_dictionary(f / 'dictionary.csv'));"
        "print(p.indices(p.counts(c)).to_csv(index=False), end='')"
    )
    home = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script, str(FOLDER)],
            env={**home, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "lib"), "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
            cwd=tmp_path,
        ).stdout.decode()
        for seed in ("1", "2")
    }
    assert outputs == {policy_text.indices(counted(FOLDER)).to_csv(index=False)}
    assert [*tmp_path.rglob("*")] == []


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("330100_2015.txt", "", r"330100_2015\.txt: the file is empty"),
        ("330100_2015.txt", "\ufeff \n\n", r"330100_2015\.txt: the file is empty"),
        ("330100_2015.txt", "建设方案\n一、目标", r"330100_2015\.txt: no sentence"),
        ("330100_2015.txt", FIRST.encode("utf-16"), r"330100_2015\.txt: cannot be read as UTF-8 or GB18030"),
        ("330100_2015.txt", "推進通關便利化。".encode("big5"), r"330100_2015\.txt: no sentence"),
        ("330100_2015.txt", FIRST.encode()[:-3], r"330100_2015\.txt: cannot be read as UTF-8 or GB18030"),
        ("杭州_2015.txt", FIRST, r"杭州_2015\.txt: file name, expected"),
        ("330100.txt", FIRST, r"330100\.txt: file name, expected"),
        ("330100_2015(1).txt", FIRST, r"330100_2015\(1\)\.txt: file name, expected"),
        ("330100_15.TXT", FIRST, r"330100_15\.TXT: file name, expected"),
        ("３３０１００_2015.txt", FIRST, "file name, expected"),
        ("330782_2018.txt", FIRST, r"330782_2018\.txt: 330782 is the code of no prefecture"),
        ("330100_2015.docx", FIRST, "no text file"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    write(tmp_path, name, text)
    with pytest.raises(DataError, match=message):
        policy_text.read_documents(tmp_path)


def test_a_text_that_is_there_twice_is_named(tmp_path: Path) -> None:
    write(tmp_path, "330100_2015.txt", FIRST)
    write(tmp_path, "330200_2015.txt", FIRST)  # another city may adopt the same text
    write(tmp_path, "330100_2015_copy.txt", FIRST.encode("gb18030"))
    with pytest.raises(DataError, match=r"330100_2015_copy\.txt: the same text as 330100_2015\.txt"):
        policy_text.read_documents(tmp_path)


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "330100_2015.txt").mkdir()
    with pytest.raises(DataError, match=r"330100_2015\.txt: cannot be read"):
        policy_text.read_documents(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no text file; expected files such as"):
        policy_text.read_documents(tmp_path / "absent")


HEADER = "group,tool,tool_zh,keyword,note\n"
LINES = "supply,talent,人才,人才,x\nenvironment,tax,税收,税收,x\ndemand,risk,风险,风险,x\n"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("supply,talent,人才,培训,\n", r"line 5: an empty cell \(supply, talent, 人才, 培训, \)"),
        ("supplies,talent,人才,培训,x\n", "line 5: unknown group, expected one of supply, environment, demand"),
        ("demand,talent,人才,培训,x\n", "a tool in two groups"),
        ("supply,talent,人才,税收,x\n", "line 5: a keyword that stands twice"),
        ('supply,talent,人才,"培养,人才",x\n', "line 5: a keyword that is no single word"),
        ("supply,talent,人才,人才 培养,x\n", "line 5: a keyword that is no single word"),
        ("supply,talent,人才,５Ｇ,x\n", "line 5: a keyword that is no single word"),
    ],
)
def test_a_bad_line_of_the_dictionary_is_named(tmp_path: Path, extra: str, message: str) -> None:
    assert len(policy_text.read_dictionary(write(tmp_path, "good.csv", HEADER + LINES))) == 3
    with pytest.raises(DataError, match=message):
        policy_text.read_dictionary(write(tmp_path, "dictionary.csv", HEADER + LINES + extra))


def test_a_group_without_a_tool_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "dictionary.csv", HEADER + LINES.replace("demand", "supply"))
    with pytest.raises(DataError, match="no tool of group 'demand'"):
        policy_text.read_dictionary(path)


def edited(change: Callable[[list[str]], list[str]], folder: Path) -> Path:
    lines = (FOLDER / "coding_sheet.csv").read_text(encoding="utf-8").splitlines()
    return write(folder, "coding_sheet.csv", "\n".join(change(lines)) + "\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines[:2], lines[2].replace("体验店", "旗舰店")], "line 3: not a sentence of the documents"),
        (lambda lines: [*lines[:2], lines[2].replace(":2", ":200")], "line 3: not a sentence of the documents"),
        (lambda lines: [*lines[:2], lines[2].replace("parks", "park")], "line 3: a tool that the dictionary lacks"),
        (lambda lines: [*lines[:3], lines[2]], "line 4: the same tool twice"),
        (lambda lines: [*lines[:3], lines[1].replace(",,", ",tax,")], "line 2: coded with and without a tool"),
    ],
)
def test_a_bad_line_of_the_coding_sheet_is_named(
    tmp_path: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    sentences = policy_text.sentences(policy_text.read_documents(FOLDER))
    with pytest.raises(DataError, match=message):
        policy_text.read_coding_sheet(edited(change, tmp_path), sentences, DICTIONARY)
