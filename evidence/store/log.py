"""The log in a store: opening it, and the commit protocol.

The steps (numbers as in ``docs/formats/log.md``)::

    0  load the anchors, then the log; the tip must continue every anchor, else nothing is written
    4  build commit record N over the entries that are not sealed yet
    5  put_if_absent log/commit/N                                          <- the commit
    6  exists, timeout or server error: read it back; equal bytes are success; a validly signed record of another writer
       is adopted and 4 is done again after it; anything else stops the run
    7  afterwards, idempotent, by whoever comes next: anchors, full tiles and bundles, destinations, cached checkpoint,
       retention

Steps 1 to 3 (what to collect, reading it, putting parts and manifest) are the caller's, before :meth:`Log.append`.
Nothing here lists ``data/``.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Self

from evidence.errors import (
    ConfigError,
    EvidenceError,
    ObjectNotFoundError,
    RollbackError,
    StoreConflictError,
    StoreError,
    UsageError,
    VerificationError,
)
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.store.anchor import Anchor, Destination
from evidence.store.cosigned import cosigned_path
from evidence.store.history import RETIRED, History
from evidence.store.keeping import KeptIndex
from evidence.store.kept import KeptBundles
from evidence.store.known import Known
from evidence.store.loading import (
    STORE_PATH,
    bundle_reader,
    load_bundles,
    load_records,
    own_key,
    read_cache,
    read_record,
    signed_by,
    store_json,
)
from evidence.store.objects import CACHE_PATH, CachingStore, ObjectStore, put_same
from evidence.store.retention import TOLERANCE
from evidence.store.telling import DeliveryNotes, Telling, Witness
from evidence.tlog import tile
from evidence.tlog.checkpoint import Checkpoint, parse_unverified
from evidence.tlog.cosignature import Cosigner
from evidence.tlog.note import Signer, Verifier
from evidence.tlog.proof import ConsistencyProof, InclusionProof
from evidence.tlog.record import MAX_ENTRIES, PREFIX, Record, parse_record_path, record_path
from evidence.tlog.rotation import TYPE as ROTATION
from evidence.tlog.rotation import LogKeys, rotation_body

_ATTEMPTS: Final = 5  # of one put that fails without leaving anything behind; backends back off on their own
_INIT: Final = "make the store with `evidence init`"

Build = Callable[["Log"], Sequence[Entry]]


class Log:
    """A verified log. Make one with :meth:`open` or :meth:`init`; after that memory holds what was proved."""

    def __init__(
        self,
        store: ObjectStore,
        history: History,
        *,
        signer: Signer | None = None,
        anchors: Sequence[Anchor] = (),
        destinations: Sequence[Destination | Witness] = (),
        notes: DeliveryNotes | None = None,
        kept: KeptBundles | None = None,
        index: KeptIndex | None = None,
        retention_days: int | None = None,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> None:
        if signer and not anchors and store.url.startswith("s3://"):
            raise ConfigError(f"{store.url} has no anchor", fix="name a file in [log] anchors, outside the store")
        if retention_days is not None and clock is None:
            raise UsageError("retention needs a clock")
        self.store = store
        self._history = history
        self._trusted = history.verifier
        self._signer = signer
        self._anchors = tuple(anchors)
        self._telling = Telling(destinations, keep=self._keep_cosigned, cosigned=self._is_cosigned, notes=notes)
        self._kept = kept
        self._kept_index = index
        self._retain: Callable[[], dt.datetime | None] = lambda: None
        if retention_days is not None and clock is not None:
            self._retain = lambda: clock() + dt.timedelta(days=retention_days)
        self._published = 0  # full bundles known to be in the store, with their tiles
        self._cached = ""  # what we last wrote to log/checkpoint

    @classmethod
    def open(
        cls,
        store: ObjectStore,
        *,
        signer: Signer | None = None,
        trust: Verifier | None = None,
        anchors: Sequence[Anchor] = (),
        destinations: Sequence[Destination | Witness] = (),
        notes: DeliveryNotes | None = None,
        kept: KeptBundles | None = None,
        index: KeptIndex | None = None,
        retention_days: int | None = None,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> Self:
        """Load and verify the log under ``trust``, or under the signer's own key; only a signer may append.

        The trusted key is any of the log's keys, first or after a rotation; the signer's is the current one.
        Raises ``StoreError`` when there is no log, ``RollbackError`` or ``ForkError`` when it does not continue an
        anchor, ``VerificationError`` or ``MalformedError`` when signature, root or records are wrong.
        """
        verifier = trust or (Verifier(signer.name, signer.public_key) if signer else None)
        if verifier is None:
            raise UsageError("a log is opened with a key to trust: give signer or trust")
        log = cls(
            store,
            History(verifier),
            signer=signer,
            anchors=anchors,
            destinations=destinations,
            notes=notes,
            kept=kept,
            index=index,
            retention_days=retention_days,
            clock=clock,
        )
        log._load()
        return log

    @classmethod
    def init(
        cls,
        store: ObjectStore,
        signer: Signer,
        *,
        anchors: Sequence[Anchor] = (),
        retention_days: int | None = None,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> Self:
        """Make a store whose log's origin is the signer's name, or complete one that was interrupted before entry 1.

        Raises ``StoreConflictError`` when the store belongs to another key or the backend cannot create exactly once.
        """
        if not store.writable:
            raise StoreConflictError(
                f"{store.url} cannot create a name exactly once", fix="use another place or server"
            )
        verifier = Verifier(signer.name, signer.public_key)
        log = cls(store, History(verifier), signer=signer, anchors=anchors, retention_days=retention_days, clock=clock)
        if not any(signed for _, signed in log._remembered()):
            log._begin(signer)
        log._load()
        return log

    @property
    def origin(self) -> str:
        """The store id."""
        return self._history.verifier.name

    @property
    def verifier(self) -> Verifier:
        """The key that signs now."""
        return self._history.keys.current

    @property
    def keys(self) -> LogKeys:
        """Every key that signed checkpoints of this log."""
        return self._history.keys

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._history.size

    @property
    def checkpoint(self) -> str:
        """The signed checkpoint of the whole log."""
        return self._history.tip

    @property
    def undelivered(self) -> Mapping[str, str]:
        """Further place -> why it has not got the last checkpoint."""
        return self._telling.undelivered

    def raw(self, index: int) -> bytes:
        """Return the bytes of an entry, which is what an inclusion proof is about."""
        return self._history.raw(index)

    def entry(self, index: int) -> Entry:
        """Return an entry."""
        return Entry.from_bytes(self._history.raw(index))

    def name(self, index: int) -> tuple[str, str]:
        """Return type and key of an entry, which no other entry has."""
        return self._history.name(index)

    @property
    def known(self) -> Known | None:
        """What an earlier run kept of the first entries, proved by now."""
        known = self._history.known
        return known if isinstance(known, Known) else None

    def last(self, type_: str) -> tuple[int, int]:
        """Return the index of the last entry of a type (-1: none) and how many there are."""
        return self._history.last(type_)

    def numbers(self, type_: str) -> Sequence[int]:
        """Return the indexes of the entries of a type, oldest first; reads none of them."""
        return self._history.numbers(type_)

    def entries(self, type_: str | None = None, *, before: int | None = None) -> Iterator[tuple[int, Entry]]:
        """Yield (index, entry), oldest first: of one type, with index < ``before``."""
        end = self.size if before is None else before
        indexes = range(self.size) if type_ is None else self._history.of_type(type_)
        return ((index, self.entry(index)) for index in list(indexes) if index < end)

    def find(self, type_: str, key: str) -> int | None:
        """Return the index of the entry of that type and key, None if it was never sealed."""
        return self._history.find(type_, key)

    def append(self, build: Build) -> list[int]:
        """Commit what ``build`` returns for the state it is given; return the indexes of our new entries.

        ``build`` gets this log, as of now, and returns the entries not sealed yet (``find`` tells); none means done. It
        is called again after a lost race, and when it returned more than one record holds (256). The objects that the
        entries name must already be in the store.
        """
        if self._signer is None:
            raise UsageError("this log was opened without a signing key")
        self.refresh()
        self._check_signer()
        self._settle()
        done: list[int] = []
        while entries := list(build(self)):
            record = self._history.propose(entries[:MAX_ENTRIES], self._signer)
            retain_until = self._retain()
            won = self._commit(record, retain_until)
            self._settle()
            self._read_back(record.path, retain_until if won else None)  # another's record has a date of its own
            if won:
                done += range(record.before, record.size)
                if len(entries) <= MAX_ENTRIES:
                    break
        return done

    def rotate(self, successor: Signer) -> int:
        """Hand the log over to ``successor``: an entry that names its key, signed by both. Return the entry's index.

        Whoever trusts the old key is led to the new one, which signs from now on. Raises ``UsageError`` without a signer,
        ``VerificationError`` for a key that the log had before.
        """
        if self._signer is None:
            raise UsageError("this log was opened without a signing key")
        new = Verifier(successor.name, successor.public_key)
        while True:
            self.refresh()
            self._check_signer()
            self._settle()
            if new in self.keys or new.name != self.origin:
                raise VerificationError(f"{new.to_text()} cannot follow: it was a key before, or is of another log")
            entry = Entry(ROTATION, new.to_text(), None, rotation_body(self.verifier))
            record = self._history.propose([entry], self._signer, successor=successor)
            retain_until = self._retain()
            if self._commit(record, retain_until):
                break
        self._signer = successor
        self._settle()
        self._read_back(record.path, retain_until)
        return record.before

    def retain_until(self) -> dt.datetime | None:
        """Until when what is written now is kept, None for the backend's own default."""
        return self._retain()

    def refresh(self) -> None:
        """Step 0 on what is new: anchors first (they move only after a commit), then the records after our tip."""
        remembered = self._remembered()
        while read_record(self.store, self._history, self.size):
            pass
        self._check(remembered)

    def checkpoint_at(self, size: int) -> str:
        """Return the signed checkpoint of an earlier ``size``; one exists for the end of every commit record.

        Raises ``UsageError`` for a size inside a record, or beyond the log.
        """
        if size == self.size:
            return self.checkpoint
        if 0 < size < self.size:
            names = self.store.list(
                PREFIX, start_after=record_path(size - MAX_ENTRIES - 1) if size > MAX_ENTRIES else ""
            )
            for path in names:
                if parse_record_path(path) >= size:
                    break
                record = Record.from_bytes(self.store.get(path), path)
                if record.size == size:
                    self._history.check_remembered(record.checkpoint, path)
                    return record.checkpoint
        raise UsageError(f"no checkpoint of size {size} was signed", fix=f"use the log's size, {self.size}")

    def proof(self, index: int, size: int | None = None) -> InclusionProof:
        """Return the tlog-proof of entry ``index`` under the signed checkpoint of ``size`` (now by default)."""
        size = self.size if size is None else size
        return InclusionProof(index, self._history.tree.inclusion(index, size), self.checkpoint_at(size))

    def consistency(self, old: int, size: int | None = None) -> ConsistencyProof:
        """Return the proof that the log of ``old`` entries is a prefix of the one of ``size`` (now by default)."""
        size = self.size if size is None else size
        return ConsistencyProof(old, self._history.tree.consistency(old, size), self.checkpoint_at(size))

    def check_remembered(self, signed: str, where: str) -> Checkpoint:
        """Check that the log continues the signed checkpoint that ``where`` kept; see ``History``."""
        return self._history.check_remembered(signed, where)

    def _begin(self, signer: Signer) -> None:
        """Write store.json and entry 0, whichever is missing; a log that has grown further is left alone."""
        body = store_json(self.verifier)
        put_same(self.store, STORE_PATH, body, retain_until=self._retain())
        if any(self.store.list(PREFIX, start_after=record_path(0))):
            return
        if not read_record(self.store, self._history, 0):
            ref = ObjectRef(STORE_PATH, canonical.sha256_hex(body), len(body))
            self._commit(self._history.propose([Entry("store", self.origin, ref)], signer), self._retain())
        self._settle()

    def _load(self) -> None:
        """Step 0. What others remember is read first: it moves only after a commit, so it is never ahead of the log."""
        remembered, cached = self._remembered(), read_cache(self.store)
        try:
            body = self.store.get(STORE_PATH)
        except ObjectNotFoundError as exc:
            self._check(remembered)
            raise StoreError(f"no store at {self.store.url}", fix=_INIT) from exc
        own = own_key(body)
        if own.name != self._trusted.name:
            raise self._untrusted()
        self._history = self._read(own)
        self._check(remembered)
        if self._trusted not in self.keys:
            raise self._untrusted()
        self._check_signer()
        if not self.size:
            raise StoreError(f"the store at {self.store.url} has no log yet", fix=_INIT)
        self._history.check_proved()
        first = self.entry(0)
        if first.type != "store" or not first.object or first.object.sha256 != canonical.sha256_hex(body):
            raise VerificationError(f"entry 0 does not name {STORE_PATH}", step="trust")
        if signed_by(self.keys, cached):
            self._history.check_remembered(cached, CACHE_PATH)  # signed and ahead of us: records went missing
            self._cached = cached
        if self._kept_index is not None and self._published * tile.WIDTH > (self.known.size if self.known else 0):
            self._kept_index.keep(self.known, self._published, self._history.slice, self._history.tree)

    def _read(self, own: Verifier, *, believe: bool = True) -> History:
        """Read bundles and records after what an earlier run kept; where that does not fit to the store, all of them."""
        get = bundle_reader(self.store, self._kept)
        known = self._kept_index.load(get) if self._kept_index is not None and believe else None
        history = History(own, known)
        try:
            self._published = load_bundles(self.store, history, get)
            load_records(self.store, history)
            if known is not None:
                history.check_proved()
        except EvidenceError:
            if known is None or self._kept_index is None:
                raise
            self._kept_index.forget()
            return self._read(own, believe=False)
        return history

    def _untrusted(self) -> VerificationError:
        return VerificationError(
            f"{STORE_PATH} is not of log {self._trusted.name} with the trusted key, and no rotation leads to it",
            step="trust",
            fix="open the store with the key that made it, or the one it was handed over to",
        )

    def _check_signer(self) -> None:
        """A key that was handed over signs no more: what it signed would be refused by everybody."""
        if self._signer is not None:
            own = Verifier(self._signer.name, self._signer.public_key)
            if own in self.keys and own != self.verifier:
                raise ConfigError(
                    f"log key {own.to_text()} was retired, {self.verifier.to_text()} signs now", fix=RETIRED
                )

    def _remembered(self) -> list[tuple[Anchor, str | None]]:
        return [(anchor, anchor.load(self.origin)) for anchor in self._anchors]

    def _check(self, remembered: list[tuple[Anchor, str | None]]) -> None:
        for anchor, signed in remembered:
            if signed is not None:
                self._history.check_remembered(signed, f"anchor {anchor.where}")
        if self._signer and remembered and not any(signed for _, signed in remembered):
            raise RollbackError(
                f"no anchor remembers log {self.origin}, which has {self.size} entries",
                fix="give a checkpoint you trust: `evidence keys accept-anchor FILE`",
            )

    def _commit(self, record: Record, retain_until: dt.datetime | None) -> bool:
        """Steps 5 and 6; True if the record in the store is ours."""
        body = record.to_bytes()
        failure: Exception | None = None
        for _ in range(_ATTEMPTS):
            try:
                if self.store.put_if_absent(record.path, body, retain_until=retain_until):
                    break
            except StoreConflictError:
                raise  # the backend itself saw a second object of that name
            except (StoreError, OSError) as exc:  # it may have been created all the same
                failure = exc
            try:
                found = self.store.get(record.path)
            except ObjectNotFoundError:
                continue
            self._history.extend(Record.from_bytes(found, record.path))
            return found == body
        else:
            raise StoreError(
                f"cannot commit {record.path} to {self.store.url}: {failure or 'it vanishes'}",
                fix=getattr(failure, "fix", ""),
            ) from failure
        self._history.extend(record)
        return True

    def _read_back(self, path: str, wanted: dt.datetime | None) -> None:
        """Look at the record once more: it must be there, and kept as long as was asked for."""
        info = self.store.head(path)
        if info is None:
            raise StoreError(
                f"{self.store.url} acknowledged {path} and does not have it",
                fix="stop; a store that loses what it acknowledged cannot keep evidence",
            )
        if wanted and (info.retain_until is None or info.retain_until < wanted - TOLERANCE):
            raise StoreError(
                f"{path} is retained until {info.retain_until or 'no date'}, not {wanted}: the commit stands, its lock is short",
                fix="check the bucket's lock, then `evidence retention extend`",
            )

    def _settle(self) -> None:
        """Step 7. Anchors first: what the signer remembers matters most if we die here."""
        for anchor in self._anchors:
            anchor.advance(self.checkpoint)
        tree = self._history.tree
        for bundle in range(self._published, self.size // tile.WIDTH):
            for level, index in tile.completed_by(bundle):
                self._derive(tile.tile_path(level, index), tile.encode_tile(tree, level, index))
            entries = self._history.slice(bundle * tile.WIDTH, (bundle + 1) * tile.WIDTH)
            self._derive(tile.bundle_path(bundle), tile.encode_bundle(entries))  # last: it stands for its tiles
            self._published = bundle + 1
        self._telling.tell(self.checkpoint, tree.consistency)
        if isinstance(self.store, CachingStore) and self._cached != self.checkpoint:
            self.store.replace_cache(self.checkpoint.encode())
            self._cached = self.checkpoint

    def _is_cosigned(self, size: int, cosigner: Cosigner) -> bool:
        return self.store.head(cosigned_path(size, cosigner)) is not None

    def _keep_cosigned(self, cosigned: str, cosigner: Cosigner) -> None:
        """Keep a witness's line beside the checkpoint; if another run kept its own already, that one stays."""
        path = cosigned_path(parse_unverified(cosigned).size, cosigner)
        self.store.put_if_absent(path, cosigned.encode(), retain_until=self._retain())

    def _derive(self, path: str, body: bytes) -> None:
        put_same(self.store, path, body, retain_until=self._retain())


def accept_anchor(store: ObjectStore, verifier: Verifier, anchors: Sequence[Anchor], signed: str) -> Checkpoint:
    """Make every anchor remember ``signed``, which the operator took on their own responsibility.

    The checkpoint must be signed by the log's key and the store must continue it. What the anchors held is put aside.
    Accepting one older than an anchor held lets the signer write a second history from there: only after finding out why.
    """
    checkpoint = Log.open(store, trust=verifier).check_remembered(signed, "the checkpoint to accept")
    for anchor in anchors:
        anchor.reset(signed)
    return checkpoint
