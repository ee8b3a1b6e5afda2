"""Deviations of grants: administrators, grants to users, raw data, and the network."""

from typing import Any

from evidence.demo.governance import POLICY_DB, network_policy, network_rule, rule_reference, select_on
from evidence.demo.people import ADMINS, future_grant, grant, person_of, user_grant
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tables import BUILT
from evidence.demo.workspace import EXPIRES, OFFICER
from evidence.demo.world import World

ROLES, TO_USERS = "snowflake.grants_to_roles", "snowflake.grants_to_users"
COUNT, DIRECT, RAW, NETWORK = (
    "access-admin-count",
    "access-no-user-privileges",
    "access-no-raw-grants",
    "network-account-policy",
)


def plant_access(world: World) -> None:
    """Plant them all."""
    _administrators(world)
    _registrations(world)
    _user_privileges(world)
    _raw(world)
    _network(world)


def between(world: World, dataset: str, row: dict[str, Any], first: int, last: int) -> Row:
    """Add a grant made on night ``first`` and revoked on the day after ``last``: the row stays, with its end."""
    made = world.state.add(dataset, row | {"CREATED_ON": world.size.evening(first, 15, 20)}, first=first)
    if last < world.size.nights:
        made.change(last + 1, ALWAYS, DELETED_ON=world.size.evening(last + 1, 10, 5))
    return made


def _administrators(world: World) -> None:
    expect = world.expect
    one = person_of(world.workforce, "DATA_ENG", 0).user
    between(world, TO_USERS, user_grant("ORGADMIN", one, by="ACCOUNTADMIN"), 12, 14)
    expect("admin-not-registered", COUNT, f"{one}/ORGADMIN", "not-registered", 12, 14)
    two = person_of(world.workforce, "DATA_ENG", 1).user
    between(world, TO_USERS, user_grant("ACCOUNTADMIN", two, by="ACCOUNTADMIN"), 45, 47)
    for role in ("ACCOUNTADMIN", "SECURITYADMIN"):
        _register(world, two, role, 44, 50)
    expect("too-many-admins", COUNT, "ACCOUNTADMIN", "too-many-holders", 45, 47)
    _register(world, "TERRAFORM", "SECURITYADMIN", 50, 60)
    between(world, TO_USERS, user_grant("SECURITYADMIN", "TERRAFORM", by="ACCOUNTADMIN"), 52, 54)
    expect("service-admin", COUNT, "TERRAFORM/SECURITYADMIN", "service-holder", 52, 54)
    between(world, ROLES, grant("USAGE", "ROLE", "SECURITYADMIN", "OPS_ELEVATED"), 30, 33)
    three = person_of(world.workforce, "ANALYTICS_ENG", 0).user
    world.state.add(
        "snowflake.roles",
        {"ROLE_ID": 980, "CREATED_ON": BUILT, "NAME": "OPS_ELEVATED", "OWNER": "USERADMIN", "ROLE_TYPE": "ROLE"},
    )
    world.registers["role_classes"].append({"role": "OPS_ELEVATED", "class": "engineer"})
    world.state.add(TO_USERS, user_grant("OPS_ELEVATED", three))
    expect("admin-by-inheritance", COUNT, f"{three}/SECURITYADMIN", "not-registered", 30, 33)
    world.state.find("snowflake.users", NAME=ADMINS[0][0]).change(75, 77, EMAIL=None)
    for role in ("ACCOUNTADMIN", "SECURITYADMIN", "ORGADMIN"):
        expect("admin-without-email", COUNT, f"{ADMINS[0][0]}/{role}", "no-email", 75, 77)


def _registrations(world: World) -> None:
    """One registration runs out in the middle of the quarter and is renewed a week later."""
    rows = world.registers["admins"]
    row = next(row for row in rows if row["user"] == ADMINS[1][0] and row["role"] == "ORGADMIN")
    row["expires"] = world.size.night(61)
    rows.append(row | {"approved_on": world.size.night(68), "expires": EXPIRES})
    world.expect("admin-registration-expires", COUNT, f"{ADMINS[1][0]}/ORGADMIN", "registration-expired", 61, 67)


