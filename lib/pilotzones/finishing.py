"""From an executed section notebook to a page of the book."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat import NotebookNode

from pilotzones.notebooks import name_cells
from pilotzones.trace import DATA_MIME


def take(cells: list[NotebookNode], mime: str) -> Iterator[Any]:
    """Remove the outputs' data of one MIME type and yield them."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                yield output.data.pop(mime)
                output.metadata.pop(mime, None)


def take_data(cells: list[NotebookNode], folder: str, stem: str) -> dict[str, str]:
    """Remove the data behind a page's tables and figures, and link a figure's at the end of its caption.

    Parameters
    ----------
    folder : where the files will be, relative to the page.
    stem : first part of the file names, without the figure's name.

    Returns
    -------
    The text of each file, CSV, by file name: of each figure by its name, of each table by its number on the page, and
    last, if there are any, a list of the files with their captions.
    """
    files: dict[str, str] = {}
    captions: list[tuple[str, str]] = []
    tables = 0
    for cell in cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {}).pop(DATA_MIME, None)
            if data is None:
                continue
            about = next((words for words in output.metadata.values() if "caption" in words), None)
            if about is None:
                tables += 1
                name = f"{stem}-table-{tables:02d}.csv"
                captions.append((name, data["caption"]))
            else:
                name = f"{stem}-{data['name'].removeprefix('fig-')}.csv"
                captions.append((name, about["caption"]))
                about["caption"] += f" {{download}}`Data (CSV) <{folder}/{name}>`"
            files[name] = data["csv"]
    if files:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([("file", "caption"), *captions])
        files[f"{stem}-contents.csv"] = text.getvalue()
    return files


def finish(notebook: NotebookNode, folder: str) -> None:
    """Turn an executed section notebook into a page of the book.

    Run times and other traces of the execution go, so that equal results are equal bytes; alternative texts and
    captions move to where MyST-NB looks for them; labels get the name of the page's folder, which is its study's, since
    every study has them.
    """
    notebook.metadata = {key: notebook.metadata[key] for key in ("kernelspec", "language_info")}
    for cell in notebook.cells:
        own = {key: cell.metadata[key] for key in ("tags", "mystnb") if key in cell.metadata}
        if "injected-parameters" in own.get("tags", []):
            own["tags"] = ["remove-cell"]  # the page's banner shows the same values
        cell.metadata = nbformat.from_dict(own)
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            for about in output.get("metadata", {}).values():
                if not isinstance(about, dict):
                    continue
                page_side = cell.metadata.setdefault("mystnb", {})
                if "alt" in about:
                    page_side.setdefault("image", {})["alt"] = about["alt"]
                if "caption" in about:
                    texts = {key: about[key] for key in ("caption", "name") if key in about}
                    page_side.setdefault("figure", {}).update(texts)
    prefix_labels(notebook, folder)
    name_cells(notebook)


_LABEL = r"(?P<label>[A-Za-z][\w.-]*)"
_DEFINITIONS = (
    rf"^\({_LABEL}\)=",
    rf"\$\$[ \t]*\({_LABEL}\)",
    rf"^:(?:name|label):[ \t]+{_LABEL}",
)
_REFERENCES = (
    r"\{(?:eq|ref|numref|prf:ref)\}`(?:[^`<]*<)?" + _LABEL,
    rf"\]\(#{_LABEL}\)",
)


def prefix_labels(notebook: NotebookNode, study: str) -> None:
    """Put ``<study>-`` before every label that a notebook defines, and in every reference to one."""
    texts: list[tuple[Any, str]] = [(cell, "source") for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        outputs = [output for output in cell.get("outputs", []) if "text/markdown" in output.get("data", {})]
        texts += [(output.data, "text/markdown") for output in outputs]
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in notebook.cells]
    labels = {figure["name"] for figure in figures if "name" in figure}
    for holder, key in texts:
        for pattern in _DEFINITIONS:
            labels |= {match["label"] for match in re.finditer(pattern, holder[key], flags=re.MULTILINE)}

    def rename(match: re.Match[str]) -> str:
        start = match.start("label") - match.start()
        return f"{match[0][:start]}{study}-{match[0][start:]}" if match["label"] in labels else match[0]

    for holder, key in texts:
        for pattern in (*_DEFINITIONS, *_REFERENCES):
            holder[key] = re.sub(pattern, rename, holder[key], flags=re.MULTILINE)
    for figure in figures:
        if "name" in figure:
            figure["name"] = f"{study}-{figure['name']}"
