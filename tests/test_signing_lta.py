"""B-LTA with an authority we did not write (Certomancer): OCSP, lists and both stamps, judged by poppler, qpdf, openssl and pyHanko."""

import datetime as dt
import io
import subprocess
import sys
from dataclasses import replace

import pikepdf
import pytest
from cryptography import x509

from evidence.cli.standing import lists_of, pades_of
from evidence.config import Config
from evidence.errors import ConfigError, MalformedError, PacketRefusedError, SourceUnavailableError, VerificationError
from evidence.packet import build_packet
from evidence.render.pdf import Rendered
from evidence.signing.certificate import load_packet_key
from evidence.signing.cms import verify_pdf
from evidence.signing.lta import split
from evidence.signing.ocsp import check_response, fetch_list, responses_for
from evidence.signing.pades import Pades, sign_pdf
from evidence.signing.timestamp import judge_archived, judge_pdf, response_der
from evidence.signing.tsa import Authorities
from evidence.verify import verify_packet
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, laid_out
from tests.servers.pki import serve


def now():
    """The moment of the test, not of the collection: a long suite may come here a quarter of an hour later."""
    return dt.datetime.now(dt.UTC)


DAY = dt.timedelta(days=1)
ADES = """
import asyncio, sys
from asn1crypto import x509, pem
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import ades
from pyhanko.sign.validation.policy_decl import *
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.policy_decl import RevocationCheckingPolicy, RevocationCheckingRule, CertRevTrustPolicy
root = x509.Certificate.load(pem.unarmor(open(sys.argv[2], "rb").read())[2])
policy = CertRevTrustPolicy(RevocationCheckingPolicy(RevocationCheckingRule.CRL_OR_OCSP_REQUIRED, RevocationCheckingRule.CRL_OR_OCSP_REQUIRED))
spec = CertValidationPolicySpec(trust_manager=SimpleTrustManager.build(trust_roots=[root]), revinfo_policy=policy)
whole = PdfSignatureValidationSpec(SignatureValidationSpec(cert_validation_policy=spec, ts_cert_validation_policy=spec))
with open(sys.argv[1], "rb") as handle:
    (signature,) = PdfFileReader(handle).embedded_regular_signatures
    found = asyncio.run(ades.ades_lta_validation(signature, whole))
print(found.ades_subindic)
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("pki")) as running:
        yield running


@pytest.fixture(scope="module")
def root(pki):
    return x509.load_pem_x509_certificate(pki.certificate("root"))


@pytest.fixture(scope="module")
def key(pki):
    return load_packet_key(pki.key("signer"), pki.certificate("signer"))


@pytest.fixture(scope="module")
def stamp(pki, root):
    return Authorities([pki.tsa], [root], lambda: dt.datetime.now(dt.UTC)).stamp


@pytest.fixture(scope="module")
def extra(pki, key, root):
    lists = (fetch_list(pki.crl),)
    return Pades(lists, tuple(responses_for(key, [root], [pki.ocsp], dt.datetime.now(dt.UTC))), archive=True)


@pytest.fixture(scope="module")
def page():
    document, out = pikepdf.new(), io.BytesIO()
    document.add_blank_page()
    document.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


@pytest.fixture(scope="module")
def signed(page, key, stamp, extra):
    return sign_pdf(page, key, name="Acme", reason="Seal", stamp=stamp, extra=extra)


def stands(pdf, root):
    """Whether our own code accepts the PDF as B-LTA, as ``evidence verify`` does."""
    try:
        first, archived = split(pdf)
        verify_pdf(first, [root], now())
        if archived is None:
            return False
        results = (*judge_pdf(first, [root], now() + DAY).results, *judge_archived(archived, [root], now() + DAY))
        return all(ok for ok, _ in results)
    except (MalformedError, VerificationError):
        return False


def test_ours(signed, root, page):
    assert signed.startswith(page)
    assert signed.count(b"%%EOF") == page.count(b"%%EOF") + 2
    assert stands(signed, root)


def test_poppler_and_qpdf(signed, tmp_path):
    (tmp_path / "a.pdf").write_bytes(signed)
    shown = subprocess.run(["pdfsig", "a.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    seal, time = sorted(shown.split("Signature #")[1:], key=lambda part: "Name: Time" in part)
    assert "Signature is Valid" in seal
    assert "Total document signed" in time  # the stamp is over all of it; the seal's own bytes end before it
    checked = subprocess.run(["qpdf", "--check", "a.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_openssl_on_both_stamps_and_the_seal(signed, pki, tmp_path):
    first, archived = split(signed)
    from evidence.signing.cms import pdf_signature
    from evidence.signing.timestamp import attached_token, stamped_part

    der, start, end = pdf_signature(first)
    files = {"seal": der, "signed": first[:start] + first[end:], "value": stamped_part(der), "all": archived.content}
    files |= {"t.tsr": response_der(attached_token(der)), "d.tsr": response_der(archived.token)}
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    root = str(pki.folder / "root.crt.pem")
    for data, response in (("value", "t.tsr"), ("all", "d.tsr")):
        words = ["openssl", "ts", "-verify", "-data", data, "-in", response, "-CAfile", root]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "Verification: OK" in done.stdout + done.stderr, done.stderr
    words = [
        "openssl",
        "cms",
        "-verify",
        "-binary",
        "-cades",
        "-inform",
        "DER",
        "-in",
        "seal",
        "-content",
        "signed",
        "-CAfile",
        root,
    ]
    done = subprocess.run(
        [*words, "-purpose", "any", "-out", "/dev/null"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "CAdES Verification successful" in done.stderr


def test_pyhankos_ades_validation_of_long_term_archives(signed, pki, tmp_path):
    """Offline, with revocation required for every certificate: only what the file carries."""
    (tmp_path / "a.pdf").write_bytes(signed)
    words = [sys.executable, "-c", ADES, "a.pdf", str(pki.folder / "root.crt.pem")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "AdESPassed.OK", done.stdout + done.stderr


def test_what_is_appended_changed_or_rewritten_is_found(signed, root, tmp_path, stamp):
    """A byte of a page, an annotation, an attachment of garbage, a rewrite; and an update under a valid time-stamp of one's own."""
    first, _ = split(signed)
    assert not stands(first, root)
    for place in range(0, len(signed), 331):
        changed = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
        assert not stands(changed, root), place
    assert not stands(signed + b"\n", root)
    assert not stands(signed + signed[len(first) :], root)
    with pikepdf.open(io.BytesIO(signed)) as document:
        out = io.BytesIO()
        document.save(out)
    assert not stands(out.getvalue(), root)
    for base in (signed, first):
        assert not stands(annotated(base), root)
    assert not stands(restamped(annotated(first), stamp), root)


