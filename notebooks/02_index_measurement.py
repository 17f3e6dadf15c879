# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Measurement: where the indices come from
#
# Before a regression there is a computation that turns many numbers into one. This page opens each index of the study,
# computes it step by step from what lies one level below it, and asks which of the choices inside it matter. Run it
# with other parameters from the project folder:
#
# ```bash
# papermill notebooks/02_index_measurement.ipynb out.ipynb -p study innovation -p seed 7
# ```

# %% tags=["parameters"]
study: str = "innovation"  # paper to replicate, e.g. innovation
source: str = "synthetic"  # synthetic, or licensed for your own exports in data/raw/<study>
seed: int = 2023  # seed of the synthetic panel, 0 or larger
vcov: str = "published"  # standard errors: published, iid, hetero, cluster_unit, cluster_city, cluster_province, dyadic
firms: int = 300  # number of firms whose patents are drawn, 1 or more; studies with patent records only
texts: str = "data/policy_texts"  # folder of policy texts, seen from the project folder; studies of policy tools only

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from IPython.display import display

from pilotzones import (
    describe,
    indices,
    ledger,
    measured,
    pairs,
    panel,
    parameters,
    paths,
    policy,
    replicate,
    report,
    studies,
)
from pilotzones.measures import composite
from pilotzones.report import figures_measurement, figures_pairs

p = parameters.check("02_index_measurement", globals())
declared = studies.load(p.study)
data = panel.load(declared, p.source, p.seed)
declared = replicate.estimable(declared, data)  # exports may be incomplete
records = measured.module(declared)
raw = measured.draw(declared, data, p.source, p.seed, p.firms)
behind = f"{p.source} records" + (f", seed {p.seed}" if p.source == "synthetic" else "")
digits = report.digits(declared)
report.banner(declared, p.source, p.seed, p.vcov)

# %% [markdown]
# ## Question
#
# An index is a function of other numbers: with $R_{it}$ the patents, trade flows, jobs or yearbook figures that belong
# to unit $i$ in year $t$,
#
# $$ y_{it} = f(R_{it}). $$
#
# Two questions. Does the published formula give the column that the regressions use? And would another defensible $f$
# lead to another conclusion?

# %% [markdown]
# ## What the paper did

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "specification", p.source)

# %% [markdown] tags=["needs-patents"]
# ### The records

# %% tags=["remove-input", "needs-patents"]
report.note(declared, "02_index_measurement", "records", p.source)

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

# %% tags=["needs-patents", "shows-units"]
if "patents" in raw:
    display(report.view(raw["patents"].head(5).astype(str).set_index("firm"), f"1. Patents as recorded ({behind})"))

# %% tags=["needs-patents", "shows-units"]
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
    measures = pd.DataFrame({"count": count, "breadth": breadth, "width": width})
    report.show(
        figures_measurement.breadth_and_width(measures),
        name="fig-breadth",
        alt="Two density plots of firm-years against the log number of patents: breadth rises with it almost one to "
        "one, mean width does not.",
        caption=f"Breadth (left) and mean width (right) of a firm's patents in a year against their number "
        f"({behind}, {drawn['firm'].nunique()} firms; firm-years with patents; darker: more of them).",
        data=measures,
    )

# %% tags=["remove-input", "needs-patents"]
report.note(declared, "02_index_measurement", "breadth", p.source)

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
    made_up = "; countries are real, amounts made up" if p.source == "synthetic" else ""
    report.show(
        figures_measurement.pools(national, by_partner),
        name="fig-pools",
        alt="Left, lines of the national spillover pools through imports and exports by year; right, bars of the "
        "largest partners behind them in the last year.",
        caption=f"Step 3: national pools of foreign R&D by year, and the partners behind them ({behind}{made_up}).",
        data={"all partners": national, "by partner": by_partner},
    )

# %% tags=["needs-partners"]
if "partners" in raw:
    shares = spillovers.shares(raw["city_trade"])
    spill = spillovers.spillover(shares, national)

# %% tags=["needs-partners", "shows-units"]
if "partners" in raw:
    names = {**policy.cities().set_index("adcode")["city_en"], records.ELSEWHERE: "cities without listed firms"}
    steps = shares.join(spill).xs(year, level="year").nlargest(6, "import_share").rename(index=names)
    display(report.view(steps, f"4. City shares, and what each city gains in {year} ({behind})",
                        "spill_im, spill_ex: million yuan; spill: the log of their sum."))

