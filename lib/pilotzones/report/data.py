"""The data behind a figure: a CSV file that travels with the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import pandas as pd

Data: TypeAlias = pd.DataFrame | pd.Series | Mapping[str, pd.DataFrame] | Mapping[str, pd.Series]


def as_csv(data: Data) -> str:
    """Return data as CSV text: a header line, one line per row, nine significant digits.

    Parameters
    ----------
    data : a frame or series, in the units of the figure; or several, by name, which stand below each other with the
        name in a first column ``part``. An index becomes columns of its own unless it only counts rows.
    """
    if isinstance(data, Mapping):
        frames = {part: _flat(frame) for part, frame in data.items()}
        table = pd.concat(frames, names=["part"]).droplevel(1).reset_index()
    else:
        table = _flat(data)
    # no more digits than two machines agree on
    return table.to_csv(index=False, float_format="%.9g", lineterminator="\n")


def _flat(data: pd.DataFrame | pd.Series) -> pd.DataFrame:
    frame = data.to_frame() if isinstance(data, pd.Series) else data
    if isinstance(frame.columns, pd.MultiIndex):
        frame = frame.set_axis([" ".join(map(str, names)) for names in frame.columns], axis=1)
    index = frame.index
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return frame.reset_index(drop=True)
    names = [name if name is not None else f"label {n + 1}" if n else "label" for n, name in enumerate(index.names)]
    return frame.rename_axis(index=names).rename_axis(columns=None).reset_index()
