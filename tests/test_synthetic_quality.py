"""The synthetic panel of the study `quality`: its frame, its records, its truth, and the gates on its Monte Carlo."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from pilotzones import panel, policy, published, replicate
from pilotzones.measures import export_quality
from pilotzones.paths import CALIBRATION, ROOT
from pilotzones.studies.quality import records, synthetic
from pilotzones.studies.quality.study import STUDY

KEYS = ["table", "column", "term", "statistic"]
NO_EFFECT = {"effect_ecom": 0.0, "effect_basic": 0.0}


@pytest.fixture(scope="module")
def book() -> pd.DataFrame:
    return panel.generate(STUDY, STUDY.seed)


@pytest.fixture(scope="module")
def drawn(book: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return records.generate(book, STUDY.seed, 300)


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    rows = pd.read_csv(CALIBRATION / "quality.csv", dtype=dict.fromkeys(KEYS, str)).fillna(dict.fromkeys(KEYS, ""))
    return rows.assign(cell=rows[KEYS].agg("/".join, axis=1)).set_index("cell")


def fingerprint(seed: int) -> str:
    values = pd.util.hash_pandas_object(synthetic.generate(seed)).to_numpy()
    return hashlib.sha256(values.tobytes()).hexdigest()


def estimate(table: str, column: str, data: pd.DataFrame, outcome: str = "") -> pd.Series:
    fit = replicate.column(STUDY, STUDY.table(table).column(column), data, outcome=outcome)
    return fit.coefficients.iloc[0]


# ------------------------------------------------------------------------------------------------------------- frame


def test_1053_firms_in_30_provinces_and_no_province_ever_without_one(book: pd.DataFrame) -> None:
    assert book["firm"].nunique() == 1053
    assert set(book["province"]) == set(policy.provinces().index) - {540000, 710000, 810000, 820000}
    assert (book.groupby("year")["province"].nunique() == 30).all()
    assert (book.groupby("firm")["province"].nunique() == 1).all()
    assert 8 < len(book) / 1053 < 9


def test_zones_are_counted_by_their_real_dates(book: pd.DataFrame) -> None:
    zones = book.groupby(["province", "year"])["ftz"].first().unstack()
    opened = {310000: 2013, 440000: 2015, 330000: 2017, 460000: 2018, 320000: 2019, 110000: 2020}
    for province, year in opened.items():
        assert zones.loc[province, :year].tolist()[-2:] == [0, 1], province
    assert (zones.loc[650000] == 0).all()  # 2023


def test_every_indicator_is_that_of_the_province_and_moves_the_index(book: pd.DataFrame) -> None:
    for index in STUDY.indices:
        names = [*index.indicators]
        assert (book.groupby(["province", "year"])[[*names, index.name]].nunique() == 1).all().all()
        assert book[index.name].between(0, 1).all()


# ----------------------------------------------------------------------------------------------------------- records


def test_records_measured_again_give_the_panel(book: pd.DataFrame, drawn: dict[str, pd.DataFrame]) -> None:
    measured, _ = synthetic.measure(drawn["customs"], drawn["products"].set_index("product")["sigma"])
    keys = pd.MultiIndex.from_frame(book[["firm", "year"]])
    for name, values in measured.items():
        assert book[name].to_numpy() == pytest.approx(values.reindex(keys).to_numpy(), abs=1e-12), name


def test_cleaning_drops_what_was_spoilt_and_little_else(drawn: dict[str, pd.DataFrame]) -> None:
    customs, sigma = drawn["customs"], drawn["products"].set_index("product")["sigma"]
    usable, dropped = export_quality.clean(customs, sigma)
    assert dropped["zero or negative quantity"] == (customs["quantity"] == 0).sum() > 100
    assert dropped["outlier"] > 100 and dropped["missing value"] == dropped["zero or negative price"] == 0
    alone = export_quality.demand_residual(usable, sigma)["quality"].isna().sum()
    assert alone >= 20  # products sold once
    assert dropped.sum() + alone < 0.005 * len(customs)
    assert sigma.between(2, 8).all() and sigma.std() > 1
    assert 0.4 < customs["listed"].mean() < 0.6


def test_quality_is_recovered_and_the_records_know_the_truth(
    book: pd.DataFrame, drawn: dict[str, pd.DataFrame]
) -> None:
    usable, _ = export_quality.clean(drawn["customs"], drawn["products"].set_index("product")["sigma"])
    quality = export_quality.demand_residual(usable, drawn["products"].set_index("product")["sigma"])["quality"]
    found = export_quality.recovery(quality, usable["quality_true"], usable)
    assert found.loc["records, within product", "correlation"] > 0.95
    # below one: the effects of destinations and years absorb some of the truth, too
    assert 0.9 < found.loc["records, within product", "slope"] < 1
    assert book["SEX"].corr(book["SEX_true"]) > 0.9


def test_without_the_other_exporters_the_common_trend_turns_round(drawn: dict[str, pd.DataFrame]) -> None:
    customs, sigma = drawn["customs"], drawn["products"].set_index("product")["sigma"]
    rises = {}
    for name, rows in (("all exporters", customs), ("listed firms", customs[customs["listed"] == 1])):
        found = synthetic.measure(rows, sigma)[0]["SEX_records"]
        of_year = found[found.index.get_level_values("firm") < records.OTHERS].groupby("year").mean()
        rises[name] = of_year[2021] - of_year[2010]
    # among listed firms the effects of the year absorb the mean of (sigma - 1) times the trend; divided by sigma - 1,
    # more than the trend is gone where sigma is low, and that outweighs the rest
    assert rises["listed firms"] < 0 < 0.03 < rises["all exporters"]


# ------------------------------------------------------------------------------------------- randomness and the truth


def test_same_seed_same_bytes_in_any_process() -> None:
    code = "import sys; sys.path[:0] = ['tests']\nfrom test_synthetic_quality import fingerprint as f; print(f(7))"
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert fingerprint(7) == fingerprint(7) == other.stdout.decode().strip()
    assert fingerprint(7) != fingerprint(8)


def test_only_random_parts_differ_between_seeds() -> None:
    one, two = synthetic.generate(1), synthetic.generate(2)
    for name in ("firm", "year", "province", "age", "state", "ftz", "bonded"):
        assert one[name].equals(two[name]), name
    for name in ("employees", "con", "debt", "cbec_retail", "SEX", "soph"):
        assert (one[name] != two[name]).mean() > 0.9, name


def test_true_effect_is_what_true_quality_lacks_without_it() -> None:
    observed, without = synthetic.generate(5), synthetic.generate(5, NO_EFFECT)
    assert (without["true_effect"] == 0).all() and observed["true_effect"].std() > 0.01
    apart = observed["SEX_true"] - without["SEX_true"] - observed["true_effect"]
    moved = observed["true_effect"].std()
    # prices and so weights differ a little between the two worlds, and so does the scale
    assert np.corrcoef(observed["SEX_true"] - without["SEX_true"], observed["true_effect"])[0, 1] > 0.8
    assert apart.groupby(observed["firm"]).transform(lambda x: x - x.mean()).std() < 0.5 * moved


def test_a_firm_gains_on_average_what_the_parameters_say(book: pd.DataFrame) -> None:
    p = synthetic.parameters()
    x = p["effect_ecom"] * book["ecom"] + p["effect_basic"] * book["basic"]
    spread = x.sum() / book["true_effect"].sum()  # log points per unit of SEX, if the mean of h is 1
    means = (spread * book["true_effect"]).groupby(book["year"]).mean() / x.groupby(book["year"]).mean()
    assert 4 < spread < 9
    assert means.between(0.7, 1.3).all()


def test_the_benchmark_recovers_what_was_built_in(book: pd.DataFrame, summary: pd.DataFrame) -> None:
    truth = replicate.estimand(STUDY, STUDY.table("T3").column("2"), book)["ret"]
    cell = summary.loc["T3/2/ret/estimate"]
    assert abs(estimate("T3", "2", book)["estimate"] - truth) < 3 * cell["mc_sd"]


def test_sophistication_rises_with_the_index_and_leaks_little_into_quality() -> None:
    still = {"shift_ecom": 0.0, "shift_basic": 0.0}
    worlds = [STUDY.derive(synthetic.generate(3, {**NO_EFFECT, **more})) for more in ({}, still)]
    soph = [estimate("T6", "2", data)["estimate"] for data in worlds]
    leak = [estimate("T3", "2", data)["estimate"] for data in worlds]
    assert soph[0] > soph[1] + 0.03
    assert abs(leak[0] - leak[1]) < 0.02


def test_every_target_is_a_printed_cell_and_a_parameter() -> None:
    parameters = synthetic.parameters()
    printed = published.estimates("quality")[["table", "column", "term"]].agg("/".join, axis=1) + "/estimate"
    columns = published.columns("quality").dropna(subset=["r2"])
    known = set(printed) | set(columns["table"] + "/" + columns["column"] + "//r2")
    for name, cell, step in synthetic.TARGETS:
        assert isinstance(parameters[name], float) and step > 0 and cell in known, name
    assert len({name for name, *_ in synthetic.TARGETS}) == len(synthetic.TARGETS)


# ------------------------------------------------------------------------------- gates on the committed Monte Carlo


def test_the_monte_carlo_is_large_and_meets_its_targets(summary: pd.DataFrame) -> None:
    assert summary["runs"].min() >= 200
    for _, cell, _ in synthetic.TARGETS:
        found = summary.loc[cell]
        assert abs(found["mc_mean"] - found["target"]) < (0.005 if cell.endswith("estimate") else 0.01), cell


def test_the_one_number_that_is_not_targeted_is_close(summary: pd.DataFrame) -> None:
    missed = summary.loc["T3/3//r2"]
    assert missed["tag"] == "untargeted"
    assert abs(missed["mc_mean"] - missed["target"]) < 0.02


def test_iid_errors_miss_what_the_firms_of_a_province_have_in_common(summary: pd.DataFrame) -> None:
    benchmark = summary.loc["T3/2/ret/estimate"]
    assert benchmark["coverage_iid"] < 0.6 < 0.9 < benchmark["coverage_unit"]
    assert benchmark["mean_se_iid"] < 0.6 * benchmark["mc_sd"]
