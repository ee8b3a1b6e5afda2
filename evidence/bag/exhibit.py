"""Where sealed evidence lies in a bag, and how it is tied to the log.

::

    data/evidence/<source>/<dataset>/<night>/r<revision>/   snapshots: entry.json manifest.json tlog-proof and the parts
    data/evidence/_<type>/<log index>/                      other sealed objects: entry.json object.json tlog-proof

``entry.json`` are the exact bytes of the log entry, ``tlog-proof`` shows it under the signed checkpoint. A snapshot whose
parts are not carried has a line in ``data/evidence/referenced.txt``, its folder's name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evidence.bag.files import BagFiles, read, read_text, sha256_of
from evidence.errors import EvidenceError, MalformedError, VerificationError
from evidence.snapshot import assessed, canonical
from evidence.snapshot.entry import MAX_BYTES, Entry, parse_snapshot_entry_key
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Part
from evidence.tlog.note import Verifier
from evidence.tlog.proof import parse_inclusion

ROOT: Final = "data/evidence/"
_MAX_REFERENCED: Final = 32 << 20  # a line for each of 200,000 folders
REFERENCED: Final = ROOT + "referenced.txt"
ENTRY, MANIFEST, OBJECT, PROOF = "entry.json", "manifest.json", "object.json", "tlog-proof"


def folder_of(entry: Entry, index: int) -> str:
    """Return the exhibit's folder below ``data/``, without a trailing slash."""
    if entry.type != "snapshot":
        return f"evidence/_{entry.type}/{index:06d}"
    key = parse_snapshot_entry_key(entry.key)
    return f"evidence/{key.source}/{key.dataset}/{key.night.isoformat()}/r{key.revision}"


def object_name(entry: Entry) -> str:
    """Return the file name of the sealed object itself."""
    return MANIFEST if entry.type == "snapshot" else OBJECT


def part_names(manifest: Manifest) -> dict[str, Part]:
    """Return file name in the exhibit's folder -> part; quarantined parts get a prefix."""
    parts = {part.path.rsplit("/", 1)[-1]: part for part in manifest.parts}
    return parts | {"quarantine-" + part.path.rsplit("/", 1)[-1]: part for part in manifest.quarantine}


