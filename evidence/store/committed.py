"""Every object that entries and manifests name, hashed against the digest they give. In parallel, told in log order.

A manifest is read ahead of the files it names; a file is hashed in blocks where the backend can, so memory does not grow with
files or with ``jobs`` beyond a block each. Of a backend that cannot, ``jobs`` objects are held at a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from evidence.errors import EvidenceError, VerificationError
from evidence.snapshot import canonical
from evidence.snapshot.ahead import LARGE, in_order
from evidence.snapshot.check import Check, failed, proved
from evidence.snapshot.entry import Entry, ObjectRef, snapshot_entry_key
from evidence.snapshot.manifest import Manifest
from evidence.store.history import History
from evidence.store.objects import DigestingStore, ObjectStore

SNAPSHOT_TYPES: Final = frozenset({"snapshot"})  # entries whose object is a manifest that names further files
STEP: Final = "objects"


@dataclass(frozen=True, slots=True)
class _File:
    """One thing to look at for the entry ``index``: a file to hash, or a ``fault`` already found. ``last`` ends the entry."""

    index: int
    entry: Entry
    ref: ObjectRef | None
    fault: str = ""
    last: bool = False


def check_objects(
    store: ObjectStore, history: History, indexes: Iterable[int], named: set[str], *, jobs: int = 1
) -> Iterator[Check]:
    """Check what the entries ``indexes`` name; fill ``named`` with its paths. One proved check per entry that holds."""
    entries = ((index, Entry.from_bytes(history.raw(index))) for index in indexes)
    hashing = store if isinstance(store, DigestingStore) else None  # asked once: to ask takes longer than a small file
    remote = hashing is None  # then every piece waits for an answer, however small

    def slow(file: _File) -> bool:
        return file.ref is not None and (remote or file.ref.size >= LARGE)

    read = in_order(partial(_read_object, store), entries, jobs, large=lambda _: remote)
    faults = files = 0
    for file, fault in in_order(partial(_look, store, hashing), _files(read, named), jobs, large=slow):
        files += 1
        if fault and file.ref is not None:
            faults += 1
            yield failed(STEP, fault, file.ref.path)
        if file.last:
            if not faults and file.entry.object is not None:
                detail = f"entry {file.index}: {file.entry.type} {file.entry.key}, {files} files"
                yield proved(STEP, detail, file.entry.object.path)
            faults = files = 0


def fault_of(store: ObjectStore, ref: ObjectRef) -> str:
    """Return what is wrong with the object, or nothing: its bytes have the size and the digest of ``ref``."""
    return _fault_of(store, store if isinstance(store, DigestingStore) else None, ref)


def _fault_of(store: ObjectStore, hashing: DigestingStore | None, ref: ObjectRef) -> str:
    try:
        if hashing is not None:
            digest, size = hashing.digest(ref.path, ref.size)
        else:
            digest, size = ref.sha256, len(store.get(ref.path, sha256=ref.sha256))
        if size != ref.size:
            return f"{ref.path} has {size} bytes, not {ref.size}"
        if digest != ref.sha256:
            return f"{ref.path} does not have the digest {ref.sha256}"
    except (EvidenceError, OSError) as exc:
        return str(exc)
    return ""


def _read_object(store: ObjectStore, numbered: tuple[int, Entry]) -> tuple[int, Entry, bytes, str]:
    """Return the entry with the bytes of its manifest, or with a fault; objects of other types are not read here."""
    index, entry = numbered
    ref = entry.object
    if ref is None or entry.type not in SNAPSHOT_TYPES:
        return index, entry, b"", ""
    if ref.size > canonical.MAX_BYTES:
        return index, entry, b"", f"{ref.path} is a manifest of {ref.size} bytes"
    try:
        found = store.head(ref.path) if isinstance(store, DigestingStore) else None
        if found is not None and found.size != ref.size:
            return index, entry, b"", f"{ref.path} has {found.size} bytes, not {ref.size}"
        body = store.get(ref.path, sha256=ref.sha256)
    except (EvidenceError, OSError) as exc:
        return index, entry, b"", str(exc)
    return index, entry, body, "" if len(body) == ref.size else f"{ref.path} has {len(body)} bytes, not {ref.size}"


def _files(read: Iterable[tuple[int, Entry, bytes, str]], named: set[str]) -> Iterator[_File]:
    for index, entry, body, fault in read:
        ref = entry.object
        if ref is None:
            continue
        named.add(ref.path)
        if fault or entry.type not in SNAPSHOT_TYPES:
            yield _File(index, entry, ref, fault, last=True)
            continue
        try:
            refs = _parts(entry, body)
        except EvidenceError as exc:
            yield _File(index, entry, ref, f"{ref.path}: {exc}", last=True)
            continue
        named.update(part.path for part in refs)
        yield _File(index, entry, None, last=not refs)  # the manifest itself: hashed when it was read
        yield from (_File(index, entry, part, last=part is refs[-1]) for part in refs)


def _parts(entry: Entry, body: bytes) -> list[ObjectRef]:
    manifest = Manifest.from_bytes(body)
    if snapshot_entry_key(manifest.key) != entry.key:
        raise VerificationError(f"is of {snapshot_entry_key(manifest.key)}, not {entry.key}", step="key")
    return refs_of(manifest)


def refs_of(manifest: Manifest) -> list[ObjectRef]:
    """Return every file that a manifest names, quarantined ones last."""
    return [ObjectRef(part.path, part.sha256, part.size) for part in (*manifest.parts, *manifest.quarantine)]


def _look(store: ObjectStore, hashing: DigestingStore | None, file: _File) -> tuple[_File, str]:
    return file, file.fault if file.fault or file.ref is None else _fault_of(store, hashing, file.ref)
