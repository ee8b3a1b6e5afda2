"""CSV that people open in a spreadsheet: RFC 4180 with LF, cells that nothing takes for a formula. Pure.

A cell that begins like a formula gets an apostrophe before it, characters that nobody sees become visible escapes. Raw values
are in the packet's own files, whose bytes are hashed; these are copies for reading.
"""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from evidence.render.text import escape_invisible

Cell = str | int | bool | dt.date | dt.datetime | None
_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")  # noqa: RUF001 - wide forms count too


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return a whole CSV with its heading."""
    return b"".join(csv_lines(columns, rows))


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Yield the heading, then each row, as bytes that end a line."""
    yield _line(columns)
    for row in rows:
        yield _line([cell(value) for value in row])


def cell(value: Cell) -> str:
    """Spell one value: dates ISO, numbers and booleans plain, text safe."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case dt.date():
            return value.isoformat()
    text = escape_invisible(value)
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS) else text


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode("utf-8", "backslashreplace")
