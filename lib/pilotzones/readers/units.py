"""Units as files print them, in Chinese or English, and the numbers beside them."""

from __future__ import annotations

import math
import re
import unicodedata
from functools import cache

import numpy as np
import pandas as pd

# kind -> word -> how many of the kind's first unit; "items" are anything that is counted
WORDS: dict[str, dict[str, float]] = {
    "yuan": dict.fromkeys(["yuan", "元"], 1.0),
    "US dollars": dict.fromkeys(["usdollars", "usdollar", "美元", "美金"], 1.0),
    "persons": dict.fromkeys(["persons", "person", "people", "capita", "inhabitants", "人", "口"], 1.0),
    "person trips": dict.fromkeys(["persontrips", "人次"], 1.0),
    "households": dict.fromkeys(["households", "household", "户"], 1.0),
    "items": {
        **dict.fromkeys(
            ["items", "item", "units", "pieces", "个", "件", "项", "所", "家", "处", "座", "条", "张", "列", "次"], 1.0
        ),
        **dict.fromkeys(
            ["辆", "台", "标台", "艘", "架", "部", "套", "床", "篇", "本", "册", "册、件", "册(件)", "册件"], 1.0
        ),
    },
    "km2": {
        **dict.fromkeys(["km2", "sqkm", "sq.km", "sq.km.", "squarekilometers", "squarekilometres"], 1.0),
        **dict.fromkeys(["平方公里", "平方千米"], 1.0),
        **dict.fromkeys(["公顷", "ha", "hectares", "hectare"], 0.01),
        **dict.fromkeys(["平方米", "m2", "sqm", "squaremeters", "squaremetres"], 1e-6),
        "亩": 1 / 1500,
    },
    "km": {**dict.fromkeys(["km", "kilometers", "kilometres", "公里", "千米"], 1.0), "米": 0.001},
    "m3": dict.fromkeys(["m3", "cubicmeters", "cubicmetres", "立方米"], 1.0),
    "tonnes": {
        **dict.fromkeys(["tonnes", "tonne", "tons", "ton", "metrictons", "t", "吨"], 1.0),
        **dict.fromkeys(["kg", "千克", "公斤"], 0.001),
        "mt": 1e6,
    },
    "tonne-km": dict.fromkeys(["tonne-km", "tonkm", "吨公里"], 1.0),
    "kWh": dict.fromkeys(["kwh", "千瓦时", "千瓦小时"], 1.0),
    "share": {
        **dict.fromkeys(["share", "ratio"], 1.0),
        **dict.fromkeys(["percent", "percentage", "pct", "%", "百分比", "百分数", "百分点"], 0.01),
        **dict.fromkeys(["‰", "permille", "千分比"], 0.001),
    },
    "index": dict.fromkeys(["index", "上年=100", "以上年为100", "lastyear=100", "precedingyear=100"], 1.0),
    "no unit": dict.fromkeys(["没有单位", "无单位", "nounit"], 1.0),
    # brackets removed from a name by Stata take the stroke along
    "persons per km2": {"人平方公里": 1.0},
}
TIMES = {"十": 1e1, "百": 1e2, "千": 1e3, "万": 1e4, "亿": 1e8}
TIMES |= {"ten": 1e1, "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
# a file in dollars says so: a bare "100 million" may be these
BARE = ("yuan", "persons", "households", "items", "tonnes")

_BASES = {word: (kind, scale) for kind, words in WORDS.items() for word, scale in words.items()}
_QUANTITY = re.compile(
    rf"(10{{1,9}})?((?:{'|'.join(TIMES)}){{0,2}}?)({'|'.join(map(re.escape, sorted(_BASES, key=len, reverse=True)))})?"
)
_CHINESE = "\u4e00-\u9fff"
# words that are one letter stand at the end of many names (用户, 研究所, 条件): only after these they are units
_AFTER_COUNT = "数量额积值"
_NOT_MONEY = "多单一二三公纪新"  # 多元, 单元, 公元 ... are no yuan

# ① and ² would become digits under NFKC: in numbers only what is typed full-width is made half-width
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20, 0x2212: 0x2D}
MISSING = frozenset([
    "", "-", "--", "---", "—", "——", "–", "…", "……", "...", "......", "..", ".", "*", "/", "na", "n/a",
    "n.a.", "#n/a", "nan", "null", "none", "无", "缺失", "暂无", "无数据",
])  # fmt: skip
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:[, ]\d{3})+|\d+)?(?:\.\d*)?(?:e[+-]?\d+)?%?", re.ASCII)


