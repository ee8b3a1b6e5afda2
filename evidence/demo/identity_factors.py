"""What people and services sign in by, and the second factor at the identity provider."""

import datetime as dt
from typing import Any

from evidence.demo.events import login
from evidence.demo.people import ADMINS, ENGINEERS, MAIL, SERVICES, credential, person_of
from evidence.demo.state import ALWAYS
from evidence.demo.tables import BUILT
from evidence.demo.workspace import APPROVED, OFFICER
from evidence.demo.world import World

AT_LOGIN, AGE, IDP = "identity-mfa-at-login", "identity-credential-age", "identity-idp-mfa"
USERS, CREDENTIALS = "snowflake.users", "snowflake.credentials"
ASSIGNED, RULES, SIGN_INS = "records.app_assignments", "records.sign_on_policies", "records.sign_ins"
_FIRST_ID = 5_000_000_000_000_000_000


def build_factors(world: World) -> None:
    """Add assignments, sign-on rules and sign-ins of the identity provider, and who may hold a key."""
    for person in world.workforce.people:
        for app in _apps(person.user, person.role):
            world.state.add(ASSIGNED, assignment(person.user, app))
    for app in ("snowflake", "aws", "dbt", "github"):
        for rule, name in enumerate(("administrators", "everybody")):
            world.state.add(RULES, _rule(app, rule, name))
    for night in range(world.size.nights):
        for number, (name, _, _) in enumerate(ADMINS):
            world.happen(SIGN_INS, night, sign_in(world, night, number, name, "snowflake"))
    holder = {"user": _key_holder(world), "kind": "KEYPAIR", "purpose": "local runs of the loader"}
    signed = {"approved_by": OFFICER, "approved_on": APPROVED, "expires": world.size.night(60)}
    world.registers.setdefault("human_key_allow", []).append(holder | signed)


def plant_factors(world: World) -> None:
    """Plant the deviations."""
    _at_login(world)
    _keys(world)
    _tokens(world)
    _identity_provider(world)


def assignment(user: str, app: str) -> dict[str, Any]:
    """Return a person's assignment to an application."""
    return {
        "app": app,
        "login_name": f"{user}@{MAIL}".lower(),
        "email": f"{user}@{MAIL}".lower(),
        "assigned_through": "group",
        "group_name": f"{app} users",
        "status": "active",
        "assigned_at": BUILT,
    }


def sign_in(world: World, night: int, number: int, user: str, app: str, **extra: Any) -> dict[str, Any]:
    """Return a sign-in that the identity provider let pass with a second factor."""
    row = {
        "event_id": f"ev-{night:03}-{number:03}",
        "event_at": world.size.evening(night, 8, number),
        "event_type": "user.authentication.sso",
        "login_name": f"{user}@{MAIL}".lower(),
        "app": app,
        "result": "success",
        "factor": "webauthn",
        "second_factor_used": True,
        "client_ip": f"10.20.3.{20 + number}",
        "session_id": f"s-{night:03}-{number:03}",
    }
    return row | extra


def _apps(user: str, role: str) -> tuple[str, ...]:
    if user in {name for name, _, _ in ADMINS}:
        return ("snowflake", "aws")
    return ("snowflake", "dbt", "github") if role in ENGINEERS else ("snowflake",)


def _rule(app: str, rule: int, name: str) -> dict[str, Any]:
    return {
        "app": app,
        "policy_id": f"pol-{app}",
        "policy_name": f"{app} sign-on",
        "rule_id": f"rul-{app}-{rule}",
        "rule_name": name,
        "priority": rule + 1,
        "status": "active",
        "second_factor_required": True,
        "groups_included": '["*"]' if rule else f'["{app} administrators"]',
        "users_excluded": "[]",
        "updated_at": BUILT,
    }


def _key_holder(world: World) -> str:
    return person_of(world.workforce, "ANALYTICS_ENG", 1).user


def _signed_in(world: World, night: int, user: str, factor: str, minute: int = 0, second: str | None = None) -> None:
    moment = world.size.evening(night, 20, minute)
    row = login(user, moment, "10.20.4.31", factor, second=second, client="PYTHON_DRIVER")
    world.logins.setdefault(night, []).append(row)


