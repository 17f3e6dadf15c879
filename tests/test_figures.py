"""Figures: words and data for all, colours that everyone can tell apart, and a map that works without a mouse."""

from __future__ import annotations

import ast
import io
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_output

from pilotzones import finishing, pairs, policy, published, report
from pilotzones.paths import NOTEBOOKS
from pilotzones.report import figures_pairs, figures_scorecard, rollout, theme
from pilotzones.report.data import as_csv
from pilotzones.studies import load
from pilotzones.trace import DATA_MIME

PALETTE = [theme.BLUE, theme.ORANGE, theme.GREEN, theme.RED, theme.PURPLE, theme.GREY]
# simulation of the common colour deficiencies, complete (Machado, Oliveira and Fernandes 2009), for linear RGB
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: str) -> np.ndarray:
    """Return a colour as linear RGB, 0 to 1."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2, 1 to 21."""
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return linear RGB as CIE L*a*b*."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(rgb, 0, 1) @ np.array(to_xyz).T / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def shows() -> list[tuple[str, ast.Call]]:
    """Return every call of ``report.show`` in the notebooks."""
    calls = []
    for path in sorted(NOTEBOOKS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "report.show":
                calls.append((path.stem, node))
    return calls


def text(node: ast.expr) -> str:
    """Return the literal parts of a string."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))


@pytest.mark.parametrize("call", shows(), ids=lambda call: "-".join((call[0], text(call[1].keywords[0].value))))
def test_every_figure_has_words_and_data(call: tuple[str, ast.Call]) -> None:
    words = {keyword.arg: keyword.value for keyword in call[1].keywords}
    assert {"name", "alt", "caption", "data"} <= words.keys()
    assert text(words["name"]).startswith("fig-")
    assert len(text(words["alt"])) > 40
    assert text(words["caption"]).rstrip().endswith((".", "?", ")"))
    assert text(words["alt"]) != text(words["caption"])


def test_names_of_figures_are_unique_on_a_page() -> None:
    names = [(section, text(call.keywords[0].value)) for section, call in shows()]
    assert len(names) == len(set(names))


def dimmed(colour: str) -> str:
    """Return a colour of a figure as the theme shows it in dark mode, at 80% brightness."""
    return "#" + "".join(f"{round(0.8 * int(colour[i : i + 2], 16)):02x}" for i in (1, 3, 5))


@pytest.mark.parametrize("background", ["#ffffff", "#121212"])
def test_colours_stand_out_from_paper_and_from_the_dark_page(background: str) -> None:
    assert min(contrast(colour, background) for colour in PALETTE) >= 3


def test_colours_stand_out_from_dimmed_paper_and_the_map_does_too() -> None:
    every = [*PALETTE, *theme.BATCH_COLOURS.values()]
    assert min(contrast(colour, "#ffffff") for colour in every) >= 3
    assert min(contrast(dimmed(colour), dimmed("#ffffff")) for colour in every) >= 3
    assert len(set(theme.BATCH_SHAPES.values())) == len(theme.BATCH_COLOURS)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_differ_for_everyone(deficiency: str) -> None:
    seen = [lab(linear(colour) @ np.array(DEFICIENCIES[deficiency]).T) for colour in PALETTE]
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2)) > 10


def test_data_come_back_from_the_file() -> None:
    rows = pd.DataFrame({"estimate": [1 / 3, np.nan]}, index=pd.Index(["杭州, Hangzhou", "none"], name="city"))
    back = pd.read_csv(io.StringIO(as_csv(rows)), index_col="city")
    pd.testing.assert_frame_equal(back, rows, rtol=1e-8)
    assert as_csv(rows["estimate"]) == as_csv(rows)


def test_an_index_without_names_has_a_column_for_each_of_its_levels() -> None:
    rows = pd.DataFrame({"estimate": [1.5, 2.5]}, index=pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")]))
    assert as_csv(rows) == "label,label 2,estimate\na,x,1.5\nb,y,2.5\n"


def test_parts_of_data_stand_below_each_other() -> None:
    series = pd.Series([3.0], name="y", index=pd.Index([2015], name="year"))
    parts = {"left": pd.DataFrame({"x": [1, 2]}), "right": series}
    back = pd.read_csv(io.StringIO(as_csv(parts)))
    assert back["part"].tolist() == ["left", "left", "right"]
    assert back.columns.tolist() == ["part", "x", "year", "y"]
    assert back["y"].tolist()[2] == 3


def test_data_travel_with_the_figure_but_not_with_licensed_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr(report.figures, "display", lambda data, raw, metadata: shown.append(data))
    rows = pd.DataFrame({"estimate": [1.0], "low": [0.5], "high": [1.5]}, index=["a"])
    for pixels in (False, True):
        monkeypatch.setattr(report.figures, "_pixels", pixels)
        report.show(report.figures.interval_plot(rows, "effect"), name="fig-x", alt="alt", caption="One.", data=rows)
    vector, picture = shown
    assert vector[DATA_MIME] == {"name": "fig-x", "csv": "label,estimate,low,high\na,1,0.5,1.5\n"}
    assert DATA_MIME not in picture
    assert "image/png" in picture


def test_the_file_is_linked_at_the_end_of_the_caption() -> None:
    about = {"image/svg+xml": {"alt": "A line.", "caption": "Figure.", "name": "fig-a"}}
    data = {"image/svg+xml": "<svg/>", DATA_MIME: {"name": "fig-a", "csv": "x\n1\n"}}
    cell = new_code_cell("plot()", outputs=[new_output("display_data", data, metadata=about)])
    files = finishing.take_data([cell], "03_baseline", "toy-synthetic-03_baseline")
    assert files["toy-synthetic-03_baseline-a.csv"] == "x\n1\n"
    link = "{download}`Data (CSV) <03_baseline/toy-synthetic-03_baseline-a.csv>`"
    assert cell.outputs[0].metadata["image/svg+xml"]["caption"] == f"Figure. {link}"
    assert DATA_MIME not in cell.outputs[0].data


# --- the scorecard


def printed(key: str) -> pd.DataFrame:
    """Return ledger rows in which every printed estimate came out as printed."""
    rows = published.estimates(key).rename(columns={"estimate": "published", "spread": "published_spread"})
    return rows.assign(
        statistic="estimate", replicated=rows["published"], replicated_spread=rows["published_spread"],
        page=f"book/studies/{key}/03_baseline.html",
    )  # fmt: skip


@pytest.mark.parametrize("key", ["innovation", "resilience", "coordination", "productivity", "quality"])
def test_the_scatter_plot_has_a_point_for_every_estimate(key: str) -> None:
    rows = printed(key)
    missing = rows.assign(replicated=np.nan).head(1)
    table = figures_scorecard.compared(pd.concat([rows, missing]))
    assert len(table) == len(rows)
    figure = figures_scorecard.agreement_plot(table)
    drawn = [sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o") for axes in figure.axes]
    is_t = rows["spread_kind"] == "t"
    with_t = (is_t & rows["published_spread"].notna() | (rows["published_spread"] > 0)).sum()  # 0.000 (0.000) has no t
    assert drawn == ([len(rows), with_t] if with_t else [len(rows)])


def test_errors_and_t_values_come_from_what_is_printed() -> None:
    rows = pd.DataFrame(
        {"statistic": "estimate", "table": "T", "column": ["1", "2"], "term": "x", "published": [1.0, 2.0],
         "replicated": [1.5, 3.0], "published_spread": [0.5, 4.0], "replicated_spread": [0.5, 3.0],
         "spread_kind": ["se", "t"], "page": "book/studies/a/03_baseline.html"}
    )  # fmt: skip
    table = figures_scorecard.compared(rows)
    assert table["published se"].tolist() == [0.5, 0.5]
    assert table["replicated se"].tolist() == [0.5, 1.0]
    assert table["published t"].tolist() == [2.0, 4.0]
    assert table["replicated t"].tolist() == [3.0, 3.0]


# --- the roll-out


class Elements(HTMLParser):
    """Collect the elements of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def map_of(partial: bool = True) -> pd.DataFrame:
    """Return the prefectures with the batch of their first zone."""
    cities = policy.cities().set_index("adcode")
    return cities.assign(batch=policy.first_batch(partial, through=8))


def animation() -> tuple[str, Elements]:
    """Return the moving map, as text and as elements."""
    html = rollout.animation(map_of(), policy.batches(True), "A <map>.", "Caption & more.").data
    parser = Elements()
    parser.feed(html)
    return html, parser


def test_the_moving_map_has_every_prefecture_once() -> None:
    dots = pd.Series([dot["data-batch"] for dot in animation()[1].all("circle")]).astype(int)
    pd.testing.assert_series_equal(
        dots.value_counts().sort_index(), map_of()["batch"].value_counts().sort_index(), check_names=False
    )


def test_the_moving_map_has_controls_with_names_and_waits_for_the_reader() -> None:
    html, parser = animation()
    (slider,) = parser.all("input")
    assert (slider["type"], slider["min"], slider["max"], slider["value"]) == ("range", "0", "8", "8")
    assert re.search(r"<label>Batch <input", html)
    assert re.search(r'<button type="button">Play</button>', html)
    # without the script there are no dead controls, and nothing starts by itself
    assert re.search(r'<p class="rollout-controls" hidden>', html)
    script = (NOTEBOOKS.parent / "book/_static/rollout.js").read_text(encoding="utf-8")
    assert script.count("setInterval") == 1
    assert 'button.addEventListener("click"' in script[: script.index("setInterval")]
    assert len(parser.all("li")) == 9


def test_the_moving_map_has_escaped_words_for_those_who_do_not_see_it() -> None:
    html, parser = animation()
    assert parser.all("svg")[0] | {"role": "img", "aria-label": "A <map>."} == parser.all("svg")[0]
    assert "<map>" not in html
    assert "Caption &amp; more." in html


def test_motion_is_for_those_who_like_it() -> None:
    style = (NOTEBOOKS.parent / "book/_static/book.css").read_text(encoding="utf-8")
    moving = re.search(r"@media \(prefers-reduced-motion: no-preference\) \{\s*\.rollout circle \{\s*transition", style)
    assert moving
    assert style.count("transition: r") == 1


def test_batches_add_up() -> None:
    table = policy.batches(partial=True)
    assert table["zones"].tolist() == [1, 12, 22, 24, 46, 27, 33, 16]
    assert table["smaller"].sum() == 9
    assert table["medium"].to_dict() == {batch: 10 if batch == 7 else 0 for batch in policy.BATCHES}
    assert table["prefectures so far"].iloc[-1] == (map_of()["batch"] > 0).sum()
    assert policy.batches(partial=False)["prefectures so far"].iloc[-1] < table["prefectures so far"].iloc[-1]


def test_small_multiples_show_all_prefectures_in_every_panel() -> None:
    figure = rollout.small_multiples(map_of(), policy.batches(True))
    assert [sum(len(dots.get_offsets()) for dots in axes.collections) for axes in figure.axes] == [len(map_of())] * 8


# --- data of figures that sum up many rows


def test_the_density_of_pairs_integrates_to_almost_one() -> None:
    study = load("coordination")
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({study.outcome: rng.normal(size=4000), study.treatment: rng.integers(0, 2, 4000)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs.replicate, "benchmark_sample", lambda declared, data: data)
        table = pairs.density(study, rows)
    width = table["high"] - table["low"]
    assert np.allclose((table.iloc[:, 2:] * width.to_numpy()[:, None]).sum(), 1)
    figure = figures_pairs.outcome(study, table, years=10)
    assert len(figure.axes[0].patches) == 2


def test_no_notebook_draws_without_the_theme() -> None:
    for path in sorted(Path(NOTEBOOKS).glob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "plt.subplots(" in source:
            assert "theme.apply()" in source, path.name
