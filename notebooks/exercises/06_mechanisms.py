# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: products of coefficients
#
# The first mediator of the study, step by step. A number counts as right within 1%, a count only exactly.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
from pilotzones import exercises, panel, parameters, report, studies
from pilotzones.estimators.regression import regress

p = parameters.check("exercises/06_mechanisms", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 06-1 The indirect effect
#
# Two regressions on the same rows, those that have the mediator *and* the outcome: the mediator on treatment, controls
# and effects; the outcome on treatment, mediator, controls and effects. How much of the effect runs through the
# mediator, in units of the outcome?

# %% [markdown] tags=["hint"]
# Write `mediator + ` in front of the right-hand side for the second regression. By how much does the treatment's
# coefficient fall?

# %% tags=["start"]
mediator, outcome = declared.mediators[0]
table, number = declared.benchmark
right = declared.expand(declared.table(table).column(number).formula).partition("~")[2]
rows = data.dropna(subset=[mediator, outcome])

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
first = regress(f"{mediator} ~ {right}", rows, "cluster:city", singletons=declared.singletons).coefficients
second = regress(f"{outcome} ~ {mediator} + {right}", rows, "cluster:city", singletons=declared.singletons).coefficients
answer_1 = first.at[declared.treatment, "estimate"] * second.at[mediator, "estimate"]
answer_1

# %% tags=["check"]
exercises.check(p, "06-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 06-2 Its standard error
#
# What is Sobel's standard error of that product, $\sqrt{b^2 s_a^2 + a^2 s_b^2}$, with both errors clustered by city?

# %% [markdown] tags=["hint"]
# $a$ belongs to the first regression, $b$ to the second.

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
a, b = first.loc[declared.treatment], second.loc[mediator]
answer_2 = (b["estimate"] ** 2 * a["se"] ** 2 + a["estimate"] ** 2 * b["se"] ** 2) ** 0.5
answer_2

# %% tags=["check"]
exercises.check(p, "06-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 06-3 Which mediator carries most?
#
# Do the same for every mediator of the study, each with the outcome that it stands with first in the list. Which one
# has the largest indirect effect as a share of the total effect *on its own rows*? The answer is a name, in quotes.

# %% [markdown] tags=["hint"]
# The share is one minus the coefficient of the treatment with the mediator over the one without, on the same rows.

# %% tags=["start"]
list(declared.mediators)

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
shares = {}
for name, result in reversed(declared.mediators):
    rows = data.dropna(subset=[name, result])
    without, with_it = (
        regress(f"{result} ~{beside} {right}", rows, singletons=declared.singletons).coefficients["estimate"]
        for beside in ("", f" {name} +")
    )
    shares[name] = 1 - with_it[declared.treatment] / without[declared.treatment]
answer_3 = max(shares, key=shares.get)
answer_3

# %% tags=["check"]
exercises.check(p, "06-3", answer_3)
