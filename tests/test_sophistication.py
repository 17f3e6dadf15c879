"""Export sophistication by hand, its invariances, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures.sophistication import export_sophistication, product_sophistication


def sales(rows: list[tuple[object, ...]], exporter: str = "province") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[exporter, "product", "year", "value"])


def incomes(values: dict[tuple[str, int], float]) -> pd.Series:
    index = pd.MultiIndex.from_tuples(list(values), names=["province", "year"])
    return pd.Series(list(values.values()), index, name="income")


# 浙江 sells 3/4 chips and 1/4 shoes, 贵州 the other way round but a hundredth as much
TRADE = sales(
    [("浙江", 8542, 2015, 300.0), ("浙江", 6403, 2015, 100.0), ("贵州", 8542, 2015, 1.0), ("贵州", 6403, 2015, 3.0)]
)
INCOME = incomes({("浙江", 2015): 80_000.0, ("贵州", 2015): 20_000.0})


def test_two_provinces_and_two_products_by_hand() -> None:
    found = product_sophistication(TRADE, INCOME)
    assert found.name == "prody" and found.index.names == ["product", "year"]
    assert found.to_dict() == pytest.approx({(8542, 2015): 65_000, (6403, 2015): 35_000})  # weights 3/4 and 1/4
    provinces = export_sophistication(TRADE, found, of=("province", "year"))
    assert provinces.name == "expy" and provinces.index.names == ["province", "year"]
    assert provinces.to_dict() == pytest.approx({("浙江", 2015): 57_500, ("贵州", 2015): 42_500})
    firms = sales([(1, 8542, 2015, 5.0), (2, 8542, 2015, 9.0), (2, 6403, 2015, 1.0), (3, 6403, 2015, 0.0)], "firm")
    assert export_sophistication(firms, found).to_dict() == pytest.approx({(1, 2015): 65_000, (2, 2015): 62_000})


def test_who_exports_nothing_is_left_out() -> None:
    idle = sales([("西藏", 8542, 2015, 0.0), ("浙江", 9999, 2015, 0.0)])  # no income is needed, nobody sells 9999
    found = product_sophistication(pd.concat([TRADE, idle], ignore_index=True), INCOME)
    pd.testing.assert_series_equal(found, product_sophistication(TRADE, INCOME))


def drawn(seed: int) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([list("abcdef"), range(9), [2010, 2011]], names=["province", "product", "year"])
    values = rng.lognormal(size=len(index)) * (rng.random(len(index)) < 0.7)
    trade = pd.Series(values, index, name="value").reset_index()
    return trade, incomes({(p, y): rng.uniform(1e4, 1e5) for p in "abcdef" for y in (2010, 2011)})


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
def test_invariances(seed: int, scale: float) -> None:
    """Neither the currency of trade, nor a province's size, nor the order matters; the unit of income carries over."""
    trade, income = drawn(seed)
    prody = product_sophistication(trade, income)
    size = pd.Series(np.random.default_rng(seed).uniform(0.1, 100, 6), list("abcdef"))
    other = trade.assign(value=trade["value"] * scale * trade["province"].map(size)).sample(frac=1, random_state=seed)
    pd.testing.assert_series_equal(product_sophistication(other, income), prody)
    pd.testing.assert_series_equal(product_sophistication(trade, income * scale), prody * scale)
    expy = export_sophistication(trade, prody, of=("province", "year"))
    pd.testing.assert_series_equal(export_sophistication(other, prody, of=("province", "year")), expy)
    for values in (prody, expy):  # means of means
        for year in (2010, 2011):
            bounds = income.xs(year, level="year")
            assert values.xs(year, level="year").between(bounds.min() - 1e-6, bounds.max() + 1e-6).all()


def test_equal_incomes_leave_nothing_to_tell() -> None:
    trade, income = drawn(1)
    prody = product_sophistication(trade, income * 0 + 5e4)
    np.testing.assert_allclose(prody, 5e4)
    np.testing.assert_allclose(export_sophistication(trade, prody, of=("province", "year")), 5e4)


@pytest.mark.parametrize(
    ("trade", "income", "message"),
    [
        (TRADE, INCOME.iloc[:1], "income, province 贵州, year 2015: nan, expected a number above 0"),
        (TRADE, INCOME.replace(20_000, 0), r"income, province 贵州, year 2015: 0\.0, expected a number above 0"),
        (TRADE, pd.concat([INCOME, INCOME.iloc[:1]]), "income, province 浙江, year 2015: a second row"),
        (
            TRADE.assign(value=-TRADE["value"]),
            INCOME,
            r"province 浙江, product 8542, year 2015: value = -300\.0, expected",
        ),
        (TRADE.drop(columns="product"), INCOME, "trade of provinces: column 'product' is missing"),
        (pd.concat([TRADE, TRADE.iloc[:1]]), INCOME, "province 浙江, product 8542, year 2015: a second row"),
    ],
)
def test_bad_input_is_refused(trade: pd.DataFrame, income: pd.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        product_sophistication(trade, income)


def test_bad_input_on_exporters_is_refused() -> None:
    prody = product_sophistication(TRADE, INCOME)
    with pytest.raises(DataError, match="PRODY, product 6403, year 2015: missing, although it is sold"):
        export_sophistication(TRADE, prody.drop(6403), of=("province", "year"))
    with pytest.raises(DataError, match="trade of exporters: column 'firm' is missing"):
        export_sophistication(TRADE, prody)
    with pytest.raises(ParameterError, match="expected 'year' among the columns"):
        export_sophistication(TRADE, prody, of=("province",))
