"""Verification of packets: what is untouched passes, and whatever is touched fails and is named."""

import json
import random
import shutil
import zipfile
from dataclasses import replace

import pytest

from evidence.bag.bag import BagWriter, manifest_bytes
from evidence.bag.files import FolderFiles
from evidence.bag.zip import write_zip
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem
from evidence.signing.keys import NoteKey
from evidence.snapshot import canonical
from evidence.tlog.checkpoint import Checkpoint
from evidence.tlog.note import Verifier
from evidence.verify import Verification, verify_packet, verify_store
from tests.fakes.packet_inputs import AT, SIGNED_AT, blank_packet, build_inputs, packet_key

FLIPS = 120


@pytest.fixture(scope="module")
def key():
    return packet_key()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return build_inputs(tmp_path_factory.mktemp("parts"), count=2)


@pytest.fixture(scope="module")
def packet(inputs, key, tmp_path_factory):
    return blank_packet(inputs, key[0], tmp_path_factory.mktemp("out"))


@pytest.fixture
def bag(packet, tmp_path):
    return shutil.copytree(packet.folder, tmp_path / packet.packet_id)


@pytest.fixture
def check(inputs, key):
    def run(path, **changes):
        trust = {
            "certificates": [certificate_pem(key[1])],
            "vkeys": [inputs.log_key.to_text()],
            "at": AT,
            **changes,
        }
        return verify_packet(path, **trust)

    return run


def named(found: Verification):
    return " ".join(f"{c.subject} {c.detail}" for c in found.failed)


def test_untouched_packets_pass_and_say_what_is_not_shown(packet, check):
    for path in (packet.folder, packet.zip):
        found = check(path)
        assert found.ok, found.failed
        assert {c.step for c in found.checks if c.ok is None} == {"time", "revocation", "re-performance", "sign-off"}
    steps = [c.step for c in check(packet.zip).checks]
    assert list(dict.fromkeys(steps)) == [
        *("open", "closed set", "digests", "seal", "pdf", "zip", "log", "exhibits", "findings", "sign-off"),
        *("time", "revocation", "re-performance"),
    ]


def test_one_flipped_byte_in_any_file_fails_and_is_named(bag, check):
    chance = random.Random(20261006)
    files = sorted(path for path in bag.rglob("*") if path.is_file())
    always = [p for p in files if "evidence/" not in str(p)]
    chosen = always + chance.choices(files, k=FLIPS - len(always))
    for path in chosen:
        body = path.read_bytes()
        place = chance.randrange(len(body))
        path.write_bytes(body[:place] + bytes([body[place] ^ 1 << chance.randrange(8)]) + body[place + 1 :])
        found = check(bag)
        assert not found.ok, f"{path} at {place}"
        assert str(path.relative_to(bag)) in named(found), f"{path} at {place}"
        path.write_bytes(body)
    assert check(bag).ok


def test_one_flipped_byte_in_the_zip_fails(packet, check, tmp_path):
    chance = random.Random(7)
    path = tmp_path / packet.zip.name
    body = packet.zip.read_bytes()
    directory = body.rindex(b"PK\x05\x06")
    places = [chance.randrange(len(body)) for _ in range(25)] + [
        chance.randrange(directory - 3000, len(body)) for _ in range(25)
    ]
    for place in places:
        path.write_bytes(body[:place] + bytes([body[place] ^ 1 << chance.randrange(8)]) + body[place + 1 :])
        found = check(path)
        assert not found.ok, place
        assert named(found)


def test_extra_missing_renamed_and_truncated_files(bag, check):
    target = bag / "data/findings.csv"
    body = target.read_bytes()
    (bag / "data/extra.txt").write_text("x")
    assert "data/extra.txt" in named(check(bag))
    (bag / "data/extra.txt").unlink()
    target.rename(bag / "data/renamed.csv")
    assert "data/findings.csv" in named(check(bag))
    assert "data/renamed.csv" in named(check(bag))
    (bag / "data/renamed.csv").unlink()
    target.write_bytes(body[:-1])
    assert "data/findings.csv" in named(check(bag))


