"""The demo's estate of tags, masks, movement and copies of health data: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.faults import Rests
from evidence.demo.phi_policies import build_policies
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = ()
RESTS_ON: Final[Rests] = {}


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_policies(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found."""
