"""How many distinct keys there were: exactly, in memory that does not grow with them.

From half a million on they wait on disk, spread over buckets by their value, so that equal keys meet in one; then the buckets are counted one by one.
What is on disk has no name there, is gone with the process, and says nothing of a key: texts are digests under a secret that is never kept,
numbers are the ids that land as they are.
"""

import hashlib
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HELD: Final = 1 << 19  # keys in memory, 8 MiB
_BUCKETS: Final = 64
_BYTES: Final = 16  # of one key
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: numbers in a row go to buckets in turn
_TOP_BITS: Final = np.uint64(64 - 6)


@dataclass(frozen=True, slots=True)
class _Run:
    """Keys written at once, by bucket: those of bucket ``n`` are ``edges[n]`` to ``edges[n + 1]``, counted from ``start`` (bytes)."""

    start: int
    edges: Any


class DistinctKeys:
    """Add the keys of batches, then ask for :meth:`count`. ``folder`` is private; nothing is written there below ``held`` keys."""

    def __init__(self, folder: Path, *, held: int = HELD) -> None:
        self.complete = 0  # keys without a NULL part, each time they came
        self._folder, self._held = folder, held
        self._secret = secrets.token_bytes(32)
        self._waiting: list[Any] = []
        self._rows = 0
        self._runs: list[_Run] = []
        self._file: IO[bytes] | None = None

    def update(self, batch: pa.RecordBatch, names: Sequence[str]) -> None:
        """Add the key ``names`` of every row in which no part of it is NULL."""
        keys = _digests(batch, names, self._secret)
        self.complete += len(keys)
        self._waiting.append(keys)
        self._rows += len(keys)
        if self._rows >= self._held:
            self._write()

    def count(self) -> int:
        """Return the number of distinct keys so far."""
        if not self._runs:
            return _distinct(self._waiting)
        self._write()
        return sum(_distinct([self._read(run, bucket) for run in self._runs]) for bucket in range(_BUCKETS))

    def close(self) -> None:
        """Let go of what is on disk."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self) -> None:
        if not self._rows:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by close()
        keys = np.concatenate(self._waiting)
        buckets = (((keys[:, 0] ^ keys[:, 1]) * _SPREAD) >> _TOP_BITS).astype(np.uint8)
        order = np.argsort(buckets, kind="stable")
        edges = np.searchsorted(buckets[order], np.arange(_BUCKETS + 1))
        self._runs.append(_Run(self._file.seek(0, 2), edges))
        self._file.write(keys[order].data)
        self._waiting, self._rows = [], 0

    def _read(self, run: _Run, bucket: int) -> Any:
        first, after = (int(edge) for edge in run.edges[bucket : bucket + 2])
        if self._file is None:
            raise ValueError("counted after it was closed")
        self._file.seek(run.start + first * _BYTES)
        return np.frombuffer(self._file.read((after - first) * _BYTES), np.uint64).reshape(-1, 2)


def _digests(batch: pa.RecordBatch, names: Sequence[str], secret: bytes) -> Any:
    """Return 128 bits per complete key, as two numbers: a digest, or the integer that is the key."""
    if len(names) == 1 and pa.types.is_int64(batch.schema.field(names[0]).type):
        numbers = batch.column(names[0]).drop_null().to_numpy()
        return np.column_stack([numbers.view(np.uint64), np.zeros(len(numbers), np.uint64)])
    pieces: list[Any] = []
    for name in names:
        text = batch.column(name).cast(pa.string())
        pieces += [pc.binary_length(text).cast(pa.string()), ":", text]
    spelled = pc.binary_join_element_wise(*pieces, "", null_handling="emit_null").drop_null()
    texts = spelled.cast(pa.binary()).to_numpy(zero_copy_only=False)
    digests = b"".join([hashlib.blake2b(text, digest_size=_BYTES, key=secret).digest() for text in texts])
    return np.frombuffer(digests, np.uint64).reshape(-1, 2)


def _distinct(chunks: Sequence[Any]) -> int:
    """Return how many different keys there are in all ``chunks``."""
    keys = np.concatenate(chunks) if chunks else np.empty((0, 2), np.uint64)
    keys = keys[np.lexsort((keys[:, 1], keys[:, 0]))]
    return len(keys) and 1 + int((keys[1:] != keys[:-1]).any(axis=1).sum())
