"""Report definitions and the sections of their own: one night in a minute, an access review, tests in the order of section IV."""

import csv
import datetime as dt
import io
import json
import re
from dataclasses import replace

import openpyxl
import pytest

from evidence.cli.packet_choice import check_period, controls_of
from evidence.cli.period import parse_period
from evidence.control.definition import load_library
from evidence.control.gate import Why
from evidence.control.result import Interval, Observation
from evidence.errors import ConfigError, UsageError
from evidence.packet import _content
from evidence.render import annex, html
from evidence.render.campaign import COLUMNS, AccessReview, Campaign, Reviewed, SetAside, Signature, blind_spots
from evidence.render.exports import exported
from evidence.render.inputs import Response
from evidence.render.matrix import matrices
from evidence.render.nightly import Ending, NightFacts, Window, morning
from evidence.render.records import findings_csv
from evidence.render.report import ALWAYS, SECTIONS, Report
from evidence.render.text import forbidden_words
from tests.fakes.packet_inputs import ROOT, TEMPLATES, build_inputs, packet_key

NIGHT, BEFORE = dt.date(2026, 7, 1), dt.date(2026, 6, 30)
GOOD = {"name": "ours", "title": "T", "subtitle": "S", "frameworks": ["hipaa"]}


def definition(**changed):
    words = {**GOOD, **changed}
    body = "\n".join(f"{name} = {json.dumps(value)}" for name, value in words.items() if value is not None)
    return Report.from_toml(body.encode(), "reports/ours.toml")


def content_of(report, folder, count=1, **more):
    folder.mkdir(exist_ok=True)
    inputs = build_inputs(folder, count=count, report=report)
    return replace(_content(inputs, packet_key()[0], "PKT-1", (), findings_csv(inputs.periods)), **more)


# ---- definitions


