"""Through the command line: a PDF stamped for the long term, a packet encrypted for its reader, a window that is not settled."""

import json
import shutil
import subprocess

import job
import pytest
from test_encrypt import ec, holder, opened

from evidence.demo import Size
from tests.servers.pki import serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
ONLY = ("identity-dormant", "identity-mfa-humans")
FIRST, SECOND = ("2026-07-01..2026-07-01", "2026-07-02..2026-07-02")
NUMBER = "OCR-308.a4iiB-2"  # a packet of two controls is laid out in seconds
ASKED = ("packet", "quarterly-hipaa", "--request", NUMBER, "--period")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two nights; the second was exported before the logins of it were due."""
    work = tmp_path_factory.mktemp("demo") / "work"
    job.workspace(work, FEW, only=ONLY)
    claim = work / "exports/snowflake/login_history/date=2026-07-02/_export.json"
    claim.write_text(json.dumps({**json.loads(claim.read_text()), "exported_at": "2026-07-03T00:30:00.000000Z"}))
    job.run("-w", work, "collect", "--jobs", "1")
    job.run("-w", work, "assess", "--period", "2026-07-01..2026-07-02", "--jobs", "1")
    job.run("-w", work, "requests", "import", "--ocr")
    named = [word for name in ONLY for word in ("--exhibit", f"control:{name}")]
    job.run("-w", work, "requests", "answer", NUMBER, "--by", "Bo", "--answer", "see", *named)
    return work


def words(text):
    return " ".join(text.split())


def pages(path):
    """The text of each page, asked for one by one."""
    said = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True).stdout
    count = int(next(line.split()[1] for line in said.splitlines() if line.startswith("Pages:")))
    for number in map(str, range(1, count + 1)):
        ask = ["pdftotext", "-f", number, "-l", number, path, "-"]
        yield subprocess.run(ask, capture_output=True, text=True, check=True).stdout


def test_a_window_that_is_not_settled_is_refused_by_name_and_else_marks_every_page(work, tmp_path):
    refused = words(job.run("-w", work, *ASKED, SECOND, "--out", tmp_path, codes=(11,)).stderr)
    assert "carrier/snowflake.login_history/2026-07-02" in refused
    assert "is provisional" in refused
    assert not list(tmp_path.glob("*"))
    job.run("-w", work, *ASKED, SECOND, "--out", tmp_path, "--partial")
    (zipped,) = tmp_path.glob("*.zip")
    data = zipped.with_suffix("") / "data"
    printed = list(pages(data / "packet.pdf"))
    assert len(printed) > 5
    assert [n for n, page in enumerate(printed, 1) if "PROVISIONAL" not in page] == []
    assert "login_history/2026-07-02" in (data / "PROVISIONAL.txt").read_text()
    assert "PROVISIONAL" in words(job.run("verify", zipped, "--trust", work / "trust", "--reperform").stdout)
    job.run("-w", work, *ASKED, FIRST, "--out", tmp_path)
    (whole,) = set(tmp_path.glob("*.zip")) - {zipped}
    assert not any("PROVISIONAL" in page for page in pages(whole.with_suffix("") / "data/packet.pdf"))


def test_stamped_for_the_long_term_and_encrypted_for_its_reader(work, tmp_path):
    copy, trust = shutil.copytree(work, tmp_path / "work"), tmp_path / "trust"
    for name in ("ann", "eve"):
        holder(tmp_path, name, ec.generate_private_key(ec.SECP256R1()))
    (tmp_path / "pki").mkdir()
    with serve(tmp_path / "pki") as pki:
        config = copy / "evidence.toml"
        text = config.read_text()
        for name, body in (("key", pki.key("signer")), ("certificate", pki.certificate("signer"))):
            (copy / "keys" / f"lasting-{name}.pem").write_bytes(body)
            (copy / "keys" / f"lasting-{name}.pem").chmod(0o600)
        (copy / "trust/tsa-root.pem").write_bytes(pki.certificate("root"))
        text = text.replace("file:keys/packet.pem", "file:keys/lasting-key.pem")
        text = text.replace("keys/packet-certificate.pem", "keys/lasting-certificate.pem")
        more = {"pades": "b-lta", "tsa": [pki.tsa], "tsa_roots": ["trust/tsa-root.pem"], "crls": [pki.crl], "ocsp": [pki.ocsp]}  # fmt: skip
        (copy / "trust/lasting-root.pem").write_bytes(pki.certificate("root"))
        settings = "".join(f"{name} = {json.dumps(value)}\n" for name, value in more.items())
        config.write_text(text.replace("[packet]\n", f"[packet]\n{settings}"))
        said = job.run("-w", copy, *ASKED, FIRST, "--encrypt-to", tmp_path / "ann.pem", "--out", tmp_path / "sent")
    assert "time not proven" not in said.stdout
    (sent,) = (tmp_path / "sent").iterdir()
    (plain,) = (copy / "packets").glob("*.zip")
    assert plain.read_bytes()[:64] not in sent.read_bytes()
    assert opened(tmp_path, "eve", sent, tmp_path / "eve.zip").returncode != 0
    received = tmp_path / plain.name
    done = opened(tmp_path, "ann", sent, received)
    assert done.returncode == 0, done.stderr
    assert received.read_bytes() == plain.read_bytes()
    trust.mkdir()
    for name in ("log.vkey", "lasting-root.pem", "tsa-root.pem"):
        shutil.copy(copy / "trust" / name, trust / name)
    told = words(job.run("verify", received, "--trust", trust, "--reperform", "--explain").stdout)
    assert "0 failed" in told
    assert "the PDF's document time-stamp" in told
    assert "findings.json comes out byte for byte" in told
    pdf = plain.with_suffix("") / "data/packet.pdf"
    listed = subprocess.run(["pdfsig", "-nocert", pdf], capture_output=True, text=True, check=False).stdout
    seal, time = sorted(listed.split("Signature #")[1:], key=lambda part: "Name: Time" in part)
    assert "Signature is Valid" in seal
    assert "Total document signed" in time
    assert subprocess.run(["qpdf", "--check", pdf], capture_output=True, check=False).returncode == 0
    cut = tmp_path / "cut.p7m"
    body = bytearray(sent.read_bytes())
    body[len(body) // 2] ^= 1
    cut.write_bytes(body)
    assert opened(tmp_path, "ann", cut, tmp_path / "cut.zip").returncode != 0 or (tmp_path / "cut.zip").read_bytes() != plain.read_bytes()  # fmt: skip
