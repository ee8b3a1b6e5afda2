"""RFC 3161: what an authority answers is believed only when it is a fresh, granted stamp of what was asked."""

import datetime as dt
import hashlib
import subprocess
import time

import pytest
from asn1crypto import tsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence.errors import ConfigError, MalformedError, TimestampError, VerificationError
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import PacketKey, certificate_pem, make_demo_authority
from evidence.signing.cms import verify_detached
from evidence.signing.timestamp import (
    accept_response,
    attach_token,
    attached_token,
    check_claim,
    make_request,
    response_der,
    stamped_part,
    token_of,
    verify_response,
    verify_token,
)
from evidence.signing.tsa import Authorities
from tests.servers.tsa import FROM, Authority, serve

NOW = dt.datetime(2026, 10, 6, 9, 30, tzinfo=dt.UTC)
CONTENT = b"tag manifest\n"
REFUSED = (MalformedError, VerificationError)


def clock():
    return NOW


@pytest.fixture(scope="module")
def authority():
    return Authority(clock)


@pytest.fixture(scope="module")
def token(authority):
    request = make_request(CONTENT)
    return accept_response(authority.respond(request.der), request, [authority.root], NOW)


def digest(content=CONTENT):
    return hashlib.sha256(content).digest()


def test_ours_and_openssl_agree_on_a_response(authority, token, tmp_path):
    found = verify_response(response_der(token), CONTENT, [authority.root], NOW)
    assert (found.at, found.current) == (NOW, True)
    assert found.subject == "CN=Test time-stamp unit"
    (tmp_path / "f").write_bytes(CONTENT)
    (tmp_path / "f.tsr").write_bytes(response_der(token))
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    command = "openssl ts -verify -data f -in f.tsr -CAfile root.pem"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr
    (tmp_path / "f").write_bytes(CONTENT + b" ")
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode


