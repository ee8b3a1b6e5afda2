"""PAdES B-LTA: a document time-stamp over a signed PDF, in a second revision that can hold nothing else.

The signed revision has an empty signature field ready (``TIME``). The second one is made by this module alone, byte for byte from the
first: the field again, now with a value; the time-stamp dictionary (ETSI EN 319 142-1, 5.4.3); a cross-reference stream. Whoever
verifies makes it again and compares, so that nothing can be appended under the cover of a time-stamp, which anybody can get
(docs/decisions/0184-a-document-time-stamp-has-one-spelling.md).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evidence.errors import MalformedError, TimestampError
from evidence.signing.der import value_length

TIME: Final = "Time"  # name of the field
ROOM: Final = 16 << 10  # bytes for a token; real ones have up to 8 KiB
_END: Final = b"%%EOF\n"
_RANGE: Final = 60  # characters of the ByteRange, filled up with spaces: as long whatever its numbers are
_FIELD: Final = re.compile(rb"\n(\d{1,9}) 0 obj\n(<<\n/FT /Sig\n/T \(Time\)\n[^<>()]{1,200}\n)>>\nendobj\n")
_TRAILER: Final = re.compile(rb"startxref\n(\d{1,12})\n%%EOF\n\Z")


@dataclass(frozen=True, slots=True)
class Archived:
    """A document time-stamp, not judged yet: the token (DER) and the bytes it is over."""

    token: bytes
    content: bytes


def add_document_stamp(pdf: bytes, stamp: Callable[[bytes], bytes]) -> bytes:
    """Return the signed ``pdf`` with a second revision that holds a token of ``stamp``. Raises ``TimestampError``."""
    whole, start, end = _revision(pdf)
    made = stamp(whole[:start] + whole[end:]).hex().encode()
    if len(made) > 2 * ROOM:
        raise TimestampError(f"the time-stamp has {len(made) // 2} bytes, over {ROOM}", fix="use another tsa")
    return whole[: start + 1] + made.ljust(2 * ROOM, b"0") + whole[end - 1 :]


def split(pdf: bytes) -> tuple[bytes, Archived | None]:
    """Return the signed revision and its document time-stamp; the PDF as it is and None where it does not end in one.

    A second revision that differs in one byte from what :func:`add_document_stamp` writes is none: whoever verifies the whole then
    finds bytes that the signature does not cover. Raises ``MalformedError`` for a placeholder that holds no token.
    """
    at = pdf.rfind(_END, 0, len(pdf) - len(_END))
    first = pdf[: at + len(_END)] if at >= 0 else b""
    try:
        whole, start, end = _revision(first)
    except MalformedError:
        return pdf, None
    if len(whole) != len(pdf) or whole[: start + 1] != pdf[: start + 1] or whole[end - 1 :] != pdf[end - 1 :]:
        return pdf, None
    try:
        padded = bytes.fromhex(pdf[start + 1 : end - 1].decode("ascii"))
    except ValueError as exc:
        raise MalformedError("the document time-stamp is not hexadecimal") from exc
    token = padded[: value_length(padded, "the document time-stamp")]
    if pdf[start + 1 : end - 1] != token.hex().encode().ljust(2 * ROOM, b"0"):
        raise MalformedError("the document time-stamp is not in its one spelling")
    return first, Archived(token, pdf[:start] + pdf[end:])


def _revision(pdf: bytes) -> tuple[bytes, int, int]:
    """Return ``pdf`` with the second revision around an empty placeholder, where the placeholder begins and where it ends."""
    trailer, fields = _TRAILER.search(pdf[-64:]), _FIELD.findall(pdf)
    if trailer is None or len(fields) != 1:
        raise MalformedError("the PDF has no one field ready for a document time-stamp")
    table = int(trailer[1])
    size, names = _of_table(pdf[table : table + 2_000])
    (number, field), stamp, xref = fields[0], size, size + 1
    head = b"%b 0 obj\n%b/V %d 0 R\n>>\nendobj\n" % (number, field, stamp)
    at_stamp = len(pdf) + len(head)
    opening = b"%d 0 obj\n<<\n/Type /DocTimeStamp\n/Filter /Adobe.PPKLite\n/SubFilter /ETSI.RFC3161\n/Contents " % stamp
    start = at_stamp + len(opening)
    end = start + 2 * ROOM + 2
    places = {int(number): len(pdf), stamp: at_stamp}
    closing = b"\n/ByteRange %b\n>>\nendobj\n"
    at_table = end + len(closing) - 2 + _RANGE
    places[xref] = at_table
    rows = b"".join(b"\x01%b\x00\x00" % place.to_bytes(8, "big") for _, place in sorted(places.items()))
    runs = b" ".join(b"%d 1" % each for each in sorted(places))
    words = b"/W [ 1 8 2 ]\n/Type /XRef\n/Size %d\n%b\n/Prev %d\n/Index [ %b ]\n/Length %d"
    words %= (xref + 1, names, table, runs, len(rows))
    tail = b"%d 0 obj\n<<\n%b\n>>\nstream\n%b\nendstream\nendobj\n" % (xref, words, rows)
    tail += b"startxref\n%d\n" % at_table + _END
    covered = (b"[0 %d %d %d]" % (start, end, at_table + len(tail) - end)).ljust(_RANGE)
    return pdf + head + opening + b"<" + b"0" * (2 * ROOM) + b">" + closing % covered + tail, start, end


def _of_table(text: bytes) -> tuple[int, bytes]:
    """Return the size, and root, info and ID as the last cross-reference stream of our own writer spells them."""
    size = re.search(rb"\n/Size (\d{1,9})\n", text)
    root = re.search(rb"\n/Root \d{1,9} 0 R\n", text)
    info = re.search(rb"\n/Info \d{1,9} 0 R\n", text)  # a PDF may have none
    ids = re.search(rb"\n/ID \[ <[0-9a-f]{32,128}> <[0-9a-f]{32,128}> \]\n", text)
    if not (size and root and ids):
        raise MalformedError("the PDF's last cross-reference is not one of our writer")
    return int(size[1]), b"\n".join(each[0].strip() for each in (root, info, ids) if each)
