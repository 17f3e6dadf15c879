"""Licensed items and records of the two studies of firms: their formulas, and the way back to the raw panel."""

from pathlib import Path

import inverse
import numpy as np
import pandas as pd
import pytest
import raw_files

from pilotzones import licensed, panel, paths, policy, studies
from pilotzones.errors import DataError
from pilotzones.licensed import Found
from pilotzones.measures import export_quality, patents, spillovers
from pilotzones.readers import units

SEED = 3
TRUTHS = ["true_effect", "SEX_true"]  # known of synthetic data only
INNOVATION, QUALITY = studies.load("innovation"), studies.load("quality")


@pytest.fixture(scope="module")
def innovation() -> tuple[pd.DataFrame, Found]:
    """Every thirtieth firm, as a file of cities can hold its data."""
    raw = panel.raw(INNOVATION, "synthetic", SEED)
    raw = raw[raw["firm"].isin(raw["firm"].unique()[::30])].drop(columns="true_effect").reset_index(drop=True)
    return inverse.city_wise(raw), Found(
        {}, (), (), (), inverse.items_innovation(raw), inverse.records_innovation(raw, SEED)
    )


@pytest.fixture(scope="module")
def quality() -> tuple[pd.DataFrame, Found]:
    raw = panel.raw(QUALITY, "synthetic", SEED)
    items, records = inverse.items_quality(raw), inverse.records_quality(raw, SEED)
    return raw.drop(columns=TRUTHS), Found({}, (), (), (), items, records)


@pytest.fixture(params=["innovation", "quality"])
def case(request: pytest.FixtureRequest) -> tuple[str, pd.DataFrame, Found]:
    return request.param, *request.getfixturevalue(request.param)


def given(found: Found, **items: pd.Series) -> Found:
    """The same files with other items."""
    return Found({}, (), (), (), {**found.values, **items}, found.records)


def recorded(found: Found, **records: pd.DataFrame) -> Found:
    """The same files with these records only."""
    return Found({}, (), (), (), found.values, records)


# --- both ------------------------------------------------------------------------------------------------------------


