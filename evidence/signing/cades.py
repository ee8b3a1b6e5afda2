"""Signing bytes: a detached CAdES baseline-B signature (ETSI EN 319 122-1) in DER, made by pyHanko.

Without a time-stamp authority nothing proves the time: verification says "time not proven".
"""

import asyncio
import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from evidence.signing.certificate import PacketKey


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
    """Return pyHanko's ``SimpleSigner`` for a packet key."""
    from asn1crypto import keys
    from asn1crypto import x509 as asn1_x509
    from pyhanko.sign.signers import SimpleSigner
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    private = key.private_key.private_bytes(encoding, form, serialization.NoEncryption())
    store: Any = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple(asn1_x509.Certificate.load(_der(item)) for item in key.chain)
    return SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(_der(key.certificate)),
        signing_key=keys.PrivateKeyInfo.load(private),
        cert_registry=store,
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