@pytest.mark.parametrize("path", sorted((ROOT / "reports").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_definitions_are_of_controls_that_exist(path):
    report = Report.from_toml(path.read_bytes(), path.name)
    assert report.name == path.stem
    assert controls_of(load_library([ROOT / "controls"]), report)


@pytest.mark.parametrize(
    ("changed", "said", "fix"),
    [
        ({"sections": ["summary", "charts"]}, "no section charts", "are always there"),
        ({"sections": ["strip", "glossary"]}, "no section says what was found", "summary, night, controls, tests"),
        ({"sections": ["controls", "tests"]}, "two orders", "name one of them"),
        ({"frameworks": [], "sections": ["summary", "matrix"]}, "needs a framework", "leave"),
        ({"families": ["access"]}, "weaker than it is", "leave"),
        ({"sections": "summary"}, "list of names", "sections = "),
        ({"sections": ["summary", "summary"]}, "twice", "once"),
        ({"audience": "customer"}, "names people", "handover"),
        ({"audience": "everybody"}, "audience", "internal"),
        ({"exhibits": "some"}, "exhibits", "full, referenced"),
        ({"pdf_rows": -1}, "counted from 0", "from 0 on"),
        ({"pdf_rows": True}, "counted from 0", "from 0 on"),
        ({"name": "../x"}, "name", "hyphens"),
        ({"colour": "red"}, "no key colour", "keys of a report"),
        ({"title": None}, "title is missing", "packet.md"),
    ],
)
def test_a_bad_definition_is_refused_with_what_to_do(changed, said, fix):
    with pytest.raises(ConfigError) as caught:
        definition(**changed)
    assert said in str(caught.value)
    assert "reports/ours.toml" in str(caught.value)
    assert fix in caught.value.fix


def test_what_is_trusted_cannot_be_left_out():
    report = definition(sections=["summary"])
    assert report.shown == {"summary", "scope", *ALWAYS}
    assert "scope" not in definition(sections=["summary"], audience="internal").shown


def test_controls_by_framework_family_list_or_all():
    library = load_library([ROOT / "controls"])
    some = ["summary"]
    everything = controls_of(library, definition(frameworks=[], sections=some))
    assert everything == set(library.controls)
    chosen = controls_of(library, definition(families=["cost"], controls=["access-sod"], sections=some))
    assert "access-sod" in chosen
    assert {name.split("-")[0] for name in chosen} == {"cost", "access"}
    for wrong in ({"families": ["no"]}, {"controls": ["no"]}, {"frameworks": ["no"]}):
        with pytest.raises(UsageError, match=r"report ours: no (family|control|framework) no"):
            controls_of(library, definition(sections=some, **wrong))
    brief = definition(sections=["night"], frameworks=[])
    with pytest.raises(UsageError, match="one night"):
        check_period(brief, parse_period("2026-07"))
    check_period(brief, parse_period("2026-07-14"))


def test_pages_hold_the_sections_asked_for_and_those_nobody_can_drop(tmp_path):
    content = content_of("quarterly-hipaa", tmp_path, count=2)
    short = replace(content, report=definition(sections=["summary"]))
    titles = {"strip": "strip", "matrix": "matrix-hipaa", "controls": "controls", "glossary": "glossary"}
    for page in (html.render_print(short, TEMPLATES), html.render_screen(short, TEMPLATES).decode()):
        for anchor in ("cover", "summary", "scope", "collected", "blind", "verify", "signoff"):
            assert f'id="{anchor}"' in page
        for anchor in titles.values():
            assert f'id="{anchor}"' not in page
            assert f'href="#{anchor}"' not in page
    whole = html.render_print(content, TEMPLATES)
    assert all(f'<section id="{anchor}"' in whole for anchor in titles.values())
    assert set(titles) <= set(SECTIONS)


# ---- one night


def brief_content(folder, *, assessed=True, **facts):
    content = content_of("nightly-brief", folder)
    failing = next(f for f in content.nights if f.control == "access-no-raw-grants")
    seen = [Observation(f"carrier/T{n}", "fail", next(iter({"x"})), "", "") for n in range(12)]
    first = replace(failing, status="not-satisfied", exceptions=tuple(seen[:10]))
    unknown = next(f for f in content.nights if f.control == "identity-dormant")
    lacking = replace(unknown, status="not-assessed", exceptions=(), reason="denied", detail="snowflake.users: refused")
    rest = [
        replace(f, status="satisfied", exceptions=())
        for f in content.nights
        if f.control not in {first.control, lacking.control}
    ]
    then = replace(first, night=BEFORE, exceptions=(*seen[2:9], replace(seen[0], reason="y"), *seen[10:]))
    lost = replace(lacking, night=BEFORE, status="not-satisfied", exceptions=(seen[0],), reason="", detail="")
    words = {
        "night": NIGHT, "assessed_before": assessed, "before": (then, lost) if assessed else (),
        "since": {(first.control, f"carrier/T{n}", "x"): NIGHT - dt.timedelta(days=n) for n in range(2, 9)},
        "back_to": NIGHT - dt.timedelta(days=8), "read": (),
        "windows": (
            Window("carrier", "snowflake.users", "denied", "not granted", 7), Window("carrier", "snowflake.roles", "complete"),
            Window("carrier", "dbt.runs", "missing"), Window("carrier", "aws.kms", "not due"), Window("carrier", "aws.s3", "not captured", "off"),
        ),
        "ending": (Ending("waiver", "W-1", "access-sod: 1 item accepted", NIGHT + dt.timedelta(days=3)),),
    }  # fmt: skip
    return replace(content, nights=(first, lacking, *rest), night=NightFacts(**{**words, **facts}))


def test_new_and_gone_are_said_of_what_was_assessed_on_both_nights(tmp_path):
    found = morning(brief_content(tmp_path))
    assert [each.seen.item for each in found.new] == ["carrier/T1", "carrier/T9"]
    changes = {each.seen.item: each.change for each in found.open}
    assert changes["carrier/T0"] == "other reason"  # still fails: neither new nor gone
    assert changes["carrier/T5"] == "continuing"
    assert [each.seen.item for each in found.gone] == ["carrier/T10", "carrier/T11"]
    assert [each.text.id for each in found.lost] == ["identity-dormant"]  # refused this night: nothing recovered
    assert found.counts == {"new": 2, "gone": 2, "open": 10, "not_assessed": 1, "idle": 0, "controls": 12}
    assert (found.collected, found.due, [w.word for w in found.lacking]) == (1, 3, ["denied", "missing"])
    ages = {words: found["high"] for words, found in found.ages}
    assert ages == {"this night": 3, "2 to 7 nights": 5, "8 to 30 nights": 2, "31 nights or more": 0}
    assert sum(each.or_more for each in found.open) == 1
    assert sum(ages.values()) == len(found.open)


def test_a_night_that_recorded_nothing_to_test_is_said_to_conclude_nothing(tmp_path):
    content = brief_content(tmp_path)
    idle = content.nights[-1].control
    nights = [replace(f, status="not-applicable", exceptions=()) if f.control == idle else f for f in content.nights]
    periods = [replace(f, status="not-assessed") if f.control == idle else f for f in content.periods]
    content = replace(content, nights=tuple(nights), periods=tuple(periods))
    assert morning(content).counts["idle"] == 1
    assert "1 control had nothing to test: nothing was in its scope that night" in html.render_print(content, TEMPLATES)
    card = html.render_screen(content, TEMPLATES).decode().split(f'<article class="control card" id="{idle}"')[1]
    assert card.startswith(' data-status="idle"')
    assert "had nothing to test</span>" in card.split("</article>")[0]  # one word for it on the whole page
    assert "not assessed" not in card.split("</article>")[0]


def test_a_cut_leaves_out_the_least_and_says_of_which_severity(tmp_path):
    content = brief_content(tmp_path)
    first = content.nights[0]
    texts = {text.id: text for text in content.controls}
    grave = next(text for text in content.controls if text.id not in {first.control, "identity-dormant"})
    now = replace(first, control=grave.id, exceptions=(Observation("carrier/young", "fail", "x", "", ""),))
    content = replace(
        content,
        controls=tuple(replace(each, severity="critical") if each.id == grave.id else each for each in texts.values()),
        nights=(*(f for f in content.nights if f.control != grave.id), now),
        night=replace(content.night, before=(*content.night.before, replace(now, night=BEFORE))),
        report=replace(content.report, pdf_rows=4),
    )
    found = morning(content)
    assert [each.seen.item for each in found.still[:3]] == ["carrier/young", "carrier/T8", "carrier/T7"]
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.render_print(content, TEMPLATES)))
    assert "First 4 of 9. Not shown here, by severity: 5 high; all 9 are in data/night.json." in page


