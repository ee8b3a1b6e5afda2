"""Revocation, judged offline by certificate revocation lists (RFC 5280 section 5) at the moment that counts.

Lists are given by the verifier or carried by the packet: either way the issuer's signature is what makes one count. What a
list can show of a certificate at a moment, which is a proved one (a time-stamp's) or the reader's:

===========================================  ==============================================================
the certificate is on a list, since before   failed; the invalidity date counts where the list states one
… since after a proved moment                proved: it was not revoked then, and the words say it is now
not on a list that was current then          proved (a list of later counts too, until the certificate's end)
not on any other list, or there is none      not checked, and the words say why
===========================================  ==============================================================

Authorities of time-stamps are judged more strictly (RFC 3161 section 4): revoked without a reason, or for one that touches
the key, none of their stamps holds, whatever moment they name.
"""

import datetime as dt
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from evidence.errors import MalformedError

MAX_BYTES: Final = 16 << 20  # bytes of one list; large public authorities have a few MiB
_HARMLESS: Final = {  # RFC 3161 section 4: the key itself was not touched
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
}
_COMPLETE: Final = {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.CRL_NUMBER,
}  # of a list that is not a part of one
_FAULTS: Final = (ValueError, TypeError, KeyError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension)

Result = tuple[bool | None, str]  # True proved, False failed, None not checked; words


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment a chain is judged at (aware), whether a time-stamp proved it, and the reader's clock."""

    at: dt.datetime
    proved: bool
    now: dt.datetime

    @property
    def words(self) -> str:
        """How to call it."""
        return f"{_day(self.at)}, the proved time" if self.proved else f"{_day(self.at)}, the time of verifying"


def load_list(body: bytes, what: str) -> x509.CertificateRevocationList:
    """Parse one list, PEM or DER; raise ``MalformedError``."""
    if len(body) > MAX_BYTES:
        raise MalformedError(f"{what} has {len(body)} bytes, over {MAX_BYTES}")
    load = x509.load_pem_x509_crl if b"-----BEGIN" in body[:64] else x509.load_der_x509_crl
    with warnings.catch_warnings(action="error"):
        try:
            return load(body)
        except (*_FAULTS, Warning) as exc:
            raise MalformedError(f"{what} is not a certificate revocation list: {exc}") from exc


def load_carried(bodies: Iterable[bytes]) -> Iterator[x509.CertificateRevocationList]:
    """Yield what parses of lists that a packet carries; one that does not shows nothing, and nothing is proved by it."""
    for body in bodies:
        with suppress(MalformedError):
            yield load_list(body, "a carried list")


def judge_chain(
    chain: Sequence[x509.Certificate],
    lists: Sequence[x509.CertificateRevocationList],
    moment: Moment,
    *,
    stamps: bool = False,
) -> list[Result]:
    """Judge every certificate of ``chain`` (signer first, trusted one last and not judged) as the module's table says.

    ``stamps``: the chain is a time-stamp authority's, and ``moment`` is what its stamp names.
    """
    results: list[Result] = []
    for certificate, issuer in pairwise(chain):
        name = certificate.subject.rfc4514_string()
        results.append(_judge(certificate, name, _lists_of(issuer, lists), moment, stamps=stamps))
        if moment.proved and moment.now > certificate.not_valid_after_utc:
            ended = _day(certificate.not_valid_after_utc)
            results.append((True, f"certificate {name} ended on {ended}, after {moment.words}: valid then"))
    if len(chain) == 1:
        results.append((None, "revocation not checked: the signer's certificate itself is what was given as trusted"))
    return results


def _judge(
    certificate: x509.Certificate,
    name: str,
    lists: Sequence[x509.CertificateRevocationList],
    moment: Moment,
    *,
    stamps: bool,
) -> Result:
    try:
        for one in lists:
            entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                return _revoked(name, entry, moment, stamps=stamps)
        return _not_listed(certificate, name, lists, moment)
    except (*_FAULTS, Warning) as exc:
        return None, f"revocation of {name} not checked: a list is malformed: {exc}"


def _revoked(name: str, entry: x509.RevokedCertificate, moment: Moment, *, stamps: bool) -> Result:
    since, reason = entry.revocation_date_utc, _extension(entry, CRLEntryExtensionOID.CRL_REASON)
    invalid = _extension(entry, CRLEntryExtensionOID.INVALIDITY_DATE)
    if invalid is not None:
        since = min(since, invalid.invalidity_date_utc)
    why = f" ({reason.reason.value})" if reason is not None else ""
    words = f"certificate {name} was revoked on {_day(since)}{why}"
    if stamps and (reason is None or reason.reason not in _HARMLESS):
        return False, f"{words}: no time-stamp of it holds (RFC 3161 section 4)"
    if since <= moment.at:
        known = "" if moment.proved else "; no time-stamp proves that it was used before"
        return False, f"{words}, before {moment.words}{known}"
    return True, f"{words}, after {moment.words}: valid then"


def _not_listed(
    certificate: x509.Certificate, name: str, lists: Sequence[x509.CertificateRevocationList], moment: Moment
) -> Result:
    whole = [one for one in lists if _is_whole(one)]
    for one in sorted(whole, key=lambda one: one.last_update_utc, reverse=True):
        ended = one.last_update_utc > certificate.not_valid_after_utc  # lists may forget what has ended
        current = one.next_update_utc is not None and one.last_update_utc <= moment.at <= one.next_update_utc
        if not ended and (current or one.last_update_utc > moment.at):
            listed = f"the list of {_day(one.last_update_utc)}"
            return True, f"certificate {name} was not revoked on {moment.words}, by {listed}"
    if not lists:
        return None, f"revocation of {name} not checked: no revocation list of its issuer was given or carried"
    return None, f"revocation of {name} not checked: no whole list of its issuer is of {moment.words}, or of later"


def _lists_of(
    issuer: x509.Certificate, lists: Sequence[x509.CertificateRevocationList]
) -> list[x509.CertificateRevocationList]:
    """Those lists that ``issuer`` signed, and may sign."""
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.crl_sign:
        return []
    return [one for one in lists if _is_signed(one, issuer)]


def _is_signed(one: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        if one.issuer != issuer.subject:
            return False
        return one.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # other kinds of key raise TypeError
    except _FAULTS:
        return False


def _is_whole(one: x509.CertificateRevocationList) -> bool:
    """A part of a list, a delta, and what we do not know can show who is revoked, not who is not."""
    return {extension.oid for extension in one.extensions} <= _COMPLETE


def _extension(entry: x509.RevokedCertificate, oid: x509.ObjectIdentifier) -> Any:
    try:
        return entry.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None


def _day(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
