"""``evidence respond``: management's answer to an exception, recorded beside the finding and never altering it."""

from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.assess_command import sealed_periods
from evidence.cli.period import parse_night, parse_period
from evidence.cli.workspace import Workspace, now
from evidence.control.registration import append_row
from evidence.control.result import Interval
from evidence.errors import UsageError

EXAMPLES: Final = (
    "evidence -w work respond identity-mfa-humans 'carrier: ANN' --period 2026-Q3 --cause 'Hired before the policy' --effect 'None seen' --action 'Enrolled' --owner 'IT' --due 2026-10-15 --signed-by 'J. Doe'",
)


def respond(
    context: typer.Context,
    control: Annotated[str, typer.Argument(help="The control.")],
    item: Annotated[str, typer.Argument(help="The item, as the packet prints it.")],
    period: Annotated[str, typer.Option(help="The period that found it, for example 2026-Q3.")],
    cause: Annotated[str, typer.Option(help="Why it happened. No patient data.")],
    effect: Annotated[str, typer.Option(help="What it could have led to, and what was looked at to know.")],
    action: Annotated[str, typer.Option(help="What is done about it.")],
    owner: Annotated[str, typer.Option(help="Who does it.")],
    due: Annotated[str, typer.Option(help="By when, YYYY-MM-DD.")],
    signed_by: Annotated[str, typer.Option(help="Who answers for management.")],
    reason: Annotated[str, typer.Option(help="Reason code, if the item failed for several.")] = "",
) -> None:
    """Answer an exception of a period. The next packet prints it as management's words."""
    workspace = Workspace.open(context.obj)
    found = _exception(workspace, control, item, period, reason)
    row = {
        "control": control, "item": item, "reason": found.reason, "first_seen": found.first_seen, "cause": cause, "effect": effect,
        "action": action, "owner": owner, "due": parse_night(due), "signed_by": signed_by, "recorded_at": now(),
    }  # fmt: skip
    with workspace.lease():
        path = append_row(workspace.config.path(workspace.config.assess.registers), "responses", row)
    output.say(f"recorded in {path.name}: {owner} until {due}")


def _exception(workspace: Workspace, control: str, item: str, label: str, reason: str) -> Interval:
    period = parse_period(label)
    workspace.library.control(control)
    (finding,) = sealed_periods(workspace, period.nights, [control])
    runs = [run for run in finding.exceptions if run.item == item and reason in ("", run.reason)]
    if not runs:
        raise UsageError(
            f"{control} has no exception {item!r} in {label}",
            fix="`evidence assess --period` counts them; the packet lists them",
        )
    if len({run.reason for run in runs}) > 1:
        raise UsageError(
            f"{item} failed for several reasons", fix=f"--reason {' | '.join(sorted({r.reason for r in runs}))}"
        )
    return runs[-1]
