"""Encrypting a file for the holders of certificates, so that plain ``openssl cms -decrypt`` opens it; flat memory, any size.

CMS AuthEnvelopedData (RFC 5083) with AES-256-GCM (RFC 5084) in DER: who has no key reads nothing, and a changed byte is refused when it
is opened. The content key goes to each recipient by RSA-OAEP with SHA-256 (RFC 4056) or by ephemeral ECDH on the recipient's curve,
X9.63 with SHA-256 and AES-256 key wrap (RFC 5753). The sizes are known before, so the file is written in one pass.
"""

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from asn1crypto import algos, cms, core, keys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from evidence.errors import ConfigError
from evidence.signing.certificate import load_certificates

SUFFIX: Final = ".cms"
_BLOCK: Final = 1 << 20
_TAG: Final = 16  # bytes of GCM's authentication tag
_AUTH_ENVELOPED: Final = core.ObjectIdentifier("1.2.840.113549.1.9.16.1.23").dump()
_AES_GCM: Final = core.ObjectIdentifier("2.16.840.1.101.3.4.1.46")  # id-aes256-GCM
_ECDH: Final = "1.3.132.1.11.1"  # dhSinglePass-stdDH-sha256kdf-scheme
_WRAP: Final = "2.16.840.1.101.3.4.1.45"  # id-aes256-wrap


class _GcmParameters(core.Sequence):  # type: ignore[misc]
    _fields: Final = [("nonce", core.OctetString), ("icv_length", core.Integer)]


class _GcmAlgorithm(core.Sequence):  # type: ignore[misc]
    _fields: Final = [("algorithm", core.ObjectIdentifier), ("parameters", _GcmParameters)]


class _Wrap(core.Sequence):  # type: ignore[misc]
    _fields: Final = [("algorithm", core.ObjectIdentifier)]


class _SharedInfo(core.Sequence):  # type: ignore[misc]
    """ECC-CMS-SharedInfo (RFC 5753 section 7.2)."""

    _fields: Final = [("key_info", _Wrap), ("supp_pub_info", core.OctetString, {"explicit": 2})]


def load_recipient(body: bytes, name: str, now: dt.datetime) -> x509.Certificate:
    """Return the certificate in ``body`` (PEM or DER; the first of several) that a key can be sent to.

    Raises ``ConfigError`` when it does not parse, is not valid at ``now``, or is not for this use.
    """
    certificate = load_certificates(body, name)[0]
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ConfigError(f"{name} is not valid today", fix="ask the recipient for a current certificate")
    key = certificate.public_key()
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        fits = usage is None or usage.key_encipherment
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256:
        fits = usage is None or usage.key_agreement
    else:
        raise ConfigError(
            f"{name} has neither an RSA key of 2048 bits nor one on P-256", fix="ask for such a certificate"
        )
    if not fits:
        raise ConfigError(f"{name} is not for encryption (key usage)", fix="ask for a certificate for encryption")
    return certificate


def encrypt_file(source: Path, target: Path, recipients: Sequence[x509.Certificate]) -> None:
    """Write ``source`` encrypted for every one of ``recipients`` to ``target``, which must not exist; whole or not at all."""
    key, nonce = os.urandom(32), os.urandom(12)
    size = source.stat().st_size
    infos = cms.RecipientInfos([_recipient(each, key) for each in recipients]).dump()
    head, tail = _around(infos, nonce, size)
    temporary = target.with_name(f".{target.name}.partial")
    cipher = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    try:
        with source.open("rb") as plain, temporary.open("wb") as out:
            out.write(head)
            written = 0
            while block := plain.read(_BLOCK):
                written += len(block)
                out.write(cipher.update(block))
            cipher.finalize()
            if written != size:
                raise ConfigError(f"{source.name} changed while it was encrypted", fix="try again")
            out.write(tail + cipher.tag)
        os.link(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _around(infos: bytes, nonce: bytes, size: int) -> tuple[bytes, bytes]:
    """Return the bytes before the ciphertext and those before the tag."""
    algorithm = _GcmAlgorithm({"algorithm": _AES_GCM, "parameters": {"nonce": nonce, "icv_length": _TAG}}).dump()
    inner = core.ObjectIdentifier("1.2.840.113549.1.7.1").dump() + algorithm  # id-data
    cipher_head = b"\x80" + _length(size)
    content = b"\x30" + _length(len(inner) + len(cipher_head) + size) + inner + cipher_head
    tag_head = b"\x04" + _length(_TAG)
    body = core.Integer(0).dump() + infos + content
    whole = len(body) + size + len(tag_head) + _TAG
    envelope = b"\x30" + _length(whole)
    wrapped = b"\xa0" + _length(len(envelope) + whole)
    outer = len(_AUTH_ENVELOPED) + len(wrapped) + len(envelope) + whole
    return b"\x30" + _length(outer) + _AUTH_ENVELOPED + wrapped + envelope + body, tag_head


def _length(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def _recipient(certificate: x509.Certificate, key: bytes) -> Any:
    from asn1crypto import x509 as asn1_x509

    own = asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
    named = cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number})
    public = certificate.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return _by_oaep(public, named, key)
    assert isinstance(public, ec.EllipticCurvePublicKey)  # load_recipient lets no other through
    return _by_agreement(public, named, key)


def _by_oaep(public: rsa.RSAPublicKey, named: Any, key: bytes) -> Any:
    sha256 = hashes.SHA256()
    sealed = public.encrypt(key, padding.OAEP(padding.MGF1(sha256), sha256, None))
    digest = algos.DigestAlgorithm({"algorithm": "sha256"})
    words = {"hash_algorithm": digest, "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": digest}}
    value = {
        "version": "v0",
        "rid": cms.RecipientIdentifier({"issuer_and_serial_number": named}),
        "key_encryption_algorithm": {"algorithm": "rsaes_oaep", "parameters": algos.RSAESOAEPParams(words)},
        "encrypted_key": sealed,
    }
    return cms.RecipientInfo({"ktri": cms.KeyTransRecipientInfo(value)})


def _by_agreement(public: ec.EllipticCurvePublicKey, named: Any, key: bytes) -> Any:
    ephemeral = ec.generate_private_key(public.curve)
    info = _SharedInfo({"key_info": {"algorithm": _WRAP}, "supp_pub_info": (256).to_bytes(4, "big")}).dump()
    kek = X963KDF(hashes.SHA256(), 32, info).derive(ephemeral.exchange(ec.ECDH(), public))
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    own = keys.PublicKeyInfo.load(ephemeral.public_key().public_bytes(encoding, form))
    rid = cms.KeyAgreementRecipientIdentifier({"issuer_and_serial_number": named})
    value = {
        "version": "v3",
        "originator": cms.OriginatorIdentifierOrKey({"originator_key": own}),
        "key_encryption_algorithm": {"algorithm": _ECDH, "parameters": _Wrap({"algorithm": _WRAP})},
        "recipient_encrypted_keys": [{"rid": rid, "encrypted_key": aes_key_wrap(kek, key)}],
    }
    return cms.RecipientInfo({"kari": cms.KeyAgreeRecipientInfo(value)})
