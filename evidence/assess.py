"""Step 3: sealed snapshots + controls -> findings, sealed in turn.

Every byte is hashed and matched to the log on the way in. One ``assessment`` entry per night and revision names the log
size it read; the same evidence, content and clock give the same findings, and then nothing new is sealed.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import pyarrow as pa

from evidence.control.change import side_by_side
from evidence.control.definition import Library
from evidence.control.engine import Engine, assess_night
from evidence.control.evidence import (
    Assessed,
    Checked,
    Recorded,
    Sealed,
    assessed_of,
    checked_of,
    chosen_records,
    recorded_of,
    rows_of_parts,
    sealed_of,
    window_due,
)
from evidence.control.fields import WHOLE, Fields
from evidence.control.ledger import waive
from evidence.control.overlay import configuration
from evidence.control.register import Registers
from evidence.control.result import NightFinding
from evidence.datasets.contract import Contract
from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, ObjectRef, SealedEntry
from evidence.snapshot.manifest import Manifest
from evidence.store.index import Index
from evidence.store.log import Log
from evidence.store.objects import ObjectStore
from evidence.store.sealing import append_new, configuration_entries, put_object, register_entries

FORMAT = "evidence-assessment-v1"
HELD: Final = 2  # snapshots of one dataset of one source whose rows a reader keeps: a night's and the one before it
Judged = tuple[dt.date, list[NightFinding]]
Elsewhere = Callable[
    [dt.date, Sequence[str]], tuple[list[NightFinding], Mapping[str, Any]]
]  # judges a night, and says what ran where


@dataclass(slots=True)
class StoreReader:
    """``EvidenceReader`` over a store at one log size. Bytes are verified against the log before they are parsed."""

    store: ObjectStore
    index: Index
    contracts: Mapping[str, Contract]
    configured: Mapping[str, Sequence[str]]  # source name -> datasets it is asked for
    known_at: dt.datetime
    earlier: Index | None = (
        None  # knows assessments of earlier nights as they are sealed by now; None: those of ``index``
    )
    _manifests: dict[str, Manifest] = field(default_factory=dict)
    _assessed: dict[str, Assessed | None] = field(default_factory=dict)  # by SHA-256 of the last revision
    _checks: list[Checked] | None = None
    _held: dict[tuple[str, str], dict[tuple[Any, ...], pa.Table]] = field(default_factory=dict)

    def sources(self, dataset: str) -> Sequence[str]:
        """Sources configured for the dataset, and any that ever sealed it."""
        asked = {name for name, datasets in self.configured.items() if dataset in datasets}
        return sorted(asked | set(self.index.sources_of(dataset)))

    def coverage_start(self, source: str, dataset: str) -> dt.date:
        """First covered night; a source never collected is not covered before tomorrow."""
        kind = self.contracts[dataset].kind
        return self.index.coverage_start(source, kind) or self.known_at.date() + dt.timedelta(days=1)

    def due(self, dataset: str, night: dt.date) -> bool:
        """True once the window should have been collected."""
        return window_due(self.contracts, dataset, night, self.known_at)

    def snapshot(self, source: str, dataset: str, night: dt.date) -> Sealed | None:
        """The highest revision at this log size; none if it is recorded as disposed: nobody can test what is gone."""
        entry = self.index.latest(source, dataset, night)
        return (
            None
            if entry is None or self.index.disposed(entry)
            else sealed_of(self.manifest(entry), entry.manifest.sha256)
        )

    def rows(self, sealed: Sealed, columns: Sequence[str], fields: Fields = WHOLE) -> pa.Table:
        """Read the named columns of every part, verified. What the last two nights have of a dataset is held: it is looked back to."""
        held = self._held.setdefault((sealed.input.source, sealed.input.dataset), {})
        wanted = (sealed.input.manifest_sha256, tuple(columns), tuple(sorted(fields.items())))
        if wanted not in held:
            while len(held) >= HELD:
                del held[next(iter(held))]
            pa.default_memory_pool().release_unused()  # the allocator would keep what it was given back, beside what is read next
            held[wanted] = self._read(sealed, columns, fields)
        return held[wanted]

    def _read(self, sealed: Sealed, columns: Sequence[str], fields: Fields) -> pa.Table:
        manifest = self._manifests[sealed.input.manifest_sha256]
        schema = self.contracts[manifest.key.dataset].landed_schema
        return rows_of_parts(
            manifest.parts, lambda part: self.store.get(part.path, sha256=part.sha256), columns, schema, fields
        )

    def assessed(self, night: dt.date) -> Assessed | None:
        """The highest assessment of the night that is sealed by now, verified against the log."""
        entries = (self.earlier or self.index).assessments(night)
        if not entries:
            return None
        last = _object(entries[-1]).sha256
        if last not in self._assessed:
            bodies = ((_decoded(self.store, entry), _object(entry).sha256) for entry in entries)
            self._assessed[last] = assessed_of(list(bodies))
        return self._assessed[last]

    def checks(self) -> Sequence[Checked]:
        """Every recorded check of the store at this log size, verified against the log."""
        if self._checks is None:
            found = [entry for _, entry in self.index.of_type("check")]
            self._checks = [checked_of(_decoded(self.store, entry), _object(entry).sha256) for entry in found]
        return self._checks

    def pipeline(self, night: dt.date) -> Sequence[Recorded]:
        """The records of the night and the one before them at this log size, verified against the log."""
        nights = [each for each in (self.index.recorded_before(night), night) if each is not None]
        found = chosen_records({each: [entry for _, entry in self.index.pipelines(each)] for each in nights}, night)
        return [recorded_of(_decoded(self.store, entry), _object(entry).sha256) for entry in found]

    def manifest(self, entry: SealedEntry) -> Manifest:
        """The snapshot's manifest, verified against its log entry."""
        found = self._manifests.get(entry.manifest.sha256)
        if found is None:
            found = Manifest.from_bytes(self.store.get(entry.manifest.path, sha256=entry.manifest.sha256))
            if found.key != entry.key:
                raise MalformedError(f"{entry.manifest.path} is the manifest of {found.key}, not of {entry.key}")
            self._manifests[entry.manifest.sha256] = found
        return found


