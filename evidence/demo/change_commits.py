"""The demo's production branch: a release a week through a reviewed pull request, and what came past it."""

import datetime as dt
import hashlib
from typing import Any

from evidence.demo.change_contracts import PRS, as_text, pull_request
from evidence.demo.ci_runs import pipeline_run
from evidence.demo.dbt_project import release_of
from evidence.demo.state import ALWAYS
from evidence.demo.world import World

GATED = "change-pr-gated"
REPO, BRANCH = "fernhollow/platform", "main"
COMMITS, RUNS, PROTECTION, FINDINGS = (
    "records.commits",
    "records.ci_runs",
    "records.branch_protection",
    "records.iac_findings",
)
JOBS = ("build", "test", "lint", "contract-check", "phi-check", "iac-scan")
AUTHOR = "juno-lindqvist"


def build_commits(world: World) -> None:
    """Add a release for every week that production runs, protection of the branch, and the scanner's findings."""
    world.happen(RUNS, 0)
    for number, (sha, day) in enumerate(_releases(world).items()):
        # Merged on the Friday before; the first one in the night that the period begins with.
        night = max(0, day - 3)
        moment = world.size.evening(night, 12) if night else world.size.evening(0, 1, 30)
        release(world, 400 + number, sha, night, moment)
    rule = {
        "repo": REPO,
        "branch": BRANCH,
        "protected": True,
        "required_approvals": 2,
        "dismiss_stale": True,
        "require_code_owners": True,
        "enforce_admins": True,
        "required_checks": list(JOBS),
        "strict_checks": True,
        "allow_force_pushes": False,
        "allow_deletions": False,
        "bypass_actors": [],
    }
    world.state.add(PROTECTION, as_text(rule))
    found = {
        "tool": "checkov",
        "finding_id": "CKV-210",
        "severity": "high",
        "status": "resolved",
        "repo": REPO,
        "sha": "0" * 40,
    }
    times = {"found_at": world.size.evening(-12, 9), "resolved_at": world.size.evening(-11, 9)}
    world.state.add(FINDINGS, found | times)


def release(
    world: World, number: int, sha: str, night: int, moment: dt.datetime, *, jobs: tuple[str, ...] = JOBS, **extra: Any
) -> None:
    """Merge a pull request at ``moment``: its checks ran before, and the deployment after."""
    head = sha[::-1]
    given = [
        {"user": user, "at": f"{moment - dt.timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}", "commit": head}
        for user in ("pella-quist", "ruben-ash")
    ]
    words = {
        "merged_at": moment,
        "closed_at": moment,
        "approvals": given,
        "paths": ["models/marts/release.sql"],
        **extra,
    }
    world.state.add(PRS, pull_request(world, number, REPO, night, sha, **words), first=night)
    commit(world, sha, night, moment, pr_number=number)
    for at, job in enumerate(jobs):
        world.happen(
            RUNS, night, _run(f"{number}{at}", job, head, moment - dt.timedelta(minutes=40 - at), kind="check")
        )
    world.happen(RUNS, night, deployment(f"{number}9", sha, moment + dt.timedelta(minutes=20)))


def commit(world: World, sha: str, night: int, moment: dt.datetime, **extra: Any) -> None:
    """Add a commit of the production branch, there from ``night`` on."""
    row = {
        "repo": REPO,
        "branch": BRANCH,
        "sha": sha,
        "author": AUTHOR,
        "committer": "web-flow",
        "committed_at": moment,
        "signed": True,
    }
    world.state.add(COMMITS, row | extra, first=night)


def deployment(number: str, sha: str, moment: dt.datetime) -> dict[str, Any]:
    """Return the run of a pipeline that applied a commit to production."""
    return _run(number, "apply", sha, moment, kind="deploy", environment="prod")


def _run(number: str, job: str, sha: str, moment: dt.datetime, **extra: Any) -> dict[str, Any]:
    return pipeline_run(REPO, number, "release", job, moment, 8, sha=sha, event="pull_request", **extra)


def _releases(world: World) -> dict[str, int]:
    """Return each release with the first day that production ran it."""
    found: dict[str, int] = {}
    for day in range(world.size.nights + 1):
        found.setdefault(release_of(world.size.evening(day, 4)), day)
    return found


def plant_commits(world: World) -> None:
    """Plant the deviations. A commit is judged on the night it first stands on the branch."""
    expect, size = world.expect, world.size
    pushed = _sha("pushed")
    commit(world, pushed, 6, size.evening(6, 15), committer=AUTHOR)
    expect("commit-without-pull-request", GATED, f"{REPO} commit {pushed}", "no-pull-request", 6, 6)
    alone = _sha("alone")
    moment = size.evening(18, 16)
    mine = [{"user": AUTHOR, "at": f"{moment - dt.timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}", "commit": alone[::-1]}]
    release(world, 450, alone, 18, moment, approvals=mine)
    expect("approved-by-its-author", GATED, f"{REPO} commit {alone}", "self-approved", 18, 18)
    untested = _sha("untested")
    release(world, 451, untested, 34, size.evening(34, 16), jobs=tuple(job for job in JOBS if job != "phi-check"))
    expect("check-left-out", GATED, f"{REPO} commit {untested}", "check-missing", 34, 34)
    world.state.find(PROTECTION).change(52, 54, bypass_actors='["release-bot"]')
    expect("protection-bypass", GATED, f"{REPO} branch {BRANCH}", "protection-bypass", 52, 54)
    stray = _sha("stray")
    world.happen(RUNS, 71, deployment("9009", stray, size.evening(71, 22)))
    expect("deployed-from-a-branch", GATED, f"{REPO} deployment 9009 of {stray}", "run-not-merged", 71, 71)
    world.state.find(PROTECTION).change(87, ALWAYS, required_approvals=0)
    expect("no-approval-required", GATED, f"{REPO} branch {BRANCH}", "protection-weak", 87)


def _sha(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()[:40]
