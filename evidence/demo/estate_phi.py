"""The demo's estate of tags, masks, movement and copies of health data: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.faults import Rests
from evidence.demo.phi_movement import build_movement, plant_movement
from evidence.demo.phi_policies import build_policies, plant_policies
from evidence.demo.phi_tables import build_tables, plant_tables
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (
    "data-deidentified",
    "data-discovery-coverage",
    "data-no-phi-nonprod",
    "data-phi-bulk-read",
    "data-phi-lineage",
    "data-phi-row-access",
    "data-phi-tag-coverage",
    "data-phi-unload",
    "data-policy-quality",
    "data-select-star",
)
RESTS_ON: Final[Rests] = {
    "snowflake.policy_references": (
        ("data-phi-lineage", "nothing-concluded", 0),
        ("data-phi-row-access", "nothing-concluded", 0),
        ("data-policy-quality", "nothing-concluded", 0),
    ),
    "snowflake.access_history": (
        ("data-phi-bulk-read", "failures-stand", 1),
        ("data-phi-lineage", "failures-stand", 0),
        ("data-phi-unload", "failures-fall", 1),
        ("data-select-star", "failures-stand", 1),
    ),
    "dbt.nodes": tuple((control, "nothing-concluded", 0) for control in CONTROLS),
}


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_policies(world)
    build_tables(world)
    build_movement(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found."""
    plant_policies(world)
    plant_tables(world)
    plant_movement(world)
