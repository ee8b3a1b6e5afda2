"""Key rotation of the log: the old key leads to the new one, the new one vouches for what was before, nobody else can."""

import json
import re
from pathlib import Path

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.cli.app import run
from evidence.errors import ConfigError, ForkError, RollbackError, StoreConflictError, UsageError, VerificationError
from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry
from evidence.store.anchor import FileAnchor
from evidence.store.check import check_store
from evidence.store.history import History
from evidence.store.loading import STORE_PATH, store_json
from evidence.store.log import Log
from evidence.tlog.merkle import leaf_hash
from evidence.tlog.note import Verifier, parse_note, sign_note
from evidence.tlog.record import Record, record_path
from evidence.tlog.rotation import LogKeys, read_rotation, rotation_body

NEW, THIRD, THIEF = (NoteKey(KEY.name, bytes([n]) * 32) for n in (7, 8, 9))


def verifier(key):
    return Verifier(key.name, key.public_key)


@pytest.fixture
def anchor():
    return MemoryAnchor()


@pytest.fixture
def log(anchor):
    """Four entries under the first key, the rotation as entry 4, two more entries under the new key."""
    made = Log.init(MemoryStore(), KEY, anchors=[anchor])
    seal_snapshots(made, range(3))
    made.rotate(NEW)
    made.append(plain("a", "b"))
    return made


def checks(store, trust, **words):
    return [
        (c.step, c.ok, c.detail) for c in check_store(store, trust=trust, **words) if c.step not in {"objects", "tiles"}
    ]


def failed(store, trust, **words):
    return [(c.step, c.detail) for c in check_store(store, trust=trust, **words) if c.ok is False]


def test_the_old_key_leads_to_the_new_one(log):
    assert not failed(log.store, KEY.vkey)
    found = checks(log.store, KEY.vkey)
    assert ("rotation", True, f"entry 4 hands the log over to {NEW.vkey}, signed by both keys") in found
    assert Log.open(log.store, trust=verifier(KEY)).verifier == verifier(NEW)


def test_the_new_key_alone_vouches_for_all_before_and_says_what_it_does_not(log):
    assert not failed(log.store, NEW.vkey)
    trust = [(ok, detail) for step, ok, detail in checks(log.store, NEW.vkey) if step == "trust"]
    assert [ok for ok, _ in trust] == [True, None]
    assert "handed over to the trusted key" in trust[0][1]
    assert KEY.vkey in trust[1][1]
    assert not failed(log.store, [KEY.vkey, NEW.vkey])


def test_checkpoints_are_signed_by_the_key_of_their_size(log):
    def signers(size):
        return [line.key_id for line in parse_note(log.checkpoint_at(size)).signatures]

    assert signers(4) == [KEY.key_id]
    assert signers(5) == [KEY.key_id, NEW.key_id]
    assert signers(7) == [NEW.key_id]


def test_the_old_key_signs_no_more(log, anchor):
    with pytest.raises(ConfigError, match="retired"):
        Log.open(log.store, signer=KEY, anchors=[anchor])
    assert Log.open(log.store, signer=NEW, anchors=[anchor]).append(plain("c")) == [7]


def test_a_writer_that_was_open_when_the_key_changed_stops(anchor):
    log = Log.init(MemoryStore(), KEY, anchors=[anchor])
    other = Log.open(log.store, signer=KEY, anchors=[anchor])
    log.rotate(NEW)
    with pytest.raises(ConfigError, match="retired"):
        other.append(plain("late"))
    assert not failed(log.store, KEY.vkey)


def test_a_rotation_that_loses_the_race_comes_after_the_winner(anchor):
    log = Log.init(MemoryStore(), KEY, anchors=[anchor])
    other = Log.open(log.store, signer=KEY, anchors=[anchor])
    put = log.store.put_if_absent
    raced = []

    def racing(path, body, **words):
        if path.startswith("log/commit/") and not raced:
            raced.append(path)
            other.append(plain("first"))
        return put(path, body, **words)

    log.store.put_if_absent = racing
    assert log.rotate(NEW) == 2
    assert not failed(log.store, NEW.vkey)


def test_keys_never_come_back(log):
    for key in (KEY, NEW, NoteKey("another.log", bytes(32))):
        with pytest.raises(VerificationError):
            log.rotate(key)
    log.rotate(THIRD)
    with pytest.raises(VerificationError):
        log.rotate(KEY)
    assert [since for since, _ in log.keys] == [0, 5, 8]
    assert not failed(log.store, [KEY.vkey, NEW.vkey, THIRD.vkey])
    with pytest.raises(UsageError):
        Log.open(log.store, trust=verifier(NEW)).rotate(THIEF)


