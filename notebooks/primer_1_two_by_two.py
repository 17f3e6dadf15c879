# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Two by two: two groups, two periods
#
# The smallest difference-in-differences (双重差分): Hangzhou and the twelve cities of the second batch, before and
# after their zones, beside cities that had none. Run the page with other parameters from the project folder:
#
# ```bash
# papermill notebooks/primer_1_two_by_two.ipynb out.ipynb -p effect 0.1 -p noise 0.3
# ```

# %% tags=["parameters"]
seed: int = 2023  # seed of the simulated outcomes, 0 or larger
effect: float = 0.2  # true effect of a zone, log points, -2 to 2
noise: float = 0.1  # standard deviation of the noise in each city and year, log points, above 0
growth: float = 0.0  # extra growth of treated cities whatever the zone, log points a year, -1 to 1

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from pilotzones import parameters, policy, report
from pilotzones.estimators.regression import regress
from pilotzones.report import figures_primer

p = parameters.check("primer_1_two_by_two", globals())
report.banner_of_primer("Primer: two by two.", p.model_dump())

# %% [markdown]
# ## Question
#
# Did the zones raise exports? A city has one history. We see Hangzhou (杭州) with its zone, and never in the same years
# without it. Two shortcuts suggest themselves: compare the city with itself before, or with other cities now. Both
# mistake something else for the effect. Difference-in-differences puts them together.
#
# $$ \hat\tau = (\bar y_{T,after} - \bar y_{T,before}) - (\bar y_{C,after} - \bar y_{C,before}) $$
#
# The second bracket stands in for what nobody saw: the change of treated cities $T$ without a zone. It may, if without
# the zones both groups would have changed by the same amount: **parallel trends** (平行趋势).

# %% [markdown]
# ## A small world
#
# The cities are real: Hangzhou (zone in 2015), the twelve of January 2016, and all prefectures without a zone by 2022.
# Before is 2012-2014, after is 2016-2018; 2015, when only Hangzhou had one, is left out. The outcome, say the log of
# exports, is made up in the next lines. Cities with zones are larger, all cities grow by 0.08 a year, and a zone
# adds `effect`.

# %%
batch = policy.first_batch(partial=True)
batch = batch[batch.isin([0, 1, 2])]  # 0: no zone by 2022
treated = batch.to_numpy() > 0
years = np.array([2012, 2013, 2014, 2016, 2017, 2018])
after = years >= 2016

rng = np.random.default_rng(p.seed)
level = 10 + 1.0 * treated + rng.normal(0, 0.5, len(batch))  # zones went to large cities
without = level[:, None] + 0.08 * (years - 2012) + p.growth * np.outer(treated, years - 2012)
y = without + p.effect * np.outer(treated, after) + rng.normal(0, p.noise, without.shape)

# %% [markdown]
# ## Result: four means

# %%
means = pd.DataFrame({"before": [y[treated][:, ~after].mean(), y[~treated][:, ~after].mean()],
                      "after": [y[treated][:, after].mean(), y[~treated][:, after].mean()]},
                     index=[f"with a zone ({treated.sum()} cities)", f"without ({(~treated).sum()} cities)"])
means["change"] = means["after"] - means["before"]
means.loc["difference"] = means.iloc[0] - means.iloc[1]
report.view(means, f"Mean log exports by group and period; bottom right: difference-in-differences. Synthetic, true "
            f"effect {p.effect:g}")

# %%
shown = pd.DataFrame({"cities with a zone": y[treated].mean(axis=0), "cities without": y[~treated].mean(axis=0)}, years)
change = y[~treated].mean(axis=0) - y[~treated][:, ~after].mean()
shown["cities with a zone, had they moved like the others"] = y[treated][:, ~after].mean() + change
report.show(
    figures_primer.lines_plot(shown, xlabel="year", ylabel="exports (log points)", start=2015),
    name="fig-two-by-two",
    alt="Mean log exports of cities with and without a zone by year, and the path the former would have taken had they "
    "moved like the latter.",
    caption="Two groups, two periods (synthetic). The effect is the gap between the line with dots and the dashed line "
    "after 2015 (dotted); the dashed line is an assumption, not an observation.",
    data=shown,
)

