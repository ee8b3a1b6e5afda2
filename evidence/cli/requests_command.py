"""``evidence requests``: what auditors, regulators and customers ask for, by number, and what became of it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from evidence.cli import output
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, now
from evidence.config import content_root
from evidence.control.inquiries import Inquiries
from evidence.control.registration import append_row, append_rows
from evidence.control.request_file import MAX_BYTES, Parsed, parse_requests
from evidence.control.requests import OPEN, REGISTERS, Request, check_exhibits, requests_of
from evidence.errors import UsageError
from evidence.render.inputs import DEMO
from evidence.render.spreadsheet import csv_bytes
from evidence.render.workbook import Heading, write_book
from evidence.render.worklist import REQUEST_COLUMNS, request_rows, request_table
from evidence.render.worksheets import RESTRICTED
from evidence.store.sealing import append_new, register_entries

EXAMPLES: Final = {
    "import": (
        "evidence -w work requests import pbc.csv --asked-by 'Example Auditors' --period 2026-Q3",
        "evidence -w work requests import --ocr --period 2026-Q3",
    ),
    "list": (
        "evidence -w work requests list",
        "evidence -w work requests list --owner 'J. Doe' --json",
    ),
    "assign": ("evidence -w work requests assign R-7 --owner 'J. Doe' --by 'A. Roe' --due 2026-10-15",),
    "answer": ("evidence -w work requests answer R-7 --by 'J. Doe' --answer 'See exhibit' --packet PKT-7",),
    "export": ("evidence -w work requests export --out answers.csv",),
}

app = typer.Typer(help="Requests of auditors, regulators and customers, by number.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Requests of auditors, regulators and customers, by number."""


@app.command("import")
def load(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV in UTF-8 with number and inquiry, one request a row.", exists=True, dir_okay=False),
    ] = None,
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Take the shipped list of OCR's inquiries in scope instead.")
    ] = False,
    column: Annotated[
        list[str] | None, typer.Option(help="Which heading is which column: number=Ref; may be repeated.")
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Put before every number, for example 2026-, where numbers come again.")
    ] = "",
    period: Annotated[str, typer.Option(help="Period of the requests that name none.")] = "",
    asked_by: Annotated[str, typer.Option(help="Who asks, for the requests that do not say.")] = "",
) -> None:
    """Record requests in registers/requests.toml: all of the file or nothing. What is recorded already is left as it is."""
    if (file is None) != ocr:
        raise UsageError("either a file or --ocr", fix="evidence requests import list.csv, or --ocr")
    workspace = Workspace.open(context.obj)
    name, body, parsed = _shipped(workspace, prefix) if file is None else _given(file, column or [], prefix)
    rows = [
        {**row, "period": row.get("period") or period, "asked_by": row.get("asked_by") or asked_by}
        for row in parsed.rows
    ]
    moment, digest = now(), hashlib.sha256(body).hexdigest()
    with workspace.lease():
        known = requests_of(workspace.registers)
        new = [row for row in rows if not _recorded(row, known)]
        numbers = {row["number"] for row in rows} | known.keys()
        loose = [row["number"] for row in rows if row.get("follows") and row["follows"] not in numbers]
        if loose:
            raise UsageError(
                f"{', '.join(loose[:5])} follow requests that are not there", fix="import what they follow first"
            )
        stamped = [{**row, "source": name, "source_sha256": digest, "recorded_at": moment} for row in new]
        if stamped:
            append_rows(_folder(workspace), "requests", stamped)
    for note in (*parsed.notes, *_strange(workspace, rows)):
        output.say(note)
    output.say(f"{len(new)} requests recorded in requests.toml, {len(rows) - len(new)} there already")


def _given(file: Path, columns: list[str], prefix: str) -> tuple[str, bytes, Parsed]:
    with file.open("rb") as handle:
        body = handle.read(MAX_BYTES + 1)
    pairs = [text.partition("=") for text in columns]
    if any(not theirs for _, _, theirs in pairs):
        raise UsageError("--column takes COLUMN=HEADING", fix="--column number=Ref")
    return file.name, body, parse_requests(body, columns={ours: theirs for ours, _, theirs in pairs}, prefix=prefix)


