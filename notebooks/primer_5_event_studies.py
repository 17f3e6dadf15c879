# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Event studies: one coefficient for each year before and after
#
# The figure that every paper shows, and four choices behind it: base year, window, ends, band. Run the page with other
# parameters from the project folder:
#
# ```bash
# papermill notebooks/primer_5_event_studies.ipynb out.ipynb -p base -2 -p gap 0.2
# ```

# %% tags=["parameters"]
seed: int = 2023  # seed of the simulated outcomes, 0 or larger
effect: float = 0.2  # true effect of a zone from its second year on, half in its first, log points, -2 to 2
noise: float = 0.1  # standard deviation of the noise in each city and year, log points, above 0
leads: int = -4  # first event year with a dummy of its own, -4 to -2
lags: int = 5  # last event year with a dummy of its own, 1 to 5
base: int = -1  # event year all others are compared with, from leads to -1
gap: float = 0.0  # how much more the cohorts of 2015 and 2016 gain than later ones, log points, 0 to 1

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from pilotzones import parameters, policy, report
from pilotzones.estimators.event_study import event_study
from pilotzones.estimators.inference import covariance, wald
from pilotzones.report import figures

p = parameters.check("primer_5_event_studies", globals())
report.banner_of_primer("Primer: event studies.", p.model_dump())

# %% [markdown]
# ## Question
#
# Put every city on its own clock: event time (相对时间) is years since its zone. How large is the gap to other cities
# $k$ years after, and was there one before?
#
# $$ y_{it} = \alpha_i + \lambda_t + \sum_{k \ne base} \beta_k\, 1\{t - g_i = k\} + u_{it} $$
#
# $g_i$ is the first year of the zone. Coefficients with $k < 0$ are **leads**: their truth is zero if trends are
# parallel and nobody anticipates. Coefficients with $k \ge 0$ are **lags**: the effect as it unfolds. One $k$ has to be
# left out, for only differences are known.

# %% [markdown]
# ## A small world
#
# All prefectures, 2010-2021, real first years. A zone adds half of `effect` in its first year and all of it from then
# on. The cohorts of 2015 and 2016 may gain `gap` more.

# %%
rows = pd.MultiIndex.from_product([policy.cities()["adcode"], range(2010, 2022)], names=["city", "year"])
panel = policy.attach(rows.to_frame(index=False), batches=(1, 2, 3, 4, 5), partial=True)
panel["cluster"] = panel["city"]

rng = np.random.default_rng(p.seed)
size = p.effect * np.where(panel["event_time"] == 0, 0.5, 1.0) + p.gap * (panel["cohort"] <= 2016)
panel["true"] = size.where(panel["event_time"] >= 0, 0.0)
panel["y"] = 10 + 0.08 * (panel["year"] - 2010) + panel["true"] + rng.normal(0, p.noise, len(panel))
truth = panel[panel["event_time"].between(0, p.lags)].groupby("event_time")["true"].mean()

# %% [markdown]
# ## Result

# %%
window = dict(leads=p.leads, lags=p.lags, beyond="bin", vcov="cluster:cluster")
fit = event_study("y ~ {event} | city + year", panel, base=[p.base], **window)
drawn = figures.with_truth({f"base year {p.base}": fit.coefficients}, truth)
report.show(
    figures.event_plot(drawn, ylabel="effect (log points)"),
    name="fig-primer-event-study",
    alt="Event-study coefficients with 95% intervals by years since the zone, and the true mean effects.",
    caption="Event study of the roll-out (synthetic outcome): coefficients with 95% intervals, errors clustered by "
    "city; diamonds: true mean effect of that event year. Rows before and after the window are in its first and last "
    "year.",
    data=drawn,
)

# %% [markdown]
# ### The base year
#
# Every coefficient is a difference from the base year. Another base moves them all by the same amount.

# %%
bases = {f"base {year}": event_study("y ~ {event} | city + year", panel, base=[year], **window).coefficients["estimate"]
         for year in sorted({p.base, p.leads, -2, -1})}
shifts = pd.DataFrame(bases).rename_axis("years since the zone")
report.view(shifts.assign(**{"last minus first column": shifts.iloc[:, -1] - shifts.iloc[:, 0]}),
            "Coefficients with other base years. Synthetic")

