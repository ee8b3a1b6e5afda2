"""A small sealed store for tests: snapshots with parts, quarantine and manifest, as a collector would seal them."""

import datetime as dt
import hashlib

from evidence.signing.keys import NoteKey
from evidence.snapshot import canonical, manifest
from evidence.snapshot.entry import Entry, ObjectRef, snapshot_entry_key
from evidence.snapshot.model import Part, Receipt, SnapshotKey

KEY = NoteKey("acme.example/evidence", bytes(range(32)))
FIRST = dt.date(2026, 7, 1)


def put_part(store, path, body, rows):
    assert store.put_if_absent(path, body)
    return Part(path, hashlib.sha256(body).hexdigest(), len(body), rows)


def put_snapshot(store, number, *, tag="a"):
    """Put parts and manifest of the night ``FIRST + number``; return the entry that commits them."""
    night = FIRST + dt.timedelta(days=number)
    key = SnapshotKey("prod", "snowflake.users", night)
    folder = f"data/prod/snowflake.users/date={night}/snapshot={tag}{number}"
    part = put_part(store, f"{folder}/part-0000.parquet", b"PAR1" + b"rows of %d " % number * 40 + b"PAR1", 2)
    bad = put_part(store, f"{folder}/_quarantine/part-0000.parquet", b"PAR1" + b"bad row" * 9 + b"PAR1", 1)
    receipt = Receipt("complete", dt.datetime(2026, 7, 2, tzinfo=dt.UTC), landed=2, quarantined=1)
    made = manifest.build(
        key, "state", f"{tag}{number}", {"version": 1, "sha256": "0" * 64}, (part,), (bad,), receipt
    ).to_bytes()
    assert store.put_if_absent(f"{folder}/_manifest.json", made)
    ref = ObjectRef(f"{folder}/_manifest.json", canonical.sha256_hex(made), len(made))
    return Entry("snapshot", snapshot_entry_key(key), ref, {"status": "complete", "kind": "state"})


def plain(*keys):
    """A ``build`` callback: entries without objects, those that are not sealed yet."""
    return lambda log: [Entry("coverage", key) for key in keys if log.find("coverage", key) is None]


def seal_snapshots(log, numbers):
    entries = [put_snapshot(log.store, number) for number in numbers]
    return log.append(lambda current: [e for e in entries if current.find(e.type, e.key) is None])
