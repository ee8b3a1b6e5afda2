"""Hostile text in every text column of every dataset, in registers, system.toml and the entity's name: nothing runs, everything shows."""

import csv
import io
import json
import re
import subprocess

import job
import pikepdf
import pytest
from planted_text import HOSTILE, plant, plant_words
from servers.chromium import Page, browser_or_skip
from test_exports import judged

from evidence.demo import Size
from evidence.render import text
from evidence.render.annex import unpacked

pytestmark = [pytest.mark.slow, pytest.mark.chromium, pytest.mark.timeout(1800)]
FEW = Size(nights=1, users=60, roles=50, tables=160, columns=600, queries=120)
NIGHT = "2026-07-01"
ACTIONS = (
    "/JavaScript",
    "/JS",
    "/OpenAction",
    "/AA",
    "/Launch",
    "/SubmitForm",
    "/GoToR",
    "/GoToE",
    "/URI",
    "/RichMedia",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    work = tmp_path_factory.mktemp("planted") / "work"
    job.workspace(work, FEW)
    assert sum(plant(work / folder) for folder in ("exports", "recovery")) > 20_000
    plant_words(work)
    job.run("-w", work, "collect", "--jobs", "1", codes=(6,))
    job.run("-w", work, "assess", "--date", NIGHT, "--jobs", "1", codes=(0, 7, 8))
    job.run("-w", work, "packet", "quarterly-hipaa", "--period", f"{NIGHT}..{NIGHT}")
    (packet,) = (work / "packets").glob("*.zip")
    assert "0 failed" in job.run("verify", packet, "--trust", work / "trust", "--reperform").stdout
    return packet.with_suffix("") / "data"


def told(data):
    """Items and what was observed, of every exception and review of the findings."""
    findings = json.loads((data / "findings.json").read_bytes())
    runs = [run for period in findings["periods"] for part in ("exceptions", "reviews") for run in period[part]]
    return [(run["item"], run["observed"]) for run in runs]


def test_enough_of_it_reaches_findings(data):
    whole = "\n".join(f"{item}\n{observed}" for item, observed in told(data))
    assert sum(hostile in whole for hostile in HOSTILE) > len(HOSTILE) // 2


def test_files_of_rows_hold_it_raw(data):
    rows = list(csv.DictReader(io.StringIO((data / "findings.csv").read_bytes().decode(), newline="")))
    assert [(row["item"], row["observed"]) for row in rows] == told(data)
    page = (data / "packet.html").read_text()
    body = unpacked(re.search(r'id="annex-rows"[^>]*>([^<]+)<', page)[1])["columns"]
    for name, place in (("item", 0), ("observed", 1)):
        column = body[name]
        shown = [column["words"][k] for k in column["at"]] if "words" in column else column["values"]
        assert shown == [text.escape_invisible(each[place]) for each in told(data)]


def test_other_tools_take_it(data):
    assert judged(("oscal", data / "oscal.json"), ("ocsf", data / "ocsf.json")) == [[], []]


def test_pdf_acts_on_nothing_and_shows_it(data):
    with pikepdf.open(data / "packet.pdf") as document:
        assert sorted(document.attachments) == ["evidence-digests.json", "findings.json"]
        for thing in document.objects:
            if isinstance(thing, pikepdf.Dictionary):
                assert not {str(key) for key in thing} & set(ACTIONS)
                assert str(thing.get("/S", "")) not in ACTIONS
    done = subprocess.run(["pdftotext", "-raw", data / "packet.pdf", "-"], capture_output=True, text=True, check=True)
    printed = re.sub(r"\s+", "", done.stdout)
    for sample in (
        "<script>alert(10)</script>{{7*7}}&Co",
        "javascript:alert(6)",
        "=cmd|'/CcalcA'".replace("A'", "'!A0"),
    ):
        assert sample in printed, sample
    assert "49" not in re.findall(r"Fernhollow[^\n]{0,60}", done.stdout)


def test_page_runs_nothing_and_asks_for_nothing(data):
    browser_or_skip()
    rows = len(told(data))
    with Page() as page:
        page.open(data / "packet.html")
        page.until("document.body.dataset.ready", 60)
        assert page.run("document.querySelector('#rows-table output').textContent").endswith(f"of {rows:,}")
        for number in range(1, rows + 1, max(1, rows // 150)):
            page.run(f"location.hash = '#row-{number}'")
            page.until(f"document.getElementById('drill').open && location.hash === '#row-{number}'")
        page.run("drill.close()")
        for hostile in HOSTILE:
            page.run(f"(() => {{ field.q.value = {json.dumps(hostile[:100])}; apply(); }})()")
        assert page.run(
            "[typeof window.pwned, document.querySelectorAll('img, iframe, base, link, object, embed').length]"
        ) == ["undefined", 0]
        assert page.run("document.querySelectorAll('script:not([type])').length") == 1
        assert [a for a in page.requests if not a.startswith(("file:", "data:font/woff2;base64,"))] == []
        assert page.log == []
        page.look(360, 800)
        assert page.run("document.documentElement.scrollWidth") == 360
