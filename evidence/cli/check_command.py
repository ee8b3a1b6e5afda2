"""``evidence check``: verify this workspace's own store, and seal the record that it was done and what was found.

What the store's own rules removed after its time is recorded first: nobody sits there to do it by hand each week.
"""

from typing import Annotated, Final

import typer

from evidence import __version__
from evidence.cli import output
from evidence.cli.retention_command import OWN_RULES
from evidence.cli.workspace import Workspace, new_id
from evidence.snapshot.ahead import cores
from evidence.store.expiry import record_disposal
from evidence.store.record import record_of, seal_record
from evidence.verify import verify_store

EXAMPLES: Final = (
    "evidence -w work check",
    "evidence -w work check --explain --json",
)


def check(
    context: typer.Context,
    jobs: Annotated[int | None, typer.Option(min=1, help="Files hashed at a time; by default the cores.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show every check, not only failures.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> int:
    """Read back every byte of the store against the log, and seal the record. Run it weekly. Exit 10 if anything fails."""
    workspace = Workspace.open(context.obj)
    with workspace.lease():
        record_disposal(workspace.log, workspace.config.kept.days_of, workspace.clock(), OWN_RULES)
    index = workspace.index
    moment = workspace.clock()
    result = verify_store(workspace.store, [workspace.verifier.to_text()], jobs=jobs or cores(), at=moment)
    record = record_of(result.checks, workspace.log, index, moment, f"evidence {__version__}")
    with workspace.lease():
        seal_record(workspace.log, record, new_id())
    if json:
        output.as_json(record)
    else:
        output.table("", ["", "step", "what", "subject"], result.shown(explain=explain))
        output.say(f"{result.summary()}; recorded at log size {record['log_size']}")
    return result.exit_code
