"""What people record about single items: it settles an item only as the rules allow, and a waiver never changes a status."""

import dataclasses
import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.control.ledger import Ledger, waive
from evidence.control.made import registers_of
from evidence.control.model import Control
from evidence.control.period import assess_period
from evidence.control.result import NightFinding, Observation

NIGHT = dt.date(2026, 9, 1)
IN_TIME = dt.datetime(2026, 9, 3, 9, tzinfo=dt.UTC)
LATE = dt.datetime(2026, 9, 8, 9, tzinfo=dt.UTC)
LONG_AFTER = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
SEEN = Observation("snowflake/ANN", "review", "burst", "7 failures")
REVIEWERS = [
    {"person": "Ivo", "logins": ["IVO"], "may_sign": ["disposition"], "approved_on": NIGHT},
    {"person": "Ada", "logins": ["ADA", "ANN"], "may_sign": ["disposition"], "approved_on": NIGHT},
    {"person": "Ole", "logins": [], "may_sign": ["disposition"], "approved_on": NIGHT},
    {"person": "Una", "logins": [], "may_sign": ["access"], "approved_on": NIGHT},
]
RECORD = {
    "control": "monitor-x", "item": SEEN.item, "night": NIGHT, "reason": "burst", "observed": "7 failures", "disposition": "benign",
    "reviewer": "Ivo", "second_reviewer": "Ole", "recorded_at": IN_TIME, "note": "a script",
}  # fmt: skip


def control(severity="high"):
    return Control.model_construct(id="monitor-x", severity=severity, mode="event-review", review_days=5)


def settled(*records, severity="high", known_at=IN_TIME, reviewers=REVIEWERS):
    rows = [{**RECORD, **record} for record in records]
    registers = registers_of({"dispositions": rows, "reviewers": reviewers}, NIGHT)
    return Ledger(registers, control(severity), NIGHT, known_at).settle(SEEN)


def test_nothing_recorded_is_open_until_it_is_overdue():
    assert settled().place == "open"
    assert settled(known_at=dt.datetime(2026, 9, 6, 23, 59, 59, tzinfo=dt.UTC)).place == "open"
    assert settled(known_at=dt.datetime(2026, 9, 7, tzinfo=dt.UTC)).place == "exception"


@pytest.mark.parametrize(
    ("record", "severity", "place", "outcome"),
    [
        ({}, "high", "reviewed", "benign"),
        ({"second_reviewer": None}, "medium", "reviewed", "benign"),
        ({"second_reviewer": None}, "high", "open", None),  # grave items are never closed by one person
        ({"second_reviewer": "Ivo"}, "critical", "open", None),
        ({"second_reviewer": "Una"}, "high", "open", None),  # may not sign
        ({"second_reviewer": "Ada"}, "high", "open", None),  # ANN is her login
        ({"reviewer": "Nobody"}, "high", "open", None),
        ({"disposition": "confirmed", "second_reviewer": None}, "critical", "exception", "confirmed"),
        ({"observed": "400 failures"}, "high", "open", None),  # something else was seen then
        ({"reason": "spray"}, "high", "open", None),
        ({"item": "snowflake/BOB"}, "high", "open", None),
        ({"control": "monitor-y"}, "high", "open", None),
        ({"night": dt.date(2026, 9, 2)}, "high", "open", None),
        ({"recorded_at": LATE}, "high", "open", None),  # not known yet
    ],
)  # fmt: skip
def test_a_record_settles_what_it_is_about_if_an_entitled_person_wrote_it(record, severity, place, outcome):
    found = settled(record, severity=severity)
    assert (found.place, found.record and found.record.outcome) == (place, outcome)


def test_the_right_to_sign_ends_with_its_registration():
    expired = [{**row, "expires": dt.date(2026, 9, 3)} for row in REVIEWERS]
    assert settled({}, reviewers=expired).place == "open"
    assert settled({}, reviewers=[]).place == "open"


def test_a_late_record_is_shown_and_stays_an_exception():
    late = settled({"recorded_at": LATE}, known_at=LONG_AFTER)
    assert (late.place, late.record.outcome) == ("exception", "late")
    assert settled({}, known_at=LONG_AFTER).place == "reviewed"


def test_the_last_record_counts():
    again = {"disposition": "confirmed", "recorded_at": LATE}
    assert settled({}, again, known_at=LONG_AFTER).place == "exception"
    assert settled({}, again, known_at=IN_TIME).place == "reviewed"
    corrected = settled({"disposition": "confirmed"}, {"recorded_at": LATE}, known_at=LONG_AFTER)
    assert (corrected.place, corrected.record.outcome) == ("reviewed", "benign")


