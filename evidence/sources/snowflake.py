"""A Snowflake account as a source: views, SHOW and DESCRIBE commands and table functions, read and never written.

Contracts say over which connection they are read: the base one (database roles and one warehouse), or an elevated one
that is used for nothing else and may be absent. A view is read in one session in this order: its live columns, the
server's time, the rows, then COUNT, SUM and HASH_AGG over the same window. Totals come last because ACCOUNT_USAGE cannot
be read in a snapshot: a row that arrives in between shows as a difference, and the window is read again.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from evidence.datasets.contract import ARROW, Connection, Contract
from evidence.datasets.timing import settled_at
from evidence.datasets.totals import from_row
from evidence.errors import SourceDeniedError, SourceEditionError, SourceError, SourceUnavailableError
from evidence.snapshot.model import Empty, Finality, Statement, Totals, Window
from evidence.sources import snowflake_sql as sql
from evidence.sources.protocol import Count, Reading
from evidence.sources.snowflake_login import Login
from evidence.sources.snowflake_session import Backoff, Clock, Session
from evidence.sources.snowflake_show import Enumeration

NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
EDITIONS = ("standard", "enterprise", "business_critical")


class SnowflakeSource:
    """One account. Each session is opened at its first read and closed by :meth:`close`.

    ``edition`` is what the configuration says; no view tells it, so the receipt names where it comes from. ``elevated``
    signs in for the contracts whose ``connection`` is elevated; ``left_out`` says which datasets are not captured, and why.
    """

    live = True

    def __init__(
        self,
        name: str,
        login: Login,
        datasets: Sequence[str],
        *,
        run: str,
        clock: Clock,
        edition: str = "",
        elevated: Login | None = None,
        left_out: Mapping[str, str] | None = None,
        contracts: Mapping[str, Contract] | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.edition = edition
        self.contracts = contracts or {}  # of its datasets: what the probe asks about
        self.session = Session(login, run, clock, backoff=backoff, sleep=sleep)
        self.elevated = Session(elevated, run, clock, backoff=backoff, sleep=sleep) if elevated else None
        self._datasets = tuple(datasets)
        self._left_out = dict(left_out or {})

    def datasets(self) -> Sequence[str]:
        """Return the datasets that were configured."""
        return self._datasets

    def not_captured(self) -> Mapping[str, str]:
        """Return dataset -> why it is not among :meth:`datasets`: no capture is ever tried, so none can look empty."""
        return self._left_out

    def nights(self, contract: Contract) -> None:
        """Return None: any night within the view's retention can be asked for."""
        del contract

    def read(self, contract: Contract, window: Window) -> Reading:
        """Start reading; nothing is sent before the first batch is asked for.

        Raises ``SourceEditionError`` if the configuration says that the account cannot have this dataset, and
        ``SourceDeniedError`` if it needs an elevated connection and there is none.
        """
        self._check_edition(contract)
        if contract.read == "probe":
            from evidence.sources.snowflake_probe import VisibilityReading

            return VisibilityReading(self, contract, window)
        kind = ViewReading if contract.read == "view" else ShowReading
        return kind(self, contract, window)

    def _check_edition(self, contract: Contract) -> None:
        if self.edition and EDITIONS.index(self.edition) < EDITIONS.index(contract.edition):
            raise SourceEditionError(
                f"{contract.name} needs {contract.edition}; the configuration says {self.edition}",
                fix="if the account has a higher edition, say so in `edition` of this source",
            )

    def count(self, contract: Contract, window: Window, columns: Sequence[str]) -> Count | None:
        """Count the window on the server and hash ``columns`` again; None if the view or the contract changed meanwhile."""
        self._check_edition(contract)
        if contract.read != "view":
            return None
        session = self.session_for(contract)
        session.open()
        sent = len(session.statements)
        live = session.rows(sql.describe(contract), contract=contract).column("name")
        selection = sql.choose(contract, [str(name) for name in live])
        if not columns or not set(columns) <= set(sql.hashable(selection)):
            return None
        totals, digest, _ = server_totals(session, contract, selection, window, columns)
        return Count(totals, digest, tuple(columns), tuple(session.statements[sent:]))

    def session_for(self, contract: Contract) -> Session:
        """Return the session a contract is read over."""
        if contract.connection == "base":
            return self.session
        if self.elevated is None:
            raise SourceDeniedError(
                f"{contract.name} needs an elevated connection, and none is configured",
                fix=f"add [sources.{self.name}.elevated], with a role of its own: evidence setup snowflake",
            )
        return self.elevated

    def held(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Return privilege, kind and name of everything the role of a connection was granted itself."""
        session = self.session if connection == "base" or self.elevated is None else self.elevated
        session.open()
        answer = session.rows(f"SHOW GRANTS TO ROLE {sql.quoted(session.system.get('role', ''))}")
        if len(answer.rows) >= sql.PAGE_ROWS:
            raise SourceUnavailableError(
                "SHOW GRANTS TO ROLE reached its row cap", fix="a role that only reads metadata holds a few grants"
            )
        columns = [answer.column(name) for name in ("privilege", "granted_on", "name")]
        return [(str(privilege), str(kind), str(name)) for privilege, kind, name in zip(*columns, strict=True)]

    def close(self) -> None:
        """Log out. Idempotent."""
        self.session.close()
        if self.elevated is not None:
            self.elevated.close()


class SnowflakeReading:
    """What both kinds of reading share: the notes and facts of the receipt."""

    def __init__(self, source: SnowflakeSource, contract: Contract, window: Window) -> None:
        self.source, self.contract, self.window = source, contract, window
        self.session = source.session_for(contract)
        self.totals: Totals | None = None
        self.empty: Empty | None = None
        self.batches: Iterator[pa.RecordBatch] = self._read()
        self._first = len(self.session.statements)
        self._notes: list[str] = []
        self._refused: list[str] = []  # filled while the rows are read
        self._facts: dict[str, str] = {}
        self._moment: dt.datetime | None = None

    def _read(self) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError

    @property
    def rejected(self) -> Iterator[tuple[str, str]]:
        """Nothing for a view: every row of it is a row."""
        return iter(())

    @property
    def statements(self) -> Sequence[Statement]:
        """What was sent for this reading, in order; the login's own statements with the first."""
        return tuple(self.session.statements[self._first :])

    @property
    def system(self) -> Mapping[str, str]:
        """Account, role, session and the like, as the session says."""
        edition = self.source.edition
        said = {"edition": edition, "edition_source": "configuration"} if edition else {"edition_source": "not known"}
        return {**self.session.system, "connection": self.contract.connection, **said, **self._facts}

    @property
    def as_of(self) -> tuple[dt.datetime, bool] | None:
        """The server's time right before the rows were read."""
        if self.contract.kind != "state" or self._moment is None:
            return None
        return self._moment, False

    @property
    def finality(self) -> Finality | None:
        """Provisional if the server's clock says so, whatever ours says; else None: the caller judges by ours."""
        early = self._moment is not None and self._moment < settled_at(self.contract, self.window.night)
        return "provisional" if self.contract.kind == "event" and early else None

    @property
    def notes(self) -> Sequence[str]:
        """What an auditor should know."""
        return (*self.session.notes, *self._notes)

    def _mark_time(self) -> None:
        """Take the server's time; a state is true as of now, less the view's latency."""
        self.session.open()
        self._moment = self.session.rows(sql.NOW, contract=self.contract).moment(sql.NOW)
        self._check_time(self._moment)
        if self.contract.kind == "state" and self.contract.latency_minutes:
            self._notes.append(
                f"{self.contract.object} may lag by about {self.contract.latency_minutes} minutes (documented latency)"
            )

    def _check_time(self, moment: dt.datetime) -> None:
        """A window that is not now by the server's clock is not read: rows would be missing, or another night's."""
        window, state = self.window, self.contract.kind == "state"
        soonest, latest = (window.start, window.end) if state else (window.end, NEVER)
        if not soonest <= moment < latest:
            offset = self.session.system.get("clock_offset_seconds", "?")
            span = (
                f"between {soonest.isoformat()} and {latest.isoformat()}" if state else f"from {soonest.isoformat()} on"
            )
            raise SourceUnavailableError(
                f"{self.contract.name}: the night {window.night} is read {span}; the account's clock says"
                f" {moment.isoformat(timespec='seconds')}, {offset} s from ours",
                fix="correct this machine's clock if it is wrong, and collect again",
            )


class ViewReading(SnowflakeReading):
    """One window of one view."""

    def _read(self) -> Iterator[pa.RecordBatch]:
        self._mark_time()
        live = self.session.rows(sql.describe(self.contract), contract=self.contract).column("name")
        selection = sql.choose(self.contract, [str(name) for name in live])
        self._say_drift(selection)
        statement, binds = sql.select(self.contract, selection, self.window)
        login = self.session.number
        yield _header(selection)
        yield from self.session.stream(statement, binds, contract=self.contract)
        self.session.expect(login)
        self._take_totals(selection)

    def _take_totals(self, selection: sql.Selection) -> None:
        """Count on the server, over the same window, in the same session."""
        self.totals, digest, names = server_totals(self.session, self.contract, selection, self.window)
        self._facts["hash_agg"] = digest
        self._facts["hash_agg_columns"] = ",".join(names)
        if not self.totals.rows:
            self.empty = self._why_empty(selection)

    def _why_empty(self, selection: sql.Selection) -> Empty:
        """Say what no rows mean. A day of an unfiltered view is believed if the view shows rows of the weeks around it."""
        contract = self.contract
        seen = f"{contract.object} answered DESCRIBE, SELECT and COUNT(*)"
        if contract.edition != "standard" and not self.source.edition:
            seen += f"; it needs {contract.edition}, and the edition is not stated"
        if contract.privilege_filtered:
            return Empty("unproven", f"{seen}; it may show only what the role has a privilege on")
        if contract.kind != "event":
            return Empty("unproven", f"{seen}; a view without any row shows nothing that was to be seen")
        statement, binds = sql.neighbours(contract, selection, self.window)
        try:
            answer = self.session.bound(statement, binds, contract=contract, same_session=True)
            near = int(answer.one(statement)[0])
        except SourceError as exc:
            return Empty("unproven", f"{seen}; the weeks around could not be counted: {exc}")
        first, last = self.window.night - sql.NEARBY, self.window.night + sql.NEARBY
        return Empty("nothing" if near else "unproven", f"{seen}; it shows {near} rows from {first} to {last}")

    def _say_drift(self, selection: sql.Selection) -> None:
        if selection.unknown:
            self._notes.append(f"columns the contract does not know, not read: {', '.join(selection.unknown)}")
        dropped = [column.name for column in self.contract.columns if column.treatment == "drop"]
        if dropped:
            self._notes.append(f"never read, by treatment: {', '.join(dropped)}")


class ShowReading(SnowflakeReading):
    """The answers of a contract's statements, as text. What was refused stands for rows that are missing."""

    def _read(self) -> Iterator[pa.RecordBatch]:
        self._mark_time()
        enumeration = Enumeration(self.session, self.contract, self.window)
        count = 0
        for answer in enumeration.answers():
            count += len(answer.rows)
            yield _text_batch(answer.names, answer.rows)
        self._refused += enumeration.refused
        self._notes += [*enumeration.notes, *enumeration.refused]
        if self.contract.read == "show":
            self._notes.append(
                "SHOW lists objects on which the role has a privilege; its totals are the number of rows in the answers"
            )
        self.totals = Totals(rows=count + len(self._refused))

    @property
    def rejected(self) -> Iterator[tuple[str, str]]:
        """One per object that was refused: the capture lacks its rows and cannot be complete."""
        return (("", reason) for reason in self._refused)


def server_totals(
    session: Session, contract: Contract, selection: sql.Selection, window: Window, columns: Sequence[str] = ()
) -> tuple[Totals, str, tuple[str, ...]]:
    """Return control totals and HASH_AGG with its columns, taken in the session that is open."""
    statement, binds, asked = sql.totals(contract, selection, window)
    answer = session.bound(statement, binds, contract=contract, same_session=True)
    totals = from_row(asked, dict(zip(answer.names, answer.one(statement), strict=True)))
    statement, binds, names = sql.hash_agg(contract, selection, window, columns)
    answer = session.bound(statement, binds, contract=contract, same_session=True)
    return totals, str(answer.one(statement)[0]), names


def _text_batch(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [pa.array([_spell(value) for value in column], pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _spell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _header(selection: sql.Selection) -> pa.RecordBatch:
    """An empty batch with the columns of the view, those nobody knows included: an empty view has columns too, and a
    new column shows as drift although it is not read.
    """
    fields = [pa.field(name, ARROW[column.type]) for name, column in selection.columns]
    fields += [pa.field(name, pa.null()) for name in selection.unknown]
    return pa.RecordBatch.from_pylist([], schema=pa.schema(fields))
