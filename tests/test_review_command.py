"""``evidence review`` and ``evidence waive`` on the demo's first nights: what is recorded is what the next assessment counts."""

import csv
import hashlib
import json
import shutil

import job
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.cli import tested
from evidence.cli.app import run
from evidence.control.engine import population_of
from evidence.control.verdict import fingerprint
from evidence.demo import Size

FEW = Size(nights=9, users=60, roles=50, tables=160, columns=600, queries=120)
REVIEWERS = "".join(
    f'\n[[reviewers]]\nperson = "{name}"\nlogins = []\nreports_to = []\nmay_sign = ["disposition"]\napproved_by = "CISO"\n'
    "approved_on = 2026-01-01\nexpires = 2030-01-01\n"
    for name in ("Ivo", "Ole")
)


@pytest.fixture(scope="module")
def assessed(tmp_path_factory):
    work = tmp_path_factory.mktemp("demo") / "work"
    job.workspace(
        work,
        FEW,
        only=("access-no-raw-grants", "monitor-bruteforce", "monitor-evidence-integrity", "quality-key-tests"),
    )
    for name in ("dispositions", "waivers"):  # nobody has decided anything yet
        (work / "registers" / f"{name}.toml").unlink()
    job.here("-w", work, "collect", "--jobs", "1")
    job.here("-w", work, "assess", "--jobs", "1")
    return work


@pytest.fixture
def work(assessed, tmp_path):
    copy = tmp_path / "work"
    shutil.copytree(assessed, copy, symlinks=True)
    (copy / "registers" / "reviewers.toml").write_text(REVIEWERS)
    return copy


def assess(work, night):
    found = json.loads(job.here("-w", work, "assess", "--date", night, "--json").stdout)
    return {finding["control"]: finding for finding in found}


def record(work, row, *more, **options):
    return job.here(
        "-w", work, "review", "record", row["control"], row["item"], "--night", row["night"], "--reviewer", "Ivo",
        "--note", "a job that retries", *more, **options,
    )  # fmt: skip


def test_an_item_is_looked_at_recorded_and_counted(work):
    listed = json.loads(job.here("-w", work, "review", "list", "--json", codes=(7,)).stdout)["waiting"]
    row = next(row for row in listed if row["control"] == "monitor-bruteforce")
    assert row["overdue"]
    refused = record(work, row, "--disposition", "benign", codes=(2,))
    assert "one person alone" in refused.stderr
    assert "no item" in record(work, {**row, "item": "x"}, "--disposition", "confirmed", codes=(2,)).stderr
    stranger = record(work, row, "--disposition", "benign", "--second", "Eve", codes=(2,))
    assert "may not sign" in stranger.stderr
    leaky = record(work, row, "--disposition", "confirmed", "--note", "member 457-55-5462 called", codes=(2,))
    assert "ssn" in leaky.stderr
    assert not (work / "registers" / "dispositions.toml").exists()
    record(work, row, "--disposition", "benign", "--second", "Ole")
    job.here("-w", work, "assess", "--jobs", "1")
    finding = assess(work, row["night"])["monitor-bruteforce"]
    (disposed,) = finding["disposed"]
    assert (disposed["item"], disposed["outcome"], disposed["reviewer"]) == (row["item"], "late", "Ivo")
    assert row["item"] in [each["item"] for each in finding["exceptions"]]
    left = json.loads(job.here("-w", work, "review", "list", "--json", codes=(0, 7)).stdout)["waiting"]
    assert row not in left
    assert len(left) == len(listed) - 1
    assert "dispositions" in json.dumps([str(path) for path in (work / "store" / "registers").iterdir()])


def test_a_waiver_is_recorded_listed_and_refused_where_it_should_be(work):
    exceptions = {
        control: finding
        for control, finding in assess(work, "2026-07-06").items()
        if finding["status"] == "not-satisfied"
    }
    raw = exceptions["access-no-raw-grants"]
    item = raw["exceptions"][0]["item"]
    given = (
        "-w", work, "waive", "add", "W-1", "--control", "access-no-raw-grants", "--item", item, "--reason", "migration",
        "--requested-by", "Ivo", "--expires", "2030-01-01",
    )  # fmt: skip
    assert "does not approve" in job.here(*given, "--approved-by", "Ivo", codes=(2,)).stderr
    assert "makes up for it" in job.here(*given, "--approved-by", "Ole", codes=(2,)).stderr
    wide = job.here(
        *given, "--approved-by", "Ole", "--compensating-control", "quality-key-tests", "--item", "*", codes=(2,)
    )
    assert "exact items" in wide.stderr
    register = work / "registers" / "waivers.toml"
    register.write_text("# ours\n")
    job.here(
        *given, "--approved-by", "Ole", "--compensating-control", "quality-key-tests", "--approved-on", "2026-07-01"
    )
    assert register.read_text().startswith("# ours\n")
    again = job.here(*given, "--approved-by", "Ole", "--compensating-control", "quality-key-tests", codes=(3,))
    assert "stands twice" in again.stderr
    (row,) = json.loads(job.here("-w", work, "waive", "list", "--json").stdout)["waivers"]
    assert (row["id"], row["items"], row["in_force"]) == ("W-1", [item], True)
    assert "waived" not in assess(work, "2026-07-06")["access-no-raw-grants"]  # approved then, recorded only now
    text = register.read_text()
    register.write_text(text.replace(text.partition("recorded_at = ")[2].partition("\n")[0], "2026-07-02T00:00:00Z"))
    found = assess(work, "2026-07-06")["access-no-raw-grants"]
    assert [(each["item"], each["waiver"]) for each in found["waived"]] == [(item, "W-1")]
    assert found["status"] == "not-satisfied"


