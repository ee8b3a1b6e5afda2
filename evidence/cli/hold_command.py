"""``evidence hold``: legal holds, placed and lifted by name, recorded in the log."""

import datetime as dt
from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace
from evidence.errors import ConfigError, UsageError, VerificationError
from evidence.store import holding
from evidence.store.hold import ASKED, LegalHold
from evidence.store.retention import RetainingStore
from evidence.store.sealing import holds_of

EXAMPLES: Final = {
    "add": (
        "evidence -w work hold add matter-7 --reason 'Subpoena of 2026-09-01' --by 'J. Doe' --dataset snowflake.access_history --since 2026-07-01",
    ),
    "release": (
        "evidence -w work hold release matter-7 --reason 'Settled' --by 'J. Doe'",
        "evidence -w work hold release matter-7 --confirm --by 'A. Other'",
    ),
    "apply": ("evidence -w work hold apply",),
    "list": (
        "evidence -w work hold list",
        "evidence -w work hold list --check",
    ),
}

app = typer.Typer(help="Legal holds: what must not be removed while a matter is open.", no_args_is_help=True)

Why = Annotated[str, typer.Option(help="Why: the matter, the order, its number.")]
Who = Annotated[str, typer.Option(help="Who decided it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.callback()
def root() -> None:
    """Legal holds: what must not be removed while a matter is open."""


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the hold, for example matter-2026-14.")],
    reason: Why,
    by: Who,
    source: Annotated[str, typer.Option(help="Only evidence of this source.")] = "",
    dataset: Annotated[str, typer.Option(help="Only this dataset.")] = "",
    since: Annotated[str, typer.Option(help="Only from this night on, YYYY-MM-DD.")] = "",
    until: Annotated[str, typer.Option(help="Only up to this night.")] = "",
) -> None:
    """Place a hold on everything sealed in its scope, and on what is sealed there while it stands."""
    workspace = Workspace.open(context.obj)
    first, last = _night(since), _night(until)
    hold = LegalHold(name, reason, by, workspace.clock(), source, dataset, first, last)
    with workspace.lease():
        changed = holding.add(workspace.log, hold)
    output.say(f"hold {name} stands, {changed} objects placed under it")


@app.command("release")
def release(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the hold.")],
    reason: Why,
    by: Who,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="You are the second person: the hold is lifted now.")
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the open request back.")] = False,
) -> None:
    """Ask for the release of a hold; another person lifts it with --confirm. Until then it stands, and no retention changes.

    Objects under another hold stay held.
    """
    if confirm and withdraw:
        raise UsageError("--confirm and --withdraw are two answers", fix="give one of them")
    workspace = Workspace.open(context.obj)
    log, at = workspace.log, workspace.clock()
    with workspace.lease():
        if withdraw:
            holding.withdraw(log, name, reason=reason, by=by, at=at)
        elif confirm:
            changed = holding.release(log, name, reason=reason, by=by, at=at)
        else:
            holding.ask(log, name, reason=reason, by=by, at=at)
    if withdraw:
        output.say(f"the request to release hold {name} is taken back; it stands")
    elif confirm:
        output.say(f"hold {name} is released, {changed} objects are free of it")
    else:
        output.say(f"{by} asks for the release of hold {name}; it stands until another person confirms")
        output.say(f"  evidence hold release {name} --confirm --reason TEXT --by WHO")


@app.command("apply")
def apply(context: typer.Context) -> None:
    """Make every object what the recorded holds say: finishes a call that was cut off."""
    workspace = Workspace.open(context.obj)
    with workspace.lease():
        changed = holding.apply(workspace.log)
    output.say(f"{changed} objects changed")


@app.command("list")
def show(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Ask the store whether each object is held.")] = False,
    json: AsJson = False,
) -> int:
    """List standing and released holds and who asked for a release; with --check name objects that are not as recorded. Exit 10 if any is."""
    workspace = Workspace.open(context.obj)
    holds, store = holds_of(workspace.log), workspace.store
    wrong = []
    if check and not isinstance(store, RetainingStore):
        raise ConfigError(f"{store.url} has no legal hold to ask for", fix="use an s3:// store")
    if check and isinstance(store, RetainingStore):
        wrong = [path for path, wanted in holding.covered(workspace.log) if store.original(path).held is not wanted]
    rows = [(hold, "standing") for _, hold in sorted(holds.standing.items())]
    rows += [(hold, "released") for _, hold in sorted(holds.released.items())]
    asked = {name: hold.to_body(ASKED) for name, hold in sorted(holds.asked.items())}
    if json:
        each = [
            {"name": hold.name, "state": state, **hold.to_body(state), "release_requested": asked.get(hold.name)}
            for hold, state in rows
        ]
        output.as_json({"holds": each, "checked": check, "not_as_recorded": wrong})
    else:
        output.table(
            "",
            ["hold", "state", "source", "dataset", "from", "to", "by", "at", "reason"],
            [
                [h.name, state, h.source or "every", h.dataset or "every", h.since or "", h.until or "", h.by, h.at, h.reason]
                for h, state in rows
            ],
        )  # fmt: skip
        for name, request in asked.items():
            output.say(
                f"  {name}: release asked for by {request['by']} at {request['at']}: {request['reason']}; not confirmed"
            )
        for path in wrong:
            output.say(f"  not as recorded: {path}; evidence hold apply")
    return VerificationError.exit_code if wrong else 0


def _night(text: str) -> dt.date | None:
    return parse_night(text) if text else None
