"""What the rule that was in force before found on the night the rule changed: both results stand side by side (auditor-rules section 5).

Values only; :mod:`evidence.control.change` makes them. Spelled in ``docs/formats/findings.md``.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from evidence.control.longlist import compact
from evidence.snapshot import canonical

Verdict = Literal["pass", "fail", "review"]
FindingStatus = Literal["satisfied", "not-satisfied", "not-assessed", "not-applicable"]
Direction = Literal["tighter", "looser", "other"]


class Flat:
    """A dataclass with slots whose fields are spelled in JSON as they are, by their names."""

    __slots__: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling."""
        return cls(**body)


@dataclass(frozen=True, slots=True)
class Observation(Flat):
    """The row for one population item that did not pass: ``item, result, reason, observed, expected``, all text."""

    item: str
    result: Verdict
    reason: str
    observed: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Setting(Flat):
    """One thing of a rule that is otherwise: a parameter, or ``content``. Who set it so, as far as an overlay says it."""

    what: str
    before: Any
    after: Any
    direction: Direction
    layer: str = ""
    reason: str = ""
    requested_by: str = ""
    by: str = ""
    on: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a rule found on a night: counts, and the items that did not pass."""

    status: FindingStatus
    population: int
    passed: int
    reason: str = ""
    detail: str = ""
    exceptions: Sequence[Observation] = ()
    reviews: Sequence[Observation] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        plain = {name: getattr(self, name) for name in ("status", "population", "passed", "reason", "detail")}
        seen = {"exceptions": self.exceptions, "reviews": self.reviews}
        return {**plain, **{name: [each.to_json() for each in found] for name, found in seen.items()}}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling."""
        seen = {name: compact(Observation.from_json(each) for each in body[name]) for name in ("exceptions", "reviews")}
        return cls(**{**body, **seen})


@dataclass(frozen=True, slots=True)
class Replaced:
    """The rule a control was judged by on ``night``, the last before it changed, and its result on the night of the change.

    ``result`` is None where it cannot be had; ``missing`` says why then. ``revision``: the result is an earlier assessment of that night,
    sealed while the old rule was in force; None: the old rule ran again on the same evidence as the new one.
    """

    night: dt.date
    version: str
    content_sha256: str
    parameters: Mapping[str, Any]
    settings: tuple[Setting, ...]
    result: Result | None = None
    revision: int | None = None
    missing: str = ""

    @property
    def rule(self) -> tuple[str, str, bytes]:
        """Version, content and parameters, as :attr:`NightFinding.rule` spells them."""
        return self.version, self.content_sha256, canonical.encode(dict(self.parameters))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {
            "night": self.night.isoformat(),
            "version": self.version,
            "content_sha256": self.content_sha256,
            "parameters": dict(self.parameters),
            "settings": [each.to_json() for each in self.settings],
            "result": self.result.to_json() if self.result else None,
            "revision": self.revision,
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling."""
        return cls(
            **{
                **body,
                "night": dt.date.fromisoformat(body["night"]),
                "settings": tuple(Setting.from_json(each) for each in body["settings"]),
                "result": Result.from_json(body["result"]) if body["result"] else None,
            }
        )
