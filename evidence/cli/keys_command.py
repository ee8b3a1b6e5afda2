"""``evidence keys``: which keys sign, and handing the log over to a new one."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.init_command import TRUST
from evidence.cli.packet_command import identity_of
from evidence.cli.workspace import Workspace, now
from evidence.errors import EvidenceError, UsageError
from evidence.signing.keys import NoteKey, PublicNoteKey, write_secret
from evidence.signing.trust import read_checkpoint
from evidence.store.log import Log, accept_anchor
from evidence.tlog.note import Verifier

EXAMPLES: Final = {
    "list": ("evidence -w work keys list",),
    "rotate": ("evidence -w work keys rotate --to file:keys/next.key",),
    "accept-anchor": ("evidence -w work keys accept-anchor kept/checkpoint",),
}

app = typer.Typer(help="Keys: list them, hand the log over to a new one.", no_args_is_help=True)
_SOON = dt.timedelta(days=60)


@app.command("list")
def list_keys(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show every key of the log with the sizes it signed, and the packet key's certificate with its end."""
    workspace = Workspace.open(context.obj)
    log = Log.open(workspace.store, trust=workspace.verifier)
    own = workspace.verifier
    rows = []
    keys = list(log.keys)
    for place, (since, key) in enumerate(keys):
        end = keys[place + 1][0] if place + 1 < len(keys) else None
        signs = f"checkpoints {max(since, 1)} to {end}" if end else f"checkpoints from {max(since, 1)} on"
        state = "current" if end is None else "retired"
        rows.append(["log", state, key.to_text(), signs + (", configured here" if key == own else "")])
    rows.append(["packet", *_packet_row(workspace)])
    if json:
        output.as_json([dict(zip(("role", "state", "key", "detail"), row, strict=True)) for row in rows])
    else:
        output.table("", ["role", "state", "key", "detail"], rows)


@app.command()
def rotate(
    context: typer.Context,
    to: Annotated[
        str, typer.Option(help="The new key: file:PATH (made if it is not there), env:NAME or pkcs11:URI.")
    ] = "file:keys/collector-2.key",
) -> None:
    """Hand the log over to a new key: an entry signed by the old one and the new one. Doing it again changes nothing."""
    workspace = Workspace.open(context.obj)
    old = workspace.log_key
    if to == workspace.config.log.key:
        raise UsageError(f"{to} is the key that signs now", fix="name another with --to")
    new = _successor(workspace, to, old.name)
    verifier = Verifier(new.name, new.public_key)
    with workspace.lease():
        if Log.open(workspace.store, trust=workspace.verifier).verifier != verifier:
            index = workspace.log.rotate(new)
            output.say(f"entry {index} hands the log over, signed by both keys")
            output.undelivered(workspace.log.undelivered)
    kept = _trust_file(workspace.config.workspace / TRUST, verifier)
    output.pairs({"log key now": verifier.to_text(), "kept in": kept})
    output.say(f'Now set [log] key = "{to}" in evidence.toml, and carry {kept} outside beside the old key.')
    output.say(
        "Keep the old verifier key: whoever has it is led to the new one. Destroy the old secret when all is well."
    )


@app.command("accept-anchor")
def accept_anchor_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A signed checkpoint that you trust, from another place than the store.")
    ],
) -> None:
    """Let the signer's lost or outdated memory begin again at a checkpoint. Only after finding out why it is wrong."""
    workspace = Workspace.open(context.obj)
    signed = read_checkpoint(file) or ""
    accepted = accept_anchor(workspace.store, workspace.verifier, workspace.anchors, signed)
    size = Log.open(workspace.store, trust=workspace.verifier).size
    output.say(f"the anchors now hold size {accepted.size} of {accepted.origin}; the log has {size} entries")
    output.say("What the anchors held before lies beside them as NAME.before-N.")


def _successor(workspace: Workspace, ref: str, name: str) -> NoteKey | PublicNoteKey:
    """Return the key behind ``ref``; a file that is not there is made first, before the log hears of it."""
    if ref.startswith("file:") and not workspace.config.path(ref).exists():
        write_secret(workspace.config.path(ref), NoteKey.generate(name).to_text())
    return workspace.log_key_of(ref, name)


def _trust_file(folder: Path, verifier: Verifier) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"log-{verifier.key_id.hex()}.vkey"
    path.write_text(verifier.to_text() + "\n")
    return path


def _packet_row(workspace: Workspace) -> tuple[str, str, str]:
    try:
        key = identity_of(workspace)
    except (EvidenceError, OSError) as exc:
        return "unusable", workspace.config.packet.key, str(exc)
    left = key.not_after - now()
    state = "expired" if left < dt.timedelta() else "ends soon" if left < _SOON else "current"
    return state, f"sha256 {key.fingerprint}", f"{key.subject}, valid until {key.not_after:%Y-%m-%d}"
