"""Statements -> tables, by fakesnow over DuckDB. What fakesnow lacks is rewritten into what it has."""

import datetime as dt
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot
from fakesnow.converter import from_binding
from fakesnow.instance import FakeSnow
from fakesnow.rowtype import describe_as_rowtype
from sqlglot import exp

from tests.servers.snowflake_emulator import pushed
from tests.servers.snowflake_emulator.load import SCHEMAS, View, load, shape, table_of
from tests.servers.snowflake_emulator.state import Account, Session
from tests.servers.snowflake_emulator.wire import describe

CONTEXT = re.compile(r"\b(CURRENT_[A-Z_]+|SYSDATE)\(\)", re.IGNORECASE)
VIEW = re.compile(rf'"?({"|".join(SCHEMAS)})"?\."?([A-Z_]+)"?')
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|CREATE|DROP)\b", re.IGNORECASE)
TEMPORARY = re.compile(r"^CREATE OR REPLACE TEMPORARY TABLE\b")
HASH_AGG = re.compile(r"\bHASH_AGG\(([^()]*)\)", re.IGNORECASE)
# Stand-in for Snowflake's HASH_AGG: order-free, counts duplicates and NULLs, 0 for no rows, signed 64 bits.
HASH_MACRO = """
CREATE OR REPLACE MACRO SNOWFLAKE.ACCOUNT_USAGE.EMULATOR_HASH_AGG(x) AS
  CAST(coalesce(sum(CAST(hash(x) AS HUGEINT)), 0) % 9223372036854775783 AS BIGINT)
"""


@dataclass(frozen=True)
class Answer:
    """A result as Arrow, with its columns in the server's words."""

    table: pa.Table
    columns: list[dict[str, Any]]


