"""SHOW, DESC and table functions: answered as JSON rows, every value text, SHOW columns in lower case, as the server does.

What a contract asks for is answered from the rows that the export has for it: the statement names one object, and the rows
beside which that object's name stands are its answer. A listing is answered by the dataset of the same statement, or
by the objects that some dataset has rows for.
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from typing import Any

from fakesnow.converter import from_binding

from tests.servers.snowflake_emulator.engine import Engine
from tests.servers.snowflake_emulator.load import View, table_of
from tests.servers.snowflake_emulator.state import Account, Session
from tests.servers.snowflake_emulator.wire import rowtype

CAP = 10_000  # Snowflake, SHOW commands: at most 10,000 rows, then LIMIT … FROM
Rows = list[list[str | None]]
Table = tuple[list[dict[str, Any]], Rows]
PART = r'("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
# Columns of the answer itself that name the object which was asked for.
WITHIN = {
    "SHOW.BACKUPS_SHOW": ["database_name", "schema_name", "backup_set_name"],
    "SHOW.COLLECTOR_GRANTS": ["grantee_name"],
}
PAGE = re.compile(r"\s+LIMIT\s+(\d+)(?:\s+FROM\s+'((?:[^']|'')*)')?\s*$", re.IGNORECASE)


class NotFoundError(Exception):
    """The object does not exist or is not visible."""


def answer(
    engine: Engine, account: Account, session: Session, sql: str, bindings: Mapping[str, Any] | None = None
) -> Table | None:
    """Return columns and rows if ``sql`` is a SHOW, DESC or function that is answered here, else None."""
    page = PAGE.search(sql)
    head = (sql[: page.start()] if page else sql).strip()
    for pattern, build in _FORMS:
        match = re.fullmatch(pattern, head, re.IGNORECASE)
        if match:
            columns, rows = build(engine, account, session, *match.groups())
            return columns, _cut(columns, rows, page)
    found = _of_contracts(engine, account, session, head, bindings or {})
    return (found[0], _cut(*found, page)) if found else None


def _of_contracts(
    engine: Engine, account: Account, session: Session, sql: str, bindings: Mapping[str, Any]
) -> Table | None:
    """Answer what the contracts ask for: a statement for one object, or a listing of objects."""
    for view in engine.views.values():
        for form in view.contract.get("statements", ()):
            match = _form(form).fullmatch(sql)
            if match:
                return _rows_of(engine, view, match.groupdict(), bindings)
    if re.fullmatch(r'SELECT CURRENT_ROLE\(\) AS "name"', sql):
        return _text("name"), [[session.role]]
    return _listing(engine, account, sql)


@functools.cache
def _form(form: str) -> re.Pattern[str]:
    """Return the pattern of a statement template: quoted names, quoted literals, columns and binds where it has fields."""
    parts = []
    for number, (text, field, _, _) in enumerate(Formatter().parse(form)):
        parts.append(re.escape(text))
        if field in {"start", "end"}:
            parts.append(r"\?")
        elif field == "columns":
            parts.append("(?P<columns>.+)")
        elif field and field.endswith("_text"):
            parts.append(rf"'(?P<text{number}>(?:[^'\\]|\\.|'')*)'")
        elif field:
            parts.append(rf'(?P<name{number}>"(?:[^"]|"")+"(?:\."(?:[^"]|"")+")*)(?P<arguments{number}>\([^"]*\))?')
    return re.compile("".join(parts), re.DOTALL)


def _parts(match: Mapping[str, str | None]) -> list[str]:
    """Return the parts of the object's name that a statement names, with a procedure's arguments after them."""
    for key, value in match.items():
        if value is not None and key.startswith(("name", "text")):
            name = re.sub(r"\\(.)", r"\1", value.replace("''", "'")) if key.startswith("text") else value
            parts = [unquote(part) for part in re.findall(r'"(?:[^"]|"")+"', name)]
            arguments = next((found for other, found in match.items() if other.startswith("arguments") and found), None)
            return [*parts, arguments] if arguments else parts
    return []


def _rows_of(engine: Engine, view: View, match: Mapping[str, str | None], bindings: Mapping[str, Any]) -> Table:
    beside = _beside(view) or WITHIN.get(view.name, [])
    parts = _parts(match)
    where = " AND ".join(["true", *(f'"{name}" = ?' for name in beside if parts)])
    wanted = parts[len(parts) - len(beside) :] if parts else []
    night = str(from_binding(bindings["1"]).date()) if bindings else None
    columns, rows = _captured(engine, view.name, where, wanted, night=night, leave_out=_beside(view))
    if parts and not rows and view.name not in WITHIN and not _known(engine, view, wanted):
        raise NotFoundError(f"Object '{'.'.join(parts)}' does not exist or not authorized.")
    return _unfolded(view, *_asked(columns, rows, match.get("columns")))


def _known(engine: Engine, view: View, parts: list[str]) -> bool:
    """An object without rows is known if a listing has it; the tests' exports have rows for each."""
    return bool(engine.nights_of(view.name)) and bool(parts) and parts[-1] in _names(engine)


def _names(engine: Engine) -> set[str]:
    return {name for view in engine.views.values() for name in _first_names(engine, view)}


def _first_names(engine: Engine, view: View) -> Iterator[str]:
    for column in ("name", "NAME"):
        if column in view.columns and view.read != "view":
            yield from (name for (name,) in engine.duck(f'SELECT DISTINCT "{column}" FROM {table_of(view)}') if name)


def _beside(view: View) -> list[str]:
    return next((list(found["beside"]) for found in view.contract.get("lists", {}).values() if found.get("beside")), [])


