"""The in-toto statement of a packet: another implementation and openssl verify the envelope, and no loss becomes a pass."""

import base64
import hashlib
import json
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from evidence.bag.statement import packet_statement
from evidence.cli.packet_command import write_statement
from evidence.errors import EvidenceError
from evidence.signing.certificate import make_demo_authority
from evidence.signing.dsse import IN_TOTO, pae, sign_envelope
from tests.fakes.packet_inputs import SIGNED_AT, blank_packet, build_inputs, packet_key
from tests.servers import softhsm
from tests.test_signing_pkcs11 import authority, issued, token  # noqa: F401  # fixtures

SCHEMES = {"p-256": "ecdsa-sha2-nistp256", "rsa-3072": "rsa-pkcs1v15-sha256"}


def foreign(key, algorithm):
    return SSlibKey.from_crypto(key.certificate.public_key(), key.fingerprint, SCHEMES[algorithm])


@pytest.mark.parametrize("algorithm", list(SCHEMES))
def test_an_independent_implementation_verifies_the_envelope(algorithm):
    key, _ = make_demo_authority("Acme", SIGNED_AT, algorithm=algorithm)
    made = json.loads(sign_envelope(b'{"a":1}', key))
    envelope = Envelope.from_dict(json.loads(json.dumps(made)))
    assert envelope.pae() == pae(IN_TOTO, b'{"a":1}')
    assert list(envelope.verify([foreign(key, algorithm)], 1)) == [key.fingerprint]
    other, _ = make_demo_authority("Acme", SIGNED_AT, algorithm=algorithm)
    made["payload"] = base64.b64encode(b'{"a":2}').decode()
    for wrong, by in ((Envelope.from_dict(json.loads(json.dumps(made))), key), (envelope, other)):
        with pytest.raises(VerificationError):
            wrong.verify([foreign(by, algorithm)], 1)


def test_openssl_verifies_it_over_the_encoding(tmp_path):
    key, _ = make_demo_authority("Acme", SIGNED_AT)
    made = json.loads(sign_envelope(b"payload", key))
    (tmp_path / "pae").write_bytes(b"DSSEv1 28 application/vnd.in-toto+json 7 payload")
    (tmp_path / "sig").write_bytes(base64.b64decode(made["signatures"][0]["sig"]))
    pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "key.pem").write_bytes(key.certificate.public_key().public_bytes(pem, spki))
    command = "openssl dgst -sha256 -verify key.pem -signature sig pae"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verified OK" in done.stdout


def test_a_key_in_a_token_signs_it(token, authority):  # noqa: F811
    from evidence.signing.pkcs11 import token_packet_key

    key = token_packet_key(token.uri("ec"), softhsm.PIN, issued(token, authority, "ec"))
    envelope = Envelope.from_dict(json.loads(sign_envelope(b"{}", key)))
    assert envelope.verify([foreign(key, "p-256")], 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    key, _ = packet_key()
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=1)
    return blank_packet(inputs, key, tmp_path_factory.mktemp("out")), key


def test_the_statement_names_every_file_and_control(made):
    packet, key = made
    path = write_statement(packet, key)
    assert path.name == f"{packet.packet_id}.intoto.jsonl"
    envelope = Envelope.from_dict(json.loads(path.read_bytes()))
    assert envelope.verify([foreign(key, "p-256")], 1)
    statement = json.loads(envelope.payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    files = [file for file in packet.folder.rglob("*") if file.is_file()]
    on_disk = {f"{packet.packet_id}/{file.relative_to(packet.folder)}": file for file in files} | {
        packet.zip.name: packet.zip
    }
    assert subjects == {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in on_disk.items()}
    predicate = statement["predicate"]
    periods = json.loads((packet.folder / "data/findings.json").read_bytes())["periods"]
    for name, status in (
        ("passedTests", "satisfied"),
        ("failedTests", "not-satisfied"),
        ("warnedTests", "not-assessed"),
    ):
        assert predicate[name] == sorted(p["control"] for p in periods if p["status"] == status)
    assert predicate["result"] == "FAILED"
    assert f"{packet.packet_id}/data/controls/registers/admins.toml" in [
        one["name"] for one in predicate["configuration"]
    ]


@pytest.mark.parametrize(
    ("statuses", "omissions", "result"),
    [
        (["satisfied", "satisfied"], [], "PASSED"),
        (["satisfied", "not-applicable"], [], "PASSED"),
        (["satisfied", "not-assessed"], [], "WARNED"),
        (["satisfied", "a word of later"], [], "WARNED"),
        (["satisfied", "not-assessed", "not-satisfied"], [], "FAILED"),
        (["satisfied"], ["time not proven"], "WARNED"),
        ([], [], "WARNED"),
        (["not-applicable"], [], "WARNED"),
    ],
)
def test_only_passes_make_a_pass(tmp_path, statuses, omissions, result):
    from evidence.bag.bag import BagWriter
    from evidence.bag.findings import canonical_findings

    bag = BagWriter(tmp_path / "P")
    periods = [{"control": f"c{n}", "start": "2026-07-01", "status": status} for n, status in enumerate(statuses)]
    bag.add("findings.json", canonical_findings("2026-07-01", "2026-09-30", periods, []))
    bag.close({})
    (tmp_path / "P.zip").write_bytes(b"zip")
    said = json.loads(packet_statement(tmp_path / "P", tmp_path / "P.zip", omissions))
    assert said["predicate"]["result"] == result
    (tmp_path / "P/data/findings.json").unlink()
    with pytest.raises(EvidenceError):
        packet_statement(tmp_path / "P", tmp_path / "P.zip", omissions)
