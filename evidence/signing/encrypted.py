"""Seeing that a file is encrypted, for whom, and saying how it is opened; nothing is decrypted here.

Only the beginning of the file is read: CMS EnvelopedData or AuthEnvelopedData in DER or BER (RFC 5652, RFC 5083).
"""

from pathlib import Path
from typing import Final

from asn1crypto import cms

from evidence.signing.der import MAX_BYTES

_KINDS: Final = {
    bytes.fromhex("060b2a864886f70d0109100117"): "with authentication",  # id-ct-authEnvelopedData
    bytes.fromhex("06092a864886f70d010703"): "WITHOUT authentication: a change may go unnoticed",  # envelopedData
}
_MANY: Final = 20


def encrypted_for(path: Path) -> str:
    """Return, for an encrypted file, for whom it is and how to open it; empty for any other file."""
    try:
        with path.open("rb") as handle:
            head = handle.read(MAX_BYTES)
        return _said(head, path.name)
    except (OSError, ValueError, TypeError, IndexError, KeyError):
        return ""


def _said(head: bytes, name: str) -> str:
    tag, at, _ = _value(head, 0)
    kind = next((oid for oid in _KINDS if head.startswith(oid, at)), None)
    if tag != 0x30 or kind is None:
        return ""
    _, at, _ = _value(head, at + len(kind))  # [0]
    _, at, _ = _value(head, at)  # the envelope
    _, start, size = _value(head, at)  # version
    at = start + size
    if head[at] == 0xA0:  # originatorInfo
        _, start, size = _value(head, at)
        at = start + size
    _, start, size = _value(head, at)
    people = _recipients(head[at : start + size])
    more = f" and {len(people) - _MANY} more" if len(people) > _MANY else ""
    return (
        f"this file is encrypted ({_KINDS[kind]}) for {'; '.join(people[:_MANY])}{more}. Open it with your key, then verify what comes out: "
        f"openssl cms -decrypt -binary -inform DER -in {name} -recip CERTIFICATE.pem -inkey KEY.pem -out {name.removesuffix('.cms')}"
    )


def _value(data: bytes, at: int) -> tuple[int, int, int]:
    """Return (tag, where the content begins, its length; 0 where it is indefinite)."""
    first = data[at + 1]
    if first <= 0x80:
        return data[at], at + 2, first & 0x7F
    octets = first & 0x7F
    return data[at], at + 2 + octets, int.from_bytes(data[at + 2 : at + 2 + octets], "big")


def _recipients(body: bytes) -> list[str]:
    """Return who each recipient is: issuer and serial number as the certificate has them, or its key identifier."""
    names = []
    for info in cms.RecipientInfos.load(body):
        chosen = info.chosen
        rids = [chosen["rid"]] if info.name == "ktri" else [each["rid"] for each in chosen["recipient_encrypted_keys"]]
        for rid in rids:
            if rid.name == "issuer_and_serial_number":
                issuer, serial = rid.chosen["issuer"], rid.chosen["serial_number"].native
                names.append(f"the holder of certificate {serial:x} of {issuer.human_friendly}")
            else:
                names.append(f"the holder of key {rid.chosen.native!r}")
    return names or ["nobody it names"]
