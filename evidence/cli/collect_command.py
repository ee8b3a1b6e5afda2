"""``evidence collect``: read what is due from every source and seal it."""

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer

from evidence import collect as verb
from evidence.cli import output
from evidence.cli.collect_workers import Bug, Landed, nights_of, place_of, read_here, read_in_workers, readers
from evidence.cli.period import parse_night
from evidence.cli.pipeline import record_pipeline
from evidence.cli.stamping import DONE, stamp_log
from evidence.cli.workspace import Workspace, new_id
from evidence.errors import (
    ConfigError,
    EvidenceError,
    IncompleteSnapshotError,
    SourceDeniedError,
    SourceError,
    SourceUnavailableError,
    UsageError,
    worst,
)
from evidence.seal import seal
from evidence.snapshot.collected import Collected
from evidence.snapshot.model import Kind
from evidence.store.promise import pending, seal_promise
from evidence.workers import Workers

EXAMPLES: Final = (
    "evidence -w work collect",
    "evidence -w work collect --date 2026-07-14 --source carrier",
    "evidence -w work collect --since 2026-07-01 --until 2026-07-31",
    "evidence -w work collect --dataset snowflake.users --json",
)

CODES = {
    "incomplete": IncompleteSnapshotError.exit_code,
    "fewer": IncompleteSnapshotError.exit_code,
    "denied": SourceDeniedError.exit_code,
    "unavailable": SourceUnavailableError.exit_code,
}


@dataclass(frozen=True)
class Chosen:
    """What the command line narrowed the work to; ``since`` is where coverage starts at the first collect."""

    nights: list[dt.date]
    datasets: list[str]
    since: dt.date | None


@dataclass
class Tally:
    """What one source's collect came to."""

    source: str
    sealed: Counter[str] = field(default_factory=Counter)
    recounts: Counter[str] = field(default_factory=Counter)  # looks that made no revision, by what they came to
    late: int = 0  # revisions of windows that had been settled
    recounted: int = 0
    unchanged: int = 0
    rows: int = 0
    quarantined: int = 0
    problems: list[str] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)
    failure: EvidenceError | None = None

    @property
    def exit_code(self) -> int:
        """The most severe of what happened."""
        failed = [self.failure.exit_code] if self.failure else []
        failed += [EvidenceError.exit_code] if self.bugs else []
        return worst([*failed, *(CODES.get(status, 0) for status in (*self.sealed, *self.recounts))])


