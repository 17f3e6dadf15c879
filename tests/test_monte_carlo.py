"""Tests of the Monte Carlo of the estimators: the numbers of the libraries, and what the committed summaries say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pilotzones import modern_did, monte_carlo, panel, studies
from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators.modern import ESTIMATORS
from pilotzones.monte_carlo import NONE, Linear, World
from pilotzones.paths import CALIBRATION
from pilotzones.scenarios import SCENARIOS

STUDY = studies.load("resilience")
HAIDONG = 630200  # has gaps
# of the others, stacked leaves cohorts out, and two-way fixed effects weight rows by their own rule
ROBUST = [name for name in ESTIMATORS if name not in ("twfe", "stacked")]
EQUAL_TRENDS = ("homogeneous", "cohorts", "dynamic")


@pytest.fixture(scope="module")
def book() -> pd.DataFrame:
    """Some of the cities, with the study's cohorts and gaps: the same design in less time."""
    data = panel.generate(STUDY, STUDY.seed)
    return data[(data["city"] // 100 % 3 == 0) | (data["cohort"] == 2015) | (data["city"] == HAIDONG)]


@pytest.fixture(scope="module")
def here(book: pd.DataFrame) -> World:
    return monte_carlo.world(STUDY, book)


@pytest.fixture(scope="module")
def forms(here: World) -> dict[str, Linear]:
    return {name: monte_carlo.linear(name, here.rows) for name in ESTIMATORS}


@pytest.fixture(scope="module")
def draws(here: World, forms: dict[str, Linear]) -> pd.DataFrame:
    return monte_carlo.monte_carlo(here, forms, [11, 12])


# ---------------------------------------------------------------------------------------------------------- libraries


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("scenario", [NONE, "cohorts", "spilling"])
def test_estimate_error_and_interval_are_the_library_s(
    here: World, draws: pd.DataFrame, name: str, scenario: str
) -> None:
    y = here.untreated(12) + here.added[scenario].to_numpy()
    theirs = monte_carlo.library(name, here.rows, y).att
    ours = draws[(draws["estimator"] == name) & (draws["scenario"] == scenario) & (draws["seed"] == 12)].iloc[0]
    np.testing.assert_allclose(ours[theirs.index].to_numpy(float), theirs, rtol=0, atol=1e-10)


def test_a_form_that_is_not_the_library_s_is_noticed(here: World, draws: pd.DataFrame) -> None:
    some = draws[draws["estimator"] == "callaway_santanna"]
    assert monte_carlo.compare(here, some, 11) < monte_carlo.TOLERANCE
    with pytest.raises(DataError, match=r"callaway_santanna, scenario 'none', seed 11: 1.0e-04 effects apart"):
        monte_carlo.compare(here, some.assign(se=some["se"] + 1e-4 * here.size), 11)


# ---------------------------------------------------------------------------------------------------------------- runs


def test_a_draw_is_the_same_whatever_runs_beside_it(here: World, forms: dict[str, Linear], draws: pd.DataFrame) -> None:
    alone = monte_carlo.monte_carlo(here, forms, [12])
    same = draws[draws["seed"] == 12].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, same, rtol=1e-12)
    assert len(draws) == 2 * len(ESTIMATORS) * (len(SCENARIOS) + 1)


def test_rows_of_the_world_are_those_of_the_estimators(book: pd.DataFrame, here: World) -> None:
    design = modern_did.design(STUDY, book)
    assert here.size == modern_did.truth(design)
    assert len(here.frame) == int(book[STUDY.outcome].notna().sum())
    assert (here.frame["event_time"].ge(0).fillna(False).to_numpy(bool) == (here.rows.rows["post"] == 1)).all()
    np.testing.assert_array_equal(here.frame["year"], here.rows.rows["time"])
    assert here.truth[NONE] == 0
    np.testing.assert_allclose(here.truth.drop(NONE), here.size)


def test_the_order_of_the_rows_changes_nothing(book: pd.DataFrame, draws: pd.DataFrame) -> None:
    shuffled = monte_carlo.world(STUDY, book.sample(frac=1, random_state=3))
    form = {"lp_did": monte_carlo.linear("lp_did", shuffled.rows)}
    again = monte_carlo.monte_carlo(shuffled, form, [11])
    before = draws[(draws["seed"] == 11) & (draws["estimator"] == "lp_did")].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, before, rtol=1e-9)


