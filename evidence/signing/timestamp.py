"""RFC 3161 time-stamps: making requests, and judging responses and tokens offline.

asn1crypto and cryptography only; the network is in ``evidence.signing.tsa``. What is checked of a token, in this order:

1. strict DER, one signer, no unknown unsigned part (``evidence.signing.cms``)
2. the imprint is SHA-256 of exactly these bytes; the nonce is the request's, where one was sent (RFC 3161 section 2.4.2)
3. the stamped moment is not in the reader's future
4. the signer's certificate is for time-stamping and nothing else, marked critical (section 2.3)
5. it chains to a given TSA certificate, every certificate valid at the stamped moment

What is kept is narrower than what an authority may send, so that one token has one spelling: status *granted* without
words, certificates sorted, the trusted root itself left out. No signature covers those parts.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from evidence.errors import MalformedError, VerificationError
from evidence.signing.cms import TIME_STAMPING, pdf_signature, signed_parts, verify_signer
from evidence.signing.der import check_der
from evidence.signing.lta import Archived
from evidence.signing.revocation import Moment, judge_chain

LIMIT: Final = 64 << 10  # bytes of a response; real ones have 2,000 to 8,000
CLOCK_SKEW: Final = dt.timedelta(minutes=5)  # a stamp may be this far ahead of the reader's clock
CLAIM_WINDOW: Final = dt.timedelta(days=1)  # the claimed signing time and the stamp lie this close together
_GRANTED: Final = core.Integer(0).dump()


class _Response(core.Sequence):  # type: ignore[misc]
    """TimeStampResp: a refusal has no token (asn1crypto's own class wants one)."""

    _fields: Final = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


@dataclass(frozen=True, slots=True)
class Stamp:
    """A verified time-stamp: the moment (UTC), by which authority, under which given certificate.

    ``current`` is False when a certificate of the authority has expired since: the stamp then needs a renewal.
    """

    at: dt.datetime
    subject: str
    certificate_sha256: str
    root_sha256: str
    current: bool
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StampRequest:
    """A request for one imprint: ``der`` to send, and the nonce the answer must repeat."""

    der: bytes
    digest: bytes
    nonce: int


def make_request(content: bytes) -> StampRequest:
    """Return a request to stamp SHA-256 of ``content``: version 1, 64-bit nonce, certificate wanted."""
    digest, nonce = hashlib.sha256(content).digest(), secrets.randbits(64) | 1
    request = tsp.TimeStampReq({
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest},
        "nonce": nonce,
        "cert_req": True,
    })  # fmt: skip
    return StampRequest(request.dump(), digest, nonce)


def accept_response(body: bytes, request: StampRequest, trust: Sequence[x509.Certificate], now: dt.datetime) -> bytes:
    """Return the token of an authority's answer to ``request``, in the one spelling that is kept.

    Raises ``MalformedError`` or ``VerificationError`` for every answer that is not a valid, granted, fresh stamp.
    """
    if len(body) > LIMIT:
        raise MalformedError(f"the time-stamp response has over {LIMIT} bytes")
    with _reading("the time-stamp response"):
        response = _Response.load(body, strict=True)
        status = response["status"]["status"].native
        if (
            status != "granted"
        ):  # granted_with_mods changes what was asked for: there is nothing we could accept of that
            failure = response["status"]["fail_info"].native
            raise VerificationError(f"the authority answered {status}: {failure or 'no reason given'}", step="status")
        token = _one_spelling(response["time_stamp_token"], trust)
    stamp = verify_token(token, request.digest, trust, now, nonce=request.nonce)
    if stamp.at < now - CLAIM_WINDOW:
        raise VerificationError(f"the authority's stamp is of {stamp.at:%Y-%m-%d %H:%M}Z, long past", step="time")
    return token


def verify_token(
    token: bytes, digest: bytes, trust: Sequence[x509.Certificate], now: dt.datetime, *, nonce: int | None = None
) -> Stamp:
    """Verify a token over the SHA-256 ``digest`` as the module's list says; ``now`` is the reader's clock (aware)."""
    data, signer = signed_parts(token)
    content = _content(data)
    at = _check_info(content, digest, nonce)
    if at > now + CLOCK_SKEW:
        raise VerificationError(f"the time-stamp is of {at:%Y-%m-%d %H:%M}Z, which is still to come", step="time")
    signed = verify_signer(data, signer, content, trust, at, purpose=TIME_STAMPING)
    try:
        verify_signer(data, signer, content, trust, max(now, at), purpose=TIME_STAMPING)
        current = True
    except VerificationError:
        current = False
    return Stamp(at, signed.subject, signed.certificate_sha256, signed.root_sha256, current, signed.chain)


def response_der(token: bytes) -> bytes:
    """Return the response file of ``token``: status granted, no words (``openssl ts -verify -in`` reads it)."""
    return _sequence(_sequence(_GRANTED) + token)


