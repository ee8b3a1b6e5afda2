"""Roles, users and grants of the account, without any deviation: plants add those."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evidence.demo.size import Size
from evidence.demo.state import State
from evidence.demo.tables import BUILT, DOMAINS, Catalog

MAIL = "fernhollow.example"
SYSTEM_ROLES = ("ACCOUNTADMIN", "SECURITYADMIN", "USERADMIN", "SYSADMIN", "ORGADMIN", "PUBLIC")
# role -> domains whose marts it reads
READERS: dict[str, tuple[str, ...]] = {
    "CLAIMS_ANALYST": ("CLAIMS", "PROVIDER"),
    "ACTUARIAL": ("ACTUARIAL", "CLAIMS", "MEMBER", "PHARMACY", "FINANCE"),
    "FRAUD": ("CLAIMS", "MEMBER", "PROVIDER"),
    "CARE_MGMT": ("CARE", "MEMBER", "PROVIDER"),
    "PHARMACY_ANALYST": ("PHARMACY",),
    "FINANCE_ANALYST": ("FINANCE", "ACTUARIAL", "MEMBER"),
    "PROVIDER_OPS": ("PROVIDER",),
    "MEMBER_SERVICES": ("MEMBER",),
    "REPORTING": ("FINANCE",),
}
TEAMS = ("MEMBER_SERVICES", "PROVIDER_OPS", "CARE_MGMT")
ENGINEERS = ("ANALYTICS_ENG", "DATA_ENG")
KEEPERS = ("GOVERNANCE_ADMIN", "OKTA_PROVISIONER")
# user -> role, purpose
SERVICES: dict[str, tuple[str, str]] = {
    "FIVETRAN": ("FIVETRAN_LOADER", "change data capture from the operational databases"),
    "SNOWPIPE": ("SNOWPIPE_LOADER", "enrollment and roster files"),
    "DBT_PROD": ("DBT_PROD", "nightly transformation"),
    "CI_RUNNER": ("CI_RUNNER", "builds of pull requests in transient schemas"),
    "TABLEAU": ("TABLEAU_READER", "dashboards over plain aggregates"),
    "AIRFLOW": ("ORCHESTRATOR", "schedules"),
    "DATADOG": ("MONITORING_READER", "warehouse metrics"),
    "TERRAFORM": ("TERRAFORM", "infrastructure as code"),
    "EVIDENCE_COLLECTOR": ("EVIDENCE_COLLECTOR", "reads account usage for compliance evidence"),
}
ADMINS = (("MARTA.OYELARAN_ADM", "Marta", "Oyelaran"), ("IDRIS.HALVORSEN_ADM", "Idris", "Halvorsen"))
BREAK_GLASS = ("BREAKGLASS_01", "BREAKGLASS_02")
# fmt: off
_GIVEN = (
    "Abel", "Adaeze", "Aino", "Amara", "Anselm", "Arlo", "Beatrix", "Bram", "Calla", "Cassius", "Dagny", "Davor", "Edda", "Eleni", "Emeka", "Fenna", "Fiora", "Gideon", "Greta", "Hale",
    "Imani", "Ines", "Jorah", "Juno", "Kaito", "Kalina", "Leif", "Linnea", "Lucan", "Maren", "Mirela", "Nadir", "Noor", "Odile", "Oren", "Petra", "Quill", "Rafe", "Runa", "Sable", "Soren", "Tamsin",
    "Thora", "Ulric", "Veda", "Wren", "Xanthe", "Yara", "Yorick", "Zofia",
)
_FAMILY = (
    "Abernath", "Bexley", "Calloway", "Dunmore", "Eastwick", "Farrow", "Garrick", "Hollin", "Ivarsen", "Jessop", "Kestrel", "Lindqvist", "Marlowe", "Northcott", "Okonjo",
    "Pellerin", "Quist", "Ravensby", "Sandoval", "Thackeray", "Ulvaeus", "Vantongeren", "Westerby", "Yardley", "Zielinska",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in: the user, the functional role, and the rhythm of sign-ins in days."""

    user: str
    role: str
    every: int
    offset: int
    password: bool = False

    def signs_in(self, night: int) -> bool:
        """True if the person signs in on that day."""
        return (night + self.offset) % self.every == 0

    def last(self, night: int) -> int:
        """Return the number of the last day up to ``night`` with a sign-in."""
        return night - (night + self.offset) % self.every


