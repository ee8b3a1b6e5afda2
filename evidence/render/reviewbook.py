"""``data/access-review.xlsx`` and ``.csv``: every row of the reviews of a packet with its decision columns. Pure.

Every cell is a text, a whole number or a date; text is written as text, so that none is a formula or a link.
"""

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Final

from evidence.render.campaign import COLUMNS, STATES, AccessReview, review_rows
from evidence.render.inputs import Content
from evidence.render.spreadsheet import Cell, csv_lines
from evidence.render.text import escape_invisible
from evidence.snapshot import canonical

CSV, XLSX = "access-review.csv", "access-review.xlsx"
_SHEET_ROWS: Final = 1_000_000  # a sheet ends at 1,048,576
_CELL: Final = 32_000  # characters; a cell ends at 32,767
_WIDTHS: Final = {"holder": 28, "access": 32, "gravest": 28, "note": 34, "why": 40, "state": 20, "list_sha256": 14}
_ASIDE: Final = ("quarter", "system", "holder", "access", "decision", "reviewer", "decided_at", "why")
_REPLACED: Final = (
    *("quarter", "system", "holder", "access", "decision", "reviewer", "decided_at"),
    *("then", "then_by", "then_at", "became"),
)
_SIGNED: Final = ("quarter", "scope", "part", "parts", "reviewer", "listed", "decided", "signed_at", "fault")


def review_files(content: Content) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield name below ``data/`` and pieces of each file; nothing for a packet without the section."""
    if content.review is not None:
        yield CSV, csv_lines(COLUMNS, review_rows(content.review))
        yield XLSX, _workbook(content.review, content.end)


def _workbook(review: AccessReview, end: dt.date) -> Iterator[bytes]:
    import xlsxwriter

    with tempfile.TemporaryFile() as file:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        with xlsxwriter.Workbook(file, options) as book:
            made = dt.datetime.combine(end, dt.time())
            book.set_properties({"title": "User access review", "author": "evidence", "created": made})
            _counts(book, review)
            _sheet(book, "Access and decisions", COLUMNS, review_rows(review))
            _sheet(book, "Decisions that do not count", _ASIDE, _aside(review))
            _sheet(book, "Replaced decisions", _REPLACED, _replaced(review))
            _sheet(book, "Signatures", _SIGNED, _signed(review))
        file.seek(0)
        while piece := file.read(1 << 20):
            yield piece


def _counts(book: Any, review: AccessReview) -> None:
    rows: list[list[Cell]] = []
    for campaign in review.campaigns:
        rows += [[campaign.quarter, state, count, STATES[state]] for state, count in campaign.states.items()]
    rows += [[quarter, "not performed up to the period's end", None, why] for quarter, why in review.pending]
    _sheet(book, "Counts", ("quarter", "state", "rows", "meaning"), rows)


def _aside(review: AccessReview) -> Iterator[list[Cell]]:
    for campaign in review.campaigns:
        for each in campaign.set_aside:
            yield [campaign.quarter, *(getattr(each, name) for name in _ASIDE[1:6]), _moment(each.decided_at), each.why]


def _replaced(review: AccessReview) -> Iterator[list[Cell]]:
    for campaign in review.campaigns:
        for each in campaign.replaced:
            first = [campaign.quarter, *(getattr(each, name) for name in _REPLACED[1:6]), _moment(each.decided_at)]
            yield [*first, each.then, each.by, _moment(each.at), each.became]


def _signed(review: AccessReview) -> Iterator[list[Cell]]:
    for campaign in review.campaigns:
        for each in campaign.signatures:
            yield [campaign.quarter, *(getattr(each, n) for n in _SIGNED[1:7]), _moment(each.signed_at), each.fault]


def _moment(value: dt.datetime) -> str:
    return value.isoformat(timespec="seconds") + "Z"


def _sheet(book: Any, name: str, columns: Sequence[str], rows: Any) -> None:
    head = book.add_format({"bold": True, "bg_color": "#E3E8EE", "border": 1, "border_color": "#C8C8C8"})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet, line, part = None, 0, 0
    for row in _with_heading(rows):
        if sheet is None or line > _SHEET_ROWS:
            part, line = part + 1, 0
            sheet = book.add_worksheet(name if part == 1 else f"{name} {part}")
            sheet.freeze_panes(1, 0)
            for place, column in enumerate(columns):
                sheet.set_column(place, place, _WIDTHS.get(column, 16))
                sheet.write_string(0, place, column, head)
        if row is None:
            continue
        line += 1
        for place, value in enumerate(row):
            _put(sheet, line, place, value, day)


def _with_heading(rows: Any) -> Iterator[Any]:
    """A sheet without rows has its heading all the same."""
    yield None
    yield from rows


def _put(sheet: Any, line: int, place: int, value: Cell, day: Any) -> None:
    match value:
        case None | "":
            return
        case dt.date():
            sheet.write_datetime(line, place, dt.datetime.combine(value, dt.time()), day)
        case int():
            sheet.write_number(line, place, value)
        case str():
            sheet.write_string(line, place, _cut(escape_invisible(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[:_CELL]} … {canonical.sha256_hex(text.encode())}"
