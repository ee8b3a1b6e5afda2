"""Co-signatures of witnesses (C2SP tlog-cosignature, ``cosignature/v1``, Ed25519).

::

    acme.example/evidence
    3
    7zLDIzHSbOOHGcZ7jtSuTPIMKzZ0hSS6dgmEW3jQ9ow=

    — acme.example/evidence Zt57hrDAagXd…            the log's own signature
    — witness.example/w1 jWbPPwAAAABkGFDLEZMH…       base64(key id || time, 8 bytes || Ed25519 signature)

A witness signs a line ``cosignature/v1``, a line ``time <seconds since 1970>`` and the checkpoint's text: at that time this was
the largest tree, continuing all before, that it had seen of the log. Its key is spelled like a verifier key, with the type byte 4.
"""

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Final

from evidence.errors import MalformedError, VerificationError
from evidence.tlog import note

TYPE: Final = b"\x04"  # tlog-cosignature: timestamped Ed25519
MAX_ANSWER: Final = 1 << 16  # bytes of signature lines that are read; one has about 150
_TIME_BYTES: Final = 8
_END_OF_TIME: Final = int(dt.datetime(9999, 12, 31, tzinfo=dt.UTC).timestamp())  # what a datetime can hold


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's name and public key (32 bytes)."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        note.check_name(self.name)
        if len(self.public_key) != 32:
            raise MalformedError(f"public key of {self.name} is not 32 bytes")

    @property
    def key_id(self) -> bytes:
        """Four bytes: ``SHA-256(name || 0x0A || 0x04 || public key)[:4]``."""
        return hashlib.sha256(self.name.encode() + b"\n" + TYPE + self.public_key).digest()[:4]

    def to_text(self) -> str:
        """Return the verifier key with type byte 4, which an operator carries to whoever verifies."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(TYPE + self.public_key).decode()}"


def parse_cosigner(text: str) -> Cosigner:
    """Parse a witness's key; raise ``MalformedError`` for any spelling :meth:`Cosigner.to_text` does not write."""
    try:
        name, _, body = text.split("+", 2)
        cosigner = Cosigner(name, base64.b64decode(body)[1:])
    except ValueError as exc:
        raise MalformedError(f"malformed witness key {text!r}: {exc}") from exc
    if cosigner.to_text() != text:
        raise MalformedError(f"malformed witness key {text!r}")
    return cosigner


def is_cosigner(text: str) -> bool:
    """Say whether a verifier key is a witness's: the two kinds differ in the type byte alone."""
    try:
        return base64.b64decode(text.split("+", 2)[2])[:1] == TYPE
    except (ValueError, IndexError):
        return False


def cosigned_at(signed: str, cosigner: Cosigner) -> dt.datetime:
    """Return when ``cosigner`` signed the checkpoint; of several lines of its key the latest, all of which must be right.

    The log's own signature is not looked at. Raises ``MalformedError`` or ``VerificationError``.
    """
    parsed = note.parse_note(signed)
    own = [line for line in parsed.signatures if (line.name, line.key_id) == (cosigner.name, cosigner.key_id)]
    if not own:
        raise VerificationError(f"no co-signature of {cosigner.name} with that key", step="witness")
    return max(_checked(parsed.text, line.signature, cosigner) for line in own)


def with_cosignature(signed: str, answer: str, cosigner: Cosigner) -> str:
    """Return ``signed`` with the verified line of ``cosigner`` out of a witness's answer; lines of other keys are dropped.

    Raises ``MalformedError`` or ``VerificationError``.
    """
    for line in note.parse_note(signed + answer).signatures:
        if (line.name, line.key_id) == (cosigner.name, cosigner.key_id):
            cosigned = signed + line.to_text()
            cosigned_at(cosigned, cosigner)
            return cosigned
    raise VerificationError(f"the answer has no co-signature of {cosigner.name} with that key", step="witness")


def _checked(text: str, stamped: bytes, cosigner: Cosigner) -> dt.datetime:
    seconds, signature = int.from_bytes(stamped[:_TIME_BYTES], "big"), stamped[_TIME_BYTES:]
    message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
    if seconds > _END_OF_TIME or not note.Verifier(cosigner.name, cosigner.public_key).verify(message, signature):
        raise VerificationError(f"co-signature of {cosigner.name} is wrong", step="witness")
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
