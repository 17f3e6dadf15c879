"""The synthetic panel of `resilience`: frame, accounting, weights, truth, determinism, and gates on its Monte Carlo."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from pilotzones import calibration, panel, policy, published, replicate, studies
from pilotzones.errors import DataError
from pilotzones.paths import CALIBRATION, ROOT
from pilotzones.studies.resilience import frame, synthetic
from pilotzones.studies.resilience.study import CONTROLS, RESILIENCE

STUDY = studies.load("resilience")
PRINTED = calibration.printed(STUDY)
SHANGHAI, SHENZHEN, LONGNAN, HAIDONG = 310000, 440300, 621200, 630200


@pytest.fixture(scope="module")
def book() -> pd.DataFrame:
    return panel.generate(STUDY, STUDY.seed)


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    text = {name: str for name in calibration.KEYS}
    return pd.read_csv(CALIBRATION / "resilience.csv", dtype=text).fillna(dict.fromkeys(text, ""))


def cells(summary: pd.DataFrame, statistic: str) -> pd.DataFrame:
    found = summary[(summary["statistic"] == statistic) & summary["target"].notna()].copy()
    found["cell"] = found["table"] + "/" + found["column"] + "/" + found["term"]
    return found.set_index("cell")


def fingerprint(seed: int) -> str:
    values = pd.util.hash_pandas_object(synthetic.generate(seed)).to_numpy()
    return hashlib.sha256(values.tobytes()).hexdigest()


# ------------------------------------------------------------------------------------------------------------- frame


@pytest.mark.parametrize("seed", [STUDY.seed, 7])
def test_every_sample_has_its_printed_size(seed: int) -> None:
    data = panel.generate(STUDY, seed)
    printed = published.columns("resilience").set_index(["table", "column"])["n_obs"]
    for table in STUDY.tables:
        for column in table.columns:
            if (table.id, column.id) in printed.index:
                used = replicate.column(STUDY, column, data, "iid").n_obs
                assert used == printed[table.id, column.id], (table.id, column.id)


def test_cities_are_those_of_the_paper(book: pd.DataFrame) -> None:
    cities = book.drop_duplicates("city")
    assert len(cities) == 283
    assert cities["cohort"].notna().sum() == 99
    treated = policy.first_batch(partial=False).between(1, 5)
    assert set(cities.loc[cities["cohort"].notna(), "city"]) == set(
        treated.index[treated & treated.index.isin(cities["city"])]
    )
    assert (book.groupby("city").size() == 13).all()


def test_only_investment_and_urbanisation_are_missing_where_the_index_is_not(book: pd.DataFrame) -> None:
    with_index = book[book["Resil"].notna()]
    missing = with_index[[*RESILIENCE.indicators, *CONTROLS]].isna().sum()
    assert set(missing.index[missing > 0]) == {"fdi", "population"}
    without = book[book["Resil"].isna()]
    assert without[["city", "year"]].to_numpy().tolist() == [[HAIDONG, 2010], [HAIDONG, 2011]]
    # tails: a city that stops publishing investment does not start again, and stops in 2019 at the earliest
    gaps = book[book["fdi"].isna()]
    assert gaps["year"].min() >= 2019
    assert (gaps.groupby("city")["year"].min() + gaps.groupby("city").size() == 2023).all()


# -------------------------------------------------------------------------------------------------------- accounting


def test_variables_that_belong_together_do(book: pd.DataFrame) -> None:
    _, cities = frame.frame()
    residents = book["city"].map(cities["residents"])
    assert book["gdp"].to_numpy() == pytest.approx((book["gdp_pc"] * residents).to_numpy())
    full = book.dropna(subset=["income"])
    assert full["lnincome"].to_numpy() == pytest.approx(np.log(full["income"]).to_numpy())
    assert book["sci_tech_level"].between(0.001, 0.3).all()
    assert (book[["patents", "unemployed"]] % 1 == 0).all().all()
    assert (book["retail"] < book["gdp"]).mean() > 0.99


def test_named_cities_look_like_themselves(book: pd.DataFrame) -> None:
    first, last = (book[book["year"] == year].set_index("city") for year in (2010, 2022))
    assert 30_000 < first["gdp_pc"].mean() < 50_000
    assert 70_000 < last["gdp_pc"].mean() < 100_000
    lasting = book.groupby("city")[["gdp_pc", "gdp"]].mean()  # single years vary
    assert lasting["gdp_pc"][SHANGHAI] > 1.5 * lasting["gdp_pc"].median() > 1.5 * lasting["gdp_pc"][LONGNAN]
    assert 1.5e8 < lasting["gdp"][SHANGHAI] < 5e8  # 10,000 yuan; in truth 3.1e8
    assert last["Resil"].rank(ascending=False)[[SHANGHAI, SHENZHEN]].max() <= 10
    assert last["Resil"].rank(pct=True)[LONGNAN] < 0.35
    assert last["light"][SHENZHEN] > 5 * last["light"][LONGNAN]


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return synthetic.generate(STUDY.seed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw.assign(science=7.0), ["'science'", "7"]),
        (lambda raw: raw.assign(patents=np.nan), ["'patents'"]),
        (lambda raw: raw.assign(retail=raw["retail"].mask(raw.index == 5, np.inf)), ["'retail'", "5"]),
    ],
)
def test_indicators_without_an_index_are_named(raw: pd.DataFrame, change: object, words: list[str]) -> None:
    with pytest.raises(DataError) as problem:
        STUDY.derive(change(raw))  # type: ignore[operator]
    assert all(word in str(problem.value) for word in words), problem.value


def test_a_negative_share_and_a_double_row_are_refused_with_their_place(raw: pd.DataFrame) -> None:
    negative = raw.assign(fdi=raw["fdi"].mask(raw.index == 40, -0.1))
    with pytest.raises(DataError, match=r"'fdi'.*city 110000|'fdi'.*city 120000|'fdi'.*city 130"):
        panel.validate(STUDY.derive(negative), STUDY, "synthetic", "the test")
    double = pd.concat([raw, raw.iloc[[40]]])
    city, year = raw.loc[40, ["city", "year"]]
    with pytest.raises(DataError, match=rf"city {city}.*year {year}.*second row"):
        panel.validate(STUDY.derive(double), STUDY, "synthetic", "the test")


@pytest.mark.parametrize(("code", "like", "last"), [(371200, 371100, 2018), (341400, 341500, 2010)])
def test_cities_that_were_merged_away_are_named(raw: pd.DataFrame, code: int, like: int, last: int) -> None:
    """Laiwu went to Jinan in 2019, Chaohu was split in 2011: the sample has cities of today, so their rows stop it."""
    old = raw[(raw["city"] == like) & (raw["year"] <= last)].assign(city=code)
    assert len(old) == last - 2009
    with pytest.raises(DataError, match=f"{code} has no coordinates"):
        STUDY.derive(pd.concat([raw, old]))


# ------------------------------------------------------------------------------------------------------------- truth


def test_same_seed_same_bytes_in_any_process() -> None:
    code = (
        "import sys; sys.path[:0] = ['tests']\nfrom test_synthetic_resilience import fingerprint; print(fingerprint(7))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert fingerprint(7) == other.stdout.decode().strip()
    assert fingerprint(7) != fingerprint(8)


def test_the_truth_is_zero_without_a_reform(book: pd.DataFrame) -> None:
    treated = (book["treat_post"] == 1) & book["Resil"].notna()
    assert (book.loc[~treated, "true_effect"] == 0).all()
    assert (book.loc[treated, "true_effect"] > 0).all()
    none = {name: 0.0 for name in ("effect_early", "effect_middle", "effect_late", "effect_central", "effect_west")}
    assert (synthetic.generate(STUDY.seed, none)["true_effect"] == 0).all()


def test_an_index_measured_anew_without_the_reform_moves_control_cities() -> None:
    """Why the truth has one yardstick: minima, maxima and weights of each world violate SUTVA."""
    none = {name: 0.0 for name in ("effect_early", "effect_middle", "effect_late", "effect_central", "effect_west")}
    with_reform, without = (STUDY.derive(synthetic.generate(STUDY.seed, p)) for p in (None, none))
    controls = with_reform["cohort"].isna() & with_reform["Resil"].notna()
    raw = [*RESILIENCE.indicators]
    assert with_reform.loc[controls, raw].equals(without.loc[controls, raw])
    moved = (with_reform["Resil"] - without["Resil"])[controls]
    assert moved.mean() < -0.005  # the reform raises maxima: the same raw numbers count for less


def test_the_benchmark_recovers_what_was_built_in(book: pd.DataFrame, summary: pd.DataFrame) -> None:
    column = STUDY.table("T2").column("2")
    estimate = replicate.column(STUDY, column, book).coefficients.loc["treat_post", "estimate"]
    truth = replicate.estimand(STUDY, column, book)["treat_post"]
    cell = cells(summary, "estimate").loc["T2/2/treat_post"]
    assert abs(estimate - truth) < 3 * cell["mc_sd"]


def test_every_target_is_a_printed_cell_and_a_parameter() -> None:
    parameters = synthetic.parameters()
    for name, expression, step in synthetic.TARGETS:
        assert isinstance(parameters[name], float), name
        for cell in expression.split(" at "):
            assert np.isfinite(calibration.value(PRINTED, cell)), cell
        assert step > 0
    assert all(name in parameters for name in synthetic.EFFECTS)
    assert all(cell in PRINTED for cell in (*synthetic.EFFECT_CELLS, *synthetic.SET_DIRECTLY))
    assert len({name for name, *_ in synthetic.TARGETS}) == len(synthetic.TARGETS)
    for (table, column, control), slope in {
        ("T6", str(i + 1), c): slope
        for i, slopes in enumerate(frame.settings()["slopes"].values())
        for c, slope in zip(CONTROLS, slopes, strict=True)
    }.items():
        assert PRINTED[f"{table}/{column}/{control}/estimate"] == slope


# ------------------------------------------------------------------------------- gates on the committed Monte Carlo

# cells whose mean is further than three printed standard errors from the print: free trade zones would need a negative
# effect; what a control picks up is partly mechanical, for retail sales and the fiscal ratio are inputs of the index
FAR = {
    "T2/2/consumption", "T3/2/fiscal", "T3/3/cftzs", "T5/2/fiscal", "T5/2/_cons", "T5/5/fiscal",
}  # fmt: skip
# treatment cells whose mean clustered error is more than 15% off the printed one
SE_FAR = {
    "T2/1", "T3/1",  # a quarter of the two-way difference comes from the five largest cities
    "T4/1", "T4/2", "T5/1", "T5/2", "T5/3", "T5/5",  # one own factor of a city for all groups
    "T6/1", "T6/2",
}  # fmt: skip


def test_the_monte_carlo_is_large_and_complete(summary: pd.DataFrame) -> None:
    assert summary["runs"].min() >= 200
    keys = set(summary[calibration.KEYS].agg("/".join, axis=1))
    assert {cell for cell in PRINTED if not cell.endswith("/se") and np.isfinite(PRINTED[cell])} <= keys


def test_means_are_near_the_printed_coefficients(summary: pd.DataFrame) -> None:
    found = cells(summary, "estimate")
    z = (found["mc_mean"] - found["target"]) / [PRINTED[f"{cell}/se"] for cell in found.index]
    assert set(z.index[z.abs() > 3]) == FAR, z[z.abs() > 3].to_dict()
    reform = z[z.index.str.endswith("/treat_post")]
    assert len(reform) == 15
    assert reform.abs().max() < 1.5


def test_clustered_errors_are_near_the_printed_ones(summary: pd.DataFrame) -> None:
    found = cells(summary, "estimate")
    found = found[found.index.str.endswith(("treat_post", "light_post"))]
    ratio = found["mean_se_city"] / [PRINTED[f"{cell}/se"] for cell in found.index]
    off = {"/".join(cell.split("/")[:2]) for cell in ratio.index[(ratio - 1).abs() > 0.15]}
    assert off == SE_FAR, ratio.to_dict()
    iid = found["mean_se_iid"] / [PRINTED[f"{cell}/se"] for cell in found.index]
    assert iid.median() < 0.5  # why "robust" is read as clustered


def test_weights_come_out_of_the_indicators(summary: pd.DataFrame) -> None:
    found = summary[summary["statistic"] == "weight"].set_index("term")
    assert len(found) == 14
    exchanged = ["savings deposits of urban and rural residents", "registered urban unemployed"]
    gap = (found["mc_mean"] - found["target"]).drop(index=exchanged)
    assert gap.abs().max() < 0.005
    assert found.loc[exchanged[0], "mc_mean"] == pytest.approx(found.loc[exchanged[1], "target"], abs=0.005)
    assert found.loc[exchanged[1], "mc_mean"] == pytest.approx(found.loc[exchanged[0], "target"], abs=0.005)


def test_intervals_clustered_by_city_cover_and_iid_ones_do_not(summary: pd.DataFrame) -> None:
    benchmark = cells(summary, "estimate").loc["T2/2/treat_post"]
    assert benchmark["coverage_city"] > 0.9
    assert benchmark["coverage_iid"] < 0.5
