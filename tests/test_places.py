"""Names and codes of places as files print them -> codes of the book."""

from __future__ import annotations

import csv
import re
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones import paths, places, policy
from pilotzones.errors import ParameterError

REFERENCE = paths.ROOT.parent / "shared" / "reference"
RANGES = "entity_name_match_ranges_1987_2026.csv"
LAIWU, CHAOHU = 371200, 341400


def city(name: object, year: object = None, province: object = None) -> tuple[int | None, str]:
    """Code and reason of one name."""
    row = [None if cell is None else pd.Series([cell], dtype=object, index=["row"]) for cell in (name, year, province)]
    names = pd.Series([name], dtype=object, index=["row"])
    return only(places.city_codes(names, row[1], row[2]))


def coded(cell: object, year: object = None) -> tuple[int | None, str]:
    years = None if year is None else pd.Series([year])
    return only(places.codes(pd.Series([cell], dtype=object), years))


def only(found: pd.DataFrame) -> tuple[int | None, str]:
    assert list(found) == ["code", "reason"] and found["code"].dtype == "Int64" and len(found) == 1
    code, reason = found.iloc[0]
    return (None if pd.isna(code) else int(code)), reason


def assert_plain(found: pd.DataFrame, codes: pd.Series) -> None:
    assert found["code"].tolist() == codes.tolist() and set(found["reason"]) == {""}


# the table


def test_every_official_name_of_today_is_in_the_list_of_cities() -> None:
    table = places.place_names()
    official = table[table["kind"] == "official"]
    today = official[official["last_year"].isna()].set_index("adcode")["name"]
    assert today.to_dict() == policy.cities().set_index("adcode")["city_zh"].to_dict()
    abolished = official[~official["adcode"].isin(today.index)]
    assert set(abolished["adcode"]) == set(policy.historical_units()["adcode"]) == {LAIWU, CHAOHU}


