"""The ``file://`` backend: a folder in which every name is created once, by link(2), and never replaced.

rename(2) would overwrite: of two writers that both saw no file, the second silently wins. link(2) fails with EEXIST, so
one of any number of writers creates the name and the others learn it. Every step of a put is durable before the next:
file, name, directory, and each new directory's parent.
"""

import contextlib
import datetime as dt
import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

from evidence.errors import MalformedError, ObjectNotFoundError, StoreError, UsageError, VerificationError
from evidence.store.lease import Lease
from evidence.store.leftovers import TEMPORARY
from evidence.store.objects import CACHE_PATH, ObjectInfo, check_path

_FIXES: Final = {
    errno.ENOSPC: "free space on the store's disk; the next run completes what is missing",
    errno.EDQUOT: "raise the quota of the store's owner; the next run completes what is missing",
    errno.EROFS: "mount the store's file system writable, or read from it only",
    errno.EACCES: "give the collector's user its folder back (chown -R, directories 0700, files 0400)",
    errno.EPERM: "give the collector's user its folder back; look for chattr flags with lsattr",
    errno.EIO: "look at the disk; restore what is damaged from a copy, by its digest",
    errno.ESTALE: "mount the store's file system again; the next run completes what is missing",
    errno.ELOOP: "remove the symbolic link and find out who put it there: the store follows none",
}
_TEMPORARY_STRAY: Final = "half-written: of a run that was killed, or of one at work now. Nothing reads it; safe to remove while no run holds the lease"
_LINK_STRAY: Final = "a symbolic link, never followed. Find out who put it there; safe to remove"
_NAME_STRAY: Final = "no name a store writes. Find out who put it there; safe to move out of the store"
_KIND_STRAY: Final = "neither file nor folder. Find out who put it there; safe to remove"
_BLOCK: Final = 1 << 20
_MAX_DEPTH: Final = 32  # folders; ours has 7
_STRANGE: Final = "nothing of ours makes these: find out who else writes to the store's folder"
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalStore:
    """A store under ``root``. Opening touches nothing; the first put creates the folder, mode 0700."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._base = str(self.root).rstrip("/")  # a path made of text: pathlib takes longer than opening a small file
        self._durable: set[Path] = set()  # directories whose names are known to be on disk

    @property
    def url(self) -> str:
        """``file:///…``."""
        return self.root.as_uri()

    @cached_property
    def writable(self) -> bool:
        """Two creations of one name: the first must succeed, the second must not. False on a read-only folder.

        Raises ``StoreError`` for a file system without hard links.
        """
        try:
            self._make_directory(self.root)
            with self._temporary(self.root) as (temporary, _):
                probe = temporary.with_name(temporary.name + "-probe")
                try:
                    if not _link(temporary, probe):
                        return False
                    with self._temporary(self.root) as (second, _):
                        return not _link(second, probe)
                finally:
                    probe.unlink(missing_ok=True)
        except OSError as exc:
            if exc.errno in {errno.EROFS, errno.EACCES}:
                return False
            raise

    def put_if_absent(self, path: str, body: bytes | Path, *, retain_until: dt.datetime | None = None) -> bool:
        """Create ``path``; see :class:`evidence.store.objects.ObjectStore`. A folder keeps no ``retain_until``."""
        del retain_until  # only an object store can promise to refuse deletion
        target = self._locate(path)
        with _explained(target, "write"):
            self._make_directory(target.parent)
            if target.exists():  # saves writing a body that would lose; link(2) below decides
                _same_case(target)
                _sync(target.parent)
                return False
            with self._temporary(target.parent) as (temporary, out):
                _copy(body, out)
                out.flush()
                os.fsync(out.fileno())
                created = _link(temporary, target)
            if not created:
                _same_case(target)
            _sync(target.parent)  # also when the other writer linked: what we saw must survive a power cut
        return created

    def get(self, path: str, *, sha256: str | None = None) -> bytes:
        """Return the bytes, of digest ``sha256`` when given."""
        with self._open(path) as file:
            body = file.read()
        if sha256 is not None and hashlib.sha256(body).hexdigest() != sha256:
            raise VerificationError(f"{path} does not have the digest {sha256}", step="digest")
        return body

    def digest(self, path: str, size: int) -> tuple[str, int]:
        """Return hex SHA-256 and size, read in blocks; see ``DigestingStore``."""
        handle, found = self._handle(path)
        try:
            if found != size:
                return "", found
            digest, read = hashlib.sha256(), 0
            while read <= size and (block := os.read(handle, min(_BLOCK, size - read + 1))):
                digest.update(block)
                read += len(block)
        finally:
            os.close(handle)
        return digest.hexdigest(), read

    def head(self, path: str) -> ObjectInfo | None:
        """Return the size; retention is always None here."""
        try:
            found = os.lstat(self._name(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return ObjectInfo(path, found.st_size) if stat.S_ISREG(found.st_mode) else None

    def replace_cache(self, body: bytes) -> None:
        """Replace ``log/checkpoint``, the one name that may change; see ``CachingStore``."""
        target = self._locate(CACHE_PATH)
        with _explained(target, "write"):
            self._make_directory(target.parent)
            with self._temporary(target.parent) as (temporary, out):
                out.write(body)
                out.flush()
                os.fsync(out.fileno())
                temporary.replace(target)
            _sync(target.parent)

    def strays(self) -> Iterator[tuple[str, str]]:
        """Yield what lies in the folder and is no object: temporaries, links, special files, names outside the alphabet."""
        pending = [(str(self.root), "")]
        while pending:
            folder, within = pending.pop()
            try:
                with os.scandir(folder) as listing:
                    found = sorted(listing, key=lambda item: item.name)
            except OSError:
                continue  # gone meanwhile, or not ours to read: what an object lacks is told where it is read
            for item in found:
                if explanation := _stray(item):
                    yield within + item.name, explanation
            folders = [item for item in reversed(found) if item.is_dir(follow_symlinks=False)]
            pending += [(item.path, f"{within}{item.name}/") for item in folders]

    def remove_orphans(self, lease: Lease, referenced: Callable[[], Collection[str]]) -> tuple[str, ...]:
        """Remove temporaries, and objects outside ``log/`` that ``referenced`` does not name; return their names.

        Only under the lease that every writer of this store takes: a part that a running collector has put but not yet
        committed looks exactly like an orphan. ``referenced`` is called under it, so that it sees every commit.
        """
        if not lease.held:
            raise UsageError("orphans may be removed only while holding the store's lease")
        keep = {*referenced(), "store.json"}
        if keep == {"store.json"}:
            raise UsageError("refusing to remove every object: nothing is referenced")
        gone = [path for path in self.list("") if path not in keep and not path.startswith("log/")]
        gone += sorted(str(path.relative_to(self.root)) for path in self.root.rglob(f"{TEMPORARY}*"))
        for path in gone:
            (self.root / path).unlink(missing_ok=True)
        return tuple(gone)

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[str]:
        """Yield paths in lexicographic order."""
        folder = prefix.rpartition("/")[0]
        yield from self._walk(self._locate(folder) if folder else self.root, folder, prefix, start_after)

    def _name(self, path: str) -> str:
        check_path(path)
        return f"{self._base}/{path}"

    def _locate(self, path: str) -> Path:
        return Path(self._name(path))

    def _open(self, path: str) -> BinaryIO:
        return os.fdopen(self._handle(path)[0], "rb")

    def _handle(self, path: str) -> tuple[int, int]:
        """Open an object's file and return its handle and its size.

        Raises ``StoreError`` for what is no file: a FIFO or a device would block, or never end.
        """
        try:
            handle = os.open(self._name(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise ObjectNotFoundError(f"no object {path} in {self.url}") from exc
        except OSError as exc:
            if exc.errno in {errno.ELOOP, errno.ENXIO}:
                raise StoreError(f"{path} is a link or a special file", fix=_STRANGE) from exc
            raise _failure(exc, self._locate(path), "read") from exc
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            if stat.S_ISDIR(found.st_mode):
                raise ObjectNotFoundError(f"no object {path} in {self.url}")
            raise StoreError(f"{path} is a special file", fix=_STRANGE)
        return handle, found.st_size

    def _walk(self, folder: Path, name: str, prefix: str, start_after: str) -> Iterator[str]:
        if name.count("/") > _MAX_DEPTH:
            raise StoreError(f"{name} is nested deeper than {_MAX_DEPTH} folders", fix=_STRANGE)
        try:
            with os.scandir(folder) as found:
                within = f"{name}/" if name else ""
                names = sorted(
                    item.name + "/" * item.is_dir(follow_symlinks=False)
                    for item in found
                    if f"{within}{item.name}/" > start_after or start_after.startswith(f"{within}{item.name}/")
                )  # the many records before the one that is asked for are not even sorted
        except (FileNotFoundError, NotADirectoryError):
            return
        for item in names:
            path = f"{name}/{item}" if name else item
            if item.startswith("."):
                continue
            if not path.endswith("/"):
                if path.startswith(prefix) and path > start_after:
                    yield path
            elif (path.startswith(prefix) or prefix.startswith(path)) and (
                path > start_after or start_after.startswith(path)
            ):
                yield from self._walk(folder / item, path.removesuffix("/"), prefix, start_after)

    def _make_directory(self, folder: Path) -> None:
        """Create ``folder`` and make its name, and those of its parents up to the root's, durable."""
        if folder in self._durable:
            return
        if folder not in {self.root, folder.parent}:
            self._make_directory(folder.parent)
        if folder != self.root and folder.exists():
            _same_case(folder)
        folder.mkdir(mode=0o700, exist_ok=True, parents=folder == self.root)
        _sync(folder.parent)  # also when another process made it: it may not have come to its fsync
        self._durable.add(folder)

    @contextlib.contextmanager
    def _temporary(self, folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
        """Open a new file, mode 0400, that no other writer and no reader sees; its name goes when the block ends."""
        path = folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
        try:
            with os.fdopen(handle, "wb") as out:
                yield path, out
        finally:
            with contextlib.suppress(OSError):  # EBUSY, ESTALE, EPERM: a leftover is harmless, and what was put is put
                path.unlink()


@contextlib.contextmanager
def _explained(target: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise _failure(exc, target, what) from exc


def _failure(exc: OSError, target: Path, what: str) -> StoreError:
    fix = _FIXES.get(exc.errno or 0, "look at the file system of the store")
    return StoreError(f"cannot {what} {target}: {exc.strerror or exc}", fix=fix)


def _same_case(path: Path) -> None:
    """Raise ``StoreError`` if ``path`` exists under another spelling: two names would be one, and a listing shows the other.

    Case-insensitive file systems are fine as long as no two names differ by case alone.
    """
    if all(item.name != path.name for item in path.parent.iterdir()):
        raise StoreError(
            f"{path} exists under a name that differs in case: this file system takes both for one",
            fix="put the store on a case-sensitive file system, or choose source names that differ in more than case",
        )


def _stray(found: os.DirEntry[str]) -> str:
    if found.is_symlink():
        return _LINK_STRAY
    if found.name.startswith(TEMPORARY):
        return _TEMPORARY_STRAY
    if not found.is_file(follow_symlinks=False) and not found.is_dir(follow_symlinks=False):
        return _KIND_STRAY
    try:
        check_path(found.name)
    except MalformedError:
        return _NAME_STRAY
    return ""


def _link(source: Path, target: Path) -> bool:
    """Give ``source`` the name ``target``; False if another file has it.

    Over NFS an answer may be lost: the client asks again, and "exists" is said of the name that this very call made.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return _is_same(source, target)
    except OSError as exc:
        if exc.errno in _NO_LINKS:
            raise StoreError(
                f"the file system of {target.parent} has no hard links, so names cannot be created exactly once",
                fix="put the store on ext4, XFS, APFS or another file system with hard links",
            ) from exc
        raise
    return True


def _is_same(source: Path, target: Path) -> bool:
    try:
        return source.samefile(target) and not target.is_symlink()
    except OSError:
        return False


def _copy(body: bytes | Path, out: BinaryIO) -> None:
    if isinstance(body, bytes):
        out.write(body)
        return
    with body.open("rb") as source:
        shutil.copyfileobj(source, out, 1 << 20)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
