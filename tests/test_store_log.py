"""The commit protocol against a store in memory: races, unclear answers, crashes, forks, and going back in time."""

import copy
import datetime as dt

import pytest
from fakes.memory_store import Crash, Faults, FaultyStore, MemoryAnchor, MemoryStore
from fakes.sealed_store import FIRST, KEY, plain, put_snapshot, seal_snapshots

from evidence.errors import (
    ConfigError,
    ForkError,
    MalformedError,
    RollbackError,
    StoreConflictError,
    StoreError,
    UsageError,
    VerificationError,
)
from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry
from evidence.status import sealed_windows
from evidence.store.check import check_store
from evidence.store.index import Index
from evidence.store.kept import KeptBundles
from evidence.store.log import Log, accept_anchor
from evidence.tlog.proof import parse_consistency, parse_inclusion
from evidence.tlog.record import Record, record_path


def fresh(store=None, anchor=None, **options):
    store = MemoryStore() if store is None else store
    return Log.init(store, KEY, anchors=[MemoryAnchor() if anchor is None else anchor], **options)


def reopen(log):
    return Log.open(log.store, signer=KEY, anchors=log._anchors)


def keys(log, type_="coverage"):
    return [entry.key for _, entry in log.entries(type_)]


def failures(store, checkpoint=None):
    return [check for check in check_store(store, trust=KEY.vkey, checkpoint=checkpoint) if check.ok is False]


def test_a_new_store_has_entry_0_that_names_store_json():
    log = fresh()
    assert log.size == 1
    assert log.entry(0).type == "store"
    assert log.entry(0).object.path == "store.json"
    assert sorted(log.store.objects) == ["log/checkpoint", "log/commit/000000000000", "store.json"]
    assert failures(log.store) == []


def test_init_again_is_the_same_store_and_another_key_is_refused():
    log = fresh()
    again = Log.init(log.store, KEY, anchors=log._anchors)
    assert again.checkpoint == log.checkpoint
    with pytest.raises(StoreConflictError, match=r"store\.json"):
        Log.init(log.store, NoteKey.generate("other"), anchors=[MemoryAnchor()])


def test_appended_entries_are_found_and_survive_reopening():
    log = fresh()
    assert log.append(plain("a", "b")) == [1, 2]
    assert log.append(plain("b", "c")) == [3]
    assert log.append(plain("a")) == []
    again = reopen(log)
    assert keys(again) == keys(log) == ["a", "b", "c"]
    assert (again.find("coverage", "b"), again.find("coverage", "x")) == (2, None)
    assert [e.key for _, e in again.entries("coverage", before=3)] == ["a", "b"]
    assert [index for index, _ in again.entries()] == [0, 1, 2, 3]
    assert (again.checkpoint, again.size) == (log.checkpoint, 4)


def test_a_reader_needs_only_the_public_key_and_cannot_append():
    log = fresh()
    log.append(plain("a"))
    reader = Log.open(log.store, trust=log.verifier)
    assert keys(reader) == ["a"]
    with pytest.raises(UsageError):
        reader.append(plain("b"))
    with pytest.raises(UsageError):
        Log.open(log.store)


def test_a_type_and_key_is_never_sealed_twice():
    log = fresh()
    log.append(plain("a"))
    before = dict(log.store.objects)
    for entries in ([Entry("coverage", "a")], [Entry("coverage", "b"), Entry("coverage", "b")]):
        with pytest.raises(StoreConflictError, match="already sealed"):
            log.append(lambda _, entries=entries: entries)
    assert log.store.objects == before
    assert log.append(plain("b")) == [2]


def test_the_log_crosses_tile_boundaries_and_loads_from_bundles():
    log = fresh()
    for start in range(0, 700, 70):
        log.append(plain(*(f"k{n}" for n in range(start, start + 70))))
    assert [name for name in log.store.objects if name.startswith(("log/tile", "log/entries"))] == [
        "log/tile/0/000", "log/entries/000", "log/tile/0/001", "log/entries/001",
    ]  # fmt: skip
    reads = []
    spy = FaultyStore(log.store, Faults())
    spy.get = lambda path, **kw: reads.append(path) or log.store.get(path, **kw)
    again = Log.open(spy, signer=KEY, anchors=log._anchors)
    assert (again.size, again.checkpoint) == (701, log.checkpoint)
    assert len([path for path in reads if path.startswith("log/commit/")]) <= 8  # the tail, not the history
    assert failures(log.store, log.checkpoint) == []


