"""Who may sign in the demo, and the rows of registers that hold signatures."""

import datetime as dt
import hashlib
from typing import Final

from evidence.demo.once import register
from evidence.demo.people import ADMINS
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

CISO, AUDITOR, PLATFORM = "Ingrid Solvang", "Tobias Renwick", "Marta Oyelaran"
APPROVAL: Final = {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
_ACTIVITY = ["access", "query", "login", "privileged_change", "incident"]


def digest(text: str) -> str:
    """Return a SHA-256 that stands for a document."""
    return hashlib.sha256(text.encode()).hexdigest()


def document(name: str, version: str = "3") -> dict[str, str]:
    """Return the columns that name a document."""
    link = f"https://documents.fernhollow.example/{name}"
    return {"document_uri": link, "document_sha256": digest(f"{name} {version}")}


def at(day: dt.date, hour: int = 10) -> dt.datetime:
    """Return a moment of a day."""
    return dt.datetime.combine(day, dt.time(hour), dt.UTC)


def build_signers(world: World) -> None:
    """Register who may sign what."""
    for person, logins, above, types in (
        (CISO, ["INGRID.SOLVANG"], [], [*_ACTIVITY, "access_review", "attestation", "disposition", "no_incidents"]),
        (AUDITOR, ["TOBIAS.RENWICK"], [], [*_ACTIVITY, "access_review", "attestation", "disposition"]),
        (PLATFORM, [ADMINS[0][0]], ["INGRID.SOLVANG"], ["query", "privileged_change", "access_review"]),
    ):
        row = {"person": person, "logins": logins, "reports_to": above, "may_sign": types}
        register(world, "reviewers", row | APPROVAL)
