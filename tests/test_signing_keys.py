"""Collector keys: references, spellings, and that no message or repr shows a secret."""

import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from evidence.errors import ConfigError
from evidence.signing.keys import HmacKey, NoteKey, load_hmac_key, load_note_key, write_secret
from evidence.tlog.note import Verifier

KEY = NoteKey("acme.example/log", bytes(range(32)))


def pem(private):
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_log_key_survives_its_file(tmp_path):
    key, path = NoteKey.generate("acme.example/log"), tmp_path / "keys" / "collector.key"
    write_secret(path, key.to_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_note_key("file:collector.key", lambda ref: path.read_bytes()) == key
    with pytest.raises(ConfigError, match="exists"):
        write_secret(path, NoteKey.generate("acme.example/log").to_text())
    assert load_note_key("file:collector.key", lambda ref: path.read_bytes(), name=key.name) == key


def test_it_signs_for_its_verifier():
    assert Verifier(KEY.name, KEY.public_key).verify(b"message", KEY.sign(b"message"))
    assert NoteKey.generate("a").seed != NoteKey.generate("a").seed


def test_pem_is_read_with_the_name_given_beside_it():
    body = pem(ed25519.Ed25519PrivateKey.from_private_bytes(KEY.seed))
    assert load_note_key("env:K", lambda ref: body, name=KEY.name) == KEY
    with pytest.raises(ConfigError, match="carries no name"):
        load_note_key("env:K", lambda ref: body)
    for wrong in (pem(ec.generate_private_key(ec.SECP256R1())), body[:60]):
        with pytest.raises(ConfigError, match="not an unencrypted Ed25519"):
            load_note_key("env:K", lambda ref, wrong=wrong: wrong, name=KEY.name)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "\n\n",
        lambda text: text.removeprefix("PRIVATE+KEY+"),
        lambda text: text.replace(KEY.key_id.hex(), "00000000"),
        lambda text: text.replace("acme", "acne"),
        lambda text: text.replace("+AQ", "+AR"),
    ],
)
def test_a_key_spelled_otherwise_is_refused_without_showing_it(change):
    text = change(KEY.to_text())
    with pytest.raises(ConfigError, match="env:K is not a log key") as caught:
        load_note_key("env:K", lambda ref: text.encode())
    assert text[-30:] not in str(caught.value) or not text


def test_a_key_of_another_store_is_refused():
    with pytest.raises(ConfigError, match=r"is the key of acme\.example/log, not of other"):
        load_note_key("env:K", lambda ref: KEY.to_text().encode(), name="other")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u00a0b"])
def test_a_name_that_cannot_stand_in_a_note_is_refused(name):
    with pytest.raises(ConfigError, match="malformed key name"):
        NoteKey.generate(name)


def test_the_hmac_key_has_32_bytes_and_a_short_id():
    key = HmacKey(bytes(range(32)))
    assert load_hmac_key("env:K", lambda ref: key.to_text().encode() + b"\n") == key
    assert len(key.key_id) == 8
    assert key.key_id != HmacKey.generate().key_id
    assert key.key_id not in key.to_text()
    for wrong in ("", "00" * 31, "00" * 33, "zz" * 32, key.to_text().upper(), " " + key.to_text()):
        with pytest.raises(ConfigError, match="env:K"):
            load_hmac_key("env:K", lambda ref, wrong=wrong: wrong.encode())


def test_secrets_do_not_show():
    assert "seed" not in repr(KEY)
    assert repr(HmacKey.generate()) == "HmacKey()"
