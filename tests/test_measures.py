"""Measures against hand-computed examples and plain-Python versions; records that give the panel back."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones import licensed, measured, paths
from pilotzones.declare import Column, Study, Table
from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators.regression import regress
from pilotzones.io import read_csv
from pilotzones.measures import patents, spillovers
from pilotzones.measures.integration import integration
from pilotzones.studies import load
from pilotzones.studies.innovation import records

FIELDS = read_csv(
    paths.FACTS / "ipc_main_groups.csv",
    {"section": str, "class": str, "subclass": str, "main_group": str, "title": str},
)


# --- patents ---------------------------------------------------------------------------------------------------------


def application(firm: int, year: int, number: str, ipc: str) -> dict[str, object]:
    return {"firm": firm, "year": year, "application": number, "ipc": ipc}


FILED = pd.DataFrame(
    [
        application(1, 2015, "a", "G06F 17/30; G06F 17/27; H04L 29/08"),  # 2 groups, shares 2/3 and 1/3
        application(1, 2015, "b", "G06F 17/30"),  # 1 group
        application(1, 2016, "c", "A61K 31/00; A61K 9/20; A61P 35/00; C07D 401/12"),  # 4 groups, 1/4 each
        application(2, 2015, "d", "B60L 11/18"),
    ]
)


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("G06F 17/30", "G06F17"),
        ("G06F17/30", "G06F17"),
        ("  H01L 21/02  ", "H01L21"),
        ("A61K 0009/127", "A61K9"),
        ("C09D 163/00 (2006.01) I", "C09D163"),
        ("G06Q 10/06(2012.01)I", "G06Q10"),
    ],
)
def test_a_symbol_is_read_down_to_its_main_group(code: str, group: str) -> None:
    assert patents.main_group(code) == group


@pytest.mark.parametrize("code", ["", "G06F", "G06F 17", "I06F 17/30", "G6F 17/30", "g06f 17/30", "G06F 0/30", "17/30"])
def test_what_is_no_symbol_is_refused(code: str) -> None:
    with pytest.raises(DataError, match="is no IPC symbol; expected section to subgroup"):
        patents.main_group(code)


@given(st.sampled_from([*FIELDS["main_group"]]), st.integers(0, 99))
def test_every_main_group_of_the_facts_is_read_back(group: str, subgroup: int) -> None:
    assert patents.main_group(f"{group[:4]} {group[4:]}/{subgroup:02d}") == group


def test_the_facts_are_a_hierarchy() -> None:
    assert FIELDS["main_group"].is_unique and not (FIELDS["title"].str.strip() == "").any()
    for shorter, longer in (("section", "class"), ("class", "subclass"), ("subclass", "main_group")):
        assert all(b.startswith(a) for a, b in zip(FIELDS[shorter], FIELDS[longer], strict=True))
    assert FIELDS["section"].nunique() == 8
    assert len(FIELDS) >= 150


def test_patents_by_hand() -> None:
    keys = [(1, 2015), (1, 2016), (2, 2015)]
    assert patents.count(FILED).to_dict() == dict(zip(keys, [2, 1, 1], strict=True))
    assert patents.breadth(FILED).to_dict() == dict(zip(keys, [3, 4, 1], strict=True))
    expected = [((1 - 5 / 9) + 0) / 2, 1 - 4 / 16, 0.0]
    assert patents.width(FILED).to_dict() == pytest.approx(dict(zip(keys, expected, strict=True)))


SYMBOLS = st.builds(
    lambda group, subgroup: f"{group[:4]} {group[4:]}/{subgroup:02d}",
    st.sampled_from(["G06F17", "G06F9", "G06Q10", "H04L12", "A61K31"]),
    st.integers(0, 4),
)
PORTFOLIOS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(2011, 2013), st.lists(SYMBOLS, min_size=1, max_size=6)),
    min_size=1,
    max_size=12,
)


def frame(portfolio: list[tuple[int, int, list[str]]]) -> pd.DataFrame:
    return pd.DataFrame([application(f, y, str(n), ";".join(codes)) for n, (f, y, codes) in enumerate(portfolio)])


@settings(max_examples=60, deadline=None)
@given(PORTFOLIOS)
def test_breadth_and_width_agree_with_plain_python(portfolio: list[tuple[int, int, list[str]]]) -> None:
    breadth: dict[tuple[int, int], int] = defaultdict(int)
    widths: dict[tuple[int, int], list[float]] = defaultdict(list)
    for firm, year, codes in portfolio:
        distinct = {code.replace(" ", "") for code in codes}
        groups = [code.split("/")[0] for code in distinct]
        breadth[firm, year] += len(set(groups))
        widths[firm, year].append(1 - sum((groups.count(g) / len(groups)) ** 2 for g in set(groups)))
    assert patents.breadth(frame(portfolio)).to_dict() == breadth
    means = {key: sum(values) / len(values) for key, values in widths.items()}
    assert patents.width(frame(portfolio)).to_dict() == pytest.approx(means, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(PORTFOLIOS, st.randoms(use_true_random=False))
def test_order_and_repetition_of_symbols_do_not_matter(portfolio: list[tuple[int, int, list[str]]], random) -> None:
    other = [(f, y, random.sample(codes, len(codes)) + codes[:1]) for f, y, codes in portfolio]
    shuffled = frame(other).sample(frac=1, random_state=1)
    for measure in (patents.breadth, patents.width):
        pd.testing.assert_series_equal(measure(shuffled), measure(frame(portfolio)))


@settings(max_examples=60, deadline=None)
@given(PORTFOLIOS)
def test_breadth_is_at_least_the_count_and_width_a_share(portfolio: list[tuple[int, int, list[str]]]) -> None:
    filed = frame(portfolio)
    assert (patents.breadth(filed) >= patents.count(filed)).all()
    assert patents.width(filed).between(0, 1, inclusive="left").all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ipc": "G06F 17/30; nonsense"}, r"firm 2, year 2015, application d: ' nonsense' is no IPC symbol"),
        ({"ipc": " ; "}, r"firm 2, year 2015, application d: no IPC symbol"),
        ({"ipc": None}, r"firm 2, year 2015, application d: no IPC symbol"),
        ({"firm": 1, "application": "b"}, r"firm 1, year 2015, application b: a second row"),
        ({"firm": 1, "year": 2017, "application": "b"}, r"firm 1, application b: a second row"),
        ({"application": None}, r"row 3: column 'application' is empty"),
    ],
)
def test_a_wrong_patent_is_named(change: dict[str, object], message: str) -> None:
    wrong = FILED.copy()
    for column, value in change.items():
        wrong.loc[3, column] = value
    with pytest.raises(DataError, match=message):
        patents.breadth(wrong)


@pytest.mark.parametrize("column", ["firm", "year", "application", "ipc"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(DataError, match=f"column '{column}' is missing"):
        patents.breadth(FILED.drop(columns=column))


# --- scales ----------------------------------------------------------------------------------------------------------

COUNTS = pd.Series([0, 1, 899])


def test_scales_by_hand() -> None:
    assert [*patents.transform(COUNTS, "log1p")] == pytest.approx([0, math.log(2), math.log(900)])
    assert [*patents.transform(COUNTS, "asinh", 10)] == pytest.approx([0, math.asinh(10), math.asinh(8990)])
    logs = patents.transform(COUNTS, "log of positives", 10)
    assert math.isnan(logs[0]) and [*logs[1:]] == pytest.approx([math.log(10), math.log(8990)])


@given(st.integers(0, 10**6), st.floats(1, 1e6))
def test_a_unit_shifts_positive_counts_and_leaves_zeros(number: int, unit: float) -> None:
    counts = pd.Series([number, 0])
    shifted = patents.transform(counts, "asinh", unit)
    assert shifted[1] == 0
    if number:
        # arcsinh(x) = ln(2 x) + 1 / (4 x^2) - ...
        assert shifted[0] == pytest.approx(math.log(2 * number * unit), abs=0.26 / (number * unit) ** 2 + 1e-9)


def test_impossible_scales_are_refused() -> None:
    with pytest.raises(ParameterError, match="expected one of log1p, asinh, log of positives"):
        patents.transform(COUNTS, "log10")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="unit = 0: expected a positive number"):
        patents.transform(COUNTS, "log1p", 0)
    with pytest.raises(DataError, match="row 1: -1, expected at least 0"):
        patents.transform(pd.Series([3, -1]), "log1p")


# --- spillovers ------------------------------------------------------------------------------------------------------

PARTNERS = pd.DataFrame(
    {
        "country": ["X", "Y", "X", "Y"],
        "year": [2011, 2011, 2012, 2012],
        "imports": [10.0, 0.0, 20.0, 5.0],
        "exports": [5.0, 8.0, 5.0, 8.0],
        "gdp": [100.0, 50.0, 100.0, 50.0],
        "rd_stock": [30.0, 20.0, 40.0, 10.0],
    }
)
TRADE = pd.DataFrame(
    {"city": [1, 2, 1, 2], "year": [2011, 2011, 2012, 2012], "imports": [3.0, 1.0, 1.0, 1.0], "exports": [0.0, 2, 1, 3]}
)


def test_spillover_by_hand() -> None:
    through = spillovers.by_partner(PARTNERS)
    assert [*through["spill_im"]] == pytest.approx([3, 0, 8, 1])
    assert [*through["spill_ex"]] == pytest.approx([1.5, 3.2, 2, 1.6])
    pools = spillovers.national(through)
    assert pools.loc[2011].to_dict() == pytest.approx({"spill_im": 3, "spill_ex": 4.7})
    shares = spillovers.shares(TRADE)
    assert shares.loc[(1, 2011)].to_dict() == pytest.approx({"import_share": 0.75, "export_share": 0})
    found = spillovers.spillover(shares, pools)["spill"]
    assert found[1, 2011] == pytest.approx(math.log(0.75 * 3))
    assert found[2, 2012] == pytest.approx(math.log(0.5 * 9 + 0.75 * 3.6))


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_a_common_factor_of_foreign_rd_adds_its_log(factor: float, currency: float) -> None:
    def index(partners: pd.DataFrame, trade: pd.DataFrame) -> pd.Series:
        return spillovers.spillover(
            spillovers.shares(trade), spillovers.national(spillovers.by_partner(partners))
        )["spill"]  # fmt: skip

    before = index(PARTNERS, TRADE)
    after = index(PARTNERS.assign(rd_stock=PARTNERS["rd_stock"] * factor), TRADE)
    np.testing.assert_allclose(after - before, math.log(factor), atol=1e-9)
    # what the trade of cities is measured in does not matter
    other = TRADE.assign(imports=TRADE["imports"] * currency, exports=TRADE["exports"] * currency)
    np.testing.assert_allclose(index(PARTNERS, other), before, atol=1e-9)


@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=8))
def test_shares_add_up_to_one(amounts: list[float]) -> None:
    trade = pd.DataFrame({"city": range(len(amounts)), "year": 2011, "imports": amounts, "exports": amounts[::-1]})
    shares = spillovers.shares(trade)
    assert shares.stack().between(0, 1).all()
    assert [*shares.sum()] == pytest.approx([1, 1])


@given(st.floats(-0.02, 0.2), st.floats(0.03, 0.3), st.floats(0.1, 1e6))
def test_under_steady_growth_the_stock_grows_with_spending(growth: float, depreciation: float, start: float) -> None:
    years = np.arange(2011, 2021)
    spending = pd.DataFrame({"country": "X", "year": years, "rd_spending": start * (1 + growth) ** (years - 2011)})
    stock = spillovers.rd_stock(spending, depreciation).loc["X"]
    np.testing.assert_allclose(stock, spending["rd_spending"] / (growth + depreciation), rtol=1e-9)


def test_a_stock_by_hand_whatever_the_order_of_rows() -> None:
    spending = pd.DataFrame({"country": "X", "year": [2013, 2011, 2012], "rd_spending": [121.0, 100.0, 90.0]})
    stock = spillovers.rd_stock(spending, 0.1)  # growth 10% a year: first stock 100 / 0.2
    assert stock.to_dict() == pytest.approx(
        {("X", 2011): 500, ("X", 2012): 0.9 * 500 + 100, ("X", 2013): 0.9 * 550 + 90}
    )


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("imports", 1, -1.0, r"country Y, year 2011: imports = -1.0, expected a number of at least 0"),
        ("exports", 2, np.nan, r"country X, year 2012: exports = nan, expected a number"),
        ("gdp", 3, 0.0, r"country Y, year 2012: gdp = 0, expected more"),
        ("rd_stock", 0, np.inf, r"country X, year 2011: rd_stock = inf"),
        ("country", 1, "X", r"country X, year 2011: a second row"),
    ],
)
def test_a_wrong_partner_is_named(column: str, row: int, value: object, message: str) -> None:
    wrong = PARTNERS.copy()
    wrong.loc[row, column] = value
    with pytest.raises(DataError, match=message):
        spillovers.by_partner(wrong)


def test_wrong_trade_of_cities_is_named() -> None:
    with pytest.raises(DataError, match=r"trade of cities, city 2, year 2011: imports = -3.0"):
        spillovers.shares(TRADE.assign(imports=[3.0, -3.0, 1, 1]))
    with pytest.raises(DataError, match=r"trade of cities, year 2012: no city has exports"):
        spillovers.shares(TRADE.assign(exports=[1.0, 1.0, 0, 0]))
    with pytest.raises(DataError, match=r"column 'imports': type (str|object), expected numbers"):
        spillovers.shares(TRADE.assign(imports=["3", "1", "1", "1"]))
    pools = spillovers.national(spillovers.by_partner(PARTNERS))
    with pytest.raises(DataError, match=r"city 1, year 2011: neither imports nor exports"):
        spillovers.spillover(spillovers.shares(TRADE.assign(imports=[0.0, 1, 1, 1])), pools)
    with pytest.raises(DataError, match=r"no row for year 2012"):
        spillovers.spillover(spillovers.shares(TRADE), pools.drop(2012))


@pytest.mark.parametrize(
    ("years", "spent", "message"),
    [
        ([2011, 2013], [1.0, 1.0], "without a gap, got"),
        ([2011], [1.0], "two or more years"),
        ([2011, 2012], [0.0, 1.0], "zero in its first or last year"),
        ([2011, 2012], [1.0, -1.0], "country X, year 2012: rd_spending = -1.0"),
        ([2011, 2012], [1.0, 0.9], "which depreciation of 0.05 cannot offset"),
        ([2011, 2011], [1.0, 1.0], "country X, year 2011: a second row"),
    ],
)
def test_wrong_spending_is_named(years: list[int], spent: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        spillovers.rd_stock(pd.DataFrame({"country": "X", "year": years, "rd_spending": spent}), 0.05)


def test_depreciation_is_a_share() -> None:
    with pytest.raises(ParameterError, match="depreciation = 5: expected at least 0 and less than 1"):
        spillovers.rd_stock(PARTNERS.rename(columns={"rd_stock": "rd_spending"}), 5)


# --- integration -----------------------------------------------------------------------------------------------------

JOBS = pd.DataFrame(
    [
        {"city": city, "year": year, "sector": sector, "persons": persons}
        for city, year, numbers in ((1, 2018, (10, 20, 70)), (1, 2019, (30, 20, 50)), (2, 2019, (5, 0, 15)))
        for sector, persons in zip(("finance", "transport", "manufacturing"), numbers, strict=True)
    ]
)
SERVICES = ("finance", "transport")


def test_integration_by_hand_with_a_year_taken_over() -> None:
    found = integration(JOBS, SERVICES, carry={2020: 2019})
    assert found["share"].to_dict() == pytest.approx(
        {(1, 2018): 0.3, (1, 2019): 0.5, (1, 2020): 0.5, (2, 2019): 0.25, (2, 2020): 0.25}
    )
    assert found.loc[(1, 2020), ["services", "total", "carried"]].tolist() == [50, 100, True]
    assert found["carried"].sum() == 2
    assert len(integration(JOBS, SERVICES)) == 3


def test_a_recorded_value_gives_way_to_the_rule() -> None:
    later = JOBS[JOBS["year"] == 2019].assign(year=2020, persons=1)
    found = integration(pd.concat([JOBS, later]), SERVICES, carry={2020: 2019})
    assert found.loc[(1, 2020), "share"] == 0.5


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=3).filter(any), st.integers(1, 50))
def test_integration_is_a_share_and_free_of_the_unit(persons: list[int], factor: int) -> None:
    jobs = pd.DataFrame({"city": 1, "year": 2015, "sector": ["finance", "transport", "other"], "persons": persons})
    share = integration(jobs, SERVICES)["share"].iloc[0]
    assert 0 <= share <= 1
    assert integration(jobs.assign(persons=jobs["persons"] * factor), SERVICES)["share"].iloc[0] == pytest.approx(share)


def test_wrong_employment_is_named() -> None:
    with pytest.raises(DataError, match=r"city 1, year 2019: no row for sector 'transport'"):
        integration(JOBS.drop(index=4), SERVICES)
    with pytest.raises(DataError, match=r"no row for sector 'leasing'"):
        integration(JOBS, [*SERVICES, "leasing"])
    with pytest.raises(DataError, match=r"city 1, year 2018, sector finance: a second row"):
        integration(pd.concat([JOBS, JOBS.iloc[:1]]), SERVICES)
    with pytest.raises(DataError, match=r"city 2, year 2019, sector transport: persons = -1"):
        integration(JOBS.assign(persons=[*JOBS["persons"][:7], -1, 3]), SERVICES)
    with pytest.raises(DataError, match=r"city 1, year 2018: nobody is employed"):
        integration(JOBS.assign(persons=JOBS["persons"].where(JOBS["year"] > 2018, 0)), SERVICES)
    with pytest.raises(DataError, match=r"no row for year 2021, which year 2022 takes over"):
        integration(JOBS, SERVICES, carry={2022: 2021})


# --- records behind a panel ------------------------------------------------------------------------------------------


def toy_panel(seed: int = 5) -> pd.DataFrame:
    """Return 40 firms in 8 cities, 2011-2020, with the properties that the study's generator promises."""
    rng = np.random.default_rng(seed)
    rows = pd.MultiIndex.from_product([range(1, 41), range(2011, 2021)], names=["firm", "year"]).to_frame(index=False)
    rows = rows[rows["year"] >= 2011 + rows["firm"] % 4].reset_index(drop=True)
    rows["city"] = 110000 + 100 * (rows["firm"] % 8)
    firm = rows["firm"].to_numpy()
    rows["patents"] = rng.poisson(rng.gamma(1, 12, 41)[firm] * (firm > 3))  # the first three never patent
    rows["ipc_groups"] = rows["patents"] + rng.poisson(0.6 * rows["patents"])
    place = rows["firm"] % 8
    rows["spill"] = rng.normal(8, 1.5, (8, 10))[place, rows["year"] - 2011]
    rows["conv"] = rng.uniform(0.05, 0.4, (8, 10))[place, np.minimum(rows["year"], 2019) - 2011]
    rows.loc[rows["city"] == 110000, "conv"] = np.nan
    rows.loc[rng.uniform(size=len(rows)) < 0.05, "spill"] = np.nan
    return rows


