# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The scenario lab: break one assumption and see who notices
#
# One parameter picks a world in which effects differ, or an assumption fails. The truth is known. Which estimator is
# off, and which diagnostic says so? Run the page with another world from the project folder:
#
# ```bash
# papermill notebooks/lab.ipynb out.ipynb -p scenario trending -p strength 0.5
# ```

# %% tags=["parameters"]
study: str = "resilience"  # roll-out and untreated outcomes of which study of cities: resilience or productivity
seed: int = 2023  # seed of the synthetic panel, 0 or larger
scenario: str = "dynamic"  # the world: homogeneous, cohorts, dynamic, anticipated, trending or spilling
strength: float = 1.0  # 0: equal effects, nothing violated; 1: as in the Monte Carlo; 2: twice as far away

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

from pilotzones import lab, modern_did, panel, parameters, report, scenarios, studies
from pilotzones.report import figures, figures_modern, figures_primer

p = parameters.check("lab", globals())
declared = studies.load(p.study)
data = panel.load(declared, "synthetic", p.seed)
design = modern_did.design(declared, scenarios.laid_over(declared, data, p.scenario, p.strength))
behind = f"synthetic, {p.study}, scenario {p.scenario}, strength {p.strength:g}"
digits = report.digits(declared)
report.banner_of_primer("Scenario lab.", p.model_dump())

# %% [markdown]
# ## Question
#
# Every world has the same cities, the same zones, the same untreated outcomes $y_{it}(0)$ and the same mean effect.
# What is laid over them differs:
#
# $$ y_{it} = y_{it}(0) + \tau_{it} D_{it} + v_{it} . $$
#
# | scenario | what differs | what fails |
# |---|---|---|
# | `homogeneous` | $\tau$ the same for all | nothing |
# | `cohorts` | the first cohort gains seven times as much as the last | equal effects |
# | `dynamic` | $\tau$ grows with years since the zone | equal effects |
# | `anticipated` | $v$: half of $\tau$ two years and one year before the zone | no anticipation (预期效应) |
# | `trending` | $v$: cities with zones gain a tenth of $\tau$ a year all along | parallel trends (平行趋势) |
# | `spilling` | $v$: cities without a zone gain a third of $\tau$ near one | no spillovers (SUTVA) |
#
# In a paper's data we see $y$ only, and do not know the row of this table.

# %% [markdown]
# ## What anybody would see

# %%
means = lab.group_means(design)
report.show(
    figures_primer.lines_plot(means, "year", f"{design.outcome} (mean)", start=design.rows["cohort"].min()),
    name="fig-lab-means",
    alt="Mean outcome by year of cities that get a zone, of cities without, and of the former less their true effect.",
    caption=f"Means by year ({behind}). The dashed line, the outcome less the true effect of own zones, is what only a "
    "simulation can show; the dotted line marks the first zone.",
    data=means,
)

# %%
found = modern_did.estimates(design)
against = lab.against_truth(design, found)
against["error, %"] = against["error, %"].map("{:.1f}".format)
report.view(against, f"Nine estimators and the truth ({behind})", digits=digits)

# %%
paths = figures.with_truth(figures_modern.by_event_time(found), modern_did.true_path(design))
report.show(
    figures_modern.event_plot(paths, ylabel=declared.effect_label),
    name="fig-lab-event-study",
    alt="Effects by years since the zone with 95% intervals for four estimators, and marks for the truth.",
    caption=f"Event study by four estimators, with 95% intervals ({behind}). Black marks: true mean effects.",
    data=paths,
)

# %% [markdown]
# ## Who notices?
#
# Six diagnostics. None uses the truth. The first four are contrasts of one event-study regression, the fifth is the
# share that comparisons with treated cities take off two-way fixed effects, the last looks at cities without zones
# only.

# %%
asked = lab.diagnostics(design)
meaning = {"trend before": "gap grew before the zone, per year", "jump before": "gap jumped two years before the zone",
           "age": "effect grows, per year since the zone", "cohort": "effect by start year of the zone, at equal age",
           "forbidden pull": "share taken off by comparisons with the treated",
           "rings": "cities without zones change near one"}
shown = asked.assign(flag=asked["flag"].map({True: "raised", False: ""}), meaning=meaning)
report.view(shown, f"Diagnostics with 95% intervals ({behind})",
            f"Raised: the interval excludes zero; for the pull, which has none: more than {lab.PULL:.0%}.", digits=4)

