"""Planted mistakes are found, plausible panels are left alone, and neither units nor order of rows matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones import suspicious
from pilotzones.errors import DataError, ParameterError

UNITS, YEARS = range(1001, 1281), range(2010, 2023)
PLANTED = 40


def panel(seed: int, items: int = 1, sd: float = 0.15) -> pd.DataFrame:
    """Return 280 units x 13 years: each item on a scale of its own, growing by 8% a year, sd 0.15, in logs."""
    rng = np.random.default_rng(seed)
    shape = (len(UNITS), len(YEARS), items)
    level = rng.uniform(0, 12, items) + rng.normal(0, 1, (len(UNITS), 1, items))
    values = np.exp(level + rng.normal(0.08, sd, shape).cumsum(axis=1))
    index = pd.MultiIndex.from_product([UNITS, YEARS], names=["unit", "year"])
    return pd.DataFrame(values.reshape(-1, items), index, [f"item {k}" for k in range(items)])


def item(seed: int, sd: float = 0.15) -> pd.Series:
    return panel(seed, sd=sd)["item 0"]


def drawn(seed: int, first: int = 2011, last: int = 2021) -> list[tuple[int, int]]:
    """Return places to plant mistakes at, one per unit."""
    rng = np.random.default_rng(seed)
    units = rng.choice(UNITS, PLANTED, replace=False)
    return list(zip(units.tolist(), rng.integers(first, last + 1, PLANTED).tolist(), strict=True))


def places(found: pd.DataFrame, year: str = "year") -> set[tuple[int, int]]:
    return set(zip(found["unit"], found[year], strict=True))


def series(*values: float, first: int = 2010, unit: int = 1) -> pd.Series:
    index = pd.MultiIndex.from_product([[unit], range(first, first + len(values))], names=["unit", "year"])
    return pd.Series(values, index, name="gdp", dtype=float)


# --- plausible panels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_no_false_alarm_in_plausible_panels(seed: int) -> None:
    """5 x 3640 rows x 8 items, 145,600 values."""
    assert suspicious.all_of(panel(seed, items=8)).empty


# --- jumps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "least"), [(4, 0.95), (1 / 4, 0.85), (1e4, 1), (1e-4, 1)])
def test_jumps_to_another_level_are_found(factor: float, least: float) -> None:
    """Growth of its own hides a few: 4 x 1.08 is far from the threshold of 3, 1.08 / 4 nearer to 1/3."""
    values, planted = item(1), drawn(2)
    for unit, year in planted:
        values.loc[(unit, slice(year, None))] *= factor
    found = places(suspicious.jumps(values))
    assert found <= set(planted)
    assert len(found) >= least * PLANTED


def test_a_jump_by_hand() -> None:
    found = suspicious.jumps(series(10, 11, 36, 35, np.nan, 150, 151))
    assert found.to_dict("list") == {"unit": [1], "year": [2012], "before": [11], "value": [36], "ratio": [36 / 11]}
    assert suspicious.jumps(series(10, 11, 36, 35), factor=3.5).empty
    with pytest.raises(ParameterError, match="factor = 1: expected a number above 1"):
        suspicious.jumps(series(1, 2), factor=1)


def test_pairs_whose_ratio_says_nothing_are_no_jumps() -> None:
    assert suspicious.jumps(series(0, 5.5, 6, 0, -6.5)).empty  # zeros and changes of sign
    assert suspicious.jumps(series(0.1, 0.5, 9.5, 11.5, 12.5, 12.5))["year"].tolist() == [2012]  # starts from nothing
    profits = pd.concat([series(-50.5, 40, 3, 45, 48), series(40.5, 41, 300, 301, 300, unit=2)])
    assert places(suspicious.jumps(profits)) == {(2, 2012)}  # 3 is near zero for unit 1
    assert suspicious.jumps(series(1, 5, 1, 4, 2)).empty  # counts
    assert suspicious.jumps(series(100, 500, 520, 510))["year"].tolist() == [2011]


# --- typing errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [10, 100, 1 / 10, 1 / 100])
def test_digits_too_many_or_too_few_are_found_or_are_jumps(factor: float) -> None:
    """The neighbours must agree within 2, which growth of two years breaks in 1 of 100."""
    clean, planted = item(3), drawn(4)
    values = clean.copy()
    values.loc[planted] *= factor
    found = suspicious.typos(values)
    jumped = places(suspicious.jumps(values))
    assert places(found) <= set(planted)
    assert len(found) >= 0.95 * PLANTED
    assert all(place in places(found) or place in jumped for place in planted)
    assert not jumped & {(unit, year + k) for unit, year in places(found) for k in (0, 1)}
    np.testing.assert_allclose(found["likely"], clean.loc[list(zip(found["unit"], found["year"], strict=True))])


def test_a_typo_by_hand() -> None:
    values = series(120.3, 1256, 130.1, 129.9, 1.283, 131.5)
    found = suspicious.typos(values)
    assert places(found) == {(1, 2011), (1, 2014)}
    assert found[["before", "value", "after"]].to_numpy().tolist() == [[120.3, 1256, 130.1], [129.9, 1.283, 131.5]]
    assert found["likely"].tolist() == pytest.approx([125.6, 128.3])
    assert suspicious.jumps(values).empty
    for jumped in (
        series(120.3, 1256, 1301, 1299),
        series(100.5, 1600, 101),  # sixteen times is not about ten times
        series(100, 1450.5, 205),  # neighbours that differ by 2.05
    ):
        assert suspicious.typos(jumped).empty and len(suspicious.jumps(jumped)) > 0
    assert suspicious.typos(series(100.5, 1430, 195))["likely"].tolist() == [143]  # 14 and 7 times, in the mean 10
    assert suspicious.typos(series(1203.3, np.nan, 12560, np.nan, 1301)).empty  # no neighbours
    assert suspicious.typos(series(1256.5, 120, 121)).empty and len(suspicious.jumps(series(1256.5, 120, 121))) == 1


# --- re-based series -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.7, 1 / 1.7, 2.5, 1e4, 1e-4])
def test_a_new_base_is_found_and_is_no_jump_of_everybody(factor: float) -> None:
    values = item(5)
    values[values.index.get_level_values("year") >= 2017] *= factor
    found = suspicious.rebased(values)
    assert found["year"].tolist() == [2017]
    assert found["factor"].item() == pytest.approx(factor * 1.08, rel=0.05)
    assert found["usual"].item() == pytest.approx(1.08, rel=0.05)
    assert found["share"].item() > 0.8
    assert len(suspicious.jumps(values)) <= 0.02 * len(UNITS)
    assert suspicious.typos(values).empty


@pytest.mark.parametrize("factor", [10, 1e-4])
def test_one_sheet_in_another_unit_is_found_twice_and_mistakes_beside_it_as_well(factor: float) -> None:
    values = item(6)
    values[values.index.get_level_values("year") == 2015] *= factor
    values.loc[(1050, slice(2018, None))] *= 20
    values.loc[(1051, 2015)] *= 20
    assert suspicious.rebased(values)["year"].tolist() == [2015, 2016]
    assert suspicious.typos(values).empty
    assert places(suspicious.jumps(values)) == {(1050, 2018), (1051, 2015), (1051, 2016)}


def test_units_that_do_not_share_a_new_base_are_no_jumps_either() -> None:
    values = item(7)
    years, units = values.index.get_level_values("year"), values.index.get_level_values("unit")
    values[(years >= 2016) & (units < 1200)] *= 1e4
    found = suspicious.rebased(values)
    assert found["year"].tolist() == [2016]
    assert found["share"].item() == pytest.approx(199 / 280, abs=0.02)
    assert suspicious.jumps(values).empty
    values.loc[(1100, slice(2012, None))] *= 20  # before the new base, where all values are small beside the median
    assert places(suspicious.jumps(values)) == {(1100, 2012)}


def test_growth_that_is_usual_and_few_units_are_no_new_base() -> None:
    doubling = np.arange(len(YEARS))[None] * np.log(2) + np.zeros((len(UNITS), 1))
    assert suspicious.rebased(item(8) * np.exp(doubling).ravel()).empty
    few = item(9)
    few[few.index.get_level_values("year") >= 2017] *= 100
    assert suspicious.rebased(few.loc[1001:1009]).empty and len(suspicious.rebased(few.loc[1001:1010])) == 1
    half = item(9)
    half[(half.index.get_level_values("year") >= 2017) & (half.index.get_level_values("unit") % 20 < 11)] *= 100
    assert suspicious.rebased(half).empty and len(suspicious.jumps(half)) == 0.55 * len(UNITS)


# --- copied and interpolated years -----------------------------------------------------------------------------------


def test_copied_and_interpolated_years_are_found_to_the_year() -> None:
    values, planted = item(10), drawn(11, last=2018)
    for unit, year in planted[::2]:
        values.loc[(unit, slice(year, year + 3))] = values.loc[(unit, year)]
    for unit, year in planted[1::2]:
        ends = values.loc[(unit, year)], values.loc[(unit, year + 4)]
        values.loc[(unit, slice(year, year + 4))] = np.linspace(*ends, 5)
    found = suspicious.stuck(values)
    repeated, line = (found[found["kind"] == kind] for kind in ("repeated", "straight line"))
    assert places(repeated, "first") == set(planted[::2]) and (repeated["last"] - repeated["first"] == 3).all()
    assert places(line, "first") == set(planted[1::2]) and (line["last"] - line["first"] == 4).all()


def test_what_stays_by_itself_is_not_copied() -> None:
    assert suspicious.stuck(series(0, 0, 0, 0, 0, 0, 1.5)).empty
    assert suspicious.stuck(series(7.5, 7.5, 7.5, np.nan, 7.5, 7.5)).empty
    assert suspicious.stuck(series(10.5, 11.5, 12.5, 13.5, 17.1)).empty
    assert suspicious.stuck(series(3, 3, 3, 3, 4, 5, 6, 7, 8)).empty  # universities
    found = suspicious.stuck(series(16410, 16410, 16410, 16410, 16500, 16590, 16680, 16770))
    assert found["kind"].tolist() == ["repeated", "straight line"]
    assert found[["first", "last"]].to_numpy().tolist() == [[2010, 2013], [2013, 2017]]


# --- shifted rows ----------------------------------------------------------------------------------------------------


def moved(frame: pd.DataFrame, planted: list[tuple[int, int]], move: int) -> pd.DataFrame:
    frame = frame.copy()
    for place in planted:
        frame.loc[place] = frame.loc[place].shift(move).to_numpy()
    return frame


@pytest.mark.parametrize(("items", "sd", "least"), [(8, 0.15, 0.9), (30, 0.15, 1), (30, 0.5, 0.95)])
@pytest.mark.parametrize(("move", "direction"), [(1, "right"), (-1, "left")])
def test_rows_moved_by_one_column_are_found(items: int, sd: float, least: float, move: int, direction: str) -> None:
    planted = drawn(13, first=2010, last=2022)
    found = suspicious.shifted(moved(panel(12, items, sd), planted, move))
    assert places(found) <= set(planted)
    assert len(found) >= least * PLANTED
    assert set(found["direction"]) == {direction} and found["columns"].between(4, items - 1).all()


def test_other_mistakes_are_no_shifted_rows() -> None:
    frame, planted = panel(14, items=12), drawn(15)
    other = frame.copy()
    for number, place in enumerate(planted):
        other.loc[place] *= 100 if number % 2 else 0.1
    assert suspicious.shifted(other).empty
    assert suspicious.shifted(moved(frame, planted, 1).iloc[:, :4]).empty  # four columns are too few
    steady = pd.concat({f"item {k}": series(*[10.0**k] * 5) for k in range(8)}, axis=1)
    steady.loc[(1, 2012)] *= 3.5  # nearer to the next item than to its own, but not far nearer
    assert suspicious.shifted(steady).empty


def test_part_of_a_row_is_enough() -> None:
    frame = panel(16, items=12)
    frame.loc[(1100, 2015), "item 4":] = frame.loc[(1100, 2015), "item 4":].shift(1).to_numpy()
    assert places(suspicious.shifted(frame)) == {(1100, 2015)}


# --- everything together ---------------------------------------------------------------------------------------------


def test_each_mistake_has_one_name_and_the_rest_is_counted() -> None:
    frame = moved(panel(17, items=10), [(1200, 2014)], 1)
    frame.loc[(frame.index.get_level_values("year") >= 2018), "item 1"] *= 1e4
    typed, jumped = [(unit, 2016) for unit in range(1010, 1015)], (1030, 2012)
    frame.loc[typed, "item 2"] = 10 * np.sqrt(  # neighbours that agree, whatever the growth was
        frame.loc[[(u, 2015) for u, _ in typed], "item 2"].to_numpy()
        * frame.loc[[(u, 2017) for u, _ in typed], "item 2"].to_numpy()
    )
    for unit, _ in typed:
        frame.loc[(unit, 2015), "item 2"] = frame.loc[(unit, 2017), "item 2"] = frame.loc[(unit, 2016), "item 2"] / 10
    frame.loc[(jumped[0], slice(jumped[1], None)), "item 3"] *= 25
    frame.loc[(1040, slice(2013, 2016)), "item 4"] = 123.5
    found = suspicious.all_of(frame)
    assert list(found) == ["item", "unit", "year", "kind", "words"]
    lines = found.drop(columns="words").astype(object).where(found.notna(), None).to_numpy().tolist()
    assert ["", 1200, 2014, "shifted row"] in lines
    assert ["item 1", None, 2018, "re-based"] in lines
    assert [line for line in lines if line[0] == "item 2"] == [
        ["item 2", 1010, 2016, "typing error"], ["item 2", 1011, 2016, "typing error"],
        ["item 2", 1012, 2016, "typing error"], ["item 2", None, None, "typing error"],
    ]  # fmt: skip
    assert found.loc[found["unit"].isna() & found["year"].isna(), "words"].tolist() == ["and 2 more"]
    assert ["item 3", 1030, 2012, "jump"] in lines
    assert ["item 4", 1040, 2013, "repeated"] in lines
    assert not any(line[1] == 1200 and line[3] in ("jump", "typing error") for line in lines)
    assert "123.5 in every year from 2013 to 2016" in found.set_index("kind").at["repeated", "words"]
    assert len(suspicious.all_of(frame, worst=9)) == len(found) + 1  # two places instead of one count


@settings(max_examples=15, deadline=None)
@given(power=st.integers(-8, 8), seed=st.integers(0, 1000), rotate=st.integers(1, 500))
def test_neither_the_unit_of_measurement_nor_the_order_of_rows_matters(power: int, seed: int, rotate: int) -> None:
    values = item(18, sd=0.5)
    values = values.drop([*values.index[rotate::97]])  # gaps
    for function in (suspicious.jumps, suspicious.typos, suspicious.rebased, suspicious.stuck):
        columns = ["year"] if function is suspicious.rebased else ["unit"]
        ours = function(values)
        again = function(values.sample(frac=1, random_state=seed) * 2.0**power)
        assert len(ours) == len(again) and (ours[columns] == again[columns]).all(axis=None)


@pytest.mark.parametrize(
    "values",
    [
        series(),
        series(1.5),
        series(1.5, 30.0),
        series(np.nan, np.nan, np.nan),
        series(0, 0, 0, 0),
        series(np.inf, 1.5, -np.inf, 2.5),
        series(1e-300, 1e300, 1.5, -1e308),
        series(1, 2, 3).astype("Int64").mask([False, True, False]),
    ],
)
def test_little_or_odd_data_is_no_error(values: pd.Series) -> None:
    frame = pd.concat({k: values for k in "abcdef"}, axis=1)
    assert suspicious.all_of(frame)["kind"].isin(["jump", "re-based"]).all()


def test_bad_input_gets_one_clear_error() -> None:
    good = series(1.5, 2.5)
    bad_year = good.rename(index={2011: 20110}, level=1)
    missing = good.set_axis(pd.MultiIndex.from_tuples([(1, 2010), (None, 2011)], names=["unit", "year"]))
    named = good.rename(index={1: "Hangzhou"}, level=0)
    for values, message in (
        (pd.concat([good, good]), "column 'gdp', unit 1, year 2010: a second row; expected one"),
        (good.astype(str), "column 'gdp': type str, expected numbers"),
        (good.droplevel(0), "column 'gdp': index year; expected unit and year, whole numbers"),
        (named, "expected unit and year, whole numbers"),
        (missing, "expected unit and year, whole numbers"),
        (bad_year, "column 'gdp': year 20110, expected 1900 to 2100"),
    ):
        for function in (suspicious.jumps, suspicious.typos, suspicious.rebased, suspicious.stuck):
            with pytest.raises(DataError, match=message):
                function(values)
    with pytest.raises(DataError, match="column 'gdp' stands twice; expected once"):
        suspicious.all_of(pd.concat([good, good], axis=1))
