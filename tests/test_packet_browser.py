"""The HTML packet in a real Chromium: no request, no error; filters, the way from an item to its receipt, and what people need."""

import datetime as dt
import hashlib
import json
import subprocess
import time
from dataclasses import replace

import pytest

from evidence.packet import _content
from evidence.render import html, text
from evidence.render.annex import first_records
from evidence.render.inputs import Response
from evidence.render.records import findings_csv
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, packet_key
from tests.hostile import CORPUS
from tests.paper import POINTS, faults, headings_of, torn
from tests.servers import axe
from tests.servers.chromium import Page, browser_or_skip
from tests.test_reports import brief_content, campaign, content_of, review_content

pytestmark = pytest.mark.chromium
OPEN = "document.getElementById('drill').open"
TITLE = "document.getElementById('drill-title').textContent"
ROWS = "document.querySelector('#rows-table output').textContent"
READY = "document.body.dataset.ready"
MATCHING = "[...document.querySelectorAll('article.control')].filter(a => !a.hidden).map(a => a.id)"


@pytest.fixture(scope="module", autouse=True)
def _browser():
    browser_or_skip()


@pytest.fixture(scope="module", autouse=True)
def _small_blocks():
    """Tables of a page come in blocks of thousands of rows: here every one has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evidence.render.annex.BLOCK", 20)
        yield


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=16)
    owned = [replace(c, owner="Ingrid Solvang" if c.family == "identity" else "") for c in inputs.controls]
    key, _ = packet_key()
    return _content(replace(inputs, controls=owned), key, "PKT-1", (), findings_csv(inputs.periods))


def written(content, folder):
    path = folder / "packet.html"
    path.write_bytes(html.render_screen(content, TEMPLATES))
    return path


def opened(page, path):
    page.open(path)
    page.until(READY)


def asked_elsewhere(page):
    return [address for address in page.requests if not address.startswith(("file:", "data:font/woff2;base64,"))]


def choose(page, **values):
    page.run(f"(() => {{ for (const [k, v] of Object.entries({json.dumps(values)})) field[k].value = v; apply(); }})()")


def option(page, field, words):
    return page.run(f"[...field.{field}.options].find(o => o.textContent.includes({json.dumps(words)})).value")


def follow(page, address, title):
    page.run(f"location.hash = {json.dumps(address)}")
    page.until(f"{OPEN} && {TITLE}.includes({json.dumps(title)})")


def test_from_a_requirement_to_a_receipt_without_a_request(content, tmp_path):
    with Page() as page:
        opened(page, written(content, tmp_path))
        everything = sum(len(p.exceptions) + len(p.reviews) for p in content.periods)
        assert page.run(ROWS).endswith(f"of {everything}")
        choose(page, r=option(page, "r", "164.312(d)"))
        assert page.run(MATCHING) == ["identity-mfa-humans", "identity-service-keypair"]
        choose(page, s="not-satisfied", v="critical", w=option(page, "w", "Ingrid"), k="open")
        assert page.run(MATCHING) == ["identity-mfa-humans"]
        (finding,) = (p for p in content.periods if p.control == "identity-mfa-humans")
        still = [i for i in finding.exceptions if i.open]
        assert page.run(ROWS).startswith(f"Rows 1 to {len(still)} of {len(still)}, out of")
        choose(page, q=still[-1].item)
        page.run("document.querySelector('#rows-table .item a').click()")
        page.until(f"{OPEN} && {TITLE} === {json.dumps(still[-1].item)}")
        page.run("document.querySelector('#drill-body .paged .date a').click()")
        night = still[-1].first_seen.isoformat()
        page.until(f"{TITLE} === 'identity-mfa-humans, {night}'")
        page.run("document.querySelector('#drill-body .paged .item a').click()")
        (used,) = next(n for n in content.nights if (n.control, n.night.isoformat()) == (finding.control, night)).inputs
        page.until(f"{TITLE} === '{used.dataset}, {used.night}'")
        said = page.run("document.getElementById('drill-body').innerText")
        assert used.manifest_sha256 in said
        assert f"data/evidence/carrier/{used.dataset}/{used.night}/r0/" in said
        page.press("Escape", 27)
        page.until(f"!{OPEN}")
        assert asked_elsewhere(page) == []
        assert page.log == []


def test_a_night_that_was_not_assessed_shows_no_noughts(content, tmp_path):
    night = content.nights[0]
    changes = {
        "reason": "denied",
        "detail": "denied: snowflake.users",
        "population": 0,
        "passed": 0,
        "exceptions": (),
        "reviews": (),
    }
    lacking = replace(night, status="not-assessed", **changes)
    with Page() as page:
        opened(page, written(replace(content, nights=(lacking, *content.nights[1:])), tmp_path))
        follow(page, f"#night-{night.control}-{night.night}", night.control)
        said = page.run("document.querySelector('#drill-body .facts').innerText").replace("\t", " ")
        assert "Why denied: snowflake.users" in said
        assert "Population not tested" in said
        assert "0 exceptions" not in said
        assert "Noted" not in said


def _checker(folder):
    """Return the checker, and an expression that runs it and gives impact, rule and element of each violation."""
    rules = json.dumps({"runOnly": list(axe.STANDARDS), "resultTypes": ["violations"]})
    return axe.source(
        folder
    ), f"axe.run(document, {rules}).then(r => r.violations.map(v => [v.impact, v.id, v.nodes[0].html]))"


def _grave(page, check):
    return [v for v in page.run(check) if v[0] in {"serious", "critical"}]


# what scrolls under the bar or is not laid out yet cannot be judged: without these axe passes over half of the text
PLAIN = (
    "document.querySelector('.bar').style.position = 'static';"
    "for (const each of document.querySelectorAll('.control')) each.style.contentVisibility = 'visible'; 0"
)
WINDOWS = ((1280, False), (1280, True), (360, False))


@pytest.mark.slow
def test_no_serious_accessibility_violation(content, tmp_path):
    checker, check = _checker(tmp_path)
    some = [c.id for c in content.controls[:4]]  # the checker needs half a minute for each thousand cells
    controls, periods = content.controls[:4], tuple(p for p in content.periods if p.control in some)
    path = written(replace(content, controls=controls, periods=periods), tmp_path)
    with Page() as page:
        for width, dark in WINDOWS:
            page.look(width, 900, dark=dark)
            opened(page, path)
            page.run(PLAIN)
            page.run(checker + ";0")
            assert _grave(page, check) == []
            assert page.run("document.documentElement.scrollWidth") == width, "nothing sticks out sideways"
            for address, title in (
                ()
                if width < 500
                else (("#row-5", ""), ("#night-identity-dormant-2026-07-09", "2026-07-09"), ("#receipt-3", ","))
            ):
                follow(page, address, title)
                assert _grave(page, check) == []
            page.run("drill.close()")
        page.run("document.querySelector('label[for=q]').remove()")
        assert any(v[1] == "label" for v in page.run(check)), "the checker sees what is wrong"
        assert page.log == []


@pytest.mark.slow
@pytest.mark.parametrize("report", ["quarterly-soc2", "access-review", "nightly-brief"])
def test_the_other_reports_have_none_either(report, tmp_path):
    checker, check = _checker(tmp_path)
    folder = tmp_path / "parts"
    folder.mkdir()
    content = (
        brief_content(folder)
        if report == "nightly-brief"
        else review_content(folder, campaign(8), campaign(3, list_sha256="", entry=None, night=None))
        if report == "access-review"
        else content_of(report, folder, count=4)
    )
    some = [c.id for c in content.controls[:4]]
    controls, periods = content.controls[:4], tuple(p for p in content.periods if p.control in some)
    with Page() as page:
        for width, dark in WINDOWS:
            page.look(width, 900, dark=dark)
            opened(page, written(replace(content, controls=controls, periods=periods), tmp_path))
            page.run(PLAIN)
            page.run(checker + ";0")
            assert _grave(page, check) == []
            assert page.run("document.documentElement.scrollWidth") == width, "nothing sticks out sideways"
            lost = "[...document.querySelectorAll('main a[href^=\"#\"], nav a')].map(a => a.hash.slice(1))"
            assert (
                page.run(f"{lost}.filter(id => !/^(night|row|receipt)-/.test(id) && !document.getElementById(id))")
                == []
            )
        assert page.log == []


@pytest.mark.slow
def test_cards_of_a_brief_share_pages_and_none_is_broken_by_one(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    content = brief_content(folder)
    with Page() as page:
        opened(page, written(content, tmp_path))
        page.paper(tmp_path / "page.pdf")
    pages = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout.split("\f")
    words = [" ".join(each.split()) for each in pages]
    assert len(words) - 1 < len(content.controls), "a page holds several cards"
    for control in content.controls:
        title, statement = " ".join(control.title.split()), " ".join(control.statement.split())
        assert any(title in each and statement in each for each in words), control.id


@pytest.mark.slow
@pytest.mark.parametrize("report", ["quarterly-hipaa", "quarterly-soc2", "access-review", "nightly-brief"])
def test_no_printed_page_is_nearly_empty_and_no_heading_stands_alone(report, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    content = (
        brief_content(folder)
        if report == "nightly-brief"
        else review_content(folder, campaign(30))
        if report == "access-review"
        else content_of(report, folder, count=92)
    )
    path = written(content, tmp_path)
    with Page() as page:
        opened(page, path)
        page.paper(tmp_path / "page.pdf")
    head, foot = 13 * POINTS, 14 * POINTS  # letters of the first line rise over the edge of its box
    assert list(faults(tmp_path / "page.pdf", headings_of(path.read_text()), head, foot)) == []
    assert list(torn(tmp_path / "page.pdf")) == []


@pytest.mark.slow
def test_contents_follow_the_reader_and_a_phone_reads_lists(content, tmp_path):
    path = written(content, tmp_path)
    here = "document.querySelector('#contents [aria-current=location]')"
    with Page(height=500) as page:
        opened(page, path)
        for address in (content.controls[-1].id, content.controls[3].id, "annex", "glossary"):
            page.run(f"location.hash = {json.dumps('#' + address)}")
            page.until(f"{here} && {here}.hash === {json.dumps('#' + address)}", 10)
            assert (
                page.run(f"Math.abs(document.getElementById({json.dumps(address)}).getBoundingClientRect().top - 64)")
                < 2
            )
            inside = "r.top >= n.top && r.bottom <= n.bottom"
            frame = "document.getElementById('contents').getBoundingClientRect()"
            assert page.run(f"(() => {{ const r = {here}.getBoundingClientRect(), n = {frame}; return {inside}; }})()")
        assert page.run("document.querySelectorAll('[aria-current]').length") == 1
        assert page.log == []
        assert page.run("document.querySelectorAll('.more-left, .more-right').length") == 0
    with Page(width=360) as page:
        opened(page, path)
        chart = "document.querySelector('#strip .chart')"
        told = f"[{chart}.tabIndex, {chart}.className, getComputedStyle({chart}).maskImage !== 'none']"
        assert page.run(told) == [0, "chart more-right", True], (
            "it is seen that it goes on, and the keyboard reaches it"
        )
        page.run(f"{chart}.scrollLeft = 9999")
        page.until(f"{chart}.className === 'chart more-left'")
        assert page.run("[...document.querySelectorAll('table.grid')].every(t => t.offsetWidth <= 360)")
        cell = "document.querySelector('.exceptions tbody tr td:nth-child(3)')"
        assert page.run(f"[{cell}.dataset.head, {cell}.getAttribute('role')]") == ["First seen", "cell"]
        broken = "[...document.querySelectorAll('main .date')].filter(d => d.textContent.length === 10 && d.getClientRects().length > 1)"
        assert page.run(f"{broken}.length") == 0
        assert page.log == []


@pytest.mark.slow
def test_keys_alone_lead_there_and_back(content, tmp_path):
    with Page() as page:
        opened(page, written(content, tmp_path))
        page.press("Tab", 9)
        page.until("document.activeElement.className === 'skip'")
        page.run("document.querySelector('#rows-table .item a').focus()")
        page.press("Enter", 13, text="\r")
        page.until(OPEN)
        assert page.run("document.activeElement.id") == "drill-title"
        for _ in range(60):
            page.press("Tab", 9)
            assert page.run("drill.contains(document.activeElement) || document.activeElement === document.body")
        page.press("Escape", 27)
        page.until(f"!{OPEN}")
        assert page.run("document.activeElement.closest('#rows-table') !== null")
        page.until("location.hash === '#annex'")  # the dialog's close event comes a task later


@pytest.mark.slow
def test_hostile_text_shows_and_runs_nothing(content, tmp_path):
    first = next(p for p in content.periods if p.exceptions)
    odd = tuple(
        replace(first.exceptions[0], item=t, reason=t, observed=t, expected=t, waivers=(t,), waived_nights=1)
        for t in CORPUS
    )
    every = " ".join(CORPUS)
    answers = tuple(Response(first.control, t, t, t, t, t, t, dt.date(2026, 10, 1), t) for t in CORPUS)
    controls = tuple(
        replace(
            c,
            owner=CORPUS[n % len(CORPUS)],
            title=every,
            statement=every,
            test=every,
            remediation=every,
            datasets=(*c.datasets, every),
        )
        for n, c in enumerate(content.controls)
    )
    periods = (
        replace(first, exceptions=odd, unknown={"2026-07-01": every}),
        *(p for p in content.periods if p is not first),
    )
    catalogues = tuple(
        replace(c, requirements=tuple(replace(r, title=every, gist=every, text=every) for r in c.requirements))
        for c in content.catalogues
    )
    content = replace(
        content, periods=periods, controls=controls, responses=answers, catalogues=catalogues, entity=every, system_name=every,
        prepared_by=every, blind_spots=CORPUS, omissions=CORPUS, system={"entity": {"name": every, every: [every]}},
        snapshots=tuple(replace(f, reason=every) for f in content.snapshots),
    )  # fmt: skip
    with Page() as page:
        opened(page, written(content, tmp_path))
        for number, value in enumerate(CORPUS, first_records(content)[first.control, "exception"]):
            page.run(f"location.hash = '#row-{number}'")
            shown = text.escape_invisible(value)
            page.until(f"{OPEN} && location.hash === '#row-{number}' && {TITLE} === {json.dumps(shown)}", 10)
        follow(page, "#receipt-1", ",")
        assert text.escape_invisible(every) in page.run("document.getElementById('drill-body').textContent")
        page.run("drill.close()")
        for value in CORPUS:
            wanted = " ".join(text.escape_invisible(value).split())
            choose(page, q=text.escape_invisible(value).strip().replace("\n", " "))
            if "\n" not in value:
                assert not page.run(ROWS).startswith("None"), wanted
        time.sleep(1)
        assert page.run("[window.pwned, document.querySelectorAll('img, iframe, base, link, svg[onload]').length]") == [
            None,
            0,
        ]
        assert page.run("document.querySelectorAll('script:not([type]), meta[http-equiv]').length") == 2
        invisible = page.run(
            "(document.body.innerText.match(/[\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff]/g) || []).length"
        )
        assert invisible == 0
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        assert asked_elsewhere(page) == []
        assert page.log == []


@pytest.mark.slow
def test_a_hundred_thousand_rows_open_fast_and_are_all_there(content, tmp_path):
    count = 100_000
    finding = next(p for p in content.periods if p.exceptions)
    base = finding.exceptions[0]
    many = tuple(
        replace(
            base,
            item=f"MART.TABLE_{k * 7919 % 100_003:06d}.COLUMN_{k}",
            observed=hashlib.sha256(b"%d" % k).hexdigest()[:12],
        )
        for k in range(count)
    )
    others = tuple(replace(p, exceptions=(), reviews=()) for p in content.periods if p is not finding)
    periods = (replace(finding, exceptions=many), *others)
    rows = findings_csv(periods)
    content = replace(
        content, periods=periods, findings_csv_rows=count, findings_csv_sha256=hashlib.sha256(rows).hexdigest()
    )
    path = written(content, tmp_path)
    assert path.stat().st_size < 6_000_000
    with Page() as page:
        began = time.monotonic()
        opened(page, path)
        ready = time.monotonic() - began
        paint = page.run("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        assert ready < 20, (
            f"about a second on an idle machine; first paint after {paint:.0f} ms, all rows after {ready:.1f} s"
        )
        assert page.run(ROWS) == "Rows 1 to 100 of 100,000"
        choose(page, q="table_0123")
        wanted = sum("TABLE_0123" in each.item for each in many)
        assert page.run(ROWS) == f"Rows 1 to {wanted} of {wanted}, out of 100,000"
        choose(page, q="")
        page.run("document.querySelectorAll('#rows-table .pager button')[3].click()")
        assert page.run(ROWS) == "Rows 99,901 to 100,000 of 100,000"
        assert page.run("document.querySelectorAll('#rows-table tbody tr').length") == 100
        follow(page, "#row-100000", many[-1].item)
        assert page.log == []


@pytest.mark.slow
def test_without_scripts_there_is_a_summary_and_a_pointer_to_the_csv(content, tmp_path):
    with Page(script=False) as page:
        page.open(written(content, tmp_path))
        page.paper(tmp_path / "static.pdf")
    said = printed(tmp_path / "static.pdf")
    assert "Tested on 16 of 16 nights" in said
    assert "are in data/findings.csv" in said


@pytest.mark.slow
def test_paper_says_what_it_leaves_out_and_is_light(content, tmp_path):
    with Page(dark=True) as page:
        opened(page, written(content, tmp_path))
        page.paper(tmp_path / "whole.pdf")
        choose(page, v="critical")
        page.look(1280, 900, dark=True, media="print")
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.run("getComputedStyle(document.body).color") == "rgb(28, 39, 51)"
        page.paper(tmp_path / "page.pdf")
    assert list(torn(tmp_path / "whole.pdf")) == []
    said = printed(tmp_path / "page.pdf")
    critical = sum(c.severity == "critical" for c in content.controls)
    assert f"Severity: critical): {critical} of 12 controls are printed" in said
    assert "all are in data/findings.csv" in said
    assert "select" in said, "the exact SQL is on paper, though folded on the screen"


def printed(path):
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())
