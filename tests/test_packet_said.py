"""What rows and sentences of a packet say where reading them strictly went wrong: alike rows, runs of nights, samples, deviations."""

import datetime as dt
import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.cli.packet_parameters import by_framework, set_by
from evidence.control.definition import load_library
from evidence.control.model import Change
from evidence.control.result import Interval
from evidence.render import alike, html, sections, trends
from evidence.render.collected import Evidenced
from evidence.render.control_view import control_view
from evidence.render.runs import runs
from evidence.render.text import parameter_shown
from evidence.render.words import concluded
from tests.fakes.packet_inputs import ROOT, TEMPLATES
from tests.test_render_age import finding, night, run
from tests.test_reports import content_of


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace(" ,", ",")


def many(count, **more):
    words = {
        "reason": "not-required",
        "observed": "2 rules",
        "first_seen": night(7),
        "last_seen": night(9),
        "nights": 3,
        "open": False,
    }
    return [Interval(item=f"app/{n:02}", days_open=3, **{**words, **more}) for n in range(count)]


def test_rows_that_differ_by_item_alone_are_one_and_nothing_is_counted_otherwise():
    rows = [*many(42), *many(1, observed="1 rule"), *many(4, reason="other")]
    found = alike.rows_of(rows, lambda _: None, 99, join=True)
    assert [each.items for each in found] == [42, 1, 1, 1, 1, 1]  # four are few enough to stand by themselves
    assert sum(each.items for each in found) == len(rows)
    assert (found[0].named, found[0].more, found[0].place) == (("app/00", "app/01", "app/02"), 39, 0)
    apart = alike.rows_of(rows[:42], lambda each: each.item == "app/03", 99, join=True)
    assert [each.items for each in apart] == [41, 1]  # what the row says beside the interval keeps them apart
    assert [each.items for each in alike.rows_of(rows, lambda _: None, 99, join=False)] == [1] * 47
    assert alike.rows_of([*rows, *many(1, open=True)], lambda _: None, 1, join=True)[0].first.open


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=40), st.integers(1, 12), st.booleans())
def test_rows_that_are_not_printed_change_none_that_are(seen, most, join):
    rows = [each for reason, still in seen for each in many(1, reason=reason, open=still)]
    whole = alike.rows_of(rows, lambda _: None, 99, join=join)
    assert sum(each.items for each in whole) == len(rows)
    chosen = sorted(whole, key=lambda row: (not row.first.open, row.place))[:most]
    assert alike.rows_of(rows, lambda _: None, most, join=join) == sorted(chosen, key=lambda row: row.place)


def test_the_pdf_prints_alike_rows_once_and_the_page_prints_each(tmp_path):
    content = content_of("quarterly-soc2", tmp_path / "p")
    first = next(each for each in content.periods if each.exceptions)
    periods = [replace(each, exceptions=tuple(many(42))) if each is first else each for each in content.periods]
    content = replace(content, periods=tuple(periods))
    page = text_of(html.render_print(content, TEMPLATES))
    assert "42 items, alike but for their names. The first 3: app/00 app/01 app/02 and 39 more" in page
    assert "These 1 rows are all 42 exceptions" not in page
    assert "One row is all 42 exceptions; each with its item is in data/findings.csv" in page
    assert "app/03" not in page
    assert "the days for a disposition count from the night itself" not in page
    late = replace(periods[0], exceptions=tuple(many(2, expected="decided; a disposition within 5 days")))
    late = replace(content, periods=(late, *periods[1:]))
    assert "the days for a disposition count from the night itself" in text_of(html.render_print(late, TEMPLATES))
    assert "app/03" in html.render_screen(content, TEMPLATES).decode()


def test_an_item_that_failed_for_the_same_reason_before_is_not_said_to_have_had_another_before(tmp_path):
    content = content_of("quarterly-soc2", tmp_path / "p")
    text = content.controls[0]
    was_other = [run("a", "y", 5, 12), run("a", "x", 13, 30, still=True)]
    was_same = [run("a", "x", 5, 10), run("a", "y", 11, 12), run("a", "x", 13, 30, still=True)]
    for seen, alike_before in ((was_other, False), (was_same, True)):
        judged = replace(finding(seen), control=text.id, expected=30, **dict.fromkeys(
            ("satisfied", "not_satisfied", "not_assessed", "not_applicable", "before_coverage", "longest_gap", "tested_items"), 0
        ), unknown={}, changes=(), reviews=())  # fmt: skip
        view = control_view(content, text, judged, ())
        assert (view.failing_since(seen[-1]), view.failed_alike(seen[-1])) == (night(5), alike_before)


def test_nights_with_one_reason_are_one_run_though_each_names_its_own_date():
    told = [(f"2026-07-0{n}", f"missing-evidence: dbt.nodes of dbt for 2026-07-0{n}") for n in (5, 6, 7)]
    (found,) = runs(told)
    assert (found.first, found.last, found.nights, found.reason) == (
        "2026-07-05", "2026-07-07", 3, "missing-evidence: dbt.nodes of dbt",
    )  # fmt: skip
    assert len(runs([*told[:1], (told[1][0], told[2][1])])) == 2  # another night's date is another reason
    gaps = {dt.date.fromisoformat(day): why for day, why in told} | {dt.date(2026, 7, 9): "denied"}
    assert [str(each) for each in trends._gaps(gaps)] == [
        "2026-07-05 to 2026-07-07: missing evidence: dbt.nodes of dbt",
        "2026-07-09: denied",
    ]


