"""The demo's estate of changes, pipelines and data quality: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.change_contracts import build_contracts, plant_contracts
from evidence.demo.change_quality import build_quality, plant_quality
from evidence.demo.faults import Rests
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (
    "change-contract-breaking",
    "quality-contract-enforced",
    "quality-ownership-lineage",
    "quality-slo-met",
    "quality-snapshots",
    "quality-source-freshness",
)
RESTS_ON: Final[Rests] = {
    "dbt.nodes": (
        ("quality-contract-enforced", "nothing-concluded", 0),
        ("quality-ownership-lineage", "nothing-concluded", 0),
        ("quality-slo-met", "nothing-concluded", 0),
        ("quality-snapshots", "nothing-concluded", 0),
        ("quality-source-freshness", "nothing-concluded", 0),
    ),
}


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_quality(world)
    build_contracts(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found."""
    plant_quality(world)
    plant_contracts(world)
