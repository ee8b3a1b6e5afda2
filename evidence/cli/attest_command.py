"""``evidence attest``: a signed statement on a duty that no system shows, by link, version and digest of its document."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from evidence.cli import output
from evidence.cli.period import parse_night, parse_period
from evidence.cli.workspace import Workspace, now
from evidence.control.registration import append_row
from evidence.errors import UsageError

EXAMPLES: Final = {
    "add": (
        "evidence -w work attest add 164.310(a)(1) --statement 'Doors are locked' --owner Facilities --signed-by 'J. Doe' --effective 2026-07-01 --next-due 2027-07-01",
    ),
    "list": ("evidence -w work attest list",),
}

app = typer.Typer(help="Signed statements on duties that no system shows.", no_args_is_help=True)

STATEMENTS = ("no_incidents", "no_disclosures")  # of what did not occur; they name a period
OTHERS = ("snowflake_edition",)  # the statement names the account


@app.callback()
def root() -> None:
    """Signed statements on duties that no system shows."""


@app.command("add")
def add(
    context: typer.Context,
    requirement: Annotated[
        str, typer.Argument(help="Requirement id, for example 164.308(a)(2), or no_incidents, no_disclosures.")
    ],
    statement: Annotated[str, typer.Option(help="What is stated, in one sentence.")],
    owner: Annotated[str, typer.Option(help="Who owns the duty.")],
    signed_by: Annotated[str, typer.Option(help="Who signs, as registers/reviewers.toml names them.")],
    effective: Annotated[str, typer.Option(help="Day from which the document or statement holds, YYYY-MM-DD.")],
    next_due: Annotated[str, typer.Option(help="Day by which it must be signed again.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="The document: only its SHA-256 is recorded.", exists=True, dir_okay=False)
    ] = None,
    document: Annotated[str, typer.Option(help="Where the document is kept.")] = "",
    document_version: Annotated[str, typer.Option(help="Its version.")] = "",
    period: Annotated[str, typer.Option(help="First and last day a statement is about: 2026-07-01..2026-09-30.")] = "",
    note: Annotated[str, typer.Option(help="Anything a reader should know. No patient data.")] = "",
) -> None:
    """Record a signed statement. A later one for the same requirement takes its place."""
    workspace = Workspace.open(context.obj)
    known = {each for framework in workspace.library.frameworks.values() for each in framework.requirements}
    if requirement not in {*known, *STATEMENTS, *OTHERS}:
        raise UsageError(
            f"no requirement {requirement!r} in any framework",
            fix=f"an id of a framework, or {', '.join((*STATEMENTS, *OTHERS))}",
        )
    first, last = _span(period, requirement)
    row: dict[str, Any] = {
        "requirement": requirement, "statement": statement, "document_uri": document, "document_sha256": _digest(file),
        "document_version": document_version, "owner": owner, "signed_by": signed_by, "effective_on": parse_night(effective),
        "recorded_on": now().date(), "next_due": parse_night(next_due) if next_due else None, "period_start": first,
        "period_end": last, "note": note,
    }  # fmt: skip
    with workspace.lease():
        path = append_row(workspace.config.path(workspace.config.assess.registers), "attestations", row)
    output.say(f"{requirement} is recorded in {path.name}, signed by {signed_by}")


@app.command("list")
def show(context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the statement in force for each requirement, those that are due first."""
    workspace = Workspace.open(context.obj)
    latest: dict[str, Any] = {}
    for row in sorted(workspace.registers.rows.get("attestations", ()), key=lambda each: each["recorded_on"]):
        latest[row["requirement"]] = row
    today = now().date()
    rows = sorted(
        latest.values(), key=lambda row: (row["next_due"] is None, row["next_due"] or today, row["requirement"])
    )
    if json:
        output.as_json({"attestations": rows})
        return
    output.table(
        "",
        ["requirement", "statement", "signed by", "holds from", "next due", ""],
        [
            [r["requirement"], r["statement"], r["signed_by"] or "unsigned", r["effective_on"], r["next_due"] or "", "overdue" if r["next_due"] and r["next_due"] < today else ""]
            for r in rows
        ],
    )  # fmt: skip


def _digest(file: Path | None) -> str | None:
    if file is None:
        return None
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _span(period: str, requirement: str) -> tuple[Any, Any]:
    if not period:
        if requirement in STATEMENTS:
            raise UsageError(f"{requirement} is said of a time", fix="--period 2026-07-01..2026-09-30")
        return None, None
    chosen = parse_period(period)
    return chosen.start, chosen.end
