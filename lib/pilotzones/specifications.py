"""Specifications: what an estimate depends on, written out; and grids of them, as a reader writes them in YAML.

In a grid every key has one value or a list, and lists multiply::

    study: resilience
    outcome: Resil
    controls: [all, none, each left out]
    effects: [city + year, city + province^year]
    vcov: [cluster_city, hetero]

See ``book/sweep.md`` for all keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, cached_property
from itertools import combinations, product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from pilotzones import parameters, replicate, studies
from pilotzones.declare import Column, Study
from pilotzones.errors import ParameterError
from pilotzones.io import shown
from pilotzones.scenarios import SCENARIOS, Scenario

MOST = 100_000  # specifications without --yes
CONTROL_WORDS = ("own", "all", "none", "each left out", "all subsets")


@dataclass(frozen=True)
class Specification:
    """One regression, fully written out: nothing in it depends on a default.

    Attributes
    ----------
    study, source, seed : the panel.
    scenario : world laid over the panel, see :mod:`pilotzones.scenarios`; ``"paper"`` for the panel as it is.
    size : true effect as a multiple of the panel's own: 1 as it is, 0 for none.
    outcome, term : dependent variable and the regressor of interest; with instruments the endogenous one.
    controls : all further regressors.
    effects : absorbed, e.g. ``"firm + province^year"``; empty for none.
    instruments : of ``term``; empty for least squares.
    sample : rows kept, as a pandas query; empty for all.
    matching : propensity-score formula of a matched sample; empty for none.
    winsorise : share of rows at either end of each continuous variable drawn in to the quantile.
    vcov : standard errors, ``"iid"``, ``"hetero"`` or one of the study's clusters.
    singletons : what happens to rows alone in a level of an effect, ``"keep"`` or ``"drop"``.
    """

    study: str
    source: str
    seed: int
    scenario: str
    size: float
    outcome: str
    term: str
    controls: tuple[str, ...]
    effects: str
    instruments: tuple[str, ...]
    sample: str
    matching: str
    winsorise: float
    vcov: str
    singletons: Literal["keep", "drop"]

    @property
    def values(self) -> dict[str, Any]:
        """The fields by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the specification as JSON: stable, and safe as a name."""
        # the panel's own effect goes without saying: ids are older than sizes
        values = {name: value for name, value in self.values.items() if (name, value) != ("size", 1)}
        canonical = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def formula(self) -> str:
        """The regression in the fixest dialect."""
        own = self.controls if self.instruments else (self.term, *self.controls)
        parts = [f"{self.outcome} ~ {' + '.join(own) or '1'}"]
        parts += [self.effects] if self.effects else []
        parts += [f"{self.term} ~ {' + '.join(self.instruments)}"] if self.instruments else []
        return " | ".join(parts)

    @property
    def column(self) -> Column:
        """The specification as a declared column, for :func:`pilotzones.replicate.column`."""
        return Column(
            self.id, self.formula, sample=self.sample, singletons=self.singletons, matching=self.matching,
            winsorise=self.winsorise,
        )  # fmt: skip


def declared(study: Study, table: str, column: str) -> Specification:
    """Return the specification of a published column on the study's own synthetic panel."""
    own = next((c for t in study.tables if t.id == table for c in t.columns if c.id == column), None)
    if own is None:
        raise ParameterError(f"column = '{_name(table, column)}': study {study.key} has {', '.join(columns(study))}")
    left, *rest = (part.strip() for part in study.expand(own.formula).split("|"))
    outcome, regressors = (side.strip() for side in left.split("~"))
    names = tuple(name for name in _terms(regressors) if name != "1")
    effects = next((part for part in rest if "~" not in part), "")
    endogenous, instruments = next((part.split("~") for part in rest if "~" in part), ("", ""))
    return Specification(
        study.key, "synthetic", study.seed, "paper", 1.0,
        outcome=outcome,
        term=endogenous.strip() or names[0],
        controls=names if endogenous else names[1:],
        effects=canonical(effects),
        instruments=tuple(_terms(instruments)),
        sample=own.sample,
        matching=own.matching,
        winsorise=own.winsorise,
        vcov=errors(study, own.vcov or "published"),
        singletons=own.singletons or study.singletons,
    )  # fmt: skip


