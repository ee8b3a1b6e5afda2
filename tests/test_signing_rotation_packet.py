"""Packets made after the log changed its key: verified with the old key, the new one, and refused with a stranger's."""

import shutil
from dataclasses import replace

import pytest

from evidence.bag.rotations import Handover, keys_of
from evidence.errors import VerificationError
from evidence.signing.certificate import certificate_pem
from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry
from evidence.tlog.checkpoint import Checkpoint
from evidence.tlog.merkle import Tree, leaf_hash
from evidence.tlog.note import Verifier
from evidence.tlog.proof import ConsistencyProof, InclusionProof
from evidence.tlog.rotation import rotation_body
from evidence.verify import verify_packet
from tests.fakes.packet_inputs import AT, blank_packet, build_inputs, packet_key

ORIGIN = "acme.example/evidence/demo"
OLD, NEW, OTHER = (NoteKey(ORIGIN, bytes([n]) * 32) for n in (7, 8, 9))


def verifier(key):
    return Verifier(key.name, key.public_key)


def rotated(inputs, *, signers=(OLD, NEW)):
    """Return ``inputs`` under a log whose key changed after all that is exhibited, and the rotation."""
    bodies = {exhibit.index: exhibit.entry for exhibit in inputs.exhibits}
    bodies[0] = Entry("store", ORIGIN, None, {"format": "evidence-store-v1"}).to_bytes()
    rotation = Entry("rotation", NEW.vkey, None, rotation_body(verifier(OLD))).to_bytes()
    entries = [bodies[index] for index in sorted(bodies)]
    assert sorted(bodies) == list(range(len(bodies)))
    tree, at = Tree(), len(entries)
    for body in [*entries, rotation, Entry("coverage", "later").to_bytes()]:
        tree.append(leaf_hash(body))

    def signed(size, *keys):
        return Checkpoint(ORIGIN, size, tree.root(size)).sign(*keys)

    turn, tip = signed(at + 1, *signers), signed(at + 2, NEW)
    handover = Handover(
        rotation,
        InclusionProof(at, tree.inclusion(at, at + 1), turn).to_text(),
        ConsistencyProof(at + 1, tree.consistency(at + 1), tip).to_text(),
    )
    exhibits = [
        replace(e, proof=InclusionProof(e.index, tree.inclusion(e.index), tip).to_text()) for e in inputs.exhibits
    ]
    previous = (signed(1, OLD), ConsistencyProof(1, tree.consistency(1), tip).to_text())
    words = {"log_key": verifier(NEW), "checkpoint": tip, "previous": previous, "rotations": [handover]}
    return replace(inputs, exhibits=exhibits, **words)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    inputs = rotated(build_inputs(tmp_path_factory.mktemp("parts"), count=1))
    key, root = packet_key()
    return blank_packet(inputs, key, tmp_path_factory.mktemp("out")), root, inputs


def logs(made, *keys, folder=None):
    packet, root, _ = made
    found = verify_packet(
        folder or packet.folder, certificates=[certificate_pem(root)], vkeys=[key.vkey for key in keys], at=AT
    )
    return found, [(c.ok, c.detail) for c in found.checks if c.step in {"log", "exhibits"}]


@pytest.mark.parametrize("keys", [[OLD], [NEW], [OLD, NEW], [OTHER, OLD]])
def test_either_key_verifies_the_packet(made, keys):
    found, said = logs(made, *keys)
    assert found.ok, found.failed
    assert (True, "continues the previous packet's log of size 1") in said
    if keys == [OLD]:
        assert any(f"given key {OLD.vkey}" in detail and "handed over" in detail for _, detail in said)


def test_a_strangers_key_does_not(made):
    found, said = logs(made, OTHER)
    assert not found.ok
    assert any("was not given" in detail for ok, detail in said if ok is False)


@pytest.mark.parametrize("name", ["entry.json", "tlog-proof", "consistency"])
def test_altered_rotation_files_are_found(made, tmp_path, name):
    folder = shutil.copytree(made[0].folder, tmp_path / "p")
    (file,) = folder.glob(f"data/log/rotation/*/{name}")
    body = file.read_bytes()
    for wrong in (b"", body[:-1], body + b"\n", body.replace(b"o", b"p", 1)):
        file.write_bytes(wrong)
        found, _ = logs(made, OLD, folder=folder)
        assert {"digests", "log"} <= {c.step for c in found.failed}
    file.unlink()
    assert "log" in {c.step for c in logs(made, OLD, folder=folder)[0].failed}


def test_a_packet_without_its_rotations_is_not_trusted_with_the_old_key(made, tmp_path):
    folder = shutil.copytree(made[0].folder, tmp_path / "p")
    shutil.rmtree(folder / "data/log/rotation")
    assert "log" in {c.step for c in logs(made, OLD, folder=folder)[0].failed}


@pytest.mark.parametrize("signers", [(OLD,), (NEW,), (OTHER, NEW), (OLD, OTHER)])
def test_a_handover_that_both_did_not_sign_is_refused(made, signers):
    inputs = rotated(made[2], signers=signers)
    with pytest.raises(VerificationError):
        keys_of(inputs.rotations, inputs.log_key, inputs.checkpoint)


def test_rotations_that_lead_elsewhere_are_refused(made):
    inputs = made[2]
    with pytest.raises(VerificationError, match="lead to"):
        keys_of(inputs.rotations, verifier(OTHER), inputs.checkpoint)
    again = [*inputs.rotations, *inputs.rotations]
    with pytest.raises(VerificationError):
        keys_of(again, inputs.log_key, inputs.checkpoint)
    one = inputs.rotations[0]
    for wrong in (replace(one, consistency=inputs.previous[1]), replace(one, entry=Entry("coverage", "x").to_bytes())):
        with pytest.raises(Exception, match=r"proof|rotation"):
            keys_of([wrong], inputs.log_key, inputs.checkpoint)
