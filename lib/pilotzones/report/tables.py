"""Tables for a page: semantic HTML, plain text and LaTeX from one data frame."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd
from IPython.display import Markdown

from pilotzones import ledger, published
from pilotzones.declare import Column, Study, Table
from pilotzones.estimators import regression
from pilotzones.estimators.regression import Regression
from pilotzones.replicate import printed_r2
from pilotzones.report.data import as_csv
from pilotzones.trace import DATA_MIME


@dataclass(frozen=True)
class TableView:
    """A finished table: strings in a frame, with a caption that can stand alone.

    Parameters
    ----------
    frame : text of the cells; one or two header levels; the index labels the rows.
    caption : what the table shows, including whether the data are synthetic.
    note : small print below the table.
    data : the numbers behind the text, which the book offers as a file; None for the text itself.
    extra : further MIME types to carry along, e.g. machine-readable rows.
    """

    frame: pd.DataFrame
    caption: str
    note: str = ""
    data: pd.DataFrame | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        behind = {"caption": self.caption, "csv": as_csv(self.frame if self.data is None else self.data)}
        shown = {"text/html": self.html(), "text/latex": self.latex(), "text/plain": self.text()}
        return {**shown, DATA_MIME: behind, **self.extra}

    def html(self) -> str:
        """Return the table as HTML with a caption and scoped header cells; all text is escaped."""
        levels = self.frame.columns.nlevels
        head = [f"<tr>{_corner(self.frame, levels)}{_header_cells(self.frame.columns, 0)}</tr>"]
        if levels == 2:
            head.append(f"<tr>{_header_cells(self.frame.columns, 1)}</tr>")
        heads = _row_headers([_label(label) for label in self.frame.index])
        body = [
            f"<tr>{head}" + "".join(_cell(str(cell)) for cell in cells) + "</tr>"
            for head, cells in zip(heads, self.frame.to_numpy(dtype=object), strict=True)
        ]
        foot = f'<p class="table-note">{escape(self.note)}</p>' if self.note else ""
        return (
            '<div class="table-scroll" tabindex="0" role="region" '
            f'aria-label="{escape(self.caption)}"><table class="dataframe regtable">\n'
            f"<caption>{escape(self.caption)}</caption>\n<thead>{''.join(head)}</thead>\n"
            f"<tbody>\n{chr(10).join(body)}\n</tbody></table></div>{foot}"
        )

    def latex(self) -> str:
        """Return the table in LaTeX (booktabs)."""
        styled = self.frame.style.format(escape="latex").format_index(escape="latex", axis=0)
        styled = styled.format_index(escape="latex", axis=1)
        text: str = styled.to_latex(hrules=True, caption=self.caption.replace("%", r"\%"), multicol_align="c")
        return text

    def text(self) -> str:
        """Return the table as plain text."""
        return "\n".join(part for part in (self.caption, self.frame.to_string(), self.note) if part)


def _label(label: object) -> str:
    return ", ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _row_headers(labels: list[str]) -> list[str]:
    """Return the header cell of every row; a row without a label belongs to the header above it."""
    cells, start = [""] * len(labels), 0
    for end in range(1, len(labels) + 1):
        if end == len(labels) or labels[end]:
            span = f' rowspan="{end - start}"' if end - start > 1 else ""
            text = escape(labels[start])
            cells[start] = f'<th scope="row"{span}>{text}</th>' if text else f"<td{span}></td>"
            start = end
    return cells


def _corner(frame: pd.DataFrame, levels: int) -> str:
    name = frame.index.name
    if name:
        return f'<th scope="col" rowspan="{levels}">{escape(str(name))}</th>'
    return f'<td rowspan="{levels}"></td>'


def _cell(text: str) -> str:
    kind = ' class="text"' if len(text) > 24 else ""  # sentences wrap, numbers do not
    return f"<td{kind}>{escape(text)}</td>"


def _header_cells(columns: pd.Index, level: int) -> str:
    labels = list(columns.get_level_values(level))
    if level == columns.nlevels - 1:
        return "".join(f'<th scope="col">{escape(str(label))}</th>' for label in labels)
    cells, start = [], 0
    for end in range(1, len(labels) + 1):
        if end == len(labels) or labels[end] != labels[start]:
            cells.append(f'<th scope="colgroup" colspan="{end - start}">{escape(str(labels[start]))}</th>')
            start = end
    return "".join(cells)


def view(frame: pd.DataFrame, caption: str, note: str = "", digits: int = 3, empty: str = "") -> TableView | Markdown:
    """Format the numbers of a frame for reading: ``digits`` decimals, thousands separators for integers.

    Parameters
    ----------
    empty : sentence that stands in for a table without rows.
    """
    if frame.empty and empty:
        return Markdown(empty)
    return _formatted(frame, caption, note, digits)


def _formatted(frame: pd.DataFrame, caption: str, note: str = "", digits: int = 3) -> TableView:
    return TableView(frame.map(lambda value: number(value, digits)), caption, note, frame)


def digits(study: Study) -> int:
    """Return the decimals that suit a study's estimates: those with which the paper prints them, at least three."""
    printed = published.estimates(study.key)["estimate"]
    return int(printed.map(ledger.decimals).max()) if len(printed) else 3


