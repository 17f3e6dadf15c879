# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Verification: do the estimators give what published software gives?
#
# This page compares the book's estimators with results that R and Stata have printed on public data, and then takes
# apart the number on which programs most often disagree, the standard error. Run it with another tolerance from the
# project folder:
#
# ```bash
# papermill notebooks/10_verification.ipynb out.ipynb -p tolerance 1e-8
# ```

# %% tags=["parameters"]
tolerance: float = 0.0  # relative difference above which a row is listed as apart, 0 or larger

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from linearmodels.datasets import card
from linearmodels.iv import IV2SLS

from pilotzones import parameters, report, standard_errors, verification
from pilotzones.report import theme

p = parameters.check("10_verification", globals())

# %% [markdown]
# ## Question
#
# A replication can fail for two reasons: the result does not hold, or the code does not do what its name says. This
# page is about the second. For each of a few hundred published numbers $b$, the same estimator as on the other pages
# is run on the same data and gives $\hat b$; shown are
#
# $$ |\hat b - b| \qquad\text{and}\qquad \frac{|\hat b - b|}{|b|}. $$
#
# Nothing here depends on a study of the book, and no published number enters an estimate.

# %%
rows = verification.verify()
absolute = rows["difference"].abs()
rows = rows.assign(
    reference=rows["estimator"] + ", " + rows["dataset"],
    absolute=absolute,
    relative=absolute / rows["published"].abs().where(rows["published"] != 0),
    to_last_digit=absolute <= 0.5 * 10.0 ** -rows["printed_decimals"],
)
rows["apart"] = rows["relative"] > p.tolerance

# %% [markdown]
# ## Data and sources
#
# - `card`: Card (1995), returns to schooling of 3,010 young men, instrumented by the distance to a college. Comes with
#   the Python package linearmodels. Printed by Stata's ivreg2.
# - `reference_panel`: simulated for this project, in `tests/reference`; unbalanced, with three cohorts and firms that
#   are never treated. R 4.2.2 was run on it.
# - `mpdta`: county teenage employment and minimum wages, of the R package did (Callaway and Sant'Anna 2021).
# - `castle_bacon`, `math_reform`: castle-doctrine laws and homicide, and school reforms and income, of the R package
#   bacondecomp (Goodman-Bacon 2021).

# %%
counts = rows.groupby(["dataset", "estimator"], sort=False).agg(
    values=("published", "size"), computed=("ours", "count"), source=("source", "first")
)
report.view(
    counts.reset_index("estimator"),
    "Published numbers by data set and program, how many of them this page computes, and where the first was printed",
    "Source of each number: column source of data/benchmarks/expected.csv.",
)

# %% [markdown]
# ## Result

# %%
computed = rows[rows["ours"].notna()].astype({"agrees": bool})
summary = computed.groupby("reference", sort=False).agg(
    values=("ours", "size"),
    largest_absolute=("absolute", "max"),
    largest_relative=("relative", "max"),
    to_last_digit=("to_last_digit", "sum"),
    within_tolerance=("agrees", "sum"),
    apart=("apart", "sum"),
)
shown = summary.assign(**{c: summary[c].map("{:.1e}".format) for c in ("largest_absolute", "largest_relative")})
report.view(
    shown.rename(columns=lambda name: name.replace("_", " ")),
    f"Agreement with published results: {len(computed)} of {len(rows)} numbers computed, "
    f"{computed['agrees'].sum()} of them within the tolerance of data/benchmarks/expected.csv",
    "To last digit: difference of at most half a unit of the last printed digit. Within tolerance: the same, or 1e-6 "
    "of the value (Stata, printed with 15 decimals), 1e-7 (R on the reference panel). Apart: relative difference above "
    f"{p.tolerance:g}, this page's parameter. Relative differences leave out published zeros.",
)

# %%
theme.apply()
digits = -np.log10(computed["relative"].clip(lower=1e-16)).rename("digits that agree")
figure, axes = plt.subplots(figsize=(8, 3.2))
sns.stripplot(x=digits, y=computed["reference"], hue=computed["quantity"] == "se", jitter=False, alpha=0.4, ax=axes)
axes.set(xlabel="digits that agree (-log10 of the relative difference)", ylabel="", xlim=(0, 17))
axes.legend(axes.get_legend_handles_labels()[0], ["other", "standard error"], loc="lower left")
report.show(
    figure,
    name="fig-digits",
    alt="One dot per published number, by program: how many digits of it and of this book's value agree.",
    caption="Digits in which the book's value and the published one agree, one dot per number (16: all of them), by "
    "program and data set. Public data and the project's simulated reference panel.",
    data=digits.to_frame().join(computed[["reference", "quantity"]]),
)