def judge(
    library: Library, registers: Registers, reader: StoreReader, nights: Iterable[dt.date], engine: Engine
) -> Iterator[Judged]:
    """Yield each night with the finding of every control but the late ones; nothing is written.

    Late controls read what was concluded of earlier nights: :func:`seal` judges them once those are sealed.
    """
    chosen = [control.id for control in library.controls.values() if not control.late]
    for night in nights:
        known_at = reader.known_at
        yield night, assess_night(library, registers, reader, night, known_at=known_at, controls=chosen, engine=engine)


def judge_elsewhere(
    library: Library, nights: Iterable[dt.date], elsewhere: Elsewhere, engines: dict[dt.date, Mapping[str, Any]]
) -> Iterator[Judged]:
    """Yield as :func:`judge` does what another engine judged; what ran where goes to ``engines``, for :func:`seal`."""
    chosen = [control.id for control in library.controls.values() if not control.late]
    for night in nights:
        findings, engines[night] = elsewhere(night, chosen)
        yield night, findings


def seal(
    log: Log,
    library: Library,
    registers: Registers,
    reader: StoreReader,
    judged: Iterable[Judged],
    new_id: Callable[[], str],
    *,
    batch: int = 10,
    engine: Engine | None = None,
    engines: Mapping[dt.date, Mapping[str, Any]] | None = None,
) -> Iterator[Judged]:
    """Seal the findings that are new, ``batch`` nights to a commit; yield each night when its object is put.

    With late controls every night is a commit of its own, so that the next night can read it; nights come in order then. Where a control
    is judged by another rule than on the night assessed before, that rule's result is sealed beside (``evidence.control.change``).
    """
    last = _Last(log.store, reader.index)
    effective = configuration(library)
    in_force = canonical.sha256_hex(effective)
    pending: list[Entry] = [*register_entries(log, registers.bodies), *configuration_entries(log, effective)]
    late = sorted(control.id for control in library.controls.values() if control.late)
    if late:
        reader.earlier = earlier = Index()
    for night, base in judged:
        findings = base
        if late:
            append_new(log, pending)
            pending = []
            earlier.catch_up(log)
            known_at = reader.known_at
            found = assess_night(library, registers, reader, night, known_at=known_at, controls=late, engine=engine)
            findings = waive(sorted([*base, *found], key=lambda finding: finding.control), registers)

        def run(old: Library, names: Sequence[str], night: dt.date = night) -> list[NightFinding]:
            known_at = reader.known_at
            return assess_night(old, registers, reader, night, known_at=known_at, controls=names, engine=engine)

        findings = side_by_side(library, findings, last.before(night), run, partial(last.revisions, night))
        last.take(night, findings)
        ran = (engines or {}).get(night)
        entry = _put(log, library, in_force, registers, reader, night, findings, new_id(), ran)
        if entry is not None:
            pending.append(entry)
        if len(pending) >= batch:
            append_new(log, pending)
            pending = []
        yield night, findings
    append_new(log, pending)