def test_the_table_is_sound() -> None:
    table = places.place_names()
    assert not table.duplicated(["adcode", "name"]).any()
    assert set(table["kind"]) == {"official", "short", "english", "misprint"}
    assert (table["first_year"].dropna() >= 1987).all() and (table["first_year"] > table["last_year"]).sum() == 0
    # no old code is a code of today, and each leads to one unit
    old = table[table["old_adcode"].notna()]
    known = {*policy.cities()["adcode"], *policy.provinces().index, LAIWU, CHAOHU}
    assert known.isdisjoint(old["old_adcode"])
    assert (old.groupby("old_adcode")["adcode"].nunique() == 1).all()
    assert (old["old_adcode"] // 10000 == old["adcode"] // 10000).all()


def test_names_follow_one_another_without_overlap() -> None:
    table = places.place_names()
    official = table[table["kind"] == "official"].fillna({"first_year": 1987, "last_year": 2026})
    for adcode, names in official.sort_values(["first_year", "last_year"]).groupby("adcode"):
        gaps = names["first_year"].to_numpy()[1:] - names["last_year"].to_numpy()[:-1]
        assert set(gaps) <= {0, 1}, adcode


def test_plain_utf8_and_years_are_blank_or_whole() -> None:
    content = (paths.FACTS / "place_names.csv").read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf") and b"\r" not in content and content.endswith(b"\n")
    with (paths.FACTS / "place_names.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(cell == cell.strip() for row in rows for cell in row.values())
    assert {row["confidence"] for row in rows} == {"high", "medium"}


@pytest.mark.skipif(not (REFERENCE / RANGES).exists(), reason="the name history ../shared/reference is not there")
def test_the_table_agrees_with_the_name_history() -> None:
    with (REFERENCE / RANGES).open(encoding="utf-8-sig", newline="") as file:
        history = pd.DataFrame(csv.DictReader(file))
    table = places.place_names()
    official = table[table["kind"] == "official"].fillna({"first_year": 1987, "last_year": 2026})
    ours = set(zip(official["name"], official["first_year"], official["last_year"], strict=True))
    theirs = set(
        zip(history["name_zh"], history["start_year"].astype(int), history["end_year"].astype(int), strict=True)
    )
    assert ours <= theirs
    # what we leave out are units that ended by 2001 and are none of ours
    rest = history[[key not in ours for key in theirs_in_order(history)]]
    assert (rest["end_year"].astype(int) <= 2001).all()
    assert not set(rest["entity_id"]) & set(history.loc[history["name_zh"].isin(official["name"]), "entity_id"])
    # every alias that it reviewed by hand is understood
    with (REFERENCE / "aliases.csv").open(encoding="utf-8-sig", newline="") as file:
        aliases = pd.DataFrame(csv.DictReader(file))
    aliases = aliases[aliases["alias_type"] != "suffix_omitted"]
    names = history[history["end_year"] == "2026"].set_index("entity_id")["name_zh"]
    wanted = places.city_codes(names.loc[aliases["entity_id"]].reset_index(drop=True))["code"]
    found = places.city_codes(aliases["alias"].reset_index(drop=True))
    assert len(aliases) == 6 and found["code"].tolist() == wanted.tolist() and wanted.notna().all()


def theirs_in_order(history: pd.DataFrame) -> list[tuple[str, int, int]]:
    years = history[["start_year", "end_year"]].astype(int)
    return list(zip(history["name_zh"], years["start_year"], years["end_year"], strict=True))


# names


def test_all_prefectures_by_every_usual_form() -> None:
    units = policy.cities()
    bare = units["city_zh"].str.replace("(市|地区|盟)$", "", regex=True)
    english = units["city_en"].str.replace(r"( \w+( and \w+)? Autonomous)? (Prefecture|League)$", "", regex=True)
    for names, region in [
        (units["city_zh"], None),
        (bare, units["province_zh"]),
        (units["city_en"], units["province_en"]),
        (english, units["province_adcode"]),
        (units["province_zh"] + units["city_zh"], None),
        (units["province_zh"].str.replace("[省市]$", "", regex=True) + bare, None),
        (units["city_en"] + ", " + units["province_en"], None),
    ]:
        found = places.city_codes(names, provinces=region)
        assert_plain(found, units["adcode"])


def test_bare_names_without_province_are_doubtful_only_where_two_places_share_them() -> None:
    units = policy.cities()
    bare = units["city_zh"].str.replace("(市|地区|盟)$", "", regex=True)
    assert set(bare[places.city_codes(bare)["code"].isna()]) == {"吉林"}
    english = places.city_codes(units["city_en"])
    doubtful = {"Suzhou", "Taizhou", "Fuzhou", "Yichun", "Yulin", "Jilin"}
    assert set(units.loc[english["code"].isna(), "city_en"]) == doubtful
    assert english.loc[english["code"].isna(), "reason"].str.endswith(": name the province").all()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Hangzhou(city)", 330100),
        ("Beijing (city)", 110000),
        ("Karamay(city) ", 650200),
        ("ＨＡＮＧＺＨＯＵ", 330100),
        ("Hangzhou Shi", 330100),
        ("Xi’an", 610100),
        ("Xian", 610100),
        ("Lüliang", 141100),
        ("北 京 市", 110000),
        ("\ufeff杭州\u3000市\u200b", 330100),
        ("杭州市*", 330100),
        ("巢湖市（地级)", CHAOHU),
        ("安徽安庆", 340800),
        ("安徽省安庆市", 340800),
        ("吉林吉林", 220200),
        ("吉林市", 220200),
        ("北京北京", 110000),
        ("青海海南", 632500),
        ("海南海口", 460100),
        ("Suzhou, Jiangsu", 320500),
        ("Anhui Suzhou", 341300),
        ("恩施州", 422800),
        ("延边", 222400),
        ("大理", 532900),
        ("阿克苏", 652900),
        ("Jilin City", 220200),
    ],
)
def test_decorations(name: str, code: int) -> None:
    assert city(name) == (code, "")


@pytest.mark.parametrize(
    ("former", "code", "title", "year"),
    [
        ("襄樊", 420600, "襄阳市", 2010),
        ("Xiangfan", 420600, "襄阳市", 2010),
        ("思茅地区", 530800, "普洱市", 2007),
        ("思茅市", 530800, "普洱市", 2007),
        ("淮阴", 320800, "淮安市", 2000),
        ("毕节地区", 520500, "毕节市", 2011),
        ("铜仁地区", 520600, "铜仁市", 2011),
        ("海东地区", 630200, "海东市", 2013),
        ("日喀则地区", 540200, "日喀则市", 2014),
        ("哈密地区", 650500, "哈密市", 2016),
        ("伊克昭盟", 150600, "鄂尔多斯市", 2001),
        ("巢湖地区", CHAOHU, "巢湖市", 1999),
    ],
)
def test_former_names(former: str, code: int, title: str, year: int) -> None:
    assert city(former) == (code, f"{former} is {title} since {year}")


