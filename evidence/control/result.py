"""What an assessment says: verdicts per item, findings per night, findings per period.

Pure values; spelled as JSON in ``docs/formats/findings.md``. The algebra that makes them is in
``evidence.control.engine`` (a night) and ``evidence.control.period`` (a period).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self

from evidence.control.longlist import columns, compact
from evidence.control.replaced import FindingStatus, Flat, Observation, Replaced, Result, Verdict
from evidence.errors import MalformedError
from evidence.snapshot import canonical

__all__ = [
    "IN_TIME",
    "VERDICTS",
    "Disposed",
    "FindingStatus",
    "Input",
    "Interval",
    "NightFinding",
    "Observation",
    "Outcome",
    "PeriodFinding",
    "RuleChange",
    "Stretch",
    "Verdict",
    "Waived",
    "noted_among",
    "parts",
    "streamed",
]

IN_TIME: Final = "a disposition within "  # what is expected of a hit that nobody judged in time begins so
Outcome = Literal["benign", "confirmed", "late"]  # late: benign, but after the review was due
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "review")


@dataclass(frozen=True, slots=True)
class Input:
    """One snapshot a finding rests on."""

    source: str
    dataset: str
    night: dt.date
    revision: int
    manifest_sha256: str
    rows_digest: str
    status: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling, manifest digest included."""
        return {
            "source": self.source,
            "dataset": self.dataset,
            "night": self.night.isoformat(),
            "revision": self.revision,
            "manifest_sha256": self.manifest_sha256,
            "rows_digest": self.rows_digest,
            "status": self.status,
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling."""
        return cls(**{**body, "night": dt.date.fromisoformat(body["night"])})


@dataclass(frozen=True, slots=True)
class Disposed:
    """What a person recorded about an item that had to be looked at."""

    item: str
    reason: str
    outcome: Outcome
    reviewer: str
    second_reviewer: str
    recorded_at: dt.datetime

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        body = {name: getattr(self, name) for name in ("item", "reason", "outcome", "reviewer", "second_reviewer")}
        return {**body, "recorded_at": canonical.format_time(self.recorded_at)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling."""
        return cls(**{**body, "recorded_at": canonical.parse_time(body["recorded_at"])})


@dataclass(frozen=True, slots=True)
class Waived(Flat):
    """An exception that a waiver in force accepts; it stays an exception."""

    item: str
    reason: str
    waiver: str


@dataclass(frozen=True, slots=True)
class NightFinding:
    """The conclusion for one control and one night (design.md section 8).

    ``reason`` says why a night is not assessed or not applicable (``missing-evidence``, ``denied``, ``incomplete``,
    ``unavailable``, ``stale``, ``edition``, ``empty``, ``before-coverage``, ``disabled``, ``pending``, ``pending-review``,
    ``control-error``) with the detail in ``detail``. ``population`` items are identified by count and order-free fingerprint; only items that did not pass
    are listed. ``disposed`` are records of the review ledger, ``waived`` the exceptions a waiver accepts,
    ``replaced`` the rule before, on the night that another one came into force; these stand in the JSON only if there are any.
    """

    control: str
    version: str
    content_sha256: str
    night: dt.date
    status: FindingStatus
    severity: str
    population: int = 0
    fingerprint: str = ""
    passed: int = 0
    exceptions: Sequence[Observation] = ()
    reviews: Sequence[Observation] = ()
    reason: str = ""
    detail: str = ""
    inputs: tuple[Input, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    disposed: tuple[Disposed, ...] = ()
    waived: tuple[Waived, ...] = ()
    replaced: Replaced | None = None

    @property
    def result(self) -> Result:
        """What was found, without what it was found by and in."""
        return Result(
            self.status, self.population, self.passed, self.reason, self.detail, self.exceptions, self.reviews
        )

    @property
    def rule(self) -> tuple[str, str, bytes]:
        """What it was judged by: version, content and parameters."""
        return self.version, self.content_sha256, canonical.encode(dict(self.parameters))

    @property
    def open(self) -> int:
        """Exceptions that no waiver accepts."""
        return len(self.exceptions) - len(self.waived)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        people: dict[str, tuple[Disposed | Waived, ...]] = {"disposed": self.disposed, "waived": self.waived}
        return {
            "control": self.control,
            "version": self.version,
            "content_sha256": self.content_sha256,
            "night": self.night.isoformat(),
            "status": self.status,
            "severity": self.severity,
            "population": self.population,
            "fingerprint": self.fingerprint,
            "passed": self.passed,
            "exceptions": [o.to_json() for o in self.exceptions],
            "reviews": [o.to_json() for o in self.reviews],
            "reason": self.reason,
            "detail": self.detail,
            "inputs": [i.to_json() for i in self.inputs],
            "parameters": dict(self.parameters),
            **{name: [each.to_json() for each in found] for name, found in people.items() if found},
            **({"replaced": self.replaced.to_json()} if self.replaced else {}),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling; raise ``MalformedError`` for anything :meth:`to_json` does not write."""
        try:
            finding = cls(
                **{
                    **body,
                    "night": dt.date.fromisoformat(body["night"]),
                    "exceptions": compact(Observation.from_json(o) for o in body["exceptions"]),
                    "reviews": compact(Observation.from_json(o) for o in body["reviews"]),
                    "inputs": tuple(Input.from_json(i) for i in body["inputs"]),
                    "disposed": tuple(Disposed.from_json(d) for d in body.get("disposed", ())),
                    "waived": tuple(Waived.from_json(w) for w in body.get("waived", ())),
                    "replaced": Replaced.from_json(body["replaced"]) if "replaced" in body else None,
                }
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise MalformedError(f"malformed finding: {exc!r}") from exc
        if finding.to_json() != dict(body):
            raise MalformedError(f"finding of {finding.control} has parts the writer does not write")
        return finding


@dataclass(frozen=True, slots=True)
class Interval:
    """One exception over a period: an item that failed for one reason on a run of nights.

    ``first_seen`` and ``last_seen`` are nights; ``open`` is true if it still failed on the last assessed night;
    ``remediated_on`` is the first assessed night on which it no longer failed; ``days_open`` counts from first seen to
    remediation, or to the last assessed night, in days. For a state, assessed means tested: where nothing was in scope
    nothing showed it gone. ``waivers`` names those that accepted it on any of its nights, ``waived_nights``
    how many nights that were; both stand in the JSON only if there are any.
    """

    item: str
    reason: str
    first_seen: dt.date
    last_seen: dt.date
    nights: int
    open: bool
    days_open: int
    remediated_on: dt.date | None = None
    observed: str = ""
    expected: str = ""
    waivers: tuple[str, ...] = ()
    waived_nights: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {
            "item": self.item,
            "reason": self.reason,
            "first_seen": self.first_seen.isoformat(),
            "last_seen": self.last_seen.isoformat(),
            "nights": self.nights,
            "open": self.open,
            "days_open": self.days_open,
            "remediated_on": self.remediated_on.isoformat() if self.remediated_on else None,
            "observed": self.observed,
            "expected": self.expected,
            **({"waivers": list(self.waivers), "waived_nights": self.waived_nights} if self.waivers else {}),
        }


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive nights of a period assessed by one version, content and set of parameters; ``status`` is its worst."""

    start: dt.date
    end: dt.date
    version: str
    content_sha256: str
    parameters: Mapping[str, Any]
    status: FindingStatus
    nights: int

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "version": self.version,
            "content_sha256": self.content_sha256,
            "parameters": dict(self.parameters),
            "status": self.status,
            "nights": self.nights,
        }


@dataclass(frozen=True, slots=True)
class RuleChange:
    """The first night of another rule, with what either rule found on it. ``replaced`` says what the old one was, and found."""

    night: dt.date
    replaced: Replaced
    result: Result

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        both = {"replaced": self.replaced.to_json(), "result": self.result.to_json()}
        return {"night": self.night.isoformat(), **both}


@dataclass(frozen=True, slots=True)
class PeriodFinding:
    """The conclusion for one control over a period, with what people read (auditor-rules section 1)."""

    control: str
    start: dt.date
    end: dt.date
    status: FindingStatus
    conclusion: str
    expected: int
    satisfied: int
    not_satisfied: int
    not_assessed: int
    not_applicable: int = 0
    before_coverage: int = 0
    longest_gap: int = 0
    tested_items: int = 0
    exceptions: Sequence[Interval] = ()  # by item, reason and first night
    reviews: Sequence[Interval] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)  # night -> reason and detail
    strip: Mapping[str, FindingStatus] = field(default_factory=dict)  # night -> status, for the heat strip
    stretches: tuple[Stretch, ...] = ()  # more than one: content or parameters changed inside the period
    changes: tuple[RuleChange, ...] = ()  # one per night on which another rule came into force

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {
            "control": self.control,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "status": self.status,
            "conclusion": self.conclusion,
            "nights": {
                "expected": self.expected,
                "satisfied": self.satisfied,
                "not_satisfied": self.not_satisfied,
                "not_assessed": self.not_assessed,
                "not_applicable": self.not_applicable,
                "before_coverage": self.before_coverage,
                "longest_gap": self.longest_gap,
            },
            "tested_items": self.tested_items,
            "exceptions": [i.to_json() for i in self.exceptions],
            "reviews": [i.to_json() for i in self.reviews],
            "unknown": dict(self.unknown),
            "strip": dict(self.strip),
            "stretches": [s.to_json() for s in self.stretches],
            **({"changes": [change.to_json() for change in self.changes]} if self.changes else {}),
        }


def streamed(finding: NightFinding | PeriodFinding) -> dict[str, Any]:
    """Return the JSON spelling of a finding whose exceptions and reviews are iterators, for :func:`canonical.pieces`."""
    none: dict[str, Any] = {"exceptions": (), "reviews": ()}
    items = {name: (each.to_json() for each in getattr(finding, name)) for name in none}
    return {**replace(finding, **none).to_json(), **items}


def noted_among(intervals: Sequence[Interval], wanted: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of the ``wanted`` (item, reason) are among ``intervals``."""
    return {(item, reason) for item, reason in columns(intervals, "item", "reason") if (item, reason) in wanted}


def parts(periods: Iterable[PeriodFinding]) -> Iterator[tuple[PeriodFinding, str, Sequence[Interval]]]:
    """Yield each finding's exceptions, then its open reviews, in the order of the records of ``data/findings.csv``."""
    for finding in sorted(periods, key=lambda each: each.control):
        yield finding, "exception", finding.exceptions
        yield finding, "review", finding.reviews
