"""Which decisions of an access review count in a packet, and what became of them by the period's end; from plain values."""

import datetime as dt
from types import SimpleNamespace

import pytest

from evidence.cli import packet_review
from evidence.cli.period import parse_period
from evidence.control.register import Registers
from evidence.errors import IncompleteSnapshotError
from evidence.review.held import Held

QUARTER = dt.date(2026, 6, 30)
CAPTURED = dt.datetime(2026, 8, 1, 1, tzinfo=dt.UTC)


def decision(holder, said, on, reviewer="Marta", quarter=QUARTER, access="CLAIMS"):
    moment = dt.datetime.combine(on, dt.time(9))
    rest = dict.fromkeys(("asked", "decided_on", "note", "row", "list_sha256"))
    row = {"period_end": quarter, "system": "carrier", "holder": holder, "access": access, "decision": said}
    return {**row, "reviewer": reviewer, "decided_at": moment, **rest}


def july(day):
    return dt.date(2026, 7, day)


def reviewer(person, logins, reports_to=()):
    row = {"person": person, "logins": list(logins), "reports_to": list(reports_to), "may_sign": ["access_review"]}
    return {**row, "approved_by": "CISO", "approved_on": dt.date(2026, 1, 1), "expires": dt.date(2027, 1, 1)}


def held_row(holder, made):
    names = {"source": "carrier", "kind": "role of a user", "holder_kind": "USER", "role_kind": "ROLE"}
    return {**names, "holder": holder, "access": "CLAIMS", "created_on": made}


def reviews(monkeypatch, decisions, *, period="2026-07", held=(), broken=(), signed=()):
    """Return what a packet of ``period`` shows of ``decisions``, where ``held`` is what the last night's capture has."""
    night = parse_period(period).end

    class Reviewing:
        def __init__(self, *_):
            pass

        def held(self, asked):
            if asked in broken:
                raise IncompleteSnapshotError(f"{asked} is not whole", fix="collect")
            rows = [held_row(name, made) for name, made in held]
            captured = {"carrier": dt.datetime.combine(asked, dt.time(1), dt.UTC) + dt.timedelta(days=1)}
            return Held(asked, captured, (), "", rows, (), (), (), {})

    monkeypatch.setattr(packet_review, "Reviewing", Reviewing)
    people = (reviewer("Marta", ["MARTA"], ["BOSS"]), reviewer("Tobias", ["TOBIAS"]))
    snapshots = [
        SimpleNamespace(key=SimpleNamespace(dataset=packet_review.GRANTS, night=night - dt.timedelta(days=n)))
        for n in range(3)
    ]
    workspace = SimpleNamespace(
        registers=Registers({"access_decisions": tuple(decisions), "access_reviews": tuple(signed), "reviewers": people}),
        index=SimpleNamespace(of_type=lambda _: [], snapshots=lambda: snapshots, windows=lambda: [("s", e.key.dataset, e.key.night) for e in snapshots]),
        library=SimpleNamespace(control=lambda _: SimpleNamespace(effective={"due_days": 30, "execute_days": 14})),
    )  # fmt: skip
    return packet_review.reviews_of(workspace, parse_period(period)).review


def states(review):
    (one,) = review.campaigns
    return {row.listed["holder"]: row.state for row in one.rows}


def test_what_became_of_each_decision_by_the_periods_end(monkeypatch):
    old = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - as the views have it, in UTC
    decided = [
        decision("KEPT", "keep", july(10)), decision("GONE", "remove", july(10)), decision("THERE", "remove", july(10)),
        decision("LATER", "remove", july(25)), decision("ANEW", "remove", july(10)),
    ]  # fmt: skip
    held = [("KEPT", old), ("THERE", old), ("LATER", old), ("ANEW", dt.datetime(2026, 7, 20))]  # noqa: DTZ001
    review = reviews(monkeypatch, decided, held=held)
    assert states(review) == {
        "KEPT": "kept", "GONE": "removal shown", "THERE": "removal overdue", "LATER": "removal due later", "ANEW": "reopened",
    }  # fmt: skip
    assert [quarter for quarter, _ in review.pending] == [dt.date(2026, 9, 30)]


@pytest.mark.parametrize(
    ("holder", "by", "why"),
    [
        ("MARTA", "Marta", "is the holder"),
        ("BOSS", "Marta", "reports to the holder"),
        ("X", "Eve", "was not registered"),
    ],
)
def test_a_decision_that_does_not_count_leaves_the_row_undecided(monkeypatch, holder, by, why):
    # the later one decides, as the control has it: an earlier one that counted does not stand for it
    decided = [decision(holder, "keep", july(9), "Tobias"), decision(holder, "keep", july(10), by)]
    review = reviews(monkeypatch, decided, held=[(holder, None)])
    assert states(review) == {holder: "expired"}
    assert why in review.campaigns[0].set_aside[0].why


