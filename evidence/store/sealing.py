"""Putting one thing into the store and its entry into the log; shared by every verb that seals."""

from collections.abc import Sequence
from typing import Any

from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, EntryType, ObjectRef
from evidence.store.log import Log
from evidence.store.objects import put_same


def append_new(log: Log, entries: Sequence[Entry]) -> list[Entry]:
    """Append those of ``entries`` whose key is not in the log yet, also after a lost race; return them."""
    added: list[Entry] = []

    def build(current: Log) -> list[Entry]:
        added[:] = [entry for entry in entries if current.find(entry.type, entry.key) is None]
        return added

    if entries:
        log.append(build)
    return added


def seal_object(log: Log, entry_type: EntryType, key: str, path: str, value: Any, body: dict[str, Any]) -> Entry:
    """Put ``value`` as canonical JSON at ``path`` and commit one entry that names it."""
    content = canonical.encode(value)
    put_same(log.store, path, content, retain_until=log.retain_until())
    entry = Entry(entry_type, key, ObjectRef(path, canonical.sha256_hex(content), len(content)), body)
    append_new(log, [entry])
    return entry
