"""When a window may be read, and when a read of it is final (design.md section 4)."""

import datetime as dt

from evidence.datasets.contract import Contract
from evidence.snapshot.model import DAY, Window

MINIMUM_DELAY = dt.timedelta(hours=6)
RECOUNT_NIGHTS = 2  # late rows were seen to come for two more nights


def delay(contract: Contract) -> dt.timedelta:
    """Return how long after its end an event window is first read: max(2 x latency, 6 h) (design.md section 4)."""
    return max(2 * dt.timedelta(minutes=contract.latency_minutes), MINIMUM_DELAY)


def due_at(contract: Contract, night: dt.date) -> dt.datetime:
    """Return the moment from which the window of ``night`` can be read."""
    window = Window(night, contract.kind)
    return window.end + delay(contract) if contract.kind == "event" else window.start


def settled_at(contract: Contract, night: dt.date) -> dt.datetime:
    """Return the moment after which a read of an event window is taken as final."""
    return Window(night, "event").end + delay(contract) + RECOUNT_NIGHTS * DAY
