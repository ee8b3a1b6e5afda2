"""One period against the one before it: new, repeated, reopened, closed; promises; how controls moved."""

import datetime as dt

import pytest

from evidence.control.compare import exceptions, shifts
from evidence.control.result import Interval, PeriodFinding, Stretch

Q2, Q3 = (dt.date(2026, 4, 1), dt.date(2026, 6, 30)), (dt.date(2026, 7, 1), dt.date(2026, 9, 30))


def run(item, first, last, gone=None, reason="no-factor"):
    return Interval(item, reason, first, last, (last - first).days + 1, gone is None, (last - first).days, gone)


def period(span, *runs, control="identity-x", assessed=90, version="1.0.0", items=100):
    status = "not-satisfied" if runs else "satisfied"
    stretch = Stretch(*span, version, f"sha of {version}", {}, status, assessed)
    conclusion = f"exceptions noted ({len(runs)})" if runs else "no exceptions noted"
    return PeriodFinding(
        control, *span, status, conclusion, assessed, 0 if runs else assessed, assessed if runs else 0, 0, exceptions=runs,
        tested_items=items, stretches=(stretch,),
    )  # fmt: skip


MAY, JUNE_30, JULY, AUGUST = dt.date(2026, 5, 3), dt.date(2026, 6, 30), dt.date(2026, 7, 9), dt.date(2026, 8, 2)
OPEN = run("ANN", MAY, JUNE_30)
ENDED = run("BOB", MAY, MAY, gone=dt.date(2026, 5, 4))


def changes(before, after, responses=()):
    return [(each.change, each.item, each.open) for each in exceptions([before], [after], responses)]


def test_each_exception_says_what_became_of_it():
    before = period(Q2, OPEN, ENDED, run("EVE", MAY, JUNE_30))
    after = period(Q3, run("ANN", Q3[0], AUGUST), run("BOB", JULY, JULY, gone=AUGUST), run("KIM", JULY, JULY))
    assert changes(before, after) == [
        ("new", "KIM", True), ("reopened", "BOB", False), ("repeated", "ANN", True), ("closed", "EVE", False),
    ]  # fmt: skip


def test_a_period_that_assessed_nothing_closes_nothing():
    assert changes(period(Q2, OPEN), period(Q3)) == [("closed", "ANN", False)]
    unknown = PeriodFinding("identity-x", *Q3, "not-assessed", "not assessed", 92, 0, 0, 92)
    assert changes(period(Q2, OPEN), unknown) == []
    assert exceptions([period(Q2, OPEN)], []) == []


def test_another_reason_is_another_exception():
    assert changes(period(Q2, ENDED), period(Q3, run("BOB", JULY, JULY, reason="bypass"))) == [("new", "BOB", True)]


def response(due, recorded=dt.datetime(2026, 6, 1), owner="Ivo"):  # noqa: DTZ001 - registers hold UTC without a zone
    return {
        "control": "identity-x", "item": "ANN", "reason": "no-factor", "owner": owner, "due": due, "recorded_at": recorded,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("run_after", "due", "said"),
    [
        (run("ANN", Q3[0], AUGUST), dt.date(2026, 7, 31), "not kept"),
        (run("ANN", Q3[0], JULY), dt.date(2026, 12, 1), "not due yet, still open"),
        (run("ANN", Q3[0], JULY, gone=dt.date(2026, 7, 10)), dt.date(2026, 7, 31), "kept"),
        (run("ANN", Q3[0], AUGUST, gone=dt.date(2026, 8, 3)), dt.date(2026, 7, 31), "closed late"),
    ],
)
def test_promises_are_held_to_their_day(run_after, due, said):
    (found,) = exceptions([period(Q2, OPEN)], [period(Q3, run_after)], [response(due)])
    assert found.promise == f"Ivo by {due}: {said}"


def test_the_last_promise_counts():
    later = response(dt.date(2026, 12, 1), dt.datetime(2026, 6, 9), "Ole")  # noqa: DTZ001
    (found,) = exceptions([], [period(Q3, run("ANN", JULY, AUGUST))], [later, response(dt.date(2026, 7, 20))])
    assert found.promise.startswith("Ole by 2026-12-01")


def test_controls_that_moved_are_named():
    before = [period(Q2), period(Q2, control="b"), period(Q2, control="c"), period(Q2, control="gone")]
    after = [
        period(Q3),
        period(Q3, control="b", version="1.1.0"),
        period(Q3, control="c", items=120),
        period(Q3, control="new"),
    ]
    found = {each.control: each for each in shifts(before, after)}
    assert set(found) == {"b", "c", "gone", "new"}
    assert (found["b"].rule_changed, found["c"].rule_changed, found["new"].before, found["gone"].after) == (
        True,
        False,
        None,
        None,
    )
    assert found["c"].to_json()["items_after"] == 120
