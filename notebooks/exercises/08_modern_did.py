# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: weights, cells and power
#
# The pieces that modern estimators are made of. A number counts as right within 1%, a count only exactly.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
from pilotzones import exercises, modern_did, panel, parameters, replicate, report, studies

p = parameters.check("exercises/08_modern_did", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 08-1 A weight of the Bacon decomposition
#
# In the decomposition, the comparison of cohort $g$ with the never-treated has a weight in proportion to $n_g \bar D_g
# (1 - \bar D_g)$: the number of units times the variance of their treatment, with $\bar D_g$ the share of the study's
# years in which they are treated. How often does the weight of the cohort of 2016 contain that of 2018? Count only
# units that have an outcome in every year.

# %% [markdown] tags=["hint"]
# A zone of 2016 is in force in 2016 and in all later years. The first factor is the ratio of two counts.

# %% tags=["start"]
seen = data.dropna(subset=[declared.outcome]).groupby(declared.unit)["cohort"].agg(["first", "size"])
first, last = declared.years
years = last - first + 1

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
n = seen.loc[seen["size"] == years, "first"].value_counts()
share = {g: (last - g + 1) / years for g in (2016, 2018)}
weight = {g: n[g] * share[g] * (1 - share[g]) for g in share}
answer_1 = weight[2016] / weight[2018]
answer_1

# %% tags=["check"]
exercises.check(p, "08-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 08-2 Without the forbidden comparisons
#
# `comparisons` lists all two-by-two comparisons. What would the estimate be if those with already treated units as
# controls (`later_vs_earlier`) were left out, the others keeping their weights relative to each other?

# %% [markdown] tags=["hint"]
# The weights that are left sum to less than one.

# %% tags=["start"]
comparisons = modern_did.bacon(modern_did.design(declared, data)).comparisons
shown = comparisons.assign(control=comparisons["control"].map("{:.0f}".format).replace("nan", "never treated"))
report.view(shown.set_index("treated"), "All two-by-two comparisons, by treated cohort (synthetic data)", digits=4)

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
kept = comparisons[comparisons["type"] != "later_vs_earlier"]
answer_2 = (kept["estimate"] * kept["weight"]).sum() / kept["weight"].sum()
answer_2

# %% tags=["check"]
exercises.check(p, "08-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 08-3 One cell
#
# What is the effect on the cohort of 2018 in 2019, without controls: the change of its mean outcome from the year
# before its zone, less that of the never-treated? Use units that are seen in both years. Then compare with the cell of
# Callaway and Sant'Anna.

# %% [markdown] tags=["hint"]
# `wide[2019] - wide[2017]` is missing for units that lack one of the years, and `mean()` leaves them out.

# %% tags=["start"]
wide = data.pivot(index=declared.unit, columns="year", values=declared.outcome)
cohort = data.groupby(declared.unit)["cohort"].first()

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
change = wide[2019] - wide[2017]
answer_3 = change[cohort == 2018].mean() - change[cohort.isna()].mean()
answer_3

# %% tags=["check"]
exercises.check(p, "08-3", answer_3)

# %% [markdown] tags=["exercise"]
# ## 08-4 What could one have found?
#
# How large must the true effect be for the benchmark, with errors clustered by city, to be significant at 5%
# (two-sided) in 80% of samples? Use the normal distribution.

# %% [markdown] tags=["hint"]
# The estimate has to lie 1.96 errors from zero; with 80% probability it lies no more than 0.84 errors below the truth.

# %% tags=["start"]
fit = replicate.benchmark(declared, data, "cluster_city")

# %% tags=["answer"]
answer_4 = ...

# %% tags=["solution"]
answer_4 = (1.96 + 0.84) * fit.coefficients.at[declared.treatment, "se"]
answer_4

# %% tags=["check"]
exercises.check(p, "08-4", answer_4)
