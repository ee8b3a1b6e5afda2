"""A session in Snowflake that control SQL runs in: temporary tables handed in or made there, and answers. The connection is an argument.

Every value is bound, never written into a statement. Tables are temporary and the session's own: nothing stays. Parameters that could change what a statement means
are set first.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from evidence.control.engine import Engine
from evidence.control.folded import plain_schema
from evidence.control.pushdown.refusal import RefusedError
from evidence.control.pushdown.transpile import Transpiled, transpile
from evidence.control.windows import Shown, Tables
from evidence.errors import ControlError, SourceUnavailableError

SESSION: Final = {  # parameters that could change what a statement means; set when the session is opened
    "TIMEZONE": "UTC",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "false",
    "ROWS_PER_RESULTSET": "0",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
}
_SESSION_CODES: Final = range(390_000, 400_000)  # sign-in and session: expired, revoked, closed
_BINDINGS: Final = 8000  # of one INSERT
_SMALL: Final = 4_000_000  # characters of all items that LISTAGG joins; its result may have 16 MB
FIX: Final = 'judge with engine = "duckdb", and say which statement it was'


class Cursor(Protocol):
    """What is used of the connector's cursor, paramstyle qmark."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run one statement."""

    def fetch_arrow_all(self, force_return_table: bool = False) -> pa.Table | None:
        """Return all rows."""