@pytest.mark.parametrize(
    "name", ["tagmanifest-sha256.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt.p7s", "bagit.txt"]
)
def test_tag_files_are_needed(bag, check, name):
    (bag / name).unlink()
    assert name in named(check(bag))


def test_an_unknown_file_beside_the_bag_is_found(bag, check):
    (bag / "README.txt").write_text("x")
    assert "README.txt" in named(check(bag))


def test_zips_with_more_or_in_other_order(packet, check, tmp_path):
    path = tmp_path / packet.zip.name
    shutil.copy(packet.zip, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{packet.packet_id}/data/extra.txt", "x")
    found = check(path)
    assert {"closed set", "zip"} <= {c.step for c in found.failed}
    shutil.copy(packet.zip, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"x"
    assert [c.step for c in check(path).failed] == ["zip"]
    path.write_bytes(packet.zip.read_bytes() + b"x")
    assert not check(path).ok
    path.write_bytes(packet.zip.read_bytes()[:-100])
    assert not check(path).ok
    path.write_bytes(b"")
    assert not check(path).ok


def test_a_forger_who_rewrites_the_manifests_cannot_seal(bag, check, key):
    other, other_root = packet_key()
    reseal(bag, other, {"data/findings.csv": b"nothing\n"})
    assert "seal" in {c.step for c in check(bag).failed}
    found = check(bag, certificates=[certificate_pem(other_root)])
    assert "pdf" in {c.step for c in found.failed}, "the PDF keeps its own seal"


def reseal(bag, key, changes):
    """Change payload files and make manifests and seal anew."""
    for name, body in changes.items():
        (bag / name).parent.mkdir(parents=True, exist_ok=True)
        (bag / name).write_bytes(body)
    digests, octets = {}, 0
    for path in sorted((bag / "data").rglob("*")):
        if path.is_file():
            digests[str(path.relative_to(bag))] = canonical.sha256_hex(path.read_bytes())
            octets += path.stat().st_size
    info = [line for line in (bag / "bag-info.txt").read_text().splitlines() if not line.startswith("Payload-Oxum")]
    (bag / "bag-info.txt").write_text("\n".join([*info, f"Payload-Oxum: {octets}.{len(digests)}"]) + "\n")
    (bag / "manifest-sha256.txt").write_bytes(manifest_bytes(digests))
    tags = {
        n: canonical.sha256_hex((bag / n).read_bytes()) for n in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt")
    }
    (bag / "tagmanifest-sha256.txt").write_bytes(manifest_bytes(tags))
    (bag / "tagmanifest-sha256.txt.p7s").write_bytes(sign_detached(manifest_bytes(tags), key, SIGNED_AT))


def test_the_signer_cannot_show_what_was_not_sealed(bag, check, key):
    """Even with the packet key: findings, rows and exhibits must be in the log."""
    path = bag / "data/findings.json"
    body = path.read_bytes()
    findings = json.loads(body)
    night = next(n for n in findings["nights"] if n["inputs"])
    night["passed"] += 1
    reseal(bag, key[0], {"data/findings.json": canonical.encode(findings)})
    assert "is not the finding that was sealed" in named(check(bag))
    findings = json.loads(body)
    findings["periods"][0]["strip"]["2026-07-01"] = "not-applicable"
    reseal(bag, key[0], {"data/findings.json": canonical.encode(findings)})
    assert "the strip says" in named(check(bag))
    findings = json.loads(body)
    findings["nights"][0]["inputs"][0]["rows"] += 1
    reseal(bag, key[0], {"data/findings.json": canonical.encode(findings)})
    assert "not exhibited" in named(check(bag))
    findings = json.loads(body)
    findings["nights"] = findings["nights"][1:]
    reseal(bag, key[0], {"data/findings.json": canonical.encode(findings)})
    assert "is left out" in named(check(bag))
    findings = json.loads(body)
    failed = next(p for p in findings["periods"] if p["status"] == "not-satisfied")
    failed["status"] = "satisfied"
    reseal(bag, key[0], {"data/findings.json": canonical.encode(findings)})
    assert "nights with exceptions" in named(check(bag))
    findings = json.loads(body)
    part = next(bag.rglob("part-*.parquet"))
    reseal(bag, key[0], {"data/findings.json": body, str(part.relative_to(bag)): b"other rows"})
    assert part.name in named(check(bag))


def test_foreign_files_among_the_evidence_are_found(bag, check, key):
    reseal(bag, key[0], {"data/evidence/carrier/planted.parquet": b"x"})
    assert "planted.parquet" in named(check(bag))


def test_a_missing_exhibit_is_found(bag, check, key):
    shutil.rmtree(bag / "data/evidence/carrier/snowflake.users")
    reseal(bag, key[0], {})
    assert "snowflake.users" in named(check(bag))


def test_other_trust_is_refused(packet, check):
    _, other = packet_key()
    assert {"seal", "pdf"} <= {c.step for c in check(packet.folder, certificates=[certificate_pem(other)]).failed}
    assert {"seal", "pdf"} <= {c.step for c in check(packet.folder, certificates=[]).failed}
    stranger = Verifier("acme.example/evidence/demo", NoteKey.generate("x").public_key).to_text()
    assert [c.step for c in check(packet.folder, vkeys=[stranger]).failed] == ["log"]
    unstated = check(packet.folder, vkeys=[])
    assert unstated.ok
    assert any(c.step == "log" and c.ok is None for c in unstated.checks)


def test_kept_checkpoints(packet, check, inputs):
    assert check(packet.folder, checkpoint=inputs.previous[0]).ok
    assert check(packet.folder, checkpoint=inputs.checkpoint).ok
    origin, size, *_ = inputs.checkpoint.split("\n")
    log = NoteKey(origin, b"\x07" * 32)
    for forked in (int(size), 1):  # the packet's own size, and that of the previous one
        kept = Checkpoint(origin, forked, bytes(32)).sign(log)
        assert "forked" in named(check(packet.folder, checkpoint=kept))
    for unknown in (2, int(size) + 1):
        found = check(packet.folder, checkpoint=Checkpoint(origin, unknown, bytes(32)).sign(log))
        assert not found.failed
        assert any(c.ok is None and "kept checkpoint" in c.detail for c in found.checks)
    stranger = Checkpoint(origin, int(size), bytes(32)).sign(NoteKey(origin, b"\x08" * 32))
    for other in (stranger, "junk", inputs.checkpoint.replace(f"\n{size}\n", f"\n{int(size) + 1}\n")):
        assert "not one of this log" in named(check(packet.folder, checkpoint=other))


def test_a_consistency_proof_of_another_history_is_refused(bag, check, key, inputs):
    forged = inputs.previous[1].replace("old 1", "old 2", 1)
    reseal(bag, key[0], {"data/log/consistency-from-previous": forged.encode()})
    assert "consistency" in named(check(bag))


def test_a_pdf_with_an_update_appended_is_refused(bag, check, key):
    path = bag / "data/packet.pdf"
    reseal(bag, key[0], {"data/packet.pdf": path.read_bytes() + b"\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"})
    assert [c.step for c in check(bag).failed] == ["pdf"]


def test_links_in_the_folder_and_odd_paths(bag, check, tmp_path):
    (bag / "data/link").symlink_to("/etc/hostname")
    assert [c.step for c in check(bag).failed] == ["open"]
    assert not check(tmp_path / "nothing").ok


def test_a_bag_of_nothing_proves_nothing(tmp_path, check, key):
    writer = BagWriter(tmp_path / "P")
    writer.add("x", b"1")
    tags = writer.close({})
    (writer.root / "tagmanifest-sha256.txt.p7s").write_bytes(sign_detached(tags, key[0], SIGNED_AT))
    with (tmp_path / "P.zip").open("wb+") as out:
        write_zip(FolderFiles(writer.root), out, "P")
    for path in (writer.root, tmp_path / "P.zip"):
        assert {"pdf", "log"} <= {c.step for c in check(path).failed}


def test_stores_are_checked_by_the_store(tmp_path):
    assert not verify_store(tmp_path).ok


def test_results_join(packet, check):
    found = check(packet.folder)
    made = next(c for c in found.checks if c.step == "re-performance")
    joined = found.joined(Verification("x", (replace(made, ok=True, detail="equal"),)))
    assert [c.ok for c in joined.checks if c.step == "re-performance"] == [True]
    assert Verification("x", ()).ok is False
