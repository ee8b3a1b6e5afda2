"""Whatever bytes a parser of ``verify`` is given, it returns or raises the declared error; nothing else, and soon."""

import contextlib
import functools
import io
import json
import os
import zipfile

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.packet_inputs import AT, SIGNED_AT, packet_key
from fakes.sealed_store import KEY, plain, seal_snapshots
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.bag.bag import BagWriter, manifest_bytes, parse_manifest
from evidence.bag.files import FolderFiles, ZipFiles, read, sha256_of
from evidence.bag.zip import equals_reencoding, write_zip
from evidence.errors import EvidenceError, MalformedError, StoreError
from evidence.signing.cades import sign_detached
from evidence.signing.cms import verify_detached, verify_pdf
from evidence.signing.der import check_der
from evidence.snapshot import canonical
from evidence.snapshot.check import Check, Verification
from evidence.snapshot.entry import Entry
from evidence.snapshot.manifest import Manifest
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.tlog.checkpoint import open_checkpoint, parse_unverified
from evidence.tlog.merkle import Tree, leaf_hash
from evidence.tlog.note import Verifier, parse_verifier
from evidence.tlog.proof import ConsistencyProof, InclusionProof, parse_consistency, parse_inclusion
from evidence.tlog.record import Record, parse_record_path
from evidence.tlog.tile import decode_bundle, decode_tile, encode_bundle, parse_index
from evidence.verify import verify_packet, verify_store

CONTENT = b"what was signed\n"
ODD = (b"-1", b"0", b"true", b"null", b"[]", b"{}", b'""', b"1e9", b"NaN", b"9" * 5000, b'"\\ud800"', b"[" * 3000,
       b"\xff", b"\0", b"\n\n", b"\x80", b"\x84\xff\xff\xff\xff", b"\x30\x80", b'"' + b"x" * 3000 + b'"')  # fmt: skip


@functools.cache
def signing():
    key, root = packet_key()
    return key, (root,), sign_detached(CONTENT, key, SIGNED_AT)


def small_pdf():
    """The bytes that matter of a certified PDF, signed."""
    head = b"%PDF-1.7\n5 0 obj\n<</Perms<</DocMDP 7 0 R>>>>\nendobj\n7 0 obj\n<</TransformMethod/DocMDP/P 1 /Contents"
    room, tail = 8192, b"/ByteRange[0 %04d %08d %04d]>>\nendobj\n%%%%EOF\n"
    tail %= len(head), len(head) + room + 2, len(tail % (0, 0, 0))
    sealed = sign_detached(head + tail, signing()[0], SIGNED_AT).hex().encode()
    return head + b"<" + sealed.ljust(room, b"0") + b">" + tail


@functools.cache
def vectors():
    """Parser name -> (parser of bytes, valid bytes)."""
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log.append(plain(*(f"k{n}" for n in range(256))))
    seal_snapshots(log, range(2))
    objects = log.store.objects
    entries = [b"entry %d" % n for n in range(256)]
    tree = Tree(map(leaf_hash, entries))
    manifest = next(body for name, body in objects.items() if name.endswith("_manifest.json"))
    record = objects["log/commit/000000000257"]
    _, root, sealed = signing()
    keys = [Verifier(KEY.name, KEY.public_key)]
    return {
        "canonical": (canonical.decode, manifest),
        "manifest": (Manifest.from_bytes, manifest),
        "entry": (Entry.from_bytes, json.loads(record)["entries"][0].encode()),
        "record": (Record.from_bytes, record),
        "bundle": (decode_bundle, encode_bundle(entries)),
        "tile": (decode_tile, bytes(8192)),
        "checkpoint": (text(lambda t: open_checkpoint(t, keys)), log.checkpoint.encode()),
        "unverified": (text(parse_unverified), log.checkpoint.encode()),
        "verifier": (text(parse_verifier), KEY.vkey.encode()),
        "inclusion": (text(parse_inclusion), InclusionProof(7, tree.inclusion(7), log.checkpoint).to_text().encode()),
        "consistency": (
            text(parse_consistency),
            ConsistencyProof(5, tree.consistency(5), log.checkpoint).to_text().encode(),
        ),
        "bag manifest": (lambda b: parse_manifest(b, "m"), manifest_bytes({f"data/{n}": "a" * 64 for n in range(9)})),
        "der": (lambda b: check_der(b, "d"), sealed),
        "cms": (lambda b: verify_detached(b, CONTENT, root, AT), sealed),
        "pdf": (lambda b: verify_pdf(b, root, AT), small_pdf()),
    }


def text(parse):
    def run(body):
        try:
            decoded = body.decode()
        except UnicodeDecodeError:
            return None  # callers decode first and say so
        return parse(decoded)

    return run


