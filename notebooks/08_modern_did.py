# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Modern difference-in-differences: would the conclusion survive?
#
# This page takes the paper's two-way fixed effects estimate apart, re-estimates the effect with nine estimators that
# mean the same thing by it, and asks how strong a violation of parallel trends the result survives. Run it with other
# parameters from the project folder:
#
# ```bash
# papermill notebooks/08_modern_did.ipynb out.ipynb -p study innovation -p scenario dynamic
# ```

# %% [markdown] tags=["needs-truth"]
# Because the data are synthetic, the page also shows which estimator finds the truth in this roll-out.

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel and of the bootstrap, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
scenario: str = "paper"  # effects laid over the roll-out: paper, or a world such as homogeneous, dynamic or trending
draws: int = 999  # bootstrap samples and fake roll-outs, 99 or more

# %% tags=["hide-input"]
from IPython.display import display

from pilotzones import modern_did, panel, parameters, replicate, report, scenarios, studies
from pilotzones.report import figures_modern

p = parameters.check("08_modern_did", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
if p.scenario != "paper":
    data = scenarios.laid_over(declared, data, p.scenario)
design = modern_did.design(declared, data)
behind = f"{p.source} data" + (f", seed {p.seed}" if p.source == "synthetic" else "")
behind += f", scenario {p.scenario}" if p.scenario != "paper" else ""
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# With a roll-out in several years, two-way fixed effects compare many pairs of groups at once, and in some of them the
# "control" is already treated. If effects grow, such a comparison subtracts them. So there are two questions. What is
# the mean effect over treated unit-years,
#
# $$ \tau = \frac{\sum_{t \ge g} n_{gt}\, \tau_{gt}}{\sum_{t \ge g} n_{gt}}, $$
#
# with $\tau_{gt}$ the effect in year $t$ on the units first treated in year $g$, when only units that are not (yet)
# treated serve as controls? And does the paper's conclusion survive?

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "design", p.source)

# %% [markdown]
# ## What two-way fixed effects compare
#
# The estimate without controls is a weighted mean of all two-by-two comparisons in the roll-out (Goodman-Bacon 2021).
# Comparisons of later with already treated units are the forbidden ones.

# %%
taken_apart = modern_did.bacon(design)
report.view(modern_did.bacon_types(taken_apart), f"Two-way fixed effects taken apart, by kind of comparison ({behind})",
            taken_apart.note)

# %%
report.show(
    figures_modern.bacon_plot(taken_apart, xlabel="weight (share)", ylabel=declared.effect_label),
    name="fig-bacon",
    alt="Scatter plot of the two-by-two comparisons, weight against estimate, one colour per kind of comparison.",
    caption="Every two-by-two comparison behind the two-way fixed effects estimate (line): its weight and its estimate "
    f"({behind}, units observed in all years).",
    data=taken_apart.comparisons,
)

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "bacon", p.source)

# %% [markdown]
# ## Nine estimators, one estimand
#
# Same rows, same treated cells, every treated row counting once, no controls, errors clustered by place. Only two-way
# fixed effects mean something else: a variance-weighted mean.

# %%
found = modern_did.estimates(design)
report.view(modern_did.table(found), f"The effect by estimator ({behind})",
            "treated rows: those that the estimate is a mean over.", digits=digits)

# %%
report.view(modern_did.notes(found), "What is special about each estimator here")

# %%
report.show(
    figures_modern.estimates_plot(modern_did.table(found), modern_did.truth(design), xlabel=declared.effect_label),
    name="fig-estimators",
    alt="The effect with 95% intervals by estimator, with a line at the true mean effect where it is known.",
    caption=f"Mean effect over treated unit-years with 95% intervals, by estimator ({behind}). Line, where the truth "
    "is known: the true mean effect.",
    data=modern_did.table(found),
)

# %%
paths = report.figures.with_truth(figures_modern.by_event_time(found), modern_did.true_path(design))
report.show(
    figures_modern.event_plot(paths, ylabel=declared.effect_label),
    name="fig-modern-event-study",
    alt="Effects by years since the zone with 95% intervals, one colour per estimator; black marks for the truth.",
    caption=f"Effects by years since the zone, with 95% intervals ({behind}). Black marks, where the truth is known: "
    "mean effect of the treated rows of that year.",
    data=paths,
)

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "estimators", p.source)

