"""What lies in a store and is no evidence, and what may be done with it. Nothing here removes or repairs anything.

Nothing is ever repaired by rewriting evidence: an altered or missing object is restored from a copy, by its digest.
"""

from collections.abc import Collection, Iterator
from typing import Final, Protocol, runtime_checkable

from evidence.store.objects import CACHE_PATH, ObjectStore
from evidence.tlog.record import PREFIX

TEMPORARY: Final = ".tmp-"  # list() shows no name with a leading dot
_KNOWN_LOG: Final = (
    PREFIX,
    "log/tile/",
    "log/entries/",
    "log/tsr/",
    "log/cosigned/",
    CACHE_PATH,
)  # looked at by their own checks
_SEALED: Final = ("data/", "findings/", "registers/", "holds/", "packets/", "alerts/")
_ORPHAN: Final = (
    "named by no entry: information, not an error. Of a run that died before its commit, or of one at work now. Safe to leave; on a "
    "folder safe to remove while no run holds the lease, never on the word of a store that did not verify"
)
_PROBE: Final = "left by the probe for conditional creates: holds nothing, safe to remove"
_UNKNOWN: Final = (
    "no name this version writes: nothing reads it. Find out who put it there; safe to move out of the store"
)


@runtime_checkable
class WalkedStore(Protocol):
    """Optional: a backend that can hold things which are no objects."""

    def strays(self) -> Iterator[tuple[str, str]]:
        """Yield (path, what it is and what may be done with it) of everything that ``list`` does not or should not show."""


def leftovers(store: ObjectStore, named: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield (path, explanation) of everything that no entry names; ``named`` are the paths that entries and manifests do."""
    strays = dict(store.strays()) if isinstance(store, WalkedStore) else {}
    for path in store.list(""):
        if path in named or path in strays or path.startswith(_KNOWN_LOG):
            continue
        yield path, _PROBE if path.startswith("probe/") else _ORPHAN if path.startswith(_SEALED) else _UNKNOWN
    yield from strays.items()
