"""A list of requests as somebody else wrote it: one CSV in, rows of ``register.requests`` out, all or nothing. Pure.

The file is hostile text. What cannot be kept as it is (another encoding, control and bidirectional characters, cells without end,
rows of another length, a number twice) refuses the whole file, by row; what is odd and harmless is kept as text and counted by name.
"""

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.errors import UsageError
from evidence.snapshot import phi

MAX_BYTES: Final = 4 << 20
MAX_ROWS: Final = 5_000
MAX_CELL: Final = 8_000  # characters
NUMBER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._()/-]{0,63}")
FORMULA: Final = ("=", "+", "-", "@")  # what a spreadsheet takes for a formula
REQUIRED: Final = ("number", "inquiry")
OPTIONAL: Final = ("period", "asked_by", "due", "owner", "follows", "requirements")  # exhibits are named by who answers
_ALIASES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("no", "no.", "#", "id", "ref", "reference", "request number", "request no", "request id"), "number"
    ),
    **dict.fromkeys(("request", "description", "request description", "item requested", "question", "text"), "inquiry"),
    **dict.fromkeys(("due date", "due by"), "due"),
    **dict.fromkeys(("requested by", "asked by", "auditor"), "asked_by"),
    **dict.fromkeys(("follow-up to", "follows up", "follow up to"), "follows"),
    **dict.fromkeys(("requirement", "citation", "criteria"), "requirements"),
}
_HIDDEN: Final = frozenset(
    {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
)  # control, format (bidi), surrogate, private, unassigned
_SHOWN: Final = 5  # faults named in one message


@dataclass(frozen=True, slots=True)
class Parsed:
    """Rows as they will be recorded (without source and moment), and sentences about what was odd."""

    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def parse_requests(body: bytes, *, columns: Mapping[str, str] | None = None, prefix: str = "") -> Parsed:
    """Return the requests of a CSV: comma, semicolon or tab, UTF-8, first row names the columns.

    ``columns`` says which heading stands for which of ours; ``prefix`` goes before every number. Raises ``UsageError`` that names
    rows and columns at fault; nothing of such a file is to be recorded.
    """
    table = _table(_text(body))
    places, ignored = _places(table[0], columns or {})
    faults = list(_shapes(table))
    if faults:
        raise _refused(faults)
    rows, faults = [], []
    for number, cells in enumerate(table[1:], 2):
        row, wrong = _row(cells, places, prefix)
        rows.append(row)
        faults += [f"row {number}: {fault}" for fault in wrong]
    faults += _twice(rows)
    if faults:
        raise _refused(faults)
    return Parsed(tuple(rows), tuple(_notes(table, ignored)))


def _text(body: bytes) -> str:
    if len(body) > MAX_BYTES:
        raise UsageError(f"the file has {len(body)} bytes, over the limit of {MAX_BYTES}", fix="import it in parts")
    if body[:4] == b"PK\x03\x04" or body[:4] == b"\xd0\xcf\x11\xe0":
        raise UsageError("the file is a workbook", fix="save the sheet as CSV UTF-8 and import that")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageError(f"the file is not UTF-8 (byte {exc.start})", fix="save it as CSV UTF-8") from exc
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _table(text: str) -> list[list[str]]:
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    before = csv.field_size_limit(MAX_BYTES)
    try:
        table = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if any(row)]
    except csv.Error as exc:
        raise UsageError(f"the file is no CSV: {exc}", fix="save it as CSV UTF-8") from exc
    finally:
        csv.field_size_limit(before)
    if len(table) < 2:
        raise UsageError(
            "the file has no requests", fix=f"a heading row with {' and '.join(REQUIRED)}, then one row each"
        )
    if len(table) - 1 > MAX_ROWS:
        raise UsageError(f"the file has {len(table) - 1} rows, over the limit of {MAX_ROWS}", fix="import it in parts")
    return table


def _places(heading: Sequence[str], columns: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """Return our column -> place in the file, and the headings that are not taken."""
    given = {theirs.strip().casefold(): ours for ours, theirs in columns.items()}
    unknown = sorted(set(columns) - {*REQUIRED, *OPTIONAL})
    if unknown:
        raise UsageError(f"no column {unknown[0]!r}", fix=f"columns: {', '.join((*REQUIRED, *OPTIONAL))}")
    places: dict[str, int] = {}
    ignored: list[str] = []
    for place, cell in enumerate(heading):
        name = cell.strip().casefold()
        ours = given.get(name) or _ALIASES.get(name, name.replace(" ", "_"))
        if ours not in {*REQUIRED, *OPTIONAL}:
            ignored.append(cell.strip() or f"column {place + 1}")
        elif ours in places:
            raise UsageError(f"two columns stand for {ours}", fix=f"name the one: --column {ours}=HEADING")
        else:
            places[ours] = place
    missing = [name for name in REQUIRED if name not in places]
    if missing:
        fix = f"name it: --column {missing[0]}=HEADING"
        raise UsageError(
            f"missing column {' and '.join(missing)}; there are {', '.join(map(repr, heading))[:300]}", fix=fix
        )
    return places, ignored


def _shapes(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield faults that any cell may have, taken or not."""
    for number, cells in enumerate(table, 1):
        if len(cells) != len(table[0]):
            yield f"row {number}: {len(cells)} cells, the heading has {len(table[0])}"
        for place, cell in enumerate(cells, 1):
            if len(cell) > MAX_CELL:
                yield f"row {number}, column {place}: {len(cell)} characters, over the limit of {MAX_CELL}"
            odd = next((char for char in cell if char not in "\n\t" and unicodedata.category(char) in _HIDDEN), None)
            if odd is not None:
                yield f"row {number}, column {place}: holds the invisible character U+{ord(odd):04X}"


def _row(cells: Sequence[str], places: Mapping[str, int], prefix: str) -> tuple[dict[str, Any], list[str]]:
    row: dict[str, Any] = {name: cells[place].strip() for name, place in places.items()}
    faults = []
    for name in ("number", "follows"):
        if row.get(name):
            row[name] = prefix + row[name]
    if not NUMBER.fullmatch(row["number"]):
        faults.append(f"number {row['number'][:40]!r} is none: letters, digits and ._()/- up to 64")
    if not row["inquiry"]:
        faults.append("asks nothing")
    if kind := phi.hit(row["inquiry"]):
        faults.append(f"inquiry looks like it holds a {kind}: ask without naming the person")
    if "requirements" in row:
        row["requirements"] = [part for text in re.split(r"[;,\n]", row["requirements"]) if (part := text.strip())]
    if row.get("due"):
        try:
            row["due"] = dt.date.fromisoformat(row["due"])
        except ValueError:
            faults.append(f"due {row['due'][:40]!r} is no day: write YYYY-MM-DD")
    return row, faults


def _twice(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        first = seen.setdefault(row["number"], number)
        if first != number:
            yield f"row {number}: number {row['number']!r} stands in row {first} too"


def _notes(table: Sequence[Sequence[str]], ignored: Sequence[str]) -> Iterator[str]:
    if ignored:
        yield f"columns not taken: {', '.join(ignored)}"
    formulas = sum(cell.startswith(FORMULA) for cells in table[1:] for cell in cells)
    if formulas:
        yield f"{formulas} cells begin like a formula: kept as text, and written with ' before them in hand-over files"


def _refused(faults: Sequence[str]) -> UsageError:
    more = f"; {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return UsageError(
        f"nothing was imported: {'; '.join(faults[:_SHOWN])}{more}", fix="correct the file and import it again"
    )
