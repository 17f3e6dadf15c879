"""Names and codes of cities and provinces as files print them, through renames and mergers, to the book's codes.

A name counts only if it is, letter by letter, one that the prefecture bears or bore (``data/facts/place_names.csv``):
with or without its suffix (市, 地区, 盟, 州), its province, brackets or blanks. Nothing is matched by likeness: 苏州
and 宿州 are one slip apart, and "Suzhou" is both. What cannot be told is left missing, with the reason.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import paths, policy
from pilotzones.errors import ParameterError
from pilotzones.io import read_csv

# ending of the official name: what may stand in its place in Chinese, and after the English name
_ENDINGS = {
    "自治州": (("", "州", "自治州"), ("", "prefecture", "autonomousprefecture")),
    "地区": (("", "地区"), ("", "prefecture", "diqu")),
    "盟": (("", "盟"), ("", "league", "meng")),
    "市": (("", "市"), ("", "city", "shi", "municipality", "prefecture")),
}
_APPENDED = re.compile(r"(全市|市辖区|市区|地级市?|prefecturelevel)$")
_DISTRICTS = ("市辖区", "市区")
_ENDING = re.compile(r"(自治州|地区|市|县|区|盟|州|city|county|district)$")
_DIGITS = re.compile(r"'?([0-9]+)(?:\.0*)?")


def place_names() -> pd.DataFrame:
    """Return the names of prefectures and provinces, past and present, that ``cities.csv`` does not have.

    Returns
    -------
    ``adcode``, ``name`` (Chinese or English), ``first_year``, ``last_year`` (calendar years; missing for 1987 or
    before, and for today), ``kind`` (``"official"``, ``"short"``, ``"english"``, ``"misprint"``), ``old_adcode`` (the
    code under that name, missing where it is ``adcode``).
    """
    columns = {
        "adcode": int,
        "name": str,
        "first_year": int | None,
        "last_year": int | None,
        "kind": str,
        "old_adcode": int | None,
    }
    return read_csv(paths.FACTS / "place_names.csv", columns)


@dataclass(frozen=True)
class _Gazetteer:
    """Everything known about places, ready to look up.

    Parameters
    ----------
    cities : key of a name -> code -> remark on that name, ``{}`` standing for it; empty for a name in use.
    provinces : key of a name -> code.
    titles : code of a prefecture or province -> its present or last official name.
    first, last : first and last year as a prefecture, by code; only where within the record.
    ends : code of an abolished prefecture -> what happened.
    old_codes : code out of use -> code, and remark.
    """

    cities: dict[str, dict[int, str]]
    provinces: dict[str, int]
    titles: dict[int, str]
    first: pd.Series
    last: pd.Series
    ends: dict[int, str]
    old_codes: dict[int, tuple[int, str]]


def _text(cell: object) -> str:
    """Return a cell as messages show it; half characters, which cannot be written, as "?"."""
    return "" if cell is None else str(cell).strip()[:100].encode("utf-8", "replace").decode("utf-8")


def _key(text: str) -> str:
    """Return the letters and digits of ``text``: half-width, lower case, without accents, blanks and brackets."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


