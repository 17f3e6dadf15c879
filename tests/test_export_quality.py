"""Export quality against a known truth, a dummy regression, a second library, invariances, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linearmodels.iv.absorbing import AbsorbingLS

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures import export_quality as eq


def customs(n: int = 3_000, seed: int = 1, noise: float = 0.0) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Return records drawn from the demand equation, the elasticities, and each record's true log quality."""
    rng = np.random.default_rng(seed)
    records = pd.DataFrame({
        "firm": rng.integers(0, 40, n), "product": 850_000 + rng.integers(0, 25, n),
        "destination": rng.choice(["US", "JP", "DE", "越南", "BR"], n), "year": rng.integers(2010, 2016, n),
    }).drop_duplicates(ignore_index=True)  # fmt: skip
    n = len(records)
    sigma = pd.Series(rng.uniform(1.5, 9, 25), index=850_000 + np.arange(25))
    product = records["product"].to_numpy() - 850_000
    market = records.groupby(["destination", "year"]).ngroup().to_numpy()
    true = rng.normal(size=40)[records["firm"]] + rng.normal(size=25)[product] + 0.3 * rng.normal(size=n)
    price = rng.normal(size=25)[product] + 0.5 * true + 0.3 * rng.normal(size=n)
    used = sigma.to_numpy()[product]
    effects = 3 * rng.normal(size=25)[product] + rng.normal(size=30)[market]
    demand = effects + (used - 1) * true - used * price + noise * rng.normal(size=n)
    records = records.assign(quantity=np.exp(demand), price=np.exp(price))
    return records, sigma, pd.Series(true, records.index, name="true")


RECORDS, SIGMA, TRUE = customs()
EXPONENT = SIGMA.loc[RECORDS["product"]].to_numpy()


def net(values: np.ndarray, records: pd.DataFrame) -> np.ndarray:
    """Return what dummies of products and of destination-years leave of values."""
    market = records["destination"].astype(str) + records["year"].astype(str)
    dummies = pd.concat([pd.get_dummies(records["product"]), pd.get_dummies(market)], axis=1).to_numpy(float)
    return values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]


# --- the demand residual ---------------------------------------------------------------------------------------------


def test_without_noise_the_residual_is_the_truth_net_of_both_effects() -> None:
    found = eq.demand_residual(RECORDS, SIGMA)
    assert found.index.equals(RECORDS.index) and list(found) == ["residual", "quality"]
    truth = net((EXPONENT - 1) * TRUE.to_numpy(), RECORDS)
    assert truth.std() > 1
    np.testing.assert_allclose(found["residual"], truth, atol=1e-10)
    np.testing.assert_allclose(found["quality"], truth / (EXPONENT - 1), atol=1e-10)


def test_agrees_with_linearmodels() -> None:
    records, sigma, _ = customs(seed=2, noise=1.0)
    y = np.log(records["quantity"]) + sigma.loc[records["product"]].to_numpy() * np.log(records["price"])
    effects = pd.DataFrame({
        "product": records["product"].astype("category"),
        "market": records.groupby(["destination", "year"]).ngroup().astype("category"),
    })  # fmt: skip
    theirs = (
        AbsorbingLS(y.rename("y"), absorb=effects)
        .fit(absorb_options={"atol": 1e-14, "btol": 1e-14}, method="lsmr")
        .resids
    )
    np.testing.assert_allclose(eq.demand_residual(records, sigma)["residual"], theirs, atol=1e-8)


def test_groups_that_hang_by_a_thread() -> None:
    """A chain of 150 products, each sharing one market with the next: alternating projections take thousands of steps.

    Every second record of a product is a second firm's, so that a residual is left.
    """
    product = np.repeat(np.arange(150), 3)
    records = pd.DataFrame({
        "firm": np.tile([1, 1, 2], 150), "product": product, "destination": product + np.tile([0, 1, 0], 150),
        "year": 2015, "quantity": np.exp(np.random.default_rng(3).normal(size=450)), "price": 1.0,
    })  # fmt: skip
    found = eq.demand_residual(records, pd.Series(2.0, range(150)))
    alone = records["destination"] == 150
    assert found["residual"].isna().equals(alone)
    expected = net(np.log(records["quantity"].to_numpy()[~alone]), records[~alone])
    np.testing.assert_allclose(found.loc[~alone, "residual"], expected, atol=1e-10)


