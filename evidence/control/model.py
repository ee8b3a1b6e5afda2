"""Controls and facts as content: the shapes of ``control.toml`` and ``facts/<name>.toml`` (``docs/formats/control.md``).

Pure values that check themselves; reading directories and applying a workspace's overlay is in ``evidence.control.definition``.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evidence.control.framework import Framework
from evidence.datasets.contract import Contract, Edition
from evidence.errors import ControlError

Severity = Literal["critical", "high", "medium", "low"]
GRAVEST_FIRST: Final[tuple[str, ...]] = get_args(Severity)
SEVERITIES: Final = GRAVEST_FIRST[::-1]  # the least grave first
Mode = Literal["state", "period", "event-review"]
ParameterType = Literal["int", "text", "bool", "texts", "decimal"]
Value = int | str | bool | tuple[str, ...]

CONTROL_ID = re.compile(r"[a-z]+(-[a-z0-9]+)+\Z")
WORKSPACE_PREFIX = "org-"
WORKSPACE_FACT_PREFIX = "org_"
UNKNOWN_VALUE = "unknown-value"  # design.md section 8: NULL in a tested value; every control has it

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
Text = Annotated[str, Field(min_length=1)]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]


def grade(severity: str) -> int:
    """Return the place of a severity, the gravest at 0; what is none comes last."""
    return GRAVEST_FIRST.index(severity) if severity in GRAVEST_FIRST else len(GRAVEST_FIRST)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Evidence(_Frozen):
    """One dataset that SQL may read, and what its absence does.

    ``absence`` says what losing rows of this dataset can do to the result: ``accuses`` (it can make an item fail that
    would have passed, so nothing is concluded without it) or ``hides`` (it can only hide failures, so those found in what
    is left are real). ``optional`` evidence may only turn a fail into a pass. ``tested`` are the columns without whose values no item can pass.
    ``fields`` are all that is read of a nested column (``evidence.control.fields``); one that is not there is read whole.
    """

    dataset: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z][a-z0-9_]*$")]
    columns: Annotated[tuple[Name, ...], Field(min_length=1)]
    fields: Mapping[Name, Annotated[frozenset[FieldName], Field(min_length=1)]] = {}
    max_age_hours: Annotated[int, Field(gt=0)] | None = None
    lookback_nights: Annotated[int, Field(ge=0, le=366)] = 0
    optional: bool = False
    absence: Literal["accuses", "hides"] = "accuses"
    tested: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _tested_is_read(self) -> Self:
        if set(self.tested) - set(self.columns):
            raise ValueError(
                f"{self.dataset}: tested columns {sorted(set(self.tested) - set(self.columns))} are not read"
            )
        if set(self.fields) - set(self.columns):
            raise ValueError(
                f"{self.dataset}: fields of {sorted(set(self.fields) - set(self.columns))}, which are not read"
            )
        return self


class Ops(_Frozen):
    """One table of our own records that SQL may read (``evidence.control.ops``): what was collected, what was found.

    ``lookback_nights`` are the nights before the night itself; ``datasets`` narrow receipts to what the control is about.
    ``tested`` are the columns without whose values no item can pass.
    """

    table: Literal["ops.receipts", "ops.findings", "ops.items", "ops.checks", "ops.pipeline"]
    lookback_nights: Annotated[int, Field(ge=0, le=366)] = 0
    datasets: tuple[str, ...] = ()
    tested: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _fits_the_table(self) -> Self:
        if self.table in {"ops.checks", "ops.pipeline"} and (self.datasets or self.lookback_nights):
            raise ValueError(f"{self.table}: neither lookback_nights nor datasets, the record is one")
        if self.table in {"ops.findings", "ops.items"} and (self.datasets or not self.lookback_nights):
            raise ValueError(f"{self.table}: give lookback_nights, and no datasets")
        return self


class Parameter(_Frozen):
    """A value a workspace may set inside bounds. ``decimal`` values are spelled as text; ``texts`` are lists of text."""

    type: ParameterType
    default: Value
    about: Text
    min: int | str | None = None
    max: int | str | None = None
    choices: tuple[str, ...] = ()
    stricter: Literal["lower", "higher", "true", "false", "fewer", "more"] | None = None

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        self.check(self.default)
        return self

    def check(self, value: Any) -> Value:
        """Return ``value`` in its stored shape; raise ``ValueError`` if it has another type or is out of bounds."""
        kept = self._typed(value)
        texts = kept if isinstance(kept, tuple) else (kept,) if isinstance(kept, str) else ()
        strange = [text for text in texts if self.choices and text not in self.choices]
        if strange:
            raise ValueError(f"{strange[0]!r} is none of {', '.join(self.choices)}")
        if self.type in {"int", "decimal"}:
            number = Decimal(str(kept))
            if (self.min is not None and number < Decimal(str(self.min))) or (
                self.max is not None and number > Decimal(str(self.max))
            ):
                raise ValueError(f"{kept} is outside {self.min} … {self.max}")
        return kept

    def _typed(self, value: Any) -> Value:
        match self.type, value:
            case "bool", bool():
                return value
            case "int", int() if not isinstance(value, bool):
                return value
            case "text", str():
                return value
            case "texts", list() | tuple() if all(isinstance(text, str) for text in value):
                return tuple(value)
            case "decimal", str():
                try:
                    Decimal(value)
                except InvalidOperation as exc:
                    raise ValueError(f"{value!r} is no decimal number") from exc
                return value
        raise ValueError(f"{value!r} is not of type {self.type}")

    def looser(self, value: Value, limit: Value) -> bool:
        """True if ``value`` is less strict than ``limit``; False where no direction is stated."""
        match self.stricter:
            case "lower":
                return Decimal(str(value)) > Decimal(str(limit))
            case "higher":
                return Decimal(str(value)) < Decimal(str(limit))
            case "true" | "false":
                return value not in {self.stricter == "true", limit}
            case "fewer":
                return not set(_texts(value)) <= set(_texts(limit))
            case "more":
                return not set(_texts(value)) >= set(_texts(limit))
        return False


class Mapped(_Frozen):
    """A requirement the control speaks to; ``loosest`` are parameter values up to which the mapping counts."""

    framework: Name
    requirement: Text
    strength: Literal["primary", "supporting"]
    loosest: dict[str, Value] = Field(default_factory=dict)


class Fact(_Frozen):
    """A shared SQL view over the night's snapshots, computed once and read by many controls."""

    name: Name
    description: Text
    evidence: tuple[Evidence, ...] = ()
    facts: tuple[Name, ...] = ()
    registers: tuple[Name, ...] = ()
    sql: str
    content_sha256: str
    version: Version = "1.0.0"
    folder: str = ""


