# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Two-way fixed effects: many cities, many years
#
# The regression of nearly every paper on the zones, computed in three ways that must agree, and then opened: which
# rows speak for the treated, which against? Run the page with other parameters from the project folder:
#
# ```bash
# papermill notebooks/primer_2_two_way_fixed_effects.ipynb out.ipynb -p lost 0.3
# ```

# %% tags=["parameters"]
seed: int = 2023  # seed of the simulated outcomes, 0 or larger
effect: float = 0.2  # true effect of a zone, the same everywhere, log points, -2 to 2
noise: float = 0.1  # standard deviation of the noise in each city and year, log points, above 0
lost: float = 0.1  # share of rows that are lost in the second half of the page, 0 to 0.5

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from pilotzones import parameters, policy, report
from pilotzones.estimators.regression import regress
from pilotzones.report import figures_primer

p = parameters.check("primer_2_two_way_fixed_effects", globals())
report.banner_of_primer("Primer: two-way fixed effects.", p.model_dump())

# %% [markdown]
# ## Question
#
# Zones came in 2015, 2016, 2018, 2019 and 2020. There is no common *before* and *after* any more. The usual answer is
# one regression with an intercept for each city and for each year (双向固定效应):
#
# $$ y_{it} = \alpha_i + \lambda_t + \tau D_{it} + u_{it}, $$
#
# $D_{it} = 1$ from the year of the zone on. What does a computer do with 337 city intercepts, and what is $\hat\tau$ an
# average of?

# %% [markdown]
# ## A small world
#
# All 337 prefectures, 2010-2021, and the real first year of each zone (batches 1 to 5). The outcome is made up: a level
# for each city, a shock for each year, `effect` once there is a zone, noise.

# %%
rows = pd.MultiIndex.from_product([policy.cities()["adcode"], range(2010, 2022)], names=["city", "year"])
panel = policy.attach(rows.to_frame(index=False), batches=(1, 2, 3, 4, 5), partial=True)

rng = np.random.default_rng(p.seed)
cities, years = len(rows.levels[0]), len(rows.levels[1])
city_level, year_shock = rng.normal(10, 1, cities).repeat(years), np.tile(rng.normal(0, 0.2, years), cities)
panel["y"] = city_level + year_shock + p.effect * panel["treat_post"] + rng.normal(0, p.noise, len(panel))
start = panel["cohort"].map("{:.0f}".format).replace("nan", "never")
sizes = panel.groupby(start).agg(cities=("city", "nunique"))
report.view(sizes.rename_axis("first year of the zone"), "The roll-out through 2021: cities by first year")

# %% [markdown]
# ## Three computations, one number
#
# **By dummies**: a column of zeros and ones for each city and year, then least squares. **By demeaning**: subtract from
# outcome and treatment their city means and year means, add the overall mean, and regress what is left
# (Frisch and Waugh 1933):
#
# $$ \hat\tau = \frac{\sum \tilde D_{it}\, y_{it}}{\sum \tilde D_{it}^2}, \qquad
# \tilde D_{it} = D_{it} - \bar D_i - \bar D_t + \bar D . $$
#
# **By the library** that all pages of this book use. The intercepts of cities are never computed there.

# %%
dummies = pd.get_dummies(panel[["city", "year"]].astype(str), dtype=float)
by_dummies = np.linalg.lstsq(np.column_stack([panel["treat_post"], dummies]), panel["y"])[0][0]

values = panel[["y", "treat_post"]]
once = values - values.groupby(panel["city"]).transform("mean") - values.groupby(panel["year"]).transform("mean")
once = once + values.mean()
by_demeaning = (once["treat_post"] @ once["y"]) / (once["treat_post"] @ once["treat_post"])

fit = regress("y ~ treat_post | city + year", panel.assign(cluster=panel["city"]), "cluster:cluster")
found = {"dummies": by_dummies, "demeaning": by_demeaning, "library": fit.coefficients.at["treat_post", "estimate"]}
apart = pd.DataFrame({"estimate": found}).assign(difference=lambda t: (t["estimate"] - by_dummies).abs())
report.view(apart, f"Two-way fixed effects in three ways, all rows. Synthetic, true effect {p.effect:g}", digits=9)

# %% [markdown]
# ## When rows are missing
#
# Subtracting means once is right only if each city has every year. Lose `lost` of the rows at random, and one round
# leaves city means that are not zero; repeat the rounds until nothing moves. That is what the library does.

