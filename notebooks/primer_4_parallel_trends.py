# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Parallel trends: the assumption, and what a test of it can see
#
# Zones did not fall from the sky: the early ones went to the east of China. What if eastern cities would have grown
# faster anyway, and would the usual pre-trend test have told us? Run the page with other parameters from the project
# folder:
#
# ```bash
# papermill notebooks/primer_4_parallel_trends.ipynb out.ipynb -p selection 0.02
# ```

# %% tags=["parameters"]
seed: int = 2023  # seed of the simulated outcomes, 0 or larger
effect: float = 0.2  # true effect of a zone, log points, -2 to 2
noise: float = 0.1  # standard deviation of the noise in each city and year, log points, above 0
selection: float = 0.01  # extra growth of eastern cities, zone or not, log points a year, -0.5 to 0.5

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from pilotzones import parameters, policy, report
from pilotzones.estimators.regression import regress
from pilotzones.report import figures_primer

p = parameters.check("primer_4_parallel_trends", globals())
report.banner_of_primer("Primer: parallel trends.", p.model_dump())

# %% [markdown]
# ## Question
#
# Difference-in-differences is right on average if untreated outcomes $y(0)$ of both groups would have changed alike
# (平行趋势):
#
# $$ E[y_t(0) - y_{t-1}(0) \mid T] = E[y_t(0) - y_{t-1}(0) \mid C] . $$
#
# For the years after the zone nobody can check this. For the years before one can, and papers do. How much is such a
# check worth?

# %% [markdown]
# ## A small world
#
# The twelve cities of January 2016, and the prefectures without a zone by 2022: where they are is a fact. The outcome
# is made up: eastern cities grow by `selection` a year more than others, zone or not; `effect` comes on top from 2016
# on.

# %%
batch = policy.first_batch(partial=True)
batch = batch[batch.isin([0, 2])]
treated = batch.to_numpy() == 2
facts = policy.cities().set_index("adcode").loc[batch.index]
east, years = (facts["region"] == "east").to_numpy(), np.arange(2010, 2022)
traits = {"all": east | True, "in the east": east, "municipality, sub-provincial or capital": facts["admin_rank"] > 1}
chosen = pd.DataFrame({name: [(trait & treated).sum(), (trait & ~treated).sum()] for name, trait in traits.items()},
                      ["zone in 2016", "no zone by 2022"])
report.view(chosen, "Who was chosen: number of cities (facts)")

# %%
rng = np.random.default_rng(p.seed)
own_trend = p.selection * east[:, None] * (years - 2010)
jump = p.effect * np.outer(treated, years >= 2016)
y = 10 + 0.08 * (years - 2010) + own_trend + jump + rng.normal(0, p.noise, (len(batch), len(years)))

# %%
lines = pd.DataFrame({"zone in 2016": y[treated].mean(axis=0), "no zone by 2022": y[~treated].mean(axis=0)}, years)
report.show(
    figures_primer.lines_plot(lines, xlabel="year", ylabel="exports (log points)", start=2015.5),
    name="fig-trends",
    alt="Mean log exports by year of cities with a zone in 2016 and of cities without one by 2022.",
    caption="Two groups (synthetic outcome). The gap before 2016 (dotted) widens by a little each year. Would you have "
    "seen it?",
    data=lines,
)

# %% [markdown]
# ## Result: the estimate, without and with a remedy
#
# If growth depends on the region only, cities of one region have parallel trends: **conditional parallel trends**
# (条件平行趋势). The remedy is an effect for each region in each year. A constant for the region does nothing: city
# effects contain it.

# %%
frame = pd.DataFrame(y, batch.index, years).rename_axis(index="city", columns="year").stack().rename("y").reset_index()
frame["east"], frame["cluster"] = np.repeat(east, len(years)).astype(int), frame["city"]
frame["treat_post"] = (np.repeat(treated, len(years)) & (frame["year"] >= 2016)).astype(int)
effects = {"city and year effects": "city + year", "city and region-by-year effects": "city + east^year"}
found = {name: regress(f"y ~ treat_post | {fe}", frame, "cluster:cluster").coefficients.loc["treat_post"]
         for name, fe in effects.items()}
