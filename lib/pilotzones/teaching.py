"""Three notebooks from one source of exercises: for students, for teachers, and for the page of the book.

A source in ``notebooks/exercises`` has cells tagged ``exercise`` (the question), ``hint``, ``start`` (what the student
is given), ``answer`` (three dots to be replaced), ``solution`` and ``check``. The student's notebook has no solution,
the teacher's and the page no dots; on the page hints, solutions and checks are folded away.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from pilotzones import notebooks
from pilotzones.io import write_atomically
from pilotzones.parameters import Exercises

_FOLDED = {"hint": "Hint", "solution": "the solution", "check": "the check of the solution"}


def student(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook without solutions, hints folded."""
    return _version(notebook, without="solution")


def teacher(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with solutions in the place of the dots, hints folded."""
    return _version(notebook, without="answer")


VERSIONS: dict[str, Callable[[NotebookNode], NotebookNode]] = {"student": student, "teacher": teacher}


def _version(notebook: NotebookNode, without: str) -> NotebookNode:
    cells = [cell.copy() for cell in notebook.cells if without not in _tags(cell)]
    for cell in cells:
        if "hint" in _tags(cell):
            cell.source = f"<details><summary>Hint</summary>\n\n{cell.source}\n\n</details>"
    return _named(cells, notebook)


def page(notebook: NotebookNode, section: str) -> None:
    """Turn a section's source of exercises into what is executed for the book: with solutions, folded away."""
    notebook.cells = [cell for cell in notebook.cells if "answer" not in _tags(cell)]
    study = Exercises.model_validate({}).study
    links = (
        f"They belong to the {{doc}}`page of the study <../studies/{study}/{section}>` and its "
        f'<a href="../../slides/{study}/{section}.html">slides</a>. To work on: '
        f'<a href="../../teaching/student/{section}.ipynb" download>notebook without solutions</a>, '
        f'<a href="../../teaching/teacher/{section}.ipynb" download>notebook with solutions</a>.'
    )
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(links))
    for cell in notebook.cells:
        kind = next((tag for tag in _tags(cell) if tag in _FOLDED), "")
        if kind == "hint":
            cell.source = f":::{{admonition}} Hint\n:class: dropdown tip\n\n{cell.source}\n:::"
        elif kind:
            cell.metadata["tags"] = [*cell.metadata["tags"], "hide-cell"]
            cell.metadata["mystnb"] = {
                "code_prompt_show": f"Show {_FOLDED[kind]}",
                "code_prompt_hide": f"Hide {_FOLDED[kind]}",
            }
    notebooks.name_cells(notebook)


def _named(cells: list[NotebookNode], source: NotebookNode) -> NotebookNode:
    """Return a notebook of some cells, whose equal texts make equal files."""
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": source.metadata["kernelspec"]})
    notebooks.name_cells(made)
    return made


def text(notebook: NotebookNode) -> str:
    """Return a notebook as its file has it."""
    return nbformat.writes(notebook) + "\n"


def _tags(cell: NotebookNode) -> Collection[str]:
    return set(cell.metadata.get("tags", []))


def files() -> Iterator[tuple[str, str]]:
    """Yield name, such as ``"student/03_baseline.ipynb"``, and text of the notebooks for students and teachers."""
    for section in notebooks.exercises():
        source = notebooks.read(section)
        for name, version in VERSIONS.items():
            yield f"{name}/{Path(section).name}.ipynb", text(version(source))


def write(folder: Path) -> None:
    """Write the notebooks for students and teachers, and nothing else, into a folder.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    for name in VERSIONS:
        shutil.rmtree(folder / name, ignore_errors=True)  # of exercises that are gone
    for name, content in files():
        write_atomically(folder / name, partial(Path.write_text, data=content, encoding="utf-8"))
