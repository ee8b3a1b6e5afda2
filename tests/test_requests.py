"""Requests of others: a hostile list is taken whole or not at all, records decide, and OCR's inquiries are held against the library."""

import datetime as dt
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.control.definition import load_library
from evidence.control.inquiries import Inquiries
from evidence.control.made import registers_of
from evidence.control.register import load_registers
from evidence.control.registration import append_rows
from evidence.control.request_file import MAX_CELL, parse_requests
from evidence.control.requests import SECTIONS, Request, check_exhibits, controls_named, requests_of
from evidence.errors import UsageError
from evidence.packet import _content
from evidence.render import html
from evidence.render.text import forbidden_words
from evidence.snapshot import phi
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, packet_key
from tests.test_controls_content import WORDS

ROOT = Path(__file__).resolve().parent.parent
AT = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def library():
    return load_library([ROOT / "controls"])


@pytest.fixture(scope="module")
def ocr():
    return Inquiries.load(ROOT / "reports" / "inquiries" / "ocr.toml")


def test_a_list_as_spreadsheets_write_it():
    body = '\ufeffRef;Request;Due Date;Team\r\n1;"All leavers;\r\nof the quarter";2026-10-20;x\r\n2;=2+2;;\r\n'.encode()
    parsed = parse_requests(body, prefix="26-")
    assert [(row["number"], row["inquiry"]) for row in parsed.rows] == [
        ("26-1", "All leavers;\nof the quarter"),
        ("26-2", "=2+2"),
    ]
    assert parsed.rows[0]["due"] == dt.date(2026, 10, 20)
    assert parsed.notes[0] == "columns not taken: Team"
    assert parsed.notes[1].startswith("1 cells begin like a formula")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"number,text\n", "no requests"),
        (b"number,owner\n1,a\n", "missing column inquiry"),
        (b"number,inquiry,request\n1,a,b\n", "two columns stand for inquiry"),
        (b"number,inquiry\n1,a\n1,b\n", "row 3: number '1' stands in row 2 too"),
        (b"number,inquiry\n1,a,b\n", "row 2: 3 cells, the heading has 2"),
        (b"number,inquiry\n1,\n", "row 2: asks nothing"),
        (b"number,inquiry\n1,a\n2,all of 219-09-9999\n", "row 3: inquiry looks like it holds a ssn"),
        (b"number,inquiry\n=1,a\n", "number '=1' is none"),
        (b"number,inquiry,due\n1,a,20.10.2026\n", "is no day"),
        (b'number,inquiry\n1,"a\n', "no CSV"),
        (f"number,inquiry\n1,{'a' * (MAX_CELL + 1)}\n".encode(), "over the limit"),
        ("number,inquiry\n1,a\u202eb\n".encode(), "invisible character U+202E"),
        (b"number,inquiry\n1,a\x00b\n", "invisible character U+0000"),
        ("number,inquiry\n1,ä\n".encode("latin-1"), "not UTF-8"),
        ("number,inquiry\n1,a\n".encode("utf-16"), "not UTF-8"),
        (b"PK\x03\x04rest", "workbook"),
        (b"x" * (4 << 20) + b"x", "over the limit"),
        (b"number,inquiry\n" + b"1,a\n" * 5_001, "over the limit of 5000"),
    ],
)
def test_a_hostile_list_is_refused_by_name(body, words):
    with pytest.raises(UsageError) as caught:
        parse_requests(body)
    assert words in str(caught.value)


def test_nothing_half_imported(tmp_path):
    row = {"number": "1", "inquiry": "a", "source": "list.csv", "source_sha256": "0", "recorded_at": AT}
    append_rows(tmp_path, "requests", [row])
    before = (tmp_path / "requests.toml").read_bytes()
    for bad in ({**row, "number": "3", "inquiry": "patient id 4711234"}, row):  # a person's record; a number twice
        with pytest.raises(Exception, match=r"inquiry|twice"):
            append_rows(tmp_path, "requests", [{**row, "number": "2"}, bad])
        assert (tmp_path / "requests.toml").read_bytes() == before
    append_rows(tmp_path, "requests", [{**row, "number": number} for number in ("10", "2")])
    assert list(requests_of(load_registers(tmp_path))) == ["1", "2", "10"]


def test_the_last_record_decides_and_an_answer_outlives_an_assignment():
    ask = {"source": "f", "source_sha256": "0", "recorded_at": AT}
    asked = [
        {**ask, "number": "1", "inquiry": "a", "due": AT.date()},
        {**ask, "number": "1b", "inquiry": "b", "follows": "1"},
    ]
    said = [
        {"number": "1", "status": "assigned", "owner": "Ann", "recorded_by": "Ole", "recorded_at": AT},
        {"number": "1", "status": "answered", "answer": "yes", "exhibits": ["control:x"], "recorded_by": "Ann", "recorded_at": AT + dt.timedelta(1)},
        {"number": "1", "status": "assigned", "owner": "Bo", "recorded_by": "Ole", "recorded_at": AT + dt.timedelta(2)},
    ]  # fmt: skip
    found = requests_of(registers_of({"requests": asked, "request_records": said}, AT.date()))
    assert (found["1"].status, found["1"].owner, found["1"].answer) == ("assigned", "Bo", "yes")
    assert found["1"].follow_ups == ("1b",)
    assert (found["1b"].status, found["1b"].settled) == ("open", False)


