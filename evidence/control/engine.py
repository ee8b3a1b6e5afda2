"""Controls in DuckDB: locked down, read-only, seeing only what is declared.

The engine is a place where text written by many hands runs over sealed evidence, so it is closed by construction
(design.md section 7; ``docs/decisions/0040-locked-engine.md``): no file, network, extension or Python variable can be
reached, the configuration is locked, each statement is one SELECT inside a read-only transaction, and while it runs only
the tables handed in with it exist. Lint explains mistakes early; it is not the barrier.
"""

import datetime as dt
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Final, Self

import pyarrow as pa

from evidence.control.evidence import EvidenceReader
from evidence.control.model import Library
from evidence.control.night import Night, Shown, Tables
from evidence.control.register import Registers
from evidence.control.result import NightFinding
from evidence.errors import ControlError

LOCKED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "allow_community_extensions": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
    "python_scan_all_frames": False,
    "preserve_insertion_order": False,
    "max_temp_directory_size": "0KB",
    "memory_limit": "4GB",
    "threads": 2,
}
TIME_LIMIT: Final = 300.0  # seconds for one statement
RESULT_LIMIT: Final = 4 << 30  # bytes one statement may return
_BATCH_ROWS: Final = 100_000
FIX: Final = "docs/formats/control.md says what control SQL sees and may do"


class Engine:
    """One locked connection, reused for many statements. Use as a context manager."""

    def __init__(self, *, time_limit: float = TIME_LIMIT, result_limit: int = RESULT_LIMIT) -> None:
        import duckdb

        self._connection = duckdb.connect(":memory:", config=LOCKED)
        self._connection.execute("SET lock_configuration = true")
        self._schemas: set[str] = set()
        self._loaded: dict[int, tuple[pa.Table, str]] = {}
        self._time_limit = time_limit  # seconds
        self._result_limit = result_limit  # bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def select(self, sql: str, tables: Tables) -> pa.Table:
        """Return the rows of ``sql``, which sees ``tables`` (``name`` or ``schema.name``) and nothing else.

        A table handed in again (the same object) is not loaded again, until :meth:`forget`. Times with a zone are handed in as UTC without one. Raises ``ControlError`` if ``sql`` is not exactly one SELECT,
        fails, takes longer than the time limit or returns more than the result limit.
        """
        import duckdb

        self._check(sql)
        with self._exposed(tables), self._limited() as expired:
            try:
                self._connection.execute("BEGIN TRANSACTION READ ONLY")
                return self._collected(sql)
            except duckdb.Error as exc:
                if expired.is_set():
                    raise ControlError(f"took longer than {self._time_limit:.0f} s", fix="simplify the SQL") from exc
                raise ControlError(first_line(exc), fix=FIX) from exc
            finally:
                self._connection.execute("ROLLBACK")

    def _collected(self, sql: str) -> pa.Table:
        """Read the result in batches: DuckDB's memory limit does not cover what has left it."""
        with self._connection.sql(sql).to_arrow_reader(_BATCH_ROWS) as reader:
            batches, size = [], 0
            for batch in reader:
                size += batch.nbytes
                if size > self._result_limit:
                    raise ControlError(f"the result is larger than {self._result_limit} bytes", fix="select fewer rows")
                batches.append(batch)
            return pa.Table.from_batches(batches, reader.schema)

    def _check(self, sql: str) -> None:
        """Ask DuckDB's own splitter and parser what this is."""
        import duckdb

        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as exc:
            raise ControlError(first_line(exc), fix=FIX) from exc
        kinds = [statement.type.name for statement in statements]
        if kinds != ["SELECT"]:
            raise ControlError(f"not exactly one SELECT but {', '.join(kinds) or 'nothing'}", fix=FIX)

    def forget(self) -> None:
        """Drop every table that was loaded."""
        for _, name in self._loaded.values():
            self._connection.execute(f"DROP TABLE {name}")
        self._loaded.clear()

    @contextmanager
    def _exposed(self, tables: Tables) -> Iterator[None]:
        views = []
        try:
            for name, given in tables.items():
                table, columns = (given.table, given.columns) if isinstance(given, Shown) else (given, None)
                schema, _, bare = name.rpartition(".")
                self._make_schema(schema)
                view = ".".join(_quoted(part) for part in (schema, bare) if part)
                seen = ", ".join(_quoted(column) for column in columns) if columns is not None else "*"
                self._connection.execute(f"CREATE VIEW {view} AS SELECT {seen} FROM {self._load(table)}")
                views.append(view)
            yield
        finally:
            for view in views:
                self._connection.execute(f"DROP VIEW {view}")

    def _load(self, table: pa.Table) -> str:
        """Return the name of a DuckDB table with these rows.

        Own tables, because over Arrow the planner knows no distinct counts and joins by ``source`` first (seen: 12 million
        rows between, 2 s instead of 20 ms). The name cannot be guessed: undeclared tables stay out of reach.
        """
        if id(table) not in self._loaded:
            name = f"_{secrets.token_hex(16)}"
            self._connection.register("_arrow", without_zones(table))
            try:
                self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM _arrow")
            finally:
                self._connection.unregister("_arrow")
            self._loaded[id(table)] = (table, name)  # holding the table keeps its id from being reused
        return self._loaded[id(table)][1]

    def _make_schema(self, name: str) -> None:
        if name and name not in self._schemas:
            self._connection.execute(f"CREATE SCHEMA {_quoted(name)}")
            self._schemas.add(name)

    @contextmanager
    def _limited(self) -> Iterator[threading.Event]:
        expired = threading.Event()

        def stop() -> None:
            expired.set()
            self._connection.interrupt()

        timer = threading.Timer(self._time_limit, stop)
        timer.daemon = True
        timer.start()
        try:
            yield expired
        finally:
            timer.cancel()


def select(sql: str, tables: Tables) -> pa.Table:
    """Return the rows of one SELECT over ``tables`` in an engine of its own; see :meth:`Engine.select`."""
    with Engine() as engine:
        return engine.select(sql, tables)


def assess_night(
    library: Library,
    registers: Registers,
    reader: EvidenceReader,
    night: dt.date,
    *,
    known_at: dt.datetime,
    controls: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> list[NightFinding]:
    """Return the finding of every control (or of ``controls``) for ``night``, by control id.

    ``known_at`` is the assessment's clock: it decides which review items are overdue. Facts are computed once and shared.
    An ``engine`` may be handed in to be used for many nights. Raises ``ControlError`` only for an unknown control: an error
    in content makes its own control ``not-assessed(control-error)`` and no other.
    """
    chosen = sorted(library.controls if controls is None else set(controls))
    with nullcontext(engine) if engine is not None else Engine() as used:
        run = Night(library, registers, reader, night, known_at, used.select, [library.control(n) for n in chosen])
        try:
            return run.findings()
        finally:
            used.forget()


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


def first_line(exc: Exception) -> str:
    """Return what DuckDB says, without the statement it repeats below."""
    return str(exc).partition("\n")[0][:300]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
