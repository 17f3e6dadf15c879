r"""Policy tool indices from Chinese policy texts: documents in, three indices by city and year out.

Rothwell and Zegveld [1]_ tell apart tools that supply what an industry needs, shape its environment, or create demand.
:func:`code` finds which sentence uses which tool, by the keywords of a dictionary; :func:`counts` adds up to
:math:`n_{ctk}`, sentences of city :math:`c` and year :math:`t` that use tool :math:`k`; :func:`indices` takes
:math:`\sum_k w_k \frac{n_{ctk} - \min_k}{\max_k - \min_k}` over the tools of a group, with its entropy weights
:math:`w_k` (:mod:`~pilotzones.measures.composite`); :func:`agreement` compares with a person's coding.

Chinese has no blanks, so a keyword may seem to stand where two words meet: 人才 (talent) in 商人才能 (a merchant's
ability). Texts are therefore cut into words, and no keyword is looked for across two of them. Not handled: negation
(不提供补贴 counts as a subsidy), what a sentence merely describes, how strong a measure is, keywords torn apart
(信用等级评价), traditional characters. Counts grow with the length of a document.

.. [1] Rothwell, R. and Zegveld, W. (1985). Reindustrialization and Technology. Longman.
.. [2] Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20(1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import rjieba
from statsmodels.stats.inter_rater import cohens_kappa

from pilotzones import policy
from pilotzones.errors import DataError
from pilotzones.io import read_csv, shown
from pilotzones.measures.composite import entropy, standardise, weighted_sum

GROUPS = {"supply": "sup_ind", "environment": "env_ind", "demand": "dem_ind"}
_FILE = re.compile(r"([0-9]{6})_((?:19|20)[0-9]{2})(_.+)?")
_SENTENCE = re.compile(r"[^。！？；\n]+[。！？；]")
_FREQUENCY = 10_000  # of everyday words; with the segmenter's proposal 信用 and 保险公司 win over 信用保险


def read_dictionary(path: Path) -> pd.DataFrame:
    """Read a coding dictionary: CSV with ``group``, ``tool``, ``tool_zh``, ``keyword``, ``note``.

    Raises
    ------
    DataError
        Naming file and line, if a cell is empty, a group unknown or without a tool, a tool in two groups, or a keyword
        there twice or, to the segmenter, no word (it has a blank, a comma or full-width letters).
    """
    rows = read_csv(path, dict.fromkeys(["group", "tool", "tool_zh", "keyword", "note"], str))
    _refuse(path, rows, "an empty cell", rows.eq("").any(axis=1))
    _refuse(path, rows, f"unknown group, expected one of {', '.join(GROUPS)}", ~rows["group"].isin([*GROUPS]))
    _refuse(path, rows, "a tool in two groups", rows.groupby("tool")["group"].transform("nunique") > 1)
    _refuse(path, rows, "a keyword that stands twice", rows.duplicated("keyword"))
    words = segment(rows["keyword"], rows["keyword"]).str.join(" ")
    _refuse(path, rows, "a keyword that is no single word", words != rows["keyword"])
    if missing := GROUPS.keys() - set(rows["group"]):
        raise DataError(f"{shown(path)}: no tool of group '{min(missing)}'; expected one or more of each group")
    return rows


def read_documents(folder: Path) -> pd.DataFrame:
    """Read the ``.txt`` files of a folder: UTF-8 (with or without byte order mark) or GB18030, one paragraph per line.

    Returns
    -------
    One row per file, by name: ``document`` (file name without ending), ``city`` (prefecture code), ``year``, ``text``.

    Raises
    ------
    DataError
        Naming the file, if it is not called like ``330100_2015.txt`` (``330100_2015_customs.txt`` where a city has
        several documents a year), its code is no prefecture's, it cannot be decoded, has no sentence (empty, or another
        encoding), or repeats the text of another one of that city and year. Also if the folder has no text.
    """
    cities = set(policy.cities()["adcode"])
    files: dict[tuple[int, int, str], Path] = {}
    for path in sorted(folder.glob("*.[tT][xX][tT]")):
        name = _FILE.fullmatch(path.stem)
        if name is None:
            raise DataError(f"{shown(path)}: file name, expected prefecture code and year such as 330100_2015.txt")
        city, year, text = int(name[1]), int(name[2]), _decode(path).strip()
        if city not in cities:
            raise DataError(f"{shown(path)}: {city} is the code of no prefecture in data/facts/cities.csv")
        if not _SENTENCE.search(text):
            problem = "no sentence" if text else "the file is empty"
            raise DataError(f"{shown(path)}: {problem}; expected UTF-8 or GB18030 text, sentences ending in 。！？；")
        if (first := files.setdefault((city, year, text), path)) is not path:
            raise DataError(f"{shown(path)}: the same text as {first.name}; expected it once")
    if not files:
        raise DataError(f"{shown(folder)}: no text file; expected files such as 330100_2015.txt")
    return pd.DataFrame([(path.stem, *row) for row, path in files.items()], None, ["document", "city", "year", "text"])


def sentences(documents: pd.DataFrame) -> pd.DataFrame:
    """Split documents into sentences: ``city``, ``year``, ``sentence`` (document:number), ``text``.

    What has no ``。！？；`` before the line ends is a heading and left out: it names tools that the text below uses.
    """
    long = documents.assign(text=documents["text"].map(_SENTENCE.findall)).explode("text", ignore_index=True)
    long["sentence"] = long["document"] + ":" + (long.groupby("document").cumcount() + 1).astype(str)
    return long.assign(text=long["text"].str.strip())[["city", "year", "sentence", "text"]]


def segment(texts: pd.Series, keywords: Iterable[str]) -> pd.Series:
    """Cut each text into a list of words, of which the keywords are some: of two in one place, the longer.

    Blanks go; full-width letters and the look-alike characters of PDF files become ordinary ones (Unicode NFKC).
    """
    segmenter = rjieba.Jieba()
    for word in sorted(set(keywords)):
        segmenter.add_word(word, _FREQUENCY, None)
    plain = texts.map(lambda text: re.sub(r"\s", "", unicodedata.normalize("NFKC", text)))
    return plain.map(lambda text: segmenter.cut(text, hmm=False))  # known words only, none guessed


def code(sentences: pd.DataFrame, dictionary: pd.DataFrame) -> pd.DataFrame:
    """Tell which sentence uses which tool, by a word that is a keyword of it or contains one (税收政策).

    True or False; rows ``city``, ``year``, ``sentence``; columns ``group``, ``tool``, in the dictionary's order. A
    sentence may use several tools, or none; a keyword inside a longer keyword does not count.
    """
    tool = dictionary.set_index("keyword")["tool"]
    longest = re.compile("|".join(map(re.escape, sorted(tool.index, key=len, reverse=True))))
    words = segment(sentences["text"], tool.index).str.join(" ")
    return _coding(sentences, [{tool[word] for word in longest.findall(text)} for text in words], dictionary)


def counts(coded: pd.DataFrame) -> pd.DataFrame:
    """Return the number of sentences that use each tool; rows ``city``, ``year``, columns ``group``, ``tool``."""
    return coded.groupby(["city", "year"]).sum()


def weights(counts: pd.DataFrame) -> pd.Series:
    """Return the entropy weight of each tool in its group: 0 where all city-years use it alike; some tool must vary."""
    parts = {}
    for group in GROUPS:
        varying = counts[group].loc[:, counts[group].nunique() > 1]
        if varying.empty:
            raise DataError(f"{group} tools: the same counts in all {len(counts)} city-years; expected differences")
        parts[group] = entropy(standardise(varying))["weight"]
    return pd.concat(parts).reindex(counts.columns, fill_value=0.0)


def indices(counts: pd.DataFrame) -> pd.DataFrame:
    """Return ``city``, ``year``, ``sup_ind``, ``env_ind``, ``dem_ind``, each from 0 to 1; stops as :func:`weights`.

    A tool scores 0 at the lowest count of the sample. For 0 to mean "no policy", first add the city-years without a
    document as rows of zeros (``counts.reindex(rows, fill_value=0)``); scale and weights then rest on them too.
    """
    out, used = {}, weights(counts).loc[lambda weight: weight > 0]
    for group, name in GROUPS.items():
        # where a row is highest in every tool, the weights add up to one but for the last digit
        out[name] = weighted_sum(standardise(counts[group][used[group].index]), used[group]).clip(upper=1)
    return pd.DataFrame(out).reset_index()


def read_coding_sheet(path: Path, sentences: pd.DataFrame, dictionary: pd.DataFrame) -> pd.DataFrame:
    """Read a person's coding of some sentences, as :func:`code` returns it, from CSV with ``sentence``, ``text``,
    ``tool`` (blank for none), ``remark``, a line per sentence and tool.

    Raises
    ------
    DataError
        Naming file and line, if a sentence is not in the documents or reads otherwise there, a tool is not in the
        dictionary, or a sentence has a tool twice or both a tool and a blank.
    """
    rows = read_csv(path, dict.fromkeys(["sentence", "text", "tool", "remark"], str))
    text = rows["sentence"].map(sentences.set_index("sentence")["text"])
    _refuse(path, rows, "not a sentence of the documents", text != rows["text"])
    _refuse(path, rows, "a tool that the dictionary lacks", ~rows["tool"].isin([*dictionary["tool"], ""]))
    _refuse(path, rows, "the same tool twice", rows.duplicated(["sentence", "tool"]))
    _refuse(path, rows, "coded with and without a tool", rows["tool"].eq("") & rows.duplicated("sentence", keep=False))
    used = rows.groupby("sentence")["tool"].agg(set)
    chosen = sentences[sentences["sentence"].isin(used.index)]
    return _coding(chosen, used[chosen["sentence"]], dictionary)


def agreement(coded: pd.DataFrame, hand: pd.DataFrame) -> pd.DataFrame:
    r"""Compare two codings of the sentences in ``hand``: by tool, by group (any tool of it), and pooled over tools.

    Cohen's :math:`\kappa = (p_o - p_e) / (1 - p_e)` [2]_: share of equal codes :math:`p_o` beyond the one expected by
    chance :math:`p_e`, given how often each coder says yes. A share of 0.95 says little of a tool in 5% of sentences.
    Columns: ``n`` (codes compared), ``dictionary``, ``hand``, ``both`` (uses according to one, the other, both),
    ``agreement`` (share of equal codes), ``kappa`` (missing if both coders always say the same).
    """
    coded = coded.loc[hand.index]
    pairs = {key: (coded[key], hand[key]) for key in hand}
    pairs |= {(group, "any"): (coded[group].any(axis=1), hand[group].any(axis=1)) for group in GROUPS}
    pairs["all", "pooled"] = (coded.to_numpy().ravel(), hand.to_numpy().ravel())
    found = {}
    for key, (first, second) in pairs.items():
        n, a, b, both = len(first), first.sum(), second.sum(), (first & second).sum()
        neither = n - a - b + both
        alike = n in (both, neither)
        kappa = np.nan if alike else cohens_kappa([[both, a - both], [b - both, neither]], return_results=False)
        found[key] = [n, a, b, both, (both + neither) / n, kappa]
    index = pd.MultiIndex.from_tuples(found, names=["group", "tool"])
    return pd.DataFrame([*found.values()], index, ["n", "dictionary", "hand", "both", "agreement", "kappa"])


def _decode(path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError, OSError):
            return path.read_text(encoding=encoding)
    raise DataError(f"{shown(path)}: cannot be read as UTF-8 or GB18030 text")


def _refuse(path: Path, rows: pd.DataFrame, problem: str, wrong: pd.Series) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{shown(path)}, line {row + 2}: {problem} ({', '.join(rows.iloc[row])})")


def _coding(sentences: pd.DataFrame, used: Iterable[set[str]], dictionary: pd.DataFrame) -> pd.DataFrame:
    tools = pd.MultiIndex.from_frame(dictionary[["group", "tool"]].drop_duplicates())
    rows = pd.MultiIndex.from_frame(sentences[["city", "year", "sentence"]])
    return pd.DataFrame([[tool in found for _, tool in tools] for found in used], index=rows, columns=tools)
