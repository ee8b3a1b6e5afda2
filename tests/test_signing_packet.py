"""Packet signatures: made by pyHanko, verified by ours and by openssl; every flipped byte is noticed."""

import datetime as dt
import io
import subprocess

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from evidence.errors import ConfigError, MalformedError, VerificationError
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem, key_pem, load_packet_key, make_demo_authority
from evidence.signing.cms import verify_detached, verify_pdf
from evidence.signing.der import check_der, value_length
from evidence.signing.pades import sign_pdf

NOW = dt.datetime(2026, 10, 6, tzinfo=dt.UTC)
FROM = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CONTENT = b"tag manifest\n"
REFUSED = (MalformedError, VerificationError)


@pytest.fixture(scope="module", params=["p-256", "rsa-3072"])
def signed(request):
    key, root = make_demo_authority("Acme", FROM, algorithm=request.param)
    return key, root, sign_detached(CONTENT, key, NOW)


@pytest.fixture(scope="module")
def pdf():
    document = pikepdf.new()
    document.add_blank_page()
    out = io.BytesIO()
    document.save(out, deterministic_id=True)
    return out.getvalue()


def test_ours_and_openssl_agree(signed, tmp_path):
    key, root, der = signed
    found = verify_detached(der, CONTENT, [root], NOW)
    assert (found.certificate_sha256, found.claimed_at) == (key.fingerprint, NOW)
    (tmp_path / "s").write_bytes(der)
    (tmp_path / "c").write_bytes(CONTENT)
    (tmp_path / "root.pem").write_bytes(certificate_pem(root))
    command = "openssl cms -verify -binary -cades -inform DER -in s -content c -CAfile root.pem -purpose any -out out"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "CAdES Verification successful" in done.stderr


def test_every_flipped_byte_is_noticed(signed):
    _, root, der = signed
    for place in range(len(der)):
        for bit in (1 << place % 8, 0x80):
            changed = der[:place] + bytes([der[place] ^ bit]) + der[place + 1 :]
            with pytest.raises(REFUSED):
                verify_detached(changed, CONTENT, [root], NOW)


def test_other_content_root_and_time_are_refused(signed):
    key, root, der = signed
    _, other = make_demo_authority("Acme", FROM)
    for content, trust, at, word in (
        (CONTENT + b" ", root, NOW, "content"),
        (CONTENT, other, NOW, "chain"),
        (CONTENT, root, FROM - dt.timedelta(days=1), "not valid at"),
        (CONTENT, root, FROM + dt.timedelta(days=4000), "not valid at"),
    ):
        with pytest.raises(VerificationError, match=word):
            verify_detached(der, content, [trust], at)
    assert verify_detached(der, CONTENT, [key.certificate], NOW).root_sha256 == key.fingerprint
    with pytest.raises(MalformedError):
        verify_detached(der + b"\0", CONTENT, [root], NOW)


def test_a_leaf_is_no_authority():
    """A certificate that may not issue cannot vouch for another one."""
    key, root = make_demo_authority("Acme", FROM)
    forged, _ = make_demo_authority("Acme", FROM)
    builder = x509.CertificateBuilder(
        subject_name=forged.certificate.subject,
        issuer_name=key.certificate.subject,
        public_key=forged.certificate.public_key(),
        serial_number=7,
        not_valid_before=FROM,
        not_valid_after=FROM + dt.timedelta(days=900),
    )
    leaf = builder.sign(key.private_key, hashes.SHA256())
    attacker = type(forged)(forged.private_key, leaf, (key.certificate,))
    with pytest.raises(VerificationError, match="chain"):
        verify_detached(sign_detached(CONTENT, attacker, NOW), CONTENT, [root], NOW)


def test_a_signed_pdf_is_whole_certified_and_begins_with_the_unsigned_one(signed, pdf, tmp_path):
    key, root, _ = signed
    made = sign_pdf(pdf, key, name="Acme", reason="seal")
    assert made.startswith(pdf)
    assert verify_pdf(made, [root], NOW).certificate_sha256 == key.fingerprint
    (tmp_path / "a.pdf").write_bytes(made)
    shown = subprocess.run(["pdfsig", "a.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in shown
    assert "Total document signed" in shown


def test_changes_to_a_signed_pdf_are_refused(signed, pdf):
    key, root, _ = signed
    made = sign_pdf(pdf, key, name="Acme", reason="seal")
    gap = made.index(b"/Contents <") + len(b"/Contents <")
    opened = pikepdf.open(io.BytesIO(made))
    opened.Root.Lang = "de"
    rewritten = io.BytesIO()
    opened.save(rewritten)
    update = made + b"\n1 0 obj\n<</Type/Catalog/Lang(de)>>\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    for changed in (
        made + b"\n",
        update,
        rewritten.getvalue(),
        made[:50] + bytes([made[50] ^ 1]) + made[51:],
        made[: gap - 1] + b"(" + made[gap:],
        made.replace(b"/P 1", b"/P 2"),
        pdf,
        sign_twice(made, key),
    ):
        with pytest.raises(REFUSED):
            verify_pdf(changed, [root], NOW)


def sign_twice(made, key):
    return made + made[made.index(b"/ByteRange") - 20 :]


def test_an_approval_signature_is_not_enough(signed, pdf):
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import SigSeedSubFilter
    from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner

    from evidence.signing.cades import pyhanko_signer

    key, root, _ = signed
    metadata = PdfSignatureMetadata(field_name="S", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    out = PdfSigner(metadata, pyhanko_signer(key)).sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)))
    with pytest.raises(VerificationError, match="DocMDP"):
        verify_pdf(out.getvalue(), [root], NOW)


def test_packet_keys_load_from_pem_and_pkcs12():
    key, root = make_demo_authority("Acme", FROM)
    loaded = load_packet_key(key_pem(key), certificate_pem(key.certificate), [certificate_pem(root)])
    assert (loaded.fingerprint, loaded.chain) == (key.fingerprint, (root,))
    store = pkcs12.serialize_key_and_certificates(
        b"x", key.private_key, key.certificate, [root], BestAvailableEncryption(b"pw")
    )
    assert load_packet_key(store, passphrase=b"pw").chain == (root,)
    other, _ = make_demo_authority("Acme", FROM)
    for bad in (
        lambda: load_packet_key(store, passphrase=b"no"),
        lambda: load_packet_key(key_pem(key), certificate_pem(other.certificate)),
        lambda: load_packet_key(b"-----BEGIN nothing", certificate_pem(root)),
    ):
        with pytest.raises(ConfigError):
            bad()
    assert "private_key" not in repr(key)


@pytest.mark.parametrize(
    "body",
    [
        bytes.fromhex(text)
        for text in (
            "", "30", "3080", "30800000", "308100", "30820001ff", "020200ff00", "02020001", "0202ffff", "010101", "0600",
            "060180", "06022a80", "06028001", "31060202010002010 1".replace(" ", ""), "3003020101ff", "1f0100", "3005020101",
        )
    ],
    ids=lambda b: b.hex() or "empty",
)  # fmt: skip
def test_values_that_are_not_der_are_refused(body):
    with pytest.raises(MalformedError):
        check_der(body, "value")


def test_der_values_are_accepted():
    for text in ("3000", "020100", "02020080", "0101ff", "06032a0304", "3106020101020102"):
        check_der(bytes.fromhex(text), "value")
    assert value_length(bytes.fromhex("3003020101000000"), "value") == 5
