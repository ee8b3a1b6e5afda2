"""All four reports from one small workspace, as a user runs them: rendered, verified, performed again."""

import datetime as dt
import json
import re

import job
import openpyxl
import pytest

from evidence.demo import Size
from evidence.review.workbook import COLUMNS, DECIDE

FEW = Size(nights=3, users=60, roles=50, tables=160, columns=600, queries=60)
PERIOD = "2026-07-01..2026-07-03"
ONLY = {"access-review-signoff", "access-sod", "access-admin-count", "identity-dormant", "identity-mfa-humans", "data-phi-mask-coverage"}  # fmt: skip
OURS = """name = "ours"
title = "Dormant logins"
subtitle = "One control and nothing else"
frameworks = ["soc2"]
controls = ["identity-dormant"]
sections = ["controls"]
audience = "internal"
exhibits = "referenced"
"""


def decide(work, path):
    """Keep all, revoke one role, leave out one row; recorded on the second night, as far as the register tells."""
    job.run("-w", work, "access-review", "export", "--night", "2026-07-01", "-o", path, "--used-nights", "1")
    book = openpyxl.load_workbook(path)
    for number, line in enumerate(book[DECIDE].iter_rows(min_row=2)):
        row = dict(zip(COLUMNS, line, strict=True))
        row["Decision"].value = "" if number == 9 else "revoke" if row["Access"].value == "ORGADMIN" else "keep"
        if row["Holder"].value.startswith("TOBIAS"):
            row["Decision"].value = ""
    book.save(path)
    told = json.loads(
        job.run("-w", work, "access-review", "import", path, "--reviewer", "Tobias Renwick", "--json").stdout
    )
    register = work / "registers" / "access_decisions.toml"
    body = register.read_text()
    register.write_text(re.sub(rf"decided_at = {dt.datetime.now(dt.UTC).date()}T", "decided_at = 2026-07-03T", body))
    return told


@pytest.mark.slow
@pytest.mark.timeout(1700)  # two of the packets have a page for every control of the library
def test_all_four_reports_verify_and_are_performed_again(tmp_path):
    work, trust = tmp_path / "work", ("--trust", tmp_path / "work" / "trust")
    job.workspace(work, FEW, only=ONLY)
    job.run("-w", work, "collect", "--jobs", "1")
    told = decide(work, tmp_path / "review.xlsx")
    job.run("-w", work, "check")
    job.run("-w", work, "assess", "--period", PERIOD, "--jobs", "1")
    (work / "reports").mkdir()
    (work / "reports" / "ours.toml").write_text(OURS)
    made = {}
    for report, period in (
        ("access-review", ("--period", PERIOD)),
        ("nightly-brief", ("--night", "2026-07-02")),
        ("ours", ("--period", PERIOD)),
        ("quarterly-hipaa", ("--period", PERIOD)),
        ("quarterly-soc2", ("--period", PERIOD)),
    ):
        told_of = json.loads(job.run("-w", work, "packet", report, *period, "--no-recount", "--json").stdout)
        made[report] = told_of["folder"]
        assert told_of["omissions"] == []
        said = job.run("verify", told_of["zip"], *trust, "--reperform").stdout
        assert "0 failed" in said
        assert ("not checked  re-performance" in said) == (report == "ours"), said
    folders = {name: tmp_path / "work" / "packets" / folder for name, folder in made.items()}

    page = (folders["access-review"] / "data/packet.html").read_text()
    assert f"{told['rows']:,} rows, who held what on the night of 2026-07-01" in page
    assert "removal due later" in page
    lists = list((folders["access-review"] / "data/evidence/_access-review").glob("*/object.json"))
    assert [json.loads(each.read_bytes())["population"] for each in lists] == [told["rows"]]
    rows = (folders["access-review"] / "data/access-review.csv").read_text().splitlines()
    assert len(rows) > told["rows"]

    night = json.loads((folders["nightly-brief"] / "data/night.json").read_bytes())
    findings = json.loads((folders["nightly-brief"] / "data/findings.json").read_bytes())
    assert len(night["open"]) == sum(len(f["exceptions"]) for f in findings["nights"])
    assert (night["before"], night["before_assessed"]) == ("2026-07-01", True)
    assert len(list((folders["nightly-brief"] / "data/evidence/_assessment").iterdir())) == 2
    assert list((folders["ours"] / "data/controls").glob("identity-dormant/control.sql"))
    assert (folders["ours"] / "data/evidence/referenced.txt").read_text()

    refused = job.run("-w", work, "packet", "nightly-brief", "--period", PERIOD, codes=(2,))
    assert "is about one night" in refused.stderr
    (work / "reports" / "ours.toml").write_text(OURS.replace('["controls"]', '["charts"]'))
    assert "no section charts" in job.run("-w", work, "packet", "ours", "--period", PERIOD, codes=(3,)).stderr
