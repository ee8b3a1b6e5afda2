"""Step 2: collected windows -> objects in the store and entries in its log.

Parts first, then the manifest, then one commit for the whole batch (design.md section 6, steps 3 to 5). Until the commit
nothing exists; killed at any instruction, the next run seals the same windows again and the leftovers are orphans.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from evidence.errors import StoreConflictError
from evidence.snapshot import canonical, manifest
from evidence.snapshot.collected import Collected
from evidence.snapshot.entry import Entry, snapshot_entry_key
from evidence.snapshot.model import Part
from evidence.store.index import Index
from evidence.store.log import Log
from evidence.store.sealing import append_new, put_object

NewId = Callable[[], str]


def seal(log: Log, index: Index, collected: Iterable[Collected], new_id: NewId) -> list[Entry]:
    """Seal a batch in one commit and return the entries that are new in the log.

    A read that found what is sealed already becomes a ``recount`` entry if it settles a provisional window, and nothing
    otherwise. Raises ``StoreConflictError``, ``ForkError`` or ``RollbackError``; nothing is committed then.
    """
    entries: list[Entry] = []
    first: dict[str, dt.date] = {}
    for item in collected:
        if item.unchanged:
            entries.extend(_recount(item))
            continue
        entries.append(_put(log, item, new_id()))
        first[item.key.source] = min(item.key.night, first.get(item.key.source, item.key.night))
    return append_new(log, [*_coverage(index, first), *entries])


def _put(log: Log, item: Collected, snapshot: str) -> Entry:
    key = item.key
    folder = f"data/{key.source}/{key.dataset}/date={key.night.isoformat()}/snapshot={snapshot}"
    parts = tuple(_put_part(log, item, part, f"{folder}/part-{n:04d}.parquet") for n, part in enumerate(item.parts))
    aside = tuple(
        _put_part(log, item, part, f"{folder}/_quarantine/part-{n:04d}.parquet")
        for n, part in enumerate(item.quarantine)
    )
    revises = item.previous.manifest.sha256 if item.previous else ""
    made = manifest.build(key, item.kind, snapshot, item.contract, parts, aside, item.receipt, revises)
    body = made.to_bytes()
    ref = put_object(log.store, f"{folder}/_manifest.json", body)
    receipt = item.receipt
    facts = {
        "status": receipt.status,
        "finality": receipt.finality,
        "kind": item.kind,
        "landed": receipt.landed,
        "quarantined": receipt.quarantined,
        "rows_digest": receipt.rows_digest,
        "collected_at": canonical.format_time(receipt.collected_at),
    }
    return Entry("snapshot", snapshot_entry_key(key), ref, facts)


def _put_part(log: Log, item: Collected, part: Part, path: str) -> Part:
    """Put one spooled file; the name is fresh, so an existing object there is somebody else's."""
    if not log.store.put_if_absent(path, item.spool / part.path):
        raise StoreConflictError(f"{path} exists already", fix="stop; find out who else writes to this store")
    return replace(part, path=path)


def _recount(item: Collected) -> list[Entry]:
    """A provisional window read again after its latency and found the same is settled."""
    previous = item.previous
    if previous is None or previous.body.get("finality") == "settled" or item.receipt.finality != "settled":
        return []
    body = {
        "result": "stable",
        "rows_digest": item.receipt.rows_digest,
        "collected_at": canonical.format_time(item.receipt.collected_at),
    }
    return [Entry("recount", snapshot_entry_key(previous.key), None, body)]


def _coverage(index: Index, first: Mapping[str, dt.date]) -> list[Entry]:
    """The first collect of a source seals where its coverage starts; a longer backfill seals an earlier start."""
    entries = []
    for source, night in sorted(first.items()):
        known = index.coverage_start(source)
        if known is None or night < known:
            start = night.isoformat()
            entries.append(Entry("coverage", f"{source}/{start}", None, {"source": source, "start": start}))
    return entries
