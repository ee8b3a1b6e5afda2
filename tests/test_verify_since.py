"""``verify --since``: reads in proportion to what is new, and no alteration of what is new that it does not find."""

import random

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore, Spy
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.errors import EvidenceError
from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry
from evidence.store.before import Before
from evidence.store.check import check_store
from evidence.store.log import Log
from evidence.tlog.cosignature import Cosigner
from evidence.tlog.merkle import Tree, leaf_hash
from evidence.tlog.tile import encode_tile, tile_path

NEXT = NoteKey(KEY.name, bytes(range(1, 33)))
THIRD = NoteKey(KEY.name, bytes(range(2, 34)))


class Lister(Spy):
    """Names every path of a listing that was taken."""

    def list(self, prefix, *, start_after=""):
        for path in MemoryStore.list(self, prefix, start_after=start_after):
            self.asked.append(f"{path} listed")
            yield path


def grown(old, new=4, *, store=None, rotate=()):
    """A log of ``old`` entries, the checkpoint of then, and ``new`` sealed nights after it."""
    log = Log.init(store if store is not None else Lister(), KEY, anchors=[MemoryAnchor()])
    for key in rotate:
        log.rotate(key)
    names = [f"k{n:07d}" for n in range(log.size, old)]
    for start in range(0, len(names), 256):
        batch = [Entry("coverage", name) for name in names[start : start + 256]]
        log.append(lambda _, batch=batch: batch)
    kept = log.checkpoint
    seal_snapshots(log, range(new))
    return log, kept


def since(store, kept, trust=(KEY,)):
    store.asked.clear()
    return list(check_store(store, trust=[key.vkey for key in trust], checkpoint=kept, since=True))


def failed(checks):
    return [check for check in checks if check.ok is False]


def whole(checks):
    return any("read from its first one" in check.detail for check in checks)


def test_what_is_read_is_what_is_new_however_long_the_log_is():
    reads = {}
    for old in (2570, 5130, 10_250):  # 10 entries after a full bundle
        log, kept = grown(old)
        found = since(log.store, kept)
        assert (failed(found), whole(found)) == ([], False)
        tiles = [path for path in log.store.asked if path.startswith("log/tile/0/")]
        assert len(tiles) == len(set(tiles)) == old // 256 % 256, "those of subtrees that no full tile stands for"
        reads[old] = [path for path in log.store.asked if path not in tiles]
    assert len({len(each) for each in reads.values()}) == 1, reads
    log, kept = grown(2570, 12)
    more = [path for path in since(log.store, kept) and log.store.asked if not path.startswith("log/tile/0/")]
    new = sum("data/" in path for path in more) - sum("data/" in path for path in reads[2570])
    assert len(more) - len(reads[2570]) == new == 8 * 3


@pytest.mark.parametrize("old", [2, 255, 256, 257, 600, pytest.param(70_000, marks=pytest.mark.slow)])
def test_every_kind_of_beginning(old):
    log, kept = grown(old)
    found = since(log.store, kept)
    assert (failed(found), whole(found)) == ([], False)
    assert sum(check.step == "objects" and check.ok is True for check in found) == 4
    tip = since(log.store, log.checkpoint)
    assert (failed(tip), whole(tip)) == ([], False)


def test_every_altered_or_missing_file_that_is_new_is_found():
    log, kept = grown(500)
    seal_snapshots(log, range(4, 8))
    log.append(plain(*(f"m{n}" for n in range(10))))  # completes a bundle
    chance = random.Random(3)
    old = {*grown(500, 0)[0].store.objects}
    for path in sorted(set(log.store.objects) - old):
        body = log.store.objects[path]
        place = chance.randrange(len(body))
        log.store.objects[path] = body[:place] + bytes([body[place] ^ 1 << chance.randrange(8)]) + body[place + 1 :]
        assert path in {check.subject for check in failed(since(log.store, kept))}, path
        del log.store.objects[path]
        gone = since(log.store, kept)
        derived = path.startswith(("log/tile/", "log/entries/"))
        assert bool(failed(gone)) != derived, path
        log.store.objects[path] = body
    assert not failed(since(log.store, kept))


