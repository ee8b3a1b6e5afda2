"""How large the generated account is, and which nights it covers."""

import datetime as dt
from dataclasses import dataclass

from evidence.errors import UsageError
from evidence.snapshot.model import DAY, start_of


@dataclass(frozen=True, slots=True)
class Size:
    """Rough counts; named people, roles, tables and plants are there at every size, the rest fills up to the count.

    ``queries`` is statements a night; nearly as many leave a row in ACCESS_HISTORY. Plants are dated by the night's
    number, so a shorter period holds the plants of its first nights only.
    """

    nights: int = 92
    users: int = 250
    roles: int = 60
    tables: int = 3000
    columns: int = 20_000
    queries: int = 5000
    seed: int = 20260701
    start: dt.date = dt.date(2026, 7, 1)

    def night(self, number: int) -> dt.date:
        """Return the night with that number, the first being 0."""
        return self.start + number * DAY

    def evening(self, number: int, hour: int = 0, minute: int = 0, second: int = 0) -> dt.datetime:
        """Return a moment on the UTC day of night ``number``."""
        return start_of(self.night(number)) + dt.timedelta(hours=hour, minutes=minute, seconds=second)


FULL = Size()
MONTH = Size(nights=31)
WEEK = Size(nights=7)
SMALL = Size(users=60, roles=50, tables=160, columns=1000, queries=120)


def size_named(name: str) -> Size:
    """Return the size ``full``, ``month``, ``week`` or ``small``. Raises ``UsageError`` for another word."""
    sizes = {"full": FULL, "month": MONTH, "week": WEEK, "small": SMALL}
    if name not in sizes:
        raise UsageError(f"no demo of size {name!r}", fix="say full, month, week or small")
    return sizes[name]
