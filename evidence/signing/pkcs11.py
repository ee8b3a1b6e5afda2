"""Keys in a PKCS#11 token (hardware security module, smart card): packet keys and, with Ed25519, the log's key.

A key is named by a PKCS#11 URI (RFC 7512)::

    pkcs11:token=acme;object=packet?module-path=/usr/lib/softhsm/libsofthsm2.so

``token`` or ``serial`` finds the token, ``object`` or ``id`` the private key; ``module-path`` is the vendor's library, which
runs in this process: name one you trust. The PIN is an argument and never part of the URI. The library is ``python-pkcs11``,
an optional extra.

A session is opened and closed for each signature: nothing stays logged in between. Mechanisms: CKM_SHA256_RSA_PKCS,
CKM_ECDSA over the SHA-256 (tokens that hash for ECDSA themselves are rare), CKM_EDDSA. Every signature is verified with the
public key before it is used: a token that signs with another key is found where it happens.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from evidence.errors import ConfigError
from evidence.signing.certificate import PacketKey, load_certificates
from evidence.signing.keys import PublicNoteKey

PREFIX: Final = "pkcs11:"
_PATH: Final = {"token", "serial", "manufacturer", "model", "object", "id", "type"}
_SECRET: Final = {"pin-value", "pin-source"}
_EXAMPLE: Final = 'write "pkcs11:token=NAME;object=LABEL?module-path=/PATH/TO/LIBRARY.so"'
_FIXES: Final = {
    "PinIncorrect": "check the PIN that key_passphrase refers to, before more tries lock the token",
    "PinLocked": "the token's security officer must set a new PIN",
    "PinLenRange": "check the PIN that key_passphrase refers to",
    "PinExpired": "set a new PIN with the vendor's tool",
    "NoSuchToken": "check token= and serial= of the key's URI, and that the token is connected",
    "MultipleTokensReturned": "add serial= to the key's URI",
    "NoSuchKey": "check object= and id= of the key's URI: it must be a private key that may sign",
    "MultipleObjectsReturned": "add id= to the key's URI",
    "MechanismInvalid": "use a key that signs with CKM_SHA256_RSA_PKCS, CKM_ECDSA (P-256) or CKM_EDDSA",
    "TokenNotPresent": "connect the token",
    "DeviceRemoved": "connect the token",
}


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Where a key is: the library, and what finds token and object. ``pin`` is never shown."""

    module: str
    token: Mapping[str, str]
    label: str | None
    id: bytes | None
    pin: str | None = field(repr=False, default=None)

    @property
    def shown(self) -> str:
        """What to call the key in messages."""
        of = " ".join(self.token.values()) or "the only token"
        return f"{self.label or (self.id or b'').hex()} of {of}"


def parse_uri(uri: str, pin: str | None = None) -> TokenKey:
    """Parse a PKCS#11 URI; raise ``ConfigError`` for one that is malformed, incomplete or carries a PIN."""
    path, _, query = uri.removeprefix(PREFIX).partition("?")
    parts, more = _pairs(path, ";"), _pairs(query, "&")
    if _SECRET & (parts.keys() | more.keys()):
        raise ConfigError("a PKCS#11 URI in the configuration names a PIN", fix="take it out; use key_passphrase")
    unknown = (parts.keys() - _PATH) | (more.keys() - {"module-path"})
    if unknown or unquote(parts.get("type", "private")) != "private":
        raise ConfigError(f"PKCS#11 URI: {', '.join(sorted(unknown)) or 'type'} is not understood", fix=_EXAMPLE)
    module = unquote(more.get("module-path", ""))
    if not module.startswith("/") or not parts.keys() & {"object", "id"}:
        raise ConfigError("PKCS#11 URI: module-path (absolute) and object or id are needed", fix=_EXAMPLE)
    named: Sequence[str] = ("token", "serial", "manufacturer", "model")
    token = {name: unquote(parts[name]) for name in named if name in parts}
    label = unquote(parts["object"]) if "object" in parts else None
    return TokenKey(module, token, label, unquote_to_bytes(parts["id"]) if "id" in parts else None, pin)


