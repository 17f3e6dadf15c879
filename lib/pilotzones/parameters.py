"""The parameters of the pages: their types, defaults and limits, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pilotzones import paths, studies
from pilotzones.errors import ParameterError
from pilotzones.scenarios import Scenario

# papermill passes on nothing else; IPython's own In and Out are a list and a dict, too
_PLAIN = (str, int, float, bool, list, dict, type(None))
_IPYTHON = {"In", "Out"}
_CHECKED = "_parameters_checked"


def with_exports(keys: Iterable[str]) -> list[str]:
    """Return those of some studies of which the user has put exports into ``data/raw``."""
    from pilotzones import licensed  # reading exports takes libraries that synthetic pages do without

    return [key for key in keys if licensed.present(key)]


class Parameters(BaseModel):
    """The rules for all parameters."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Common(Parameters):
    """The parameters that every page of a study has."""

    study: str = Field("innovation", description="which paper")
    source: Literal["synthetic", "licensed"] = Field("synthetic", description="where the panel comes from")
    seed: int = Field(2023, ge=0, description="seed of the synthetic panel and of what is drawn by lot")
    vcov: str = Field("published", description="standard errors: the paper's own convention, or another")

    @model_validator(mode="after")
    def _possible(self) -> Common:
        study = studies.load(self.study)
        allowed = ["published", "iid", "hetero", *study.clusters]
        if self.vcov not in allowed:
            raise ParameterError(f"vcov = {self.vcov!r}: expected one of {', '.join(allowed)}")
        if self.source == "licensed" and not with_exports([self.study]):
            raise ParameterError(
                f"source = 'licensed': there are no files in data/raw/{self.study}/; put the exports there, "
                "or use 'synthetic'"
            )
        return self


class Baseline(Common):
    """The window of the standard event study."""

    leads: int = Field(-4, lt=0, description="first event year with a dummy of its own")
    lags: int = Field(5, ge=0, description="last event year with a dummy of its own")
    base: int = Field(-1, description="event year all others are compared with")

    @model_validator(mode="after")
    def _base_in_window(self) -> Baseline:
        if not self.leads <= self.base <= self.lags:
            raise ParameterError(f"base = {self.base}: expected an event year from {self.leads} to {self.lags}")
        return self


class Measurement(Common):
    """What lies below the panel: records, policy texts; a study without either ignores them."""

    firms: int = Field(300, ge=1, description="firms whose patent records are drawn; of no use to a study without")
    texts: str = Field("data/policy_texts", description="folder of policy texts; of no use to a study without")

    @model_validator(mode="after")
    def _is_folder(self) -> Measurement:
        if not (paths.ROOT / self.texts).is_dir():
            raise ParameterError(f"texts = {self.texts!r}: expected a folder, seen from the project folder")
        return self


class Robustness(Common):
    """The placebo test and the matched sample; a study without either ignores its number."""

    draws: int = Field(500, ge=1, description="fake roll-outs of the placebo test")
    neighbours: int = Field(1, ge=1, description="controls per treated row in the matched sample, where there is one")


class Heterogeneity(Common):
    """The permutation test of group differences."""

    draws: int = Field(100, ge=0, description="permutations of the group labels")


class Mechanisms(Common):
    """The bootstrap of the indirect effects."""

    draws: int = Field(1000, ge=100, description="bootstrap samples of cities")


class Spatial(Common):
    """The spillover that is switched on."""

    radius: int = Field(150, ge=50, le=500, description="reach of the spillover in km")


class World(Common):
    """The world that the outcome comes from."""

    scenario: Literal["paper", Scenario] = Field("paper", description="effects laid over the roll-out")

    @model_validator(mode="after")
    def _scenario_of_a_known_truth(self) -> World:
        if self.source == "licensed" and self.scenario != "paper":
            raise ParameterError(
                f"scenario = {self.scenario!r} with source = 'licensed': a scenario replaces effects that are known, "
                "and those of licensed data are not; use scenario = 'paper', or source = 'synthetic'"
            )
        return self


class ModernDid(World):
    """The resampling."""

    draws: int = Field(999, ge=99, description="bootstrap samples and fake roll-outs")


class Multiverse(Common):
    """The permutation test of the whole curve."""

    draws: int = Field(199, ge=19, description="permutations of the treatment among places")

    @model_validator(mode="after")
    def _errors_that_thousands_can_have(self) -> Multiverse:
        if self.vcov == "dyadic":
            raise ParameterError("vcov = 'dyadic': takes minutes for thousands of regressions; expected cluster_city")
        return self


class Verification(Parameters):
    """When a value counts as apart from the published one."""

    tolerance: float = Field(0.0, ge=0, description="relative difference above which a row is listed as apart")


