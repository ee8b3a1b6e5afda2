"""Runs of dbt Cloud jobs as the Administrative API spells them (v2, "List Runs", "Retrieve Run"); pure.

A run's steps leave artifacts of their own; asked without a step, the API gives those of the last one, which may be the docs.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.sources.dbt_values import flag, integer, mapping, moment, objects, text

SKEW = dt.timedelta(minutes=10)  # between dbt Cloud's clock and that of the machine dbt runs on
CANCELLED = 30
STATUS = {1: "Queued", 2: "Starting", 3: "Running", 10: "Success", 20: "Error", 30: "Cancelled"}
WAITING = frozenset({1, 2, 3})  # of a step of a finished run: it was never come to
_EXECUTES = re.compile(r"\bdbt\b[^`]*?\s(build|run|test|seed|snapshot|retry)(?![\w-])")
_SHA = re.compile(r"[0-9a-f]{7,64}\Z")


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Times are None where it never came so far."""

    id: int
    job: int | None
    project: int | None
    environment: int | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    complete: bool
    status: int | None
    saved: bool
    docs: bool
    git_sha: str | None
    target: str | None

    @property
    def label(self) -> str:
        """``run 12 of job 3 (Error)``."""
        return f"run {self.id} of job {self.job} ({STATUS.get(self.status or 0, 'status ' + str(self.status))})"

    @property
    def never_ran(self) -> bool:
        """True for a run that was cancelled in the queue: no command of it was started."""
        return self.complete and self.started_at is None and self.status == CANCELLED

    def touches(self, since: dt.datetime, until: dt.datetime) -> bool:
        """Say whether it may have written something in the span."""
        begun = self.started_at or self.created_at
        return begun - SKEW < until and (self.finished_at is None or self.finished_at + SKEW >= since)

    def facts(self) -> tuple[tuple[str, str], ...]:
        """What its artifacts' rows say of it."""
        found = {
            "run_id": text(self.id),
            "job_id": text(self.job),
            "environment_id": text(self.environment),
            "git_sha": self.git_sha,
            "target_name": self.target,
        }
        return tuple((key, value) for key, value in found.items() if value)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run; ``index`` counts from 1."""

    index: int
    ran: bool
    executes: bool


def parse_run(item: Mapping[str, Any]) -> Run:
    """Parse one run of a list. Raises ``ValueError`` if it is not as documented."""
    number, created = integer(item.get("id")), moment(item.get("created_at"))
    if number is None or created is None or flag(item.get("is_complete")) is None:
        raise ValueError("a run without id, created_at or is_complete")
    sha = str(item.get("git_sha") or "").lower()
    settings = mapping(mapping(item.get("job")).get("settings"))
    return Run(
        id=number,
        job=integer(item.get("job_definition_id")) or integer(item.get("job_id")),
        project=integer(item.get("project_id")),
        environment=integer(item.get("environment_id")),
        created_at=created,
        started_at=moment(item.get("started_at")),
        finished_at=moment(item.get("finished_at")),
        complete=item["is_complete"],
        status=integer(item.get("status")),
        saved=item.get("artifacts_saved") is True,
        docs=item.get("has_docs_generated") is True,
        git_sha=sha if _SHA.match(sha) else None,
        target=text(settings.get("target_name")) or None,
    )


def parse_steps(detail: Mapping[str, Any]) -> Sequence[Step]:
    """Return the steps of a run's detail, in order; empty if it lists none."""
    steps = []
    for item in objects(mapping(detail.get("data")).get("run_steps")):
        index, status = integer(item.get("index")), integer(item.get("status"))
        if index is not None:
            executes = bool(_EXECUTES.search(str(item.get("name"))))
            steps.append(Step(index, status not in WAITING, executes))
    return sorted(steps, key=lambda step: step.index)
