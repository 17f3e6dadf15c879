# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: who is treated, and which rows are used
#
# Replace the three dots by your answer and run the check below it. A number counts as right within 1%, a count only
# exactly.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
from pilotzones import exercises, panel, parameters, report, studies

p = parameters.check("exercises/01_data", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 01-1 Treated cities
#
# How many cities count as treated in this study? The column `cohort` is the year in which the zone came, and missing
# for cities that never get one within the study's batches. The answer is a count.

# %% [markdown] tags=["hint"]
# One row per city is enough: `data.drop_duplicates("city")`.

# %% tags=["start"]
rows = data[["city", "year", "batch", "cohort", "treat_post"]].astype("Int64").astype(str).head()
report.view(rows, "The first rows of the columns that say who is treated (synthetic data)")

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
cities = data.drop_duplicates("city")
answer_1 = cities["cohort"].notna().sum()
answer_1

# %% tags=["check"]
exercises.check(p, "01-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 01-2 Rows that go
#
# The benchmark regression drops every row in which a control is missing. How many rows of the panel is that? The answer
# is a count.

# %% [markdown] tags=["hint"]
# `data[controls].isna()` has one column per control; a row goes when *any* of them is true.

# %% tags=["start"]
controls = declared.regressors("controls")

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
answer_2 = len(data) - len(data.dropna(subset=controls))
answer_2

# %% tags=["check"]
exercises.check(p, "01-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 01-3 A normalised difference
#
# Take the first control in the last year without any zone. By how many standard deviations do ever-treated rows differ
# from never-treated ones? The formula is on the page: $(\bar x_1 - \bar x_0)/\sqrt{(s_1^2 + s_0^2)/2}$.

# %% [markdown] tags=["hint"]
# Two groups: `cohort` is there, or missing. pandas' `var()` leaves out missing values and divides by $n - 1$.

# %% tags=["start"]
name = declared.regressors("controls")[0]
year = int(data["cohort"].min()) - 1

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
rows = data[data["year"] == year]
ever = rows["cohort"].notna()
one, zero = rows.loc[ever, name], rows.loc[~ever, name]
answer_3 = (one.mean() - zero.mean()) / ((one.var() + zero.var()) / 2) ** 0.5
answer_3

# %% tags=["check"]
exercises.check(p, "01-3", answer_3)
