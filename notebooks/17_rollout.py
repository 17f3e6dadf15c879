# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The roll-out: which cities, when
#
# A map of the pilot zones, batch by batch. Everything on this page is real: names, dates and places come from
# `data/facts`, no number is simulated. Run it with other parameters from the project folder:
#
# ```bash
# papermill notebooks/17_rollout.ipynb out.ipynb -p partial False
# ```

# %% tags=["parameters"]
partial: bool = True  # whether a zone smaller than its prefecture counts for the whole prefecture

# %% tags=["hide-input"]
from pilotzones import parameters, policy, report
from pilotzones.report import rollout

p = parameters.check("17_rollout", globals())
batches = policy.batches(p.partial)
cities = policy.cities().set_index("adcode")[["city_zh", "city_en", "region4", "lon", "lat"]]
cities["batch"] = policy.first_batch(p.partial, through=8)

# %% [markdown]
# ## Question
#
# Where did the zones go first, and who is left as a control? Difference-in-differences compares a prefecture that has a
# zone with those that have none *at that time*. After each batch there are more of the first and fewer of the second.
#
# ## Result
#
# Press *Play*, or move the slider with the mouse or the arrow keys.

# %% tags=["hide-input"]
rollout.animation(
    cities,
    batches,
    alt=f"Map of the {len(cities)} prefectures of China as dots. Zones begin in Hangzhou, go to ports and provincial "
    "capitals, and then to most of the east and centre; the far west and north get theirs last or none.",
    caption="The prefectures of China at their seats of government. Large and red: first zone in this batch; blue: "
    "zone from an earlier batch; small and grey: none yet. Real dates and coordinates.",
)

# %% tags=["hide-input"]
report.show(
    rollout.small_multiples(cities, batches),
    name="fig-batches",
    alt="Eight maps of China's prefectures as dots, one for each batch: new zones as diamonds, those of earlier "
    "batches as dots. They spread from Hangzhou over the coast and the capitals to the centre and the west.",
    caption="One panel for each batch: prefectures with their first zone (diamonds), with one from an earlier "
    "batch (blue) and without (grey). Real dates and coordinates; batch 8 is dated by its publication.",
    data=cities,
)

# %% [markdown]
# **No borders are drawn.** In China a map that is made public needs an official review (地图审核), and free files of
# borders differ where borders are disputed. The dots show the shape of the country without them; the grid gives
# longitude and latitude.

# %%
shown = batches.assign(date=batches["date"].dt.strftime("%Y-%m-%d"))
report.view(
    shown,
    "Batches of pilot zones: date, zones, and prefectures that get their first one",
    "smaller: than a prefecture. medium: zones whose place in the list was recalled, not read (data/facts/README.md). "
    "New prefectures can be fewer than zones, where a prefecture has two, or more, where a zone covers several.",
)

# %%
by_region = cities.groupby(["batch", "region4"]).size().unstack(fill_value=0).rename(index={0: "none"})
report.view(by_region, "Prefectures by region and the batch of their first zone")

# %% tags=["remove-input"]
early = by_region.loc[[1, 2]].sum()
share = (1 - by_region.loc["none"] / by_region.sum()) * 100
print(f"Batches 1 and 2: {early['east']} of {early.sum()} prefectures lie in the east. After batch 8, "
      + ", ".join(f"{share[name]:.0f}% of the prefectures of the {name} have a zone"
                  for name in ("east", "northeast", "central", "west")) + ".")

# %% [markdown]
# ## How to read it
#
# - **The order is not random.** The first zones are large trading cities. Their *level* of trade and innovation differs
#   from that of the others, which fixed effects remove; that their *trend* does not is an assumption.
# - **Controls become treated.** A study that ends in 2020 uses the cities of batches 6 to 8 as controls; one that runs
#   to 2022 and leaves their zones out of its treatment keeps treated cities among the controls
#   ({doc}`which batches each paper counts <../policy_background>`).
# - **Neighbours.** From batch 4 on nearly every untreated city of the east has a zone next door. If zones draw trade
#   from neighbours, those are no clean controls.
#
# ## What can go wrong
#
# - **Coding by year.** Batch 4 dates from 15 December 2019, batch 7 from 14 November 2022: "from the approval year on"
#   counts a year of which two to seven weeks were treated.
# - **A dot is not an area.** It marks the seat of government, and a prefecture can be as large as a small country.
#
# ## Try it
#
# - `-p partial False`: which prefectures lose their zone when those smaller than a prefecture do not count?
