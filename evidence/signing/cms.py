"""Our own verification of CMS signatures: detached CAdES over bytes, and the PAdES signature of a PDF.

asn1crypto and cryptography only. Strict DER (``evidence.signing.der``) and fixed versions and algorithms in the parts that
no signature covers, so nothing can hide in a second spelling. Exactly one signer. What is checked, in this order (RFC 5652 section 5.6, RFC 5035, ETSI EN 319 122-1):

1. the bytes are a SignedData in DER with one SignerInfo and no unknown digest or signature algorithm
2. the messageDigest attribute is the digest of the content, content type is data
3. signing-certificate-v2 names the signer's certificate, which is carried
4. the signature over the signed attributes is this certificate's
5. the certificate chains to a given trust certificate and every certificate of the chain is valid at the given time

Revocation is judged apart (``evidence.signing.revocation``), on the chain found here. The claimed signing time is shown, never
believed.
"""

import datetime as dt
import hashlib
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from evidence.errors import MalformedError, VerificationError
from evidence.signing.der import MAX_BYTES, check_der, children, value_length

HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_KNOWN_CRITICAL: Final = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
}
_MAX_CHAIN: Final = 8
TIME_STAMPING: Final = ExtendedKeyUsageOID.TIME_STAMPING
_MAX_CERTIFICATES: Final = 32  # each is tried as an issuer of each: a chain needs eight
_RSA_BITS: Final = range(2048, 16385)  # below is forgeable, above OpenSSL takes seconds or refuses
_FAULTS: Final = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A verified signature: who, by which certificate, under which root; ``claimed_at`` is the signer's word only."""

    subject: str
    certificate_sha256: str
    root_sha256: str
    algorithm: str
    claimed_at: dt.datetime | None
    signature: bytes
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)  # signer's first, the trusted one last


def verify_detached(der: bytes, content: bytes, trust: Sequence[x509.Certificate], at: dt.datetime) -> Signed:
    """Verify the detached CMS ``der`` over ``content`` with the chain valid at ``at`` (aware).

    Raises ``MalformedError`` for bytes no signer writes and ``VerificationError`` for a proof that fails.
    """
    data, signer = signed_parts(der)
    if data["encap_content_info"]["content"].native is not None:
        raise MalformedError("the signature is not detached")
    if data["encap_content_info"]["content_type"].native != "data":
        raise MalformedError("the signed content is not of type data")
    return verify_signer(data, signer, content, trust, at)


def verify_pdf(pdf: bytes, trust: Sequence[x509.Certificate], at: dt.datetime) -> Signed:
    """Verify the one signature of ``pdf``: it covers the entire file and certifies it against any change (DocMDP 1)."""
    der, start, end = pdf_signature(pdf)
    _check_certified(pdf, end)
    return verify_detached(der, pdf[:start] + pdf[end:], trust, at)


def pdf_signature(pdf: bytes) -> tuple[bytes, int, int]:
    """Return (the DER of the one signature, where its placeholder ``<…>`` begins, where it ends); nothing is verified.

    Raises ``MalformedError`` or ``VerificationError`` when there is not one whole-file signature.
    """
    start, end = _byte_range(pdf)
    if end - start > 2 * MAX_BYTES + 2:
        raise MalformedError(f"the PDF signature has over {MAX_BYTES} bytes")
    placeholder = pdf[start + 1 : end - 1]
    try:
        padded = bytes.fromhex(placeholder.decode("ascii"))
    except (UnicodeDecodeError, ValueError) as exc:
        raise MalformedError("the PDF signature is not hexadecimal") from exc
    der = padded[: value_length(padded, "the PDF signature")]
    if padded[len(der) :].strip(b"\0"):
        raise MalformedError("bytes follow the PDF signature inside its placeholder")
    return der, start, end


def _byte_range(pdf: bytes) -> tuple[int, int]:
    """Return where the signature's placeholder ``<…>`` begins and ends; everything else must be signed."""
    found = re.findall(rb"/ByteRange\s*\[\s*(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s*\]", pdf)
    if len(found) != 1 or pdf.count(b"/ByteRange") != 1:
        raise VerificationError(
            f"the PDF has {pdf.count(b'/ByteRange')} signatures instead of one", step="one signature"
        )
    zero, start, end, tail = (int(number) for number in found[0])
    if zero != 0 or not start < end or end + tail != len(pdf):
        raise VerificationError("the signature does not cover the whole PDF: bytes were added", step="coverage")
    if (
        pdf[start : start + 1] != b"<"
        or pdf[end - 1 : end] != b">"
        or not pdf[max(start - 64, 0) : start].rstrip().endswith(b"/Contents")
    ):
        raise VerificationError("the signature's gap is not its own placeholder", step="coverage")
    return start, end


