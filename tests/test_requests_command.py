"""From OCR's list to one answer as a packet, to a customer's copy of it, and to one control computed by hand from its files."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import job
import openpyxl
import pyarrow.parquet as pq
import pytest

from evidence.demo import Size

pytestmark = pytest.mark.slow

FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
CONTROL, OTHER, DORMANT = "access-no-user-privileges", "identity-session-timeout", "identity-dormant"
NUMBER = "OCR-308.a4iiB-2"
WHO = '<b>Ann</b> & "Co"'
PERIOD = "2026-07-01..2026-07-02"
ASKED = ("packet", "quarterly-hipaa", "--period", PERIOD, "--request", NUMBER)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    work = tmp_path_factory.mktemp("demo") / "work"
    job.workspace(work, FEW, only=(CONTROL, OTHER, DORMANT))
    job.here("-w", work, "collect", "--jobs", "1")
    job.here("-w", work, "assess", "--period", PERIOD, "--jobs", "1")
    job.here("-w", work, "requests", "import", "--ocr")
    return work


@pytest.fixture(scope="module")
def packet(work):
    job.here("-w", work, *ASKED, codes=(2,))  # nothing was answered yet
    exhibits = ("--exhibit", f"control:{CONTROL}", "--exhibit", f"control:{DORMANT}", "--exhibit", "register:zones")
    job.here("-w", work, "requests", "answer", NUMBER, "--by", WHO, "--answer", "=see the page", *exhibits)
    job.here("-w", work, *ASKED)
    (made,) = (work / "packets").glob("*-request-*.zip")
    return made


def test_a_list_is_recorded_once_assigned_and_exported(work, tmp_path):
    assert (
        "0 requests recorded in requests.toml, 96 there already"
        in job.here("-w", work, "requests", "import", "--ocr").stdout
    )
    before = (work / "registers" / "requests.toml").read_bytes()
    (tmp_path / "bad.csv").write_text("number,inquiry\n9,new\nOCR-308.a2,rewritten\n")
    job.here("-w", work, "requests", "import", tmp_path / "bad.csv", codes=(2,))
    assert (work / "registers" / "requests.toml").read_bytes() == before
    job.here("-w", work, "requests", "assign", "OCR-308.a2", "--owner", "Bo", "--by", "Ole", "--due", "2026-01-01")
    assert re.search(r"OCR-308\.a2 +assigned +Bo +2026-01-01 +overdue", job.here("-w", work, "requests", "list").stdout)
    job.here("-w", work, "requests", "answer", "OCR-308.a2", "--by", "Bo", "--exhibit", "control:nobody", codes=(2,))
    job.here("-w", work, "requests", "answer", "OCR-308.a2", "--by", "Bo", "--status", "gap")
    job.here("-w", work, "requests", "export", "--out", tmp_path / "all.csv")
    rows = {row["number"]: row for row in csv.DictReader((tmp_path / "all.csv").open(newline=""))}
    assert len(rows) == 96
    job.here("-w", work, "requests", "export", "--out", tmp_path / "all.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "all.xlsx")["Requests"]
    assert [row[0] for row in sheet.iter_rows(min_row=3, values_only=True)] == list(rows)
    assert "DEMONSTRATION KEYS" in sheet["A1"].value
    assert (rows["OCR-308.a2"]["status"], rows["OCR-308.a2"]["owner"]) == ("gap", "Bo")
    assert rows["OCR-308.a2"]["answer"].startswith("An appointment is a document.")


def test_the_packet_of_one_answer_verifies_comes_out_again_and_holds_nothing_else(work, packet):
    assert "0 failed" in job.here("verify", packet, "--trust", work / "trust", "--reperform").stdout
    data = packet.with_suffix("") / "data"
    findings = json.loads((data / "findings.json").read_bytes())
    assert {finding["control"] for finding in findings["nights"]} == {CONTROL, DORMANT}
    assert {path.name for path in (data / "controls").iterdir()} & set(job.CONTROLS) == {CONTROL, DORMANT}
    assert json.loads((data / "request.json").read_bytes())["answer"] == "=see the page"
    page = (data / "packet.html").read_text()
    assert "&lt;b&gt;Ann&lt;/b&gt; &amp; &#34;Co&#34;" in page
    assert 'id="matrix-' not in page
    registers = {path.stem for path in (data / "controls" / "registers").glob("*.toml")}
    assert not {"requests", "request_records"} & registers
    assert "zones" in registers, "the register that the answer names"
    assert "admins" not in registers
    for path in (path for path in data.rglob("*") if path.is_file()):
        assert b"OCR-308.a2" not in path.read_bytes(), "another request travels along"
    log = job.open_log(work)
    assert {"requests", "request_records"} <= {entry.body["register"] for _, entry in log.entries("register")}


def test_a_customers_copy_has_the_counts_and_no_name(work, packet, tmp_path):
    out = tmp_path / "customer"
    job.here("-w", work, "handover", packet, "--out", out, "--audience", "customer", "--asked-by", "OCR")
    found = json.loads((packet.with_suffix("") / "data" / "findings.json").read_bytes())
    tests, issues = (list(csv.DictReader((out / name).open(newline=""))) for name in ("tests.csv", "issues.csv"))
    assert [int(row["exceptions"]) for row in tests] == [len(each["exceptions"]) for each in found["nights"]]
    assert len(issues) == sum(len(each["exceptions"]) + len(each["reviews"]) for each in found["periods"])
    users = pq.read_table(next(packet.with_suffix("").glob("data/evidence/*/snowflake.users/*/r0/part-0000.parquet")))
    people = {row["name"] for row in users.rename_columns([name.lower() for name in users.column_names]).to_pylist() if row["name"].count(".") == 1}  # fmt: skip
    people |= set(re.findall(r'(?m)^owner = "(\w+ \w+)', (work / "owners.toml").read_text())) | {"Ann"}
    assert len(people) > 30
    whole = b"\n".join(path.read_bytes() for path in out.rglob("*") if path.is_file()).decode()
    assert not [name for name in people if re.search(rf"\b{re.escape(name)}\b", whole, re.IGNORECASE)]
    broken = tmp_path / packet.name
    broken.write_bytes(packet.read_bytes().replace(b'"passed":', b'"passes":', 1))
    job.here("-w", work, "handover", broken, "--out", tmp_path / "none", codes=(10,))
    assert not (tmp_path / "none").exists()


def test_the_auditor_guides_own_lines_come_to_the_same_finding(packet):
    guide = (Path(__file__).parent.parent / "docs" / "auditor-guide.md").read_text()
    (lines,) = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    (stand_in,) = re.findall(r"`python3 -c '(.*?)'`", guide, re.DOTALL)
    if not shutil.which("duckdb"):
        lines = lines.replace("duckdb -csv", f"{sys.executable} -c '{stand_in.replace(chr(10), ' ')}'")
    folder = packet.with_suffix("")
    done = subprocess.run(["sh", "-c", lines], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (night,) = [
        each
        for each in json.loads((folder / "data" / "findings.json").read_bytes())["nights"]
        if (each["control"], each["night"]) == (CONTROL, "2026-07-02")
    ]
    assert re.findall(r"\b[0-9a-f]{64}\b", done.stdout) == [night["fingerprint"]] * 2
