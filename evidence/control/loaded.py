"""What DuckDB holds of the tables that statements see, and the views that one reader sees of them.

Loading a table and putting a view in place cost about as much as a statement over it; so a table stays while the columns a
statement looks at hold the same values, and a view while it means the same.
"""

import hashlib
import io
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from evidence.control.folded import plain

if TYPE_CHECKING:
    import duckdb

BATCH_ROWS: Final = 100_000  # of a stream: what is held at a time
_FEW: Final = 50


@dataclass(slots=True, eq=False)
class Rows:
    """A table, with the digest of each column once it was asked for.

    ``alone``: no other table is expected to hold the same, so that a mark of its own stands for all digests.
    """

    table: pa.Table
    alone: bool = False
    digests: dict[str, bytes] = field(default_factory=dict)
    mark: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def digest(self, column: str) -> bytes:
        """Return the SHA-256 of one column, type and order included."""
        if self.alone:
            return self.mark
        if column not in self.digests:
            self.digests[column] = _column_digest(self.table.select([column]))
        return self.digests[column]


@dataclass(slots=True, eq=False)
class Held:
    """What a slot holds now; ``loaded`` is what DuckDB has of it, under ``name``, and may be what the slot held before."""

    rows: Rows
    loaded: pa.Table | None = None
    name: str = ""

    def serves(self, columns: tuple[str, ...]) -> bool:
        """Say whether what is loaded is the same as far as ``columns`` go."""
        if self.loaded is None:
            return False
        now = self.rows.table
        if self.loaded is now:
            return True
        same_shape = self.loaded.num_rows == now.num_rows and self.loaded.schema.equals(now.schema)
        return same_shape and all(self.loaded.column(name).equals(now.column(name)) for name in columns)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A table as one statement sees it: the rows of one slot or of several, some columns narrower than they are held."""

    held: tuple[Held, ...]
    columns: tuple[str, ...]
    narrower: Mapping[str, pa.DataType] = field(default_factory=dict)

    @property
    def spelled(self) -> str:
        """The columns in SQL; where none is named, rows can be counted."""
        return ", ".join(map(self._spelled, self.columns)) or "true AS present"

    def _spelled(self, name: str) -> str:
        quoted = _quoted(name)
        return f"CAST({quoted} AS {sql_type(self.narrower[name])}) AS {quoted}" if name in self.narrower else quoted


class Slots:
    """One table of DuckDB's own per slot.

    Own tables, because over Arrow the planner knows no distinct counts and joins by ``source`` first (seen: 12 million
    rows between, 2 s instead of 40 ms). Their names cannot be guessed: undeclared tables stay out of reach.
    """

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self._connection = connection
        self._held: dict[str, Held] = {}

    def held(self, slot: str, table: pa.Table, *, alone: bool = False) -> Held:
        """Return the slot, holding ``table`` from now on; ``alone`` as in :class:`Rows`."""
        held = self._held.get(slot)
        if held is None:
            held = self._held[slot] = Held(Rows(table, alone))
        elif held.rows.table is not table:
            held.rows = Rows(table, alone)
        return held

    def definition(self, seen: Seen) -> str:
        """Return the SELECT that shows ``seen``, whose rows are loaded then."""
        for held in seen.held:
            if not held.serves(seen.columns):
                self._load(held)
        return " UNION ALL ".join(sorted(f"SELECT {seen.spelled} FROM {held.name}" for held in seen.held))

    def let_go(self, slot: str) -> None:
        """Hold nothing of a slot any longer, here or in DuckDB."""
        held = self._held.pop(slot, None)
        if held is not None and held.name:
            self._connection.execute(f"DROP TABLE {held.name}")

    def _load(self, held: Held) -> None:
        """Put the slot's rows in the place of what was loaded; views over another shape would not fit, so that goes."""
        table, old = held.rows.table, held.name
        same = held.loaded is not None and held.loaded.schema.equals(table.schema)
        name = old if same else f"memory.main.{_secret()}"
        self._connection.register("_arrow", without_zones(table))
        try:
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM _arrow")
        finally:
            self._connection.unregister("_arrow")
        held.loaded, held.name = table, name
        if old and not same:
            self._connection.execute(f"DROP TABLE {old}")


