"""What people do about findings: tickets, dispositions of hits, and waivers, one of them asked for too late."""

from typing import Any, Final

from evidence.demo.answer import Disposed, Outcome, Waiver
from evidence.demo.once import register
from evidence.demo.people_signers import AUDITOR, CISO, PLATFORM, at
from evidence.demo.tickets import TICKETS, ticket
from evidence.demo.world import World

UNANSWERED: Final = (
    "table-by-hand",
    "too-many-admins",
    "password-set",
    "evidence-lock-short",
)  # plants without a ticket
PINNED: Final = "network-service-policy"
WAIVERS: Final = "waivers"


def dispose(world: World) -> None:
    """Judge four hits: two were harmless, one was not, and of one it was said too late."""
    _judge(world, "star-read", "benign", 8, "1 statement, at most 5000 rows", "a test of the quarter's figures")
    _judge(world, "export-by-analyst", "benign", 6, "unload by ABEL.ABERNATH as CLAIMS_ANALYST, 900 rows to @~", "asked for by the regulator")  # fmt: skip
    _judge(world, "admin-without-change", "confirmed", 7, "1 statement, 1 without a request, 0 reading PHI, 0 not known", "no request was made")  # fmt: skip
    _judge(world, "burst", "late", 20, "7 failed that night", "a forgotten password")


def _judge(world: World, plant: str, outcome: Outcome, recorded: int, observed: str, note: str) -> None:
    part = next(p for p in world.key.expected if p.plant == plant and p.result == "review" and p.control in _HITS)
    said = "confirmed" if outcome == "confirmed" else "benign"
    row = {"control": part.control, "item": part.item, "night": world.size.night(part.first), "reason": part.reason}
    row |= {"observed": observed, "disposition": said, "reviewer": AUDITOR, "second_reviewer": CISO, "note": note}
    register(world, "dispositions", row | {"recorded_at": at(world.size.night(recorded))})
    world.key.disposed.append(Disposed(plant, part.control, part.item, part.reason, part.first, outcome, recorded))


_HITS: Final = ("data-select-star", "data-phi-unload", "access-admin-use", "monitor-bruteforce")


def waive(world: World) -> None:
    """Accept some exceptions: as it should be, late, by whoever asked, without anything that makes up for it, and too short."""
    _waiver(world, "waiver-granted", 1, "legacy-service", (1, 14), compensating=PINNED)
    _waiver(world, "waiver-retroactive", 2, "never-signed-in", (0, 30), recorded=5)
    _waiver(world, "waiver-self-approved", 3, "warehouse-never-suspends", (6, 9), approved_by=PLATFORM)
    _waiver(world, "waiver-without-compensation", 4, "floor-unset", (68, 70))
    _waiver(world, "waiver-runs-out", 5, "staging-select", (62, 76), compensating="retention-evidence-lock")


def _waiver(
    world: World, plant: str, number: int, about: str, nights: tuple[int, int], *, compensating: str = "",
    recorded: int | None = None, approved_by: str = CISO,
) -> None:  # fmt: skip
    """Register waiver ``number`` of what the plant ``about`` shows, from its approval up to, not including, its end."""
    control, item = _first(world, about)
    name, (first, end) = f"W-2026-{number:03}", nights
    recorded = first if recorded is None else recorded
    row: dict[str, Any] = {
        "id": name, "control": control, "control_version": version(world, control), "items": [item],
        "reason": "a replacement is on its way", "requested_by": PLATFORM, "approved_by": approved_by,
        "approved_on": world.size.night(first), "expires": world.size.night(end),
        "recorded_at": at(world.size.night(recorded)),
    }  # fmt: skip
    register(world, WAIVERS, row | ({"compensating_control": compensating} if compensating else {}))
    accepted = plant not in {"waiver-self-approved", "waiver-without-compensation"}
    if accepted:
        world.key.waivers.append(Waiver(plant, name, control, (item,), recorded, end, compensating or None))


def _first(world: World, plant: str) -> tuple[str, str]:
    """Return control and item of what a plant was made for: its first expectation."""
    part = next(part for part in world.key.expected if part.plant == plant)
    return part.control, part.item


def version(world: World, control: str) -> str:
    """Return the version of a control that a waiver is approved for."""
    return world.judges.versions[control] if world.judges else "1.0.0"


def open_tickets(world: World) -> None:
    """Open a ticket the day after something is found and close it two days after it is gone; some findings get none."""
    spans: dict[str, tuple[int, int]] = {}
    for part in world.key.expected:
        if part.last > part.first and part.plant not in UNANSWERED:
            name = f"{part.control}/{part.item}"
            first, last = spans.get(name, (part.first, part.last))
            spans[name] = min(first, part.first), max(last, part.last)
    for number, (name, (first, last)) in enumerate(sorted(spans.items())):
        row = ticket(f"FND{number:04}", "finding", world.size.evening(first + 1, 9), status="open", finding_id=name)
        if first + 1 < world.size.nights:
            world.state.add(TICKETS, row, first=first + 1, last=last + 2)
