"""A long log: ``python -m benchmarks.log_growth [ENTRIES ...]``, by default 10,000, 100,000 and 500,000.

Builds each log with the real code on a store in memory that counts calls and bytes, 256 entries to a commit, then says what
one more commit, opening it cold, proofs and ``status`` cost. Milliseconds are of this process alone: the store answers at
once, so the wait for a real one is the number of calls times its latency.
"""

import datetime as dt
import itertools
import tempfile
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

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

DEFAULT = (10_000, 100_000, 500_000)
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


def run(sizes, rounds):
    """Return rows of milliseconds for each length; the notes count the calls of the store and the bytes it gave."""
    return [row for size in sizes for row in _measured(size, rounds)]


def build(size):
    """Return store, anchor and log of ``size`` entries, an older checkpoint, and the entries to come."""
    store, anchor, more = CountingStore(), Anchor(), entries()
    log = Log.init(store, KEY, anchors=[anchor])
    older = log.checkpoint, log.size
    while log.size < size:
        older = log.checkpoint, log.size
        batch = list(itertools.islice(more, min(MAX_ENTRIES, size - log.size)))
        log.append(lambda now, batch=batch: [entry for entry in batch if now.find(entry.type, entry.key) is None])
    return store, anchor, log, older, more


def _measured(size, rounds):
    store, anchor, log, (older, old_size), more = build(size)
    with tempfile.TemporaryDirectory(prefix="evidence-bench-") as folder:
        kept = KeptBundles(Path(folder), log.verifier)
        Log.open(store, signer=KEY, anchors=[anchor], kept=kept)
        actions = {
            "append one entry": lambda: log.append(lambda _: [next(more)]),
            "open cold": lambda: Log.open(store, signer=KEY, anchors=[anchor]),
            "open with kept bundles": lambda: Log.open(store, signer=KEY, anchors=[anchor], kept=kept),
            "status, here before": lambda: status(store, anchor, kept),
            "status, the first time": lambda: status(store, anchor, None),
            "inclusion proof": lambda: log.proof(size // 2).verify(log.raw(size // 2), [log.verifier]),
            "consistency proof": lambda: log.consistency(old_size).verify(older, [log.verifier]),
        }
        notes = {name: _calls(store, action) for name, action in actions.items()}
        found = common.in_turn(actions, rounds)
    return [
        common.Row("log", f"{name}, {size:,}", "ms cpu", [each.cpu * 1000 for each in runs], notes=notes[name])
        for name, runs in found.items()
    ]


def _calls(store, action):
    store.calls.clear()
    store.read = 0
    action()
    return {**dict(sorted(store.calls.items())), "MB read": round(store.read / 1e6, 2)}


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)