def _at_login(world: World) -> None:
    expect = world.expect
    expect("legacy-service", AT_LOGIN, "SNOWPIPE with RSA_KEYPAIR", "key-not-allowed", 0, 6)
    first = next(person.user for person in world.workforce.people if person.password)
    for night in (11, 12):
        _signed_in(world, night, first, "PASSWORD")
    expect("mfa-removed", AT_LOGIN, f"{first} with PASSWORD", "single-factor", 11, 12)
    # The register says that she is a service; how she signs in says otherwise.
    person = person_of(world.workforce, "FINANCE_ANALYST", 1).user
    world.state.find(USERS, NAME=person).change(23, 25, HAS_PASSWORD=True)
    _signed_in(world, 24, person, "PASSWORD")
    expect("person-registered-as-service", AT_LOGIN, f"{person} with PASSWORD", "single-factor", 24, 24)
    holder = _key_holder(world)
    world.state.find(USERS, NAME=holder).change(25, 75, HAS_RSA_PUBLIC_KEY=True)
    key = credential(802, holder, "KEYPAIR", "KEYPAIR", CREATED_ON=world.size.evening(25, 10))
    world.state.add(CREDENTIALS, key, first=25, last=75)
    for night in (26, 40, 66):
        _signed_in(world, night, holder, "RSA_KEYPAIR")
    expect("key-approval-ran-out", AT_LOGIN, f"{holder} with RSA_KEYPAIR", "registration-expired", 66, 66)
    other = person_of(world.workforce, "REPORTING", 0).user
    _signed_in(world, 81, other, "PASSKEY")
    expect("factor-of-unknown-kind", AT_LOGIN, f"{other} with PASSKEY", "unknown-factor", 81, 81, "review")


def _keys(world: World) -> None:
    state, expect, size = world.state, world.expect, world.size
    number = list(SERVICES).index("DBT_PROD")
    # 180 days of age end between the captures of nights 5 and 6.
    state.find(CREDENTIALS, USER_NAME="DBT_PROD").change(0, 8, CREATED_ON=size.evening(-174, 9))
    state.find(CREDENTIALS, USER_NAME="DBT_PROD").change(9, ALWAYS, CREATED_ON=size.evening(9, 10))
    expect("key-not-replaced", AGE, f"DBT_PROD key pair {_FIRST_ID + number}", "key-too-old", 6, 8)
    second = credential(803, "AIRFLOW", "KEYPAIR", "KEYPAIR", CREATED_ON=size.evening(30, 9))
    state.add(CREDENTIALS, second, first=30, last=50)
    for identity in (list(SERVICES).index("AIRFLOW"), 803):
        expect("old-key-not-cleared", AGE, f"AIRFLOW key pair {_FIRST_ID + identity}", "two-keys", 44, 50)


def _tokens(world: World) -> None:
    expect = world.expect
    expect("service-token", AGE, "CI_RUNNER token", "age-unknown", 2, 5, "review")
    person = person_of(world.workforce, "DATA_ENG", 0).user
    expect("token-bypasses-policy", AGE, f"{person} token {_FIRST_ID + 801}", "token-not-allowed", 14, 17)


def _identity_provider(world: World) -> None:
    state, expect = world.state, world.expect
    state.find(RULES, rule_id="rul-dbt-1").change(6, 8, second_factor_required=False)
    for row in state.select(ASSIGNED, app="dbt"):
        expect("rule-asks-for-nothing", IDP, f"{row.values['login_name']} -> dbt", "not-required", 6, 8)
    admin = ADMINS[1][0]
    bare = {"second_factor_used": False, "factor": "password", "event_at": world.size.evening(27, 22)}
    world.happen(SIGN_INS, 27, sign_in(world, 27, 9, admin, "aws", **bare))
    expect("sign-in-without-second-factor", IDP, f"{admin}@{MAIL} -> aws".lower(), "not-used", 27, 27)
    person = person_of(world.workforce, "REPORTING", 0).user
    state.add(ASSIGNED, assignment(person, "tableau") | {"assigned_at": world.size.evening(86, 9)}, first=86)
    expect("application-without-rule", IDP, f"{person}@{MAIL} -> tableau".lower(), "no-rule", 86)


def many_addresses(world: World, night: int, user: str) -> None:
    """Let somebody sign in from four addresses within half an hour."""
    for number in range(4):
        moment = world.size.evening(night, 19) + dt.timedelta(minutes=6 * number)
        row = login(user, moment, f"10.20.5.{40 + number}", "SAML2_ASSERTION", client="SNOWFLAKE_UI")
        world.logins.setdefault(night, []).append(row)