def test_the_annex_of_a_brief_says_how_long_an_exception_has_stood(tmp_path):
    content = brief_content(tmp_path)
    first = content.nights[0]
    runs = [Interval(f"carrier/T{n}", "x", NIGHT, NIGHT, 1, open=True, days_open=0) for n in (1, 5, 8)]
    periods = [replace(f, exceptions=tuple(runs) if f.control == first.control else ()) for f in content.periods]
    blocks = annex.blocks(replace(content, periods=tuple(periods)))
    said = annex.unpacked(blocks["rows"])["columns"]
    assert said["since"] == ["2026-07-01", "2026-06-26", "2026-06-23 or before"]
    assert (said["run"], said["days"], said["nights"]) == ([1, 6, 9], [0, 5, 8], [1, 1, 1])
    assert said["more"] == [False, False, True]  # nobody looked further back: no exact number


def test_a_night_after_one_that_was_not_assessed_calls_nothing_new(tmp_path):
    content = brief_content(tmp_path, assessed=False)
    found = morning(content)
    assert (found.new, found.gone, len(found.not_compared)) == ((), (), 10)
    page = html.render_print(content, TEMPLATES)
    assert "was not assessed: what is new and what is gone is not known" in page
    assert "None: nothing fails that did not fail" not in page


def test_missing_evidence_on_a_night_with_exceptions_recovers_nothing(tmp_path):
    content = brief_content(tmp_path)
    first = content.nights[0]
    assert first.inputs
    fewer = replace(first, inputs=first.inputs[:-1])
    found = morning(replace(content, nights=(fewer, *content.nights[1:])))
    assert found.gone == ()
    assert {each.seen.item for each in found.lost} >= {"carrier/T10", "carrier/T11"}


def test_the_brief_is_short_says_a_first_step_and_has_every_row_in_its_file(tmp_path):
    content = brief_content(tmp_path)
    page = html.render_print(content, TEMPLATES)
    screen = html.render_screen(content, TEMPLATES).decode()
    for each in (page, screen):
        assert "Grant the right that is named" in each
        assert "2 exceptions are new since the night of 2026-06-30, 2 no longer there" in each
        assert "1 of 3 reads that were due" in each
        assert list(forbidden_words(each, TEMPLATES)) == []
    assert "First 8 of 8" not in page
    assert 'id="controls"' not in page
    assert 'class="toc"' not in page
    rows = json.loads(b"".join(dict(exported(content, {}))["night.json"]))
    assert len(rows["open"]) == 10
    assert [w["word"] for w in rows["windows"]] == ["denied", "complete", "missing", "not due", "not captured"]
    words = (TEMPLATES / "packet/_night.html.j2").read_text()
    assert all(f'"{reason}": ' in words for reason in Why.__args__)


def test_a_brief_has_no_matrix_and_three_pages_at_most(tmp_path):
    from evidence.render import pdf

    content = brief_content(tmp_path)
    page = html.render_screen(content, TEMPLATES).decode()
    assert not [
        each for each in ('id="matrix-', 'href="#matrix-') if each in page
    ]  # its style sheet has classes of that name
    assert pdf.render(html.render_print(content, TEMPLATES), (), content.end).pages <= 3


# ---- an access review