@pytest.mark.slow
def test_a_packet_carries_what_people_decided_and_can_be_re_performed(work):
    night = "2026-07-09"
    raw = assess(work, night)["access-no-raw-grants"]
    item = raw["exceptions"][0]["item"]
    (work / "registers" / "waivers.toml").write_text(
        f'[[waivers]]\nid = "W-7"\ncontrol = "access-no-raw-grants"\ncontrol_version = "{raw["version"]}"\nitems = [{json.dumps(item)}]\n'
        'reason = "migration"\ncompensating_control = "quality-key-tests"\nrequested_by = "Ivo"\napproved_by = "Ole"\n'
        "approved_on = 2026-07-01\nexpires = 2026-08-01\nrecorded_at = 2026-07-01T00:00:00Z\n"
    )
    (row,) = (
        row
        for row in json.loads(job.here("-w", work, "review", "list", "--json", codes=(7,)).stdout)["waiting"]
        if row["control"] == "monitor-bruteforce"
    )
    record(work, row, "--disposition", "confirmed")
    answer = (
        "--period", f"{night}..{night}", "--cause", "a migration", "--effect", "none found", "--action", "revoke", "--owner", "Ivo",
        "--due", "2026-12-01", "--signed-by", "Ole",
    )  # fmt: skip
    assert "no exception" in job.here("-w", work, "respond", "access-no-raw-grants", "x", *answer, codes=(2,)).stderr
    job.here("-w", work, "respond", "access-no-raw-grants", item, *answer)
    job.here("-w", work, "assess", "--period", f"{night}..{night}", "--jobs", "1")
    job.here("-w", work, "packet", "quarterly-hipaa", "--period", f"{night}..{night}")
    (packet,) = (work / "packets").glob("*.zip")
    assert "0 failed" in job.here("verify", packet, "--trust", work / "trust", "--reperform").stdout
    data = packet.with_suffix("") / "data"
    found = {each["control"]: each for each in json.loads((data / "findings.json").read_bytes())["nights"]}
    assert [each["waiver"] for each in found["access-no-raw-grants"]["waived"]] == ["W-7"]
    assert found["monitor-bruteforce"]["disposed"][0]["outcome"] == "confirmed"
    assert "quality-key-tests" in found  # of another framework, carried because it makes up for the waived item
    page = (data / "packet.html").read_text()
    assert "accepted under W-7 on 1 of 1 nights" in page
    assert "Looked at by people" in page
    assert "revoke; Ivo, due 2026-12-01" in page


def test_two_periods_are_compared_and_statements_recorded(work):
    first, second = "2026-07-01..2026-07-05", "2026-07-06..2026-07-09"
    assert "name the earlier" in job.here("-w", work, "compare", second, first, codes=(2,)).stderr
    assert "nothing is assessed" in job.here("-w", work, "compare", "2026-05", first, codes=(2,)).stderr
    found = json.loads(job.here("-w", work, "compare", first, second, "--json").stdout)
    assert {each["change"] for each in found["exceptions"]} >= {"new"}
    assert "promise" in job.here("-w", work, "compare", first, second).stdout
    document = work / "policy.pdf"
    document.write_bytes(b"approved")
    said = ("--statement", "Policies are in force", "--owner", "Ivo", "--signed-by", "Ole", "--effective", "2026-01-01")
    assert "no requirement" in job.here("-w", work, "attest", "add", "164.999", *said, codes=(2,)).stderr
    job.here("-w", work, "attest", "add", "164.316(a)", *said, "--file", document, "--next-due", "2026-11-01")
    assert "said of a time" in job.here("-w", work, "attest", "add", "no_incidents", *said, codes=(2,)).stderr
    job.here("-w", work, "attest", "add", "no_incidents", *said, "--period", "2026-Q3")
    rows = json.loads(job.here("-w", work, "attest", "list", "--json").stdout)["attestations"]
    said_of = {row["requirement"]: row for row in rows}
    assert rows[0]["requirement"] == "164.316(a)"  # what is due comes first
    assert rows[0]["document_sha256"] == hashlib.sha256(b"approved").hexdigest()
    assert said_of["no_incidents"]["period_end"] == "2026-09-30"
    assert "overdue" in job.here("-w", work, "attest", "list").stdout