def test_exhibits_name_what_is_there(library):
    good = (
        "control:identity-dormant",
        "requirement:164.312(d)",
        "register:admins",
        "section:summary",
        "document:vault 7",
    )
    assert check_exhibits((*good, good[0]), library) == good
    assert check_exhibits(["page:2-4", "file:data/findings.csv"], library, "PKT-1") == (
        "page:2-4",
        "file:data/findings.csv",
    )
    for bad in (
        "control:nobody",
        "requirement:164.999",
        "register:x",
        "section:x",
        "page:2",
        "link:x",
        "control:",
        "file:/etc",
    ):
        with pytest.raises(UsageError):
            check_exhibits([bad], library)
    with pytest.raises(UsageError):
        check_exhibits(["file:../x"], library, "PKT-1")


def test_sections_are_those_of_the_pages():
    page = "".join(path.read_text() for path in (ROOT / "templates" / "packet").glob("*.j2"))
    for name in SECTIONS:
        assert f'id="{name}"' in page or (name.startswith("matrix-") and 'id="matrix-{{' in page), name


def test_a_requirement_as_exhibit_names_every_control_that_maps_to_it(library):
    row = {
        "number": "1",
        "inquiry": "a",
        "exhibits": ["requirement:164.312(a)(2)(iii)"],
        "source": "f",
        "source_sha256": "0",
    }
    asked = requests_of(registers_of({"requests": [{**row, "recorded_at": AT}]}, AT.date()))["1"]
    assert controls_named(asked, library) == ("identity-session-timeout",)


def test_every_inquiry_names_what_exists(library, ocr):
    ocr.check(library)


def test_every_requirement_in_scope_is_reached_or_a_named_gap(library, ocr):
    entries = library.frameworks["hipaa"].entries
    inside = [e for e in entries if re.split(r"[(-]", e.id)[0] in ocr.sections]
    wanted = {e.id for e in inside if e.evidence_mode not in {"container", "not_applicable"}}
    assert len(wanted) > 80
    assert {each.requirement for each in ocr.items} == wanted
    for each in ocr.items:
        assert each.controls or each.gap, each.number


def test_a_control_answers_only_what_it_maps_to_and_no_primary_control_is_left_out(library, ocr):
    parents = {e.id: e.parent for e in library.frameworks["hipaa"].entries}
    maps = {
        c.id: {(m.requirement, m.strength) for m in c.maps if m.framework == "hipaa"} for c in library.controls.values()
    }
    primary = {}
    for control, pairs in maps.items():
        for requirement, strength in pairs:
            if strength == "primary":
                primary.setdefault(requirement, set()).add(control)
    named = {}
    for each in ocr.items:
        named.setdefault(each.requirement, set()).update(each.controls)
        for control in each.controls:
            own = {requirement for requirement, _ in maps[control]}
            below = {requirement for requirement in own if parents.get(requirement) == each.requirement}
            assert each.requirement in own or below, (each.number, control)
    for requirement, controls in named.items():
        assert primary.get(requirement, set()) <= controls, requirement
    for each in ocr.items:
        assert each.gap or primary.get(each.requirement, set()) & set(each.controls), each.number


def test_the_words_are_ours_to_say(ocr):
    for each in ocr.items:
        for text in (each.asks, each.gap):
            assert not WORDS.search(text), (each.number, text)
            assert phi.hit(text) is None, each.number
    guide = (ROOT / "docs" / "auditor-guide.md").read_text()
    numbers = {each.number for each in ocr.items}
    assert set(re.findall(r"\bOCR-[0-9][\w.-]*\w", guide)) <= numbers
    assert set(re.findall(r"`([a-z]+-[a-z0-9-]+)`", guide)) <= load_library([ROOT / "controls"]).controls.keys()


def test_the_page_of_one_answer_says_what_it_is_and_shows_hostile_words_as_text(tmp_path):
    inputs, (key, _) = build_inputs(tmp_path, count=1), packet_key()
    asked = Request(
        "7", "<script>1</script>\u202e{{ 7 * 7 }}", "gap", answer="compliant", recorded_by="A", recorded_at=AT, gap="b"
    )
    page = html.render_screen(_content(replace(inputs, request=asked), key, "PKT-1", (), b"x\n"), TEMPLATES).decode()
    assert "&lt;script&gt;1&lt;/script&gt;\\u{202E}{{ 7 * 7 }}" in page
    assert 'id="matrix-' not in page
    assert list(forbidden_words(page, TEMPLATES)) == []
    assert 'id="request"' not in html.render_screen(_content(inputs, key, "PKT-1", (), b"x\n"), TEMPLATES).decode()


def test_the_page_of_inquiries_is_the_one_made_from_the_list():
    made = runpy.run_path(str(ROOT / "scripts" / "inquiries_page.py"))["page"]()
    assert (ROOT / "docs" / "ocr-inquiries.md").read_text() == made
