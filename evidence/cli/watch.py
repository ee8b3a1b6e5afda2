"""What stands in a workspace now, and whom to tell of it: the edge of ``evidence.alert``."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import get_args

from evidence.alert.condition import REACH, Condition, Kind, Seen, of_ends, of_findings, of_windows
from evidence.alert.ledger import Target
from evidence.alert.service import ServiceTarget
from evidence.alert.tickets import GitHub, Jira, ServiceNow, TicketTarget, Tracker
from evidence.assess import sealed_findings
from evidence.cli.workspace import Workspace
from evidence.config import TicketsConfig
from evidence.control.result import NightFinding
from evidence.errors import ConfigError, EvidenceError
from evidence.snapshot.model import DAY
from evidence.status import sealed_windows, standing


def seen(workspace: Workspace) -> Seen:
    """Return the conditions that stand by what is sealed now."""
    today = workspace.clock().date()
    index = workspace.index.catch_up(workspace.log)
    recent = index.assessed_nights(today - DAY * REACH)[::-1]
    nights = [(night, sealed_findings(workspace.store, index, night)) for night in recent]
    controls = of_findings(nights)
    found = [
        *of_windows(_windows(workspace), today),
        *controls.standing,
        *_overdue(workspace, nights),
        *of_ends(_ends(workspace), today, workspace.config.alerts.notice_days),
        *_integrity(workspace, today),
    ]
    return Seen(tuple(sorted(found, key=lambda each: each.key)), controls.unknown)


def targets(workspace: Workspace) -> Sequence[Target]:
    """Return everybody who is to be told. Raises ``ConfigError`` naming what is wrong with an address, without showing it."""
    config = workspace.config
    people: list[Target] = [
        ServiceTarget(name, config.secret(each.url).decode().strip(), each.severity, config.entity.name)
        for name, each in sorted(config.alerts.targets.items())
    ]
    return [*people, *(ticket_target(workspace, name, each) for name, each in sorted(config.alerts.tickets.items()))]


def ticket_target(workspace: Workspace, name: str, section: TicketsConfig) -> TicketTarget:
    """Return what keeps the tickets of one section. Raises ``ConfigError`` naming what is wrong with it, without its secret."""
    place, secret = f"alerts.tickets.{name}", workspace.config.secret(section.secret).decode().strip()
    if unknown := sorted(set(section.kinds) - set(get_args(Kind))):
        raise ConfigError(f"{place}.kinds: {', '.join(unknown)}", fix=f"kinds: {', '.join(get_args(Kind))}")
    if section.kind != "servicenow" and not section.project:
        raise ConfigError(f"{place}.project is missing", fix="the project's key in Jira, OWNER/REPOSITORY on GitHub")
    tracker: Tracker
    if section.kind == "servicenow":
        words = {"group": section.group, "close_code": section.close_code}
        tracker = ServiceNow(section.url, secret, place, **words)
    elif section.kind == "jira":
        kind, cloud = section.issue_type, section.cloud
        tracker = Jira(section.url, secret, place, project=section.project, issue_type=kind, cloud=cloud)
    else:
        tracker = GitHub(section.url, secret, place, repository=section.project)
    return TicketTarget(name, tracker, section.severity, section.kinds, workspace.log.origin)


def _windows(workspace: Workspace) -> Iterator[tuple[str, str, dict[dt.date, str]]]:
    moment, index = workspace.clock(), workspace.index
    span = (moment.date() - DAY * REACH, moment.date() - DAY)
    sealed = sealed_windows(index, span[0])
    for source in sorted(workspace.config.sources):
        try:
            asked = workspace.datasets_of(source)
        except EvidenceError:  # said by collecting; what it ever sealed goes stale all the same
            asked = sorted(dataset for name, dataset in sealed if name == source)
        for dataset in asked:
            if dataset in workspace.contracts:
                found = standing(source, workspace.contracts[dataset], index, sealed, moment, span)
                yield source, dataset, dict(found.nights)


def _overdue(workspace: Workspace, nights: Sequence[tuple[dt.date, Sequence[NightFinding]]]) -> Iterator[Condition]:
    """Items that a person had to look at in time, and nobody did: one condition per control."""
    counts: dict[str, tuple[int, dt.date, str]] = {}
    for night, findings in nights:
        for finding in findings:
            control = workspace.library.controls.get(finding.control)
            if control is None or control.mode != "event-review":
                continue
            recorded = {record.item for record in finding.disposed}
            missed = sum(each.item not in recorded for each in finding.exceptions)
            if missed:
                counts[control.id] = (counts.get(control.id, (0,))[0] + missed, night, finding.severity)
    for name, (count, first, severity) in sorted(counts.items()):
        words = f"{name}: {count} items of the last {REACH} nights were not reviewed in time, first of {first}"
        yield Condition("review-overdue", name, severity, first, words, f"`evidence review list --control {name}`")


def _ends(workspace: Workspace) -> Iterator[tuple[str, str, dt.date, str]]:
    rows = workspace.registers.rows
    for row in rows.get("waivers", ()):
        fix = "mend the exception, or `evidence waive` anew with a new approval"
        yield f"waiver/{row['id']}", f"waiver {row['id']} of {row['control']}", row["expires"], fix
    newest = {row["requirement"]: row for row in sorted(rows.get("attestations", ()), key=lambda r: r["recorded_on"])}
    for name, row in sorted(newest.items()):
        if row["next_due"] is not None:
            yield f"attestation/{name}", f"the statement on {name}", row["next_due"], "`evidence attest` anew"
    yield from _certificate(workspace)


def _certificate(workspace: Workspace) -> Iterator[tuple[str, str, dt.date, str]]:
    from evidence.cli.packet_command import identity_of

    try:
        key = identity_of(workspace)
    except (EvidenceError, OSError):  # a collector's host need not hold the packet key; `evidence doctor` says so
        return
    day = key.not_after.date()
    yield "certificate/packet", f"the packet certificate of {key.subject}", day, "docs/keys.md: a new certificate"


def _integrity(workspace: Workspace, today: dt.date) -> Iterator[Condition]:
    last = workspace.index.last("check")
    if last is not None and last[1].body["failed"]:
        body = last[1].body
        words = f"the check of {body['checked_at'][:10]} found {body['failed']} faults in the store"
        yield Condition("integrity", "store", "critical", today, words, "`evidence verify STORE --explain` names them")
    for place in workspace.log.undelivered:
        words = f"a checkpoint could not be delivered to {place}"
        yield Condition("integrity", f"checkpoint/{place}", "high", today, words, "`evidence status` says why")