@pytest.mark.parametrize("n_markets", [1, 2])
def test_few_markets(n_markets: int) -> None:
    """One market: its effect adds nothing to those of the products; two that share no product: likewise."""
    records = RECORDS[RECORDS["destination"].isin(["US", "JP"][:n_markets]) & (RECORDS["year"] == 2012)]
    records = records.assign(product=records["product"] + 1_000 * (records["destination"] == "JP"))
    records = records[records.groupby("product")["product"].transform("size") > 1]
    sigma = pd.Series(3.0, records["product"].unique())
    demand = np.log(records["quantity"]) + 3 * np.log(records["price"])
    expected = demand - demand.groupby(records["product"]).transform("mean")
    np.testing.assert_allclose(eq.demand_residual(records, sigma)["residual"], expected, atol=1e-11)


def test_a_wrong_elasticity_leaks_the_price() -> None:
    """Too high by d: d ln p net of the effects is added to the residual, and dear goods look good."""
    too_high = 1.25 * SIGMA
    right, wrong = eq.demand_residual(RECORDS, SIGMA), eq.demand_residual(RECORDS, too_high)
    price = np.log(RECORDS["price"].to_numpy())
    leak = net(0.25 * EXPONENT * price, RECORDS)
    np.testing.assert_allclose(wrong["residual"] - right["residual"], leak, atol=1e-10)
    too_low = eq.demand_residual(RECORDS, (0.75 * SIGMA).clip(lower=1.01))
    with_price = [np.corrcoef(found["residual"], price)[0, 1] for found in (too_low, right, wrong)]
    assert with_price == sorted(with_price)


def test_records_that_are_alone_have_no_residual() -> None:
    """US 2010 sells goods 1 and 2; good 3 is only in JP 2010 beside good 2; taking it out leaves JP 2010 alone."""
    rows = [
        (1, 1, "US", 2010), (2, 1, "US", 2010), (1, 2, "US", 2010), (2, 2, "US", 2010),
        (1, 2, "JP", 2010), (1, 3, "JP", 2010),
    ]  # fmt: skip
    records = pd.DataFrame(rows, columns=eq.KEYS).assign(quantity=[1.0, 2, 3, 5, 7, 11], price=1.0)
    sigma = pd.Series(3.0, [1, 2, 3])
    found = eq.demand_residual(records, sigma)
    assert found.isna().any(axis=1).tolist() == [False] * 4 + [True] * 2
    half = np.log([1 / 2, 2, 3 / 5, 5 / 3]) / 2
    np.testing.assert_allclose(found["residual"].iloc[:4], half, atol=1e-12)
    np.testing.assert_allclose(found["quality"].iloc[:4], half / 2, atol=1e-12)
    with pytest.raises(DataError, match="all 2 are alone in their product or destination and year"):
        eq.demand_residual(records.iloc[4:], sigma)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), currency=st.floats(1e-3, 1e3))
def test_units_currency_order_and_labels_do_not_matter(seed: int, currency: float) -> None:
    """Kilograms or tons for a product, yuan or dollars, any order of rows, any names of firms and markets."""
    rng = np.random.default_rng(seed)
    expected = eq.demand_residual(RECORDS, SIGMA)
    unit = rng.uniform(1e-3, 1e3, 25)[RECORDS["product"] - 850_000]
    names = dict(zip(SIGMA.index, rng.permutation(25).astype(str), strict=True))
    other = RECORDS.assign(
        firm=-RECORDS["firm"],
        product=RECORDS["product"].map(names),
        destination=RECORDS["destination"].str[::-1],
        quantity=RECORDS["quantity"] * unit,
        price=RECORDS["price"] / unit * currency,
    ).sample(frac=1, random_state=seed)
    found = eq.demand_residual(other, SIGMA.rename(names))
    np.testing.assert_allclose(found.loc[expected.index], expected, atol=1e-9)


# --- cleaning --------------------------------------------------------------------------------------------------------


def changed(row: int, **values: Any) -> pd.DataFrame:
    records = RECORDS.copy()
    for column, value in values.items():
        records[column] = records[column].astype(object)
        records.loc[row, column] = value
    return records.infer_objects()


def test_every_dropped_row_counts_once_under_its_first_reason() -> None:
    records = RECORDS.set_index(RECORDS.index + 100).copy()
    bad = records.index[:7]
    price = records.groupby(["product", "year"])["price"].transform("median")
    records.loc[bad[0], ["quantity", "price"]] = [np.nan, -1.0]  # both: counts as missing
    records.loc[bad[1], ["quantity", "price"]] = [0.0, 0.0]  # both: counts as quantity
    records.loc[bad[2], "quantity"] = -5.0
    records.loc[bad[3], "price"] = 0.0
    records.loc[bad[4], "year"] = np.nan
    records.loc[bad[5], "price"] = 150 * price[bad[5]]
    records.loc[bad[6], "price"] = price[bad[6]] / 150
    usable, dropped = eq.clean(records, SIGMA)
    assert dropped.to_dict() == {
        "missing value": 2, "zero or negative quantity": 2, "zero or negative price": 1, "outlier": 2,
    }  # fmt: skip
    pd.testing.assert_frame_equal(usable, RECORDS.set_index(RECORDS.index + 100).drop(bad))
    assert eq.clean(records, SIGMA, outlier=1000)[1]["outlier"] == 0
    assert eq.clean(RECORDS, SIGMA, outlier=2)[1]["outlier"] > 0