# %% [markdown]
# ### Never treated, or not yet treated?
#
# Units that get a zone later are closer to those that have one, and may anticipate it. Never-treated units do not
# anticipate, and may be different.

# %%
report.view(modern_did.control_groups(design), f"The effect with each control group ({behind})", digits=digits)

# %% [markdown]
# ### With the paper's controls
#
# Controls enter in different ways: Callaway and Sant'Anna compare units that had the same values in the year before,
# the others add them to the regression.

# %%
report.view(modern_did.with_controls(declared, design), f"The effect with the paper's controls ({behind})",
            "Empty: the library finds effects of cohorts and years that are not identified beside the controls.",
            digits=digits)

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "controls", p.source)

# %% [markdown]
# ## How strong a violation does it survive?
#
# Parallel trends cannot be tested for the years after the reform. One can ask how far they would have to fail for the
# interval to contain zero (Rambachan and Roth 2023): at most $M$ times the largest change seen before the reform
# (relative magnitudes), or a slope that changes by at most $M$ a year (smoothness).

# %%
bounds = modern_did.honest_bounds(found)
report.view(bounds, f"Robust 95% intervals of the mean effect ({behind})",
            "The breakdown value is the size of the violation at which the interval reaches zero.", digits=digits)

# %% [markdown]
# ### What would the pre-trend test have seen?
#
# A pre-trend that the leads would have revealed with 50% or 80% probability, and what it adds to the estimate unseen
# (Roth 2022).

# %%
report.view(modern_did.pretrend_power(found), f"Straight-line violations that leads detect ({behind})", digits=4)

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "sensitivity", p.source)

# %% [markdown]
# ## How sure is the paper's own estimate?
#
# The benchmark column with its controls and effects, tested in five ways. The wild cluster bootstrap (Cameron, Gelbach
# and Miller 2008) does not need many or equal clusters, and randomisation inference needs no error at all.

# %%
report.view(modern_did.inference(declared, data, p.draws, p.seed),
            f"p values of the benchmark estimate ({behind}; {p.draws} draws)")

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "inference", p.source)

# %% [markdown] tags=["needs-truth"]
# ## Which estimator should one have used?
#
# The same roll-out, many fresh samples, six worlds of which the truth is known. In the first three the assumptions
# hold, and only the effects differ; in the last three an assumption fails, and no estimator is right.

# %% tags=["needs-truth"]
if p.source == "synthetic":
    words = {"bias": "Bias, % of the effect", "sd": "Standard deviation, % of the effect",
             "rmse": "Root mean squared error, % of the effect",
             "coverage": "Coverage of 95% intervals, share of samples",
             "power": "Samples whose interval excludes zero, share"}
    tables = modern_did.monte_carlo(declared)
    for name, table in tables.items():
        display(report.view(table,
                            f"{words[name]}: estimators (rows) in worlds of known truth (columns), this roll-out"))
    if not tables:
        print("No Monte-Carlo summary of this roll-out is committed; those of resilience and productivity are.")

# %% tags=["remove-input", "needs-truth"]
report.note(declared, "08_modern_did", "monte_carlo", p.source)

# %% [markdown]
# ## How to read it

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "reading", p.source)

# %% [markdown]
# ## What can go wrong
#
# - **Few treated units in a cohort.** Hangzhou alone makes the cohort of 2015: its sampling error cannot be seen.
# - **Controls that are treated later.** Batches that the paper does not count are never treated here, and get zones.
# - **One estimand, many weightings.** Packages weigh cohorts differently by default; this page re-weighs all of them.

# %% tags=["remove-input"]
report.note(declared, "08_modern_did", "threats", p.source)

# %% [markdown]
# ## Try it
#
# - `-p draws 199`: how much do p values depend on the number of draws?

# %% [markdown] tags=["needs-truth"]
# - `-p scenario dynamic`: which estimators move, and in which direction?
# - `-p scenario trending`: does the pre-trend test reveal what biases all of them?
# - `-p seed 7`: how much of the difference between estimators is luck?
