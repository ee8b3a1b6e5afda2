"""A user access review as a packet shows it: who held what, what people decided, what became of it (docs/formats/packet.md). Pure.

Values come from sealed lists, registers and captures; nothing is judged here that `access-review-signoff` does not judge again.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from evidence.render.spreadsheet import Cell
from evidence.render.words import _

State = Literal[
    "kept", "pending", "expired", "removal shown", "removal due later", "removal overdue", "removal not shown", "reopened"
]  # fmt: skip
STATES: Final[Mapping[State, str]] = {
    "kept": _("kept by a decision that counts"),
    "removal shown": _("to be removed, and a later capture shows it gone"),
    "removal due later": _("to be removed, due after the period's end: a subsequent event"),
    "removal not shown": _("to be removed, and no capture after the decision shows whether it is gone"),
    "removal overdue": _("to be removed, and still held past the day it was due"),
    "reopened": _("removed and granted anew since the decision"),
    "pending": _("no decision that counts, and the review is not due yet"),
    "expired": _("no decision that counts by the day the review was due"),
}
REMOVALS: Final[tuple[State, ...]] = (
    *("removal overdue", "reopened", "removal not shown", "removal due later", "removal shown"),
)
COLUMNS: Final = (
    *("quarter", "list_sha256", "row", "system", "kind", "holder", "access", "holder_is", "gravest", "phi", "brings_roles"),
    *("objects", "granted_on", "granted_by", "last_used", "change", "decision", "asked", "reviewer", "decided_at"),
    *("decided_on", "note", "state", "removal_due", "why"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One row of a list with its decision. ``listed`` are the list's own words by name; without a sealed list it has the identity only."""

    listed: Mapping[str, str | int]
    state: State
    decision: str = ""
    asked: str = ""
    reviewer: str = ""
    decided_at: dt.datetime | None = None
    decided_on: dt.date | None = None
    note: str = ""
    due: dt.date | None = None
    why: str = ""

    def shown(self, name: str) -> str | int:
        """Return a word of the list; ``not known`` where it is not sealed."""
        return self.listed.get(name, "not known")


@dataclass(frozen=True, slots=True)
class SetAside:
    """A decision that does not count, and why."""

    system: str
    holder: str
    access: str
    decision: str
    reviewer: str
    decided_at: dt.datetime
    why: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A signed part of the review of one scope, as the register has it; ``fault`` says what is wrong with it on its face."""

    scope: str
    part: int
    parts: int
    reviewer: str
    listed: int
    decided: int
    signed_at: dt.datetime
    fault: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """The review of one quarter. Without ``list_sha256`` its list was not sealed in this store: rows are the decisions alone.

    ``looked_at`` is the night whose capture shows what is still held, None with the reason in ``gap``. ``later`` counts decisions
    recorded after the period's end, ``lists`` how many lists of the quarter were sealed.
    """

    quarter: dt.date
    due: dt.date
    execute_days: int
    rows: tuple[Reviewed, ...]
    set_aside: tuple[SetAside, ...]
    signatures: tuple[Signature, ...]
    looked_at: dt.date | None
    gap: str = ""
    list_sha256: str = ""
    entry: int | None = None
    night: dt.date | None = None
    listed_at: str = ""
    fingerprint: str = ""
    phi_gap: str = ""
    later: int = 0
    lists: int = 0

    @property
    def states(self) -> dict[State, int]:
        """How many rows are in each state, in the order of ``STATES``."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in STATES}

    @property
    def reviewers(self) -> list[tuple[str, int, int, int]]:
        """Reviewer, rows decided that count, kept, to be removed."""
        found: dict[str, Counter[str]] = {}
        for row in self.rows:
            if row.decision:
                found.setdefault(row.reviewer, Counter())[row.decision] += 1
        return [(name, kept.total(), kept["keep"], kept["remove"]) for name, kept in sorted(found.items())]

    @property
    def removals(self) -> tuple[Reviewed, ...]:
        """Rows to be removed, those that want looking at first."""
        found = [row for row in self.rows if row.state in REMOVALS]
        return tuple(sorted(found, key=lambda row: (REMOVALS.index(row.state), *_identity(row))))

    @property
    def undecided(self) -> tuple[Reviewed, ...]:
        """Rows without a decision that counts, in the order of the list: grave ones first."""
        return tuple(row for row in self.rows if row.state in {"pending", "expired"})

    def held(self, name: str) -> list[tuple[str, str, int, int, int]]:
        """Return account, value of ``name``, rows, holders and rows with PHI, by account, then the most rows first."""
        rows: Counter[tuple[str, str]] = Counter()
        phi: Counter[tuple[str, str]] = Counter()
        holders: dict[tuple[str, str], set[str]] = {}
        for row in self.rows:
            place = (str(row.listed["system"]), str(row.shown(name)) or "nothing grave")
            rows[place] += 1
            phi[place] += str(row.shown("phi")) not in {"none found", "not known"}
            holders.setdefault(place, set()).add(str(row.listed["holder"]))
        found = [(*place, count, len(holders[place]), phi[place]) for place, count in rows.items()]
        return sorted(found, key=lambda each: (each[0], -each[2], each[1]))


@dataclass(frozen=True, slots=True)
class AccessReview:
    """The reviews performed in a period, and the quarters whose review lies after it: ``pending`` with what is known of each."""

    campaigns: tuple[Campaign, ...]
    pending: tuple[tuple[dt.date, str], ...]


def review_rows(review: AccessReview) -> Iterator[list[Cell]]:
    """Yield every row of every campaign, in the order of ``COLUMNS``."""
    for campaign in review.campaigns:
        for row in campaign.rows:
            names = ("row", "system", "kind", "holder", "access", "who", "gravest", "phi", "roles", "objects")
            more = ("granted_on", "granted_by", "used", "change")
            yield [
                campaign.quarter,
                campaign.list_sha256,
                *(row.listed.get(name, "") for name in (*names, *more)),
                *(row.decision, row.asked, row.reviewer),
                row.decided_at.isoformat(timespec="seconds") + "Z" if row.decided_at else "",
                *(row.decided_on, row.note, row.state, row.due, row.why),
            ]


def _identity(row: Reviewed) -> Sequence[str]:
    return [str(row.listed[name]) for name in ("system", "kind", "holder", "access")]
