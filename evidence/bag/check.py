"""Checking a bag: the set of files is closed and every digest is right. Each fault names its file."""

from collections.abc import Iterator
from zipfile import BadZipFile

from evidence.bag.bag import (
    BESIDE,
    DECLARATION,
    MANIFEST,
    SIGNATURE,
    STAMPED,
    TAG_FILES,
    TAGMANIFEST,
    TIMESTAMP,
    parse_manifest,
)  # fmt: skip
from evidence.bag.files import BagFiles, read, sha256_of, size_of
from evidence.errors import EvidenceError
from evidence.snapshot.ahead import LARGE, in_order

_LIMIT = 64 << 20  # tag files are small


def closed_set(files: BagFiles) -> Iterator[tuple[str, str]]:
    """Yield (file, fault) for every file missing, extra or unlisted.

    Closed set = the files of the manifest, the tag files, the tag manifest and the signature files beside it.
    """
    names = set(files.names())
    for name in (*TAG_FILES, TAGMANIFEST, SIGNATURE):
        if name not in names:
            yield name, "missing"
    if MANIFEST not in names:
        return
    listed = set(parse_manifest(read(files, MANIFEST, limit=_LIMIT), MANIFEST))
    for name in sorted(listed - names):
        yield name, "missing"
    for name in sorted(names - listed - set(TAG_FILES) - {TAGMANIFEST} - BESIDE):
        yield name, "not named in the manifest"
    for name in sorted(listed):
        if not name.startswith("data/"):
            yield name, "the manifest names a file outside data/"


def tag_digests(files: BagFiles) -> Iterator[tuple[str, str]]:
    """Yield (file, fault) for the tag files against the tag manifest, and for the declaration and Payload-Oxum."""
    tags = parse_manifest(read(files, TAGMANIFEST, limit=_LIMIT), TAGMANIFEST)
    if set(tags) != set(TAG_FILES):
        yield TAGMANIFEST, f"names {', '.join(sorted(tags))} instead of {', '.join(TAG_FILES)}"
    yield from _differences(files, tags, {}, 1)
    if "bagit.txt" in files.names() and read(files, "bagit.txt", limit=_LIMIT) != DECLARATION:
        yield "bagit.txt", "is not the declaration of BagIt 1.0"
    if "bag-info.txt" in files.names():
        yield from _info(files)


def _info(files: BagFiles) -> Iterator[tuple[str, str]]:
    """Payload-Oxum is octets and files of the payload (RFC 8493 section 2.2.2); a time-stamp that is named must be there."""
    payload = [name for name in files.names() if name.startswith("data/")]
    have = f"{sum(size_of(files, name) for name in payload)}.{len(payload)}"
    lines = read(files, "bag-info.txt", limit=_LIMIT).split(b"\n")
    if f"Payload-Oxum: {have}".encode() not in lines:
        yield "bag-info.txt", f"does not say Payload-Oxum: {have}, the octets and files of data/"
    if f"{STAMPED}: {TIMESTAMP}".encode() in lines and TIMESTAMP not in files.names():
        yield TIMESTAMP, "was taken away: bag-info.txt, which is sealed, says that it lies here"


def payload_digests(files: BagFiles, hashed: dict[str, str], jobs: int = 1) -> Iterator[tuple[str, str]]:
    """Yield (file, fault) for every payload file against the manifest; fill ``hashed`` with the digests found, by name."""
    yield from _differences(files, parse_manifest(read(files, MANIFEST, limit=_LIMIT), MANIFEST), hashed, jobs)


def _differences(
    files: BagFiles, digests: dict[str, str], hashed: dict[str, str], jobs: int
) -> Iterator[tuple[str, str]]:
    def look(name: str) -> tuple[str, str]:
        try:
            return sha256_of(files, name), ""
        except (EvidenceError, OSError, ValueError, BadZipFile) as exc:
            return "", f"cannot be read: {exc}"

    wanted = sorted(digests.items())
    looked = in_order(look, sorted(digests), jobs, large=lambda name: size_of(files, name) >= LARGE)
    for (name, digest), (found, fault) in zip(wanted, looked, strict=True):
        if fault:
            yield name, fault
            continue
        hashed[name] = found
        if found != digest:
            yield name, f"SHA-256 is {found}, the manifest says {digest}"
