"""Signing a PDF: PAdES baseline-B in one incremental revision, certification with DocMDP 1, invisible field.

The unsigned bytes stay a prefix of the signed file, so ``head -c N packet.pdf | sha256sum`` names the render that was
signed. Reasons for the invisible field and for one revision: docs/decisions/0061-signatures.md.
"""

import io

from evidence.signing.cades import pyhanko_signer
from evidence.signing.certificate import PacketKey

FIELD = "Seal"


def sign_pdf(pdf: bytes, key: PacketKey, *, name: str, reason: str) -> bytes:
    """Return ``pdf`` with a certification signature that forbids any later change (ISO 32000-1 table 254, P 1).

    The claimed moment in ``/M`` is the host clock's, written by pyHanko; nothing believes it.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
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
    out = io.BytesIO()
    signer = PdfSigner(metadata, pyhanko_signer(key))
    signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), output=out)
    return out.getvalue()