def test_a_sample_says_on_how_many_nights_it_was_not_whole():
    judged = replace(finding([]), satisfied=90, not_satisfied=2, expected=92)
    assert str(sections._sample(judged, 0)).endswith("every item on 92 of 92 nights; no sample was drawn.")
    said = str(sections._sample(judged, 2))
    assert said.startswith(
        "Full population: every item on 90 of 92 nights; no sample was drawn. On 2 nights every item that could be seen"
    )
    one = str(sections._sample(replace(judged, satisfied=0, not_satisfied=1, expected=2), 1))
    assert one.startswith("On 1 night every item that could be seen"), "and no word of a full population"
    assert one.endswith("On the other night nothing was tested.")
    assert [str(sections._unanswered(*each)) for each in ((0, 3), (1, 1), (3, 3), (1200, 1300))] == [
        "",
        "Management has recorded no response in writing to the exception.",
        "Management has recorded no response in writing to any of the 3 exceptions.",
        "Management has recorded no response in writing to 1,200 of the 1,300 exceptions.",
    ]
    assert concluded("exceptions noted (1234)") == "exceptions noted (1,234)"
    assert concluded("not applicable (2026)") == "not applicable (2026)"


def read(dataset, nights, matched=None, **more):
    counts = {"not_matched": 0, "missing": 92 - nights, "source_rows": "0", "landed": 0, "quarantined": 0, "masked": 0}
    rest = {"first_index": 0, "last_index": 0, "claimed": 0, "digest": ""}
    return Evidenced("carrier", dataset, nights, nights if matched is None else matched, **{**counts, **rest, **more})


def test_reads_are_counted_by_whether_the_control_needs_them():
    tested = replace(finding([]), satisfied=92, not_satisfied=0)
    reads = [read("a", 92), read("b", 92, 91, not_matched=1), read("c", 0)]
    said = " ".join(sections._checked(tested, reads, {"b", "c"}))
    assert "on arrival: 92 of 92 sealed reads of 1 dataset match." in said
    assert "Not matching or refused" not in said, "nothing that the control needs is missing"
    assert "Of optional evidence, counted on both sides like that, 91 of 92 sealed reads of 1 dataset match." in said
    assert "Optional and not matching or refused: 1; missing: 0." in said
    alone = " ".join(sections._checked(tested, reads[1:2], {"b"}))
    assert "Of optional evidence each read was counted on both sides" in alone
    assert "Optional and never collected: c." in said
    needed = " ".join(sections._checked(tested, reads, set()))
    assert "183 of 184 sealed reads of 3 datasets match" in needed
    assert "Not matching or refused: 1; missing: 92." in needed


def test_states_are_explained_where_they_stand_and_in_one_word_each(tmp_path):
    content = content_of("quarterly-soc2", tmp_path / "p")
    text = replace(content.controls[0], mode="state")
    judged = next(each for each in content.periods if each.control == text.id)
    mended, still = run("a", "x", 5, 10), run("b", "x", 5, 30, still=True)

    def said(mode, *rows):
        with_rows = replace(judged, exceptions=rows)
        shown = control_view(content, replace(text, mode=mode), with_rows, ())
        result = sections._result(with_rows, lasting=shown.text.lasting)
        return " ".join(shown.states(rows)), f"{shown.sentence} {result}"

    note, sentence = said("state", mended, still)
    assert "Open:" in note
    assert "Gone:" in note
    assert "Past:" not in note
    assert "d: days after the night first seen" in note
    assert "2 exceptions noted: 1 open on the last night tested, 1 gone." in sentence
    assert "gone: 1." in sentence
    note, sentence = said("event-review", mended)
    assert note == "Past: an event of its own nights, which stays noted. Observed: as of the last night seen."
    assert "1 exception noted, past." in sentence
    assert "past: 1." in sentence
    assert "gone" not in sentence


def test_counts_among_parameters_have_separators_and_other_values_stay():
    shown = [parameter_shown(value) for value in (250000, 30, True, "250000", [2026, 5432], None)]
    assert shown == ["250,000", "30", "true", "250000", "2026, 5432", "None"]


def test_a_deviation_says_who_set_it_and_why_as_sentences():
    set_so = {"layer": "account", "what": "days", "before": 30, "after": 90, "direction": "looser"}
    assert set_by(Change(**set_so, reason="Approved by the CISO")) == (
        "Set looser in the account overlay. Reason given: Approved by the CISO."
    )
    words = {"requested_by": "Ada", "by": "Grace", "on": dt.date(2026, 7, 16)}
    assert set_by(Change(**set_so, reason="Once a quarter.", **words)) == (
        "Set looser in the account overlay (requested by Ada, approved by Grace, on 2026-07-16). Reason given: Once a quarter."
    )


def test_ids_of_requirements_stand_with_their_framework():
    frameworks = load_library((ROOT / "controls",)).frameworks
    ids = ["CC1.3", "164.310(b)", "CC9.1"]
    assert by_framework(frameworks, ids) == "HIPAA: 164.310(b); SOC 2: CC1.3, CC9.1"
    assert by_framework(frameworks, [*ids, "a thing of ours"]) == ""  # spelled as it is
    assert by_framework(frameworks, ids[:1]) == ""
    assert by_framework(frameworks, "CC1.3") == ""


def test_a_line_of_evidence_says_what_a_row_of_the_table_holds():
    row = Evidenced("carrier", "snowflake.users", 7, 7, 0, 0, "1,794", 1794, 0, 0, 76, 601, 0, "7dd9" * 16)
    assert row.said == "7 nights match, 1,794 rows stated and landed; log entries 76 … 601; receipts"
    assert (
        replace(row, landed=1).said
        == "7 nights match, rows at the source: 1,794, landed: 1; log entries 76 … 601; receipts"
    )
    odd = replace(row, matched=1, not_matched=2, missing=4, source_rows="not stated", quarantined=3)
    assert odd.said.startswith(
        "1 night matches, 6 other or missing, rows at the source: not stated, landed: 1,794, 3 quarantined; "
    )
