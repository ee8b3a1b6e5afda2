"""Our own records as tables of control SQL: what was collected (``ops.receipts``), how the store and the pipeline stood
(``ops.checks``, ``ops.pipeline``) and what was concluded of earlier nights (``ops.findings``, ``ops.items``).

A pure function of the :class:`EvidenceReader`, hence of what is sealed at its log size. What should be there and is not is
a row with the status ``missing``: it fails instead of vanishing. A window that is not due yet is no row but a gap, so that
the night waits for it. Which records were read stands among the finding's inputs (``docs/decisions/0150``).
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from evidence.control.evidence import Assessed, EvidenceReader, Sealed, windows_of
from evidence.control.gate import Gap, Requirement, Why
from evidence.control.model import Ops
from evidence.control.ops_pipeline import SCHEMA, pipeline_rows
from evidence.control.period import intervals
from evidence.control.result import NightFinding
from evidence.datasets.contract import Contract
from evidence.datasets.timing import due_at, overdue_at
from evidence.snapshot import canonical
from evidence.snapshot.model import DAY, start_of

Row = Mapping[str, Any]
_TIME: Final = pa.timestamp("us")
TABLES: Final[Mapping[str, pa.Schema]] = {
    "ops.receipts": pa.schema(
        [
            ("source", pa.string()),
            ("dataset", pa.string()),
            ("night", pa.date32()),
            ("kind", pa.string()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("revision", pa.int64()),
            ("finality", pa.string()),
            ("late", pa.bool_()),
            ("landed", pa.int64()),
            ("quarantined", pa.int64()),
            ("source_rows", pa.int64()),
            ("totals_agree", pa.bool_()),
            ("columns_missing", pa.int64()),
            ("columns_new", pa.int64()),
            ("captured_at", _TIME),
            ("captured_claimed", pa.bool_()),
            ("collected_at", _TIME),
            ("due_at", _TIME),
            ("overdue_at", _TIME),
            ("edition", pa.string()),
            ("role", pa.string()),
            ("secondary_roles", pa.string()),
            ("privilege_filtered", pa.bool_()),
            ("empty_means", pa.string()),
            ("empty_word", pa.string()),
            ("empty_ground", pa.string()),
            ("tool_version", pa.string()),
            ("config_sha256", pa.string()),
        ]
    ),
    "ops.findings": pa.schema(
        [
            ("control", pa.string()),
            ("night", pa.date32()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("severity", pa.string()),
            ("version", pa.string()),
            ("content_sha256", pa.string()),
            ("population", pa.int64()),
            ("passed", pa.int64()),
            ("exceptions", pa.int64()),
            ("reviews", pa.int64()),
            ("library_version", pa.string()),
            ("library_sha256", pa.string()),
        ]
    ),
    "ops.checks": pa.schema(
        [
            ("checked_at", _TIME),
            ("days_before", pa.int64()),
            ("log_size", pa.int64()),
            ("step", pa.string()),
            ("proved", pa.int64()),
            ("failed", pa.int64()),
            ("not_made", pa.int64()),
            ("source", pa.string()),
            ("dataset", pa.string()),
            ("month", pa.date32()),
            ("expected", pa.int64()),
            ("sealed", pa.int64()),
            ("complete", pa.int64()),
            ("read_back", pa.int64()),
        ]
    ),
    "ops.pipeline": SCHEMA,
    "ops.items": pa.schema(
        [
            ("control", pa.string()),
            ("severity", pa.string()),
            ("item", pa.string()),
            ("reason", pa.string()),
            ("kind", pa.string()),
            ("first_seen", pa.date32()),
            ("standing_since", pa.date32()),
            ("last_seen", pa.date32()),
            ("nights", pa.int64()),
            ("open", pa.bool_()),
            ("waived", pa.bool_()),
        ]
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """Rows of one table, what they rest on, and what keeps the night from being concluded."""

    table: pa.Table
    sealed: tuple[Sealed, ...]
    gaps: tuple[Gap, ...] = ()


def look(wanted: Ops, reader: EvidenceReader, contracts: Mapping[str, Contract], night: dt.date) -> Looked:
    """Return what ``wanted`` declares, as it was sealed."""
    if wanted.table == "ops.receipts":
        return _receipts(wanted, reader, contracts, night)
    if wanted.table == "ops.checks":
        return _checks(reader, night)
    if wanted.table == "ops.pipeline":
        own, records, lacking = pipeline_rows(reader, night)
        return Looked(table_of(wanted.table, own), tuple(Sealed(each.input, {}) for each in records), tuple(lacking))
    earlier = [reader.assessed(night - DAY * back) for back in range(wanted.lookback_nights, 0, -1)]
    found = [each for each in earlier if each is not None]
    rows = _findings(found, night) if wanted.table == "ops.findings" else _items(found)
    gaps = () if found else (_nothing_earlier(wanted, reader, contracts, night),)
    return Looked(table_of(wanted.table, rows), tuple(Sealed(each.input, {}) for each in found), gaps)


def _checks(reader: EvidenceReader, night: dt.date) -> Looked:
    """The last check before the night was judged, or, of a night that was collected later, the first one after.

    A row for each step, and one for each source, dataset and month up to the night's. ``days_before`` is 0 for a check made after.
    """
    judged = start_of(night) + 2 * DAY
    made = reader.checks()
    before, after = ([each for each in made if (each.checked_at < judged) is early] for early in (True, False))
    if not made:
        gap = Gap(Requirement("ops.checks"), "missing-evidence", "no check of the store is recorded")
        return Looked(table_of("ops.checks", ()), (), (gap,))
    chosen = before[-1] if before else after[0]
    head = {
        "checked_at": _zoneless(chosen.checked_at),
        "days_before": max(0, (judged - chosen.checked_at).days),
        "log_size": chosen.body["log_size"],
    }
    steps = [{**head, **step} for step in chosen.body["steps"]]
    months = [{**head, **row, "month": dt.date.fromisoformat(f"{row['month']}-01")} for row in chosen.body["months"]]
    rows = [*steps, *(row for row in months if row["month"] <= night)]
    return Looked(table_of("ops.checks", rows), (Sealed(chosen.input, {}),))


def _nothing_earlier(wanted: Ops, reader: EvidenceReader, contracts: Mapping[str, Contract], night: dt.date) -> Gap:
    """Say why no earlier night was assessed: on the first covered night there is none."""
    starts = [reader.coverage_start(source, name) for name in contracts for source in reader.sources(name)]
    covered = any(start < night for start in starts)
    why: Why = "missing-evidence" if covered else "before-coverage"
    return Gap(Requirement(wanted.table), why, "no earlier night was assessed")


def table_of(name: str, rows: Iterable[Row]) -> pa.Table:
    """Return rows as the named table; a key that is not there is NULL."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=TABLES[name])


