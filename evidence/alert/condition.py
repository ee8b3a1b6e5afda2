"""Conditions: what somebody should know of, derived from the log, the registers and a moment. Pure.

A condition has an identity (kind and subject) and either stands or does not. What is told is a change of that: when it begins to stand and
when it ends, never that it still stands (``evidence.alert.ledger``). Its words name controls, datasets and nights; they never quote an item
or a row, because messages leave the house.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from evidence.control.result import NightFinding
from evidence.errors import MalformedError
from evidence.snapshot.model import DAY

Kind = Literal[
    "missed-night",  # a covered window is overdue and not sealed
    "not-read-whole",  # the newest sealed night of a dataset is incomplete, denied, unavailable or of another edition
    "failing",  # a control has exceptions that no waiver accepts
    "not-assessed",  # a control could not be judged, and not because something is still to come
    "review-overdue",  # an item that a person had to look at is past its day
    "expiring",  # a waiver, certificate or attestation ends soon
    "integrity",  # the last check of the store found something, or a checkpoint could not be delivered
]
REACH: Final = (
    35  # nights back: what was lost before is in `evidence status` and in packets, and nobody can mend it any more
)
AGEING: Final = frozenset({"missed-night", "expiring"})  # kinds that pass out of reach
WAITING: Final = frozenset({"pending", "pending-review", "before-coverage"})  # reasons that are nobody's fault yet


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that stands. ``since`` is the night or day it is about; ``fix`` the first step."""

    kind: Kind
    subject: str
    severity: str
    since: dt.date
    summary: str
    fix: str = ""

    @property
    def key(self) -> str:
        """The identity: ``failing/identity-dormant``."""
        return f"{self.kind}/{self.subject}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        words = {name: getattr(self, name) for name in ("kind", "subject", "severity", "summary", "fix")}
        return {**words, "since": self.since.isoformat()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling. Raises ``MalformedError``."""
        try:
            return cls(**{**body, "since": dt.date.fromisoformat(body["since"])})
        except (KeyError, TypeError, ValueError) as exc:
            raise MalformedError(f"malformed condition: {exc!r}") from exc


@dataclass(frozen=True, slots=True)
class Seen:
    """All conditions that stand, and the keys nothing can be said of now: what stood of those still does."""

    standing: tuple[Condition, ...]
    unknown: frozenset[str] = frozenset()


def of_windows(windows: Iterable[tuple[str, str, Mapping[dt.date, str]]], today: dt.date) -> Iterator[Condition]:
    """Yield what was lost or not read whole; ``windows`` are source, dataset and night -> word of ``evidence status``.

    Lost nights are one condition per source and night, whatever the number of datasets; of what was not read whole only a dataset's
    newest sealed night speaks.
    """
    lost: dict[tuple[str, dt.date], list[str]] = {}
    for source, dataset, words in windows:
        recent = {night: word for night, word in sorted(words.items()) if night >= today - DAY * REACH}
        for night, word in recent.items():
            if word == "missing":
                lost.setdefault((source, night), []).append(dataset)
        sealed = [(night, word) for night, word in recent.items() if word in _SEALED]
        if sealed and sealed[-1][1] in _FIRST_STEP:
            night, word = sealed[-1]
            yield Condition(
                "not-read-whole",
                f"{source}/{dataset}",
                "high",
                night,
                f"{dataset} of {source} is {word} on {night}",
                _FIRST_STEP[word],
            )
    for (source, night), datasets in sorted(lost.items()):
        yield Condition(
            "missed-night",
            f"{source}/{night}",
            "critical",
            night,
            f"night {night} of {source}: {len(datasets)} datasets are overdue and not sealed, first {min(datasets)}",
            "`evidence doctor`, then `evidence collect`: events can be made up for, state that nobody captured cannot",
        )


_FIRST_STEP: Final = {
    "incomplete": "look at the receipt: what arrived is not what the source counted; `evidence collect` tries again",
    "denied": "`evidence doctor` names the grant",
    "unavailable": "`evidence collect` tries again; if it stays, ask who runs the source",
    "edition": "the account's edition has no such view: leave the dataset out, or choose a profile that says so",
}
_SEALED: Final = frozenset({*_FIRST_STEP, "complete", "provisional", "late"})


def of_findings(nights: Sequence[tuple[dt.date, Sequence[NightFinding]]]) -> Seen:
    """Say which controls fail or cannot be judged; ``nights`` are assessed nights with their findings, newest first.

    A night that is only waiting (late rows, a person's look) says nothing: the night before it speaks. A control that was failing and cannot
    be judged now has not recovered: that it fails is then unknown.
    """
    standing: list[Condition] = []
    unknown: set[str] = set()
    said: set[str] = set()
    waiting: set[str] = set()
    for night, findings in nights:
        for finding in findings:
            if finding.control in said:
                continue
            if finding.status == "not-assessed" and finding.reason in WAITING:
                waiting.add(finding.control)
                continue
            said.add(finding.control)
            if finding.status == "not-satisfied" and finding.open:
                standing.append(_failing(finding, night))
            elif finding.status == "not-assessed":
                unknown.add(f"failing/{finding.control}")
                standing.append(_unjudged(finding, night))
    for control in waiting - said:
        unknown |= {f"failing/{control}", f"not-assessed/{control}"}
    return Seen(tuple(standing), frozenset(unknown))


def _failing(finding: NightFinding, night: dt.date) -> Condition:
    accepted = f", {len(finding.waived)} more are waived" if finding.waived else ""
    reasons = ", ".join(sorted({seen.reason for seen in finding.exceptions}))
    return Condition(
        "failing",
        finding.control,
        finding.severity,
        night,
        f"{finding.control}: {finding.open} of {finding.population} items are exceptions on {night}{accepted} ({reasons})",
        f"`evidence assess --date {night} --control {finding.control} --json` lists the items",
    )


def _unjudged(finding: NightFinding, night: dt.date) -> Condition:
    return Condition(
        "not-assessed",
        finding.control,
        finding.severity,
        night,
        f"{finding.control} could not be judged on {night}: {finding.reason}",
        f"`evidence assess --date {night} --control {finding.control}` says what is missing",
    )


def of_ends(ends: Iterable[tuple[str, str, dt.date, str]], today: dt.date, notice: int) -> Iterator[Condition]:
    """Yield what ends within ``notice`` days of ``today`` or has ended in the days of ``REACH``; ``ends`` are subject, name, day, fix."""
    for subject, name, day, fix in ends:
        if today - DAY * REACH <= day <= today + DAY * notice:
            word = "ended" if day <= today else "ends"
            yield Condition("expiring", subject, "high", day, f"{name} {word} on {day}", fix)