# %% [markdown]
# ## How to read it
#
# Six digits are more than any conclusion needs. Counting further is for diagnosis: an estimator that is right up to
# rounding agrees in ten digits or more; one with another convention (a factor, a control group, one row more) agrees
# in two or three. What lies between has a reason that can be found. R's didimputation and did2s agree with this book
# in about eight digits, presumably because they stop earlier when they absorb firm and year effects: a regression with
# a dummy variable for every firm and year gives this book's two estimates up to 1e-10, and R's up to 3e-8.
#
# ## What can go wrong
#
# **Data with fewer digits than the printout.** Stata prints fifteen digits here, but stores variables with about
# seven unless told otherwise. With the log wage of `card` rounded in the same way, a coefficient that was among the
# furthest from Stata's comes home, and with it all 202 numbers (to 1e-10, absolute where a number is below one):

# %%
people = card.load().assign(_cons=1.0)
wages = {"as bundled": people["lwage"], "in single precision": people["lwage"].astype("float32").astype(float)}
exogenous = people[["exper", "expersq", "black", "south", "_cons"]]
ours = {kind: IV2SLS(wage, exogenous, people["educ"], people["nearc4"]).fit().params["black"]
        for kind, wage in wages.items()}  # fmt: skip
stata = computed.query("key == 'ivreg2 nearc4 iid' and term == 'black' and quantity == 'estimate'")["published"].item()
found = pd.DataFrame({"here": ours, "Stata": stata})
report.view(
    found.map("{:.15f}".format).assign(difference=(found["here"] - found["Stata"]).map("{:.1e}".format)),
    "Coefficient of black in Card's wage equation (2SLS, instrument nearc4), by the precision of the log wage",
)

# %% [markdown]
# **Bootstrap standard errors.** R's did prints errors from a bootstrap, so that the same quantity has another error at
# every run: the two below are one and the same effect, that of the only cohort observed two years on. Such rows have a
# wide tolerance, 0.003, and two of them miss even that.

# %%
twice = rows.query("dataset == 'mpdta' and term in ('ATT(2004,2006)', 'e=2')")
report.view(
    twice.set_index("term")[["estimator", "quantity", "published", "note"]],
    "One effect in mpdta, printed twice by R's did with different bootstrap standard errors",
    digits=4,
)

# %% [markdown]
# **Data that are not ours to publish.** `mpdta`, `castle_bacon` and `math_reform` are public but not ours to
# redistribute, and their numbers are left open above. Put the three files into a folder of your own to compute these,
# too:
#
# ```python
# from pathlib import Path
# from pilotzones import verification
# verification.verify(Path("my_folder"))  # with mpdta.csv, castle_bacon.csv, math_reform.csv
# ```
#
# `tests/test_verification.py` does so where it finds them: all numbers agree, except the two bootstrap errors.

# %% [markdown]
# ## Standard errors: one regression, many programs
#
# Coefficients agree to ten digits across programs; standard errors often only to one or two. Nearly always the reason
# is a factor $c$ of the variance. A coefficient of a regression with absorbed effects is a weighted sum of outcomes,
# $\hat\beta = \sum_i w_i y_i$, and with residuals $u_i$ and clusters $g = 1 \ldots G$ its variance is
#
# $$ V = c \sum_{g=1}^{G} \Big( \sum_{i \in g} w_i u_i \Big)^2, \qquad
#    c = \frac{G}{G-1} \cdot \frac{n-1}{n-K} \ \text{in most programs}. $$
#
# The sum is the same everywhere. Programs differ in whether there is a $c$, in what $K$ counts, and in $n$:
#
# - *Nested effects.* Firm effects are nested in city clusters: every firm lies in one city. R's fixest and Stata's
#   reghdfe and xtreg do not count them; linearmodels and Stata's areg do.
# - *Levels or rank.* Where groups of units never share an effect (firms of one province and its province-by-year
#   effects), fewer columns are independent than there are levels. Stata's xtreg and areg count independent columns,
#   fixest and linearmodels levels, statsmodels whatever columns it is given.
# - *Singletons.* A row alone in its firm or cell has residual zero. reghdfe and fixest drop it from $n$, xtreg and areg
#   keep it.
#
# Below is one regression on the project's simulated reference panel, `y ~ D + x1 + x2 + x3 | firm + prov^year`, errors
# clustered by city. First what each program counts:

# %%
programs = standard_errors.conventions()
report.view(
    programs[["n", "G", "counted", "K", "factor", "value", "distribution"]],
    "What programs count, and the factor of the clustered variance that follows (simulated reference panel)",
    "Stata is not run: its rules are those of the source code of reghdfe and csdid and of Cameron and Miller (2015).",
)

# %% [markdown]
# Then the standard error that follows by the formula, and that which the library, or R 4.2.2, returns. Where there are
# two or three, they have to be equal:

# %%
report.view(
    programs[["by_factor", "by_library", "in_r", "relative", "critical", "library"]].rename(
        columns=lambda name: name.replace("_", " ")
    ),
    "Standard error of the same coefficient under each convention (simulated reference panel)",
    "Relative: to this book's. Critical: half of the 95% interval in standard errors. Missing: not run.",
    digits=6,
)

