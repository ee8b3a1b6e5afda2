"""One of many writers: ``append_worker.py DIR COUNT SEED``. Seals windows 0..COUNT-1, each once among all writers.

Takes no lease: the commit protocol alone must keep the log right. Killed at any moment by the test, and started again.
"""

import random
import sys
from pathlib import Path

from fakes.sealed_store import FIRST, KEY, put_snapshot

from evidence.snapshot.entry import snapshot_entry_key
from evidence.snapshot.model import DAY, SnapshotKey
from evidence.store.anchor import FileAnchor
from evidence.store.local import LocalStore
from evidence.store.log import Log


def main(folder, count, seed):
    chance = random.Random(seed)
    log = Log.init(LocalStore(folder / "store"), KEY, anchors=[FileAnchor(folder / "anchor" / "checkpoint")])
    while missing := [n for n in range(count) if log.find("snapshot", key_of(n)) is None]:
        chosen = chance.sample(missing, min(len(missing), chance.randint(1, 3)))
        tag = f"{seed}x{chance.getrandbits(40):x}n"
        entries = [put_snapshot(log.store, number, tag=tag) for number in chosen]
        log.append(lambda now, entries=entries: [e for e in entries if now.find(e.type, e.key) is None])


def key_of(number):
    return snapshot_entry_key(SnapshotKey("prod", "snowflake.users", FIRST + number * DAY))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
