# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Staggered adoption: when the treated serve as controls
#
# Zones came in waves, and effects may grow. Then two-way fixed effects subtract one effect from another. Run the page
# with other parameters from the project folder:
#
# ```bash
# papermill notebooks/primer_3_staggered_adoption.ipynb out.ipynb -p growth 0
# ```

# %% tags=["parameters"]
seed: int = 2023  # seed of the simulated outcomes, 0 or larger
effect: float = 0.2  # true effect in the first year of a zone, log points, -2 to 2
noise: float = 0.1  # standard deviation of the noise in each city and year, log points, above 0
growth: float = 1.0  # what the effect gains each year, in effects of the first year, -1 to 2

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from pilotzones import parameters, policy, report
from pilotzones.estimators import bacon, modern
from pilotzones.estimators.regression import regress
from pilotzones.report import figures_modern

p = parameters.check("primer_3_staggered_adoption", globals())
report.banner_of_primer("Primer: staggered adoption.", p.model_dump())

# %% [markdown]
# ## Question
#
# Take the cities of 2016 and of 2020, and those without a zone. In 2020 the later ones change from *without* to *with*.
# Two-way fixed effects compare that change with the change of all others, **also with that of the cities of 2016**,
# which have had zones for four years. If the effect of these still grows, their growth is subtracted. Goodman-Bacon
# (2021) showed that the estimate is a weighted mean of all such two-by-two comparisons $k$:
#
# $$ \hat\tau = \sum_k s_k\, \hat\tau_k, \qquad \sum_k s_k = 1 . $$
#
# How much do the bad ones weigh, and what do they do?

# %% [markdown]
# ## A small world
#
# Real roll-out, made-up outcome: $k$ years after its start a zone adds `effect` $\times (1 +$ `growth` $\times k)$,
# alike in all cohorts. Every true effect is positive as long as `growth` is.

# %%
rows = pd.MultiIndex.from_product([policy.cities()["adcode"], range(2010, 2022)], names=["city", "year"])
panel = policy.attach(rows.to_frame(index=False), batches=(1, 2, 3, 4, 5), partial=True)

rng = np.random.default_rng(p.seed)
panel["true"] = (p.effect * (1 + p.growth * panel["event_time"])).where(panel["event_time"] >= 0, 0.0)
panel["y"] = 10 + 0.08 * (panel["year"] - 2010) + panel["true"] + rng.normal(0, p.noise, len(panel))
three = panel[panel["cohort"].isin([2016, 2020]) | panel["cohort"].isna()]

# %% [markdown]
# ## Three groups, four comparisons, by hand
#
# Early (2016), late (2020), never. The first comparison below is the mean change of the early group at 2016 beside that
# of the never treated; the second the same for the late group at 2020. Then the groups against each other: early
# against *not yet* treated, in the years before 2020; and late against *already* treated, in the years from 2016 on.

# %%
means = three.groupby([three["cohort"].fillna(0).astype(int), "year"])["y"].mean().unstack()
early, late, never = means.loc[2016], means.loc[2020], means.loc[0]
gap = {"early against never": (early - never, 2010, 2016, 2021), "late against never": (late - never, 2010, 2020, 2021),
       "early against late, not yet treated": (early - late, 2010, 2016, 2019),
       "late against early, already treated": (late - early, 2016, 2020, 2021)}
by_hand = pd.DataFrame({"estimate": {name: line.loc[start:last].mean() - line.loc[first : start - 1].mean()
                                     for name, (line, first, start, last) in gap.items()}})

# %% [markdown]
# The weight of a comparison grows with the size of its groups, $n$, and with how evenly its years split into before and
# after; $d$ is the share of years that a group is treated.

# %%
n = three.groupby(three["cohort"].fillna(0).astype(int))["city"].nunique()
d = (2022 - n.index.to_series()) / 12
weight = np.array([n[2016] * n[0] * d[2016] * (1 - d[2016]), n[2020] * n[0] * d[2020] * (1 - d[2020]),
                   n[2016] * n[2020] * (d[2016] - d[2020]) * (1 - d[2016]),
                   n[2016] * n[2020] * d[2020] * (d[2016] - d[2020])])
by_hand["weight"] = weight / weight.sum()
library = bacon.decompose(three, outcome="y", unit="city", time="year", cohort="cohort")
by_hand.loc["weighted sum"] = [by_hand["weight"] @ by_hand["estimate"], 1.0]
by_hand.loc["two-way fixed effects, regression"] = [
    regress("y ~ treat_post | city + year", three).coefficients.at["treat_post", "estimate"], np.nan]
