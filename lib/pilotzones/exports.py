"""From customs records to the export quality of firms: the steps in one place, and what other choices make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from pilotzones import replicate
from pilotzones.declare import Study
from pilotzones.measures import export_quality


def of_firms(
    values: pd.Series, records: pd.DataFrame, panel: pd.DataFrame, weights: Literal["value", "records"] = "value"
) -> pd.Series:
    """Return the mean of a firm's records in a year, aligned with the rows of a panel of firms."""
    usable = values.dropna()
    means = export_quality.firm_quality(usable, records.loc[usable.index], weights)
    found = means.reindex(pd.MultiIndex.from_frame(panel[["firm", "year"]]))
    return pd.Series(found.to_numpy(), panel.index)


def readings(records: pd.DataFrame, sigma: pd.Series, panel: pd.DataFrame) -> dict[str, pd.Series]:
    """Return firm quality under the choices that the paper leaves open, or that may be wrong; the panel's first."""
    values = _standard(records, sigma)
    listed = records[records["firm"].isin(panel["firm"])]
    found = {
        "as in the panel": of_firms(values, records, panel),
        "every record alike": of_firms(values, records, panel, "records"),
        "standardised within products": of_firms(_standard(records, sigma, by_product=True), records, panel),
        "no extremes drawn in": of_firms(_standard(records, sigma, trim=0.0), records, panel),
        "demand of listed firms only": of_firms(_standard(listed, sigma), listed, panel),
    }
    wrong = {"sigma a quarter too small": 0.75, "sigma a quarter too large": 1.25}
    for label, factor in wrong.items():
        # an elasticity of one or less has no such demand curve
        found[label] = of_firms(_standard(records, (sigma * factor).clip(lower=1.05)), records, panel)
    one = pd.Series(sigma.median(), sigma.index)
    found["one sigma for all products"] = of_firms(_standard(records, one), records, panel)
    return found


def _standard(records: pd.DataFrame, sigma: pd.Series, **choices: Any) -> pd.Series:
    return export_quality.measure(records, sigma, **choices)["standard"]


def compare(
    study: Study, panel: pd.DataFrame, variants: Mapping[str, pd.Series], true: pd.Series | None, vcov: str
) -> pd.DataFrame:
    """Set readings of firm quality against the truth, and estimate the study's first two columns with each.

    Parameters
    ----------
    variants : label -> firm quality, aligned with the panel.
    true : true quality, aligned with the panel; None when it is not known.

    Returns
    -------
    One row per reading: correlation with the ``truth``, if known, over rows and within firms; mean of the last year
    less that of the first, in standard deviations (``rise``); estimates of columns (1) and (2), unit effects without
    and with year effects, in standard deviations of the reading, and the t value of the second.
    """
    table, number = study.benchmark
    columns = [c for c in study.table(table).columns if c.term == study.treatment]
    first, last = study.years
    rows = {}
    for label, values in variants.items():
        data = panel.assign(_outcome=values / values.std())
        fits = [replicate.column(study, column, data, vcov, outcome="_outcome") for column in columns]
        found = [fit.coefficients.loc[study.treatment] for fit in fits]
        year = data.groupby("year")["_outcome"].mean()
        rows[label] = {} if true is None else {
            "truth": values.corr(true),
            "truth, within firms": _within(values, panel).corr(_within(true, panel)),
        }  # fmt: skip
        rows[label] |= {
            "rise": year[last] - year[first],
            **{f"({c.id}) in sd": own["estimate"] for c, own in zip(columns, found, strict=True)},
            f"t of ({number})": found[-1]["t"],
        }
    return pd.DataFrame(rows).T


def _within(values: pd.Series, panel: pd.DataFrame) -> pd.Series:
    """Return what is left of a variable when the means of firms are removed."""
    return values - values.groupby(panel["firm"]).transform("mean")
