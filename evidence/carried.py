"""A packet as evidence: everything a night is judged from, read out of the bag; the rows themselves only when they are asked for."""

import dataclasses
import datetime as dt
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from evidence.bag.content import CONTROLS
from evidence.bag.exhibit import ENTRY, MANIFEST, OBJECT, ROOT, exhibit_folders, read_referenced
from evidence.bag.files import BagFiles, open_bag, read
from evidence.control.change import in_force, repeated
from evidence.control.definition import Library, load_layers, load_library
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
from evidence.control.overlay import FILES, within
from evidence.control.register import Registers, load_registers
from evidence.control.result import NightFinding
from evidence.datasets.contract import Contract
from evidence.datasets.load import load_contracts
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Part
from evidence.store.objects import ObjectStore
from evidence.tlog.proof import parse_inclusion


@dataclass(frozen=True, slots=True)
class Carried:
    """One snapshot of the bag."""

    folder: str
    index: int
    manifest: Manifest
    sha256: str


Assessments = Mapping[dt.date, Sequence[tuple[int, Mapping[str, Any], str]]]  # log index, JSON, SHA-256, by revision


@dataclass(slots=True)
class BagReader:
    """``EvidenceReader`` over the exhibits of a bag, as the log stood at ``log_size``."""

    files: BagFiles
    snapshots: Mapping[tuple[str, str, dt.date], Sequence[Carried]]
    contracts: Mapping[str, Contract]
    effective: Mapping[str, Any]
    known_at: dt.datetime
    log_size: int
    assessments: "Assessments" = field(default_factory=dict)
    earlier_log_size: int = 0
    recorded: Sequence[tuple[int, Checked]] = ()
    records: Sequence[tuple[int, Recorded]] = ()
    store: ObjectStore | None = None
    referenced: frozenset[str] = frozenset()
    _by_digest: dict[str, Carried] = field(default_factory=dict)

    def sources(self, dataset: str) -> Sequence[str]:
        """Sources configured for the dataset, and those in the bag."""
        asked = {name for name, datasets in self.effective["sources"].items() if dataset in datasets}
        return sorted(asked | {source for source, name, _ in self.snapshots if name == dataset})

    def coverage_start(self, source: str, dataset: str) -> dt.date:
        """First covered night. Packets of the first version name one start for all kinds of datasets."""
        by_kind = self.effective.get("coverage_by_kind", {}).get(self.contracts[dataset].kind, {})
        start = by_kind.get(source) if "coverage_by_kind" in self.effective else self.effective["coverage"].get(source)
        return dt.date.fromisoformat(start) if start else self.known_at.date() + dt.timedelta(days=1)

    def due(self, dataset: str, night: dt.date) -> bool:
        """True once the window should have been collected."""
        return window_due(self.contracts, dataset, night, self.known_at)

    def snapshot(self, source: str, dataset: str, night: dt.date) -> Sealed | None:
        """The highest revision below the assessment's log size."""
        found = [c for c in self.snapshots.get((source, dataset, night), ()) if c.index < self.log_size]
        if not found:
            return None
        carried = max(found, key=lambda c: c.manifest.key.revision)
        self._by_digest[carried.sha256] = carried
        return sealed_of(carried.manifest, carried.sha256)

    def rows(self, sealed: Sealed, columns: Sequence[str], fields: Fields = WHOLE) -> pa.Table:
        """The named columns of every part."""
        carried = self._by_digest[sealed.input.manifest_sha256]
        schema = self.contracts[carried.manifest.key.dataset].landed_schema
        parts = carried.manifest.parts
        return rows_of_parts(parts, lambda part: self._bytes(carried.folder, part), columns, schema, fields)

    def _bytes(self, folder: str, part: Part) -> bytes:
        if folder in self.referenced and self.store is not None:
            return self.store.get(part.path, sha256=part.sha256)
        return read(self.files, f"{folder}/{part.path.rsplit('/', 1)[-1]}")

    def assessed(self, night: dt.date) -> Assessed | None:
        """The highest assessment of the night that was sealed when findings of earlier nights were read."""
        found = [each for each in self.assessments.get(night, ()) if each[0] < self.earlier_log_size]
        return assessed_of([(value, sha256) for _, value, sha256 in found])

    def checks(self) -> Sequence[Checked]:
        """The checks of the store that the bag carries, below the assessment's log size."""
        return [checked for index, checked in self.recorded if index < self.log_size]

    def pipeline(self, night: dt.date) -> Sequence[Recorded]:
        """The records of the pipeline that the bag carries, below the assessment's log size."""
        known: dict[dt.date, list[Recorded]] = {}
        for index, record in self.records:
            if index < self.log_size:
                known.setdefault(record.input.night, []).append(record)
        return chosen_records(known, night)