@dataclass(frozen=True, slots=True)
class Workforce:
    """Who works with the account. ``people`` and ``services`` sign in; break-glass logins do not."""

    people: tuple[Person, ...]
    services: tuple[Person, ...]


def build_people(state: State, size: Size, catalog: Catalog) -> Workforce:
    """Add roles, users and every grant between them."""
    roles = list(_roles(size))
    for number, role in enumerate(roles):
        _add_role(state, number, role)
    state.add(
        "snowflake.roles",
        {"ROLE_ID": 9100, "CREATED_ON": BUILT, "DELETED_ON": BUILT + dt.timedelta(days=40), "NAME": "OLD_REPORTING"},
    )
    for number, domain in enumerate(("MEMBER", "CLAIMS")):
        _add_role(state, 400 + number, "MART_READER", kind="DATABASE_ROLE", database=domain)
    _hierarchy(state, size)
    _privileges(state, catalog)
    return _users(state, size)


def person_of(workforce: Workforce, role: str, number: int) -> Person:
    """Return the person with that functional role and number, single sign-on only."""
    return [p for p in workforce.people if p.role == role and not p.password][number]


def grant_role(state: State, role: str, to: str, **extra: Any) -> None:
    """Grant an account role to a role."""
    state.add("snowflake.grants_to_roles", grant("USAGE", "ROLE", role, to, **extra))


def grant(privilege: str, on: str, name: str, to: str, **extra: Any) -> dict[str, Any]:
    """Return a row of GRANTS_TO_ROLES."""
    return {
        "CREATED_ON": BUILT,
        "MODIFIED_ON": BUILT,
        "PRIVILEGE": privilege,
        "GRANTED_ON": on,
        "NAME": name,
        "GRANTED_TO": "ROLE",
        "GRANTEE_NAME": to,
        "GRANT_OPTION": privilege == "OWNERSHIP",
        "GRANTED_BY": "SECURITYADMIN",
        "GRANTED_BY_ROLE_TYPE": "ROLE",
        **extra,
    }


def grant_user(state: State, role: str, user: str, by: str = "OKTA_PROVISIONER", **extra: Any) -> None:
    """Grant an account role to a user."""
    state.add("snowflake.grants_to_users", user_grant(role, user, by, **extra))


def user_grant(role: str, user: str, by: str = "OKTA_PROVISIONER", **extra: Any) -> dict[str, Any]:
    """Return a row of GRANTS_TO_USERS."""
    row = {"CREATED_ON": BUILT, "ROLE": role, "GRANTED_TO": "USER", "GRANTEE_NAME": user, "GRANTED_BY": by}
    return row | extra


def access_roles() -> Iterator[str]:
    """Yield the roles that hold privileges on objects."""
    for domain in DOMAINS:
        yield from (f"{domain}_{part}" for part in ("RAW_RW", "STG_RW", "MART_RW", "MART_R"))


def role_classes(size: Size) -> dict[str, str]:
    """Return role -> class for the register."""
    found = dict.fromkeys(SYSTEM_ROLES, "admin") | {"PUBLIC": "system"} | dict.fromkeys(access_roles(), "access")
    found |= dict.fromkeys(READERS, "analyst") | dict.fromkeys(TEAMS, "team") | dict.fromkeys(ENGINEERS, "engineer")
    found |= dict.fromkeys(KEEPERS, "admin") | {role: "service" for role, _ in SERVICES.values()}
    return found | {role: "team" for role in _roles(size) if role.startswith("PROJECT_")}


