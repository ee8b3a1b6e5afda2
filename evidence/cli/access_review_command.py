"""``evidence access-review``: who may do what, as a workbook to decide in; the decisions; and what became of the removals."""

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from evidence.cli import output
from evidence.cli.access_review import Reviewing, SealedList, csv_of
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, now
from evidence.control.registration import append_rows
from evidence.errors import EXIT_NOT_SATISFIED, UsageError
from evidence.review.answers import list_digest, read_answers
from evidence.review.decisions import (
    Standing,
    counting,
    decided_rows,
    news,
    open_removals,
    reviewer_of,
    signature,
    signed,
    standings,
)
from evidence.review.workbook import write_workbook
from evidence.snapshot.canonical import parse_time

EXAMPLES: Final = {
    "export": ("evidence -w work access-review export --night 2026-09-30 --out review.xlsx",),
    "import": ("evidence -w work access-review import review.xlsx --reviewer 'J. Doe'",),
    "status": (
        "evidence -w work access-review status",
        "evidence -w work access-review status --night 2026-09-30 --json",
    ),
}

app = typer.Typer(help="The user access review: export, import decisions, follow removals.", no_args_is_help=True)
CONTROL = "access-review-signoff"

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.callback()
def root() -> None:
    """The user access review: export, import decisions, follow removals."""


@app.command("export")
def export(
    context: typer.Context,
    night: Annotated[str, typer.Option(help="The night whose captures are reviewed, YYYY-MM-DD.")],
    since: Annotated[
        str, typer.Option(help="The night to compare with; default: that of the last quarter's list.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The workbook; default: access-review-NIGHT.xlsx.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write the rows as CSV besides, for reading only.")] = False,
    used_nights: Annotated[int, typer.Option(min=1, max=366, help="How far back the last use is looked for.")] = 90,
) -> None:
    """Seal the list of who holds what on one night, and write it as a workbook with decision columns."""
    path = out or Path(f"access-review-{night}.xlsx")
    beside = path.with_suffix(".csv")
    for each in (path, *([beside] if csv else [])):
        if each.exists():
            raise UsageError(f"{each} exists: it may hold decisions", fix="-o names another file")
    workspace = Workspace.open(context.obj)
    reviewing = Reviewing(workspace, now())
    try:
        sealed, support = reviewing.seal_list(parse_night(night), parse_night(since) if since else None, used_nights)
    finally:
        workspace.close()
    path.touch(mode=0o600)
    write_workbook(path, sealed.body, sealed.digest, support, reviewing.reviewers())
    if csv:
        beside.touch(mode=0o600)
        beside.write_bytes(csv_of(sealed.body))
    grave = sum(bool(row["gravest"]) for row in sealed.body["rows"])
    output.pairs(
        {
            "list": sealed.digest,
            "rows": sealed.body["population"],
            "grave": grave,
            "fingerprint": sealed.body["fingerprint"],
        }
    )
    output.say(
        f"{path}: the quarter that ended {sealed.body['period_end']}; `evidence access-review import {path} --reviewer NAME`"
    )


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The filled workbook.")],
    reviewer: Annotated[str, typer.Option(help="Whose decisions these are, as register.reviewers names the person.")],
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign the list; every row must have a decision that counts.")
    ] = False,
    owner: Annotated[str, typer.Option(help="Who owns what was reviewed; default: the reviewer.")] = "",
    json: AsJson = False,
) -> None:
    """Record the decisions of one reviewer: all of the file, or nothing if anything in it is not as it was exported."""
    workspace = Workspace.open(context.obj)
    moment = now()
    entitlement = reviewer_of(workspace.registers, reviewer, moment.date())
    reviewing = Reviewing(workspace, moment)
    sealed = reviewing.list_of(list_digest(file))
    answers = read_answers(file, sealed.body["rows"])
    rows, others = decided_rows(sealed.body, sealed.digest, answers, entitlement, moment)
    with workspace.lease():
        known = counting(workspace.registers, sealed.body, sealed.digest)
        fresh = news(rows, known)
        decided = {**known, **{row["row"]: row for row in rows}}
        undecided = [row for row in sealed.body["rows"] if row["row"] not in decided]
        if sign and undecided:
            first = "; ".join(f"{row['holder']} / {row['access']}" for row in undecided[:10])
            raise UsageError(
                f"{len(undecided)} of {sealed.body['population']} rows have no decision that counts: {first}",
                fix="decide them, those about the signer by another reviewer; nothing was imported",
            )
        _record(workspace, sealed, fresh, decided, entitlement, owner if sign else None, moment)
    told = {
        "list": sealed.digest, "rows": sealed.body["population"], "recorded": len(fresh), "as before": len(rows) - len(fresh),
        "by others in the file": others, "decided": len(decided), "undecided": len(undecided), "signed": sign,
    }  # fmt: skip
    if json:
        output.as_json(told)
    else:
        output.pairs(told)


