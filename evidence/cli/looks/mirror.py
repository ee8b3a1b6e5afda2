"""The OPS mirror of [publish]: its sign-in, role, warehouse and privileges, tried as a night tries them with no rows; and how far it is.

A merge of an empty temporary table needs what a merge of rows needs and changes nothing. SHOW GRANTS explains a refusal and finds surplus;
it does not judge, since a role may hold a privilege through another.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from evidence import publish as verb
from evidence.cli.publish_command import schema_of
from evidence.cli.workspace import Workspace, connect_named
from evidence.config import PublishConfig, SnowflakeSourceConfig
from evidence.doctor import NETWORK, Examination, Line, fail, ok, warn
from evidence.errors import EvidenceError, SourceDeniedError, StoreError
from evidence.ops.tables import TABLES, Table, merge, needed, select, staging
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_refusal import NO_PRIVILEGE, NOT_VISIBLE, errno_of, explain
from evidence.sources.snowflake_rights import identifier

WHAT: Final = "mirror"
DENIED: Final = SourceDeniedError.exit_code
FORBIDDEN: Final = ("DELETE", "TRUNCATE", "OWNERSHIP")  # who publishes adds and corrects, and removes nothing
CREATE: Final = (
    "evidence publish --create, by a connection whose role may create it; or run evidence setup snowflake --ops"
)
Grants = frozenset[tuple[str, str, str]]  # privilege, kind, name


def looks(workspace: Workspace) -> list[Examination]:
    """Return the look at the mirror, where one is configured."""
    settings = workspace.config.publish
    return [] if settings is None else [Examination(WHAT, lambda: _mirror(workspace, settings), seconds=NETWORK)]


def _mirror(workspace: Workspace, settings: PublishConfig) -> Iterator[Line]:
    schema = schema_of(settings).upper()
    try:
        connection = connect_named(settings.connection)
    except EvidenceError:
        raise
    except Exception as exc:  # noqa: BLE001 - the connector raises what it likes
        raise explain(exc, f"sign-in of {settings.connection}", None, "") from None
    with closing(connection):
        cursor = connection.cursor()
        try:
            yield from _lines(workspace, settings, cursor, schema)
        except EvidenceError:
            raise
        except Exception as exc:  # noqa: BLE001 - as above
            raise explain(exc, f"{settings.connection}/{schema}", None, "") from None


def _lines(workspace: Workspace, settings: PublishConfig, cursor: Any, schema: str) -> Iterator[Line]:
    cursor.execute("SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE()")
    user, role, warehouse = (str(value or "") for value in cursor.fetchone())
    yield from _collector(workspace, settings, user, role)
    if not role:
        fix = f"ALTER USER {identifier(user)} SET DEFAULT_ROLE = EVIDENCE_PUBLISHER;, or role = … in connections.toml"
        yield fail(f"{WHAT} role", f"{settings.connection} signs in as {user} without a role", fix, DENIED)
        return
    if not warehouse:
        fix = f'GRANT USAGE ON WAREHOUSE EVIDENCE_WH TO ROLE {identifier(role)}; and warehouse = "EVIDENCE_WH" in connections.toml'
        yield fail(f"{WHAT} warehouse", "the session has none: a merge needs one", fix, DENIED)
        return
    holds = _held(cursor, role)
    refused = [line for table in TABLES if (line := _tried(cursor, schema, table, role, holds))]
    yield from refused
    yield from _surplus(schema, role, holds)
    if not refused:
        yield ok(WHAT, f"{schema}, merged into by {role} as {user} on {warehouse}")
        yield from _distance(workspace, cursor, schema)


def _collector(workspace: Workspace, settings: PublishConfig, user: str, role: str) -> Iterator[Line]:
    for name, section in workspace.config.sources.items():
        if not isinstance(section, SnowflakeSourceConfig):
            continue
        for login in (section, section.elevated):
            if login and (user.upper() == login.user.upper() or role.upper() == login.role.upper()):
                said = f"{settings.connection} signs in as {user} with {role}, as the source {name} does: who reads the account would write to it"
                yield fail(
                    f"{WHAT} role", said, "a user and a role of its own: evidence setup snowflake --ops prints them"
                )
                return


def _held(cursor: Any, role: str) -> Grants | None:
    """Return what the role holds itself; None if it may not be asked."""
    try:
        cursor.execute(f"SHOW GRANTS TO ROLE {sql.quoted(role)}")
    except Exception:  # noqa: BLE001 - it only explains
        return None
    columns = [each[0].lower() for each in cursor.description]
    privilege, kind, name = (columns.index(each) for each in ("privilege", "granted_on", "name"))
    return frozenset((_folded(row[privilege]), _folded(row[kind]), _folded(row[name])) for row in cursor.fetchall())


def _folded(cell: object) -> str:
    return str(cell).upper().replace('"', "")


def _tried(cursor: Any, schema: str, table: Table, role: str, holds: Grants | None) -> Line | None:
    """Read no row of the table, and merge none into it; return what is wrong."""
    what, name = f"{WHAT} {table.name}", f"{schema}.{table.name}"
    try:
        cursor.execute(select(schema, table), ("", 0, 0))
        cursor.execute(staging(schema, table))
        cursor.execute(merge(schema, table))
    except Exception as exc:  # noqa: BLE001 - the connector raises what it likes
        number = errno_of(exc)
        if number not in NOT_VISIBLE | NO_PRIVILEGE:
            error = explain(exc, name, None, role)
            return fail(what, str(error), _altered(name, number) or error.fix, error.exit_code)
        lacking = _lacking(schema, table, role, holds)
        if lacking:
            return fail(what, f"{role} may not merge into {name}, refused with {number:06d}", " ".join(lacking), DENIED)
        return fail(what, f"{name} is not there, refused with {number:06d}", CREATE, StoreError.exit_code)
    return None


def _altered(name: str, number: int) -> str:
    """A column that is gone or of another type is a matter of the table, not of grants. 000904: invalid identifier."""
    return f"compare {name} with evidence setup snowflake --ops: a column is missing" if number == 904 else ""


def _lacking(schema: str, table: Table, role: str, holds: Grants | None) -> Sequence[str]:
    """Return the statements that grant what the role does not hold for this table; all of them where it is not known."""
    found = []
    for privileges, kind, name in needed(schema):
        if kind == "TABLE" and name != f"{schema}.{table.name}":
            continue
        missing = [each for each in privileges if holds is None or not _holds(holds, each, kind, name)]
        if missing:
            found.append(f"GRANT {', '.join(missing)} ON {kind} {name} TO ROLE {identifier(role)};")
    return found


def _holds(holds: Grants, privilege: str, kind: str, name: str) -> bool:
    return (privilege, kind, name) in holds or ("OWNERSHIP", kind, name) in holds


def _surplus(schema: str, role: str, holds: Grants | None) -> Iterator[Line]:
    tables = {f"{schema}.{table.name}" for table in TABLES} | {schema}
    over = sorted(each for each in holds or () if each[0] in FORBIDDEN and each[2] in tables)
    for privilege, kind, name in over:
        fix = (
            f"GRANT OWNERSHIP ON {kind} {name} TO ROLE SYSADMIN COPY CURRENT GRANTS;"
            if privilege == "OWNERSHIP"
            else f"REVOKE {privilege} ON {kind} {name} FROM ROLE {identifier(role)};"
        )
        yield warn(
            f"{WHAT} grants", f"{role} holds {privilege} on {kind} {name}: it could remove what was published", fix
        )


def _distance(workspace: Workspace, cursor: Any, schema: str) -> Iterator[Line]:
    log = workspace.log
    have = verb.published(cursor, schema, log.origin)
    if have > log.size:
        said = f"holds entries up to {have}, the log has {log.size}"
        yield fail(f"{WHAT} and log", said, "evidence publish --check names the rows; find out who wrote them", 10)
    elif have < log.size:
        yield warn(
            f"{WHAT} and log", f"{have} of {log.size} entries", "evidence publish; `evidence run` does it each night"
        )
    else:
        yield ok(f"{WHAT} and log", f"all {have} entries")
