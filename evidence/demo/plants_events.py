"""Sign-ins that somebody should look at."""

import datetime as dt
import json

from evidence.demo.events import login
from evidence.demo.people import person_of
from evidence.demo.world import World

BRUTE = "monitor-bruteforce"
WRONG = ("390100", "INCORRECT_USERNAME_PASSWORD")


def plant_sign_ins(world: World) -> None:
    """Plant them all."""
    target = person_of(world.workforce, "FINANCE_ANALYST", 0).user
    burst(world, 8, target, "203.0.113.66", 7)
    world.expect("burst", BRUTE, f"user {target}", "burst-user", 8, 8, "review")
    broken = next(p.user for p in world.workforce.people if p.password)
    burst(world, 21, broken, "203.0.113.67", 9)
    moment = world.size.evening(21, 23, 21)
    add(world, 21, login(broken, moment, "203.0.113.67", "PASSWORD", second="TOTP"))
    world.expect("burst-then-success", BRUTE, f"user {broken}", "success-after-burst", 21, 21, "review")
    for number, person in enumerate(world.workforce.people[:12]):
        at = world.size.evening(37, 23) + dt.timedelta(seconds=31 * number)
        add(world, 37, login(person.user, at, "203.0.113.77", "PASSWORD", error=WRONG))
    world.expect("spray", BRUTE, "ip 203.0.113.77", "spray-ip", 37, 37, "review")
    for number in range(22):
        at = world.size.evening(63, 23) + dt.timedelta(seconds=17 * number)
        add(world, 63, login(None, at, "203.0.113.88", "PASSWORD", error=WRONG))
    world.expect("unknown-users", BRUTE, "unknown users", "unknown-users", 63, 63, "review")
    details = json.dumps(
        {
            "malicious_ip_protection_info": json.dumps(
                {"category": ["ANONYMIZER"], "riskClassification": "HIGH", "result": "BLOCKED"}
            )
        }
    )
    blocked = login(target, world.size.evening(71, 23), "203.0.113.99", "PASSWORD", error=("390432", "IP blocked"))
    add(world, 71, blocked | {"LOGIN_DETAILS": details})
    world.expect("malicious-address", BRUTE, "ip 203.0.113.99", "malicious-ip", 71, 71, "review")


def burst(world: World, night: int, user: str, address: str, count: int) -> None:
    """Add failed sign-ins a minute apart from 23:00."""
    for number in range(count):
        at = world.size.evening(night, 23) + dt.timedelta(minutes=number)
        add(world, night, login(user, at, address, "PASSWORD", error=WRONG))


def add(world: World, night: int, row: dict[str, object]) -> None:
    """Add one sign-in."""
    world.logins.setdefault(night, []).append(row)
