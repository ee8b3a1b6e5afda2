"""Signing a PDF in one incremental revision, certification with DocMDP 1, invisible field.

Without a time-stamp authority: PAdES baseline-B. With one: B-T, the token inside the signature; with revocation lists too: B-LT, a document
security store (ETSI EN 319 142-1, 5.4.2) with the signer's certificates, the lists and OCSP responses, which the signature covers. On request
B-LTA: a document time-stamp over all of it, in the one further revision (``evidence.signing.lta``).

The unsigned bytes stay a prefix of the signed file, so ``head -c N packet.pdf | sha256sum`` names the render that was
signed. Reasons for the invisible field and for one revision: docs/decisions/0061-packet-signatures.md and 0138.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import serialization

from evidence.errors import TimestampError
from evidence.signing.cades import pyhanko_signer
from evidence.signing.certificate import PacketKey
from evidence.signing.cms import pdf_signature
from evidence.signing.lta import TIME, add_document_stamp
from evidence.signing.timestamp import attach_token, stamped_part

FIELD = "Seal"
RESERVED: Final = 24 << 10  # bytes for a signature with its chain (up to 6 KiB) and a token (up to 8 KiB), and room


@dataclass(frozen=True, slots=True)
class Pades:
    """What a time-stamped signature has beside the token: revocation lists and OCSP responses (DER), a document time-stamp."""

    lists: tuple[bytes, ...] = ()
    responses: tuple[bytes, ...] = ()
    archive: bool = False


def sign_pdf(
    pdf: bytes,
    key: PacketKey,
    *,
    name: str,
    reason: str,
    stamp: Callable[[bytes], bytes] | None = None,
    extra: Pades | None = None,
) -> bytes:
    """Return ``pdf`` with a certification signature that forbids any later change (ISO 32000-1 table 254, P 1).

    The claimed moment in ``/M`` is the host clock's, written by pyHanko; nothing believes it. ``stamp`` returns a token over
    what it is given and may raise ``TimestampError``; with it ``extra`` goes in.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter, append_signature_field
    from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner

    metadata = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        name=name,
        reason=reason,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        subfilter=SigSeedSubFilter.PADES,
    )
    out, writer = io.BytesIO(), IncrementalPdfFileWriter(io.BytesIO(pdf))
    extra = extra or Pades()
    if stamp is not None and (extra.lists or extra.responses):
        _add_validation(writer, key, extra)
    if stamp is not None and extra.archive:
        append_signature_field(writer, SigFieldSpec(TIME))
    signer = PdfSigner(metadata, pyhanko_signer(key))
    signer.sign_pdf(writer, output=out, bytes_reserved=2 * RESERVED if stamp is not None else None)
    made = out.getvalue()
    if stamp is None:
        return made
    stamped = _stamped(made, stamp)
    return add_document_stamp(stamped, stamp) if extra.archive else stamped


def _add_validation(writer: Any, key: PacketKey, extra: Pades) -> None:
    from asn1crypto import crl, ocsp, x509
    from pyhanko.sign.validation.dss import DocumentSecurityStore

    der = serialization.Encoding.DER
    certificates = [x509.Certificate.load(one.public_bytes(der)) for one in (key.certificate, *key.chain)]
    carried = [crl.CertificateList.load(body) for body in extra.lists]
    answers = [ocsp.OCSPResponse.load(body) for body in extra.responses]
    DocumentSecurityStore.supply_dss_in_writer(writer, None, certs=certificates, crls=carried, ocsps=answers)


def _stamped(pdf: bytes, stamp: Callable[[bytes], bytes]) -> bytes:
    """Put a token over the signature value into the signature's own placeholder, which the signature does not cover."""
    der, start, end = pdf_signature(pdf)
    made = attach_token(der, stamp(stamped_part(der))).hex().encode()
    room = end - start - 2
    if len(made) > room:
        raise TimestampError(
            f"signature and time-stamp have {len(made) // 2} bytes, over {room // 2}", fix="use another tsa"
        )
    return pdf[: start + 1] + made.ljust(room, b"0") + pdf[end - 1 :]
