"""Rendering: policy, escapes, fonts, PDF/A structure, words, charts, and a browser without network."""

import base64
import datetime as dt
import hashlib
import io
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pikepdf
import pytest

from evidence.errors import ConfigError, EvidenceError
from evidence.packet import _content
from evidence.render import chart, html, pdf, text, view
from evidence.render.report import Report
from evidence.signing.pades import sign_pdf
from tests.fakes.packet_inputs import REASONS, ROOT, TEMPLATES, build_inputs, packet_key
from tests.paper import faults as faults_of_paper
from tests.paper import headings_of, torn
from tests.pdf_structure import faults

HOSTILE = "<script>alert(1)</script>\"'><img src=file:///etc/hostname>{{7*7}}\u202eabc\x1b[0m"
FOREIGN = "Zoë Łukasz Ωmega Иван 日本 ✓"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    key, _ = packet_key()
    return _content(build_inputs(tmp_path_factory.mktemp("parts"), count=64), key, "PKT-1", (), b"x\n")


@pytest.fixture(scope="module")
def screen(content):
    return html.render_screen(content, TEMPLATES).decode()


@pytest.fixture(scope="module")
def paper(content):
    """The pages, laid out once: with two attachments, and with an item in characters from everywhere."""
    attachments = (pdf.Attachment("b.json", "b", b"{}", "Data"), pdf.Attachment("a.json", "a", b"[]", "Supplement"))
    return pdf.render(html.render_print(with_item(content, FOREIGN), TEMPLATES), attachments, content.end)


def tool(name, package):
    found = shutil.which(name)
    assert found, f"{name} is missing: apt-get install -y {package}"
    return found


def with_item(content, item):
    first = next(p for p in content.periods if p.exceptions)
    odd = replace(first.exceptions[0], item=item, reason=item, observed=item)
    others = tuple(p for p in content.periods if p.control != first.control)
    return replace(content, periods=(replace(first, exceptions=(odd,)), *others))


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.addresses, self.data = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        if tag == "script" and dict(attrs).get("type") == "application/octet-stream":
            self.data += 1  # a block of data: no policy runs it
            return
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.addresses += [v for n, v in attrs if n in {"src", "href"} and not v.startswith("#")]


def test_the_page_is_one_file_under_a_strict_policy(screen):
    seen = Seen()
    seen.feed(screen)
    assert seen.addresses == []
    assert not [name for name in seen.attributes if name == "style" or name.startswith("on")]
    assert (seen.tags.count("script"), seen.tags.count("style"), seen.data) == (1, 1, 3)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', screen).group(1)
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        body = re.search(f"<{tag}>(.*?)</{tag}>", screen, re.DOTALL).group(1)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy


def test_values_cannot_become_markup(content):
    page = html.render_screen(with_item(content, HOSTILE), TEMPLATES).decode()
    seen = Seen()
    seen.feed(page)
    assert seen.tags.count("script") == 1
    assert "img" not in seen.tags
    assert "\u202e" not in page
    assert "\\u{202E}abc\\u{001B}[0m" in page
    assert "{{7*7}}" in page


def test_what_fonts_cannot_draw_is_escaped_and_the_rest_is_not(content, paper):
    page = html.render_print(with_item(content, FOREIGN), TEMPLATES)
    assert "Zoë Łukasz Ωmega Иван \\u{65E5}\\u{672C} \\u{2713}" in page
    assert paper.body.startswith(b"%PDF-1.7")


def test_missing_glyphs_are_an_error():
    face = base64.b64encode((TEMPLATES / "fonts/inter-latin-400-normal.woff2").read_bytes()).decode()
    style = f"@font-face{{font-family:I;src:url(data:font/woff2;base64,{face})}} p{{font-family:I}}"
    page = f"<html lang=en><title>x</title><style>{style}</style><p>日本</p></html>"
    with pytest.raises(EvidenceError, match="warnings"):
        pdf.render(page, (), dt.date(2026, 9, 30))


