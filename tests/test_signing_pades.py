"""PAdES levels: B-B without an authority, B-T with one, B-LT with lists; ours, pyHanko's validator and poppler agree."""

import asyncio
import datetime as dt
import io
import subprocess

import pikepdf
import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator import ValidationContext

from evidence.errors import MalformedError, TimestampError, VerificationError
from evidence.signing.certificate import certificate_pem
from evidence.signing.cms import verify_pdf
from evidence.signing.pades import Pades, sign_pdf
from evidence.signing.timestamp import judge_pdf
from evidence.signing.tsa import Authorities
from tests.servers.tsa import Authority, serve
from tests.test_signing_revocation import Issuer, der

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)  # pyHanko writes the host's clock into the PDF
DAY = dt.timedelta(days=1)
REFUSED = (MalformedError, VerificationError)


@pytest.fixture(scope="module")
def issuer():
    return Issuer(NOW + 900 * DAY)


@pytest.fixture(scope="module")
def authority():
    return Authority(lambda: NOW, years=20)


@pytest.fixture(scope="module")
def stamp(authority):
    with serve(authority.respond) as url:
        yield Authorities([url], [authority.root], lambda: NOW).stamp


@pytest.fixture(scope="module")
def page():
    document, out = pikepdf.new(), io.BytesIO()
    document.add_blank_page()
    document.save(out, deterministic_id=True)
    return out.getvalue()


@pytest.fixture(scope="module")
def lists(issuer, authority):
    builder = x509.CertificateRevocationListBuilder(authority.root.subject, NOW - DAY, NOW + 30 * DAY)
    return [der(issuer.list_of(at=NOW - DAY)), der(builder.sign(authority.root_key, hashes.SHA256()))]


@pytest.fixture(scope="module", params=["B-B", "B-T", "B-LT"])
def signed(request, issuer, page, stamp, lists):
    words = {"B-B": {}, "B-T": {"stamp": stamp}, "B-LT": {"stamp": stamp, "extra": Pades(tuple(lists))}}[request.param]
    return request.param, sign_pdf(page, issuer.packet_key, name="Acme", reason="Seal", **words)


def asn1(certificate):
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def test_ours_accepts_every_level_in_one_revision(signed, page, issuer, authority):
    level, pdf = signed
    assert pdf.startswith(page)
    assert pdf.count(b"%%EOF") == page.count(b"%%EOF") + 1
    assert verify_pdf(pdf, [issuer.root], NOW).subject == "CN=Officer"
    judged = judge_pdf(pdf, [authority.root], NOW)
    assert judged.at == (None if level == "B-B" else NOW)
    assert bool(judged.results) == (level != "B-B")


def test_poppler_agrees(signed, issuer, tmp_path):
    _, pdf = signed
    (tmp_path / "a.pdf").write_bytes(pdf)
    done = subprocess.run(["pdfsig", "a.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Signature is Valid" in done.stdout
    assert "Total document signed" in done.stdout


def test_pyhankos_validator_agrees(signed, issuer, authority):
    level, pdf = signed
    reader = PdfFileReader(io.BytesIO(pdf))
    (signature,) = reader.embedded_signatures
    trust = {"trust_roots": [asn1(issuer.root), asn1(authority.root)], "moment": NOW}
    context = ValidationContext(**trust)
    if level == "B-LT":  # offline and strict: whoever is not on a list in the file is not accepted
        store = DocumentSecurityStore.read_dss(reader)
        assert len(store.crls) == 2
        context = store.as_validation_context(
            {"trust_roots": trust["trust_roots"], "moment": NOW, "revocation_mode": "require", "allow_fetching": False}
        )
    status = asyncio.run(async_validate_pdf_signature(signature, context, ts_validation_context=context))
    assert status.bottom_line, status.pretty_print_details()
    assert status.coverage.name == "ENTIRE_FILE"
    if level == "B-B":
        assert status.timestamp_validity is None
    else:
        assert status.timestamp_validity.valid
        assert status.timestamp_validity.timestamp == NOW


def test_the_lists_in_the_file_are_those_given_and_are_signed(issuer, page, stamp, lists, authority):
    pdf = sign_pdf(page, issuer.packet_key, name="Acme", reason="Seal", stamp=stamp, extra=Pades(tuple(lists)))
    store = DocumentSecurityStore.read_dss(PdfFileReader(io.BytesIO(pdf)))
    found = sorted(one.get_object().data for one in store.crls)
    assert found == sorted(lists)
    assert asn1_crl.CertificateList.load(found[0]).native
    place = pdf.index(b"/DSS")
    with pytest.raises(VerificationError):
        verify_pdf(pdf[:place] + b"/DSX" + pdf[place + 4 :], [issuer.root], NOW)


def test_a_stamp_that_was_changed_in_the_file_is_found(issuer, page, stamp, authority):
    pdf = sign_pdf(page, issuer.packet_key, name="Acme", reason="Seal", stamp=stamp)
    start = pdf.index(b"/Contents <") + len(b"/Contents <")
    size = len(pdf[start : pdf.index(b">", start)].rstrip(b"0"))
    places = [*range(start, start + size, 5), *range(start, start + 8)]
    for place, digit in ((place, digit) for place in places for digit in (b"1", b"2", b"8")):
        changed = pdf[:place] + digit + pdf[place + 1 :]
        assert changed == pdf or not stands(changed, issuer, authority), (place - start, digit)


def stands(pdf, issuer, authority):
    try:
        verify_pdf(pdf, [issuer.root], NOW)
        return judge_pdf(pdf, [authority.root], NOW).at is not None
    except REFUSED:
        return False


def test_a_token_that_does_not_fit_is_said(issuer, page):
    key, root = issuer.packet_key, certificate_pem(issuer.root)
    with pytest.raises(TimestampError):
        sign_pdf(page, key, name="Acme", reason="Seal", stamp=lambda _: huge(root))


def huge(_):
    from asn1crypto import cms, core

    content = {"content_type": "data", "content": core.OctetString(b"x" * 40_000)}
    return cms.ContentInfo(content).dump()
