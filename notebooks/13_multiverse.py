# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The multiverse: every choice that could be defended
#
# A paper prints a handful of regressions out of thousands that it could have run. This page runs them all, sorts the
# estimates into one curve, shows which choices move them, and tests the whole curve at once. Run it with other
# parameters from the project folder:
#
# ```bash
# papermill notebooks/13_multiverse.ipynb out.ipynb -p study resilience -p vcov hetero
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel and of the permutations, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province
draws: int = 199  # permutations of the treatment, 19 or more

# %% tags=["hide-input"]
from IPython.display import display

from pilotzones import multiverse, panel, parameters, report, studies
from pilotzones.estimators import multiverse as permutations
from pilotzones.report import figures_multiverse

p = parameters.check("13_multiverse", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
behind = f"{p.source} data" + (f", seed {p.seed}" if p.source == "synthetic" else "")
digits = max(4, report.digits(declared))
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# How far does the paper's answer depend on choices that it had to make and that others would make differently? Let
# $s$ be one set of choices: controls, absorbed effects, rows, measure of the outcome. Each gives its own estimate of
# the same coefficient,
#
# $$ y^{(s)}_{it} = \beta_s\, z_{it} + x_{it}^{(s)\prime}\gamma_s + \alpha^{(s)}_{e(it)} + \varepsilon^{(s)}_{it}, $$
#
# and all of them, sorted, are the *specification curve* (Simonsohn, Simmons and Nelson 2020). Standard errors are no
# choice of this kind: they do not move $\beta_s$. They draw the bands.

# %% [markdown]
# ## The choices, and why
#
# Every option is one that somebody could defend, and its reason stands beside it. Controls through which the treatment
# works, and instruments made of it, are not among them. The file is a grid as `pilotzones sweep` reads it: change it,
# and this page is about your choices.

# %%
multiverse.listed(declared)

# %% tags=["remove-input"]
report.note(declared, "13_multiverse", "choices", p.source)

# %%
every = multiverse.curve(declared, p.source, p.seed, *multiverse.errors(declared))
rows = multiverse.distinct(declared, every, p.vcov)
report.view(multiverse.counts(declared, every, p.vcov), f"From the grid to the curve ({behind})",
            "Equal to another: from as many rows, as when the effects absorb a control or a place.")

# %% [markdown]
# ## The curve

# %%
report.show(
    figures_multiverse.curve_plot(rows, multiverse.choices(rows), multiverse.benchmark(declared, rows)["estimate"],
                                  multiverse.truth(declared, data), ylabel=declared.effect_label),
    name="fig-curve",
    alt="Sorted estimates of all specifications with 95% intervals, the paper's columns marked; below, one row per "
    "option, dark where the specifications of that part of the curve have it.",
    caption=f"{len(rows):,} specifications, sorted by estimate, with 95% intervals ({behind}; errors: {p.vcov}). "
    "Below: the share of the specifications with each option in that part of the curve, from white (none) to dark "
    "(all). Dashed line, where the truth is known: the true mean effect on the paper's outcome.",
    data=rows[["estimate", "low", "high", "p", "n_obs", "published", *multiverse.choices(rows)]],
)

# %%
report.view(multiverse.summary(declared, rows), f"The curve in numbers ({behind})", digits=digits)

# %%
report.view(multiverse.significance(declared, every),
            f"Share of the specifications by sign and significance, under each standard error ({behind})")

# %% [markdown]
# Choose for yourself. In the rendered book, the controls below look up every specification; the other estimators, where
# there is a roll-out, have no controls and all rows.

# %%
looked_up = multiverse.with_estimators(declared, data, every)
names = {name: name for name in ("estimator", *multiverse.choices(rows))}
report.explorer(looked_up, names, "vcov", published="published", start="/".join(declared.benchmark),
                label=f"Estimates by specification ({behind})", unit=declared.effect_label, digits=digits)

# %% tags=["remove-input"]
report.note(declared, "13_multiverse", "curve", p.source)

# %% [markdown] tags=["needs-truth"]
# ### Against the truth
#
# In synthetic data each specification has a known *aim*: the same regression run on the true effects in place of the
# outcome. Estimates differ because specifications aim at different means of the effects, and because they miss.

# %% tags=["needs-truth"]
if p.source == "synthetic":
    display(report.view(
        multiverse.against_truth(declared, data, rows),
        f"Estimates for {declared.outcome}, their aims and the truth ({behind}; errors: {p.vcov})", digits=digits,
    ))

# %% tags=["remove-input", "needs-truth"]
report.note(declared, "13_multiverse", "truth", p.source)

# %% [markdown]
# ## Which choices matter
#
# The estimates are regressed on dummies of all options. A choice's share is the part of their variance that its dummies
# explain given those of all other choices (type II sums of squares, main effects only).

# %%
report.view(multiverse.importance(rows), f"Share of the variance of the estimates by choice ({behind})")

# %%
report.view(multiverse.by_option(rows), f"Estimates by option ({behind}; errors: {p.vcov})", digits=digits)

# %% tags=["remove-input"]
report.note(declared, "13_multiverse", "matters", p.source)

# %% [markdown]
# ## Could the whole curve be luck?
#
# The specifications share their data, so thousands of small p values are not thousands of findings. The curve is
# therefore tested as a whole. Each draw deals the treatment's paths over time out anew among the places, as if zones
# had gone by lot, and re-estimates the whole curve. If the treatment does nothing, the real curve is one more such
# draw. p is the share of draws, the real one counted, that are at least as extreme.
#
# The test holds the rows fixed, those with all controls, and leaves out samples that say who got a zone.

# %%
test = multiverse.permuted(declared, data, rows, p.source, p.seed, p.vcov, p.draws)
report.view(multiverse.tested(test), f"What the joint test is about ({behind}; {p.draws} draws)")

# %%
joint = permutations.joint(test.actual, test.draws)
report.view(joint, f"Joint permutation test of the curve ({behind}; {p.draws} draws, errors: {p.vcov})",
            "expected, low, high: median and middle 95% of the draws. undefined: draws without an answer, which count "
            "as extreme.", digits=digits)

# %%
report.show(
    figures_multiverse.null_plot(permutations.bands(test.draws.t), test.actual["t"]),
    name="fig-null",
    alt="Sorted t values of the real treatment beside the band that holds 95% of the curves of permuted treatments.",
    caption=f"Sorted t values of the real treatment and of treatments dealt out anew among places ({behind}; "
    f"{p.draws} draws, errors: {p.vcov}). Each draw is sorted by itself.",
    data=permutations.bands(test.draws.t).assign(actual=test.actual["t"].sort_values().to_numpy()),
)

# %% tags=["remove-input"]
report.note(declared, "13_multiverse", "joint", p.source)

# %% [markdown]
# ## How to read it
#
# - **Position and slope.** Where is zero, where is the paper, how steep is the curve? A paper at the far end of its own
#   curve chose, knowingly or not, what suited it.
# - **A curve is no sample of independent studies.** All specifications use the same places and years. A share of 90%
#   significant is no probability, and depends on how often the grid repeats a choice that does not matter.
# - **A wide null band** means that errors of the kind chosen are too small for this treatment: permuted treatments,
#   which do nothing, have t values far beyond 2.
# - **Adjusted p values** ask for each specification whether its |t| exceeds the largest |t| of the curve in most draws
#   (step-down, Westfall and Young 1993): the answer for a reader who searched the curve for its best point.

# %% tags=["remove-input"]
report.note(declared, "13_multiverse", "reading", p.source)

# %% [markdown]
# ## What can go wrong
#
# - **Zones were not given by lot.** The permutation treats all places as equally likely to get a zone, while zones went
#   to large, open, coastal places. A small p value rejects "no effect and zones by lot" together.
# - **All may be wrong alike.** What no specification controls for biases every point of the curve.
# - **Not all points are equally good.** An average over choices weighs a weak design as much as a strong one.
# - **Who writes the grid** decides what the curve looks like. Its reasons are there to be disputed.

# %% [markdown] tags=["needs-pairs"]
# - **Pairs.** A draw deals zones to cities. Pairs with two fake zones cannot be dropped, since all draws share their
#   rows; while both are in force they count as untreated. Errors of dyads take minutes for thousands of regressions
#   and are left out; `cluster_city`, by both cities, is their nearest kin.

# %% tags=["remove-input"]
report.note(declared, "13_multiverse", "threats", p.source)

# %% [markdown]
# ## Try it
#
# - `-p vcov iid`: bands shrink; what does the null band of t values say to that?
# - `-p draws 999`: how far do the joint p values move?
# - the same estimates as a table, and some of them as pages of their own (with your study's file):
#
# ```bash
# pilotzones sweep data/multiverse/resilience.yml -o resilience.parquet
# pilotzones sweep data/multiverse/resilience.yml -o resilience.parquet --pages 5
# ```

# %% [markdown] tags=["needs-truth"]
# - `-p seed 7`: another world with the same truth. Which part of the curve moves, and which does not?
