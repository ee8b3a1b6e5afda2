"""Quarterly reviews of access: signed scopes, and a decision on each role that a user of Snowflake holds."""

import datetime as dt
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.people import ADMINS, person_of
from evidence.demo.people_signers import AUDITOR, CISO, PLATFORM, at, digest
from evidence.demo.world import World

REVIEW = "access-review-signoff"
SCOPES: Final = {"snowflake": 2, "aws": 1, "idp": 1, "dbt": 1, "git": 1}
FIRST, SECOND = dt.date(2026, 3, 31), dt.date(2026, 6, 30)  # quarters that are reviewed in the period
_LATER = 29  # the night from which the second quarter's review is due
Row = dict[str, Any]


def build_access_review(world: World) -> None:
    """Sign every scope of both quarters three weeks after the quarter."""
    for quarter in (FIRST, SECOND):
        for scope, parts in SCOPES.items():
            for part in range(1, parts + 1):
                register(world, "access_reviews", _signed(quarter, scope, part, parts))


def plant_access_review(world: World) -> None:
    """Decide on every grant that is there, then plant what is missing or wrong."""
    rows = [_decision(world, quarter, *pair) for quarter in (FIRST, SECOND) for pair in _held(world, quarter)]
    register(world, "access_decisions", *rows)
    _count(world)
    _late_scopes(world)
    _first_quarter(world)
    _second_quarter(world)


def _count(world: World) -> None:
    """The two parts of Snowflake's list hold what is decided on; the lists of other scopes are kept elsewhere."""
    for quarter in (FIRST, SECOND):
        held = len(_held(world, quarter))
        for row in world.registers["access_reviews"]:
            if (row["scope"], row["period_end"]) == ("snowflake", quarter):
                row["listed"] = row["decided"] = held // 2 if row["part"] == 2 else held - held // 2


def _listed(quarter: dt.date) -> dt.datetime:
    return at(quarter + dt.timedelta(days=2), 6)


def _held(world: World, quarter: dt.date) -> list[tuple[str, str]]:
    """Return (user, role) of the grants that the list of a quarter holds."""
    pairs = set()
    for row in world.state.select("snowflake.grants_to_users"):
        made, user, role = (row.values.get(name) for name in ("CREATED_ON", "GRANTEE_NAME", "ROLE"))
        if user and role and (made is None or made <= _listed(quarter)):
            pairs.add((user, role))
    return sorted(pairs)


def _signed(quarter: dt.date, scope: str, part: int, parts: int) -> Row:
    content = digest(f"{quarter} {scope} {part}")
    return {
        "scope": scope,
        "period_end": quarter,
        "part": part,
        "parts": parts,
        "owner": "Security",
        "listed_at": _listed(quarter),
        "list_sha256": content,
        "listed": 60,
        "decided": 60,
        "removed_due": 0,
        "reviewer": AUDITOR if part == 2 else CISO,
        "signed_sha256": content,
        "signed_at": at(quarter + dt.timedelta(days=21)),
    }


def _decision(world: World, quarter: dt.date, user: str, role: str) -> Row:
    return {
        "period_end": quarter,
        "system": world.names.snowflake,
        "holder": user,
        "access": role,
        "decision": "keep",
        "reviewer": CISO,
        "decided_at": at(quarter + dt.timedelta(days=14), 14),
    }


def _of(world: World, quarter: dt.date, user: str, role: str) -> Row:
    key = (quarter, user, role)
    rows = world.registers["access_decisions"]
    return next(row for row in rows if (row["period_end"], row["holder"], row["access"]) == key)


def _late_scopes(world: World) -> None:
    """One scope is signed a week late; for another one the first signature is over an older list."""
    night, rows = world.size.night, world.registers["access_reviews"]
    git, dbt = (next(r for r in rows if (r["scope"], r["period_end"]) == (scope, SECOND)) for scope in ("git", "dbt"))
    git["signed_at"] = at(night(36))
    world.expect("scope-signed-late", REVIEW, f"{SECOND} git", "not-signed", _LATER, 35, source="register")
    register(world, "access_reviews", dbt | {"signed_at": at(night(33))})
    dbt["signed_sha256"] = digest("an older list")
    world.expect("older-list-signed", REVIEW, f"{SECOND} dbt", "list-changed", _LATER, 32, source="register")


def _first_quarter(world: World) -> None:
    """A role is to be removed and stays; the reviewer changes the decision two weeks later."""
    person = person_of(world.workforce, "CARE_MGMT", 0)
    row = _of(world, FIRST, person.user, person.role)
    row |= {"decision": "remove", "decided_at": at(world.size.start - dt.timedelta(days=9))}
    register(world, "access_decisions", row | {"decision": "keep", "decided_at": at(world.size.night(9))})
    world.expect("removal-not-carried-out", REVIEW, f"{person.user} -> {person.role}", "not-removed", 5, 8)


def _second_quarter(world: World) -> None:
    """One role is left out; an administrator decides on her own role."""
    night = world.size.night
    person = person_of(world.workforce, "PHARMACY_ANALYST", 0)
    _of(world, SECOND, person.user, person.role)["decided_at"] = at(night(45))
    world.expect("role-left-out", REVIEW, f"{person.user} -> {person.role}", "no-decision", _LATER, 44)
    admin = ADMINS[0][0]
    row = _of(world, SECOND, admin, "ACCOUNTADMIN")
    register(world, "access_decisions", row | {"decided_at": at(night(40))})
    row["reviewer"] = PLATFORM
    world.expect("own-access-reviewed", REVIEW, f"{admin} -> ACCOUNTADMIN", "own-access", _LATER, 39)
