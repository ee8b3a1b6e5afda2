"""Retention that was promised when an entry was committed, beside what the store says of the object now.

An entry may say ``"retention": {"mode": …, "until": …}`` of its object, as read back before the commit. Retention grows and
never shrinks, so a lock that ends sooner, is of a weaker mode, or is gone was shortened by somebody who may do that.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final, Protocol, runtime_checkable

from evidence.errors import EvidenceError
from evidence.snapshot import canonical
from evidence.snapshot.check import Check, failed, proved, unmade
from evidence.snapshot.entry import Entry
from evidence.store.history import History
from evidence.store.objects import ObjectStore

_STEP: Final = "retention"
_STRENGTH: Final = {"GOVERNANCE": 1, "COMPLIANCE": 2}


@runtime_checkable
class LockingStore(Protocol):
    """A backend that keeps objects until a date; a folder, and so a copy in one, does not."""

    def lengthen(self, path: str, until: Any) -> bool:
        """Keep ``path`` until ``until`` at least."""


def check_locks(
    store: ObjectStore, history: History, disposed: Collection[int] = (), *, since: int = 0
) -> Iterator[Check]:
    """From entry ``since`` on, check the lock of every object whose entry promises one; nothing is said of a log that promises none, or of what is disposed."""
    count = faults = 0
    for index in range(since, history.size):
        entry = Entry.from_bytes(history.raw(index))
        promise = entry.body.get("retention")
        if promise is None or entry.object is None or index in disposed:
            continue
        count += 1
        if not isinstance(store, LockingStore):
            continue
        fault = _fault(store, entry.object.path, promise)
        if fault:
            faults += 1
            yield failed(_STEP, f"entry {index}: {fault}", entry.object.path)
    if not count:
        return
    if not isinstance(store, LockingStore):
        yield unmade(
            _STEP, f"{count} objects were promised a lock; this copy keeps none: ask the store itself", store.url
        )
    elif not faults:
        yield proved(_STEP, f"the locks of {count} objects are at least as promised", store.url)


def _fault(store: ObjectStore, path: str, promise: Any) -> str:
    try:
        info = store.head(path)
        until = canonical.parse_time(promise["until"])
        strength = _STRENGTH[promise["mode"]]
    except (EvidenceError, OSError, KeyError, TypeError) as exc:
        return f"its lock could not be read: {exc!r}"
    if info is None or info.retain_until is None:
        return f"has no lock; one until {promise['until']} was promised"
    if info.retain_until < until:
        return f"is locked until {canonical.format_time(info.retain_until)}; {promise['until']} was promised"
    if _STRENGTH.get(info.retention_mode or "", 0) < strength:
        return f"is locked in mode {info.retention_mode}; {promise['mode']} was promised"
    return ""
