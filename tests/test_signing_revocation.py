"""Revocation and expiry are judged at the stamped time, by lists whose issuer signed them; without a stamp, at the reader's."""

import datetime as dt
import shutil
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence.cli.app import run
from evidence.errors import MalformedError, UsageError
from evidence.signing.certificate import PacketKey, certificate_pem
from evidence.signing.revocation import Moment, judge_chain, load_list
from evidence.signing.trust import load_trust, read_moment
from evidence.signing.tsa import Authorities
from evidence.verify import verify_packet
from tests.fakes.packet_inputs import AT, SIGNED_AT, blank_packet, build_inputs
from tests.servers.tsa import Authority, serve

DAY = dt.timedelta(days=1)
FROM, UNTIL = SIGNED_AT - 2000 * DAY, SIGNED_AT + 400 * DAY
R = x509.ReasonFlags


def name(common):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


class Issuer:
    """A root that issues one signer and lists."""

    def __init__(self, until=UNTIL, *, signs_lists=True):
        self.key, self.leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        off = dict.fromkeys(("key_encipherment", "data_encipherment", "key_agreement"), False)
        off |= dict.fromkeys(("encipher_only", "decipher_only"), False)
        signs = {"digital_signature": False, "content_commitment": False}
        usage = x509.KeyUsage(key_cert_sign=True, crl_sign=signs_lists, **signs, **off)
        self.root = self.issue("Root", self.key, UNTIL + 20_000 * DAY, authority=True, usage=usage)
        signs = {"digital_signature": True, "content_commitment": True}
        usage = x509.KeyUsage(key_cert_sign=False, crl_sign=False, **signs, **off)
        self.leaf = self.issue("Officer", self.leaf_key, until, usage=usage)

    def issue(self, common, key, until, *, authority=False, usage=None):
        builder = x509.CertificateBuilder(
            name("Root"), name(common), key.public_key(), x509.random_serial_number(), FROM, until
        ).add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if usage:
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def list_of(self, *revoked, at=SIGNED_AT, days=30, key=None, extra=()):
        builder = x509.CertificateRevocationListBuilder(name("Root"), at, at + days * DAY)
        for certificate, since, reason, *invalid in revoked:
            entry = x509.RevokedCertificateBuilder(certificate.serial_number, since)
            if reason:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            if invalid:
                entry = entry.add_extension(x509.InvalidityDate(invalid[0]), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        for extension in extra:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(key or self.key, hashes.SHA256())

    @property
    def packet_key(self):
        return PacketKey(self.leaf_key, self.leaf)

    @property
    def chain(self):
        return [self.leaf, self.root]


def der(one):
    return one.public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


def judged(issuer, lists, *, proved=True, at=SIGNED_AT, now=AT, stamps=False):
    return judge_chain(issuer.chain, lists, Moment(at, proved=proved, now=now), stamps=stamps)


def test_the_table(issuer):
    leaf = issuer.leaf
    before, after = SIGNED_AT - DAY, SIGNED_AT + DAY
    cases = [
        ([], None, "no revocation list of its issuer"),
        ([issuer.list_of()], True, "was not revoked on"),
        ([issuer.list_of(at=SIGNED_AT + 40 * DAY)], True, "was not revoked on"),
        ([issuer.list_of(at=SIGNED_AT - 40 * DAY)], None, "no whole list of its issuer"),
        ([issuer.list_of(at=UNTIL + DAY)], None, "no whole list of its issuer"),
        ([issuer.list_of((leaf, before, R.key_compromise))], False, "(keyCompromise), before"),
        ([issuer.list_of((leaf, SIGNED_AT, None))], False, "before"),
        (
            [issuer.list_of((leaf, after, R.superseded), at=after)],
            True,
            "after 2026-10-06 09:30Z, the proved time: valid then",
        ),
        ([issuer.list_of((leaf, after, R.key_compromise, before), at=after)], False, "before"),
        ([issuer.list_of(), issuer.list_of((leaf, before, None), at=after)], False, "before"),
        ([issuer.list_of(key=Issuer().key)], None, "no revocation list of its issuer"),
        ([issuer.list_of(extra=[x509.DeltaCRLIndicator(1)])], None, "no whole list"),
        ([issuer.list_of((leaf, before, None), extra=[x509.DeltaCRLIndicator(1)])], False, "before"),
    ]
    for lists, ok, words in cases:
        ((found, said),) = judged(issuer, lists)
        assert (found, words in said) == (ok, True), (words, said)


def test_without_a_proved_time_any_revocation_fails(issuer):
    after = SIGNED_AT + DAY
    ((ok, said),) = judged(issuer, [issuer.list_of((issuer.leaf, after, R.superseded), at=after)], proved=False, at=AT)
    assert ok is False
    assert "no time-stamp proves that it was used before" in said
    ((ok, said),) = judged(issuer, [issuer.list_of(at=AT)], proved=False, at=AT)
    assert (ok, "the time of verifying" in said) == (True, True)


def test_an_end_after_the_proved_time_is_said(issuer):
    results = judged(issuer, [], now=UNTIL + DAY)
    assert results[1][0] is True
    assert "ended on" in results[1][1]


def test_an_issuer_that_may_not_sign_lists_signs_none():
    other = Issuer(signs_lists=False)
    assert judged(other, [other.list_of((other.leaf, SIGNED_AT - DAY, None))])[0][0] is None


@pytest.mark.parametrize(
    ("reason", "days", "ok"),
    [(None, 9, False), (R.key_compromise, 9, False), (R.superseded, 9, True), (R.superseded, -9, False)],
)
def test_authorities_of_time_are_judged_as_rfc_3161_says(issuer, reason, days, ok):
    lists = [issuer.list_of((issuer.leaf, SIGNED_AT + days * DAY, reason), at=SIGNED_AT + 20 * DAY)]
    assert judged(issuer, lists, stamps=True)[0][0] is ok


def test_lists_that_do_not_parse_are_refused(issuer):
    good = der(issuer.list_of())
    assert load_list(issuer.list_of().public_bytes(serialization.Encoding.PEM), "x").issuer == name("Root")
    for bad in (b"", b"x", good[:-1], b"-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n", b"\0" * (17 << 20)):
        with pytest.raises(MalformedError):
            load_list(bad, "x")


def test_no_flipped_byte_of_a_list_clears_a_revoked_certificate(issuer):
    body = der(issuer.list_of((issuer.leaf, SIGNED_AT - DAY, None)))
    for place in range(len(body)):
        try:
            changed = load_list(body[:place] + bytes([body[place] ^ 1 << place % 8]) + body[place + 1 :], "x")
        except MalformedError:
            continue
        assert judged(issuer, [changed])[0][0] is not True, place


@pytest.fixture(scope="module")
def authority():
    return Authority(lambda: SIGNED_AT, years=20)


@pytest.fixture(scope="module")
def make(issuer, authority, tmp_path_factory):
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=1)

    def build(*, stamped, lists=()):
        with serve(authority.respond) as url:
            stamp = Authorities([url], [authority.root], lambda: SIGNED_AT).stamp if stamped else None
            made = replace(inputs, revocation_lists=lists)
            return blank_packet(made, issuer.packet_key, tmp_path_factory.mktemp("out"), stamp=stamp)

    return build