WAIVER = {
    "id": "W-1", "control": "identity-x", "control_version": "1.0.0", "items": ["s/ANN"], "reason": "migration",
    "compensating_control": "monitor-z", "requested_by": "Ivo", "approved_by": "Ole", "approved_on": NIGHT,
    "expires": dt.date(2026, 9, 20), "recorded_at": dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC),
}  # fmt: skip


def finding(night=NIGHT, severity="high", status="not-satisfied", items=("s/ANN", "s/BOB"), **more):
    seen = tuple(Observation(item, "fail", "no-factor") for item in items)
    return NightFinding("identity-x", "1.0.0", "00", night, status, severity, exceptions=seen, **more)


def other(status="satisfied", night=NIGHT):
    return NightFinding("monitor-z", "1.0.0", "00", night, status, "high")


def waived(change=None, *, beside=None, **more):
    registers = registers_of({"waivers": [{**WAIVER, **(change or {})}]}, NIGHT)
    return waive([finding(**more), beside or other()], registers)[0]


def test_a_waiver_accepts_its_items_and_the_true_result_stays():
    found = waived()
    assert (found.status, len(found.exceptions), found.open) == ("not-satisfied", 2, 1)
    assert [(w.item, w.waiver) for w in found.waived] == [("s/ANN", "W-1")]
    assert NightFinding.from_json(found.to_json()) == found
    assert "waived" not in finding().to_json()


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"approved_by": "Ivo"}, {}),
        ({"approved_by": " iVO "}, {}),  # the same person, spelled otherwise
        ({"control_version": "1.1.0"}, {}),
        ({"control": "identity-y"}, {}),
        ({"items": ["s/*"]}, {}),
        ({"items": ["s/ann"]}, {}),
        ({"expires": NIGHT + dt.timedelta(1)}, {"night": NIGHT + dt.timedelta(1)}),
        ({"recorded_at": dt.datetime(2026, 9, 2, tzinfo=dt.UTC)}, {}),  # approved before, recorded after: late
        ({"approved_on": dt.date(2026, 9, 2)}, {}),
        ({"compensating_control": None}, {}),
        ({"compensating_control": "identity-x"}, {}),
        ({"compensating_control": "monitor-q"}, {}),
        ({}, {"beside": other("not-satisfied")}),
        ({}, {"beside": other("not-assessed")}),
    ],
)
def test_a_waiver_that_does_not_hold_accepts_nothing(change, more):
    assert waived(change, **more).waived == ()


def test_a_medium_control_needs_no_compensation():
    assert waived({"compensating_control": None}, severity="medium").waived


def test_a_period_says_which_nights_were_waived():
    nights = [NIGHT + dt.timedelta(n) for n in range(3)]
    registers = registers_of({"waivers": [{**WAIVER, "expires": nights[2]}]}, NIGHT)
    found = [waive([finding(night), other(night=night)], registers)[0] for night in nights]
    rule = Control.model_construct(id="identity-x", mode="state")
    period = assess_period(rule, found, nights[0], nights[-1])
    ann, bob = period.exceptions
    assert (ann.waivers, ann.waived_nights, ann.nights, ann.open) == (("W-1",), 2, 3, True)
    assert (bob.waivers, period.status) == ((), "not-satisfied")


ITEMS = st.lists(st.sampled_from(["s/ANN", "s/BOB", "s/EVE", "t/ANN"]), unique=True)
DAYS = st.integers(-3, 3).map(lambda n: NIGHT + dt.timedelta(n))


@settings(max_examples=200)
@given(
    items=ITEMS.filter(bool),
    failing=ITEMS,
    severity=st.sampled_from(["low", "medium", "high", "critical"]),
    status=st.sampled_from(["satisfied", "not-satisfied", "not-assessed"]),
    begins=DAYS,
    days=st.integers(1, 5),
    compensating=st.sampled_from([None, "monitor-z", "identity-x"]),
)
def test_waivers_never_widen(items, failing, severity, status, begins, days, compensating):
    """Taking waivers away or giving them changes neither status nor exceptions, and never accepts an item that is not named."""
    row = {
        **WAIVER, "items": items, "approved_on": begins, "expires": begins + dt.timedelta(days),
        "compensating_control": compensating, "recorded_at": dt.datetime(2026, 8, 25, tzinfo=dt.UTC),
    }  # fmt: skip
    before = [finding(severity=severity, items=failing), other(status)]
    after = waive(before, registers_of({"waivers": [row]}, NIGHT))
    assert [dataclasses.replace(each, waived=()) for each in after] == before
    accepted = {each.item for each in after[0].waived}
    assert accepted <= set(items) & set(failing)
    if not begins <= NIGHT < begins + dt.timedelta(days):
        assert not accepted
    if severity in {"high", "critical"} and not (compensating == "monitor-z" and status == "satisfied"):
        assert not accepted