def token_packet_key(uri: str, pin: str | None, certificate: bytes, chain: Sequence[bytes] = ()) -> PacketKey:
    """Return the packet key behind ``uri`` with the X.509 ``certificate`` issued for it.

    Raises ``ConfigError`` when token or key are not there, the PIN is wrong, or the certificate is of another key.
    """
    if not certificate:
        raise ConfigError(
            "a packet key in a token needs its certificate", fix="name the PEM file in [packet] certificate"
        )
    leaf, *more = load_certificates(certificate, "[packet] certificate")
    extra = tuple(item for body in chain for item in load_certificates(body, "chain"))
    where = parse_uri(uri, pin)
    _check_certificate(where, leaf)
    return PacketKey(TokenPacketKey(where, leaf.public_key()), leaf, (*more, *extra))


class TokenPacketKey:
    """The signing half of a packet key in a token; ``public`` is its certificate's key."""

    def __init__(self, where: TokenKey, public: Any) -> None:
        self._where = where
        self._public = public

    def public_key(self) -> Any:
        """Return the public half."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message`` with SHA-256. Raises ``ConfigError``."""
        with _private(self._where) as (key, mechanism):
            if isinstance(self._public, rsa.RSAPublicKey):
                made = bytes(key.sign(message, mechanism=mechanism.SHA256_RSA_PKCS))
                check = _checked(lambda: self._public.verify(made, message, padding.PKCS1v15(), hashes.SHA256()))
            else:
                plain = bytes(key.sign(hashlib.sha256(message).digest(), mechanism=mechanism.ECDSA))
                half = len(plain) // 2
                made = encode_dss_signature(int.from_bytes(plain[:half], "big"), int.from_bytes(plain[half:], "big"))
                check = _checked(lambda: self._public.verify(made, message, ec.ECDSA(hashes.SHA256())))
        if not check:
            raise ConfigError(
                f"{self._where.shown} did not sign with the certificate's key", fix="check [packet] certificate"
            )
        return made


