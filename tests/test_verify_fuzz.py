"""Whatever bytes a parser of ``verify`` is given, it returns or raises the declared error; nothing else, and soon."""

import contextlib
import json
import os
import zipfile

import pytest
from fakes.memory_store import MemoryAnchor
from fakes.sealed_store import KEY, plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.bag.files import FolderFiles, ZipFiles
from evidence.errors import EvidenceError, MalformedError, StoreError
from evidence.signing.certificate import load_certificates
from evidence.signing.cms import verify_pdf
from evidence.signing.der import check_der
from evidence.snapshot import canonical
from evidence.snapshot.check import Check, Verification
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.tlog.record import parse_record_path
from evidence.tlog.tile import parse_index
from evidence.verify import verify_packet, verify_store
from tests.fuzz import vectors
from tests.fuzz.parsers import AT, NAMES, parsers

ODD = (b"-1", b"0", b"true", b"null", b"[]", b"{}", b'""', b"1e9", b"NaN", b"9" * 5000, b'"\\ud800"', b"[" * 3000,
       b"\xff", b"\0", b"\n\n", b"\x80", b"\x84\xff\xff\xff\xff", b"\x30\x80", b'"' + b"x" * 3000 + b'"')  # fmt: skip


@pytest.fixture(scope="module")
def parse(tmp_path_factory):
    """Name -> parser; what they judge by lies in a folder."""
    folder = tmp_path_factory.mktemp("trust")
    vectors.write(folder)
    return parsers(folder)


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


def attack(parse, name, examples):
    valid = vectors.made()[0][name]

    @settings(
        max_examples=examples, deadline=3000, database=None, derandomize=examples < 1000,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutated(valid))
    def run(body):
        with contextlib.suppress(EvidenceError):
            parse[name](body)

    run()


def test_every_parser_is_attacked(parse):
    assert set(NAMES) == set(parse) == set(vectors.made()[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_vectors_are_valid(parse, name):
    parse[name](vectors.made()[0][name])


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", NAMES)
def test_only_the_declared_error(parse, name):
    attack(parse, name, 60)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", NAMES)
def test_only_the_declared_error_deep(parse, name):
    attack(parse, name, 5000)


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
    valid = vectors.made()[0]["pdf"]
    evil = valid.replace(b"\n7 0 obj", b"\n(a+)+$ (a|a)*b obj").replace(b"/DocMDP 7 0 R", b"/DocMDP " + b"a" * 60)
    with pytest.raises(EvidenceError):
        verify_pdf(evil, load_certificates(vectors.made()[1]["root.pem"]), AT)


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
