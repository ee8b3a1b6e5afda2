"""The workbook of a list: a cover, the rows with empty decision columns, and what they rest on. Bytes follow from the list alone.

Every cell is a text or a whole number. Text is written as text, whatever it begins with: no cell is ever a formula or a link.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evidence.errors import UsageError
from evidence.render.sheet import A3, A4, CELL, SHEET_ROWS, cut, open_book, page, put
from evidence.review.listing import GRAVE, IDENTITY, SHOWN
from evidence.review.support import SUPPORT, Table
from evidence.snapshot import canonical

COVER: Final = "Cover"
DECIDE: Final = "Decide"
LIST_DIGEST: Final = "List SHA-256"
ANSWERS: Final = ("Decision", "Reviewer", "Date", "Note")
CHOICES: Final = ("keep", "revoke", "change")
COLUMNS: Final = (*(title for name, title in SHOWN.items() if name != "row"), *ANSWERS, SHOWN["row"])
_WIDTHS: Final = {
    "Account": 11, "Kind": 17, "Holder": 28, "Access": 32, "Holder is, or acts for": 15, "Gravest": 30, "PHI objects": 17, "Brings roles": 8,
    "Objects": 8, "Granted on": 15, "Granted by": 19, "Last used": 13, "Change": 13, "Decision": 10, "Reviewer": 17, "Date": 11, "Note": 34,
    "Row": 18,
}  # fmt: skip
_LINE: Final = 15  # points

INSTRUCTIONS: Final = (
    "Each row of the sheet Decide is one grant that can be revoked on its own, or what one role holds itself. The grave rows come first.",
    "Decide every row: keep (needed for the holder's work today), revoke, or change (revoke it as it is; the note says what is right).",
    "Write your name as register.reviewers has it. Nobody decides on himself or on a superior: leave such rows to another reviewer.",
    "What a role brings stands in Role privileges; every role that a user can act with, and through which, in Effective roles.",
    "Add, remove or edit no row: the import compares each with the sealed list and refuses the file. Sorting and filtering are fine.",
    "`evidence access-review import FILE --reviewer NAME` records your decisions; --sign signs once every row is decided.",
    "A revocation is closed when a later capture shows that the grant is gone, not when it was asked for.",
    "For use inside the entity: names of people and of what they may do. No patient data belongs into a note.",
)


def write_workbook(
    path: Path, sealed: Mapping[str, Any], digest: str, support: Mapping[str, Table], reviewers: Sequence[str]
) -> None:
    """Write the workbook of a list to ``path``, row by row. ``digest`` is the SHA-256 of the list as sealed.

    Raises ``UsageError`` for more rows than one sheet holds: what does not fit would be left out without a word.
    """
    if len(sealed["rows"]) > SHEET_ROWS:
        raise UsageError(
            f"{len(sealed['rows'])} rows are more than a sheet holds",
            fix="query the sealed list in parts: no person decides on that many",
        )
    made = dt.datetime.fromisoformat(sealed["listed_at"]).replace(tzinfo=None)
    with open_book(path, title=f"Access review {sealed['period_end']}", created=made) as book:
        _cover(book, sealed, digest)
        _decide(book, sealed, reviewers)
        for name, table in support.items():
            _plain_table(book, name, SUPPORT[name], table)
        if sealed["since"]:
            gone = [[each[name] for name in IDENTITY] for each in sealed["gone"]]
            _plain_table(book, f"Gone since {sealed['since']}", [SHOWN[name] for name in IDENTITY], gone)


def _cover(book: Any, sealed: Mapping[str, Any], digest: str) -> None:
    sheet = book.add_worksheet(COVER)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 120)
    page(sheet, paper=A4)
    head, label = book.add_format({"bold": True, "font_size": 16}), book.add_format({"bold": True, "valign": "top"})
    text = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.write_string(0, 0, "Review of access", head)
    line = 2
    for name, value in _facts(sealed, digest):
        sheet.write_string(line, 0, name, label)
        sheet.write_string(line, 1, _cut(value), text)
        line += 1
    for number, each in enumerate(INSTRUCTIONS, 1):
        sheet.write_string(line + 1, 0, f"How to, {number}", label)
        sheet.write_string(line + 1, 1, each, text)
        line += 1
    line += 2
    for column, name in enumerate(("Evidence", "Entry of the log, rows and SHA-256 of the manifest")):
        sheet.write_string(line, column, name, label)
    for each in sealed["evidence"]:
        line += 1
        sheet.write_string(line, 0, f"{each['dataset']}", text)
        told = f"{each['source']}, night {each['night']}, revision {each['revision']}, {each['status']}, entry {each['entry']}, {each['rows']} rows, {each['manifest_sha256']}"
        sheet.write_string(line, 1, told, text)


def _facts(sealed: Mapping[str, Any], digest: str) -> Iterable[tuple[str, str]]:
    captured = "; ".join(f"{name} at {moment}" for name, moment in sealed["captured_at"].items())
    grave = [row["gravest"] for row in sealed["rows"] if row["gravest"]]
    yield "Entity", f"{sealed['entity']['name']}, {sealed['entity']['system']}"
    yield "Accounts, captured", captured
    yield "Quarter reviewed", f"ended {sealed['period_end']}"
    yield "Night", sealed["night"]
    yield "Compared with", sealed["since"] or "no earlier night: every change is open"
    yield "Grants up to", f"{sealed['listed_at']}; later ones are for the next review"
    yield "Rows to decide", str(sealed["population"])
    yield "Fingerprint of the rows", sealed["fingerprint"]
    yield LIST_DIGEST, digest
    yield "Rows that are grave", f"{len(grave)}, listed first"
    yield (
        "PHI",
        f"not known: {sealed['phi']}"
        if sealed["phi"]
        else "columns declared by tag, contract or dbt, or suspected by name",
    )
    yield (
        "Last used",
        f"as primary role of a statement, {sealed['used_nights']} nights back; secondary roles and database roles are not known",
    )
    yield (
        "Left out",
        "privileges that shares and applications hold; row and column policies, which narrow what a privilege shows",
    )
    for name, each in sealed["sheets"].items():
        yield f"Sheet {name}", f"{each['rows']} rows, SHA-256 {each['sha256']}"


def _decide(book: Any, sealed: Mapping[str, Any], reviewers: Sequence[str]) -> None:
    sheet = book.add_worksheet(DECIDE)
    formats = _formats(book)
    for place, title in enumerate(COLUMNS):
        sheet.set_column(place, place, _WIDTHS[title])
    page(sheet, paper=A3)
    last = max(len(sealed["rows"]), 1)
    sheet.freeze_panes(1, 4)
    sheet.autofilter(0, 0, last, len(COLUMNS) - 1)
    sheet.repeat_rows(0)
    sheet.set_footer(f"&L{sealed['night']}&CPage &P of &N&R{sealed['population']} rows")
    _validate(sheet, last, sealed, reviewers)
    sheet.protect("", {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True})
    sheet.set_row(0, 2 * _LINE)
    for place, title in enumerate(COLUMNS):
        sheet.write_string(0, place, title, formats["head"])
    for line, row in enumerate(sealed["rows"], 1):
        _decide_row(sheet, line, row, formats)


def _decide_row(sheet: Any, line: int, row: Mapping[str, Any], formats: Mapping[str, Any]) -> None:
    values = {title: row[name] for name, title in SHOWN.items()}
    sheet.set_row(line, _LINE * _lines(values))
    grave = row["gravest"].startswith((GRAVE[1], GRAVE[2], "unknown"))
    for place, title in enumerate(COLUMNS):
        if title in ANSWERS:
            sheet.write_blank(line, place, None, formats["date" if title == "Date" else "open"])
        else:
            _put(sheet, line, place, values[title], formats["grave" if grave and title == "Gravest" else "cell"])


def _lines(values: Mapping[str, str | int]) -> int:
    """Return how many lines the longest cell needs: a row written as it streams has no height of its own."""
    return min(max(-(-len(str(value)) * 11 // (_WIDTHS[title] * 10)) for title, value in values.items()), 12) or 1


def _validate(sheet: Any, last: int, sealed: Mapping[str, Any], reviewers: Sequence[str]) -> None:
    decision, reviewer, date, note = (COLUMNS.index(title) for title in ANSWERS)
    say = {"error_title": "Not like that", "error_message": "keep, revoke or change"}
    sheet.data_validation(1, decision, last, decision, {"validate": "list", "source": list(CHOICES), **say})
    if reviewers and len(",".join(reviewers)) <= 255 and not any("," in each for each in reviewers):
        words = {"validate": "list", "source": list(reviewers), "error_type": "warning"}
        sheet.data_validation(1, reviewer, last, reviewer, words)
    listed = dt.date.fromisoformat(sealed["listed_at"][:10])
    from_then = {"validate": "date", "criteria": ">=", "value": listed, "error_message": f"a date from {listed} on"}
    sheet.data_validation(1, date, last, date, from_then)
    sheet.data_validation(1, note, last, note, {"validate": "length", "criteria": "<=", "value": 1000})


def _plain_table(book: Any, name: str, columns: Sequence[str], table: Table) -> None:
    formats = _formats(book)
    for part in range(0, max(len(table), 1), SHEET_ROWS):
        sheet = book.add_worksheet(name if not part else f"{name} {part // SHEET_ROWS + 1}")
        rows = table[part : part + SHEET_ROWS]
        for place, column in enumerate(columns):
            sheet.set_column(place, place, _widest(column, place, rows))
        page(sheet, paper=A4)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
        sheet.repeat_rows(0)
        for place, column in enumerate(columns):
            sheet.write_string(0, place, column, formats["head"])
        for line, row in enumerate(rows, 1):
            for place, value in enumerate(row):
                _put(sheet, line, place, value, formats["line"])


def _widest(column: str, place: int, rows: Table) -> int:
    """Return a width that shows the longest cell on one line, within reason."""
    return min(max([len(column) + 4, *(len(str(row[place])) + 2 for row in rows)]), 90)


def _put(sheet: Any, line: int, place: int, value: str | int, shape: Any) -> None:
    put(sheet, line, place, _cut(value) if isinstance(value, str) else value, shape)


def _formats(book: Any) -> dict[str, Any]:
    line = {"border": 1, "border_color": "#C8C8C8", "valign": "top"}
    return {
        "head": book.add_format({**line, "bold": True, "bg_color": "#E3E8EE", "text_wrap": True}),
        "cell": book.add_format({**line, "text_wrap": True}),
        "line": book.add_format(line),
        "grave": book.add_format({**line, "text_wrap": True, "bold": True, "bg_color": "#F8DCD8"}),
        "open": book.add_format({**line, "bg_color": "#FFFBE6", "locked": False, "num_format": "@", "text_wrap": True}),
        "date": book.add_format({**line, "bg_color": "#FFFBE6", "locked": False, "num_format": "yyyy-mm-dd"}),
    }


def _cut(text: str) -> str:
    return cut(text, canonical.sha256_hex(text.encode()) if len(text) > CELL // 2 else "")


def shown_cell(value: str | int) -> str:
    """Return how a value of a row stands in its cell, as text."""
    return _cut(value) if isinstance(value, str) else str(value)