@dataclass(slots=True)
class _Room:
    """A catalog of views that one reader sees; its name cannot be guessed."""

    catalog: str
    views: dict[str, str] = field(default_factory=dict)
    schemas: set[str] = field(default_factory=set)


class Rooms:
    """A catalog for each reader, in which nothing but what was handed in for it can be named."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", slots: Slots) -> None:
        self._connection = connection
        self._slots = slots
        self._rooms: dict[str, _Room] = {}

    def enter(self, room: str, seen: Mapping[str, Seen]) -> None:
        """Make ``room`` the current catalog and exactly the tables that are ``seen`` visible there."""
        place = self._rooms.get(room)
        if place is None:
            place = self._rooms[room] = _Room(_secret())
            self._connection.execute(f"ATTACH ':memory:' AS {place.catalog}")
        wanted = {_dotted(name): self._slots.definition(each) for name, each in seen.items()}
        self._connection.execute(f"USE {place.catalog}")
        for view in [view for view, definition in place.views.items() if wanted.get(view) != definition]:
            self._connection.execute(f"DROP VIEW {view}")
            del place.views[view]
        for schema in sorted({name.rpartition(".")[0] for name in seen} - place.schemas - {""}):
            self._connection.execute(f"CREATE SCHEMA {_quoted(schema)}")
            place.schemas.add(schema)
        for view, definition in wanted.items():
            if view not in place.views:
                self._connection.execute(f"CREATE VIEW {view} AS {definition}")
                place.views[view] = definition


def sql_type(given: pa.DataType) -> str:
    """Return DuckDB's name of an Arrow type that a table handed to control SQL may have. A column of NULLs is an integer there."""
    if pa.types.is_timestamp(given):
        return "TIMESTAMP"
    if pa.types.is_decimal(given):
        return f"DECIMAL({given.precision}, {given.scale})"
    if pa.types.is_list(given):
        return f"{sql_type(given.value_type)}[]"
    if pa.types.is_struct(given):
        members = ", ".join(f'"{field.name}" {sql_type(field.type)}' for field in given)
        return f"STRUCT({members})"
    named: list[tuple[Callable[[pa.DataType], bool], str]] = [
        (pa.types.is_integer, "BIGINT"),
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_floating, "DOUBLE"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_null, "INTEGER"),
    ]
    return next((name for holds, name in named if holds(given)), "TEXT")


def without_zones(table: pa.Table) -> pa.Table:
    """Return ``table`` with UTC times spelled without their zone: DuckDB's zoned times need an extension."""
    fields = [
        pa.field(field.name, pa.timestamp(field.type.unit))
        if pa.types.is_timestamp(field.type) and field.type.tz
        else field
        for field in table.schema
    ]
    schema = pa.schema(fields)
    return table if schema.equals(table.schema) else table.cast(schema)


def _column_digest(column: pa.Table) -> bytes:
    """SHA-256 of the column's Arrow stream, or of how Python spells a few rows, which is quicker then.

    Other bytes for the same values only mean that the statement runs again.
    """
    column = plain(column)
    if column.num_rows <= _FEW:
        return hashlib.sha256(f"{column.schema.field(0).type}\n{column.column(0).to_pylist()!r}".encode()).digest()
    sink = _HashSink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), column.schema) as writer:
        writer.write_table(column, max_chunksize=BATCH_ROWS)
    return sink.hash.digest()


class _HashSink(io.RawIOBase):
    """A file that only hashes what is written, so that no copy of a column is held."""

    def __init__(self) -> None:
        super().__init__()
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, body: Any) -> int:
        self.hash.update(body)
        return len(body)


def _secret() -> str:
    return f"_{secrets.token_hex(16)}"


def _dotted(name: str) -> str:
    return ".".join(_quoted(part) for part in name.split("."))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
