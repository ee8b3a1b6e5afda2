"""Recovery: databases and their replica, backups, Time Travel and exercises, and deviations of each."""

import json
from typing import Any, Final

from evidence.demo.governance import parameter
from evidence.demo.once import once, register
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tables import BUILT, DOMAINS
from evidence.demo.tickets import TICKETS, ticket
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

RPO, EXERCISE, BACKUPS, TRAVEL = (
    "avail-replication-rpo",
    "avail-recovery-test",
    "avail-backups",
    "avail-time-travel",
)
DATABASES, GROUPS, MEMBERS = (
    "snowflake.databases",
    "snowflake.failover_groups",
    "snowflake.failover_group_databases",
)
ANY_GROUPS, REFRESHES = "snowflake.replication_groups_show", "snowflake.replication_refresh_history"
SETS, POLICIES, COPIES = "snowflake.backup_sets", "snowflake.backup_policies", "snowflake.backups"
GROUP, REPLICA_ACCOUNT = "CARRIER_CORE", "FERNHOLLOW.CARRIER_DR"
CRITICAL: Final = ("CLAIMS", "MEMBER")  # nobody can build them again: their sources keep 90 days
_TYPES: Final = ("DATABASES", "ROLES", "USERS", "WAREHOUSES", "INTEGRATIONS", "NETWORK POLICIES")
# refreshes that were not made: from night and hour, to night and hour
_HELD: Final = ((7, 18, 8, 9), (35, 11, 35, 14))


