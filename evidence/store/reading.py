"""Reading what no digest vouches for yet, in bounds: whoever holds the store chooses these bytes and how many there are."""

from typing import Final

from evidence.errors import MalformedError
from evidence.store.objects import ObjectStore

MAX_SMALL: Final = 1 << 20  # bytes of store.json and of the cached checkpoint: text of under 1 KiB


def small(store: ObjectStore, path: str, limit: int) -> bytes:
    """Return an object; raise ``MalformedError`` before reading one over ``limit`` bytes."""
    found = store.head(path)
    if found is not None and found.size > limit:
        raise MalformedError(f"{path} has {found.size} bytes, over {limit}")
    return store.get(path)
