"""Step 1: a source -> snapshots with receipts, ready to be sealed.

Work is derived from the log, not from a job table: :func:`plan` compares what is sealed with what is due, :func:`collect`
reads one window and always comes back with a receipt, whatever happened. Nothing is uploaded here; parts lie in a
private spool until ``seal`` takes them (design.md section 6, step 2).
"""

import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.datasets.contract import Contract
from evidence.datasets.land import Landed, land
from evidence.datasets.landings import Landings
from evidence.datasets.timing import due_at, late_check_at, night_number, within_reach
from evidence.errors import SourceError
from evidence.snapshot.collected import Collected, Recount
from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.model import DAY, Kind, Receipt, SnapshotKey, Window, start_of
from evidence.snapshot.redact import Redactor
from evidence.sources import receipts, recounting
from evidence.sources.protocol import Reading, RepeatableReading, Source
from evidence.store.index import Index

Clock = Callable[[], dt.datetime]
FIRST, RETRY, EXPORT, LATE, PACKET = "first", "retry", "export", "30 days", "packet"


@dataclass(frozen=True, slots=True)
class Task:
    """One window to read. ``previous`` is what is sealed for it already: this read re-counts, corrects or retries it.

    ``occasion`` is why it is read now: ``first``, ``retry``, ``night 1``, ``30 days``, ``packet``, ``export`` (an export that may
    have been made anew). ``settled``: late rows were ruled out before.
    """

    source: Source
    contract: Contract
    window: Window
    previous: SealedEntry | None = None
    occasion: str = FIRST
    settled: bool = False

    @property
    def is_recount(self) -> bool:
        """True if a whole window is looked at again."""
        return self.previous is not None and self.previous.status == "complete"


def plan(
    source: Source,
    contracts: Mapping[str, Contract],
    index: Index,
    now: dt.datetime,
    *,
    since: dt.date | None = None,
    nights: Sequence[dt.date] = (),
    datasets: Sequence[str] = (),
) -> list[Task]:
    """Return the windows of ``source`` to read now, in the order to read them.

    State of a live source goes first, views without history before those that keep dropped rows: missed is missing. Then
    oldest night first, so that a backfill that breaks off goes on where it stopped. ``nights`` and ``datasets`` narrow the
    work; ``since`` is where coverage starts if the source was never collected.
    """
    tasks = []
    for contract in _asked(source, contracts, datasets):
        for night in _nights(source, contract, index, now, since):
            if (nights and night not in nights) or due_at(contract, night) > now:
                continue
            previous = index.latest(source.name, contract.name, night)
            occasion = _occasion(source, contract, index, previous, now)
            if occasion:
                settled = previous is not None and index.settled(previous)
                tasks.append(Task(source, contract, Window(night, contract.kind), previous, occasion, settled))
    return sorted(tasks, key=_order)


def starts_of(tasks: Sequence[Task]) -> dict[Kind, dt.date]:
    """Return where a plan begins, by kind of dataset: what is covered once any of it is sealed.

    An export covers what it holds as a whole, whatever its kind.
    """
    starts: dict[Kind, dt.date] = {}
    for task in tasks:
        kinds: tuple[Kind, ...] = (task.contract.kind,) if task.source.live else ("event", "state")
        for kind in kinds:
            starts[kind] = min(task.window.night, starts.get(kind, task.window.night))
    return starts


def plan_recounts(
    source: Source, contracts: Mapping[str, Contract], index: Index, now: dt.datetime, nights: Sequence[dt.date]
) -> list[Task]:
    """Return the whole event windows of ``nights`` that a live source can still be asked about, whenever last counted.

    For a packet: what it rests on is counted once more before it is signed (design.md section 4).
    """
    tasks = []
    for contract in _asked(source, contracts, ()) if source.live else ():
        for night in nights if contract.kind == "event" else ():
            previous = index.latest(source.name, contract.name, night)
            if previous is not None and previous.status == "complete" and within_reach(contract, night, now):
                tasks.append(
                    Task(source, contract, Window(night, "event"), previous, PACKET, settled=index.settled(previous))
                )
    return sorted(tasks, key=_order)


def collect(
    task: Task,
    redactor: Redactor,
    spool: Path,
    clock: Clock,
    *,
    attempts: int = 3,
    collector: Mapping[str, str] | None = None,
    before: Mapping[str, Any] | None = None,
    landings: Landings | None = None,
) -> Collected:
    """Read one window into ``spool`` (a directory that is made, private) and return it with its receipt.

    A live source whose totals disagree with what arrived is read again, ``attempts`` times in all, then kept as
    incomplete. ``before`` is the receipt of ``task.previous`` as sealed: with it a re-count is asked for as a count where the
    source can, and fewer rows than sealed are told from a correction. ``landings`` spares landing an export that is the same file again. Refusals and failures become receipts too; only
    bugs raise.
    """
    stamp = {"collector": dict(collector or {}), "key_id": redactor.key_id}
    counted = _count(task, spool, clock, before, stamp) if task.is_recount and before is not None else None
    if counted is not None:
        return counted
    item = _read_until_totals_agree(task, redactor, spool, clock, attempts if task.source.live else 1, stamp, landings)
    if not task.is_recount:
        return item
    return recounting.weigh(item, before or {}, task.occasion, live=task.source.live, settled=task.settled)