def verify_response(
    body: bytes, content: bytes, trust: Sequence[x509.Certificate], now: dt.datetime
) -> Stamp:  # fmt: skip
    """Verify a kept response file over ``content``; only the spelling of :func:`response_der` is accepted."""
    return verify_token(token_of(body), hashlib.sha256(content).digest(), trust, now)


def token_of(body: bytes) -> bytes:
    """Return the token in a kept response file; raise ``MalformedError`` for any other spelling."""
    if len(body) > LIMIT:
        raise MalformedError(f"the time-stamp file has over {LIMIT} bytes")
    check_der(body, "the time-stamp file")
    with _reading("the time-stamp file"):
        token: bytes = _Response.load(body, strict=True)["time_stamp_token"].dump()
    if response_der(token) != body:
        raise MalformedError("the time-stamp file is not in its one spelling")
    return token


def attach_token(signature: bytes, token: bytes) -> bytes:
    """Return the CMS ``signature`` as CAdES-T: with ``token`` as its one signature-time-stamp (ETSI EN 319 122-1, 5.3)."""
    info = cms.ContentInfo.load(signature, strict=True)
    values = [cms.ContentInfo.load(token, strict=True)]
    attribute = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": values})
    info["content"]["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([attribute])
    made: bytes = info.dump()
    return made


def stamped_part(signature: bytes) -> bytes:
    """Return the bytes a signature-time-stamp covers: the signature value of the one signer."""
    _, signer = signed_parts(signature)
    return bytes(signer["signature"].native)


def attached_token(signature: bytes) -> bytes | None:
    """Return the token inside a CAdES-T ``signature``, None in a CAdES-B one; raise ``MalformedError`` for several."""
    _, signer = signed_parts(signature)
    with _reading("the signature"):
        attributes = list(signer["unsigned_attrs"])
        if not attributes:
            return None
        if len(attributes) != 1 or len(attributes[0]["values"]) != 1:
            raise MalformedError("the signature has several time-stamps")
        token: bytes = attributes[0]["values"][0].dump()
        return token


def check_claim(signature: bytes, at: dt.datetime) -> None:
    """The signing time a signer claims must be near the stamped ``at``: raise ``VerificationError`` for back-dating either of them."""
    _, signer = signed_parts(signature)
    with _reading("the signature"):
        claims = [a["values"][0].native for a in signer["signed_attrs"] if a["type"].native == "signing_time"]
    for claim in claims:
        if abs(claim - at) > CLAIM_WINDOW:
            raise VerificationError(
                f"the signer claims {claim:%Y-%m-%d %H:%M}Z, the time-stamp says {at:%Y-%m-%d %H:%M}Z: "
                "one of them is back-dated",
                step="time",
            )


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of judging time-stamps: (True proved, False failed, None not checked; words) each.

    ``at`` is the proved moment, None where none was proved or anything failed. ``unknown`` says whose revocation no list shows.
    """

    at: dt.datetime | None
    results: tuple[tuple[bool | None, str], ...]
    unknown: tuple[str, ...] = ()


def judge_signature(
    signature: bytes,
    response: bytes | None,
    trust: Sequence[x509.Certificate],
    now: dt.datetime,
    lists: Sequence[x509.CertificateRevocationList] = (),
) -> Judged:
    """Judge both stamps of a detached ``signature``: the token inside it, and the ``response`` file over all of its bytes."""
    found: list[tuple[str, bytes, bytes]] = []
    token = attached_token(signature)
    if token is not None:
        found.append(("the seal's time-stamp", response_der(token), stamped_part(signature)))
    if response is not None:
        found.append(("the time-stamp beside the seal", response, signature))
    if not found:
        return Judged(None, ((None, "time not proven: the packet carries no time-stamp token"),))
    judged = judge_stamps(found, trust, now, lists)
    if judged.at is not None:
        try:
            check_claim(signature, judged.at)
        except VerificationError as exc:
            return Judged(None, (*judged.results, (False, str(exc))), judged.unknown)
    return judged


def judge_pdf(
    pdf: bytes,
    trust: Sequence[x509.Certificate],
    now: dt.datetime,
    lists: Sequence[x509.CertificateRevocationList] = (),
) -> Judged:
    """Judge the token inside the signature of a PDF; nothing is said of a PDF without one: the packet's seal has the time."""
    der, _, _ = pdf_signature(pdf)
    token = attached_token(der)
    if token is None:
        return Judged(None, ())
    return judge_stamps([("the PDF's time-stamp", response_der(token), stamped_part(der))], trust, now, lists)


def judge_archived(
    archived: Archived,
    trust: Sequence[x509.Certificate],
    now: dt.datetime,
    lists: Sequence[x509.CertificateRevocationList] = (),
) -> tuple[tuple[bool | None, str], ...]:
    """Judge the document time-stamp of a B-LTA PDF. Raises ``MalformedError`` for a token that does not parse."""
    check_der(archived.token, "the document time-stamp")
    found = [("the PDF's document time-stamp", response_der(archived.token), archived.content)]
    return judge_stamps(found, trust, now, lists).results


def judge_stamps(
    found: Sequence[tuple[str, bytes, bytes]],
    trust: Sequence[x509.Certificate],
    now: dt.datetime,
    lists: Sequence[x509.CertificateRevocationList] = (),
) -> Judged:
    """Judge (name, response file, stamped bytes) each; the earliest proved moment counts, and none if any fails.

    An authority on one of the revocation ``lists`` fails as RFC 3161 section 4 says; of one that no list is about the stamp
    stands by its certificate's validity at the moment.
    """
    unknown: dict[str, None] = {}
    moments: list[dt.datetime] = []
    results: list[tuple[bool | None, str]] = []
    for name, body, content in found:
        try:
            if not trust:
                at, serial = claimed_stamp(token_of(body))
                words = f"{name} claims {at:%Y-%m-%d %H:%M:%S}Z (serial number {serial})"
                results.append((None, f"time not proven: {words}; no certificate of a time-stamp authority was given"))
                continue
            stamp = verify_response(body, content, trust, now)
        except (MalformedError, VerificationError) as exc:
            results.append((False, f"{name}: {exc}"))
            continue
        moment = Moment(stamp.at, proved=True, now=now)
        standing = judge_chain(stamp.chain, lists, moment, stamps=True)
        unknown |= {words: None for ok, words in standing if ok is None}
        revoked = [(ok, f"{name}: {words}") for ok, words in standing if ok is False]
        if revoked:
            results += revoked
            continue
        moments.append(stamp.at)
        said = f"{name}: existed at {stamp.at:%Y-%m-%d %H:%M:%S}Z by {stamp.subject}, root SHA-256 {stamp.root_sha256}"
        results.append((True, said))
        results += [(ok, f"{name}: {words}") for ok, words in standing if ok and lists]
        if not stamp.current:
            results.append(
                (None, f"{name}: the authority's certificate has expired since; it rests on how this was kept")
            )
    failed = any(ok is False for ok, _ in results)
    return Judged(None if failed or not moments else min(moments), tuple(results), tuple(unknown))


def claimed_stamp(token: bytes) -> tuple[dt.datetime, str]:
    """Return (moment, serial number) as an unverified token says: to be shown as a claim only."""
    data, _ = signed_parts(token)
    info = _load_info(_content(data))
    with _reading("the time-stamp"):
        return info["gen_time"].native, str(info["serial_number"].native)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """asn1crypto parses late: whatever it raises while a value is read means malformed bytes."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as exc:
        raise MalformedError(f"{what} does not parse: {exc}") from exc


def _content(data: Any) -> bytes:
    with _reading("the token"):
        if data["encap_content_info"]["content_type"].native != "tst_info":
            raise MalformedError("the token does not carry a TSTInfo")
        return bytes(data["encap_content_info"]["content"])


def _check_info(content: bytes, digest: bytes, nonce: int | None) -> dt.datetime:
    """Check TSTInfo against what was asked; return the stamped moment (UTC)."""
    info = _load_info(content)
    with _reading("the time-stamp"):
        imprint = info["message_imprint"]
        if info["version"].native != "v1":
            raise MalformedError("the time-stamp has another version")
        if imprint["hash_algorithm"]["algorithm"].native != "sha256":
            raise VerificationError("the time-stamp's imprint is not SHA-256", step="imprint")
        if imprint["hashed_message"].native != digest:
            raise VerificationError("the time-stamp is of other bytes", step="imprint")
        if nonce is not None and info["nonce"].native != nonce:
            raise VerificationError("the answer repeats another nonce: it is not for this request", step="nonce")
        if any(extension["critical"].native for extension in info["extensions"] or ()):
            raise VerificationError("the time-stamp has an unknown critical extension", step="extensions")
        at: dt.datetime = info["gen_time"].native
    if at.utcoffset() != dt.timedelta(0):
        raise MalformedError("the time-stamp's moment is not in UTC")
    return at


def _load_info(content: bytes) -> Any:
    check_der(content, "TSTInfo")
    with _reading("TSTInfo"):
        return tsp.TSTInfo.load(content, strict=True)


def _one_spelling(token: Any, trust: Sequence[x509.Certificate]) -> bytes:
    """Sort the certificates and drop trusted ones; everything that is signed stays byte for byte as it came."""
    roots = {item.public_bytes(serialization.Encoding.DER) for item in trust if item.issuer == item.subject}
    data = token["content"]
    kept = [choice for choice in data["certificates"] or () if choice.chosen.dump() not in roots]
    data["certificates"] = cms.CertificateSet(sorted(kept, key=lambda choice: choice.dump()))
    spelled: bytes = token.dump()
    return spelled


def _sequence(content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return b"\x30" + bytes([size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return b"\x30" + bytes([0x80 | len(octets)]) + octets + content
