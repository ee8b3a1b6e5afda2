"""Deviations of roles and what they hold."""

from typing import Final

from evidence.demo.access_registers import BUILD_RULE, CLAIMS_RULE
from evidence.demo.governance import select_on
from evidence.demo.people import ADMINS, SERVICES, future_grant, grant, person_of, user_grant
from evidence.demo.plants_access import ROLES, TO_USERS, between
from evidence.demo.procedures import PRICING
from evidence.demo.state import ALWAYS
from evidence.demo.workspace import EXPIRES
from evidence.demo.world import World

PUBLIC, POWER, CONTAINED, ENVIRONMENTS, SCOPE, DUTIES, READERS = (
    "access-public-role",
    "access-powerful-privileges",
    "access-admin-containment",
    "access-env-isolation",
    "access-service-role-scope",
    "access-sod",
    "access-contract-roles",
)
PREMIUM: Final = "FINANCE.MART.FCT_PREMIUM"
COLLECTOR: Final = SERVICES["EVIDENCE_COLLECTOR"][0]


def plant_roles(world: World) -> None:
    """Plant them all."""
    _everybody(world)
    _powers(world)
    _administrators(world)
    _environments(world)
    _services(world)
    _duties(world)
    _readers(world)


def _select(world: World, path: str, role: str, first: int, last: int, privilege: str = "SELECT") -> None:
    row = select_on(world.catalog.by_path[path], role) | {"PRIVILEGE": privilege}
    between(world, ROLES, row, first, last)


def _everybody(world: World) -> None:
    expect = world.expect
    _select(world, PREMIUM, "PUBLIC", 4, 5)
    expect("open-to-everybody", PUBLIC, f"SELECT on TABLE {PREMIUM}", "privilege-to-public", 4, 5)
    promised = future_grant("SELECT", "FINANCE.MART.<TABLE>", "PUBLIC")
    world.state.add("snowflake.future_grants", promised, first=34, last=36)
    item = "future SELECT on TABLE FINANCE.MART.<TABLE>"
    expect("promised-to-everybody", PUBLIC, item, "future-grant", 34, 36)
    row = world.registers["public_baseline"][0]
    row["expires"] = world.size.night(71)
    world.registers["public_baseline"].append(row | {"approved_on": world.size.night(74), "expires": EXPIRES})
    item = "USAGE on DATABASE_ROLE SNOWFLAKE.CORTEX_USER"
    expect("baseline-expires", PUBLIC, item, "registration-expired", 71, 73)
    item = "SELECT on TABLE FINANCE.STAGING.STG_PREMIUMS"
    expect("public-on-staging", PUBLIC, item, "privilege-to-public", 82, 83)


def _powers(world: World) -> None:
    expect = world.expect
    between(world, ROLES, grant("MANAGE GRANTS", "ACCOUNT", "CARRIER", "PROVIDER_OPS"), 7, 8)
    expect("team-manages-grants", POWER, "MANAGE GRANTS for PROVIDER_OPS", "not-approved", 7, 8)
    held = world.state.find(ROLES, PRIVILEGE="SELECT", NAME="DIM_MEMBER", GRANTEE_NAME="MEMBER_MART_R")
    held.change(26, 27, GRANT_OPTION=True)
    expect("passes-it-on", POWER, "grant option of MEMBER_MART_R", "grant-option", 26, 27)
    for privilege in ("MANAGE GRANTS", "CREATE USER", "CREATE ROLE"):
        expect("admin-by-inheritance", POWER, f"{privilege} for OPS_ELEVATED", "inherited", 30, 33)
    between(world, ROLES, grant("CREATE COMPUTE POOL", "ACCOUNT", "CARRIER", "ANALYTICS_ENG"), 45, 46)
    item = "CREATE COMPUTE POOL for ANALYTICS_ENG"
    expect("privilege-nobody-listed", POWER, item, "unknown-privilege", 45, 46, "review")
    schema = world.state.find("snowflake.schemata", CATALOG_NAME="CARE", SCHEMA_NAME="MART")
    schema.change(64, 67, IS_MANAGED_ACCESS="NO")
    expect("schema-not-managed", POWER, "schema CARE.MART", "not-managed", 64, 67)


def _administrators(world: World) -> None:
    state, expect = world.state, world.expect
    one, two = (name for name, _, _ in ADMINS)
    state.find("snowflake.users", NAME=two).change(9, 10, DEFAULT_ROLE="ACCOUNTADMIN")
    expect("admin-by-default", CONTAINED, f"user {two}", "admin-default-role", 9, 10)
    expect("admin-by-inheritance", CONTAINED, "SECURITYADMIN in OPS_ELEVATED", "admin-role-granted", 30, 33)
    state.find("snowflake.users", NAME=one).change(54, 55, DEFAULT_SECONDARY_ROLE='["ALL"]')
    expect("secondary-roles-on", CONTAINED, f"user {one}", "admin-secondary-roles", 54, 55)
    state.find("snowflake.tasks", name=PRICING).change(68, ALWAYS, owner="ACCOUNTADMIN")
    expect("task-of-administrator", CONTAINED, f"task CLAIMS.INTERMEDIATE.{PRICING}", "admin-owner", 68)