def build_recovery(world: World) -> None:
    """Add databases, the failover group and its refreshes, backups and the exercises."""
    for name in (*DOMAINS, "SANDBOX", "DEV", "GOVERNANCE"):
        once(world, DATABASES, database(name), "name")
    own = {"kind": "APPLICATION", "origin": "SNOWFLAKE.ACCOUNT_USAGE", "owner": ""}
    once(world, DATABASES, database("SNOWFLAKE", **own), "name")
    floor = parameter("MIN_DATA_RETENTION_TIME_IN_DAYS", "7", "0", kind="NUMBER")
    once(world, "snowflake.parameters", floor, "key")
    _replica(world)
    _backups(world)
    approved = {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
    aims = {"rpo_minutes": 60, "rto_minutes": 60, "rebuildable": False, "failover_group": GROUP}
    for name in CRITICAL:
        row = {"database": name, **aims, "replica_source": world.names.recovery, "owner": "Data platform"}
        register(world, "critical_databases", row | approved)
    night = world.size.evening
    done = {"result": "passed", "rto_minutes": 38, "rpo_minutes": 12}
    failover = done | {"performed_at": night(-109, 14), "closed_at": night(-108, 10), "scope": f"failover of {GROUP}"}
    world.state.add(TICKETS, ticket("DR0000041", "dr_test", night(-130, 9)) | failover)
    restore = done | {"performed_at": night(-141, 14), "closed_at": night(-140, 10), "scope": "restore of CLAIMS"}
    world.state.add(TICKETS, ticket("DR0000040", "restore_test", night(-150, 9)) | restore)


def database(name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of SHOW DATABASES."""
    row = {"created_on": BUILT, "name": name, "is_default": "N", "is_current": "N", "origin": "", "owner": "SYSADMIN"}
    return row | {"options": "", "retention_time": "30", "kind": "STANDARD", "owner_role_type": "ROLE"} | extra


def plant_recovery(world: World) -> None:
    """Plant them all."""
    _replica_late(world)
    _backups_weak(world)
    _time_travel(world)
    _exercises(world)


def _replica(world: World) -> None:
    group = {
        "region_group": "PUBLIC",
        "created_on": BUILT,
        "name": GROUP,
        "type": "FAILOVER",
        "primary": f"FERNHOLLOW.CARRIER.{GROUP}",
        "organization_name": "FERNHOLLOW",
        "owner": "ACCOUNTADMIN",
        "is_listing_auto_fulfillment_group": "false",
    }
    first = group | {
        "snowflake_region": "AWS_US_EAST_1",
        "account_name": "CARRIER",
        "account_locator": "FH41200",
        "is_primary": "true",
        "object_types": ", ".join(_TYPES),
        "allowed_accounts": f"FERNHOLLOW.CARRIER, {REPLICA_ACCOUNT}",
        "replication_schedule": "30 MINUTE",
    }
    second = group | {"snowflake_region": "AWS_US_WEST_2", "account_name": "CARRIER_DR", "account_locator": "FH41207"}
    second |= {"is_primary": "false", "secondary_state": "STARTED"}
    for dataset in (GROUPS, ANY_GROUPS):
        world.state.add(dataset, first)
        world.state.add(dataset, second)
    for name in CRITICAL:
        world.state.add(MEMBERS, {"group_name": GROUP, "name": name})
    for night in range(world.size.nights):
        rows = [refresh(world, night, half) for half in range(48) if not _held(night, half / 2)]
        world.recorded_there.setdefault(REFRESHES, {})[night] = rows


def _held(night: int, hour: float) -> bool:
    return any((a, b) <= (night, hour) < (c, d) for a, b, c, d in _HELD)


def refresh(world: World, night: int, half: int) -> dict[str, Any]:
    """Return the row of a refresh that began two minutes after a full or half hour and took five."""
    start = world.size.evening(night, half // 2, 30 * (half % 2) + 2)
    return {
        "REPLICATION_GROUP_NAME": GROUP,
        "REPLICATION_GROUP_ID": 71,
        "PHASE_NAME": "COMPLETED",
        "START_TIME": start,
        "END_TIME": world.size.evening(night, half // 2, 30 * (half % 2) + 7),
        "JOB_UUID": f"01d1{night:04x}-0000-{half:04x}-0000-0000000000a1",
        "PRIMARY_SNAPSHOT_TIMESTAMP": start,
    }


def _backups(world: World) -> None:
    for number, name in enumerate(CRITICAL, 1):
        policy = {"ID": number, "NAME": f"{name}_DAILY", "SCHEDULE": "1440 MINUTE", "EXPIRE_AFTER_DAYS": 35}
        where = {"SCHEMA_NAME": "BACKUPS", "CATALOG_NAME": "GOVERNANCE", "OWNER": "ACCOUNTADMIN", "CREATED": BUILT}
        world.state.add(POLICIES, policy | where | {"HAS_RETENTION_LOCK": "Y"})
        kept = {"ID": 100 + number, "NAME": f"{name}_SET", "OBJECT_KIND": "DATABASE", "OBJECT_NAME": name}
        world.state.add(SETS, kept | where | {"BACKUP_POLICY_ID": number, "BACKUP_POLICY_NAME": f"{name}_DAILY"})
        row = world.state.add(COPIES, {"BACKUP_SET_ID": 100 + number, "BACKUP_SET_NAME": f"{name}_SET"})
        _made_each_evening(world, row, number)


def _made_each_evening(world: World, row: Row, number: int) -> None:
    """The newest backup is of that evening; of CLAIMS none was made on the nights 41 to 44."""

    def newest(night: int) -> dict[str, Any]:
        made = 40 if number == 1 and 41 <= night <= 44 else night
        created = {"CREATED": world.size.evening(made, 22), "EXPIRATION_SCHEDULED_FOR": world.size.evening(made + 35)}
        return {"ID": f"bk-{number}-{made:04}", **created}

    row.daily = newest


def _replica_late(world: World) -> None:
    """The secondary is suspended over an evening; refreshes pause at noon; the group is narrowed; it loses a database."""
    find, expect = world.state.find, world.expect
    find(GROUPS, is_primary="false").change(7, 7, secondary_state="SUSPENDED")
    find(GROUPS, is_primary="true").change(20, 21, object_types=", ".join(_TYPES[:-1]))
    for name in CRITICAL:
        expect("replica-suspended", RPO, name, "suspended", 7, 7)
        expect("replica-suspended", RPO, name, "lag-over-objective", 8, 8)
        expect("group-narrowed", RPO, name, "types-missing", 20, 21)
        expect("refreshes-pause", RPO, name, "lag-over-objective", 35, 35)
    find(MEMBERS, name="CLAIMS").last = 87
    expect("database-leaves-group", RPO, "CLAIMS", "not-in-group", 88)


def _backups_weak(world: World) -> None:
    """A set moves to a policy without a lock; backups stop, which shows once the last is too old; they are kept too short."""
    find, expect = world.state.find, world.expect
    policy = find(POLICIES, NAME="MEMBER_DAILY").values | {"ID": 9, "NAME": "TRIAL", "HAS_RETENTION_LOCK": "N"}
    world.state.add(POLICIES, policy)
    find(SETS, OBJECT_NAME="MEMBER").change(4, 6, BACKUP_POLICY_ID=9, BACKUP_POLICY_NAME="TRIAL")
    expect("backup-without-lock", BACKUPS, "MEMBER", "no-lock", 4, 6)
    expect("backups-stop", BACKUPS, "CLAIMS", "backup-old", 42, 44)
    find(POLICIES, NAME="CLAIMS_DAILY").change(74, 76, EXPIRE_AFTER_DAYS=14)
    expect("backups-kept-short", BACKUPS, "CLAIMS", "expiry-short", 74, 76)


def _time_travel(world: World) -> None:
    expect = world.expect
    table_row(world, "MEMBER.MART.DIM_MEMBER").change(9, 10, RETENTION_TIME=1)
    expect("time-travel-short", TRAVEL, "MEMBER.MART.DIM_MEMBER", "retention-short", 9, 10)
    table_row(world, "PHARMACY.MART.FCT_FILL").change(55, 57, IS_TRANSIENT="YES", RETENTION_TIME=1)
    expect("table-made-transient", TRAVEL, "PHARMACY.MART.FCT_FILL", "transient", 55, 57)
    floor = world.state.find("snowflake.parameters", key="MIN_DATA_RETENTION_TIME_IN_DAYS")
    floor.change(68, 69, value="0", level="")
    expect("floor-unset", TRAVEL, "account", "floor-low", 68, 69)


def table_row(world: World, path: str) -> Row:
    """Return the row of TABLES."""
    database_name, schema, name = path.split(".")
    where = {"TABLE_CATALOG": database_name, "TABLE_SCHEMA": schema, "TABLE_NAME": name}
    return world.state.find("snowflake.tables", **where)


def _exercises(world: World) -> None:
    """A follow-up of the failover is late; the restore test gets old, the next one fails, and is repeated."""
    night, expect = world.size.evening, world.expect
    failover = world.state.find(TICKETS, type="dr_test")
    step = {"id": "DR0000041-1", "due": f"{world.size.night(4)}T12:00:00", "closed_at": None}
    failover.change(0, 6, followups=json.dumps([step]))
    closed = step | {"closed_at": f"{world.size.night(7)}T10:00:00"}
    failover.change(7, ALWAYS, followups=json.dumps([closed]))
    expect("followup-late", EXERCISE, "dr_test", "followup-overdue", 4, 6)
    # performed on 10 February: 180 days end on 9 August
    expect("restore-test-old", EXERCISE, "restore_test", "test-old", 39, 49)
    failed = {"result": "failed", "rto_minutes": 190, "rpo_minutes": 12, "performed_at": night(50, 14)}
    row = ticket("DR0000044", "restore_test", night(44, 9), closed_at=night(50, 18)) | failed
    world.state.add(TICKETS, row, first=50)
    expect("restore-test-fails", EXERCISE, "restore_test", "test-failed", 50, 52)
    passed = {"result": "passed", "rto_minutes": 44, "rpo_minutes": 12, "performed_at": night(53, 14)}
    row = ticket("DR0000045", "restore_test", night(51, 9), closed_at=night(53, 18)) | passed
    world.state.add(TICKETS, row, first=53)
