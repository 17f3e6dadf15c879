# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Measurement: from records to indices
#
# Before a regression there is a computation: patents become a number, trade becomes a spillover. This page opens each
# index of the study, computes it step by step from records one level below the panel, and asks which of the choices
# inside it matter. Run it with other parameters from the project folder:
#
# ```bash
# papermill notebooks/02_index_measurement.ipynb out.ipynb -p study innovation -p firms 100
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province
firms: int = 300  # number of firms whose patents are drawn, 1 or more

# %% tags=["hide-input"]
import numpy as np
from IPython.display import display

from pilotzones import measured, panel, parameters, policy, report, studies
from pilotzones.report import figures_measurement

p = parameters.check("02_index_measurement", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
records = measured.module(declared)
raw = measured.draw(declared, data, p.source, p.seed, p.firms)
behind = f"{p.source} records, seed {p.seed}"
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# An index is a function of records: with $R_{it}$ the patents, trade flows or jobs that belong to unit $i$ in year $t$,
#
# $$ y_{it} = f(R_{it}). $$
#
# Two questions. Does the published formula, applied to records, give the column that the regressions use? And would
# another defensible $f$ lead to another conclusion?

# %% [markdown]
# ## What the paper did

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "specification")

# %% [markdown]
# ### The records

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "records")

# %% [markdown] tags=["needs-patents"]
# ## Patents: count, breadth, width
#
# A patent carries symbols of the International Patent Classification. `G06F 17/30` reads: section G (physics), class
# G06 (computing), subclass G06F (digital data processing), main group 17, subgroup 30. With $G_p$ the main groups of
# patent $p$, and $P_{it}$ the patents that firm $i$ applies for in year $t$,
#
# $$ \text{count}_{it} = |P_{it}|, \qquad \text{breadth}_{it} = \sum_{p \in P_{it}} |G_p|. $$

# %% tags=["needs-patents"]
if "patents" in raw:
    from pilotzones.measures import patents

    display(report.view(raw["patents"].head(5).astype(str).set_index("firm"), f"1. Patents as recorded ({behind})"))

# %% tags=["needs-patents"]
if "patents" in raw:
    symbols = patents.symbols(raw["patents"])
    display(report.view(symbols.head(7).astype(str).set_index("firm"),
                        f"2. One row per symbol, with its main group ({behind})"))

# %% tags=["needs-patents"]
if "patents" in raw:
    groups = patents.groups_per_patent(raw["patents"])
    display(report.view(groups.value_counts().sort_index().to_frame("patents").T,
                        f"3. Patents by the number of main groups they cover ({behind})"))

# %% tags=["needs-patents"]
if "patents" in raw:
    count, breadth = patents.count(raw["patents"]), patents.breadth(raw["patents"])
    drawn = data[data["firm"].isin(raw["patents"]["firm"])]
    found = {name: (values, records.INDICES[name]) for name, values in [("count", count), ("breadth", breadth)]}
    display(report.view(measured.against_panel(drawn, found),
                        f"4. Measured against the panel's columns, firms with records ({behind})",
                        "A firm and year without a record has no patent; the panel has a zero there."))

# %% [markdown] tags=["needs-patents"]
# Breadth adds up over patents, so it grows with their number. A measure per patent does not: the *width*, one minus the
# Herfindahl index of a patent's symbols over main groups, averaged over the firm's patents,
#
# $$
# \text{width}_{it} = \frac{1}{|P_{it}|} \sum_{p \in P_{it}} \Big( 1 - \sum_{g \in G_p} \alpha_{pg}^2 \Big),
# $$
#
# with $\alpha_{pg}$ the share of the patent's symbols that lie in group $g$ (Zhang and Zheng 2018).

# %% tags=["needs-patents"]
if "patents" in raw:
    width = patents.width(raw["patents"])
    report.show(
        figures_measurement.breadth_and_width(count, breadth, width),
        name="fig-breadth",
        alt="Two density plots of firm-years against the log number of patents: breadth rises with it almost one to "
        "one, mean width does not.",
        caption=f"Breadth (left) and mean width (right) of a firm's patents in a year against their number "
        f"({behind}, {p.firms} firms; firm-years with patents; darker: more of them).",
    )

# %% tags=["remove-input", "needs-patents"]
report.note(declared, "02_index_measurement", "breadth")

# %% [markdown] tags=["needs-partners"]
# ## Technology spillover through trade
#
# Research done abroad reaches a city through what the country trades with the researching countries $j$, and through
# the city's part in that trade. First the R&D stock $K_{jt}$, by perpetual inventory from spending $E_{jt}$ with
# depreciation $\delta$; then each partner's contribution, with $IM$ imports and $EX$ exports; then the sums; then the
# city $c$, with its shares $w$ in national imports and exports:
#
# $$ K_{jt} = (1-\delta) K_{j,t-1} + E_{j,t-1}, $$
#
# $$
# S^{im}_t = \sum_j \frac{IM_{jt}}{GDP_{jt}} K_{jt}, \qquad S^{ex}_t = \sum_j \frac{EX_{jt}}{GDP_{jt}} K_{jt},
# $$
#
# $$ \text{spill}_{ct} = \ln\big( w^{im}_{ct} S^{im}_t + w^{ex}_{ct} S^{ex}_t \big). $$

