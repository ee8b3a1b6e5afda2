"""Building a packet: layout, refusals, partial packets, determinism of everything before signing."""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import bagit
import pytest

from evidence.bag.files import FolderFiles, ZipFiles
from evidence.bag.folders import by_control
from evidence.cli.app import run
from evidence.errors import PacketRefusedError, VerificationError
from evidence.packet import build_packet
from evidence.render.records import findings_csv
from evidence.render.text import forbidden_words
from evidence.signing.certificate import certificate_pem
from evidence.snapshot import canonical
from evidence.verify import verify_packet
from tests.fakes.packet_inputs import AT, ROOT, SHORT, SIGNED_AT, TEMPLATES, build_inputs, packet_key

NIGHTS = 4


@pytest.fixture(scope="module")
def key():
    return packet_key()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return build_inputs(tmp_path_factory.mktemp("parts"), count=NIGHTS)


@pytest.fixture(scope="module")
def made(inputs, key, tmp_path_factory):
    return build_packet(inputs, key[0], tmp_path_factory.mktemp("out"), TEMPLATES, signed_at=SIGNED_AT)


def test_layout(made):
    names = {str(path.relative_to(made.folder)) for path in made.folder.rglob("*") if path.is_file()}
    assert names >= {
        "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "tagmanifest-sha256.txt.p7s",
        "data/packet.pdf", "data/packet.html", "data/findings.json", "data/findings.csv", "data/render.json", "data/oscal.json", "data/ocsf.json", "data/findings.parquet", "data/packet.xlsx",
        "data/VERIFY.md", "data/verify.sh", "data/log/checkpoint", "data/log/key", "data/log/previous-checkpoint",
        "data/log/consistency-from-previous", "data/controls/identity-dormant/control.sql",
        "data/controls/registers/admins.toml", "data/evidence/carrier/snowflake.users/2026-07-01/r0/manifest.json",
        "data/evidence/carrier/snowflake.users/2026-07-01/r0/part-0000.parquet",
    }  # fmt: skip
    assert made.zip.name == made.packet_id + ".zip"
    assert "data/PROVISIONAL.txt" not in names
    bagit.Bag(str(made.folder)).validate()


def test_findings_name_no_log_position_and_no_snapshot(made):
    findings = canonical.decode((made.folder / "data/findings.json").read_bytes())
    assert findings["format"] == "evidence-findings-v1"
    assert len(findings["nights"]) == 12 * NIGHTS
    assert {tuple(i) for n in findings["nights"] for i in n["inputs"]} == {
        ("dataset", "night", "rows", "rows_digest", "source", "status")
    }


def test_csv_holds_every_exception_raw(inputs):
    odd = (
        replace(inputs.periods[0].exceptions[0], item='=cmd|"x"\n', observed="a,b")
        if inputs.periods[0].exceptions
        else None
    )
    assert odd is not None
    period = replace(inputs.periods[0], exceptions=(odd,))
    rows = list(csv.DictReader(io.StringIO(findings_csv([period]).decode(), newline="")))
    assert [(row["item"], row["observed"], row["kind"]) for row in rows] == [('=cmd|"x"\n', "a,b", "exception")]


def test_courtesy_script_accepts_and_refuses(made, key, tmp_path):
    bag = tmp_path / "bag"
    shutil.copytree(made.folder, bag)
    (tmp_path / "root.pem").write_bytes(certificate_pem(key[1]))

    def run():
        command = ["sh", "data/verify.sh", str(tmp_path / "root.pem")]
        return subprocess.run(command, cwd=bag, capture_output=True, text=True, check=False)

    assert run().stdout.startswith("PACKET OK")
    (bag / "data/extra").write_text("x")
    assert run().returncode != 0
    (bag / "data/extra").unlink()
    (bag / "data/findings.csv").write_text("x")
    assert run().returncode != 0


def test_same_inputs_same_bytes_before_signing(inputs, key, made, tmp_path):
    again = build_packet(inputs, key[0], tmp_path, TEMPLATES, signed_at=SIGNED_AT)
    differing = [
        str(path.relative_to(made.folder))
        for path in sorted(made.folder.rglob("*"))
        if path.is_file() and path.read_bytes() != (again.folder / path.relative_to(made.folder)).read_bytes()
    ]
    signed = {
        "data/packet.pdf",
        "bag-info.txt",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "tagmanifest-sha256.txt.p7s",
    }
    assert set(differing) <= signed  # ECDSA signatures differ by design


