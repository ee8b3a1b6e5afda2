"""Measure a long log: ``python benchmarks/log_growth.py [entries ...]``, by default 10,000, 100,000 and 500,000.

Builds each log with the real code on a store in memory that counts calls and bytes, 256 entries to a commit, then says what
one more commit, opening it cold, proofs and the index cost. Milliseconds are of this process alone: the store answers at
once, so the wait for a real one is the number of calls times its latency.
"""

import datetime as dt
import itertools
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from evidence.datasets.load import load_contracts
from evidence.errors import ObjectNotFoundError
from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.status import ALL, sealed_windows, standing
from evidence.store.index import Index
from evidence.store.kept import KeptBundles
from evidence.store.log import Log
from evidence.store.objects import ObjectInfo
from evidence.tlog.record import MAX_ENTRIES

KEY = NoteKey("acme.example/evidence", bytes(range(32)))
FIRST = dt.date(2006, 1, 1)
PER_NIGHT = 80  # datasets


class CountingStore:
    """An object store in memory; ``calls`` counts by kind, ``read`` the bytes of every get."""

    url, writable = "memory:", True

    def __init__(self):
        self.objects, self.calls, self.read = {}, Counter(), 0
        self._sorted = None

    def put_if_absent(self, path, body, *, retain_until=None):
        del retain_until
        self.calls["put"] += 1
        if path in self.objects:
            return False
        self.objects[path] = body
        self._sorted = None
        return True

    def get(self, path, *, sha256=None):
        del sha256
        self.calls["get"] += 1
        if path not in self.objects:
            raise ObjectNotFoundError(path)
        self.read += len(self.objects[path])
        return self.objects[path]

    def list(self, prefix, *, start_after="") -> Iterator[str]:
        """A page is 1,000 names, as on S3."""
        if self._sorted is None:
            self._sorted = sorted(self.objects)
        self.calls["list page"] += 1
        first = max(bisect_left(self._sorted, prefix), bisect_right(self._sorted, start_after))
        for count, path in enumerate(itertools.islice(self._sorted, first, None)):
            if not path.startswith(prefix):
                return
            self.calls["list page"] += count > 0 and count % 1000 == 0
            yield path

    def head(self, path):
        self.calls["head"] += 1
        return ObjectInfo(path, len(self.objects[path])) if path in self.objects else None

    def replace_cache(self, body):
        self.calls["cache"] += 1
        self.objects["log/checkpoint"] = body


class Anchor:
    """Remembers; costs nothing."""

    where, signed = "memory", None

    def load(self, origin):
        return self.signed if origin == KEY.name else None

    def advance(self, signed):
        self.signed = signed

    def reset(self, signed):
        self.signed = signed


def entries() -> Iterator[Entry]:
    """Snapshots as a platform of 80 datasets seals them, night after night."""
    yield Entry("coverage", f"prod/{FIRST}", None, {"source": "prod", "start": FIRST.isoformat()})
    for number in itertools.count():
        night, dataset = FIRST + dt.timedelta(days=number // PER_NIGHT), f"snowflake.dataset_{number % PER_NIGHT}"
        path = f"data/prod/{dataset}/date={night}/snapshot={number:026d}/_manifest.json"
        body = {
            "status": "complete", "finality": "settled", "kind": "state", "landed": number, "quarantined": 0,
            "rows_digest": f"{number:064x}", "collected_at": f"{night}T02:00:00Z",
        }  # fmt: skip
        yield Entry("snapshot", f"prod/{dataset}/{night}/0", ObjectRef(path, f"{number:064x}", 900), body)


def measured(store, what, action):
    """Run ``action``; print its calls, bytes and milliseconds; return its result."""
    store.calls.clear()
    store.read, start = 0, time.perf_counter()
    found = action()
    took = (time.perf_counter() - start) * 1000
    calls = ", ".join(f"{count} {kind}" for kind, count in sorted(store.calls.items())) or "no calls"
    print(f"  {what:<34} {took:>10,.1f} ms   {store.read / 1e6:>8,.2f} MB read   {calls}", flush=True)
    return found


def status(store, anchor, kept):
    """What `evidence status` does with a store: open the log, index it, and count every night of every dataset."""
    log = Log.open(store, signer=KEY, anchors=[anchor], kept=kept)
    index = Index().catch_up(log)
    contract, sealed = load_contracts()["snowflake.users"], sealed_windows(index)
    last = FIRST + dt.timedelta(days=log.size // PER_NIGHT + 2)
    moment = dt.datetime(last.year, last.month, last.day, tzinfo=dt.UTC)
    return [
        standing("prod", contract.model_copy(update={"name": name}), index, sealed, moment, ALL).to_row()
        for name in sorted({dataset for _, dataset in sealed})
    ]


def main(size):
    store, anchor, more = CountingStore(), Anchor(), entries()
    log = Log.init(store, KEY, anchors=[anchor])
    start = time.perf_counter()
    while log.size + MAX_ENTRIES <= size:
        batch = list(itertools.islice(more, MAX_ENTRIES))
        log.append(lambda now, batch=batch: [entry for entry in batch if now.find(entry.type, entry.key) is None])
    while log.size < size:
        batch = list(itertools.islice(more, min(20, size - log.size)))
        log.append(lambda now, batch=batch: [entry for entry in batch if now.find(entry.type, entry.key) is None])
    took = time.perf_counter() - start
    total = sum(map(len, store.objects.values()))
    print(f"{size:,} entries: built in {took:,.1f} s, {len(store.objects):,} objects, {total / 1e6:,.1f} MB")
    older, old_size = log.checkpoint, log.size
    last = [next(more)]
    measured(store, "append one entry, log open", lambda: log.append(lambda _: last))
    cold = measured(store, "open cold", lambda: Log.open(store, signer=KEY, anchors=[anchor]))
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptBundles(Path(folder), cold.verifier)
        Log.open(store, signer=KEY, anchors=[anchor], kept=kept)
        measured(store, "open with kept bundles", lambda: Log.open(store, signer=KEY, anchors=[anchor], kept=kept))
        measured(store, "status, on this machine before", lambda: status(store, anchor, kept))
    rows = measured(store, "status, the first time", lambda: status(store, anchor, None))
    assert sum(row["complete"] for row in rows) == sum(1 for _ in cold.entries("snapshot"))
    measured(store, "index (what `status` reads)", lambda: Index().catch_up(cold))
    for place in (1, size // 2, size):
        proof = measured(store, f"inclusion proof of entry {place}", lambda place=place: cold.proof(place))
        proof.verify(cold.raw(place), [cold.verifier])
    consistent = measured(store, f"consistency proof from {old_size}", lambda: cold.consistency(old_size))
    consistent.verify(older, [cold.verifier])
    early = cold.checkpoint_at(MAX_ENTRIES + 1)
    measured(store, f"consistency proof from {MAX_ENTRIES + 1}", lambda: cold.consistency(MAX_ENTRIES + 1)).verify(
        early, [cold.verifier]
    )


if __name__ == "__main__":
    for asked in sys.argv[1:] or ("10000", "100000", "500000"):
        main(int(asked.replace(",", "").replace("_", "")))
