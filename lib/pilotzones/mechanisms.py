"""The mechanisms a study claims, as linear mediation models."""

from __future__ import annotations

import pandas as pd

from pilotzones import replicate
from pilotzones.declare import Study
from pilotzones.estimators.mediation import Mediation, mediation


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
