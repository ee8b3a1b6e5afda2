"""Which answers count, what the registers get, and what became of each removal. Pure.

The registers are those that ``access-review-signoff`` reads; whether a row of them counts is decided there again.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from evidence.control.register import Registers, Row
from evidence.errors import UsageError
from evidence.review.answers import Answer
from evidence.review.held import Held
from evidence.review.listing import ROLE_OF_A_ROLE, SCOPE, contents_of, keyed, of_user

SIGNS: Final = "access_review"  # in `may_sign` of register.reviewers
KEEP, REMOVE = "keep", "remove"
State = Literal["undecided", "keep", "waiting", "open", "reopened", "closed"]


def entitled(registers: Registers, person: str, day: dt.date) -> Row | None:
    """Return the row of register.reviewers by which ``person`` may review access on ``day``, or None."""
    return next(
        (
            row
            for row in registers.rows.get("reviewers", ())
            if row["person"] == person and SIGNS in row["may_sign"] and row["approved_on"] <= day < row["expires"]
        ),
        None,
    )


def reviewer_of(registers: Registers, person: str, day: dt.date) -> Row:
    """Return the entitlement of ``person``. Raises ``UsageError`` if there is none."""
    row = entitled(registers, person, day)
    if row is None:
        raise UsageError(
            f"{person} may not review access on {day}",
            fix=f"registers/reviewers.toml says who may: may_sign holds {SIGNS}, between approved_on and expires",
        )
    return row


def own(reviewer: Row, row: Mapping[str, Any]) -> bool:
    """Say whether a row of the list is about the reviewer himself or a superior of his."""
    return bool(own_as(reviewer, row))


def own_as(reviewer: Row, row: Mapping[str, Any]) -> Literal["holder", "superior", ""]:
    """Say what the holder of a row is to the reviewer: the reviewer as ``holder``, a ``superior``, or empty for neither."""
    holder = row["holder"].casefold() if of_user(row) else None
    if holder in {name.casefold() for name in reviewer["logins"]}:
        return "holder"
    return "superior" if holder in {name.casefold() for name in reviewer["reports_to"]} else ""


def decided_rows(
    sealed: Mapping[str, Any], digest: str, answers: Iterable[Answer], reviewer: Row, moment: dt.datetime
) -> tuple[list[dict[str, Any]], int]:
    """Return the rows for register.access_decisions, and how many answers are another reviewer's and left alone.

    Raises ``UsageError`` naming every answer that this reviewer may not give: about himself, about a superior, or of a day before
    the list or still to come.
    """
    listed = {row["row"]: row for row in sealed["rows"]}
    since = dt.date.fromisoformat(sealed["listed_at"][:10])
    rows, others, wrong = [], 0, []
    for answer in answers:
        if not answer.decision:
            continue
        if answer.reviewer and answer.reviewer != reviewer["person"]:
            others += 1
            continue
        row = listed[answer.row]
        if own(reviewer, row):
            wrong.append(f"line {answer.line}: {row['holder']} / {row['access']} is about the reviewer or a superior")
        if answer.on is not None and not since <= answer.on <= moment.date():
            wrong.append(f"line {answer.line}: {answer.on} is before the list, or still to come")
        rows.append(_decision(sealed, digest, answer, row, reviewer["person"], moment))
    if wrong:
        raise UsageError(
            f"nothing is imported: {'; '.join(wrong[:20])}",
            fix="leave these rows to another reviewer, or correct the date",
        )
    return rows, others


def _decision(
    sealed: Mapping[str, Any], digest: str, answer: Answer, row: Mapping[str, Any], person: str, moment: dt.datetime
) -> dict[str, Any]:
    return {
        "period_end": dt.date.fromisoformat(sealed["period_end"]),
        "system": row["system"], "holder": row["holder"], "access": row["access"],
        "decision": KEEP if answer.decision == KEEP else REMOVE,
        "reviewer": person, "decided_at": moment, "asked": answer.decision, "decided_on": answer.on, "note": answer.note,
        "row": answer.row, "list_sha256": digest,
    }  # fmt: skip


def counting(registers: Registers, sealed: Mapping[str, Any], digest: str) -> dict[str, Row]:
    """Return, by row of the list, the latest decision on it by somebody who was entitled and is not its holder."""
    listed = {row["row"]: row for row in sealed["rows"]}
    found: dict[str, Row] = {}
    for row in sorted(registers.rows.get("access_decisions", ()), key=lambda each: each["decided_at"]):
        item = listed.get(row["row"] or "")
        if item is None or row["list_sha256"] != digest or not _same(row, item):
            continue
        reviewer = entitled(registers, row["reviewer"], row["decided_at"].date())
        if reviewer is not None and not own(reviewer, item):
            found[item["row"]] = row
    return found


def _same(row: Row, item: Mapping[str, Any]) -> bool:
    return all(row[name] == item[name] for name in ("system", "holder", "access"))


def news(rows: Iterable[Mapping[str, Any]], known: Mapping[str, Row]) -> list[Mapping[str, Any]]:
    """Return the rows that say something else than what counts already: importing a file twice adds nothing."""
    said = ("decision", "asked", "reviewer", "note", "decided_on")
    return [
        row
        for row in rows
        if (before := known.get(row["row"])) is None or any((row[name] or None) != before[name] for name in said)
    ]


def signature(
    sealed: Mapping[str, Any], digest: str, reviewer: str, owner: str, moment: dt.datetime, decided: int, removals: int
) -> dict[str, Any]:
    """Return the row for register.access_reviews: the one part of this scope, signed over the sealed list."""
    return {
        "scope": SCOPE, "period_end": dt.date.fromisoformat(sealed["period_end"]), "part": 1, "parts": 1, "owner": owner,
        "listed_at": dt.datetime.fromisoformat(sealed["listed_at"]), "list_sha256": digest,
        "listed": sealed["population"], "decided": decided, "removed_due": removals, "reviewer": reviewer, "signed_sha256": digest,
        "signed_at": moment,
    }  # fmt: skip


def signed(registers: Registers, digest: str, reviewer: str) -> bool:
    """Say whether this reviewer signed this list before: signing twice adds nothing."""
    return any(
        row["signed_sha256"] == row["list_sha256"] == digest and row["reviewer"] == reviewer
        for row in registers.rows.get("access_reviews", ())
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one row of a list stands: ``days`` since the decision, as of the capture looked at; ``why`` in words."""

    row: Mapping[str, Any]
    state: State
    decision: Row | None = None
    days: int = 0
    why: str = ""


