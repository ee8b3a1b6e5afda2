"""A bounded memory of what was computed lately: two generations, so that forgetting costs nothing."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_OVERHEAD = 400  # bytes: headers of strings, tuples and table slots


class Recent(Generic[K, V]):
    """Remember values up to a total weight in bytes. The older half is dropped when the younger is full.

    What is asked for again moves to the younger half, so frequent keys stay.
    """

    def __init__(self, weight: int) -> None:
        self._half = weight // 2
        self._young: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}
        self._held = 0

    def get(self, key: K) -> V | None:
        """Return the value, or None."""
        found = self._young.get(key)
        if found is None:
            found = self._old.pop(key, None)
            if found is None:
                return None
            self._add(key, found)
        return found[0]

    def keep(self, key: K, value: V, weight: int) -> None:
        """Remember ``value``, unless it weighs more than a tenth of all; those are rarely repeated."""
        weight += _OVERHEAD
        if weight <= self._half // 5:
            self._add(key, (value, weight))

    def _add(self, key: K, found: tuple[V, int]) -> None:
        if self._held + found[1] > self._half:
            self._old, self._young, self._held = self._young, {}, 0
        self._young[key] = found
        self._held += found[1]
