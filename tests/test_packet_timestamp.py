"""Packets with time-stamps: the seal is judged at the stamped time, and whatever is wrong with a stamp is found."""

import datetime as dt
import json
import shutil
import subprocess

import pytest
from asn1crypto import cms

from evidence.bag.bag import SIGNATURE, TAGMANIFEST, TIMESTAMP
from evidence.errors import TimestampError
from evidence.packet import build_packet
from evidence.render.pdf import Rendered
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem
from evidence.signing.timestamp import attach_token, response_der, stamped_part
from evidence.signing.trust import load_trust
from evidence.signing.tsa import Authorities
from evidence.verify import verify_packet
from tests.fakes.packet_inputs import AT, SHORT, SIGNED_AT, TEMPLATES, build_inputs, laid_out, packet_key
from tests.servers.tsa import Authority, serve

AFTER_EXPIRY = dt.datetime(2037, 6, 1, tzinfo=dt.UTC)  # the packet key's certificate ends 2035-12


def clock():
    return SIGNED_AT


@pytest.fixture(scope="module")
def key():
    return packet_key()


@pytest.fixture(scope="module")
def authority():
    return Authority(clock, years=20)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return build_inputs(tmp_path_factory.mktemp("parts"), count=1, sections=SHORT)


@pytest.fixture(scope="module")
def packet(inputs, key, authority, tmp_path_factory):
    with serve(authority.respond) as url:
        stamp = Authorities([url], [authority.root], clock).stamp
        out = tmp_path_factory.mktemp("out")
        return build_packet(inputs, key[0], out, TEMPLATES, signed_at=SIGNED_AT, stamp=stamp)


@pytest.fixture
def bag(packet, tmp_path):
    return shutil.copytree(packet.folder, tmp_path / packet.packet_id)


@pytest.fixture
def check(inputs, key, authority):
    def run(path, **changes):
        trust = {
            "certificates": [certificate_pem(key[1])],
            "vkeys": [inputs.log_key.to_text()],
            "authorities": [authority.root_pem],
            "at": AT,
            **changes,
        }
        return verify_packet(path, **trust)

    return run


def named(found):
    return " ".join(f"{c.step} {c.subject} {c.detail}" for c in found.failed)


def times(found):
    return [c.ok for c in found.checks if c.step == "time"]


def test_the_pages_say_where_the_time_is_proved(packet):
    page = (packet.folder / "data" / "packet.html").read_text()
    assert "tagmanifest-sha256.txt.tsr" in page.partition("Certificate SHA-256")[2]
    assert "no time-stamp token is carried" not in page
    assert "Time is not proven" not in page


def token_of(authority, content):
    with serve(authority.respond) as url:
        return Authorities([url], [authority.root], authority.clock).stamp(content)


def test_the_time_of_a_stamped_packet_is_proved(packet, check):
    for path in (packet.folder, packet.zip):
        found = check(path)
        assert found.ok, found.failed
        assert times(found) == [True, True, True]
        assert f"existed at {SIGNED_AT:%Y-%m-%d %H:%M:%S}Z by CN=Test time-stamp unit" in str(found.checks)


def test_expiry_is_judged_at_the_stamped_time(packet, check):
    assert check(packet.folder, at=AFTER_EXPIRY).ok
    unstamped = check(packet.folder, at=AFTER_EXPIRY, authorities=[])
    assert {"seal", "pdf"} <= {c.step for c in unstamped.failed}
    gone = check(packet.folder, at=dt.datetime(2050, 1, 1, tzinfo=dt.UTC))
    assert (gone.ok, times(gone)) == (True, [True, None] * 3)


def test_without_an_authority_to_trust_the_time_is_a_claim(packet, check):
    found = check(packet.folder, authorities=[])
    assert found.ok
    assert times(found) == [None, None, None]
    assert "no certificate of a time-stamp authority was given" in str(found.checks)


@pytest.mark.parametrize("also", [False, True])
def test_a_stamp_that_was_taken_away_is_missed(packet, bag, check, also):
    """The outer stamp, and with it the one inside the signature: what is sealed says that there was one."""
    (bag / TIMESTAMP).unlink()
    if also:
        signature = (bag / SIGNATURE).read_bytes()
        content = cms.ContentInfo.load(signature)
        content["content"]["signer_infos"][0]["unsigned_attrs"] = None
        (bag / SIGNATURE).write_bytes(content.dump(force=True))
    found = check(bag)
    assert ("digests", TIMESTAMP) in {(c.step, c.subject) for c in found.failed}
    assert "was taken away" in named(found)


def test_roles_are_kept_apart(packet, check, key, authority):
    """The packet's root vouches for no time, an authority's root for no packet."""
    assert times(check(packet.folder, authorities=[certificate_pem(key[1])])) == [False, False, False]
    found = check(packet.folder, certificates=[authority.root_pem])
    assert {"seal", "pdf"} <= {c.step for c in found.failed}


