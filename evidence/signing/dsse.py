"""DSSE envelopes (secure-systems-lab/dsse 1.0): a payload, its type, and one signature by the packet key.

What is signed is the pre-authentication encoding ``DSSEv1 <length> <type> <length> <payload>``, with RSA (PKCS#1 v1.5) or ECDSA over
SHA-256, whichever the key is. ``keyid`` is the hex SHA-256 of the signer's certificate: a hint for finding it, no proof.
"""

import base64
import json
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from evidence.signing.certificate import PacketKey

IN_TOTO: Final = "application/vnd.in-toto+json"


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload: bytes, key: PacketKey, payload_type: str = IN_TOTO) -> bytes:
    """Return the envelope as one line of JSON. Raises what a key that stays elsewhere raises."""
    signature = _sign(pae(payload_type, payload), key)
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [{"keyid": key.fingerprint, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _sign(message: bytes, key: PacketKey) -> bytes:
    private = key.private_key
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(message, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(message, ec.ECDSA(hashes.SHA256()))
    return private.sign(message)
