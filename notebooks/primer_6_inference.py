# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Inference: how many independent facts are there?
#
# Thousands of rows, hundreds of cities, one Hangzhou. Which standard error tells how sure we may be? Measured: draw
# many samples with a known truth, and count how often a 95% interval holds it. Run the page with other parameters from
# the project folder:
#
# ```bash
# papermill notebooks/primer_6_inference.ipynb out.ipynb -p persistence 0.3
# ```

# %% tags=["parameters"]
seed: int = 2023  # seed of the simulated outcomes, 0 or larger
effect: float = 0.2  # true effect of a zone, log points, -2 to 2
noise: float = 0.1  # standard deviation of the noise in each city and year, log points, above 0
persistence: float = 0.8  # autocorrelation of a city's noise from one year to the next, 0 to below 1
draws: int = 400  # simulated samples, 100 to 2000

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from pilotzones import parameters, policy, report
from pilotzones.estimators.placebo import placebo
from pilotzones.estimators.regression import regress
from pilotzones.estimators.wild_bootstrap import wild_bootstrap
from pilotzones.report import figures_primer

p = parameters.check("primer_6_inference", globals())
report.banner_of_primer("Primer: inference.", p.model_dump())

# %% [markdown]
# ## Question
#
# A standard error is an answer to "what if the noise had fallen differently?". It needs to know which pieces of noise
# fall together. With one date of reform, two-way fixed effects compare each city's change from before to after, $c_i$:
#
# $$ \hat\tau = \bar c_T - \bar c_C, \qquad
# \widehat{var}(\hat\tau) = \frac{\sum_{i \in T} (c_i - \bar c_T)^2}{n_T^2} +
# \frac{\sum_{i \in C} (c_i - \bar c_C)^2}{n_C^2} . $$
#
# That is the clustered error (聚类标准误), up to a small factor: **one fact per city**. The conventional error counts
# one fact per row instead. And if $n_T = 1$, the first sum is zero, whatever Hangzhou (杭州) does.

# %% [markdown]
# ## A small world
#
# The 337 prefectures, 2010-2021, in order of their zones. To have one date, all zones of this page begin in 2015, as
# Hangzhou's did. A city's noise has a memory: `persistence` of it is left a year later.

# %%
order = policy.first_batch(partial=True).replace(0, 9).sort_values(kind="stable")  # Hangzhou first, without a zone last
years, n = np.arange(2010, 2022), len(order)
after = years >= 2015

rng = np.random.default_rng(p.seed)
shocks = rng.normal(0, p.noise, (p.draws, n, len(years)))
paths = {}
for rho in sorted({0.0, p.persistence / 2, p.persistence}):
    paths[rho] = shocks.copy()
    for t in range(1, len(years)):
        paths[rho][:, :, t] = rho * paths[rho][:, :, t - 1] + np.sqrt(1 - rho**2) * shocks[:, :, t]

# %% [markdown]
# ## Rows or cities?
#
# The 105 cities with a zone by 2020 are treated, all others not. For each memory of the noise: the true spread of the
# estimate, the mean of each standard error, and the share of intervals that hold the truth (覆盖率).

# %%
treated = order.to_numpy() <= 5
centred = np.outer(treated - treated.mean(), after - after.mean())  # what both effects leave of the treatment
rows = {}
for rho, u in paths.items():
    left = u - u.mean(axis=1, keepdims=True) - u.mean(axis=2, keepdims=True) + u.mean(axis=(1, 2), keepdims=True)
    error = (left * centred).sum(axis=(1, 2)) / (centred**2).sum()  # estimate less truth
    residual = left - error[:, None, None] * centred
    iid = np.sqrt((residual**2).sum((1, 2)) / (u[0].size - n - len(years)) / (centred**2).sum())
    by_city = np.sqrt(((residual * centred).sum(axis=2) ** 2).sum(axis=1)) / (centred**2).sum()
    rows[f"{rho:g}"] = {"sd of the estimate": error.std(), "mean error, rows": iid.mean(),
                        "mean error, cities": by_city.mean(), "coverage, rows": (np.abs(error) < 1.96 * iid).mean(),
                        "coverage, cities": (np.abs(error) < 1.96 * by_city).mean()}
