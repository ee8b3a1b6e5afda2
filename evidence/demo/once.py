"""Rows that several estates need: added by whoever comes first."""

from typing import Any

from evidence.demo.state import Row
from evidence.demo.world import World


def once(world: World, dataset: str, values: dict[str, Any], *keys: str) -> Row:
    """Return the row of ``dataset`` with these ``keys``; add ``values`` if there is none."""
    found = next(world.state.select(dataset, **{key: values[key] for key in keys}), None)
    return found or world.state.add(dataset, values)


def register(world: World, name: str, *rows: dict[str, Any]) -> None:
    """Add rows to a register, which may be new."""
    world.registers.setdefault(name, []).extend(rows)
