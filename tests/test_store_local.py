"""The folder backend: the contract, and what is its own: links, modes, durability, temporaries."""

import errno
import os
import stat
from pathlib import Path

import pytest
from contracts.store import StoreContract

from evidence.errors import BusyError, StoreError, UsageError
from evidence.store.lease import Lease
from evidence.store.local import LocalStore


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
