"""``evidence review``: the review ledger. What waits for a person, and what a person concluded."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal

import typer

from evidence.assess import sealed_findings
from evidence.cli import output
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, now
from evidence.control.ledger import TWO_PEOPLE
from evidence.control.registration import append_row
from evidence.control.result import NightFinding, Observation
from evidence.errors import UsageError
from evidence.snapshot.model import DAY, start_of
from evidence.snapshot.people import persons

EXAMPLES: Final = {
    "list": (
        "evidence -w work review list",
        "evidence -w work review list --control access-admin-use --json",
    ),
    "record": (
        "evidence -w work review record access-admin-use 'carrier: 01b2' --night 2026-07-14 --disposition benign --reviewer 'J. Doe' --note 'Ticket 7: month end'",
    ),
}

app = typer.Typer(help="The review ledger: what waits for a person, and what a person concluded.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.callback()
def root() -> None:
    """The review ledger: what waits for a person, and what a person concluded."""


@app.command("list")
def show(
    context: typer.Context,
    control: Annotated[str, typer.Option(help="Only this control.")] = "",
    json: AsJson = False,
) -> int:
    """List the items that wait for a disposition, and those that are overdue. Exit 7 if any is overdue."""
    workspace = Workspace.open(context.obj)
    rows = [row for row in _waiting(workspace) if control in ("", row["control"])]
    if json:
        output.as_json({"waiting": rows})
    else:
        output.table(
            "",
            ["due", "control", "night", "item", "reason", "observed"],
            [[r["due"], r["control"], r["night"], r["item"], r["reason"], r["observed"]] for r in rows],
        )
        output.say(f"{len(rows)} items wait, {sum(row['overdue'] for row in rows)} of them overdue")
    return 7 if any(row["overdue"] for row in rows) else 0


@app.command("record")
def record(
    context: typer.Context,
    control: Annotated[str, typer.Argument(help="The control.")],
    item: Annotated[str, typer.Argument(help="The item, as `evidence review list` prints it.")],
    night: Annotated[str, typer.Option(help="Its night, YYYY-MM-DD.")],
    disposition: Annotated[Literal["benign", "confirmed"], typer.Option(help="benign or confirmed.")],
    reviewer: Annotated[str, typer.Option(help="Who looked at it, as register.reviewers names them.")],
    note: Annotated[str, typer.Option(help="What was looked at and found. No patient data.")],
    second: Annotated[
        str, typer.Option(help="Second person; needed for a benign item of a critical or high control.")
    ] = "",
    ticket: Annotated[str, typer.Option(help="Ticket, if there is one.")] = "",
) -> None:
    """Record what was concluded about one item. The next `evidence assess` counts it."""
    workspace = Workspace.open(context.obj)
    day = parse_night(night)
    seen = _seen(workspace, control, item, day)
    _entitled(workspace, (reviewer, *([second] if second else [])))
    severity = workspace.library.control(control).severity
    if disposition == "benign" and severity in TWO_PEOPLE and persons((reviewer, second)) < 2:
        raise UsageError(f"{control} is {severity}: one person alone cannot close its items", fix="--second NAME")
    row = {
        "control": control, "item": item, "night": day, "reason": seen.reason, "observed": seen.observed, "disposition": disposition,
        "reviewer": reviewer, "second_reviewer": second, "recorded_at": now(), "ticket": ticket, "note": note,
    }  # fmt: skip
    with workspace.lease():
        path = append_row(workspace.config.path(workspace.config.assess.registers), "dispositions", row)
    output.say(f"{item} of {day} is recorded as {disposition} in {path.name}; `evidence assess --date {day}` counts it")


def _waiting(workspace: Workspace) -> Iterator[dict[str, Any]]:
    moment = now()
    for finding in _latest(workspace):
        for seen, overdue in _items(workspace, finding):
            due = finding.night + DAY * (1 + workspace.library.control(finding.control).review_days)
            yield {
                "control": finding.control, "night": finding.night.isoformat(), "item": seen.item, "reason": seen.reason,
                "observed": seen.observed, "due": due.isoformat(), "overdue": overdue or start_of(due) <= moment,
            }  # fmt: skip


def _latest(workspace: Workspace) -> Iterable[NightFinding]:
    for night in workspace.index.assessed_nights():
        for finding in sealed_findings(workspace.store, workspace.index, night):
            if finding.control in workspace.library.controls:
                yield finding


def _items(workspace: Workspace, finding: NightFinding) -> Iterator[tuple[Observation, bool]]:
    """Open items, and the overdue ones that nobody has looked at yet."""
    yield from ((seen, False) for seen in finding.reviews)
    if workspace.library.control(finding.control).mode == "event-review":
        recorded = {record.item for record in finding.disposed}
        yield from ((seen, True) for seen in finding.exceptions if seen.item not in recorded)


def _seen(workspace: Workspace, control: str, item: str, night: dt.date) -> Observation:
    for finding in sealed_findings(workspace.store, workspace.index, night):
        for seen in (*finding.reviews, *finding.exceptions):
            if finding.control == control and seen.item == item:
                return seen
    raise UsageError(f"{control} has no item {item!r} on {night}", fix="`evidence review list` prints what waits")


def _entitled(workspace: Workspace, people: Iterable[str]) -> None:
    known = {row["person"] for row in workspace.registers.rows.get("reviewers", ()) if "disposition" in row["may_sign"]}
    for person in people:
        if person not in known:
            raise UsageError(
                f"{person} may not sign a disposition",
                fix="registers/reviewers.toml says who may: may_sign holds disposition",
            )
