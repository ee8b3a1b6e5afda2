"""The deterministic zip of a bag: one spelling, so that a zip can be compared with its own re-encoding.

Members sorted by name, under one top folder, dated 1980-01-01, mode 0644, stored. Nothing is compressed: deflate's bytes
differ between zlib releases, and Parquet is compressed already.
"""

import io
import shutil
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from evidence.bag.files import BLOCK, MAX_NAME, BagFiles, ZipFiles, declared, open_plain

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_MAX_HEADER: Final = 2 * MAX_NAME + 64  # bytes of a member's header: 30, its name below one folder, 20 for large sizes
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can spell


def write_zip(files: BagFiles, out: IO[bytes] | io.RawIOBase, label: str) -> None:
    """Write the zip of ``files`` with the top folder ``label`` to the seekable ``out``."""
    with zipfile.ZipFile(out, "w", compression=zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in files.names():
            info = zipfile.ZipInfo(f"{label}/{name}", _EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.file_size = files.size(name)
            with files.open(name) as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, BLOCK)


def equals_reencoding(path: Path) -> bool:
    """Say whether the zip at ``path`` has exactly the bytes :func:`write_zip` writes for its members."""
    with ZipFiles(path) as files, open_plain(path, follow=True) as original, declared(path.name):
        again = _Compared(original)
        write_zip(files, again, files.label)
        return again.equal()


class _Compared(io.RawIOBase):
    """A file to write to that keeps nothing: what is written must be what ``original`` holds there.

    ``zipfile`` writes a member's header twice, first without checksum and sizes: one write that differs may wait for the
    second, so that no more than a header is ever held.
    """

    def __init__(self, original: IO[bytes]) -> None:
        super().__init__()
        self._original, self._place, self._end = original, 0, 0
        self._waiting: tuple[int, int] | None = None  # place and length
        self._differs = False

    def equal(self) -> bool:
        """Say whether all that was written is all of the other file."""
        return not self._differs and self._waiting is None and self._end == self._original.seek(0, io.SEEK_END)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._end}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def write(self, body: "Buffer", /) -> int:
        given = bytes(body)
        written = (self._place, len(given))
        self._original.seek(self._place)
        same = self._original.read(written[1]) == given
        if same and written == self._waiting:
            self._waiting = None
        elif not same:
            self._differs = self._differs or self._waiting not in {None, written} or written[1] > _MAX_HEADER
            self._waiting = written
        self._place += written[1]
        self._end = max(self._end, self._place)
        return written[1]