@st.composite
def mutated(draw, body):
    """Flip, cut, splice, repeat, overwrite with what parsers dislike; a few times over."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        end = min(len(body), at + draw(st.sampled_from([1, 2, 4, 16, 64, 400])))
        new = draw(st.one_of(st.sampled_from(ODD), st.binary(max_size=8)))
        how = draw(st.sampled_from(["flip", "cut", "drop", "insert", "put", "repeat"]))
        if how == "flip" and body:
            body = body[:at] + bytes([body[at] ^ 1 << draw(st.integers(0, 7))]) + body[at + 1 :]
        elif how == "cut":
            body = body[:at]
        elif how == "drop":
            body = body[:at] + body[end:]
        elif how == "repeat":
            body = body[:end] + body[at:end] * draw(st.integers(1, 50)) + body[end:]
        else:
            body = body[:at] + new + body[at if how == "insert" else end :]
    return body


NAMES = ("canonical", "manifest", "entry", "record", "bundle", "tile", "checkpoint", "unverified", "verifier", "inclusion",
         "consistency", "bag manifest", "der", "cms", "pdf")  # fmt: skip


def attack(name, examples):
    parse, valid = vectors()[name]

    @settings(
        max_examples=examples, deadline=3000, database=None, derandomize=examples < 1000,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutated(valid))
    def run(body):
        with contextlib.suppress(EvidenceError):
            parse(body)

    run()


@pytest.mark.parametrize("name", NAMES)
def test_the_vectors_are_valid(name):
    parse, valid = vectors()[name]
    parse(valid)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_declared_error(name):
    attack(name, 60)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_only_the_declared_error_deep(name):
    attack(name, 5000)


@functools.cache
def small_zip(folder):
    writer = BagWriter(folder / "P")
    for number in range(4):
        writer.add(f"f{number}", b"%d" % number * 50)
    writer.close({})
    out = io.BytesIO()
    write_zip(FolderFiles(writer.root), out, "P")
    return out.getvalue()


def attack_zip(folder, examples):
    path = folder / "x.zip"

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutated(small_zip(folder)))
    def run(body):
        path.write_bytes(body)
        try:
            with ZipFiles(path) as files:
                for name in files.names():
                    sha256_of(files, name)
                    read(files, name)
            equals_reencoding(path)
        except EvidenceError:
            pass

    run()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips(tmp_path):
    attack_zip(tmp_path, 100)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips_deep(tmp_path):
    attack_zip(tmp_path, 5000)


def test_values_beyond_every_bound():
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (
        deep,
        b"[" * 66 + b"]" * 66 + b"",
        b"9" * 5000,
        b'{"a":NaN}',
        b'"\\ud800"',
        b"[" + b"[]," * 4_200_000 + b"[]]",
    ):
        with pytest.raises(MalformedError):
            canonical.decode(body)
    with pytest.raises(MalformedError):
        parse_index("9" * 5000)
    with pytest.raises(MalformedError):
        parse_record_path("log/commit/" + "9" * 5000)
    with pytest.raises(MalformedError):
        check_der(b"\x04\x84\x7f\xff\xff\xff" + bytes(64), "d")
    with pytest.raises(MalformedError, match="over"):
        check_der(bytes(2 << 20), "d")


def test_a_pattern_inside_a_pdf_is_not_run():
    """The signature's object number becomes part of a pattern: only digits may."""
    _, valid = vectors()["pdf"]
    evil = valid.replace(b"\n7 0 obj", b"\n(a+)+$ (a|a)*b obj").replace(b"/DocMDP 7 0 R", b"/DocMDP " + b"a" * 60)
    with pytest.raises(EvidenceError):
        verify_pdf(evil, signing()[1], AT)


def test_members_that_share_bytes_are_refused(tmp_path):
    """Two directory lines for one member's bytes: together they are more than the zip holds."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("P/a"), b"x" * 9000)
        for name in "bcd":
            info = zipfile.ZipInfo(f"P/{name}")
            first = archive.filelist[0]
            info.file_size = info.compress_size = first.file_size
            info.CRC, info.header_offset, info.external_attr = first.CRC, 0, 0
            archive.filelist.append(info)
            archive._didModify = True
    with pytest.raises(MalformedError, match=r"cannot hold|cannot be read"):
        ZipFiles(path)


def test_pipes_devices_and_links_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(MalformedError):
            ZipFiles(path)
    assert not verify_packet(tmp_path / "pipe", certificates=[]).ok
    root = tmp_path / "store"
    (root / "log/commit").mkdir(parents=True)
    os.mkfifo(root / "log/commit/000000000000")
    os.mkfifo(root / "store.json")
    (root / "link").symlink_to("/dev/zero")
    found = verify_store(root, [KEY.vkey])
    assert {c.step for c in found.failed} >= {"trust", "log"}
    with pytest.raises(StoreError):
        LocalStore(root).get("link")


def test_deep_folders_are_refused(tmp_path):
    (tmp_path / "bag" / "/".join("d" * 40)).mkdir(parents=True)
    (tmp_path / "bag" / "/".join("d" * 40) / "f").write_bytes(b"")
    with pytest.raises(MalformedError, match="folders"):
        FolderFiles(tmp_path / "bag")
    assert not verify_store(tmp_path / "bag", [KEY.vkey]).ok


def test_a_huge_commit_record_is_not_read(tmp_path):
    log = Log.init(LocalStore(tmp_path / "s"), KEY, anchors=[MemoryAnchor()])
    log.append(plain("a"))
    target = tmp_path / "s/log/commit/000000000001"
    target.chmod(0o600)
    os.truncate(target, 1 << 40)  # sparse: a terabyte for nobody's memory
    found = verify_store(tmp_path / "s", [KEY.vkey])
    assert "over" in " ".join(c.detail for c in found.failed)


def test_what_is_printed_cannot_move_the_cursor():
    check = Check("open", ok=False, detail="x" * 5000, subject="\x1b[2Jall is well\udcff")
    _, _, detail, subject = check.row()
    assert subject == "\\x1b[2Jall is well\\udcff"
    assert len(detail) < 2100
    assert json.dumps(Verification("s", (check,)).to_json(), ensure_ascii=False).encode()
