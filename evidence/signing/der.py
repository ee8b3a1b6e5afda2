"""Strict DER (X.690 section 10): one value, one spelling, checked before any ASN.1 library sees the bytes.

Definite minimal lengths, children that fill their parent exactly, minimal INTEGER, 00/FF BOOLEAN, well-formed OBJECT
IDENTIFIER, sorted SET. A parser behind this check meets no indefinite length and no unterminated identifier (asn1crypto
re-encodes an unterminated one without end).
"""

from typing import Final

from evidence.errors import MalformedError

MAX_BYTES: Final = 1 << 20  # a signature with a chain of eight RSA-4096 certificates and a time-stamp has about 20 KiB
_MAX_DEPTH: Final = 32
_BOOLEAN, _INTEGER, _OID, _ENUM, _SET = 0x01, 0x02, 0x06, 0x0A, 0x31


def check_der(body: bytes, what: str) -> None:
    """Raise ``MalformedError`` unless ``body`` is exactly one DER value."""
    if len(body) > MAX_BYTES:
        raise MalformedError(f"{what} has {len(body)} bytes, over {MAX_BYTES}")
    if _walk(body, 0, len(body), 0, what) != [body]:
        raise MalformedError(f"{what} is not one DER value")


def value_length(body: bytes, what: str) -> int:
    """Return the length in bytes, header included, of the value ``body`` begins with."""
    start, length = _header(body, 0, len(body), what)
    return start + length


def children(value: bytes) -> list[bytes]:
    """Return the values inside the checked, constructed ``value``."""
    inner, _ = _header(value, 0, len(value), "the value")
    found: list[bytes] = []
    while inner < len(value):
        start, length = _header(value, inner, len(value), "the value")
        found.append(value[inner : start + length])
        inner = start + length
    return found


def _walk(body: bytes, start: int, end: int, depth: int, what: str) -> list[bytes]:
    if depth > _MAX_DEPTH:
        raise MalformedError(f"{what} is nested too deeply")
    found: list[bytes] = []
    while start < end:
        tag = body[start]
        if tag & 0xDF == 0:
            raise MalformedError(f"{what} has an end-of-contents mark: that is not DER")
        inner, length = _header(body, start, end, what)
        if tag & 0x20:
            children = _walk(body, inner, inner + length, depth + 1, what)
            if tag == _SET and children != sorted(children):
                raise MalformedError(f"{what} has an unsorted SET")
        else:
            _check_primitive(tag, body[inner : inner + length], what)
        found.append(body[start : inner + length])
        start = inner + length
    return found


def _header(body: bytes, start: int, end: int, what: str) -> tuple[int, int]:
    """Return (offset of the content, its length) of the value at ``start``; the value must end by ``end``."""
    if end - start < 2 or body[start] & 0x1F == 0x1F:
        raise MalformedError(f"{what} is cut short or has a long tag")
    first, inner = body[start + 1], start + 2
    length = first
    if first & 0x80:
        octets = body[inner : inner + (first & 0x7F)]
        inner += len(octets)
        length = int.from_bytes(octets, "big")
        if not 1 <= len(octets) <= 4 or len(octets) != first & 0x7F or octets[0] == 0 or length < 0x80:
            raise MalformedError(f"{what} has a length that is not DER")
    if inner + length > end:
        raise MalformedError(f"{what} is cut short")
    return inner, length


def _check_primitive(tag: int, content: bytes, what: str) -> None:
    if tag == _BOOLEAN and content not in {b"\x00", b"\xff"}:
        raise MalformedError(f"{what} has a BOOLEAN that is not DER")
    if tag in {_INTEGER, _ENUM} and (not content or _padded(content)):
        raise MalformedError(f"{what} has an INTEGER that is not DER")
    if tag == _OID and (not content or content[-1] & 0x80 or any(_arc_padded(content, i) for i in range(len(content)))):
        raise MalformedError(f"{what} has a malformed OBJECT IDENTIFIER")


def _padded(content: bytes) -> bool:
    return len(content) > 1 and (
        (content[0] == 0 and not content[1] & 0x80) or (content[0] == 0xFF and bool(content[1] & 0x80))
    )


def _arc_padded(content: bytes, index: int) -> bool:
    """An arc begins with 0x80: a leading zero."""
    return content[index] == 0x80 and (index == 0 or not content[index - 1] & 0x80)