def _shipped(workspace: Workspace, prefix: str) -> tuple[str, bytes, Parsed]:
    path = content_root() / "reports" / "inquiries" / "ocr.toml"
    found = Inquiries.load(path)
    found.check(workspace.library)
    rows = tuple({**row, "number": prefix + row["number"]} for row in found.rows())
    return path.name, path.read_bytes(), Parsed(rows, (f"{found.title}: {found.about}",))


def _recorded(row: Mapping[str, Any], known: Mapping[str, Request]) -> bool:
    """Say whether the request stands there already; raise ``UsageError`` if its number asks for something else."""
    there = known.get(row["number"])
    if there is not None and there.inquiry != row["inquiry"]:
        raise UsageError(
            f"{row['number']} is recorded with another inquiry: nothing was imported",
            fix="a request is never rewritten: give the new one a number of its own, or --prefix",
        )
    return there is not None


def _strange(workspace: Workspace, rows: list[dict[str, Any]]) -> list[str]:
    known = {each for framework in workspace.library.frameworks.values() for each in framework.requirements}
    strange = sorted({each for row in rows for each in row.get("requirements") or () if each not in known})
    return (
        [f"{len(strange)} requirement ids that no framework has, kept as text: {', '.join(strange[:5])}"]
        if strange
        else []
    )


@app.command("list")
def show(
    context: typer.Context,
    status: Annotated[str, typer.Option(help="Only these: open, assigned, answered, partly, gap, withdrawn.")] = "",
    owner: Annotated[str, typer.Option(help="Only those of this owner.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON, every field.")] = False,
) -> None:
    """List requests with owner, due day and status; those that are overdue say so."""
    workspace = Workspace.open(context.obj)
    found = [
        each
        for each in requests_of(workspace.registers).values()
        if status in ("", each.status) and owner in ("", each.owner)
    ]
    if json:
        output.as_json({"requests": [each.to_json() for each in found]})
        return
    today = now().date()
    output.table(
        "",
        ["number", "status", "owner", "due", "", "inquiry"],
        [
            [each.number, each.status, each.owner, each.due or "", "overdue" if each.due and each.due < today and not each.settled else "", each.inquiry[:90]]
            for each in found
        ],
    )  # fmt: skip
    owed = sum(not each.settled for each in found)
    output.say(f"{len(found)} requests, {owed} not settled")


@app.command("assign")
def assign(
    context: typer.Context,
    number: Annotated[list[str], typer.Argument(help="Numbers, as `evidence requests list` prints them.")],
    owner: Annotated[str, typer.Option(help="Who answers.")],
    by: Annotated[str, typer.Option("--by", help="Who assigns.")],
    due: Annotated[str, typer.Option(help="By when, YYYY-MM-DD; default: as it was.")] = "",
) -> None:
    """Give requests to an owner."""
    workspace = Workspace.open(context.obj)
    with workspace.lease():
        known = requests_of(workspace.registers)
        moment, day = now(), parse_night(due) if due else None
        rows = [
            {"number": each, "status": "assigned", "owner": owner, "due": day, "recorded_by": by, "recorded_at": moment}
            for each in (_named(known, each).number for each in dict.fromkeys(number))
        ]
        append_rows(_folder(workspace), "request_records", rows)
    output.say(f"{len(rows)} requests assigned to {owner}")


