"""``evidence handover``: a packet as CSV for GRC tools and people, with what others call our controls and evidence."""

from pathlib import Path
from typing import Annotated, Final

import typer

from evidence import handover as verb
from evidence.bag.files import open_bag
from evidence.cli import output
from evidence.cli.requests_command import seal_requests
from evidence.cli.workspace import Workspace, now
from evidence.control.requests import Request, requests_of
from evidence.errors import UsageError, VerificationError
from evidence.render.pseudonym import AUDIENCES, Audience, Veil
from evidence.signing.keys import load_hmac_key
from evidence.signing.trust import load_trust
from evidence.snapshot import canonical
from evidence.snapshot.ahead import cores
from evidence.verify import verify_packet

EXAMPLES: Final = (
    "evidence handover work/packets/PACKET.zip --out handover",
    'evidence handover work/packets/PACKET.zip --out handover --asked-by "Example Auditors"',
)


def handover(
    context: typer.Context,
    packet: Annotated[Path, typer.Argument(help="A packet of this workspace: folder or zip.", exists=True)],
    out: Annotated[Path, typer.Option(help="The folder to write; it must not be there yet.")],
    audience: Annotated[
        str, typer.Option(help="internal, auditor or customer. For customers no one of the staff is named.")
    ] = "auditor",
    asked_by: Annotated[
        str, typer.Option(help="Whose requests go along; internal: all, otherwise none by default.")
    ] = "",
    idmap: Annotated[
        Path | None, typer.Option(help="CSV ours,theirs; default: idmap.csv in the workspace.", exists=True)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the files as JSON.")] = False,
) -> None:
    """Write controls, tests, requests, issues and an index of evidence as CSV. Only a packet that verifies is handed over."""
    workspace = Workspace.open(context.obj)
    if audience not in AUDIENCES:
        raise UsageError(f"no audience {audience!r}", fix=f"one of {', '.join(AUDIENCES)}")
    chosen: Audience = next(each for each in AUDIENCES if each == audience)
    _verified(workspace, packet)
    packet_id = packet.name.removesuffix(".zip")
    said = _left_out(workspace, packet_id)
    requests = _requests(workspace, chosen, asked_by)
    if requests:
        seal_requests(workspace)
    key = load_hmac_key(workspace.config.redaction.key, workspace.config.secret)
    with open_bag(packet) as files:
        handed = verb.read_handed(
            files,
            packet_id,
            requests=requests,
            owners=workspace.owners,
            idmap=_idmap(workspace, idmap),
        )
        written = verb.write(handed, Veil.of(chosen, key.secret), files, out, said=said)
    if json:
        output.as_json(
            {"packet": packet_id, "audience": audience, "files": [[e.name, e.rows, e.sha256] for e in written]}
        )
        return
    for sentence in said:
        output.say(sentence)
    output.say(f"{len(written)} files for {audience} in {out}")


def _verified(workspace: Workspace, packet: Path) -> None:
    trust = load_trust([workspace.config.workspace / "trust"])
    result = verify_packet(
        packet,
        certificates=trust.certificates,
        vkeys=trust.vkeys,
        authorities=trust.authorities,
        lists=trust.lists,
        at=now(),
        jobs=cores(),
    )
    if not result.ok:
        failed = next(check for check in result.checks if check.ok is False)
        raise VerificationError(f"{packet.name} does not verify: {failed.step}: {failed.detail}", step=failed.step)


def _left_out(workspace: Workspace, packet_id: str) -> list[str]:
    """Return what the packet itself says it leaves out; raise ``UsageError`` for one that this log does not know."""
    found = [entry for _, entry in workspace.index.of_type("packet") if entry.key == packet_id]
    if not found or found[0].object is None:
        raise UsageError(f"{packet_id} is not in this workspace's log", fix="use the workspace that made it")
    ref = found[0].object
    record = canonical.decode(workspace.store.get(ref.path, sha256=ref.sha256), what=ref.path)
    lines = [f"Zip of the packet: SHA-256 {record['zip_sha256']}"]
    if "request" in record:
        lines.append("The packet is the answer to one request: it holds the controls that answer it and no others.")
    return lines + [f"PROVISIONAL, left out of the packet: {omission}" for omission in record["omissions"]]


def _requests(workspace: Workspace, audience: Audience, asked_by: str) -> list[Request]:
    found = requests_of(workspace.registers).values()
    if audience == "internal" and not asked_by:
        return list(found)
    return [each for each in found if asked_by and each.asked_by == asked_by]


def _idmap(workspace: Workspace, given: Path | None) -> dict[str, str]:
    path = given or workspace.config.workspace / "idmap.csv"
    return verb.parse_idmap(path.read_bytes()) if path.is_file() else {}