def test_items_and_records_give_the_raw_panel_back(case: tuple[str, pd.DataFrame, Found]) -> None:
    key, raw, found = case
    back = licensed.assemble(studies.load(key), found)
    expected = raw.sort_values(["firm", "year"], ignore_index=True)
    assert set(back) == set(expected)
    counts = ["firm", "year", "province", "age", *(["city", "patents", "patents_invention", "ipc_groups"]
              if key == "innovation" else ["state", "employees", "ftz", "bonded", "trains"])]  # fmt: skip
    pd.testing.assert_frame_equal(back[counts], expected[counts], check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(back[[*expected]], expected, check_dtype=False, rtol=1e-12, atol=0)


def test_the_study_takes_what_is_assembled(case: tuple[str, pd.DataFrame, Found]) -> None:
    key, raw, found = case
    study = studies.load(key)
    data, direct = study.derive(licensed.assemble(study, found)), study.derive(raw)
    panel.validate(data, study, "licensed", "the assembled panel")
    assert data[study.outcome].to_numpy() == pytest.approx(direct[study.outcome].to_numpy(), rel=1e-9)
    assert data[study.treatment].to_numpy() == pytest.approx(direct[study.treatment].to_numpy(), rel=1e-9)


def test_every_item_is_used_and_has_a_unit_that_is_known(case: tuple[str, pd.DataFrame, Found]) -> None:
    key, _, found = case
    declared = licensed.exports(studies.load(key))
    names = {declared.name(item) for item in declared.items}
    rows = {"city"} if key == "innovation" else {"province"}  # of a firm: which rows there are
    assert names - rows == {declared.name(item) for variable in declared.formulas for item in declared.used(variable)}
    assert names == {*found.values}
    for item in declared.items:
        assert not item.unit or units.factor(item.unit, item.unit) == 1, item.name
        assert all(units.factor(unit, item.unit) for unit in item.codes.values() if unit), item.name
    for table in declared.records:
        assert set(table.text) <= set(table.columns) == set(found.records[table.name])
        assert all(not unit or units.factor(unit, unit) == 1 for unit, _ in table.columns.values())


def test_a_missing_item_leaves_its_variables_empty(case: tuple[str, pd.DataFrame, Found]) -> None:
    key, _, found = case
    study = studies.load(key)
    declared = licensed.exports(study)
    found = recorded(found)
    whole = licensed.assemble(study, found)
    for item in [item for item in declared.items if item.kind in ("number", "date")][::3]:
        name = declared.name(item)
        part = licensed.assemble(study, Found({}, (), (), (), {k: v for k, v in found.values.items() if k != name}, {}))
        lost = {variable for variable in part if part[variable].isna().all() and not whole[variable].isna().all()}
        assert lost == {variable for variable in declared.formulas if item in declared.used(variable)}, name
        assert len(part) == len(whole)


def test_firms_without_a_place_are_an_error(case: tuple[str, pd.DataFrame, Found]) -> None:
    key, _, found = case
    items = {name: values for name, values in found.values.items() if name not in ("city", "province")}
    with pytest.raises(DataError, match=f"data/raw/{key}: no row of a firm in 20"):
        licensed.assemble(studies.load(key), Found({}, (), (), (), items, {}))


# --- innovation ------------------------------------------------------------------------------------------------------


def test_what_a_covered_year_does_not_report_is_none(innovation: tuple[pd.DataFrame, Found]) -> None:
    _, found = innovation
    items = {name: found.values[name] for name in ("patents", "patents_invention", "rd")}
    late = {name: values[values.index.get_level_values("year") > 2012] for name, values in items.items()}
    back = licensed.assemble(INNOVATION, given(recorded(found), **late))
    before = back["year"] <= 2012
    for name in ("patents", "patents_invention", "RD"):
        assert back.loc[before, name].isna().all()
        assert back.loc[~before, name].notna().all() and (back.loc[~before, name] == 0).any()
    odd = late["rd"].copy()
    odd.iloc[0] = -5.0  # a mistake in the file is not "none"
    firm, year = odd.index[0]
    wrong = licensed.assemble(INNOVATION, given(recorded(found), rd=odd)).set_index(["firm", "year"])
    assert np.isnan(wrong.loc[(firm, year), "RD"])


def test_jobs_by_sector_of_2020_are_those_of_2019(innovation: tuple[pd.DataFrame, Found]) -> None:
    raw, found = innovation
    printed = found.values["city_ict_employees"]
    more = pd.concat([printed, 9 * printed.xs(2019, level="year", drop_level=False).rename(index={2019: 2020})])
    back = licensed.assemble(INNOVATION, given(recorded(found), city_ict_employees=more))
    last = back["year"] == 2020
    assert back.loc[last, "conv"].notna().any()
    expected = raw.sort_values(["firm", "year"], ignore_index=True).loc[last, "conv"]
    pd.testing.assert_series_equal(back.loc[last, "conv"], expected, rtol=1e-12)


def test_traits_of_cities_are_those_of_the_first_year(innovation: tuple[pd.DataFrame, Found]) -> None:
    _, found = innovation
    later = found.values["city_gdp"].copy()
    later[later.index.get_level_values("year") > 2011] *= 7
    back = licensed.assemble(INNOVATION, recorded(found))
    other = licensed.assemble(INNOVATION, given(recorded(found), city_gdp=later))
    assert back["fiscal"].equals(other["fiscal"])


def test_patents_by_application_give_breadth_by_covered_year(innovation: tuple[pd.DataFrame, Found]) -> None:
    _, found = innovation
    table = found.records["patents"]
    table = table[table["year"] != 2015]
    back = licensed.assemble(INNOVATION, recorded(found, patents=table)).set_index(["firm", "year"])["ipc_groups"]
    assert back.xs(2015, level="year").isna().all()
    some = patents.breadth(table)
    assert (back.loc[some.index] == some).all()
    assert (back.drop(some.index).dropna() == 0).all()


def test_spillover_needs_partners_and_trade_of_the_year(innovation: tuple[pd.DataFrame, Found]) -> None:
    raw, found = innovation
    partners, trade = found.records["partners"], found.records["city_trade"]
    assert licensed.assemble(INNOVATION, recorded(found, city_trade=trade))["spill"].isna().all()

    # a city that trades nothing, a year without partners, and what is left is as before but for the total
    quiet = raw["city"].iloc[0]
    trade = trade.assign(imports=trade["imports"].mask(trade["city"] == quiet, 0.0))
    trade = trade.assign(exports=trade["exports"].mask(trade["city"] == quiet, 0.0))
    partners = partners[partners["year"] < 2020]
    back = licensed.assemble(INNOVATION, recorded(found, city_trade=trade, partners=partners))
    missing = (back["city"] == quiet) | (back["year"] == 2020)
    assert back.loc[missing, "spill"].isna().all()
    share = spillovers.shares(trade)
    assert share.groupby("year").sum().to_numpy() == pytest.approx(1)
    known = back.loc[~missing].set_index(["city", "year"]).index
    assert back.loc[~missing, "spill"].notna().to_numpy().tolist() == known.isin(share.index).tolist()


def test_a_firm_without_a_trait_is_in_no_group(innovation: tuple[pd.DataFrame, Found]) -> None:
    raw, _ = innovation
    raw = raw.copy()
    gone = raw["city"] == raw["city"].iloc[0]
    raw.loc[gone, ["digital", "fiscal", "patents", "income"]] = np.nan
    data = INNOVATION.derive(raw)
    gone = data["city"] == raw["city"].iloc[0]
    for name in ("digital_group", "fiscal_group", "innovation_group", "size_group"):
        assert data.loc[gone, name].isna().all() and data.loc[~gone, name].notna().all()
    panel.validate(data, INNOVATION, "licensed", "the panel")
    panel.validate(INNOVATION.derive(raw.assign(income=np.nan)), INNOVATION, "licensed", "the panel")


# --- quality ---------------------------------------------------------------------------------------------------------


def test_a_firm_has_the_province_of_its_last_sample_year(quality: tuple[pd.DataFrame, Found]) -> None:
    raw, found = quality
    mover = int(raw.loc[(raw["province"] == 110000) & (raw["year"] == 2021), "firm"].iloc[0])
    where = found.values["province"].copy()
    where.loc[(mover, 2021)] = 440000.0
    where.loc[(mover, 2022)] = 310000.0  # after the sample
    back = licensed.assemble(QUALITY, given(recorded(found), province=where))
    guangdong = back[back["province"] == 440000].groupby("year")["ports"].first()
    own = back[back["firm"] == mover].set_index("year")
    assert (own["province"] == 440000).all() and 2022 not in own.index
    assert own["ports"].to_numpy() == pytest.approx(guangdong.loc[own.index].to_numpy())
    QUALITY.derive(back)


def test_tibet_is_left_out(quality: tuple[pd.DataFrame, Found]) -> None:
    raw, _ = quality
    tibet = raw[raw["firm"] == raw["firm"].iloc[0]].assign(firm=9999, province=540000, ports=1e9)
    pd.testing.assert_frame_equal(QUALITY.derive(pd.concat([raw, tibet])), QUALITY.derive(raw))


def test_free_trade_zones_are_the_books_own_facts(quality: tuple[pd.DataFrame, Found]) -> None:
    _, found = quality
    back = licensed.assemble(QUALITY, recorded(found)).groupby(["province", "year"])["ftz"].first()
    assert (back.loc[310000, 2012], back.loc[310000, 2013]) == (0, 1)  # Shanghai, September 2013
    assert back.loc[620000].max() == 0  # Gansu had none by 2021
    assert set(policy.concurrent("free_trade_zone").index // 10000 * 10000) >= {310000}


def test_demand_is_estimated_on_all_exporters(quality: tuple[pd.DataFrame, Found]) -> None:
    raw, found = quality
    customs = found.records["customs"]
    listed = customs[customs["firm"].isin(raw["firm"])]
    assert len(listed) < len(customs)
    part = licensed.assemble(QUALITY, recorded(found, customs=listed, products=found.records["products"]))
    assert part["SEX"].notna().all() and part["soph"].isna().all()
    assert np.corrcoef(part["SEX"], raw["SEX"])[0, 1] < 0.999

    only = licensed.assemble(QUALITY, recorded(found, customs=customs))
    assert only[["SEX", "SEX_records", "soph"]].isna().all(axis=None)


def test_a_province_without_income_is_named(quality: tuple[pd.DataFrame, Found]) -> None:
    _, found = quality
    income = found.records["income"].query("not (province == 330000 and year == 2014)")
    with pytest.raises(DataError, match="income, province 330000, year 2014"):
        licensed.assemble(QUALITY, recorded(found, **{**found.records, "income": income}))


def test_groups_are_cut_at_the_mean_of_exporters(quality: tuple[pd.DataFrame, Found]) -> None:
    raw, _ = quality
    others = raw.assign(firm=raw["firm"] + 300000, employees=1e6, age=69, SEX=np.nan)
    data = QUALITY.derive(pd.concat([raw, others])).query("firm < 300000").reset_index(drop=True)
    direct = QUALITY.derive(raw)
    assert data["size_group"].equals(direct["size_group"]) and data["age_group"].equals(direct["age_group"])

    gone = raw.assign(**dict.fromkeys(["employees", "age", "state"], np.nan))
    data = QUALITY.derive(gone)
    assert data[["size_group", "age_group", "owner_group"]].isna().all(axis=None)
    panel.validate(data, QUALITY, "licensed", "the panel")


# --- from files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "RAW", tmp_path)
    for key in ("innovation", "quality"):
        (tmp_path / key).mkdir()
    return tmp_path


def test_customs_records_are_read_from_files(folder: Path, quality: tuple[pd.DataFrame, Found]) -> None:
    _, found = quality
    customs = found.records["customs"]
    customs = pd.concat([customs.head(300), customs.tail(300)], ignore_index=True)
    # unlisted exporters under their customs codes; a spreadsheet makes numbers of HS codes
    codes = customs["firm"].map("{:06d}".format).where(customs["firm"] < 900000, "1101" + customs["firm"].astype(str))
    customs.assign(firm=codes).to_csv(folder / "quality" / "customs.csv", index=False)
    products = found.records["products"]
    products.assign(product=products["product"].astype(float)).to_excel(folder / "quality" / "sigma.xlsx", index=False)
    named = {"province": "省份代码", "year": "年份", "income": "实际人均GDP(元)"}
    income = found.records["income"].rename(columns=named).assign(**{"域名数量(万个)": 2.5})
    income.to_csv(folder / "quality" / "income.csv", index=False)

    read = licensed.find(QUALITY)
    assert not read.errors
    back = read.records["customs"]
    assert (back["firm"] >= 10**9).sum() == (customs["firm"] >= 900000).sum() > 0
    pd.testing.assert_frame_equal(back.drop(columns="firm"), customs.drop(columns="firm"), check_dtype=False)
    pd.testing.assert_frame_equal(read.records["products"], products, check_dtype=False)
    assert len(read.records["income"]) == len(income)
    # a table of records may hold items too
    assert read.values["province_domains"].eq(2.5).all() and len(read.values["province_domains"]) == len(income)
    values = export_quality.measure(back, products.set_index("product")["sigma"])
    assert values["standard"].notna().any()


def test_patents_and_trade_are_read_from_files(folder: Path, innovation: tuple[pd.DataFrame, Found]) -> None:
    _, found = innovation
    table = found.records["patents"].head(300).reset_index(drop=True)
    named = {"firm": "证券代码", "year": "申请年份", "application": "专利申请号", "ipc": "IPC分类号"}
    file = table.assign(firm=table["firm"].map("{:06d}".format)).rename(columns=named)
    file.to_csv(folder / "innovation" / "patents.csv", index=False)
    partners = found.records["partners"]
    named = {
        "country": "国家",
        "year": "年份",
        "imports": "进口额(万元)",
        "exports": "出口额(万元)",
        "gdp": "国内生产总值(亿元)",
        "rd_spending": "研发支出(百万元)",
    }
    file = partners.assign(imports=100 * partners["imports"], exports=100 * partners["exports"])
    file = file.assign(gdp=partners["gdp"] / 100).rename(columns=named)
    file.to_csv(folder / "innovation" / "partners.csv", index=False)
    trade = found.records["city_trade"]
    named = {"city": "城市代码", "year": "年份", "imports": "货物进口额(万美元)", "exports": "货物出口额(万美元)"}
    file = trade.rename(columns=named).assign(**{"年末户籍人口(万人)": 500.0})
    file.to_csv(folder / "innovation" / "cities.csv", index=False)

    read = licensed.find(INNOVATION)
    assert not read.errors
    pd.testing.assert_frame_equal(read.records["patents"], table, check_dtype=False)
    pd.testing.assert_frame_equal(read.records["partners"], partners, check_dtype=False, rtol=1e-12)
    pd.testing.assert_frame_equal(read.records["city_trade"], trade, check_dtype=False)
    assert read.values["city_population"].eq(500.0).all()


def test_trade_in_yearbooks_is_that_of_whole_cities(folder: Path, innovation: tuple[pd.DataFrame, Found]) -> None:
    _, found = innovation
    cities = policy.cities().query("is_city == 1").set_index("adcode")
    trade = found.records["city_trade"].round(4)
    trade = trade[trade["city"].isin(cities.index)]
    frame = trade.assign(
        city_name=trade["city"].map(cities["city_zh"]), province_name=trade["city"].map(cities["province_zh"])
    )
    headers = {"imports": ("货物进口额", "Imports", "万元"), "exports": ("货物出口额", "Exports", "万元")}
    kept = raw_files.yearbook(folder / "innovation" / "yearbook.xlsx", frame, headers)
    read = licensed.find(INNOVATION)
    back = read.records["city_trade"].sort_values(["city", "year"], ignore_index=True)
    pd.testing.assert_frame_equal(back, kept, check_dtype=False)


def test_records_never_take_the_city_districts(folder: Path) -> None:
    lines = ["城市,年份,货物进口额_市辖区,货物进口额_全市,货物出口额_全市", "杭州市,2015,1,2,3", "宁波市,2015,4,5,6"]
    (folder / "innovation" / "cities.csv").write_text("\n".join(lines), encoding="utf-8")
    back = licensed.find(INNOVATION).records["city_trade"]
    assert back.to_numpy().tolist() == [[330100, 2015, 2, 3], [330200, 2015, 5, 6]]
