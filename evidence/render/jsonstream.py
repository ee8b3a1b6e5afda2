"""JSON written piece by piece: iterators become arrays as they run, so that a long list is never held. Pure.

What is empty is left out (OSCAL and OCSF have no empty arrays and no nulls); an empty object stays, it may be a word of its own.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

_BLOCK: Final = 1 << 16  # characters per piece
_EMPTY: Final[tuple[object, ...]] = (None, "", [], ())


def encoded(value: Any) -> Iterator[bytes]:
    """Yield the UTF-8 of ``value`` and a line end; elements of streamed arrays stand on lines of their own."""
    held: list[str] = []
    size = 0
    for piece in chain(_pieces(value), ("\n",)):
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()


def _pieces(value: Any) -> Iterator[str]:
    match value:
        case Iterator():
            yield from _array(value)
        case Mapping() if any(isinstance(each, Iterator | Mapping) for each in value.values()):
            yield from _object(value)
        case _:
            yield json.dumps(pruned(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _array(values: Iterator[Any]) -> Iterator[str]:
    mark = "[\n"
    for each in values:
        yield mark
        yield from _pieces(each)
        mark = ",\n"
    yield "[]" if mark == "[\n" else "\n]"


def _object(value: Mapping[str, Any]) -> Iterator[str]:
    mark = "{"
    for name, each in value.items():
        found = _started(each) if isinstance(each, Iterator) else each
        if any(found is empty or found == empty for empty in _EMPTY):
            continue
        yield f"{mark}{json.dumps(name)}:"
        yield from _pieces(found)
        mark = ","
    yield "{}" if mark == "{" else "}"


def _started(values: Iterator[Any]) -> Iterator[Any] | None:
    """Return the iterator with its first element taken and given back; None when there is none."""
    for first in values:
        return chain((first,), values)
    return None


def pruned(value: Any) -> Any:
    """Return ``value`` without members that are empty."""
    if isinstance(value, Mapping):
        found = {name: pruned(each) for name, each in value.items()}
        return {name: each for name, each in found.items() if each not in _EMPTY}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [pruned(each) for each in value]
    return value
