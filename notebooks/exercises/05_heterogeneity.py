# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: is the difference real?
#
# Differences between groups, luck, and a split that bites. A number counts as right within 1%, a count only exactly.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
from pilotzones import exercises, panel, parameters, replicate, report, studies

p = parameters.check("exercises/05_heterogeneity", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 05-1 A test of a difference
#
# Take the first and the third column of the paper's first table of subsamples. What is the $z$ value of the difference
# of their treatment effects (first minus third), if the two samples are independent?

# %% [markdown] tags=["hint"]
# The variance of a difference of independent estimates is the sum of their variances.

# %% tags=["start"]
table = declared.section_tables("05_heterogeneity")[0]
one, two = (replicate.column(declared, table.columns[i], data).coefficients.loc[declared.treatment] for i in (0, 2))

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
answer_1 = (one["estimate"] - two["estimate"]) / (one["se"] ** 2 + two["se"] ** 2) ** 0.5
answer_1

# %% tags=["check"]
exercises.check(p, "05-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 05-2 Luck
#
# The paper has `m` subsamples. Suppose that there is no effect in any of them, and that they are independent. What is
# the probability that at least one is significant at 5%?

# %% [markdown] tags=["hint"]
# The opposite of "at least one" is "none".

# %% tags=["start"]
m = sum(len(table.columns) for table in declared.section_tables("05_heterogeneity"))

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
answer_2 = 1 - 0.95**m
answer_2

# %% tags=["check"]
exercises.check(p, "05-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 05-3 Splitting by the outcome
#
# Cut the panel at the median of the *outcome of the row* (the median of all rows; high half: at or above it) and
# estimate the benchmark in both halves. What is the plain mean of the two estimates, as a share of the estimate in all
# rows? Predict first: above or below one?

# %% [markdown] tags=["hint"]
# A row that the reform lifts over the median has changed sides. Use `replicate.benchmark(declared, rows)` three times.

# %% tags=["start"]
outcome = data[declared.outcome]

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
median = outcome.median()
estimates = [
    replicate.benchmark(declared, rows).coefficients.at[declared.treatment, "estimate"]
    for rows in (data, data[outcome >= median], data[outcome < median])
]
answer_3 = (estimates[1] + estimates[2]) / 2 / estimates[0]
answer_3

# %% tags=["check"]
exercises.check(p, "05-3", answer_3)