def test_a_sample_is_drawn_sealed_and_drawn_again(work):
    asked = (
        "-w",
        work,
        "sample",
        "access-no-raw-grants",
        "--night",
        "2026-07-06",
        "--policy",
        "moderate",
        "--seed",
        "auditor 7",
        "--json",
    )
    first, again = (json.loads(job.here(*asked).stdout) for _ in range(2))
    assert first == again
    assert 0 < len(first["items"]) <= 60
    assert first["fingerprint"] == assess(work, "2026-07-06")["access-no-raw-grants"]["fingerprint"]
    assert len(list((work / "store" / "samples" / "access-no-raw-grants").rglob("*.json"))) == 2
    whole = json.loads(job.here(*asked[:4], "--period", "2026-07-06..2026-07-08", *asked[6:]).stdout)
    nights = {each["night"]: each for each in whole["nights"]}
    assert nights["2026-07-06"]["fingerprint"] == first["fingerprint"]
    assert whole["population"] == sum(each["population"] for each in nights.values())
    assert len(nights) + len(whole["not_tested"]) == 3
    assert "0 failed" in job.here("verify", work / "store", "--trust", work / "trust").stdout
    assert "no sampling policy" in job.here(*asked[:6], "--policy", "x", codes=(2,)).stderr
    assert "tested nothing" in job.here(*asked[:4], "--night", "2026-05-01", codes=(2,)).stderr


def test_a_population_is_handed_out_only_as_it_was_tested(work, tmp_path, monkeypatch):
    asked = ("export", "population", "access-no-raw-grants", "--period", "2026-07-06..2026-07-10")
    sealed = assess(work, "2026-07-06")["access-no-raw-grants"]
    said = json.loads(job.here("-w", work, *asked, "--out", tmp_path / "p.parquet", "--json").stdout)
    assert said["not_tested"].keys() == {"2026-07-10"}
    assert said["sha256"] == hashlib.sha256((tmp_path / "p.parquet").read_bytes()).hexdigest()
    raw = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert len(raw) == said["items"]
    night = sorted(row["item"].encode() for row in raw if row["night"].isoformat() == "2026-07-06")
    spelled = b"".join(b"%d:%s\n" % (len(item), item) for item in night)
    assert (len(night), hashlib.sha256(spelled).hexdigest()) == (sealed["population"], sealed["fingerprint"])
    noted = {(row["item"], row["reason"]) for row in raw if row["result"] == "exception" and row["night"].day == 6}
    assert noted == {(each["item"], each["reason"]) for each in sealed["exceptions"]}
    for name in ("p.csv", "p.xlsx"):
        job.here("-w", work, *asked, "--out", tmp_path / name)
    lines = list(csv.DictReader((tmp_path / "p.csv").open(newline="")))
    assert [(row["night"], row["item"], row["result"]) for row in lines] == [
        (row["night"].isoformat(), row["item"], row["result"]) for row in raw
    ]
    nights = list(csv.DictReader((tmp_path / "p.csv.nights.csv").open(newline="")))
    assert [row["night"][-2:] for row in nights] == ["06", "07", "08", "09", "10"]
    assert nights[0]["fingerprint"] == sealed["fingerprint"]
    assert (nights[-1]["status"], nights[-1]["population"]) == ("not assessed", "")
    book = openpyxl.load_workbook(tmp_path / "p.xlsx", read_only=True)
    assert book.sheetnames == ["About", "Nights", "Items"]
    rows = [row[:3] for row in book["Items"].iter_rows(min_row=3, values_only=True)]
    assert [(moment.date(), *rest) for moment, *rest in rows] == [(r["night"], r["item"], r["result"]) for r in raw]
    assert "there already" in job.here("-w", work, *asked, "--out", tmp_path / "p.csv", codes=(2,)).stderr
    assert "no format" in job.here("-w", work, *asked, "--out", tmp_path / "p.txt", codes=(2,)).stderr

    def fewer(*arguments):
        items, _ = population_of(*arguments)
        return items[1:], fingerprint(pa.array(items[1:]))

    monkeypatch.setattr(tested, "population_of", fewer)
    for command in ([*asked, "--out", str(tmp_path / "other.csv")], ["sample", *asked[2:]]):
        assert run(["-w", str(work), *command]) == 10
    assert not list(tmp_path.glob("*other*"))


def test_readiness_says_what_would_be_not_assessed(work):
    said = json.loads(
        job.here("-w", work, "status", "--readiness", "--period", "2026-07-01..2026-07-09", "--json").stdout
    )
    lacking = {row["control"]: row for row in said["not_ready"]}
    assert said["controls"] > 80
    assert "access-no-raw-grants" not in lacking
    assert lacking["monitor-evidence-integrity"]["not_assessed"] == 9
    assert "missing-evidence" in lacking["monitor-evidence-integrity"]["why"][0]
    shown = job.here("-w", work, "status", "--readiness", "--period", "2026-07-01..2026-07-09").stdout
    assert "monitor-evidence-integrity" in shown
    assert "has not begun" in job.here("-w", work, "status", "--readiness", "--period", "2031-Q1", codes=(2,)).stderr