def half_width(text: str) -> str:
    """Return text with full-width letters, digits, signs and blanks as on a keyboard; ① and ² are left alone."""
    return text.translate(_HALF_WIDTH)


@cache
def _parse(word: str) -> tuple[str, float] | None:
    """Return the kind of a unit and how many of the kind's first unit it is; the kind is empty for a bare number."""
    text = unicodedata.normalize("NFKC", word).lower()
    text = re.sub(r"\bper\b", "/", text)
    text = re.sub(r"(?<=\d),(?=\d{3})|\s", "", text)
    text = re.sub(r"^\[(.*)\]$|^\((.*)\)$", lambda found: found[1] or found[2] or "", text)
    text = re.sub(r"^(?:计量)?(?:单位|units?):", "", text).replace("每", "/")
    if "/" in text:
        above, _, below = text.partition("/")
        upper, lower = _quantity(above) if above else ("items", 1.0), _quantity(below)
        if upper is None or lower is None or not (upper[0] and lower[0]):
            return None
        # doctors, households and books "per 10,000 persons" are all counts
        counted = lower[0] == "persons" and upper[0] in {"persons", "households"}
        return f"{'items' if counted else upper[0]} per {lower[0]}", upper[1] / lower[1]
    return _quantity(text)


def _quantity(text: str) -> tuple[str, float] | None:
    if text in _BASES:
        return _BASES[text]
    # currencies stand before or after the number
    for currency, base in ((r"人民币|rmb|cny", "元"), (r"us\$|u\.s\.dollars?|usdollars?|usd", "美元")):
        rest, found = re.subn(currency, "", text)
        if found:
            rest = re.sub(r"\(\)", "", rest)
            text = rest if rest.endswith((base, "yuan")) else rest + base
    read = _QUANTITY.fullmatch(text)
    if read is None:
        return None
    number, times, base = read.groups()
    scale = float(number or 1) * math.prod(TIMES[word] for word in re.findall("|".join(TIMES), times))
    if not base and (times or float(number or 0) >= 1000):
        return "", scale
    kind, each = _BASES.get(base, ("", 0.0))
    # there is no "10,000 percent", and a bare 2010 is no unit
    return None if kind in {"", "share", "index", "no unit"} else (kind, scale * each)


def is_unit(word: str) -> bool:
    """Return whether a word is a unit that :func:`factor` knows."""
    return _parse(word) is not None


def factor(found: str, wanted: str) -> float | None:
    """Return what values in one unit are multiplied by to be in another.

    Yuan and dollars are different kinds. A bare ``10000`` or ``100 million`` says nothing of the kind: it is taken for
    yuan, persons, households, items or tonnes, never for dollars. ``没有单位`` (no unit) fits counts, shares and
    indices. An empty unit fits nothing: the file does not say.

    Parameters
    ----------
    found : as printed, e.g. ``万元``, ``亿元人民币``, ``RMB 10,000``, ``人/平方公里``.
    wanted : e.g. ``"10,000 yuan"``, ``"persons per km2"``, ``"percent"``, ``"per 10,000 persons"``.

    Returns
    -------
    The factor, or None where the kinds differ or a word is unknown.
    """
    have, want = _parse(found), _parse(wanted)
    if have is None or want is None:
        return None
    kinds_agree = have[0] == want[0] or (not have[0] and want[0] in BARE)
    unitless = have[0] == "no unit" and want in {("items", 1.0), ("share", 1.0), ("index", 1.0)}
    return have[1] / want[1] if kinds_agree or unitless else None