def _register(world: World, user: str, role: str, first: int, until: int) -> None:
    row = {
        "user": user,
        "role": role,
        "approved_by": OFFICER,
        "approved_on": world.size.night(first),
        "expires": world.size.night(until),
    }
    world.registers["admins"].append(row | {"reason": "migration window"})


def _user_privileges(world: World) -> None:
    person = person_of(world.workforce, "CLAIMS_ANALYST", 0).user
    table = world.catalog.by_path["CLAIMS.MART.AGG_LOSS_RATIO"]
    between(world, ROLES, select_on(table, person, GRANTED_TO="USER"), 18, 22)
    world.expect("direct-grant", DIRECT, f"{person}/SELECT/TABLE/CLAIMS.MART.AGG_LOSS_RATIO", "granted-to-user", 18, 22)
    world.state.find("snowflake.parameters", key="DISABLE_USER_PRIVILEGE_GRANTS").change(
        18, 19, value="false", level=""
    )
    world.expect("user-grants-allowed", DIRECT, "account/DISABLE_USER_PRIVILEGE_GRANTS", "parameter-off", 18, 19)


def _raw(world: World) -> None:
    state = world.state
    state.add(
        "snowflake.future_grants", future_grant("SELECT", "CLAIMS.RAW.<TABLE>", "CLAIMS_ANALYST"), first=25, last=38
    )
    world.expect("future-grant-on-raw", RAW, "CLAIMS_ANALYST/CLAIMS.RAW", "future-grant", 25, 38)
    table = world.catalog.by_path["PHARMACY.STAGING.STG_FILLS"]
    between(world, ROLES, select_on(table, "PHARMACY_ANALYST"), 60, ALWAYS)
    world.expect("staging-select", RAW, "PHARMACY_ANALYST/PHARMACY.STAGING", "raw-privilege", 60)


def _network(world: World) -> None:
    state, expect = world.state, world.expect
    state.find("snowflake.parameters", key="NETWORK_POLICY").change(31, 31, value="", level="")
    expect("network-policy-unset", NETWORK, "account", "no-account-policy", 31, 31)
    for first, last, identity, name, values, reason in (
        (57, 58, 4511, "OFFICES", "198.51.100.0/24", "public-beside-private"),
        (66, 67, 4512, "VENDOR", "203.0.113.0/24", "not-registered"),
        (73, 73, 4513, "WIDE", "0.0.0.0/0", "too-wide"),
    ):
        state.add("snowflake.network_rules", network_rule(identity, name, "IPV4", values), first=first, last=last)
        state.add(
            "snowflake.network_rule_references",
            rule_reference(identity, name, "IPV4", (4401, "INTERNAL_ONLY")),
            first=first,
            last=last,
        )
        expect(f"network-{reason}", NETWORK, f"INTERNAL_ONLY/{values}", reason, first, last)
    state.add(
        "snowflake.network_policies",
        network_policy(4402, "VENDOR_ACCESS", ALLOWED_IP_LIST="203.0.113.128/25"),
        first=77,
    )
    attached = {
        "POLICY_DB": POLICY_DB,
        "POLICY_ID": 4402,
        "POLICY_NAME": "VENDOR_ACCESS",
        "POLICY_KIND": "NETWORK_POLICY",
        "POLICY_STATUS": "ACTIVE",
    }
    attached |= {"REF_ENTITY_NAME": "AIRFLOW", "REF_ENTITY_DOMAIN": "USER"}
    state.add("snowflake.policy_references", attached, first=77, last=80)
    expect("user-network-policy", NETWORK, "USER/AIRFLOW/VENDOR_ACCESS/203.0.113.128/25", "wider-than-account", 77, 80)
