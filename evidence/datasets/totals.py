"""Control totals of what arrived, before treatment, with the meaning of the SQL the source runs beside its read.

Both sides state the same things, so :func:`expressions` and :class:`TotalsTaker` stand in one file:

- rows; distinct keys (a key with a NULL part is not counted, as in ``COUNT(DISTINCT a, b)``; times cut to microseconds);
- per column the number of values that are not NULL;
- for text columns the sum of lengths in characters, for integer columns the sum.

Left out: columns that are dropped or volatile (two statements a minute apart would differ), lengths of JSON, nested columns and
of text that is another type at the source (its spelling there is not ours).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets.contract import Column, Contract
from evidence.datasets.distinct import DistinctKeys
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
    """Take the same totals over conformed batches. Many keys wait in ``spool``, a private folder; :meth:`close` lets go of them."""

    def __init__(self, contract: Contract, spool: Path) -> None:
        self._contract = contract
        self._columns = {column: _Sums() for column in contract.kept if not column.volatile}
        self._key = [name.lower() for name in contract.key]
        self._keys = DistinctKeys(spool)
        self._distinct: int | None = None
        self.rows = 0

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
        if self._key:
            self._keys.update(batch, self._key)
            self._distinct = None

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
        if self._distinct is None:
            self._distinct = self._keys.count()
        return self._distinct

    @property
    def repeated_keys(self) -> int:
        """How many rows have a complete key that came before."""
        return self._keys.complete - self.distinct_keys()

    def close(self) -> None:
        """Let go of the keys that wait in the spool."""
        self._keys.close()


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
