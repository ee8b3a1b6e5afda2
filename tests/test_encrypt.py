"""Packets encrypted for delivery: openssl opens them with either kind of key, nobody else does, and a changed byte is found."""

import datetime as dt
import random
import subprocess
import tracemalloc

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fakes.packet_inputs import SIGNED_AT, blank_packet, build_inputs, packet_key

from evidence.cli.delivery import deliver, place_of, recipients_of
from evidence.errors import ConfigError, UsageError
from evidence.signing.certificate import certificate_pem
from evidence.signing.encrypt import encrypt_file, load_recipient
from evidence.signing.encrypted import encrypted_for
from evidence.verify import verify_packet

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def holder(folder, name, key, *, until=NOW + 300 * DAY, usage=None):
    """Write NAME.key and NAME.pem; return the certificate."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), NOW - DAY, until)
    if usage:
        off = dict.fromkeys(
            ("content_commitment", "data_encipherment", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
            False,
        )
        wanted = {"digital_signature": False, "key_encipherment": False, "key_agreement": False, usage: True}
        builder = builder.add_extension(x509.KeyUsage(**off, **wanted), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(key.private_bytes(*form))
    (folder / f"{name}.pem").write_bytes(certificate_pem(certificate))
    return certificate


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return folder, {
        "rsa": holder(folder, "rsa", rsa.generate_private_key(65537, 3072), usage="key_encipherment"),
        "p256": holder(folder, "p256", ec.generate_private_key(ec.SECP256R1()), usage="key_agreement"),
        "p384": holder(folder, "p384", ec.generate_private_key(ec.SECP384R1())),
        "stranger": holder(folder, "stranger", rsa.generate_private_key(65537, 2048)),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    key, root = packet_key()
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=1)
    return blank_packet(inputs, key, tmp_path_factory.mktemp("out")), inputs, root


@pytest.fixture(scope="module")
def sent(made, people, tmp_path_factory):
    wanted = recipients_of([people[0] / f"{name}.pem" for name in ("rsa", "p256", "p384")])
    return deliver(made[0].zip, wanted, tmp_path_factory.mktemp("delivery"))


def opened(folder, who, source, target):
    words = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", source, "-out", target]
    words += ["-recip", folder / f"{who}.pem", "-inkey", folder / f"{who}.key"]
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("who", ["rsa", "p256", "p384"])
def test_openssl_opens_it_for_each_and_what_comes_out_verifies(made, sent, people, tmp_path, who):
    target = tmp_path / made[0].zip.name
    done = opened(people[0], who, sent, target)
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == made[0].zip.read_bytes()
    found = verify_packet(
        target, certificates=[certificate_pem(made[2])], vkeys=[made[1].log_key.to_text()], at=SIGNED_AT + DAY
    )
    assert found.ok, found.failed


def test_nobody_else_opens_it(sent, people, tmp_path):
    assert opened(people[0], "stranger", sent, tmp_path / "out").returncode != 0
    assert b"PKT-" not in sent.read_bytes()
    assert [path.name for path in sent.parent.iterdir()] == [sent.name]


def test_a_flipped_byte_anywhere_is_refused(sent, people, tmp_path):
    """Wherever the byte is: in the recipient's key, the nonce, the content, the tag."""
    body, chance = sent.read_bytes(), random.Random(7)
    head = body.index(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e")  # AES-256-GCM
    places = [
        head + 15,
        *(chance.randrange(head + 40, len(body) - 16) for _ in range(8)),
        *range(len(body) - 16, len(body), 5),
    ]
    for place in places:
        (tmp_path / "bad").write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
        assert opened(people[0], "rsa", tmp_path / "bad", tmp_path / "out").returncode != 0, place


def test_verify_says_for_whom_and_how_to_open(sent, made):
    found = verify_packet(sent, certificates=[certificate_pem(made[2])], at=SIGNED_AT + DAY)
    assert found.exit_code == 10
    (check,) = found.checks
    assert check.ok is None
    assert "encrypted (with authentication)" in check.detail
    assert check.detail.count("the holder of certificate") == 3
    assert (
        f"openssl cms -decrypt -binary -inform DER -in {sent.name} -recip CERTIFICATE.pem -inkey KEY.pem -out {made[0].zip.name}"
        in check.detail
    )


def test_files_of_others_are_told_too_and_hostile_ones_say_nothing(sent, people, made, tmp_path):
    for cipher, words in (("-aes-256-gcm", "with authentication"), ("-aes-256-cbc", "WITHOUT authentication")):
        command = [
            "openssl",
            "cms",
            "-encrypt",
            "-binary",
            "-stream",
            "-outform",
            "DER",
            cipher,
            "-in",
            str(made[0].zip),
        ]
        subprocess.run(
            [*command, "-out", str(tmp_path / "o.cms"), str(people[0] / "p256.pem")], check=True, capture_output=True
        )
        assert words in encrypted_for(tmp_path / "o.cms")
    assert encrypted_for(made[0].zip) == ""
    body, chance = sent.read_bytes()[:4000], random.Random(3)
    for _ in range(400):
        place = chance.randrange(2000)
        (tmp_path / "h").write_bytes(body[:place] + chance.randbytes(3) + body[place + 3 : chance.randrange(4000)])
        assert isinstance(encrypted_for(tmp_path / "h"), str)


def test_whom_nothing_can_be_encrypted_to(people, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    holder(tmp_path, "ended", key, until=NOW - dt.timedelta(hours=1))
    holder(tmp_path, "signs", key, usage="digital_signature")
    holder(tmp_path, "short", rsa.generate_private_key(65537, 1024))
    for name, words in (("ended", "not valid today"), ("signs", "not for encryption"), ("short", "neither an RSA key")):
        with pytest.raises(ConfigError, match=words):
            load_recipient((tmp_path / f"{name}.pem").read_bytes(), name, NOW)
    with pytest.raises(UsageError, match="holds the plain packets"):
        place_of(tmp_path, tmp_path, tmp_path)


def test_memory_does_not_grow_with_the_file(people, tmp_path):
    with (tmp_path / "big").open("wb") as out:
        out.truncate(200 << 20)
    tracemalloc.start()
    encrypt_file(tmp_path / "big", tmp_path / "big.cms", [people[1]["rsa"]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    (tmp_path / "big.cms").unlink()


def test_nothing_half_written_stays(people, tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    encrypt_file(tmp_path / "a", tmp_path / "a.cms", [people[1]["rsa"]])
    with pytest.raises(FileExistsError):
        encrypt_file(tmp_path / "a", tmp_path / "a.cms", [people[1]["rsa"]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.cms"]