# %% tags=["needs-partners"]
if "partners" in raw:
    from pilotzones.measures import spillovers

    stock = spillovers.rd_stock(raw["partners"], records.DEPRECIATION)
    partners = raw["partners"].merge(stock.reset_index(), on=["country", "year"])
    year = partners["year"].min()
    first = partners[partners["year"] == year].set_index("country").drop(columns="year")
    display(report.view(first.head(6), f"1. Partners and their R&D stock in {year}, million yuan ({behind})", digits=0))

# %% tags=["needs-partners"]
if "partners" in raw:
    by_partner = spillovers.by_partner(partners)
    table = by_partner.xs(year, level="year").nlargest(6, "spill_im")
    display(report.view(table, f"2. What comes through each partner in {year}, million yuan ({behind})", digits=0))

# %% tags=["needs-partners"]
if "partners" in raw:
    national = spillovers.national(by_partner)
    report.show(
        figures_measurement.pools(national, by_partner),
        name="fig-pools",
        alt="Left, lines of the national spillover pools through imports and exports by year; right, bars of the "
        "largest partners behind them in the last year.",
        caption=f"Step 3: national pools of foreign R&D by year, and the partners behind them ({behind}; countries are "
        "real, amounts made up).",
    )

# %% tags=["needs-partners"]
if "partners" in raw:
    shares = spillovers.shares(raw["city_trade"])
    spill = spillovers.spillover(shares, national)
    names = {**policy.cities().set_index("adcode")["city_en"], records.ELSEWHERE: "cities without listed firms"}
    steps = shares.join(spill).xs(year, level="year").nlargest(6, "import_share").rename(index=names)
    display(report.view(steps, f"4. City shares, and what each city gains in {year} ({behind})",
                        "spill_im, spill_ex: million yuan; spill: the log of their sum."))

# %% tags=["needs-partners"]
if "partners" in raw:
    found = {"spillover": (spill["spill"], records.INDICES["spillover"])}
    display(report.view(measured.against_panel(data, found), f"5. Measured against the panel's column ({behind})"))

# %% tags=["remove-input", "needs-partners"]
report.note(declared, "02_index_measurement", "spillover")

# %% [markdown] tags=["needs-employment"]
# ## Integration of manufacturing and services
#
# The share of producer services in a city's employment, with $L_{sct}$ the persons employed in sector $s$:
#
# $$ \text{conv}_{ct} = \frac{\sum_{s \in \text{producer services}} L_{sct}}{\sum_{s} L_{sct}}. $$

# %% tags=["needs-employment"]
if "employment" in raw:
    code, year = raw["employment"][["city", "year"]].min()
    name = policy.cities().set_index("adcode")["city_en"].get(code, code)
    jobs = raw["employment"].query("city == @code and year == @year").set_index("sector")[["persons"]]
    jobs["producer service"] = jobs.index.isin(records.SERVICES)
    display(report.view(jobs.sort_values("producer service", ascending=False, kind="stable"),
                        f"1. Employment by sector in {name}, {year} ({behind})"))

# %% tags=["needs-employment"]
if "employment" in raw:
    from pilotzones.measures.integration import integration

    conv = integration(raw["employment"], records.SERVICES, carry=records.CARRY)
    display(report.view(conv.loc[code], f"2. {name} by year, persons and share ({behind})",
                        "carried: the value of another year is taken over."))

# %% tags=["needs-employment"]
if "employment" in raw:
    report.show(
        figures_measurement.carried(conv),
        name="fig-integration",
        alt="Line of the mean share of producer services in employment by year, the last year an open mark at the "
        "height of the one before.",
        caption=f"Mean share of producer services over cities ({behind}). Open: taken over from another year.",
    )

# %% tags=["needs-employment"]
if "employment" in raw:
    found = {"integration": (conv["share"], records.INDICES["integration"])}
    display(report.view(measured.against_panel(data, found), f"3. Measured against the panel's column ({behind})",
                        "Persons are whole numbers, hence the small difference."))

# %% tags=["remove-input", "needs-employment"]
report.note(declared, "02_index_measurement", "integration")

# %% [markdown] tags=["needs-patents"]
# ## Count, logarithm, and zeros
#
# Counts are skewed, so regressions use a logarithm; counts can be zero, so they use $\ln(1 + n)$ or
# $\operatorname{arcsinh}(n)$, or drop the zeros. These are not three spellings of one thing. Measure $n$ in a unit
# $1/a$ times as large, so that it becomes $a n$. For large $a$ both transformations act like $\ln(a n)$ where $n > 0$
# and stay at zero where $n = 0$, so the coefficient moves with the effect on whether there is any patent at all:
#
# $$ \hat\beta(a) \approx \hat\beta(1) + \ln a \cdot \hat\beta_{1\{n > 0\}}. $$
#
# No unit is the right one, so the size of such a coefficient is no percentage (Chen and Roth 2024). The logarithm of
# positive counts is free of the unit, but compares different firms before and after.

