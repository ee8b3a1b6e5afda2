"""``evidence assess``: judge nights, seal the findings, and say what they are."""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import typer

from evidence import assess as verb
from evidence.cli import output
from evidence.cli.period import parse_night, parse_period
from evidence.cli.workspace import Workspace, new_id
from evidence.control.model import SEVERITIES
from evidence.control.period import assess_period
from evidence.control.result import NightFinding, PeriodFinding
from evidence.errors import EXIT_NOT_ASSESSED, EXIT_NOT_SATISFIED, ControlError, UsageError, worst
from evidence.snapshot import canonical
from evidence.snapshot.assessed import PIPELINE
from evidence.store.index import Index
from evidence.workers import in_workers, stretches, worth

EXAMPLES: Final = (
    "evidence -w work assess",
    "evidence -w work assess --period 2026-Q3",
    "evidence -w work assess --date 2026-07-14 --control identity-mfa-humans",
    "evidence -w work assess --fail-on critical",
)


@dataclass(frozen=True, slots=True)
class Order:
    """A stretch of nights to judge, at a moment and a log size, in words that travel between processes."""

    nights: Sequence[dt.date]
    known_at: dt.datetime
    log_size: int


def assess(
    context: typer.Context,
    date: Annotated[str | None, typer.Option(help="Only this night, YYYY-MM-DD.")] = None,
    period: Annotated[str | None, typer.Option(help="A period, for example 2026-Q3; also prints its findings.")] = None,
    control: Annotated[list[str] | None, typer.Option(help="Show only this control; may be repeated.")] = None,
    fail_on: Annotated[str | None, typer.Option(help="Exit 7 or 8 from this severity up: low … critical.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes that judge nights.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Judge every control on each night and seal the findings. Without options: what is new since the last run."""
    if fail_on and fail_on not in SEVERITIES:
        raise UsageError(f"no severity {fail_on!r}", fix=f"one of {', '.join(SEVERITIES)}")
    workspace = Workspace.open(context.obj)
    try:
        found = assess_nights(workspace, _nights(workspace, date, period), jobs)
    finally:
        workspace.close()
    output.undelivered(workspace.log.undelivered)
    shown = {night: [f for f in findings if not control or f.control in control] for night, findings in found.items()}
    if period:
        chosen = parse_period(period)
        periods = periods_of(workspace, found, chosen.start, chosen.end, control)
        _show_periods(periods, json=json)
    else:
        _show_nights(shown, json=json)
    return exit_code([f for findings in shown.values() for f in findings], fail_on)


def assess_nights(workspace: Workspace, nights: list[dt.date], jobs: int) -> dict[dt.date, list[NightFinding]]:
    """Judge ``nights`` by what is sealed now and seal what is new; return all findings of each."""
    found: dict[dt.date, list[NightFinding]] = {}
    reader = reader_of(workspace, workspace.clock())
    with workspace.lease(), output.progress("assess", len(nights)) as step:
        engines: dict[dt.date, Mapping[str, Any]] = {}
        judged = _judged(workspace, reader, nights, jobs, engines)
        log, library, registers, engine = workspace.log, workspace.library, workspace.registers, workspace.engine
        for night, findings in verb.seal(
            log, library, registers, reader, judged, new_id, engine=engine, engines=engines
        ):
            found[night] = findings
            step(str(night))
    return found


def _judged(
    workspace: Workspace,
    reader: verb.StoreReader,
    nights: list[dt.date],
    jobs: int,
    engines: dict[dt.date, Mapping[str, Any]],
) -> Iterator[verb.Judged]:
    """Judge here, or in workers that see the log as it is now and no further, or in Snowflake, which has workers of its own."""
    if workspace.config.assess.engine == "snowflake":
        from evidence.cli.push import in_snowflake

        return in_snowflake(workspace, reader, nights, engines)
    if not worth(len(nights), jobs):
        return verb.judge(workspace.library, workspace.registers, reader, nights, workspace.engine)
    orders = [Order(each, reader.known_at, reader.index.size) for each in stretches(nights, jobs)]
    return itertools.chain.from_iterable(in_workers(partial(Workspace.open, workspace.path), _judge, orders, jobs))


def _judge(workspace: Workspace, order: Order) -> list[verb.Judged]:
    reader = reader_of(workspace, order.known_at)
    if reader.index.size != order.log_size:
        reader.index = Index.at(workspace.log, order.log_size)
    return list(verb.judge(workspace.library, workspace.registers, reader, order.nights, workspace.engine))


def reader_of(workspace: Workspace, moment: dt.datetime) -> verb.StoreReader:
    """Return verified read access to everything sealed so far."""
    return verb.StoreReader(
        workspace.store, workspace.index, workspace.contracts, workspace.datasets_asked(), known_at=moment
    )


def periods_of(
    workspace: Workspace,
    found: dict[dt.date, list[NightFinding]],
    start: dt.date,
    end: dt.date,
    only: list[str] | None = None,
) -> list[PeriodFinding]:
    """Fold nights into one finding per control."""
    wanted = [c for c in workspace.library.controls if not only or c in only]
    return [
        assess_period(
            workspace.library.controls[name],
            [finding for night in sorted(found) for finding in found[night] if finding.control == name],
            start,
            end,
            max_unknown_nights=workspace.config.assess.max_unknown_nights,
        )
        for name in sorted(wanted)
    ]


def sealed_periods(
    workspace: Workspace, nights: Sequence[dt.date], only: list[str] | None = None
) -> list[PeriodFinding]:
    """Fold what is sealed of ``nights``, which are in order, into one finding per control."""
    found = {night: verb.sealed_findings(workspace.store, workspace.index, night) for night in nights}
    return periods_of(workspace, found, nights[0], nights[-1], only)


def _nights(workspace: Workspace, date: str | None, period: str | None) -> list[dt.date]:
    if date and period:
        raise UsageError("--date does not go with --period", fix="give one or the other")
    if date:
        return [parse_night(date)]
    if period:
        return parse_period(period).nights
    return unassessed(workspace)


def unassessed(workspace: Workspace) -> list[dt.date]:
    """Return the nights of which something is sealed or recorded that no assessment has seen yet, in order."""
    index = workspace.index
    readers = [c for c in workspace.library.controls.values() if any(each.table == PIPELINE for each in c.ops)]
    stale = []
    for night in index.waiting():
        last = index.newest(night)
        if last is None:  # a record of the pipeline alone is nothing to judge a night by
            continue
        if not all(control.disabled(night) for control in readers):
            last = max(last, *(number for number, _ in index.pipelines(night)), 0)
        assessment = index.assessment(night)
        if assessment is None or assessment[1].body["log_size"] <= last or assessment[1].body["open_reviews"]:
            stale.append(night)
    return sorted({*stale, *_disposed_since(workspace)})


def _disposed_since(workspace: Workspace) -> Iterator[dt.date]:
    """Yield assessed nights of which a person has recorded something since."""
    for row in workspace.registers.rows.get("dispositions", ()):
        found = workspace.index.assessment(row["night"])
        recorded = canonical.format_time(row["recorded_at"].replace(tzinfo=dt.UTC))
        if found and found[1].body.get("known_at", "") < recorded:
            yield row["night"]


def _show_nights(found: dict[dt.date, list[NightFinding]], *, json: bool) -> None:
    if json:
        output.as_json([finding.to_json() for night in sorted(found) for finding in found[night]])
        return
    rows = []
    for night in sorted(found):
        counts = Counter(finding.status for finding in found[night])
        rows.append(
            [night, counts["satisfied"], counts["not-satisfied"], counts["not-assessed"], counts["not-applicable"]]
        )
    output.table("", ["night", "satisfied", "not satisfied", "not assessed", "not applicable"], rows)
    if len(found) == 1:
        night = next(iter(found))
        output.table(
            "", ["control", "severity", "status", "items", "exceptions", "waived", "why"], _night_rows(found[night])
        )


def _night_rows(findings: list[NightFinding]) -> list[list[Any]]:
    return [
        [
            f.control, f.severity, f.status, f.population, len(f.exceptions), len(f.waived) or "",
            f"{f.reason} {f.detail}".strip()[:100],
        ]
        for f in findings
    ]  # fmt: skip


def _show_periods(periods: list[PeriodFinding], *, json: bool) -> None:
    if json:
        output.as_json([p.to_json() for p in periods])
        return
    output.table(
        "",
        ["control", "status", "nights", "satisfied", "not satisfied", "not assessed", "exceptions", "open", "conclusion"],
        [
            [
                p.control, p.status, p.expected, p.satisfied, p.not_satisfied, p.not_assessed,
                len(p.exceptions), sum(i.open for i in p.exceptions), p.conclusion,
            ]
            for p in periods
        ],
    )  # fmt: skip


def exit_code(findings: list[NightFinding], fail_on: str | None) -> int:
    """Return what an assessment says to scripts: controls that could not run, then what ``fail_on`` asks about."""
    codes = [ControlError.exit_code for f in findings if f.reason == "control-error"]
    if fail_on:
        grave = [f for f in findings if SEVERITIES.index(f.severity) >= SEVERITIES.index(fail_on)]
        codes += [EXIT_NOT_SATISFIED for f in grave if f.status == "not-satisfied" and f.open]
        codes += [EXIT_NOT_ASSESSED for f in grave if f.status == "not-assessed" and f.reason != "pending"]
    return worst(codes)
