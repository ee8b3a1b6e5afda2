"""The workforce as the HR system exports it: everybody who signs in, with the days an access clock runs from."""

import datetime as dt

from evidence.demo.people import MAIL
from evidence.demo.world import World

ROSTER = "records.roster"


def person_id(number: int) -> str:
    """Return the identifier of a person, by the place in the workforce."""
    return f"P-{10_400 + number}"


def build_roster(world: World) -> None:
    """Add one row per person of the workforce; nothing if somebody has added the roster already."""
    if ROSTER in world.state.datasets:
        return
    for number, person in enumerate(world.workforce.people):
        row = {
            "person_id": person_id(number),
            "kind": "person",
            "status": "active",
            "worker_type": "employee",
            "email": f"{person.user.lower()}@{MAIL}",
            "login_name": person.user,
            "department": person.role,
            "hired_on": dt.date(2024, 5, 6),
        }
        world.state.add(ROSTER, row)
