"""The check that refuses a book with licensed values of single units: planted leaks are found, clean pages pass."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode

from pilotzones import disclosure, policy, report
from pilotzones.declare import Study, Variable
from pilotzones.errors import PilotZonesError
from pilotzones.trace import DATA_MIME

CITIES = policy.cities().set_index("adcode").loc[lambda c: c["is_city"] == 1].index[:40].to_numpy()
HANGZHOU, YEARS = 330100, np.arange(2010, 2020)


def toy(unit: str, *variables: Variable) -> Study:
    return Study(
        key="toy", title="", title_zh="", authors="", outlet="", unit=unit, time="year", years=(2010, 2019),
        batches=(1,), variables=variables, tables=(), benchmark=("T1", "1"), outcome="sales",
    )  # fmt: skip


def of_cities() -> tuple[Study, pd.DataFrame, pd.DataFrame]:
    """Cities by year: two licensed variables and two that are public."""
    random, cities = np.random.default_rng(5), np.union1d(CITIES, [HANGZHOU])
    frame = pd.MultiIndex.from_product([cities, YEARS], names=["city", "year"]).to_frame(index=False)
    frame["sales"] = random.lognormal(8, 1, len(frame))
    frame["rate"] = random.uniform(0.2, 0.9, len(frame))
    frame["cohort"], frame["treat_post"] = 2015.0, (frame["year"] >= 2015).astype(int)
    study = toy("city", Variable("city", "", kind="code"), Variable("year", "", kind="code"), Variable("sales", ""),
                Variable("rate", ""), Variable("cohort", ""), Variable("treat_post", "", kind="binary"))  # fmt: skip
    return study, frame, frame[["city", "year", "sales", "rate"]]


def of_firms() -> tuple[Study, pd.DataFrame, pd.DataFrame]:
    """Firms in cities: one variable of the firm, one of its city."""
    frame = pd.MultiIndex.from_product([range(1, 121), YEARS], names=["firm", "year"]).to_frame(index=False)
    frame["city"] = np.where(frame["firm"] % 2, HANGZHOU, 110000)
    frame["profit"] = np.random.default_rng(6).lognormal(8, 1, len(frame))
    frame["gdp"] = frame["city"] / 7 + frame["year"] * 1.37
    frame["deposits"] = frame["city"] / 11 + frame["year"] * 3.11
    study = toy("firm", Variable("firm", "", kind="code"), Variable("year", "", kind="code"),
                Variable("city", "", kind="code"), Variable("profit", ""), Variable("gdp", ""),
                Variable("deposits", ""))  # fmt: skip
    return study, frame, frame


def of_pairs() -> tuple[Study, pd.DataFrame, pd.DataFrame]:
    """Two pairs of cities by year, made from cities."""
    _, cities, raw = of_cities()
    ends = {"city_i": [110000] * 4, "city_j": [120000, 120000, HANGZHOU, HANGZHOU]}
    frame = pd.DataFrame({"pair": [1, 1, 2, 2], "year": [2010, 2011] * 2, **ends})
    frame["tie"] = [12.3456, 23.4567, 3.14159, 2.71828]
    study = toy("pair", *(Variable(name, "", kind="code") for name in ("pair", "year", "city_i", "city_j")),
                Variable("tie", ""))  # fmt: skip
    return study, frame, raw.assign(extra=cities["sales"])


Data = tuple[Study, pd.DataFrame, pd.DataFrame]
Use = Callable[..., tuple[Study, pd.DataFrame]]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Pretend that a panel and its raw data are licensed."""

    def pretend(data: Data, **records: pd.DataFrame) -> tuple[Study, pd.DataFrame]:
        study, frame, raw = data
        monkeypatch.setattr(disclosure.measured, "draw", lambda *arguments, firms: records)
        monkeypatch.setattr(disclosure.panel, "load", lambda study, source: frame)
        monkeypatch.setattr(disclosure.panel, "raw", lambda study, source, seed: raw)
        return study, frame

    return pretend


