"""What a brief says beside the night's own findings: from sealed assessments, the log and the registers. Nothing is judged here."""

import datetime as dt
from collections.abc import Iterator

from evidence.assess import sealed_findings
from evidence.cli.assess_command import sealed_periods
from evidence.cli.workspace import Workspace
from evidence.datasets.contract import Contract
from evidence.render.age import failing_since, key_of
from evidence.render.nightly import Ending, Key, NightFacts, Read, Window
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import DAY
from evidence.status import Sealed, sealed_windows, standing

BACK = 31  # nights that ages are counted over: an assessment is a quarter of a megabyte
SOON, JUST = dt.timedelta(days=14), dt.timedelta(days=7)
_LATE_READS = 2 * DAY  # after the night, when each of its windows has been due


def night_facts(workspace: Workspace, night: dt.date, controls: set[str]) -> NightFacts:
    """Return what the brief of ``night`` says about ``controls`` beside its findings."""
    index, before = workspace.index, night - DAY
    earliest = night - (BACK - 1) * DAY
    back = [each for each in index.assessed_nights() if earliest <= each <= night] or [night]
    return NightFacts(
        night=night,
        assessed_before=index.assessment(before) is not None,
        before=tuple(f for f in sealed_findings(workspace.store, index, before) if f.control in controls),
        since=_since(workspace, back, night, controls),
        back_to=back[0],
        read=tuple(_read(workspace, back)),
        windows=tuple(_windows(workspace, night)),
        ending=tuple(sorted(_ending(workspace, night, controls), key=lambda e: (e.on, e.kind, e.name))),
    )


def _since(workspace: Workspace, nights: list[dt.date], night: dt.date, controls: set[str]) -> dict[Key, dt.date]:
    """Return since when each item that fails on ``night`` has failed without a break, as a packet over these nights would say it."""
    return {
        (finding.control, run.item, run.reason): ages.get(key_of(run), run.first_seen)
        for finding in sealed_periods(workspace, nights, sorted(controls))
        for ages in [failing_since(finding)]
        for run in finding.exceptions
        if run.last_seen == night
    }


def _read(workspace: Workspace, nights: list[dt.date]) -> Iterator[Read]:
    for night in nights:
        found = workspace.index.assessment(night)
        if found is not None and found[1].object is not None:
            yield Read(night, found[0], found[1].object.sha256)


def _windows(workspace: Workspace, night: dt.date) -> Iterator[Window]:
    sealed = sealed_windows(workspace.index, night)
    moment = dt.datetime.combine(night + DAY, dt.time(), dt.UTC) + _LATE_READS
    for source, datasets in sorted(workspace.datasets_asked().items()):
        left_out = workspace.not_captured(source)
        for dataset in sorted({*datasets, *(name for at, name in sealed if at == source)} - set(left_out)):
            if dataset in workspace.contracts:
                yield _window(workspace, source, workspace.contracts[dataset], sealed, night, moment)
        for dataset, why in sorted(left_out.items()):
            yield Window(source, dataset, "not captured", why)


def _window(
    workspace: Workspace, source: str, contract: Contract, sealed: Sealed, night: dt.date, moment: dt.datetime
) -> Window:
    found = standing(source, contract, workspace.index, sealed, moment, (night, night))
    entry = found.sealed.get(night)
    if entry is None:
        return Window(source, contract.name, found.nights[night])
    reason = ""
    if entry.status != "complete":
        body = workspace.store.get(entry.manifest.path, sha256=entry.manifest.sha256)
        reason = str(Manifest.from_bytes(body).receipt.get("reason", ""))
    return Window(source, contract.name, found.nights[night], reason, entry.index)


def _ending(workspace: Workspace, night: dt.date, controls: set[str]) -> Iterator[Ending]:
    rows = workspace.registers.rows
    for row in rows.get("waivers", ()):
        if row["control"] in controls and row["approved_on"] <= night and night - JUST < row["expires"] <= night + SOON:
            what = f"{row['control']}: {len(row['items'])} item{'' if len(row['items']) == 1 else 's'} accepted"
            yield Ending("waiver", row["id"], what, row["expires"])
    last = {row["requirement"]: row for row in sorted(rows.get("attestations", ()), key=lambda row: row["recorded_on"])}
    for row in last.values():
        if row["next_due"] is not None and row["next_due"] <= night + SOON and row["recorded_on"] <= night:
            yield Ending("statement", row["requirement"], row["statement"], row["next_due"])
    for row in rows.get("responses", ()):
        if row["control"] in controls and night - JUST < row["due"] <= night + SOON:
            yield Ending("promise", row["control"], f"{row['item']}: {row['action']}", row["due"])
