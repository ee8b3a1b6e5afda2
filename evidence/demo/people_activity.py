"""Weekly reviews of activity records: every system with health data, every week, quiet ones too."""

import datetime as dt
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.people import ADMINS
from evidence.demo.people_signers import AUDITOR, CISO, PLATFORM, at, digest
from evidence.demo.world import World

ACTIVITY = "monitor-activity-review"
KEPT: Final = {
    "SNOWFLAKE": ("access", "query", "login", "privileged_change", "incident"),
    "AWS": ("login", "privileged_change", "incident"),
    "FIVETRAN": ("login",),
}
WEEK = dt.timedelta(days=7)
_BEFORE = 14  # weeks before the period whose reviews are still looked at
_BUSY = frozenset({"query", "login"})  # types that have hits in some weeks
Row = dict[str, Any]


def build_activity(world: World) -> None:
    """Sign every week of every system three days after its Sunday."""
    monday = world.size.start - dt.timedelta(days=world.size.start.weekday()) - _BEFORE * WEEK
    end = world.size.night(world.size.nights)
    while monday + WEEK < end:
        for system, types in KEPT.items():
            for kind in types:
                register(world, "activity_reviews", _review(system, kind, monday))
        monday += WEEK


def plant_activity(world: World) -> None:
    """Leave weeks unsigned, or signed in a way that does not count, until somebody makes up for it."""
    _quiet_week(world)
    _open_items(world)
    _own_changes(world)
    _without_procedure(world)


def _review(system: str, kind: str, monday: dt.date, **extra: Any) -> Row:
    hits = 2 if kind in _BUSY and monday.isocalendar().week % 3 == 0 else 0
    row = {
        "system": system,
        "record_type": kind,
        "interval_start": monday,
        "interval_end": monday + dt.timedelta(days=6),
        "reviewer": AUDITOR,
        "signed_at": at(monday + dt.timedelta(days=9)),
        "hits": hits,
        "disposed": hits,
        "subjects": ["FIVETRAN"] if hits else [],
        "procedure": "Weekly review of activity records",
        "procedure_version": "2.1",
        "procedure_sha256": digest("activity procedure 2.1"),
        "records_sha256": digest(f"{system} {kind} {monday}"),
    }
    return row | extra


def _of(world: World, system: str, kind: str, monday: dt.date) -> Row | None:
    """Return the clean review of a week; None if the period is too short to have it."""
    key = (system, kind, monday)
    rows = world.registers["activity_reviews"]
    return next((r for r in rows if (r["system"], r["record_type"], r["interval_start"]) == key), None)


def _again(world: World, row: Row, night: int, **extra: Any) -> None:
    """Sign once more on night ``night``."""
    register(world, "activity_reviews", row | {"signed_at": at(world.size.night(night)), **extra})


def _quiet_week(world: World) -> None:
    """Nothing happened, and nobody says so: due by 08-28, signed on 09-14. A week whose review is late by four days comes early in the quarter."""
    for plant, system, monday, first, signed in (
        ("quiet-week-not-signed", "SNOWFLAKE", dt.date(2026, 8, 17), 58, 75),
        ("quiet-week-signed-late", "AWS", dt.date(2026, 6, 22), 2, 6),
    ):
        row = _of(world, system, "login", monday)
        if row is None:
            continue
        row |= {"hits": 0, "disposed": 0, "subjects": [], "signed_at": at(world.size.night(signed))}
        world.expect(plant, ACTIVITY, f"{system}/login/{monday}", "not-signed", first, signed - 1, source="register")


def _open_items(world: World) -> None:
    """A review leaves a hit open; the second signature closes it."""
    row = _of(world, "SNOWFLAKE", "query", dt.date(2026, 6, 29))
    if row is not None:
        row |= {"hits": 3, "disposed": 2, "subjects": ["TABLEAU"]}
        _again(world, row, 12, disposed=3)
        item = "SNOWFLAKE/query/2026-06-29"
        world.expect("hit-without-disposition", ACTIVITY, item, "items-open", 9, 11, source="register")


def _own_changes(world: World) -> None:
    """An administrator signs for the changes that administrators made."""
    row = _of(world, "SNOWFLAKE", "privileged_change", dt.date(2026, 7, 20))
    if row is not None:
        row |= {"reviewer": PLATFORM, "hits": 1, "disposed": 1, "subjects": [ADMINS[0][0]]}
        _again(world, row, 35, reviewer=CISO)
        item = "SNOWFLAKE/privileged_change/2026-07-20"
        world.expect("administrator-reviews-himself", ACTIVITY, item, "reviewer-is-subject", 30, 34, source="register")


def _without_procedure(world: World) -> None:
    """A review does not say which version of the procedure it followed; open when the period ends."""
    row = _of(world, "AWS", "incident", dt.date(2026, 9, 14))
    if row is not None:
        del row["procedure_version"]
        item = "AWS/incident/2026-09-14"
        world.expect("review-without-procedure", ACTIVITY, item, "procedure-missing", 86, source="register")
