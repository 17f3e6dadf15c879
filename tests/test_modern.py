"""Tests of the staggered estimators against truth, each other, other implementations, and under bad input."""

from __future__ import annotations

import warnings
from pathlib import Path

import diff_diff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.estimators.modern import ESTIMATORS, Estimate, estimate
from pilotzones.estimators.staggered import first_treated, sample

PANEL = pd.read_csv(Path(__file__).parent / "reference" / "reference_panel.csv")
PANEL["cohort"] = PANEL["cohort"].replace(0, np.nan)
BALANCED = PANEL[PANEL.groupby("firm")["year"].transform("size") == 11]
NAMES = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "cohort", "cluster": "city"}
PAIRS = [(key, group) for key, method in ESTIMATORS.items() for group in method.control_groups]
ROBUST = [pair for pair in PAIRS if pair[0] != "twfe"]


def simulated(seed: int = 0, noise: float = 0.0, units: int = 60, never: bool = True) -> pd.DataFrame:
    """Units in 20 cities, 2010-2019, cohorts 2013, 2015 and 2016, effects that differ by cohort and grow."""
    rng = np.random.default_rng(seed)
    starts = [2013.0, 2015.0, 2016.0] + ([np.nan] if never else [])
    rows = pd.MultiIndex.from_product([range(units), range(2010, 2020)], names=["unit", "year"]).to_frame(index=False)
    rows["city"] = rows["unit"] % 20
    rows["cohort"] = np.asarray(starts)[rows["city"] % len(starts)]
    event = rows["year"] - rows["cohort"]
    rows["effect"] = ((event + 1) * (rows["cohort"] - 2010)).where(event >= 0, 0.0).fillna(0.0)
    rows["D"] = (event >= 0).astype(int)
    rows["y"] = rng.normal(size=units)[rows["unit"]] + rng.normal(size=10)[rows["year"] - 2010] + rows["effect"]
    rows["x"] = rng.normal(size=len(rows))
    rows["y"] += noise * rng.normal(size=len(rows))
    return rows


def estimated(key: str, data: pd.DataFrame, group: str | None = None, **options: object) -> Estimate:
    return estimate(key, data, **{**NAMES, **options}, control_group=group)


def firms(key: str, data: pd.DataFrame, group: str | None = None, cluster: str = "city") -> Estimate:
    return estimate(
        key, data, outcome="y", unit="firm", time="year", cohort="cohort", cluster=cluster, control_group=group
    )


# --- truth -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "group"), ROBUST)
def test_recovers_the_mean_effect_over_treated_rows(key: str, group: str) -> None:
    data = simulated()
    ours = estimated(key, data, group)
    event = data["year"] - data["cohort"]
    after = ours.by_event_time.loc[0:]
    treated = data[event.isin(after.index)]
    if key == "stacked":  # cohorts without the whole window are left out
        treated = treated[treated["cohort"] + after.index.max() <= 2019]
    assert ours.n_treated == len(treated)
    assert ours.att["estimate"] == pytest.approx(treated["effect"].mean(), abs=1e-8)
    by_event = treated.groupby(event)["effect"].agg(["mean", "size"])
    np.testing.assert_allclose(after["estimate"], by_event["mean"], atol=1e-8)
    np.testing.assert_array_equal(after["n"], by_event["size"])
    if key != "gardner":  # its leads are relative to nothing
        np.testing.assert_allclose(ours.by_event_time.loc[:-1, "estimate"], 0.0, atol=1e-8)


def test_twfe_does_not() -> None:
    data = simulated()
    truth = data.loc[data["D"] == 1, "effect"].mean()
    assert abs(estimated("twfe", data).att["estimate"] - truth) > 0.1 * truth


@pytest.mark.parametrize(("key", "group"), ROBUST)
def test_gaps_and_late_entry_change_no_effect(key: str, group: str) -> None:
    data = simulated(3)
    data["y"] += np.where(data["D"] == 1, 5.0 - data["effect"], 0.0)  # the same effect in all treated rows
    kept = np.random.default_rng(5).random(len(data)) < 0.85
    if key == "stacked":
        kept[:] = True  # group means: which firms are there matters
    if key == "dechaisemartin_dhaultfoeuille":
        kept |= data["unit"] < 40
    ours = estimated(key, data[kept], group)
    assert ours.att["estimate"] == pytest.approx(5.0, abs=1e-8)
    assert 0 < ours.n_treated <= data.loc[kept, "D"].sum()


