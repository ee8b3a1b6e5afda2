"""Security-relevant statements: deployers in their runs, administrators under a change, and those that nothing explains."""

import datetime as dt
from typing import Final

from evidence.demo.ci_runs import build_deploys
from evidence.demo.events import query_id
from evidence.demo.people import ADMINS, person_of
from evidence.demo.shapes import Shape
from evidence.demo.tickets import TICKETS, change_ticket
from evidence.demo.world import World

CHANGES = "monitor-privileged-changes"
_DEPLOY: Final = Shape(
    user="TERRAFORM",
    role="TERRAFORM",
    kind="GRANT",
    text="GRANT USAGE ON DATABASE FINANCE TO ROLE PROJECT_00",
    warehouse="WH_OPS",
    service=True,
)
_ADMIN: Final = ADMINS[0][0]
_ROLE: Final = Shape(_ADMIN, "USERADMIN", "CREATE_ROLE", "CREATE ROLE IF NOT EXISTS PROJECT_00", warehouse="WH_OPS")
_SECONDS: Final = {"morning": 7 * 3600 + 900, "evening": 22 * 3600 + 2400}


def build_changes(world: World) -> None:
    """Let one administrator add a role each morning, under a change a month."""
    build_deploys(world)
    for night in range(world.size.nights):
        _run(world, night, _ROLE, "morning", "0d0a")
    for month in (7, 8, 9):
        starts = dt.datetime(2026, month, 1, tzinfo=dt.UTC)
        ends = dt.datetime(2026, month + 1, 1, tzinfo=dt.UTC)
        first = max(0, (starts.date() - world.size.start).days - 1)
        world.state.add(TICKETS, change_ticket(f"CHG-{month}00", _ADMIN, starts, ends), first=first)
        # The other administrator has none on the day on which something is done without one (admin-without-change).
        spans = [(starts, dt.datetime(2026, 7, 5, tzinfo=dt.UTC)), (dt.datetime(2026, 7, 6, tzinfo=dt.UTC), ends)]
        for number, (opens, closes) in enumerate(spans if month == 7 else [(starts, ends)]):
            row = change_ticket(f"CHG-{month}1{number}", ADMINS[1][0], opens, closes)
            world.state.add(TICKETS, row, first=max(first, (opens.date() - world.size.start).days - 1))


def plant_changes(world: World) -> None:
    """Plant a grant without a change, a deployer by hand, and a mask taken off under a change."""
    engineer = person_of(world.workforce, "DATA_ENG", 0)
    grant = Shape(engineer.user, engineer.role, "GRANT", "GRANT ROLE REPORTING TO ROLE PROJECT_01", warehouse="WH_DEV")
    unset = "ALTER TABLE FINANCE.MART.FCT_PREMIUM MODIFY COLUMN GROUP_CODE UNSET MASKING POLICY"
    mask = Shape(_ADMIN, "SYSADMIN", "ALTER_TABLE_MODIFY_COLUMN", unset, warehouse="WH_OPS")
    for plant, night, shape, reason in (
        ("grant-without-change", 7, grant, "no-change-record"),
        ("deployer-by-hand", 38, _DEPLOY, "deployer-by-hand"),
        ("mask-taken-off", 66, mask, "protection-removed"),
    ):
        item = _run(world, night, shape, "evening", "0d0b")
        world.expect(plant, CHANGES, item, reason, night, night, "review")


def _run(world: World, night: int, shape: Shape, when: str, mark: str) -> str:
    """Add a statement and return its id."""
    return world.run(night, shape, _SECONDS[when], query_id(f"01c0ffee-{mark}", night))
