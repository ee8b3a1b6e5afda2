"""Tables as a workbook: a sheet that says what it is, then one sheet a table, written row by row. Bytes follow from the values.

Every sheet begins with a line that names the whole it is of, what a row is and how many there are, and, where the whole is marked
(PROVISIONAL, DRAFT, demonstration keys), with the marks. The heading is the second line. What one sheet cannot hold goes on in the next.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from evidence.errors import EvidenceError
from evidence.render.looks import PLAIN, Looks
from evidence.render.sheet import A3, A4, SHEET_ROWS, open_book, page, put
from evidence.render.spreadsheet import Cell
from evidence.render.text import escape_invisible, number
from evidence.render.words import Phrase, _, join, ngettext

Fact = tuple[str, str]
ABOUT: Final = "About"
_LINE: Final = 15  # points
_MOST_LINES: Final = 12
_TOP: Final = 2  # lines before the first row
_TONES: Final = (("exceptions", "bad"), ("not assessed", "unknown"), ("not concluded", "unknown"))


@dataclass(frozen=True, slots=True)
class Column:
    """``width`` in characters. ``wrap``: on as many lines as it needs; ``tone``: coloured by its words; ``exact``: digits as they are."""

    title: str
    width: int
    wrap: bool = False
    tone: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table. ``about`` says what a row is; ``whole`` where the whole of a cut value stands, ``{n}`` in it is the row's number.

    ``count`` is how many rows there are, said on the sheet before they are written. ``frozen`` columns stay in sight.
    """

    name: str
    about: str
    columns: Sequence[Column]
    rows: Iterator[Sequence[Cell]]
    count: int
    frozen: int = 1
    whole: str = "data/findings.json"


@dataclass(frozen=True, slots=True)
class Heading:
    """What the sheets are of. ``facts`` and ``notes`` fill the first sheet, ``label`` is printed on all of them."""

    label: str
    title: str
    created: dt.date
    facts: Sequence[Fact]
    notes: Sequence[Fact] = ()
    marks: Sequence[str] = ()
    looks: Looks = PLAIN

    def say(self, value: str) -> str:
        """Return a text of ours as the sheets have it."""
        return escape_invisible(str(self.looks.words.say(value)))


def write_book(path: Path, heading: Heading, tables: Sequence[Table], *, limit: int = SHEET_ROWS) -> None:
    """Write the workbook to ``path``, at most ``limit`` rows a sheet. Raises ``EvidenceError`` if a table's count is not how many rows it has."""
    created = dt.datetime.combine(heading.created, dt.time())
    with open_book(path, title=f"{heading.say(heading.title)} {heading.label}", created=created) as book:
        shapes = Shapes(book, heading.looks.brand.accent)
        _about(book, shapes, heading, tables, limit)
        for table in tables:
            _table(book, shapes, heading, table, limit)


