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
from evidence.snapshot.model import Kind, Part
from evidence.store.index import Index
from evidence.store.log import Log
from evidence.store.sealing import append_new, put_object

NewId = Callable[[], str]


def seal(
    log: Log,
    index: Index,
    collected: Iterable[Collected],
    new_id: NewId,
    *,
    starts: Mapping[Kind, dt.date] | None = None,
) -> list[Entry]:
    """Seal a batch in one commit and return the entries that are new in the log.

    A look that makes no new revision becomes a ``recount`` entry if it says anything new, and nothing otherwise. ``starts``
    says where the plan of the batch's source begins, by kind of dataset, if this batch is only part of it: coverage is
    sealed with the first of it, so that a backfill that breaks off is known to be unfinished. Raises ``StoreConflictError``, ``ForkError`` or
    ``RollbackError``; nothing is committed then.
    """
    entries: list[Entry] = []
    first: dict[tuple[str, Kind], dt.date] = {}
    for item in collected:
        if item.unchanged:
            entries.extend(_recount(index, item))
            continue
        entries.append(_put(log, item, new_id()))
        for kind, night in {**(starts or {}), item.kind: item.key.night}.items():
            place = (item.key.source, kind)
            first[place] = min(night, (starts or {}).get(kind, night), first.get(place, night))
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
    return Entry("snapshot", snapshot_entry_key(key), ref, {**facts, "late": True} if receipt.late else facts)


def _put_part(log: Log, item: Collected, part: Part, path: str) -> Part:
    """Put one spooled file; the name is fresh, so an existing object there is somebody else's."""
    if not log.store.put_if_absent(path, item.spool / part.path):
        raise StoreConflictError(f"{path} exists already", fix="stop; find out who else writes to this store")
    return replace(part, path=path)


def _recount(index: Index, item: Collected) -> list[Entry]:
    """Record a second look at a complete window, numbered from 1; one that says the same as the last again is left out."""
    found, previous = item.recount, item.previous
    if found is None or previous is None:
        return []
    receipt, looks = item.receipt, index.recounts(previous)
    body = {
        "result": found.result,
        "occasion": found.occasion,
        "compared": list(found.compared),
        "reason": found.reason,
        "finality": receipt.finality if found.result == "stable" else "provisional",
        "collected_at": canonical.format_time(receipt.collected_at),
        **found.facts,
    }
    told = [(look["result"], look.get("occasion"), look.get("finality")) for look in looks]
    mine = (found.result, found.occasion, body["finality"])
    idle = mine == ("stable", "export", "provisional")  # an export that nobody has made anew
    if idle or (found.occasion != "packet" and mine in told[-1:]):
        return []
    return [Entry("recount", f"{snapshot_entry_key(previous.key)}/{len(looks) + 1}", None, body)]


def _coverage(index: Index, first: Mapping[tuple[str, Kind], dt.date]) -> list[Entry]:
    """The first collect of a source seals where its coverage starts; a longer backfill seals an earlier start.

    One entry for both kinds where they start together, as those of an export do; else one for each.
    """
    early: dict[tuple[str, dt.date], list[Kind]] = {}
    for (source, kind), night in sorted(first.items()):
        known = index.coverage_start(source, kind)
        if known is None or night < known:
            early.setdefault((source, night), []).append(kind)
    entries = []
    for (source, night), kinds in early.items():
        body = {"source": source, "start": night.isoformat()}
        if len(kinds) > 1:
            entries.append(Entry("coverage", f"{source}/{body['start']}", None, body))
        else:
            key = f"{source}/{kinds[0]}/{body['start']}"
            entries.append(Entry("coverage", key, None, {**body, "kind": kinds[0]}))
    return entries
