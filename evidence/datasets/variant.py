"""JSON text of VARIANT columns: read without losing a digit, written in one canonical spelling.

Canonical is keys sorted by code point, no white space, no escapes beyond JSON's own (``evidence.snapshot.canonical``); numbers that
are not plain 64-bit integers keep the spelling of the source, floats included. Two texts that differ in layout only
(``JSON_INDENT``) become equal; nothing is rounded.
"""

import json
from json.encoder import encode_basestring
from typing import Any

import orjson

_CONSTANTS = {None: "null", True: "true", False: "false"}


class UnfitError(ValueError):
    """A value does not fit its column; the message is a reason and holds no part of the value."""


class Number(str):
    """A number by its spelling in the source."""

    __slots__ = ()


def canonical_text(text: str) -> str:
    """Return the canonical spelling of one JSON document.

    Raises :class:`UnfitError`: not JSON, a key twice, lone surrogates, too deep.
    """
    try:
        value = orjson.loads(text)
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        if canonical == text or _same(orjson.dumps(value).decode(), text):
            return canonical
    except (ValueError, UnicodeError):
        pass
    return dumps(_exact(text))


def parse(text: str) -> Any:
    """Parse ``text`` into Python values; numbers that JSON readers may change are :class:`Number`."""
    try:
        value = orjson.loads(text)
        if _same(orjson.dumps(value).decode(), text):
            return value
    except (ValueError, UnicodeError):
        pass
    return _exact(text)


def _same(written: str, text: str) -> bool:
    """Say whether ``text``, written back, has the same characters but for white space: then reading lost nothing.

    A key that stood twice would be shorter, a number beyond 64 bits or spelled otherwise would differ.
    """
    return written == text or "".join(written.split()) == "".join(text.split())


def dumps(value: Any) -> str:
    """Write Python values, :class:`Number` included, canonically."""
    if isinstance(value, str):
        return str(value) if isinstance(value, Number) else encode_basestring(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_basestring(key)}:{dumps(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, float):  # only from texts that orjson writes back unchanged
        return orjson.dumps(value).decode()
    return _CONSTANTS[value] if value is None or isinstance(value, bool) else str(int(value))


def _exact(text: str) -> Any:
    try:
        value = json.loads(
            text, parse_int=_integer, parse_float=Number, parse_constant=_refuse, object_pairs_hook=_unique
        )
        dumps(value).encode()
    except UnicodeEncodeError:
        raise UnfitError("JSON with lone surrogates") from None
    except RecursionError:
        raise UnfitError("JSON nested too deep") from None
    except json.JSONDecodeError:
        raise UnfitError("not JSON") from None
    return value


def _integer(spelling: str) -> Any:
    number = int(spelling) if len(spelling) < 20 else None
    plain = number is not None and -(1 << 63) <= number < 1 << 63 and str(number) == spelling
    return number if plain else Number(spelling)


def _refuse(constant: str) -> Any:
    raise UnfitError(f"JSON holds {constant}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnfitError("JSON holds a key twice")
    return found
