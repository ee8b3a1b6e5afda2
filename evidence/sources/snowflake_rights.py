"""What a role needs for the datasets it is asked for, as SQL for an administrator, and what it holds beyond that; pure.

Database roles come from the contracts: a dataset that any of several roles may read takes one that is needed anyway. Grants
on single objects, and those that hand over more than reading, are printed as comments: a person decides them one by one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evidence.datasets.contract import Connection, Contract
from evidence.sources import snowflake_sql as sql

# More than reading; OWNERSHIP of an object moves, so it is taken from the role that had it.
POWERFUL = ("ROLE ", "MANAGE GRANTS ", "OWNERSHIP ", "IMPORT SHARE ", "APPLY ")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Identity:
    """One sign-in: the user, its role and the warehouse."""

    user: str
    role: str
    warehouse: str
    timeout_seconds: int = 900


@dataclass(frozen=True, slots=True)
class Limits:
    """What the warehouse may cost: its size, seconds of idling, credits a month and at which per cent of them it is told and stopped."""

    monitor: str = "EVIDENCE_MONITOR"
    credits: int = 10
    notify: int = 80
    suspend: int = 100
    size: str = "XSMALL"
    idle: int = 60


LIMITS: Final = Limits()
NETWORK_POLICY: Final = "EVIDENCE_ADDRESSES"


@dataclass(frozen=True, slots=True)
class Needs:
    """What one connection needs; each right with the datasets that need it."""

    database_roles: Mapping[str, Sequence[str]]
    application_roles: Mapping[str, Sequence[str]]
    grants: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Held:
    """One row of SHOW GRANTS TO ROLE: ``USAGE`` on ``DATABASE_ROLE`` ``SNOWFLAKE.OBJECT_VIEWER``."""

    privilege: str
    granted_on: str
    name: str

    def __str__(self) -> str:
        return f"{self.privilege} on {self.granted_on} {self.name}"


def needs(contracts: Iterable[Contract], connection: Connection) -> Needs:
    """Return what the contracts of one connection need."""
    chosen = [contract for contract in contracts if contract.connection == connection]
    grants: dict[str, list[str]] = {}
    for contract in chosen:
        for grant in contract.grants:
            grants.setdefault(grant, []).append(contract.name)
    by_database = [contract for contract in chosen if contract.roles]
    by_application = [contract for contract in chosen if contract.application_roles and not contract.roles]
    return Needs(
        _fewest({contract.name: contract.roles for contract in by_database}),
        _fewest({contract.name: contract.application_roles for contract in by_application}),
        dict(sorted(grants.items())),
    )


def _fewest(options: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return role -> datasets: those with one option first, the others by a role that is there already."""
    found: dict[str, list[str]] = {}
    for dataset, roles in sorted(options.items(), key=lambda item: (len(item[1]) > 1, item[0])):
        role = next((role for role in roles if role in found), roles[0])
        found.setdefault(role, []).append(dataset)
    return dict(sorted(found.items()))


def script(source: str, contracts: Sequence[Contract], base: Identity, elevated: Identity | None) -> str:
    """Return the whole setup of one source, ready to read and run: base first, elevated apart."""
    lines = [
        f"-- Least privilege for the source {source}: {len(contracts)} datasets. Read it, then run it as an administrator.",
        "-- Run it again after datasets were added; evidence setup snowflake --check says what the role holds beyond this.",
        "",
        *_warehouse(base),
        *_user(base),
        *_grants(base, needs(contracts, "base")),
    ]
    if elevated is not None:
        lines += [
            "",
            "-- The elevated connection: another user, another role, used for nothing but the datasets named here.",
            *_user(elevated),
            *_grants(elevated, needs(contracts, "elevated")),
        ]
    return "\n".join(lines) + "\n"


def _warehouse(who: Identity) -> Iterator[str]:
    name = identifier(who.warehouse)
    yield f"CREATE RESOURCE MONITOR IF NOT EXISTS {LIMITS.monitor} WITH CREDIT_QUOTA = {LIMITS.credits} FREQUENCY = MONTHLY START_TIMESTAMP = IMMEDIATELY"
    yield f"  TRIGGERS ON {LIMITS.notify} PERCENT DO NOTIFY ON {LIMITS.suspend} PERCENT DO SUSPEND;"
    yield f"CREATE WAREHOUSE IF NOT EXISTS {name} WAREHOUSE_SIZE = '{LIMITS.size}' AUTO_SUSPEND = {LIMITS.idle} AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE;"
    yield f"ALTER WAREHOUSE {name} SET RESOURCE_MONITOR = {LIMITS.monitor}, STATEMENT_TIMEOUT_IN_SECONDS = {who.timeout_seconds};"


