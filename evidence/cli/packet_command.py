"""``evidence packet``: findings and evidence of a period as one signed bag."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from evidence.bag.bag import SIGNATURE, TAGMANIFEST, TIMESTAMP
from evidence.bag.statement import packet_statement
from evidence.cli import output
from evidence.cli.delivery import deliver, place_of, recipients_of
from evidence.cli.identity import load_identity
from evidence.cli.packet_choice import check_period, report_named
from evidence.cli.packet_inputs import gather, nights_without_assessment
from evidence.cli.packet_recount import recount
from evidence.cli.packet_review import seal_decisions
from evidence.cli.period import Period, parse_night, parse_period
from evidence.cli.requests_command import answered, seal_registers, seal_requests
from evidence.cli.standing import pades_of
from evidence.cli.workspace import Workspace, now
from evidence.config import content_root
from evidence.errors import PacketRefusedError, UsageError
from evidence.packet import Packet, PacketInputs, build_packet
from evidence.signing.certificate import PacketKey
from evidence.signing.dsse import sign_envelope
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.store.sealing import append_new, put_object
from evidence.tlog.checkpoint import open_checkpoint

EXAMPLES: Final = (
    "evidence -w work packet quarterly-hipaa --period 2026-Q3",
    "evidence -w work packet nightly-brief --night 2026-07-14 --partial",
    "evidence -w work packet quarterly-soc2 --period 2026-Q3 --encrypt-to auditor.pem",
    "evidence -w work packet quarterly-hipaa --period 2026-Q3 --request R-7",
)


def packet(
    context: typer.Context,
    report: Annotated[
        str, typer.Argument(help="A report: quarterly-hipaa, quarterly-soc2, access-review, nightly-brief.")
    ],
    period: Annotated[str, typer.Option(help="For example 2026-Q3, or one night, 2026-07-14.")] = "",
    night: Annotated[str, typer.Option(help="One night instead of a period, for nightly-brief.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where to write; default: packets/ in the workspace.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Make it in spite of gaps, marked PROVISIONAL.")] = False,
    request: Annotated[
        str, typer.Option(help="Number of an answered request: only its controls and what they rest on.")
    ] = "",
    recounted: Annotated[
        bool,
        typer.Option("--recount/--no-recount", help="First count the period's event windows again at live sources."),
    ] = True,
    in_toto: Annotated[
        bool, typer.Option("--in-toto", help="Also write a signed in-toto statement of the packet beside the zip.")
    ] = False,
    encrypt_to: Annotated[
        list[Path] | None,
        typer.Option(
            help="A recipient's certificate: --out (default: delivery/) gets the zip encrypted, and no plain one."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Make a signed packet: folder and zip. Refused where it would rest on missing or provisional evidence."""
    workspace = Workspace.open(context.obj)
    definition, chosen = report_named(workspace, report), _chosen(period, night)
    check_period(definition, chosen)
    authorities = workspace.authorities(workspace.config.packet.tsa, workspace.config.packet.tsa_roots)
    asked = answered(workspace, request) if request else None
    if recounted:
        recount(workspace, chosen, partial=partial)
    missing = nights_without_assessment(workspace, chosen)
    if missing and not partial:
        raise PacketRefusedError(
            f"{len(missing)} nights of {chosen.label} are not assessed, first {missing[0]}",
            fix=f"evidence assess --period {chosen.label}",
        )
    recipients = recipients_of(encrypt_to or [])
    kept = workspace.config.workspace / "packets"
    target = kept if recipients else out or kept
    target.mkdir(parents=True, exist_ok=True)
    place = place_of(out, workspace.config.workspace, kept) if recipients else None
    key = identity_of(workspace)
    seal_registers(workspace)
    if asked is not None:
        seal_requests(workspace)
    if "review" in definition.sections:
        seal_decisions(workspace)
    with workspace.scratch("packet") as scratch:
        try:
            inputs = gather(workspace, definition, chosen, scratch, asked)
        finally:
            workspace.close()
        inputs = replace(inputs, pades=pades_of(workspace.config, key, inputs.revocation_lists, now()))
        made = build_packet(
            inputs,
            key,
            target,
            content_root() / "templates",
            signed_at=now(),
            stamp=authorities.stamp if authorities else None,
            partial=partial,
            progress=lambda text: output.console(err=True).print(f"packet: {text}"),
        )
    _seal(workspace, made, inputs, chosen, key.fingerprint)
    output.undelivered(workspace.log.undelivered)
    stated = write_statement(made, key) if in_toto or workspace.config.packet.attestation else None
    sent = deliver(made.zip, recipients, place) if place else None
    if json:
        words = {"packet": made.packet_id, "zip": made.zip, "folder": made.folder, "omissions": made.omissions}
        output.as_json(words | ({"in_toto": stated} if stated else {}) | ({"encrypted": sent} if sent else {}))
        return
    if stated:
        output.say(f"in-toto statement: {stated}")
    if not authorities:
        output.say("time not proven: no time-stamp authority is configured ([packet] tsa)")
    for url, why in authorities.passed_over.items():
        output.say(f"time-stamp authority passed over: {url}: {why}")
    for omission in made.omissions:
        output.say(f"omitted: {omission}")
    output.say(str(made.zip))


def _chosen(period: str, night: str) -> Period:
    if bool(period) == bool(night):
        raise UsageError("a packet is of one period or one night", fix="give --period 2026-Q3 or --night 2026-07-14")
    return parse_period((night and parse_night(night).isoformat()) or period)


def write_statement(made: Packet, key: PacketKey) -> Path:
    """Write ``<packet>.intoto.jsonl`` beside the zip: a DSSE envelope around the in-toto statement; return its path."""
    path = made.zip.with_name(f"{made.packet_id}.intoto.jsonl")
    path.write_bytes(sign_envelope(packet_statement(made.folder, made.zip, made.omissions), key))
    return path


def _seal(workspace: Workspace, made: Packet, inputs: PacketInputs, period: Period, certificate: str) -> None:
    """Commit the packet to the log, so that the next one can show what came before it."""
    size = open_checkpoint((made.folder / "data/log/checkpoint").read_text(), [workspace.verifier]).size
    with made.zip.open("rb") as handle:
        zipped = hashlib.file_digest(handle, "sha256").hexdigest()
    stamp = made.folder / TIMESTAMP
    record = canonical.encode({
        "format": "evidence-packet-v1",
        "packet": made.packet_id,
        "report": inputs.report.name,
        **({"request": canonical.sha256_hex(canonical.encode(inputs.request.to_json()))} if inputs.request else {}),
        "period": {"start": period.start.isoformat(), "end": period.end.isoformat()},
        "log_size": size,
        "tagmanifest_sha256": sha256_of(made.folder / TAGMANIFEST),
        "signature_sha256": sha256_of(made.folder / SIGNATURE),
        "certificate_sha256": certificate,
        **({"timestamp_sha256": sha256_of(stamp)} if stamp.is_file() else {}),
        "zip_sha256": zipped,
        "omissions": list(made.omissions),
    })  # fmt: skip
    ref = put_object(workspace.store, f"packets/{made.packet_id}.json", record)
    append_new(workspace.log, [Entry("packet", made.packet_id, ref, {"report": inputs.report.name, "log_size": size})])


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a small file."""
    return canonical.sha256_hex(path.read_bytes())


def identity_of(workspace: Workspace) -> PacketKey:
    """Return the packet key with its certificate and chain."""
    return load_identity(workspace.config, workspace.config.packet)
