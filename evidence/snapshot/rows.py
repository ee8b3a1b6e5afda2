"""The digest of a set of rows: equal for equal content, whatever the order, batches, files or encodings.

``docs/formats/rows.md`` writes the encoding down with a test vector. In short: every row has one canonical spelling, the digests of
all rows are added, and the sum is hashed with the count. Adding SHA-256 values modulo 2**256 shows change and loss; it is
no defence against somebody who can choose rows at will (a generalised birthday attack), which is what the manifest's
file digests are for.
"""

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import MalformedError

DOMAIN = b"evidence-rows-v1\n"
_DECIMAL = pa.decimal128(38, 12)
_STAND_INS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_boolean, pa.int8()),
    (pa.types.is_signed_integer, pa.int64()),
    (lambda kind: pa.types.is_timestamp(kind) and kind.unit == "us", pa.int64()),
    (pa.types.is_date32, pa.int32()),
    (pa.types.is_null, pa.int8()),
)
_CHUNK_BYTES = 64 << 20  # string arrays hold 2 GiB; spellings are larger than the values
_CHUNK_ROWS = 32_768
_SAMPLE = 1_024  # rows that say whether a column has few values


class RowsDigest:
    """Add batches in any order, then ask for :meth:`hexdigest`."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of ``batch``. Raises ``MalformedError`` for a column type that has no spelling."""
        for part in slices(batch, _CHUNK_ROWS, _CHUNK_BYTES):
            spelled = spell(part)
            digests = b"".join([hashlib.sha256(row).digest() for row in _each(spelled)])
            lanes = np.frombuffer(digests, dtype=">u4").reshape(-1, 8).sum(axis=0, dtype=np.uint64)
            self._sum += sum(int(lane) << (32 * (7 - n)) for n, lane in enumerate(lanes))
            self.rows += part.num_rows

    def hexdigest(self) -> str:
        """Return 64 lower-case hex digits: SHA-256 of domain, row count and the sum modulo 2**256."""
        body = DOMAIN + f"{self.rows}\n".encode() + (self._sum % (1 << 256)).to_bytes(32, "big")
        return hashlib.sha256(body).hexdigest()