def _check_certified(pdf: bytes, end: int) -> None:
    """The signature is a certification that allows no changes: /DocMDP with /P 1, named by the catalogue's /Perms."""
    begin, stop = pdf.rfind(b" obj", 0, end), pdf.find(b"endobj", end)
    dictionary = pdf[begin:stop] if 0 <= begin < stop else b""
    number = re.search(rb"(\d{1,10})\s+(\d{1,5})\Z", pdf[max(begin - 32, 0) : max(begin, 0)])
    level = re.search(rb"/TransformMethod\s*/DocMDP\b", dictionary) and re.search(rb"/P\s+1\b", dictionary)
    perms = number and re.search(rb"/Perms\s*<<\s*/DocMDP\s+" + b" ".join(number.groups()) + rb"\s+R", pdf)
    if not level or not perms:
        raise VerificationError("the PDF is not certified with DocMDP level 1", step="DocMDP")


def signed_parts(der: bytes) -> tuple[Any, Any]:
    """Return the SignedData of ``der`` and its one SignerInfo; raise ``MalformedError`` for what no signer writes."""
    check_der(der, "the signature")
    _check_shape(der)
    try:
        info = cms.ContentInfo.load(der, strict=True)
        if info["content_type"].native != "signed_data":
            raise MalformedError("the signature is not a SignedData")
        data = info["content"]
        signers = list(data["signer_infos"])
        if len(signers) != 1:
            raise MalformedError(f"{len(signers)} signers instead of one")
        _check_uncovered(data, signers[0])
    except _FAULTS as exc:
        raise MalformedError(f"the signature does not parse: {exc}") from exc
    return data, signers[0]


def _check_shape(der: bytes) -> None:
    """Every structure that no signature covers has exactly the members of RFC 5652: a parser may skip what follows them."""
    data = _only(_members(der, b"\x06\xa0", b"")[1], 0x30)
    _, digests, content, *_, signers = _members(data, b"\x02\x31\x30\xa0\x31", b"\x02\x31\x30\x31")
    _members(content, b"\x06", b"\x06\xa0")
    for algorithm in children(digests):
        _members(algorithm, b"\x06", b"\x06\x05")
    signer = _members(_only(signers, 0x30), b"\x02\x30\x30\xa0\x30\x04", b"\x02\x30\x30\xa0\x30\x04\xa1")
    _members(signer[1], b"\x30\x02", b"")
    for algorithm in (signer[2], signer[4]):
        _members(algorithm, b"\x06", b"\x06\x05")
    if len(signer) == 7:
        attribute = _members(_only(signer[6], 0x30), b"\x06\x31", b"")
        _only(attribute[1], 0x30)


def _members(value: bytes, *shapes: bytes) -> list[bytes]:
    """Return the members of a constructed value whose tags are one of ``shapes``, a byte each."""
    found = children(value)
    if not found or bytes(member[0] for member in found) not in shapes:
        raise MalformedError("the signature has other members than a signer writes")
    return found


def _only(value: bytes, tag: int) -> bytes:
    return _members(value, bytes([tag]))[0]


def _check_uncovered(data: Any, signer: Any) -> None:
    """What the signature does not cover must be the one thing a writer writes there."""
    detached = data["encap_content_info"]["content_type"].native == "data"
    if data["version"].native != ("v1" if detached else "v3") or signer["version"].native != "v1":
        raise MalformedError("the signature has another version")
    digests = [item.dump() for item in data["digest_algorithms"]]
    if digests != [signer["digest_algorithm"].dump()] or len(data["crls"]):
        raise MalformedError("the signature lists other digests than the signer's, or carries revocation lists")
    if {str(item["type"].native) for item in signer["unsigned_attrs"]} - {"signature_time_stamp_token"}:
        raise MalformedError("the signature has unknown unsigned attributes")
    parameters = signer["digest_algorithm"]["parameters"].dump()
    if parameters not in {b"", b"\x05\x00"}:
        raise MalformedError("the digest algorithm has parameters")


