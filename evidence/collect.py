"""Step 1: a source -> snapshots with receipts, ready to be sealed.

Work is derived from the log, not from a job table: :func:`plan` compares what is sealed with what is due, :func:`collect`
reads one window and always comes back with a receipt, whatever happened. Nothing is uploaded here; parts lie in a
private spool until ``seal`` takes them (design.md section 6, step 2).
"""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.datasets.contract import Contract
from evidence.datasets.land import Landed, land
from evidence.datasets.timing import due_at, settled_at
from evidence.errors import SourceDeniedError, SourceEditionError, SourceError
from evidence.snapshot.collected import Collected
from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.model import DAY, Finality, Receipt, SnapshotKey, Status, Totals, Window, start_of
from evidence.snapshot.redact import Redactor
from evidence.sources.protocol import UNPROVEN, PartialReading, Reading, Source
from evidence.store.index import Index

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Task:
    """One window to read. ``previous`` is what is sealed for it already: this read re-counts, corrects or retries it."""

    source: Source
    contract: Contract
    window: Window
    previous: SealedEntry | None = None


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
    """Return the windows of ``source`` to read now: oldest night first, state views before events within a night.

    ``nights`` and ``datasets`` narrow the work; ``since`` is where coverage starts if the source was never collected.
    """
    tasks = []
    for name in source.datasets():
        contract = contracts.get(name)
        if contract is None or (datasets and name not in datasets):
            continue
        for night in _nights(source, contract, index, now, since):
            if nights and night not in nights:
                continue
            previous = index.latest(source.name, name, night)
            if due_at(contract, night) <= now and _open(source, contract, index, previous, now):
                tasks.append(Task(source, contract, Window(night, contract.kind), previous))
    return sorted(tasks, key=lambda task: (task.window.night, task.contract.kind != "state", task.contract.name))


def collect(
    task: Task,
    redactor: Redactor,
    spool: Path,
    clock: Clock,
    *,
    attempts: int = 3,
    collector: Mapping[str, str] | None = None,
) -> Collected:
    """Read one window into ``spool`` (an empty private directory) and return it with its receipt.

    A live source whose totals disagree with what arrived is read again, ``attempts`` times in all, then kept as
    incomplete. Refusals and failures become receipts too; only bugs raise.
    """
    revision = task.previous.key.revision + 1 if task.previous else 0
    key = SnapshotKey(task.source.name, task.contract.name, task.window.night, revision)
    stamp = dict(collector or {})
    result = None
    for attempt in range(attempts if task.source.live else 1):
        folder = spool / f"attempt-{attempt}"
        folder.mkdir(mode=0o700, parents=True)
        try:
            result = _read(task, key, redactor, folder, clock, stamp)
        except SourceError as exc:
            shutil.rmtree(folder, ignore_errors=True)
            receipt = Receipt(
                status=_refusal(exc), reason=_reason(exc), collected_at=clock(), collector=stamp, key_id=redactor.key_id
            )
            result = Collected(key, task.contract.kind, task.contract.reference, folder, (), (), receipt, task.previous)
            if not isinstance(exc, SourceDeniedError | SourceEditionError):
                continue
        if not result.receipt.differences:
            break
    if result is None:
        raise ValueError("attempts must be at least 1")
    return result


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
        yield tonight
        return
    night = index.coverage_start(source.name) or since or tonight
    if since is not None:
        night = min(night, since)
    if contract.retention_days is not None:
        night = max(night, now.date() - contract.retention_days * DAY)
    while start_of(night) + DAY <= now:
        yield night
        night += DAY


def _open(source: Source, contract: Contract, index: Index, previous: SealedEntry | None, now: dt.datetime) -> bool:
    """Say whether a window needs a read: never sealed, to be retried, or provisional and now ready to settle."""
    if previous is None:
        return True
    if previous.status != "complete":
        return True
    if contract.kind == "state" or index.settled(previous):
        return False
    return not source.live or now >= settled_at(contract, previous.key.night)


def _read(
    task: Task, key: SnapshotKey, redactor: Redactor, spool: Path, clock: Clock, collector: Mapping[str, str]
) -> Collected:
    reading = task.source.read(task.contract, task.window)
    landed = land(reading.batches, reading.rejected, task.contract, task.window, spool, redactor)
    source_totals = reading.totals
    as_of = reading.as_of
    moment = clock()
    differences = _reconcile(source_totals, landed, reading.notes)
    gaps = tuple(reading.gaps) if isinstance(reading, PartialReading) else ()
    stated = source_totals is not None
    status, reason = _judge(task.contract, landed, differences, gaps, known_moment=as_of is not None, stated=stated)
    receipt = Receipt(
        status=status,
        reason=reason,
        collected_at=moment,
        finality=_finality(task, reading, moment),
        as_of=as_of[0] if as_of else None,
        as_of_claimed=as_of[1] if as_of else False,
        system=dict(reading.system),
        statements=tuple(reading.statements),
        source_totals=source_totals,
        landed_totals=landed.totals,
        differences=differences,
        landed=landed.landed,
        quarantined=landed.quarantined,
        quarantine_reasons=landed.quarantine_reasons,
        treated=landed.treated,
        drift=landed.drift,
        notes=(*gaps, *reading.notes),
        rows_digest=landed.rows_digest,
        key_id=redactor.key_id,
        collector=dict(collector),
    )
    return Collected(
        key,
        task.contract.kind,
        task.contract.reference,
        spool,
        landed.parts,
        landed.quarantine,
        receipt,
        task.previous,
    )


def _reconcile(source: Totals | None, landed: Landed, notes: Sequence[str]) -> tuple[str, ...]:
    """Compare both sides (source / arrived); rows set aside count as arrived."""
    if source is not None:
        return tuple(source.differences(landed.totals))
    why = tuple(note.removeprefix(UNPROVEN) for note in notes if note.startswith(UNPROVEN))
    return why or ("the source stated no totals",)


def _judge(
    contract: Contract,
    landed: Landed,
    differences: tuple[str, ...],
    gaps: tuple[str, ...],
    *,
    known_moment: bool,
    stated: bool,
) -> tuple[Status, str]:
    problems = []
    if differences:
        said = "totals differ (source / arrived)" if stated else "unproven"
        problems.append(f"{said}: " + "; ".join(differences[:5]))
    if gaps:
        more = f" (and {len(gaps) - 3} more, see the notes)" if len(gaps) > 3 else ""
        problems.append("not answered: " + "; ".join(gaps[:3]) + more)
    if landed.quarantined:
        problems.append(f"{landed.quarantined} rows quarantined")
    if contract.kind == "state" and not known_moment:
        problems.append("the moment of capture is not stated")
    return ("incomplete", "; ".join(problems)) if problems else ("complete", "")


def _finality(task: Task, reading: Reading, moment: dt.datetime) -> Finality:
    if task.contract.kind == "state":
        return "settled"
    stated = reading.finality
    if stated is not None:
        return stated
    return "settled" if moment >= settled_at(task.contract, task.window.night) else "provisional"


def _refusal(exc: SourceError) -> Status:
    if isinstance(exc, SourceDeniedError):
        return "denied"
    return "edition" if isinstance(exc, SourceEditionError) else "unavailable"


def _reason(exc: SourceError) -> str:
    """One line; the message of a source error names the statement or file and never holds row values."""
    return " ".join(f"{exc} {exc.fix}".split())[:1000]
