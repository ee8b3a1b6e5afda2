"""Bags: written so that bagit-python and sha256sum agree, read so that nothing leads outside."""

import io
import os
import subprocess
import zipfile

import bagit
import pytest

from evidence.bag import check
from evidence.bag.bag import DECLARATION, SIGNATURE, BagWriter, manifest_bytes, parse_manifest
from evidence.bag.files import FolderFiles, ZipFiles, check_name, read
from evidence.bag.zip import equals_reencoding, write_zip
from evidence.errors import MalformedError

INFO = {"Source-Organization": "Acme", "Bagging-Date": "2026-10-06"}


@pytest.fixture
def bag(tmp_path):
    writer = BagWriter(tmp_path / "PKT-1")
    writer.add("findings.json", b"{}")
    writer.add("evidence/a/part-0000.parquet", b"\x00\x01" * 5000)
    writer.close(INFO)
    (writer.root / SIGNATURE).write_bytes(b"signature")
    return writer.root


def zipped(folder, path):
    with path.open("wb+") as out:
        write_zip(FolderFiles(folder), out, folder.name)
    return path


def faults(files):
    return [*check.closed_set(files), *check.tag_digests(files), *check.payload_digests(files, {})]


def test_bagit_python_and_sha256sum_agree(bag):
    bagit.Bag(str(bag)).validate()
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        done = subprocess.run(["sha256sum", "-c", manifest], cwd=bag, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (bag / "bagit.txt").read_bytes() == DECLARATION
    assert "Payload-Oxum: 10002.2\n" in (bag / "bag-info.txt").read_text()


def test_same_input_same_bytes_in_folder_and_zip(bag, tmp_path):
    first, second = zipped(bag, tmp_path / "a.zip"), zipped(bag, tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()
    assert equals_reencoding(first)
    with ZipFiles(first) as files:
        assert files.label == "PKT-1"
        assert files.names() == FolderFiles(bag).names()
        assert faults(files) == faults(FolderFiles(bag)) == []
        assert read(files, "data/findings.json") == b"{}"


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a//b", "a/../b", "a/./b", "a b", "a%20b", "é", "a\\b", "a/", "", "a\n"]
)
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(MalformedError):
        check_name(name)


def test_nothing_is_written_twice(tmp_path):
    writer = BagWriter(tmp_path / "b")
    writer.add("x", b"1")
    with pytest.raises(MalformedError, match="twice"):
        writer.add("x", b"1")


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("data/extra.txt", lambda p: p.write_text("x"), "not named in the manifest"),
        ("data/findings.json", lambda p: p.unlink(), "missing"),
        ("data/findings.json", lambda p: p.write_text("{} "), "SHA-256 is"),
        ("bag-info.txt", lambda p: p.write_text("Source-Organization: Other\n"), "SHA-256 is"),
        ("notes.txt", lambda p: p.write_text("x"), "not named in the manifest"),
        (SIGNATURE, lambda p: p.unlink(), "missing"),
    ],
)
def test_each_change_is_found_and_named(bag, name, change, fault):
    change(bag / name)
    assert any(where == name and fault in what for where, what in faults(FolderFiles(bag)))


def test_links_and_special_files_are_refused(bag):
    (bag / "data" / "link").symlink_to("/etc/hostname")
    with pytest.raises(MalformedError, match="data/link"):
        FolderFiles(bag)
    (bag / "data" / "link").unlink()
    os.mkfifo(bag / "data" / "pipe")
    with pytest.raises(MalformedError, match="data/pipe"):
        FolderFiles(bag)


def member(name, *, method=zipfile.ZIP_STORED, mode=0o100644, flags=0):
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr, info.flag_bits = method, mode << 16, flags
    return info


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([member("P/../x")], "not a name"),
        ([member("/P/x")], "not a name"),
        ([member("P/x"), member("Q/y")], "outside"),
        ([member("x")], "outside"),
        ([member("P/x", method=zipfile.ZIP_DEFLATED)], "compressed"),
        ([member("P/x", mode=0o120777)], "not a plain file"),
        ([], "empty"),
    ],
)
def test_zips_that_lead_elsewhere_or_blow_up_are_refused(tmp_path, members, fault):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for info in members:
            archive.writestr(info, b"x" * 10)
    with pytest.raises(MalformedError, match=fault):
        ZipFiles(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_in_a_zip_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("P/x", b"1")
        archive.writestr("P/x", b"2")
    with pytest.raises(MalformedError, match="twice"):
        ZipFiles(path)


def test_a_zip_that_says_the_same_otherwise_is_not_its_reencoding(bag, tmp_path):
    path = zipped(bag, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    assert not equals_reencoding(path)


def test_manifests_have_one_spelling():
    good = manifest_bytes({"data/b": "b" * 64, "data/a": "a" * 64})
    assert list(parse_manifest(good, "m")) == ["data/a", "data/b"]
    for bad in (good[:-1], good + good, good.replace(b"  ", b" *"), b"\xff" + good, good.upper()[:64] + good[64:-1]):
        with pytest.raises(MalformedError):
            parse_manifest(bad, "m")


def test_the_zip_writer_needs_no_clock():
    out = io.BytesIO()

    class Files:
        label = "x"

        def names(self):
            return ("a",)

        def size(self, _):
            return 1

        def open(self, _):
            return io.BytesIO(b"1")

    write_zip(Files(), out, "P")
    with zipfile.ZipFile(out) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
