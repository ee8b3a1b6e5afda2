"""Signing bytes: a detached CAdES baseline-B signature (ETSI EN 319 122-1) in DER, made by pyHanko.

A time-stamp is attached afterwards (``evidence.signing.timestamp``); without one verification says "time not proven".
"""

import asyncio
import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from evidence.errors import ConfigError
from evidence.signing.certificate import PacketKey, RemoteKey


def sign_detached(content: bytes, key: PacketKey, signed_at: dt.datetime) -> bytes:
    """Return the DER of a detached CMS signature over ``content``; ``signed_at`` is the claimed signing time (aware)."""
    from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

    made = asyncio.run(
        pyhanko_signer(key).async_sign_general_data(
            content,
            digest_algorithm="sha256",
            detached=True,
            use_cades=True,
            signed_attr_settings=PdfCMSSignedAttributes(signing_time=signed_at),
        )
    )
    der: bytes = made.dump()
    return der


def pyhanko_signer(key: PacketKey) -> Any:
    """Return pyHanko's signer for a packet key: its ``SimpleSigner``, or one that asks where the key stays."""
    from asn1crypto import keys
    from asn1crypto import x509 as asn1_x509
    from pyhanko.sign.signers import SimpleSigner

    private_key = key.private_key
    certificate = asn1_x509.Certificate.load(_der(key.certificate))
    if not isinstance(private_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        remote: Any = _remote_signer(private_key)(signing_cert=certificate, cert_registry=_store(key))
        return remote
    encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    private = private_key.private_bytes(encoding, form, serialization.NoEncryption())
    return SimpleSigner(
        signing_cert=certificate, signing_key=keys.PrivateKeyInfo.load(private), cert_registry=_store(key)
    )


def _store(key: PacketKey) -> Any:
    from asn1crypto import x509 as asn1_x509
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    store: Any = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple(asn1_x509.Certificate.load(_der(item)) for item in key.chain)
    return store


def _remote_signer(key: RemoteKey) -> type[Any]:
    from pyhanko.sign.signers import Signer

    class RemoteSigner(Signer):
        async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
            if digest_algorithm != "sha256":
                raise ConfigError(f"{digest_algorithm} is not what a remote key signs with", fix="report this")
            return bytes(512) if dry_run else key.sign(data)  # room for RSA-4096

    return RemoteSigner


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
