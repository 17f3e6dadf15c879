"""Estimates from a file are those from memory; what the file cannot answer is one clear error."""

from __future__ import annotations

import datetime as dt
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.out_of_core import regress_parquet
from pilotzones.estimators.regression import regress
from pilotzones.measures import large_pairs, synchronisation

FORMULA = "y ~ treat_post + x | firm + year"


def panel(seed: int = 1, firms: int = 300, years: int = 9, share: float = 0.7) -> pd.DataFrame:
    """Return an unbalanced panel of firms in cities, with large lasting differences and missing values."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"firm": np.repeat(np.arange(firms), years), "year": np.tile(np.arange(years) + 2011, firms)})
    data["city"] = data["firm"] % (firms // 10)
    level, start = 20 * rng.normal(size=firms), rng.choice([2013, 2016, 9999], firms)
    data["treat_post"] = data["year"] >= start[data["firm"]]
    data["x"] = rng.normal(size=len(data)) + level[data["firm"]] + 0.2 * data["year"]
    data["fixed"], data["national"] = level[data["firm"]], np.sin(data["year"])
    noise = (
        rng.normal(size=len(data)) + rng.normal(size=(data["city"].max() + 1, years))[data["city"], data["year"] - 2011]
    )
    data["y"] = 0.3 * data["treat_post"] + 0.5 * data["x"] + level[data["firm"]] + 0.1 * data["year"] + noise
    data.loc[rng.random(len(data)) < 0.05, "x"] = np.nan
    return data[rng.random(len(data)) < share].reset_index(drop=True)


def saved(data: pd.DataFrame, folder: Path) -> Path:
    path = folder / "panel.parquet"
    data.to_parquet(path, row_group_size=500)
    return path


def assert_same(formula: str, data: pd.DataFrame, path: Path, vcov: str, rtol: float = 1e-9) -> None:
    found, expected = regress_parquet(formula, path, vcov), regress(formula, data, vcov)
    ours, theirs = found.coefficients, expected.coefficients
    np.testing.assert_allclose(ours["se"], theirs["se"], rtol=rtol, atol=0)
    size = ours["estimate"].abs() + ours["se"].fillna(0)  # an estimate or a bound can be zero by chance
    for column in ("estimate", "low", "high"):
        apart = (ours[column] - theirs[column]).abs() / size
        assert (apart.isna() & theirs[column].isna() | (apart < 5 * rtol)).all(), column
    pd.testing.assert_series_equal(ours["t"], ours["estimate"] / ours["se"], check_names=False)
    # d ln p / d ln t is about -t^2 in the tail
    assert not ((ours["p"] / theirs["p"] - 1).abs() > 5 * rtol * (1 + ours["t"] ** 2)).any()
    assert list(ours) == list(theirs) and ours.index.equals(theirs.index)
    assert (found.n_obs, found.n_clusters, found.dropped) == (
        expected.n_obs, expected.n_clusters, expected.dropped
    )  # fmt: skip
    np.testing.assert_allclose([found.r2, found.r2_within], [expected.r2, expected.r2_within], rtol=0, atol=rtol)


@pytest.mark.parametrize("vcov", ["cluster:firm", "cluster:city"])
@pytest.mark.parametrize("share", [1.0, 0.7, 0.15], ids=["balanced", "unbalanced", "many singletons"])
def test_file_and_memory_agree(tmp_path: Path, vcov: str, share: float) -> None:
    data = panel(share=share)
    if share == 1:
        data = data.fillna({"x": 0.0})
    assert_same(FORMULA, data, saved(data, tmp_path), vcov)


def test_file_and_dummies_agree(tmp_path: Path) -> None:
    """Against exact projections; memory's alternating ones stop at a tolerance, 4e-10 of the error in this panel."""
    data = panel(share=0.15)
    found = regress_parquet(FORMULA, saved(data, tmp_path), "cluster:city").coefficients
    used = data.dropna().reset_index(drop=True)
    dummies = pd.get_dummies(used[["firm", "year"]].astype("category"), dtype=float).to_numpy()
    left, size, _ = np.linalg.svd(dummies, full_matrices=False)
    basis = left[:, size > 1e-9]
    w = used[["y", "treat_post", "x"]].to_numpy(float)
    for _ in range(2):  # the second time for the digits
        w = w - basis @ (basis.T @ w)
    bread = np.linalg.inv(w[:, 1:].T @ w[:, 1:])
    estimate = bread @ w[:, 1:].T @ w[:, 0]
    scores = pd.DataFrame(w[:, 1:] * (w[:, 0] - w[:, 1:] @ estimate)[:, None]).groupby(used["city"]).sum().to_numpy()
    n, k, g = len(used), 2 + used["year"].nunique(), len(scores)
    variance = np.diag(g / (g - 1) * (n - 1) / (n - k) * bread @ scores.T @ scores @ bread)
    np.testing.assert_allclose(found["estimate"], estimate, rtol=1e-11)
    np.testing.assert_allclose(found["se"], np.sqrt(variance), rtol=1e-11)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), firms=st.integers(30, 80), years=st.integers(3, 12), share=st.floats(0.7, 1))
