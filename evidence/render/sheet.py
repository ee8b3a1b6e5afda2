"""Cells of a workbook: hostile text stays text, types stay types, and what Excel would drop without a word is cut and said.

Shared by everything that writes XLSX. Text goes through ``write_string`` alone, so that no cell becomes a formula or a link whatever it
begins with. XlsxWriter has one way around that: in constant memory it takes a text ``<r>…</r>`` for rich text of its own making and
writes it into the sheet as markup, formulas included (seen in 3.3.1). A blank behind it ends that; see :func:`plain`.
"""

import datetime as dt
from pathlib import Path
from typing import Any, Final

from evidence.errors import EvidenceError
from evidence.render.spreadsheet import Cell

SHEET_ROWS: Final = 1_000_000  # Excel ends at 1,048,576; a longer table goes on in a further sheet
CELL: Final = 32_000  # UTF-16 units; Excel ends at 32,767
A3, A4 = 8, 9
_EXACT: Final = 10**15  # Excel keeps 15 digits of a number
_FIRST_DAY: Final = dt.date(
    1900, 3, 1
)  # Excel's calendar has a 29 February 1900: days before it read otherwise elsewhere


def open_book(path: Path, *, title: str, created: dt.datetime) -> Any:
    """Return a workbook that is written row by row to ``path``; ``created`` is UTC without a zone. Temporary files lie beside it."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "tmpdir": str(path.parent),
    }
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"title": title[:200], "author": "evidence", "created": created})
    return book


def plain(text: str) -> str:
    """Return ``text`` so that the library cannot take it for markup."""
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def cut(text: str, note: str) -> str:
    """Return ``text`` if a cell holds it, else what a cell holds of it and ``note``; then :func:`plain`."""
    if len(text) > CELL // 2 and len(wide := text.encode("utf-16-le", "surrogatepass")) > 2 * CELL:
        return plain(f"{wide[: 2 * CELL].decode('utf-16-le', 'ignore')} … {note}")
    return plain(text)


def put(sheet: Any, line: int, place: int, value: Cell, shape: Any, note: str = "cut here") -> None:
    """Write one value by its type: dates and times (UTC) as numbers that ``shape`` shows as such, the rest as it is.

    Raises ``EvidenceError`` where the library would leave the cell out.
    """
    match value:
        case None | "":
            failed = sheet.write_blank(line, place, None, shape)
        case bool():
            failed = sheet.write_boolean(line, place, value, shape)
        case int() if abs(value) < _EXACT:
            failed = sheet.write_number(line, place, value, shape)
        case dt.datetime() if value.date() >= _FIRST_DAY:
            naive = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
            failed = sheet.write_datetime(line, place, naive, shape)
        case dt.date() if not isinstance(value, dt.datetime) and value >= _FIRST_DAY:
            failed = sheet.write_datetime(line, place, value, shape)
        case str():
            failed = sheet.write_string(line, place, cut(value, note), shape)
        case _:
            failed = sheet.write_string(line, place, str(value), shape)
    if failed:
        raise EvidenceError(f"cell {line + 1}:{place + 1} of {sheet.name} was not written ({failed})")


def page(sheet: Any, *, paper: int) -> None:
    """Print landscape, one page wide."""
    sheet.set_paper(paper)
    sheet.set_landscape()
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.fit_to_pages(1, 0)
