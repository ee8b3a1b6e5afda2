"""Putting one thing into the store and its entry into the log; shared by every verb that seals.

Where the store keeps retention, what it says of each new object is read back before the commit and stands in the entry:
``"retention": {"mode": …, "until": …}``. One HEAD for each new entry with an object; a lock that is less than the rule stops the
commit. An object under a standing legal hold is held before its commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.store.check import referenced
from evidence.store.disposal import Disposals
from evidence.store.hold import Holds
from evidence.store.log import Log
from evidence.store.objects import ObjectStore, put_same
from evidence.store.retention import RetainingStore, read_back

_AT_ONCE: Final = 8  # locks read back at once


def append_new(log: Log, entries: Sequence[Entry]) -> list[Entry]:
    """Append those of ``entries`` whose key is not in the log yet, also after a lost race; return them.

    Raises ``StoreError``, with nothing committed, when a lock that is read back is less than the store's rule.
    """
    if isinstance(log.store, RetainingStore):
        entries = _kept(log, log.store, entries)

    def build(current: Log) -> list[Entry]:
        return [entry for entry in entries if current.find(entry.type, entry.key) is None]

    return [log.entry(index) for index in log.append(build)] if entries else []


def put_object(store: ObjectStore, path: str, body: bytes) -> ObjectRef:
    """Put ``body`` at ``path`` (equal bytes are fine) and return the reference an entry names it by."""
    put_same(store, path, body)
    return ObjectRef(path, canonical.sha256_hex(body), len(body))


def register_entries(log: Log, bodies: Mapping[str, bytes]) -> list[Entry]:
    """Put each register as used, once per content, and return the entries that are not in the log yet."""
    entries = []
    for name, body in sorted(bodies.items()):
        digest = canonical.sha256_hex(body)
        if log.find("register", f"{name}/{digest}") is None:
            ref = put_object(log.store, f"registers/{name}/{digest}.json", body)
            entries.append(Entry("register", f"{name}/{digest}", ref, {"register": name}))
    return entries


def configuration_entries(log: Log, body: bytes) -> list[Entry]:
    """Put what was in force, once per content, and return its entry if it is not in the log yet."""
    digest = canonical.sha256_hex(body)
    if log.find("configuration", digest) is not None:
        return []
    return [Entry("configuration", digest, put_object(log.store, f"configurations/{digest}.json", body))]


def holds_of(log: Log) -> Holds:
    """Return the legal holds that ``log`` records."""
    return Holds.of(entry for _, entry in log.entries("hold"))


def disposals_of(log: Log) -> Disposals:
    """Return what ``log`` records as disposed, by rule."""
    return Disposals.of(lambda kind: (index for index, _ in log.entries(kind)), log.entry)


def _kept(log: Log, store: RetainingStore, entries: Iterable[Entry]) -> list[Entry]:
    holds = holds_of(log)

    def keep(entry: Entry) -> Entry:
        if entry.object is None:
            return entry
        said = read_back(entry.object.path, log.store.head(entry.object.path), store.rule)
        for _ in holds.covering(entry):
            for path in sorted(referenced(log.store, [entry])):
                store.hold(path, on=True)
            break
        return replace(entry, body={**entry.body, "retention": said})

    new = [entry for entry in entries if log.find(entry.type, entry.key) is None]
    if len(new) < _AT_ONCE:
        return [keep(entry) for entry in new]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(keep, new))