def test_rendered_text_reads_no_file_and_no_network(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("member 4711")
    page = (
        f'<html lang=en><title>x</title><link rel=attachment href="file://{secret}"><p>x <a rel=attachment '
        f'href="file://{secret}">y</a><img src="http://127.0.0.1:9/x"></p></html>'
    )
    try:
        body = pdf.render(page, (), dt.date(2026, 9, 30)).body
    except EvidenceError:
        return
    with pikepdf.open(io.BytesIO(body)) as document:
        assert not document.attachments
    assert b"4711" not in body


def test_pdf_a_structure(paper, tmp_path):
    """What can be held without a validator: designed to PDF/A-3a."""
    path = tmp_path / "a.pdf"
    path.write_bytes(paper.body)
    assert list(torn(path)) == []
    with pikepdf.open(path) as document:
        root = document.Root
        assert str(root.Lang) == "en"
        assert bool(root.MarkInfo.Marked)
        assert root.OutputIntents[0].S == "/GTS_PDFA1"
        assert "/StructTreeRoot" in root
        assert "/AF" in root
        assert "/JavaScript" not in root.get("/Names", {})
        assert document.trailer.get("/ID") is not None
        assert not document.is_encrypted
        xmp = document.open_metadata()
        assert (xmp["pdfaid:part"], xmp["pdfaid:conformance"]) == ("3", "A")
        assert sorted(document.attachments) == ["a.json", "b.json"]
        assert len(document.pages) == paper.pages
        assert faults(document) == []
        assert str(document.docinfo["/CreationDate"]).startswith("D:20260902")
        with document.open_outline() as outline:
            labels = [item.title for item in outline.root]
            assert {"Summary", "Controls", "Sign-off and seal"} <= set(labels)
            assert "identity-dormant" in [child.title for item in outline.root for child in item.children]
    with pikepdf.open(path) as document:  # the look bites
        document.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name("/JavaScript"), JS="1")
        for each in document.objects:
            if isinstance(each, pikepdf.Dictionary):
                for name in ("/Alt", "/ToUnicode", "/FontFile2", "/FontFile3", "/AFRelationship", "/Contents", "/ID"):
                    if name in each and each.get("/Type") != "/Page":
                        del each[name]
        found = " ".join(faults(document))
        for words in (
            "has /OpenAction",
            "text alternative",
            "is not embedded",
            "no ToUnicode",
            "relationship",
            "tagged link",
            "header cell",
        ):
            assert words in found, words
    signed = sign_pdf(paper.body, packet_key()[0], name="Acme", reason="Seal of the entity")
    with pikepdf.open(io.BytesIO(signed)) as document:
        assert faults(document) == []
    fonts = subprocess.run([tool("pdffonts", "poppler-utils"), str(path)], capture_output=True, text=True, check=True)
    rows = fonts.stdout.splitlines()[2:]
    assert rows
    assert all(re.search(r"yes yes yes\s+\d+\s+\d+$", row) for row in rows), fonts.stdout
    subprocess.run([tool("qpdf", "qpdf"), "--check", str(path)], check=True, capture_output=True)


