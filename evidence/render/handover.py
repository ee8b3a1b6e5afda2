"""The tables of a hand-over folder, from the files of a verified packet and the workspace's own words. Pure.

Every figure is one of ``findings.json``. What a reader may not see goes through the veil before anything is sorted or numbered, so that
neither an order nor an id gives it away.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evidence.control.coverage import RELIABILITY
from evidence.control.model import Control
from evidence.control.requests import Request
from evidence.render.inputs import SnapshotFact
from evidence.render.pseudonym import Veil
from evidence.render.spreadsheet import Cell
from evidence.render.worklist import REQUEST_COLUMNS, request_rows

Row = list[Cell]
CONTROLS: Final = (
    *("our_id", "their_id", "title", "statement", "test", "severity", "mode", "frequency", "version", "content_sha256"),
    *(
        "owner",
        "primary",
        "supporting",
        "conclusion",
        "status",
        "nights_expected",
        "nights_tested",
        "nights_not_assessed",
    ),
    *("tested_items", "exceptions", "open_exceptions", "awaiting_review"),
)
TESTS: Final = (
    *("our_id", "their_id", "control", "night", "status", "reason", "detail", "version", "population", "passed"),
    *("exceptions", "awaiting_review", "fingerprint"),
)
ISSUES: Final = (
    *("our_id", "their_id", "control", "severity", "kind", "item", "reason", "reason_words", "first_seen", "last_seen"),
    *("nights", "open", "days_open", "remediated_on", "waivers", "observed", "expected"),
    *("cause", "effect", "action", "action_owner", "action_due", "signed_by"),
)
INDEX: Final = (
    *("our_id", "their_id", "kind", "file", "controls", "period", "effective_date", "owner", "status", "rows"),
    "sha256",
)
ITEMS: Final = ("night", "kind", "item", "reason", "observed", "expected", "settled_as", "settled_by", "waiver")
REQUESTS: Final = ("their_id", *REQUEST_COLUMNS)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One exhibit of the packet: ``sha256`` of the object its log entry names. ``snapshot`` is None for other objects."""

    folder: str
    kind: str
    file: str
    sha256: str
    snapshot: SnapshotFact | None = None


@dataclass(frozen=True, slots=True)
class Handed:
    """What a hand-over is made of. ``controls`` are those it carries, ``findings`` is the parsed ``findings.json``."""

    packet_id: str
    findings: Mapping[str, Any]
    controls: Mapping[str, Control]
    exhibits: Sequence[Exhibit]
    owners: Mapping[str, str] = field(default_factory=dict)
    responses: Sequence[Mapping[str, Any]] = ()
    attestations: Sequence[Mapping[str, Any]] = ()
    requests: Sequence[Request] = ()
    idmap: Mapping[str, str] = field(default_factory=dict)

    @property
    def period(self) -> str:
        """First and last night."""
        return f"{self.findings['period']['start']}..{self.findings['period']['end']}"

    def theirs(self, ours: str) -> str:
        """Return their id of ours, or of the longest beginning of it that they know, cut at a slash."""
        while ours and ours not in self.idmap:
            ours = ours.rpartition("/")[0]
        return self.idmap.get(ours, "")


def control_rows(handed: Handed, veil: Veil) -> Iterator[Row]:
    """Yield one row for each control of the packet."""
    severities = _severities(handed)
    for finding in handed.findings["periods"]:
        name, nights = finding["control"], finding["nights"]
        text = handed.controls[name]
        yield [
            *(name, handed.theirs(name), text.title, text.statement, text.test, severities[name], text.mode),
            *(text.frequency, text.version, finding["stretches"][-1]["content_sha256"] if finding["stretches"] else ""),
            *(veil.person(handed.owners.get(name, "")), _mapped(text, finding, "primary"), _mapped(text, finding, "supporting")),
            *(finding["conclusion"], finding["status"], nights["expected"], nights["satisfied"] + nights["not_satisfied"]),
            *(nights["not_assessed"], finding["tested_items"], len(finding["exceptions"])),
            *(sum(each["open"] for each in finding["exceptions"]), len(finding["reviews"])),
        ]  # fmt: skip


