"""A witness co-signs what continues all it saw; its line is kept beside the checkpoint and checked by verify."""

import base64
import json
import logging
import time

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.cli import status_command, verify_command
from evidence.cli.workspace import Workspace
from evidence.config import Config
from evidence.errors import ConfigError, ForkError, RollbackError, StoreError
from evidence.signing.trust import load_trust
from evidence.store.cosigned import cosigned_path
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.telling import DeliveryNotes, deliveries
from evidence.store.witness import HttpWitness
from evidence.tlog.checkpoint import Checkpoint
from evidence.tlog.cosignature import parse_cosigner
from evidence.verify import verify_store
from tests.servers.witness import Witness


@pytest.fixture
def witness():
    made = Witness({KEY.name: [KEY.public_key]}, clock=lambda: 1_782_950_400)
    yield made
    made.stop()


def client(witness):
    return HttpWitness(witness.url, parse_cosigner(witness.vkey))


def opened(store, *places, anchors=None, notes=None):
    anchors = anchors or [MemoryAnchor()]
    if not any(store.list("log/commit/")):
        Log.init(store, KEY, anchors=anchors)
    else:
        for anchor in anchors:
            anchor.advance(Log.open(store, trust=KEY_OF).checkpoint)
    return Log.open(store, signer=KEY, anchors=anchors, destinations=places, notes=notes)


KEY_OF = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()]).verifier


def steps(store, witness=None, step="witness"):
    keys = [KEY.vkey, *([witness.vkey] if witness else [])]
    return [check for check in verify_store(store, keys).checks if check.step == step]


def test_every_commit_is_cosigned_and_verify_says_by_whom_and_when(witness):
    store = MemoryStore()
    log = opened(store, client(witness))
    for number in range(3):
        seal_snapshots(log, [number])
    assert log.undelivered == {}
    names = list(store.list("log/cosigned/"))
    assert names == [cosigned_path(size, parse_cosigner(witness.vkey)) for size in (1, 2, 3, 4)]
    proved = steps(store, witness)
    assert [check.ok for check in proved] == [True] * 5
    assert "co-signed by witness.example/w1 at 2026-07-02T00:00:00Z" in proved[-1].detail
    assert "all 4 entries are under it" in proved[-1].detail
    assert verify_store(store, [KEY.vkey, witness.vkey]).ok
    # Without its key the line is a claim; the log's own signature is checked all the same.
    assert {check.ok for check in steps(store)} == {None}


def test_the_witness_is_asked_again_only_for_what_is_new(witness):
    store = MemoryStore()
    log = opened(store, client(witness))
    log.append(plain("a"))
    before = len(witness.requests)
    again = Log.open(store, signer=KEY, anchors=log._anchors, destinations=[client(witness)])
    again.append(plain("a"))
    assert len(witness.requests) == before
    again.append(plain("b"))
    assert [body.split("\n")[0] for body in witness.requests[before:]] == ["old 0", "old 2"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, "text/plain", ""), "no co-signature|malformed"),
        ((200, "text/plain", "— witness.example/w2 AAAAAAAAAAAAAAAA\n"), "no co-signature"),
        ((400, "text/plain", ""), "answered 400"),
        ((403, "text/plain", ""), "log's key"),
        ((404, "text/plain", ""), "does not know this log"),
        ((409, "text/plain", "7\n"), "without the size"),
        ((409, "text/x.tlog.size", "many\n"), "without the size"),
        ((409, "text/x.tlog.size", "9" * 40 + "\n"), "without the size"),
        ((422, "text/plain", ""), "consistency proof"),
        ((500, "text/plain", "trouble secret-prefix"), "answered 500"),
        ((302, "text/plain", ""), "answered 302"),
    ],
)
def test_a_witness_that_answers_wrongly_stops_nothing_and_is_said(witness, answer, said, tmp_path):
    store, notes = MemoryStore(), DeliveryNotes(tmp_path / "notes")
    log = opened(store, client(witness))
    witness.answer = lambda _: answer
    log = Log.open(store, signer=KEY, anchors=log._anchors, destinations=[client(witness)], notes=notes)
    assert log.append(plain("a")) == [1]
    (reason,) = log.undelivered.values()
    with pytest.raises(Exception, match=said):
        client(witness).cosign(log.checkpoint, log._history.tree.consistency)
    assert "secret-prefix" not in reason
    (noted,) = deliveries([client(witness)], notes)
    assert (noted.failed, noted.reason) == (2, reason)  # what was there when the run began, then the commit
    witness.answer = None
    assert log.append(plain("b")) == [2]  # tried again at the next commit
    assert log.undelivered == {}
    assert deliveries([client(witness)], notes)[0].delivered == 3


def test_a_hanging_witness_costs_its_time_out_and_nothing_else(witness, monkeypatch):
    monkeypatch.setattr("evidence.store.posting.TIMEOUT_SECONDS", 0.2)
    store = MemoryStore()
    log = opened(store)
    witness.answer = lambda _: (time.sleep(1), (200, "text/plain", ""))[1]
    log = Log.open(store, signer=KEY, anchors=log._anchors, destinations=[client(witness)])
    start = time.monotonic()
    for key in "abcdef":
        log.append(plain(key))
    assert time.monotonic() - start < 3  # three tries of a run, then it is left alone
    assert len(witness.requests) == 3
    assert "TimeoutError" in next(iter(log.undelivered.values()))


