"""Another rule inside the period: both results of its first night stand side by side, or it is said which cannot be had."""

import dataclasses
import datetime as dt
from types import SimpleNamespace

from evidence.control.change import NOT_HERE, NOT_RUN, repeated, side_by_side
from evidence.control.model import Change, Parameter
from evidence.control.period import assess_period
from evidence.control.result import NightFinding, Observation
from evidence.render.changes import changes
from evidence.snapshot.model import DAY

FIRST = dt.date(2026, 7, 1)


@dataclasses.dataclass(frozen=True)
class Library:
    controls: dict


@dataclasses.dataclass(frozen=True)
class Control:
    """As much of a control as rules are told apart by."""

    version: str = "1.0.0"
    content_sha256: str = "0" * 64
    parameters: dict = dataclasses.field(
        default_factory=lambda: {"days": Parameter(type="int", default=30, about="x", stricter="lower")}
    )
    values: dict = dataclasses.field(default_factory=dict)
    changes: tuple = ()

    def model_copy(self, update):
        return dataclasses.replace(self, **update)


def night(number, days, *items, content="0"):
    failing = tuple(Observation(item, "fail", "idle") for item in items)
    return NightFinding(
        control="c-x", version="1.0.0", content_sha256=content * 64, night=FIRST + DAY * number,
        status="not-satisfied" if items else "satisfied", severity="high", population=10, passed=10 - len(items),
        exceptions=failing, parameters={"days": days},
    )  # fmt: skip


def run(library, names):
    """More days of patience, fewer exceptions."""
    days = {name: library.controls[name].values["days"] for name in names}
    return [night(1, days[name], *(["LATE"] if days[name] < 60 else [])) for name in names]


def library(**more):
    said = Change(layer="account", what="days", before=30, after=90, direction="looser", reason="why", by="CISO")
    return Library({"c-x": Control(changes=(said,), **more)})


def folded(*nights):
    control = SimpleNamespace(id="c-x", mode="state")
    return assess_period(control, nights, FIRST, FIRST + DAY * (len(nights) - 1))


def test_what_a_looser_parameter_hides_is_shown_on_the_night_of_the_change():
    yesterday = night(0, 30, "LATE")
    (today,) = side_by_side(library(), [night(1, 90)], [yesterday], run, list)
    assert (today.status, today.replaced.result.status) == ("satisfied", "not-satisfied")
    assert NightFinding.from_json(today.to_json()) == today
    assert repeated(library(), [today], run) == {"c-x": today.replaced}
    forged = dataclasses.replace(today.replaced, result=today.result)
    assert repeated(library(), [dataclasses.replace(today, replaced=forged)], run) == {"c-x": today.replaced}
    found = folded(yesterday, today, night(2, 90))
    (change,) = found.to_json()["changes"]
    assert (change["night"], change["replaced"]["night"]) == ("2026-07-02", "2026-07-01")
    (shown,) = changes(found)
    assert shown.rows[:2] == (("days, looser", "30", "90"), ("Result", "exceptions noted (1)", "no exceptions noted"))
    assert (shown.only_old, shown.only_new) == ((("LATE", "idle"),), ())
    assert shown.said == (("days", "why (overlay: account). Requested by: not recorded. Approved by: CISO."),)


def test_content_that_is_gone_is_answered_by_an_assessment_it_made_or_by_nothing():
    yesterday, moved = night(0, 30, "LATE", content="1"), night(1, 30)
    (today,) = side_by_side(library(), [moved], [yesterday], run, list)
    assert (today.replaced.result, today.replaced.missing) == (None, NOT_HERE)
    (shown,) = changes(folded(yesterday, today))
    assert ("Result", "not available", "no exceptions noted") in shown.rows
    assert NOT_HERE in shown.how
    sealed = [(0, [night(1, 30, "A", content="1")]), (1, [night(1, 30, "A", "B", content="1")]), (2, [night(1, 30)])]
    (today,) = side_by_side(library(), [moved], [yesterday], run, lambda: sealed)
    assert (len(today.replaced.result.exceptions), today.replaced.revision) == (2, 1)


def test_the_same_rule_runs_nothing_and_a_change_nobody_looked_at_is_said():
    def never(*_):
        raise AssertionError

    assert side_by_side(library(), [night(1, 30)], [night(0, 30)], never, never) == [night(1, 30)]
    found = folded(night(0, 30), night(1, 90))
    assert [each.replaced.missing for each in found.changes] == [NOT_RUN]
    assert "changes" not in folded(night(0, 30), night(1, 30)).to_json()
