"""Reading a log out of a store into a ``History``: bundles first, then the commit records that prove them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from evidence.errors import MalformedError, ObjectNotFoundError, VerificationError
from evidence.snapshot import canonical
from evidence.store.history import History
from evidence.store.kept import KeptBundles
from evidence.store.objects import CACHE_PATH, ObjectStore
from evidence.tlog import tile
from evidence.tlog.note import Verifier, parse_verifier
from evidence.tlog.record import MAX_ENTRIES, PREFIX, Record, parse_record_path, record_path
from evidence.tlog.rotation import LogKeys

STORE_PATH: Final = "store.json"
STORE_FORMAT: Final = "evidence-store-v1"
_BUNDLES: Final = "log/entries/"
_AT_ONCE: Final = 8  # bundles asked for at once: opening waits for the slowest of each round, not for every one


def store_json(verifier: Verifier) -> bytes:
    """Return the bytes of ``store.json``: format, store id (the log's origin) and verifier key."""
    return canonical.encode({"format": STORE_FORMAT, "origin": verifier.name, "vkey": verifier.to_text()})


def bundle_reader(store: ObjectStore, kept: KeptBundles | None = None) -> Callable[[str], bytes]:
    """Return what reads a bundle, from this machine where it is kept."""

    def get(path: str) -> bytes:
        body = kept.get(path) if kept else None
        if body is None:
            body = store.get(path)
            if kept:
                kept.put(path, body)
        return body

    return get


def load_bundles(store: ObjectStore, history: History, get: Callable[[str], bytes]) -> int:
    """Take the entries of the full bundles after what the history knows, without a gap; return how many bundles there are.

    Raises ``VerificationError`` when the store has fewer than are known.
    """
    known = history.size // tile.WIDTH
    paths = list(_bundles(store, known))
    for path, body in zip(paths, _ahead(get, paths), strict=True):
        history.preload(tile.decode_bundle(body), path)
    for index in history.unproved_rotations():
        _prove_rotation(store, history, index)
    return known + len(paths)


def own_key(body: bytes) -> Verifier:
    """Return the verifier key that the bytes of ``store.json`` name; raise ``MalformedError`` for others than ours."""
    value = canonical.decode(body, what=STORE_PATH)
    try:
        verifier = parse_verifier(value["vkey"])
    except (KeyError, TypeError, AttributeError) as exc:
        raise MalformedError(f"{STORE_PATH} names no verifier key") from exc
    if store_json(verifier) != body:
        raise MalformedError(f"{STORE_PATH} has parts the writer does not write")
    return verifier


def load_records(store: ObjectStore, history: History) -> None:
    """Follow the records by name from the first that reaches beyond the bundles; the listing must hold no others.

    The listing alone would not do: while others append it may show a record and miss the one before it.
    """
    start = history.size - MAX_ENTRIES - 1
    names = store.list(PREFIX, start_after=record_path(start) if start >= 0 else "")
    listed = [parse_record_path(path) for path in names]
    place, read = listed[0] if listed else 0, set[int]()
    while read_record(store, history, place):
        read.add(place)
        place = history.place
    for before in listed:
        if before not in read:  # beyond a gap, or a second record of a place: ``extend`` says which
            read_record(store, history, before)


def read_record(store: ObjectStore, history: History, before: int) -> bool:
    """Adopt the record at ``before``, after verifying it; False if there is none."""
    path = record_path(before)
    try:
        body = store.get(path)
    except ObjectNotFoundError:
        return False
    history.extend(Record.from_bytes(body, path))
    return True


def read_cache(store: ObjectStore) -> str:
    """Return the cached checkpoint, not verified, empty if there is none."""
    try:
        return store.get(CACHE_PATH).decode()
    except (ObjectNotFoundError, UnicodeDecodeError):
        return ""


def signed_by(keys: LogKeys, cached: str) -> bool:
    """Say whether the log's keys signed ``cached``; a damaged one is written again, and `verify` says so."""
    try:
        keys.open(cached)
    except (MalformedError, VerificationError):
        return False
    return True


def _prove_rotation(store: ObjectStore, history: History, index: int) -> None:
    """Bundles are unsigned: a key that one of them names is taken from its own commit record, signed by the key before it."""
    path = record_path(index)
    try:
        history.prove_rotation(Record.from_bytes(store.get(path), path))
    except ObjectNotFoundError as exc:
        raise VerificationError(f"the key rotation of entry {index} has no commit record", step="rotation") from exc


def _ahead(get: Callable[[str], bytes], paths: Sequence[str]) -> Iterator[bytes]:
    """Yield the objects in the order of ``paths``; a long history is asked for several at once, and held a few at a time."""
    if len(paths) <= _AT_ONCE:
        yield from map(get, paths)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(paths), 4 * _AT_ONCE):
            yield from pool.map(get, paths[start : start + 4 * _AT_ONCE])


def _bundles(store: ObjectStore, known: int) -> Iterator[str]:
    """Yield the paths of the bundles after the ``known`` ones up to the first gap; what comes after it is read from the commit records.

    Raises ``VerificationError`` unless the store has the known ones: no run could read from what is not there.
    """
    listed = list(store.list(_BUNDLES))
    if known and listed[known - 1 : known] != [
        tile.bundle_path(known - 1)
    ]:  # as they are sorted, so many are before it
        raise VerificationError(f"{tile.bundle_path(known - 1)} or one before it is missing", step="entries")
    names = {tile.parse_index(path.removeprefix(_BUNDLES)): path for path in listed[known:]}
    for index in range(known, known + len(names)):
        if index not in names:
            return
        yield names[index]
