"""Panels of pairs too large for memory: written to one Parquet file, a block of pairs at a time.

2,000 cities make two million pairs, in ten years twenty million rows. What pairs are made of, series of the cities, is
small; only a block is ever expanded. :func:`pilotzones.estimators.out_of_core.regress_parquet` estimates from the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from pilotzones.errors import DataError
from pilotzones.io import write_atomically
from pilotzones.measures import synchronisation
from pilotzones.measures.synchronisation import ENDS

BLOCK = 50_000  # pairs; of ten years half a million rows


def write(
    path: Path,
    pairs: pd.DataFrame,
    start: pd.Series,
    synchronised: Mapping[str, pd.DataFrame],
    alike: Mapping[str, pd.DataFrame],
) -> int:
    """Write the panel of some pairs of cities.

    The columns mean what they mean in the panel of the paper on regional coordination:

    - ``pair`` (the index of ``pairs``), ``city_i``, ``city_j``, ``year``;
    - ``zones``: how many of the two cities ever have a zone, 0, 1 or 2;
    - ``treat_post``: 1 from the year in which the only zone of the pair starts, 0 in pairs of none or of two. The paper
      leaves pairs of two out: pass the other ``pairs`` only;
    - each of ``synchronised``: :func:`~.synchronisation.fisher` of the series;
    - each of ``alike``: :func:`~.synchronisation.absolute_difference` of the series.

    Parameters
    ----------
    path : the file to make or replace; it appears whole or not at all.
    pairs : as :func:`~.synchronisation.pairs` returns them, or some of these.
    start : by city, the first year of its zone; missing for a city without one.
    synchronised, alike : name of the column -> series, cities in rows and years in columns; the years are the same in
        all.

    Returns
    -------
    The number of rows, pairs times years, in row groups of ``BLOCK`` pairs, sorted by pair and year.

    Raises
    ------
    DataError
        Two pairs have one number or the same two cities, a city has no entry in ``start``, the series differ in their
        years or a name stands twice, the disk is full, or as the two functions.
    """
    series = {**synchronised, **alike}
    if not series or len(series) < len(synchronised) + len(alike):
        raise DataError(f"series {', '.join([*synchronised, *alike]) or 'none'}: expected at least one, each name once")
    years = next(iter(series.values())).columns
    for name, values in series.items():
        if not values.columns.equals(years):
            raise DataError(
                f"series '{name}': years {', '.join(map(str, values.columns))}; expected those of the first"
            )
    twice = pairs.index.duplicated() | pd.DataFrame(np.sort(pairs[ENDS])).duplicated().to_numpy()
    if twice.any():
        raise DataError(f"pair {pairs.index[twice][0]}: its number or its two cities stand twice; expected once")
    if unknown := set(np.unique(pairs[ENDS])) - set(start.index):
        raise DataError(f"city {min(unknown)}: not in start; expected the first year of its zone, or missing")
    write_atomically(path, lambda temporary: _write(temporary, _blocks(pairs, start, synchronised, alike)))
    return len(pairs) * len(years)


def _write(path: Path, blocks: Iterator[pa.Table]) -> None:
    first = next(blocks)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for block in blocks:
            writer.write_table(block)


def _blocks(
    pairs: pd.DataFrame,
    start: pd.Series,
    synchronised: Mapping[str, pd.DataFrame],
    alike: Mapping[str, pd.DataFrame],
) -> Iterator[pa.Table]:
    years = next(iter({**synchronised, **alike}.values())).columns.to_numpy()
    for at in tqdm(range(0, max(len(pairs), 1), BLOCK), desc="blocks of pairs", disable=None, leave=False):
        block = pairs.iloc[at : at + BLOCK]
        starts = np.column_stack([start.loc[block[side]].to_numpy(float) for side in ENDS])
        zones = np.isfinite(starts).sum(axis=1)
        since = np.where(zones == 1, np.nansum(starts, axis=1), np.inf)
        lasting = {"pair": block.index, **{side: block[side] for side in ENDS}, "zones": zones.astype("int8")}
        columns = {name: np.repeat(np.asarray(values), len(years)) for name, values in lasting.items()}
        columns["year"] = np.tile(years, len(block))
        columns["treat_post"] = (years >= since[:, None]).astype("int8").ravel()
        for measure, series in ((synchronisation.fisher, synchronised), (synchronisation.absolute_difference, alike)):
            columns |= {name: measure(values, block).to_numpy().ravel() for name, values in series.items()}
        yield pa.table(columns)