def test_rows(handed: Handed, veil: Veil) -> Iterator[Row]:
    """Yield one row for each control and night that was concluded. A population's fingerprint would give a small one away."""
    for finding in handed.findings["nights"]:
        name = f"{finding['control']}/{finding['night']}"
        yield [
            *(name, handed.theirs(name), finding["control"], finding["night"], finding["status"], finding["reason"]),
            *(veil.text(finding["detail"]), finding["version"], finding["population"], finding["passed"]),
            *(len(finding["exceptions"]), len(finding["reviews"]), veil.text(finding["fingerprint"])),
        ]


def issue_rows(handed: Handed, veil: Veil) -> Iterator[Row]:
    """Yield one row for each exception and each open review of the period, with management's last answer."""
    answers = {
        (row["control"], row["item"], row["reason"]): row
        for row in sorted(handed.responses, key=lambda r: r["recorded_at"])
    }
    severities = _severities(handed)
    for finding in handed.findings["periods"]:
        name = finding["control"]
        text, rows = handed.controls[name], []
        for kind, seen in (("exception", finding["exceptions"]), ("review", finding["reviews"])):
            for each in seen:
                answer = answers.get((name, each["item"], each["reason"]), {})
                rows.append([kind, veil.item(each["item"]), each["reason"], *_issue(text, each, answer, veil)])
        for kind, item, reason, words, *rest in sorted(rows, key=lambda row: tuple(map(str, row))):
            ours = f"{name}/{_short(kind, item, reason, str(rest[0]))}"
            yield [ours, handed.theirs(ours), name, severities[name], kind, item, reason, words, *rest]


def _issue(text: Control, each: Mapping[str, Any], answer: Mapping[str, Any], veil: Veil) -> Row:
    return [
        *(text.reasons.get(each["reason"], ""), each["first_seen"], each["last_seen"], each["nights"]),
        *(each["open"], each["days_open"], each["remediated_on"], "; ".join(each.get("waivers", ()))),
        *(veil.text(each["observed"]), veil.text(each["expected"])),
        *(veil.text(answer.get(name, "")) for name in ("cause", "effect", "action")),
        *(veil.person(answer.get("owner", "")), answer.get("due"), veil.person(answer.get("signed_by", ""))),
    ]


def item_rows(finding: Mapping[str, Any], veil: Veil) -> list[Row]:
    """Return one night of one control: its result in a row, then every exception and review item."""
    night = finding["night"]
    settled = {(each["item"], each["reason"]): each for each in finding.get("disposed", ())}
    waived = {(each["item"], each["reason"]): each["waiver"] for each in finding.get("waived", ())}
    shown = {(each["item"], each["reason"]) for part in ("exceptions", "reviews") for each in finding[part]}
    rows: list[Row] = []
    for kind, seen in (("exception", finding["exceptions"]), ("review", finding["reviews"])):
        for each in seen:
            record = settled.get((each["item"], each["reason"]), {})
            rows.append(
                [
                    *(night, kind, veil.item(each["item"]), each["reason"]),
                    *(veil.text(each["observed"]), veil.text(each["expected"])),
                    *(record.get("outcome", ""), veil.person(record.get("reviewer", ""))),
                    waived.get((each["item"], each["reason"]), ""),
                ]
            )
    for (item, reason), record in settled.items():
        if (item, reason) not in shown:
            rows.append(
                [
                    night,
                    "reviewed",
                    veil.item(item),
                    reason,
                    "",
                    "",
                    record["outcome"],
                    veil.person(record["reviewer"]),
                    "",
                ]
            )
    rows.sort(key=lambda row: tuple(map(str, row)))
    result = f"{finding['population']} items, {finding['passed']} passed"
    return [[night, finding["status"], "", finding["reason"], result, "", "", "", ""], *rows]


