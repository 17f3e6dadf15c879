# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Baseline: two-way fixed effects
#
# This page re-estimates the paper's main table and, where it has one, its event-study figure, and shows what each kind
# of standard error would say. Run it with other parameters from the project folder:
#
# ```bash
# papermill notebooks/03_baseline.ipynb out.ipynb -p study innovation -p vcov cluster_city
# ```

# %% [markdown] tags=["needs-truth"]
# Because the data are synthetic, the page also sets the estimate against the truth.

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
leads: int = -4  # first year before the reform with a dummy of its own (standard event study)
lags: int = 5  # last year after the reform with a dummy of its own (standard event study)
base: int = -1  # event year that the standard event study compares with

# %% tags=["hide-input"]
from dataclasses import replace

from IPython.display import display

from pilotzones import discrepancy, ledger, panel, parameters, replicate, report, studies, truth

p = parameters.check("03_baseline", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown] tags=["needs-intensity"]
# ## Question
#
# Do units do better when the index $z$ of their province rises? With $x_{it}$ what is controlled for, $\alpha_i$ a unit
# effect and $\lambda_t$ a year effect, which the odd columns leave out,
#
# $$ y_{it} = \beta\, z_{p(i)t} + x_{it}'\gamma + \alpha_i + \lambda_t + \varepsilon_{it}. $$
#
# $\beta$ is the effect of one unit of the index, from its lowest to its highest value, if nothing else that moves $y$
# changed faster in the provinces where $z$ did: parallel trends, for an intensity in the place of a yes or no.

# %% [markdown] tags=["needs-rollout"]
# ## Question
#
# Did the reform change the outcome $y_{it}$ of units in zone cities, compared with what would have happened without it?
# The difference-in-differences answer compares each unit with itself before the reform and with units elsewhere in the
# same year:
#
# $$ y_{it} = \beta\, D_{it} + x_{it}'\gamma + \alpha_i + \lambda_{r(i)t} + \varepsilon_{it}. $$
#
# $D_{it}$ is one from the approval year on, $\alpha_i$ a unit effect, $\lambda_{rt}$ a time effect, possibly by region
# $r$. The assumption that carries $\beta$: without the reform, outcomes in both groups would have moved in parallel.

# %% [markdown]
# ## What the paper did

# %%
tables = declared.section_tables("03_baseline")
report.specification(declared, tables[0])

# %% tags=["remove-input"]
report.note(declared, "03_baseline", "specification", p.source)

# %% [markdown]
# ## Result

# %%
table = declared.table(declared.benchmark[0])
fits = {column.id: replicate.column(declared, column, data, p.vcov) for column in table.columns}
report.regression_table(declared, table, fits, p.vcov, p.source)

# %% [markdown]
# ## How to read it

# %% tags=["remove-input"]
report.note(declared, "03_baseline", "reading", p.source)

# %% [markdown]
# ### What each standard error would say
#
# The point estimate does not depend on the standard error; the conclusion may. Treatment is decided by place (a city,
# or a province), so errors that are correlated within a place over the years call for clustering by place (Bertrand,
# Duflo and Mullainathan 2004; Abadie et al. 2023).

# %%
benchmark = fits[declared.benchmark[1]]
under = truth.under_each_error(declared, benchmark)
report.view(under, f"The benchmark estimate under each standard error ({p.source} data)", digits=digits)

# %%
report.show(
    report.figures.interval_plot(under, xlabel=declared.effect_label),
    name="fig-errors",
    alt="The benchmark estimate with 95% confidence intervals under each kind of standard error.",
    caption=f"Benchmark estimate with 95% intervals under each standard error ({p.source} data).",
    data=under,
)

# %% tags=["remove-input"]
report.note(declared, "03_baseline", "standard_errors", p.source)

# %% tags=["remove-input", "needs-pairs"]
report.note(declared, "03_baseline", "dyadic", p.source)

# %% tags=["needs-pairs", "needs-truth"]
if "pairs" in declared.features and p.source == "synthetic":
    display(report.view(truth.inference(declared), "The benchmark in many fresh synthetic samples, under each error",
                        "no reform: nothing to find, so that 5% should have p < 0.05. undefined: share of samples in "
                        "which the variance was negative.",
                        empty="No table of how often each error rejects is committed for this study."))

# %% [markdown] tags=["needs-truth"]
# A 95% interval is honest if it covers what the regression estimates in 95 of 100 samples. Over many fresh synthetic
# samples it did so this often:

# %% tags=["needs-truth"]
if p.source == "synthetic":
    display(report.view(truth.coverage(declared, table.id),
                        "Share of 95% intervals that cover, in fresh synthetic samples",
                        empty="No Monte-Carlo summary of this study is committed."))

# %% [markdown] tags=["needs-truth"]
# ### Truth against estimate
#
# In a synthetic panel the effect $\tau_{it}$ of every treated row is known.