PANEL = toy_panel()


def all_measured(panel: pd.DataFrame, seed: int, firms: int) -> pd.DataFrame:
    tables = records.generate(panel, seed, firms)
    assert {*tables} == {*records.TABLES}
    stock = spillovers.rd_stock(tables["partners"], records.DEPRECIATION).reset_index()
    partners = tables["partners"].merge(stock, on=["country", "year"])
    pools = spillovers.national(spillovers.by_partner(partners))
    values = {
        "count": patents.count(tables["patents"]),
        "breadth": patents.breadth(tables["patents"]),
        "spillover": spillovers.spillover(spillovers.shares(tables["city_trade"]), pools)["spill"],
        "integration": integration(tables["employment"], records.SERVICES, records.CARRY)["share"],
    }
    table = measured.against_panel(panel, {name: (values[name], records.INDICES[name]) for name in records.INDICES})
    return table.assign(apart=table["greatest difference"].astype(float))


@pytest.mark.parametrize("seed", [0, 2023])
def test_measuring_the_records_gives_the_panel_back(seed: int) -> None:
    table = all_measured(PANEL, seed, firms=40)
    active = (PANEL["patents"] > 0).sum()
    assert table["rows compared"].to_dict() == {
        "count": active, "breadth": active, "spillover": PANEL["spill"].notna().sum(),
        "integration": PANEL["conv"].notna().sum(),
    }  # fmt: skip
    assert table.loc[["count", "breadth"], "apart"].tolist() == [0, 0]
    assert table.loc["spillover", "apart"] < 1e-12
    assert table.loc["integration", "apart"] < 1e-5  # half a person in a hundred thousand
    assert (table.loc[["spillover", "integration"], "without record"] == 0).all()


