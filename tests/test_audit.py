"""The audit finds what is known to disagree, and says nothing of tables in which nothing is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones import audit, panel, parameters, paths, studies
from pilotzones.audit import cells, regressions, samples, trials, words
from pilotzones.audit.finding import CANNOT, CONSISTENT, INCONSISTENT
from pilotzones.audit.intervals import Interval, decimals, exactly, rounded
from pilotzones.audit.run import COLUMNS, RULES
from pilotzones.audit.run import audit as apply_rules
from pilotzones.audit.tables import Tables, load, printed_effects
from pilotzones.errors import DeclarationError, ParameterError

FINITE = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 3))


@pytest.fixture(scope="module")
def findings() -> pd.DataFrame:
    return audit.audit_all()


def changed(tables: Tables, file: str, row: dict[str, str], **new: str) -> Tables:
    """Return the tables with other text in the cells of one row."""
    frame = tables.text[file].copy()
    hit = np.logical_and.reduce([frame[name] == value for name, value in row.items()])
    assert hit.sum() == 1
    frame.loc[hit, list(new)] = list(new.values())
    return replace(tables, text={**tables.text, file: frame})


def alarms(rows: pd.DataFrame) -> set[tuple[str, ...]]:
    found = rows[rows["verdict"] == INCONSISTENT]
    return set(found[["study", "rule", "table", "column", "term"]].itertuples(index=False, name=None))


# --- intervals ---


@given(a=FINITE, b=FINITE, da=st.floats(0, 5), db=st.floats(0, 5), s=st.floats(0, 1), t=st.floats(0, 1))
def test_operations_hold_every_value_that_the_operands_allow(
    a: float, b: float, da: float, db: float, s: float, t: float
) -> None:
    one, other = Interval(a, a + da), Interval(b, b + db)
    x, y = a + s * da, b + t * db
    results = [
        (one + other, x + y),
        (one - other, x - y),
        (one * other, x * y),
        (abs(one), abs(x)),
        (one.squared(), x * x),
    ]
    if abs(y) > 1e-6:
        results.append((one / other, x / y))
    for interval, value in results:
        assert interval.meets(exactly(value))


@pytest.mark.parametrize(
    ("text", "low", "high"), [("0.350", 0.3495, 0.3505), ("-0.06", -0.065, -0.055), ("7", 6.5, 7.5)]
)
def test_a_printed_number_stands_for_what_rounds_to_it(text: str, low: float, high: float) -> None:
    assert rounded(text).low == pytest.approx(low) and rounded(text).high == pytest.approx(high)
    assert f"{float(text):.{decimals(text)}f}" == text


@given(value=st.floats(-100, 100), places=st.integers(0, 4))
def test_rounding_never_loses_the_value(value: float, places: int) -> None:
    assert rounded(f"{value:.{places}f}").meets(exactly(value))


# --- the five papers ---


def test_every_known_contradiction_is_found_by_a_rule(findings: pd.DataFrame) -> None:
    assert alarms(findings) == {
        ("innovation", "first_stage_f", "T4", "2", "first-stage F"),
        ("innovation", "matched_rows", "T4", "3", ""),
        ("innovation", "same_rows", "T7", "2", ""),
        ("resilience", "stars", "T5", "3", "consumption"),
        ("resilience", "weights_by_kind", "T1", "", "savings deposits of urban and rural residents"),
        ("resilience", "weights_by_kind", "T1", "", "registered urban unemployed"),
        ("productivity", "r2_rises", "T3", "2", "R2"),
        ("productivity", "one_regression_twice", "T3", "4", ""),
        ("productivity", "mediation_identity", "T5", "2", "treat_post"),
        ("productivity", "panel_rows", "T4", "1", ""),
        ("productivity", "panel_rows", "T4", "2", ""),
        ("productivity", "described_rows", "T4", "1", ""),
        ("productivity", "one_scale", "T4", "1", "_cons"),
        ("productivity", "one_scale", "T4", "2", "_cons"),
    }


def test_every_rule_speaks_of_every_study_and_gives_its_reason(findings: pd.DataFrame) -> None:
    assert list(findings.columns) == COLUMNS
    spoken = findings.groupby("study")["rule"].agg(set)
    assert all(names == {rule.__name__ for rule in RULES} for names in spoken)
    assert set(findings["verdict"]) == {CONSISTENT, INCONSISTENT, CANNOT}
    assert (findings["explanation"].str.len() > 10).all()
    known = findings[findings["verdict"] == INCONSISTENT]
    assert (known["printed"] != "").all() and (known["implied"] != "").all()
    assert not findings["explanation"].str.contains("fraud|fake|manipulat|fabricat|wrong").any()


def test_the_declared_contradictions_of_numbers_are_among_the_found(findings: pd.DataFrame) -> None:
    """The studies declare by hand what contradicts itself; the rules know nothing of that."""
    found = {(row.study, row.table) for row in findings[findings["verdict"] == INCONSISTENT].itertuples()}
    every = map(studies.load, studies.keys())
    declared = {(study.key, p.table) for study in every for p in study.inconsistencies}
    # T6 of productivity: both halves below the whole, which separate slopes allow
    assert declared - found == {("productivity", "T6")}


def test_exchanged_labels_would_solve_the_puzzle_of_the_baseline_table() -> None:
    tables = load(studies.load("productivity"))
    labels = tables.text["columns"].set_index(["table", "column"])["fixed_effects"]
    for one, other in (("2", "3"), ("3", "2")):
        tables = changed(tables, "columns", {"table": "T3", "column": one}, fixed_effects=labels["T3", other])
    assert {table for _, _, table, *_ in alarms(apply_rules(tables))} == {"T4"}


def test_brackets_are_told_apart() -> None:
    for key, kind in {"innovation": "se", "coordination": "t", "productivity": "t", "resilience": "se"}.items():
        tables = load(studies.load(key))
        for found in cells.spread_kind(tables):
            assert kind in found.implied
        other = tables.text["estimates"].assign(spread_kind="t" if kind == "se" else "se")
        misread = replace(tables, text={**tables.text, "estimates": other})
        assert sum(f.verdict == INCONSISTENT for f in cells.spread_kind(misread)) >= 3


def test_labels_of_effects_are_read_as_printed() -> None:
    assert printed_effects("printed: city Yes, year No (R2 says otherwise)") == {"city"}
    assert printed_effects("none (printed No/No)") == set()
    assert printed_effects("city pair (printed: city); year") == {"city pair", "year"}
    assert printed_effects("firm; province^year") == {"firm", "province x year", "year"}


# --- one rule at a time: silent on what fits, loud on what cannot ---

INNOVATION, PRODUCTIVITY = (load(studies.load(key)) for key in ("innovation", "productivity"))
RESILIENCE, COORDINATION = (load(studies.load(key)) for key in ("resilience", "coordination"))
T23 = {"table": "T2", "column": "3", "term": "treat_post"}
CHANGES = [
    (cells.stars, INNOVATION, "estimates", T23, {"stars": "3"}),
    (cells.sign_of_t, COORDINATION, "estimates", {"table": "T1", "column": "3", "term": "edu"}, {"spread": "0.11"}),
    (cells.moments, INNOVATION, "descriptives", {"symbol": "debt"}, {"sd": "0.522"}),
    (cells.moments, INNOVATION, "descriptives", {"symbol": "debt"}, {"mean": "4.350"}),
    (cells.dummies, INNOVATION, "descriptives", {"symbol": "treat_post"}, {"sd": "0.406"}),
    (cells.test_statistics, INNOVATION, "stats", {"statistic": "Hansen J (overidentification)"},
     {"bracket_value": "0.549"}),
    (cells.test_statistics, INNOVATION, "stats", {"statistic": "Cragg-Donald Wald F (weak identification)"},
     {"bracket_value": "16.38"}),
    (samples.subgroup_rows, INNOVATION, "columns", {"table": "T5", "column": "2"}, {"n_obs": "9530"}),
    (samples.described_rows, INNOVATION, "columns", {"table": "T2", "column": "3"}, {"n_obs": "28530"}),
    (samples.treated_rows, PRODUCTIVITY, "descriptives", {"symbol": "Policy"}, {"mean": "0.200"}),
    (regressions.simple_regression, INNOVATION, "columns", {"table": "T2", "column": "1"}, {"r2": "0.080"}),
    (regressions.implied_rows, INNOVATION, "columns", {"table": "T2", "column": "1"}, {"n_obs": "36085"}),
    (regressions.constant_at_means, PRODUCTIVITY, "estimates", {"table": "T3", "column": "4", "term": "_cons"},
     {"estimate": "0.183"}),
    (regressions.t_and_r2, INNOVATION, "estimates", T23, {"spread": "0.0002"}),
    (regressions.first_stage_f, RESILIENCE, "estimates", {"table": "T4", "column": "1", "term": "light_post"},
     {"spread": "0.0260"}),
    (regressions.r2_rises, COORDINATION, "columns", {"table": "T1", "column": "6"}, {"r2": "0.056"}),
    (words.weights_sum, RESILIENCE, "index_weights", {"indicator": "patents granted"}, {"weight": "0.1286"}),
    (words.claims, INNOVATION, "estimates", T23, {"estimate": "-0.068"}),
    (words.claimed_numbers, PRODUCTIVITY, "estimates", {"table": "T5", "column": "2", "term": "treat_post"},
     {"estimate": "0.021"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "tables", "file", "row", "new"), CHANGES)
def test_a_rule_notices_a_change_of_what_it_is_about(
    rule: object, tables: Tables, file: str, row: dict[str, str], new: dict[str, str]
) -> None:
    def count(printed: Tables) -> int:
        return sum(finding.verdict == INCONSISTENT for finding in rule(printed))  # type: ignore[operator]

    assert count(changed(tables, file, row, **new)) > count(tables)


def test_whole_counts_speaks_only_where_decimals_are_finer_than_the_sample() -> None:
    row = {"symbol": "treat_post"}
    few = changed(INNOVATION, "descriptives", row, n="28", mean="0.302")
    assert next(cells.whole_counts(INNOVATION)).verdict == CANNOT
    assert next(cells.whole_counts(few)).verdict == INCONSISTENT  # 8 of 28 are 0.286, 9 are 0.321
    assert next(cells.whole_counts(changed(few, "descriptives", row, mean="0.321"))).verdict == CONSISTENT


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50).map(lambda x: round(x, 2)), min_size=3, max_size=30), st.integers(1, 3))
def test_moments_of_real_numbers_are_never_called_impossible(values: list[float], places: int) -> None:
    numbers = pd.Series(values)
    text = {
        "n": str(len(values)),
        "mean": numbers.mean(),
        "sd": numbers.std(),
        "min": numbers.min(),
        "max": numbers.max(),
    }
    row = {name: value if name == "n" else f"{value:.{places}f}" for name, value in text.items()}
    tables = changed(INNOVATION, "descriptives", {"symbol": "roa"}, **row)  # type: ignore[arg-type]
    assert [f.verdict for f in cells.moments(tables) if f.term == "roa"] == [CONSISTENT]


# --- false alarms and power ---


def test_rules_are_silent_on_tables_in_which_nothing_is_wrong() -> None:
    study = studies.load("productivity")
    tables = trials.produced(study, panel.generate(study, 1))
    rows = apply_rules(tables)
    assert alarms(rows) == set()
    assert (rows["verdict"] == CONSISTENT).sum() > 100
    assert len(tables.cells) == len(PRODUCTIVITY.cells)  # every printed coefficient has its counterpart

    committed = pd.read_csv(paths.CALIBRATION / "audit_false_alarms.csv").query("study == 'productivity' and seed == 1")
    counted = trials.false_alarms(study, 1, tables)
    assert counted.to_numpy().tolist() == committed.to_numpy().tolist()

    noticed, again = (trials.power(study, tables, 1, np.random.default_rng(0)) for _ in range(2))
    pd.testing.assert_frame_equal(noticed, again)
    assert (noticed["old"] != noticed["new"]).all()
    seen = noticed["noticed"] != ""
    assert seen[noticed["kind"] == "stars"].all() and not seen.all()


def test_measured_false_alarms_are_rare_and_bounded() -> None:
    table = audit.false_alarms()
    assert table.at["all rules", "checks"] > 3000
    assert table.at["all rules", "share"] < 0.005
    assert ((table["share"] <= table["upper bound"]) & (table["upper bound"] <= 1)).all()
    assert set(table["in"]) <= {"", "resilience"}
    assert (audit.false_alarms(0.99)["upper bound"] > table["upper bound"]).all()


def test_measured_power_is_what_the_trials_say() -> None:
    table, by_rule = audit.power(), audit.power_by_rule()
    assert (table["low"] <= table["share"]).all() and (table["share"] <= table["high"]).all()
    assert table["changes"].min() >= 80
    # no rule notices more than all rules together
    assert (by_rule.max() <= 100 * table["share"] + 1e-9).all()


def test_pages_have_parameters_of_their_own() -> None:
    assert parameters.validate("15_audit", {"study": "quality"}).study == "quality"
    with pytest.raises(ParameterError, match="seed: 15_audit has no such parameter; expected study"):
        parameters.validate("15_audit", {"seed": 1})
    with pytest.raises((ParameterError, DeclarationError), match="nowhere"):
        parameters.validate("15_audit", {"study": "nowhere"})
    with pytest.raises(ParameterError, match="level = 1"):
        parameters.validate("16_audit_summary", {"level": 1.0})