# %%
kept = panel[rng.random(len(panel)) >= p.lost]
left, estimates = kept[["y", "treat_post"]] - kept[["y", "treat_post"]].mean(), {}
for done in range(1, 31):
    for effect_of in ("city", "year"):
        left = left - left.groupby(kept[effect_of]).transform("mean")
    estimates[done] = (left["treat_post"] @ left["y"]) / (left["treat_post"] @ left["treat_post"])

exact = regress("y ~ treat_post | city + year", kept).coefficients.at["treat_post", "estimate"]
rounds = pd.DataFrame({"estimate": estimates}).loc[[1, 2, 3, 5, 30]].rename_axis("rounds")
report.view(rounds.assign(difference=(rounds["estimate"] - exact).abs()),
            f"Demeaning round by round with {len(panel) - len(kept)} of {len(panel)} rows lost, and its difference "
            "from the library. Synthetic", digits=9)

# %% [markdown]
# ## What is it an average of?
#
# The estimate is a weighted sum of outcomes, $\hat\tau = \sum w_{it} y_{it}$ with $w_{it} = \tilde D_{it} / \sum \tilde
# D^2$. The weights of treated rows sum to one. Are they equal?

# %%
weight = (once["treat_post"] / (once["treat_post"] ** 2).sum()).where(panel["treat_post"] == 1)
share = weight.groupby([panel["cohort"], panel["year"]]).sum(min_count=1).unstack().dropna(axis=1, how="all")
rows_of = panel[panel["treat_post"] == 1].groupby(["cohort", "year"]).size().unstack()
relative = share / (rows_of / rows_of.sum().sum())
relative.index = relative.index.astype(int)
report.show(
    figures_primer.weights_map(relative, "weight of a row (1: all equal)"),
    name="fig-weights",
    alt="Weight of a treated row in the two-way fixed effects estimate by first year of the zone and year.",
    caption="Weight of a treated row in the two-way fixed effects estimate, by first year of its zone and by year; 1 "
    "is the weight if all treated rows counted the same. Depends on the roll-out alone, so it is real.",
    data=relative,
)

# %%
summary = pd.Series({"sum of the weights of treated rows": weight.sum(),
                     "smallest weight of a row": relative.min().min(),
                     "largest weight of a row": relative.max().max(),
                     "treated rows with a negative weight": int((weight < 0).sum())}, dtype=object)
report.view(summary.to_frame("value"), "Weights of treated rows; smallest and largest in units of equal weights")

# %% [markdown]
# And the estimate? Draw the noise 1,000 times; what the estimate adds to the truth is the weighted sum of the noise.

# %%
every_weight = (once["treat_post"] / (once["treat_post"] ** 2).sum()).to_numpy()
estimates = p.effect + rng.normal(0, p.noise, (1000, len(panel))) @ every_weight
spread = {"truth": p.effect, "mean": estimates.mean(), "standard deviation": estimates.std()}
report.view(pd.DataFrame(spread, ["estimate"]),
            "Two-way fixed effects on 1,000 samples, the effect the same everywhere. Synthetic", digits=4)

# %% [markdown]
# ## How to read it
#
# - Dummies, demeaning and library differ by rounding only. A fixed effect is nothing but a mean removed.
# - In a panel with gaps the first round is off, and each further round takes away most of the rest.
# - Weights are *not* equal. A row weighs more where few other cities are treated in its year, and where its city is
#   treated for few years. Hangzhou's last years count least. None is negative here: most cities are never treated.
# - Here the effect is the same in all rows. Then unequal weights cost nothing, and the estimate is on target. They
#   matter once effects differ: {doc}`the next page <primer_3_staggered_adoption>`.

# %% [markdown]
# ## What can go wrong
#
# - **Something that changes in a city.** An intercept removes what is constant, not a new high-speed railway.
# - **Bad controls** (坏控制变量). A control that the zone itself moves takes part of the effect with it.
# - **Rows lost for a reason.** Rows lost at random cost precision; rows lost because the outcome was low cost the
#   truth.
# - **Errors.** The library's default error is about independent rows. {doc}`Page 6 <primer_6_inference>`.

# %% [markdown]
# ## Where the five studies do it
#
# Four baselines are this regression, with controls: {doc}`patents <../studies/innovation/03_baseline>`,
# {doc}`resilience <../studies/resilience/03_baseline>`, {doc}`pairs of cities <../studies/coordination/03_baseline>`,
# {doc}`productivity <../studies/productivity/03_baseline>`. In {doc}`the fifth <../studies/quality/03_baseline>` an
# index takes the place of $D_{it}$.

# %% [markdown]
# ## Try it
#
# - `-p lost 0.5`: how many rounds until the difference is below 0.000001?
# - `-p noise 0.001`: why does the estimate hit the truth although the weights are what they were?
# - `-p effect 0`: do the weights change?
