"""The ledger: a row per printed number, verdicts computed from numbers, claims judged as written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pilotzones import ledger, panel, published, replicate, studies
from pilotzones.errors import DataError
from pilotzones.estimators.regression import Regression, regress


@pytest.fixture(scope="module")
def fit() -> Regression:
    """Return a regression of y on one strong (a), one useless (b) and one negative (c) regressor."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(size=(500, 4)), columns=["a", "b", "c", "e"])
    data["y"] = data["a"] - 0.5 * data["c"] + data["e"]
    return regress("y ~ a + b + c", data)


def claim(**fields: str) -> SimpleNamespace:
    blank = {"table": "T1", "column": "1", "term": "", "sign": "", "level": "", "compare": ""}
    return SimpleNamespace(**(blank | fields))


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"term": "a", "sign": "+", "level": "0.01"}, "holds"),
        ({"term": "a", "sign": "-", "level": "0.01"}, "fails"),
        ({"term": "c", "sign": "-", "level": "0.05"}, "holds"),
        ({"term": "b", "level": "ns"}, "holds"),
        ({"term": "a", "level": "ns"}, "fails"),
        ({"term": "a..c", "level": "ns"}, "fails"),
        ({"term": "absent", "level": "ns"}, ""),
        ({"term": "a", "level": "ns", "column": "9"}, ""),
        ({"compare": "T1.1.a>T1.1.c"}, "holds"),
        ({"compare": "T1.1.a<T1.1.c"}, "fails"),
        ({"compare": "T1.1.a>T1.1.c; T1.1.c>T1.1.a"}, "fails"),
        ({"compare": "T1.1.a>100*T1.1.b"}, "fails"),
        ({"compare": "T1.1.a>T9.1.a"}, ""),
        ({"compare": "T1.1.a stars 3; T1.1.b stars 0; T1.1.c stars 3"}, "holds"),
        ({"compare": "T1.1.a stars 2"}, "fails"),
        ({"compare": "T1.1.absent stars 3"}, ""),
    ],
)
def test_claims_are_judged_as_written(fit: Regression, fields: dict[str, str], verdict: str) -> None:
    assert ledger.judge_claim(claim(**fields), {("T1", "1"): fit})[0] == verdict


def test_a_judged_claim_gives_its_numbers(fit: Regression) -> None:
    _, numbers = ledger.judge_claim(claim(term="a", sign="+", level="0.01"), {("T1", "1"): fit})
    assert f"{fit.coefficients.at['a', 'estimate']:.3f}" in numbers


@pytest.mark.parametrize(
    ("printed", "replicated", "spread", "kind", "verdict"),
    [
        (0.068, 0.0684, 0.028, "se", "exact"),
        (0.068, 0.090, 0.028, "se", "close"),
        (0.068, 0.120, 0.028, "se", "near"),
        (0.068, 0.200, 0.028, "se", "differs"),
        (0.068, 0.090, 2.43, "t", "close"),
        (28305, 28305, np.nan, "", "exact"),
        (28305, 28306, np.nan, "", "close"),
        (28305, 29000, np.nan, "", "near"),
        (28305, 40000, np.nan, "", "differs"),
        (0.177, np.nan, np.nan, "", "not_replicated"),
        (-0.048, -0.0484, np.nan, "", "exact"),
        (-2.0, -2.09, np.nan, "", "near"),
    ],
)
def test_verdicts(printed: float, replicated: float, spread: float, kind: str, verdict: str) -> None:
    row = {"statistic": "estimate", "published": printed, "replicated": replicated, "published_spread": spread,
           "spread_kind": kind, "mc_sd": 0.02, "verdict": "", "reason": ""}  # fmt: skip
    judged = ledger._judge(pd.DataFrame([row])).iloc[0]
    assert judged["verdict"] == verdict
    assert judged["z_mc"] == pytest.approx((replicated - printed) / 0.02, nan_ok=True)


