"""Exceptions that differ by their item alone, as one row of a printed table; nothing is counted otherwise. Pure."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from evidence.control.result import Interval

LEAST: Final = 5  # of the same: fewer are rows of their own
NAMED: Final = 3  # items that such a row names


@dataclass(frozen=True, slots=True)
class Row:
    """One printed row: ``first`` stands for all its ``items``, in the order of the records; ``place`` is the first one's."""

    first: Interval
    items: tuple[str, ...]
    place: int

    @property
    def count(self) -> int:
        """How many intervals it is."""
        return len(self.items)

    @property
    def named(self) -> tuple[str, ...]:
        """The items that are printed."""
        return self.items if len(self.items) < LEAST else self.items[:NAMED]

    @property
    def more(self) -> int:
        """How many items are not printed."""
        return len(self.items) - len(self.named)


def rows_of(intervals: Sequence[Interval], said: Callable[[Interval], Hashable], *, join: bool) -> list[Row]:
    """Return the rows of ``intervals`` in their order. ``said`` is what a row says beside the interval: it keeps rows apart.

    Without ``join`` each is a row of its own.
    """
    found: dict[Hashable, list[tuple[int, Interval]]] = {}
    for place, each in enumerate(intervals):
        key = (replace(each, item=""), said(each)) if join else place
        found.setdefault(key, []).append((place, each))
    return sorted((row for group in found.values() for row in _rows(group)), key=lambda row: row.place)


def first_of(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most so many of ``rows``, in their order; where some are left out open ones come in first."""
    chosen = sorted(rows, key=lambda row: (not row.first.open, row.place))[:most]
    return sorted(chosen, key=lambda row: row.place)


def _rows(group: Sequence[tuple[int, Interval]]) -> Iterator[Row]:
    if len(group) < LEAST:
        yield from (Row(each, (each.item,), place) for place, each in group)
    else:
        place, first = group[0]
        yield Row(first, tuple(each.item for _, each in group), place)
