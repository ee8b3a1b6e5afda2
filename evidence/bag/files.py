"""The files of a bag, read from a folder or from a zip; nothing is ever extracted and no name leads outside.

A name has the characters ``[A-Za-z0-9._/-]`` only, no empty part, no ``.`` or ``..``: then ``sha256sum -c`` works on the
manifests without escapes (RFC 8493 section 2.1.3 percent-encodes others). Symbolic links, special files, duplicate names,
compressed or encrypted zip members are refused; stored members cannot blow up.
"""

import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Protocol, Self

from evidence.errors import MalformedError

NAME: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
BLOCK: Final = 1 << 20


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
    if not NAME.match(name) or any(part in {".", ".."} for part in name.split("/")):
        raise MalformedError(f"{name!r} is not a name a bag may hold", fix="use letters, digits and . _ - / only")


def read(files: BagFiles, name: str, *, limit: int = 1 << 30) -> bytes:
    """Return the bytes of one file; refuse files over ``limit`` bytes."""
    if files.size(name) > limit:
        raise MalformedError(f"{name} has {files.size(name)} bytes, over {limit}")
    with files.open(name) as handle:
        return handle.read()


def sha256_of(files: BagFiles, name: str) -> str:
    """Return the lower-case hex SHA-256 of one file, read in blocks of 1 MiB."""
    with files.open(name) as handle:
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
        self._names = tuple(sorted(_walk(root, "")))

    @property
    def label(self) -> str:
        """The folder's name."""
        return self._root.resolve().name

    def names(self) -> tuple[str, ...]:
        """All file names, sorted."""
        return self._names

    def size(self, name: str) -> int:
        """Size in bytes."""
        return self._path(name).stat().st_size

    def open(self, name: str) -> IO[bytes]:
        """Open one file without following a link."""
        descriptor = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW)
        return os.fdopen(descriptor, "rb")

    def _path(self, name: str) -> Path:
        if name not in self._names:
            raise MalformedError(f"{name} is missing")
        return self._root / name


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


class ZipFiles:
    """A bag in a zip with exactly one top folder and stored members only. Close it when done."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as exc:
            raise MalformedError(f"{path.name} is not a zip: {exc}") from exc
        try:
            self._label, self._members = _members(self._zip, path.stat().st_size)
        except MalformedError:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    @property
    def label(self) -> str:
        """The single top folder."""
        return self._label

    def names(self) -> tuple[str, ...]:
        """All file names below the top folder, sorted."""
        return tuple(sorted(self._members))

    def size(self, name: str) -> int:
        """Size in bytes."""
        return self._member(name).file_size

    def open(self, name: str) -> IO[bytes]:
        """Open one member; its CRC is checked at the end by zipfile."""
        try:
            return self._zip.open(self._member(name))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as exc:
            raise MalformedError(f"{name} cannot be read from the zip: {exc}") from exc

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise MalformedError(f"{name} is missing")
        return self._members[name]


def _members(archive: zipfile.ZipFile, file_size: int) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    found: dict[str, zipfile.ZipInfo] = {}
    label = ""
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
        if info.file_size != info.compress_size or info.file_size > file_size:
            raise MalformedError(f"{name} states a size the zip cannot hold")
        found[name] = info
    if not found:
        raise MalformedError("the zip is empty")
    return label, found
