r"""Two-way fixed effects on a Parquet file that does not fit into memory: a handful of sums, taken on disk by DuckDB.

With the outcome and the regressors of row :math:`it` in :math:`w_{it}`, unit effects and period effects to absorb,
:math:`n_i` rows and the sum :math:`S_i` of :math:`w` in unit :math:`i`, and :math:`d_i` the 0/1 vector of the
:math:`T` periods in which the unit is observed, taking out the unit effects (:math:`M`) leaves

.. math:: W'MW = \sum_{it} w_{it} w_{it}' - \sum_i \frac{S_i S_i'}{n_i}, \qquad
          D'MW = D'W - \sum_i \frac{d_i S_i'}{n_i}, \qquad
          D'MD = \mathrm{diag}(D'D) - \sum_i \frac{d_i d_i'}{n_i}

and the period effects are then :math:`T` ordinary regressors: :math:`\Gamma = (D'MD)^+ D'MW`,
:math:`W'M_{\text{both}}W = W'MW - (D'MW)'\Gamma` (Frisch and Waugh 1933). This is exact on unbalanced panels, without
iteration. Units observed in the same periods share :math:`d_i`, so that the sums over units become sums over patterns,
of which a balanced panel has one. A last pass needs no demeaned row either: with
:math:`v_{it} = x_{it} - \gamma_t` and :math:`e_{it} = y_{it} - x_{it}'b - \delta_t` the score of a unit is
:math:`\sum_t v_{it} e_{it} - (\sum_t v_{it}) (\sum_t e_{it}) / n_i`, and clusters sum units.

The file is read four times, whatever its size. Sums in several threads are taken in no fixed order: two runs agree to
about 12 digits, not to the last bit.

References
----------
.. [1] Frisch, R. and Waugh, F. V. (1933). Partial time regressions as compared with individual trends. Econometrica 1,
   387-401.
.. [2] Raasveldt, M. and Muehleisen, H. (2019). DuckDB: an embeddable analytical database. Proceedings of SIGMOD,
   1981-1984.
.. [3] Wong, J., Forsell, E., Lewis, R., Mao, T. and Wardrop, M. (2021). You only compress once: optimal data
   compression for estimating linear models. arXiv:2102.11297.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from pilotzones.errors import DataError, DeclarationError, ParameterError, PilotZonesError
from pilotzones.estimators.regression import require
from pilotzones.io import shown

try:
    import duckdb
except ModuleNotFoundError:
    raise PilotZonesError("estimates from files need DuckDB: pip install 'pilotzones[large]'") from None

PERIODS = 64  # the periods of a unit are the bits of one number
# a smaller share of a variable's sum of squares is rounding: the squares of up to 1e9 rows carry about 12 digits
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class LargeRegression:
    """A regression estimated from a file; its attributes are those of :class:`~.regression.Regression`.

    Attributes
    ----------
    coefficients : one row per term; columns ``estimate``, ``se``, ``t``, ``p``, ``low``, ``high`` (95% interval).
    n_obs : rows used.
    r2 : 1 - residual sum of squares / total sum of squares of the outcome around its mean.
    r2_within : the same with both effects removed from the outcome first.
    vcov : how the errors were computed.
    n_clusters : number of clusters; of cities under ``dyadic``.
    dropped : regressors left out because they are collinear with earlier ones or with the effects.
    formula : as it was asked for.
    """

    coefficients: pd.DataFrame
    n_obs: int
    r2: float
    r2_within: float
    vcov: str
    n_clusters: int
    dropped: tuple[str, ...]
    formula: str


def regress_parquet(
    formula: str, path: Path, vcov: str, *, memory_gb: float = 1.0, threads: int = 2
) -> LargeRegression:
    """Estimate a two-way fixed-effects regression with clustered errors from a Parquet file of any size.

    Identifying assumptions, small-sample factors and the handling of missing values are those of
    :func:`pilotzones.estimators.regression.regress`, singletons kept; the two agree to 9 digits where both can run.

    Parameters
    ----------
    formula : ``"y ~ x1 + x2 | unit + period"``, plain columns only, the period last. A unit has at most one row in a
        period; gaps are allowed.
    path : a Parquet file, or a folder of them. Rows with a missing value (null or NaN) in a variable of the formula
        are dropped.
    vcov : ``"cluster:COLUMN"``, where every unit lies in one cluster (the unit itself, its city), or
        ``"dyadic:city_i+city_j"`` for units that are pairs, see :mod:`pilotzones.estimators.dyadic`.
    memory_gb : what DuckDB may use, in GB; Python and its libraries need about 0.4 GB more. What does not fit is kept
        beside the file, in a hidden folder that is removed at the end.
    threads : in which the file is read.

    Returns
    -------
    LargeRegression

    Raises
    ------
    DeclarationError
        The formula or ``vcov`` has another form, a column does not exist, all regressors are collinear with the
        effects.
    DataError
        No such file, a variable is no number or infinite, no complete row, a unit has two rows in a period, more than
        64 periods, an outcome without variation, a cluster that is missing in some rows, changes within a unit or is
        the only one, no degrees of freedom, no memory or no disk space left.
    ParameterError
        ``memory_gb`` or ``threads`` is not positive.
    """
    if not memory_gb > 0 or threads < 1:
        raise ParameterError(f"memory_gb = {memory_gb}, threads = {threads}: expected positive numbers")
    variables, effects = _parse(formula)
    clusters = _clusters(vcov)
    if not path.exists() or (path.is_dir() and not any(path.glob("*.parquet"))):
        raise DataError(f"{shown(path)}: no such Parquet file, or folder of Parquet files")
    folder = path if path.is_dir() else path.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".spill-", dir=folder) as spill, duckdb.connect() as database:
            database.execute(f"SET memory_limit = '{1000 * memory_gb:.0f}MB'; SET threads = {threads}")
            database.execute(f"SET temp_directory = {_text(spill)}; SET preserve_insertion_order = false")
            _open(database, path, variables, effects, clusters)
            return _estimate(database, formula, variables, effects, vcov)
    except (duckdb.Error, OSError) as problem:
        raise DataError(
            f"{shown(path)}: {str(problem).splitlines()[0]} (memory_gb = {memory_gb:g}; what does not fit is kept in "
            f"{shown(folder)}, which must be writable and have space)"
        ) from None
    except RuntimeError as problem:
        if "interrupted" not in str(problem):
            raise
        raise KeyboardInterrupt from None  # what DuckDB makes of Ctrl-C


def _parse(formula: str) -> tuple[list[str], list[str]]:
    """Return the outcome with the regressors, and unit and period."""
    parts = [[name.strip() for name in part.split("+")] for part in re.split(r"[~|]", formula)]
    names = [name for part in parts for name in part]
    form = re.sub(r"[^~|]", "", formula) == "~|" and len(parts[0]) == 1 and len(parts[2]) == 2
    if not form or not all(re.fullmatch(r"\w+", name) for name in names) or len(set(names)) < len(names):
        raise DeclarationError(
            f"formula '{formula}': expected 'outcome ~ regressor + regressor | unit + period', each a column of the "
            "file and named once"
        )
    return parts[0] + parts[1], parts[2]


def _clusters(vcov: str) -> list[str]:
    kind, _, rest = vcov.partition(":")
    names = [name.strip() for name in rest.split("+")]
    if {"cluster": 1, "dyadic": 2}.get(kind) != len(names) or not all(names) or len(set(names)) < len(names):
        raise DeclarationError(f"vcov = '{vcov}': expected 'cluster:COLUMN' or 'dyadic:COLUMN+COLUMN'")
    return names


def _open(
    database: duckdb.DuckDBPyConnection, path: Path, variables: list[str], effects: list[str], clusters: list[str]
) -> None:
    """Make the view ``used``: complete rows; ``unit``, ``period``, variables ``w0``, ``w1``..., clusters ``c0``..."""
    source = str(path / "*.parquet" if path.is_dir() else path)
    database.execute(f"CREATE TEMP VIEW file AS SELECT * FROM read_parquet({_text(source)})")
    types = {name: str(kind) for name, kind, *_ in database.execute("DESCRIBE file").fetchall()}
    require([*variables, *effects, *clusters], pd.DataFrame(columns=list(types)), shown(path))
    for name in variables:
        if not re.match(r"U?(TINY|SMALL|BIG|HUGE)?INT|FLOAT|DOUBLE|DECIMAL|BOOLEAN", types[name]):
            raise DataError(f"{shown(path)}, column '{name}': {types[name]}, expected numbers")

    def known(name: str) -> str:
        number = f" AND NOT isnan({_name(name)})" if types[name] in ("FLOAT", "DOUBLE") else ""
        return f"{_name(name)} IS NOT NULL{number}"

    columns = [f"{_name(name)} AS {role}" for name, role in zip(effects, ("unit", "period"), strict=True)]
    columns += [f"{_name(name)}::DOUBLE AS w{a}" for a, name in enumerate(variables)]
    columns += [f"CASE WHEN {known(name)} THEN {_name(name)} END AS c{a}" for a, name in enumerate(clusters)]
    complete = " AND ".join(known(name) for name in [*variables, *effects])
    database.execute(f"CREATE TEMP VIEW used AS SELECT {', '.join(columns)} FROM file WHERE {complete}")


def _estimate(
    database: duckdb.DuckDBPyConnection, formula: str, variables: list[str], effects: list[str], vcov: str
) -> LargeRegression:
    names, given, clusters = range(len(variables)), " + ".join(effects), _clusters(vcov)
    with tqdm(total=4, desc="passes", disable=None, leave=False) as bar:
        count, mean = _periods(database, formula, variables, effects, clusters)
        n = int(count.sum())
        bar.update()

        _shift(database, mean)
        cross = _symmetric(database, "shifted", [f"w{a}" for a in names])
        overall = mean - count @ mean / n
        total = np.diag(cross) + count @ overall**2
        bar.update()

        of_units, of_periods, between = _units(database, len(variables), count, effects)
        gamma = np.linalg.pinv(between, rcond=1e-12, hermitian=True) @ of_periods
        cross = cross - of_units - of_periods.T @ gamma
        if not cross[0, 0] > TOLERANCE * total[0]:
            raise DataError(f"formula '{formula}': the outcome '{variables[0]}' is constant given {given}")
        kept = _independent(cross, total)
        if not kept:
            raise DeclarationError(f"formula '{formula}': all regressors collinear given {given}")
        # units are nested in clusters and count as one level, and one level is lost for the second effect
        if n <= (k := len(kept) + len(count)):
            raise DataError(f"formula '{formula}': {n} rows leave no degrees of freedom")
        scale = np.sqrt(total[kept])
        bread = np.linalg.inv(cross[np.ix_(kept, kept)] / np.outer(scale, scale)) / np.outer(scale, scale)
        estimate = bread @ cross[kept, 0]
        bar.update()

        _shift(database, mean + gamma)
        left, meat, twice, n_clusters = _scores(database, kept, estimate, clusters, effects[0])
        bar.update()

    gross, counted = np.diag(bread @ meat @ bread), np.diag(bread @ twice @ bread)
    # a dyadic variance can be negative, or zero up to rounding
    net = np.where(gross > (1 + 1e-9) * counted, gross - counted, np.nan)
    se = np.sqrt(n_clusters / (n_clusters - 1) * (n - 1) / (n - k) * net)
    t = estimate / se
    reach = stats.t.ppf(0.975, n_clusters - 1) * se
    p = 2 * stats.t.sf(np.abs(t), n_clusters - 1)
    table = {"estimate": estimate, "se": se, "t": t, "p": p, "low": estimate - reach, "high": estimate + reach}
    return LargeRegression(
        coefficients=pd.DataFrame(table, index=pd.Index([variables[a] for a in kept], name="term")),
        n_obs=n,
        r2=float(1 - left / total[0]),
        r2_within=float(1 - left / cross[0, 0]),
        vcov=vcov,
        n_clusters=n_clusters,
        dropped=tuple(variables[a] for a in names[1:] if a not in kept),
        formula=formula,
    )


def _periods(
    database: duckdb.DuckDBPyConnection, formula: str, variables: list[str], effects: list[str], clusters: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Number the periods; return their rows, shape (T,), and the means of the variables, shape (T, variables)."""
    sums = ", ".join(f"sum(w{a})" for a in range(len(variables)))
    lost = ", ".join(f"count(*) - count(c{a})" for a in range(len(clusters)))
    rows = database.execute(
        f"SELECT period, count(*), {sums}, {lost} FROM used GROUP BY period ORDER BY period LIMIT {PERIODS + 1}"
    ).fetchall()
    if not rows:
        raise DataError(f"formula '{formula}': no complete row")
    if len(rows) > PERIODS:
        raise DataError(
            f"formula '{formula}': more than {PERIODS} periods in '{effects[1]}'; expected the unit first, then the "
            "period"
        )
    table = np.array([row[1:] for row in rows], dtype=float)
    count, total, missing = table[:, 0], table[:, 1 : 1 + len(variables)], table[:, 1 + len(variables) :].sum(axis=0)
    if infinite := [name for name, bad in zip(variables, ~np.isfinite(total).all(axis=0), strict=True) if bad]:
        raise DataError(f"formula '{formula}': infinite values in {', '.join(infinite)}")
    for name, absent in zip(clusters, missing, strict=True):
        if absent:
            raise DataError(f"cluster variable '{name}': missing in {absent:.0f} of the {count.sum():.0f} rows used")
    database.execute("CREATE TEMP TABLE number (period, code) AS SELECT DISTINCT period, 0::UTINYINT FROM used LIMIT 0")
    database.executemany("INSERT INTO number VALUES (?, ?)", [(row[0], code) for code, row in enumerate(rows)])
    return count, total / count[:, None]


