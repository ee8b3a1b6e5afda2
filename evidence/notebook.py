"""For notebooks: ``evidence.open(store, trust=…)`` reads what is sealed, verified against the log, as Arrow tables or pandas frames.

Reading is all it does. A row is returned only if its part has the digest that its manifest names, and the manifest the one that its log entry
names, under a key that the caller brought. What is missing, incomplete or not assessed is said by the methods that count, never left out in silence.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from evidence.assess import sealed_findings
from evidence.control.evidence import part_rows
from evidence.datasets.contract import Contract
from evidence.datasets.load import load_contracts
from evidence.errors import UsageError
from evidence.signing.trust import load_trust
from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import DAY
from evidence.store.index import Index
from evidence.store.log import Log
from evidence.store.objects import ObjectStore
from evidence.store.open import open_store
from evidence.tlog.cosignature import is_cosigner
from evidence.tlog.note import Verifier, parse_verifier

Night = dt.date | str
_RECEIPT = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("source", "dataset")),
        pa.field("night", pa.date32()),
        pa.field("revision", pa.int32()),
        *(pa.field(name, pa.string()) for name in ("status", "finality")),
        *(pa.field(name, pa.int64()) for name in ("landed", "quarantined", "log_index")),
    ]
)
_FINDING = pa.schema(
    [
        pa.field("night", pa.date32()),
        *(pa.field(name, pa.string()) for name in ("control", "severity", "status", "reason", "detail")),
        *(pa.field(name, pa.int64()) for name in ("population", "passed", "exceptions", "waived", "reviews")),
        pa.field("version", pa.string()),
    ]
)
_EXCEPTION = pa.schema(
    [
        pa.field("night", pa.date32()),
        *(
            pa.field(name, pa.string())
            for name in ("control", "severity", "kind", "item", "reason", "observed", "expected")
        ),
    ]
)


def open_evidence(store: str | Path, *, trust: str | Path, **place: Any) -> "Evidence":
    """Open the store at ``store`` (a folder, ``file:…`` or ``s3://…``) under the log key in ``trust``: a ``.vkey`` file, a folder with one,
    or its text. ``place`` are ``endpoint_url`` and ``region`` of S3.

    Raises ``UsageError`` without a key, ``VerificationError`` or ``StoreError`` when the log does not verify under it.
    """
    address = str(store)
    url = address if address.startswith(("file:", "s3:")) else f"file:{Path(address).resolve()}"
    found = open_store(url, base=Path.cwd(), clock=lambda: dt.datetime.now(dt.UTC), **place)
    return Evidence(found, Log.open(found, trust=_key(trust)))


def _key(trust: str | Path) -> Verifier:
    path = Path(trust)
    if isinstance(trust, str) and "+" in trust and not path.exists():
        return parse_verifier(trust.strip())
    keys = [text for text in load_trust([path]).vkeys if not is_cosigner(text)]
    if len(keys) != 1:
        raise UsageError(f"{path}: {len(keys)} log keys", fix="name the one file with the log key that you trust")
    return parse_verifier(keys[0])


@dataclass
class Evidence:
    """A store opened for reading, as of the log's size when it was opened. Nights are dates or ISO text."""

    store: ObjectStore
    log: Log

    @cached_property
    def index(self) -> Index:
        """What the log says, by identity."""
        return Index().catch_up(self.log)

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Contracts of every dataset."""
        return load_contracts()

    def datasets(self) -> list[str]:
        """Return the datasets that were ever sealed, sorted."""
        return sorted({dataset for _, dataset, _ in self.index.windows()})

    def receipts(self, dataset: str | None = None) -> pa.Table:
        """Return one row per window, its last revision: what was read, with what outcome. Incomplete reads are rows too."""
        rows = [
            {
                "source": s.key.source, "dataset": s.key.dataset, "night": s.key.night, "revision": s.key.revision, "status": s.status,
                "finality": "settled" if self.index.settled(s) else "provisional", "landed": s.body.get("landed"),
                "quarantined": s.body.get("quarantined"), "log_index": s.index,
            }
            for s in self.index.snapshots()
            if dataset in {None, s.key.dataset}
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, _RECEIPT)

    def as_of(self, dataset: str, night: Night, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of ``dataset`` on ``night``, of all sources, with ``source``, ``night`` and the window's ``status``.

        A status other than ``complete`` says that rows may be missing. Raises ``UsageError`` when nothing is sealed of that night.
        """
        day = _day(night)
        tables = list(self._tables(dataset, day, day, columns))
        if not tables:
            raise UsageError(f"nothing is sealed of {dataset} on {day}", fix="`receipts()` lists what is")
        return pa.concat_tables(tables)

    def between(self, dataset: str, first: Night, last: Night, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of all nights from ``first`` to ``last``, both included, as :meth:`as_of` does; nights without any are left to :meth:`missing`."""
        schema = self._schema(dataset, columns)
        return pa.concat_tables([schema.empty_table(), *self._tables(dataset, _day(first), _day(last), columns)])

    def missing(self, dataset: str, first: Night, last: Night) -> list[dt.date]:
        """Return the nights from ``first`` to ``last`` of which no source has a complete window of ``dataset``."""
        whole = {s.key.night for s in self.index.snapshots() if s.key.dataset == dataset and s.status == "complete"}
        start, end = _day(first), _day(last)
        nights = [start + DAY * n for n in range((end - start).days + 1)]
        return [night for night in nights if night not in whole]

    def findings(self, first: Night, last: Night | None = None) -> pa.Table:
        """Return one row per control and night, of each night's last assessment; ``exceptions`` and the like are counts."""
        rows = [
            {
                "night": f.night, "control": f.control, "severity": f.severity, "status": f.status, "reason": f.reason, "detail": f.detail,
                "population": f.population, "passed": f.passed, "exceptions": len(f.exceptions), "waived": len(f.waived),
                "reviews": len(f.reviews), "version": f.version,
            }
            for night in self._assessed(first, last)
            for f in sealed_findings(self.store, self.index, night)
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, _FINDING)

    def exceptions(self, first: Night, last: Night | None = None) -> pa.Table:
        """Return one row per item that did not pass: ``kind`` is ``exception`` or ``review``."""
        rows = [
            {
                "night": f.night, "control": f.control, "severity": f.severity, "kind": kind, "item": o.item, "reason": o.reason,
                "observed": o.observed, "expected": o.expected,
            }
            for night in self._assessed(first, last)
            for f in sealed_findings(self.store, self.index, night)
            for kind, found in (("exception", f.exceptions), ("review", f.reviews))
            for o in found
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, _EXCEPTION)

    def _assessed(self, first: Night, last: Night | None) -> list[dt.date]:
        start, end = _day(first), _day(last if last is not None else first)
        return [night for night in self.index.assessed_nights() if start <= night <= end]

    def _tables(self, dataset: str, first: dt.date, last: dt.date, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        schema = self._schema(dataset, columns)
        for sealed in self.index.snapshots():
            if sealed.key.dataset == dataset and first <= sealed.key.night <= last:
                yield from self._read(sealed, schema)

    def _read(self, sealed: SealedEntry, schema: pa.Schema) -> Iterator[pa.Table]:
        own = self.contracts[sealed.key.dataset].landed_schema
        manifest = Manifest.from_bytes(self.store.get(sealed.manifest.path, sha256=sealed.manifest.sha256))
        names = [name for name in schema.names if name not in _STAMPS]
        yield schema.empty_table()
        for part in manifest.parts:
            table = part_rows(self.store.get(part.path, sha256=part.sha256), names, own)
            for name, value in zip(_STAMPS, (sealed.key.source, sealed.key.night, sealed.status), strict=True):
                table = table.append_column(
                    schema.field(name), pa.array([value] * table.num_rows, schema.field(name).type)
                )
            yield table.cast(schema)

    def _schema(self, dataset: str, columns: Sequence[str] | None) -> pa.Schema:
        if dataset not in self.contracts:
            raise UsageError(f"no dataset {dataset!r}", fix="docs/datasets.md lists every dataset")
        own = self.contracts[dataset].landed_schema
        if unknown := sorted(set(columns or ()) - set(own.names)):
            raise UsageError(f"{dataset} has no column {', '.join(unknown)}", fix=f"columns: {', '.join(own.names)}")
        chosen = [own.field(name) for name in (own.names if columns is None else columns)]
        return pa.schema(
            [*chosen, pa.field("source", pa.string()), pa.field("night", pa.date32()), pa.field("status", pa.string())]
        )


_STAMPS = ("source", "night", "status")


def _day(night: Night) -> dt.date:
    try:
        return dt.date.fromisoformat(night) if isinstance(night, str) else night
    except ValueError:
        raise UsageError(f"{night!r} is no night", fix="a date, or YYYY-MM-DD") from None
