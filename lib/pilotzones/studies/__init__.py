"""One folder per paper; a folder with a ``study.py`` that defines ``STUDY`` is a study."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from pilotzones.declare import Study
from pilotzones.errors import ParameterError


def keys() -> list[str]:
    """Return the keys of all studies in this book, sorted."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/study.py"))


def load(key: str) -> Study:
    """Return the declaration of study ``key``.

    Raises
    ------
    ParameterError
        If there is no such study.
    """
    if key not in keys():
        raise ParameterError(f"study = {key!r}: expected one of {', '.join(keys())}")
    study: Study = import_module(f"pilotzones.studies.{key}.study").STUDY
    return study
