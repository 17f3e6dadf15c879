"""Linear mediation: identities, an explicit bootstrap, known truths, coverage, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.mediation import Mediation, mediation
from pilotzones.estimators.regression import regress

FORMULA = "y ~ treated + x | firm + year"
COLUMNS = {"treatment": "treated", "mediator": "m", "cluster": "city"}
A, B, C = 0.8, 0.5, 0.3


def panel(seed: int = 0, cities: int = 40, firms: int = 3, years: int = 6, rho: float = 0.0) -> pd.DataFrame:
    """m = 0.8 treated + ..., y = 0.3 treated + 0.5 m + ...; errors of the two equations correlated by ``rho``."""
    rng = np.random.default_rng(seed)
    n = cities * firms
    data = pd.DataFrame({"firm": np.repeat(np.arange(n), years), "year": np.tile(np.arange(2011, 2011 + years), n)})
    data["city"] = data["firm"] % cities
    data["treated"] = ((data["city"] % 2 == 0) & (data["year"] >= 2014)).astype(int)
    firm = rng.normal(size=n)[data["firm"]]
    data["x"] = rng.normal(size=len(data)) + firm
    first = rng.normal(size=len(data))
    second = rho * first + np.sqrt(1 - rho**2) * rng.normal(size=len(data))
    data["m"] = A * data["treated"] + 0.4 * data["x"] + firm + first
    data["y"] = C * data["treated"] + B * data["m"] - 0.2 * data["x"] - firm + 2 * second
    return data


DATA = panel()


def run(data: pd.DataFrame = DATA, formula: str = FORMULA, **changes: object) -> Mediation:
    return mediation(formula, data, **({**COLUMNS, "draws": 200} | changes))  # type: ignore[arg-type]


# --- agreement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", [FORMULA, "y ~ treated | firm + year", "y ~ x + treated"])
def test_parts_add_up_and_equal_single_regressions(formula: str) -> None:
    result = run(formula=formula)
    effects = result.effects["estimate"]
    assert effects["indirect"] + effects["direct"] == pytest.approx(effects["total"], abs=1e-9)
    right = formula.split("~")[1]
    a = regress(f"m ~ {right}", DATA, "cluster:city").coefficients.loc["treated"]
    outcome = regress(f"y ~ m + {right}", DATA, "cluster:city").coefficients
    b = outcome.loc["m"]
    assert effects["indirect"] == pytest.approx(a["estimate"] * b["estimate"], abs=1e-10)
    assert effects["direct"] == pytest.approx(outcome.loc["treated", "estimate"], abs=1e-10)
    assert effects["proportion"] == pytest.approx(effects["indirect"] / effects["total"])
    delta = np.sqrt(a["estimate"] ** 2 * b["se"] ** 2 + b["estimate"] ** 2 * a["se"] ** 2)
    assert result.sobel["se"] == pytest.approx(delta)


def test_all_equations_use_the_rows_complete_in_all() -> None:
    data = DATA.copy()
    data.loc[data.index % 7 == 0, "m"] = np.nan
    data.loc[data.index % 11 == 0, "y"] = np.nan
    result = run(data, singletons="drop")
    complete = data.dropna()
    assert result.n_obs == result.mediator.n_obs == result.outcome.n_obs == result.total.n_obs == len(complete)
    effects = result.effects["estimate"]
    assert effects["indirect"] + effects["direct"] == pytest.approx(effects["total"], abs=1e-9)


def test_bootstrap_equals_estimating_on_resampled_clusters() -> None:
    """With effects inside the clusters, resampling absorbed data and re-absorbing resampled data are the same."""
    formula = "y ~ treated + x | firm"
    result = run(formula=formula, draws=1, seed=3)
    counts = np.random.default_rng(3).multinomial(40, np.full(40, 1 / 40), size=1)[0]
    copies = []
    for city, count in enumerate(counts):
        for copy in range(count):
            copies.append(DATA[DATA["city"] == city].assign(firm=lambda d, c=copy: d["firm"] + 10_000 * c))
    sample = pd.concat(copies)
    a = regress("m ~ treated + x | firm", sample).coefficients.loc["treated", "estimate"]
    outcome = regress("y ~ m + treated + x | firm", sample).coefficients["estimate"]
    drawn = result.effects["bootstrap_low"]
    assert drawn["indirect"] == pytest.approx(a * outcome["m"], abs=1e-9)
    assert drawn["direct"] == pytest.approx(outcome["treated"], abs=1e-9)
    assert drawn["proportion"] == pytest.approx(drawn["indirect"] / drawn["total"])


def test_three_intervals_agree_in_a_large_sample() -> None:
    result = run(panel(1, cities=400), draws=2000)
    row = result.effects.loc["indirect"]
    length = row["sobel_high"] - row["sobel_low"]
    for kind in ("bootstrap", "monte_carlo"):
        assert row[f"{kind}_high"] - row[f"{kind}_low"] == pytest.approx(length, rel=0.1)
        assert row[f"{kind}_low"] == pytest.approx(row["sobel_low"], abs=0.1 * length)


# --- known truth -----------------------------------------------------------------------------------------------------


def test_finds_the_true_effects() -> None:
    effects = run(panel(2, cities=400), draws=10).effects["estimate"]
    assert effects["indirect"] == pytest.approx(A * B, abs=0.06)
    assert effects["direct"] == pytest.approx(C, abs=0.15)


def test_bootstrap_interval_covers_at_its_level() -> None:
    covered = []
    for seed in range(50):
        row = run(panel(seed, firms=1), "y ~ treated | firm + year", draws=150, seed=seed).effects.loc["indirect"]
        covered.append(row["bootstrap_low"] <= A * B <= row["bootstrap_high"])
    assert 0.84 < np.mean(covered) <= 1


def test_sensitivity_undoes_a_known_correlation_of_the_errors() -> None:
    biased = run(panel(3, cities=400, rho=0.4), draws=200, rho=(0.0, 0.4))
    assert biased.effects.loc["indirect", "estimate"] > A * B + 0.3
    assert biased.sensitivity.loc[0.4, "indirect"] == pytest.approx(A * B, abs=0.06)
    assert biased.sensitivity.loc[0.4, "low"] < A * B < biased.sensitivity.loc[0.4, "high"]


def test_sensitivity_passes_through_the_estimate_and_through_zero() -> None:
    first = run()
    result = run(rho=(0.0, first.rho_zero))
    assert result.sensitivity["indirect"].iloc[0] == pytest.approx(first.effects.loc["indirect", "estimate"])
    assert result.sensitivity["indirect"].iloc[1] == pytest.approx(0, abs=1e-12)
    residuals = first.mediator.residuals(), first.total.residuals()
    assert first.rho_zero == pytest.approx(np.corrcoef(*residuals)[0, 1])
    assert (first.sensitivity["indirect"].diff().dropna() < 0).all()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([1e-3, 40.0, 1e5]))
def test_row_order_and_units_do_not_matter(seed: int, factor: float) -> None:
    base = run(seed=seed, draws=20)
    data = DATA.sample(frac=1, random_state=seed % 99).assign(m=lambda d: factor * d["m"], y=lambda d: 3 * d["y"])
    other = run(data, seed=seed, draws=20)
    columns = ["estimate", "bootstrap_low", "bootstrap_high"]
    expected = base.effects[columns].mul([3, 3, 3, 1], axis=0)
    pd.testing.assert_frame_equal(other.effects[columns], expected, rtol=1e-7)
    assert other.rho_zero == pytest.approx(base.rho_zero)


def test_same_seed_same_intervals() -> None:
    pd.testing.assert_frame_equal(run(seed=1).effects, run(seed=1).effects)
    assert not run(seed=1).effects.equals(run(seed=2).effects)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"draws": 0}, ParameterError, "draws = 0"),
        ({"rho": (0.0, 1.0)}, ParameterError, "rho = 1"),
        ({"mediator": "x"}, DeclarationError, "must not be in the formula"),
        ({"mediator": "y"}, DeclarationError, "is the outcome"),
        ({"mediator": "profit"}, DeclarationError, "profit"),
        ({"treatment": "city"}, DeclarationError, "'city' has no coefficient"),
        ({"formula": "treated + x"}, DeclarationError, "no '~'"),
        ({"formula": "y ~ x | firm | treated ~ year"}, DeclarationError, "OLS"),
    ],
)
def test_bad_arguments(changes: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        run(**changes)


def test_bad_mediators() -> None:
    with pytest.raises(DataError, match="collinear"):
        run(DATA.assign(m=DATA["firm"] % 5))
    with pytest.raises(DataError, match="'m' is missing"):
        run(DATA.assign(m=np.nan))


def test_bootstrap_samples_without_a_treated_cluster() -> None:
    data = DATA.assign(treated=((DATA["city"] == 0) & (DATA["year"] >= 2014)).astype(int))
    with pytest.raises(DataError, match="expected more treated clusters"):
        run(data)
