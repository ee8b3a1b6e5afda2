"""Before a merge: controls on a pull request's manifest and contracts, with everything else as it was last sealed.

The pull request is judged as if it had been merged before the last capture: its rows stand in the night's place, and what the
night had of the same dataset stands in the place of the night before. Nothing is sealed unless asked for; then what was seen
and found is one ``change`` entry of the log (``docs/formats/gate.md``).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from evidence.control.engine import Engine
from evidence.control.evidence import Assessed, Checked, EvidenceReader, Recorded, Sealed
from evidence.control.fields import WHOLE, Fields
from evidence.control.model import Control, Library
from evidence.control.night import Night
from evidence.control.overlay import configuration
from evidence.control.register import Registers
from evidence.control.result import Input, NightFinding
from evidence.control.worse import Seen, Weighed, looks_back, weigh
from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.snapshot.model import DAY, Receipt, Window
from evidence.store.log import Log
from evidence.store.sealing import append_new, configuration_entries, put_object, register_entries

FORMAT: Final = "evidence-change-v1"
PROJECT: Final = "project_name"
NODES: Final = "dbt.nodes"


@dataclass(frozen=True, slots=True)
class Proposed:
    """One dataset of one source as the pull request has it: landed rows with their receipt."""

    source: str
    dataset: str
    receipt: Receipt
    rows: pa.Table


@dataclass(slots=True)
class ProposedReader:
    """``EvidenceReader``: the pull request for what it brings, ``base`` for the rest.

    A dbt source may hold several projects: those that the manifest's nodes do not belong to stay as they were sealed. What belongs
    to no named project is taken for the manifest's own, so that it is missed rather than kept beside its successor.
    """

    base: EvidenceReader
    proposed: Mapping[tuple[str, str], Proposed]  # by source and dataset
    night: dt.date
    _others: dict[tuple[str, str], pa.Table | None] = field(default_factory=dict)
    _moved: dict[Input, Sealed] = field(default_factory=dict)

    def sources(self, dataset: str) -> Sequence[str]:
        """Those of the store and those of the pull request."""
        return sorted({*self.base.sources(dataset), *(source for source, name in self.proposed if name == dataset)})

    def coverage_start(self, source: str, dataset: str) -> dt.date:
        """A night earlier for what the pull request brings: its past is the night itself."""
        start = self.base.coverage_start(source, dataset)
        if (source, dataset) not in self.proposed:
            return start
        return start - DAY if start <= self.night else self.night

    def due(self, dataset: str, night: dt.date) -> bool:
        """As ever."""
        return self.base.due(dataset, night)

    def snapshot(self, source: str, dataset: str, night: dt.date) -> Sealed | None:
        """The pull request's rows on the night; before it, what was sealed a night later, as captured a day earlier."""
        if (source, dataset) not in self.proposed:
            return self.base.snapshot(source, dataset, night)
        if night == self.night:
            return self._sealed(self.proposed[source, dataset])
        found = self.base.snapshot(source, dataset, night + DAY)
        if found is None:
            return None
        captured = found.captured_at - DAY if found.captured_at else None
        moved = replace(found, input=replace(found.input, night=night), captured_at=captured)
        self._moved[moved.input] = found
        return moved

    def rows(self, sealed: Sealed, columns: Sequence[str], fields: Fields = WHOLE) -> pa.Table:
        """The named columns; a pull request's input names no sealed manifest."""
        if sealed.input.manifest_sha256:
            return self.base.rows(self._moved.get(sealed.input, sealed), columns, fields)
        place = sealed.input.source, sealed.input.dataset
        own = self.proposed[place].rows.select(list(columns))
        others = self._others.get(place)
        return own if others is None else pa.concat_tables([own, others.select(list(columns))])

    def assessed(self, night: dt.date) -> Assessed | None:
        """What was concluded of earlier nights, as it was sealed."""
        return self.base.assessed(night)

    def checks(self) -> Sequence[Checked]:
        """What the store was checked for, as it was sealed."""
        return self.base.checks()

    def pipeline(self, night: dt.date) -> Sequence[Recorded]:
        """How the pipeline stood, as it was sealed."""
        return self.base.pipeline(night)

    def _sealed(self, change: Proposed) -> Sealed:
        place, receipt = (change.source, change.dataset), change.receipt
        base = self.base.snapshot(change.source, change.dataset, self.night)
        status, said = receipt.status, receipt.to_json()
        if status == "complete" and base is None and change.source in self.base.sources(change.dataset):
            status, why = "incomplete", "nothing is sealed for the night: what the source holds beside it is not known"
            said = {**said, "reason": why}
        elif status == "complete" and base is not None and base.input.status != "complete":
            status, why = (
                "incomplete",
                f"the night's own capture is {base.input.status}: what it held beside is not known",
            )
            said = {**said, "reason": why}
        elif base is not None and place not in self._others:
            self._others[place] = self._rest(change, base)
        others = self._others.get(place)
        window = Window(self.night, "state")
        captured = base.captured_at if base is not None else None
        if captured is None or not window.start <= captured < window.end:
            captured = window.start
        seen = Input(
            source=change.source,
            dataset=change.dataset,
            night=self.night,
            revision=0,
            manifest_sha256="",
            rows_digest=receipt.rows_digest,
            status=status,
            rows=receipt.landed + (others.num_rows if others is not None else 0),
        )
        return Sealed(seen, said, captured)

    def _rest(self, change: Proposed, base: Sealed) -> pa.Table | None:
        """Return the night's rows of projects that the pull request does not speak of."""
        nodes = self.proposed.get((change.source, NODES))
        names = pc.unique(nodes.rows.column(PROJECT)).to_pylist() if nodes else []
        mine = [name for name in names if name is not None]
        if not mine or PROJECT not in change.rows.column_names:
            return None
        sealed = self.base.rows(base, change.rows.column_names)
        named = sealed.filter(pc.is_valid(sealed.column(PROJECT)))
        return named.filter(pc.invert(pc.is_in(named.column(PROJECT), pa.array(mine, pa.string()))))