def test_openssl_verifies_the_file_beside_the_seal(packet, authority, key, tmp_path):
    (tmp_path / "tsa.pem").write_bytes(authority.root_pem)
    (tmp_path / "root.pem").write_bytes(certificate_pem(key[1]))
    command = ["sh", "data/verify.sh", str(tmp_path / "root.pem"), str(tmp_path / "tsa.pem")]
    done = subprocess.run(command, cwd=packet.folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Verification: OK" in said
    assert "PACKET OK" in said


def test_a_stamp_of_other_bytes_is_found(bag, check, authority):
    (bag / TIMESTAMP).write_bytes(response_der(token_of(authority, b"other")))
    assert "time" in {c.step for c in check(bag).failed}
    assert "of other bytes" in named(check(bag))


def test_a_stamp_of_a_foreign_authority_is_found(bag, check):
    foreign = Authority(clock, name="Foreign", years=20)
    (bag / TIMESTAMP).write_bytes(response_der(token_of(foreign, (bag / SIGNATURE).read_bytes())))
    assert "does not chain" in named(check(bag))


def test_garbage_and_appended_bytes_are_found(bag, check):
    body = (bag / TIMESTAMP).read_bytes()
    for wrong in (b"", b"x", body + b"\0", body[:-1], b"\x30" * 70_000):
        (bag / TIMESTAMP).write_bytes(wrong)
        assert "time" in {c.step for c in check(bag).failed}


@pytest.mark.parametrize("days", [-30, 20])
def test_a_back_dated_claim_or_stamp_is_found(bag, check, authority, key, days):
    """A seal made at one time and stamped, with the signer's claim, at another."""
    moved = SIGNED_AT + dt.timedelta(days=days)
    seal = sign_detached((bag / TAGMANIFEST).read_bytes(), key[0], moved)
    seal = attach_token(seal, token_of(authority, stamped_part(seal)))
    (bag / SIGNATURE).write_bytes(seal)
    (bag / TIMESTAMP).write_bytes(response_der(token_of(authority, seal)))
    assert "back-dated" in named(check(bag))


def test_a_stamp_outside_the_life_of_the_packet_key_is_found(bag, check, authority, key):
    """A thief of an expired key can sign and claim what they like: the stamp says when."""
    late = Authority(lambda: AFTER_EXPIRY, years=20)
    seal = sign_detached((bag / TAGMANIFEST).read_bytes(), key[0], AFTER_EXPIRY)
    seal = attach_token(seal, token_of(late, stamped_part(seal)))
    (bag / SIGNATURE).write_bytes(seal)
    (bag / TIMESTAMP).write_bytes(response_der(token_of(late, seal)))
    found = check(bag, authorities=[late.root_pem], at=AFTER_EXPIRY)
    assert "not valid at 2037" in named(found)


def test_a_seal_stripped_of_its_stamp_is_found(bag, check, key):
    (bag / SIGNATURE).write_bytes(sign_detached((bag / TAGMANIFEST).read_bytes(), key[0], SIGNED_AT))
    assert "of other bytes" in named(check(bag))


def test_a_packet_without_its_stamp_is_refused_unless_partial(packet, inputs, key, authority, tmp_path, monkeypatch):
    facts = json.loads((packet.folder / "data/render.json").read_bytes())
    body = (packet.folder / "data/packet.pdf").read_bytes()[: facts["unsigned_pdf"]["length"]]
    rendered = Rendered(body=body, pages=facts["pages"], engines=facts["engines"])  # rendering again takes long
    monkeypatch.setattr("evidence.packet.pdf.Rendering", laid_out(rendered))
    stamp = Authorities(["http://127.0.0.1:9/"], [authority.root], clock, seconds=1).stamp
    with pytest.raises(TimestampError, match="did not answer"):
        build_packet(inputs, key[0], tmp_path, TEMPLATES, signed_at=SIGNED_AT, stamp=stamp)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    made = build_packet(inputs, key[0], tmp_path, TEMPLATES, signed_at=SIGNED_AT, stamp=stamp, partial=True)
    assert any("time not proven" in omission for omission in made.omissions)
    assert not (made.folder / TIMESTAMP).exists()
    assert TIMESTAMP not in (made.folder / "bag-info.txt").read_text()


def test_the_trust_folder_says_each_files_role(tmp_path, authority, key):
    (tmp_path / "packet-root.pem").write_bytes(certificate_pem(key[1]))
    (tmp_path / "tsa-test.pem").write_bytes(authority.root_pem)
    (tmp_path / "log.vkey").write_text("a+b+c\n")
    given = load_trust([tmp_path])
    assert given.roles == {
        "logs": ["log.vkey"],
        "seals of packets": ["packet-root.pem"],
        "time-stamps": ["tsa-test.pem"],
    }
    assert given.authorities == (authority.root_pem,)