def sheet_names(table: Table, limit: int = SHEET_ROWS) -> list[str]:
    """Return the sheets that hold ``table``: the first by its name, the second ``name (2)``."""
    sheets = max(1, -(-table.count // limit))
    return [table.name if n == 1 else f"{table.name} ({n})" for n in range(1, sheets + 1)]


_TRUTH: Final = '"TRUE";"TRUE";"FALSE"'  # LibreOffice shows 1 and 0 for a typed cell without it
_PLACED: Final[dict[str, dict[str, Any]]] = {
    "text": {"indent": 1},  # apart from a number before it
    "wrap": {"indent": 1, "text_wrap": True},
    "truth": {"align": "center"},
    "date": {"align": "center"},
    "time": {"align": "center"},
}
Kind = Literal["text", "wrap", "truth", "exact", "count", "date", "time"]


class Shapes:
    """The formats of a workbook, one for each kind of value and tone."""

    def __init__(self, book: Any, accent: str = "") -> None:
        ink = {"font_color": accent} if accent else {}
        line = {"border": 1, "border_color": "#D0D5DB", "valign": "top"}
        numbers = {"truth": _TRUTH, "exact": "0", "count": "#,##0", "date": "yyyy-mm-dd", "time": "yyyy-mm-dd hh:mm:ss"}
        fills: dict[str, dict[str, Any]] = {
            "": {},
            "bad": {"bg_color": "#F8DCD8", "bold": True},
            "unknown": {"bg_color": "#E4E6EA", "italic": True},
        }
        self._cells = {
            (kind, tone): book.add_format(
                {**line, **fill, **({"num_format": form} if form else {}), **_PLACED.get(kind, {})}
            )
            for kind, form in {"text": "", "wrap": "", **numbers}.items()
            for tone, fill in fills.items()
        }
        self.head = book.add_format({**line, "bold": True, "bg_color": "#E3E8EE", "text_wrap": True, **ink})
        self.title = book.add_format({"bold": True, "font_size": 16, **ink})
        self.label = book.add_format({"bold": True, "valign": "top"})
        self.words = book.add_format({"text_wrap": True, "valign": "top"})
        self.band = book.add_format({"bold": True, "font_color": "#44505C"})
        self.mark = book.add_format({"bold": True, "font_color": "#B3261E"})

    def of(self, column: Column, value: Cell) -> Any:
        """Return the format of one cell."""
        kind: Kind = "wrap" if column.wrap else "text"
        match value:
            case bool():
                kind = "truth"
            case int():
                kind = "exact" if column.exact else "count"
            case dt.datetime():
                kind = "time"
            case dt.date():
                kind = "date"
        return self._cells[kind, _tone(value) if column.tone else ""]


def _tone(value: Cell) -> str:
    words = value if isinstance(value, str) else ""
    return next((tone for start, tone in _TONES if words.startswith(start)), "")


def _about(book: Any, shapes: Shapes, heading: Heading, tables: Sequence[Table], limit: int) -> None:
    sheet = _sheet(book, heading, ABOUT, A4)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 110)
    put(sheet, 0, 0, heading.say(heading.title), shapes.title)
    line = 1
    if heading.marks:
        put(sheet, line, 0, " / ".join(heading.marks), shapes.mark)
        line += 1
    contents = [
        (name, join("", [table.about, ". ", _span(table, n, limit), "."]))
        for table in tables
        for n, name in enumerate(sheet_names(table, limit))
    ]
    for title, facts in (("", heading.facts), (_("Sheets"), contents), (_("How to read"), heading.notes)):
        line += 1
        if title and facts:
            put(sheet, line, 0, heading.say(title), shapes.band)
            line += 1
        for name, value in facts:
            shown = heading.say(value)
            sheet.set_row(line, _LINE * min(_lines(shown, 110), _MOST_LINES))
            put(sheet, line, 0, heading.say(name), shapes.label)
            put(sheet, line, 1, shown, shapes.words, heading.say(_("cut here: whole in the packet's pages")))
            line += 1


def _table(book: Any, shapes: Shapes, heading: Heading, table: Table, limit: int) -> None:
    names = sheet_names(table, limit)
    for n, name in enumerate(names):
        sheet = _sheet(book, heading, name, A3)
        for place, column in enumerate(table.columns):
            sheet.set_column(place, place, column.width)
        expected = min(limit, table.count - n * limit)
        sheet.freeze_panes(_TOP, table.frozen)
        sheet.repeat_rows(0, _TOP - 1)
        sheet.autofilter(_TOP - 1, 0, _TOP - 1 + max(expected, 1), len(table.columns) - 1)
        more = [" ", _("Goes on in the sheet {name}.", name=names[n + 1])] if n + 1 < len(names) else []
        marks = " / ".join(heading.marks)
        said = heading.say(join("", [table.about, ". ", _span(table, n, limit), ".", *more]))
        band = f"{f'{marks}. ' if marks else ''}{heading.label}. {said}"
        put(sheet, 0, 0, band, shapes.mark if marks else shapes.band)
        sheet.set_row(1, 2 * _LINE)
        for place, column in enumerate(table.columns):
            put(sheet, 1, place, heading.say(column.title), shapes.head)
        written = _rows(sheet, shapes, heading, table, n * limit, limit)
        if written != expected:
            raise EvidenceError(f"{table.name}: {n * limit + written} rows where {table.count} were counted")
    if next(table.rows, None) is not None:
        raise EvidenceError(f"{table.name}: more rows than the {table.count} that were counted")


def _rows(sheet: Any, shapes: Shapes, heading: Heading, table: Table, before: int, limit: int) -> int:
    tall = any(column.wrap for column in table.columns)
    written = 0
    for row in islice(table.rows, limit):
        written += 1
        line = _TOP - 1 + written
        cells = [_shown(value) for value in row]
        if tall:
            sheet.set_row(line, _LINE * _height(table.columns, cells))
        whole = table.whole.format(n=number(before + written))
        note = heading.say(_("cut here: whole in {whole}", whole=whole))
        for place, (column, value) in enumerate(zip(table.columns, cells, strict=True)):
            put(sheet, line, place, value, shapes.of(column, value), note)
    return written


def _sheet(book: Any, heading: Heading, name: str, paper: int) -> Any:
    sheet = book.add_worksheet(name)
    page(sheet, paper=paper)
    sheet.set_margins(left=0.4, right=0.4, top=0.8, bottom=0.7)
    name_of = heading.looks.brand.short_name
    shown = f"{name_of}, {heading.label}" if name_of else heading.label
    sheet.set_header(f"&L{_printed(shown)}&R{_printed(' / '.join(heading.marks))}")
    sheet.set_footer(f"&L{_printed(name)}&C{_pages(heading)}&R{_right(heading)}")
    if heading.marks:
        sheet.set_tab_color("#B3261E")
    return sheet


def _pages(heading: Heading) -> str:
    said = _printed(heading.looks.words.say(_("Page {page} of {pages}", page="\0", pages="\1")))
    return said.replace("\0", "&P").replace("\1", "&N")


def _right(heading: Heading) -> str:
    own = escape_invisible(heading.looks.brand.confidentiality)
    return _printed(own or heading.say(_("Restricted use")))


def _printed(text: str) -> str:
    """Return text that a print heading does not read as a code; it holds 255 characters in all."""
    return text[:100].replace("&", "&&")


def _span(table: Table, part: int, limit: int) -> Phrase:
    first, last = part * limit + 1, min((part + 1) * limit, table.count)
    if table.count <= limit:
        return ngettext("{n} row", "{n} rows", table.count)
    return _("Rows {first} to {last} of {n}", first=number(first), last=number(last), n=number(table.count))


def _shown(value: Cell) -> Cell:
    return escape_invisible(value) if isinstance(value, str) else value


def _height(columns: Sequence[Column], cells: Sequence[Cell]) -> int:
    """Return how many lines the longest cell needs: a row written as it streams has no height of its own."""
    most = max(
        (_lines(value, column.width) for column, value in zip(columns, cells, strict=True) if column.wrap and isinstance(value, str)),
        default=1,
    )  # fmt: skip
    return min(most, _MOST_LINES)


def _lines(text: str, width: int) -> int:
    return sum(max(1, -(-len(line) * 11 // (width * 10))) for line in text[: width * 20].split("\n"))