@pytest.mark.parametrize(("key", "group"), ROBUST)
def test_interval_covers_the_truth_and_shrinks_with_the_noise(key: str, group: str) -> None:
    loud, quiet = (estimated(key, simulated(1, noise), group) for noise in (1.0, 0.1))
    assert quiet.att["se"] < loud.att["se"]
    low, high = quiet.att[["low", "high"]]
    assert low < quiet.att["estimate"] < high
    assert (high - low) / quiet.att["se"] == pytest.approx(2 * 2.093, rel=1e-3)  # t with 19 degrees of freedom


# --- each other ------------------------------------------------------------------------------------------------------


def test_known_equivalences_on_a_balanced_panel() -> None:
    """Same differences, different routes; without controls the numbers must be equal."""
    values = {pair: firms(pair[0], BALANCED, pair[1]) for pair in PAIRS}
    families = [
        [
            ("callaway_santanna", "never"),
            ("sun_abraham", "never"),
            ("wooldridge", "never"),
            ("lp_did", "never"),
            ("dechaisemartin_dhaultfoeuille", "never"),
        ],
        [("callaway_santanna", "not_yet"), ("lp_did", "not_yet"), ("dechaisemartin_dhaultfoeuille", "not_yet")],
        [("borusyak_jaravel_spiess", "not_yet"), ("gardner", "not_yet"), ("wooldridge", "not_yet")],
    ]
    for first, *others in families:
        for other in others:
            assert values[other].att["estimate"] == pytest.approx(values[first].att["estimate"], abs=1e-8), other
            left, right = (values[pair].by_event_time["estimate"].loc[0:] for pair in (first, other))
            np.testing.assert_allclose(left, right, atol=1e-8)
    # unless the leads too are differences from the same base, they differ
    never = [values[pair].by_event_time["estimate"] for pair in families[0][:4]]
    for other in never[1:]:
        np.testing.assert_allclose(other.loc[-3:-1], never[0].loc[-3:-1], atol=1e-8)
    assert len({round(values[family[0]].att["estimate"], 4) for family in families}) == 3


@pytest.mark.parametrize("key", ["callaway_santanna", "sun_abraham", "wooldridge", "lp_did", "stacked"])
def test_event_times_add_up_to_the_att(key: str) -> None:
    ours = firms(key, PANEL)
    after = ours.by_event_time.loc[0:]
    assert np.average(after["estimate"], weights=after["n"]) == pytest.approx(ours.att["estimate"], abs=1e-10)
    assert ours.vcov is not None
    share = after["n"] / after["n"].sum()
    assert np.sqrt(share @ ours.vcov.loc[0:, 0:] @ share) == pytest.approx(ours.att["se"], rel=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(ours.vcov)), ours.by_event_time.loc[ours.vcov.index, "se"], rtol=1e-9)


def test_cells_add_up_to_event_times() -> None:
    for key in ("callaway_santanna", "wooldridge"):
        ours = firms(key, PANEL)
        cells = ours.by_cohort_time
        assert cells is not None
        event = cells.index.get_level_values("time") - cells.index.get_level_values("cohort")
        mean = (cells["estimate"] * cells["n"]).groupby(event).sum() / cells["n"].groupby(event).sum()
        np.testing.assert_allclose(mean, ours.by_event_time.loc[mean.index, "estimate"], atol=1e-10)


# --- other implementations -------------------------------------------------------------------------------------------


def test_local_projections_equal_the_library() -> None:
    """diff-diff takes no errors of a mean over horizons, so ours is one regression; each horizon must be the same."""
    rows = sample(PANEL, outcome="y", unit="firm", time="year", cohort="cohort", cluster="city").rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = diff_diff.LPDiD(pre_window=5, post_window=7, cluster="cluster", reweight=True).fit(
            rows, "outcome", "unit", "time", "post"
        )
    theirs = theirs.event_study.set_index("horizon")
    ours = firms("lp_did", PANEL).by_event_time.loc[theirs.index]
    np.testing.assert_allclose(ours["estimate"], theirs["coefficient"], atol=1e-9)
    used = theirs.index != -1
    np.testing.assert_allclose(ours["se"][used], theirs["se"][used], rtol=0.03)  # small-sample factors differ


