"""Databases of the account as SHOW DATABASES lists them."""

from typing import Any

from evidence.demo.tables import BUILT, DOMAINS
from evidence.demo.world import World

DATABASES, SAMPLES = "snowflake.databases", "SNOWFLAKE_SAMPLE_DATA"


def build_databases(world: World) -> None:
    """Add the carrier's databases and the two that come with an account; nothing if somebody has added databases already."""
    if DATABASES in world.state.datasets:
        return
    for name in (*DOMAINS, "DEV", "SANDBOX", "GOVERNANCE"):
        world.state.add(DATABASES, database(name))
    for name, origin, kind in (
        ("SNOWFLAKE", "SNOWFLAKE.ACCOUNT_USAGE", "APPLICATION"),
        (SAMPLES, "SFC_SAMPLES.SAMPLE_DATA", "IMPORTED DATABASE"),
    ):
        world.state.add(DATABASES, database(name, origin=origin, kind=kind, owner=""))


def database(name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of SHOW DATABASES."""
    row = {"created_on": BUILT, "name": name, "is_default": "N", "is_current": "N", "origin": "", "owner": "SYSADMIN"}
    return row | {"options": "", "retention_time": "30", "kind": "STANDARD", "owner_role_type": "ROLE"} | extra
