"""Loose files: rows outside the export layout, placed row by row.

One pass when the source is first asked counts what each file holds for which dataset and night; reading a night decodes
those files again and keeps its rows, so memory does not grow with them. Each night costs one pass over the files that
hold it: large exports belong into the dated layout. A loose file does not say that it is the whole day, so no totals
are stated for it and its windows are sealed as incomplete.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.snapshot.model import Finality, Statement, Totals, Window
from evidence.sources import exact
from evidence.sources.decode import BATCH_ROWS, Line, Reject, decode, format_of, lines, text_batch
from evidence.sources.moment import parse_moment
from evidence.sources.shape import Misfit, Placer, Shape
from evidence.sources.tree import TreeFile

Slot = tuple[str, dt.date]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Rows of one file that belong to one dataset and night."""

    slot: Slot
    batch: pa.RecordBatch


class Loose:
    """What lies around, indexed. ``taken`` are slots that a dated folder speaks for; ``now`` bounds event times."""

    def __init__(
        self,
        files: Sequence[TreeFile],
        contracts: Mapping[str, Contract],
        shapes: tuple[Shape, ...],
        taken: set[Slot],
        now: dt.datetime,
    ) -> None:
        self._contracts, self._taken, self._now = contracts, taken, now
        self._placer = Placer(contracts, shapes)
        self._holds: dict[Slot, Counter[str]] = {}
        self._files = {file.name: file for file in files}
        self.rejected: Counter[str] = Counter()  # rejects per file
        for file in files:
            for item in self._items(file):
                if isinstance(item, Reject):
                    self.rejected[file.name] += 1
                else:
                    self._holds.setdefault(item.slot, Counter())[file.name] += item.batch.num_rows

    @property
    def datasets(self) -> set[str]:
        """Datasets that have rows."""
        return {dataset for dataset, _ in self._holds}

    @property
    def rejects_night(self) -> dt.date:
        """The night of the last change of any file that holds a reject."""
        return Window.of_capture(max(self._changed(self._files[name]) for name in self.rejected)).night

    def rejects(self) -> Iterator[Reject]:
        """Decode the files that hold rejects again and yield those: nothing is kept in memory."""
        for name in self.rejected:
            yield from (item for item in self._items(self._files[name]) if isinstance(item, Reject))

    def nights(self, dataset: str) -> list[dt.date]:
        """Nights that have rows of ``dataset``."""
        return sorted(night for name, night in self._holds if name == dataset)

    def read(self, contract: Contract, night: dt.date) -> "LooseReading | None":
        """Return a reading of one slot, or ``None`` if it has no rows."""
        counts = self._holds.get((contract.name, night))
        if counts is None:
            return None
        return LooseReading(self, contract, night, dict(counts))

    def rows(self, name: str, slot: Slot) -> Iterator[pa.RecordBatch]:
        """Decode one file again and yield its rows of one slot."""
        for item in self._items(self._files[name]):
            if isinstance(item, _Chunk) and item.slot == slot:
                yield item.batch

    def _items(self, file: TreeFile) -> Iterator[_Chunk | Reject]:
        if format_of(file.name) == "ndjson" and not file.refusal:
            yield from self._objects(file)
        else:
            yield from self._tables(file)

    def _objects(self, file: TreeFile) -> Iterator[_Chunk | Reject]:
        """Place each object by itself: one file may mix kinds."""
        pending: dict[Slot, list[dict[str, str | None]]] = {}
        for line in lines(file):
            found = self._place(file, line) if isinstance(line, Line) else line
            if isinstance(found, Reject):
                yield found
                continue
            slot, row = found
            rows = pending.setdefault(slot, [])
            rows.append(row)
            if len(rows) >= BATCH_ROWS:
                yield _chunk(slot, pending.pop(slot))
        for slot, rows in pending.items():
            yield _chunk(slot, rows)

    def _place(self, file: TreeFile, line: Line) -> tuple[Slot, dict[str, str | None]] | Reject:
        placed = self._placer.place(line.members, _stem(file))
        if isinstance(placed, Misfit):
            return Reject(line.text, f"{file.label} line {line.number}: {placed.reason}")
        contract = self._contracts[placed.dataset]
        slot = self._slot(file, contract, _watermark(contract, placed.row))
        if isinstance(slot, str):
            return Reject(line.text, f"{file.label} line {line.number}: {slot}")
        return slot, placed.row

    def _tables(self, file: TreeFile) -> Iterator[_Chunk | Reject]:
        """Place a Parquet or CSV file by its columns, then its rows by their moment."""
        record = 0
        for item in decode(file):
            if isinstance(item, Reject):
                yield item
                continue
            dataset = self._placer.by_columns(item.schema.names, _stem(file))
            where = f"{file.label} record {record + 1}"
            record += item.num_rows
            if isinstance(dataset, Misfit):
                yield from _all_rejected(item, file, record - item.num_rows, dataset.reason)
            else:
                yield from self._split(file, self._contracts[dataset], item, where)

    def _split(
        self, file: TreeFile, contract: Contract, batch: pa.RecordBatch, where: str
    ) -> Iterator[_Chunk | Reject]:
        rows: dict[Slot, list[int]] = {}
        name = next((name for name in batch.schema.names if name.lower() == contract.watermark.lower()), "")
        moments = batch.column(batch.schema.get_field_index(name)).to_pylist() if name else [None] * batch.num_rows
        for index, moment in enumerate(moments):
            slot = self._slot(file, contract, moment)
            if isinstance(slot, str):
                text = exact.dumps({key: str(value) for key, value in batch.slice(index, 1).to_pylist()[0].items()})
                yield Reject(text, f"{where} + {index}: {slot}")
            else:
                rows.setdefault(slot, []).append(index)
        for slot, indices in rows.items():
            yield _Chunk(slot, batch.take(pa.array(indices, pa.int64())))

    def _slot(self, file: TreeFile, contract: Contract, watermark: Any) -> Slot | str:
        """Return dataset and night of a row, or why it has none."""
        if contract.kind == "state":
            slot = contract.name, Window.of_capture(self._changed(file)).night
        else:
            moment = _moment(watermark)
            if moment is None:
                return f"a row of {contract.name} whose {contract.watermark} is no moment with a zone"
            if moment > self._now:
                return f"a row of {contract.name} whose {contract.watermark} lies in the future"
            slot = contract.name, moment.astimezone(dt.UTC).date()
        if slot in self._taken:
            return f"a dated folder speaks for {slot[0]} {slot[1]}"
        return slot

    def _changed(self, file: TreeFile) -> dt.datetime:
        return min(file.modified, self._now)


