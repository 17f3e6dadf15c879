# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The design: could it have seen the effect that it reports?
#
# This page asks not what the paper found, but what a study like it *can* find: the smallest effect that it would
# notice, how often a significant estimate has the wrong sign, and how much it exaggerates. Run it with other parameters
# from the project folder:
#
# ```bash
# papermill notebooks/14_design.ipynb out.ipynb -p study innovation -p level 0.01
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the one synthetic panel of the first table, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
level: float = 0.05  # p below which an estimate counts as significant, above 0 and below 1
share: float = 0.5  # true effect assumed in the first table, as a share of the published one, above 0

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from pilotzones import panel, parameters, power, replicate, report, studies, truth
from pilotzones.declare import Table
from pilotzones.report import figures_design

p = parameters.check("14_design", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
table, number = declared.benchmark
column = declared.table(table).column(number)
paper = power.printed(declared)
digits = report.digits(declared) + 1
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# Suppose that the true effect is $\tau$. The estimate $\hat\tau$ is significant if it lies more than $z$ standard
# errors from zero ($z = 1.96$ at a level of 5%). How often is it,
#
# $$ \text{power}(\tau) = P\left(|\hat\tau| > z\, se\right) = \Phi\left(\frac{\tau}{se} - z\right)
#    + \Phi\left(-\frac{\tau}{se} - z\right), $$
#
# if the estimate is normal and the error right? The **minimum detectable effect** has a power of 80%: at a level of 5%
# it is 2.8 standard errors (Bloom 1995). And journals print significant estimates. Among these, how many have the wrong
# sign (**type S** error), and by which factor is their mean size too large (**type M** error; Gelman and Carlin 2014)?

# %% tags=["remove-input"]
report.note(declared, "14_design", "question", p.source)

# %% [markdown]
# ## What the paper did
#
# Its main column:

# %%
report.specification(declared, Table(table, "baseline", declared.table(table).title, (column,)))

# %% [markdown]
# ## What one sample says
#
# One estimate and its standard error are enough for the rule. If your data are licensed, this is the whole page: a
# simulation needs a world whose truth is known, and licensed data have no such counterpart.

# %%
words = {"detectable": "minimum detectable effect", "power": "power", "type_s": "type S", "type_m": "type M"}
fit = replicate.benchmark(declared, data)
single = power.one_sample(declared, fit, p.share, p.level)
report.view(
    single.rename(columns=words),
    f"What one sample says about the design, by standard error ({p.source} data; printed: the paper's own numbers; "
    f"level {p.level:g}). Power, type S and type M if the true effect were {p.share:g} times the published "
    f"{paper['estimate']:g}",
    f"Minimum detectable effect: {power.multiple(p.level):.2f} standard errors. Normal estimates, errors taken as "
    "right. Empty: the paper's error is lost.",
    digits=digits,
)

# %% tags=["remove-input"]
report.note(declared, "14_design", "one_sample", p.source)

# %% [markdown] tags=["needs-truth"]
# ## Many samples of a known truth
#
# The rule believes the standard error. A simulation need not: the same column is estimated in many fresh synthetic
# panels whose true effect is a multiple of the study's own, from none to several times as much, under each standard
# error. What counts as *true* is what this regression estimates when nothing but the reform moves the outcome: the same
# regression run on the true effects. In one panel it is

# %% tags=["needs-truth"]
if p.source == "synthetic":
    one_column = Table(table, "baseline", "", (column,))
    both = truth.against_estimates(declared, one_column, {number: fit}, data)
    display(report.view(both, f"What is meant by the true effect (synthetic data, seed {p.seed})", digits=digits))

# %% tags=["hide-input", "needs-truth"]
if p.source == "synthetic":
    draws = power.stored(declared)
    summary = power.summarise(draws, p.level)
    behind = f"synthetic data, {draws['seed'].nunique()} panels per point, level {p.level:g}"
    by_size = summary.assign(size=summary["size"].map("{:g}".format)).set_index("size")
    display(Markdown(
        f"{draws['seed'].nunique()} panels by {draws['size'].nunique()} sizes of the effect. The rows are stored; this "
        f"makes them again, and takes other `--seeds` and `--sizes`:\n\n```bash\n{power.command(declared, draws)}\n```"
    ))

# %% [markdown] tags=["needs-truth"]
# ### Power

# %% tags=["needs-truth"]
if p.source == "synthetic":
    curve = by_size.pivot(columns="vcov", values="power")
    curve.insert(0, "true effect", by_size.groupby("size")["effect"].mean())
    display(report.view(
        curve.sort_values("true effect"), f"Share of significant estimates by size of the true effect ({behind})",
        f"Rows: multiples of the study's own effect. Monte-Carlo errors: at most {summary['power_error'].max():.3f}.",
        digits=digits,
    ))

# %% tags=["needs-truth"]
if p.source == "synthetic":
    effect = declared.effect_label.replace("effect on", "true effect on")
    report.show(
        figures_design.power_plot(summary, paper["estimate"], p.level, xlabel=effect),
        name="fig-power",
        alt="Power against the true effect, one line per standard error, with a line at the published effect.",
        caption=f"Share of panels with a significant estimate, by true effect and standard error, with 95% Monte-Carlo "
        f"intervals ({behind}). Dashed: the published effect. Without an effect the share should be the level.",
        data=summary.set_index(["vcov", "size"])[["effect", "power", "power_error"]],
    )

# %% tags=["needs-truth"]
if p.source == "synthetic":
    smallest = power.minimum_detectable(summary, p.level)
    smallest["share"] = smallest["simulated"] / paper["estimate"]
    names = {"simulated": "by simulation", "rule": f"{power.multiple(p.level):.2f} x mean se",
             "honest": f"{power.multiple(p.level):.2f} x sd of the estimates",
             "test_size": "significant without an effect", "share": "by simulation, over the published effect"}
    display(report.view(
        smallest.rename(columns=names), f"Minimum detectable effect, power of 80% ({behind})",
        "Empty: no simulated effect reaches 80%, or already none does. Where the share without an effect is far above "
        "the level, the error is too small or the estimate biased, and what looks like power is false alarm.",
        digits=digits,
    ))

# %% tags=["remove-input", "needs-truth"]
report.note(declared, "14_design", "power", p.source)

# %% [markdown] tags=["needs-truth"]
# ### Exaggeration and wrong signs
#
# Keep the significant estimates only, as a journal might. How far are they from the truth that made them? Where the
# estimate is biased (below), the bias is part of that distance.

# %% tags=["needs-truth"]
if p.source == "synthetic":
    report.show(
        figures_design.exaggeration_plot(summary, paper["estimate"], xlabel=effect),
        name="fig-exaggeration",
        alt="Exaggeration against the true effect, one line per standard error, with a line at the published effect.",
        caption="Mean size of significant estimates over the true effect, by true effect and standard error, on a "
        f"scale of doublings ({behind}; points with fewer than {figures_design.FEW} such estimates are left out). "
        "Dashed: the published effect.",
        data=summary.set_index(["vcov", "size"])[["effect", "type_m", "significant"]],
    )

# %% tags=["needs-truth"]
if p.source == "synthetic":
    for name, title in {"type_m": "Type M: mean size of significant estimates over the true effect",
                        "type_s": "Type S: share of significant estimates with the wrong sign"}.items():
        errors = by_size[by_size["effect"] > 0].pivot(columns="vcov", values=name)
        display(report.view(errors.sort_index(key=lambda sizes: sizes.astype(float)), f"{title} ({behind})",
                            "Rows: multiples of the study's own effect. Empty: no significant estimate.", digits=3))

# %% tags=["remove-input", "needs-truth"]
report.note(declared, "14_design", "exaggeration", p.source)

# %% [markdown] tags=["needs-truth"]
# ### Are estimates and errors right?
#
# The bias is what other policies, unequal trends or an imperfect measure of the outcome add to the estimate. It is the
# same for all sizes of the effect. Larger effects differ more between places, too, and clustered errors count that.

# %% tags=["needs-truth"]
if p.source == "synthetic":
    names = {"bias": "bias of the estimate", "sd": "sd of the estimates", "se": "mean standard error",
             "coverage": "coverage of 95% intervals", "undefined": "without an error"}
    for size, words in {0: "without an effect", 1: "at the study's own effect"}.items():
        there = summary[summary["size"] == size].set_index("vcov")[[*names]]
        display(report.view(
            there.rename(columns=names), f"Estimates and standard errors {words} ({behind})",
            "Without an error: the estimated variance was negative. This counts as not significant and not covered.",
            digits=digits,
        ))

# %% [markdown]
# ## How to read it
#
# An effect below the minimum detectable one is not absent; this design would mostly miss it. A significant estimate of
# such an effect is one that chance made large, and a second study should expect less.

# %% tags=["remove-input"]
report.note(declared, "14_design", "reading", p.source)

# %% [markdown]
# ## What can go wrong
#
# - **Power after the fact.** Power computed at the *estimated* effect says nothing that p does not: it is a function
#   of it. Ask about effects that were plausible before the data; the published one is a generous choice, because
#   significant estimates are too large on average.

# %% [markdown] tags=["needs-truth"]
# - **The world is the paper's own model.** The simulated outcomes follow the model that the paper has in mind, with
#   noise calibrated to its printed tables. Real noise may have fatter tails and more common shocks: the powers here are
#   upper bounds rather than forecasts.
# - **One column only.** A paper that tries several columns and prints the best exaggerates more.

# %% tags=["remove-input"]
report.note(declared, "14_design", "threats", p.source)

# %% [markdown]
# ## Try it
#
# - `-p level 0.01`: a stricter test has less power. What does it do to exaggeration?
# - `-p share 0.25`: how would the first table look if a quarter of the published effect were true?

# %% [markdown] tags=["needs-truth"]
# - Run the simulation with your own grid, e.g. `python -m pilotzones.power resilience --seeds 50 --sizes 0.2 0.4 0.6`,
#   and then this page.
# - In a {doc}`sweep <../../sweep>`, `size: 0` switches the effect off: which published column finds one all the same?