def verify_signer(
    data: Any,
    signer: Any,
    content: bytes,
    trust: Sequence[x509.Certificate],
    at: dt.datetime,
    *,
    purpose: x509.ObjectIdentifier | None = None,
) -> Signed:
    """Steps 2 to 5 over the parts of :func:`signed_parts`; ``purpose`` is the one the signer's certificate must have."""
    try:
        attributes = _attributes(signer)
        algorithm = str(signer["digest_algorithm"]["algorithm"].native)
        if algorithm not in HASHES:
            raise VerificationError(f"digest {algorithm} is not accepted", step="algorithm")
        if attributes["message_digest"][0].native != hashlib.new(algorithm, content).digest():
            raise VerificationError("the content is not what was signed", step="message digest")
        if attributes["content_type"][0].native != data["encap_content_info"]["content_type"].native:
            raise VerificationError("the signed content type differs", step="content type")
        certificates = _certificates(data)
        leaf = _signing_certificate(attributes, certificates)
        _check_identifier(signer["sid"], leaf)
        name = _check_signature(signer, leaf, algorithm)
        _check_purpose(leaf, purpose)
        chain = _check_chain(leaf, certificates, trust, at)
        claimed = attributes.get("signing_time")
        return Signed(
            subject=leaf.subject.rfc4514_string(),
            certificate_sha256=leaf.fingerprint(hashes.SHA256()).hex(),
            root_sha256=chain[-1].fingerprint(hashes.SHA256()).hex(),
            algorithm=name,
            claimed_at=claimed[0].native if claimed is not None else None,
            signature=bytes(signer["signature"].native),
            chain=chain,
        )
    except _FAULTS as exc:
        raise MalformedError(f"the signature has malformed parts: {exc}") from exc


