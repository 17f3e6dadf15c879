"""Dyadic-robust errors against double sums and another program, under city shocks, and under bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.dyadic import dyadic, dyadic_covariance
from pilotzones.estimators.event_study import event_study
from pilotzones.estimators.inference import wald
from pilotzones.estimators.regression import regress


def pair_panel(n_cities: int, years: int, seed: int, share: float = 1.0) -> pd.DataFrame:
    """Pairs by year; each variable is a shock of either city plus noise of the row."""
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n_cities, 1)
    kept = np.sort(rng.permutation(len(i))[: int(share * len(i))])
    rows = pd.DataFrame({"pair": kept, "city_i": i[kept], "city_j": j[kept]})
    rows = rows.merge(pd.DataFrame({"year": 2010 + np.arange(years)}), how="cross")
    for name in ("x1", "x2", "z", "u"):
        shock = rng.normal(size=(n_cities, years))
        t = rows["year"] - 2010
        rows[name] = shock[rows["city_i"], t] + shock[rows["city_j"], t] + rng.normal(size=len(rows))
    return rows.assign(x2=rows["x2"] + rows["z"], y=rows["x1"] - rows["x2"] + rows["u"])


PANEL = pair_panel(20, 3, seed=1, share=0.6)
FORMULA = "y ~ x1 + x2 | pair + year"
FIT = regress(FORMULA, PANEL, "cluster:pair")


def left_over(data: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """What pair and year dummies leave of the columns."""
    dummies = np.hstack([pd.get_dummies(data[c], dtype=float).to_numpy() for c in ("pair", "year")])
    values = data[columns].to_numpy(float)
    return values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]


def factor(data: pd.DataFrame, coefficients: int) -> float:
    """The small-sample factor; pair effects count as one parameter, year effects as one less than there are years."""
    cities, n = pd.concat([data["city_i"], data["city_j"]]).nunique(), len(data)
    return cities / (cities - 1) * (n - 1) / (n - (coefficients + 1 + data["year"].nunique() - 1))


# --- agreement -------------------------------------------------------------------------------------------------------


def test_equals_the_double_loop() -> None:
    left = left_over(PANEL, ["x1", "x2", "y"])
    x, y = left[:, :2], left[:, 2]
    score = x * (y - x @ np.linalg.lstsq(x, y, rcond=None)[0])[:, None]
    cities = [set(row) for row in PANEL[["city_i", "city_j"]].to_numpy().tolist()]
    meat = np.zeros((2, 2))
    for a, one in enumerate(cities):
        for b, other in enumerate(cities):
            if one & other:
                meat += np.outer(score[a], score[b])
    bread = np.linalg.inv(x.T @ x)
    ours, df = dyadic_covariance(FIT)
    np.testing.assert_allclose(ours, factor(PANEL, 2) * bread @ meat @ bread, rtol=1e-10, atol=1e-10)
    assert df == 19
    np.testing.assert_allclose(dyadic(FIT).coefficients["se"], np.sqrt(np.diag(ours)), rtol=1e-12)


@pytest.mark.parametrize("formula", [FORMULA, "y ~ x1 | pair + year | x2 ~ z"])
def test_equals_the_full_matrix_of_common_cities(formula: str) -> None:
    """Least squares with a reported constant, and 2SLS, from dummy variables and an n by n matrix."""
    fit = regress(formula, PANEL, constant=True)
    left = left_over(PANEL, ["x1", "x2", "z", "y"])
    x, y = left[:, :2], left[:, 3]
    names = ["x1", "x2"]
    projected = x
    if "z" in formula:
        z = left[:, [0, 2]]
        projected = z @ np.linalg.lstsq(z, x, rcond=None)[0]
    else:  # the constant: means added back, and an intercept
        x = projected = np.column_stack([x + PANEL[names].to_numpy().mean(axis=0), np.ones(len(x))])
        y, names = y + PANEL["y"].mean(), [*names, "_cons"]
    slopes = np.linalg.lstsq(projected, y, rcond=None)[0]
    ends = [pd.get_dummies(PANEL[c]).reindex(columns=range(20), fill_value=False) for c in ("city_i", "city_j")]
    member = (ends[0] | ends[1]).to_numpy(float)
    shared = (member @ member.T > 0).astype(float)
    score = projected * (y - x @ slopes)[:, None]
    bread = np.linalg.inv(projected.T @ projected)
    ours = dyadic(fit).coefficients.loc[names]
    np.testing.assert_allclose(ours["estimate"], slopes, rtol=1e-8)
    variance = factor(PANEL, 2) * np.diag(bread @ score.T @ shared @ score @ bread)
    np.testing.assert_allclose(ours["se"], np.sqrt(variance), rtol=1e-8)


@pytest.mark.parametrize(
    ("directed", "theirs"),
    [
        (False, [148.49796175404717, 0.15401008293520027, 0.14556575342586445, 0.09690052846808463]),
        (True, [134.17928936190995, 0.14488611974823312, 0.1369084796829588, 0.09213445473603875]),
    ],
)
def test_equals_netrics(directed: bool, theirs: list[float]) -> None:
    """Stored variances and a covariance of netrics' dyadic_regression (B. S. Graham), which has no small-sample factor.

    One row per pair, and two where each direction has its own.
    """
    i, j = (codes.ravel() for codes in np.mgrid[:14, :14])
    kept = i != j if directed else i > j
    i, j = i[kept], j[kept]
    data = pd.DataFrame({"city_i": i, "city_j": j})
    data["x1"] = (3 * i * j + 5 * (i + j)) % 11 + 0.5 * (i > j) + i * i % 5 + j * j % 5
    data["x2"] = (i + 1) * (j + 1) % 7 + 2 * (7 * i % 9 + 7 * j % 9)
    data["y"] = (i * i + j * j + 2 * i * j * j) % 13 + 3 * (i * i * i % 10 + j * j * j % 10) + 0.3 * data["x1"]
    ours = dyadic_covariance(regress("y ~ x1 + x2", data))[0] / (14 / 13 * (len(data) - 1) / (len(data) - 3))
    np.testing.assert_allclose([*np.diag(ours), ours.loc["x1", "x2"]], theirs, rtol=1e-11)


def test_they_are_errors_like_any_other() -> None:
    asked = regress(FORMULA, PANEL, "dyadic:city_i+city_j")
    pd.testing.assert_frame_equal(asked.coefficients, dyadic(FIT).coefficients)
    pd.testing.assert_frame_equal(FIT.under("dyadic:city_i + city_j").coefficients, asked.coefficients)
    pd.testing.assert_frame_equal(asked.under("cluster:pair").coefficients, FIT.coefficients)
    one = wald(asked, ["x1"])
    assert one["statistic"] == pytest.approx(asked.coefficients.at["x1", "t"] ** 2)
    assert one["p"] == pytest.approx(asked.coefficients.at["x1", "p"])


def test_pairs_without_common_cities_are_clusters() -> None:
    """Nothing is shared beyond the pair: clustering by pair, but for G, which counts cities."""
    data = PANEL.assign(city_i=2 * PANEL["pair"], city_j=2 * PANEL["pair"] + 1)
    fit = regress(FORMULA, data, "cluster:pair", constant=True)
    pairs = data["pair"].nunique()
    expected = fit.coefficients["se"] * np.sqrt(2 * pairs / (2 * pairs - 1) * (pairs - 1) / pairs)
    pd.testing.assert_series_equal(dyadic(fit).coefficients["se"], expected, rtol=1e-9)


# --- form ------------------------------------------------------------------------------------------------------------


def test_the_table_has_the_form_of_other_errors() -> None:
    ours = dyadic(FIT)
    pd.testing.assert_series_equal(ours.coefficients["estimate"], FIT.coefficients["estimate"])
    assert list(ours.coefficients) == list(FIT.coefficients)
    assert (ours.vcov, ours.n_clusters) == ("dyadic:city_i+city_j", 20)
    pd.testing.assert_frame_equal(ours.under("cluster:pair").coefficients, FIT.coefficients)
    row = ours.coefficients.loc["x1"]
    assert row["t"] == pytest.approx(row["estimate"] / row["se"])
    assert row["high"] - row["estimate"] == pytest.approx(2.0930240544 * row["se"], rel=1e-9)  # t with 19 degrees
    assert row["estimate"] - row["low"] == pytest.approx(row["high"] - row["estimate"])


def test_only_the_terms_wanted_and_labels_stay() -> None:
    some = dyadic(FIT, terms=["x2"]).coefficients
    pd.testing.assert_frame_equal(some, dyadic(FIT).coefficients.loc[["x2"]])
    data = PANEL.assign(event_time=(PANEL["year"] - 2011).where(PANEL["city_i"] % 2 == 0), cohort=2011)
    fit = event_study("y ~ {event} | pair + year", data, leads=-1, lags=1, base=[-1])
    ours = dyadic(fit).coefficients
    assert list(ours.index) == [-1, 0, 1]
    assert ours.loc[-1, "se"] == 0 and (ours.loc[[0, 1], "se"] > 0).all()


def test_units_do_not_matter() -> None:
    scaled = dyadic(regress(FORMULA, PANEL.assign(y=1e6 * PANEL["y"], x1=1e-3 * PANEL["x1"]), constant=True))
    ours = dyadic(regress(FORMULA, PANEL, constant=True)).coefficients
    expected = ours["se"] * pd.Series({"x1": 1e9, "x2": 1e6, "_cons": 1e6})
    pd.testing.assert_series_equal(scaled.coefficients["se"], expected, rtol=1e-9, check_names=False)


# --- invariance ------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), text=st.booleans())
def test_order_of_cities_rows_and_codes_do_not_matter(seed: int, text: bool) -> None:
    rng = np.random.default_rng(seed)
    data, swap = PANEL.copy(), rng.random(len(PANEL)) < 0.5
    data.loc[swap, ["city_i", "city_j"]] = data.loc[swap, ["city_j", "city_i"]].to_numpy()
    codes = rng.permutation(900_000)[:20]
    for column in ("city_i", "city_j"):
        data[column] = codes[data[column]]
        data[column] = data[column].astype(str) if text else data[column]
    changed = dyadic(regress(FORMULA, data.sample(frac=1, random_state=seed), "cluster:pair"))
    np.testing.assert_allclose(changed.coefficients, dyadic(FIT).coefficients, rtol=1e-8)


def test_two_way_clusters_change_when_a_pair_is_written_the_other_way_round() -> None:
    swap = PANEL["pair"] % 2 == 0
    data = PANEL.assign(
        city_i=PANEL["city_i"].mask(swap, PANEL["city_j"]), city_j=PANEL["city_j"].mask(swap, PANEL["city_i"])
    )
    swapped = regress(FORMULA, data)
    two_way = [f.under("cluster:city_i+city_j").coefficients.loc["x1", "se"] for f in (FIT, swapped)]
    both_ways = [dyadic(f).coefficients.loc["x1", "se"] for f in (FIT, swapped)]
    assert abs(two_way[1] / two_way[0] - 1) > 0.02
    assert both_ways[1] == pytest.approx(both_ways[0], rel=1e-10)


# --- size ------------------------------------------------------------------------------------------------------------


def rejections(runs: int, n_cities: int, shocks: bool) -> pd.DataFrame:
    """Rejections of a true null at 5%, standard errors, and the estimate."""
    years, rng = 3, np.random.default_rng(7)
    rows = pair_panel(n_cities, years, seed=0)[["pair", "city_i", "city_j", "year"]]
    t = rows["year"] - 2010
    out = []
    for _ in range(runs):
        city = rng.normal(size=(2, n_cities, years))
        x, u = (s[rows["city_i"], t] + s[rows["city_j"], t] for s in city)
        noise = rng.normal(size=(2, len(rows)))
        fit = regress("y ~ x | pair + year", rows.assign(x=x + noise[0], y=shocks * u + noise[1]), "cluster:pair")
        clustered, robust = fit.coefficients.loc["x"], dyadic(fit).coefficients.loc["x"]
        out.append((clustered["p"] < 0.05, robust["p"] < 0.05, clustered["se"], robust["se"], clustered["estimate"]))
    return pd.DataFrame(out, columns=["pair", "dyadic", "se_pair", "se_dyadic", "estimate"])


def test_size_when_cities_have_shocks() -> None:
    """600 runs: pair clusters reject in 0.56, dyadic in 0.085; mean se over true sd 0.29 and 0.89. Bands: 3 sd."""
    found = rejections(150, 50, shocks=True)
    assert found["pair"].mean() > 0.43
    assert 0.02 < found["dyadic"].mean() < 0.155
    spread = found["estimate"].std()
    assert found["se_pair"].mean() / spread < 0.35
    assert 0.73 < found["se_dyadic"].mean() / spread < 1.05


def test_size_without_shocks() -> None:
    """Errors that are not needed: nearly right on average (600 runs: 0.9), but noisier than pair clusters."""
    found = rejections(60, 30, shocks=False)
    assert found["pair"].mean() < 0.14
    assert 0.8 < found["se_dyadic"].mean() / found["se_pair"].mean() < 1.05
    assert found["se_dyadic"].std() > 3 * found["se_pair"].std()


# --- variances that are not positive ---------------------------------------------------------------------------------


def test_a_negative_variance_is_nan_and_leaves_the_others() -> None:
    rng = np.random.default_rng(2)
    data = pair_panel(5, 2, seed=3).assign(x1=lambda d: rng.normal(size=len(d)), x2=lambda d: rng.normal(size=len(d)))
    data["y"] = rng.normal(size=len(data))
    fit = regress("y ~ x1 + x2", data)
    x = np.column_stack([np.ones(len(data)), data[["x1", "x2"]]])
    score = x * fit.residuals().to_numpy()[:, None]
    member = np.zeros((len(data), 5))
    for column in ("city_i", "city_j"):
        member[np.arange(len(data)), data[column]] = 1
    bread = np.linalg.inv(x.T @ x)
    variance = np.diag(bread @ score.T @ (member @ member.T > 0) @ score @ bread)
    assert 0 < (variance < 0).sum() < 3  # else the seed shows nothing
    ours = dyadic(fit).coefficients
    assert (ours["se"].isna() == (variance < 0)).all()
    assert ours["estimate"].notna().all() and (ours["p"].isna() == (variance < 0)).all()
    matrix = dyadic_covariance(fit)[0]
    assert (matrix.isna().sum() == np.where(variance < 0, 3, (variance < 0).sum())).all()
    with pytest.raises(DataError, match="covariance matrix is singular"):
        wald(fit, ["Intercept", "x1", "x2"], matrix)


def test_a_city_in_every_pair_leaves_no_variance() -> None:
    """The normal equations make the sum zero, up to rounding of either sign."""
    star = PANEL[PANEL["city_i"] == 0]
    assert star["pair"].nunique() > 4
    assert dyadic(regress("y ~ x1 + x2", star)).coefficients["se"].isna().all()


# --- bad input -------------------------------------------------------------------------------------------------------


def test_a_city_that_is_missing() -> None:
    lost = PANEL.astype({"city_j": float})
    lost.loc[4, "city_j"] = np.nan
    with pytest.raises(DataError, match=f"'city_j' is missing in 1 of the {len(PANEL)} rows used"):
        dyadic(regress(FORMULA, lost))
    lost.loc[4, "y"] = np.nan  # now the row is not used
    assert dyadic(regress(FORMULA, lost)).coefficients["se"].notna().all()


def test_a_city_paired_with_itself() -> None:
    data = PANEL.assign(city_j=PANEL["city_j"].mask(PANEL["pair"] == PANEL["pair"].iloc[0], PANEL["city_i"]))
    with pytest.raises(DataError, match="both 0 in 3 of the"):
        dyadic(regress(FORMULA, data))


def test_codes_that_cannot_be_compared_and_a_single_pair() -> None:
    with pytest.raises(DataError, match="'city_i' is int64, 'city_j' is str; expected the same city codes"):
        dyadic(regress(FORMULA, PANEL.assign(city_j=PANEL["city_j"].astype(str))))
    with pytest.raises(DataError, match="one pair"):
        dyadic(regress("y ~ x1", pair_panel(2, 9, seed=1)))


def test_columns_and_terms_that_do_not_exist() -> None:
    with pytest.raises(DeclarationError, match="no column 'city_a'"):
        dyadic(FIT, i="city_a")
    with pytest.raises(DeclarationError, match="no coefficient '_cons'"):  # not asked for in regress
        dyadic(FIT, terms=["x1", "_cons"])
