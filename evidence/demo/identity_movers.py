"""People who change job or department, and the tickets by which their roles are approved anew."""

import datetime as dt
from typing import Any, Final

from evidence.demo.people import MAIL, Person, person_of
from evidence.demo.records_roster import ROSTER, build_roster
from evidence.demo.state import ALWAYS
from evidence.demo.world import World

MOVERS = "identity-mover-rescoped"
CHANGES, TICKETS = "records.roster_changes", "records.tickets"
APPROVER = f"ingrid.solvang@{MAIL}"
DAYS = 10  # from the recording of a change to the night that judges it
_CLEAN: Final = ((0, "PROVIDER_OPS", 0), (74, "PHARMACY_ANALYST", 1))  # night of recording, person
_KEPT, _SELF_APPROVED, _AHEAD, _STRANGER, _MANAGER = 1, 25, 40, 60, 66


def build_movers(world: World) -> None:
    """Add changes whose roles were approved anew; nothing is in scope on nights on which no change falls due."""
    build_roster(world)
    old = world.size.evening(-50, 10)
    world.state.add(TICKETS, access_ticket("RITM30000", person_of(world.workforce, "REPORTING", 0), old))
    world.happen(CHANGES, 0)
    for night, role, number in _CLEAN:
        person = person_of(world.workforce, role, number)
        _moved(world, night, person)
        approved = world.size.evening(night + 6, 10)
        world.state.add(TICKETS, access_ticket(f"RITM3{night + 1:04}", person, approved), first=night + 6)
    due = sorted(night + DAYS for night in (*(night for night, *_ in _CLEAN), _KEPT, _SELF_APPROVED, _AHEAD, _STRANGER))
    for before, after in zip((-1, *due), (*due, ALWAYS), strict=True):
        if before + 1 < after:
            world.quiet(MOVERS, before + 1, after - 1, events=True)


def plant_movers(world: World) -> None:
    """Plant the deviations."""
    kept, own, ahead = (
        person_of(world.workforce, role, number)
        for role, number in (("PROVIDER_OPS", 1), ("REPORTING", 0), ("REPORTING", 1))
    )
    _moved(world, _KEPT, kept)
    _found(world, "old-role-kept", kept, "old-role-kept", _KEPT)
    _moved(world, _SELF_APPROVED, own)
    approved = world.size.evening(_SELF_APPROVED + 3, 15)
    ticket = access_ticket("RITM31026", own, approved) | {"approver": f"{own.user}@{MAIL}".lower()}
    world.state.add(TICKETS, ticket, first=_SELF_APPROVED + 3)
    _found(world, "approved-by-the-mover", own, "old-role-kept", _SELF_APPROVED)
    _moved(world, _AHEAD, ahead, effective=_AHEAD + 16)
    _found(world, "change-in-advance", ahead, "not-yet-in-force", _AHEAD, "review")
    world.happen(CHANGES, _STRANGER, change(world, _STRANGER, "P-99999"))
    item = f"P-99999 after change HR-{_STRANGER:04}"
    world.expect("mover-not-in-roster", MOVERS, item, "unknown-value", _STRANGER + DAYS, _STRANGER + DAYS)
    # A new manager is no new job.
    world.happen(CHANGES, _MANAGER, change(world, _MANAGER, _person_id(world, own), kind="manager"))


def change(world: World, night: int, person: str, **extra: Any) -> dict[str, Any]:
    """Return a change of department, in force on the day of its recording."""
    row = {"change_id": f"HR-{night:04}", "recorded_at": world.size.evening(night, 11), "person_id": person}
    row |= {"effective_at": world.size.evening(night), "kind": "department"}
    return row | {"old_value": "operations", "new_value": "analytics", "recorded_by": "hr.desk"} | extra


def access_ticket(name: str, person: Person, approved: dt.datetime) -> dict[str, Any]:
    """Return a closed request for the role that somebody has, approved by somebody else."""
    return {
        "system": "servicenow",
        "id": name,
        "type": "access",
        "status": "closed",
        "summary": "role needed in the new department",
        "requester": f"{person.user}@{MAIL}".lower(),
        "user_name": person.user,
        "role": person.role,
        "approver": APPROVER,
        "approved_at": approved,
        "opened_at": approved - dt.timedelta(days=1),
        "closed_at": approved,
    }


def _person_id(world: World, person: Person) -> str:
    return str(world.state.find(ROSTER, login_name=person.user).values["person_id"])


def _moved(world: World, night: int, person: Person, effective: int | None = None) -> None:
    row = world.state.find(ROSTER, login_name=person.user)
    start = night if effective is None else effective
    extra = {"effective_at": world.size.evening(start)}
    world.happen(CHANGES, night, change(world, night, row.values["person_id"], **extra))
    row.change(start, ALWAYS, department="analytics")


def _found(world: World, plant: str, person: Person, reason: str, night: int, result: str = "fail") -> None:
    item = f"{person.user} -> {person.role} after change HR-{night:04}"
    world.expect(plant, MOVERS, item, reason, night + DAYS, night + DAYS, result)
