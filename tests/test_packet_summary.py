"""The front of a packet: the five things that matter, what changed since the last packet, trends."""

import datetime as dt
import json
from dataclasses import replace

import pytest

from evidence.control.measure import Measured, Series
from evidence.packet import _content
from evidence.render import html, matters, since, text, trends
from evidence.render.inputs import Before
from tests.fakes.packet_inputs import START, TEMPLATES, build_inputs, packet_key

NIGHTS = 64
HOSTILE = '<b>ROLE\u202e"& 日本'


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    key, _ = packet_key()
    return _content(build_inputs(tmp_path_factory.mktemp("parts"), count=NIGHTS), key, "PKT-1", (), b"x\n")


def night(number):
    return START + dt.timedelta(days=number)


def having(content, control, **changes):
    periods = tuple(replace(p, **changes) if p.control == control else p for p in content.periods)
    return replace(content, periods=periods)


def named(content):
    return [each.control for each in matters.matters(content)]


def test_five_are_chosen_by_the_printed_rule(content):
    found = matters.matters(content)
    assert len(found) == 5
    texts = {t.id: t for t in content.controls}
    standing = [p.control for p in content.periods if any(i.open for i in p.exceptions)]
    assert [m.severity for m in found] == sorted((m.severity for m in found), key=["critical", "high", "medium"].index)
    assert {m.control for m in found} <= set(standing), "what still stands goes before what is gone"
    assert any(texts[name].severity == "critical" for name in standing)
    page = html.render_screen(content, TEMPLATES).decode()
    assert matters.RULE.partition("'")[0] in page, "the rule is printed"
    assert list(text.forbidden_words(page, TEMPLATES)) == []


def test_a_gap_on_a_critical_control_matters_as_much_as_an_exception(content):
    control = next(p.control for p in content.periods if p.control == "identity-mfa-humans")
    last = [night(n).isoformat() for n in range(20, NIGHTS)]
    strip = {night(n).isoformat(): "satisfied" for n in range(20)} | dict.fromkeys(last, "not-assessed")
    gone = having(
        content, control, status="not-assessed", exceptions=(), reviews=(), strip=strip, not_assessed=len(last),
        unknown=dict.fromkeys(last, "denied: missing grant"), satisfied=20, not_satisfied=0,
    )  # fmt: skip
    first = matters.matters(gone)[0]
    assert first.control == control, "44 nights without an answer stand longer than any exception"
    assert "not assessed on 44 of 64 nights, the last of them since 2026-07-21 without an end" in first.said
    quiet = having(gone, control, status="satisfied", strip={}, not_assessed=0, unknown={})
    assert control not in named(quiet)


def test_a_packet_says_when_nothing_can_be_compared(content):
    assert "an earlier packet was not looked for" in html.render_screen(content, TEMPLATES).decode()


def test_what_changed_is_counted_from_both_packets(content):
    """One exception taken out of the packet before is new; one added to it that is gone now is closed."""
    base = next(p for p in content.periods if sum(1 for i in p.exceptions if i.open) >= 1)
    still = next(i for i in base.exceptions if i.open)
    gone = replace(still, item="NOBODY@ACME.EXAMPLE", open=True)
    before_run = replace(still, first_seen=night(-9), last_seen=night(-1), open=True, remediated_on=None)
    earlier = (
        replace(base, exceptions=(before_run, gone), tested_items=base.tested_items // 2),
        *(p for p in content.periods if p.control not in {base.control, "access-admin-count"}),
    )
    versions = {p.control: "1.0.0" for p in earlier} | {"identity-dormant": "0.9.0"}
    made = replace(content, before=Before("PKT-0", night(-NIGHTS), night(-1), earlier, versions, ("old-control",)))
    found = since.since(made)
    moved = {m.control: m for m in found.moved}
    distinct = len({(i.item, i.reason) for i in base.exceptions})
    assert moved[base.control].counts == (distinct - 1, 0, 1, 1)
    assert any(note.startswith("population of a night") for note in moved[base.control].notes)
    assert moved["access-admin-count"].before == "not in the packet before"
    assert moved["identity-dormant"].notes == ("version 0.9.0, now 1.0.0: text, SQL or mappings changed",)
    assert "1 added, 1 removed, 1 with another version" in found.totals[1]
    page = html.render_screen(made, TEMPLATES).decode()
    assert "PKT-0" in page
    assert list(text.forbidden_words(page, TEMPLATES)) == []


def measured(labels):
    series = Series("s", "Counted", "What was counted.", "identity-mfa-humans", "select 1 as label, 2 as value")
    return Measured(series, {night(0): labels, night(2): {}}, {night(1): "not assessed: denied"})


def test_a_gap_is_drawn_as_a_gap_and_never_as_a_number(content):
    made = replace(content, measured=(measured({HOSTILE: 7, **{f"R{n}": 1 for n in range(12)}}),))
    (counted,) = (t for t in trends.trends(made) if t.sql)
    top = counted.rows[0]
    assert top.values == {night(0): 7, night(2): 0}, "nothing on a night that was read is zero, a gap is no number"
    assert counted.numbers[0].gaps == str(NIGHTS - 2)
    assert counted.gaps == ("2026-07-02: not assessed: denied",)
    assert [row.label for row in counted.rows[-1:]] == ["5 others"]
    assert sum(row.values[night(0)] for row in counted.rows) == 19
    page = html.render_print(made, TEMPLATES)
    assert "<b>ROLE" not in page
    assert "\\u{65E5}" in counted.drawing, "no font is asked for what it cannot draw"
    assert json.loads(trends.as_json(made))["counted"][0]["nights"]["2026-07-01"][HOSTILE] == 7


def test_trends_add_up_to_the_findings(content):
    by_id = {t.id: t for t in trends.trends(content)}
    last = night(NIGHTS - 1)
    open_now = sum(i.open for p in content.periods for i in p.exceptions)
    assert sum(row.values[last] for row in by_id["open-exceptions"].rows) == open_now
    coverage = by_id["policy-coverage"].rows[0]
    tested = [n for n in content.nights if n.control == "data-phi-mask-coverage" and n.status != "not-assessed"]
    assert coverage.values == {n.night: n.passed for n in tested}
    lacking = [
        replace(n, status="not-assessed", reason="missing-evidence")
        if n.control == "data-phi-mask-coverage" and n.night == last
        else n
        for n in content.nights
    ]
    (gapped,) = (t for t in trends.trends(replace(content, nights=tuple(lacking))) if t.id == "policy-coverage")
    assert gapped.gaps[-1] == f"PHI columns masked: {last}: not assessed: missing evidence"
    assert len(gapped.gaps) == len(by_id["policy-coverage"].gaps) + 1
    assert {row.total for row in by_id["policy-coverage"].numbers} == {""}, "a share has no sum"
    assert coverage.share(last) < 1000, "percent are rounded down: never 100 where one failed"
    collected = by_id["completeness"].rows
    assert sum(sum(row.values.values()) for row in collected) == NIGHTS * len({s.dataset for s in content.snapshots})
