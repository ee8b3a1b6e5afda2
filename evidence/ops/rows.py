"""Entries of the log and sealed findings as rows of the mirror. Pure; the order of a row is that of its table's columns."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from evidence.control.result import NightFinding
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, parse_snapshot_entry_key

Row = tuple[str | int | bool | dt.date | None, ...]
MOST: Final = 16_384  # characters of a text that are mirrored; the log has all


def ledger(origin: str, index: int, raw: bytes, entry: Entry) -> Row:
    """Return the row of ``LEDGER``."""
    ref = entry.object
    place = (ref.path, ref.sha256, ref.size) if ref else (None, None, None)
    body = canonical.encode(dict(entry.body)).decode()
    return (origin, index, entry.type, entry.key, *place, _cut(body), canonical.sha256_hex(raw))


def receipt(origin: str, index: int, entry: Entry) -> Row:
    """Return the row of ``RECEIPTS`` of a snapshot entry."""
    key, body = parse_snapshot_entry_key(entry.key), entry.body
    return (
        *(origin, index, key.source, key.dataset, key.night, key.revision),
        *(body.get("kind"), body.get("status"), body.get("finality"), bool(body.get("late"))),
        *(body.get("landed"), body.get("quarantined"), body.get("collected_at"), body.get("rows_digest")),
        entry.object.sha256 if entry.object else None,
    )


def finding(origin: str, index: int, revision: int, found: NightFinding) -> Row:
    """Return the row of ``FINDINGS``."""
    return (
        *(origin, index, found.control, found.night, revision, found.version, found.content_sha256, found.severity),
        *(found.status, found.reason or None, _cut(found.detail) or None, found.population, found.passed),
        *(len(found.exceptions), len(found.waived), len(found.reviews), found.fingerprint or None),
    )


def exceptions(origin: str, index: int, revision: int, found: NightFinding) -> Iterator[Row]:
    """Yield the rows of ``EXCEPTIONS`` of a finding; equal (item, reason) pairs are numbered from 0."""
    waivers = {(each.item, each.reason): each.waiver for each in found.waived}
    seen: dict[tuple[str, str], int] = {}
    parts: Sequence[tuple[str, Sequence[Any]]] = (("exception", found.exceptions), ("review", found.reviews))
    for kind, items in parts:
        for each in items:
            pair = (_cut(each.item), each.reason)
            number = seen[pair] = seen.get(pair, -1) + 1
            yield (
                *(origin, index, found.control, *pair, number, found.night, revision, kind),
                *(_cut(each.observed) or None, _cut(each.expected) or None, waivers.get((each.item, each.reason))),
            )


def of_entry(
    origin: str, index: int, raw: bytes, entry: Entry, findings: Sequence[NightFinding]
) -> Mapping[str, Sequence[Row]]:
    """Return the rows of one entry by table; ``findings`` are those of an assessment."""
    rows: dict[str, list[Row]] = {"LEDGER": [ledger(origin, index, raw, entry)]}
    if entry.type == "snapshot":
        rows["RECEIPTS"] = [receipt(origin, index, entry)]
    if entry.type == "assessment":
        revision = entry.body["revision"]
        rows["FINDINGS"] = [finding(origin, index, revision, each) for each in findings]
        rows["EXCEPTIONS"] = [row for each in findings for row in exceptions(origin, index, revision, each)]
    return rows


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[:MOST]}…"
