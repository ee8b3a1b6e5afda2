"""Rows of the ticket system's export."""

import datetime as dt
from typing import Any

TICKETS = "records.tickets"


def privacy_incident(name: str, discovered: dt.datetime, *, status: str, **extra: Any) -> dict[str, Any]:
    """Return a privacy incident, opened an hour after its discovery; health data is involved unless ``extra`` says otherwise."""
    row = {
        "system": "servicenow",
        "id": name,
        "type": "privacy_incident",
        "status": status,
        "summary": "possible disclosure of member data",
        "owner": "Privacy office",
        "opened_at": discovered + dt.timedelta(hours=1),
        "discovered_at": discovered,
        "phi_involved": "yes",
    }
    return row | extra


def change_ticket(name: str, user: str, opened: dt.datetime, until: dt.datetime, **extra: Any) -> dict[str, Any]:
    """Return an approved change that ``user`` carries out from ``opened`` to ``until``."""
    row = {
        "system": "servicenow",
        "id": name,
        "type": "change",
        "status": "approved",
        "summary": "platform administration",
        "requester": user,
        "user_name": user,
        "approver": "ingrid.solvang@fernhollow.example",
        "approved_at": opened - dt.timedelta(hours=6),
        "opened_at": opened - dt.timedelta(days=1),
        "window_start": opened,
        "window_end": until,
    }
    return row | extra
