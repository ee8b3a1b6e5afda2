"""Verification from a kept checkpoint on: that the log continues it, and everything that was committed after it.

Work and reads are in proportion to what is new (docs/decisions/0207-what-is-known-of-a-log-is-kept.md). Where anything does not fit, the
log is read from its first record instead: that finds what it is and names it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evidence.errors import EvidenceError, VerificationError
from evidence.snapshot.check import Check, proved, unmade
from evidence.store.before import Before
from evidence.store.committed import STEP, check_objects
from evidence.store.cosigned import check_cosigned
from evidence.store.derived import check_made_since
from evidence.store.disposal import TYPE as DISPOSAL
from evidence.store.history import History
from evidence.store.loading import STORE_PATH, own_key
from evidence.store.locks import check_locks
from evidence.store.objects import ObjectStore
from evidence.store.reading import MAX_SMALL, small
from evidence.store.stamped import Judge, Stamped
from evidence.tlog import tile
from evidence.tlog.checkpoint import open_checkpoint, parse_unverified
from evidence.tlog.cosignature import Cosigner
from evidence.tlog.note import Verifier
from evidence.tlog.record import MAX_BYTES as MAX_RECORD
from evidence.tlog.record import MAX_ENTRIES, PREFIX, Record, parse_record_path, record_path


@dataclass(frozen=True, slots=True)
class Continued:
    """A log that was proved to continue the kept checkpoint of ``size``: ``history`` holds what came after it, and a little before."""

    history: History
    size: int
    records: int
    own: Verifier
    stamped: Stamped


def continued(store: ObjectStore, trusted: Sequence[Verifier], checkpoint: str) -> Continued | None:
    """Return the log as it continues ``checkpoint``; None where it cannot be shown from the tiles and the records since.

    None, too, where a given key is not the one that signed the kept checkpoint, the store's first, or one it was handed over to since: then
    every rotation has to be seen.
    """
    try:
        own = own_key(small(store, STORE_PATH, MAX_SMALL))
        size = parse_unverified(checkpoint).size
        key = _signer(own, trusted, checkpoint)
        stamped = Stamped(store, after=size)
        history = History(key, Before(store, size // tile.WIDTH * tile.WIDTH))
        records = _read(store, history, size, stamped)
        history.check_proved()
        history.check_remembered(checkpoint, "the kept checkpoint")
    except (EvidenceError, OSError):
        return None
    if any(given.name == own.name and given != own and given not in history.keys for given in trusted):
        return None
    return Continued(history, size, records, own, stamped)


def check_since(
    store: ObjectStore,
    found: Continued,
    *,
    judge: Judge | None,
    witnesses: Sequence[Cosigner],
    trusted: Sequence[Verifier],
    jobs: int,
) -> Iterator[Check]:
    """Yield every check of what came after the kept checkpoint, and what was not looked at."""
    history, size = found.history, found.size
    yield _trust(found, trusted)
    for since, key in list(history.keys)[1:]:
        detail = f"entry {since - 1} hands the log over to {key.to_text()}, signed by both keys"
        yield proved("rotation", detail, record_path(since - 1))
    yield proved(
        "log",
        f"{found.records} signed commit records, entries from {history.size - _held(history)} to {history.size}",
        PREFIX,
    )
    yield proved("checkpoint", f"the log continues the kept checkpoint of size {size}")
    yield from found.stamped.check(history, judge)
    yield from check_cosigned(store, history, witnesses, since=size)
    yield from check_made_since(store, history, size // tile.WIDTH)
    yield unmade(
        STEP,
        f"entries up to {size}: their records, objects, locks and time-stamps are taken as verified when the checkpoint was kept; they "
        "were not read now, nor was it looked for whether they are still there, or whether a later entry repeats one's name",
    )
    yield from check_objects(store, history, range(size, history.size), set(), jobs=jobs)
    for index in history.numbers(DISPOSAL):
        yield unmade(
            "disposal", "whether a disposal counts was not checked: it rests on earlier entries", f"log entry {index}"
        )
    yield from check_locks(store, history, since=size)
    yield unmade("orphans", "what lies in the store and nothing names was not looked for")


def _held(history: History) -> int:
    return history.size - (history.known.size if history.known else 0)


def _signer(own: Verifier, trusted: Sequence[Verifier], checkpoint: str) -> Verifier:
    """Return the key that signed the kept checkpoint: one that was given, or else the store's first. Raises ``VerificationError``."""
    for key in trusted or [own]:
        try:
            open_checkpoint(checkpoint, [key])
        except EvidenceError:
            continue
        return key
    raise VerificationError("no given key signed the kept checkpoint", step="checkpoint")


def _trust(found: Continued, trusted: Sequence[Verifier]) -> Check:
    key = found.history.verifier
    if not trusted:
        return unmade("trust", f"no trust key was given; the store's own was used: {key.to_text()}", STORE_PATH)
    if key == found.own:
        return proved("trust", f"the store's key is the trusted one, {key.to_text()}", STORE_PATH)
    detail = f"the kept checkpoint is signed by the trusted key {key.to_text()}; who signed before it was not looked at"
    return proved("trust", detail, STORE_PATH)


def _read(store: ObjectStore, history: History, size: int, stamped: Stamped) -> int:
    """Read the records from the one that covers the end of what is known; return how many. Raises ``EvidenceError``.

    Those that end before ``size`` give their entries and nothing else: the kept root proves them.
    """
    start = history.size - MAX_ENTRIES - 1
    names = store.list(PREFIX, start_after=record_path(start) if start >= 0 else "")
    listed = [parse_record_path(path) for path in names]
    place = max((before for before in listed if before <= history.size), default=0)
    read: set[int] = set()
    wanted = {before for before in listed if before >= place}
    while place in wanted or not read:
        path = record_path(place)
        record = Record.from_bytes(small(store, path, MAX_RECORD), path)
        if record.size < size:
            history.preload(record.entries[history.size - place :], path)
        else:
            history.extend(record)
            stamped.keep(record)
        read.add(place)
        place = record.size
    if wanted - read:
        raise VerificationError("records lie beside the log", step="records")
    return len(read)