def _asked(columns: list[dict[str, Any]], rows: Rows, named: str | None) -> Table:
    """Keep the columns that a SELECT names, in its order."""
    if not named:
        return columns, rows
    order = [unquote(name) for name in re.findall(r'(?:AS )?("(?:[^"]|"")+")(?=,|$)', named)]
    at = {column["name"]: number for number, column in enumerate(columns)}
    return [columns[at[name]] for name in order], [[row[at[name]] for name in order] for row in rows]


def _unfolded(view: View, columns: list[dict[str, Any]], rows: Rows) -> Table:
    """A system function answers with one cell of JSON."""
    how = view.contract.get("unfold", "")
    if not how:
        return columns, rows
    names = [column["name"] for column in columns]
    items = [dict(zip(names, row, strict=True)) for row in rows]
    value = {item["key"]: item["value"] for item in items} if how == "pairs" else items
    return _text("ANSWER"), [[json.dumps(value)]]


def _listing(engine: Engine, account: Account, sql: str) -> Table | None:
    """List the objects that some dataset has rows for."""
    found: dict[tuple[str, ...], None] = {}
    columns: list[str] = []
    for view in engine.views.values():
        for listing in view.contract.get("lists", {}).values():
            if listing["statement"] != sql:
                continue
            extra = [*listing.get("where", {}), *([listing["arguments"]] if "arguments" in listing else [])]
            columns = list(dict.fromkeys([*columns, *listing["name"], *extra]))
            for parts in _objects(engine, view):
                row = dict(zip(listing["name"], parts, strict=False))
                for column, values in listing.get("where", {}).items():
                    row[column] = account.facts["CURRENT_ACCOUNT"] if values[0] == "{account}" else values[0]
                if "arguments" in listing:
                    row[listing["arguments"]] = f"{parts[-2]}{parts[-1]} RETURN VARCHAR"
                found[tuple(row.get(column, "") for column in columns)] = None
    if not columns:
        return None
    return _text(*columns), [list(row) for row in found]


def _objects(engine: Engine, view: View) -> list[tuple[str, ...]]:
    beside = _beside(view)
    if not beside:
        return []
    names = ", ".join(f'"{name}"' for name in beside)
    sql = f"SELECT DISTINCT {names} FROM {table_of(view)} WHERE night = ? ORDER BY ALL"
    return engine.duck(sql, [engine.night])


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
    exported = _captured(engine, "SHOW.DATABASES")
    if exported[1]:
        return exported
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


def _captured(
    engine: Engine,
    name: str,
    where: str = "true",
    parameters: Any = (),
    *,
    night: str | None = None,
    leave_out: Any = (),
) -> Table:
    view = engine.views[name]
    how = engine.reshaped.get(name, {})
    hidden = {*leave_out, *how.get("hide", ())}
    kept = {column: kind for column, kind in view.columns.items() if column not in hidden}
    spelled = [
        f"""(epoch_us("{column}") // 1000000)::VARCHAR || '.' || lpad((epoch_us("{column}") % 1000000)::VARCHAR, 6, '0')"""
        if kind == "TIMESTAMPTZ"
        else f'"{column}"::VARCHAR'
        for column, kind in kept.items()
    ]
    spelled += ["NULL"] * len(how.get("add", ()))
    sql = f"SELECT {', '.join(spelled)} FROM {table_of(view)} WHERE night = ? AND {where} ORDER BY ALL"
    columns = [_typed(column, kind) for column, kind in kept.items()] + _text(*how.get("add", ()))
    return columns, [list(row) for row in engine.duck(sql, [night or engine.night, *parameters])]


def _typed(name: str, kind: str) -> dict[str, Any]:
    if kind == "TIMESTAMPTZ":
        return rowtype(name, "timestamp_ltz", scale=9)
    return rowtype(name, "fixed", precision=38, scale=0) if kind == "BIGINT" else rowtype(name, "text")


def _parameters_in_account(engine: Engine, *_: Any) -> Table:
    return _captured(engine, "SHOW.PARAMETERS")


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
        engine, "SHOW.FUTURE_GRANTS", "split_part(\"name\", '.', 1) = ? AND len(split(\"name\", '.')) = 2", [name]
    )


def _future_in_schema(engine: Engine, _account: Account, _session: Session, database: str, schema: str) -> Table:
    names = [unquote(database), unquote(schema)]
    if names[1] not in engine.databases().get(names[0], set()):
        raise NotFoundError(f"Schema '{'.'.join(names)}' does not exist or not authorized.")
    where = "split_part(\"name\", '.', 1) = ? AND split_part(\"name\", '.', 2) = ? AND len(split(\"name\", '.')) = 3"
    return _captured(engine, "SHOW.FUTURE_GRANTS", where, names)


def _grants_to_role(engine: Engine, account: Account, _session: Session, role: str) -> Table:
    """What a test arranged, else what the export captured."""
    if not account.grants and engine.nights_of("SHOW.COLLECTOR_GRANTS"):
        return _captured(engine, "SHOW.COLLECTOR_GRANTS", '"grantee_name" = ?', [unquote(role)])
    columns = _text(
        "created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"
    )
    name = unquote(role)
    rows: Rows = [
        ["1700000000.000000000", privilege, kind, of, "ROLE", name, "false", "ACCOUNTADMIN"]
        for privilege, kind, of in account.grants.get(name, [])
    ]
    return columns, rows


def _describe_view(engine: Engine, _account: Account, _session: Session, *path: str) -> Table:
    database, schema, name = (unquote(part) for part in path)
    found = engine.columns(schema, name)
    if not found or database != "SNOWFLAKE":
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
    (rf"SHOW GRANTS TO ROLE {PART}", _grants_to_role),
    (rf"DESC(?:RIBE)? VIEW {PART}\.{PART}\.{PART}", _describe_view),
]
