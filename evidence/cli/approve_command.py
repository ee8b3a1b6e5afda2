"""``evidence approve``: a person's signature under a packet, in files beside it, recorded in the log where the workspace is there."""

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Final

import typer

from evidence import approve as verb
from evidence.approve import Approved, Asked, Known
from evidence.bag.signoff import STEP
from evidence.cli import output
from evidence.cli.delivery import deliver, place_of, recipients_of
from evidence.cli.identity import load_identity
from evidence.cli.workspace import Workspace, now
from evidence.config import FILE_NAME, Config, EntityConfig, PacketConfig
from evidence.errors import UsageError, VerificationError
from evidence.signing.certificate import PacketKey, certificate_pem, key_pem, make_demo_authority
from evidence.signing.keys import write_secret
from evidence.signing.person import DEMONSTRATION
from evidence.signing.trust import TrustFiles, load_trust
from evidence.snapshot import canonical
from evidence.snapshot.ahead import cores
from evidence.snapshot.check import Verification
from evidence.snapshot.entry import Entry
from evidence.store.sealing import append_new, put_object
from evidence.verify import verify_packet

EXAMPLES: Final = (
    "evidence -w work approve work/packets/PACKET.zip --role reviewer --key file:ME.pem --certificate ME.crt",
    "evidence -w work approve work/packets/PACKET.zip --role issuer --key file:ME.pem --certificate ME.crt --encrypt-to auditor.pem",
)


