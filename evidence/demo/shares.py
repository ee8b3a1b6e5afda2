"""Shares of the account and what is granted to them."""

import datetime as dt
from typing import Any

from evidence.demo.tables import BUILT, Table
from evidence.demo.world import World

SHARES, GRANTED = "snowflake.shares", "snowflake.grants_to_shares"
# share -> consumer, shared views
OUT = {
    "CARE_PARTNER": ("LARKMERE.CARE", ("MEMBER.SERVE.V_MEMBER_CONTACT",)),
    "STATE_CLAIMS": ("STATE_APCD.SUBMISSIONS", ("CLAIMS.SERVE.V_CLAIM_SUMMARY",)),
}


def build_shares(world: World) -> None:
    """Add the shares and their grants; nothing if somebody has added shares already."""
    if SHARES in world.state.datasets:
        return
    for name, (target, views) in OUT.items():
        world.state.add(SHARES, share(name, target, views[0].partition(".")[0]))
        for path in views:
            world.state.add(GRANTED, shared(name, world.catalog.by_path[path]))


def share(name: str, target: str, database: str) -> dict[str, Any]:
    """Return a row of SHARES."""
    row = {"CREATED_ON": BUILT, "MODIFIED_ON": BUILT, "NAME": name, "OWNER": "ACCOUNTADMIN"}
    return row | {"DATABASE_NAME": database, "SECURE_OBJECTS_ONLY": True, "TARGET_ACCOUNTS": target}


def shared(name: str, table: Table, made: dt.datetime = BUILT) -> dict[str, Any]:
    """Return the row of an object that a share shows."""
    return {
        "CREATED_ON": made,
        "PRIVILEGE": "SELECT",
        "GRANTED_ON": "VIEW" if table.view else "TABLE",
        "OBJECT_NAME": table.name,
        "OBJECT_DATABASE": table.database,
        "OBJECT_SCHEMA": table.schema,
        "SHARE_NAME": name,
        "GRANTED_BY": "ACCOUNTADMIN",
        "GRANTED_BY_ROLE_TYPE": "ROLE",
    }