def test_every_former_name_is_remarked_on_with_a_year() -> None:
    table = places.place_names()
    former = table[(table["kind"] == "official") & table["last_year"].notna()]
    former = former[former["adcode"].isin(policy.cities()["adcode"])]
    reasons = places.city_codes(former["name"])["reason"]
    assert len(former) > 100 and reasons.str.fullmatch(r"\w+ is \w+ since (19|20)\d\d").all()


def test_a_bare_name_that_outlived_the_upgrade_is_plain() -> None:
    assert city("毕节", 2005) == (520500, "") == city("毕节", 2015)


def test_misprint() -> None:
    assert city("毫州市") == (341600, "毫州市 is a misprint of 亳州市")


@pytest.mark.parametrize(
    ("name", "province", "code"),
    [
        ("吉林", "吉林省", 220200),
        ("海南", "青海", 632500),
        ("Suzhou", "Jiangsu", 320500),
        ("Suzhou", "安徽省", 341300),
        ("Taizhou(city)", 33, 331000),
        ("Taizhou", "320000", 321200),
        ("Yulin", "Shaanxi", 610800),
        ("Yulin", "Guangxi Zhuang Autonomous Region", 450900),
        ("Fuzhou", "江西", 361000),
        ("Yichun", "黑龙江", 230700),
        ("苏州", "东部", 320500),  # a cell that is no province settles nothing
        ("杭州", "", 330100),
    ],
)
def test_the_province_settles_namesakes(name: str, province: object, code: int) -> None:
    assert city(name, province=province) == (code, "")


@pytest.mark.parametrize(
    ("name", "province", "reason"),
    [
        ("吉林", None, "吉林 may be 吉林市 (吉林省) or 吉林省: name the province"),
        ("海南", None, "海南 may be 海南藏族自治州 (青海省) or 海南省: name the province"),
        ("Suzhou", None, "Suzhou may be 苏州市 (江苏省) or 宿州市 (安徽省): name the province"),
        ("Suzhou", "东部", "Suzhou may be 苏州市 (江苏省) or 宿州市 (安徽省): name the province"),
        ("吉林省", None, "吉林省 is a province"),
        ("海南", "海南省", "海南 is a province"),
        ("Guangxi", None, "Guangxi is a province"),
        ("杭州", "江苏", "杭州 is 杭州市 (浙江省), which is not in 江苏省"),
        ("江苏杭州", None, "no prefecture of the name 江苏杭州"),
        ("大理市", None, "no prefecture of the name 大理市: a smaller unit, or a slip for 大理白族自治州 (云南省)"),
        ("朝阳区", None, "no prefecture of the name 朝阳区: a smaller unit, or a slip for 朝阳市 (辽宁省)"),
        ("义乌市", None, "no prefecture of the name 义乌市"),
        ("合计", None, "no prefecture of the name 合计"),
        ("市辖区", None, "no prefecture of the name 市辖区"),
        ("杭洲", None, "no prefecture of the name 杭洲"),
        ("\ud800", None, "no prefecture of the name ?"),
        (" ", None, "no name"),
        (None, None, "no name"),
        (float("nan"), None, "no name"),
        (330100, None, "no prefecture of the name 330100"),
    ],
)
def test_what_is_not_settled_is_missing_with_the_reason(name: object, province: object, reason: str) -> None:
    assert city(name, province=province) == (None, reason)


def test_similar_names_stay_apart() -> None:
    names = ["苏州", "宿州", "台州", "泰州", "太原", "抚州", "福州", "伊春", "宜春", "玉林", "榆林"]
    codes = places.city_codes(pd.Series(names))["code"].tolist()
    assert codes == [320500, 341300, 331000, 321200, 140100, 361000, 350100, 230700, 360900, 450900, 610800]


def test_urban_districts_are_named_as_such() -> None:
    assert city("杭州市市辖区") == (330100, "杭州市市辖区 names the urban districts only")
    assert city("杭州(市辖区)") == (330100, "杭州(市辖区) names the urban districts only")
    assert city("杭州市全市") == (330100, "")


