"""The demo's estate of changes, pipelines and data quality: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.change_commits import build_commits, plant_commits
from evidence.demo.change_contracts import build_contracts, plant_contracts
from evidence.demo.change_credentials import build_credentials, plant_credentials
from evidence.demo.change_loads import build_loads, plant_loads
from evidence.demo.change_quality import build_quality, plant_quality
from evidence.demo.change_state import build_code, plant_code
from evidence.demo.change_statements import build_statements, plant_statements
from evidence.demo.faults import Rests
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (
    "change-attributed-writes",
    "change-contract-breaking",
    "change-iac-credentials",
    "change-pr-gated",
    "change-prod-ddl",
    "change-record",
    "change-unmanaged",
    "quality-contract-enforced",
    "quality-load-errors",
    "quality-ownership-lineage",
    "quality-slo-met",
    "quality-snapshots",
    "quality-source-freshness",
)
RESTS_ON: Final[Rests] = {
    "snowflake.login_history": (
        ("change-iac-credentials", "nothing-concluded", 0),
        ("change-prod-ddl", "nothing-concluded", 1),
    ),
    "snowflake.access_history": (
        ("change-attributed-writes", "failures-fall", 1),
        ("change-prod-ddl", "failures-fall", 1),
    ),
    "dbt.nodes": (
        ("change-unmanaged", "nothing-concluded", 0),
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
    build_code(world)
    build_credentials(world)
    build_loads(world)
    build_commits(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found."""
    plant_quality(world)
    plant_contracts(world)
    plant_code(world)
    plant_credentials(world)
    plant_loads(world)
    plant_commits(world)
    build_statements(world)  # now that it is known on which morning no run was
    plant_statements(world)