def page(*outputs: object) -> NotebookNode:
    """Return an executed page that shows tables, or bundles of data by MIME type, or printed text."""
    cells = []
    for shown in outputs:
        if isinstance(shown, str):
            output = nbformat.v4.new_output("stream", name="stdout", text=shown)
        else:
            data = shown if isinstance(shown, dict) else shown._repr_mimebundle_()  # type: ignore[attr-defined]
            data.pop(DATA_MIME, None)  # the book has taken it off before
            output = nbformat.v4.new_output("display_data", data)
        cells.append(nbformat.v4.new_code_cell("show()", outputs=[output]))
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Page"), *cells])


def refused(study: Study, *outputs: object) -> str:
    with pytest.raises(PilotZonesError) as error:
        disclosure.check({"toy/01_data (licensed)": page(*outputs)}, [study])
    return str(error.value)


def hangzhou(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["city"] == HANGZHOU].set_index("year")[["sales", "rate"]]


def test_a_row_that_names_a_city_beside_two_of_its_values_is_refused(use: Use) -> None:
    study, frame = use(of_cities())
    table = hangzhou(frame).head(1).set_axis(["Hangzhou"])
    said = refused(study, "nothing here", report.view(table, "Values", digits=4))
    assert "toy/01_data (licensed), cell 3, text/html" in said
    assert "2 numbers beside city Hangzhou are its values" in said


@pytest.mark.parametrize("name", ["Hangzhou", "Hangzhou 2012", "杭州", "杭州市", "330100"])
def test_so_is_a_column_whatever_the_city_is_called(use: Use, name: str) -> None:
    study, frame = use(of_cities())
    table = hangzhou(frame).iloc[2].to_frame(name)
    assert f"city {name.split()[0][:2]}" in refused(study, report.view(table, "Values", digits=4))


def test_so_are_printed_tables_and_sentences(use: Use) -> None:
    study, frame = use(of_cities())
    values = hangzhou(frame).loc[2013]
    assert "row 2: 2 numbers" in refused(study, hangzhou(frame).head(1).set_axis(["Hangzhou"]).to_string())
    assert "column" in refused(study, values.to_frame("Hangzhou").to_string())
    sentence = f"In Hangzhou sales were {values['sales']:,.1f}, and the rate {values['rate']:.2%}."
    assert "text/plain, row 1" in refused(study, sentence)
    assert "text/markdown, row 1" in refused(study, {"text/markdown": sentence})
    assert "text/html, line 1" in refused(study, {"text/html": f"<p>{sentence}</p>"})


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(year=st.sampled_from([*YEARS]), digits=st.integers(4, 9), style=st.sampled_from(["{:#.{}g}", "{:.{}e}"]))
def test_a_value_is_known_at_every_precision_from_four_digits(use: Use, year: int, digits: int, style: str) -> None:
    study, frame = use(of_cities())
    values = hangzhou(frame).loc[year]
    shown = [style.format(value, digits) for value in values]
    assume(not any(word in map(str, range(1980, 2030)) for word in shown))  # may be a year
    assert "numbers beside city Hangzhou" in refused(study, f"Hangzhou  {'  '.join(shown)}")


def test_firms_are_known_by_their_codes_and_cities_of_firms_by_what_all_their_firms_share(use: Use) -> None:
    study, frame = use(of_firms())
    firm = frame[frame["firm"] == 7].set_index("year")
    values = "  ".join(f"{value:.3f}" for value in firm["profit"].head(3))
    assert "3 numbers beside firm 000007" in refused(study, f"000007  {values}")
    assert "firm 7 " in refused(study, report.view(firm[["profit", "gdp"]].head(1).set_axis([7]), "One firm"))
    shared = firm.loc[2014, ["gdp", "deposits"]].to_frame("Hangzhou")
    assert "city Hangzhou" in refused(study, report.view(shared, "One city"))
    # a firm's profit beside its city's name could be that of any of sixty firms
    disclosure.check({"page": page(f"Hangzhou  {values}")}, [study])


def test_records_count_as_values(use: Use) -> None:
    customs = pd.DataFrame({"firm": [7, 8], "province": [330000, 330000], "price": [12.345, 23.456], "q": [1e4, 5e4]})
    jobs = pd.DataFrame({"city": HANGZHOU, "year": 2011, "sector": ["a", "b"], "persons": [12345, 67890]})
    study, _ = use(of_firms(), customs=customs, employment=jobs)
    assert "firm 7 " in refused(study, "7  12.345  10,000")
    assert "city Hangzhou" in refused(study, "Hangzhou  12,345  67,890")


