"""The demo's estate of buckets, keys, trails and the network: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.account_settings import build_settings, plant_settings
from evidence.demo.aws_network import build_network, plant_network
from evidence.demo.aws_people import build_people_of_aws, plant_people_of_aws
from evidence.demo.aws_stages import build_stages, plant_stages
from evidence.demo.aws_storage import build_storage, plant_storage
from evidence.demo.faults import Rests
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (
    "access-aws-role-trust",
    "avail-s3-versioning",
    "data-account-parameters",
    "data-external-stages",
    "data-kms-rotation",
    "data-s3-access",
    "data-s3-encryption",
    "identity-aws-humans",
    "monitor-cloudtrail",
    "network-egress",
    "network-private-logins",
    "network-service-policy",
    "retention-evidence-lock",
)
RESTS_ON: Final[Rests] = {
    "snowflake.login_history": (
        ("network-private-logins", "nothing-concluded", 0),
        ("network-service-policy", "failures-stand", 0),
    ),
    "snowflake.policy_references": (("network-service-policy", "nothing-concluded", 0),),
    "snowflake.parameters": (("data-account-parameters", "nothing-concluded", 0),),
}


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_storage(world)
    build_stages(world)
    build_people_of_aws(world)
    build_settings(world)
    build_network(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found."""
    plant_storage(world)
    plant_stages(world)
    plant_people_of_aws(world)
    plant_settings(world)
    plant_network(world)
