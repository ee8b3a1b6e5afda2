"""Which tool and which controls were released by whom, and the overlay that changes in the middle of the period."""

import tomllib
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.ops_collected import SOUND, STEPS
from evidence.demo.people_signers import APPROVAL, CISO, PLATFORM
from evidence.demo.workspace import APPROVED, EXPIRES, overlay_text
from evidence.demo.world import World

RELEASES, DORMANT = "change-evidence-tool", "identity-dormant"
WHY: Final = {
    DORMANT: "Care managers of the season sign in once a quarter",
    SOUND: "Checks of the store are to compare a checkpoint that was kept elsewhere",
}
IDLE_DAYS: Final = 120  # the library says 90
_COMMITS: Final = {"tool": "9f1c2ab7d04e", "controls": "1b7e55d08c3a", "changed": "c40d92f6e1b8"}


def change_overlay(world: World) -> None:
    """Loosen one control and tighten another from the middle of the period on: whoever was idle too long is no longer."""
    world.changed = {DORMANT: {"max_idle_days": IDLE_DAYS}, SOUND: {"required_steps": STEPS}}


def plant_releases(world: World) -> None:
    """Register the tool and both contents of the controls: late, once not renewed, once by whoever wrote it."""
    if world.judges is None:
        return
    before, after = (world.judges.identity(tomllib.loads(text)) for text in texts(world))
    night, tool = world.size.night, world.judges.tool
    last = min(2, world.change_night)  # the night after the change shows the new ones alone
    register(
        world,
        "tool_releases",
        _release("tool", tool, expires=night(7)),
        _release("tool", tool, approved_on=night(9)),
        _release("controls", before, approved_on=night(3)),
    )
    world.expect("release-not-renewed", RELEASES, f"tool {tool}", "registration-expired", 7, 8, source="")
    world.expect("controls-registered-late", RELEASES, f"controls {before[:12]}", "not-registered", 1, last, source="")
    _changed(world, after)
    world.gap("first-night", RELEASES, "before-coverage", (0, 0), "nothing-concluded")


def texts(world: World) -> tuple[str, str]:
    """Return the overlay of the first half and that of the second."""
    said = {"requested_by": PLATFORM, "by": CISO, "on": world.size.night(world.change_night)}
    changed = [overlay_text({name: values}, reason=WHY[name], **said) for name, values in world.changed.items()]
    return overlay_text(world.overlay), "\n".join([overlay_text(world.overlay), *changed])


def _changed(world: World, identity: str) -> None:
    """The night after shows it: two nights without a registration, two with one whose author reviewed himself."""
    first = world.change_night + 1
    by_hand, reviewed = world.size.night(first + 2), world.size.night(first + 4)
    register(
        world,
        "tool_releases",
        _release("changed", identity, approved_on=by_hand, expires=reviewed, reviewed_by=PLATFORM),
        _release("changed", identity, approved_on=reviewed),
    )
    item = f"controls {identity[:12]}"
    world.expect("overlay-changed-unregistered", RELEASES, item, "not-registered", first, first + 1, source="")
    world.expect("author-reviews-himself", RELEASES, item, "not-reviewed", first + 2, first + 3, source="")


def _release(kind: str, identity: str, **extra: Any) -> dict[str, Any]:
    row = {
        "kind": "tool" if kind == "tool" else "controls",
        "identity": identity,
        "repo": "fernhollow/evidence",
        "commit": _COMMITS[kind],
        "author": PLATFORM,
        "reviewed_by": "Tobias Renwick",
    }
    return row | APPROVAL | {"approved_on": APPROVED, "expires": EXPIRES} | extra
