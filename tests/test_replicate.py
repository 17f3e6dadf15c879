"""From a declared column to its estimate: what the paper does to rows and errors before it estimates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pilotzones import replicate
from pilotzones.declare import Column, EventStudy, Inconsistency, Study, Table, Variable
from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.regression import regress


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"city": np.repeat(np.arange(50), 8), "year": np.tile(np.arange(2010, 2018), 50)})
    rows["cohort"] = np.where(rows["city"] < 20, 2013.0, np.nan)
    rows["treat_post"] = (rows["year"] >= rows["cohort"]).astype(int)
    rows["x"] = rng.standard_t(2, size=len(rows))
    rows["y"] = 0.3 * rows["treat_post"] + 0.5 * rows["x"] + rng.standard_t(3, size=len(rows)) + rows["city"] / 10
    rows.loc[[3, 77], "x"] = np.nan
    return rows


def study(**changes: object) -> Study:
    columns = (
        Column("1", "y ~ treat_post + x | city + year"),
        Column("2", "y ~ treat_post + x | city + year", winsorise=0.02),
    )
    fields = dict(
        key="towns", title="", title_zh="", authors="", outlet="", unit="city", time="year", years=(2010, 2017),
        batches=(1,), benchmark=("T1", "1"), outcome="y", tables=(Table("T1", "03_baseline", "", columns),),
        variables=(
            Variable("city", "", kind="code"), Variable("year", "", kind="code"), Variable("cohort", "", "year"),
            Variable("treat_post", "", kind="binary"), Variable("x", "", "yuan"), Variable("y", "", "yuan"),
        ),
        clusters={"cluster_unit": "city", "cluster_city": "city", "cluster_province": "province"},
    )  # fmt: skip
    return Study(**(fields | changes))  # type: ignore[arg-type]


def test_winsorising_draws_in_the_continuous_variables_of_the_rows_used(data: pd.DataFrame) -> None:
    used = data.dropna(subset=["x"])
    limits = {name: np.percentile(used[name].to_numpy(), [2, 98]) for name in "xy"}
    by_hand = used.assign(**{name: np.clip(used[name], *limits[name]) for name in "xy"})
    ours = replicate.column(study(), study().tables[0].column("2"), data, "iid")
    theirs = regress("y ~ treat_post + x | city + year", by_hand)
    pd.testing.assert_frame_equal(ours.coefficients, theirs.coefficients, rtol=1e-9)
    plain = replicate.column(study(), study().tables[0].column("1"), data, "iid")
    assert abs(ours.coefficients.at["x", "estimate"] - plain.coefficients.at["x", "estimate"]) > 0.02
    assert ours.n_obs == plain.n_obs


def test_winsorising_leaves_codes_dummies_and_the_data_alone(data: pd.DataFrame) -> None:
    before = data.copy()
    drawn_in = replicate.winsorised(study(), "y ~ treat_post + x | city + year", data, 0.1)
    pd.testing.assert_frame_equal(drawn_in[["city", "year", "treat_post"]], data[["city", "year", "treat_post"]])
    assert drawn_in["x"].max() < data["x"].max()
    pd.testing.assert_frame_equal(data, before)


def test_r2_follows_the_convention_of_the_paper(data: pd.DataFrame) -> None:
    column = study().tables[0].column("1")
    fit = replicate.column(study(), column, data)
    kinds = {"within": fit.r2_within, "within_unit": fit.r2_within_unit, "overall": fit.r2}
    assert len({round(value, 6) for value in kinds.values()}) == 3
    assert {kind: replicate.printed_r2(study(r2=kind), column, fit) for kind in kinds} == kinds
    instrumented = Column("3", "y ~ 1 | city + year | treat_post ~ x")
    assert replicate.printed_r2(study(r2="overall"), instrumented, fit) == fit.r2_within


def test_a_study_of_cities_lists_each_error_once() -> None:
    assert replicate.error_names(study()) == ["iid", "hetero", "cluster_city", "cluster_province"]
    assert replicate.errors(study(), "cluster_unit") == replicate.errors(study(), "cluster_city") == "cluster:city"


def test_the_constant_is_there_when_the_paper_prints_it(data: pd.DataFrame) -> None:
    column = study().tables[0].column("1")
    assert "_cons" in replicate.column(study(constant="mean"), column, data).coefficients.index
    pooled = replicate.column(study(constant="mean"), Column("3", "y ~ treat_post"), data, "hetero")
    assert list(pooled.coefficients.index) == list(pooled.under("iid").coefficients.index) == ["_cons", "treat_post"]
    assert "_cons" not in replicate.column(study(), column, data).coefficients.index


def test_the_constant_of_the_first_year_is_that_of_year_dummies(data: pd.DataFrame) -> None:
    """In a balanced panel: the mean outcome of the first year at regressors of zero. Nothing else changes."""
    balanced = data.fillna({"x": 0.0})
    column = study().tables[0].column("1")
    ours, plain = (replicate.column(study(constant=kind), column, balanced) for kind in ("first_year", "mean"))
    slopes = ["treat_post", "x"]
    pd.testing.assert_frame_equal(
        ours.coefficients.loc[slopes], plain.coefficients.loc[slopes], rtol=1e-8, check_names=False
    )
    assert list(ours.under("iid").coefficients.index) == [*slopes, "_cons"]
    first = balanced[balanced["year"] == 2010].mean()
    expected = first["y"] - first[slopes] @ plain.coefficients.loc[slopes, "estimate"]
    assert ours.coefficients.at["_cons", "estimate"] == pytest.approx(expected, rel=1e-8)
    assert (ours.r2, ours.r2_within_unit) == pytest.approx((plain.r2, plain.r2_within_unit))


def test_what_lacks_its_data_leaves_the_declaration_and_the_rest_stays(data: pd.DataFrame) -> None:
    more = Table("T2", "06_mechanisms", "", (
        Column("1", "m ~ treat_post | city"), Column("2", "y ~ treat_post | city", sample="year > 2050"),
        Column("3", "y ~ treat_post | city", matching="treat_post ~ m"), Column("4", "y ~ treat_post | city"),
    ))  # fmt: skip
    alone = Table("T3", "06_mechanisms", "", (Column("1", "y ~ m"),))
    events = tuple(EventStudy(f"F{i}", "03_baseline", "", f"{y} ~ {{event}} | city", -2, 2, (-1,))
                   for i, y in enumerate(("y", "m"), 1))  # fmt: skip
    declared = study(
        tables=(*study().tables, more, alone),
        figures=events,
        mediators=(("m", "y"), ("x", "y")),
        factors={"m": "x"},
        inconsistencies=(Inconsistency("T2", "1", ""), Inconsistency("T1", "1", "")),
    )
    known = data.assign(m=1.0)
    assert replicate.lacking(declared, known) == {("T2", "2"): "no row with year > 2050"}
    empty = data.assign(m=np.nan)
    found = replicate.lacking(declared, empty)
    assert [place for place, words in found.items() if words == "no value of m"] == [
        ("T2", "1"), ("T2", "3"), ("T3", "1"), ("F2", ""),
    ]  # fmt: skip
    left = replicate.estimable(declared, empty)
    assert [(t.id, c.id) for t in left.tables for c in t.columns] == [("T1", "1"), ("T1", "2"), ("T2", "4")]
    assert [figure.id for figure in left.figures] == ["F1"]
    assert (left.mediators, left.factors) == ((("x", "y"),), {})
    assert [problem.table for problem in left.inconsistencies] == ["T1"]
    with pytest.raises(DeclarationError, match="table T2: there is no column 1"):
        left.table("T2").column("1")
    with pytest.raises(DeclarationError, match="study towns: there is no table T3"):
        left.table("T3")


def test_without_the_data_of_the_main_column_nothing_can_be_had(data: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"study towns: the main column, T1 \(1\), cannot be had: no value of x"):
        replicate.estimable(study(), data.assign(x=np.nan))
