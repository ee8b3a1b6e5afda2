"""``evidence retention``: what was promised, whether the store keeps it, and longer locks. Nothing here shortens one."""

from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.workspace import Workspace
from evidence.errors import ConfigError, UsageError, VerificationError
from evidence.store.promise import extend as lengthen
from evidence.store.promise import pending, promised, shortfalls
from evidence.store.retention import RetainingStore, RetentionRule

EXAMPLES: Final = {
    "show": (
        "evidence -w work retention show",
        "evidence -w work retention show --check",
    ),
    "extend": (
        "evidence -w work retention extend",
        "evidence -w work retention extend --confirm",
    ),
}

app = typer.Typer(help="How long sealed evidence is kept: show, check, extend.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """How long sealed evidence is kept: show, check, extend."""


@app.command("show")
def show(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Read the lock of every sealed object back.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Show the promise in the log; with --check name every object that is kept for less. Exit 10 if any is."""
    workspace = Workspace.open(context.obj)
    log, rule = workspace.log, _rule(workspace)
    promise = promised(log)
    short = [{"path": path, "problem": problem} for path, problem in shortfalls(log)] if check else []
    if json:
        said = {"promised": promise.to_body() if promise else None, "configured": rule.to_body()}
        output.as_json({**said, "pending": pending(log), "checked": check, "short": short})
    else:
        output.pairs({
            "store": workspace.store.url,
            "promised": _spell(promise) if promise else "nothing yet: the next collect seals it",
            "configured": _spell(rule),
        })  # fmt: skip
        if line := pending(log):
            output.say(line)
        for each in short:
            output.say(f"  {each['problem']}")
        if check:
            output.say(f"{len(short)} sealed objects are kept for less than promised")
    return VerificationError.exit_code if short else 0


@app.command("extend")
def extend(
    context: typer.Context,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="With COMPLIANCE: yes, nobody can shorten these locks.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Lengthen the locks of all that is sealed to what is configured, and the log's to the date of its last record."""
    workspace = Workspace.open(context.obj)
    rule = _rule(workspace)
    if rule.mode == "COMPLIANCE" and not confirm:
        raise UsageError(
            f"COMPLIANCE locks of up to {rule.longest} days cannot be shortened by anybody, the root account included",
            fix="--confirm",
        )
    workspace.confirmed = confirm
    with workspace.lease():
        done = lengthen(workspace.log)
    if json:
        output.as_json({"objects": done.objects, "lengthened": done.lengthened, "promised": rule.to_body()})
        return
    output.say(f"{done.objects} objects looked at, {done.lengthened} locks lengthened; promised: {_spell(rule)}")


def _rule(workspace: Workspace) -> RetentionRule:
    store = workspace.store
    if not isinstance(store, RetainingStore):
        raise ConfigError(
            f"{store.url} keeps no retention",
            fix="use an s3:// store; for a folder see docs/setup.md, chattr +i or a WORM mount",
        )
    return store.rule


def _spell(rule: RetentionRule) -> str:
    longer = "".join(f", {name} {days} days" for name, days in sorted(rule.datasets.items()))
    return f"{rule.mode}, {rule.days} days{longer}"