report.view(pd.DataFrame(rows).T.rename_axis("persistence"), f"105 treated cities, {p.draws} samples: conventional "
            "errors (rows) and errors clustered by city, by memory of the noise. Synthetic", digits=4)

# %% [markdown]
# ## Few treated cities
#
# Now let fewer cities be treated, and test the truth in three ways at 5%. Each should keep it in 95% of samples.
#
# **Clustered**: the formula above.

# %%
change = paths[p.persistence][:, :, after].mean(axis=2) - paths[p.persistence][:, :, ~after].mean(axis=2)
groups = {size: (np.arange(n) < size, np.arange(n) >= size) for size in (1, 2, 5, 13, 105)}
estimate, t, keeps = {}, {}, {"clustered": {}, "wild bootstrap": {}, "randomisation": {}}
for size, (zone, other) in groups.items():
    estimate[size] = np.abs(change[:, zone].mean(axis=1) - change[:, other].mean(axis=1))
    t[size] = estimate[size] / np.sqrt(change[:, zone].var(axis=1) / size + change[:, other].var(axis=1) / (n - size))
    keeps["clustered"][size] = (t[size] < 1.96).mean()

# %% [markdown]
# **Wild bootstrap** (野聚类自助法): impose that there is no effect, flip the signs of whole cities' residuals at
# random, and see how often $t$ gets as large.

# %%
signs = rng.choice([-1.0, 1.0], (n, 199))
residual = change - change.mean(axis=1, keepdims=True)
for size, (zone, other) in groups.items():
    means = [residual[:, g] @ signs[g] / g.sum() for g in (zone, other)]
    squares = [(residual[:, g] ** 2).mean(axis=1)[:, None] for g in (zone, other)]  # the same whatever the signs
    variance = (squares[0] - means[0] ** 2) / size + (squares[1] - means[1] ** 2) / (n - size)
    p_values = (np.abs(means[0] - means[1]) / np.sqrt(variance) >= t[size][:, None]).mean(axis=1)
    keeps["wild bootstrap"][size] = (p_values > 0.05).mean()

# %% [markdown]
# **Randomisation** (随机化推断): give the same number of zones to cities drawn by lot, and see how often the estimate
# gets as large.

# %%
for size in groups:
    lots = np.argsort(rng.random((199, n)), axis=1) < size
    fake = np.abs(change @ (lots / size - ~lots / (n - size)).T)
    p_values = (1 + (fake >= estimate[size][:, None]).sum(axis=1)) / 200
    keeps["randomisation"][size] = (p_values > 0.05).mean()
coverage = pd.DataFrame(keeps).rename_axis("treated cities")
report.view(coverage, f"Share of {p.draws} samples in which the truth is not rejected at 5%, by number of treated "
            f"cities among {n}. Synthetic")

# %%
drawn = coverage.set_axis([f"{size} of {n}" for size in groups]).assign(nominal=0.95)
report.show(
    figures_primer.lines_plot(drawn, xlabel="treated cities", ylabel="samples that keep the truth (share)"),
    name="fig-few-treated",
    alt="Share of samples in which the truth is not rejected, by number of treated cities, for three tests.",
    caption="How often three tests at 5% keep the truth, by number of treated cities: 1 is Hangzhou alone, 13 the "
    "zones of 2015 and 2016, 105 all through 2020 (synthetic outcome). Each should do so in 0.95 of samples.",
    data=drawn,
)

# %% [markdown]
# ## Firms in cities: the Moulton factor
#
# Give each city many firms. Zones are given to cities, so a firm more is not a fact more: with correlation $r$ of firms
# in a city, errors for independent firms are too small by $\sqrt{1 + (m - 1) r}$ with $m$ firms a city (Moulton 1990).

# %%
measured, r = {}, 0.2
for firms in (1, 5, 20):
    own = rng.normal(0, change.std() * np.sqrt(1 / r - 1), (p.draws, n, firms))
    firm = change[:, :, None] + own
    found = firm[:, treated].mean(axis=(1, 2)) - firm[:, ~treated].mean(axis=(1, 2))
    naive = np.sqrt(firm[:, treated].var(axis=(1, 2)) / treated.sum() / firms + firm[:, ~treated].var(axis=(1, 2))
                    / (~treated).sum() / firms)
    measured[firms] = {"sd of the estimate": found.std(), "mean error, firms": naive.mean(),
                       "ratio": found.std() / naive.mean(), "Moulton factor": np.sqrt(1 + (firms - 1) * r),
                       "coverage, firms": (np.abs(found) < 1.96 * naive).mean()}
