# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: neighbours as controls
#
# Distances, clean controls, and a spillover that hides an effect. A number counts as right within 1%, a count only
# exactly.

# %% tags=["parameters"]
study: str = "innovation"  # paper the exercises are about: innovation or resilience
seed: int = 2023  # seed of the synthetic panel, 0 or larger

# %% tags=["hide-input"]
import numpy as np

from pilotzones import exercises, panel, parameters, policy, replicate, report, space, studies

p = parameters.check("exercises/07_spatial", globals())
declared = studies.load(p.study)
data = panel.load(declared, seed=p.seed)
report.banner(declared, "synthetic", p.seed, "published")

# %% [markdown] tags=["exercise"]
# ## 07-1 A distance
#
# How far is it from Hangzhou 杭州 to Zhengzhou 郑州, in km on the great circle? With latitudes $\varphi$ and longitudes
# $\lambda$ in radians and $R = 6371$ km,
#
# $$ d = 2 R \arcsin \sqrt{\sin^2 \tfrac{\varphi_2 - \varphi_1}{2} + \cos\varphi_1 \cos\varphi_2 \sin^2
# \tfrac{\lambda_2 - \lambda_1}{2}}. $$

# %% [markdown] tags=["hint"]
# `np.radians` first. A check: neighbouring provincial capitals are some hundred kilometres apart.

# %% tags=["start"]
places = policy.cities().set_index("adcode")[["city_en", "lat", "lon"]]
hangzhou, zhengzhou = places.loc[330100], places.loc[410100]

# %% tags=["answer"]
answer_1 = ...

# %% tags=["solution"]
lat1, lon1, lat2, lon2 = np.radians([hangzhou["lat"], hangzhou["lon"], zhengzhou["lat"], zhengzhou["lon"]])
inside = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
answer_1 = 2 * 6371 * np.arcsin(np.sqrt(inside))
answer_1

# %% tags=["check"]
exercises.check(p, "07-1", answer_1)

# %% [markdown] tags=["exercise"]
# ## 07-2 Clean controls
#
# `zone_50` is one if a zone is in force up to 50 km away, `zone_100` for 50 to 100 km, `zone_150` for 100 to 150 km.
# Drop the *untreated* rows that have a zone within 150 km, keep all treated rows, and estimate the benchmark. What is
# its coefficient?

# %% [markdown] tags=["hint"]
# A row stays if it is treated, or if all three dummies are zero.

# %% tags=["start"]
rings = ["zone_50", "zone_100", "zone_150"]

# %% tags=["answer"]
answer_2 = ...

# %% tags=["solution"]
near = data[rings].max(axis=1) == 1
treated = data[declared.treatment] == 1
fit = replicate.benchmark(declared, data[treated | ~near])
answer_2 = fit.coefficients.at[declared.treatment, "estimate"]
answer_2

# %% tags=["check"]
exercises.check(p, "07-2", answer_2)

# %% [markdown] tags=["exercise"]
# ## 07-3 A spillover that hides the effect
#
# The table shows the benchmark when untreated rows within 150 km of a zone gain nothing, and when they gain 0.02. How
# large would that gain have to be for the benchmark to be zero?

# %% [markdown] tags=["hint"]
# Least squares is linear in the outcome: each further 0.02 takes off the same.

# %% tags=["start"]
found = space.spillover_bias(declared, data, (0.0, 0.02), 150)["benchmark"]
report.view(found.to_frame(), "The benchmark with a spillover up to 150 km (synthetic data)", digits=4)

# %% tags=["answer"]
answer_3 = ...

# %% tags=["solution"]
without, with_it = found
answer_3 = 0.02 * without / (without - with_it)
answer_3

# %% tags=["check"]
exercises.check(p, "07-3", answer_3)
