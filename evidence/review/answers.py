"""Read a filled workbook back. It comes from outside: nothing in it is believed but the answers, and those only beside untouched rows.

What is wrong is collected and refused by row, all of it at once; a caller gets every answer of a sound file, or none.
"""

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from evidence.errors import UsageError
from evidence.review.listing import SHOWN
from evidence.review.workbook import ANSWERS, CHOICES, COLUMNS, COVER, DECIDE, LIST_DIGEST, shown_cell
from evidence.snapshot import phi
from evidence.snapshot.model import HEX64

MAX_FILE: Final = 64 << 20  # bytes of the file
MAX_UNPACKED: Final = 512 << 20  # bytes of all its parts
MAX_PARTS: Final = 500
_SHOWN_PROBLEMS: Final = 20
_COVER_ROWS: Final = 200
_NOTE: Final = 1000  # characters
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_FIX: Final = "export the list again and fill in its four last columns only"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one row of the workbook says; ``decision`` is empty where nobody decided. ``line`` is its line in the sheet."""

    line: int
    row: str
    decision: str
    reviewer: str
    on: dt.date | None
    note: str


def list_digest(path: Path) -> str:
    """Return the SHA-256 of the list that a workbook says it is of. Raises ``UsageError`` for anything but such a workbook."""
    with _Book(path) as book:
        for row in book.rows(COVER, _COVER_ROWS, 2):
            label, value = (_text(cell) for cell in row)
            if label == LIST_DIGEST and HEX64.match(value):
                return value
    raise UsageError(f"{path.name}: its cover does not say of which list it is", fix=_FIX)


def read_answers(path: Path, listed: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """Return the answer of every row of ``listed``, in the order of the list.

    Raises ``UsageError`` naming the lines if a row was added, removed, doubled or edited, an answer is none of the choices, holds
    a formula, or has no note where one is needed.
    """
    known = {row["row"]: row for row in listed}
    found: dict[str, Answer] = {}
    problems: list[str] = []
    with _Book(path) as book:
        lines = book.rows(DECIDE, len(listed) + 10_000, len(COLUMNS))
        head = [_text(cell) for cell in next(lines, ())]
        if head != list(COLUMNS):
            raise UsageError(f"{path.name}: the columns of {DECIDE} are not those of an export", fix=_FIX)
        for line, cells in enumerate(lines, 2):
            if any(_text(cell) for cell in cells):
                _take(line, dict(zip(COLUMNS, cells, strict=True)), known, found, problems)
    problems += [f"{row['holder']} / {row['access']} was removed" for name, row in known.items() if name not in found]
    if problems:
        more = f", and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        raise UsageError(f"{path.name} is not imported: {'; '.join(problems[:_SHOWN_PROBLEMS])}{more}", fix=_FIX)
    return [found[name] for name in known]


def _take(
    line: int, cells: Mapping[str, Any], known: Mapping[str, Any], found: dict[str, Answer], problems: list[str]
) -> None:
    name = _text(cells[SHOWN["row"]])
    row = known.get(name)
    if row is None:
        problems.append(f"line {line} is no row of the list")
        return
    if name in found:
        problems.append(f"line {line} stands twice")
        return
    answer, wrong = _answer(line, name, cells)
    found[name] = answer
    problems += [f"line {line}: {each}" for each in (*_edited(cells, row), *wrong)]


def _edited(cells: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[str]:
    for name, title in SHOWN.items():
        expected, value = shown_cell(row[name]), _text(cells[title])
        if expected not in {value, _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)}:
            yield f"{title} was edited"


def _answer(line: int, name: str, cells: Mapping[str, Any]) -> tuple[Answer, list[str]]:
    decision, reviewer, on, note = (cells[title] for title in ANSWERS)
    wrong = [f"{title} is a formula" for title in ANSWERS if _formula(cells[title])]
    said, by, why = _text(decision).strip().lower(), _text(reviewer).strip(), _text(note).strip()
    if said and said not in CHOICES:
        wrong.append(f"{said[:30]!r} is no decision: {', '.join(CHOICES)}")
    if said == "change" and not why:
        wrong.append("change needs a note that says what is right")
    if len(why) > _NOTE:
        wrong.append(f"the note is longer than {_NOTE} characters")
    if kind := phi.hit(why):
        wrong.append(f"the note looks like it holds a {kind}: point to a ticket instead")
    day = _day(on)
    if day is None and _text(on).strip():
        wrong.append(f"{_text(on)[:30]!r} is no date: YYYY-MM-DD")
    return Answer(line, name, said, by, day, " ".join(why.split())), wrong


def _formula(cell: Any) -> bool:
    return getattr(cell, "data_type", "") == "f"


def _day(cell: Any) -> dt.date | None:
    value = getattr(cell, "value", None)
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value).strip())
    except ValueError:
        return None


def _text(cell: Any) -> str:
    value = getattr(cell, "value", None)
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class _Book:
    """A workbook opened for reading, after its parts were looked at: sizes first, and no part may define entities."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._book: Any = None

    def __enter__(self) -> Self:
        import openpyxl

        self._look()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._book = openpyxl.load_workbook(self._path, read_only=True, data_only=False, keep_links=False)
        except Exception as exc:  # noqa: BLE001 - a hostile file may raise anything
            raise self._unreadable(exc) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()

    def rows(self, sheet: str, most: int, columns: int) -> Iterator[Sequence[Any]]:
        """Yield up to ``most`` rows of exactly ``columns`` cells."""
        if sheet not in self._book.sheetnames:
            raise UsageError(f"{self._path.name} has no sheet {sheet}", fix=_FIX)
        place = self._book[sheet]
        try:
            place.reset_dimensions()  # what the file says of its size may be a lie
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for row in place.iter_rows(min_row=1, max_row=most, max_col=columns):
                    yield [*row, *[None] * (columns - len(row))][:columns]
        except Exception as exc:  # noqa: BLE001 - a hostile file may raise anything
            raise self._unreadable(exc) from None

    def _look(self) -> None:
        try:
            size = self._path.stat().st_size
            if size > MAX_FILE:
                raise UsageError(f"{self._path.name} has {size} bytes, over {MAX_FILE}", fix=_FIX)
            with zipfile.ZipFile(self._path) as parts:
                self._check(parts)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as exc:
            raise self._unreadable(exc) from None

    def _check(self, parts: zipfile.ZipFile) -> None:
        infos = parts.infolist()
        if len(infos) > MAX_PARTS or sum(info.file_size for info in infos) > MAX_UNPACKED:
            raise UsageError(
                f"{self._path.name} unpacks to more than {MAX_UNPACKED} bytes or {MAX_PARTS} parts", fix=_FIX
            )
        for info in infos:
            with parts.open(info) as part:
                _no_entities(part, self._path.name)

    def _unreadable(self, exc: Exception) -> UsageError:
        return (
            exc
            if isinstance(exc, UsageError)
            else UsageError(
                f"{self._path.name} cannot be read as a workbook ({type(exc).__name__})",
                fix="save it as .xlsx, without a password",
            )
        )


def _no_entities(part: Any, name: str) -> None:
    """Refuse document types: entities can blow up, or read other files; and encodings in which they would not be seen."""
    before = b""
    first = True
    for chunk in _chunks(part):
        seen = before + chunk
        if (
            b"<!DOCTYPE" in seen
            or b"<!ENTITY" in seen
            or (first and chunk[:2] in {b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00"})
        ):
            raise UsageError(f"{name} has a part that no spreadsheet program writes", fix=_FIX)
        before, first = seen[-16:], False


def _chunks(part: Any) -> Iterable[bytes]:
    while chunk := part.read(1 << 20):
        yield chunk