def test_the_limit_is_the_median_of_the_product_and_year() -> None:
    records = pd.DataFrame({
        "firm": range(5), "product": 1, "destination": "US", "year": 2015, "quantity": 1.0,
        "price": [1.0, 10.0, 100.0, 1000.0, 1001.0],
    })  # fmt: skip
    sigma = pd.Series({1: 3.0})
    usable, dropped = eq.clean(records, sigma, outlier=10)  # median 100: ten times away is still in
    assert usable["price"].tolist() == [10, 100, 1000] and dropped["outlier"] == 2
    other_years = records.assign(year=[2010, 2011, 2012, 2013, 2014])
    assert eq.clean(other_years, sigma, outlier=10)[1]["outlier"] == 0


def test_elasticities_that_cannot_be_used_are_named() -> None:
    sigma = SIGMA.copy()
    sigma[850_003], sigma[850_004] = 1.0, 0.7
    n = int(RECORDS["product"].isin([850_003, 850_004, 850_005]).sum())
    for run in (eq.clean, eq.demand_residual):
        with pytest.raises(DataError) as raised:
            run(RECORDS, sigma.drop(850_005))
        message = str(raised.value)
        assert "expected a number above 1 for each product" in message and f"(3 products with {n} records)" in message
        assert all(part in message for part in ("850003: 1", "850004: 0.7", "850005: missing"))
    with pytest.raises(DataError, match=r"850004: inf"):
        eq.clean(RECORDS, sigma.replace({1.0: 2.0, 0.7: np.inf}))
    with pytest.raises(DataError, match=r"elasticities, product 850024: a second row"):
        eq.clean(RECORDS, pd.concat([SIGMA, SIGMA.iloc[-1:]]))
    with pytest.raises(DataError, match=r"elasticities: type .*, expected numbers"):
        eq.clean(RECORDS, SIGMA.astype(str))
    with pytest.raises(DataError, match=r"and 20 more \(25 products"):
        eq.clean(RECORDS, SIGMA - 9)


