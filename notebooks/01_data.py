# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Data: who is treated, when, and what the panel holds
#
# This page builds the sample, shows where and when the treatment came, and describes the variables, beside the printed
# statistics where the paper has any. Run it with other parameters from the project folder:
#
# ```bash
# papermill notebooks/01_data.ipynb out.ipynb -p study innovation -p seed 7
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic

# %% tags=["hide-input"]
from IPython.display import display

from pilotzones import describe, ledger, pairs, panel, parameters, replicate, report, studies

p = parameters.check("01_data", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
sample = replicate.benchmark_sample(declared, data)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown] tags=["needs-intensity"]
# ## Question
#
# Nobody is treated here, and nobody is not: every province $p$ has more or less of something in every year $t$, an
# index $z_{pt}$, and all units of the province have it together,
#
# $$D_{it} = z_{p(i)t}.$$
#
# What there is to compare are *changes*: units in provinces where the index rose fast with units where it rose slowly.

# %% [markdown] tags=["needs-rollout"]
# ## Question
#
# A pilot zone reaches city $c$ in the year $g_c$ of its approval and stays. The treatment of unit $i$ in city $c(i)$
# and year $t$ is therefore
#
# $$D_{it} = 1\{t \ge g_{c(i)}\}.$$

# %% [markdown] tags=["needs-pairs"]
# When a unit is a pair $\{i, j\}$ of cities, it is treated if exactly one of the two has a zone in force,
#
# $$D_{ijt} = 1\{t \ge g_i\} + 1\{t \ge g_j\} - 2 \cdot 1\{t \ge g_i\} 1\{t \ge g_j\}.$$

# %% [markdown] tags=["needs-rollout"]
# Everything that follows rests on three choices made here: which rows are in the sample, which cities count as
# treated, and from which year.

# %% [markdown]
# ## What the paper did

# %% tags=["remove-input"]
report.note(declared, "01_data", "sample", p.source)

# %% [markdown]
# The panel, step by step:

# %%
controls = declared.regressors("controls")

# %% tags=["needs-steps"]
if "steps" in declared.features:
    display(report.view(describe.steps(declared, data, controls), f"Sample of the {p.study} study ({p.source} data)"))

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    display(report.view(pairs.construction(data), f"Pairs of the {p.study} study, step by step ({p.source} data)",
                        "with one zone: exactly one of the two cities ever has a zone. The median is that of the "
                        "second row's pairs."))

# %% tags=["remove-input", "needs-pairs"]
report.note(declared, "01_data", "pairs", p.source)

# %% [markdown] tags=["needs-rollout"]
# ## The roll-out

# %% [markdown] tags=["needs-intensity"]
# ## The treatment, by province and year

# %% tags=["remove-input"]
report.note(declared, "01_data", "treatment", p.source)

# %% tags=["needs-rollout"]
if "rollout" in declared.features:
    cities = describe.rollout(declared, data)
    report.show(
        report.figures.rollout_map(cities),
        name="fig-rollout",
        alt="Map of China's prefectures as dots, coloured and shaped by the batch of their first pilot zone; "
        "early batches lie on the coast and in provincial capitals.",
        caption="Every prefecture by the batch of its first pilot zone, real dates and coordinates; rings mark the "
        "cities that count as treated in this study. Prefectures of zones smaller than a prefecture are included.",
        data=cities,
    )

# %% tags=["needs-rollout"]
if "rollout" in declared.features:
    coverage = describe.coverage(declared, sample)
    report.show(
        report.figures.timeline(declared, coverage),
        name="fig-timeline",
        alt="Left, a step line of the number of cities with a zone in force by year; right, bars of the share of units "
        "that are treated.",
        caption=f"Treatment over time in the {p.source} panel: cities with a zone in force (left) and the share of "
        "treated units (right). Approval years count in full.",
        data=coverage,
    )

# %% tags=["needs-intensity", "shows-units"]
if "intensity" in declared.features:
    intensity = describe.intensity(declared, data)
    report.show(
        report.figures.intensity_map(declared, intensity),
        name="fig-intensity",
        alt="Heat map of the index by province and year: all rows get lighter from left to right, a few provinces at "
        "the top much more than the others.",
        caption=f"{declared.treatment}, the treatment, by province and year, the highest in the last year on top "
        f"({p.source} data).",
        data=intensity,
    )