class Audit(Parameters):
    """The paper whose printed numbers are checked; no data are used."""

    study: str = Field("innovation", description="which paper")

    @model_validator(mode="after")
    def _exists(self) -> Audit:
        studies.load(self.study)
        return self


class AuditSummary(Parameters):
    """How sure bounds of measured shares have to be."""

    level: float = Field(0.95, gt=0, lt=1, description="confidence of bounds and intervals of measured shares")


class Across(Parameters):
    """Where the panels of all studies come from."""

    source: Literal["synthetic", "licensed"] = Field("synthetic", description="where the panels come from")
    draws: int = Field(999, ge=99, description="bootstrap samples and fake roll-outs")

    @property
    def keys(self) -> list[str]:
        """Return the studies that have data of the source."""
        return with_exports(studies.keys()) if self.source == "licensed" else studies.keys()

    @model_validator(mode="after")
    def _has_exports(self) -> Across:
        if not self.keys:
            raise ParameterError(
                "source = 'licensed': there are no files in data/raw/ for any study; put the exports there, "
                "or use 'synthetic'"
            )
        return self


class Primer(Parameters):
    """The toy world of a primer page."""

    seed: int = Field(2023, ge=0, description="seed of the simulated outcomes")
    effect: float = Field(0.2, ge=-2, le=2, description="true effect, log points")
    noise: float = Field(0.1, gt=0, le=2, description="standard deviation of the noise, log points")


class TwoByTwo(Primer):
    """What breaks parallel trends."""

    growth: float = Field(0.0, ge=-1, le=1, description="extra growth of treated cities, log points a year")


class TwoWay(Primer):
    """What unbalances the panel."""

    lost: float = Field(0.1, ge=0, le=0.5, description="share of rows lost")


class Staggered(Primer):
    """How the effect grows."""

    growth: float = Field(1.0, ge=-1, le=2, description="what the effect gains a year, in effects of the first year")


class Trends(Primer):
    """What breaks parallel trends."""

    selection: float = Field(0.01, ge=-0.5, le=0.5, description="extra growth of eastern cities, log points a year")


class Events(Primer):
    """The window of the event study, and what contaminates it."""

    leads: int = Field(-4, ge=-4, le=-2, description="first event year with a dummy of its own")
    lags: int = Field(5, ge=1, le=5, description="last event year with a dummy of its own")
    base: int = Field(-1, description="event year all others are compared with")
    gap: float = Field(0.0, ge=0, le=1, description="how much more early cohorts gain than late ones, log points")

    @model_validator(mode="after")
    def _base_before_the_zone(self) -> Events:
        if not self.leads <= self.base < 0:
            raise ParameterError(f"base = {self.base}: expected an event year from {self.leads} to -1")
        return self


class Inference(Primer):
    """How errors hang together, and how often one looks."""

    persistence: float = Field(0.8, ge=0, lt=1, description="autocorrelation of a city's noise from year to year")
    draws: int = Field(400, ge=100, le=2000, description="simulated samples")


class Lab(Parameters):
    """The world laid over a study's roll-out, and how far it is from one with equal effects and no violation."""

    study: str = Field("resilience", description="roll-out and untreated outcomes of which study")
    seed: int = Field(2023, ge=0, description="seed of the synthetic panel")
    scenario: Scenario = Field("dynamic", description="the world")
    strength: float = Field(1.0, ge=0, le=2, description="0: equal effects, no violation; 1: as in the Monte Carlo")

    @model_validator(mode="after")
    def _with_a_monte_carlo(self) -> Lab:
        able = sorted(path.name.removesuffix("_flags.csv") for path in paths.CALIBRATION.glob("*_flags.csv"))
        if self.study not in able:
            raise ParameterError(
                f"study = {self.study!r}: expected a study of cities with a Monte Carlo of its worlds, "
                f"{' or '.join(able)}"
            )
        return self


class Exercises(Parameters):
    """The study that the exercises of a section are about; the data are synthetic, so that everyone has them."""

    study: str = Field("innovation", description="which paper")
    seed: int = Field(2023, ge=0, description="seed of the synthetic panel")

    @model_validator(mode="after")
    def _has_all_that_is_asked_for(self) -> Exercises:
        needed = {"cities", "rollout", "factors", "mediators"}
        if not needed <= studies.load(self.study).features:
            fit = filter(lambda key: needed <= studies.load(key).features, studies.keys())
            raise ParameterError(f"study = {self.study!r}: the exercises are about {', '.join(fit)}")
        return self


class Rollout(Parameters):
    """Which zones count."""

    partial: bool = Field(True, description="whether a zone smaller than its prefecture counts for all of it")