def check_sealed(raw: bytes, index: int, body: bytes, proof: str, keys: Sequence[Verifier], checkpoint: str) -> Entry:
    """Return the entry when ``raw`` names the object ``body`` and is at ``index`` under the signed ``checkpoint``.

    Raises ``MalformedError`` or ``VerificationError``.
    """
    entry = Entry.from_bytes(raw)
    if entry.object is None or (entry.object.sha256, entry.object.size) != (canonical.sha256_hex(body), len(body)):
        raise VerificationError("the object is not the one the log entry names", step="entry")
    inclusion = parse_inclusion(proof)
    if inclusion.index != index or inclusion.checkpoint != checkpoint:
        raise VerificationError("the proof is for another place or another checkpoint", step="proof")
    inclusion.verify(raw, keys)
    return entry


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One verified exhibit of a bag. ``manifest`` is None for objects other than snapshots."""

    folder: str
    index: int
    entry: Entry
    body: bytes
    manifest: Manifest | None
    carried: bool


def exhibit_folders(files: BagFiles) -> list[str]:
    """Return the folders that hold an ``entry.json``, sorted."""
    return [name[: -len(ENTRY) - 1] for name in files.names() if name.startswith(ROOT) and name.endswith("/" + ENTRY)]


def unaccounted(files: BagFiles, known: set[str]) -> Iterator[str]:
    """Yield files below ``data/evidence`` that belong to no verified exhibit."""
    yield from (n for n in files.names() if n.startswith(ROOT) and n != REFERENCED and n not in known)


def read_exhibit(
    files: BagFiles,
    folder: str,
    keys: Sequence[Verifier],
    checkpoint: str,
    referenced: frozenset[str],
    hashed: Mapping[str, str],
) -> tuple[Exhibit, set[str]]:
    """Verify one exhibit and return it with the names of its files; ``hashed`` are digests computed already, by name.

    Raises ``VerificationError`` whose message names the file at fault.
    """
    where = f"{folder}/{ENTRY}"
    try:
        raw = read(files, where, limit=MAX_BYTES)
        entry = Entry.from_bytes(raw)
        name = f"{folder}/{object_name(entry)}"
        where = f"{folder}/{PROOF}"
        proof = read_text(files, where)
        index = parse_inclusion(proof).index
        where = name
        body = read(files, name, limit=canonical.MAX_BYTES)
        check_sealed(raw, index, body, proof, keys, checkpoint)
        if "data/" + folder_of(entry, index) != folder:
            raise MalformedError("the exhibit lies in another exhibit's folder")
        known = {f"{folder}/{ENTRY}", f"{folder}/{PROOF}", name}
        manifest = Manifest.from_bytes(body) if entry.type == "snapshot" else None
        carried = folder not in referenced
        for part_name, part in part_names(manifest).items() if manifest and carried else ():
            where = f"{folder}/{part_name}"
            check_part(files, where, part, hashed)
            known.add(where)
    except (EvidenceError, ValueError, OSError, KeyError, TypeError) as exc:
        raise VerificationError(f"{where}: {exc}", step="exhibit") from exc
    return Exhibit(folder, index, entry, body, manifest, carried), known


def read_referenced(files: BagFiles) -> frozenset[str]:
    """Return the folders of exhibits whose parts are not carried."""
    if REFERENCED not in files.names():
        return frozenset()
    return frozenset(read_text(files, REFERENCED, limit=_MAX_REFERENCED).split("\n")) - {""}


def check_part(files: BagFiles, name: str, part: Part, hashed: Mapping[str, str]) -> None:
    """Raise ``VerificationError`` unless the file is the manifest's ``part``."""
    if files.size(name) != part.size or (hashed.get(name) or sha256_of(files, name)) != part.sha256:
        raise VerificationError("the file is not the one its manifest names", step="part")


def inputs_of(exhibits: Mapping[str, Exhibit]) -> dict[tuple[str, str, str], set[tuple[str, int, str]]]:
    """Return (source, dataset, night) -> the (status, rows, rows_digest) of every revision carried or referenced.

    Assessments and recorded checks, of the store and of the pipeline, are among them: findings about them name them as inputs.
    """
    found: dict[tuple[str, str, str], set[tuple[str, int, str]]] = {}
    for exhibit in exhibits.values():
        if exhibit.manifest is not None:
            key, receipt = exhibit.manifest.key, exhibit.manifest.receipt
            facts = (str(receipt["status"]), int(receipt["landed"]), str(receipt.get("rows_digest", "")))
            found.setdefault((key.source, key.dataset, key.night.isoformat()), set()).add(facts)
        elif exhibit.entry.type == "assessment":
            assessment = canonical.decode(exhibit.body, what=exhibit.folder)
            place = (assessed.SOURCE, assessed.FINDINGS, assessment["night"])
            found.setdefault(place, set()).add(assessed.content_of(assessment))
        elif exhibit.entry.type == "check":
            body = canonical.decode(exhibit.body, what=exhibit.folder)
            place = (assessed.SOURCE, assessed.CHECKS, str(body["checked_at"])[:10])
            failed = sum(step["failed"] for step in body["steps"])
            found.setdefault(place, set()).add(("complete", failed, canonical.sha256_hex(exhibit.body)))
        elif exhibit.entry.type == "pipeline":
            body = canonical.decode(exhibit.body, what=exhibit.folder)
            place = (assessed.SOURCE, assessed.PIPELINE, body["night"])
            parts = len(body["state"]["parts"])
            found.setdefault(place, set()).add(("complete", parts, canonical.sha256_hex(exhibit.body)))
    return found
