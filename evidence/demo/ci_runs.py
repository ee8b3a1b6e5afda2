"""Runs of pipelines: each day one that keeps the infrastructure as its code has it."""

import datetime as dt
import hashlib
from typing import Any

from evidence.demo.world import World

RUNS = "records.ci_runs"


def build_deploys(world: World) -> None:
    """Add one run a day that deploys from six to ten; nothing if somebody has added deploying runs already."""
    if any(row["kind"] == "deploy" for rows in world.happened.get(RUNS, {}).values() for row in rows):
        return
    for night in range(world.size.nights):
        started = world.size.evening(night, 5, 58)
        world.happen(RUNS, night, ci_run(f"apply-{night:03}", started, kind="deploy"))


def ci_run(run: str, started: dt.datetime, **extra: Any) -> dict[str, Any]:
    """Return a run of the infrastructure's pipeline on its main branch."""
    row = {
        "sha": hashlib.sha256(run.encode()).hexdigest()[:40],
        "branch": "main",
        "event": "schedule",
        "environment": "prod",
        "actor": "platform-bot",
    }
    minutes = 16 * 60 + 5
    return pipeline_run("platform-infra", run, "reconcile", "apply", started, minutes) | row | extra


def pipeline_run(
    repo: str, run: str, workflow: str, job: str, started: dt.datetime, minutes: int, **extra: Any
) -> dict[str, Any]:
    """Return a run that succeeded at its first attempt after ``minutes``."""
    row = {
        "repo": repo,
        "run_id": run,
        "attempt": 1,
        "workflow": workflow,
        "job": job,
        "started_at": started,
        "completed_at": started + dt.timedelta(minutes=minutes),
        "conclusion": "success",
    }
    return row | extra
