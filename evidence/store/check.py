"""Verification of a whole store, offline: every commit record from the first, then every byte the log names.

``check_store`` trusts one verifier key and, if given, one checkpoint that the caller kept. It reads only; it needs no
engine and no Parquet reader. A failed check names the file. Derived files and orphans are reported, never trusted.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from evidence.errors import EvidenceError, ObjectNotFoundError
from evidence.snapshot.check import Check, failed, proved, unmade
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.snapshot.manifest import Manifest
from evidence.store.committed import SNAPSHOT_TYPES, STEP, check_objects
from evidence.store.cosigned import check_cosigned
from evidence.store.derived import check_derived
from evidence.store.disposal import TYPE as DISPOSAL
from evidence.store.disposal import Disposals
from evidence.store.disposed import check_disposed
from evidence.store.history import History
from evidence.store.leftovers import leftovers
from evidence.store.loading import STORE_PATH, own_key
from evidence.store.locks import check_locks
from evidence.store.mirror import check_mirror
from evidence.store.objects import ObjectStore
from evidence.store.reading import MAX_SMALL, small
from evidence.store.since import check_since, continued
from evidence.store.stamped import Judge, Stamped
from evidence.tlog.cosignature import Cosigner
from evidence.tlog.note import Verifier, parse_verifier
from evidence.tlog.record import MAX_BYTES as MAX_RECORD
from evidence.tlog.record import PREFIX, Record, parse_record_path, record_path
from evidence.tlog.rotation import LogKeys

_MAX_ORPHANS: Final = 10_000  # listed one by one


def check_store(
    store: ObjectStore,
    *,
    trust: str | Sequence[str] | None = None,
    checkpoint: str | None = None,
    judge: Judge | None = None,
    witnesses: Sequence[Cosigner] = (),
    since: bool = False,
    mirror: ObjectStore | None = None,
    jobs: int = 1,
    now: dt.datetime | None = None,
) -> Iterator[Check]:
    """Yield every check of ``store``, in the order trust, log, checkpoint, time, witness, tiles, objects, disposal, retention, mirror, orphans.

    ``trust`` are verifier key texts: what was printed when the store was made, or a key the log was handed over to since;
    without one the store's own is used and the check ``trust`` says so (``ok=None``). ``checkpoint`` is a signed checkpoint kept outside. With ``since`` what
    was committed up to it is taken as verified then, and a check says so (``evidence.store.since``); where the log cannot be shown to continue it
    that way, or a mirror is compared, all records are read and only the bytes of those objects are taken. ``mirror`` is a second copy to compare. What is gone and
    recorded as disposed is no failure; ``now`` is the clock such records are held against, without it they count for nothing.
    Objects are hashed ``jobs`` at a time; the checks and their order do not depend on it. Raises nothing of what it looks
    for: a failure is a ``Check`` with ``ok=False`` whose ``subject`` is the file.
    """
    texts = [trust] if isinstance(trust, str) else list(trust or ())
    try:
        trusted = [parse_verifier(text) for text in texts]
    except EvidenceError as exc:
        yield failed("trust", str(exc), STORE_PATH)
        return
    if since and checkpoint is not None and mirror is None:
        found = continued(store, trusted, checkpoint)
        if found is not None:
            yield from check_since(store, found, judge=judge, witnesses=witnesses, trusted=trusted, jobs=jobs)
            return
        yield unmade(
            "log",
            "the kept checkpoint could not be continued from tiles and new records: the log was read from its first one",
        )
    stamped = Stamped(store)
    trusting, history, records = _read_log(store, trusted, stamped.keep)
    yield from trusting
    if history is None:
        return
    yield from records
    broken = next((check.subject for check in records if check.ok is False), "")
    yield from _check_first(history)
    kept, size = _check_checkpoint(history, checkpoint, complete=not broken)
    yield kept
    yield from stamped.check(history, judge)
    yield from check_cosigned(store, history, witnesses)
    yield from check_derived(store, history)
    if since and not size:
        yield unmade(
            STEP, "the kept checkpoint was not proved to be of this log: nothing is taken as verified, all is hashed"
        )
    damaged: set[str] = set()
    named = _Named()
    disposals = _disposals(history, now)
    looks = (
        _check_objects(store, history, disposals.entries, named, size if since else 0, jobs),
        check_disposed(store, history, disposals, named, named.folders),
    )
    for check in chain.from_iterable(looks):
        yield check
        if check.ok is False and check.step == STEP:
            damaged.add(check.subject)
    if broken:
        yield unmade(STEP, f"entries after {history.size} were not checked: {broken} failed")
    yield from check_locks(store, history, disposals.entries)
    if mirror is not None:
        yield from _check_mirror(history, mirror, damaged, disposals.entries, jobs)
    yield from _list_orphans(store, named)


def referenced(store: ObjectStore, entries: Iterable[Entry]) -> set[str]:
    """Return the paths that ``entries`` name, parts of manifests included, after matching each manifest's digest."""
    paths: set[str] = set()
    for entry in entries:
        if entry.object is None:
            continue
        paths.add(entry.object.path)
        if entry.type in SNAPSHOT_TYPES:
            manifest = Manifest.from_bytes(store.get(entry.object.path, sha256=entry.object.sha256))
            paths |= {part.path for part in (*manifest.parts, *manifest.quarantine)}
    return paths