def test_more_entries_than_a_record_holds_become_several_records():
    log = fresh()
    assert log.append(plain(*(f"k{n:03d}" for n in range(600)))) == list(range(1, 601))
    assert [int(p[-12:]) for p in log.store.list("log/commit/")] == [0, 1, 257, 513]
    assert keys(reopen(log)) == [f"k{n:03d}" for n in range(600)]


def test_append_costs_the_same_however_long_the_history_is():
    log = fresh()
    log.append(plain(*(f"k{n}" for n in range(250))))
    inner, counts = log.store, []
    for number in range(60):
        calls = []
        log.store = FaultyStore(inner, Faults())
        log.store.get = lambda path, calls=calls, **kw: calls.append(path) or inner.get(path, **kw)
        log.store.list = lambda *a, calls=calls, **kw: calls.append("list") or inner.list(*a, **kw)
        log.append(plain(f"late{number}"))
        writes = [w for w in log.store.faults.writes if not w.startswith(("log/tile", "log/entries"))]
        counts.append((len(calls), len(writes)))
    assert set(counts) == {(1, 2)}  # one look after the tip; the commit and the cache


def test_proofs_verify_at_every_signed_size():
    log = fresh()
    ends = [log.size]
    for start in range(0, 560, 40):
        log.append(plain(*(f"k{n}" for n in range(start, start + 40))))
        ends.append(log.size)
    log = reopen(log)
    for size in ends:
        proof = parse_inclusion(log.proof(size - 1, size).to_text())
        assert proof.verify(log.raw(size - 1), [log.verifier]).size == size
        consistency = parse_consistency(log.consistency(size).to_text())
        assert consistency.verify(log.checkpoint_at(size), [log.verifier]).size == log.size
    with pytest.raises(UsageError, match="no checkpoint of size 42"):
        log.proof(1, 42)
    with pytest.raises(UsageError):
        log.proof(1, log.size + 1)


@pytest.mark.parametrize("fault", ["error-before", "error-after"])
def test_an_unclear_answer_to_the_commit_is_cleared_up_by_reading_back(fault):
    log = fresh()
    commit = record_path(1)
    faults = Faults(lambda n, what: fault if what == commit and commit not in faults.writes else None)
    log.store = FaultyStore(log.store, faults)
    assert log.append(plain("a")) == [1]
    assert faults.writes.count(commit) == (2 if fault == "error-before" else 1)
    assert keys(reopen(log)) == ["a"]


def test_a_server_that_never_answers_is_an_error_and_nothing_is_claimed():
    log = fresh()
    log.store = FaultyStore(log.store, Faults(lambda n, what: "error-before" if what.startswith("log/c") else None))
    with pytest.raises(StoreError, match="cannot commit log/commit/000000000001"):
        log.append(plain("a"))
    assert (log.size, keys(log)) == (1, [])
    log.store = log.store.inner
    assert log.append(plain("a")) == [1]


def test_a_lost_race_adopts_the_winner_and_drops_what_it_sealed():
    log = fresh()
    other = reopen(log)
    commit, calls = record_path(1), []
    faults = Faults(lambda n, what: (lambda: other.append(plain("a", "x"))) if what == commit else None)
    log.store = FaultyStore(log.store, faults)

    def build(current):
        calls.append(current.size)
        return plain("a", "b")(current)

    assert log.append(build) == [3]
    assert calls == [1, 3]  # asked again after adopting
    assert keys(log) == ["a", "x", "b"]
    assert keys(reopen(log)) == ["a", "x", "b"]


def test_a_lost_race_that_sealed_everything_leaves_nothing_to_do():
    log = fresh()
    other = reopen(log)
    faults = Faults(lambda n, what: (lambda: other.append(plain("a", "x"))) if what == record_path(1) else None)
    log.store = FaultyStore(log.store, faults)
    assert log.append(plain("a")) == []
    assert keys(log) == ["a", "x"]


def forged():
    signed = Log.init(MemoryStore(), NoteKey(KEY.name, bytes(32)), anchors=[MemoryAnchor()])
    signed.append(plain("evil"))
    return signed.store.objects[record_path(1)]


def elsewhere():
    """A record our key signed at this place, in a history of its own."""
    log = fresh()
    log.append(plain("other"))
    record = Record.from_bytes(log.store.objects[record_path(1)])
    return Record(1, (b'{"body":{},"key":"x","object":null,"type":"coverage"}',), record.checkpoint).to_bytes()


