"""Approvals: a person's signature beside the packet is shown with who and when; tampered, foreign and dependent ones are told apart."""

import datetime as dt
import json
import shutil
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography import x509
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.packet_inputs import SIGNED_AT, blank_packet, build_inputs, packet_key
from fakes.sealed_store import KEY

from evidence.approve import Asked, Known, approve
from evidence.bag.approval import ROLES, Statement, folder_beside
from evidence.bag.files import open_bag
from evidence.bag.rights import rights_of
from evidence.cli.packet_states import packet_states
from evidence.errors import MalformedError, UsageError, VerificationError
from evidence.signing.certificate import certificate_pem, key_pem
from evidence.signing.timestamp import response_der
from evidence.signing.tsa import Authorities
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.store.index import Index
from evidence.store.log import Log
from evidence.verify import verify_packet
from tests.servers.tsa import Authority, serve
from tests.test_signing_revocation import Issuer

DAY = dt.timedelta(days=1)
AT = SIGNED_AT + DAY
NOW = AT + 10 * DAY


class People(Issuer):
    """An issuer of people's certificates, each name with a key of its own."""

    def person(self, name, until=None):
        from cryptography.hazmat.primitives.asymmetric import ec

        from evidence.signing.certificate import PacketKey

        key = ec.generate_private_key(ec.SECP256R1())
        return PacketKey(key, self.issue(name, key, until or AT + 400 * DAY))


@pytest.fixture(scope="module")
def people():
    return People()


@pytest.fixture(scope="module")
def entity():
    """The entity's seal: a certificate like a real one, since a demonstration seal lets nobody approve but as DEMO."""
    return Issuer()


@pytest.fixture(scope="module")
def made(tmp_path_factory, entity):
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=1)
    return blank_packet(inputs, entity.packet_key, tmp_path_factory.mktemp("out")), inputs


@pytest.fixture
def bag(made, tmp_path):
    return shutil.copytree(made[0].folder, tmp_path / made[0].packet_id)


@pytest.fixture
def check(made, entity, people):
    def run(path, **changes):
        words = {
            "certificates": [certificate_pem(entity.root)],
            "vkeys": [made[1].log_key.to_text()],
            "people": [certificate_pem(people.root)],
            "at": NOW,
            **changes,
        }
        return verify_packet(path, **words)

    return run


def signed(bag, entity, person, role, at=AT, known=None, stamp=None, **words):
    return approve(bag, person, Asked(role, **words), entity.packet_key.fingerprint, at=at, known=known, stamp=stamp)


def said(found):
    return [(one.ok, one.detail) for one in found.checks if one.step == "sign-off"]


def test_without_approvals_everybody_is_unsigned_and_nothing_fails(bag, check):
    found = check(bag)
    assert found.ok
    assert said(found) == [(None, "draft; unsigned by: preparer, reviewer, approver, issuer")]


def test_a_life(bag, check, entity, people, tmp_path):
    reviewer, approver, issuer = (people.person(name) for name in ("Ada Roe", "Bo Poe", "Cy Doe"))
    with pytest.raises(UsageError, match="nobody signed as reviewer"):
        signed(bag, entity, approver, "approver")
    signed(bag, entity, reviewer, "reviewer", comment="looked at every exception")
    assert said(check(bag))[-1] == (None, "reviewed; unsigned by: preparer, approver, issuer")
    signed(bag, entity, approver, "approver")
    with pytest.raises(UsageError, match="says why"):
        signed(bag, entity, issuer, "issuer", supersedes="PKT-OLD")
    signed(bag, entity, issuer, "issuer", supersedes="PKT-OLD", comment="a late revision of two nights")
    with pytest.raises(UsageError, match="already"):
        signed(bag, entity, issuer, "issuer")
    found = check(bag)
    assert found.ok
    words = [detail for ok, detail in said(found) if ok]
    assert any(
        'reviewer: signed by CN=Ada Roe, who claims 2026-10-07 09:30Z: "looked at every exception"' in w for w in words
    )
    assert any("issued in the place of PKT-OLD" in w for w in words)
    assert said(found)[-1] == (None, "issued; unsigned by: preparer")
    zipped = tmp_path / f"{bag.name}.zip"
    assert folder_beside(zipped) == folder_beside(bag)