FIRST = ", ".join(f"{key} {value}" for key, value in RECORDS.loc[7, eq.KEYS].items())


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (
            RECORDS.drop(columns="destination"),
            "customs records: column 'destination' is missing; expected firm, product",
        ),
        (RECORDS.astype({"price": str}), "customs records, column 'price': type .*, expected numbers"),
        (changed(7, year=2012.5), r"year 2012\.5: expected a whole year"),
        (changed(7, price=np.inf), f"{FIRST}: price is infinite"),
        (changed(7, quantity=-np.inf), f"{FIRST}: quantity is infinite"),
        (pd.concat([RECORDS, RECORDS.loc[[7]]]), f"{FIRST}: a second row; expected one"),
    ],
)
def test_bad_records_are_refused(records: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        eq.clean(records, SIGMA)


@pytest.mark.parametrize("outlier", [1.0, -3.0, np.nan])
def test_the_outlier_limit_is_above_one(outlier: float) -> None:
    with pytest.raises(ParameterError, match="expected a number above 1"):
        eq.clean(RECORDS, SIGMA, outlier)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantity": 0.0}, f"{FIRST}: quantity = 0, expected a number above 0; see clean"),
        ({"price": np.nan}, f"{FIRST}: price = nan, expected a number above 0; see clean"),
        ({"destination": None}, "row 7: column 'destination' is empty; see clean"),
    ],
)
def test_the_equation_asks_for_clean_records(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        eq.demand_residual(changed(7, **change), SIGMA)


# --- the scale from 0 to 1, and firms --------------------------------------------------------------------------------


def test_standardised_by_hand() -> None:
    quality = pd.Series([1.0, 3.0, np.nan, 2.0, 5.0], [9, 8, 7, 6, 5], name="quality")
    by = pd.Series(["a", "a", "a", "a", "b"], quality.index)
    overall = pd.Series([0, 0.5, np.nan, 0.25, 1], quality.index, name="quality")
    pd.testing.assert_series_equal(eq.standardise(quality), overall)
    within = pd.Series([0, 1, np.nan, 0.5, np.nan], quality.index, name="quality")  # one value has no scale
    pd.testing.assert_series_equal(eq.standardise(quality, by), within)
    with pytest.raises(DataError, match="labels of rows differ"):
        eq.standardise(quality, by.iloc[::-1])
    with pytest.raises(DataError, match="row 8: infinite"):
        eq.standardise(quality.replace(3.0, np.inf))


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_the_scale_forgets_scale_and_shift(scale: float, shift: float) -> None:
    quality = TRUE * scale + shift
    for by in (None, RECORDS["product"]):
        found = eq.standardise(quality, by)
        assert found.between(0, 1).all()
        np.testing.assert_allclose(found, eq.standardise(TRUE, by), atol=1e-9)


def test_firms_by_hand() -> None:
    records = pd.DataFrame({
        "firm": [1, 1, 1, 2, 3], "product": 1, "destination": ["US", "JP", "DE", "US", "US"], "year": 2015,
        "quantity": [3.0, 1.0, 100.0, 1.0, 1.0], "price": [2.0, 2.0, 9.0, 7.0, 7.0],
    })  # fmt: skip
    values = pd.Series([0.0, 1.0, np.nan, 0.4, np.nan], name="quality")
    found = eq.firm_quality(values, records)
    assert found.name == "quality" and found.index.names == ["firm", "year"]
    assert found.to_dict() == pytest.approx({(1, 2015): 0.25, (2, 2015): 0.4})  # firm 3 has no value
    assert eq.firm_quality(values, records, "records").loc[1, 2015] == pytest.approx(0.5)
    by_market = eq.firm_quality(values, records, by=("destination",))
    assert by_market.to_dict() == pytest.approx({"US": 0.4 * 7 / 13, "JP": 1.0})
    with pytest.raises(ParameterError, match="weights 'quantity': expected one of value, records"):
        eq.firm_quality(values, records, "quantity")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="quality: labels of rows differ"):
        eq.firm_quality(values.iloc[::-1], records)
    with pytest.raises(DataError, match="column 'province' is missing"):
        eq.firm_quality(values, records, by=("province",))


# --- recovery --------------------------------------------------------------------------------------------------------


def test_recovery_of_the_truth_itself_is_perfect() -> None:
    found = eq.recovery(TRUE, TRUE, RECORDS)
    whole = [level for level in found.index if not level.endswith("within product")]
    np.testing.assert_allclose(found.loc[whole, ["correlation", "slope"]], 1, atol=1e-12)
    assert found.loc["records", "n"] == len(RECORDS)
    assert found.loc["firm-years by value", "n"] == len(RECORDS[["firm", "year"]].drop_duplicates())


def test_recovery_by_hand() -> None:
    true = pd.Series([0.0, 1.0, 5.0, 7.0])
    recovered = pd.Series([0.0, 2.0, np.nan, 0.0])
    records = pd.DataFrame({
        "firm": [1, 2, 3, 3], "product": [1, 1, 2, 2], "destination": "US", "year": 2015, "quantity": 1.0, "price": 1.0,
    })  # fmt: skip
    found = eq.recovery(recovered, true, records)
    x, y = np.array([0, 1, 7]), np.array([0, 2, 0])
    assert found.loc["records", "n"] == 3
    assert found.loc["records", "correlation"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.loc["records", "slope"] == pytest.approx(np.polyfit(x, y, 1)[0])
    x = np.array([-0.5, 0.5, 0])
    assert found.loc["records, within product", "slope"] == pytest.approx(np.polyfit(x, y, 1)[0])


def test_what_drives_recovery() -> None:
    """Noise in demand takes from it, at low elasticities most; so does the product's mean, which is absorbed."""

    def correlation(noise: float, chosen: slice) -> float:
        records, sigma, true = customs(seed=4, noise=noise)
        records = records[records["product"].isin(sigma.sort_values().index[chosen])]
        quality = eq.demand_residual(records, sigma)["quality"]
        return eq.recovery(quality, true[records.index], records).loc["records, within product", "correlation"]

    everything, low, high = slice(None), slice(8), slice(-8, None)
    assert correlation(0, everything) > correlation(0.5, everything) > correlation(1, everything)
    assert correlation(1, low) < correlation(1, high) - 0.1
    records, sigma, true = customs(seed=4)
    levels = eq.recovery(eq.demand_residual(records, sigma)["quality"], true, records)["correlation"]
    assert levels["records"] < levels["records, within product"] - 0.1
