"""Requests as rows: the columns that `requests export`, the hand-over and the workbook share. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from evidence.control.requests import Request
from evidence.render.spreadsheet import Cell
from evidence.render.workbook import Column, Table

REQUEST_COLUMNS: Final = (
    *("number", "period", "asked_by", "due", "owner", "status", "requirements", "inquiry", "answer", "exhibits"),
    *("packet", "gap", "follows", "follow_ups", "answered_by", "answered_at"),
)


def request_rows(requests: Iterable[Request]) -> Iterator[list[Cell]]:
    """Yield one row a request, lists joined by a semicolon."""
    for each in requests:
        yield [
            *(each.number, each.period, each.asked_by, each.due, each.owner, each.status),
            *("; ".join(each.requirements), each.inquiry, each.answer, "; ".join(each.exhibits)),
            *(each.packet, each.gap, each.follows, "; ".join(each.follow_ups), each.recorded_by, each.recorded_at),
        ]


def request_table(requests: Sequence[Request]) -> Table:
    """Return the index of requests (PBC) as a sheet of a workbook."""
    shown = {"number": 14, "period": 11, "due": 11, "status": 11, "asked_by": 18, "owner": 18, "packet": 30}
    wide = {"inquiry": 60, "answer": 60, "exhibits": 40, "gap": 40, "requirements": 24}
    columns = [
        Column(name.replace("_", " ").capitalize(), wide.get(name, shown.get(name, 16)), wrap=name in wide)
        for name in REQUEST_COLUMNS
    ]
    about = "A row is a request: what was asked, who answers, and where the answer stands"
    return Table("Requests", about, columns, request_rows(requests), len(requests), whole="the registers of requests")
