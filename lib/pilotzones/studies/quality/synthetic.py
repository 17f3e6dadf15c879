r"""A synthetic panel of listed firms with a known truth, calibrated to the few printed numbers of the quality study.

Five layers, from what is fixed to what is measured:

1. **Frame** (:mod:`~pilotzones.studies.quality.frame`): firms, years, provinces and lasting traits.
2. **Indicators**: ten of every province and year. E-commerce grows at a constant rate, infrastructure along S-shaped
   paths, zones by their dates; persistent shocks by province. The study makes its three indices from them.
3. **Quality** (:func:`~pilotzones.studies.quality.records.firm_quality`): log quality of a firm is a lasting part, a
   trend of the listed firms, slopes of the controls, persistent shocks, and the effect of e-commerce.
4. **Records** (:mod:`~pilotzones.studies.quality.records`): what the firms, and others beside them, sell.
5. **Measurement**: nothing of quality goes into the panel directly. The demand equation is estimated on the records,
   as in the paper, and its residuals are brought to a scale from 0 to 1 and to the firm.

The trend bends with the e-commerce level: the printed R2 says that the index with firm effects only (0.309) misses
much of what years explain (0.380), and the e-commerce level (0.385 and 0.389) next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pilotzones import indices
from pilotzones.measures import export_quality, sophistication
from pilotzones.studies.quality import records
from pilotzones.studies.quality.frame import PARAMETERS, YEARS, frame, parameters, settings
from pilotzones.studies.quality.indicators import Draws, indicators
from pilotzones.studies.quality.study import BASIC, ECOM

__all__ = ["EFFECTS", "EFFECT_CELLS", "NO_ESTIMAND", "PARAMETERS", "SET_DIRECTLY", "TARGETS", "generate", "parameters"]

# parameter, the printed cell that settles it (table/column/term/statistic), step of the numerical derivative
TARGETS = (
    ("trend_basic", "T3/1/ret/estimate", 0.1),
    ("trend_ecom", "T3/1//r2", 0.1),
    ("effect_basic", "T3/2/ret/estimate", 0.05),
    ("trend", "T3/2//r2", 0.005),
    ("effect_ecom", "T3/4//r2", 0.05),
)
# both effects are among the targets: an R2 identifies one of them, and the true effects alone have none
EFFECTS: tuple[str, ...] = ()
EFFECT_CELLS: tuple[str, ...] = ()
SET_DIRECTLY: tuple[str, ...] = ()
# with firm effects only, the trend of the listed firms is in the coefficient
NO_ESTIMAND = {("T3", "1"), ("T3", "3"), ("T3", "5"), ("T5", "1"), ("T5", "3")}


def generate(seed: int, overrides: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Draw one panel.

    Parameters
    ----------
    seed : of everything random; the frame is the same for all seeds.
    overrides : structural parameters that differ from ``parameters.toml``, by name.

    Returns
    -------
    The raw variables of the study, one row per firm and year, and ``true_effect``: what e-commerce adds to the firm's
    quality, in units of ``SEX``.
    """
    p = {**parameters(), **(overrides or {})}
    rows, _ = frame()
    draws = Draws(seed)
    regions = indicators(draws)
    out = rows.merge(regions.drop(columns="gdp"), on=["province", "year"], validate="many_to_one")
    out = out.assign(**controls(rows, draws))

    listed = out.assign(**{index.name: indices.values(index, out) for index in (ECOM, BASIC)})
    drawn = records.draw(listed, p, seed)
    measured, spread = measure(drawn["customs"], drawn["products"].set_index("product")["sigma"])
    keys = pd.MultiIndex.from_frame(out[["firm", "year"]])
    for name, values in measured.items():
        out[name] = values.reindex(keys).to_numpy()
    income = regions.set_index(["province", "year"])["gdp"]
    usable, _ = export_quality.clean(drawn["customs"], drawn["products"].set_index("product")["sigma"])
    out["soph"] = np.log(sophistication.firm_sophistication(usable, income).reindex(keys).to_numpy())
    out["true_effect"] = records.firm_quality(listed, p, seed)["effect"] / spread
    return out


def controls(rows: pd.DataFrame, draws: Draws) -> dict[str, np.ndarray]:
    """Return employees, state-owned share, share of the largest owner and current ratio, one value per row."""
    s, (_, firms) = settings()["firms"], frame()
    code, t = rows["firm"].to_numpy() - 1, rows["year"].to_numpy() - YEARS[0]

    def score(name: str) -> np.ndarray:
        return draws.stream(f"{name}, firms").normal(size=len(firms))[code]

    def moved(name: str) -> np.ndarray:
        return draws.yearly(name, len(firms), s["rho"])[code, t]

    growth, sd = s["employees"]
    size = firms["size"].to_numpy()[code] + growth * (t - t.mean()) + sd * moved("employees")
    found = {"employees": np.maximum(20, np.rint(np.exp(size)))}
    mean, spread, sd = s["share"]
    state = rows["state"].to_numpy() == 1
    minor = draws.stream("minor share").uniform(size=len(firms))[code] < 0.1
    part = np.where(state, 1.0, np.where(minor, 1 / 3, 0.0))
    found["share"] = np.clip(part * (mean + spread * score("share") + sd * moved("share")), 0.0, 0.95)
    mean, spread, sd = s["con"]
    found["con"] = np.clip(mean + spread * score("con") + sd * moved("con"), 0.03, 0.9)
    mean, spread, sd = s["debt"]
    found["debt"] = np.exp(mean + spread * score("debt") + sd * moved("debt"))
    return found


def measure(customs: pd.DataFrame, sigma: pd.Series) -> tuple[dict[str, pd.Series], float]:
    """Measure firms' quality as the paper does, and set the truth on the same scale.

    Minimum and maximum are those of all records, after the most extreme on either side took the value of a
    quantile.

    Parameters
    ----------
    customs : records, also of exporters that are not listed; with ``quality_true`` (log points).
    sigma : elasticity of substitution by product.

    Returns
    -------
    measured : by firm and year: ``SEX``, ``SEX_records`` and ``SEX_true``. The level of true quality cannot be told;
        its mean over records is that of the estimate.
    spread : log points of quality between 0 and 1.
    """
    found = export_quality.measure(customs, sigma)
    low, high = found["log"].quantile([export_quality.TRIM, 1 - export_quality.TRIM])
    usable = customs.loc[found.index]
    true = usable["quality_true"].where(found["log"].notna())
    true = (true - true.mean() + found["log"].mean() - low) / (high - low)
    measured = {
        "SEX": export_quality.firm_quality(found["standard"], usable, "value"),
        "SEX_records": export_quality.firm_quality(found["standard"], usable, "records"),
        "SEX_true": export_quality.firm_quality(true, usable, "value"),
    }
    return measured, float(high - low)