# %% [markdown]
# ## Variables and descriptive statistics

# %% tags=["remove-input"]
report.note(declared, "01_data", "variables", p.source)

# %%
rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="01_data")
if rows.empty:
    table = report.view(describe.described(declared, sample).rename_axis("name"),
                        f"Descriptive statistics of the {p.source} panel; the paper prints none")
else:
    table = report.descriptive_table(rows, f"Descriptive statistics: printed, and in the {p.source} panel")
table

# %% tags=["remove-input"]
report.note(declared, "01_data", "descriptives", p.source)

# %% [markdown]
# ## Missing values

# %%
names = [declared.outcome, *controls]
gaps = describe.missing(sample, names)
if gaps.empty:
    print("Neither the outcome nor a control has a missing value.")
else:
    share = gaps / sample.groupby("year").size() * 100
    report.show(
        report.figures.missing_heatmap(share),
        name="fig-missing",
        alt="Heat map of the share of missing values by variable and year.",
        caption=f"Missing values by variable and year in the {p.source} panel, percent of rows. "
        "Variables without gaps are left out.",
        data=share,
    )

# %% tags=["remove-input"]
report.note(declared, "01_data", "missing", p.source)

# %% [markdown] tags=["needs-intensity"]
# ## How to read it: which variation is there to compare?
#
# Unit effects remove what is lasting about a unit, year effects what a year does to all. An index that grows everywhere
# at once has little left after both; and what little there is, is the same for all units of a province.

# %% tags=["needs-intensity"]
if "intensity" in declared.features:
    parts = describe.variation(declared, sample, [declared.outcome, *[index.name for index in declared.indices]])
    display(report.view(parts, f"Standard deviations of what effects leave ({p.source} data)", digits=4))

# %% tags=["remove-input", "needs-intensity"]
report.note(declared, "01_data", "variation", p.source)

# %% [markdown] tags=["needs-rollout"]
# ## How to read it: are treated and control units comparable?
#
# Difference-in-differences does not need equal *levels* in both groups, it needs equal *trends* without the reform.
# But groups that differ a lot in what they look like before the reform often differ in their trends too. The
# normalised difference $(\bar x_1 - \bar x_0)/\sqrt{(s_1^2 + s_0^2)/2}$ measures that gap in standard deviations;
# unlike a t value it does not grow with the sample.

# %% tags=["needs-rollout"]
if "rollout" in declared.features:
    year = int(data["cohort"].min()) - 1  # the last year in which nobody is treated
    balance = describe.balance(sample, names, year)
    display(report.view(balance,
                        f"Ever- and never-treated units in {year}, the last year without any zone ({p.source} data)"))

# %% tags=["needs-rollout"]
if "rollout" in declared.features:
    report.show(
        report.figures.balance_plot(balance),
        name="fig-balance",
        alt="Dot plot of normalised differences between ever-treated and never-treated units, with a grey band from "
        "minus to plus 0.25.",
        caption=f"Normalised differences in {year} ({p.source} data). Outside the grey band, results begin to depend "
        "on how the controls enter the regression.",
        data=balance,
    )

# %% [markdown]
# ## What can go wrong

# %% tags=["remove-input"]
report.note(declared, "01_data", "threats", p.source)

# %% [markdown] tags=["needs-rollout"]
# - **Selection.** Zones went first to cities that already traded. Unit fixed effects remove level differences, not
#   differences in trend.
# - **Missing values.** If city yearbooks are missing more often in poor cities, dropping rows changes the comparison
#   group. The table of steps shows how many rows that costs.
# - **Partial treatment.** Some zones cover one county of a prefecture; coding the whole prefecture as treated dilutes
#   the effect.

# %% [markdown]
# ## Where paper and page differ

# %% tags=["hide-input"]
apart = rows[rows["verdict"].isin(["near", "differs", "not_replicated"])]
report.ledger_table(apart, f"Descriptive statistics that do not round to the printed value ({p.source} data)")

# %% [markdown] tags=["needs-truth"]
# ## Try it
#
# - `-p seed 7`: another synthetic sample. Which of the descriptive statistics move, and which are fixed by the frame?
# - `-p seed 11`: which tables of this page keep their message, and which only their decimals?
