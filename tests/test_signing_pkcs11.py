"""Keys in a PKCS#11 token: packets and the log are signed there, and nobody ever sees the PIN."""

import datetime as dt
import json
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fakes.memory_store import MemoryStore
from fakes.sealed_store import plain

from evidence.cli.app import run
from evidence.errors import ConfigError
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem
from evidence.signing.cms import verify_detached
from evidence.signing.keys import NoteKey
from evidence.signing.pkcs11 import TokenNoteKey, parse_uri, token_packet_key
from evidence.store.check import check_store
from evidence.store.log import Log
from tests.servers import softhsm

NOW = dt.datetime(2026, 10, 6, tzinfo=dt.UTC)
CONTENT = b"tag manifest\n"


@pytest.fixture(scope="module")
def token():
    return softhsm.token()


@pytest.fixture(scope="module")
def authority():
    key = ec.generate_private_key(ec.SECP256R1())
    return key, certificate(key.public_key(), key, authority=True)


def certificate(public, issuer, *, authority=False):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Root" if authority else "Officer")])
    root = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Root")])
    return (
        x509.CertificateBuilder(
            root, name, public, 7 + authority, NOW - dt.timedelta(days=9), NOW + dt.timedelta(days=900)
        )
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer, hashes.SHA256())
    )


def issued(token, authority, label):
    public = serialization.load_der_public_key(token.public[label])
    return certificate_pem(certificate(public, authority[0]))


@pytest.mark.parametrize("label", ["rsa", "ec"])
def test_a_seal_made_in_the_token_verifies_here_and_with_openssl(token, authority, label, tmp_path):
    key = token_packet_key(token.uri(label), softhsm.PIN, issued(token, authority, label))
    der = sign_detached(CONTENT, key, NOW)
    assert verify_detached(der, CONTENT, [authority[1]], NOW).certificate_sha256 == key.fingerprint
    (tmp_path / "s").write_bytes(der)
    (tmp_path / "c").write_bytes(CONTENT)
    (tmp_path / "root.pem").write_bytes(certificate_pem(authority[1]))
    command = "openssl cms -verify -binary -cades -inform DER -in s -content c -CAfile root.pem -purpose any -out out"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "CAdES Verification successful" in done.stderr


def test_a_log_key_in_the_token_signs_checkpoints_and_takes_over(token):
    origin = "acme.example/evidence"
    first, second = (TokenNoteKey(token.uri(label), softhsm.PIN, origin) for label in ("log", "log2"))
    assert first.public_key == token.public["log"]
    log = Log.init(MemoryStore(), first)
    log.append(plain("a"))
    log.rotate(second)
    log.append(plain("b"))
    for trust in (first.vkey, second.vkey):
        assert not [c for c in check_store(log.store, trust=trust) if c.ok is False]
    with pytest.raises(ConfigError, match="no name"):
        TokenNoteKey(token.uri("log"), softhsm.PIN, "")
    with pytest.raises(ConfigError, match="not an Ed25519 key"):
        TokenNoteKey(token.uri("ec"), softhsm.PIN, origin)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"pin": "0000"}, "PinIncorrect"),
        ({"pin": None}, "NoSuchKey"),
        ({"label": "absent"}, "NoSuchKey"),
        ({"label": "twin"}, "MultipleObjectsReturned"),
        ({"token": "another"}, "NoSuchToken"),
        ({"certificate": "rsa"}, "not of key"),
        ({"certificate": None}, "needs its certificate"),
        ({"module": "/nowhere/lib.so"}, "does not load"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_without_the_pin(token, authority, change, word):
    label = change.get("label", "ec")
    uri = token.uri(label, token=change.get("token", softhsm.TOKEN)).replace(
        token.module, change.get("module", token.module)
    )
    named = change.get("certificate", label if label in token.public else "ec")
    pin = change.get("pin", softhsm.PIN)
    with pytest.raises(ConfigError, match=word) as raised:
        token_packet_key(uri, pin, issued(token, authority, named) if named else b"")
    assert raised.value.fix
    told = f"{raised.value} {raised.value.fix} {raised.value!r} {raised.value.__cause__} "
    assert softhsm.PIN not in told
    assert "0000" not in told


def test_a_certificate_of_another_key_is_found_at_the_first_signature_at_the_latest(token, authority):
    """A token need not show the public half."""
    from evidence.signing.pkcs11 import TokenPacketKey

    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(ConfigError, match="certificate's key"):
        TokenPacketKey(parse_uri(token.uri("ec"), softhsm.PIN), other).sign(b"x")


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=a;object=b",
        "pkcs11:object=b?module-path=lib.so",
        "pkcs11:token=a?module-path=/l.so",
        "pkcs11:object=b;object=c?module-path=/l.so",
        "pkcs11:object?module-path=/l.so",
        "pkcs11:object=b;x-vendor=1?module-path=/l.so",
        "pkcs11:object=b;type=cert?module-path=/l.so",
        "pkcs11:object=b?module-path=/l.so&pin-value=8642",
        "pkcs11:object=b?module-path=/l.so&pin-source=file:/p",
        "pkcs11:object=b;pin-value=8642?module-path=/l.so",
    ],
)
def test_uris_that_are_not_understood_or_carry_a_pin_are_refused(uri):
    with pytest.raises(ConfigError) as raised:
        parse_uri(uri)
    assert "8642" not in f"{raised.value}{raised.value.fix}"


