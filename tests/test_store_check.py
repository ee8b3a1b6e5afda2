"""``check_store`` names the file, whatever byte of whatever committed file is changed."""

import random

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain, put_snapshot, seal_snapshots

from evidence.errors import VerificationError
from evidence.signing.keys import NoteKey
from evidence.store.check import check_store, referenced
from evidence.store.log import Log

FLIPS = 200


@pytest.fixture(scope="module")
def sealed():
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    for start in range(0, 250, 50):
        log.append(plain(*(f"k{n}" for n in range(start, start + 50))))
    seal_snapshots(log, range(6))
    return log


def failures(store, **options):
    return [check for check in check_store(store, trust=KEY.vkey, **options) if check.ok is False]


def test_an_untouched_store_verifies_whole(sealed):
    checks = list(check_store(sealed.store, trust=KEY.vkey, checkpoint=sealed.checkpoint))
    assert {check.ok for check in checks} == {True}
    assert {check.step for check in checks} == {"trust", "log", "checkpoint", "tiles", "objects"}


def test_any_flipped_byte_is_found_and_its_file_named(sealed):
    chance, names = random.Random(20260701), sorted(sealed.store.objects)
    assert {name.split("/")[0] for name in names} == {"data", "log", "store.json"}
    chosen = names + [chance.choice(names) for _ in range(FLIPS - len(names))]
    for name in chosen:
        store = sealed.store.copy()
        body = bytearray(store.objects[name])
        at = chance.randrange(len(body))
        body[at] ^= 1 << chance.randrange(8)
        store.objects[name] = bytes(body)
        assert name in {check.subject for check in failures(store)}, (name, at)


def test_any_missing_file_is_found_and_its_file_named(sealed):
    for name in sorted(sealed.store.objects):
        store = sealed.store.copy()
        del store.objects[name]
        checks = list(check_store(store, trust=KEY.vkey, checkpoint=sealed.checkpoint))
        failed = {check.subject for check in checks if check.ok is False}
        if name == "log/checkpoint":
            assert failed == set()  # a cache
        elif name.startswith(("log/tile", "log/entries")):
            assert failed == set()  # derived: written again by the next run, and said to be absent
            assert [check.subject for check in checks if check.step == "tiles"] == [name]
        elif name.startswith("log/commit"):
            assert failed
        else:
            assert name in failed


def test_a_wrong_key_and_a_missing_key(sealed):
    other = NoteKey(KEY.name, bytes(32))
    failed = [c.step for c in check_store(sealed.store, trust=other.vkey) if c.ok is False]
    assert failed[:2] == ["trust", "log"]
    assert [c.step for c in check_store(sealed.store, trust="nonsense") if c.ok is False] == ["trust"]
    checks = list(check_store(sealed.store))
    assert [(c.step, c.ok) for c in checks[:1]] == [("trust", None)]
    assert KEY.vkey in checks[0].detail
    assert [c for c in checks if c.ok is False] == []


def test_a_checkpoint_of_another_log_is_a_failure(sealed):
    other = Log.init(MemoryStore(), NoteKey.generate("other"), anchors=[MemoryAnchor()])
    assert [c.step for c in failures(sealed.store, checkpoint=other.checkpoint)] == ["checkpoint"]
    assert [c.step for c in failures(sealed.store, checkpoint="junk")] == ["checkpoint"]


def test_a_manifest_under_another_window_s_key_is_found():
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    first, second = put_snapshot(log.store, 0), put_snapshot(log.store, 1)
    swapped = type(first)(first.type, first.key, second.object, first.body)
    log.append(lambda _: [swapped])
    assert [check.subject for check in failures(log.store)] == [second.object.path]


def test_a_tile_that_this_log_does_not_have_is_found(sealed):
    store = sealed.store.copy()
    store.objects["log/entries/001"] = store.objects["log/entries/000"]
    assert [check.subject for check in failures(store)] == ["log/entries/001"]


def test_everything_referenced_is_everything_but_the_log(sealed):
    entries = [entry for _, entry in sealed.entries()]
    assert referenced(sealed.store, entries) == {p for p in sealed.store.objects if not p.startswith("log/")}
    store = sealed.store.copy()
    manifest = next(p for p in store.objects if p.endswith("_manifest.json"))
    store.objects[manifest] += b" "
    with pytest.raises(VerificationError):
        referenced(store, entries)
