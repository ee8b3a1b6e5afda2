"""Warehouses of the account: what may run, what watches it, and whom it is for."""

from typing import Any, Final

from evidence.demo.tables import BUILT
from evidence.demo.world import World

WAREHOUSES, PARAMETERS, MONITORS = (
    "snowflake.warehouses",
    "snowflake.warehouse_parameters",
    "snowflake.resource_monitors_show",
)
METERING, TAGS = "snowflake.warehouse_metering", "snowflake.tag_references"
# warehouse -> domain, environment, credits of a usual night
USED: Final = {
    "WH_CLAIMS_ANALYST": ("claims", "prod", 6),
    "WH_FRAUD": ("claims", "prod", 3),
    "WH_MEMBER_SERVICES": ("member", "prod", 8),
    "WH_ACTUARIAL": ("actuarial", "prod", 5),
    "WH_CARE_MGMT": ("care", "prod", 2),
    "WH_PHARMACY_ANALYST": ("pharmacy", "prod", 2),
    "WH_FINANCE_ANALYST": ("finance", "prod", 2),
    "WH_REPORTING": ("finance", "prod", 1),
    "WH_PROVIDER_OPS": ("provider", "prod", 1),
    "WH_ANALYTICS_ENG": ("platform", "dev", 3),
    "WH_DATA_ENG": ("platform", "dev", 2),
    "WH_SYSADMIN": ("platform", "prod", 1),
    "WH_LOAD": ("platform", "prod", 4),
    "WH_DBT": ("platform", "prod", 12),
    "WH_CI": ("platform", "ci", 2),
    "WH_TABLEAU": ("finance", "prod", 3),
    "WH_OPS": ("platform", "prod", 1),
    "EVIDENCE_WH": ("platform", "prod", 1),
}
_TAG_IDS: Final = {"ENV": 3321, "DOMAIN": 3322, "COST_CENTER": 3323}


def build_warehouses(world: World) -> None:
    """Add them with monitors, time limits and tags, unless they are there."""
    if next(world.state.select(WAREHOUSES), None):
        return
    for name in ("CARRIER_MONTHLY", "EVIDENCE_MONTHLY"):
        world.state.add(MONITORS, _monitor(name))
    for number, name in enumerate(USED):
        monitor = "EVIDENCE_MONTHLY" if name == "EVIDENCE_WH" else "CARRIER_MONTHLY"
        world.state.add(WAREHOUSES, warehouse(number, name, resource_monitor=monitor))
        limit = {"key": "STATEMENT_TIMEOUT_IN_SECONDS", "value": "7200", "default": "172800", "level": "ACCOUNT"}
        world.state.add(PARAMETERS, {"warehouse_name": name, **limit, "description": "", "type": "NUMBER"})
        domain, environment, _ = USED[name]
        for tag, value in (("ENV", environment), ("DOMAIN", domain), ("COST_CENTER", f"CC-{domain.upper()}")):
            world.state.add(TAGS, _tag(number, name, tag, value))


def warehouse(number: int, name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of SHOW WAREHOUSES."""
    row = {
        "name": name,
        "state": "SUSPENDED",
        "type": "STANDARD",
        "size": "X-Small",
        "min_cluster_count": 1,
        "max_cluster_count": 2,
        "auto_suspend": 60,
        "auto_resume": "true",
        "created_on": BUILT,
        "owner": "SYSADMIN",
        "owner_role_type": "ROLE",
        "comment": "",
        "enable_query_acceleration": "false",
        "resource_monitor": "null",
        "uuid": f"{410_900 + number}",
        "scaling_policy": "STANDARD",
    }
    return row | extra


def metered(world: World, name: str, night: int, credits_used: int) -> dict[str, Any]:
    """Return a row of WAREHOUSE_METERING_HISTORY; a night's use stands in one hour."""
    return {
        "START_TIME": world.size.evening(night, 9),
        "END_TIME": world.size.evening(night, 10),
        "WAREHOUSE_ID": 410_900 + list(USED).index(name),
        "WAREHOUSE_NAME": name,
        "CREDITS_USED": credits_used,
        "CREDITS_USED_COMPUTE": credits_used,
        "CREDITS_USED_CLOUD_SERVICES": 0,
    }


def _monitor(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "credit_quota": "2500.00",
        "used_credits": "812.40",
        "level": "WAREHOUSE",
        "frequency": "MONTHLY",
        "notify_at": "75%",
        "suspend_at": "100%",
        "suspend_immediately_at": "110%",
        "created_on": BUILT,
        "owner": "ACCOUNTADMIN",
    }


def _tag(number: int, name: str, tag: str, value: str) -> dict[str, Any]:
    return {
        "TAG_DATABASE": "GOVERNANCE",
        "TAG_SCHEMA": "TAGS",
        "TAG_ID": _TAG_IDS[tag],
        "TAG_NAME": tag,
        "TAG_VALUE": value,
        "OBJECT_ID": 410_900 + number,
        "OBJECT_NAME": name,
        "DOMAIN": "WAREHOUSE",
        "APPLY_METHOD": "MANUAL",
    }