def test_responses_of_openssl_are_accepted(tmp_path):
    """The second maker of tokens: openssl itself, with the certificates of the test authority."""
    made = Authority(lambda: dt.datetime.now(dt.UTC))
    from cryptography.hazmat.primitives import serialization

    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(made.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (tmp_path / "tsa.pem").write_bytes(certificate_pem(made.certificate))
    (tmp_path / "root.pem").write_bytes(made.root_pem)
    (tmp_path / "ts.cnf").write_text(
        "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=key.pem\ncerts=root.pem\n"
        "signer_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\nordering=yes\ness_cert_id_alg=sha256\n"
    )
    request = make_request(CONTENT)
    (tmp_path / "q").write_bytes(request.der)
    command = "openssl ts -reply -config ts.cnf -queryfile q -out r"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    now = dt.datetime.now(dt.UTC)
    accepted = accept_response((tmp_path / "r").read_bytes(), request, [made.root], now)
    assert abs(verify_token(accepted, request.digest, [made.root], now).at - now) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"status": "rejection"}, "rejection"),
        ({"status": "granted_with_mods"}, "granted_with_mods"),
        ({"nonce": 7}, "nonce"),
        ({"imprint": b"x" * 32}, "other bytes"),
        ({"usages": (ExtendedKeyUsageOID.CODE_SIGNING,)}, "time-stamping only"),
        ({"usages": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)}, "time-stamping only"),
        ({"critical": False}, "time-stamping only"),
        ({"clock": lambda: NOW + dt.timedelta(hours=1)}, "still to come"),
        ({"clock": lambda: NOW - dt.timedelta(days=3)}, "long past"),
        ({"clock": lambda: FROM - dt.timedelta(days=3)}, "not valid at"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_answers_are_refused(wrong, word):
    made = Authority(**{"clock": clock, **wrong})
    request = make_request(CONTENT)
    with pytest.raises(REFUSED, match=word):
        accept_response(made.respond(request.der), request, [made.root], NOW)


def test_a_foreign_authority_and_other_trust_are_refused(authority, token):
    _, packet_root = make_demo_authority("Acme", FROM)
    for trust in ([Authority(clock).root], [packet_root], []):
        with pytest.raises(VerificationError, match="chain"):
            verify_token(token, digest(), trust, NOW)


def test_an_authority_expired_since_is_said_and_its_stamp_stands(authority, token):
    later = verify_token(token, digest(), [authority.root], FROM + dt.timedelta(days=4000))
    assert (later.at, later.current) == (NOW, False)


def test_tokens_that_name_their_certificate_by_sha1_are_read():
    made = Authority(clock, first_version=True)
    request = make_request(CONTENT)
    assert accept_response(made.respond(request.der), request, [made.root], NOW)


def test_every_flipped_byte_is_noticed(authority, token):
    body = response_der(token)
    for place in range(len(body)):
        changed = body[:place] + bytes([body[place] ^ 1 << place % 8]) + body[place + 1 :]
        with pytest.raises(REFUSED):
            verify_response(changed, CONTENT, [authority.root], NOW)


def test_garbage_is_refused(authority, token):
    request = make_request(CONTENT)
    for body in (b"", b"\x30", b"\x30\x80", b"x" * 70_000, token, response_der(token)[:-1], response_der(b"\x05\x00")):
        with pytest.raises(REFUSED):
            accept_response(body, request, [authority.root], NOW)
        with pytest.raises(REFUSED):
            token_of(body)


def test_signatures_carry_one_stamp(authority, tmp_path):
    key, root = make_demo_authority("Acme", FROM)
    plain = sign_detached(CONTENT, key, NOW)
    assert attached_token(plain) is None
    with serve(authority.respond) as url:
        made = attach_token(plain, Authorities([url], [authority.root], clock).stamp(stamped_part(plain)))
    assert verify_detached(made, CONTENT, [root], NOW).certificate_sha256 == key.fingerprint
    stamp = verify_token(attached_token(made), digest(stamped_part(made)), [authority.root], NOW)
    check_claim(made, stamp.at)
    early, late = (sign_detached(CONTENT, key, NOW + dt.timedelta(days=days)) for days in (-2, 2))
    for other in (early, late):
        with pytest.raises(VerificationError, match="back-dated"):
            check_claim(other, stamp.at)
    (tmp_path / "s").write_bytes(made)
    (tmp_path / "c").write_bytes(CONTENT)
    (tmp_path / "root.pem").write_bytes(certificate_pem(root))
    command = "openssl cms -verify -binary -cades -inform DER -in s -content c -CAfile root.pem -purpose any -out out"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "CAdES Verification successful" in done.stderr


def test_an_authority_does_not_sign_packets(authority):
    made = sign_detached(CONTENT, PacketKey(authority.key, authority.certificate), NOW)
    with pytest.raises(VerificationError, match="signs no packets"):
        verify_detached(made, CONTENT, [authority.root], NOW)


def test_authorities_are_asked_in_order_until_one_gives_a_stamp(authority):
    refusing = Authority(clock, status="rejection")
    with serve(refusing.respond) as first, serve(authority.respond) as second, serve(b"".join) as third:
        asked = Authorities([first, second, third], [authority.root], clock)
        assert verify_token(asked.stamp(CONTENT), digest(), [authority.root], NOW).at == NOW
    assert len(refusing.asked) == 1
    assert list(asked.passed_over) == [first]
    assert "rejection" in asked.passed_over[first]


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        ("500", "HTTP 500"),
        ("html", "text/html"),
        ("endless", "more than"),
        ("drip", "in time"),
        ("redirect", "HTTP 307"),
        ("silent", "did not answer"),
    ],
)
def test_bad_servers_cost_bounded_time_and_are_named(authority, mode, word):
    started = time.monotonic()
    with serve(authority.respond, mode=mode) as url, pytest.raises(TimestampError, match=word) as caught:
        Authorities([f"{url}?token=secret"], [authority.root], clock, seconds=1).stamp(CONTENT)
    assert time.monotonic() - started < 5
    assert url in str(caught.value)
    assert "secret" not in str(caught.value)


def test_nobody_there(authority):
    with pytest.raises(TimestampError, match="did not answer"):
        Authorities(["http://127.0.0.1:9/"], [authority.root], clock, seconds=1).stamp(CONTENT)
    with pytest.raises(TimestampError, match="no authority is configured"):
        Authorities([], [], clock).stamp(CONTENT)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://a/b", "https://user:pw@a/b", "tsa.example", ""])
def test_other_addresses_are_refused(authority, url):
    with pytest.raises(ConfigError) as caught:
        Authorities([url], [authority.root], clock)
    assert "pw" not in str(caught.value).split("fix")[0]


def test_answers_that_nobody_could_check_are_not_asked_for():
    with pytest.raises(ConfigError, match="without a certificate"):
        Authorities(["https://tsa.example/"], [], clock)


def test_requests_say_what_is_wanted():
    parsed = tsp.TimeStampReq.load(make_request(CONTENT).der, strict=True)
    assert parsed["cert_req"].native is True
    assert parsed["message_imprint"]["hashed_message"].native == digest()
    assert make_request(CONTENT).nonce != make_request(CONTENT).nonce