def columns(study: Study) -> list[str]:
    """Return the names of all published columns, e.g. ``T2/3``; a table with one unnumbered column is ``F3``."""
    return [_name(table.id, column.id) for table in study.tables for column in table.columns]


@cache
def _published(key: str) -> tuple[int, Mapping[str, str]]:
    """Return a study's own seed and the names of its published columns by the ids of their specifications."""
    study = studies.load(key)
    found: dict[str, str] = {}
    for name in columns(study):
        known = declared(study, *_parts(name)).id
        found[known] = f"{found[known]}, {name}" if known in found else name
    return study.seed, found


def published(specification: Specification) -> str:
    """Return the names of the published columns that a specification is, whatever its seed and source; else empty."""
    seed, names = _published(specification.study)
    return names.get(replace(specification, source="synthetic", seed=seed).id, "")


def canonical(effects: str) -> str:
    """Return effects in a fixed order, without those contained in another, e.g. ``year`` beside ``province^year``."""
    sets = {frozenset(part.strip() for part in effect.split("^")) for effect in _terms(effects)}
    return " + ".join(sorted("^".join(sorted(s)) for s in sets if not any(s < other for other in sets)))


def _terms(text: str) -> list[str]:
    return [term for part in text.split("+") if (term := part.strip())]


def _name(table: str, column: str) -> str:
    return f"{table}/{column}" if column else table


def errors(study: Study, vcov: str) -> str:
    """Return one name for errors that are the same: those of cities by unit and by city."""
    meant = replicate.errors(study, vcov)
    return next(name for name in replicate.error_names(study) if replicate.errors(study, name) == meant)


# --------------------------------------------------------------------------------------------------------------- grids


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _sets(value: Any) -> Any:
    """Tell one set of names, ``[age, debt]``, from a list of sets, ``[all, [age, debt]]``."""
    names = isinstance(value, list) and value and all(isinstance(v, str) and v not in CONTROL_WORDS for v in value)
    return [value] if names else _listed(value)


_SEVERAL, _SOME = BeforeValidator(_listed), Field(min_length=1)
Texts = Annotated[list[str], _SEVERAL, _SOME]


class Choices(parameters.Parameters):
    """The keys of a grid, each with one value or a list; the descriptions are what messages say is expected."""

    study: Texts = Field(description="a study of the book, or a list")
    source: Annotated[list[Literal["synthetic", "licensed"]], _SEVERAL, _SOME] = Field(
        ["synthetic"], description="synthetic, licensed, or both in a list"
    )
    seed: Annotated[list[int | str], _SEVERAL, _SOME] = Field(
        ["own"], description="own (the study's), a whole number from 0, a range such as 1001-1200, or a list of these"
    )
    scenario: Annotated[list[Literal["paper", Scenario]], _SEVERAL, _SOME] = Field(
        ["paper"], description=f"paper, {', '.join(SCENARIOS)}, or a list of these"
    )
    size: Annotated[list[float], _SEVERAL, _SOME] = Field(
        [1.0], description="true effect as a multiple of the study's own: 1 (as it is), 0 (none), or a list of numbers"
    )
    column: Texts = Field(
        ["benchmark"], description="benchmark, all, a published column such as T2/3, or a list of these"
    )
    outcome: Texts = Field(["own"], description="own (the column's), a variable of the study, or a list of these")
    controls: Annotated[list[str | list[str]], BeforeValidator(_sets), _SOME] = Field(
        ["own"],
        description="own (the column's), all, none, each left out, all subsets, one list of variables such as "
        "[age, debt], or a list of these such as [all, [age, debt]]",
    )
    effects: Texts = Field(
        ["own"], description="own (the column's), none, effects such as firm + province^year, or a list of these"
    )
    sample: Texts = Field(
        ["own"], description="own (the column's), a pandas condition that its rows fulfil besides, or a list of these"
    )
    winsorise: Annotated[list[float | Literal["own"]], _SEVERAL, _SOME] = Field(
        ["own"], description="own (the column's), a share from 0 to below 0.5, or a list of these"
    )
    vcov: Texts = Field(["published"], description="published, iid, hetero, a cluster of the study, or a list of these")
    singletons: Annotated[list[Literal["own", "keep", "drop"]], _SEVERAL, _SOME] = Field(
        ["own"], description="own (the column's), keep, drop, or a list of these"
    )