def _attributes(signer: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in signer["signed_attrs"]:
        name = str(attribute["type"].native)
        if name in found or len(attribute["values"]) != 1:
            raise MalformedError(f"signed attribute {name} is repeated")
        found[name] = attribute["values"]
    if found.keys().isdisjoint({"signing_certificate", "signing_certificate_v2"}):
        raise MalformedError("signed attribute signing_certificate_v2 is missing")
    for name in ("content_type", "message_digest"):
        if name not in found:
            raise MalformedError(f"signed attribute {name} is missing")
    return found


def _certificates(data: Any) -> list[x509.Certificate]:
    if len(data["certificates"]) > _MAX_CERTIFICATES:
        raise MalformedError(f"the signature carries over {_MAX_CERTIFICATES} certificates")
    return [_load(choice.chosen.dump()) for choice in data["certificates"]]


def _load(der: bytes) -> x509.Certificate:
    """Parse a carried certificate; what the library merely warns of (RFC 5280 forbids it) is refused."""
    with warnings.catch_warnings(action="error"):
        try:
            return x509.load_der_x509_certificate(der)
        except Warning as exc:
            raise MalformedError(f"a carried certificate is malformed: {exc}") from exc


def _signing_certificate(attributes: dict[str, Any], certificates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that signing-certificate-v2 names first (RFC 5035 section 3)."""
    if "signing_certificate_v2" not in attributes:
        return _first_version(attributes, certificates)
    value = attributes["signing_certificate_v2"][0]
    parsed = value if isinstance(value, tsp.SigningCertificateV2) else tsp.SigningCertificateV2.load(value.dump())
    named = parsed["certs"][0]
    algorithm = str(named["hash_algorithm"]["algorithm"].native)
    if algorithm not in HASHES:
        raise VerificationError(f"certificate digest {algorithm} is not accepted", step="signing certificate")
    for certificate in certificates:
        if certificate.fingerprint(HASHES[algorithm]()) == named["cert_hash"].native:
            return certificate
    raise VerificationError("the certificate named in the signature is not carried", step="signing certificate")


def _first_version(attributes: dict[str, Any], certificates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that signing-certificate names: SHA-1, allowed for time-stamps only (RFC 3161 section 2.4.2).

    It finds the certificate; that the key is its own is shown by the signature, and its standing by the chain.
    """
    if attributes["content_type"][0].native != "tst_info":
        raise MalformedError("signed attribute signing_certificate_v2 is missing")
    named = attributes["signing_certificate"][0]["certs"][0]["cert_hash"].native
    for certificate in certificates:
        if certificate.fingerprint(hashes.SHA1()) == named:  # noqa: S303
            return certificate
    raise VerificationError("the certificate named in the signature is not carried", step="signing certificate")


def _check_purpose(leaf: x509.Certificate, purpose: x509.ObjectIdentifier | None) -> None:
    """A time-stamping certificate stamps and does nothing else, critically so (RFC 3161 section 2.3); no other one stamps."""
    try:
        extension = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        extension = None
    usages = list(extension.value) if extension else []
    if purpose is None and usages == [TIME_STAMPING]:
        raise VerificationError("a time-stamp authority's certificate signs no packets", step="purpose")
    if purpose is not None and (usages != [purpose] or not extension or not extension.critical):
        raise VerificationError("the certificate is not one for time-stamping only", step="purpose")


def _check_identifier(identifier: Any, leaf: x509.Certificate) -> None:
    if identifier.name != "issuer_and_serial_number":
        raise MalformedError("the signer is not named by issuer and serial number")
    same_issuer = identifier.chosen["issuer"].dump() == leaf.issuer.public_bytes()
    if not same_issuer or identifier.chosen["serial_number"].native != leaf.serial_number:
        raise VerificationError("the signer's name and certificate differ", step="signing certificate")


def _check_signature(signer: Any, leaf: x509.Certificate, digest: str) -> str:
    """Verify over the DER of the signed attributes as a SET (RFC 5652 section 5.4); return the algorithm's name."""
    message = b"\x31" + signer["signed_attrs"].dump()[1:]
    algorithm, key, signature = signer["signature_algorithm"], leaf.public_key(), bytes(signer["signature"].native)
    kind = str(algorithm.signature_algo)
    if algorithm["parameters"].dump() not in {b"", b"\x05\x00"}:
        raise MalformedError("the signature algorithm has parameters")
    try:
        hashed = HASHES[digest]()
        if algorithm["algorithm"].native not in {"rsassa_pkcs1v15", "rsa_encryption"} and algorithm.hash_algo != digest:
            raise VerificationError("two digests in one signature", step="algorithm")
        if kind == "rsassa_pkcs1v15" and isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
            key.verify(signature, message, padding.PKCS1v15(), hashed)
        elif kind == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256:
            key.verify(signature, message, ec.ECDSA(hashed))
        else:
            raise VerificationError(f"algorithm {kind} with this key is not accepted", step="algorithm")
    except InvalidSignature as exc:
        raise VerificationError("the signature is not this certificate's", step="signature") from exc
    return f"{kind} {digest}"


def _check_chain(
    leaf: x509.Certificate, carried: Sequence[x509.Certificate], trust: Sequence[x509.Certificate], at: dt.datetime
) -> tuple[x509.Certificate, ...]:
    """Walk from the signer's certificate to a trusted one (RFC 5280 section 6.1, without names policies and lists)."""
    _check_leaf(leaf)
    current = leaf
    walked = [leaf]
    for depth in range(_MAX_CHAIN):
        _check_certificate(current, at)
        if current in trust:
            return tuple(walked)
        candidates = [item for item in (*trust, *carried) if item.subject == current.issuer and item != current]
        issuer = next((item for item in candidates if _issued(item, current, depth)), None)
        if issuer is None:
            break
        current = issuer
        walked.append(issuer)
    raise VerificationError(
        f"certificate {leaf.subject.rfc4514_string()} does not chain to the given trust certificate",
        step="chain",
        fix="give the root certificate you received from the entity by another way (--trust)",
    )


def _check_leaf(leaf: x509.Certificate) -> None:
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise VerificationError("the signer's certificate may not sign", step="chain")


def _check_certificate(certificate: x509.Certificate, at: dt.datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise VerificationError(
            f"certificate {certificate.subject.rfc4514_string()} is not valid at {at:%Y-%m-%d %H:%M}Z", step="chain"
        )
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            raise VerificationError(f"unknown critical extension {extension.oid.dotted_string}", step="chain")


def _issued(issuer: x509.Certificate, certificate: x509.Certificate, depth: int) -> bool:
    constraints = _extension(issuer, x509.BasicConstraints)
    usage = _extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return False
    if constraints.path_length is not None and depth > constraints.path_length:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[Any]) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
