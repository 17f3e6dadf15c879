"""Specifications to be looked up by their choices, in the rendered page and without a server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

import pandas as pd
from IPython.display import HTML

from pilotzones.errors import DataError
from pilotzones.report import figures

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
NEEDED = ("estimate", "low", "high", "p", "n_obs")


def explorer(
    rows: pd.DataFrame,
    choices: Mapping[str, str],
    errors: str,
    *,
    published: str,
    start: str,
    label: str,
    unit: str,
    digits: int,
) -> HTML:
    """Return controls that look up estimates computed beforehand, and the curve of all of them.

    The page holds the numbers; ``book/_static/explorer.js`` makes the controls. Without the script, as in a notebook,
    one sentence says what would be there; so it does in a book of licensed data, whose pages carry no data along.

    Parameters
    ----------
    rows : one row per specification and kind of error, with ``choices``, ``errors``, ``NEEDED`` and ``published``;
        estimates are in ``unit`` and do not depend on the error. Rows without an estimate or an interval are left out.
    choices : column -> what a reader calls the choice, in the order of the controls; up to 36 options each. One with
        the options ``"in"`` and ``"out"`` is a box to tick.
    errors : column with the standard errors.
    published : column that names the published columns that a row is; empty text for none.
    start : the published column that is shown first, e.g. ``"T2/3"``; without it the middle of the curve.
    label : what the controls are about, for screen readers.
    digits : decimals shown.

    Raises
    ------
    DataError
        A column is missing, no row has an estimate, or two rows are the same specification.
    """
    wanted = [*choices, errors, *NEEDED, published]
    if lacking := [name for name in wanted if name not in rows]:
        raise DataError(f"explorer: column '{lacking[0]}' is missing; expected {', '.join(wanted)}")
    known = rows.dropna(subset=["estimate", "low", "high"])
    keys = list(choices)
    if known.empty or known.duplicated([*keys, errors]).any():
        problem = "no row has an estimate" if known.empty else "two rows are the same specification"
        raise DataError(f"explorer: {problem}; expected each combination of {', '.join([*keys, errors])} once")
    if not figures.carry_data():
        return HTML("<p>Pages of licensed data carry no data along, so that nothing can be looked up here.</p>")
    kinds = list(dict.fromkeys(known[errors]))
    values = {key: list(dict.fromkeys(known[key])) for key in keys}
    places = {key: {value: place for place, value in enumerate(values[key])} for key in keys}
    codes = pd.DataFrame({key: known[key].map(places[key]) for key in keys}).astype(int)
    known = known.assign(code=codes.to_numpy().tolist(), key=codes.astype(str).agg(" ".join, axis=1))
    first = known.drop_duplicates("key").sort_values(["estimate", "key"])
    papers = known.groupby("key")[published].max().loc[first["key"]].tolist()  # only the paper's own error has the name
    main = known[[start in names.split(", ") for names in known[published]]]
    shown = (known[known["key"] == first["key"].iloc[len(first) // 2]] if main.empty else main).iloc[0]

    def column(name: str, kind: str) -> list[float | None]:
        by_key = known[known[errors] == kind].set_index("key")[name].reindex(first["key"])
        return [None if value != value else round(float(value), 4 if name == "p" else digits) for value in by_key]

    data = {
        "label": label,
        "unit": unit,
        "digits": digits,
        "choices": [{"label": choices[key], "values": [str(value) for value in values[key]]} for key in keys],
        "errors": [str(kind) for kind in kinds],
        "codes": ["".join(_DIGITS[place] for place in code) for code in first["code"]],
        "estimate": [round(float(value), digits) for value in first["estimate"]],
        "n": [int(value) for value in first["n_obs"]],
        "published": papers,
        "start": {"row": first["key"].tolist().index(shown["key"]), "errors": kinds.index(shown[errors])},
        "low": [column("low", kind) for kind in kinds],
        "high": [column("high", kind) for kind in kinds],
        "p": [column("p", kind) for kind in kinds],
    }
    return HTML(
        f'<div class="explorer" role="group" aria-label="{escape(label)}">'
        f'<p class="explorer-without">The rendered book has controls here for {len(first):,} specifications.</p>'
        f'<script type="application/json">{_inside_script(data)}</script></div>'
    )


def _inside_script(data: Mapping[str, object]) -> str:
    """Return JSON that cannot end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