def test_openssl_checks_it_and_the_statement_names_what_was_approved(bag, entity, people, tmp_path):
    made = signed(bag, entity, people.person("Ada Roe"), "reviewer")
    (tmp_path / "people.pem").write_bytes(certificate_pem(people.root))
    name = made.statement.file
    command = f"openssl cms -verify -binary -cades -inform DER -in {name}.p7s -content {name} -CAfile {tmp_path}/people.pem -purpose any -out /dev/null"
    done = subprocess.run(command.split(), cwd=made.folder, capture_output=True, text=True, check=False)
    assert "CAdES Verification successful" in done.stderr
    digest = subprocess.run(
        ["sha256sum", "tagmanifest-sha256.txt"], cwd=bag, capture_output=True, text=True, check=True
    )
    assert json.loads((made.folder / name).read_text())["tagmanifest_sha256"] == digest.stdout.split()[0]


@pytest.mark.parametrize("which", ["", ".p7s"])
def test_every_flipped_byte_is_found(bag, check, entity, people, which):
    """Some bytes each run through all places: a changed statement, and a changed signature, is never a valid approval."""
    made = signed(bag, entity, people.person("Ada Roe"), "reviewer")
    path = made.folder / (made.statement.file + which)
    body = path.read_bytes()
    from evidence.bag.approval import read_approvals
    from evidence.bag.signoff import Seal, check_signoff
    from evidence.signing.person import PersonTrust, judge_person

    trust = PersonTrust([people.root], [], [], NOW)
    with open_bag(bag) as files:
        for place in range(0, len(body), 3):
            path.write_bytes(body[:place] + bytes([body[place] ^ 4]) + body[place + 1 :])
            checks = list(
                check_signoff(files, read_approvals(made.folder), lambda *parts: judge_person(*parts, trust), Seal())
            )
            assert any(one.ok is False for one in checks), place
            assert not any(one.ok for one in checks), place
    assert check(bag).exit_code == 10


def test_an_approval_of_another_packet_is_refused(bag, check, entity, people):
    made = signed(bag, entity, people.person("Ada Roe"), "reviewer")
    tag = bag / "tagmanifest-sha256.txt"
    other = Statement.from_bytes(made.body)
    assert other.tagmanifest_sha256 == canonical.sha256_hex(tag.read_bytes())
    from dataclasses import replace

    from evidence.signing.cades import sign_detached

    eve = people.person("Eve")
    for changes in (
        {"packet": "PKT-OTHER"},
        {"tagmanifest_sha256": "0" * 64},
        {"name": "Ada Roe"},
        {"certificate_sha256": other.certificate_sha256},
    ):
        statement = replace(other, **{"name": "Eve", "certificate_sha256": eve.fingerprint, **changes})
        shutil.rmtree(made.folder)
        made.folder.mkdir()
        (made.folder / statement.file).write_bytes(statement.to_bytes())
        (made.folder / f"{statement.file}.p7s").write_bytes(sign_detached(statement.to_bytes(), eve, AT))
        found = check(bag)
        assert [one.step for one in found.failed] == ["sign-off"], changes
        assert not any(ok for ok, _ in said(found))


def test_a_stray_a_missing_signature_and_a_link_are_faults(bag, check, entity, people):
    made = signed(bag, entity, people.person("Ada Roe"), "reviewer")
    (made.folder / "note.txt").write_text("approved!")
    assert {one.subject for one in check(bag).failed} == {"note.txt"}
    (made.folder / "note.txt").unlink()
    (made.folder / f"{made.statement.file}.p7s").unlink()
    assert "is not signed" in check(bag).failed[0].detail
    (made.folder / f"{made.statement.file}.p7s").symlink_to("/dev/zero")
    assert not check(bag).ok


def test_who_is_not_independent_is_said(bag, check, entity, people):
    one = people.person("Ada Roe")
    owners = {"Ada Roe": ["identity-mfa-humans", "no-such-control"], "Bo Poe": ["identity-dormant"]}
    known = Known("Ada Roe, Compliance", owners)
    signed(bag, entity, one, "reviewer", known=known, logins=["ADA"])
    signed(bag, entity, one, "approver")
    signed(bag, entity, people.person("ADA"), "issuer")
    words = " | ".join(detail for ok, detail in said(check(bag)) if ok is None)
    assert "reviewer and approver signed with one certificate (Ada Roe)" in words
    assert "reviewer and issuer are one person" in words
    assert "reviewer Ada Roe: prepared this packet" in words
    assert "reviewer Ada Roe: owns 1 controls in it: identity-mfa-humans" in words
    assert "administrators not compared" in words
    assert check(bag).ok


