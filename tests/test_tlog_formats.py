"""Notes, checkpoints, tiles, records and proof files: published vectors, round trips, and one fault at a time."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import MalformedError, VerificationError
from evidence.signing.keys import NoteKey, load_note_key
from evidence.snapshot import canonical
from evidence.tlog import checkpoint, merkle, note, proof, tile
from evidence.tlog.record import Record, parse_record_path, record_path

# The example of the documentation of golang.org/x/mod/sumdb/note.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n— PeterNeumann {SIGNATURE}\n"
KEY = NoteKey("acme.example/log", bytes(range(32)))
OTHER = NoteKey("acme.example/log", bytes(32))
VERIFIER = note.Verifier(KEY.name, KEY.public_key)


def signed(size=1, root=bytes(32), key=KEY):
    return checkpoint.Checkpoint(KEY.name, size, root).sign(key)


def test_published_note_is_what_we_read_and_write():
    verifier = note.parse_verifier(VKEY)
    assert note.open_note(NOTE, [verifier]).text == TEXT
    key = load_note_key("env:KEY", lambda ref: SKEY.encode())
    assert (key.vkey, key.to_text()) == (VKEY, SKEY)
    assert note.sign_note(TEXT, key) == NOTE


def test_keys_and_verifiers_spell_the_same_key_alike():
    assert VERIFIER.to_text() == KEY.vkey
    assert VERIFIER.key_id == KEY.key_id
    assert note.parse_verifier(KEY.vkey) == VERIFIER


def test_unknown_signatures_are_ignored_but_a_known_one_must_hold():
    extra = note.parse_note(note.sign_note(TEXT, KEY)).signatures
    both = note.Note(TEXT, (*note.parse_note(NOTE).signatures, *extra))
    assert note.open_note(both.to_text(), [VERIFIER]) == both
    with pytest.raises(VerificationError, match="no signature"):
        note.open_note(NOTE, [VERIFIER])
    with pytest.raises(VerificationError, match="is wrong"):
        note.open_note(NOTE.replace("think", "thank"), [note.parse_verifier(VKEY)])
    broken = note.Signature(KEY.name, KEY.key_id, b"\0" * 64)
    with pytest.raises(VerificationError, match="is wrong"):  # the good one beside it does not help
        note.open_note(note.Note(TEXT, (*extra, broken)).to_text(), [VERIFIER])


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT,
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("— ", "- "),
        NOTE.replace("PeterNeumann ", "Peter+Neumann "),
        NOTE.replace("PeterNeumann ", "Peter Neumann "),
        NOTE.replace(SIGNATURE, SIGNATURE[:-1]),
        NOTE.replace(SIGNATURE, SIGNATURE[:20] + "\r" + SIGNATURE[20:]),
        NOTE.replace(SIGNATURE, "AAAAAA=="),
        NOTE.replace(SIGNATURE, SIGNATURE.replace("AM=", "AN=")),  # same bytes, other trailing bits
        NOTE.replace("think", "thi\tnk"),
        NOTE + NOTE.splitlines(keepends=True)[-1] * 16,
    ],
)
def test_a_note_spelled_otherwise_is_refused(text):
    with pytest.raises(MalformedError):
        note.parse_note(text)


@pytest.mark.parametrize(
    "text",
    ["", "a+b", VKEY + "\n", VKEY.upper(), VKEY.replace("c74f20a3", "c74f20a4"), VKEY.replace("+AR", "+BR"), VKEY[:-4]],
)
def test_a_verifier_key_spelled_otherwise_is_refused(text):
    with pytest.raises(MalformedError):
        note.parse_verifier(text)


@given(st.integers(0, 10**15), st.binary(min_size=32, max_size=32))
def test_checkpoints_round_trip(size, root):
    value = checkpoint.Checkpoint(KEY.name, size, root)
    assert checkpoint.parse_text(value.to_text()) == value
    assert checkpoint.open_checkpoint(value.sign(KEY), [VERIFIER]) == value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n1\n", "\n01\n"),
        ("\n1\n", "\n+1\n"),
        ("\n1\n", "\n-1\n"),
        ("\n1\n", "\n1_0\n"),
        ("\n1\n", "\n\u0661\n"),
        ("=\n", "=\nextension\n"),
        ("AAA=\n", "AAB=\n"),
        ("AAAA\n", "AAA\n"),
        ("acme", "ac me"),
    ],
)
def test_a_checkpoint_spelled_otherwise_is_refused_even_when_signed(old, new):
    text = checkpoint.Checkpoint(KEY.name, 1, bytes(32)).to_text()
    changed = text.replace(old, new, 1) if old in text else text.removesuffix("AAA=\n") + "AA=\n"
    assert changed != text
    with pytest.raises(MalformedError):
        checkpoint.open_checkpoint(note.sign_note(changed, KEY), [VERIFIER])


def test_a_checkpoint_of_another_log_or_key_is_refused():
    with pytest.raises(VerificationError, match="no signature"):
        checkpoint.open_checkpoint(signed(key=OTHER), [VERIFIER])
    foreign = note.sign_note(checkpoint.Checkpoint("other.example/log", 1, bytes(32)).to_text(), KEY)
    with pytest.raises(VerificationError, match="another log"):
        checkpoint.open_checkpoint(foreign, [VERIFIER])
    with pytest.raises(VerificationError, match="does not sign"):
        checkpoint.Checkpoint("other.example/log", 1, bytes(32)).sign(KEY)


@pytest.mark.parametrize(
    ("index", "path"), [(0, "000"), (7, "007"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")]
)
def test_tile_paths_are_those_of_tlog_tiles(index, path):
    assert tile.tile_path(0, index) == f"log/tile/0/{path}"
    assert tile.bundle_path(index) == f"log/entries/{path}"
    assert tile.parse_index(path) == index


@pytest.mark.parametrize("path", ["", "1", "x000/001", "x001/x000", "001/002", "-01", "000.p/5"])
def test_a_tile_path_spelled_otherwise_is_refused(path):
    with pytest.raises(MalformedError):
        tile.parse_index(path)


def test_tiles_hold_the_hashes_of_full_subtrees():
    entries = [b"%d" % i for i in range(70_000)]
    tree = merkle.Tree(merkle.leaf_hash(entry) for entry in entries)
    done = [t for bundle in range(70_000 // 256) for t in tile.completed_by(bundle)]
    assert len([t for t in done if t[0] == 0]) == 273  # tlog-tiles' own example: 273 full level 0, one full level 1
    assert [t for t in done if t[0]] == [(1, 0)]
    assert tile.decode_tile(tile.encode_tile(tree, 0, 272))[255] == merkle.leaf_hash(b"%d" % (273 * 256 - 1))
    upper = tile.decode_tile(tile.encode_tile(tree, 1, 0))
    assert upper[3] == merkle.Tree(tile.decode_tile(tile.encode_tile(tree, 0, 3))).root()
    assert merkle.Tree(upper).root() == tree.root(65_536)


def test_bundles_round_trip_and_refuse_the_rest():
    entries = tuple(b"x" * (i * 257 % 65_536) for i in range(256))
    body = tile.encode_bundle(entries)
    assert tile.decode_bundle(body) == entries
    for wrong in (body[:-1], body + b"\0", body + b"\0\0", b"", tile.encode_bundle(entries)[2:]):
        with pytest.raises(MalformedError):
            tile.decode_bundle(wrong)
    with pytest.raises(MalformedError):
        tile.encode_bundle(entries[:255])
    with pytest.raises(MalformedError):
        tile.encode_bundle((*entries[:255], b"x" * 65_536))
    with pytest.raises(MalformedError):
        tile.decode_tile(bytes(8191))


@given(
    st.integers(0, 10**12 - 1),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5),
)
def test_records_round_trip_in_canonical_json(before, texts):
    record = Record(before, tuple(text.encode() for text in texts), signed())
    body = record.to_bytes()
    assert Record.from_bytes(body) == record
    assert canonical.encode(json.loads(body)) == body
    assert parse_record_path(record_path(before)) == before


def test_a_record_spelled_otherwise_is_refused():
    good = Record(1, (b'{"a":1}',), signed(2))
    value, body = json.loads(good.to_bytes()), good.to_bytes()
    assert good.open_checkpoint([VERIFIER]).size == 2
    wrong = [
        body + b"\n",
        b" " + body,
        json.dumps(value).encode(),
        b"[" * 100_000,
        b"\xff",
        *(
            canonical.encode({**value, **change})
            for change in (
                {"before": True},
                {"before": -1},
                {"before": "1"},
                {"entries": []},
                {"entries": [""]},
                {"entries": ["x" * 65_536]},
                {"entries": ["x"] * 257},
                {"entries": "x"},
                {"entries": [1]},
                {"checkpoint": None},
                {"format": "evidence-commit-v2"},
                {"more": 1},
            )
        ),
        body.replace(b'"before":1,', b'"before":0,"before":1,'),
    ]
    for item in wrong:
        with pytest.raises(MalformedError, match="log/commit/x"):
            Record.from_bytes(item, "log/commit/x")
    with pytest.raises(VerificationError, match="signed for size 3"):
        Record(1, (b"{}",), signed(3)).open_checkpoint([VERIFIER])


@pytest.mark.parametrize("path", ["log/commit/1", "log/commit/00000000000a", "log/commit/", "log/commit/0000000000001"])
def test_a_record_name_spelled_otherwise_is_refused(path):
    with pytest.raises(MalformedError):
        parse_record_path(path)


def build_tree(n):
    entries = [b"entry %d" % i for i in range(n)]
    tree = merkle.Tree(merkle.leaf_hash(entry) for entry in entries)
    return entries, tree, signed(n, tree.root())


def test_proof_files_round_trip_and_prove():
    entries, tree, head = build_tree(11)
    inclusion = proof.InclusionProof(10, tree.inclusion(10), head)
    assert inclusion.to_text().startswith("c2sp.org/tlog-proof@v1\nindex 10\n")
    assert proof.parse_inclusion(inclusion.to_text()) == inclusion
    assert inclusion.verify(entries[10], [VERIFIER]).size == 11
    with pytest.raises(VerificationError):
        inclusion.verify(entries[9], [VERIFIER])
    with pytest.raises(VerificationError):
        inclusion.verify(entries[10], [note.Verifier(OTHER.name, OTHER.public_key)])
    older = signed(6, tree.root(6))
    consistency = proof.ConsistencyProof(6, tree.consistency(6), head)
    assert proof.parse_consistency(consistency.to_text()) == consistency
    assert consistency.verify(older, [VERIFIER]).size == 11
    with pytest.raises(VerificationError):
        consistency.verify(signed(6, tree.root(5)), [VERIFIER])
    with pytest.raises(MalformedError):
        consistency.verify(signed(5, tree.root(5)), [VERIFIER])


def test_a_proof_in_a_log_of_one_has_no_hashes():
    entries, tree, head = build_tree(1)
    only = proof.InclusionProof(0, tree.inclusion(0), head)
    assert only.to_text() == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{head}"
    assert proof.parse_inclusion(only.to_text()).verify(entries[0], [VERIFIER]).size == 1


def test_a_proof_file_spelled_otherwise_is_refused():
    _, tree, head = build_tree(5)
    text = proof.InclusionProof(1, tree.inclusion(1), head).to_text()
    first = base64.b64encode(tree.inclusion(1)[0]).decode()
    for old, new in [
        ("@v1", "@v2"),
        ("index 1", "index 01"),
        ("index 1", "extra AAAA\nindex 1"),
        (first, first[:-4]),
        (first + "\n", first + "\n\n"),
        (first, first + " "),
        ("\n\n", "\n"),
        (first + "\n", (first + "\n") * 129),
    ]:
        with pytest.raises(MalformedError):
            proof.parse_inclusion(text.replace(old, new, 1))