class OneSpecification(World):
    """A regression written out; without a formula the paper's main column."""

    size: float = Field(1.0, ge=0, allow_inf_nan=False, description="true effect as a multiple of the study's own")
    formula: str = Field("", description="the regression; empty for the paper's main column")
    sample: str = Field("", description="rows kept, as a pandas condition")
    matching: str = Field("", description="propensity-score formula of a matched sample")
    winsorise: float = Field(0.0, ge=0, lt=0.5, description="share drawn in to the quantile at either end")
    singletons: Literal["", "keep", "drop"] = Field("", description="rows alone in a level of an effect")

    @model_validator(mode="after")
    def _with_a_formula(self) -> OneSpecification:
        given = [name for name in ("sample", "matching", "winsorise", "singletons") if getattr(self, name)]
        if given and not self.formula:
            raise ParameterError(f"{given[0]} = {getattr(self, given[0])!r}: expected together with a formula")
        return self

    @model_validator(mode="after")
    def _size_of_a_known_effect(self) -> OneSpecification:
        if self.size != 1 and (self.source == "licensed" or self.scenario != "paper"):
            raise ParameterError(
                f"size = {self.size:g} with source = '{self.source}', scenario = '{self.scenario}': changes the effect "
                "that is built into a synthetic panel; expected source = 'synthetic' and scenario = 'paper'"
            )
        return self


class Design(Common):
    """The test whose power is asked for, and the effect that is assumed."""

    level: float = Field(0.05, gt=0, lt=1, description="p below which an estimate counts as significant")
    share: float = Field(0.5, gt=0, allow_inf_nan=False, description="assumed effect as a share of the published one")


SECTIONS: dict[str, type[Parameters]] = {
    "02_index_measurement": Measurement,
    "03_baseline": Baseline,
    "04_robustness": Robustness,
    "05_heterogeneity": Heterogeneity,
    "06_mechanisms": Mechanisms,
    "07_spatial": Spatial,
    "08_modern_did": ModernDid,
    "10_verification": Verification,
    "11_across_studies": Across,
    "12_specification": OneSpecification,
    "13_multiverse": Multiverse,
    "14_design": Design,
    "15_audit": Audit,
    "16_audit_summary": AuditSummary,
    "17_rollout": Rollout,
    "exercises": Exercises,
    "lab": Lab,
    "primer_1_two_by_two": TwoByTwo,
    "primer_2_two_way_fixed_effects": TwoWay,
    "primer_3_staggered_adoption": Staggered,
    "primer_4_parallel_trends": Trends,
    "primer_5_event_studies": Events,
    "primer_6_inference": Inference,
}
"""The sections that have parameters of their own; all others have the common ones."""


def _model(section: str) -> type[Parameters]:
    return SECTIONS.get(section.partition("/")[0], Common)  # exercises/03_baseline: all exercises have the same


def validate(section: str, values: Mapping[str, Any]) -> Any:
    """Return the parameters of a section as a typed object.

    Parameters
    ----------
    section : name of the notebook, e.g. ``"03_baseline"``.
    values : parameter name to value; a parameter left out has its default.

    Raises
    ------
    ParameterError
        If a name is unknown, a value has the wrong type or is impossible, alone or together with another. The
        message names every such parameter, its value and what is allowed.
    """
    model = _model(section)
    try:
        return model(**values)
    except ValidationError as error:
        problems = [_explain(section, model, problem) for problem in error.errors()]
    raise ParameterError("; ".join(problems))


def _explain(section: str, model: type[Parameters], problem: Any) -> str:
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    name = problem["loc"][0]
    if problem["type"] == "extra_forbidden":
        return f"{name}: {section} has no such parameter; expected {', '.join(model.model_fields)}"
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return f"{name} = {problem['input']!r}: expected {expected}"


def check(section: str, namespace: dict[str, Any]) -> Any:
    """Check a notebook's parameters; call it in the cell after the one tagged ``parameters``.

    papermill turns a mistyped parameter into one more global name, so at this point every plain value in the
    notebook has to be a parameter. When the cell is run again in the same kernel, the names that the notebook has
    defined since are left alone.

    Parameters
    ----------
    section : name of the notebook.
    namespace : the notebook's ``globals()``.

    Raises
    ------
    ParameterError
        As :func:`validate`.
    """
    fields = _model(section).model_fields
    values = {name: value for name, value in namespace.items() if name in fields}
    if _CHECKED not in namespace:
        values |= {
            name: value
            for name, value in namespace.items()
            if isinstance(value, _PLAIN) and not name.startswith("_") and name not in _IPYTHON
        }
    checked = validate(section, values)
    if isinstance(checked, Common) and not studies.load(checked.study).has_section(section):
        raise ParameterError(
            f"study = {checked.study!r}: the paper has nothing for {section}, so there is no such page"
        )
    namespace[_CHECKED] = True
    return checked