def read(path: Path) -> list[Choices]:
    """Read a grid: one set of choices, or several under ``specifications``, beside what these have in common.

    Raises
    ------
    ParameterError
        The file is missing, empty or no YAML, a key is unknown, or a value is not one of those expected. The message
        names file, key, value and what is expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
        double = _double(yaml.compose(text, yaml.SafeLoader))
        grid = yaml.safe_load(text)
    except FileNotFoundError:
        raise ParameterError(f"{shown(path)}: the file is missing; expected a grid in YAML") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise ParameterError(f"{shown(path)}: cannot be read as YAML: {' '.join(str(problem).split())}") from None
    if double:
        raise ParameterError(f"{shown(path)}, {double}")
    keys = ", ".join(Choices.model_fields)
    if not grid or not isinstance(grid, dict):
        raise ParameterError(
            f"{shown(path)}: {'holds no keys' if grid else 'is empty'}; expected at least 'study: innovation', and any "
            f"of {keys}; or 'specifications:' with a list of such sets"
        )
    sets = grid.pop("specifications", [{}])
    if not isinstance(sets, list) or not sets or not all(isinstance(one, dict) for one in sets):
        raise ParameterError(f"{shown(path)}: specifications: expected a list of sets, each with some of {keys}")
    found = []
    for number, one in enumerate(sets, 1):
        where = f"{shown(path)}, specifications {number}" if len(sets) > 1 else shown(path)
        try:
            found.append(Choices(**{str(key): value for key, value in {**grid, **one}.items()}))
        except ValidationError as error:
            problems = {str(problem["loc"][0]): problem for problem in error.errors()}
            raise ParameterError(
                f"{where}: {'; '.join(_explain(k, p, {**grid, **one}) for k, p in problems.items())}"
            ) from None
    return found


def _double(node: yaml.Node | None) -> str:
    """Say which key stands twice in a mapping, of which YAML would silently take the last; empty if none does."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value in lines:
                first = lines[key.value]
                return f"line {line}: {key.value}: is there already, in line {first}; expected one value or one list"
            lines[str(key.value)] = line
            if found := _double(value):
                return found
    elif isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(_double, node.value)), "")
    return ""


def _explain(key: str, problem: Any, given: Mapping[str, Any]) -> str:
    if key not in Choices.model_fields:
        return f"{key}: no such key; expected {', '.join(Choices.model_fields)}"
    expected = Choices.model_fields[key].description
    if problem["type"] == "missing":
        return f"{key}: is missing; expected {expected}"
    return f"{key} = {given[key]!r}: expected {expected}"


def expand(grid: Sequence[Choices], limit: int = MOST) -> list[Specification]:
    """Return the specifications of a grid, each once, in the order of the grid.

    Raises
    ------
    ParameterError
        They are more than ``limit``, or a study lacks what is asked for; the message says how many, or what it has.
    """
    alternatives = [found for choices in grid for found in _alternatives(choices)]
    count = sum(prod(len(values) for values in found.values()) for found in alternatives)
    if count > limit:
        raise ParameterError(
            f"the grid has {count:,} specifications, more than {limit:,}: lists multiply; if that is what you want, "
            "say --yes"
        )
    every = (Specification(*values) for found in alternatives for values in product(*found.values()))
    return list(dict.fromkeys(every))