def test_stack_equals_the_library() -> None:
    rows = sample(PANEL, outcome="y", unit="firm", time="year", cohort="cohort", cluster="firm").rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = diff_diff.StackedDiD(kappa_pre=3, kappa_post=4).fit(rows, "outcome", "unit", "time", "cohort")
    ours = firms("stacked", PANEL, cluster="firm").by_event_time
    for e, effect in theirs.event_study_effects.items():
        assert ours.loc[e, "estimate"] == pytest.approx(effect["effect"], abs=1e-9)
        assert ours.loc[e, "se"] == pytest.approx(effect["se"], rel=1e-4)


def test_imputation_equals_two_regressions_by_hand() -> None:
    """Unit and year effects from the untreated rows by least squares, then the mean of what is left."""
    data = simulated(2, noise=0.5)
    dummies = pd.get_dummies(data[["unit", "year"]].astype(str)).to_numpy(float)
    untreated = (data["D"] == 0).to_numpy()
    effects = np.linalg.lstsq(dummies[untreated], data["y"][untreated])[0]
    left = (data["y"] - dummies @ effects)[~untreated].mean()
    for key in ("borusyak_jaravel_spiess", "gardner", "wooldridge"):
        assert estimated(key, data).att["estimate"] == pytest.approx(left, abs=1e-8)


# --- inference -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["callaway_santanna", "borusyak_jaravel_spiess", "dechaisemartin_dhaultfoeuille"])
def test_copies_of_a_unit_are_no_information_when_clustered(key: str) -> None:
    """R's did 2.1.2 and moderndid average influence functions by cluster size; sums are right."""
    data = simulated(4, noise=1.0, units=40).assign(city=lambda d: d["unit"])
    copies = pd.concat([data.assign(unit=data["unit"] + 1000 * k) for k in range(3)])
    once, thrice = estimated(key, data), estimated(key, copies)
    assert thrice.att["estimate"] == pytest.approx(once.att["estimate"], abs=1e-8)
    # de Chaisemartin and D'Haultfoeuille's variance has a factor n/(n - 1) for the 10 or 30 units of a cohort
    exact = 0.05 if key == "dechaisemartin_dhaultfoeuille" else 1e-6
    assert thrice.att["se"] == pytest.approx(once.att["se"], rel=exact)
    alone = estimated(key, copies, cluster="unit")
    assert alone.att["se"] == pytest.approx(once.att["se"] / np.sqrt(3), rel=max(exact, 0.02))


def test_clusters_of_unequal_size_by_the_definition() -> None:
    """Two periods, one cohort: the difference of two means, whose clustered error has a formula."""
    rng = np.random.default_rng(8)
    sizes = [1, 2, 3, 10, 20, 4]
    units = pd.DataFrame({"city": np.repeat(np.arange(6), sizes)})
    units["cohort"] = np.where(units["city"] % 2 == 0, 2011.0, np.nan)
    units["change"] = rng.normal(size=len(units)) + rng.normal(size=6)[units["city"]]
    data = pd.concat([units.assign(year=2010, y=0.0), units.assign(year=2011, y=units["change"])])
    data["unit"] = data.index
    treated = units["cohort"].notna()
    gap = units["change"] - units["change"].groupby(treated).transform("mean")
    sums = (gap / treated.map(treated.value_counts())).groupby(units["city"]).sum()
    expected = np.sqrt(6 / 5 * (sums**2).sum())
    assert estimated("callaway_santanna", data).att["se"] == pytest.approx(expected, rel=1e-9)


