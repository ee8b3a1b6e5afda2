"""The whole job on the small demo account: every line of it, the answer key item by item, and what must not be in it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import job
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.demo import SMALL, size_named

PERIOD = "2026-Q3"
SECOND_HALF = "2026-08-16..2026-09-30"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1700)]  # tests/test_short_job.py runs the same on few nights


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A workspace on which the whole job ran once."""
    folder = tmp_path_factory.mktemp("job") / "work"
    job.run("init", folder, "--demo", "--size", "small")
    job.run("-w", folder, "collect", codes=(5,))  # two nights are planted as denied
    job.assess(folder, SMALL.start, SMALL.night(SMALL.nights - 1))
    for report in ("quarterly-hipaa", "quarterly-soc2"):
        job.run("-w", folder, "packet", report, "--period", PERIOD)
    return folder


@pytest.fixture(scope="module")
def packet(demo):
    (zip_file,) = (demo / "packets").glob("*hipaa*.zip")
    return zip_file


def periods(folder):
    return {f["control"]: f for body in bodies(folder) for f in body["periods"]}


def findings(folder):
    return {(f["control"], f["night"]): f for body in bodies(folder) for f in body["nights"]}


def bodies(folder):
    paths = [
        path for report in ("hipaa", "soc2") for path in (folder / "packets").glob(f"*{report}*/data/findings.json")
    ]
    assert len(paths) == 2
    return [json.loads(path.read_bytes()) for path in paths]


def test_findings_equal_the_answer_key_item_by_item(demo):
    key = json.loads((demo / "answer-key.json").read_text())
    found = findings(demo)
    wrong = []
    for control, answers in key["controls"].items():
        assert len(answers["nights"]) == SMALL.nights
        for night, answer in answers["nights"].items():
            mine = job.spelled(found[control, night])
            if mine != answer:
                wrong.append(f"{control} {night}: key {answer} found {mine}")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:40])
    assert {control for control, _ in found} == set(key["controls"]), "no control is without an answer"


@pytest.mark.parametrize("name", ["week", "month"])
def test_what_make_demo_and_its_month_find_is_their_answer_key(tmp_path, name):
    """These accounts are wider than the small one: what is drawn there must not add to what is planted."""
    size, work = size_named(name), tmp_path / "work"
    job.run("init", work, "--demo", "--size", name)
    job.run("-w", work, "collect", codes=(0, 5))
    job.assess(work, size.start, size.night(size.nights - 1))
    found = [json.loads(path.read_bytes()) for path in (work / "store" / "findings").rglob("*.json")]
    mine = {(f["control"], f["night"]): job.spelled(f) for body in found for f in body["findings"]}
    key = json.loads((work / "answer-key.json").read_text())
    theirs = job.answers(key)
    assert len(theirs) == size.nights * len(key["controls"])
    assert {each: (mine.get(each), answer) for each, answer in theirs.items() if mine.get(each) != answer} == {}


def test_every_interval_of_the_period_equals_the_answer_key(demo):
    """First and last seen, nights, days open, gone when, and on how many nights a waiver accepted it."""
    key = json.loads((demo / "answer-key.json").read_text())
    found = periods(demo)
    wrong = [c for c, body in key["controls"].items() if job.period(found[c]) != body["period"]]
    assert wrong == []
    runs = [run for body in key["controls"].values() for run in body["period"]["intervals"]]
    assert {run["waived_nights"] for run in runs if run.get("waivers") == ["W-2026-002"]} == {5}, (
        "asked for on the sixth of ten nights"
    )


def test_a_loosened_control_splits_the_period(demo, packet):
    """What it accepts from then on is gone on the day of the change, and the packet says that the rule changed."""
    finding = periods(demo)["identity-dormant"]
    assert [s["parameters"]["max_idle_days"] for s in finding["stretches"]] == [90, 120]
    change = finding["stretches"][1]["start"]
    assert change in {run["remediated_on"] for run in finding["exceptions"]}
    page = (packet.with_suffix("") / "data" / "packet.html").read_text()
    assert f"Another rule from {change} on" in page
    assert "carrier/PERPETUA.ELMSWORTH</span>: The last use lies further back than the limit." in page, (
        "noted by the old rule alone"
    )


def test_every_control_is_satisfied_somewhere_and_most_fail_somewhere(demo):
    statuses = {}
    key = json.loads((demo / "answer-key.json").read_text())
    for (control, _), finding in findings(demo).items():
        if control in key["controls"]:
            statuses.setdefault(control, set()).add(finding["status"])
    assert len(statuses) == 102
    assert statuses.pop("monitor-pipeline-state") == {"not-assessed"}, "nobody recorded those nights"
    assert all("satisfied" in seen for seen in statuses.values())
    assert all("not-satisfied" in seen for seen in statuses.values())


