"""One session with an account: opened when first used, described, and every statement noted for the receipt."""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError, SourceUnavailableError
from evidence.snapshot import canonical
from evidence.snapshot.model import Statement
from evidence.sources import snowflake_refusal as refusal
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_login import PINNED, Login

Clock = Callable[[], dt.datetime]
T = TypeVar("T")
BATCH_ROWS: Final = 65_536
LARGEST_OFFSET: Final = 60.0  # seconds between the two clocks that are worth a note


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between tries: doubling from ``first`` seconds up to ``ceiling``, ``attempts`` tries in all."""

    attempts: int = 4
    first: float = 1.0
    ceiling: float = 30.0

    def waits(self) -> Iterator[float]:
        """Yield the wait before each further try."""
        for turn in range(self.attempts - 1):
            yield min(self.first * 2**turn, self.ceiling)


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer of a few rows."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def column(self, name: str) -> list[Any]:
        """Return one column's values."""
        at = self.names.index(name)
        return [row[at] for row in self.rows]


class Session:
    """Sends read statements only. Not thread-safe."""

    def __init__(
        self,
        login: Login,
        run: str,
        clock: Clock,
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.login = login
        self.statements: list[Statement] = []
        self.system: Mapping[str, str] = {}
        self.notes: tuple[str, ...] = ()
        self.number = 0  # counts the logins; a read and its totals must share one
        self._run = run
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._connection: Any = None

    def rows(self, statement: str, *, contract: Contract | None = None, same_session: bool = False) -> Rows:
        """Send a statement with a small answer and return all of it; SHOW and DESCRIBE answer as rows of JSON."""
        return self.bound(statement, (), contract=contract, same_session=same_session)

    def bound(
        self, statement: str, binds: Sequence[sql.Bind], *, contract: Contract | None = None, same_session: bool = False
    ) -> Rows:
        """Send a statement with binds and a small answer."""

        def send(cursor: Any) -> Rows:
            started = self._clock()
            cursor.execute(statement, list(binds) or None)
            names = tuple(column.name for column in cursor.description)
            found = tuple(tuple(row) for row in cursor.fetchall())
            self._note(statement, binds, cursor.sfqid, started, len(found))  # rowcount is 1 for JSON answers in 5.2.0
            return Rows(names, found)

        return self._try(send, statement, contract, binds, same_session=same_session)

    def stream(
        self, statement: str, binds: Sequence[sql.Bind], *, contract: Contract | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Send a statement and yield its rows as Arrow batches of bounded size; times in microseconds, cut, not rounded.

        Raises ``SourceUnavailableError`` if the stream ends with other than the number of rows that was announced.
        """
        started = self._clock()

        def send(cursor: Any) -> Any:
            cursor.execute(statement, list(binds) or None)
            return cursor

        cursor = self._try(send, statement, contract, binds)
        seen = 0
        try:
            for table in cursor.fetch_arrow_batches(force_microsecond_precision=True):
                for batch in table.to_batches(max_chunksize=BATCH_ROWS):
                    seen += batch.num_rows
                    yield batch
        except self._errors() as exc:
            self._note(statement, binds, cursor.sfqid, started, seen, refusal.code_of(exc))
            raise refusal.explain(exc, f"while reading {_short(statement)}", contract, self.login.role) from exc
        announced = cursor.rowcount
        self._note(statement, binds, cursor.sfqid, started, seen)
        if announced is not None and announced >= 0 and announced != seen:
            raise SourceUnavailableError(
                f"{_short(statement)}: {announced} rows were announced and {seen} arrived", fix="try again"
            )

    def expect(self, login: int) -> None:
        """Raise ``SourceUnavailableError`` if the session is another than that of ``login``."""
        if self.number != login:
            raise SourceUnavailableError("the session was lost while rows were read", fix="try again")

    def open(self) -> None:
        """Log in if there is no session, and find out where we are. Raises ``SourceError``."""
        self._try(lambda _cursor: None, "login", None)

    def close(self) -> None:
        """Log out. Idempotent; a failing logout is of no consequence to what was read."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except self._errors():
                return

    def _try(
        self,
        send: Callable[[Any], T],
        statement: str,
        contract: Contract | None,
        binds: Sequence[sql.Bind] = (),
        *,
        same_session: bool = False,
    ) -> T:
        """Run ``send`` on a cursor, again after transient errors, with a new login after a lost session."""
        if statement != "login" and not sql.is_read(statement):
            raise ValueError(f"not a read statement: {_short(statement)}")
        before = self.number
        waits = self._backoff.waits()
        while True:
            started, cursor = self._clock(), None
            try:
                self._connect()
                if same_session and self.number != before:
                    raise SourceUnavailableError(
                        f"{_short(statement)}: the session was lost between the rows and their totals", fix="try again"
                    )
                cursor = self._connection.cursor()
                return send(cursor)
            except self._errors() as exc:
                if cursor is not None and statement != "login":  # it was sent, and says why it has no answer
                    self._note(statement, binds, cursor.sfqid, started, None, refusal.code_of(exc))
                wait = next(waits, None)
                if wait is None or not refusal.is_transient(exc):
                    raise refusal.explain(exc, _short(statement), contract, self.login.role) from exc
                if refusal.errno_of(exc) in refusal.SESSION_GONE:
                    self.close()
                self._sleep(wait)

    def _connect(self) -> None:
        if self._connection is not None:
            return
        from snowflake import connector

        options = self.login.options(self._run)
        try:
            self._connection = connector.connect(**options)
        except TypeError as exc:
            raise ConfigError(f"the connector refuses an option: {exc}", fix="check the Snowflake section") from exc
        self.number += 1
        try:
            self._describe(connector.__version__)
        except BaseException:
            self.close()  # a session that we know nothing about is not used
            raise

    def _describe(self, version: str) -> None:
        """Find out who and where we are and whether the pinned parameters hold. One round per login."""
        cursor = self._connection.cursor()
        context = self._plain(cursor, sql.CONTEXT)[0]
        before = self._clock()
        server = self._plain(cursor, sql.NOW)[0][0]
        offset = (server - before).total_seconds()
        held = {str(row[0]).upper(): str(row[1]) for row in self._plain(cursor, sql.SESSION_PARAMETERS)}
        wanted = {name: _spelled(value) for name, value in PINNED.items()}
        differ = sorted(name for name in wanted if held.get(name, wanted[name]).lower() != wanted[name].lower())
        notes = [f"session parameter {name} is {held[name]}, asked for {wanted[name]}" for name in differ]
        if abs(offset) > LARGEST_OFFSET:
            notes.append(f"the account's clock is {offset:+.0f} s from ours")
        self.notes = tuple(notes)
        named = {name: str(value) for name, value in zip(sql.CONTEXT_NAMES, context, strict=True) if value is not None}
        self.system = {
            "product": "snowflake",
            **named,
            "connector": f"snowflake-connector-python {version}",
            "session_parameters": canonical.encode({name: held.get(name, "") for name in sorted(wanted)}).decode(),
            "clock_offset_seconds": f"{offset:.3f}",
        }

    def _plain(self, cursor: Any, statement: str) -> list[tuple[Any, ...]]:
        started = self._clock()
        cursor.execute(statement)
        found = [tuple(row) for row in cursor.fetchall()]
        self._note(statement, (), cursor.sfqid, started, len(found))
        return found

    def _note(
        self,
        statement: str,
        binds: Sequence[sql.Bind],
        query_id: str | None,
        started: dt.datetime,
        rows: int | None,
        error: str | None = None,
    ) -> None:
        spelled = tuple(value if isinstance(value, str) else canonical.format_time(value) for _, value in binds)
        self.statements.append(Statement(statement, spelled, query_id, started, self._clock(), rows, error))

    def _errors(self) -> tuple[type[BaseException], ...]:
        from snowflake.connector import errors

        return (errors.Error,)


def _short(statement: str) -> str:
    """Name a statement in a message: its head, and the object it reads."""
    if len(statement) <= 120:
        return statement
    _, _, rest = statement.partition(" FROM ")
    return f"{statement[:40]}… FROM {rest.split(' ', 1)[0]}"


def _spelled(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
