"""Deviations of access as it is asked for, given and used: approvals, administrators at work, and emergency logins."""

from typing import Final

from evidence.demo.access_registers import OWNER
from evidence.demo.access_tickets import (
    MANAGER,
    REVIEWER,
    request_access,
    request_change,
    request_emergency,
)
from evidence.demo.events import login, query_id
from evidence.demo.people import ADMINS, BREAK_GLASS, person_of, user_grant
from evidence.demo.plants_access import TO_USERS, between
from evidence.demo.shapes import Access, Shape, reading
from evidence.demo.state import ALWAYS
from evidence.demo.world import World

EMERGENCY, USE, GIVEN = "access-break-glass", "access-admin-use", "access-grant-approved"
ONE, TWO = (name for name, _, _ in ADMINS)
# Grants without a request of other plants: plant, night, what was given to whom.
_UNASKED: Final = (
    ("raw-by-database-role", 5, "SELECT on MEMBER.RAW.ADDRESSES to role MEMBER.MART_READER"),
    ("access-role-to-person", 8, "CLAIMS_RAW_RW to user {DATA_ENG 2}"),
    ("admin-not-registered", 12, "ORGADMIN to user {DATA_ENG 0}"),
    ("direct-grant", 18, "SELECT on CLAIMS.MART.AGG_LOSS_RATIO to user {CLAIMS_ANALYST 0}"),
    ("admin-by-inheritance", 30, "SECURITYADMIN to role OPS_ELEVATED"),
    ("grantee-kind-null", 51, "SELECT on FINANCE.MART.FCT_PREMIUM to user EXPORT_JOB"),
    ("staging-select", 60, "SELECT on PHARMACY.STAGING.STG_FILLS to role PHARMACY_ANALYST"),
)


def plant_use(world: World) -> None:
    """Plant them all; the ticket system's export is there whether or not its tickets are in the period."""
    _emergencies(world)
    _administrators(world)
    _approvals(world)
    _unapproved(world)


def _emergencies(world: World) -> None:
    size, expect = world.size, world.expect
    first, second = BREAK_GLASS
    request_emergency(world, 1, first, 2, requester=ONE)
    _signs_in(world, first, 2)
    # Five days for the review are over at 14:00 of night 7.
    expect("use-not-reviewed", EMERGENCY, "request servicenow EMG0001", "not-reviewed", 7, 7)
    reviewed = request_emergency(world, 2, first, 20, requester=TWO)
    reviewed.change(21, ALWAYS, reviewer=REVIEWER, reviewed_at=size.evening(21, 10))
    _signs_in(world, first, 20)
    _signs_in(world, second, 38)
    expect("emergency-without-request", EMERGENCY, f"user {second}", "no-approved-request", 38, 38)
    own = request_emergency(world, 3, second, 60, requester=ONE)
    own.change(62, ALWAYS, reviewer=OWNER, reviewed_at=size.evening(62, 11))
    _signs_in(world, second, 60)
    expect("reviews-own-approval", EMERGENCY, "request servicenow EMG0003", "self-reviewed", 62, 65)


def _signs_in(world: World, user: str, night: int) -> None:
    moment = world.size.evening(night, 11, 4)
    row = login(user, moment, "10.20.0.9", "PASSWORD", second="PASSKEY", client="SNOWFLAKE_UI")
    world.logins.setdefault(night, []).append(row)


def _administrators(world: World) -> None:
    expect = world.expect
    request_change(world, 1, ONE, 1, (9, 12))
    _runs(world, 1, 901, Shape(ONE, "ACCOUNTADMIN", "ALTER_ACCOUNT", "ALTER ACCOUNT SET TIMEZONE = 'UTC'"))
    _runs(world, 4, 902, Shape(TWO, "ACCOUNTADMIN", "GRANT", "GRANT MONITOR ON WAREHOUSE WH_OPS TO ROLE DATA_ENG"))
    expect("admin-without-change", USE, f"{TWO} session 902", "no-request", 4, 4, "review")
    request_change(world, 2, ONE, 39, (9, 12))
    table = world.catalog.by_path["MEMBER.MART.DIM_MEMBER"]
    text = f"SELECT MEMBER_ID, PLAN_CODE FROM {table.path}"
    _runs(world, 39, 903, Shape(ONE, "ACCOUNTADMIN", "SELECT", text, access=_seen(world, table.path)))
    expect("admin-reads-members", USE, f"{ONE} session 903", "phi-read", 39, 39, "review")
    shown = Shape("TERRAFORM", "SECURITYADMIN", "SHOW", "SHOW GRANTS TO ROLE REPORTING", service=True)
    _runs(world, 53, 904, shown)
    expect("service-admin", USE, "TERRAFORM session 904", "service-admin", 53, 53, "review")


