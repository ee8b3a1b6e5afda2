"""One of several writers of one log: ``share_worker.py DIR WRITER SHARE SEED [URL BUCKET]``.

Seals windows ``WRITER * SHARE`` and following, SHARE in all, one to five in a commit; the store is ``DIR/store``, or the bucket.
Takes no lease: the commit protocol alone must keep the log right. Killed at any moment by the test, and started again.
"""

import datetime as dt
import random
import sys
from pathlib import Path

from fakes.sealed_store import FIRST, KEY, put_snapshot

from evidence.snapshot.entry import snapshot_entry_key
from evidence.snapshot.model import DAY, SnapshotKey
from evidence.store.anchor import FileAnchor
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.s3 import S3Store
from evidence.store.s3_client import connect
from evidence.store.sealing import append_new


def clock():
    return dt.datetime.now(dt.UTC)


def open_store(folder, url="", bucket=""):
    if not url:
        return LocalStore(folder / "store")
    client = connect(endpoint_url=url, region="us-east-1")
    return S3Store(client, bucket, "pre", mode="GOVERNANCE", retention_days=1, clock=clock)


def key_of(number):
    return snapshot_entry_key(SnapshotKey("prod", "snowflake.users", FIRST + number * DAY))


def main(folder, writer, share, seed, *place):
    chance = random.Random(seed)
    keeping = {"retention_days": 1, "clock": clock} if place else {}
    log = Log.init(open_store(folder, *place), KEY, anchors=[FileAnchor(folder / "anchor" / "checkpoint")], **keeping)
    mine = range(writer * share, (writer + 1) * share)
    while missing := [n for n in mine if log.find("snapshot", key_of(n)) is None]:
        chosen = missing[: chance.randint(1, 5)]
        append_new(log, [put_snapshot(log.store, n, tag=f"{seed}x{chance.getrandbits(40):x}n") for n in chosen])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), *sys.argv[5:])