def test_the_command_writes_the_summary(
    book: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(monte_carlo, "CALIBRATION", tmp_path)
    monkeypatch.setattr(monte_carlo.panel, "generate", lambda study, seed: book)
    monkeypatch.setattr(monte_carlo.modern, "ESTIMATORS", {"callaway_santanna": ESTIMATORS["callaway_santanna"]})
    monte_carlo.main(["resilience", "--runs", "3"])
    assert "resilience_modern.csv: 3 runs; libraries differ by at most" in capsys.readouterr().out
    written = pd.read_csv(tmp_path / "resilience_modern.csv")
    assert written["scenario"].tolist() == [NONE, *SCENARIOS]
    assert (written["runs"] == 3).all()


def test_summary_by_hand() -> None:
    rows = [(1.0, 0.5, 1.5), (2.0, 1.5, 2.5), (0.0, -0.5, 0.5), (1.5, 0.9, 2.1)]
    drawn = pd.DataFrame(rows, columns=["estimate", "low", "high"])
    drawn = drawn.assign(scenario="s", estimator="e", seed=range(4), truth=1.0)
    found = monte_carlo.summarise(drawn, size=2.0).iloc[0]
    error = np.array([0.0, 0.5, -0.5, 0.25])
    assert found["bias"] == pytest.approx(error.mean())
    assert found["sd"] == pytest.approx(error.std(ddof=1))
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found[["coverage", "power", "runs"]].tolist() == [0.5, 0.75, 4]


def test_panels_it_is_not_made_for() -> None:
    firms = studies.load("innovation")
    with pytest.raises(ParameterError, match=r"study 'innovation': 3,412 units; expected a panel of at most 1,000"):
        monte_carlo.world(firms, panel.generate(firms, firms.seed))
    with pytest.raises(ParameterError, match=r"study 'resilience': a Monte Carlo needs a panel whose true effect"):
        monte_carlo.world(STUDY, panel.generate(STUDY, STUDY.seed).drop(columns="true_effect"))


# ---------------------------------------------------------------------------------------------------- committed results


@pytest.mark.parametrize("key", ["resilience", "productivity"])
class TestSummary:
    @pytest.fixture
    def table(self, key: str) -> pd.DataFrame:
        return pd.read_csv(CALIBRATION / f"{key}_modern.csv").set_index(["scenario", "estimator"])

    def test_is_complete(self, table: pd.DataFrame) -> None:
        expected = pd.MultiIndex.from_product([[NONE, *SCENARIOS], ESTIMATORS])
        assert sorted(table.index) == sorted(expected)
        assert (table["runs"] >= 500).all()

    def test_all_are_unbiased_where_the_effect_is_the_same_for_all(self, table: pd.DataFrame) -> None:
        error = table["sd"] / np.sqrt(table["runs"])
        for scenario in (NONE, "homogeneous"):
            assert (table["bias"].abs() < 4 * error)[scenario].all()

    def test_unequal_effects_mislead_two_way_fixed_effects_only(self, table: pd.DataFrame) -> None:
        for scenario in EQUAL_TRENDS[1:]:
            bias = table.loc[scenario, "bias"].abs()
            assert bias["twfe"] > 0.05
            assert (bias[ROBUST] < 0.01).all()

    def test_no_estimator_mends_a_failed_assumption(self, table: pd.DataFrame) -> None:
        for scenario in ("anticipated", "trending", "spilling"):
            assert (table.loc[scenario, "bias"].abs() > 0.1).all()
            assert (table.loc[scenario, "coverage"] < 0.9).all()

    def test_intervals_that_see_no_noise_in_a_cohort_of_one_city_are_too_short(self, table: pd.DataFrame) -> None:
        coverage = table.loc["homogeneous", "coverage"]
        blind = ["callaway_santanna", "sun_abraham", "borusyak_jaravel_spiess", "wooldridge"]
        seeing = ["twfe", "gardner", "stacked", "dechaisemartin_dhaultfoeuille"]
        assert coverage[blind].max() < 0.935 < coverage[seeing].min()
        assert (coverage[seeing] < 0.97).all()

    def test_size_of_the_test_is_one_less_coverage_without_an_effect(self, table: pd.DataFrame) -> None:
        none = table.loc[NONE]
        np.testing.assert_allclose(none["power"], 1 - none["coverage"], atol=1e-6)

    def test_mean_squared_error_adds_up(self, table: pd.DataFrame) -> None:
        n = table["runs"]
        np.testing.assert_allclose(table["rmse"] ** 2, table["bias"] ** 2 + table["sd"] ** 2 * (n - 1) / n, rtol=1e-4)
