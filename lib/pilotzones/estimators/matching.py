r"""Propensity-score matching: treated rows and the untreated rows most like them.

The propensity score is :math:`e(x) = P(D = 1 \mid x) = 1 / (1 + \exp(-x'b))`, ``b`` by maximum likelihood. Comparing
rows with equal scores compares like with like in ``x`` (Rosenbaum and Rubin 1983). The comparison identifies the mean
effect on the treated if, given ``x``,

- *unconfoundedness*: treatment is independent of what the outcome would have been without it;
- *overlap*: every treated row's score is one that untreated rows have, too.

Neither can be shown by the data alone; :func:`balance` shows whether matching did what it is for.

References
----------
.. [1] Rosenbaum, P. R., Rubin, D. B. (1983). The central role of the propensity score in observational studies for
   causal effects. Biometrika 70, 41-55.
.. [2] Rosenbaum, P. R., Rubin, D. B. (1985). Constructing a control group using multivariate matched sampling methods
   that incorporate the propensity score. The American Statistician 39, 33-38.
.. [3] Stuart, E. A. (2010). Matching methods for causal inference: a review and a look forward. Statistical Science
   25, 1-21.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import formulaic
import numpy as np
import pandas as pd
from scipy.optimize import linprog
from statsmodels.discrete.discrete_model import Logit
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from pilotzones.errors import DataError, DeclarationError
from pilotzones.estimators.regression import require


@dataclass(frozen=True, eq=False)
class Matching:
    """A matched sample.

    Attributes
    ----------
    treatment : name of the 0/1 treatment.
    model : the logit; one row per term, columns ``estimate``, ``se``, ``z``, ``p``.
    pseudo_r2 : McFadden's, 1 - log likelihood / log likelihood of a constant score.
    score : propensity score of every complete row, under the rows' labels in the data.
    treated : whether such a row is treated.
    pairs : one row per pair, columns ``treated`` and ``control`` (labels) and ``distance`` (difference of scores);
        the ``neighbours`` pairs of a treated row are consecutive, the nearest first.
    weights : weight of every matched row: 1 for a treated row, for a control the number of its pairs divided by
        ``neighbours``. Controls' weights sum to the number of matched treated rows.
    overlap : rows ``treated`` and ``control``, columns ``n``, ``min``, ``p5``, ``median``, ``p95``, ``max`` (of the
        score), ``outside`` (rows beyond the other group's lowest or highest score) and ``matched``.
    n_incomplete : rows left out because the treatment or a covariate is missing.
    neighbours : pairs per treated row.
    """

    treatment: str
    model: pd.DataFrame
    pseudo_r2: float
    score: pd.Series
    treated: pd.Series
    pairs: pd.DataFrame
    weights: pd.Series
    overlap: pd.DataFrame
    n_incomplete: int
    neighbours: int

    def rows(self) -> pd.DataFrame:
        """Return ``score``, ``treated`` and ``matched`` (True or False) of every complete row."""
        matched = self.score.index.isin(self.weights.index)
        return pd.DataFrame({"score": self.score, "treated": self.treated.astype(bool), "matched": matched})

    def sample(self, data: pd.DataFrame, *, repeated: bool = False) -> pd.DataFrame:
        """Return the matched rows of ``data``, in its order.

        Parameters
        ----------
        data : the data that were matched; further columns are welcome.
        repeated : whether a row appears as often as it is in a pair, so that an unweighted regression on the result
            has the estimates of one weighted by ``weights``. Its iid errors take the copies for new information;
            errors clustered by the unit do not. Otherwise every row appears once and the weights are ignored.
        """
        matched = data.loc[data.index.isin(self.weights.index)]
        if not repeated:
            return matched
        times = (self.weights * self.neighbours).round().astype(int)
        return matched.loc[matched.index.repeat(times.reindex(matched.index))]


def match(
    formula: str,
    data: pd.DataFrame,
    *,
    identity: Sequence[str],
    neighbours: int = 1,
    replacement: bool = True,
    caliper: float | None = None,
    common_support: bool = False,
) -> Matching:
    """Match every treated row with the control rows whose propensity score is nearest.

    Of equally near controls the first in the order of ``identity`` is taken. Without replacement, treated rows choose
    in descending order of their score (the hardest to match first), ties in the order of ``identity``. The result does
    not depend on the order of the rows.

    Parameters
    ----------
    formula : ``"treatment ~ x1 + x2"``, the propensity model; the treatment is a 0/1 column.
    data : one row per observation, with unique index labels; not modified. Incomplete rows are left out.
    identity : columns that together identify a row, e.g. ``["firm", "year"]``.
    neighbours : controls per treated row. A treated row with fewer in reach is not matched.
    replacement : whether a control can serve several treated rows.
    caliper : largest distance in a pair, in units of the score; None for any.
    common_support : whether treated rows with a score beyond the lowest or highest of the controls are left out.

    Raises
    ------
    DeclarationError
        The formula cannot be read, names a column that does not exist or has collinear covariates; an identity that
        does not identify the rows; ``neighbours`` below 1; a caliper that is not positive.
    DataError
        A treatment that is not 0/1 or has one value only; a covariate that separates the groups perfectly; fewer
        controls than neighbours; no treated row with enough controls in reach.
    """
    where = f"propensity model '{formula}'"
    if isinstance(neighbours, bool) or not isinstance(neighbours, int) or neighbours < 1:
        raise DeclarationError(f"{where}: neighbours = {neighbours!r}: expected a whole number of at least 1")
    if caliper is not None and not caliper > 0:
        raise DeclarationError(f"{where}: caliper = {caliper!r}: expected a positive distance or None")
    require(identity, data, f"{where}, identity")
    if not data.index.is_unique or data.duplicated(list(identity)).any():
        raise DeclarationError(f"{where}: the index and {' + '.join(identity)} must each identify a row")
    # one order of the rows, whatever theirs: rounding in the logit, and with it ties, must not depend on it
    ordered = data.sort_values(list(identity), kind="stable")
    fitted, treatment, score, treated = _propensity(formula, ordered, where)

    controls, wanting = np.flatnonzero(~treated), np.flatnonzero(treated)
    if len(controls) < neighbours:
        raise DataError(f"{where}: {len(controls)} controls for {neighbours} neighbours")
    values = score.to_numpy()
    low, high = values[controls].min(), values[controls].max()
    if common_support:
        wanting = wanting[(values[wanting] >= low) & (values[wanting] <= high)]
    search = _with_replacement if replacement else _without_replacement
    reach = np.inf if caliper is None else caliper
    found, partners = search(values[wanting], values[controls], neighbours, reach)
    if not len(found):
        raise DataError(
            f"{where}: no overlap: no treated row has {neighbours} control(s) in reach"
            + (f" of a caliper of {caliper:g}" if caliper is not None else "")
            + f"; scores of the treated from {values[treated].min():.3g} to {values[treated].max():.3g}, of the "
            f"controls from {low:.3g} to {high:.3g}"
        )

    mine, theirs = np.repeat(wanting[found], neighbours), controls[partners.ravel()]
    labels = score.index
    pairs = pd.DataFrame(
        {"treated": labels[mine], "control": labels[theirs], "distance": np.abs(values[mine] - values[theirs])}
    )
    weights = np.bincount(np.concatenate([mine, theirs]), minlength=len(values)) / neighbours
    return Matching(
        treatment=treatment,
        model=pd.DataFrame(
            {"estimate": fitted.params, "se": fitted.bse, "z": fitted.tvalues, "p": fitted.pvalues}
        ).rename_axis("term"),
        pseudo_r2=float(fitted.prsquared),
        score=score,
        treated=pd.Series(treated, labels, name=treatment),
        pairs=pairs,
        weights=pd.Series(weights, labels, name="weight")[weights > 0],
        overlap=_overlap(values, treated, weights > 0),
        n_incomplete=len(data) - len(score),
        neighbours=neighbours,
    )


def balance(data: pd.DataFrame, variables: Iterable[str], matching: Matching, *, weighted: bool = True) -> pd.DataFrame:
    r"""Compare treated and control rows before and after matching.

    Parameters
    ----------
    data : the data that were matched.
    variables : numeric columns to compare; need not be in the propensity model.
    weighted : whether controls count as often as they are used; False takes every matched row once.

    Returns
    -------
    One row per variable and ``sample`` (``"before"``: all rows with a score; ``"after"``), with the columns
    ``mean_treated``, ``mean_control`` (units of the variable), ``standardised`` (difference of the means divided by
    :math:`\sqrt{(s_1^2 + s_0^2) / 2}` of the sample *before* [2]_, so that it changes only with the means; below 0.1 is
    usually called balanced), ``variance_ratio`` (treated / control), ``t`` and ``p`` (two-sample t test with a common
    variance, weighted controls counting as that many rows). Where both groups are constant, ratio, t and p are nan.

    Raises
    ------
    DeclarationError
        A column that does not exist.
    DataError
        A variable that is missing in some of the rows, is not numeric or does not vary.
    """
    variables = list(variables)
    require(variables, data, "balance")
    rows = []
    for name in variables:
        column = pd.to_numeric(data[name].reindex(matching.score.index), errors="coerce")
        values = pd.Series(column.to_numpy(float, na_value=np.nan), column.index)
        if bad := int((~np.isfinite(values)).sum()):
            raise DataError(f"balance: '{name}' is not a finite number in {bad} of the {len(values)} rows with a score")
        if values.nunique() == 1:
            raise DataError(f"balance: '{name}' is {values.iloc[0]:g} in all rows")
        spread = np.sqrt(values.groupby(matching.treated).var().mean())
        matched = matching.weights if weighted else pd.Series(1.0, matching.weights.index)
        for sample, weights in (("before", pd.Series(1.0, values.index)), ("after", matched)):
            groups = []
            for group in (True, False):
                own = weights[matching.treated.reindex(weights.index) == group]
                groups.append(DescrStatsW(values[own.index].to_numpy(), own.to_numpy(), ddof=1))
            with np.errstate(invalid="ignore", divide="ignore"):
                t, p, _ = CompareMeans(*groups).ttest_ind(usevar="pooled")
                ratio = groups[0].var / groups[1].var
            means = [float(group.mean) for group in groups]
            rows.append((name, sample, *means, (means[0] - means[1]) / spread, float(ratio), float(t), float(p)))
    columns = ["variable", "sample", "mean_treated", "mean_control", "standardised", "variance_ratio", "t", "p"]
    return pd.DataFrame(rows, columns=columns).set_index(["variable", "sample"])


def _propensity(formula: str, ordered: pd.DataFrame, where: str) -> tuple[Any, str, pd.Series, np.ndarray]:
    """Return the fitted logit, the treatment's name, and score and treatment of the complete rows."""
    try:
        parsed = formulaic.Formula(formula)
        treatment, names = str(parsed.lhs), [str(name) for name in parsed.required_variables]
    except Exception as problem:
        reason = " ".join(str(problem).split("\n\n")[0].split())
        raise DeclarationError(f"{where} cannot be read: {reason or 'expected treatment ~ covariates'}") from None
    require([treatment, *names], ordered, where)

    frame = ordered[[*dict.fromkeys([treatment, *names])]].dropna()
    values = sorted(frame[treatment].unique())
    if not set(values) <= {0, 1}:
        raise DataError(f"{where}: '{treatment}' must be 0 or 1, found {', '.join(str(v) for v in values[:5])}")
    if len(values) < 2:
        only = f"is {int(values[0])} in all {len(frame)} complete rows" if values else "has no complete row"
        raise DataError(f"{where}: '{treatment}' {only}; treated and untreated rows are needed")
    frame = frame.astype({c: float for c in frame if pd.api.types.is_numeric_dtype(frame[c])})
    try:
        covariates = pd.DataFrame(parsed.rhs.get_model_matrix(frame, na_action="raise"))
    except Exception as problem:
        raise DeclarationError(f"{where} cannot be evaluated: {' '.join(str(problem).split())}") from None
    if not np.isfinite(covariates.to_numpy()).all():
        raise DataError(f"{where}: infinite or missing values in a covariate")
    lengths = np.linalg.norm(covariates, axis=0)
    if not (lengths > 0).all() or np.linalg.matrix_rank(covariates / lengths) < covariates.shape[1]:
        raise DeclarationError(f"{where}: collinear covariates: {', '.join(covariates.columns)}")

    treated = frame[treatment].to_numpy() == 1
    if _separated((covariates / lengths).to_numpy(), treated):
        raise DataError(
            f"{where}: no overlap: the covariates separate treated and untreated rows perfectly, wholly or in part; "
            "the likelihood has no maximum"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            fitted = Logit(frame[treatment], covariates).fit(disp=False, maxiter=100)
    except (ConvergenceWarning, np.linalg.LinAlgError):
        raise DataError(f"{where}: the logit did not converge") from None
    return fitted, treatment, pd.Series(np.asarray(fitted.predict()), frame.index, name="score"), treated


def _separated(covariates: np.ndarray, treated: np.ndarray) -> bool:
    """Return whether some index x'b is nowhere negative for the treated nor positive for the others, and not all zero.

    Then the logit's likelihood rises for ever in that direction, even where only a few rows are told apart, and an
    optimiser stops at a point of its own choosing. Columns have length one.
    """
    signed = covariates * np.where(treated, 1.0, -1.0)[:, None]
    best = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1), method="highs")
    return bool(-best.fun > 1e-6)


