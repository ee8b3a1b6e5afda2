"""The folder backend: the contract, and what is its own: links, modes, durability, temporaries."""

import errno
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from contracts.store import StoreContract
from fakes.memory_store import MemoryAnchor
from fakes.sealed_store import FIRST, KEY, plain, seal_snapshots

from evidence.cli.app import run
from evidence.errors import BusyError, MalformedError, StoreError, UsageError
from evidence.snapshot.model import SnapshotKey
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


# --- a disk that is really full, really not ours, really far away


def full_disk(tmp_path):
    """Run the test below on a tmpfs of 192 KiB, in a mount namespace of its own."""
    script = tmp_path / "full.py"
    script.write_text(FULL)
    mount = f"mount -t tmpfs -o size=192k none {tmp_path}/disk && exec {sys.executable} {script} {tmp_path}/disk"
    (tmp_path / "disk").mkdir()
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    )  # fmt: skip


ROOT = Path(__file__).parent.parent
FULL = """
import pathlib, sys
from evidence.errors import StoreError
from evidence.store.anchor import FileAnchor
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.verify import verify_store
from fakes.sealed_store import KEY, plain, seal_snapshots

disk = pathlib.Path(sys.argv[1])
filler = disk / "filler"
filler.write_bytes(b"x" * 40_000)
anchor = FileAnchor(disk.parent / "anchor")
log = Log.init(LocalStore(disk / "store"), KEY, anchors=[anchor])
sealed, number = [], 0
try:
    while True:
        seal_snapshots(log, [number])
        sealed.append(number)
        number += 1
except StoreError as exc:
    print(f"stopped after {len(sealed)}: {exc} | {exc.fix}")
result = verify_store(disk / "store", [KEY.vkey], checkpoint=anchor.load(KEY.name))
print("verified", result.ok, "halves", len(list(disk.rglob(".tmp-*"))))
again = Log.open(LocalStore(disk / "store"), signer=KEY, anchors=[anchor])
print("entries", again.size == len(sealed) + 1)
filler.unlink()
print("goes on", again.append(plain("next")) == [again.size - 1])
"""


def test_a_disk_that_is_full_stops_the_run_and_loses_nothing(tmp_path):
    done = full_disk(tmp_path)
    if done.returncode and "unshare" in done.stderr + done.stdout:
        pytest.skip("this machine lets nobody mount a small disk")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "No space left on device | free space" in lines[0]
    assert not lines[0].startswith("stopped after 0")
    assert lines[1:] == ["verified True halves 0", "entries True", "goes on True"]


