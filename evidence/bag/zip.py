"""The deterministic zip of a bag: one spelling, so that a zip can be compared with its own re-encoding.

Members sorted by name, under one top folder, dated 1980-01-01, mode 0644, stored. Nothing is compressed: deflate's bytes
differ between zlib releases, and Parquet is compressed already.
"""

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Final

from evidence.bag.files import BLOCK, BagFiles, ZipFiles, declared, open_plain

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can spell


def write_zip(files: BagFiles, out: IO[bytes], label: str) -> None:
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
    with (
        ZipFiles(path) as files,
        tempfile.TemporaryFile() as again,
        open_plain(path, follow=True) as original,
        declared(path.name),
    ):
        write_zip(files, again, files.label)
        again.seek(0)
        return hashlib.file_digest(again, "sha256").digest() == hashlib.file_digest(original, "sha256").digest()
