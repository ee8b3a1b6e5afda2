"""Integrations and clients of the account, and the vendors that stand behind them."""

import datetime as dt
import re
from typing import Any, Final

from evidence.demo.once import once, register
from evidence.demo.tables import BUILT
from evidence.demo.workspace import APPROVED, OFFICER
from evidence.demo.world import World

INTEGRATIONS, DESCRIBED, SESSIONS = (
    "snowflake.integrations",
    "snowflake.security_integrations_desc",
    "snowflake.sessions",
)
OAUTH = "TABLEAU_OAUTH"
BLOCKED: Final = "ACCOUNTADMIN,ORGADMIN,SECURITYADMIN"
# name -> category, type
_NAMED: Final = {
    "LANDING_S3": ("STORAGE", "EXTERNAL_STAGE"),
    "OKTA_SAML": ("SECURITY", "SAML2"),
    "OKTA_SCIM": ("SECURITY", "SCIM - OKTA"),
    OAUTH: ("SECURITY", "OAUTH - TABLEAU_SERVER"),
}
# user, client; each opens one session a night
_CLIENTS: Final = (
    ("DBT_PROD", "PythonConnector 3.15.0"),
    ("TABLEAU", "JDBC 3.24.2"),
    ("AIRFLOW", "Go 1.14.1"),
)
# type of an integration, by its beginning -> the vendor behind it
_BEHIND: Final = {"SAML2": "OKTA", "SCIM": "OKTA", "EXTERNAL_STAGE": "AWS", "OAUTH - TABLEAU": "TABLEAU"}


def build_integrations(world: World) -> None:
    """Add integrations, the blocked roles of the OAuth one, and sessions."""
    for name, (category, kind) in _NAMED.items():
        once(world, INTEGRATIONS, integration(name, category, kind), "name")
    blocked = {"integration_name": OAUTH, "property": "BLOCKED_ROLES_LIST", "property_type": "List"}
    once(world, DESCRIBED, blocked | {"property_value": BLOCKED}, "integration_name", "property")
    for night in range(world.size.nights):
        for number, (user, client) in enumerate(_CLIENTS):
            world.happen(SESSIONS, night, session(world, night, number, user, client))


def integration(name: str, category: str, kind: str) -> dict[str, Any]:
    """Return a row of SHOW INTEGRATIONS."""
    return {"name": name, "category": category, "type": kind, "enabled": "true", "comment": "", "created_on": BUILT}


def session(world: World, night: int, number: int, user: str, client: str) -> dict[str, Any]:
    """Return a row of SESSIONS."""
    return {
        "SESSION_ID": 18_260_702_900_000_000 + 1000 * night + number,
        "CREATED_ON": world.size.evening(night, 6, number),
        "USER_NAME": user,
        "AUTHENTICATION_METHOD": "RSA_KEYPAIR",
        "CLIENT_APPLICATION_ID": client,
        "CLIENT_APPLICATION_VERSION": client.rsplit(maxsplit=1)[-1],
    }


def register_vendors(world: World) -> None:
    """Name every integration and client that is there by now in the entry of its vendor; add vendors that have none."""
    names: dict[str, set[str]] = {}
    for there in world.state.select(INTEGRATIONS):
        kind = str(there.values["type"])
        vendor = next((v for begin, v in _BEHIND.items() if kind.startswith(begin)), "SNOWFLAKE")
        names.setdefault(vendor, set()).add(str(there.values["name"]))
    for rows in world.happened[SESSIONS].values():
        for row in rows:
            client = re.sub(r"\s+v?\d[\w.+-]*$", "", row["CLIENT_APPLICATION_ID"])
            names.setdefault("SNOWFLAKE", set()).add(client)
    for vendor, led in sorted(names.items()):
        known = [row for row in world.registers.get("vendors", ()) if row["system"] == vendor]
        if not known:
            known = [_vendor(vendor)]
            register(world, "vendors", *known)
        for row in known:
            row["integration_names"] = sorted({*row["integration_names"], *led})


def _vendor(system: str) -> dict[str, Any]:
    row: dict[str, Any] = {"system": system, "owner": "Data platform", "integration_names": [], "subservice": False}
    row["keeps_no"] = ["access", "query", "login", "privileged_change", "incident"]
    if system in {"AWS", "SNOWFLAKE"}:
        row |= {
            "data_classes": ["PHI"],
            "baa_id": f"BAA-2025-{system}",
            "signed": dt.date(2025, 1, 20),
            "document_sha256": "5d" * 32,
            "legal_reviewed_on": dt.date(2025, 1, 14),
            "subcontractor_clause": True,
            "breach_notice_days": 10,
            "last_review": dt.date(2026, 1, 8),
        }
    else:
        row["data_classes"] = ["internal"]
    return row | {"approved_by": OFFICER, "approved_on": APPROVED}