def test_pages_carry_id_and_number(paper, tmp_path):
    (tmp_path / "a.pdf").write_bytes(paper.body)
    done = subprocess.run(
        [tool("pdftotext", "poppler-utils"), "-layout", "a.pdf", "-"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    pages = done.stdout.split("\f")[:-1]
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "PKT-1" in page
    summary = next(n for n, page in enumerate(pages, 1) if n > 2 and "Most severe open exceptions" in page)
    assert re.search(rf"Summary \.+\s*{summary}\b", pages[1].replace(". .", "..")) or "Summary" in pages[1]


def test_caps_are_said(content):
    small = replace(content, report=replace(content.report, pdf_rows=5))
    page = html.render_print(small, TEMPLATES)
    most = max(len(p.exceptions) for p in content.periods)
    assert f"5 of {most} exceptions, open ones among them; all {most} are in" in page


def test_every_requirement_and_every_gap_is_shown(content, screen):
    (matrix,) = view.build(content)["matrices"]
    assert matrix.catalogue.id == "hipaa"
    assert [row.requirement for row in matrix.rows] == list(matrix.catalogue.requirements)
    shown = screen[screen.index('id="matrix-hipaa"') : screen.index('id="controls"')]
    for requirement in matrix.catalogue.requirements:
        assert requirement.id in shown
    for words in (
        "rests on the provider",
        "needs a signed statement",
        "no conclusion: uncovered",
        "exceptions noted (42",
    ):
        assert words in shown
    assert 'id="matrix-soc2"' not in screen, "the report is about HIPAA"
    assert "Reliability of this evidence" in screen
    assert "monitor-collection-complete" not in shown
    assert "Deviates from the library" in screen
    assert "missing evidence" in screen
    side = screen[screen.index('<nav class="side"') : screen.index("</nav>")]
    assert '<a href="#reliability">Reliability of this evidence</a>' in side
    assert side.index('href="#reliability"') < side.index('href="#monitor-collection-complete"')
    own = screen[screen.index('<article class="control" id="monitor-collection-complete"') :]
    own = own[: own.index("</article>")]
    assert "named by the control&#39;s definition and not counted" in own, "its requirements stand beside their caveat"
    assert screen.count("named by the control&#39;s definition and not counted") == 1


def test_a_loosened_mapping_is_listed_and_concludes_nothing(content):
    why = "grace_hours = 168 (counts to 72), 2026-07-01 to 2026-09-02"
    clean = next(f.control for f in content.periods if f.status == "satisfied" and f.control not in view.RELIABILITY)
    loosened = replace(
        content,
        controls=tuple(
            replace(text, maps=tuple(replace(m, refused=why) for m in text.maps)) if text.id == clean else text
            for text in content.controls
        ),
    )
    target = next(m.requirement for t in content.controls if t.id == clean for m in t.maps if m.strength == "primary")
    before, after = (
        next(row.covered for row in view.build(each)["matrices"][0].rows if row.requirement.id == target)
        for each in (content, loosened)
    )
    assert (before.coverage, before.conclusion) == ("primary", "no exceptions noted")
    assert (after.coverage, after.conclusion) == ("none", "not assessed: 1 of 1 primary control")
    page = html.render_screen(loosened, TEMPLATES).decode()
    assert page.count(why) == 4, "in the matrix and on the control's page, for both of its HIPAA mappings"
    assert list(text.forbidden_words(page, TEMPLATES)) == []


def test_strips_show_status_by_shape_and_letter():
    """One path for each kind of mark: elements cost both editions more than ink."""
    strip = {"2026-07-01": "satisfied", "2026-07-02": "not-satisfied", "2026-07-03": "not-assessed"}
    start, end = dt.date(2026, 7, 1), dt.date(2026, 7, 5)
    svg = chart.calendar(strip, start, end, title="T & t")
    assert svg.startswith("<svg")
    assert "<title>T &amp; t</title>" in svg
    assert "<desc>2026-07-02: exceptions noted; 2026-07-03: not assessed; 2026-07-04 to 2026-07-05: no finding" in svg
    drawn = [set(re.findall(r'd="([^"]+)"', line)) for line in svg.split("<path ")[1:]]
    assert len(drawn) == 9, "a box for each of four statuses, the hatch, its patch, three letters"
    assert sum(path.count("z") for paths in drawn for path in paths) == 6, "five nights and the patch under the letter"
    (whole,) = chart.heat_strips([("c", strip)], start, end, title="t")
    heights = {
        float(high) for high in re.findall(r"h[\d.]+v([\d.]+)h-", whole.replace("h-", "|h-").replace("|", ""))
    } or set(re.findall(r"v([\d.]+)h", whole))
    assert len(heights) == 4
    assert " style=" not in svg + whole


def test_a_strip_is_never_longer_than_a_page():
    """It cannot be broken: 104 controls once ran over the foot of the page, and the last ten were cut off."""
    rows = [(f"control-{n}", {}) for n in range(104)]
    made = chart.heat_strips(rows, dt.date(2026, 7, 1), dt.date(2026, 9, 30), title="t")
    assert "".join(made).count(">control-") == 104
    for each in made:
        width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', each).groups())
        assert height / width * 178 < 215, "millimetres on the page, under its heading"


@pytest.mark.parametrize(
    ("sentence", "word"),
    [
        ("The system is compliant.", "compliant"), ("97 % compliance", "compliance %"), ("a certified system", "certified"),
        ("audited by", "audited"), ("in our opinion", "opinion"), ("reasonable assurance", "assurance"),
        ("The control is effective.", "effective, as a conclusion"), ("requirement is met", "requirement met"),
        ("Evidence is complete.", "complete, unqualified"), ("There is no PHI here", "no PHI"), ("no breach occurred", "no breach"),
        ("a tamper-proof log", "tamper-proof"), ("immutable storage", "immutable"), ("it guarantees", "guarantees"),
        ("real-time alerts", "real-time"), ("All access is logged", "all access"),
    ],
)  # fmt: skip
def test_the_words_lint_bites(sentence, word):
    assert [hit.split(":")[0] for hit in text.forbidden_words(f"<p>{sentence}</p>", TEMPLATES)] == [word]
    assert not list(text.forbidden_words(f"<td data-quoted>{sentence}</td>", TEMPLATES))


def test_templates_and_pages_say_nothing_forbidden(content, screen):
    assert list(text.forbidden_words(screen, TEMPLATES)) == []
    assert list(text.forbidden_words(html.render_print(content, TEMPLATES), TEMPLATES)) == []
    for path in sorted((TEMPLATES / "packet").glob("*.j2")):
        assert list(text.forbidden_words(path.read_text(), TEMPLATES)) == [], path.name
    assert text.forbidden_words.__doc__ is not None


def test_the_bundled_fonts_are_licensed_and_cover_what_we_print():
    covered = text.font_coverage(TEMPLATES / "fonts")
    assert set(map(ord, "Aé…—ŁΩИ0")) <= covered
    assert ord("日") not in covered
    assert len(list((TEMPLATES / "fonts").glob("*LICENSE*"))) == 2


def test_report_definitions_load_and_bad_ones_are_named():
    for path in sorted((ROOT / "reports").glob("*.toml")):
        assert Report.from_toml(path.read_bytes(), path.name).name == path.stem
    for bad in (b"name = 1", b"x", b'name = "a"\nframeworks = []\nunknown = 1'):
        with pytest.raises(ConfigError, match=r"bad\.toml"):
            Report.from_toml(bad, "bad.toml")


def test_reasons_are_spelled_out(screen):
    assert REASONS["no-second-factor"] in screen


@pytest.mark.slow
def test_no_page_is_nearly_empty_and_no_heading_stands_last(tmp_path):
    """A quarter of the twelve controls, each page looked at by machine (tests/paper.py)."""
    key, _ = packet_key()
    made = _content(build_inputs(tmp_path / "parts", count=92), key, "PKT-1", (), b"x\n")
    page = html.render_print(made, TEMPLATES)
    (tmp_path / "packet.pdf").write_bytes(pdf.render(page, (), made.end).body)
    tool("pdftotext", "poppler-utils")
    headings = headings_of(page) | {"population.sql: what is tested"}
    assert list(faults_of_paper(tmp_path / "packet.pdf", headings)) == []
    assert list(torn(tmp_path / "packet.pdf")) == []
