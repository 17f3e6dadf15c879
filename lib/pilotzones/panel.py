"""Load a study's panel from a source, checked against the study's declaration, and keep it on disk.

A synthetic panel is cached under ``data/panels``. Its file carries the hashes of everything it was made from (the
study's folder, the library modules its generator uses, the fact files read on the way) and the versions of the numeric
libraries; when one of them changes, the panel is generated anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet as pq
from pandera.errors import SchemaErrors

from pilotzones import paths
from pilotzones.declare import Study, Variable
from pilotzones.errors import DataError, DeclarationError, ParameterError
from pilotzones.io import recording, require_columns, shown, write_atomically

TRUTH = "true_effect"  # true effect of the reform on the row's outcome, known in synthetic data only
SOURCES = ("synthetic", "licensed")
_FINGERPRINT = b"pilotzones"  # key in the file's metadata
_VERSIONS = ("numpy", "pandas", "scipy")


def load(study: Study, source: str = "synthetic", seed: int | None = None) -> pd.DataFrame:
    """Return a study's panel.

    Parameters
    ----------
    study : the declaration.
    source : ``"synthetic"``, or ``"licensed"`` for the reader's own exports in ``data/raw/<study>``.
    seed : of the synthetic panel; by default the one fixed in the declaration.

    Returns
    -------
    One row per unit and year with every declared variable; synthetic panels may also have ``true_effect``.

    Raises
    ------
    ParameterError
        If the source is unknown or has no data, or the seed is no whole number >= 0.
    DeclarationError
        If the panel lacks a declared variable or has an undeclared one.
    DataError
        If a value is not what the declaration says, or the cached file is corrupt or cannot be written.
    """
    if source not in SOURCES:
        raise ParameterError(f"source = {source!r}: expected one of {', '.join(SOURCES)}")
    if source == "licensed":
        raise ParameterError(_no_licensed_data(study))
    seed = _checked(study.seed if seed is None else seed)

    path = paths.PANELS / f"{study.key}-{source}-{seed}.parquet"
    if not _is_fresh(path, study):
        panel, data_files = _generate(study, seed)
        _write(panel, path, _fingerprint(study, data_files))
    panel = _read(path)
    validate(panel, study, source, shown(path))
    return panel


def generate(study: Study, seed: int) -> pd.DataFrame:
    """Return a freshly drawn synthetic panel, validated, without touching the cache.

    Parameters
    ----------
    seed : of the random numbers; the same seed gives the same panel.

    Raises
    ------
    ParameterError, DeclarationError, DataError
        As :func:`load`.
    """
    return _generate(study, _checked(seed))[0]


def raw(study: Study, source: str, seed: int) -> pd.DataFrame:
    """Return what a study's panel is derived from, e.g. the cities of which it has pairs.

    Raises
    ------
    ParameterError
        If there is no such source, or the seed is no whole number >= 0.
    """
    if source != "synthetic":
        raise ParameterError(f"source = {source!r}: raw data are drawn for synthetic panels only")
    drawn: pd.DataFrame = _generator(study).generate(_checked(seed))
    return drawn


def validate(panel: pd.DataFrame, study: Study, source: str, where: str) -> None:
    """Check a panel against the study's declaration.

    Parameters
    ----------
    where : what messages call the panel, e.g. its file.

    Raises
    ------
    DeclarationError
        If a declared variable is missing from the panel, or a column is not declared.
    DataError
        If a value has the wrong type, lies outside its bounds or allowed values, is missing where it must not be, or
        the year is outside the sample; or if a unit has two rows in one year. The message names column, row and value.
    """
    names = [variable.name for variable in study.variables]
    for name in names:
        if name not in panel:
            raise DeclarationError(f"study {study.key}: variable '{name}' is declared but missing from {where}")
    extra = [TRUTH] if source == "synthetic" else []
    for column in panel:
        if column not in [*names, *extra]:
            raise DeclarationError(f"study {study.key}: column '{column}' of {where} is not declared")
    for key in (study.unit, study.time):
        require_columns(panel, key)

    for variable in study.variables:
        _check_type(panel[variable.name], variable, where)
    columns = {variable.name: _rules(variable) for variable in study.variables}
    first, last = study.years
    columns[study.time].checks.append(pa.Check.in_range(first, last, error=f"a {study.time} from {first} to {last}"))
    if TRUTH in panel:
        columns[TRUTH] = pa.Column(float, nullable=False)
    try:
        pa.DataFrameSchema(columns).validate(panel, lazy=True)
    except SchemaErrors as errors:
        raise DataError(_first_failure(panel, study, errors.failure_cases, where)) from None
    double = panel.duplicated([study.unit, study.time])
    if double.any():
        row = double.idxmax()
        raise DataError(f"{where}, {_place(panel, study, row)}: a second row for this {study.unit} and {study.time}")


def _check_type(values: pd.Series, variable: Variable, where: str) -> None:
    """Stop when a column's storage type cannot hold its kind at all; finer rules are the schema's."""
    if variable.kind == "group":
        fits = isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(values)
        expected = "text"
    elif variable.kind == "code":
        fits = pd.api.types.is_integer_dtype(values)
        expected = "whole numbers"
    else:
        fits = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        expected = "numbers"
    if not fits:
        sample = values.dropna()
        shown_value = f", e.g. {sample.iloc[0]!r} in row {sample.index[0]}" if len(sample) else ""
        raise DataError(f"{where}, column '{variable.name}': type {values.dtype}{shown_value}, expected {expected}")


def _rules(variable: Variable) -> pa.Column:
    checks = []
    if variable.kind == "binary":
        checks.append(pa.Check.isin([0, 1], error="0 or 1"))
    if variable.kind == "count":
        checks.append(pa.Check(lambda values: values % 1 == 0, error="a whole number"))
    if variable.kind == "group":
        checks.append(pa.Check.isin(variable.values, error=f"one of {', '.join(variable.values)}"))
    if variable.kind in ("number", "count"):
        checks.append(pa.Check(np.isfinite, error="a finite number"))
    if variable.low is not None:
        checks.append(pa.Check.ge(variable.low, error=f"at least {variable.low:g}"))
    if variable.high is not None:
        checks.append(pa.Check.le(variable.high, error=f"at most {variable.high:g}"))
    return pa.Column(None, checks, nullable=variable.missing)


def _first_failure(panel: pd.DataFrame, study: Study, cases: pd.DataFrame, where: str) -> str:
    """Put the first of pandera's failure cases in words."""
    case = cases.iloc[0]
    rule = "a value" if case["check"] == "not_nullable" else case["check"]
    others = f" ({len(cases) - 1} more violations)" if len(cases) > 1 else ""
    if pd.isna(case["index"]):
        return f"{where}, column '{case['column']}': {case['failure_case']}, expected {rule}{others}"
    value = panel.at[case["index"], case["column"]]
    place = _place(panel, study, case["index"])
    return f"{where}, column '{case['column']}', {place}: {value}, expected {rule}{others}"


