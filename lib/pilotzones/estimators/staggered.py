r"""What the estimators of a staggered roll-out share: the rows, the estimand, the kind of result.

Estimand
--------
The mean effect over treated unit-years, each counting once, and by event time the mean over the treated rows of that
event time. With the effect :math:`\tau_{gt}` of cohort :math:`g` (first treated in year :math:`g`) in year :math:`t`
and :math:`n_{gt}` treated rows,

.. math:: \tau = \frac{\sum_{t \ge g} n_{gt} \tau_{gt}}{\sum_{t \ge g} n_{gt}},
   \qquad \tau_e = \frac{\sum_g n_{g,g+e} \tau_{g,g+e}}{\sum_g n_{g,g+e}}.

The weights are those of the sample: their own sampling error is not counted (R's ``did::aggte`` counts it).

What is assumed
---------------
All: *no anticipation*, and *parallel trends*: untreated outcomes of treated and control units would have moved alike.
Which trends must be parallel differs: from the last untreated year on (``callaway_santanna``, ``sun_abraham``,
``lp_did``, ``dechaisemartin_dhaultfoeuille``, ``stacked``) or over the whole panel (``borusyak_jaravel_spiess``,
``gardner``, ``wooldridge``, ``twfe``), which makes these more precise and less robust. ``twfe`` assumes in addition
that the effect is the same for all cohorts and years.

Sample rules, the same for every estimator, so that differences between them are not differences of rows
--------------------------------------------------------------------------------------------------------
- Rows with a missing outcome or control are dropped; units with one row, and treated units without an untreated row,
  too: nothing can be learnt from them.
- A cohort after the last year of the panel counts as never treated.
- Without never-treated units, the years from the last cohort's start on are dropped, for want of a control, and the
  last cohort becomes the control (as R's ``did`` does).
- Gaps: differences need both years (``callaway_santanna``, ``lp_did``); regressions use the rows there are; units
  with gaps are dropped for ``dechaisemartin_dhaultfoeuille``, whose library is wrong with gaps, and for the
  Goodman-Bacon decomposition, which does not hold with gaps.
- A cohort with a single unit is kept and named in ``note``: its own sampling error cannot be seen.

Every interval is ``estimate -+ t_{G-1} se`` with ``G`` clusters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from pilotzones.errors import DataError
from pilotzones.estimators.regression import require


@dataclass(frozen=True, eq=False)
class Estimate:
    """A difference-in-differences estimate.

    Attributes
    ----------
    att : ``estimate``, ``se``, ``low``, ``high`` (95% interval) of the mean effect over treated unit-years.
    by_event_time : the same columns by years since the reform, and ``n``, the treated rows behind each; event time
        -1, the base where there is one, has estimate and se 0. Before the reform the true value is 0.
    vcov : covariance of the estimates in ``by_event_time``, without the base; None where the library has none.
    by_cohort_time : ``estimate``, ``se`` and ``n`` by ``cohort`` and ``time``; None where the method has none.
    estimator, library : which method, and whose code.
    n_obs : rows used.
    n_treated : treated rows that ``att`` is the mean over; fewer than there are where some have no control.
    n_clusters : number of clusters.
    note : what was dropped and what was assumed.
    """

    att: pd.Series
    by_event_time: pd.DataFrame
    vcov: pd.DataFrame | None
    by_cohort_time: pd.DataFrame | None
    estimator: str
    library: str
    n_obs: int
    n_treated: int
    n_clusters: int
    note: str


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows that an estimator sees; columns ``outcome``, ``unit``, ``time``, ``cohort``, ``cluster``, controls.

    Attributes
    ----------
    rows : ``unit`` and ``cluster`` are codes 0, 1, ...; ``cohort`` is 0 for never treated, ``post`` 1 when treated;
        sorted by unit and time.
    notes : what was dropped.
    """

    rows: pd.DataFrame
    controls: list[str]
    notes: list[str]

    @property
    def n_clusters(self) -> int:
        return int(self.rows["cluster"].nunique())

    @property
    def clusters(self) -> np.ndarray:
        """Return each unit's cluster, shape (units,)."""
        return np.asarray(self.rows.groupby("unit")["cluster"].first())

    def balanced(self) -> Sample:
        """Return the units that have a row in every year, for methods that are wrong with gaps.

        Raises
        ------
        DataError
            No treated or no untreated unit has a row in every year.
        """
        rows = self.rows
        complete = rows.groupby("unit")["time"].transform("size") == rows["time"].nunique()
        kept = rows[complete]
        if kept.empty or kept["cohort"].min() > 0 or kept["cohort"].max() == 0:
            raise DataError(
                f"balanced panel: {kept['unit'].nunique()} of {rows['unit'].nunique()} units have a row in each of "
                f"{rows['time'].nunique()} years; expected treated and untreated ones among them"
            )
        if complete.all():
            return self
        codes = {c: pd.factorize(kept[c], sort=True)[0] for c in ("unit", "cluster")}
        n = rows["unit"].nunique() - kept["unit"].nunique()
        notes = [*self.notes, f"{n} units with gaps dropped"]
        return Sample(kept.assign(**codes).reset_index(drop=True), self.controls, notes)