# %% [markdown]
# ### Is that luck? This world, many samples
#
# One sample is one draw. The book keeps a Monte Carlo of each world at strength 1: 5,000 samples of untreated outcomes
# for the estimators, fewer for the flags.

# %%
tables, (rates, samples) = modern_did.monte_carlo(declared), lab.rates(declared)
words = {"bias": "bias, % of the effect", "sd": "sd, % of the effect", "coverage": "coverage of 95% intervals"}
verdict = pd.DataFrame({name: tables[key][p.scenario] for key, name in words.items()})
display(report.view(verdict, f"Scenario {p.scenario}, strength 1: estimators in 5,000 samples (synthetic, {p.study})",
                    digits=2))
report.view(rates.loc[[p.scenario]].T.set_axis(["share of samples"], axis=1), f"Scenario {p.scenario}, strength 1: how "
            f"often each flag goes up in {samples} samples (synthetic, {p.study})", digits=2)

# %% [markdown]
# ## All six worlds at a glance
#
# Bias of every estimator in every world, then coverage, then the flags: in this sample at the strength of this page,
# and how often in many samples at strength 1.

# %%
worlds = list(scenarios.SCENARIOS)
display(report.view(tables["bias"][worlds], "Bias, % of the effect: estimators (rows) in six worlds (columns), "
                    f"strength 1 (synthetic, {p.study})", digits=1))
report.view(tables["coverage"][worlds], "Coverage of 95% intervals: estimators (rows) in six worlds (columns), "
            f"strength 1 (synthetic, {p.study})", digits=2)

# %%
raised = lab.flags(declared, data, p.strength).map(lambda flag: "raised" if flag else "")
display(report.view(raised, f"Flags raised in this sample by world (rows), strength {p.strength:g} (synthetic, "
                    f"{p.study})"))
report.view(rates, f"Share of {samples} samples in which a flag is raised, by world (rows), strength 1 (synthetic, "
            f"{p.study})", digits=2)

# %% [markdown]
# ## How to read it
#
# - **Equal effects fail** (`cohorts`, `dynamic`). Two-way fixed effects move, and so does the stacked regression, whose
#   window leaves out part of the treated rows; all others stay. These worlds have a remedy: another estimator. The
#   flags for age and cohort tell when it is needed.
# - **An assumption fails** (`anticipated`, `trending`, `spilling`). All nine are off, in part by very different
#   amounts: who takes the year before the zone as base suffers most from anticipation, who averages over all years
#   before suffers most from a trend. Two estimators that disagree are a diagnostic of their own.
# - **The right flag.** Anticipation is a jump just before the zone, a trend is a slope long before, spillovers are a
#   ring around zones. A growing effect *after* a slope *before* is no effect: in `trending` the flag for age goes up,
#   too.
# - **No estimator notices spillovers.** The choice of estimator does not change who the controls are. Looking at them
#   does.
# - **A flag is no proof, and no flag is none.** In the first row of the last table nothing is wrong, and flags go up.
#   In `resilience` those for age and cohort do so in 8% and 7% of samples, not 5%: they rest on the few cities of the
#   early cohorts. The limit of the pull was chosen so that it is silent there.

# %% [markdown]
# ## What can go wrong
#
# - **Flags that share a cause.** Neighbours of zones gain in step with the roll-out: in `spilling` the flags for age
#   and cohort go up more often than elsewhere. Ask what else a cause would do, and look there.
# - **Choosing after looking.** Five tests at 5% each raise something in about one sample of four. Decide before which
#   flag would change your mind.
# - **Worlds are clean, the world is not.** Here one thing fails at a time.

# %% [markdown]
# ## Where the five studies do it
#
# Nine estimators on each study's own outcome, with `scenario` as a parameter: {doc}`patents
# <../studies/innovation/08_modern_did>`, {doc}`resilience <../studies/resilience/08_modern_did>`, {doc}`pairs of cities
# <../studies/coordination/08_modern_did>`, {doc}`productivity <../studies/productivity/08_modern_did>`. Rings around
# zones: {doc}`spatial pages <../studies/resilience/07_spatial>`. The ideas: {doc}`staggered adoption
# <primer_3_staggered_adoption>`, {doc}`parallel trends <primer_4_parallel_trends>`.

# %% [markdown]
# ## Try it
#
# - `-p scenario trending -p strength 0.3`: is a third of the trend noticed? What does it do to the estimates?
# - `-p scenario cohorts -p strength 2`: which estimators are off by more than their interval?
# - `-p scenario anticipated`: which estimator would you have wanted, and would you have known?
# - `-p study productivity`: the same worlds with noisier cities; which flags are lost?