@dataclass(frozen=True, slots=True)
class Judged:
    """Every control with and without the change, and what both rest on."""

    night: dt.date
    known_at: dt.datetime
    weighed: tuple[Weighed, ...]
    proposed: tuple[Proposed, ...]

    @property
    def broken(self) -> tuple[tuple[str, str], ...]:
        """What the pull request brought that could not be read whole: dataset and why."""
        found = [(each.dataset, each.receipt) for each in self.proposed]
        return tuple(
            (dataset, "; ".join([*([r.reason] if r.reason else []), *r.quarantine_reasons]) or r.status)
            for dataset, r in found
            if r.status != "complete" or r.quarantined
        )


def judge(
    library: Library,
    registers: Registers,
    base: EvidenceReader,
    proposed: Iterable[Proposed],
    night: dt.date,
    engine: Engine,
    *,
    known_at: dt.datetime,
    controls: Sequence[str],
    everything: bool = False,
) -> Judged:
    """Judge ``controls`` on ``night`` twice, on ``base`` alone and with what is ``proposed``, by the same content and clock."""
    changes = {(each.source, each.dataset): each for each in proposed}
    reader = ProposedReader(base, changes, night)
    tested = [library.control(name) for name in [*controls, *_compensating(registers, controls, library)]]

    def seen(of: EvidenceReader) -> dict[str, Seen]:
        run = Night(library, registers, of, night, known_at, engine.select, tested)
        return {f.control: Seen(f, _items(run, library.control(f.control), f)) for f in run.findings()}

    now, before = seen(reader), seen(base)
    datasets = {dataset for _, dataset in changes}
    weighed = [
        weigh(
            library.controls[name],
            now[name],
            before[name],
            own=looks_back(library, library.controls[name], datasets),
            everything=everything,
            later=library.gate_later.get(name, ()),
        )
        for name in controls
    ]
    return Judged(night, known_at, tuple(weighed), tuple(changes.values()))


def seal(
    log: Log, library: Library, registers: Registers, judged: Judged, facts: Mapping[str, Any], new_id: str
) -> Entry | None:
    """Seal what was seen and found as a ``change`` entry; None if the log holds the same already.

    ``facts`` are what the caller knows of the change: ``commit``, ``assessment``, ``accepted_removed``, ``exit_code``.
    """
    commit = str(facts.get("commit") or "")
    body = configuration(library)
    value = {
        "format": FORMAT,
        **facts,
        "night": judged.night.isoformat(),
        "known_at": canonical.format_time(judged.known_at),
        "log_size": log.size,
        "library": {"version": library.version, "sha256": library.sha256},
        "configuration": canonical.sha256_hex(body),
        "registers": dict(registers.digests),
        "inputs": [
            {"source": each.source, "dataset": each.dataset, "receipt": each.receipt.to_json()}
            for each in judged.proposed
        ],
        "controls": [{**each.to_json(), "finding": each.finding.to_json()} for each in judged.weighed],
    }
    same = canonical.sha256_hex(canonical.encode(_timeless(value)))
    key = f"{commit or 'no-commit'}/{same}"
    if log.find("change", key) is not None:
        return None
    ref = put_object(log.store, f"changes/{commit or 'no-commit'}/{new_id}.json", canonical.encode(value))
    outcomes = [each.outcome for each in judged.weighed]
    said = {
        "commit": commit,
        "night": value["night"],
        "log_size": value["log_size"],
        "exit_code": facts.get("exit_code"),
        "outcomes": {name: outcomes.count(name) for name in sorted(set(outcomes))},
    }
    used = [*register_entries(log, registers.bodies), *configuration_entries(log, body)]
    entries = append_new(log, [*used, Entry("change", key, ref, said)])
    return entries[-1] if entries else None


def _timeless(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies a gate run: without the log's size and the clock of the reading."""
    inputs = [
        {**each, "receipt": {k: v for k, v in each["receipt"].items() if k not in {"collected_at", "as_of", "cost"}}}
        for each in value["inputs"]
    ]
    return {**{name: each for name, each in value.items() if name != "log_size"}, "inputs": inputs}


def _compensating(registers: Registers, controls: Sequence[str], library: Library) -> list[str]:
    """Return the controls that make up for waived items: a waiver holds only while they pass."""
    rows: Collection[Mapping[str, Any]] = registers.rows.get("waivers", ())
    named = {str(row["compensating_control"]) for row in rows if row["control"] in controls}
    return sorted((named & library.controls.keys()) - set(controls))


def _items(run: Night, control: Control, finding: NightFinding) -> frozenset[str] | None:
    """Return the items that the test saw; None where it did not run (the fingerprint is empty then)."""
    if not finding.fingerprint:
        return None
    items = run.population(control).column("item").to_pylist()
    if len(items) != finding.population:
        raise MalformedError(f"{control.id}: {len(items)} items, the finding says {finding.population}")
    return frozenset(items)
