r"""Quality of exported products: the demand that price does not explain (Khandelwal, Schott and Wei 2013).

Of two varieties of a product at one price, the one that sells more in the same market is the better one. With CES
demand and log quality :math:`\ln\lambda`, the quantity that firm :math:`i` sells of product :math:`k` in destination
:math:`j` and year :math:`t` follows

.. math::

    \ln q_{ijtk} + \sigma_k \ln p_{ijtk} = \delta_k + \delta_{jt} + \varepsilon_{ijtk}, \qquad
    \ln\hat\lambda_{ijtk} = \frac{\hat\varepsilon_{ijtk}}{\sigma_k - 1},

with the elasticity of substitution :math:`\sigma_k > 1` taken from elsewhere, an effect of the product (its unit of
quantity, its mean price) and one of the destination and year (income, price index). What the method assumes:

- :math:`\sigma_k` is right: an elasticity too high by :math:`d` puts :math:`d \ln p`, net of both effects, into
  :math:`\hat\varepsilon`, so that dear goods look good;
- everything else that moves demand (taste, brand, distribution) is called quality: demand noise :math:`u` becomes
  :math:`u / (\sigma_k - 1)`, most where the elasticity is low;
- quality is relative: its mean over a product and over a destination and year is absorbed and cannot be told, so
  two products cannot be compared, nor can the quality of all exports be followed over time.

Records are a frame with one row per ``firm``, ``product`` (HS code), ``destination`` and ``year``: ``quantity``
(units) and ``price`` (unit value, yuan per unit).

References
----------
.. [1] Khandelwal, A. K., Schott, P. K. and Wei, S.-J. (2013). Trade liberalization and embedded institutional reform:
   evidence from Chinese exporters. American Economic Review 103(6), 2169-2195.
.. [2] Broda, C. and Weinstein, D. E. (2006). Globalization and the gains from variety. Quarterly Journal of Economics
   121(2), 541-585. Source of elasticities by product.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from pyfixest.core.detect_singletons import detect_singletons
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from pilotzones.errors import DataError, ParameterError
from pilotzones.measures.checks import place

KEYS = ["firm", "product", "destination", "year"]
AMOUNTS = ["quantity", "price"]
TRIM = 0.01  # of the records at either end, so that two of them do not set the scale
TOLERANCE = 1e-13  # of the sums by destination and year, relative

Weights = Literal["value", "records"]
WEIGHTS: tuple[Weights, ...] = ("value", "records")


def clean(records: pd.DataFrame, sigma: pd.Series, outlier: float = 100.0) -> tuple[pd.DataFrame, pd.Series]:
    """Leave out the records that the demand equation cannot use, and count them.

    Parameters
    ----------
    records : see the module.
    sigma : elasticity of substitution by product, above 1.
    outlier : a unit value more than this many times above or below the median of its product and year is taken for a
        wrong unit or a typing error.

    Returns
    -------
    usable : the other rows under their own labels.
    dropped : number of rows by ``reason``. A row counts once, under the first that applies: missing value, zero or
        negative quantity, zero or negative price, outlier. Medians are taken after the first three.

    Raises
    ------
    ParameterError
        If ``outlier`` is not above 1.
    DataError
        If a column is missing or has no numbers, a number is infinite, a year is not whole, a firm sells a product
        twice in a destination and year, or a product has no elasticity above 1; the message names the place.
    """
    if not outlier > 1:
        raise ParameterError(f"outlier = {outlier!r}: expected a number above 1")
    _require_columns(records)
    for column in ["year", *AMOUNTS]:
        infinite = np.isinf(_numbers(records, column))
        if infinite.any():
            raise DataError(f"customs records, {_first(records, infinite)}: {column} is infinite")
    year = _numbers(records, "year")
    if (parts := year % 1 > 0).any():
        raise DataError(f"customs records, {_first(records, parts)}: expected a whole year")
    quantity, price = (_numbers(records, column) for column in AMOUNTS)
    missing = records[KEYS + AMOUNTS].isna().any(axis=1).to_numpy()
    complete = records.loc[~missing, KEYS]
    if (twice := complete.duplicated().to_numpy()).any():
        raise DataError(f"customs records, {_first(complete, twice)}: a second row; expected one")
    _elasticity(complete["product"], sigma)

    unusable = {
        "missing value": missing,
        "zero or negative quantity": quantity <= 0,
        "zero or negative price": price <= 0,
    }
    keep = np.ones(len(records), bool)
    dropped = {}
    for reason, wrong in unusable.items():
        dropped[reason] = int((keep & wrong).sum())
        keep &= ~wrong
    usable = records[keep].astype({"year": int})  # a missing year had made all of them floats
    median = usable.groupby(["product", "year"], sort=False)["price"].transform("median")
    far = (usable["price"] > outlier * median) | (usable["price"] * outlier < median)
    dropped["outlier"] = int(far.sum())
    return usable[~far], pd.Series(dropped, name="rows").rename_axis("reason")


def demand_residual(records: pd.DataFrame, sigma: pd.Series) -> pd.DataFrame:
    r"""Estimate the demand equation and return what it leaves, see the module.

    Identified if, given product and destination-year, nothing but quality moves :math:`\ln q + \sigma_k \ln p`.

    Parameters
    ----------
    records : as :func:`clean` returns them.
    sigma : elasticity of substitution by product, above 1.

    Returns
    -------
    One row per record, under its label: ``residual`` (:math:`\hat\varepsilon`, log points) and ``quality``
    (:math:`\ln\hat\lambda`). Both are missing where a record is alone in its product or its destination and year, also
    once other such records are left out: there the effects explain everything. A record that alone links two groups of
    products and markets has a residual of zero for the same reason.

    Raises
    ------
    DataError
        If a column is missing, a key is empty, a quantity or price is not a positive number, a product has no
        elasticity above 1, or all records are alone.
    """
    _require_columns(records)
    for column in KEYS:
        if (empty := records[column].isna().to_numpy()).any():
            raise DataError(f"customs records, row {records.index[empty][0]}: column '{column}' is empty; see clean()")
    for column in AMOUNTS:
        values = _numbers(records, column)
        if (wrong := ~(np.isfinite(values) & (values > 0))).any():
            raise DataError(
                f"customs records, {_first(records, wrong)}: {column} = {values[wrong][0]:g}, "
                "expected a number above 0; see clean()"
            )
    elasticity = _elasticity(records["product"], sigma)
    demand = np.log(_numbers(records, "quantity")) + elasticity * np.log(_numbers(records, "price"))

    market = records.groupby(["destination", "year"], sort=False, observed=True).ngroup()
    effects = np.array([pd.factorize(records["product"])[0], market], dtype=np.uint32).T
    alone = detect_singletons(effects)
    if alone.all():
        raise DataError(
            f"customs records: all {len(records)} are alone in their product or destination and year, so that "
            "no residual can be told"
        )
    residual = np.full(len(records), np.nan)
    residual[~alone] = _absorb(demand[~alone], *(pd.factorize(effect[~alone])[0] for effect in effects.T))
    return pd.DataFrame({"residual": residual, "quality": residual / (elasticity - 1)}, records.index)


def standardise(quality: pd.Series, by: pd.Series | None = None) -> pd.Series:
    r"""Put quality on a scale from 0 to 1: :math:`(q - \min q) / (\max q - \min q)`.

    Two records set the scale, so that one extreme record presses all others together.

    Parameters
    ----------
    quality : may have missing values, which stay missing.
    by : groups within which to take minimum and maximum, e.g. the product; under the same labels as ``quality``.

    Returns
    -------
    Under the labels and name of ``quality``; missing where all values are the same.

    Raises
    ------
    DataError
        If a value is infinite, or ``by`` has other labels.
    """
    if (infinite := np.isinf(quality.to_numpy(float))).any():
        raise DataError(f"quality, row {quality.index[infinite][0]}: infinite, expected a number")
    if by is not None and not by.index.equals(quality.index):
        raise DataError("groups of quality: labels of rows differ from those of quality; expected the same")
    groups = quality.groupby(np.zeros(len(quality)) if by is None else by.to_numpy())
    low = groups.transform("min")
    spread = groups.transform("max") - low
    return ((quality - low) / spread.where(spread > 0)).rename(quality.name)


def measure(records: pd.DataFrame, sigma: pd.Series, trim: float = TRIM, by_product: bool = False) -> pd.DataFrame:
    """Take all steps from records to quality between 0 and 1: clean, estimate demand, draw in extremes, standardise.

    Parameters
    ----------
    records, sigma : as :func:`clean` takes them.
    trim : share of records at either end whose quality is drawn in to the quantile.
    by_product : standardise within each product, so that the worst record of every product is 0.

    Returns
    -------
    One row per usable record: ``log``, its log quality, and ``standard``, between 0 (the worst) and 1; both missing
    where :func:`demand_residual` has none.

    Raises
    ------
    DataError
        As :func:`clean` and :func:`demand_residual`.
    """
    usable, _ = clean(records, sigma)
    quality = demand_residual(usable, sigma)["quality"]
    drawn_in = quality.clip(quality.quantile(trim), quality.quantile(1 - trim))
    return pd.DataFrame({"log": quality, "standard": standardise(drawn_in, usable["product"] if by_product else None)})


def firm_quality(
    values: pd.Series, records: pd.DataFrame, weights: Weights = "value", by: tuple[str, ...] = ("firm", "year")
) -> pd.Series:
    r"""Return the mean quality of a firm's records, :math:`\sum_r w_r q_r / \sum_r w_r`.

    Parameters
    ----------
    values : quality by record, standardised or not; missing ones are left out.
    records : in the same order and under the same labels.
    weights : ``"value"`` (quantity times price, so that the firm's main business counts) or ``"records"`` (each the
        same, so that a first small sale in a new market counts as much).
    by : columns of ``records`` that make a group.

    Returns
    -------
    By ``by``, under the name of ``values``; a group without any value is absent.

    Raises
    ------
    ParameterError
        If the weights are unknown.
    DataError
        If a column is missing, or the labels differ.
    """
    if weights not in WEIGHTS:
        raise ParameterError(f"weights {weights!r}: expected one of {', '.join(WEIGHTS)}")
    _require_columns(records, *by)
    if not values.index.equals(records.index):
        raise DataError(f"{values.name}: labels of rows differ from those of the customs records; expected the same")
    weight = records["quantity"] * records["price"] if weights == "value" else pd.Series(1.0, records.index)
    rows = records[[*by]].assign(weight=weight, weighted=weight * values)[values.notna()]
    sums = rows.groupby([*by], observed=True)[["weighted", "weight"]].sum()
    return (sums["weighted"] / sums["weight"]).rename(values.name)


def recovery(recovered: pd.Series, true: pd.Series, records: pd.DataFrame) -> pd.DataFrame:
    """Compare recovered with true log quality, which only simulated records have.

    ``within product`` takes the product's mean out of the truth first, as the estimate cannot contain it.

    Parameters
    ----------
    recovered, true : log quality by record; records where ``recovered`` is missing are left out.
    records : in the same order and under the same labels.

    Returns
    -------
    By ``level`` (records, firm-years weighted by value, firm-years weighted by records; each also within product):
    ``correlation``, ``slope`` (of recovered on true, 1 if nothing is lost) and ``n``.

    Raises
    ------
    DataError
        If a column is missing, or the labels differ.
    """
    for values in (recovered, true):
        if not values.index.equals(records.index):
            raise DataError(f"{values.name}: labels of rows differ from those of the records; expected the same")
    known = recovered.notna()
    recovered, true, records = recovered[known], true[known], records[known]
    truths = {"": true, ", within product": true - true.groupby(records["product"]).transform("mean")}
    rows = {}
    for suffix, truth in truths.items():
        pair = pd.DataFrame({"recovered": recovered, "true": truth})
        levels = {"records": pair}
        for weights in WEIGHTS:
            means = {name: firm_quality(pair[name], records, weights) for name in pair}
            levels[f"firm-years by {weights}"] = pd.DataFrame(means)
        for level, compared in levels.items():
            spread = compared.cov()
            rows[level + suffix] = {
                "correlation": compared["recovered"].corr(compared["true"]),
                "slope": spread.loc["recovered", "true"] / spread.loc["true", "true"],
                "n": len(compared),
            }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"n": int}).rename_axis("level")


def _absorb(y: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    r"""Return what two effects leave of ``y``, shape (n,); levels are codes 0, 1, ..., shape (n,).

    With :math:`N` the table of counts, :math:`D_1, D_2` the counts of levels and :math:`s_1, s_2` the sums of ``y`` by
    level, the second effect solves :math:`(D_2 - N' D_1^{-1} N) b = s_2 - N' D_1^{-1} s_1` by conjugate gradients. A
    step costs as much as the table has cells, not as there are rows. Alternating projections, the usual way, stop
    too early where a few records link groups of products.
    """
    y = y - y.mean()
    table = sparse.coo_array((np.ones(len(y)), (first, second))).tocsr()
    across = table.T.tocsr()
    n_first, n_second = np.bincount(first), np.bincount(second)
    mean = np.bincount(first, y) / n_first
    reduced = LinearOperator(across.shape[:1] * 2, lambda b: n_second * b - across @ (table @ b / n_first), dtype=float)
    scaled = LinearOperator(reduced.shape, lambda r: r / n_second, dtype=float)
    # an absolute tolerance: nothing may be left to explain but rounding
    small = TOLERANCE * float(np.linalg.norm(np.bincount(second, np.abs(y))))
    b, failed = cg(reduced, np.bincount(second, y) - across @ mean, rtol=0, atol=small, M=scaled)
    if failed:
        raise DataError("customs records: absorbing product and destination-year effects did not converge")
    return y - (mean - table @ b / n_first)[first] - b[second]


def _elasticity(products: pd.Series, sigma: pd.Series) -> np.ndarray:
    """Return the elasticity of each row's product, shape (n,), or stop, naming the products without one above 1."""
    if not sigma.index.is_unique:
        raise DataError(f"elasticities, product {sigma.index[sigma.index.duplicated()][0]}: a second row; expected one")
    if not pd.api.types.is_numeric_dtype(sigma):
        raise DataError(f"elasticities: type {sigma.dtype}, expected numbers")
    codes, sold = pd.factorize(products)
    known = sigma.reindex(sold).to_numpy(float)
    if (wrong := ~((known > 1) & np.isfinite(known))).any():
        values = zip(sold[wrong], known[wrong], strict=True)
        listed = [f"{product}: {'missing' if np.isnan(value) else f'{value:g}'}" for product, value in values]
        raise DataError(
            f"elasticities: expected a number above 1 for each product; {', '.join(listed[:5])}"
            f"{f' and {len(listed) - 5} more' if len(listed) > 5 else ''} "
            f"({len(listed)} products with {int(wrong[codes].sum())} records)"
        )
    return known[codes]


def _require_columns(records: pd.DataFrame, *further: str) -> None:
    """Stop unless the records have all columns, and numbers where numbers are due."""
    for column in [*KEYS, *AMOUNTS, *further]:
        if column not in records:
            raise DataError(f"customs records: column '{column}' is missing; expected {', '.join([*KEYS, *AMOUNTS])}")
    for column in ["year", *AMOUNTS]:
        if not pd.api.types.is_numeric_dtype(records[column]):
            raise DataError(f"customs records, column '{column}': type {records[column].dtype}, expected numbers")


def _numbers(records: pd.DataFrame, column: str) -> np.ndarray:
    return records[column].to_numpy(float, na_value=np.nan)


def _first(records: pd.DataFrame, chosen: np.ndarray) -> str:
    """Return the keys of the first chosen row, for a message."""
    return place(records[chosen].iloc[:1].astype(object).iloc[0], KEYS)