def _read_log(
    store: ObjectStore, trusted: Sequence[Verifier], keep: Callable[[Record], None]
) -> tuple[list[Check], History | None, list[Check]]:
    """Read the records under the key that ``store.json`` names and say whether trust leads to it: (checks, history, checks).

    Where it does not, they are read under the trusted key, as if the store had named it; without any key there is no history.
    """
    try:
        own = named_key(store)
    except (EvidenceError, OSError) as exc:
        bad = failed("trust", str(exc), STORE_PATH)
        history = History(trusted[0]) if trusted else None
        return [bad], history, list(check_records(store, history, keep)) if history else []
    history = History(own)
    records = list(check_records(store, history, keep))
    if trusted and not any(key in history.keys for key in trusted):
        texts = ", ".join(key.to_text() for key in trusted)
        detail = f"the store's key {own.to_text()} is not the trusted one, {texts}, and no rotation leads to it"
        history = History(trusted[0])
        return [failed("trust", detail, STORE_PATH)], history, list(check_records(store, history, keep))
    return list(_check_keys(history.keys, trusted)), history, records


def named_key(store: ObjectStore) -> Verifier:
    """Return the key that ``store.json`` names: a claim. Raises ``MalformedError`` for what the writer does not write."""
    return own_key(small(store, STORE_PATH, MAX_SMALL))


def _check_keys(keys: LogKeys, trusted: Sequence[Verifier]) -> Iterator[Check]:
    """Say which key is trusted, what leads from it to the others, and which given key the log does not come to."""
    first = keys.first.to_text()
    if not trusted:
        yield unmade("trust", f"no trust key was given; the store's own was used: {first}", STORE_PATH)
    elif keys.first in trusted:
        yield proved("trust", f"the store's key is the trusted one, {first}", STORE_PATH)
    else:
        since, key = next((since, key) for since, key in keys if key in trusted)
        detail = (
            f"the log was handed over to the trusted key {key.to_text()} by entry {since - 1}; it signs all before, too"
        )
        yield proved("trust", detail, STORE_PATH)
        yield unmade("trust", f"who held the first key was not checked, it was not given: {first}", STORE_PATH)
    for since, key in list(keys)[1:]:
        detail = f"entry {since - 1} hands the log over to {key.to_text()}, signed by both keys"
        yield proved("rotation", detail, record_path(since - 1))
    for key in trusted:
        if key.name == keys.first.name and key not in keys:
            detail = (
                f"the log never comes to the given key {key.to_text()}: it went back to before that rotation, or forked"
            )
            yield failed("rotation", detail, STORE_PATH)


def check_records(store: ObjectStore, history: History, keep: Callable[[Record], None]) -> Iterator[Check]:
    """Every record from size 0 on; then nothing else may lie in the folder (``loading.load_records`` says why so).

    ``keep`` is called with each that holds.
    """
    listed = list(store.list(PREFIX))
    read: set[str] = set()
    path = record_path(0)
    try:
        while True:
            path = record_path(history.place)
            record = Record.from_bytes(small(store, path, MAX_RECORD), path)
            history.extend(record)
            keep(record)
            read.add(path)
    except ObjectNotFoundError:
        pass
    except (EvidenceError, OSError) as exc:
        yield failed("log", str(exc), path)
        return
    for path in listed:
        if path in read:
            continue
        try:
            parse_record_path(path)
            history.extend(Record.from_bytes(small(store, path, MAX_RECORD), path))
            yield failed("log", f"{path} is not part of the log", path)
        except (EvidenceError, OSError) as exc:
            yield failed("log", str(exc), path)
    if not history.size:
        yield failed("log", "the log is empty", record_path(0))
    elif history.place == history.size:
        yield proved("log", f"{len(read)} signed commit records, {history.size} entries", PREFIX)


