"""One fault at every store call of a night: collected windows sealed, then assessed, then sealed again.

Whatever the store answers, what is left verifies (invariant 3), nothing sealed is changed or sealed twice (2), no finding
rests on bytes that the log does not name (5), and the next run completes the night.
"""

import datetime as dt
import functools
import hashlib
import itertools
import shutil

import pytest
from fakes.faulty_store import FAULTS, LOST, OneFault
from fakes.memory_store import Crash, MemoryAnchor, MemoryStore
from fakes.sealed_store import FIRST, KEY

from evidence import assess
from evidence.assess import StoreReader
from evidence.control.model import Library
from evidence.control.overlay import configuration
from evidence.control.register import Registers
from evidence.control.result import NightFinding
from evidence.errors import EvidenceError
from evidence.seal import seal
from evidence.snapshot.collected import Collected
from evidence.snapshot.entry import Entry
from evidence.snapshot.model import DAY, Part, Receipt, SnapshotKey
from evidence.store.check import check_store
from evidence.store.index import Index
from evidence.store.local import LocalStore
from evidence.store.log import Log

NOW = dt.datetime(2026, 7, 9, tzinfo=dt.UTC)
LIBRARY = Library("1", "0" * 64, {}, {}, {}, {})
FULL = 250  # entries before the night: its commits close a bundle of 256, so tiles are written too
SIZES = [0, pytest.param(FULL, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def spool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spool")
    for night in range(4):
        (folder / f"{night}.parquet").write_bytes(b"PAR1" + b"rows of %d " % night * 9 + b"PAR1")
        (folder / f"{night}.bad.parquet").write_bytes(b"PAR1 bad PAR1")
    return folder


def collected(spool, number):
    def part(name, rows):
        body = (spool / name).read_bytes()
        return Part(name, hashlib.sha256(body).hexdigest(), len(body), rows)

    return Collected(
        SnapshotKey("prod", "snowflake.users", FIRST + number * DAY), "state", {"version": 1, "sha256": "0" * 64}, spool,
        (part(f"{number}.parquet", number + 1),), (part(f"{number}.bad.parquet", 1),),
        Receipt("complete", NOW, landed=number + 1, quarantined=1, rows_digest=f"{number}" * 64),
    )  # fmt: skip


def made(store, anchor, full):
    log = Log.init(store, KEY, anchors=[anchor])
    log.append(lambda _: [Entry("packet", f"k{n}") for n in range(full)])
    return store, anchor


def run(store, anchor, spool, names):
    """A night: what is not sealed yet is sealed in two batches, then every night is judged and the findings sealed."""
    log = Log.open(store, signer=KEY, anchors=[anchor])
    index = Index().catch_up(log)
    for batch in ((0, 1), (2, 3)):
        due = [n for n in batch if index.latest("prod", "snowflake.users", FIRST + n * DAY) is None]
        seal(log, index, [collected(spool, n) for n in due], lambda: f"s{next(names)}")
        index.catch_up(log)
    reader = StoreReader(log.store, index, {}, {}, NOW)
    judged = ((FIRST + n * DAY, [found(reader, FIRST + n * DAY)]) for n in range(4))
    for _ in assess.seal(log, LIBRARY, Registers({"owners": ()}), reader, judged, lambda: f"a{next(names)}", batch=3):
        pass
    return log


def found(reader, night):
    """A finding that depends on every byte of the night's evidence."""
    entry = reader.index.latest("prod", "snowflake.users", night)
    manifest = reader.manifest(entry)
    bodies = [reader.store.get(part.path, sha256=part.sha256) for part in manifest.parts]
    seen = hashlib.sha256(b"".join(bodies)).hexdigest()
    return NightFinding("c", "1", "0" * 64, night, "satisfied", "high", sum(map(len, bodies)), seen, passed=1)


def failures(store, checkpoint):
    return [check for check in check_store(store, trust=KEY.vkey, checkpoint=checkpoint) if check.ok is False]


def wanted(spool):
    keys = {("coverage", "prod/state/2026-07-01")}
    keys |= {("register", key) for key in [f"owners/{digest}" for digest in Registers({"owners": ()}).digests.values()]}
    keys.add(("configuration", hashlib.sha256(configuration(LIBRARY)).hexdigest()))
    nights = [FIRST + n * DAY for n in range(4)]
    keys |= {("snapshot", f"prod/snowflake.users/{night}/0") for night in nights}
    return keys | {("assessment", f"{night}/0") for night in nights}


def check_whole(store, anchor, spool, what):
    """The run without faults completes: everything once, verified, with the findings of the true bytes."""
    sealed = dict(contents(store))
    log = run(store, anchor, spool, itertools.count(100))
    assert failures(store, anchor.signed) == [], what
    keys = [(entry.type, entry.key) for _, entry in log.entries() if not entry.key.startswith("k")]
    assert len(keys) == len(set(keys)), what
    assert set(keys) - {("store", log.origin)} == wanted(spool), what
    after = dict(contents(store))
    assert {path: after.get(path) for path in sealed} == sealed, what  # nothing sealed was changed or removed
    index = Index().catch_up(log)
    for number in range(4):
        body = (spool / f"{number}.parquet").read_bytes()
        (finding,) = assess.sealed_findings(store, index, FIRST + number * DAY)
        assert finding.fingerprint == hashlib.sha256(body).hexdigest(), what
    assert log.append(lambda _: []) == []


def contents(store):
    return ((path, store.get(path)) for path in store.list("") if path != "log/checkpoint")


def attempt(store, anchor, spool, at, kind):
    """Run with one fault; say how it ended. Only declared errors, and the death of the process, may come out."""
    faulty = OneFault(store, at, kind)
    try:
        run(faulty, anchor, spool, itertools.count())
    except Crash:
        return "died", faulty
    except (EvidenceError, OSError) as exc:
        return f"{type(exc).__name__}: {exc}", faulty
    return "done", faulty


@functools.cache
def calls(spool, full):
    """The store calls of a run without faults."""
    store, anchor = made(MemoryStore(), MemoryAnchor(), full)
    outcome, faulty = attempt(store, anchor, spool, -1, "")
    assert outcome == "done"
    assert set(faulty.calls) == {"put_if_absent", "replace_cache", "get", "list", "head"}
    return tuple(faulty.calls)


def copies(full):
    """Yield the same store and anchor again and again."""
    base, remembered = made(MemoryStore(), MemoryAnchor(), full)
    while True:
        anchor = MemoryAnchor()
        anchor.signed = remembered.signed
        yield base.copy(), anchor


@pytest.mark.parametrize("full", SIZES)
@pytest.mark.parametrize("kind", FAULTS)
def test_one_fault_at_every_call_in_memory(kind, full, spool):
    befallen = [at for at, call in enumerate(calls(spool, full)) if call in FAULTS[kind]]
    assert befallen
    felt = 0
    for at, (store, anchor) in zip(befallen, copies(full), strict=False):
        outcome, _ = attempt(store, anchor, spool, at, kind)
        felt += outcome != "done"
        what = (at, calls(spool, full)[at], kind, outcome)
        assert failures(store, anchor.signed) == [], what
        check_whole(store, anchor, spool, what)
    assert felt or kind in {"stale list", "empty list"}  # records are followed by name, whatever a listing says


@pytest.mark.parametrize("full", SIZES)
def test_a_put_that_was_acknowledged_and_lost_never_passes_in_silence(full, spool):
    """The backend broke its word; nobody can complete that, but a run, `verify` or the next run says so."""
    puts = [at for at, call in enumerate(calls(spool, full)) if call == "put_if_absent"]
    for at, (store, anchor) in zip(puts, copies(full), strict=False):
        outcome, _ = attempt(store, anchor, spool, at, LOST)
        if outcome != "done" or failures(store, anchor.signed):
            continue
        check_whole(store, anchor, spool, (at, outcome))  # it was a derived file, and is made again


IN_A_FOLDER = ["error after", "crash after", "disk full", "exists, it says", "truncated", "hang"]


@pytest.mark.parametrize(
    ("kind", "step"), [("crash after", 4), *(pytest.param(kind, 1, marks=pytest.mark.slow) for kind in IN_A_FOLDER)]
)
def test_one_fault_at_every_call_in_a_folder(kind, step, spool, tmp_path):
    made(LocalStore(tmp_path / "base"), first := MemoryAnchor(), 0)
    befallen = [at for at, call in enumerate(calls(spool, 0)) if call in FAULTS[kind]]
    for at in befallen[::step]:
        shutil.copytree(tmp_path / "base", tmp_path / "store")
        store, anchor = LocalStore(tmp_path / "store"), MemoryAnchor()
        anchor.signed = first.signed
        outcome, _ = attempt(store, anchor, spool, at, kind)
        what = (at, calls(spool, 0)[at], kind, outcome)
        assert failures(store, anchor.signed) == [], what
        check_whole(store, anchor, spool, what)
        shutil.rmtree(tmp_path / "store")
