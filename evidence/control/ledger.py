"""What people decided about single items: dispositions of review items, and waivers of exceptions (design.md section 8).

Both are registers, so they are sealed as used. Neither can hide anything: a disposition settles an open item only if an entitled
person wrote it in time about what is still seen, and a waiver never changes a status. Pure.
"""

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from evidence.control.model import Control
from evidence.control.register import Registers, Row
from evidence.control.result import Disposed, NightFinding, Observation, Outcome, Waived
from evidence.snapshot.model import DAY, start_of
from evidence.snapshot.people import persons, same_person

SIGNS: Final = "disposition"  # in `may_sign` of register.reviewers
TWO_PEOPLE: Final = frozenset({"critical", "high"})  # severities whose benign items need a second person
Place = Literal["open", "exception", "reviewed"]


@dataclass(frozen=True, slots=True)
class Settled:
    """Where an item that needs a person stands, and the record that put it there."""

    place: Place
    record: Disposed | None = None


class Ledger:
    """Dispositions of one control and night, as known at one moment."""

    def __init__(self, registers: Registers, control: Control, night: dt.date, known_at: dt.datetime) -> None:
        self._severity = control.severity
        self._due = start_of(night) + DAY * (1 + control.review_days)
        self._known_at = known_at
        self._reviewers = registers.rows.get("reviewers", ())
        rows = [
            row
            for row in registers.rows.get("dispositions", ())
            if row["control"] == control.id and row["night"] == night and _moment(row) <= known_at
        ]
        self._rows = sorted(rows, key=_moment)

    def settle(self, seen: Observation) -> Settled:
        """Say where ``seen`` stands: the last record that counts decides; without one it is open until it is overdue."""
        counting = [row for row in self._rows if _about(row, seen) and self._counts(row, seen)]
        if not counting:
            return Settled("exception" if self._known_at >= self._due else "open")
        row = counting[-1]
        outcome: Outcome = "confirmed" if row["disposition"] == "confirmed" else "benign"
        if outcome == "benign" and min(map(_moment, counting)) >= self._due:
            outcome = "late"
        record = Disposed(seen.item, seen.reason, outcome, row["reviewer"], row["second_reviewer"] or "", _moment(row))
        return Settled("reviewed" if outcome == "benign" else "exception", record)

    def _counts(self, row: Row, seen: Observation) -> bool:
        """Entitled people who are not the subject; who says that a grave item is benign does not say so alone."""
        people = [row["reviewer"], *([row["second_reviewer"]] if row["second_reviewer"] else [])]
        if not all(self._entitled(person, _moment(row).date(), seen) for person in people):
            return False
        return row["disposition"] == "confirmed" or self._severity not in TWO_PEOPLE or persons(people) > 1

    def _entitled(self, person: str, day: dt.date, seen: Observation) -> bool:
        words = set(re.split(r"[/\s:,]+", seen.item))
        return any(
            row["person"] == person
            and SIGNS in row["may_sign"]
            and row["approved_on"] <= day < row["expires"]
            and not words & set(row["logins"])
            for row in self._reviewers
        )


def waive(findings: Sequence[NightFinding], registers: Registers) -> list[NightFinding]:
    """Return ``findings`` with the waivers that hold for their exceptions. No status changes.

    A waiver holds for the items it names, of the control version it was approved for, from its approval or its record, whichever is
    later, up to its expiry, approved by another than who asked, and only while its compensating control came out satisfied
    the same night; a critical or high control needs one.
    """
    satisfied = {finding.control for finding in findings if finding.status == "satisfied"}
    rows = registers.rows.get("waivers", ())
    return [_waived(finding, rows, satisfied) if finding.exceptions and rows else finding for finding in findings]


def _waived(finding: NightFinding, rows: Iterable[Row], satisfied: set[str]) -> NightFinding:
    holding = [row for row in rows if _holds(row, finding, satisfied)]
    waived = tuple(
        Waived(seen.item, seen.reason, row["id"])
        for seen in finding.exceptions
        for row in [next((row for row in holding if seen.item in row["items"]), None)]
        if row is not None
    )
    return dataclasses.replace(finding, waived=waived)


def _holds(row: Row, finding: NightFinding, satisfied: set[str]) -> bool:
    begins = max(row["approved_on"], _moment(row).date())
    compensated = row["compensating_control"]
    return (
        row["control"] == finding.control
        and row["control_version"] == finding.version
        and not same_person(row["approved_by"], row["requested_by"])
        and begins <= finding.night < row["expires"]
        and compensated != finding.control
        and (compensated in satisfied if compensated else finding.severity not in TWO_PEOPLE)
    )


def _about(row: Row, seen: Observation) -> bool:
    return bool(row["item"] == seen.item and row["reason"] == seen.reason and (row["observed"] or "") == seen.observed)


def _moment(row: Mapping[str, dt.datetime]) -> dt.datetime:
    return row["recorded_at"].replace(tzinfo=dt.UTC)