def number(value: object, digits: int = 3) -> str:
    """Return one cell's text: empty for missing, ``28,305`` for integers, fixed decimals otherwise."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float) and float(value) == int(value):  # type: ignore[arg-type, call-overload]
        return f"{int(value):,}"  # type: ignore[call-overload]
    return f"{float(value):,.{digits}f}"  # type: ignore[arg-type]


def stars(p: float) -> str:
    """Return the usual stars: 1%, 5%, 10%."""
    return "***" if p < 0.01 else "**" if p < 0.05 else "*" if p < 0.10 else ""


def regression_table(
    study: Study, table: Table, fits: dict[str, Regression], vcov: str, source: str, terms: list[str] | None = None
) -> TableView:
    """Set the printed and the re-estimated columns of a table side by side.

    Parameters
    ----------
    fits : one regression per column id of the table.
    vcov : the standard errors shown in the re-estimated columns.
    terms : the rows; by default the terms that the paper prints, and those that the columns are about.
    """
    printed = published.estimates(study.key).query("table == @table.id")
    columns = published.columns(study.key).query("table == @table.id").set_index("column")
    columns = columns[columns.index.isin(printed["column"]) | columns[["n_obs", "r2"]].notna().any(axis=1)]
    about = [c.term for c in table.columns if c.term in fits[c.id].coefficients.index]
    rows = terms or list(dict.fromkeys([*printed["term"], *about] if len(printed) else _without_blocks(study, fits)))
    if regression.CONSTANT in rows:
        rows = [*(term for term in rows if term != regression.CONSTANT), regression.CONSTANT]
    decimals = digits(study)
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for column in table.columns:
        fit, paper = fits[column.id], printed[printed["column"] == column.id].set_index("term")
        header = f"({column.id}) {column.label}"
        own = _estimated_cells(study, rows, column, fit, decimals)
        if column.id in columns.index:
            cells[header, "printed"] = _printed_cells(rows, paper, columns.loc[column.id], decimals)
        cells[(header, "here") if len(columns) else (header,)] = own
    frame = pd.DataFrame(cells).rename({regression.CONSTANT: "Constant"})
    named = frame.copy()  # a row of a file needs a name of its own
    frame.index = ["" if label.startswith("(") else label for label in frame.index]  # the spread stands below its term
    kinds = " or ".join(sorted(set(printed["spread_kind"]) - {""}))
    brackets = f"printed {kinds}; re-estimated standard errors are" if kinds else "standard errors"
    note = f"In brackets: {brackets} of type '{vcov}'. Stars: *** 1%, ** 5%, * 10%. {_r2_note(study, table)}"
    if regression.CONSTANT in rows:
        note += " Constant: at the mean of all effects."
        if study.constant == "first_year":
            note = note.replace("of all effects", f"of the units' effects in {study.years[0]}")
    if printed.empty:
        return TableView(frame, f"{table.title}, on {source} data; the paper prints no numbers", note, named)
    return TableView(frame, f"{table.id}. {table.title}: as printed, and re-estimated on {source} data", note, named)


def _without_blocks(study: Study, fits: dict[str, Regression]) -> list[str]:
    """Return the regressors of some columns that are in no block of the study, such as its controls."""
    blocks = {name for block in study.blocks for name in [*study.regressors(block), regression.CONSTANT]}
    return [str(term) for fit in fits.values() for term in fit.coefficients.index if term not in blocks]


def _r2_note(study: Study, table: Table) -> str:
    """Say which R2 the re-estimated columns of a table show."""
    kind = {"overall": "overall, effects included", "within": "within, all effects removed",
            "within_unit": f"within {study.unit}, time effects included"}[study.r2]  # fmt: skip
    has_effects = any("|" in column.formula for column in table.columns)
    is_odd = study.r2 == "overall" and any(column.instrumented for column in table.columns)
    words = f"R2 of columns with fixed effects: {kind}" if has_effects else "R2: overall"
    return f"{words}{'; of 2SLS: within' if is_odd else ''}."


def _printed_cells(rows: list[str], paper: pd.DataFrame, column: pd.Series, decimals: int) -> dict[str, str]:
    cells = {}
    for term in rows:
        has = term in paper.index
        stars_printed = "*" * int(paper.at[term, "stars"]) if has and pd.notna(paper.at[term, "stars"]) else ""
        cells[term] = f"{paper.at[term, 'estimate']:.{decimals}f}{stars_printed}" if has else ""
        spread = has and pd.notna(paper.at[term, "spread"])
        cells[f"({term})"] = f"({paper.at[term, 'spread']:.{decimals}f})" if spread else ""
    n_obs = number(int(column["n_obs"])) if pd.notna(column["n_obs"]) else ""
    return cells | {"observations": n_obs, "R2": number(column["r2"], decimals)}


def _estimated_cells(study: Study, rows: list[str], column: Column, fit: Regression, decimals: int) -> dict[str, str]:
    cells = {}
    for term in rows:
        has = term in fit.coefficients.index
        row = fit.coefficients.loc[term] if has else None
        cells[term] = f"{row['estimate']:.{decimals}f}{stars(row['p'])}" if row is not None else ""
        cells[f"({term})"] = f"({row['se']:.{decimals}f})" if row is not None else ""
    return cells | {"observations": number(fit.n_obs), "R2": number(printed_r2(study, column, fit), decimals)}


def descriptive_table(rows: pd.DataFrame, caption: str) -> TableView:
    """Set printed and re-estimated descriptive statistics side by side, from ledger rows."""
    rows = rows[rows["statistic"].isin(["n_obs", "mean", "sd", "min", "max"])]
    cells: dict[tuple[str, str], pd.Series] = {}
    for statistic in rows["statistic"].unique():
        part = rows[rows["statistic"] == statistic].set_index("term")
        for name, values in (("printed", part["published"]), ("here", part["replicated"])):
            cells[statistic, name] = values.map(lambda value, kind=statistic: _by_statistic(value, kind))
    return TableView(pd.DataFrame(cells), caption)


def _by_statistic(value: float, statistic: str, decimals: int = 3) -> str:
    return number(float(value), 0 if statistic == "n_obs" else decimals)


def ledger_table(rows: pd.DataFrame, caption: str, machine_readable: bool = False) -> TableView | Markdown:
    """Show ledger rows: printed and re-estimated numbers, both distances, the verdict and its reason.

    Parameters
    ----------
    rows : rows of one study from :func:`pilotzones.ledger.build`; of none, a sentence says so.
    machine_readable : also carry all ledger columns along, for the book's ``ledger.csv``.
    """
    if rows.empty:
        return Markdown("None: no number that the paper prints belongs here.")
    # as many decimals as the paper has for numbers of the kind, so that 0.0355 and 0.0338 do not look alike
    kinds = rows["table"] + rows["statistic"]
    decimals = rows["published"].fillna(0.0).map(ledger.decimals).groupby(kinds).transform("max").clip(lower=3)
    named = rows.replace({"term": {regression.CONSTANT: "constant"}})
    claims = published.claims(rows["study"].iloc[0]).set_index("claim_id")["claim"]
    frame = pd.DataFrame(
        {
            "where": [
                f"{row.table} ({row.column})" if row.column else row.table or "several tables"
                for row in rows.itertuples()
            ],
            "what": [claims.get(row.term, f"{row.term} {row.statistic}".strip()) for row in named.itertuples()],
            "printed": list(map(_by_statistic, rows["published"], rows["statistic"], decimals)),
            "here": list(map(_by_statistic, rows["replicated"], rows["statistic"], decimals)),
            "in printed SE": [number(value, 1) for value in rows["z_published"]],
            "in MC sd": [number(value, 1) for value in rows["z_mc"]],
            "tag": rows["tag"].str.replace("_", " "),
            "verdict": rows["verdict"].str.replace("_", " "),
            "reason": rows["reason"],
        }
    ).set_index("where")
    extra = {"application/vnd.pilotzones.ledger+json": json.loads(rows.to_json(orient="records"))}
    return TableView(frame, caption, data=rows, extra=extra if machine_readable else {})


def verdict_counts(rows: pd.DataFrame, caption: str) -> TableView:
    """Count verdicts (columns) by table of the paper (rows)."""
    counts = ledger.verdicts(rows)
    return _formatted(counts.assign(all=counts.sum(axis=1)), caption)
