"""Requests as rows: the columns that `requests export` and the hand-over share. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from evidence.control.requests import Request
from evidence.render.spreadsheet import Cell

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
