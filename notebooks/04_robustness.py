# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Robustness: one choice exchanged at a time
#
# This page re-estimates the paper's robustness checks and asks of each: could it have failed? Run it with other
# parameters from the project folder:
#
# ```bash
# papermill notebooks/04_robustness.ipynb out.ipynb -p study innovation -p draws 2000
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel and of the placebo draws, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
draws: int = 500  # fake roll-outs of the placebo test, 1 or more
neighbours: int = 1  # controls per treated row in the matched sample, 1 or more; studies with matching only

# %% tags=["hide-input"]
from IPython.display import display

from pilotzones import ledger, panel, parameters, replicate, report, robustness, studies

p = parameters.check("04_robustness", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# A robustness check re-estimates $\beta$ after one assumption has been exchanged for another. It is informative only
# if the estimate would have come out differently had the first assumption been wrong. For each check below, ask which
# mistake it would have found.

# %% [markdown]
# ## What the paper did

# %% tags=["remove-input"]
report.note(declared, "04_robustness", "specification", p.source)

# %%
tables = declared.section_tables("04_robustness")
for table in tables:
    display(report.specification(declared, table))

# %% [markdown]
# ## Result

# %%
for table in tables:
    fits = {column.id: replicate.column(declared, column, data, p.vcov) for column in table.columns}
    display(report.regression_table(declared, table, fits, p.vcov, p.source))

# %% tags=["remove-input"]
report.note(declared, "04_robustness", "reading", p.source)

# %% tags=["remove-input"]
report.note(declared, "04_robustness", "words", p.source)

# %% [markdown] tags=["needs-placebo"]
# ### Placebo: zones in cities that have none
#
# Draw as many cities without a zone as there are real pilot cities, give them the real starting years, and re-estimate
# the benchmark. Repeated often, this gives the distribution of $t$ when there is nothing to find. The share of fake
# $|t|$ at least as large as the real one, $(1 + \#\{|t_b| \ge |t|\})/(1 + B)$, is an exact p value if cities had been
# drawn by lot.

# %% tags=["needs-placebo"]
if "placebo" in declared.features:
    benchmark = replicate.benchmark(declared, data, p.vcov)
    fake = robustness.placebos(declared, data, p.draws, p.seed, p.vcov)
    display(report.view(robustness.placebo_summary(fake, benchmark, declared.treatment),
                        f"Placebo with {p.draws} draws, in three ways ({p.source} data)",
                        "all units: fake zones in never-treated cities, the truly treated among the controls; any city "
                        "drawn: treated ones, too."))

# %% tags=["needs-placebo"]
if "placebo" in declared.features:
    actual = benchmark.coefficients.at[declared.treatment, "t"]
    report.show(
        report.figures.placebo_plot(fake, actual),
        name="fig-placebo",
        alt="Histograms of the t values of fake pilot zones, with the standard normal density and the real t value.",
        caption=f"t values of {p.draws} fake roll-outs ({p.source} data, standard errors: {p.vcov}): in never-treated "
        "cities, with the truly treated units in the sample and without them, and in any city. Line: the real t value.",
        data={label: placebo.draws for label, placebo in fake.items()},
    )

# %% tags=["remove-input", "needs-placebo"]
report.note(declared, "04_robustness", "placebo", p.source)

# %% [markdown] tags=["needs-policies"]
# ### Other policies at the same time
#
# Another policy biases the benchmark if it reached the same cities at the same time *and* moves the outcome. The first
# can be counted. What matters is the correlation that is left when controls, city and year effects are removed from
# both; the plain one is mostly between large cities and small ones.

# %% tags=["needs-policies"]
if "policies" in declared.features:
    display(report.view(robustness.policy_overlap(declared, data),
                        f"Cities that had another policy as well ({p.source} data)",
                        "before, same year, after: treated cities, by the start of the other policy against "
                        "that of the zone."))

# %% tags=["needs-policies"]
if "policies" in declared.features:
    policies = robustness.policy_estimates(declared, data, p.vcov)
    display(report.view(policies,
                        f"The benchmark beside other policies ({p.source} data, errors: {p.vcov})", digits=digits))

# %% tags=["remove-input", "needs-policies"]
report.note(declared, "04_robustness", "policies", p.source)

# %% [markdown] tags=["needs-outcome_index"]
# ### Winsorising: which numbers?
#
# "Winsorised at 1%" draws the extreme values in to a quantile. Of an index one can winsorise the index or the
# indicators that it is made of, and that is not the same: the extremes of the indicators are the yardstick of the
# min-max scale, so all rows change, and so do the weights. Estimates in standard deviations of each index compare;
# those in its own unit do not.

# %% tags=["needs-outcome_index"]
if "outcome_index" in declared.features:
    index = declared.indices[0]
    shares = (0, 0.005, 0.01, 0.02, 0.05)
    winsorised = robustness.winsorising(declared, index, data, p.vcov, shares)
    display(report.view(winsorised.rename_axis("share at either end"),
                        f"The benchmark after winsorising in three places ({p.source} data, errors: {p.vcov})",
                        digits=digits))

# %% tags=["remove-input", "needs-outcome_index"]
report.note(declared, "04_robustness", "winsorising", p.source)

# %% [markdown] tags=["needs-instruments"]
# ### Instruments
#
# Two-stage least squares uses only the variation in treatment that the instruments $z$ predict. That needs relevance
# ($z$ moves the treatment), which can be tested, and exclusion ($z$ moves the outcome through nothing else), which
# cannot; with more than one instrument one can only ask whether they contradict each other (Hansen's J).

# %% tags=["needs-instruments"]
if "instruments" in declared.features:
    instrumented = robustness.instrumented(tables)
    found = {name: replicate.identification(declared, column, data, "hetero") for name, column in instrumented.items()}
    for name, tests in found.items():
        display(report.view(tests.tests[["statistic", "p", "errors", "null"]],
                            f"Tests of the instruments of {name} ({p.source} data)"))

# %% tags=["needs-instruments"]
if "instruments" in declared.features:
    strengths = {name: robustness.strength(declared, column, data) for name, column in instrumented.items()}
    for name, strength in strengths.items():
        display(report.view(strength, f"Instruments of {name} under each standard error ({p.source} data)"))

# %% tags=["needs-instruments"]
if "instruments" in declared.features:
    display(report.view(tests.stock_yogo, "Stock and Yogo's critical values for these instruments (Cragg-Donald F)",
                        digits=2))

# %% [markdown] tags=["needs-factors"]
# **An instrument made of noise.** An instrument of the form $z_{ct} = f_c \times g_{ct}$ has two factors. Give every
# city the $f$ of another one, drawn by lot, and leave $g$ alone: such an instrument knows nothing about the city. If
# its first stage is strong all the same, it is $g$ that speaks. When $g$ contains the treatment itself, $z$ is zero
# without a zone and positive with one, whatever the $f$; its $F$ is large, and 2SLS returns least squares with larger
# errors. When $g$ is a series of the whole country, noise stays noise, provided that the errors know that a city is
# one draw of $f$ and not hundreds.

# %% tags=["needs-factors"]
if "factors" in declared.features:
    factored = next(iter(instrumented.values()))
    noise = robustness.placebo_instruments(declared, factored, data, min(p.draws, 200), p.seed, p.vcov)
    display(report.view(robustness.placebo_instruments_summary(noise),
                        f"First stage and 2SLS with a factor that is drawn by lot ({p.source} data)"))

# %% tags=["needs-factors"]
if "factors" in declared.features:
    real = tuple(strength.loc["cluster_city", ["first-stage F (Kleibergen-Paap)", "2SLS"]])
    least_squares = replicate.benchmark(declared, data).coefficients.at[declared.treatment, "estimate"]
    report.show(
        report.figures.placebo_instruments_plot(noise, real, least_squares, xlabel=declared.effect_label),
        name="fig-noise",
        alt="Histograms of the first-stage F and of the 2SLS estimate for instruments made of noise, one row per "
        "second factor, with the real instrument marked.",
        caption=f"First-stage F (left, log scale) and 2SLS estimate (right, middle 90% of draws) when cities exchange "
        f"the first factor of their instrument by lot ({p.source} data, errors clustered by city).",
        data={rest: table for (rest, errors), table in noise.items() if errors == "cluster:city"},
    )

# %% tags=["remove-input", "needs-instruments"]
report.note(declared, "04_robustness", "instruments", p.source)

# %% [markdown] tags=["needs-dynamics"]
# ### A lagged outcome: system GMM
#
# If the outcome of a year depends on that of the year before,
#
# $$ y_{it} = \rho\, y_{i,t-1} + \beta\, z_{p(i)t} + x_{it}'\gamma + \alpha_i + \lambda_t + \varepsilon_{it}, $$
#
# fixed effects are biased, for the mean that they remove holds the errors of all years (Nickell 1981). System GMM takes
# differences and uses older levels as instruments for them, and older differences as instruments for the levels. Both
# need errors without serial correlation: AR(1) of the differenced residuals is then there by construction and AR(2)
# must not be. Hansen's test asks whether the instruments contradict each other; with many of them it stops asking.

# %% tags=["needs-dynamics"]
if "dynamics" in declared.features:
    moments = {f"{column.table} ({column.id}) {column.label}": replicate.dynamic(declared, column, data)
               for column in declared.dynamics}
    display(report.view(robustness.dynamics(moments), f"Two-step system GMM, Windmeijer's errors ({p.source} data)"))

# %% tags=["needs-dynamics"]
if "dynamics" in declared.features:
    display(report.view(robustness.dynamics_tests(moments), f"Tests of the moment conditions ({p.source} data)"))

# %% tags=["needs-dynamics"]
if "dynamics" in declared.features:
    display(report.view(robustness.instrument_counts(declared, declared.dynamics[0], data),
                        f"The first column with fewer and more instruments, and without GMM ({p.source} data)",
                        "Least squares overstates the lag, fixed effects understate it; GMM should lie between."))

# %% tags=["remove-input", "needs-dynamics"]
report.note(declared, "04_robustness", "dynamics", p.source)

# %% [markdown] tags=["needs-matching"]
# ### Matching
#
# The propensity score $e(x) = P(D = 1 \mid x)$ summarises how similar two rows are. Matching keeps the rows that have a
# counterpart and runs the benchmark on them. Look at three things: do the scores overlap, are the covariates balanced
# afterwards, and does the answer depend on choices that the paper does not state?

# %% tags=["needs-matching"]
if "matching" in declared.features:
    matching_column = robustness.matching_column(tables)
    used = replicate.select(data, matching_column.sample)
    matches = replicate.matched(declared, matching_column, used, neighbours=p.neighbours)
    display(report.view(matches.model,
                        f"Propensity model (logit), pseudo R2 = {matches.pseudo_r2:.3f} ({p.source} data)"))

# %% tags=["needs-matching"]
if "matching" in declared.features:
    report.show(
        report.figures.overlap_plot(matches.rows()),
        name="fig-overlap",
        alt="Histograms of the propensity score of treated rows, of control rows, and of matched control rows.",
        caption=f"Overlap of the propensity score ({p.source} data): treated rows, all controls and matched controls.",
        data=matches.rows(),
    )

# %% tags=["needs-matching"]
if "matching" in declared.features:
    balance = robustness.balance(matching_column, used, matches)
    display(report.view(balance, f"Balance before and after matching ({p.source} data)"))

# %% tags=["needs-matching"]
if "matching" in declared.features:
    matched_table = next(table for table in tables if matching_column in table.columns)
    display(report.view(robustness.matching_choices(declared, matched_table, matching_column, data),
                        f"The same column under choices the paper leaves open, iid errors ({p.source} data)"))

# %% tags=["remove-input", "needs-matching"]
report.note(declared, "04_robustness", "matching", p.source)

# %% [markdown]
# ## What can go wrong

# %% tags=["remove-input"]
report.note(declared, "04_robustness", "threats", p.source)

# %% [markdown]
# ### Which reading fits a number that contradicts the paper?
#
# For a cell marked as inconsistent, the finder re-estimates it under every defensible reading of rows, effects,
# singletons and errors and lists the closest. A close reading is a hypothesis, not a proof.

# %%
report.view(robustness.closest_readings(declared, tables, data),
            f"Closest readings of the inconsistent cells of this page ({p.source} data)",
            empty="No number of this page contradicts another one of the paper.")

# %% [markdown]
# ## Where paper and page differ

# %% tags=["hide-input"]
rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="04_robustness")
report.ledger_table(rows, f"Ledger rows of this page ({p.source} data)")

# %% tags=["remove-input"]
report.note(declared, "04_robustness", "differences", p.source)

# %% [markdown]
# ## Try it
#
# - `-p vcov iid` and `-p vcov cluster_unit`: which of the checks above would have failed under other errors?

# %% [markdown] tags=["needs-placebo"]
# - `-p vcov cluster_city`: what happens to the placebo's p value, which needs no standard error to be right?
# - `-p draws 5000`: how precise is a randomisation p value from 500 draws?

# %% [markdown] tags=["needs-matching"]
# - `-p neighbours 3`: more controls per treated row. What happens to overlap and balance?
