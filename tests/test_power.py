"""Design analysis: formulas against integrals, summaries by hand, and stored draws recomputed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from pilotzones import panel, power, replicate, specifications, studies, sweep
from pilotzones.errors import DataError
from pilotzones.panel import TRUTH
from pilotzones.paths import CALIBRATION

STUDY = studies.load("productivity")


def drawn(seeds: list[int], sizes: list[float], key: str = "productivity") -> pd.DataFrame:
    """Estimate some draws as the command does, in this process."""
    groups = sweep.groups(power.grid(studies.load(key), seeds, sizes))
    return power.tidy(pa.concat_tables([sweep.estimate(group) for group in groups]).to_pandas())


# ------------------------------------------------------------------------------------------------------------ formulas


@settings(max_examples=25, deadline=None)
@given(
    effect=st.floats(-4, 4).filter(lambda x: abs(x) > 0.02), se=st.floats(0.2, 2), level=st.sampled_from([0.01, 0.1])
)
def test_retrodesign_is_the_integral(effect: float, se: float, level: float) -> None:
    found = power.retrodesign(effect, se, level)
    z, density = stats.norm.ppf(1 - level / 2) * se, stats.norm(effect, se).pdf
    ends = (effect - 12 * se, effect + 12 * se)

    def tails(function: object) -> tuple[float, float]:
        below = integrate.quad(function, min(ends[0], -z), -z)[0]
        return below, integrate.quad(function, z, max(ends[1], z))[0]

    below, above = tails(density)
    assert found["power"] == pytest.approx(below + above, rel=1e-6)
    assert found["type_s"] == pytest.approx((below if effect > 0 else above) / (below + above), rel=1e-5, abs=1e-9)
    mean = sum(tails(lambda x: abs(x) * density(x))) / (below + above)
    assert found["type_m"] == pytest.approx(mean / abs(effect), rel=1e-6)


def test_the_rule_has_a_power_of_eighty_percent() -> None:
    assert power.multiple() == pytest.approx(2.8016, abs=1e-4)
    for level in (0.01, 0.05, 0.1):
        assert power.retrodesign(power.multiple(level) * 3, 3, level)["power"] == pytest.approx(0.8, abs=1e-4)


# ----------------------------------------------------------------------------------------------------------- summaries


@pytest.fixture
def by_hand() -> pd.DataFrame:
    """Four panels without an effect and four with one of 2 x 0.5 = 1."""
    none = {"estimate": [0.1, -2.0, 0.3, 0.0], "p": [0.9, 0.03, 0.6, 1.0]}
    some = {"estimate": [2.0, -2.0, 0.5, 3.0], "p": [0.04, 0.02, 0.5, 0.001]}
    rows = [pd.DataFrame(part).assign(size=size, seed=range(4)) for size, part in ((0.0, none), (2.0, some))]
    return pd.concat(rows, ignore_index=True).assign(vcov="iid", se=0.8, reach=2.0, estimand=0.5)


def test_summary_by_hand(by_hand: pd.DataFrame) -> None:
    none, some = power.summarise(by_hand).to_dict("records")
    assert (none["effect"], none["power"], none["significant"], none["coverage"]) == (0.0, 0.25, 1, 0.75)
    assert np.isnan(none["type_s"]) and np.isnan(none["type_m"])
    assert (some["effect"], some["power"], some["runs"]) == (1.0, 0.75, 4)
    assert some["type_s"] == pytest.approx(1 / 3)
    assert some["type_m"] == pytest.approx((2 + 2 + 3) / 3 / 1.0)
    assert some["coverage"] == 0.5  # 2.0 and 0.5 are within 1.6 of 1
    assert some["bias"] == pytest.approx(3.5 / 4 - 1)
    assert some["power_error"] == pytest.approx(np.sqrt(0.75 * 0.25 / 4))
    assert power.summarise(by_hand, level=0.01)["significant"].tolist() == [0, 1]
    undefined = power.summarise(by_hand.assign(se=np.nan, p=np.nan))
    assert (undefined[["power", "coverage"]] == 0).all(axis=None) and (undefined["undefined"] == 1).all()


def test_minimum_detectable_effect_is_interpolated() -> None:
    summary = pd.DataFrame({"vcov": "iid", "size": [0.0, 1, 2], "effect": [0.0, 10, 20], "power": [0.04, 0.6, 1.0],
                            "se": [3.0, 3, 3], "sd": [4.0, 4, 4]})  # fmt: skip
    found = power.minimum_detectable(summary).loc["iid"]
    assert found["simulated"] == pytest.approx(15)
    assert (found["rule"], found["honest"]) == pytest.approx((2.8016 * 3, 2.8016 * 4), rel=1e-4)
    assert found["test_size"] == 0.04
    always = summary.assign(power=[0.9, 0.95, 1.0])
    for other in (summary.head(2), always):
        assert np.isnan(power.minimum_detectable(other).at["iid", "simulated"])


def test_what_the_papers_print_and_one_sample() -> None:
    expected = {"innovation": (0.068, 0.028), "resilience": (0.0357, 0.0046), "coordination": (0.071, 0.071 / 6.12),
                "productivity": (0.025, 0.025 / 8.239)}  # fmt: skip
    for key, numbers in expected.items():
        assert tuple(power.printed(studies.load(key))) == pytest.approx(numbers)
    assert np.isnan(power.printed(studies.load("quality"))["se"])
    fit = replicate.benchmark(STUDY, panel.load(STUDY))
    found = power.one_sample(STUDY, fit, share=0.5)
    assert list(found.index) == ["printed", "iid", "hetero", "cluster_city", "cluster_province"]
    assert found["detectable"].to_numpy() == pytest.approx(2.8016 * found["se"].to_numpy(), rel=1e-4)
    assert found.loc["iid", "estimate"] == pytest.approx(fit.coefficients.at["treat_post", "estimate"])
    assert found.loc["iid", "power"] == power.retrodesign(0.0125, found.loc["iid", "se"])["power"]


# ---------------------------------------------------------------------------------------------------------- simulation


def test_estimates_move_with_the_effect_and_nothing_else_does() -> None:
    """Least squares is linear in the outcome: so are the estimates, with the estimand as their slope."""
    draws = drawn([5, 6], [0.0, 0.5, 1.0])
    assert len(draws) == 2 * 3 * 4
    table = draws[draws["vcov"] == "hetero"].pivot(index="seed", columns="size", values="estimate")
    estimand = draws.groupby("seed")["estimand"].first()
    np.testing.assert_allclose(table[1.0] - table[0.0], estimand, rtol=1e-9)
    np.testing.assert_allclose(table[0.5] - table[0.0], estimand / 2, rtol=1e-9)
    data = panel.generate(STUDY, 5)
    column = STUDY.table("T3").column("4")
    assert estimand[5] == pytest.approx(replicate.estimand(STUDY, column, data)["treat_post"], rel=1e-9)
    fit = replicate.column(STUDY, column, data.assign(Npp=data["Npp"] - data[TRUTH]), "hetero")
    row = draws.query("seed == 5 and size == 0 and vcov == 'hetero'").iloc[0]
    assert tuple(row[["estimate", "se"]]) == pytest.approx(
        tuple(fit.coefficients.loc["treat_post", ["estimate", "se"]]), rel=1e-9
    )


def test_a_panel_is_drawn_once_for_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    drew: list[int] = []
    generate = panel.generate
    monkeypatch.setattr(panel, "generate", lambda study, seed: drew.append(seed) or generate(study, seed))
    sweep._panel.cache_clear()
    groups = sweep.groups(power.grid(STUDY, [31, 32, 33], [0.0, 0.5, 1.0]))
    for group in groups:
        sweep.estimate(group)
    assert len(groups) == 3 and sorted(drew) == [31, 32, 33]


def test_the_command_writes_draws_and_the_words_that_make_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(power, "CALIBRATION", tmp_path)
    monkeypatch.setattr(power, "BUILD", tmp_path / "build")
    monkeypatch.setattr(sweep, "processes", lambda workers, todo: sweep.here(todo))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(DataError, match=r"productivity_design\.parquet: the file is missing; `python -m pilotzones"):
        power.stored(STUDY)
    power.main(["productivity", "--seeds", "2", "--sizes", "0.5"])
    assert "productivity_design.parquet: 24 rows, 2 seeds by 3 sizes" in capsys.readouterr().out
    draws = power.stored(STUDY)
    assert power.command(STUDY, draws) == "python -m pilotzones.power productivity --seeds 2 --sizes 0 0.5 1"
    before = (tmp_path / "productivity_design.parquet").read_bytes()
    power.main(["productivity", "--seeds", "2", "--sizes", "0.5", "0.5", "1"])
    assert (tmp_path / "productivity_design.parquet").read_bytes() == before
    assert not list((tmp_path / "build" / "power").iterdir())
    for words in (["--seeds", "1"], ["--sizes", "-1"], ["--sizes", "inf"]):
        with pytest.raises(SystemExit):
            power.main(["productivity", *words])
    assert "0 or more" in capsys.readouterr().err
    (tmp_path / "productivity_design.parquet").write_bytes(before[:-50])
    with pytest.raises(DataError, match="cannot be read"):
        power.stored(STUDY)
    draws.drop(columns="p").to_parquet(tmp_path / "productivity_design.parquet")
    with pytest.raises(DataError, match="expected rows with seed, size, vcov"):
        power.stored(STUDY)


def test_a_draw_that_fails_stops_the_table() -> None:
    rows = pa.concat_tables([sweep.estimate(g) for g in sweep.groups(power.grid(STUDY, [5], [1.0]))]).to_pandas()
    with pytest.raises(DataError, match=r"1 of 5 specifications cannot be estimated, first seed 5, size 1, .*: no row"):
        power.tidy(rows.assign(error=["no row", *rows["error"].iloc[1:]]))


# --------------------------------------------------------------------------------------------------------- stored draws


@pytest.mark.parametrize("key", studies.keys())
class TestStored:
    def test_is_complete(self, key: str) -> None:
        draws = power.stored(studies.load(key))
        sizes = draws["size"].unique()
        assert {0.0, 1.0} <= set(sizes)
        names = [specifications.errors(studies.load(key), name) for name in replicate.error_names(studies.load(key))]
        counts = draws.groupby(["vcov", "size"])["seed"].nunique()
        assert sorted(counts.index) == sorted((name, size) for name in names for size in sizes)
        assert counts.nunique() == 1 and counts.iloc[0] >= 100
        assert not draws.duplicated(["seed", "size", "vcov"]).any()
        assert (CALIBRATION / f"{key}_design.parquet").stat().st_size < 500_000

    def test_is_what_the_library_computes(self, key: str) -> None:
        draws = power.stored(studies.load(key))
        sizes = [0.5] if key == "coordination" else sorted(draws["size"].unique())
        seeds = [1001] if key in ("coordination", "innovation") else [1001, int(draws["seed"].max())]
        again = drawn(seeds, sizes, key).set_index(["vcov", "size", "seed"])
        before = draws.set_index(["vcov", "size", "seed"]).loc[again.index]
        pd.testing.assert_frame_equal(again, before, rtol=1e-9, atol=1e-12)

    def test_has_one_bias_and_sees_the_largest_effect(self, key: str) -> None:
        summary = power.summarise(power.stored(studies.load(key)))
        assert summary.loc[summary["vcov"] == "hetero", "power"].iloc[-1] > 0.95
        np.testing.assert_allclose(summary["bias"], summary["bias"].iloc[0], rtol=0, atol=1e-9)  # for all sizes
        assert abs(summary["bias"].iloc[0]) < 0.2 * summary.loc[summary["size"] == 1, "effect"].iloc[0]