# %% tags=["needs-partners"]
if "partners" in raw:
    found = {"spillover": (spill["spill"], records.INDICES["spillover"])}
    display(report.view(measured.against_panel(data, found), f"5. Measured against the panel's column ({behind})"))

# %% tags=["remove-input", "needs-partners"]
report.note(declared, "02_index_measurement", "spillover", p.source)

# %% [markdown] tags=["needs-employment"]
# ## Integration of manufacturing and services
#
# The share of producer services in a city's employment, with $L_{sct}$ the persons employed in sector $s$:
#
# $$ \text{conv}_{ct} = \frac{\sum_{s \in \text{producer services}} L_{sct}}{\sum_{s} L_{sct}}. $$

# %% tags=["needs-employment", "shows-units"]
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

# %% tags=["needs-employment", "shows-units"]
if "employment" in raw:
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
        data=conv,
    )

# %% tags=["needs-employment"]
if "employment" in raw:
    found = {"integration": (conv["share"], records.INDICES["integration"])}
    display(report.view(measured.against_panel(data, found), f"3. Measured against the panel's column ({behind})",
                        "Persons are whole numbers, hence the small difference."))

# %% tags=["remove-input", "needs-employment"]
report.note(declared, "02_index_measurement", "integration", p.source)

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
        data=table,
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
report.note(declared, "02_index_measurement", "transformation", p.source)

# %% [markdown] tags=["needs-customs"]
# ## The quality of exports
#
# A customs record has firm $f$, product $k$, destination $j$, year $t$, quantity $q$ and unit value $p$. Of two firms
# that ask the same price in the same market, the one that sells more is said to offer the better product (Khandelwal,
# Schott and Wei 2013). With $\sigma_k$ the elasticity of substitution of product $k$,
#
# $$ \ln q_{fkjt} + \sigma_k \ln p_{fkjt} = \delta_k + \delta_{jt} + \varepsilon_{fkjt}, $$
#
# $$ \hat\lambda_{fkjt} = \frac{\hat\varepsilon_{fkjt}}{\sigma_k - 1}, \qquad
#    SEX_{fkjt} = \frac{\hat\lambda_{fkjt} - \min \hat\lambda}{\max \hat\lambda - \min \hat\lambda}. $$

# %% tags=["remove-input", "needs-customs"]
report.note(declared, "02_index_measurement", "customs", p.source)

# %% tags=["needs-customs"]
if "customs" in raw:
    from pilotzones import exports
    from pilotzones.measures import export_quality, sophistication

    customs, sigma = raw["customs"], raw["products"].set_index("product")["sigma"]
    shown = ["firm", "product", "destination", "year", "quantity", "price"]

# %% tags=["needs-customs", "shows-units"]
if "customs" in raw:
    some = customs[shown].head(5).round({"quantity": 0, "price": 2}).astype(str).set_index("firm")
    display(report.view(some, f"1. Customs records ({behind})",
                        f"{len(customs):,} records, {customs['firm'].isin(data['firm']).mean():.0%} of them of listed "
                        "firms; price: yuan per unit."))

# %% tags=["needs-customs"]
if "customs" in raw:
    usable, dropped = export_quality.clean(customs, sigma)
    demand = export_quality.demand_residual(usable, sigma)
    alone = pd.Series({"alone in its product or its destination and year": demand["residual"].isna().sum()})
    display(report.view(pd.concat([dropped, alone]).to_frame("records"),
                        f"2. Records that cannot be used, by the first reason ({behind})", f"Of {len(customs):,}."))

# %% tags=["needs-customs", "shows-units"]
if "customs" in raw:
    steps = usable[shown].join(demand).head(5)
    steps["sigma"] = steps["product"].map(sigma)
    steps["SEX"] = export_quality.measure(customs, sigma)["standard"]
    keys = dict.fromkeys(["firm", "product", "destination", "year"], str)
    display(report.view(steps.astype(keys).set_index("firm").drop(columns="quantity"),
                        f"3. The residual of demand, log quality, and quality between 0 and 1 ({behind})"))

# %% tags=["needs-customs"]
if "customs" in raw:
    values = export_quality.measure(customs, sigma)["standard"]
    found = {f"by {weights}": (export_quality.firm_quality(values, usable, weights),
                               records.INDICES[f"quality, by {weights}"]) for weights in export_quality.WEIGHTS}
    display(report.view(measured.against_panel(data, found),
                        f"4. Means of a firm's records against the panel ({behind})",
                        "by value: records weighted by their value; by records: all alike."))