def _roles(size: Size) -> Iterator[str]:
    named = [*SYSTEM_ROLES, *READERS, *ENGINEERS, *KEEPERS, *(role for role, _ in SERVICES.values()), *access_roles()]
    yield from named
    yield from (f"PROJECT_{number:02}" for number in range(size.roles - len(named)))


def _add_role(state: State, number: int, name: str, kind: str = "ROLE", database: str | None = None) -> None:
    row = {
        "ROLE_ID": 210 + number,
        "CREATED_ON": BUILT,
        "NAME": name,
        "ROLE_TYPE": kind,
        "ROLE_DATABASE_NAME": database,
    }
    owner = "" if name in SYSTEM_ROLES else "USERADMIN"
    state.add(
        "snowflake.roles", row | {"OWNER": owner, "OWNER_ROLE_TYPE": "ROLE", "IS_FROM_ORGANIZATION_USER_GROUP": False}
    )


def _hierarchy(state: State, size: Size) -> None:
    for child, parent in (
        ("SECURITYADMIN", "ACCOUNTADMIN"),
        ("SYSADMIN", "ACCOUNTADMIN"),
        ("USERADMIN", "SECURITYADMIN"),
    ):
        grant_role(state, child, parent, GRANTED_BY="")
    for role, domains in READERS.items():
        grant_role(state, role, "SYSADMIN")
        for domain in domains:
            grant_role(state, f"{domain}_MART_R", role)
    for role in _roles(size):
        if role.startswith("PROJECT_"):
            grant_role(state, "FINANCE_MART_R", role)
    _service_grants(state)


def _service_grants(state: State) -> None:
    for domain in DOMAINS:
        grant_role(state, f"{domain}_RAW_RW", "FIVETRAN_LOADER")
        grant_role(state, f"{domain}_RAW_RW", "SNOWPIPE_LOADER")
        for part in ("RAW_RW", "STG_RW", "MART_RW"):
            grant_role(state, f"{domain}_{part}", "DBT_PROD")
    grant_role(state, "FINANCE_MART_R", "TABLEAU_READER")
    for domain, role in (("MEMBER", "MEMBER_SERVICES"), ("CLAIMS", "CLAIMS_ANALYST")):
        row = grant("USAGE", "DATABASE_ROLE", "MART_READER", role, TABLE_CATALOG=domain, GRANTED_TO="ACCOUNT ROLE")
        state.add("snowflake.grants_to_roles", row)
    viewers = ("GOVERNANCE_VIEWER", "SECURITY_VIEWER", "OBJECT_VIEWER", "USAGE_VIEWER")
    for viewer in viewers:
        row = grant("USAGE", "DATABASE_ROLE", viewer, "EVIDENCE_COLLECTOR", TABLE_CATALOG="SNOWFLAKE")
        state.add("snowflake.grants_to_roles", row | {"GRANTED_BY": "ACCOUNTADMIN"})
    # An owned role is not an inherited one: the closure follows USAGE only.
    for role in READERS:
        state.add("snowflake.grants_to_roles", grant("OWNERSHIP", "ROLE", role, "USERADMIN"))


