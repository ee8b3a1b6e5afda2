"""Judging a person's detached signature: valid or not, since when, and whether a given certificate vouches for the name.

A signature that holds under a certificate nobody vouches for is said so: the name is then what the certificate claims.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from evidence.errors import MalformedError, VerificationError
from evidence.signing.cms import Signed, signed_parts, verify_detached
from evidence.signing.revocation import Moment, Result, judge_chain
from evidence.signing.timestamp import attached_token, judge_signature

DEMONSTRATION: Final = "Demonstration"  # how the common names of demonstration certificates begin


@dataclass(frozen=True, slots=True)
class PersonTrust:
    """Certificates that vouch for people, of time-stamp authorities, revocation lists, and the reader's clock."""

    people: Sequence[x509.Certificate]
    authorities: Sequence[x509.Certificate]
    lists: Sequence[x509.CertificateRevocationList]
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed: the common name, the subject, the certificate's digest. ``at`` is the proved moment, None without one.

    ``vouched``: the chain ends in a given certificate. ``results`` are what is to be said of time and revocation.
    """

    name: str
    subject: str
    certificate_sha256: str
    at: dt.datetime | None
    vouched: bool
    results: tuple[Result, ...]

    @property
    def demo(self) -> bool:
        """Whether this is a demonstration certificate."""
        return is_demonstration(self.name)


def judge_person(content: bytes, signature: bytes, response: bytes | None, trust: PersonTrust) -> Person:
    """Verify ``signature`` over ``content`` at the stamped moment, else at the reader's.

    Raises ``MalformedError`` or ``VerificationError`` unless it is a valid signature by the certificate it carries.
    """
    stamps = judge_signature(signature, response, trust.authorities, trust.now, trust.lists)
    at = stamps.at or trust.now
    try:
        signed, vouched = verify_detached(signature, content, trust.people, at), True
    except VerificationError as exc:
        if exc.step != "chain":
            raise
        signed, vouched = verify_detached(signature, content, _carried(signature), at), False
    moment = Moment(at, proved=stamps.at is not None, now=trust.now)
    standing = judge_chain(signed.chain, trust.lists, moment) if vouched else []
    stamped = response is not None or attached_token(signature) is not None
    times = stamps.results if stamped else ((None, "time not proven: not time-stamped"),)
    return replace(_person(signed), at=stamps.at, vouched=vouched, results=(*times, *standing))


def is_demonstration(name: str) -> bool:
    """Say whether a certificate of that common name is one that `evidence init` makes (``make_demo_authority``)."""
    return name.startswith(DEMONSTRATION)


def name_of(certificate: x509.Certificate) -> str:
    """Return the common name, else the whole subject."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else certificate.subject.rfc4514_string()


def _person(signed: Signed) -> Person:
    return Person(name_of(signed.chain[0]), signed.subject, signed.certificate_sha256, None, vouched=False, results=())


def _carried(signature: bytes) -> list[x509.Certificate]:
    data, _ = signed_parts(signature)
    try:
        return [x509.load_der_x509_certificate(choice.chosen.dump()) for choice in data["certificates"]]
    except ValueError as exc:
        raise MalformedError(f"a carried certificate is malformed: {exc}") from exc