def collect(
    context: typer.Context,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be repeated.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Only this dataset; may be repeated.")] = None,
    date: Annotated[str | None, typer.Option(help="Only this night, YYYY-MM-DD.")] = None,
    since: Annotated[str | None, typer.Option(help="From this night on (backfill).")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this night.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes that read exports; live sources are read in one.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> int:
    """Read what is due from every source and seal it. Doing it twice seals once."""
    workspace = Workspace.open(context.obj)
    first = parse_night(since) if since else workspace.config.collect.since
    chosen = Chosen(_nights(date, since, until), dataset or [], first)
    try:
        tallies, stamped = collect_due(workspace, source or sorted(workspace.config.sources), chosen, jobs)
    finally:
        workspace.close()
    _report(
        tallies,
        log_size=workspace.log.size,
        undelivered=workspace.log.undelivered,
        stamped=stamped,
        retention=pending(workspace.log),
        json=json,
    )
    return worst(tally.exit_code for tally in tallies)


def collect_due(workspace: Workspace, sources: Sequence[str], chosen: Chosen, jobs: int) -> tuple[list[Tally], str]:
    """Read and seal what is due of ``sources``, one after the other; return what each came to, and how time-stamping went.

    A source that fails costs its own windows alone. Raises ``BusyError`` while another run holds the lease.
    """
    tallies = []
    with workspace.lease(), workspace.spool() as spool, readers(workspace.path, jobs) as workers:
        seal_promise(workspace.log)
        for name in sources:
            tally = Tally(name)
            tallies.append(tally)
            try:
                _collect_source(workspace, tally, spool / name, chosen, workers)
            except (SourceError, ConfigError) as failure:
                tally.failure = failure
        record_pipeline(workspace)
        stamped = stamp_log(workspace)
    return tallies, stamped


def _collect_source(workspace: Workspace, tally: Tally, spool: Path, chosen: Chosen, workers: Workers) -> None:
    tasks = _planned(workspace, tally, chosen)
    nights = nights_of(tasks, spool)
    starts = verb.starts_of(tasks)
    with output.progress(f"collect {tally.source}", len(tasks)) as step:
        if workers.jobs == 1 or len(nights) < 2 * workers.jobs or tasks[0].source.live:
            batches = read_here(workspace, nights, step)
        else:
            batches = read_in_workers(workers, nights, step)
        for orders, batch in zip(nights, batches, strict=True):
            seal_batch(workspace, tally, batch, starts)
            shutil.rmtree(orders[0].spool.parent, ignore_errors=True)


def _planned(workspace: Workspace, tally: Tally, chosen: Chosen) -> list[verb.Task]:
    """Return the work; what a source must not raise when asked for its datasets and nights is a bug of that source."""
    index = workspace.index.catch_up(workspace.log)
    source = workspace.source(tally.source)
    contracts, nights = workspace.contracts, chosen.nights
    try:
        datasets = chosen.datasets or workspace.wanted(tally.source)
        return verb.plan(
            source, contracts, index, workspace.clock(), since=chosen.since, nights=nights, datasets=datasets
        )
    except EvidenceError:
        raise
    except Exception as exc:  # noqa: BLE001 - third-party sources may raise anything
        tally.bugs.append(f"planning: {place_of(exc)}")
        return []


def seal_batch(workspace: Workspace, tally: Tally, batch: Landed, starts: Mapping[Kind, dt.date] | None = None) -> None:
    """Seal what was read in one commit and count it; bugs are named, and their windows stay open."""
    items = []
    for item in batch:
        if isinstance(item, Bug):
            tally.bugs.append(f"{item.order.window.night} {item.order.dataset}: {item.what}")
        else:
            items.append(item)
            _count(tally, item)
    entries = seal(workspace.log, workspace.index, items, new_id, starts=starts)
    tally.recounted += sum(entry.type == "recount" for entry in entries)
    workspace.index.catch_up(workspace.log)


def _count(tally: Tally, item: Collected) -> None:
    receipt, named = item.receipt, f"{item.key.night} {item.key.dataset}"
    if item.recount is not None:
        tally.recounts[item.outcome] += 1
        if item.recount.result != "stable":
            tally.problems.append(
                f"{named}: {item.recount.occasion}: {item.recount.result}: {item.recount.reason}; what is sealed stands"
            )
    if item.unchanged:
        tally.unchanged += 1
        return
    tally.sealed[receipt.status] += 1
    tally.rows += receipt.landed
    tally.quarantined += receipt.quarantined
    if receipt.late:
        tally.late += 1
        tally.problems.append(
            f"{named}: late: rows came after the window had been settled; revision {item.key.revision}"
        )
    if receipt.status != "complete":
        tally.problems.append(f"{named}: {receipt.status}: {receipt.reason}")


def _nights(date: str | None, since: str | None, until: str | None) -> list[dt.date]:
    if date and (since or until):
        raise UsageError("--date does not go with --since or --until", fix="give one or the other")
    if date:
        return [parse_night(date)]
    if until and not since:
        raise UsageError("--until needs --since", fix="say where to start")
    if not (since and until):
        return []
    start, end = parse_night(since), parse_night(until)
    return [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]


def _report(
    tallies: list[Tally],
    *,
    log_size: int,
    undelivered: Mapping[str, str],
    stamped: str,
    retention: str = "",
    json: bool,
) -> None:
    output.undelivered(undelivered)
    if json:
        sources = [_spell(tally) for tally in tallies]
        output.as_json(
            {
                "log_size": log_size,
                "undelivered": dict(undelivered),
                "timestamp": stamped,
                "retention": retention,
                "sources": sources,
            }
        )
        return
    output.table(
        "",
        ["source", "sealed", "complete", "incomplete", "denied", "unavailable", "edition", "re-counted", "rows", "quarantined"],
        [
            [
                tally.source, sum(tally.sealed.values()),
                *(tally.sealed[s] for s in ("complete", "incomplete", "denied", "unavailable", "edition")),
                tally.recounted, f"{tally.rows:,}", tally.quarantined,
            ]
            for tally in tallies
        ],
    )  # fmt: skip
    for tally in tallies:
        for problem in tally.problems:
            output.say(f"  {tally.source}: {problem}")
        for bug in tally.bugs:
            output.say(f"  {tally.source}: BUG, nothing sealed: {bug}")
        if tally.failure:
            output.show_error(tally.failure)
    if stamped not in {"", DONE}:
        output.say(f"  checkpoint of size {log_size}: {stamped}")
    if retention:
        output.say(f"  {retention}")


def _spell(tally: Tally) -> dict[str, object]:
    return {
        "source": tally.source,
        "sealed": dict(tally.sealed),
        "recounts": dict(tally.recounts),
        "recounted": tally.recounted,
        "late": tally.late,
        "unchanged": tally.unchanged,
        "rows": tally.rows,
        "quarantined": tally.quarantined,
        "problems": tally.problems,
        "bugs": tally.bugs,
        "failure": str(tally.failure) if tally.failure else None,
        "exit_code": tally.exit_code,
    }