@dataclass(frozen=True, eq=False)
class Effects:
    """Estimates that are averaged with row weights; index: ``(cohort, time)`` or event time."""

    estimate: pd.Series
    n: pd.Series
    vcov: np.ndarray  # of ``estimate``


def first_treated(data: pd.DataFrame, *, treatment: str, unit: str, time: str) -> pd.Series:
    """Return the first treated year of each row's unit, missing if never, from a 0/1 column.

    Raises
    ------
    DeclarationError
        A column does not exist.
    DataError
        The treatment is missing or fractional in a row, or switches off: no cohort can express that.
    """
    require([treatment, unit, time], data, "first treated year")
    values = data[treatment]
    if (bad := ~values.isin([0, 1])).any():
        raise DataError(
            f"column '{treatment}', {_place(data[bad], unit, time)}: {values[bad].iloc[0]}, expected 0 or 1; cohorts "
            "know no partial treatment: decide from which year on a unit counts as treated"
        )
    first = data[time].where(values == 1).groupby(data[unit]).transform("min")
    off = (values == 0) & (data[time] > first)
    if off.any():
        raise DataError(
            f"column '{treatment}', {_place(data[off], unit, time)}: 0, but 1 in {first[off].iloc[0]:g}; expected a "
            "treatment that never switches off"
        )
    return first.astype(float).rename("cohort")


def sample(
    data: pd.DataFrame, *, outcome: str, unit: str, time: str, cohort: str, cluster: str, controls: Iterable[str] = ()
) -> Sample:
    """Return the rows that all estimators use; rules in the module's docstring, parameters as in :func:`estimate`."""
    controls = list(controls)
    require([outcome, unit, time, cohort, cluster, *controls], data, "difference-in-differences")
    for column in (outcome, time, cohort, *controls):
        if not pd.api.types.is_numeric_dtype(data[column]):
            raise DataError(f"column '{column}': expected numbers, found {data[column].dtype}")
        if np.isinf(data[column].astype(float)).any():
            raise DataError(f"column '{column}': infinite values")
    for column in (unit, time, cluster):
        if data[column].isna().any():
            raise DataError(f"column '{column}': missing in {int(data[column].isna().sum())} rows")
    for column in (time, cohort):
        if (data[column].dropna() % 1 != 0).any():
            raise DataError(
                f"column '{column}': expected whole years, found {data[column][data[column] % 1 > 0].iloc[0]}"
            )
    double = data.duplicated([unit, time])
    if double.any():
        raise DataError(f"{_place(data[double], unit, time)}: a second row; expected one per unit and year")
    for column in (cohort, cluster):
        several = data.groupby(unit)[column].nunique(dropna=False) > 1
        if several.any():
            raise DataError(f"column '{column}': several values in {unit} {several.idxmax()}, expected one per unit")

    named = {"outcome": data[outcome], "unit": data[unit], "time": data[time], "cohort": data[cohort].fillna(0)}
    frame = pd.DataFrame({**named, "cluster": data[cluster], **{f"control_{c}": data[c] for c in controls}})
    frame = frame.sort_values(["unit", "time"], kind="stable", ignore_index=True)
    rows = frame.dropna()
    notes = [f"{len(frame) - len(rows)} rows with missing values dropped"] if len(rows) < len(frame) else []
    if rows.empty:
        raise DataError(f"outcome '{outcome}': no complete row among {len(frame)}")
    rows = rows.assign(cohort=rows["cohort"].where(rows["cohort"] <= rows["time"].max(), 0))
    rows, dropped = _comparable(rows)
    notes += dropped
    if len(rows) and (rows["cohort"] > 0).all():
        last = rows["cohort"].max()
        rows = rows[rows["time"] < last]
        rows, dropped = _comparable(rows.assign(cohort=rows["cohort"].where(rows["cohort"] < last, 0)))
        notes += [
            f"no never-treated unit: the years from {last:g} on dropped, cohort {last:g} is the control",
            *dropped,
        ]
    treated = rows["cohort"] > 0
    if not treated.any() or treated.all():
        raise DataError(
            f"column '{cohort}': no treated unit has a control to compare with; expected cohorts that start in "
            "different years inside the panel, or never-treated units, and rows before the start"
        )
    sizes = rows[treated].groupby("cohort")["unit"].nunique()
    if (sizes == 1).any():
        alone = ", ".join(f"{c:g}" for c in sizes.index[sizes == 1])
        notes.append(f"one unit in cohort {alone}: errors leave out its own sampling error")
    codes = {c: pd.factorize(rows[c], sort=True)[0] for c in ("unit", "cluster")}
    rows = rows.assign(**codes, time=rows["time"].astype(int), cohort=rows["cohort"].astype(int))
    rows["post"] = ((rows["cohort"] > 0) & (rows["time"] >= rows["cohort"])).astype(int)
    found = Sample(rows.reset_index(drop=True), [f"control_{c}" for c in controls], notes)
    if found.n_clusters < 2:
        raise DataError(f"column '{cluster}': at least two clusters are needed, found {found.n_clusters}")
    return found