@pytest.fixture(scope="module")
def stamped(make, issuer):
    return make(stamped=True, lists=[der(issuer.list_of())])


@pytest.fixture(scope="module")
def plain(make):
    return make(stamped=False)


def verified(packet, issuer, authority, **words):
    given = {"certificates": [certificate_pem(issuer.root)], "authorities": [authority.root_pem], "at": AT, **words}
    found = verify_packet(packet.folder, **given)
    said = {step: [(c.ok, c.detail) for c in found.checks if c.step == step] for step in ("revocation", "time", "seal")}
    return found, said


def test_a_packet_carries_the_list_of_its_day(stamped, issuer, authority):
    for at in (AT, UNTIL + 500 * DAY):
        found, said = verified(stamped, issuer, authority, at=at)
        assert found.ok, found.failed
        assert said["revocation"][0][0] is True
        assert "was not revoked on 2026-10-06 09:30Z, the proved time" in said["revocation"][0][1]
        assert "revocation of CN=Test time-stamp unit not checked" in said["revocation"][-1][1]
    assert any("ended on" in words for _, words in said["revocation"])


def test_revoked_before_and_after_the_stamp(stamped, issuer, authority):
    early = der(issuer.list_of((issuer.leaf, SIGNED_AT - DAY, None), at=SIGNED_AT + DAY))
    late = der(issuer.list_of((issuer.leaf, SIGNED_AT + DAY, R.key_compromise), at=SIGNED_AT + 2 * DAY))
    found, said = verified(stamped, issuer, authority, lists=[early])
    assert [c.step for c in found.failed] == ["revocation"]
    found, said = verified(stamped, issuer, authority, lists=[late])
    assert found.ok, found.failed
    assert "was revoked on" in said["revocation"][0][1]
    assert "valid then" in said["revocation"][0][1]
    found, said = verified(stamped, issuer, authority, lists=[late], authorities=[])  # nobody to believe about the time
    assert not found.ok
    assert said["revocation"][0][0] is False


