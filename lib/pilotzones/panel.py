"""Load a study's panel from a source, checked against the study's declaration, and keep it on disk.

Panels are cached under ``data/panels``: ``<study>-synthetic-<seed>.parquet``, and for the reader's own exports
``<study>-licensed-<fingerprint of the exports>.parquet``. A file carries the hashes of everything else it was made from
(the study's folder, the library modules used, the fact files read on the way) and the versions of the numeric
libraries; when one of them changes, the panel is made anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterable
from functools import partial
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
    seed : of the synthetic panel; by default the one fixed in the declaration. Ignored with licensed data.

    Returns
    -------
    One row per unit and year with every declared variable; synthetic panels may also have ``true_effect``, and licensed
    ones lack the variables that only synthetic data can have.

    Raises
    ------
    ParameterError
        If the source is unknown or has no data, or the seed is no whole number >= 0.
    DeclarationError
        If the panel lacks a declared variable or has an undeclared one.
    DataError
        If a value is not what the declaration says, or the cached file is corrupt or cannot be written.
    """
    _check_source(source, study)
    if source == "licensed":
        path, make = _licensed_file(study), _derive_licensed
    else:
        seed = _checked(study.seed if seed is None else seed)
        path = paths.PANELS / f"{study.key}-{source}-{seed}.parquet"
        make = partial(_generate, seed=seed)
    panel = _cached(path, study, _maker(study, source), make)
    validate(panel, study, source, shown(path))
    return panel


def _licensed_file(study: Study, what: str = "") -> Path:
    return paths.PANELS / f"{study.key}-licensed-{fingerprint(study)}{what}.parquet"


def fingerprint(study: Study) -> str:
    """Return twelve hexadecimal digits that change when a file of the study's exports does, is added or goes."""
    from pilotzones import licensed

    files = json.dumps(licensed.fingerprints(study), sort_keys=True)
    return hashlib.sha256(files.encode()).hexdigest()[:12]


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

    Parameters
    ----------
    seed : of synthetic data; ignored with licensed data.

    Raises
    ------
    ParameterError
        If the source is unknown or has no data, or the seed is no whole number >= 0.
    DataError
        If the exports cannot be read.
    """
    _check_source(source, study)
    if source == "licensed":
        return _cached(_licensed_file(study, "-raw"), study, _maker(study, source), _read_licensed)
    drawn: pd.DataFrame = _generator(study).generate(_checked(seed))
    return drawn


def validate(panel: pd.DataFrame, study: Study, source: str, where: str) -> None:
    """Check a panel against the study's declaration.

    Parameters
    ----------
    source : of licensed data any value but keys and codes may be missing, and what only synthetic data can have must
        be absent.
    where : what messages call the panel, e.g. its file.

    Raises
    ------
    DeclarationError
        If a declared variable is missing from the panel, or a column is not declared.
    DataError
        If a value has the wrong type, lies outside its bounds or allowed values, is missing where it must not be, or
        the year is outside the sample; or if a unit has two rows in one year. The message names column, row and value.
    """
    variables = [variable for variable in study.variables if source == "synthetic" or not variable.truth]
    names = [variable.name for variable in variables]
    for name in names:
        if name not in panel:
            raise DeclarationError(f"study {study.key}: variable '{name}' is declared but missing from {where}")
    extra = [TRUTH] if source == "synthetic" else []
    for column in panel:
        if column not in [*names, *extra]:
            raise DeclarationError(f"study {study.key}: column '{column}' of {where} is not declared")
    for key in (study.unit, study.time):
        require_columns(panel, key)

    for variable in variables:
        _check_type(panel[variable.name], variable, where)
    keys = (study.unit, study.time)
    columns = {variable.name: _rules(variable, source, variable.name in keys) for variable in variables}
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


def _rules(variable: Variable, source: str, key: bool) -> pa.Column:
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
    gaps = source == "licensed" and variable.kind != "code" and not key
    return pa.Column(None, checks, nullable=variable.missing or gaps)


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


def _check_source(source: str, study: Study) -> None:
    if source not in SOURCES:
        raise ParameterError(f"source = {source!r}: expected one of {', '.join(SOURCES)}")
    if source == "licensed" and not import_module("pilotzones.licensed").present(study.key):
        folder = shown(paths.RAW / study.key)
        raise ParameterError(
            f"source = 'licensed': no files in {folder}; put the exports there or use source = 'synthetic'"
        )


def _maker(study: Study, source: str) -> ModuleType:
    """Return the module that makes a study's raw data."""
    # imported when needed: reading exports takes libraries that synthetic pages do without
    return _generator(study) if source == "synthetic" else import_module("pilotzones.licensed")


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


def _derive_licensed(study: Study) -> tuple[pd.DataFrame, set[Path]]:
    """Return the validated panel of the reader's exports and the book's own data files that were read on the way."""
    with recording() as data_files:
        exported = raw(study, "licensed", study.seed)
        panel = study.derive(exported) if study.derive else exported
    validate(panel, study, "licensed", f"the licensed panel of {study.key}")
    return panel, data_files | set(_sources_in(_made_from(_licensed_file(study, "-raw"))))


def _read_licensed(study: Study) -> tuple[pd.DataFrame, set[Path]]:
    """Return the raw variables of the reader's exports and the book's own data files that were read on the way."""
    from pilotzones import licensed

    with recording() as data_files:
        exported = licensed.raw(study)
    return exported, data_files


def _cached(
    path: Path, study: Study, maker: ModuleType, make: Callable[[Study], tuple[pd.DataFrame, set[Path]]]
) -> pd.DataFrame:
    """Return the frame in a cache file, made anew when what it was made from has changed."""
    if not _is_fresh(path, study, maker):
        frame, data_files = make(study)
        _write(frame, path, _fingerprint(study, maker, data_files))
    return _read(path)


def _sources(study: Study, maker: ModuleType) -> set[Path]:
    """Return the study's own files and those of the library modules that its raw data and its panel come from."""
    folder = paths.ROOT / "lib" / "pilotzones"
    found = {maker.__name__: maker}
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
    own = Path(str(import_module(f"pilotzones.studies.{study.key}").__path__[0]))
    inside = (path for path in own.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {*inside, *(path for path in modules if path.is_relative_to(folder))}


def _fingerprint(study: Study, maker: ModuleType, data_files: Iterable[Path]) -> dict[str, str]:
    """Return the hash of every file that the panel depends on, and the versions of the numeric libraries."""
    hashes = {}
    for path in sorted({*_sources(study, maker), *data_files}):
        # Python's open, so that the page's record of files it read includes them
        try:
            with path.open("rb") as file:
                hashes[shown(path)] = hashlib.sha256(file.read()).hexdigest()
        except FileNotFoundError:
            hashes[shown(path)] = "missing"
    return hashes | {name: version(name) for name in _VERSIONS}


def _is_fresh(path: Path, study: Study, maker: ModuleType) -> bool:
    """Tell whether a cached panel exists and everything it was made from is unchanged."""
    if not path.exists():
        return False
    written_as = _made_from(path)
    return written_as == _fingerprint(study, maker, _sources_in(written_as))


def _made_from(path: Path) -> dict[str, str]:
    """Return what a cached panel was made from: file or library -> its hash or version."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        return dict(json.loads(metadata[_FINGERPRINT]))
    except (OSError, pyarrow.ArrowException, KeyError, ValueError, TypeError):
        raise DataError(_corrupt(path)) from None


def _sources_in(made_from: Iterable[str]) -> list[Path]:
    return [paths.ROOT / name for name in made_from if name not in _VERSIONS]


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