@pytest.fixture
def other_user():
    """A folder of a user without rights to everything; root becomes nobody for the time, others stay who they are."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o700)
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_rights_that_are_lost_are_said_and_what_is_sealed_stays_readable(other_user):
    store = LocalStore(other_user / "store")
    anchor = MemoryAnchor()
    log = Log.init(store, KEY, anchors=[anchor])
    seal_snapshots(log, [0])
    folders = [path for path in (store.root, *store.root.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o500)
    again = LocalStore(store.root)
    assert again.writable is False
    opened = Log.open(again, signer=KEY, anchors=[anchor])
    with pytest.raises(StoreError, match="Permission denied") as caught:
        opened.append(plain("a"))
    assert "chown" in caught.value.fix
    assert [c for c in check_store(again, trust=KEY.vkey) if c.ok is False] == []
    part = next(store.root.rglob("part-0000.parquet"))
    part.chmod(0o000)
    failed = [c for c in check_store(again, trust=KEY.vkey) if c.ok is False]
    assert [Path(c.subject).name for c in failed] == ["part-0000.parquet"]
    assert "Permission denied" in failed[0].detail
    part.chmod(0o400)
    for folder in folders:
        folder.chmod(0o700)
    assert opened.append(plain("a")) == [2]


def test_exists_said_of_the_name_this_call_made_is_success(store, monkeypatch):
    """NFS: the answer was lost, the client asked again."""
    real = os.link

    def twice(source, target, **words):
        real(source, target, **words)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", twice)
    assert store.put_if_absent("a/b", b"x") is True
    monkeypatch.undo()
    assert store.put_if_absent("a/b", b"y") is False
    assert store.get("a/b") == b"x"
    assert LocalStore(store.root).writable


def test_exists_said_of_another_writer_s_file_is_not(store, monkeypatch):
    real = os.link

    def raced(source, target, **words):
        Path(target).write_bytes(b"theirs")
        real(source, target, **words)

    monkeypatch.setattr(os, "link", raced)
    assert store.put_if_absent("a/b", b"ours") is False
    assert store.get("a/b") == b"theirs"


@pytest.mark.parametrize("code", ["EBUSY", "ESTALE", "EPERM"])
def test_a_temporary_that_cannot_be_removed_costs_nothing(store, monkeypatch, code):
    def refuse(path, **_):
        raise OSError(getattr(errno, code), "no")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert store.put_if_absent("a/b", b"x") is True
    monkeypatch.undo()
    assert list(store.list("")) == ["a/b"]
    assert next(explanation for _, explanation in store.strays()).startswith("half-written")


@pytest.mark.parametrize("code", ["ESTALE", "EXDEV", "EIO", "ENOSPC"])
def test_a_rename_that_fails_leaves_the_log_whole_and_the_next_run_completes_it(store, monkeypatch, code):
    anchor = MemoryAnchor()
    log = Log.init(store, KEY, anchors=[anchor])

    def refuse(path, target):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match="cannot write") as caught:
        log.append(plain("a"))
    assert caught.value.fix
    monkeypatch.undo()
    assert [c for c in check_store(store, trust=KEY.vkey) if c.ok is False] == []
    again = Log.open(store, signer=KEY, anchors=[anchor])
    assert again.size == 2  # it was committed before the cached checkpoint was written
    again.append(plain("a"))
    assert store.get("log/checkpoint").decode() == again.checkpoint


@pytest.mark.parametrize(
    "name",
    ["-rf", "--help", " ", "a b", "é", "e\u0301", "\u202e", "new\nline", "tab\t", "'", '"', "*", "%41", "~", "a" * 200],
)
def test_the_command_line_takes_any_folder_name(tmp_path, monkeypatch, capsys, name):
    log = Log.init(LocalStore(tmp_path / name), KEY, anchors=[MemoryAnchor()])
    seal_snapshots(log, [0])
    (tmp_path / "log.vkey").write_text(KEY.vkey)
    monkeypatch.chdir(tmp_path)
    assert run(["verify", "--trust", "log.vkey", "--", name]) == 0
    assert "verified" in capsys.readouterr().out
    victim = next((tmp_path / name).rglob("part-0000.parquet"))
    victim.chmod(0o600)
    victim.write_bytes(b"?")
    assert run(["verify", "--trust", "log.vkey", "--", name]) == 10


@pytest.mark.parametrize(
    "path",
    ["a b", "é", "a\nb", "a\\b", "../a", "/a", "a//b", "a/./b", "a/../b", ".a", "a/.b", "", "a/", "\0", "a:b", "*"],
)
def test_no_object_has_a_name_that_a_system_may_take_otherwise(store, path):
    with pytest.raises(MalformedError):
        store.put_if_absent(path, b"x")
    with pytest.raises(MalformedError):
        store.get(path)
    assert not store.root.exists()


def test_an_object_may_begin_with_a_dash(store):
    assert store.put_if_absent("-rf/--help", b"x")
    assert list(store.list("")) == ["-rf/--help"]
    assert store.get("-rf/--help") == b"x"


def test_no_two_names_of_a_store_differ_in_case_alone():
    """By construction: what varies in a path is lower case, digits, or a ULID of fixed case."""
    for source, dataset in (("Prod", "snowflake.users"), ("prod", "snowflake.Users"), ("prod", "SNOWFLAKE.USERS")):
        with pytest.raises(MalformedError):
            SnapshotKey(source, dataset, FIRST)
    names = list(LocalStore(ROOT / "tests" / "vectors" / "v1" / "store").list(""))
    assert len({name.casefold() for name in names}) == len(names)
    assert [
        name for name in names if re.search(r"[A-Z]", re.sub(r"(snapshot=|-)[0-9A-Z]{26}|store\.json", "", name))
    ] == []


@pytest.fixture
def frozen(tmp_path):
    """``chattr +i``, where the machine and the file system have it; taken off again whatever happens."""

    def chattr(*arguments):
        return subprocess.run(["chattr", *map(str, arguments)], capture_output=True, timeout=10, check=False).returncode

    probe = tmp_path / "probe"
    probe.write_bytes(b"")
    if shutil.which("chattr") is None or chattr("+i", probe) != 0:
        pytest.skip("chattr +i needs root and a file system that has it")
    yield lambda *paths: chattr("-R", "+i", *paths)
    chattr("-R", "-i", tmp_path)


def test_what_is_made_immutable_stays_and_the_store_goes_on(store, frozen):
    """The page docs/runbooks/folder-store.md: snapshots and records that are sealed, never the folders that grow."""
    anchor = MemoryAnchor()
    log = Log.init(store, KEY, anchors=[anchor])
    seal_snapshots(log, [0])
    part = next(store.root.rglob("part-0000.parquet"))
    assert (
        frozen(*store.root.glob("data/*/*/*/snapshot=*"), *store.root.glob("log/commit/*"), store.root / "store.json")
        == 0
    )
    for action in (
        part.unlink,
        lambda: part.chmod(0o600),
        lambda: part.rename(part.with_name("x")),
        lambda: part.open("ab"),
    ):
        with pytest.raises(PermissionError):
            action()
    seal_snapshots(log, [1])
    assert [c for c in check_store(store, trust=KEY.vkey) if c.ok is False] == []
    assert Log.open(store, signer=KEY, anchors=[anchor]).size == 3


def test_of_a_file_of_another_size_nothing_is_read(store, monkeypatch):
    store.put_if_absent("a/b", b"0123456789")
    digest = hashlib.sha256(b"0123456789").hexdigest()
    assert store.digest("a/b", 10) == (digest, 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", None)
        assert store.digest("a/b", 9) == ("", 10)
        assert store.digest("a/b", 1 << 40) == ("", 10)
    store.put_if_absent("a/empty", b"")
    assert store.digest("a/empty", 0) == (hashlib.sha256(b"").hexdigest(), 0)


def test_a_file_that_grows_while_it_is_read_is_not_read_for_ever(store, monkeypatch):
    store.put_if_absent("a/b", b"0123456789")
    monkeypatch.setattr(os, "read", lambda handle, size: b"x" * size)  # as much as is asked for, without end
    digest, size = store.digest("a/b", 10)
    assert size == 11
    assert digest != hashlib.sha256(b"0123456789").hexdigest()


def test_strays_are_found_however_deep_and_in_order(store, tmp_path):
    store.put_if_absent("a/b", b"x")
    deep = store.root.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    (deep / "link").symlink_to(tmp_path)
    (deep / "pipe.B").touch()
    os.mkfifo(store.root / "a" / "pipe")
    (store.root / "a" / ".x").touch()
    (store.root / "a" / "to").symlink_to(store.root)
    inside = "/".join(["d"] * 40)
    assert [path for path, _ in store.strays()] == ["a/.x", "a/pipe", "a/to", f"{inside}/link"]