def test_a_store_that_went_back_is_found_by_the_witness(witness):
    store = MemoryStore()
    log = opened(store, client(witness))
    log.append(plain("a"))
    old = store.copy()
    log.append(plain("b", "c"))
    rolled = opened(old)  # an anchor that went back with it: only the witness remembers
    with pytest.raises(RollbackError, match="has co-signed 4 entries, the log has 2"):
        client(witness).cosign(rolled.checkpoint, rolled._history.tree.consistency)


def test_a_second_history_gets_no_cosignature(witness):
    store = MemoryStore()
    log = opened(store, client(witness))
    log.append(plain("a"))
    old = store.copy()
    log.append(plain("b"))
    fork = opened(old)
    for keys in ("x", "yz"):  # at the witness's size, then beyond it
        fork.append(plain(*keys))
        with pytest.raises(ForkError, match="does not see this log continue"):
            client(witness).cosign(fork.checkpoint, fork._history.tree.consistency)
    assert witness.known[KEY.name][1] == log._history.tree.root()


def test_a_proof_is_refused_by_the_witness_unless_it_is_the_rfc_s(witness):
    """The test witness is strict, or the tests above prove nothing."""
    log = opened(MemoryStore(), client(witness))
    log.append(plain(*"abcdefg"))
    tree = log._history.tree
    log.append(plain(*"hijk"))
    bad = [
        lambda old: [*tree.consistency(old), bytes(32)],
        lambda old: tree.consistency(old)[:-1],
        lambda old: [bytes(32)],
    ]
    grown = Checkpoint(KEY.name, 13, bytes(32)).sign(KEY)
    for prove in bad:
        with pytest.raises(ForkError):
            client(witness).cosign(grown, prove)
    with pytest.raises(ForkError):
        client(witness).cosign(Checkpoint(KEY.name, 12, bytes(32)).sign(KEY), tree.consistency)
    with pytest.raises(StoreError, match="does not know this log"):
        client(Witness({"other.example/log": [KEY.public_key]})).cosign(log.checkpoint, tree.consistency)


def changed(store, change):
    copy = store.copy()
    (name,) = list(copy.list("log/cosigned/"))[-1:]
    change(copy.objects, name)
    return copy


def flip_witness(objects, name):
    packed = bytearray(base64.b64decode(objects[name].decode().split(" ")[-1]))
    packed[20] ^= 1
    head = objects[name].decode().rpartition(" ")[0]
    objects[name] = f"{head} {base64.b64encode(packed).decode()}\n".encode()