def _privileges(state: State, catalog: Catalog) -> None:
    add = state.add
    for table in catalog.all:
        where = {"TABLE_CATALOG": table.database, "TABLE_SCHEMA": table.schema}
        kind = "VIEW" if table.view else "TABLE"
        owner = "ANALYTICS_ENG" if table.database in {"DEV", "SANDBOX"} else "FIVETRAN_LOADER"
        owner = owner if table.schema == "RAW" or owner == "ANALYTICS_ENG" else "DBT_PROD"
        add("snowflake.grants_to_roles", grant("OWNERSHIP", kind, table.name, owner, **where))
        if table.database not in DOMAINS:
            continue
        if table.schema in {"MART", "SERVE"}:
            add("snowflake.grants_to_roles", grant("SELECT", kind, table.name, f"{table.database}_MART_R", **where))
        if table.schema == "RAW":
            add("snowflake.grants_to_roles", grant("SELECT", kind, table.name, f"{table.database}_RAW_RW", **where))
            add("snowflake.grants_to_roles", grant("INSERT", kind, table.name, f"{table.database}_RAW_RW", **where))
    for domain in DOMAINS:
        for reader in (f"{domain}_MART_R", f"{domain}_RAW_RW"):
            add("snowflake.grants_to_roles", grant("USAGE", "DATABASE", domain, reader, TABLE_CATALOG=domain))
        schema = {"TABLE_CATALOG": domain, "TABLE_SCHEMA": "MART"}
        add("snowflake.grants_to_roles", grant("USAGE", "SCHEMA", "MART", f"{domain}_MART_R", **schema))
        for schema_name, reader in (("MART", "MART_R"), ("RAW", "RAW_RW"), ("STAGING", "STG_RW")):
            add(
                "snowflake.future_grants",
                future_grant("SELECT", f"{domain}.{schema_name}.<TABLE>", f"{domain}_{reader}"),
            )


def future_grant(privilege: str, name: str, to: str) -> dict[str, Any]:
    """Return a row of SHOW FUTURE GRANTS."""
    return {
        "created_on": BUILT,
        "privilege": privilege,
        "grant_on": "TABLE",
        "name": name,
        "grant_to": "ROLE",
        "grantee_name": to,
        "grant_option": False,
    }


