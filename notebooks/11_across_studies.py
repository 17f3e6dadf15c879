# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Across the studies: which conclusions survive?
#
# One table: the main finding of each of the five papers, judged by other standard errors and by other estimators. Run
# it with other parameters from the project folder:
#
# ```bash
# papermill notebooks/11_across_studies.ipynb out.ipynb -p draws 4999
# ```

# %% tags=["parameters"]
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
draws: int = 999  # bootstrap samples, 99 or more

# %% tags=["hide-input"]
from pilotzones import modern_did, parameters, report, studies

p = parameters.check("11_across_studies", globals())
report.banner_of_all(p.source, p.keys)

# %% [markdown]
# ## Question
#
# A paper's main estimate has a sign and, by the paper's own standard error, stars. Two things can take them away:
# errors that know how the treatment was given out, and estimators that compare only with units not (yet) treated. By
# one rule: a finding **survives** if the 95% interval excludes zero on the paper's side, is **weakened** if the
# interval holds zero, and **reversed** if it excludes zero on the other side.

# %% [markdown]
# ## Result
#
# The first row is the paper's benchmark column as the paper computes it, on this book's data. Errors below it belong to
# the same estimate, with its controls and effects. The estimators below them have no controls, for not every method can
# have them, and unit and year effects only: two-way fixed effects, the first of them, show what that alone does, most
# in `innovation`, whose benchmark has effects of provinces by year. Those of `quality`, whose treatment is an index and
# no roll-out, do not exist.

# %% tags=["remove-input"]
absent = sorted({*studies.keys()} - {*p.keys})
if absent:
    print(f"Not in the tables, for there are no files of them in data/raw: {', '.join(absent)}.")

# %%
table = modern_did.matrix(p.keys, p.source, p.draws)
report.view(table, f"The main finding of each study: verdict, estimate and 95% interval ({p.source} data)")

# %%
counts = table.apply(lambda column: column[column != ""].str.partition(":")[0].value_counts()).fillna(0).astype(int)
report.view(counts, f"Verdicts by study ({p.source} data)")

# %% [markdown]
# ## How to read it
#
# - **Across a row**: the same question to all papers. Across studies estimates do not compare, for each has its own
#   unit.
# - **Down a column**: one finding under more and more scepticism. A finding that survives better errors and fails with
#   another estimator was a comparison with treated units; one that survives estimators and fails with errors was a
#   small sample that looked large.
# - **Pairs of cities** (`coordination`): rows share cities, so clustering by pair, which every estimator of the lower
#   half uses, is not enough. Read its lower half together with the row of dyadic errors; a "survives" there that the
#   dyadic row does not share is the error's, not the estimator's.
# - **trends fail as much as they did before**: the interval of the Callaway-Sant'Anna estimate when, from one year to
#   the next, untreated trends may differ after the reform by as much as they ever did in the three years before it
#   (Rambachan and Roth 2023). A demanding rule.

# %% [markdown]
# ## What can go wrong

# %% [markdown] tags=["needs-truth"]
# - **The data are synthetic** unless the parameter says otherwise. Each panel was calibrated so that the paper's
#   estimate comes out on average; what other methods make of it shows the roll-out and the generator, not China. The
#   verdicts of one seed are one draw.

# %% [markdown]
# - **A verdict is a threshold.** 0.001 above zero survives, 0.001 below is weakened; read the interval.
# - **Weakened is not refuted.** An estimator that asks for less assumes less and has wider intervals.

# %% [markdown]
# ## Try it
#
# - `-p draws 4999`: do the bootstrap intervals move enough to change a verdict?

# %% [markdown] tags=["needs-truth"]
# - Then open the page of a single study with `-p scenario trending`: which row of this table would have warned you?
