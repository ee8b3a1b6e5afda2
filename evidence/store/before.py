"""What a kept checkpoint covers, as hashes alone: read from the store's tiles, proved together by the checkpoint's root.

Of a long log that takes one tile for each 65,536 entries' worth of subtree it was cut into, and at most 255 tiles for each level that is not
full yet. Nothing here is believed by itself: who uses it holds the root of the kept size against the kept checkpoint.
"""

from evidence.errors import ObjectNotFoundError, UsageError, VerificationError
from evidence.store.objects import ObjectStore
from evidence.store.reading import small
from evidence.tlog import tile
from evidence.tlog.merkle import HASH_BYTES, Tree, node_hash


class Before:
    """The first ``size`` entries, full bundles of them: no entry is read, no name is known (``evidence.store.history.Base``)."""

    def __init__(self, store: ObjectStore, size: int) -> None:
        self.size = size
        self._store = store
        self._tiles: dict[str, tuple[bytes, ...] | None] = {}
        self._hashes: dict[tuple[int, int], bytes] = {}
        start = 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                self._make(level, start >> level)
                start += 1 << level

    def find(self, type_: str, key: str) -> int | None:
        """Return None: no name is known."""
        del type_, key
        return None

    def numbers(self, type_: str) -> list[int]:
        """Return none."""
        del type_
        return []

    def last(self, type_: str) -> tuple[int, int]:
        """Return that there is none."""
        del type_
        return -1, 0

    def raw(self, number: int) -> bytes:
        """Raise ``UsageError``: no entry is held."""
        raise UsageError(f"entry {number} was not read")

    def name(self, number: int) -> tuple[str, str]:
        """Raise ``UsageError``: no entry is held."""
        raise UsageError(f"entry {number} was not read")

    def subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a subtree that the kept root stands on."""
        if (level, index) not in self._hashes:
            raise VerificationError(f"the hash of subtree {index} of height {level} was not read", step="tiles")
        return self._hashes[level, index]

    def _make(self, level: int, index: int) -> bytes:
        found = self._hashes.get((level, index))
        if found is None:
            found = self._hashes[level, index] = self._computed(level, index)
        return found

    def _computed(self, level: int, index: int) -> bytes:
        high, rest = divmod(level, tile.HEIGHT)
        if rest:
            return node_hash(self._make(level - 1, 2 * index), self._make(level - 1, 2 * index + 1))
        full = self._tile(high, index // tile.WIDTH)
        if full is not None:
            return full[index % tile.WIDTH]
        below = self._tile(high - 1, index)
        if below is None:
            raise VerificationError(f"{tile.tile_path(high - 1, index)} is missing", step="tiles")
        return Tree(below).root()

    def _tile(self, level: int, index: int) -> tuple[bytes, ...] | None:
        path = tile.tile_path(level, index)
        if path not in self._tiles:
            try:
                self._tiles[path] = tile.decode_tile(small(self._store, path, tile.WIDTH * HASH_BYTES))
            except ObjectNotFoundError:
                self._tiles[path] = None
        return self._tiles[path]