def _environments(world: World) -> None:
    expect = world.expect
    _select(world, PREMIUM, "DATA_ENG", 10, 11)
    expect("developers-read-production", ENVIRONMENTS, "DATA_ENG -> FINANCE.MART", "reads-production", 10, 11)
    between(world, ROLES, grant("USAGE", "ROLE", "PHARMACY_MART_R", "OPS_ELEVATED"), 48, 49)
    item = "OPS_ELEVATED -> PHARMACY.MART"
    expect("role-without-environment", ENVIRONMENTS, item, "no-environment", 48, 49)
    item = "PHARMACY.MART.FCT_FILL <- OPS_ELEVATED"
    expect("role-without-environment", READERS, item, "inherited-not-allowed", 48, 49)
    _select(world, PREMIUM, "CI_RUNNER", 77, 78, "INSERT")
    expect("tests-write-production", ENVIRONMENTS, "CI_RUNNER -> FINANCE.MART", "writes-elsewhere", 77, 78)
    item = "CI_RUNNER: INSERT on TABLE in FINANCE.MART"
    expect("tests-write-production", SCOPE, item, "outside-baseline", 77, 78)


def _services(world: World) -> None:
    expect = world.expect
    _select(world, PREMIUM, "FIVETRAN_LOADER", 6, 7)
    item = "FIVETRAN_LOADER: SELECT on TABLE in FINANCE.MART"
    expect("loader-reads-mart", SCOPE, item, "outside-baseline", 6, 7)
    expect("person-registered-as-service", SCOPE, "FINANCE_ANALYST", "held-by-person", 20, 33)
    person = person_of(world.workforce, "REPORTING", 0).user
    between(world, TO_USERS, user_grant("TABLEAU_READER", person), 36, 38)
    expect("person-holds-service-role", SCOPE, "TABLEAU_READER", "held-by-person", 36, 38)
    rows = world.registers["service_baselines"]
    row = next(row for row in rows if row["place"] == "WAREHOUSE WH_TABLEAU")
    row["expires"] = world.size.night(58)
    rows.append(row | {"approved_on": world.size.night(61), "expires": EXPIRES})
    item = "TABLEAU_READER: USAGE on WAREHOUSE WH_TABLEAU"
    expect("service-baseline-expires", SCOPE, item, "registration-expired", 58, 60)


def _duties(world: World) -> None:
    expect, size = world.expect, world.size
    person = person_of(world.workforce, "CLAIMS_ANALYST", 1).user
    between(world, TO_USERS, user_grant("FRAUD", person), 11, 13)
    expect("both-duties", DUTIES, f"{person} x {CLAIMS_RULE}", "combined-duties", 11, 13)
    elevated = person_of(world.workforce, "ANALYTICS_ENG", 0).user
    expect("admin-by-inheritance", DUTIES, f"{elevated} x {BUILD_RULE}", "inherent-admin", 30, 33)
    second = person_of(world.workforce, "DATA_ENG", 1).user
    for rule in (CLAIMS_RULE, BUILD_RULE):
        expect("too-many-admins", DUTIES, f"{second} x {rule}", "inherent-admin", 45, 47)
    rows = world.registers["sod_compensations"]
    row = next(row for row in rows if row["user"] == ADMINS[0][0])
    row["expires"] = size.night(79)
    rows.append(row | {"approved_on": size.night(82), "expires": EXPIRES})
    item = f"{ADMINS[0][0]} x {CLAIMS_RULE}"
    expect("compensation-expires", DUTIES, item, "registration-expired", 79, 81)


def _readers(world: World) -> None:
    """Who inherits an access role reads what it reads; the contracts name neither."""
    expect = world.expect
    path = "MEMBER.RAW.ADDRESSES"
    expect("raw-by-database-role", READERS, f"{path} <- database role MEMBER.MART_READER", "role-not-allowed", 5, 6)
    expect("raw-by-database-role", READERS, f"{path} <- MEMBER_SERVICES", "inherited-not-allowed", 5, 6)
    shared = ("CLAIMS.MART.FCT_CLAIM", "CLAIMS.MART.FCT_CLAIM_LINE", "CLAIMS.SERVE.V_CLAIM_SUMMARY")
    for path in (*shared, "PROVIDER.MART.FCT_ENCOUNTER"):
        expect("broad-role-reads", READERS, f"{path} <- REPORTING", "inherited-not-allowed", 40, 43)
    expect("raw-by-inheritance", READERS, "CARE.RAW.ASSESSMENTS <- CARE_MGMT", "inherited-not-allowed", 44, 46)
    expect("tag-only-phi", READERS, "CARE.MART.RPT_OUTREACH", "no-contract", 48, 53)
    item = "PHARMACY.STAGING.STG_FILLS <- PHARMACY_ANALYST"
    expect("staging-select", READERS, item, "role-not-allowed", 60)
    _select(world, "CARE.MART.RPT_OUTREACH", COLLECTOR, 73, 74)
    expect("collector-reads-data", READERS, f"collector {COLLECTOR}", "collector-reads", 73, 74)
    item = f"{COLLECTOR}: SELECT on TABLE in CARE.MART"
    expect("collector-reads-data", SCOPE, item, "outside-baseline", 73, 74)
    expect("collector-reads-data", ENVIRONMENTS, f"{COLLECTOR} -> CARE.MART", "no-environment", 73, 74)
