"""JSON in and out without losing a digit: integers of any size, decimal fractions as written, no key twice."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn

MAX_DEPTH = 200  # writing takes two frames of Python's stack for each level, reading one
_DEEP = "JSON is nested too deeply"
_scalar = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def loads(text: str | bytes) -> Any:
    """Parse JSON; fractions become ``Decimal``. Raises ``ValueError`` for bad JSON, NaN, a repeated key or deep nesting.

    The message never quotes the text, which may hold what must not be copied.
    """
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc.msg} at character {exc.pos}") from None
    except UnicodeDecodeError as exc:
        raise ValueError(f"not UTF-8 at byte {exc.start}") from None
    except RecursionError:
        raise ValueError(_DEEP) from None
    except ValueError as exc:
        if "integer string conversion" in str(exc):
            raise ValueError("a number of more digits than are read") from None
        raise
    if _openings(text) > MAX_DEPTH and _too_deep(value):
        raise ValueError(_DEEP)
    if _escapes_surrogate(text):
        _encodable(value)
    return value


def dumps(value: Any) -> str:
    """Spell ``value`` as compact JSON; a ``Decimal`` keeps its digits."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{_scalar(key)}:{dumps(v)}" for key, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(dumps(item) for item in value) + "]"
        case _:
            return _scalar(value)


def as_text(value: Any) -> str | None:
    """Return the text a column gets: scalars as written, objects and lists as JSON, null as NULL."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case _:
            return dumps(value)


def _openings(text: str | bytes) -> int:
    """Count what may open a level: no more levels than that."""
    return text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")


def _escapes_surrogate(text: str | bytes) -> bool:
    lower = text.lower()
    return "\\ud" in lower if isinstance(lower, str) else b"\\ud" in lower


def _encodable(value: Any) -> None:
    """Refuse half of a surrogate pair: JSON can spell it, UTF-8 and so every column cannot."""
    try:
        dumps(value).encode()
    except UnicodeEncodeError:
        raise ValueError("a character that is half of a surrogate pair") from None


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a JSON key stands twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"not JSON: {name} is no number")