# %% tags=["remove-input", "needs-customs"]
report.note(declared, "02_index_measurement", "quality", p.source)

# %% [markdown] tags=["needs-customs", "needs-truth"]
# ### Is the truth recovered?
#
# In synthetic records the quality of every record is known. What the effects of products and of destinations and years
# take away cannot come back: the mean quality of a product, and what all exporters to a market have in common.

# %% tags=["needs-customs", "needs-truth"]
if "customs" in raw and p.source == "synthetic":
    display(report.view(export_quality.recovery(demand["quality"], usable["quality_true"], usable),
                        f"Recovered against true log quality ({behind})"))

# %% tags=["needs-customs", "needs-truth"]
if "customs" in raw and p.source == "synthetic":
    report.show(
        figures_measurement.recovered(data["SEX"], data["SEX_true"]),
        name="fig-recovered",
        alt="Density plot of measured against true quality of firm-years: a cloud along the diagonal.",
        caption=f"Measured and true export quality of firm-years ({behind}; darker: more of them).",
        data=data[["SEX", "SEX_true"]],
    )

# %% [markdown] tags=["needs-customs"]
# **Which choice matters?** The same records under choices that the paper leaves open (weights, scale, extremes, whose
# demand) and under elasticities that are wrong. A wrong $\sigma_k$ leaves
# $(\sigma_{\text{used}} - \sigma_k) \ln p$ in the residual: quality then is part price.

# %% tags=["needs-customs"]
if "customs" in raw:
    variants = exports.readings(customs, sigma, data)
    display(report.view(exports.compare(declared, data, variants, data.get("SEX_true"), p.vcov),
                        f"Firm quality and the benchmark under other readings ({behind}, errors: {p.vcov})",
                        "truth, where it is known: correlation with it; rise: of the mean from the first year to the "
                        "last, in sd; (1): firm effects; (2): firm and year effects."))

# %% tags=["remove-input", "needs-customs"]
report.note(declared, "02_index_measurement", "recovery", p.source)

# %% [markdown] tags=["needs-customs"]
# ## Sophistication
#
# A product is called sophisticated if rich places export it (Hausmann, Hwang and Rodrik 2007). With $t_{ik}$ the
# exports of product $k$ by province $i$, $T_i$ all its exports and $ec_i$ its GDP per head,
#
# $$ pro_k = \sum_i \frac{t_{ik}/T_i}{\sum_i t_{ik}/T_i}\, ec_i, \qquad soph_f = \sum_k \frac{x_{fk}}{X_f}\, pro_k. $$

# %% tags=["needs-customs"]
if "customs" in raw:
    trade = usable.assign(value=usable["quantity"] * usable["price"])
    trade = trade.groupby(["firm", "province", "product", "year"], as_index=False)["value"].sum()
    income = raw["income"].set_index(["province", "year"])["income"]
    of_places = trade.groupby(["province", "product", "year"], as_index=False)["value"].sum()
    of_products = sophistication.product_sophistication(of_places, income)
    last = of_products.xs(trade["year"].max(), level="year").sort_values(ascending=False)
    ends = pd.concat([last.head(3), last.tail(3)]).to_frame("yuan of 2011")
    display(report.view(ends, f"1. Most and least sophisticated products, {trade['year'].max()} ({behind})", digits=0))

# %% tags=["needs-customs"]
if "customs" in raw:
    of_firms = np.log(sophistication.export_sophistication(trade, of_products))
    found = {"sophistication": (of_firms, records.INDICES["sophistication"])}
    display(report.view(measured.against_panel(data, found),
                        f"2. Means over a firm's exports against the panel ({behind})"))

# %% tags=["remove-input", "needs-customs"]
report.note(declared, "02_index_measurement", "sophistication", p.source)

# %% [markdown] tags=["needs-indices"]
# ## A composite index, step by step
#
# Indicators in different units become one number in four steps. Indicator $j$ of row $i$ (a city in a year; $n$ rows):
#
# $$
# x'_{ij} = \frac{x_{ij} - \min_j}{\max_j - \min_j} \text{ if more is better}, \qquad
# x'_{ij} = \frac{\max_j - x_{ij}}{\max_j - \min_j} \text{ if less is better}.
# $$