def test_a_log_longer_than_a_bundle_is_opened_with_either_key(anchor):
    log = Log.init(MemoryStore(), KEY, anchors=[anchor])
    log.rotate(NEW)
    log.append(plain(*(f"n{i}" for i in range(600))))
    for key in (KEY, NEW):
        assert Log.open(log.store, trust=verifier(key)).size == 602
    assert not failed(log.store, KEY.vkey)


def test_a_rotation_in_a_forged_bundle_moves_no_trust(anchor):
    """Bundles are unsigned: who writes one cannot name the key that judges the records after it."""
    log = Log.init(MemoryStore(), KEY, anchors=[])
    log.append(plain(*(f"n{i}" for i in range(255))))
    log.append(plain("tail"))
    forged = MemoryStore()
    forged.objects.update(log.store.objects)
    thief = forger(forged, THIEF)
    entry = Entry("rotation", THIEF.vkey, None, rotation_body(verifier(KEY))).to_bytes()
    from evidence.tlog import tile

    path = tile.bundle_path(0)
    bundle = [entry if index == 255 else body for index, body in enumerate(tile.decode_bundle(forged.objects[path]))]
    forged.objects[path] = tile.encode_bundle(bundle)
    history = History(verifier(KEY))
    for body in bundle:
        history.tree.append(leaf_hash(body))
    forged.objects[record_path(256)] = thief(256, [b'{"body":{},"key":"x","object":null,"type":"coverage"}'], bundle)
    with pytest.raises(VerificationError):
        Log.open(forged, trust=verifier(KEY))
    forged.objects[record_path(255)] = thief(255, [entry], bundle[:255])
    with pytest.raises(VerificationError):
        Log.open(forged, trust=verifier(KEY))
    assert failed(forged, KEY.vkey)


def forger(store, *signers):
    """Return what makes a record over ``before`` + ``entries``, signed by ``signers`` whatever the rules say."""
    from evidence.tlog.checkpoint import Checkpoint
    from evidence.tlog.merkle import Tree

    def make(before, entries, earlier):
        tree = Tree()
        for body in [*earlier, *entries]:
            tree.append(leaf_hash(body))
        note = sign_note(Checkpoint(KEY.name, tree.size, tree.root()).to_text(), *signers)
        return Record(before, tuple(entries), note).to_bytes()

    return make


def raws(log):
    return [log.raw(index) for index in range(log.size)]


@pytest.mark.parametrize("signers", [[THIEF], [THIEF, NEW], [NEW], [KEY], [NEW, THIRD]])
def test_a_rotation_not_signed_by_old_and_new_is_refused(signers):
    log = Log.init(MemoryStore(), KEY)
    entry = Entry("rotation", NEW.vkey, None, rotation_body(verifier(KEY))).to_bytes()
    log.store.objects[record_path(1)] = forger(log.store, *signers)(1, [entry], raws(log))
    with pytest.raises(VerificationError):
        Log.open(log.store, trust=verifier(KEY))
    assert failed(log.store, KEY.vkey)
    assert failed(log.store, NEW.vkey)


def test_a_rotation_among_others_or_from_another_key_is_refused():
    good = Entry("rotation", NEW.vkey, None, rotation_body(verifier(KEY))).to_bytes()
    other = Entry("coverage", "x").to_bytes()
    foreign = Entry("rotation", NEW.vkey, None, rotation_body(verifier(THIRD))).to_bytes()
    for entries in ([good, other], [other, good], [foreign]):
        log = Log.init(MemoryStore(), KEY)
        log.store.objects[record_path(1)] = forger(log.store, KEY, NEW)(1, entries, raws(log))
        with pytest.raises(VerificationError, match="rotation"):
            Log.open(log.store, trust=verifier(KEY))
        assert failed(log.store, KEY.vkey)


def test_what_the_old_key_signs_after_the_rotation_is_refused(log):
    entry = Entry("coverage", "late").to_bytes()
    log.store.objects[record_path(7)] = forger(log.store, KEY)(7, [entry], raws(log))
    with pytest.raises(VerificationError, match="after it was retired"):
        Log.open(log.store, trust=verifier(NEW))
    assert any("after it was retired" in detail for _, detail in failed(log.store, KEY.vkey))


def roll_back(log, size):
    store = MemoryStore()
    store.objects.update(
        {p: b for p, b in log.store.objects.items() if not p.startswith("log/") or p < record_path(size)}
    )
    store.objects = {p: b for p, b in store.objects.items() if p.startswith("log/commit/") or not p.startswith("log/")}
    return store


