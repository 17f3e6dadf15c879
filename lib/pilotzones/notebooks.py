"""Reading the section notebooks, keeping their pairs, and executing them."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from pilotzones.declare import Study
from pilotzones.errors import ParameterError, PilotZonesError
from pilotzones.io import write_atomically
from pilotzones.paths import NOTEBOOKS, ROOT

_GUARD = re.compile(r'if (?:"(?P<feature>\w+)" in (?:declared\.features|raw)|p\.source == "synthetic"):\n')


class PageError(PilotZonesError):
    """A notebook stopped with an error; the message is that of its last line."""


class OwnKernel(AsyncKernelManager):
    """Starts the interpreter that runs this code, whatever kernels the user has installed under the same name."""

    @property
    def kernel_spec(self) -> KernelSpec:
        # the kernel's own log only warns about local sockets; what a page prints is not affected
        argv = [sys.executable, "-m", "ipykernel_launcher", "--log-level=CRITICAL", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def sections() -> list[str]:
    """Return the names of all section notebooks, sorted."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.py"))


def exercises() -> list[str]:
    """Return the names of all notebooks of exercises, such as ``"exercises/03_baseline"``, sorted."""
    return sorted(f"exercises/{path.stem}" for path in NOTEBOOKS.glob("exercises/*.py"))


def read(section: str) -> NotebookNode:
    """Return a section's notebook from its source, the ``.py`` file, with cell ids that depend on its text only.

    Raises
    ------
    ParameterError
        If there is no such section.
    """
    if section not in (known := [*sections(), *exercises()]):
        raise ParameterError(f"section = {section!r}: expected one of {', '.join(known)}")
    notebook = jupytext.read(NOTEBOOKS / f"{section}.py")
    name_cells(notebook)
    return notebook


def fit_to(notebook: NotebookNode, key: str, source: str = "synthetic") -> None:
    """Drop the cells that a study has no use for: those tagged ``needs-<feature>`` without that feature.

    In the cells that stay, the question whether the study has the feature goes: it is there for plain papermill, which
    runs every cell. Features are those of the declaration (:attr:`pilotzones.declare.Study.features`), ``records`` for
    a study that has tables of records, each of these tables, of licensed data those that the user has, and ``truth``
    for synthetic data.

    Parameters
    ----------
    key : of the study; empty for a page about all studies.
    """
    if not any(map(_needs, notebook.cells)):
        return
    has = {"truth"} if source == "synthetic" else set()
    if key:
        from pilotzones import measured, studies

        study = studies.load(key)
        has |= _estimable(study).features if source == "licensed" else study.features
        records = measured.module(study)
        if records:
            has.add("records")
            tables = set(records.TABLES)
            if source == "licensed" and any(tables & _needs(cell) for cell in notebook.cells):
                tables &= measured.exported(study).keys()
            has |= tables
    notebook.cells = [cell for cell in notebook.cells if _needs(cell) <= has]
    for cell in filter(_needs, notebook.cells):
        guard = _GUARD.match(cell.source)
        if cell.cell_type == "code" and guard and (guard["feature"] or "truth") in _needs(cell):
            cell.source = textwrap.dedent(cell.source[guard.end() :])


def _estimable(study: Study) -> Study:
    """Return a study as far as the user's exports allow."""
    from pilotzones import panel, replicate

    return replicate.estimable(study, panel.load(study, "licensed"))


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _needs(cell: NotebookNode) -> set[str]:
    return {tag.removeprefix("needs-") for tag in _tags(cell) if tag.startswith("needs-")}


def leave_out_units(notebook: NotebookNode) -> None:
    """Drop the cells tagged ``shows-units``, which show values of single units, and say below the banner how many."""
    shown = [cell for cell in notebook.cells if "shows-units" not in _tags(cell)]
    results = [cell for cell in notebook.cells if cell not in shown and "remove-input" not in _tags(cell)]
    count = sum(cell.cell_type == "code" for cell in results)
    if count:
        what = "One table or figure that shows" if count == 1 else f"{count} tables and figures that show"
        words = (
            f"{what} values of single units {'is' if count == 1 else 'are'} not on this page, for it may be published. "
            "Run the notebook yourself to see them."
        )
        banner = next(i for i, cell in enumerate(shown) if "parameters" in _tags(cell)) + 1
        shown.insert(banner + 1, nbformat.v4.new_markdown_cell(words))
    notebook.cells = shown
    name_cells(notebook)


def name_cells(notebook: NotebookNode) -> None:
    """Give every cell an id made from its text, so that equal notebooks are equal files."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def pairs() -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of the ``.ipynb`` that belongs to every ``.py``, without outputs.

    That of exercises is the student's, and in a folder of its own: an editor that keeps pairs in step would else write
    it over the source, which has the solutions.
    """
    from pilotzones import teaching

    for section in exercises():
        yield NOTEBOOKS / "student" / f"{Path(section).name}.ipynb", teaching.text(teaching.student(read(section)))
    for section in sections():
        notebook = read(section)
        notebook.metadata = nbformat.from_dict({"kernelspec": notebook.metadata["kernelspec"]})
        yield NOTEBOOKS / f"{section}.ipynb", nbformat.writes(notebook) + "\n"


def execute(
    notebook: NotebookNode, parameters: Mapping[str, Any], output: Path, *, progress_bar: bool = False
) -> NotebookNode:
    """Run a notebook with papermill in a fresh kernel of this environment.

    Parameters
    ----------
    notebook : as returned by :func:`read`.
    parameters : values for the cell tagged ``parameters``.
    output : where the executed notebook goes; after an error it holds all cells up to the failing one.

    Raises
    ------
    PageError
        If a cell fails.
    """
    # the kernel inherits them: one thread per page, and nothing that depends on hash order or the date
    os.environ.update(OMP_NUM_THREADS="1", PYTHONHASHSEED="0", SOURCE_DATE_EPOCH="0")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "lib"), os.environ.get("PYTHONPATH")]))
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        return papermill.execute_notebook(
            notebook,
            output,
            parameters=dict(parameters),
            progress_bar=progress_bar,
            log_output=True,
            cwd=NOTEBOOKS,
            kernel_name="python3",
            kernel_manager_class=OwnKernel,
        )
    except PapermillExecutionError as error:
        raise PageError(f"{error.ename}: {error.evalue}") from error


def main() -> None:
    """Write the ``.ipynb`` of every ``.py``."""
    for path, text in pairs():
        write_atomically(path, partial(Path.write_text, data=text, encoding="utf-8"))


if __name__ == "__main__":
    main()