def test_agree_on_any_panel(tmp_path: Path, seed: int, firms: int, years: int, share: float) -> None:
    data = panel(seed, firms, years, share)
    assert_same("y ~ x | firm + year", data, saved(data, tmp_path), "cluster:city", rtol=1e-8)


def test_units_that_share_no_period(tmp_path: Path) -> None:
    """Two groups of units never seen in the same years: one more period effect is redundant."""
    data = panel()
    data = data[(data["firm"] % 2 == 0) == (data["year"] < 2015)]
    assert_same(FORMULA, data, saved(data, tmp_path), "cluster:firm")


def test_collinear_regressors_are_dropped_the_last_first(tmp_path: Path) -> None:
    data = panel().assign(double=lambda rows: 2 * rows["x"] - 3 * rows["treat_post"])
    formula = "y ~ fixed + treat_post + national + x + double | firm + year"
    assert_same(formula, data, saved(data, tmp_path), "cluster:city")
    assert regress_parquet(formula, tmp_path / "panel.parquet", "cluster:city").dropped == (
        "fixed",
        "national",
        "double",
    )


def test_shifted_and_rescaled_variables_give_the_same_t(tmp_path: Path) -> None:
    data = panel().astype({"treat_post": float})
    plain = regress_parquet(FORMULA, saved(data, tmp_path), "cluster:city").coefficients
    other = data.assign(y=1e6 * data["y"] + 1e9, x=1e-6 * data["x"] - 5)
    moved = regress_parquet(FORMULA, saved(other, tmp_path), "cluster:city").coefficients
    np.testing.assert_allclose(moved["t"], plain["t"], rtol=1e-7)
    np.testing.assert_allclose(moved["estimate"], plain["estimate"] * [1e6, 1e12], rtol=1e-7)


def test_types_folders_nan_and_odd_file_names(tmp_path: Path) -> None:
    data = panel()
    expected = regress_parquet(FORMULA, saved(data, tmp_path), "cluster:city").coefficients
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    other = data.assign(
        firm="f" + data["firm"].astype(str), year=[dt.date(y, 12, 31) for y in data["year"]],
        treat_post=data["treat_post"].astype("int8"), city=data["city"].astype(float),
    )  # fmt: skip
    for part, rows in enumerate((other.iloc[::2], other.iloc[1::2])):
        table = duckdb_nan(rows)
        table.to_parquet(folder / f"{part}.parquet")
    found = regress_parquet(FORMULA, folder, "cluster:city").coefficients
    pd.testing.assert_frame_equal(found, expected, rtol=1e-10)


def test_columns_with_the_names_of_the_sums(tmp_path: Path) -> None:
    data = panel()
    names = {"firm": "period", "year": "unit", "y": "w1", "x": "w0", "treat_post": "code", "city": "c0"}
    data = data.rename(columns=names)
    assert_same("w1 ~ code + w0 | period + unit", data, saved(data, tmp_path), "cluster:c0")