def approve(
    context: typer.Context,
    packet: Annotated[Path, typer.Argument(help="The packet: folder or zip.")],
    role: Annotated[str, typer.Option(help="preparer, reviewer, approver or issuer, in this order.")],
    key: Annotated[
        str, typer.Option(help="Your own key: file:PATH (PEM, PKCS#12), env:NAME, kms:ID or pkcs11:URI.")
    ] = "",
    key_passphrase: Annotated[str, typer.Option(help="Where its passphrase or PIN is: env:NAME or file:PATH.")] = "",
    certificate: Annotated[
        str, typer.Option(help="Your certificate; its common name is the name under the packet.")
    ] = "",
    chain: Annotated[list[str] | None, typer.Option(help="Intermediate certificate; may be repeated.")] = None,
    login: Annotated[
        list[str] | None, typer.Option(help="A login of yours in the systems in scope; may be repeated.")
    ] = None,
    comment: Annotated[
        str, typer.Option(help="What you want to say; signed, printed by verify. No patient data.")
    ] = "",
    supersedes: Annotated[
        str, typer.Option(help="As issuer: id of the packet this one replaces; --comment says why.")
    ] = "",
    trust: Annotated[
        list[Path] | None, typer.Option(help="What the packet must verify by; default: trust/ of the workspace.")
    ] = None,
    encrypt_to: Annotated[
        list[Path] | None,
        typer.Option(help="As issuer, a recipient's certificate: encrypt the zip for delivery to --out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the encrypted zip and the approvals go; default: delivery/.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Verify a packet and sign that you reviewed, approved or issued it. Nothing of the packet changes."""
    workspace = Workspace.open(context.obj) if (context.obj / FILE_NAME).is_file() else None
    given = _trust(workspace, trust)
    recipients = recipients_of(encrypt_to or [])
    if recipients and (role != "issuer" or packet.is_dir()):
        raise UsageError(
            "--encrypt-to is for the issuer, and of the packet's zip", fix="--role issuer, and name PACKET.zip"
        )
    base = workspace.config.workspace if workspace else Path()
    place = place_of(out, base, packet.parent) if recipients else None
    seal, demo = _sealed_by(packet, given)
    asked = Asked(role, comment, tuple(login or ()), supersedes)
    person = _identity(workspace, asked, key, key_passphrase, certificate, chain or [])
    settings = workspace.config.packet if workspace else PacketConfig()
    authorities = workspace.authorities(settings.tsa, settings.tsa_roots) if workspace else None
    made = verb.approve(
        packet,
        person,
        asked,
        seal,
        at=now(),
        known=_known(workspace, demo=demo),
        stamp=authorities.stamp if authorities else None,
    )
    recorded = _record(workspace, made) if workspace else False
    said = _verified(packet, _trust(workspace, trust))  # again: a demonstration brings its own root
    doubts = [check.detail for check in said.checks if check.step == STEP and check.ok is None]
    statement = made.folder / made.statement.file
    if place:
        deliver(packet, recipients, place)
    if json:
        output.as_json(
            {"statement": statement, "role": role, "name": made.statement.name, "recorded": recorded, "said": doubts}
        )
        return
    for line in doubts:
        output.say(line)
    if not recorded:
        output.say(
            "not recorded in a log: this workspace did not make the packet" if workspace else "not recorded in a log"
        )
    output.say(str(statement))


def _trust(workspace: Workspace | None, trust: list[Path] | None) -> TrustFiles:
    if not trust and workspace is None:
        raise UsageError("nothing to trust was given", fix="--trust DIR, or -w WORKSPACE")
    return load_trust(trust or [workspace.config.workspace / "trust"] if workspace else trust or [])


def _verified(packet: Path, given: TrustFiles) -> Verification:
    return verify_packet(
        packet, certificates=given.certificates, vkeys=given.vkeys, authorities=given.authorities, lists=given.lists,
        people=given.people, jobs=cores(),
    )  # fmt: skip


def _sealed_by(packet: Path, given: TrustFiles) -> tuple[str, bool]:
    """Return the digest of the seal's certificate and whether it is a demonstration; raise ``VerificationError`` unless all of the packet verifies."""
    result = _verified(packet, given)
    if not result.ok:
        failed = result.failed[0] if result.failed else result.checks[0]
        raise VerificationError(f"{packet.name} does not verify: {failed.step}: {failed.detail}", step=failed.step)
    seal = next(check.detail for check in result.checks if check.step == "seal" and check.ok)
    return seal.rpartition("certificate SHA-256 ")[2], f"CN={DEMONSTRATION}" in seal


def _identity(
    workspace: Workspace | None, asked: Asked, key: str, passphrase: str, certificate: str, chain: list[str]
) -> PacketKey:
    """Return the person's key. Paths are relative to where the command runs: it is no key of the workspace."""
    if not key and workspace is not None and workspace.config.demo:
        return _demo_person(workspace, asked.role)
    if not key:
        raise UsageError(
            "--key is missing: an approval is signed by a person's own key", fix="--key file:PATH --certificate PATH"
        )
    here = Config(entity=EntityConfig(name="-", system="-"), workspace=Path.cwd())
    words = {"key": key, "certificate": certificate, "chain": tuple(chain), "key_passphrase": passphrase or None}
    try:
        settings = PacketConfig.model_validate(words)
    except ValueError:
        raise UsageError(
            "--key or --key-passphrase is no reference", fix="write file:PATH, env:NAME, kms:ID or pkcs11:URI"
        ) from None
    return load_identity(here, settings)


def _demo_person(workspace: Workspace, role: str) -> PacketKey:
    """Make, once for each role, a key that is a demonstration in name; who verifies sees DEMO."""
    config = workspace.config
    stem = f"demo-{role}"
    secret, public = config.path(f"keys/{stem}.pem"), config.path(f"keys/{stem}-certificate.pem")
    if not secret.exists():
        person, root = make_demo_authority(config.entity.name, now(), what=role)
        write_secret(secret, key_pem(person).decode().rstrip("\n"))
        public.write_bytes(certificate_pem(person.certificate))
        config.path(f"trust/people-{stem}.pem").write_bytes(certificate_pem(root))
    return load_identity(config, PacketConfig(key=f"file:{secret}", certificate=str(public)))


def _known(workspace: Workspace | None, *, demo: bool) -> Known:
    if workspace is None:
        return Known(demo=demo)
    owners, today = workspace.owners, now().date()
    owned: dict[str, list[str]] = defaultdict(list)
    for control in sorted(workspace.library.controls.values(), key=lambda each: each.id):
        owner = owners.of(control.id, Path(control.folder).parent.name, today)
        if owner:
            owned[owner].append(control.id)
    return Known(workspace.config.packet.prepared_by, owned, workspace.config.demo or demo)


def _record(workspace: Workspace, made: Approved) -> bool:
    """Commit the signature to the log, if the packet is in it."""
    said = made.statement
    if workspace.log.find("packet", said.packet) is None:
        return False
    stem = said.file.removesuffix(".json")
    ref = put_object(workspace.store, f"approvals/{said.packet}/{stem}.json", canonical.encode(made.to_json()))
    body = {
        "packet": said.packet, "role": said.role, "name": said.name, "at": canonical.format_time(said.at), "supersedes": said.supersedes,
        "comment": said.comment, "certificate_sha256": said.certificate_sha256, "tagmanifest_sha256": said.tagmanifest_sha256, "demo": said.demo,
    }  # fmt: skip
    append_new(workspace.log, [Entry("approval", f"{said.packet}/{stem}", ref, body)])
    output.undelivered(workspace.log.undelivered)
    return True
