"""How long sealed objects are kept: the rule, the promise in the log, and what the store says when it is read back.

The rule knows paths only. A dataset may be kept longer than the store's default, never shorter; what is no dataset's (log,
``store.json``, findings, registers, packets) is kept as long as the longest, since nothing can be proved without it.
Source of the default and the floor: 45 CFR 164.316(b)(2)(i), six years from the date last in effect; seven are kept.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, Self, runtime_checkable

from evidence.errors import ConfigError, MalformedError, StoreError
from evidence.snapshot import canonical
from evidence.store.objects import ObjectInfo, ObjectStore

Mode = Literal["GOVERNANCE", "COMPLIANCE"]
TOLERANCE: Final = dt.timedelta(minutes=10)  # between the date we send and the moment the server stores the object
FLOOR_DAYS: Final = 2192  # six years with two leap days
_STRENGTH: Final = {"GOVERNANCE": 1, "COMPLIANCE": 2}


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """``days`` from the moment an object is put; ``datasets`` names those that are kept longer. Raises ``ConfigError``."""

    mode: Mode
    days: int
    datasets: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for dataset, days in self.datasets.items():
            if days < self.days:
                raise ConfigError(
                    f'retention."{dataset}" = {days} is shorter than store.retention_days = {self.days}',
                    fix="name datasets that are kept longer; the default is what the others are kept for",
                )

    @property
    def longest(self) -> int:
        """Days of everything that is no dataset's."""
        return max([self.days, *self.datasets.values()])

    def days_of(self, path: str) -> int:
        """Return for how many days the object at ``path`` is kept: ``data/<source>/<dataset>/…`` by its dataset."""
        steps = path.split("/")
        if steps[0] == "data" and len(steps) > 3:
            return self.datasets.get(steps[2], self.days)
        return self.longest

    def until(self, path: str, moment: dt.datetime) -> dt.datetime:
        """Return until when an object that is put at ``moment`` is kept, in whole seconds, rounded up."""
        end = moment + dt.timedelta(days=self.days_of(path))
        return end if not end.microsecond else end.replace(microsecond=0) + dt.timedelta(seconds=1)

    def to_body(self) -> dict[str, Any]:
        """Return what a ``retention`` entry says."""
        return {"mode": self.mode, "days": self.days, "datasets": dict(self.datasets)}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Return the rule of a ``retention`` entry. Raises ``MalformedError``."""
        try:
            rule = cls(body["mode"], body["days"], dict(body["datasets"]))
            if rule.mode not in _STRENGTH or any(
                type(days) is not int for days in (rule.days, *rule.datasets.values())
            ):
                raise MalformedError(f"malformed retention entry: {body}")
        except (KeyError, TypeError, ValueError, ConfigError) as exc:
            raise MalformedError(f"malformed retention entry: {exc!r}") from exc
        return rule

    def less_than(self, other: "RetentionRule") -> list[str]:
        """Return, in words, everything that this rule keeps less than ``other`` does."""
        less = []
        if _STRENGTH[self.mode] < _STRENGTH[other.mode]:
            less.append(f"store.retention_mode = {self.mode}, {other.mode} was promised")
        if self.days < other.days:
            less.append(f"store.retention_days = {self.days}, {other.days} was promised")
        if self.longest < other.longest:
            less.append(f"the log and all conclusions {self.longest} days, {other.longest} was promised")
        for dataset in sorted(other.datasets):
            mine, promised = self.datasets.get(dataset, self.days), other.datasets[dataset]
            if mine < promised:
                less.append(f'retention."{dataset}" = {mine}, {promised} was promised')
        return less


@runtime_checkable
class RetainingStore(Protocol):
    """Optional: a backend that keeps objects until a date, and for as long as a legal hold stands, whoever asks."""

    @property
    def rule(self) -> RetentionRule:
        """What is applied to every object put."""

    def original(self, path: str) -> ObjectInfo:
        """Return what is said of the version that was created first. Raises ``ObjectNotFoundError``."""

    def lengthen(self, path: str, until: dt.datetime) -> bool:
        """Keep ``path`` until ``until`` at least; never shorter than it is. True if that changed anything."""

    def hold(self, path: str, *, on: bool) -> None:
        """Place the legal hold on ``path``, or lift it. Raises ``ObjectNotFoundError``."""


def retaining(store: ObjectStore, lacks: str) -> RetainingStore:
    """Return ``store`` if it keeps retention; raise ``ConfigError`` that says what it ``lacks`` otherwise."""
    if not isinstance(store, RetainingStore):
        raise ConfigError(
            f"{store.url} {lacks}",
            fix="use an s3:// store; for a folder see docs/setup.md, chattr +i or a WORM mount",
        )
    return store


def read_back(path: str, info: ObjectInfo | None, rule: RetentionRule) -> dict[str, str]:
    """Return what the store says of the lock on ``path``, as entries record it; raise ``StoreError`` if it is less than the rule."""
    if info is None:
        raise StoreError(
            f"{path} was put and is not there", fix="stop; a store that loses objects cannot keep evidence"
        )
    problem = shortfall(path, info, rule)
    if problem or info.retain_until is None or info.retention_mode is None:
        raise StoreError(problem or f"{path} has no lock", fix="check the bucket's lock; nothing was committed")
    return {"mode": info.retention_mode, "until": canonical.format_time(info.retain_until)}


def shortfall(path: str, info: ObjectInfo, rule: RetentionRule) -> str:
    """Return how the lock that was read back falls short of ``rule``, empty if it does not."""
    if info.retain_until is None or info.retention_mode is None:
        return f"{path} has no lock that this role may see: it needs s3:GetObjectRetention"
    if _STRENGTH.get(info.retention_mode, 0) < _STRENGTH[rule.mode]:
        return f"{path} is locked in {info.retention_mode} mode, not {rule.mode}"
    if info.written_at is not None:
        wanted = rule.until(path, info.written_at)
        if info.retain_until < wanted - TOLERANCE:
            return f"{path} is kept until {_day(info.retain_until)}, not {_day(wanted)}"
    return ""


def differences(promised: RetentionRule, configured: RetentionRule) -> Iterator[str]:
    """Yield what ``configured`` says otherwise than ``promised``, one line each."""
    if promised.mode != configured.mode:
        yield f"mode {promised.mode} -> {configured.mode}"
    if promised.days != configured.days:
        yield f"{promised.days} -> {configured.days} days"
    for dataset in sorted({*promised.datasets, *configured.datasets}):
        before, after = promised.datasets.get(dataset, promised.days), configured.datasets.get(dataset, configured.days)
        if before != after:
            yield f"{dataset} {before} -> {after} days"


def _day(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