def duckdb_nan(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep NaN as a number, as numpy writes it, instead of a null."""
    import pyarrow as pa

    return rows.assign(x=pd.array(pa.array(rows["x"].to_numpy(), from_pandas=False), dtype=pd.ArrowDtype(pa.float64())))


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of which 0.03 GB of memory hold only a part: what is summed by firm has to go to disk."""
    return saved(panel(firms=150_000, years=4), tmp_path_factory.mktemp("larger"))


def test_little_memory_changes_nothing(larger: Path) -> None:
    plain = regress_parquet(FORMULA, larger, "cluster:firm", threads=1).coefficients
    spilled = regress_parquet(FORMULA, larger, "cluster:firm", memory_gb=0.03).coefficients
    pd.testing.assert_frame_equal(spilled, plain, rtol=1e-10)
    assert [p.name for p in larger.parent.iterdir()] == ["panel.parquet"]  # nothing is left behind


@pytest.mark.parametrize(("memory", "bytes_", "problem"), [(0.03, 100_000, "IO Error"), (0.005, -1, "Out of Memory")])
def test_neither_memory_nor_disk(larger: Path, memory: float, bytes_: int, problem: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, before[1]))  # no file may grow larger, as on a full disk
    try:
        with pytest.raises(DataError, match=rf"panel\.parquet: {problem}.*memory_gb = {memory:g}.*and have space"):
            regress_parquet(FORMULA, larger, "cluster:firm", memory_gb=memory)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.name for p in larger.parent.iterdir()] == ["panel.parquet"]


# ------------------------------------------------------------------------------------------------ pairs of cities


def cities(n: int = 40, years: int = 8) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(n)
    codes, span = pd.RangeIndex(100, 100 + n), range(2010, 2010 + years)
    series = [pd.DataFrame(rng.normal(size=(n, years)).cumsum(1), codes, span) for _ in range(2)]
    return pd.Series(np.where(codes % 5 == 0, rng.integers(2012, 2016, n), np.nan), codes), series[0], series[1]


def test_pairs_in_a_file_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_pairs, "BLOCK", 50)
    start, series, control = cities()
    pairs, path = synchronisation.pairs(start.index), tmp_path / "pairs.parquet"
    assert large_pairs.write(path, pairs, start, {"sync": series}, {"edu": control}) == len(pairs) * 8
    data = pd.read_parquet(path)
    assert data[["pair", "year"]].equals(data[["pair", "year"]].sort_values(["pair", "year"]))
    np.testing.assert_array_equal(data["sync"], synchronisation.fisher(series, pairs).to_numpy().ravel())
    np.testing.assert_array_equal(data["edu"], synchronisation.absolute_difference(control, pairs).to_numpy().ravel())
    first, second = (data[side].map(start) for side in ("city_i", "city_j"))
    assert (data["zones"] == first.notna().astype(int) + second.notna()).all()
    since = first.fillna(second).where(data["zones"] == 1, np.inf)
    assert (data["treat_post"] == (data["year"] >= since)).all()
    assert 0 < data["treat_post"].mean() < 1


@pytest.mark.parametrize("vcov", ["cluster:pair", "dyadic:city_i+city_j"])
def test_errors_of_pairs(tmp_path: Path, vcov: str) -> None:
    start, series, control = cities()
    pairs, path = synchronisation.pairs(start.index), tmp_path / "pairs.parquet"
    large_pairs.write(path, pairs, start, {"sync": series}, {"edu": control})
    assert_same("sync ~ treat_post + edu | pair + year", pd.read_parquet(path), path, vcov)
    assert np.isfinite(regress_parquet("sync ~ treat_post + edu | pair + year", path, vcov).coefficients).all(axis=None)


def test_no_dyadic_error_where_all_pairs_share_a_city(tmp_path: Path) -> None:
    start, series, control = cities()
    pairs, path = synchronisation.pairs(start.index).query("city_i == 100"), tmp_path / "pairs.parquet"
    large_pairs.write(path, pairs, start, {"sync": series}, {"edu": control})
    found = regress_parquet("sync ~ edu | pair + year", path, "dyadic:city_i+city_j").coefficients
    assert np.isfinite(found["estimate"]).all() and found[["se", "t", "p", "low", "high"]].isna().all(axis=None)


def test_a_pair_is_the_same_the_other_way_round(tmp_path: Path) -> None:
    start, series, control = cities()
    turned = synchronisation.pairs(start.index)
    turned.iloc[::2] = turned.iloc[::2, ::-1].to_numpy()
    found = []
    for pairs in (synchronisation.pairs(start.index), turned):
        path = tmp_path / "pairs.parquet"
        large_pairs.write(path, pairs, start, {"sync": series}, {"edu": control})
        found.append(regress_parquet("sync ~ treat_post | pair + year", path, "dyadic:city_i+city_j").coefficients)
    pd.testing.assert_frame_equal(*found, rtol=1e-12)