def test_doing_it_again_seals_nothing(demo):
    before = job.open_log(demo).size
    job.run("-w", demo, "collect", "--jobs", "1", codes=(0, 5, 6))
    job.run("-w", demo, "assess", "--period", SECOND_HALF)  # by the overlay that is in force
    assert job.open_log(demo).size == before


def test_the_store_and_the_packet_verify_and_the_findings_come_out_again(demo, packet):
    trust = ("--trust", demo / "trust")
    assert "0 failed" in job.run("verify", demo / "store", *trust).stdout
    done = job.run("verify", packet, *trust, "--reperform")
    assert "verified" in done.stdout
    assert "0 failed" in done.stdout


def test_a_packet_under_other_keys_is_not_verified(demo, packet, tmp_path):
    job.run("init", tmp_path / "other")
    done = job.run("verify", packet, "--trust", tmp_path / "other" / "trust", codes=(10,))
    assert "NOT VERIFIED" in done.stdout


def test_pdfsig_finds_one_signature_over_the_whole_document(packet):
    pdf = packet.with_suffix("") / "data" / "packet.pdf"
    assert shutil.which("pdfsig"), "apt-get install poppler-utils"
    done = subprocess.run(["pdfsig", pdf], capture_output=True, text=True, check=False)
    assert "Signature is Valid" in done.stdout
    assert "Total document signed" in done.stdout
    assert done.stdout.count("Signature #") == 1


def test_no_planted_health_datum_is_in_store_packets_or_logs(demo):
    planted = [line for line in (demo / "planted-phi.txt").read_text().splitlines() if line]
    assert len(planted) > 100
    searched = 0
    for root in ("store", "packets", ".evidence"):
        for path in (demo / root).rglob("*"):
            if path.is_file() and path.suffix != ".zip":  # a packet's zip holds the same files as its folder
                text = texts_of(path)
                searched += len(text)
                hits = [datum for datum in planted if datum.encode() in text]
                assert not hits, f"{path} holds {len(hits)} planted values"
    assert searched > 10_000_000


def texts_of(path: Path) -> bytes:
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pq.read_table(path)
    columns = [column.cast(pa.string()) for column in table.columns if pa.types.is_string(column.type)]
    plain = "\n".join(value for column in columns for value in column.unique().to_pylist() if value)
    nested = [column for column in table.columns if pa.types.is_nested(column.type)]
    return (plain + json.dumps([column.to_pylist() for column in nested], default=str)).encode()


def test_the_planted_data_are_in_the_exports(demo):
    """The search above can find: the same search over the exports hits."""
    planted = [line.encode() for line in (demo / "planted-phi.txt").read_text().splitlines() if line]
    text = b"".join(
        texts_of(p) for p in sorted((demo / "exports" / "snowflake" / "query_history").rglob("*.parquet"))[:20]
    )
    assert sum(datum in text for datum in planted) > 10


def test_status_and_query_and_controls_speak_json(demo):
    rows = json.loads(job.run("-w", demo, "status", "--period", PERIOD, "--json").stdout)["datasets"]
    by_name = {row["dataset"]: row for row in rows}
    assert by_name["snowflake.policy_references"]["denied"] == 2
    assert by_name["snowflake.users"]["complete"] >= 90
    sql = "select count(*) as n from snowflake.users where disabled is distinct from 'true'"
    (row,) = json.loads(job.run("-w", demo, "query", sql, "--as-of", "2026-07-10", "--json").stdout)
    assert row["n"] > 30
    listed = json.loads(job.run("-w", demo, "controls", "list", "--json").stdout)
    assert len(listed) == 102


def test_a_query_that_is_no_select_is_refused(demo):
    for sql in ("copy (select 1) to 'x'", "select 1; select 2", "select * from read_csv('/etc/passwd')"):
        done = job.run("-w", demo, "query", sql, codes=(3,))
        assert "ControlError" in done.stderr


def test_doctor_says_what_works(demo):
    done = job.run("-w", demo, "doctor")
    assert not re.search(r"^fail", done.stdout, re.MULTILINE)


def test_two_collectors_at_once_one_waits_outside(demo):
    first = job.start("-w", demo, "collect", "--jobs", "1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        second = job.start("-w", demo, "collect", "--jobs", "1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        codes = {first.wait(120), second.wait(120)}
    finally:
        first.kill()
    assert codes <= {0, 5, 6, 75}
    assert "0 failed" in job.run("verify", demo / "store", "--trust", demo / "trust").stdout


def test_a_packet_is_refused_before_its_nights_are_assessed(tmp_path):
    job.run("init", tmp_path / "empty", "--demo", "--size", "none")
    done = job.run("-w", tmp_path / "empty", "packet", "quarterly-hipaa", "--period", PERIOD, codes=(11,))
    assert "evidence assess" in done.stderr
