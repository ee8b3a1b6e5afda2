"""``evidence waive``: accept exact exceptions for a time. The test still runs and its true result shows."""

from typing import Annotated, Any, Final

import typer

from evidence.cli import output
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, now
from evidence.control.ledger import TWO_PEOPLE
from evidence.control.registration import append_row
from evidence.errors import UsageError
from evidence.snapshot.people import same_person

EXAMPLES: Final = {
    "add": (
        "evidence -w work waive add W-7 --control identity-mfa-humans --item 'carrier: ANN' --reason 'Token is on its way' --requested-by 'A. Roe' --approved-by 'J. Doe' --expires 2026-10-01",
    ),
    "list": (
        "evidence -w work waive list",
        "evidence -w work waive list --json",
    ),
}

app = typer.Typer(help="Waivers: accept exact exceptions for a time, by name.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Waivers: accept exact exceptions for a time, by name."""


@app.command("add")
def add(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID", help="Name of the waiver, for example W-2026-014.")],
    control: Annotated[str, typer.Option(help="The control whose exceptions are accepted.")],
    item: Annotated[list[str], typer.Option(help="Exact item; may be repeated. There are no wildcards.")],
    reason: Annotated[str, typer.Option(help="Why this is acceptable until then.")],
    requested_by: Annotated[str, typer.Option(help="Who asks.")],
    approved_by: Annotated[str, typer.Option(help="Who approves; not who asks.")],
    expires: Annotated[str, typer.Option(help="First day it no longer holds, YYYY-MM-DD.")],
    compensating_control: Annotated[
        str, typer.Option(help="Control that must come out satisfied meanwhile; needed if critical or high.")
    ] = "",
    approved_on: Annotated[
        str, typer.Option(help="Day of the approval; default today. It never holds before it is recorded.")
    ] = "",
    ticket: Annotated[str, typer.Option(help="Ticket, if there is one.")] = "",
) -> None:
    """Record a waiver in registers/waivers.toml. `evidence assess` shows what it accepts from tonight on."""
    workspace = Workspace.open(context.obj)
    waived = workspace.library.control(control)
    if compensating_control:
        workspace.library.control(compensating_control)
    if same_person(approved_by, requested_by):
        raise UsageError("who asks does not approve", fix="another person decides: --approved-by")
    if compensating_control == control or (not compensating_control and waived.severity in TWO_PEOPLE):
        raise UsageError(
            f"{control} is {waived.severity}: a waiver needs another control that makes up for it",
            fix="--compensating-control ID",
        )
    if any("*" in each for each in item):
        raise UsageError("a waiver names exact items", fix="repeat --item; `evidence assess` prints the items")
    moment = now()
    row: dict[str, Any] = {
        "id": identity, "control": control, "control_version": waived.version, "items": item, "reason": reason,
        "compensating_control": compensating_control, "requested_by": requested_by, "approved_by": approved_by,
        "approved_on": parse_night(approved_on) if approved_on else moment.date(), "expires": parse_night(expires),
        "recorded_at": moment, "ticket": ticket,
    }  # fmt: skip
    with workspace.lease():
        path = append_row(workspace.config.path(workspace.config.assess.registers), "waivers", row)
    output.say(
        f"{identity} is recorded in {path.name}: {len(item)} items of {control} {waived.version} until {expires}"
    )


@app.command("list")
def show(context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List waivers: what they accept, who approved them and until when."""
    workspace = Workspace.open(context.obj)
    today = now().date()
    rows = sorted(workspace.registers.rows.get("waivers", ()), key=lambda row: (row["expires"], row["id"]))
    if json:
        output.as_json({"waivers": [{**row, "in_force": row["approved_on"] <= today < row["expires"]} for row in rows]})
        return
    output.table(
        "",
        ["id", "control", "items", "asked by", "approved by", "from", "until", ""],
        [
            [r["id"], f"{r['control']} {r['control_version']}", len(r["items"]), r["requested_by"], r["approved_by"], r["approved_on"], r["expires"], "expired" if r["expires"] <= today else ""]
            for r in rows
        ],
    )  # fmt: skip
