"""``evidence publish``: the log and its findings into the OPS schema, and whether the mirror there equals the log."""

import re
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final

import typer

from evidence import publish as verb
from evidence.assess import findings_of_entry
from evidence.cli import output
from evidence.cli.workspace import Workspace, connect_named
from evidence.config import PublishConfig
from evidence.errors import ConfigError, EvidenceError, UsageError, VerificationError
from evidence.ops.tables import ddl
from evidence.store.table import refused

EXAMPLES: Final = (
    "evidence -w work publish --create",
    "evidence -w work publish",
    "evidence -w work publish --check",
)

_SCHEMA: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\.[A-Za-z_][A-Za-z0-9_$]*")
_SHOWN: Final = 50


def publish(
    context: typer.Context,
    create: Annotated[bool, typer.Option("--create", help="First create the schema, tables and views.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare every row with the log; publish nothing.")] = False,
    again: Annotated[bool, typer.Option("--all", help="Merge all entries again, not only the new ones.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Merge what is new into the mirror of [publish]; with --check say where it differs. Twice is once."""
    workspace = Workspace.open(context.obj)
    return _with_mirror(
        workspace,
        lambda cursor, schema: _work(workspace, cursor, schema, create=create, check=check, again=again, json=json),
    )


def publish_new(workspace: Workspace) -> int:
    """Merge what the mirror lacks; return how many rows went. Raises ``StoreError`` that shows no address and no statement."""
    log = workspace.log

    def work(cursor: Any, schema: str) -> int:
        start = verb.published(cursor, schema, log.origin)
        return verb.publish(log, partial(findings_of_entry, workspace.store), cursor, schema, start=start)

    return _with_mirror(workspace, work)


def _with_mirror(workspace: Workspace, work: Callable[[Any, str], int]) -> int:
    settings = workspace.config.publish
    if settings is None:
        fix = "connection = a name in connections.toml, into = DATABASE.SCHEMA"
        raise UsageError("no [publish] in evidence.toml", fix=fix)
    schema = schema_of(settings)
    try:
        with closing(connect_named(settings.connection)) as connection:
            return work(connection.cursor(), schema)
    except EvidenceError:
        raise
    except Exception as exc:  # noqa: BLE001 - the connector's messages may hold host, user and statement
        fix = "`evidence setup snowflake --ops` prints the tables and grants"
        raise refused(f"{settings.connection}/{settings.into}", exc, fix) from None


def schema_of(settings: PublishConfig) -> str:
    """Return the schema of the mirror. Raises ``ConfigError`` where it is not DATABASE.SCHEMA."""
    if not _SCHEMA.fullmatch(settings.into):
        raise ConfigError(f"publish.into {settings.into!r}", fix="write DATABASE.SCHEMA, unquoted")
    return settings.into


def _work(workspace: Workspace, cursor: Any, schema: str, *, create: bool, check: bool, again: bool, json: bool) -> int:
    log, findings_of = workspace.log, partial(findings_of_entry, workspace.store)
    if create:
        for statement in ddl(schema):
            cursor.execute(statement)
    have = verb.published(cursor, schema, log.origin)
    rows = 0
    if not check:
        start = 0 if again else have
        with output.progress("publish", log.size - start) as step:
            rows = verb.publish(log, findings_of, cursor, schema, start=start, step=lambda last: step(f"entry {last}"))
        have = log.size
    found = list(islice(verb.differences(log, findings_of, cursor, schema, have), _SHOWN)) if check else []
    if json:
        shown = [{"table": d.table, "what": d.what, "key": list(d.key), "columns": list(d.columns)} for d in found]
        output.as_json({"entries": have, "log_size": log.size, "rows": rows, "differences": shown})
    else:
        output.say(f"{schema}: {have} of {log.size} entries{'' if check else f', {rows} rows merged'}")
        for each in found:
            output.say(f"  {each.table} {each.what}: {' '.join(map(str, each.key[1:]))} {', '.join(each.columns)}")
    if found:
        raise VerificationError(
            f"the mirror differs from the log in {'at least ' if len(found) == _SHOWN else ''}{len(found)} rows",
            step="mirror",
            fix="find out who wrote to it; then `evidence publish --all` merges the log's rows again",
        )
    return 0
