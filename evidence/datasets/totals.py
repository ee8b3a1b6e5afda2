"""Control totals of what arrived, before treatment, with the meaning of the SQL the source runs beside its read.

Both sides state the same things, so :func:`expressions` and :class:`TotalsTaker` stand in one file:

- rows; distinct keys (a key with a NULL part is not counted, as in ``COUNT(DISTINCT a, b)``; times cut to microseconds);
- per column the number of values that are not NULL;
- for text columns the sum of lengths in characters, for integer columns the sum.

Left out: columns that are dropped or volatile (two statements a minute apart would differ), lengths of JSON, nested columns and
of text that is another type at the source (its spelling there is not ours).
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets.contract import Column, Contract
from evidence.snapshot.model import ColumnTotals, Totals

_TEXT_AT_SOURCE = {"", "VARCHAR", "TEXT"}


@dataclass(frozen=True, slots=True)
class Expression:
    """One select expression: ``sql AS alias`` states ``part`` of ``column`` (empty column: of the whole window)."""

    alias: str
    sql: str
    column: str
    part: str  # rows | distinct_keys | non_null | length_sum | value_sum


def expressions(
    contract: Contract, spelled: Mapping[str, str] | None = None, absent: Collection[str] = ()
) -> list[Expression]:
    """Return the totals to ask a Snowflake source for, in a fixed order.

    ``spelled`` maps contract names to the account's spelling where it differs, ``absent`` names columns the account lacks.
    Sums come back as NUMBER, NULL over no rows; :func:`from_row` reads both.
    """
    names = {column.name: (spelled or {}).get(column.name, column.name) for column in contract.kept}
    asked = [Expression("N", "COUNT(*)", "", "rows")]
    if contract.key and not set(contract.key) & set(absent):
        keys = ", ".join(_key_sql(contract.by_name[name.lower()], names[name]) for name in contract.key)
        asked.append(Expression("K", f"COUNT(DISTINCT {keys})", "", "distinct_keys"))
    for n, column in enumerate(contract.kept):
        if column.volatile or column.name in absent:
            continue
        quoted = f'"{names[column.name]}"'
        asked.append(Expression(f"C{n}", f"COUNT({quoted})", column.name, "non_null"))
        if _has_length(column):
            asked.append(Expression(f"L{n}", f"SUM(LENGTH({quoted}))", column.name, "length_sum"))
        elif column.type == "int":
            asked.append(Expression(f"S{n}", f"SUM({quoted})", column.name, "value_sum"))
    return asked


def from_row(asked: Collection[Expression], row: Mapping[str, Any]) -> Totals:
    """Return the totals from the one row (alias -> value) that answers ``asked``. Decimal and text numbers are fine."""
    values = {expression: int(row[expression.alias] or 0) for expression in asked}
    whole = {e.part: value for e, value in values.items() if not e.column}
    columns = {
        name: ColumnTotals(**{e.part: value for e, value in values.items() if e.column == name})
        for name in dict.fromkeys(e.column for e in asked if e.column)
    }
    return Totals(whole["rows"], whole.get("distinct_keys"), columns)


class TotalsTaker:
    """Take the same totals over conformed batches."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._columns = {column: _Sums() for column in contract.kept if not column.volatile}
        self._keys: list[Any] = []
        self.rows = 0
        self.complete_keys = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add a batch in the source-side schema (``conform.source_schema``)."""
        self.rows += batch.num_rows
        for column, sums in self._columns.items():
            array = batch.column(column.landed)
            sums.non_null += len(array) - array.null_count
            if array.null_count == len(array):
                continue
            if _has_length(column):
                sums.total += pc.sum(pc.utf8_length(array)).as_py()
            elif column.type == "int":
                sums.total += _exact_sum(array)
        if self._contract.key:
            digests = _key_digests(batch, [name.lower() for name in self._contract.key])
            self.complete_keys += len(digests)
            self._keys.append(digests)
            if len(self._keys) > 64:
                self._keys = [_unique(self._keys)]

    def totals(self, *, missing: Collection[str] = (), unfit: Collection[str] = ()) -> Totals:
        """Return the totals. ``missing`` columns are left out; of ``unfit`` ones (contract names) only the count is not
        stated and no sum: a value that did not fit could not be counted on our side.
        """
        columns = {
            column.name: ColumnTotals() if column.name in unfit else sums.stated(column)
            for column, sums in self._columns.items()
            if column.name not in missing
        }
        keyed = bool(self._contract.key) and not set(self._contract.key) & {*missing, *unfit}
        return Totals(self.rows, self.distinct_keys() if keyed else None, columns)

    def distinct_keys(self) -> int:
        """Return the number of distinct complete keys seen."""
        self._keys = [_unique(self._keys)] if self._keys else []
        return sum(map(len, self._keys))


@dataclass(slots=True)
class _Sums:
    non_null: int = 0
    total: int = 0

    def stated(self, column: Column) -> ColumnTotals:
        return ColumnTotals(
            self.non_null,
            self.total if _has_length(column) else None,
            self.total if column.type == "int" else None,
        )


def _has_length(column: Column) -> bool:
    return column.type == "text" and column.source_type in _TEXT_AT_SOURCE


def _key_sql(column: Column, name: str) -> str:
    if column.type == "time" and column.source_type != "DATE":  # a DATE has nothing below the day
        return f"DATE_TRUNC('MICROSECOND', \"{name}\")"
    return f'"{name}"'


def _exact_sum(array: pa.Array) -> int:
    """Sum 64-bit integers without overflow: upper and lower halves apart."""
    numbers = array.drop_null().to_numpy()
    return (int((numbers >> 32).sum()) << 32) + int((numbers & 0xFFFFFFFF).sum())


def _key_digests(batch: pa.RecordBatch, names: list[str]) -> Any:
    """Return 128 bits per complete key: memory is 16 bytes a row, whatever the key. A digest, or the integer that is the key."""
    if len(names) == 1 and pa.types.is_int64(batch.schema.field(names[0]).type):
        numbers = batch.column(names[0]).drop_null().to_numpy()
        return np.column_stack([numbers.view(np.uint64), np.zeros(len(numbers), np.uint64)])
    pieces: list[Any] = []
    for name in names:
        text = batch.column(name).cast(pa.string())
        pieces += [pc.binary_length(text).cast(pa.string()), ":", text]
    spelled = pc.binary_join_element_wise(*pieces, "", null_handling="emit_null").drop_null()
    texts = spelled.cast(pa.binary()).to_pylist()
    digests = b"".join(hashlib.blake2b(text, digest_size=16).digest() for text in texts)
    return np.frombuffer(digests, dtype="<u8").reshape(-1, 2)


def _unique(chunks: list[Any]) -> Any:
    """Return the distinct digests, sorted."""
    digests = np.concatenate(chunks)
    digests = digests[np.lexsort((digests[:, 1], digests[:, 0]))]
    fresh = np.ones(len(digests), dtype=bool)
    fresh[1:] = (digests[1:] != digests[:-1]).any(axis=1)
    return digests[fresh]