def _receipts(wanted: Ops, reader: EvidenceReader, contracts: Mapping[str, Contract], night: dt.date) -> Looked:
    rows: list[Row] = []
    sealed: list[Sealed] = []
    gaps: list[Gap] = []
    requirement = Requirement(wanted.table, hides=True)
    for contract in [contracts[name] for name in sorted(wanted.datasets or contracts) if name in contracts]:
        for source, each in windows_of(reader, contract.name, night, wanted.lookback_nights):
            found = reader.snapshot(source, contract.name, each)
            if found is not None:
                sealed.append(found)
                rows.append(receipt_row(contract, found))
            elif reader.due(contract.name, each):
                rows.append(missing_row(contract, source, each))
            else:
                gaps.append(Gap(requirement, "pending", f"{contract.name} of {source} for {each.isoformat()}"))
    if not rows and not gaps:
        gaps.append(Gap(Requirement(wanted.table), "before-coverage", "no source is covered yet"))
    return Looked(table_of(wanted.table, rows), tuple(sealed), tuple(gaps))


def missing_row(contract: Contract, source: str, night: dt.date) -> Row:
    """Return the row of a window that should be sealed and is not."""
    return {**_expected(contract, night), "source": source, "status": "missing"}


def receipt_row(contract: Contract, sealed: Sealed) -> Row:
    """Return what a receipt says. ``totals_agree`` is NULL where the source stated no totals."""
    receipt = sealed.receipt
    system, collector, empty = (receipt.get(name) or {} for name in ("system", "collector", "empty"))
    stated = receipt.get("source_totals")
    arrived = int(receipt["landed"]) + int(receipt.get("quarantined", 0))
    drift = receipt.get("drift") or {}
    return {
        **_expected(contract, sealed.input.night),
        "source": sealed.input.source,
        "status": sealed.input.status,
        "reason": receipt.get("reason", ""),
        "revision": sealed.input.revision,
        "finality": receipt.get("finality"),
        "late": bool(receipt.get("late")),
        "landed": receipt["landed"],
        "quarantined": receipt.get("quarantined", 0),
        "source_rows": stated["rows"] if stated else None,
        "totals_agree": not receipt.get("differences") and stated["rows"] == arrived if stated else None,
        "columns_missing": len(drift.get("missing", ())),
        "columns_new": len(drift.get("unknown", ())),
        "captured_at": _zoneless(sealed.captured_at),
        "captured_claimed": bool(receipt.get("as_of_claimed")),
        "collected_at": _moment(receipt.get("collected_at")),
        "edition": system.get("edition"),
        "role": system.get("role"),
        "secondary_roles": system.get("secondary_roles"),
        "empty_word": empty.get("word"),
        "empty_ground": empty.get("ground"),
        "tool_version": collector.get("version"),
        "config_sha256": collector.get("config_sha256"),
    }