def test_folders_by_control_list_every_exhibit_of_every_finding(made, tmp_path):
    files = dict(by_control(FolderFiles(made.folder)))
    with ZipFiles(made.zip) as zipped:
        assert dict(by_control(zipped)) == files
    findings = json.loads((made.folder / "data/findings.json").read_text())
    lines = {
        (row["control"], row["source"], row["night"], row["dataset"]): row
        for row in csv.DictReader(io.StringIO(files[f"{made.packet_id}/index.csv"].decode()))
    }
    wanted = {(n["control"], i["source"], i["night"], i["dataset"]) for n in findings["nights"] for i in n["inputs"]}
    assert lines.keys() == wanted
    for (control, source, night, dataset), row in lines.items():
        assert row["sha256"] == hashlib.sha256((made.folder / row["file"]).read_bytes()).hexdigest()
        listed = json.loads(files[f"{made.packet_id}/{control}/{source}/{night}/evidence.json"])["exhibits"]
        (exhibit,) = [each for each in listed if each["dataset"] == dataset]
        for part in exhibit["parts"]:
            body = (made.folder / row["file"]).with_name(part["name"]).read_bytes()
            assert hashlib.sha256(body).hexdigest() == part["sha256"]
    for period in findings["periods"]:
        told = json.loads(files[f"{made.packet_id}/{period['control']}/control.json"])
        assert (told["status"], told["exceptions"]) == (period["status"], len(period["exceptions"]))
    assert run(["export", "audit-manager", str(made.zip), "--out", str(tmp_path)]) == 0
    assert {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files
    assert run(["export", "audit-manager", str(made.zip), "--out", str(tmp_path)]) == 2  # never overwritten


def test_folders_are_not_made_of_a_packet_that_was_changed(made, tmp_path):
    bag = tmp_path / made.packet_id
    shutil.copytree(made.folder, bag)
    (bag / "data/findings.json").write_bytes(
        (bag / "data/findings.json").read_bytes().replace(b"satisfied", b"Satisfied")
    )
    with pytest.raises(VerificationError, match=r"data/findings\.json"):
        dict(by_control(FolderFiles(bag)))


SCRIPT = """
import sys, hashlib
from pathlib import Path
from evidence.render import html, pdf
from itertools import chain
from evidence.render.exports import exported, tabled
from tests.fakes.packet_inputs import SHORT, TEMPLATES, build_inputs, packet_key
from evidence.packet import _content
inputs = build_inputs(Path(sys.argv[1]), count=2)
key, _ = packet_key()
content = _content(inputs, key, "PKT-1", (), b"x\\n")
from dataclasses import replace
content = replace(content, seal=replace(content.seal, certificate_sha256="0" * 64))
short = html.render_print(replace(content, report=replace(content.report, sections=SHORT)), TEMPLATES)
made = pdf.render(short, (pdf.Attachment("a.json", "x", b"{}", "Data"),), content.end)
for body in (made.body, html.render_print(content, TEMPLATES).encode(), html.render_screen(content, TEMPLATES)):
    print(hashlib.sha256(body).hexdigest())
for name, pieces in chain(exported(content, {"data/b": "1" * 64, "data/controls/a": "2" * 64}), tabled(content)):
    print(name, hashlib.sha256(b"".join(pieces)).hexdigest())
"""


def test_render_is_the_same_in_another_zone_hash_seed_and_locale(tmp_path):
    seen = set()
    for number, (zone, seed, locale) in enumerate([("UTC", "1", "C"), ("Pacific/Auckland", "77", "C.UTF-8")]):
        environment = {
            "TZ": zone,
            "PYTHONHASHSEED": seed,
            "LC_ALL": locale,
            "PYTHONPATH": str(ROOT),
            "PATH": "/usr/bin:/bin",
        }
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / str(number))]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        seen.add(done.stdout)
    assert len(seen) == 1


def refusal(inputs, key, tmp_path):
    with pytest.raises(PacketRefusedError) as caught:
        build_packet(inputs, key[0], tmp_path / "out", TEMPLATES, signed_at=SIGNED_AT)
    assert not list((tmp_path / "out").glob("*")), "nothing is left behind"
    return str(caught.value)


def test_gaps_are_refused_by_name(inputs, key, tmp_path):
    first, *rest = inputs.exhibits
    assert "has no exhibit" in refusal(replace(inputs, exhibits=rest), key, tmp_path)
    unsettled = replace(inputs, exhibits=[replace(first, settled=False), *rest])
    assert "provisional" in refusal(unsettled, key, tmp_path)
    missing = replace(inputs, exhibits=[replace(first, parts={}), *rest])
    assert "part-0000.parquet is missing" in refusal(missing, key, tmp_path)
    other = replace(inputs, exhibits=[replace(first, body=first.body.replace(b"complete", b"denied")), *rest])
    assert "not verifiable" in refusal(other, key, tmp_path)
    swapped = replace(inputs, exhibits=[replace(first, proof=rest[0].proof), *rest])
    assert "another place" in refusal(swapped, key, tmp_path)
    assert "no finding for the period" in refusal(replace(inputs, periods=inputs.periods[1:]), key, tmp_path)
    assert "without a night finding" in refusal(replace(inputs, nights=inputs.nights[1:]), key, tmp_path)
    assert "checkpoint does not verify" in refusal(
        replace(inputs, checkpoint=inputs.checkpoint.replace("\n", "x\n", 1)), key, tmp_path
    )