def test_units_that_ended_or_had_not_begun() -> None:
    assert city("莱芜", 2018) == (LAIWU, "") and city("巢湖市", 2010) == (CHAOHU, "")
    assert city("莱芜", 2019) == (None, "莱芜市 is no prefecture after 2018: abolished, merged into Jinan")
    code, reason = city("Chaohu", "2012")
    assert code is None and reason.startswith("巢湖市 is no prefecture after 2010: ")
    assert coded("371200", 2020)[0] is None and coded(371200, 2018) == (LAIWU, "") == coded(371200)
    assert city("三沙", 2010) == (460300, "三沙市 is a prefecture only since 2012")
    assert city("三沙", 2012) == (460300, "") == city("三沙", "no year")


def test_the_policy_knows_every_code_that_comes_out() -> None:
    table = places.place_names()
    codes = places.city_codes(table["name"])["code"].dropna().unique()
    policy.attach(pd.DataFrame({"city": codes.astype("int64"), "year": 2015}), batches=(1,), partial=False)
    assert {LAIWU, CHAOHU} <= set(codes)


# every name of the table in any dress
TABLE = places.place_names()
CITIES = TABLE[~TABLE["adcode"].isin(policy.provinces().index) | (TABLE["kind"] == "official")]
BLANKS = st.sampled_from(["", " ", "  ", "\u3000", "\t", "\xa0", "\u200b"])


@settings(deadline=None)  # the first case reads the tables
@given(st.data())
def test_any_name_in_any_dress(data: st.DataObject) -> None:
    row = CITIES.iloc[data.draw(st.integers(0, len(CITIES) - 1))]
    region = row["adcode"] // 10000 * 10000
    provinces = policy.provinces()
    name = row["name"]
    if data.draw(st.booleans()):
        name = provinces.at[region, "province_zh"] + name
    name = "".join(letter + data.draw(BLANKS) for letter in name)
    name = data.draw(BLANKS) + data.draw(st.sampled_from(["{}", "{}*", "({})", "（{}）", "{}(全市)"])).format(name)
    name = data.draw(st.sampled_from([str, str.upper, full_width]))(name)
    code, reason = city(name, province=int(region))
    assert code == row["adcode"]
    assert (reason == "") == (row["kind"] != "misprint" and (pd.isna(row["last_year"]) or plain(row)))


def full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def plain(row: pd.Series) -> bool:
    """Whether a name out of use is the last of its unit, so that there is no other to point to."""
    return row["adcode"] in (LAIWU, CHAOHU) and not row["name"].endswith("地区")


@settings(deadline=None)  # the first case reads the tables
@given(st.lists(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans()), max_size=8))
def test_no_cell_is_too_odd(cells: list[object]) -> None:
    series = pd.Series(cells, dtype=object)
    for found in (
        places.city_codes(series, series, series),
        places.province_codes(series),
        places.codes(series, series),
    ):
        assert found.index.equals(series.index)
        assert ((found["reason"] != "") | found["code"].notna()).all()


@settings(deadline=None)  # the first case reads the tables
@given(st.permutations(range(8)))
def test_rows_do_not_depend_on_one_another(order: list[int]) -> None:
    names = pd.Series(
        ["吉林", "巢湖", "Suzhou", None, "襄樊", "Suzhou", "莱芜", "合计"], index=[5, 5, 1, 2, 9, 0, 7, 8]
    )
    years = pd.Series([2012, 2012, 2012, 2012, 2012, 2012, 2019, 2012], index=names.index)
    regions = pd.Series(["吉林", None, "Anhui", None, None, "Jiangsu", None, None], index=names.index)
    whole = places.city_codes(names, years, regions)
    part = places.city_codes(names.iloc[order], years.iloc[order], regions.iloc[order])
    pd.testing.assert_frame_equal(part, whole.iloc[order])


def test_labels_must_agree() -> None:
    names = pd.Series(["杭州", "宁波"])
    for more in ({"years": pd.Series([2012])}, {"provinces": pd.Series(["浙江", "浙江"], index=[1, 2])}):
        with pytest.raises(ParameterError, match=next(iter(more))):
            places.city_codes(names, **more)
    with pytest.raises(ParameterError, match="years"):
        places.codes(names, pd.Series([2012]))