def _record(
    workspace: Workspace,
    sealed: SealedList,
    fresh: list[Any],
    decided: dict[str, Any],
    reviewer: Any,
    owner: str | None,
    moment: dt.datetime,
) -> None:
    """Append the decisions in one step, then the signature: a crash between leaves decisions that nobody signed."""
    folder = workspace.config.path(workspace.config.assess.registers)
    if moment < parse_time(sealed.body["listed_at"]):
        raise UsageError("the list is of a later moment than this clock", fix="set the clock right")
    if fresh:
        append_rows(folder, "access_decisions", fresh)
    if owner is not None and not signed(workspace.registers, sealed.digest, reviewer["person"]):
        removals = sum(row["decision"] == "remove" for row in decided.values())
        row = signature(
            sealed.body, sealed.digest, reviewer["person"], owner or reviewer["person"], moment, len(decided), removals
        )
        append_rows(folder, "access_reviews", [row])


@app.command("status")
def status(
    context: typer.Context,
    night: Annotated[str, typer.Option(help="The capture to look at; default: the latest.")] = "",
    json: AsJson = False,
) -> int:
    """Say what is decided and what became of each removal. Exit 7 if one is overdue or was granted anew."""
    workspace = Workspace.open(context.obj)
    reviewing = Reviewing(workspace, now())
    execute = int(workspace.library.control(CONTROL).effective["execute_days"])
    try:
        later = reviewing.held(parse_night(night) if night else reviewing.latest_night())
        told = [_told(reviewing, sealed, later, execute) for sealed in reviewing.lists_to_follow(later.night)]
    finally:
        workspace.close()
    if json:
        output.as_json({"night": later.night, "lists": told})
    else:
        for each in told:
            _show(each, later.night)
    return EXIT_NOT_SATISFIED if any(row["overdue"] for each in told for row in each["removals"]) else 0


def _told(reviewing: Reviewing, sealed: SealedList, later: Any, execute: int) -> dict[str, Any]:
    body = sealed.body
    decisions = counting(reviewing.registers, body, sealed.digest)
    found = standings(body, decisions, reviewing.held(dt.date.fromisoformat(body["night"])), later)
    counts = Counter(each.state for each in found)
    return {
        "list": sealed.digest, "period_end": body["period_end"], "night": body["night"], "rows": body["population"],
        "decided": len(decisions), "decided_by": dict(sorted(Counter(row["reviewer"] for row in decisions.values()).items())), "undecided": counts["undecided"], "keep": counts["keep"],
        "removals_asked": sum(counts[state] for state in ("waiting", "open", "reopened", "closed")), "removals_open": open_removals(found),
        "removals": [_removal(each, execute, reviewing.moment) for each in found if each.state not in {"undecided", "keep"}],
    }  # fmt: skip


def _removal(each: Standing, execute: int, moment: dt.datetime) -> dict[str, Any]:
    decision = each.decision or {}
    age = (moment - decision["decided_at"].replace(tzinfo=dt.UTC)).days
    late = age if each.state == "waiting" else each.days  # without captures nothing is ever seen gone
    return {
        "system": each.row["system"], "holder": each.row["holder"], "access": each.row["access"], "asked": decision["asked"],
        "reviewer": decision["reviewer"], "decided_at": decision["decided_at"].isoformat(timespec="seconds") + "Z", "state": each.state,
        "days": each.days, "why": each.why, "overdue": each.state == "reopened" or (each.state in {"open", "waiting"} and late > execute),
    }  # fmt: skip


def _show(told: dict[str, Any], night: dt.date) -> None:
    names = ("list", "period_end", "night", "rows", "decided", "undecided", "keep", "removals_asked", "removals_open")
    by = ", ".join(f"{name} {count}" for name, count in told["decided_by"].items())
    output.pairs({**{name.replace("_", " "): told[name] for name in names}, "decided by": by or "nobody"})
    if told["removals"]:
        columns = ("state", "days", "system", "holder", "access", "asked", "reviewer", "why")
        rows = [[row[name] for name in columns] for row in told["removals"]]
        output.table(f"removals, as captured on {night}", columns, rows)
