"""Rules about one printed coefficient, one described variable or one test statistic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from scipy import stats

from pilotzones.audit.finding import CANNOT, Finding, judged
from pilotzones.audit.intervals import Interval, decimals, exactly, rounded
from pilotzones.audit.tables import CONSTANT, Cell, Tables
from pilotzones.estimators.instruments import stock_yogo

LEVELS = (0.10, 0.05, 0.01)
CRITICAL = [float(stats.norm.isf(level / 2)) for level in LEVELS]


def stars(tables: Tables) -> Iterator[Finding]:
    r"""Do the stars follow from estimate and spread?

    :math:`|t| = |b| / s`, or the printed t itself; both numbers lie within half a unit of their last digit, so that
    :math:`|t|` lies in an interval, and with it the number of stars: one from 1.645, two from 1.960, three from 2.576.

    Assumes the normal distribution and the usual 10%, 5% and 1%, as the notes of the five papers say. With few clusters
    a program uses a t distribution with larger critical values; where that can explain a missing star, it is said.
    """
    for cell in tables.cells:
        place = (cell.table, cell.column, cell.term)
        if not cell.spread or cell.stars is None:
            yield Finding(*place, cell.estimate, "", CANNOT, "no spread or no stars printed")
            continue
        t = cell.t()
        fewest, most = star_range(t)
        words = f"|t| is {t}, which earns {_number(fewest, most)}; {cell.stars or 'none'} printed"
        if cell.stars < fewest and (freedom := _freedom(t.low, cell.stars)):
            words += f" (a t distribution with at most {freedom} degrees of freedom, from few clusters, would agree)"
        yield Finding(*place, cell.shown, _number(fewest, most), judged(fewest <= cell.stars <= most), words)


def star_range(t: Interval) -> tuple[int, int]:
    """Return the fewest and most stars of the t values in an interval."""
    fewest, most = (sum(end >= limit for limit in CRITICAL) for end in (t.low, t.high))
    return fewest, most


def _number(fewest: int, most: int) -> str:
    words = str(fewest or "no") if fewest == most else f"{fewest or 'no'} or {most}"
    return f"{words} star{'s' if most != 1 else ''}"


def _freedom(t: float, printed: int) -> int:
    """Return the most degrees of freedom with which a t value misses the star beyond the printed ones; 0 for none."""
    level = LEVELS[printed]
    fitting = [df for df in range(5, 501) if stats.t.isf(level / 2, df) > t]
    return max(fitting, default=0)


def spread_kind(tables: Tables) -> Iterator[Finding]:
    """Does a table print standard errors, t values or p values?

    Each reading of the brackets implies stars; the reading with which most cells of the table agree is inferred, and
    should be the one that the paper names. Assumes what :func:`stars` does.
    """
    for table in dict.fromkeys(cell.table for cell in tables.cells):
        cells = [c for c in tables.cells if c.table == table and c.spread and c.stars is not None]
        if not cells:
            yield Finding(table, "", "", "", "", CANNOT, "no spreads with stars printed")
            continue
        fitting = {kind: sum(_fits(cell, kind) for cell in cells) for kind in ("se", "t", "p")}
        best = [kind for kind, count in fitting.items() if count == max(fitting.values())]
        named = cells[0].kind
        words = f"of {len(cells)} cells, stars agree in " + ", ".join(f"{n} read as {k}" for k, n in fitting.items())
        verdict = CANNOT if len(best) > 1 and named in best else judged(named in best)
        yield Finding(table, "", "", named, " or ".join(best), verdict, words)


def _fits(cell: Cell, kind: str) -> bool:
    assert cell.stars is not None
    if kind != "p":
        fewest, most = star_range(cell.t(kind))
        return fewest <= cell.stars <= most
    p = rounded(cell.spread)
    if p.high < 0 or p.low > 1:
        return False
    return sum(p.high <= level for level in LEVELS) <= cell.stars <= sum(p.low <= level for level in LEVELS)


def sign_of_t(tables: Tables) -> Iterator[Finding]:
    """Has a printed t value the sign of its estimate? A standard error has none; it must not be negative."""
    for cell in tables.cells:
        if cell.spread:
            minus = [text.startswith("-") for text in (cell.estimate, cell.spread)]
            zero = float(cell.estimate) == 0 or float(cell.spread) == 0  # the sign of a rounded zero may be dropped
            fits = zero or minus[0] == minus[1] if cell.kind == "t" else not minus[1]
            words = f"{cell.estimate} with {cell.kind} {cell.spread}: signs {'agree' if fits else 'do not agree'}"
            sign = ("-" if minus[0] else "+") if cell.kind == "t" else "+"
            yield Finding(cell.table, cell.column, cell.term, cell.shown, sign, judged(fits), words)


def moments(tables: Tables) -> Iterator[Finding]:
    r"""Can mean, standard deviation, minimum and maximum belong to one variable?

    The mean lies between minimum a and maximum b, and with n observations

    .. math::
        \frac{(b - m)^2 + (m - a)^2 + (a + b - 2m)^2 / (n - 2)}{n - 1} \le s^2 \le \frac{n}{n - 1} (b - m)(m - a):

    above is the bound of Bhatia and Davis, never larger than Popoviciu's :math:`(b - a)^2 / 4`; below, only one
    observation lies at either end and all others are equal. Assumes that all five numbers are of the same rows.
    """
    for name in tables.moments:
        a, b, mean, sd = (tables.moment(name, statistic) for statistic in ("min", "max", "mean", "sd"))
        n, row = int(tables.moments[name]["n"]), tables.moments[name]
        inside = mean.high >= a.low and mean.low <= b.high
        up, down = Interval(max((b - mean).low, 0), (b - mean).high), Interval(max((mean - a).low, 0), (mean - a).high)
        most = (up * down * exactly(n / (n - 1))).root().high
        rest = (a + b - mean - mean).squared() * exactly(1 / max(n - 2, 1))
        least = ((up.squared() + down.squared() + rest) * exactly(1 / (n - 1))).root().low
        fits = inside and sd.meets(Interval(least, most))
        words = f"mean {row['mean']} {'between' if inside else 'not between'} {row['min']} and {row['max']}; with them "
        words += f"and n = {n:,} the sd is {least:.4g} to {most:.4g}, printed {row['sd']}"
        yield Finding(tables.study.descriptives_table, "", name, row["sd"], str(Interval(least, most)), judged(fits),
                      words)  # fmt: skip


def dummies(tables: Tables) -> Iterator[Finding]:
    r"""Has a variable of zeros and ones the spread that its mean implies?

    :math:`s = \sqrt{m (1 - m) \, n / (n - 1)}`. Which variables are dummies, the declaration says.
    """
    for name, row in tables.moments.items():
        variable = tables.variable(name)
        if variable is not None and variable.kind == "binary":
            n, mean = int(row["n"]), tables.moment(name, "mean")
            ends = sorted(max(m * (1 - m), 0.0) for m in (mean.low, mean.high))
            peak = 0.25 if mean.low <= 0.5 <= mean.high else ends[1]
            implied = (Interval(ends[0], peak) * exactly(n / (n - 1))).root()
            words = f"a mean of {row['mean']} implies an sd of {implied}; printed {row['sd']}"
            yield Finding(tables.study.descriptives_table, "", name, row["sd"], str(implied),
                          judged(implied.meets(tables.moment(name, "sd"))), words)  # fmt: skip


def whole_counts(tables: Tables) -> Iterator[Finding]:
    """Is mean times n of a dummy or a count a whole number (the idea of the GRIM test)?

    With n observations the mean moves in steps of 1/n. Where these are finer than the printed decimals, every mean
    fits and the rule cannot say anything.
    """
    for name, row in tables.moments.items():
        variable = tables.variable(name)
        if variable is not None and variable.kind in ("binary", "count"):
            n, places = int(row["n"]), decimals(row["mean"])
            total = tables.moment(name, "mean") * exactly(n)
            whole = range(int(-(-(total.low - 1e-6) // 1)), int((total.high + 1e-6) // 1) + 1)
            informative = n < 10**places
            words = f"{row['mean']} x {n:,} is {total}: {len(whole)} whole numbers fit"
            if not informative:
                words += f"; {places} decimals are too few to tell with so many observations"
            yield Finding(tables.study.descriptives_table, "", name, row["mean"], str(total),
                          judged(bool(whole)) if informative else CANNOT, words)  # fmt: skip


def test_statistics(tables: Tables) -> Iterator[Finding]:
    r"""Do p values and critical values belong to the printed test statistics, and the statistics to each other?

    With L instruments of one endogenous regressor, Anderson's LM is chi-squared with L degrees of freedom and Hansen's
    J with L - 1; critical values of weak instruments are Stock and Yogo's for L. Both statistics come from the partial
    :math:`r^2` of the first stage: :math:`LM = N r^2` and :math:`F = \frac{N - K}{L} \frac{r^2}{1 - r^2}` (Cragg and
    Donald), so that K, the number of parameters, is implied; it must lie between the number of regressors and N.
    """
    for row in tables.text["stats"].to_dict("records"):
        place, name = (row["table"], row["column"], row["statistic"]), row["statistic"]
        column = next((c for c in tables.columns if (c.table, c.column) == place[:2]), None)
        count = _instruments(tables, row["table"], row["column"])
        if not row["bracket_value"] or not count:
            yield Finding(*place, row["value"], "", CANNOT, "no p value or critical value printed")
            continue
        if "critical" in row["bracket_kind"]:
            values = stock_yogo(count)["critical_value"]
            fits = any(rounded(row["bracket_value"]).meets(exactly(value)) for value in values)
            first = values.iloc[0] if len(values) else float("nan")
            if float(row["bracket_value"]) == 10:  # Staiger and Stock's rule of thumb stands for any number
                yield Finding(*place, row["bracket_value"], "10", judged(True), "10 is the usual rule of thumb")
                continue
            words = f"{row['bracket_value']} {'is' if fits else 'is not'} among Stock and Yogo's values for {count} "
            words += f"instrument{'s' if count > 1 else ''}"
            yield Finding(*place, row["bracket_value"], f"e.g. {first:g}", judged(fits), words)
            continue
        freedom = count - ("Hansen" in name or "Sargan" in name)
        if not row["value"] or not freedom:
            yield Finding(*place, row["bracket_value"], "", CANNOT, "the statistic itself is not printed")
            continue
        value = rounded(row["value"])
        implied = Interval(*(float(stats.chi2.sf(end, freedom)) for end in (value.high, max(value.low, 0))))
        words = f"{row['value']} as chi2({freedom}) has a p value of {implied}; printed {row['bracket_value']}"
        fits = implied.meets(rounded(row["bracket_value"]))
        yield Finding(*place, row["bracket_value"], str(implied), judged(fits), words)
        other = [r for r in tables.text["stats"].to_dict("records") if r["value"] and "Cragg" in r["statistic"]
                 and (r["table"], r["column"]) == place[:2]]  # fmt: skip
        if "Anderson" in name and other and column is not None and column.n:
            share = value / exactly(column.n)
            scaled = rounded(other[0]["value"]) * exactly(count) * (exactly(1) - share) / share
            parameters = exactly(column.n) - scaled
            fits = parameters.meets(Interval(len(column.regressors), column.n - 1))
            words = f"LM / N = {share} and F = {other[0]['value']} imply {parameters} estimated parameters of "
            words += f"{column.n:,} rows"
            yield Finding(*place[:2], "LM and F", other[0]["value"], str(parameters), judged(fits), words)


def _instruments(tables: Tables, table: str, column: str) -> int:
    """Return the number of instruments of a column, or of the columns of which a table holds the first stage."""
    first_stages = {c.formula for t in tables.study.tables if t.id == table for c in t.columns}
    found = [
        c for t in tables.study.tables for c in t.columns
        if c.instrumented and ((t.id == table and column in ("", c.id)) or c.first_stage in first_stages)
    ]  # fmt: skip
    return found[0].formula.rpartition("~")[2].count("+") + 1 if found else 0


def last_digits(tables: Tables, least: int = 50) -> Iterator[Finding]:
    r"""Are the last digits of the coefficients spread evenly?

    Only of coefficients with three significant digits or more is the last digit nearly uniform on 0 to 9, whatever is
    measured; :math:`\chi^2 = \sum_d (n_d - n / 10)^2 / (n / 10)` with 9 degrees of freedom. With fewer than ``least``,
    five of each digit, it is not computed. A p value below 0.001 is reported; one in a thousand honest papers has it,
    and cells of one table are not independent.
    """
    digits = [cell.estimate[-1] for cell in tables.cells
              if cell.term != CONSTANT and len(cell.estimate.lstrip("-0.").replace(".", "")) >= 3]  # fmt: skip
    if len(digits) < least:
        yield Finding("", "", "last digits", str(len(digits)), "", CANNOT,
                      f"{len(digits)} coefficients with three significant digits: fewer than {least}")  # fmt: skip
        return
    found = Counter(digits)
    p = float(stats.chisquare([found[str(d)] for d in range(10)]).pvalue)
    words = f"{len(digits)} last digits, p = {p:.3f} for an even spread"
    yield Finding("", "", "last digits", str(len(digits)), f"p = {p:.3f}", judged(p >= 0.001), words)
