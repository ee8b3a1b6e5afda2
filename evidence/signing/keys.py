"""The collector's keys: the Ed25519 key that signs the log, and the HMAC key of keyed columns.

A key is configured as a reference, ``file:PATH`` or ``env:NAME``; only the configuration looks such references up, so
the loaders here take a resolver. Key texts never appear in messages or ``repr``.

The log key is one line, in the encoding of Go's ``note`` package::

    PRIVATE+KEY+<name>+<hex key id>+<base64(0x01 || 32-byte seed)>

or PKCS#8 PEM, which carries no name. The HMAC key is one line of 64 hex digits.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence.errors import ConfigError

Resolver = Callable[[str], bytes]
_PREFIX: Final = "PRIVATE+KEY+"
_ED25519: Final = b"\x01"
_KEY_ID_DOMAIN: Final = b"evidence redaction key id v1\n"


class PublicNoteKey:
    """A log key whose private half stays elsewhere: its name and what is public of it. Subclasses sign."""

    def __init__(self, name: str, public_key: bytes) -> None:
        self.name = name
        self.public_key = public_key

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return f"{self.name}+{_key_id(self).hex()}+{base64.b64encode(_ED25519 + self.public_key).decode()}"

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A log's signing key: its name (the log's origin) and the 32-byte seed of RFC 8032."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable() or "+" in self.name or any(c.isspace() for c in self.name):
            raise ConfigError(f"malformed key name {self.name!r}", fix="use printable text without spaces and plus")
        if len(self.seed) != 32:
            raise ConfigError(f"log key {self.name} is not an Ed25519 key", fix="make one with `evidence init`")

    @classmethod
    def generate(cls, name: str) -> Self:
        """Return a new key."""
        return cls(name, secrets.token_bytes(32))

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self._private().public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        """Four bytes, ``SHA-256(name || 0x0A || 0x01 || public key)[:4]`` (C2SP signed-note)."""
        return _key_id(self)

    @property
    def vkey(self) -> str:
        """The verifier key: what an operator carries outside as the trust root."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public_key).decode()}"

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        return self._private().sign(message)

    def to_text(self) -> str:
        """Return the secret line, without newline."""
        return f"{_PREFIX}{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.seed).decode()}"

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class HmacKey:
    """The key of keyed columns, 32 bytes. ``key_id`` goes into manifests; joins hold within one key id only."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise ConfigError("redaction key is not 32 bytes", fix="make one with `evidence init`")

    @classmethod
    def generate(cls) -> Self:
        """Return a new key."""
        return cls(secrets.token_bytes(32))

    @property
    def key_id(self) -> str:
        """First 8 hex digits of the SHA-256 of the domain-separated key."""
        return hashlib.sha256(_KEY_ID_DOMAIN + self.secret).hexdigest()[:8]

    def to_text(self) -> str:
        """Return the secret line, without newline."""
        return self.secret.hex()


def _key_id(key: NoteKey | PublicNoteKey) -> bytes:
    return hashlib.sha256(key.name.encode() + b"\n" + _ED25519 + key.public_key).digest()[:4]


def load_note_key(ref: str, resolve: Resolver, *, name: str = "") -> NoteKey:
    """Return the log key behind ``ref``; ``name`` is the log's origin, needed for PEM and compared otherwise.

    Raises ``ConfigError`` naming the reference, never the value.
    """
    body = resolve(ref)
    key = _parse_pem(ref, body, name) if body.lstrip().startswith(b"-----BEGIN") else _parse_line(ref, body)
    if name and key.name != name:
        raise ConfigError(f"{ref} is the key of {key.name}, not of {name}", fix="point [log] key to this store's key")
    return key


def load_hmac_key(ref: str, resolve: Resolver) -> HmacKey:
    """Return the HMAC key behind ``ref``; raise ``ConfigError`` naming the reference, never the value."""
    text = resolve(ref).decode(errors="replace").removesuffix("\n")
    try:
        key = HmacKey(bytes.fromhex(text))
    except (ValueError, ConfigError):
        key = None
    if key is None or key.to_text() != text:
        raise ConfigError(f"{ref} is not 64 lower-case hex digits", fix="make the key with `evidence init`")
    return key


def write_secret(path: Path, text: str) -> None:
    """Create ``path``, mode 0600, with one line; raise ``ConfigError`` if it exists: a key is never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as exc:
        raise ConfigError(f"{path} exists", fix="move the old key away first; what it signed still needs it") from exc
    with os.fdopen(handle, "w") as out:
        out.write(text + "\n")
        out.flush()
        os.fsync(out.fileno())


def _parse_line(ref: str, body: bytes) -> NoteKey:
    text = body.decode(errors="replace").removesuffix("\n")
    try:
        name, _, packed = text.removeprefix(_PREFIX).split("+", 2)
        key = NoteKey(name, base64.b64decode(packed)[1:])
    except (ValueError, ConfigError):
        key = None
    if key is None or key.to_text() != text:
        raise ConfigError(f"{ref} is not a log key", fix="make the key with `evidence init`")
    return key


def _parse_pem(ref: str, body: bytes, name: str) -> NoteKey:
    if not name:
        raise ConfigError(f"{ref} is PEM and carries no name", fix="give the log's origin with the key")
    try:
        private = serialization.load_pem_private_key(body, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(f"{ref} is not an unencrypted Ed25519 private key", fix="make the key with `evidence init`")
    return NoteKey(name, private.private_bytes_raw())
