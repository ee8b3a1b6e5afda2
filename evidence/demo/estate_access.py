"""The demo's estate of roles, grants and emergency use: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.access_account import build_account
from evidence.demo.access_plants import (
    CONTAINED,
    DUTIES,
    ENVIRONMENTS,
    POWER,
    PUBLIC,
    READERS,
    SCOPE,
    plant_roles,
)
from evidence.demo.access_plants_use import EMERGENCY, GIVEN, USE, plant_use
from evidence.demo.access_registers import build_access_registers
from evidence.demo.faults import Rests
from evidence.demo.procedures import build_procedures
from evidence.demo.schemata import build_schemata
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (
    CONTAINED, DUTIES, EMERGENCY, ENVIRONMENTS, GIVEN, POWER, PUBLIC, READERS, SCOPE, USE,
)  # fmt: skip
RESTS_ON: Final[Rests] = {
    "snowflake.future_grants": (
        (PUBLIC, "failures-stand", 0),
        *((control, "nothing-concluded", 0) for control in (ENVIRONMENTS, POWER, READERS, SCOPE)),
    ),
    "snowflake.login_history": ((EMERGENCY, "failures-stand", 0),),
    "snowflake.access_history": ((USE, "nothing-concluded", 1),),
    "dbt.nodes": tuple((control, "nothing-concluded", 0) for control in (ENVIRONMENTS, GIVEN, POWER, READERS, USE)),
}


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_account(world)
    build_access_registers(world)
    build_procedures(world)
    build_schemata(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found."""
    plant_roles(world)
    plant_use(world)
