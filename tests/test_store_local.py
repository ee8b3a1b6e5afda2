"""The folder backend: the contract, and what is its own: links, modes, durability, temporaries."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from contracts.store import StoreContract
from fakes.memory_store import MemoryAnchor
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.errors import BusyError, StoreError, UsageError
from evidence.store.check import check_store
from evidence.store.lease import Lease
from evidence.store.local import LocalStore
from evidence.store.log import Log


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "new" / "store")


class TestLocalStore(StoreContract):
    pass


def test_opening_and_reading_touch_nothing(store):
    assert list(store.list("")) == []
    assert store.head("a") is None
    assert not store.root.exists()


def test_objects_are_read_only_and_folders_private(store):
    store.put_if_absent("a/b", b"x")
    assert stat.S_IMODE((store.root / "a/b").stat().st_mode) == 0o400
    assert stat.S_IMODE((store.root / "a").stat().st_mode) == 0o700
    assert (store.root / "a/b").stat().st_nlink == 1


def test_the_probe_leaves_nothing_behind(store):
    assert store.writable
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_is_refused(store, monkeypatch, code):
    def no_link(*_, **__):
        raise OSError(code, "no links here")

    monkeypatch.setattr(os, "link", no_link)
    with pytest.raises(StoreError, match="no hard links") as caught:
        store.put_if_absent("a", b"x")
    assert "ext4" in caught.value.fix
    with pytest.raises(StoreError, match="no hard links"):
        _ = store.writable
    assert list(store.list("")) == []


def test_a_folder_that_cannot_be_written_is_not_writable(store, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    assert store.writable is False


def test_a_put_syncs_file_folder_and_new_parents(store, monkeypatch):
    synced, real = [], os.fsync

    def record(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()).removeprefix(str(store.root.parent)))
        real(handle)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to name what is synced")
    monkeypatch.setattr(os, "fsync", record)
    store.put_if_absent("a/b/c", b"x")
    assert synced[:3] == ["", "/store", "/store/a"]  # each new folder's parent
    assert synced[3].startswith("/store/a/b/.tmp-")  # the file, before it has its name
    assert synced[4:] == ["/store/a/b"]  # its name
    synced.clear()
    store.put_if_absent("a/b/c", b"x")
    assert synced == ["/store/a/b"]  # the winner may not have come so far


def test_leftover_temporaries_are_not_listed_and_are_removed_under_the_lease(store, tmp_path):
    for name in ("log/commit/000000000000", "data/x/part", "data/y/part"):
        store.put_if_absent(name, b"x")
    (store.root / "data/x/.tmp-1-ff").write_bytes(b"half")
    assert list(store.list("data/")) == ["data/x/part", "data/y/part"]
    lease = Lease(tmp_path / "lease")
    with pytest.raises(UsageError, match="lease"):
        store.remove_orphans(lease, lambda: {"data/x/part"})
    with lease:
        with pytest.raises(UsageError, match="nothing is referenced"):
            store.remove_orphans(lease, set)
        assert store.remove_orphans(lease, lambda: {"data/x/part"}) == ("data/y/part", "data/x/.tmp-1-ff")
    assert list(store.list("")) == ["data/x/part", "log/commit/000000000000"]
    assert not (store.root / "data/x/.tmp-1-ff").exists()


def test_a_link_out_of_the_store_is_not_followed(store, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    store.put_if_absent("a/b", b"x")
    (store.root / "a/link").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError, match="is a link or a special file"):
        store.get("a/link")


def test_one_lease_at_a_time(tmp_path):
    first, second = Lease(tmp_path / "run" / "lease"), Lease(tmp_path / "run" / "lease")
    with first:
        assert first.held
        with pytest.raises(BusyError, match=f"process {os.getpid()}"), second:
            pass
        assert not second.held
    with second:
        assert second.held
    assert not second.held


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO"])
@pytest.mark.parametrize("call", ["fsync", "link", "open"])
def test_a_disk_that_fails_is_named_with_its_fix_and_leaves_nothing(store, monkeypatch, call, code):
    store.put_if_absent("a/b", b"x")
    real, number = getattr(os, call), getattr(errno, code)

    def fail(path, *rest, **words):
        if call == "open" and (not rest or not rest[0] & os.O_CREAT):
            return real(path, *rest, **words)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StoreError, match="cannot write") as caught:
        store.put_if_absent("a/c", b"y")
    assert os.strerror(number) in str(caught.value)
    assert caught.value.fix
    monkeypatch.undo()
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == ["b"]
    assert store.put_if_absent("a/c", b"y")


def test_what_may_not_be_read_is_an_error_with_its_fix_also_to_verify(store, monkeypatch):
    log = Log.init(store, KEY, anchors=[MemoryAnchor()])
    real, path = os.open, "log/commit/000000000000"

    def refuse(name, *rest, **words):
        if str(name).endswith(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, *rest, **words)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match="cannot read") as caught:
        store.get(path)
    assert "chown" in caught.value.fix
    failed = [check for check in check_store(store, trust=KEY.vkey) if check.ok is False]
    assert path in {check.subject for check in failed}
    assert log.size == 1


def test_two_names_that_differ_in_case_alone_are_refused_where_they_are_one(store, monkeypatch):
    store.put_if_absent("data/prod/x", b"1")
    assert store.put_if_absent("data/Prod/x", b"2")  # two names here
    again, real = LocalStore(store.root), Path.iterdir
    monkeypatch.setattr(
        Path, "iterdir", lambda path: (item.with_name(item.name.lower()) for item in real(path))
    )  # APFS
    with pytest.raises(StoreError, match="differs in case") as caught:
        again.put_if_absent("data/Prod/y", b"3")
    assert "case-sensitive" in caught.value.fix
    assert not again.put_if_absent("data/prod/x", b"4")


def test_a_store_under_a_path_with_odd_characters(tmp_path):
    folder = tmp_path / "é ü%20#?\n'\"*"
    log = Log.init(LocalStore(folder), KEY, anchors=[MemoryAnchor()])
    seal_snapshots(log, [0])
    assert [c for c in check_store(LocalStore(folder), trust=KEY.vkey) if c.ok is False] == []


def test_everything_that_is_no_evidence_is_explained(store, tmp_path):
    log = Log.init(store, KEY, anchors=[MemoryAnchor()])
    seal_snapshots(log, [0])
    log.append(plain("a"))
    (store.root / "data/.tmp-1-ff").write_bytes(b"half")
    (store.root / "data/with blank").write_bytes(b"x")
    (store.root / "data/link").symlink_to(tmp_path)
    os.mkfifo(store.root / "data/pipe")
    for path in ("data/orphan", "probe/1", "log/stranger", "README"):
        store.put_if_absent(path, b"x")
    before = sorted(store.root.rglob("*"))
    found = {c.subject: c.detail for c in check_store(store, trust=KEY.vkey) if c.step == "orphans"}
    words = {
        "data/.tmp-1-ff": "half-written", "data/with blank": "no name a store writes", "data/link": "symbolic link",
        "data/pipe": "neither file nor folder", "data/orphan": "named by no entry", "probe/1": "probe",
        "log/stranger": "no name this version writes", "README": "no name this version writes",
    }  # fmt: skip
    assert found.keys() == words.keys()
    assert all(word in found[path] and "afe to" in found[path] for path, word in words.items())
    assert [c for c in check_store(store, trust=KEY.vkey) if c.ok is False] == []
    assert sorted(store.root.rglob("*")) == before


def test_a_file_that_the_kernel_cuts_short_never_gets_its_name(tmp_path):
    """A real short write: the process may write no file over 64 KiB (setrlimit), as on a disk that fills up under it."""
    script = (
        "import resource, sys, pathlib\n"
        "from evidence.errors import StoreError\n"
        "from evidence.store.local import LocalStore\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "store = LocalStore(pathlib.Path(sys.argv[1]))\n"
        "assert store.put_if_absent('data/small', b'x' * 65536)\n"
        "try:\n"
        "    store.put_if_absent('data/large', b'x' * 200000)\n"
        "except StoreError as exc:\n"
        "    print(exc)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "s"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "cannot write" in found.stdout
    assert "File too large" in found.stdout
    assert [path.name for path in (tmp_path / "s").rglob("*") if path.is_file()] == ["small"]