def duplicate():
    log = fresh()
    log.append(plain("a"))
    again = copy.copy(log._history)
    again._index = {}
    record = again.propose([Entry("coverage", "a")], KEY)
    return record.to_bytes(), log


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"junk", MalformedError), (forged(), VerificationError), (elsewhere(), VerificationError)],
    ids=["junk", "forged", "elsewhere"],
)
def test_an_invalid_record_is_never_adopted_and_nothing_is_written(body, error):
    log = fresh()
    late = reopen(log)
    log.store.objects[record_path(1)] = body
    before = dict(log.store.objects)
    with pytest.raises(error):
        log.append(plain("a"))
    with pytest.raises(error):
        late._commit(late._history.propose(plain("a")(late), KEY), None)  # seen only at the commit
    with pytest.raises(error):
        reopen(log)
    assert log.store.objects == before
    assert late.size == log.size == 1
    assert [check.subject for check in failures(log.store)] == [record_path(1)]


def test_a_signed_record_that_repeats_a_key_is_refused():
    body, log = duplicate()
    log.store.objects[record_path(2)] = body
    with pytest.raises(VerificationError, match="stands twice"):
        log.append(plain("b"))
    assert [check.subject for check in failures(log.store)] == [record_path(2)]


def test_two_signed_records_of_one_place_are_a_fork():
    log = fresh()
    other = fresh(log.store.copy())
    log.append(plain("a", "b"))
    other.append(plain("x"))
    other.append(plain("y"))
    log.store.objects[record_path(2)] = other.store.objects[record_path(2)]
    with pytest.raises(ForkError, match="second signed record"):
        reopen(log)
    assert [check.subject for check in failures(log.store)] == [record_path(2)]


def test_a_forked_history_contradicts_the_anchor():
    log = fresh()
    other = fresh(log.store.copy())
    log.append(plain("a"))
    other.append(plain("x"))
    other.append(plain("y"))
    log.store.objects = other.store.objects
    with pytest.raises(ForkError, match="remembers other entries"):
        reopen(log)
    with pytest.raises(ForkError):
        Log.init(log.store, KEY, anchors=log._anchors)


def test_a_store_put_back_in_time_is_refused_and_not_written_to():
    log = fresh()
    log.append(plain("a"))
    old = dict(log.store.objects)
    log.append(plain("b"))
    running = reopen(log)
    log.store.objects = dict(old)
    for attempt in (lambda: reopen(log), lambda: Log.init(log.store, KEY, anchors=log._anchors)):
        with pytest.raises(RollbackError, match="went back in time") as caught:
            attempt()
        assert "accept-anchor" in caught.value.fix
    assert log.store.objects == old
    assert [c.step for c in failures(log.store, running.checkpoint)] == ["checkpoint"]
    log.store.objects = {}
    with pytest.raises(RollbackError):
        reopen(log)
    with pytest.raises(RollbackError):
        Log.init(log.store, KEY, anchors=log._anchors)
    assert log.store.objects == {}


def test_a_running_signer_notices_that_another_host_s_anchor_is_ahead():
    log = fresh()
    log.append(plain("a"))
    shared = log._anchors[0]
    kept = shared.signed
    ahead = fresh(log.store.copy(), shared)
    ahead.append(plain("b"))
    before = dict(log.store.objects)
    with pytest.raises(RollbackError):
        log.append(plain("c"))
    assert log.store.objects == before
    shared.signed = kept
    assert log.append(plain("c")) == [2]


def test_an_empty_anchor_is_not_trusted_on_first_use():
    log = fresh()
    log.append(plain("a"))
    empty = MemoryAnchor()
    with pytest.raises(RollbackError, match="no anchor remembers"):
        Log.open(log.store, signer=KEY, anchors=[empty])
    with pytest.raises(RollbackError, match="no anchor remembers"):
        Log.init(log.store, KEY, anchors=[empty])
    second = Log.open(log.store, signer=KEY, anchors=[*log._anchors, empty])  # beside one that remembers it is filled
    second.append(plain("b"))
    assert empty.signed == second.checkpoint


