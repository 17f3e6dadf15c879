"""What the text of the quality study claims, sentence by sentence: its tables are lost, so all are checked here."""

from __future__ import annotations

import pandas as pd

from pilotzones import replicate
from pilotzones.claims import Check, coefficient, descending, together
from pilotzones.declare import Study

SIGNIFICANT = 0.10  # "significant" without a level; the paper marks stars from 10%


def fit_rises(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """Claim E08: the R2 of ret and of ecom rises when year effects are added."""
    table, found = study.table("T3"), []
    for odd, even in (("1", "2"), ("3", "4")):
        columns = [table.column(name) for name in (odd, even)]
        found.append([replicate.printed_r2(study, c, replicate.column(study, c, panel)) for c in columns])
    numbers = "; ".join(f"{before:.3f} to {after:.3f}" for before, after in found)
    return all(before < after for before, after in found), f"{numbers}; rising claimed"


def effects_are_fixed(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """Claim E09: the Hausman test rejects random effects (5%); where it has no p value, Mundlak's form does."""
    tests = replicate.fixed_or_random(study, panel)
    classical, robust = tests.loc["Hausman"], tests.loc["Mundlak"]
    used = classical if pd.notna(classical["p"]) else robust
    numbers = f"chi2({classical['df']:.0f}) = {classical['statistic']:.1f}, "
    numbers += f"p = {classical['p']:.3f}" if used is classical else "no p; Mundlak's form"
    numbers += "" if used is classical else f" F = {robust['statistic']:.1f}, p = {robust['p']:.3f}"
    return bool(used["p"] < 0.05), f"{numbers}; below 0.05 claimed"


def instruments_are_strong(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """Claim E10: each instrument alone has an LM test with p < 0.001 and a Wald F above 16.38."""
    holds, numbers = [], []
    for column in study.table("T5").columns:
        tests = replicate.identification(study, column, panel).tests
        p, strength = tests.at["Kleibergen-Paap LM", "p"], tests.at["Kleibergen-Paap F", "statistic"]
        holds.append(p < 0.001 and strength > 16.38)
        numbers.append(f"({column.id}) p = {p:.2g}, F = {strength:.0f}")
    return all(holds), f"{'; '.join(numbers)}; below 0.001 and above 16.38 claimed"


def dynamics_pass(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
    """Claim E15: in every column AR(1) is rejected, AR(2) and the Hansen test are not (10%)."""
    holds, numbers = [], []
    for column in study.dynamics:
        p = replicate.dynamic(study, column, panel).tests["p"]
        holds.append(p["AR(1)"] <= SIGNIFICANT < min(p["AR(2)"], p["Hansen"]))
        numbers.append(f"{column.label}: AR(1) {p['AR(1)']:.3f}, AR(2) {p['AR(2)']:.3f}, Hansen {p['Hansen']:.3f}")
    return all(holds), f"p values {'; '.join(numbers)}; only AR(1) below {SIGNIFICANT:g} claimed"


def dynamic(term: str, level: float) -> Check:
    """Return the check that a coefficient is positive in every column of system GMM; empty term: the column's own."""

    def check(study: Study, panel: pd.DataFrame) -> tuple[bool, str]:
        holds, numbers = [], []
        for column in study.dynamics:
            found = replicate.dynamic(study, column, panel).coefficients.loc[term or column.label]
            holds.append(found["estimate"] > 0 and found["p"] <= level)
            numbers.append(f"{column.label}: {found['estimate']:.3f} (p = {found['p']:.3f})")
        return all(holds), f"{'; '.join(numbers)}; positive at {level:g} claimed"

    return check


def positive(table: str, cells: dict[str, str], level: float = SIGNIFICANT) -> Check:
    """Return the check that the coefficients of one table (column -> term) are positive at ``level``."""
    return together(*(coefficient(table, column, term, "+", level) for column, term in cells.items()))


LAYERS = ("ret", "ecom", "basic")
CHECKS = {
    **{f"E{i:02}": coefficient("T3", str(i), LAYERS[(i - 1) // 2], "+", SIGNIFICANT) for i in range(1, 7)},
    "E07": together(*(descending(*(("T3", str(2 * i + k), name) for i, name in enumerate(LAYERS))) for k in (1, 2))),
    "E08": fit_rises,
    "E09": effects_are_fixed,
    "E10": instruments_are_strong,
    "E11": positive("T5", dict.fromkeys("1234", "ret"), 0.01),
    "E12": positive("T6", {"1": "ret", "2": "ret", "3": "ecom", "5": "basic"}, 0.01),
    "E13": positive("T6", {"4": "ecom"}, 0.05),
    "E14": positive("T6", {"6": "basic"}, 0.05),
    "E15": dynamics_pass,
    "E16": dynamic("L1.SEX", SIGNIFICANT),
    "E17": dynamic("", 0.01),
    "E18": positive("T8", {"3": "ret"}),
    "E19": positive("T8", {"4": "ret"}),
    "E20": coefficient("T8", "5", "ret", "-", 1),
    "E21": positive("T8", {"6": "ret"}),
    "E22": together(coefficient("T8", "7", "ret", "+", 1), coefficient("T8", "7", "ret", "0", SIGNIFICANT)),
    "E23": positive("T8", {"8": "ret", "9": "ret"}),
    "E24": descending(("T8", "8", "ret"), ("T8", "9", "ret")),
}