def test_a_rotation_that_was_rolled_back_is_found(log, anchor):
    """The thief of a retired key goes on from before the rotation: anchor, kept checkpoint or the new key tell."""
    store = roll_back(log, 4)
    thief = Log.open(store, signer=KEY)
    thief.append(plain(*"cdefg"))
    assert not failed(store, KEY.vkey)  # with nothing but the old key nobody can tell
    assert any("never comes to the given key" in d for _, d in failed(store, [KEY.vkey, NEW.vkey]))
    assert any(step == "trust" for step, _ in failed(store, NEW.vkey))
    assert failed(store, KEY.vkey, checkpoint=log.checkpoint)
    with pytest.raises((ForkError, VerificationError)):
        Log.open(store, signer=KEY, anchors=[anchor])
    with pytest.raises(VerificationError, match="trust"):
        Log.open(store, signer=NEW)
    short = roll_back(log, 4)
    with pytest.raises(RollbackError, match="key rotation"):
        Log.open(short, signer=KEY, anchors=[anchor])


def test_a_thief_of_the_old_key_cannot_use_the_new_keys_name():
    """Trust in the new key alone holds nothing that the new key did not sign over."""
    store = MemoryStore()
    log = Log.init(store, KEY)
    entry = Entry("rotation", NEW.vkey, None, rotation_body(verifier(KEY))).to_bytes()
    store.objects[record_path(1)] = forger(store, KEY)(1, [entry], raws(log))
    assert failed(store, NEW.vkey)
    with pytest.raises(VerificationError):
        Log.open(store, trust=verifier(NEW))


def test_builders_cannot_slip_a_rotation_in(log):
    with pytest.raises(StoreConflictError):
        log.append(lambda _: [Entry("rotation", THIRD.vkey, None, rotation_body(verifier(NEW)))])
    assert log.size == 7


@pytest.mark.parametrize(
    ("key", "body"),
    [
        (NEW.vkey, {}),
        (NEW.vkey, {"from": 1}),
        (NEW.vkey, {"from": KEY.vkey, "more": 1}),
        (NEW.vkey, {"from": NEW.vkey}),
        (NEW.vkey, {"from": NoteKey("x", bytes(32)).vkey}),
        ("nonsense", {"from": KEY.vkey}),
    ],
)
def test_malformed_rotations(key, body):
    with pytest.raises(Exception, match=r"malformed|hands over"):
        read_rotation(key, body)


def test_the_example_of_the_format_page_is_what_is_written(log):
    page = (Path(__file__).parent.parent / "docs/formats/log.md").read_text()
    assert f"\n{log.raw(4).decode()}\n" in page


def test_store_json_names_the_first_key_for_ever(log):
    assert log.store.objects[STORE_PATH] == store_json(verifier(KEY))
    assert LogKeys(verifier(KEY)).signing(9) == (verifier(KEY),)


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "w"
    assert run(["init", str(folder), "--demo", "--size", "none"]) == 0
    return folder


def test_the_command_hands_over_and_says_what_to_do_next(workspace, capsys):
    def call(*words):
        code = run(["-w", str(workspace), *words])
        shown = capsys.readouterr()
        return code, " ".join((shown.out + shown.err).split())

    old = (workspace / "trust/log.vkey").read_text().strip()
    code, said = call("keys", "rotate")
    assert code == 0, said
    assert 'set [log] key = "file:keys/collector-2.key"' in said
    assert (workspace / "keys/collector-2.key").stat().st_mode & 0o777 == 0o600
    code, said = call("keys", "rotate")  # again, before the configuration is changed: nothing happens twice
    assert code == 0, said
    assert "hands the log over" not in said
    code, said = call("doctor")
    assert "retired" in said
    settings = workspace / "evidence.toml"
    text = re.sub(r'(?m)^key = "file:keys/collector.key"', 'key = "file:keys/collector-2.key"', settings.read_text())
    settings.write_text(text)
    code, said = call("keys", "list", "--json")
    rows = json.loads(said)
    assert [(r["role"], r["state"]) for r in rows] == [("log", "retired"), ("log", "current"), ("packet", "current")]
    assert rows[0]["key"] == old
    assert "configured here" in rows[1]["detail"]
    first, (second,) = workspace / "trust/log.vkey", (workspace / "trust").glob("log-*.vkey")
    for trust in (first, second, workspace / "trust"):
        code, said = call("verify", str(workspace / "store"), "--trust", str(trust))
        assert code == 0, said
    kept = FileAnchor(workspace / "anchors/checkpoint").load(old.split("+")[0])
    assert len(parse_note(kept).signatures) == 2