class TokenNoteKey(PublicNoteKey):
    """The log's Ed25519 key in a token. ``name`` is the log's origin: a token keeps none."""

    def __init__(self, uri: str, pin: str | None, name: str) -> None:
        if not name:
            raise ConfigError("a log key in a token carries no name", fix="give the log's origin in [log] name")
        self._where = parse_uri(uri, pin)
        super().__init__(name, _ed25519(self._where))

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature. Raises ``ConfigError``."""
        with _private(self._where) as (key, mechanism):
            made = bytes(key.sign(message, mechanism=mechanism.EDDSA))
        public = Ed25519PublicKey.from_public_bytes(self.public_key)
        if not _checked(lambda: public.verify(made, message)):
            raise ConfigError(f"{self._where.shown} is not the private half of its public key", fix="use another key")
        return made


@contextmanager
def _private(where: TokenKey) -> Iterator[tuple[Any, Any]]:
    """Open a session, log in and yield (private key, mechanisms); whatever the token says becomes a ``ConfigError``."""
    with _session(where) as session:
        from pkcs11 import Mechanism, ObjectClass

        yield _one(session, ObjectClass.PRIVATE_KEY, where), Mechanism


@contextmanager
def _session(where: TokenKey) -> Iterator[Any]:
    try:
        import pkcs11
        from pkcs11.exceptions import PKCS11Error
    except ImportError as exc:
        raise ConfigError(
            "python-pkcs11 is not installed", fix="install it beside this product: pip install python-pkcs11"
        ) from exc
    try:
        library = pkcs11.lib(where.module)
    except (RuntimeError, OSError) as exc:
        raise ConfigError(
            f"PKCS#11 library {where.module} does not load: {exc}",
            fix="install the vendor's library, check module-path",
        ) from None
    try:
        token = _token(library, where)
        with token.open(user_pin=where.pin) as session:
            yield session
    except PKCS11Error as exc:
        kind = type(exc).__name__
        fix = _FIXES.get(kind, "see the vendor's log")
        if where.pin is None:
            fix = f"set key_passphrase to where the PIN is; else {fix}"
        raise ConfigError(f"the PKCS#11 token refuses {where.shown}: {kind}", fix=fix) from None


def _one(session: Any, kind: Any, where: TokenKey) -> Any:
    """Return the one object of a class that the URI names. The search is read to its end: a token has one at a time."""
    from pkcs11 import Attribute
    from pkcs11.exceptions import MultipleObjectsReturned, NoSuchKey

    wanted = {Attribute.CLASS: kind}
    if where.label is not None:
        wanted[Attribute.LABEL] = where.label
    if where.id is not None:
        wanted[Attribute.ID] = where.id
    found = list(session.get_objects(wanted))
    if len(found) != 1:
        raise MultipleObjectsReturned if found else NoSuchKey
    return found[0]


def _token(library: Any, where: TokenKey) -> Any:
    """Return the one token of the library that has every attribute the URI names."""
    from pkcs11.exceptions import MultipleTokensReturned, NoSuchToken

    found = [t for t in library.get_tokens() if _is(t, where.token)]
    if len(found) != 1:
        raise MultipleTokensReturned if found else NoSuchToken
    return found[0]


def _is(token: Any, wanted: Mapping[str, str]) -> bool:
    shown = {
        "token": token.label,
        "serial": token.serial.decode(errors="replace"),
        "manufacturer": token.manufacturer_id,
        "model": token.model,
    }
    return all(str(shown[name]).strip("\0 ") == value for name, value in wanted.items())


def _check_certificate(where: TokenKey, leaf: x509.Certificate) -> None:
    """Compare the certificate with the token's public key of that name, where there is one; log in all the same."""
    public = leaf.public_key()
    small = isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)
    if not small and not isinstance(public, rsa.RSAPublicKey):
        raise ConfigError("the packet's certificate is neither RSA nor P-256", fix="use RSA-3072 or P-256")
    with _session(where) as session:
        from pkcs11 import KeyType, ObjectClass
        from pkcs11.exceptions import NoSuchKey
        from pkcs11.util import ec as token_ec
        from pkcs11.util import rsa as token_rsa

        _one(session, ObjectClass.PRIVATE_KEY, where)
        try:
            shown = _one(session, ObjectClass.PUBLIC_KEY, where)
        except NoSuchKey:
            return  # the first signature shows it
        own: Any = None
        if small and shown.key_type == KeyType.EC:
            own = serialization.load_der_public_key(token_ec.encode_ec_public_key(shown))
        elif not small and shown.key_type == KeyType.RSA:
            own = _rsa(token_rsa.encode_rsa_public_key(shown))
    if own is None or _spelled(own) != _spelled(public):
        raise ConfigError(f"the certificate is not of key {where.shown}", fix="have one issued for its public half")


def _rsa(pkcs1: bytes) -> Any:
    from asn1crypto.keys import RSAPublicKey

    value = RSAPublicKey.load(pkcs1).native
    return rsa.RSAPublicNumbers(value["public_exponent"], value["modulus"]).public_key()


def _ed25519(where: TokenKey) -> bytes:
    """Return the 32 bytes of the token's public key: CKA_EC_POINT, as such or in an OCTET STRING."""
    with _session(where) as session:
        from pkcs11 import Attribute, ObjectClass

        shown = _one(session, ObjectClass.PUBLIC_KEY, where)
        point = bytes(shown[Attribute.EC_POINT])
    raw = point[2:] if len(point) == 34 and point[:2] == b"\x04\x20" else point
    if len(raw) != 32:
        raise ConfigError(
            f"{where.shown} is not an Ed25519 key", fix="make one: the log's checkpoints are Ed25519 notes"
        )
    return raw


def _checked(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except (InvalidSignature, ValueError):
        return False
    return True


def _pairs(text: str, separator: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for piece in filter(None, text.split(separator)):
        name, equals, value = piece.partition("=")
        if not equals or name in found:
            raise ConfigError("PKCS#11 URI: an attribute is malformed or repeated", fix=_EXAMPLE)
        found[name] = value
    return found


def _spelled(public: Any) -> bytes:
    return bytes(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