def test_pairs_that_cannot_be_written(tmp_path: Path) -> None:
    start, series, control = cities()
    pairs, path = synchronisation.pairs(start.index), tmp_path / "pairs.parquet"
    for change, message in (
        (
            {"pairs": pd.concat([pairs, pairs.iloc[[3]].set_axis([999])])},
            "pair 999: its number or its two cities stand",
        ),
        ({"start": start.iloc[1:]}, "city 100: not in start"),
        ({"alike": {"edu": control.iloc[:, 1:]}}, "series 'edu': years 2011"),
        ({"alike": {"sync": control}}, "each name once"),
        ({"synchronised": {"sync": series.iloc[1:]}}, "pair of cities 100 and 101: expected two of the 39 cities"),
    ):
        arguments = {"pairs": pairs, "start": start, "synchronised": {"sync": series}, "alike": {"edu": control}}
        with pytest.raises(DataError, match=message):
            large_pairs.write(path, **{**arguments, **change})
        assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    "formula",
    ["y ~ x", "y ~ x | firm", "y ~ x | firm + year + city", "y ~ log(x) | firm + year", "y ~ x | firm + province^year",
     "y + z ~ x | firm + year", "y ~ x + x | firm + year", "y ~ | firm + year", "y ~ x | firm + year | a ~ b"],
)  # fmt: skip
def test_formulas_that_are_not_read(tmp_path: Path, formula: str) -> None:
    with pytest.raises(DeclarationError, match=r"expected 'outcome ~ regressor \+ regressor \| unit \+ period'"):
        regress_parquet(formula, saved(panel(), tmp_path), "cluster:firm")


@pytest.mark.parametrize("vcov", ["iid", "cluster:", "cluster:firm+city", "dyadic:city", "dyadic:city+city"])
def test_errors_that_are_not_offered(tmp_path: Path, vcov: str) -> None:
    with pytest.raises(DeclarationError, match="expected 'cluster:COLUMN' or 'dyadic:COLUMN"):
        regress_parquet(FORMULA, saved(panel(), tmp_path), vcov)


def test_data_that_cannot_answer(tmp_path: Path) -> None:
    data = panel()
    mover = data["firm"].eq(7) & data["year"].eq(data.loc[data["firm"] == 7, "year"].max())
    many = pd.concat([data.assign(firm=k, year=range(len(data))) for k in (1, 2)])
    cases = (
        (FORMULA, data.drop(columns="x"), "no column 'x' in the data"),
        (FORMULA, data.assign(x="a"), "column 'x': VARCHAR, expected numbers"),
        (FORMULA, data.assign(x=np.inf), "infinite values in x"),
        (FORMULA, data.assign(x=np.nan), "no complete row"),
        (FORMULA, pd.concat([data, data[data["firm"] == 7]]), "firm 7: two rows in the same 'year'"),
        (FORMULA, many, "more than 64 periods in 'year'; expected the unit first"),
        ("y ~ x | year + firm", data, "more than 64 periods in 'firm'; expected the unit first"),
        (FORMULA, data.assign(y=data["fixed"] + data["national"]), "the outcome 'y' is constant given firm"),
        (FORMULA, data.assign(y=3.0), "the outcome 'y' is constant given firm"),
        ("y ~ fixed + national | firm + year", data, "all regressors collinear given firm"),
        (FORMULA, data.assign(city=data["city"].mask(mover)), "'city': missing in 1 of the"),
        (FORMULA, data.assign(city=data["city"].mask(mover, 99)), "firm 7: more than one city"),
        (FORMULA, data.assign(city=1), "at least two clusters are needed, found 1"),
    )  # fmt: skip
    for formula, rows, message in cases:
        with pytest.raises((DataError, DeclarationError), match=message):
            regress_parquet(formula, saved(rows, tmp_path), "cluster:city")


def test_files_and_settings_that_do_not_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing.parquet: no such Parquet file"):
        regress_parquet(FORMULA, tmp_path / "missing.parquet", "cluster:firm")
    with pytest.raises(DataError, match="no such Parquet file, or folder of Parquet files"):
        regress_parquet(FORMULA, tmp_path, "cluster:firm")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"broken\.parquet: "):
        regress_parquet(FORMULA, broken, "cluster:firm")
    path = saved(panel(), tmp_path)
    for settings_ in ({"memory_gb": 0}, {"memory_gb": float("nan")}, {"threads": 0}):
        with pytest.raises(ParameterError, match="expected positive numbers"):
            regress_parquet(FORMULA, path, "cluster:firm", **settings_)