# %% [markdown] tags=["needs-rollout", "needs-truth"]
# Three numbers deserve to be called "the"
# effect, and they differ when effects are heterogeneous: the plain mean over treated rows (ATT), the mean over the
# treated rows that the fixed effects leave any comparison for, and the weighted mean that the regression targets.

# %% tags=["needs-truth"]
if p.source == "synthetic":
    display(report.view(truth.against_estimates(declared, table, fits, data),
                        f"Estimates and what they target ({p.source} data)", digits=digits))

# %% tags=["remove-input", "needs-intensity", "needs-truth"]
report.note(declared, "03_baseline", "truth", p.source)

# %% [markdown] tags=["needs-intensity"]
# ### Are the unit effects fixed or random?
#
# Random effects use the differences between units as well, and are consistent only if these have nothing to do with
# the regressors. Hausman's test asks whether the two estimates differ by more than chance; it supposes iid errors, and
# its variance can come out negative. Mundlak's form asks the same by adding unit means to the regression, and allows
# for errors that are correlated within a place.

# %% tags=["needs-intensity"]
if "intensity" in declared.features:
    display(report.view(replicate.fixed_or_random(declared, data), f"Fixed against random effects ({p.source} data)"))

# %% tags=["remove-input", "needs-intensity"]
report.note(declared, "03_baseline", "hausman", p.source)

# %% [markdown] tags=["needs-rollout"]
# ### Event study
#
# $$
# y_{it} = \sum_{k} \beta_k\, 1\{t - g_{c(i)} = k\} + x_{it}'\gamma + \alpha_i + \lambda_{r(i)t} + \varepsilon_{it}
# $$
#
# Coefficients before the reform check whether trends were parallel; those after it show how the effect builds up. They
# are read against the years that have no dummy, so the choice of that base matters.

# %% tags=["needs-rollout"]
if "rollout" in declared.features:
    figure = declared.section_figures("03_baseline")[0]
    standard = replace(figure, leads=p.leads, lags=p.lags, base=(p.base,), beyond="bin")
    ends = "ends binned" if figure.beyond == "bin" else "and rows outside the window"
    paths = {
        f"as declared for the paper (base: year {', '.join(map(str, figure.base))}, {ends})":
            replicate.event_study(declared, figure, data, p.vcov),
        f"standard (base: year {p.base}, ends binned)": replicate.event_study(declared, standard, data, p.vcov),
    }
    true_path = truth.by_event_time(replicate.select(data, figure.sample))
    drawn = report.figures.with_truth({label: fit.coefficients for label, fit in paths.items()}, true_path)
    report.show(
        report.figures.event_plot(drawn, ylabel=declared.effect_label),
        name="fig-event-study",
        alt="Event-study coefficients with 95% intervals under the paper's base and under the standard base; where the "
        "data are synthetic the true mean effect is marked.",
        caption=f"Dynamic effect with 95% intervals ({p.source} data, standard errors: {p.vcov}), with the paper's "
        "dummies and with those of this page's parameters. Black marks, where the truth is known: mean effect by years "
        "of treatment.",
        data=drawn,
    )

# %% tags=["needs-rollout"]
if "rollout" in declared.features:
    display(report.view(discrepancy.bases(declared, figure, data, p.vcov),
                        f"The event study under every base before the reform, by event year ({p.source} data)",
                        digits=digits))

# %% tags=["remove-input", "needs-rollout"]
report.note(declared, "03_baseline", "event_study", p.source)

# %% [markdown]
# ## What can go wrong

# %% tags=["remove-input"]
report.note(declared, "03_baseline", "threats", p.source)

# %% [markdown] tags=["needs-rollout"]
# One threat can be computed: with staggered adoption the regression weighs the treated rows unequally, and rows whose
# treatment is predicted to be above one get a negative weight (de Chaisemartin and D'Haultfoeuille 2020).

# %% tags=["needs-rollout"]
if "rollout" in declared.features:
    display(report.view(truth.weights(declared, benchmark, data),
                        f"Weights of the treated rows in the benchmark ({p.source} data)"))

# %% [markdown]
# ## Where paper and page differ

# %% tags=["hide-input"]
rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="03_baseline")
report.ledger_table(rows, f"Ledger rows of this page ({p.source} data)")

# %% tags=["remove-input"]
report.note(declared, "03_baseline", "differences", p.source)

# %% [markdown]
# ## Try it
#
# - `-p vcov iid` and `-p vcov cluster_unit`: which stars depend on whether errors of a unit may be correlated?

# %% [markdown] tags=["needs-truth"]
# - `-p seed 7`: another sample from the same truth. How far does the estimate move, and is that in line with its
#   standard error?

# %% [markdown] tags=["needs-rollout"]
# - `-p base -2`: the pre-reform coefficients move together. Which conclusion depends on the base?