by_hand.loc["weighted sum, library"] = [library.estimate, library.comparisons["weight"].sum()]
report.view(by_hand, f"Four two-by-two comparisons of the cohorts of 2016 and 2020. Synthetic, true mean effect "
            f"{three.loc[three['treat_post'] == 1, 'true'].mean():.3f}", digits=4)

# %% [markdown]
# ## Take away the never treated
#
# With them gone, only the last two comparisons are left, and the forbidden one (禁忌比较) has its full say.

# %%
only = three[three["cohort"].notna()]
without = regress("y ~ treat_post | city + year", only).coefficients.at["treat_post", "estimate"]
with_them = by_hand.at["weighted sum", "estimate"]
smallest, mean = (only.loc[only["treat_post"] == 1, "true"].agg(how) for how in ("min", "mean"))
report.view(pd.DataFrame({"log points": {"estimate, with never treated": with_them,
                                         "estimate, without never treated": without,
                                         "true effects, smallest": smallest, "true effects, mean": mean}}),
            "Two-way fixed effects of the cohorts of 2016 and 2020. Synthetic")

# %% [markdown]
# ## The whole roll-out
#
# Five cohorts and 232 cities without a zone: the library's decomposition of all comparisons.

# %%
whole = bacon.decompose(panel, outcome="y", unit="city", time="year", cohort="cohort")
report.view(whole.by_type.rename(bacon.TYPES), "The whole roll-out taken apart, by kind of comparison. Synthetic")

# %%
report.show(
    figures_modern.bacon_plot(whole, xlabel="weight (share)", ylabel="estimate (log points)"),
    name="fig-primer-bacon",
    alt="Scatter plot of all two-by-two comparisons of the roll-out, weight against estimate, one colour per kind.",
    caption="All two-by-two comparisons in the roll-out (synthetic outcome): weight and estimate. Crosses compare with "
    "cities that are already treated. The dashed line is their weighted sum, two-way fixed effects.",
    data=whole.comparisons,
)

# %% [markdown]
# Estimators that never use treated cities as controls answer for the mean effect over treated rows.

# %%
names = ("twfe", "callaway_santanna", "borusyak_jaravel_spiess")
roles = dict(outcome="y", unit="city", time="year", cohort="cohort", cluster="city")
found = pd.DataFrame({modern.ESTIMATORS[name].title: modern.estimate(name, panel, **roles).att for name in names}).T
true_mean = panel.loc[panel["treat_post"] == 1, "true"].mean()
report.view(found.assign(truth=true_mean, error=found["estimate"] - true_mean),
            "The mean effect over treated rows, by estimator; errors clustered by city. Synthetic")

# %% [markdown]
# ## How to read it
#
# - The four comparisons by hand, their weighted sum, the regression and the library give the same number: the
#   decomposition is an identity, not an approximation.
# - If effects grow, the comparison with the already treated is far too low, and may be negative although every single
#   effect is positive. It measures the late cities' gain *minus* the growth of the early ones' effect.
# - In the real roll-out most cities are never treated, so such comparisons weigh little. That is luck of the design.
#   Two-way fixed effects are still off, for a second reason: they weigh long and short exposure unequally
#   ({doc}`weights <primer_2_two_way_fixed_effects>`), and effects differ by exposure.
# - Callaway and Sant'Anna (2021) and Borusyak, Jaravel and Spiess (2024) compare with untreated rows only, and weigh
#   every treated row the same. That is what the truth in the last table is: a mean over treated rows.

# %% [markdown]
# ## What can go wrong
#
# - **New estimators cure bad controls, not bad trends.** All of them still need parallel trends and no anticipation.
# - **The question changes with the weights.** If effects differ, "the" effect does not exist. Say which mean you
#   report.
# - **Small cohorts.** Hangzhou (杭州) is a cohort of one. Its effects are estimated, their error is not.

# %% [markdown]
# ## Where the five studies do it
#
# The decomposition and nine estimators on each roll-out: {doc}`patents <../studies/innovation/08_modern_did>`,
# {doc}`resilience <../studies/resilience/08_modern_did>`, {doc}`pairs of cities
# <../studies/coordination/08_modern_did>`, {doc}`productivity <../studies/productivity/08_modern_did>`. Side by side:
# {doc}`across the studies <../across/11_across_studies>`. Six worlds to choose from: {doc}`the lab <lab>`.

# %% [markdown]
# ## Try it
#
# - `-p growth 0`: which of the four comparisons change, and what becomes of the error of two-way fixed effects?
# - `-p growth 2`: what share of the mean effect is left without never-treated cities?
# - `-p growth -0.2`: effects that fade. In which direction is two-way fixed effects off now?