def campaign(count=60, **changed):
    at = dt.datetime(2026, 7, 12, 9)  # noqa: DTZ001 - registers hold moments in UTC without a zone
    listed = [
        {
            "system": "carrier", "kind": "role of a user", "holder": f"USER{n}", "access": "=cmd|'x'" if n == 1 else "CLAIMS", "who": "person, active",
            "gravest": "reads PHI" if n % 2 else "", "phi": "reads 3" if n % 2 else "none found", "roles": 1, "objects": 4, "granted_on": "", "granted_by": "",
            "used": "not known", "change": "new", "row": f"{n:016x}",
        }
        for n in range(count)
    ]  # fmt: skip
    states = ("removal overdue", "removal due later", "removal shown", "expired")
    rows = [
        Reviewed(
            one, states[n], "" if n == 3 else "remove", "revoke", "Marta", at, None, "", dt.date(2026, 7, 26), "why"
        )
        if n < 4
        else Reviewed(one, "kept", "keep", "keep", "Marta", at)
        for n, one in enumerate(listed)
    ]
    words = {
        "quarter": dt.date(2026, 6, 30), "due": dt.date(2026, 7, 30), "execute_days": 14, "rows": tuple(rows),
        "set_aside": (SetAside("carrier", "USER1", "CLAIMS", "keep", "Eve", at, "the reviewer is the holder or reports to the holder"),),
        "signatures": (Signature("snowflake", 1, 1, "Marta", count, count - 1, at, "rows without a decision"),),
        "looked_at": dt.date(2026, 7, 31), "list_sha256": "ab" * 32, "entry": 12, "night": dt.date(2026, 7, 10), "listed_at": "2026-07-11T01:00:00Z",
        "fingerprint": "cd" * 32, "lists": 1,
    }  # fmt: skip
    return Campaign(**{**words, **changed})


def review_content(folder, *campaigns):
    pending = ((dt.date(2026, 9, 30), "its review is due by 2026-10-30"),)
    return content_of("access-review", folder, count=2, review=AccessReview(campaigns, pending))


def test_a_review_shows_its_rows_its_reviewers_and_what_does_not_count(tmp_path):
    one = campaign()
    content = review_content(tmp_path, one)
    assert sum(one.states.values()) == len(one.rows)
    assert one.reviewers == [("Eve", 0, 0, 0, 0, 1), ("Marta", 59, 56, 3, 0, 0)]
    assert [row.state for row in one.removals] == ["removal overdue", "removal due later", "removal shown"]
    assert one.held("kind") == [("carrier", "role of a user", 60, 60, 30)]
    for page in (html.render_print(content, TEMPLATES), html.render_screen(content, TEMPLATES).decode()):
        assert "due after the period&#39;s end: a subsequent event" in page or "a subsequent event" in page
        assert "1 decision does not count" in page
        assert "Quarter ending 2026-09-30: its review" in page
        assert "rows without a decision" in page
        assert 'id="matrix-' not in page
        assert list(forbidden_words(page, TEMPLATES)) == []


def test_a_signature_without_a_fault_points_to_the_rows_that_were_decided_after_it(tmp_path):
    one = campaign()
    early = Signature("snowflake", 1, 1, "Marta", 60, 59, one.rows[0].decided_at, "")
    again = replace(one.rows[9], decided_at=early.signed_at + dt.timedelta(hours=1))
    other = replace(early, scope="aws", reviewer="Ingrid")
    one = replace(one, rows=(*one.rows[:9], again, *one.rows[10:]), signatures=(early, other))
    assert [one.decided_after(each) for each in one.signatures] == [1, 0]
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.render_print(review_content(tmp_path, one), TEMPLATES)))
    assert page.count("signer, day, list and count are in order") == 2
    assert page.count("are in order 1 row was decided, or decided anew, after it") == 1
    assert "Ingrid signed a part without a decision on a row shown here." in page
    assert "0 decisions were replaced by a later one, 1 row has no decision that counts" in page


def test_what_is_late_stands_beside_the_signature_and_once_where_it_is_in_parts(tmp_path):
    at = campaign().rows[5].decided_at
    one = campaign()
    late = replace(one.rows[9], decided_at=at + dt.timedelta(days=40), late=dt.date(2026, 8, 21))
    one = replace(one, rows=(*one.rows[:9], late, *one.rows[10:]))
    whole = Signature("snowflake", 1, 1, "Marta", 60, 60, at + dt.timedelta(days=1), "")
    assert [str(each) for each in replace(one, signatures=(whole,)).remarks(whole)] == [
        "1 row was first decided after the review was due",
        "1 row was decided, or decided anew, after it",
    ]
    parts = tuple(replace(whole, part=n, parts=2, signed_at=at + dt.timedelta(days=n)) for n in (1, 2))
    split = replace(one, signatures=parts)
    assert [split.remarks(each) for each in parts] == [("for its rows see the note below",)] * 2
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.render_print(review_content(tmp_path, split), TEMPLATES)))
    assert page.count("1 row was decided, or decided anew, after each of these signatures;") == 1
    assert page.count("1 row was first decided after the review was due,") == 1
    assert page.count("for its rows see the note below") == 2
    between = (replace(parts[0], signed_at=at), replace(parts[1], signed_at=at + dt.timedelta(days=60)))
    assert "after the first of these signatures, 0 after the last" in replace(one, signatures=between).after_parts


