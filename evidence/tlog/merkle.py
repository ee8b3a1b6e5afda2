"""Merkle tree hashes and proofs of RFC 6962, verified by the algorithms of RFC 9162; pure functions over hashes.

An entry is known here by its leaf hash. ``Tree`` keeps the hash of every full subtree, so that a root or a proof at
any earlier size costs a few dozen hashes however long the history is.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from evidence.errors import UsageError, VerificationError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()  # RFC 6962 section 2.1: MTH({}) = SHA-256()


def leaf_hash(entry: bytes) -> bytes:
    """Return ``SHA-256(0x00 || entry)`` (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 || left || right)`` (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """An append-only tree. ``_levels[k][i]`` is the hash of the full subtree over leaves ``[i * 2**k, (i + 1) * 2**k)``.

    Of the first ``base`` leaves nothing is held: ``lower(level, index)`` is asked for the hash of a full subtree of theirs when one is needed.
    """

    __slots__ = ("_base", "_levels", "_lower")

    def __init__(
        self, leaves: Iterable[bytes] = (), *, base: int = 0, lower: Callable[[int, int], bytes] | None = None
    ) -> None:
        self._base, self._lower = base, lower
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._base + len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash and close the subtrees it completes."""
        level, index, found = 0, self.size, leaf
        while True:
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(found)
            if not index % 2:
                return
            found = node_hash(self.subtree(level, index - 1), found)
            level, index = level + 1, index // 2

    def truncate(self, size: int) -> None:
        """Forget all leaves from ``size`` on."""
        if size < self._base:
            raise UsageError(f"the first {self._base} leaves are not held here")
        for level, hashes in enumerate(self._levels):
            del hashes[(size >> level) - (self._base >> level) :]

    def subtree(self, level: int, index: int) -> bytes:
        """Return the hash of the full subtree ``index`` of height ``level``."""
        held = index - (self._base >> level)
        if held >= 0:
            return self._levels[level][held]
        if self._lower is None:
            raise UsageError(f"subtree {index} of height {level} is not held here")
        return self._lower(level, index)

    def root(self, size: int | None = None) -> bytes:
        """Return the Merkle tree hash of the first ``size`` leaves (all by default)."""
        size = self._known(self.size if size is None else size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """Return ``PATH(index, D[size])`` (RFC 6962 section 2.1.1), leaf's sibling first."""
        size = self._known(self.size if size is None else size)
        if not 0 <= index < size:
            raise UsageError(f"entry {index} is not in a log of {size} entries")
        return tuple(self._path(index, 0, size))

    def consistency(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """Return ``PROOF(old, D[new])`` (RFC 6962 section 2.1.2); empty when ``old`` is 0 or equals ``new``."""
        new = self._known(self.size if new is None else new)
        if not 0 <= old <= new:
            raise UsageError(f"no log of {new} entries has a prefix of {old}")
        return tuple(self._subproof(old, 0, new, whole=True)) if old else ()

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise UsageError(f"size {size} is beyond the log's {self.size} entries")
        return size

    def _range(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]) for the ranges that the recursion of RFC 6962 section 2.1 visits."""
        width = end - start
        if width & (width - 1) == 0:
            return self.subtree(width.bit_length() - 1, start // width)
        split = start + _split(width)
        return node_hash(self._range(start, split), self._range(split, end))

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        split = start + _split(end - start)
        if index < split:
            return [*self._path(index, start, split), self._range(split, end)]
        return [*self._path(index, split, end), self._range(start, split)]

    def _subproof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        """SUBPROOF(m, D[start:end], b); ``old`` is the absolute end of the old tree, ``whole`` the flag b."""
        if old == end:
            return [] if whole else [self._range(start, end)]
        split = start + _split(end - start)
        if old <= split:
            return [*self._subproof(old, start, split, whole=whole), self._range(split, end)]
        return [*self._subproof(old, split, end, whole=False), self._range(start, split)]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that ``leaf`` is entry ``index`` of the tree of ``size`` under ``root`` (RFC 9162 section 2.1.3.2).

    Raises ``VerificationError``.
    """
    if not 0 <= index < size:
        raise VerificationError(f"entry {index} is not in a log of {size} entries", step="inclusion")
    found = leaf
    for on_left, sibling in _climb(index, size - 1, path, "inclusion"):
        found = node_hash(sibling, found) if on_left else node_hash(found, sibling)
    if found != root:
        raise VerificationError(f"entry {index} is not under the signed root of size {size}", step="inclusion")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree of ``old`` leaves is a prefix of the tree of ``new`` (RFC 9162 section 2.1.4.2).

    Raises ``VerificationError``.
    """
    wrong = VerificationError(f"the log of {new} entries does not continue the log of {old}", step="consistency")
    if not 0 <= old <= new:
        raise wrong
    if old in {0, new}:  # nothing to prove; the RFC's algorithm starts at 0 < old < new
        if path or old_root != (EMPTY_ROOT if old == 0 else new_root):
            raise wrong
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    if not hashes:
        raise wrong
    first = second = hashes[0]
    for on_left, sibling in _climb(position, last, hashes[1:], "consistency"):
        first = node_hash(sibling, first) if on_left else first
        second = node_hash(sibling, second) if on_left else node_hash(second, sibling)
    if first != old_root or second != new_root:
        raise wrong


def _climb(position: int, last: int, path: Sequence[bytes], step: str) -> Iterator[tuple[bool, bytes]]:
    """Yield (stands on the left, sibling) from a node up to the root; the loop shared by both RFC 9162 algorithms.

    Raises ``VerificationError`` when the path is longer or shorter than the way.
    """
    for sibling in path:
        if last == 0:
            raise VerificationError("proof is too long", step=step)
        on_left = bool(position & 1) or position == last
        yield on_left, sibling
        while on_left and position and not position & 1:
            position, last = position >> 1, last >> 1
        position, last = position >> 1, last >> 1
    if last:
        raise VerificationError("proof is too short", step=step)


def _split(width: int) -> int:
    """Return the largest power of two smaller than ``width`` (RFC 6962 section 2.1: k < n <= 2k)."""
    return 1 << ((width - 1).bit_length() - 1)
