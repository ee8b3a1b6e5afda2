"""What night N costs: ``python benchmarks/growth.py [N ...]``, by default 1, 100, 1000 and 2500 nights (six years and more).

A log of N nights of 80 datasets is built with the real code in memory, 81 entries to a night with its assessment. Then night N + 1 is sealed
into the open log (append); a command is begun (open, with bundles and index kept beside the collector; index); and what a night looks at is
looked up: the last revision of each of its windows, the nights without an assessment, and the conditions' windows of 35 nights. ``verify --since`` runs over a store of N small nights in files, from the checkpoint before the last.
Baseline of each figure: the same figure of the smallest N of at least 100.
"""

import datetime as dt
import gc
import itertools
import tempfile
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from benchmarks.log_growth import FIRST, KEY, PER_NIGHT, Anchor, CountingStore
from benchmarks.log_growth import entries as snapshots
from benchmarks.verify import seal as seal_files
from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.status import sealed_windows
from evidence.store.anchor import FileAnchor
from evidence.store.index import Index
from evidence.store.keeping import KeptIndex
from evidence.store.kept import KeptBundles
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.tlog.tile import WIDTH
from evidence.verify import verify_store

DEFAULT = (1, 100, 1000, 2500)
TAIL = 10
REACH = dt.timedelta(days=35)  # of conditions
FILES = NoteKey("acme.example/evidence", bytes(range(32)))


def nights(more, count):
    """Yield the entries of ``count`` nights: snapshots as they come, then the night's assessment."""
    for number in range(count):
        night = FIRST + dt.timedelta(days=number)
        ref = ObjectRef(f"findings/{night}/0-x.json", f"{number:064x}", 250_000)
        body = {
            "night": f"{night}",
            "revision": 0,
            "log_size": 2 + (number + 1) * (PER_NIGHT + 1),  # all of the night is judged
            "known_at": f"{night}T03:00:00.000Z",
            "open_reviews": 0,
        }
        yield [*itertools.islice(more, PER_NIGHT), Entry("assessment", f"{night}/0", ref, body)]


def night(index, day):
    """Look up what one night needs of what was sealed."""
    for number in range(PER_NIGHT):
        index.latest("prod", f"snowflake.dataset_{number}", day)
    return [each for each in index.waiting() if index.assessment(each) is None]


def prepare(count, rounds, folder):
    """Return figure -> what runs it on a log of ``count`` nights."""
    store, anchor, more = CountingStore(), Anchor(), snapshots()
    log = Log.init(store, KEY, anchors=[anchor])
    coming = nights(more, count + rounds + 1)
    for batch in itertools.islice(coming, count):
        log.append(lambda _, batch=batch: batch)
    while (
        log.size % WIDTH != TAIL
    ):  # what comes after the last full bundle is parsed at every open: as much for every count
        fill = [Entry("register", f"fill/{log.size}", None, {})]
        log.append(lambda _, fill=fill: fill)
    last = FIRST + dt.timedelta(days=count - 1)
    kept = KeptBundles(folder / "bundles", log.verifier)
    known = KeptIndex(folder / "index", KEY)

    def reopen():
        return Log.open(store, signer=KEY, anchors=[anchor], kept=kept, index=known)

    reopen()  # bundles and index are kept from now on
    opened = [reopen()]
    del log  # it holds every entry: looking for garbage among them would be measured
    gc.collect()

    def append():
        batch = next(coming)
        opened[0].append(lambda _: batch)

    return {
        "append a night": append,
        "open, all kept": lambda: opened.append(reopen()),
        "index": lambda: Index().catch_up(opened[-1]),
        "open and look up a night": lambda: night(Index().catch_up(reopen()), last),
        "open, windows of conditions": lambda: sealed_windows(Index().catch_up(reopen()), last - REACH),
        "verify --since": since(count, folder),
    }


def since(count, folder):
    """Return what verifies a store of ``count`` nights from the checkpoint before its last night."""
    log = Log.init(LocalStore(folder / "store"), FILES, anchors=[FileAnchor(folder / "anchors")])
    fill = [Entry("register", f"fill/{number}", None, {}) for number in range((TAIL - 1 - count) % WIDTH)]
    log.append(lambda now: [entry for entry in fill if now.find(entry.type, entry.key) is None])
    signed = log.checkpoint
    for number in range(count):
        signed = log.checkpoint
        seal_files(log, number, 1 << 10, parts=2)
    return lambda: verify_store(folder / "store", [FILES.vkey], checkpoint=signed, since=True)


def run(sizes, rounds):
    """Return a row for each figure and number of nights; what differs in nights alone runs in turn, A B A B."""
    base = min((each for each in sizes if each >= 100), default=max(sizes))
    with tempfile.TemporaryDirectory(prefix="evidence-bench-") as name:
        made = {count: prepare(count, rounds, Path(name) / str(count)) for count in sizes}
        gc.collect()
        rows = []
        for figure in made[base]:
            found = common.in_turn({count: made[count][figure] for count in sizes}, rounds)
            for count, runs in found.items():
                row = common.Row("growth", f"{figure}, night {count:,}", "ms cpu", [each.cpu * 1000 for each in runs])
                if count > base:
                    pairs = zip(runs, found[base], strict=True)
                    row.base, row.ratios = f"night {base:,}", [mine.cpu / max(its.cpu, 1e-6) for mine, its in pairs]
                rows.append(row)
    return rows


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)
