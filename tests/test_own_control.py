"""A stranger's control: the files of docs/formats/control.md, written as the page says, are picked up, linted, tested, judged and printed."""

import json
import re
from pathlib import Path

import job
import pytest

from evidence.demo import Size

PAGE = Path(__file__).parent.parent / "docs" / "formats" / "control.md"
FILE = re.compile(r"^`(controls/own/[^`]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
PERIOD = "2026-07-01..2026-07-02"
FRAMEWORK = {
    "framework": "house",
    "name": "House rules",
    "catalog_version": "1",
    "entries": [
        {
            "id": "H1", "citation": "House rule 1", "title": "Logins", "level": "rule", "gist": "Logins are somebody's.", "parent": None,
            "requirement": None, "category": "rules", "evidence_mode": "automated",
        }
    ],
}  # fmt: skip
REPORT = 'name = "house"\ntitle = "House rules"\nsubtitle = "Tested"\nframeworks = ["house"]\naudience = "internal"\npdf_rows = 10\nhtml_rows = 10\n'


@pytest.mark.slow
def test_the_control_of_the_page_works_as_the_page_says(tmp_path):
    work = tmp_path / "work"
    job.workspace(work, FEW, only=())
    files = FILE.findall(PAGE.read_text())
    assert len(files) == 5
    for name, text in files:
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    toml = work / "controls/own/org-owned-users/control.toml"
    toml.write_text(toml.read_text() + '\n[[maps]]\nframework = "house"\nrequirement = "H1"\nstrength = "primary"\n')
    (work / "controls" / "frameworks").mkdir()
    (work / "controls" / "frameworks" / "house.json").write_text(json.dumps(FRAMEWORK))
    (work / "reports").mkdir()
    (work / "reports" / "house.toml").write_text(REPORT)
    assert "0 problems" in job.here("-w", work, "controls", "lint").stdout
    assert ", 0 not" in job.here("-w", work, "controls", "test", "org-owned-users").stdout
    job.here("-w", work, "collect", "--jobs", "1")
    job.here("-w", work, "assess", "--period", PERIOD, "--jobs", "1")
    job.here("-w", work, "packet", "house", "--period", PERIOD)
    (packet,) = (work / "packets").glob("*.zip")
    assert "0 failed" in job.here("verify", packet, "--trust", work / "trust", "--reperform").stdout
    data = packet.with_suffix("") / "data"
    found = json.loads((data / "findings.json").read_bytes())["nights"]
    assert {each["control"] for each in found} == {"org-owned-users"}
    assert all(each["population"] > 50 for each in found)
    page = (data / "packet.html").read_text()
    assert "Every login has an address" in page
    assert "House rule 1" in page
