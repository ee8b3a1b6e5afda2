"""One session with an account: opened when first used, described, and every statement noted for the receipt."""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError, SourceDeniedError, SourceError, SourceUnavailableError
from evidence.snapshot import canonical
from evidence.snapshot.model import Statement
from evidence.sources import snowflake_refusal as refusal
from evidence.sources import snowflake_sql as sql
from evidence.sources import snowflake_standing as standing
from evidence.sources.patience import within
from evidence.sources.snowflake_login import Login

Clock = Callable[[], dt.datetime]
T = TypeVar("T")
BATCH_ROWS: Final = 65_536
LOGOUT_SECONDS: Final = 10.0  # a session that is not closed ends by itself


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

    def one(self, statement: str) -> tuple[Any, ...]:
        """Return the only row. Raises ``SourceUnavailableError`` if there is another number of rows."""
        if len(self.rows) != 1:
            raise SourceUnavailableError(
                f"{_short(statement)}: {len(self.rows)} rows came where one was asked for", fix=refusal.NOT_THE_SERVICE
            )
        return self.rows[0]

    def moment(self, statement: str) -> dt.datetime:
        """Return the only value, an instant. Raises ``SourceUnavailableError`` if it is none."""
        value = self.one(statement)[0]
        if not isinstance(value, dt.datetime) or value.tzinfo is None:
            raise SourceUnavailableError(f"{_short(statement)}: the answer is no instant", fix=refusal.NOT_THE_SERVICE)
        return value.astimezone(dt.UTC)


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
        self._barred: SourceError | ConfigError | None = None  # why there is no session, once that is certain

    def rows(self, statement: str, *, contract: Contract | None = None, same_session: bool = False) -> Rows:
        """Send a statement with a small answer and return all of it; SHOW and DESCRIBE answer as rows of JSON."""
        return self.bound(statement, (), contract=contract, same_session=same_session)

    def bound(
        self, statement: str, binds: Sequence[sql.Bind], *, contract: Contract | None = None, same_session: bool = False
    ) -> Rows:
        """Send a statement with binds and a small answer."""

        def send(cursor: Any) -> Rows:
            return self._whole(cursor, statement, binds)

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
            tables = iter(cursor.fetch_arrow_batches(force_microsecond_precision=True))
            while (table := self._patient(lambda: next(tables, None))) is not None:
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
                f"{_short(statement)}: {announced} rows were announced and {seen} arrived", fix=refusal.NOT_THE_SERVICE
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
        self._barred = None
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                within(LOGOUT_SECONDS, connection.close)
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
        """Run ``send`` on a cursor, again after transient errors, with a new login after a lost session.

        No try begins later than ``timeout_seconds`` after the first. A login that failed for good is not tried again
        before :meth:`close`: refused logins in a row lock the user, and unanswered ones would take up the night.
        """
        if statement != "login" and not sql.is_read(statement):
            raise ValueError(f"not a read statement: {_short(statement)}")
        before = self.number
        waits = self._backoff.waits()
        until = time.monotonic() + self.login.timeout_seconds
        while True:
            started, cursor, connected = self._clock(), None, False
            try:
                self._connect()
                connected = True
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
                if wait is None or time.monotonic() + wait > until or not refusal.is_transient(exc):
                    if connected:
                        raise refusal.explain(exc, _short(statement), contract, self.login.role) from exc
                    self._barred = refusal.explain(exc, "login", None, self.login.role)
                    raise self._barred from exc
                if refusal.errno_of(exc) in refusal.SESSION_GONE:
                    self._drop()
                self._sleep(wait)

    def _connect(self) -> None:
        if self._connection is not None:
            return
        if self._barred is not None:
            raise type(self._barred)(str(self._barred), fix=self._barred.fix)
        from snowflake import connector

        options = self.login.options(self._run)
        try:
            self._connection = connector.connect(**options)
        except TypeError as exc:
            raise ConfigError(f"the connector refuses an option: {exc}", fix="check the Snowflake section") from exc
        self.number += 1
        try:
            self._describe(connector.__version__)
        except BaseException as exc:
            self._drop()  # a session that we know nothing about, or that is not what was asked for, is not used
            self._barred = exc if isinstance(exc, SourceDeniedError) else None
            raise

    def _describe(self, version: str) -> None:
        """Find out who and where we are and whether the pinned parameters hold. One round per login."""
        row = self._ask(sql.CONTEXT).one(sql.CONTEXT)
        context = {name: str(value) for name, value in zip(sql.CONTEXT_NAMES, row, strict=True) if value is not None}
        before = self._clock()
        offset = (self._ask(sql.NOW).moment(sql.NOW) - before).total_seconds()
        held = {str(row[0]).upper(): str(row[1]) for row in self._ask(sql.SESSION_PARAMETERS).rows}
        standing.check(self.login, context, held)
        self.notes = standing.notes(context, held, offset)
        self.system = {
            "product": "snowflake",
            **context,
            "connector": f"snowflake-connector-python {version}",
            "session_parameters": canonical.encode(
                {name: held.get(name, "") for name in sorted(standing.WANTED)}
            ).decode(),
            "clock_offset_seconds": f"{offset:.3f}",
        }

    def _ask(self, statement: str) -> Rows:
        return self._whole(self._connection.cursor(), statement, ())

    def _whole(self, cursor: Any, statement: str, binds: Sequence[sql.Bind]) -> Rows:
        """Send a statement and return all of its answer, which must be as long as it says it is."""
        started = self._clock()
        cursor.execute(statement, list(binds) or None)
        names = tuple(column.name for column in cursor.description or ())
        found = tuple(tuple(row) for row in self._patient(cursor.fetchall))
        self._note(statement, binds, cursor.sfqid, started, len(found))
        announced = cursor.rowcount
        if announced is None or announced < 0 or announced > len(found):
            said = "an unknown number of" if announced is None or announced < 0 else announced
            raise SourceUnavailableError(
                f"{_short(statement)}: {said} rows were announced and {len(found)} arrived", fix=refusal.NOT_THE_SERVICE
            )
        return Rows(names, found)

    def _patient(self, call: Callable[[], T]) -> T:
        """Wait for a piece of an answer as long as for a statement. A session that went silent is not used again."""
        try:
            return within(self.login.timeout_seconds, call)
        except TimeoutError:
            self._drop()
            raise TimeoutError(f"nothing arrived for {self.login.timeout_seconds} s") from None

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

        return (errors.Error, pa.ArrowException, TimeoutError)


def _short(statement: str) -> str:
    """Name a statement in a message: its head, and the object it reads."""
    if len(statement) <= 120:
        return statement
    head, _, rest = statement.partition(" FROM ")
    return f"{head[:40]}…" + (f" FROM {rest.split(' ', 1)[0]}" if rest else "")