@dataclass(slots=True)
class _Last:
    """What the night before was judged by: the one judged last in this run, or one that is sealed."""

    store: ObjectStore
    index: Index
    _night: dt.date | None = None
    _findings: Sequence[NightFinding] = ()

    def take(self, night: dt.date, findings: Sequence[NightFinding]) -> None:
        """Keep what was judged just now."""
        self._night, self._findings = night, findings

    def before(self, night: dt.date) -> Sequence[NightFinding]:
        """Return the findings of the last assessed night before ``night``; nothing if there is none."""
        sealed = self.index.assessed_before(night)
        if self._night is not None and self._night < night and (sealed is None or sealed <= self._night):
            return self._findings
        return sealed_findings(self.store, self.index, sealed) if sealed else ()

    def revisions(self, night: dt.date) -> list[tuple[int, Sequence[NightFinding]]]:
        """Return every sealed assessment of ``night``, oldest first."""
        return [
            (entry.body["revision"], findings_of_entry(self.store, entry)) for entry in self.index.assessments(night)
        ]


def sealed_findings(store: ObjectStore, index: Index, night: dt.date) -> list[NightFinding]:
    """Return the findings of the night's highest sealed assessment, or nothing if it was never assessed."""
    found = index.assessment(night)
    return findings_of_entry(store, found[1]) if found else []


def _put(
    log: Log,
    library: Library,
    in_force: str,
    registers: Registers,
    reader: StoreReader,
    night: dt.date,
    findings: Sequence[NightFinding],
    unique: str,
    ran: Mapping[str, Any] | None = None,
) -> Entry | None:
    index, known_at = reader.index, reader.known_at
    previous = index.assessment(night)
    spelled = [finding.to_json() for finding in findings]
    cause = _cause(log.store, previous[1], spelled, in_force) if previous is not None else ""
    if previous is not None and not cause:
        return None
    late = sorted(control.id for control in library.controls.values() if control.late)
    revision = previous[1].body["revision"] + 1 if previous else 0
    value: dict[str, Any] = {
        "format": FORMAT,
        "night": night.isoformat(),
        "revision": revision,
        "cause": cause,
        "log_size": index.size,
        **({"late": late, "earlier_log_size": reader.earlier.size} if reader.earlier and late else {}),
        "known_at": canonical.format_time(known_at),
        "library": {"version": library.version, "sha256": library.sha256},
        "configuration": in_force,
        "registers": dict(registers.digests),
        "findings": spelled,
        **({"engine": ran} if ran else {}),
    }
    body = canonical.encode(value)
    path = f"findings/{night.isoformat()}/{revision}-{unique}.json"
    ref = put_object(log.store, path, body)
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.status] = counts.get(finding.status, 0) + 1
    facts = {
        "night": night.isoformat(),
        "revision": revision,
        "log_size": index.size,
        "known_at": canonical.format_time(known_at),
        "counts": counts,
        "open_reviews": sum(finding.reason == "pending-review" for finding in findings),
    }
    return Entry("assessment", f"{night.isoformat()}/{revision}", ref, facts)


def _cause(store: ObjectStore, entry: Entry, spelled: Sequence[Mapping[str, Any]], in_force: str) -> str:
    """Return why the sealed assessment no longer says it all, or "": a reason or a name in an overlay is read beside the results."""
    sealed = _decoded(store, entry)
    if [NightFinding.from_json(finding).to_json() for finding in sealed["findings"]] != spelled:
        return "inputs or content changed"
    return "" if sealed.get("configuration") == in_force else "configuration changed, results did not"


def findings_of_entry(store: ObjectStore, entry: Entry) -> list[NightFinding]:
    """Return the findings of one assessment entry, verified against the log."""
    return [NightFinding.from_json(finding) for finding in _decoded(store, entry)["findings"]]


def _decoded(store: ObjectStore, entry: Entry) -> Mapping[str, Any]:
    ref = _object(entry)
    value: Mapping[str, Any] = canonical.decode(store.get(ref.path, sha256=ref.sha256), what=ref.path)
    return value


def _object(entry: Entry) -> ObjectRef:
    if entry.object is None:
        raise MalformedError(f"assessment {entry.key} names no object")
    return entry.object
