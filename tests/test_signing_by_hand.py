"""The commands of VERIFY.md, typed as they stand in a shell that has openssl, sha256sum, pdfsig and no Python at all.

Packet and store are made here; what checks them is cut out of the packet's own page and sees neither this package nor an
interpreter for it.
"""

import base64
import re
import shutil
import subprocess

import pytest
from fakes.memory_store import MemoryStore
from fakes.sealed_store import KEY, plain

from evidence.approve import Asked, approve
from evidence.signing.certificate import certificate_pem, make_demo_authority
from evidence.signing.keys import NoteKey
from evidence.signing.timestamp import response_der
from evidence.signing.tsa import Authorities
from evidence.store.log import Log
from evidence.store.stamps import stamp_checkpoint
from tests.fakes.packet_inputs import SIGNED_AT, blank_packet, build_inputs, packet_key
from tests.servers.tsa import Authority, serve
from tests.test_signing_revocation import Issuer
from tests.test_signing_rotation_packet import made as rotated  # noqa: F401  # a fixture

TOOLS = (
    "sh",
    "openssl",
    "sha256sum",
    "pdfsig",
    "find",
    "sed",
    "sort",
    "cut",
    "grep",
    "head",
    "tail",
    "cat",
    "cmp",
    "ls",
)
TOOLS += ("mktemp", "dirname", "printf", "echo", "rm")
WORDS = (
    "digests OK",
    "closed set OK",
    "Signature is Valid",
    "Total document signed",
    "Signature Verified Successfully",
    "exhibit OK",
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder with the tools of the page and nothing else: the PATH of whoever verifies."""
    folder = tmp_path_factory.mktemp("bin")
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture(scope="module")
def authority():
    return Authority(lambda: SIGNED_AT, years=20)


@pytest.fixture(scope="module", params=["plain", "stamped"])
def packet(request, authority, tmp_path_factory):
    inputs, (key, root) = build_inputs(tmp_path_factory.mktemp("parts"), count=1), packet_key()
    with serve(authority.respond) as url:
        stamp = Authorities([url], [authority.root], lambda: SIGNED_AT).stamp if request.param == "stamped" else None
        made = blank_packet(inputs, key, tmp_path_factory.mktemp("out"), stamp=stamp)
    return made.folder, root, inputs.log_key.to_text()


@pytest.fixture
def trust(packet, authority, tmp_path):
    _, root, vkey = packet
    return written(tmp_path, certificate_pem(root), vkey, authority.root_pem)


def written(folder, root, vkey, authority):
    for name, body in (("ROOT.pem", root), ("LOG.vkey", vkey.encode() + b"\n"), ("TSA-ROOT.pem", authority)):
        (folder / name).write_bytes(body)
    return folder


def steps(page):
    """Return the code of each numbered step: the lines that stand seven spaces in."""
    found = re.split(r"(?m)^\d\. ", page)[1:]
    return ["\n".join(line[7:] for line in step.splitlines() if line.startswith("       ")) for step in found]


def typed(bag, trust, bare, *, page=None, **variables):
    """Type every step of the page; return (exit codes, all output)."""
    codes, said = [], ""
    for step in steps(page or (bag / "data/VERIFY.md").read_text()):
        code = re.sub(r"(?<![-\w])(TSA-ROOT\.pem|LOG\.vkey|ROOT\.pem)", lambda found: str(trust / found[1]), step)
        environment = {"PATH": str(bare), "TMPDIR": str(trust), **variables}
        done = subprocess.run(
            [str(bare / "sh"), "-ec", code],
            cwd=bag,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        codes.append(done.returncode)
        said += done.stdout + done.stderr
    return codes, said


def test_every_step_succeeds(packet, trust, bare):
    bag, _, _ = packet
    codes, said = typed(bag, trust, bare)
    assert codes == [0] * 7, said
    for word in ("CAdES Verification successful", *WORDS):
        assert word in said, word
    assert ("Verification: OK" in said) == (bag / "tagmanifest-sha256.txt.tsr").exists()


def test_an_approval_beside_the_packet(packet, trust, bare, tmp_path):
    """Step 7 on a copy with a signed statement beside it, then with one letter of the statement changed, then of another packet."""
    issuer = Issuer()
    bag = shutil.copytree(packet[0], tmp_path / packet[0].name)
    made = approve(bag, issuer.packet_key, Asked("reviewer"), "", at=SIGNED_AT)
    (trust / "PEOPLE.pem").write_bytes(certificate_pem(issuer.root))
    code = steps((bag / "data/VERIFY.md").read_text())[6].replace("PEOPLE.pem", str(trust / "PEOPLE.pem"))
    statement = made.folder / made.statement.file

    def shown():
        done = subprocess.run(
            [str(bare / "sh"), "-ec", code],
            cwd=bag,
            env={"PATH": str(bare)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    assert shown() == f"approval OK: ../{made.folder.name}/{statement.name}\n"
    statement.write_bytes(made.body.replace(b"reviewer", b"approver"))
    assert "NOT VALID" in shown()
    statement.write_bytes(made.body)
    (bag / "tagmanifest-sha256.txt").write_bytes(b"")
    assert "NOT VALID" in shown()


def test_every_exhibit_proves(packet, trust, bare):
    bag, _, _ = packet
    folders = sorted(str(file.parent.relative_to(bag)) for file in bag.glob("data/evidence/**/entry.json"))
    assert len(folders) > 5
    code = steps((bag / "data/VERIFY.md").read_text())[5]
    for exhibit in folders:
        environment = {"PATH": str(bare), "exhibit": exhibit}
        done = subprocess.run(
            [str(bare / "sh"), "-c", code], cwd=bag, env=environment, capture_output=True, text=True, check=False
        )
        assert f"exhibit OK: {exhibit}" in done.stdout, done.stderr


@pytest.fixture
def copy(packet, tmp_path):
    return shutil.copytree(packet[0], tmp_path / "bag")


def flip(path, place=None):
    body = path.read_bytes()
    place = len(body) // 2 if place is None else place
    path.write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])


def failing(bag, trust, bare, page, **variables):
    codes, _ = typed(bag, trust, bare, page=page, **variables)
    return {number + 1 for number, code in enumerate(codes) if code}


def test_what_was_changed_makes_its_step_fail(packet, copy, trust, bare):
    page = (copy / "data/VERIFY.md").read_text()
    first = min(copy.glob("data/evidence/**/entry.json")).parent
    proof = first / "tlog-proof"
    line = len(proof.read_bytes().split(b"\n")[0]) + len(b"\nindex 00\n") + 3
    object_file = next(file for file in (first / "manifest.json", first / "object.json") if file.exists())
    cases = [
        (copy / "data/findings.json", None, {2}),
        (copy / "data/packet.pdf", 200, {2, 4}),
        (copy / "tagmanifest-sha256.txt", 5, {1, 2}),
        (copy / "tagmanifest-sha256.txt", 64, {1, 2}),  # a line that sha256sum cannot read
        (copy / "tagmanifest-sha256.txt.p7s", -9, {1}),
        (copy / "data/log/checkpoint", 30, {2, 5, 6}),
        (proof, line, {2, 6}),
        (first / "entry.json", 12, {2, 6}),
        (object_file, 40, {2, 6}),
    ]
    for path, place, wanted in cases:
        body = path.read_bytes()
        flip(path, place)
        assert wanted <= failing(copy, trust, bare, page), path
        path.write_bytes(body)
    assert not failing(copy, trust, bare, page)
    (copy / "data/extra").write_text("x")
    assert failing(copy, trust, bare, page) == {3}
    (copy / "data/extra").unlink()
    (copy / "data/link").symlink_to("/etc/hostname")
    assert failing(copy, trust, bare, page) == {3}


def test_trust_of_others_makes_its_step_fail(packet, copy, trust, bare):
    page = (copy / "data/VERIFY.md").read_text()
    _, other = make_demo_authority("Other", SIGNED_AT)
    changes = {
        "ROOT.pem": (certificate_pem(other), {1}),
        "LOG.vkey": (NoteKey("acme.example/evidence/demo", bytes(32)).vkey.encode(), {5}),
        "TSA-ROOT.pem": (certificate_pem(other), {1} if (copy / "tagmanifest-sha256.txt.tsr").exists() else set()),
    }
    for name, (body, wanted) in changes.items():
        good = (trust / name).read_bytes()
        (trust / name).write_bytes(body)
        assert failing(copy, trust, bare, page) == wanted, name
        (trust / name).write_bytes(good)


def test_a_packet_of_a_log_whose_key_changed(rotated, authority, tmp_path, bare):  # noqa: F811
    made, root, inputs = rotated
    trust = written(tmp_path, certificate_pem(root), inputs.log_key.to_text(), authority.root_pem)
    codes, said = typed(made.folder, trust, bare)
    assert codes == [0] * 7, said


def test_a_stamped_checkpoint_of_a_store(authority, packet, tmp_path, bare):
    """Any checkpoint: one line of trust for the log, one certificate for the time."""
    log = Log.init(MemoryStore(), KEY)
    log.append(plain("a", "b"))
    with serve(authority.respond) as url:
        asked = Authorities([url], [authority.root], lambda: SIGNED_AT)
        assert stamp_checkpoint(log, lambda content: response_der(asked.stamp(content)))
    trust = written(tmp_path, b"", KEY.vkey, authority.root_pem)
    (tmp_path / "data/log").mkdir(parents=True)
    kept = tmp_path / "data/log/checkpoint"
    kept.write_text(log.checkpoint)
    (tmp_path / "SIZE").write_bytes(log.store.objects["log/tsr/000000000003"])
    page = (packet[0] / "data/VERIFY.md").read_text()
    signed = steps(page)[4].replace("LOG.vkey", str(trust / "LOG.vkey"))
    stamped = re.search(r"`(openssl ts -verify -data CHECKPOINT [^`]*)`", page)[1].replace("CHECKPOINT", str(kept))

    def run(code):
        done = subprocess.run(
            ["sh", "-c", code], cwd=tmp_path, env={"PATH": str(bare)}, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    assert run(signed)[0] == 0
    assert "Verification: OK" in run(stamped)[1]
    head, tail = log.checkpoint.split("\n", 2)[:2], log.checkpoint.split("\n", 2)[2]
    for forged in (
        f"{head[0]}\n2\n{tail}",
        log.checkpoint.replace(base64.b64encode(KEY.key_id).decode()[:4], "AAAA", 1),
    ):
        kept.write_text(forged)
        assert run(stamped)[0] != 0
    kept.write_text(f"{head[0]}\n2\n{tail}")
    assert run(signed)[0] != 0
