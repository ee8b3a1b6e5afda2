"""What the account's roles hold beside tables: account-wide privileges, warehouses, and what Snowflake grants to everybody."""

from typing import Final

from evidence.demo.people import SERVICES, grant
from evidence.demo.shapes import SERVICE_WAREHOUSES
from evidence.demo.tables import BUILT
from evidence.demo.world import World

ROLES, COLLECTOR = "snowflake.grants_to_roles", "snowflake.collector_grants"
ACCOUNT = "CARRIER"
SYSTEM_HOLDS: Final = {
    "ACCOUNTADMIN": ("CREATE INTEGRATION", "CREATE SHARE"),
    "SECURITYADMIN": ("MANAGE GRANTS",),
    "USERADMIN": ("CREATE USER", "CREATE ROLE"),
    "SYSADMIN": ("CREATE DATABASE", "CREATE WAREHOUSE"),
}
APPROVED_HOLDS: Final = {
    "GOVERNANCE_ADMIN": ("APPLY MASKING POLICY", "APPLY ROW ACCESS POLICY", "APPLY TAG"),
    "OKTA_PROVISIONER": ("CREATE USER", "CREATE ROLE"),
    "ORCHESTRATOR": ("EXECUTE TASK",),
}


def build_account(world: World) -> None:
    """Add those grants, and what the collector's own role lists of itself."""
    for role, privileges in (SYSTEM_HOLDS | APPROVED_HOLDS).items():
        for privilege in privileges:
            world.state.add(ROLES, grant(privilege, "ACCOUNT", ACCOUNT, role, GRANTED_BY="ACCOUNTADMIN"))
    for user, warehouse in SERVICE_WAREHOUSES.items():
        world.state.add(ROLES, grant("USAGE", "WAREHOUSE", warehouse, SERVICES[user][0], GRANTED_BY="SYSADMIN"))
    to_everybody = grant("USAGE", "DATABASE_ROLE", "CORTEX_USER", "PUBLIC", TABLE_CATALOG="SNOWFLAKE", GRANTED_BY="")
    world.state.add(ROLES, to_everybody)
    if COLLECTOR not in world.state.datasets:
        for viewer in ("GOVERNANCE_VIEWER", "SECURITY_VIEWER", "OBJECT_VIEWER", "USAGE_VIEWER"):
            _shown(world, "USAGE", "DATABASE_ROLE", f"SNOWFLAKE.{viewer}")
        _shown(world, "USAGE", "WAREHOUSE", SERVICE_WAREHOUSES["EVIDENCE_COLLECTOR"])


def _shown(world: World, privilege: str, on: str, name: str) -> None:
    row = {"created_on": BUILT, "privilege": privilege, "granted_on": on, "name": name, "granted_to": "ROLE"}
    role = SERVICES["EVIDENCE_COLLECTOR"][0]
    world.state.add(COLLECTOR, row | {"grantee_name": role, "grant_option": "false", "granted_by": "ACCOUNTADMIN"})
