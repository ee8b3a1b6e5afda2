"""A user access review as a packet shows it: who held what, what people decided, what became of it (docs/formats/packet.md). Pure.

Values come from sealed lists, registers and captures; nothing is judged here that `access-review-signoff` does not judge again.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from evidence.render.spreadsheet import Cell
from evidence.render.text import number
from evidence.render.words import Phrase, _, ngettext

State = Literal[
    "kept", "decided late", "pending", "expired", "removal shown", "removal due later", "removal overdue", "removal not shown",
    "reopened",
]  # fmt: skip
STATES: Final[Mapping[State, str]] = {
    "kept": _("kept by a decision that counts, in time"),
    "decided late": _(
        "kept, but no decision that counts stood on the day the review was due: one was recorded after it"
    ),
    "removal shown": _("to be removed, and a later capture shows it gone"),
    "removal due later": _("to be removed, due after the period's end: a subsequent event"),
    "removal not shown": _("to be removed, and no capture after the decision shows whether it is gone"),
    "removal overdue": _("to be removed, and still held past the day it was due"),
    "reopened": _("removed and granted anew since the decision"),
    "pending": _("no decision that counts, and the review is not due yet"),
    "expired": _("no decision that counts up to the period's end, though the review was due"),
}
REMOVALS: Final[tuple[State, ...]] = (
    *("removal overdue", "reopened", "removal not shown", "removal due later", "removal shown"),
)
COLUMNS: Final = (
    *("quarter", "list_sha256", "row", "system", "kind", "holder", "access", "holder_is", "gravest", "phi", "brings_roles"),
    *("objects", "granted_on", "granted_by", "last_used", "change", "decision", "asked", "reviewer", "decided_at"),
    *("decided_on", "note", "state", "removal_due", "why", "decided_late"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One row of a list with its decision. ``listed`` are the list's own words by name; without a sealed list it has the identity only.

    ``late`` is the day of the first decision that counts, where none stood on the day the review was due.
    """

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
    late: dt.date | None = None

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
class Replaced:
    """A decision and the next one on the same access. ``became`` says what became of the first, ``overdue`` that a removal was past its day."""

    system: str
    holder: str
    access: str
    decision: str
    reviewer: str
    decided_at: dt.datetime
    then: str
    by: str
    at: dt.datetime
    became: str
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """A signed part of the review of one scope, as the register has it.

    ``fault`` says what is wrong with it on its face: the day it is signed on included. ``stands`` is false where another signature of
    the same part stands for it.
    """

    scope: str
    part: int
    parts: int
    reviewer: str
    listed: int
    decided: int
    signed_at: dt.datetime
    fault: str
    stands: bool = True


