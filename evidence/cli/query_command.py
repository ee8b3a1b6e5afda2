"""``evidence query``: one SELECT over sealed evidence, verified on the way in."""

from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.assess_command import reader_of
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, now
from evidence.query import query as verb
from evidence.store.index import Index

EXAMPLES: Final = (
    "evidence -w work query 'SELECT NAME FROM snowflake.users' --as-of 2026-07-14",
    "evidence -w work query 'SELECT count(*) FROM snowflake.login_history' --as-of 2026-07-14 --json",
)


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT; datasets are named as in `evidence status`.")],
    as_of: Annotated[str | None, typer.Option(help="The night, YYYY-MM-DD; default: the latest sealed.")] = None,
    at: Annotated[int | None, typer.Option(help="What was known at this log size.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to print.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Run one SELECT over the evidence of one night."""
    workspace = Workspace.open(context.obj)
    reader = reader_of(workspace, now())
    if at is not None:
        reader.index = Index.of(entry for _, entry in workspace.log.entries(before=at))
    night = parse_night(as_of) if as_of else max(s.key.night for s in reader.index.snapshots())
    table = verb(sql, reader, workspace.contracts, night)
    rows = table.slice(0, limit).to_pylist()
    if json:
        output.as_json(rows)
        return
    output.table(f"night {night}", table.column_names, [list(row.values()) for row in rows])
    if table.num_rows > limit:
        output.say(f"first {limit} of {table.num_rows} rows; --limit shows more")
