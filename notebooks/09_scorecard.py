# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Scorecard: every printed number, and what became of it
#
# This page re-estimates every table the study declares and judges each printed number. Run it with other parameters
# from the project folder:
#
# ```bash
# papermill notebooks/09_scorecard.ipynb out.ipynb -p study innovation -p vcov cluster_city
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic

# %% tags=["hide-input"]
from pilotzones import ledger, panel, parameters, replicate, report, studies
from pilotzones.report import figures_scorecard

p = parameters.check("09_scorecard", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# How far is each re-estimated number from the printed one? With $b$ the printed and $\hat b$ the re-estimated value,
#
# $$ z_{\text{published}} = \frac{\hat b - b}{\text{printed standard error}} $$
#
# says whether the difference is large by the paper's own uncertainty.

# %% [markdown] tags=["needs-truth"]
# A second ruler judges the generator of the synthetic panel: is the difference larger than sampling noise explains?
#
# $$ z_{\text{MC}} = \frac{\hat b - b}{\text{Monte-Carlo standard deviation of } \hat b} $$

# %%
rows = ledger.build(declared, data, p.source, p.seed, p.vcov)
report.verdict_counts(rows, f"Verdicts by table of the paper ({p.source} data)")

# %%
counts = ledger.verdicts(rows)
report.show(
    figures_scorecard.verdict_heatmap(counts),
    name="fig-verdicts",
    alt="Heat map of verdicts by table of the paper: each cell gives the number of printed numbers with that verdict, "
    "and is darker the larger their share of the table.",
    caption=f"Verdicts by table of the paper ({p.source} data). In each cell the number of printed numbers with that "
    "verdict; darker: a larger share of the table's numbers.",
    data=counts,
)

# %%
compared = figures_scorecard.compared(rows)
report.show(
    figures_scorecard.agreement_plot(compared),
    name="fig-agreement",
    alt=f"Scatter plot of {len(compared)} re-estimated against printed coefficients, and where the paper prints any of "
    "their t values, with a line where both are equal; shapes and colours tell the sections of the paper apart.",
    caption=f"Re-estimated against printed coefficients ({len(compared)}), with one standard error to each side as "
    f"printed and as re-estimated, and their t values where the paper prints any ({p.source} data). Grey line: equal. "
    "Near zero the scales are linear, up to 0.01 on the left and 2 on the right; beyond, logarithmic.",
    data=compared,
)

# %% [markdown]
# ## How to read it
#
# "Exact" means equal at the printed precision, "close" within one printed standard error (or 1% where none is printed,
# 0.01 for an R2), "near" within two (5%, 0.03), "differs" anything further. In the scatter plot a point on the grey
# line agrees exactly; one whose bars do not reach it is further away than one standard error of either side. On the
# authors' own data every number should be exact; other vintages of a database, and choices that the paper does not
# state, move them.

# %% [markdown] tags=["needs-truth"]
# With honest sampling noise about a third of the estimates should be further away than one standard error. Agreement on
# synthetic data shows that the code implements the stated specification and that the numbers can arise together; it is
# not evidence for the effect.

# %% tags=["needs-truth"]
if p.source == "synthetic":
    estimates = rows[(rows["statistic"] == "estimate") & rows["replicated"].notna()]
    report.show(
        report.figures.scorecard_plot(estimates),
        name="fig-scorecard",
        alt="Scatter plot of the two distances of every estimate, with a grey square from minus two to plus two.",
        caption=f"Distance of every re-estimated coefficient from its printed value ({p.source} data), in printed "
        "standard errors and in Monte-Carlo standard deviations. Grey: within two of both.",
        data=estimates[["table", "column", "term", "tag", "z_published", "z_mc"]],
    )

# %% [markdown]
# ## Estimates

# %% tags=["hide-input"]
report.ledger_table(rows[rows["statistic"] == "estimate"], f"Printed and re-estimated coefficients ({p.source} data)")

# %% [markdown]
# ## Claims in words

# %% tags=["hide-input"]
report.ledger_table(rows[rows["statistic"] == "claim"], f"The paper's statements, checked on {p.source} data")

# %% [markdown]
# ## Observations, R2, descriptive statistics, tests and figures

# %% tags=["hide-input"]
other = rows[~rows["statistic"].isin(["estimate", "claim"])]
report.ledger_table(other, f"All other printed numbers ({p.source} data)")

# %% tags=["remove-cell"]
report.ledger_table(rows, "All ledger rows", machine_readable=True)

# %% [markdown]
# ## What can go wrong
#
# A number tagged inconsistent contradicts another number of the same paper and cannot be met together with it.

# %% [markdown] tags=["needs-truth"]
# A targeted number agrees because the generator was calibrated to it; only untargeted numbers test whether the model
# is coherent.

# %% [markdown]
# ## Try it
#
# - `-p vcov iid` and `-p vcov cluster_unit`: which claims about significance depend on the errors?

# %% [markdown] tags=["needs-truth"]
# - `-p seed 7`: how many verdicts change with the sample alone?