def test_what_is_decided_after_the_end_is_counted_apart_and_not_used(monkeypatch):
    decided = [decision("A", "remove", july(10)), decision("A", "keep", dt.date(2026, 8, 2))]
    review = reviews(monkeypatch, decided, held=[("A", None)])
    assert states(review) == {"A": "removal overdue"}
    assert review.campaigns[0].later == 1


def test_a_capture_that_is_not_whole_shows_no_removal(monkeypatch):
    decided = [decision("A", "remove", july(30)), decision("B", "remove", july(10))]
    broken = [july(31), july(30), july(29)]
    review = reviews(monkeypatch, decided, broken=broken)
    assert states(review) == {"A": "removal due later", "B": "removal not shown"}
    assert "2026-07-31 is not whole" in review.campaigns[0].gap
    back = reviews(monkeypatch, decided, broken=broken[:1])  # the night before is looked at instead, and it is said
    assert back.campaigns[0].looked_at == july(30)
    assert "2026-07-31 is not whole" in back.campaigns[0].gap


def test_the_review_is_of_the_period_it_was_performed_in(monkeypatch):
    decided = [decision("A", "keep", july(10))]
    assert reviews(monkeypatch, decided, period="2026-Q2").campaigns == ()
    assert [q for q, _ in reviews(monkeypatch, decided, period="2026-Q2").pending] == [dt.date(2026, 3, 31), QUARTER]
    assert reviews(monkeypatch, decided, period="2026-Q3").campaigns[0].quarter == QUARTER
    assert reviews(monkeypatch, [], period="2026-Q3").campaigns == ()


def test_a_removal_that_was_overdue_shows_though_the_decision_was_changed(monkeypatch):
    old = dt.datetime(2026, 1, 1)  # noqa: DTZ001
    decided = [decision("A", "remove", july(1)), decision("A", "keep", july(20), "Tobias")]
    (one,) = reviews(monkeypatch, decided, held=[("A", old)]).campaigns
    (first,) = one.replaced
    assert (first.decision, first.reviewer, first.then, first.by) == ("remove", "Marta", "keep", "Tobias")
    assert first.became == "not removed though due on 2026-07-15; replaced 5 days after that; still there on 2026-07-31"
    assert (one.overdue_before, one.states["kept"]) == (1, 1)
    before = reviews(monkeypatch, [decided[0], decision("A", "keep", july(10))], held=[("A", old)]).campaigns[0]
    assert (before.overdue_before, "replaced before that was due" in before.replaced[0].became) == (0, True)


def test_what_is_decided_after_the_review_was_due_is_late_even_after_one_that_does_not_count(monkeypatch):
    august = dt.date(2026, 8, 10)
    decided = [
        decision("IN.TIME", "keep", dt.date(2026, 7, 30)), decision("LATE", "keep", august),
        decision("MARTA", "keep", july(14)), decision("MARTA", "keep", august, "Tobias"),
        decision("AGAIN", "keep", july(14)), decision("AGAIN", "keep", august),
    ]  # fmt: skip
    (one,) = reviews(monkeypatch, decided, period="2026-Q3").campaigns
    assert {row.listed["holder"]: row.late for row in one.late} == {"LATE": august, "MARTA": august}
    assert one.states["decided late"] == 2
    assert one.replaced[0].became == "did not count: the reviewer is the holder"


def test_signatures_say_how_late_they_are_and_which_one_stands(monkeypatch):
    def signature(on, signed="a", scope="dbt"):
        row = {
            "scope": scope,
            "period_end": QUARTER,
            "part": 1,
            "parts": 1,
            "reviewer": "Marta",
            "listed": 1,
            "decided": 1,
        }
        return row | {"signed_at": dt.datetime.combine(on, dt.time(9)), "signed_sha256": signed, "list_sha256": "a"}

    signed = [signature(july(21), scope="snowflake"), signature(july(21), "b"), signature(dt.date(2026, 8, 6))]
    (one,) = reviews(monkeypatch, [decision("A", "keep", july(10))], period="2026-Q3", signed=signed).campaigns
    assert [(s.scope, s.stands, s.fault) for s in one.signatures] == [
        ("dbt", False, "what was signed is not the list; replaced by the signature of Marta, 2026-08-06"),
        ("dbt", True, "signed 7 days after the day it was due"),
        ("snowflake", True, ""),
    ]
    assert (one.others, one.signed_rows) == (["dbt"], 1)


def test_a_quarter_due_in_the_period_without_a_review_is_named(monkeypatch):
    (first, second) = reviews(monkeypatch, [], period="2026-Q3").pending
    assert (first[0], "was due by 2026-07-30" in first[1]) == (QUARTER, True)
    assert "after the period's end" in second[1]


def test_a_review_is_shown_for_a_removal_that_falls_due_in_the_period(monkeypatch):
    (one,) = reviews(monkeypatch, [decision("A", "remove", july(25))], period="2026-08").campaigns
    assert [str(each) for each in one.acts.words] == ["1 removal fell due"]
