"""What a thief of the collector's key can do with the store in hand, and what stops it: only what left the building."""

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.errors import ForkError
from evidence.store.log import Log
from evidence.store.witness import HttpWitness
from evidence.tlog.cosignature import parse_cosigner
from evidence.verify import verify_store
from tests.servers.witness import Witness


@pytest.fixture
def witness():
    made = Witness({KEY.name: [KEY.public_key]})
    yield made
    made.stop()


@pytest.fixture
def honest(witness):
    """The store as it was, every checkpoint that was signed, and the store the thief made instead."""
    anchor, kept = MemoryAnchor(), []
    place = HttpWitness(witness.url, parse_cosigner(witness.vkey))
    log = Log.open(
        Log.init(MemoryStore(), KEY, anchors=[anchor]).store, signer=KEY, anchors=[anchor], destinations=[place]
    )
    for number in range(3):
        seal_snapshots(log, [number])
        kept.append(log.checkpoint)
    forged = MemoryStore()
    other = Log.init(forged, KEY, anchors=[MemoryAnchor()])
    seal_snapshots(other, [0])  # the same night, and then others
    other.append(plain("invented", "more", "and more"))
    return log, kept, forged


def test_who_has_key_and_store_rewrites_what_nobody_kept(honest):
    """The honest answer: signatures cannot show it."""
    _, _, forged = honest
    result = verify_store(forged, [KEY.vkey])
    assert result.ok
    assert [check.detail for check in result.checks if check.step == "checkpoint"] == [
        "no kept checkpoint was given: going back in time was not checked"
    ]


def test_a_rewritten_history_contradicts_every_checkpoint_that_left(honest, witness):
    log, kept, forged = honest
    for checkpoint in kept[1:]:
        (failed,) = verify_store(forged, [KEY.vkey], checkpoint=checkpoint).failed
        assert failed.step == "checkpoint"
    assert not verify_store(forged, [KEY.vkey, witness.vkey]).ok  # no co-signature of it anywhere
    for path in log.store.list("log/cosigned/"):
        forged.objects[path] = log.store.get(path)  # those of the real one do not fit
    assert not verify_store(forged, [KEY.vkey, witness.vkey]).ok
    with pytest.raises(ForkError, match="remembers other entries"):
        Log.open(forged, signer=KEY, anchors=log._anchors)
