"""The algebra of periods: an exception decides, then what nobody could judge, and only the rest is satisfied."""

import dataclasses
import datetime as dt
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.control import longlist
from evidence.control.period import assess_period
from evidence.control.result import NightFinding, Observation, streamed
from evidence.errors import UsageError
from evidence.snapshot import canonical
from evidence.snapshot.canonical import encode
from evidence.snapshot.model import DAY

START = dt.date(2026, 7, 1)
CONTROL = SimpleNamespace(id="c-x", mode="state")
EVENTS = SimpleNamespace(id="c-x", mode="event-review")
S, N, U, A, B = "satisfied", "not-satisfied", "not-assessed", "not-applicable", "before-coverage"


def night(number, status, *items, **more):
    return NightFinding(
        control="c-x",
        version=more.pop("version", "1.0.0"),
        content_sha256="0" * 64,
        night=START + DAY * number,
        status=U if status == B else status,
        severity="high",
        population=10,
        reason=B if status == B else more.pop("reason", {U: "denied", A: "empty"}.get(status, "")),
        exceptions=tuple(Observation(item, "fail", "r", f"seen {number}") for item in items),
        **more,
    )


def period(nights, days=None, control=CONTROL, **options):
    return assess_period(control, nights, START, START + DAY * ((days or len(nights)) - 1), **options)


@pytest.mark.parametrize(
    ("statuses", "status", "conclusion"),
    [
        ([S, S], S, "no exceptions noted"),
        ([S, A], S, "no exceptions noted"),
        ([S, N], N, "exceptions noted (1)"),
        ([N, U], N, "exceptions noted (1)"),
        ([S, U], U, "not assessed: 1 of 2 nights"),
        ([A, U], U, "not assessed: 1 of 2 nights"),
        ([A, A], A, "not applicable (nothing there)"),
        ([B, S], S, "no exceptions noted"),
        ([B, U], U, "not assessed: 1 of 1 nights"),
        ([B, B], U, "not assessed: before coverage"),
    ],
)
def test_conclusions(statuses, status, conclusion):
    nights = [
        night(n, each, *(["X"] if each == N else []), detail="nothing there" if each == A else "")
        for n, each in enumerate(statuses)
    ]
    found = period(nights)
    assert (found.status, found.conclusion) == (status, conclusion)
    assert found.expected + found.before_coverage == len(statuses)
    encode(found.to_json())


def test_a_night_without_a_finding_is_not_assessed():
    found = period([night(0, S)], days=3)
    assert (found.status, found.not_assessed, found.longest_gap) == (U, 2, 2)
    assert found.unknown["2026-07-03"] == "no assessment is sealed for this night"


def test_tolerated_unknown_nights_are_still_counted():
    found = period([night(0, S), night(1, U), night(2, S)], max_unknown_nights=1)
    assert (found.status, found.not_assessed) == (S, 1)


def test_events_that_never_came_need_a_signer():
    found = period([night(0, A), night(1, A)], control=EVENTS)
    assert found.status == U
    assert "no signed statement" in found.conclusion


def test_intervals():
    nights = [
        night(0, S),
        night(1, N, "X"),
        night(2, U),
        night(3, N, "X", "Y"),
        night(4, S),
        night(5, N, "X"),
        night(6, U),
    ]
    found = {(i.item, i.first_seen.day): i for i in period(nights).exceptions}
    first, second, again = found["X", 2], found["Y", 4], found["X", 6]
    assert (first.last_seen.day, first.nights, first.open, first.days_open) == (4, 2, False, 3)
    assert first.remediated_on == START + DAY * 4
    assert first.observed == "seen 3"
    assert (second.nights, second.open) == (1, False)
    assert (again.open, again.remediated_on, again.days_open) == (True, None, 0)


def test_a_night_on_which_nothing_was_tested_makes_no_state_gone():
    nights = [night(0, N, "X"), night(1, A), night(2, N, "X"), night(3, A)]
    [still] = period(nights).exceptions
    assert (still.nights, still.open, still.remediated_on, still.days_open) == (2, True, None, 2)
    [mended] = period([*nights, night(4, S)]).exceptions
    assert (mended.open, mended.remediated_on) == (False, START + DAY * 4)
    first, again = period(nights, control=EVENTS).exceptions  # an event is its night's own
    assert (first.open, again.open) == (False, False)


def test_reviews_have_intervals_though_their_nights_are_not_assessed():
    waiting = [night(n, U, reason="pending-review", reviews=(Observation("X", "review", "r"),)) for n in range(2)]
    [review] = period([*waiting, night(2, S)]).reviews
    assert (review.nights, review.open, review.remediated_on) == (2, False, START + DAY * 2)


