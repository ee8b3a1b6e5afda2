"""Make ``tests/vectors/v1``: a store and a packet of the present formats, kept so that every later version proves it reads them.

    PYTHONPATH=.:tests python scripts/format_fixture.py

Run once for a new format version, never again for an old one: what is kept are the bytes. The keys are test keys, written
out here. The Parquet file and the PDF depend on their libraries; everything else comes out equal each time.
"""

import datetime as dt
import hashlib
import io
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.control.result import Input, NightFinding, Observation
from evidence.packet import build_packet
from evidence.signing.certificate import certificate_pem
from evidence.signing.keys import NoteKey
from evidence.snapshot import canonical, manifest
from evidence.snapshot.entry import Entry, ObjectRef, snapshot_entry_key
from evidence.snapshot.model import ColumnTotals, Part, Receipt, SnapshotKey, Statement, Totals
from evidence.snapshot.rows import RowsDigest
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.witness import HttpWitness
from evidence.tlog.cosignature import parse_cosigner
from tests.fakes import packet_inputs
from tests.fakes.memory_store import MemoryAnchor
from tests.servers.witness import Witness

FOLDER = Path(__file__).parent.parent / "tests" / "vectors" / "v1"
KEY = NoteKey("acme.example/evidence", bytes(range(32)))
NIGHT = dt.date(2026, 7, 1)
SNAPSHOT = "01JZ0000000000000000000000"
PLACE = f"data/prod/snowflake.users/date={NIGHT}/snapshot={SNAPSHOT}"


def main() -> None:
    """Write the folder anew."""
    if FOLDER.exists():
        sys.exit(f"{FOLDER} exists: what an old version wrote is never made again")
    (FOLDER / "trust").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        first, witness = store(Path(scratch) / "store", parquet())
        (FOLDER / "checkpoint").write_text(first)
        (FOLDER / "trust" / "log.vkey").write_text(KEY.vkey + "\n")
        (FOLDER / "trust" / "witness-1.vkey").write_text(witness + "\n")
        packet(Path(scratch))
        for file in sorted((Path(scratch) / "store").rglob("*")):
            if file.is_file():  # 0400 in a store; a checkout keeps no modes
                target = FOLDER / "store" / file.relative_to(Path(scratch) / "store")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())


def store(folder: Path, part: bytes) -> tuple[str, str]:
    """Write a log of five entries in three commits: a snapshot with one part, its re-count, an assessment; each co-signed.

    Return the first checkpoint and the witness's key.
    """
    witness = Witness({KEY.name: [KEY.public_key]}, clock=lambda: dt.datetime(2026, 7, 2, 6, tzinfo=dt.UTC).timestamp())
    try:
        place = HttpWitness(witness.url, parse_cosigner(witness.vkey))
        anchor = MemoryAnchor()
        log = Log.init(LocalStore(folder), KEY, anchors=[anchor])
        log = Log.open(log.store, signer=KEY, anchors=[anchor], destinations=[place])
        first = log.checkpoint
        snapshot, ref = sealed(log, part)
        coverage = Entry("coverage", f"prod/{NIGHT}", None, {"source": "prod", "start": NIGHT.isoformat()})
        log.append(once([coverage, snapshot]))
        log.append(once([recounted(snapshot), assessed(log, ref)]))
    finally:
        witness.stop()
    return first, witness.vkey


def once(entries: list[Entry]):  # noqa: ANN201 - a ``build`` callback
    """Return what is not sealed yet."""
    return lambda now: [entry for entry in entries if now.find(entry.type, entry.key) is None]


def receipt(digest: str) -> Receipt:
    """Return a receipt with most of its parts."""
    moment = dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC)
    totals = Totals(2, 2, {"NAME": ColumnTotals(2, length_sum=10), "USER_ID": ColumnTotals(2, value_sum=3)})
    statement = Statement(
        "SELECT USER_ID, NAME FROM SNOWFLAKE.ACCOUNT_USAGE.USERS ORDER BY USER_ID", (), "01b2c3d4-0000-0000-0000-000000000001",
        moment, moment + dt.timedelta(seconds=2), 2,
    )  # fmt: skip
    return Receipt(
        "complete", moment + dt.timedelta(minutes=1), as_of=moment, system={"product": "snowflake", "account": "ACME"},
        statements=(statement,), source_totals=totals, landed_totals=totals, landed=2, rows_digest=digest,
        treated={"NAME": {"kept": 2}}, collector={"version": "0.1.0", "config_sha256": "0" * 64}, notes=("an example",),
    )  # fmt: skip