def _expected(contract: Contract, night: dt.date) -> Row:
    return {
        "dataset": contract.name,
        "night": night,
        "kind": contract.kind,
        "due_at": _zoneless(due_at(contract, night)),
        "overdue_at": _zoneless(overdue_at(contract, night)),
        "privilege_filtered": contract.privilege_filtered,
        "empty_means": contract.empty_means,
    }


def _findings(assessed: Sequence[Assessed], night: dt.date) -> list[Row]:
    """One row for each control and earlier night, from the control's first finding on; a night without is ``missing``."""
    found = {(f.control, each.input.night): (f, each) for each in assessed for f in each.findings}
    first: dict[str, dt.date] = {}
    for control, each in sorted(found):
        first.setdefault(control, each)
    rows: list[Row] = []
    for control, start in sorted(first.items()):
        for each in (start + DAY * n for n in range((night - start).days)):
            pair = found.get((control, each))
            rows.append(_finding(*pair) if pair else {"control": control, "night": each, "status": "missing"})
    return rows


def _finding(finding: NightFinding, assessed: Assessed) -> Row:
    return {
        "control": finding.control,
        "night": finding.night,
        "status": finding.status,
        "reason": finding.reason,
        "severity": finding.severity,
        "version": finding.version,
        "content_sha256": finding.content_sha256,
        "population": finding.population,
        "passed": finding.passed,
        "exceptions": len(finding.exceptions),
        "reviews": len(finding.reviews),
        "library_version": assessed.library.get("version"),
        "library_sha256": assessed.library.get("sha256"),
    }


def _items(assessed: Sequence[Assessed]) -> list[Row]:
    """One row for each run of nights on which an item stood among a control's exceptions or open reviews for one reason.

    ``standing_since`` is the first night of the run on which it stood there for any reason: another reason is no new start.
    """
    by_control: dict[str, list[NightFinding]] = {}
    for finding in (finding for each in assessed for finding in each.findings):
        by_control.setdefault(finding.control, []).append(finding)
    return [
        {
            "control": control,
            "severity": nights[-1].severity,
            "item": run.item,
            "reason": run.reason,
            "kind": kind,
            "first_seen": run.first_seen,
            "standing_since": max(night for night in starts[run.item] if night <= run.first_seen),
            "last_seen": run.last_seen,
            "nights": run.nights,
            "open": run.open,
            "waived": run.open and (run.item, run.reason) in waived,
        }
        for control, nights in sorted(by_control.items())
        for waived in [_waived_last(nights)]
        for kind, field in (("exception", "exceptions"), ("review", "reviews"))
        for starts in [_starts(nights, field)]
        for run in intervals(nights, field)
    ]


def _starts(nights: Sequence[NightFinding], field: str) -> dict[str, list[dt.date]]:
    """Return, by item, the first nights of its runs with the reasons left aside."""
    starts: dict[str, list[dt.date]] = {}
    for run in intervals([_without_reasons(each, field) for each in nights], field):
        starts.setdefault(run.item, []).append(run.first_seen)
    return starts


def _without_reasons(night: NightFinding, field: str) -> NightFinding:
    bare: dict[str, Any] = {field: tuple(replace(each, reason="") for each in getattr(night, field))}
    return replace(night, **bare)


def _waived_last(nights: Sequence[NightFinding]) -> set[tuple[str, str]]:
    """Return what a waiver that counts accepted on the last night that says what stood."""
    said = [each for each in nights if each.status != "not-assessed" or each.exceptions]
    return {(each.item, each.reason) for each in said[-1].waived} if said else set()


def _moment(text: str | None) -> dt.datetime | None:
    return _zoneless(canonical.parse_time(text)) if text else None


def _zoneless(moment: dt.datetime | None) -> dt.datetime | None:
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment else None