def test_without_a_stamp_the_readers_time_counts_and_is_said(plain, issuer, authority):
    late = der(issuer.list_of((issuer.leaf, SIGNED_AT + DAY, R.superseded), at=SIGNED_AT + 2 * DAY))
    found, said = verified(plain, issuer, authority)
    assert (found.ok, said["revocation"][0][0]) == (True, None)
    assert not verified(plain, issuer, authority, lists=[late])[0].ok
    assert not verified(plain, issuer, authority, at=UNTIL + DAY)[0].ok
    assert verified(plain, issuer, authority, at=SIGNED_AT + 9 * DAY, lists=[der(issuer.list_of())])[1]["revocation"][
        0
    ][0]


def test_a_revoked_authority_proves_no_time(stamped, issuer, authority):
    def listed(reason):
        entry = x509.RevokedCertificateBuilder(authority.certificate.serial_number, SIGNED_AT + DAY)
        entry = entry.add_extension(x509.CRLReason(reason), critical=False) if reason else entry
        until = SIGNED_AT + 30 * DAY
        builder = x509.CertificateRevocationListBuilder(authority.root.subject, SIGNED_AT + 2 * DAY, until)
        return der(builder.add_revoked_certificate(entry.build()).sign(authority.root_key, hashes.SHA256()))

    for reason in (None, R.key_compromise):
        found, said = verified(stamped, issuer, authority, lists=[listed(reason)])
        assert [ok for ok, _ in said["time"]] == [False, False, False]
        assert "no time-stamp of it holds" in said["time"][0][1]
        assert not found.ok
    found, said = verified(stamped, issuer, authority, lists=[listed(R.cessation_of_operation)])
    assert found.ok, found.failed
    assert any("after 2026-10-06 09:30Z, the proved time" in words for _, words in said["time"])


def test_a_carried_list_that_is_no_list_proves_nothing(make, issuer, authority):
    packet = make(stamped=False, lists=[b"no list"])
    found, said = verified(packet, issuer, authority)
    assert (found.ok, said["revocation"][0][0]) == (True, None)


def test_the_command_reads_lists_and_a_time(stamped, issuer, authority, tmp_path, capsys):
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "packet-root.pem").write_bytes(certificate_pem(issuer.root))
    (trust / "tsa-test.pem").write_bytes(authority.root_pem)
    late = issuer.list_of((issuer.leaf, SIGNED_AT + DAY, None), at=SIGNED_AT + 2 * DAY)
    (trust / "root.crl").write_bytes(der(late))
    assert load_trust([trust]).roles["revocation"] == ["root.crl"]

    def said(*words):
        code = run(["verify", str(stamped.folder), "--trust", str(trust), "--explain", *words])
        return code, " ".join(capsys.readouterr().out.split())

    code, text = said("--at-time", "2026-11-01")
    assert code == 0, text
    assert "trusted for revocation: root.crl" in text
    (trust / "tsa-test.pem").unlink()
    assert said("--at-time", "2026-11-01")[0] == 10
    assert said("--at-time", "yesterday")[0] == 2
    shutil.rmtree(trust)


def test_times_on_the_command_line():
    assert read_moment(None) is None
    assert read_moment("2026-10-06") == dt.datetime(2026, 10, 6, 23, 59, 59, tzinfo=dt.UTC)
    assert read_moment("2026-10-06T09:30:00Z") == SIGNED_AT
    assert read_moment("2026-10-06T11:30:00+02:00") == SIGNED_AT
    with pytest.raises(UsageError):
        read_moment("soon")