# %% [markdown]
# ## The same as a regression
#
# The same number is the coefficient of (treated $\times$ after), beside a constant for each group and for each period.
# The regression adds a standard error. It is clustered by city, for six rows of one city are not six independent facts.

# %%
frame = pd.DataFrame(y, batch.index, years).rename_axis(index="city", columns="year").stack().rename("y").reset_index()
frame["treated"] = frame["city"].map(batch > 0).astype(int)
frame["after"] = (frame["year"] >= 2016).astype(int)
fit = regress("y ~ treated + after + treated:after", frame.assign(cluster=frame["city"]), "cluster:cluster")
report.view(fit.coefficients[["estimate", "se", "low", "high"]],
            f"Two-by-two as a regression, errors clustered by city. Synthetic, true effect {p.effect:g}", digits=4)

# %% [markdown]
# ## What the two shortcuts do
#
# One sample proves little. So draw the noise of the same cities 1,000 times, and look at the mean and the spread of the
# three answers.

# %%
draws = without + p.effect * np.outer(treated, after) + rng.normal(0, p.noise, (1000, *without.shape))
t1, t0 = draws[:, treated][:, :, after].mean((1, 2)), draws[:, treated][:, :, ~after].mean((1, 2))
c1, c0 = draws[:, ~treated][:, :, after].mean((1, 2)), draws[:, ~treated][:, :, ~after].mean((1, 2))
answers = pd.DataFrame({"treated, after minus before": t1 - t0, "after, treated minus others": t1 - c1,
                        "difference-in-differences": (t1 - t0) - (c1 - c0)})
table = answers.agg(["mean", "std"]).T.assign(bias=lambda rows: rows["mean"] - p.effect)
report.view(table, f"Three estimators on 1,000 samples, log points. Synthetic, true effect {p.effect:g}")

# %% [markdown]
# ## How to read it
#
# - **Before and after** takes the growth of all cities for the effect: 0.08 a year, four years from the middle of one
#   period to the middle of the other.
# - **With and without** takes the size of the chosen cities for the effect. It is the largest error here, and the one
#   that more data never cure.
# - **Difference-in-differences** removes both, for a difference in levels does not change and a change in all cities
#   does not differ. What is left over, the column `std`, is noise.
# - The regression does not know more than the four means. It only counts the noise.

# %% [markdown]
# ## What can go wrong
#
# - **Trends that are not parallel.** If cities with zones would have grown faster anyway, that growth lands in the
#   estimate, four years of it (`-p growth 0.02`). {doc}`Page 4 <primer_4_parallel_trends>` is about that.
# - **Levels or logs.** Parallel in logs is not parallel in yuan. The choice is part of the assumption.
# - **Spillovers.** If firms move from a city without a zone to one with it, the second bracket falls because of the
#   zones, and the move counts twice. The {doc}`lab <lab>` has such a world.
# - **Anticipation** (预期效应). If exporters wait for the announced zone, *before* is no longer untouched.

# %% [markdown]
# ## Where the five studies do it
#
# None has two groups and two periods, for zones came in several years; but each has these four means inside.
# {doc}`The descriptive page of resilience <../studies/resilience/01_data>` compares cities with and without zones,
# {doc}`its baseline <../studies/resilience/03_baseline>` is the regression. {doc}`The next page
# <primer_2_two_way_fixed_effects>` turns two by two into many by many.

# %% [markdown]
# ## Try it
#
# - `-p effect 0`: what do the two shortcuts find where there is nothing?
# - `-p growth 0.02`: what is the bias, and is it 0.02 times the four years between the periods?
# - `-p noise 0.4`: what happens to `std`, and what to `bias`?