def _user(who: Identity) -> Iterator[str]:
    user, role, warehouse = identifier(who.user), identifier(who.role), identifier(who.warehouse)
    yield f"CREATE ROLE IF NOT EXISTS {role} COMMENT = 'evidence collector: see evidence setup snowflake';"
    yield f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE DEFAULT_ROLE = {role} DEFAULT_WAREHOUSE = {warehouse}"
    yield "  DEFAULT_SECONDARY_ROLES = () COMMENT = 'evidence collector';"
    yield f"-- its public key, without header and line breaks: ALTER USER {user} SET RSA_PUBLIC_KEY = '<key>';"
    yield f"-- the addresses it comes from, and no others:    CREATE NETWORK POLICY IF NOT EXISTS {NETWORK_POLICY} ALLOWED_IP_LIST = ('<address>');"
    yield f"--                                                ALTER USER {user} SET NETWORK_POLICY = {NETWORK_POLICY};"
    yield f"GRANT ROLE {role} TO USER {user};"
    yield f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role};"


def _grants(who: Identity, needed: Needs) -> Iterator[str]:
    role = identifier(who.role)
    for kind, roles in (("DATABASE", needed.database_roles), ("APPLICATION", needed.application_roles)):
        for name, datasets in roles.items():
            yield f"GRANT {kind} ROLE SNOWFLAKE.{name} TO ROLE {role}; -- {named(datasets)}"
    for grant, datasets in needed.grants.items():
        words, _ = aside(grant)
        before = f"-- {', '.join(words)}: " if words else ""
        yield f"{before}{statement(grant, who.role)} -- {named(datasets)}"


def statement(grant: str, role: str) -> str:
    """Return the statement of a contract's grant; what it is on stands as ``<kind>``."""
    spelled = _PLACEHOLDER.sub(r"<\1>", grant)
    return f"GRANT {spelled} TO ROLE {identifier(role)};"


def aside(grant: str) -> tuple[list[str], bool]:
    """Return why a grant is not simply made, in words, and whether it hands over more than reading."""
    powerful = grant.startswith(POWERFUL)
    words = [*(["for each"] if "{" in grant else []), *(["more than reading, your decision"] if powerful else [])]
    return words, powerful


def named(datasets: Sequence[str]) -> str:
    """Return datasets in a line."""
    return ", ".join(dataset.removeprefix("snowflake.") for dataset in datasets)


def identifier(name: str) -> str:
    """Spell a name of the configuration: as it is where that is enough, else quoted."""
    return name if _PLAIN.match(name) else sql.quoted(name)


def folded(name: str) -> str:
    """Return the name as Snowflake keeps it: a plain one in upper case."""
    return name.upper() if _PLAIN.match(name) else name


def beyond(held: Iterable[Held], needed: Needs, who: Identity) -> tuple[list[Held], list[Held]]:
    """Return what the role holds beyond its needs, and what it lacks.

    What it may hold on single objects is not lacking: nobody says for which objects it should.
    """
    wanted = [Held("USAGE", "WAREHOUSE", who.warehouse)]
    wanted += [Held("USAGE", "DATABASE_ROLE", f"SNOWFLAKE.{name}") for name in needed.database_roles]
    wanted += [Held("USAGE", "APPLICATION_ROLE", f"SNOWFLAKE.{name}") for name in needed.application_roles]
    allowed = [_allowed(grant) for grant in needed.grants]
    has = [Held(row.privilege.upper(), row.granted_on.upper().replace(" ", "_"), row.name) for row in held]
    spelled = {_folded(row) for row in has}
    surplus = [
        row
        for row in has
        if _folded(row) not in {_folded(want) for want in wanted}
        and not any((row.privilege, row.granted_on) == (grant.privilege, grant.granted_on) for grant in allowed)
    ]
    return surplus, [want for want in wanted if _folded(want) not in spelled]


def _allowed(grant: str) -> Held:
    """Read a grant of a contract: ``MONITOR ON WAREHOUSE {warehouse}``, ``APPLY … POLICY ON ACCOUNT``, ``ROLE ACCOUNTADMIN``."""
    if grant.startswith("ROLE "):
        return Held("USAGE", "ROLE", grant.removeprefix("ROLE "))
    privilege, _, on = grant.partition(" ON ")
    kind = _PLACEHOLDER.sub("", on).strip().replace(" ", "_")
    return Held(privilege, kind, "")


def _folded(row: Held) -> tuple[str, str, str]:
    """A plain name is the same in any case, and with or without quotes."""
    name = row.name.replace('"', "") if _PLAIN.match(row.name.replace('"', "").replace(".", "_")) else row.name
    return row.privilege, row.granted_on, name.upper()