# %% [markdown]
# ### Where it matters: two years
#
# With up to eleven years per firm the programs are a few percent apart. With two years they are not. The effect on
# cohort 2013 in its first year is a regression on 2012 and 2013 with firm and year effects, and also an ATT(g,t) as
# Callaway and Sant'Anna define it, so that programs for both can be compared on one number. Counting firm effects that
# are nested in the clusters multiplies the error by about $\sqrt{2}$: with two rows per firm, $n - K$ is half of $n$.

# %%
change = standard_errors.two_by_two()
report.view(
    change[["by_factor", "by_library", "in_r", "relative", "critical", "K", "factor"]].rename(
        columns=lambda name: name.replace("_", " ")
    ),
    "Standard error of ATT(2013, 2013), clustered by firm, under each convention (simulated reference panel)",
    "Relative: to this book's regression. Critical: half of the 95% interval in standard errors. Missing: not run.",
    digits=6,
)

# %%
both = pd.concat({"2008-2018, by city": programs["relative"], "2012-2013, by firm": change["relative"]}).reset_index()
figure, axes = plt.subplots(figsize=(8.5, 5.2))
sns.scatterplot(both, x="relative", y="program", hue="level_0", style="level_0", s=60, ax=axes)
axes.axvline(1, color=theme.GREY, linewidth=0.8)
axes.set(xlabel="standard error, relative to this book's regression", ylabel="")
axes.legend(title="")
report.show(
    figure,
    name="fig-conventions",
    alt="Standard errors of two coefficients under the conventions of each program, relative to this book's: from five "
    "percent smaller to seven percent larger with up to eleven years per firm, up to 42 percent larger with two.",
    caption="The same coefficient's standard error under each program's convention, relative to this book's regression "
    "(simulated reference panel).",
    data=both,
)

# %% [markdown]
# ### The dictionary: which error every estimator of this book reports

# %%
report.view(
    standard_errors.dictionary(),
    "Variance, small-sample factor and distribution of every standard error in this book",
    "n rows, K parameters, G clusters, L instruments, q restrictions. Own: this book's code, also where the "
    "estimates are a library's.",
)

# %% [markdown]
# Is the dictionary right? Give every firm and city a twin with the same data. Estimates stay, the sum of squared scores
# is halved exactly, and only the factor knows that there are now more rows and clusters. What the variance does beyond
# one half therefore reveals its factor, without a look into the library:

# %%
report.view(
    standard_errors.doubled().rename(columns=lambda name: name.replace("_", " ")),
    "Variance in a sample that contains everything twice, relative to the sample (simulated reference panel)",
    "By formula: half of the factor's new value over its old one; missing where the rows are not the panel's (stacked, "
    "local projections) or cohorts have factors of their own.",
    digits=9,
)

# %% [markdown]
# ### How to read it
#
# Where nested effects are not counted, the factor tends to one as clusters become many, and the choice among such
# programs is one of taste: with few clusters the error is itself a poor estimate, the distribution (column *critical*)
# matters as much, and the wild cluster bootstrap more than both. Where nested effects are counted, the factor does not
# tend to one: with two rows per firm it tends to two, however many firms there are, and the variance is twice what it
# should be. An error printed by another program that differs by one of these factors is no failure to replicate.
#
# Two estimators have no factor (Borusyak-Jaravel-Spiess, Gardner). Beside the others their intervals are therefore a
# little too narrow: with the 60 cities of the reference panel, a factor $G/(G-1)$ would make their errors 0.8% larger.

# %% [markdown]
# ## All values

# %% tags=["hide-input"]
table = computed.sort_values("relative", ascending=False).set_index("reference")
table = table.assign(**{name: table[name].map("{:.1e}".format) for name in ("difference", "relative")})
report.view(
    table[["key", "term", "quantity", "published", "ours", "difference", "relative", "apart"]],
    "Every published number that this page computes, the furthest first",
    f"Apart: relative difference above {p.tolerance:g}. key: how it is computed, see data/benchmarks/README.md.",
    digits=9,
)

# %% [markdown]
# ## Values left open

# %% tags=["hide-input"]
report.view(
    rows[rows["ours"].isna()].set_index("reference")[["term", "quantity", "published", "note"]],
    "Published numbers whose data are not in this repository",
    digits=5,
    empty="None: every number was computed.",
)

# %% [markdown]
# ## Try it
#
# - `-p tolerance 1e-9`: which rows are still apart? Sort them into data precision, early stopping and convention.
# - In a notebook, on `tests/reference/reference_panel.csv`: estimate `regress("y ~ D + x1 | firm + year", panel)` and
#   compare `.under("cluster:city")` with `.under("cluster:prov")`. With 28 clusters in place of 60, how much of the
#   change is $c$, how much is the sum?
# - `standard_errors.factor("G/(G-1) (n-1)/(n-K)", n, K, G)` with the numbers of your own paper: by how much would its
#   errors change from areg to reghdfe?
