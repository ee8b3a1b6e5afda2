"""Handing a packet out encrypted: the plain one stays with the workspace, the place of delivery gets the encrypted file alone."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from cryptography.x509 import Certificate

from evidence.bag.approval import folder_beside
from evidence.cli import output
from evidence.cli.workspace import now
from evidence.errors import UsageError
from evidence.signing.encrypt import SUFFIX, encrypt_file, load_recipient
from evidence.signing.trust import read_small

FOLDER = "delivery"  # in the workspace, where --out names no place


def recipients_of(paths: Sequence[Path]) -> list[Certificate]:
    """Load the certificates; raise ``UsageError`` or ``ConfigError`` for one that nothing can be encrypted to."""
    return [load_recipient(read_small(path), path.name, now()) for path in paths]


def place_of(out: Path | None, workspace: Path, plain: Path) -> Path:
    """Return where the encrypted file goes; raise ``UsageError`` where the plain packets lie: one of them would be handed out."""
    place = out or workspace / FOLDER
    if place.resolve() == plain.resolve():
        raise UsageError(
            f"{place} holds the plain packets", fix="name another folder with --out: only the encrypted file goes there"
        )
    place.mkdir(parents=True, exist_ok=True)
    return place


def deliver(zipped: Path, recipients: Sequence[Certificate], place: Path) -> Path:
    """Write the encrypted zip, and the approvals as they are, to ``place``; return the file's path."""
    target = place / (zipped.name + SUFFIX)
    if target.exists():
        raise UsageError(f"{target} exists already", fix="name another folder with --out")
    encrypt_file(zipped, target, recipients)
    approvals = folder_beside(zipped)
    if approvals.is_dir():
        shutil.copytree(approvals, place / approvals.name, dirs_exist_ok=True)
    with target.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    output.console(err=True).print(
        f"encrypted for {len(recipients)}: {target} (sha256 {digest}); the plain packet stays in {zipped.parent}"
    )
    return target
