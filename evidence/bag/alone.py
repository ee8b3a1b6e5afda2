"""One exhibit taken out of a packet: its folder, or one file of it beside ``entry.json`` and ``tlog-proof``.

::

    part or object <- manifest <- log entry <- inclusion proof <- checkpoint signed by a log key that was given

Nothing else vouches for it: no seal is there, so a log key must be given. The folder may lie and be called as it likes.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from evidence.bag.chain import Chain, compare_kept
from evidence.bag.exhibit import ENTRY, PROOF, check_part, check_sealed, object_name, part_names
from evidence.bag.files import BagFiles, FolderFiles, read, read_text
from evidence.errors import EvidenceError, VerificationError
from evidence.snapshot import canonical
from evidence.snapshot.ahead import LARGE, in_order
from evidence.snapshot.check import FAULTS, Check, failed, proved, said, unmade
from evidence.snapshot.entry import MAX_BYTES, Entry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Part
from evidence.tlog.checkpoint import open_checkpoint
from evidence.tlog.note import Verifier
from evidence.tlog.proof import parse_inclusion

_STEP: Final = "exhibit"


def is_exhibit(path: Path) -> bool:
    """Say whether ``path`` is the folder of one exhibit, or a file in such a folder; a packet has neither name at its top."""
    folder = path if path.is_dir() else path.parent
    return all((folder / name).is_file() for name in (ENTRY, PROOF)) and not (folder / "bagit.txt").exists()


def check_alone(path: Path, keys: Sequence[Verifier], kept: str | None, jobs: int) -> Iterator[Check]:
    """Yield the checks of the exhibit at ``path``: open, log, exhibit; then what it cannot show."""
    wanted = "" if path.is_dir() else path.name
    try:
        files = FolderFiles(path if path.is_dir() else path.parent)
    except FAULTS as exc:
        yield failed("open", said(exc), path.name)
        return
    yield proved("open", f"{len(files.names())} files, plain names", path.name)
    try:
        chain, entry, checks = _sealed(files, keys)
    except FAULTS as exc:
        yield failed(_STEP, said(exc), ENTRY)
        return
    yield from checks
    if kept is not None:
        yield compare_kept(chain, kept, PROOF)
    try:
        yield from _contents(files, entry, wanted, jobs)
    except FAULTS as exc:
        yield failed(_STEP, said(exc), object_name(entry))
    yield unmade(
        "findings", "what was concluded from it, and whether it was revised later, are in the packet and the store"
    )
    yield unmade("time", "when it was sealed is not shown by this proof alone")


def _sealed(files: BagFiles, keys: Sequence[Verifier]) -> tuple[Chain, Entry, list[Check]]:
    """Prove the entry and its object to be in the log of one of ``keys``."""
    if not keys:
        raise VerificationError("no log key was given, and nothing else vouches for an exhibit", step="log key")
    raw, proof = read(files, ENTRY, limit=MAX_BYTES), read_text(files, PROOF)
    signed = parse_inclusion(proof).checkpoint
    head = open_checkpoint(signed, keys)
    key = next(one for one in keys if one.name == head.origin)
    entry = Entry.from_bytes(raw)
    body = read(files, object_name(entry), limit=canonical.MAX_BYTES)
    index = parse_inclusion(proof).index
    check_sealed(raw, index, body, proof, [key], signed)
    return (
        Chain([key], signed),
        entry,
        [
            proved("log", f"checkpoint of {head.origin} at size {head.size} is signed by a key that was given", PROOF),
            proved(_STEP, f"{entry.type} {entry.key} is entry {index} of that log", ENTRY),
        ],
    )


def _contents(files: BagFiles, entry: Entry, wanted: str, jobs: int) -> Iterator[Check]:
    """Check the parts that are there, or the one ``wanted``; a file that nothing names is a failure."""
    name = object_name(entry)
    parts: dict[str, Part] = {}
    if entry.type == "snapshot":
        parts = part_names(Manifest.from_bytes(read(files, name, limit=canonical.MAX_BYTES)))
    named = {ENTRY, PROOF, name, *parts}
    for loose in [wanted] if wanted else files.names():
        if loose not in named:
            yield failed(_STEP, "the manifest beside it does not name it: nothing ties it to the log", loose)
    if wanted:
        parts = {key: part for key, part in parts.items() if key == wanted}
    elif parts and not set(parts) & set(files.names()):
        yield unmade(_STEP, f"its {len(parts)} files of rows are not here: their digests are in the manifest", name)
        return
    yield from in_order(partial(_part, files), parts.items(), jobs, large=lambda item: item[1].size >= LARGE)


def _part(files: BagFiles, item: tuple[str, Part]) -> Check:
    name, part = item
    try:
        check_part(files, name, part, {})
    except (EvidenceError, OSError, ValueError) as exc:
        return failed(_STEP, str(exc), name)
    return proved(_STEP, "is the file that the manifest names", name)
