"""Files below a root, in a fixed order, without being led out of it.

A symbolic link is never followed: it could point outside the root, or count the same rows twice. Links, devices and
pipes are listed with a ``refusal`` so that the caller can say what it did not read. Names that begin with a dot or an
underscore are bookkeeping by convention (``_SUCCESS``, ``.crc``), not rows.
"""

import datetime as dt
import gzip
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from evidence.errors import SourceUnavailableError

LABEL_LENGTH = 110
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file: its path, its name relative to the root with forward slashes, size in bytes, time of last change."""

    path: Path
    name: str
    size: int
    modified: dt.datetime
    refusal: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of the relative name."""
        return tuple(self.name.split("/"))

    @property
    def label(self) -> str:
        """The name for messages: the end of it, if it is long."""
        return self.name if len(self.name) <= LABEL_LENGTH else "…" + self.name[1 - LABEL_LENGTH :]


def walk(root: Path, *, skip: tuple[str, ...] = (".", "_")) -> Iterator[TreeFile]:
    """Yield every file below ``root`` in order of name; names that begin with one of ``skip`` are left out.

    Raises ``SourceUnavailableError`` if the root is no readable directory.
    """
    if not root.is_dir():
        raise SourceUnavailableError(
            f"{root.name}: no such folder", fix="point the source's path at an existing folder"
        )
    yield from _walk(root.resolve(), "", skip)


def open_plain(file: TreeFile) -> BinaryIO:
    """Open the bytes as stored; never through a link."""
    descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb")


def open_text(file: TreeFile) -> BinaryIO:
    """Open for reading as text bytes: ``.gz`` is unpacked while it is read (``EOFError`` where it was cut off)."""
    raw = open_plain(file)
    if file.name.endswith(".gz"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw, mode="rb"))
    return raw


def night_of(folder: str) -> dt.date | None:
    """Parse the name of a dated folder, ``date=2026-07-01`` in that spelling only."""
    text = folder.removeprefix("date=")
    try:
        night = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return night if folder == f"date={night.isoformat()}" else None


def _walk(folder: Path, prefix: str, skip: tuple[str, ...]) -> Iterator[TreeFile]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as exc:
        yield TreeFile(folder, prefix.rstrip("/") or ".", 0, dt.datetime.fromtimestamp(0, dt.UTC), str(exc.strerror))
        return
    for entry in entries:
        if entry.name.startswith(skip):
            continue
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), name + "/", skip)
        else:
            yield _file(entry, name)


def _file(entry: os.DirEntry[str], name: str) -> TreeFile:
    status = entry.stat(follow_symlinks=False)
    refusal = ""
    if stat.S_ISLNK(status.st_mode):
        refusal = "a symbolic link; rows are read from real files below the root only"
    elif not stat.S_ISREG(status.st_mode):
        refusal = "not a regular file"
    modified = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
    return TreeFile(Path(entry.path), name, status.st_size, modified, refusal)