def test_the_operator_may_accept_a_checkpoint_the_store_continues():
    log = fresh()
    log.append(plain("a"))
    old, accepted = dict(log.store.objects), log.checkpoint
    log.append(plain("b"))
    ahead = log.checkpoint
    log.store.objects = dict(old)
    with pytest.raises(RollbackError):
        accept_anchor(log.store, log.verifier, log._anchors, ahead)
    other = Log.init(MemoryStore(), NoteKey.generate("other"), anchors=[MemoryAnchor()])
    with pytest.raises(VerificationError):
        accept_anchor(log.store, log.verifier, log._anchors, other.checkpoint)
    assert log._anchors[0].signed == ahead
    assert accept_anchor(log.store, log.verifier, log._anchors, accepted).size == 2
    log.store.objects["log/checkpoint"] = accepted.encode()
    assert reopen(log).append(plain("c")) == [2]


def test_a_signed_cache_ahead_of_the_log_betrays_missing_records():
    log = fresh()
    log.append(plain("a"))
    del log.store.objects[record_path(1)]
    with pytest.raises(RollbackError, match="log/checkpoint"):
        Log.open(log.store, trust=log.verifier)
    log.store.objects["log/checkpoint"] = b"damaged"
    assert Log.open(log.store, trust=log.verifier).size == 1  # a cache proves nothing


def test_a_missing_record_is_named():
    log = fresh()
    for key in "abc":
        log.append(plain(key))
    del log.store.objects[record_path(2)]
    with pytest.raises(VerificationError, match="log/commit/000000000002 is missing"):
        Log.open(log.store, trust=log.verifier)
    assert "log/commit/000000000002 is missing" in failures(log.store)[0].detail


def test_a_bundle_that_differs_stops_reading_and_a_tile_that_differs_stops_writing():
    log = fresh()
    log.append(plain(*(f"k{n}" for n in range(256))))
    good = dict(log.store.objects)
    body = bytearray(good["log/entries/000"])
    body[100] ^= 1
    log.store.objects["log/entries/000"] = bytes(body)
    with pytest.raises((VerificationError, MalformedError)):
        reopen(log)
    log.store.objects = {k: v for k, v in good.items() if not k.startswith("log/entries")}
    log.store.objects["log/tile/0/000"] = bytes(8192)
    with pytest.raises(StoreConflictError, match="log/tile/0/000"):
        reopen(log).append(plain("late"))


def test_tiles_that_were_never_written_are_written_by_the_next_run_even_if_it_seals_nothing():
    log = fresh()
    log.append(plain(*(f"k{n}" for n in range(600))))
    whole = dict(log.store.objects)
    for name in [n for n in whole if n.startswith(("log/tile", "log/entries")) or n == "log/checkpoint"]:
        del log.store.objects[name]
    assert failures(log.store) == []
    assert reopen(log).append(plain("k0")) == []
    assert log.store.objects == whole


def test_a_store_of_another_key_is_not_opened():
    log = fresh()
    for key in (NoteKey(KEY.name, bytes(32)), NoteKey.generate("other")):
        with pytest.raises(VerificationError, match="trusted key"):
            Log.open(log.store, signer=key)
    with pytest.raises(StoreError, match="no store"):
        Log.open(MemoryStore(), trust=log.verifier)
    half = MemoryStore()
    half.objects["store.json"] = log.store.objects["store.json"]
    with pytest.raises(StoreError, match="no log yet"):
        Log.open(half, trust=log.verifier)


def test_retention_is_asked_for_and_a_shorter_one_is_not_accepted():
    now = dt.datetime(2026, 7, 2, tzinfo=dt.UTC)
    log = fresh(retention_days=2557, clock=lambda: now)
    assert set(log.store.retain.values()) == {now + dt.timedelta(days=2557)}
    put = log.store.put_if_absent
    log.store.put_if_absent = lambda path, body, retain_until: put(path, body, retain_until=now)
    with pytest.raises(StoreError, match="is retained until"):
        log.append(plain("a"))
    with pytest.raises(UsageError):
        fresh(retention_days=1)


def test_s3_needs_an_anchor_and_a_true_conditional_create():
    store = MemoryStore()
    store.url = "s3://bucket/prefix"
    with pytest.raises(ConfigError, match="no anchor"):
        Log.init(store, KEY)
    store.writable = False
    with pytest.raises(StoreConflictError, match="exactly once"):
        fresh(store)
    assert store.objects == {}


