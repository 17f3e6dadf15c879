"""The page on modern estimators and the table over all studies: what they are about, and what they do with failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pilotzones import book, modern_did, panel, parameters, paths, replicate, scenarios, studies
from pilotzones.declare import Study
from pilotzones.errors import ParameterError
from pilotzones.estimators import modern


@pytest.fixture(scope="module")
def study() -> Study:
    return studies.load("resilience")


@pytest.fixture(scope="module")
def data(study: Study) -> pd.DataFrame:
    return panel.load(study)


@pytest.fixture(scope="module")
def found(study: Study, data: pd.DataFrame) -> dict:
    return modern_did.estimates(modern_did.design(study, data))


def test_comparisons_add_up_to_two_way_fixed_effects(study: Study, data: pd.DataFrame) -> None:
    taken_apart = modern_did.bacon(modern_did.design(study, data))
    table = modern_did.bacon_types(taken_apart)
    assert table.at["all", "weight"] == pytest.approx(1)
    parts = table.drop("all")
    assert (parts["weight"] * parts["estimate"]).sum() == pytest.approx(table.at["all", "estimate"])
    complete = data.groupby("city")["Resil"].transform("count") == 13
    plain = replace(study.table("T2").column("2"), formula="Resil ~ treat_post | city + year")
    fit = replicate.column(study, plain, data[complete])
    assert taken_apart.estimate == pytest.approx(fit.coefficients.at["treat_post", "estimate"])


def test_estimates_of_a_world_with_one_effect_agree_with_it(study: Study, data: pd.DataFrame) -> None:
    world = scenarios.laid_over(study, data, "homogeneous")
    design = modern_did.design(study, world)
    quiet = replace(design, rows=design.rows.assign(Resil=design.rows["true_effect"]))
    for name, estimate in modern_did.estimates(quiet).items():
        assert not isinstance(estimate, str), estimate
        assert estimate.att["estimate"] == pytest.approx(modern_did.truth(design), rel=1e-6), name


def test_an_estimator_that_fails_gives_its_reason(study: Study, data: pd.DataFrame) -> None:
    alone = modern_did.design(study, data[data["cohort"].notna() & (data["year"] >= data["cohort"])])
    found = modern_did.estimates(alone)
    assert modern_did.table(found)["estimate"].isna().all()
    assert modern_did.notes(found)["note"].str.contains("expected|control").all()


def test_every_estimator_has_a_row(found: dict) -> None:
    table = modern_did.table(found)
    assert list(table.index) == [method.title for method in modern.ESTIMATORS.values()]
    assert (table["low"] < table["estimate"]).all() and (table["estimate"] < table["high"]).all()


def test_bounds_widen_with_the_violation(found: dict) -> None:
    bounds = modern_did.honest_bounds({"callaway_santanna": found["callaway_santanna"]})
    for restriction in ("relative magnitudes", "smoothness"):
        rows = bounds[bounds.index.str.startswith(f"{restriction}, M")]
        assert (np.diff(rows["low"]) <= 1e-9).all() and (np.diff(rows["high"]) >= -1e-9).all()


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.1, 0.3, "survives"), (-0.1, 0.3, "weakened"), (-0.3, -0.1, "reversed")]
)
def test_verdicts(low: float, high: float, word: str) -> None:
    assert modern_did.verdict(0.2, low, high) == word
    assert modern_did.verdict(-0.2, -high, -low) == word


def test_the_papers_own_estimate_is_tested_in_five_ways(study: Study, data: pd.DataFrame) -> None:
    table = modern_did.inference(study, data, draws=99, seed=1)
    fit = replicate.benchmark(study, data).coefficients.loc["treat_post"]
    assert len(table) == 5
    assert table.at["as the paper computes it", "p"] == fit["p"]
    assert table["p"].between(0, 1).all()


def test_the_monte_carlo_has_every_estimator_in_every_world(study: Study) -> None:
    tables = modern_did.monte_carlo(study)
    assert set(tables) == {"bias", "sd", "rmse", "coverage", "power"}
    for table in tables.values():
        assert set(scenarios.SCENARIOS) <= set(table.columns)
        assert list(table.index) == [method.title for method in modern.ESTIMATORS.values()]
    assert np.allclose(tables["rmse"] ** 2, tables["bias"] ** 2 + tables["sd"] ** 2, rtol=0.01)
    assert modern_did.monte_carlo(studies.load("innovation")) == {}


def test_the_page_is_for_studies_with_a_roll_out() -> None:
    with pytest.raises(ParameterError, match="the paper has nothing for 08_modern_did"):
        parameters.check("08_modern_did", {"study": "quality"})
    with pytest.raises(ParameterError, match="scenario = 'x': expected 'paper'"):
        parameters.check("08_modern_did", {"scenario": "x"})
    for page in book.pages():
        if page.study:
            assert studies.load(page.study).has_section(page.section), page


def test_pages_about_all_studies_have_a_place_and_parameters_of_their_own() -> None:
    across = [page for page in book.pages() if page.folder == "across"]
    sections = ("17_rollout", "11_across_studies", "16_audit_summary", "10_verification")
    assert [str(page) for page in across] == [f"across/{section}" for section in sections]
    assert all(page.target.parent == paths.ACROSS for page in across)
    with pytest.raises(ParameterError, match="study: 10_verification has no such parameter"):
        parameters.check("10_verification", {"study": "innovation"})
