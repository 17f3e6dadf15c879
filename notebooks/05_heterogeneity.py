# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Heterogeneity: for whom, and is the difference real?
#
# This page re-estimates the benchmark in the paper's subsamples and adds what the paper does not test: whether the
# coefficients differ from each other. Run it with other parameters from the project folder:
#
# ```bash
# papermill notebooks/05_heterogeneity.ipynb out.ipynb -p study innovation -p vcov cluster_city
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel and of the permutations, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
draws: int = 100  # permutations of the group labels, 0 for none

# %% tags=["hide-input"]
from IPython.display import display

from pilotzones import heterogeneity, ledger, pairs, panel, parameters, replicate, report, studies

p = parameters.check("05_heterogeneity", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# Is the effect larger in group $a$ than in group $b$? The question is about a difference,
#
# $$ \beta_a - \beta_b, \qquad \text{with standard error} \quad \sqrt{s_a^2 + s_b^2} $$
#
# if the two estimates are independent.
#
# "Significant in one group, not in the other" does not answer it: an estimate of 0.06 can be significant and one of
# 0.05 not, while their difference is far from it (Gelman and Stern 2006).

# %% [markdown]
# ## What the paper did

# %% tags=["remove-input"]
report.note(declared, "05_heterogeneity", "specification", p.source)

# %%
tables = declared.section_tables("05_heterogeneity")
for table in tables:
    display(report.specification(declared, table))

# %% [markdown]
# ## Result

# %%
for table in tables:
    fits = {column.id: replicate.column(declared, column, data, p.vcov) for column in table.columns}
    display(report.regression_table(declared, table, fits, p.vcov, p.source))

# %%
groups = heterogeneity.estimates(declared, tables, data, p.vcov)
report.show(
    report.figures.interval_plot(groups, xlabel=declared.effect_label),
    name="fig-groups",
    alt="Treatment coefficients of all subsamples with 95% intervals and a line at zero.",
    caption=f"Effect by subsample with 95% intervals ({p.source} data, standard errors: {p.vcov}). "
    "Overlapping intervals do not settle whether two coefficients differ: see the tests below.",
    data=groups,
)

# %% tags=["remove-input"]
report.note(declared, "05_heterogeneity", "reading", p.source)

# %% [markdown] tags=["needs-pairs"]
# ### Which cities are high, which are low?
#
# Classes of pairs follow from classes of cities, and those from a cut-off. The same estimates under each reading, with
# the number of pairs, which decides between readings.

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    display(report.view(pairs.classes(declared, data, p.vcov),
                        f"The benchmark by class under each reading ({p.source} data, errors: {p.vcov})",
                        "three thirds: both high are two cities of the top third, both low two of the bottom third, "
                        "different all other pairs."))

# %% tags=["remove-input", "needs-pairs"]
report.note(declared, "05_heterogeneity", "classes", p.source)

# %% [markdown]
# ## How to read it: tests of the differences
#
# Three tests of equal coefficients: separate regressions taken as independent; one regression in which everything is
# interacted with the group, so that clusters may span groups; and a permutation of the group labels, which uses no
# standard error at all. Groups of treated cities that are compared with the *same* controls are not independent and
# cannot be permuted; for them, one regression has a treatment dummy for each group, once over all years and once over
# the event years that every group has reached. Nor can pairs that share a city be permuted one by one.

# %%
report.view(heterogeneity.differences(declared, tables, data, p.vcov, p.draws, p.seed),
            f"Differences between groups ({p.source} data, errors: {p.vcov}; {p.draws} permutations)",
            "No permutations of pairs." if "pairs" in declared.features else "", digits=digits)

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    shared = heterogeneity.differences(declared, tables, data, "dyadic", 0, p.seed)
    display(report.view(shared[shared["test"] == "interacted"],
                        f"The same differences when pairs that share a city may be correlated, within a group and "
                        f"across groups ({p.source} data, errors: dyadic)", digits=digits))

# %% tags=["remove-input"]
report.note(declared, "05_heterogeneity", "tests", p.source)

# %% [markdown] tags=["needs-truth"]
# Where the truth is known, each subsample's estimate can be set beside what it targets:

# %%
report.view(groups, f"Subsample estimates beside the printed values ({p.source} data)", digits=digits)

# %% [markdown]
# ## What can go wrong
#
# **Splitting by the outcome.** A sample cut by the outcome is selected by what is to be explained: rows with a large
# positive shock, or a large effect, move to the high half. Within each half the outcome varies less, and the
# coefficient shrinks towards zero. Cutting by something fixed before the reform, such as region, avoids this.

# %%
report.view(heterogeneity.split_by_outcome(declared, data, p.vcov),
            f"The benchmark in halves of the sample, cut in three ways ({p.source} data)", digits=digits)

# %% tags=["remove-input"]
report.note(declared, "05_heterogeneity", "threats", p.source)

# %% [markdown]
# **Many groups, some luck.** With $m$ independent subsamples and no effect anywhere, the chance that at least one is
# significant at 5% is $1 - 0.95^m$: 23% for five, 37% for nine.

# %% [markdown]
# ## Where paper and page differ

# %% tags=["hide-input"]
rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="05_heterogeneity")
report.ledger_table(rows, f"Ledger rows of this page ({p.source} data)")

# %% tags=["remove-input"]
report.note(declared, "05_heterogeneity", "differences", p.source)

# %% [markdown]
# ## Try it
#
# - `-p vcov iid` and `-p vcov cluster_unit`: which differences depend on the errors?

# %% [markdown] tags=["needs-truth"]
# - `-p seed 7`: does the order of the groups survive in another sample from the same truth?
