"""What the engine may see of sealed evidence: verified private copies, one night of one dataset of one source at a time.

``assess`` implements :class:`EvidenceReader` over a store, ``reperform`` over a packet, tests over rows in memory.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.control.fields import WHOLE, Fields, leaves
from evidence.control.folded import together
from evidence.control.result import Input, NightFinding
from evidence.datasets.contract import Contract
from evidence.datasets.timing import overdue_at
from evidence.snapshot import assessed, canonical
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import DAY, Part, start_of

MANY: Final = 20_000  # rows of a snapshot from which texts are read as dictionaries
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed snapshot. ``receipt`` is the receipt's JSON; ``captured_at`` the as-of moment of a state capture."""

    input: Input
    receipt: Mapping[str, Any]
    captured_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Assessed:
    """One sealed assessment as later nights read it. ``library`` is version and digest of the content it was made with."""

    input: Input
    findings: tuple[NightFinding, ...]
    library: Mapping[str, str]


def assessed_of(revisions: Sequence[tuple[Mapping[str, Any], str]]) -> Assessed | None:
    """Return what the highest of a night's assessments says (JSON and SHA-256 of each, in order of revision).

    It is named by the first revision that said the same: a revision in which only findings about findings changed must not
    make every later night another one.
    """
    if not revisions:
        return None
    last = revisions[-1][0]
    content = assessed.content_of(last)
    first, sha256 = next((value, sha256) for value, sha256 in revisions if assessed.content_of(value) == content)
    status, count, digest = content
    night = dt.date.fromisoformat(first["night"])
    source_input = Input(assessed.SOURCE, assessed.FINDINGS, night, first["revision"], sha256, digest, status, count)
    findings = tuple(NightFinding.from_json({**finding, "inputs": []}) for finding in assessed.early(last))
    return Assessed(source_input, findings, last.get("library", {}))


@dataclass(frozen=True, slots=True)
class Checked:
    """One sealed record of a check of the whole store (``evidence.store.record``), and what an input names it by."""

    input: Input
    checked_at: dt.datetime
    body: Mapping[str, Any]


def checked_of(body: Mapping[str, Any], sha256: str) -> Checked:
    """Return a record as the engine sees it; ``sha256`` is the digest of its bytes."""
    moment = canonical.parse_time(body["checked_at"])
    failed = sum(step["failed"] for step in body["steps"])
    used = Input(assessed.SOURCE, assessed.CHECKS, moment.date(), 0, sha256, sha256, "complete", failed)
    return Checked(used, moment, body)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One sealed record of the pipeline itself (``evidence.store.pipeline``), and what an input names it by."""

    input: Input
    at: dt.datetime
    body: Mapping[str, Any]


def recorded_of(body: Mapping[str, Any], sha256: str) -> Recorded:
    """Return a record as the engine sees it; ``sha256`` is the digest of its bytes."""
    night, parts = dt.date.fromisoformat(body["night"]), len(body["state"]["parts"])
    used = Input(assessed.SOURCE, assessed.PIPELINE, night, 0, sha256, sha256, "complete", parts)
    return Recorded(used, canonical.parse_time(body["at"]), body)


def chosen_records(records: Mapping[dt.date, Sequence[T]], night: dt.date) -> list[T]:
    """Return the last of what was recorded for an earlier night, if anything was, then all of ``night``, in order of the log."""
    before = max((each for each in records if each < night), default=None)
    return [*(records[before][-1:] if before is not None else ()), *records.get(night, ())]


def window_due(contracts: Mapping[str, Contract], dataset: str, night: dt.date, known_at: dt.datetime) -> bool:
    """Return whether the window should be sealed by ``known_at``. The pipeline's own record can be made until the day after is over."""
    if dataset == assessed.PIPELINE:
        return known_at >= start_of(night) + 2 * DAY
    contract = contracts.get(dataset)
    return contract is None or overdue_at(contract, night) <= known_at


