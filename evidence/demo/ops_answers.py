"""Answers that follow from other answers: whether controls came to a conclusion, findings were answered, waivers are sound.

A small model of each rule over the answer key; the rules' SQL is not asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from evidence.demo.answer import BEFORE, NightAnswer
from evidence.demo.tickets import TICKETS
from evidence.demo.world import World

FRESH, ANSWERED, ACCEPTED = "program-control-freshness", "monitor-finding-response", "program-exceptions"
Pair = tuple[str, str]
_OPEN: Final = {"open", "pending", "approved", "in_progress"}
_ACK: Final = {"critical": 1, "high": 3}
_DUE: Final = {"critical": 7, "high": 30, "medium": 90, "low": 90}
_LONGEST: Final = {"critical": 30, "high": 90, "medium": 180, "low": 365}  # days of a waiver
_UNTESTED, _LOOK_BACK, _UNUSED, _RECORD = 2, 7, 30, 1


@dataclass(slots=True)
class Stood:
    """What a night finds of the nights before: answers of each control, and since when an item stands on the last concluded one."""

    world: World
    answers: Mapping[str, list[NightAnswer]]
    since: dict[tuple[str, str, str], int] = field(default_factory=dict)  # control, item, reason -> first night seen
    standing: dict[Pair, int] = field(default_factory=dict)  # control, item -> first night seen, for any reason
    accepted: dict[str, set[Pair]] = field(default_factory=dict)  # control -> item, reason that a waiver accepted then

    def add(self, night: int) -> None:
        """Take the answers of ``night``: a night without a conclusion neither ends nor begins anything."""
        for control, nights in self.answers.items():
            answer = nights[night]
            if answer.concluded:
                stood = {key for key in self.since if key[0] == control}
                found = {(control, item, reason) for item, reason in answer.exceptions}
                for key in stood - found:
                    del self.since[key]
                self.since |= dict.fromkeys(found - stood, night)
                items = {(control, item) for item, _ in answer.exceptions}
                kept = {pair: first for pair, first in self.standing.items() if pair[0] != control or pair in items}
                self.standing = dict.fromkeys(items, night) | kept
                self.accepted[control] = {(item, reason) for item, reason, _ in answer.waived}


def answer_followed(world: World, late: tuple[str, ...]) -> None:
    """Write down the answers of the three controls, night by night; ``late`` are not looked at by any of them."""
    names = [name for name in world.key.controls if name not in late]
    answers = {name: [world.key.night(name, number) for number in range(world.size.nights)] for name in names}
    stood = Stood(world, answers)
    for control in (FRESH, ANSWERED, ACCEPTED):
        world.gap("first-night", control, BEFORE, (0, 0), "nothing-concluded")
    for night in range(1, world.size.nights):
        stood.add(night - 1)
        _freshness(stood, night)
        _responses(stood, night)
        _waivers(stood, night)


def _freshness(stood: Stood, night: int) -> None:
    nights = range(max(0, night - _LOOK_BACK), night)
    for control, answers in stood.answers.items():
        begun = [n for n in nights if answers[n].reason != BEFORE]  # nights before coverage are no gap
        if not begun:
            continue
        last = max((n for n in begun if answers[n].concluded), default=begun[0] - 1)
        if night - 1 - last > _UNTESTED:
            stood.world.expect("controls-not-concluded", FRESH, control, "not-concluded", night, night, source="")


def _responses(stood: Stood, night: int) -> None:
    world = stood.world
    named = {
        values["finding_id"]
        for row in world.state.select(TICKETS)
        if (values := row.on(night)) and values.get("finding_id") and values["status"] in _OPEN and values.get("owner")
    }
    if not stood.since:
        world.quiet(ANSWERED, night, night)
    for (control, item, reason), first in stood.since.items():
        severity, age = world.judges.severities[control] if world.judges else "", night - stood.standing[control, item]
        answered = (
            bool({control, f"{control}/{item}"} & named)
            or any(d.control == control and d.item == item and first <= d.night < night and d.recorded <= night for d in world.key.disposed)
        )  # fmt: skip
        name = f"{control}/{item}/{reason}"
        if (item, reason) in stood.accepted[control]:
            continue
        if age > _DUE[severity]:
            world.expect("finding-overdue", ANSWERED, name, "overdue", night, night, source="")
        elif age > _ACK.get(severity, age) and not answered:
            world.expect("finding-not-answered", ANSWERED, name, "no-answer", night, night, source="")


def _waivers(stood: Stood, night: int) -> None:
    world = stood.world
    items = {row["id"]: _unsound(stood, row, night) for row in _in_force(world, night)}
    items |= {f"{row['id']} (run out)": "expired-and-needed" for row in _leaned_on(stood, night)}
    if not items:
        world.quiet(ACCEPTED, night, night)
    for item, reason in items.items():
        if reason:
            world.expect("waiver-not-sound", ACCEPTED, item, reason, night, night, source="")


def _unsound(stood: Stood, row: Mapping[str, Any], night: int) -> str:
    """Return what is wrong with a waiver in force, or nothing."""
    severity = stood.world.judges.severities[row["control"]] if stood.world.judges else ""
    compensating = row.get("compensating_control")
    if row["requested_by"] == row["approved_by"]:
        return "self-approved"
    if (row["recorded_at"].date() - row["approved_on"]).days > _RECORD:
        return "recorded-late"
    if (row["expires"] - row["approved_on"]).days > _LONGEST[severity]:
        return "too-long"
    if severity in _ACK and not compensating:
        return "no-compensation"
    if compensating and stood.answers[compensating][night - 1].status != "satisfied":
        return "compensation-not-shown"
    unused = not any(_fails(stood, row, n) for n in range(max(0, night - _UNUSED), night))
    return "unused" if unused and (stood.world.size.night(night) - row["approved_on"]).days > _UNUSED else ""


def _fails(stood: Stood, row: Mapping[str, Any], night: int) -> bool:
    found = stood.answers[row["control"]][night].exceptions
    return any(item in row["items"] for item, _ in found)


def _in_force(world: World, night: int) -> list[Mapping[str, Any]]:
    day = world.size.night(night)
    return [row for row in world.registers["waivers"] if row["approved_on"] <= day < row["expires"]]


def _leaned_on(stood: Stood, night: int) -> Iterator[Mapping[str, Any]]:
    """Yield waivers that ran out while something they name still stands and no other one covers it."""
    day, covered = stood.world.size.night(night), _in_force(stood.world, night)
    held = {(row["control"], item) for row in covered for item in row["items"]}
    standing = {(control, item) for control, item, _ in stood.since}
    for row in stood.world.registers["waivers"]:
        named = {(row["control"], item) for item in row["items"]}
        if row["expires"] <= day and (named & standing) - held:
            yield row
