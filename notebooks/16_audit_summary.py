# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The audit of five papers, and how far to trust it
#
# Which printed numbers of the five papers cannot be true together, how often the same rules complain about tables in
# which nothing is wrong, and how often they notice that a digit was changed. Run it from the project folder:
#
# ```bash
# papermill notebooks/16_audit_summary.ipynb out.ipynb -p level 0.99
# ```

# %% tags=["parameters"]
level: float = 0.95  # confidence of bounds and intervals of measured shares, above 0 and below 1

# %% tags=["hide-input"]
from pilotzones import audit, parameters, report
from pilotzones.report import figures_audit

p = parameters.check("16_audit_summary", globals())
rows = audit.audit_all()

# %% [markdown]
# ## Question
#
# The rules are those of each study's page *Audit*: they take nothing but printed numbers, each known up to half a unit
# of its last digit. Here they are counted across papers.

# %% [markdown]
# ## Result

# %%
report.show(
    figures_audit.heat_map(rows),
    name="fig-audit",
    alt="Heat map: rules in rows, the five papers in columns, in each cell the number of inconsistencies of the number "
    "of checks; most cells hold none, productivity the most.",
    caption="Inconsistent findings / findings with an answer, by rule and paper; darker is a larger share, an empty "
    "cell means that nothing can be checked. Real printed numbers, no simulation.",
    data=rows,
)

# %%
found = rows[rows["verdict"] == audit.INCONSISTENT]
report.view(
    found.set_index("study")[["rule", "table", "column", "term", "printed", "implied", "explanation"]].replace(
        {"rule": "_"}, " ", regex=True
    ),
    f"All {len(found)} inconsistencies in {len(rows[rows['verdict'] != audit.CANNOT]):,} checks of five papers",
    "Real printed numbers, no simulation.",
    empty="None.",
)

# %%
report.view(audit.totals(rows), "Checks by paper", "Real printed numbers, no simulation.")

# %% [markdown]
# ## False alarms: tables in which nothing is wrong
#
# A rule that complains about everything finds every error. So the same rules read tables that cannot contain one: our
# own regressions on synthetic panels, in the papers' layout, rounded to the papers' decimals, labelled as declared.
# Whatever is called inconsistent there is a false alarm.

# %%
alarms = audit.false_alarms(p.level)
report.view(
    alarms,
    "False alarms on tables of our own regressions (synthetic data), by rule",
    f"Upper bound: of the share, {p.level:.0%}, if checks were independent (Clopper and Pearson). Rules about words "
    "are left out.",
    digits=4,
)

# %% [markdown]
# All false alarms (6 in 3,367 checks) are about stars, and all in `resilience`. Its errors are clustered by city, and
# its p values come from a t distribution that knows of the limited number of cities, while the rule takes the normal
# one, as a note about "robust" errors suggests. A |t| just above a normal critical value then lacks a star. The one
# star that the audit misses in the printed tables of the same paper (T5, consumption, in the table above) is of exactly
# this kind: it may say something about the errors behind it, and nothing more.

# %% [markdown]
# ## Power: one digit changed
#
# In the same tables (one synthetic panel per study), one number at a time gets one other digit, at random anywhere from
# its first significant digit on, or another number of stars. A change is noticed if a place is called inconsistent that
# was not before. Changes of a last digit mostly stay within what rounding leaves open, and no rule should see them.

# %%
report.show(
    figures_audit.power_plot(audit.power(p.level)),
    name="fig-power",
    alt="Dots with intervals: share of changed digits that any rule notices, by kind of number, from an eighth for "
    "test statistics to nearly all for stars.",
    caption="Share of changes of a single digit that at least one rule notices, by kind of number, with "
    f"{p.level:.0%} intervals (own tables from synthetic data; all studies together).",
    data=audit.power(p.level),
)

# %%
report.view(
    audit.power_by_rule(),
    "Changes of a digit that each rule notices, by kind of number, in percent (synthetic data)",
    "Several rules can notice one change. A rule that notices none of a kind has an empty cell.",
    digits=1,
)

# %% [markdown]
# ## How to read it
#
# - **Stars and rows are well guarded** (99% and 82% of changes noticed): they repeat what other numbers say.
#   **Coefficients and spreads are not** (14% and 16%): a wrong coefficient shows only if it costs a star, or where a
#   paper prints every coefficient and mean.
# - **A paper without findings is not a paper without errors.** It may print little that could contradict itself:
#   compare the last column of the table of checks.
# - **Papers cannot be ranked by these counts.** One that prints descriptive statistics and constants gives more to
#   check, and one wrong label can cause several findings.

# %% [markdown]
# ## What can go wrong
#
# The false-alarm rate is that of these studies' designs. Synthetic panels are smoother than real ones, and rules that
# judge plausibility (`one scale`, `whole between groups`, `weights by kind`) may complain more on real data. The checks
# of one table share numbers, so the upper bounds are too low.

# %% [markdown]
# ## Try it
#
# - `python -m pilotzones.audit.trials` repeats both experiments (about half an hour).
# - Add a rule: a function of the printed tables that yields findings. What is its false-alarm rate?
