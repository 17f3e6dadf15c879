"""Integrity of data/facts: counts, codes, joins, dates, ranges."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from pilotzones import paths, policy
from pilotzones.errors import DataError
from pilotzones.io import read_csv

FILES = [
    "cities",
    "concurrent_policies",
    "historical_units",
    "ipc_main_groups",
    "national_series",
    "pilot_zones",
    "place_names",
    "ports",
    "zone_city_map",
]
PROVINCES = 31


def raw(name: str) -> pd.DataFrame:
    """Every column of a facts file as text."""
    path = paths.FACTS / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    return read_csv(path, dict.fromkeys(header, str))


@pytest.mark.parametrize("name", FILES)
def test_files_are_plain_utf8_without_stray_blanks(name: str) -> None:
    content = (paths.FACTS / f"{name}.csv").read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf") and b"\r" not in content and content.endswith(b"\n")
    table = raw(name)
    assert (table == table.apply(lambda column: column.str.strip())).all(axis=None)


def test_the_readme_describes_every_file_and_column() -> None:
    readme = (paths.FACTS / "README.md").read_text(encoding="utf-8")
    assert sorted(path.stem for path in paths.FACTS.glob("*.csv")) == FILES
    for name in FILES:
        assert f"## `{name}.csv`" in readme
        section = readme.split(f"## `{name}.csv`")[1].split("\n## ")[0]
        for column in raw(name):
            assert f"`{column}`" in section, (name, column)


def test_batch_counts() -> None:
    counts = policy.pilot_zones().groupby("batch").size()
    assert counts.to_dict() == {1: 1, 2: 12, 3: 22, 4: 24, 5: 46, 6: 27, 7: 33, 8: 16}
    assert counts.loc[:7].sum() == 165


def test_zone_names_and_ids_are_unique_and_ids_tell_the_batch() -> None:
    zones = policy.pilot_zones()
    for column in ("zone_id", "zone_name_zh", "zone_unit_zh", "zone_unit_adcode"):
        assert not raw("pilot_zones")[column].duplicated().any()
    assert (zones["zone_id"].str[1].astype(int) == zones["batch"]).all()


def test_provinces_of_zones() -> None:
    # by batch 7 the zones covered all 31 provinces
    zones = policy.pilot_zones()
    assert zones.loc[zones["batch"] <= 7, "province_adcode"].nunique() == PROVINCES


def test_dates_are_one_per_batch_in_order_and_before_announcement() -> None:
    zones = policy.pilot_zones()
    assert (zones.groupby("batch")["date_for_coding"].nunique() == 1).all()
    assert policy.approval_dates().is_monotonic_increasing
    assert (zones["date_for_coding"] <= zones["announced_date"]).all()
    table = raw("pilot_zones")
    known = table["approval_date"] != ""
    assert (table.loc[known, "approval_date"] == table.loc[known, "date_for_coding"]).all()
    assert set(table.loc[~known, "batch"]) == {"8"}


def test_years_that_the_papers_print() -> None:
    years = policy.approval_dates().dt.year
    assert years.loc[:7].to_dict() == {1: 2015, 2: 2016, 3: 2018, 4: 2019, 5: 2020, 6: 2022, 7: 2022}
    dates = policy.approval_dates()
    assert dates[1].date() == date(2015, 3, 7)
    assert dates[3].date() == date(2018, 7, 24)
    assert dates[4].date() == date(2019, 12, 15)


def test_batches_one_to_four_are_56_prefectures_and_three_county_level_cities() -> None:
    zones = policy.pilot_zones().query("batch <= 4")
    assert (zones["whole_prefecture"] == 1).sum() == 56
    assert set(zones.loc[zones["whole_prefecture"] == 0, "zone_unit_en"]) == {"Yiwu", "Hunchun", "Suifenhe"}


def test_whole_prefecture_zones_are_their_prefecture_and_smaller_ones_lie_inside() -> None:
    table = raw("pilot_zones")
    whole = table["whole_prefecture"] == "1"
    assert (table.loc[whole, "zone_unit_adcode"] == table.loc[whole, "city_adcode"]).all()
    smaller = table[~whole & (table["city_adcode"] != "") & (table["zone_unit_en"] != "Xiong'an New Area")]
    assert (smaller["zone_unit_adcode"].str[:4] == smaller["city_adcode"].str[:4]).all()


def test_revoked_zones_are_covered_by_a_batch_8_zone() -> None:
    zones = policy.pilot_zones()
    revoked = zones[zones["status_after_2025_04"] != "active"]
    assert set(revoked["zone_unit_en"]) == {"Haikou", "Sanya", "Alashankou"}
    assert (zones["status_after_2025_04"] == "active").sum() == 178
    covering = policy.zone_cities().query("batch == 8 and mapping != 'partial_county_level'")
    assert revoked["city_adcode"].isin(covering["city_adcode"]).all()


def test_city_codes_and_counts() -> None:
    table = policy.cities()
    assert len(table) == 337 and table["adcode"].is_unique and table["city_zh"].is_unique
    assert table["is_city"].sum() == 297
    assert table["city_throughout_2010_2022"].sum() == 285
    assert table["coastal_city"].sum() == 55
    assert (table["adcode"] // 10000 == table["province_adcode"] // 10000).all()
    assert table["province_adcode"].nunique() == table["province_zh"].nunique() == PROVINCES
    assert table.groupby("region")["province_adcode"].nunique().to_dict() == {"east": 11, "central": 8, "west": 12}
    assert (table["admin_rank"] == 4).sum() == 4
    # every province has one seat, the municipalities their own
    assert (table.groupby("province_adcode")["capital"].sum() == 1).all()
    assert set(table.loc[table["coastal_city"] == 1, "coastal_province"]) == {1}


def test_coordinates_lie_in_china_and_near_their_province() -> None:
    table = policy.cities()
    assert table["lat"].between(16, 54).all() and table["lon"].between(73, 135.1).all()
    assert not table.duplicated(["lat", "lon"]).any()
    centre = table.groupby("province_adcode")[["lat", "lon"]].transform("median")
    apart = (table[["lat", "lon"]] - centre).abs().max(axis=1)
    assert apart.max() < 17  # degrees: the largest provinces
    assert pd.to_numeric(raw("cities")["coord_check_km"]).max() < 25


def test_every_code_joins() -> None:
    table = policy.cities().set_index("adcode")
    known = {*map(str, table.index), ""}
    for name in ("pilot_zones", "zone_city_map", "concurrent_policies", "ports"):
        other = raw(name)
        assert set(other["city_adcode"]) <= known, name
        for column in {"city_zh", "city_en"} & set(other):
            rows = other[other["city_adcode"] != ""]
            if name != "ports":
                assert (rows[column].to_numpy() == table.loc[rows["city_adcode"].astype(int), column]).all(), name
    provinces = set(table["province_adcode"])
    assert set(policy.pilot_zones()["province_adcode"]) == provinces
    assert set(raw("concurrent_policies")["province_adcode"].astype(int)) <= provinces


def test_zone_city_map_repeats_the_zones_and_spreads_only_hainan() -> None:
    mapping, zones = raw("zone_city_map"), raw("pilot_zones").set_index("zone_id")
    assert set(mapping["zone_id"]) == set(zones.index)
    for column in ("batch", "date_for_coding", "zone_unit_zh"):
        assert (mapping[column].to_numpy() == zones.loc[mapping["zone_id"], column]).all()
    hainan = mapping["mapping"] == "province_wide"
    assert set(mapping.loc[hainan, "city_en"]) == {"Haikou", "Sanya", "Danzhou"}
    assert mapping.loc[~hainan, "zone_id"].is_unique
    own = zones.loc[mapping.loc[~hainan, "zone_id"]]
    assert (own["city_adcode"].to_numpy() == mapping.loc[~hainan, "city_adcode"]).all()
    exact = mapping.loc[~hainan, "mapping"].map({"exact": "1", "partial_county_level": "0"})
    assert (own["whole_prefecture"].to_numpy() == exact).all()


def test_the_derived_city_treatment_of_the_compilation_is_reproduced() -> None:
    other = paths.ROOT.parent / "shared" / "facts" / "city_treatment.csv"
    if not other.exists():
        pytest.skip("the compilation that the facts were taken from is not here")
    table = pd.read_csv(other).set_index("adcode")
    for partial, column in ((False, "first_batch_exact"), (True, "first_batch_any")):
        ours = policy.first_batch(partial, through=8)
        assert (ours == table[column].fillna(0).astype(int).loc[ours.index]).all()


def test_concurrent_policies() -> None:
    table = raw("concurrent_policies")
    assert len(table) == 239
    assert set(table["mapping"]) == set(policy.MAPPINGS)
    broadband = table[table["policy"] == "broadband_china"]
    assert broadband.groupby("batch")["unit_zh"].nunique().to_dict() == {"2014": 39, "2015": 39, "2016": 39}
    zones = table[table["policy"] == "big_data_pilot_zone"]
    assert zones["unit_zh"].nunique() == 8
    trade = table[table["policy"] == "free_trade_zone"].groupby("batch")["unit_zh"].nunique()
    assert trade.loc[["1", "2", "3", "4", "5", "6"]].tolist() == [1, 3, 7, 1, 6, 3]
    assert not table.duplicated(["policy", "unit_zh", "city_adcode", "batch"]).any()
    blank = table["city_adcode"] == ""
    assert (blank == (table["mapping"] == "no_prefecture")).all()
    start, approval = pd.to_datetime(table["start_date"]), pd.to_datetime(table["approval_date"])
    assert start.between("2013-01-01", "2024-12-31").all() and approval.between("2013-01-01", "2024-12-31").all()
    differ = set(table.loc[start.dt.year != approval.dt.year, "unit_zh"])
    assert differ == {"贵州省"}


def test_national_series() -> None:
    table = raw("national_series").astype({"year": int})
    assert table["year"].tolist() == list(range(2009, 2023))
    nbs, fed = (policy.national_series(f"cny_per_usd_avg_{source}") for source in ("nbs", "fed"))
    assert ((nbs / fed - 1).abs() < 0.009).all() and nbs.between(6, 7).all()
    internet, users = (policy.national_series(f"internet_{name}") for name in ("penetration_pct", "users_million"))
    assert internet.is_monotonic_increasing and users.is_monotonic_increasing
    population = users / internet * 100
    assert population.between(1310, 1425).all()  # million people


def test_ports() -> None:
    table = raw("ports").astype({"lat": float, "lon": float})
    assert len(table) == 48 and table["port_en"].is_unique
    assert set(table["tier"]) == {"1", "2"}
    assert table["lat"].between(18, 41).all() and table["lon"].between(108, 125).all()
    coastal = set(policy.cities().query("coastal_province == 1")["adcode"])
    assert set(table.loc[table["city_adcode"] != "", "city_adcode"].astype(int)) <= coastal


def test_abolished_units_point_to_a_city_of_today() -> None:
    units, today = policy.historical_units(), set(policy.cities()["adcode"])
    assert set(units["successor_adcode"]) <= today and not set(units["adcode"]) & today


@pytest.mark.parametrize("name", ["pilot_zones", "cities", "zone_city_map", "national_series", "concurrent_policies"])
def test_a_missing_or_malformed_facts_file_is_one_clear_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in paths.FACTS.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(paths, "FACTS", tmp_path)

    def use() -> None:
        policy.first_batch(partial=True)
        policy.national_series("internet_penetration_pct")
        policy.concurrent("broadband_china")

    use()
    file = tmp_path / f"{name}.csv"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace("city_adcode", "city").replace("adcode", "code").replace("year", "yr"))
    with pytest.raises(DataError, match=f"{name}.csv, line 1"):
        use()
    file.unlink()
    with pytest.raises(DataError, match=f"{name}.csv: the file is missing"):
        use()
