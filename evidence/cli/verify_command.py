"""``evidence verify``: check a packet or a store with keys that were carried outside."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from evidence.cli import output
from evidence.errors import EXIT_OK, UsageError, VerificationError
from evidence.verify import Verification, verify_packet, verify_store

Trust = Annotated[
    list[Path] | None,
    typer.Option(
        help="Trusted key or certificate: the folder `trust`, a .vkey or a .pem file (tsa-*.pem: for time-stamps); may be repeated."
    ),
]


def verify(
    path: Annotated[Path, typer.Argument(help="A packet (folder or zip) or a store folder.")],
    trust: Trust = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint you kept: finds rollback.")] = None,
    reperform: Annotated[bool, typer.Option("--reperform", help="Also compute the findings again.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show every check, not only failures.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Check a packet or a store offline; name the failed step. Exit 10 if anything fails."""
    given = _trust(trust or [])
    if not json:
        for role, files in given.roles.items():
            output.say(f"trusted for {role}: {', '.join(files)}")
    kept = checkpoint.read_text() if checkpoint else None
    if (path / "store.json").is_file() or (path / "log").is_dir():
        if reperform:
            raise UsageError("--reperform takes a packet", fix="name a packet folder or zip")
        result = verify_store(path, given.vkeys, checkpoint=kept, authorities=given.authorities)
    else:
        result = verify_packet(
            path, vkeys=given.vkeys, certificates=given.certificates, authorities=given.authorities, checkpoint=kept
        )
        if reperform and result.ok:
            from evidence.reperform import reperform as again

            result = result.joined(again(path))
    return _show(result, explain=explain, json=json)


@dataclass
class _Given:
    """Trust material by role; ``roles`` maps each role to the names of its files, for saying so."""

    vkeys: list[str] = field(default_factory=list)
    certificates: list[bytes] = field(default_factory=list)
    authorities: list[bytes] = field(default_factory=list)
    roles: dict[str, list[str]] = field(default_factory=dict)


def _trust(paths: list[Path]) -> _Given:
    """Sort trust material by what it is: verifier keys are one line of text, certificates PEM.

    A certificate judges time, and nothing else, if its file is named ``tsa`` or ``tsa-…``: a root does not say of itself
    what it is for, and an authority that stamps for anybody must not vouch for packets.
    """
    given = _Given()
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p])]
    for file in files:
        body = file.read_bytes()
        if body.lstrip().startswith(b"-----BEGIN CERTIFICATE"):
            stamps = file.stem == "tsa" or file.name.startswith("tsa-")
            (given.authorities if stamps else given.certificates).append(body)
            role = "time-stamps" if stamps else "seals of packets"
        elif body.count(b"+") >= 2:
            given.vkeys.append(body.decode().strip())
            role = "logs"
        else:
            raise UsageError(f"{file} is neither a verifier key nor a certificate", fix="give log.vkey or a PEM file")
        given.roles.setdefault(role, []).append(file.name)
    if not files:
        raise UsageError("nothing to trust was given", fix="--trust DIR with what `evidence init` put into trust/")
    return given


def _show(result: Verification, *, explain: bool, json: bool) -> int:
    if json:
        output.as_json([
            {"step": c.step, "ok": c.ok, "detail": c.detail, "subject": c.subject} for c in result.checks
        ])  # fmt: skip
        return EXIT_OK if result.ok else VerificationError.exit_code
    words = {True: "ok", False: "fail", None: "not checked"}
    shown = [c for c in result.checks if explain or c.ok is not True]
    output.table("", ["", "step", "what", "subject"], [[words[c.ok], c.step, c.detail, c.subject] for c in shown])
    proved = sum(c.ok is True for c in result.checks)
    failed = sum(c.ok is False for c in result.checks)
    open_ = sum(c.ok is None for c in result.checks)
    verdict = "verified" if result.ok else "NOT VERIFIED"
    output.say(f"{verdict}: {proved} checks proved, {failed} failed, {open_} not made")
    return EXIT_OK if result.ok else VerificationError.exit_code
