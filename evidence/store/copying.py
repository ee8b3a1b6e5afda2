"""Copying a store to another folder or bucket: everything its log names, by digest, and the log last.

Outside tools copy names and bytes just as well where nothing hides behind delete markers and the target locks by itself. This
copy reads by digest, puts each object under the target's own lock, until the source's date where that is later, and can be
run again: what is there with equal bytes stays, other bytes are a conflict. Commit records go in order, after what they name:
a copy that stopped half-way is an older state of the same log, which the signer's anchor refuses to extend.
"""

import datetime as dt
from collections.abc import Iterator

from evidence.errors import StoreConflictError
from evidence.snapshot.manifest import Manifest
from evidence.store.committed import SNAPSHOT_TYPES
from evidence.store.cosigned import PREFIX as COSIGNED
from evidence.store.loading import STORE_PATH
from evidence.store.log import Log
from evidence.store.objects import CachingStore, ObjectStore, put_same
from evidence.store.sealing import disposals_of
from evidence.store.stamps import PREFIX as STAMPS
from evidence.tlog.note import Verifier
from evidence.tlog.record import PREFIX as RECORDS


def copy_store(source: ObjectStore, target: ObjectStore, verifier: Verifier) -> Iterator[tuple[str, int]]:
    """Copy all that the verified log of ``source`` names; yield (path, bytes) of each object once it is in ``target``.

    What no entry names is left behind, and what is recorded as disposed. Raises ``VerificationError`` or ``MalformedError`` when the source is not whole,
    ``StoreConflictError`` when a name holds other bytes in the target or the target cannot create a name exactly once.
    """
    log = Log.open(source, trust=verifier)
    if not target.writable:
        raise StoreConflictError(f"{target.url} cannot create a name exactly once", fix="use another place or server")
    for path, sha256 in _named(source, log):
        yield path, _copy(source, target, path, sha256)
    for prefix in (RECORDS, "log/tile/", "log/entries/", STAMPS, COSIGNED):
        for path in source.list(prefix):
            yield path, _copy(source, target, path, None)
    if isinstance(target, CachingStore):
        target.replace_cache(log.checkpoint.encode())
    Log.open(target, trust=verifier).check_remembered(log.checkpoint, source.url)


def _named(source: ObjectStore, log: Log) -> Iterator[tuple[str, str]]:
    """Yield (path, SHA-256), parts before the manifest that names them, ``store.json`` (entry 0) before all."""
    yield STORE_PATH, _digest_of(log, 0)
    gone = disposals_of(log).entries
    for index, entry in log.entries():
        if entry.object is None or entry.object.path == STORE_PATH or index in gone:
            continue
        if entry.type in SNAPSHOT_TYPES:
            manifest = Manifest.from_bytes(source.get(entry.object.path, sha256=entry.object.sha256))
            yield from ((part.path, part.sha256) for part in (*manifest.parts, *manifest.quarantine))
        yield entry.object.path, entry.object.sha256


def _digest_of(log: Log, index: int) -> str:
    found = log.entry(index).object
    return found.sha256 if found else ""


def _copy(source: ObjectStore, target: ObjectStore, path: str, sha256: str | None) -> int:
    body = source.get(path, sha256=sha256)
    put_same(target, path, body, retain_until=_kept_until(source, path))
    return len(body)


def _kept_until(source: ObjectStore, path: str) -> dt.datetime | None:
    info = source.head(path)
    return info.retain_until if info else None