def _place(panel: pd.DataFrame, study: Study, row: object) -> str:
    unit, time = panel.at[row, study.unit], panel.at[row, study.time]
    return f"row {row} ({study.unit} {unit}, {study.time} {time})"


def _checked(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ParameterError(f"seed = {seed!r}: expected a whole number, 0 or more")
    return seed


def _no_licensed_data(study: Study) -> str:
    folder = paths.RAW / study.key
    if not folder.is_dir() or not any(folder.iterdir()):
        return f"source = 'licensed': no files in {shown(folder)}; put the exports there or use source = 'synthetic'"
    return f"source = 'licensed': the book cannot read the exports of study {study.key} yet; use source = 'synthetic'"


def _generator(study: Study) -> ModuleType:
    name = f"pilotzones.studies.{study.key}.synthetic"
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise DeclarationError(f"study {study.key}: no generator; expected studies/{study.key}/synthetic.py")
    return import_module(name)


def _generate(study: Study, seed: int) -> tuple[pd.DataFrame, set[Path]]:
    """Return the validated panel and the data files that were read to make it."""
    generator = _generator(study)
    with recording() as data_files:
        raw = generator.generate(seed)
        panel = study.derive(raw) if study.derive else raw
    validate(panel, study, "synthetic", f"the synthetic panel of {study.key}")
    return panel, data_files


def _sources(study: Study) -> set[Path]:
    """Return the study's own files and those of the library modules that its generator uses, directly or not."""
    folder = paths.ROOT / "lib" / "pilotzones"
    generator = _generator(study)
    found = {generator.__name__: generator}
    if study.derive:
        found[study.derive.__module__] = import_module(study.derive.__module__)
    queue = list(found.values())
    while queue:
        for value in vars(queue.pop()).values():
            name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(name, str) and name.startswith("pilotzones.") and name not in found:
                found[name] = import_module(name)
                queue.append(found[name])
    modules = {Path(module.__file__) for module in found.values() if module.__file__}
    own = Path(str(generator.__file__)).parent
    inside = (path for path in own.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {*inside, *(path for path in modules if path.is_relative_to(folder))}


def _fingerprint(study: Study, data_files: Iterable[Path]) -> dict[str, str]:
    """Return the hash of every file that the panel depends on, and the versions of the numeric libraries."""
    hashes = {}
    for path in sorted({*_sources(study), *data_files}):
        # Python's open, so that the page's record of files it read includes them
        try:
            with path.open("rb") as file:
                hashes[shown(path)] = hashlib.sha256(file.read()).hexdigest()
        except FileNotFoundError:
            hashes[shown(path)] = "missing"
    return hashes | {name: version(name) for name in _VERSIONS}


def _is_fresh(path: Path, study: Study) -> bool:
    """Tell whether a cached panel exists and everything it was made from is unchanged."""
    if not path.exists():
        return False
    try:
        metadata = pq.read_schema(path).metadata or {}
        written_as: dict[str, str] = json.loads(metadata[_FINGERPRINT])
        files = [paths.ROOT / name for name in written_as.keys() - set(_VERSIONS)]
    except (OSError, pyarrow.ArrowException, KeyError, ValueError, AttributeError):
        raise DataError(_corrupt(path)) from None
    return written_as == _fingerprint(study, files)


def _write(panel: pd.DataFrame, path: Path, fingerprint: dict[str, str]) -> None:
    table = pyarrow.Table.from_pandas(panel, preserve_index=False)
    words = json.dumps(fingerprint, sort_keys=True).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _FINGERPRINT: words})
    write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def _read(path: Path) -> pd.DataFrame:
    try:
        return pq.read_table(path).to_pandas()
    except (OSError, pyarrow.ArrowException):
        raise DataError(_corrupt(path)) from None


def _corrupt(path: Path) -> str:
    return f"{shown(path)}: is not a readable panel; delete this file and it will be made again"
