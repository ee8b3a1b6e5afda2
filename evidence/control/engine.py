"""Controls in DuckDB: locked down, read-only, seeing only what is declared.

The engine is a place where text written by many hands runs over sealed evidence, so it is closed by construction
(design.md section 7; ``docs/decisions/0040-locked-engine.md``): no file, network, extension or Python variable can be
reached, the configuration is locked, each statement is one SELECT inside a read-only transaction, and while it runs only
the tables handed in with it exist. Lint explains mistakes early; it is not the barrier.
"""

import datetime as dt
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

from evidence.control.evidence import EvidenceReader
from evidence.control.loaded import BATCH_ROWS, Rooms, Seen, Slots
from evidence.control.model import Library
from evidence.control.night import Night
from evidence.control.register import Registers
from evidence.control.result import NightFinding
from evidence.control.sight import Sight, sight_of
from evidence.control.verdict import check_population, fingerprint
from evidence.control.windows import Shown, Tables
from evidence.errors import ControlError
from evidence.snapshot.model import start_of

if TYPE_CHECKING:
    import duckdb

LOCKED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "allow_community_extensions": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
    "python_scan_all_frames": False,
    "preserve_insertion_order": False,
    "temp_directory": "",  # nothing of the evidence is ever written down beside it: a limit of "0KB" alone did not stop that
    "memory_limit": "6GB",  # of one engine; a statement that needs more ends its own control, not the night
}
TIME_LIMIT: Final = 300.0  # seconds for one statement
RESULT_LIMIT: Final = 4 << 30  # bytes one statement may return
FIX: Final = "docs/formats/control.md says what control SQL sees and may do"


class Engine:
    """One locked connection, reused for many statements. Use as a context manager."""

    def __init__(
        self,
        *,
        time_limit: float = TIME_LIMIT,
        result_limit: int = RESULT_LIMIT,
        threads: int = 2,
        remember: bool = True,
    ) -> None:
        import duckdb

        self._connection = duckdb.connect(":memory:", config={**LOCKED, "threads": threads})
        self._connection.execute(
            "SET enable_progress_bar = false"
        )  # it would write between the lines of our own output
        self._connection.execute("SET lock_configuration = true")
        self._parsed: dict[str, duckdb.Statement] = {}
        self._lazy: dict[str, duckdb.DuckDBPyRelation] = {}
        self._slots = Slots(self._connection)
        self._rooms = Rooms(self._connection, self._slots)
        self._remember = remember  # worth it where statements are asked again, night after night
        self._answers: dict[tuple[str, str], tuple[bytes, pa.Table]] = {}
        self._time_limit = time_limit  # seconds
        self._watch = Watch(self._connection.interrupt, time_limit)
        self._result_limit = result_limit  # bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the watch and close the connection."""
        self._watch.close()
        self._connection.close()

    def select(self, sql: str, tables: Tables, room: str = "") -> pa.Table:
        """Return the rows of ``sql``, which sees ``tables`` (``name`` or ``schema.name``) and nothing else.

        ``room`` names who asks: what one reader saw before stays in place for it, and is out of sight of all others. A
        table handed in again (the same object in the same slot) is not loaded again. Times with a zone are handed in as
        UTC without one. A statement that sees the same as it saw last is answered from then: nothing it may say depends on a
        clock or on chance (docs/decisions/0151-same-question-same-answer.md). Raises ``ControlError`` if ``sql`` is not exactly one SELECT, fails, takes longer than the time
        limit, returns more than the result limit or two columns of one name.
        """
        statement = self._parse(sql)
        sight = sight_of(sql, self._spelled)
        seen = {name: self._seen(name, given, sight) for name, given in tables.items()}
        if not self._remember:
            return self._run(statement, room, seen)
        asked = _digest(seen)
        before = self._answers.get((room, sql))
        if before and before[0] == asked:
            return before[1]
        answer = self._run(statement, room, seen)
        self._answers[room, sql] = asked, answer
        return answer

    def let_go(self, slots: Iterable[str]) -> None:
        """Hold the rows of ``slots`` no longer; who asks for them again has them loaded again."""
        for slot in slots:
            self._slots.let_go(slot)

    def _run(self, statement: "duckdb.Statement", room: str, seen: Mapping[str, Seen]) -> pa.Table:
        import duckdb

        with self._watch:
            try:
                self._rooms.enter(room, seen)
                return self._read_only(statement)
            except (duckdb.Error, OSError) as exc:  # the second when it fails after the first rows were read
                if self._watch.expired:
                    raise ControlError(f"took longer than {self._time_limit:.0f} s", fix="simplify the SQL") from exc
                raise ControlError(first_line(exc), fix=FIX) from exc

    def _read_only(self, statement: "duckdb.Statement") -> pa.Table:
        self._connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            return self._collected(statement)
        finally:
            self._connection.execute("ROLLBACK")

    def _collected(self, statement: "duckdb.Statement") -> pa.Table:
        """Read the result in batches: DuckDB's memory limit does not cover what has left it.

        Not ``execute()``, which gathers the whole result outside the limit (seen: 9 GB in 6 s).
        """
        with self._relation(statement).to_arrow_reader(BATCH_ROWS) as reader:
            _named_once(reader.schema.names)
            batches, size = [], 0
            for batch in reader:
                size += batch.nbytes
                if size > self._result_limit:
                    raise ControlError(f"the result is larger than {self._result_limit} bytes", fix="select fewer rows")
                batches.append(batch)
            return pa.Table.from_batches(batches, reader.schema)

    def _relation(self, statement: "duckdb.Statement") -> "duckdb.DuckDBPyRelation":
        """Return what runs ``statement`` each time it is read, in the catalog that is current then.

        Making one costs a fifth of a small statement, so it is kept. One that holds rows already, as where DuckDB must run a
        statement to know its columns, reads something else than the statement and is made anew.
        """
        kept = self._lazy.get(statement.query)
        if kept is None:
            kept = self._connection.sql(statement)
            if kept.sql_query() == statement.query.strip().rstrip(";").rstrip():
                self._lazy[statement.query] = kept
        return kept

    def _parse(self, sql: str) -> "duckdb.Statement":
        """Ask DuckDB's own splitter and parser what this is; each text is parsed once."""
        import duckdb

        if sql in self._parsed:
            return self._parsed[sql]
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as exc:
            raise ControlError(first_line(exc), fix=FIX) from exc
        kinds = [statement.type.name for statement in statements]
        if kinds != ["SELECT"]:
            raise ControlError(f"not exactly one SELECT but {', '.join(kinds) or 'nothing'}", fix=FIX)
        return self._parsed.setdefault(sql, statements[0])

    def _seen(self, name: str, given: pa.Table | Shown, sight: Sight) -> Seen:
        shown = given if isinstance(given, Shown) else Shown(name, given)
        columns = shown.columns or tuple(shown.table.column_names)
        named = sight.columns(name, columns) if isinstance(given, Shown) else columns
        parts = shown.parts or ((shown.slot, shown.table),)
        held = tuple(self._slots.held(slot, table, alone=bool(shown.parts)) for slot, table in parts)
        return Seen(held, named, shown.narrower)

    def _spelled(self, sql: str) -> str:
        ((tree,),) = self._connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
        return str(tree)


