"""How people get in: single sign-on, provisioning, and the policies on passwords and sessions."""

from typing import Any

from evidence.demo.governance import POLICY_DB, POLICY_SCHEMA
from evidence.demo.once import once
from evidence.demo.people import ADMINS, BREAK_GLASS, person_of
from evidence.demo.state import ALWAYS
from evidence.demo.tables import BUILT
from evidence.demo.world import World

SSO, SCIM, TIMEOUT = "identity-sso-no-password", "identity-scim-managed", "identity-session-timeout"
USERS, INTEGRATIONS, ATTACHED = "snowflake.users", "snowflake.integrations", "snowflake.policy_attachments"
PARAMETERS = "snowflake.user_parameters"
_WHERE = {"DATABASE": POLICY_DB, "SCHEMA": POLICY_SCHEMA, "OWNER": "GOVERNANCE_ADMIN", "CREATED": BUILT}


def build_sign_on(world: World) -> None:
    """Add integrations, policies and where these are attached."""
    for name, kind in (("OKTA_SAML", "SAML2"), ("OKTA_SCIM", "SCIM - OKTA")):
        row = {
            "name": name,
            "category": "SECURITY",
            "type": kind,
            "enabled": "true",
            "comment": "",
            "created_on": BUILT,
        }
        once(world, INTEGRATIONS, row, "name")
    length = {"PASSWORD_MIN_LENGTH": 14, "PASSWORD_MAX_RETRIES": 5}
    world.state.add("snowflake.password_policies", {"NAME": "LONG_PASSWORDS", "ID": 9201, **_WHERE, **length})
    for identity, name, idle, browser in ((9301, "WORKFORCE_SESSION", 60, 30), (9302, "ADMIN_SESSION", 15, 15)):
        times = {"SESSION_IDLE_TIMEOUT_MINS": idle, "SESSION_UI_IDLE_TIMEOUT_MINS": browser}
        world.state.add("snowflake.session_policies", {"ID": identity, "NAME": name, **_WHERE, **times})
    for name, kind in (
        ("SSO_ONLY", "AUTHENTICATION"),
        ("LONG_PASSWORDS", "PASSWORD"),
        ("WORKFORCE_SESSION", "SESSION"),
    ):
        world.state.add(ATTACHED, attachment(name, f"{kind}_POLICY"))
    for user in (*(name for name, _, _ in ADMINS), *BREAK_GLASS):
        world.state.add(ATTACHED, attachment("ADMIN_SESSION", "SESSION_POLICY", user))


def plant_sign_on(world: World) -> None:
    """Plant the deviations; by now all logins of people are there, and each has its parameters."""
    for row in list(world.state.select(USERS)):
        if row.values["TYPE"] != "SERVICE":
            world.state.add(PARAMETERS, keep_alive(row.values["NAME"]), first=row.first)
    _passwords(world)
    _provisioning(world)
    _sessions(world)


def attachment(name: str, kind: str, user: str = "") -> dict[str, Any]:
    """Return a row of the references of a policy: attached to the account, or to a user."""
    return {
        "database_asked": POLICY_DB,
        "schema_asked": POLICY_SCHEMA,
        "policy_asked": name,
        "POLICY_DB": POLICY_DB,
        "POLICY_SCHEMA": POLICY_SCHEMA,
        "POLICY_NAME": name,
        "POLICY_KIND": kind,
        "REF_ENTITY_NAME": user or "FERNHOLLOW-CARRIER",
        "REF_ENTITY_DOMAIN": "USER" if user else "ACCOUNT",
        "POLICY_STATUS": "ACTIVE",
    }


def keep_alive(user: str) -> dict[str, Any]:
    """Return a row of SHOW PARAMETERS IN USER."""
    row = {"user_name": user, "key": "CLIENT_SESSION_KEEP_ALIVE", "value": "false", "default": "false", "level": ""}
    return row | {"description": "", "type": "BOOLEAN"}


def _passwords(world: World) -> None:
    state, expect = world.state, world.expect
    for person in world.workforce.people:
        for first, last in person.passwords:
            expect("password-set", SSO, person.user, "has-password", first, last)
    expect("new-user-never-enrolled", SSO, "CASIMIR.WREXBURY", "has-password", 84)
    state.find(INTEGRATIONS, name="OKTA_SAML").change(4, 5, enabled="false")
    expect("single-sign-on-off", SSO, "account sign-on", "no-sso", 4, 5)
    state.find(ATTACHED, POLICY_NAME="SSO_ONLY").absent.append((62, 63))
    expect("authentication-policy-detached", SSO, "account sign-on", "no-authentication-policy", 62, 63)
    state.find("snowflake.password_policies", ID=9201).change(70, 71, PASSWORD_MIN_LENGTH=8)
    expect("short-passwords-allowed", SSO, "account sign-on", "weak-password-policy", 70, 71)


def _provisioning(world: World) -> None:
    state, expect = world.state, world.expect
    state.find(INTEGRATIONS, name="OKTA_SCIM").change(45, 46, enabled="false")
    expect("provisioning-off", SCIM, "account provisioning", "no-scim", 45, 46)
    one = person_of(world.workforce, "MEMBER_SERVICES", 0).user
    state.find(USERS, NAME=one).change(33, 36, OWNER="USERADMIN")
    expect("owner-changed-by-hand", SCIM, one, "made-by-hand", 33, 36)
    two = person_of(world.workforce, "MEMBER_SERVICES", 1).user
    state.find(USERS, NAME=two).change(64, 64, OWNER=None)
    expect("owner-null", SCIM, two, "unknown-value", 64, 64)


def _sessions(world: World) -> None:
    state, expect = world.state, world.expect
    state.find(ATTACHED, REF_ENTITY_NAME=ADMINS[0][0]).absent.append((3, 4))
    expect("admin-session-policy-gone", TIMEOUT, ADMINS[0][0], "idle-too-long", 3, 4)
    one = person_of(world.workforce, "ACTUARIAL", 0).user
    state.find(PARAMETERS, user_name=one).change(39, 41, value="true", level="USER")
    expect("kept-alive", TIMEOUT, one, "keep-alive", 39, 41)
    two = person_of(world.workforce, "FRAUD", 0).user
    state.add(ATTACHED, attachment("GONE_SESSION", "SESSION_POLICY", two), first=83)
    expect("session-policy-unknown", TIMEOUT, two, "unknown-value", 83, ALWAYS)
    # Whoever comes to an administrator's role by a planted grant idles as everybody does.
    for plant, role, number, first, last in (
        ("admin-not-registered", "DATA_ENG", 0, 12, 14),
        ("admin-by-inheritance", "ANALYTICS_ENG", 0, 30, 33),
        ("too-many-admins", "DATA_ENG", 1, 45, 47),
    ):
        expect(plant, TIMEOUT, person_of(world.workforce, role, number).user, "idle-too-long", first, last)