def _seen(world: World, path: str) -> Access:
    return reading(world.catalog.by_path[path], ["MEMBER_ID", "PLAN_CODE"])


def _runs(world: World, night: int, number: int, shape: Shape) -> None:
    """Add a statement at 10:00 with a session of its own."""
    world.run(night, shape, 36_000, _query(number), session=number)


def _query(number: int) -> str:
    return query_id("01acce55-0b0e", number)


def _approvals(world: World) -> None:
    """Grants that somebody entitled approved before; on all other nights nothing is given, or something is wrong with it."""
    moved = person_of(world.workforce, "MEMBER_SERVICES", 0).user
    between(world, TO_USERS, user_grant("CARE_MGMT", moved), 3, ALWAYS)
    approved = (
        (3, moved, "CARE_MGMT"),
        (11, person_of(world.workforce, "CLAIMS_ANALYST", 1).user, "FRAUD"),
        (45, person_of(world.workforce, "DATA_ENG", 1).user, "ACCOUNTADMIN"),
        (48, "OPS_ELEVATED", "PHARMACY_MART_R"),
        (52, "TERRAFORM", "SECURITYADMIN"),
        (88, ONE, "ORGADMIN"),
    )
    for number, (night, who, role) in enumerate(approved, 1):
        request_access(world, number, who, role, (night, 11, 40))
    nights = {night for night, _, _ in approved}
    for night in range(world.size.nights):
        if night not in nights:
            world.quiet(GIVEN, night, night, events=True)


def _unapproved(world: World) -> None:
    hand = person_of(world.workforce, "REPORTING", 1).user
    between(world, TO_USERS, user_grant("FINANCE_ANALYST", hand), 6, 19)
    request_access(world, 21, hand, "FINANCE_ANALYST", (6, 16, 20))
    _given(world, "approved-an-hour-later", 6, f"FINANCE_ANALYST to user {hand}", "retroactive")
    reader = person_of(world.workforce, "REPORTING", 0).user
    request_access(world, 22, reader, "TABLEAU_READER", (36, 9, 0), requester=OWNER)
    _given(world, "person-holds-service-role", 36, f"TABLEAU_READER to user {reader}", "self-approved")
    request_access(world, 23, "REPORTING", "CLAIMS_ANALYST", (40, 9, 0), approver=REVIEWER, requester=MANAGER)
    _given(world, "broad-role-reads", 40, "CLAIMS_ANALYST to role REPORTING", "not-role-owner")
    request_access(world, 24, "CARE_MGMT", "CARE_RAW_RW", (-3, 9, 0))
    _given(world, "raw-by-inheritance", 44, "CARE_RAW_RW to role CARE_MGMT", "approval-outdated")
    for plant, night, item in _UNASKED:
        _given(world, plant, night, _named(world, item), "no-request")
    text = f'GRANT ROLE PHARMACY_ANALYST TO USER "{hand}"'
    _runs(world, 66, 905, Shape(TWO, "USERADMIN", "GRANT", text))
    world.expect("grant-nobody-sees", GIVEN, f"statement {_query(905)}", "unseen-grant", 66, 66)


def _given(world: World, plant: str, night: int, what: str, reason: str) -> None:
    moment = world.size.evening(night, 15, 20)
    world.expect(plant, GIVEN, f"{what} at {moment:%Y-%m-%d %H:%M:%S}", reason, night, night)


def _named(world: World, item: str) -> str:
    """Put the login of the person in braces, given as role and number."""
    start, brace, rest = item.partition("{")
    if not brace:
        return item
    role, number = rest.rstrip("}").split()
    return start + person_of(world.workforce, role, int(number)).user
