# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: an index by hand
#
# Two small indices to compute with pencil and paper, or a few lines, and one prediction. A number counts as right
# within 1%, a count only exactly.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from pilotzones import exercises, panel, parameters, replicate, report, studies

p = parameters.check("exercises/02_index_measurement", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 02-1 The width of a patent
#
# A patent carries the symbols below. What is its width, one minus the Herfindahl index of its symbols over *main
# groups* (the part before the slash)?

# %% [markdown] tags=["hint"]
# Five symbols, but how many main groups? Write down the share of each, square, add up.

# %% tags=["start"]
symbols = exercises.SYMBOLS
symbols

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
groups = pd.Series([symbol.split("/")[0] for symbol in symbols])
shares = groups.value_counts() / len(groups)
answer_1 = 1 - (shares**2).sum()
answer_1

# %% tags=["check"]
exercises.check(p, "02-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 02-2 Entropy weights
#
# Four made-up cities, three indicators; of waste, less is better. Scale each indicator to 0 ... 1, take shares $p_i$ of
# the column's sum, the entropy $e = -\sum_i p_i \ln p_i / \ln n$ (with $0 \ln 0 = 0$), and give each indicator a weight
# in proportion to $1 - e$. The answer is a series with the index roads, jobs, waste; every weight within 1%.

# %% [markdown] tags=["hint"]
# Waste is scaled as $(\max - x)/(\max - \min)$. In numpy, `p * np.log(p.where(p > 0, 1))` is 0 where $p$ is.

# %% tags=["start"]
cities = pd.DataFrame(exercises.CITIES)

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
scaled = (cities - cities.min()) / (cities.max() - cities.min())
scaled["waste"] = 1 - scaled["waste"]
shares = scaled / scaled.sum()
entropy = -(shares * np.log(shares.where(shares > 0, 1))).sum() / np.log(len(cities))
answer_2 = (1 - entropy) / (1 - entropy).sum()
answer_2

# %% tags=["check"]
exercises.check(p, "02-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 02-3 Another unit of measurement
#
# The benchmark is estimated again with an outcome that is multiplied by 100. Predict the $t$ value of the treatment
# before you run anything.

# %% [markdown] tags=["hint"]
# What happens to the estimate, and what to its standard error?

# %% tags=["start"]
report.view(
    replicate.benchmark(declared, data).coefficients.loc[[declared.treatment], ["estimate", "se", "t"]],
    "The benchmark, outcome in its own unit (synthetic data)",
)

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
larger = data.assign(**{declared.outcome: 100 * data[declared.outcome]})
answer_3 = replicate.benchmark(declared, larger).coefficients.at[declared.treatment, "t"]
answer_3

# %% tags=["check"]
exercises.check(p, "02-3", answer_3)
