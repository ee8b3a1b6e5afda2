"""The accounts of the organization."""

from typing import Any

from evidence.demo.world import World

ACCOUNTS, ACCOUNT = "organization.accounts", "CARRIER"
TRAINING = "TRAINING"  # holds no data of the carrier's


def build_accounts(world: World) -> None:
    """Add the collected account and one for courses; nothing if somebody has added accounts already."""
    if ACCOUNTS in world.state.datasets:
        return
    for number, (name, edition) in enumerate(((ACCOUNT, "BUSINESS_CRITICAL"), (TRAINING, "ENTERPRISE"))):
        world.state.add(ACCOUNTS, account(number, name, edition))


def account(number: int, name: str, edition: str) -> dict[str, Any]:
    """Return a row of SHOW ACCOUNTS."""
    return {
        "organization_name": "FERNHOLLOW",
        "account_name": name,
        "snowflake_region": "AWS_US_EAST_1",
        "edition": edition,
        "account_locator": f"FH{41_200 + number}",
        "account_url": f"https://fernhollow-{name.lower()}.snowflake.example",
        "is_org_admin": str(not number).lower(),
    }
