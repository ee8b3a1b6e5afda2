"""Deviations of grants: administrators, grants to users, raw data, and the network."""

from typing import Any

from evidence.demo.governance import network_policy, network_rule, rule_reference, select_on
from evidence.demo.people import ADMINS, credential, future_grant, grant, person_of, user_grant
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


# plant, first and last night, type and value of an allowed rule, reason
_RULES = (
    ("entry-too-wide", 20, 20, "IPV4", "198.0.0.0/8", "too-wide"),
    ("entry-registration-expired", 37, 38, "IPV4", "192.0.2.0/24", "registration-expired"),
    ("entry-of-unknown-form", 41, 41, "IPV6", "2001:db8::/32", "unknown-form"),
    ("public-beside-private", 57, 58, "IPV4", "198.51.100.0/24", "public-beside-private"),
    ("entry-not-registered", 66, 67, "IPV4", "203.0.113.0/24", "not-registered"),
    ("open-range", 73, 73, "IPV4", "0.0.0.0/0", "open-range"),
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
    expect("admin-not-registered", COUNT, f"{one} -> ORGADMIN", "not-registered", 12, 14)
    two = person_of(world.workforce, "DATA_ENG", 1).user
    between(world, TO_USERS, user_grant("ACCOUNTADMIN", two, by="ACCOUNTADMIN"), 45, 47)
    for role in ("ACCOUNTADMIN", "SECURITYADMIN"):
        _register(world, two, role, 44, 50)
    expect("too-many-admins", COUNT, "ACCOUNTADMIN", "too-many", 45, 47)
    _register(world, "TERRAFORM", "SECURITYADMIN", 50, 60)
    between(world, TO_USERS, user_grant("SECURITYADMIN", "TERRAFORM", by="ACCOUNTADMIN"), 52, 54)
    expect("service-admin", COUNT, "TERRAFORM -> SECURITYADMIN", "service-holder", 52, 54)
    between(world, ROLES, grant("USAGE", "ROLE", "SECURITYADMIN", "OPS_ELEVATED"), 30, 33)
    three = person_of(world.workforce, "ANALYTICS_ENG", 0).user
    world.state.add(
        "snowflake.roles",
        {"ROLE_ID": 980, "CREATED_ON": BUILT, "NAME": "OPS_ELEVATED", "OWNER": "USERADMIN", "ROLE_TYPE": "ROLE"},
    )
    world.registers["role_classes"].append({"role": "OPS_ELEVATED", "class": "engineer"})
    world.state.add(TO_USERS, user_grant("OPS_ELEVATED", three))
    expect("admin-by-inheritance", COUNT, f"{three} -> SECURITYADMIN", "not-registered", 30, 33)
    world.state.find("snowflake.users", NAME=ADMINS[0][0]).change(75, 77, EMAIL=None)
    for role in ("ACCOUNTADMIN", "SECURITYADMIN", "ORGADMIN"):
        expect("admin-without-email", COUNT, f"{ADMINS[0][0]} -> {role}", "no-email", 75, 77)


def _registrations(world: World) -> None:
    """One registration runs out in the middle of the quarter and is renewed a week later."""
    rows = world.registers["admins"]
    row = next(row for row in rows if row["user"] == ADMINS[1][0] and row["role"] == "ORGADMIN")
    row["expires"] = world.size.night(61)
    rows.append(row | {"approved_on": world.size.night(68), "expires": EXPIRES})
    world.expect("admin-registration-expires", COUNT, f"{ADMINS[1][0]} -> ORGADMIN", "registration-expired", 61, 67)

    held = world.state.find(TO_USERS, ROLE="ORGADMIN", GRANTEE_NAME=ADMINS[0][0])
    held.change(86, ALWAYS, DELETED_ON=world.size.evening(86, 17))
    between(world, TO_USERS, user_grant("ORGADMIN", ADMINS[0][0], by="ACCOUNTADMIN"), 88, ALWAYS)
    world.expect("too-few-admins", COUNT, "ORGADMIN", "too-few", 86, 87)


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
    world.expect("direct-grant", DIRECT, f"{person}: SELECT on TABLE {table.path}", "user-privilege", 18, 22)
    world.state.find("snowflake.parameters", key="DISABLE_USER_PRIVILEGE_GRANTS").change(
        18, 19, value="false", level=""
    )
    world.expect("user-grants-allowed", DIRECT, "DISABLE_USER_PRIVILEGE_GRANTS", "parameter-not-true", 18, 19)
    plain = world.catalog.by_path["FINANCE.MART.FCT_PREMIUM"]
    between(world, ROLES, select_on(plain, "EXPORT_JOB", GRANTED_TO=None), 51, 51)
    world.expect("grantee-kind-null", DIRECT, f"EXPORT_JOB: SELECT on TABLE {plain.path}", "unknown-value", 51, 51)


def _raw(world: World) -> None:
    state, table, expect = world.state, world.catalog.by_path, world.expect
    database_role = {"GRANTED_TO": "DATABASE_ROLE"}
    between(world, ROLES, select_on(table["MEMBER.RAW.ADDRESSES"], "MART_READER", **database_role), 5, 6)
    expect("raw-by-database-role", RAW, "MEMBER_SERVICES -> MEMBER.RAW", "inherited-privilege", 5, 6)
    person = person_of(world.workforce, "DATA_ENG", 2).user
    between(world, TO_USERS, user_grant("CLAIMS_RAW_RW", person, by="SECURITYADMIN"), 8, 9)
    expect("access-role-to-person", RAW, f"user {person} -> CLAIMS.RAW", "inherited-privilege", 8, 9)
    state.add(
        "snowflake.future_grants", future_grant("SELECT", "CLAIMS.RAW.<TABLE>", "CLAIMS_ANALYST"), first=25, last=38
    )
    expect("future-grant-on-raw", RAW, "CLAIMS_ANALYST -> CLAIMS.RAW", "future-privilege", 25, 38)
    between(world, ROLES, grant("USAGE", "ROLE", "CARE_RAW_RW", "CARE_MGMT"), 44, 46)
    expect("raw-by-inheritance", RAW, "CARE_MGMT -> CARE.RAW", "inherited-privilege", 44, 46)
    between(world, ROLES, select_on(table["PHARMACY.STAGING.STG_FILLS"], "PHARMACY_ANALYST"), 60, ALWAYS)
    expect("staging-select", RAW, "PHARMACY_ANALYST -> PHARMACY.STAGING", "direct-privilege", 60)
    between(world, ROLES, select_on(table["FINANCE.STAGING.STG_PREMIUMS"], "PUBLIC"), 82, 83)
    expect("public-on-staging", RAW, "PUBLIC -> FINANCE.STAGING", "direct-privilege", 82, 83)


def _network(world: World) -> None:
    state, expect, size = world.state, world.expect, world.size
    setting = state.find("snowflake.parameters", key="NETWORK_POLICY")
    setting.change(31, 31, value="", level="")
    expect("network-policy-unset", NETWORK, "account policy", "no-policy", 31, 31)
    setting.change(46, 46, value="GONE_POLICY")
    expect("network-policy-gone", NETWORK, "account policy", "policy-unknown", 46, 46)
    rows = world.registers["network"]
    partner = next(row for row in rows if row["kind"] == "cidr")
    rows.append(partner | {"entry": "192.0.2.0/24", "purpose": "former office", "expires": size.night(30)})
    for number, (plant, first, last, kind, values, reason) in enumerate(_RULES):
        identity, name = 4511 + number, f"RULE_{number}"
        state.add("snowflake.network_rules", network_rule(identity, name, kind, values), first=first, last=last)
        row = rule_reference(identity, name, kind, (4401, "INTERNAL_ONLY"))
        state.add("snowflake.network_rule_references", row, first=first, last=last)
        expect(plant, NETWORK, f"INTERNAL_ONLY allows {values}", reason, first, last)
    _around_the_policy(world)


def _around_the_policy(world: World) -> None:
    """A laxer policy on one user, and a token that needs none."""
    state = world.state
    state.add(
        "snowflake.network_policies",
        network_policy(4402, "VENDOR_ACCESS", ALLOWED_IP_LIST="203.0.113.128/25"),
        first=77,
    )
    attached = {"POLICY_DB": None, "POLICY_ID": 4402, "POLICY_NAME": "VENDOR_ACCESS", "POLICY_KIND": "NETWORK_POLICY"}
    attached |= {"REF_ENTITY_NAME": "AIRFLOW", "REF_ENTITY_DOMAIN": "USER", "POLICY_STATUS": "ACTIVE"}
    state.add("snowflake.policy_references", attached, first=77, last=80)
    world.expect("user-network-policy", NETWORK, "USER AIRFLOW policy VENDOR_ACCESS", "wider-than-account", 77, 80)
    person = person_of(world.workforce, "DATA_ENG", 0).user
    details = '{"MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT": 240, "ROLE_RESTRICTION": ["DATA_ENG"]}'
    token = credential(801, person, "PAT", "PROGRAMMATIC_ACCESS_TOKEN", NAME="LAPTOP", ADDITIONAL_DETAILS=details)
    state.add("snowflake.credentials", token | {"EXPIRATION_DATE": world.size.evening(40)}, first=14, last=17)
    world.expect("token-bypasses-policy", NETWORK, f"{person} token LAPTOP", "token-bypass", 14, 17)