def user(number: int, name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of USERS: somebody who signs in through single sign-on, unless ``extra`` says otherwise."""
    row = {
        "USER_ID": 700 + number,
        "NAME": name,
        "CREATED_ON": BUILT + dt.timedelta(hours=number),
        "LOGIN_NAME": f"{name}@{MAIL}".lower(),
        "DISPLAY_NAME": name.replace(".", " ").title(),
        "EMAIL": f"{name}@{MAIL}".lower(),
        "MUST_CHANGE_PASSWORD": False,
        "HAS_PASSWORD": False,
        "DISABLED": "false",
        "SNOWFLAKE_LOCK": "false",
        "EXT_AUTHN_DUO": False,
        "HAS_MFA": False,
        "HAS_RSA_PUBLIC_KEY": False,
        "HAS_PAT": False,
        "HAS_WORKLOAD_IDENTITY": False,
        "DEFAULT_SECONDARY_ROLE": "[]",
        "TYPE": "PERSON",
        "OWNER": "OKTA_PROVISIONER",
        "IS_FROM_ORGANIZATION_USER": False,
    }
    return row | extra


def _users(state: State, size: Size) -> Workforce:
    services = tuple(_service(state, size, number, name) for number, name in enumerate(SERVICES))
    for number, (name, given, family) in enumerate(ADMINS):
        _add_person(state, size, 50 + number, Person(name, "ACCOUNTADMIN", 6, number), given, family, by="ACCOUNTADMIN")
        for role in ("SECURITYADMIN", "ORGADMIN"):
            grant_user(state, role, name, by="ACCOUNTADMIN")
    for number, name in enumerate(BREAK_GLASS):
        _break_glass(state, size, number, name)
    state.add(
        "snowflake.users",
        user(90, "WORKSHEETS_APP_USER", TYPE=None, OWNER=None, EMAIL=None, LOGIN_NAME="WORKSHEETS_APP_USER"),
    )
    gone = {"DELETED_ON": BUILT + dt.timedelta(days=300), "DISABLED": "true", "OWNER": None}
    state.add(
        "snowflake.users", user(91, "OTTO.VANTONGEREN", LAST_SUCCESS_LOGIN=BUILT + dt.timedelta(days=290), **gone)
    )
    off = {"DISABLED": "true", "LAST_SUCCESS_LOGIN": size.evening(-160, 9)}
    state.add("snowflake.users", user(92, "LEOCADIA.BEXLEY", **off))
    return Workforce(tuple(_people(state, size)), services)


def _people(state: State, size: Size) -> Iterator[Person]:
    roles = [*READERS, *ENGINEERS]
    count = max(len(roles), size.users - len(SERVICES) - len(ADMINS) - len(BREAK_GLASS) - 3)
    for number in range(count):
        given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[(number // len(_GIVEN) + 7 * number) % len(_FAMILY)]
        password = number % 20 == 3
        person = Person(f"{given}.{family}".upper(), roles[number % len(roles)], 1 + number % 9, number % 5, password)
        _add_person(state, size, 100 + number, person, given, family)
        yield person
    yield Person(ADMINS[0][0], "SYSADMIN", 6, 0)
    yield Person(ADMINS[1][0], "SYSADMIN", 6, 1)


def _add_person(
    state: State, size: Size, number: int, person: Person, given: str, family: str, by: str = "OKTA_PROVISIONER"
) -> None:
    extra: dict[str, Any] = {"FIRST_NAME": given, "LAST_NAME": family, "DEFAULT_ROLE": person.role}
    if number % 17 == 0:
        extra["TYPE"] = None  # users from before the column existed; they behave as people
    if person.password:
        extra |= {"HAS_PASSWORD": True, "HAS_MFA": True, "PASSWORD_LAST_SET_TIME": BUILT}
        state.add("snowflake.credentials", credential(number, person.user, "TOTP", "MFA_METHOD"))
    row = state.add("snowflake.users", user(number, person.user, **extra))
    row.daily = lambda night: {"LAST_SUCCESS_LOGIN": size.evening(person.last(night), 8, number % 60)}
    grant_user(state, person.role, person.user, by=by)


def _service(state: State, size: Size, number: int, name: str) -> Person:
    federated = name == "CI_RUNNER"
    role = SERVICES[name][0]
    extra: dict[str, Any] = {
        "TYPE": "SERVICE",
        "HAS_PASSWORD": None,
        "HAS_MFA": None,
        "EMAIL": None,
        "LOGIN_NAME": name,
        "DEFAULT_ROLE": role,
    }
    extra |= {"HAS_RSA_PUBLIC_KEY": not federated, "HAS_WORKLOAD_IDENTITY": federated, "OWNER": "USERADMIN"}
    row = state.add("snowflake.users", user(number, name, **extra))
    row.daily = lambda night: {"LAST_SUCCESS_LOGIN": size.evening(night, 23, 10 + number)}
    kind, domain = ("OIDC", "WORKLOAD_IDENTITY_FEDERATION_METHOD") if federated else ("KEYPAIR", "KEYPAIR")
    state.add("snowflake.credentials", credential(number, name, kind, domain))
    grant_user(state, role, name, by="USERADMIN")
    return Person(name, role, 1, 0)


def _break_glass(state: State, size: Size, number: int, name: str) -> None:
    role = "ACCOUNTADMIN" if not number else "SECURITYADMIN"
    used = {"LAST_SUCCESS_LOGIN": size.evening(-140, 11), "PASSWORD_LAST_SET_TIME": BUILT, "OWNER": "ACCOUNTADMIN"}
    state.add("snowflake.users", user(60 + number, name, HAS_PASSWORD=True, HAS_MFA=True, DEFAULT_ROLE=role, **used))
    state.add("snowflake.credentials", credential(60 + number, name, "PASSKEY", "MFA_METHOD"))
    grant_user(state, role, name, by="ACCOUNTADMIN")


def credential(number: int, name: str, kind: str, domain: str, **extra: Any) -> dict[str, Any]:
    """Return a row of CREDENTIALS."""
    row = {
        "CREDENTIAL_ID": 5_000_000_000_000_000_000 + number,
        "NAME": f"{kind}_{number}",
        "USER_NAME": name,
        "TYPE": kind,
        "DOMAIN": domain,
        "STATUS": "ENROLLED" if domain == "MFA_METHOD" else "ACTIVE",
        "ADDITIONAL_DETAILS": '{"KEY_TYPE": "RSA"}' if kind == "KEYPAIR" else None,
        "CREATED_BY": name,
        "CREATED_ON": BUILT,
    }
    return row | extra