class Opened:
    """A packet opened to judge its nights: what all of them need, read once. Raises ``EvidenceError`` where it cannot be read."""

    def __init__(self, path: Path, open_store: Callable[[], ObjectStore] | None) -> None:
        with ExitStack() as opening:
            self.files: BagFiles = (bag := open_bag(path))
            opening.enter_context(bag)
            self.effective: Mapping[str, Any] = canonical.decode(read(self.files, f"{CONTROLS}effective.json"))
            folder = opening.enter_context(tempfile.TemporaryDirectory(prefix="evidence-reperform-"))
            self.library, self.registers = _content(self.files, Path(folder), self.effective)
            self.snapshots, self.assessments = _snapshots(self.files), _assessments(self.files)
            self.rules = Rules(self.library, _configurations(self.files))
            self.store = open_store() if open_store else None
            self._contracts = load_contracts()
            self._checks = [(n, checked_of(body, digest)) for n, body, digest in _own(self.files, "check")]
            self._records = [(n, recorded_of(body, digest)) for n, body, digest in _own(self.files, "pipeline")]
            self._referenced = read_referenced(self.files)
            self._engine = opening.enter_context(Engine(threads=1))
            self.close = opening.pop_all().close

    def chosen(self) -> dict[dt.date, Mapping[str, Any]]:
        """Return the last assessment of each night of the period."""
        start, end = (self.effective["period"][edge] for edge in ("start", "end"))
        nights = sorted(self.assessments.items())
        return {night: each[-1][1] for night, each in nights if start <= night.isoformat() <= end}

    def judged(self, night: dt.date, wanted: Sequence[str]) -> list[NightFinding]:
        """Judge a night by what was in force, and what it says that it replaced by what was in force before."""
        assessment = self.assessments[night][-1][1]
        reader, library = self._reader(assessment), self.rules.library(assessment)

        def run(by: Library, names: Sequence[str]) -> list[NightFinding]:
            known_at, engine = reader.known_at, self._engine
            return assess_night(by, self.registers, reader, night, known_at=known_at, controls=names, engine=engine)

        sealed = [NightFinding.from_json(each) for each in assessment["findings"] if each["control"] in wanted]
        replaced = repeated(library, sealed, run)
        return [dataclasses.replace(each, replaced=replaced.get(each.control)) for each in run(library, wanted)]

    def _reader(self, assessment: Mapping[str, Any]) -> BagReader:
        size = assessment["log_size"]
        return BagReader(
            self.files,
            self.snapshots,
            self._contracts,
            self.effective,
            canonical.parse_time(assessment["known_at"]),
            size,
            self.assessments,
            assessment.get("earlier_log_size", size),
            self._checks,
            self._records,
            self.store,
            self._referenced,
        )


@dataclass(slots=True)
class Rules:
    """The library as each night's assessment names it; assessments of earlier releases name none."""

    content: Library
    configurations: Mapping[str, Mapping[str, Any]]
    _known: dict[str, tuple[Library, frozenset[str]]] = field(default_factory=dict)

    def library(self, assessment: Mapping[str, Any]) -> Library:
        """Return what was in force."""
        return self._of(assessment)[0]

    def moved(self, assessment: Mapping[str, Any]) -> frozenset[str]:
        """Return the controls whose content then is not what the packet carries."""
        return self._of(assessment)[1]

    def _of(self, assessment: Mapping[str, Any]) -> tuple[Library, frozenset[str]]:
        digest = str(assessment.get("configuration", ""))
        if digest not in self._known:
            said = self.configurations.get(digest)
            self._known[digest] = (self.content, frozenset()) if said is None else in_force(self.content, said)
        return self._known[digest]


def _configurations(files: BagFiles) -> dict[str, Mapping[str, Any]]:
    bodies = [
        read(files, f"{each}/{OBJECT}") for each in exhibit_folders(files) if each.startswith(f"{ROOT}_configuration/")
    ]
    return {canonical.sha256_hex(body): canonical.decode(body) for body in bodies}


def _own(files: BagFiles, kind: str) -> list[tuple[int, Mapping[str, Any], str]]:
    """Return log index, JSON and SHA-256 of each of our own records of that entry type, in order of the log."""
    found = []
    for folder in exhibit_folders(files):
        if folder.startswith(f"{ROOT}_{kind}/"):
            body = read(files, f"{folder}/{OBJECT}")
            index = parse_inclusion(read(files, f"{folder}/tlog-proof").decode()).index
            found.append((index, canonical.decode(body, what=folder), canonical.sha256_hex(body)))
    return sorted(found, key=lambda each: each[0])


def _content(files: BagFiles, folder: Path, effective: Mapping[str, Any]) -> tuple[Library, Registers]:
    """Lay the bag's controls, facts and registers out as a library and load them."""
    families, held = effective["families"], set()
    for name in files.names():
        if name.startswith(CONTROLS):
            relative = name.removeprefix(CONTROLS)
            first = relative.split("/")[0]
            held.add(first)
            target = folder / (f"{families[first]}/{relative}" if first in families else relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read(files, name))
    layers = load_layers([(name, folder / file) for name, file in FILES.items()])
    library = load_library([folder], within(layers, held))
    return library, load_registers(folder / "registers")


def _snapshots(files: BagFiles) -> dict[tuple[str, str, dt.date], list[Carried]]:
    found: dict[tuple[str, str, dt.date], list[Carried]] = {}
    for folder in exhibit_folders(files):
        if folder.removeprefix(ROOT).startswith("_"):
            continue
        body = read(files, f"{folder}/{MANIFEST}")
        manifest = Manifest.from_bytes(body)
        index = parse_inclusion(read(files, f"{folder}/tlog-proof").decode()).index
        key = manifest.key
        carried = Carried(folder, index, manifest, canonical.sha256_hex(body))
        found.setdefault((key.source, key.dataset, key.night), []).append(carried)
    return found


def _assessments(files: BagFiles) -> Assessments:
    """Return every assessment of the bag by night, in order of revision: those of its period, and earlier ones they read."""
    found: dict[dt.date, list[tuple[int, Mapping[str, Any], str]]] = {}
    for folder in exhibit_folders(files):
        if folder.startswith(f"{ROOT}_assessment/"):
            entry = Entry.from_bytes(read(files, f"{folder}/{ENTRY}"))
            index = parse_inclusion(read(files, f"{folder}/tlog-proof").decode()).index
            body = read(files, f"{folder}/{OBJECT}")
            value = canonical.decode(body, what=entry.key)
            night = dt.date.fromisoformat(value["night"])
            found.setdefault(night, []).append((index, value, canonical.sha256_hex(body)))
    return {night: sorted(each, key=lambda one: one[1]["revision"]) for night, each in found.items()}
