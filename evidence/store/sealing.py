"""Putting one thing into the store and its entry into the log; shared by every verb that seals."""

from collections.abc import Sequence

from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.store.log import Log
from evidence.store.objects import ObjectStore, put_same


def append_new(log: Log, entries: Sequence[Entry]) -> list[Entry]:
    """Append those of ``entries`` whose key is not in the log yet, also after a lost race; return them."""

    def build(current: Log) -> list[Entry]:
        return [entry for entry in entries if current.find(entry.type, entry.key) is None]

    return [log.entry(index) for index in log.append(build)] if entries else []


def put_object(store: ObjectStore, path: str, body: bytes) -> ObjectRef:
    """Put ``body`` at ``path`` (equal bytes are fine) and return the reference an entry names it by."""
    put_same(store, path, body)
    return ObjectRef(path, canonical.sha256_hex(body), len(body))