def test_the_seal_is_no_person(bag, check, entity, people):
    with pytest.raises(UsageError, match="a seal is the entity's"):
        signed(bag, entity, entity.packet_key, "reviewer")
    approve(bag, entity.packet_key, Asked("reviewer"), "", at=AT)
    assert "no person's approval" in check(bag).failed[0].detail


def test_a_name_that_nobody_vouches_for_is_unsigned(bag, check, entity, people):
    stranger = People()
    signed(bag, entity, stranger.person("Ada Roe"), "reviewer")
    found = check(bag)
    assert found.ok
    assert said(found)[0][0] is None
    assert "so it counts as unsigned" in said(found)[0][1]


def test_expired_and_revoked(bag, check, entity, people):
    """Without a stamp the reader's clock judges; with one the stamped moment, and a later revocation is only said."""
    short = people.person("Ada Roe", until=AT + 2 * DAY)
    signed(bag, entity, short, "reviewer")
    assert "is not valid at" in check(bag).failed[0].detail
    shutil.rmtree(folder_beside(bag))
    authority = Authority(lambda: AT, years=20)
    with serve(authority.respond) as url:
        stamp = Authorities([url], [authority.root], lambda: AT).stamp
        signed(bag, entity, short, "reviewer", stamp=stamp)
    found = check(bag, authorities=[authority.root_pem])
    assert found.ok
    assert "signed by CN=Ada Roe, at 2026-10-07 09:30Z, stamped" in said(found)[0][1]
    gone = people.list_of((short.certificate, AT - DAY, x509.ReasonFlags.key_compromise), at=AT)
    found = check(bag, authorities=[authority.root_pem], lists=[gone.public_bytes(encoding())])
    assert "was revoked on" in found.failed[0].detail
    tsr = (
        folder_beside(bag)
        / f"{Statement.from_bytes(next(folder_beside(bag).glob('*.json')).read_bytes()).file}.p7s.tsr"
    )
    with serve(authority.respond) as url:
        tsr.write_bytes(response_der(Authorities([url], [authority.root], lambda: AT).stamp(b"other")))
    assert not check(bag, authorities=[authority.root_pem]).ok


def encoding():
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def test_demonstration_keys_approve_as_demo_only(bag, check, entity, people):
    person, root = packet_key()
    made = approve(bag, person, Asked("reviewer"), entity.packet_key.fingerprint, at=AT)
    assert made.statement.demo
    found = check(bag, people=[certificate_pem(root)])
    assert said(found)[0][1].startswith("DEMO reviewer: signed by ")
    from dataclasses import replace

    from evidence.signing.cades import sign_detached

    honest = replace(made.statement, demo=False)
    (made.folder / honest.file).write_bytes(honest.to_bytes())
    (made.folder / f"{honest.file}.p7s").write_bytes(sign_detached(honest.to_bytes(), person, AT))
    assert "DEMO only" in check(bag, people=[certificate_pem(root)]).failed[0].detail


def test_a_statement_has_one_spelling(people):
    statement = Statement("PKT", "0" * 64, "reviewer", "Ada", "1" * 64, AT)
    assert Statement.from_bytes(statement.to_bytes()) == statement
    value = json.loads(statement.to_bytes())
    assert value["statement"] == ROLES["reviewer"]
    for changes in (
        {"statement": "I approve of all"},
        {"more": 1},
        {"role": "king"},
        {"demo": 0},
        {"logins": "ab"},
        {"name": 7},
    ):
        with pytest.raises(MalformedError):
            Statement.from_bytes(canonical.encode({**value, **changes}))