# %% tags=["remove-input", "needs-indices"]
report.note(declared, "02_index_measurement", "indices", p.source)

# %% tags=["needs-indices"]
if "indices" in declared.features:
    index = declared.indices[0]
    cities = pairs.holder(declared, data, p.source, p.seed)
    places = describe.plural(describe.place(cities))
    # the last year without any zone, or the last of all
    year = int(cities["cohort"].min()) - 1 if "rollout" in declared.features else int(cities["year"].max())
    some = indices.examples(index, cities, year)
    names = measured.place_names(cities.loc[some])
    units = {v.name: v.unit for v in declared.variables}
    scaled = indices.standardised(index, cities)

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    raw_values = cities.loc[some, [*index.indicators]].T.set_axis(names, axis=1)
    labels = {v.name: f"{v.label} ({v.unit})" for v in declared.variables}
    raw_values.index = [labels.get(v, index.indicators[v]) for v in raw_values.index]
    display(report.view(raw_values,
                        f"1. Raw indicators of five {places}, from the highest {index.name} to the lowest, {year} "
                        f"({p.source} data)", digits=0))

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    display(report.view(scaled.loc[some].T.set_axis(names, axis=1),
                        f"2. The same from 0, the worst of all {places} and years, to 1, the best ({p.source} data)",
                        f"Less is better for: {', '.join(index.negative) or 'none'}."))

# %% [markdown] tags=["needs-indices"]
# Each row's proportion of an indicator, the indicator's entropy, and its weight:
#
# $$
# p_{ij} = \frac{x'_{ij}}{\sum_i x'_{ij}}, \qquad e_j = -\frac{1}{\ln n} \sum_i p_{ij} \ln p_{ij}, \qquad
# w_j = \frac{1 - e_j}{\sum_k (1 - e_k)}.
# $$
#
# If all rows have the same, $e_j = 1$ and the weight is 0; if one row has everything, $e_j = 0$. An entropy weight says
# how *unequally* an indicator is spread (it is Theil's inequality index divided by $\ln n$), not how important it is.

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    proportions = scaled / scaled.sum() * 10_000
    display(report.view(proportions.loc[some].T.set_axis(names, axis=1),
                        f"3. Proportions of the sum over all {places} and years, per 10,000 ({p.source} data)"))

# %% tags=["needs-indices"]
if "indices" in declared.features:
    weights = measured.weight_table(declared, index, cities, p.source)
    beside, words = "; the paper prints no weights", ""
    if "printed" in weights:
        apart = weights["difference"].abs()
        beside = ", beside the printed weights"
        words = f"Greatest difference {apart.max():.4f} ({apart.idxmax()})."
    if "MC low" in weights:
        words += " MC: 95% of fresh samples."
    display(report.view(weights, f"4. Entropy, divergence and weight{beside} ({p.source} data)", words, digits=4))

# %% tags=["needs-indices"]
if "indices" in declared.features:
    report.show(
        figures_measurement.weights_plot(weights),
        name="fig-weights",
        alt="Dot plot of the weights by indicator, largest on top, computed and where there are any as printed.",
        caption=f"Entropy weights of {index.name}, computed on {p.source} data{beside}; bars, where a synthetic panel "
        "is calibrated to them: 95% of the weights in fresh samples. Sign: whether more is better.",
        data=weights,
    )

# %% tags=["remove-input", "needs-indices"]
report.note(declared, "02_index_measurement", "weights", p.source)

# %% [markdown] tags=["needs-indices"]
# The weighted indicators $w_j x'_{ij}$ are then brought together: summed up, or by their distance to the best and the
# worst point $z^+_j = \max_i w_j x'_{ij}$, $z^-_j = \min_i w_j x'_{ij}$ (TOPSIS):
#
# $$
# D^{\pm}_i = \sqrt{\textstyle\sum_j (w_j x'_{ij} - z^{\pm}_j)^2}, \qquad C_i = \frac{D^-_i}{D^+_i + D^-_i}.
# $$

