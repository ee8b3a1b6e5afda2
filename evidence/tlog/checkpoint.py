"""Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as the text of a signed note.

Extension lines are optional in the specification; this log writes none and accepts none.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from evidence.errors import MalformedError, VerificationError
from evidence.tlog import note
from evidence.tlog.merkle import HASH_BYTES


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: ``root`` is the RFC 6962 hash (32 bytes) of its first ``size`` entries."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        note.check_name(self.origin)  # stricter than the specification: the origin is also the key's name
        if self.size < 0 or len(self.root) != HASH_BYTES:
            raise MalformedError(f"malformed checkpoint of {self.origin}: size {self.size}")

    def to_text(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, *signers: note.Signer) -> str:
        """Return the signed note; every key's name must be the origin."""
        for signer in signers:
            if signer.name != self.origin:
                raise VerificationError(f"key {signer.name} does not sign for log {self.origin}", step="signature")
        return note.sign_note(self.to_text(), *signers)


def parse_text(text: str) -> Checkpoint:
    """Parse the text that is signed; raise ``MalformedError`` for what :meth:`Checkpoint.to_text` does not write."""
    try:
        origin, size, root, _ = text.split("\n")
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root))
    except ValueError as exc:
        raise MalformedError(f"malformed checkpoint: {exc}") from exc
    if checkpoint.to_text() != text:
        raise MalformedError("malformed checkpoint: not in canonical form")
    return checkpoint


def parse_unverified(signed: str) -> Checkpoint:
    """Read a signed checkpoint without checking its signature: for display and for ordering, never for trust."""
    return parse_text(note.parse_note(signed).text)


def open_checkpoint(signed: str, verifiers: Sequence[note.Verifier]) -> Checkpoint:
    """Return the checkpoint of a signed note after verifying it; the signer's name must be the checkpoint's origin.

    Raises ``MalformedError`` or ``VerificationError``.
    """
    checkpoint = parse_text(note.open_note(signed, verifiers).text)
    if checkpoint.origin not in {verifier.name for verifier in verifiers}:
        raise VerificationError(f"checkpoint is of another log, {checkpoint.origin}", step="origin")
    return checkpoint
