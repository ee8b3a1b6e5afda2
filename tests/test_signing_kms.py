"""Packet keys in AWS KMS: packets and PDFs signed there verify as any other, and refusals say what to do next.

The service is LocalStack's; certificates are issued with cryptography for the public half that it shows.
"""

import datetime as dt
import io
import subprocess

import boto3
import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from evidence.errors import ConfigError
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem, key_pem
from evidence.signing.cms import verify_detached, verify_pdf
from evidence.signing.kms import KmsKey, kms_packet_key
from evidence.signing.pades import sign_pdf

pytest_plugins = ["tests.servers.fixtures"]

NOW = dt.datetime(2026, 10, 6, tzinfo=dt.UTC)
FROM = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CONTENT = b"tag manifest\n"


@pytest.fixture(scope="module")
def client(s3_server):
    return boto3.client(
        "kms",
        endpoint_url=s3_server.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture(scope="module", params=["RSA_3072", "ECC_NIST_P256"])
def made(request, client):
    """Return (key id, certificate PEM, root) of a new key; the root is made here and its key dropped."""
    metadata = client.create_key(KeySpec=request.param, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    certificate, root = issue(KmsKey(metadata["KeyId"], client).public_key())
    return metadata, certificate_pem(certificate), root


def issue(public):
    authority = ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Packet root")])
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Packet seal in KMS")])

    def signed(subject, key, *, ca):
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=root_name, public_key=key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(FROM)
            .not_valid_after(FROM + dt.timedelta(days=900))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(authority, hashes.SHA256())
        )

    return signed(leaf_name, public, ca=False), signed(root_name, authority.public_key(), ca=True)


def test_packets_signed_in_kms_verify(made, client, tmp_path):
    metadata, certificate, root = made
    for name in (metadata["KeyId"], metadata["Arn"]):
        key = kms_packet_key(f"kms:{name}", certificate, client=client)
        der = sign_detached(CONTENT, key, NOW)
        assert verify_detached(der, CONTENT, [root], NOW).subject == "CN=Packet seal in KMS"
    (tmp_path / "s").write_bytes(der)
    (tmp_path / "c").write_bytes(CONTENT)
    (tmp_path / "root.pem").write_bytes(certificate_pem(root))
    command = "openssl cms -verify -binary -cades -inform DER -in s -content c -CAfile root.pem -purpose any -out out"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "CAdES Verification successful" in done.stderr


def test_pdfs_signed_in_kms_verify(made, client):
    metadata, certificate, root = made
    document, out = pikepdf.new(), io.BytesIO()
    document.add_blank_page()
    document.save(out, deterministic_id=True)
    key = kms_packet_key(f"kms:{metadata['KeyId']}", certificate, client=client)
    signed = sign_pdf(out.getvalue(), key, name="Acme", reason="seal")
    assert verify_pdf(signed, [root], NOW).certificate_sha256 == key.fingerprint


def test_the_private_half_does_not_leave(made, client):
    metadata, certificate, _ = made
    with pytest.raises(ConfigError, match="cannot leave"):
        key_pem(kms_packet_key(f"kms:{metadata['KeyId']}", certificate, client=client))


def test_refusals_say_what_to_do(made, client):
    metadata, certificate, _ = made
    name = f"kms:{metadata['KeyId']}"
    foreign = certificate_pem(issue(ec.generate_private_key(ec.SECP256R1()).public_key())[0])
    cases = [
        (name, b"", "certificate"),
        (name, foreign, "issued for this key"),
        ("kms:11111111-2222-3333-4444-555555555555", certificate, "kms:KEY ID OR ARN"),
    ]
    for ref, body, fix in cases:
        with pytest.raises(ConfigError) as caught:
            kms_packet_key(ref, body, client=client)
        assert fix in caught.value.fix, caught.value
    client.disable_key(KeyId=metadata["KeyId"])
    try:
        with pytest.raises(ConfigError) as caught:
            sign_detached(CONTENT, kms_packet_key(name, certificate, client=client), NOW)
        assert "enable the key" in caught.value.fix
    finally:
        client.enable_key(KeyId=metadata["KeyId"])


def test_keys_of_other_kinds_are_refused(client):
    other = client.create_key(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    with pytest.raises(ConfigError, match="kind packets do not use"):
        KmsKey(other, client)
    secret = client.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    with pytest.raises(ConfigError) as caught:
        KmsKey(secret, client)
    assert "SIGN_VERIFY" in caught.value.fix


class Answering:
    """A client that answers with a given public key and counts what it is asked to sign."""

    def __init__(self, error=None):
        self.key, self.error, self.asked = ec.generate_private_key(ec.SECP256R1()), error, []

    def get_public_key(self, **_):
        if self.error:
            raise self.error
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        body = self.key.public_key().public_bytes(serialization.Encoding.DER, form)
        return {"KeyUsage": "SIGN_VERIFY", "PublicKey": body}

    def sign(self, **words):
        self.asked.append(words)
        return {"Signature": self.key.sign(words["Message"], ec.ECDSA(hashes.SHA256()))}


def test_messages_go_raw_and_the_service_hashes():
    client = Answering()
    certificate, root = issue(client.key.public_key())
    key = kms_packet_key("kms:k", certificate_pem(certificate), client=client)
    assert verify_detached(sign_detached(CONTENT, key, NOW), CONTENT, [root], NOW)
    (asked,) = client.asked
    assert (asked["MessageType"], asked["SigningAlgorithm"]) == ("RAW", "ECDSA_SHA_256")
    assert len(asked["Message"]) < 4096


def test_denial_and_no_network_are_told_apart():
    from botocore.exceptions import ClientError, NoCredentialsError

    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "user arn:secret"}}, "GetPublicKey")
    for error, fix in ((denied, "grant kms:GetPublicKey and kms:Sign"), (NoCredentialsError(), "check credentials")):
        with pytest.raises(ConfigError) as caught:
            KmsKey("k", Answering(error))
        assert fix in caught.value.fix
        assert "secret" not in str(caught.value)
