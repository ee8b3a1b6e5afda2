"""Tickets, as the export of the ticket system lists them."""

import datetime as dt
from typing import Any

TICKETS = "records.tickets"
SYSTEM = "servicenow"


def ticket(name: str, kind: str, opened: dt.datetime, *, status: str = "closed", **extra: Any) -> dict[str, Any]:
    """Return a row of the export; ``extra`` says what this kind of ticket holds."""
    row = {"system": SYSTEM, "id": name, "type": kind, "status": status, "opened_at": opened}
    return row | {"requester": "service.desk@fernhollow.example", "owner": "Data platform"} | extra
