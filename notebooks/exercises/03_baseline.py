# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: the benchmark by hand
#
# Four computations behind the baseline page, with few tools. A number counts as right within 1%, a count only exactly.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
from dataclasses import replace

import pandas as pd

from pilotzones import exercises, panel, parameters, replicate, report, studies

p = parameters.check("exercises/03_baseline", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 03-1 Two by two
#
# Take the cohort of 2016 and the never-treated, the years 2015 and 2017, and only units that have an outcome in both
# years. By how much more did the mean outcome rise in zone cities? No control, no regression.

# %% [markdown] tags=["hint"]
# `wide` has one row per unit and one column per year. Group its change by treated or not.

# %% tags=["start"]
kept = data[(data["cohort"] == 2016) | data["cohort"].isna()]
wide = kept.pivot(index=declared.unit, columns="year", values=declared.outcome)[[2015, 2017]].dropna()
treated = kept.groupby(declared.unit)["cohort"].first().notna().reindex(wide.index)

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
change = wide[2017] - wide[2015]
answer_1 = change[treated].mean() - change[~treated].mean()
answer_1

# %% tags=["check"]
exercises.check(p, "03-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 03-2 Remove, then regress
#
# `left` holds what controls and fixed effects leave of the outcome and of the treatment, on the rows of the benchmark.
# Which slope does a regression of the outcome's remainder on the treatment's have?

# %% [markdown] tags=["hint"]
# A slope is covariance over variance. The remainders have mean zero: sums of products will do.

# %% tags=["start"]
column = declared.table(declared.benchmark[0]).column(declared.benchmark[1])
rows = data.loc[replicate.benchmark(declared, data).residuals().index]
right = column.formula.partition("+")[2]
left = {
    name: replicate.column(declared, replace(column, formula=f"{name} ~ {right}"), rows).residuals()
    for name in (declared.outcome, declared.treatment)
}

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
y, d = left[declared.outcome], left[declared.treatment]
answer_2 = (y * d).sum() / (d * d).sum()
answer_2

# %% tags=["check"]
exercises.check(p, "03-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 03-3 The right cluster
#
# The table shows the standard error of the benchmark under several conventions, with the names hidden. The zone is
# given to cities. Which number is the error that allows all rows of a city to be correlated? Compute it.

# %% [markdown] tags=["hint"]
# `fit.under("cluster:...")` gives the same estimates with other errors. Which column of the data says where a row is?

# %% tags=["start"]
fit = replicate.benchmark(declared, data)
names = ["iid", "hetero", "cluster:province", "cluster:city"]
errors = [fit.under(name).coefficients.at[declared.treatment, "se"] for name in names]
shown = pd.DataFrame({"standard error": sorted(errors)}, index=list("ABCD"))
report.view(shown, "The standard error of the benchmark, smallest first (synthetic data)", digits=4)

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
answer_3 = fit.under("cluster:city").coefficients.at[declared.treatment, "se"]
answer_3

# %% tags=["check"]
exercises.check(p, "03-3", answer_3)

# %% [markdown] tags=["exercise"]
# ## 03-4 Another base year
#
# Here is the event study with base year -2, ends binned. What would the coefficient of event year 2 be with base year
# -1? Do not estimate again.

# %% [markdown] tags=["hint"]
# All coefficients are differences from the base. With base -1 the coefficient of year -1 has to be zero.

# %% tags=["start"]
figure = declared.section_figures("03_baseline")[0]
figure = replace(figure, leads=-4, lags=5, base=(-2,), beyond="bin")
path = replicate.event_study(declared, figure, data, "iid").coefficients["estimate"]
report.view(
    path.to_frame("coefficient").rename_axis("event year"), "Event study with base year -2 (synthetic data)", digits=4
)

# %% tags=["answer"]
answer_4 = ...

# %% tags=["solution"]
answer_4 = path[2] - path[-1]
answer_4

# %% tags=["check"]
exercises.check(p, "03-4", answer_4)
