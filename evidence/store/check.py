"""Verification of a whole store, offline: every commit record from the first, then every byte the log names.

``check_store`` trusts one verifier key and, if given, one checkpoint that the caller kept. It reads only; it needs no
engine and no Parquet reader. A failed check names the file. Derived files and orphans are reported, never trusted.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from evidence.errors import EvidenceError, MalformedError, ObjectNotFoundError
from evidence.snapshot import canonical
from evidence.snapshot.check import Check
from evidence.snapshot.entry import Entry, snapshot_entry_key
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Part
from evidence.store.history import History
from evidence.store.leftovers import leftovers
from evidence.store.loading import STORE_PATH, own_key
from evidence.store.objects import CACHE_PATH, DigestingStore, ObjectStore
from evidence.store.stamps import PREFIX as STAMPS
from evidence.store.stamps import checkpoint_ending_at, parse_stamp_path
from evidence.tlog import tile
from evidence.tlog.note import Verifier, parse_verifier
from evidence.tlog.record import MAX_BYTES as MAX_RECORD
from evidence.tlog.record import PREFIX, Record, parse_record_path, record_path
from evidence.tlog.rotation import LogKeys

SNAPSHOT_TYPES = frozenset({"snapshot"})  # entries whose object is a manifest that names further files
_MAX_SMALL = 1 << 20  # bytes of store.json and of the cached checkpoint: text of under 1 KiB
_MAX_ORPHANS = 10_000  # listed one by one
_DERIVED = ("log/tile/", "log/entries/")


Judge = Callable[[bytes, bytes], tuple[bool | None, str]]  # time-stamp file, stamped bytes -> result, words


def check_store(
    store: ObjectStore,
    *,
    trust: str | Sequence[str] | None = None,
    checkpoint: str | None = None,
    judge: Judge | None = None,
) -> Iterator[Check]:
    """Yield every check of ``store``, in the order trust, log, checkpoint, time, tiles, objects, orphans.

    ``trust`` are verifier key texts: what was printed when the store was made, or a key the log was handed over to since;
    without one the store's own is used and the check ``trust`` says so (``ok=None``). ``checkpoint`` is a signed
    checkpoint kept outside. Raises nothing of what it looks for: a failure is a ``Check`` with ``ok=False`` whose
    ``subject`` is the file.
    """
    texts = [trust] if isinstance(trust, str) else list(trust or ())
    try:
        trusted = [parse_verifier(text) for text in texts]
    except EvidenceError as exc:
        yield _failed("trust", str(exc), STORE_PATH)
        return
    trusting, history, records = _read_log(store, trusted)
    yield from trusting
    if history is None:
        return
    yield from records
    failed = next((check for check in records if check.ok is False), None)
    yield from _check_first(history)
    yield from _check_checkpoint(history, checkpoint, complete=failed is None)
    yield from check_stamps(store, history.keys, history.size, judge)
    yield from _check_derived(store, history)
    named = {STORE_PATH}
    for index in range(history.size):
        yield from _check_entry(store, index, history.raw(index), named)
    if failed:
        yield _unknown("objects", f"entries after {history.size} were not checked: {failed.subject} failed")
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


def _read_log(store: ObjectStore, trusted: Sequence[Verifier]) -> tuple[list[Check], History | None, list[Check]]:
    """Read the records under the key that ``store.json`` names and say whether trust leads to it: (checks, history, checks).

    Where it does not, they are read under the trusted key, as if the store had named it; without any key there is no history.
    """
    try:
        own = own_key(_small(store, STORE_PATH, _MAX_SMALL))
    except (EvidenceError, OSError) as exc:
        bad = _failed("trust", str(exc), STORE_PATH)
        history = History(trusted[0]) if trusted else None
        return [bad], history, list(_check_records(store, history)) if history else []
    history = History(own)
    records = list(_check_records(store, history))
    if trusted and not any(key in history.keys for key in trusted):
        texts = ", ".join(key.to_text() for key in trusted)
        detail = f"the store's key {own.to_text()} is not the trusted one, {texts}, and no rotation leads to it"
        history = History(trusted[0])
        return [_failed("trust", detail, STORE_PATH)], history, list(_check_records(store, history))
    return list(_check_keys(history.keys, trusted)), history, records


def _check_keys(keys: LogKeys, trusted: Sequence[Verifier]) -> Iterator[Check]:
    """Say which key is trusted, what leads from it to the others, and which given key the log does not come to."""
    first = keys.first.to_text()
    if not trusted:
        yield _unknown("trust", f"no trust key was given; the store's own was used: {first}", STORE_PATH)
    elif keys.first in trusted:
        yield _proved("trust", f"the store's key is the trusted one, {first}", STORE_PATH)
    else:
        since, key = next((since, key) for since, key in keys if key in trusted)
        detail = (
            f"the log was handed over to the trusted key {key.to_text()} by entry {since - 1}; it signs all before, too"
        )
        yield _proved("trust", detail, STORE_PATH)
        yield _unknown("trust", f"who held the first key was not checked, it was not given: {first}", STORE_PATH)
    for since, key in list(keys)[1:]:
        detail = f"entry {since - 1} hands the log over to {key.to_text()}, signed by both keys"
        yield _proved("rotation", detail, record_path(since - 1))
    for key in trusted:
        if key.name == keys.first.name and key not in keys:
            detail = (
                f"the log never comes to the given key {key.to_text()}: it went back to before that rotation, or forked"
            )
            yield _failed("rotation", detail, STORE_PATH)


def _check_records(store: ObjectStore, history: History) -> Iterator[Check]:
    """Every record from size 0 on; then nothing else may lie in the folder (``loading.load_records`` says why so)."""
    listed = list(store.list(PREFIX))
    read: set[str] = set()
    path = record_path(0)
    try:
        while True:
            path = record_path(history.place)
            history.extend(Record.from_bytes(_small(store, path, MAX_RECORD), path))
            read.add(path)
    except ObjectNotFoundError:
        pass
    except (EvidenceError, OSError) as exc:
        yield _failed("log", str(exc), path)
        return
    for path in listed:
        if path in read:
            continue
        try:
            parse_record_path(path)
            history.extend(Record.from_bytes(_small(store, path, MAX_RECORD), path))
            yield _failed("log", f"{path} is not part of the log", path)
        except (EvidenceError, OSError) as exc:
            yield _failed("log", str(exc), path)
    if not history.size:
        yield _failed("log", "the log is empty", record_path(0))
    elif history.place == history.size:
        yield _proved("log", f"{len(read)} signed commit records, {history.size} entries", PREFIX)


def _check_first(history: History) -> Iterator[Check]:
    if history.size:
        first = Entry.from_bytes(history.raw(0))
        if first.type != "store" or first.object is None or first.object.path != STORE_PATH:
            yield _failed("store", f"entry 0 does not name {STORE_PATH}", STORE_PATH)


def _check_checkpoint(history: History, checkpoint: str | None, *, complete: bool) -> Iterator[Check]:
    if checkpoint is None:
        yield _unknown("checkpoint", "no kept checkpoint was given: going back in time was not checked")
        return
    try:
        kept = history.check_remembered(checkpoint, "the kept checkpoint")
        yield _proved("checkpoint", f"the log continues the kept checkpoint of size {kept.size}")
    except EvidenceError as exc:
        detail = str(exc) if complete else f"{exc} (commit records failed before)"
        yield _failed("checkpoint", detail)


def check_stamps(store: ObjectStore, keys: LogKeys, size: int, judge: Judge | None) -> Iterator[Check]:
    """Judge every time-stamp of a checkpoint; those of sizes the log does not have are failures."""
    for path in store.list(STAMPS):
        try:
            at = parse_stamp_path(path)
            if at > size:
                raise MalformedError(f"is of size {at}, the log has {size} entries")
            signed = checkpoint_ending_at(store, at)
            keys.open(signed)
            body = store.get(path)
        except (EvidenceError, OSError) as exc:
            yield _failed("time", str(exc), path)
            continue
        ok, detail = judge(body, signed.encode()) if judge else (None, "time-stamps were not judged")
        yield Check("time", ok, f"checkpoint of size {at}: {detail}", path)


def _check_derived(store: ObjectStore, history: History) -> Iterator[Check]:
    expected: dict[str, bytes] = {}
    for bundle in range(history.size // tile.WIDTH):
        start = bundle * tile.WIDTH
        expected[tile.bundle_path(bundle)] = tile.encode_bundle(history.slice(start, start + tile.WIDTH))
        for level, index in tile.completed_by(bundle):
            expected[tile.tile_path(level, index)] = tile.encode_tile(history.tree, level, index)
    present = [path for prefix in _DERIVED for path in store.list(prefix)]
    for path in present:
        if path not in expected:
            yield _failed("tiles", f"{path} is not derived from this log", path)
        else:
            yield from _check_equal(store, path, expected[path])
    absent = sorted(set(expected) - set(present))
    detail = f"{len(present)} tiles and bundles, {len(absent)} not written yet"
    yield _proved("tiles", detail) if not absent else _unknown("tiles", detail, absent[0])
    try:
        cached = _small(store, CACHE_PATH, _MAX_SMALL).decode()
        history.check_remembered(cached, CACHE_PATH)
    except ObjectNotFoundError:
        return
    except (EvidenceError, OSError, UnicodeDecodeError) as exc:
        yield _failed("tiles", f"{CACHE_PATH}: {exc}", CACHE_PATH)


def _check_equal(store: ObjectStore, path: str, expected: bytes) -> Iterator[Check]:
    try:
        same = _small(store, path, len(expected)) == expected
    except (EvidenceError, OSError) as exc:
        yield _failed("tiles", f"{path}: {exc}", path)
        return
    if not same:
        yield _failed("tiles", f"{path} differs from what the commit records give", path)


def _small(store: ObjectStore, path: str, limit: int) -> bytes:
    """Return an object that no digest names yet; raise ``MalformedError`` before reading one over ``limit`` bytes."""
    found = store.head(path)
    if found is not None and found.size > limit:
        raise MalformedError(f"{path} has {found.size} bytes, over {limit}")
    return store.get(path)


def _check_entry(store: ObjectStore, index: int, raw: bytes, named: set[str]) -> Iterator[Check]:
    entry = Entry.from_bytes(raw)
    if entry.object is None:
        return
    ref, files = entry.object, 1
    named.add(ref.path)
    body = None
    manifest_wanted = entry.type in SNAPSHOT_TYPES
    if manifest_wanted and ref.size > canonical.MAX_BYTES:
        yield _failed("objects", f"{ref.path} is a manifest of {ref.size} bytes", ref.path)
        return
    for problem, found in _check_file(store, ref.path, ref.sha256, ref.size, wanted=manifest_wanted):
        body = found
        if problem:
            yield problem
    if body is None:
        return
    if entry.type in SNAPSHOT_TYPES:
        try:
            manifest = Manifest.from_bytes(body)
        except EvidenceError as exc:
            yield _failed("objects", f"{ref.path}: {exc}", ref.path)
            return
        if snapshot_entry_key(manifest.key) != entry.key:
            yield _failed("objects", f"{ref.path} is of {snapshot_entry_key(manifest.key)}, not {entry.key}", ref.path)
            return
        parts = (*manifest.parts, *manifest.quarantine)
        named.update(part.path for part in parts)
        problems = list(_check_parts(store, parts))
        yield from problems
        if problems:
            return
        files += len(parts)
    yield _proved("objects", f"entry {index}: {entry.type} {entry.key}, {files} files", ref.path)


def _check_parts(store: ObjectStore, parts: Iterable[Part]) -> Iterator[Check]:
    for part in parts:
        for problem, _ in _check_file(store, part.path, part.sha256, part.size, wanted=False):
            if problem:
                yield problem


def _check_file(
    store: ObjectStore, path: str, sha256: str, size: int, *, wanted: bool
) -> Iterator[tuple[Check | None, bytes | None]]:
    """Yield (the problem or None, the bytes); the bytes stay empty where they are not ``wanted`` and need not be held."""
    try:
        if isinstance(store, DigestingStore):
            found = store.digest(path)
            if found != (sha256, size):
                yield _failed("objects", f"{path} has {found[1]} bytes and not the digest {sha256}", path), None
                return
            if not wanted:
                yield None, b""
                return
        body = store.get(path, sha256=sha256)
    except (EvidenceError, OSError) as exc:
        yield _failed("objects", str(exc), path), None
        return
    if len(body) != size:
        yield _failed("objects", f"{path} has {len(body)} bytes, not {size}", path), None
        return
    yield None, body


def _list_orphans(store: ObjectStore, named: set[str]) -> Iterator[Check]:
    count = 0
    try:
        for path, explanation in leftovers(store, named):
            count += 1
            if count > _MAX_ORPHANS:
                yield _unknown("orphans", f"over {_MAX_ORPHANS} orphans: the rest is not listed")
                return
            yield _unknown("orphans", explanation, path)
    except (EvidenceError, OSError) as exc:
        yield _unknown("orphans", f"could not be listed: {exc}")


def _proved(step: str, detail: str, subject: str = "") -> Check:
    return Check(step, ok=True, detail=detail, subject=subject)


def _failed(step: str, detail: str, subject: str = "") -> Check:
    return Check(step, ok=False, detail=detail, subject=subject)


def _unknown(step: str, detail: str, subject: str = "") -> Check:
    return Check(step, ok=None, detail=detail, subject=subject)
