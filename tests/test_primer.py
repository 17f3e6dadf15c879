"""The primer and the scenario lab: their claims hold, their flags are the right ones, and the book executes them."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from pilotzones import book, lab, modern_did, notebooks, panel, parameters, paths, policy, scenarios, studies
from pilotzones.errors import DataError, ParameterError
from pilotzones.report import tables

mpl.use("agg")
PRIMER = [section for section in notebooks.sections() if section.startswith("primer_")]


@cache
def page(section: str, **changed: Any) -> dict[str, Any]:
    """Return what a page computes: its code, run cell by cell in one namespace, with some parameters changed."""
    names: dict[str, Any] = {}
    for cell in notebooks.read(section).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, section, "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                names.update(changed)
    return names


# --------------------------------------------------------------------------------------------------------------- book


def test_the_pages_have_a_place_of_their_own_in_the_book() -> None:
    listed = [page for page in book.pages() if page.folder == "primer"]
    assert [page.section for page in listed] == [*PRIMER, "lab"]
    assert len(PRIMER) == 6
    assert all(
        page.target == paths.ROOT / "book" / "primer" / f"{page.section}.ipynb" and not page.study for page in listed
    )
    assert listed[0].name == "primer/primer_1_two_by_two"
    assert all(page.source == "synthetic" for page in listed)


def test_the_book_executes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "LOGS", tmp_path)
    done = book.run(book.Page("", "primer_1_two_by_two", place="primer"), "test")
    text = done["text"]
    assert 'class=\\"source-banner synthetic\\"' in text
    assert "the roll-out is real, the outcome is simulated" in text
    assert '"name": "primer-fig-two-by-two"' in text
    assert "data/facts/zone_city_map.csv" in done["files"]
    assert not any(output["output_type"] == "error" for cell in json.loads(text)["cells"]
                   for output in cell.get("outputs", []))  # fmt: skip


@pytest.mark.parametrize("section", [*PRIMER, "lab"])
def test_a_page_has_its_parts_and_links_to_the_studies(section: str) -> None:
    text = "\n".join(cell.source for cell in notebooks.read(section).cells if cell.cell_type == "markdown")
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    parts = ["Question", "How to read it", "What can go wrong", "Where the five studies do it", "Try it"]
    assert [heading for heading in headings if heading in parts] == parts
    for target in re.findall(r"\{doc\}`[^`<]*<([^`>]+)>`", text):
        place = (Path("book/primer") / target).as_posix()
        assert any(place.endswith(page.name) for page in book.pages()) or (paths.ROOT / f"{place}.md").exists(), target
    # every parameter that it suggests to change is one
    known = parameters.SECTIONS[section].model_fields
    suggested = re.findall(r"-p (\w+) ([-\w.]+)", text)
    assert suggested
    for name, value in suggested:
        typed = value if known[name].annotation not in (int, float) else ast.literal_eval(value)
        parameters.validate(section, {name: typed})


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("primer_1_two_by_two", {"noise": 0.0}, "noise = 0.0: expected greater than 0"),
        (
            "primer_1_two_by_two",
            {"lost": 0.1},
            "lost: primer_1_two_by_two has no such parameter; expected seed, effect",
        ),
        ("primer_2_two_way_fixed_effects", {"lost": 0.9}, "lost = 0.9: expected less than or equal to 0.5"),
        ("primer_5_event_studies", {"base": -5}, "base = -5: expected an event year from -4 to -1"),
        ("primer_5_event_studies", {"base": 0}, "base = 0: expected an event year from -4 to -1"),
        ("primer_6_inference", {"draws": 10}, "draws = 10: expected greater than or equal to 100"),
        ("lab", {"scenario": "paper"}, "scenario = 'paper': expected 'homogeneous', 'cohorts'"),
        ("lab", {"strength": 3}, "strength = 3: expected less than or equal to 2"),
        ("lab", {"study": "quality"}, "study = 'quality': expected a study of cities"),
    ],
)
def test_bad_parameters_are_one_clear_message(section: str, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(words)):
        parameters.validate(section, values)


# ------------------------------------------------------------------------------------------------------------- primer


def test_two_by_two_removes_levels_and_growth_and_not_different_trends() -> None:
    here = page("primer_1_two_by_two")
    assert here["means"].at["difference", "change"] == pytest.approx(
        here["fit"].coefficients.at["treated:after", "estimate"]
    )
    error = here["table"]["std"] / np.sqrt(1000)
    # four years of 0.08; cities with zones are larger by 1 in the mean
    assert here["table"]["bias"].iloc[0] == pytest.approx(4 * 0.08, abs=4 * error.iloc[0])
    assert here["table"]["bias"].iloc[1] > 0.8
    assert here["table"]["bias"].iloc[2] == pytest.approx(0, abs=4 * error.iloc[2])
    sloped = page("primer_1_two_by_two", growth=0.02)["table"]
    assert sloped["bias"].iloc[2] == pytest.approx(4 * 0.02, abs=4 * error.iloc[2])
    assert page("primer_1_two_by_two", effect=0.0)["table"]["bias"].iloc[2] == pytest.approx(0, abs=4 * error.iloc[2])


def test_three_computations_agree_and_weights_depend_on_the_roll_out_alone() -> None:
    here = page("primer_2_two_way_fixed_effects")
    assert np.ptp(list(here["found"].values())) < 1e-9
    assert here["sizes"]["cities"].to_dict() == {
        "2015": 1,
        "2016": 12,
        "2018": 22,
        "2019": 24,
        "2020": 46,
        "never": 232,
    }
    off = (here["rounds"]["estimate"] - here["exact"]).abs()
    assert off[1] > 1e-5 > 1e-9 > off[30]
    assert here["weight"].sum() == pytest.approx(1)
    assert here["weight"].min() > 0
    assert here["relative"].stack().idxmin() in {(2015, 2020), (2015, 2021)}
    assert here["estimates"].mean() == pytest.approx(0.2, abs=4 * here["estimates"].std() / np.sqrt(1000))
    other = page("primer_2_two_way_fixed_effects", effect=0.0)
    pd.testing.assert_frame_equal(here["relative"], other["relative"])


def test_the_decomposition_is_an_identity_and_growing_effects_mislead_two_way_fixed_effects() -> None:
    here = page("primer_3_staggered_adoption")
    table, true = here["by_hand"], here["panel"].loc[here["panel"]["treat_post"] == 1, "true"]
    sums = table["estimate"].iloc[4:]
    assert len(sums) == 3 and np.ptp(sums) < 1e-9
    assert table.at["late against early, already treated", "estimate"] < 0 < true.min()
    assert here["without"] < here["with_them"] < here["mean"]
    found = here["found"]
    assert found.at["Two-way fixed effects", "high"] < here["true_mean"]
    for name in ("Callaway-Sant'Anna", "Borusyak-Jaravel-Spiess"):
        assert abs(found.at[name, "estimate"] - here["true_mean"]) < 3 * found.at[name, "se"]
    constant = page("primer_3_staggered_adoption", growth=0.0)
    assert (constant["by_hand"]["estimate"] - 0.2).abs().max() < 0.1
    fading = page("primer_3_staggered_adoption", growth=-0.2)
    assert fading["found"].at["Two-way fixed effects", "estimate"] > fading["true_mean"]


def test_a_passed_pre_trend_test_is_worth_little_and_the_right_effects_help() -> None:
    here = page("primer_4_parallel_trends")
    plain, remedied = here["found"].values()
    assert plain["estimate"] - 0.2 > 0.02
    assert remedied["low"] < 0.2 < remedied["high"]
    assert here["chosen"].at["no zone by 2022", "municipality, sub-provincial or capital"] == 0
    power = pd.DataFrame(here["table"]).T
    assert power["share that pass"].is_monotonic_decreasing
    assert power["share that pass"].iloc[0] < 0.9
    assert power["share that pass"].loc["0.01"] > 0.5
    sloped = power.drop("0")
    assert (sloped["event study: bias if passed"] > sloped["event study: bias"]).all()
    assert (sloped["simple: bias"] > sloped["event study: bias"]).all()


def test_base_ends_and_cohorts_do_to_an_event_study_what_the_page_says() -> None:
    here = page("primer_5_event_studies")
    columns = here["shifts"]
    assert np.ptp(columns["base -1"] - columns["base -4"]) < 1e-9
    ends = here["ends"].loc[0:]
    assert (ends["in the base"] < ends["binned"]).all()
    assert 1.96 < here["multiple"] < 4
    leads = pd.DataFrame(here["clean"]).loc[:-1]
    assert leads.iloc[:, 0].abs().max() < 1e-9
    assert leads.iloc[:, 1].abs().max() > 1e-3
    assert {p["cohort"] for _, p in here["panel"].query("event_time >= 5").iterrows()} == {2015, 2016}


def test_coverage_falls_with_memory_and_with_few_treated_cities_and_randomisation_keeps_it() -> None:
    here = page("primer_6_inference")
    rows = pd.DataFrame(here["rows"]).T
    assert rows.at["0", "coverage, rows"] > 0.92
    assert rows.at["0.8", "coverage, rows"] < 0.75
    assert rows.at["0.8", "mean error, rows"] < rows.at["0", "mean error, rows"]
    assert rows["coverage, cities"].min() > 0.92
    few = here["coverage"]
    assert few.at[1, "clustered"] < 0.2
    assert few.at[1, "wild bootstrap"] == 1
    assert few["randomisation"].between(0.91, 0.99).all()
    factor = pd.DataFrame(here["measured"]).T
    np.testing.assert_allclose(factor["ratio"], factor["Moulton factor"], rtol=0.15)


# ---------------------------------------------------------------------------------------------------------------- lab


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return panel.generate(studies.load("resilience"), 2023)


# the flag that is about what differs in the world
RIGHT = {"cohorts": "cohort", "dynamic": "age", "anticipated": "jump before", "trending": "trend before",
         "spilling": "rings"}  # fmt: skip


def test_contrasts_give_what_a_world_without_noise_is_made_of(data: pd.DataFrame) -> None:
    study = studies.load("resilience")
    design = modern_did.design(study, data)
    expected = {"anticipated": 1 / 2, "trending": 1 / 10, "spilling": 1 / 3}
    whisper = np.random.default_rng(0).normal(0, 1e-9, len(design.rows))  # an outcome of nothing is refused
    for world in scenarios.SCENARIOS:
        added = scenarios.effects(design.rows, world, 1.0)
        quiet = replace(design, rows=design.rows.assign(Resil=added.sum(axis=1) + whisper))
        found = lab.diagnostics(quiet)["estimate"]
        if world in expected:
            assert found[RIGHT[world]] == pytest.approx(expected[world], abs=1e-7), world
        if world in ("homogeneous", "dynamic"):
            assert found[["trend before", "jump before", "rings"]].abs().max() < 1e-7
        if world == "dynamic":
            steps = added["effect"].groupby(design.rows["event_time"]).first().loc[0:].diff().dropna()
            assert found["age"] == pytest.approx(steps.mean(), abs=1e-7)
            assert found["cohort"] == pytest.approx(0, abs=1e-7)
        if world == "cohorts":
            assert found["cohort"] < 0


def test_each_world_raises_its_flag(data: pd.DataFrame) -> None:
    raised = lab.flags(studies.load("resilience"), data, 1.0)
    assert not raised.loc["homogeneous"].any()
    assert all(raised.at[world, flag] for world, flag in RIGHT.items())
    assert raised.at["dynamic", "forbidden pull"] and raised.at["trending", "age"]


def test_strength_leads_from_no_difference_to_twice_the_world(data: pd.DataFrame) -> None:
    study = studies.load("resilience")
    outcome = {s: scenarios.laid_over(study, data, "trending", s)["Resil"] for s in (0.0, 1.0, 2.0)}
    same = scenarios.laid_over(study, data, "homogeneous")["Resil"]
    np.testing.assert_allclose(outcome[0.0], same)
    np.testing.assert_allclose(outcome[2.0] - same, 2 * (outcome[1.0] - same), atol=1e-12)


def test_diagnostics_need_years_before_and_several_cohorts(data: pd.DataFrame) -> None:
    design = modern_did.design(studies.load("resilience"), data)
    late = replace(design, rows=design.rows[design.rows["year"] >= 2015])
    with pytest.raises(DataError, match=r"diagnostics: event times from -5 .* expected years from -6 on"):
        lab.diagnostics(late)


@pytest.mark.parametrize("key", ["resilience", "productivity"])
def test_the_committed_shares_are_complete_and_the_right_flags_go_up_most(key: str) -> None:
    shares, samples = lab.rates(studies.load(key))
    assert samples == 5000
    assert not shares.isna().any(axis=None)
    assert shares.loc["homogeneous"].max() < 0.5
    for world, flag in RIGHT.items():
        assert shares.at[world, flag] > shares.at["homogeneous", flag] + 0.2


def test_a_study_without_shares_is_one_clear_error() -> None:
    with pytest.raises(DataError, match=r"innovation_flags\.csv"):
        lab.rates(studies.load("innovation"))


# ----------------------------------------------------------------------------------------------------------- glossary


def glossary() -> dict[str, str]:
    """Return the entries of the glossary by English term."""
    text = (paths.ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    inside = text.partition("```{glossary}\n")[2].rpartition("```")[0]
    entries = re.findall(r"^(\S.*)\n((?:  .+\n?)+)", inside, flags=re.MULTILINE)
    return {term: " ".join(body.split()) for term, body in entries}


def test_the_glossary_is_sorted_without_doubles_and_every_entry_has_chinese_and_a_sentence() -> None:
    found = glossary()
    terms = list(found)
    assert terms == sorted(terms, key=lambda term: re.sub(r"[^a-z0-9]", "", term.lower()))
    text = (paths.ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^[A-Za-z]\S*.*\n  \S", text, flags=re.MULTILINE)) == len(terms)
    for term, body in found.items():
        assert re.search(r"[\u4e00-\u9fff]", body), term
        assert re.search(r"[\u4e00-\u9fffA-Za-z)²）]\. [A-Zλ(]?.+\.$", body), f"{term}: {body}"


@pytest.mark.parametrize("section", [*PRIMER, "lab"])
def test_every_chinese_term_of_a_primer_page_is_in_the_glossary(section: str) -> None:
    known = " ".join(glossary().values())
    text = "\n".join(cell.source for cell in notebooks.read(section).cells if cell.cell_type == "markdown")
    places = set(policy.cities()["city_zh"].str.removesuffix("市"))
    for term in re.findall(r"[\u4e00-\u9fff]{2,}", text):
        assert term in places or term in known, term


def test_tables_of_the_primer_say_that_they_are_synthetic_or_facts() -> None:
    here = page("primer_1_two_by_two")
    assert "Synthetic" in tables.view(here["means"], "x. Synthetic").caption  # the type of what a page shows
    for section in PRIMER:
        for cell in notebooks.read(section).cells:
            if cell.cell_type == "code" and "report.view(" in cell.source:
                words = ("ynthetic", "(facts)", "The roll-out", "Weights of treated rows")
                assert any(word in cell.source for word in words), cell.source
