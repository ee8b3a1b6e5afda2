"""Signed notes (C2SP signed-note) with Ed25519 signatures, and the text form of verifier keys.

::

    acme.example/evidence/01J9        <- text, ends in a newline
    2
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
                                      <- one empty line
    — acme.example/evidence/01J9 Az3grlgtzPICa5OS8npV…      em dash, key name, base64(key id || signature)

The key id is ``SHA-256(name || 0x0A || 0x01 || public key)[:4]``; a verifier key is spelled
``name+hex(key id)+base64(0x01 || public key)``. Parsers accept only what the encoders beside them write.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evidence.errors import MalformedError, VerificationError

ED25519: Final = b"\x01"  # signature type byte, C2SP signed-note
MAX_SIGNATURES: Final = 16  # what C2SP asks every verifier to accept
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")  # but the line end
_DASH: Final = "\u2014 "


class Signer(Protocol):
    """What the log needs of a signing key: a name, the public half and signatures. It never sees the private half."""

    @property
    def name(self) -> str:
        """Key name; for a log its origin."""

    @property
    def public_key(self) -> bytes:
        """32 bytes (RFC 8032)."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of ``message``."""


def check_name(name: str) -> None:
    """Raise ``MalformedError`` unless ``name`` may name a key: printable, no white space, no plus."""
    if not name or not name.isprintable() or "+" in name or " " in name:  # no other white space is printable
        raise MalformedError(f"malformed key name {name!r}")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and its name."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public_key) != 32:
            raise MalformedError(f"public key of {self.name} is not 32 bytes")

    @property
    def key_id(self) -> bytes:
        """Four bytes that find the key's signature in a note."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    def to_text(self) -> str:
        """Return the verifier key: the text an operator carries outside as the trust root."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether ``signature`` is this key's over ``message``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def parse_verifier(text: str) -> Verifier:
    """Parse a verifier key; raise ``MalformedError`` for any spelling :meth:`Verifier.to_text` does not write."""
    try:
        name, _, body = text.split("+", 2)
        verifier = Verifier(name, base64.b64decode(body)[1:])
    except ValueError as exc:
        raise MalformedError(f"malformed verifier key {text!r}: {exc}") from exc
    if verifier.to_text() != text:
        raise MalformedError(f"malformed verifier key {text!r}")
    return verifier


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, key id (4 bytes), signature."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != 4 or not self.signature:
            raise MalformedError(f"malformed signature of {self.name}")

    def to_text(self) -> str:
        """Return the line."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, not yet verified: use :func:`open_note`."""

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or _CONTROL.search(self.text):
            raise MalformedError("malformed note: text has control characters or no final newline")
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise MalformedError(f"malformed note: {len(self.signatures)} signatures")

    def to_text(self) -> str:
        """Return the signed note."""
        return self.text + "\n" + "".join(signature.to_text() for signature in self.signatures)


def parse_note(text: str) -> Note:
    """Parse a signed note without verifying it; raise ``MalformedError``."""
    body, separator, tail = text.rpartition("\n\n")
    if not separator:
        raise MalformedError("malformed note: no signatures")
    note = Note(body + "\n", tuple(_parse_signature(line) for line in tail.splitlines(keepends=True)))
    if note.to_text() != text:
        raise MalformedError("malformed note: not in canonical form")
    return note


def sign_note(text: str, *signers: Signer) -> str:
    """Return the note over ``text`` (which ends in a newline), signed by each of ``signers``."""
    return Note(text, tuple(_sign(text, signer) for signer in signers)).to_text()


def open_note(text: str, verifiers: Sequence[Verifier]) -> Note:
    """Parse and verify: at least one known key signed, and no known key's signature is wrong (C2SP signed-note).

    Signatures of unknown keys are ignored. Raises ``MalformedError`` or ``VerificationError``.
    """
    note = parse_note(text)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    proved = False
    for line in note.signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            continue
        if not verifier.verify(note.text.encode(), line.signature):
            raise VerificationError(f"signature of {line.name} is wrong", step="signature")
        proved = True
    if not proved:
        raise VerificationError(
            f"no signature of {', '.join(sorted(v.name for v in verifiers))} with a trusted key",
            step="signature",
            fix="give the verifier key that was printed when the store was made",
        )
    return note


def _sign(text: str, signer: Signer) -> Signature:
    key = Verifier(signer.name, signer.public_key)
    return Signature(key.name, key.key_id, signer.sign(text.encode()))


def _parse_signature(line: str) -> Signature:
    try:
        name, body = line.removeprefix(_DASH).removesuffix("\n").split(" ")
        packed = base64.b64decode(body)
    except ValueError as exc:
        raise MalformedError(f"malformed signature line: {exc}") from exc
    return Signature(name, packed[:4], packed[4:])
