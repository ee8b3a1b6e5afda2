"""Hashing by ``verify``: ``python -m benchmarks.verify [MiB ...]``, 512 by default, of large files and again of small ones.

Seals files in a store and writes the same ones as a bag, then times a whole verification with one job and with every core,
beside ``sha256sum`` over the same files with as many processes. All files are in the page cache: what is compared is work, not disks.
Seconds are of the wall; a file put into a store is also written and made durable, which ``sha256sum`` does not do.
"""

import datetime as dt
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from evidence.bag.bag import BagWriter
from evidence.bag.check import payload_digests
from evidence.bag.files import FolderFiles
from evidence.signing.keys import NoteKey
from evidence.snapshot import canonical, manifest
from evidence.snapshot.ahead import cores
from evidence.snapshot.entry import Entry, ObjectRef, snapshot_entry_key
from evidence.snapshot.model import Part, Receipt, SnapshotKey
from evidence.store.anchor import FileAnchor
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.verify import verify_store

KEY = NoteKey("acme.example/evidence", bytes(range(32)))
DEFAULT = (512,)
PARTS = 20  # of one snapshot


def seal(log, number, size, parts=PARTS):
    """Seal a snapshot of ``parts`` files of ``size`` bytes."""
    night = dt.date(2026, 1, 1) + dt.timedelta(days=number)
    folder = f"data/prod/snowflake.users/date={night}/snapshot=s{number}"
    sealed = []
    for index in range(parts):
        body = os.urandom(64).ljust(size, b"x")
        path = f"{folder}/part-{index:04d}.parquet"
        log.store.put_if_absent(path, body)
        sealed.append(Part(path, hashlib.sha256(body).hexdigest(), size, 1))
    receipt = Receipt("complete", dt.datetime(2026, 7, 2, tzinfo=dt.UTC), landed=parts)
    key = SnapshotKey("prod", "snowflake.users", night)
    body = manifest.build(
        key, "state", f"s{number}", {"version": 1, "sha256": "0" * 64}, tuple(sealed), (), receipt
    ).to_bytes()
    log.store.put_if_absent(f"{folder}/_manifest.json", body)
    ref = ObjectRef(f"{folder}/_manifest.json", canonical.sha256_hex(body), len(body))
    log.append(lambda _: [Entry("snapshot", snapshot_entry_key(key), ref, {"status": "complete"})])


def sha256sum(files, jobs):
    """Hash the files with so many processes, each given an even share."""
    share = str(-(-len(files) // jobs))
    names = "\0".join(map(str, files)).encode()
    command = ["xargs", "-0", "-P", str(jobs), "-n", share, "sha256sum"]
    subprocess.run(command, input=names, stdout=subprocess.DEVNULL, check=True)


def whole(store, jobs):
    """Verify the whole store."""
    if not verify_store(store, [KEY.vkey], jobs=jobs).ok:
        raise RuntimeError("the store does not verify")


def digests(files, jobs):
    """Hash the payload of a packet against its manifest."""
    if list(payload_digests(files, {}, jobs)):
        raise RuntimeError("the packet does not verify")


def again(files, into):
    """Put the files into a new store, as sealing does."""
    with tempfile.TemporaryDirectory(dir=into) as name:
        store = LocalStore(Path(name))
        for number, path in enumerate(files):
            store.put_if_absent(f"data/{number}", path)


def measure(folder, total, size, rounds):
    """Return rows for ``total`` bytes in files of ``size``: each way beside sha256sum with as many processes."""
    log = Log.init(LocalStore(folder / "store"), KEY, anchors=[FileAnchor(folder / "anchors")])
    for number in range(max(1, total // (size * PARTS))):
        seal(log, number, size)
    files = sorted(path for path in (folder / "store").rglob("*") if path.is_file())
    writer = BagWriter(folder / "bag")
    for path in files:
        if path.suffix == ".parquet":
            writer.add(path.relative_to(folder / "store").as_posix().replace("=", "-"), path)
    writer.close({})
    bag, rows = FolderFiles(writer.root), []
    label = f"{size >> 10:,} KiB files"
    for jobs in sorted({1, cores()}):
        base = f"sha256sum -P {jobs}, {label}"
        actions = {
            base: lambda jobs=jobs: sha256sum(files, jobs),
            f"verify store --jobs {jobs}, {label}": lambda jobs=jobs: whole(folder / "store", jobs),
            f"packet digests --jobs {jobs}, {label}": lambda jobs=jobs: digests(bag, jobs),
        }
        if jobs == 1:
            actions[f"put into a store, {label}"] = lambda: again(files, folder)
        rows += common.rows_of("verify", common.in_turn(actions, rounds), base, of="wall")
    octets = sum(path.stat().st_size for path in files)
    for row in rows:
        row.notes["MB/s"] = round(octets / 1e6 / sorted(row.values)[len(row.values) // 2])
    return rows


def run(sizes, rounds):
    """Return rows for each number of MiB, in large files and again (8 MiB at most) in small ones."""
    rows = []
    for mebibytes in sizes:
        for each in (16 << 20, 8 << 10):
            with tempfile.TemporaryDirectory(prefix="evidence-bench-") as name:
                wanted = mebibytes if each > 1 << 20 else min(mebibytes, 8)
                rows += measure(Path(name), wanted << 20, each, rounds)
    return rows


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)
