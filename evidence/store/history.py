"""The rules of the log, without IO: what may be appended, what may be adopted, what an older checkpoint must agree with.

``History`` grows by verified commit records only. Entries taken from bundles come first, as a shortcut, and count for
nothing until a signed record proves them.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from evidence.errors import ForkError, MalformedError, RollbackError, StoreConflictError, VerificationError
from evidence.snapshot.entry import Entry
from evidence.store.before import Before
from evidence.tlog.checkpoint import Checkpoint, parse_unverified
from evidence.tlog.merkle import Tree, leaf_hash
from evidence.tlog.note import Signer, Verifier
from evidence.tlog.record import Record, record_path
from evidence.tlog.rotation import TYPE as ROTATION
from evidence.tlog.rotation import LogKeys, read_rotation

RETIRED = "point [log] key to the key that the rotation introduced; `evidence keys list` names it"
_STOP = "stop; keep the store and the anchors as they are and find out who else writes or signs"


class Base(Protocol):
    """What stands for the first entries of a history: full bundles of them."""

    size: int

    def find(self, type_: str, key: str) -> int | None:
        """See :meth:`History.find`."""

    def numbers(self, type_: str) -> list[int]:
        """See :meth:`History.numbers`."""

    def last(self, type_: str) -> tuple[int, int]:
        """See :meth:`History.last`."""

    def raw(self, number: int) -> bytes:
        """See :meth:`History.raw`."""

    def name(self, number: int) -> tuple[str, str]:
        """See :meth:`History.name`."""

    def subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a full subtree."""