def test_a_store_that_went_back_or_was_written_anew_is_found():
    log, kept = grown(700)
    early, _ = grown(300)
    assert [check.step for check in failed(since(early.store, log.checkpoint))] == ["checkpoint"]
    other = Log.init(Lister(), KEY, anchors=[MemoryAnchor()])
    other.append(plain(*(f"x{n}" for n in range(699))))
    seal_snapshots(other, range(4))
    assert "checkpoint" in {check.step for check in failed(since(other.store, kept))}
    for path, body in log.store.objects.items():  # its own records, the tiles of the log whose checkpoint was kept
        if path.startswith("log/tile/"):
            other.store.objects[path] = body
    assert "checkpoint" in {check.step for check in failed(since(other.store, kept))}


def test_tiles_of_somebody_else_prove_nothing():
    log, kept = grown(1030)
    mine = Tree(leaf_hash(b"%d" % number) for number in range(1024))
    for index in range(4):
        log.store.objects[tile_path(0, index)] = encode_tile(mine, 0, index)
    found = since(log.store, kept)
    assert whole(found)
    assert {check.subject for check in failed(found)} == {tile_path(0, index) for index in range(4)}
    log, kept = grown(1030)
    log.store.objects[tile_path(1, 0)] = bytes(8192)
    assert tile_path(1, 0) in {check.subject for check in failed(since(log.store, kept))}


def test_keys_that_were_handed_over_before_and_since():
    log, kept = grown(600, rotate=[NEXT])
    assert (failed(since(log.store, kept, [NEXT])), whole(since(log.store, kept, [NEXT]))) == ([], False)
    both = since(log.store, kept, [KEY, NEXT])
    assert (failed(both), whole(both)) == ([], False)
    first = since(log.store, kept, [KEY])
    assert (failed(first), whole(first)) == ([], True), (
        "what leads from it to the key that signed is in the old records"
    )
    log.rotate(THIRD)
    seal_snapshots(log, range(4, 6))
    found = since(log.store, kept, [NEXT, THIRD])
    assert (failed(found), whole(found)) == ([], False)
    assert sum(check.step == "rotation" and check.ok is True for check in found) == 1
    lost, early = grown(600)
    found = since(lost.store, early, [KEY, NEXT])
    assert ("rotation", True) in {(check.step, "never comes to" in check.detail) for check in failed(found)}
    assert failed(since(log.store, kept, [NoteKey(KEY.name, b"\x09" * 32)]))


def test_hashes_that_were_not_read_are_not_made_up():
    log, _ = grown(2570)
    before = Before(log.store, 2560)
    tree = Tree(leaf_hash(log.raw(number)) for number in range(2560))
    assert Tree(base=2560, lower=before.subtree).root() == tree.root()
    with pytest.raises(EvidenceError, match="was not read"):
        before.subtree(3, 0)
    with pytest.raises(EvidenceError, match="was not read"):
        before.raw(0)


@pytest.mark.parametrize("name", ["log/cosigned/{size:012d}-00000000", "log/tsr/{size:012d}"])
def test_cosignatures_and_stamps_are_judged_from_the_kept_size_on(name):
    log, kept = grown(500)
    log.store.objects[name.format(size=100)] = b"junk"
    assert not failed(since(log.store, kept))
    assert failed(list(check_store(log.store, trust=KEY.vkey, checkpoint=kept)))
    log.store.objects[name.format(size=999)] = b"junk"
    assert [check.subject for check in failed(since(log.store, kept))] == [name.format(size=999)]


def test_a_witness_that_is_silent_since_is_said():
    log, kept = grown(500)
    witness = Cosigner("witness.example", bytes(range(32)))
    found = list(check_store(log.store, trust=KEY.vkey, checkpoint=kept, since=True, witnesses=[witness]))
    assert not failed(found)
    assert [check.ok for check in found if "co-signed nothing from size 500 on" in check.detail] == [None]
    assert [check.step for check in failed(check_store(log.store, trust=KEY.vkey, witnesses=[witness]))] == ["witness"]
