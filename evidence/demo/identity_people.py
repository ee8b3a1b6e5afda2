"""Who belongs to the workforce: the roster, accounts of other systems, leavers, and logins that answer to nobody."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from evidence.demo.identity_factors import many_addresses
from evidence.demo.identity_sign_on import SCIM
from evidence.demo.people import ADMINS, ENGINEERS, MAIL, person_of, user
from evidence.demo.records_roster import ROSTER, build_roster
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tables import BUILT
from evidence.demo.world import World

UNIQUE, LEAVERS = "identity-unique", "identity-leaver-disabled"
USERS, ACCOUNTS = "snowflake.users", "records.accounts"
GITHUB_MISSING = (72, 73)


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody who leaves: nights of recording, departure and of the first capture that shows the login closed."""

    number: int
    user: str
    recorded: int
    left: int
    closed: int
    hour: int = 17
    kind: str = "voluntary"

    @property
    def person(self) -> str:
        """The identifier in the roster; beyond those of the workforce."""
        return f"P-{20_900 + self.number}"


_LONG_AGO: Final = Leaver(0, "LEOCADIA.BEXLEY", -155, -150, -150)
_IN_TIME: Final = Leaver(1, "BRIDA.HOLMQUIST", 2, 5, 5)
_LEFT_OPEN: Final = Leaver(2, "TOBIN.ASHGROVE", 4, 6, 11)
_TOLD_LATE: Final = Leaver(3, "NERYS.CALDWELL", 26, 24, 26, hour=10)
_CAME_BACK: Final = Leaver(4, "ESKIL.DRUMMOND", 57, 58, 58, kind="end_of_contract")
_UNMATCHED: Final = Leaver(5, "SOLVEIG.MARCHETTI", 7, 8, 13)
_ALL: Final = (_LONG_AGO, _IN_TIME, _LEFT_OPEN, _TOLD_LATE, _CAME_BACK, _UNMATCHED)


def build_people_of(world: World) -> None:
    """Add the roster, whoever left in time, and accounts of the identity provider and of git."""
    build_roster(world)
    register = world.registers.setdefault("systems", [])
    for system, kind in (("carrier", "snowflake"), ("okta", "identity_provider"), ("github", "git")):
        register.append({"system": system, "kind": kind, "owner": "Data platform"})
    engineers = {person.user for person in world.workforce.people if person.role in ENGINEERS}
    for row in [row for row in world.state.select(ROSTER) if row.values.get("login_name")]:
        person, login = row.values["person_id"], row.values["login_name"]
        world.state.add(ACCOUNTS, account("okta", person, login))
        if login in engineers:
            _github(world, person, login)
    robot = account("github", "robot", "fernhollow-ci") | {"kind": "service", "email": None, "person_id": None}
    world.state.add(ACCOUNTS, robot).absent.append(GITHUB_MISSING)
    for leaver in (_LONG_AGO, _IN_TIME):
        _leaves(world, leaver)
    _login(world, _IN_TIME)


def plant_people_of(world: World) -> None:
    """Plant the deviations."""
    for name, first in (("PERPETUA.ELMSWORTH", 0), ("HORATIO.GLENNISTER", 0), ("CASIMIR.WREXBURY", 84)):
        hired = world.size.night(first) if first else dt.date(2025, 3, 3)
        number = 20 + len(list(world.state.select(ROSTER)))
        world.state.add(ROSTER, _roster(f"P-{20_900 + number}", name, hired_on=hired), first=first)
    for leaver in (_LEFT_OPEN, _TOLD_LATE, _CAME_BACK):
        _leaves(world, leaver)
        _login(world, leaver)
    _unmatched(world)
    _leavers_found(world)
    _logins(world)


def account(system: str, person: str, login: str) -> dict[str, Any]:
    """Return an active account of another system."""
    return {
        "system": system,
        "account_id": f"{system}-{person}",
        "login_name": login.lower(),
        "email": f"{login}@{MAIL}".lower(),
        "person_id": person,
        "kind": "person",
        "status": "active",
        "second_factor": True,
        "created_at": BUILT,
    }


def _roster(person: str, login: str, **extra: Any) -> dict[str, Any]:
    row = {"person_id": person, "kind": "person", "status": "active", "worker_type": "employee"}
    return row | {"email": f"{login}@{MAIL}".lower(), "login_name": login, "hired_on": dt.date(2024, 9, 2)} | extra


def _github(world: World, person: str, login: str) -> Row:
    row = world.state.add(ACCOUNTS, account("github", person, login))
    row.absent.append(GITHUB_MISSING)
    return row