def annotated(pdf):
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer, out = IncrementalPdfFileWriter(io.BytesIO(pdf)), io.BytesIO()
    note = generic.DictionaryObject(
        {generic.pdf_name("/Type"): generic.pdf_name("/Annot"), generic.pdf_name("/Subtype"): generic.pdf_name("/Text")}
    )
    note[generic.pdf_name("/Contents")] = generic.pdf_string("forged pass")
    note[generic.pdf_name("/Rect")] = generic.ArrayObject([generic.NumberObject(n) for n in (0, 0, 9, 9)])
    page = writer.root["/Pages"]["/Kids"][0]
    page.setdefault(generic.pdf_name("/Annots"), generic.ArrayObject()).append(writer.add_object(note))
    writer.update_container(page)
    writer.write(out)
    return out.getvalue()


def restamped(pdf, stamp):
    """An attacker with an account at the same authority stamps a forged update, the way pyHanko does."""
    import asyncio

    from asn1crypto import cms
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.signers.pdf_signer import PdfTimeStamper
    from pyhanko.sign.timestamps import TimeStamper

    class Own(TimeStamper):
        async def async_timestamp(self, message_digest, md_algorithm):
            return await self.async_dummy_response(md_algorithm)

        async def async_dummy_response(self, md_algorithm):
            return cms.ContentInfo.load(stamp(b"anything"))

    writer, out = IncrementalPdfFileWriter(io.BytesIO(pdf)), io.BytesIO()
    asyncio.run(PdfTimeStamper(Own(), field_name="Time").async_timestamp_pdf(writer, "sha256", output=out))
    return out.getvalue()