def rows() -> pa.RecordBatch:
    """Return the rows of the one part."""
    return pa.record_batch({"USER_ID": pa.array([1, 2], pa.int64()), "NAME": pa.array(["ALICE", "BRUNO"])})


def parquet() -> bytes:
    """Spell them as this version of the library does."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_batches([rows()]), out, compression="zstd")
    return out.getvalue()


def sealed(log: Log, body: bytes) -> tuple[Entry, ObjectRef]:
    """Put one part and its manifest."""
    digest = RowsDigest()
    digest.update(rows())
    part = Part(f"{PLACE}/part-0000.parquet", hashlib.sha256(body).hexdigest(), len(body), 2)
    key = SnapshotKey("prod", "snowflake.users", NIGHT)
    text = manifest.build(
        key, "state", SNAPSHOT, {"version": 1, "sha256": "0" * 64}, (part,), (), receipt(digest.hexdigest())
    ).to_bytes()
    log.store.put_if_absent(part.path, body)
    log.store.put_if_absent(f"{PLACE}/_manifest.json", text)
    ref = ObjectRef(f"{PLACE}/_manifest.json", canonical.sha256_hex(text), len(text))
    facts = {"status": "complete", "finality": "settled", "kind": "state", "landed": 2, "quarantined": 0,
             "rows_digest": digest.hexdigest(), "collected_at": "2026-07-02T03:01:00.000000Z"}  # fmt: skip
    return Entry("snapshot", snapshot_entry_key(key), ref, facts), ref


def recounted(snapshot: Entry) -> Entry:
    """Return the entry of a second look that found the same."""
    facts = {"result": "stable", "occasion": "night 1", "compared": ["rows", "distinct keys"], "finality": "settled",
             "collected_at": "2026-07-03T03:00:00.000000Z", "rows": 2, "rows_digest": snapshot.body["rows_digest"]}  # fmt: skip
    return Entry("recount", f"{snapshot.key}/1", None, facts)


def assessed(log: Log, ref: ObjectRef) -> Entry:
    """Put the assessment of one control over that night."""
    used = Input("prod", "snowflake.users", NIGHT, 0, ref.sha256, str(log.entry(2).body["rows_digest"]), "complete", 2)
    fail = Observation("BRUNO", "fail", "no-second-factor", "HAS_MFA = false", "HAS_MFA = true")
    finding = NightFinding(
        "identity-mfa-humans", "1.0.0", "1" * 64, NIGHT, "not-satisfied", "critical", 2, "2" * 64, 1, (fail,), (), "", "",
        (used,), {"grace_hours": 24},
    )  # fmt: skip
    body = canonical.encode({
        "format": "evidence-assessment-v1", "night": NIGHT.isoformat(), "revision": 0, "cause": "", "log_size": log.size,
        "known_at": "2026-07-03T04:00:00.000000Z", "library": {"version": "2026.1", "sha256": "3" * 64},
        "registers": {"admins": "4" * 64}, "findings": [finding.to_json()],
    })  # fmt: skip
    path = f"findings/{NIGHT}/0-{SNAPSHOT}.json"
    log.store.put_if_absent(path, body)
    facts = {
        "night": NIGHT.isoformat(),
        "revision": 0,
        "log_size": log.size,
        "counts": {"not-satisfied": 1},
        "open_reviews": 0,
    }
    return Entry("assessment", f"{NIGHT}/0", ObjectRef(path, canonical.sha256_hex(body), len(body)), facts)


def packet(scratch: Path) -> None:
    """A packet of one night and two controls, sealed by a test authority."""
    packet_inputs.CONTROLS = packet_inputs.CONTROLS[:2]
    key, root = packet_inputs.packet_key()
    inputs = packet_inputs.build_inputs(scratch / "parts", count=1, system=False)
    made = build_packet(inputs, key, scratch / "out", packet_inputs.TEMPLATES, signed_at=packet_inputs.SIGNED_AT)
    shutil.copyfile(made.zip, FOLDER / made.zip.name)
    (FOLDER / "trust" / "packet-root.pem").write_bytes(certificate_pem(root))
    (FOLDER / "trust" / "packet-log.vkey").write_text(inputs.log_key.to_text() + "\n")


if __name__ == "__main__":
    main()
