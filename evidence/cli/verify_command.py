"""``evidence verify``: check a packet or a store with keys that were carried outside."""

from pathlib import Path
from typing import Annotated

import typer

from evidence.cli import output
from evidence.errors import EXIT_OK, UsageError, VerificationError
from evidence.verify import Verification, verify_packet, verify_store

Trust = Annotated[
    list[Path] | None,
    typer.Option(help="Trusted key or certificate: the folder `trust`, a .vkey or a .pem file; may be repeated."),
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
    vkeys, certificates = _trust(trust or [])
    kept = checkpoint.read_text() if checkpoint else None
    if (path / "store.json").is_file() or (path / "log").is_dir():
        if reperform:
            raise UsageError("--reperform takes a packet", fix="name a packet folder or zip")
        result = verify_store(path, vkeys, checkpoint=kept)
    else:
        result = verify_packet(path, vkeys=vkeys, certificates=certificates, checkpoint=kept)
        if reperform and result.ok:
            from evidence.reperform import reperform as again

            result = result.joined(again(path))
    return _show(result, explain=explain, json=json)


def _trust(paths: list[Path]) -> tuple[list[str], list[bytes]]:
    """Sort trust material by what it is: verifier keys are one line of text, certificates PEM."""
    vkeys, certificates = [], []
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p])]
    for file in files:
        body = file.read_bytes()
        if body.lstrip().startswith(b"-----BEGIN CERTIFICATE"):
            certificates.append(body)
        elif body.count(b"+") >= 2:
            vkeys.append(body.decode().strip())
        else:
            raise UsageError(f"{file} is neither a verifier key nor a certificate", fix="give log.vkey or a PEM file")
    if not files:
        raise UsageError("nothing to trust was given", fix="--trust DIR with what `evidence init` put into trust/")
    return vkeys, certificates


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