# %% tags=["needs-indices"]
if "indices" in declared.features:
    weighted = scaled * weights["weight"]
    built = indices.aggregate(index, scaled, weights["weight"])

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    table = weighted.loc[some].T.set_axis(names, axis=1)
    ideal = {"best (z+)": weighted.max(), "worst (z-)": weighted.min()} if index.closeness else {}
    display(report.view(table.assign(**ideal),
                        f"5. Weighted indicators{' and the two ideal points' if ideal else ''} ({p.source} data)",
                        digits=4))

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    steps, how = built.loc[some].to_frame("sum"), "The sum of the weighted indicators"
    if index.closeness:
        steps = composite.topsis(scaled, weights["weight"]).loc[some]
        how = "Distances to the ideal points, and the closeness"
    steps = steps.assign(**{f"{index.name} in the panel": cities.loc[some, index.name]}).set_axis(names, axis=0)
    worst = (built - cities[index.name]).abs().max()
    display(report.view(steps.rename(columns={"to_best": "D+", "to_worst": "D-"}), f"6. {how} ({p.source} data)",
                        f"Greatest difference from the panel's {index.name}, all rows: {worst:.1e}.", digits=4))

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    place = describe.place(cities)
    some_cities = dict(zip(cities.loc[some, place], [name.rpartition(" ")[0] for name in names], strict=True))
    by_year = cities[cities[place].isin(some_cities)].pivot(index=place, columns="year", values=index.name)
    display(report.view(by_year.loc[[*some_cities]].rename(some_cities).rename_axis(None),
                        f"7. {index.name} of the five {places} by year ({p.source} data)"))

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    report.show(
        figures_measurement.paths(cities[index.name], cities, some_cities,
                                  f"{index.name} ({units.get(index.name, 'index, 0 to 1')})"),
        name="fig-paths",
        alt=f"Left, lines of the index by year for five {places}; right, its mean by year over all of them, or over "
        "those that are ever treated and those that never are.",
        caption=f"{index.name} by year: five {places} (left) and means over {places} (right; {p.source} data).",
        data=cities.filter([place, "year", "cohort", index.name]),
    )

# %% [markdown] tags=["needs-intensity"]
# ## Which index?
#
# "Measured in two layers" can be read in two ways: all indicators in one index, as above, or an index of each layer
# first, and then an index of the two. And as always, weights and yardsticks could have been others. Estimates are in
# standard deviations of each index, so that they compare.

# %% tags=["needs-intensity"]
if "intensity" in declared.features:
    layers = {"two layers, one after the other": indices.nested(index, declared.indices[1:], cities)}
    variants = indices.weightings(index, cities) | layers
    display(report.view(measured.compare_treatments(declared, index, data, variants, p.vcov),
                        f"Columns (1) and (2) with other readings of {index.name} ({p.source} data, errors: {p.vcov})",
                        "(1): firm effects; (2): firm and year effects. The first row is the panel's index."))

# %% tags=["remove-input", "needs-intensity"]
report.note(declared, "02_index_measurement", "layers", p.source)

# %% [markdown] tags=["needs-outcome_index"]
# ## Which weights?
#
# Every step above could have been taken otherwise. For each alternative: do cities keep their rank (Spearman), and what
# becomes of the benchmark estimate? Estimates are in standard deviations of each index, since their units differ.

# %% tags=["needs-outcome_index"]
if "outcome_index" in declared.features:
    found = measured.compare_indices(declared, index, data, indices.weightings(index, data), p.vcov)
    display(report.view(found, f"The benchmark under other weights and other sums ({p.source} data, errors: {p.vcov})"))

# %% tags=["needs-outcome_index"]
if "outcome_index" in declared.features:
    report.show(
        report.figures.interval_plot(found, xlabel="effect (standard deviations of each index)"),
        name="fig-weightings",
        alt="The benchmark estimate in standard deviations with 95% intervals under five ways to build the index.",
        caption=f"Benchmark estimate with 95% intervals, in standard deviations of each index ({p.source} data, "
        f"errors: {p.vcov}).",
        data=found,
    )

# %% [markdown] tags=["needs-outcome_index"]
# **One yardstick for all years, or one for each?** Weights by year make the index of a city move when a weight does.
# **A small number added?** Some papers add it because $\ln 0$ does not exist. It is not needed, for $p \ln p$ goes to
# 0, and it is not harmless: it makes the smallest values more equal, and more so in indicators with many small values.