def _with_replacement(
    treated: np.ndarray, controls: np.ndarray, neighbours: int, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the matched treated, shape (m,), and of their controls, shape (m, neighbours).

    Scores are in the order of identity. The nearest ``neighbours`` are among as many on either side.
    """
    size = len(controls)
    rank = np.arange(size)
    up = np.lexsort((rank, controls))  # of equal scores the first by identity comes first
    down = np.lexsort((rank, -controls))
    offsets = np.arange(neighbours)
    start_up = np.searchsorted(controls[up], treated, "left")[:, None] + offsets
    start_down = np.searchsorted(-controls[down], -treated, "right")[:, None] + offsets
    candidates = np.hstack([up[np.minimum(start_up, size - 1)], down[np.minimum(start_down, size - 1)]])
    distance = np.abs(controls[candidates] - treated[:, None])
    distance[np.hstack([start_up, start_down]) >= size] = np.inf
    order = np.lexsort((candidates, distance), axis=1)[:, :neighbours]
    nearest = np.take_along_axis(candidates, order, axis=1)
    found = np.flatnonzero(np.take_along_axis(distance, order, axis=1)[:, -1] <= reach)
    return found, nearest[found]


def _without_replacement(
    treated: np.ndarray, controls: np.ndarray, neighbours: int, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same as :func:`_with_replacement` when every control can be taken once."""
    size = len(controls)
    rank = np.arange(size)
    orders = (np.lexsort((rank, controls)), np.lexsort((rank, -controls)))
    places = [np.argsort(order) for order in orders]
    free = [np.arange(size + 1) for _ in orders]  # next free place at or after each, path-compressed; size: none

    def next_free(side: int, place: int) -> int:
        root = place
        while free[side][root] != root:
            root = free[side][root]
        while free[side][place] != root:
            free[side][place], place = root, free[side][place]
        return int(root)

    starts = (
        np.searchsorted(controls[orders[0]], treated, "left"),
        np.searchsorted(-controls[orders[1]], -treated, "right"),
    )
    found, partners = [], []
    for i in np.lexsort((np.arange(len(treated)), -treated)):
        candidates: list[tuple[float, int]] = []
        for side, order in enumerate(orders):
            place = next_free(side, starts[side][i])
            while place < size and len(candidates) < neighbours * (side + 1):
                candidates.append((float(abs(controls[order[place]] - treated[i])), int(order[place])))
                place = next_free(side, place + 1)
        best = sorted(candidates)[:neighbours]
        if len(best) < neighbours or best[-1][0] > reach:
            continue
        found.append(i)
        partners.append([control for _, control in best])
        for _, control in best:
            for side in (0, 1):
                free[side][places[side][control]] += 1
    by_identity = np.argsort(found)
    return np.array(found, int)[by_identity], np.array(partners, int).reshape(-1, neighbours)[by_identity]


def _overlap(score: np.ndarray, treated: np.ndarray, matched: np.ndarray) -> pd.DataFrame:
    rows = {}
    for name, own in (("treated", treated), ("control", ~treated)):
        mine, others = score[own], score[~own]
        outside = int(((mine < others.min()) | (mine > others.max())).sum())
        quantiles = np.quantile(mine, [0, 0.05, 0.5, 0.95, 1])
        rows[name] = (len(mine), *quantiles, outside, int(matched[own].sum()))
    columns = ["n", "min", "p5", "median", "p95", "max", "outside", "matched"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("group")