CHANGES = {
    "witness line flipped": flip_witness,
    "no witness line": lambda o, n: o.__setitem__(n, b"\n".join(o[n].split(b"\n")[:5]) + b"\n"),
    "witness line twice": lambda o, n: o.__setitem__(n, o[n] + o[n].split(b"\n")[5] + b"\n"),
    "cut": lambda o, n: o.__setitem__(n, o[n][:-9]),
    "longer": lambda o, n: o.__setitem__(n, o[n] + b"\n"),
    "empty": lambda o, n: o.__setitem__(n, b""),
    "not text": lambda o, n: o.__setitem__(n, b"\xff" * 99),
    "large": lambda o, n: o.__setitem__(n, b"x" * 70_000),
    "another size": lambda o, n: o.__setitem__(n.replace("3-", "9-"), o.pop(n)),
    "of another checkpoint": lambda o, n: o.__setitem__(n, o[n.replace("3-", "2-")]),
    "another name": lambda o, n: o.__setitem__("log/cosigned/latest", o.pop(n)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_cosigned_checkpoint_fails_verify_and_is_named(witness, change):
    store = MemoryStore()
    log = opened(store, client(witness))
    log.append(plain("a"))
    log.append(plain("b"))
    bad = changed(store, CHANGES[change])
    failed = verify_store(bad, [KEY.vkey, witness.vkey]).failed
    assert failed
    assert {check.step for check in failed} == {"witness"}
    assert all(check.subject.startswith("log/cosigned/") for check in failed)


def test_removed_cosignatures_are_missed_when_the_witness_is_trusted(witness):
    store = MemoryStore()
    log = opened(store, client(witness))
    log.append(plain("a"))
    for name in list(store.list("log/cosigned/")):
        del store.objects[name]
    assert verify_store(store, [KEY.vkey]).ok
    (failed,) = verify_store(store, [KEY.vkey, witness.vkey]).failed
    assert "co-signed no checkpoint of this store" in failed.detail


def test_what_lies_beyond_the_last_cosignature_is_said(witness):
    store = MemoryStore()
    log = opened(store, client(witness))
    log.append(plain("a"))
    Log.open(store, signer=KEY, anchors=log._anchors).append(plain("b", "c"))
    assert verify_store(store, [KEY.vkey, witness.vkey]).ok
    last = steps(store, witness)[-1]
    assert last.ok is None
    assert last.detail.endswith("the 2 entries after it are not co-signed")


def test_a_cosigned_checkpoint_ahead_of_the_records_shows_a_rollback(witness):
    store = MemoryStore()
    log = opened(store, client(witness))
    log.append(plain("a"))
    old = store.copy()
    log.append(plain("b"))
    for name in store.list("log/cosigned/"):
        old.objects[name] = store.objects[name]
    failed = [check for check in verify_store(old, [KEY.vkey]).failed if check.step == "witness"]
    assert "went back in time" in failed[0].detail


def test_the_command_takes_the_witness_s_key_and_the_file_itself_as_a_kept_checkpoint(witness, tmp_path, capsys):
    store = LocalStore(tmp_path / "store")
    log = opened(store, client(witness))
    log.append(plain("a"))
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "log.vkey").write_text(KEY.vkey + "\n")
    (trust / "witness-1.vkey").write_text(witness.vkey + "\n")
    assert load_trust([trust]).roles == {"logs": ["log.vkey"], "co-signatures of witnesses": ["witness-1.vkey"]}
    kept = store.root / list(store.list("log/cosigned/"))[-1]
    assert verify_command.verify(str(store.root), [trust], kept, explain=True) == 0
    said = capsys.readouterr().out
    assert "trusted for co-signatures of witnesses: witness-1.vkey" in said
    assert "co-signed by witness.example/w1" in said
    assert "continues the kept checkpoint of size 2" in said


def workspace_of(tmp_path, witness, **log):
    (tmp_path / "witness.vkey").write_text(witness.vkey + "\n")
    text = {
        "entity": {"name": "x", "system": "y"},
        "log": {"witnesses": [{"url": witness.url, "key": "file:witness.vkey"}], **log},
    }
    return Workspace(Config.model_validate({**text, "workspace": tmp_path}), tmp_path)


def test_the_configuration_names_witnesses_by_address_and_key(witness, tmp_path, monkeypatch):
    (place,) = workspace_of(tmp_path, witness).destinations
    assert place.where == "witness witness.example/w1 (http://127.0.0.1/…)"
    monkeypatch.setenv("WITNESS", witness.url)
    text = {"witnesses": [{"url": "env:WITNESS", "key": "file:witness.vkey"}]}
    assert workspace_of(tmp_path, witness, **text).destinations[0].where == place.where
    workspace = workspace_of(tmp_path, witness)
    (tmp_path / "witness.vkey").write_text(KEY.vkey)
    with pytest.raises(ConfigError, match="no witness's key"):
        _ = workspace.destinations


def test_status_shows_who_has_which_checkpoint_and_who_failed(witness, tmp_path, capsys):
    store, notes = MemoryStore(), DeliveryNotes(tmp_path / ".evidence" / "deliveries.json")
    log = opened(store, client(witness), notes=notes)
    log.append(plain("a"))
    places = [client(witness)]
    status_command._show_places(deliveries(places, notes), log.size)
    witness.answer = lambda _: (503, "text/plain", "")
    log.append(plain("b"))
    log.append(plain("c"))
    status_command._show_places(deliveries(places, notes), log.size)
    status_command._show_places(deliveries(places, DeliveryNotes(tmp_path / "none")), log.size)
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("has size 2")
    assert "has size 2, 2 entries behind; NOT DELIVERED, 2 failures since" in said[1]
    assert "answered 503" in said[1]
    assert "has none yet, as far as this machine knows" in said[2]
    assert "secret-prefix" not in (tmp_path / ".evidence" / "deliveries.json").read_text()
    assert json.loads((tmp_path / ".evidence" / "deliveries.json").read_text())[0]["failed"] == 2


def test_damaged_notes_are_no_notes(tmp_path, witness):
    for body in (b"", b"[", b"[{}]", b"{}", b'[{"place": 1}]', b"\xff", b"[1]"):
        (tmp_path / "notes").write_bytes(body)
        assert deliveries([client(witness)], DeliveryNotes(tmp_path / "notes"))[0].delivered == 0


def test_nothing_that_is_logged_or_raised_shows_the_address(witness, caplog):
    caplog.set_level(logging.DEBUG)
    witness.answer = lambda _: (500, "text/plain", "secret-prefix")
    log = opened(MemoryStore(), client(witness))
    witness.stop()
    log.append(plain("a"))
    assert "secret-prefix" not in caplog.text + str(log.undelivered)
    with pytest.raises(StoreError) as caught:
        client(witness).cosign(log.checkpoint, log._history.tree.consistency)
    assert "secret-prefix" not in str(caught.value)


def test_a_line_by_another_key_of_that_name_is_not_kept(witness):
    impostor = Witness({KEY.name: [KEY.public_key]}, seed=b"i" * 32)
    store = MemoryStore()
    log = opened(store, HttpWitness(impostor.url, parse_cosigner(witness.vkey)))
    log.append(plain("a"))
    impostor.stop()
    assert list(store.list("log/cosigned/")) == []
    assert ["no co-signature of witness.example/w1" in reason for reason in log.undelivered.values()] == [True]
