"""Effects beyond the treated city: distance bands, spatially correlated errors, and the bias of ignored spillovers."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from pilotzones import policy, replicate
from pilotzones.declare import Study
from pilotzones.estimators.inference import wald
from pilotzones.estimators.regression import Regression
from pilotzones.estimators.spatial import conley


def bands(fit: Regression) -> pd.DataFrame:
    """Return the coefficients of the distance bands ``zone_<km>``, indexed by the band's outer end in km."""
    rows = fit.coefficients[[str(term).startswith("zone_") for term in fit.coefficients.index]]
    return rows.set_axis([int(str(term).removeprefix("zone_")) for term in rows.index], axis=0)


def joint_tests(study: Study, fit: Regression) -> pd.DataFrame:
    """Test that all bands are zero together, under each kind of standard error (rows)."""
    terms = [term for term in fit.coefficients.index if str(term).startswith("zone_")]
    names = replicate.error_names(study)
    tests = {name: wald(fit.under(replicate.errors(study, name)), terms) for name in names}
    return pd.DataFrame(tests).T.astype({"df1": int, "df2": int})


def with_places(panel: pd.DataFrame) -> pd.DataFrame:
    """Add latitude and longitude of the row's city, in degrees."""
    places = policy.cities().set_index("adcode")[["lat", "lon"]]
    return panel.join(places, on="city")


def conley_errors(study: Study, panel: pd.DataFrame, cutoffs: tuple[int, ...] = (100, 200, 300, 500)) -> pd.DataFrame:
    """Return the benchmark estimate under Conley errors at several cut-offs (Bartlett kernel), beside clustered ones.

    Returns
    -------
    One row per kind of error: ``estimate``, ``se``, ``t``, ``p``, ``low``, ``high``. Spatial correlation counts within
    a year; correlation within a unit over up to three years is added as in Newey and West (1987).
    """
    fit = replicate.benchmark(study, with_places(panel), "iid")
    rows = {"iid": fit.coefficients.loc[study.treatment]}
    for name in [name for name in replicate.error_names(study) if name in study.clusters]:
        rows[name] = fit.under(replicate.errors(study, name)).coefficients.loc[study.treatment]
    for cutoff in cutoffs:
        spatial = conley(
            fit, lat="lat", lon="lon", cutoff_km=cutoff, kernel="bartlett", time=study.time, unit=study.unit, lags=3,
            terms=[study.treatment],
        )  # fmt: skip
        rows[f"Conley, {cutoff} km"] = spatial.coefficients.loc[study.treatment]
    return pd.DataFrame(rows).T


def spillover_bias(study: Study, panel: pd.DataFrame, sizes: tuple[float, ...], radius: int) -> pd.DataFrame:
    """Switch on a spillover of known size and see what the benchmark makes of it.

    The outcome of rows without a zone of their own gains ``size`` when a zone is in force within ``radius`` km. The
    benchmark compares treated rows with these neighbours and takes their gain for a smaller effect; a dummy for the
    neighbours gives it back.

    Returns
    -------
    One row per size, in outcome units: the benchmark coefficient, the one beside the neighbours' dummy, the dummy's own
    coefficient, and the share of untreated rows that are neighbours.
    """
    near = [name for name in panel if name.startswith("zone_") and int(name.removeprefix("zone_")) <= radius]
    untreated = panel[study.treatment] == 0
    neighbour = ((panel[near].max(axis=1) == 1) & untreated).astype(int)
    table, column = study.benchmark
    declared = study.table(table).column(column)
    with_dummy = replace(declared, formula=declared.formula.replace("~ ", "~ neighbour + ", 1))
    rows = {}
    for size in sizes:
        changed = panel.assign(neighbour=neighbour, **{study.outcome: panel[study.outcome] + size * neighbour})
        full = replicate.column(study, with_dummy, changed, "iid").coefficients["estimate"]
        rows[f"{size:.3f}"] = {
            "benchmark": replicate.benchmark(study, changed, "iid").coefficients.at[study.treatment, "estimate"],
            "with a dummy for neighbours": full[study.treatment],
            "the dummy": full["neighbour"],
            "share of untreated rows": neighbour[untreated].mean(),
        }
    return pd.DataFrame(rows).T.rename_axis("size of the spillover")
