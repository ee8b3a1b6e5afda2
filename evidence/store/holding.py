"""Placing and lifting legal holds in a store, after what the log says; idempotent."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final

from evidence.errors import BusyError
from evidence.snapshot.entry import Entry
from evidence.store.check import referenced
from evidence.store.hold import Holds, LegalHold
from evidence.store.log import Log
from evidence.store.retention import retaining
from evidence.store.sealing import append_new, disposals_of, holds_of

_LACKS: Final = "has no legal hold"


def add(log: Log, hold: LegalHold, step: Callable[[str], None] = lambda _: None) -> int:
    """Seal ``hold``, then place it on what is sealed; return the objects changed. From the entry on, what is new is held too."""
    retaining(log.store, _LACKS)
    _seal(log, holds_of(log).placed(hold))
    return apply(log, step)


def ask(log: Log, name: str, *, reason: str, by: str, at: dt.datetime) -> None:
    """Seal that ``by`` asks for the release of hold ``name``; it goes on standing."""
    _seal(log, holds_of(log).asking(name, reason=reason, by=by, at=at))


def withdraw(log: Log, name: str, *, reason: str, by: str, at: dt.datetime) -> None:
    """Seal that the open request for the release of hold ``name`` is taken back."""
    _seal(log, holds_of(log).withdrawn(name, reason=reason, by=by, at=at))


def release(
    log: Log, name: str, *, reason: str, by: str, at: dt.datetime, step: Callable[[str], None] = lambda _: None
) -> int:
    """Seal the release that another than ``by`` asked for, then lift the hold from what no other covers; return the objects changed."""
    retaining(log.store, _LACKS)
    _seal(log, holds_of(log).lifted(name, reason=reason, by=by, at=at))
    return apply(log, step)


def apply(log: Log, step: Callable[[str], None] = lambda _: None) -> int:
    """Make every object that was ever under a hold what the standing holds say; finishes a call that was cut off."""
    store, changed = retaining(log.store, _LACKS), 0
    for path, wanted in covered(log):
        if store.original(path).held is not wanted:
            store.hold(path, on=wanted)
            changed += 1
        step(path)
    return changed


def covered(log: Log) -> Iterator[tuple[str, bool]]:
    """Yield (path, held by right) of the objects that any hold of the log, standing or released, covers."""
    holds = holds_of(log)
    if not holds.count:
        return
    ever, gone = [*holds.standing.values(), *holds.released.values()], disposals_of(log).entries
    for index, entry in log.entries():
        if index not in gone and any(hold.covers(entry) for hold in ever):
            yield from ((path, _held(holds, entry)) for path in sorted(referenced(log.store, [entry])))


def _seal(log: Log, entry: Entry) -> None:
    """Append ``entry``; raise ``BusyError`` when another word on the same hold came first: what was decided was decided on less."""
    if not append_new(log, [entry]):
        raise BusyError(
            f"hold entry {entry.key} was written by another run", fix="look at `evidence hold list`, then decide"
        )


def _held(holds: Holds, entry: Entry) -> bool:
    return any(True for _ in holds.covering(entry))
