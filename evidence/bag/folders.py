"""A packet's evidence by control, source and day: the folders people know from AWS Audit Manager.

::

    <packet>/index.csv                                   one line per exhibit of a control
    <packet>/<control>/control.json                      conclusion and counts for the period, from data/findings.json
    <packet>/<control>/<source>/<night>/evidence.json    the exhibits of that night: where they lie in the packet, SHA-256, rows

Nothing is copied and nothing concluded: digests and paths lead back to the packet, which stays the evidence. Pure.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from evidence.bag.check import closed_set, payload_digests, tag_digests
from evidence.bag.exhibit import (
    ENTRY,
    PROOF,
    Exhibit,
    exhibit_folders,
    inputs_of,
    object_name,
    part_names,
    read_referenced,
)
from evidence.bag.files import BagFiles, check_name, read, read_text
from evidence.bag.findings import read_findings
from evidence.errors import VerificationError
from evidence.snapshot import canonical
from evidence.snapshot.check import FAULTS, said
from evidence.snapshot.entry import MAX_BYTES, Entry
from evidence.snapshot.manifest import Manifest
from evidence.tlog.proof import parse_inclusion

FORMAT: Final = "evidence-folders-v1"
COLUMNS: Final = ("control", "source", "night", "dataset", "rows", "log_index", "file", "sha256")
_Key = tuple[str, str, str, str, int, str]  # source, dataset, night, status, rows, rows_digest


def by_control(files: BagFiles, jobs: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of every file of the folders, sorted by control.

    Raises ``VerificationError`` when the packet's files are not those of its manifests. Who sealed it is not asked: that is what
    ``evidence verify`` is for. An input without exhibit, in a packet with omissions, has no file and no digest.
    """
    try:
        yield from _folders(files, jobs)
    except VerificationError:
        raise
    except FAULTS as exc:
        raise VerificationError(said(exc), step="packet", fix="evidence verify says what is wrong") from exc


def _folders(files: BagFiles, jobs: int) -> Iterator[tuple[str, bytes]]:
    for check in (closed_set(files), tag_digests(files), payload_digests(files, {}, jobs)):
        for name, fault in check:
            raise VerificationError(f"{name}: {fault}", step="packet", fix="evidence verify says what is wrong")
    findings = read_findings(files)
    exhibits = _exhibits(files)
    used: dict[str, dict[tuple[str, str], set[_Key]]] = defaultdict(lambda: defaultdict(set))
    for finding in findings.nights():
        for i in finding["inputs"]:
            key = (i["source"], i["dataset"], i["night"], i["status"], i["rows"], i["rows_digest"])
            used[finding["control"]][i["source"], i["night"]].add(key)
    index = io.StringIO(newline="")
    writer = csv.writer(index, lineterminator="\n")
    writer.writerow(COLUMNS)
    for period in findings.periods():
        control = period["control"]
        yield _named(files, f"{control}/control.json", _conclusion(files, period))
        for (source, night), keys in sorted(used[control].items()):
            lines = [_line(key, exhibits.get(key)) for key in sorted(keys)]
            writer.writerows([control, source, night, *(line[c] for c in COLUMNS[3:])] for line in lines)
            body = {"format": FORMAT, "control": control, "source": source, "night": night, "exhibits": lines}
            yield _named(files, f"{control}/{source}/{night}/evidence.json", body)
    yield f"{files.label}/index.csv", index.getvalue().encode()


def _named(files: BagFiles, name: str, body: Mapping[str, Any]) -> tuple[str, bytes]:
    """Names come out of the packet: none may lead out of the folder."""
    full = f"{files.label}/{name}"
    check_name(full)
    return full, canonical.encode(dict(body))


def _conclusion(files: BagFiles, period: Mapping[str, Any]) -> dict[str, Any]:
    counted = ("control", "start", "end", "status", "conclusion", "nights", "tested_items")
    return {
        "format": FORMAT,
        "packet": files.label,
        **{name: period[name] for name in counted},
        "exceptions": len(period["exceptions"]),
        "open": sum(bool(each["open"]) for each in period["exceptions"]),
        "reviews": len(period["reviews"]),
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """An exhibit of the packet, with the files it is made of."""

    exhibit: Exhibit
    sha256: str
    parts: tuple[dict[str, Any], ...]


def _exhibits(files: BagFiles) -> dict[_Key, _Found]:
    """Return exhibits by what a finding says of its inputs; of equal ones the last is taken."""
    referenced, names = read_referenced(files), frozenset(files.names())
    found: dict[_Key, _Found] = {}
    for folder in exhibit_folders(files):
        entry = Entry.from_bytes(read(files, f"{folder}/{ENTRY}", limit=MAX_BYTES))
        body = read(files, f"{folder}/{object_name(entry)}", limit=canonical.MAX_BYTES)
        number = parse_inclusion(read_text(files, f"{folder}/{PROOF}")).index
        manifest = Manifest.from_bytes(body) if entry.type == "snapshot" else None
        exhibit = Exhibit(folder, number, entry, body, manifest, folder not in referenced)
        parts = part_names(manifest) if manifest else {}
        listed = tuple(
            {"name": name, "sha256": part.sha256, "size": part.size, "in_packet": f"{folder}/{name}" in names}
            for name, part in sorted(parts.items())
        )
        for place, facts in inputs_of({folder: exhibit}).items():
            for fact in facts:
                found[*place, *fact] = _Found(exhibit, canonical.sha256_hex(body), listed)
    return found


def _line(key: _Key, found: _Found | None) -> dict[str, Any]:
    _, dataset, _, status, rows, rows_digest = key
    check_name(dataset)
    facts = {"dataset": dataset, "status": status, "rows": int(rows), "rows_digest": rows_digest}
    if found is None:  # a partial packet, which says so on every page
        return {**facts, "log_index": "", "file": "", "sha256": "", "parts": []}
    name = f"{found.exhibit.folder}/{object_name(found.exhibit.entry)}"
    place = {"log_index": found.exhibit.index, "file": name, "sha256": found.sha256}
    return {**facts, **place, "parts": list(found.parts)}