def test_records_depend_on_the_seed_and_not_on_the_order_of_rows() -> None:
    first = records.generate(PANEL, 7, 10)
    again = records.generate(PANEL.sample(frac=1, random_state=3), 7, 10)
    other = records.generate(PANEL, 8, 10)
    for name in records.TABLES:
        pd.testing.assert_frame_equal(first[name], again[name])
        assert not first[name].equals(other[name])


def test_a_firm_has_the_same_patents_whoever_else_is_drawn() -> None:
    few, many = (records.patents(PANEL, 1, firms) for firms in (6, 40))
    kept = many[many["firm"].isin(few["firm"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, kept)


def test_patents_carry_real_main_groups_and_no_symbol_twice() -> None:
    filed = records.patents(PANEL, 1, 40)
    assert set(patents.symbols(filed)["main_group"]) <= set(FIELDS["main_group"])
    codes = filed["ipc"].str.split("; ")
    assert (codes.map(len) == codes.map(set).map(len)).all()
    assert codes.map(len).max() > 2


def test_firms_have_a_home_field() -> None:
    own = patents.symbols(records.patents(PANEL, 1, 40))
    top = own.groupby("firm")["symbol"].agg(lambda s: s.str[:4].value_counts(normalize=True).iloc[0])
    overall = own["symbol"].str[:4].value_counts(normalize=True).iloc[0]
    assert top.mean() > 2 * overall


def test_cities_of_the_panel_hold_less_than_all_trade() -> None:
    shares = spillovers.shares(records.trade(PANEL, 1)[1])
    elsewhere = shares.xs(records.ELSEWHERE, level="city")
    assert (elsewhere > 0).all(axis=None)
    assert elsewhere.min(axis=None) == pytest.approx(1 - records.GREATEST_SHARE)


def test_a_city_seen_only_in_2020_has_a_record_for_2019() -> None:
    late = PANEL[(PANEL["city"] != 110100) | (PANEL["year"] == 2020)]
    jobs = records.employment(late, 1)
    assert jobs.loc[jobs["city"] == 110100, "year"].unique().tolist() == [2019]
    assert jobs["year"].max() == 2019


def test_firms_that_never_patent_leave_no_records() -> None:
    filed = records.patents(PANEL[PANEL["firm"] <= 3], 1, 3)
    assert filed.empty
    assert patents.breadth(filed).empty and patents.width(filed).empty and patents.count(filed).empty


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("ipc_groups", lambda p: p["patents"] - (p["patents"] > 0), "expected between 1 and .* groups for each patent"),
        ("ipc_groups", lambda p: p["patents"] * 1000 + 1, "main groups; expected between 1 and"),
        ("conv", lambda p: -p["conv"], r"conv = -0\.\d+, expected a share"),
        ("conv", lambda p: p["conv"] + 0.01 * (p["year"] == 2020), "conv differs between 2019 and 2020"),
        ("conv", lambda p: p["conv"] + 0.001 * p["firm"], "conv differs between firms, expected one value"),
        ("spill", lambda p: p["spill"] + p["firm"], "spill differs between firms, expected one value"),
    ],
)
def test_a_panel_that_no_records_can_give_is_refused(column: str, change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        records.generate(PANEL.assign(**{column: change(PANEL)}), 1, 40)


@pytest.mark.parametrize("firms", [0, 41])
def test_there_are_only_so_many_firms(firms: int) -> None:
    with pytest.raises(ParameterError, match=rf"firms = {firms}: expected 1 to 40"):
        records.generate(PANEL, 1, firms)


def test_a_panel_without_a_column_is_refused() -> None:
    with pytest.raises(DataError, match="column 'ipc_groups' is missing"):
        records.generate(PANEL.drop(columns="ipc_groups"), 1, 5)


# --- what the page shows ---------------------------------------------------------------------------------------------


def toy_study() -> Study:
    """Return a study of patents with one column; treatment reaches the even firms in 2015."""
    column = Column("1", "y ~ treat_post | firm + year")
    return Study(
        key="toy", title="", title_zh="", authors="", outlet="", unit="firm", time="year",
        years=(2011, 2020), batches=(1,), variables=(), tables=(Table("T1", "03_baseline", "", (column,)),),
        benchmark=("T1", "1"), outcome="y",
    )  # fmt: skip


TREATED = PANEL.assign(treat_post=((PANEL["firm"] % 2 == 0) & (PANEL["year"] >= 2015)).astype(int))


def test_scales_are_estimated_as_the_regression_itself_would() -> None:
    counts = TREATED["patents"]
    table = measured.transformations(toy_study(), TREATED, counts, [1, 10], "iid")
    for kind, function in (("log1p", np.log1p), ("asinh", np.arcsinh)):
        for unit in (1, 10):
            fit = regress("z ~ treat_post | firm + year", TREATED.assign(z=function(unit * counts)), "iid")
            assert table.at[(kind, unit), "estimate"] == pytest.approx(fit.coefficients.at["treat_post", "estimate"])
    logs = table.loc["log of positives", "estimate"]
    assert logs[10] == pytest.approx(logs[1])
    assert table.at[("log of positives", 1), "rows"] < table.at[("log1p", 1), "rows"]
    margin = regress("z ~ treat_post | firm + year", TREATED.assign(z=1.0 * (counts > 0)), "iid")
    step = table.at[("asinh", 10), "predicted"] - table.at[("asinh", 1), "estimate"]
    assert step == pytest.approx(math.log(10) * margin.coefficients.at["treat_post", "estimate"])


def test_the_prediction_is_exact_when_units_are_small() -> None:
    # Chen and Roth (2024): from one large unit to another, only having any patent counts
    table = measured.transformations(toy_study(), TREATED, TREATED["patents"], [1e6, 1e9], "iid")
    for kind in ("log1p", "asinh"):
        assert table.at[(kind, 1e9), "estimate"] == pytest.approx(table.at[(kind, 1e9), "predicted"], abs=1e-5)


def test_a_study_without_records_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ModuleType("pilotzones.studies.toy")
    folder.__path__ = []
    monkeypatch.setitem(sys.modules, folder.__name__, folder)
    assert measured.module(toy_study()) is None
    assert measured.draw(toy_study(), PANEL, "synthetic", 1, 5) == {}


def test_records_of_licensed_data_are_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured.module(load("innovation")) is records
    own = {"patents": pd.DataFrame({"firm": [1], "year": [2015], "symbols": ["G06F 17/30"]})}
    monkeypatch.setattr(licensed, "records", lambda study: own)
    assert measured.draw(load("innovation"), PANEL, "licensed", 1, 5) == own


def test_differences_from_the_panel_are_seen() -> None:
    keys = pd.MultiIndex.from_frame(PANEL[["firm", "year"]])
    values = PANEL["patents"].set_axis(keys).drop([(1, 2012), (2, 2013)])
    values[5, 2015] += 3
    row = measured.against_panel(PANEL, {"count": (values, "patents")}).loc["count"]
    assert row["greatest difference"] == "3.0e+00"
    assert (row["rows compared"], row["without record"]) == (len(PANEL) - 2, 2)
    strangers = values.rename({firm: -firm for firm in range(1, 41)}, level="firm")
    with pytest.raises(DataError, match="no row of the panel has both 'patents' and a measured value"):
        measured.against_panel(PANEL, {"count": (strangers, "patents")})
