"""Event studies against R, against dummies made by hand, against known truths, and under bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.event_study import event_study
from pilotzones.estimators.regression import Regression, regress

HERE = Path(__file__).parent
REFERENCE = pd.read_csv(HERE / "reference" / "r_reference.csv")
PANEL = pd.read_csv(HERE / "reference" / "reference_panel.csv")

EFFECT = {0: 0.1, 1: 0.3, 2: 0.4, 3: 0.4, 4: 0.5, 5: 0.6, 6: 0.6}
FORMULA = "y ~ {event} + w | firm + year"


def simulated(noise: float = 0.0, seed: int = 3) -> pd.DataFrame:
    """60 firms in 2010-2018, reformed in 2012, 2014 or never; the effect depends on the years since only."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"firm": np.repeat(np.arange(60), 9), "year": np.tile(np.arange(2010, 2019), 60)})
    data["city"] = data["firm"] % 15
    data["event_time"] = data["year"] - data["firm"].map(lambda f: [2012, 2014, np.nan][f % 3])
    data["w"] = rng.normal(size=len(data))
    common = 0.3 * (data["year"] - 2010) + rng.normal(size=60)[data["firm"]] + 0.7 * data["w"]
    data["y"] = common + data["event_time"].map(EFFECT).fillna(0.0) + noise * rng.normal(size=len(data))
    return data


def study(data: pd.DataFrame, **options: Any) -> Regression:
    defaults: dict[str, Any] = {"leads": -4, "lags": 6, "base": [-1]}
    return event_study(FORMULA, data, **(defaults | options))


def test_equals_fixest_in_r() -> None:
    rows = REFERENCE[REFERENCE["reference"].str.contains("event time binned")]
    result = event_study(
        "y ~ {event} | firm + year", PANEL, time="rel", leads=-5, lags=5, base=[-1], beyond="bin", vcov="cluster:city",
        singletons="drop",
    )  # fmt: skip
    theirs = rows.dropna(subset="term").pivot(index="term", columns="quantity", values="value")
    theirs.index = [int(term.removeprefix("relr::")) for term in theirs.index]
    assert sorted([*theirs.index, -1]) == list(result.coefficients.index) == list(range(-5, 6))
    ours = result.coefficients.loc[theirs.index, ["estimate", "se"]]
    np.testing.assert_allclose(ours, theirs[["estimate", "se"]], rtol=0, atol=1e-8)
    assert result.n_obs == rows.loc[rows["quantity"] == "n_obs", "value"].item()


def test_recovers_the_path_of_effects() -> None:
    exact = study(simulated()).coefficients["estimate"]
    np.testing.assert_allclose(exact, [EFFECT.get(k, 0.0) for k in exact.index], atol=1e-8)
    noisy = study(simulated(noise=0.2), vcov="cluster:firm").coefficients.drop(index=-1)
    truth = np.array([EFFECT.get(k, 0.0) for k in noisy.index])
    assert (np.abs(noisy["estimate"] - truth) < 4 * noisy["se"]).all()
    assert noisy["se"].max() < 0.2


def test_base_years_are_rows_of_zeros() -> None:
    result = study(simulated(noise=1.0), base=[0, -4])
    base = result.coefficients.loc[[-4, 0]]
    assert (base[["estimate", "se", "low", "high"]] == 0).all(axis=None)
    assert base[["t", "p"]].isna().all(axis=None)
    assert (result.coefficients.drop(index=[-4, 0])["se"] > 0).all()
    assert list(result.coefficients.index) == list(range(-4, 7))


@pytest.mark.parametrize("beyond", ["base", "bin"])
def test_rows_outside_the_window(beyond: str) -> None:
    data = simulated(noise=1.0)
    result = study(data, leads=-2, lags=2, base=[-1], beyond=beyond, vcov="cluster:city")
    time = data["event_time"].clip(-2, 2) if beyond == "bin" else data["event_time"]
    for name, k in {"m2": -2, "z": 0, "p1": 1, "p2": 2}.items():
        data[name] = (time == k) * 1
    by_hand = regress("y ~ m2 + z + p1 + p2 + w | firm + year", data, "cluster:city").coefficients.drop(index="w")
    np.testing.assert_allclose(result.coefficients.drop(index=-1), by_hand, rtol=1e-8)


def test_under_keeps_the_event_years() -> None:
    data = simulated(noise=1.0)
    result = study(data).under("cluster:city")
    pd.testing.assert_frame_equal(result.coefficients, study(data, vcov="cluster:city").coefficients)
    assert result.n_clusters == 15
    assert result.formula == FORMULA


def test_event_years_without_rows_are_dropped_and_named() -> None:
    result = study(simulated(noise=1.0), leads=-6)
    assert result.dropped == ("event_time = -6", "event_time = -5")
    assert list(result.coefficients.index) == list(range(-4, 7))


def test_data_are_left_as_they_are_and_types_do_not_matter() -> None:
    data = simulated(noise=1.0)
    before = data.copy(deep=True)
    expected = study(data).coefficients
    pd.testing.assert_frame_equal(data, before)
    pd.testing.assert_frame_equal(
        study(data.assign(event_time=data["event_time"].astype("Int64"))).coefficients, expected
    )
    unlucky = data.assign(event_p1="a column that happens to have the name of a dummy")
    pd.testing.assert_frame_equal(study(unlucky).coefficients, expected)


def test_other_base_years_shift_all_effects_alike() -> None:
    data = simulated(noise=1.0)
    one, other = (study(data, base=[k]).coefficients["estimate"] for k in (-1, 2))
    np.testing.assert_allclose(one - one[2], other, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"base": []}, DeclarationError, "at least one event year"),
        ({"base": [9]}, DeclarationError, "of -4 ... 6"),
        ({"base": range(-4, 7)}, DeclarationError, "not all"),
        ({"leads": 3, "lags": 1}, DeclarationError, "event year"),
        ({"beyond": "drop"}, DeclarationError, "'base' or 'bin'"),
        ({"time": "event_tme"}, DeclarationError, "did you mean event_time"),
        ({"time": "label"}, DataError, "'label' is not numeric"),
        ({"time": "half"}, DataError, "'half' has values that are not whole years"),
        ({"vcov": "cluster:cty"}, DeclarationError, "city"),
    ],
)
def test_bad_input(options: dict, error: type[Exception], words: str) -> None:
    data = simulated().assign(label="a", half=0.5)
    with pytest.raises(error, match=words):
        study(data, **options)


def test_a_formula_without_the_event() -> None:
    with pytest.raises(DeclarationError, match=r"no \{event\}"):
        event_study("y ~ w | firm", simulated(), leads=-2, lags=2, base=[-1])
