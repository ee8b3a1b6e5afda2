"""JSON in and out without losing a digit: integers of any size, decimal fractions as written, no key twice."""

import json
from decimal import Decimal
from typing import Any, NoReturn


def loads(text: str | bytes) -> Any:
    """Parse JSON; fractions become ``Decimal``. Raises ``ValueError`` for bad JSON, NaN, a repeated key or deep nesting.

    The message never quotes the text, which may hold what must not be copied.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc.msg} at character {exc.pos}") from None
    except UnicodeDecodeError as exc:
        raise ValueError(f"not UTF-8 at byte {exc.start}") from None
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def dumps(value: Any) -> str:
    """Spell ``value`` as compact JSON; a ``Decimal`` keeps its digits."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{dumps(v)}" for key, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(dumps(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a JSON key stands twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"not JSON: {name} is no number")