def _place(rows: pd.DataFrame, unit: str, time: str) -> str:
    return f"{unit} {rows[unit].iloc[0]}, {time} {rows[time].iloc[0]}"


def _comparable(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Drop units with one row and treated units without an untreated row."""
    before = rows["time"] < rows["cohort"].replace(0, np.inf)
    always = ~before.groupby(rows["unit"]).transform("any")
    single = ~always & (rows.groupby("unit")["unit"].transform("size") == 1)
    notes = []
    if always.any():
        notes.append(f"{rows['unit'][always].nunique()} units without an untreated row dropped")
    if single.any():
        notes.append(f"{int(single.sum())} units with a single row dropped")
    return rows[~always & ~single], notes


def result(
    rows: Sample,
    estimator: str,
    library: str,
    *,
    att: tuple[float, float],
    table: pd.DataFrame,
    n_treated: int,
    vcov: pd.DataFrame | None = None,
    cells: pd.DataFrame | None = None,
    note: str = "",
) -> Estimate:
    """Add intervals and the base year; ``att``: estimate, se; ``table``: ``estimate``, ``se``, ``n`` by event time."""
    if (table.index < -1).any() and -1 not in table.index:
        base = (rows.rows["time"] == rows.rows["cohort"] - 1).sum()
        table = pd.concat([table, pd.DataFrame({"estimate": 0.0, "se": 0.0, "n": base}, index=[-1])])
    reach = stats.t.ppf(0.975, rows.n_clusters - 1)
    total = int(rows.rows["post"].sum())
    notes = [*rows.notes, *([note] if note else [])]
    if n_treated < total:
        notes.append(f"mean over {n_treated} of the {total} treated rows: the others have no comparison in this method")
    intervals = table.assign(low=table["estimate"] - reach * table["se"], high=table["estimate"] + reach * table["se"])
    intervals = intervals[["estimate", "se", "low", "high", "n"]].astype({"n": int}).sort_index()
    intervals.index = intervals.index.astype(int).rename("event_time")
    value, se = att
    return Estimate(
        att=pd.Series({"estimate": value, "se": se, "low": value - reach * se, "high": value + reach * se}),
        by_event_time=intervals,
        vcov=vcov,
        by_cohort_time=cells,
        estimator=estimator,
        library=library,
        n_obs=len(rows.rows),
        n_treated=n_treated,
        n_clusters=rows.n_clusters,
        note="; ".join(notes),
    )


def averaged(rows: Sample, estimator: str, library: str, effects: Effects, note: str = "") -> Estimate:
    """Average effects with row weights: by event time, and over the treated rows."""
    names = effects.estimate.index
    cells = names.nlevels == 2
    event = np.asarray(names.get_level_values("time") - names.get_level_values("cohort") if cells else names, int)
    n, b = effects.n.to_numpy(float), effects.estimate.to_numpy(float)
    times = np.unique(event)
    weights = np.where(event == times[:, None], n, 0.0)
    total = weights.sum(axis=1)
    weights /= total[:, None]
    matrix = pd.DataFrame(weights @ effects.vcov @ weights.T, times, times)
    table = pd.DataFrame({"estimate": weights @ b, "se": _se(matrix), "n": total}, index=times)
    known = times[np.diag(matrix) > 0]  # not the base
    after = np.where(event >= 0, n, 0.0)
    share = after / after.sum()
    by_cell = pd.DataFrame({"estimate": b, "se": _se(effects.vcov), "n": n.astype(int)}, index=names) if cells else None
    return result(
        rows,
        estimator,
        library,
        att=(float(share @ b), float(np.sqrt(share @ effects.vcov @ share))),
        table=table,
        n_treated=int(after.sum()),
        vcov=matrix.loc[known, known],
        cells=by_cell,
        note=note,
    )


def _se(matrix: pd.DataFrame | np.ndarray) -> np.ndarray:
    return np.sqrt(np.clip(np.diag(matrix), 0.0, None))


def clustered(influence: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    r"""Return :math:`G/(G-1) \sum_g s_g s_g'` with the influence functions, shape (units, k), summed by cluster."""
    sums = np.stack([np.bincount(clusters, column) for column in influence.T], axis=1)
    n = len(sums)
    return np.asarray(sums.T @ sums * n / (n - 1))
