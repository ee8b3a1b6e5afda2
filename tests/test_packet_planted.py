"""Hostile text in every text column of every dataset, in registers, system.toml, owners.toml, a request and a response: nothing runs, everything shows."""

import csv
import datetime as dt
import io
import json
import re
import subprocess
import tomllib
import zipfile
from xml.etree import ElementTree as ET

import job
import openpyxl
import pikepdf
import pyarrow.parquet as pq
import pytest
from openpyxl.utils.escape import unescape
from planted_text import HOSTILE, plant, plant_words
from servers.chromium import Page, browser_or_skip
from test_exports import judged

from evidence.cli.assess_command import sealed_periods
from evidence.cli.workspace import Workspace
from evidence.demo import Size
from evidence.render import text
from evidence.render.annex import unpacked
from evidence.render.records import COLUMNS
from evidence.render.worksheets import FINDINGS

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


SAID = [
    each for each in HOSTILE if len(each) < 500 and each.strip() == each and "\n" not in each
]  # as one argument or cell
PLAIN = " | ".join(each for each in SAID if each.isprintable())  # what nobody sees is refused in a list
NUMBER = "PBC-1"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    work = tmp_path_factory.mktemp("planted") / "work"
    job.workspace(work, FEW)
    assert sum(plant(work / folder) for folder in ("exports", "recovery")) > 20_000
    plant_words(work)
    job.run("-w", work, "collect", "--jobs", "1", codes=(6,))
    job.run("-w", work, "assess", "--date", NIGHT, "--jobs", "1", codes=(3,))  # what is planted stands more than once
    return work


@pytest.fixture(scope="module")
def responded(work):
    """One answer of management to an exception whose item is hostile too."""
    found = sealed_periods(Workspace.open(work), [dt.date.fromisoformat(NIGHT)])
    control, run = next((f.control, run) for f in found for run in f.exceptions if any(h in run.item for h in SAID))
    answer = dict(zip(("cause", "effect", "action", "owner", "signed_by"), SAID, strict=False))
    words = [f"--{name.replace('_', '-')}={value}" for name, value in answer.items()]
    asked = (f"--period={NIGHT}..{NIGHT}", f"--reason={run.reason}", "--due=2026-08-01", *words)
    job.run("-w", work, "respond", *asked, "--", control, run.item)
    return {"control": control, "item": run.item, "reason": run.reason, **answer}


@pytest.fixture(scope="module")
def data(work, responded):
    job.run("-w", work, "packet", "quarterly-hipaa", "--period", f"{NIGHT}..{NIGHT}")
    (packet,) = (path for path in (work / "packets").glob("*.zip") if "request" not in path.name)
    assert "0 failed" in job.run("verify", packet, "--trust", work / "trust", "--reperform").stdout
    return packet.with_suffix("") / "data"


@pytest.fixture(scope="module")
def answer(work, responded, tmp_path_factory):
    """The packet of one request: asked, and answered, in hostile words."""
    asked = tmp_path_factory.mktemp("asked") / "list.csv"
    with asked.open("w", newline="") as file:
        csv.writer(file).writerows([["number", "inquiry"], [NUMBER, PLAIN]])
    job.run("-w", work, "requests", "import", asked, f"--asked-by={SAID[5]}")
    exhibit = f"--exhibit=control:{responded['control']}"
    job.run("-w", work, "requests", "answer", NUMBER, f"--by={SAID[6]}", f"--answer={PLAIN}", exhibit)
    ask = ("packet", "quarterly-hipaa", "--request", NUMBER, "--period", f"{NIGHT}..{NIGHT}")
    job.run("-w", work, *ask, "--out", asked.parent)
    (packet,) = asked.parent.glob("*.zip")
    assert "0 failed" in job.run("verify", packet, "--trust", work / "trust", "--reperform").stdout
    return packet.with_suffix("") / "data"


def sheets(data):
    """Return the text of every cell of packet.xlsx by sheet, once nothing in the file is more than a value."""
    with zipfile.ZipFile(data / "packet.xlsx") as parts:
        for name in parts.namelist():
            body = parts.read(name)
            assert b"TargetMode" not in body, name
            assert not re.search("vba|external|embeddings|sheets/_rels|connections", name), name
            tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(body).iter()}
            assert not tags & {"f", "hyperlink", "hyperlinks", "r", "drawing", "oleObjects", "dataValidations"}, name
    book = openpyxl.load_workbook(data / "packet.xlsx")
    return {
        each.title: [[unescape(c) if isinstance(c, str) else c for c in row] for row in each.iter_rows(min_row=3, values_only=True)]
        for each in book.worksheets
    }  # fmt: skip


def shown(value):
    return text.escape_invisible(value)


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

    table = pq.read_table(data / "findings.parquet", columns=["item", "observed"]).to_pylist()
    assert [(row["item"], row["observed"]) for row in table] == told(data)


def test_the_workbook_calculates_nothing_links_nowhere_and_shows_it(work, data, responded):
    book = sheets(data)
    cells = [(row[COLUMNS.index("item")], row[COLUMNS.index("observed")]) for row in book[FINDINGS]]
    wanted = [tuple(shown(each) or None for each in pair) for pair in told(data)]
    assert [(a[:30_000], b and b[:30_000]) for a, b in cells] == [(a[:30_000], b and b[:30_000]) for a, b in wanted]
    (row,) = book["Responses"]
    assert {shown(value) for value in responded.values()} <= set(row)
    owners = {each["owner"] for each in tomllib.loads((work / "owners.toml").read_text())["owners"]}
    named = {row[4] for row in book["Controls"]} - {None}
    assert named <= {shown(owner) for owner in owners}
    assert sum(any(shown(hostile) in owner for hostile in HOSTILE) for owner in named) > 5
    assert any("Fernhollow <script>alert(10)</script> {{7*7}} & Co" in row for row in book["About"])


def test_trends_and_answers_are_text_too(data, answer, responded):
    json.loads((data / "trends.json").read_bytes())
    (row,) = sheets(answer)["Requests"]
    said = shown(PLAIN)
    assert row.count(said) == 2, "inquiry and answer"
    assert {NUMBER, shown(SAID[5]), shown(SAID[6])} <= set(row)
    request = json.loads((answer / "request.json").read_bytes())
    assert request["inquiry"] == request["answer"] == PLAIN
    for folder in (data, answer):
        printed = subprocess.run(["pdftotext", "-raw", folder / "packet.pdf", "-"], capture_output=True, text=True, check=True).stdout  # fmt: skip
        for name in ("cause", "owner", "signed_by"):
            assert re.sub(r"\s", "", responded[name]) in re.sub(r"\s", "", printed), name


def test_other_tools_take_it(data):
    assert judged(("oscal", data / "oscal.json"), ("ocsf", data / "ocsf.json")) == [[], []]


def test_pdf_acts_on_nothing_and_shows_it(data, answer):
    for folder in (data, answer):
        with pikepdf.open(folder / "packet.pdf") as document:
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


def test_the_page_of_an_answer_runs_nothing_either(answer):
    browser_or_skip()
    with Page() as page:
        page.open(answer / "packet.html")
        page.until("document.body.dataset.ready", 60)
        assert page.run("[typeof window.pwned, document.querySelectorAll('img, iframe, base, link').length]") == [
            "undefined",
            0,
        ]
        assert SAID[2] in page.run("document.body.textContent")
        assert [a for a in page.requests if not a.startswith(("file:", "data:font/woff2;base64,"))] == []
        assert page.log == []
