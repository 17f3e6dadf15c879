# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One specification
#
# This page shows one regression in full: what is estimated, on which rows, with which result under each kind of
# standard error, and how far that is from the paper's main column. `pilotzones sweep --pages` makes one such page for
# each specification that you choose; by hand, from the project folder:
#
# ```bash
# papermill notebooks/12_specification.ipynb out.ipynb -p study resilience \
#   -p formula "Resil ~ treat_post + lngdp | city + province^year" -p sample "year >= 2012"
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
scenario: str = "paper"  # world laid over the panel: paper (as it is), homogeneous, cohorts, dynamic, ...
size: float = 1.0  # true effect as a multiple of the study's own: 1 as it is, 0 for none
formula: str = ""  # the regression, e.g. "y ~ x + z | firm + year"; empty for the paper's main column
sample: str = ""  # rows kept, as a pandas condition; empty for all
matching: str = ""  # propensity-score formula of a matched sample; empty for none
winsorise: float = 0.0  # share of rows at either end of each continuous variable drawn in to the quantile
singletons: str = ""  # rows alone in a level of an effect: keep or drop; empty for the study's rule

# %% tags=["hide-input"]
import pandas as pd

from pilotzones import panel, parameters, replicate, report, scenarios, studies
from pilotzones.declare import Column

p = parameters.check("12_specification", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
if p.scenario != "paper":
    data = scenarios.laid_over(declared, data, p.scenario)
data = scenarios.resized(declared, data, p.size)
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# How much does the answer depend on choices that a paper has to make and a reader might make differently? Each page
# answers for one set of choices, by the same equation
#
# $$ y_{it} = \beta\, z_{it} + x_{it}'\gamma + \alpha_{e(it)} + \varepsilon_{it}, $$
#
# in which outcome $y$, regressor of interest $z$, controls $x$, absorbed effects $\alpha$ and rows are those below.
# $\beta$ is an effect only if, given controls and effects, nothing else that moves $y$ moved with $z$.

# %% [markdown]
# ## The specification

# %%
main = declared.table(declared.benchmark[0]).column(declared.benchmark[1])
rule = p.singletons or None
own = Column("", p.formula, sample=p.sample, matching=p.matching, winsorise=p.winsorise, singletons=rule)
column = own if p.formula else main
rows = replicate.select(data, column.sample)
pd.DataFrame({"": {
    "formula": declared.expand(column.formula), "rows kept": column.sample or "all", "standard errors": p.vcov,
    "scenario": p.scenario, "size of the effect": f"{p.size:g}", "matched on": column.matching or "nothing",
    "winsorised": f"{column.winsorise:.1%}",
}}).pipe(report.view, f"The specification ({p.source} data)")

# %% [markdown]
# ## Result

# %%
fit = replicate.column(declared, column, data, p.vcov)
report.view(fit.coefficients, f"Coefficients with 95% intervals ({p.source} data, standard errors: {p.vcov})",
            digits=digits)

# %%
benchmark = replicate.benchmark(declared, data, p.vcov)
found = {"this specification": (fit, column.term), "the paper's main column": (benchmark, main.term)}
compared = pd.DataFrame({name: one.coefficients.loc[term] for name, (one, term) in found.items()}).T
report.show(
    report.figures.interval_plot(compared, xlabel="coefficient of interest, units of each outcome"),
    name="fig-specification",
    alt="The coefficient of interest of this specification and of the paper's main column, with 95% intervals.",
    caption=f"This specification beside the paper's main column, 95% intervals ({p.source} data).",
    data=compared,
)

# %% [markdown]
# ## What can go wrong
#
# The estimate does not depend on the standard error; the conclusion may.

# %%
kinds = {name: replicate.errors(declared, name) for name in replicate.error_names(declared)}
under = pd.DataFrame({name: fit.under(errors).coefficients.loc[column.term] for name, errors in kinds.items()}).T
report.view(under, f"The coefficient of {column.term} under each standard error ({p.source} data)", digits=digits)

# %% [markdown]
# Rows are lost to missing values and to the rule about singletons, regressors to collinearity; both can change what a
# coefficient means.

# %%
pd.DataFrame({"": {
    "rows of the sample": len(rows), "rows used": fit.n_obs, "singletons dropped": fit.n_singletons,
    "clusters": fit.n_clusters or "none", "dropped as collinear": ", ".join(fit.dropped) or "nothing",
    "R2": f"{fit.r2:.3f}", "R2 within": f"{fit.r2_within:.3f}",
}}).pipe(report.view, f"Diagnostics ({p.source} data)")

# %% [markdown]
# ## Try it
#
# - `-p vcov hetero`: does the interval still exclude zero?
# - leave out one control, or narrow the sample, and run the page again.
