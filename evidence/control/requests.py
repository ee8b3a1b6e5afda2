"""What others ask for (auditors, regulators, customers), and what became of it: two registers in, one state each out. Pure.

A request is asked once, under a number; records follow it: assigned, answered, partly answered, named as a gap, withdrawn. The
last record decides the status; an answer stays until another replaces it. A follow-up is a request that names the one it follows.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.control.model import Library
from evidence.control.register import SHAPES, Registers, Row
from evidence.errors import UsageError
from evidence.snapshot import canonical

REGISTERS: Final = ("requests", "request_records")  # no control reads them; a packet carries the one request it answers
OPEN: Final = "open"
ANSWERS: Final = frozenset({"answered", "partly", "gap"})
SECTIONS: Final = (
    *("summary", "strip", "scope", "controls", "reliability", "collected", "blind", "verify", "signoff", "glossary"),
    *("matrix-hipaa", "matrix-soc2"),
)
_EXHIBIT: Final = re.compile(r"(control|requirement|register|section|page|file|document):(\S[^\x00-\x1f\x7f]*)")
_PAGES: Final = re.compile(r"[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?")
_FILE: Final = re.compile(r"data/[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One place where an answer stands: ``kind`` and ``name`` as in ``control:identity-dormant`` or ``page:12-14``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def of_a_packet(self) -> bool:
        """True for what means nothing without naming the packet it is in."""
        return self.kind in {"page", "file"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it stands: what was asked, and the last word on it."""

    number: str
    inquiry: str
    status: str
    period: str = ""
    asked_by: str = ""
    due: dt.date | None = None
    owner: str = ""
    follows: str = ""
    follow_ups: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    exhibits: tuple[str, ...] = ()
    answer: str = ""
    gap: str = ""
    packet: str = ""
    recorded_by: str = ""
    recorded_at: dt.datetime | None = None  # of the last record, UTC

    @property
    def settled(self) -> bool:
        """True where nothing more is owed."""
        return self.status in {"answered", "gap", "withdrawn"}

    def named(self, kind: str) -> tuple[str, ...]:
        """Return the names of its exhibits of one kind."""
        found = (parse_exhibit(text) for text in self.exhibits)
        return tuple(dict.fromkeys(each.name for each in found if each.kind == kind))

    def to_json(self) -> dict[str, Any]:
        """Return the spelling of ``data/request.json``."""
        return {
            "format": "evidence-request-v1",
            "number": self.number,
            "inquiry": self.inquiry,
            "status": self.status,
            "period": self.period,
            "asked_by": self.asked_by,
            "due": self.due.isoformat() if self.due else None,
            "owner": self.owner,
            "follows": self.follows,
            "follow_ups": list(self.follow_ups),
            "requirements": list(self.requirements),
            "exhibits": list(self.exhibits),
            "answer": self.answer,
            "gap": self.gap,
            "packet": self.packet,
            "recorded_by": self.recorded_by,
            "recorded_at": canonical.format_time(self.recorded_at) if self.recorded_at else None,
        }


def parse_exhibit(text: str) -> Exhibit:
    """Return the exhibit that ``text`` names; raise ``UsageError`` for what has no such form."""
    match = _EXHIBIT.fullmatch(text)
    if match is None:
        fix = "control:ID, requirement:ID, register:NAME, section:NAME, page:12 or page:12-14, file:data/…, document:WHERE"
        raise UsageError(f"exhibit {text!r} has no known form", fix=fix)
    return Exhibit(match[1], match[2])


def check_exhibits(texts: Iterable[str], library: Library, packet: str = "") -> tuple[str, ...]:
    """Return the exhibits, each once, in the order given; raise ``UsageError`` for one that names what is not there."""
    found = [parse_exhibit(text) for text in texts]
    for each in found:
        _check(each, library)
        if each.of_a_packet and not packet:
            raise UsageError(f"{each} is of no packet", fix="name it: --packet PKT-…")
    return tuple(dict.fromkeys(map(str, found)))


def _check(exhibit: Exhibit, library: Library) -> None:
    known = {
        "control": library.controls,
        "requirement": {each for framework in library.frameworks.values() for each in framework.requirements},
        "register": SHAPES,
        "section": SECTIONS,
    }
    name = exhibit.name
    if exhibit.kind in known and name not in known[exhibit.kind]:
        raise UsageError(f"no {exhibit.kind} {name!r}", fix="`evidence controls list` and `coverage` list the ids")
    if (exhibit.kind == "page" and not _PAGES.fullmatch(name)) or (
        exhibit.kind == "file" and not _FILE.fullmatch(name)
    ):
        raise UsageError(f"{exhibit} has no known form", fix="page:12, page:12-14, file:data/findings.csv")


def controls_named(request: Request, library: Library) -> tuple[str, ...]:
    """Return the controls that answer: those named, and those that map to a requirement that is named as an exhibit."""
    wanted = set(request.named("requirement"))
    mapped = {c.id for c in library.controls.values() if wanted & {m.requirement for m in c.maps}}
    return tuple(sorted(mapped | (set(request.named("control")) & library.controls.keys())))


def requests_of(registers: Registers) -> dict[str, Request]:
    """Return every request by its number, in the order people count: 2 before 10."""
    records: dict[str, list[Row]] = {}
    for row in registers.rows.get("request_records", ()):
        records.setdefault(row["number"], []).append(row)
    asked = sorted(registers.rows.get("requests", ()), key=lambda row: natural(row["number"]))
    follow_ups: dict[str, list[str]] = {}
    for row in asked:
        follow_ups.setdefault(row["follows"] or "", []).append(row["number"])
    return {
        row["number"]: _state(row, records.get(row["number"], ()), follow_ups.get(row["number"], ())) for row in asked
    }


def natural(number: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``PBC-2`` before ``PBC-10``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", number)
    return tuple((0, int(part), part) if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts)


def _state(asked: Row, records: Sequence[Row], follow_ups: Sequence[str]) -> Request:
    ordered = sorted(records, key=lambda row: row["recorded_at"])
    last = ordered[-1] if ordered else None
    answers = [row for row in ordered if row["status"] in ANSWERS]
    answer: Mapping[str, Any] = answers[-1] if answers else {}
    return Request(
        number=asked["number"],
        inquiry=asked["inquiry"],
        status=last["status"] if last else OPEN,
        period=asked["period"] or "",
        asked_by=asked["asked_by"] or "",
        due=_last(ordered, "due") or asked["due"],
        owner=_last(ordered, "owner") or asked["owner"] or "",
        follows=asked["follows"] or "",
        follow_ups=tuple(follow_ups),
        requirements=tuple(asked["requirements"] or ()),
        exhibits=tuple(answer.get("exhibits") or asked["exhibits"] or ()),
        answer=answer.get("answer") or "",
        gap=asked["gap"] or "",
        packet=answer.get("packet") or "",
        recorded_by=last["recorded_by"] if last else "",
        recorded_at=last["recorded_at"].replace(tzinfo=dt.UTC) if last else None,
    )


def _last(rows: Sequence[Row], column: str) -> Any:
    return next((row[column] for row in reversed(rows) if row[column]), None)
