"""``evidence run``: one night in one shot, for cron, timers and schedulers."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import typer

from evidence.alert.ledger import Alert, note, tell
from evidence.cli import output
from evidence.cli.assess_command import assess_nights, exit_code, unassessed
from evidence.cli.collect_command import Chosen, Tally, collect_due
from evidence.cli.journal import Journal
from evidence.cli.publish_command import publish_new
from evidence.cli.watch import seen, targets
from evidence.cli.workspace import Workspace, new_id
from evidence.control.model import SEVERITIES
from evidence.errors import EvidenceError, UsageError, worst

EXAMPLES: Final = (
    "evidence -w work run",
    "evidence -w work run --fail-on critical --verbose",
)

UNTOLD = 4  # somebody could not be told: worth a line in cron's mail, and never the reason that collecting stops


@dataclass
class Night:
    """What one run came to. ``codes`` are exit codes of its steps, ``untold`` targets and why."""

    run: str
    tallies: Sequence[Tally] = ()
    findings: Counter[str] = field(default_factory=Counter)
    nights: int = 0
    alert: Alert | None = None
    standing: Counter[str] = field(default_factory=Counter)  # by severity
    untold: Mapping[str, str] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    failures: list[EvidenceError] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """The most severe of all steps."""
        return worst(self.codes)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints and the journal ends with."""
        changed = self.alert
        return {
            "run": self.run,
            "exit_code": self.exit_code,
            "sealed": sum(sum(tally.sealed.values()) for tally in self.tallies),
            "rows": sum(tally.rows for tally in self.tallies),
            "nights": self.nights,
            "findings": dict(self.findings),
            "begun": [each.key for each in changed.begun] if changed else [],
            "ended": [each.key for each in changed.ended] if changed else [],
            "standing": dict(self.standing),
            "untold": dict(self.untold),
            "failures": [str(each) for each in self.failures],
        }


def run(
    context: typer.Context,
    fail_on: Annotated[str | None, typer.Option(help="Exit 7 or 8 from this severity up: low … critical.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes that read exports and judge nights.")] = 2,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print each event as it happens.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> int:
    """Collect what is due, judge what is new, tell of what changed. Quiet if nothing is wrong; doing it twice does it once.

    For cron: 30 2,8,14,20 * * *  evidence -w /srv/evidence run
    """
    if fail_on and fail_on not in SEVERITIES:
        raise UsageError(f"no severity {fail_on!r}", fix=f"one of {', '.join(SEVERITIES)}")
    workspace = Workspace.open(context.obj)
    with Journal(workspace.config.workspace, new_id(), workspace.clock, verbose=verbose) as journal:
        try:
            night = run_night(workspace, journal, jobs=jobs, fail_on=fail_on)
        finally:
            workspace.close()
    if json:
        output.as_json(night.to_json())
    else:
        _report(night, verbose=verbose)
    return night.exit_code


def run_night(workspace: Workspace, journal: Journal, *, jobs: int = 1, fail_on: str | None = None) -> Night:
    """Do every step, whatever the ones before came to: a source that fails does not keep people from being told.

    Only a lost lease (``BusyError``) and a store that contradicts itself stop the run: nothing may be written then.
    """
    night = Night(journal.run)
    steps: dict[str, Callable[[], None]] = {
        "collect": lambda: _collect(workspace, night, journal, jobs),
        "assess": lambda: _assess(workspace, night, journal, jobs, fail_on),
        "alert": lambda: _alert(workspace, night, journal),
    }
    if workspace.config.publish is not None:
        steps["publish"] = lambda: _publish(workspace, journal)
    for name, step in steps.items():
        started = time.monotonic()
        try:
            step()
        except EvidenceError as failure:
            night.failures.append(failure)
            night.codes.append(failure.exit_code)
            journal.write(name, outcome="failed", error=type(failure).__name__, detail=str(failure), fix=failure.fix)
            if failure.exit_code in STOPPING:
                break
        else:
            journal.write(name, outcome="done", seconds=round(time.monotonic() - started, 3))
    journal.write("end", **{k: v for k, v in night.to_json().items() if k != "run"})
    return night


STOPPING = frozenset({9, 10, 75})


def _collect(workspace: Workspace, night: Night, journal: Journal, jobs: int) -> None:
    chosen = Chosen([], [], workspace.config.collect.since)
    tallies, stamped = collect_due(workspace, sorted(workspace.config.sources), chosen, jobs)
    night.tallies = tallies
    night.codes += [tally.exit_code for tally in tallies]
    for tally in tallies:
        journal.write(
            "source", source=tally.source, sealed=dict(tally.sealed), rows=tally.rows, quarantined=tally.quarantined,
            late=tally.late, problems=tally.problems, bugs=tally.bugs, failure=str(tally.failure or ""),
        )  # fmt: skip
    if stamped:
        journal.write("time-stamp", outcome=stamped)
    for place, why in workspace.log.undelivered.items():
        journal.write("checkpoint", place=place, outcome="not delivered", detail=why)


def _assess(workspace: Workspace, night: Night, journal: Journal, jobs: int, fail_on: str | None) -> None:
    nights = unassessed(workspace)
    found = assess_nights(workspace, nights, jobs)
    findings = [each for day in sorted(found) for each in found[day]]
    night.nights, night.findings = len(found), Counter(each.status for each in findings)
    night.codes.append(exit_code(findings, fail_on))
    for day, those in sorted(found.items()):
        journal.write("night", night=day.isoformat(), findings=dict(Counter(each.status for each in those)))


def _alert(workspace: Workspace, night: Night, journal: Journal) -> None:
    with workspace.lease():
        moment = workspace.clock()
        found = seen(workspace)
        night.standing = Counter(each.severity for each in found.standing)
        night.alert = note(workspace.log, found, new_id(), moment)
        if night.alert:
            for word, conditions in (("begun", night.alert.begun), ("ended", night.alert.ended)):
                for each in conditions:
                    journal.write(word, condition=each.key, severity=each.severity, summary=each.summary)
        night.untold = tell(workspace.log, targets(workspace), moment)
    for name, why in night.untold.items():
        journal.write("untold", target=name, detail=why)
        night.codes.append(UNTOLD)


def _publish(workspace: Workspace, journal: Journal) -> None:
    rows = publish_new(workspace)
    journal.write("published", rows=rows)


def _report(night: Night, *, verbose: bool) -> None:
    """Print nothing if nothing is wrong and nobody watches."""
    for failure in night.failures:
        output.show_error(failure)
    for tally in night.tallies:
        for problem in (*tally.problems, *(f"BUG, nothing sealed: {bug}" for bug in tally.bugs)):
            output.say(f"{tally.source}: {problem}")
        if tally.failure:
            output.show_error(tally.failure)
    for name, why in night.untold.items():
        output.say(f"{name} could not be told, the next run tries again: {why}")
    if night.exit_code or verbose or sys.stdout.isatty():
        said = night.to_json()
        output.say(
            f"{said['sealed']} windows sealed, {said['nights']} nights judged, {len(said['begun'])} conditions begun, "
            f"{len(said['ended'])} over; exit {night.exit_code}, run {night.run}"
        )
