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
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from evidence.errors import MalformedError

# Bounds of one value, the same for writer and reader. A parsed value costs at most about 100 bytes beside its text, so the
# two together keep a hostile file below about 1 GiB of memory.
MAX_BYTES: Final = 128 << 20  # the findings of a quarter with 100,000 failing items are about 40 MiB
MAX_VALUES: Final = 8_000_000  # commas and opening brackets, those inside texts included
MAX_DEPTH: Final = 64  # the deepest of ours, a receipt in a manifest, has 8

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_MARKS: Final = (b",", b"[", b"{")  # one at least before each value
_SOME: Final = 1000  # elements that are encoded at once
_PLAIN: Final = frozenset({str, int, bool, type(None)})


def encode(value: Any) -> bytes:
    """Return the canonical bytes of ``value``; raise ``MalformedError`` for floats, other types and non-string keys."""
    _check(value, 0)
    try:
        body = _ENCODER.encode(value).encode()
    except (TypeError, ValueError) as exc:  # lone surrogates cannot be UTF-8
        raise MalformedError(f"value has no canonical JSON: {exc}") from exc
    check_bounds(body, "value")
    return body


def pieces(value: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield what :func:`encode` gives piece by piece; members that are iterators are arrays whose elements are encoded as they come.

    Raises as :func:`encode` does; that the whole is out of bounds is known after what was in bounds has been given.
    """
    _check(dict.fromkeys(value), 0)
    size = count = 0
    for piece in _members(value):
        size += len(piece)
        count += sum(piece.count(mark) for mark in _MARKS)
        if size > MAX_BYTES or count > MAX_VALUES:
            raise MalformedError(f"value has over {MAX_BYTES} bytes or {MAX_VALUES} values")
        yield piece


def _members(value: Mapping[str, Any]) -> Iterator[bytes]:
    mark = b"{"
    for name in sorted(value):
        yield mark + encode(name) + b":"
        mark = b","
        member = value[name]
        if not isinstance(member, Iterator):
            yield encode(member)
            continue
        yield b"["
        comma = b""
        while some := list(islice(member, _SOME)):
            yield comma + encode(some)[1:-1]
            comma = b","
        yield b"]"
    yield b"}" if value else b"{}"


def decode(body: bytes, *, what: str = "JSON") -> Any:
    """Parse ``body``, accepting only the bytes that :func:`encode` writes."""
    value = parse(body, what=what)
    if encode(value) != body:
        raise MalformedError(f"{what} is not in canonical form")
    return value


def parse(body: bytes, *, what: str = "JSON") -> Any:
    """Parse ``body`` in any spelling, for callers that compare it with what their own writer makes of the value."""
    check_bounds(body, what)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:  # also numbers of thousands of digits
        raise MalformedError(f"{what} does not parse: {exc}") from exc


def check_bounds(body: bytes, what: str) -> None:
    """Raise ``MalformedError`` when ``body`` is larger, or holds more values, than the writer ever writes."""
    if len(body) > MAX_BYTES:
        raise MalformedError(f"{what} has {len(body)} bytes, over {MAX_BYTES}")
    if len(body) > MAX_VALUES and sum(body.count(mark) for mark in _MARKS) > MAX_VALUES:
        raise MalformedError(f"{what} has over {MAX_VALUES} values")


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


def _check(value: Any, depth: int) -> None:
    if type(value) in _PLAIN:
        return
    if depth > MAX_DEPTH:
        raise MalformedError(f"JSON is nested deeper than {MAX_DEPTH}")
    match value:
        case int() | str():
            return
        case list() | tuple():
            pass
        case dict():
            for key in value:
                if not isinstance(key, str):
                    raise MalformedError(f"JSON key is not text: {key!r}")
            value = value.values()
        case _:
            raise MalformedError(f"no canonical JSON for {type(value).__name__}")
    for child in value:
        if type(child) not in _PLAIN:  # most are leaves: no call for those
            _check(child, depth + 1)
