# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: could the check have failed?
#
# A placebo, an instrument, a matched sample and a cohort left out. A number counts as right within 1%, a count only
# exactly. So does a p value.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
from dataclasses import replace

from pilotzones import exercises, panel, parameters, replicate, report, studies

p = parameters.check("exercises/04_robustness", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 04-1 A p value from fake zones
#
# `fake` holds the $t$ values of fake roll-outs, `t` the real one. What is the two-sided randomisation p value? The
# answer has to be exact.

# %% [markdown] tags=["hint"]
# The real roll-out is one of the possible ones: it counts in the numerator and in the denominator.

# %% tags=["start"]
fake = replicate.placebo(declared, data, exercises.DRAWS, p.seed).draws["t"]
t = replicate.benchmark(declared, data).coefficients.at[declared.treatment, "t"]

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
answer_1 = (1 + (fake.abs() >= abs(t)).sum()) / (1 + len(fake))
answer_1

# %% tags=["check"]
exercises.check(p, "04-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 04-2 One instrument
#
# With one instrument, two-stage least squares is a ratio. Use `instrument` alone, with the controls and effects of the
# benchmark. What is the 2SLS estimate?

# %% [markdown] tags=["hint"]
# Two regressions on the same rows: the outcome on the instrument (reduced form), the treatment on the instrument (first
# stage).

# %% tags=["start"]
instrument = next(iter(declared.factors))
column = declared.table(declared.benchmark[0]).column(declared.benchmark[1])
right = column.formula.partition("~")[2].replace(declared.treatment, instrument, 1)
right

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
fits = {
    name: replicate.column(declared, replace(column, formula=f"{name} ~ {right}"), data)
    for name in (declared.outcome, declared.treatment)
}
reduced, first = (fit.coefficients.at[instrument, "estimate"] for fit in fits.values())
answer_2 = reduced / first
answer_2

# %% tags=["check"]
exercises.check(p, "04-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 04-3 How many rows can matching keep?
#
# Every treated row of the benchmark is matched to one control row, and all other rows go. How many rows can there be at
# most? Compare with the number of rows that a paper prints. The answer is a count.

# %% [markdown] tags=["hint"]
# A control row may be the match of several treated rows: that only makes the sample smaller.

# %% tags=["start"]
used = data.loc[replicate.benchmark(declared, data).residuals().index]

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
answer_3 = 2 * used[declared.treatment].sum()
answer_3

# %% tags=["check"]
exercises.check(p, "04-3", answer_3)

# %% [markdown] tags=["exercise"]
# ## 04-4 One cohort less
#
# Leave out one cohort of treated units at a time. Without which one (its year) does the benchmark move most, up or
# down? Predict before you run: large cohorts weigh more, and early ones have more treated years.

# %% [markdown] tags=["hint"]
# `data[data["cohort"] != year]` keeps the never-treated: a missing year differs from every year.

# %% tags=["start"]
years = sorted(replicate.cohort_sizes(data))

# %% tags=["answer"]
answer_4 = ...

# %% tags=["solution"]
full = replicate.benchmark(declared, data).coefficients.at[declared.treatment, "estimate"]
moves = {}
for year in years:
    fit = replicate.benchmark(declared, data[data["cohort"] != year])
    moves[year] = abs(fit.coefficients.at[declared.treatment, "estimate"] - full)
answer_4 = max(moves, key=moves.get)
answer_4

# %% tags=["check"]
exercises.check(p, "04-4", answer_4)
