"""Composite indices against other packages, 50-digit arithmetic, hand-made examples and their own invariances.

``reference/composite_indicators.csv`` is invented; ``reference/composite_reference.csv`` holds what crispyn 0.0.7,
pymcdm 1.4.0 and inequality 1.1.2 make of it (column ``reference``), on pymcdm's min-max scales, ``unemployed`` and
``trade_share`` counted as negative. pymcdm's entropy needs positive values, so it is compared on shifted scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.multivariate.pca import PCA

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures import composite

FOLDER = Path(__file__).parent / "reference"
PANEL = pd.read_csv(FOLDER / "composite_indicators.csv", index_col=["city", "year"])
REFERENCE = pd.read_csv(FOLDER / "composite_reference.csv")
NEGATIVE = ["unemployed", "trade_share"]
SCALED = composite.standardise(PANEL, NEGATIVE)


def reference(package: str, variant: str, quantity: str) -> pd.Series:
    rows = REFERENCE[REFERENCE["reference"].str.startswith(package)]
    rows = rows[(rows["variant"] == variant) & (rows["quantity"] == quantity)]
    assert len(rows)
    return rows.set_index("term")["value"]


def entropy_weights(standardised: pd.DataFrame) -> pd.Series:
    return composite.entropy(standardised)["weight"]


def assert_close(found: pd.Series, expected: pd.Series, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found.to_numpy(float), expected.to_numpy(float), rtol=0, atol=tolerance)


# --- other implementations -------------------------------------------------------------------------------------------


def test_pooled_weights_are_those_of_crispyn() -> None:
    expected = reference("crispyn", "pooled", "weight")
    assert list(expected.index) == list(PANEL)
    assert_close(entropy_weights(SCALED), expected)


def test_weights_by_year_are_those_of_crispyn() -> None:
    years = PANEL.index.get_level_values("year").to_series(PANEL.index)
    weights = composite.entropy_by(SCALED, years)
    assert weights.index.name == "year" and list(weights.index) == [2010, 2013, 2016, 2019]
    for year in weights.index:
        assert_close(weights.loc[year], reference("crispyn", f"year {year}", "weight"))


@pytest.mark.parametrize("shift", [0.0001, 0.01, 1.0])
def test_weights_of_shifted_scales_are_those_of_pymcdm(shift: float) -> None:
    shifted = composite.standardise(PANEL, NEGATIVE, shift=shift)
    assert_close(entropy_weights(shifted), reference("pymcdm", f"shift {shift:g}", "weight"))


def test_divergence_is_the_theil_index_of_inequality_over_ln_n() -> None:
    divergence = composite.entropy(SCALED)["divergence"]
    assert_close(divergence * math.log(len(PANEL)), reference("inequality", "pooled", "theil"))


@pytest.mark.parametrize(
    ("variant", "weigh"),
    [("entropy weights", entropy_weights), ("equal weights", composite.equal_weights)],
)
def test_topsis_and_weighted_sum_are_those_of_pymcdm(variant: str, weigh: Callable) -> None:
    weights = weigh(SCALED)
    closeness = composite.topsis(SCALED, weights)
    assert list(closeness) == ["to_best", "to_worst", "closeness"]
    labels = [f"{city} {year}" for city, year in PANEL.index]
    for quantity in closeness:
        assert_close(closeness[quantity], reference("pymcdm", variant, quantity)[labels])
    total = composite.weighted_sum(SCALED, weights)
    assert_close(total, reference("pymcdm", variant, "weighted_sum")[labels])


def test_weights_agree_with_plain_python_in_50_digits() -> None:
    with localcontext() as context:
        context.prec = 50
        divergence = []
        for name in PANEL:
            column = [Decimal(repr(value)) for value in PANEL[name].tolist()]
            low, high = min(column), max(column)
            scaled = [(high - x if name in NEGATIVE else x - low) / (high - low) for x in column]
            mean = sum(scaled) / len(scaled)
            theil = sum(x / mean * (x / mean).ln() for x in scaled if x) / len(scaled)
            divergence.append(theil / Decimal(len(scaled)).ln())
        weights = [float(g / sum(divergence)) for g in divergence]
    found = composite.entropy(SCALED)
    np.testing.assert_allclose(found["divergence"], [*map(float, divergence)], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found["weight"], weights, rtol=0, atol=1e-14)


def test_first_component_is_that_of_statsmodels() -> None:
    loadings = PCA(SCALED.to_numpy(), ncomp=1, standardize=False).loadings[:, 0]
    found = composite.first_component(SCALED)
    np.testing.assert_allclose(found, loadings / loadings.sum(), rtol=0, atol=1e-12)
    assert (found < 0).any()  # a place with many unemployed is large: the reference panel has a negative loading
    index = composite.weighted_sum(SCALED, found)
    assert abs(index.corr(SCALED["gdp_per_head"])) > 0.5


# --- by hand ---------------------------------------------------------------------------------------------------------

SMALL = pd.DataFrame({"gdp": [1.0, 2.0, 5.0], "unemployed": [3.0, 1.0, 2.0]}, index=["a", "b", "c"])


def test_three_rows_and_two_indicators_by_hand() -> None:
    scaled = composite.standardise(SMALL, ["unemployed"])
    assert scaled.to_dict("list") == {"gdp": [0, 0.25, 1], "unemployed": [0, 1, 0.5]}
    assert composite.bounds(SMALL).to_dict("list") == {"min": [1, 1], "max": [5, 3]}
    ln = math.log
    entropy = [-(0.2 * ln(0.2) + 0.8 * ln(0.8)) / ln(3), -(2 / 3 * ln(2 / 3) + 1 / 3 * ln(1 / 3)) / ln(3)]
    found = composite.entropy(scaled)
    assert found["entropy"].tolist() == pytest.approx(entropy, abs=1e-15)
    assert found["divergence"].tolist() == pytest.approx([1 - e for e in entropy], abs=1e-15)
    share = (1 - entropy[0]) / (2 - sum(entropy))
    assert found["weight"].tolist() == pytest.approx([share, 1 - share], abs=1e-15)
    total = composite.weighted_sum(scaled, found["weight"])
    assert total.tolist() == pytest.approx([0, 0.25 * share + 1 - share, share + 0.5 * (1 - share)])
    table = composite.topsis(scaled, composite.equal_weights(scaled))  # weighted: 0, 0; 1/8, 1/2; 1/2, 1/4
    assert table["to_best"].tolist() == pytest.approx([math.sqrt(1 / 2), 3 / 8, 1 / 4])
    assert table["to_worst"].tolist() == pytest.approx([0, math.sqrt(17) / 8, math.sqrt(5) / 4])
    s, t = math.sqrt(17), math.sqrt(5)
    assert table["closeness"].tolist() == pytest.approx([0, s / (s + 3), t / (t + 1)])


def test_a_shift_moves_every_value() -> None:
    plain, shifted = (composite.standardise(SMALL, ["unemployed"], shift=shift) for shift in (0, 0.01))
    pd.testing.assert_frame_equal(shifted, plain + 0.01)


def test_given_bounds_let_values_leave_the_scale_and_save_the_others() -> None:
    fixed = composite.bounds(SMALL)
    raised = SMALL.copy()
    raised.loc["c", "gdp"] = 9.0
    with_fixed = composite.standardise(raised, ["unemployed"], bounds=fixed)
    assert with_fixed.at["c", "gdp"] == 2
    others = composite.standardise(SMALL, ["unemployed"]).loc[["a", "b"]]
    pd.testing.assert_frame_equal(with_fixed.loc[["a", "b"]], others)
    assert composite.standardise(raised, ["unemployed"]).at["b", "gdp"] == 0.125  # own bounds: b falls from 0.25
    one = composite.standardise(SMALL.loc[["b"]], ["unemployed"], bounds=fixed)
    pd.testing.assert_frame_equal(one, others.loc[["b"]])


def test_fixed_ideal_points_save_the_others() -> None:
    weights = pd.Series({"gdp": 0.5, "unemployed": 0.5})
    scaled = composite.standardise(SMALL)
    ideal = (scaled.max() * weights, scaled.min() * weights)
    pd.testing.assert_frame_equal(composite.topsis(scaled, weights, ideal), composite.topsis(scaled, weights))
    pd.testing.assert_frame_equal(
        composite.topsis(scaled.iloc[:1], weights, ideal), composite.topsis(scaled, weights).iloc[:1]
    )


def test_incomplete_rows_are_missing_and_count_for_nothing() -> None:
    holes = PANEL.astype(float).copy()
    holes.iloc[3, 0] = np.nan
    holes.iloc[10, 1:] = np.nan
    holes.iloc[10, 0] = 1e9  # no maximum: its row is incomplete
    gone = holes.index[[3, 10]]
    kept = PANEL.drop(gone)
    found, expected = composite.standardise(holes, NEGATIVE), composite.standardise(kept, NEGATIVE)
    assert found.index.equals(PANEL.index) and found.loc[gone].isna().all(axis=None)
    pd.testing.assert_frame_equal(found.drop(gone), expected)
    pd.testing.assert_frame_equal(composite.bounds(holes), composite.bounds(kept.astype(float)))
    pd.testing.assert_frame_equal(composite.entropy(found), composite.entropy(expected))
    pd.testing.assert_series_equal(composite.first_component(found), composite.first_component(expected))
    weights = entropy_weights(expected)
    for index in (composite.weighted_sum, composite.topsis):
        assert index(found, weights).loc[gone].isna().all(axis=None)
        np.testing.assert_array_equal(index(found, weights).drop(gone), index(expected, weights))
    partly = composite.standardise(PANEL, NEGATIVE)  # one value missing where the scale's best stood
    partly.loc[partly["patents"].idxmax(), "unemployed"] = np.nan
    pd.testing.assert_frame_equal(
        composite.topsis(partly, weights).dropna(), composite.topsis(partly.dropna(), weights)
    )
    pd.testing.assert_frame_equal(composite.dominance(holes, NEGATIVE), composite.dominance(kept, NEGATIVE))


def test_whole_numbers_flags_and_nullable_types_are_numbers() -> None:
    typed = SMALL.assign(zone=[True, False, True]).astype({"gdp": "int64", "unemployed": "Int64"})
    plain = SMALL.assign(zone=[1.0, 0.0, 1.0])
    pd.testing.assert_frame_equal(composite.standardise(typed), composite.standardise(plain))


def test_each_indicator_is_left_out_in_turn() -> None:
    def index(standardised: pd.DataFrame) -> pd.Series:
        return composite.topsis(standardised, entropy_weights(standardised))["closeness"]

    table = composite.without_each(SCALED, index)
    assert list(table) == list(PANEL)
    others = composite.standardise(PANEL.drop(columns="patents"), NEGATIVE)
    pd.testing.assert_series_equal(table["patents"], index(others), check_names=False)


# --- one dominating row ----------------------------------------------------------------------------------------------


def test_an_outlier_is_named_with_what_hangs_on_it() -> None:
    wild = PANEL.astype(float).copy()
    wild.loc[(650100, 2019), "gdp_per_head"] = 5e6
    table = composite.dominance(wild, NEGATIVE)
    row = table.loc["gdp_per_head"]
    assert row["row"] == (650100, 2019) and row["value"] == 5e6
    assert row["quantile"] == PANEL["gdp_per_head"].drop((650100, 2019)).max()
    low = PANEL["gdp_per_head"].drop((650100, 2019)).min()
    assert row["beyond"] == pytest.approx((5e6 - row["quantile"]) / (5e6 - low))
    without = composite.entropy(composite.standardise(wild.drop((650100, 2019)), NEGATIVE))
    assert row["weight"] == entropy_weights(composite.standardise(wild, NEGATIVE))["gdp_per_head"]
    assert row["weight_without"] == pytest.approx(without.at["gdp_per_head", "weight"], abs=1e-15)
    assert row["weight"] > 0.4 and row["weight_without"] < 0.2 and row["divergence_share"] > 0.7
    others = table.drop("gdp_per_head")
    assert (others["beyond"] < row["beyond"]).all()


def test_an_outlier_at_the_good_end_of_a_negative_indicator_is_found() -> None:
    values = pd.DataFrame({"unemployed": [900.0, 910.0, 905.0, 1.0, 920.0], "gdp": [1.0, 2.0, 3.0, 4.0, 5.0]})
    row = composite.dominance(values, ["unemployed"]).loc["unemployed"]
    assert (row["row"], row["value"], row["quantile"]) == (3, 1, 900)
    assert row["divergence_share"] > 0
    worse = composite.dominance(values.assign(unemployed=[9.0, 10, 5, 9e3, 7]), ["unemployed"]).loc["unemployed"]
    assert (worse["row"], worse["quantile"]) == (3, 10)
    assert worse["divergence_share"] < 0 and worse["weight_without"] > worse["weight"]  # it hid the indicator


def test_a_flag_that_one_row_has_owes_it_everything() -> None:
    table = composite.dominance(SMALL.assign(platform=[0, 0, 1]))
    row = table.loc["platform"]
    assert (row["row"], row["divergence_share"], row["weight_without"]) == ("c", 1, 0)


def test_the_quantile_is_observed_and_leaves_one_row_in_a_thousand_above() -> None:
    values = pd.DataFrame({"x": np.arange(3000.0) ** 2, "y": np.arange(3000.0)})
    row = composite.dominance(values).loc["x"]
    assert row["quantile"] == 2996.0**2 and row["row"] == 2999


# --- properties ------------------------------------------------------------------------------------------------------


@st.composite
def panels(draw: st.DrawFn, width: int | None = None) -> pd.DataFrame:
    """Draw 3 to 12 rows of 2 to 4 whole-number indicators that vary."""
    rows, columns = draw(st.integers(3, 12)), width or draw(st.integers(2, 4))
    column = st.lists(st.integers(0, 1000), min_size=rows, max_size=rows).filter(lambda x: len(set(x)) > 1)
    return pd.DataFrame({f"x{j}": draw(column) for j in range(columns)}, dtype=float)


def index_of(panel: pd.DataFrame, negative: list[str]) -> pd.DataFrame:
    scaled = composite.standardise(panel, negative)
    weights = entropy_weights(scaled)
    return composite.topsis(scaled, weights).assign(total=composite.weighted_sum(scaled, weights))


quick = settings(max_examples=60, deadline=None)


@quick
@given(panels(), st.sampled_from([0, 1e-4, 0.01, 1]))
def test_weights_are_shares_of_one_and_indices_stay_in_range(panel: pd.DataFrame, shift: float) -> None:
    scaled = composite.standardise(panel, ["x1"], shift=shift)
    table = composite.entropy(scaled)
    assert table["weight"].sum() == pytest.approx(1, abs=1e-12)
    assert (table["weight"] >= 0).all() and table["entropy"].between(0, 1).all()
    assert composite.topsis(scaled, table["weight"])["closeness"].between(0, 1).all()
    assert composite.weighted_sum(scaled, table["weight"]).between(shift - 1e-12, 1 + shift + 1e-12).all()
    assert composite.equal_weights(scaled).sum() == pytest.approx(1, abs=1e-12)


@quick
@given(panels(), st.lists(st.sampled_from([0.001, 0.01, 7, 1e4]), min_size=4), st.integers(-100, 100))
def test_units_do_not_matter(panel: pd.DataFrame, factors: list[float], origin: int) -> None:
    other = panel * factors[: panel.shape[1]] + origin
    np.testing.assert_allclose(index_of(other, ["x1"]), index_of(panel, ["x1"]), rtol=0, atol=1e-9)


@quick
@given(panels())
def test_less_of_a_negative_indicator_is_more_of_its_opposite(panel: pd.DataFrame) -> None:
    opposite = index_of(panel.assign(x0=-panel["x0"]), [])
    np.testing.assert_allclose(index_of(panel, ["x0"]), opposite, rtol=0, atol=1e-12)


@quick
@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(panel: pd.DataFrame, random) -> None:
    rows, columns = random.sample([*panel.index], len(panel)), random.sample([*panel], panel.shape[1])
    pd.testing.assert_frame_equal(index_of(panel.loc[rows, columns], ["x1"]).loc[panel.index], index_of(panel, ["x1"]))
    backwards = entropy_weights(composite.standardise(panel))[::-1]
    pd.testing.assert_series_equal(
        composite.weighted_sum(composite.standardise(panel), backwards),
        composite.weighted_sum(composite.standardise(panel), backwards[::-1]),
    )


@quick
@given(panels(), st.data())
def test_more_of_a_good_never_lowers_and_more_of_a_bad_never_raises(panel: pd.DataFrame, data: st.DataObject) -> None:
    scaled = composite.standardise(panel, ["x1"])
    weights = entropy_weights(scaled)
    ideal = (scaled.max() * weights, scaled.min() * weights)
    row, column = data.draw(st.sampled_from([*panel.index])), data.draw(st.sampled_from([*panel]))
    raised = panel.copy()
    raised.at[row, column] = data.draw(st.floats(panel.at[row, column], panel[column].max()))
    after = composite.standardise(raised, ["x1"], bounds=composite.bounds(panel))
    sign = -1 if column == "x1" else 1
    rise = composite.weighted_sum(after, weights) - composite.weighted_sum(scaled, weights)
    closer = composite.topsis(after, weights, ideal)["closeness"] - composite.topsis(scaled, weights)["closeness"]
    for change in (rise, closer):
        assert sign * change[row] >= -1e-12
        assert (change.drop(row) == 0).all()


@quick
@given(panels(width=2), st.data())
def test_a_mean_preserving_spread_raises_divergence(panel: pd.DataFrame, data: st.DataObject) -> None:
    poor, rich = panel["x0"].idxmin(), panel["x0"].idxmax()
    assume(panel.at[poor, "x0"] >= 1)
    moved = data.draw(st.floats(1, panel.at[poor, "x0"]))
    spread = panel.copy()
    spread.loc[[poor, rich], "x0"] += [-moved, moved]
    before, after = (composite.entropy(frame).loc["x0"] for frame in (panel, spread))
    assert after["divergence"] > before["divergence"] and after["weight"] >= before["weight"]


@quick
@given(panels())
def test_every_row_twice_leaves_inequality_and_weights(panel: pd.DataFrame) -> None:
    twice = pd.concat([panel, panel], ignore_index=True)
    once, double = (composite.entropy(composite.standardise(frame)) for frame in (panel, twice))
    n = len(panel)
    assert_close(double["divergence"] * math.log(2 * n), once["divergence"] * math.log(n))  # Theil's index
    assert_close(double["weight"], once["weight"])


# --- bad input -------------------------------------------------------------------------------------------------------


def put(row: int, column: str, value: float) -> pd.DataFrame:
    changed = PANEL.astype(float).copy()
    changed.iloc[row, changed.columns.get_loc(column)] = value
    return changed


@pytest.mark.parametrize(
    ("indicators", "message"),
    [
        (PANEL.assign(patents=7), "indicator 'patents': 7.0 in every complete row; a constant has no scale or weight"),
        (PANEL.assign(patents=[0.3, 0.1 + 0.2] * 16), "indicator 'patents': 0.3 in every complete row"),
        (PANEL.assign(patents=np.nan), "indicator 'patents': all 32 values are missing"),
        (PANEL.assign(patents=None), "indicator 'patents': all 32 values are missing"),
        (PANEL.assign(patents="12"), "indicator 'patents': type .*, expected numbers"),
        (put(5, "patents", np.inf), "indicator 'patents', city 120000, year 2013: inf, expected a finite number"),
        (put(5, "patents", -np.inf), "indicator 'patents', city 120000, year 2013: -inf, expected a finite number"),
        (pd.concat([PANEL, PANEL.iloc[[4]]]), "indicators, city 120000, year 2010: a second row; expected one"),
        (PANEL.iloc[:1], "indicators: 1 of 1 rows are complete; expected at least 2"),
        (PANEL.iloc[:0], "indicator 'patents': all 0 values are missing"),
        (PANEL[["patents", "patents"]], "columns .*'patents', 'patents'.*; expected one or more, each once"),
        (PANEL[[]], r"columns \[\]; expected one or more"),
        (pd.DataFrame({"x": [1, 2, np.nan], "y": [np.nan, 1, 2]}), "1 of 3 rows are complete; expected at least 2"),
        (pd.DataFrame({"x": [1, 2, np.inf]}), "indicator 'x', row 2: inf, expected a finite number"),
    ],
)
def test_indicators_that_give_no_index_are_refused_everywhere(indicators: pd.DataFrame, message: str) -> None:
    for measure in (
        composite.check_indicators,
        composite.bounds,
        composite.standardise,
        composite.entropy,
        composite.first_component,
        composite.dominance,
    ):
        with pytest.raises(DataError, match=message):
            measure(indicators)


def test_a_share_is_at_least_zero() -> None:
    composite.check_indicators(PANEL, ["trade_share"])
    below = put(6, "trade_share", -0.2)
    composite.check_indicators(below)
    with pytest.raises(DataError, match=r"'trade_share', city 120000, year 2016: -0\.2, expected at least 0"):
        composite.check_indicators(below, ["trade_share"])
    with pytest.raises(ParameterError, match="shares: 'tarde' is no indicator; expected some of patents, gdp_per_head"):
        composite.check_indicators(PANEL, ["tarde"])


def test_a_negative_indicator_must_exist() -> None:
    for measure in (composite.standardise, composite.dominance):
        with pytest.raises(ParameterError, match="negative: 'unemployment' is no indicator; expected some of patents"):
            measure(PANEL, ["unemployment"])


@pytest.mark.parametrize("shift", [-0.01, 1.5, np.nan, np.inf])
def test_a_shift_is_small(shift: float) -> None:
    with pytest.raises(ParameterError, match=rf"shift = {shift!r}: expected 0 to 1"):
        composite.standardise(PANEL, shift=shift)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.drop("patents"), "bounds of 'patents': min nan, max nan; expected numbers, min < max"),
        (lambda b: b.assign(max=b["min"]), "bounds of 'patents': min 0.0, max 0.0"),
        (lambda b: b.assign(max=np.inf), "bounds of 'patents': min 0.0, max inf"),
        (lambda b: b[["min"]], "bounds of 'patents': min 0.0, max nan"),
    ],
)
def test_bounds_that_are_no_scale_are_refused(change: Callable, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        composite.standardise(PANEL, bounds=change(composite.bounds(PANEL)))


def test_entropy_takes_no_negative_values() -> None:
    beyond = composite.standardise(put(5, "patents", -10), NEGATIVE, bounds=composite.bounds(PANEL))
    with pytest.raises(DataError, match=r"'patents', city 120000, year 2013: -0\.\d+, expected at least 0"):
        composite.entropy(beyond)


def test_groups_without_weights_are_named() -> None:
    years = PANEL.index.get_level_values("year").to_series(PANEL.index)
    flag = SCALED.assign(patents=np.where(years > 2010, SCALED["patents"], 0))
    with pytest.raises(DataError, match=r"year 2010: indicator 'patents': 0\.0 in every complete row"):
        composite.entropy_by(flag, years)
    for wrong in (years[::-1], years.reset_index(drop=True), years.where(years > 2010)):
        with pytest.raises(DataError, match="groups 'year': expected one for each row of the indicators"):
            composite.entropy_by(SCALED, wrong)


EQUAL = composite.equal_weights(SCALED)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (EQUAL.drop("patents"), "weights of gdp_per_head, .*: expected one for each of patents, gdp_per_head"),
        (pd.concat([EQUAL, pd.Series({"more": 0.0})]), "weights of .*, more: expected one for each of patents"),
        (pd.concat([EQUAL, EQUAL[:1]]), "weights of .*, patents: expected one for each of patents"),
        (EQUAL * 1.0001, r"their sum is 1\.0001, expected 1; divide them by their sum"),
        (EQUAL.where(EQUAL.index != "patents"), "their sum is nan, expected 1"),
        (EQUAL.where(EQUAL.index != "patents", np.inf), "their sum is inf, expected 1"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: pd.Series, message: str) -> None:
    for index in (composite.weighted_sum, composite.topsis):
        with pytest.raises(ParameterError, match=message):
            index(SCALED, weights)


def test_distances_take_no_negative_weight() -> None:
    weights = EQUAL + pd.Series([-0.3, 0.3, 0, 0, 0], EQUAL.index)
    with pytest.raises(ParameterError, match=r"weights: 'patents' has -0\.\d+, expected at least 0"):
        composite.topsis(SCALED, weights)


def test_ideal_points_must_fit_and_differ() -> None:
    best, worst = SCALED.max() * EQUAL, SCALED.min() * EQUAL
    with pytest.raises(ParameterError, match=r"'patents': best 0\.0, worst 0\.2; expected best >= worst"):
        composite.topsis(SCALED, EQUAL, (worst, best))
    with pytest.raises(ParameterError, match=r"ideal points of 'trade_share': best nan, worst 0\.0"):
        composite.topsis(SCALED, EQUAL, (best.drop("trade_share"), worst))
    with pytest.raises(DataError, match="ideal points: best and worst are the same"):
        composite.topsis(SCALED.iloc[:1], EQUAL)


def test_opposite_indicators_have_no_common_component() -> None:
    with pytest.raises(DataError, match="first principal component: its loadings sum to zero"):
        composite.first_component(pd.DataFrame({"x": [0, 0.5, 1], "y": [1, 0.5, 0]}))
