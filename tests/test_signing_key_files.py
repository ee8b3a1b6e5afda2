"""Every kind of key file a workspace may name: what the configuration says is what signs."""

import json
import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from evidence.cli.app import run
from evidence.signing.certificate import load_packet_key
from evidence.signing.keys import load_note_key

SECRET = "a passphrase with a space"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "w"
    assert run(["init", str(folder), "--demo", "--size", "none"]) == 0
    return folder


def listed(folder, capsys):
    capsys.readouterr()
    code = run(["-w", str(folder), "keys", "list", "--json"])
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    return code, json.loads(shown.out) if code == 0 else shown.err


def configure(folder, section, **words):
    path = folder / "evidence.toml"
    lines = "".join(f'{name} = "{value}"\n' for name, value in words.items())
    head, _, tail = path.read_text().partition(f"[{section}]\n")
    for name in words:
        tail = re.sub(rf'(?m)^{name} = "[^"\n]*".*\n', "", tail, count=1)
    path.write_text(f"{head}[{section}]\n{lines}{tail}")


def packet_key(folder):
    return load_packet_key(
        (folder / "keys/packet.pem").read_bytes(), (folder / "keys/packet-certificate.pem").read_bytes()
    )


@pytest.mark.parametrize("kind", ["pkcs12", "encrypted"])
@pytest.mark.parametrize("good", [True, False])
def test_packet_keys_in_encrypted_files(workspace, capsys, monkeypatch, kind, good):
    key = packet_key(workspace)
    lock = BestAvailableEncryption(SECRET.encode())
    if kind == "pkcs12":
        body = pkcs12.serialize_key_and_certificates(b"officer", key.private_key, key.certificate, None, lock)
    else:
        body = key.private_key.private_bytes(PEM, PKCS8, lock)
    (workspace / "keys/locked").write_bytes(body)
    monkeypatch.setenv("PACKET_PASSPHRASE", SECRET if good else SECRET + "x")
    configure(workspace, "packet", key="file:keys/locked", key_passphrase="env:PACKET_PASSPHRASE")
    code, rows = listed(workspace, capsys)
    assert code == 0, rows
    assert rows[-1]["state"] == ("current" if good else "unusable")
    assert good == (key.fingerprint in rows[-1]["key"])


def test_a_log_key_as_pem_takes_its_name_from_the_configuration(workspace, capsys):
    key = load_note_key("k", lambda _: (workspace / "keys/collector.key").read_bytes())
    private = ed25519.Ed25519PrivateKey.from_private_bytes(key.seed)
    (workspace / "keys/log.pem").write_bytes(private.private_bytes(PEM, PKCS8, serialization.NoEncryption()))
    configure(workspace, "log", key="file:keys/log.pem")
    assert listed(workspace, capsys)[0] == 3
    configure(workspace, "log", key="file:keys/log.pem", name=key.name)
    code, rows = listed(workspace, capsys)
    assert code == 0, rows
    assert rows[0]["key"] == key.vkey
