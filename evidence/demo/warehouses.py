"""The account's warehouses, as SHOW WAREHOUSES lists them."""

from evidence.demo.tables import BUILT
from evidence.demo.world import World

DATASET = "snowflake.warehouses"
WAREHOUSES = ("WH_LOAD", "WH_DBT", "WH_CI", "WH_TABLEAU", "WH_OPS", "EVIDENCE_WH")


def build_warehouses(world: World) -> None:
    """Add a row per warehouse; nothing if somebody has added them already."""
    if DATASET in world.state.datasets:
        return
    for name in WAREHOUSES:
        row = {
            "name": name,
            "state": "SUSPENDED",
            "type": "STANDARD",
            "size": "X-Small",
            "min_cluster_count": 1,
            "max_cluster_count": 1,
            "auto_suspend": 60,
            "auto_resume": "true",
            "created_on": BUILT,
            "owner": "SYSADMIN",
            "resource_monitor": "PLATFORM",
            "scaling_policy": "STANDARD",
            "owner_role_type": "ROLE",
        }
        world.state.add(DATASET, row)
