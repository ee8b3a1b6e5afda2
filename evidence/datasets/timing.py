"""When a window may be read, when it is counted again, and when that was enough (design.md section 4).

An event window is first read at :func:`due_at`. Nights are numbered from there: night 0 is the first read, and the window is
counted again on nights 1 to ``recount_nights``, then every night until a count was stable, then once at 30 days.
"""

import datetime as dt

from evidence.datasets.contract import Contract
from evidence.snapshot.model import DAY, Window

MINIMUM_DELAY = dt.timedelta(hours=6)
REACH_MARGIN = dt.timedelta(hours=1)  # from planning a read to its end
LATE_CHECK = 30 * DAY  # after the window's end: rows that come later than anybody documents


def delay(contract: Contract) -> dt.timedelta:
    """Return how long after its end an event window is first read: max(2 x latency, 6 h) (design.md section 4).

    ``latency_max_minutes`` is the lateness of rare cases (tables with little activity); where a contract states it,
    nothing is read before it has passed.
    """
    rare = dt.timedelta(minutes=contract.latency_max_minutes or 0)
    return max(2 * dt.timedelta(minutes=contract.latency_minutes), rare, MINIMUM_DELAY)


def due_at(contract: Contract, night: dt.date) -> dt.datetime:
    """Return the moment from which the window of ``night`` can be read."""
    window = Window(night, contract.kind)
    return window.end + delay(contract) if contract.kind == "event" else window.start


def overdue_at(contract: Contract, night: dt.date) -> dt.datetime:
    """Return the moment from which a window that is not sealed is missing: a state may still be captured until its span ends."""
    window = Window(night, contract.kind)
    return due_at(contract, night) if contract.kind == "event" else window.end


def settled_at(contract: Contract, night: dt.date) -> dt.datetime:
    """Return the moment from which a first read, or a stable count, of an event window is taken as final."""
    return Window(night, "event").end + delay(contract) + contract.recount_nights * DAY


def late_check_at(contract: Contract, night: dt.date) -> dt.datetime:
    """Return the moment from which a settled window is counted once more."""
    return max(Window(night, "event").end + LATE_CHECK, settled_at(contract, night))


def night_number(contract: Contract, night: dt.date, moment: dt.datetime) -> int:
    """Return which night ``moment`` is in, counted from the first read of the window of ``night`` (0)."""
    return (moment - due_at(contract, night)) // DAY


def within_reach(contract: Contract, night: dt.date, now: dt.datetime) -> bool:
    """Say whether the source still has the whole window: its first instant is not older than the view's retention.

    A window that begins to fall out at the source would otherwise look complete, with the same short count on both sides.
    """
    reach = contract.retention_days
    return reach is None or Window(night, "event").start >= now + REACH_MARGIN - reach * DAY