def test_every_row_is_in_the_csv_and_the_workbook_and_none_is_a_formula(tmp_path):
    content = review_content(tmp_path, campaign())
    files = {name: b"".join(pieces) for name, pieces in exported(content, {})}
    rows = list(csv.DictReader(io.StringIO(files["access-review.csv"].decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == 60
    assert rows[1]["access"].startswith("'=")
    book = openpyxl.load_workbook(io.BytesIO(files["access-review.xlsx"]))
    sheet = book["Access and decisions"]
    assert sheet.max_row == 61
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    again = {name: b"".join(pieces) for name, pieces in exported(content, {})}
    assert again == files


def test_over_chosen_controls_no_requirement_is_concluded(tmp_path):
    content = review_content(tmp_path)
    assert matrices(content) == []
    results = json.loads(b"".join(dict(exported(content, {}))["oscal.json"]))["assessment-results"]["results"]
    assert "findings" not in results[0] or results[0]["findings"] == []
    assert matrices(content_of("quarterly-soc2", tmp_path / "b", count=2))


def test_no_review_in_the_period_is_said(tmp_path):
    content = review_content(tmp_path)
    for page in (html.render_print(content, TEMPLATES), html.render_screen(content, TEMPLATES).decode()):
        assert "No access review was performed in the period" in page


def test_long_lists_are_cut_and_say_so(tmp_path):
    rows = tuple(replace(row, state="expired", decision="") for row in campaign().rows)
    page = html.render_print(review_content(tmp_path, campaign(rows=rows)), TEMPLATES)
    assert "First 40 of 60 rows without a decision; sheet <code>Access and decisions" in page


def test_without_a_sealed_list_the_page_says_what_it_cannot_show(tmp_path):
    one = campaign(list_sha256="", entry=None, night=None, looked_at=None, gap="no grants were captured")
    page = html.render_print(review_content(tmp_path, one), TEMPLATES)
    assert "Not sealed in this store." in page
    assert "2026-06-30" in blind_spots(AccessReview((one,), ()))[0]
    assert blind_spots(AccessReview((campaign(),), ())) == ()
    assert "not at all: <span data-quoted>no grants were captured" in page


# ---- section IV


def test_tests_of_controls_have_the_rows_an_auditor_looks_for(tmp_path):
    content = content_of("quarterly-soc2", tmp_path, count=31)
    failing = next(f for f in content.periods if f.exceptions)
    run = failing.exceptions[0]
    said = Response(failing.control, run.item, run.reason, "C", "E", "A", "Ingrid", dt.date(2026, 10, 1), "Ingrid")
    content = replace(content, responses=(said,))
    page = html.render_print(content, TEMPLATES)
    part = page[page.index(f'<article class="control" id="{failing.control}"') :]
    part = part[: part.index("</article>")]
    order = [
        "Control</th>",
        "Criteria</th>",
        "Test performed</th>",
        "Population</th>",
        "How completeness was checked</th>",
    ]
    order += [
        "Sample</th>",
        "Result</th>",
        "Exceptions, with dates</h3>",
        "Management's response</h3>",
        "Working paper</h3>",
    ]
    places = [part.index(each) for each in order]
    assert places == sorted(places)
    assert part.count("Exceptions, with dates") == 1
    assert part.count("<h3>Exceptions</h3>") == 0
    left = len(failing.exceptions) - 1
    assert f"no response in writing to {left} of the {left + 1} exceptions" in part
    assert "In management's words, not tested" in part
    assert "Full population: every item on 31 of 31 nights; no sample was drawn." in part
    assert list(forbidden_words(page, TEMPLATES)) == []
    short = replace(failing, satisfied=0, not_satisfied=4, not_assessed=27, exceptions=())
    other = replace(content, periods=tuple(short if f is failing else f for f in content.periods))
    assert (
        "every item on 4 of 31 nights; no sample was drawn. On the other 27 nights nothing was tested."
        in html.render_print(other, TEMPLATES)
    )