@dataclass(slots=True)
class LooseReading:
    """Loose rows of one dataset and night. Nobody says when a state was true, or that a day is whole."""

    loose: Loose
    contract: Contract
    night: dt.date
    counts: Mapping[str, int]
    system: Mapping[str, str] = field(default_factory=dict)
    totals: None = None
    as_of: None = None

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows, file by file."""
        for name in self.counts:
            yield from self.loose.rows(name, (self.contract.name, self.night))

    @property
    def rejected(self) -> Iterator[tuple[str, str]]:
        """Rows that are none belong to ``files.unrecognised``: their night is not known."""
        return iter(())

    @property
    def statements(self) -> Sequence[Statement]:
        """Each file and the rows taken from it."""
        return [Statement(f"read {name}", rows=rows) for name, rows in self.counts.items()]

    @property
    def finality(self) -> Finality | None:
        """Late rows cannot be excluded."""
        return "provisional" if self.contract.kind == "event" else None

    @property
    def notes(self) -> Sequence[str]:
        """What is known of the rows."""
        if self.contract.kind == "state":
            return ["loose files: the night is that of the file's last change; when the state was true is not stated"]
        return ["loose files: rows of this UTC day; nobody states that they are all of it"]


@dataclass(slots=True)
class UnrecognisedReading:
    """Everything that fits nowhere, as rejects."""

    loose: Loose
    system: Mapping[str, str] = field(default_factory=dict)
    as_of: None = None
    finality: None = None
    notes: Sequence[str] = ("rows and files that fit no dataset",)

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """No row lands."""
        return iter(())

    @property
    def rejected(self) -> Iterator[tuple[str, str]]:
        """Each row or file with its reason."""
        return ((reject.text, reject.reason) for reject in self.loose.rejects())

    @property
    def statements(self) -> Sequence[Statement]:
        """Each file and how many rejects it holds."""
        return [Statement(f"read {name}", rows=count) for name, count in self.loose.rejected.items()]

    @property
    def totals(self) -> Totals:
        """As counted when the folder was indexed."""
        return Totals(self.loose.rejected.total())


def _stem(file: TreeFile) -> str:
    """Return the file's name without endings: it may name the dataset."""
    return file.parts[-1].partition(".")[0]


def _chunk(slot: Slot, rows: list[dict[str, str | None]]) -> _Chunk:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _Chunk(slot, text_batch(rows, columns))


def _watermark(contract: Contract, row: Mapping[str, str | None]) -> str | None:
    wanted = contract.watermark.lower()
    return next((value for name, value in row.items() if name.lower() == wanted), None)


def _moment(value: Any) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else None
    return parse_moment(value) if isinstance(value, str) else None


def _all_rejected(batch: pa.RecordBatch, file: TreeFile, before: int, reason: str) -> Iterator[Reject]:
    for index, row in enumerate(batch.to_pylist()):
        text = exact.dumps({key: str(value) for key, value in row.items()})
        yield Reject(text, f"{file.label} record {before + index + 1}: {reason}")
