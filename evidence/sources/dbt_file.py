"""A file that may be a dbt artifact, wherever it is kept: its name, its last change, a way to its bytes.

Artifacts hold code and messages with literals in them; they are read from where they are kept into memory, never copied to a disk.
"""

import datetime as dt
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from evidence.sources.tree import GZIP_MAGIC, LABEL_LENGTH, TreeFile, open_plain

MAX_BYTES = 512 * 2**20
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file. ``opened`` gives its bytes as stored; ``OSError`` or ``EOFError`` from it are faults of this file alone.

    ``pin`` is what makes a second read the same bytes (an S3 version); ``run`` is what dbt Cloud says of the run that wrote it.
    """

    name: str
    modified: dt.datetime
    opened: Callable[[], BinaryIO]
    refusal: str = ""
    pin: str = ""
    run: tuple[tuple[str, str], ...] = ()
    head: bytes | None = field(default=None, repr=False)  # first bytes, where asking for them again costs a request

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of the name."""
        return tuple(self.name.split("/"))

    @property
    def label(self) -> str:
        """The name for messages: the end of it, if it is long."""
        return self.name if len(self.name) <= LABEL_LENGTH else "…" + self.name[1 - LABEL_LENGTH :]

    def start(self) -> tuple[bytes, bool]:
        """Return the first ``HEAD_BYTES`` and whether that is all; a compressed file is unpacked."""
        if self.head is not None and not self.head.startswith(GZIP_MAGIC):
            return self.head[:HEAD_BYTES], len(self.head) < HEAD_BYTES
        with self._text() as stream:
            found = stream.read(HEAD_BYTES)
        return found, len(found) < HEAD_BYTES

    def body(self) -> bytes:
        """Return all of it, unpacked. Raises ``ValueError`` above ``MAX_BYTES``."""
        with self._text() as stream:
            found = stream.read(MAX_BYTES + 1)
        if len(found) > MAX_BYTES:
            raise ValueError(f"over {MAX_BYTES} bytes")
        return found

    def _text(self) -> BinaryIO:
        raw = self.opened()
        if not self.name.endswith(".gz"):
            return raw
        return io.BufferedReader(gzip.GzipFile(fileobj=raw, mode="rb"))


def of_tree(file: TreeFile) -> ArtifactFile:
    """Return a file of a folder; it is never opened through a link."""
    return ArtifactFile(file.name, file.modified, lambda: open_plain(file), file.refusal)
