"""``evidence retention``: what was promised, whether the store keeps it, longer locks, what ends when, and what is gone.

Nothing here shortens a lock or removes anything.
"""

import datetime as dt
from typing import Annotated, Final

import typer

from evidence.cli import output, retention_report
from evidence.cli.workspace import Workspace
from evidence.errors import ConfigError, UsageError, VerificationError
from evidence.store.expiry import expiries
from evidence.store.expiry import record_disposal as record
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
    "report": (
        "evidence -w work retention report",
        "evidence -w work retention report --within 90 --json",
    ),
    "record-disposal": ("evidence -w work retention record-disposal --by 'J. Doe'",),
}

app = typer.Typer(
    help="How long sealed evidence is kept: show, check, extend, report, record what is gone.", no_args_is_help=True
)
OWN_RULES = "the store's own rules"  # who removed it, where nobody says otherwise
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.callback()
def root() -> None:
    """How long sealed evidence is kept: show, check, extend, report, record what is gone."""


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


@app.command("report")
def report(
    context: typer.Context,
    within: Annotated[int, typer.Option(help="Days: what ends within them is `expiring`.", min=0, max=36_500)] = 90,
    nights: Annotated[
        bool, typer.Option("--nights", help="A line for every night, not only for every dataset.")
    ] = False,
    json: AsJson = False,
) -> int:
    """Say of every sealed night until when it is kept, and whether it is there, held, past its date, disposed of or lost. Exit 10 if any is lost.

    By the log and one listing of the store; `evidence check` reads every byte, `retention show --check` every lock.
    """
    workspace = Workspace.open(context.obj)
    moment = workspace.clock()
    found = expiries(workspace.log, workspace.config.kept.days_of, moment, dt.timedelta(days=within))
    if json:
        output.as_json(retention_report.as_json(found, moment, within))
    else:
        retention_report.show(found, within, nights=nights)
    return VerificationError.exit_code if any(each.state == "lost" for each in found) else 0


@app.command("record-disposal")
def record_disposal(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="Who or what removed it.")] = OWN_RULES,
    json: AsJson = False,
) -> int:
    """Record what is gone after its time and under no hold; `evidence check` does it too. Removes nothing. Exit 10 if anything is lost."""
    if not by.strip():
        raise UsageError("a disposal has somebody or something that did it", fix="--by WHO")
    workspace = Workspace.open(context.obj)
    days, moment = workspace.config.kept.days_of, workspace.clock()
    with workspace.lease():
        made = record(workspace.log, days, moment, by)
    lost = [each for each in expiries(workspace.log, days, moment, dt.timedelta()) if each.state == "lost"]
    if json:
        output.as_json({"recorded": [each.to_body() for each in made], "lost": [each.to_json() for each in lost]})
    else:
        for each in made:
            output.say(f"{each.source}/{each.dataset}: {len(each.indexes)} snapshots recorded as disposed")
        output.say(
            f"{sum(len(each.indexes) for each in made)} snapshots recorded, {len(lost)} lost: evidence retention report"
        )
    return VerificationError.exit_code if lost else 0


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
