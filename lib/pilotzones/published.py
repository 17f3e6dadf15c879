"""The papers' printed numbers and claims, typed and checked; data/published/README.md describes the files."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pilotzones import paths
from pilotzones.errors import DataError, ParameterError
from pilotzones.io import read_csv, shown

# file: type of each column
COLUMNS: dict[str, dict[str, Any]] = {
    "studies": {
        "study": str, "file": str, "authors": str, "journal": str, "year": str, "issue": str, "source": str,
    },
    "estimates": {
        "study": str, "table": str, "column": str, "column_label": str, "dependent_variable": str, "term": str,
        "estimate": float, "spread": float | None, "spread_kind": str, "stars": int | None, "section": str,
        "note": str, "term_printed": str,
    },
    "columns": {
        "study": str, "table": str, "column": str, "label": str, "dependent_variable": str, "sample": str,
        "controls": str, "fixed_effects": str, "estimator": str, "n_obs": int | None, "r2": float | None,
        "r2_note": str, "section": str, "spread_kind": str, "note": str,
    },
    "descriptives": {
        "study": str, "variable": str, "symbol": str, "n": int, "mean": float, "sd": float, "min": float,
        "max": float, "definition": str,
    },
    "stats": {
        "study": str, "table": str, "column": str, "statistic": str, "value": float | None,
        "bracket_value": float | None, "bracket_kind": str, "note": str,
    },
    "claims": {
        "study": str, "claim_id": str, "claim": str, "kind": str, "where": str, "table": str, "column": str,
        "term": str, "sign": str, "level": str, "compare": str,
    },
    "figures": {
        "study": str, "figure": str, "title": str, "what_it_shows": str, "visible_numbers": str,
        "text_statement": str, "page_or_section": str,
    },
    "index_weights": {
        "study": str, "table": str, "dimension": str, "element": str, "indicator": str, "unit": str, "sign": str,
        "weight": float | None, "source_note": str,
    },
}  # fmt: skip

# file: columns that identify a row
KEYS = {
    "studies": ["study"],
    "estimates": ["study", "table", "column", "term"],
    "columns": ["study", "table", "column"],
    "descriptives": ["study", "symbol"],
    "stats": ["study", "table", "column", "statistic"],
    "claims": ["study", "claim_id"],
    "figures": ["study", "figure"],
    "index_weights": ["study", "table", "indicator"],
}

_SECTIONS = {"baseline", "robustness", "endogeneity", "heterogeneity", "mechanism", "extension"}
# (file, column): allowed values
ALLOWED: dict[tuple[str, str], set[Any]] = {
    ("estimates", "spread_kind"): {"se", "t", ""},
    ("estimates", "stars"): {0, 1, 2, 3},
    ("estimates", "section"): _SECTIONS,
    ("columns", "spread_kind"): {"se", "t", ""},
    ("columns", "section"): _SECTIONS,
    ("claims", "kind"): {"significance", "ordering", "sign"},
    ("claims", "sign"): {"+", "-", "0", ""},
    ("claims", "level"): {"0.01", "0.05", "0.10", "ns", ""},
    ("index_weights", "sign"): {"+", "-", "not printed"},
}


def studies() -> pd.DataFrame:
    """Return the five papers: ``study``, ``authors``, ``journal``, ``year``, ``issue``, as far as their texts say."""
    return _load("studies", None)


def estimates(study: str | None = None) -> pd.DataFrame:
    """Return the printed coefficients, of one study or of all.

    ``estimate``; ``spread`` in brackets below it, a standard error or a t value by ``spread_kind``; ``stars`` (0 to 3
    for 10%, 5%, 1%). Keys: ``study``, ``table``, ``column``, ``term``.
    """
    return _load("estimates", study)


def columns(study: str | None = None) -> pd.DataFrame:
    """Return the printed regression columns: what was estimated on what, ``n_obs`` (rows) and ``r2``."""
    return _load("columns", study)


def descriptives(study: str | None = None) -> pd.DataFrame:
    """Return the printed descriptive statistics: ``symbol``, ``n``, ``mean``, ``sd``, ``min``, ``max``."""
    return _load("descriptives", study)


def stats(study: str | None = None) -> pd.DataFrame:
    """Return the printed test statistics: ``value`` and the ``bracket_value`` below it."""
    return _load("stats", study)


def claims(study: str | None = None) -> pd.DataFrame:
    """Return what the papers say about their numbers, in a form that can be checked."""
    return _load("claims", study)


def figures(study: str | None = None) -> pd.DataFrame:
    """Return what the papers' figures show and which numbers can be read from them."""
    return _load("figures", study)


def weights(study: str | None = None) -> pd.DataFrame:
    """Return the indicators of the papers' indices with their printed ``weight`` (share, missing if not printed)."""
    return _load("index_weights", study)


def _load(name: str, study: str | None) -> pd.DataFrame:
    """Return a checked table, all of it or the rows of one study.

    Whole numbers that can be missing (``stars``, ``n_obs``) come as floats.

    Raises
    ------
    ParameterError
        If the study is unknown.
    DataError
        If the file is missing or malformed, a value is not allowed, or a row is there twice.
    """
    path = paths.PUBLISHED / f"{name}.csv"
    table = read_csv(path, COLUMNS[name])
    for (file, column), allowed in ALLOWED.items():
        if file == name:
            wrong = table[column].notna() & ~table[column].isin(allowed)
            if wrong.any():
                row = int(wrong.idxmax())
                expected = ", ".join(repr(value) for value in sorted(allowed))
                raise DataError(
                    f"{shown(path)}, line {row + 2}, column '{column}': {table[column].tolist()[row]!r}, "
                    f"expected one of {expected}"
                )
    double = table.duplicated(KEYS[name])
    if double.any():
        row = double.idxmax()
        key = ", ".join(table.loc[row, KEYS[name]])
        raise DataError(f"{shown(path)}, line {row + 2}: a second row for {key}")
    nullable = table.select_dtypes("Int64").columns
    table = table.astype(dict.fromkeys(nullable, "float64"))
    if study is None:
        return table
    known = table["study"] if name == "studies" else studies()["study"]
    if study not in set(known):
        raise ParameterError(f"study = {study!r}: expected one of {', '.join(known)}")
    return table[table["study"] == study].reset_index(drop=True)
