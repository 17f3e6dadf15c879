"""Rules about numbers of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pandas as pd

from pilotzones import policy
from pilotzones.audit.finding import CANNOT, CONSISTENT, Finding, judged, listed
from pilotzones.audit.intervals import Interval, exactly
from pilotzones.audit.tables import CONSTANT, Printed, Tables


def groups(tables: Tables) -> Iterator[tuple[list[Printed], Printed | None]]:
    """Yield the columns of a table that cut one sample by one variable, and the column of the whole if printed."""

    def regression(c: Printed) -> tuple[object, ...]:
        return c.outcome, c.regressors, c.effects, c.plain

    cuts: dict[tuple[object, ...], list[Printed]] = {}
    for column in tables.columns:
        if column.declared.group:
            cuts.setdefault((column.table, column.declared.group, regression(column)), []).append(column)
    for (*_, same), parts in cuts.items():
        if len(parts) > 1:
            wholes = [c for c in tables.columns if (regression(c), c.declared.sample) == (same, parts[0].whole)]
            benchmark = [c for c in wholes if (c.table, c.column) == tables.study.benchmark]
            yield parts, next(iter([*benchmark, *wholes]), None)


def subgroup_rows(tables: Tables) -> Iterator[Finding]:
    """Do the rows of subgroups add up to those of the whole?

    Which columns are subgroups of one sample, the declaration says (conditions ``variable == 'value'``). Rows can be
    short where the grouping variable is missing, or where a command drops units that keep a single row in their group;
    where the study is declared to drop those, a shortfall of at most one row per unit cannot be judged. There can never
    be too many.
    """
    for parts, whole in groups(tables):
        place = (parts[0].table, listed([c.column for c in parts]), parts[0].declared.group)
        if whole is None or whole.n is None or any(c.n is None for c in parts):
            yield Finding(*place, "", "", CANNOT, "rows of the groups or of the whole are not printed")
            continue
        counts = [c.n or 0 for c in parts]
        gap = whole.n - sum(counts)
        words = f"{' + '.join(f'{n:,}' for n in counts)} = {sum(counts):,}, the whole {whole.place} has {whole.n:,}"
        verdict = judged(gap == 0)
        if 0 < gap <= (tables.units or 0) and _drops(tables, *parts):
            verdict = CANNOT
            words += f": {gap} short, which can be units with a single row in their group, dropped as declared"
        elif gap:
            words += f": {abs(gap):,} {'too few' if gap > 0 else 'too many'}"
        yield Finding(*place, f"{sum(counts):,}", f"{whole.n:,}", verdict, words)


def _drops(tables: Tables, *columns: Printed) -> bool:
    """Tell whether any of the columns is declared to drop rows that are alone in an effect."""
    return any((c.declared.singletons or tables.study.singletons) == "drop" for c in columns)


def panel_rows(tables: Tables) -> Iterator[Finding]:
    """Are there at most as many rows as units times years?

    Units are those that the paper counts in words, years those of the study or, where the words about a column's own
    sample name fewer (``2012-2022``), of the column.
    """
    if tables.units is None:
        yield Finding("", "", "", "", "", CANNOT, "the paper does not say how many units there are")
        return
    for column in (c for c in tables.columns if c.n is not None):
        assert column.n is not None
        first, last = tables.study.years
        named = re.search(r"\b((?:19|20)\d\d)-((?:19|20)\d\d)\b", column.described_sample)
        if named:
            first, last = max(first, int(named[1])), min(last, int(named[2]))
        most = tables.units * (last - first + 1)
        words = f"{tables.units:,} units x {last - first + 1} years = {most:,}; {column.n:,} rows printed"
        yield Finding(column.table, column.column, "", f"{column.n:,}", f"at most {most:,}", judged(column.n <= most),
                      words)  # fmt: skip


def described_rows(tables: Tables) -> Iterator[Finding]:
    r"""Do the rows of a regression fit the observations of its variables?

    A row needs every variable: :math:`N \le \min_j n_j`. On the whole sample, with every variable described or free of
    gaps, at most all gaps fall on different rows: :math:`N \ge n - \sum_j (n - n_j)`. Assumes that the table of
    descriptive statistics is about the sample the regressions start from.
    """
    if not tables.moments:
        yield Finding("", "", "", "", "", CANNOT, "the paper prints no descriptive statistics")
        return
    for column in tables.columns:
        known = sorted(column.variables & tables.moments.keys())
        if column.n is None or not known:
            continue
        counts = {name: int(tables.moments[name]["n"]) for name in known}
        scarce = min(counts, key=lambda name: counts[name])
        most, least = counts[scarce], 0
        whole = not column.declared.sample and column.plain and not _drops(tables, column)
        if whole and all(name in counts or tables.complete(name) for name in column.variables):
            least = max(tables.rows - sum(tables.rows - n for n in counts.values()), 0)
        words = f"{scarce} has {most:,} observations" + (f", gaps leave at least {least:,} rows" if least else "")
        yield Finding(column.table, column.column, "", f"{column.n:,}", str(Interval(least, most)),
                      judged(least <= column.n <= most), f"{words}; {column.n:,} printed")  # fmt: skip


def same_rows(tables: Tables) -> Iterator[Finding]:
    """Have regressions with the same variables the same rows, and those with more variables no more?

    Rows depend on the variables that can be missing. Variables without gaps are those described with the full n, and of
    those not described the ones so declared. Each column is held against the earlier ones with the same sample.
    """
    done: list[Printed] = []
    for column in (c for c in tables.columns if c.n is not None and not c.declared.matching):
        needs = {name for name in column.variables if not tables.complete(name)}
        problem, doubt, compared, low, high = "", "", 0, 0, tables.rows or 10**12
        for other in (c for c in done if c.declared.sample == column.declared.sample):
            before = {name for name in other.variables if not tables.complete(name)}
            if not (before <= needs or needs <= before):
                continue
            compared += 1
            assert column.n is not None and other.n is not None
            least = other.n if needs <= before else 0
            most = other.n if before <= needs else high
            low, high = max(low, least), min(high, most)
            if not least <= column.n <= most:
                how = "the same variables as" if before == needs else "more variables than"
                small, large = (column, other) if before <= needs else (other, column)
                words = f"{small.place} needs {how} {large.place}, but has {small.n:,} rows against {large.n:,}"
                if _drops(tables, column, other):
                    doubt = f"{words}; single rows, which one of the two is declared to drop, can explain it"
                else:
                    problem = words
        if compared:
            words = problem or doubt or f"agrees with {compared} other columns of the same sample"
            implied = f"{high:,}" if low == high else str(Interval(low, high)) if high < 10**12 else f"at least {low:,}"
            verdict = judged(False) if problem else CANNOT if doubt else CONSISTENT
            yield Finding(column.table, column.column, "", f"{column.n:,}", implied, verdict, words)
        done.append(column)


def matched_rows(tables: Tables) -> Iterator[Finding]:
    r"""Does one-to-one matching leave at most two rows per treated row?

    :math:`N \le 2 \bar d n`, with mean and n of the treatment from the descriptive statistics. Assumes that each
    treated row is matched with one control, as the paper says, and that rows are counted once.
    """
    for column in (c for c in tables.columns if c.declared.matching):
        treatment = column.declared.matching.partition("~")[0].strip()
        if treatment not in tables.moments or column.n is None:
            yield Finding(column.table, column.column, "", "", "", CANNOT, "share of treated rows or rows not printed")
            continue
        most = tables.moment(treatment, "mean") * exactly(2 * int(tables.moments[treatment]["n"]))
        words = f"2 x {tables.moments[treatment]['mean']} x {int(tables.moments[treatment]['n']):,} is at most "
        words += f"{most.high:,.0f}; {column.n:,} printed"
        yield Finding(column.table, column.column, "", f"{column.n:,}", f"at most {most.high:,.0f}",
                      judged(column.n <= most.high), words)  # fmt: skip


def treated_rows(tables: Tables) -> Iterator[Finding]:
    """Are there at most as many treated rows as the roll-out allows?

    For a panel of cities: mean times n of the treatment against the city-years from each approval on, of all
    prefectures with a zone of the declared batches (``data/facts``). The paper's sample may have fewer cities.
    """
    study = tables.study
    if study.treatment not in tables.moments or study.unit != "city":
        words = "the mean of the treatment is not printed" if study.treatment not in tables.moments else \
            "how many rows each city has is not printed"  # fmt: skip
        yield Finding(study.descriptives_table, "", study.treatment, "", "", CANNOT, words)
        return
    most = _city_years(study.years, study.batches)
    row = tables.moments[study.treatment]
    implied = tables.moment(study.treatment, "mean") * exactly(int(row["n"]))
    words = f"{row['mean']} x {int(row['n']):,} is {implied} treated rows; the roll-out has {most} city-years"
    yield Finding(study.descriptives_table, "", study.treatment, row["mean"], f"at most {most}",
                  judged(implied.low <= most), words)  # fmt: skip


@cache
def _city_years(years: tuple[int, int], batches: tuple[int, ...]) -> int:
    """Return the number of years, summed over cities, in which a zone of the batches is in force."""
    index = pd.MultiIndex.from_product([policy.cities()["adcode"], range(years[0], years[1] + 1)])
    grid = index.set_names(["city", "year"]).to_frame(index=False)
    return int(policy.attach(grid, batches, partial=True)["treat_post"].sum())


def whole_between_groups(tables: Tables) -> Iterator[Finding]:
    r"""Lies the whole's coefficient between those of its groups?

    Without other regressors and effects the whole is a weighted mean of its groups. With them it need not be: each
    group then has slopes and effects of its own. So a whole outside is only marked as inconsistent if it is further
    away than four times the sum of the two standard errors; between, it cannot be judged.
    """
    for parts, whole in groups(tables):
        for term in (t for t in parts[0].cells if t != CONSTANT and whole is not None and t in whole.cells):
            assert whole is not None
            cells = [c.cells[term] for c in parts if term in c.cells]
            span = Interval(min(c.value.low for c in cells), max(c.value.high for c in cells))
            mine = whole.cells[term]
            place = (parts[0].table, listed([c.column for c in parts]), term)
            words = f"groups {listed([c.estimate for c in cells])}; whole {mine.estimate} in {whole.place}"
            if mine.value.meets(span):
                yield Finding(*place, mine.estimate, str(span), CONSISTENT, words)
                continue
            nearest = min(cells, key=lambda cell: mine.value.beyond(cell.value))
            spreads = mine.spread and nearest.spread
            far = spreads and mine.value.beyond(nearest.value) > 4 * (mine.error.high + nearest.error.high)
            words += ": outside, " + ("far more than" if far else "within what") + " separate slopes and effects can do"
            yield Finding(*place, mine.estimate, str(span), judged(False) if far else CANNOT, words)
