"""The whole job on three nights of the demo account; tests/test_main_job.py (slow) runs the quarter."""

import json
import zipfile

import job
import pyarrow.parquet as pq
import pytest

from evidence.demo import Size

FEW = Size(nights=3, users=60, roles=50, tables=160, columns=600, queries=120)
PERIOD = "2026-07-01..2026-07-03"


@pytest.mark.timeout(900)  # 80 s of a quiet processor
def test_three_nights_end_in_a_packet_whose_findings_are_the_answer_key(tmp_path):
    work = tmp_path / "work"
    key = job.workspace(work, FEW)
    job.run("-w", work, "collect", "--jobs", "1")
    job.assess(work, FEW.start, FEW.night(FEW.nights - 1), jobs="1")
    job.run("-w", work, "packet", "quarterly-soc2", "--period", PERIOD)
    (packet,) = (work / "packets").glob("*.zip")
    trust = ("--trust", work / "trust")
    assert "0 failed" in job.run("verify", packet, *trust, "--reperform").stdout
    assert "0 failed" in job.run("verify", work / "store", *trust).stdout
    found = json.loads((packet.with_suffix("") / "data" / "findings.json").read_bytes())
    mine = {(f["control"], f["night"]): job.spelled(f) for f in found["nights"]}
    assert mine == job.answers(key)
    assert {p["control"]: job.period(p) for p in found["periods"]} == {
        c: b["period"] for c, b in key["controls"].items()
    }
    loosened = next(p for p in found["periods"] if p["control"] == "identity-dormant")
    assert [s["parameters"]["max_idle_days"] for s in loosened["stretches"]] == [90, 120]
    change = f"Another rule from {loosened['stretches'][1]['start']} on"
    assert change in (packet.with_suffix("") / "data" / "packet.html").read_text()
    planted = [line.encode() for line in (work / "planted-phi.txt").read_text().splitlines() if line]
    data = packet.with_suffix("") / "data"
    pages = [path.read_bytes() for path in data.iterdir() if path.suffix in {".html", ".csv", ".json", ".md", ".txt"}]
    assert len(pages) > 6
    with zipfile.ZipFile(data / "packet.xlsx") as sheets:
        pages += [sheets.read(name) for name in sheets.namelist()]
    pages.append(str(pq.read_table(data / "findings.parquet").to_pylist()).encode())
    assert planted
    assert not [datum for datum in planted if any(datum in page for page in pages)]
    before = job.open_log(work).size
    job.run("-w", work, "collect", "--jobs", "1")
    assert job.open_log(work).size == before
