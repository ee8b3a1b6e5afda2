"""Private Parquet files on their way to the store: folder 0700, files 0600, digest and size known when closed.

Rows are sorted by watermark and key within a row group, when they do not come sorted already; a file is closed at about
``part_bytes`` and the next begun, so memory holds one row group at most.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.errors import ConfigError
from evidence.snapshot.model import Part

PART_BYTES = 128 << 20
GROUP_ROWS = 65_536
GROUP_BYTES = 32 << 20


class PartWriter:
    """Write batches of one schema as ``<stem>-0000.parquet`` … in ``folder``; :meth:`close` returns the parts.

    Paths of the parts are relative to ``folder``. No rows: no file. Raises ``ConfigError`` if others may enter the folder.
    """

    def __init__(
        self, folder: Path, stem: str, schema: pa.Schema, sort_by: Sequence[str] = (), *, part_bytes: int = PART_BYTES
    ) -> None:
        if folder.stat().st_mode & 0o077:
            raise ConfigError(f"spool {folder} is open to others", fix=f"chmod 700 {folder}")
        self._folder, self._stem, self._schema = folder, stem, schema
        self._sort_by = [name for name in sort_by if name in schema.names]
        self._part_bytes = part_bytes
        self._parts: list[Part] = []
        self._group: list[pa.RecordBatch] = []
        self._file: IO[bytes] | None = None
        self._writer: Any = None
        self._rows = self._group_rows = self._group_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; they reach the disk by row groups."""
        if not batch.num_rows:
            return
        self._group.append(batch)
        self._group_rows += batch.num_rows
        self._group_bytes += batch.nbytes
        if self._group_rows >= GROUP_ROWS or self._group_bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> tuple[Part, ...]:
        """Write what is left and return the parts in order."""
        self._flush()
        self._finish()
        return tuple(self._parts)

    def abort(self) -> None:
        """Close the open file without a part; the caller removes the folder."""
        self._group.clear()
        if self._file is not None:
            self._file.close()
            self._file = self._writer = None

    def _flush(self) -> None:
        if not self._group:
            return
        table = _sorted(pa.Table.from_batches(self._group, self._schema), self._sort_by)
        if self._file is None:
            self._open()
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._rows += table.num_rows
        self._group, self._group_rows, self._group_bytes = [], 0, 0
        if self._file is not None and self._file.tell() >= self._part_bytes:
            self._finish()

    def _open(self) -> None:
        path = self._folder / f"{self._stem}-{len(self._parts):04d}.parquet"
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd", compression_level=3)
        self._rows = 0

    def _finish(self) -> None:
        if self._file is None:
            return
        self._writer.close()
        self._file.flush()
        self._file.close()
        self._file = self._writer = None
        name = f"{self._stem}-{len(self._parts):04d}.parquet"
        with (self._folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._parts.append(Part(name, digest, (self._folder / name).stat().st_size, self._rows))


def _sorted(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Sort by ``names`` unless the first of them is in order already (sources sort; ties are left as they are)."""
    if not names or table.num_rows < 2:
        return table
    first = table.column(names[0])
    if first.null_count == 0 and (pa.types.is_timestamp(first.type) or pa.types.is_integer(first.type)):
        numbers = first.cast(pa.int64()).to_numpy()
        if bool(np.all(numbers[1:] >= numbers[:-1])):
            return table
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names]))
