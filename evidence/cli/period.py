"""Spelling of periods and nights on the command line: ``2026-Q3``, ``2026-07``, ``2026-07-01..2026-09-30``, ``2026-07-14``; UTC."""

import datetime as dt
import re
from dataclasses import dataclass

from evidence.errors import UsageError

_QUARTER = re.compile(r"(\d{4})-Q([1-4])\Z")
_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")
_SPAN = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})\Z")
_NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
HOW = "write a period as 2026-Q3, 2026-07, 2026-07-01..2026-09-30, or one night as 2026-07-14"


@dataclass(frozen=True, slots=True)
class Period:
    """First and last night, both included, and the text it was given as."""

    start: dt.date
    end: dt.date
    label: str

    @property
    def nights(self) -> list[dt.date]:
        """Every night of the period, in order."""
        return [self.start + dt.timedelta(days=n) for n in range((self.end - self.start).days + 1)]


def parse_period(text: str) -> Period:
    """Parse a period; raises ``UsageError`` naming the accepted forms."""
    try:
        if match := _QUARTER.match(text):
            year, quarter = int(match[1]), int(match[2])
            start = dt.date(year, 3 * quarter - 2, 1)
            return Period(start, _month_end(year, 3 * quarter), text)
        if match := _MONTH.match(text):
            return Period(dt.date(int(match[1]), int(match[2]), 1), _month_end(int(match[1]), int(match[2])), text)
        if match := _SPAN.match(text):
            start, end = dt.date.fromisoformat(match[1]), dt.date.fromisoformat(match[2])
            if start <= end:
                return Period(start, end, text)
        if _NIGHT.match(text):
            night = dt.date.fromisoformat(text)
            return Period(night, night, text)
    except ValueError as exc:
        raise UsageError(f"no such period: {text}", fix=HOW) from exc
    raise UsageError(f"no such period: {text}", fix=HOW)


def parse_night(text: str) -> dt.date:
    """Parse a night as ``YYYY-MM-DD``."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as exc:
        raise UsageError(f"no such night: {text}", fix="write it as 2026-07-01") from exc


def _month_end(year: int, month: int) -> dt.date:
    following = dt.date(year + month // 12, month % 12 + 1, 1)
    return following - dt.timedelta(days=1)