@dataclass(frozen=True, slots=True)
class Acts:
    """What happened in the period, and is why a review is shown: lists sealed, decisions recorded, parts signed; days that fell into it."""

    listed: int = 0
    decided: int = 0
    replacing: int = 0  # of the decisions: those that replace an earlier one
    signed: int = 0
    removals_due: int = 0
    review_due: bool = False

    @property
    def any(self) -> bool:
        """Whether there is any reason to show the review."""
        return bool(self.listed or self.decided or self.signed or self.removals_due or self.review_due)

    @property
    def words(self) -> tuple[Phrase, ...]:
        """The reasons, in words."""
        said = [
            (self.listed, ngettext("{n} list was sealed", "{n} lists were sealed", self.listed)),
            (self.decided, ngettext("{n} decision was recorded", "{n} decisions were recorded", self.decided)),
            (self.replacing, self._replacing),
            (self.signed, ngettext("{n} signature was given", "{n} signatures were given", self.signed)),
            (self.removals_due, ngettext("{n} removal fell due", "{n} removals fell due", self.removals_due)),
            (self.review_due, _("the review itself fell due")),
        ]
        return tuple(words for holds, words in said if holds)

    @property
    def _replacing(self) -> Phrase:
        if self.replacing == self.decided:
            return ngettext("which replaces an earlier one", "all of which replace an earlier one", self.decided)
        return ngettext("{n} of them replaces an earlier one", "{n} of them replace an earlier one", self.replacing)


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
    replaced: tuple[Replaced, ...] = ()
    acts: Acts = Acts()
    scope: str = "snowflake"  # whose rows are shown

    @property
    def late(self) -> tuple[Reviewed, ...]:
        """Rows whose first decision that counts came after the day the review was due, the latest first."""
        found = [row for row in self.rows if row.late is not None]
        return tuple(sorted(found, key=lambda row: (-(row.late or self.due).toordinal(), *_identity(row))))

    @property
    def others(self) -> list[str]:
        """Scopes that are signed and whose lists are kept elsewhere."""
        return sorted({each.scope for each in self.signatures} - {self.scope})

    @property
    def signed_rows(self) -> int | None:
        """Rows that the parts that stand of the scope shown say they list; None if none is signed, or there are more lists than one."""
        mine = [each.listed for each in self.signatures if each.scope == self.scope and each.stands]
        return sum(mine) if mine and self.lists == (1 if self.list_sha256 else 0) else None

    def decided_after(self, signature: Signature) -> int:
        """Count the rows shown whose decision that stands, the first or another one, was recorded after the signature was given.

        Zero for a signature of another scope, whose rows are kept elsewhere. Which part a row is of is not known here.
        """
        if signature.scope != self.scope:
            return 0
        return sum(row.decided_at is not None and row.decided_at > signature.signed_at for row in self.rows)

    def remarks(self, signature: Signature) -> tuple[Phrase, ...]:
        """Say what the face of a signature does not show of the rows: decided late, or after it, as far as its part is known to have them."""
        if signature.scope != self.scope or not signature.stands:
            return ()
        if len(self._mine) > 1:
            return (_("for its rows see the note below"),) if self.late or self.after_parts else ()
        late, after = len(self.late), self.decided_after(signature)
        said = (
            (late, ngettext("{n} row was first decided after the review was due", "{n} rows were first decided after the review was due", late)),
            (after, ngettext("{n} row was decided, or decided anew, after it", "{n} rows were decided, or decided anew, after it", after)),
        )  # fmt: skip
        return tuple(words for count, words in said if count)

    @property
    def after_parts(self) -> Phrase | str:
        """Say once, where several parts of the scope shown are signed, how many rows were decided after a signature."""
        mine = sorted(self._mine, key=lambda each: each.signed_at)
        first, last = (self.decided_after(each) for each in (mine[0], mine[-1])) if len(mine) > 1 else (0, 0)
        if not first:
            return ""
        if first == last:
            return ngettext(
                "Over all parts of {scope} {n} row was decided, or decided anew, after each of these signatures; which part a row is of is not known here.",
                "Over all parts of {scope} {n} rows were decided, or decided anew, after each of these signatures; which part a row is of is not known here.",
                first,
                scope=self.scope,
            )
        return ngettext(
            "Over all parts of {scope} {n} row was decided, or decided anew, after the first of these signatures, {last} after the last; which part a row is of is not known here.",
            "Over all parts of {scope} {n} rows were decided, or decided anew, after the first of these signatures, {last} of them after the last; which part a row is of is not known here.",
            first,
            scope=self.scope,
            last=number(last),
        )

    @property
    def _mine(self) -> list[Signature]:
        return [each for each in self.signatures if each.scope == self.scope and each.stands]

    @property
    def signed_only(self) -> list[str]:
        """Who signed a part of any scope and has no decision on a row shown, replaced and not counting ones included."""
        return sorted({each.reviewer for each in self.signatures} - {name for name, *_rest in self.reviewers})

    @property
    def overdue_before(self) -> int:
        """Removals past their day when another decision replaced them."""
        return sum(each.overdue for each in self.replaced)

    @property
    def states(self) -> dict[State, int]:
        """How many rows are in each state, in the order of ``STATES``."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in STATES}

    @property
    def reviewers(self) -> list[tuple[str, int, int, int, int, int]]:
        """Reviewer; rows whose last decision is theirs and counts, of them kept, to be removed; their decisions replaced; not counting.

        A decision that does not count and was replaced is among both.
        """
        found: dict[str, Counter[str]] = {}
        said = [(row.reviewer, row.decision) for row in self.rows if row.decision]
        said += [(each.reviewer, "replaced") for each in self.replaced]
        said += [(each.reviewer, "aside") for each in self.set_aside]
        for reviewer, what in said:
            found.setdefault(reviewer, Counter())[what] += 1
        return [
            (name, n["keep"] + n["remove"], n["keep"], n["remove"], n["replaced"], n["aside"])
            for name, n in sorted(found.items())
        ]

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
    """The reviews shown for a period, and the quarters without one: ``pending`` with what is known of each."""

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
                *(row.decided_on, row.note, row.state, row.due, row.why, row.late),
            ]


def blind_spots(review: AccessReview) -> tuple[Phrase, ...]:
    """Return what the evidence of the reviews cannot show: access that no sealed list names."""
    unsealed = dict.fromkeys(each.quarter for each in review.campaigns if not each.list_sha256)
    return tuple(
        _(
            "No list of who held what was sealed in this store for decisions of the access review of the quarter that ended {quarter}: "
            "that the signed list was complete is not shown, and its signatures are compared with the digest of the list in the register.",
            quarter=quarter,
        )
        for quarter in unsealed
    )


def owned(person: str, owners: Iterable[str]) -> int:
    """Count the controls whose owner, in management's words, names ``person``; the name as a whole, in any case."""
    whole = re.compile(rf"(?<!\w){re.escape(person)}(?!\w)", re.IGNORECASE)
    return sum(bool(person and whole.search(owner)) for owner in owners)


def _identity(row: Reviewed) -> Sequence[str]:
    return [str(row.listed[name]) for name in ("system", "kind", "holder", "access")]