def night_after_night(store, anchor):
    """The scenario that is killed: make or open the store, then seal what is missing, over a tile boundary."""
    log = Log.init(store, KEY, anchors=[anchor])
    log.append(plain(*(f"k{n}" for n in range(200))))
    missing = [n for n in range(3) if log.find("snapshot", f"prod/snowflake.users/2026-07-0{n + 1}/0") is None]
    for number in missing:
        tag = f"t{len(list(store.list('data/')))}"
        entry = put_snapshot(store, number, tag=tag)
        log.append(lambda _, entry=entry: [entry])
    log.append(plain(*(f"k{n}" for n in range(200, 300))))
    return log


def test_killed_at_any_write_the_store_verifies_and_the_next_run_completes():
    dry = Faults()
    whole = night_after_night(FaultyStore(MemoryStore(), dry), MemoryAnchor(dry))
    wanted = [(entry.type, entry.key) for _, entry in whole.entries()]
    assert len(dry.writes) >= 30
    for number in range(len(dry.writes)):
        for fault in ("crash-before", "crash-after"):
            store, anchor = MemoryStore(), MemoryAnchor()
            faults = Faults(lambda n, what, at=number, fault=fault: fault if n == at else None)
            anchor.faults = faults
            with pytest.raises(Crash):
                night_after_night(FaultyStore(store, faults), anchor)
            if record_path(0) in store.objects:
                assert failures(store, anchor.signed) == [], (number, fault)
            anchor.faults = Faults()
            log = night_after_night(store, anchor)
            assert sorted((e.type, e.key) for _, e in log.entries()) == sorted(wanted), (number, fault)
            assert failures(store, log.checkpoint) == [], (number, fault)


def test_sealed_snapshots_are_checked_file_by_file():
    log = fresh()
    seal_snapshots(log, range(2))
    log.store.objects["data/leftover"] = b"x"
    checks = list(check_store(log.store, trust=KEY.vkey, checkpoint=log.checkpoint))
    assert [c.detail for c in checks if c.step == "objects"][1:] == [
        "entry 1: snapshot prod/snowflake.users/2026-07-01/0, 3 files",
        "entry 2: snapshot prod/snowflake.users/2026-07-02/0, 3 files",
    ]
    assert [(c.step, c.subject) for c in checks if c.ok is not True] == [("orphans", "data/leftover")]


def test_kept_bundles_save_reads_and_prove_nothing(tmp_path):
    log = fresh()
    log.append(plain(*(f"k{n:04d}" for n in range(3000))))
    kept = KeptBundles(tmp_path, log.verifier)
    reads = []
    spy = FaultyStore(log.store, Faults())
    spy.get = lambda path, **kw: reads.append(path) or log.store.get(path, **kw)

    def opened():
        reads.clear()
        again = Log.open(spy, signer=KEY, anchors=log._anchors, kept=kept)
        assert (again.checkpoint, keys(again)) == (log.checkpoint, keys(log))
        return sum(path.startswith("log/entries/") for path in reads)

    assert [opened(), opened()] == [11, 0]
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    files[3].write_bytes(files[3].read_bytes()[:-1])  # damaged: read again
    assert [opened(), opened()] == [1, 0]
    body = log.store.get("log/entries/004").replace(b"k1100", b"k1I00")  # somebody's own, with the digest to it
    assert body != log.store.get("log/entries/004")
    kept.put("log/entries/004", body)
    with pytest.raises(VerificationError, match="not under its signed root"):
        opened()


def test_an_index_reads_a_snapshot_when_it_is_asked_for(monkeypatch):
    log = fresh()
    seal_snapshots(log, range(40))
    reads = []
    monkeypatch.setattr(Log, "entry", lambda self, number: reads.append(number) or Entry.from_bytes(self.raw(number)))
    index, eager = Index().catch_up(log), Index.of(entry for _, entry in log.entries())
    reads.clear()
    night = FIRST + dt.timedelta(days=7)
    assert index.latest("prod", "snowflake.users", night) == eager.latest("prod", "snowflake.users", night)
    assert [(n, index.newest(n)) for n in index.nights()] == [(n, eager.newest(n)) for n in eager.nights()]
    assert len(reads) == 1
    assert list(index.snapshots()) == list(eager.snapshots()) == list(index.every_revision())
    early = Index.at(log, 20)
    assert early.size == 20
    assert early.latest("prod", "snowflake.users", FIRST + dt.timedelta(days=30)) is None
    assert len(list(early.snapshots())) == 19
    assert sealed_windows(index, FIRST + dt.timedelta(days=99)) == {("prod", "snowflake.users"): {}}