def slices(batch: pa.RecordBatch, rows: int, size: int) -> Iterator[pa.RecordBatch]:
    """Yield slices of at most ``rows`` rows and about ``size`` bytes."""
    if not batch.num_rows:
        return
    per_row = max(1, batch.nbytes // batch.num_rows)
    step = max(1, min(rows, size // per_row))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def spell(batch: pa.RecordBatch) -> pa.Array:
    """Return the canonical spelling of every row as binary: tag, value and ``;`` for each column that is not NULL."""
    tags = _tags(tuple(sorted(batch.schema.names)))
    pieces = _members([(mark, batch.column(name)) for name, mark in tags])
    return _concat(pieces, batch.num_rows)


@functools.cache
def _tags(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return each name with its tag; raise ``MalformedError`` if two names have the same."""
    found = tuple((name, tag(name)) for name in names)
    if len({mark for _, mark in found}) != len(found):
        raise MalformedError(f"two columns have the same tag among {', '.join(names)}")
    return found


def tag(name: str) -> str:
    """Return the six hex digits that stand for a column: wide tables would spend most bytes on names."""
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def _members(columns: list[tuple[str, pa.Array]]) -> list[Any]:
    """Return pieces that spell mark, value and ``;`` of every column, NULL or nothing where that is NULL."""
    pieces: list[Any] = []
    for mark, column in columns:
        if column.null_count == len(column):
            continue
        folded = _folded(column)
        if folded is not None:
            pieces.append(_spread(_join(mark, *_value(folded.dictionary), ";"), folded.indices))
        elif column.null_count == 0:
            pieces += [mark, *_value(column), ";"]
        else:
            pieces.append(_join(mark, *_value(column), ";"))
    return pieces


def _folded(column: pa.Array) -> pa.DictionaryArray | None:
    """Return a column of few values as dictionary and indices: each value is spelled once. None where that does not pay.

    A column that comes so is left so.
    """
    if pa.types.is_dictionary(column.type):
        return column
    if pa.types.is_nested(column.type) or len(column) < _SAMPLE:
        return None
    if len(column.slice(0, _SAMPLE).unique()) > _SAMPLE // 2:
        return None
    folded = column.dictionary_encode()
    return folded if len(folded.dictionary) <= len(column) // 4 else None


def _spread(spelled: pa.Array, indices: pa.Array) -> Any:
    """Return the spelled values at ``indices``: one alone where it is the same in every row."""
    alone = len(spelled) == 1 and spelled.null_count == indices.null_count == 0
    return spelled[0].as_py() if alone else spelled.take(indices)


def _value(column: pa.Array) -> list[Any]:
    """Return the pieces whose concatenation spells each value; any piece is NULL where the value is."""
    kind = column.type
    if pa.types.is_dictionary(kind):  # of a list's elements
        return _value(column.dictionary_decode())
    if pa.types.is_string(kind):
        return [_digits(pc.binary_length(column)), ":", column.cast(pa.binary())]
    if pa.types.is_list(kind):
        return ["[", _list(column), "]"]
    if pa.types.is_struct(kind):
        return [_struct(column)]
    return [_digits(_number(column))]


def _number(column: pa.Array) -> pa.Array:
    """Return the integer that stands for each value of a fixed-width column."""
    kind = column.type
    if kind == _DECIMAL:  # the unscaled value: the same bytes read with scale 0
        return pa.Array.from_buffers(pa.decimal128(38, 0), len(column), column.buffers(), offset=column.offset)
    if pa.types.is_float64(kind):
        return _bits(column)
    for fits, stand_in in _STAND_INS:
        if fits(kind):
            return column.cast(stand_in)
    raise MalformedError(f"rows of type {kind} have no canonical spelling")


def _list(column: pa.ListArray) -> pa.Array:
    values = _whole(column.flatten())
    offsets = column.offsets
    if column.null_count:  # flatten() leaves out what lies under NULL lists: count again
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths.to_numpy(zero_copy_only=False))]), pa.int32())
    else:
        offsets = pc.subtract(offsets, offsets[0])
    return _where_valid(column, pc.binary_join(pa.ListArray.from_arrays(offsets, values), b","))


def _struct(column: pa.StructArray) -> pa.Array:
    fields = sorted(column.type, key=lambda field: str(field.name))
    flat = dict(zip((field.name for field in column.type), column.flatten(), strict=True))
    members = _members([(f"{field.name}=", flat[field.name]) for field in fields])
    return _where_valid(column, _concat(["{", *members, "}"], len(column)))


def _where_valid(column: pa.Array, spelled: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), spelled, pa.scalar(None, pa.binary())) if column.null_count else spelled


def _whole(values: pa.Array) -> pa.Array:
    """Spell the elements of lists; NULL, which may not vanish there, is ``~``."""
    pieces = _value(values)
    spelled = pieces[0] if len(pieces) == 1 else _join(*pieces)
    return pc.fill_null(spelled, b"~") if spelled.null_count else spelled


def _concat(pieces: list[Any], rows: int) -> pa.Array:
    """Join pieces, each a column or the same for every row. NULL adds nothing."""
    merged: list[Any] = []
    for piece in pieces:
        if isinstance(piece, pa.Array):
            merged.append(piece)
        elif merged and isinstance(merged[-1], bytes):
            merged[-1] += _bytes(piece)
        else:
            merged.append(_bytes(piece))
    if not any(isinstance(piece, pa.Array) for piece in merged):
        return pa.repeat(_fixed(merged[0] if merged else b""), rows)
    # null_handling="skip" would drop rows in which everything is NULL (seen in pyarrow 26.0.1)
    return pc.binary_join_element_wise(*merged, b"", null_handling="replace", null_replacement=b"")


def _join(*pieces: Any) -> pa.Array:
    """Join pieces of which at least one is a column; NULL where any piece is."""
    arrays = [piece if isinstance(piece, pa.Array) else _fixed(_bytes(piece)) for piece in pieces]
    return pc.binary_join_element_wise(*arrays, b"", null_handling="emit_null")


def _fixed(piece: bytes) -> pa.Scalar:
    return pa.scalar(piece, pa.binary())


def _bytes(piece: str | bytes) -> bytes:
    return piece.encode() if isinstance(piece, str) else piece


def _digits(column: pa.Array) -> pa.Array:
    return column.cast(pa.string()).cast(pa.binary())


def _bits(column: pa.Array) -> pa.Array:
    """Return IEEE 754 bits as a signed integer; -0.0 is 0.0, every NaN is the quiet one."""
    numbers = column.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0  # adding 0.0 turns -0.0 into 0.0
    numbers = np.where(np.isnan(numbers), np.nan, numbers)
    return pa.array(numbers.view(np.int64), mask=~column.is_valid().to_numpy(zero_copy_only=False))


def _each(spelled: pa.Array) -> Iterator[memoryview]:
    _, offsets, data = spelled.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[spelled.offset : spelled.offset + len(spelled) + 1].tolist()
    body = memoryview(data) if data is not None else memoryview(b"")
    return (body[start:end] for start, end in itertools.pairwise(ends))
