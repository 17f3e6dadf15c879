"""What a page really used, recorded inside its kernel: the basis of the page cache."""

from __future__ import annotations

import os
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from pilotzones.paths import ROOT

MIME = "application/vnd.pilotzones.trace+json"
DATA_MIME = "application/vnd.pilotzones.data+json"  # of the data behind a figure, see :mod:`pilotzones.report.data`

# derived files (panels check their own sources), exports (the book keeps their fingerprint), and what is no source
_IGNORED = ("data/panels/", "data/raw/", "_build/", ".venv/", ".git/")
_opened: set[str] = set()


def start() -> None:
    """Record from now on every file that is opened for reading."""
    sys.addaudithook(_on_open)


def _on_open(event: str, args: tuple[Any, ...]) -> None:
    if event != "open" or not isinstance(args[0], (str, bytes, os.PathLike)):
        return
    _, mode, flags = args
    writes = any(letter in mode for letter in "wax") if mode else bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))
    if not writes:
        _opened.add(os.path.abspath(os.fsdecode(args[0])))  # noqa: PTH100 (a Path costs ten times as much here)


def record() -> dict[str, Any]:
    """Return the project files and the third-party distributions that this process used so far.

    Returns
    -------
    ``files`` : paths relative to the project root, sorted; a file that was asked for and is missing is listed too.
    ``distributions`` : name to version.
    """
    modules = {str(path) for module in list(sys.modules.values()) if (path := getattr(module, "__file__", None))}
    inside = {
        Path(path).relative_to(ROOT).as_posix() for path in _opened | modules if path.startswith(f"{ROOT}{os.sep}")
    }
    providers = packages_distributions()
    imported = {name.partition(".")[0] for name in list(sys.modules)}
    names = {dist for module in imported for dist in providers.get(module, ())} - {"pilotzones"}
    return {
        "files": sorted(path for path in inside if _is_source(path) and not (ROOT / path).is_dir()),
        "distributions": {name: version(name) for name in sorted(names)},
    }


def _is_source(path: str) -> bool:
    executed_page = path.startswith("book/studies/") and path.endswith(".ipynb")
    return not (path.startswith(_IGNORED) or path.endswith(".pyc") or executed_page)


def emit() -> None:
    """Attach the record to the output of the running notebook cell."""
    from IPython.display import display

    display({MIME: record()}, raw=True)
