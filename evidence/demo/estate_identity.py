"""The demo's estate of sign-in, provisioning and leavers: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.faults import Rests
from evidence.demo.identity_factors import AGE, AT_LOGIN, IDP, build_factors, plant_factors
from evidence.demo.identity_movers import MOVERS, build_movers, plant_movers
from evidence.demo.identity_people import LEAVERS, UNIQUE, build_people_of, plant_people_of
from evidence.demo.identity_sign_on import SCIM, SSO, TIMEOUT, build_sign_on, plant_sign_on
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (AGE, AT_LOGIN, IDP, LEAVERS, MOVERS, SCIM, SSO, TIMEOUT, UNIQUE)
RESTS_ON: Final[Rests] = {
    "snowflake.login_history": (
        (AT_LOGIN, "failures-stand", 0),
        (UNIQUE, "failures-stand", 0),
        (LEAVERS, "failures-stand", 0),
    ),
}


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_sign_on(world)
    build_factors(world)
    build_people_of(world)
    build_movers(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found; last what each login of a person has."""
    plant_factors(world)
    plant_people_of(world)
    plant_movers(world)
    plant_sign_on(world)
