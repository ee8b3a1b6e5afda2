"""What a packet says beyond its own findings: the packet before it, and series counted from the period's evidence."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

from evidence.assess import sealed_findings
from evidence.cli.assess_command import periods_of, reader_of
from evidence.cli.period import Period
from evidence.cli.workspace import Workspace, now
from evidence.config import content_root
from evidence.control.engine import Engine
from evidence.control.measure import Measured, load_series, measure
from evidence.control.result import NightFinding
from evidence.errors import EvidenceError
from evidence.render.inputs import Before
from evidence.render.report import Report
from evidence.snapshot import canonical
from evidence.snapshot.model import DAY
from evidence.store.index import Index

TRENDS = "trends"  # below reports/ of the product and of the workspace


def before_of(workspace: Workspace, report: Report, period: Period) -> Before:
    """Return the last packet of this report whose period had ended, with the findings it was made of.

    They are read from the log as it stood at that packet's size: what was revised since belongs to no reader of it.
    Where there is none, or its findings are out of reach, ``missing`` says so.
    """
    try:
        return _before(workspace, report, period)
    except (EvidenceError, KeyError, ValueError) as exc:
        return Before(missing=f"the findings of the last packet could not be read from the log: {exc}")


def _before(workspace: Workspace, report: Report, period: Period) -> Before:
    last = None
    for _, entry in workspace.index.of_type("packet"):
        if entry.body["report"] == report.name and entry.object is not None:
            body = canonical.decode(workspace.store.get(entry.object.path, sha256=entry.object.sha256))
            if dt.date.fromisoformat(body["period"]["end"]) < period.start:
                last = body
    if last is None:
        return Before(missing="no packet of this report over an earlier period is in the log")
    start, end = (dt.date.fromisoformat(last["period"][name]) for name in ("start", "end"))
    index = Index.at(workspace.log, last["log_size"])
    nights = [start + DAY * n for n in range((end - start).days + 1)]
    found = {night: sealed_findings(workspace.store, index, night) for night in nights}
    if not any(found.values()):
        return Before(packet=last["packet"], missing=f"no night of packet {last['packet']} has a sealed assessment")
    seen = {finding.control for findings in found.values() for finding in findings}
    known = [each for each in periods_of(workspace, found, start, end) if each.control in seen]
    removed = tuple(sorted(seen - workspace.library.controls.keys()))
    versions = {f.control: f.version for night in nights for f in found[night]}
    return Before(last["packet"], start, end, tuple(known), versions, removed)


def measured_of(
    workspace: Workspace, found: Mapping[dt.date, Sequence[NightFinding]], controls: set[str]
) -> list[Measured]:
    """Return each series whose control is among ``controls``, over the nights of ``found``."""
    reader = reader_of(workspace, now())
    with Engine(threads=1) as engine:
        return [
            measure(
                series,
                workspace.library,
                workspace.registers,
                reader,
                [f for night in sorted(found) for f in found[night] if f.control == series.control],
                engine,
            )
            for series in load_series(series_files(workspace))
            if series.control in controls
        ]


def series_files(workspace: Workspace) -> list[Path]:
    """Return the definitions of series by name, the workspace's before the product's."""
    roots = (content_root(), workspace.path)
    found = {path.name: path for root in roots for path in sorted((root / "reports" / TRENDS).glob("*.toml"))}
    return [path for _, path in sorted(found.items())]
