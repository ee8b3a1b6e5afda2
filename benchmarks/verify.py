"""Hashing by ``verify``: ``python benchmarks/verify.py [MiB]``, 512 by default, of large files and again of small ones.

Seals files in a store and writes the same ones as a bag, then times a whole verification with one job and with every core,
beside ``sha256sum`` over the same files. All files are in the page cache: what is compared is work, not disks. Best of three.
"""

import datetime as dt
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evidence.bag.bag import BagWriter
from evidence.bag.check import payload_digests
from evidence.bag.files import FolderFiles, ZipFiles
from evidence.bag.zip import equals_reencoding, write_zip
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


def best(action):
    """Return the seconds of the fastest of three runs."""
    found = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return min(found)


def sha256sum(files):
    names = "\0".join(map(str, files)).encode()
    subprocess.run(["xargs", "-0", "sha256sum"], input=names, stdout=subprocess.DEVNULL, check=True)


def whole(store, jobs):
    assert verify_store(store, [KEY.vkey], jobs=jobs).ok


def digests(files, jobs):
    assert not list(payload_digests(files, {}, jobs))


def measure(folder, total, size):
    """Print one line per way of hashing ``total`` bytes in files of ``size``."""
    log = Log.init(LocalStore(folder / "store"), KEY, anchors=[FileAnchor(folder / "anchors")])
    for number in range(max(1, total // (size * PARTS))):
        seal(log, number, size)
    files = sorted(path for path in (folder / "store").rglob("*") if path.is_file())
    octets = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files of {size} bytes, {octets >> 20} MiB, {cores()} cores")
    base = best(lambda: sha256sum(files))
    print(f"  sha256sum                    {base:7.2f} s")
    alone = 0.0
    for jobs in sorted({1, cores()}):
        took = best(lambda jobs=jobs: whole(folder / "store", jobs))
        alone = alone or took
        print(
            f"  store  --jobs {jobs:<2}             {took:7.2f} s   {took / base:5.2f} x sha256sum   {alone / took:5.2f} x faster than --jobs 1"
        )
    writer = BagWriter(folder / "bag")
    for path in files:
        if path.suffix == ".parquet":
            writer.add(path.relative_to(folder / "store").as_posix().replace("=", "-"), path)
    writer.close({})
    bag, alone = FolderFiles(writer.root), 0.0
    for jobs in sorted({1, cores()}):
        took = best(lambda jobs=jobs: digests(bag, jobs))
        alone = alone or took
        print(
            f"  packet --jobs {jobs:<2} (digests)   {took:7.2f} s   {took / base:5.2f} x sha256sum   {alone / took:5.2f} x faster than --jobs 1"
        )
    with (folder / "bag.zip").open("wb+") as out:
        write_zip(bag, out, "P")
    with ZipFiles(folder / "bag.zip") as zipped:
        for jobs in sorted({1, cores()}):
            took = best(lambda jobs=jobs: digests(zipped, jobs))
            print(f"  zip    --jobs {jobs:<2} (digests)   {took:7.2f} s   {took / base:5.2f} x sha256sum")
    took = best(lambda: equals_reencoding(folder / "bag.zip"))
    print(f"  zip    re-encoding           {took:7.2f} s   {took / base:5.2f} x sha256sum")


if __name__ == "__main__":
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    for each in (16 << 20, 8 << 10):
        with tempfile.TemporaryDirectory(prefix="evidence-bench-") as name:
            measure(Path(name), (mebibytes if each > 1 << 20 else min(mebibytes, 64)) << 20, each)
