"""Exceptions that differ by their item alone, as one row of a printed table; nothing is counted otherwise. Pure."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from evidence.control.result import Interval

LEAST: Final = 5  # of the same: fewer are rows of their own
NAMED: Final = 3  # items that such a row names


@dataclass(frozen=True, slots=True)
class Row:
    """One printed row: ``first`` stands for so many ``items``, of which ``named`` are printed; ``place`` is the first one's."""

    first: Interval
    items: int
    named: tuple[str, ...]
    place: int

    @property
    def more(self) -> int:
        """How many items are not printed."""
        return self.items - len(self.named)


def rows_of(intervals: Sequence[Interval], said: Callable[[Interval], Hashable], most: int, *, join: bool) -> list[Row]:
    """Return at most ``most`` rows of ``intervals``, in their order; where some are left out open ones come in first.

    ``said`` is what a row says beside the interval: it keeps rows apart. Without ``join`` each is a row of its own. Of as many intervals as
    there may be no more are held than are printed: what begins after the first ``most`` of its kind has no row among them.
    """
    groups: dict[Hashable, _Group] = {}
    begun: Counter[bool] = Counter()  # open or not -> groups
    for place, each in enumerate(intervals):
        if not join and begun[each.open] == most:
            continue
        key = (replace(each, item=""), said(each)) if join else place
        group = groups.get(key)
        if group is None and begun[each.open] < most:
            begun[each.open] += 1
            group = groups[key] = _Group()
        if group is not None:
            group.add(place, each)
    rows = sorted((row for group in groups.values() for row in group.rows()), key=lambda row: row.place)
    chosen = sorted(rows, key=lambda row: (not row.first.open, row.place))[:most]
    return sorted(chosen, key=lambda row: row.place)


class _Group:
    """Intervals that differ by their item alone: the first of them, and how many."""

    def __init__(self) -> None:
        self._first: list[tuple[int, Interval]] = []
        self._count = 0

    def add(self, place: int, each: Interval) -> None:
        self._count += 1
        if len(self._first) < LEAST:
            self._first.append((place, each))

    def rows(self) -> Iterator[Row]:
        if self._count < LEAST:
            yield from (Row(each, 1, (each.item,), place) for place, each in self._first)
        else:
            place, first = self._first[0]
            yield Row(first, self._count, tuple(each.item for _, each in self._first[:NAMED]), place)
