"""Treatment timing under every coding rule."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones import policy
from pilotzones.errors import DataError, ParameterError

HANGZHOU, TIANJIN, BEIJING, JINHUA, HAIKOU, BAODING = 330100, 120000, 110000, 330700, 460100, 130600
LAIWU = 371200  # abolished in 2019
YEARS = range(2009, 2024)


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    """Every prefecture in every year."""
    codes = policy.cities()["adcode"]
    return pd.DataFrame(list(itertools.product(codes, YEARS)), columns=["city", "year"])


def at(panel: pd.DataFrame, city: int, column: str = "treat_post") -> list[float]:
    return panel.loc[panel["city"] == city, column].tolist()


def test_approval_year_counts_and_other_batches_are_controls(grid: pd.DataFrame) -> None:
    panel = policy.attach(grid, batches=(1, 2, 3), partial=True)
    assert at(panel, HANGZHOU) == [int(year >= 2015) for year in YEARS]
    assert at(panel, BEIJING) == [int(year >= 2018) for year in YEARS]
    first = panel.drop_duplicates("city").set_index("city")
    assert first.loc[[HANGZHOU, TIANJIN, BEIJING], "cohort"].tolist() == [2015, 2016, 2018]
    later = first[first["batch"] > 3]
    assert len(later) and later["cohort"].isna().all()
    assert panel.groupby("city")["treat_post"].max().sum() == 35
    assert set(panel.loc[panel["cohort"].isna(), "treat_post"]) == {0}


def test_columns_and_rows_are_kept(grid: pd.DataFrame) -> None:
    shuffled = grid.sample(frac=1, random_state=1)
    before = shuffled.copy()
    panel = policy.attach(shuffled, batches=(1,), partial=False)
    pd.testing.assert_frame_equal(shuffled, before)
    pd.testing.assert_frame_equal(panel[["city", "year"]], before)
    assert list(panel)[2:] == ["batch", "cohort", "event_time", "treat_post"]
    event_time = panel["year"] - panel["cohort"]
    pd.testing.assert_series_equal(panel["event_time"], event_time, check_names=False)
    assert ((panel["event_time"] >= 0) == (panel["treat_post"] == 1)).all()


def test_a_zone_smaller_than_its_prefecture() -> None:
    exact, partial = policy.first_batch(partial=False), policy.first_batch(partial=True)
    # Yiwu is a county-level city of Jinhua: batch 3, the whole prefecture only in batch 6
    assert (exact[JINHUA], partial[JINHUA]) == (6, 3)
    assert (exact[BAODING], partial[BAODING]) == (0, 5)
    assert ((partial <= exact) | (exact == 0)).all()
    assert (exact.isin([1, 2, 3, 4])).sum() == 56 and (partial.isin([1, 2, 3, 4])).sum() == 59


@pytest.mark.parametrize(
    ("through", "zones", "same_prefecture_again"),
    [(1, 1, 0), (2, 13, 0), (3, 35, 0), (4, 59, 0), (5, 105, 0), (7, 165, 2)],
)
def test_every_zone_treats_its_prefecture_once(through: int, zones: int, same_prefecture_again: int) -> None:
    # by batch 7 two prefectures had a second zone: Jinhua after Yiwu, Yanji after Hunchun
    assert (policy.first_batch(partial=True, through=through) > 0).sum() == zones - same_prefecture_again


@pytest.mark.parametrize(("through", "smaller"), [(1, 0), (2, 0), (3, 1), (4, 3), (5, 5), (7, 8)])
def test_the_exact_rule_leaves_out_the_smaller_zones(through: int, smaller: int) -> None:
    zones = policy.pilot_zones().query("batch <= @through")
    assert (zones["whole_prefecture"] == 0).sum() == smaller
    assert (policy.first_batch(partial=False, through=through) > 0).sum() == len(zones) - smaller


def test_batch_8_counts_only_when_it_is_asked_for_and_revokes_no_treatment() -> None:
    rows = pd.DataFrame({"city": [HAIKOU, HAIKOU, 460400, 460400, 652700], "year": [2017, 2026, 2024, 2025, 2026]})
    until_7 = policy.attach(rows, batches=range(1, 8), partial=True)
    assert until_7["treat_post"].tolist() == [0, 1, 0, 0, 1]
    assert until_7["batch"].tolist() == [3, 3, 0, 0, 6]
    with_8 = policy.attach(rows, batches=range(1, 9), partial=False)
    assert with_8["treat_post"].tolist() == [0, 1, 0, 1, 1]
    assert with_8["batch"].tolist() == [3, 3, 8, 8, 8]


def test_abolished_prefectures_are_never_treated() -> None:
    panel = policy.attach(pd.DataFrame({"city": [LAIWU], "year": [2018]}), batches=(1, 2, 3), partial=True)
    assert panel[["batch", "treat_post"]].iloc[0].tolist() == [0, 0]


def test_fractional_first_year_of_the_innovation_paper(grid: pd.DataFrame) -> None:
    panel = policy.attach(grid, batches=(1, 2, 3), partial=True)
    panel["treat_post"] = policy.treat_post(panel, first_year={2015: 5 / 6, 2016: 1, 2018: 1 / 2})
    assert at(panel, HANGZHOU) == [0] * 6 + [5 / 6] + [1] * 8
    assert at(panel, TIANJIN) == [0] * 7 + [1] * 8
    assert at(panel, BEIJING) == [0] * 9 + [0.5] + [1] * 5


def test_first_year_from_the_approval_date(grid: pd.DataFrame) -> None:
    panel = policy.attach(grid, batches=policy.BATCHES, partial=True)
    panel["share"] = policy.treat_post(panel, first_year="approval_date")
    # 7 March is day 66 of 2015; 12 January is day 12 of the leap year 2016
    assert at(panel, HANGZHOU, "share")[6] == pytest.approx((365 - 65) / 365)
    assert at(panel, TIANJIN, "share")[7] == pytest.approx((366 - 11) / 366)
    # batches 6 and 7 share the year 2022 but not the date
    assert panel.query("year == 2022 and batch in [6, 7]").groupby("batch")["share"].first().tolist() == pytest.approx(
        [(365 - 21) / 365, (365 - 317) / 365]
    )


def test_one_period(grid: pd.DataFrame) -> None:
    panel = policy.attach(grid, batches=(1, 2, 3), partial=True)
    common = policy.one_period(panel, batches=(1, 2), break_year=2016)
    by_cohort = policy.treat_post(panel.assign(cohort=np.where(panel["batch"].isin([1, 2]), 2016, np.nan)))
    pd.testing.assert_series_equal(common, by_cohort)
    assert panel.loc[common == 1, "city"].nunique() == 13 and panel.loc[common == 1, "year"].min() == 2016


@given(lead=st.integers(0, 6), batches=st.sets(st.sampled_from(policy.BATCHES)))
@settings(deadline=None, max_examples=15)
def test_a_lead_shifts_the_dates(grid: pd.DataFrame, lead: int, batches: set[int]) -> None:
    panel = policy.attach(grid, batches, partial=True)
    later = policy.attach(grid.assign(year=grid["year"] + lead), batches, partial=True)
    assert (policy.treat_post(panel, lead=lead) == later["treat_post"]).all()


@given(batches=st.sets(st.sampled_from(policy.BATCHES[:7])), more=st.sets(st.sampled_from(policy.BATCHES[:7])))
@settings(deadline=None, max_examples=15)
def test_more_batches_never_treat_less_and_partial_never_less_than_exact(
    grid: pd.DataFrame, batches: set[int], more: set[int]
) -> None:
    few, many = (policy.attach(grid, chosen, partial=True)["treat_post"] for chosen in (batches, batches | more))
    assert (few <= many).all()
    everything = set(range(1, 8))
    exact, partial = (policy.attach(grid, everything, partial=rule)["treat_post"] for rule in (False, True))
    assert (exact <= partial).all()


@given(
    shares=st.fixed_dictionaries({year: st.floats(0, 1) for year in (2015, 2016, 2018, 2019, 2020)}),
    lead=st.integers(0, 3),
)
@settings(deadline=None, max_examples=15)
def test_fractions_lie_between_zero_and_one_and_change_only_the_first_year(
    grid: pd.DataFrame, shares: dict[int, float], lead: int
) -> None:
    panel = policy.attach(grid, batches=(1, 2, 3, 4, 5), partial=True)
    whole, share = policy.treat_post(panel, lead=lead), policy.treat_post(panel, lead=lead, first_year=shares)
    assert share.between(0, 1).all() and (share <= whole).all()
    first = panel["year"] == panel["cohort"] - lead
    assert (share[~first] == whole[~first]).all()
    assert (share[first] == panel.loc[first, "cohort"].map(shares)).all()


def test_treatment_is_absorbing(grid: pd.DataFrame) -> None:
    panel = policy.attach(grid, policy.BATCHES, partial=True)
    assert (panel.groupby("city")["treat_post"].diff().dropna() >= 0).all()


@pytest.mark.parametrize("bad", [9, 0, "3", 2015])
def test_an_unknown_batch_is_refused_with_the_allowed_ones(bad: object) -> None:
    with pytest.raises(ParameterError, match=r"batch .* unknown: expected batches from 1, 2, 3, 4, 5, 6, 7, 8"):
        policy.attach(pd.DataFrame({"city": [HANGZHOU], "year": [2015]}), [1, bad], partial=True)  # type: ignore[list-item]


def test_a_code_that_is_no_prefecture_is_refused() -> None:
    rows = pd.DataFrame({"city": [HANGZHOU, 330782], "year": [2015, 2015]}, index=[7, 8])
    with pytest.raises(DataError, match=r"column 'city', row 8: .*330782"):
        policy.attach(rows, (1,), partial=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lead": -1}, "lead = -1"),
        ({"lead": 0.5}, "lead = 0.5"),
        ({"lead": True}, "lead = True"),
        ({"first_year": {2015: 0.5}}, "no value for cohort 2016"),
        ({"first_year": {2015: 0.5, 2016: 1.5}}, r"first_year\[2016\] = 1.5"),
        ({"first_year": "announced"}, "'approval_date'"),
    ],
)
def test_impossible_coding_rules_are_refused(arguments: dict, words: str) -> None:
    rows = pd.DataFrame({"city": [HANGZHOU, TIANJIN], "year": [2015, 2016]})
    with pytest.raises(ParameterError, match=words):
        policy.treat_post(policy.attach(rows, (1, 2), partial=True), **arguments)


def test_missing_columns_are_named() -> None:
    with pytest.raises(DataError, match="'cohort'"):
        policy.treat_post(pd.DataFrame({"year": [2015]}))
    with pytest.raises(DataError, match="'city'"):
        policy.attach(pd.DataFrame({"year": [2015]}), (1,), partial=True)


def test_national_series_and_its_error() -> None:
    assert policy.national_series("internet_penetration_pct")[2015] == 50.3
    with pytest.raises(ParameterError, match="expected one of cny_per_usd_avg_nbs"):
        policy.national_series("internet")


def test_concurrent_policies_by_city() -> None:
    broadband = policy.concurrent("broadband_china")
    assert broadband.index.is_unique and set(broadband) == {2014, 2015, 2016}
    assert broadband[BEIJING] == 2014
    # Chongqing's districts are named one by one; they treat the municipality only when asked
    assert 500000 not in broadband.index
    assert policy.concurrent("broadband_china", mappings=policy.MAPPINGS)[500000] == 2015
    trade = policy.concurrent("free_trade_zone")
    assert trade[310000] == 2013 and trade[HANGZHOU] == 2020 and BAODING not in trade.index
    assert policy.concurrent("free_trade_zone", mappings=["exact"]).index.isin(trade.index).all()


def test_the_launch_year_of_the_guizhou_big_data_zone_is_a_choice() -> None:
    guiyang = 520100
    assert policy.concurrent("big_data_pilot_zone")[guiyang] == 2015
    assert policy.concurrent("big_data_pilot_zone", dated="approval_date")[guiyang] == 2016


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("free trade",), "expected one of big_data_pilot_zone, broadband_china, free_trade_zone"),
        (("free_trade_zone", ["whole"]), "mapping 'whole'"),
        (("free_trade_zone", ["exact"], "year"), "dated = 'year'"),
    ],
)
def test_unknown_policies_are_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        policy.concurrent(*arguments)