report.view(pd.DataFrame(measured).T.rename_axis("firms per city"), f"105 treated cities with several firms, {p.draws} "
            "samples; correlation of firms in a city 0.2. Synthetic")

# %% [markdown]
# ## One sample, as a paper would see it
#
# The first sample, with `effect` added to Hangzhou and the twelve cities of 2016; the same estimate, four judgements.

# %%
frame = pd.DataFrame(paths[p.persistence][0], order.index, years).rename_axis(index="city", columns="year")
frame = frame.stack().rename("y").reset_index()
frame["treat_post"] = (frame["city"].map(order <= 2) & (frame["year"] >= 2015)).astype(int)
frame["y"], frame["cluster"] = frame["y"] + p.effect * frame["treat_post"], frame["city"]

fit = regress("y ~ treat_post | city + year", frame, "iid")
by_city = fit.under("cluster:cluster")
judged = {"conventional": fit.coefficients.loc["treat_post"],
          "clustered by city": by_city.coefficients.loc["treat_post"]}
boot = wild_bootstrap(by_city, "treat_post", cluster="cluster", draws=999, seed=p.seed)
fake = placebo("y ~ treat_post | city + year", frame, treatment="treat_post", city="city", time="year",
               sizes={2015: 13}, draws=999, seed=p.seed, vcov="cluster:cluster")
judged["wild bootstrap"] = pd.Series({"low": boot.low, "high": boot.high, "p": boot.p})
judged["randomisation"] = pd.Series({"p": fake.p_value(by_city.coefficients.at["treat_post", "t"])})
report.view(pd.DataFrame(judged).T[["estimate", "se", "low", "high", "p"]],
            f"13 treated cities, one sample, four judgements. Synthetic, true effect {p.effect:g}")

# %% [markdown]
# ## How to read it
#
# - **Memory.** Without memory both errors are right. With it, rows of one city repeat each other: the conventional
#   error even falls, while the estimate spreads more and more (Bertrand, Duflo and Mullainathan 2004).
# - **Few treated.** The clustered error is small with one treated city because it *cannot see* that city's own noise.
#   Its intervals then seldom hold the truth, with 337 clusters. What counts is the number of treated clusters.
# - **The wild bootstrap** errs to the other side there: with one treated city it does not reject what it should. Too
#   many kept truths are no virtue; a test that never rejects never finds anything.
# - **Randomisation** keeps 95% for every number, for it imitates the lottery. Here there was one.
# - **Firms.** The ratio follows Moulton's factor. Cluster where the treatment was given: by city.

# %% [markdown]
# ## What can go wrong
#
# - **No lottery.** Randomisation takes cities as exchangeable. If cities with zones are noisier than others, as in the
#   book's city panels, fake zones are too quiet, and p values too small.
# - **Clusters that are not alone.** Neighbours share shocks; pairs of cities share cities.
# - **A cohort of one.** Modern estimators that measure deviations from the cohort's mean have the same blind spot as
#   the clustered error above.

# %% [markdown]
# ## Where the five studies do it
#
# One coefficient under all errors: {doc}`patents <../studies/innovation/03_baseline>`. Wild bootstrap and
# randomisation: {doc}`resilience <../studies/resilience/08_modern_did>`. Fake zones: {doc}`its robustness page
# <../studies/resilience/04_robustness>`. Pairs that share cities: {doc}`coordination
# <../studies/coordination/03_baseline>`. Neighbours: {doc}`Conley errors <../studies/innovation/07_spatial>`. Verdicts:
# {doc}`across the studies <../across/11_across_studies>`.

# %% [markdown]
# ## Try it
#
# - `-p persistence 0`: which of the tables still shows a problem?
# - `-p draws 2000`: which differences between numbers were luck?
# - `-p effect 0.05`: which of the four judgements of one sample change?
