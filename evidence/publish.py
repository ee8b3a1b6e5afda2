"""The log and its findings -> the OPS mirror in Snowflake, and back: what of the mirror differs from the log.

Entries go in batches of whole entries, findings before the ledger's rows: the highest index in ``LEDGER`` says how far the mirror is, and a run
that died is gone on with. Every statement is a MERGE by key, so doing it twice is doing it once.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from evidence.control.result import NightFinding
from evidence.ops.rows import Row, of_entry
from evidence.ops.tables import TABLES, Table, insert, merge, select, staging
from evidence.snapshot.entry import Entry
from evidence.store.log import Log

ROWS: Final = 400  # of one INSERT: 17 columns of them are under 7,000 bindings
_ENTRIES: Final = 2000  # of one batch
FindingsOf = Callable[[Entry], Sequence[NightFinding]]


class Cursor(Protocol):
    """What is used of a DB-API cursor with paramstyle qmark."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run one statement."""

    def fetchmany(self, size: int) -> Sequence[Sequence[Any]]:
        """Return the next rows."""

    def fetchone(self) -> Sequence[Any] | None:
        """Return one row."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says: ``missing``, ``extra`` or ``altered`` (and which columns)."""

    table: str
    what: str
    key: tuple[Any, ...]
    columns: tuple[str, ...] = ()


def published(cursor: Cursor, schema: str, origin: str) -> int:
    """Return how many entries of the log the mirror has."""
    cursor.execute(f"SELECT MAX(LOG_INDEX) FROM {schema}.LEDGER WHERE ORIGIN = ?", (origin,))
    row = cursor.fetchone()
    return 0 if row is None or row[0] is None else int(row[0]) + 1


def publish(
    log: Log,
    findings_of: FindingsOf,
    cursor: Cursor,
    schema: str,
    *,
    start: int,
    step: Callable[[int], None] = lambda _: None,
) -> int:
    """Merge the entries from ``start`` on into the mirror; return how many rows went."""
    rows = 0
    for first in range(start, log.size, _ENTRIES):
        last = min(first + _ENTRIES, log.size)
        batch = _rows(log, findings_of, range(first, last))
        for table in TABLES:  # LEDGER stands last
            rows += _merge(cursor, schema, table, batch[table.name])
        step(last)
    return rows


def differences(log: Log, findings_of: FindingsOf, cursor: Cursor, schema: str, until: int) -> Iterator[Difference]:
    """Compare the mirror with the first ``until`` entries of the log, so many entries at a time; then look for rows beyond them."""
    for first in range(0, until, _ENTRIES):
        last = min(first + _ENTRIES, until)
        batch = _rows(log, findings_of, range(first, last))
        for table in TABLES:
            wanted = _by_key(table, batch[table.name])
            for key, row in _fetched(cursor, schema, table, log.origin, first, last):
                yield from _compared(table, key, wanted.pop(key, None), row)
            for key in sorted(wanted, key=str):
                yield Difference(table.name, "missing", key)
    for table in TABLES:
        for first, last in ((-(2**62), 0), (until, 2**62)):
            for key, _ in _fetched(cursor, schema, table, log.origin, first, last):
                yield Difference(table.name, "extra", key)


def _fetched(
    cursor: Cursor, schema: str, table: Table, origin: str, first: int, last: int
) -> Iterator[tuple[tuple[Any, ...], Row]]:
    """Yield key and row of what the mirror has of the entries ``first`` up to, not including, ``last``."""
    cursor.execute(select(schema, table), (origin, first, last))
    while found := cursor.fetchmany(10_000):
        for row in found:
            yield _key(table, row), tuple(row)


def _compared(table: Table, key: tuple[Any, ...], wanted: Row | None, found: Row) -> Iterator[Difference]:
    if wanted is None:
        yield Difference(table.name, "extra", key)
        return
    columns = tuple(
        name for name, ours, theirs in zip(table.names, wanted, found, strict=True) if _plain(ours) != _plain(theirs)
    )
    if columns:
        yield Difference(table.name, "altered", key, columns)


def _rows(log: Log, findings_of: FindingsOf, indexes: range) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {table.name: [] for table in TABLES}
    for index in indexes:
        entry = log.entry(index)
        findings = findings_of(entry) if entry.type == "assessment" else ()
        for name, rows in of_entry(log.origin, index, log.raw(index), entry, findings).items():
            found[name] += rows
    return found


def _merge(cursor: Cursor, schema: str, table: Table, rows: Sequence[Row]) -> int:
    if not rows:
        return 0
    cursor.execute(staging(schema, table))
    for first in range(0, len(rows), ROWS):
        part = rows[first : first + ROWS]
        cursor.execute(insert(schema, table, len(part)), [_bound(value) for row in part for value in row])
    cursor.execute(merge(schema, table))
    return len(rows)


def _by_key(table: Table, rows: Sequence[Row]) -> dict[tuple[Any, ...], Row]:
    return {_key(table, row): row for row in rows}


def _key(table: Table, row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_plain(row[table.names.index(name)]) for name in table.keys)


def _bound(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else value


def _plain(value: object) -> object:
    """Spell what a driver may return in several types."""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