def _shift(database: duckdb.DuckDBPyConnection, offsets: np.ndarray) -> None:
    """Make the view ``shifted``: ``used`` less the offsets of its period, shape (T, variables), with ``code``."""
    names = range(offsets.shape[1])
    table = pd.DataFrame(offsets, columns=[f"o{a}" for a in names]).assign(code=range(len(offsets)))
    database.register("offsets", table)
    columns = ", ".join(f"w{a} - o{a} AS w{a}" for a in names)
    database.execute(
        f"CREATE OR REPLACE TEMP VIEW shifted AS SELECT * REPLACE ({columns}) "
        "FROM used JOIN number USING (period) JOIN offsets USING (code)"
    )


def _symmetric(database: duckdb.DuckDBPyConnection, source: str, columns: list[str]) -> np.ndarray:
    """Return the sums of products of the columns of a table, shape (columns, columns)."""
    i, j = np.triu_indices(len(columns))
    sums = ", ".join(f"fsum({columns[a]} * {columns[b]})" for a, b in zip(i, j, strict=True))  # fsum: Kahan's
    found = np.empty((len(columns), len(columns)))
    found[i, j] = found[j, i] = database.execute(f"SELECT {sums} FROM {source}").fetchone()
    return found


def _units(
    database: duckdb.DuckDBPyConnection, variables: int, count: np.ndarray, effects: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sum over units of SS'/n, D'MW, shape (T, variables), and D'MD, shape (T, T)."""
    names = range(variables)
    i, j = np.triu_indices(variables)
    sums = ", ".join(f"sum(w{a}) AS s{a}" for a in names)
    means = ", ".join(f"fsum(s{a} / n)" for a in names)
    squares = ", ".join(f"fsum(s{a} * s{b} / n)" for a, b in zip(i, j, strict=True))
    reader = database.execute(
        f"SELECT seen, count(*), max(n), arg_max(unit, n), {means}, {squares} "
        f"FROM (SELECT unit, count(*) AS n, bit_or(1::UBIGINT << code) AS seen, {sums} FROM shifted GROUP BY unit) "
        "GROUP BY seen"
    )
    of_units, of_periods, between = np.zeros(len(i)), np.zeros((len(count), variables)), np.diag(count)
    while rows := reader.fetchmany(100_000):  # as many patterns as units, at worst
        units, largest = (np.array([row[a] for row in rows], dtype=float) for a in (1, 2))
        seen = (
            np.array([row[0] for row in rows], dtype=np.uint64)[:, None] >> np.arange(len(count), dtype=np.uint64) & 1
        )
        seen, n = seen.astype(float), seen.sum(axis=1).astype(float)
        if (twice := largest > n).any():
            raise DataError(
                f"{effects[0]} {rows[int(twice.argmax())][3]}: two rows in the same '{effects[1]}'; expected one"
            )
        sum_of = np.array([row[4:] for row in rows], dtype=float)
        of_periods -= seen.T @ sum_of[:, :variables]
        of_units += sum_of[:, variables:].sum(axis=0)
        between -= seen.T @ (seen * (units / n)[:, None])
    found = np.empty((variables, variables))
    found[i, j] = found[j, i] = of_units
    return found, of_periods, between


def _independent(cross: np.ndarray, total: np.ndarray) -> list[int]:
    """Return the regressors that effects and earlier regressors do not explain; of collinear ones the last goes."""
    kept: list[int] = []
    for a in range(1, len(cross)):
        left = cross[a, a]
        if kept:
            left -= cross[a, kept] @ np.linalg.solve(cross[np.ix_(kept, kept)], cross[kept, a])
        if left > TOLERANCE * total[a]:
            kept.append(a)
    return kept


def _scores(
    database: duckdb.DuckDBPyConnection, kept: list[int], estimate: np.ndarray, clusters: list[str], unit: str
) -> tuple[float, np.ndarray, np.ndarray, int]:
    """Return the residual sum of squares, the sum of outer products of scores, and the number of clusters.

    Third is what the second counts twice: zero, or of pairs of cities the part of each pair, whose rows meet in both.
    """
    residual = " ".join(["w0", *(f"- ({b!r}) * w{a}" for a, b in zip(kept, estimate.tolist(), strict=True))])
    sums = "".join(f", sum(w{a}) AS v{a}, sum(w{a} * e) AS ve{a}" for a in kept)
    ends = range(len(clusters))
    cluster = ", ".join(f"min(c{a}) AS c{a}, max(c{a}) AS d{a}" for a in ends)
    changes = " OR ".join(f"c{a} <> d{a}" for a in ends)
    groups = "c0 AS first" if len(clusters) == 1 else "least(c0, c1) AS first, greatest(c0, c1) AS second"
    database.execute(
        f"CREATE TEMP TABLE scores AS SELECT {groups}, any_value(unit) FILTER ({changes}) AS strange, "
        + "sum(ee - e * e / n) AS ee, "
        + ", ".join(f"sum(ve{a} - v{a} * e / n) AS s{a}" for a in kept)
        + " FROM (SELECT unit, count(*) AS n, sum(e) AS e, sum(e * e) AS ee, "
        + f"{cluster}{sums} FROM (SELECT *, {residual} AS e FROM shifted) GROUP BY unit) GROUP BY ALL"
    )
    left, number, strange = database.execute("SELECT fsum(ee), count(*), any_value(strange) FROM scores").fetchall()[0]
    if strange is not None:
        raise DataError(f"{unit} {strange}: more than one {' + '.join(clusters)}; expected units within clusters")
    columns = [f"s{a}" for a in kept]
    meat = _symmetric(database, "scores", columns)
    twice = np.zeros_like(meat)
    if len(clusters) == 2:
        if same := database.execute("SELECT first FROM scores WHERE first = second LIMIT 1").fetchall():
            raise DataError(f"'{clusters[0]}' and '{clusters[1]}' are both {same[0][0]} in a row; expected two cities")
        by_city = ", ".join(f"sum({column}) AS {column}" for column in columns)
        database.execute(
            f"CREATE TEMP TABLE cities AS SELECT city, {by_city} FROM (SELECT *, first AS city FROM scores UNION ALL "
            "SELECT *, second AS city FROM scores) GROUP BY city"
        )
        meat, twice = _symmetric(database, "cities", columns), meat
        number = database.execute("SELECT count(*) FROM cities").fetchall()[0][0]
    if number < 2:
        raise DataError(f"cluster variable '{clusters[0]}': at least two clusters are needed, found {number}")
    return left, meat, twice, number


def _name(column: str) -> str:
    return 'file."' + column.replace('"', '""') + '"'  # an alias could have the same name


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
