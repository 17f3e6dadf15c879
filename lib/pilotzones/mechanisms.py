"""The mechanisms a study claims, as linear mediation models."""

from __future__ import annotations

import pandas as pd

from pilotzones import indices, replicate
from pilotzones.declare import Index, Study
from pilotzones.estimators.mediation import Mediation, mediation
from pilotzones.estimators.regression import regress


def models(study: Study, panel: pd.DataFrame, draws: int, seed: int) -> dict[str, Mediation]:
    """Estimate each declared mechanism with the benchmark's controls and effects, on the rows of both equations.

    Clusters are those of the treatment: cities.
    """
    table, column = study.benchmark
    right = study.expand(study.table(table).column(column).formula).partition("~")[2]
    found = {}
    for mediator, outcome in study.mediators:
        found[f"{mediator} to {outcome}"] = mediation(
            f"{outcome} ~{right}",
            panel,
            treatment=study.treatment,
            mediator=mediator,
            cluster="city",
            draws=draws,
            seed=seed,
            singletons=study.singletons,
        )
    return found


def indirect_effects(study: Study, found: dict[str, Mediation]) -> pd.DataFrame:
    """Return the indirect effect of each mechanism (rows) with its three intervals, and its share of the total."""
    rows = {}
    for label, model in found.items():
        effect = model.effects.loc["indirect"]
        rows[label] = {
            "treatment on mediator": model.mediator.coefficients.at[study.treatment, "estimate"],
            "mediator on outcome": model.outcome.coefficients.at[label.split(" to ")[0], "estimate"],
            "indirect effect": effect["estimate"],
            "bootstrap 95%": _interval(effect, "bootstrap"),
            "Monte Carlo 95%": _interval(effect, "monte_carlo"),
            "Sobel 95%": _interval(effect, "sobel"),
            "share of the total": model.effects.at["proportion", "estimate"],
            "rows": model.n_obs,
        }
    return pd.DataFrame(rows)


def _interval(effect: pd.Series, kind: str) -> str:
    return f"[{effect[f'{kind}_low']:.4f}, {effect[f'{kind}_high']:.4f}]"


def fall_of_the_coefficient(study: Study, found: dict[str, Mediation], panel: pd.DataFrame) -> pd.DataFrame:
    """Compare the treatment coefficient with and without the mediator, on the same rows and on the papers' own rows.

    The fall on the same rows *is* the indirect effect; a fall between different samples also contains what the dropped
    rows do.
    """
    rows = {}
    for label, model in found.items():
        total, direct = (fit.coefficients.at[study.treatment, "estimate"] for fit in (model.total, model.outcome))
        outcome = label.split(" to ")[1]
        table, column = study.benchmark
        own = replicate.column(study, study.table(table).column(column), panel, "iid", outcome)
        rows[label] = {
            "without, all rows": own.coefficients.at[study.treatment, "estimate"],
            "without, same rows": total,
            "with mediator": direct,
            "fall on the same rows": total - direct,
            "rows lost": own.n_obs - model.n_obs,
        }
    return pd.DataFrame(rows).T.astype({"rows lost": int})


def without_indicators(study: Study, index: Index, panel: pd.DataFrame) -> pd.DataFrame:
    """Show how much of each mechanism is arithmetic: the mediator, or what it is made of, is part of the index.

    The index is built anew without each of its indicators in turn; with a mediator's own indicator left out, what
    remains of its indirect effect is not there by construction.

    Returns
    -------
    By indicator left out (rows, ``"none"`` first) and mediator (columns): the indirect effect as a share of the total
    effect on the same index, which no change of scale moves; on the rows that have the mediator.
    """
    table, column = study.benchmark
    right = study.expand(study.table(table).column(column).formula).partition("~")[2]
    versions = {"none": panel[index.name], **dict(indices.without_each(index, panel))}
    data = panel.assign(**{f"index_{i}_": values for i, values in enumerate(versions.values())})
    found: dict[str, dict[str, float]] = {}
    for mediator in [name for name, outcome in study.mediators if outcome == index.name]:
        rows = data[data[mediator].notna()]
        for i, label in enumerate(versions):
            total, direct = (
                regress(f"index_{i}_ ~{beside}{right}", rows, singletons=study.singletons)
                .coefficients.at[study.treatment, "estimate"]
                for beside in ("", f" {mediator} +")
            )  # fmt: skip
            found.setdefault(mediator, {})[label] = 1 - direct / total
    return pd.DataFrame(found).rename_axis("indicator left out")
