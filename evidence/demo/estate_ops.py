"""The demo's estate of the collecting itself: what was read, what judged it, and what people did about what was found.

Its answers follow from those of all other estates: :func:`conclude` comes after them.
"""

from typing import Final

from evidence.demo.faults import Rests
from evidence.demo.ops_answers import ACCEPTED, ANSWERED, FRESH, answer_followed
from evidence.demo.ops_collected import COMPLETE, LONG, SIGHT, SOUND, STOOD, TRAILS, answer_collected, plant_sight
from evidence.demo.ops_people import dispose, open_tickets, waive
from evidence.demo.ops_releases import RELEASES, change_overlay, plant_releases
from evidence.demo.world import World

LATE: Final = (ACCEPTED, ANSWERED, FRESH, RELEASES)  # they read earlier findings, and no finding of theirs is read
CONTROLS: Final[tuple[str, ...]] = (COMPLETE, LONG, SIGHT, SOUND, STOOD, TRAILS, *LATE)
RESTS_ON: Final[Rests] = {}  # receipts are read here, whatever they say


def build(world: World) -> None:
    """Change the overlay in the middle of the period."""
    change_overlay(world)


def plant(world: World) -> None:
    """Nothing yet: :func:`conclude` needs the plants of all others."""


def conclude(world: World) -> None:
    """Write down what follows from everything planted, and what people did about it."""
    plant_sight(world)
    answer_collected(world)
    dispose(world)
    waive(world)
    open_tickets(world)
    plant_releases(world)
    if world.judges is None:
        world.key.controls = tuple(name for name in world.key.controls if name not in LATE)
    else:
        answer_followed(world, LATE)
