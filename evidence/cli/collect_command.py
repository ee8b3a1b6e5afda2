"""``evidence collect``: read what is due from every source and seal it."""

import datetime as dt
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from evidence import collect as verb
from evidence.cli import output
from evidence.cli.collect_workers import nights_of, read_here, read_in_workers
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, new_id, now
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

CODES = {
    "incomplete": IncompleteSnapshotError.exit_code,
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
    recounted: int = 0
    unchanged: int = 0
    rows: int = 0
    quarantined: int = 0
    problems: list[str] = field(default_factory=list)
    failure: EvidenceError | None = None

    @property
    def exit_code(self) -> int:
        """The most severe of what happened."""
        failed = [self.failure.exit_code] if self.failure else []
        return worst([*failed, *(CODES.get(status, 0) for status in self.sealed)])


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
    tallies = []
    try:
        with workspace.lease(), workspace.spool() as spool:
            for name in source or sorted(workspace.config.sources):
                tally = Tally(name)
                tallies.append(tally)
                try:
                    _collect_source(workspace, tally, spool / name, chosen, jobs)
                except (SourceError, ConfigError) as failure:
                    tally.failure = failure
    finally:
        workspace.close()
    _report(tallies, log_size=workspace.log.size, json=json)
    return worst(tally.exit_code for tally in tallies)


def _collect_source(workspace: Workspace, tally: Tally, spool: Path, chosen: Chosen, jobs: int) -> None:
    source = workspace.source(tally.source)
    index = workspace.index.catch_up(workspace.log)
    tasks = verb.plan(
        source, workspace.contracts, index, now(), since=chosen.since, nights=chosen.nights, datasets=chosen.datasets
    )
    nights = nights_of(tasks, spool)
    with output.progress(f"collect {tally.source}", len(tasks)) as step:
        if source.live or jobs == 1 or len(nights) < 2 * jobs:
            batches = read_here(workspace, nights, step)
        else:
            batches = read_in_workers(workspace.path, nights, step, jobs)
        for batch in batches:
            for item in batch:
                _count(tally, item)
            entries = seal(workspace.log, index, batch, new_id)
            tally.recounted += sum(entry.type == "recount" for entry in entries)
            index.catch_up(workspace.log)
            shutil.rmtree(spool / batch[0].key.night.isoformat(), ignore_errors=True)


def _count(tally: Tally, item: Collected) -> None:
    receipt = item.receipt
    if item.unchanged:
        tally.unchanged += 1
        return
    tally.sealed[receipt.status] += 1
    tally.rows += receipt.landed
    tally.quarantined += receipt.quarantined
    if receipt.status != "complete":
        tally.problems.append(f"{item.key.night} {item.key.dataset}: {receipt.status}: {receipt.reason}")


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


def _report(tallies: list[Tally], *, log_size: int, json: bool) -> None:
    if json:
        output.as_json({"log_size": log_size, "sources": [_spell(tally) for tally in tallies]})
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
        if tally.failure:
            output.show_error(tally.failure)


def _spell(tally: Tally) -> dict[str, object]:
    return {
        "source": tally.source,
        "sealed": dict(tally.sealed),
        "recounted": tally.recounted,
        "unchanged": tally.unchanged,
        "rows": tally.rows,
        "quarantined": tally.quarantined,
        "problems": tally.problems,
        "failure": str(tally.failure) if tally.failure else None,
        "exit_code": tally.exit_code,
    }