def test_a_changed_copy_of_a_part_is_refused(inputs, key, tmp_path):
    first, *rest = inputs.exhibits
    ((name, path),) = first.parts.items()
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes()[:-1] + b"!")
    assert "not the file its manifest names" in refusal(
        replace(inputs, exhibits=[replace(first, parts={name: copy}), *rest]), key, tmp_path
    )


def test_a_partial_packet_says_so_on_every_page(inputs, key, tmp_path):
    first, *rest = inputs.exhibits
    partial = replace(inputs, exhibits=[replace(first, settled=False), *rest], system=None, demo=True)
    packet = build_packet(partial, key[0], tmp_path, TEMPLATES, signed_at=SIGNED_AT, partial=True)
    assert any("provisional" in line for line in packet.omissions)
    pages = pdf_pages(packet.folder / "data/packet.pdf")
    assert all("PROVISIONAL / DEMONSTRATION KEYS / DRAFT" in page for page in pages)
    assert "late rows may still come" in pages[0]
    page = (packet.folder / "data/packet.html").read_text()
    assert "PROVISIONAL" in page
    assert "this packet is a draft" in page
    for name in ("bag-info.txt", "data/VERIFY.md", "data/PROVISIONAL.txt", "data/oscal.json", "data/ocsf.json"):
        assert "PROVISIONAL" in (packet.folder / name).read_text(), name
    assert all(f"- {line}" in (packet.folder / "data/PROVISIONAL.txt").read_text() for line in packet.omissions)
    assert list(forbidden_words((packet.folder / "data/PROVISIONAL.txt").read_text(), TEMPLATES)) == []
    root = tmp_path / "root.pem"
    root.write_bytes(certificate_pem(key[1]))
    said = subprocess.run(
        ["sh", "data/verify.sh", str(root)], cwd=packet.folder, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("PROVISIONAL")
    found = verify_packet(packet.zip, certificates=[certificate_pem(key[1])], vkeys=[inputs.log_key.to_text()], at=AT)
    assert found.ok
    assert any(c.ok is None and "PROVISIONAL" in c.detail for c in found.checks)


def pdf_pages(path):
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True)
    return done.stdout.split("\f")[:-1]


def test_over_the_limit_rows_are_referenced(key, tmp_path):
    inputs = build_inputs(tmp_path / "parts", count=2, sections=SHORT)
    packet = build_packet(replace(inputs, exhibit_limit=1000), key[0], tmp_path, TEMPLATES, signed_at=SIGNED_AT)
    assert not list((packet.folder / "data/evidence").rglob("*.parquet"))
    found = verify_packet(packet.zip, certificates=[certificate_pem(key[1])], vkeys=[inputs.log_key.to_text()], at=AT)
    assert found.ok
    assert any(c.ok is None and "referenced by digest only" in c.detail for c in found.checks)


def test_the_soc2_report_lists_its_own_framework(tmp_path, key):
    inputs = build_inputs(tmp_path / "parts", count=2, report="quarterly-soc2")
    packet = build_packet(inputs, key[0], tmp_path, TEMPLATES, signed_at=SIGNED_AT)
    text = "".join(pdf_pages(packet.folder / "data/packet.pdf"))
    assert "Requirements: SOC 2" in text
    assert "164.312(b)" not in text


def test_words_that_claim_too_much_are_not_in_packets(made):
    assert list(forbidden_words((made.folder / "data/packet.html").read_text(), TEMPLATES)) == []
    text = "".join(pdf_pages(made.folder / "data/packet.pdf"))
    for word in ("compliant", "certified", "tamper-proof", "immutable", "guarantee"):
        assert word not in text.lower()
    for name in ("VERIFY.md", "verify.sh"):
        assert list(forbidden_words((made.folder / "data" / name).read_text(), TEMPLATES)) == []


def test_render_facts_name_the_unsigned_prefix(made):
    facts = json.loads((made.folder / "data/render.json").read_text())["unsigned_pdf"]
    body = (made.folder / "data/packet.pdf").read_bytes()
    assert hashlib.sha256(body[: facts["length"]]).hexdigest() == facts["sha256"]


def test_packets_are_never_overwritten(inputs, key, made):
    with pytest.raises(PacketRefusedError, match="exists already"):
        build_packet(inputs, key[0], made.folder.parent, TEMPLATES, signed_at=SIGNED_AT)