# codes


@pytest.mark.parametrize(
    "cell",
    [
        330100,
        "330100",
        330100.0,
        "330100.0",
        "3301",
        3301,
        "'330100",
        " ３３０１００ ",
        "330100000000",
        np.int32(330100),
    ],
)
def test_codes_in_every_form(cell: object) -> None:
    assert coded(cell) == (330100, "")


@pytest.mark.parametrize(
    ("old", "title", "code"),
    [
        (522200, "铜仁地区", 520600),
        (522400, "毕节地区", 520500),
        (632100, "海东地区", 630200),
        (542300, "日喀则地区", 540200),
        (542100, "昌都地区", 540300),
        (542600, "林芝地区", 540400),
        (542200, "山南地区", 540500),
        (542400, "那曲地区", 540600),
        (652100, "吐鲁番地区", 650400),
        (652200, "哈密地区", 650500),
        (532700, "思茅地区", 530800),
    ],
)
def test_old_codes(old: int, title: str, code: int) -> None:
    found, reason = coded(str(old))
    assert found == code and re.fullmatch(rf"{old} was {title} until \d{{4}}, now \w+ {code}", reason)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("330106", "330106 is no prefecture: a smaller unit in 杭州市"),
        ("522201", "522201 is no prefecture: a smaller unit in 铜仁市"),
        ("110105", "110105 is no prefecture: a smaller unit in 北京市"),
        ("429004", "429004 is no prefecture"),
        ("133100", "133100 is no prefecture"),
        (330000, "330000 is the province 浙江省"),
        ("33", "33 is the province 浙江省"),
        ("杭州", "杭州 is no administrative code of six digits"),
        ("33010", "33010 is no administrative code of six digits"),
        ("330100123456", "330100123456 is no administrative code of six digits"),
        (330100.5, "330100.5 is no administrative code of six digits"),
        (None, "no code"),
    ],
)
def test_what_is_no_prefecture(cell: object, reason: str) -> None:
    assert coded(cell) == (None, reason)


def test_municipalities_by_code() -> None:
    assert coded("11") == coded(110000) == (110000, "")
    code, reason = coded("500100")
    assert code == 500000 and reason


def test_all_codes_stand_for_themselves() -> None:
    units = policy.cities()["adcode"]
    for cells in (units, units.astype("str"), units.astype("float64")):
        assert_plain(places.codes(cells), units)


# provinces


def test_provinces_by_every_usual_form() -> None:
    provinces = policy.provinces().reset_index()
    bare = provinces["province_zh"].str.replace("([省市]|(壮族|回族|维吾尔)?自治区)$", "", regex=True)
    code = provinces["province_adcode"]
    english = provinces["province_en"]
    for names in (provinces["province_zh"], bare, bare + " ", english, english.str.upper(), code, code // 10000):
        assert_plain(places.province_codes(names), code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Xizang", 540000),
        ("Nei Mongol", 150000),
        ("Shaanxi Province", 610000),
        ("Inner Mongolia Autonomous Region", 150000),
        ("330000.0", 330000),
        ("东部", None),
        ("330100", None),
        ("杭州", None),
        ("", None),
    ],
)
def test_other_forms_of_provinces(name: str, code: int | None) -> None:
    found, reason = only(places.province_codes(pd.Series([name])))
    assert found == code and bool(reason) == (code is None)


# messages and speed


def test_suggestions_are_near_official_names() -> None:
    assert places.suggest("杭洲市")[:2] and "杭州市" in places.suggest("杭洲市")
    assert places.suggest("Hangzou")[0] == "杭州市"
    assert places.suggest("xq") == [] and len(places.suggest("州市")) <= 3


def test_a_million_rows_are_looked_up_once_per_distinct_name() -> None:
    units = policy.cities()
    draw = np.random.default_rng(1).integers(0, len(units), 1_000_000)
    names, regions = (pd.Series(units[column].to_numpy()[draw]) for column in ("city_zh", "province_zh"))
    years = pd.Series(2000 + draw % 23)
    start = perf_counter()
    found = places.city_codes(names, years, regions)
    assert perf_counter() - start < 5  # 0.4 s alone on a free core; the machine may be busy
    assert (found["code"].to_numpy() == units["adcode"].to_numpy()[draw]).all()