def _check_first(history: History) -> Iterator[Check]:
    if history.size:
        first = Entry.from_bytes(history.raw(0))
        if first.type != "store" or first.object is None or first.object.path != STORE_PATH:
            yield failed("store", f"entry 0 does not name {STORE_PATH}", STORE_PATH)


def _check_checkpoint(history: History, checkpoint: str | None, *, complete: bool) -> tuple[Check, int]:
    """Return the check and the size that was proved to be a beginning of this log, 0 where none was."""
    if checkpoint is None:
        return unmade("checkpoint", "no kept checkpoint was given: going back in time was not checked"), 0
    try:
        kept = history.check_remembered(checkpoint, "the kept checkpoint")
    except EvidenceError as exc:
        return failed("checkpoint", str(exc) if complete else f"{exc} (commit records failed before)"), 0
    return proved("checkpoint", f"the log continues the kept checkpoint of size {kept.size}"), kept.size


class _Named(set[str]):
    """Paths that the log names. Of manifests that were not read, whatever lies in their ``folders`` counts as named."""

    def __init__(self) -> None:
        super().__init__({STORE_PATH})
        self.folders: set[str] = set()

    def __contains__(self, path: object) -> bool:
        if super().__contains__(path):
            return True
        folder = str(path).rpartition("/")[0]
        return folder in self.folders or folder.removesuffix("/_quarantine") in self.folders


def _disposals(history: History, now: dt.datetime | None) -> Disposals:
    """Return what counts as disposed; nothing where the records of it, or of holds and promises, cannot be read."""
    if now is None:
        return Disposals(faults=[(index, "no clock to hold it against") for index in history.of_type(DISPOSAL)])
    try:
        return Disposals.of(history.of_type, lambda i: Entry.from_bytes(history.raw(i)), size=history.size, now=now)
    except EvidenceError as exc:
        return Disposals(faults=[(index, str(exc)) for index in history.of_type(DISPOSAL)])


def _check_objects(
    store: ObjectStore, history: History, disposed: Collection[int], named: _Named, taken: int, jobs: int
) -> Iterator[Check]:
    absent: list[int] = []
    if taken:
        old = {ref.path: index for index, ref in _objects(history, taken) if index not in disposed}
        named.update(old)
        named.folders |= {path.rpartition("/")[0] for path in old if path.endswith("/_manifest.json")}
        absent = sorted(set(old.values()) - {old[path] for path in store.list("") if path in old})
        detail = (
            f"entries up to {taken}: the bytes of their {len(old)} objects are taken as verified when the checkpoint was "
            f"kept and were not read now; {len(old) - len(absent)} are still listed, files of manifests were not looked for"
        )
        yield unmade(STEP, detail)
    there = [index for index in (*absent, *range(taken, history.size)) if index not in disposed]
    yield from check_objects(store, history, there, named, jobs=jobs)


def _objects(history: History, size: int) -> Iterator[tuple[int, ObjectRef]]:
    for index in range(size):
        ref = Entry.from_bytes(history.raw(index)).object
        if ref is not None:
            yield index, ref


def _check_mirror(
    history: History, mirror: ObjectStore, damaged: Collection[str], disposed: Collection[int], jobs: int
) -> Iterator[Check]:
    copied = History(history.verifier)
    for check in check_records(mirror, copied, lambda _: None):
        if check.ok is False:
            yield failed("mirror", f"the mirror's log: {check.detail}", check.subject)
    yield from check_mirror(history, mirror, copied, damaged, disposed, jobs=jobs)


def _list_orphans(store: ObjectStore, named: Collection[str]) -> Iterator[Check]:
    count = 0
    try:
        for path, explanation in leftovers(store, named):
            count += 1
            if count > _MAX_ORPHANS:
                yield unmade("orphans", f"over {_MAX_ORPHANS} orphans: the rest is not listed")
                return
            yield unmade("orphans", explanation, path)
    except (EvidenceError, OSError) as exc:
        yield unmade("orphans", f"could not be listed: {exc}")
