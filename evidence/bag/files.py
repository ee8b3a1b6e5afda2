"""The files of a bag, read from a folder or from a zip; nothing is ever extracted and no name leads outside.

A name has the characters ``[A-Za-z0-9._/-]`` only, no empty part, no ``.`` or ``..``: then ``sha256sum -c`` works on the
manifests without escapes (RFC 8493 section 2.1.3 percent-encodes others). Symbolic links, special files, duplicate names,
compressed or encrypted zip members are refused; stored members cannot blow up. Every bound below holds for the writer too
or lies far above what it writes. Whatever the zip or the file system makes of hostile bytes is raised as ``MalformedError``.
"""

import contextlib
import hashlib
import io
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Protocol, Self

from evidence.errors import MalformedError

NAME: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
BLOCK: Final = 1 << 20
MAX_FILES: Final = 200_000  # a quarter of five accounts has about 75,000; each costs about 1 KiB while a zip is open
MAX_NAME: Final = 512  # characters; the longest of ours has about 120
MAX_DEPTH: Final = 32  # folders; ours has 7
MAX_FILE: Final = 1 << 30  # bytes read at once; larger files are only hashed, in blocks
MAX_SMALL: Final = 1 << 20  # bytes of a checkpoint, a proof, an entry: text of a few KiB
_MAX_DIRECTORY: Final = 32 << 20  # bytes of a zip's directory: MAX_FILES names of 120 characters
_ZIP_FAULTS: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    OSError,
    ValueError,
    NotImplementedError,
    EOFError,
    RuntimeError,
    struct.error,
    IndexError,
    OverflowError,
    AssertionError,
)


class BagFiles(Protocol):
    """Read access to the files of one bag, by name relative to its root."""

    @property
    def label(self) -> str:
        """The bag's own name (folder, or the single top folder of the zip)."""

    def names(self) -> tuple[str, ...]:
        """All file names, sorted."""

    def size(self, name: str) -> int:
        """Size in bytes."""

    def open(self, name: str) -> IO[bytes]:
        """Open one file; raises ``MalformedError`` when there is none of that name."""


def check_name(name: str) -> None:
    """Raise ``MalformedError`` unless ``name`` may stand in a bag."""
    if len(name) > MAX_NAME or name.count("/") > MAX_DEPTH:
        raise MalformedError(f"a name has over {MAX_NAME} characters or {MAX_DEPTH} folders: {name[:80]!r}…")
    if not NAME.match(name) or any(part in {".", ".."} for part in name.split("/")):
        raise MalformedError(f"{name!r} is not a name a bag may hold", fix="use letters, digits and . _ - / only")


def read(files: BagFiles, name: str, *, limit: int = MAX_FILE) -> bytes:
    """Return the bytes of one file; raise ``MalformedError`` for over ``limit`` bytes and for what cannot be read."""
    if files.size(name) > limit:
        raise MalformedError(f"{name} has {files.size(name)} bytes, over {limit}")
    with declared(name), files.open(name) as handle:
        body = handle.read(limit + 1)
    if len(body) > limit:
        raise MalformedError(f"{name} grew over {limit} bytes while it was read")
    return body


def read_text(files: BagFiles, name: str, *, limit: int = MAX_SMALL) -> str:
    """Return the text of one small file; raise ``MalformedError`` when it is not UTF-8 or over ``limit`` bytes."""
    with declared(name):
        return read(files, name, limit=limit).decode()


@contextlib.contextmanager
def declared(name: str) -> Iterator[None]:
    """Raise as ``MalformedError`` what the operating system or ``zipfile`` says of hostile bytes."""
    try:
        yield
    except _ZIP_FAULTS as exc:
        raise MalformedError(f"{name} cannot be read: {exc}") from exc