def _asked(source: Source, contracts: Mapping[str, Contract], datasets: Sequence[str]) -> Iterator[Contract]:
    for name in source.datasets():
        if name in contracts and (not datasets or name in datasets):
            yield contracts[name]


def _order(task: Task) -> tuple[bool, dt.date, int, str]:
    state = task.contract.kind == "state"
    rank = 1 if not task.contract.has_history else 2 if state else 3
    rank = 0 if task.contract.read == "probe" else rank  # what the role may see, before what it saw
    return not (state and task.source.live), task.window.night, rank, task.contract.name


def _nights(
    source: Source, contract: Contract, index: Index, now: dt.datetime, since: dt.date | None
) -> Iterator[dt.date]:
    """Yield the nights in question: those an export holds, tonight for live state, all since coverage for live events."""
    known = source.nights(contract)
    if known is not None:
        yield from (night for night in known if since is None or night >= since)
        return
    tonight = Window.of_capture(now).night
    if contract.kind == "state":
        if since is None or tonight >= since:
            yield tonight
        return
    night = index.coverage_start(source.name, "event") or since or tonight
    if since is not None:
        night = min(night, since)
    while start_of(night) + DAY <= now:
        if within_reach(contract, night, now):
            yield night
        night += DAY


def _occasion(source: Source, contract: Contract, index: Index, previous: SealedEntry | None, now: dt.datetime) -> str:
    """Say why a window is to be read now, or nothing: never sealed, to be retried, or time to count it again."""
    if previous is None:
        return FIRST
    if previous.status != "complete":
        return RETRY
    if contract.kind == "state":
        return ""
    settled, looked = index.settled(previous), index.looked_at(previous)
    if not source.live:
        return "" if settled else EXPORT
    night = previous.key.night
    if settled:
        late = late_check_at(contract, night)
        return LATE if now >= late and (looked is None or looked < late) else ""
    number = night_number(contract, night, now)
    return f"night {number}" if looked is None or number > night_number(contract, night, looked) else ""


def _count(
    task: Task, spool: Path, clock: Clock, before: Mapping[str, Any], stamp: Mapping[str, Any]
) -> Collected | None:
    """Ask the source for a count; None if it has none or it differs, so that the window must be read."""
    try:
        found = recounting.count_again(task.source, task.contract, task.window, before)
        if found is None:
            return None
        receipt, outcome = recounting.stable_by_count(task.contract, task.window, before, found, task.occasion, clock())
    except SourceError as exc:
        receipt = receipts.of_refusal(exc, None, clock())
        outcome = Recount(receipts.refusal(exc), task.occasion, reason=receipt.reason)
    return _collected(task, spool, dataclasses.replace(receipt, **stamp), recount=outcome)


def _read_until_totals_agree(
    task: Task,
    redactor: Redactor,
    spool: Path,
    clock: Clock,
    attempts: int,
    stamp: Mapping[str, Any],
    landings: Landings | None,
) -> Collected:
    item: Collected | None = None
    costs = []
    for attempt in range(attempts):
        found = _read(task, redactor, spool / f"attempt-{attempt}", clock, stamp, landings)
        costs.append(found.receipt.cost)
        if item is None or found.receipt.status != "unavailable":  # rows that came once are worth more than none
            item, dropped = found, item
            if dropped is not None:
                shutil.rmtree(dropped.spool, ignore_errors=True)
        if not found.receipt.differences and found.receipt.status != "unavailable":
            break
    if item is None:
        raise ValueError("attempts must be at least 1")
    return dataclasses.replace(item, receipt=dataclasses.replace(item.receipt, cost=receipts.add_costs(costs)))


def _read(
    task: Task, redactor: Redactor, folder: Path, clock: Clock, stamp: Mapping[str, Any], landings: Landings | None
) -> Collected:
    """Read once. What was spooled before an error is removed."""
    folder.mkdir(mode=0o700, parents=True)
    reading: Reading | None = None
    try:
        reading = task.source.read(task.contract, task.window)
        landed = _landed(task, reading, folder, redactor, landings)
        receipt = receipts.of_rows(task.contract, task.window, reading, landed, clock())
    except SourceError as exc:
        shutil.rmtree(folder, ignore_errors=True)
        return _collected(task, folder, dataclasses.replace(receipts.of_refusal(exc, reading, clock()), **stamp))
    item = _collected(task, folder, dataclasses.replace(receipt, **stamp))
    return dataclasses.replace(item, parts=landed.parts, quarantine=landed.quarantine)


def _landed(task: Task, reading: Reading, folder: Path, redactor: Redactor, landings: Landings | None) -> Landed:
    contract, name = task.contract, task.source.name
    if landings is None or not isinstance(reading, RepeatableReading) or contract.kind != "state":
        return land(reading.batches, reading.rejected, contract, task.window, folder, redactor)
    identity = reading.identity
    landed = landings.again(name, contract, identity, folder)
    if landed is not None:
        reading.repeat(landed.landed)
        return landed
    landed = land(reading.batches, reading.rejected, contract, task.window, folder, redactor)
    landings.keep(name, contract, identity, landed, folder)
    return landed


def _collected(task: Task, folder: Path, receipt: Receipt, recount: Recount | None = None) -> Collected:
    revision = task.previous.key.revision + 1 if task.previous else 0
    key = SnapshotKey(task.source.name, task.contract.name, task.window.night, revision)
    kind, reference = task.contract.kind, task.contract.reference
    return Collected(key, kind, reference, folder, (), (), receipt, task.previous, recount)
