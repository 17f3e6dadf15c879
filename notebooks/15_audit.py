# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Audit: can the printed numbers stand side by side?
#
# This page uses no data. It takes the numbers that the paper prints and asks whether they can all be true at once.
# Run it for another paper from the project folder:
#
# ```bash
# papermill notebooks/15_audit.ipynb out.ipynb -p study productivity
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to audit, e.g. innovation

# %% tags=["hide-input"]
from pilotzones import audit, parameters, report, studies

p = parameters.check("15_audit", globals())
declared = studies.load(p.study)
report.note(declared, "15_audit", "printed")

# %% [markdown]
# ## Question
#
# A table says more than it prints. A coefficient and its standard error fix the stars; a mean and the number of rows
# fix how many rows are treated; slope, R2 and standard deviations fix each other. A printed number $x$ with $d$
# decimals stands for every value in
#
# $$ \left[\, x - \tfrac12 10^{-d},\; x + \tfrac12 10^{-d} \,\right], $$
#
# and each rule below computes with such intervals what the other numbers imply. Only if no value fits does it say
# *inconsistent*.

# %% [markdown]
# ## Result

# %%
findings = audit.of_study(declared)
rows = findings.replace({"rule": "_"}, " ", regex=True).set_index("rule")
found = rows[rows["verdict"] == audit.INCONSISTENT]
report.view(
    found[["table", "column", "term", "printed", "implied", "explanation"]],
    f"Printed numbers of {p.study} that do not agree with each other ({len(found)} of {len(rows)} findings)",
    "Real printed numbers, no simulation. Implied: what the other printed numbers leave open.",
    empty="No rule finds a contradiction among the printed numbers.",
)

# %%
report.note(declared, "15_audit", "findings")

# %%
report.view(
    audit.counts(findings),
    f"Verdicts by rule on the printed numbers of {p.study}",
    "A row with nothing but one 'cannot be checked' is a rule for which the paper prints too little.",
)

# %% [markdown]
# ## The rules

# %%
report.view(audit.rules(), "What each rule asks; formulas and assumptions stand in the library, in pilotzones.audit")

# %% [markdown]
# ## How to read it
#
# - **Inconsistent** says that the numbers do not agree. It does not say which one is off, or why: a typing error,
#   another sample than the label says, two rows exchanged, a number from an earlier version and a misreading of ours
#   all look alike. The paper's authors could tell; a reader cannot.
# - **Consistent** is weak praise. Most rules leave room, because printed numbers are rounded; how often a rule notices
#   a changed digit, and how often it complains without cause, is measured in
#   {doc}`the summary <../../across/16_audit_summary>`.
# - **Cannot be checked** is a finding, too: with means, numbers of units and all coefficients printed, more could be.
#
# Some things that audits look at are in none of the five papers: an estimate with both standard error and t value,
# confidence intervals in a table, an adjusted R2, a reduced form, an effect in percent of a mean.

# %% [markdown]
# ## What can go wrong
#
# Three rules are not arithmetic. `one scale` and `whole between groups` ask whether a difference is plausible, and
# `weights by kind` relies on what data about cities usually look like. Samples, instruments and groups are read from
# this book's declaration of the paper: where the declaration is wrong, so is the finding.

# %% [markdown]
# ## All findings

# %% tags=["hide-input"]
checked = rows[rows["verdict"] != audit.CANNOT].sort_values("verdict", ascending=False, kind="stable")
report.view(
    checked[["table", "column", "term", "printed", "implied", "verdict", "explanation"]],
    f"Every check on the printed numbers of {p.study} that has an answer",
    empty="No rule has an answer.",
)

# %% tags=["hide-input"]
report.view(
    rows[rows["verdict"] == audit.CANNOT][["table", "column", "term", "explanation"]],
    f"What cannot be checked in {p.study}, and why",
    empty="Everything can be checked.",
)

# %% [markdown]
# ## Try it
#
# - Change one digit in a copy of `data/published/estimates.csv` and run the page again: is it found, and by which rule?
# - Take a table of a paper of your own. Which of these rules would have something to say?