@app.command("answer")
def answer(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="The request.")],
    by: Annotated[str, typer.Option("--by", help="Who answers.")],
    answer: Annotated[str, typer.Option(help="The answer in words. No patient data.")] = "",
    exhibit: Annotated[
        list[str] | None,
        typer.Option(
            help="Where it stands: control:ID, requirement:ID, register:NAME, section:NAME, page:12, file:data/…, document:WHERE; may be repeated."
        ),
    ] = None,
    packet: Annotated[str, typer.Option(help="The packet that pages and files are of.")] = "",
    status: Annotated[str, typer.Option(help="answered, partly, gap or withdrawn.")] = "answered",
) -> None:
    """Record an answer. `evidence packet REPORT --period P --request NUMBER` makes the packet that holds only it."""
    workspace = Workspace.open(context.obj)
    with workspace.lease():
        asked = request_named(workspace, number)
        if packet and workspace.log.find("packet", packet) is None:
            raise UsageError(f"no packet {packet!r} in the log", fix="its id is its folder's name: PKT-…")
        named = check_exhibits(exhibit or asked.exhibits, workspace.library, packet)
        words = answer or (asked.gap if status == "gap" else "")
        if not words and not (named and status in ("answered", "partly")):
            raise UsageError(
                "an answer needs words or exhibits", fix="--answer or --exhibit; for a gap: what would answer it"
            )
        row = {"number": number, "status": status, "owner": asked.owner, "answer": words, "exhibits": list(named), "packet": packet, "recorded_by": by, "recorded_at": now()}  # fmt: skip
        append_row(_folder(workspace), "request_records", row)
    output.say(f"{number} is recorded as {status}, with {len(named)} exhibits")


@app.command("export")
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The CSV, or the workbook (.xlsx), to write; it must not be there yet.")],
    asked_by: Annotated[str, typer.Option(help="Only those of this asker.")] = "",
) -> None:
    """Write requests with their answers, safe to open in a spreadsheet."""
    workspace = Workspace.open(context.obj)
    found = [each for each in requests_of(workspace.registers).values() if asked_by in ("", each.asked_by)]
    try:
        with out.open("xb") as handle:
            if out.suffix == ".xlsx":
                handle.write(_workbook(workspace, found, asked_by))
            else:
                handle.write(csv_bytes(REQUEST_COLUMNS, request_rows(found)))
    except FileExistsError as exc:
        raise UsageError(f"{out} is there already", fix="name another file") from exc
    output.say(f"{len(found)} requests in {out}")


def _workbook(workspace: Workspace, found: list[Request], asked_by: str) -> bytes:
    entity = workspace.config.entity
    facts = (
        ("Entity", f"{entity.name}, {entity.system}"),
        ("Asked by", asked_by or "all"),
        ("Restricted use", RESTRICTED),
    )
    marks = (DEMO,) if workspace.config.demo else ()
    with workspace.scratch("requests") as folder:
        draft = folder / "draft"
        write_book(draft, Heading("Requests", entity.name, now().date(), facts, marks=marks), [request_table(found)])
        return draft.read_bytes()


def request_named(workspace: Workspace, number: str) -> Request:
    """Return the request; raise ``UsageError`` if there is none."""
    return _named(requests_of(workspace.registers), number)


def _named(found: Mapping[str, Request], number: str) -> Request:
    if number not in found:
        fix = "`evidence requests list` prints the numbers" if found else "evidence requests import FILE"
        raise UsageError(f"no request {number!r}", fix=fix)
    return found[number]


def answered(workspace: Workspace, number: str) -> Request:
    """Return a request that was answered; raise ``UsageError`` for one that was not."""
    found = request_named(workspace, number)
    if not found.recorded_by or found.status in (OPEN, "assigned", "withdrawn"):
        raise UsageError(
            f"{number} is {found.status}: nothing was answered", fix=f"evidence requests answer {number} --by …"
        )
    return found


def seal_registers(workspace: Workspace) -> None:
    """Commit the registers that a packet carries as they stand: an answer or a waiver may be newer than the last assessment."""
    carried = {name: body for name, body in workspace.registers.bodies.items() if name not in REGISTERS}
    append_new(workspace.log, register_entries(workspace.log, carried))


def seal_requests(workspace: Workspace) -> None:
    """Commit both registers as they stand, if the log does not have them: what is handed out was sealed before."""
    asked = {name: body for name, body in workspace.registers.bodies.items() if name in REGISTERS}
    append_new(workspace.log, register_entries(workspace.log, asked))


def _folder(workspace: Workspace) -> Path:
    return workspace.config.path(workspace.config.assess.registers)