def _leaves(world: World, leaver: Leaver) -> Row:
    """Add the person to the roster, with the departure from its recording on; the directory closes its account at once."""
    size, left = world.size, world.size.evening(leaver.left, leaver.hour)
    row = world.state.add(ROSTER, _roster(leaver.person, leaver.user))
    recorded = size.evening(leaver.recorded, 9)
    row.change(
        leaver.recorded,
        ALWAYS,
        terminated_at=left,
        termination_recorded_at=recorded,
        termination_kind=leaver.kind,
    )
    known = max(leaver.recorded, leaver.left)
    row.change(known, ALWAYS, status="terminated")
    gone = max(left, recorded) + dt.timedelta(minutes=5)
    closed = {"status": "disabled", "disabled_at": gone, "status_changed_at": gone}
    world.state.add(ACCOUNTS, account("okta", leaver.person, leaver.user)).change(known, ALWAYS, **closed)
    return row


def _login(world: World, leaver: Leaver) -> None:
    size = world.size
    row = world.state.add(USERS, user(600 + leaver.number, leaver.user))
    row.daily = lambda night: {"LAST_SUCCESS_LOGIN": size.evening(min(night, leaver.left), 9)}
    row.change(leaver.closed, ALWAYS, DISABLED="true")


def _leavers_found(world: World) -> None:
    expect, size = world.expect, world.size
    expect("login-left-open", LEAVERS, _LEFT_OPEN.person, "still-enabled", 7, 10)
    expect("login-left-open", LEAVERS, _LEFT_OPEN.person, "too-late", 11, 11)
    expect("login-left-open", UNIQUE, _LEFT_OPEN.user, "departed", 6, 10)
    for where in ("", " in okta"):
        expect("departure-told-late", LEAVERS, f"{_TOLD_LATE.person}{where}", "late-notice", 26, 26)
    closed, used = size.evening(59, 12), size.evening(58, 22)
    after = {"status": "disabled", "disabled_at": closed, "status_changed_at": closed}
    row = _github(world, _CAME_BACK.person, _CAME_BACK.user)
    row.change(58, ALWAYS, last_login_at=used)
    row.change(59, ALWAYS, **after)
    first, last = GITHUB_MISSING
    for nights in ((58, first - 1), (last + 1, ALWAYS)):
        expect("used-after-departure", LEAVERS, f"{_CAME_BACK.person} in github", "used-after-departure", *nights)
    for leaver in _ALL:
        item = f"{leaver.person} in github"
        expect("accounts-not-collected", LEAVERS, item, "system-not-collected", first, last, "review")


def _unmatched(world: World) -> None:
    """Somebody works with a login made by hand under another name and e-mail; after the departure nobody knows whose it is."""
    size, state, expect = world.size, world.state, world.expect
    made = {"CREATED_ON": size.evening(5, 10), "OWNER": "USERADMIN", "EMAIL": "s.marchetti@partner.example"}
    row = state.add(USERS, user(605, "SMARCHETTI", LAST_SUCCESS_LOGIN=size.evening(5, 11), **made), first=5)
    row.change(_UNMATCHED.closed, ALWAYS, DISABLED="true")
    _leaves(world, _UNMATCHED).change(_UNMATCHED.closed, ALWAYS, former_logins='["SMARCHETTI"]')
    expect("unmatched-leaver", SCIM, "SMARCHETTI", "made-by-hand", 5, 12)
    expect("unmatched-leaver", UNIQUE, "SMARCHETTI", "orphan", 5, 12)
    expect("unmatched-leaver", LEAVERS, _UNMATCHED.person, "orphan-logins", 8, 12, "review")
    expect("unmatched-leaver", LEAVERS, _UNMATCHED.person, "too-late", 13, 13)


def _logins(world: World) -> None:
    state, expect, size = world.state, world.expect, world.size
    shared = person_of(world.workforce, "CARE_MGMT", 0).user
    many_addresses(world, 15, shared)
    expect("many-addresses", UNIQUE, shared, "many-addresses", 15, 15, "review")
    one, two = (person_of(world.workforce, "CARE_MGMT", number).user for number in (1, 2))
    again = {"EMAIL": f"{one}@{MAIL}".lower(), "CREATED_ON": size.evening(42, 10), "LAST_SUCCESS_LOGIN": None}
    state.add(USERS, user(606, f"{one}2", **again), first=42, last=44)
    for login in (one, f"{one}2"):
        expect("second-login", UNIQUE, login, "second-login", 42, 44)
    state.find(USERS, NAME=two).change(65, 66, EMAIL=f"claims@{MAIL}")
    expect("other-email", UNIQUE, two, "other-email", 65, 66)
    expect("admin-without-email", UNIQUE, ADMINS[0][0], "no-email", 75, 77)