def _endings(title: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return next(endings for ending, endings in _ENDINGS.items() if title.endswith(ending))


@cache
def _gazetteer() -> _Gazetteer:
    units, regions, names = policy.cities(), policy.provinces(), place_names()
    former = policy.historical_units().set_index("adcode")
    of_city = names["adcode"].isin([*units["adcode"], *former.index])
    official = names[of_city & (names["kind"] == "official")].sort_values("last_year", na_position="last")
    latest = official.drop_duplicates("adcode", keep="last").set_index("adcode")
    titles = latest["name"].to_dict() | regions["province_zh"].to_dict()

    cities: dict[str, dict[int, str]] = {}

    def add(text: str, endings: Iterable[str], code: int, remark: str = "") -> None:
        for ending in endings:
            known = cities.setdefault(_key(text) + ending, {})
            # a name in use wins over the same name out of use: 毕节 was short for 毕节地区 and is short for 毕节市
            known[code] = known.get(code, remark) and remark

    for row in names[of_city].to_dict("records"):
        code, name, kind = row["adcode"], row["name"], row["kind"]
        title = titles[code]
        remark = ""
        if kind == "misprint":
            remark = f"{{}} is a misprint of {title}"
        elif (kind == "official" and name != title) or (kind != "official" and pd.notna(row["last_year"])):
            remark = f"{{}} is {title} since {latest.at[code, 'first_year']}"
        chinese, english = _endings(title)
        add(name, [""], code, remark)
        if kind == "official":
            add(re.sub("(市|地区|盟)$", "", name), [""], code, remark)
        elif kind != "misprint":
            add(name, chinese if kind == "short" else english, code, remark)
    for unit in units.to_dict("records"):
        add(unit["city_en"], _endings(unit["city_zh"])[1], unit["adcode"])

    provinces = {_key(row["name"]): row["adcode"] for row in names[~of_city].to_dict("records")}
    for region in regions.reset_index().to_dict("records"):
        code, title = region["province_adcode"], region["province_zh"]
        endings = ["city", "shi", "municipality"] if title.endswith("市") else ["province", "sheng", "autonomousregion"]
        provinces |= {_key(region["province_en"]) + ending: code for ending in ["", *endings]}
        provinces |= {title: code, re.sub("[省市]$", "", title): code}

    earliest = official.sort_values("first_year", na_position="first").drop_duplicates("adcode").set_index("adcode")
    return _Gazetteer(
        cities,
        provinces,
        titles,
        first=earliest["first_year"].dropna(),
        last=latest["last_year"].dropna(),
        ends=former["event"].to_dict(),
        old_codes={
            row["old_adcode"]: (row["adcode"], f"{row['name']} until {row['last_year']}, now {titles[row['adcode']]}")
            for row in official[official["old_adcode"].notna()].to_dict("records")
        },
    )


def _digits(cell: object) -> str:
    """Return a code as six digits, whatever the cell holds: 330100, "330100.0", "3301", 33; empty if it is no code."""
    match = _DIGITS.fullmatch(unicodedata.normalize("NFKC", str(cell)).strip())
    digits = match[1] if match else ""
    if len(digits) in (2, 4):
        return digits.ljust(6, "0")
    # statistical codes have 9 or 12 digits, zeros below the county
    whole = len(digits) == 6 or (len(digits) in (9, 12) and not digits[6:].strip("0"))
    return digits[:6] if whole else ""


def _resolve(cells: list[pd.Series], look_up: Callable[..., tuple[int | None, str]]) -> pd.DataFrame:
    """Look up every distinct row of ``cells`` once; missing cells are passed as None."""
    row = np.zeros(len(cells[0]), dtype=np.int64)
    found: list[tuple[Any, ...]] = [()]
    for column in cells:
        position, values = pd.factorize(column)
        # missing cells have position -1: they become the last of the values
        texts = [*values, None]
        row, combinations = pd.factorize(row * len(texts) + position % len(texts))
        found = [(*found[combination // len(texts)], texts[combination % len(texts)]) for combination in combinations]
    results = [look_up(*combination) for combination in found] if len(row) else []
    return pd.DataFrame(
        {
            "code": pd.array([code for code, _ in results], dtype="Int64").take(row),
            "reason": pd.array([reason for _, reason in results], dtype="str").take(row),
        },
        index=cells[0].index,
    )


def _same_labels(other: pd.Series, what: str, cells: pd.Series) -> None:
    if not other.index.equals(cells.index):
        raise ParameterError(f"{what}: {len(other)} rows, expected the labels of the {len(cells)} cells")


def _in_years(found: pd.DataFrame, years: pd.Series | None, gazetteer: _Gazetteer) -> pd.DataFrame:
    """Take the code from units in years after their end; remark on years before their beginning."""
    if years is None:
        return found
    year = pd.to_numeric(years, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    code = found["code"]
    bounded = np.isin(code.to_numpy(dtype="int64", na_value=0), [*gazetteer.first.index, *gazetteer.last.index])
    first, last = (
        code[bounded].map(bounds).to_numpy(dtype="float64", na_value=np.nan)
        for bounds in (gazetteer.first, gazetteer.last)
    )
    early, late = np.zeros((2, len(found)), dtype=bool)
    early[bounded], late[bounded] = year[bounded] < first, year[bounded] > last
    reason = found["reason"].copy()
    begun = {
        unit: f"{gazetteer.titles[unit]} is a prefecture only since {start}" for unit, start in gazetteer.first.items()
    }
    gone = {
        unit: f"{gazetteer.titles[unit]} is no prefecture after {end}: {gazetteer.ends[unit]}"
        for unit, end in gazetteer.last.items()
    }
    reason[early] = (reason[early] + "; " + code[early].map(begun)).str.removeprefix("; ").to_numpy()
    reason[late] = code[late].map(gone).to_numpy()
    return pd.DataFrame({"code": code.mask(late), "reason": reason})


def city_codes(names: pd.Series, years: pd.Series | None = None, provinces: pd.Series | None = None) -> pd.DataFrame:
    """Return the prefecture that each name stands for.

    Municipalities count as prefectures. Laiwu (莱芜) and Chaohu (巢湖) have codes of their own until their end.

    Parameters
    ----------
    names : Chinese or English, with or without suffix, province in front, blanks and brackets.
    years : calendar years of the rows, same labels; tells when a name is no prefecture any more or not yet.
    provinces : names or codes of provinces, same labels; needed for 吉林, 海南, Suzhou, Taizhou, Fuzhou, Yichun, Yulin.
        Cells that are no province are passed over.

    Returns
    -------
    Same labels: ``code`` (Int64, missing where the name does not settle it) and ``reason`` (empty for a name in use;
    else what was done with a former name, or why there is no code).

    Raises
    ------
    ParameterError
        If ``years`` or ``provinces`` has other labels than ``names``.
    """
    gazetteer = _gazetteer()
    regions = pd.Series(pd.NA, index=names.index, dtype="Int64")
    if years is not None:
        _same_labels(years, "years", names)
    if provinces is not None:
        _same_labels(provinces, "provinces", names)
        regions = _resolve([provinces], lambda cell: _province(gazetteer, cell))["code"]
    found = _resolve([names, regions], lambda name, region: _city(gazetteer, name, region))
    return _in_years(found, years, gazetteer)


def _city(gazetteer: _Gazetteer, name: object, region: int | None) -> tuple[int | None, str]:
    text = _text(name)
    if not text:
        return None, "no name"
    key = _key(text)
    appended = _APPENDED.search(key)
    bare = key[: appended.start()] if appended else key
    found = gazetteer.cities.get(key) or gazetteer.cities.get(bare) or _after_province(gazetteer, bare)
    namesake = gazetteer.provinces.get(key)
    if found is None:
        if namesake:
            return None, f"{text} is a province"
        part = gazetteer.cities.get(_ENDING.sub("", key))
        slip = f": a smaller unit, or a slip for {_listed(gazetteer, part)}" if part else ""
        return None, f"no prefecture of the name {text}{slip}"
    if region is None:
        candidates = [*found, namesake] if namesake and namesake not in found else [*found]
        if len(candidates) > 1:
            return None, f"{text} may be {_listed(gazetteer, candidates)}: name the province"
    else:
        candidates = [code for code in found if _province_of(code) == region]
        if not candidates and namesake == region:
            return None, f"{text} is a province"
        if not candidates:
            return None, f"{text} is {_listed(gazetteer, found)}, which is not in {gazetteer.titles[region]}"
    code = candidates[0]
    remarks = [found[code].replace("{}", text)]
    if appended and appended[0] in _DISTRICTS and key not in gazetteer.cities:
        remarks.append(f"{text} names the urban districts only")
    return code, "; ".join(filter(None, remarks))


def _province_of(code: int) -> int:
    return code // 10000 * 10000


def _listed(gazetteer: _Gazetteer, codes: Iterable[int]) -> str:
    titles = [gazetteer.titles[code] for code in codes]
    homes = [gazetteer.titles[_province_of(code)] for code in codes]
    return " or ".join(
        title if title == home else f"{title} ({home})" for title, home in zip(titles, homes, strict=True)
    )


def _after_province(gazetteer: _Gazetteer, key: str) -> dict[int, str] | None:
    """Return what a compound of province and city (安徽安庆, "Suzhou, Jiangsu") stands for."""
    for cut in range(1, len(key)):
        for province, name in ((key[:cut], key[cut:]), (key[cut:], key[:cut])):
            code = gazetteer.provinces.get(province)
            cities = gazetteer.cities.get(name, {}) if code else {}
            inside = {city: remark for city, remark in cities.items() if _province_of(city) == code}
            if inside:
                return inside
    return None


def province_codes(names: pd.Series) -> pd.DataFrame:
    """Return the province that each name or code stands for.

    Parameters
    ----------
    names : Chinese or English names with or without 省, 自治区 and the like, or codes (33, 330000).

    Returns
    -------
    Same labels: ``code`` (Int64, missing when unknown) and ``reason`` (why there is none; else empty).
    """
    gazetteer = _gazetteer()
    return _resolve([names], lambda cell: _province(gazetteer, cell))


def _province(gazetteer: _Gazetteer, cell: object) -> tuple[int | None, str]:
    text = _text(cell)
    if not text:
        return None, "no name"
    digits = _digits(cell)
    code = int(digits) if digits else gazetteer.provinces.get(_key(text), 0)
    if code in gazetteer.titles and code == _province_of(code):
        return code, ""
    return None, f"no province of the {'code' if digits else 'name'} {text}"


def codes(cells: pd.Series, years: pd.Series | None = None) -> pd.DataFrame:
    """Return the prefecture that each administrative code stands for.

    Parameters
    ----------
    cells : numbers or text of 6 digits; 2 and 4 digits, and 9 or 12 that end in zeros, are read as 6.
    years : calendar years of the rows, same labels; tells when a code is no prefecture any more or not yet.

    Returns
    -------
    Same labels: ``code`` (Int64, missing where the cell is no prefecture's code) and ``reason`` (empty for a code in
    use; else what was done with an old code, or why there is none).

    Raises
    ------
    ParameterError
        If ``years`` has other labels than ``cells``.
    """
    gazetteer = _gazetteer()
    if years is not None:
        _same_labels(years, "years", cells)
    return _in_years(_resolve([cells], lambda cell: _coded(gazetteer, cell)), years, gazetteer)


def _coded(gazetteer: _Gazetteer, cell: object) -> tuple[int | None, str]:
    text = _text(cell)
    if not text:
        return None, "no code"
    if not (digits := _digits(cell)):
        return None, f"{text} is no administrative code of six digits"
    code, titles = int(digits), gazetteer.titles
    municipality = _province_of(code) if titles.get(_province_of(code), "").endswith("市") else None
    if code in titles and (code == municipality or code != _province_of(code)):
        return code, ""
    if code in titles:
        return None, f"{text} is the province {titles[code]}"
    if code in gazetteer.old_codes:
        unit, remark = gazetteer.old_codes[code]
        return unit, f"{text} was {remark} {unit}"
    if municipality and code == municipality + 100:
        return municipality, f"{text} names the urban districts of {titles[municipality]}; read as the whole"
    parent = code // 100 * 100
    parent = municipality or gazetteer.old_codes.get(parent, (parent, ""))[0]
    inside = f": a smaller unit in {titles[parent]}" if parent in titles else ""
    return None, f"{text} is no prefecture{inside}"


def suggest(name: str) -> list[str]:
    """Return up to three official names that look like ``name``, nearest first, for messages only."""
    gazetteer = _gazetteer()
    near = difflib.get_close_matches(_key(name), gazetteer.cities, n=9, cutoff=0.5)
    titles = [gazetteer.titles[code] for key in near for code in gazetteer.cities[key]]
    return list(dict.fromkeys(titles))[:3]