def split(header: str) -> tuple[str, str]:
    """Return the name in a header and its unit, which is empty where the header names none.

    The unit stands in brackets, ``gdp（亿元人民币）``, behind a stroke, ``碳排放量_吨``, or, where Stata removed the
    brackets, right behind a Chinese name, ``地区生产总值万元``. Brackets round anything else stay: ``专利授权(发明)``.
    Full-width signs become half-width.
    """
    text = half_width(header).strip()
    for opening in re.finditer(r"[(\[【〔]", text):
        rest = text[opening.start() + 1 :]
        for closing in re.finditer(r"[)\]】〕]|$", rest):
            after = rest[closing.end() :]
            # what comes after is a translation at most: 总人口(万人)增长率 is not in 万人
            if is_unit(rest[: closing.start()]) and not re.search(f"[{_CHINESE}]", re.sub(r"\(.*\)", "", after)):
                return _name(text[: opening.start()] + after), rest[: closing.start()].strip()
    for start in range(1, len(text)):
        tail = text[start:]
        if not re.search(rf"[{_CHINESE}%‰]$", tail) or tail[0] in " _:,;/-" or not is_unit(tail):
            continue
        before = text[:start]
        chinese = len(re.findall(f"[{_CHINESE}]", before))
        if before[-1] in " _:,;/-" and _name(before):
            return _name(before), tail
        if chinese >= 2 and _stands_alone(before[-1], tail):
            return before, tail
    return text, ""


def _stands_alone(before: str, tail: str) -> bool:
    if tail == "元":
        return before not in _NOT_MONEY
    return len(tail) > 1 or tail in "吨亩%‰" or before in _AFTER_COUNT


def _name(text: str) -> str:
    return text.strip(" _:,;/-")


def numbers(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the numbers in cells, and the cells that hold something else.

    Accepts thousands separators (``1,234.5``), full-width digits, blanks around, a percent sign (``12.3%`` is 12.3),
    accountants' brackets (``(123)`` is -123), exponents and a leading apostrophe. Dashes, dots, ``NA``, ``无`` and
    the like are missing.

    Parameters
    ----------
    cells : text, numbers or missing.

    Returns
    -------
    Floats under the same labels, missing for empty and for odd cells; and the odd cells (infinity among them), under
    theirs.
    """
    if not pd.api.types.is_numeric_dtype(cells.dtype):
        cells = cells.astype(object)
    values = pd.to_numeric(cells, errors="coerce").astype(float).to_numpy(copy=True)
    unclear = ~np.isfinite(values) & cells.notna().to_numpy()
    values[unclear] = np.nan
    odd = np.zeros(len(cells), dtype=bool)
    if unclear.any():
        codes, words = pd.factorize(cells[unclear].astype(str))
        read = [number(str(word)) for word in words]
        values[unclear] = np.array([np.nan if x is None else x for x in read])[codes]
        odd[unclear] = np.array([x is None for x in read])[codes]
    return pd.Series(values, cells.index, name=cells.name), cells[odd]


def number(word: str) -> float | None:
    """Return one word as a number, NaN for a mark of a missing value, None for anything else."""
    text = half_width(word).strip().removeprefix("'").strip().lower()
    if text in MISSING:
        return np.nan
    sign = 1.0
    if text.startswith("(") and text.endswith(")") and text[1:2] not in "+-":
        sign, text = -1.0, text[1:-1].strip()
    if not re.search(r"\d", text, re.ASCII) or not _NUMBER.fullmatch(text):
        return None
    try:
        value = sign * float(re.sub(r"[, %]", "", text))
    except ValueError:  # an exponent alone
        return None
    return value if np.isfinite(value) else None