# %% tags=["needs-outcome_index"]
if "outcome_index" in declared.features:
    pooled = measured.compare_indices(declared, index, data, indices.pooling(index, data), p.vcov)
    display(report.view(pooled, f"Pooled and by-year yardsticks ({p.source} data, errors: {p.vcov})"))
    shifted = indices.shifted(index, data, (0, 0.0001, 0.001, 0.01, 0.1))
    variants = {f"x' + {shift:g}": indices.aggregate(index, scaled, weight) for shift, weight in shifted.items()}
    shifts = measured.compare_indices(declared, index, data, variants, p.vcov)
    shifts["largest weight"] = [weight.max() for weight in shifted.values()]
    display(report.view(shifts, f"A small number added before the entropy ({p.source} data, errors: {p.vcov})"))

# %% [markdown] tags=["needs-outcome_index"]
# ### Does one indicator carry the result?

# %% tags=["needs-outcome_index"]
if "outcome_index" in declared.features:
    without = measured.compare_indices(declared, index, data, dict(indices.without_each(index, data)), p.vcov)
    full = found["estimate"].iloc[0]
    report.show(
        report.figures.interval_plot(without, xlabel="effect (standard deviations of each index)",
                                     marks={"all indicators": full}),
        name="fig-left-out",
        alt="The benchmark estimate in standard deviations with 95% intervals, each time with another indicator left "
        "out, and a line at the estimate with all indicators.",
        caption=f"Benchmark estimate with 95% intervals when {index.name} is built without the indicator named at the "
        f"left ({p.source} data, errors: {p.vcov}).",
        data={"one left out": without, "all indicators": found.iloc[:1]},
    )

# %% tags=["remove-input", "needs-outcome_index"]
report.note(declared, "02_index_measurement", "weighting", p.source)

# %% [markdown] tags=["needs-exchanged_weights"]
# ### The printed weights, as they stand and with two of them exchanged
#
# Where two printed weights contradict what their indicators must look like, the book takes them as exchanged. Here is
# what hangs on it: the same indicators, weighted as printed, with the two exchanged, and as computed.

# %% tags=["needs-exchanged_weights"]
if "exchanged_weights" in declared.features:
    variants = {
        "as printed": indices.aggregate(index, scaled, indices.printed(declared, index)),
        "two weights exchanged": indices.aggregate(index, scaled, indices.printed(declared, index, exchange=True)),
        "computed": built,
    }
    display(report.view(measured.compare_indices(declared, index, data, variants, p.vcov),
                        f"The index and the benchmark with the printed weights ({p.source} data, errors: {p.vcov})"))

# %% tags=["needs-exchanged_weights"]
if "exchanged_weights" in declared.features:
    display(report.view(weights.loc[apart.nlargest(4).index, ["indicator", "sign", "weight", "printed", "difference"]],
                        f"The four weights furthest from the printed ones ({p.source} data)", digits=4))

# %% [markdown] tags=["needs-pairs"]
# ## From two cities to one number
#
# From here on it no longer matters how high the index of a city is, only *when* it is high: the index of both cities,
# each standardised by its own mean and standard deviation over all years, gives their synchronisation $\rho$, and the
# transform $\rho'$ is the outcome.

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    by_city = pairs.series(cities, cities[index.name])

# %% [markdown] tags=["needs-pairs", "shows-units"]
# One pair, step by step:

# %% tags=["needs-pairs", "shows-units"]
if "pairs" in declared.features:
    chosen = pairs.examples(data)
    display(report.view(pairs.example(data, by_city, chosen[0]),
                        f"The pair with the strongest tie of all without a zone ({p.source} data)"))

# %% tags=["needs-pairs", "shows-units"]
if "pairs" in declared.features:
    drawn = pairs.paths(data, by_city, chosen)
    report.show(
        figures_pairs.by_year(drawn),
        name="fig-pairs",
        alt="Left, the standardised index of two cities by year: two rising lines that cross. Right, synchronisation "
        "by year of four pairs, near its upper bound of 1 with single years below.",
        caption="Two standardised series (left), and the synchronisation of four pairs: the strongest tie without a "
        "zone, with one and with two, and the weakest retained one. The upper bound is dotted, the lower one far off "
        f"the axis ({p.source} data).",
        data=drawn,
    )

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    density = pairs.density(declared, data)
    report.show(
        figures_pairs.outcome(declared, density, data["year"].nunique()),
        name="fig-outcome",
        alt="Two histograms of the outcome with long right tails, one for rows without and one for rows with a zone in "
        "force; a second axis shows the index before the transform.",
        caption=f"Distribution of {declared.outcome} in the rows of the benchmark ({p.source} data). Rows with a zone "
        "in force are from later years and other cities: the distance of the two histograms is no effect.",
        data=density,
    )