def sealed_of(manifest: Manifest, sha256: str) -> Sealed:
    """Return what the engine sees of a snapshot; ``sha256`` is the digest of the manifest's bytes."""
    receipt, key = manifest.receipt, manifest.key
    as_of = receipt.get("as_of")
    source_input = Input(
        source=key.source,
        dataset=key.dataset,
        night=key.night,
        revision=key.revision,
        manifest_sha256=sha256,
        rows_digest=str(receipt.get("rows_digest", "")),
        status=manifest.status,
        rows=int(receipt["landed"]),
    )
    return Sealed(source_input, receipt, canonical.parse_time(as_of) if as_of else None)


def rows_of_parts(
    parts: Sequence[Part],
    read: Callable[[Part], bytes],
    columns: Sequence[str],
    schema: pa.Schema,
    fields: Fields = WHOLE,
) -> pa.Table:
    """Return ``columns`` of all ``parts``; from ``MANY`` rows on texts are dictionaries (:mod:`evidence.control.folded`)."""
    many = sum(part.rows for part in parts) >= MANY
    if parts:
        return together(part_rows(read(part), columns, schema, fields, folded=many) for part in parts)
    return pa.schema([schema.field(name) for name in columns]).empty_table()


def part_rows(
    body: bytes, columns: Sequence[str], schema: pa.Schema, fields: Fields = WHOLE, *, folded: bool = False
) -> pa.Table:
    """Return ``columns`` of one part, texts as dictionaries if ``folded``, nested ones with what they have of ``fields``. What an older version of the contract did not have is NULL: not collected then.

    ``schema`` is the landed schema of the contract as it is now.
    """
    file = pq.ParquetFile(pa.BufferReader(body))
    held = set(file.schema_arrow.names)
    names = [name for name in columns if name in held]
    if folded:
        texts = [name for name in names if pa.types.is_string(file.schema_arrow.field(name).type)]
        file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts, metadata=file.metadata)
    kinds = file.schema_arrow
    paths = [
        path
        for name in names
        for path in (leaves(name, kinds.field(name).type, fields[name]) if name in fields else [name])
    ]
    table = file.read(columns=paths)
    rows = file.metadata.num_rows
    arrays = [table[name] if name in held else pa.nulls(rows, schema.field(name).type) for name in columns]
    return pa.table(arrays, names=list(columns))


class EvidenceReader(Protocol):
    """Read access to sealed evidence at one log size. Every byte behind it was hashed and matched to the log."""

    def sources(self, dataset: str) -> Sequence[str]:
        """Names of the configured or ever-seen sources that hold ``dataset``, sorted. Empty: nobody collects it."""

    def coverage_start(self, source: str, dataset: str) -> dt.date:
        """First night of which ``source`` is covered for datasets of this one's kind."""

    def due(self, dataset: str, night: dt.date) -> bool:
        """False while the window may not have been collected yet (latency not over): the night is ``pending``."""

    def snapshot(self, source: str, dataset: str, night: dt.date) -> Sealed | None:
        """The highest revision sealed for that night, whatever its status, or None."""

    def rows(self, sealed: Sealed, columns: Sequence[str], fields: Fields = WHOLE) -> pa.Table:
        """The named columns of a complete snapshot, read from the verified private copy. Texts may be dictionaries, nested columns have the ``fields`` or more."""

    def assessed(self, night: dt.date) -> Assessed | None:
        """What was concluded of that night: the highest assessment sealed, or None."""

    def checks(self) -> Sequence[Checked]:
        """Every check of the store that was recorded by then, in order."""

    def pipeline(self, night: dt.date) -> Sequence[Recorded]:
        """The last record of the pipeline of an earlier night, if there is one, then all of this night, in order."""


def windows_of(reader: EvidenceReader, dataset: str, night: dt.date, lookback: int) -> Iterator[tuple[str, dt.date]]:
    """Yield source and night of each covered window of ``dataset`` up to ``night``, by source, the earliest first."""
    for source in reader.sources(dataset):
        start = reader.coverage_start(source, dataset)
        for back in range(lookback, -1, -1):
            if night - DAY * back >= start:
                yield source, night - DAY * back
