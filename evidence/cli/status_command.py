"""``evidence status``: what is sealed, what is missing, per source and dataset, and night by night."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Annotated, Any, Final

import typer

from evidence.cli import output
from evidence.cli.assess_command import sealed_periods
from evidence.cli.packet_states import show_packets
from evidence.cli.period import parse_period
from evidence.cli.workspace import Workspace
from evidence.errors import EvidenceError, UsageError
from evidence.snapshot.model import DAY
from evidence.status import ALL, MARKS, WORDS, Sealed, Span, Standing, sealed_windows, standing
from evidence.store.telling import Delivery, deliveries

EXAMPLES: Final = (
    "evidence -w work status",
    "evidence -w work status --calendar --period 2026-Q3",
    "evidence -w work status --readiness --period 2026-Q3",
    "evidence -w work status --packets --json",
)

CALENDAR_NIGHTS = 31  # without a period


def status(
    context: typer.Context,
    period: Annotated[str | None, typer.Option(help="Only these nights, for example 2026-Q3.")] = None,
    calendar: Annotated[bool, typer.Option("--calendar", help="Show every night of every dataset.")] = False,
    readiness: Annotated[
        bool, typer.Option("--readiness", help="Show what would be not assessed if the period closed today.")
    ] = False,
    packets: Annotated[
        bool, typer.Option("--packets", help="Show the packets: draft, reviewed, approved, issued, superseded.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what is sealed and what is missing, per source and dataset; with --calendar night by night."""
    workspace = Workspace.open(context.obj)
    moment = workspace.clock()
    if packets:
        show_packets(workspace, json=json)
        return
    if readiness:
        _show_readiness(workspace, period or _quarter(moment), moment, json=json)
        return
    span = _span(period, moment, calendar=calendar)
    sealed = sealed_windows(workspace.index)
    found = [
        standing(name, workspace.contracts[dataset], workspace.index, sealed, moment, span)
        for name in sorted(workspace.config.sources)
        for dataset in sorted(_datasets(workspace, name, sealed))
        if dataset in workspace.contracts
    ]
    left_out = {name: dict(workspace.not_captured(name)) for name in sorted(workspace.config.sources)}
    log = workspace.log
    places = deliveries(workspace.destinations, workspace.delivery_notes)
    if json:
        nights = [{"nights": {str(n): w for n, w in each.nights.items()}} if calendar else {} for each in found]
        datasets = [each.to_row() | more for each, more in zip(found, nights, strict=True)]
        output.as_json(
            {
                "origin": log.origin,
                "log_size": log.size,
                "datasets": datasets,
                "not_captured": left_out,
                "checkpoints": [asdict(each) for each in places],
            }
        )
        return
    output.pairs({"store": workspace.store.url, "log": f"{log.origin}, {log.size} entries"})
    _show_places(places, log.size)
    if calendar:
        _show_calendar(found)
    else:
        _show_counts(found)
    for name, reasons in left_out.items():
        for reason in sorted(set(reasons.values())):
            names = ", ".join(sorted(dataset for dataset, why in reasons.items() if why == reason))
            output.say(f"{name}: not captured, {reason}: {names}")


def _quarter(moment: dt.datetime) -> str:
    return f"{moment.year}-Q{(moment.month + 2) // 3}"


def _show_readiness(workspace: Workspace, label: str, moment: dt.datetime, *, json: bool) -> None:
    """Fold what is sealed of the period so far, and list the controls that nothing could be said of if it closed today."""
    chosen = parse_period(label)
    end = min(chosen.end, moment.date() - DAY)
    nights = [night for night in chosen.nights if night <= end]
    if not nights:
        raise UsageError(f"{label} has not begun", fix="name a period that has")
    periods = sealed_periods(workspace, nights)
    lacking = [finding for finding in periods if finding.not_assessed > workspace.config.assess.max_unknown_nights]
    rows: list[dict[str, Any]] = [
        {
            "control": f.control, "severity": workspace.library.control(f.control).severity, "status": f.status,
            "not_assessed": f.not_assessed, "of": f.expected, "open_reviews": sum(item.open for item in f.reviews),
            "why": [f"{count} x {why}" for why, count in Counter(f.unknown.values()).most_common(3)],
        }
        for f in sorted(lacking, key=lambda f: (-f.not_assessed, f.control))
    ]  # fmt: skip
    if json:
        output.as_json({"period": label, "until": end.isoformat(), "controls": len(periods), "not_ready": rows})
        return
    output.say(
        f"{label} until {end}: {len(periods) - len(rows)} of {len(periods)} controls are assessed on every night that counts"
    )
    output.table(
        "",
        ["control", "severity", "nights not assessed", "open reviews", "why"],
        [
            [
                r["control"],
                r["severity"],
                f"{r['not_assessed']} of {r['of']}",
                r["open_reviews"],
                "; ".join(f.split(";")[0][:90] for f in r["why"]),
            ]
            for r in rows
        ],
    )


def _span(period: str | None, moment: dt.datetime, *, calendar: bool) -> Span:
    if period:
        chosen = parse_period(period)
        return chosen.start, chosen.end
    return (moment.date() - DAY * CALENDAR_NIGHTS, moment.date() - DAY) if calendar else ALL


def _datasets(workspace: Workspace, name: str, sealed: Sealed) -> Sequence[str]:
    """What a source is asked for; of one that cannot say, what it ever sealed, and its failure on standard error."""
    try:
        return workspace.datasets_of(name)
    except EvidenceError as failure:
        output.show_error(failure)
        return sorted(dataset for source, dataset in sealed if source == name)


def _show_places(places: Sequence[Delivery], size: int) -> None:
    """A line per further place of checkpoints: the size it has, and what keeps it from the last one."""
    for each in places:
        has = f"has size {each.delivered}" if each.delivered else "has none yet, as far as this machine knows"
        behind = f", {size - each.delivered} entries behind" if 0 < each.delivered < size else ""
        why = f"; NOT DELIVERED, {each.failed} failures since: {each.reason}" if each.failed else ""
        output.say(f"checkpoint  {each.place}: {has}{behind}{why}")


def _show_counts(found: Sequence[Standing]) -> None:
    rows = [each.to_row() for each in found]
    output.table(
        "",
        ["source", "dataset", "covered since", "first", "last", *WORDS, "rows"],
        [
            [
                r["source"], r["dataset"], r["coverage"] or "not collected yet", r["first"], r["last"],
                *(r[word] or "" for word in WORDS), f"{r['rows']:,}",
            ]
            for r in rows
        ],
    )  # fmt: skip


def _show_calendar(found: Sequence[Standing]) -> None:
    """One block per month: a line per dataset, a mark per night, tens and units of the days above."""
    width = max((len(f"{each.source} {each.dataset}") for each in found), default=0)
    nights = sorted({night for each in found for night in each.nights})
    for (year, month), group in groupby(nights, key=lambda night: (night.year, night.month)):
        days = list(group)
        output.say("")
        output.say(
            f"{year}-{month:02}".ljust(width + 2)
            + "".join(str(day.day // 10) if day.day % 10 == 0 else " " for day in days)
        )
        output.say(" " * (width + 2) + "".join(str(day.day % 10) for day in days))
        for each in found:
            marks = "".join(MARKS[each.nights.get(day, "not due")] for day in days)
            output.say(f"{each.source} {each.dataset}".ljust(width + 2) + marks.rstrip())
    output.say("")
    output.say("  ".join(f"{mark} {word}" for word, mark in MARKS.items() if mark.strip()) + "  blank: not due")
