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
# space, and shows what an ignored spillover does to the benchmark. Of pairs of cities it shows the network instead, and
# which pairs the effect and its comparison rest on. Run it with other parameters from the project folder:
#
# ```bash
# papermill notebooks/07_spatial.ipynb out.ipynb -p study innovation -p radius 200
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
radius: int = 150  # reach in km of the spillover that is switched on, 50 to 500

# %% tags=["hide-input"]
from IPython.display import display

from pilotzones import ledger, pairs, panel, parameters, replicate, report, space, studies
from pilotzones.report import figures_pairs

p = parameters.check("07_spatial", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown] tags=["needs-pairs"]
# ## Question
#
# A pair is a line on the map. Where are the lines, which cities hold most of them, and what follows for an effect that
# is estimated from lines? Zones may also act on the partners of their city, and then the pairs that these form among
# each other are no controls (stable unit treatment values, SUTVA).

# %% [markdown] tags=["needs-cities"]
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
report.note(declared, "07_spatial", "specification", p.source)

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "extension", p.source)

# %% tags=["needs-cities"]
if "cities" in declared.features:
    table = declared.section_tables("07_spatial")[0]
    display(report.specification(declared, table))

# %% [markdown]
# ## Result

# %% tags=["needs-cities"]
if "cities" in declared.features:
    fit = replicate.column(declared, table.columns[0], data, p.vcov)
    bands = space.bands(fit)
    report.show(
        report.figures.band_plot(bands, ylabel=declared.effect_label),
        name="fig-bands",
        alt="Coefficients of ten distance bands from 50 to 500 km with 95% intervals and a line at zero.",
        caption=f"Effect of a zone in force at a distance, with 95% intervals ({p.source} data, errors: {p.vcov}). "
        "Distances are great circles between real seats of government.",
        data=bands,
    )

# %% tags=["needs-cities"]
if "cities" in declared.features:
    display(report.view(bands, f"Coefficients of the distance bands, outer end in km ({p.source} data)", digits=digits))

# %% tags=["needs-pairs", "shows-units"]
if "pairs" in declared.features:
    made_up = ": places and zones are real, the sizes behind the ties are not" if p.source == "synthetic" else ""
    drawn = pairs.network(declared, data)
    report.show(
        figures_pairs.network(drawn),
        name="fig-network",
        alt="Map of the cities of the sample as dots, larger with more partners, joined by thin lines where ties are "
        "strongest: dense webs in the east and centre, few lines in the west and north; zone cities are ringed.",
        caption=f"The 1,000 strongest of the retained ties ({p.source} data{made_up}). Rings: cities with a zone by "
        "the end of the sample.",
        data=drawn,
    )

# %% tags=["needs-pairs", "shows-units"]
if "pairs" in declared.features:
    partners = pairs.partners(declared, data)
    ranks = [*range(8), *range(len(partners) - 5, len(partners))]
    display(report.view(partners.iloc[ranks].set_index("city").replace({"zone": {0: "none"}}),
                        f"The eight cities with most partners and the five with fewest ({p.source} data)",
                        f"Mean {partners['partners'].mean():.0f}, median {partners['partners'].median():.0f} partners. "
                        "zone: first year. Two zone cities are no partners.", digits=4))

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    ties = pairs.strengths(data)
    report.show(
        figures_pairs.strength(ties),
        name="fig-strength",
        alt="Density plot of the strength of ties against distance, both on log scales: a falling band, cut by a "
        "horizontal line at the median.",
        caption=f"Strength of all ties of pairs without two zones, by distance; darker: more pairs ({p.source} data).",
        data=ties,
    )

# %% tags=["remove-input", "needs-pairs"]
report.note(declared, "07_spatial", "network", p.source)

