r"""Canonical JSON: one value, one spelling.

Keys sorted by code point, no white space, UTF-8 without escapes beyond JSON's own, integers of any size, no floats
(a float has many spellings; amounts are strings or integers here), ``\n`` at the end of files only. It is the
I-JSON profile of RFC 8785 for values without floats, except that keys sort by code point instead of UTF-16 unit.

>>> encode({"b": 1, "a": [True, None, "é"]})
b'{"a":[true,null,"\xc3\xa9"],"b":1}'
"""

import datetime as dt
import hashlib
import json
from typing import Any

from evidence.errors import MalformedError


def encode(value: Any) -> bytes:
    """Return the canonical bytes of ``value``; raise ``MalformedError`` for floats, other types and non-string keys."""
    _check(value)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError) as exc:  # lone surrogates cannot be UTF-8
        raise MalformedError(f"value has no canonical JSON: {exc}") from exc


def decode(body: bytes, *, what: str = "JSON") -> Any:
    """Parse ``body``, accepting only the bytes that :func:`encode` writes."""
    try:
        value = json.loads(body)
    except ValueError as exc:
        raise MalformedError(f"{what} does not parse: {exc}") from exc
    if encode(value) != body:
        raise MalformedError(f"{what} is not in canonical form")
    return value


def sha256_hex(body: bytes) -> str:
    """Return the lower-case hex SHA-256 of ``body``."""
    return hashlib.sha256(body).hexdigest()


def format_time(moment: dt.datetime) -> str:
    """Spell an aware moment in UTC with microseconds: ``2026-07-01T00:00:00.000000Z``."""
    if moment.tzinfo is None:
        raise MalformedError(f"time without zone: {moment.isoformat()}")
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> dt.datetime:
    """Parse the one spelling that :func:`format_time` writes."""
    try:
        moment = dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=dt.UTC)
    except ValueError as exc:
        raise MalformedError(f"malformed time {text!r}") from exc
    if format_time(moment) != text:
        raise MalformedError(f"malformed time {text!r}")
    return moment


def _check(value: Any) -> None:
    match value:
        case None | bool() | int() | str():
            return
        case list() | tuple():
            for item in value:
                _check(item)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise MalformedError(f"JSON key is not text: {key!r}")
                _check(item)
        case _:
            raise MalformedError(f"no canonical JSON for {type(value).__name__}")
