"""Tests of bounds under violations of parallel trends: against identified sets, the library, and under bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_modern_inference import made

from pilotzones.errors import DataError, ParameterError
from pilotzones.estimators.honest import honest
from pilotzones.estimators.modern import estimate

pytest.importorskip("cvxpy", reason="honest bounds need moderndid[didhonest]")
import moderndid

PANEL = pd.read_csv(Path(__file__).parent / "reference" / "reference_panel.csv")
PANEL["cohort"] = PANEL["cohort"].replace(0, np.nan)
NAMES = {"outcome": "y", "unit": "firm", "time": "year", "cohort": "cohort"}


def test_relative_magnitudes_bound_the_identified_set() -> None:
    """With almost no sampling error: mean effect -+ M x (largest step before) x (mean years since the base)."""
    given = made({-3: 0.3, -2: 0.1, 0: 2.0, 1: 3.0}, 1e-6 * np.eye(4))
    found = honest(given, "relative_magnitudes", [0.5])
    assert found.bounds.loc[0.5].to_numpy() == pytest.approx([2.5 - 0.15, 2.5 + 0.15], abs=0.01)
    assert found.breakdown == np.inf


def test_one_treated_year_and_one_step() -> None:
    found = honest(made({-2: 0.2, 0: 2.0}, 1e-6 * np.eye(2)), "relative_magnitudes", [1.0, 3.0, 20.0])
    assert found.bounds.loc[1.0].to_numpy() == pytest.approx([1.8, 2.2], abs=0.01)
    assert found.bounds.loc[3.0].to_numpy() == pytest.approx([1.4, 2.6], abs=0.01)
    assert found.breakdown == pytest.approx(10.0, abs=0.1)  # 2.0 / 0.2


def test_relative_magnitudes_equal_the_library_where_it_sees_the_largest_step() -> None:
    """moderndid 0.2.0 leaves out the earliest step before the reform; without a largest one there, it is right."""
    values, noise = {-3: 0.12, -2: 0.1, 0: 0.5, 1: 0.6}, np.diag([1e-4, 4e-4, 9e-4, 9e-4])
    theirs = moderndid.create_sensitivity_results_rm(
        np.array(list(values.values())), noise, 2, 2, m_bar_vec=[1.0], l_vec=np.full((2, 1), 0.5)
    )
    ours = honest(made(values, noise), "relative_magnitudes", [1.0]).bounds.loc[1.0]
    assert ours.to_numpy() == pytest.approx([theirs["lb"][0], theirs["ub"][0]], abs=0.005)


def test_smoothness_bounds_the_deviation_from_a_line() -> None:
    # a line through the leads: slope 0.1; it explains 0.1 and 0.2 of the two effects
    given = made({-3: -0.2, -2: -0.1, 0: 2.1, 1: 3.2}, 1e-8 * np.eye(4))
    found = honest(given, "smoothness", [0.0, 0.4])
    assert found.bounds.loc[0.0].to_numpy() == pytest.approx([2.5, 2.5], abs=0.01)
    # slope changes by at most 0.4 a year: 0.4 after one, 0.4 + 0.8 after two
    assert found.bounds.loc[0.4].to_numpy() == pytest.approx([2.5 - 0.8, 2.5 + 0.8], abs=0.01)
    assert found.original["low"] == pytest.approx(2.65, abs=0.01)


def test_honest_bounds_of_an_estimate_contain_its_own_interval() -> None:
    ours = estimate("callaway_santanna", PANEL, **NAMES, cluster="city")
    found = honest(ours, "smoothness", [0.0, 0.1, 0.3], leads=3)
    assert found.original.mean() == pytest.approx(ours.att["estimate"], abs=1e-9)
    width = (found.bounds["high"] - found.bounds["low"]).to_numpy()
    assert width[0] < width[1] < width[2]


def test_honest_bounds_refuse() -> None:
    given = made({-3: 0.3, -2: 0.1, 0: 2.0, 1: 3.0}, np.eye(4))
    with pytest.raises(DataError, match="made has no covariance"):
        honest(replace(given, vcov=None), "smoothness", [0.1])
    with pytest.raises(DataError, match=r"event times \[-2, 0, 2\]; expected leads, and none missing"):
        honest(made({-2: 0.1, 0: 2.0, 2: 3.0}, np.eye(3)), "smoothness", [0.1])
    with pytest.raises(DataError, match=r"event times \[0, 1\]"):
        honest(made({0: 2.0, 1: 3.0}, np.eye(2)), "smoothness", [0.1])
    with pytest.raises(ParameterError, match="restriction = 'linear'"):
        honest(given, "linear", [0.1])
    with pytest.raises(ParameterError, match=r"sizes = \[-1\]"):
        honest(given, "smoothness", [-1])