class Engine:
    """The account's data. One DuckDB instance; each session has a connection of its own."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.views: dict[str, View] = load(folder, scratch / "SNOWFLAKE.db")
        self._fake = FakeSnow(db_path=scratch)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._databases: dict[str, set[str]] | None = None
        self.reshaped: dict[str, dict[str, Any]] = {}
        self._control = self._connect()
        self._control._duck_conn.execute(pushed.MACROS)
        self._control._duck_conn.execute(HASH_MACRO)  # fakesnow refuses CREATE MACRO, rightly
        self.night: dt.date | None = None

    def _connect(self) -> Any:
        return self._fake.connect("SNOWFLAKE", "ACCOUNT_USAGE")

    def connect(self) -> Any:
        """Return a connection for one session."""
        with self._lock:
            return self._connect()

    def duck(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run DuckDB SQL on the data, for control and SHOW."""
        with self._lock:
            return self._control._duck_conn.execute(sql, list(parameters)).fetchall()

    def nights_of(self, name: str) -> set[str]:
        """Return the nights a dataset was exported for."""
        return set(self.views[name].nights)

    def choose(self, night: dt.date) -> None:
        """Let state views show ``night``."""
        self.night = night
        self._databases = None
        self.duck("UPDATE SNOWFLAKE.EMULATOR.CHOSEN SET night = ?", [night])

    def captured_at(self, night: dt.date) -> dt.datetime | None:
        """Return when the exporter says it saw the last state of ``night``, if it says so."""
        claims = [view.nights.get(night.isoformat(), {}) for view in self.views.values() if view.kind == "state"]
        moments = [claim["as_of"] for claim in claims if "as_of" in claim]
        return max(map(dt.datetime.fromisoformat, moments), default=None)

    def refusal(self, sql: str, bindings: Mapping[str, Any]) -> str:
        """Return the status other than ``complete`` that the exporter met with for what ``sql`` reads, or nothing."""
        view, night = self._asked(sql, bindings)
        if view is None or not view.nights:
            return ""
        if night not in view.nights:
            return "" if night == "None" else "unavailable"  # the exporter did not run: nothing is known of that night
        status = view.nights[night].get("status", "complete")
        return "" if status == "complete" else str(status)

    def surplus(self, sql: str, bindings: Mapping[str, Any]) -> int:
        """Return how many rows more than there are the account shall count for ``sql``."""
        view, night = self._asked(sql, bindings)
        return view.surplus.get(night, 0) if view else 0

    def _asked(self, sql: str, bindings: Mapping[str, Any]) -> tuple[View | None, str]:
        """Return the view a statement names and its night: the chosen one, or the one day of its window."""
        named = VIEW.search(sql)
        view = self.views.get(key_of(named[1], named[2])) if named else None
        edges = [from_binding(bindings[at]) for at in ("1", "2") if view and view.kind == "event" and at in bindings]
        if len(edges) < 2:
            return view, str(self.night)
        return view, str(edges[0].date() if edges[1] - edges[0] == dt.timedelta(days=1) else None)

    def reshape(self, name: str, **how: Any) -> None:
        """Change a view's columns or empty it; without arguments, put it back."""
        with self._lock:
            self._known.clear()
            self.reshaped[name] = how
            shape(self._control._duck_conn, self.views[name], **how)

    def databases(self) -> dict[str, set[str]]:
        """Databases and their schemas: of TABLES and of the future grants, on the chosen night."""
        if self._databases is None:
            found: dict[str, set[str]] = {}
            tables = self.duck("SELECT DISTINCT table_catalog, table_schema FROM SNOWFLAKE.ACCOUNT_USAGE.TABLES")
            for database, schema in tables:
                found.setdefault(database, set()).add(schema)
            grants = table_of(self.views["SHOW.FUTURE_GRANTS"])
            for (name,) in self.duck(f'SELECT DISTINCT "name" FROM {grants} WHERE night = ?', [self.night]):
                database, *rest = name.split(".")
                found.setdefault(database, set()).update(rest[:-1])
            listed = table_of(self.views["SHOW.DATABASES"])
            for (name,) in self.duck(f'SELECT DISTINCT "name" FROM {listed} WHERE night = ?', [self.night]):
                found.setdefault(name, set())
            self._databases = found
        return self._databases

    def columns(self, schema: str, name: str) -> list[tuple[str, str]]:
        """Return the columns a view has now, with Snowflake's type names."""
        found = self.duck(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'SNOWFLAKE' "
            "AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [schema, name],
        )
        words = {"BIGINT": "NUMBER(38,0)", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_LTZ(9)", "JSON": "VARIANT"}
        words |= {"DATE": "DATE", "TIMESTAMP": "TIMESTAMP_NTZ(9)", "BOOLEAN": "BOOLEAN", "DOUBLE": "FLOAT"}
        return [(column, words.get(kind, "VARCHAR(16777216)")) for column, kind in found]

    def run(self, account: Account, session: Session, sql: str, bindings: Mapping[str, Any] | None) -> Answer:
        """Run one statement. fakesnow raises ``ProgrammingError`` with Snowflake's codes."""
        parameters = [from_binding(bindings[str(at)]) for at in range(1, len(bindings or {}) + 1)]
        surplus = self.surplus(sql, bindings or {})
        asked = sql.replace("COUNT(*)", f"COUNT(*) + {surplus}") if surplus else sql
        if CONTEXT.search(asked) or asked not in self._known:  # what is current is part of the text, so not kept
            return self._learn(session, asked, rewrite(account, session, asked), parameters)
        duck_sql, columns = self._known[asked]
        return Answer(session.connection._duck_conn.execute(duck_sql, parameters).to_arrow_table(), columns)

    def _learn(self, session: Session, asked: str, text: str, parameters: list[Any]) -> Answer:
        """Run a statement through fakesnow, and keep what it made of it: translating takes longer than running."""
        cursor = session.connection.cursor()
        cursor.execute(text, binding_params=tuple(parameters) or None, server=True)
        table = cursor._arrow_table
        columns = describe(table.schema, describe_as_rowtype(cursor._describe_last_sql()))
        if not WRITES.match(text):  # fakesnow answers those by a second statement, which would be kept in their place
            self._known[asked] = (cursor._last_sql, columns)
        return Answer(table, columns)


def key_of(schema: str, name: str) -> str:
    """Return the key of a view under a schema, as :func:`load.name_of` gives it."""
    return name if schema == "ACCOUNT_USAGE" else f"{schema}.{name}"


def rewrite(account: Account, session: Session, sql: str) -> str:
    """Replace context functions by literals and HASH_AGG by the stand-in."""
    own = {
        **account.facts,
        "CURRENT_USER": session.user,
        "CURRENT_ROLE": session.role,
        "CURRENT_SESSION": str(session.number),
    }
    moment = f"'{account.now().isoformat()}'::TIMESTAMP_TZ"

    def context(match: re.Match[str]) -> str:
        name = match[1].upper()
        if name in {"CURRENT_TIMESTAMP", "SYSDATE"}:
            return moment
        return "'" + own[name].replace("'", "''") + "'" if name in own else match[0]

    def hashed(match: re.Match[str]) -> str:
        parts = [f"COALESCE(CAST({part.strip()} AS VARCHAR), '\u2205')" for part in match[1].split(",")]
        row = " || '\u241f' || ".join(parts)
        return f"EMULATOR_HASH_AGG({row})"

    sql = TEMPORARY.sub("CREATE OR REPLACE TABLE", sql)  # DuckDB keeps its own in a catalogue apart
    if pushed.is_pushed(sql):
        sql = pushed.rewritten(sql)
    return _exact_sums(HASH_AGG.sub(hashed, CONTEXT.sub(context, sql)))


def _exact_sums(sql: str) -> str:
    """Let SUM add whole numbers: fakesnow would add them as DOUBLE, unless the argument is cast already."""
    if "SUM(" not in sql.upper():
        return sql
    tree = sqlglot.parse_one(sql, read="snowflake")
    for total in tree.find_all(exp.Sum):
        total.set("this", exp.cast(total.this, "DECIMAL(38, 0)"))
    return tree.sql(dialect="snowflake")
