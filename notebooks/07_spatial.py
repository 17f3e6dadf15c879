# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Space: do zones help or harm their neighbours?
#
# This page re-estimates the effect of zones at a distance, tests all distances together, lets errors be correlated in
# space, and shows what an ignored spillover does to the benchmark. Run it with other parameters from the project
# folder:
#
# ```bash
# papermill notebooks/07_spatial.ipynb out.ipynb -p study innovation -p radius 200
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province
radius: int = 150  # reach in km of the spillover that is switched on, 50 to 500

# %% tags=["hide-input"]
from pilotzones import ledger, panel, parameters, replicate, report, space, studies

p = parameters.check("07_spatial", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# A zone could draw resources from the cities around it, or spread knowledge to them. Let $N^s_{ct}$ be one if, in year
# $t$, a zone is in force at a distance of $(s - 50, s]$ km from city $c$:
#
# $$
# y_{it} = \beta D_{it} + \sum_{s} \delta_s N^s_{c(i)t} + x_{it}'\gamma + \alpha_i + \lambda_{rt} + \varepsilon_{it}.
# $$
#
# The question matters twice: for policy, and for $\beta$ itself. Controls that a zone reaches are no controls: if they
# gain, the benchmark is too small; if they lose, too large (stable unit treatment values, SUTVA).

# %% [markdown]
# ## What the paper did

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "specification")

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "extension")

# %%
table = declared.section_tables("07_spatial")[0]
report.specification(declared, table)

# %% [markdown]
# ## Result

# %%
fit = replicate.column(declared, table.columns[0], data, p.vcov)
bands = space.bands(fit)
report.show(
    report.figures.band_plot(bands, ylabel=declared.effect_label),
    name="fig-bands",
    alt="Coefficients of ten distance bands from 50 to 500 km with 95% intervals and a line at zero.",
    caption=f"Effect of a zone in force at a distance, with 95% intervals ({p.source} data, errors: {p.vcov}). "
    "Distances are great circles between real seats of government.",
)

# %%
report.view(bands, f"Coefficients of the distance bands, outer end in km ({p.source} data)", digits=digits)

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "reading")

# %% [markdown]
# ### All bands together
#
# Ten intervals that contain zero one by one do not show that all ten coefficients are zero, and with ten tests one
# interval may miss zero by chance. The joint test asks the question once.

# %%
report.view(space.joint_tests(declared, fit), f"Joint F test of all distance bands ({p.source} data)")

# %% [markdown]
# ## How to read it: errors that are correlated in space
#
# Shocks do not stop at the city limits. Conley's errors let the errors of two rows be correlated if their cities are
# closer than a cut-off, with a weight that falls with distance.

# %%
errors = space.conley_errors(declared, data)
report.view(errors, f"The benchmark estimate under spatially correlated errors ({p.source} data)", digits=digits)

# %%
report.show(
    report.figures.interval_plot(errors, xlabel=declared.effect_label),
    name="fig-conley",
    alt="The benchmark estimate with 95% intervals under independent, clustered and Conley errors.",
    caption=f"Benchmark estimate with 95% intervals under independent, clustered and spatial errors ({p.source} data).",
)

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "errors")

# %% [markdown]
# ## What can go wrong: a spillover that is ignored
#
# Here a spillover of known size is switched on: rows without a zone of their own gain when a zone is in force within
# the radius: nothing, a quarter, a half, and all of what the benchmark says a zone's own city gains. The rest of the
# data stay as they are.

# %%
own = replicate.benchmark(declared, data, p.vcov).coefficients.at[declared.treatment, "estimate"]
sizes = tuple(share * abs(own) for share in (0, 0.25, 0.5, 1))
report.view(space.spillover_bias(declared, data, sizes, p.radius),
            f"The benchmark with a spillover up to {p.radius} km ({p.source} data, spillover added)", digits=digits)

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "threats")

# %% [markdown]
# ## Where paper and page differ

# %% tags=["hide-input"]
rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="07_spatial")
report.ledger_table(rows, f"Ledger rows of this page ({p.source} data)")

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "differences")

# %% [markdown]
# ## Try it
#
# - `-p radius 50` and `-p radius 300`: a wider spillover reaches more controls. What happens to the bias?
# - `-p vcov iid` and `-p vcov cluster_city`: which single bands look significant, and what does the joint test say?