class History:
    """All entries of one log, their tree, its keys, and where each (type, key) stands. ``verifier`` is the first key.

    What is ``known`` of the first entries, from an earlier run or under a kept checkpoint, is not held here but asked for; it counts for nothing either until a
    signed record proves it.
    """

    def __init__(self, verifier: Verifier, known: Base | None = None) -> None:
        self.verifier = verifier
        self.known = known
        self.keys = LogKeys(verifier)
        self._base = known.size if known else 0
        self.tree = Tree(base=known.size, lower=known.subtree) if known else Tree()
        self.tip = ""  # signed checkpoint of the whole, once a record proved it
        self._raw: list[bytes] = []
        self._names: list[tuple[str, str]] = []
        self._index: dict[tuple[str, str], int] = {}
        self._of_type: dict[str, list[int]] = defaultdict(list)
        self._next: int | None = None  # where the next record must begin; None before the first

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._base + len(self._raw)

    @property
    def place(self) -> int:
        """Where the next commit record begins."""
        return self.size if self._next is None else self._next

    def raw(self, index: int) -> bytes:
        """Return the bytes of an entry."""
        if self.known and 0 <= index < self._base:
            return self.known.raw(index)
        return self._raw[index - self._base]

    def slice(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of the entries ``[start, end)``."""
        if start >= self._base:
            return self._raw[start - self._base : end - self._base]
        return [self.raw(index) for index in range(start, min(end, self.size))]

    def find(self, type_: str, key: str) -> int | None:
        """Return the index of the entry of that type and key."""
        found = self._index.get((type_, key))
        return self.known.find(type_, key) if found is None and self.known else found

    def name(self, index: int) -> tuple[str, str]:
        """Return type and key of an entry."""
        if self.known and index < self._base:
            return self.known.name(index)
        return self._names[index - self._base]

    def numbers(self, type_: str) -> Sequence[int]:
        """Return the indexes of all entries of a type, oldest first."""
        new = self._of_type.get(type_, ())
        return [*self.known.numbers(type_), *new] if self.known else new

    def last(self, type_: str) -> tuple[int, int]:
        """Return the index of the last entry of a type (-1: none) and how many there are."""
        new = self._of_type.get(type_, ())
        number, count = self.known.last(type_) if self.known else (-1, 0)
        return (new[-1] if new else number), count + len(new)

    def of_type(self, type_: str) -> Iterator[int]:
        """Yield the indexes of all entries of a type, oldest first."""
        return iter(self.numbers(type_))

    def preload(self, entries: Iterable[bytes], what: str) -> None:
        """Take entries of full bundles, in order, before the first record; ``what`` is named in errors."""
        for entry in entries:
            self._add(entry, what)

    def extend(self, record: Record) -> None:
        """Adopt a commit record after verifying its signature, place, entries and root; else change nothing.

        Raises ``ForkError`` for a second signed record of a place, ``VerificationError`` or ``MalformedError`` for one
        that is not what the signer wrote here.
        """
        checkpoint = self._open(record)
        self._check_place(record)
        kept = self.size
        unread = self._base if isinstance(self.known, Before) else 0  # entries that a kept checkpoint stands for
        begin = max(record.before, unread)
        overlap = self.slice(begin, record.size)
        rest = record.entries[begin - record.before :]
        if tuple(overlap) != rest[: len(overlap)]:
            raise VerificationError(f"entries of {record.path} and of the bundles differ", step="entries")
        try:
            for entry in rest[len(overlap) :]:
                Entry.from_bytes(entry)
                self._add(entry, record.path)
            self._check_root(record, checkpoint)
            self._turn(record)
        except BaseException:
            self._truncate(kept)
            raise
        self._next = record.size
        self.tip = record.checkpoint

    def check_proved(self) -> None:
        """Raise ``VerificationError`` unless the last record proved every entry."""
        if self._next != self.size:
            raise VerificationError(f"{record_path(self.place)} is missing", step="records", fix=_STOP)

    def unproved_rotations(self) -> list[int]:
        """Return the indexes of rotations that came from bundles and count for nothing before :meth:`prove_rotation`."""
        return [index for index in self.of_type(ROTATION) if not self.keys.turned(index + 1)]

    def prove_rotation(self, record: Record) -> None:
        """Take the new key that a preloaded rotation entry names: ``record`` is the one that committed it.

        Raises ``VerificationError`` unless it holds that entry alone, over the entries before it, signed by both keys.
        """
        checkpoint = self._open(record)
        if self.slice(record.before, record.size) != list(record.entries):
            raise VerificationError(f"entries of {record.path} and of the bundles differ", step="entries")
        self._check_root(record, checkpoint)
        self._turn(record)

    def propose(self, entries: Sequence[Entry], signer: Signer, *, successor: Signer | None = None) -> Record:
        """Return the record that appends ``entries`` here, signed; the history itself is unchanged.

        A rotation entry stands alone, and its ``successor`` signs too. Raises ``StoreConflictError`` when a (type, key) is
        sealed already or stands twice, or the signer is not the one whose turn it is.
        """
        if (successor is not None) != any(entry.type == ROTATION for entry in entries) or (
            successor and len(entries) > 1
        ):
            raise StoreConflictError("a rotation entry stands alone in its record, signed by both keys")
        if Verifier(signer.name, signer.public_key) != self.keys.current:
            raise StoreConflictError(f"{signer.name} is signed by another key by now", fix=RETIRED)
        bodies = [entry.to_bytes() for entry in entries]
        new: set[tuple[str, str]] = set()
        for entry in entries:
            if self.find(entry.type, entry.key) is not None or (entry.type, entry.key) in new:
                raise StoreConflictError(f"{entry.type} {entry.key} is already sealed in {self.verifier.name}")
            new.add((entry.type, entry.key))
        size = self.size
        for body in bodies:
            self.tree.append(leaf_hash(body))
        checkpoint = Checkpoint(self.verifier.name, self.tree.size, self.tree.root())
        self.tree.truncate(size)
        return Record(size, tuple(bodies), checkpoint.sign(signer, *([successor] if successor else [])))

    def check_remembered(self, signed: str, where: str) -> Checkpoint:
        """Check that this history continues the signed checkpoint that ``where`` kept; return that checkpoint.

        Raises ``RollbackError`` when it is ahead of us, ``ForkError`` when it is of other entries,
        ``VerificationError`` or ``MalformedError`` when it is not this log's.
        """
        checkpoint = self._remembered(signed, where)
        if checkpoint.size > self.size:
            raise RollbackError(
                f"the log has {self.size} entries, {where} remembers {checkpoint.size}: the store went back in time; "
                f"{record_path(self.place)} is not there",
                fix="restore the missing log/commit objects; `evidence keys accept-anchor FILE` only after finding out why",
            )
        if self.tree.root(checkpoint.size) != checkpoint.root:
            raise ForkError(f"{where} remembers other entries up to size {checkpoint.size}", fix=_STOP)
        return checkpoint

    def _remembered(self, signed: str, where: str) -> Checkpoint:
        try:
            return self.keys.open(signed)
        except VerificationError:
            claimed = parse_unverified(signed)
            if claimed.origin == self.verifier.name and claimed.size > self.size:
                raise RollbackError(
                    f"the log has {self.size} entries, {where} has a checkpoint of {claimed.size} by a key that the log does "
                    "not know: the store went back to before a key rotation, or the checkpoint is forged",
                    fix="restore the missing log/commit objects; find out which of the two it is before anything else",
                ) from None
            raise

    def _open(self, record: Record) -> Checkpoint:
        if any(index < record.before for index in self.unproved_rotations()):
            raise VerificationError(f"a key rotation before {record.path} is not proved", step="rotation", fix=_STOP)
        return record.sized(self.keys.open(record.checkpoint))

    def _turn(self, record: Record) -> None:
        """Adopt the key that a rotation record names; such an entry among others is not what a writer writes."""
        likely = [Entry.from_bytes(body) for body in record.entries if b'"rotation"' in body]
        turning = [entry for entry in likely if entry.type == ROTATION]
        if turning and len(record.entries) > 1:
            raise VerificationError(f"{record.path} has a rotation among other entries", step="rotation", fix=_STOP)
        if turning and not self.keys.turned(record.size):
            self.keys.rotate(record.size, record.checkpoint, *read_rotation(turning[0].key, turning[0].body))

    def _check_root(self, record: Record, checkpoint: Checkpoint) -> None:
        if self.tree.root(record.size) != checkpoint.root:
            raise VerificationError(
                f"{record.path} and what is before it are not under its signed root: altered, or of another history",
                step="root",
                fix=_STOP,
            )

    def _check_place(self, record: Record) -> None:
        if self._next is None:
            fits = record.before <= self.size
        elif record.before < self._next:
            raise ForkError(f"{record.path} is a second signed record of its place", fix=_STOP)
        else:
            fits = record.before == self._next
        if not fits:
            gap = record_path(self.place)
            raise VerificationError(f"{gap} is missing before {record.path}", step="records", fix=_STOP)

    def _add(self, body: bytes, what: str) -> None:
        try:
            value = json.loads(body)  # the signed root proves the bytes; ``Entry.from_bytes`` reads them strictly
            key = (str(value["type"]), str(value["key"]))
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise MalformedError(f"{what}: entry {self.size} does not parse: {exc!r}") from exc
        if self.find(*key) is not None:
            raise VerificationError(f"{what}: {key[0]} {key[1]} stands twice in the log", step="keys")
        self._index[key] = self.size
        self._of_type[key[0]].append(self.size)
        self._names.append(key)
        self._raw.append(body)
        self.tree.append(leaf_hash(body))

    def _truncate(self, size: int) -> None:
        while self.size > size:
            (kind, _), _ = self._index.popitem()  # insertion order is entry order
            self._of_type[kind].pop()
            self._names.pop()
            self._raw.pop()
        self.tree.truncate(size)