# %% [markdown]
# ### The ends of the window
#
# Event time runs from -10 to 6. What becomes of years beyond the window? **Binned**: they share the first or the last
# dummy. **In the base**: they get none, as if the effect ended with the window.

# %%
short = {name: event_study("y ~ {event} | city + year", panel, base=[p.base], **{**window, "lags": 2, "beyond": beyond})
         for name, beyond in {"binned": "bin", "in the base": "base"}.items()}
ends = pd.DataFrame({name: other.coefficients["estimate"] for name, other in short.items()})
report.view(ends.assign(truth=truth).loc[0:].rename_axis("years since the zone"),
            "A window that ends two years after the zone: what happens to later years. Synthetic")

# %% [markdown]
# ### Many intervals are not one
#
# Each interval holds its own truth in 95 of 100 samples; all together do so less often. A **sup-t band** is wider by so
# much that the whole path lies inside with 95%: the multiple is the 95% point of the largest $|t|$ among correlated
# coefficients. The joint test asks of all leads at once whether they are zero.

# %%
matrix, df = covariance(fit)
spread = np.sqrt(np.diag(matrix))
t_values = rng.multivariate_normal(np.zeros(len(matrix)), matrix / np.outer(spread, spread), 20000)
multiple = np.quantile(np.abs(t_values).max(axis=1), 0.95)
joint = wald(fit, [k for k in fit.coefficients.index if k < 0 and k != p.base])
path = {"multiple of the error, one interval": 1.96, "multiple of the error, sup-t band": multiple,
        "leads, joint test: F": joint["statistic"], "leads, joint test: p": joint["p"]}
report.view(pd.DataFrame({"value": path}), "From single intervals to the whole path. Synthetic")

# %% [markdown]
# ### Contamination
#
# If cohorts differ in their effects, a coefficient of one event year takes in effects of other years, leads included
# (Sun and Abraham 2021). These are the leads of this roll-out without any noise: once with equal cohorts, once with
# early cohorts that gain 0.2 log points more. They are small here, for most cities are never treated; they are not
# zero.

# %%
clean = {}
for extra in (0.0, 0.2):
    effects = p.effect + extra * (panel["cohort"] <= 2016)
    quiet = panel.assign(y=effects.where(panel["event_time"] >= 0, 0.0))
    clean[f"early cohorts gain {extra:g} more"] = event_study(
        "y ~ {event} | city + year", quiet, base=[-1], **window).coefficients["estimate"]
report.view(pd.DataFrame(clean).loc[:-1].rename_axis("years since the zone"),
            "Leads of an outcome without noise and without any pre-trend, base -1. Synthetic", digits=4)

# %% [markdown]
# ## How to read it
#
# - Diamonds and dots agree up to the intervals. The first year is half a year's effect: zones began in the course of
#   it.
# - The base year is a choice of words, not of facts: differences between coefficients stay. But an interval around zero
#   is about the *difference from the base*; a strange base year makes all others look strange.
# - Years after the window that are put into the base are treated rows declared untreated. They pull the other
#   coefficients towards zero. Binning mixes their effects into the last dummy, which is at least labelled.
# - Leads can be non-zero without a pre-trend, when effects differ between cohorts. A lead is evidence against the
#   *model*; it does not say which part of it.

# %% [markdown]
# ## What can go wrong
#
# - **A different mix in each year.** Five and six years after are the cities of 2015 and 2016 only; a rise at the end
#   can be a change of cities.
# - **Too few cities at the ends.** The last year of a window can be Hangzhou (杭州) alone.
# - **Dropping two dummies without saying so.** Without never-treated units one base year is not enough.
# - **Looking until it is flat.** Window, bins and base chosen after seeing the figure are not a test.

# %% [markdown]
# ## Where the five studies do it
#
# Each baseline page has the paper's event study, with other bases and ends: {doc}`patents
# <../studies/innovation/03_baseline>`, {doc}`resilience <../studies/resilience/03_baseline>`, {doc}`pairs of cities
# <../studies/coordination/03_baseline>`, {doc}`productivity <../studies/productivity/03_baseline>`. Event studies
# without contamination: {doc}`resilience <../studies/resilience/08_modern_did>`.

# %% [markdown]
# ## Try it
#
# - `-p base -3`: which coefficients change, and which differences between them do not?
# - `-p gap 0.3`: do the leads leave zero although no city had a pre-trend?
# - `-p lags 2`: how much of the last coefficient comes from later years?