def standings(sealed: Mapping[str, Any], decisions: Mapping[str, Row], listed: Held, later: Held) -> list[Standing]:
    """Return the standing of every row. ``listed`` is what was held on the list's night, ``later`` what is held on a later one.

    A removal is closed only by a capture made after the decision that shows the grant gone. One granted anew since the decision is
    reopened: granting what is held adds no row, so a later time of granting means that it was gone between.
    """
    then, now = keyed(listed.rows), keyed(later.rows)
    before, after = contents_of(listed), contents_of(later)
    found = []
    for row in sealed["rows"]:
        decision = decisions.get(row["row"])
        if decision is None:
            found.append(Standing(row, "undecided"))
            continue
        identity = (row["system"], row["kind"], row["holder"], row["access"])
        found.append(_standing(row, decision, then.get(identity), now.get(identity), before, after, later))
    return found


def _standing(
    row: Mapping[str, Any], decision: Row, then: Row | None, now: Row | None, before: Mapping[Any, Sequence[str]],
    after: Mapping[Any, Sequence[str]], later: Held,
) -> Standing:  # fmt: skip
    if decision["decision"] == KEEP:
        return Standing(row, "keep", decision)
    seen = later.captured.get(row["system"])
    decided = decision["decided_at"].replace(tzinfo=dt.UTC)
    if seen is None or seen <= decided:
        return Standing(row, "waiting", decision, why="no capture after the decision yet")
    days = (seen - decided).days
    if row["kind"] == ROLE_OF_A_ROLE:
        return _contents(row, decision, days, then, before, after)
    if now is None:
        return Standing(row, "closed", decision, days, f"not there on {later.night}")
    made = now["created_on"]
    if made is not None and made.replace(tzinfo=dt.UTC) > decided:
        return Standing(row, "reopened", decision, days, f"granted anew on {made.date()}")
    return Standing(row, "open", decision, days, f"still there on {later.night}")


def _contents(
    row: Mapping[str, Any], decision: Row, days: int, then: Row | None, before: Mapping[Any, Sequence[str]],
    after: Mapping[Any, Sequence[str]],
) -> Standing:  # fmt: skip
    """A role's own privileges: revoked when none of the listed ones is left, changed when one of them is gone."""
    place = (then["source"], then["holder_kind"], then["holder"]) if then else None
    listed, held = set(before.get(place, ())), set(after.get(place, ()))
    gone = listed - held
    why = f"{len(gone)} of {len(listed)} privileges are gone"
    closed = bool(listed) and (bool(gone) if decision["asked"] == "change" else not listed & held)
    return Standing(row, "closed" if closed else "open", decision, days, why)


def open_removals(found: Iterable[Standing]) -> int:
    """Count removals that no capture shows carried out."""
    return sum(each.state in {"waiting", "open", "reopened"} for each in found)