def _alternatives(choices: Choices) -> Iterator[dict[str, list[Any]]]:
    """Yield, for each study and column, what every field of a specification can be, in the order of the fields."""
    for key in dict.fromkeys(choices.study):
        study = studies.load(key)
        for source, scenario, size in product(choices.source, choices.scenario, choices.size):
            world = {"study": key, "source": source, "scenario": scenario, "size": size}
            parameters.validate("12_specification", world)
        asked = [name for column in choices.column for name in (columns(study) if column == "all" else [column])]
        seeds = [number for seed in choices.seed for number in _seeds(study, seed)]
        for name in dict.fromkeys(asked):
            own = declared(study, *study.benchmark) if name == "benchmark" else declared(study, *_parts(name))
            found: dict[str, Sequence[Any]] = {
                "study": [key],
                "source": choices.source,
                "seed": seeds,
                "scenario": choices.scenario,
                "size": choices.size,
                "outcome": [own.outcome if o == "own" else _variable(study, "outcome", o) for o in choices.outcome],
                "term": [own.term],
                "controls": [names for asked in choices.controls for names in _controls(study, own, asked)],
                "effects": [own.effects if e == "own" else _effects(study, e) for e in choices.effects],
                "instruments": [own.instruments],
                "sample": [_sample(own, condition) for condition in choices.sample],
                "matching": [own.matching],
                "winsorise": [own.winsorise if w == "own" else _share(w) for w in choices.winsorise],
                "vcov": [own.vcov if v == "published" else errors(study, v) for v in choices.vcov],
                "singletons": [own.singletons if s == "own" else s for s in choices.singletons],
            }
            for outcome in found["outcome"]:
                if outcome != study.outcome and set(choices.size) != {1}:
                    raise ParameterError(
                        f"size = {choices.size} with outcome = '{outcome}': the true effect on it is not known; "
                        f"expected size = 1, or outcome = '{study.outcome}'"
                    )
            yield {field: list(dict.fromkeys(values)) for field, values in found.items()}


def _parts(name: str) -> tuple[str, str]:
    table, _, column = name.partition("/")
    return table, column


def _seeds(study: Study, seed: int | str) -> range:
    if seed == "own":
        return range(study.seed, study.seed + 1)
    ends = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", str(seed).strip())
    if not ends or int(ends[2] or ends[1]) < int(ends[1]):
        raise ParameterError(f"seed = {seed!r}: expected {Choices.model_fields['seed'].description}")
    return range(int(ends[1]), int(ends[2] or ends[1]) + 1)


def _share(share: float) -> float:
    if not 0 <= share < 0.5:
        raise ParameterError(f"winsorise = {share!r}: expected {Choices.model_fields['winsorise'].description}")
    return float(share)


def _variable(study: Study, key: str, name: str) -> str:
    """Return the name of a variable that a regression can have."""
    known = [variable.name for variable in study.variables if variable.kind != "group"]
    if name not in known:
        close = get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(known)}"
        raise ParameterError(f"{key} = {name!r}: study {study.key} has no such number; {hint}")
    return name


def _controls(study: Study, own: Specification, asked: str | list[str]) -> list[tuple[str, ...]]:
    """Return the sets of further regressors that a choice stands for.

    The choice is about the study's control variables; what else the column has, e.g. a mediator, stays.
    """
    block = study.regressors("controls")
    others = tuple(name for name in own.controls if name not in block)
    chosen: Iterable[Iterable[str]]
    if asked == "own":
        return [own.controls]
    if isinstance(asked, list):
        order = [*block, *(variable.name for variable in study.variables)]
        known = {_variable(study, "controls", name) for name in asked} - {own.term, *others}
        chosen = [sorted(known, key=order.index)]
    elif asked == "all":
        chosen = [block]
    elif asked == "none":
        chosen = [()]
    elif asked == "each left out":
        chosen = [[name for name in block if name != out] for out in block]
    elif asked == "all subsets":
        chosen = [subset for size in range(len(block) + 1) for subset in combinations(block, size)]
    else:
        raise ParameterError(f"controls = {asked!r}: expected {Choices.model_fields['controls'].description}")
    sets = [(*others, *names) for names in chosen]
    return [own.controls if set(names) == set(own.controls) else names for names in sets]


def _effects(study: Study, text: str) -> str:
    if text == "none":
        return ""
    known = [variable.name for variable in study.variables]
    for name in re.split(r"[+^]", text):
        if name.strip() not in known:
            close = get_close_matches(name.strip(), known, n=3)
            raise ParameterError(
                f"effects = {text!r}: study {study.key} has no variable {name.strip()!r}; "
                + (
                    f"did you mean {' or '.join(close)}?"
                    if close
                    else "expected e.g. " + study.unit + " + " + study.time
                )
            )
    return canonical(text)


def _sample(own: Specification, condition: str) -> str:
    if condition in ("own", ""):
        return own.sample
    return f"({own.sample}) and ({condition})" if own.sample else condition