def test_pairs_are_known_by_both_names(use: Use) -> None:
    study, _ = use(of_pairs())
    assert "pair 110000" not in refused(study, "Beijing and Tianjin  12.35  23.46")
    assert "pair " in refused(study, "Beijing and Tianjin  12.35  23.46")
    disclosure.check({"page": page("Beijing  12.35  23.46", "Beijing and Hangzhou  12.35  23.46")}, [study])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"image/svg+xml": "<svg/>"}, "image/svg+xml: an output of this kind"),
        ({"application/vnd.vegalite.v5+json": "{}"}, "an output of this kind carries data along"),
        ({"text/html": '<div data-values="1,2">x</div>'}, "attribute data-values carries data along"),
        ({"text/html": "<script>x = [1, 2]</script>"}, "<script> carries data along"),
        ({"text/html": '<img src="data:image/svg+xml;base64,AAAA">'}, "attribute src carries data along"),
        ({"text/markdown": 'text <span data-x="1"></span>'}, "attribute data-x carries data along"),
    ],
)
def test_outputs_that_carry_data_along_are_refused(use: Use, data: dict[str, str], words: str) -> None:
    study, _ = use(of_cities())
    assert words in refused(study, data)


def test_a_long_run_of_a_column_is_refused_without_any_name(use: Use) -> None:
    study, frame = use(of_cities())
    words = "more than 200 values of 'sales' in the order of the licensed panel"
    assert words in refused(study, report.view(frame[["sales"]].iloc[30:240], "No names", digits=2))
    assert words in refused(study, str(frame["sales"].iloc[77:290].round(2).tolist()))
    disclosure.check({"page": page(report.view(frame[["sales"]].iloc[30:229], "Fewer", digits=2))}, [study])
    noise = pd.DataFrame({"sales": np.random.default_rng(7).lognormal(8, 1, 300)})
    disclosure.check({"page": page(report.view(noise, "Other numbers", digits=2))}, [study])


def test_public_facts_and_aggregates_are_no_leak(use: Use) -> None:
    study, frame = use(of_cities())
    facts = policy.cities().set_index("city_en")[["lat", "lon"]].head(30)
    dates = pd.DataFrame({"cohort": [2015, 2016], "rows": [1234, 2345]}, ["Hangzhou", "Tianjin"])
    moments = frame[["sales", "rate"]].agg(["mean", "std", "min", "max"])
    values = hangzhou(frame).loc[2013]
    one = pd.DataFrame({"sales": [values["sales"]], "share": [0.98765]}, ["Hangzhou"])
    rough = pd.DataFrame({"sales": [f"{values['sales']:.3g}"], "rate": [f"{values['rate']:.3g}"]}, ["Hangzhou"])
    tables = [report.view(table, "Clean", digits=4) for table in (facts, dates, moments, one, rough)]
    disclosure.check({"toy/01_data (licensed)": page(*tables, "Hangzhou 2015 2016", {"image/png": "iVBO"})}, [study])


def test_every_page_with_a_leak_is_named(use: Use) -> None:
    study, frame = use(of_cities())
    leak = page(report.view(hangzhou(frame).head(1).set_axis(["Hangzhou"]), "Values", digits=4))
    with pytest.raises(PilotZonesError) as error:
        disclosure.check({"first": leak, "second": page("nothing"), "third": leak}, [study])
    assert [line.partition(",")[0] for line in str(error.value).splitlines()[1:-1]] == ["first", "third"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_exports_panels_and_executed_pages_must_not_be_tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosure, "ROOT", tmp_path)
    disclosure.check_repository()  # no repository at all

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init")
    for name in ("data/raw/README.md", "data/raw/innovation/README.md", "notebooks/01_data.ipynb", "book/index.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    git("add", ".")
    disclosure.check_repository()
    for name in ("data/raw/innovation/杭州 1.xlsx", "data/panels/x.parquet", "book/studies/innovation/01_data.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        git("add", "-f", name)
        with pytest.raises(PilotZonesError, match="Git tracks this file") as error:
            disclosure.check_repository()
        assert name in str(error.value)
        git("rm", "--cached", "-q", "--", name)
