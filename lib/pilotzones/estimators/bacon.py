"""Goodman-Bacon decomposition: which two-by-two comparisons a two-way fixed effects estimate is made of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import diff_diff
import pandas as pd

from pilotzones.estimators.staggered import sample

TYPES = {
    "treated_vs_never": "treated against never treated",
    "earlier_vs_later": "earlier against later treated",
    "later_vs_earlier": "later against already treated (forbidden)",
}


@dataclass(frozen=True, eq=False)
class Bacon:
    """A two-way fixed effects estimate taken apart.

    Attributes
    ----------
    estimate : the two-way fixed effects estimate, the weighted sum of the comparisons.
    by_type : ``weight`` (they sum to 1) and ``estimate`` (weighted mean) of each of :data:`TYPES`. In the forbidden
        comparisons, units already treated are the controls: their effect, as it grows, is subtracted.
    comparisons : one row per pair: ``treated`` and ``control`` cohort (missing: never treated), ``type``,
        ``estimate``, ``weight``.
    n_obs, n_units : rows and units used.
    note : what was dropped.
    """

    estimate: float
    by_type: pd.DataFrame
    comparisons: pd.DataFrame
    n_obs: int
    n_units: int
    note: str


def decompose(data: pd.DataFrame, *, outcome: str, unit: str, time: str, cohort: str) -> Bacon:
    r"""Decompose ``y_it = b D_it + a_i + a_t + u_it``.

    .. math:: \hat b = \sum_k s_{kU} \hat b_{kU} + \sum_{k<l} (s_{kl}^k \hat b_{kl}^k + s_{kl}^l \hat b_{kl}^l)

    over cohorts :math:`k`, later cohorts :math:`l` and the never treated :math:`U`; the weights grow with the size of
    the two groups and with the variance of treatment in the years compared [1]_. An identity: it assumes nothing, but
    holds on balanced panels only. Units without a row in every year are therefore dropped first.

    Parameters
    ----------
    data, outcome, unit, time, cohort : as in :func:`pilotzones.estimators.modern.estimate`, with its rules for rows.

    Raises
    ------
    DeclarationError, DataError
        As :func:`pilotzones.estimators.staggered.sample`, and if no unit has a row in every year.

    References
    ----------
    .. [1] Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. Journal of
       Econometrics 225, 254-277.
    """
    found = sample(data, outcome=outcome, unit=unit, time=time, cohort=cohort, cluster=unit).balanced()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit: Any = diff_diff.BaconDecomposition(weights="exact").fit(found.rows, "outcome", "unit", "time", "cohort")
    table = fit.to_dataframe()
    control = pd.to_numeric(table["control_group"], errors="coerce")
    comparisons = pd.DataFrame(
        {
            "treated": table["treated_group"].astype(int),
            "control": control.where(control > 0),
            "type": table["comparison_type"],
            "estimate": table["estimate"],
            "weight": table["weight"],
        }
    )
    part = comparisons.assign(part=comparisons["estimate"] * comparisons["weight"]).groupby("type")
    by_type = part[["weight", "part"]].sum().reindex(TYPES, fill_value=0.0)
    by_type["estimate"] = by_type["part"] / by_type["weight"].where(by_type["weight"] > 0)
    return Bacon(
        estimate=float((comparisons["estimate"] * comparisons["weight"]).sum()),
        by_type=by_type[["weight", "estimate"]],
        comparisons=comparisons,
        n_obs=len(found.rows),
        n_units=int(found.rows["unit"].nunique()),
        note="; ".join(found.notes),
    )