def test_a_whole_packet(signed, page, key, stamp, extra, root, pki, tmp_path, monkeypatch):
    monkeypatch.setattr("evidence.render.pdf.Rendering", laid_out(Rendered(page, 1, {})))
    inputs = replace(
        build_inputs(tmp_path / "parts", count=1), revocation_lists=extra.lists, pades=replace(extra, lists=())
    )
    made = build_packet(inputs, key, tmp_path / "out", TEMPLATES, signed_at=dt.datetime.now(dt.UTC), stamp=stamp)
    trust = {
        "certificates": [pki.certificate("root")],
        "authorities": [pki.certificate("root")],
        "vkeys": [inputs.log_key.to_text()],
    }
    found = verify_packet(made.zip, **trust, at=now() + 3 * DAY)
    assert found.ok, found.failed
    times = [one.detail for one in found.checks if one.step == "time" and one.ok and "existed at" in one.detail]
    assert len(times) == 4
    assert any("the PDF's document time-stamp" in words for words in times)
    assert "Tsa was not revoked" not in str(found.failed)
    pdf = made.folder / "data/packet.pdf"
    pdf.write_bytes(split(pdf.read_bytes())[0])
    assert not verify_packet(made.folder, **trust, at=now() + 3 * DAY).ok


def test_what_the_configuration_asks_for_and_cannot_have(pki, key, root):
    def config(**packet):
        return Config(entity={"name": "A", "system": "B"}, packet=packet, workspace=pki.folder)

    for asked in ({"pades": "b-lta"}, {"ocsp": [pki.ocsp]}):
        with pytest.raises(ConfigError, match="need a time-stamp authority"):
            pades_of(config(**asked), key, [], now())
    given = config(crls=[pki.crl], pades="b-lta", tsa=[pki.tsa])
    lists = lists_of(given)
    assert pades_of(given, key, lists, now()) == Pades(archive=True)
    gone = load_packet_key(pki.key("revoked"), pki.certificate("revoked"))
    with pytest.raises(PacketRefusedError, match="is revoked, by a list"):
        pades_of(given, gone, lists, now())
    with pytest.raises(ConfigError, match="is not known"):
        responses_for(key, [], [pki.ocsp], now())


def test_a_revoked_signer_is_told_by_ocsp_and_by_the_list(pki, root):
    gone = load_packet_key(pki.key("revoked"), pki.certificate("revoked"))
    with pytest.raises(PacketRefusedError, match="was revoked on"):
        responses_for(gone, [root], [pki.ocsp], now())
    from evidence.signing.revocation import Moment, judge_chain, load_list

    lists = [load_list(fetch_list(pki.crl), "list")]
    ((ok, words),) = judge_chain([gone.certificate, root], lists, Moment(now(), proved=False, now=now()))
    assert (ok, "keyCompromise" in words) == (False, True)


def test_a_response_about_another_stale_or_forged_counts_for_nothing(pki, key, root, extra):
    (good,) = extra.responses
    short = x509.load_pem_x509_certificate(pki.certificate("short"))
    assert abs(check_response(good, key.certificate, root, now()) - now()) < DAY
    with pytest.raises(VerificationError, match="another certificate"):
        check_response(good, short, root, now())
    with pytest.raises(VerificationError, match="not current"):
        check_response(good, key.certificate, root, now() - 9 * DAY)
    for place in range(0, len(good), 7):
        bad = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        try:
            check_response(bad, key.certificate, root, now())
        except (VerificationError, PacketRefusedError):
            continue
        raise AssertionError(place)
    with pytest.raises(SourceUnavailableError, match="no OCSP response for"):
        responses_for(key, [root], [pki.tsa], now())


def test_after_the_signer_expired_the_stamps_prove_when(pki, root, page, stamp, extra):
    """Judged in two months: the certificate has ended, and stood at the stamped moment."""
    key = load_packet_key(pki.key("short"), pki.certificate("short"))
    responses = tuple(responses_for(key, [root], [pki.ocsp], now()))
    signed = sign_pdf(page, key, name="Acme", reason="Seal", stamp=stamp, extra=replace(extra, responses=responses))
    first, archived = split(signed)
    later = now() + 60 * DAY
    with pytest.raises(VerificationError, match="not valid at"):
        verify_pdf(first, [root], later)
    moment = judge_pdf(first, [root], later).at
    assert verify_pdf(first, [root], moment)
    assert all(ok for ok, _ in judge_archived(archived, [root], later))
