"""OCSP (RFC 6960): asking configured responders about the signer's certificates, and judging what they answer.

An answer is carried in the PDF only after it was checked: it is of this certificate, current, says *good*, and is signed by the issuer
or by a certificate that the issuer gave this one duty. Who is revoked signs no packet. Only addresses of the configuration are asked.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence.errors import ConfigError, EvidenceError, PacketRefusedError, SourceUnavailableError, VerificationError
from evidence.signing.asking import ask, check_url, shown
from evidence.signing.certificate import PacketKey
from evidence.signing.revocation import load_list

LIMIT: Final = 64 << 10
LIST_LIMIT: Final = 16 << 20
_TYPES: Final = ("application/ocsp-request", "application/ocsp-response")
_FAULTS: Final = (
    *(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion),
    *(x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
_SKEW: Final = dt.timedelta(minutes=5)


def responses_for(
    key: PacketKey, issuers: Sequence[x509.Certificate], urls: Sequence[str], now: dt.datetime
) -> list[bytes]:
    """Return a checked response (DER) for the signer's certificate and each intermediate, from the first responder that has one.

    Raises ``PacketRefusedError`` for a certificate that is revoked, ``SourceUnavailableError`` when no responder answers for one.
    """
    for url in urls:
        check_url(url, "ocsp")
    found = []
    for certificate in (key.certificate, *key.chain) if urls else ():
        if certificate.issuer == certificate.subject:
            continue
        issuer = next((each for each in (*key.chain, *issuers) if _issued(each, certificate)), None)
        if issuer is None:
            raise ConfigError(
                f"the issuer of {certificate.subject.rfc4514_string()} is not known: its responder cannot be asked",
                fix="name it in [packet] chain, or put the root into trust/",
            )
        found.append(_ask_all(certificate, issuer, urls, now))
    return found


def fetch_list(url: str) -> bytes:
    """Return the revocation list at a configured address, as it is served. Raises ``SourceUnavailableError`` or ``MalformedError``."""
    check_url(url, "crls")
    body = ask(url, None, ("", ""), LIST_LIMIT, SourceUnavailableError)
    load_list(body, shown(url))
    return body


def check_response(
    body: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: dt.datetime
) -> dt.datetime:
    """Return the moment a response says that ``certificate`` was good.

    Raises ``PacketRefusedError`` when it says *revoked*, ``VerificationError`` for every response that shows nothing.
    """
    try:
        answer = ocsp.load_der_ocsp_response(body)
        if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise VerificationError(f"the responder answered {answer.response_status.name}", step="ocsp")
        _check_signed(answer, issuer)
        _check_about(answer, certificate, issuer)
        if answer.certificate_status == ocsp.OCSPCertStatus.REVOKED:
            since = answer.revocation_time_utc
            raise PacketRefusedError(
                f"certificate {certificate.subject.rfc4514_string()} was revoked on {since:%Y-%m-%d %H:%M}Z",
                fix="sign with a certificate that is not revoked",
            )
        if answer.certificate_status != ocsp.OCSPCertStatus.GOOD:
            raise VerificationError("the responder does not know the certificate", step="ocsp")
        until = answer.next_update_utc
        if answer.this_update_utc > now + _SKEW or (until is not None and until < now - _SKEW):
            raise VerificationError("the response is not current", step="ocsp")
    except _FAULTS as exc:
        raise VerificationError(f"the response does not hold: {str(exc) or 'wrong signature'}", step="ocsp") from exc
    return answer.this_update_utc


def _ask_all(certificate: x509.Certificate, issuer: x509.Certificate, urls: Sequence[str], now: dt.datetime) -> bytes:
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()  # noqa: S303  # what responders know
    query = request.public_bytes(serialization.Encoding.DER)
    answers = []
    for url in urls:
        try:
            body = ask(url, query, _TYPES, LIMIT, SourceUnavailableError)
            check_response(body, certificate, issuer, now)
        except PacketRefusedError:
            raise
        except EvidenceError as exc:
            answers.append(f"{shown(url)}: {exc}")
        else:
            return body
    name = certificate.subject.rfc4514_string()
    raise SourceUnavailableError(
        f"no OCSP response for {name}: {'; '.join(answers)}", fix="try again later, or leave ocsp empty"
    )


def _check_about(answer: Any, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    same = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, answer.hash_algorithm).build()
    for part in ("serial_number", "issuer_name_hash", "issuer_key_hash"):
        if getattr(answer, part) != getattr(same, part):
            raise VerificationError("the response is about another certificate", step="ocsp")


def _check_signed(answer: Any, issuer: x509.Certificate) -> None:
    """By the issuer, or by a certificate it issued for this alone (RFC 6960 section 4.2.2.2)."""
    signer = issuer
    for carried in answer.certificates:
        if carried == issuer:
            continue
        usage = carried.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.OCSP_SIGNING not in usage or not _issued(issuer, carried):
            raise VerificationError("the responder's certificate is not the issuer's for this", step="ocsp")
        signer = carried
        break
    key, hashed = signer.public_key(), answer.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), hashed)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashed))
    else:
        raise VerificationError("the response's signature has an unknown kind of key", step="ocsp")


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