@settings(max_examples=8, deadline=None)
@given(
    key=st.sampled_from(list(ESTIMATORS)),
    shift=st.floats(-100, 100),
    scale=st.floats(0.1, 1000),
    seed=st.integers(0, 99),
)
def test_only_the_unit_of_measurement_matters(key: str, shift: float, scale: float, seed: int) -> None:
    data = simulated(7, noise=1.0, units=40)
    rng = np.random.default_rng(seed)
    other = data.assign(
        y=scale * data["y"] + shift * data["year"] + rng.normal(size=40)[data["unit"]],
        unit=rng.permutation(40)[data["unit"]].astype(str),
    ).sample(frac=1, random_state=seed)
    first, second = estimated(key, data), estimated(key, other)
    tolerance = 1e-7 * scale
    assert second.att["estimate"] == pytest.approx(scale * first.att["estimate"], abs=tolerance, rel=1e-6)
    assert second.att["se"] == pytest.approx(scale * first.att["se"], abs=tolerance, rel=1e-6)


# --- controls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [key for key, method in ESTIMATORS.items() if method.takes_controls])
def test_controls_take_out_what_they_explain(key: str) -> None:
    data = simulated(6)
    base = data["unit"].map(data[data["year"] == 2012].set_index("unit")["x"])
    # a trait fixed over time that bends trends for Callaway-Sant'Anna, a time-varying one for the regressions
    fixed = key == "callaway_santanna"
    data["x"] = base if fixed else data["x"] + 0.5 * data["D"]
    data["y"] += data["x"] * (data["year"] - 2010 if fixed else 3.0) - data["effect"] + 5.0 * data["D"]
    without, with_it = estimated(key, data), estimated(key, data, controls=["x"])
    assert abs(without.att["estimate"] - 5.0) > 0.05
    assert with_it.att["estimate"] == pytest.approx(5.0, abs=1e-6)


@pytest.mark.parametrize("key", [key for key, method in ESTIMATORS.items() if not method.takes_controls])
def test_refuses_controls_it_cannot_use(key: str) -> None:
    with pytest.raises(ParameterError, match=rf"{key}: takes no controls; those that do: .*gardner"):
        estimated(key, simulated(), controls=["x"])


# --- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "group"), ROBUST)
def test_without_never_treated_the_last_cohort_is_the_control(key: str, group: str) -> None:
    data = simulated(never=False)
    ours = estimated(key, data, group)
    used = data[data["year"] < 2016]
    treated = used[(used["D"] == 1) & (used["cohort"] < 2016)]
    assert "the years from 2016 on dropped" in ours.note
    if key != "stacked":
        assert ours.att["estimate"] == pytest.approx(treated["effect"].mean(), abs=1e-8)


@pytest.mark.parametrize(("key", "group"), ROBUST)
def test_cohort_with_one_unit_is_kept_and_named(key: str, group: str) -> None:
    data = simulated(9, noise=0.01)
    alone = data["unit"] == 3  # never treated until now
    data.loc[alone, "cohort"] = 2014.0
    data.loc[alone & (data["year"] >= 2014), "y"] += 7.0
    ours = estimated(key, data.assign(city=data["unit"]), group)
    assert "one unit in cohort 2014" in ours.note
    if ours.by_cohort_time is not None:
        assert ours.by_cohort_time.loc[(2014, 2019), "estimate"] == pytest.approx(7.0, abs=0.1)
    assert np.isfinite(ours.att["se"])


@pytest.mark.parametrize("key", ESTIMATORS)
def test_all_treated_in_the_same_year_has_no_comparison(key: str) -> None:
    data = simulated().assign(cohort=2019.0)
    with pytest.raises(DataError, match=r"column 'cohort': no treated unit has a control to compare with"):
        estimated(key, data)


@pytest.mark.parametrize("key", ["callaway_santanna", "borusyak_jaravel_spiess", "lp_did", "sun_abraham"])
def test_last_cohorts_of_the_last_year_are_controls_until_then(key: str) -> None:
    data = simulated().assign(cohort=lambda d: d["cohort"].fillna(2019.0))  # in the last year all are treated
    ours = estimated(key, data)
    treated = data[(data["cohort"] < 2019) & (data["D"] == 1) & (data["year"] < 2019)]
    assert ours.att["estimate"] == pytest.approx(treated["effect"].mean(), abs=1e-8)


def test_says_what_was_dropped() -> None:
    data = simulated(noise=1.0)
    data.loc[data.index[7:10], "y"] = np.nan
    always = data["unit"] == 5
    data.loc[always, "cohort"] = 2010.0
    single = (data["unit"] == 3) & (data["year"] > 2010)
    ours = estimated("callaway_santanna", data[~single])
    for words in (
        "3 rows with missing values dropped",
        "1 units without an untreated row dropped",
        "1 units with a single row dropped",
    ):
        assert words in ours.note
    assert ours.n_obs == 600 - 3 - 10 - 9 - 1


