"""The demo's estate of recovery, retention, cost and sharing: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.avail_cost import build_cost, plant_cost
from evidence.demo.avail_recovery import build_recovery, plant_recovery
from evidence.demo.avail_retention import build_retention, plant_retention
from evidence.demo.avail_sharing import build_sharing, plant_sharing
from evidence.demo.faults import Rests
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (
    "avail-backups",
    "avail-recovery-test",
    "avail-replication-rpo",
    "avail-time-travel",
    "cost-auto-suspend",
    "cost-budget",
    "cost-resource-monitor",
    "retention-contract",
    "retention-purge",
    "sharing-integrations",
    "sharing-known-accounts",
    "sharing-listings-readers",
    "sharing-phi-protected",
)
RESTS_ON: Final[Rests] = {
    "snowflake.resource_monitors_show": (("cost-resource-monitor", "nothing-concluded", 0),),
    "snowflake.parameters": (("avail-time-travel", "nothing-concluded", 0),),
    "snowflake.policy_references": (("sharing-phi-protected", "nothing-concluded", 0),),
    "dbt.nodes": (
        ("retention-purge", "nothing-concluded", 0),
        ("sharing-phi-protected", "nothing-concluded", 0),
    ),
}


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_sharing(world)
    build_retention(world)
    build_recovery(world)
    build_cost(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found."""
    plant_sharing(world)
    plant_retention(world)
    plant_recovery(world)
    plant_cost(world)