@dataclass(slots=True)
class Remote:
    """One session. ``schema`` (DATABASE.SCHEMA) is where its temporary tables are; ``local`` tells the types of a result."""

    cursor: Cursor
    schema: str
    local: Engine
    said: dict[str, Transpiled] = field(default_factory=dict)  # by SQL as it was written
    _held: dict[str, tuple[str, pa.Schema, object]] = field(
        default_factory=dict
    )  # slot -> table, its schema, what it was made of
    _number: int = 0

    def select(self, sql: str, tables: Tables, room: str = "") -> pa.Table:  # noqa: ARG002 - every session sees what it is given
        """Return the rows of ``sql``, typed as DuckDB would. Raises ``RefusedError``, also for what Snowflake refuses."""
        text = self._transpiled(sql, tables)
        return self._typed(self.ask(text.sql), self._schema_of(sql, tables))

    def keep(self, slot: str, sql: str, tables: Tables) -> pa.Table:
        """Leave the rows of ``sql`` in the session under ``slot``; return an empty table of their types."""
        text, types = self._transpiled(sql, tables), self._schema_of(sql, tables)
        self._hold(
            slot, types, object(), lambda name: self.run(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {text.sql}")
        )
        return types.empty_table()

    def understood(self, sql: str, tables: Tables) -> pa.Schema:
        """Return the types of the result of ``sql``; nothing is loaded. Raises ``RefusedError``.

        ``said`` keeps the text with the tables by their own names: temporary ones have others each time.
        """
        self.said[sql] = transpile(
            sql, {name: shown_schema(given) for name, given in tables.items()}, lambda name: name
        )
        return self._schema_of(sql, tables)

    def make(self, slot: str, types: pa.Schema, query: str, values: Sequence[Any] = ()) -> pa.Table:
        """Leave the rows of a query of our own in the session; return an empty table of ``types``."""
        self._hold(
            slot, types, object(), lambda name: self.run(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {query}", values)
        )
        return types.empty_table()

    def drop(self, *slots: str) -> None:
        """Forget slots, and drop their tables."""
        for slot in slots:
            held = self._held.pop(slot, None)
            if held:
                self.run(f"DROP TABLE IF EXISTS {self._quoted(held[0])}")

    def rows(self, slot: str) -> int:
        """Return how many rows a slot has."""
        return int(self.ask(f'SELECT COUNT(*) AS "n" FROM {self.named(slot)}').to_pylist()[0]["n"])

    def named(self, slot: str) -> str:
        """Return the table of a slot, quoted."""
        return self._quoted(self._held[slot][0])

    def tally(self, slot: str) -> tuple[int, int, int]:
        """Return rows, items that are not NULL, and distinct items of a slot."""
        row = self.ask(
            f'SELECT COUNT(*) AS "n", COUNT("item") AS "some", COUNT(DISTINCT "item") AS "each" FROM {self.named(slot)}'
        ).to_pylist()[0]
        return int(row["n"]), int(row["some"]), int(row["each"])

    def fingerprint(self, slot: str) -> str:
        """Return the fingerprint of the items of a slot (``evidence.control.verdict``): computed there while they are few, else here."""
        table = self.named(slot)
        total = self.ask(f'SELECT COALESCE(SUM(LENGTH("item") + 24), 0) AS "n" FROM {table}').to_pylist()[0]["n"]
        if not total:
            return hashlib.sha256().hexdigest()
        if int(total) <= _SMALL:
            spelled = 'OCTET_LENGTH("item") || \':\' || "item" || CHR(10)'
            found = self.ask(
                f'SELECT SHA2(LISTAGG({spelled}, \'\') WITHIN GROUP (ORDER BY "item"), 256) AS "h" FROM {table}'
            )
            return str(found.to_pylist()[0]["h"])
        return ""

    def ask(self, statement: str, values: Sequence[Any] = ()) -> pa.Table:
        """Return the rows of one statement. Raises ``ControlError``."""
        self.run(statement, values)
        found = self.cursor.fetch_arrow_all(force_return_table=True)
        if found is None:
            raise ControlError("Snowflake returned no table", fix=FIX)
        return found

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run one statement. Raises ``RefusedError`` with the code alone (a message may quote a value), ``SourceUnavailableError`` where the session is lost."""
        try:
            self.cursor.execute(statement, values) if values else self.cursor.execute(statement)
        except Exception as exc:  # noqa: BLE001 - the connector raises classes of its own
            code, kind = getattr(exc, "errno", None), type(exc).__name__
            if (
                kind != "ProgrammingError" or (code or 0) in _SESSION_CODES
            ):  # the connection, the session, the service: no word about the statement
                raise SourceUnavailableError(
                    f"Snowflake: {kind} {code or ''}".rstrip(), fix="try again; nothing was sealed of this night"
                ) from None
            raise RefusedError("Snowflake", f"refused a statement: {code or kind}") from None

    def _transpiled(self, sql: str, tables: Tables) -> Transpiled:
        places = {
            name: self._placed(given if isinstance(given, Shown) else Shown(name, given))
            for name, given in tables.items()
        }
        return transpile(
            sql, {name: shown_schema(given) for name, given in tables.items()}, lambda name: self._held[places[name]][0]
        )

    def _placed(self, shown: Shown) -> str:
        """Return the slot of a table, loading it unless the session has it."""
        held = self._held.get(shown.slot)
        if held and held[2] is not shown.table and isinstance(held[2], pa.Table):
            self.drop(shown.slot)  # another night's
            held = None
        if held and (held[2] is shown.table or (shown.table.num_rows == 0 and not isinstance(held[2], pa.Table))):
            return shown.slot
        self._hold(
            shown.slot, plain_schema(shown.table.schema), shown.table, lambda name: self._load(name, shown.table)
        )
        return shown.slot

    def _hold(self, slot: str, types: pa.Schema, origin: object, made: Callable[[str], None]) -> None:
        self._number += 1
        name = f"{self.schema}.evidence_{self._number}"
        made(self._quoted(name))
        self._held[slot] = name, types, origin

    def _quoted(self, name: str) -> str:
        return ".".join(f'"{part}"' for part in name.split("."))

    def _load(self, name: str, table: pa.Table) -> None:
        schema = plain_schema(table.schema)
        columns = ", ".join(f'"{each.name.lower()}" {_kind(each.type)}' for each in schema)
        self.run(f"CREATE OR REPLACE TEMPORARY TABLE {name} ({columns})")
        casts = ", ".join(_cast(number, each.type) for number, each in enumerate(schema, 1))
        size = max(1, _BINDINGS // max(1, table.num_columns))
        for first in range(0, table.num_rows, size):
            rows = table.slice(first, size).to_pylist()
            marks = ", ".join(f"({', '.join('?' * table.num_columns)})" for _ in rows)
            values = [_bound(value) for row in rows for value in row.values()]
            self.run(f"INSERT INTO {name} SELECT {casts} FROM VALUES {marks}", values)

    def _schema_of(self, sql: str, tables: Tables) -> pa.Schema:
        """Return the types DuckDB gives the result of ``sql``: of no rows."""
        empty: dict[str, pa.Table | Shown] = {}
        for name, given in tables.items():
            empty[name] = shown_schema(given).empty_table()
        return self.local.select(sql, empty).schema

    def _typed(self, found: pa.Table, types: pa.Schema) -> pa.Table:
        if found.column_names != types.names:
            raise ControlError(
                f"Snowflake returned {', '.join(found.column_names)}, not {', '.join(types.names)}", fix=FIX
            )
        return pa.table([_cast_back(found.column(each.name), each.type) for each in types], schema=types)


def shown_schema(given: pa.Table | Shown) -> pa.Schema:
    """Return the columns that a statement sees, lower case."""
    schema = plain_schema(given.table.schema if isinstance(given, Shown) else given.schema)
    wanted, narrower = (given.columns, given.narrower) if isinstance(given, Shown) else (None, {})
    seen = [each for each in schema if not wanted or each.name in wanted]
    return pa.schema([pa.field(each.name.lower(), narrower.get(each.name, each.type)) for each in seen])


def _kind(given: pa.DataType) -> str:
    if pa.types.is_list(given):
        return "ARRAY"
    if pa.types.is_timestamp(given):
        return "TIMESTAMP_NTZ(6)"
    if pa.types.is_decimal(given):
        return f"NUMBER({given.precision}, {given.scale})"
    named = (
        (pa.types.is_integer, "NUMBER(38, 0)"),
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_floating, "FLOAT"),
    )
    return next((name for holds, name in named if holds(given)), "TEXT")


def _cast(number: int, given: pa.DataType) -> str:
    column = f"column{number}"
    return f"PARSE_JSON({column})::ARRAY" if pa.types.is_list(given) else f"{column}::{_kind(given)}"


def _bound(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case dt.datetime():
            return value.isoformat(sep=" ", timespec="microseconds")
        case list() | dict():
            return json.dumps(value, default=str)
    return str(value)


def _cast_back(found: pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray:
    """Numbers come in the smallest type that holds them, times in nanoseconds, lists as JSON."""
    if pa.types.is_list(to):
        return pa.chunked_array([pa.array([None if v is None else json.loads(v) for v in found.to_pylist()], to)])
    if pa.types.is_timestamp(to) and pa.types.is_timestamp(found.type):
        return pc.cast(found.cast(pa.timestamp("ns")) if found.type.tz else found, to, safe=False)
    return found.cast(to)
