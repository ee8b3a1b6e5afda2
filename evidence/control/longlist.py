"""Many values of one dataclass in little room: what a period has by the million is kept as compressed columns. Pure.

Short lists stay tuples. A long one gives its values anew each time it is run through, and gives one field of them all without making them:
for a sum over a million exceptions, :func:`column`.
"""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from heapq import merge
from itertools import chain, groupby, islice, pairwise
from operator import attrgetter
from typing import Any, Final, TypeVar, overload

import pyarrow as pa

LEAST: Final = 512  # values of a list that is kept so
CHUNK: Final = 1024  # values that exist at a time
_CODEC: Final = "zstd"

T = TypeVar("T")
_Column = tuple[int, bytes]  # bytes when unpacked, and packed


class LongList(Sequence[T]):
    """Values of the dataclass ``kind``, in order, by chunks of columns. Equal to any sequence of equal values; it has no hash."""

    __slots__ = ("_chunks", "_kind", "_last", "_length", "_names")

    def __init__(self, kind: type[T], values: Iterable[T]) -> None:
        self._kind = kind
        self._names = [each.name for each in fields(kind)]  # type: ignore[arg-type]  # a dataclass
        self._length = 0
        self._chunks: list[list[_Column]] = []
        self._last: tuple[int, list[T]] = (-1, [])
        values, rows_of = iter(values), attrgetter(*self._names)
        while some := [rows_of(each) for each in islice(values, CHUNK)]:
            self._length += len(some)
            self._chunks.append([_packed(list(each)) for each in zip(*some, strict=True)])

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        for chunk in self._chunks:
            yield from self._values(chunk)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...
    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        if isinstance(place, slice):
            return tuple(self[each] for each in range(*place.indices(self._length)))
        number, rest = divmod(range(self._length)[place], CHUNK)
        held, values = self._last
        if held != number:
            values = list(self._values(self._chunks[number]))
            self._last = (number, values)
        return values[rest]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == each for one, each in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._length} of {self._kind.__name__}>"

    def column(self, name: str) -> Iterator[Any]:
        """Yield the field ``name`` of every value; raise ``ValueError`` for one that they do not have."""
        place = self._names.index(name)
        for chunk in self._chunks:
            yield from _unpacked(chunk[place])

    def _values(self, chunk: Sequence[_Column]) -> Iterator[T]:
        return map(self._kind, *map(_unpacked, chunk))


def compact(values: Iterable[T]) -> Sequence[T]:
    """Return ``values``, all of one dataclass, as a tuple, or, from ``LEAST`` on, as a :class:`LongList`."""
    values = iter(values)
    first = tuple(islice(values, LEAST))
    return first if len(first) < LEAST else LongList(type(first[0]), chain(first, values))


def column(values: Sequence[Any], name: str) -> Iterator[Any]:
    """Yield the field ``name`` of every value of a list, long or short."""
    if isinstance(values, LongList):
        return values.column(name)
    return map(attrgetter(name), values)


def columns(values: Sequence[Any], *names: str) -> Iterator[tuple[Any, ...]]:
    """Yield these fields of every value together."""
    return zip(*(column(values, name) for name in names), strict=True)


def ordered(values: Sequence[T], *names: str) -> Sequence[T]:
    """Return ``values`` sorted by these fields; as they are, where they are already."""
    if all(one <= following for one, following in pairwise(columns(values, *names))):
        return values
    return sorted(values, key=attrgetter(*names))


def side_by_side(lists: Sequence[Sequence[T]], *names: str) -> Iterator[tuple[Any, Iterator[tuple[int, T]]]]:
    """Yield, in order, what these fields are in any of ``lists``, with the values that have it, each behind the place of its list.

    Values come in order of their lists. No more than a piece of each list exists at a time.
    """

    def placed(place: int, values: Sequence[T]) -> Iterator[tuple[int, T]]:
        return ((place, each) for each in ordered(values, *names))

    fields_of = attrgetter(*names)

    def key(each: tuple[int, T]) -> Any:
        return fields_of(each[1])

    return groupby(merge(*(placed(*each) for each in enumerate(lists)), key=key), key=key)


def _packed(values: list[Any]) -> _Column:
    body = pickle.dumps(values, pickle.HIGHEST_PROTOCOL)
    return len(body), pa.compress(body, codec=_CODEC, asbytes=True)


def _unpacked(packed: _Column) -> list[Any]:
    size, body = packed
    values: list[Any] = pickle.loads(pa.decompress(body, size, codec=_CODEC))  # noqa: S301 - what this process packed
    return values