def test_a_change_of_content_or_parameters_splits_the_period():
    nights = [
        night(0, S), night(1, S), night(2, N, "X", parameters={"a": 1}), night(3, S, parameters={"a": 1}), night(4, S, version="2.0.0"),
    ]  # fmt: skip
    found = period(nights)
    assert [(s.start.day, s.end.day, s.status, s.nights) for s in found.stretches] == [
        (1, 2, S, 2),
        (3, 4, N, 2),
        (5, 5, S, 1),
    ]
    assert found.status == N, "the whole takes the worse part"


def test_two_findings_for_a_night_and_an_empty_period_are_refused():
    with pytest.raises(UsageError, match="two findings"):
        period([night(0, S), night(0, N)])
    with pytest.raises(UsageError, match="ends on"):
        assess_period(CONTROL, [], START, START - DAY)


def test_other_controls_and_nights_are_left_aside():
    other = dataclasses.replace(night(0, N, "X"), control="c-y")
    assert period([other, night(0, S), night(5, N, "X")], days=1).status == S


STATUSES = st.lists(st.sampled_from([S, N, U, A, B]), min_size=1, max_size=12)
ITEMS = st.lists(st.sets(st.sampled_from("XYZ"), min_size=1), min_size=12, max_size=12)


def build(statuses, items):
    return [night(n, each, *(sorted(items[n]) if each == N else [])) for n, each in enumerate(statuses)]


@given(STATUSES, ITEMS, st.data())
def test_losing_a_night_never_makes_the_whole_satisfied(statuses, items, data):
    nights = build(statuses, items)
    before = period(nights).status
    lost = data.draw(st.integers(0, len(nights) - 1))
    for after in (
        period([f for n, f in enumerate(nights) if n != lost], days=len(nights)),
        period([night(n, U) if n == lost else f for n, f in enumerate(nights)]),
    ):
        assert after.status != S
        if before == N:
            assert after.status in {N, U}


@given(STATUSES, ITEMS)
def test_status_follows_the_worst_night(statuses, items):
    found = period(build(statuses, items))
    covered = [each for each in statuses if each != B]
    if N in covered:
        assert found.status == N
    elif U in covered or not covered:
        assert found.status == U
    assert found.satisfied + found.not_satisfied + found.not_assessed + found.not_applicable == found.expected


@given(STATUSES, ITEMS)
def test_intervals_hold_every_exception_once_and_unknown_nights_close_none(statuses, items):
    nights = build(statuses, items)
    found = period(nights).exceptions
    assert sum(i.nights for i in found) == sum(len(f.exceptions) for f in nights)
    known = [f for f in nights if f.status != U]
    assert found == assess_period(CONTROL, known, START, START + DAY * (len(nights) - 1)).exceptions
    for each in found:
        assert each.first_seen <= each.last_seen
        assert each.open == (each.remediated_on is None)
        assert each.days_open >= (each.last_seen - each.first_seen).days


@settings(deadline=None)
@given(STATUSES, ITEMS)
def test_long_lists_have_the_same_intervals_as_short_ones(statuses, items):
    nights = build(statuses, items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longlist, "LEAST", 1)
        patch.setattr(longlist, "CHUNK", 2)
        held = [dataclasses.replace(each, exceptions=longlist.compact(each.exceptions)) for each in nights]
        assert all(isinstance(each.exceptions, longlist.LongList) for each in held if each.exceptions)
        found = period(held)
        for one, other in zip([found, *held], [period(nights), *nights], strict=True):
            assert one.to_json() == other.to_json()
            assert b"".join(canonical.pieces(streamed(one))) == canonical.encode(other.to_json())


def test_what_a_night_has_in_another_order_has_the_same_intervals():
    nights = [night(0, N, "A", "B", "C"), night(1, N, "A", "C")]
    turned = [dataclasses.replace(each, exceptions=each.exceptions[::-1]) for each in nights]
    assert period(turned).exceptions == period(nights).exceptions


@given(STATUSES.filter(lambda found: len(found) > 1), ITEMS, st.data())
def test_a_period_is_the_merge_of_its_parts(statuses, items, data):
    nights = build(statuses, items)
    cut = data.draw(st.integers(1, len(nights) - 1))
    whole = period(nights)
    first = assess_period(CONTROL, nights, START, START + DAY * (cut - 1))
    second = assess_period(CONTROL, nights, START + DAY * cut, START + DAY * (len(nights) - 1))
    for count in (
        "expected",
        "satisfied",
        "not_satisfied",
        "not_assessed",
        "not_applicable",
        "before_coverage",
        "tested_items",
    ):
        assert getattr(whole, count) == getattr(first, count) + getattr(second, count)
    assert {**first.strip, **second.strip} == dict(whole.strip)
    seen = {(i.item, i.reason) for part in (first, second) for i in part.exceptions}
    assert seen == {(i.item, i.reason) for i in whole.exceptions}
    judged = [part.status for part in (first, second) if part.expected]
    if judged:
        assert whole.status == next(worst for worst in (N, U, S, A) if worst in judged)
