"""Deviations of logins: second factors, service accounts, dormant users."""

import datetime as dt

from evidence.demo.events import login
from evidence.demo.people import credential, person_of, user
from evidence.demo.state import ALWAYS
from evidence.demo.tables import BUILT
from evidence.demo.workspace import service
from evidence.demo.world import World

USERS = "snowflake.users"
MFA, KEYS, DORMANT = "identity-mfa-humans", "identity-service-keypair", "identity-dormant"


def plant_identity(world: World) -> None:
    """Plant them all."""
    _second_factors(world)
    _services(world)
    _registered_services(world)
    _dormant(world)


def _second_factors(world: World) -> None:
    first, second, third = [p.user for p in world.workforce.people if p.password][:3]
    state, expect = world.state, world.expect
    state.find(USERS, NAME=first).change(10, 16, HAS_MFA=False)
    expect("mfa-removed", MFA, first, "no-second-factor", 10, 16)
    state.find(USERS, NAME=second).change(50, 52, HAS_MFA=None)
    expect("mfa-null-flag", MFA, second, "unknown-value", 50, 52)
    state.find(USERS, NAME=third).change(28, 29, BYPASS_MFA_UNTIL=world.size.evening(31, 12))
    expect("mfa-bypass", MFA, third, "bypass-open", 28, 29)
    state.find("snowflake.credentials", USER_NAME=third).change(56, 57, STATUS="PENDING")
    expect("mfa-pending", MFA, third, "pending-factor", 56, 57)
    # Created on night 84; at its first capture the account is 18 hours old and still inside the grace.
    new = user(
        93,
        "CASIMIR.WREXBURY",
        HAS_PASSWORD=True,
        CREATED_ON=world.size.evening(84, 9),
        PASSWORD_LAST_SET_TIME=world.size.evening(84, 9),
    )
    row = state.add(USERS, new, first=84)
    row.daily = lambda night: {"LAST_SUCCESS_LOGIN": world.size.evening(night, 10)}
    expect("new-user-never-enrolled", MFA, "CASIMIR.WREXBURY", "no-second-factor", 85)


def _services(world: World) -> None:
    state, expect = world.state, world.expect
    state.find(USERS, NAME="SNOWPIPE").change(0, 6, TYPE="LEGACY_SERVICE")
    expect("legacy-service", KEYS, "SNOWPIPE", "not-typed-service", 0, 6)
    state.find(USERS, NAME="TABLEAU").change(
        36, 40, HAS_PASSWORD=True, PASSWORD_LAST_SET_TIME=world.size.evening(36, 16)
    )
    expect("service-password", KEYS, "TABLEAU", "has-password", 36, 40)
    state.find(USERS, NAME="DATADOG").change(80, ALWAYS, HAS_RSA_PUBLIC_KEY=False)
    expect("service-without-key", KEYS, "DATADOG", "no-key", 80)
    state.find(USERS, NAME="CI_RUNNER").change(2, 5, HAS_PAT=True)
    expect("service-token", KEYS, "CI_RUNNER", "has-pat", 2, 5)
    state.find(USERS, NAME="SNOWPIPE").change(75, 76, HAS_RSA_PUBLIC_KEY=None)
    expect("service-null-flag", KEYS, "SNOWPIPE", "unknown-value", 75, 76)
    moment = world.size.evening(65, 2, 14)
    world.logins.setdefault(65, []).append(login("AIRFLOW", moment, "203.0.113.21", "PASSWORD", client="JDBC_DRIVER"))
    expect("service-password-login", KEYS, "AIRFLOW", "password-login", 65, 65)


def _registered_services(world: World) -> None:
    state, expect, size = world.state, world.expect, world.size
    person = person_of(world.workforce, "FINANCE_ANALYST", 1).user
    world.registers["service_accounts"].append(
        service(
            person,
            role="FINANCE_ANALYST",
            purpose="month-end batch",
            approved_on=size.night(20),
            expires=size.night(34),
        )
    )
    expect("person-registered-as-service", KEYS, person, "not-typed-service", 20, 33)
    new = user(
        94,
        "LOOKER",
        TYPE="SERVICE",
        HAS_PASSWORD=None,
        HAS_MFA=None,
        EMAIL=None,
        LOGIN_NAME="LOOKER",
        HAS_RSA_PUBLIC_KEY=True,
        CREATED_ON=size.evening(44, 11),
    )
    made = state.add(USERS, new, first=44)
    made.daily = lambda night: {"LAST_SUCCESS_LOGIN": size.evening(night, 11, 30)}
    state.add(
        "snowflake.credentials",
        credential(94, "LOOKER", "KEYPAIR", "KEYPAIR", CREATED_ON=size.evening(44, 11)),
        first=44,
    )
    world.registers["service_accounts"].append(
        service("LOOKER", role="TABLEAU_READER", purpose="dashboards", approved_on=size.night(49))
    )
    expect("service-not-registered", KEYS, "LOOKER", "not-registered", 44, 48)
    world.registers["service_accounts"].append(
        service(
            "OLD_ETL", role="ORCHESTRATOR", purpose="retired loads", approved_on=size.night(70), expires=size.night(76)
        )
    )
    expect("registered-but-missing", KEYS, "OLD_ETL", "missing-in-account", 70, 75)


def _dormant(world: World) -> None:
    state, expect, size = world.state, world.expect, world.size
    idle = user(95, "PERPETUA.ELMSWORTH", LAST_SUCCESS_LOGIN=size.evening(-60, 8, 30))
    state.add(USERS, idle).change(50, ALWAYS, DISABLED="true")
    # 90 days after the last sign-in lie between the captures of nights 29 and 30; the changed overlay allows 120.
    if world.change_night > 30:
        expect("dormant-person", DORMANT, "PERPETUA.ELMSWORTH", "idle", 30, min(49, world.change_night - 1))
    never = user(96, "HORATIO.GLENNISTER", CREATED_ON=BUILT + dt.timedelta(days=30))
    state.add(USERS, never).change(10, ALWAYS, DISABLED="true")
    expect("never-signed-in", DORMANT, "HORATIO.GLENNISTER", "never-used", 0, 9)
