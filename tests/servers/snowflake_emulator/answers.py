"""SHOW and DESC: answered as JSON rows, every value text, column names in lower case, as the server does."""

import re
from collections.abc import Callable
from typing import Any

from tests.servers.snowflake_emulator.engine import Engine
from tests.servers.snowflake_emulator.load import table_of
from tests.servers.snowflake_emulator.state import Account, Session
from tests.servers.snowflake_emulator.wire import rowtype

CAP = 10_000  # Snowflake, SHOW commands: at most 10,000 rows, then LIMIT … FROM
Rows = list[list[str | None]]
Table = tuple[list[dict[str, Any]], Rows]
PART = r'("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
PAGE = re.compile(r"\s+LIMIT\s+(\d+)(?:\s+FROM\s+'((?:[^']|'')*)')?\s*$", re.IGNORECASE)


class NotFoundError(Exception):
    """The object does not exist or is not visible."""


def answer(engine: Engine, account: Account, session: Session, sql: str) -> Table | None:
    """Return columns and rows if ``sql`` is a SHOW or DESC that is answered here, else None."""
    page = PAGE.search(sql)
    head = sql[: page.start()] if page else sql
    for pattern, build in _FORMS:
        match = re.fullmatch(pattern, head.strip(), re.IGNORECASE)
        if match:
            columns, rows = build(engine, account, session, *match.groups())
            return columns, _cut(columns, rows, page)
    return None


def unquote(name: str) -> str:
    """Return the exact name of a possibly quoted identifier."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.upper()


def _cut(columns: list[dict[str, Any]], rows: Rows, page: re.Match[str] | None) -> Rows:
    """Apply LIMIT … FROM (exclusive, by name) and the cap."""
    limit = min(int(page[1]), CAP) if page else CAP
    if page and page[2] is not None:
        at = [column["name"] for column in columns].index("name")
        rows = [row for row in rows if (row[at] or "") > page[2].replace("''", "'")]
    return rows[:limit]


def _text(*names: str) -> list[dict[str, Any]]:
    return [
        rowtype(name, "timestamp_ltz", scale=9) if name == "created_on" else rowtype(name, "text") for name in names
    ]


def _show_databases(engine: Engine, *_: Any) -> Table:
    columns = _text("created_on", "name", "is_default", "is_current", "origin", "owner", "comment", "options", "kind")
    rows: Rows = [_database_row("SNOWFLAKE", "SNOWFLAKE.ACCOUNT_USAGE", "APPLICATION")]
    rows += [_database_row(name, "", "STANDARD") for name in engine.databases() if name != "SNOWFLAKE"]
    return columns, sorted(rows, key=lambda row: row[1] or "")


def _database_row(name: str, origin: str, kind: str) -> list[str | None]:
    return ["1700000000.000000000", name, "N", "N", origin, "SYSADMIN", "", "", kind]


def _show_schemas(engine: Engine, _account: Account, _session: Session, database: str) -> Table:
    name = unquote(database)
    known = engine.databases()
    if name not in known:
        raise NotFoundError(f"Database '{name}' does not exist or not authorized.")
    columns = _text("created_on", "name", "is_default", "is_current", "database_name", "owner", "comment", "options")
    schemas = sorted({*known[name], "INFORMATION_SCHEMA"})
    return columns, [["1700000000.000000000", schema, "N", "N", name, "SYSADMIN", "", ""] for schema in schemas]


def _captured(engine: Engine, name: str, where: str = "true", parameters: Any = ()) -> Table:
    view = engine.views[name]
    spelled = [
        f'(epoch_us("{column}")::DECIMAL(38,6) / 1000000)::DECIMAL(38,9)::VARCHAR'
        if kind == "TIMESTAMPTZ"
        else f'"{column}"::VARCHAR'
        for column, kind in view.columns.items()
    ]
    sql = f"SELECT {', '.join(spelled)} FROM {table_of(view)} WHERE night = ? AND {where} ORDER BY ALL"
    return _text(*view.columns), [list(row) for row in engine.duck(sql, [engine.night, *parameters])]


def _parameters_in_account(engine: Engine, *_: Any) -> Table:
    return _captured(engine, "PARAMETERS")


def _parameters_in_session(_engine: Engine, account: Account, session: Session) -> Table:
    merged = account.in_force(session)
    rows: Rows = [
        [key, value, account.parameters.get(key, ""), "SESSION" if key in session.parameters else "", "", "STRING"]
        for key, value in sorted(merged.items())
    ]
    return _text("key", "value", "default", "level", "description", "type"), rows


def _future_in_database(engine: Engine, _account: Account, _session: Session, database: str) -> Table:
    name = unquote(database)
    if name not in engine.databases():
        raise NotFoundError(f"Database '{name}' does not exist or not authorized.")
    return _captured(
        engine, "FUTURE_GRANTS", "split_part(\"name\", '.', 1) = ? AND len(split(\"name\", '.')) = 2", [name]
    )


def _future_in_schema(engine: Engine, _account: Account, _session: Session, database: str, schema: str) -> Table:
    names = [unquote(database), unquote(schema)]
    if names[1] not in engine.databases().get(names[0], set()):
        raise NotFoundError(f"Schema '{'.'.join(names)}' does not exist or not authorized.")
    where = "split_part(\"name\", '.', 1) = ? AND split_part(\"name\", '.', 2) = ? AND len(split(\"name\", '.')) = 3"
    return _captured(engine, "FUTURE_GRANTS", where, names)


def _describe_view(engine: Engine, _account: Account, _session: Session, *path: str) -> Table:
    name = unquote(path[2])
    found = engine.columns(name)
    if not found or [unquote(part) for part in path[:2]] != ["SNOWFLAKE", "ACCOUNT_USAGE"]:
        raise NotFoundError(f"View '{'.'.join(path)}' does not exist or not authorized.")
    columns = _text(
        "name", "type", "kind", "null?", "default", "primary key", "unique key", "check", "expression", "comment"
    )
    return columns, [[column, kind, "COLUMN", "Y", None, "N", "N", None, None, None] for column, kind in found]


_FORMS: list[tuple[str, Callable[..., Table]]] = [
    (r"SHOW DATABASES", _show_databases),
    (rf"SHOW SCHEMAS IN DATABASE {PART}", _show_schemas),
    (r"SHOW PARAMETERS IN ACCOUNT", _parameters_in_account),
    (r"SHOW PARAMETERS IN SESSION", _parameters_in_session),
    (rf"SHOW FUTURE GRANTS IN DATABASE {PART}", _future_in_database),
    (rf"SHOW FUTURE GRANTS IN SCHEMA {PART}\.{PART}", _future_in_schema),
    (rf"DESC(?:RIBE)? VIEW {PART}\.{PART}\.{PART}", _describe_view),
]