def open_plain(path: Path, *, follow: bool = False) -> io.BufferedReader:
    """Open a regular file and nothing else: a FIFO or a device would block, or never end. Raises ``MalformedError``."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    with declared(path.name):
        handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise MalformedError(f"{path.name} is not a plain file")
    return os.fdopen(handle, "rb")


def size_of(files: BagFiles, name: str) -> int:
    """Return the size of one file in bytes, 0 when there is none: for those who only plan their work by it."""
    try:
        return files.size(name)
    except MalformedError:
        return 0


def sha256_of(files: BagFiles, name: str) -> str:
    """Return the lower-case hex SHA-256 of one file, read in blocks of 1 MiB."""
    with declared(name), files.open(name) as handle:
        digest = hashlib.sha256()
        while block := handle.read(BLOCK):
            digest.update(block)
        return digest.hexdigest()


class FolderFiles:
    """A bag that lies as a folder."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir() or root.is_symlink():
            raise MalformedError(f"{root} is not a folder", fix="name the folder or the zip of a packet")
        self._root = root
        with declared(root.name):
            self._names = dict.fromkeys(sorted(_counted(_walk(root, ""))))  # a dict: asked for each of many files

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def label(self) -> str:
        """The folder's name."""
        return self._root.resolve().name

    def names(self) -> tuple[str, ...]:
        """All file names, sorted."""
        return tuple(self._names)

    def size(self, name: str) -> int:
        """Size in bytes."""
        with declared(name):
            return self._path(name).lstat().st_size

    def open(self, name: str) -> IO[bytes]:
        """Open one file without following a link."""
        return open_plain(self._path(name))

    def _path(self, name: str) -> Path:
        if name not in self._names:
            raise MalformedError(f"{name} is missing")
        return self._root / name


def _counted(names: Iterator[str]) -> Iterator[str]:
    for count, name in enumerate(names):
        if count == MAX_FILES:
            raise MalformedError(f"more than {MAX_FILES} files")
        yield name


class _Directory(io.BufferedReader):
    """A file whose single reads are bounded until ``bounded`` is cleared: ``zipfile`` reads the directory in one."""

    bounded = True

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.bounded:
            return super().read(size)
        body = super().read(_MAX_DIRECTORY + 1 if size is None or not 0 <= size <= _MAX_DIRECTORY else size)
        if len(body) > _MAX_DIRECTORY:
            raise MalformedError(f"the zip's directory has over {_MAX_DIRECTORY} bytes")
        return body


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as found:
        for item in found:
            name = prefix + item.name
            check_name(name)
            if item.is_dir(follow_symlinks=False):
                yield from _walk(folder / item.name, name + "/")
            elif item.is_file(follow_symlinks=False):
                yield name
            else:
                raise MalformedError(f"{name} is neither a file nor a folder")


def open_bag(path: Path) -> "FolderFiles | ZipFiles":
    """Open a packet, folder or zip, to be closed when done. Raises ``MalformedError`` or ``OSError`` for anything else."""
    return FolderFiles(path) if path.is_dir() else ZipFiles(path)


class ZipFiles:
    """A bag in a zip with exactly one top folder and stored members only. Close it when done."""

    def __init__(self, path: Path) -> None:
        self._file = _Directory(open_plain(path, follow=True).detach())
        try:
            with declared(path.name):
                self._zip = zipfile.ZipFile(self._file)
                self._label, self._members = _members(self._zip, os.fstat(self._file.fileno()).st_size)
        except MalformedError:
            self._file.close()
            raise
        self._file.bounded = False
        self._names = tuple(sorted(self._members))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()
        self._file.close()

    @property
    def label(self) -> str:
        """The single top folder."""
        return self._label

    def names(self) -> tuple[str, ...]:
        """All file names below the top folder, sorted."""
        return self._names

    def size(self, name: str) -> int:
        """Size in bytes."""
        return self._member(name).file_size

    def open(self, name: str) -> IO[bytes]:
        """Open one member; its CRC is checked at the end by zipfile."""
        with declared(name):
            return self._zip.open(self._member(name))

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise MalformedError(f"{name} is missing")
        return self._members[name]


def _members(archive: zipfile.ZipFile, file_size: int) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    found: dict[str, zipfile.ZipInfo] = {}
    label, octets = "", 0
    if len(archive.filelist) > MAX_FILES:
        raise MalformedError(f"more than {MAX_FILES} files in the zip")
    for info in archive.infolist():
        check_name(info.filename)
        top, _, name = info.filename.partition("/")
        label = label or top
        if not name or top != label:
            raise MalformedError(f"{info.filename} is outside the packet's folder {label}")
        if name in found:
            raise MalformedError(f"{name} is twice in the zip")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 0x1 or info.compress_type != zipfile.ZIP_STORED or kind not in {0, stat.S_IFREG}:
            raise MalformedError(f"{name} is encrypted, compressed or not a plain file in the zip")
        octets += info.file_size
        if info.file_size != info.compress_size or octets > file_size:  # members that share bytes would multiply them
            raise MalformedError(f"{name} states a size the zip cannot hold")
        found[name] = info
    if not found:
        raise MalformedError("the zip is empty")
    return label, found