# %% tags=["needs-patents"]
if "patents" in raw:
    counts = data[records.INDICES["count"]]
    table = measured.transformations(declared, data, counts, [1, 10, 100], p.vcov)
    display(report.view(table, f"The benchmark under each scale of the outcome ({p.source} data, errors: {p.vcov})",
                        "predicted: first unit plus ln(a) times the effect on having any patent."))

# %% tags=["needs-patents"]
if "patents" in raw:
    report.show(
        figures_measurement.by_unit(table, xlabel="unit a: the outcome is a transformation of a x patents"),
        name="fig-scales",
        alt="The benchmark estimate with 95% intervals against the unit in which patents are counted, one line per "
        "transformation; only the logarithm of positive counts is flat by construction.",
        caption=f"Benchmark estimate with 95% intervals by unit and transformation ({p.source} data, "
        f"errors: {p.vcov}).",
    )

# %% tags=["needs-patents"]
if "patents" in raw:
    parts = {
        "any patent (share of firms)": (counts > 0).astype(float),
        "ln(patents), firms with patents": patents.transform(counts, "log of positives"),
        "ln(1 + patents), the paper's": patents.transform(counts, "log1p"),
    }
    display(report.view(measured.effects(declared, data, parts, p.vcov),
                        f"The two margins behind ln(1 + patents) ({p.source} data, errors: {p.vcov})"))

# %% tags=["remove-input", "needs-patents"]
report.note(declared, "02_index_measurement", "transformation")

# %% [markdown]
# ## How to read it

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "reading")

# %% [markdown]
# ## What can go wrong

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "threats")

# %% [markdown] tags=["needs-patents"]
# **Is breadth a count in disguise?** If the effect on breadth is that on the number of patents, breadth says nothing
# about quality. The measures per patent tell the two apart.

# %% tags=["needs-patents"]
if "patents" in raw:
    groups, per_year = data[records.INDICES["breadth"]], data.set_index(["firm", "year"]).index
    parts = {
        "ln(1 + main groups), the paper's": patents.transform(groups, "log1p"),
        "ln(1 + patents)": patents.transform(counts, "log1p"),
        "main groups per patent, firms with patents": groups / counts.where(counts > 0),
        f"mean width, {p.firms} drawn firms": width.reindex(per_year).set_axis(data.index),
    }
    display(report.view(measured.effects(declared, data, parts, p.vcov),
                        f"Effect on breadth and on its parts ({p.source} data, errors: {p.vcov})"))

# %% [markdown] tags=["needs-partners"]
# **Is the spillover more than the city's share in trade?** The pools are the same for all cities, so time effects
# remove what they have in common; what is left of the index is the log of a weighted mean of the city's two shares. The
# effect on the index beside the effect on the plain mean of the shares, with no foreign R&D in it:

# %% tags=["needs-partners"]
if "partners" in raw:
    index, keys = data[records.INDICES["spillover"]], data.set_index(["city", "year"]).index
    share = np.log(shares.mean(axis=1)).reindex(keys).set_axis(data.index).where(index.notna())
    parts = {"spillover index": index, "ln(mean share in imports and exports)": share}
    display(report.view(measured.effects(declared, data, parts, p.vcov),
                        f"Effect on the spillover and on the trade share in it ({behind}, errors: {p.vcov})",
                        "Same rows in both."))

# %% [markdown] tags=["needs-employment"]
# **What does a year taken over from another do?** It adds rows that hold no news. The same regression with and without
# them:

# %% tags=["needs-employment"]
if "employment" in raw:
    values = data[records.INDICES["integration"]]
    without = values.where(~data["year"].isin(records.CARRY))
    parts = {"all years": values, f"without {', '.join(map(str, records.CARRY))}": without}
    display(report.view(measured.effects(declared, data, parts, p.vcov),
                        f"Effect on integration ({p.source} data, errors: {p.vcov})"))

# %% [markdown]
# ## Where paper and page differ
#
# The regressions of the paper that have one of these indices as their outcome, as printed and here:

# %% tags=["hide-input"]
if records is not None:
    used = measured.used_in(declared, data, [*records.OUTCOMES.values()], p.vcov)
    display(report.view(used, f"Effects on the measured indices, printed and on {p.source} data (errors: {p.vcov})"))

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "differences")

# %% [markdown]
# ## Try it
#
# - `-p firms 50`: fewer firms with records. Which numbers of this page change, and which cannot?
# - `-p vcov cluster_city`: an index of a city is the same for all its firms. What happens to its standard error?
# - `-p seed 7`: another panel and other records behind it. Does measuring still give the panel back?
