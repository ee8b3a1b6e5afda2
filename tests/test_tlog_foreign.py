"""Vectors of other logs (``tests/vectors/tlog``): our code, the RFC's own definitions and ``openssl`` say the same."""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from evidence.errors import VerificationError
from evidence.signing.keys import NoteKey
from evidence.tlog.checkpoint import Checkpoint, parse_text
from evidence.tlog.merkle import Tree, leaf_hash, verify_consistency, verify_inclusion
from evidence.tlog.note import open_note, parse_note, parse_verifier

VECTORS = Path(__file__).parent / "vectors" / "tlog"
CT = json.loads((VECTORS / "ct.json").read_text())
NOTES = json.loads((VECTORS / "notes.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in CT["leaves"]]
ROOTS = [bytes.fromhex(root) for root in CT["roots"]]
DER = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of Ed25519 before its 32 bytes, RFC 8410


def split(n):
    return max(2**i for i in range(n.bit_length()) if 2**i < n)


def mth(entries):
    """RFC 6962 section 2.1."""
    if len(entries) < 2:
        return hashlib.sha256(b"\0" + entries[0] if entries else b"").digest()
    k = split(len(entries))
    return hashlib.sha256(b"\1" + mth(entries[:k]) + mth(entries[k:])).digest()


def audit_path(m, entries):
    """RFC 6962 section 2.1.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    return (
        [*audit_path(m, entries[:k]), mth(entries[k:])]
        if m < k
        else [*audit_path(m - k, entries[k:]), mth(entries[:k])]
    )


def subproof(m, entries, *, whole):
    """RFC 6962 section 2.1.2."""
    n = len(entries)
    if m == n:
        return [] if whole else [mth(entries)]
    k = split(n)
    if m <= k:
        return [*subproof(m, entries[:k], whole=whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], whole=False), mth(entries[:k])]


def tree(size):
    return Tree(leaf_hash(leaf) for leaf in LEAVES[:size])


def hashes(case):
    return [bytes.fromhex(item) for item in case["path"]]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_reference_tree(size):
    assert tree(size).root() == mth(LEAVES[:size]) == ROOTS[size]


@pytest.mark.parametrize("case", CT["inclusion"], ids=lambda case: f"{case['index']}-of-{case['size']}")
def test_the_inclusion_proofs_of_the_reference_tree(case):
    index, size, path = case["index"], case["size"], hashes(case)
    assert list(tree(8).inclusion(index, size)) == audit_path(index, LEAVES[:size]) == path
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, path, ROOTS[size])
    for wrong in ([*path, ROOTS[0]], [item[::-1] for item in path] or [ROOTS[1]], path[:-1] or [ROOTS[0]]):
        with pytest.raises(VerificationError):
            verify_inclusion(leaf_hash(LEAVES[index]), index, size, wrong, ROOTS[size])


@pytest.mark.parametrize("case", CT["consistency"], ids=lambda case: f"{case['old']}-to-{case['new']}")
def test_the_consistency_proofs_of_the_reference_tree(case):
    old, new, path = case["old"], case["new"], hashes(case)
    assert list(tree(8).consistency(old, new)) == subproof(old, LEAVES[:new], whole=True) == path
    verify_consistency(old, ROOTS[old], new, ROOTS[new], path)
    with pytest.raises(VerificationError):
        verify_consistency(old, ROOTS[old], new, ROOTS[new], [*path, ROOTS[0]])
    with pytest.raises(VerificationError):
        verify_consistency(old, ROOTS[old - 1], new, ROOTS[new], path)


@pytest.mark.parametrize("case", NOTES, ids=lambda case: case["name"])
def test_notes_of_other_logs_open_and_a_changed_one_does_not(case):
    verifier = parse_verifier(case["vkey"])
    assert verifier.to_text() == case["vkey"]
    note = open_note(case["note"], [verifier])
    assert note.to_text() == case["note"]
    with pytest.raises(VerificationError):
        open_note(case["note"].replace("e", "c", 1), [verifier])


def test_the_tree_head_of_the_go_checksum_database_is_a_checkpoint_to_us():
    text = parse_note(NOTES[1]["note"]).text
    origin, size, root, _ = text.split("\n")
    body = text.replace(origin, "go.sum-database-tree")  # our origins name keys: no blank
    assert parse_text(body) == Checkpoint("go.sum-database-tree", int(size), base64.b64decode(root))


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], capture_output=True, timeout=20, check=False)


@pytest.mark.parametrize("case", NOTES, ids=lambda case: case["name"])
def test_openssl_agrees_about_every_note(case, tmp_path):
    assert shutil.which("openssl"), "openssl is a system package of the project"
    text, _, lines = case["note"].rpartition("\n\n")
    name, key_id, packed = case["vkey"].split("+", 2)
    public, line = base64.b64decode(packed), base64.b64decode(lines.split(" ")[2])
    assert hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8] == key_id == line[:4].hex()
    (tmp_path / "key.der").write_bytes(DER + public[1:])
    (tmp_path / "signature").write_bytes(line[4:])
    for body, code in ((text + "\n", 0), (text + "!\n", 1)):
        (tmp_path / "text").write_text(body)
        found = openssl(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", tmp_path / "key.der",
            "-rawin", "-in", tmp_path / "text", "-sigfile", tmp_path / "signature",
        )  # fmt: skip
        assert found.returncode == code, found.stderr


def test_openssl_signs_what_we_sign(tmp_path):
    seed = bytes(range(32))
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302e020100300506032b657004220420") + seed)  # RFC 8410, PKCS#8
    text = parse_note(NOTES[2]["note"]).text
    (tmp_path / "text").write_text(text)
    found = openssl(
        "pkeyutl", "-sign", "-keyform", "DER", "-inkey", tmp_path / "key.der", "-rawin", "-in", tmp_path / "text"
    )
    assert found.stdout == NoteKey("acme.example/evidence", seed).sign(text.encode())
    assert parse_note(NOTES[2]["note"]).signatures[0].signature == found.stdout