def test_unbuilt_studies_have_a_row_for_every_printed_number(tmp_path: Path) -> None:
    target = tmp_path / "ledger.csv"
    ledger.collect([], target)
    rows = pd.read_csv(target, dtype={"column": str})
    assert list(rows.columns) == ledger.COLUMNS
    for key in published.studies()["study"]:
        mine = rows[rows["study"] == key]
        counts = mine["statistic"].value_counts()
        assert counts.get("estimate", 0) == len(published.estimates(key))
        assert counts.get("claim", 0) == len(published.claims(key))
        assert counts.get("stat", 0) == len(published.stats(key))
        assert counts.get("weight", 0) == len(published.weights(key))
        assert counts.get("mean", 0) == len(published.descriptives(key))
        assert counts.get("n_obs", 0) >= published.columns(key)["n_obs"].notna().sum()
    assert set(rows["verdict"]) == {"not_replicated"}
    assert rows["reason"].notna().all()


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    part = tmp_path / "innovation.json"
    part.write_text("{broken", encoding="utf-8")
    with pytest.raises(DataError, match=r"innovation\.json"):
        ledger.collect([part], tmp_path / "ledger.csv")
    assert not (tmp_path / "ledger.csv").exists()


@pytest.mark.parametrize(("replicated", "verdict"), [(0.0468, "close"), (0.053, "near"), (0.07, "differs")])
def test_weights_are_judged_in_absolute_terms(replicated: float, verdict: str) -> None:
    row = {"statistic": "weight", "published": 0.0467, "replicated": replicated, "published_spread": np.nan,
           "spread_kind": "", "mc_sd": np.nan, "verdict": "", "reason": ""}  # fmt: skip
    assert ledger._judge(pd.DataFrame([row])).iloc[0]["verdict"] == verdict


@pytest.mark.parametrize(("found", "verdict"), [(138.0, "holds"), (9.9, "fails")])
def test_a_statistic_printed_as_a_bound_is_held_against_it(found: float, verdict: str) -> None:
    rows = pd.DataFrame(ledger._stats("resilience", {("T4", "1", "first-stage F"): found}))
    judged = ledger._judge(rows.assign(mc_sd=np.nan)).iloc[0]
    assert (judged["verdict"], judged["replicated"]) == (verdict, found)
    assert "above 10 claimed" in judged["reason"]


@pytest.mark.parametrize(("replicated", "verdict"), [(0.186, "close"), (0.205, "near"), (0.21, "differs")])
def test_r2_is_judged_in_absolute_terms(replicated: float, verdict: str) -> None:
    row = {"statistic": "r2", "published": 0.177, "replicated": replicated, "published_spread": np.nan,
           "spread_kind": "", "mc_sd": np.nan, "verdict": "", "reason": ""}  # fmt: skip
    assert ledger._judge(pd.DataFrame([row])).iloc[0]["verdict"] == verdict


@pytest.mark.parametrize("key", studies.keys())
def test_every_declared_inconsistency_names_a_printed_number(key: str) -> None:
    printed = ledger._printed(key, {}, {}, pd.DataFrame(), {}, {}, {}, ())
    for problem in studies.load(key).inconsistencies:
        hit = printed[(printed["table"] == problem.table) & (printed["column"] == problem.column)]
        assert problem.statistic in {"", *hit["statistic"]}
        assert problem.term in {"", *hit["term"]}


def test_every_printed_number_has_one_row_and_a_page() -> None:
    study = studies.load("innovation")
    rows = ledger.build(study, panel.load(study), "synthetic", study.seed)
    assert list(rows.columns) == ledger.COLUMNS
    assert not rows.duplicated(ledger.KEY).any()
    assert rows["verdict"].notna().all() and rows["tag"].notna().all()
    assert rows.loc[rows["verdict"] == "not_replicated", "reason"].str.len().gt(0).all()
    assert rows["page"].str.match(r"book/studies/innovation/\d\d_\w+\.html").all()
    counts = rows["statistic"].value_counts()
    assert counts["estimate"] == 37 and counts["r2"] == counts["n_obs"] - 11 == 31
    assert counts["claim"] == 45 and counts["stat"] == 3 and counts["figure"] == 3


def test_rows_that_lack_their_licensed_data_say_what_is_lacking() -> None:
    study = studies.load("resilience")
    data = panel.load(study).drop(columns="true_effect").assign(light=np.nan, light_post=np.nan)
    estimable = replicate.estimable(study, data)
    assert "instruments" in study.features - estimable.features
    rows = ledger.build(estimable, data, "licensed", 1, section="04_robustness").set_index(["table", "statistic"])
    estimates = rows.loc[("T4", "estimate")]
    assert (estimates["verdict"] == "not_replicated").all()
    assert (estimates["reason"] == "no value of light_post").all()
    assert rows.loc[("T3", "estimate"), "replicated"].notna().all()
    assert set(rows["page"]) == {"book/studies/resilience/04_robustness.html"}
