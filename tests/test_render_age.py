"""Since when an item has failed: a change of the reason, or a night without a result, makes no fault younger."""

import datetime as dt
from dataclasses import replace

from evidence.cli import packet_night
from evidence.control.result import Interval, PeriodFinding
from evidence.render.age import accepted, failing_since, standing

START = dt.date(2026, 7, 1)


def night(number):
    return START + dt.timedelta(days=number - 1)


def run(item, reason, first, last, *, still=False, **more):
    gone = None if still else night(last + 1)
    return Interval(
        item=item, reason=reason, first_seen=night(first), last_seen=night(last), nights=last - first + 1,
        open=still, days_open=(night(last) - night(first)).days, remediated_on=gone, **more,
    )  # fmt: skip


def finding(exceptions, unknown=(), nights=30):
    strip = {night(n).isoformat(): "not-assessed" if n in unknown else "not-satisfied" for n in range(1, nights + 1)}
    fields = dict.fromkeys(PeriodFinding.__dataclass_fields__)
    return PeriodFinding(**{**fields, "control": "c", "strip": strip, "exceptions": tuple(exceptions)})


def test_a_change_of_the_reason_does_not_make_a_fault_younger():
    runs = [run("a", "x", 5, 10), run("a", "y", 11, 12), run("a", "x", 13, 30, still=True)]
    assert failing_since(finding(runs)) == {("a", "x", night(13)): night(5)}
    (oldest,) = standing(finding(runs), failing_since(finding(runs)))
    assert (oldest.first_seen, oldest.days_open) == (night(5), 25)


def test_a_night_on_which_it_passed_breaks_the_run_and_one_without_a_result_does_not():
    runs = [run("a", "x", 5, 10), run("a", "y", 13, 30, still=True), run("b", "x", 11, 12)]
    assert failing_since(finding(runs)) == {}
    assert failing_since(finding(runs, unknown={11, 12}))["a", "y", night(13)] == night(5)


def test_a_night_on_which_nothing_was_in_scope_does_not_break_a_run():
    judged = finding([run("a", "x", 5, 10), run("a", "y", 13, 30, still=True)])
    quiet = {night(n).isoformat(): "not-applicable" for n in (11, 12)}
    judged = replace(judged, strip={**judged.strip, **quiet})
    assert failing_since(judged)["a", "y", night(13)] == night(5)


def test_nights_without_a_result_before_the_first_failure_add_nothing():
    runs = [run("a", "x", 5, 30, still=True)]
    judged = finding(runs, unknown={1, 2, 3, 4})
    assert failing_since(judged) == {}
    assert [each.first_seen for each in standing(judged, failing_since(judged))] == [night(5)]


def test_a_brief_counts_from_the_same_night(monkeypatch):
    runs = [run("a", "x", 5, 10), run("a", "y", 11, 12), run("a", "x", 13, 30, still=True), run("b", "x", 1, 29)]
    monkeypatch.setattr(packet_night, "sealed_periods", lambda *_given: [finding(runs)])
    assert packet_night._since(None, [], night(30), {"c"}) == {("c", "a", "x"): night(5)}


def test_what_is_not_open_has_no_age_and_a_waiver_is_named():
    assert failing_since(finding([run("a", "x", 5, 10)])) == {}
    assert accepted(run("a", "x", 5, 10)) == ""
    waived = run("a", "x", 5, 10, waivers=("W-1",), waived_nights=2)
    assert str(accepted(waived)) == "accepted under W-1 on 2 of 6 nights"
