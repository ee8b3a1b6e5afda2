"""The workspace side of the account: registers, ``system.toml`` and ``owners.toml``."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evidence.demo.governance import VPCE
from evidence.demo.people import ADMINS, BREAK_GLASS, SERVICES, role_classes
from evidence.demo.size import Size
from evidence.demo.tables import DOMAINS, SCHEMAS

APPROVED = dt.date(2026, 1, 12)
EXPIRES = dt.date(2027, 1, 12)
OFFICER = "Ingrid Solvang (CISO)"
WHY: Final = {  # of what the overlay sets from the first night on
    "data-phi-unload": "The nightly fills for the clearing house leave by this role and by no other",
}
Row = dict[str, Any]

SYSTEM = """\
# What is in scope, in management's words. Printed as management's description, not tested.
[entity]
name = "Fernhollow Health Plan"
role = "covered entity"             # a health plan, 45 CFR 160.103
services = ["health insurance for individuals and employer groups", "care management"]

[system]
name = "Member analytics platform"
boundaries = ["one Snowflake account (AWS us-east-1)", "the dbt project fernhollow", "the data-product contracts"]
changes = []
incidents = []

[[exclusions]]
what = "operational claims and member systems"
reason = "audited apart; they reach the platform as feeds only"

[[subservice]]
name = "Snowflake"
method = "carve-out"
expected = ["encryption at rest", "physical security", "patching"]
user_duties = ["role grants", "network policy", "second factor"]

[[subservice]]
name = "Amazon Web Services"
method = "carve-out"
expected = ["physical security", "hypervisor isolation"]
user_duties = ["bucket policies", "key policies"]
"""
CHANGED = "overlay-changed.toml"
OWNERS = """\
# Who answers for a family of controls. A hand-over is a new row with its date.
{rows}"""


def build_registers(size: Size) -> dict[str, list[Row]]:
    """Return the registers by name, without any deviation."""
    approved = {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
    admins = [(name, role) for name, _, _ in ADMINS for role in ("ACCOUNTADMIN", "SECURITYADMIN", "ORGADMIN")]
    admins += [(BREAK_GLASS[0], "ACCOUNTADMIN"), (BREAK_GLASS[0], "SECURITYADMIN"), (BREAK_GLASS[1], "SECURITYADMIN")]
    zones = [{"database": d, "schema": s, "zone": zone, "env": "prod"} for d in DOMAINS for s, zone in SCHEMAS.items()]
    zones += [
        {"database": "SANDBOX", "schema": "*", "zone": "sandbox", "env": "prod"},
        {"database": "DEV", "schema": "*", "zone": "sandbox", "env": "dev"},
    ]
    zones += [{"database": "GOVERNANCE", "schema": "*", "zone": "governance", "env": "prod"}]
    return {
        "admins": [
            {"user": user, "role": role, **approved, "reason": "platform administration"} for user, role in admins
        ],
        "service_accounts": [service(name) for name in SERVICES],
        "role_classes": [{"role": role, "class": kind} for role, kind in role_classes(size).items()],
        "zones": zones,
        "network": [
            {"entry": VPCE, "kind": "vpce", "owner": "Network", "purpose": "private endpoint", **approved},
            {"entry": "198.51.100.0/24", "kind": "cidr", "owner": "Network", "purpose": "offices and VPN", **approved},
        ],
        "break_glass": [{"user": user, "owner": OFFICER, **approved} for user in BREAK_GLASS],
    }


def service(name: str, **extra: Any) -> Row:
    """Return a row of the service register."""
    role, purpose = SERVICES.get(name, ("", ""))
    auth = "WORKLOAD_IDENTITY" if name == "CI_RUNNER" else "KEYPAIR"
    row = {"user": name, "owner": "Data platform", "purpose": purpose, "role": role, "auth": auth}
    return row | {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES} | extra


def write_workspace(folder: Path, registers: Mapping[str, Sequence[Row]], overlay: str, changed: str = "") -> None:
    """Write the registers, ``system.toml``, ``owners.toml`` and ``overlay.toml``; nothing else of a workspace is ours.

    ``changed`` is the overlay that takes its place in the middle of the period: :data:`CHANGED` beside it.
    """
    target = folder / "registers"
    target.mkdir(parents=True)
    for name, rows in registers.items():
        (target / f"{name}.toml").write_text("\n".join(_row(name, row) for row in rows))
    (folder / "system.toml").write_text(SYSTEM)
    families = (
        "identity", "access", "data", "network", "monitor", "quality", "avail", "change", "cost", "program", "retention",
        "sharing",
    )  # fmt: skip
    rows = [
        {
            "family": f,
            "owner": OFFICER,
            "deputy": "Anselm Thackeray",
            "responder": "Data platform",
            "reviewer": "Internal audit",
            "since": APPROVED,
        }
        for f in families
    ]
    (folder / "owners.toml").write_text(OWNERS.format(rows="\n".join(_row("owners", row) for row in rows)))
    (folder / "overlay.toml").write_text(overlay)
    if changed:
        (folder / CHANGED).write_text(changed)


def overlay_text(overlay: Mapping[str, Mapping[str, Any]], **more: Any) -> str:
    """Return an overlay that sets the parameters of these controls; ``more`` says who changed them when."""
    return "\n".join(_changed(control, parameters, more) for control, parameters in overlay.items())


def _changed(control: str, parameters: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    """Return what the overlay says of a control."""
    given = ", ".join(f"{name} = {_value(value)}" for name, value in parameters.items())
    said = {"reason": WHY.get(control, ""), "by": OFFICER, **more}
    head = "".join(f"{name} = {_value(value)}\n" for name, value in said.items())
    return f"[controls.{control}]\n{head}parameters = {{ {given} }}\n"


def _row(name: str, row: Row) -> str:
    return f"[[{name}]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in row.items())


def _value(value: Any) -> str:
    """Return a value as TOML spells it."""
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(part) for part in value)}]"
    if isinstance(value, dt.date):  # a moment is one too
        return value.isoformat()
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