# %% [markdown] tags=["needs-pairs"]
# ### The effect by distance
#
# One regression with a treatment dummy for each class of distance between the two cities.

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    near = pairs.by_distance(declared, data, p.vcov)
    display(report.view(near, f"Pairs and effect by distance ({p.source} data, errors: {p.vcov})"))

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    report.show(
        report.figures.interval_plot(near.dropna(), xlabel=declared.effect_label),
        name="fig-distance",
        alt="Treatment coefficients by distance between the two cities, with 95% intervals.",
        caption=f"Effect by distance between the two cities, with 95% intervals ({p.source} data, errors: {p.vcov}).",
        data=near,
    )

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "reading", p.source)

# %% [markdown] tags=["needs-cities"]
# ### All bands together
#
# Ten intervals that contain zero one by one do not show that all ten coefficients are zero, and with ten tests one
# interval may miss zero by chance. The joint test asks the question once.

# %% tags=["needs-cities"]
if "cities" in declared.features:
    display(report.view(space.joint_tests(declared, fit), f"Joint F test of all distance bands ({p.source} data)"))

# %% [markdown] tags=["needs-cities"]
# ## How to read it: errors that are correlated in space
#
# Shocks do not stop at the city limits. Conley's errors let the errors of two rows be correlated if their cities are
# closer than a cut-off, with a weight that falls with distance.

# %% tags=["needs-cities"]
if "cities" in declared.features:
    errors = space.conley_errors(declared, data)
    display(report.view(errors, f"The benchmark estimate under spatially correlated errors ({p.source} data)",
                        digits=digits))

# %% tags=["needs-cities"]
if "cities" in declared.features:
    report.show(
        report.figures.interval_plot(errors, xlabel=declared.effect_label),
        name="fig-conley",
        alt="The benchmark estimate with 95% intervals under independent, clustered and Conley errors.",
        caption=f"Benchmark estimate with 95% intervals under independent, clustered and spatial errors ({p.source} "
        "data).",
        data=errors,
    )

# %% tags=["remove-input", "needs-cities"]
report.note(declared, "07_spatial", "errors", p.source)

# %% [markdown] tags=["needs-cities"]
# ## What can go wrong: a spillover that is ignored
#
# Here a spillover of known size is switched on: rows without a zone of their own gain when a zone is in force within
# the radius: nothing, a quarter, a half, and all of what the benchmark says a zone's own city gains. The rest of the
# data stay as they are.

# %% tags=["needs-cities"]
if "cities" in declared.features:
    own = replicate.benchmark(declared, data, p.vcov).coefficients.at[declared.treatment, "estimate"]
    sizes = tuple(share * abs(own) for share in (0, 0.25, 0.5, 1))
    display(report.view(space.spillover_bias(declared, data, sizes, p.radius),
                        f"The benchmark with a spillover up to {p.radius} km ({p.source} data, spillover added)",
                        digits=digits))

# %% [markdown] tags=["needs-pairs"]
# ## What can go wrong: controls that zones reach
#
# If a zone moves the partners of its city, then a control pair of two such partners is moved as well. How many control
# pairs are there that no zone city has a strong tie to, and what do the others say?

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    display(report.view(pairs.control_pairs(declared, data, p.vcov),
                        f"The benchmark with fewer control pairs ({p.source} data, errors: {p.vcov})"))

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "threats", p.source)

# %% [markdown]
# ## Where paper and page differ

# %% tags=["hide-input"]
rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="07_spatial")
report.ledger_table(rows, f"Ledger rows of this page ({p.source} data)")

# %% tags=["remove-input"]
report.note(declared, "07_spatial", "differences", p.source)

# %% [markdown]
# ## Try it

# %% [markdown] tags=["needs-cities"]
# - `-p radius 50` and `-p radius 300`: a wider spillover reaches more controls. What happens to the bias?
# - `-p vcov iid` and `-p vcov cluster_city`: which single bands look significant, and what does the joint test say?

# %% [markdown] tags=["needs-pairs"]
# - `-p vcov published` and `-p vcov dyadic`: does the effect fall with distance, once errors know about cities?

# %% [markdown] tags=["needs-pairs", "needs-truth"]
# - `-p seed 7`: does the profile over distances survive in another sample from the same truth?