def _named_once(columns: Sequence[str]) -> None:
    """Refuse two columns of one name: whoever reads the rows next could mean either."""
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise ControlError(f"returns more than one column {', '.join(twice)}", fix="name each column once")


def _digest(seen: Mapping[str, Seen]) -> bytes:
    whole = hashlib.sha256()
    for name, each in sorted(seen.items()):
        for held in each.held:
            whole.update(f"{name}\n{held.rows.table.num_rows}\n".encode())
            for column in each.columns:
                whole.update(f"{name}\n{column}\n{each.narrower.get(column, '')}\n".encode())
                whole.update(held.rows.digest(column))
    return whole.digest()


class Watch:
    """One thread that interrupts a connection when a deadline passes (a timer per statement costs more than most of them)."""

    def __init__(self, interrupt: Callable[[], None], limit: float) -> None:
        self.expired = False
        self._interrupt = interrupt
        self._limit = limit
        self._deadline: float | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="evidence-engine-watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> None:
        self.expired = False
        self._set(time.monotonic() + self._limit)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._set(None)

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._set(None)
        self._thread.join()

    def _set(self, deadline: float | None) -> None:
        with self._changed:
            self._deadline = deadline
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._closing:
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    self.expired, self._deadline = True, None
                    self._interrupt()
                else:
                    self._changed.wait(left)


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
        findings = run.findings()
        used.let_go(run.windows.behind)
        return findings


def population_of(
    library: Library, registers: Registers, reader: EvidenceReader, night: dt.date, control: str, engine: Engine
) -> tuple[list[str], str]:
    """Return the items of a control's population, sorted, and their fingerprint. Raises ``ControlError``."""
    chosen = library.control(control)
    run = Night(library, registers, reader, night, start_of(night), engine.select, [chosen])
    items = check_population(run.population(chosen))
    return items.to_pylist(), fingerprint(items)


def first_line(exc: Exception) -> str:
    """Return what DuckDB says, without the statement it repeats below."""
    return str(exc).partition("\n")[0][:300]