def test_cohort_after_the_panel_is_never_treated() -> None:
    data = simulated(noise=1.0)
    later = data.assign(cohort=data["cohort"].fillna(2030.0))
    left, right = (estimated("callaway_santanna", d).att for d in (data, later))
    pd.testing.assert_series_equal(left, right)


def test_unbalanced_panel_is_balanced_for_the_estimator_that_needs_it() -> None:
    data = simulated(noise=1.0)
    gap = (data["unit"] == 7) & (data["year"] == 2012)
    ours = estimated("dechaisemartin_dhaultfoeuille", data[~gap])
    assert "1 units with gaps dropped" in ours.note
    whole = estimated("dechaisemartin_dhaultfoeuille", data[data["unit"] != 7])
    assert ours.att["estimate"] == pytest.approx(whole.att["estimate"], abs=1e-12)
    alternate = data[data["year"] % 2 == data["unit"] % 2]
    with pytest.raises(DataError, match=r"balanced panel: 0 of 60 units have a row in each of 10 years"):
        estimated("dechaisemartin_dhaultfoeuille", alternate)


# --- bad input -------------------------------------------------------------------------------------------------------


def test_first_treated_year_from_a_column() -> None:
    data = simulated()
    found = first_treated(data, treatment="D", unit="unit", time="year")
    pd.testing.assert_series_equal(found, data["cohort"], check_names=False)


@pytest.mark.parametrize(
    ("year", "value", "message"),
    [
        (2018, 0, r"column 'D', unit 0, year 2018: 0.*, but 1 in 2013; expected a treatment that never switches off"),
        (2013, 0.25, r"column 'D', unit 0, year 2013: 0.25, expected 0 or 1; cohorts know no partial treatment"),
        (2013, np.nan, r"column 'D', unit 0, year 2013: nan, expected 0 or 1"),
    ],
)
def test_treatment_that_no_cohort_expresses(year: int, value: float, message: str) -> None:
    data = simulated().astype({"D": float})
    data.loc[(data["unit"] == 0) & (data["year"] == year), "D"] = value
    with pytest.raises(DataError, match=message):
        first_treated(data, treatment="D", unit="unit", time="year")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: pd.concat([d, d.head(1)]), r"unit 0, year 2010: a second row"),
        (lambda d: d.assign(cohort=d["cohort"].mask(d.index == 0, 2011.0)), r"'cohort': several values in unit 0"),
        (lambda d: d.assign(city=d["city"].mask(d.index == 0, 99)), r"'city': several values in unit 0"),
        (lambda d: d.assign(cohort=d["cohort"] + 0.5), r"'cohort': expected whole years, found 2013.5"),
        (lambda d: d.assign(y=d["y"].mask(d.index == 4, np.inf)), r"'y': infinite values"),
        (lambda d: d.assign(y=d["y"].astype(str)), r"'y': expected numbers"),
        (lambda d: d.assign(y=np.nan), r"'y': no complete row among 600"),
        (lambda d: d.assign(city=d["city"].mask(d.index == 4)), r"'city': missing in 1 rows"),
        (lambda d: d.assign(city=0), r"'city': at least two clusters are needed, found 1"),
        (lambda d: d.assign(cohort=np.nan), r"'cohort': no treated unit has a control"),
        (lambda d: d[d["year"] >= d["cohort"].fillna(0)], r"'cohort': no treated unit has a control"),
    ],
)
def test_bad_rows(change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        estimated("callaway_santanna", change(simulated()))


def test_bad_parameters() -> None:
    with pytest.raises(ParameterError, match=r"estimator = 'csdid': expected one of twfe, callaway_santanna"):
        estimated("csdid", simulated())
    with pytest.raises(ParameterError, match=r"sun_abraham: control_group = 'not_yet', expected 'never'"):
        estimated("sun_abraham", simulated(), "not_yet")
    with pytest.raises(DeclarationError, match=r"no column 'nothing'"):
        estimated("gardner", simulated(), outcome="nothing")