def test_the_command_without_a_workspace(made, bag, entity, people, tmp_path, check):
    """A reviewer elsewhere: own key file, trust folder, no workspace. The passphrase comes by reference."""
    from cryptography.hazmat.primitives import serialization as s

    reviewer = people.person("Ada Roe")
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "root.pem").write_bytes(certificate_pem(entity.root))
    (trust / "people-firm.pem").write_bytes(certificate_pem(people.root))
    (trust / "log.vkey").write_text(made[1].log_key.to_text())
    locked = reviewer.private_key.private_bytes(
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"hush")
    )
    (tmp_path / "me.pem").write_bytes(locked)
    (tmp_path / "me.crt").write_bytes(certificate_pem(reviewer.certificate))
    assert key_pem(reviewer)
    words = ["approve", bag.name, "--role", "reviewer", "--key", "file:me.pem", "--key-passphrase", "env:HUSH"]
    words += ["--certificate", "me.crt", "--trust", "trust", "--json"]
    code = "import sys; from evidence.cli import main; main(sys.argv[1:])"
    import os

    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={**os.environ, "HUSH": "hush"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 10}, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["name"], answer["recorded"]) == ("Ada Roe", False)
    assert said(check(bag))[0][0] is True
    (bag / "data/findings.csv").write_bytes(b"forged")
    again = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={**os.environ, "HUSH": "hush"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == VerificationError.exit_code
    assert "does not verify" in again.stderr


def test_how_far_packets_came_is_read_in_the_log():
    """A later packet that is issued in the place of an earlier one supersedes it, with the reason; a lost folder loses nothing."""
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])

    def approval(packet, role, **more):
        body = {"packet": packet, "role": role, "name": "Ada", "supersedes": "", "comment": "", "demo": False, **more}
        return Entry("approval", f"{packet}/{role}-0", ObjectRef(f"approvals/{packet}", "0" * 64, 1), body)

    packets = [Entry("packet", name, None, {"report": "quarterly-hipaa", "log_size": 1}) for name in ("P1", "P2", "P3")]
    signed = [approval("P1", role) for role in ("reviewer", "approver", "issuer")]
    late = approval("P2", "issuer", supersedes="P1", comment="two nights were revised", demo=True)
    log.append(lambda _: [*packets, *signed, late])
    rows = {row["packet"]: row for row in packet_states(Index().catch_up(log))}
    assert (rows["P1"]["state"], rows["P1"]["reason"]) == ("superseded by P2", "two nights were revised")
    assert (rows["P2"]["state"], rows["P2"]["by"]) == ("issued", "DEMO issuer Ada")
    assert (rows["P3"]["state"], rows["P3"]["by"]) == ("draft", "nobody: unsigned")


def test_rights_are_read_in_the_sealed_rows(tmp_path):
    """Administrator roles of the last night and revision, and GRANT statements of every night; nothing compared says so."""
    bag = tmp_path / "bag"
    grants = bag / "data/evidence/carrier/snowflake.grants_to_users"
    for place, role in (
        ("2026-07-01/r0", "SYSADMIN"),
        ("2026-07-02/r0", "ACCOUNTADMIN"),
        ("2026-07-02/r1", "ORGADMIN"),
    ):
        rows = {
            "grantee_name": ["ADA", "BO", "ADA"],
            "role": [role, "ORGADMIN", "PUBLIC"],
            "deleted_on": [None, None, None],
        }
        (grants / place).mkdir(parents=True)
        pq.write_table(pa.table(rows), grants / place / "part-0000.parquet")
    for night in ("2026-07-01", "2026-07-02"):
        folder = bag / f"data/evidence/carrier/snowflake.query_history/{night}/r0"
        folder.mkdir(parents=True)
        rows = {"user_name": ["ada", "ADA", None], "query_type": ["GRANT", "SELECT", "GRANT"]}
        pq.write_table(pa.table(rows), folder / "part-0000.parquet")
    with open_bag(bag) as files:
        assert "administrators not compared" in next(rights_of(files, {"ada"}))
    control = bag / "data/controls/access-admin-count/control.toml"
    control.parent.mkdir(parents=True)
    control.write_text('[parameters.admin_roles]\ndefault = ["ACCOUNTADMIN", "ORGADMIN"]\n')
    with open_bag(bag) as files:
        assert list(rights_of(files, {"ada"})) == [
            "holds ORGADMIN, as sealed",
            "ran 2 GRANT statements in the period, as sealed",
        ]
        assert list(rights_of(files, {"cy"})) == []
