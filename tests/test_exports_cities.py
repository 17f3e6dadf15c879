"""Licensed items of the three studies of cities: their formulas, and the way back from items to the raw panel."""

import inverse
import numpy as np
import pandas as pd
import pytest

from pilotzones import licensed, panel, studies
from pilotzones.licensed import Found
from pilotzones.readers import units
from pilotzones.studies.coordination import synthetic as coordination
from pilotzones.studies.productivity import synthetic as productivity
from pilotzones.studies.resilience import synthetic as resilience

GENERATORS = {"coordination": coordination, "productivity": productivity, "resilience": resilience}
TRUTHS = ["true_effect", "development_untreated"]  # known of synthetic data only


@pytest.fixture(scope="module", params=GENERATORS)
def case(request: pytest.FixtureRequest) -> tuple[str, pd.DataFrame]:
    return request.param, GENERATORS[request.param].generate(3).drop(columns=TRUTHS, errors="ignore")


def some(raw: pd.DataFrame) -> pd.DataFrame:
    """Every fifth city: quicker."""
    return raw[raw["city"].isin(raw["city"].unique()[::5])]


def found(key: str, raw: pd.DataFrame) -> Found:
    records = inverse.records_coordination(raw) if key == "coordination" else {}
    return Found({}, (), (), (), getattr(inverse, f"items_{key}")(raw), records)


def without(what: Found, *items: str) -> Found:
    return Found({}, (), (), (), {name: v for name, v in what.values.items() if name not in items}, what.records)


def test_items_give_the_raw_panel_back(case: tuple[str, pd.DataFrame]) -> None:
    key, raw = case
    back = licensed.assemble(studies.load(key), found(key, raw))
    expected = raw.sort_values(["city", "year"], ignore_index=True)
    assert set(back) == {*expected, "province"}
    counts = [name for name in ("colleges", "ai_firms", "employees", "region", "capital", "province") if name in raw]
    pd.testing.assert_frame_equal(back[["city", "year", *counts]], expected[["city", "year", *counts]],
                                  check_dtype=False, check_exact=True)  # fmt: skip
    pd.testing.assert_frame_equal(back[[*expected]], expected, check_dtype=False, rtol=1e-12, atol=0)


def test_the_study_takes_what_is_assembled(case: tuple[str, pd.DataFrame]) -> None:
    key, raw = case[0], some(case[1])
    study = studies.load(key)
    data = study.derive(licensed.assemble(study, found(key, raw)))
    panel.validate(data, study, "licensed", "the assembled panel")
    direct = study.derive(raw)
    assert data["treat_post"].to_numpy() == pytest.approx(direct["treat_post"].to_numpy())
    assert data[study.outcome].to_numpy() == pytest.approx(direct[study.outcome].to_numpy(), rel=1e-9, nan_ok=True)


def test_every_item_is_used_and_has_a_unit_that_is_known(case: tuple[str, pd.DataFrame]) -> None:
    declared = licensed.exports(studies.load(case[0]))
    names = {declared.name(item) for item in declared.items}
    assert names == {declared.name(item) for variable in declared.formulas for item in declared.used(variable)}
    assert names == {*found(*case).values}
    for item in declared.items:
        assert not item.unit or units.factor(item.unit, item.unit) == 1, item.name
        assert all(units.factor(unit, item.unit) for unit in item.codes.values()), item.name


def test_a_missing_item_leaves_its_variables_empty(case: tuple[str, pd.DataFrame]) -> None:
    key, raw = case[0], some(case[1])
    study = studies.load(key)
    declared, items = licensed.exports(study), found(key, raw)
    whole = licensed.assemble(study, items)
    for item in declared.items[::4]:
        name = declared.name(item)
        part = licensed.assemble(study, without(items, name))
        lost = {variable for variable in declared.formulas if item in declared.used(variable)}
        assert len(part) == len(whole)
        assert lost == {variable for variable in declared.formulas if part[variable].isna().all()}, name


def test_a_city_with_a_gap_is_left_out_of_the_pairs() -> None:
    study, raw = studies.load("coordination"), coordination.generate(3)
    items = found("coordination", raw)
    items.values["wage"].loc[(330100, 2015)] = np.nan
    items.values["skill"].loc[(440100, 2010)] = np.nan
    back = licensed.assemble(study, items)
    assert {*raw["city"]} - {*back["city"]} == {330100, 440100}
    assert (back.groupby("city").size() == 10).all()
    late = {name: v[v.index.get_level_values("year") > 2010] if v.index.names[0] == "city" else v
            for name, v in items.values.items()}  # fmt: skip
    with pytest.raises(licensed.DataError, match="no city has every variable in every year"):
        licensed.assemble(study, Found({}, (), (), (), late, {}))


def test_pairs_do_without_mediators_traits_and_tools() -> None:
    study, raw = studies.load("coordination"), some(coordination.generate(3))
    items = without(found("coordination", raw), "skill", "institution", "students", "education")
    data = study.derive(licensed.assemble(study, Found({}, (), (), (), items.values, {})))
    panel.validate(data, study, "licensed", "the assembled panel")
    empty = {name for name in data if data[name].isna().all()}
    assert empty == {
        "factor_skill", "institution", "human_capital", "human_capital_lower", "human_capital_upper", "edu",
        "edu_lag1", "sup_ind", "env_ind", "dem_ind",
    }  # fmt: skip

    assert data[["sup_ind", "env_ind", "dem_ind"]].isna().all(axis=None)


def test_prices_are_chained_from_the_first_year() -> None:
    cpi = pd.Series(
        [150.0, 110.0, 120.0, 90.0, np.nan, 100.0], pd.MultiIndex.from_product([[110000], range(2010, 2016)])
    )
    level = licensed._price_level(cpi, (2010, 2015)).loc[110000]
    assert level.loc[2010:2013].tolist() == pytest.approx([1.0, 1.1, 1.32, 1.188])
    assert level.loc[2014:].isna().all()  # a gap cannot be bridged


def test_sentences_stay_in_force_and_cities_without_documents_have_none() -> None:
    declared = licensed.exports(studies.load("coordination"))
    counts = pd.DataFrame({"city": [330100, 330100, 330100], "year": [2009, 2015, 2015], "talent": [1, 2, 3]})
    rows = pd.DataFrame({"city": [330100] * 3 + [110000], "year": [2014, 2015, 2019, 2015]})
    assert declared.measured["tool_talent"]({"tools": counts}, rows).tolist() == [1, 6, 6, 0]


def test_productivity_has_no_half_without_gdp() -> None:
    study, raw = studies.load("productivity"), productivity.generate(3)
    raw.loc[raw["city"] == 330100, "gdp_pc"] = np.nan
    data = study.derive(raw)
    assert data.loc[data["city"] == 330100, "development"].isna().all()
    assert data.loc[data["city"] != 330100, "development"].isin(["high", "low"]).all()
