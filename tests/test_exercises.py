"""Exercises: their solutions are right, their mistakes are named, and no solution reaches the student. Slides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest

from pilotzones import exercises, notebooks, parameters, slides, teaching
from pilotzones.errors import ParameterError
from pilotzones.parameters import Exercises
from pilotzones.paths import ROOT

SECTIONS = notebooks.exercises()
STUDY = "resilience"  # small; the pages of the book are about innovation, and test_pages looks at their verdicts
GIVEN = Exercises(study=STUDY)


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def verdicts(notebook: nbformat.NotebookNode) -> list[exercises.Verdict]:
    """Run a notebook in this process and return what its checks say."""
    found = []
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            if "check" in tags:
                found.append(eval(cell.source, names))
            else:
                exec(cell.source.replace("globals()", "{'study': study, 'seed': seed}"), names)
            if "parameters" in tags:
                names["study"] = STUDY
    return found


# --- the notebooks ---------------------------------------------------------------------------------------------------


def test_the_eight_sections_have_two_to_four_exercises_each() -> None:
    assert [name.removeprefix("exercises/")[:2] for name in SECTIONS] == [f"0{n}" for n in range(1, 9)]
    listed = []
    for name in SECTIONS:
        cells = tagged(notebooks.read(name), "check")
        assert 2 <= len(cells) <= 4
        listed += [
            match[1] for cell in cells if (match := re.search(r'check\(p, "(\d\d-\d)", answer_\d\)', cell.source))
        ]
    assert listed == list(exercises.KEYS)
    words = (ROOT / "book/teaching.md").read_text(encoding="utf-8")
    assert f"{len(exercises.KEYS)} in all" in words


@pytest.mark.parametrize("name", SECTIONS)
def test_every_exercise_has_all_its_parts_in_order(name: str) -> None:
    parts = ["exercise", "hint", "start", "answer", "solution", "check"]
    order = [tag for cell in notebooks.read(name).cells for tag in cell.metadata.get("tags", []) if tag in parts]
    groups = re.findall("exercise hint (?:start )?answer solution check", " ".join(order))
    assert " ".join(groups) == " ".join(order)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_students_notebook_has_no_solution(name: str) -> None:
    source = notebooks.read(name)
    text = nbformat.writes(teaching.student(source))
    given = "\n".join(cell.source for cell in source.cells if "solution" not in cell.metadata.get("tags", []))
    lines = {line.strip() for cell in tagged(source, "solution") for line in cell.source.splitlines()}
    secret = {line for line in lines if line not in given and len(line) > 12}
    assert len(secret) >= 3
    assert not [line for line in secret if line.replace('"', '\\"') in text]
    assert tagged(teaching.student(source), "answer") and not tagged(teaching.student(source), "solution")
    assert tagged(teaching.teacher(source), "solution") and not tagged(teaching.teacher(source), "answer")


@pytest.mark.parametrize("name", SECTIONS)
def test_an_untouched_notebook_runs_through_and_is_not_answered(name: str) -> None:
    assert {verdict.state for verdict in verdicts(teaching.student(notebooks.read(name)))} == {"open"}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_solution_is_right(name: str) -> None:
    found = verdicts(teaching.teacher(notebooks.read(name)))
    assert [str(verdict) for verdict in found if verdict.state != "right"] == []


def test_one_source_gives_the_same_files_every_time(tmp_path: Path) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student/of_an_exercise_that_is_gone.ipynb").touch()
    teaching.write(tmp_path)
    first = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.ipynb")}
    teaching.write(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in first} == first
    sections = [name.removeprefix("exercises/") for name in SECTIONS]
    assert sorted(first) == sorted(f"{who}/{name}.ipynb" for who in ("student", "teacher") for name in sections)
    for name in sections:
        committed = (ROOT / f"notebooks/student/{name}.ipynb").read_bytes()
        assert first[f"student/{name}.ipynb"] == committed, "run make pair"


def test_the_page_folds_hints_solutions_and_checks() -> None:
    notebook = notebooks.read("exercises/03_baseline")
    teaching.page(notebook, "03_baseline")
    assert all("dropdown" in cell.source for cell in tagged(notebook, "hint"))
    assert all("hide-cell" in cell.metadata["tags"] for tag in ("solution", "check") for cell in tagged(notebook, tag))
    assert not tagged(notebook, "answer")


# --- the check -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", exercises.KEYS)
def test_every_listed_mistake_is_named(number: str) -> None:
    key = exercises.key(number, STUDY, GIVEN.seed)
    said = {diagnosis: exercises.check(GIVEN, number, value) for diagnosis, value in key.mistakes.items()}
    for diagnosis, verdict in said.items():
        value = key.mistakes[diagnosis]
        # in one panel two mistakes, or a mistake and the right way, can lead to the very same number
        same = [words for words, other in {"": key.right, **key.mistakes}.items() if equal(value, other)]
        assert verdict.state == ("right" if "" in same else "wrong")
        assert verdict.text in (same if verdict.state == "wrong" else [key.why])
    assert exercises.check(GIVEN, number, key.right) == exercises.Verdict(number, "right", key.why)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, pd.Series) or isinstance(other, pd.Series):
        return one is other
    return one == other if isinstance(one, str) else bool(np.isclose(one, other, rtol=1e-9, atol=1e-11))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (..., "03-3: Not answered yet."),
        ("0.005", "A number is expected; this is of type str."),
        (True, "of type bool"),
        (float("nan"), "a missing or infinite value"),
        (pd.Series([1.0, 2.0]), "of type Series"),
        (5.0, "5 is too large."),
        (1e-6, "1e-06 is too small."),
    ],
)
def test_what_is_said_about_answers_of_the_wrong_kind(answer: Any, words: str) -> None:
    verdict = exercises.check(GIVEN, "03-3", answer)
    assert words in str(verdict)
    assert verdict.state == ("open" if answer is ... else "wrong")


def test_sign_and_percent_are_told_apart() -> None:
    right = exercises.key("03-1", STUDY, GIVEN.seed).right
    assert "the sign is not" in exercises.check(GIVEN, "03-1", -right).text
    assert "in percent" in exercises.check(GIVEN, "03-1", 100 * right).text
    assert exercises.check(GIVEN, "03-1", right * 1.009).state == "right"
    assert exercises.check(GIVEN, "03-1", right * 1.011).state == "wrong"


def test_a_count_is_right_only_exactly() -> None:
    right = exercises.key("01-1", STUDY, GIVEN.seed).right
    assert exercises.check(GIVEN, "01-1", np.int64(right)).state == "right"
    assert exercises.check(GIVEN, "01-1", right + 1).state == "wrong"


def test_names_and_series() -> None:
    assert exercises.check(GIVEN, "06-3", 3).text == "A name is expected, in quotes; this is of type int."
    assert "'nonsense'" in exercises.check(GIVEN, "06-3", "nonsense").text
    right = exercises.key("02-2", STUDY, GIVEN.seed).right
    assert exercises.check(GIVEN, "02-2", right[::-1]).state == "right"
    assert "roads, jobs, waste" in exercises.check(GIVEN, "02-2", right.rename({"jobs": "work"})).text
    changed = right.mul([1, 1, 1.5])
    assert exercises.check(GIVEN, "02-2", changed).text == "1 of 3 values are not right: waste."


def test_text_of_an_answer_is_escaped() -> None:
    html = exercises.check(GIVEN, "06-3", "<script>alert(1)</script>")._repr_html_()
    assert "<script" not in html and "&lt;script" in html


def test_an_unknown_exercise_and_an_unfit_study_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"exercise '09-1': expected one of 01-1"):
        exercises.check(GIVEN, "09-1", 1)
    with pytest.raises(ParameterError, match="study = 'coordination': the exercises are about innovation, resilience"):
        parameters.validate("exercises/03_baseline", {"study": "coordination"})
    with pytest.raises(ParameterError, match="no such parameter"):
        parameters.validate("exercises/03_baseline", {"vcov": "iid"})


def test_another_seed_has_other_answers() -> None:
    one, other = (exercises.key("03-1", STUDY, seed).right for seed in (GIVEN.seed, 7))
    assert abs(one / other - 1) > exercises.PER_CENT


# --- slides ----------------------------------------------------------------------------------------------------------


def executed() -> nbformat.NotebookNode:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>&amp;</text></svg>'
    words = {"image": {"alt": 'a "line"'}, "figure": {"caption": "Caption with $x$ ([data](a.csv))."}}

    def output(**data: str) -> nbformat.NotebookNode:
        return nbformat.v4.new_output("display_data", {key.replace("_", "/"): value for key, value in data.items()})

    figure = nbformat.v4.new_output("display_data", {"image/svg+xml": svg})
    code = nbformat.v4.new_code_cell
    cells = [
        nbformat.v4.new_markdown_cell("# Page\n\nWhat it is. Run it so:\n\n```bash\n# no heading\n```"),
        code("banner", outputs=[output(text_html='<div class="source-banner">Synthetic data</div>')]),
        nbformat.v4.new_markdown_cell(
            "## Question\n\nFirst, as in {doc}`the page <x>`.\n\nSecond.\n\n$$ y < z $$\n\n### Part\n\n<b>bold</b>"
        ),
        code("plot", outputs=[figure], metadata={"mystnb": words}),
        code("note", outputs=[output(text_markdown="One sentence. Another one.")]),
        code(
            "table",
            outputs=[output(text_html="<table><tr><td>1</td></tr></table>")],
            metadata={"tags": ["remove-cell"]},
        ),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_there_is_one_slide_per_heading_with_what_is_below_it() -> None:
    page, question, part = slides.slides(executed())
    assert (page.title, page.lead) == ("Page", "What it is.")
    assert "Synthetic data" in page.banner
    assert question.lead == "First, as in {doc}`the page <x>`." and question.equation == "$$ y < z $$"
    assert part.picture and part.reading == "One sentence." and not part.table


def test_a_deck_is_complete_escaped_and_loads_nothing_from_elsewhere() -> None:
    deck = slides.deck(executed(), "../../page.html", "../..")
    assert deck == slides.deck(executed(), "../../page.html", "../..")
    assert deck.count("<section ") == deck.count("<h1>") + deck.count("<h2>") == 3
    assert "First, as in the page." in deck and r"\[y &lt; z\]" in deck
    assert "&lt;b&gt;bold" in deck and 'alt="a &quot;line&quot;"' in deck
    assert r"\(x\)</span> data." in deck
    assert "http" not in deck and "//" not in re.sub(r"base64,[\w+/=]+", "", deck)
    assert "../../_static/mathjax/tex-chtml.js" in deck
    assert "mathjax" not in slides.deck(nbformat.v4.new_notebook(cells=executed().cells[:1]), "p.html", ".")
