"""What people said about one access, in the order they said it: what counts, what does not, what was replaced. Pure.

Counted as ``access-review-signoff`` counts: the last decision on a row, if it counts. What stood before it was in force until then.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.control.register import Registers, Row
from evidence.render.words import _, join, ngettext
from evidence.review.decisions import REMOVE, entitled, own_as
from evidence.snapshot.model import DAY

_TIES: Final = {
    "holder": _("the reviewer is the holder"),
    "superior": _("the reviewer reports to the holder"),
    "": "",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One decision: ``fault`` says why it does not count, ``then`` is the decision that replaced it."""

    row: Row
    fault: str
    then: Row | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """The decisions on one access, earliest first. ``counts`` is the last one if it counts."""

    said: tuple[Said, ...]

    @property
    def counts(self) -> Row | None:
        """The last decision, if it counts."""
        last = self.said[-1]
        return None if last.fault else last.row

    @property
    def replaced(self) -> tuple[Said, ...]:
        """Every decision that another one followed."""
        return self.said[:-1]

    def late(self, due: dt.date) -> Row | None:
        """Return the first decision that counts after ``due``, if none that counted stood at the end of that day; else None."""
        stood = [each for each in self.said if each.row["decided_at"].date() <= due]
        if self.counts is None or (stood and not stood[-1].fault):
            return None
        return next(each.row for each in self.said[len(stood) :] if not each.fault)


def course_of(decisions: Sequence[Row], fault: Callable[[Row], str]) -> Course:
    """Return the course of the decisions on one access; ``decisions`` are one or more, earliest first."""
    after = [*decisions[1:], None]
    return Course(tuple(Said(row, fault(row), then) for row, then in zip(decisions, after, strict=True)))


def fault_of(registers: Registers, decision: Row, item: Any) -> str:
    """Say why a decision on ``item``, a row of a list, does not count; empty if it does. ``item`` is None without such a row."""
    if item is None:
        return _("it names no row of the list")
    if any(decision[name] != item[name] for name in ("system", "holder", "access")):
        return _("it names another access than the row of the list")
    reviewer = entitled(registers, decision["reviewer"], decision["decided_at"].date())
    if reviewer is None:
        return _("the reviewer was not registered for access reviews that day")
    return _TIES[own_as(reviewer, item)]


def became(first: Said, execute_days: int, standing: str, why: str) -> str:
    """Say what became of a decision that a later one replaced.

    ``standing`` is that of ``evidence.review.decisions`` for it at the capture looked at, with its words ``why``.
    """
    if first.fault:
        return join(": ", [_("did not count"), first.fault])
    if first.row["decision"] != REMOVE:
        return _("was in force until then")
    due = removal_due(first.row, execute_days)
    match standing:
        case "closed":
            return join(": ", [_("removed"), why])
        case "reopened":
            return join(": ", [_("removed, and granted anew"), why])
        case "open":
            return join("; ", [_not_removed(first, due), why])
    return _("no capture shows whether it was removed; due {due}", due=due)


def _not_removed(first: Said, due: dt.date) -> str:
    over = 0 if first.then is None else (first.then["decided_at"].date() - due).days
    if over <= 0:
        return _("not removed; replaced before that was due on {due}", due=due)
    return ngettext(
        "not removed though due on {due}; replaced {n} day after that",
        "not removed though due on {due}; replaced {n} days after that",
        over,
        due=due,
    )


def overdue(first: Said, execute_days: int, standing: str) -> bool:
    """Whether a removal was past its day, and not carried out as far as a capture shows, when another decision replaced it."""
    if first.fault or first.then is None or first.row["decision"] != REMOVE or standing == "closed":
        return False
    return bool(first.then["decided_at"].date() > removal_due(first.row, execute_days))


def removal_due(decision: Row, execute_days: int) -> dt.date:
    """Return the day by which what was to be removed is removed."""
    due: dt.date = decision["decided_at"].date() + execute_days * DAY
    return due


def in_force_when_due(each: Said, execute_days: int) -> dt.date | None:
    """Return the day a removal fell due, if it was not replaced before; None if there is no such day."""
    if each.fault or each.row["decision"] != REMOVE:
        return None
    due = removal_due(each.row, execute_days)
    return due if each.then is None or each.then["decided_at"].date() > due else None


def signature_faults(registers: Registers, row: Row, quarter: dt.date) -> list[str]:
    """Return what is wrong with a signature on its face: for such a one a part is not signed."""
    reviewer = entitled(registers, row["reviewer"], row["signed_at"].date())
    faults = {
        _("the signer was not registered for access reviews that day"): reviewer is None,
        _("signed before the quarter was over"): row["signed_at"].date() <= quarter,
        _("what was signed is not the list"): row["signed_sha256"] != row["list_sha256"],
        _("rows without a decision"): row["decided"] < row["listed"],
    }
    return [words for words, holds in faults.items() if holds]


def standing_signatures(signed: Iterable[tuple[Row, Sequence[str]]]) -> dict[tuple[str, int], Row]:
    """Return, by scope and part, the signature that stands: the last without a fault, else the last (as the control takes it)."""
    found: dict[tuple[str, int], tuple[bool, dt.datetime, Row]] = {}
    for row, faults in signed:
        place, rank = (row["scope"], row["part"]), (not faults, row["signed_at"])
        if place not in found or rank >= found[place][:2]:
            found[place] = (*rank, row)
    return {place: row for place, (_good, _at, row) in found.items()}
