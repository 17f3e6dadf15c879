# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Mechanisms: through what, and how would one know?
#
# This page re-estimates the paper's regressions of the mediators, puts an interval on each indirect effect, and asks
# how much of it survives if the mediator is not as good as random. Run it with other parameters from the project
# folder:
#
# ```bash
# papermill notebooks/06_mechanisms.ipynb out.ipynb -p study innovation -p draws 5000
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel and of the bootstrap, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
draws: int = 1000  # bootstrap samples of cities, 100 or more

# %% tags=["hide-input"]
from IPython.display import display

from pilotzones import ledger, mechanisms, pairs, panel, parameters, replicate, report, robustness, studies

p = parameters.check("06_mechanisms", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# How much of the effect of the reform $D$ on the outcome $Y$ runs through a mediator $M$?
#
# $$
# \begin{aligned}
# M_{it} &= a D_{it} + x_{it}'d_1 + \alpha_i + \lambda_{rt} + e_{it}, \\
# Y_{it} &= c D_{it} + b M_{it} + x_{it}'d_2 + \alpha_i + \lambda_{rt} + v_{it}
# \end{aligned}
# $$
#
# The indirect effect is the product $ab$, the direct effect $c$, the total $ab + c$. Two significant regressions are
# not yet an indirect effect: $ab$ has an uncertainty of its own, and it is causal only if, given the treatment,
# nothing unobserved moves both $M$ and $Y$ (sequential ignorability; Imai, Keele and Yamamoto 2010).

# %% [markdown]
# ## What the paper did

# %% tags=["remove-input"]
report.note(declared, "06_mechanisms", "specification", p.source)

# %%
tables = declared.section_tables("06_mechanisms")
for table in tables:
    display(report.specification(declared, table))

# %% [markdown]
# ## Result

# %%
for table in tables:
    fits = {column.id: replicate.column(declared, column, data, p.vcov) for column in table.columns}
    display(report.regression_table(declared, table, fits, p.vcov, p.source))

# %% tags=["remove-input"]
report.note(declared, "06_mechanisms", "reading", p.source)

# %% [markdown] tags=["needs-mediators", "needs-cities"]
# ### The indirect effects, with intervals
#
# The bootstrap draws whole cities, because treatment is decided by city; the Monte-Carlo interval draws $a$ and $b$
# from their estimated distributions; Sobel's uses the normal approximation and is shown for comparison.

# %% tags=["needs-mediators", "needs-cities"]
if {"mediators", "cities"} <= declared.features:
    found = mechanisms.models(declared, data, p.draws, p.seed)
    effects = mechanisms.indirect_effects(declared, found)
    display(report.view(effects,
                        f"Indirect effects, 95% intervals, {p.draws} samples of cities ({p.source} data)", digits=4))

# %% [markdown] tags=["needs-mediators", "needs-pairs"]
# ### The product of the two steps, with intervals
#
# The paper does not multiply the two steps. Here they are, with the policy beside the mediator in the second one, and
# three intervals of the product: two by the delta method (Sobel), and one that draws whole cities with replacement and
# takes along all their pairs.

# %% tags=["needs-mediators", "needs-pairs"]
if {"mediators", "pairs"} <= declared.features:
    display(report.view(pairs.products(declared, data, p.draws, p.seed),
                        f"Indirect effects, 95% intervals, {p.draws} samples of cities ({p.source} data)", digits=4))

# %% tags=["remove-input", "needs-mediators"]
report.note(declared, "06_mechanisms", "indirect", p.source)

# %% [markdown] tags=["needs-tools", "needs-pairs"]
# ### Policy, or its intensity?
#
# An index of policy tools is zero wherever no zone is in force. Without the policy in the regression its coefficient
# cannot tell whether intensity matters. For each index: alone; what policy divided by the mean of the index would give,
# if the index were the same in all zones; and both in one regression.

# %% tags=["needs-tools", "needs-pairs"]
if {"tools", "pairs"} <= declared.features:
    display(report.view(pairs.tools(declared, data, p.vcov),
                        f"Indices of policy tools alone and beside policy ({p.source} data, errors: {p.vcov})"))

# %% tags=["remove-input", "needs-tools"]
report.note(declared, "06_mechanisms", "tools", p.source)

# %% [markdown] tags=["needs-mediators", "needs-cities"]
# ## How to read it: the fall of the coefficient
#
# Papers often compare the treatment coefficient with and without the mediator. On the same rows the fall equals $ab$
# exactly. Between different samples it also contains what the dropped rows do.

# %% tags=["needs-mediators", "needs-cities"]
if {"mediators", "cities"} <= declared.features:
    display(report.view(mechanisms.fall_of_the_coefficient(declared, found, data),
                        f"Treatment coefficient with and without each mediator ({p.source} data)", digits=4))

# %% [markdown] tags=["needs-pairs"]
# ## What can go wrong

# %% [markdown] tags=["needs-mediators", "needs-cities"]
# ## What can go wrong: the mediator is not random
#
# Let $\rho$ be the correlation of the errors $e$ and $v$. Sequential ignorability says $\rho = 0$; nothing in the data
# can test it. The figure shows what the indirect effect would be for other values. If a small $\rho$ makes it vanish,
# the mechanism is fragile.

# %% tags=["needs-mediators", "needs-cities"]
if {"mediators", "cities"} <= declared.features:
    report.show(
        report.figures.sensitivity_plot(found),
        name="fig-sensitivity",
        alt="Indirect effect as a function of the correlation of the errors, one panel per mediator, each crossing "
        "zero.",
        caption=f"Indirect effect by the assumed correlation of the two equations' errors ({p.source} data), with the "
        "95% band of the city bootstrap. Dashed: the correlation at which it vanishes.",
        data={label: model.sensitivity for label, model in found.items()},
    )

# %% tags=["remove-input", "needs-mediators"]
report.note(declared, "06_mechanisms", "threats", p.source)

# %% [markdown] tags=["needs-outcome_index"]
# **Is the mechanism arithmetic?** If a mediator, or what it is made of, is one of the index's own indicators, a reform
# that moves the mediator moves the index by construction. Build the index anew without each indicator in turn: an
# indirect effect that vanishes with one indicator was that indicator, seen twice.

# %% tags=["needs-outcome_index"]
if "outcome_index" in declared.features:
    index = declared.indices[0]
    display(report.view(mechanisms.without_indicators(declared, index, data),
                        f"Indirect effect as a share of the total, by the indicator that {index.name} is built without "
                        f"({p.source} data)"))

# %% tags=["remove-input", "needs-indices"]
report.note(declared, "06_mechanisms", "mechanical", p.source)

# %% [markdown]
# ### Which reading fits a number that contradicts the paper?

# %%
report.view(robustness.closest_readings(declared, tables, data),
            f"Closest readings of the inconsistent cells of this page ({p.source} data)",
            empty="No number of this page contradicts another one of the paper.")

# %% [markdown]
# ## Where paper and page differ

# %% tags=["hide-input"]
rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="06_mechanisms")
report.ledger_table(rows, f"Ledger rows of this page ({p.source} data)")

# %% tags=["remove-input"]
report.note(declared, "06_mechanisms", "differences", p.source)

# %% [markdown]
# ## Try it
#
# - `-p draws 200` and `-p draws 5000`: how much does the bootstrap interval depend on the number of samples?
# - `-p vcov iid` and `-p vcov cluster_city`: do the mediator equations keep their stars under both?
