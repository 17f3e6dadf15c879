"""Rules that hold regressions against each other, or against the descriptive statistics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from pilotzones.audit.finding import CANNOT, Finding, judged, listed
from pilotzones.audit.intervals import Interval, exactly, rounded, total
from pilotzones.audit.tables import CONSTANT, Printed, Tables


def r2_rises(tables: Tables) -> Iterator[Finding]:
    """Does R2 not fall when regressors or effects are added on the same rows?

    Of two least-squares columns with the same outcome, sample and number of rows (or, where that is not printed, the
    same variables), the one with all regressors and effects of the other has no smaller R2. Effects are taken as the
    printed table labels them. Columns with different effects are compared only where the study is declared to print an
    R2 that counts them as explaining: the overall one, or that within units beside effects of units.
    """
    columns = [c for c in tables.columns if c.plain and c.r2]
    for large in columns:
        small = [
            c for c in columns
            if c is not large and (c.outcome, c.declared.sample, c.n) == (large.outcome, large.declared.sample, large.n)
            and (c.n is not None or c.variables == large.variables)
            and c.regressors <= large.regressors and c.effects <= large.effects
            and (c.effects == large.effects or tables.study.r2 == "overall"
                 or (tables.study.r2 == "within_unit" and tables.study.unit in c.effects))
        ]  # fmt: skip
        if small:
            worst = max(small, key=lambda c: float(c.r2))
            fits = rounded(large.r2).high >= rounded(worst.r2).low
            words = f"{large.place} (regressors: {len(large.regressors)}, effects: {_effects(large)}) holds all that "
            words += f"{worst.place} holds (regressors: {len(worst.regressors)}, effects: {_effects(worst)}); R2 "
            words += f"{large.r2} against {worst.r2}"
            yield Finding(large.table, large.column, "R2", large.r2, f"at least {worst.r2}", judged(fits), words)


def _effects(column: Printed) -> str:
    return listed(sorted(column.effects)) or "none"


def simple_regression(tables: Tables) -> Iterator[Finding]:
    r"""Do slope and R2 of a regression on one variable agree with the descriptive statistics?

    Without effects :math:`R^2 = (b \, s_x / s_y)^2`; under classical errors also
    :math:`SE = (s_y / s_x) \sqrt{(1 - R^2) / (N - 2)}`, checked where the study is declared to print these. Assumes
    that the regression has all rows that the descriptive statistics are about, as N says.
    """
    for column in tables.columns:
        names = (column.outcome, *column.regressors)
        if len(names) != 2 or column.effects or not column.plain or column.declared.sample:
            continue
        place, cell = (column.table, column.column), column.cells.get(names[1])
        if cell is None or not set(names) <= tables.moments.keys() or column.n != tables.rows or not column.r2:
            yield Finding(*place, "", "", "", CANNOT, "slope, R2 or moments of the same rows not printed")
            continue
        y, x = (tables.moment(name, "sd") for name in names)
        implied = (cell.value * x / y).squared()
        words = f"({cell.estimate} x {tables.moments[names[1]]['sd']} / {tables.moments[names[0]]['sd']})^2 = {implied}"
        yield Finding(*place, "R2", column.r2, str(implied), judged(implied.meets(rounded(column.r2))),
                      f"{words}; printed R2 {column.r2}")  # fmt: skip
        if tables.study.published_vcov == "iid" and not column.declared.vcov and cell.spread:
            error = y / x * ((exactly(1) - implied) * exactly(1 / (column.n - 2))).root()
            words = f"sd ratio, R2 and N imply a classical standard error of {error}; printed {cell.spread}"
            yield Finding(*place, names[1], cell.spread, str(error), judged(error.meets(cell.error)), words)


def implied_rows(tables: Tables) -> Iterator[Finding]:
    r"""How many rows do t and R2 of a regression on one variable imply?

    Under classical errors :math:`N = t^2 (1 - R^2) / R^2 + 2`. With clustered errors the number that comes out is no
    number of rows, but tells how much less the data know than as many independent rows would; then it is only shown.
    """
    for column in tables.columns:
        if len(column.regressors) != 1 or column.effects or not column.plain or not column.r2 or column.n is None:
            continue
        (name,) = column.regressors
        cell = column.cells.get(name)
        if cell is None or not cell.spread:
            continue
        r2 = rounded(column.r2)
        implied = cell.t().squared() * (exactly(1) - r2) / r2 + exactly(2)
        classical = (column.declared.vcov or tables.study.published_vcov) == "iid"
        words = f"|t| of {cell.t()} and R2 of {column.r2} imply {implied} independent rows; {column.n:,} printed"
        verdict = judged(implied.meets(exactly(column.n))) if classical else CANNOT
        words += "" if classical else f"; errors are declared as {tables.study.published_vcov}"
        yield Finding(column.table, column.column, name, f"{column.n:,}", str(implied), verdict, words)


def constant_at_means(tables: Tables) -> Iterator[Finding]:
    r"""Is the constant what means and coefficients imply?

    Least squares goes through the means: :math:`c = \bar y - \sum_j b_j \bar x_j`, also beside fixed effects where the
    constant is at the mean of all effects (Stata's ``reghdfe``), as declared. Needs every coefficient and mean, and a
    regression on all rows that the means are about.
    """
    if not tables.moments or not any(CONSTANT in c.cells for c in tables.columns):
        yield Finding("", "", CONSTANT, "", "", CANNOT, "no constants or no means printed")
        return
    for column in (c for c in tables.columns if CONSTANT in c.cells and c.plain):
        place, cell = (column.table, column.column, CONSTANT), column.cells[CONSTANT]
        known = tables.moments.keys() >= column.variables and column.regressors <= column.cells.keys()
        if not known or column.n != tables.rows or (column.effects and tables.study.constant != "mean"):
            yield Finding(*place, cell.estimate, "", CANNOT, "not all coefficients and means of its rows printed")
            continue
        parts = [column.cells[name].value * tables.moment(name, "mean") for name in sorted(column.regressors)]
        implied = tables.moment(column.outcome, "mean") - total(parts)
        words = f"mean of {column.outcome} less coefficients times means is {implied}; printed {cell.estimate}"
        yield Finding(*place, cell.estimate, str(implied), judged(implied.meets(cell.value)), words)


def t_and_r2(tables: Tables) -> Iterator[Finding]:
    r"""Is the R2 large enough for the t values?

    Under classical errors a regressor adds :math:`t^2 (1 - R^2) / (N - K)` to R2, so that
    :math:`t^2 \le (N - 1) R^2 / (1 - R^2)`. The bound holds for every R2 that counts the regressor as explaining. Only
    for studies declared to print classical errors; with others t is not tied to R2.
    """
    if tables.study.published_vcov != "iid":
        words = f"errors are declared as {tables.study.published_vcov}: only classical ones tie t to R2"
        yield Finding("", "", "", "", "", CANNOT, words)
        return
    for column in (c for c in tables.columns if not c.declared.instrumented and c.r2 and c.n):
        r2 = rounded(column.r2)
        most = (exactly((column.n or 1) - 1) * r2 / (exactly(1) - r2)).root().high
        for cell in (c for c in column.cells.values() if c.term != CONSTANT and c.spread):
            words = f"R2 {column.r2} with {column.n:,} rows allows |t| up to {most:.4g}; |t| is {cell.t()}"
            yield Finding(column.table, column.column, cell.term, cell.shown, f"|t| at most {most:.4g}",
                          judged(cell.t().low <= most), words)  # fmt: skip


def one_scale(tables: Tables) -> Iterator[Finding]:
    r"""Is a coefficient on the scale of the benchmark's, if outcome, regressors and (nearly) all rows are the same?

    Columns with the benchmark's outcome and regressors, with its effects or more, and on all units: some years may be
    left out, but other units have other effects. Whatever the overlap of the rows, the difference of two estimates of
    one parameter has a standard deviation of at most :math:`SE_1 + SE_2`; more than four times that is marked. This
    rule is statistical: another period or further effects may move the parameter itself.
    """
    benchmark = next((c for c in tables.columns if (c.table, c.column) == tables.study.benchmark), None)
    compared = [
        (c, cell, benchmark.cells[cell.term])
        for c in tables.columns
        if benchmark is not None and c is not benchmark and not c.declared.instrumented
        and set(re.findall(r"\b[a-z]\w+", c.declared.sample)) <= {tables.study.time}
        and (c.outcome, c.regressors) == (benchmark.outcome, benchmark.regressors) and benchmark.effects <= c.effects
        for cell in c.cells.values() if cell.term in benchmark.cells and cell.spread
    ]  # fmt: skip
    if not compared:
        yield Finding("", "", "", "", "", CANNOT, "no other column is like the benchmark")
    for column, cell, base in compared:
        if not base.spread:
            continue
        gap, unit = cell.value.beyond(base.value), cell.error.high + base.error.high
        words = (
            f"{cell.estimate} against {base.estimate} in {base.table} ({base.column}): {gap / unit:.1f} times the sum "
        )
        words += f"of the standard errors ({cell.error} and {base.error})"
        yield Finding(column.table, column.column, cell.term, cell.estimate,
                      f"within {4 * unit:.3g} of {base.estimate}", judged(gap <= 4 * unit), words)  # fmt: skip


def mediation_identity(tables: Tables) -> Iterator[Finding]:
    r"""Is the total effect the direct one plus the indirect one?

    With regressions of outcome on treatment (b), of mediator on treatment (a), and of outcome on both (b', g), least
    squares has :math:`b = b' + a g` without remainder, whatever else is in all three, if rows and effects are the same.
    """
    triples: list[tuple[Printed, Printed, Printed, str]] = [
        (short, long, first, first.outcome)
        for short, long in combinations(sorted(tables.columns, key=lambda c: len(c.regressors)), 2)
        if short.regressors < long.regressors and len(long.regressors - short.regressors) == 1
        and short.outcome == long.outcome and short.plain and long.plain and short.effects == long.effects
        for first in tables.columns
        if {first.outcome} == long.regressors - short.regressors and first.regressors == short.regressors
        and first.effects == short.effects and first.plain
        and first.declared.sample == short.declared.sample == long.declared.sample
    ]  # fmt: skip
    if not triples:
        yield Finding("", "", "", "", "", CANNOT, "no triple of regressions on treatment, mediator and both")
    for short, long, first, mediator in triples:
        term = tables.study.treatment
        cells = [short.cells.get(term), long.cells.get(term), first.cells.get(term), long.cells.get(mediator)]
        place = (long.table, long.column, term)
        if any(cell is None for cell in cells):
            yield Finding(*place, "", "", CANNOT, "not all four coefficients are printed")
            continue
        b, direct, a, g = (cell for cell in cells if cell is not None)
        if not short.n or len({short.n, long.n, first.n}) > 1:
            rows = ", ".join(f"{c.n or 0:,} in {c.place}" for c in (short, first, long))
            yield Finding(*place, b.estimate, "", CANNOT, f"the three regressions have different rows: {rows}")
            continue
        implied = direct.value + a.value * g.value
        words = f"{direct.estimate} + {a.estimate} x {g.estimate} is {implied}; {b.estimate} in {short.place}"
        yield Finding(*place, b.estimate, str(implied), judged(implied.meets(b.value)), words)


def first_stage_f(tables: Tables) -> Iterator[Finding]:
    r"""Does the F of the instruments agree with their printed t values?

    With one instrument :math:`F = t^2`. With L of them, F is smallest if their estimates are correlated so that all but
    the strongest add nothing: :math:`F \ge \max_l t_l^2 / L`. Assumes one sample and one kind of errors; where first
    and second stage print different N, F is allowed to differ in proportion.
    """
    for table in tables.study.tables:
        for second in (c for c in table.columns if c.instrumented):
            first = next((c for c in tables.columns if c.declared.formula == second.first_stage), None)
            names = [name.strip() for name in second.formula.rpartition("~")[2].split("+")]
            rows = [r for r in tables.text["stats"].to_dict("records")
                    if r["table"] == table.id and re.search(r"\bF\b", r["statistic"])]  # fmt: skip
            place = (table.id, second.id, "first-stage F")
            cells = [first.cells[name] for name in names if name in first.cells] if first is not None else []
            if not rows or len(cells) < len(names) or not all(cell.spread for cell in cells):
                yield Finding(*place, "", "", CANNOT, "no F or no t values of the first stage printed")
                continue
            ts = [cell.t() for cell in cells]
            least = max(t.squared().low for t in ts) / len(ts)
            implied = ts[0].squared() if len(ts) == 1 else Interval(least, float("inf"))
            own = next((c.n for c in tables.columns if (c.table, c.column) == (table.id, second.id)), None)
            if first is not None and first.n and own and own < first.n:
                implied = Interval(implied.low * own / first.n, implied.high)
            words = f"first-stage |t| {listed(ts)} imply an F of {implied}"
            for row in rows:
                printed = row["value"] or f"above {row['bracket_value']}"
                fits = (implied.meets(rounded(row["value"])) if row["value"]
                        else implied.high > float(row["bracket_value"]))  # fmt: skip
                yield Finding(*place, printed, str(implied), judged(fits), f"{words}; printed {printed}")


def one_regression_twice(tables: Tables) -> Iterator[Finding]:
    """Are two columns with the same coefficients labelled as different regressions?

    Columns that share at least three printed coefficients (constant included), all equal to the last digit, are one
    regression: three or more coincidences at once are out of the question unless the numbers have one digit. Their
    labels (outcome, effects, sample, N) should then be the same. Different spreads only mean different errors.
    """
    found = 0
    for one, other in combinations(tables.columns, 2):
        shared = one.cells.keys() & other.cells.keys()
        digits = sum(len(one.cells[t].estimate.lstrip("-0.").replace(".", "")) for t in shared)
        if len(shared) < 3 or digits < 6 or any(one.cells[t].estimate != other.cells[t].estimate for t in shared):
            continue
        found += 1
        labels = {
            "outcome": (one.outcome, other.outcome),
            "effects": (_effects(one), _effects(other)),
            "sample": (one.declared.sample, other.declared.sample),
            "rows": (one.n, other.n),
        }
        apart = [f"{what} {a} and {b}" for what, (a, b) in labels.items() if a != b]
        spreads = sum(one.cells[t].spread != other.cells[t].spread for t in shared)
        words = (
            f"all {len(shared)} coefficients of {one.place} and {other.place} are equal ({spreads} spreads differ); "
        )
        words += f"labelled differently: {'; '.join(apart)}" if apart else "no label differs"
        yield Finding(other.table, other.column, "", one.place, other.place, judged(not apart), words)
    if not found:
        comparable = sum(len(c.cells) >= 3 for c in tables.columns) > 1
        words = "no two columns share three coefficients that are all equal"
        yield Finding("", "", "", "", "", judged(True) if comparable else CANNOT, words)