def asked_rows(handed: Handed, veil: Veil) -> Iterator[Row]:
    """Yield the requests. Who asked may read their own words; answers are free text."""
    owner, answer, by, exhibits = (
        REQUEST_COLUMNS.index(name) for name in ("owner", "answer", "answered_by", "exhibits")
    )
    for row in request_rows(handed.requests):
        row[owner], row[by] = veil.person(str(row[owner])), veil.person(str(row[by]))
        row[answer] = veil.text(str(row[answer]))
        if veil.drawn:  # where a document lies may name anybody
            row[exhibits] = "; ".join(
                each for each in str(row[exhibits]).split("; ") if not each.startswith("document:")
            )
        yield [handed.theirs(str(row[0])), *row]


def index_rows(handed: Handed, veil: Veil, files: Sequence[tuple[str, str, str, int | None]]) -> Iterator[Row]:
    """Yield every piece of evidence: the folder's own ``files`` (name, control, sha256, rows), exhibits, signed documents.

    Registers name people, and the digest of a short one can be guessed: customers do not see them.
    """
    for file, control, sha256, rows in files:
        owner = veil.person(handed.owners.get(control, ""))
        yield [
            file,
            handed.theirs(file),
            "hand-over",
            file,
            control,
            handed.period,
            handed.findings["period"]["end"],
            owner,
            "",
            rows,
            sha256,
        ]
    reading = _reading(handed.findings["nights"])
    for each in handed.exhibits:
        if not (veil.drawn and each.kind == "register"):
            yield _exhibit(handed, veil, each, reading)
    for row in sorted(handed.attestations, key=lambda row: (row["requirement"], str(row["effective_on"]))):
        if row.get("document_sha256"):
            ours = f"attestation/{row['requirement']}/{row['effective_on']}"
            said = "signed" if row.get("signed_by") else "unsigned"
            yield [ours, handed.theirs(ours), "document", "not in the packet", "program-attestations", _span(row), str(row["effective_on"]), veil.person(row["owner"]), said, None, row["document_sha256"]]  # fmt: skip


def _exhibit(handed: Handed, veil: Veil, each: Exhibit, reading: Mapping[tuple[str, str, str], set[str]]) -> Row:
    ours = each.folder.removeprefix("data/evidence/")
    fact = each.snapshot
    if fact is None:
        return [ours, handed.theirs(ours), each.kind, each.file, "", handed.period, "", "", "", None, each.sha256]
    night = fact.night.isoformat()
    controls = sorted(reading.get((fact.source, fact.dataset, night), ()))
    owners = sorted({veil.person(name) for control in controls if (name := handed.owners.get(control, ""))})
    claimed = " (claimed)" if fact.as_of_claimed else ""
    effective = f"{fact.as_of[:10] or night}{claimed}"
    return [ours, handed.theirs(ours), each.kind, each.file, "; ".join(controls), night, effective, "; ".join(owners), fact.status, fact.landed, each.sha256]  # fmt: skip


def _reading(nights: Sequence[Mapping[str, Any]]) -> Mapping[tuple[str, str, str], set[str]]:
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for night in nights:
        for used in night["inputs"]:
            found[used["source"], used["dataset"], used["night"]].add(night["control"])
    return found


def _span(row: Mapping[str, Any]) -> str:
    return f"{row['period_start']}..{row['period_end']}" if row.get("period_start") else ""


def _mapped(control: Control, finding: Mapping[str, Any], strength: str) -> str:
    """Spell what a control maps to. What was set looser than a mapping accepts on any stretch does not count, and says so."""
    found = []
    for mapped in control.maps if control.id not in RELIABILITY else ():
        if mapped.strength == strength:
            loose = any(control.too_loose(mapped, stretch["parameters"]) for stretch in finding["stretches"])
            found.append(f"{mapped.framework} {mapped.requirement}{' (not counted: set looser)' if loose else ''}")
    return "; ".join(sorted(found))


def _severities(handed: Handed) -> dict[str, str]:
    """Return each control's severity as it was last judged by, else as the library has it."""
    last = {night["control"]: night["severity"] for night in handed.findings["nights"]}
    return {name: last.get(name, control.severity) for name, control in handed.controls.items()}


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