report.view(pd.DataFrame(found).T[["estimate", "se", "low", "high"]].assign(truth=p.effect),
            "Difference-in-differences without and with region-by-year effects. Synthetic", digits=4)

# %% [markdown]
# ## The pre-trend test, and what passing it is worth
#
# The usual test: a gap for each year before 2016, relative to 2015; pass if none of the five is significant at 5% (the
# standard error is known here). Let
# the treated grow faster by some slope, draw 2,000 samples for each slope, and count. Two estimates are made in each
# sample: all years after less all years before, as above, and all years after less 2015, as in an event study.

# %%
draws, before, base = 2000, years < 2016, years == 2015
sizes = np.array([treated.sum(), (~treated).sum()])
# the noise of the gap between two group means, year by year
first, second = (rng.normal(0, p.noise / np.sqrt(size), (draws, len(years))) for size in sizes)
standard_error = p.noise * np.sqrt(2 * (1 / sizes).sum())  # of a year's gap less that of 2015
table = {}
for slope in (0.0, 0.005, 0.01, 0.02, 0.03):
    gap = first - second + slope * (years - 2015)
    leads = (gap - gap[:, base])[:, years < 2015]
    passes = (np.abs(leads) < 1.96 * standard_error).all(axis=1)
    simple, event = (gap[:, ~before].mean(axis=1) - gap[:, since].mean(axis=1) for since in (before, base))
    table[f"{slope:g}"] = {"share that pass": passes.mean(), "simple: bias": simple.mean(),
                           "event study: bias": event.mean()}
    if passes.any():
        table[f"{slope:g}"] |= {"simple: bias if passed": simple[passes].mean(),
                                "event study: bias if passed": event[passes].mean()}
report.view(pd.DataFrame(table).T, "The pre-trend test by extra growth of the treated (rows, log points a year), "
            f"{draws:,} samples each; biases in log points, true effect {p.effect:g}. Synthetic")

# %% [markdown]
# ## How to read it
#
# - The region is why the groups differ: most cities of the second batch are in the east, few of the others are. With
#   the growth of the east removed, the estimate comes back towards the truth, within its error.
# - In the first row of the last table trends are parallel. A test of five leads at 5% each does not pass 95% of the
#   time.
# - Small slopes pass most of the time, and yet bias the estimate. Slopes that would be found often are those that do
#   great harm. A passed test says: no *large* violation.
# - **Passing can make it worse** (Roth 2022). Samples pass when the noise of 2015 happens to hide the slope, and what
#   hides it there is added to every later difference from 2015: compare the two columns of the event study. The simple
#   estimate does not lean on 2015 alone, and has the larger bias to begin with.

# %% [markdown]
# ## What can go wrong
#
# - **The remedy is the wrong one.** Region-by-year effects help if the region is the reason. A trend of each city's own
#   would take part of a growing effect with it.
# - **No overlap.** The last column of the first table: every leading city has a zone by 2022. If *rank* were the reason
#   for faster growth, there would be nobody to compare with, and no regression could help.
# - **Functional form.** Trends cannot in general be parallel both in levels and in logs.
# - **The past is no proof.** Parallel before 2016 does not mean parallel after. Bounds say how far trends may fail
#   before a conclusion does (Rambachan and Roth 2023).

# %% [markdown]
# ## Where the five studies do it
#
# Balance of treated and others: {doc}`resilience <../studies/resilience/01_data>`. Leads before the zone: {doc}`its
# baseline <../studies/resilience/03_baseline>`. Effects of provinces by year, a remedy of this kind: {doc}`patents
# <../studies/innovation/03_baseline>`. A study whose trend is the finding: {doc}`productivity
# <../studies/productivity/03_baseline>`. Power of the pre-trend test, and bounds: {doc}`resilience
# <../studies/resilience/08_modern_did>`.

# %% [markdown]
# ## Try it
#
# - `-p selection 0`: do region-by-year effects cost precision when they are not needed?
# - `-p selection 0.03`: is the growth of eastern cities visible in the figure now?
# - `-p noise 0.03`: from which slope on does the test find the violation nearly always?