def test_uris_are_read_as_rfc_7512_says():
    found = parse_uri("pkcs11:token=a%20b%3B;id=%01%ff;serial=07?module-path=/usr/lib/x%20y.so", "secret")
    assert (found.module, found.id, found.label) == ("/usr/lib/x y.so", b"\x01\xff", None)
    assert found.token == {"token": "a b;", "serial": "07"}
    assert "secret" not in repr(found)


def test_a_workspace_with_both_keys_in_a_token(token, authority, tmp_path, capsys, monkeypatch):
    """The PIN comes from the environment and a file; doctor and keys use both keys and show no PIN."""
    folder = tmp_path / "w"
    assert run(["init", str(folder), "--demo", "--size", "none"]) == 0
    origin = (folder / "trust/log.vkey").read_text().split("+")[0]
    (folder / "pin").write_text(softhsm.PIN + "\n")
    (folder / "keys/packet-certificate.pem").write_bytes(issued(token, authority, "ec"))
    monkeypatch.setenv("TOKEN_PIN", softhsm.PIN)
    assert run(["-w", str(folder), "keys", "rotate", "--to", token.uri("log")]) == 3  # the PIN is not configured yet
    settings = folder / "evidence.toml"
    text = settings.read_text()
    packet = f'key = "{token.uri("ec")}"\nkey_passphrase = "file:pin"'
    text = text.replace('key = "file:keys/packet.pem"', packet)
    settings.write_text(text.replace("[log]\n", '[log]\nkey_passphrase = "env:TOKEN_PIN"\n'))
    assert run(["-w", str(folder), "keys", "rotate", "--to", token.uri("log")]) == 0
    changed = settings.read_text().replace(
        'key = "file:keys/collector.key"', f'key = "{token.uri("log")}"\nname = "{origin}"'
    )
    settings.write_text(changed)
    capsys.readouterr()
    assert run(["-w", str(folder), "keys", "list", "--json"]) == 0
    shown = capsys.readouterr()
    rows = json.loads(shown.out)
    assert [row["state"] for row in rows] == ["retired", "current", "current"]
    assert rows[1]["key"] == TokenNoteKey(token.uri("log"), softhsm.PIN, origin).vkey
    assert "CN=Officer" in rows[2]["detail"]
    run(["-w", str(folder), "doctor"])
    shown = capsys.readouterr()
    assert softhsm.PIN not in shown.out + shown.err
    assert run(["verify", str(folder / "store"), "--trust", str(folder / "trust")]) == 0


def test_a_note_key_and_a_token_key_spell_the_same_verifier(token):
    made = TokenNoteKey(token.uri("log"), softhsm.PIN, "a.example/x")
    file_key = NoteKey("a.example/x", bytes(32))
    assert made.vkey.split("+")[0] == file_key.vkey.split("+")[0]
    assert len(made.vkey) == len(file_key.vkey)
