"""The roll-out of the pilot zones: which city, from which year, under which coding rule.

The unit is the prefecture, by its six-digit code. Zones come in batches; all zones of a batch have one date. Some
zones are smaller than their prefecture (Yiwu in Jinhua): the *exact* rule ignores them, the *partial* rule counts the
prefecture as treated. No share of the prefecture is attached to them, because the facts hold none.

Treatment is absorbing. The reply that set up batch 8 revoked three zones (Haikou, Sanya, Alashankou), but only by
merging each into a larger zone of the same batch, so no city loses its treatment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from pilotzones import paths
from pilotzones.errors import DataError, ParameterError
from pilotzones.io import read_csv, require_columns

BATCHES = (1, 2, 3, 4, 5, 6, 7, 8)

# how a unit named in a policy document maps to prefectures
MAPPINGS = {
    "exact": "the document names the prefecture",
    "province_wide": "the document names the province: all its prefectures",
    "cross_regional": "the document names a region (Beijing-Tianjin-Hebei, Pearl River Delta): all its prefectures",
    "city_group": "the document names a group of cities: each of them",
    "area": "districts or parks inside the prefecture, as for every free trade zone",
    "partial": "a minor part of the area lies in the prefecture",
    "partial_county_level": "the document names a county-level unit inside the prefecture",
    "no_prefecture": "the unit belongs to no prefecture; it is never attached to a city",
}
WHOLE = ("exact", "province_wide", "cross_regional", "city_group", "area")


def pilot_zones() -> pd.DataFrame:
    """Return the 181 zones of all eight batches, in order of batch, under the column names of the file.

    Returns
    -------
    One row per zone: ``zone_id``, ``batch``, ``date_for_coding`` (approval; for batch 8 publication), ``year`` (of that
    date), ``announced_date``, ``document_no``, ``zone_name_zh``, ``zone_name_en``, ``zone_unit_zh``, ``zone_unit_en``,
    ``city_adcode`` (prefecture, missing for Hainan Island), ``province_adcode``, ``province_zh``, ``province_en``,
    ``level``, ``whole_prefecture`` (0 for a smaller zone and for Hainan Island), ``status_after_2025_04``
    (``"active"`` or ``"revoked 2025-04"``), ``confidence``.
    """
    columns = {
        "zone_id": str,
        "batch": int,
        "date_for_coding": date,
        "announced_date": date,
        "document_no": str,
        "zone_name_zh": str,
        "zone_name_en": str,
        "zone_unit_zh": str,
        "zone_unit_en": str,
        "city_adcode": int | None,
        "province_adcode": int,
        "province_zh": str,
        "province_en": str,
        "level": str,
        "whole_prefecture": int,
        "status_after_2025_04": str,
        "confidence": str,
    }
    zones = read_csv(paths.FACTS / "pilot_zones.csv", columns)
    zones.insert(3, "year", zones["date_for_coding"].dt.year.astype("int64"))
    return zones


def cities() -> pd.DataFrame:
    """Return the 337 prefecture-level units, under the column names of the file.

    Returns
    -------
    ``adcode``, ``city_zh``, ``city_en``, ``unit_type``, ``is_city``, ``province_adcode``, ``province_zh``,
    ``province_en``, ``lat``, ``lon`` (degrees, WGS84, seat of government), ``region`` (east, central, west),
    ``region4`` (also northeast), ``coastal_province``, ``coastal_city``, ``admin_rank`` (4 municipality,
    3 sub-provincial, 2 other provincial capital, 1 other), ``capital``, ``city_throughout_2010_2022``,
    ``yearbook_continuous_2010_2022``.
    """
    columns = {
        "adcode": int,
        "city_zh": str,
        "city_en": str,
        "unit_type": str,
        "is_city": int,
        "province_adcode": int,
        "province_zh": str,
        "province_en": str,
        "lat": float,
        "lon": float,
        "region": str,
        "region4": str,
        "coastal_province": int,
        "coastal_city": int,
        "admin_rank": int,
        "capital": int,
        "city_throughout_2010_2022": int,
        "yearbook_continuous_2010_2022": int,
    }
    return read_csv(paths.FACTS / "cities.csv", columns)


def provinces() -> pd.DataFrame:
    """Return the provinces, by code: ``province_zh``, ``province_en`` and ``region`` (east, central, west)."""
    return cities().groupby("province_adcode")[["province_zh", "province_en", "region"]].first()


def historical_units() -> pd.DataFrame:
    """Return the abolished prefectures: ``adcode``, ``city_zh``, ``city_en``, ``event``, ``successor_adcode``."""
    columns = {"adcode": int, "city_zh": str, "city_en": str, "event": str, "successor_adcode": int}
    return read_csv(paths.FACTS / "historical_units.csv", columns)


def zone_cities() -> pd.DataFrame:
    """Return one row per zone and prefecture it touches.

    Returns
    -------
    ``zone_id``, ``batch``, ``date_for_coding``, ``year``, ``city_adcode``, ``mapping``: ``"exact"`` (the zone is the
    prefecture), ``"province_wide"`` (Hainan Island) or ``"partial_county_level"`` (smaller than the prefecture).
    """
    mapping = read_csv(paths.FACTS / "zone_city_map.csv", {"zone_id": str, "city_adcode": int, "mapping": str})
    zones = pilot_zones()[["zone_id", "batch", "date_for_coding", "year"]]
    return zones.merge(mapping, on="zone_id", validate="one_to_many")


def batches(partial: bool) -> pd.DataFrame:
    """Return what every batch brought, by batch.

    Parameters
    ----------
    partial : whether a zone smaller than its prefecture counts for the whole prefecture.

    Returns
    -------
    ``date`` (that codes the batch), ``zones``, of them ``smaller`` than a prefecture and of ``medium`` confidence;
    ``new prefectures``, which had no zone before, and ``prefectures so far`` with one.
    """
    zones = pilot_zones()
    smaller = zone_cities().query("mapping == 'partial_county_level'")["zone_id"]
    table = (
        zones.assign(smaller=zones["zone_id"].isin(smaller), medium=zones["confidence"] == "medium")
        .groupby("batch")
        .agg(
            date=("date_for_coding", "first"),
            zones=("zone_id", "size"),
            smaller=("smaller", "sum"),
            medium=("medium", "sum"),
        )
    )
    new = first_batch(partial, through=8).value_counts().reindex(table.index, fill_value=0)
    return table.assign(**{"new prefectures": new, "prefectures so far": new.cumsum()})


def approval_dates() -> pd.Series:
    """Return the date that codes each batch, indexed by batch."""
    return pilot_zones().groupby("batch")["date_for_coding"].first()


def _check_batches(batches: Collection[int]) -> None:
    unknown = [batch for batch in batches if batch not in BATCHES]
    if unknown:
        raise ParameterError(f"batch {unknown[0]!r} is unknown: expected batches from {', '.join(map(str, BATCHES))}")


def first_batch(partial: bool, through: int = 7) -> pd.Series:
    """Return the batch of every city's first zone.

    Parameters
    ----------
    partial : whether a zone smaller than its prefecture counts for the whole prefecture.
    through : the last batch that counts.

    Returns
    -------
    Integer ``batch`` indexed by ``city`` (all 337 prefectures); 0 where there is no zone.

    Raises
    ------
    ParameterError
        If ``through`` is no batch.
    """
    _check_batches([through])
    zones = zone_cities()
    counted = zones["batch"] <= through
    if not partial:
        counted &= zones["mapping"] != "partial_county_level"
    first = zones[counted].groupby("city_adcode")["batch"].min()
    return first.reindex(pd.Index(cities()["adcode"], name="city"), fill_value=0)


def attach(panel: pd.DataFrame, batches: Collection[int], partial: bool) -> pd.DataFrame:
    """Add the treatment of each row's city in its approval-year coding.

    Parameters
    ----------
    panel : rows with ``city`` (prefecture code) and ``year``.
    batches : the batches counted as treated; cities of other batches are controls.
    partial : whether a zone smaller than its prefecture counts for the whole prefecture.

    Returns
    -------
    A copy of ``panel`` with ``batch`` (of the city's first zone by batch 7, that is 2022, or by batch 8 if that is
    among ``batches``; 0 for none; whether or not it is among ``batches``), ``cohort`` (approval year; missing when
    ``batch`` is not among ``batches``), ``event_time`` (``year - cohort``) and ``treat_post`` (1 from the approval
    year on).

    Raises
    ------
    ParameterError
        If a batch is unknown.
    DataError
        If ``city`` or ``year`` is missing, or a code is no prefecture.
    """
    _check_batches(batches)
    require_columns(panel, "city", "year")
    first = first_batch(partial, through=max([7, *batches]))
    known = first.reindex(first.index.union(historical_units()["adcode"]), fill_value=0)
    strangers = panel.index[~panel["city"].isin(known.index)]
    if len(strangers):
        raise DataError(
            f"panel, column 'city', row {strangers[0]}: {panel.at[strangers[0], 'city']} is no prefecture code of "
            f"data/facts/cities.csv ({len(strangers)} such rows)"
        )
    years = {batch: day.year for batch, day in approval_dates().items() if batch in batches}
    out = panel.copy()
    out["batch"] = known.loc[panel["city"].to_numpy()].to_numpy()
    out["cohort"] = out["batch"].map(years).astype("float64")
    out["event_time"] = out["year"] - out["cohort"]
    out["treat_post"] = treat_post(out)
    return out


def treat_post(
    panel: pd.DataFrame,
    lead: int = 0,
    first_year: Mapping[int, float] | Literal["approval_date"] | None = None,
) -> pd.Series:
    """Return treatment under a coding rule: 0 before the reform reaches the city, 1 after its first year.

    Parameters
    ----------
    panel : rows with ``year`` and ``cohort``, as :func:`attach` returns them; with another ``cohort`` it gives another
        timing. ``"approval_date"`` needs ``batch`` too.
    lead : years by which the reform is dated too early (a placebo date).
    first_year : the value in the first year: None for 1, a mapping from ``cohort`` to a share, or
        ``"approval_date"`` for the share of that year's days left, the day of approval included.

    Returns
    -------
    Series aligned with ``panel``, integers when ``first_year`` is None, else shares between 0 and 1.

    Raises
    ------
    ParameterError
        If ``lead`` is no whole number >= 0, or ``first_year`` lacks a cohort of the panel or holds no share.
    DataError
        If a column is missing from ``panel``.
    """
    require_columns(panel, "year", "cohort")
    if isinstance(lead, bool) or not isinstance(lead, int | np.integer) or lead < 0:
        raise ParameterError(f"lead = {lead!r}: expected a whole number of years, 0 or more")
    start = panel["cohort"] - lead
    if first_year is None:
        return (panel["year"] >= start).astype("int64").rename("treat_post")

    if isinstance(first_year, str):
        if first_year != "approval_date":
            raise ParameterError(f"first_year = {first_year!r}: expected None, a mapping or 'approval_date'")
        require_columns(panel, "batch")
        share = panel["batch"].map(year_shares())
    else:
        cohorts = {int(cohort) for cohort in panel["cohort"].dropna().unique()}
        if missing := sorted(cohorts - set(first_year)):
            raise ParameterError(f"first_year has no value for cohort {missing[0]}: expected {sorted(cohorts)}")
        for cohort, value in first_year.items():
            if not 0 <= value <= 1:
                raise ParameterError(f"first_year[{cohort}] = {value!r}: expected a share between 0 and 1")
        share = panel["cohort"].map(dict(first_year))
    after = (panel["year"] > start).astype("float64")
    return after.mask(panel["year"] == start, share).rename("treat_post")


def year_shares() -> pd.Series:
    """Return the share of its first year that each batch was in force, the day of approval included, by batch."""
    dates = approval_dates()
    return (366 - dates.dt.day_of_year + dates.dt.is_leap_year) / (365 + dates.dt.is_leap_year)


def one_period(panel: pd.DataFrame, batches: Collection[int], break_year: int) -> pd.Series:
    """Return treatment with one common date: 1 for the cities of ``batches`` from ``break_year`` on.

    Parameters
    ----------
    panel : rows with ``year`` and ``batch``, as :func:`attach` returns them.

    Raises
    ------
    ParameterError
        If a batch is unknown.
    """
    _check_batches(batches)
    require_columns(panel, "year", "batch")
    return (panel["batch"].isin(batches) & (panel["year"] >= break_year)).astype("int64").rename("treat_post")


def national_series(name: str) -> pd.Series:
    """Return a national series by year, 2009-2022.

    Parameters
    ----------
    name : ``cny_per_usd_avg_nbs``, ``cny_per_usd_avg_fed`` (yuan per dollar, annual mean),
        ``internet_penetration_pct`` (per cent of the population) or ``internet_users_million``.

    Raises
    ------
    ParameterError
        If there is no such series.
    """
    names = ("cny_per_usd_avg_nbs", "cny_per_usd_avg_fed", "internet_penetration_pct", "internet_users_million")
    if name not in names:
        raise ParameterError(f"national series {name!r}: expected one of {', '.join(names)}")
    table = read_csv(paths.FACTS / "national_series.csv", {"year": int, name: float})
    return table.set_index("year")[name]


def concurrent(
    policy: str,
    mappings: Collection[str] = WHOLE,
    dated: Literal["start_date", "approval_date"] = "start_date",
) -> pd.Series:
    """Return the year from which another policy ran in each city that it reached.

    Parameters
    ----------
    policy : ``"broadband_china"``, ``"big_data_pilot_zone"`` or ``"free_trade_zone"``.
    mappings : which correspondences between policy unit and prefecture count, from :data:`MAPPINGS`; by default all
        but those where only a part of the prefecture is named.
    dated : ``"start_date"`` (launch) or ``"approval_date"``. They differ in year for one unit, the big data zone of
        Guizhou: launched in September 2015, approved in February 2016.

    Returns
    -------
    Integer ``year`` indexed by ``city``, only cities that the policy reached, the first year where several.

    Raises
    ------
    ParameterError
        If the policy, a mapping or the date is unknown.
    """
    columns = {"policy": str, "start_date": date, "approval_date": date, "city_adcode": int | None, "mapping": str}
    table = read_csv(paths.FACTS / "concurrent_policies.csv", columns)
    policies = sorted(table["policy"].unique())
    if policy not in policies:
        raise ParameterError(f"policy {policy!r}: expected one of {', '.join(policies)}")
    if unknown := [mapping for mapping in mappings if mapping not in MAPPINGS]:
        raise ParameterError(f"mapping {unknown[0]!r}: expected some of {', '.join(MAPPINGS)}")
    if dated not in ("start_date", "approval_date"):
        raise ParameterError(f"dated = {dated!r}: expected start_date or approval_date")
    rows = table[(table["policy"] == policy) & table["mapping"].isin(mappings) & table["city_adcode"].notna()]
    years = rows[dated].dt.year.astype("int64").rename("year")
    return years.groupby(rows["city_adcode"].astype("int64").rename("city")).min()
