"""Time-stamps of checkpoints: at most one per size, over what the log signed, and judged by verify."""

import datetime as dt

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.errors import MalformedError, TimestampError
from evidence.signing.timestamp import response_der
from evidence.signing.tsa import Authorities
from evidence.store.log import Log
from evidence.store.stamps import parse_stamp_path, stamp_checkpoint, stamp_path
from evidence.verify import verify_store
from tests.servers.tsa import Authority, serve

NOW = dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority():
    return Authority(lambda: NOW)


@pytest.fixture
def log():
    made = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    seal_snapshots(made, range(2))
    return made


@pytest.fixture(scope="module")
def stamp(authority):
    with serve(authority.respond) as url:
        asked = Authorities([url], [authority.root], lambda: NOW)
        yield lambda content: response_der(asked.stamp(content))


def time_checks(store, authorities):
    found = verify_store(store, [KEY.vkey], authorities=authorities, at=NOW)
    return [(c.ok, c.subject, c.detail) for c in found.checks if c.step == "time"]


def test_each_size_is_stamped_once(log, stamp, authority):
    asked = len(authority.asked)
    assert stamp_checkpoint(log, stamp)
    assert not stamp_checkpoint(log, stamp)
    assert len(authority.asked) == asked + 1
    log.append(plain("later"))
    assert stamp_checkpoint(log, stamp)
    assert sorted(log.store.list("log/tsr/")) == ["log/tsr/000000000003", "log/tsr/000000000004"]
    found = time_checks(log.store, [authority.root_pem])
    assert [ok for ok, *_ in found] == [True, True]
    assert "checkpoint of size 3: the time-stamp: existed at 2026-07-02 03:00:00Z" in found[0][2]


def test_a_failing_authority_leaves_nothing(log):
    def fail(_):
        raise TimestampError("no")

    with pytest.raises(TimestampError):
        stamp_checkpoint(log, fail)
    assert not list(log.store.list("log/tsr/"))


def test_without_trust_a_stamp_is_a_claim(log, stamp):
    stamp_checkpoint(log, stamp)
    assert [ok for ok, *_ in time_checks(log.store, [])] == [None]


def test_wrong_stamps_are_found_and_named(log, stamp, authority):
    stamp_checkpoint(log, stamp)
    good = log.store.objects[stamp_path(3)]
    foreign = Authority(lambda: NOW, name="Foreign")
    with serve(foreign.respond) as url:
        theirs = response_der(Authorities([url], [foreign.root], lambda: NOW).stamp(log.checkpoint.encode()))
    flipped = good[:200] + bytes([good[200] ^ 1]) + good[201:]
    for wrong in (b"", b"x", stamp(b"other bytes"), theirs, flipped):
        log.store.objects[stamp_path(3)] = wrong
        found = time_checks(log.store, [authority.root_pem])
        assert [(ok, subject) for ok, subject, _ in found] == [(False, stamp_path(3))], wrong[:20]
    log.store.objects[stamp_path(3)] = good
    for name in ("log/tsr/000000000009", "log/tsr/000000000002", "log/tsr/3", "log/tsr/x"):
        store = log.store.copy()
        store.objects[name] = good
        assert (False, name) in [found[:2] for found in time_checks(store, [authority.root_pem])]


def test_names():
    assert parse_stamp_path(stamp_path(3)) == 3
    for name in ("log/tsr/", "log/tsr/-00000000001", "log/tsr/0000000000003", "log/tsr/٣"):
        with pytest.raises(MalformedError):
            parse_stamp_path(name)
