"""Requests for access, for changes and for emergency use, as the export of the ticket system lists them from the day they are opened."""

from typing import Any, Final

from evidence.demo.access_registers import OWNER
from evidence.demo.people import MAIL
from evidence.demo.state import Row
from evidence.demo.world import World

TICKETS: Final = "records.tickets"
MANAGER: Final = f"torben.ashgrove@{MAIL}"
REVIEWER: Final = f"anselm.thackeray@{MAIL}"


def request_access(world: World, number: int, who: str, role: str, at: tuple[int, int, int], **extra: Any) -> Row:
    """Add a request for a role, approved by its owner at night, hour and minute ``at``; ``extra`` says what differs."""
    approved = {"user_name": who, "role": role, "approved_at": world.size.evening(*at)}
    return _ticket(world, f"ACC{number:04}", "access", at[0], approved | extra)


def request_change(world: World, number: int, who: str, night: int, hours: tuple[int, int], **extra: Any) -> Row:
    """Add an approved change that ``who`` carries out on that night between those hours."""
    first, last = hours
    window = {"window_start": world.size.evening(night, first), "window_end": world.size.evening(night, last)}
    row = {"status": "approved", "user_name": who, "approved_at": world.size.evening(night, first - 2)}
    return _ticket(world, f"CHG{number:04}", "change", night, row | window | extra)


def request_emergency(world: World, number: int, who: str, night: int, **extra: Any) -> Row:
    """Add a request for emergency use that was approved at 09:30 and ran out at 14:00 of that night."""
    size = world.size
    row = {"user_name": who, "approved_at": size.evening(night, 9, 30), "expires_at": size.evening(night, 14)}
    return _ticket(world, f"EMG{number:04}", "break_glass", night, row | extra)


def _ticket(world: World, name: str, kind: str, night: int, extra: dict[str, Any]) -> Row:
    row = {
        "system": "servicenow",
        "id": name,
        "type": kind,
        "status": "closed",
        "requester": MANAGER,
        "approver": OWNER,
        "opened_at": world.size.evening(night, 7),
        "owner": "Identity desk",
    }
    return world.state.add(TICKETS, row | extra, first=max(0, night))