class Change(_Frozen):
    """One thing that an overlay sets otherwise, and who said so. ``what`` is a parameter, ``severity`` or ``enabled``."""

    layer: Text
    what: Text
    before: Any
    after: Any
    direction: Literal["tighter", "looser", "other"]
    reason: Text
    requested_by: str = ""
    by: str = ""
    on: dt.date | None = None


class Control(_Frozen):
    """One control: what it says, what it reads and its two SELECTs.

    ``content_sha256`` covers control.toml, both SQL files, every fact they rest on and the library's settings, not the
    cases: a further example does not change what is tested.
    """

    id: str
    version: Version
    title: Text
    statement: Text
    test: Text
    severity: Severity
    mode: Mode
    scope: Literal["night", "lookback"] = "night"
    frequency: Text = "nightly"
    editions: tuple[Edition, ...] = ("standard", "enterprise", "business_critical")
    empty_population: Literal["not-assessed", "not-applicable"] = "not-assessed"
    empty_reason: str = ""
    review_days: Annotated[int, Field(ge=0)] = 5
    facts: tuple[Name, ...] = ()
    registers: tuple[Name, ...] = ()
    remediation: Text
    false_positives: str = ""
    evidence: tuple[Evidence, ...] = ()
    ops: tuple[Ops, ...] = ()
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    reasons: Annotated[dict[str, str], Field(min_length=1)]
    maps: tuple[Mapped, ...] = ()
    population_sql: str
    control_sql: str
    content_sha256: str
    values: dict[str, Value] = Field(default_factory=dict)  # effective parameters, overlay applied
    disabled_until: dt.date | None = None
    disabled_reason: str = ""
    changes: tuple[Change, ...] = ()  # what overlays set, in order: the last of one thing is in force
    folder: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not CONTROL_ID.match(self.id):
            raise ValueError(f"id {self.id!r} is not of the form family-name")
        if self.empty_population == "not-applicable" and not self.empty_reason:
            raise ValueError('empty_population = "not-applicable" needs an empty_reason')
        if not self.evidence and not self.facts and not self.ops and not self.registers:
            raise ValueError("neither evidence nor facts, ops or registers: nothing is tested")
        if len({ops.table for ops in self.ops}) != len(self.ops):
            raise ValueError("ops: a table stands twice")
        looking_back = [e.dataset for e in self.evidence if e.lookback_nights]
        looking_back += [o.table for o in self.ops if o.lookback_nights]
        if self.scope == "lookback" and not looking_back:
            raise ValueError('scope = "lookback" needs evidence with lookback_nights')
        for name in {"as_of", "night"} & set(self.parameters):
            raise ValueError(f"parameter {name} is taken: params always has it")
        for mapped in self.maps:
            for name, limit in mapped.loosest.items():
                if name not in self.parameters:
                    raise ValueError(f"maps {mapped.requirement}: loosest.{name} is no parameter")
                self.parameters[name].check(limit)
        return self

    @property
    def late(self) -> bool:
        """True if it reads what was concluded of earlier nights, and so is judged after they are sealed."""
        return any(ops.table in {"ops.findings", "ops.items"} for ops in self.ops)

    @property
    def effective(self) -> dict[str, Any]:
        """Parameter values in use, as canonical JSON has them."""
        chosen = {name: self.values.get(name, parameter.default) for name, parameter in self.parameters.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}

    def counts_for(self, mapped: Mapped) -> bool:
        """False if a parameter is set looser than what the mapping still accepts."""
        return not self.too_loose(mapped)

    def too_loose(self, mapped: Mapped, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the parameters that ``values`` (default: those in use) set looser than ``mapped`` still accepts.

        A value that ``values`` does not have, or that is not one for its parameter, is among them: what is not known cannot
        count. Lists are spelled as canonical JSON has them.
        """
        values = self.effective if values is None else values
        found = {}
        for name, limit in mapped.loosest.items():
            parameter, value = self.parameters[name], values.get(name)
            try:
                accepted = not parameter.looser(parameter.check(value), limit)
            except ValueError:
                accepted = False
            if not accepted:
                found[name] = value
        return found

    def disabled(self, night: dt.date) -> bool:
        """True if the workspace has switched the control off for ``night``."""
        return self.disabled_until is not None and night < self.disabled_until


@dataclass(frozen=True, slots=True)
class Layer:
    """One overlay: ``profile NAME``, ``organisation`` or ``account``, its parsed file and that file's SHA-256."""

    name: str
    body: Mapping[str, Any]
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Library:
    """All controls, facts, frameworks and settings in force. ``sha256`` covers content and effective parameters."""

    version: str
    sha256: str
    controls: Mapping[str, Control]
    facts: Mapping[str, Fact]
    frameworks: Mapping[str, Framework]
    contracts: Mapping[str, Contract]
    settings: Mapping[str, Value] = field(default_factory=dict)
    crosswalk: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    max_unknown_nights: int | None = None  # how many a satisfied period may have, as the workspace says; None: unsaid
    gate: tuple[str, ...] = ()  # controls that run before a merge
    gate_later: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # their reasons that only show after it

    def control(self, name: str) -> Control:
        """Return a control by id; raise ``ControlError`` if there is none."""
        if name not in self.controls:
            raise ControlError(f"no control {name!r}", fix="`evidence controls list` names them")
        return self.controls[name]

    def facts_of(self, reader: "Control | Fact") -> tuple[Fact, ...]:
        """Return every fact ``reader`` rests on, directly or not, dependencies first."""
        found: dict[str, Fact] = {}

        def add(name: str) -> None:
            if name not in found:
                for other in self.facts[name].facts:
                    add(other)
                found[name] = self.facts[name]

        for name in reader.facts:
            add(name)
        return tuple(found.values())


def _texts(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)