# %% tags=["remove-input", "needs-pairs"]
report.note(declared, "02_index_measurement", "synchronisation", p.source)

# %% [markdown] tags=["needs-pairs"]
# ## Trend or cycle?
#
# The same synchronisation and the same regression, once in levels and once for what four filters leave of each city's
# series. Years that a filter loses are lost for all pairs.

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    filtered = pairs.effects(declared, data, pairs.cycles(by_city), p.vcov)
    display(report.view(filtered, f"The benchmark in levels and in cycles ({p.source} data, errors: {p.vcov})",
                        "mean correlation: of the series of two cities, the mean of rho over pairs and years. The mean "
                        "of rho' has no such reading: it is above 0 for series that have nothing in common."))

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    report.show(
        report.figures.interval_plot(filtered, xlabel=declared.effect_label),
        name="fig-cycles",
        alt="The benchmark estimate with 95% intervals in levels and under four filters.",
        caption=f"Benchmark estimate with 95% intervals when the trend is removed from the index of each city before "
        f"synchronisation is measured ({p.source} data, errors: {p.vcov}).",
        data=filtered,
    )

# %% tags=["remove-input", "needs-pairs"]
report.note(declared, "02_index_measurement", "cycle", p.source)

# %% [markdown] tags=["needs-pairs"]
# ## Which weights?
#
# Every step to the index could have been taken otherwise, and the paper prints none of its weights. The outcome has no
# unit, so estimates compare.

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    variants = indices.weightings(index, cities) | indices.pooling(index, cities)
    variants = {label: pairs.series(cities, values) for label, values in variants.items() if label != "pooled"}
    display(report.view(pairs.effects(declared, data, variants, p.vcov),
                        f"The benchmark under other weights and other sums ({p.source} data, errors: {p.vcov})"))

# %% tags=["needs-pairs"]
if "pairs" in declared.features:
    fewer = {name: pairs.series(cities, values) for name, values in indices.without_each(index, cities).items()}
    left_out = pairs.effects(declared, data, {"none": by_city, **fewer}, p.vcov)
    report.show(
        report.figures.interval_plot(left_out.rename_axis("left out"), xlabel=declared.effect_label),
        name="fig-without",
        alt="The benchmark estimate with 95% intervals, each time with another indicator left out of the index.",
        caption=f"Benchmark estimate with 95% intervals when {index.name} is built without the indicator named at the "
        f"left ({p.source} data, errors: {p.vcov}).",
        data=left_out,
    )

# %% [markdown] tags=["needs-indices", "shows-units"]
# ### How much hangs on one extreme row?
#
# A single outlier stretches the scale, all other rows look alike on it, and the weight of the indicator rises.

# %% tags=["needs-indices", "shows-units"]
if "indices" in declared.features:
    display(report.view(measured.extremes(index, cities), f"The most extreme row of each indicator ({p.source} data)",
                        "beyond: distance from the 99.9% (or 0.1%) quantile, share of the range; share of divergence: "
                        "of the indicator's, that goes with the row.", digits=4))

# %% tags=["remove-input", "needs-indices", "shows-units"]
report.note(declared, "02_index_measurement", "outliers", p.source)

# %% [markdown] tags=["needs-tools"]
# ## From policy texts to indices of tools
#
# A document is cut into sentences, each sentence into words; a dictionary says which words show which tool; sentences
# per tool, city and year are counted, and the counts become three indices as the indicators above became one.

# %% tags=["needs-tools"]
if "tools" in declared.features:
    from pilotzones.measures import policy_text

    folder = paths.ROOT / p.texts
    own = folder / "dictionary.csv"
    dictionary = policy_text.read_dictionary(own if own.exists() else paths.POLICY_TEXTS / "dictionary.csv")
    sentences = policy_text.sentences(policy_text.read_documents(folder))
    coded = policy_text.code(sentences, dictionary)
    first = sentences[sentences["sentence"].str.partition(":")[0] == sentences["sentence"].iloc[0].partition(":")[0]]
    words = policy_text.segment(first["text"], dictionary["keyword"]).str.join(" / ")
    used = coded.droplevel(["city", "year"]).loc[first["sentence"]]
    tools = [", ".join(used.columns.get_level_values("tool")[row]) for row in used.to_numpy()]
    display(report.view(pd.DataFrame({"words": words.to_numpy(), "tools": tools}, first["sentence"].to_numpy()).head(8),
                        f"1. to 3. The first document of {p.texts}: sentences, their words, and the tools they use",
                        "Written for this book, no policy document." if folder == paths.POLICY_TEXTS else ""))

