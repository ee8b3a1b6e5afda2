"""Tickets, as the export of the ticket system lists them."""

import datetime as dt
from typing import Any

TICKETS = "records.tickets"
SYSTEM = "servicenow"


def ticket(name: str, kind: str, opened: dt.datetime, *, status: str = "closed", **extra: Any) -> dict[str, Any]:
    """Return a row of the export; ``extra`` says what this kind of ticket holds."""
    row = {"system": SYSTEM, "id": name, "type": kind, "status": status, "opened_at": opened}
    return row | {"requester": "service.desk@fernhollow.example", "owner": "Data platform"} | extra


def privacy_incident(name: str, discovered: dt.datetime, *, status: str, **extra: Any) -> dict[str, Any]:
    """Return a privacy incident, opened an hour after its discovery; health data is involved unless ``extra`` says otherwise."""
    row = ticket(name, "privacy_incident", discovered + dt.timedelta(hours=1), status=status, owner="Privacy office")
    row |= {"summary": "possible disclosure of member data", "discovered_at": discovered, "phi_involved": "yes"}
    return row | extra


def change_ticket(name: str, user: str, starts: dt.datetime, ends: dt.datetime, **extra: Any) -> dict[str, Any]:
    """Return an approved change that ``user`` carries out from ``starts`` to ``ends``."""
    row = ticket(name, "change", starts - dt.timedelta(days=1), status="approved", requester=user, user_name=user)
    row |= {"summary": "platform administration", "approver": "ingrid.solvang@fernhollow.example"}
    row |= {"approved_at": starts - dt.timedelta(hours=6), "window_start": starts, "window_end": ends}
    return row | extra
