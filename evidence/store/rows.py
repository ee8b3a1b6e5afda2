"""An ordered map kept in pages that are named by their SHA-256; pure.

A leaf holds rows, a page above it the first key and the digest of each page below. Whoever knows the digest of the root is told the truth
about every key, also that one is not there, or gets :class:`PageError`. Pages never change: a change makes new ones along its way to the
root. Looking a key up reads one page per level; a level holds up to 128 times what the one above it does.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from evidence.errors import EvidenceError

MOST: Final = 128  # rows of a page
Value = int | str
Page = tuple[int, list[str], list[Value]]  # level (0: leaf), keys, values: of a page above, digests


class PageError(EvidenceError):
    """A page is gone or has other bytes than its name says."""


class Pages(Protocol):
    """Where pages lie."""

    def get(self, digest: str) -> bytes:
        """Return the bytes of that SHA-256; raise ``PageError``."""

    def put(self, digest: str, body: bytes) -> None:
        """Keep ``body``. Raises ``OSError``."""


class MemoryPages:
    """Pages in memory."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    def get(self, digest: str) -> bytes:
        """See :class:`Pages`."""
        return self._bodies[digest]

    def put(self, digest: str, body: bytes) -> None:
        """See :class:`Pages`."""
        self._bodies[digest] = body


class Rows:
    """The map under ``root``, empty if that is empty. Keys are compared by code points."""

    def __init__(self, pages: Pages, root: str = "") -> None:
        self.root = root
        self._pages = pages
        self._read: dict[str, Page] = {}

    def get(self, key: str) -> Value | None:
        """Return the value of ``key``, None if there is none."""
        found = self.below(f"{key}\0")
        return found[1] if found and found[0] == key else None

    def below(self, key: str) -> tuple[str, Value] | None:
        """Return the last row whose key is less than ``key``."""
        digest = self.root
        while digest:
            level, keys, values = self._page(digest)
            place = bisect_left(keys, key) - 1
            if place < 0:
                return None
            if not level:
                return keys[place], values[place]
            digest = str(values[place])
        return None

    def scan(self, start: str, end: str) -> Iterator[tuple[str, Value]]:
        """Yield the rows with ``start`` <= key < ``end``, in order."""
        if self.root:
            yield from self._scan(self.root, start, end)

    def under(self, prefix: str) -> Iterator[tuple[str, Value]]:
        """Yield the rows whose keys begin with ``prefix``, in order."""
        return self.scan(prefix, f"{prefix}\U0010ffff")

    def changed(self, changes: Mapping[str, Value | None]) -> tuple["Rows", set[str], set[str]]:
        """Return the map with ``changes`` (None: gone), and the digests of pages that were replaced, and that were written."""
        items = sorted(changes.items())
        gone: set[str] = set()
        made: set[str] = set()
        level = self._page(self.root)[0] if self.root else 0
        rows = [(key, value) for key, value in items if value is not None]
        found = self._apply(self.root, items, gone, made) if self.root else self._cut(0, rows, made)
        while len(found) > 1:
            level += 1
            found = self._cut(level, found, made)
        after = Rows(self._pages, str(found[0][1]) if found else "")
        after._read = {digest: page for digest, page in self._read.items() if digest not in gone - made}
        return after, gone - made, made

    def _apply(
        self, digest: str, items: Sequence[tuple[str, Value | None]], gone: set[str], made: set[str]
    ) -> list[tuple[str, Value]]:
        level, keys, values = self._page(digest)
        gone.add(digest)
        if not level:
            merged: dict[str, Value | None] = {**dict(zip(keys, values, strict=True)), **dict(items)}
            return self._cut(0, [(key, value) for key, value in sorted(merged.items()) if value is not None], made)
        names = [key for key, _ in items]
        ends = [*(bisect_left(names, key) for key in keys[1:]), len(items)]
        below: list[tuple[str, Value]] = []
        start = 0
        for key, child, end in zip(keys, values, ends, strict=True):
            if end > start:
                below += self._apply(str(child), items[start:end], gone, made)
            else:
                below.append((key, child))
            start = end
        return self._cut(level, below, made)

    def _cut(self, level: int, rows: Sequence[tuple[str, Value]], made: set[str]) -> list[tuple[str, Value]]:
        """Write ``rows`` as pages of about the same size; return first key and digest of each."""
        pieces = -(-len(rows) // MOST)
        ends = [len(rows) * (n + 1) // pieces for n in range(pieces)]
        found: list[tuple[str, Value]] = []
        start = 0
        for end in ends:
            keys, values = [key for key, _ in rows[start:end]], [value for _, value in rows[start:end]]
            body = json.dumps([level, keys, values], separators=(",", ":")).encode()
            digest = hashlib.sha256(body).hexdigest()
            self._pages.put(digest, body)
            made.add(digest)
            found.append((keys[0], digest))
            start = end
        return found

    def _scan(self, digest: str, start: str, end: str) -> Iterator[tuple[str, Value]]:
        level, keys, values = self._page(digest)
        if not level:
            for place in range(bisect_left(keys, start), bisect_left(keys, end)):
                yield keys[place], values[place]
            return
        for place in range(max(bisect_right(keys, start) - 1, 0), bisect_left(keys, end)):
            yield from self._scan(str(values[place]), start, end)

    def _page(self, digest: str) -> Page:
        found = self._read.get(digest)
        if found is None:
            level, keys, values = json.loads(self._pages.get(digest))
            found = self._read[digest] = (level, keys, values)
        return found
