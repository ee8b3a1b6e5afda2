"""``evidence status``: what is sealed, what is missing, per source and dataset."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from evidence.cli import output
from evidence.cli.period import Period, parse_period
from evidence.cli.workspace import Workspace, now
from evidence.datasets.contract import Contract
from evidence.datasets.timing import overdue_at
from evidence.errors import EvidenceError
from evidence.snapshot.model import DAY
from evidence.store.index import Index

WORDS = ("complete", "incomplete", "denied", "unavailable", "edition", "missing", "provisional", "late")


def status(
    context: typer.Context,
    period: Annotated[str | None, typer.Option(help="Only these nights, for example 2026-Q3.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what is sealed and what is missing, per source and dataset."""
    workspace = Workspace.open(context.obj)
    chosen = parse_period(period) if period else None
    rows = [
        row
        for name in sorted(workspace.config.sources)
        for row in _rows(name, _datasets(workspace, name), workspace.contracts, workspace.index, chosen)
    ]
    left_out = {name: dict(workspace.not_captured(name)) for name in sorted(workspace.config.sources)}
    log = workspace.log
    if json:
        output.as_json({"origin": log.origin, "log_size": log.size, "datasets": rows, "not_captured": left_out})
        return
    output.pairs({"store": workspace.store.url, "log": f"{log.origin}, {log.size} entries"})
    output.table(
        "",
        ["source", "dataset", "covered since", "first", "last", *WORDS, "rows"],
        [
            [
                r["source"],
                r["dataset"],
                r["coverage"] or "not collected yet",
                r["first"],
                r["last"],
                *(r[word] or "" for word in WORDS),
                f"{r['rows']:,}",
            ]
            for r in rows
        ],
    )
    for name, reasons in left_out.items():
        for reason in sorted(set(reasons.values())):
            names = ", ".join(sorted(dataset for dataset, why in reasons.items() if why == reason))
            output.say(f"{name}: not captured, {reason}: {names}")


def _datasets(workspace: Workspace, name: str) -> Sequence[str]:
    """What a source is asked for; of one that cannot say, what it ever sealed, and its failure on standard error."""
    try:
        return workspace.datasets_of(name)
    except EvidenceError as failure:
        output.show_error(failure)
        return sorted({sealed.key.dataset for sealed in workspace.index.snapshots() if sealed.key.source == name})


def _rows(
    source: str, datasets: Sequence[str], contracts: Any, index: Index, period: Period | None
) -> list[dict[str, Any]]:
    return [row_of(source, contracts[name], index, period, now()) for name in sorted(datasets) if name in contracts]


def row_of(source: str, contract: Contract, index: Index, period: Period | None, moment: dt.datetime) -> dict[str, Any]:
    """Return what is sealed of one dataset of one source at ``moment``, by word; whatever is not whole and settled is counted.

    ``missing``: covered, due and not sealed. ``provisional``: late rows may still come. ``late``: rows came after settling.
    ``coverage``: the first covered night; None if the source was never collected, so that nothing can be missing yet.
    """
    sealed = {s.key.night: s for s in index.snapshots() if (s.key.source, s.key.dataset) == (source, contract.name)}
    if period:
        sealed = {night: s for night, s in sealed.items() if period.start <= night <= period.end}
    counts = Counter(s.status for s in sealed.values())
    counts["provisional"] = sum(not index.settled(s) for s in sealed.values())
    counts["late"] = sum(bool(s.body.get("late")) for s in sealed.values())
    counts["missing"] = sum(night not in sealed for night in _expected(source, contract, index, period, moment))
    return {
        "source": source,
        "dataset": contract.name,
        "coverage": index.coverage_start(source, contract.kind),
        "first": min(sealed, default=None),
        "last": max(sealed, default=None),
        **{word: counts[word] for word in WORDS},
        "rows": sum(int(s.body["landed"]) for s in sealed.values()),
    }


def _expected(
    source: str, contract: Contract, index: Index, period: Period | None, moment: dt.datetime
) -> list[dt.date]:
    """Nights that should be sealed by now: covered, in the period, and overdue."""
    start = index.coverage_start(source, contract.kind)
    if start is None:
        return []
    night = max(start, period.start) if period else start
    expected = []
    while overdue_at(contract, night) <= moment and (period is None or night <= period.end):
        expected.append(night)
        night += DAY
    return expected
