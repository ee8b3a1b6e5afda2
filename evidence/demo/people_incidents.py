"""Security incidents, months without any, and privacy incidents whose clock runs."""

import datetime as dt
import json
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.people_program import none_in
from evidence.demo.people_signers import CISO
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tickets import privacy_incident
from evidence.demo.world import World

LOG, CLOCK = "monitor-incident-log", "monitor-breach-clock"
_INCIDENTS: Final = "records.incidents"
_LESSONS = "the runbook now names who is called first"


def build_incidents(world: World) -> None:
    """Add an incident of May and one of August that went well, statements of the months between, and a privacy incident that was no breach."""
    state, size = world.state, world.size
    may = dt.datetime(2026, 5, 18, 9, 30, tzinfo=dt.UTC)
    _log(world, "SEC-118", may, first=0, contained=may + dt.timedelta(hours=5), closed=may + dt.timedelta(days=16))
    august = size.evening(35, 11)
    _log(
        world,
        "SEC-126",
        august,
        first=35,
        contained=august + dt.timedelta(hours=2),
        closed=august + dt.timedelta(hours=9),
    )
    register(world, "attestations", none_in(6, dt.date(2026, 7, 3)))
    state.add("records.tickets", _assessed(world))


def plant_incidents(world: World) -> None:
    """Plant the deviations of log and clock."""
    _containment(world)
    _month(world)
    _lessons(world)
    _triage(world)
    _notices(world)
    _undecided(world)


def _log(
    world: World,
    name: str,
    opened: dt.datetime,
    *,
    first: int,
    contained: dt.datetime | None,
    closed: dt.datetime | None,
    **extra: Any,
) -> Row:
    row = {
        "system": "servicenow",
        "id": name,
        "severity": "medium",
        "status": "closed" if closed else "in_progress",
        "owner": "Data platform",
        "opened_at": opened,
        "detected_at": opened - dt.timedelta(minutes=20),
        "contained_at": contained,
        "closed_at": closed,
        "lessons": _LESSONS if closed else None,
        "phi_involved": "no",
    }
    return world.state.add(_INCIDENTS, row | extra, first=first)


def _containment(world: World) -> None:
    """Detected on the last day of June and not contained; in the end it was a false alarm, and says so."""
    size = world.size
    row = _log(world, "SEC-121", size.evening(-1, 10), first=0, contained=None, closed=None, severity="high")
    row.change(5, ALWAYS, status="cancelled", lessons="an alert on a load test; load tests are announced now")
    world.expect("incident-not-contained", LOG, "servicenow SEC-121", "not-contained", 2, 4)


def _month(world: World) -> None:
    """Nothing happened in July; the statement comes four days late."""
    signed = 44
    register(world, "attestations", none_in(7, world.size.night(signed)))
    world.expect("month-not-signed", LOG, "month 2026-07", "none-not-signed", 40, signed - 1, source="register")


def _lessons(world: World) -> None:
    """Closed without lessons; they follow four days later. Another one took longer than 72 hours to contain."""
    size = world.size
    opened = size.evening(58, 8)
    row = _log(world, "SEC-129", opened, first=58, contained=size.evening(59, 2), closed=size.evening(62, 12))
    row.change(58, 61, status="contained", closed_at=None, lessons=None)
    row.change(62, 65, lessons=None)
    world.expect("incident-without-lessons", LOG, "servicenow SEC-129", "no-lessons", 62, 65)
    late = size.evening(80, 8)
    row = _log(
        world, "SEC-131", late, first=80, contained=size.evening(84, 9), closed=None, severity="low", status="contained"
    )
    row.change(80, 83, status="in_progress", contained_at=None)
    world.expect("incident-contained-late", LOG, "servicenow SEC-131", "not-contained", 83, 83)
    world.expect("incident-contained-late", LOG, "servicenow SEC-131", "contained-late", 84)


def _assessed(world: World) -> dict[str, Any]:
    """A letter to a wrong address came back unopened: low probability, with all four factors."""
    found = world.size.evening(-30, 9)
    factors = {
        "factor_nature": "one letter with a plan name",
        "factor_recipient": "a member of the same plan",
        "factor_acquired": "returned unopened",
        "factor_mitigation": "address corrected",
    }
    done = {"decision": "low_probability", "decided_at": found + dt.timedelta(days=3), "decided_by": CISO}
    return privacy_incident("PRV-310", found, status="closed", individuals=1, **factors, **done)


def _triage(world: World) -> None:
    """A week passes before anybody knows whether health data is involved: it is not."""
    row = privacy_incident("PRV-314", world.size.evening(2, 15), status="open", phi_involved="unknown")
    world.state.add("records.tickets", row, first=2).change(11, ALWAYS, phi_involved="no", status="closed")
    world.expect("privacy-incident-not-triaged", CLOCK, "servicenow PRV-314", "not-triaged", 7, 10)


def _notices(world: World) -> None:
    """501 residents of one State need notice to media; 600 over three States need notice to HHS, and none to media."""
    size = world.size
    told = {"notified_individuals_at": size.evening(15, 12)}
    for plant, name, discovered, residents, notices, reason, first, last in (
        (
            "residents-of-one-state",
            "PRV-302",
            -21,
            {"NY": 501},
            told | {"notified_hhs_at": size.evening(16, 12)},
            "media-late",
            39,
            47,
        ),
        ("residents-of-three-states", "PRV-307", -6, {"CT": 200, "NJ": 200, "NY": 200}, told, "hhs-late", 54, 60),
    ):
        found = size.evening(discovered, 10)
        facts = {"individuals": sum(residents.values()), "residents_by_state": json.dumps(residents)}
        decided = {"decision": "breach", "decided_at": found + dt.timedelta(days=4), "decided_by": CISO}
        row = world.state.add(
            "records.tickets",
            privacy_incident(name, found, status="in_progress", **facts, **decided, **notices),
            last=last,
        )
        row.change(0, 14, notified_individuals_at=None, notified_hhs_at=None)
        row.change(15, 15, notified_hhs_at=None)
        world.expect(plant, CLOCK, f"servicenow {name}", reason, first, last)


def _undecided(world: World) -> None:
    """Health data is involved, and for three days nobody has decided: presumed a breach until somebody has."""
    size = world.size
    done = {"decision": "exception", "decided_at": size.evening(78, 9), "decided_by": CISO}
    row = privacy_incident("PRV-321", size.evening(75, 9), status="closed", individuals=4, **done)
    world.state.add("records.tickets", row, first=75).change(
        75, 77, status="open", decision="undecided", decided_at=None, decided_by=None
    )
    world.expect("breach-not-decided", CLOCK, "servicenow PRV-321", "assessment-open", 75, 77)