# %% tags=["needs-tools"]
if "tools" in declared.features:
    counts = policy_text.counts(coded)
    summary = pd.DataFrame({"tool": dictionary.drop_duplicates("tool").set_index("tool")["tool_zh"].reindex(
                                counts.columns.get_level_values("tool")).to_numpy(),
                            "sentences": counts.sum().to_numpy(), "city-years": (counts > 0).sum().to_numpy(),
                            "weight in the group": policy_text.weights(counts).to_numpy()},
                           [f"{group}: {tool}" for group, tool in counts.columns])
    display(report.view(summary, f"4. and 5. Counts over {len(counts)} city-years with a document, entropy weights"))

# %% tags=["needs-tools"]
if "tools" in declared.features:
    tool_indices = policy_text.indices(counts)
    tool_indices.index = measured.place_names(tool_indices)
    display(report.view(tool_indices.drop(columns=["city", "year"]).head(10),
                        "6. The three indices, first ten city-years with a document"))

# %% tags=["needs-tools"]
if "tools" in declared.features and (folder / "coding_sheet.csv").exists():
    hand = policy_text.read_coding_sheet(folder / "coding_sheet.csv", sentences, dictionary)
    agreed = policy_text.agreement(coded, hand)
    agreed.index = [f"{group}: {tool}" for group, tool in agreed.index]
    display(report.view(agreed, "Agreement of the dictionary with a second coding, sentence by sentence"))

# %% tags=["remove-input", "needs-tools"]
report.note(declared, "02_index_measurement", "policy_text", p.source)

# %% [markdown]
# ## How to read it

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "reading", p.source)

# %% [markdown]
# ## What can go wrong

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "threats", p.source)

# %% [markdown] tags=["needs-outcome_index"]
# **Does the reform move the controls?** Minimum, maximum, weights and ideal points are taken from all rows. When the
# reform raises a maximum, the index of a city without any zone falls: its value depends on the treatment of others,
# which the design rules out (stable unit treatment values, SUTVA). With the yardstick fixed at the rows without a zone
# in force this cannot happen.

# %% tags=["needs-outcome_index"]
if "outcome_index" in declared.features:
    display(report.view(measured.yardstick(declared, index, data, p.vcov),
                        f"{index.name} with its own yardstick and with one that the reform cannot move "
                        f"({p.source} data, errors: {p.vcov})", digits=digits))

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
        f"mean width, {drawn['firm'].nunique()} firms with records": width.reindex(per_year).set_axis(data.index),
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

# %% [markdown] tags=["needs-records"]
# The regressions of the paper that have one of these indices as their outcome, as printed and here:

# %% tags=["hide-input", "needs-records"]
if records is not None:
    used = measured.used_in(declared, data, [*records.OUTCOMES.values()], p.vcov)
    display(report.view(used, f"Effects on the measured indices, printed and on {p.source} data (errors: {p.vcov})"))

# %% tags=["hide-input", "needs-indices"]
if "indices" in declared.features:
    rows = ledger.build(declared, data, p.source, p.seed, p.vcov, section="02_index_measurement")
    display(report.ledger_table(rows, f"Ledger rows of this page ({p.source} data)"))

# %% tags=["remove-input"]
report.note(declared, "02_index_measurement", "differences", p.source)

# %% [markdown]
# ## Try it
#
# - `-p vcov iid` and `-p vcov cluster_unit`: which of the conclusions about indices depend on the errors?

# %% [markdown] tags=["needs-truth"]
# - `-p seed 7`: another panel, and other numbers below it. Does measuring still give the panel back?

# %% [markdown] tags=["needs-patents", "needs-truth"]
# - `-p firms 50`: fewer firms with records. Which numbers of this page change, and which cannot?

# %% [markdown] tags=["needs-patents"]
# - `-p vcov cluster_city`: an index of a city is the same for all its firms. What happens to its standard error?

# %% [markdown] tags=["needs-tools"]
# - `-p texts path/to/folder`: your own documents, one text file for each, named like `330100_2015.txt`. Which tools
#   does the dictionary miss in them?
