"""What every measure asks of its records before it computes anything."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pilotzones.errors import DataError


def require(records: pd.DataFrame, what: str, keys: list[str], amounts: list[str]) -> None:
    """Stop unless ``records`` has the columns, one row per key, and finite amounts of at least zero.

    Parameters
    ----------
    what : what messages call the records, e.g. ``"trade of cities"``.
    keys : columns that identify a row.
    amounts : columns of numbers.

    Raises
    ------
    DataError
        Naming the column and the first row that is wrong.
    """
    for column in [*keys, *amounts]:
        if column not in records:
            raise DataError(f"{what}: column '{column}' is missing; expected {', '.join([*keys, *amounts])}")
    for column in keys:
        if records[column].isna().any():
            raise DataError(f"{what}, row {records.index[records[column].isna()][0]}: column '{column}' is empty")
    twice = records.duplicated(keys)
    if twice.any():
        raise DataError(f"{what}, {place(records[twice].astype(object).iloc[0], keys)}: a second row; expected one")
    for column in amounts:
        if not pd.api.types.is_numeric_dtype(records[column]):
            raise DataError(f"{what}, column '{column}': type {records[column].dtype}, expected numbers")
        wrong = ~(np.isfinite(records[column]) & (records[column] >= 0))
        if wrong.any():
            row = records[wrong].astype(object).iloc[0]  # keeps whole numbers whole
            raise DataError(f"{what}, {place(row, keys)}: {column} = {row[column]}, expected a number of at least 0")


def place(row: pd.Series, keys: list[str]) -> str:
    """Return the keys of a row for a message, e.g. ``city 330100, year 2015``."""
    return ", ".join(f"{key} {row[key]}" for key in keys)
